/*
 * Exact numbers in base 10,000, as on PostgreSQL's wire: int16 digit count, int16 weight (of the first
 * digit), uint16 sign, uint16 display scale, then the digits, all little-endian here. No leading or
 * trailing zero digits; zero has none. Pure functions; thread-safe.
 */
#ifndef EXECUTOR_NUMERIC_H
#define EXECUTOR_NUMERIC_H

#include "kernel/base/bytes.h"
#include "kernel/base/memory.h"

enum {
    NUMERIC_DIGITS_MAX = 4096, /* Base 10,000: 16,384 decimal digits. */
    NUMERIC_SCALE_MAX = 16383,
    NUMERIC_POSITIVE = 0x0000,
    NUMERIC_NEGATIVE = 0x4000,
    NUMERIC_NAN = 0xc000,
};

struct numeric_header {
    le16 digit_count;
    le16 weight;
    le16 sign;
    le16 scale;
};
static_assert(sizeof(struct numeric_header) == 8, "stored size");

/* The unpacked form; digits are the caller's array of NUMERIC_DIGITS_MAX. */
struct numeric {
    int32_t digit_count;
    int32_t weight;
    uint16_t sign;
    uint16_t scale;
    uint16_t *digits;
};

/** STATUS_INVALID: not a number; STATUS_FULL: out of range; STATUS_NO_MEMORY. */
MUST_CHECK enum status numeric_parse(const char *text, size_t size, struct arena *arena,
                                     const uint8_t **out, uint32_t *size_out);
/** `scale` digits after the point, rounded half away from zero. STATUS_FULL past `precision`. */
MUST_CHECK enum status numeric_round(const uint8_t *bytes, uint32_t size, int32_t precision,
                                     int32_t scale, struct arena *arena, const uint8_t **out,
                                     uint32_t *size_out);
char *numeric_print(const uint8_t *bytes, uint32_t size, struct arena *arena, size_t *size_out);
/** True when the bytes are a well-formed number (for bytes from disk). */
bool numeric_is_valid(const uint8_t *bytes, uint32_t size);
/** NaN is equal to itself and above everything. */
int numeric_compare(const uint8_t *left, uint32_t left_size, const uint8_t *right,
                    uint32_t right_size);
double numeric_to_real(const uint8_t *bytes, uint32_t size, struct arena *arena);
/** Rounded half away from zero; false when it does not fit. */
bool numeric_to_integer(const uint8_t *bytes, uint32_t size, int64_t *out);
MUST_CHECK enum status numeric_from_integer(int64_t integer, struct arena *arena,
                                            const uint8_t **out, uint32_t *size_out);

MUST_CHECK enum status numeric_from_wide(__int128 integer, struct arena *arena, const uint8_t **out,
                                         uint32_t *size_out);

/** The number times 10^16 and its decimals; false when it has more than 16 of them, or 12 digits before
 * the point are not enough, or for NaN. The bytes are valid. */
bool numeric_to_scaled(const uint8_t *bytes, uint32_t size, __int128 *out, uint16_t *scale_out);
/** The way back; `scale` decimals are shown. */
MUST_CHECK enum status numeric_from_scaled(__int128 scaled, uint16_t scale, struct arena *arena,
                                           const uint8_t **out, uint32_t *size_out);

/* A number of few digits: units of 10,000^-fraction, fraction 0 to 4; `scale` decimals are shown. */
struct numeric_short {
    int64_t units;
    uint16_t fraction;
    uint16_t scale;
};
/** False when it is too long, or NaN. The bytes are valid. */
bool numeric_short_read(const uint8_t *bytes, uint32_t size, struct numeric_short *out);
/** As numeric_to_scaled: the number times 10^16. */
__int128 numeric_short_scaled(const struct numeric_short *number);

enum numeric_operation {
    NUMERIC_ADD = 1,
    NUMERIC_SUBTRACT = 2,
    NUMERIC_MULTIPLY = 3,
    NUMERIC_DIVIDE = 4, /* To at least 16 significant digits, as PostgreSQL. */
    NUMERIC_MODULO = 5, /* With the sign of the left side. */
};
/** Sums, differences and products; false when the result is too long, or for another operation. */
bool numeric_short_calculate(enum numeric_operation operation, const struct numeric_short *left,
                             const struct numeric_short *right, struct numeric_short *out);
/** STATUS_INVALID: division by zero; STATUS_FULL: out of range. */
MUST_CHECK enum status numeric_calculate(enum numeric_operation operation, const uint8_t *left,
                                         uint32_t left_size, const uint8_t *right,
                                         uint32_t right_size, struct arena *arena,
                                         const uint8_t **out, uint32_t *size_out);

#endif
