/*
 * Dates and timestamps: from the legacy file's text to PostgreSQL's output, checked on the way. The
 * legacy years are astronomical: 0 is 1 BC, -43 is 44 BC. Pure.
 */
#ifndef TOOLS_QTDB_MIGRATE_MIGRATE_TIME_H
#define TOOLS_QTDB_MIGRATE_MIGRATE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MIGRATE_TIME_SIZE = 64 };

struct moment {
    int64_t year;
    int month, day;
    int hour, minute, second;
    int nanosecond;
    bool has_time;
    bool has_zone; /* Z. */
};

/**
 * `[+-]YYYY-MM-DD[(T| )HH:MM:SS[.fraction][Z|(+|-)HH[:MM[:SS]]]][ BC]`; false when it is not that or out
 * of range. A moment with an offset comes out in UTC.
 */
bool moment_parse(const char *text, size_t size, struct moment *out);

/** `HH:MM:SS[.fraction]`; false when it is not that. */
bool moment_parse_time(const char *text, size_t size, struct moment *out);

/* NUL-terminated; the size is returned. Digits past microseconds are cut off. */
size_t moment_print_date(const struct moment *moment, char out[MIGRATE_TIME_SIZE]);
size_t moment_print_timestamp(const struct moment *moment, bool with_zone,
                              char out[MIGRATE_TIME_SIZE]);

size_t moment_print_time(const struct moment *moment, char out[MIGRATE_TIME_SIZE]);

#endif
