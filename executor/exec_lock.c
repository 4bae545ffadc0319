/*
 * LOCK: takes the locks of FOR UPDATE and FOR SHARE, row by row, before it hands a row on; no more rows than
 * are asked for, so that LIMIT locks what it gives. SKIP LOCKED leaves out rows that another transaction
 * holds, NOWAIT fails at the first. A row that was changed since the snapshot is 40001: under READ COMMITTED
 * the whole statement then runs again, and keeps its locks (statement.c).
 *
 * The definition is locked as for a change of rows, so that the table stays.
 */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

struct locking {
    bool started;
    struct qtdb_tree **trees; /* In `held`: one a lock. */
    const struct batch *rows; /* Of the input; its first `next` have been seen. NULL: none. */
    uint32_t next;
};

static enum status
start(struct exec *exec, struct locking *locking)
{
    const struct plan *plan = exec->plan;
    struct exec_context *context = exec->context;

    locking->trees = arena_alloc(&exec->held, plan->lock_count * sizeof(*locking->trees));
    if (locking->trees == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < plan->lock_count; i++) {
        const struct table *table = plan->locks[i].table;

        TRY(catalog_lock(context->txn, table->schema, table->name, QTDB_LOCK_SHARED,
                         context->error));
        TRY(table_tree(context->txn, table, UINT32_MAX, &locking->trees[i], context->error));
    }
    locking->started = true;
    return exec__charge(exec);
}

/* Of one row; false: another transaction holds one of them, and such rows are left out. */
static enum status
lock_row(struct exec *exec, const struct locking *locking, const struct value *row, bool *out)
{
    struct exec_context *context = exec->context;
    struct eval eval = exec__eval(exec);

    for (uint32_t i = 0; i < exec->plan->lock_count; i++) {
        const struct rel_lock *lock = &exec->plan->locks[i];
        enum qtdb_lock_mode mode = lock->shared ? QTDB_LOCK_SHARED : QTDB_LOCK_EXCLUSIVE;
        struct value key;

        TRY(expr_eval(exec->plan->exprs[i], row, &eval, &key));
        CHECK(!key.null); /* Rows of outer joins are refused when binding. */
        enum status status = sql_from_code(qtdb_lock(context->txn, locking->trees[i], key.bytes,
                                                     key.size, mode, lock->wait == AST_LOCK_WAIT),
                                           context->error);
        *out = status == STATUS_OK;
        if (status == STATUS_BUSY && lock->wait == AST_LOCK_SKIP)
            return STATUS_OK;
        if (status == STATUS_BUSY && lock->wait == AST_LOCK_FAIL)
            return sql_error_set(context->error, "55P03", -1,
                                 "could not obtain lock on row in relation \"%s\"",
                                 lock->table->name);
        TRY(status);
    }
    return STATUS_OK;
}

static enum status
next_lock(struct exec *exec)
{
    struct locking *locking = exec->state;

    if (!locking->started)
        TRY(start(exec, locking));
    if (locking->rows == NULL || locking->next == locking->rows->count) {
        exec->input->goal = exec->goal;
        TRY(exec_next(exec->input, &locking->rows));
        locking->next = 0;
        exec->done = locking->rows->count == 0;
    }
    while (locking->next < locking->rows->count && !exec__is_full(exec)) {
        const struct value *row = exec__row(locking->rows, locking->next++);
        bool locked = false;

        TRY(lock_row(exec, locking, row, &locked));
        if (locked)
            memcpy(exec__new_row(exec), row, exec->plan->width * sizeof(struct value));
    }
    return STATUS_OK;
}

static void
rewind_lock(struct exec *exec)
{
    struct locking *locking = exec->state;

    exec__release(exec);
    *locking = (struct locking){.rows = NULL};
}

const struct exec__class exec__lock_class = {
    .state_size = sizeof(struct locking), .next = next_lock, .rescan = rewind_lock};
