/*
 * xoshiro256** by Blackman and Vigna, seeded through splitmix64 as they advise, so that any seed,
 * zero included, gives a state that is not all zero. The sequence of a seed is a promise: seeds in
 * named tests must give the same run for ever, and random_mix is part of a format (checksum_seed).
 */
#include "kernel/base/random.h"

#include <string.h>

#include "kernel/base/check.h"

static const uint64_t GOLDEN_GAMMA = 0x9e3779b97f4a7c15;

static uint64_t
rotate_left(uint64_t value, unsigned count)
{
    return (value << count) | (value >> (64 - count));
}

uint64_t
random_mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}

void
random_init(struct random *random, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++) {
        seed += GOLDEN_GAMMA;
        random->state[i] = random_mix(seed);
    }
}

uint64_t
random_u64(struct random *random)
{
    uint64_t *state = random->state;
    uint64_t result = rotate_left(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;

    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate_left(state[3], 45);
    return result;
}

/* Lemire, "Fast random integer generation in an interval" (2019): a multiplication, and a retry
 * for the few values that would make some results more likely than others. */
uint64_t
random_below(struct random *random, uint64_t bound)
{
    CHECK(bound > 0);
    uint64_t unfair = (0 - bound) % bound;

    for (;;) {
        unsigned __int128 product = (unsigned __int128)random_u64(random) * bound;

        if ((uint64_t)product >= unfair)
            return (uint64_t)(product >> 64);
    }
}

bool
random_chance(struct random *random, uint64_t numerator, uint64_t denominator)
{
    CHECK(numerator <= denominator);
    return random_below(random, denominator) < numerator;
}

void
random_bytes(struct random *random, void *out, size_t size)
{
    uint8_t *bytes = out;

    while (size > 0) {
        uint64_t word = random_u64(random);
        size_t count = size < sizeof(word) ? size : sizeof(word);

        memcpy(bytes, &word, count);
        bytes += count;
        size -= count;
    }
}
