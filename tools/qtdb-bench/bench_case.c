/*
 * One case: all engines in turn, run after run (A B A B), so that what changes on the machine
 * meanwhile meets all of them. A disturbed run is done once more; if that is quieter it counts instead.
 * What was loaded for a case that only reads is kept for the next (bench_stores): loading takes most of
 * the time of a table.
 */
#include <inttypes.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_archive.h"
#include "tools/qtdb-bench/bench_budget.h"

#define OTHERS_DISK_MAX 2e6

/* What an engine that rewrites its file may be asked to write in one run. */
#define REWRITE_SIZE_MAX ((double)(2u << 30))

struct bench_case
bench_case_of(const struct bench_options *options, const struct bench_workload *workload)
{
    struct bench_case sizes = options->base;

    sizes.workload = workload;
    sizes.device_depth = workload->depth;
    if (!options->batch_given)
        sizes.batch = workload->batch;
    if (options->keys.list != NULL && sizes.rows > options->keys.count)
        sizes.rows = options->keys.count;
    if (sizes.batch > sizes.rows)
        sizes.batch = sizes.rows;
    sizes.writer = strcmp(workload->name, "get-writer") == 0;
    sizes.zipf = sizes.zipf || workload->counted;
    if (workload->small_pool) {
        uint64_t tenth = sizes.rows * (sizes.value_size + 24) / 10;
        uint64_t least = 1 << 20;

        tenth = tenth < least ? least : tenth;
        sizes.pool = sizes.pool < tenth ? sizes.pool : tenth;
    }
    return sizes;
}

/* Why the engine cannot run the case, in `out`; false when it can. */
static bool
cannot(const struct bench_engine *engine, const struct bench_case *sizes, char *out, size_t size)
{
    const struct bench_workload *workload = sizes->workload;
    double row = (double)(sizes->value_size + 60);
    double rewritten = (double)sizes->rows * (double)sizes->rows / 100 / 2 * row;

    out[0] = '\0';
    if (workload->ordered && (engine->flags & BENCH_UNORDERED) != 0)
        (void)snprintf(out, size, "keeps its rows in no order, so it has no ranges");
    else if (workload->needs == BENCH_LOADED && workload->whole != NULL &&
             (engine->flags & BENCH_VOLATILE) != 0)
        (void)snprintf(out, size, "keeps nothing after close");
    else if (workload->counted && (engine->route == NULL || engine->written == NULL))
        (void)snprintf(out, size, "does not count the pages that it asks for");
    else if (workload->sql && engine->sql == NULL)
        (void)snprintf(out, size, "has no SQL");
    else if (workload->killed && (!sizes->sync || (engine->flags & BENCH_REWRITES) != 0))
        (void)snprintf(out, size, "what a kill may take is only known of durable transactions");
    else if ((engine->flags & (BENCH_REWRITES | BENCH_VOLATILE)) != 0 &&
             (sizes->threads > 1 || sizes->writer))
        (void)snprintf(out, size, "one thread only");
    else if ((engine->flags & BENCH_REWRITES) != 0 && workload->writes &&
             rewritten * (workload->needs == BENCH_LOADED ? 2 : 1) > REWRITE_SIZE_MAX)
        (void)snprintf(out, size, "would write about %.0f GB; at most 2 GB are allowed it",
                       rewritten / 1e9);
    return out[0] != '\0';
}

/* In a kept run no case is measured twice: neither one of the journal nor one that another table had. */
static bool
was_measured(const struct bench_options *options, const struct bench_result *wanted,
             struct bench_results *results)
{
    const struct bench_result *before;

    if (options->archive == NULL)
        return false;
    before = bench_results_find(results, &wanted->sizes, wanted->engine, wanted->run);
    if (before != NULL && before->outcome.state == BENCH_DONE)
        return true;
    before = bench_results_find(&options->archive->journal.before, &wanted->sizes, wanted->engine,
                                wanted->run);
    if (before != NULL)
        bench_results_add(results, before);
    return before != NULL;
}

static void
run_noted(const struct bench_options *options, const struct bench_case *sizes,
          struct bench_store *store, uint64_t number, struct bench_outcome *out)
{
    uint64_t begin = tool_clock_ns();
    bool loaded = bench_store_fits(store, sizes);

    bench_run_once(options, sizes, store, number, out);
    bench_budget_note(options->budget, sizes, !loaded, (double)(tool_clock_ns() - begin) / 1e9);
}

static void
run_engine(const struct bench_options *options, const struct bench_case *sizes,
           struct bench_store *store, uint64_t number, struct bench_results *results)
{
    struct bench_result result = {.engine = store->engine, .sizes = *sizes, .run = number};

    if (was_measured(options, &result, results))
        return;
    run_noted(options, sizes, store, number, &result.outcome);
    /* Load on the processors costs little (1.3 times), another writer much (7 to 11 times). */
    if (result.outcome.disturbed && options->repeat && sizes->workload->writes &&
        result.outcome.others_disk > OTHERS_DISK_MAX && !tool_stop_requested() &&
        (options->budget == NULL || tool_clock_ns() < options->budget->further_until_ns)) {
        struct bench_outcome again;

        run_noted(options, sizes, store, number, &again);
        if (again.state == BENCH_FAILED ||
            (again.state == BENCH_DONE &&
             again.others_cpu + again.others_disk / 1e7 <
                 result.outcome.others_cpu + result.outcome.others_disk / 1e7))
            result.outcome = again;
    }
    /* A run that the user stopped counts as far as it went, unless nothing was measured. */
    if (result.outcome.state == BENCH_FAILED && tool_stop_requested())
        return;
    bench_archive_note(options, &result);
    bench_results_add(results, &result);
}

