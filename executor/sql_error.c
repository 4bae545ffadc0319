/* SQL errors: SQLSTATE, message, place. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "executor/parse.h"
#include "kernel/base/check.h"

enum status
sql_error_set(struct sql_error *error, const char *sqlstate, int32_t location, const char *format,
              ...)
{
    va_list arguments;

    CHECK(strlen(sqlstate) == 5);
    memcpy(error->sqlstate, sqlstate, 6);
    error->location = location;
    va_start(arguments, format);
    (void)vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
    return STATUS_INVALID;
}
