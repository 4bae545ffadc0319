/*
 * Numerics as 128-bit integers in units of 10^-16: what sums are kept in while the numbers allow it.
 * Four base digits stand after the point, so no digit is ever divided.
 */
#include <string.h>

#include "executor/numeric_private.h"
#include "kernel/base/check.h"

enum { FRACTION_DIGITS = 4, WEIGHT_MAX = 2, WIDE_DIGITS = 10, NARROW_DIGITS = 4 };

/* 10,000 to the power of the index. */
static const int64_t powers[] = {1, 10000, 100000000, 1000000000000, 10000000000000000};

static inline uint16_t
digit_at(const uint8_t *bytes, int32_t index)
{
    le16 digit;

    memcpy(digit.byte, bytes + sizeof(struct numeric_header) + 2 * (size_t)index,
           sizeof(digit.byte));
    return le16_get(digit);
}

/* One to four digits: as if they were four, two and two at once. The header lies in front of them, so the last
 * eight bytes have all, the first one lowest. */
static inline int64_t
read_few(const uint8_t *bytes, uint32_t size, uint32_t count)
{
    const uint64_t even = 0x0000ffff0000ffffu;
    uint64_t word;

    memcpy(&word, bytes + size - sizeof(word), sizeof(word));
    word >>= 16 * (NARROW_DIGITS - count);
    word = (word & even) * NUMERIC__BASE + (word >> 16 & even);
    return (int64_t)((word & UINT32_MAX) * (uint64_t)powers[2] + (word >> 32));
}

bool
numeric_to_scaled(const uint8_t *bytes, uint32_t size, __int128 *out, uint16_t *scale_out)
{
    struct numeric_header header;
    int64_t first = 0; /* Digits that fit 64 bits. */
    int32_t i = 0;

    CHECK(size >= sizeof(header));
    memcpy(&header, bytes, sizeof(header));
    int32_t count = le16_get(header.digit_count), weight = (int16_t)le16_get(header.weight);
    uint16_t sign = le16_get(header.sign);
    if (count >= 1 && count <= NARROW_DIGITS && weight >= -1 && weight <= WEIGHT_MAX &&
        sign != NUMERIC_NAN) {
        int64_t units = read_few(bytes, size, (uint32_t)count);

        *out = (__int128)(sign == NUMERIC_NEGATIVE ? -units : units) * powers[weight + 1];
        *scale_out = le16_get(header.scale);
        return true;
    }
    int32_t shift = weight - (count - 1) + FRACTION_DIGITS; /* Zero digits behind the last. */
    if (sign == NUMERIC_NAN || (count > 0 && (weight > WEIGHT_MAX || shift < 0)))
        return false;
    for (; i < count && i < NARROW_DIGITS; i++)
        first = first * NUMERIC__BASE + digit_at(bytes, i);
    __int128 scaled = first;
    for (; i < count; i++)
        scaled = scaled * NUMERIC__BASE + digit_at(bytes, i);
    for (; count > 0 && shift >= FRACTION_DIGITS; shift -= FRACTION_DIGITS)
        scaled *= powers[FRACTION_DIGITS];
    if (count > 0)
        scaled *= powers[shift];
    *out = sign == NUMERIC_NEGATIVE ? -scaled : scaled;
    *scale_out = le16_get(header.scale);
    return true;
}

enum status
numeric_from_scaled(__int128 scaled, uint16_t scale, struct arena *arena, const uint8_t **out,
                    uint32_t *size_out)
{
    uint16_t digits[WIDE_DIGITS];
    unsigned __int128 left = scaled < 0 ? 0 - (unsigned __int128)scaled : (unsigned __int128)scaled;
    struct numeric number = {.digit_count = WIDE_DIGITS,
                             .weight = WIDE_DIGITS - 1 - FRACTION_DIGITS,
                             .sign = scaled < 0 ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE,
                             .scale = scale,
                             .digits = digits};

    for (int i = WIDE_DIGITS - 1; i >= 0; i--) {
        digits[i] = (uint16_t)(left % NUMERIC__BASE);
        left /= NUMERIC__BASE;
    }
    return numeric__pack(&number, arena, out, size_out);
}
