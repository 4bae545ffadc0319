/* Numerics, inside: what numeric*.c share. */
#ifndef EXECUTOR_NUMERIC_PRIVATE_H
#define EXECUTOR_NUMERIC_PRIVATE_H

#include "executor/numeric.h"

enum { NUMERIC__BASE = 10000, NUMERIC__BASE_DIGITS = 4 };

MUST_CHECK enum status numeric__unpack(const uint8_t *bytes, uint32_t size, struct arena *arena,
                                       struct numeric *out);
/** Strips zero digits at both ends. */
MUST_CHECK enum status numeric__pack(const struct numeric *number, struct arena *arena,
                                     const uint8_t **out, uint32_t *size_out);
/** Cuts to `scale` decimals, half away from zero. Digits need one place of room in front. */
void numeric__round_digits(struct numeric *number, int32_t scale);

/** left / right, to the scale that PostgreSQL gives; `truncate`: to an integer, towards zero. */
MUST_CHECK enum status numeric__divide(const struct numeric *left, const struct numeric *right,
                                       bool truncate, struct arena *arena, const uint8_t **out,
                                       uint32_t *size_out);

/** As numeric_calculate, for the sums, differences and products that numeric_small.c can do;
 * STATUS_MISSING: it is none, and nothing is set. */
MUST_CHECK enum status numeric__calculate_small(enum numeric_operation operation,
                                                const uint8_t *left, uint32_t left_size,
                                                const uint8_t *right, uint32_t right_size,
                                                struct arena *arena, const uint8_t **out,
                                                uint32_t *size_out);

#endif
