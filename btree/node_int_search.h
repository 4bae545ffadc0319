/*
 * Searching integer nodes: how many numbers of a short array are below a key, three ways, and the
 * search of a node made of it. All three give the same answer for any bytes.
 *
 * The node's 16 hints say which block may hold the key, the blocks' sizes where it begins, and the
 * same comparison inside the block gives the row. That is two comparisons of 16 numbers in four cache
 * lines, whatever the page holds.
 *
 * Everything is inlined into functions that are compiled once a level of instructions (node_int.c,
 * tree_get.c); which one runs is asked of the processor at each call, which costs one load. Bytes may
 * be torn (optimistic views): no loaded number leads outside the page.
 */
#ifndef BTREE_NODE_INT_SEARCH_H
#define BTREE_NODE_INT_SEARCH_H

#include "btree/node_format.h"
#include "pager/pager_view.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define NODE_INT_X86 1
#define NODE_INT_TARGET_AVX2 __attribute__((target("avx2,popcnt,bmi,bmi2,lzcnt")))
#define NODE_INT_TARGET_AVX512 \
    __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,popcnt,bmi,bmi2,lzcnt")))
#else
#define NODE_INT_X86 0
#endif

#define NODE_INT_INLINE static inline __attribute__((always_inline))

enum node_int_simd { NODE_INT_SCALAR = 0, NODE_INT_AVX2 = 1, NODE_INT_AVX512 = 2 };

/** The best that the processor has. */
static inline enum node_int_simd
node__int_simd(void)
{
#if NODE_INT_X86
    if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw"))
        return NODE_INT_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return NODE_INT_AVX2;
#endif
    return NODE_INT_SCALAR;
}

/** How many of `count` numbers at `numbers` (8 bytes each, little-endian) are below `key`. */
typedef uint32_t node_int_below(const uint8_t *numbers, uint32_t count, uint64_t key);

NODE_INT_INLINE uint32_t
node__int_below_scalar(const uint8_t *numbers, uint32_t count, uint64_t key)
{
    uint32_t below = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t number = __atomic_load_n((const uint64_t *)(const void *)(numbers + (size_t)i * 8),
                                          __ATOMIC_RELAXED);

        below += number < key;
    }
    return below;
}

#if NODE_INT_X86

/* AVX2 compares signed numbers only: both sides get their highest bit turned. */
NODE_INT_TARGET_AVX2 NODE_INT_INLINE uint32_t
node__int_below_avx2(const uint8_t *numbers, uint32_t count, uint64_t key)
{
    const __m256i turn = _mm256_set1_epi64x(INT64_MIN);
    const __m256i wanted = _mm256_set1_epi64x((int64_t)(key ^ UINT64_C(0x8000000000000000)));
    const __m256i places = _mm256_setr_epi64x(0, 1, 2, 3);
    uint32_t below = 0;

    for (uint32_t i = 0; i < count; i += 4) {
        __m256i mask = _mm256_cmpgt_epi64(_mm256_set1_epi64x((int64_t)(count - i)), places);
        __m256i found =
            _mm256_maskload_epi64((const long long *)(const void *)(numbers + (size_t)i * 8), mask);
        __m256i less = _mm256_cmpgt_epi64(wanted, _mm256_xor_si256(found, turn));

        less = _mm256_and_si256(less, mask);
        below +=
            (uint32_t)__builtin_popcount((unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(less)));
    }
    return below;
}

/* Up to 16 numbers. */
NODE_INT_TARGET_AVX512 NODE_INT_INLINE uint32_t
node__int_below_16(const uint8_t *numbers, uint32_t count, __m512i wanted)
{
    uint32_t mask = _bzhi_u32(UINT32_MAX, count);
    __mmask8 low = (__mmask8)mask;
    __mmask8 high = (__mmask8)(mask >> 8);
    __m512i first = _mm512_maskz_loadu_epi64(low, numbers);
    __m512i second = _mm512_maskz_loadu_epi64(high, numbers + 64);
    __mmask16 less = _mm512_kunpackb(_mm512_mask_cmplt_epu64_mask(high, second, wanted),
                                     _mm512_mask_cmplt_epu64_mask(low, first, wanted));

    return (uint32_t)__builtin_popcount(_cvtmask16_u32(less));
}

NODE_INT_TARGET_AVX512 NODE_INT_INLINE uint32_t
node__int_below_avx512(const uint8_t *numbers, uint32_t count, uint64_t key)
{
    const __m512i wanted = _mm512_set1_epi64((int64_t)key);
    uint32_t below = node__int_below_16(numbers, count, wanted);

    while (__builtin_expect(count > 16, 0)) {
        count -= 16;
        numbers += 128;
        below += node__int_below_16(numbers, count, wanted);
    }
    return below;
}

#endif

/* The sum of the first `count` (up to 16) of 16 bytes: the blocks of either kind of node. */
NODE_INT_INLINE uint32_t
node__blocks_sum(const uint8_t *bytes, uint32_t count)
{
#if NODE_INT_X86
    const __m128i places = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m128i wanted = _mm_cmpgt_epi8(_mm_set1_epi8((char)count), places);
    __m128i all = _mm_loadu_si128((const __m128i *)(const void *)bytes);
    __m128i sums = _mm_sad_epu8(_mm_and_si128(all, wanted), _mm_setzero_si128());

    return (uint32_t)_mm_cvtsi128_si32(sums) + (uint32_t)_mm_extract_epi16(sums, 4);
#else
    uint32_t sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum += __atomic_load_n(bytes + i, __ATOMIC_RELAXED);
    return sum;
#endif
}

/* Where to look for a key in a node: rows [first, first + size). */
struct node_int_block {
    uint32_t number;
    uint32_t first;
    uint32_t size;
};

/** The block in which the lower bound of `key` lies, or begins to be sought. */
NODE_INT_INLINE struct node_int_block
node__int_block(const uint8_t *page, uint64_t key, node_int_below *below)
{
    struct page_view view = {.bytes = page};
    struct node_int_block block;

    /* The last hint is 2^64 - 1 and below nothing. */
    block.number = below(page + offsetof(struct node_int_header, hint), NODE_BLOCK_COUNT, key);
    block.number &= NODE_BLOCK_COUNT - 1;
    block.first = node__blocks_sum(page + offsetof(struct node_int_header, block), block.number);
    block.size = view_u8(&view, offsetof(struct node_int_header, block) + block.number);
    return block;
}

/** First of `count` rows (at most the page's capacity, bounded by the caller) whose key is not below
 * `key`; UINT32_MAX when the blocks are impossible. */
NODE_INT_INLINE uint32_t
node__int_lower_bound(const uint8_t *page, uint32_t count, uint64_t key, node_int_below *below)
{
    struct node_int_block block = node__int_block(page, key, below);

    if (block.first + block.size > count)
        return UINT32_MAX;
    return block.first +
           below(page + NODE_INT_HEADER_SIZE + (size_t)block.first * 8, block.size, key);
}

#endif
