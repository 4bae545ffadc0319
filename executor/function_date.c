/*
 * Functions and operators of dates, times and intervals. A timestamp with time zone is one of UTC; what asks for its
 * parts sees the clocks of the session's zone (zone.h), or of a named one (function_zone.c).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/datetime.h"
#include "executor/exec.h"
#include "executor/function.h"
#include "executor/interval.h"
#include "executor/numeric.h"
#include "executor/zone.h"
#include "kernel/base/check.h"
#include "kernel/base/io.h"

static const int64_t SECOND_US = 1000000;
static const int64_t HOUR_US = INT64_C(3600000000);
static const int64_t DAY_US = INT64_C(86400000000);
static const int64_t EPOCH_DAYS = 10957; /* 1970 to 2000 */
/* 4713-01-01 BC and 294277-01-01. */
static const int64_t STAMP_MIN = INT64_C(-211813488000000000);
static const int64_t STAMP_MAX = INT64_C(9223371331200000000);

static enum status
refuse(const struct expr *expr, struct eval *eval, const char *what)
{
    return sql_error_set(eval->error, "22008", expr->location, "%s out of range", what);
}

static enum status
give_stamp(const struct expr *expr, __int128 moment, struct eval *eval, struct value *out)
{
    if (moment < STAMP_MIN || moment >= STAMP_MAX)
        return refuse(expr, eval, "timestamp");
    *out = value_integer(expr->type.type, (int64_t)moment);
    return STATUS_OK;
}

