/* The measured part of each workload: called with an open database, on the child's first thread. */
#ifndef TOOLS_QTDB_BENCH_WORKLOADS_H
#define TOOLS_QTDB_BENCH_WORKLOADS_H

#include "tools/qtdb-bench/bench.h"

MUST_CHECK enum status workload_load(struct bench_run *run);
MUST_CHECK enum status workload_append(struct bench_run *run);
MUST_CHECK enum status workload_insert(struct bench_run *run);
MUST_CHECK enum status workload_update(struct bench_run *run);
MUST_CHECK enum status workload_delete(struct bench_run *run);
MUST_CHECK enum status workload_get(struct bench_run *run);
MUST_CHECK enum status workload_absent(struct bench_run *run);
MUST_CHECK enum status workload_batchget(struct bench_run *run);
/** Gets whose values are checked one by one; beside a writer where the case says so. */
MUST_CHECK enum status workload_get_changing(struct bench_run *run);
MUST_CHECK enum status workload_range(struct bench_run *run);
MUST_CHECK enum status workload_scan(struct bench_run *run);
/** YCSB's mixes a to f, and `mixed`, by the workload's name. */
MUST_CHECK enum status workload_ycsb(struct bench_run *run);
/** These two open and close for themselves. */
MUST_CHECK enum status workload_open(struct bench_run *run);
MUST_CHECK enum status workload_recovery(struct bench_run *run);
/** Gets with skew over a pool of a tenth of the data: hit rates, and what they could be at best. */
MUST_CHECK enum status workload_hits(struct bench_run *run);
MUST_CHECK enum status workload_sql_query(struct bench_run *run);

#endif
