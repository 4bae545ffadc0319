/*
 * exp by its series: the argument is halved until it is small, the sum squared as often. ln by Newton's
 * iteration on exp, y + x * exp(-y) - 1, which doubles the right digits each time, from the double's
 * logarithm; powers of ten are taken out first, so that exp stays near 1. Powers of integers by squaring, with some
 * digits more than are wanted.
 */
#include "executor/numeric_exp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/check.h"

enum { GUARD_DIGITS = 10, EXP_MOST = 6000, REAL_DIGITS = 14 };

static const double log10_e = 0.434294481903252;

/* Parts. */

static struct numeric_header
header_of(const struct packed *value)
{
    struct numeric_header header;

    memcpy(&header, value->bytes, sizeof(header));
    return header;
}

static uint16_t
digit_of(const struct packed *value, int32_t index)
{
    le16 digit;

    memcpy(&digit, value->bytes + sizeof(struct numeric_header) + (size_t)index * sizeof(digit),
           sizeof(digit));
    return le16_get(digit);
}

bool
packed_is_zero(const struct packed *value)
{
    return le16_get(header_of(value).digit_count) == 0;
}

uint16_t
packed_scale(const struct packed *value)
{
    return le16_get(header_of(value).scale);
}

uint16_t
packed_sign(const struct packed *value)
{
    return le16_get(header_of(value).sign);
}

int32_t
packed_weight(const struct packed *value)
{
    if (packed_is_zero(value))
        return 0;
    uint16_t first = digit_of(value, 0);
    int32_t digits = first >= 1000 ? 3 : first >= 100 ? 2 : first >= 10 ? 1 : 0;

    return (int16_t)le16_get(header_of(value).weight) * 4 + digits;
}

double
packed_split(const struct packed *value, int32_t *exponent_out)
{
    int32_t count = le16_get(header_of(value).digit_count);
    double real = 0;
    int32_t exponent = ((int16_t)le16_get(header_of(value).weight) + 1) * 4;

    for (int32_t i = 0; i < count && i < 5; i++) {
        real = real * 10000 + digit_of(value, i);
        exponent -= 4;
    }
    *exponent_out = count > 0 ? exponent : 0;
    return packed_sign(value) == NUMERIC_NEGATIVE ? -real : real;
}

double
packed_to_real(const struct packed *value)
{
    int32_t exponent = 0;
    double real = packed_split(value, &exponent);

    if (exponent > 280)
        return real > 0 ? 1e300 : -1e300;
    return exponent < -320 ? 0 : real * pow(10, exponent);
}

/* Arithmetic. */

enum status
packed_from(const char *text, struct arena *arena, struct packed *out)
{
    enum status status = numeric_parse(text, strlen(text), arena, &out->bytes, &out->size);

    CHECK(status != STATUS_INVALID);
    return status;
}

enum status
packed_round(const struct packed *value, int32_t scale, struct arena *arena, struct packed *out)
{
    scale = scale < 0 ? 0 : scale < NUMERIC_SCALE_MAX ? scale : NUMERIC_SCALE_MAX;
    return numeric_round(value->bytes, value->size, -1, scale, arena, &out->bytes, &out->size);
}

enum status
packed_calculate(enum numeric_operation operation, const struct packed *left,
                 const struct packed *right, struct arena *arena, struct packed *out)
{
    return numeric_calculate(operation, left->bytes, left->size, right->bytes, right->size, arena,
                             &out->bytes, &out->size);
}

enum status
packed_shift(const struct packed *value, int32_t exponent, struct arena *arena, struct packed *out)
{
    char text[24];
    struct packed factor;

    (void)snprintf(text, sizeof(text), "1e%d", exponent);
    TRY(packed_from(text, arena, &factor));
    return packed_calculate(NUMERIC_MULTIPLY, value, &factor, arena, out);
}

/* A quotient has at least the decimals that its left side shows, and at most 1,000: for more, the left side is
 * made larger. */
enum status
packed_divide(const struct packed *left, const struct packed *right, int32_t scale,
              struct arena *arena, struct packed *out)
{
    int32_t shift = scale > NUMERIC_EXP_SCALE_MAX ? scale - NUMERIC_EXP_SCALE_MAX : 0;
    struct packed padded;

    TRY(packed_shift(left, shift, arena, &padded));
    if (packed_scale(&padded) < scale - shift)
        TRY(packed_round(&padded, scale - shift, arena, &padded));
    TRY(packed_calculate(NUMERIC_DIVIDE, &padded, right, arena, out));
    TRY(packed_shift(out, -shift, arena, out));
    return packed_round(out, scale, arena, out);
}

static enum status
multiply(const struct packed *left, const struct packed *right, int32_t scale, struct arena *arena,
         struct packed *out)
{
    TRY(packed_calculate(NUMERIC_MULTIPLY, left, right, arena, out));
    return packed_round(out, scale, arena, out);
}

/* exp. */

