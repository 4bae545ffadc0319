/*
 * Goal: prove that no log record of a page, however forged, makes redo touch a byte outside the page,
 * and that what decodes can be encoded again with the same meaning.
 * Method: the first byte chooses what the rest is: a RANGES body, an IMAGE body, a RESET body, or
 * edits and moves that make a page after from a page before. Bodies are applied to a page between
 * guard bytes. A page that comes out is encoded against the page before and applied again.
 */

#include <stdint.h>
#include <stdlib.h>

#include "kernel/base/memory.h"
#include "pager/page.h"
#include "pager/page_delta.h"

enum { GUARD_SIZE = 64, GUARD_BYTE = 0xa5, CSN = 77 };

struct guarded_page {
    uint8_t front[GUARD_SIZE];
    uint8_t bytes[PAGE_SIZE];
    uint8_t back[GUARD_SIZE];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
    if (!holds)
        abort();
}

static struct compress *
codec(void)
{
    static struct compress *compress;

    if (compress == NULL)
        require(compress_new(memory_new(), &compress) == STATUS_OK);
    return compress;
}

/* A page with runs, zeros and mixed bytes. */
static void
page_before(uint8_t *page)
{
    page_init(page, 9, 1, PAGE_TYPE_TEST, 0);
    for (uint32_t offset = PAGE_HEADER_SIZE; offset < PAGE_SIZE; offset++)
        page[offset] = (uint8_t)(offset / 1000 % 2 == 0 ? offset * 7 + offset / 256 : 0);
    page_seal(page, 1);
}

static struct guarded_page *
guarded_page_new(void)
{
    struct guarded_page *page = malloc(sizeof(*page));

    require(page != NULL);
    memset(page, GUARD_BYTE, sizeof(*page));
    page_before(page->bytes);
    return page;
}

static void
guarded_page_free(struct guarded_page *page)
{
    for (uint32_t index = 0; index < GUARD_SIZE; index++)
        require(page->front[index] == GUARD_BYTE && page->back[index] == GUARD_BYTE);
    free(page);
}

/* Encodes both ways and applies again: the same page from byte 24 on, and the header as promised. */
static void
require_round_trip(const uint8_t *after, const struct page_move *moves, uint32_t move_count)
{
    uint8_t page[PAGE_SIZE];
    uint8_t before[PAGE_SIZE];
    uint8_t body[PAGE_DELTA_SIZE_MAX];
    size_t size;
    size_t plain_size;

    page_before(before);
    memcpy(page, before, PAGE_SIZE);
    plain_size = page_delta_encode_ranges(before, after, NULL, 0, 5, body, sizeof(body));
    size = page_delta_encode_ranges(before, after, moves, move_count, 5, body, sizeof(body));
    require(size > 0 && size <= plain_size);
    require(page_delta_apply_ranges(page, CSN, body, size) == STATUS_OK);
    require(page_delta_is_empty(page, after));
    require(le64_get(page_header(page)->csn) == CSN && le64_get(page_header(page)->checksum) == 5);
    for (uint32_t packed = 0; packed < 2; packed++) {
        size = page_delta_encode_image(after, 6, packed ? codec() : NULL, body, sizeof(body));
        require(size > 0);
        memset(page, 0xee, PAGE_SIZE);
        require(page_delta_apply_image(page, CSN, body, size, codec()) == STATUS_OK);
        require(page_delta_is_empty(page, after));
        require(le64_get(page_header(page)->csn_image) == CSN);
    }
}

static void
run_body(const uint8_t *data, size_t size, bool is_image)
{
    struct guarded_page *page = guarded_page_new();
    enum status status = is_image ? page_delta_apply_image(page->bytes, CSN, data, size, codec())
                                  : page_delta_apply_ranges(page->bytes, CSN, data, size);
    uint64_t checksum = 0;

    require(status == STATUS_OK || status == STATUS_CORRUPT);
    if (status == STATUS_OK) {
        require(page_delta_checksum(data, size, &checksum) == STATUS_OK);
        require(le64_get(page_header(page->bytes)->checksum) == checksum);
        require(le64_get(page_header(page->bytes)->csn) == CSN);
        require_round_trip(page->bytes, NULL, 0);
    }
    guarded_page_free(page);
}

static void
run_reset(const uint8_t *data, size_t size)
{
    uint8_t again[PAGE_DELTA_RESET_SIZE];
    uint64_t checksum;
    uint64_t csn;

    if (page_delta_decode_reset(data, size, &checksum, &csn) != STATUS_OK)
        return;
    require(page_delta_encode_reset(checksum, csn, again, sizeof(again)) == size);
    require(memcmp(again, data, size) == 0);
}

static uint16_t
below(const uint8_t *data, uint32_t bound)
{
    return (uint16_t)((data[0] | (uint32_t)data[1] << 8) % bound);
}

/* Eight bytes an edit: kind, then a place to write bytes to, or a move that is done, or only said. */
static void
run_edits(const uint8_t *data, size_t size)
{
    struct page_move moves[PAGE_DELTA_MOVE_MAX];
    uint32_t move_count = 0;
    uint8_t after[PAGE_SIZE];

    page_before(after);
    for (; size >= 8; data += 8, size -= 8) {
        struct page_move move;

        move.from = (uint16_t)(PAGE_DELTA_FIRST_BYTE + below(data + 1, 4072));
        move.to = (uint16_t)(PAGE_DELTA_FIRST_BYTE + below(data + 3, 4072));
        move.size = (uint16_t)(1 + below(data + 5,
                                         PAGE_SIZE - (move.from > move.to ? move.from : move.to)));
        if (data[0] % 4 < 2)
            memset(after + move.to, data[7], data[0] % 4 == 0 ? 1 : move.size);
        else if (move_count < PAGE_DELTA_MOVE_MAX)
            moves[move_count++] = move;
        if (data[0] % 4 == 2)
            memmove(after + move.to, after + move.from, move.size);
    }
    require_round_trip(after, moves, move_count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    switch (data[0]) {
    case 'r':
        run_body(data + 1, size - 1, false);
        break;
    case 'i':
        run_body(data + 1, size - 1, true);
        break;
    case 's':
        run_reset(data + 1, size - 1);
        break;
    case 'e':
        run_edits(data + 1, size - 1);
        break;
    default:
        break;
    }
    return 0;
}
