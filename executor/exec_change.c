/*
 * INSERT, UPDATE and DELETE. Rows to be updated or deleted are collected before the first change, so
 * that a statement never sees its own. Rows and entries are changed by change_row.c; when all are, the
 * foreign keys have their say (foreign_key.c).
 */
#include <string.h>

#include "executor/change_run.h"
#include "kernel/base/check.h"

static struct eval
eval_of(struct exec_change *run)
{
    struct exec_context *context = run->context;

    return (struct eval){.arena = &run->change.arena,
                         .error = context->error,
                         .parameters = context->parameters,
                         .parameter_count = context->parameter_count,
                         .slots = context->slots,
                         .context = context};
}

/* WITH CHECK OPTION. */
static enum status
check_views(struct exec_change *run, const struct value *row)
{
    const struct bound *bound = run->planned->bound;
    struct eval eval = eval_of(run);

    for (uint32_t i = 0; i < bound->check_count; i++) {
        bool holds = false;

        TRY(expr_is_true(run->planned->checks[i], row, &eval, &holds));
        if (!holds)
            return sql_error_set(run->context->error, "44000", -1,
                                 "new row violates check option for view \"%s\"",
                                 bound->checks[i].view);
    }
    return STATUS_OK;
}

/* Counts the row, and evaluates RETURNING over it. */
static enum status
note_changed(struct exec_change *run, const struct value *row, const struct value *source)
{
    const struct bound *bound = run->planned->bound;
    uint32_t width = bound->table->column_count;
    struct eval eval = eval_of(run);
    struct value *out;

    if (run->noted)
        return STATUS_OK;
    TRY(check_views(run, row));
    run->count++;
    if (bound->returning_count == 0)
        return STATUS_OK;
    out = arena_alloc(&run->change.arena, bound->returning_count * sizeof(*out));
    if (out == NULL)
        return STATUS_NO_MEMORY;
    memcpy(run->row, row, width * sizeof(*row));
    memcpy(run->row + width, source, run->planned->root->width * sizeof(*row));
    for (uint32_t i = 0; i < bound->returning_count; i++)
        TRY(expr_eval(run->planned->returning[i], run->row, &eval, &out[i]));
    TRY(exec__rows_add(run->returned, out));
    return change_check_memory(run->context, &run->returned->arena);
}

/* INSERT. */

/* Tells foreign keys what became of a row. */
static enum status
note_foreign(struct exec_change *run, const struct value *old_row, const struct value *new_row,
             const struct key_bytes *key)
{
    struct change *change = &run->change;

    return change->queue == NULL ? STATUS_OK
                                 : foreign_note(change->queue, change, old_row, new_row, key);
}

/* DO UPDATE: over the row that is there, then the one that was to be inserted. */
static enum status
update_conflicting(struct exec_change *run, const struct key_bytes *key, const struct value *row)
{
    struct change *change = &run->change;
    const struct planned *planned = run->planned;
    uint32_t width = change->table->column_count;
    struct value *both = arena_alloc(&change->arena, 3 * (size_t)width * sizeof(*both));
    struct value *old_row = NULL, *new_row = NULL;
    struct eval eval = eval_of(run);
    bool wanted = true, found = false;

    if (both == NULL)
        return STATUS_NO_MEMORY;
    struct value *changed = both + 2 * (size_t)width;
    TRY(written_refuse(change, key));
    TRY(change_read(change, key, both, &found));
    if (!found)
        return sql_error_set(change->context->error, "XX001", -1,
                             "an index entry of table \"%s\" has no row: run qtdb-check",
                             change->table->name);
    memcpy(both + width, row, width * sizeof(*row));
    if (planned->conflict_where != NULL)
        TRY(expr_is_true(planned->conflict_where, both, &eval, &wanted));
    if (!wanted)
        return STATUS_OK;
    for (uint32_t i = 0; i < width; i++) {
        changed[i] = both[i];
        if (planned->conflict_exprs[i] != NULL)
            TRY(expr_eval(planned->conflict_exprs[i], both, &eval, &changed[i]));
    }
    TRY(change_extend(change, both, &old_row));
    TRY(change_prepare(change, changed, &new_row));
    TRY(change_delete(change, old_row, key));
    TRY(change_put_again(change, key, new_row));
    TRY(note_foreign(run, old_row, new_row, key));
    return note_changed(run, new_row, row);
}

