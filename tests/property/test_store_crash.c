/*
 * Goal: after a crash at any moment, and after a crash inside the recovery from it, the page store
 * holds what it should, in each reference workload and under both policies; and the rig that says so
 * sees what is wrong, and repeats itself.
 *
 * Method: qtdb-crash's own code, for some hundred states a workload. The long runs of the same code
 * are scripts/rig-short and scripts/soak.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tools/qtdb-crash/crash_report.h"
#include "tools/qtdb-crash/crash_set.h"

enum { STATES = 600, SEED = 1 };

static struct crash_options
quiet_options(enum crash_workload workload, enum pager_policy policy)
{
    return (struct crash_options){
        .seed = SEED, .states = STATES, .threads = 1, .workload = workload, .policy = policy};
}

/* What is wrong is told on standard error, with the place. */
static void
expect_nothing_wrong(bool (*mode)(const struct crash_options *, struct crash_report *),
                     const struct crash_options *options, const char *name)
{
    static struct crash_report report;

    printf("%s: seed %d workload %s policy %d\n", name, SEED,
           crash_workload_name(options->workload), (int)options->policy);
    cr_assert(crash_report_init(&report, name, options));
    cr_assert(mode(options, &report));
    cr_assert_eq(atomic_load(&report.violation_count), 0);
}

#define SIM_TEST(name, workload)                                                  \
    Test(store_crash, name)                                                       \
    {                                                                             \
        struct crash_options image = quiet_options(workload, PAGER_POLICY_IMAGE); \
        struct crash_options range = quiet_options(workload, PAGER_POLICY_RANGE); \
                                                                                  \
        expect_nothing_wrong(crash_sim, &image, "sim");                           \
        expect_nothing_wrong(crash_sim, &range, "sim");                           \
    }

/* covers: P1, P3, P4, P6, P7, P8, P13, W1, W2, W5, W7, W8 */
SIM_TEST(loading_survives, CRASH_LOAD)
SIM_TEST(updates_with_checkpoints_survive, CRASH_UPDATE)
/* covers: P11 */
SIM_TEST(shrinking_survives, CRASH_SHRINK)
SIM_TEST(a_full_disk_loses_nothing, CRASH_FULL)
/* covers: P12 */
SIM_TEST(direct_writes_survive, CRASH_DIRECT)
SIM_TEST(crash_after_crash_survives, CRASH_RECOVERY)
/* covers: P14, P15, P16 */
SIM_TEST(eviction_survives, CRASH_EVICT)

/* covers: T4, T5, T8, T14 */
Test(store_crash, transactions_over_several_trees_survive)
{
    struct crash_options image = quiet_options(CRASH_WORKLOAD_ANY, PAGER_POLICY_IMAGE);
    struct crash_options range = quiet_options(CRASH_WORKLOAD_ANY, PAGER_POLICY_RANGE);

    image.states = range.states = 4 * STATES;
    expect_nothing_wrong(crash_rows, &image, "rows");
    expect_nothing_wrong(crash_rows, &range, "rows");
}

Test(store_crash, torn_lost_and_misdirected_writes_are_noticed)
{
    struct crash_options options = quiet_options(CRASH_WORKLOAD_ANY, 0);

    options.states = 0;
    options.histories = 3;
    expect_nothing_wrong(crash_torn, &options, "torn");
}

/* covers: P5, W3, W6 */
Test(store_crash, rot_is_never_returned)
{
    struct crash_options options = quiet_options(CRASH_WORKLOAD_ANY, 0);

    options.states = 0;
    options.samples = 600;
    expect_nothing_wrong(crash_rot, &options, "rot");
}

Test(store_crash, every_canary_is_seen)
{
    struct crash_options options = quiet_options(CRASH_WORKLOAD_ANY, 0);
    static struct crash_report report;

    options.quiet = true;
    cr_assert(crash_report_init(&report, "canary", &options));
    cr_assert(crash_canary(&options, &report));
    cr_assert_eq(atomic_load(&report.violation_count), 1);
}

/* All states of a few histories, as a list of counters. */
static void
count_run(uint64_t threads, uint64_t counts[CRASH_COUNTER_COUNT])
{
    struct crash_options options = quiet_options(CRASH_WORKLOAD_ANY, 0);
    static struct crash_report report;
    struct memory *memory = memory_new();
    struct crash_set *seen = crash_set_new(memory);
    struct crash_session session;

    options.states = 0;
    options.threads = threads;
    cr_assert(crash_report_init(&report, "sim", &options));
    crash_session_init(&session, &options, &report, seen);
    for (uint64_t index = 0; index < 3; index++) {
        struct crash_id id = crash_sim_id(&options, index);

        crash_sim_history(&session, &id, NULL);
    }
    crash_session_deinit(&session);
    crash_set_delete(seen);
    memory_delete(memory);
    for (int index = 0; index < CRASH_COUNTER_COUNT; index++)
        counts[index] = crash_counted(&report, (enum crash_counter)index);
}

Test(store_crash, the_same_seed_is_the_same_run)
{
    uint64_t first[CRASH_COUNTER_COUNT];
    uint64_t second[CRASH_COUNTER_COUNT];

    count_run(1, first);
    count_run(1, second);
    cr_assert_eq(memcmp(first, second, sizeof(first)), 0);
    cr_assert_gt(first[CRASH_COUNT_UNIQUE], 100);
}

Test(store_crash, a_place_is_what_it_prints)
{
    struct crash_place place = {
        .id = {.seed = 0xfeed, .workload = CRASH_SHRINK, .policy = PAGER_POLICY_RANGE},
        .depth = 2,
        .steps = {{.point = 17, .choice = {.mode = IO_SIM_CRASH_MASK, .index = 0x1b}},
                  {.point = 3, .choice = {.mode = IO_SIM_CRASH_GARBAGE, .seed = 0xabcdef}}}};
    char text[CRASH_PLACE_TEXT_SIZE];
    char again[CRASH_PLACE_TEXT_SIZE];
    struct crash_place parsed;

    crash_place_print(&place, text);
    cr_assert_str_eq(text, "feed:shrink:range/17.mask.1b.0/3.garbage.0.abcdef");
    cr_assert(crash_place_parse(text, &parsed));
    crash_place_print(&parsed, again);
    cr_assert_str_eq(text, again);
}

Test(store_crash, what_is_no_place_is_refused)
{
    static const char *const texts[] = {
        "",
        "1",
        "1:load",
        "1:load:image/",
        "1:lead:image",
        "1:load:imago",
        "1:load:image/1",
        "1:load:image/1.kept",
        "1:load:image/1.kept.0.0/1.kept.0.0/1.kept.0.0/1.kept.0.0",
    };
    struct crash_place place;

    for (size_t index = 0; index < sizeof(texts) / sizeof(texts[0]); index++)
        cr_expect_not(crash_place_parse(texts[index], &place), "%s", texts[index]);
}
