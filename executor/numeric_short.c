/*
 * Numbers of few digits as one 64-bit integer, for arithmetic whose steps are not needed as numerics: no
 * memory, and no digit is divided. Whatever does not fit is refused, never rounded.
 */
#include <string.h>

#include "executor/numeric_private.h"
#include "kernel/base/check.h"

enum { FRACTION_MAX = 4, DIGITS_MAX = 4 };

/* 10,000 to the power of the index. */
static const int64_t powers[] = {1, 10000, 100000000, 1000000000000, 10000000000000000};

bool
numeric_short_read(const uint8_t *bytes, uint32_t size, struct numeric_short *out)
{
    struct numeric_header header;
    uint64_t digits;
    int64_t units = 0;

    CHECK(size >= sizeof(header));
    memcpy(&header, bytes, sizeof(header));
    int32_t count = le16_get(header.digit_count), weight = (int16_t)le16_get(header.weight);
    uint16_t sign = le16_get(header.sign);
    if (count > DIGITS_MAX || sign == NUMERIC_NAN || weight >= DIGITS_MAX ||
        count - 1 - weight > FRACTION_MAX)
        return false;
    /* The header lies in front, so the last eight bytes have all digits, the first one lowest. */
    memcpy(&digits, bytes + size - sizeof(digits), sizeof(digits));
    digits = count == 0 ? 0 : digits >> 16 * (DIGITS_MAX - count);
    for (int32_t i = 0; i < count; i++, digits >>= 16)
        units = units * NUMERIC__BASE + (int64_t)(digits & 0xffff);
    /* Zero digits before the point are not stored. */
    if (count > 0 && weight >= count)
        units *= powers[weight - count + 1];
    out->units = sign == NUMERIC_NEGATIVE ? -units : units;
    out->fraction = (uint16_t)(count > 0 && count - 1 > weight ? count - 1 - weight : 0);
    out->scale = le16_get(header.scale);
    return true;
}

__int128
numeric_short_scaled(const struct numeric_short *number)
{
    return (__int128)number->units * powers[FRACTION_MAX - number->fraction];
}

static bool
add(const struct numeric_short *left, const struct numeric_short *right, bool subtract,
    struct numeric_short *out)
{
    uint16_t fraction = left->fraction > right->fraction ? left->fraction : right->fraction;
    int64_t a, b;

    if (__builtin_mul_overflow(left->units, powers[fraction - left->fraction], &a) ||
        __builtin_mul_overflow(right->units, powers[fraction - right->fraction], &b) ||
        (subtract ? __builtin_sub_overflow(a, b, &a) : __builtin_add_overflow(a, b, &a)))
        return false;
    uint16_t scale = left->scale > right->scale ? left->scale : right->scale;
    *out = (struct numeric_short){a, fraction, scale};
    return true;
}

bool
numeric_short_calculate(enum numeric_operation operation, const struct numeric_short *left,
                        const struct numeric_short *right, struct numeric_short *out)
{
    uint32_t fraction = (uint32_t)left->fraction + right->fraction;
    uint32_t scale = (uint32_t)left->scale + right->scale;
    int64_t units;

    if (operation == NUMERIC_ADD || operation == NUMERIC_SUBTRACT)
        return add(left, right, operation == NUMERIC_SUBTRACT, out);
    if (operation != NUMERIC_MULTIPLY || fraction > FRACTION_MAX || scale > NUMERIC_SCALE_MAX ||
        __builtin_mul_overflow(left->units, right->units, &units))
        return false;
    *out = (struct numeric_short){units, (uint16_t)fraction, (uint16_t)scale};
    return true;
}
