/*
 * Goal: a simulated disk may be used from several threads, and its copies, which share chunks with it and
 * with each other, each on a thread of their own.
 * Method: threads write and sync files of one disk, own and common, while each takes copies, changes, hashes,
 * copies and drops them. Bytes are checked against what the thread itself wrote. A watcher comes and goes
 * meanwhile; it is always called with the context it was set with.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/io_sim.h"
#include "kernel/base/random.h"

enum {
    THREADS = 4,
#ifdef QTDB_TSAN
    ROUNDS = 300,
#else
    ROUNDS = 3000,
#endif
    BLOCKS = 8,
};

static struct memory *memory;
static struct io *disk;
static _Atomic uint32_t working;
static _Atomic uint64_t seen;

struct worker {
    pthread_t thread;
    uint32_t number;
    struct random random;
    struct io_file *own;
    struct io_file *common;
    uint8_t fill[BLOCKS]; /* Of the own file's blocks. */
};

static void
write_block(struct worker *worker, struct io_file *file, uint32_t block, uint8_t fill)
{
    uint8_t bytes[IO_BLOCK_SIZE];
    uint32_t flags = random_chance(&worker->random, 1, 3) ? IO_DURABLE : 0;

    memset(bytes, fill, sizeof(bytes));
    CHECK(io_write(file, bytes, sizeof(bytes), (uint64_t)block * IO_BLOCK_SIZE, flags) ==
          STATUS_OK);
}

/* In a copy that kept everything, the own file is as this thread left it. */
static void
check_own(const struct worker *worker, struct io *io)
{
    uint8_t bytes[IO_BLOCK_SIZE];
    char path[8];

    snprintf(path, sizeof(path), "/%u", worker->number);
    for (uint32_t block = 0; block < BLOCKS; block++) {
        CHECK(io_sim_peek(io, path, (uint64_t)block * IO_BLOCK_SIZE, bytes, sizeof(bytes)) ==
              STATUS_OK);
        CHECK(bytes[0] == worker->fill[block] && bytes[IO_BLOCK_SIZE - 1] == bytes[0]);
    }
}

static struct io *
fork_disk(struct io *io, enum io_sim_crash_mode mode, uint64_t seed)
{
    struct io_sim_crash crash = {.mode = mode, .seed = seed};
    struct io *fork;

    CHECK(io_sim_fork(io, &crash, memory, &fork) == STATUS_OK);
    return fork;
}

static void
use_copies(struct worker *worker)
{
    struct io *kept = fork_disk(disk, IO_SIM_CRASH_KEPT, 0);
    struct io *killed = fork_disk(disk, IO_SIM_CRASH_PROCESS, 0);
    struct io *torn = fork_disk(killed, IO_SIM_CRASH_GARBAGE, random_u64(&worker->random));
    struct io_file *file;
    uint64_t hash = io_sim_image_hash(torn);

    check_own(worker, kept);
    check_own(worker, killed);
    CHECK(io_open(kept, "/common", IO_WRITE | IO_CREATE, &file) == STATUS_OK);
    write_block(worker, file, 3, (uint8_t)worker->number);
    CHECK(io_sync(file) == STATUS_OK);
    io_close(file);
    io_close_all(kept);
    io_close_all(killed);
    CHECK(io_sim_image_hash(torn) == hash);
    io_close_all(torn);
}

static void *
work(void *argument)
{
    struct worker *worker = argument;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t block = (uint32_t)random_below(&worker->random, BLOCKS);

        worker->fill[block] = (uint8_t)random_u64(&worker->random);
        write_block(worker, worker->own, block, worker->fill[block]);
        write_block(worker, worker->common, block, worker->fill[block]);
        if (random_chance(&worker->random, 1, 4))
            CHECK(io_sync(worker->common) == STATUS_OK);
        if (random_chance(&worker->random, 1, 4))
            use_copies(worker);
    }
    check_own(worker, disk);
    working--;
    return NULL;
}

static void
on_operation(void *context, const struct io_sim_event *event)
{
    CHECK(context == &seen && event->index < io_sim_op_count(disk));
    seen++;
}

static void
watch_now_and_then(void)
{
    while (working > 0) {
        io_sim_watch(disk, on_operation, &seen);
        sched_yield();
        io_sim_watch(disk, NULL, NULL);
    }
    CHECK(seen > 0);
}

static void
worker_open(struct worker *worker, uint32_t number)
{
    char path[8];

    worker->number = number;
    random_init(&worker->random, number);
    snprintf(path, sizeof(path), "/%u", number);
    CHECK(io_open(disk, path, IO_WRITE | IO_CREATE, &worker->own) == STATUS_OK);
    CHECK(io_open(disk, "/common", IO_WRITE | IO_CREATE, &worker->common) == STATUS_OK);
    for (uint32_t block = 0; block < BLOCKS; block++)
        write_block(worker, worker->own, block, 0);
}

int
main(void)
{
    static struct worker workers[THREADS];
    struct io_sim_options options = {.seed = 1};

    memory = memory_new();
    CHECK(io_sim_open(memory, &options, &disk) == STATUS_OK);
    for (uint32_t i = 0; i < THREADS; i++)
        worker_open(&workers[i], i);
    working = THREADS;
    for (uint32_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    watch_now_and_then();
    for (uint32_t i = 0; i < THREADS; i++) {
        CHECK(pthread_join(workers[i].thread, NULL) == 0);
        io_close(workers[i].own);
        io_close(workers[i].common);
    }
    io_close_all(disk);
    CHECK(memory_live_count(memory) == 0);
    memory_delete(memory);
    return 0;
}
