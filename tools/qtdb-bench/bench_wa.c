/*
 * wa: what each engine writes for what it is given, at three levels side by side: bytes passed to write
 * and bytes the process caused (both /proc/self/io of the run's own process), and bytes at the block
 * device (a loop device with an ext4 of its own, where root allows). The last checkpoint or flush is
 * counted in all of them. For qtdb also what its own statistics say of log, pages and meta.
 *
 * Writes through io_uring are not in /proc's count of bytes passed to write: for qtdb, which has them, the
 * engine's own count stands there when it is larger.
 *
 * /proc counts up to 1 MB for a 4 KB rewrite of a buffered file: the device figure is the one to quote.
 */
#include <inttypes.h>
#include <string.h>

#include "tools/qtdb-bench/bench_budget.h"
#include "tools/qtdb-bench/bench_command.h"
#include "tools/qtdb-bench/bench_device.h"
#include "tools/qtdb-bench/bench_print.h"
#include "tools/qtdb-bench/bench_trees.h"

struct wa_case {
    const char *what;
    const char *workload;
    uint64_t divisor; /* Of --rows: one row a transaction costs a sync each. */
    uint64_t batch;
    uint64_t value_size; /* 0: as the command line has it. */
    uint64_t threads;
    bool zipf;
    bool small_pool;
};

static const struct wa_case cases[] = {
    {.what = "transaction size", .workload = "insert", .divisor = 50, .batch = 1},
    {.what = "transaction size", .workload = "insert", .divisor = 1, .batch = 100},
    {.what = "transaction size", .workload = "insert", .divisor = 1, .batch = 1000},
    {.what = "transaction size", .workload = "insert", .divisor = 1, .batch = 10000},
    {.what = "row size", .workload = "insert", .divisor = 1, .batch = 1000, .value_size = 8},
    {.what = "row size", .workload = "insert", .divisor = 10, .batch = 100, .value_size = 1000},
    {.what = "in order", .workload = "load", .divisor = 1, .batch = 10000},
    {.what = "appended", .workload = "append", .divisor = 1, .batch = 10000},
    {.what = "uniform updates", .workload = "update", .divisor = 1, .batch = 1000},
    {.what = "skewed updates", .workload = "update", .divisor = 1, .batch = 1000, .zipf = true},
    {.what = "pool a tenth of the data",
     .workload = "update",
     .divisor = 1,
     .batch = 1000,
     .small_pool = true},
    {.what = "8 clients", .workload = "insert", .divisor = 20, .batch = 1, .threads = 8},
};

static struct bench_case
sizes_of(const struct bench_options *options, const struct wa_case *wa)
{
    struct bench_case sizes = bench_case_of(options, bench_workload_find(wa->workload));

    /* As the tables of targets count them: what both want is measured once. */
    if (wa->divisor > 1)
        sizes.rows = sizes.rows / wa->divisor + 1;
    sizes.batch = wa->batch < sizes.rows ? wa->batch : sizes.rows;
    /* Figures of different amounts could not be compared. */
    sizes.seconds = options->budget != NULL ? BENCH_SUITE_SECONDS : 0;
    sizes.zipf = wa->zipf;
    sizes.own_device = options->own_device;
    if (wa->value_size > 0)
        sizes.value_size = wa->value_size;
    if (wa->threads > 0)
        sizes.threads = wa->threads;
    if (wa->small_pool) {
        uint64_t tenth = sizes.rows * (sizes.value_size + 24) / 10;

        sizes.pool = tenth < 1 << 20 ? 1 << 20 : tenth;
    }
    return sizes;
}

/* Shares of the bytes that qtdb counts itself, per byte of the user. */
static bool
own_figure(const struct bench_result *result, int which, double *out)
{
    const struct bench_outcome *outcome = &result->outcome;
    uint64_t sizes[] = {outcome->written.log, outcome->written.pages, outcome->written.meta};

    if (outcome->state != BENCH_DONE || !outcome->has_written || outcome->user_size == 0)
        return false;
    *out = (double)sizes[which] / (double)outcome->user_size;
    return true;
}

static void
print_cell(const struct bench_median *median, int width)
{
    char number[BENCH_NUMBER_SIZE] = "-";

    if (median->count > 0)
        (void)bench_format_number(median->value, number);
    printf(" %*s", width, number);
}

