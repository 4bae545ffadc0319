/*
 * Goal: both kinds of queue, io_uring's and the one that does each operation at once, give the same
 * answers, for buffered and for direct files.
 * Method: each test runs four times. What io_uring alone can do wrong is in test_io_uring.c.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "kernel/base/error.h"
#include "kernel/base/io_posix_private.h"
#include "kernel/base/log_sink.h"
#include "kernel/base/random.h"
#include "tests/unit/base/fake_calls.h"
#include "tests/unit/base/temp_dir.h"

enum { DEPTH = 32, BLOCKS = 256 };

static struct temp_dir dir;
static uint8_t blocks[BLOCKS][IO_BLOCK_SIZE] __attribute__((aligned(IO_BLOCK_SIZE)));
static uint8_t seen[BLOCKS][IO_BLOCK_SIZE] __attribute__((aligned(IO_BLOCK_SIZE)));
static struct io_request requests[BLOCKS];
static struct io_queue *queue;
static struct io_file *file;

static void
with_each_kind(void (*body)(void))
{
    for (uint32_t kind = 0; kind < 4; kind++) {
        temp_dir_open(&dir, (kind & 1) != 0);
        file =
            temp_dir_file(&dir, "file", IO_WRITE | IO_CREATE | ((kind & 2) != 0 ? IO_DIRECT : 0));
        fake[FAKE_URING_INIT].calls = 0;
        cr_assert_eq(io_queue_open(dir.io, DEPTH, &queue), STATUS_OK);
        cr_assert_eq(fake[FAKE_URING_INIT].calls, (int)(kind & 1)); /* Tried when asked for. */
        body();
        io_queue_close(queue);
        io_close(file);
        temp_dir_close(&dir);
    }
}

static struct io_request *
block_request(enum io_op op, uint32_t block, void *bytes)
{
    requests[block] = (struct io_request){
        .op = op,
        .flags = op == IO_OP_WRITE && block % 3 == 0 ? IO_DURABLE : 0,
        .file = file,
        .bytes = bytes,
        .size = IO_BLOCK_SIZE,
        .offset = (uint64_t)block * IO_BLOCK_SIZE,
        .status = STATUS_FAILED,
        .context = &blocks[block],
    };
    return &requests[block];
}

static void
submit(struct io_request *request)
{
    cr_assert_eq(io_queue_submit(queue, &request, 1), STATUS_OK);
}

static uint32_t
reap(uint32_t min_count, uint32_t max_count)
{
    struct io_request *out[DEPTH];
    uint32_t count = 0;

    cr_assert_eq(io_queue_reap(queue, min_count, out, max_count, &count), STATUS_OK);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(out[i]->status, STATUS_OK);
        cr_assert_eq(out[i]->context, &blocks[out[i] - requests]);
        out[i]->status = STATUS_STOPPED; /* So that a second time would show. */
    }
    return count;
}

/* All blocks through the queue, keeping it full, in another order than theirs. */
static void
transfer_all(enum io_op op, uint8_t (*bytes)[IO_BLOCK_SIZE])
{
    uint32_t done = 0;

    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint32_t block = i * 97 % BLOCKS;

        if (queue->in_flight == DEPTH)
            done += reap(1 + i % 5, 1 + i % 7 + 4);
        submit(block_request(op, block, bytes[block]));
    }
    done += reap(queue->in_flight, DEPTH);
    cr_assert_eq(done, BLOCKS);
}

static void
write_and_read_all(void)
{
    struct random random;
    struct io_request sync = {.op = IO_OP_SYNC, .file = file, .status = STATUS_FAILED};
    struct io_request *out = NULL;
    uint32_t count = 0;

    random_init(&random, 2);
    random_bytes(&random, blocks, sizeof(blocks));
    memset(seen, 0, sizeof(seen));
    transfer_all(IO_OP_WRITE, blocks);
    submit(&sync);
    cr_assert_eq(io_queue_reap(queue, 1, &out, 1, &count), STATUS_OK);
    cr_assert(count == 1 && out == &sync && sync.status == STATUS_OK);
    transfer_all(IO_OP_READ, seen);
    cr_assert_eq(memcmp(blocks, seen, sizeof(seen)), 0);
    memset(seen, 0, sizeof(seen));
    cr_assert_eq(io_read(file, seen, sizeof(seen), 0), STATUS_OK);
    cr_assert_eq(memcmp(blocks, seen, sizeof(seen)), 0);
}

