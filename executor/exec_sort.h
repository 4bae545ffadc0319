/* Sorting, inside: the rows in memory (exec_sort.c) and the runs on disk (exec_sort_runs.c). */
#ifndef EXECUTOR_EXEC_SORT_H
#define EXECUTOR_EXEC_SORT_H

#include "executor/exec_spill.h"

enum {
    EXEC__MERGE_RUNS = 64, /* At most so many are merged at once, each with a block in memory. */
    EXEC__RUNS_MAX = 4 * EXEC__MERGE_RUNS,
};

/* A row with the start of its first key, so that most comparisons need not look at the row. */
struct exec__sort_entry {
    uint64_t prefix;
    struct value *row;
};

/* A sorted run; `level` counts the merges that it went through. */
struct exec__run {
    struct exec__stream stream;
    uint32_t level;
};

/* Where a merge is in one run. */
struct exec__run_cursor {
    struct exec__reader reader;
    struct arena arena; /* Of its present row. */
    struct value *row;
    uint64_t prefix;
    bool more;
};

struct exec__merge {
    uint32_t count; /* 0: not begun. */
    uint32_t left;  /* In the heap. */
    struct exec__run_cursor *cursors;
    uint32_t *heap; /* Of cursors, the least row first; the earlier run among equals. */
};

struct exec__runs {
    struct exec *exec;
    struct exec__spill spill;
    uint32_t count;
    struct exec__run runs[EXEC__RUNS_MAX];
    struct exec__merge merge;
};

/** In the order of the node's sort keys, but equal for rows that differ only past it. */
uint64_t exec__sort_prefix(const struct plan *plan, const struct value *row);

void exec__runs_init(struct exec__runs *runs, struct exec *exec);
void exec__runs_deinit(struct exec__runs *runs);
/** Adds a run of sorted rows. */
MUST_CHECK enum status exec__runs_add(struct exec__runs *runs,
                                      const struct exec__sort_entry *entries, size_t count);
/** At the first row of all runs together; may be called again. */
MUST_CHECK enum status exec__runs_rewind(struct exec__runs *runs);
/** The next row, its bytes in the arena; false in *out at the end. */
MUST_CHECK enum status exec__runs_next(struct exec__runs *runs, struct arena *arena,
                                       struct value *row, bool *out);

#endif
