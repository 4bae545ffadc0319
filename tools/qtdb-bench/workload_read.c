/*
 * Workloads that read: get, absent, batchget, range, scan, cold, and gets beside a writer.
 *
 * Keys are chosen before the clock starts. Values are read whole, into one sum, which is compared
 * afterwards with the sum of what was written. One read in 16 is timed for the percentiles; the
 * others run without a clock, which would cost as much as the read.
 *
 * cold reads one row in 100, once: the page cache, which most engines read through and --pool does not
 * bound, is empty only at the first touch of a page.
 */
#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_worker.h"
#include "tools/qtdb-bench/workloads.h"

enum { TIMED_EVERY = 16, RANGE_ROWS = 100, COLD_SHARE = 100 };
#define PLAN_MAX (UINT64_C(16) << 20)

static uint64_t
plan_size(const struct bench_worker *worker)
{
    uint64_t rows = worker->run->sizes->rows;
    uint64_t least = worker->run->sizes->batch;
    uint64_t size = rows > PLAN_MAX ? PLAN_MAX : rows;

    if (worker->run->sizes->workload->cold)
        size = size / COLD_SHARE;

    return size < least ? least : size;
}

/* Ids of rows; with skew the same ones often. */
static enum status
plan_ids(struct bench_worker *worker)
{
    const struct bench_case *sizes = worker->run->sizes;
    struct bench_zipf zipf = {.count = 0};
    struct bench_shuffle shuffle;

    TRY(bench_worker_plan(worker, plan_size(worker)));
    if (sizes->zipf)
        bench_zipf_init(&zipf, sizes->rows, 0.99);
    bench_shuffle_init(&shuffle, sizes->rows, worker->run->seed);
    for (uint64_t i = 0; i < worker->plan_count; i++) {
        uint64_t rank = sizes->zipf
                            ? bench_shuffle_at(&shuffle, bench_zipf_next(&zipf, &worker->random))
                            : random_below(&worker->random, sizes->rows);

        worker->plan[i] = 2 * rank;
    }
    return STATUS_OK;
}

static enum status
plan_keys(struct bench_worker *worker)
{
    TRY(plan_ids(worker));
    for (uint64_t i = 0; i < worker->plan_count; i++)
        worker->plan[i] = bench_keys_at(&worker->run->keys, worker->plan[i]);
    return STATUS_OK;
}

static enum status
plan_absent(struct bench_worker *worker)
{
    TRY(plan_ids(worker));
    for (uint64_t i = 0; i < worker->plan_count; i++)
        worker->plan[i] =
            bench_keys_absent(&worker->run->keys, worker->plan[i] / 2, &worker->random);
    return STATUS_OK;
}

/* Reads the plan round and round, `batch` reads a transaction. */
typedef enum status (*read_fn)(struct bench_worker *worker, uint64_t first, uint64_t count);

static enum status
read_transaction(struct bench_worker *worker, uint64_t first, uint64_t count, read_fn read)
{
    const struct bench_engine *engine = worker->run->engine;
    uint64_t sum = worker->sum;
    uint64_t found = worker->found;
    enum status status;

    for (;;) {
        TRY(engine->begin(worker->session, count == 1 ? BENCH_READ_ONE : BENCH_READ));
        status = read(worker, first, count);
        if (status == STATUS_OK)
            status = engine->commit(worker->session);
        else
            engine->rollback(worker->session);
        if (status != STATUS_CONFLICT)
            return status;
        worker->conflicts++;
        worker->sum = sum;
        worker->found = found;
        if (tool_stop_requested())
            return error_raise(STATUS_STOPPED, "stopped among conflicts");
    }
}

