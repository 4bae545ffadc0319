/*
 * Intervals: months, days and microseconds beside each other, as PostgreSQL keeps them, in 16 bytes:
 * le64 microseconds | le32 days | le32 months. Pure functions; thread-safe.
 */
#ifndef EXECUTOR_INTERVAL_H
#define EXECUTOR_INTERVAL_H

#include "executor/value.h"

struct interval {
    int64_t microseconds;
    int32_t days;
    int32_t months;
};

/* Fields of `interval day to second` in sql_type.precision: PostgreSQL's bits. */
enum {
    INTERVAL_MONTH = 1 << 1,
    INTERVAL_YEAR = 1 << 2,
    INTERVAL_DAY = 1 << 3,
    INTERVAL_HOUR = 1 << 10,
    INTERVAL_MINUTE = 1 << 11,
    INTERVAL_SECOND = 1 << 12,
    INTERVAL_FULL = 0x7fff,
};

struct interval interval_get(const struct value *value);
MUST_CHECK enum status interval_value(struct interval interval, struct arena *arena,
                                      struct value *out);

/** Units in words, hh:mm:ss, ISO 8601's P..., `y-m`, `ago`. 22007 on refusal, 22015 out of range. */
MUST_CHECK enum status interval_parse(const struct sql_type *type, const char *text, size_t size,
                                      struct arena *arena, struct value *out,
                                      struct sql_error *error);
/** PostgreSQL's style: `1 year 2 mons 3 days 04:05:06.7`. */
const char *interval_print(const struct value *value, struct arena *arena, size_t *size_out);
/** The fields as a type's name gives them (" year to month"), "" for all; static text. */
const char *interval_fields_text(int32_t fields);
/** Cuts what is below the lowest of the fields. */
struct interval interval_restrict(struct interval interval, int32_t fields);

/** In microseconds, a month 30 days and a day 24 hours. */
__int128 interval_span(const struct value *value);
int interval_compare(const struct value *left, const struct value *right);

/** False on overflow. */
bool interval_add(struct interval left, struct interval right, struct interval *out);
bool interval_negate(struct interval interval, struct interval *out);
/** By a factor; fractions of months become days, of days time. */
bool interval_scale(struct interval interval, double factor, bool divide, struct interval *out);

#endif
