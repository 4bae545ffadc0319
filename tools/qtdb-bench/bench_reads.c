/*
 * How many random 4 KiB reads a second the device gives with so many under way: what cold look-ups are
 * held against. A file of the data's size is written, dropped from the page cache and read past it,
 * through the same door to the system that qtdb reads through. The best of some rounds counts: a disk that
 * was just written to is slow for a while.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/io.h"
#include "kernel/base/random.h"
#include "tools/qtdb-bench/bench_print.h"
#include "tools/qtdb-bench/bench_reads.h"
#include "tools/qtdb-bench/bench_system.h"

enum { CHUNK = 1 << 20, READS_MIN = 4096, READS_MAX = 1 << 17, ROUNDS = 3 };

struct reads {
    struct io_file *file;
    struct io_queue *queue;
    struct random random;
    uint64_t blocks;
    uint8_t *bytes;
    struct io_request requests[BENCH_READS_DEPTH_MAX];
};

static enum status
fill(struct reads *reads)
{
    TRY(io_allocate(reads->file, 0, reads->blocks * IO_BLOCK_SIZE));
    for (uint64_t at = 0; at < reads->blocks * IO_BLOCK_SIZE; at += CHUNK) {
        random_bytes(&reads->random, reads->bytes, IO_BLOCK_SIZE);
        TRY(io_write(reads->file, reads->bytes, CHUNK, at, 0));
    }
    return io_sync(reads->file);
}

static enum status
start(struct reads *reads, struct io_request *request)
{
    size_t slot = (size_t)(request - reads->requests);

    *request = (struct io_request){
        .op = IO_OP_READ,
        .file = reads->file,
        .bytes = reads->bytes + slot * IO_BLOCK_SIZE,
        .size = IO_BLOCK_SIZE,
        .offset = random_below(&reads->random, reads->blocks) * IO_BLOCK_SIZE,
    };
    return io_queue_submit(reads->queue, &request, 1);
}

/* Each read that ends is followed by another. */
static enum status
measure(struct reads *reads, uint32_t depth, double *rate_out)
{
    struct io_request *done[BENCH_READS_DEPTH_MAX];
    uint64_t count = reads->blocks / 2 < READS_MIN ? READS_MIN : reads->blocks / 2;
    uint32_t in_flight = 0;

    count = count > READS_MAX ? READS_MAX : count;
    uint64_t begin = tool_clock_ns();

    for (uint64_t started = 0, ended = 0; ended < count; ended += in_flight) {
        for (uint32_t i = 0; started < depth && i < depth; i++, started++)
            TRY(start(reads, &reads->requests[i]));
        TRY(io_queue_reap(reads->queue, 1, done, depth, &in_flight));
        for (uint32_t i = 0; i < in_flight; i++) {
            TRY(done[i]->status);
            if (started++ < count)
                TRY(start(reads, done[i]));
        }
    }
    *rate_out = (double)count * 1e9 / (double)(tool_clock_ns() - begin);
    return STATUS_OK;
}

static enum status
run(struct io *io, struct memory *memory, const char *path, uint32_t depth, struct reads *reads,
    double *rate_out)
{
    enum status status = STATUS_NO_MEMORY;

    reads->bytes = memory_alloc_aligned(memory, MEMORY_OTHER, CHUNK, IO_BLOCK_SIZE);
    if (reads->bytes == NULL)
        goto out;
    TRY_OUT(io_open(io, path, IO_WRITE | IO_CREATE | IO_DIRECT, &reads->file));
    TRY_OUT(io_queue_open(io, depth, &reads->queue));
    TRY_OUT(fill(reads));
    *rate_out = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        double rate;

        TRY_OUT(measure(reads, depth, &rate));
        *rate_out = rate > *rate_out ? rate : *rate_out;
    }
out:
    io_queue_close(reads->queue);
    io_close(reads->file);
    memory_free(memory, MEMORY_OTHER, reads->bytes, CHUNK);
    return status;
}

enum status
bench_random_reads(struct memory *memory, const char *dir, uint64_t size, uint32_t depth,
                   double *rate_out)
{
    struct reads reads = {.blocks = size / CHUNK * (CHUNK / IO_BLOCK_SIZE)};
    char path[BENCH_PATH_SIZE];
    struct io *io;

    CHECK(depth >= 1 && depth <= BENCH_READS_DEPTH_MAX);
    if (reads.blocks == 0)
        reads.blocks = CHUNK / IO_BLOCK_SIZE;
    random_init(&reads.random, 1);
    (void)snprintf(path, sizeof(path), "%s/reads", dir);
    TRY(bench_dir_make(dir));
    TRY(io_posix_open(memory, true, &io));
    enum status status = run(io, memory, path, depth, &reads, rate_out);
    enum status removed = io_remove(io, path);

    io_close_all(io);
    return status != STATUS_OK ? status : removed;
}
