/*
 * Intervals (interval.h). Text is read as numbers and units in turns; a fraction of a unit goes down to
 * days and microseconds as PostgreSQL 15 does (30 days a month). The arithmetic with factors follows
 * PostgreSQL's interval_mul and interval_div, double for double, so that results are the same to the
 * microsecond.
 */
#include "executor/interval.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/bytes.h"
#include "kernel/base/check.h"

static const int64_t SECOND_US = 1000000;
static const int64_t DAY_US = INT64_C(86400000000);

struct interval
interval_get(const struct value *value)
{
    struct interval interval;
    le64 microseconds;
    le32 days, months;

    CHECK(!value->null && value->type == QTDB_TYPE_INTERVAL && value->size == 16);
    memcpy(microseconds.byte, value->bytes, 8);
    memcpy(days.byte, value->bytes + 8, 4);
    memcpy(months.byte, value->bytes + 12, 4);
    interval.microseconds = (int64_t)le64_get(microseconds);
    interval.days = (int32_t)le32_get(days);
    interval.months = (int32_t)le32_get(months);
    return interval;
}

enum status
interval_value(struct interval interval, struct arena *arena, struct value *out)
{
    le64 microseconds = le64_of((uint64_t)interval.microseconds);
    le32 days = le32_of((uint32_t)interval.days), months = le32_of((uint32_t)interval.months);
    uint8_t *bytes = arena_alloc(arena, 16);

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    memcpy(bytes, microseconds.byte, 8);
    memcpy(bytes + 8, days.byte, 4);
    memcpy(bytes + 12, months.byte, 4);
    *out = value_bytes(QTDB_TYPE_INTERVAL, bytes, 16);
    return STATUS_OK;
}

/* Reading. */

enum unit_kind { UNIT_MONTHS = 1, UNIT_DAYS = 2, UNIT_TIME = 3 };

struct unit {
    const char *name; /* Without a plural's s. */
    enum unit_kind kind;
    int64_t size;
    int32_t field;
};

static const struct unit units[] = {
    {"year", UNIT_MONTHS, 12, INTERVAL_YEAR},
    {"yr", UNIT_MONTHS, 12, 0},
    {"y", UNIT_MONTHS, 12, 0},
    {"month", UNIT_MONTHS, 1, INTERVAL_MONTH},
    {"mon", UNIT_MONTHS, 1, 0},
    {"decade", UNIT_MONTHS, 120, 0},
    {"dec", UNIT_MONTHS, 120, 0},
    {"century", UNIT_MONTHS, 1200, 0},
    {"centurie", UNIT_MONTHS, 1200, 0},
    {"c", UNIT_MONTHS, 1200, 0},
    {"millennium", UNIT_MONTHS, 12000, 0},
    {"millennia", UNIT_MONTHS, 12000, 0},
    {"mil", UNIT_MONTHS, 12000, 0},
    {"day", UNIT_DAYS, 1, INTERVAL_DAY},
    {"d", UNIT_DAYS, 1, 0},
    {"week", UNIT_DAYS, 7, 0},
    {"w", UNIT_DAYS, 7, 0},
    {"hour", UNIT_TIME, INT64_C(3600000000), INTERVAL_HOUR},
    {"hr", UNIT_TIME, INT64_C(3600000000), 0},
    {"h", UNIT_TIME, INT64_C(3600000000), 0},
    {"minute", UNIT_TIME, 60000000, INTERVAL_MINUTE},
    {"min", UNIT_TIME, 60000000, 0},
    {"m", UNIT_TIME, 60000000, 0},
    {"second", UNIT_TIME, 1000000, INTERVAL_SECOND},
    {"sec", UNIT_TIME, 1000000, 0},
    {"s", UNIT_TIME, 1000000, 0},
    {"millisecond", UNIT_TIME, 1000, 0},
    {"msec", UNIT_TIME, 1000, 0},
    {"ms", UNIT_TIME, 1000, 0},
    {"microsecond", UNIT_TIME, 1, 0},
    {"usec", UNIT_TIME, 1, 0},
    {"us", UNIT_TIME, 1, 0},
};
enum { UNIT_COUNT = sizeof(units) / sizeof(units[0]) };

static const struct unit *
find_unit(const char *word, size_t size)
{
    for (int plural = 0; plural < 2; plural++) {
        for (size_t i = 0; i < UNIT_COUNT; i++) {
            if (strlen(units[i].name) == size && strncasecmp(units[i].name, word, size) == 0)
                return &units[i];
        }
        if (size < 2 || (word[size - 1] | 32) != 's')
            return NULL;
        size--;
    }
    return NULL;
}

