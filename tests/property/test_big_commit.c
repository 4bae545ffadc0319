/*
 * Goal: a transaction that changes every row of tables ten times the pool is whole or absent after a crash
 * at any moment, and after a crash inside its undoing; its memory is bounded; and a mistake in its undo
 * would be seen.
 *
 * Method: qtdb-crash's own mode big at some points; scripts/rig-short and scripts/soak take more. In the
 * build with seeded bugs each of those above the page store is looked for, in a process of its own.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/base/faults.h"
#include "tools/qtdb-crash/crash_report.h"

enum { SEED = 1, POINTS = 40, POINTS_OF_BUG = 12 };

static struct crash_report report;

/* covers: T15, T16 */
Test(big_commit, is_whole_or_absent_after_a_crash_and_its_memory_is_bounded, .timeout = 600)
{
    struct crash_options options = {.seed = SEED, .states = POINTS, .threads = 1};

    printf("big: seed %d\n", SEED);
    cr_assert(crash_report_init(&report, "big", &options));
    cr_assert(crash_big(&options, &report));
    cr_assert_eq(atomic_load(&report.violation_count), 0);
    cr_assert_eq(crash_counted(&report, CRASH_COUNT_POINTS), POINTS);
    cr_assert_gt(crash_counted(&report, CRASH_COUNT_NESTED), 0);
    cr_assert_gt(crash_counted(&report, CRASH_COUNT_LIVES), 0);
    cr_assert_gt(crash_counted(&report, CRASH_COUNT_READ_ONLY), 0);
}

/* A bug may also end the process by a failed check. */
static bool
is_found(int bug)
{
    struct crash_options options = {
        .seed = SEED, .states = POINTS_OF_BUG, .threads = 1, .quiet = true, .first_only = true};
    int status = 0;

    fflush(NULL);
    int pid = fork();

    if (pid == 0) {
        (void)faults_bug_set(bug);
        (void)crash_report_init(&report, "big", &options);
        (void)crash_big(&options, &report);
        _exit(atomic_load(&report.violation_count) > 0);
    }
    cr_assert_gt(pid, 0);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

Test(big_commit, each_seeded_bug_is_seen, .timeout = 600)
{
    if (!faults_bug_set(0))
        return; /* Only the build with seeded bugs has them. */
    cr_assert_not(is_found(0));
    for (int bug = BUG_STORE_LAST + 1; bug < BUG_LAST_PLUS_ONE; bug++)
        cr_assert(is_found(bug), "%s", faults_bug_name(bug));
}