static int64_t
floor_divide(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

/* Operators. */

/* Of a clock's time. */
static enum status
add_months(const struct expr *expr, int64_t *local, int64_t count, struct eval *eval)
{
    int64_t days = floor_divide(*local, DAY_US), time = *local - days * DAY_US;
    int64_t year, month, day;

    datetime_civil(days, &year, &month, &day);
    int64_t months = year * 12 + month - 1 + count;
    year = floor_divide(months, 12);
    month = months - year * 12 + 1;
    if (year < -4713 || year > 294276)
        return refuse(expr, eval, "timestamp");
    if (day > datetime_month_days(year, month))
        day = datetime_month_days(year, month);
    *local = datetime_days(year, month, day) * DAY_US + time;
    return STATUS_OK;
}

/* Months and days go by the clocks of `zone` (NULL: there is none), each with its own look at it. */
static enum status
add_interval(const struct expr *expr, int64_t moment, struct interval interval,
             const struct zone *zone, struct eval *eval, struct value *out)
{
    if (interval.months != 0) {
        int64_t local = zone != NULL ? zone_to_local(zone, moment) : moment;

        TRY(add_months(expr, &local, interval.months, eval));
        moment = zone != NULL ? zone_to_moment(zone, local) : local;
    }
    if (interval.days != 0) {
        int64_t local = zone != NULL ? zone_to_local(zone, moment) : moment;
        __int128 sum = (__int128)local + (__int128)interval.days * DAY_US;

        if (sum < STAMP_MIN || sum >= STAMP_MAX)
            return refuse(expr, eval, "timestamp");
        moment = zone != NULL ? zone_to_moment(zone, (int64_t)sum) : (int64_t)sum;
    }
    return give_stamp(expr, (__int128)moment + interval.microseconds, eval, out);
}

/* timestamp or date, and interval, in either order. */
static enum status
call_plus_interval(const struct expr *expr, const struct value *arguments, struct eval *eval,
                   struct value *out)
{
    bool swap = arguments[0].type == QTDB_TYPE_INTERVAL;
    const struct value *moment = &arguments[swap ? 1 : 0];
    struct interval interval = interval_get(&arguments[swap ? 0 : 1]);

    if (expr->function->name[0] == '-' && !interval_negate(interval, &interval))
        return refuse(expr, eval, "interval");
    if (moment->type == QTDB_TYPE_TIME) {
        int64_t time = (moment->integer + interval.microseconds % DAY_US) % DAY_US;

        *out = value_integer(QTDB_TYPE_TIME, time < 0 ? time + DAY_US : time);
        return STATUS_OK;
    }
    const struct zone *zone = moment->type == QTDB_TYPE_TIMESTAMPTZ ? zone_session() : NULL;
    return add_interval(expr, moment->integer, interval, zone, eval, out);
}

/* date + time */
static enum status
call_date_time(const struct expr *expr, const struct value *arguments, struct eval *eval,
               struct value *out)
{
    bool swap = arguments[0].type == QTDB_TYPE_TIME;

    return give_stamp(
        expr, (__int128)arguments[swap ? 1 : 0].integer * DAY_US + arguments[swap ? 0 : 1].integer,
        eval, out);
}

/* timestamp - timestamp: days and time; time - time. */
static enum status
call_stamp_minus(const struct expr *expr, const struct value *arguments, struct eval *eval,
                 struct value *out)
{
    struct interval interval = {0, 0, 0};
    int64_t difference;

    if (__builtin_sub_overflow(arguments[0].integer, arguments[1].integer, &difference))
        return refuse(expr, eval, "interval");
    if (arguments[0].type != QTDB_TYPE_TIME) {
        interval.days = (int32_t)(difference / DAY_US);
        difference %= DAY_US;
    }
    interval.microseconds = difference;
    return interval_value(interval, eval->arena, out);
}

static enum status
call_interval_add(const struct expr *expr, const struct value *arguments, struct eval *eval,
                  struct value *out)
{
    struct interval left = interval_get(&arguments[0]);
    struct interval right = {0, 0, 0};

    if (expr->argument_count == 1) { /* -interval */
        right = left;
        left = (struct interval){0, 0, 0};
    } else {
        right = interval_get(&arguments[1]);
    }
    if ((expr->function->name[0] == '-' && !interval_negate(right, &right)) ||
        !interval_add(left, right, &left))
        return refuse(expr, eval, "interval");
    return interval_value(left, eval->arena, out);
}

static enum status
call_interval_scale(const struct expr *expr, const struct value *arguments, struct eval *eval,
                    struct value *out)
{
    bool swap = arguments[1].type == QTDB_TYPE_INTERVAL, divide = expr->function->name[0] == '/';
    double factor = arguments[swap ? 0 : 1].real;
    struct interval result;

    if (divide && factor == 0)
        return sql_error_set(eval->error, "22012", expr->location, "division by zero");
    if (!interval_scale(interval_get(&arguments[swap ? 1 : 0]), factor, divide, &result))
        return refuse(expr, eval, "interval");
    return interval_value(result, eval->arena, out);
}

/* justify_hours, justify_days, justify_interval. */
static enum status
call_justify(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    struct interval interval = interval_get(&arguments[0]);
    char what = expr->function->name[8];
    int64_t days = interval.days, months = interval.months, time = interval.microseconds;

    if (what != 'd') {
        days += time / DAY_US;
        time %= DAY_US;
    }
    if (what != 'h') {
        months += days / 30;
        days %= 30;
    }
    if (what != 'h' && months > 0 && (days < 0 || (what == 'i' && days == 0 && time < 0))) {
        days += 30;
        months--;
    } else if (what != 'h' && months < 0 && (days > 0 || (what == 'i' && days == 0 && time > 0))) {
        days -= 30;
        months++;
    }
    if (what != 'd' && ((days > 0 && time < 0) || (days < 0 && time > 0))) {
        time += days > 0 ? DAY_US : -DAY_US;
        days += days > 0 ? -1 : 1;
    }
    if (days > INT32_MAX || days < INT32_MIN || months > INT32_MAX || months < INT32_MIN)
        return refuse(expr, eval, "interval");
    return interval_value((struct interval){time, (int32_t)days, (int32_t)months}, eval->arena,
                          out);
}

/* Parts. */

struct parts {
    int64_t year, month, day, hour, minute, second, microsecond;
    int64_t days; /* Of a date since 2000-01-01. */
};

static struct parts
split_stamp(int64_t moment)
{
    struct parts parts;
    int64_t time;

    parts.days = floor_divide(moment, DAY_US);
    time = moment - parts.days * DAY_US;
    datetime_civil(parts.days, &parts.year, &parts.month, &parts.day);
    parts.hour = time / HOUR_US;
    parts.minute = time / (60 * SECOND_US) % 60;
    parts.second = time / SECOND_US % 60;
    parts.microsecond = time % SECOND_US;
    return parts;
}

static struct parts
split_interval(struct interval interval)
{
    int64_t time = interval.microseconds;

    return (struct parts){
        .year = interval.months / 12,
        .month = interval.months % 12,
        .day = interval.days,
        .hour = time / HOUR_US,
        .minute = time / (60 * SECOND_US) % 60,
        .second = time / SECOND_US % 60,
        .microsecond = time % SECOND_US,
    };
}

enum field {
    FIELD_NONE = 0,
    FIELD_MICROSECONDS,
    FIELD_MILLISECONDS,
    FIELD_SECOND,
    FIELD_MINUTE,
    FIELD_HOUR,
    FIELD_DAY,
    FIELD_WEEK,
    FIELD_MONTH,
    FIELD_QUARTER,
    FIELD_YEAR,
    FIELD_DECADE,
    FIELD_CENTURY,
    FIELD_MILLENNIUM,
    FIELD_DOW,
    FIELD_ISODOW,
    FIELD_DOY,
    FIELD_ISOYEAR,
    FIELD_EPOCH,
    FIELD_JULIAN,
    FIELD_ZONE,
    FIELD_ZONE_HOUR,
    FIELD_ZONE_MINUTE,
};

static enum field
find_field(const struct value *name)
{
    static const char *const names[] = {
        "",     "microseconds", "milliseconds", "second",  "minute", "hour",    "day",
        "week", "month",        "quarter",      "year",    "decade", "century", "millennium",
        "dow",  "isodow",       "doy",          "isoyear", "epoch",  "julian",  "timezone",
    };
    static const struct {
        const char *name;
        enum field field;
    } others[] = {
        {"timezone_hour", FIELD_ZONE_HOUR},
        {"timezone_minute", FIELD_ZONE_MINUTE},
        {"mon", FIELD_MONTH},
        {"microsecond", FIELD_MICROSECONDS},
        {"millisecond", FIELD_MILLISECONDS},
        {"centuries", FIELD_CENTURY},
        {"millennia", FIELD_MILLENNIUM},
        {"sec", FIELD_SECOND},
        {"min", FIELD_MINUTE},
        {"us", FIELD_MICROSECONDS},
        {"ms", FIELD_MILLISECONDS},
    };

    for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t size = strlen(names[i]);

        if (strncasecmp(names[i], (const char *)name->bytes, size) == 0 && size <= name->size &&
            (name->size == size || (name->size == size + 1 && (name->bytes[size] | 32) == 's')))
            return (enum field)i;
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (name->size == strlen(others[i].name) &&
            strncasecmp(others[i].name, (const char *)name->bytes, name->size) == 0)
            return others[i].field;
    }
    return FIELD_NONE;
}