/* What a number without a unit means: the lowest field, seconds when none is given. */
static const struct unit *
default_unit(int32_t fields)
{
    bool limited = fields >= 0 && fields != INTERVAL_FULL;

    for (size_t left = UNIT_COUNT; limited && left > 0; left--) {
        const struct unit *unit = &units[left - 1];

        if (unit->field != 0 && (fields & unit->field) != 0)
            return unit;
    }
    return find_unit("second", 6);
}

/* Sums in wide numbers; what does not fit is refused at the end. */
struct sums_exact {
    __int128 months, days, microseconds;
};

static void
add_unit(struct sums_exact *sums, const struct unit *unit, int64_t whole, double fraction)
{
    if (unit->kind == UNIT_TIME) {
        sums->microseconds += (__int128)whole * unit->size;
        sums->microseconds += (int64_t)rint(fraction * (double)unit->size);
        return;
    }
    if (unit->kind == UNIT_DAYS) {
        double days = fraction * (double)unit->size, whole_days = trunc(days);

        sums->days += (__int128)whole * unit->size + (int64_t)whole_days;
        sums->microseconds += (int64_t)rint((days - whole_days) * (double)DAY_US);
        return;
    }
    sums->months += (__int128)whole * unit->size;
    if (unit->size > 1) { /* PostgreSQL rounds fractions of years to months. */
        sums->months += (int64_t)rint(fraction * (double)unit->size);
        return;
    }
    double days = fraction * 30, whole_days = trunc(days);
    sums->days += (int64_t)whole_days;
    sums->microseconds += (int64_t)rint((days - whole_days) * (double)DAY_US);
}

struct reader {
    const char *next;
    const char *end;
    int32_t fields;
    struct sums_exact sums;
};

static void
skip_blanks(struct reader *reader)
{
    while (reader->next < reader->end && isspace((unsigned char)*reader->next))
        reader->next++;
}

static bool
is_digit(const struct reader *reader)
{
    return reader->next < reader->end && *reader->next >= '0' && *reader->next <= '9';
}

static bool
take(struct reader *reader, char c)
{
    if (reader->next == reader->end || *reader->next != c)
        return false;
    reader->next++;
    return true;
}

/* Digits, then a fraction; at least one digit in all. */
static bool
take_number(struct reader *reader, int64_t *whole, double *fraction)
{
    const char *from = reader->next;
    bool any = false;

    *whole = 0;
    *fraction = 0;
    for (; is_digit(reader); reader->next++, any = true) {
        if (reader->next - from > 17)
            return false;
        *whole = *whole * 10 + (*reader->next - '0');
    }
    if (!take(reader, '.'))
        return any;
    from = reader->next - 1;
    for (; is_digit(reader); reader->next++)
        any = true;
    if (any) {
        char digits[40];
        size_t size = (size_t)(reader->next - from);

        size = size < sizeof(digits) - 1 ? size : sizeof(digits) - 1;
        memcpy(digits, from, size);
        digits[size] = '\0';
        *fraction = strtod(digits, NULL);
    }
    return any;
}

/* hh:mm[:ss[.f]] or, where the fields say so, mm:ss[.f]; the first number has been read. */
static bool
take_clock(struct reader *reader, int64_t first, double first_fraction, int sign)
{
    int64_t second = 0, third = 0;
    double fraction = 0;
    int32_t minutes = INTERVAL_MINUTE | INTERVAL_SECOND;

    if (first_fraction != 0 || !take_number(reader, &second, &fraction))
        return false;
    if (take(reader, ':')) {
        if (fraction != 0 || !take_number(reader, &third, &fraction))
            return false;
    } else if (fraction != 0 || reader->fields == minutes) {
        third = second; /* mm:ss */
        second = first;
        first = 0;
    }
    if (second > 59 || third > 59)
        return false;
    __int128 time = ((__int128)first * 60 + second) * 60 + third;
    reader->sums.microseconds += sign * (time * SECOND_US + (int64_t)rint(fraction * 1e6));
    return true;
}

/* A number without a unit before hh:mm counts days. */
static bool
clock_follows(const struct reader *reader)
{
    const char *at = reader->next;

    if (at < reader->end && (*at == '+' || *at == '-'))
        at++;
    while (at < reader->end && *at >= '0' && *at <= '9')
        at++;
    return at > reader->next && at < reader->end && *at == ':';
}

