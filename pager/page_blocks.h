/*
 * Where two pages differ, in blocks of 64 bytes: the first step of finding what changed (page_delta.h).
 * Pure functions.
 */
#ifndef PAGER_PAGE_BLOCKS_H
#define PAGER_PAGE_BLOCKS_H

#include <stdint.h>

#include "pager/pager_format.h"

enum { PAGE_BLOCK_SIZE = 64, PAGE_BLOCK_COUNT = PAGE_SIZE / PAGE_BLOCK_SIZE };
static_assert(PAGE_BLOCK_COUNT == 64, "one bit a block in 64 bits");

#define PAGE_BLOCKS_ALL UINT64_MAX

/** Bit b is set when block b is among `blocks` and differs. Bytes before PAGE_DELTA_FIRST_BYTE count as
 * equal. */
uint64_t page_blocks_differ(const uint8_t *before, const uint8_t *after, uint64_t blocks);

/** The blocks that bytes [offset, offset + size) lie in; size > 0. */
uint64_t page_blocks_of(uint32_t offset, uint32_t size);

/** Copies these blocks. */
void page_blocks_copy(uint8_t *to, const uint8_t *from, uint64_t blocks);

/* One way of comparing, for the test that compares them; the widest the processor has is used. */
enum page_blocks_simd { PAGE_BLOCKS_PLAIN = 0, PAGE_BLOCKS_AVX2 = 1, PAGE_BLOCKS_AVX512 = 2 };
enum page_blocks_simd page_blocks_best(void);
uint64_t page_blocks_differ_by(const uint8_t *before, const uint8_t *after, uint64_t blocks,
                               enum page_blocks_simd simd);

#endif