static enum status
read_rounds(struct bench_worker *worker, read_fn read)
{
    uint64_t batch = worker->run->sizes->batch;
    uint64_t step = batch < worker->plan_count ? batch : worker->plan_count;
    uint64_t transactions = 0;
    uint64_t at = 0;

    for (;;) {
        bool timed = step > 1 || transactions % TIMED_EVERY == 0;
        uint64_t begin = step == 1 && timed ? tool_clock_ns() : 0;

        TRY(read_transaction(worker, at, step, read));
        if (begin != 0)
            bench_latency_add(&worker->latency, tool_clock_ns() - begin);
        transactions++;
        at += step;
        worker->operations += step;
        if (at + step > worker->plan_count)
            at = 0;
        /* Without a time limit the plan is read once; so it is where a second time would be warm. */
        if (at == 0 && (worker->run->sizes->seconds == 0 || worker->run->sizes->workload->cold))
            break;
        if ((step > 1 || transactions % 64 == 0) && bench_worker_done(worker))
            break;
    }
    worker->rows = worker->found;
    return STATUS_OK;
}

static enum status
read_one(struct bench_worker *worker, uint64_t key, bool present)
{
    const void *value;
    size_t size;
    enum status status = worker->run->engine->get(worker->session, key, &value, &size);

    if (status == STATUS_OK && present) {
        worker->sum += bench_value_sum(key, value, size);
        worker->found++;
        return STATUS_OK;
    }
    if (status == STATUS_NOT_FOUND && !present)
        return STATUS_OK;
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        return error_raise(STATUS_CORRUPT, "%s: WRONG ANSWER: key %llu is %s",
                           worker->run->engine->name, (unsigned long long)key,
                           present ? "not found" : "found and was never written");
    return status;
}

/* Inside a larger transaction one get in 16 is timed. */
static enum status
read_gets(struct bench_worker *worker, uint64_t first, uint64_t count, bool present)
{
    const uint64_t *keys = worker->plan + first;

    for (uint64_t i = 0; i < count; i++) {
        bool timed = count > 1 && i % TIMED_EVERY == 0;
        uint64_t begin = timed ? tool_clock_ns() : 0;

        TRY(read_one(worker, keys[i], present));
        if (timed)
            bench_latency_add(&worker->latency, tool_clock_ns() - begin);
    }
    return STATUS_OK;
}

static enum status
read_present(struct bench_worker *worker, uint64_t first, uint64_t count)
{
    return read_gets(worker, first, count, true);
}

static enum status
read_absent(struct bench_worker *worker, uint64_t first, uint64_t count)
{
    return read_gets(worker, first, count, false);
}

static enum status
work_get(struct bench_worker *worker)
{
    return read_rounds(worker, read_present);
}

static enum status
work_absent(struct bench_worker *worker)
{
    enum status status = read_rounds(worker, read_absent);

    worker->rows = worker->operations;
    return status;
}

static uint64_t
row_sum(struct bench_worker *worker, uint64_t key, uint64_t id)
{
    size_t size = (size_t)worker->run->sizes->value_size;

    bench_value_fill(key, worker->run->store->versions[id], worker->value, size);
    return bench_value_sum(key, worker->value, size);
}

/* The sum over the reads that were done: whole rounds of the plan, and part of one. */
static enum status
check_sum(struct bench_worker *worker)
{
    uint64_t step = worker->run->sizes->batch;
    uint64_t round = worker->plan_count / step * step;
    uint64_t rounds = worker->operations / round;
    uint64_t rest = worker->operations % round;
    uint64_t round_sum = 0, rest_sum = 0;

    for (uint64_t i = 0; i < round && (rounds > 0 || i < rest); i++) {
        uint64_t id = bench_keys_id(&worker->run->keys, worker->plan[i]);
        uint64_t sum = row_sum(worker, worker->plan[i], id);

        round_sum += sum;
        if (i < rest)
            rest_sum += sum;
    }
    if (worker->sum != rounds * round_sum + rest_sum || worker->found != worker->operations)
        return error_raise(STATUS_CORRUPT,
                           "%s: WRONG ANSWER: the sum of the values read is not that "
                           "of the values written",
                           worker->run->engine->name);
    return STATUS_OK;
}

