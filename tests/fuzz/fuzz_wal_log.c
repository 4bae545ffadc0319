/*
 * Goal: prove that a log of any bytes is opened, read, shown and continued or refused with a message,
 * and never brings the process down.
 * Method: a sound log of two segments on a simulated disk, made once. Each input changes it: edits of
 * some bytes anywhere in its used blocks, by the input's own choice with the checksums of
 * headers, horizons and frames made to hold again afterwards, so that what stands behind them is
 * reached. What opens is read to its end, started and appended to.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/checksum.h"
#include "kernel/base/error.h"
#include "kernel/base/io_sim.h"
#include "wal/wal_private.h"

enum { RESEAL = 1, ACCEPT_LOSS = 2, BLOCK_COUNT = 12, SEGMENT_SIZE = WAL_SEGMENT_SIZE_MIN };

static struct memory *memory;
static struct io *base;
static const struct wal_position start = {.lsn = SEGMENT_SIZE + WAL_FRAMES_OFFSET};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
    if (!holds)
        abort();
}

static struct wal_options
options_of(uint8_t mode)
{
    return (struct wal_options){.file_id = 1,
                                .log_id = 2,
                                .segment_size = SEGMENT_SIZE,
                                .buffer_count = 4,
                                .frame_size_max = 9000,
                                .spare_count = 1,
                                .accept_loss = (mode & ACCEPT_LOSS) != 0};
}

static void
append(struct wal *wal, uint64_t csn, size_t body_size)
{
    static uint8_t records[20000], body[20000];
    struct byte_writer writer = byte_writer_init(records, sizeof(records));
    enum status status;

    wal_record_put(&writer, WAL_RECORD_IMAGE, csn, body, body_size);
    wal_record_put(&writer, WAL_RECORD_RANGES, csn + 1, "abc", 3);
    while ((status = wal_reserve(wal, writer.offset, false)) == STATUS_MISSING)
        require(wal_make_room(wal, writer.offset, false) == STATUS_OK);
    require(status == STATUS_OK);
    struct wal_commit commit = {.csn = csn, .records = records, .size = writer.offset};
    wal_append(wal, &commit);
    require(wal_flush(wal, csn) == STATUS_OK);
}

/* Frames of one block up to segment 1's end, one commit over many, frames in segment 2. */
static void
make_base(void)
{
    struct io_sim_options sim_options = {.seed = 1};
    struct wal_options options = options_of(0);
    struct wal *wal = NULL;
    struct env env;
    uint64_t csn = 1;

    memory = memory_new();
    require(io_sim_open(memory, &sim_options, &base) == STATUS_OK);
    env = (struct env){.memory = memory, .io = base};
    require(io_make_dir(base, "/log") == STATUS_OK);
    require(wal_create(&env, "/log", &options, 0, &wal) == STATUS_OK);
    for (; csn <= 5; csn++)
        append(wal, csn, 30 * csn);
    append(wal, csn++, 12000);
    append(wal, csn++, 15000);
    while (wal->kept.last->number == 1)
        append(wal, csn++, 3000);
    append(wal, csn++, 5);
    require(wal_write_horizon(wal) == STATUS_OK);
    wal_close(wal);
}

/* Byte `at` of the blocks that hold something: headers, horizons and first frames of both segments. */
static void
edit(struct io *io, uint32_t at, const uint8_t *bytes, size_t size)
{
    uint32_t block = at / 512 % (2 * BLOCK_COUNT);
    uint64_t offset = block % BLOCK_COUNT * WAL_BLOCK_SIZE + at % 512;
    const char *path =
        block < BLOCK_COUNT ? "/log/0000000000000001.seg" : "/log/0000000000000002.seg";

    require(io_sim_overwrite(io, path, offset, bytes, size) == STATUS_OK);
}

