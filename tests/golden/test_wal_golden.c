/*
 * Goal: prove that the bytes of segment headers, horizons, frames, commit parts and records do not
 * change: logs written once can be read for ever, and today's code writes the very same bytes.
 * Method: a whole segment written down here, as pieces of hexadecimal at their offsets (all other
 * bytes are zero). The log code, given the same epoch, identities and commits, must write that segment;
 * and given that segment, must read those commits. When the format changes on purpose, its version,
 * offset table and these bytes change in the same commit.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/error.h"
#include "kernel/base/io_sim.h"
#include "wal/wal_private.h"

enum { SEGMENT_SIZE = WAL_SEGMENT_SIZE_MIN };

#define FILE_ID 0x1122334455667788ull
#define LOG_ID 0x99aabbccddeeff00ull
#define EPOCH 0x0123456789abcdefull

struct piece {
    uint32_t offset;
    const char *hex;
};

static const struct piece golden[] = {
    {0, "5154444257414c53"},     /* magic: QTDBWALS */
    {8, "01000000"},             /* version */
    {16, "8877665544332211"},    /* file_id */
    {24, "00ffeeddccbbaa99"},    /* log_id */
    {32, "0000010000000000"},    /* segment_size */
    {40, "0100000000000000"},    /* segment_number */
    {48, "efcdab8967452301"},    /* epoch */
    {80, "0500000000000000"},    /* prev_csn: the CSN that the log was created with */
    {88, "c498ea6fc763a25a"},    /* checksum */
    {8192, "5154444248525a4e"},  /* horizon magic: QTDBHRZN */
    {8200, "00ffeeddccbbaa99"},  /* log_id */
    {8208, "0100000000000000"},  /* segment_number */
    {8216, "efcdab8967452301"},  /* epoch */
    {8224, "0100000000000000"},  /* sequence */
    {8232, "0800000000000000"},  /* csn_durable */
    {8240, "0060010000000000"},  /* lsn_durable */
    {8248, "9a4f15100107dcac"},  /* checksum */
    {12288, "5146524d"},         /* frame magic: QFRM */
    {12292, "0100"},             /* version */
    {12296, "0030010000000000"}, /* lsn */
    {12304, "efcdab8967452301"}, /* epoch */
    {12312, "2f000000"},         /* payload_size */
    {12316, "02000000"},         /* commit_count */
    {12320, "0600000000000000"}, /* first_csn */
    {12328, "0500000000000000"}, /* csn_durable */
    {12344, "ab5e79a9b43cc5c6"}, /* payload_checksum */
    {12352, "994a9dd973c233de"}, /* header_checksum */
    {12360, "000386d095ffbc311401ac02040001020302ad020300010205f0a20400010787"}, /* payload */
    {12392, "d095ffbc3109030201000403020001"},
    {16384, "5146524d"},         /* frame magic: QFRM */
    {16388, "0100"},             /* version */
    {16392, "0040010000000000"}, /* lsn */
    {16400, "efcdab8967452301"}, /* epoch */
    {16408, "2c010000"},         /* payload_size */
    {16416, "0800000000000000"}, /* first_csn */
    {16424, "0700000000000000"}, /* csn_durable */
    {16432, "994a9dd973c233de"}, /* chain */
    {16440, "9c1865d42ca4dc34"}, /* payload_checksum */
    {16448, "01493365100a0f7e"}, /* header_checksum */
    {16456, "000188d095ffbc31a2020600c002000102030405060708090a0b0c0d0e0f1011"}, /* payload */
    {16488, "12131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031"},
    {16520, "32333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051"},
    {16552, "52535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f7071"},
    {16584, "72737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091"},
    {16616, "92939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1"},
    {16648, "b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1"},
    {16680, "d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1"},
    {16712, "f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f1011"},
    {16744, "12131415161718191a1b1c1d"},
    {20480, "5146524d"},         /* frame magic: QFRM */
    {20484, "0100"},             /* version */
    {20488, "0050010000000000"}, /* lsn */
    {20496, "efcdab8967452301"}, /* epoch */
    {20504, "25000000"},         /* payload_size */
    {20508, "01000000"},         /* commit_count */
    {20512, "0800000000000000"}, /* first_csn */
    {20520, "0700000000000000"}, /* csn_durable */
    {20528, "01493365100a0f7e"}, /* chain */
    {20536, "a5668c29b914f20d"}, /* payload_checksum */
    {20544, "8710ffdde9cc85cf"}, /* header_checksum */
    {20552, "0002221e1f202122232425262728292a2b2c2d2e2f303132333435363738393a"}, /* payload */
    {20584, "3b3c3d3e3f"},
};

