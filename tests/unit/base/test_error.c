/*
 * Goal: one message a thread, bounded, replaced by the next, safe to quote.
 * Method: direct calls, also from a second thread.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <wchar.h>

#include "kernel/base/error.h"

Test(error, keeps_the_last_message_and_returns_the_status)
{
    cr_assert_str_eq(error_message(), "");
    cr_assert_eq(error_raise(STATUS_IO, "first %d", 1), STATUS_IO);
    cr_assert_eq(error_raise(STATUS_CORRUPT, "page %u of %s", 7U, "f"), STATUS_CORRUPT);
    cr_assert_str_eq(error_message(), "page 7 of f");
}

Test(error, clear_forgets)
{
    enum status status = error_raise(STATUS_IO, "something");

    cr_assert_eq(status, STATUS_IO);
    error_clear();
    cr_assert_str_eq(error_message(), "");
}

Test(error, long_messages_are_cut)
{
    char text[2 * ERROR_MESSAGE_SIZE];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    cr_assert_eq(error_raise(STATUS_FULL, "%s", text), STATUS_FULL);
    cr_assert_eq(strlen(error_message()), (size_t)ERROR_MESSAGE_SIZE - 1);
}

Test(error, may_quote_the_message_before)
{
    cr_assert_eq(error_raise(STATUS_IO, "inner"), STATUS_IO);
    cr_assert_eq(error_raise(STATUS_FAILED, "outer: %s", error_message()), STATUS_FAILED);
    cr_assert_str_eq(error_message(), "outer: inner");
}

Test(error, knows_errno_and_leaves_it)
{
    errno = ENOSPC;
    cr_assert_eq(error_raise(STATUS_FULL, "write: %m"), STATUS_FULL);
    cr_assert_eq(errno, ENOSPC);
    cr_assert_str_eq(error_message(), "write: No space left on device");
}

Test(error, text_that_cannot_be_formatted_is_empty)
{
    static const wchar_t no_character[] = {0xd800, 0};

    errno = EIO;
    cr_assert_eq(error_raise(STATUS_IO, "kept"), STATUS_IO);
    cr_assert_eq(error_raise(STATUS_IO, "lost %ls", no_character), STATUS_IO);
    cr_assert_str_eq(error_message(), "");
    cr_assert_eq(errno, EIO);
}

static void *
raise_elsewhere(void *seen_empty)
{
    *(bool *)seen_empty = error_message()[0] == '\0';
    enum status status = error_raise(STATUS_BUSY, "other thread");
    (void)status;
    return NULL;
}

/* covers: F3 */
Test(error, threads_do_not_see_each_other)
{
    pthread_t thread;
    bool seen_empty = false;

    cr_assert_eq(error_raise(STATUS_IO, "mine"), STATUS_IO);
    cr_assert_eq(pthread_create(&thread, NULL, raise_elsewhere, &seen_empty), 0);
    pthread_join(thread, NULL);
    cr_assert(seen_empty);
    cr_assert_str_eq(error_message(), "mine");
}
