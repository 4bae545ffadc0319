/*
 * Goal: prove that page_validate reads nothing but the page, says why it refuses, and that a page it
 * accepts keeps every promise that code behind it relies on.
 * Method: the first byte says whether the checksum is made to hold; the rest is the page, filled up
 * with zeros. What is accepted is looked at field by field and sealed again: the same bytes.
 */

#include <stdint.h>
#include <stdlib.h>

#include "pager/page.h"

enum { FILE_ID = 1, FIX_CHECKSUM = 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
    if (!holds)
        abort();
}

static void
require_map_entries(uint8_t *page)
{
    uint8_t copy[PAGE_SIZE];

    memcpy(copy, page, PAGE_SIZE);
    for (uint32_t index = 0; index < MAP_ENTRY_COUNT; index++) {
        struct map_entry entry = map_entry_get(page, index);

        require((uint32_t)entry.state <= PAGE_STATE_FENCED);
        map_entry_set(page, index, entry);
    }
    require(memcmp(copy, page, PAGE_SIZE) == 0);
}

static void
require_promises(uint8_t *page, uint32_t page_number)
{
    const struct page_header *header = page_header_const(page);
    const char *reason = NULL;
    uint8_t copy[PAGE_SIZE];

    require(le32_get(header->page_number) == page_number);
    require(header->version == PAGE_FORMAT_VERSION);
    require(header->type <= PAGE_TYPE_LAST);
    require(header->type != PAGE_TYPE_NONE || page_number == PAGE_CATALOG_ROOT);
    require(bytes_are_zero(header->reserved, sizeof(header->reserved)));
    if (header->type == PAGE_TYPE_MAP)
        require_map_entries(page);
    memcpy(copy, page, PAGE_SIZE);
    page_seal(page, FILE_ID);
    require(memcmp(copy, page, PAGE_SIZE) == 0);
    require(page_validate(page, FILE_ID, page_number ^ 1, &reason) == STATUS_CORRUPT);
    require(page_validate(page, FILE_ID ^ 2, page_number, &reason) == STATUS_CORRUPT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *page;
    uint32_t page_number;
    const char *reason = NULL;
    enum status status;

    if (size == 0 || size > 1 + PAGE_SIZE)
        return 0;
    page = calloc(1, PAGE_SIZE);
    require(page != NULL);
    memcpy(page, data + 1, size - 1);
    page_number = le32_get(page_header(page)->page_number);
    if ((data[0] & FIX_CHECKSUM) != 0)
        page_header(page)->checksum = le64_of(page_checksum(page, FILE_ID, page_number));
    status = page_validate(page, FILE_ID, page_number, &reason);
    require(status == STATUS_OK || status == STATUS_CORRUPT || status == STATUS_VERSION);
    require((status == STATUS_OK) == (reason == NULL));
    if (status == STATUS_OK)
        require_promises(page, page_number);
    free(page);
    return 0;
}
