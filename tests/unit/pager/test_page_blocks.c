/*
 * Goal: every way of comparing finds exactly the blocks that differ, and copying by them is copying.
 * Method: each byte changed alone, random changes under random masks, against a byte by byte model; all
 * levels of vector instructions that the processor has.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "kernel/base/random.h"
#include "pager/page_blocks.h"
#include "pager/page_delta.h"

static uint64_t
model(const uint8_t *before, const uint8_t *after, uint64_t blocks)
{
    uint64_t result = 0;

    for (uint32_t i = PAGE_DELTA_FIRST_BYTE; i < PAGE_SIZE; i++)
        if (before[i] != after[i])
            result |= UINT64_C(1) << (i / PAGE_BLOCK_SIZE);
    return result & blocks;
}

static void
assert_all_levels(const uint8_t *before, const uint8_t *after, uint64_t blocks)
{
    uint64_t expected = model(before, after, blocks);

    for (int simd = PAGE_BLOCKS_PLAIN; simd <= (int)page_blocks_best(); simd++)
        cr_assert_eq(page_blocks_differ_by(before, after, blocks, (enum page_blocks_simd)simd),
                     expected, "level %d", simd);
    cr_assert_eq(page_blocks_differ(before, after, blocks), expected);
}

/* covers: P4 */
Test(page_blocks, each_byte_alone_is_found_at_every_level)
{
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];

    memset(before, 0xaa, sizeof(before));
    memcpy(after, before, sizeof(after));
    assert_all_levels(before, after, PAGE_BLOCKS_ALL);
    for (uint32_t i = 0; i < PAGE_SIZE; i++) {
        after[i] ^= (uint8_t)(1 << (i % 8));
        assert_all_levels(before, after, PAGE_BLOCKS_ALL);
        after[i] = before[i];
    }
}

/* covers: P4 */
Test(page_blocks, random_changes_under_random_masks)
{
    for (uint64_t seed = 1; seed <= 500; seed++) {
        uint8_t before[PAGE_SIZE];
        uint8_t after[PAGE_SIZE];
        uint8_t copy[PAGE_SIZE];
        struct random random;

        random_init(&random, seed);
        random_bytes(&random, before, sizeof(before));
        memcpy(after, before, sizeof(after));
        for (uint64_t count = random_below(&random, 30); count > 0; count--) {
            uint32_t offset = (uint32_t)random_below(&random, PAGE_SIZE);
            uint64_t size = 1 + random_below(&random, PAGE_SIZE - offset) % 300;

            random_bytes(&random, after + offset, size);
        }
        uint64_t mask = random_u64(&random) | random_u64(&random);

        assert_all_levels(before, after, PAGE_BLOCKS_ALL);
        assert_all_levels(before, after, mask);
        memcpy(copy, before, sizeof(copy));
        page_blocks_copy(copy, after, page_blocks_differ(before, after, PAGE_BLOCKS_ALL) | 1);
        cr_assert_eq(memcmp(copy, after, sizeof(copy)), 0, "seed %lu", seed);
        memcpy(copy, before, sizeof(copy));
        page_blocks_copy(copy, after, mask);
        cr_assert_eq(model(copy, after, mask), 0);
        cr_assert_eq(model(copy, before, ~mask), 0, "and nothing else");
    }
}

Test(page_blocks, of_bytes_are_those_that_they_touch)
{
    cr_assert_eq(page_blocks_of(0, 1), 1);
    cr_assert_eq(page_blocks_of(63, 1), 1);
    cr_assert_eq(page_blocks_of(63, 2), 3);
    cr_assert_eq(page_blocks_of(64, 64), 2);
    cr_assert_eq(page_blocks_of(64, 65), 6);
    cr_assert_eq(page_blocks_of(0, PAGE_SIZE), UINT64_MAX);
    cr_assert_eq(page_blocks_of(PAGE_SIZE - 1, 1), UINT64_C(1) << 63);
}
