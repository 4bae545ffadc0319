/*
 * Goal: statuses have stable names and the two macros pass them on.
 * Method: every name against a written list; TRY and TRY_OUT in small functions.
 */
#include <criterion/criterion.h>

#include "kernel/base/status.h"

/* covers: F1 */
Test(status, names_are_stable)
{
    static const char *const expected[] = {
        "ok",      "not_found", "exists",  "full",   "busy",    "conflict", "no_memory", "io",
        "corrupt", "version",   "invalid", "failed", "missing", "readonly", "stopped",
    };

    for (int i = 0; i < 15; i++)
        cr_assert_str_eq(status_name((enum status)i), expected[i]);
}

Test(status, values_outside_the_enum_are_unknown)
{
    cr_assert_str_eq(status_name((enum status)15), "unknown");
    cr_assert_str_eq(status_name((enum status) - 1), "unknown");
}

static enum status
pass_on(enum status status, int *reached)
{
    TRY(status);
    (*reached)++;
    return STATUS_OK;
}

static enum status
pass_on_and_release(enum status given, int *reached, int *released)
{
    enum status status;

    TRY_OUT(given);
    (*reached)++;
out:
    (*released)++;
    return status;
}

Test(status, try_returns_what_is_not_ok)
{
    int reached = 0;

    cr_assert_eq(pass_on(STATUS_BUSY, &reached), STATUS_BUSY);
    cr_assert_eq(reached, 0);
    cr_assert_eq(pass_on(STATUS_OK, &reached), STATUS_OK);
    cr_assert_eq(reached, 1);
}

Test(status, try_out_releases_on_both_ways)
{
    int reached = 0;
    int released = 0;

    cr_assert_eq(pass_on_and_release(STATUS_CORRUPT, &reached, &released), STATUS_CORRUPT);
    cr_assert(reached == 0 && released == 1);
    cr_assert_eq(pass_on_and_release(STATUS_OK, &reached, &released), STATUS_OK);
    cr_assert(reached == 1 && released == 2);
}
