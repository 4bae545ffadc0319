/*
 * Goal: prove that records converge on any mix of sectors (L2), and that no body, however forged, makes
 * the decoder touch a byte outside the page.
 * Method: random page histories with random sector mixes, all records applied, the last state expected;
 * valid bodies cut, flipped and forged field by field. The memory behind a body and a page ends where
 * they end, so that the address sanitizer sees one byte more.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "kernel/base/memory.h"
#include "pager/page.h"
#include "tests/unit/pager/page_delta_help.h"

enum { SECTOR_SIZE = 512 };

/* ---- Convergence ----------------------------------------------------------------------------- */

enum { STATE_MAX = 9 };

/* A page's history: states as published, and the record that leads to each from the one before. */
struct history {
    uint32_t last; /* States 0 ... last. */
    uint8_t state[STATE_MAX][PAGE_SIZE];
    bool is_image[STATE_MAX];
    struct delta_body record[STATE_MAX];
};

static uint32_t
edit(uint8_t *page, struct page_move *move, struct random *random)
{
    uint32_t offset = PAGE_HEADER_SIZE + (uint32_t)random_below(random, PAGE_BODY_SIZE - 600);
    uint32_t size = 1 + (uint32_t)random_below(random, 40);

    switch (random_below(random, 4)) {
    case 0:
        random_bytes(random, page + offset, size);
        return 0;
    case 1:
        page[offset]++;
        page[offset + 9]++;
        return 0;
    case 2:
        memset(page + offset, 0, 600);
        return 0;
    default:
        *move = delta_insert_row(page, offset, offset + 500, size, random);
        return 1;
    }
}

/* `image_at` 0: none. Moves are announced after the image, or always when `wild`. */
static void
history_make(struct history *history, uint32_t image_at, bool wild, struct random *random)
{
    history->last = 1 + (uint32_t)random_below(random, STATE_MAX - 1);
    delta_page_fill(history->state[0], random);
    delta_page_finish(history->state[0], 0);
    for (uint32_t index = 1; index <= history->last; index++) {
        uint8_t *page = history->state[index];
        struct page_move moves[3];
        uint32_t count = 0;

        memcpy(page, history->state[index - 1], PAGE_SIZE);
        for (uint32_t change_count = 0; change_count < 3; change_count++)
            count += edit(page, &moves[count], random);
        history->is_image[index] = index == image_at;
        if (index == image_at)
            page_header(page)->csn_image = le64_of(index);
        delta_page_finish(page, index);
        if (index == image_at)
            history->record[index] = delta_encode_image(page, NULL);
        else
            history->record[index] =
                delta_encode_ranges(history->state[index - 1], page, moves,
                                    wild || (image_at > 0 && index > image_at) ? count : 0);
        cr_assert_gt(history->record[index].size, 0);
    }
}

/* A page as a crash could leave it: each sector from any state of the history. */
static void
mix_sectors(const struct history *history, uint8_t *page, struct random *random)
{
    for (uint32_t offset = 0; offset < PAGE_SIZE; offset += SECTOR_SIZE) {
        uint64_t state = random_below(random, history->last + 1);

        memcpy(page + offset, history->state[state] + offset, SECTOR_SIZE);
    }
}

/* Applies all records; whether the page is then the last state. */
static bool
redo(const struct history *history, uint8_t *page)
{
    for (uint32_t index = 1; index <= history->last; index++) {
        const struct delta_body *body = &history->record[index];
        enum status status = history->is_image[index]
                                 ? delta_apply_image(page, index, body->bytes, body->size, NULL)
                                 : delta_apply_ranges(page, index, body->bytes, body->size);

        cr_assert_eq(status, STATUS_OK);
    }
    return memcmp(page, history->state[history->last], PAGE_SIZE) == 0;
}

