/*
 * Exact decimal numbers as text: what NUMERIC values are in a legacy file. Pure; memory from the
 * caller's arena.
 */
#ifndef TOOLS_QTDB_MIGRATE_MIGRATE_DECIMAL_H
#define TOOLS_QTDB_MIGRATE_MIGRATE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/memory.h"

enum { DECIMAL_DIGITS_MAX = 2000 };

/* digits * 10^-scale; digits without leading zeros (zero has none), scale >= 0. */
struct decimal {
    bool negative;
    char *digits;
    size_t count;
    size_t scale;
};

/** [+-] digits [. digits] [e exponent]; false for anything else or more than DECIMAL_DIGITS_MAX. */
bool decimal_parse(const char *text, size_t size, struct arena *arena, struct decimal *out);
/** To `scale` digits after the point, halves away from zero; `*lost_out` when a digit was not zero. */
bool decimal_round(struct decimal *decimal, size_t scale, struct arena *arena, bool *lost_out);
/** Digits before the point. */
size_t decimal_integer_digits(const struct decimal *decimal);
/** PostgreSQL's output: all digits of the scale, no point without them; NULL: no memory. */
const char *decimal_print(const struct decimal *decimal, struct arena *arena, size_t *size_out);
/** False when there is a fraction or the number does not fit. */
bool decimal_to_i64(const struct decimal *decimal, int64_t *out);
/** The nearest double where that takes one rounding: at most 15 digits and a scale of at most 22. False: others. */
bool decimal_to_real(const struct decimal *decimal, double *out);
/** The same number, whatever the scales. */
bool decimal_equals(const struct decimal *left, const struct decimal *right);

#endif
