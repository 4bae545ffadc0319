/*
 * Exponentials and logarithms of numerics to a wanted number of decimals, and the small arithmetic they are made
 * of. Values are packed numerics in the arena. Pure; thread-safe.
 *
 * Errors: STATUS_FULL: out of range; STATUS_NO_MEMORY.
 */
#ifndef EXECUTOR_NUMERIC_EXP_H
#define EXECUTOR_NUMERIC_EXP_H

#include "executor/numeric.h"

enum { NUMERIC_EXP_SCALE_MAX = 1000 /* Decimals shown; more are cut to these. */ };

struct packed {
    const uint8_t *bytes;
    uint32_t size;
};

/** The place of the first digit: 0 for 1 to 9.9, -1 for 0.1; 0 for zero. */
int32_t packed_weight(const struct packed *value);
uint16_t packed_scale(const struct packed *value);
uint16_t packed_sign(const struct packed *value);
bool packed_is_zero(const struct packed *value);
/** A double that does not overflow: value = result * 10^*exponent_out. */
double packed_split(const struct packed *value, int32_t *exponent_out);
/** The nearest double; at most 1e300 in size. */
double packed_to_real(const struct packed *value);

MUST_CHECK enum status packed_from(const char *text, struct arena *arena, struct packed *out);
/** To `scale` decimals, 0 where that is negative. */
MUST_CHECK enum status packed_round(const struct packed *value, int32_t scale, struct arena *arena,
                                    struct packed *out);
/** Exactly. */
MUST_CHECK enum status packed_calculate(enum numeric_operation operation, const struct packed *left,
                                        const struct packed *right, struct arena *arena,
                                        struct packed *out);
MUST_CHECK enum status packed_divide(const struct packed *left, const struct packed *right,
                                     int32_t scale, struct arena *arena, struct packed *out);
/** value * 10^exponent */
MUST_CHECK enum status packed_shift(const struct packed *value, int32_t exponent,
                                    struct arena *arena, struct packed *out);

/** e^value, right to `scale` decimals. Zero where it is below what can be shown. */
MUST_CHECK enum status numeric_exp_to(const struct packed *value, int32_t scale,
                                      struct arena *arena, struct packed *out);
/** The natural logarithm of a number above 0. */
MUST_CHECK enum status numeric_ln_to(const struct packed *value, int32_t scale, struct arena *arena,
                                     struct packed *out);
/** value^exponent; not 0 to a negative one. `digits` significant digits are right. */
MUST_CHECK enum status numeric_power_to(const struct packed *value, int32_t exponent,
                                        int32_t digits, struct arena *arena, struct packed *out);

#endif
