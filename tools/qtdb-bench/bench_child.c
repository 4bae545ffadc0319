/*
 * One run in a child process: files made ready, database opened, workload measured, answers checked,
 * database closed. The parent waits, reads what came back and watches the machine meanwhile.
 *
 * The child leaves by _exit: nothing of the parent's (its buffers, its handlers) runs twice.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_engines.h"
#include "tools/qtdb-bench/bench_reads.h"
#include "tools/qtdb-bench/bench_system.h"
#include "tools/qtdb-bench/bench_worker.h"

enum { LOAD_BATCH = 10000, LOAD_POOL = 256 << 20, ROOM_LEAST = 32 << 20 };

static double
seconds_since(uint64_t begin)
{
    return (double)(tool_clock_ns() - begin) / 1e9;
}

static void *
map_shared(size_t size)
{
    void *bytes =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return bytes == MAP_FAILED ? NULL : bytes;
}

/* Stores. */

enum status
bench_store_open(const struct bench_options *options, const struct bench_engine *engine,
                 const char *dir, struct bench_store *out)
{
    (void)options;
    *out = (struct bench_store){.engine = engine};
    (void)snprintf(out->dir, sizeof(out->dir), "%s/%s", dir, engine->name);
    TRY(bench_dir_remove(out->dir));
    return bench_dir_make(out->dir);
}

static const struct bench_engine *
engine_of(const struct bench_store *store, const struct bench_case *sizes)
{
    return sizes->workload->sql ? store->engine->sql : store->engine;
}

bool
bench_store_fits(const struct bench_store *store, const struct bench_case *sizes)
{
    return store->loaded && store->loader == engine_of(store, sizes) &&
           store->rows == sizes->rows && store->value_size == sizes->value_size;
}

static size_t
versions_size(uint64_t rows)
{
    return (size_t)(2 * rows * sizeof(uint32_t));
}

static enum status
empty_store(struct bench_store *store, uint64_t rows, uint64_t value_size)
{
    TRY(bench_dir_remove(store->dir));
    TRY(bench_dir_make(store->dir));
    if (store->versions != NULL)
        (void)munmap(store->versions, versions_size(store->rows));
    store->versions = map_shared(versions_size(rows));
    if (store->versions == NULL)
        return error_raise(STATUS_NO_MEMORY, "no memory for the model of %llu rows",
                           (unsigned long long)rows);
    store->rows = rows;
    store->value_size = value_size;
    store->loaded = false;
    return STATUS_OK;
}

void
bench_store_empty(struct bench_store *store)
{
    if (store->versions != NULL)
        (void)munmap(store->versions, versions_size(store->rows));
    store->versions = NULL;
    store->loaded = false;
    if (bench_dir_remove(store->dir) != STATUS_OK)
        error_clear(); /* Files that stay are no fault of a figure. */
}

void
bench_store_close(struct bench_store *store)
{
    bench_store_empty(store);
    store->engine = NULL;
}

void
bench_stores_close(struct bench_stores *stores)
{
    while (stores->count > 0)
        bench_store_close(&stores->list[--stores->count]);
}

/* In the child. */

enum status
bench_db_open(struct bench_run *run, bool loading)
{
    struct bench_config config = {.memory = run->memory,
                                  .dir = run->store->dir,
                                  .pool_size = run->sizes->pool,
                                  .rows = run->sizes->rows,
                                  .threads = (uint32_t)run->sizes->threads + 1,
                                  .sync = run->sizes->sync,
                                  .high_keys = run->keys.high,
                                  .loading = loading};

    if (config.threads == 2 && !run->sizes->writer)
        config.threads = 1;
    return run->engine->open(&config, &run->db);
}

static enum status
close_db(struct bench_run *run)
{
    struct bench_db *db = run->db;

    run->db = NULL;
    return run->engine->close(db);
}

static enum status
load_rows(struct bench_worker *worker)
{
    uint64_t rows = worker->run->sizes->rows;

    for (uint64_t at = 0; at < rows && !tool_stop_requested(); at += LOAD_BATCH) {
        uint64_t count = rows - at < LOAD_BATCH ? rows - at : LOAD_BATCH;

        for (uint64_t i = 0; i < count; i++)
            worker->plan[i] = 2 * (at + i);
        TRY(bench_change_rows(worker, worker->plan, count, BENCH_APPEND_ROW));
    }
    return tool_stop_requested() ? error_raise(STATUS_STOPPED, "stopped") : STATUS_OK;
}

static enum status
plan_load(struct bench_worker *worker)
{
    return bench_worker_plan(worker, LOAD_BATCH);
}

static enum status
load_open(struct bench_run *run)
{
    struct bench_plan plan = {.prepare = plan_load, .work = load_rows, .count = 1};

    return bench_workers_run(run, &plan);
}

static enum status
do_load(struct bench_run *run)
{
    struct bench_case sizes = *run->sizes;

    sizes.seconds = 0;
    sizes.threads = 1;
    sizes.writer = false;
    /* Loading is not measured: large transactions may have all the room they want. */
    if (sizes.pool < LOAD_POOL)
        sizes.pool = LOAD_POOL;
    struct bench_run own = *run;
    own.sizes = &sizes;
    TRY(bench_db_open(&own, true));
    TRY(load_open(&own));
    TRY(own.engine->settle(own.db));
    return close_db(&own);
}

