/*
 * The log sink: the one global of the library. It is set once, before any thread runs, so it is
 * read without a lock. A line is built in a buffer on the stack and cut when too long; control
 * characters, which may come in with file names, become '?', so that one call is one line.
 */
#include "kernel/base/log_sink.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "kernel/base/check.h"

enum { LINE_SIZE = 1024 };

static struct {
    log_sink_fn sink;
    void *context;
    enum log_level level;
} target;

static const char *
level_name(enum log_level level)
{
    switch (level) {
    case LOG_ERROR:
        return "error";
    case LOG_WARN:
        return "warn";
    case LOG_INFO:
        return "info";
    case LOG_DEBUG:
        return "debug";
    }
    return "unknown";
}

static void
replace_control_characters(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
    }
}

void
log_sink_set(log_sink_fn sink, void *context, enum log_level level)
{
    target.sink = sink;
    target.context = context;
    target.level = level;
}

void
log_line(enum log_level level, const char *format, ...)
{
    char line[LINE_SIZE];
    int saved_errno = errno;
    va_list arguments;

    if (target.sink == NULL || level > target.level)
        return;
    int prefix = snprintf(line, sizeof(line), "%s ", level_name(level));
    CHECK(prefix > 0 && prefix < LINE_SIZE);
    va_start(arguments, format);
    int length = vsnprintf(line + prefix, sizeof(line) - (size_t)prefix, format, arguments);
    va_end(arguments);
    if (length < 0)
        line[prefix] = '\0';
    replace_control_characters(line);
    target.sink(target.context, level, line);
    errno = saved_errno;
}
