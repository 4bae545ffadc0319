/*
 * Dates and times: PostgreSQL's ISO input and output over the proleptic Gregorian calendar. Pure but for the
 * time zone, which is the thread's (zone.h); thread-safe. Dates count days, timestamps microseconds, both since 2000-01-01.
 */
#ifndef EXECUTOR_DATETIME_H
#define EXECUTOR_DATETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/parse.h"

enum { DATETIME_TEXT_SIZE = 64 };

/* Each returns false when the text is not of the form or out of range. */
bool datetime_parse_date(const char *text, size_t size, int64_t *days_out, struct sql_error *error);
/** `hh:mm[:ss[.ffffff]]` */
bool datetime_parse_time(const char *text, size_t size, int64_t *microseconds_out);
/**
 * A date, then optionally a space or T and a time, then an offset, an abbreviation or a zone's name, which counts
 * `with_zone`; the session's zone without. False with an error in `error` where a zone is not known.
 */
bool datetime_parse_timestamp(const char *text, size_t size, bool with_zone,
                              int64_t *microseconds_out, struct sql_error *error);

/* `out` has DATETIME_TEXT_SIZE bytes; NUL-terminated; returns the size. */
size_t datetime_print_date(int64_t days, char *out);
size_t datetime_print_time(int64_t microseconds, char *out);
/** With a zone: as the session's clocks show it, and their offset. */
size_t datetime_print_timestamp(int64_t microseconds, bool with_zone, char *out);
/** +01, -03:30, +00:53:28. */
size_t datetime_print_offset(int32_t seconds, char *out);

/* The calendar. Year 0 is 1 BC. */
int64_t datetime_days(int64_t year, int64_t month, int64_t day);
void datetime_civil(int64_t days, int64_t *year, int64_t *month, int64_t *day);
int64_t datetime_month_days(int64_t year, int64_t month);

#endif
