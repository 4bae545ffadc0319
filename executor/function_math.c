/* Functions of numbers. */
#include <math.h>
#include <stdio.h>
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
/* Newton's steps from the double's root; 16 significant digits or the argument's scale, as PostgreSQL. */
enum status
numeric_sqrt_value(const struct value *value, int32_t scale, struct eval *eval, struct value *out)
{
    static const struct sql_type numeric = {QTDB_TYPE_NUMERIC, -1, -1};
    struct numeric_header header;
    struct value guess;
    const uint8_t *half = NULL;
    uint32_t half_size = 0;

    memcpy(&header, value->bytes, sizeof(header));
    if (le16_get(header.sign) == NUMERIC_NAN) {
        *out = *value;
        return STATUS_OK;
    }
    int32_t weight = (int16_t)le16_get(header.weight);
    int32_t digits = weight >= 0 ? weight * 2 + 1 : 1 - (1 - weight * 4) / 2;
    if (scale < 0) {
        scale = 16 - digits;
        scale = scale < le16_get(header.scale) ? le16_get(header.scale) : scale;
        scale = scale < 0 ? 0 : scale;
    }
    scale = scale > 1000 ? 1000 : scale;
    TRY(numeric_parse("0.5", 3, eval->arena, &half, &half_size));
    double real = sqrt(numeric_to_real(value->bytes, value->size, eval->arena));
    struct value start = value_real(QTDB_TYPE_FLOAT8, real);
    TRY(value_cast(&start, &numeric, eval->arena, &guess, eval->error));
    for (int step = 0; step < 8 && real > 0; step++) {
        const uint8_t *bytes = NULL, *scaled = NULL;
        uint32_t size = 0, scaled_size = 0;

        /* More decimals than wanted, so that the division gives as many. */
        TRY(numeric_round(value->bytes, value->size, 0, scale + 8, eval->arena, &scaled,
                          &scaled_size));
        TRY(numeric_calculate(NUMERIC_DIVIDE, scaled, scaled_size, guess.bytes, guess.size,
                              eval->arena, &bytes, &size));
        TRY(numeric_calculate(NUMERIC_ADD, bytes, size, guess.bytes, guess.size, eval->arena,
                              &bytes, &size));
        TRY(numeric_calculate(NUMERIC_MULTIPLY, bytes, size, half, half_size, eval->arena, &bytes,
                              &size));
        TRY(numeric_round(bytes, size, 0, scale + 8, eval->arena, &bytes, &size));
        guess = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
    }
    const uint8_t *rounded = NULL;
    uint32_t rounded_size = 0;
    TRY(numeric_round(guess.bytes, guess.size, 0, scale, eval->arena, &rounded, &rounded_size));
    *out = value_bytes(QTDB_TYPE_NUMERIC, rounded, rounded_size);
    return STATUS_OK;
}

static enum status
call_sqrt_numeric(const struct expr *expr, const struct value *arguments, struct eval *eval,
                  struct value *out)
{
    struct numeric_header header;

    memcpy(&header, arguments[0].bytes, sizeof(header));
    if (le16_get(header.sign) == NUMERIC_NEGATIVE)
        return sql_error_set(eval->error, "2201F", expr->location,
                             "cannot take square root of a negative number");
    return numeric_sqrt_value(&arguments[0], -1, eval, out);
}

/* sign, trunc, degrees and the like. */
static enum status
call_sign_numeric(const struct expr *expr, const struct value *arguments, struct eval *eval,
                  struct value *out)
{
    struct numeric_header header;
    const uint8_t *bytes = NULL;
    uint32_t size = 0;

    (void)expr;
    memcpy(&header, arguments[0].bytes, sizeof(header));
    uint16_t sign = le16_get(header.sign);
    *out = arguments[0];
    if (sign == NUMERIC_NAN)
        return STATUS_OK;
    TRY(numeric_from_integer(le16_get(header.digit_count) == 0 ? 0
                             : sign == NUMERIC_NEGATIVE        ? -1
                                                               : 1,
                             eval->arena, &bytes, &size));
    *out = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
    return STATUS_OK;
}

