/*
 * Goal: seeded bugs have stable numbers and names, and are absent from ordinary builds.
 * Method: the list itself, and the switch in both kinds of build.
 */
#include <criterion/criterion.h>

#include "kernel/base/faults.h"

Test(faults, names_follow_numbers)
{
    cr_assert_str_eq(faults_bug_name(1), "ACK_BEFORE_SYNC");
    cr_assert_str_eq(faults_bug_name(25), "FAILED_SYNC_RETRIED");
    cr_assert_str_eq(faults_bug_name(36), "CLEAN_CLOSE_NOT_SYNCED");
    cr_assert_str_eq(faults_bug_name(42), "SNAPSHOT_IN_BIG_COMMIT");
}

Test(faults, every_number_up_to_the_last_has_a_name)
{
    for (int number = 1; number < BUG_LAST_PLUS_ONE; number++)
        cr_assert_not_null(faults_bug_name(number), "%d", number);
    cr_assert_null(faults_bug_name(0));
    cr_assert_null(faults_bug_name(-1));
    cr_assert_null(faults_bug_name(BUG_LAST_PLUS_ONE));
}

#ifdef QTDB_BUGS

Test(faults, one_bug_is_active_at_a_time)
{
    cr_assert_not(BUG(PAGE_BEFORE_LOG));
    cr_assert(faults_bug_set(BUG_PAGE_BEFORE_LOG));
    cr_assert(BUG(PAGE_BEFORE_LOG));
    cr_assert_not(BUG(ACK_BEFORE_SYNC));
    cr_assert(faults_bug_set(0));
    cr_assert_not(BUG(PAGE_BEFORE_LOG));
    cr_assert_not(faults_bug_set(BUG_LAST_PLUS_ONE));
}

#else

/* covers: F10 */
Test(faults, ordinary_builds_have_none)
{
    static const int is_constant[BUG(ACK_BEFORE_SYNC) == 0 ? 1 : -1] = {1};

    cr_assert_eq(is_constant[0], 1);
    cr_assert_not(faults_bug_set(BUG_ACK_BEFORE_SYNC));
    cr_assert_not(faults_bug_set(0));
}

#endif
