/*
 * More functions of numbers: scales, histograms, factorials, roots as operators, angles in degrees.
 *
 * Angles follow PostgreSQL's float.c: exact at multiples of 30 degrees, by dividing through the value that
 * the machine's own sine and cosine give there.
 */
#include <math.h>
#include <string.h>

#include "executor/array.h"
#include "executor/function.h"
#include "executor/numeric.h"
#include "kernel/base/check.h"

static struct value
give_numeric(const uint8_t *bytes, uint32_t size)
{
    return value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
}

/* Scales. */

static bool
header_of(const struct value *value, struct numeric_header *header)
{
    memcpy(header, value->bytes, sizeof(*header));
    return le16_get(header->sign) != NUMERIC_NAN;
}

/* Decimals that are not zeros at the end, from the last digit of base 10,000. */
static int32_t
least_scale(const struct value *value, const struct numeric_header *header)
{
    uint32_t count = le16_get(header->digit_count);
    le16 digit;

    if (count == 0)
        return 0;
    memcpy(digit.byte, value->bytes + sizeof(*header) + 2 * (size_t)(count - 1), 2);
    int32_t scale = 4 * ((int32_t)count - 1 - (int16_t)le16_get(header->weight));
    for (uint32_t last = le16_get(digit); scale > 0 && last % 10 == 0; last /= 10)
        scale--;
    return scale > 0 ? scale : 0;
}

static enum status
call_scale(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    bool least = expr->function->name[0] == 'm', trim = expr->function->name[0] == 't';
    const uint8_t *bytes = NULL;
    struct numeric_header header;
    uint32_t size = 0;

    *out = arguments[0];
    if (!header_of(&arguments[0], &header)) {
        if (!trim)
            *out = value_null(QTDB_TYPE_INT4);
        return STATUS_OK;
    }
    int32_t scale = least || trim ? least_scale(&arguments[0], &header) : le16_get(header.scale);
    if (!trim) {
        *out = value_integer(QTDB_TYPE_INT4, scale);
        return STATUS_OK;
    }
    TRY(numeric_round(arguments[0].bytes, arguments[0].size, 0, scale, eval->arena, &bytes, &size));
    *out = give_numeric(bytes, size);
    return STATUS_OK;
}

static enum status
call_factorial(const struct expr *expr, const struct value *arguments, struct eval *eval,
               struct value *out)
{
    const uint8_t *bytes = NULL;
    uint32_t size = 0;

    if (arguments[0].integer < 0)
        return sql_error_set(eval->error, "22003", expr->location,
                             "factorial of a negative number is undefined");
    if (arguments[0].integer > 5000)
        return sql_error_set(eval->error, "22003", expr->location,
                             "value overflows numeric format");
    TRY(numeric_from_integer(1, eval->arena, &bytes, &size));
    for (int64_t i = 2; i <= arguments[0].integer; i++) {
        const uint8_t *factor = NULL;
        uint32_t factor_size = 0;

        TRY(numeric_from_integer(i, eval->arena, &factor, &factor_size));
        enum status status = numeric_calculate(NUMERIC_MULTIPLY, bytes, size, factor, factor_size,
                                               eval->arena, &bytes, &size);
        if (status == STATUS_FULL)
            return sql_error_set(eval->error, "22003", expr->location,
                                 "value overflows numeric format");
        TRY(status);
    }
    *out = give_numeric(bytes, size);
    return STATUS_OK;
}

/* Histograms. */

static enum status
refuse_bounds(const struct expr *expr, struct eval *eval, const char *what)
{
    return sql_error_set(eval->error, "2201G", expr->location, "%s", what);
}

static enum status
give_bucket(const struct expr *expr, int64_t bucket, struct eval *eval, struct value *out)
{
    if (bucket > INT32_MAX)
        return sql_error_set(eval->error, "22003", expr->location, "integer out of range");
    *out = value_integer(QTDB_TYPE_INT4, bucket);
    return STATUS_OK;
}

static enum status
call_bucket_real(const struct expr *expr, const struct value *arguments, struct eval *eval,
                 struct value *out)
{
    double value = arguments[0].real, low = arguments[1].real, high = arguments[2].real;
    int64_t count = arguments[3].integer;

