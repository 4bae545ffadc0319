/*
 * Goal: prove that group commit is right with 1 to 8 threads and has no races: every commit is
 * acknowledged only when it is durable, none is lost, none waits for ever, also beside checkpoints,
 * horizons, preparation and readers, and when a write fails in the middle of it all.
 * Method: a plain program, run under the thread sanitizer too. Threads append under one latch and
 * flush without it. A backend of the test's own, before the simulated or the real disk, makes each
 * write of a frame last a random while, so that writes overtake each other, and notes which have ended.
 * Afterwards the log is read back and compared.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/base/error.h"
#include "kernel/base/io_sim.h"
#include "kernel/base/random.h"
#include "wal/wal_private.h"

enum { THREAD_MAX = 8, COMMIT_COUNT = 150, BODY_MAX = 9000, CSN_MAX = 4096 };

struct load {
    struct env env;
    struct wal *wal;
    struct latch commit_latch;
    struct latch checkpoint_latch;
    struct wal_position start;
    uint64_t csn;
    uint32_t body_max;
    _Atomic uint32_t running;
    _Atomic uint32_t acked;
    _Atomic uint32_t failed;
    bool may_fail;
};

struct worker {
    struct load *load;
    pthread_t thread;
    uint64_t seed;
};

static void
require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "FAILED: %s (%s)\n", what, error_message());
    abort();
}

/* What the disk under test has seen; one log at a time. */
static struct {
    struct latch latch;
    struct io_backend backend;
    const struct io_backend *below;
    bool is_written[CSN_MAX];
    _Atomic uint64_t csn; /* All commits up to it are in frames whose writes have ended. */
    uint32_t in_flight;
    uint32_t in_flight_most;
    struct random random;
} disk;

static bool
begin_write(const struct wal_frame_header *header, uint64_t offset)
{
    if (offset < WAL_FRAMES_OFFSET || le32_get(header->magic) != WAL_FRAME_MAGIC)
        return false;
    latch_lock(&disk.latch);
    require(++disk.in_flight <= WAL__IN_FLIGHT_MAX, "so many writes in flight and no more");
    if (disk.in_flight > disk.in_flight_most)
        disk.in_flight_most = disk.in_flight;
    unsigned wait_us = (unsigned)random_below(&disk.random, 300);
    latch_unlock(&disk.latch);
    usleep(wait_us);
    return true;
}

static void
end_write(const struct wal_frame_header *header, enum status status)
{
    uint64_t first = le64_get(header->first_csn), count = le32_get(header->commit_count);

    latch_lock(&disk.latch);
    disk.in_flight--;
    for (uint64_t i = 0; i < count && status == STATUS_OK; i++)
        disk.is_written[first + i] = true;
    while (disk.is_written[disk.csn + 1])
        disk.csn++;
    latch_unlock(&disk.latch);
}

static enum status
slow_write(struct io_file *file, const void *bytes, size_t size, uint64_t offset, uint32_t flags)
{
    bool is_frame = begin_write(bytes, offset);
    enum status status = disk.below->write(file, bytes, size, offset, flags);

    if (is_frame)
        end_write(bytes, status);
    return status;
}

static void
put_disk_before(struct io *io, uint64_t seed)
{
    disk.below = io->backend;
    disk.backend = *io->backend;
    disk.backend.write = slow_write;
    io->backend = &disk.backend;
    memset(disk.is_written, 0, sizeof(disk.is_written));
    disk.csn = 0;
    random_init(&disk.random, seed);
}

static size_t
encode(uint8_t *out, uint64_t csn, uint32_t body_max)
{
    static _Thread_local uint8_t body[BODY_MAX];
    struct byte_writer writer = byte_writer_init(out, BODY_MAX + 64);
    struct random random;

    random_init(&random, csn);
    size_t size = random_below(&random, body_max);
    for (size_t i = 0; i < size; i++)
        body[i] = (uint8_t)(csn + i);
    wal_record_put(&writer, WAL_RECORD_RANGES, csn, body, size);
    require(!writer.overflow, "the record fits");
    return writer.offset;
}

