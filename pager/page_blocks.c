/*
 * Comparing pages block by block, with the widest vectors that the processor has: an edited page is
 * compared once or twice in each commit, and that is a tenth of what the commit costs.
 *
 * Compiled once a level of vector instructions and chosen at run time. All levels give the same bits;
 * the plain one is what compilers make of 16-byte vectors on any processor.
 */
#include "pager/page_blocks.h"

#include <string.h>

#include "kernel/base/check.h"
#include "pager/page_delta.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define X86 1
#define TARGET_AVX2 __attribute__((target("avx2")))
#define TARGET_AVX512 __attribute__((target("avx512f")))
#else
#define X86 0
#endif

static_assert((int)PAGE_DELTA_FIRST_BYTE < (int)PAGE_BLOCK_SIZE, "the rest is in the first block");

typedef uint64_t words2 __attribute__((vector_size(16)));

static inline words2
words2_load(const uint8_t *bytes)
{
    words2 result;

    memcpy(&result, bytes, sizeof(result));
    return result;
}

static inline bool
differs_plain(const uint8_t *a, const uint8_t *b)
{
    words2 first = words2_load(a) ^ words2_load(b);
    words2 second = words2_load(a + 16) ^ words2_load(b + 16);
    words2 third = words2_load(a + 32) ^ words2_load(b + 32);
    words2 fourth = words2_load(a + 48) ^ words2_load(b + 48);
    words2 all = (first | second) | (third | fourth);

    return (all[0] | all[1]) != 0;
}

#if X86

TARGET_AVX2 static inline bool
differs_avx2(const uint8_t *a, const uint8_t *b)
{
    __m256i low =
        _mm256_xor_si256(_mm256_loadu_si256((const void *)a), _mm256_loadu_si256((const void *)b));
    __m256i high = _mm256_xor_si256(_mm256_loadu_si256((const void *)(a + 32)),
                                    _mm256_loadu_si256((const void *)(b + 32)));
    __m256i all = _mm256_or_si256(low, high);

    return _mm256_testz_si256(all, all) == 0;
}

TARGET_AVX512 static inline bool
differs_avx512(const uint8_t *a, const uint8_t *b)
{
    return _mm512_cmpneq_epi64_mask(_mm512_loadu_si512((const void *)a),
                                    _mm512_loadu_si512((const void *)b)) != 0;
}

#endif

/* The body of each level: all blocks but the first. */
#define DIFFER(differs)                                                            \
    do {                                                                           \
        uint64_t result = 0;                                                       \
                                                                                   \
        for (; blocks != 0; blocks &= blocks - 1) {                                \
            uint32_t block = (uint32_t)__builtin_ctzll(blocks);                    \
            size_t offset = (size_t)block * PAGE_BLOCK_SIZE;                       \
                                                                                   \
            result |= (uint64_t)differs(before + offset, after + offset) << block; \
        }                                                                          \
        return result;                                                             \
    } while (0)

static uint64_t
differ_plain(const uint8_t *before, const uint8_t *after, uint64_t blocks)
{
    DIFFER(differs_plain);
}

#if X86

TARGET_AVX2 static uint64_t
differ_avx2(const uint8_t *before, const uint8_t *after, uint64_t blocks)
{
    DIFFER(differs_avx2);
}

TARGET_AVX512 static uint64_t
differ_avx512(const uint8_t *before, const uint8_t *after, uint64_t blocks)
{
    DIFFER(differs_avx512);
}

#endif

enum page_blocks_simd
page_blocks_best(void)
{
#if X86
    if (__builtin_cpu_supports("avx512f"))
        return PAGE_BLOCKS_AVX512;
    if (__builtin_cpu_supports("avx2"))
        return PAGE_BLOCKS_AVX2;
#endif
    return PAGE_BLOCKS_PLAIN;
}

static bool
first_differs(const uint8_t *before, const uint8_t *after)
{
    const size_t first = PAGE_DELTA_FIRST_BYTE;

    return memcmp(before + first, after + first, PAGE_BLOCK_SIZE - first) != 0;
}

uint64_t
page_blocks_differ_by(const uint8_t *before, const uint8_t *after, uint64_t blocks,
                      enum page_blocks_simd simd)
{
    uint64_t first = (blocks & 1) != 0 && first_differs(before, after);

    blocks &= ~UINT64_C(1);
#if X86
    if (simd == PAGE_BLOCKS_AVX512)
        return first | differ_avx512(before, after, blocks);
    if (simd == PAGE_BLOCKS_AVX2)
        return first | differ_avx2(before, after, blocks);
#endif
    CHECK(simd == PAGE_BLOCKS_PLAIN);
    return first | differ_plain(before, after, blocks);
}

uint64_t
page_blocks_differ(const uint8_t *before, const uint8_t *after, uint64_t blocks)
{
    return page_blocks_differ_by(before, after, blocks, page_blocks_best());
}

uint64_t
page_blocks_of(uint32_t offset, uint32_t size)
{
    CHECK(size > 0 && offset + size <= PAGE_SIZE);
    uint32_t first = offset / PAGE_BLOCK_SIZE;
    uint32_t last = (offset + size - 1) / PAGE_BLOCK_SIZE;

    return UINT64_MAX << first & UINT64_MAX >> (PAGE_BLOCK_COUNT - 1 - last);
}

void
page_blocks_copy(uint8_t *to, const uint8_t *from, uint64_t blocks)
{
    while (blocks != 0) {
        uint32_t first = (uint32_t)__builtin_ctzll(blocks);
        uint64_t rest = ~(blocks >> first);
        uint32_t count = rest == 0 ? PAGE_BLOCK_COUNT : (uint32_t)__builtin_ctzll(rest);
        uint32_t offset = first * PAGE_BLOCK_SIZE;

        if (count > PAGE_BLOCK_COUNT - first)
            count = PAGE_BLOCK_COUNT - first;
        memcpy(to + offset, from + offset, (size_t)count * PAGE_BLOCK_SIZE);
        blocks &= ~page_blocks_of(offset, count * PAGE_BLOCK_SIZE);
    }
}
