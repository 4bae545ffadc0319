/*
 * Goal: prove that the window gives the file's bytes, whatever is asked for in whatever order, whether it
 * reads ahead or not, and that reading ahead can be refused without harm.
 * Method: files of known bytes on the simulated and on the real disk; runs from front to back, jumps,
 * ends that are no whole block; allocations and operations failing one by one.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/base/error.h"
#include "kernel/base/random.h"
#include "tests/unit/wal/wal_help.h"

enum { FILE_BLOCKS = 1536, FILE_SIZE = FILE_BLOCKS * WAL_BLOCK_SIZE };

static struct help_log log;
static struct wal__stream stream;
static char path[512];

static uint8_t
byte_at(uint64_t offset)
{
    return (uint8_t)(offset * 31 + (offset >> 9) * 7);
}

static void
put_file(uint64_t size)
{
    static uint8_t bytes[64 * WAL_BLOCK_SIZE] __attribute__((aligned(WAL_BLOCK_SIZE)));
    struct io_file *file = NULL;

    snprintf(path, sizeof(path), "%s", help_path(&log, 1));
    cr_assert(io_open(log.io, path, IO_WRITE | IO_CREATE, &file) == STATUS_OK);
    for (uint64_t offset = 0; offset < size; offset += sizeof(bytes)) {
        size_t count = size - offset < sizeof(bytes) ? (size_t)(size - offset) : sizeof(bytes);

        for (size_t i = 0; i < count; i++)
            bytes[i] = byte_at(offset + i);
        cr_assert(io_write(file, bytes, count, offset, 0) == STATUS_OK);
    }
    io_close(file);
}

static void
begin(uint64_t size)
{
    struct io_sim_options options = {.seed = 4};

    help_init_sim(&log, &options);
    put_file(size);
}

static void
end(void)
{
    wal__stream_deinit(&stream);
    cr_assert(log.dir != NULL);
    help_deinit(&log);
}

static void
expect(uint64_t offset, size_t size)
{
    const uint8_t *bytes = NULL;

    cr_assert(wal__stream_get(&stream, offset, size, &bytes) == STATUS_OK, "%s", error_message());
    cr_assert_not_null(bytes, "%d bytes at %d", (int)size, (int)offset);
    for (size_t i = 0; i < size; i++)
        cr_assert(bytes[i] == byte_at(offset + i), "%d", (int)(offset + i));
}

/* Frames of random size from front to back. */
static void
run_through(uint64_t seed)
{
    struct random random;
    uint64_t offset = 0;

    random_init(&random, seed);
    while (offset < FILE_SIZE) {
        size_t blocks = 1 + random_below(&random, random_chance(&random, 1, 9) ? 256 : 20);
        size_t size = blocks * WAL_BLOCK_SIZE;

        if (size > FILE_SIZE - offset)
            size = (size_t)(FILE_SIZE - offset);
        expect(offset, 72);
        expect(offset, size);
        offset += size;
    }
}

Test(wal_stream, gives_a_long_file_from_front_to_back)
{
    begin(FILE_SIZE);
    cr_assert(wal__stream_init(&stream, &log.env, WAL_SEGMENT_SIZE_MAX) == STATUS_OK);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        cr_assert(wal__stream_open(&stream, path) == STATUS_OK);
        run_through(seed);
        cr_assert(stream.windows[1] != NULL && stream.queue != NULL);
    }
    end();
}

Test(wal_stream, gives_a_long_file_of_the_real_disk)
{
    for (int uring = 0; uring < 2; uring++) {
        help_init_posix(&log, uring == 1);
        put_file(FILE_SIZE);
        cr_assert(wal__stream_init(&stream, &log.env, WAL_SEGMENT_SIZE_MAX) == STATUS_OK);
        cr_assert(wal__stream_open(&stream, path) == STATUS_OK);
        run_through(1);
        end();
    }
}

Test(wal_stream, may_be_asked_in_any_order)
{
    struct random random;

    begin(FILE_SIZE);
    random_init(&random, 9);
    cr_assert(wal__stream_init(&stream, &log.env, WAL_SEGMENT_SIZE_MAX) == STATUS_OK);
    cr_assert(wal__stream_open(&stream, path) == STATUS_OK);
    for (int i = 0; i < 300; i++) {
        size_t size = 1 + (size_t)random_below(&random, i % 4 == 0 ? 1u << 20 : 5000);
        uint64_t offset = random_below(&random, FILE_SIZE - size);

        expect(offset, size);
        if (i % 3 == 0 && offset + 2 * size <= FILE_SIZE)
            expect(offset + size, size);
    }
    end();
}

