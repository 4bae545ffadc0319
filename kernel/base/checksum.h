/* XXH3-64 and XXH3-128 behind one door; the seed makes a checksum an identity check as well. */
#ifndef KERNEL_BASE_CHECKSUM_H
#define KERNEL_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

struct checksum128 {
    uint64_t low;
    uint64_t high;
};

uint64_t checksum64(const void *bytes, size_t size, uint64_t seed);
struct checksum128 checksum128(const void *bytes, size_t size, uint64_t seed);
/** Mixes two words into a seed (a bijection of each word when the other is fixed). */
uint64_t checksum_seed(uint64_t first, uint64_t second);

#endif
