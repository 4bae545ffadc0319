/* Suite and smoke: every workload after the other. */
#include "tools/qtdb-bench/bench_command.h"

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
