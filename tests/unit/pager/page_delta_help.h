/* What the tests of page records share. */
#ifndef TESTS_UNIT_PAGER_PAGE_DELTA_HELP_H
#define TESTS_UNIT_PAGER_PAGE_DELTA_HELP_H

#include "kernel/base/random.h"
#include "pager/page_delta.h"

enum { DELTA_FILE_ID = 3, DELTA_PAGE_NUMBER = 77 };

struct delta_body {
    size_t size;
    uint8_t bytes[PAGE_DELTA_SIZE_MAX];
};

/** A page of random bytes behind its header. */
void delta_page_fill(uint8_t *page, struct random *random);

/** Seals a state as a commit would leave it and returns its checksum. */
uint64_t delta_page_finish(uint8_t *page, uint64_t csn);

struct delta_body delta_encode_ranges(const uint8_t *before, const uint8_t *after,
                                      const struct page_move *moves, uint32_t count);
struct delta_body delta_encode_image(const uint8_t *page, struct compress *compress);

/* Both apply from a copy that ends with the body, so that a read past its end is seen. */
enum status delta_apply_ranges(uint8_t *page, uint64_t csn, const void *bytes, size_t size);
enum status delta_apply_image(uint8_t *page, uint64_t csn, const void *bytes, size_t size,
                              struct compress *compress);

/** Changes `size` bytes at `offset` so that each one differs. */
void delta_change_bytes(uint8_t *page, uint32_t offset, uint32_t size);

/** A row of `size` bytes comes into a sorted array that ends at `end`; the move that says so. */
struct page_move delta_insert_row(uint8_t *page, uint32_t offset, uint32_t end, uint32_t size,
                                  struct random *random);

#endif
