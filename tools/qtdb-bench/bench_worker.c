/*
 * Workers of bench_worker.h. A barrier starts them together; the measured time is from the first
 * that starts to the last that ends.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_system.h"
#include "tools/qtdb-bench/bench_worker.h"

enum { CONFLICTS_MAX = 100000 };

struct crew {
    struct bench_run *run;
    const struct bench_plan *plan;
    struct bench_worker *workers;
    uint32_t count; /* With the one beside. */
    pthread_barrier_t ready;
    atomic_uint left; /* Workers that have not ended. */
    atomic_bool stop;
    atomic_uint_fast64_t next;
};

struct member {
    struct crew *crew;
    struct bench_worker *worker;
};

bool
bench_worker_done(const struct bench_worker *worker)
{
    const struct bench_run *run = worker->run;

    if (atomic_load_explicit(worker->stop, memory_order_relaxed) || tool_stop_requested())
        return true;
    return run->sizes->seconds != 0 &&
           tool_clock_ns() - worker->begin_ns >= run->sizes->seconds * 1000000000u;
}

uint64_t
bench_worker_row(struct bench_worker *worker)
{
    uint64_t rows = worker->run->sizes->rows;
    uint64_t own = (rows - worker->index + worker->count - 1) / worker->count;

    return 2 * (random_below(&worker->random, own) * worker->count + worker->index);
}

enum status
bench_worker_plan(struct bench_worker *worker, uint64_t count)
{
    worker->plan =
        memory_alloc(worker->run->memory, MEMORY_OTHER, (size_t)count * sizeof(*worker->plan));
    if (worker->plan == NULL)
        return STATUS_NO_MEMORY;
    worker->plan_room = count;
    worker->plan_count = count;
    return STATUS_OK;
}

void
bench_worker_note(struct bench_worker *worker, uint64_t position, uint64_t total)
{
    enum { NOTES = 32 };
    struct bench_outcome *outcome = worker->run->outcome;
    uint64_t write, process;

    if (worker->index != 0 || outcome->point_count == BENCH_SERIES_MAX ||
        position * NOTES < outcome->point_count * total)
        return;
    bench_process_written(&write, &process);
    write -= outcome->write_size;
    if (worker->run->engine->written != NULL) {
        const struct bench_written *base = &worker->run->base;
        struct bench_written now;

        worker->run->engine->written(worker->run->db, &now);
        uint64_t own = now.log + now.pages + now.meta - base->log - base->pages - base->meta;
        write = own > write ? own : write;
    }
    outcome->points[outcome->point_count++] = (struct bench_point){
        .rows = position,
        .user = position * (8 + worker->run->sizes->value_size),
        .write = write,
    };
}

/* Transactions. */

static enum status
change_row(struct bench_worker *worker, uint64_t id, enum bench_change change)
{
    const struct bench_run *run = worker->run;
    uint64_t key = bench_keys_at(&run->keys, id);

    if (change == BENCH_REMOVE_ROW)
        return run->engine->remove(worker->session, key);
    bench_value_fill(key, run->store->versions[id] + 1, worker->value,
                     (size_t)run->sizes->value_size);
    return run->engine->put(worker->session, key, worker->value, (size_t)run->sizes->value_size,
                            change == BENCH_APPEND_ROW ? BENCH_PUT_APPEND : BENCH_PUT);
}

static enum status
try_change(struct bench_worker *worker, const uint64_t *ids, uint64_t count,
           enum bench_change change)
{
    const struct bench_engine *engine = worker->run->engine;

    TRY(engine->begin(worker->session, count == 1 ? BENCH_WRITE_ONE : BENCH_WRITE));
    for (uint64_t i = 0; i < count; i++) {
        enum status status = change_row(worker, ids[i], change);

        if (status != STATUS_OK) {
            engine->rollback(worker->session);
            if (status == STATUS_NOT_FOUND)
                return error_raise(STATUS_CORRUPT, "a row that was written is not found");
            return status;
        }
    }
    return engine->commit(worker->session);
}