/* Returns the CSN, 0 when the log has failed. */
static uint64_t
append(struct load *load, uint8_t *scratch)
{
    for (;;) {
        latch_lock(&load->commit_latch);
        uint64_t csn = load->csn + 1;
        size_t size = encode(scratch, csn, load->body_max);
        enum status status = wal_reserve(load->wal, size, false);

        if (status == STATUS_OK) {
            struct wal_commit commit = {.csn = csn, .records = scratch, .size = size};

            load->csn = csn;
            wal_append(load->wal, &commit);
        }
        latch_unlock(&load->commit_latch);
        if (status == STATUS_OK)
            return csn;
        if (status == STATUS_MISSING)
            status = wal_make_room(load->wal, size, false);
        if (status == STATUS_FAILED && load->may_fail)
            return 0;
        if (status == STATUS_IO && load->may_fail)
            continue; /* A segment could not be created: that may be tried again. */
        require(status == STATUS_OK, "room is made");
    }
}

static void *
work(void *context)
{
    struct worker *worker = context;
    struct load *load = worker->load;
    uint8_t *scratch = malloc(BODY_MAX + 64);
    struct random random;

    random_init(&random, worker->seed);
    for (int i = 0; i < COMMIT_COUNT; i++) {
        uint64_t csn = append(load, scratch);

        if (csn == 0)
            break;
        if (random_chance(&random, 1, 8))
            continue; /* An async commit. */
        enum status status = wal_flush(load->wal, csn);
        if (status == STATUS_FAILED && load->may_fail) {
            load->failed++;
            break;
        }
        require(status == STATUS_OK, "flush");
        require(wal_csn_durable(load->wal) >= csn, "what is acknowledged is durable");
        require(disk.csn >= csn, "what is acknowledged was written, and all before it");
        load->acked++;
    }
    free(scratch);
    load->running--;
    return NULL;
}

static void
read_some(struct load *load)
{
    struct wal_reader *reader = NULL;
    struct wal_record record;
    enum status status = wal_reader_open(load->wal, &reader);

    if (status == STATUS_IO && load->may_fail)
        return;
    require(status == STATUS_OK, "reader opens");
    while ((status = wal_reader_next(reader, &record)) == STATUS_OK)
        require(record.page_number == record.csn, "record of its commit");
    require(status == STATUS_NOT_FOUND || (status == STATUS_IO && load->may_fail), "reader ends");
    wal_reader_close(reader);
}

static enum status
checkpoint(struct load *load)
{
    latch_lock(&load->commit_latch);
    struct wal_position position = wal_mark(load->wal);
    latch_unlock(&load->commit_latch);

    TRY(wal_flush(load->wal, position.csn));
    load->start = position;
    return wal_release(load->wal, position);
}

static void *
maintain(void *context)
{
    struct worker *worker = context;
    struct load *load = worker->load;
    bool more = false;

    for (int i = 0; load->running > 0; i++) {
        enum status status = STATUS_OK;

        if (i % 4 == 0)
            status = wal_prepare_step(load->wal, &more);
        else if (i % 4 == 1)
            status = wal_write_horizon(load->wal);
        else if (i % 4 == 2)
            status = checkpoint(load);
        else
            read_some(load);
        if (status == STATUS_FAILED && load->may_fail)
            break;
        require(status == STATUS_OK || (status == STATUS_IO && load->may_fail), "maintenance");
        struct wal_statistics statistics;
        wal_get_statistics(load->wal, &statistics);
        require(wal_size(load->wal) < 1u << 30, "size");
        usleep(200);
    }
    return NULL;
}

static void
run_threads(struct load *load, uint32_t thread_count)
{
    struct worker workers[THREAD_MAX + 1];

    load->running = thread_count;
    for (uint32_t i = 0; i <= thread_count; i++) {
        workers[i] = (struct worker){.load = load, .seed = i};
        require(pthread_create(&workers[i].thread, NULL, i < thread_count ? work : maintain,
                               &workers[i]) == 0,
                "a thread starts");
    }
    for (uint32_t i = 0; i <= thread_count; i++)
        pthread_join(workers[i].thread, NULL);
}

