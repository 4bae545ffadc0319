/*
 * Goal: prove that a sealed page is accepted exactly where it belongs and nowhere else, and that any
 * damage is refused with the right status.
 * Method: seal pages of random content, then change one thing at a time: each bit, the place, the
 * file, each header field under a checksum that holds. Own mistakes must stop the process.
 */
#include "pager/page.h"

#include <criterion/criterion.h>
#include <signal.h>

#include "kernel/base/random.h"

enum { FILE_ID = 0x5eed, PAGE_NUMBER = 1234 };

static void
page_fill(uint8_t *page, uint64_t seed)
{
    struct random random;

    random_init(&random, seed);
    page_init(page, PAGE_NUMBER, 7, PAGE_TYPE_TEST, 2);
    random_bytes(&random, page + PAGE_HEADER_SIZE, PAGE_BODY_SIZE);
    page_header(page)->csn = le64_of(99);
}

/* Stores a checksum that holds, whatever the header says. */
static void
checksum_fix(uint8_t *page)
{
    page_header(page)->checksum = le64_of(page_checksum(page, FILE_ID, PAGE_NUMBER));
}

static enum status
validate(const uint8_t *page)
{
    const char *reason = NULL;
    enum status status = page_validate(page, FILE_ID, PAGE_NUMBER, &reason);

    cr_assert((status == STATUS_OK) == (reason == NULL), "a refusal names its reason");
    return status;
}

Test(page, init_zeroes_the_page_and_fills_its_header)
{
    uint8_t page[PAGE_SIZE];
    const struct page_header *header = page_header_const(page);

    memset(page, 0xab, sizeof(page));
    page_init(page, 0x01020304, 0x05060708, PAGE_TYPE_LEAF_INT, 3);
    cr_assert_eq(le32_get(header->page_number), 0x01020304u);
    cr_assert_eq(le32_get(header->tree_id), 0x05060708u);
    cr_assert_eq(header->type, PAGE_TYPE_LEAF_INT);
    cr_assert_eq(header->level, 3);
    cr_assert_eq(header->flags, 0);
    cr_assert_eq(header->version, PAGE_FORMAT_VERSION);
    cr_assert_eq(le64_get(header->csn), 0);
    cr_assert_eq(le64_get(header->csn_image), 0);
    cr_assert(bytes_are_zero(page, 24));
    cr_assert(bytes_are_zero(page + 36, PAGE_SIZE - 36));
}

/* covers: P2, P5 */
Test(page, a_sealed_page_is_valid)
{
    uint8_t page[PAGE_SIZE];

    for (uint32_t type = PAGE_TYPE_NONE + 1; type <= PAGE_TYPE_LAST; type++) {
        page_init(page, PAGE_NUMBER, 7, (enum page_type)type, 0);
        page_seal(page, FILE_ID);
        cr_assert_eq(validate(page), STATUS_OK, "type %u", type);
        page_header(page)->flags = PAGE_FLAG_DIRECT;
        page_seal(page, FILE_ID);
        cr_assert_eq(validate(page), STATUS_OK, "type %u, direct", type);
    }
    page_fill(page, 1);
    page_seal(page, FILE_ID);
    cr_assert_eq(validate(page), STATUS_OK);
}

