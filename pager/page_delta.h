/*
 * What changed in a page, as log records: found by comparing the page before and after, and applied
 * again by redo. Pure functions; scratch memory is the caller's.
 *
 * Bodies (the record's type and page number are in the log's own header):
 *
 *   IMAGE    u64 checksum | u8 encoding | varint raw size | bytes
 *            checksum: page_checksum after the change. The raw form is a list of (varint zero run,
 *            varint byte count, bytes) over page bytes [24, 4096); runs of zeros are left out.
 *            encoding 0: raw; 1: zstd of raw.
 *   RANGES   u64 checksum | varint move count | moves (u16 from, u16 to, u16 size) |
 *            ranges (varint gap from the end of the one before, then varint size and bytes, or for
 *            zeros a 0 and varint size) to the end
 *            Moves are memmoves applied first, in order; then the ranges. Both lie in [24, 4096);
 *            the first gap counts from byte 24; no size but that 0 is 0.
 *   FREE     empty
 *   RESET    u64 checksum | u64 csn: of the page on disk
 *   SIZE     empty; the count is the record's page number
 *
 * The header's checksum, csn and csn_image (bytes [0, 24)) are never in a record: whoever applies
 * one sets csn to the record's CSN, csn_image to it for an IMAGE, and the checksum from the body.
 */
#ifndef PAGER_PAGE_DELTA_H
#define PAGER_PAGE_DELTA_H

#include <stdbool.h>

#include "kernel/base/compress.h"
#include "kernel/base/status.h"
#include "pager/pager_format.h"

enum {
    PAGE_DELTA_FIRST_BYTE = 24,
    /* Largest body of any record of one page. */
    PAGE_DELTA_SIZE_MAX = PAGE_SIZE + 64,
    PAGE_DELTA_MOVE_MAX = 16,
    PAGE_DELTA_RESET_SIZE = 16,
};

/* The encoding byte of an IMAGE body. */
enum page_delta_encoding { PAGE_DELTA_RAW = 0, PAGE_DELTA_ZSTD = 1 };

struct page_move {
    uint16_t from;
    uint16_t to;
    uint16_t size;
};

/* A page's change: `blocks` is page_blocks_differ(before, after, PAGE_BLOCKS_ALL). */
struct page_delta {
    const uint8_t *before;
    const uint8_t *after;
    uint64_t blocks;
    const struct page_move *moves;
    uint32_t move_count;
};

/**
 * Writes a RANGES body that turns `before` into `after`; `moves` are tried first and kept only where
 * they make the body smaller. 0 when it would exceed `out_size` (then log an image).
 */
size_t page_delta_encode(const struct page_delta *delta, uint64_t checksum, uint8_t *out,
                         size_t out_size);
/** The same for pages that were not compared yet. */
size_t page_delta_encode_ranges(const void *before, const void *after,
                                const struct page_move *moves, uint32_t move_count,
                                uint64_t checksum, uint8_t *out, size_t out_size);
/** True when bytes [24, 4096) are equal. */
bool page_delta_is_empty(const void *before, const void *after);

/** Writes an IMAGE body, compressed when `compress` is not NULL and it pays. Never 0 when out_size
 * >= PAGE_DELTA_SIZE_MAX. */
size_t page_delta_encode_image(const void *page, uint64_t checksum, struct compress *compress,
                               uint8_t *out, size_t out_size);

/** Writes a RESET body; 0 when out_size < PAGE_DELTA_RESET_SIZE. */
size_t page_delta_encode_reset(uint64_t checksum, uint64_t csn, uint8_t *out, size_t out_size);

/**
 * For hostile bodies: STATUS_CORRUPT with `page` in an undefined state. Sets the header as above.
 * Whether the page is what the body's checksum names is the caller's question, asked after a page's
 * last record. Without `compress` a compressed image is refused with STATUS_INVALID.
 */
MUST_CHECK enum status page_delta_apply_image(void *page, uint64_t csn, const uint8_t *body,
                                              size_t size, struct compress *compress);
MUST_CHECK enum status page_delta_apply_ranges(void *page, uint64_t csn, const uint8_t *body,
                                               size_t size);
/** Whether applying the IMAGE needs a codec; else `compress` may be NULL. */
static inline bool
page_delta_is_compressed(const uint8_t *body, size_t size)
{
    return size > 8 && body[8] != 0;
}
/** The checksum a body names. */
MUST_CHECK enum status page_delta_checksum(const uint8_t *body, size_t size, uint64_t *out);
MUST_CHECK enum status page_delta_decode_reset(const uint8_t *body, size_t size,
                                               uint64_t *checksum_out, uint64_t *csn_out);

#endif
