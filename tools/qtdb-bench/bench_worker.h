/*
 * Workers: the threads of a measurement, each with a session, a seed and counters of its own. They
 * start together after each has prepared its plan; what they found is summed up afterwards.
 *
 * Rows belong to workers: worker i of n writes only rows whose rank leaves i when divided by n, so that
 * versions need no lock and every read of an own row can be checked exactly.
 */
#ifndef TOOLS_QTDB_BENCH_BENCH_WORKER_H
#define TOOLS_QTDB_BENCH_BENCH_WORKER_H

#include <stdatomic.h>

#include "tools/qtdb-bench/bench.h"

struct bench_worker {
    struct bench_run *run;
    atomic_bool *stop;          /* Of all: the others are done. */
    atomic_uint_fast64_t *next; /* Of all: the next position of a shared plan. */
    uint32_t index;
    uint32_t count;
    struct bench_session *session;
    struct random random;
    uint64_t operations;
    uint64_t rows;
    uint64_t user_size;
    uint64_t conflicts;
    uint64_t sum;   /* Of all values read. */
    uint64_t found; /* Rows read. */
    uint64_t begin_ns;
    uint64_t end_ns;
    uint64_t cpu_ns; /* Of this thread, between the two. */
    uint64_t *plan;  /* Ids or keys, made before the clock starts. */
    uint64_t plan_count;
    uint64_t plan_room;
    uint64_t *ids;       /* Of one transaction; room for the batch. */
    uint64_t *ids_shown; /* NULL, or shared with the parent: the transaction under way. */
    uint64_t extra;      /* Extra rows inserted by this worker. */
    struct bench_latency latency;
    uint8_t value[BENCH_VALUE_SIZE_MAX];
    enum status status;
    char message[BENCH_MESSAGE_SIZE];
};

typedef enum status (*bench_worker_fn)(struct bench_worker *worker);

struct bench_plan {
    bench_worker_fn prepare; /* May be NULL. */
    bench_worker_fn work;
    bench_worker_fn check;  /* After all have ended, on one thread; may be NULL. */
    bench_worker_fn beside; /* Of one more worker, until the others are done; may be NULL. */
    uint32_t count;
    uint64_t *ids_shown;
};

/** Runs the plan; sums, rates and latencies go to the run's outcome. */
MUST_CHECK enum status bench_workers_run(struct bench_run *run, const struct bench_plan *plan);

enum bench_change { BENCH_WRITE_ROW = 0, BENCH_APPEND_ROW = 1, BENCH_REMOVE_ROW = 2 };
/** One transaction over rows that are the worker's own, run again after conflicts; timed and counted. */
MUST_CHECK enum status bench_change_rows(struct bench_worker *worker, const uint64_t *ids,
                                         uint64_t count, enum bench_change change);

/** Notes how much was written when the shared plan was at `position` of `total`, 32 times. */
void bench_worker_note(struct bench_worker *worker, uint64_t position, uint64_t total);

/** Time is up, the user asked to stop, or (beside) the others are done. */
bool bench_worker_done(const struct bench_worker *worker);
/** A random row of the worker's own, uniform. */
uint64_t bench_worker_row(struct bench_worker *worker);
MUST_CHECK enum status bench_worker_plan(struct bench_worker *worker, uint64_t count);

#endif