    if (count <= 0)
        return refuse_bounds(expr, eval, "count must be greater than zero");
    if (isnan(value) || isnan(low) || isnan(high))
        return refuse_bounds(expr, eval, "operand, lower bound, and upper bound cannot be NaN");
    if (isinf(low) || isinf(high))
        return refuse_bounds(expr, eval, "lower and upper bounds must be finite");
    if (low == high)
        return refuse_bounds(expr, eval, "lower bound cannot equal upper bound");
    if (low < high ? value < low : value > low)
        return give_bucket(expr, 0, eval, out);
    if (low < high ? value >= high : value <= high)
        return give_bucket(expr, count + 1, eval, out);
    double share = low < high ? (value - low) / (high - low) : (low - value) / (low - high);
    int64_t bucket = (int64_t)(share * (double)count);
    return give_bucket(expr, (bucket >= count ? count - 1 : bucket) + 1, eval, out);
}

/* (value - low) * count / (high - low), rounded down. */
static enum status
call_bucket_numeric(const struct expr *expr, const struct value *arguments, struct eval *eval,
                    struct value *out)
{
    int64_t count = arguments[3].integer, bucket = 0;
    struct expr node = *expr;
    struct value over, width, wide;
    struct numeric_header header;
    const uint8_t *bytes = NULL;
    uint32_t size = 0;

    if (count <= 0)
        return refuse_bounds(expr, eval, "count must be greater than zero");
    for (int i = 0; i < 3; i++) {
        if (!header_of(&arguments[i], &header))
            return refuse_bounds(expr, eval, "operand, lower bound, and upper bound cannot be NaN");
    }
    int order = value_compare(&arguments[1], &arguments[2]);
    if (order == 0)
        return refuse_bounds(expr, eval, "lower bound cannot equal upper bound");
    int from_low = value_compare(&arguments[0], &arguments[1]);
    int from_high = value_compare(&arguments[0], &arguments[2]);
    if (order < 0 ? from_low < 0 : from_low > 0)
        return give_bucket(expr, 0, eval, out);
    if (order < 0 ? from_high >= 0 : from_high <= 0)
        return give_bucket(expr, count + 1, eval, out);
    node.type.type = QTDB_TYPE_NUMERIC;
    node.operator_kind = EXPR_SUBTRACT;
    TRY(expr_calculate(&node, &arguments[0], &arguments[1], eval, &over));
    TRY(expr_calculate(&node, &arguments[2], &arguments[1], eval, &width));
    TRY(numeric_from_integer(count, eval->arena, &bytes, &size));
    wide = give_numeric(bytes, size);
    node.operator_kind = EXPR_MULTIPLY;
    TRY(expr_calculate(&node, &over, &wide, eval, &over));
    node.operator_kind = EXPR_MODULO;
    TRY(expr_calculate(&node, &over, &width, eval, &wide));
    node.operator_kind = EXPR_SUBTRACT;
    TRY(expr_calculate(&node, &over, &wide, eval, &over));
    node.operator_kind = EXPR_DIVIDE;
    TRY(expr_calculate(&node, &over, &width, eval, &over));
    if (!numeric_to_integer(over.bytes, over.size, &bucket))
        bucket = count - 1;
    return give_bucket(expr, bucket + 1, eval, out);
}

/* Thresholds in order: how many are not above the value. */
static enum status
call_bucket_array(const struct expr *expr, const struct value *arguments, struct eval *eval,
                  struct value *out)
{
    struct array array = array_open(&arguments[1]);
    int64_t bucket = 0;

    if (array.dimension_count > 1)
        return sql_error_set(eval->error, "2202E", expr->location,
                             "thresholds must be one-dimensional array");
    for (uint32_t i = 0; i < array.count; i++) {
        struct value threshold = array_next(&array);

        if (threshold.null)
            return sql_error_set(eval->error, "22004", expr->location,
                                 "thresholds array must not contain NULLs");
        bucket += value_compare(&arguments[0], &threshold) >= 0;
    }
    return give_bucket(expr, bucket, eval, out);
}

/* Roots and magnitudes as operators. */

static enum status
call_root(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    bool cubic = strcmp(expr->function->name, "||/") == 0;

    if (!cubic && arguments[0].real < 0)
        return sql_error_set(eval->error, "2201F", expr->location,
                             "cannot take square root of a negative number");
    *out = value_real(QTDB_TYPE_FLOAT8, cubic ? cbrt(arguments[0].real) : sqrt(arguments[0].real));
    return STATUS_OK;
}

static enum status
call_magnitude(const struct expr *expr, const struct value *arguments, struct eval *eval,
               struct value *out)
{
    const struct value *value = &arguments[0];

    *out = *value;
    if (value->type == QTDB_TYPE_FLOAT8) {
        out->real = fabs(value->real);
        return STATUS_OK;
    }
    struct value zero = value_integer(value->type, 0);
    if (value->type == QTDB_TYPE_NUMERIC) {
        const uint8_t *bytes = NULL;
        uint32_t size = 0;

        TRY(numeric_from_integer(0, eval->arena, &bytes, &size));
        zero = give_numeric(bytes, size);
    }
    return value_compare(value, &zero) < 0 ? expr_negate(expr, value, eval, out) : STATUS_OK;
}