/* The multiple of 10^-scale towards zero, or, rounding, the nearest one, halves away from zero. */
static enum status
snap(const struct expr *expr, const struct value *value, int64_t scale, bool nearest,
     struct eval *eval, struct value *out)
{
    const uint8_t *unit = NULL, *half = NULL, *bytes = NULL;
    uint32_t unit_size = 0, half_size = 0, size = 0;
    struct expr node = *expr;
    struct value whole, rest;
    char text[64];

    node.type.type = QTDB_TYPE_NUMERIC;
    int text_size = snprintf(text, sizeof(text), "1e%lld", (long long)-scale);
    TRY(numeric_parse(text, (size_t)text_size, eval->arena, &unit, &unit_size));
    text_size = snprintf(text, sizeof(text), "5e%lld", (long long)-scale - 1);
    TRY(numeric_parse(text, (size_t)text_size, eval->arena, &half, &half_size));
    whole = value_bytes(QTDB_TYPE_NUMERIC, unit, unit_size);
    node.operator_kind = EXPR_MODULO;
    TRY(expr_calculate(&node, value, &whole, eval, &rest));
    node.operator_kind = EXPR_SUBTRACT;
    TRY(expr_calculate(&node, value, &rest, eval, &whole));
    if (nearest) {
        struct value step = value_bytes(QTDB_TYPE_NUMERIC, unit, unit_size), size_of_rest;
        struct numeric_header header;

        memcpy(&header, rest.bytes, sizeof(header));
        bool below = le16_get(header.sign) == NUMERIC_NEGATIVE;
        size_of_rest = rest;
        if (below)
            TRY(expr_negate(&node, &rest, eval, &size_of_rest));
        node.operator_kind = below ? EXPR_SUBTRACT : EXPR_ADD;
        if (numeric_compare(size_of_rest.bytes, size_of_rest.size, half, half_size) >= 0)
            TRY(expr_calculate(&node, &whole, &step, eval, &whole));
    }
    TRY(numeric_round(whole.bytes, whole.size, 0, (int32_t)(scale > 0 ? scale : 0), eval->arena,
                      &bytes, &size));
    *out = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
    return STATUS_OK;
}

/* trunc and round(numeric, scale) for what numeric_round cannot do; PostgreSQL keeps to 2,000 digits. */
static enum status
snap_argument(const struct expr *expr, const struct value *arguments, bool nearest,
              struct eval *eval, struct value *out)
{
    int64_t scale = expr->argument_count > 1 ? arguments[1].integer : 0;
    struct numeric_header header;

    memcpy(&header, arguments[0].bytes, sizeof(header));
    *out = arguments[0];
    if (le16_get(header.sign) == NUMERIC_NAN)
        return STATUS_OK;
    scale = scale > 2000 ? 2000 : scale < -2000 ? -2000 : scale;
    if (scale < (nearest ? 0 : le16_get(header.scale)))
        return snap(expr, &arguments[0], scale, nearest, eval, out);
    const uint8_t *bytes = NULL;
    uint32_t size = 0;
    TRY(numeric_round(arguments[0].bytes, arguments[0].size, 0, (int32_t)scale, eval->arena, &bytes,
                      &size));
    *out = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
    return STATUS_OK;
}

static enum status
call_trunc_numeric(const struct expr *expr, const struct value *arguments, struct eval *eval,
                   struct value *out)
{
    return snap_argument(expr, arguments, false, eval, out);
}

