/*
 * What the device gives for random 4 KiB blocks: what look-ups and updates beyond the pool are held against. It is
 * measured on the store's own file, right before and after the run that it is held against, past the page cache and
 * through the same door to the system that qtdb uses: the same disk, the same place on it, the same hour.
 *
 * An update of a row that is not in the pool has to read its leaf, which the client waits for, and some time later to
 * write it, which nobody waits for. So its device rate is that of blocks read `depth` at a time and each written back
 * in the background: what an engine without a log and without a second change of a leaf could reach. Blocks are
 * written as they were read, so the file stays what it was.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/io.h"
#include "kernel/base/random.h"
#include "tools/qtdb-bench/bench_print.h"
#include "tools/qtdb-bench/bench_reads.h"
#include "tools/qtdb-bench/bench_system.h"

enum { WRITES_MAX = 32, SLOTS = BENCH_READS_DEPTH_MAX + WRITES_MAX };
enum { BLOCKS_MIN = 256, MEASURE_NS = 1000000000 };

struct reads {
    struct io_file *file;
    struct io_queue *queue;
    struct random random;
    uint64_t blocks; /* Of the file. */
    uint8_t *bytes;  /* A block for each slot. */
    bool update;
    uint32_t depth;
    uint32_t reading; /* Reads under way. */
    uint32_t busy;    /* Slots under way, */
    uint32_t free_count;
    struct io_request *free_slots[SLOTS]; /* and the others. */
    struct io_request slots[SLOTS];
    uint64_t done;
};

static enum status
start_reads(struct reads *reads)
{
    while (reads->reading < reads->depth && reads->free_count > 0) {
        struct io_request *request = reads->free_slots[--reads->free_count];

        *request = (struct io_request){
            .op = IO_OP_READ,
            .file = reads->file,
            .bytes = reads->bytes + (size_t)(request - reads->slots) * IO_BLOCK_SIZE,
            .size = IO_BLOCK_SIZE,
            .offset = random_below(&reads->random, reads->blocks) * IO_BLOCK_SIZE,
        };
        TRY(io_queue_submit(reads->queue, &request, 1));
        reads->reading++;
        reads->busy++;
    }
    return STATUS_OK;
}

/* A read is followed by its write, where one is wanted. */
static enum status
finish(struct reads *reads, struct io_request *request)
{
    bool was_read = request->op == IO_OP_READ;

    TRY(request->status);
    reads->reading -= was_read;
    if (was_read && reads->update) {
        request->op = IO_OP_WRITE;
        return io_queue_submit(reads->queue, &request, 1);
    }
    reads->done++;
    reads->busy--;
    reads->free_slots[reads->free_count++] = request;
    return STATUS_OK;
}

static enum status
measure(struct reads *reads, double *rate_out)
{
    struct io_request *done[SLOTS];
    uint64_t begin = tool_clock_ns();
    uint32_t count = 0;

    for (;;) {
        bool more = reads->done < BLOCKS_MIN || tool_clock_ns() - begin < MEASURE_NS;

        if (more && !tool_stop_requested())
            TRY(start_reads(reads));
        if (reads->busy == 0)
            break;
        TRY(io_queue_reap(reads->queue, 1, done, SLOTS, &count));
        for (uint32_t i = 0; i < count; i++)
            TRY(finish(reads, done[i]));
    }
    if (reads->update)
        TRY(io_sync(reads->file));
    *rate_out = (double)reads->done * 1e9 / (double)(tool_clock_ns() - begin);
    return STATUS_OK;
}

static enum status
run(struct io *io, struct memory *memory, const char *path, struct reads *reads, double *rate_out)
{
    enum status status = STATUS_NO_MEMORY;
    size_t room = (size_t)SLOTS * IO_BLOCK_SIZE;
    uint64_t size = 0;

    reads->bytes = memory_alloc_aligned(memory, MEMORY_OTHER, room, IO_BLOCK_SIZE);
    if (reads->bytes == NULL)
        goto out;
    TRY_OUT(io_open(io, path, IO_DIRECT | (reads->update ? IO_WRITE : 0), &reads->file));
    TRY_OUT(io_size(reads->file, &size));
    reads->blocks = size / IO_BLOCK_SIZE;
    if (reads->blocks == 0) {
        status = error_raise(STATUS_NOT_FOUND, "%s has no block to read", path);
        goto out;
    }
    TRY_OUT(io_queue_open(io, SLOTS, &reads->queue));
    status = measure(reads, rate_out);
out:
    io_queue_close(reads->queue);
    io_close(reads->file);
    memory_free(memory, MEMORY_OTHER, reads->bytes, room);
    return status;
}

enum status
bench_device_rate(struct memory *memory, const char *dir, uint32_t depth, bool update,
                  double *rate_out)
{
    struct reads *reads = memory_alloc(memory, MEMORY_OTHER, sizeof(*reads));
    char path[BENCH_PATH_SIZE];
    struct io *io = NULL;
    enum status status;

    CHECK(depth >= 1 && depth <= BENCH_READS_DEPTH_MAX);
    if (reads == NULL)
        return STATUS_NO_MEMORY;
    reads->update = update;
    reads->depth = depth;
    for (uint32_t i = 0; i < depth + (update ? WRITES_MAX : 0); i++)
        reads->free_slots[reads->free_count++] = &reads->slots[i];
    random_init(&reads->random, tool_clock_ns());
    TRY_OUT(bench_dir_largest(dir, path, sizeof(path)));
    TRY_OUT(io_posix_open(memory, true, &io));
    status = run(io, memory, path, reads, rate_out);
    io_close_all(io);
out:
    memory_free(memory, MEMORY_OTHER, reads, sizeof(*reads));
    return status;
}
