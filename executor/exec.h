/*
 * Running plans: each node hands up batches of rows until one is empty.
 *
 * A batch's values live until the next call on the same node. Memory is bounded: what has to be held
 * (sorts, groups, join tables, rows to be changed) counts against the statement's budget, past which
 * the statement fails (53200), not the process.
 */
#ifndef EXECUTOR_EXEC_H
#define EXECUTOR_EXEC_H

#include <stdatomic.h>

#include "executor/plan.h"

enum { EXEC_BATCH_ROWS = 256, EXEC_MEMORY_MAX = 256 * 1024 * 1024 };

/* One run of one statement. The first part is the caller's; the rest is set by exec_context_open. */
struct exec_context {
    struct qtdb_txn *txn;
    struct memory *memory;
    struct sql_error *error;
    _Atomic bool *interrupted;
    const struct value *parameters;
    uint32_t parameter_count;
    size_t memory_limit; /* Bytes that may be held; 0: EXEC_MEMORY_MAX. */

    const struct planned *planned;
    size_t held_size;
    struct value *slots;
    struct exec__subplan *subplans;
    struct exec__work *works;
};

struct batch {
    uint32_t width;
    uint32_t count;
    struct value *values; /* Row after row. */
    struct arena arena;
};

struct exec;

/** Room for slots, subplans and work tables. The plan and the caller's part outlive the context. */
MUST_CHECK enum status exec_context_open(struct exec_context *context,
                                         const struct planned *planned);
/** Fine after a failed open. */
void exec_context_close(struct exec_context *context);

MUST_CHECK enum status exec_open(struct exec_context *context, const struct plan *plan,
                                 struct exec **out);
/** `*out` has no rows at the end. */
MUST_CHECK enum status exec_next(struct exec *exec, const struct batch **out);
/** Back before the first row; slots may have changed. */
void exec_rescan(struct exec *exec);
/** NULL is fine. */
void exec_close(struct exec *exec);

/* Rows that outlive the run: what RETURNING gives. */
struct exec_rows {
    uint32_t width;
    size_t count;
    size_t capacity;
    struct value **rows;
    struct arena arena;
};

/** Runs an INSERT, UPDATE or DELETE to its end. `returned` (initialised arena) takes RETURNING. */
MUST_CHECK enum status exec_change(struct exec_context *context, struct exec_rows *returned,
                                   uint64_t *row_count_out);

/** CREATE and DROP. `sql` is the text that the statement's location counts in; `tag` becomes the command
 * tag. */
MUST_CHECK enum status exec_define(const struct exec_context *context, const char *sql,
                                   const struct ast_statement *statement, struct arena *arena,
                                   const char **tag_out);

/** EXPLAIN's lines, one a node, into `line`. */
MUST_CHECK enum status exec_explain(const struct planned *planned, struct arena *arena,
                                    enum status (*line)(void *context, const char *text),
                                    void *context);

#endif
