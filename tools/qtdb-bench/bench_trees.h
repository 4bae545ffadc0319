/*
 * The rows of `trees` and `targets`: what is measured, and what it is held against. A row is a case, a
 * figure of it, and a fixed number, named peers, the best peer, or the engine itself in another case (two
 * readers against one).
 */
#ifndef TOOLS_QTDB_BENCH_BENCH_TREES_H
#define TOOLS_QTDB_BENCH_BENCH_TREES_H

#include "tools/qtdb-bench/bench.h"

/* DEVICE: bytes at the block device, because /proc counts a synced append as its few bytes. READS: the
 * device's own rate of random reads with as many under way as a batch has keys. */
enum tree_figure {
    RATE,
    ROWS,
    NS,
    WRITTEN,
    DEVICE,
    LEAF_READS,
    HIT_RATE,
    PAGE_HIT_RATE,
    PAGE_READS
};
enum tree_against { NUMBER, PEERS, BEST, BELOW, ITSELF, READS, BOUNDS };

struct tree_row {
    const char *name;
    const char *workload; /* NULL: `program` measures it, or `note` says where it is measured. */
    enum tree_figure figure;
    enum tree_against against;
    const char *peers; /* With PEERS and BELOW: their names. */
    double
        least; /* Ratio at least, or number at most (NS, WRITTEN) or at least; 0: the aim counts. */
    double least_two;     /* Against the second peer named. */
    double least_ten;     /* In place of `least` from 10 M rows on; 0: the same. */
    double least_hundred; /* From 100 M rows on. */
    double aim;
    uint64_t value_size;
    uint64_t batch;
    uint64_t threads;
    uint64_t divisor; /* Of --rows, of which a million count at most: transactions, not data. */
    uint64_t
        most; /* The target is for so many rows: left out with more, unless asked for by name. */
    bool writer;
    bool on_device; /* On a loop device with a journal. */
    bool as_wa;     /* The case is one of `wa`: on that device too, where there may be one. */
    bool alone;     /* In a suite of qtdb alone: no peer's figure is in the verdict. */
    bool tenth;     /* A pool of a tenth of the data, rows chosen with skew. */
    uint64_t
        rows; /* Instead of --rows: against the predecessor's ways, asynchronous, nobody else. */
    const char *note;
    bool sql; /* Of `targets` alone. */
    /* Another program of this project, its words, and what stands before its figure; NULL: it exits with 0. */
    const char *program;
    const char *arguments;
    const char *before;
};

/** What the row asks for with so many rows. */
double bench_tree_row_least(const struct tree_row *row, uint64_t rows);

/** NULL past the end. Those of SQL, and those measured elsewhere that belong to no tree, come last. */
const struct tree_row *bench_tree_row_at(size_t index);

/** Stopped by a limit of time: its bytes are those of another amount. */
bool tree_row_was_cut(const struct bench_result *result);
/** A line for each engine that was, with the rows it got to. */
void tree_rows_print_cut(const struct bench_results *results, const struct bench_case *sizes);
/** The row's figure. */
struct bench_median tree_row_median(const struct bench_results *results,
                                    const struct bench_case *sizes,
                                    const struct bench_engine *engine, const struct tree_row *row);
/** Prints what qtdb's figure comes to, and keeps it for the table of targets. */
void tree_row_judge(const struct bench_options *options, const struct bench_results *results,
                    const struct bench_case *sizes, const struct tree_row *row);

#endif
