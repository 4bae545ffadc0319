/* Functions of numbers. */
#include <math.h>
#include <string.h>

#include "executor/function.h"
#include "executor/numeric.h"
#include "kernel/base/check.h"

static enum status
give_real(const struct expr *expr, double result, struct eval *eval, struct value *out)
{
    if (isinf(result))
        return sql_error_set(eval->error, "22003", expr->location, "value out of range: overflow");
    *out = value_real(QTDB_TYPE_FLOAT8, result);
    return STATUS_OK;
}

static enum status
call_abs(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    const struct value *value = &arguments[0];
    struct numeric_header header;

    *out = *value;
    if (value->type == QTDB_TYPE_FLOAT4 || value->type == QTDB_TYPE_FLOAT8) {
        out->real = fabs(value->real);
        return STATUS_OK;
    }
    if (value->type != QTDB_TYPE_NUMERIC)
        return value->integer < 0 ? expr_negate(expr, value, eval, out) : STATUS_OK;
    memcpy(&header, value->bytes, sizeof(header));
    return le16_get(header.sign) == NUMERIC_NEGATIVE ? expr_negate(expr, value, eval, out)
                                                     : STATUS_OK;
}

static enum status
call_sign(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    double real = arguments[0].real;

    (void)eval;
    *out = value_real(expr->type.type, real > 0 ? 1 : real < 0 ? -1 : real);
    return STATUS_OK;
}

/* The whole number not above (up: not below) a numeric. */
static enum status
whole_numeric(const struct value *value, bool up, struct eval *eval, struct value *out)
{
    const uint8_t *one = NULL, *rest = NULL, *whole = NULL;
    uint32_t one_size = 0, rest_size = 0, size = 0;
    struct numeric_header header;

    TRY(numeric_from_integer(1, eval->arena, &one, &one_size));
    TRY(numeric_calculate(NUMERIC_MODULO, value->bytes, value->size, one, one_size, eval->arena,
                          &rest, &rest_size));
    TRY(numeric_calculate(NUMERIC_SUBTRACT, value->bytes, value->size, rest, rest_size, eval->arena,
                          &whole, &size));
    memcpy(&header, rest, sizeof(header));
    bool negative = le16_get(header.sign) == NUMERIC_NEGATIVE;
    if (le16_get(header.digit_count) > 0 && negative != up)
        TRY(numeric_calculate(up ? NUMERIC_ADD : NUMERIC_SUBTRACT, whole, size, one, one_size,
                              eval->arena, &whole, &size));
    TRY(numeric_round(whole, size, 0, 0, eval->arena, &whole, &size));
    *out = value_bytes(QTDB_TYPE_NUMERIC, whole, size);
    return STATUS_OK;
}

static enum status
call_floor(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    if (expr->type.type == QTDB_TYPE_NUMERIC)
        return whole_numeric(&arguments[0], false, eval, out);
    *out = value_real(QTDB_TYPE_FLOAT8, floor(arguments[0].real));
    return STATUS_OK;
}

static enum status
call_ceil(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    if (expr->type.type == QTDB_TYPE_NUMERIC)
        return whole_numeric(&arguments[0], true, eval, out);
    *out = value_real(QTDB_TYPE_FLOAT8, ceil(arguments[0].real));
    return STATUS_OK;
}

/* Numeric variants that compute to 16 digits and more. */
static enum status
call_refused(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    (void)arguments, (void)out;
    return sql_error_set(eval->error, "0A000", expr->location,
                         "%s of numeric is not supported yet: cast to float8",
                         expr->function->name);
}

static enum status
call_round(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    (void)expr, (void)eval;
    *out = value_real(QTDB_TYPE_FLOAT8, rint(arguments[0].real));
    return STATUS_OK;
}

static enum status
call_round_numeric(const struct expr *expr, const struct value *arguments, struct eval *eval,
                   struct value *out)
{
    int64_t scale = expr->argument_count > 1 ? arguments[1].integer : 0;
    const uint8_t *bytes = NULL;
    uint32_t size = 0;

