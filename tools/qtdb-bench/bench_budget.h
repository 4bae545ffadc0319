/*
 * The time of a suite, so that it ends when it should and has used what it had.
 *
 * Before it starts it is known which cases will come, each once, with what they take by estimate (bench_plan.h): the
 * first runs, qtdb's part of them, and the further runs. While it goes, what cases took corrects the estimates of
 * those to come, reading and writing ones apart. From that follows, for each case when it begins, until when
 *
 *   - further runs may begin: its share of the time that is over when all first runs are done;
 *   - peers may have first runs: as long as what is left suffices for qtdb's own first runs;
 *   - anything may begin: the end.
 *
 * What is left out says so in its table, and a continued suite (--resume) measures it.
 */
#ifndef TOOLS_QTDB_BENCH_BENCH_BUDGET_H
#define TOOLS_QTDB_BENCH_BENCH_BUDGET_H

#include "tools/qtdb-bench/bench.h"

enum { BENCH_BUDGET_MAX = 192 };

struct bench_budget_item {
    struct bench_case sizes; /* Without a workload: a part of the suite that is no case. */
    double first;   /* Seconds by estimate: first runs of all engines with their loading, */
    double own;     /* of these qtdb's, */
    double further; /* and of all further runs. */
    uint32_t engines;
    bool over;
};

struct bench_pace {
    double estimated; /* Seconds of what was measured, */
    double took;      /* and on the clock. */
};

struct bench_budget {
    uint64_t begin_ns;
    uint64_t end_ns;
    struct bench_pace paces[2]; /* Of cases that read, and that write. */
    struct bench_case kept;     /* What the case before leaves loaded; no workload: nothing. */
    size_t count;
    struct bench_budget_item items[BENCH_BUDGET_MAX];
    /* Of the case under way; monotonic, as tool_clock_ns. */
    uint64_t further_until_ns;
    uint64_t peers_until_ns;
};

/** Adds a case, unless it is there already: a figure that two tables want is measured once. */
void bench_budget_add(struct bench_budget *budget, const struct bench_options *options,
                      const struct bench_case *sizes);
/** Adds a part that is no case; returns its index. */
size_t bench_budget_add_part(struct bench_budget *budget, double first, double own);
/** Seconds by estimate of everything, all runs. */
double bench_budget_all(const struct bench_budget *budget);
/** Seconds of what is still to come, as the pace is: first runs of all engines. */
double bench_budget_left(const struct bench_budget *budget);

/** What a journal has of first runs takes no time. */
void bench_budget_skip(struct bench_budget *budget, const struct bench_results *measured);
/** The clock begins. */
void bench_budget_begin(struct bench_budget *budget, double seconds);
/** Sets the limits for the case, which is over from here on; NULL `budget`: nothing. */
void bench_budget_enter(struct bench_budget *budget, const struct bench_case *sizes);
/** The same for the part at `index`; returns how many times its first estimate fits into its time. */
double bench_budget_enter_part(struct bench_budget *budget, size_t index);
/** A run of one engine of the case took so long, `loaded`: with loading. */
void bench_budget_note(struct bench_budget *budget, const struct bench_case *sizes, bool loaded,
                       double seconds);

#endif
