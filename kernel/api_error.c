/*
 * The thread's last error. The status values up to STATUS_STOPPED have the same numbers as their
 * qtdb_code; STATUS_MISSING never gets here.
 *
 * Lower layers raise a message once, where a fault is first seen. Those that are ordinary answers
 * (not found, exists) raise none; a general text stands in.
 */
#include "kernel/api_error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"

static_assert((int)QTDB_NOT_FOUND == (int)STATUS_NOT_FOUND, "one numbering");
static_assert((int)QTDB_EXISTS == (int)STATUS_EXISTS, "one numbering");
static_assert((int)QTDB_FULL == (int)STATUS_FULL, "one numbering");
static_assert((int)QTDB_BUSY == (int)STATUS_BUSY, "one numbering");
static_assert((int)QTDB_CONFLICT == (int)STATUS_CONFLICT, "one numbering");
static_assert((int)QTDB_NO_MEMORY == (int)STATUS_NO_MEMORY, "one numbering");
static_assert((int)QTDB_IO == (int)STATUS_IO, "one numbering");
static_assert((int)QTDB_CORRUPT == (int)STATUS_CORRUPT, "one numbering");
static_assert((int)QTDB_VERSION == (int)STATUS_VERSION, "one numbering");
static_assert((int)QTDB_INVALID == (int)STATUS_INVALID, "one numbering");
static_assert((int)QTDB_FAILED == (int)STATUS_FAILED, "one numbering");
static_assert((int)QTDB_READONLY == (int)STATUS_READONLY, "one numbering");
static_assert((int)QTDB_STOPPED == (int)STATUS_STOPPED, "one numbering");

static _Thread_local struct qtdb_error last;
static _Thread_local const char *next_sqlstate;

static const char *
general_text(enum status status)
{
    switch (status) {
    case STATUS_NOT_FOUND:
        return "there is no such key";
    case STATUS_EXISTS:
        return "the key exists already";
    case STATUS_FULL:
        return "there is not enough room";
    case STATUS_NO_MEMORY:
        return "out of memory";
    case STATUS_CONFLICT:
        return "could not serialize access: another transaction changed what this one relies on";
    default:
        return status_name(status);
    }
}

static void
fill(enum qtdb_code code, const char *sqlstate, uint32_t position, bool retryable)
{
    CHECK(sqlstate == NULL || strlen(sqlstate) < sizeof(last.sqlstate));
    last.code = code;
    memset(last.sqlstate, 0, sizeof(last.sqlstate));
    if (sqlstate != NULL)
        memcpy(last.sqlstate, sqlstate, strlen(sqlstate));
    last.position = position;
    last.retryable = retryable;
}

void
api_error_sqlstate(const char *sqlstate)
{
    next_sqlstate = sqlstate;
}

enum qtdb_code
api_error(enum status status)
{
    if (status == STATUS_OK)
        return QTDB_OK;
    const char *text = error_message();

    CHECK(status != STATUS_MISSING);
    if (status == STATUS_NOT_FOUND || status == STATUS_EXISTS || text[0] == '\0')
        text = general_text(status);
    const char *sqlstate = status == STATUS_CONFLICT ? "40001" : NULL;

    if (next_sqlstate != NULL)
        sqlstate = next_sqlstate;
    next_sqlstate = NULL;
    fill((enum qtdb_code)status, sqlstate, 0, status == STATUS_CONFLICT);
    size_t size = strlen(text) + 1;

    CHECK(size <= sizeof(last.message));
    memmove(last.message, text, size);
    error_clear();
    return last.code;
}

enum qtdb_code
api_error_set(enum qtdb_code code, const char *sqlstate, uint32_t position, bool retryable,
              const char *format, ...)
{
    char text[sizeof(last.message)];
    va_list arguments;

    CHECK(code != QTDB_OK);
    next_sqlstate = NULL;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length < 0)
        text[0] = '\0';
    fill(code, sqlstate, position, retryable);
    memcpy(last.message, text, sizeof(text));
    error_clear();
    return code;
}

const struct qtdb_error *
qtdb_error_last(void)
{
    return &last;
}

const char *
qtdb_code_name(enum qtdb_code code)
{
    if (code == QTDB_ROW)
        return "row";
    if (code == QTDB_DONE)
        return "done";
    return (int)code == (int)STATUS_MISSING ? "unknown" : status_name((enum status)code);
}
