/*
 * What a table or a suite will take: said before it begins, and at each step how much is left.
 *
 * Estimates are rough and on purpose on the high side: a quiet machine of two processors with an NVMe-like disk
 * takes about two thirds of them. While it goes, what is left is scaled by what was estimated right so far.
 */
#ifndef TOOLS_QTDB_BENCH_BENCH_PLAN_H
#define TOOLS_QTDB_BENCH_BENCH_PLAN_H

#include "tools/qtdb-bench/bench.h"

struct bench_budget;

struct bench_plan_time {
    const char *what; /* "suite". */
    uint64_t begin_ns;
    double seconds; /* By estimate, of all steps. */
    double before;  /* Of the steps that are over; */
    double done;    /* of these the ones that were measured now, */
    double spent;   /* and what they took. */
    double allowed; /* At most; 0: no limit. */
    /* The same as the suite knows it better; NULL: by the figures above. */
    const struct bench_budget *budget;
};

/** Seconds by estimate of the case with all its engines and runs. `loaded`: the rows are there from a case before. */
double bench_case_seconds(const struct bench_options *options, const struct bench_case *sizes,
                          bool loaded);

/** The same of one run of one engine. */
double bench_run_seconds(const struct bench_case *sizes, bool loading);
/** How many of its engines can run the case, as far as the estimate knows. */
uint32_t bench_case_engines(const struct bench_options *options, const struct bench_case *sizes);

/** "12 steps, about 9 minutes" on standard error; begins the clock. */
void bench_plan_begin(struct bench_plan_time *plan, const char *what, size_t steps, double seconds,
                      double allowed);
/** "suite: 3 of 12, get; 2.1 min gone, about 7 left" on standard error. */
void bench_plan_step(const struct bench_plan_time *plan, size_t index, size_t count,
                     const char *name);
/** The step of that estimate ended now, `begin_ns` it began. */
void bench_plan_done(struct bench_plan_time *plan, double seconds, uint64_t begin_ns);

#endif