/*
 * Beyond the pool the scan that warms leaves leaves there, which are of no use, and not the inner pages: gets of other
 * rows go first, as long as those that are measured.
 */
static enum status
warm_beyond(struct bench_run *run, const struct bench_plan *plan)
{
    enum { OTHER_ROWS = 1 << 20 };
    struct bench_run other = *run;
    uint64_t live_size = run->outcome->live_size;

    other.number += OTHER_ROWS;
    TRY(bench_workers_run(&other, plan));
    *run->outcome = (struct bench_outcome){.state = BENCH_NONE, .live_size = live_size};
    bench_measure_begin(run);
    return STATUS_OK;
}

enum status
workload_get(struct bench_run *run)
{
    struct bench_plan plan = {.prepare = plan_keys,
                              .work = work_get,
                              .check = check_sum,
                              .count = (uint32_t)run->sizes->threads};

    if (run->sizes->device_depth > 0 && !run->sizes->workload->cold)
        TRY(warm_beyond(run, &plan));
    return bench_workers_run(run, &plan);
}

enum status
workload_absent(struct bench_run *run)
{
    struct bench_plan plan = {
        .prepare = plan_absent, .work = work_absent, .count = (uint32_t)run->sizes->threads};

    return bench_workers_run(run, &plan);
}

/* Batches. */

static bool
add_row(void *context, uint64_t key, const void *value, size_t size)
{
    struct bench_worker *worker = context;

    worker->sum += bench_value_sum(key, value, size);
    worker->found++;
    return true;
}

static enum status
read_batch(struct bench_worker *worker, uint64_t first, uint64_t count)
{
    const struct bench_engine *engine = worker->run->engine;
    uint64_t begin = tool_clock_ns();

    if (engine->get_many != NULL) {
        TRY(engine->get_many(worker->session, worker->plan + first, (uint32_t)count, add_row,
                             worker));
    } else {
        for (uint64_t i = 0; i < count; i++)
            TRY(read_one(worker, worker->plan[first + i], true));
    }
    bench_latency_add(&worker->latency, tool_clock_ns() - begin);
    return STATUS_OK;
}

static enum status
work_batches(struct bench_worker *worker)
{
    return read_rounds(worker, read_batch);
}

enum status
workload_batchget(struct bench_run *run)
{
    struct bench_plan plan = {.prepare = plan_keys,
                              .work = work_batches,
                              .check = check_sum,
                              .count = (uint32_t)run->sizes->threads};

    return bench_workers_run(run, &plan);
}

/* Beside a writer: values change, so each is checked on the spot to be one that was written. */

static enum status
read_changing(struct bench_worker *worker, uint64_t first, uint64_t count)
{
    const struct bench_run *run = worker->run;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t key = worker->plan[first + i];
        bool timed = i % TIMED_EVERY == 0;
        uint64_t begin = timed ? tool_clock_ns() : 0;
        const void *value;
        size_t size;
        uint32_t version = 1;

        TRY(run->engine->get(worker->session, key, &value, &size));
        if (timed)
            bench_latency_add(&worker->latency, tool_clock_ns() - begin);
        if (size != run->sizes->value_size || !bench_value_holds(key, value, size, &version))
            return error_raise(STATUS_CORRUPT,
                               "%s: WRONG ANSWER: key %llu has a value that was "
                               "never written",
                               run->engine->name, (unsigned long long)key);
        worker->found++;
    }
    return STATUS_OK;
}

static enum status
work_changing(struct bench_worker *worker)
{
    return read_rounds(worker, read_changing);
}