/* Mixes that do not converge, out of `count` histories with ten mixes each. */
static uint32_t
count_wrong(uint64_t count, bool with_image, bool wild)
{
    struct history *history = malloc(sizeof(*history));
    uint32_t wrong = 0;

    for (uint64_t seed = 1; seed <= count; seed++) {
        uint8_t page[PAGE_SIZE];
        struct random random;

        random_init(&random, seed);
        history_make(history, with_image ? 1 + (uint32_t)random_below(&random, 3) : 0, wild,
                     &random);
        for (uint32_t mix = 0; mix < 10; mix++) {
            mix_sectors(history, page, &random);
            wrong += !redo(history, page);
        }
    }
    free(history);
    return wrong;
}

/* covers: P4 */
Test(page_delta_apply, ranges_converge_on_any_mix_of_sectors)
{
    cr_assert_eq(count_wrong(1500, false, false), 0, "seeds 1 to 1500");
}

/* covers: P4 */
Test(page_delta_apply, moves_after_an_image_converge_on_any_mix_of_sectors)
{
    cr_assert_eq(count_wrong(1500, true, false), 0, "seeds 1 to 1500");
}

Test(page_delta_apply, moves_without_an_image_do_not_converge)
{
    cr_assert_gt(count_wrong(100, false, true), 0, "else these tests could not see a mistake");
}

/* ---- Header, reset, checksum ----------------------------------------------------------------- */

Test(page_delta_apply, applying_sets_csn_and_checksum_and_only_an_image_sets_its_csn)
{
    uint8_t page[PAGE_SIZE];
    struct random random;
    struct delta_body body;
    uint64_t checksum = 0;

    random_init(&random, 12);
    delta_page_fill(page, &random);
    page_header(page)->csn_image = le64_of(40);
    body.size = page_delta_encode_ranges(page, page, NULL, 0, 0xabcdef, body.bytes, 100);
    cr_assert_eq(delta_apply_ranges(page, 41, body.bytes, body.size), STATUS_OK);
    cr_assert_eq(le64_get(page_header(page)->csn), 41);
    cr_assert_eq(le64_get(page_header(page)->csn_image), 40);
    cr_assert_eq(le64_get(page_header(page)->checksum), 0xabcdef);
    cr_assert_eq(page_delta_checksum(body.bytes, body.size, &checksum), STATUS_OK);
    cr_assert_eq(checksum, 0xabcdef);
    body = delta_encode_image(page, NULL);
    cr_assert_eq(delta_apply_image(page, 42, body.bytes, body.size, NULL), STATUS_OK);
    cr_assert_eq(le64_get(page_header(page)->csn), 42);
    cr_assert_eq(le64_get(page_header(page)->csn_image), 42);
    cr_assert_eq(le64_get(page_header(page)->checksum), 0xabcdef);
}

Test(page_delta_apply, a_reset_gives_back_what_it_was_made_of)
{
    uint8_t out[PAGE_DELTA_RESET_SIZE + 1] = {0};
    uint64_t checksum = 1;
    uint64_t csn = 2;

    for (size_t size = 0; size < PAGE_DELTA_RESET_SIZE; size++) {
        cr_assert_eq(page_delta_encode_reset(3, 4, out, size), 0);
        cr_assert_eq(page_delta_decode_reset(out, size, &checksum, &csn), STATUS_CORRUPT);
    }
    cr_assert_eq(page_delta_decode_reset(out, sizeof(out), &checksum, &csn), STATUS_CORRUPT);
    cr_assert_eq(checksum, 1);
    cr_assert_eq(csn, 2);
    cr_assert_eq(page_delta_encode_reset(3, UINT64_MAX, out, sizeof(out)), PAGE_DELTA_RESET_SIZE);
    cr_assert_eq(page_delta_decode_reset(out, PAGE_DELTA_RESET_SIZE, &checksum, &csn), STATUS_OK);
    cr_assert_eq(checksum, 3);
    cr_assert_eq(csn, UINT64_MAX);
}

Test(page_delta_apply, a_body_shorter_than_its_checksum_is_refused)
{
    uint8_t page[PAGE_SIZE] = {0};
    uint8_t bytes[8] = {0};
    uint64_t checksum = 9;

    for (size_t size = 0; size < sizeof(bytes); size++) {
        cr_assert_eq(page_delta_checksum(bytes, size, &checksum), STATUS_CORRUPT);
        cr_assert_eq(delta_apply_ranges(page, 1, bytes, size), STATUS_CORRUPT);
        cr_assert_eq(delta_apply_image(page, 1, bytes, size, NULL), STATUS_CORRUPT);
    }
    cr_assert_eq(checksum, 9);
    cr_assert_eq(delta_apply_ranges(page, 1, bytes, 8), STATUS_CORRUPT,
                 "the move count is missing");
}

