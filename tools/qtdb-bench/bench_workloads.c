/* The table of workloads: what each needs before it starts, and its measured part. */
#include <string.h>

#include "tools/qtdb-bench/workloads.h"

static const struct bench_workload workloads[] = {
    {.name = "load",
     .what = "rows in key order into an empty database",
     .writes = true,
     .batch = 10000,
     .measure = workload_load},
    {.name = "insert",
     .what = "rows in random order into an empty database",
     .writes = true,
     .batch = 1000,
     .measure = workload_insert},
    {.name = "update",
     .what = "random rows get new values of the same size",
     .needs = BENCH_LOADED,
     .writes = true,
     .batch = 1000,
     .measure = workload_update},
    {.name = "delete",
     .what = "random rows are deleted and inserted again",
     .needs = BENCH_LOADED,
     .writes = true,
     .batch = 1000,
     .measure = workload_delete},
    {.name = "get",
     .what = "random keys that are present",
     .needs = BENCH_LOADED,
     .batch = 1000,
     .measure = workload_get},
    {.name = "absent",
     .what = "random keys that are not",
     .needs = BENCH_LOADED,
     .batch = 1000,
     .measure = workload_absent},
    {.name = "batchget",
     .what = "many keys by one call, where the engine has one, else by a loop",
     .needs = BENCH_LOADED,
     .batch = 32,
     .measure = workload_batchget},
    {.name = "get-writer",
     .what = "gets beside one thread that updates 100 rows a transaction",
     .needs = BENCH_LOADED,
     .writes = true,
     .batch = 100,
     .measure = workload_get_changing},
    {.name = "range",
     .what = "100 rows from a random key",
     .needs = BENCH_LOADED,
     .ordered = true,
     .batch = 10,
     .measure = workload_range},
    {.name = "scan",
     .what = "all rows",
     .needs = BENCH_LOADED,
     .batch = 1,
     .measure = workload_scan},
};

const struct bench_workload *
bench_workload_at(size_t index)
{
    return index < sizeof(workloads) / sizeof(workloads[0]) ? &workloads[index] : NULL;
}

const struct bench_workload *
bench_workload_find(const char *name)
{
    for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++) {
        if (strcmp(workloads[i].name, name) == 0)
            return &workloads[i];
    }
    return NULL;
}
