/*
 * exp, ln, log and power of numerics, with the decimals that PostgreSQL 15 shows: at least 16 significant digits by
 * an estimate of the result's size (powers of integers: 16 decimals), no fewer than the arguments show, at most
 * 1,000. The values are right to that
 * many digits (numeric_exp.h).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/function.h"
#include "executor/numeric_exp.h"

enum {
    LEAST_SIGNIFICANT = 16,
    REAL_EXPONENT_MOST = 6000,
    WEIGHT_MOST = 131072,
    INTEGER_WEIGHT_MOST = 12
};

static const double ln_10 = 2.302585092994046, log10_e = 0.434294481903252;

/* A call: its intermediate results go when it ends. */
struct power {
    const struct expr *expr;
    struct eval *eval;
    struct arena arena;
};

static struct packed
packed_of(const struct value *value)
{
    return (struct packed){value->bytes, value->size};
}

static enum status
fail(const struct power *power, const char *sqlstate, const char *message)
{
    return sql_error_set(power->eval->error, sqlstate, power->expr->location, "%s", message);
}

/* Runs a function of one or two numbers; NaN gives NaN. */
static enum status
run(const struct expr *expr, const struct value *arguments, struct eval *eval, struct value *out,
    enum status (*call)(struct power *power, const struct packed *left, const struct packed *right,
                        struct packed *out))
{
    struct power power = {.expr = expr, .eval = eval};
    struct packed left = packed_of(&arguments[0]), right = left, result = left;
    enum status status;

    if (expr->argument_count > 1)
        right = packed_of(&arguments[1]);
    arena_init(&power.arena, eval->arena->memory, MEMORY_SQL);
    status = call(&power, &left, &right, &result);
    if (status == STATUS_FULL)
        status = fail(&power, "22003", "value overflows numeric format");
    if (status == STATUS_OK) {
        uint8_t *bytes = arena_alloc(eval->arena, result.size);

        if (bytes != NULL)
            memcpy(bytes, result.bytes, result.size);
        status = bytes != NULL ? STATUS_OK : STATUS_NO_MEMORY;
        *out = value_bytes(QTDB_TYPE_NUMERIC, bytes, result.size);
    }
    arena_deinit(&power.arena);
    return status;
}

static int32_t
clamp(int32_t scale, int32_t least)
{
    scale = scale > least ? scale : least;
    return scale < 0 ? 0 : scale < NUMERIC_EXP_SCALE_MAX ? scale : NUMERIC_EXP_SCALE_MAX;
}

/* The place of the first digit of ln(value), as PostgreSQL guesses it: from two digits of base 10,000. */
static enum status
ln_weight(struct power *power, const struct packed *value, int32_t *out)
{
    double real = packed_to_real(value);
    struct packed one, rest;
    int32_t exponent = 0;

    *out = 0;
    if (real >= 0.9 && real <= 1.1) {
        TRY(packed_from("1", &power->arena, &one));
        TRY(packed_calculate(NUMERIC_SUBTRACT, value, &one, &power->arena, &rest));
        *out = packed_weight(&rest);
        return STATUS_OK;
    }
    double digits = packed_split(value, &exponent);
    double logarithm = fabs(log(digits) + exponent * ln_10);
    *out = (int32_t)log10(logarithm);
    return STATUS_OK;
}

static enum status
check_logarithm(struct power *power, const struct packed *value)
{
    if (packed_is_zero(value))
        return fail(power, "2201E", "cannot take logarithm of zero");
    if (packed_sign(value) == NUMERIC_NEGATIVE)
        return fail(power, "2201E", "cannot take logarithm of a negative number");
    return STATUS_OK;
}

/* exp and ln. */

static enum status
exp_of(struct power *power, const struct packed *x, const struct packed *unused, struct packed *out)
{
    (void)unused;
    *out = *x;
    if (packed_sign(x) == NUMERIC_NAN)
        return STATUS_OK;
    double weight = packed_to_real(x) * log10_e;
    weight = weight > 2000 ? 2000 : weight < -2000 ? -2000 : weight;
    return numeric_exp_to(x, clamp(LEAST_SIGNIFICANT - (int32_t)weight, packed_scale(x)),
                          &power->arena, out);
}