static enum status
call_real(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    static const struct {
        const char *name;
        double (*function)(double);
    } functions[] = {
        {"trunc", trunc}, {"cbrt", cbrt}, {"sin", sin},   {"cos", cos},   {"tan", tan},
        {"atan", atan},   {"sinh", sinh}, {"cosh", cosh}, {"tanh", tanh}, {"asinh", asinh},
    };

    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (strcmp(functions[i].name, expr->function->name) == 0)
            return give_real(expr, functions[i].function(arguments[0].real), eval, out);
    }
    if (expr->function->name[0] == 'd')
        return give_real(expr, arguments[0].real / (M_PI / 180), eval, out);
    if (expr->function->name[0] == 'r')
        return give_real(expr, arguments[0].real * (M_PI / 180), eval, out);
    if (!(arguments[0].real >= -1 && arguments[0].real <= 1))
        return sql_error_set(eval->error, "22003", expr->location, "input is out of range");
    return give_real(
        expr, expr->function->name[1] == 's' ? asin(arguments[0].real) : acos(arguments[0].real),
        eval, out);
}

static enum status
call_pi(const struct expr *expr, const struct value *arguments, struct eval *eval,
        struct value *out)
{
    (void)expr, (void)arguments, (void)eval;
    *out = value_real(QTDB_TYPE_FLOAT8, M_PI);
    return STATUS_OK;
}

/* Bits. */
static enum status
call_bits(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    int64_t left = arguments[0].integer,
            right = expr->argument_count > 1 ? arguments[1].integer : 0;
    bool wide = expr->type.type == QTDB_TYPE_INT8;
    uint32_t shift = (uint32_t)right & (wide ? 63 : 31);

    (void)eval;
    switch (expr->function->name[0]) {
    case '&':
        left &= right;
        break;
    case '|':
        left |= right;
        break;
    case '#':
        left ^= right;
        break;
    case '~':
        left = ~left;
        break;
    case '<':
        left = wide ? (int64_t)((uint64_t)left << shift) : (int32_t)((uint32_t)left << shift);
        break;
    default:
        left >>= shift;
    }
    *out = value_integer(expr->type.type, left);
    return STATUS_OK;
}

/* div(a, b): the whole part of a division. */
static enum status
call_div(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    struct expr modulo = *expr;
    struct value rest;

    modulo.operator_kind = EXPR_MODULO;
    TRY(expr_calculate(&modulo, &arguments[0], &arguments[1], eval, &rest));
    modulo.operator_kind = EXPR_SUBTRACT;
    TRY(expr_calculate(&modulo, &arguments[0], &rest, eval, &rest));
    modulo.operator_kind = EXPR_DIVIDE;
    TRY(expr_calculate(&modulo, &rest, &arguments[1], eval, out));
    const uint8_t *bytes = NULL;
    uint32_t size = 0;
    TRY(numeric_round(out->bytes, out->size, 0, 0, eval->arena, &bytes, &size));
    *out = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
    return STATUS_OK;
}

/* gcd(a, b), lcm(a, b). */
static enum status
call_gcd(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    __int128 a = arguments[0].integer, b = arguments[1].integer, first = a, second = b;

    while (b != 0) {
        __int128 rest = a % b;

        a = b;
        b = rest;
    }
    a = a < 0 ? -a : a;
    if (expr->function->name[0] == 'l') {
        a = a == 0 ? 0 : first / a * second;
        a = a < 0 ? -a : a;
    }
    if (a > (expr->type.type == QTDB_TYPE_INT4 ? INT32_MAX : INT64_MAX))
        return sql_error_set(eval->error, "22003", expr->location, "%s out of range",
                             value_type_name(expr->type.type));
    *out = value_integer(expr->type.type, (int64_t)a);
    return STATUS_OK;
}

static enum status
call_log(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    if (arguments[0].real <= 0)
        return sql_error_set(eval->error, "2201E", expr->location, "cannot take logarithm of %s",
                             arguments[0].real == 0 ? "zero" : "a negative number");
    return give_real(expr, log10(arguments[0].real), eval, out);
}