/* When a suite's time comes to its end, what is left of it is about qtdb, and what was measured before. */
static bool
is_too_late(const struct bench_options *options, const struct bench_case *sizes,
            const struct bench_store *store, struct bench_results *results)
{
    const struct bench_result wanted = {.engine = store->engine, .sizes = *sizes};
    const struct bench_budget *budget = options->budget;

    if (budget == NULL)
        return false;
    uint64_t until = store->engine == &bench_qtdb ? budget->end_ns : budget->peers_until_ns;

    return tool_clock_ns() > until && !was_measured(options, &wanted, results);
}

/* A median of fewer runs, which the table says, is better than a suite that does not end. */
static bool
may_go_round(const struct bench_options *options, uint64_t number, uint64_t round_ns)
{
    return number == 0 || options->budget == NULL ||
           tool_clock_ns() + round_ns <= options->budget->further_until_ns;
}

static void
leave_out(const struct bench_case *sizes, const struct bench_store *store,
          struct bench_results *results)
{
    struct bench_result result = {.engine = store->engine, .sizes = *sizes};

    result.outcome.state = BENCH_SKIPPED;
    (void)snprintf(result.outcome.message, BENCH_MESSAGE_SIZE,
                   "left out, the suite's time is over: --resume measures it");
    bench_results_add(results, &result);
}

/* The engine's store that an earlier case left, when it is of the same place. */
static struct bench_store *
kept_store(const struct bench_options *options, const struct bench_engine *engine)
{
    struct bench_stores *kept = options->stores;
    size_t length = strlen(options->dir);

    for (size_t i = 0; kept != NULL && i < kept->count; i++) {
        struct bench_store *store = &kept->list[i];

        if (store->engine == engine && strncmp(store->dir, options->dir, length) == 0 &&
            store->dir[length] == '/' && strcmp(store->dir + length + 1, engine->name) == 0)
            return store;
    }
    return NULL;
}

/* A kept store or one that is made, at `out`; where there is room, that one is kept from now on too. */
static enum status
find_store(const struct bench_options *options, const struct bench_engine *engine,
           struct bench_store *spare, struct bench_store **out)
{
    struct bench_stores *kept = options->stores;

    *out = kept_store(options, engine);
    if (*out != NULL)
        return STATUS_OK;
    *out = kept != NULL && kept->count < BENCH_ENGINES_MAX ? &kept->list[kept->count] : spare;
    TRY(bench_store_open(options, engine, options->dir, *out));
    if (*out != spare)
        kept->count++;
    return STATUS_OK;
}

static bool
is_kept(const struct bench_stores *kept, const struct bench_store *store)
{
    return kept != NULL && store >= kept->list && store < kept->list + BENCH_ENGINES_MAX;
}

/* Files are left as loading made them, or not at all. */
static void
leave_store(const struct bench_options *options, const struct bench_case *sizes,
            struct bench_store *store)
{
    const struct bench_workload *workload = sizes->workload;
    bool as_loaded = workload->needs == BENCH_LOADED && !bench_case_writes(sizes) &&
                     !workload->killed && store->loaded;

    if (!is_kept(options->stores, store))
        bench_store_close(store);
    else if (!as_loaded)
        bench_store_empty(store);
}

/* A store for each engine that can; the others are said. */
static size_t
open_stores(const struct bench_options *options, const struct bench_case *sizes,
            struct bench_store *spares, struct bench_store **stores, struct bench_results *results)
{
    size_t count = 0;

    for (size_t i = 0; i < options->engine_count; i++) {
        struct bench_result result = {.engine = options->engines[i], .sizes = *sizes};

        if (cannot(result.engine, sizes, result.outcome.message, BENCH_MESSAGE_SIZE)) {
            result.outcome.state = BENCH_SKIPPED;
        } else if (find_store(options, result.engine, &spares[i], &stores[count]) != STATUS_OK) {
            result.outcome.state = BENCH_FAILED;
            (void)snprintf(result.outcome.message, BENCH_MESSAGE_SIZE, "%s", error_message());
        } else {
            count++;
            continue;
        }
        bench_results_add(results, &result);
    }
    return count;
}

bool
bench_case_run(const struct bench_options *options, const struct bench_case *sizes,
               struct bench_results *results)
{
    static struct bench_store spares[BENCH_ENGINES_MAX];
    struct bench_store *stores[BENCH_ENGINES_MAX];
    struct tool_progress progress;
    size_t count = open_stores(options, sizes, spares, stores, results);
    uint64_t done = 0, round_ns = 0;

    bench_budget_enter(options->budget, sizes);
    tool_progress_begin(&progress, sizes->workload->name, "runs", count * sizes->runs);
    for (uint64_t number = 0; number < sizes->runs && may_go_round(options, number, round_ns);
         number++) {
        uint64_t begin = tool_clock_ns();

        for (size_t i = 0; i < count && !tool_stop_requested(); i++) {
            tool_progress_at(&progress, done++);
            if (number == 0 && is_too_late(options, sizes, stores[i], results))
                leave_out(sizes, stores[i], results);
            else
                run_engine(options, sizes, stores[i], number, results);
        }
        round_ns = tool_clock_ns() - begin;
    }
    tool_progress_end(&progress);
    for (size_t i = 0; i < count; i++)
        leave_store(options, sizes, stores[i]);
    return !tool_stop_requested();
}
