/*
 * Workloads that write: load, insert, update, delete. Positions of the plan are handed out to the
 * clients a batch at a time, so that each row is one client's; updates choose among a client's own.
 */
#include "tools/qtdb-bench/bench_worker.h"
#include "tools/qtdb-bench/workloads.h"

/* Rows from the shared plan for the next transaction; 0 at its end. */
static uint64_t
take(struct bench_worker *worker, uint64_t *position_out)
{
    uint64_t batch = worker->run->sizes->batch;
    uint64_t rows = worker->run->sizes->rows;
    uint64_t position = atomic_fetch_add(worker->next, batch);

    if (position >= rows)
        return 0;
    *position_out = position;
    return rows - position < batch ? rows - position : batch;
}

static enum status
load(struct bench_worker *worker)
{
    uint64_t position = 0, count;

    while (!bench_worker_done(worker) && (count = take(worker, &position)) > 0) {
        for (uint64_t i = 0; i < count; i++)
            worker->ids[i] = 2 * (position + i);
        TRY(bench_change_rows(worker, worker->ids, count, BENCH_APPEND_ROW));
        bench_worker_note(worker, position, worker->run->sizes->rows);
    }
    return STATUS_OK;
}

enum status
workload_load(struct bench_run *run)
{
    struct bench_plan plan = {.work = load, .count = 1};

    return bench_workers_run(run, &plan);
}

/* Appends to a tree that holds the first half: only the second half is measured. */

static enum status
append_half(struct bench_worker *worker)
{
    struct bench_run *run = worker->run;
    bool first = run->store->versions[0] == 0;
    uint64_t half = run->sizes->rows / 2;
    uint64_t end = first ? half : run->sizes->rows;

    for (uint64_t at = first ? 0 : half; at < end && !tool_stop_requested();) {
        uint64_t count = end - at < run->sizes->batch ? end - at : run->sizes->batch;

        for (uint64_t i = 0; i < count; i++)
            worker->ids[i] = 2 * (at + i);
        TRY(bench_change_rows(worker, worker->ids, count, BENCH_APPEND_ROW));
        at += count;
        if (!first && worker->run->sizes->seconds > 0 && bench_worker_done(worker))
            break;
    }
    return STATUS_OK;
}

enum status
workload_append(struct bench_run *run)
{
    struct bench_plan plan = {.work = append_half, .count = 1};

    TRY(bench_workers_run(run, &plan));
    TRY(run->engine->settle(run->db));
    *run->outcome = (struct bench_outcome){.state = BENCH_NONE};
    bench_measure_begin(run);
    return bench_workers_run(run, &plan);
}

/* The first part of `insert` and the second of `delete`: rows in random order. */
static enum status
insert(struct bench_worker *worker)
{
    const struct bench_run *run = worker->run;
    struct bench_shuffle shuffle;
    uint64_t position = 0, count;

    bench_shuffle_init(&shuffle, run->sizes->rows, run->seed + run->number);
    while (!bench_worker_done(worker) && (count = take(worker, &position)) > 0) {
        for (uint64_t i = 0; i < count; i++)
            worker->ids[i] = 2 * bench_shuffle_at(&shuffle, position + i);
        TRY(bench_change_rows(worker, worker->ids, count, BENCH_WRITE_ROW));
        bench_worker_note(worker, position, run->sizes->rows);
    }
    return STATUS_OK;
}

enum status
workload_insert(struct bench_run *run)
{
    struct bench_plan plan = {.work = insert, .count = (uint32_t)run->sizes->threads};

    return bench_workers_run(run, &plan);
}

/* As many rows as there are, in transactions of random rows; with skew the same rows often. */
static enum status
update(struct bench_worker *worker)
{
    const struct bench_case *sizes = worker->run->sizes;
    struct bench_zipf zipf = {.count = 0};
    struct bench_shuffle shuffle;
    uint64_t position = 0, count;

    if (sizes->zipf)
        bench_zipf_init(&zipf, sizes->rows / worker->count, 0.99);
    bench_shuffle_init(&shuffle, sizes->rows / worker->count, worker->run->seed);
    while (!bench_worker_done(worker) && (count = take(worker, &position)) > 0) {
        for (uint64_t i = 0; i < count; i++) {
            uint64_t own = sizes->zipf
                               ? bench_shuffle_at(&shuffle, bench_zipf_next(&zipf, &worker->random))
                               : 0;

            worker->ids[i] =
                sizes->zipf ? 2 * (own * worker->count + worker->index) : bench_worker_row(worker);
        }
        TRY(bench_change_rows(worker, worker->ids, count, BENCH_WRITE_ROW));
        bench_worker_note(worker, position, sizes->rows);
    }
    return STATUS_OK;
}

enum status
workload_update(struct bench_run *run)
{
    struct bench_plan plan = {.work = update, .count = (uint32_t)run->sizes->threads};

    return bench_workers_run(run, &plan);
}

/*
 * Rows in random order are deleted and then inserted again; when time is short a client turns round
 * half-way, so that what it deleted comes back.
 */
static enum status
delete_and_reinsert(struct bench_worker *worker)
{
    struct bench_run *run = worker->run;
    uint64_t half_ns = run->sizes->seconds * 1000000000u / 2;
    struct bench_shuffle shuffle;
    uint64_t position = 0, count, done = 0;

    TRY(bench_worker_plan(worker, run->sizes->rows));
    bench_shuffle_init(&shuffle, run->sizes->rows, run->seed + run->number);
    while (!tool_stop_requested() && (count = take(worker, &position)) > 0) {
        for (uint64_t i = 0; i < count; i++)
            worker->plan[done + i] = 2 * bench_shuffle_at(&shuffle, position + i);
        TRY(bench_change_rows(worker, worker->plan + done, count, BENCH_REMOVE_ROW));
        done += count;
        if (half_ns != 0 && tool_clock_ns() - worker->begin_ns >= half_ns)
            break;
    }
    for (uint64_t at = 0; at < done; at += count) {
        count = done - at < run->sizes->batch ? done - at : run->sizes->batch;
        TRY(bench_change_rows(worker, worker->plan + at, count, BENCH_WRITE_ROW));
    }
    return STATUS_OK;
}

enum status
workload_delete(struct bench_run *run)
{
    struct bench_plan plan = {.work = delete_and_reinsert, .count = (uint32_t)run->sizes->threads};

    return bench_workers_run(run, &plan);
}
