/*
 * Running plans: each node hands up batches of rows until one is empty.
 *
 * A batch's values live in the batch's own arena until the next call on the same node. Memory is
 * bounded: what has to be held (sorts, groups, rows to be changed) counts against
 * EXEC_MEMORY_MAX, past which the statement fails (53200), not the process.
 */
#ifndef EXECUTOR_EXEC_H
#define EXECUTOR_EXEC_H

#include <stdatomic.h>

#include "executor/bind.h"

enum { EXEC_BATCH_ROWS = 256, EXEC_MEMORY_MAX = 256 * 1024 * 1024 };

struct exec_context {
    struct qtdb_txn *txn;
    struct memory *memory;
    struct sql_error *error;
    _Atomic bool *interrupted;
};

struct batch {
    uint32_t width;
    uint32_t count;
    struct value *values; /* Row after row. */
    struct arena arena;
};

struct exec;

MUST_CHECK enum status exec_open(const struct exec_context *context, const struct plan *plan,
                                 struct exec **out);
/** `*out` has no rows at the end. */
MUST_CHECK enum status exec_next(struct exec *exec, const struct batch **out);
/** NULL is fine. */
void exec_close(struct exec *exec);

/** Runs an INSERT, UPDATE or DELETE to its end. */
MUST_CHECK enum status exec_change(const struct exec_context *context, const struct plan *plan,
                                   uint64_t *row_count_out);

/** CREATE TABLE, CREATE SCHEMA, DROP. `tag` becomes the command tag. */
MUST_CHECK enum status exec_define(const struct exec_context *context,
                                   const struct ast_statement *statement, struct arena *arena,
                                   const char **tag_out);

/** EXPLAIN's lines, one a node, into `line`. */
void exec_explain(const struct plan *plan, struct arena *arena,
                  void (*line)(void *context, const char *text), void *context);

#endif