void
bench_measure_begin(struct bench_run *run)
{
    run->base = (struct bench_written){.log = 0};
    if (run->engine->written != NULL)
        run->engine->written(run->db, &run->base);
    bench_process_written(&run->outcome->write_size, &run->outcome->process_size);
    if (run->options->own_device) {
        struct bench_counters now;

        bench_dir_flush(run->store->dir);
        bench_counters_read(run->store->dir, &now);
        run->outcome->device_base = now.disk_size;
    }
}

/* Between opening and measuring: an engine that keeps nothing is filled now; reads are warmed. */
static enum status
prepare(struct bench_run *run)
{
    const struct bench_workload *workload = run->sizes->workload;
    struct bench_outcome *outcome = run->outcome;

    if (workload->needs == BENCH_LOADED && (run->engine->flags & BENCH_VOLATILE) != 0) {
        memset(run->store->versions, 0, versions_size(run->store->rows));
        TRY(load_open(run));
    }
    if (workload->needs == BENCH_LOADED && !workload->cold)
        TRY(bench_verify(run));
    *outcome = (struct bench_outcome){.state = BENCH_NONE, .live_size = outcome->live_size};
    return STATUS_OK;
}

/* What the engine itself counted: bytes with the last checkpoint, reads without. */
static enum status
settle_and_count(struct bench_run *run)
{
    struct bench_outcome *outcome = run->outcome;
    struct bench_written at_end = {.log = 0}, settled = {.log = 0};

    outcome->has_written = run->engine->written != NULL;
    if (outcome->has_written)
        run->engine->written(run->db, &at_end);
    if (bench_case_writes(run->sizes)) {
        uint64_t begin = tool_clock_ns();

        TRY(run->engine->settle(run->db));
        outcome->settle_seconds = seconds_since(begin);
    }
    if (outcome->has_written)
        run->engine->written(run->db, &settled);
    outcome->written =
        (struct bench_written){.log = settled.log - run->base.log,
                               .pages = settled.pages - run->base.pages,
                               .meta = settled.meta - run->base.meta,
                               .page_reads = at_end.page_reads - run->base.page_reads,
                               .inner_reads = at_end.inner_reads - run->base.inner_reads,
                               .map_reads = at_end.map_reads - run->base.map_reads,
                               .pins = at_end.pins - run->base.pins};
    return STATUS_OK;
}

static enum status
do_measure(struct bench_run *run)
{
    const struct bench_workload *workload = run->sizes->workload;
    struct bench_outcome *outcome = run->outcome;

    TRY(prepare(run));
    /* What opening writes (a log that is zeroed, say) is not the workload's. */
    bench_measure_begin(run);
    TRY(workload->measure(run));
    outcome->stopped = tool_stop_requested();
    TRY(settle_and_count(run));
    if (bench_case_writes(run->sizes) && !outcome->stopped)
        return bench_verify(run);
    return STATUS_OK;
}

static enum status
do_run(struct bench_run *run)
{
    struct bench_outcome *outcome = run->outcome;
    uint64_t write_after, process_after;

    if (run->sizes->workload->whole != NULL)
        return run->sizes->workload->whole(run);
    TRY(bench_db_open(run, false));
    TRY(do_measure(run));
    TRY(close_db(run));
    bench_process_written(&write_after, &process_after);
    outcome->write_size = write_after - outcome->write_size;
    /* Writes through io_uring are missing in /proc: the engine's own count is then the larger. */
    uint64_t own = outcome->written.log + outcome->written.pages + outcome->written.meta;
    outcome->write_size = own > outcome->write_size ? own : outcome->write_size;
    outcome->process_size = process_after - outcome->process_size;
    return STATUS_OK;
}

static void
child(const struct bench_run *shared, enum status (*work)(struct bench_run *run))
{
    struct bench_run run = *shared;

    /* Whoever kills the parent ends this too: a suite that is continued finds its directory unused. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    error_clear();
    run.memory = memory_new();
    enum status status = run.memory == NULL ? STATUS_NO_MEMORY : work(&run);
    if (status == STATUS_OK) {
        run.outcome->state = BENCH_DONE;
    } else {
        run.outcome->state = BENCH_FAILED;
        (void)snprintf(run.outcome->message, sizeof(run.outcome->message), "%s",
                       error_message()[0] != '\0' ? error_message() : status_name(status));
    }
    _exit(0);
}

/* In the parent. */

static void
wait_for(pid_t pid, struct bench_outcome *outcome)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno == EINTR)
            continue; /* The child has the signal too and ends early. */
        (void)snprintf(outcome->message, sizeof(outcome->message), "waitpid: %s", strerror(errno));
        outcome->state = BENCH_FAILED;
        return;
    }
    if (outcome->state != BENCH_NONE)
        return;
    outcome->state = BENCH_FAILED;
    if (WIFSIGNALED(status))
        (void)snprintf(outcome->message, sizeof(outcome->message), "the process died of %s",
                       strsignal(WTERMSIG(status)));
    else
        (void)snprintf(outcome->message, sizeof(outcome->message), "the process ended with %d",
                       WEXITSTATUS(status));
}