static enum status
insert_one(struct exec_change *run, const struct value *row)
{
    const struct bound_conflict *conflict = run->planned->bound->conflict;
    struct key_bytes key; /* Not zeroed: it is long. */
    struct value *prepared = NULL;

    arena_reset(&run->change.arena);
    TRY(change_prepare(&run->change, row, &prepared));
    key.size = 0;
    if (conflict != NULL) {
        TRY(conflict->any
                ? change_find_any_conflict(&run->change, prepared, &key)
                : change_find_conflict(&run->change, prepared, conflict->constraint, &key));
        if (key.size > 0)
            return conflict->update ? update_conflicting(run, &key, prepared) : STATUS_OK;
    }
    TRY(change_insert(&run->change, prepared));
    return note_changed(run, prepared, row);
}

/* UPDATE and DELETE: a row is the row key, the old row, and for UPDATE the new one. */

static struct key_bytes
key_of(const struct value *row)
{
    struct key_bytes key = {.size = row[0].size};

    CHECK(row[0].size <= sizeof(key.bytes));
    memcpy(key.bytes, row[0].bytes, row[0].size);
    return key;
}

static enum status
delete_all(struct exec_change *run, const struct exec_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct key_bytes key = key_of(rows->rows[i]);
        struct value *old_row = NULL;

        arena_reset(&run->change.arena);
        TRY(change_extend(&run->change, rows->rows[i] + 1, &old_row));
        TRY(change_delete(&run->change, old_row, &key));
        TRY(note_foreign(run, old_row, NULL, &key));
        TRY(note_changed(run, old_row, rows->rows[i]));
    }
    return STATUS_OK;
}

/* All old rows go before the first new one comes, so that keys may trade places. */
static enum status
update_all(struct exec_change *run, const struct exec_rows *rows)
{
    uint32_t width = run->change.table->column_count;
    struct value *old_row = NULL, *new_row = NULL;

    for (size_t i = 0; i < rows->count; i++) {
        struct key_bytes key = key_of(rows->rows[i]);

        arena_reset(&run->change.arena);
        TRY(change_extend(&run->change, rows->rows[i] + 1, &old_row));
        TRY(change_delete(&run->change, old_row, &key));
    }
    for (size_t i = 0; i < rows->count; i++) {
        struct key_bytes key = key_of(rows->rows[i]);

        arena_reset(&run->change.arena);
        TRY(change_prepare(&run->change, rows->rows[i] + 1 + width, &new_row));
        TRY(change_put_again(&run->change, &key, new_row));
        TRY(note_foreign(run, rows->rows[i] + 1, new_row, &key));
        TRY(note_changed(run, new_row, rows->rows[i]));
    }
    return STATUS_OK;
}

/* Collecting. */

/* A row that joins several others is changed once. */
static enum status
collect_new(struct exec_change *run, struct exec *exec, struct exec__table *seen,
            struct exec_rows *rows)
{
    bool keyed = run->planned->bound->kind != AST_INSERT;
    const struct batch *batch;

    do {
        TRY(exec_next(exec, &batch));
        for (uint32_t i = 0; i < batch->count; i++) {
            const struct value *row = exec__row(batch, i);
            struct exec__entry *entry = NULL;
            bool is_new = true;

            if (keyed && seen != NULL)
                TRY(exec__table_get(seen, row, &entry, &is_new));
            if (is_new && keyed)
                TRY(exec__parts_take(run->context, run->change.table, &row[0], &is_new));
            if (is_new)
                TRY(exec__rows_add(rows, row));
        }
        TRY(change_check_memory(run->context, &rows->arena));
    } while (batch->count > 0);
    return STATUS_OK;
}