/* A row that is in the transaction twice was written twice with the same version. */
static void
note_versions(uint32_t *versions, const uint64_t *ids, uint64_t count, enum bench_change change)
{
    const uint32_t mark = UINT32_C(1) << 31;

    for (uint64_t i = 0; i < count; i++) {
        if (change == BENCH_REMOVE_ROW)
            versions[ids[i]] = 0;
        else if ((versions[ids[i]] & mark) == 0)
            versions[ids[i]] = (versions[ids[i]] + 1) | mark;
    }
    for (uint64_t i = 0; i < count; i++)
        versions[ids[i]] &= ~mark;
}

enum status
bench_change_rows(struct bench_worker *worker, const uint64_t *ids, uint64_t count,
                  enum bench_change change)
{
    uint32_t *versions = worker->run->store->versions;
    uint64_t row_size = 8 + (change == BENCH_REMOVE_ROW ? 0 : worker->run->sizes->value_size);
    uint64_t begin = tool_clock_ns();
    uint32_t tries = 0;
    enum status status;

    while ((status = try_change(worker, ids, count, change)) == STATUS_CONFLICT) {
        worker->conflicts++;
        if (++tries == CONFLICTS_MAX)
            return error_raise(STATUS_FAILED, "a transaction lost %d times", CONFLICTS_MAX);
    }
    TRY(status);
    bench_latency_add(&worker->latency, tool_clock_ns() - begin);
    note_versions(versions, ids, count, change);
    worker->operations++;
    worker->rows += count;
    worker->user_size += count * row_size;
    return STATUS_OK;
}

/* Threads. */

static void
note_failure(struct bench_worker *worker, enum status status)
{
    if (status == STATUS_OK || worker->status != STATUS_OK)
        return;
    worker->status = status;
    (void)snprintf(worker->message, sizeof(worker->message), "%s", error_message());
    if (worker->message[0] == '\0')
        (void)snprintf(worker->message, sizeof(worker->message), "%s", status_name(status));
}