/* The Monday that begins the first ISO week of the year. */
static int64_t
iso_start(int64_t year)
{
    int64_t fourth = datetime_days(year, 1, 4);

    return fourth - ((fourth + 5) % 7 + 7) % 7; /* 2000-01-01 was a Saturday. */
}

static int64_t
iso_year(const struct parts *parts)
{
    if (parts->days < iso_start(parts->year))
        return parts->year - 1;
    return parts->days >= iso_start(parts->year + 1) ? parts->year + 1 : parts->year;
}

/* Years BC count from -1 down. */
static int64_t
shown_year(int64_t year)
{
    return year > 0 ? year : year - 1;
}

static int64_t
grouped_years(int64_t year, int64_t size)
{
    return year > 0 ? (year + size - 1) / size : -((size - 1 - (year - 1)) / size);
}

/* Whole fields of a date; false for others. */
static bool
date_field(enum field field, const struct parts *parts, int64_t *out)
{
    int64_t weekday = ((parts->days + 6) % 7 + 7) % 7; /* Sunday is 0. */

    switch (field) {
    case FIELD_WEEK:
        *out = (parts->days - iso_start(iso_year(parts))) / 7 + 1;
        return true;
    case FIELD_DOW:
        *out = weekday;
        return true;
    case FIELD_ISODOW:
        *out = weekday == 0 ? 7 : weekday;
        return true;
    case FIELD_DOY:
        *out = parts->days - datetime_days(parts->year, 1, 1) + 1;
        return true;
    case FIELD_ISOYEAR:
        *out = shown_year(iso_year(parts));
        return true;
    default:
        return false;
    }
}