static bool
joins(const struct plan *plan)
{
    while (plan != NULL) {
        if (plan->right != NULL)
            return true;
        plan = plan->input;
    }
    return false;
}

static bool
scans(const struct plan *plan)
{
    while (plan != NULL) {
        if (plan->kind == PLAN_SCAN || (plan->right != NULL && scans(plan->right)))
            return true;
        plan = plan->input;
    }
    return false;
}

enum status
exec__change_write(struct exec_change *run, const struct exec_rows *rows)
{
    if (run->planned->bound->kind == AST_DELETE)
        return delete_all(run, rows);
    if (run->planned->bound->kind == AST_UPDATE)
        return update_all(run, rows);
    for (size_t i = 0; i < rows->count; i++)
        TRY(insert_one(run, rows->rows[i]));
    return STATUS_OK;
}

enum status
exec__change_note(struct exec_change *run, const struct exec_rows *rows)
{
    enum ast_statement_kind kind = run->planned->bound->kind;
    uint32_t first = kind == AST_INSERT   ? 0
                     : kind == AST_DELETE ? 1
                                          : 1 + run->change.table->column_count;

    for (size_t i = 0; i < rows->count; i++) {
        struct value *made = NULL;

        arena_reset(&run->change.arena);
        TRY(kind == AST_DELETE ? change_extend(&run->change, rows->rows[i] + first, &made)
                               : change_prepare(&run->change, rows->rows[i] + first, &made));
        TRY(note_changed(run, made, rows->rows[i]));
    }
    run->noted = true;
    return STATUS_OK;
}

/* Queries in RETURNING see the tables as they were before the statement. */
static bool
notes_early(const struct exec_change *run)
{
    const struct planned *planned = run->planned;

    return planned->bound->returning_count > 0 && planned->bound->conflict == NULL &&
           run->context->planned->subplan_count > 0;
}

/* The rows are all known before the first change, unless they come from no table. */
static enum status
change_collected(struct exec_change *run)
{
    enum status status = STATUS_OK;
    struct exec_rows rows = {.width = run->planned->root->width};

    arena_init(&rows.arena, run->context->memory, MEMORY_SQL);
    TRY_OUT(exec__change_collect(run, &rows));
    if (notes_early(run))
        TRY_OUT(exec__change_note(run, &rows));
    TRY_OUT(exec__parts_before(run->context));
    TRY_OUT(exec__change_write(run, &rows));
    TRY_OUT(exec__parts_after(run->context));
out:
    arena_deinit(&rows.arena);
    return status;
}

static enum status
insert_streaming(struct exec_change *run, struct exec *exec)
{
    const struct batch *batch;

    do {
        TRY(exec_next(exec, &batch));
        for (uint32_t i = 0; i < batch->count; i++)
            TRY(insert_one(run, exec__row(batch, i)));
    } while (batch->count > 0 && !exec->done);
    return STATUS_OK;
}

/* Life. */

/* Of one row given, none is there to come upon it again. */
static bool
gives_one_row(const struct plan *plan)
{
    while (plan->kind == PLAN_PROJECT)
        plan = plan->input;
    return plan->kind == PLAN_RESULT || (plan->kind == PLAN_VALUES && plan->row_count == 1);
}

/* The parts of a statement share what they have put. */
static struct written *
written_of(struct exec_change *run)
{
    const struct bound_conflict *conflict = run->planned->bound->conflict;

    if (run->context->parts != NULL)
        return exec__parts_written(run->context);
    return conflict != NULL && conflict->update && !gives_one_row(run->planned->root)
               ? &run->written
               : NULL;
}

static size_t
row_size(const struct planned *planned)
{
    return ((size_t)planned->bound->table->column_count + planned->root->width + 1) *
           sizeof(struct value);
}