/* 1 + x + x^2/2 + ... for a small x. */
static enum status
sum_series(const struct packed *x, int32_t scale, struct arena *arena, struct packed *sum)
{
    struct packed term = *x, number;
    char text[16];

    TRY(packed_from("1", arena, &number));
    TRY(packed_calculate(NUMERIC_ADD, &number, x, arena, sum));
    for (uint32_t k = 2; !packed_is_zero(&term); k++) {
        (void)snprintf(text, sizeof(text), "%u", k);
        TRY(packed_from(text, arena, &number));
        TRY(multiply(&term, x, scale, arena, &term));
        TRY(packed_divide(&term, &number, scale, arena, &term));
        TRY(packed_calculate(NUMERIC_ADD, sum, &term, arena, sum));
    }
    return STATUS_OK;
}

enum status
numeric_exp_to(const struct packed *value, int32_t scale, struct arena *arena, struct packed *out)
{
    double real = packed_to_real(value);
    double rest = fabs(real);
    int32_t halvings = 0;
    struct packed x, half;

    if (fabs(real) >= EXP_MOST) {
        if (real > 0)
            return STATUS_FULL;
        TRY(packed_from("0", arena, out));
        return packed_round(out, scale, arena, out);
    }
    while (rest > 0.01) {
        rest /= 2;
        halvings++;
    }
    int32_t weight = (int32_t)(real * log10_e);
    int32_t digits = weight + scale + (int32_t)(halvings * 0.301) + GUARD_DIGITS;
    digits = digits > GUARD_DIGITS ? digits : GUARD_DIGITS;
    TRY(packed_from("0.5", arena, &half));
    TRY(packed_round(value, digits + halvings, arena, &x));
    for (int32_t i = 0; i < halvings; i++)
        TRY(multiply(&x, &half, digits + halvings, arena, &x));
    TRY(packed_round(&x, digits, arena, &x));
    TRY(sum_series(&x, digits, arena, out));
    for (int32_t i = 0; i < halvings; i++) {
        TRY(packed_calculate(NUMERIC_MULTIPLY, out, out, arena, out));
        TRY(packed_round(out, digits - packed_weight(out), arena, out));
    }
    return packed_round(out, scale, arena, out);
}

/* ln. */

/* Of a number from 0.9 to 10. */
static enum status
ln_small(const struct packed *value, int32_t scale, struct arena *arena, struct packed *y)
{
    char text[40];
    struct packed one, power;

    (void)snprintf(text, sizeof(text), "%.17f", log(packed_to_real(value)));
    TRY(packed_from("1", arena, &one));
    TRY(packed_from(text, arena, y));
    for (int32_t right = REAL_DIGITS; right / 2 <= scale; right *= 2) {
        struct packed minus;
        int32_t wanted = 2 * right < scale + 2 ? 2 * right : scale + 2;

        TRY(packed_from("0", arena, &minus));
        TRY(packed_calculate(NUMERIC_SUBTRACT, &minus, y, arena, &minus));
        TRY(numeric_exp_to(&minus, wanted + 2, arena, &power));
        TRY(multiply(value, &power, wanted + 2, arena, &power));
        TRY(packed_calculate(NUMERIC_ADD, y, &power, arena, y));
        TRY(packed_calculate(NUMERIC_SUBTRACT, y, &one, arena, y));
        TRY(packed_round(y, wanted, arena, y));
    }
    return STATUS_OK;
}

enum status
numeric_ln_to(const struct packed *value, int32_t scale, struct arena *arena, struct packed *out)
{
    double real = packed_to_real(value);
    int32_t shift = real >= 0.9 && real < 10 ? 0 : packed_weight(value);
    struct packed small, ten, tens, logarithm;
    char text[16];

    TRY(packed_shift(value, -shift, arena, &small));
    TRY(ln_small(&small, scale + GUARD_DIGITS, arena, out));
    if (shift != 0) {
        (void)snprintf(text, sizeof(text), "%d", shift);
        TRY(packed_from("10", arena, &ten));
        TRY(packed_from(text, arena, &tens));
        TRY(ln_small(&ten, scale + GUARD_DIGITS, arena, &logarithm));
        TRY(packed_calculate(NUMERIC_MULTIPLY, &logarithm, &tens, arena, &logarithm));
        TRY(packed_calculate(NUMERIC_ADD, out, &logarithm, arena, out));
    }
    return packed_round(out, scale, arena, out);
}

/* Powers. */

/* What is below 10^-SCALE_MOST is taken for zero. */
static enum status
multiply_up(struct packed *left, const struct packed *right, int32_t digits, struct arena *arena)
{
    enum { SCALE_MOST = 8000 };
    int32_t scale;

    TRY(packed_calculate(NUMERIC_MULTIPLY, left, right, arena, left));
    scale = digits - packed_weight(left);
    return packed_round(left, scale < SCALE_MOST ? scale : SCALE_MOST, arena, left);
}

enum status
numeric_power_to(const struct packed *value, int32_t exponent, int32_t digits, struct arena *arena,
                 struct packed *out)
{
    uint32_t left = exponent < 0 ? 0u - (uint32_t)exponent : (uint32_t)exponent;
    struct packed base = *value;

    digits += GUARD_DIGITS + (int32_t)log10(fabs((double)exponent) + 1);
    TRY(packed_from("1", arena, out));
    if (exponent < 0)
        TRY(packed_divide(out, value, digits + packed_weight(value), arena, &base));
    for (; left > 0; left >>= 1) {
        if (left & 1)
            TRY(multiply_up(out, &base, digits, arena));
        if (left > 1)
            TRY(multiply_up(&base, &base, digits, arena));
    }
    return STATUS_OK;
}