/* ---- Hostile bodies -------------------------------------------------------------------------- */

/* A body of a checksum and the bytes given. */
static enum status
apply_forged(const char *bytes, size_t size)
{
    uint8_t *page = malloc(PAGE_SIZE);
    uint8_t body[PAGE_DELTA_SIZE_MAX] = {0};
    enum status status;

    memset(page, 0x11, PAGE_SIZE);
    memcpy(body + 8, bytes, size);
    status = delta_apply_ranges(page, 1, body, 8 + size);
    free(page);
    return status;
}

#define FORGED(text) apply_forged(text, sizeof(text) - 1)

Test(page_delta_apply, refuses_ranges_that_leave_the_page)
{
    cr_assert_eq(FORGED("\0"), STATUS_OK, "nothing changed");
    cr_assert_eq(FORGED("\0\0\1x"), STATUS_OK);
    cr_assert_eq(FORGED("\0\xe7\x1f\1x"), STATUS_OK, "the last byte: 24 + 4071");
    cr_assert_eq(FORGED("\0\xe7\x1f\2xx"), STATUS_CORRUPT, "one byte past the page");
    cr_assert_eq(FORGED("\0\xe8\x1f\1x"), STATUS_CORRUPT, "begins at the end");
    cr_assert_eq(FORGED("\0\xe9\x1f\1x"), STATUS_CORRUPT, "begins past the end");
    cr_assert_eq(FORGED("\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\1x"), STATUS_CORRUPT);
    cr_assert_eq(FORGED("\0\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1x"), STATUS_CORRUPT);
    cr_assert_eq(FORGED("\0\0\1x\xe7\x1f\1x"), STATUS_CORRUPT, "the second one leaves");
}

Test(page_delta_apply, refuses_ranges_without_their_bytes)
{
    cr_assert_eq(FORGED("\0\0"), STATUS_CORRUPT, "a gap without a size");
    cr_assert_eq(FORGED("\0\0\0"), STATUS_CORRUPT, "a size of 0");
    cr_assert_eq(FORGED("\0\0\2x"), STATUS_CORRUPT);
    cr_assert_eq(FORGED("\0\x80\0\1x"), STATUS_CORRUPT, "a varint longer than needed");
}

