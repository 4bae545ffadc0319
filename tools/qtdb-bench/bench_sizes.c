/*
 * sizes: get, update and write amplification over 10 MB, 100 MB, 1 GB and 10 GB with one pool. In the pool a figure
 * is held against that of 10 MB. Beyond it gets and updates are held against what the device itself gives for the
 * blocks that they need, one read at a time as a client makes them, measured on the same file before and after each run
 * (bench_reads.h). A get needs its leaf read. An update needs its leaf read and later written, so its rate is that of
 * blocks read and each written back; and it counts until the last leaf is written, because a pool of leaves that
 * are still to be written would flatter it. What the log takes besides is qtdb's own affair: no allowance is made.
 */
#include <inttypes.h>

#include "tools/qtdb-bench/bench_budget.h"
#include "tools/qtdb-bench/bench_command.h"
#include "tools/qtdb-bench/bench_print.h"
#include "tools/qtdb-bench/bench_targets.h"

#define SLOWER_MOST 3.0
#define DEVICE_LEAST 0.8

enum { ROW_EXTRA = 24, NAME_SIZE = 128, LINE_SIZE = 512 };

/* One engine's get, update and amplification at one size. */
static void
print_size(const struct bench_results *results, const struct bench_engine *engine,
           const struct bench_case *get, const struct bench_case *update)
{
    struct bench_median figures[] = {
        bench_median_of(results, get, engine, BENCH_ROWS_PER_S),
        bench_median_of(results, get, engine, BENCH_CPU_NS_PER_ROW),
        bench_median_of(results, update, engine, BENCH_ROWS_PER_S),
        bench_median_of(results, update, engine, BENCH_WA_WRITE),
        bench_median_of(results, get, engine, BENCH_HIT_RATE),
    };

    printf("  %-14s", engine->name);
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        char number[BENCH_NUMBER_SIZE] = "-";

        if (figures[i].count > 0)
            (void)bench_format_number(figures[i].value, number);
        printf(" %14s", number);
    }
    printf("\n");
}

/* Those of 10 MB are what the others are held against. */
struct figures {
    double gets;
    double updates;
    double cpu;     /* Nanoseconds a get. */
    double written; /* Bytes for a byte of the updates. */
};

static bool
is_beyond(const struct bench_case *sizes)
{
    return sizes->rows * (sizes->value_size + ROW_EXTRA) > sizes->pool;
}

/* One verdict: printed, and kept for the table of targets. */
static void
say(const struct bench_options *options, const char *what, uint64_t megabytes, double figure,
    bool met, const char *line)
{
    char name[NAME_SIZE], value[BENCH_NUMBER_SIZE];
    enum bench_target_state state = met ? BENCH_TARGET_MET : BENCH_TARGET_MISSED;

    printf("    -> %s: %s:  %s\n", what, line, bench_target_word(state));
    (void)snprintf(name, sizeof(name), "%s over %" PRIu64 " MB of data, one pool", what, megabytes);
    bench_targets_add(options->targets, name, bench_format_number(figure, value), line, state);
}

static void
judge_in_pool(const struct bench_options *options, uint64_t megabytes, const struct figures *first,
              const struct figures *now)
{
    char line[LINE_SIZE];
    double slower = first->gets / now->gets;

    (void)snprintf(line, sizeof(line),
                   "in the pool, %.2fx slower than at 10 MB (%.2fx by processor time), at most %gx",
                   slower, now->cpu / first->cpu, SLOWER_MOST);
    say(options, "gets/s", megabytes, now->gets, slower <= SLOWER_MOST, line);
    slower = first->updates / now->updates;
    (void)snprintf(line, sizeof(line), "in the pool, %.2fx slower than at 10 MB, at most %gx",
                   slower, SLOWER_MOST);
    say(options, "updates/s", megabytes, now->updates, slower <= SLOWER_MOST, line);
    if (first->written <= 0 || now->written <= 0)
        return;
    (void)snprintf(line, sizeof(line), "in the pool, %.2fx of that at 10 MB, at most %gx",
                   now->written / first->written, SLOWER_MOST);
    say(options, "write amplification of updates", megabytes, now->written,
        now->written <= SLOWER_MOST * first->written, line);
}

static bool
pages_of(const struct bench_result *result, int which, double *out)
{
    const struct bench_outcome *outcome = &result->outcome;

    (void)which;
    if (outcome->state != BENCH_DONE || !outcome->has_written || outcome->rows == 0)
        return false;
    *out = (double)outcome->written.page_reads / (double)outcome->rows;
    return true;
}

/* Each run against the rate beside it; the median of these shares. */
static void
judge_beyond(const struct bench_options *options, const struct bench_results *results,
             const struct bench_case *sizes, uint64_t megabytes, const char *what)
{
    struct bench_median share = bench_median_of(results, sizes, &bench_qtdb, BENCH_DEVICE_SHARE);
    struct bench_median rate = bench_median_of(results, sizes, &bench_qtdb, BENCH_DEVICE_PER_S);
    char line[LINE_SIZE];

    if (share.count == 0) {
        printf("    -> %s: beyond the pool; the device's rate is not known\n", what);
        return;
    }
    (void)snprintf(line, sizeof(line),
                   "beyond the pool, %.2fx (%.2f to %.2f) of the device's %.0f blocks %s a second, "
                   "one read at a time, at least %g; %.2f pages read for each row",
                   share.value, share.least, share.most, rate.value,
                   sizes->workload->writes ? "read and written back" : "read", DEVICE_LEAST,
                   bench_median_by(results, sizes, &bench_qtdb, pages_of, 0).value);
    say(options, what, megabytes, share.value * rate.value, share.value >= DEVICE_LEAST, line);
}

