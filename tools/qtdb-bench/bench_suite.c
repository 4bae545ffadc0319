/* Suite and smoke: every workload after the other. */
#include <inttypes.h>

#include "tools/qtdb-bench/bench_command.h"
#include "tools/qtdb-bench/bench_print.h"

void
bench_command_smoke(const struct bench_options *options, struct bench_results *results)
{
    struct bench_options few = *options;

    few.base.rows = 500;
    few.base.runs = 1;
    few.base.seconds = 0;
    few.repeat = false;
    few.base.pool = 16 << 20;
    for (size_t i = 0; bench_workload_at(i) != NULL; i++) {
        struct bench_case sizes = bench_case_of(&few, bench_workload_at(i));

        if (!bench_case_run(&few, &sizes, results))
            return;
        bench_case_print(&few, results, &sizes);
    }
}

void
bench_command_suite(const struct bench_options *options, struct bench_results *results)
{
    struct bench_options own = *options;

    if (own.quick) {
        own.base.rows = own.base.rows < 20000 ? own.base.rows : 20000;
        own.base.seconds = 1;
        own.base.runs = 1;
    }
    for (size_t i = 0; bench_workload_at(i) != NULL; i++) {
        struct bench_case sizes = bench_case_of(&own, bench_workload_at(i));

        if (!bench_case_run(&own, &sizes, results))
            return;
        bench_case_print(&own, results, &sizes);
    }
    bench_command_wa(&own, results);
}

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

void
bench_command_sizes(const struct bench_options *options, struct bench_results *results)
{
    static const uint64_t megabytes[] = {10, 100, 1000, 10000};
    char pool[TOOL_SIZE_TEXT];

    printf("data of 10 MB to 10 GB, as far as --rows goes, with a pool of %s\n",
           tool_format_size(options->base.pool, pool));
    for (size_t i = 0; i < sizeof(megabytes) / sizeof(megabytes[0]); i++) {
        struct bench_options own = *options;

        own.base.rows = megabytes[i] * 1000000 / (8 + own.base.value_size);
        if (own.base.rows > options->base.rows) {
            printf("%" PRIu64 " MB: %" PRIu64 " rows, more than --rows: left out\n", megabytes[i],
                   own.base.rows);
            continue;
        }
        struct bench_case get = bench_case_of(&own, bench_workload_find("get"));
        struct bench_case update = bench_case_of(&own, bench_workload_find("update"));
        if (!bench_case_run(&own, &get, results) || !bench_case_run(&own, &update, results))
            return;
        printf("%" PRIu64 " MB, %" PRIu64 " rows\n  %-14s %14s %14s %14s %14s %14s\n", megabytes[i],
               own.base.rows, "engine", "gets/s", "cpu ns a get", "updates/s", "wa of updates",
               "hit rate");
        for (size_t k = 0; k < own.engine_count; k++)
            print_size(results, own.engines[k], &get, &update);
        bench_case_print_notes(&own, results, &get);
        bench_case_print_notes(&own, results, &update);
    }
}
