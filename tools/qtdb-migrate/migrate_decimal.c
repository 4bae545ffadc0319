/* See migrate_decimal.h. */
#include "tools/qtdb-migrate/migrate_decimal.h"

#include <string.h>

#include "kernel/base/check.h"

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The exponent behind its 'e'; false when it is no number or too large to write out. */
static bool
parse_exponent(const char *text, size_t size, int64_t *out)
{
    bool negative = size > 0 && text[0] == '-';
    int64_t value = 0;

    if (size > 0 && (text[0] == '-' || text[0] == '+')) {
        text++;
        size--;
    }
    if (size == 0)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!is_digit(text[i]))
            return false;
        value = value * 10 + (text[i] - '0');
        if (value > DECIMAL_DIGITS_MAX)
            return false;
    }
    *out = negative ? -value : value;
    return true;
}

/* Makes the scale `scale - exponent`, writing zeros out where that is below zero. */
static bool
shift(struct decimal *decimal, int64_t exponent)
{
    if (exponent <= (int64_t)decimal->scale) {
        decimal->scale = (size_t)((int64_t)decimal->scale - exponent);
        return decimal->scale <= DECIMAL_DIGITS_MAX;
    }
    size_t zeros = (size_t)(exponent - (int64_t)decimal->scale);
    if (decimal->count + zeros > DECIMAL_DIGITS_MAX)
        return false;
    if (decimal->count > 0) {
        memset(decimal->digits + decimal->count, '0', zeros);
        decimal->count += zeros;
    }
    decimal->scale = 0;
    return true;
}

bool
decimal_parse(const char *text, size_t size, struct arena *arena, struct decimal *out)
{
    struct decimal decimal = {.negative = size > 0 && text[0] == '-'};
    size_t at = size > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    size_t seen = 0;
    bool point = false;
    int64_t exponent = 0;

    if (size > DECIMAL_DIGITS_MAX)
        return false;
    bool scientific = memchr(text, 'e', size) != NULL || memchr(text, 'E', size) != NULL;
    decimal.digits = arena_alloc(arena, scientific ? DECIMAL_DIGITS_MAX + 1 : size + 1);
    if (decimal.digits == NULL)
        return false;
    for (; at < size && (is_digit(text[at]) || (text[at] == '.' && !point)); at++) {
        if (text[at] == '.') {
            point = true;
            continue;
        }
        seen++;
        decimal.scale += point;
        if (text[at] != '0' || decimal.count > 0)
            decimal.digits[decimal.count++] = text[at];
    }
    if (seen == 0)
        return false;
    if (at < size && (text[at] == 'e' || text[at] == 'E')) {
        if (!parse_exponent(text + at + 1, size - at - 1, &exponent))
            return false;
        at = size;
    }
    if (at != size || !shift(&decimal, exponent))
        return false;
    decimal.negative = decimal.negative && decimal.count > 0;
    *out = decimal;
    return true;
}

/* Adds one to the last digit kept. */
static void
increment(struct decimal *decimal)
{
    size_t at = decimal->count;

    while (at > 0 && decimal->digits[at - 1] == '9')
        decimal->digits[--at] = '0';
    if (at > 0) {
        decimal->digits[at - 1]++;
        return;
    }
    memmove(decimal->digits + 1, decimal->digits, decimal->count);
    decimal->digits[0] = '1';
    decimal->count++;
}

bool
decimal_round(struct decimal *decimal, size_t scale, struct arena *arena, bool *lost_out)
{
    size_t count = decimal->count + (scale > decimal->scale ? scale - decimal->scale : 0);
    char *digits = arena_alloc(arena, count + 2);

    if (digits == NULL)
        return false;
    *lost_out = false;
    if (decimal->count > 0)
        memcpy(digits, decimal->digits, decimal->count);
    decimal->digits = digits;
    if (scale >= decimal->scale) {
        if (decimal->count > 0) {
            memset(digits + decimal->count, '0', scale - decimal->scale);
            decimal->count = count;
        }
        decimal->scale = scale;
        return true;
    }
    size_t cut = decimal->scale - scale;
    size_t kept = decimal->count > cut ? decimal->count - cut : 0;
    bool up = decimal->count >= cut && decimal->count > 0 && digits[kept] >= '5';
    for (size_t i = kept; i < decimal->count; i++)
        *lost_out = *lost_out || digits[i] != '0';
    decimal->count = kept;
    decimal->scale = scale;
    if (up)
        increment(decimal);
    decimal->negative = decimal->negative && decimal->count > 0;
    return true;
}

size_t
decimal_integer_digits(const struct decimal *decimal)
{
    return decimal->count > decimal->scale ? decimal->count - decimal->scale : 0;
}

const char *
decimal_print(const struct decimal *decimal, struct arena *arena, size_t *size_out)
{
    size_t whole = decimal_integer_digits(decimal);
    size_t size = 0;
    char *out = arena_alloc(arena, decimal->count + decimal->scale + 4);

    if (out == NULL)
        return NULL;
    if (decimal->negative)
        out[size++] = '-';
    if (whole == 0)
        out[size++] = '0';
    else
        memcpy(out + size, decimal->digits, whole);
    size += whole;
    if (decimal->scale > 0) {
        size_t fraction = decimal->count - whole;

        out[size++] = '.';
        memset(out + size, '0', decimal->scale - fraction);
        size += decimal->scale - fraction;
        if (fraction > 0)
            memcpy(out + size, decimal->digits + whole, fraction);
        size += fraction;
    }
    out[size] = '\0';
    *size_out = size;
    return out;
}

bool
decimal_to_i64(const struct decimal *decimal, int64_t *out)
{
    size_t whole = decimal_integer_digits(decimal);
    int64_t value = 0;

    for (size_t i = whole; i < decimal->count; i++) {
        if (decimal->digits[i] != '0')
            return false;
    }
    for (size_t i = 0; i < whole; i++) {
        int digit = decimal->digits[i] - '0';

        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, decimal->negative ? -digit : digit, &value))
            return false;
    }
    *out = value;
    return true;
}

/* Both are doubles without rounding, so the quotient is rounded once, which is what strtod gives. */
bool
decimal_to_real(const struct decimal *decimal, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    int64_t digits = 0;

    if (decimal->count > 15 || decimal->scale >= sizeof(powers) / sizeof(powers[0]))
        return false;
    for (size_t i = 0; i < decimal->count; i++)
        digits = digits * 10 + (decimal->digits[i] - '0');
    *out = (double)(decimal->negative ? -digits : digits) / powers[decimal->scale];
    return true;
}

bool
decimal_equals(const struct decimal *left, const struct decimal *right)
{
    const struct decimal *fine = left->scale >= right->scale ? left : right;
    const struct decimal *coarse = fine == left ? right : left;
    size_t zeros = fine->scale - coarse->scale;

    if (fine->count == 0 || coarse->count == 0)
        return fine->count == coarse->count;
    if (left->negative != right->negative || fine->count != coarse->count + zeros ||
        memcmp(fine->digits, coarse->digits, coarse->count) != 0)
        return false;
    for (size_t i = coarse->count; i < fine->count; i++) {
        if (fine->digits[i] != '0')
            return false;
    }
    return true;
}