static enum status
ln_of(struct power *power, const struct packed *x, const struct packed *unused, struct packed *out)
{
    int32_t weight = 0;

    (void)unused;
    *out = *x;
    if (packed_sign(x) == NUMERIC_NAN)
        return STATUS_OK;
    TRY(check_logarithm(power, x));
    TRY(ln_weight(power, x, &weight));
    return numeric_ln_to(x, clamp(LEAST_SIGNIFICANT - weight, packed_scale(x)), &power->arena, out);
}

/* log(base, x) */
static enum status
log_to(struct power *power, const struct packed *base, const struct packed *x, struct packed *out)
{
    int32_t base_weight = 0, weight = 0;
    struct packed below, above;

    *out = packed_sign(base) == NUMERIC_NAN ? *base : *x;
    if (packed_sign(out) == NUMERIC_NAN)
        return STATUS_OK;
    TRY(check_logarithm(power, base));
    TRY(check_logarithm(power, x));
    TRY(ln_weight(power, base, &base_weight));
    TRY(ln_weight(power, x, &weight));
    int32_t result = weight - base_weight;
    int32_t least = packed_scale(base) > packed_scale(x) ? packed_scale(base) : packed_scale(x);
    int32_t scale = clamp(LEAST_SIGNIFICANT - result, least);
    TRY(numeric_ln_to(base, clamp(scale + result - base_weight + 8, 0), &power->arena, &below));
    TRY(numeric_ln_to(x, clamp(scale + result - weight + 8, 0), &power->arena, &above));
    if (packed_is_zero(&below))
        return fail(power, "22012", "division by zero");
    return packed_divide(&above, &below, scale, &power->arena, out);
}

static enum status
log10_of(struct power *power, const struct packed *x, const struct packed *unused,
         struct packed *out)
{
    struct packed ten;

    (void)unused;
    TRY(packed_from("10", &power->arena, &ten));
    return log_to(power, &ten, x, out);
}

/* power */

static bool
is_integer(const struct packed *value, int64_t *out)
{
    int32_t exponent = 0;

    *out = 0;
    if (packed_weight(value) > INTEGER_WEIGHT_MOST)
        return packed_split(value, &exponent) != 0 && exponent >= 0;
    return numeric_to_integer(value->bytes, value->size, out) &&
           packed_to_real(value) == (double)*out;
}

/* 16 decimals, or what the base shows. */
static enum status
power_of_integer(struct power *power, const struct packed *base, int32_t integer,
                 struct packed *out)
{
    int32_t scale = clamp(LEAST_SIGNIFICANT, packed_scale(base)), place = 0;
    double digits = fabs(packed_split(base, &place));
    double weight = packed_is_zero(base) ? 0 : integer * (log10(digits) + place);

    if (weight > WEIGHT_MOST)
        return STATUS_FULL;
    if (weight + 1 < -scale || (packed_is_zero(base) && integer > 0)) {
        TRY(packed_from("0", &power->arena, out));
        return packed_round(out, scale, &power->arena, out);
    }
    int32_t significant = 1 + scale + (int32_t)weight;
    TRY(numeric_power_to(base, integer, significant > 0 ? significant : 0, &power->arena, out));
    return packed_round(out, scale, &power->arena, out);
}

/* exp(exponent * ln(base)), first roughly, to know how many digits that takes. */
static enum status
power_of_real(struct power *power, const struct packed *base, const struct packed *exponent,
              struct packed *out)
{
    struct arena *arena = &power->arena;
    struct packed logarithm, product;
    int32_t weight = 0;
    int32_t least = packed_scale(base);

