/*
 * Division: Knuth's algorithm D on base-10,000 digits. The quotient has PostgreSQL's scale: at least
 * 16 significant digits, and no fewer decimals than either operand.
 */
#include "executor/numeric_private.h"
#include "kernel/base/check.h"

enum { LEAST_SIGNIFICANT = 16, SCALE_SHOWN_MAX = 1000 };

/* Decimals of the quotient. */
static int32_t
quotient_scale(const struct numeric *left, const struct numeric *right)
{
    int32_t weight = left->digit_count > 0 ? left->weight - right->weight : -right->weight;
    uint16_t first = left->digit_count > 0 ? left->digits[0] : 0;

    if (first <= right->digits[0])
        weight--;
    int32_t scale = LEAST_SIGNIFICANT - weight * NUMERIC__BASE_DIGITS;
    if (scale < left->scale)
        scale = left->scale;
    if (scale < right->scale)
        scale = right->scale;
    if (scale < 0)
        scale = 0;
    return scale < SCALE_SHOWN_MAX ? scale : SCALE_SHOWN_MAX;
}

/* Multiplies `count` digits at `digits` by a small factor in place; what carries out is returned. */
static uint32_t
scale_up(uint16_t *digits, int32_t count, uint32_t factor)
{
    uint32_t carry = 0;

    for (int32_t i = count - 1; i >= 0; i--) {
        uint32_t product = digits[i] * factor + carry;

        digits[i] = (uint16_t)(product % NUMERIC__BASE);
        carry = product / NUMERIC__BASE;
    }
    return carry;
}

/* The next quotient digit of u[0 .. n] by v[0 .. n - 1]; u becomes the remainder. */
static uint16_t
divide_step(uint16_t *u, const uint16_t *v, int32_t n)
{
    uint32_t top = (uint32_t)u[0] * NUMERIC__BASE + u[1];
    uint32_t guess = top / v[0], rest = top % v[0];

    while (guess >= NUMERIC__BASE ||
           (n > 1 && guess * v[1] > rest * (uint32_t)NUMERIC__BASE + u[2])) {
        guess--;
        rest += v[0];
        if (rest >= NUMERIC__BASE)
            break;
    }
    int32_t borrow = 0;
    for (int32_t i = n; i >= 0; i--) {
        int32_t part = i > 0 ? (int32_t)(guess * v[i - 1]) : 0;
        int32_t difference = (int32_t)u[i] - part - borrow;

        borrow = difference < 0 ? (-difference + NUMERIC__BASE - 1) / NUMERIC__BASE : 0;
        u[i] = (uint16_t)(difference + borrow * NUMERIC__BASE);
    }
    if (borrow == 0)
        return (uint16_t)guess;
    /* The guess was one too large: put the divisor back. */
    int32_t carry = 0;
    for (int32_t i = n; i >= 0; i--) {
        int32_t sum = (int32_t)u[i] + (i > 0 ? v[i - 1] : 0) + carry;

        u[i] = (uint16_t)(sum % NUMERIC__BASE);
        carry = sum / NUMERIC__BASE;
    }
    return (uint16_t)(guess - 1);
}

static enum status
long_divide(const struct numeric *left, const struct numeric *right, int32_t count,
            struct arena *arena, struct numeric *out)
{
    int32_t n = right->digit_count;
    uint16_t *u = arena_alloc(arena, (size_t)(count + n + 1) * sizeof(*u));
    uint16_t *v = arena_alloc(arena, (size_t)n * sizeof(*v));
    uint16_t *quotient = arena_alloc(arena, (size_t)(count + 1) * sizeof(*quotient));

    if (u == NULL || v == NULL || quotient == NULL)
        return STATUS_NO_MEMORY;
    uint32_t factor = NUMERIC__BASE / (right->digits[0] + 1u);
    for (int32_t i = 0; i < n; i++)
        v[i] = right->digits[i];
    for (int32_t i = 0; i < left->digit_count && i < count + n - 1; i++)
        u[i + 1] = left->digits[i];
    CHECK(scale_up(v, n, factor) == 0);
    CHECK(scale_up(u, count + n + 1, factor) == 0);
    for (int32_t i = 0; i < count; i++)
        quotient[i + 1] = divide_step(u + i, v, n);
    out->digits = quotient + 1;
    out->digit_count = count;
    out->weight = left->weight - right->weight;
    return STATUS_OK;
}

enum status
numeric__divide(const struct numeric *left, const struct numeric *right, bool truncate,
                struct arena *arena, const uint8_t **out, uint32_t *size_out)
{
    struct numeric result = {.sign =
                                 left->sign == right->sign ? NUMERIC_POSITIVE : NUMERIC_NEGATIVE};

    CHECK(right->digit_count > 0);
    int32_t scale = truncate ? 0 : quotient_scale(left, right);
    /* Digits before the point, decimals, and one digit to round by. */
    int32_t before = left->weight - right->weight + 1;
    int32_t count = before + (scale + NUMERIC__BASE_DIGITS - 1) / NUMERIC__BASE_DIGITS + 1;
    if (left->digit_count > 0 && count > 0) {
        if (count > 2 * NUMERIC_DIGITS_MAX)
            return STATUS_FULL;
        TRY(long_divide(left, right, count, arena, &result));
        if (truncate)
            result.digit_count = before > 0 ? before : 0;
        else
            numeric__round_digits(&result, scale);
    }
    result.scale = (uint16_t)scale;
    return numeric__pack(&result, arena, out, size_out);
}