/* covers: P2, P5 */
Test(page, refuses_every_flipped_bit)
{
    uint8_t page[PAGE_SIZE];

    page_fill(page, 2);
    page_seal(page, FILE_ID);
    for (uint32_t bit = 0; bit < PAGE_SIZE * 8; bit++) {
        page[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_eq(validate(page), STATUS_CORRUPT, "bit %u", bit);
        page[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_eq(validate(page), STATUS_OK);
}

/* covers: P5 */
Test(page, refuses_each_sector_of_an_older_state)
{
    uint8_t older[PAGE_SIZE];
    uint8_t page[PAGE_SIZE];

    page_fill(older, 3);
    page_seal(older, FILE_ID);
    for (uint32_t offset = 0; offset < PAGE_SIZE; offset += 512) {
        page_fill(page, 4);
        page_seal(page, FILE_ID);
        memcpy(page + offset, older + offset, 512);
        cr_assert_eq(validate(page), STATUS_CORRUPT, "sector at %u", offset);
    }
}

/* covers: P2, P5 */
Test(page, refuses_a_misdirected_read)
{
    uint8_t page[PAGE_SIZE];
    const char *reason = NULL;

    page_fill(page, 5);
    page_seal(page, FILE_ID);
    for (uint32_t bit = 0; bit < 32; bit++) {
        uint32_t place = PAGE_NUMBER ^ 1u << bit;

        cr_assert_eq(page_validate(page, FILE_ID, place, &reason), STATUS_CORRUPT);
        cr_assert(strstr(reason, "another place") != NULL, "%s", reason);
    }
}

/* covers: P5 */
Test(page, refuses_a_number_that_is_not_its_own_under_a_checksum_that_holds)
{
    uint8_t page[PAGE_SIZE];

    page_fill(page, 6);
    page_header(page)->page_number = le32_of(PAGE_NUMBER + 1);
    checksum_fix(page);
    cr_assert_eq(validate(page), STATUS_CORRUPT);
}

/* covers: P2, P5 */
Test(page, refuses_a_page_of_another_file)
{
    uint8_t page[PAGE_SIZE];

    page_fill(page, 7);
    for (uint32_t bit = 0; bit < 64; bit++) {
        page_seal(page, FILE_ID ^ 1ull << bit);
        cr_assert_eq(validate(page), STATUS_CORRUPT);
    }
}

/* covers: P5 */
Test(page, says_when_a_page_was_never_written)
{
    uint8_t page[PAGE_SIZE] = {0};
    const char *reason = NULL;

    cr_assert_eq(page_validate(page, FILE_ID, PAGE_NUMBER, &reason), STATUS_CORRUPT);
    cr_assert(strstr(reason, "all zeros") != NULL, "%s", reason);
}

Test(page, tells_a_newer_version_from_damage)
{
    uint8_t page[PAGE_SIZE];

    page_fill(page, 8);
    page_header(page)->version = PAGE_FORMAT_VERSION + 1;
    cr_assert_eq(validate(page), STATUS_CORRUPT, "a version that does not hold its checksum");
    checksum_fix(page);
    cr_assert_eq(validate(page), STATUS_VERSION);
    page_header(page)->version = 0;
    checksum_fix(page);
    cr_assert_eq(validate(page), STATUS_CORRUPT);
}

/* covers: P5 */
Test(page, refuses_header_fields_out_of_range_under_a_checksum_that_holds)
{
    uint8_t page[PAGE_SIZE];

    for (uint32_t type = 0; type <= UINT8_MAX; type++) {
        bool known = type != PAGE_TYPE_NONE && type <= PAGE_TYPE_LAST && type != PAGE_TYPE_MAP;

        page_fill(page, 9);
        page_header(page)->type = (uint8_t)type;
        checksum_fix(page);
        cr_assert_eq(validate(page), known ? STATUS_OK : STATUS_CORRUPT, "type %u", type);
    }
    for (uint32_t flags = 0; flags <= UINT8_MAX; flags++) {
        page_fill(page, 10);
        page_header(page)->flags = (uint8_t)flags;
        checksum_fix(page);
        cr_assert_eq(validate(page), flags <= PAGE_FLAG_DIRECT ? STATUS_OK : STATUS_CORRUPT,
                     "flags %u", flags);
    }
    for (uint32_t index = 0; index < sizeof(page_header(page)->reserved); index++) {
        page_fill(page, 11);
        page_header(page)->reserved[index] = 1;
        checksum_fix(page);
        cr_assert_eq(validate(page), STATUS_CORRUPT, "reserved byte %u", index);
    }
}

/* covers: P5 */
Test(page, refuses_a_map_page_with_an_unknown_state)
{
    uint8_t page[PAGE_SIZE];

    for (uint32_t index = 0; index < MAP_ENTRY_COUNT; index++) {
        page_init(page, PAGE_NUMBER, 0, PAGE_TYPE_MAP, 0);
        map_entry_set(page, index, (struct map_entry){PAGE_STATE_FENCED, 5});
        checksum_fix(page);
        cr_assert_eq(validate(page), STATUS_OK);
        page[PAGE_HEADER_SIZE + index * 8] = PAGE_STATE_FENCED + 1;
        checksum_fix(page);
        cr_assert_eq(validate(page), STATUS_CORRUPT, "entry %u", index);
    }
}

/* covers: P2 */
Test(page, seal_stops_on_a_page_without_a_type, .signal = SIGABRT)
{
    uint8_t page[PAGE_SIZE];

    page_init(page, PAGE_NUMBER, 7, PAGE_TYPE_NONE, 0);
    page_seal(page, FILE_ID);
}

Test(page, seal_stops_on_an_unknown_version, .signal = SIGABRT)
{
    uint8_t page[PAGE_SIZE];

    page_fill(page, 12);
    page_header(page)->version = PAGE_FORMAT_VERSION + 1;
    page_seal(page, FILE_ID);
}

Test(page, seal_stops_on_an_unknown_flag, .signal = SIGABRT)
{
    uint8_t page[PAGE_SIZE];

    page_fill(page, 13);
    page_header(page)->flags = PAGE_FLAG_DIRECT << 1;
    page_seal(page, FILE_ID);
}

Test(page, init_stops_on_an_unknown_type, .signal = SIGABRT)
{
    uint8_t page[PAGE_SIZE];

    page_init(page, PAGE_NUMBER, 7, (enum page_type)(PAGE_TYPE_LAST + 1), 0);
}
