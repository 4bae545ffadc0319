/* Commands that are more than one workload. Each adds what it measured to the results. */
#ifndef TOOLS_QTDB_BENCH_BENCH_COMMAND_H
#define TOOLS_QTDB_BENCH_BENCH_COMMAND_H

#include "tools/qtdb-bench/bench.h"

/** Every workload once with few rows: do they run, are the answers right. */
void bench_command_smoke(const struct bench_options *options, struct bench_results *results);
/** Write amplification at three levels, by transaction size, row size, skew, pool and clients. */
void bench_command_wa(const struct bench_options *options, struct bench_results *results);
/** The table of trees and transactions. */
void bench_command_trees(const struct bench_options *options, struct bench_results *results);
/** The same with the rows of SQL, and where the others are measured. */
void bench_command_targets(const struct bench_options *options, struct bench_results *results);
/** Every workload with the sizes of the command line, the targets, wa, sizes and learned, within a time. */
void bench_command_suite(const struct bench_options *options, struct bench_results *results);
/** Routers against the tree, a textbook tree and the peers. */
void bench_command_learned(const struct bench_options *options, struct bench_results *results);
/** get and update over data of 10 MB to 10 GB with one pool. */
void bench_command_sizes(const struct bench_options *options, struct bench_results *results);

/* Their cases for the budget of a suite, in the order in which they come. */
void bench_targets_plan(const struct bench_options *options, struct bench_budget *budget);
void bench_wa_plan(const struct bench_options *options, struct bench_budget *budget);
void bench_sizes_plan(const struct bench_options *options, struct bench_budget *budget);

/* In a suite a run that writes everything ends after so many seconds at the latest, and says so. */
enum { BENCH_SUITE_SECONDS = 60 };

#endif