    least = least > packed_scale(exponent) ? least : packed_scale(exponent);
    TRY(ln_weight(power, base, &weight));
    TRY(numeric_ln_to(base, clamp(8 - weight, 0), arena, &logarithm));
    TRY(packed_calculate(NUMERIC_MULTIPLY, &logarithm, exponent, arena, &product));
    TRY(packed_round(&product, clamp(8 - weight, 0), arena, &product));
    double real = packed_to_real(&product);
    if (fabs(real) > REAL_EXPONENT_MOST * 1.0033) {
        if (real > 0)
            return STATUS_FULL;
        TRY(packed_from("0", arena, out));
        return packed_round(out, NUMERIC_EXP_SCALE_MAX, arena, out);
    }
    int32_t size = (int32_t)(real * log10_e);
    int32_t scale = clamp(LEAST_SIGNIFICANT - size, least);
    int32_t significant = scale + size > 0 ? scale + size : 0;
    int32_t inner = significant - weight + 8 > 0 ? significant - weight + 8 : 0;
    TRY(numeric_ln_to(base, inner, arena, &logarithm));
    TRY(packed_calculate(NUMERIC_MULTIPLY, &logarithm, exponent, arena, &product));
    TRY(packed_round(&product, inner, arena, &product));
    return numeric_exp_to(&product, scale, arena, out);
}

static enum status
power_nan(const struct packed *base, const struct packed *exponent, struct power *power,
          struct packed *out)
{
    struct packed one;

    TRY(packed_from("1", &power->arena, &one));
    *out = packed_sign(base) == NUMERIC_NAN ? *base : *exponent;
    if (packed_is_zero(exponent) && packed_sign(exponent) != NUMERIC_NAN)
        *out = one; /* Even of NaN. */
    if (numeric_compare(base->bytes, base->size, one.bytes, one.size) == 0)
        *out = one;
    return STATUS_OK;
}

static enum status
power_of(struct power *power, const struct packed *base, const struct packed *exponent,
         struct packed *out)
{
    int64_t integer = 0;

    if (packed_sign(base) == NUMERIC_NAN || packed_sign(exponent) == NUMERIC_NAN)
        return power_nan(base, exponent, power, out);
    bool whole = is_integer(exponent, &integer), negative = packed_sign(base) == NUMERIC_NEGATIVE;
    bool fits = whole && packed_weight(exponent) <= INTEGER_WEIGHT_MOST && integer >= INT32_MIN &&
                integer <= INT32_MAX;
    if (packed_is_zero(base) && packed_sign(exponent) == NUMERIC_NEGATIVE)
        return fail(power, "2201F", "zero raised to a negative power is undefined");
    if (negative && !whole)
        return fail(power, "2201F",
                    "a negative number raised to a non-integer power yields a complex result");
    if (fits)
        return power_of_integer(power, base, (int32_t)integer, out);
    if (packed_is_zero(base)) {
        TRY(packed_from("0", &power->arena, out));
        return packed_round(out, LEAST_SIGNIFICANT, &power->arena, out);
    }
    if (negative)
        return fail(power, "0A000",
                    "a power of a negative number above 2147483647 is not supported yet");
    return power_of_real(power, base, exponent, out);
}

/* Calls. */

static enum status
call_exp(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    return run(expr, arguments, eval, out, exp_of);
}

static enum status
call_ln(const struct expr *expr, const struct value *arguments, struct eval *eval,
        struct value *out)
{
    return run(expr, arguments, eval, out, ln_of);
}

static enum status
call_log(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    return run(expr, arguments, eval, out, expr->argument_count > 1 ? log_to : log10_of);
}

static enum status
call_power(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    return run(expr, arguments, eval, out, power_of);
}

#define NUMERIC QTDB_TYPE_NUMERIC

const struct function function_power_table[] = {
    {"exp", 1, 1, {NUMERIC}, NUMERIC, false, false, call_exp},
    {"ln", 1, 1, {NUMERIC}, NUMERIC, false, false, call_ln},
    {"log", 1, 1, {NUMERIC}, NUMERIC, false, false, call_log},
    {"log10", 1, 1, {NUMERIC}, NUMERIC, false, false, call_log},
    {"log", 2, 2, {NUMERIC, NUMERIC}, NUMERIC, false, false, call_log},
    {"power", 2, 2, {NUMERIC, NUMERIC}, NUMERIC, false, false, call_power},
    {"pow", 2, 2, {NUMERIC, NUMERIC}, NUMERIC, false, false, call_power},
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