/* Opens the log again: all that was appended and flushed is there, in order. */
static void
verify(struct load *load, const char *dir, const struct wal_options *options, uint64_t csn)
{
    struct wal_reader *reader = NULL;
    struct wal_record record;
    uint64_t next = load->start.csn + 1;
    uint8_t *scratch = malloc(BODY_MAX + 64);
    enum status status = wal_open(&load->env, dir, options, load->start, &load->wal);

    require(status == STATUS_OK, "the log opens again");
    require(wal_scan(load->wal)->end.csn >= csn, "nothing durable is lost");
    require(wal_reader_open(load->wal, &reader) == STATUS_OK, "reader opens");
    while ((status = wal_reader_next(reader, &record)) == STATUS_OK) {
        struct byte_writer writer;
        uint8_t again[BODY_MAX + 64];
        size_t size = encode(scratch, next, load->body_max);

        writer = byte_writer_init(again, sizeof(again));
        wal_record_put(&writer, record.type, record.page_number, record.body, record.size);
        require(record.csn == next && record.commit_last, "commits follow each other");
        require(writer.offset == size && memcmp(again, scratch, size) == 0, "bytes as written");
        next++;
    }
    require(status == STATUS_NOT_FOUND, "reader ends");
    require(next == wal_scan(load->wal)->end.csn + 1, "reader ends at the end");
    wal_reader_close(reader);
    wal_close(load->wal);
    free(scratch);
}

static void
run(struct memory *memory, struct io *io, const char *dir, uint32_t thread_count, uint32_t body_max,
    uint64_t fail_at)
{
    struct load load = {
        .env = {.memory = memory, .io = io}, .body_max = body_max, .may_fail = fail_at != 0};
    struct wal_options options = {.file_id = 1,
                                  .log_id = 2,
                                  .segment_size = 256 * 1024,
                                  .buffer_count = thread_count == 3 ? 2 : 8,
                                  .frame_size_max = thread_count == 3 ? 5000 : 20000,
                                  .spare_count = 2};
    uint64_t durable;

    require(io_make_dir(io, dir) == STATUS_OK, "the directory is made");
    require(wal_create(&load.env, dir, &options, 0, &load.wal) == STATUS_OK, "the log is created");
    load.start = wal_mark(load.wal);
    put_disk_before(io, thread_count + fail_at);
    if (fail_at != 0)
        io_sim_fail_at(io, io_sim_op_count(io) + fail_at, IO_SIM_FAULT_EIO, false);
    run_threads(&load, thread_count);
    io->backend = disk.below;
    if (!wal_is_failed(load.wal))
        require(wal_flush(load.wal, load.csn) == STATUS_OK, "the last flush");
    durable = wal_csn_durable(load.wal);
    wal_close(load.wal);
    verify(&load, dir, &options, durable);
    require(wal_remove(&load.env, dir) == STATUS_OK, "the log is removed");
    printf("%u threads, %d commits, %u acknowledged, %u failed\n", thread_count, (int)load.csn,
           (unsigned)load.acked, (unsigned)load.failed);
}

static void
run_on_sim(uint32_t thread_count, uint32_t body_max, uint64_t fail_at)
{
    struct io_sim_options options = {.seed = thread_count};
    struct memory *memory = memory_new();
    struct io *io = NULL;

    require(io_sim_open(memory, &options, &io) == STATUS_OK, "the disk opens");
    run(memory, io, "/log", thread_count, body_max, fail_at);
    io_close_all(io);
    memory_delete(memory);
}

static void
run_on_system(uint32_t thread_count, uint32_t body_max)
{
    struct memory *memory = memory_new();
    struct io *io = NULL;
    const char *base = getenv("TMPDIR");
    char dir[256];

    snprintf(dir, sizeof(dir), "%s/qtdb-thread-wal-%d", base == NULL ? "/tmp" : base,
             (int)getpid());
    require(io_posix_open(memory, false, &io) == STATUS_OK, "the system opens");
    run(memory, io, dir, thread_count, body_max, 0);
    io_close_all(io);
    memory_delete(memory);
}

/* covers: W1, W10 */
int
main(void)
{
    static const uint32_t thread_counts[] = {1, 2, 3, 8};
    static const uint64_t failures[] = {3, 40, 111, 300};
    int passed = 0;

    for (size_t i = 0; i < 4; i++) {
        run_on_sim(thread_counts[i], 600, 0);
        run_on_sim(thread_counts[i], BODY_MAX, 0);
        run_on_system(thread_counts[i], i % 2 == 0 ? 600 : BODY_MAX);
        passed += 3;
    }
    for (size_t i = 0; i < 4; i++) {
        run_on_sim(4, BODY_MAX, failures[i]);
        passed++;
    }
    require(disk.in_flight_most > 1, "writes were in flight side by side");
    printf("%d passed, 0 failed\n", passed);
    return 0;
}
