/*
 * Sealing and validation of pages (rule in pager_format.h).
 *
 * The seed of the checksum is made of file id and page number, so one comparison catches rot, a page
 * of another file and a page of another place. When it fails, the bytes are looked at once more to
 * say which of these it was; that costs nothing on the way that matters.
 *
 * P2 is kept in pairs: page_seal CHECKs what page_validate refuses, so that no page is written that
 * would not be readable.
 */
#include "pager/page.h"

#include "kernel/base/check.h"
#include "kernel/base/checksum.h"
#include "kernel/base/faults.h"

enum { PAGE_FLAGS_KNOWN = PAGE_FLAG_DIRECT };

void
page_init(void *page, uint32_t page_number, uint32_t tree_id, enum page_type type, uint8_t level)
{
    struct page_header *header = page_header(page);

    CHECK((uint32_t)type <= PAGE_TYPE_LAST);
    memset(page, 0, PAGE_SIZE);
    header->page_number = le32_of(page_number);
    header->tree_id = le32_of(tree_id);
    header->type = (uint8_t)type;
    header->level = level;
    header->version = PAGE_FORMAT_VERSION;
}

uint64_t
page_checksum(const void *page, uint64_t file_id, uint32_t page_number)
{
    const uint8_t *bytes = page;

    return checksum64(bytes + 8, PAGE_SIZE - 8, checksum_seed(file_id, page_number));
}

/* The catalog's root alone has no type until the catalog is made. */
static bool
type_is_known(const struct page_header *header)
{
    if (header->type == PAGE_TYPE_NONE)
        return le32_get(header->page_number) == PAGE_CATALOG_ROOT;
    return header->type <= PAGE_TYPE_LAST;
}

void
page_seal(void *page, uint64_t file_id)
{
    struct page_header *header = page_header(page);

    CHECK(header->version == PAGE_FORMAT_VERSION);
    CHECK(type_is_known(header));
    CHECK((header->flags & ~PAGE_FLAGS_KNOWN) == 0);
    header->checksum = le64_of(page_checksum(page, file_id, le32_get(header->page_number)));
}

/* Why a checksum does not hold. */
static const char *
checksum_reason(const void *page, uint64_t file_id)
{
    const struct page_header *header = page_header_const(page);
    uint32_t own = le32_get(header->page_number);

    if (bytes_are_zero(page, PAGE_SIZE))
        return "the page is all zeros: it was never written, or its write was lost";
    if (page_checksum(page, file_id, own) == le64_get(header->checksum))
        return "the page belongs to another place of this file (misdirected write or read)";
    return "the checksum does not match the bytes, or the page is of another file";
}

/* States of a map page's entries; the rest of an entry may be any CSN. */
static bool
map_states_are_known(const void *page)
{
    const struct map_page *map = page;
    bool known = true;

    for (uint32_t index = 0; index < MAP_ENTRY_COUNT; index++)
        known &= map->entry[index].byte[0] <= PAGE_STATE_FENCED;
    return known;
}

static const char *
header_reason(const void *page)
{
    const struct page_header *header = page_header_const(page);

    if (header->version == 0)
        return "the format version is 0";
    if (!type_is_known(header))
        return "the page type is unknown";
    if ((header->flags & ~PAGE_FLAGS_KNOWN) != 0)
        return "a page flag is unknown";
    if (!bytes_are_zero(header->reserved, sizeof(header->reserved)))
        return "reserved header bytes are not zero";
    if (header->type == PAGE_TYPE_MAP && !map_states_are_known(page))
        return "a map entry has an unknown state";
    return NULL;
}

enum status
page_validate(const void *page, uint64_t file_id, uint32_t page_number, const char **reason_out)
{
    const struct page_header *header = page_header_const(page);
    uint32_t own = le32_get(header->page_number);
    const char *reason;

    if (BUG(PAGE_NUMBER_NOT_CHECKED))
        page_number = own;
    if (page_checksum(page, file_id, page_number) != le64_get(header->checksum) &&
        !BUG(PAGE_CHECKSUM_NOT_CHECKED)) {
        *reason_out = checksum_reason(page, file_id);
        return STATUS_CORRUPT;
    }
    if (own != page_number) {
        *reason_out = "the page carries another page's number";
        return STATUS_CORRUPT;
    }
    if (header->version > PAGE_FORMAT_VERSION) {
        *reason_out = "the page was written by a newer version";
        return STATUS_VERSION;
    }
    reason = header_reason(page);
    if (reason != NULL) {
        *reason_out = reason;
        return STATUS_CORRUPT;
    }
    return STATUS_OK;
}
