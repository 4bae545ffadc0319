/*
 * XXH3 behind one door: the only file that sees xxhash.h.
 *
 * Debian's shared library also carries XXH3's run-time dispatch (AVX2, AVX-512), which halves the
 * time of a 4 KB page, but its header exists on x86 only and its static archive lacks it. So the
 * dispatching functions are weak references: taken when the linker found them, else the plain ones,
 * which give the same values.
 */
#include "kernel/base/checksum.h"

#include <xxhash.h>

#include "kernel/base/check.h"
#include "kernel/base/random.h"

extern XXH64_hash_t XXH3_64bits_withSeed_dispatch(const void *input, size_t length,
                                                  XXH64_hash_t seed) __attribute__((weak));
extern XXH128_hash_t XXH3_128bits_withSeed_dispatch(const void *input, size_t length,
                                                    XXH64_hash_t seed) __attribute__((weak));

uint64_t
checksum64(const void *bytes, size_t size, uint64_t seed)
{
    CHECK(bytes != NULL || size == 0);
    if (XXH3_64bits_withSeed_dispatch != NULL)
        return XXH3_64bits_withSeed_dispatch(bytes, size, seed);
    return XXH3_64bits_withSeed(bytes, size, seed);
}

struct checksum128
checksum128(const void *bytes, size_t size, uint64_t seed)
{
    XXH128_hash_t hash;

    CHECK(bytes != NULL || size == 0);
    if (XXH3_128bits_withSeed_dispatch != NULL)
        hash = XXH3_128bits_withSeed_dispatch(bytes, size, seed);
    else
        hash = XXH3_128bits_withSeed(bytes, size, seed);
    return (struct checksum128){.low = hash.low64, .high = hash.high64};
}

/* The constant keeps (0, 0) from giving 0. The order of the words matters: (a, b) is not (b, a). */
uint64_t
checksum_seed(uint64_t first, uint64_t second)
{
    return random_mix(first ^ random_mix(second + 0x9e3779b97f4a7c15));
}
