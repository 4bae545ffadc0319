/*
 * A running INSERT, UPDATE or DELETE, inside: what exec_change.c and exec_parts.c share.
 *
 * A change goes through two steps that can lie apart: its rows are collected, which reads; then they
 * are written. RETURNING is evaluated while they are written or, where other parts of the statement
 * read it before anything may be written, when they have been collected.
 */
#ifndef EXECUTOR_CHANGE_RUN_H
#define EXECUTOR_CHANGE_RUN_H

#include "executor/change.h"

/* What a run changes with; kept from run to run of a prepared statement. */
struct exec_change {
    struct change change;
    struct exec_context *context;
    const struct planned *planned;
    struct exec_rows *returned;
    struct value *row; /* The changed row, then the root's row, for RETURNING. */
    struct foreign_queue *queue;
    struct written written; /* Of a statement of one part. */
    struct exec *exec;
    bool parked;         /* `exec` waits for its next run. */
    bool noted;          /* RETURNING has been evaluated and the rows are counted. */
    uint64_t locked_txn; /* The last transaction that locked the table's definition. */
    uint64_t count;
};

MUST_CHECK enum status exec__change_open(struct exec_context *context,
                                         const struct planned *planned, struct exec_rows *returned,
                                         struct exec_change **out);
/** Locks the definition, and collects the rows. `rows` is initialised; a row that another part of the
 * statement has taken is left out. */
MUST_CHECK enum status exec__change_collect(struct exec_change *run, struct exec_rows *rows);
/** RETURNING over collected rows that nothing was written of yet. Not with ON CONFLICT. */
MUST_CHECK enum status exec__change_note(struct exec_change *run, const struct exec_rows *rows);
/** Writes collected rows; foreign keys wait for their turn. */
MUST_CHECK enum status exec__change_write(struct exec_change *run, const struct exec_rows *rows);

/* exec_parts.c: changes in WITH. */

struct exec__parts;

/** Nothing without parts. */
MUST_CHECK enum status exec__open_parts(struct exec_context *context);
/** Fine after a failed open. */
void exec__close_parts(struct exec_context *context);
/** What RETURNING of a part gives; its rows are collected at the first call. */
MUST_CHECK enum status exec__part_rows(struct exec_context *context, uint32_t part,
                                       const struct exec_rows **out);
/** The first part of the statement that changes a row takes it. True without parts. */
MUST_CHECK enum status exec__parts_take(struct exec_context *context, const struct table *table,
                                        const struct value *key, bool *is_first_out);
/** What all parts and the main statement have put; NULL where none has ON CONFLICT DO UPDATE. */
struct written *exec__parts_written(struct exec_context *context);
/** The main statement has read all it reads, and writes between the two calls. */
MUST_CHECK enum status exec__parts_before(struct exec_context *context);
MUST_CHECK enum status exec__parts_after(struct exec_context *context);

#endif
