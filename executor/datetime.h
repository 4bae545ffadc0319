/*
 * Dates and times: PostgreSQL's ISO input and output over the proleptic Gregorian calendar. Pure;
 * thread-safe. Dates count days, timestamps microseconds, both since 2000-01-01.
 */
#ifndef EXECUTOR_DATETIME_H
#define EXECUTOR_DATETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DATETIME_TEXT_SIZE = 48 };

/* Each returns false when the text is not of the form or out of range. */
bool datetime_parse_date(const char *text, size_t size, int64_t *days_out);
/** `hh:mm[:ss[.ffffff]]` */
bool datetime_parse_time(const char *text, size_t size, int64_t *microseconds_out);
/** A date, then optionally a space or T and a time, then (with_zone) Z or an offset; UTC without. */
bool datetime_parse_timestamp(const char *text, size_t size, bool with_zone,
                              int64_t *microseconds_out);

/* `out` has DATETIME_TEXT_SIZE bytes; NUL-terminated; returns the size. */
size_t datetime_print_date(int64_t days, char *out);
size_t datetime_print_time(int64_t microseconds, char *out);
size_t datetime_print_timestamp(int64_t microseconds, bool with_zone, char *out);

/* The calendar. Year 0 is 1 BC. */
int64_t datetime_days(int64_t year, int64_t month, int64_t day);
void datetime_civil(int64_t days, int64_t *year, int64_t *month, int64_t *day);
int64_t datetime_month_days(int64_t year, int64_t month);

#endif