static void
print_engine(const struct bench_results *results, const struct bench_case *sizes,
             const struct bench_engine *engine)
{
    static const enum bench_metric metrics[] = {BENCH_WA_WRITE,  BENCH_WA_PROCESS,
                                                BENCH_WA_DEVICE, BENCH_SPACE_AMP,
                                                BENCH_HIT_RATE,  BENCH_ROWS_PER_S};

    if (bench_median_of(results, sizes, engine, BENCH_WA_WRITE).count == 0)
        return;
    printf("  %-14s", engine->name);
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        struct bench_median median = bench_median_of(results, sizes, engine, metrics[i]);

        print_cell(&median, 9);
    }
    for (int which = 0; which < 3; which++) {
        struct bench_median median = bench_median_by(results, sizes, engine, own_figure, which);

        print_cell(&median, 7);
    }
    printf("\n");
}

static void
print_case(const struct bench_options *options, const struct bench_results *results,
           const struct wa_case *wa, const struct bench_case *sizes)
{
    char name[512];

    bench_case_name(sizes, name, sizeof(name));
    printf("%s; %s\n  %-14s %9s %9s %9s %9s %9s %9s %7s %7s %7s\n", wa->what, name, "engine",
           "write", "process", "device", "space", "hit rate", "rows/s", "log", "pages", "meta");
    for (size_t i = 0; i < options->engine_count; i++)
        print_engine(results, sizes, options->engines[i]);
    tree_rows_print_cut(results, sizes);
    bench_case_print_notes(options, results, sizes);
    (void)fflush(stdout);
}

/* What had been written after each tenth of the first insert's rows. */
static void
print_series(const struct bench_options *options, const struct bench_results *results)
{
    printf(
        "write amplification over time, after tenths of the rows (transactions of 1,000 rows):\n");
    for (size_t i = 0; i < results->count; i++) {
        const struct bench_result *result = &results->list[i];
        const struct bench_outcome *outcome = &result->outcome;

        if (outcome->state != BENCH_DONE || result->run != 0 || result->sizes.batch != 1000 ||
            strcmp(result->sizes.workload->name, "insert") != 0 ||
            result->sizes.value_size != options->base.value_size)
            continue;
        printf("  %-14s", result->engine->name);
        for (uint32_t k = 1; k < outcome->point_count; k++) {
            const struct bench_point *point = &outcome->points[k];

            if (k % 3 == 0 && point->user > 0)
                printf(" %7.2f", (double)point->write / (double)point->user);
        }
        printf("\n");
    }
}

static bool
open_device(struct bench_options *own, struct bench_device *device)
{
    char why[256];
    uint64_t size = own->base.rows * (own->base.value_size + 100) * 20 + ((uint64_t)4 << 30);

    own->own_device = bench_device_open(device, own->dir, size, why, sizeof(why));
    if (own->own_device) {
        own->dir = device->mount;
        own->stores = NULL; /* They would be gone with the device. */
        printf("device: a loop device with its own ext4, journal on\n");
    } else {
        printf("device: not measured, %s\n", why);
    }
    return own->own_device;
}

void
bench_wa_plan(const struct bench_options *options, struct bench_budget *budget)
{
    struct bench_options own = *options;

    own.own_device = bench_device_may();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench_case sizes = sizes_of(&own, &cases[i]);

        bench_budget_add(budget, &own, &sizes);
    }
}

void
bench_command_wa(const struct bench_options *options, struct bench_results *results)
{
    static struct bench_device device;
    struct bench_options own = *options;

    (void)open_device(&own, &device);
    printf(
        "bytes written for a byte of key or value: passed to write, caused by the process, at the "
        "device;\nspace: file bytes for a live byte; log, pages, meta: by the engine's own count, "
        "where it has one;\nwrite: the engine's own count where it is larger than that of /proc, "
        "which misses "
        "io_uring\n\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench_case sizes = sizes_of(&own, &cases[i]);

        if (!bench_case_run(&own, &sizes, results))
            break;
        print_case(&own, results, &cases[i], &sizes);
    }
    print_series(&own, results);
    bench_device_close(&device);
}