static uint64_t
thread_cpu_ns(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void *
work(void *argument)
{
    struct member *member = argument;
    struct crew *crew = member->crew;
    struct bench_worker *worker = member->worker;

    CHECK(worker != NULL);
    bool beside = worker->index == crew->plan->count;

    error_clear();
    if (!beside && crew->plan->prepare != NULL)
        note_failure(worker, crew->plan->prepare(worker));
    note_failure(worker, crew->run->engine->session_open(crew->run->db, &worker->session));
    (void)pthread_barrier_wait(&crew->ready);
    uint64_t cpu_begin = thread_cpu_ns();
    worker->begin_ns = tool_clock_ns();
    if (worker->status == STATUS_OK)
        note_failure(worker, beside ? crew->plan->beside(worker) : crew->plan->work(worker));
    worker->end_ns = tool_clock_ns();
    worker->cpu_ns = thread_cpu_ns() - cpu_begin;
    if (worker->status != STATUS_OK || (!beside && atomic_fetch_sub(&crew->left, 1) == 1))
        atomic_store(&crew->stop, true);
    if (worker->session != NULL)
        crew->run->engine->session_close(worker->session);
    return NULL;
}

static void
sum_up(struct crew *crew, struct bench_latency *latency)
{
    struct bench_outcome *outcome = crew->run->outcome;
    uint64_t begin = UINT64_MAX;
    uint64_t end = 0;

    for (uint32_t i = 0; i < crew->count; i++) {
        const struct bench_worker *worker = &crew->workers[i];

        outcome->user_size += worker->user_size;
        outcome->conflicts += worker->conflicts;
        if (worker->index == crew->plan->count) {
            outcome->writer_rows += worker->rows;
            continue;
        }
        outcome->operations += worker->operations;
        outcome->rows += worker->rows;
        outcome->cpu_ns += worker->cpu_ns;
        bench_latency_merge(latency, &worker->latency);
        begin = worker->begin_ns < begin ? worker->begin_ns : begin;
        end = worker->end_ns > end ? worker->end_ns : end;
    }
    outcome->seconds = (double)(end - begin) / 1e9;
    outcome->p50_ns = bench_latency_at(latency, 0.50);
    outcome->p99_ns = bench_latency_at(latency, 0.99);
}

static enum status
check_all(const struct crew *crew)
{
    for (uint32_t i = 0; i < crew->count; i++) {
        struct bench_worker *worker = &crew->workers[i];

        if (worker->status != STATUS_OK)
            return error_raise(worker->status, "%s", worker->message);
        if (crew->plan->check != NULL && worker->index < crew->plan->count)
            TRY(crew->plan->check(worker));
    }
    return STATUS_OK;
}

static enum status
init_worker(struct crew *crew, uint32_t index)
{
    struct bench_run *run = crew->run;
    struct bench_worker *worker = &crew->workers[index];

    worker->run = run;
    worker->stop = &crew->stop;
    worker->next = &crew->next;
    worker->index = index;
    worker->count = crew->count;
    worker->ids_shown = crew->plan->ids_shown;
    random_init(&worker->random, run->seed + 7919 * run->number + index);
    worker->ids = memory_alloc(run->memory, MEMORY_OTHER,
                               (size_t)(run->sizes->batch + 1) * sizeof(*worker->ids));
    return worker->ids == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static void
free_workers(struct crew *crew)
{
    struct memory *memory = crew->run->memory;

    for (uint32_t i = 0; i < crew->count; i++) {
        struct bench_worker *worker = &crew->workers[i];

        memory_free(memory, MEMORY_OTHER, worker->ids,
                    (size_t)(crew->run->sizes->batch + 1) * sizeof(*worker->ids));
        memory_free(memory, MEMORY_OTHER, worker->plan,
                    (size_t)worker->plan_room * sizeof(*worker->plan));
    }
    memory_free(memory, MEMORY_OTHER, crew->workers, crew->count * sizeof(*crew->workers));
}

/* The calling thread is worker 0, so that one client is measured without a thread of its own. */
static enum status
run_threads(struct crew *crew)
{
    pthread_t threads[BENCH_THREADS_MAX + 1] = {0};
    struct member members[BENCH_THREADS_MAX + 1] = {{.crew = NULL}};

    (void)pthread_barrier_init(&crew->ready, NULL, crew->count);
    for (uint32_t i = 0; i < crew->count; i++) {
        members[i].crew = crew;
        members[i].worker = &crew->workers[i];
        /* The others wait at the barrier for ever: the child process ends with the message. */
        if (i > 0 && pthread_create(&threads[i], NULL, work, &members[i]) != 0)
            return error_raise(STATUS_NO_MEMORY, "thread %u of %u cannot be started", i + 1,
                               crew->count);
    }
    (void)work(&members[0]);
    for (uint32_t i = 1; i < crew->count; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_barrier_destroy(&crew->ready);
    return STATUS_OK;
}

enum status
bench_workers_run(struct bench_run *run, const struct bench_plan *plan)
{
    struct crew crew = {.run = run, .plan = plan};
    struct bench_latency *latency = memory_alloc(run->memory, MEMORY_OTHER, sizeof(*latency));
    enum status status = latency == NULL ? STATUS_NO_MEMORY : STATUS_OK;

    crew.count = plan->count + (plan->beside != NULL ? 1 : 0);
    crew.workers = memory_alloc(run->memory, MEMORY_OTHER, crew.count * sizeof(*crew.workers));
    if (crew.workers == NULL) {
        memory_free(run->memory, MEMORY_OTHER, latency, sizeof(*latency));
        return STATUS_NO_MEMORY;
    }
    atomic_store(&crew.left, plan->count);
    for (uint32_t i = 0; i < crew.count && status == STATUS_OK; i++)
        status = init_worker(&crew, i);
    TRY_OUT(status);
    TRY_OUT(run_threads(&crew));
    sum_up(&crew, latency);
    status = check_all(&crew);
out:
    memory_free(run->memory, MEMORY_OTHER, latency, sizeof(*latency));
    free_workers(&crew);
    return status;
}
