/*
 * Goal: prove that the bytes of pages, map pages, meta slots and page records do not change: files
 * written once can be read for ever, and today's code writes the very same bytes.
 * Method: bytes written down here, as pieces of hexadecimal at their offsets (all others are zero),
 * against what the encoders write and the decoders read, both ways. Each bit flipped and each length
 * cut is refused, or seen by the checksum that the body names. When a format changes on purpose, its
 * version, offset table and these bytes change in the same commit.
 */
#include <criterion/criterion.h>

#include "kernel/base/memory.h"
#include "pager/page.h"
#include "pager/page_delta.h"

enum { PAGE_NUMBER = 0x01020304, BODY_SIZE_MAX = 128 };

#define FILE_ID 0x1122334455667788ull

struct piece {
    uint32_t offset;
    const char *hex;
};

static const struct piece golden_page[] = {
    {0, "8c23b192db197ec8"},  /* checksum */
    {8, "0807060504030201"},  /* csn */
    {16, "1817161514131211"}, /* csn_image */
    {24, "04030201"},         /* page_number */
    {28, "78563412"},         /* tree_id */
    {32, "02"},               /* type: PAGE_TYPE_LEAF_INT */
    {33, "07"},               /* level */
    {34, "01"},               /* flags: PAGE_FLAG_DIRECT */
    {35, "01"},               /* version */
    {48, "68656c6c6f"},       /* body */
    {4095, "ff"},
};

static const struct piece golden_map_page[] = {
    {0, "e1513e11f42197e0"},    /* checksum */
    {8, "0900000000000000"},    /* csn */
    {24, "02000000"},           /* page_number */
    {32, "01"},                 /* type: PAGE_TYPE_MAP */
    {35, "01"},                 /* version */
    {48, "03"},                 /* entry 0: PAGE_STATE_MAP, never flushed */
    {56, "01efcdab89674523"},   /* entry 1: PAGE_STATE_USED, csn 0x23456789abcdef */
    {64, "0205"},               /* entry 2: PAGE_STATE_FREE, csn 5 */
    {4088, "04ffffffffffffff"}, /* entry 505: PAGE_STATE_FENCED, largest csn */
};

static const struct piece golden_meta[] = {
    {0, "a3ff095763b5f3fa"},   /* checksum */
    {8, "5154444246494c45"},   /* magic: QTDBFILE */
    {16, "01000000"},          /* version */
    {20, "00100000"},          /* page_size */
    {24, "8877665544332211"},  /* file_id */
    {32, "0807060504030201"},  /* sequence */
    {40, "02000000"},          /* state: META_NEEDS_LOG */
    {44, "01000000"},          /* slot */
    {48, "1817161514131211"},  /* log_id */
    {56, "2827262524232221"},  /* redo_lsn */
    {64, "3837363534333231"},  /* redo_chain */
    {72, "4847464544434241"},  /* redo_csn */
    {80, "0807060500000000"},  /* page_count */
    {88, "6867666564636261"},  /* segment_size */
    {100, "02000000"},         /* map_count */
    {104, "7877767574737271"}, /* created_ms */
    {256, "8887868584838281"}, /* map_csn[0] */
    {264, "9897969594939291"}, /* map_csn[1] */
};

/* Checksum; no moves; 5 bytes at 48; one at 4095. */
static const char golden_ranges[] = "8c23b192db197ec8"
                                    "00"
                                    "180568656c6c6f"
                                    "ca1f01ff";

/* Checksum; two moves, from, to and size each; 2 bytes at 100. */
static const char golden_moves[] = "8877665544332211"
                                   "02"
                                   "e803f003f401"
                                   "b80bb00b0200"
                                   "4c02abcd";

/* Checksum; no moves; 300 zeros at 300; "x" at 4000. */
static const char golden_zeros[] = "8877665544332211"
                                   "00"
                                   "940200ac02"
                                   "c81a0178";

/* Checksum; raw, 25 bytes; number, tree id, type, level, flags, version; body; last byte. */
static const char golden_image[] = "8c23b192db197ec8"
                                   "0019"
                                   "000c0403020178563412"
                                   "02070101"
                                   "0c0568656c6c6f"
                                   "ca1f01ff";

