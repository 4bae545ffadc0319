/*
 * Goal: prove that a file written by version 1 can still be read, that a new file is written in exactly
 * those bytes, and that no flipped bit and no cut length of it passes unnoticed.
 * Method: a new file (file id 0x77, the simulated disk's clock) stands here as its lines of 16 bytes that
 * are not all zero. Bits are flipped everywhere in headers and entries, and in steps elsewhere.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/base/checksum.h"
#include "tests/support/pager_world.h"

enum { GOLDEN_SIZE = 5 * PAGE_SIZE, LINE_SIZE = 16 };

static const struct {
    uint32_t offset;
    const char *bytes;
} golden_lines[] = {
    {0, "6df47c39da83ceaf5154444246494c45"},     {16, "01000000001000007700000000000000"},
    {32, "01000000000000000100000000000000"},    {64, "00000000000000000100000000000000"},
    {80, "05000000000000000000010000000000"},    {96, "0000000001000000007c291f94010000"},
    {256, "01000000000000000000000000000000"},   {4096, "5f471d3c47578a2a5154444246494c45"},
    {4112, "01000000001000007700000000000000"},  {4128, "02000000000000000100000001000000"},
    {4160, "00000000000000000100000000000000"},  {4176, "05000000000000000000010000000000"},
    {4192, "0000000001000000007c291f94010000"},  {4352, "01000000000000000000000000000000"},
    {8192, "69ebf5c93c6710d60100000000000000"},  {8208, "00000000000000000200000000000000"},
    {8224, "01000001000000000000000000000000"},  {8240, "03000000000000000101000000000000"},
    {12288, "e2c74571b9cccdfa0100000000000000"}, {12304, "00000000000000000300000000000000"},
    {12320, "01010001000000000000000000000000"}, {12336, "03010000000000000000000000000000"},
    {16384, "10810c5562f084520100000000000000"}, {16400, "00000000000000000400000000000000"},
    {16416, "00000001000000000000000000000000"},
};

static void
golden_bytes(uint8_t *out)
{
    memset(out, 0, GOLDEN_SIZE);
    for (size_t line = 0; line < sizeof(golden_lines) / sizeof(golden_lines[0]); line++) {
        for (uint32_t index = 0; index < LINE_SIZE; index++) {
            unsigned value;
            cr_assert_eq(sscanf(golden_lines[line].bytes + 2 * index, "%2x", &value), 1);
            out[golden_lines[line].offset + index] = (uint8_t)value;
        }
    }
}

static void
init(struct world *world)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);

    world_init(world, 1, &options);
}

/* Puts `size` bytes in the place of the file. */
static void
put_file(struct world *world, const uint8_t *bytes, uint64_t size)
{
    struct io_file *file;

    WORLD_OK(world, io_open(world->io, WORLD_PATH, IO_WRITE | IO_CREATE, &file));
    WORLD_OK(world, io_truncate(file, 0));
    if (size > 0)
        WORLD_OK(world, io_write(file, bytes, size, 0, 0));
    io_close(file);
}

Test(file_golden, new_bytes_are_identical)
{
    uint8_t golden[GOLDEN_SIZE], written[GOLDEN_SIZE];
    struct world world;

    golden_bytes(golden);
    init(&world);
    world_open(&world);
    world_close(&world);
    WORLD_OK(&world, io_sim_peek(world.io, WORLD_PATH, 0, written, GOLDEN_SIZE));
    for (uint32_t offset = 0; offset < GOLDEN_SIZE; offset++)
        cr_assert_eq(written[offset], golden[offset], "at byte %u", offset);
    world_deinit(&world);
}

Test(file_golden, old_bytes_are_opened_and_can_be_changed)
{
    uint8_t golden[GOLDEN_SIZE];
    struct world world;

    golden_bytes(golden);
    init(&world);
    put_file(&world, golden, GOLDEN_SIZE);
    world_open(&world);
    cr_assert_eq(pager_file_id(world.pager), 0x77u);
    cr_assert_eq(pager_page_count(world.pager), 5u);
    cr_assert_eq(pager_csn(world.pager), 1u);
    for (int count = 0; count < 20; count++)
        (void)world_allocate(&world, 1);
    world_verify(&world);
    world_close(&world);
    world_open(&world);
    world_verify(&world);
    world_close(&world);
    world_deinit(&world);
}

/* Opens the file as it stands; what is read must be the golden bytes or refused. */
static void
open_damaged(struct world *world, const uint8_t *golden)
{
    uint8_t page[PAGE_SIZE];
    struct pager *pager;
    enum status status = pager_open(&world->env, WORLD_PATH, &world->options, &pager);

    if (status != STATUS_OK) {
        cr_assert(status == STATUS_CORRUPT || status == STATUS_INVALID || status == STATUS_VERSION,
                  "%s: %s", status_name(status), error_message());
        return;
    }
    cr_assert_eq(pager_file_id(pager), 0x77u);
    cr_assert_eq(pager_page_count(pager), 5u);
    for (uint32_t number = MAP_FIRST_PAGE; number < 5; number++) {
        if (pager_copy(pager, number, page) == STATUS_OK)
            cr_assert_eq(memcmp(page, golden + number * PAGE_SIZE, PAGE_SIZE), 0);
    }
    pager_abandon(pager);
}

Test(file_golden, each_flipped_bit_is_noticed_or_harmless)
{
    uint8_t golden[GOLDEN_SIZE];
    struct world world;

    golden_bytes(golden);
    init(&world);
    put_file(&world, golden, GOLDEN_SIZE);
    world.options.create = false;
    for (uint64_t bit = 0; bit < GOLDEN_SIZE * 8ull; bit++) {
        if (bit / 8 % PAGE_SIZE > 300 && bit % 61 != 0)
            continue;
        WORLD_OK(&world, io_sim_flip_bit(world.io, WORLD_PATH, bit));
        open_damaged(&world, golden);
        WORLD_OK(&world, io_sim_flip_bit(world.io, WORLD_PATH, bit));
    }
    world_deinit(&world);
}

Test(file_golden, each_cut_length_is_refused)
{
    uint8_t golden[GOLDEN_SIZE];
    struct world world;

    golden_bytes(golden);
    init(&world);
    world.options.create = false;
    for (uint64_t size = 0; size < GOLDEN_SIZE; size += size < 200 ? 1 : 97) {
        struct pager *pager;
        put_file(&world, golden, size);
        cr_assert_neq(pager_open(&world.env, WORLD_PATH, &world.options, &pager), STATUS_OK);
    }
    world_deinit(&world);
}

Test(file_golden, a_newer_version_is_refused_as_such)
{
    uint8_t golden[GOLDEN_SIZE];
    struct world world;
    struct pager *pager;

    /* Version 2 in slot 0, under a checksum that holds for it. */
    golden_bytes(golden);
    golden[16] = 2;
    *(le64 *)(void *)golden =
        le64_of(checksum64(golden + 8, PAGE_SIZE - 8, checksum_seed(META_SEED, 0)));
    init(&world);
    put_file(&world, golden, GOLDEN_SIZE);
    cr_assert_eq(pager_open(&world.env, WORLD_PATH, &world.options, &pager), STATUS_VERSION);
    cr_assert_not_null(strstr(error_message(), WORLD_PATH), "%s", error_message());
    world_deinit(&world);
}
