/* Windows, inside: what exec_window.c (partitions, aggregates) and exec_window_frame.c (frames, the
 * functions that are no aggregates) share. */
#ifndef EXECUTOR_EXEC_WINDOW_H
#define EXECUTOR_EXEC_WINDOW_H

#include "executor/exec_private.h"

/* The rows of a partition in order; a group is the rows equal in all sort keys. */
struct exec__partition {
    size_t count;
    size_t capacity;
    struct value **rows;
    size_t *groups; /* Of each row. */
    size_t group_count;
    size_t *starts; /* The first row of each group, then `count`. */
};

/* Rows [start, end), less those the exclusion leaves out. */
struct exec__frame {
    size_t start;
    size_t end;
    bool excludes;
    enum ast_frame_exclusion exclusion;
};

struct exec__window_call {
    void *aggregate;          /* One state; it has the rows of `frame`. */
    struct exec__frame frame; /* Of the row before. */
    bool started;
};

struct exec__window {
    const struct batch *input;
    uint32_t input_next;
    bool input_done;
    size_t next; /* Row of the partition to be handed out. */
    struct exec__partition partition;
    struct exec__window_call *calls;
    struct arena scratch; /* For one row's work. */
};

bool exec__window_has_frame(enum rel_window_kind kind);
/** The frame of row `index`. 22013 and 22004 for a bad offset. */
MUST_CHECK enum status exec__window_frame(struct exec *exec, struct exec__window *window,
                                          const struct rel_window *call, size_t index,
                                          struct exec__frame *out);
/** True when row `row` of the frame is left out for row `index`. */
bool exec__window_excludes(const struct exec__partition *partition, const struct exec__frame *frame,
                           size_t index, size_t row);
/** Everything but aggregates. */
MUST_CHECK enum status exec__window_function(struct exec *exec, struct exec__window *window,
                                             const struct rel_window *call, size_t index,
                                             const struct exec__frame *frame, struct value *out);

#endif