/*
 * Of the same page with "hello" forty times: checksum; zstd, 221 bytes; one zstd frame. Other
 * versions of zstd may pack otherwise, but all must read this.
 */
static const char golden_image_zstd[] = "bb3fac5b0b599424"
                                        "01dd01"
                                        "28b52ffd20dd0d0100d0000c0403020178563412020701010cc80168"
                                        "656c6c6f871e01ff010080a04a13";

static const char golden_reset[] = "8877665544332211"
                                   "0807060504030201";

/* ---- Help ------------------------------------------------------------------------------------ */

static uint8_t
hex_digit(char digit)
{
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static size_t
hex_put(const char *hex, uint8_t *out)
{
    size_t size = strlen(hex) / 2;

    for (size_t index = 0; index < size; index++)
        out[index] = (uint8_t)(hex_digit(hex[2 * index]) << 4 | hex_digit(hex[2 * index + 1]));
    return size;
}

static void
pieces_put(const struct piece *pieces, size_t count, uint8_t *page)
{
    memset(page, 0, PAGE_SIZE);
    for (size_t index = 0; index < count; index++)
        (void)hex_put(pieces[index].hex, page + pieces[index].offset);
}

#define PIECES_PUT(pieces, page) pieces_put(pieces, sizeof(pieces) / sizeof((pieces)[0]), page)

static void
assert_bytes(const uint8_t *found, const uint8_t *expected, size_t size)
{
    for (size_t index = 0; index < size; index++)
        cr_assert_eq(found[index], expected[index], "byte %zu: %02x, golden %02x", index,
                     found[index], expected[index]);
}

static void
assert_body(const uint8_t *found, size_t size, const char *hex)
{
    uint8_t expected[BODY_SIZE_MAX];

    cr_assert_eq(size, strlen(hex) / 2, "%zu bytes, golden %zu", size, strlen(hex) / 2);
    (void)hex_put(hex, expected);
    assert_bytes(found, expected, size);
}

static void
page_make(uint8_t *page)
{
    struct page_header *header = page_header(page);

    page_init(page, PAGE_NUMBER, 0x12345678, PAGE_TYPE_LEAF_INT, 7);
    header->csn = le64_of(0x0102030405060708);
    header->csn_image = le64_of(0x1112131415161718);
    header->flags = PAGE_FLAG_DIRECT;
    memcpy(page + PAGE_HEADER_SIZE, "hello", 5);
    page[PAGE_SIZE - 1] = 0xff;
    page_seal(page, FILE_ID);
}

static struct meta
meta_make(void)
{
    return (struct meta){.file_id = FILE_ID,
                         .sequence = 0x0102030405060708,
                         .state = META_NEEDS_LOG,
                         .log_id = 0x1112131415161718,
                         .redo_lsn = 0x2122232425262728,
                         .redo_chain = 0x3132333435363738,
                         .redo_csn = 0x4142434445464748,
                         .page_count = 0x05060708,
                         .segment_size = 0x6162636465666768,
                         .created_ms = 0x7172737475767778,
                         .map_count = 2,
                         .map_csn = {0x8182838485868788, 0x9192939495969798}};
}

/* ---- Pages ----------------------------------------------------------------------------------- */

Test(page_golden, a_page_has_the_golden_bytes)
{
    uint8_t golden[PAGE_SIZE];
    uint8_t page[PAGE_SIZE];
    const char *reason = NULL;

    PIECES_PUT(golden_page, golden);
    page_make(page);
    assert_bytes(page, golden, PAGE_SIZE);
    cr_assert_eq(page_validate(golden, FILE_ID, PAGE_NUMBER, &reason), STATUS_OK, "%s", reason);
}

Test(page_golden, a_map_page_has_the_golden_bytes)
{
    uint8_t golden[PAGE_SIZE];
    uint8_t page[PAGE_SIZE];
    const char *reason = NULL;

    PIECES_PUT(golden_map_page, golden);
    page_init(page, MAP_FIRST_PAGE, 0, PAGE_TYPE_MAP, 0);
    page_header(page)->csn = le64_of(9);
    map_entry_set(page, 0, (struct map_entry){PAGE_STATE_MAP, 0});
    map_entry_set(page, 1, (struct map_entry){PAGE_STATE_USED, 0x23456789abcdef});
    map_entry_set(page, 2, (struct map_entry){PAGE_STATE_FREE, 5});
    map_entry_set(page, 505, (struct map_entry){PAGE_STATE_FENCED, (1ull << 56) - 1});
    page_seal(page, FILE_ID);
    assert_bytes(page, golden, PAGE_SIZE);
    cr_assert_eq(page_validate(golden, FILE_ID, MAP_FIRST_PAGE, &reason), STATUS_OK);
    cr_assert_eq(map_entry_get(golden, 1).state, PAGE_STATE_USED);
    cr_assert_eq(map_entry_get(golden, 1).csn, 0x23456789abcdef);
    cr_assert_eq(map_entry_get(golden, 505).state, PAGE_STATE_FENCED);
    cr_assert_eq(map_entry_get(golden, 505).csn, (1ull << 56) - 1);
}

Test(page_golden, a_meta_slot_has_the_golden_bytes)
{
    struct meta meta = meta_make();
    struct meta_slot golden;
    struct meta_slot slot_bytes;
    struct meta found;
    const char *reason = NULL;

    PIECES_PUT(golden_meta, (uint8_t *)&golden);
    meta_encode(&meta, 1, &slot_bytes);
    assert_bytes((const uint8_t *)&slot_bytes, (const uint8_t *)&golden, PAGE_SIZE);
    cr_assert_eq(meta_decode(&golden, 1, &found, &reason), STATUS_OK, "%s", reason);
    cr_assert_eq(found.page_count, meta.page_count);
    cr_assert_eq(found.redo_chain, meta.redo_chain);
    cr_assert_eq(found.map_csn[1], meta.map_csn[1]);
}

/* ---- Records --------------------------------------------------------------------------------- */

Test(page_golden, a_ranges_body_has_the_golden_bytes)
{
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];
    uint8_t body[BODY_SIZE_MAX];
    uint64_t checksum;
    size_t size;

    page_make(after);
    checksum = le64_get(page_header(after)->checksum);
    memcpy(before, after, PAGE_SIZE);
    memset(before + PAGE_HEADER_SIZE, 0, PAGE_BODY_SIZE);
    size = page_delta_encode_ranges(before, after, NULL, 0, checksum, body, sizeof(body));
    assert_body(body, size, golden_ranges);
    size = hex_put(golden_ranges, body);
    cr_assert_eq(page_delta_apply_ranges(before, 0x0102030405060708, body, size), STATUS_OK);
    assert_bytes(before, after, PAGE_SIZE);
}