    if (scale < 0)
        return sql_error_set(eval->error, "0A000", expr->location,
                             "round to a negative number of digits is not supported yet");
    if (scale > NUMERIC_SCALE_MAX)
        scale = NUMERIC_SCALE_MAX;
    TRY(numeric_round(arguments[0].bytes, arguments[0].size, 0, (int32_t)scale, eval->arena, &bytes,
                      &size));
    *out = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
    return STATUS_OK;
}

static enum status
call_sqrt(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    if (arguments[0].real < 0)
        return sql_error_set(eval->error, "2201F", expr->location,
                             "cannot take square root of a negative number");
    return give_real(expr, sqrt(arguments[0].real), eval, out);
}

static enum status
call_power(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    return give_real(expr, pow(arguments[0].real, arguments[1].real), eval, out);
}

static enum status
call_exp(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    return give_real(expr, exp(arguments[0].real), eval, out);
}

static enum status
call_ln(const struct expr *expr, const struct value *arguments, struct eval *eval,
        struct value *out)
{
    if (arguments[0].real <= 0)
        return sql_error_set(eval->error, "2201E", expr->location, "cannot take logarithm of %s",
                             arguments[0].real == 0 ? "zero" : "a negative number");
    return give_real(expr, log(arguments[0].real), eval, out);
}

static enum status
call_mod(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    struct expr modulo = *expr;

    modulo.operator_kind = EXPR_MODULO;
    return expr_calculate(&modulo, &arguments[0], &arguments[1], eval, out);
}

#define ONE(name, type, call)                        \
    {                                                \
        name, 1, 1, {type}, type, false, false, call \
    }
#define TWO(name, type, call)                              \
    {                                                      \
        name, 2, 2, {type, type}, type, false, false, call \
    }

const struct function function_math_table[] = {
    ONE("abs", QTDB_TYPE_INT2, call_abs),
    ONE("abs", QTDB_TYPE_INT4, call_abs),
    ONE("abs", QTDB_TYPE_INT8, call_abs),
    ONE("abs", QTDB_TYPE_NUMERIC, call_abs),
    ONE("abs", QTDB_TYPE_FLOAT4, call_abs),
    ONE("abs", QTDB_TYPE_FLOAT8, call_abs),
    ONE("sign", QTDB_TYPE_FLOAT8, call_sign),
    ONE("sign", QTDB_TYPE_NUMERIC, call_refused),
    ONE("floor", QTDB_TYPE_FLOAT8, call_floor),
    ONE("floor", QTDB_TYPE_NUMERIC, call_floor),
    ONE("ceil", QTDB_TYPE_FLOAT8, call_ceil),
    ONE("ceil", QTDB_TYPE_NUMERIC, call_ceil),
    ONE("ceiling", QTDB_TYPE_FLOAT8, call_ceil),
    ONE("ceiling", QTDB_TYPE_NUMERIC, call_ceil),
    ONE("round", QTDB_TYPE_FLOAT8, call_round),
    {"round",
     1,
     2,
     {QTDB_TYPE_NUMERIC, QTDB_TYPE_INT4},
     QTDB_TYPE_NUMERIC,
     false,
     false,
     call_round_numeric},
    ONE("sqrt", QTDB_TYPE_FLOAT8, call_sqrt),
    ONE("sqrt", QTDB_TYPE_NUMERIC, call_refused),
    TWO("power", QTDB_TYPE_FLOAT8, call_power),
    TWO("power", QTDB_TYPE_NUMERIC, call_refused),
    ONE("exp", QTDB_TYPE_FLOAT8, call_exp),
    ONE("exp", QTDB_TYPE_NUMERIC, call_refused),
    ONE("ln", QTDB_TYPE_FLOAT8, call_ln),
    ONE("ln", QTDB_TYPE_NUMERIC, call_refused),
    TWO("mod", QTDB_TYPE_INT4, call_mod),
    TWO("mod", QTDB_TYPE_INT8, call_mod),
    TWO("mod", QTDB_TYPE_NUMERIC, call_mod),
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