static bool
take_item(struct reader *reader)
{
    int sign = take(reader, '-') ? -1 : 1;
    int64_t whole = 0, months = 0;
    double fraction = 0;

    if (sign > 0)
        (void)take(reader, '+');
    if (!take_number(reader, &whole, &fraction))
        return false;
    if (take(reader, ':'))
        return take_clock(reader, whole, fraction, sign);
    if (take(reader, '-')) { /* years-months */
        double none = 0;

        if (fraction != 0 || !take_number(reader, &months, &none) || none != 0 || months > 11)
            return false;
        reader->sums.months += sign * ((__int128)whole * 12 + months);
        return true;
    }
    skip_blanks(reader);
    const char *word = reader->next;
    while (reader->next < reader->end && isalpha((unsigned char)*reader->next))
        reader->next++;
    const struct unit *unit = reader->next > word ? find_unit(word, (size_t)(reader->next - word))
                              : clock_follows(reader) ? find_unit("day", 3)
                                                      : default_unit(reader->fields);
    if (unit == NULL)
        return false;
    add_unit(&reader->sums, unit, sign * whole, sign * fraction);
    return true;
}

/* P1Y2M3DT4H5M6S */
static bool
take_iso(struct reader *reader)
{
    bool time = false, any = false;

    while (reader->next < reader->end) {
        if (!time && take(reader, 'T')) {
            time = true;
            continue;
        }
        int sign = take(reader, '-') ? -1 : 1;
        int64_t whole = 0;
        double fraction = 0;
        if (!take_number(reader, &whole, &fraction) || reader->next == reader->end)
            return false;
        char letter = *reader->next++;
        const struct unit *unit = NULL;
        if (!time && letter == 'M')
            unit = find_unit("month", 5);
        else if (strchr(time ? "HMS" : "YWD", letter) != NULL)
            unit = find_unit(&letter, 1);
        if (unit == NULL)
            return false;
        add_unit(&reader->sums, unit, sign * whole, sign * fraction);
        any = true;
    }
    return any;
}

static bool
take_all(struct reader *reader)
{
    bool any = false;

    skip_blanks(reader);
    if (take(reader, 'P'))
        return take_iso(reader);
    (void)take(reader, '@');
    for (skip_blanks(reader); reader->next < reader->end; skip_blanks(reader)) {
        if (any && reader->end - reader->next >= 3 && strncasecmp(reader->next, "ago", 3) == 0) {
            reader->next += 3;
            skip_blanks(reader);
            reader->sums.months = -reader->sums.months;
            reader->sums.days = -reader->sums.days;
            reader->sums.microseconds = -reader->sums.microseconds;
            return reader->next == reader->end;
        }
        if (!take_item(reader))
            return false;
        any = true;
    }
    return any;
}

enum status
interval_parse(const struct sql_type *type, const char *text, size_t size, struct arena *arena,
               struct value *out, struct sql_error *error)
{
    struct reader reader = {.next = text, .end = text + size, .fields = type->precision};
    struct interval interval;

    if (!take_all(&reader))
        return sql_error_set(error, "22007", -1, "invalid input syntax for type interval: \"%.*s\"",
                             (int)(size < 100 ? size : 100), text);
    const struct sums_exact *sums = &reader.sums;
    if (sums->months > INT32_MAX || sums->months < INT32_MIN || sums->days > INT32_MAX ||
        sums->days < INT32_MIN || sums->microseconds > INT64_MAX || sums->microseconds < INT64_MIN)
        return sql_error_set(error, "22015", -1, "interval field value out of range: \"%.*s\"",
                             (int)(size < 100 ? size : 100), text);
    interval.months = (int32_t)sums->months;
    interval.days = (int32_t)sums->days;
    interval.microseconds = (int64_t)sums->microseconds;
    return interval_value(interval_restrict(interval, type->precision), arena, out);
}

struct interval
interval_restrict(struct interval interval, int32_t fields)
{
    int64_t unit = 1;

    if (fields < 0 || fields == INTERVAL_FULL || (fields & INTERVAL_SECOND) != 0)
        return interval;
    if ((fields & INTERVAL_MINUTE) != 0)
        unit = 60 * SECOND_US;
    else if ((fields & INTERVAL_HOUR) != 0)
        unit = 3600 * SECOND_US;
    else
        unit = INT64_MAX;
    interval.microseconds = interval.microseconds / unit * unit;
    if (unit == INT64_MAX && (fields & INTERVAL_DAY) == 0) {
        interval.days = 0;
        if ((fields & INTERVAL_MONTH) == 0)
            interval.months = interval.months / 12 * 12;
    }
    return interval;
}

