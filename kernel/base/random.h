/* Seeded random numbers (xoshiro256**, Blackman and Vigna 2018): the same seed, the same run. */
#ifndef KERNEL_BASE_RANDOM_H
#define KERNEL_BASE_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_init(struct random *random, uint64_t seed);
uint64_t random_u64(struct random *random);
/** Uniform in [0, bound); `bound` > 0. */
uint64_t random_below(struct random *random, uint64_t bound);
/** True `numerator` times in `denominator`. */
bool random_chance(struct random *random, uint64_t numerator, uint64_t denominator);
void random_bytes(struct random *random, void *out, size_t size);
/** A 64-bit bijection (splitmix64's finaliser), for keys from counters. */
uint64_t random_mix(uint64_t value);

#endif