struct world {
    struct memory *memory;
    struct env env;
    struct wal_options options;
    struct wal *wal;
};

static void
begin(struct world *world)
{
    struct io_sim_options options = {.seed = 1};

    *world = (struct world){.memory = memory_new()};
    world->env.memory = world->memory;
    world->options = (struct wal_options){
        .file_id = FILE_ID, .log_id = LOG_ID, .segment_size = SEGMENT_SIZE, .frame_size_max = 300};
    cr_assert(io_sim_open(world->memory, &options, &world->env.io) == STATUS_OK);
    cr_assert(io_make_dir(world->env.io, "/log") == STATUS_OK);
}

static void
end(struct world *world)
{
    wal_close(world->wal);
    io_close_all(world->env.io);
    memory_delete(world->memory);
}

/* The commits of the golden segment; the third begins a frame and needs another. */
static size_t
encode(uint64_t csn, uint8_t *out, size_t size)
{
    struct byte_writer writer = byte_writer_init(out, size);
    uint8_t body[320];

    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (uint8_t)i;
    if (csn == 6) {
        wal_record_put(&writer, WAL_RECORD_IMAGE, 300, body, 4);
        wal_record_put(&writer, WAL_RECORD_RANGES, 301, body, 3);
        wal_record_put(&writer, WAL_RECORD_SIZE, 70000, NULL, 0);
    } else if (csn == 7) {
        wal_record_put(&writer, WAL_RECORD_FREE, 2, body, 1);
        wal_record_put(&writer, WAL_RECORD_RESET, 3, body, 2);
    } else {
        wal_record_put(&writer, WAL_RECORD_NOTE, 0, body, sizeof(body));
    }
    cr_assert(!writer.overflow);
    return writer.offset;
}

static void
append(struct world *world, uint64_t csn)
{
    uint8_t records[400];
    struct wal_commit commit = {.csn = csn,
                                .time_ms = 1700000000000 + csn,
                                .system = csn == 7,
                                .records = records,
                                .size = encode(csn, records, sizeof(records))};

    while (wal_reserve(world->wal, commit.size, false) == STATUS_MISSING)
        cr_assert(wal_make_room(world->wal, commit.size, false) == STATUS_OK);
    wal_append(world->wal, &commit);
}

static void
expand(uint8_t *out)
{
    memset(out, 0, SEGMENT_SIZE);
    for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
        const char *hex = golden[i].hex;

        for (uint32_t at = golden[i].offset; hex[0] != '\0'; hex += 2, at++) {
            char digits[3] = {hex[0], hex[1], '\0'};
            out[at] = (uint8_t)strtoul(digits, NULL, 16);
        }
    }
}

static void
print_pieces(const uint8_t *bytes)
{
    for (size_t at = 0; at < SEGMENT_SIZE; at += 32) {
        if (bytes_are_zero(bytes + at, 32))
            continue;
        printf("    {%d, \"", (int)at);
        for (size_t i = at; i < at + 32; i++)
            printf("%02x", bytes[i]);
        printf("\"},\n");
    }
}

Test(wal_golden, segment_is_written_byte_for_byte)
{
    static uint8_t expected[SEGMENT_SIZE], found[SEGMENT_SIZE];
    struct wal_position before = {.csn = 5};
    struct world world;

    begin(&world);
    cr_assert(wal_create(&world.env, "/log", &world.options, 5, &world.wal) == STATUS_OK);
    world.wal->epoch = EPOCH;
    cr_assert(wal__segment_write_header(world.wal, world.wal->kept.last, 0, &before) == STATUS_OK);
    append(&world, 6);
    append(&world, 7);
    cr_assert(wal_flush(world.wal, 7) == STATUS_OK);
    append(&world, 8);
    cr_assert(wal_flush(world.wal, 8) == STATUS_OK);
    cr_assert(wal_write_horizon(world.wal) == STATUS_OK);
    cr_assert(io_sim_peek(world.env.io, "/log/0000000000000001.seg", 0, found, SEGMENT_SIZE) ==
              STATUS_OK);
    expand(expected);
    if (memcmp(found, expected, SEGMENT_SIZE) != 0)
        print_pieces(found);
    cr_assert(memcmp(found, expected, SEGMENT_SIZE) == 0);
    end(&world);
}

