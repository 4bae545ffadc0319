/*
 * sizes: get, update and write amplification over 10 MB, 100 MB, 1 GB and 10 GB with one pool. In the pool a figure
 * is held against that of 10 MB; beyond it gets are held against the device's own rate of random reads,
 * one at a time as a client makes them, measured in the same place right after.
 */
#include <inttypes.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_command.h"
#include "tools/qtdb-bench/bench_plan.h"
#include "tools/qtdb-bench/bench_print.h"
#include "tools/qtdb-bench/bench_reads.h"

#define SLOWER_MOST 3.0
#define DEVICE_LEAST 0.8

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

/* The rates of 10 MB, against which the others are held. */
struct first {
    double gets;
    double updates;
    double cpu; /* Nanoseconds a get. */
};

static void
judge_in_pool(const struct first *first, double gets, double updates, double cpu)
{
    double slower = first->gets / gets;
    double slower_updates = first->updates / updates;

    printf("    -> in the pool: gets %.2fx slower than at 10 MB (%.2fx by processor time), updates "
           "%.2fx; at most %gx:  %s\n",
           slower, cpu / first->cpu, slower_updates, SLOWER_MOST,
           slower <= SLOWER_MOST && slower_updates <= SLOWER_MOST ? "met" : "NOT met");
}

static void
judge_beyond(const struct bench_options *options, const struct bench_case *get, double gets)
{
    uint64_t size = get->rows * (get->value_size + 24);
    double rate = 0;

    if (bench_random_reads(options->env.memory, options->dir, size, 1, &rate) != STATUS_OK) {
        printf("    -> beyond the pool; the device's rate is not known: %s\n", error_message());
        error_clear();
        return;
    }
    printf(
        "    -> beyond the pool: %.2fx of the device's %.0f random reads a second, one at a time; "
        "at least %g:  %s\n",
        gets / rate, rate, DEVICE_LEAST, gets >= DEVICE_LEAST * rate ? "met" : "NOT met");
}

static void
judge(const struct bench_options *options, const struct bench_results *results,
      const struct bench_case *get, const struct bench_case *update, struct first *first)
{
    struct bench_median gets = bench_median_of(results, get, &bench_qtdb, BENCH_ROWS_PER_S);
    struct bench_median updates = bench_median_of(results, update, &bench_qtdb, BENCH_ROWS_PER_S);
    struct bench_median cpu = bench_median_of(results, get, &bench_qtdb, BENCH_CPU_NS_PER_ROW);
    uint64_t data = get->rows * (get->value_size + 24);

    if (gets.count == 0 || updates.count == 0)
        return;
    if (first->gets == 0)
        *first = (struct first){gets.value, updates.value, cpu.value};
    else if (data <= get->pool)
        judge_in_pool(first, gets.value, updates.value, cpu.value);
    else
        judge_beyond(options, get, gets.value);
}

/* False: the user stopped. */
static bool
run_size(const struct bench_options *options, uint64_t megabytes, struct first *first,
         struct bench_results *results)
{
    struct bench_case get = bench_case_of(options, bench_workload_find("get"));
    struct bench_case update = bench_case_of(options, bench_workload_find("update"));

    if (!bench_case_run(options, &get, results) || !bench_case_run(options, &update, results))
        return false;
    printf("%" PRIu64 " MB, %" PRIu64 " rows\n  %-14s %14s %14s %14s %14s %14s\n", megabytes,
           options->base.rows, "engine", "gets/s", "cpu ns a get", "updates/s", "wa of updates",
           "hit rate");
    for (size_t k = 0; k < options->engine_count; k++)
        print_size(results, options->engines[k], &get, &update);
    judge(options, results, &get, &update, first);
    bench_case_print_notes(options, results, &get);
    bench_case_print_notes(options, results, &update);
    (void)fflush(stdout);
    return true;
}

static const uint64_t megabytes_at[] = {10, 100, 1000, 10000};
enum { SIZES = sizeof(megabytes_at) / sizeof(megabytes_at[0]), ROOM_SHARE = 3 };

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

double
bench_sizes_seconds(const struct bench_options *options)
{
    double seconds = 0;

    for (size_t i = 0; i < SIZES; i++) {
        struct bench_options own = options_at(options, i);
        struct bench_case get = bench_case_of(&own, bench_workload_find("get"));
        struct bench_case update = bench_case_of(&own, bench_workload_find("update"));

        if (own.base.rows <= options->base.rows)
            seconds +=
                bench_case_seconds(&own, &get, false) + bench_case_seconds(&own, &update, true);
    }
    return seconds;
}

void
bench_command_sizes(const struct bench_options *options, struct bench_results *results)
{
    struct first first = {0};
    char pool[TOOL_SIZE_TEXT];

    printf("data of 10 MB to 10 GB, as far as --rows goes, with a pool of %s\n",
           tool_format_size(options->base.pool, pool));
    for (size_t i = 0; i < SIZES; i++) {
        struct bench_options own = options_at(options, i);

        /* The data, its log, and as much again for the device's own rate. */
        uint64_t needed = ROOM_SHARE * megabytes_at[i] * 1000000;

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