static bool
whole_field(enum field field, const struct parts *parts, bool date, int64_t *out)
{
    switch (field) {
    case FIELD_MINUTE:
        *out = parts->minute;
        return true;
    case FIELD_HOUR:
        *out = parts->hour;
        return true;
    case FIELD_DAY:
        *out = parts->day;
        return true;
    case FIELD_MONTH:
        *out = parts->month;
        return true;
    case FIELD_QUARTER:
        *out = (parts->month - (date ? 1 : 0)) / 3 + 1;
        return true;
    case FIELD_YEAR:
        *out = date ? shown_year(parts->year) : parts->year;
        return true;
    case FIELD_DECADE:
        *out = date ? floor_divide(parts->year, 10) : parts->year / 10;
        return true;
    case FIELD_CENTURY:
        *out = date ? grouped_years(parts->year, 100) : parts->year / 100;
        return true;
    case FIELD_MILLENNIUM:
        *out = date ? grouped_years(parts->year, 1000) : parts->year / 1000;
        return true;
    default:
        return date && date_field(field, parts, out);
    }
}

/* A number of 1 / `scale`-ths as numeric with that many decimals, or as double. */
static enum status
give_part(const struct expr *expr, __int128 count, int decimals, struct eval *eval,
          struct value *out)
{
    static const int64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    static const struct sql_type numeric = {QTDB_TYPE_NUMERIC, -1, -1};
    char text[60];

    if (expr->type.type == QTDB_TYPE_FLOAT8) {
        *out = value_real(QTDB_TYPE_FLOAT8, (double)count / (double)powers[decimals]);
        return STATUS_OK;
    }
    bool negative = count < 0;
    __int128 size = negative ? -count : count;
    int64_t whole = (int64_t)(size / powers[decimals]), rest = (int64_t)(size % powers[decimals]);
    int used = snprintf(text, sizeof(text), "%s%lld", negative ? "-" : "", (long long)whole);
    if (decimals > 0)
        used += snprintf(text + used, sizeof(text) - (size_t)used, ".%0*lld", decimals,
                         (long long)rest);
    return value_parse(&numeric, text, (size_t)used, eval->arena, out, eval->error);
}

static enum status
bad_field(const struct expr *expr, const struct value *arguments, bool known, struct eval *eval)
{
    return sql_error_set(eval->error, known ? "0A000" : "22023", expr->location,
                         "unit \"%.*s\" not %s for type %s", (int)arguments[0].size,
                         (const char *)arguments[0].bytes, known ? "supported" : "recognized",
                         value_type_name(arguments[1].type));
}

/* Seconds since 1970 or of an interval (a year 365.25 days), in microseconds. */
static __int128
epoch_of(const struct value *value)
{
    if (value->type == QTDB_TYPE_INTERVAL) {
        struct interval interval = interval_get(value);

        return (__int128)(interval.months / 12) * 1461 * (DAY_US / 4) +
               (__int128)(interval.months % 12) * 30 * DAY_US + (__int128)interval.days * DAY_US +
               interval.microseconds;
    }
    if (value->type == QTDB_TYPE_TIME)
        return value->integer;
    if (value->type == QTDB_TYPE_DATE)
        return ((__int128)value->integer + EPOCH_DAYS) * DAY_US;
    return (__int128)value->integer + EPOCH_DAYS * DAY_US;
}

static int64_t
zone_part(enum field field, int32_t offset)
{
    return field == FIELD_ZONE        ? offset
           : field == FIELD_ZONE_HOUR ? offset / 3600
                                      : offset / 60 % 60;
}

/* extract(field, value) and date_part. */
static enum status
call_extract(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    const struct value *value = &arguments[1];
    enum field field = find_field(&arguments[0]);
    bool interval = value->type == QTDB_TYPE_INTERVAL, time = value->type == QTDB_TYPE_TIME;
    struct parts parts;
    int64_t whole = 0;

    if (interval)
        parts = split_interval(interval_get(value));
    else if (value->type == QTDB_TYPE_TIMESTAMPTZ)
        parts = split_stamp(zone_to_local(zone_session(), value->integer));
    else
        parts =
            split_stamp(value->type == QTDB_TYPE_DATE ? value->integer * DAY_US : value->integer);
    int64_t seconds = parts.second * SECOND_US + parts.microsecond;
    if (field == FIELD_NONE)
        return bad_field(expr, arguments, false, eval);
    if (field == FIELD_EPOCH)
        return give_part(expr, epoch_of(value), value->type == QTDB_TYPE_DATE ? 0 : 6, eval, out);
    if (value->type == QTDB_TYPE_DATE && field < FIELD_DAY)
        return bad_field(expr, arguments, true, eval);
    if (time && field > FIELD_HOUR)
        return bad_field(expr, arguments, true, eval);
    if (field == FIELD_MICROSECONDS)
        return give_part(expr, seconds, 0, eval, out);
    if (field == FIELD_MILLISECONDS)
        return give_part(expr, seconds, 3, eval, out);
    if (field == FIELD_SECOND)
        return give_part(expr, seconds, 6, eval, out);
    if (field >= FIELD_ZONE && value->type == QTDB_TYPE_TIMESTAMPTZ)
        return give_part(expr, zone_part(field, zone_at(zone_session(), value->integer).offset), 0,
                         eval, out);
    if (field == FIELD_JULIAN && value->type == QTDB_TYPE_DATE)
        return give_part(expr, value->integer + 2451545, 0, eval, out);
    if (!whole_field(field, &parts, !interval && !time, &whole))
        return bad_field(expr, arguments, true, eval);
    return give_part(expr, whole, 0, eval, out);
}

