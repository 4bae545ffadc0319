/*
 * Goal: each operation and each allocation of a reference workload may fail, once or for ever: the
 * status is right, nothing leaks, what was acknowledged is there in the next open, and a full disk is
 * only a full disk.
 *
 * Method: qtdb-crash's own fault runs, for the two shortest references in full and for a share of one
 * more; scripts/rig-short runs all of them.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tools/qtdb-crash/crash_fault.h"
#include "tools/qtdb-crash/crash_report.h"

enum { SEED = 3, SHARE = 29 };

static struct crash_report report;

static struct crash_options
options_of(enum crash_workload workload, enum pager_policy policy)
{
    return (struct crash_options){
        .seed = SEED, .threads = 1, .workload = workload, .policy = policy};
}

static void
expect_full_coverage(enum crash_workload workload, enum pager_policy policy)
{
    struct crash_options options = options_of(workload, policy);

    printf("faults: seed %d workload %s policy %d\n", SEED, crash_workload_name(workload),
           (int)policy);
    cr_assert(crash_report_init(&report, "faults", &options));
    cr_assert(crash_faults(&options, &report));
    cr_assert_eq(atomic_load(&report.violation_count), 0);
    cr_assert_gt(crash_counted(&report, CRASH_COUNT_INDEXES_IO), 0);
    cr_assert_eq(crash_counted(&report, CRASH_COUNT_INDEXES_IO),
                 crash_counted(&report, CRASH_COUNT_INDEXES_IO_TOTAL));
    cr_assert_eq(crash_counted(&report, CRASH_COUNT_INDEXES_MEMORY),
                 crash_counted(&report, CRASH_COUNT_INDEXES_MEMORY_TOTAL));
}

/* covers: P9, W10, W11, W12 */
Test(store_faults, every_index_of_a_recovery_may_fail_under_image)
{
    expect_full_coverage(CRASH_RECOVERY, PAGER_POLICY_IMAGE);
}

Test(store_faults, every_index_of_a_recovery_may_fail_under_range)
{
    expect_full_coverage(CRASH_RECOVERY, PAGER_POLICY_RANGE);
}

/* Every SHARE-th index of each fault, of a longer reference. */
static void
expect_share(enum crash_workload workload, enum pager_policy policy)
{
    struct crash_options options = options_of(workload, policy);
    struct crash_id id = {.seed = SEED, .workload = workload, .policy = policy};
    struct crash_reference reference;
    struct crash_session session;

    printf("faults: seed %d workload %s policy %d, every %dth\n", SEED,
           crash_workload_name(workload), (int)policy, SHARE);
    cr_assert(crash_report_init(&report, "faults", &options));
    crash_session_init(&session, &options, &report, NULL);
    crash_reference_run(&session, &id, &reference);
    for (uint64_t at = 0; at < 12 * reference.io_count; at += SHARE) {
        struct crash_fault fault = {
            .io = (enum io_sim_fault)(at % 6 + 1), .index = at / 12, .for_ever = at / 6 % 2 == 1};
        struct crash_outcome outcome;

        if (!crash_fault_fits(fault.io, (enum crash_operation)reference.kinds[fault.index]))
            continue;
        crash_fault_run(&session, &reference, &fault, &outcome);
        cr_assert(outcome.injected);
    }
    for (uint64_t at = 0; at < reference.memory_count; at += 5) {
        struct crash_fault fault = {.index = at, .for_ever = at % 2 == 1};
        struct crash_outcome outcome;

        crash_fault_run(&session, &reference, &fault, &outcome);
        cr_assert(outcome.injected);
    }
    crash_reference_free(&session, &reference);
    crash_session_deinit(&session);
    cr_assert_eq(atomic_load(&report.violation_count), 0);
}

Test(store_faults, updates_may_fail)
{
    expect_share(CRASH_UPDATE, PAGER_POLICY_IMAGE);
}

Test(store_faults, direct_writes_may_fail)
{
    expect_share(CRASH_DIRECT, PAGER_POLICY_RANGE);
}

Test(store_faults, growth_to_a_full_disk_may_fail)
{
    expect_share(CRASH_FULL, PAGER_POLICY_IMAGE);
}

Test(store_faults, shrinking_may_fail)
{
    expect_share(CRASH_SHRINK, PAGER_POLICY_RANGE);
}

Test(store_faults, a_fault_is_what_it_prints)
{
    struct crash_fault fault = {.io = IO_SIM_FAULT_LATE_SYNC, .index = 81, .for_ever = true};
    char text[CRASH_FAULT_TEXT_SIZE];
    struct crash_fault parsed;

    crash_fault_print(&fault, text);
    cr_assert_str_eq(text, "late:81:ever");
    cr_assert(crash_fault_parse(text, &parsed));
    cr_assert_eq(parsed.io, fault.io);
    cr_assert_eq(parsed.index, fault.index);
    cr_assert(parsed.for_ever);
    cr_assert_not(crash_fault_parse("late", &parsed));
    cr_assert_not(crash_fault_parse("late:", &parsed));
    cr_assert_not(crash_fault_parse("late:1:never", &parsed));
    cr_assert_not(crash_fault_parse("soon:1", &parsed));
}