/* covers: F17 */
Test(io_posix_queue, what_is_written_is_read)
{
    with_each_kind(write_and_read_all);
}

/* Whether the file's bytes have a place on the disk: 1, 0, or -1 where the system does not say. */
static int
is_on_disk(void)
{
    union {
        struct fiemap map;
        uint8_t space[sizeof(struct fiemap) + 16 * sizeof(struct fiemap_extent)];
    } answer = {.map = {.fm_length = FIEMAP_MAX_OFFSET, .fm_extent_count = 16}};

    if (ioctl(io_posix__file(file)->descriptor, FS_IOC_FIEMAP, &answer) != 0)
        return -1;
    for (uint32_t i = 0; i < answer.map.fm_mapped_extents; i++) {
        if ((answer.map.fm_extents[i].fe_flags & FIEMAP_EXTENT_DELALLOC) != 0)
            return 0;
    }
    return answer.map.fm_mapped_extents > 0;
}

/* A buffered write gets its place late, so a place at once shows that the write was durable. */
static void
write_durably_and_not(void)
{
    struct io_request request = {
        .op = IO_OP_WRITE, .file = file, .bytes = blocks, .size = IO_BLOCK_SIZE};
    struct io_request *out = NULL;
    uint32_t count = 0;

    submit(&request);
    cr_assert_eq(io_queue_reap(queue, 1, &out, 1, &count), STATUS_OK);
    if (io_is_direct(file) || is_on_disk() != 0)
        return; /* This file or file system shows no difference. */
    cr_assert_eq(io_sync(file), STATUS_OK);
    cr_assert_eq(is_on_disk(), 1);
    request.offset = 2 * IO_BLOCK_SIZE;
    request.flags = IO_DURABLE;
    submit(&request);
    cr_assert_eq(io_queue_reap(queue, 1, &out, 1, &count), STATUS_OK);
    cr_assert_eq(is_on_disk(), 1);
    cr_assert_eq(io_write(file, blocks, IO_BLOCK_SIZE, 3 * IO_BLOCK_SIZE, 0), STATUS_OK);
    if (is_on_disk() != 0)
        return; /* The system was quicker. */
    submit(&(struct io_request){.op = IO_OP_SYNC, .file = file});
    cr_assert_eq(io_queue_reap(queue, 1, &out, 1, &count), STATUS_OK);
    cr_assert_eq(is_on_disk(), 1);
}

Test(io_posix_queue, durable_writes_and_syncs_reach_the_disk)
{
    with_each_kind(write_durably_and_not);
}

static void
submit_whole_batches(void)
{
    struct io_request *batch[DEPTH];
    struct io_request *out[DEPTH];
    uint32_t count = 0;

    for (uint32_t round = 0; round < 10; round++) {
        for (uint32_t i = 0; i < DEPTH; i++)
            batch[i] = block_request(round % 2 == 0 ? IO_OP_WRITE : IO_OP_READ, i, seen[i]);
        cr_assert_eq(io_queue_submit(queue, batch, DEPTH), STATUS_OK);
        cr_assert_eq(io_queue_reap(queue, DEPTH, out, DEPTH, &count), STATUS_OK);
        cr_assert_eq(count, DEPTH);
        for (uint32_t i = 0; i < DEPTH; i++)
            cr_assert_eq(requests[i].status, STATUS_OK);
    }
    cr_assert_eq(io_queue_submit(queue, batch, 0), STATUS_OK);
}

Test(io_posix_queue, batches_as_deep_as_the_queue_are_fine)
{
    with_each_kind(submit_whole_batches);
}

