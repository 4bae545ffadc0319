/*
 * One message a thread. The text is formatted aside and then copied, so that a layer may quote
 * error_message() in what it raises. errno is preserved: raising is often the step between a failed
 * system call and the clean-up that still wants to look at it, and "%m" reads it.
 */
#include "kernel/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"

static _Thread_local char message[ERROR_MESSAGE_SIZE];

enum status
error_raise(enum status status, const char *format, ...)
{
    char text[ERROR_MESSAGE_SIZE];
    int saved_errno = errno;
    va_list arguments;

    CHECK(status != STATUS_OK);
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length < 0)
        text[0] = '\0';
    memcpy(message, text, sizeof(message));
    errno = saved_errno;
    return status;
}

const char *
error_message(void)
{
    return message;
}

void
error_clear(void)
{
    message[0] = '\0';
}