Test(page_golden, a_ranges_body_with_moves_has_the_golden_bytes)
{
    static const struct page_move moves[] = {{1000, 1008, 500}, {3000, 2992, 2}};
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];
    uint8_t body[BODY_SIZE_MAX];
    size_t size;

    page_make(before);
    for (uint32_t index = 0; index < 500; index++)
        before[1000 + index] = (uint8_t)(index % 251 + 1);
    memcpy(before + 3000, "\x01\x02", 2);
    memcpy(after, before, PAGE_SIZE);
    memmove(after + 1008, after + 1000, 500);
    memmove(after + 2992, after + 3000, 2);
    memcpy(after + 100, "\xab\xcd", 2);
    size = page_delta_encode_ranges(before, after, moves, 2, FILE_ID, body, sizeof(body));
    assert_body(body, size, golden_moves);
    size = hex_put(golden_moves, body);
    cr_assert_eq(page_delta_apply_ranges(before, 0x0102030405060708, body, size), STATUS_OK);
    page_header(after)->checksum = le64_of(FILE_ID);
    assert_bytes(before, after, PAGE_SIZE);
}

Test(page_golden, zeros)
{
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];
    uint8_t body[BODY_SIZE_MAX];

    memset(before, 7, sizeof(before));
    memcpy(after, before, sizeof(after));
    memset(after + 300, 0, 300);
    after[4000] = 'x';
    size_t size = page_delta_encode_ranges(before, after, NULL, 0, FILE_ID, body, sizeof(body));

    assert_body(body, size, golden_zeros);
    cr_assert_eq(page_delta_apply_ranges(before, 1, body, size), STATUS_OK);
    assert_bytes(before + PAGE_DELTA_FIRST_BYTE, after + PAGE_DELTA_FIRST_BYTE,
                 PAGE_SIZE - PAGE_DELTA_FIRST_BYTE);
}