static void
read_past_the_end(void)
{
    struct io_request *out[3];
    uint32_t count = 0;

    cr_assert_eq(io_write(file, blocks, IO_BLOCK_SIZE, 0, 0), STATUS_OK);
    submit(block_request(IO_OP_READ, 0, seen[0]));
    submit(block_request(IO_OP_READ, 1, seen[1]));
    block_request(IO_OP_READ, 2, seen[2]);
    requests[2].offset = 0;
    requests[2].size = 2 * IO_BLOCK_SIZE;
    submit(&requests[2]);
    cr_assert_eq(io_queue_reap(queue, 3, out, 3, &count), STATUS_OK);
    cr_assert_eq(requests[0].status, STATUS_OK);
    cr_assert_eq(requests[1].status, STATUS_IO);
    cr_assert_eq(requests[2].status, STATUS_IO);
    cr_assert_not_null(strstr(error_message(), file->path));
}

Test(io_posix_queue, each_request_has_its_own_status)
{
    with_each_kind(read_past_the_end);
}

static void
write_to_a_file_that_is_read_only(void)
{
    struct io_file *other = temp_dir_file(&dir, "file", 0);
    struct io_request *out = NULL;
    uint32_t count = 0;

    block_request(IO_OP_WRITE, 1, blocks[1]);
    requests[1].file = other;
    submit(&requests[1]);
    cr_assert_eq(io_queue_reap(queue, 1, &out, 1, &count), STATUS_OK);
    cr_assert_eq(out->status, STATUS_IO);
    cr_assert_not_null(strstr(error_message(), "4096 bytes at offset 4096"));
    cr_assert_not_null(strstr(error_message(), other->path));
    io_close(other);
}

Test(io_posix_queue, a_failed_write_says_where)
{
    with_each_kind(write_to_a_file_that_is_read_only);
}

static void
poll_and_leave(void)
{
    struct io_request *out[DEPTH];
    uint32_t count = 99;

    cr_assert_eq(io_queue_reap(queue, 0, out, DEPTH, &count), STATUS_OK);
    cr_assert_eq(count, 0);
    for (uint32_t i = 0; i < DEPTH; i++)
        submit(block_request(IO_OP_WRITE, i, blocks[i]));
    cr_assert_eq(io_queue_reap(queue, 0, out, 1, &count), STATUS_OK);
    cr_assert_leq(count, 1);
    /* The rest is in flight when the queue is closed. */
}

Test(io_posix_queue, polling_does_not_wait_and_closing_does)
{
    with_each_kind(poll_and_leave);
}

static void
open_queues_without_memory(void)
{
    struct io_queue *other = NULL;

    memory_fail_at(dir.memory, 0, false);
    cr_assert_eq(io_queue_open(dir.io, 8, &other), STATUS_NO_MEMORY);
    cr_assert_null(other);
    cr_assert_eq(io_queue_open(dir.io, 1, &other), STATUS_OK);
    io_queue_close(other);
    cr_assert_eq(io_queue_open(dir.io, 4096, &other), STATUS_OK);
    io_queue_close(other);
}

Test(io_posix_queue, a_refused_allocation_leaves_nothing)
{
    with_each_kind(open_queues_without_memory);
}

static void
count_line(void *context, enum log_level level, const char *line)
{
    cr_assert_eq(level, LOG_INFO);
    cr_assert_not_null(strstr(line, "io_uring is absent"));
    (*(int *)context)++;
}

Test(io_posix_queue, without_io_uring_the_other_queue_takes_over)
{
    static const int errors[] = {ENOSYS, EPERM, ENOMEM};
    int lines = 0;

    log_sink_set(count_line, &lines, LOG_INFO);
    for (int i = 0; i < 3; i++) {
        temp_dir_open(&dir, true);
        file = temp_dir_file(&dir, "file", IO_WRITE | IO_CREATE);
        fake_failure(FAKE_URING_INIT, errors[i], 2);
        cr_assert_eq(io_queue_open(dir.io, DEPTH, &queue), STATUS_OK);
        write_and_read_all();
        io_queue_close(queue);
        cr_assert_eq(io_queue_open(dir.io, DEPTH, &queue), STATUS_OK);
        io_queue_close(queue);
        cr_assert_eq(lines, i + 1); /* Once an io. */
        io_close(file);
        temp_dir_close(&dir);
    }
    cr_assert_eq(fake[FAKE_URING_SUBMIT].calls, 0);
}