static enum status
call_atan2(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    return give_real(expr, atan2(arguments[0].real, arguments[1].real), eval, out);
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
    return snap_argument(expr, arguments, true, eval, out);
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
    ONE("sign", QTDB_TYPE_NUMERIC, call_sign_numeric),
    {"trunc",
     1,
     2,
     {QTDB_TYPE_NUMERIC, QTDB_TYPE_INT4},
     QTDB_TYPE_NUMERIC,
     false,
     false,
     call_trunc_numeric},
    ONE("trunc", QTDB_TYPE_FLOAT8, call_real),
    ONE("cbrt", QTDB_TYPE_FLOAT8, call_real),
    ONE("sin", QTDB_TYPE_FLOAT8, call_real),
    ONE("cos", QTDB_TYPE_FLOAT8, call_real),
    ONE("tan", QTDB_TYPE_FLOAT8, call_real),
    ONE("asin", QTDB_TYPE_FLOAT8, call_real),
    ONE("acos", QTDB_TYPE_FLOAT8, call_real),
    ONE("atan", QTDB_TYPE_FLOAT8, call_real),
    ONE("sinh", QTDB_TYPE_FLOAT8, call_real),
    ONE("cosh", QTDB_TYPE_FLOAT8, call_real),
    ONE("tanh", QTDB_TYPE_FLOAT8, call_real),
    ONE("asinh", QTDB_TYPE_FLOAT8, call_real),
    ONE("degrees", QTDB_TYPE_FLOAT8, call_real),
    ONE("radians", QTDB_TYPE_FLOAT8, call_real),
    TWO("atan2", QTDB_TYPE_FLOAT8, call_atan2),
    {"pi", 0, 1, {QTDB_TYPE_TEXT}, QTDB_TYPE_FLOAT8, true, false, call_pi},
    ONE("log", QTDB_TYPE_FLOAT8, call_log),
    ONE("log10", QTDB_TYPE_FLOAT8, call_log),
    TWO("div", QTDB_TYPE_NUMERIC, call_div),
    TWO("gcd", QTDB_TYPE_INT4, call_gcd),
    TWO("gcd", QTDB_TYPE_INT8, call_gcd),
    TWO("lcm", QTDB_TYPE_INT4, call_gcd),
    TWO("lcm", QTDB_TYPE_INT8, call_gcd),
    TWO("&", QTDB_TYPE_INT4, call_bits),
    TWO("&", QTDB_TYPE_INT8, call_bits),
    TWO("|", QTDB_TYPE_INT4, call_bits),
    TWO("|", QTDB_TYPE_INT8, call_bits),
    TWO("#", QTDB_TYPE_INT4, call_bits),
    TWO("#", QTDB_TYPE_INT8, call_bits),
    ONE("~", QTDB_TYPE_INT4, call_bits),
    ONE("~", QTDB_TYPE_INT8, call_bits),
    {"<<", 2, 2, {QTDB_TYPE_INT4, QTDB_TYPE_INT4}, QTDB_TYPE_INT4, false, false, call_bits},
    {"<<", 2, 2, {QTDB_TYPE_INT8, QTDB_TYPE_INT4}, QTDB_TYPE_INT8, false, false, call_bits},
    {">>", 2, 2, {QTDB_TYPE_INT4, QTDB_TYPE_INT4}, QTDB_TYPE_INT4, false, false, call_bits},
    {">>", 2, 2, {QTDB_TYPE_INT8, QTDB_TYPE_INT4}, QTDB_TYPE_INT8, false, false, call_bits},
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
    ONE("sqrt", QTDB_TYPE_NUMERIC, call_sqrt_numeric),
    TWO("power", QTDB_TYPE_FLOAT8, call_power),
    TWO("pow", QTDB_TYPE_FLOAT8, call_power),
    ONE("exp", QTDB_TYPE_FLOAT8, call_exp),
    ONE("ln", QTDB_TYPE_FLOAT8, call_ln),
    TWO("mod", QTDB_TYPE_INT4, call_mod),
    TWO("mod", QTDB_TYPE_INT8, call_mod),
    TWO("mod", QTDB_TYPE_NUMERIC, call_mod),
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