/* Angles in degrees. Not constants for the compiler, so that both sides come from the same library. */

static double
angle(volatile double degrees)
{
    return degrees * (M_PI / 180.0);
}

/* 0 to 30, and 0 to 60 degrees. */
static double
sine_to_30(double x)
{
    return sin(angle(x)) / sin(angle(30)) / 2.0;
}

static double
cosine_to_60(double x)
{
    return 1.0 - ((1.0 - cos(angle(x))) / (1.0 - cos(angle(60)))) / 2.0;
}

static double
sine_to_90(double x)
{
    return x <= 30 ? sine_to_30(x) : cosine_to_60(90 - x);
}

static double
cosine_to_90(double x)
{
    return x <= 60 ? cosine_to_60(x) : sine_to_30(90 - x);
}

/* Into 0 to 90 with the sign that the function has there. */
static double
fold(double x, bool cosine, double *sign)
{
    x = fmod(x, 360.0);
    *sign = 1;
    if (x < 0) {
        x = -x;
        *sign = cosine ? 1 : -1;
    }
    if (x > 180) {
        x = 360 - x;
        *sign = cosine ? *sign : -*sign;
    }
    if (x > 90) {
        x = 180 - x;
        *sign = cosine ? -*sign : *sign;
    }
    return x;
}

static double
sine(double x)
{
    double sign = 1, folded = fold(x, false, &sign);

    return sign * sine_to_90(folded);
}

static double
cosine(double x)
{
    double sign = 1, folded = fold(x, true, &sign);

    return sign * cosine_to_90(folded);
}

static double
tangent(double x, bool inverse)
{
    double over = inverse ? cosine(x) : sine(x), under = inverse ? sine(x) : cosine(x);
    double unit = sine(45) / cosine(45);
    double result = over / under / unit;

    return result == 0 ? 0 : result; /* No minus zero. */
}

static enum status
call_degrees(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    const char *name = expr->function->name;
    double x = arguments[0].real, result;

    if (isnan(x)) {
        *out = arguments[0];
        return STATUS_OK;
    }
    if (isinf(x))
        return sql_error_set(eval->error, "22003", expr->location, "input is out of range");
    result = strcmp(name, "sind") == 0   ? sine(x)
             : strcmp(name, "cosd") == 0 ? cosine(x)
             : strcmp(name, "cot") == 0  ? 1.0 / tan(x)
                                         : tangent(x, name[0] == 'c');
    *out = value_real(QTDB_TYPE_FLOAT8, result);
    return STATUS_OK;
}

#define INT2 QTDB_TYPE_INT2
#define INT4 QTDB_TYPE_INT4
#define INT8 QTDB_TYPE_INT8
#define EXACT QTDB_TYPE_NUMERIC
#define REAL QTDB_TYPE_FLOAT8
#define ONE(name, type, result, call)                  \
    {                                                  \
        name, 1, 1, {type}, result, false, false, call \
    }

const struct function function_number_table[] = {
    ONE("scale", EXACT, INT4, call_scale),
    ONE("min_scale", EXACT, INT4, call_scale),
    ONE("trim_scale", EXACT, EXACT, call_scale),
    ONE("factorial", INT8, EXACT, call_factorial),
    {"width_bucket", 4, 4, {REAL, REAL, REAL, INT4}, INT4, false, false, call_bucket_real},
    {"width_bucket", 4, 4, {EXACT, EXACT, EXACT, INT4}, INT4, false, false, call_bucket_numeric},
    {"width_bucket",
     2,
     2,
     {FUNCTION_ANY_ELEMENT, FUNCTION_ANY_ARRAY},
     INT4,
     false,
     false,
     call_bucket_array},
    ONE("|/", REAL, REAL, call_root),
    ONE("||/", REAL, REAL, call_root),
    ONE("@", INT2, INT2, call_magnitude),
    ONE("@", INT4, INT4, call_magnitude),
    ONE("@", INT8, INT8, call_magnitude),
    ONE("@", EXACT, EXACT, call_magnitude),
    ONE("@", REAL, REAL, call_magnitude),
    ONE("sind", REAL, REAL, call_degrees),
    ONE("cosd", REAL, REAL, call_degrees),
    ONE("tand", REAL, REAL, call_degrees),
    ONE("cotd", REAL, REAL, call_degrees),
    ONE("cot", REAL, REAL, call_degrees),
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