/* Puts the golden segment on the disk. */
static void
put_golden(struct world *world)
{
    static uint8_t bytes[SEGMENT_SIZE] __attribute__((aligned(WAL_BLOCK_SIZE)));
    struct io_file *file = NULL;

    expand(bytes);
    begin(world);
    cr_assert(io_open(world->env.io, "/log/0000000000000001.seg", IO_WRITE | IO_CREATE, &file) ==
              STATUS_OK);
    cr_assert(io_write(file, bytes, SEGMENT_SIZE, 0, IO_DURABLE) == STATUS_OK);
    io_close(file);
}

static const struct wal_position golden_start = {.lsn = SEGMENT_SIZE + WAL_FRAMES_OFFSET, .csn = 5};

Test(wal_golden, segment_is_read_as_it_was_meant)
{
    struct wal_reader *reader = NULL;
    struct wal_record record;
    struct world world;
    uint64_t csn = 6;

    put_golden(&world);
    cr_assert(wal_open(&world.env, "/log", &world.options, golden_start, &world.wal) == STATUS_OK,
              "%s", error_message());
    const struct wal_scan_result *scan = wal_scan(world.wal);
    cr_assert(scan->end.csn == 8 && scan->frame_count == 3 && scan->commit_count == 3);
    cr_assert(scan->end.lsn == golden_start.lsn + 3 * WAL_BLOCK_SIZE);
    cr_assert(wal_reader_open(world.wal, &reader) == STATUS_OK);
    for (; csn <= 8; csn++) {
        uint8_t expected[400], found[400];
        size_t size = encode(csn, expected, sizeof(expected));
        struct byte_writer writer = byte_writer_init(found, sizeof(found));

        do {
            cr_assert(wal_reader_next(reader, &record) == STATUS_OK);
            cr_assert(record.csn == csn && record.time_ms == 1700000000000 + csn);
            cr_assert(record.commit_flags == (csn == 7 ? WAL_PART_SYSTEM : 0));
            wal_record_put(&writer, record.type, record.page_number, record.body, record.size);
        } while (!record.commit_last);
        cr_assert(writer.offset == size && memcmp(found, expected, size) == 0);
    }
    cr_assert(wal_reader_next(reader, &record) == STATUS_NOT_FOUND);
    wal_reader_close(reader);
    end(&world);
}

Test(wal_golden, segment_with_any_bit_flipped_or_cut_is_refused_or_read_in_full)
{
    static const uint64_t starts[] = {0, 4096, 8192, 12288, 16384, 20480};
    uint64_t refused = 0;
    struct world world;

    put_golden(&world);
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        for (uint64_t bit = starts[i] * 8; bit < (starts[i] + 400) * 8; bit++) {
            cr_assert(io_sim_flip_bit(world.env.io, "/log/0000000000000001.seg", bit) == STATUS_OK);
            enum status status =
                wal_open(&world.env, "/log", &world.options, golden_start, &world.wal);
            cr_assert(status == STATUS_OK || status == STATUS_CORRUPT);
            if (status == STATUS_OK)
                cr_assert(wal_scan(world.wal)->end.csn == 8);
            else
                refused++;
            wal_close(world.wal);
            world.wal = NULL;
            cr_assert(io_sim_flip_bit(world.env.io, "/log/0000000000000001.seg", bit) == STATUS_OK);
        }
    }
    cr_assert(refused > 5000);
    for (uint64_t size = 0; size < SEGMENT_SIZE; size += 100) {
        struct io_file *file = NULL;

        end(&world);
        put_golden(&world);
        cr_assert(io_open(world.env.io, "/log/0000000000000001.seg", IO_WRITE, &file) == STATUS_OK);
        cr_assert(io_truncate(file, size) == STATUS_OK);
        io_close(file);
        cr_assert(wal_open(&world.env, "/log", &world.options, golden_start, &world.wal) ==
                  STATUS_CORRUPT);
    }
    end(&world);
}