/* date_trunc. */

static int64_t
cut_years(int64_t year, int64_t size)
{
    return year > 0 ? (year - 1) / size * size + 1 : -((size - 1 - (year - 1)) / size) * size + 1;
}

/* A clock's time, cut to a field that is no shorter than a day. */
static enum status
trunc_days(const struct expr *expr, const struct value *arguments, enum field field, int64_t *local,
           struct eval *eval)
{
    struct parts parts = split_stamp(*local);

    switch (field) {
    case FIELD_DAY:
        *local = parts.days * DAY_US;
        return STATUS_OK;
    case FIELD_WEEK:
        *local = (parts.days - ((parts.days + 5) % 7 + 7) % 7) * DAY_US;
        return STATUS_OK;
    case FIELD_MONTH:
        break;
    case FIELD_QUARTER:
        parts.month = (parts.month - 1) / 3 * 3 + 1;
        break;
    case FIELD_YEAR:
        parts.month = 1;
        break;
    case FIELD_DECADE:
        parts.month = 1;
        parts.year = floor_divide(parts.year, 10) * 10;
        break;
    case FIELD_CENTURY:
        parts.month = 1;
        parts.year = cut_years(parts.year, 100);
        break;
    case FIELD_MILLENNIUM:
        parts.month = 1;
        parts.year = cut_years(parts.year, 1000);
        break;
    default:
        return bad_field(expr, arguments, field != FIELD_NONE, eval);
    }
    *local = datetime_days(parts.year, parts.month, 1) * DAY_US;
    return STATUS_OK;
}

/* Parts of a day are cut by the offset that the moment has, longer ones by that of where they begin. */
static enum status
trunc_stamp(const struct expr *expr, const struct value *arguments, const struct zone *zone,
            struct eval *eval, struct value *out)
{
    static const int64_t sizes[] = {0, 1, 1000, 1000000, 60000000, INT64_C(3600000000)};
    enum field field = find_field(&arguments[0]);
    int64_t moment = arguments[1].integer;
    int64_t local = zone != NULL ? zone_to_local(zone, moment) : moment;

    if (field < FIELD_DAY && field != FIELD_NONE)
        return give_stamp(
            expr, (__int128)floor_divide(local, sizes[field]) * sizes[field] - (local - moment),
            eval, out);
    TRY(trunc_days(expr, arguments, field, &local, eval));
    return give_stamp(expr, zone != NULL ? zone_to_moment(zone, local) : local, eval, out);
}

static enum status
trunc_interval(const struct expr *expr, const struct value *arguments, enum field field,
               struct eval *eval, struct value *out)
{
    static const int64_t sizes[] = {0, 1, 1000, 1000000, 60000000, INT64_C(3600000000)};
    static const int32_t months[] = {
        [FIELD_MONTH] = 1,    [FIELD_QUARTER] = 3,    [FIELD_YEAR] = 12,
        [FIELD_DECADE] = 120, [FIELD_CENTURY] = 1200, [FIELD_MILLENNIUM] = 12000};
    struct interval interval = interval_get(&arguments[1]);

