/* More functions of dates and times: date_bin, isfinite, OVERLAPS. */
#include <string.h>

#include "executor/function.h"
#include "executor/interval.h"
#include "kernel/base/check.h"

static const int64_t DAY_US = INT64_C(86400000000);

/* The last moment not after the given one that is whole strides away from the origin. */
static enum status
call_bin(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    struct interval stride = interval_get(&arguments[0]);
    int64_t moment = arguments[1].integer, origin = arguments[2].integer;
    __int128 step = (__int128)stride.days * DAY_US + stride.microseconds;

    if (stride.months != 0)
        return sql_error_set(eval->error, "0A000", expr->location,
                             "timestamps cannot be binned into intervals containing months or "
                             "years");
    if (step > INT64_MAX || step < INT64_MIN)
        return sql_error_set(eval->error, "22008", expr->location, "interval out of range");
    if (step <= 0)
        return sql_error_set(eval->error, "22008", expr->location,
                             "stride must be greater than zero");
    __int128 away = (__int128)moment - origin, rest = away % step;
    if (rest < 0)
        rest += step;
    __int128 result = moment - rest;
    if (result < INT64_C(-211813488000000000))
        return sql_error_set(eval->error, "22008", expr->location, "timestamp out of range");
    *out = value_integer(expr->type.type, (int64_t)result);
    return STATUS_OK;
}

static enum status
call_isfinite(const struct expr *expr, const struct value *arguments, struct eval *eval,
              struct value *out)
{
    bool moment = arguments[0].type != QTDB_TYPE_INTERVAL;
    int64_t at = moment ? arguments[0].integer : 0;

    (void)expr, (void)eval;
    *out = value_integer(QTDB_TYPE_BOOL, at != INT64_MIN && at != INT64_MAX);
    return STATUS_OK;
}

/* OVERLAPS: an end may be a span from its begin. */

struct period {
    int64_t begin;
    int64_t end;
    bool no_begin;
    bool no_end;
};

static enum status
read_period(const struct expr *expr, const struct value *pair, struct eval *eval,
            struct period *out)
{
    *out = (struct period){.no_begin = pair[0].null, .no_end = pair[1].null};
    if (!pair[0].null)
        out->begin = pair[0].integer;
    if (pair[1].null)
        return STATUS_OK;
    out->end = pair[1].integer;
    if (pair[1].type != QTDB_TYPE_INTERVAL)
        return STATUS_OK;
    out->no_end = pair[0].null;
    if (pair[0].null)
        return STATUS_OK;
    const enum qtdb_type types[] = {pair[0].type, QTDB_TYPE_INTERVAL};
    const struct function *add = function_find_exact("+", types, 2);
    struct expr sum = *expr;
    struct value end;

    CHECK(add != NULL);
    sum.function = add;
    sum.type.type = pair[0].type;
    TRY(add->call(&sum, pair, eval, &end));
    out->end = end.integer;
    return STATUS_OK;
}

/* The known one first, the lower one first. */
static void
arrange(struct period *period)
{
    struct period was = *period;

    if (was.no_begin || (!was.no_end && was.begin > was.end))
        *period = (struct period){was.end, was.begin, was.no_end, was.no_begin};
}

/* PostgreSQL's rule for what begins first. NULL where an unknown end would decide. */
static struct value
judge(const struct period *first, const struct period *second)
{
    struct value unknown = value_null(QTDB_TYPE_BOOL);

    if (first->no_begin || second->no_begin)
        return unknown;
    if (first->begin == second->begin)
        return first->no_end || second->no_end ? unknown : value_integer(QTDB_TYPE_BOOL, 1);
    const struct period *early = first->begin < second->begin ? first : second;
    const struct period *late = early == first ? second : first;
    if (early->no_end)
        return unknown;
    if (late->begin < early->end)
        return value_integer(QTDB_TYPE_BOOL, 1);
    return late->no_end ? unknown : value_integer(QTDB_TYPE_BOOL, 0);
}

static enum status
call_overlaps(const struct expr *expr, const struct value *arguments, struct eval *eval,
              struct value *out)
{
    struct period first, second;

    TRY(read_period(expr, &arguments[0], eval, &first));
    TRY(read_period(expr, &arguments[2], eval, &second));
    arrange(&first);
    arrange(&second);
    *out = judge(&first, &second);
    return STATUS_OK;
}

#define SPAN QTDB_TYPE_INTERVAL
#define BOOL QTDB_TYPE_BOOL
#define STAMP QTDB_TYPE_TIMESTAMP
#define STAMPTZ QTDB_TYPE_TIMESTAMPTZ
#define OVERLAPS(type, end, other_end)                                                   \
    {                                                                                    \
        "overlaps", 4, 4, {type, end, type, other_end}, BOOL, true, false, call_overlaps \
    }
#define OVERLAPS_OF(type)                                                               \
    OVERLAPS(type, type, type), OVERLAPS(type, SPAN, type), OVERLAPS(type, type, SPAN), \
        OVERLAPS(type, SPAN, SPAN)

const struct function function_moment_table[] = {
    {"date_bin", 3, 3, {SPAN, STAMP, STAMP}, STAMP, false, false, call_bin},
    {"date_bin", 3, 3, {SPAN, STAMPTZ, STAMPTZ}, STAMPTZ, false, false, call_bin},
    {"isfinite", 1, 1, {QTDB_TYPE_DATE}, BOOL, false, false, call_isfinite},
    {"isfinite", 1, 1, {STAMP}, BOOL, false, false, call_isfinite},
    {"isfinite", 1, 1, {STAMPTZ}, BOOL, false, false, call_isfinite},
    {"isfinite", 1, 1, {SPAN}, BOOL, false, false, call_isfinite},
    OVERLAPS_OF(STAMPTZ),
    OVERLAPS_OF(STAMP),
    OVERLAPS_OF(QTDB_TYPE_TIME),
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