static void
in_child(struct bench_run *run, enum status (*work)(struct bench_run *run),
         struct bench_outcome *out)
{
    struct bench_outcome *shared = map_shared(sizeof(*shared));

    if (shared == NULL) {
        out->state = BENCH_FAILED;
        (void)snprintf(out->message, sizeof(out->message), "no memory");
        return;
    }
    run->outcome = shared;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        child(run, work);
    if (pid > 0) {
        wait_for(pid, shared);
    } else {
        shared->state = BENCH_FAILED;
        (void)snprintf(shared->message, sizeof(shared->message), "fork: %s", strerror(errno));
    }
    *out = *shared;
    (void)munmap(shared, sizeof(*shared));
}

static void
fail(struct bench_outcome *out, const char *what)
{
    out->state = BENCH_FAILED;
    (void)snprintf(out->message, sizeof(out->message), "%s%s", what, error_message());
}

/* What engines say of a full disk reaches from its name to a crash: it is said before that. */
static void
note_full_disk(const struct bench_store *store, struct bench_outcome *out)
{
    char message[BENCH_MESSAGE_SIZE], room_text[TOOL_SIZE_TEXT];
    uint64_t room = bench_dir_room(store->dir);

    if (out->state != BENCH_FAILED || room > ROOM_LEAST)
        return;
    (void)snprintf(message, sizeof(message), "%s", out->message);
    (void)snprintf(out->message, sizeof(out->message),
                   "the disk of --dir is full (%s left): %.300s", tool_format_size(room, room_text),
                   message);
}

/* The files as the workload wants them. False: `out` says why not. */
static bool
make_ready(struct bench_run *run, struct bench_outcome *out)
{
    struct bench_store *store = run->store;
    const struct bench_case *sizes = run->sizes;

    if (sizes->workload->needs == BENCH_LOADED && bench_store_fits(store, sizes))
        return true;
    if (empty_store(store, sizes->rows, sizes->value_size) != STATUS_OK) {
        fail(out, "");
        return false;
    }
    if (sizes->workload->needs == BENCH_EMPTY || (store->engine->flags & BENCH_VOLATILE) != 0)
        return true;
    in_child(run, do_load, out);
    note_full_disk(store, out);
    store->loaded = out->state == BENCH_DONE;
    store->loader = run->engine;
    return store->loaded;
}

/* The device's rate where the case wants it, or what was measured `before`, if that is more. */
static double
device_rate(const struct bench_run *run, double before)
{
    const struct bench_options *options = run->options;
    double rate = 0;

    if (run->sizes->device_depth == 0 || run->engine != &bench_qtdb)
        return 0;
    if (bench_device_rate(options->env.memory, run->store->dir, (uint32_t)run->sizes->device_depth,
                          bench_case_writes(run->sizes), &rate) != STATUS_OK) {
        (void)fprintf(stderr, "the device's rate is not known: %s\n", error_message());
        error_clear();
    }
    return rate > before ? rate : before;
}

void
bench_run_once(const struct bench_options *options, const struct bench_case *sizes,
               struct bench_store *store, uint64_t number, struct bench_outcome *out)
{
    struct bench_run run = {.options = options,
                            .sizes = sizes,
                            .engine = engine_of(store, sizes),
                            .store = store,
                            .keys = options->keys,
                            .seed = options->seed,
                            .number = number};
    struct bench_counters before, after;
    uint64_t begin = tool_clock_ns();

    *out = (struct bench_outcome){.state = BENCH_NONE};
    error_clear();
    bench_keys_limit(&run.keys, sizes->rows);
    if (!make_ready(&run, out)) {
        bench_store_empty(store);
        return;
    }
    double load_seconds = seconds_since(begin);
    double rate = device_rate(&run, 0);

    if (sizes->workload->cold)
        bench_dir_forget(store->dir);
    if (options->own_device)
        bench_dir_flush(store->dir);
    bench_counters_read(store->dir, &before);
    in_child(&run, do_run, out);
    note_full_disk(store, out);
    if (options->own_device)
        bench_dir_flush(store->dir);
    bench_counters_read(store->dir, &after);
    bench_counters_judge(&before, &after, options->own_device, out);
    out->file_size = bench_dir_size(store->dir);
    out->load_seconds = load_seconds;
    out->device_rate = out->state == BENCH_DONE ? device_rate(&run, rate) : 0;
    out->took_seconds = seconds_since(begin);
    /* Extra rows, or a run that did not end as it should: the files are not what the next one wants. */
    if (sizes->workload->needs == BENCH_EMPTY || sizes->workload->extras ||
        out->state != BENCH_DONE)
        store->loaded = false;
    /* A failed run's files are of no use, and may be what fills the disk. */
    if (out->state == BENCH_FAILED)
        bench_store_empty(store);
}