Test(wal_stream, ends_where_the_file_ends)
{
    static const uint64_t sizes[] = {0, 1, 4095, 4096, 5000, 70000, 2u << 20, (2u << 20) + 7};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const uint8_t *bytes = NULL;
        uint64_t blocks_end = (sizes[i] + 4095) / 4096 * 4096;

        begin(sizes[i]);
        cr_assert(wal__stream_init(&stream, &log.env, WAL_SEGMENT_SIZE_MAX) == STATUS_OK);
        cr_assert(wal__stream_open(&stream, path) == STATUS_OK);
        for (uint64_t at = 0; at + 4096 <= sizes[i]; at += 4096)
            expect(at, 4096);
        cr_assert(wal__stream_get(&stream, blocks_end, 1, &bytes) == STATUS_OK && bytes == NULL);
        if (sizes[i] % 4096 != 0) { /* The rest of its last block reads as zeros. */
            cr_assert(wal__stream_get(&stream, blocks_end - 4096, 4096, &bytes) == STATUS_OK);
            cr_assert(bytes_are_zero(bytes + sizes[i] % 4096, 4096 - sizes[i] % 4096));
            cr_assert(bytes[0] == byte_at(blocks_end - 4096));
        }
        end();
    }
}

Test(wal_stream, goes_on_without_reading_ahead_where_that_is_refused)
{
    for (uint64_t i = 0; i < 4; i++) {
        begin(FILE_SIZE);
        memory_fail_at(log.memory, i, false);
        enum status status = wal__stream_init(&stream, &log.env, WAL_SEGMENT_SIZE_MAX);
        cr_assert((status == STATUS_NO_MEMORY) == (i == 0));
        if (status == STATUS_OK) {
            cr_assert(wal__stream_open(&stream, path) == STATUS_OK);
            run_through(i);
        }
        end();
    }
}

Test(wal_stream, reports_a_read_that_fails_where_it_is_needed)
{
    begin(FILE_SIZE);
    cr_assert(wal__stream_init(&stream, &log.env, WAL_SEGMENT_SIZE_MAX) == STATUS_OK);
    for (uint64_t at = 0; at < FILE_SIZE; at += 100 * WAL_BLOCK_SIZE) {
        const uint8_t *bytes = NULL;
        enum status status = STATUS_OK;
        uint64_t offset = 0;

        cr_assert(io_sim_bad_range(log.io, path, 0, 0) == STATUS_OK);
        cr_assert(io_sim_bad_range(log.io, path, at, 512) == STATUS_OK);
        cr_assert(wal__stream_open(&stream, path) == STATUS_OK);
        while (offset < FILE_SIZE && status == STATUS_OK) {
            status = wal__stream_get(&stream, offset, 10 * WAL_BLOCK_SIZE, &bytes);
            if (offset + 10 * WAL_BLOCK_SIZE >= FILE_SIZE)
                break;
            offset += 10 * WAL_BLOCK_SIZE;
        }
        cr_assert(status == STATUS_IO);
        cr_assert(offset <= at + 10 * WAL_BLOCK_SIZE);
    }
    end();
}

Test(wal_stream, survives_each_failing_operation)
{
    for (uint64_t i = 0; i < 40; i++) {
        const uint8_t *bytes = NULL;
        enum status status;

        begin(FILE_SIZE);
        cr_assert(wal__stream_init(&stream, &log.env, WAL_SEGMENT_SIZE_MAX) == STATUS_OK);
        io_sim_fail_at(log.io, io_sim_op_count(log.io) + i, IO_SIM_FAULT_EIO, false);
        status = wal__stream_open(&stream, path);
        for (uint64_t offset = 0; offset < FILE_SIZE && status == STATUS_OK;
             offset += 16 * WAL_BLOCK_SIZE) {
            status = wal__stream_get(&stream, offset, 16 * WAL_BLOCK_SIZE, &bytes);
            for (size_t b = 0; status == STATUS_OK && b < 16 * WAL_BLOCK_SIZE; b += 100)
                cr_assert(bytes[b] == byte_at(offset + b));
        }
        cr_assert(status == STATUS_OK || status == STATUS_IO);
        end();
    }
}