const char *
interval_fields_text(int32_t fields)
{
    enum { DAY_TO_MINUTE = INTERVAL_DAY | INTERVAL_HOUR | INTERVAL_MINUTE };
    static const struct {
        int32_t fields;
        const char *text;
    } names[] = {
        {INTERVAL_YEAR, " year"},
        {INTERVAL_MONTH, " month"},
        {INTERVAL_YEAR | INTERVAL_MONTH, " year to month"},
        {INTERVAL_DAY, " day"},
        {INTERVAL_HOUR, " hour"},
        {INTERVAL_MINUTE, " minute"},
        {INTERVAL_SECOND, " second"},
        {INTERVAL_DAY | INTERVAL_HOUR, " day to hour"},
        {DAY_TO_MINUTE, " day to minute"},
        {DAY_TO_MINUTE | INTERVAL_SECOND, " day to second"},
        {INTERVAL_HOUR | INTERVAL_MINUTE, " hour to minute"},
        {INTERVAL_HOUR | INTERVAL_MINUTE | INTERVAL_SECOND, " hour to second"},
        {INTERVAL_MINUTE | INTERVAL_SECOND, " minute to second"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].fields == fields)
            return names[i].text;
    }
    return "";
}

/* Writing. */

static void
print_field(char *out, size_t *size, size_t room, int64_t count, const char *unit, bool *negative)
{
    if (count == 0)
        return;
    *size += (size_t)snprintf(out + *size, room - *size, "%s%s%lld %s%s", *size > 0 ? " " : "",
                              *negative && count > 0 ? "+" : "", (long long)count, unit,
                              count != 1 ? "s" : "");
    *negative = count < 0;
}

const char *
interval_print(const struct value *value, struct arena *arena, size_t *size_out)
{
    struct interval interval = interval_get(value);
    char text[120];
    size_t size = 0;
    bool negative = false;
    uint64_t time = interval.microseconds < 0 ? 0 - (uint64_t)interval.microseconds
                                              : (uint64_t)interval.microseconds;

    print_field(text, &size, sizeof(text), interval.months / 12, "year", &negative);
    print_field(text, &size, sizeof(text), interval.months % 12, "mon", &negative);
    print_field(text, &size, sizeof(text), interval.days, "day", &negative);
    if (size == 0 || time != 0) {
        uint64_t seconds = time / 1000000, fraction = time % 1000000;

        size += (size_t)snprintf(
            text + size, sizeof(text) - size, "%s%s%02llu:%02llu:%02llu", size > 0 ? " " : "",
            interval.microseconds < 0 ? "-"
            : negative                ? "+"
                                      : "",
            (unsigned long long)(seconds / 3600), (unsigned long long)(seconds / 60 % 60),
            (unsigned long long)(seconds % 60));
        if (fraction != 0) {
            size += (size_t)snprintf(text + size, sizeof(text) - size, ".%06llu",
                                     (unsigned long long)fraction);
            while (text[size - 1] == '0')
                size--;
        }
    }
    *size_out = size;
    return arena_copy_text(arena, text, size);
}

/* Comparing. */

__int128
interval_span(const struct value *value)
{
    struct interval interval = interval_get(value);
    __int128 days = (__int128)interval.months * 30 + interval.days;

    return days * DAY_US + interval.microseconds;
}

int
interval_compare(const struct value *left, const struct value *right)
{
    __int128 a = interval_span(left), b = interval_span(right);

    return (a > b) - (a < b);
}

/* Arithmetic. */

bool
interval_add(struct interval left, struct interval right, struct interval *out)
{
    return !__builtin_add_overflow(left.months, right.months, &out->months) &&
           !__builtin_add_overflow(left.days, right.days, &out->days) &&
           !__builtin_add_overflow(left.microseconds, right.microseconds, &out->microseconds);
}

bool
interval_negate(struct interval interval, struct interval *out)
{
    return !__builtin_sub_overflow(0, interval.months, &out->months) &&
           !__builtin_sub_overflow(0, interval.days, &out->days) &&
           !__builtin_sub_overflow(INT64_C(0), interval.microseconds, &out->microseconds);
}

static double
round_to_micro(double value)
{
    return rint(value * 1e6) / 1e6;
}

bool
interval_scale(struct interval interval, double factor, bool divide, struct interval *out)
{
    double months = divide ? interval.months / factor : interval.months * factor;
    double days = divide ? interval.days / factor : interval.days * factor;

    if (isnan(months) || isnan(days) || fabs(months) > INT32_MAX || fabs(days) > INT32_MAX)
        return false;
    out->months = (int32_t)months;
    out->days = (int32_t)days;
    double month_days = round_to_micro((months - out->months) * 30);
    double seconds =
        round_to_micro(((days - out->days) + (month_days - (int32_t)month_days)) * 86400);
    if (fabs(seconds) >= 86400) {
        out->days += (int32_t)(seconds / 86400);
        seconds -= (int32_t)(seconds / 86400) * 86400.0;
    }
    out->days += (int32_t)month_days;
    double time =
        (divide ? (double)interval.microseconds / factor : (double)interval.microseconds * factor);
    time = rint(time + seconds * 1e6);
    if (!(fabs(time) < 9223372036854775807.0))
        return false;
    out->microseconds = (int64_t)time;
    return true;
}
