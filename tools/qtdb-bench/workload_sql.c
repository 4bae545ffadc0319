/*
 * sql-query: aggregates over all rows and a join of the table with itself, the same texts for every engine with
 * SQL, answers as one sum of whole numbers that is compared with the model. Counted are queries. sql-get and sql-insert are the workloads get and insert over the engine's SQL.
 */
#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_worker.h"
#include "tools/qtdb-bench/workloads.h"

enum { QUERIES = 5, GROUPS = 10 };

static const char *const texts[QUERIES] = {
    "SELECT count(*) FROM r",
    "SELECT min(k), max(k) FROM r",
    "SELECT sum(k % 1000) FROM r WHERE k % 3 = 0",
    "SELECT k % 10, count(*), sum(k % 7) FROM r GROUP BY k % 10",
    "SELECT count(*), sum(a.k % 5) FROM r a JOIN r b ON a.k = b.k WHERE b.k % 7 = 0",
};

/* What the answer's cells come to. */
static void
expect(const struct bench_run *run, int64_t sums[QUERIES])
{
    uint64_t flip = run->keys.high ? UINT64_C(1) << 63 : 0;
    uint64_t wanted[QUERIES] = {0};
    bool seen[2 * GROUPS] = {false};
    uint64_t rows = run->sizes->rows;

    wanted[0] = rows;
    wanted[1] =
        (bench_keys_at(&run->keys, 0) ^ flip) + (bench_keys_at(&run->keys, 2 * (rows - 1)) ^ flip);
    for (uint64_t id = 0; id < 2 * rows; id += 2) {
        int64_t key = (int64_t)(bench_keys_at(&run->keys, id) ^ flip);
        int64_t group = key % GROUPS;

        wanted[2] += key % 3 == 0 ? (uint64_t)(key % 1000) : 0;
        wanted[3] += 1 + (uint64_t)(key % 7);
        wanted[4] += key % 7 == 0 ? 1 + (uint64_t)(key % 5) : 0;
        if (!seen[group + GROUPS])
            wanted[3] += (uint64_t)group;
        seen[group + GROUPS] = true;
    }
    for (int i = 0; i < QUERIES; i++)
        sums[i] = (int64_t)wanted[i];
}

static enum status
work(struct bench_worker *worker)
{
    const struct bench_run *run = worker->run;
    int64_t wanted[QUERIES];

    expect(run, wanted);
    worker->begin_ns = tool_clock_ns();
    do {
        for (int i = 0; i < QUERIES; i++) {
            uint64_t begin = tool_clock_ns();
            int64_t sum = 0;

            TRY(run->engine->query(worker->session, texts[i], &sum));
            bench_latency_add(&worker->latency, tool_clock_ns() - begin);
            if (sum != wanted[i])
                return error_raise(STATUS_CORRUPT, "%s: WRONG ANSWER: %s", run->engine->name,
                                   texts[i]);
            worker->operations++;
            worker->rows += run->sizes->rows;
        }
    } while (run->sizes->seconds > 0 && !bench_worker_done(worker));
    return STATUS_OK;
}

enum status
workload_sql_query(struct bench_run *run)
{
    struct bench_plan plan = {.work = work, .count = (uint32_t)run->sizes->threads};

    return bench_workers_run(run, &plan);
}