static void
judge(const struct bench_options *options, const struct bench_results *results, uint64_t megabytes,
      const struct bench_case *get, const struct bench_case *update, struct figures *first)
{
    const struct figures now = {
        .gets = bench_median_of(results, get, &bench_qtdb, BENCH_ROWS_PER_S).value,
        .updates = bench_median_of(results, update, &bench_qtdb, BENCH_ROWS_PER_S).value,
        .cpu = bench_median_of(results, get, &bench_qtdb, BENCH_CPU_NS_PER_ROW).value,
        .written = bench_median_of(results, update, &bench_qtdb, BENCH_WA_WRITE).value};

    if (now.gets <= 0 || now.updates <= 0)
        return;
    if (is_beyond(get)) {
        judge_beyond(options, results, get, megabytes, "gets/s");
        judge_beyond(options, results, update, megabytes, "updates/s, all leaves written");
    } else if (first->gets > 0) {
        judge_in_pool(options, megabytes, first, &now);
    } else {
        *first = now;
    }
}

static struct bench_case
sizes_of(const struct bench_options *options, const char *workload)
{
    struct bench_case sizes = bench_case_of(options, bench_workload_find(workload));

    sizes.device_depth = is_beyond(&sizes) ? 1 : 0;
    /* Amplification of different shares of the rows could not be compared; beyond the pool all would take an hour. */
    if (sizes.workload->writes && !is_beyond(&sizes))
        sizes.seconds = options->budget != NULL ? BENCH_SUITE_SECONDS : 0;
    return sizes;
}

/* False: the user stopped. */
static bool
run_size(const struct bench_options *options, uint64_t megabytes, struct figures *first,
         struct bench_results *results)
{
    struct bench_case get = sizes_of(options, "get");
    struct bench_case update = sizes_of(options, "update");

    if (!bench_case_run(options, &get, results) || !bench_case_run(options, &update, results))
        return false;
    printf("%" PRIu64 " MB, %" PRIu64 " rows\n  %-14s %14s %14s %14s %14s %14s\n", megabytes,
           options->base.rows, "engine", "gets/s", "cpu ns a get", "updates/s", "wa of updates",
           "hit rate");
    for (size_t k = 0; k < options->engine_count; k++)
        print_size(results, options->engines[k], &get, &update);
    judge(options, results, megabytes, &get, &update, first);
    bench_case_print_notes(options, results, &get);
    bench_case_print_notes(options, results, &update);
    (void)fflush(stdout);
    return true;
}

static const uint64_t megabytes_at[] = {10, 100, 1000, 10000};
enum { SIZES = sizeof(megabytes_at) / sizeof(megabytes_at[0]), ROOM_SHARE = 2 };

/* The data, its log, and room for what updates split. */
static uint64_t
needed_at(size_t index)
{
    return ROOM_SHARE * megabytes_at[index] * 1000000;
}

/* The rows are about qtdb; the others only where they are asked for. */
static struct bench_options
options_at(const struct bench_options *options, size_t index)
{
    struct bench_options own = *options;

    if (!own.engines_given) {
        own.engine_count = 1;
        own.engines[0] = &bench_qtdb;
    }
    own.base.rows = megabytes_at[index] * 1000000 / (8 + own.base.value_size);
    return own;
}

void
bench_sizes_plan(const struct bench_options *options, struct bench_budget *budget)
{
    for (size_t i = 0; i < SIZES; i++) {
        struct bench_options own = options_at(options, i);
        struct bench_case get = sizes_of(&own, "get");
        struct bench_case update = sizes_of(&own, "update");

        if (own.base.rows > options->base.rows || bench_dir_room(options->dir) < needed_at(i))
            continue;
        bench_budget_add(budget, &own, &get);
        bench_budget_add(budget, &own, &update);
    }
}

void
bench_command_sizes(const struct bench_options *options, struct bench_results *results)
{
    struct figures first = {0};
    char pool[TOOL_SIZE_TEXT];

    printf("data of 10 MB to 10 GB, as far as --rows goes, with a pool of %s\n",
           tool_format_size(options->base.pool, pool));
    for (size_t i = 0; i < SIZES; i++) {
        struct bench_options own = options_at(options, i);
        uint64_t needed = needed_at(i);

        if (own.base.rows <= options->base.rows && bench_dir_room(options->dir) < needed)
            printf("%" PRIu64 " MB: left out, the disk of --dir has less than %" PRIu64
                   " MB left\n",
                   megabytes_at[i], needed / 1000000);
        else if (own.base.rows > options->base.rows)
            printf("%" PRIu64 " MB: %" PRIu64 " rows, more than --rows: left out\n",
                   megabytes_at[i], own.base.rows);
        else if (!run_size(&own, megabytes_at[i], &first, results))
            return;
    }
}
