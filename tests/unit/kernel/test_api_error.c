/*
 * Goal: every status becomes its code with a message; fields set by hand come back; the last error
 * stays until the next one.
 * Method: each status once, raised and not.
 */
#include <criterion/criterion.h>

#include "kernel/api_error.h"
#include "kernel/base/error.h"

Test(api_error, each_status_has_a_code_of_the_same_number_and_a_text)
{
    for (int status = 1; status <= STATUS_STOPPED; status++) {
        if (status == STATUS_MISSING)
            continue;
        cr_assert_eq((int)api_error((enum status)status), status);
        cr_assert_eq((int)qtdb_error_last()->code, status);
        cr_assert_gt(strlen(qtdb_error_last()->message), 0);
        cr_assert_eq(qtdb_error_last()->retryable, status == STATUS_CONFLICT);
        cr_assert_str_eq(qtdb_code_name((enum qtdb_code)status), status_name((enum status)status));
    }
    cr_assert_str_eq(qtdb_code_name(QTDB_ROW), "row");
    cr_assert_str_eq(qtdb_code_name(QTDB_DONE), "done");
    cr_assert_str_eq(qtdb_code_name((enum qtdb_code)STATUS_MISSING), "unknown");
}

Test(api_error, a_raised_message_is_passed_on_once)
{
    enum status status = error_raise(STATUS_CORRUPT, "page 7 is damaged");

    cr_assert_eq(api_error(status), QTDB_CORRUPT);
    cr_assert_str_eq(qtdb_error_last()->message, "page 7 is damaged");
    cr_assert_eq(api_error(STATUS_OK), QTDB_OK);
    cr_assert_str_eq(qtdb_error_last()->message, "page 7 is damaged");
    cr_assert_eq(api_error(STATUS_CORRUPT), QTDB_CORRUPT);
    cr_assert_str_neq(qtdb_error_last()->message, "page 7 is damaged");
}

Test(api_error, fields_set_by_hand_come_back)
{
    cr_assert_eq(api_error_set(QTDB_INVALID, "42601", 17, false, "near %s", "SELECT"),
                 QTDB_INVALID);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "42601");
    cr_assert_eq(qtdb_error_last()->position, 17);
    cr_assert_str_eq(qtdb_error_last()->message, "near SELECT");
    cr_assert_str_neq(qtdb_version(), "");
}
