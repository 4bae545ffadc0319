/*
 * Help for the tests of page records: pages in known states, records of them, and applying a record
 * from memory that ends where the record ends.
 */
#include "tests/unit/pager/page_delta_help.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "pager/page.h"

void
delta_page_fill(uint8_t *page, struct random *random)
{
    page_init(page, DELTA_PAGE_NUMBER, 5, PAGE_TYPE_TEST, 0);
    random_bytes(random, page + PAGE_HEADER_SIZE, PAGE_BODY_SIZE);
}

/* Seals a state as a commit would leave it and returns its checksum. */
uint64_t
delta_page_finish(uint8_t *page, uint64_t csn)
{
    page_header(page)->csn = le64_of(csn);
    page_seal(page, DELTA_FILE_ID);
    return le64_get(page_header(page)->checksum);
}

struct delta_body
delta_encode_ranges(const uint8_t *before, const uint8_t *after, const struct page_move *moves,
                    uint32_t count)
{
    struct delta_body body;
    uint64_t checksum = le64_get(page_header_const(after)->checksum);

    body.size = page_delta_encode_ranges(before, after, moves, count, checksum, body.bytes,
                                         sizeof(body.bytes));
    return body;
}

struct delta_body
delta_encode_image(const uint8_t *page, struct compress *compress)
{
    struct delta_body body;
    uint64_t checksum = le64_get(page_header_const(page)->checksum);

    body.size = page_delta_encode_image(page, checksum, compress, body.bytes, sizeof(body.bytes));
    cr_assert_gt(body.size, 0);
    return body;
}

/* Applies from a copy that ends with the body, so that a read past its end is seen. */
enum status
delta_apply_ranges(uint8_t *page, uint64_t csn, const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    enum status status;

    memcpy(copy, bytes, size);
    status = page_delta_apply_ranges(page, csn, copy, size);
    free(copy);
    return status;
}

enum status
delta_apply_image(uint8_t *page, uint64_t csn, const void *bytes, size_t size,
                  struct compress *compress)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    enum status status;

    memcpy(copy, bytes, size);
    status = page_delta_apply_image(page, csn, copy, size, compress);
    free(copy);
    return status;
}

/* Changes `size` bytes at `offset` so that each one differs. */
void
delta_change_bytes(uint8_t *page, uint32_t offset, uint32_t size)
{
    for (uint32_t index = 0; index < size; index++)
        page[offset + index] ^= 0x5a;
}

/* A row of `size` bytes comes into a sorted array at `offset`. */
struct page_move
delta_insert_row(uint8_t *page, uint32_t offset, uint32_t end, uint32_t size, struct random *random)
{
    struct page_move move = {(uint16_t)offset, (uint16_t)(offset + size), (uint16_t)(end - offset)};

    memmove(page + offset + size, page + offset, end - offset);
    random_bytes(random, page + offset, size);
    return move;
}
