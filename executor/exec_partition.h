/*
 * Rows that are put off: divided by the hash of their keys into partitions in a temporary file, each of
 * which is then worked on by itself, and may be divided again by further bits of the hash. A partition
 * has two streams, so that both sides of a join divide alike.
 */
#ifndef EXECUTOR_EXEC_PARTITION_H
#define EXECUTOR_EXEC_PARTITION_H

#include "executor/exec_spill.h"

enum { EXEC__FANOUT = 16, EXEC__DEPTH_MAX = 8 };

struct exec__part {
    struct exec__stream streams[2];
    uint32_t depth; /* Divisions it has been through. */
};

struct exec__parts {
    struct exec__spill spill;
    uint32_t widths[2];
    bool is_open;   /* Rows are being added. */
    uint32_t depth; /* Of the partition whose rows they are. */
    struct exec__part open[EXEC__FANOUT];
    uint32_t pending_count; /* The last is the next to be worked on. */
    struct exec__part pending[EXEC__FANOUT * EXEC__DEPTH_MAX];
};

/** NULL when there is no memory. `widths`: columns of the rows of both streams. */
struct exec__parts *exec__parts_new(struct exec *exec, uint32_t left_width, uint32_t right_width);
/** NULL is fine. */
void exec__parts_free(struct exec__parts *parts);

/** Begins to divide rows of a partition of this depth, below EXEC__DEPTH_MAX. */
void exec__parts_begin(struct exec__parts *parts, uint32_t depth);
MUST_CHECK enum status exec__parts_add(struct exec__parts *parts, uint32_t stream, uint64_t hash,
                                       const struct value *row);
/** Ends the division: what has rows is pending. */
MUST_CHECK enum status exec__parts_end(struct exec__parts *parts);
/** Takes the next one; false when there is none. */
bool exec__parts_pop(struct exec__parts *parts, struct exec__part *out);

#endif
