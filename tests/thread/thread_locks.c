/*
 * Goal: a row has one exclusive holder at a time, also when holders that are alone with their claims
 * (kernel/row_lock_alone.c) are joined by others at any moment, end at that moment, or wait themselves; no data
 * race shows under the thread sanitizer.
 * Method: threads that claim runs of ascending rows, note themselves in each, and give all back; now and then
 * a row of another's run, with and without waiting, and rests, so that each is alone at times. Every row
 * that is had must be noted for nobody.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "kernel/base/check.h"
#include "kernel/base/memory.h"
#include "kernel/base/random.h"
#include "kernel/row_lock.h"

enum { WORKERS = 3, ROUNDS = 800, ROWS = 4000, RUN_MAX = 400, TREE = 7 };

static struct lock_table table;
static struct memory *memory;
static uint32_t noted[ROWS]; /* Plain: the locks are what orders the threads. */
static _Atomic uint32_t alone_count, met_count, had_count;

struct worker {
    pthread_t thread;
    uint32_t number;
    uint32_t count;
    bool fresh;
    uint32_t rows[RUN_MAX + 8];
    struct lock_holder holder;
};

/* False: another has it, or both waited for each other. */
static bool
have(struct worker *worker, uint32_t row, uint64_t timeout_ns)
{
    uint64_t key = __builtin_bswap64((uint64_t)row);
    /* Some rounds: of rows in any order, which it may have already. */
    enum status status = worker->fresh ? lock_acquire_fresh(&table, &worker->holder, TREE, &key,
                                                            sizeof(key), timeout_ns)
                                       : lock_acquire(&table, &worker->holder, TREE, &key,
                                                      sizeof(key), LOCK_EXCLUSIVE, timeout_ns);

    CHECK(status == STATUS_OK || status == STATUS_BUSY || status == STATUS_CONFLICT);
    if (status != STATUS_OK) {
        atomic_fetch_add(&met_count, 1);
        return false;
    }
    if (noted[row] == worker->number)
        return true;
    CHECK(noted[row] == 0);
    noted[row] = worker->number;
    worker->rows[worker->count++] = row;
    return true;
}

static void
end(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->count; i++)
        noted[worker->rows[i]] = 0;
    atomic_fetch_add(&had_count, worker->count);
    atomic_fetch_add(&alone_count, worker->holder.alone);
    worker->count = 0;
    lock_release_all(&table, &worker->holder);
}

static void
round_of(struct worker *worker, struct random *random)
{
    uint32_t row = (uint32_t)random_below(random, ROWS / 2);
    uint32_t length = (uint32_t)random_below(random, RUN_MAX);
    bool going = true;

    worker->fresh = random_chance(random, 1, 2);
    for (uint32_t i = 0; i < length && going && row < ROWS; i++) {
        going = have(worker, row, 0);
        row += 1 + (uint32_t)random_below(random, 8);
        if (worker->fresh)
            row = (row * 7 + 13) % ROWS;
        worker->fresh = worker->fresh != random_chance(random, 1, 30);
        if (random_chance(random, 1, 60))
            sched_yield();
    }
    if (random_chance(random, 1, 2))
        (void)have(worker, (uint32_t)random_below(random, ROWS), LOCK_WAIT_FOR_EVER);
    end(worker);
    for (uint64_t rest = random_below(random, 40); rest > 0; rest--)
        sched_yield();
}

static void *
work(void *argument)
{
    struct worker *worker = argument;
    struct random random;

    random_init(&random, worker->number);
    for (int i = 0; i < ROUNDS; i++)
        round_of(worker, &random);
    return NULL;
}

int
main(void)
{
    static struct worker workers[WORKERS];

    memory = memory_new();
    CHECK(memory != NULL && lock_table_init(&table, memory) == STATUS_OK);
    for (uint32_t i = 0; i < WORKERS; i++) {
        workers[i].number = i + 1;
        lock_holder_init(&workers[i].holder, memory, 1 << 20);
    }
    for (uint32_t i = 0; i < WORKERS; i++)
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    for (uint32_t i = 0; i < WORKERS; i++)
        CHECK(pthread_join(workers[i].thread, NULL) == 0);
    for (uint32_t i = 0; i < WORKERS; i++)
        lock_holder_deinit(&workers[i].holder);
    printf("%u rows had, %u refused, %u ended alone\n", had_count, met_count, alone_count);
    CHECK(had_count > 0);
    lock_table_deinit(&table);
    memory_delete(memory);
    return 0;
}