    if (field == FIELD_NONE || field == FIELD_WEEK || field > FIELD_MILLENNIUM)
        return bad_field(expr, arguments, field != FIELD_NONE, eval);
    if (field < FIELD_DAY) {
        interval.microseconds -= interval.microseconds % sizes[field];
    } else {
        interval.microseconds = 0;
        interval.days = field == FIELD_DAY ? interval.days : 0;
        if (field > FIELD_DAY)
            interval.months -= interval.months % months[field];
    }
    return interval_value(interval, eval->arena, out);
}

static enum status
call_trunc(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    const struct zone *zone = arguments[1].type == QTDB_TYPE_TIMESTAMPTZ ? zone_session() : NULL;

    if (arguments[1].type == QTDB_TYPE_INTERVAL)
        return trunc_interval(expr, arguments, find_field(&arguments[0]), eval, out);
    if (expr->argument_count > 2)
        TRY(function_zone(&arguments[2], eval, &zone));
    return trunc_stamp(expr, arguments, zone, eval, out);
}

static int64_t
now_us(const struct eval *eval)
{
    return eval->context == NULL ? 0 : eval->context->now_us;
}

/* age: years, months and days by the calendar. */
static enum status
call_age(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    int64_t left = arguments[0].integer,
            right = expr->argument_count > 1 ? arguments[1].integer : 0;

    if (expr->argument_count == 1) { /* From midnight of today. */
        right = left;
        left = floor_divide(zone_to_local(zone_session(), now_us(eval)), DAY_US) * DAY_US;
    }
    if (arguments[0].type ==
        QTDB_TYPE_TIMESTAMPTZ) { /* By the clocks, whatever their offsets are. */
        left = expr->argument_count > 1 ? zone_to_local(zone_session(), left) : left;
        right = zone_to_local(zone_session(), right);
    }
    bool negative = left < right;
    struct parts a = split_stamp(negative ? right : left), b = split_stamp(negative ? left : right);
    int64_t months = (a.year - b.year) * 12 + a.month - b.month, days = a.day - b.day;
    int64_t time = ((a.hour - b.hour) * 60 + a.minute - b.minute) * 60 + a.second - b.second;
    time = time * SECOND_US + a.microsecond - b.microsecond;
    if (time < 0) {
        time += DAY_US;
        days--;
    }
    if (days < 0) {
        days += datetime_month_days(b.year, b.month);
        months--;
    }
    struct interval interval = {time, (int32_t)days, (int32_t)months};
    if (negative)
        (void)interval_negate(interval, &interval);
    return interval_value(interval, eval->arena, out);
}

/* The clock. */

static enum status
call_now(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    int64_t now = now_us(eval);

    if (expr->type.type != QTDB_TYPE_TIMESTAMPTZ)
        now = zone_to_local(zone_session(), now);
    int64_t days = floor_divide(now, DAY_US);
    (void)arguments;
    if (eval->context == NULL)
        return sql_error_set(eval->error, "0A000", expr->location,
                             "%s in a constant expression is not supported yet",
                             expr->function->name);
    if (expr->type.type == QTDB_TYPE_DATE)
        now = days;
    else if (expr->type.type == QTDB_TYPE_TIME)
        now -= days * DAY_US;
    *out = value_integer(expr->type.type, now);
    return STATUS_OK;
}

static enum status
call_clock(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    if (eval->context == NULL)
        return call_now(expr, arguments, eval, out); /* Which refuses. */
    int64_t since_1970 = (int64_t)(io_time_ns(eval->context->io) / 1000);

    (void)arguments;
    *out = value_integer(expr->type.type, since_1970 - EPOCH_DAYS * DAY_US);
    return STATUS_OK;
}

/* Making. */

static bool
is_date(int64_t year, int64_t month, int64_t day)
{
    return year != 0 && year >= -4713 && year <= 294276 && month >= 1 && month <= 12 && day >= 1 &&
           day <= datetime_month_days(year < 0 ? year + 1 : year, month);
}

/* make_date(y, m, d), make_timestamp(tz)(y, m, d, h, min, s). */
static enum status
call_make_stamp(const struct expr *expr, const struct value *arguments, struct eval *eval,
                struct value *out)
{
    int64_t year = arguments[0].integer, month = arguments[1].integer, day = arguments[2].integer;
    bool date = expr->type.type == QTDB_TYPE_DATE;

