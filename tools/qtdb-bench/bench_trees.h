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
enum tree_figure { RATE, ROWS, NS, WRITTEN, DEVICE, LEAF_READS, HIT_RATE, PAGE_HIT_RATE };
enum tree_against { NUMBER, PEERS, BEST, BELOW, ITSELF, READS, BOUNDS };

struct tree_row {
    const char *name;
    const char *workload; /* NULL: not measured here, `note` says where. */
    enum tree_figure figure;
    enum tree_against against;
    const char *peers; /* With PEERS and BELOW: their names. */
    double least;      /* Ratio at least, or number at most (NS, WRITTEN) or at least. */
    double least_two;  /* Against the second peer named. */
    double aim;
    uint64_t value_size;
    uint64_t batch;
    uint64_t threads;
    uint64_t divisor; /* Of --rows. */
    bool writer;
    bool on_device; /* On a loop device with a journal. */
    bool tenth;     /* A pool of a tenth of the data, rows chosen with skew. */
    uint64_t rows;  /* Instead of --rows: against legacy-memory, asynchronous, nobody else. */
    const char *note;
    bool sql; /* Of `targets` alone. */
};

/** NULL past the end. Those of SQL, and those measured elsewhere that belong to no tree, come last. */
const struct tree_row *bench_tree_row_at(size_t index);

#endif
