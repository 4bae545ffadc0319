/*
 * Goal: one call is one line, with its level, at most as verbose as asked.
 * Method: a sink that keeps the last line.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "kernel/base/log_sink.h"

struct kept {
    int count;
    enum log_level level;
    char line[4096];
};

static void
keep(void *context, enum log_level level, const char *line)
{
    struct kept *kept = context;

    kept->count++;
    kept->level = level;
    snprintf(kept->line, sizeof(kept->line), "%s", line);
}

Test(log_sink, lines_carry_level_and_text)
{
    struct kept kept = {0};

    log_sink_set(keep, &kept, LOG_DEBUG);
    log_line(LOG_WARN, "wal: torn tail cut lsn=%d", 42);
    cr_assert_eq(kept.level, LOG_WARN);
    cr_assert_str_eq(kept.line, "warn wal: torn tail cut lsn=42");
    log_line(LOG_ERROR, "a");
    cr_assert_str_eq(kept.line, "error a");
    log_line(LOG_INFO, "b");
    cr_assert_str_eq(kept.line, "info b");
    log_line(LOG_DEBUG, "c");
    cr_assert_str_eq(kept.line, "debug c");
}

Test(log_sink, more_verbose_lines_are_dropped)
{
    struct kept kept = {0};

    log_sink_set(keep, &kept, LOG_WARN);
    log_line(LOG_INFO, "area: not wanted");
    log_line(LOG_DEBUG, "area: not wanted");
    cr_assert_eq(kept.count, 0);
    log_line(LOG_WARN, "area: wanted");
    cr_assert_eq(kept.count, 1);
}

Test(log_sink, without_a_sink_lines_are_dropped)
{
    log_sink_set(NULL, NULL, LOG_DEBUG);
    log_line(LOG_ERROR, "area: nobody hears");
}

/* covers: F4 */
Test(log_sink, one_call_is_one_line)
{
    struct kept kept = {0};

    log_sink_set(keep, &kept, LOG_INFO);
    log_line(LOG_INFO, "io: path=%s", "a\nerror forged\x1b[31m\x7f\xc3\xa4");
    cr_assert_str_eq(kept.line, "info io: path=a?error forged?[31m?\xc3\xa4");
}

Test(log_sink, long_lines_are_cut)
{
    struct kept kept = {0};
    char text[3000];

    memset(text, 'y', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_sink_set(keep, &kept, LOG_INFO);
    log_line(LOG_INFO, "%s", text);
    cr_assert_eq(strlen(kept.line), 1023);
}

Test(log_sink, leaves_errno)
{
    struct kept kept = {0};

    log_sink_set(keep, &kept, LOG_INFO);
    errno = EIO;
    log_line(LOG_INFO, "io: %m");
    cr_assert_eq(errno, EIO);
    cr_assert_str_eq(kept.line, "info io: Input/output error");
    static const wchar_t no_character[] = {0xd800, 0};
    log_line(LOG_INFO, "io: %ls", no_character);
    cr_assert_eq(errno, EIO);
    cr_assert_str_eq(kept.line, "info ");
}