    if (!is_date(year, month, day))
        return sql_error_set(eval->error, "22008", expr->location,
                             "date field value out of range: %lld-%02lld-%02lld", (long long)year,
                             (long long)month, (long long)day);
    int64_t days = datetime_days(year < 0 ? year + 1 : year, month, day);
    if (date) {
        *out = value_integer(QTDB_TYPE_DATE, days);
        return STATUS_OK;
    }
    int64_t hour = arguments[3].integer, minute = arguments[4].integer;
    double second = arguments[5].real;
    if (hour < 0 || hour > 24 || minute < 0 || minute > 59 || !(second >= 0 && second <= 60))
        return sql_error_set(eval->error, "22008", expr->location,
                             "time field value out of range: %lld:%02lld:%02g", (long long)hour,
                             (long long)minute, second);
    const struct zone *zone = expr->type.type == QTDB_TYPE_TIMESTAMPTZ ? zone_session() : NULL;
    int64_t local =
        days * DAY_US + (hour * 60 + minute) * 60 * SECOND_US + (int64_t)rint(second * 1e6);
    if (expr->argument_count > 6)
        TRY(function_zone(&arguments[6], eval, &zone));
    return give_stamp(expr, zone != NULL ? zone_to_moment(zone, local) : local, eval, out);
}

static enum status
call_make_time(const struct expr *expr, const struct value *arguments, struct eval *eval,
               struct value *out)
{
    int64_t hour = arguments[0].integer, minute = arguments[1].integer;
    double second = arguments[2].real;

    if (hour < 0 || hour > 24 || minute < 0 || minute > 59 || !(second >= 0 && second <= 60))
        return sql_error_set(eval->error, "22008", expr->location,
                             "time field value out of range: %lld:%02lld:%02g", (long long)hour,
                             (long long)minute, second);
    *out = value_integer(QTDB_TYPE_TIME,
                         (hour * 60 + minute) * 60 * SECOND_US + (int64_t)rint(second * 1e6));
    return STATUS_OK;
}

/* make_interval(years, months, weeks, days, hours, mins, secs). */
static enum status
call_make_interval(const struct expr *expr, const struct value *arguments, struct eval *eval,
                   struct value *out)
{
    int64_t field[7] = {0};
    double seconds = expr->argument_count > 6 ? arguments[6].real : 0;

    for (uint32_t i = 0; i < expr->argument_count && i < 6; i++)
        field[i] = arguments[i].integer;
    int64_t months = field[0] * 12 + field[1], days = field[2] * 7 + field[3];
    double time = rint(seconds * 1e6) + (double)((field[4] * 60 + field[5]) * 60) * 1e6;
    if (months > INT32_MAX || months < INT32_MIN || days > INT32_MAX || days < INT32_MIN ||
        !(fabs(time) < 9e18))
        return refuse(expr, eval, "interval");
    return interval_value((struct interval){(int64_t)time, (int32_t)days, (int32_t)months},
                          eval->arena, out);
}

static enum status
call_to_timestamp(const struct expr *expr, const struct value *arguments, struct eval *eval,
                  struct value *out)
{
    double seconds = arguments[0].real;

    if (!(fabs(seconds) < 9e12))
        return refuse(expr, eval, "timestamp");
    return give_stamp(expr, (__int128)rint(seconds * 1e6) - EPOCH_DAYS * DAY_US, eval, out);
}

#define STAMP QTDB_TYPE_TIMESTAMP
#define STAMPTZ QTDB_TYPE_TIMESTAMPTZ
#define DATE QTDB_TYPE_DATE
#define TIME QTDB_TYPE_TIME
#define SPAN QTDB_TYPE_INTERVAL
#define TEXT QTDB_TYPE_TEXT
#define INT4 QTDB_TYPE_INT4
#define REAL QTDB_TYPE_FLOAT8
#define EXACT QTDB_TYPE_NUMERIC

#define TWO(name, left, right, result, call)                  \
    {                                                         \
        name, 2, 2, {left, right}, result, false, false, call \
    }
#define NOW(name, result, call)                       \
    {                                                 \
        name, 0, 1, {TEXT}, result, true, false, call \
    }

