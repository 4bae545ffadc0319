/*
 * open: a clean database is opened and its first row read, again and again. recovery: a writer process
 * is killed in the middle of a transaction; then the time from opening to the first row, and every
 * acknowledged transaction must be there, the one under way wholly or not at all.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_system.h"
#include "tools/qtdb-bench/bench_worker.h"
#include "tools/qtdb-bench/workloads.h"

enum { OPENS_LEAST = 5, OPENS_MOST = 1000 };

/* The killed writer's last word, shared with it. */
struct last {
    atomic_uint_fast64_t acknowledged; /* Transactions. */
    atomic_uint_fast64_t user_size;
    uint64_t count; /* Rows of the transaction under way. */
    uint64_t ids[];
};

static enum status
read_first(struct bench_run *run)
{
    struct bench_session *session;
    const void *value;
    size_t size;
    uint64_t key = bench_keys_at(&run->keys, 0);

    TRY(run->engine->session_open(run->db, &session));
    enum status status = run->engine->begin(session, BENCH_READ_ONE);
    if (status == STATUS_OK) {
        uint32_t version = 1;

        status = run->engine->get(session, key, &value, &size);
        if (status == STATUS_NOT_FOUND ||
            (status == STATUS_OK && !bench_value_holds(key, value, size, &version)))
            status = error_raise(STATUS_CORRUPT, "%s: WRONG ANSWER for the first row",
                                 run->engine->name);
        run->engine->rollback(session);
    }
    run->engine->session_close(session);
    return status;
}

static enum status
open_once(struct bench_run *run, struct bench_latency *latency)
{
    uint64_t begin = tool_clock_ns();

    TRY(bench_db_open(run, false));
    enum status status = read_first(run);
    bench_latency_add(latency, tool_clock_ns() - begin);
    TRY(status);
    return run->engine->close(run->db);
}

enum status
workload_open(struct bench_run *run)
{
    static struct bench_latency latency; /* Of the child, which does this once. */
    struct bench_outcome *outcome = run->outcome;
    uint64_t begin = tool_clock_ns();
    uint64_t limit = run->sizes->seconds * 1000000000u;

    for (int i = 0; i < OPENS_MOST && !tool_stop_requested(); i++) {
        if (i >= OPENS_LEAST && tool_clock_ns() - begin >= limit)
            break;
        TRY(open_once(run, &latency));
        outcome->operations++;
        outcome->rows++;
    }
    outcome->seconds = (double)(tool_clock_ns() - begin) / 1e9;
    outcome->p50_ns = bench_latency_at(&latency, 0.50);
    outcome->p99_ns = bench_latency_at(&latency, 0.99);
    return STATUS_OK;
}

/* Recovery. */

static enum status
write_until_killed(struct bench_worker *worker)
{
    struct last *last = (struct last *)(void *)worker->ids_shown;
    const struct bench_case *sizes = worker->run->sizes;
    uint64_t half = sizes->rows / sizes->batch / 2;

    for (uint64_t i = 0;; i++) {
        for (uint64_t k = 0; k < sizes->batch; k++)
            last->ids[k] = bench_worker_row(worker);
        last->count = sizes->batch;
        if (bench_worker_done(worker) || (sizes->seconds == 0 && i == half))
            return STATUS_OK;
        TRY(bench_change_rows(worker, last->ids, sizes->batch, BENCH_WRITE_ROW));
        last->count = 0;
        atomic_store(&last->acknowledged, i + 1);
        atomic_store(&last->user_size, worker->user_size);
    }
}

/* One more transaction is begun, its rows put, and the process killed before it is acknowledged. */
static void
die_in_transaction(struct bench_run *run, const struct last *last)
{
    static uint8_t value[BENCH_VALUE_SIZE_MAX];
    struct bench_session *session;

    if (run->engine->session_open(run->db, &session) == STATUS_OK &&
        run->engine->begin(session, BENCH_WRITE) == STATUS_OK) {
        for (uint64_t i = 0; i < last->count; i++) {
            uint64_t key = bench_keys_at(&run->keys, last->ids[i]);

            bench_value_fill(key, run->store->versions[last->ids[i]] + 1, value,
                             (size_t)run->sizes->value_size);
            if (run->engine->put(session, key, value, (size_t)run->sizes->value_size, BENCH_PUT) !=
                STATUS_OK)
                break;
        }
    }
    (void)kill(getpid(), SIGKILL);
}

static void
writer(const struct bench_run *run, struct last *last)
{
    struct bench_plan plan = {
        .work = write_until_killed, .count = 1, .ids_shown = (uint64_t *)(void *)last};
    struct bench_outcome outcome = {.state = BENCH_NONE};
    struct bench_run own = *run;

    own.outcome = &outcome;
    if (bench_db_open(&own, false) == STATUS_OK && bench_workers_run(&own, &plan) == STATUS_OK)
        die_in_transaction(&own, last);
    (void)fprintf(stderr, "the writer failed: %s\n", error_message());
    _exit(1);
}

/* Rows of the transaction under way, when it is there: the model is made to say so. */
static enum status
settle_last(struct bench_run *run, const struct last *last)
{
    struct bench_session *session;
    const void *value;
    size_t size;
    uint32_t version = 1;

    if (last->count == 0 || run->sizes->value_size < 8)
        return STATUS_OK;
    uint64_t key = bench_keys_at(&run->keys, last->ids[0]);
    TRY(run->engine->session_open(run->db, &session));
    enum status status = run->engine->begin(session, BENCH_READ_ONE);
    if (status == STATUS_OK) {
        status = run->engine->get(session, key, &value, &size);
        if (status == STATUS_OK && bench_value_holds(key, value, size, &version) &&
            version == run->store->versions[last->ids[0]] + 1) {
            for (uint64_t i = 0; i < last->count; i++)
                run->store->versions[last->ids[i]] = version;
        }
        run->engine->rollback(session);
    }
    run->engine->session_close(session);
    return status;
}

static enum status
open_after_kill(struct bench_run *run, const struct last *last)
{
    struct bench_outcome *outcome = run->outcome;
    uint64_t begin = tool_clock_ns();

    TRY(bench_db_open(run, false));
    TRY(read_first(run));
    outcome->p50_ns = tool_clock_ns() - begin;
    outcome->p99_ns = outcome->p50_ns;
    outcome->seconds = (double)outcome->p50_ns / 1e9;
    outcome->operations = 1;
    outcome->rows = atomic_load(&last->acknowledged) * run->sizes->batch;
    TRY(settle_last(run, last));
    TRY(bench_verify(run));
    return run->engine->close(run->db);
}

enum status
workload_recovery(struct bench_run *run)
{
    size_t size = sizeof(struct last) + (size_t)run->sizes->batch * sizeof(uint64_t);
    struct last *last = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int state = 0;

    if (last == MAP_FAILED)
        return error_raise(STATUS_NO_MEMORY, "no memory");
    pid_t pid = fork();
    if (pid == 0)
        writer(run, last);
    if (pid < 0 || waitpid(pid, &state, 0) != pid)
        return error_raise(STATUS_FAILED, "the writer cannot be started or waited for");
    if (!WIFSIGNALED(state) || WTERMSIG(state) != SIGKILL)
        return error_raise(STATUS_FAILED, "the writer ended before it was killed");
    bench_dir_forget(run->store->dir);
    return open_after_kill(run, last);
}