static enum status
open_parts(struct exec_change *run)
{
    struct exec_context *context = run->context;
    const struct bound *bound = run->planned->bound;

    run->row = memory_alloc(context->memory, MEMORY_SQL, row_size(run->planned));
    if (run->row == NULL)
        return STATUS_NO_MEMORY;
    if (bound->table->foreign_count + bound->table->reference_count > 0) {
        run->queue = foreign_queue_new(context);
        if (run->queue == NULL)
            return STATUS_NO_MEMORY;
    }
    TRY(change_open(&run->change, context, bound->rules, run->queue));
    run->change.written = written_of(run);
    return exec_open(context, run->planned->root, &run->exec);
}

enum status
exec__change_open(struct exec_context *context, const struct planned *planned,
                  struct exec_rows *returned, struct exec_change **out)
{
    struct exec_change *run = memory_alloc(context->memory, MEMORY_SQL, sizeof(*run));

    if (run == NULL)
        return STATUS_NO_MEMORY;
    run->context = context;
    run->planned = planned;
    run->returned = returned;
    written_init(&run->written, context->memory);
    enum status status = open_parts(run);
    if (status == STATUS_OK)
        *out = run;
    else
        exec_change_close(run);
    return status;
}

enum status
exec_change_open(struct exec_context *context, struct exec_rows *returned, struct exec_change **out)
{
    return exec__change_open(context, context->planned, returned, out);
}

void
exec_change_close(struct exec_change *run)
{
    if (run == NULL)
        return;
    struct memory *memory = run->context->memory;

    exec_close(run->exec);
    change_close(&run->change);
    written_deinit(&run->written);
    foreign_queue_free(run->queue);
    memory_free(memory, MEMORY_SQL, run->row, row_size(run->planned));
    memory_free(memory, MEMORY_SQL, run, sizeof(*run));
}

bool
exec_change_park(struct exec_change *run)
{
    if (run->queue != NULL || run->planned->part_count > 0 || !run->planned->keepable)
        return false;
    exec_park(run->exec);
    arena_reset(&run->change.arena);
    written_clear(&run->written);
    run->change.next_row = 0;
    run->parked = true;
    return true;
}

/* The definition stays as it is until the transaction has ended: once locked, it is. */
static enum status
lock_definition(struct exec_change *run)
{
    struct exec_context *context = run->context;
    const struct table *table = run->planned->bound->table;

    if (context->txn_number > 0 && run->locked_txn == context->txn_number)
        return STATUS_OK;
    TRY(catalog_lock(context->txn, table->schema, table->name, QTDB_LOCK_SHARED, context->error));
    run->locked_txn = context->txn_number;
    return STATUS_OK;
}

/* What every run begins with. */
static enum status
begin_run(struct exec_change *run)
{
    run->returned->width = run->planned->bound->returning_count;
    run->count = 0;
    run->noted = false;
    TRY(lock_definition(run));
    if (run->parked)
        exec_resume(run->exec);
    run->parked = false;
    return STATUS_OK;
}

enum status
exec__change_collect(struct exec_change *run, struct exec_rows *rows)
{
    struct exec__table seen;

    TRY(begin_run(run));
    exec__table_init(&seen, &rows->arena, 1);
    return collect_new(run, run->exec, joins(run->planned->root) ? &seen : NULL, rows);
}

enum status
exec_change_run(struct exec_change *run, uint64_t *row_count_out)
{
    const struct planned *planned = run->planned;
    bool streams = planned->bound->kind == AST_INSERT && !scans(planned->root) &&
                   planned->subplan_count == 0 && planned->part_count == 0;

    CHECK(run->context->planned == planned);
    if (streams) {
        TRY(begin_run(run));
        TRY(insert_streaming(run, run->exec));
    } else {
        TRY(change_collected(run));
    }
    if (run->queue != NULL)
        TRY(foreign_run(run->queue));
    *row_count_out = run->count;
    return STATUS_OK;
}

enum status
exec_change(struct exec_context *context, struct exec_rows *returned, uint64_t *row_count_out)
{
    struct exec_change *run = NULL;

    TRY(exec_change_open(context, returned, &run));
    enum status status = exec_change_run(run, row_count_out);
    exec_change_close(run);
    return status;
}