const struct function function_date_table[] = {
    TWO("+", STAMP, SPAN, STAMP, call_plus_interval),
    TWO("+", STAMPTZ, SPAN, STAMPTZ, call_plus_interval),
    TWO("+", SPAN, STAMP, STAMP, call_plus_interval),
    TWO("+", SPAN, STAMPTZ, STAMPTZ, call_plus_interval),
    TWO("+", TIME, SPAN, TIME, call_plus_interval),
    TWO("+", SPAN, TIME, TIME, call_plus_interval),
    TWO("+", DATE, TIME, STAMP, call_date_time),
    TWO("+", TIME, DATE, STAMP, call_date_time),
    TWO("+", SPAN, SPAN, SPAN, call_interval_add),
    TWO("-", SPAN, SPAN, SPAN, call_interval_add),
    {"-", 1, 1, {SPAN}, SPAN, false, false, call_interval_add},
    TWO("-", STAMP, SPAN, STAMP, call_plus_interval),
    TWO("-", STAMPTZ, SPAN, STAMPTZ, call_plus_interval),
    TWO("-", TIME, SPAN, TIME, call_plus_interval),
    TWO("-", STAMP, STAMP, SPAN, call_stamp_minus),
    TWO("-", STAMPTZ, STAMPTZ, SPAN, call_stamp_minus),
    TWO("-", TIME, TIME, SPAN, call_stamp_minus),
    TWO("*", SPAN, REAL, SPAN, call_interval_scale),
    TWO("*", REAL, SPAN, SPAN, call_interval_scale),
    TWO("/", SPAN, REAL, SPAN, call_interval_scale),
    {"justify_hours", 1, 1, {SPAN}, SPAN, false, false, call_justify},
    {"justify_days", 1, 1, {SPAN}, SPAN, false, false, call_justify},
    {"justify_interval", 1, 1, {SPAN}, SPAN, false, false, call_justify},
    TWO("extract", TEXT, STAMP, EXACT, call_extract),
    TWO("extract", TEXT, STAMPTZ, EXACT, call_extract),
    TWO("extract", TEXT, DATE, EXACT, call_extract),
    TWO("extract", TEXT, TIME, EXACT, call_extract),
    TWO("extract", TEXT, SPAN, EXACT, call_extract),
    TWO("date_part", TEXT, STAMP, REAL, call_extract),
    TWO("date_part", TEXT, STAMPTZ, REAL, call_extract),
    TWO("date_part", TEXT, DATE, REAL, call_extract),
    TWO("date_part", TEXT, TIME, REAL, call_extract),
    TWO("date_part", TEXT, SPAN, REAL, call_extract),
    TWO("date_trunc", TEXT, STAMPTZ, STAMPTZ, call_trunc),
    TWO("date_trunc", TEXT, STAMP, STAMP, call_trunc),
    TWO("date_trunc", TEXT, SPAN, SPAN, call_trunc),
    {"date_trunc", 3, 3, {TEXT, STAMPTZ, TEXT}, STAMPTZ, false, false, call_trunc},
    TWO("age", STAMPTZ, STAMPTZ, SPAN, call_age),
    TWO("age", STAMP, STAMP, SPAN, call_age),
    {"age", 1, 1, {STAMPTZ}, SPAN, false, false, call_age},
    {"age", 1, 1, {STAMP}, SPAN, false, false, call_age},
    NOW("now", STAMPTZ, call_now),
    NOW("transaction_timestamp", STAMPTZ, call_now),
    NOW("statement_timestamp", STAMPTZ, call_now),
    NOW("current_timestamp", STAMPTZ, call_now),
    NOW("clock_timestamp", STAMPTZ, call_clock),
    NOW("localtimestamp", STAMP, call_now),
    NOW("current_date", DATE, call_now),
    NOW("localtime", TIME, call_now),
    {"make_date", 3, 3, {INT4, INT4, INT4}, DATE, false, false, call_make_stamp},
    {"make_time", 3, 3, {INT4, INT4, REAL}, TIME, false, false, call_make_time},
    {"make_timestamp",
     6,
     6,
     {INT4, INT4, INT4, INT4, INT4, REAL},
     STAMP,
     false,
     false,
     call_make_stamp},
    {"make_timestamptz",
     6,
     7,
     {INT4, INT4, INT4, INT4, INT4, REAL, TEXT},
     STAMPTZ,
     false,
     false,
     call_make_stamp},
    {"make_interval",
     0,
     7,
     {INT4, INT4, INT4, INT4, INT4, INT4, REAL},
     SPAN,
     false,
     false,
     call_make_interval},
    {"to_timestamp", 1, 1, {REAL}, STAMPTZ, false, false, call_to_timestamp},
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
