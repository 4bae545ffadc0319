/*
 * Sums, differences and products of numerics of at most four base digits each (16 decimal ones), which
 * most numbers in tables are: as 64-bit integers, without memory but for the result. Everything else is
 * left to numeric_calculate.
 */
#include "executor/numeric_private.h"
#include "kernel/base/check.h"

enum { SMALL_DIGITS = 4, RESULT_DIGITS = 2 * SMALL_DIGITS, EXPONENT_MAX = 1000 };

/* 10,000 to the power of the index. */
static const int64_t powers[] = {1, 10000, 100000000, 1000000000000, 10000000000000000};

/* magnitude * 10,000^exponent. */
struct small {
    int64_t magnitude;
    int32_t count; /* Base digits that the magnitude may have. */
    int32_t exponent;
    bool negative;
    uint16_t scale;
};

static bool
unpack(const uint8_t *bytes, uint32_t size, struct small *out)
{
    struct numeric_header header;

    CHECK(size >= sizeof(header));
    memcpy(&header, bytes, sizeof(header));
    uint16_t sign = le16_get(header.sign);
    int32_t weight = (int16_t)le16_get(header.weight);
    out->count = le16_get(header.digit_count);
    out->scale = le16_get(header.scale);
    out->exponent = weight - (out->count - 1);
    out->negative = sign == NUMERIC_NEGATIVE;
    if (out->count > SMALL_DIGITS || sign == NUMERIC_NAN || weight > EXPONENT_MAX ||
        weight < -EXPONENT_MAX || out->scale > NUMERIC_SCALE_MAX / 2)
        return false;
    out->magnitude = 0;
    for (int32_t i = 0; i < out->count; i++) {
        le16 digit;

        memcpy(digit.byte, bytes + sizeof(header) + 2 * (size_t)i, sizeof(digit.byte));
        out->magnitude = out->magnitude * NUMERIC__BASE + le16_get(digit);
    }
    return true;
}

/* Base digits of `magnitude`, below 10,000^SMALL_DIGITS, in front of digits[SMALL_DIGITS]. */
static void
split(uint64_t magnitude, uint16_t *digits)
{
    for (int i = SMALL_DIGITS - 1; i >= 0; i--) {
        digits[i] = (uint16_t)(magnitude % NUMERIC__BASE);
        magnitude /= NUMERIC__BASE;
    }
}

static enum status
pack(unsigned __int128 magnitude, bool negative, int32_t exponent, uint16_t scale,
     struct arena *arena, const uint8_t **out, uint32_t *size_out)
{
    uint16_t digits[RESULT_DIGITS];
    const uint64_t half = (uint64_t)powers[SMALL_DIGITS];
    struct numeric number = {.digit_count = RESULT_DIGITS,
                             .weight = exponent + RESULT_DIGITS - 1,
                             .sign = negative ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE,
                             .scale = scale,
                             .digits = digits};

    if (magnitude < half) {
        number.digit_count = SMALL_DIGITS;
        number.weight = exponent + SMALL_DIGITS - 1;
        split((uint64_t)magnitude, digits);
    } else {
        split((uint64_t)(magnitude / half), digits);
        split((uint64_t)(magnitude % half), digits + SMALL_DIGITS);
    }
    return numeric__pack(&number, arena, out, size_out);
}

/* Both with the exponent of the lower one; false when that takes too many digits. */
static bool
align(struct small *left, struct small *right)
{
    struct small *high = left->exponent > right->exponent ? left : right;
    const struct small *low = high == left ? right : left;

    if (left->count == 0 || right->count == 0) {
        struct small *zero = left->count == 0 ? left : right;

        zero->exponent = zero == left ? right->exponent : left->exponent;
        return true;
    }
    int32_t shift = high->exponent - low->exponent;
    if (high->count + shift > SMALL_DIGITS)
        return false;
    high->magnitude *= powers[shift];
    high->exponent = low->exponent;
    return true;
}

enum status
numeric__calculate_small(enum numeric_operation operation, const uint8_t *left, uint32_t left_size,
                         const uint8_t *right, uint32_t right_size, struct arena *arena,
                         const uint8_t **out, uint32_t *size_out)
{
    struct small a, b;

    if (operation > NUMERIC_MULTIPLY || !unpack(left, left_size, &a) ||
        !unpack(right, right_size, &b))
        return STATUS_MISSING;
    if (operation == NUMERIC_MULTIPLY)
        return pack((unsigned __int128)a.magnitude * (unsigned __int128)b.magnitude,
                    a.negative != b.negative, a.exponent + b.exponent,
                    (uint16_t)(a.scale + b.scale), arena, out, size_out);
    if (!align(&a, &b))
        return STATUS_MISSING;
    b.negative = b.negative != (operation == NUMERIC_SUBTRACT);
    int64_t sum =
        (a.negative ? -a.magnitude : a.magnitude) + (b.negative ? -b.magnitude : b.magnitude);
    return pack((uint64_t)(sum < 0 ? -sum : sum),
                sum<0, a.exponent, a.scale> b.scale ? a.scale : b.scale, arena, out, size_out);
}