/* Makes the checksums hold, whatever the values: the sealing functions check those. */
static void
reseal_block(uint8_t *block, size_t size)
{
    struct wal_segment_header *segment = (struct wal_segment_header *)block;
    struct wal_horizon *horizon = (struct wal_horizon *)block;
    struct wal_frame_header *frame = (struct wal_frame_header *)block;
    uint32_t payload_size = le32_get(frame->payload_size);

    if (le64_get(segment->magic) == WAL_SEGMENT_MAGIC)
        segment->checksum = le64_of(
            checksum64(segment, offsetof(struct wal_segment_header, checksum), WAL_SEED_SEGMENT));
    if (le64_get(horizon->magic) == WAL_HORIZON_MAGIC)
        horizon->checksum =
            le64_of(checksum64(horizon, offsetof(struct wal_horizon, checksum), WAL_SEED_HORIZON));
    if (le32_get(frame->magic) != WAL_FRAME_MAGIC)
        return;
    if (payload_size >= 1 && payload_size <= size - sizeof(*frame))
        frame->payload_checksum = le64_of(wal__payload_checksum(frame, block + sizeof(*frame)));
    frame->header_checksum = le64_of(
        checksum64(frame, offsetof(struct wal_frame_header, header_checksum), WAL_SEED_FRAME));
}

static void
reseal(struct io *io, const char *path)
{
    static uint8_t bytes[SEGMENT_SIZE];

    require(io_sim_peek(io, path, 0, bytes, sizeof(bytes)) == STATUS_OK);
    for (size_t at = 0; at < sizeof(bytes); at += WAL_BLOCK_SIZE) {
        uint8_t before[sizeof(struct wal_segment_header)];

        memcpy(before, bytes + at, sizeof(before));
        reseal_block(bytes + at, sizeof(bytes) - at);
        if (memcmp(before, bytes + at, sizeof(before)) != 0)
            require(io_sim_overwrite(io, path, at, bytes + at, sizeof(before)) == STATUS_OK);
    }
}

static void
read_all(struct wal *wal)
{
    struct wal_reader *reader = NULL;
    struct wal_record record;
    uint64_t csn = start.csn;
    enum status status;

    require(wal_reader_open(wal, &reader) == STATUS_OK);
    while ((status = wal_reader_next(reader, &record)) == STATUS_OK) {
        require(record.csn >= csn && record.csn <= wal_scan(wal)->end.csn);
        csn = record.csn;
    }
    require(status == STATUS_NOT_FOUND || status == STATUS_CORRUPT);
    wal_reader_close(reader);
}

static void
show(void *context, const struct wal_frame_view *view)
{
    require((view->status == STATUS_OK) == (view->payload != NULL));
    ++*(uint64_t *)context;
}

static void
use_log(struct io *io, uint8_t mode)
{
    struct env env = {.memory = memory, .io = io};
    struct wal_options options = options_of(mode);
    struct wal *wal = NULL;
    uint64_t count = 0;
    enum status status = wal_dump_segment(&env, "/log/0000000000000001.seg", show, &count);

    require(status == STATUS_OK || status == STATUS_CORRUPT || status == STATUS_VERSION);
    error_clear();
    status = wal_open(&env, "/log", &options, start, &wal);
    if (status != STATUS_OK) {
        require(status == STATUS_CORRUPT || status == STATUS_VERSION || status == STATUS_NOT_FOUND);
        require(error_message()[0] != '\0');
        return;
    }
    read_all(wal);
    status = wal_start(wal);
    require(status == STATUS_OK);
    if (wal_csn_appended(wal) < UINT64_MAX - 2)
        append(wal, wal_csn_appended(wal) + 1, 100);
    wal_close(wal);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_KEPT};
    struct byte_reader reader = byte_reader_init(data, size);
    struct io *io = NULL;
    uint8_t mode = 0;

    if (base == NULL)
        make_base();
    (void)byte_reader_get_u8(&reader, &mode);
    require(io_sim_fork(base, &crash, memory, &io) == STATUS_OK);
    for (;;) {
        uint16_t at = 0;
        uint8_t count = 0;
        const uint8_t *bytes = NULL;

        if (!byte_reader_get_u16(&reader, &at) || !byte_reader_get_u8(&reader, &count) ||
            !byte_reader_skip(&reader, count % 32, &bytes))
            break;
        edit(io, at, bytes, count % 32);
    }
    if ((mode & RESEAL) != 0) {
        reseal(io, "/log/0000000000000001.seg");
        reseal(io, "/log/0000000000000002.seg");
    }
    use_log(io, mode);
    io_close_all(io);
    return 0;
}
