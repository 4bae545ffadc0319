/*
 * MERGE. All rows are collected first, and each finds its clause; then old rows go, then new ones come,
 * so that keys may trade places. A target row that two source rows want to change is an error (21000).
 */
#include <string.h>

#include "executor/change_run.h"
#include "kernel/base/check.h"

struct merging {
    struct exec_context *context;
    const struct bound *bound;
    struct change change;
    struct foreign_queue *queue;
    struct exec_rows rows;
    const struct bound_merge_when **whens; /* Of each row; NULL: nothing is done. */
    uint64_t count;
};

static struct eval
eval_of(struct merging *merging)
{
    struct exec_context *context = merging->context;

    return (struct eval){.arena = &merging->change.arena,
                         .error = context->error,
                         .parameters = context->parameters,
                         .parameter_count = context->parameter_count,
                         .slots = context->slots,
                         .context = context};
}

static enum status
collect(struct merging *merging, struct exec *exec)
{
    const struct batch *batch;

    do {
        TRY(exec_next(exec, &batch));
        for (uint32_t i = 0; i < batch->count; i++)
            TRY(exec__rows_add(&merging->rows, exec__row(batch, i)));
        TRY(change_check_memory(merging->context, &merging->rows.arena));
    } while (batch->count > 0);
    return STATUS_OK;
}

/* The first clause that takes the row. */
static enum status
choose(struct merging *merging, const struct value *row, const struct bound_merge_when **out)
{
    struct eval eval = eval_of(merging);
    bool matched = !row[0].null;

    *out = NULL;
    for (uint32_t i = 0; i < merging->bound->when_count; i++) {
        const struct bound_merge_when *when = &merging->bound->whens[i];
        bool wanted = when->matched == matched;

        if (wanted && when->condition != NULL)
            TRY(expr_is_true(when->condition, row, &eval, &wanted));
        if (!wanted)
            continue;
        if (when->action != 0)
            *out = when;
        return STATUS_OK;
    }
    return STATUS_OK;
}

static struct key_bytes
key_of(const struct value *row)
{
    struct key_bytes key = {.size = row[0].size};

    CHECK(row[0].size <= sizeof(key.bytes));
    memcpy(key.bytes, row[0].bytes, row[0].size);
    return key;
}

static enum status
take_out(struct merging *merging, struct exec__table *seen, const struct value *row)
{
    struct key_bytes key = key_of(row);
    struct exec__entry *entry = NULL;
    struct value *old_row = NULL;
    bool is_new = false;

    TRY(exec__table_get(seen, row, &entry, &is_new));
    if (is_new)
        TRY(exec__parts_take(merging->context, merging->bound->table, &row[0], &is_new));
    if (!is_new)
        return sql_error_set(merging->context->error, "21000", -1,
                             "MERGE command cannot affect row a second time");
    TRY(change_extend(&merging->change, row + 1, &old_row));
    return change_delete(&merging->change, old_row, &key);
}

static enum status
take_all_out(struct merging *merging)
{
    struct exec__table seen;

    exec__table_init(&seen, &merging->rows.arena, 1);
    merging->whens =
        arena_alloc(&merging->rows.arena, (merging->rows.count + 1) * sizeof(*merging->whens));
    if (merging->whens == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < merging->rows.count; i++) {
        const struct value *row = merging->rows.rows[i];

        arena_reset(&merging->change.arena);
        TRY(choose(merging, row, &merging->whens[i]));
        if (merging->whens[i] != NULL && merging->whens[i]->action != AST_INSERT)
            TRY(take_out(merging, &seen, row));
    }
    return change_check_memory(merging->context, &merging->rows.arena);
}

/* What the clause makes of the row. */
static enum status
make_row(struct merging *merging, const struct bound_merge_when *when, const struct value *row,
         struct value **out)
{
    struct change *change = &merging->change;
    uint32_t width = change->table->column_count;
    struct value *made = arena_alloc(&change->arena, width * sizeof(*made));
    struct eval eval = eval_of(merging);

    if (made == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < width; i++) {
        made[i] = row[1 + i];
        if (when->exprs[i] != NULL)
            TRY(expr_eval(when->exprs[i], row, &eval, &made[i]));
    }
    return change_prepare(change, made, out);
}

static enum status
bring_in(struct merging *merging, const struct bound_merge_when *when, const struct value *row)
{
    struct change *change = &merging->change;
    struct value *new_row = NULL;

    arena_reset(&change->arena);
    merging->count++;
    if (when->action != AST_DELETE)
        TRY(make_row(merging, when, row, &new_row));
    if (when->action == AST_INSERT)
        return change_insert(change, new_row);
    struct key_bytes key = key_of(row);
    if (when->action == AST_UPDATE)
        TRY(change_put_again(change, &key, new_row));
    return change->queue == NULL ? STATUS_OK
                                 : foreign_note(change->queue, change, row + 1, new_row, &key);
}

static enum status
run(struct merging *merging, struct exec *exec)
{
    TRY(collect(merging, exec));
    TRY(exec__parts_before(merging->context));
    TRY(take_all_out(merging));
    for (size_t i = 0; i < merging->rows.count; i++) {
        if (merging->whens[i] != NULL)
            TRY(bring_in(merging, merging->whens[i], merging->rows.rows[i]));
    }
    TRY(exec__parts_after(merging->context));
    return foreign_run(merging->queue);
}

enum status
exec_merge(struct exec_context *context, uint64_t *row_count_out)
{
    const struct bound *bound = context->planned->bound;
    struct merging merging = {.context = context, .bound = bound};
    struct exec *exec = NULL;
    enum status status = STATUS_OK;

    merging.rows.width = context->planned->root->width;
    arena_init(&merging.rows.arena, context->memory, MEMORY_SQL);
    merging.queue = foreign_queue_new(context);
    if (merging.queue == NULL)
        TRY_OUT(STATUS_NO_MEMORY);
    TRY_OUT(catalog_lock(context->txn, bound->table->schema, bound->table->name, QTDB_LOCK_SHARED,
                         context->error));
    TRY_OUT(change_open(&merging.change, context, bound->rules, merging.queue));
    merging.change.written = exec__parts_written(context);
    TRY_OUT(exec_open(context, context->planned->root, &exec));
    TRY_OUT(run(&merging, exec));
    *row_count_out = merging.count;
out:
    exec_close(exec);
    change_close(&merging.change);
    foreign_queue_free(merging.queue);
    arena_deinit(&merging.rows.arena);
    return status;
}