Test(page_delta_apply, refuses_zeros_that_leave_the_page)
{
    cr_assert_eq(FORGED("\0\0\0\1"), STATUS_OK, "one zero");
    cr_assert_eq(FORGED("\0\0\0\xe8\x1f"), STATUS_OK, "all of 24 to 4096");
    cr_assert_eq(FORGED("\0\0\0\xe9\x1f"), STATUS_CORRUPT, "one more");
    cr_assert_eq(FORGED("\0\xe7\x1f\0\2"), STATUS_CORRUPT, "one byte past the page");
    cr_assert_eq(FORGED("\0\0\0\0"), STATUS_CORRUPT, "no zeros at all");
    cr_assert_eq(FORGED("\0\0\0\1\0\0"), STATUS_CORRUPT, "the second one is cut");
    cr_assert_eq(FORGED("\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), STATUS_CORRUPT);
}

Test(page_delta_apply, refuses_moves_that_leave_the_page)
{
    cr_assert_eq(FORGED("\1\x18\0\x19\0\1\0"), STATUS_OK, "24 to 25");
    cr_assert_eq(FORGED("\1\x18\0\xff\x0f\1\0"), STATUS_OK, "24 to 4095");
    cr_assert_eq(FORGED("\1\xff\x0f\x18\0\1\0"), STATUS_OK, "4095 to 24");
    cr_assert_eq(FORGED("\1\x17\0\x18\0\1\0"), STATUS_CORRUPT, "from the header");
    cr_assert_eq(FORGED("\1\x18\0\x17\0\1\0"), STATUS_CORRUPT, "into the header");
    cr_assert_eq(FORGED("\1\x18\0\x00\x10\1\0"), STATUS_CORRUPT, "to 4096");
    cr_assert_eq(FORGED("\1\xff\x0f\x18\0\2\0"), STATUS_CORRUPT, "from past the end");
    cr_assert_eq(FORGED("\1\x18\0\xff\xff\xff\xff"), STATUS_CORRUPT, "65535 and 65535");
    cr_assert_eq(FORGED("\1\x18\0\x19\0\xff\xff"), STATUS_CORRUPT, "ends past 65535");
    cr_assert_eq(FORGED("\1\x18\0\x19\0\0\0"), STATUS_CORRUPT, "a size of 0");
    cr_assert_eq(FORGED("\1\x18\0\x19\0\1"), STATUS_CORRUPT, "cut");
    cr_assert_eq(FORGED("\2\x18\0\x19\0\1\0"), STATUS_CORRUPT, "one of two");
}

Test(page_delta_apply, refuses_more_moves_than_the_encoder_writes)
{
    char text[1 + 6 * (PAGE_DELTA_MOVE_MAX + 1)];

    for (uint32_t index = 0; index <= PAGE_DELTA_MOVE_MAX; index++)
        memcpy(text + 1 + index * 6, "\x18\0\x19\0\1\0", 6);
    text[0] = PAGE_DELTA_MOVE_MAX;
    cr_assert_eq(apply_forged(text, 1 + 6 * PAGE_DELTA_MOVE_MAX), STATUS_OK);
    text[0] = PAGE_DELTA_MOVE_MAX + 1;
    cr_assert_eq(apply_forged(text, sizeof(text)), STATUS_CORRUPT);
}

static enum status
apply_forged_image(const char *bytes, size_t size, struct compress *compress)
{
    uint8_t *page = malloc(PAGE_SIZE);
    uint8_t body[2 * PAGE_SIZE] = {0};
    enum status status;

    memcpy(body + 8, bytes, size);
    status = delta_apply_image(page, 1, body, 8 + size, compress);
    free(page);
    return status;
}

#define FORGED_IMAGE(text) apply_forged_image(text, sizeof(text) - 1, compress)

Test(page_delta_apply, refuses_forged_images)
{
    struct memory *memory = memory_new();
    struct compress *compress = NULL;
    enum { RAW_SIZE = 4200 };
    static char raw[RAW_SIZE];
    static char body[3 + RAW_SIZE];
    size_t packed;

    cr_assert_eq(compress_new(memory, &compress), STATUS_OK);
    cr_assert_eq(FORGED_IMAGE("\0\0"), STATUS_OK, "a page of zeros");
    cr_assert_eq(FORGED_IMAGE("\0\3\0\1x"), STATUS_OK);
    cr_assert_eq(FORGED_IMAGE("\0"), STATUS_CORRUPT, "no raw size");
    cr_assert_eq(FORGED_IMAGE("\0\2\0\1x"), STATUS_CORRUPT, "raw size too small");
    cr_assert_eq(FORGED_IMAGE("\0\4\0\1x"), STATUS_CORRUPT, "raw size too large");
    cr_assert_eq(FORGED_IMAGE("\2\3\0\1x"), STATUS_CORRUPT, "unknown encoding");
    cr_assert_eq(FORGED_IMAGE("\0\4\xe8\x1f\1x"), STATUS_CORRUPT, "past the page");
    cr_assert_eq(FORGED_IMAGE("\1\0"), STATUS_CORRUPT, "nothing compressed");
    cr_assert_eq(FORGED_IMAGE("\1\3\0\1x"), STATUS_CORRUPT, "not zstd");
    cr_assert_eq(FORGED_IMAGE("\1\xff\xff\xff\xff\x0f\0\1x"), STATUS_CORRUPT, "raw size 4 GB");
    /* More raw bytes than a page can have: single bytes, back to back. */
    body[0] = PAGE_DELTA_RAW;
    body[1] = (char)(RAW_SIZE % 128 + 128);
    body[2] = (char)(RAW_SIZE / 128);
    for (uint32_t index = 0; index < RAW_SIZE; index += 3)
        memcpy(raw + index, "\0\1x", 3);
    memcpy(body + 3, raw, RAW_SIZE);
    cr_assert_eq(apply_forged_image(body, 3 + RAW_SIZE, compress), STATUS_CORRUPT);
    body[0] = PAGE_DELTA_ZSTD;
    packed = compress_encode(compress, raw, RAW_SIZE, body + 3, RAW_SIZE, 1);
    cr_assert_eq(apply_forged_image(body, 3 + packed, compress), STATUS_CORRUPT);
    compress_free(compress);
    memory_delete(memory);
}

Test(page_delta_apply, refuses_compressed_bytes_of_another_size)
{
    struct memory *memory = memory_new();
    struct compress *compress = NULL;
    char raw[100] = {0};
    char body[300];
    size_t packed;

    cr_assert_eq(compress_new(memory, &compress), STATUS_OK);
    raw[1] = 98; /* A gap of 0, 98 bytes of zeros. */
    body[0] = PAGE_DELTA_ZSTD;
    packed = compress_encode(compress, raw, sizeof(raw), body + 2, sizeof(body) - 2, 1);
    cr_assert_gt(packed, 0);
    for (uint32_t size = 1; size < 128; size++) {
        body[1] = (char)size;
        cr_assert_eq(apply_forged_image(body, 2 + packed, compress),
                     size == sizeof(raw) ? STATUS_OK : STATUS_CORRUPT, "raw size %u", size);
    }
    body[0] = PAGE_DELTA_ZSTD + 1;
    body[1] = sizeof(raw);
    cr_assert_eq(apply_forged_image(body, 2 + packed, compress), STATUS_CORRUPT);
    compress_free(compress);
    memory_delete(memory);
}

Test(page_delta_apply, a_body_cut_anywhere_never_passes_for_the_whole)
{
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];
    uint8_t page[PAGE_SIZE];
    struct random random;
    struct page_move move;
    struct delta_body body;

    random_init(&random, 13);
    delta_page_fill(before, &random);
    memcpy(after, before, PAGE_SIZE);
    move = delta_insert_row(after, 1000, 3000, 50, &random);
    delta_change_bytes(after, 100, 30);
    delta_page_finish(after, 2);
    body = delta_encode_ranges(before, after, &move, 1);
    for (size_t size = 0; size < body.size; size++) {
        memcpy(page, before, PAGE_SIZE);
        if (delta_apply_ranges(page, 2, body.bytes, size) == STATUS_OK)
            cr_assert_neq(memcmp(page, after, PAGE_SIZE), 0);
    }
    body = delta_encode_image(after, NULL);
    for (size_t size = 0; size < body.size; size++)
        cr_assert_eq(delta_apply_image(page, 2, body.bytes, size, NULL), STATUS_CORRUPT);
}

/* covers: P5 */
Test(page_delta_apply, a_flipped_bit_in_a_body_is_refused_or_fails_the_checksum_it_names)
{
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];
    uint8_t *page = malloc(PAGE_SIZE);
    const char *reason = NULL;
    struct random random;
    struct delta_body body;

    random_init(&random, 14);
    delta_page_fill(before, &random);
    memcpy(after, before, PAGE_SIZE);
    delta_change_bytes(after, 100, 300);
    delta_change_bytes(after, 2000, 10);
    delta_change_bytes(after, 4090, 6);
    delta_page_finish(after, 2);
    body = delta_encode_ranges(before, after, NULL, 0);
    for (uint32_t bit = 0; bit < body.size * 8; bit++) {
        memcpy(page, before, PAGE_SIZE);
        body.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (delta_apply_ranges(page, 2, body.bytes, body.size) == STATUS_OK)
            cr_assert_eq(page_validate(page, DELTA_FILE_ID, DELTA_PAGE_NUMBER, &reason),
                         STATUS_CORRUPT, "bit %u", bit);
        body.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(page);
}