Test(page_golden, an_image_body_has_the_golden_bytes)
{
    uint8_t page[PAGE_SIZE];
    uint8_t found[PAGE_SIZE];
    uint8_t body[BODY_SIZE_MAX];
    size_t size;

    page_make(page);
    size = page_delta_encode_image(page, le64_get(page_header(page)->checksum), NULL, body,
                                   sizeof(body));
    assert_body(body, size, golden_image);
    page_header(page)->csn_image = page_header(page)->csn; /* As applying an image leaves it. */
    size = hex_put(golden_image, body);
    memset(found, 0xee, sizeof(found));
    cr_assert_eq(page_delta_apply_image(found, 0x0102030405060708, body, size, NULL), STATUS_OK);
    assert_bytes(found, page, PAGE_SIZE);
}

Test(page_golden, a_compressed_image_body_decodes)
{
    struct memory *memory = memory_new();
    struct compress *compress = NULL;
    uint8_t page[PAGE_SIZE];
    uint8_t found[PAGE_SIZE];
    uint8_t body[BODY_SIZE_MAX];
    size_t size = hex_put(golden_image_zstd, body);

    cr_assert_eq(compress_new(memory, &compress), STATUS_OK);
    page_make(page);
    for (uint32_t index = 0; index < 40; index++)
        memcpy(page + PAGE_HEADER_SIZE + index * 5, "hello", 5);
    page_seal(page, FILE_ID);
    page_header(page)->csn_image = page_header(page)->csn;
    memset(found, 0xee, sizeof(found));
    cr_assert_eq(page_delta_apply_image(found, 0x0102030405060708, body, size, compress),
                 STATUS_OK);
    assert_bytes(found, page, PAGE_SIZE);
    for (size_t cut = 0; cut < size; cut++)
        cr_assert_eq(page_delta_apply_image(found, 1, body, cut, compress), STATUS_CORRUPT);
    compress_free(compress);
    memory_delete(memory);
}

Test(page_golden, a_reset_body_has_the_golden_bytes)
{
    uint8_t body[BODY_SIZE_MAX];
    uint64_t checksum = 0;
    uint64_t csn = 0;
    size_t size = page_delta_encode_reset(FILE_ID, 0x0102030405060708, body, sizeof(body));

    assert_body(body, size, golden_reset);
    cr_assert_eq(page_delta_decode_reset(body, size, &checksum, &csn), STATUS_OK);
    cr_assert_eq(checksum, FILE_ID);
    cr_assert_eq(csn, 0x0102030405060708u);
}

/* Applies the golden body to the page before and says whether the golden page came out. */
static bool
passes(const uint8_t *body, size_t size, bool is_image)
{
    uint8_t page[PAGE_SIZE];
    const char *reason = NULL;
    enum status status;

    page_make(page);
    memset(page + PAGE_HEADER_SIZE, 0, PAGE_BODY_SIZE);
    status = is_image ? page_delta_apply_image(page, 0x0102030405060708, body, size, NULL)
                      : page_delta_apply_ranges(page, 0x0102030405060708, body, size);
    page_header(page)->csn_image = le64_of(0x1112131415161718);
    return status == STATUS_OK && page_validate(page, FILE_ID, PAGE_NUMBER, &reason) == STATUS_OK;
}

Test(page_golden, each_flipped_bit_and_each_length_cut_of_a_body_is_seen)
{
    for (uint32_t is_image = 0; is_image < 2; is_image++) {
        uint8_t body[BODY_SIZE_MAX];
        size_t size = hex_put(is_image ? golden_image : golden_ranges, body);

        cr_assert(passes(body, size, is_image));
        for (size_t cut = 0; cut < size; cut++)
            cr_assert(!passes(body, cut, is_image), "cut to %zu", cut);
        for (size_t bit = 0; bit < size * 8; bit++) {
            body[bit / 8] ^= (uint8_t)(1 << bit % 8);
            cr_assert(!passes(body, size, is_image), "bit %zu", bit);
            body[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}