/* Transactions of 100 random rows of its own until the readers are done. */
static enum status
write_beside(struct bench_worker *worker)
{
    enum { BESIDE_BATCH = 100 };
    uint64_t ids[BESIDE_BATCH];

    while (!atomic_load(worker->stop)) {
        for (int i = 0; i < BESIDE_BATCH; i++)
            ids[i] = bench_worker_row(worker);
        TRY(bench_change_rows(worker, ids, BESIDE_BATCH, BENCH_WRITE_ROW));
    }
    return STATUS_OK;
}

enum status
workload_get_changing(struct bench_run *run)
{
    struct bench_plan plan = {.prepare = plan_keys,
                              .work = work_changing,
                              .beside = run->sizes->writer ? write_beside : NULL,
                              .count = (uint32_t)run->sizes->threads};

    return bench_workers_run(run, &plan);
}

/* Ranges and scans. */

static enum status
read_range(struct bench_worker *worker, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t begin = tool_clock_ns();

        TRY(worker->run->engine->scan(worker->session, worker->plan[first + i], RANGE_ROWS, add_row,
                                      worker));
        bench_latency_add(&worker->latency, tool_clock_ns() - begin);
    }
    return STATUS_OK;
}

static enum status
work_ranges(struct bench_worker *worker)
{
    return read_rounds(worker, read_range);
}

static enum status
check_ranges(struct bench_worker *worker)
{
    const struct bench_run *run = worker->run;
    uint64_t step = run->sizes->batch;
    uint64_t round = worker->plan_count / step * step;
    uint64_t sum = 0, found = 0;

    for (uint64_t i = 0; i < worker->operations; i++) {
        uint64_t id = bench_keys_id(&run->keys, worker->plan[i % round]);

        for (uint64_t k = 0; k < RANGE_ROWS && id < 2 * run->sizes->rows; k++, id += 2) {
            sum += row_sum(worker, bench_keys_at(&run->keys, id), id);
            found++;
        }
    }
    if (sum != worker->sum || found != worker->found)
        return error_raise(STATUS_CORRUPT,
                           "%s: WRONG ANSWER: the ranges read are not the rows "
                           "written",
                           run->engine->name);
    return STATUS_OK;
}

enum status
workload_range(struct bench_run *run)
{
    struct bench_plan plan = {.prepare = plan_keys,
                              .work = work_ranges,
                              .check = check_ranges,
                              .count = (uint32_t)run->sizes->threads};

    return bench_workers_run(run, &plan);
}

static enum status
work_scans(struct bench_worker *worker)
{
    const struct bench_engine *engine = worker->run->engine;

    do {
        uint64_t begin = tool_clock_ns();
        uint64_t sum = worker->sum, found = worker->found;
        enum status status;

        TRY(engine->begin(worker->session, BENCH_READ));
        status = engine->scan(worker->session, 0, UINT64_MAX, add_row, worker);
        engine->rollback(worker->session);
        if (status == STATUS_CONFLICT) {
            worker->conflicts++;
            worker->sum = sum;
            worker->found = found;
            continue;
        }
        TRY(status);
        bench_latency_add(&worker->latency, tool_clock_ns() - begin);
        worker->operations++;
    } while (worker->run->sizes->seconds > 0 && !bench_worker_done(worker));
    worker->rows = worker->found;
    return STATUS_OK;
}

static enum status
check_scans(struct bench_worker *worker)
{
    const struct bench_run *run = worker->run;
    uint64_t sum = 0;

    for (uint64_t id = 0; id < 2 * run->sizes->rows; id += 2)
        sum += row_sum(worker, bench_keys_at(&run->keys, id), id);
    if (worker->sum != sum * worker->operations ||
        worker->found != run->sizes->rows * worker->operations)
        return error_raise(STATUS_CORRUPT, "%s: WRONG ANSWER: a scan did not give the rows written",
                           run->engine->name);
    return STATUS_OK;
}

enum status
workload_scan(struct bench_run *run)
{
    struct bench_plan plan = {
        .work = work_scans, .check = check_scans, .count = (uint32_t)run->sizes->threads};

    return bench_workers_run(run, &plan);
}
