/*
 * INSERT, UPDATE and DELETE. Rows to be updated or deleted are collected before the first change, so
 * that a statement never sees its own. Every check of a row comes before its first write; a failing
 * statement is rolled back to its start by the session.
 *
 * The row is the value under its key; each index is a tree of its columns' key to the row's
 * key.
 */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

static enum status
check_memory(struct exec_context *context, const struct arena *arena)
{
    size_t charged = 0;
    enum status status = exec__charge_arena(context, arena, &charged);

    context->held_size -= charged;
    return status;
}

struct key_bytes {
    uint8_t bytes[QTDB_KEY_SIZE_MAX];
    size_t size;
};

struct change {
    const struct exec_context *context;
    const struct table *table;
    struct qtdb_tree *rows;
    struct qtdb_tree *indexes[TABLE_INDEX_MAX];
    struct arena arena;
    int64_t next_row; /* Hidden row number; 0: not looked up yet. */
};

static enum status
change_open(struct change *change, const struct exec_context *context, const struct table *table)
{
    *change = (struct change){.context = context, .table = table};
    arena_init(&change->arena, context->memory, MEMORY_SQL);
    TRY(table_tree(context->txn, table, UINT32_MAX, &change->rows, context->error));
    for (uint32_t i = 0; i < table->index_count; i++)
        TRY(table_tree(context->txn, table, i, &change->indexes[i], context->error));
    return STATUS_OK;
}

static enum status
check_not_null(const struct change *change, const struct value *values)
{
    const struct table *table = change->table;

    for (uint32_t i = 0; i < table->column_count; i++) {
        if (values[i].null && table->columns[i].not_null)
            return sql_error_set(change->context->error, "23502", -1,
                                 "null value in column \"%s\" of relation \"%s\" violates "
                                 "not-null constraint",
                                 table->columns[i].name, table->name);
    }
    return STATUS_OK;
}

static enum status
refuse_duplicate(const struct change *change, const char *constraint)
{
    return sql_error_set(change->context->error, "23505", -1,
                         "duplicate key value violates unique constraint \"%s\"", constraint);
}

/* The hidden row number after the last one. */
static enum status
next_row_number(struct change *change, struct key_bytes *key)
{
    struct qtdb_cursor *cursor = NULL;

    if (change->next_row == 0) {
        TRY(sql_from_code(qtdb_cursor_open(change->context->txn, change->rows, &cursor),
                          change->context->error));
        enum qtdb_code code = qtdb_cursor_seek_last(cursor, NULL, 0);
        change->next_row = 1;
        if (code == QTDB_OK) {
            const void *last, *value;
            size_t last_size, value_size;
            uint64_t word;

            qtdb_cursor_row(cursor, &last, &last_size, &value, &value_size);
            CHECK(last_size == sizeof(word));
            memcpy(&word, last, sizeof(word));
            change->next_row = (int64_t)(__builtin_bswap64(word) ^ UINT64_C(1) << 63) + 1;
        }
        qtdb_cursor_close(cursor);
        if (code != QTDB_OK && code != QTDB_NOT_FOUND)
            return sql_from_code(code, change->context->error);
    }
    qtdb_key_i64(change->next_row++, key->bytes);
    key->size = sizeof(uint64_t);
    return STATUS_OK;
}

static enum status
encode_row(struct change *change, const struct value *values, const uint8_t **out, size_t *size_out)
{
    size_t most = row_encoded_size_max(values, change->table->column_count);
    uint8_t *bytes = arena_alloc(&change->arena, most);

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    struct byte_writer writer = byte_writer_init(bytes, most);
    CHECK(row_encode(values, change->table->column_count, &writer));
    *out = bytes;
    *size_out = writer.offset;
    return STATUS_OK;
}

static enum status
put_entries(struct change *change, const struct value *values, const struct key_bytes *row_key)
{
    for (uint32_t i = 0; i < change->table->index_count; i++) {
        struct key_bytes key;

        TRY(table_index_key(change->table, i, values, row_key->bytes, row_key->size, key.bytes,
                            &key.size, change->context->error));
        if (key.size == 0)
            continue;
        enum qtdb_code code = qtdb_put(change->context->txn, change->indexes[i], key.bytes,
                                       key.size, row_key->bytes, row_key->size, QTDB_PUT_INSERT);
        if (code == QTDB_EXISTS)
            return refuse_duplicate(change, change->table->indexes[i].name);
        TRY(sql_from_code(code, change->context->error));
    }
    return STATUS_OK;
}

static enum status
delete_entries(struct change *change, const struct value *values, const struct key_bytes *row_key)
{
    for (uint32_t i = 0; i < change->table->index_count; i++) {
        struct key_bytes key;

        TRY(table_index_key(change->table, i, values, row_key->bytes, row_key->size, key.bytes,
                            &key.size, change->context->error));
        if (key.size > 0)
            TRY(sql_from_code(
                qtdb_delete(change->context->txn, change->indexes[i], key.bytes, key.size),
                change->context->error));
    }
    return STATUS_OK;
}

static enum status
insert_row(struct change *change, const struct value *values)
{
    const uint8_t *row = NULL;
    size_t row_size = 0;
    struct key_bytes key = {.size = 0};
    char name[QTDB_NAME_SIZE_MAX + 8];

    TRY(check_not_null(change, values));
    if (change->table->key_count == 0)
        TRY(next_row_number(change, &key));
    else
        TRY(table_row_key(change->table, values, key.bytes, &key.size, change->context->error));
    TRY(encode_row(change, values, &row, &row_size));
    enum qtdb_code code = qtdb_put(change->context->txn, change->rows, key.bytes, key.size, row,
                                   row_size, QTDB_PUT_INSERT);
    if (code == QTDB_EXISTS) {
        size_t size = strlen(change->table->name);

        memcpy(name, change->table->name, size);
        memcpy(name + size, "_pkey", 6);
        return refuse_duplicate(change, name);
    }
    TRY(sql_from_code(code, change->context->error));
    return put_entries(change, values, &key);
}

static enum status
delete_row(struct change *change, const struct value *values, const struct key_bytes *key)
{
    TRY(delete_entries(change, values, key));
    return sql_from_code(qtdb_delete(change->context->txn, change->rows, key->bytes, key->size),
                         change->context->error);
}

/* The new version of a deleted row: a hidden row number stays. */
static enum status
put_again(struct change *change, const struct key_bytes *key, const struct value *values)
{
    const uint8_t *bytes = NULL;
    size_t size = 0;

    if (change->table->key_count > 0)
        return insert_row(change, values);
    TRY(check_not_null(change, values));
    TRY(encode_row(change, values, &bytes, &size));
    TRY(sql_from_code(qtdb_put(change->context->txn, change->rows, key->bytes, key->size, bytes,
                               size, QTDB_PUT_INSERT),
                      change->context->error));
    return put_entries(change, values, key);
}

/* What a run changes with. */

struct run {
    struct change change;
    struct exec_context *context;
    const struct planned *planned;
    struct exec_rows *returned;
    struct value *row; /* The changed row, then the root's row, for RETURNING. */
    uint64_t count;
};

static struct eval
eval_of(struct run *run)
{
    struct exec_context *context = run->context;

    return (struct eval){.arena = &run->change.arena,
                         .error = context->error,
                         .parameters = context->parameters,
                         .parameter_count = context->parameter_count,
                         .slots = context->slots,
                         .context = context};
}

/* Counts the row, and evaluates RETURNING over it. */
static enum status
note_changed(struct run *run, const struct value *row, const struct value *source)
{
    const struct bound *bound = run->planned->bound;
    uint32_t width = bound->table->column_count;
    struct eval eval = eval_of(run);
    struct value *out;

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
    return check_memory(run->context, &run->returned->arena);
}

/* INSERT. */

/* The key of the row that a constraint's key leads to. Size 0: none. */
static enum status
find_conflict(struct run *run, const struct value *row, uint32_t constraint, struct key_bytes *out)
{
    struct change *change = &run->change;
    struct key_bytes key = {.size = 0};
    size_t size = sizeof(out->bytes);
    enum qtdb_code code;

    out->size = 0;
    if (constraint == UINT32_MAX) {
        uint8_t byte;

        size = sizeof(byte);
        if (change->table->key_count == 0)
            return STATUS_OK;
        TRY(table_row_key(change->table, row, key.bytes, &key.size, change->context->error));
        code = qtdb_get(change->context->txn, change->rows, key.bytes, key.size, &byte, &size);
        if (code == QTDB_OK || code == QTDB_FULL)
            *out = key;
        return code == QTDB_OK || code == QTDB_FULL || code == QTDB_NOT_FOUND
                   ? STATUS_OK
                   : sql_from_code(code, change->context->error);
    }
    if (!change->table->indexes[constraint].unique)
        return STATUS_OK;
    TRY(table_index_key(change->table, constraint, row, NULL, 0, key.bytes, &key.size,
                        change->context->error));
    if (key.size == 0)
        return STATUS_OK;
    code = qtdb_get(change->context->txn, change->indexes[constraint], key.bytes, key.size,
                    out->bytes, &size);
    if (code == QTDB_NOT_FOUND)
        return STATUS_OK;
    TRY(sql_from_code(code, change->context->error));
    out->size = size;
    return STATUS_OK;
}

/* Any constraint: for DO NOTHING without a target. */
static enum status
find_any_conflict(struct run *run, const struct value *row, struct key_bytes *out)
{
    TRY(find_conflict(run, row, UINT32_MAX, out));
    for (uint32_t i = 0; i < run->change.table->index_count && out->size == 0; i++)
        TRY(find_conflict(run, row, i, out));
    return STATUS_OK;
}

static enum status
read_row(struct run *run, const struct key_bytes *key, struct value *out)
{
    struct change *change = &run->change;
    const struct table *table = change->table;
    size_t size = 0;
    enum qtdb_code code =
        qtdb_get(change->context->txn, change->rows, key->bytes, key->size, NULL, &size);
    if (code != QTDB_FULL)
        return sql_error_set(change->context->error, "XX001", -1,
                             "an index entry of table \"%s\" has no row: run qtdb-check",
                             table->name);
    uint8_t *bytes = arena_alloc(&change->arena, size);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    TRY(sql_from_code(
        qtdb_get(change->context->txn, change->rows, key->bytes, key->size, bytes, &size),
        change->context->error));
    return table_decode_row(table, bytes, size, &change->arena, out, change->context->error);
}

/* DO UPDATE: over the row that is there, then the one that was to be inserted. */
static enum status
update_conflicting(struct run *run, const struct key_bytes *key, const struct value *row)
{
    struct change *change = &run->change;
    const struct planned *planned = run->planned;
    uint32_t width = change->table->column_count;
    struct value *both = arena_alloc(&change->arena, 3 * (size_t)width * sizeof(*both));
    struct eval eval = eval_of(run);
    bool wanted = true;

    if (both == NULL)
        return STATUS_NO_MEMORY;
    struct value *changed = both + 2 * (size_t)width;
    TRY(read_row(run, key, both));
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
    TRY(delete_row(change, both, key));
    TRY(put_again(change, key, changed));
    return note_changed(run, changed, row);
}

static enum status
insert_one(struct run *run, const struct value *row)
{
    const struct bound_conflict *conflict = run->planned->bound->conflict;
    struct key_bytes key = {.size = 0};

    arena_reset(&run->change.arena);
    if (conflict != NULL) {
        TRY(check_not_null(&run->change, row));
        TRY(conflict->any ? find_any_conflict(run, row, &key)
                          : find_conflict(run, row, conflict->constraint, &key));
        if (key.size > 0)
            return conflict->update ? update_conflicting(run, &key, row) : STATUS_OK;
    }
    TRY(insert_row(&run->change, row));
    return note_changed(run, row, row);
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
delete_all(struct run *run, const struct exec_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct key_bytes key = key_of(rows->rows[i]);

        arena_reset(&run->change.arena);
        TRY(delete_row(&run->change, rows->rows[i] + 1, &key));
        TRY(note_changed(run, rows->rows[i] + 1, rows->rows[i]));
    }
    return STATUS_OK;
}

/* All old rows go before the first new one comes, so that keys may trade places. */
static enum status
update_all(struct run *run, const struct exec_rows *rows)
{
    uint32_t width = run->change.table->column_count;

    for (size_t i = 0; i < rows->count; i++) {
        struct key_bytes key = key_of(rows->rows[i]);

        arena_reset(&run->change.arena);
        TRY(delete_row(&run->change, rows->rows[i] + 1, &key));
    }
    for (size_t i = 0; i < rows->count; i++) {
        struct key_bytes key = key_of(rows->rows[i]);
        const struct value *new_row = rows->rows[i] + 1 + width;

        arena_reset(&run->change.arena);
        TRY(put_again(&run->change, &key, new_row));
        TRY(note_changed(run, new_row, rows->rows[i]));
    }
    return STATUS_OK;
}

/* Collecting. */

/* A row that joins several others is changed once. */
static enum status
collect_new(struct run *run, struct exec *exec, struct exec__table *seen, struct exec_rows *rows)
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
            if (is_new)
                TRY(exec__rows_add(rows, row));
        }
        TRY(check_memory(run->context, &rows->arena));
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

/* The rows are all known before the first change, unless they come from no table. */
static enum status
change_collected(struct run *run, struct exec *exec)
{
    enum status status = STATUS_OK;
    struct exec_rows rows = {.width = run->planned->root->width};
    struct exec__table seen;

    arena_init(&rows.arena, run->context->memory, MEMORY_SQL);
    exec__table_init(&seen, &rows.arena, 1);
    TRY_OUT(collect_new(run, exec, joins(run->planned->root) ? &seen : NULL, &rows));
    if (run->planned->bound->kind == AST_DELETE) {
        TRY_OUT(delete_all(run, &rows));
    } else if (run->planned->bound->kind == AST_UPDATE) {
        TRY_OUT(update_all(run, &rows));
    } else {
        for (size_t i = 0; i < rows.count; i++)
            TRY_OUT(insert_one(run, rows.rows[i]));
    }
out:
    arena_deinit(&rows.arena);
    return status;
}

static enum status
insert_streaming(struct run *run, struct exec *exec)
{
    const struct batch *batch;

    do {
        TRY(exec_next(exec, &batch));
        for (uint32_t i = 0; i < batch->count; i++)
            TRY(insert_one(run, exec__row(batch, i)));
    } while (batch->count > 0);
    return STATUS_OK;
}

enum status
exec_change(struct exec_context *context, struct exec_rows *returned, uint64_t *row_count_out)
{
    enum status status = STATUS_OK;
    const struct planned *planned = context->planned;
    const struct bound *bound = planned->bound;
    size_t size =
        ((size_t)bound->table->column_count + planned->root->width + 1) * sizeof(struct value);
    struct run run = {.context = context, .planned = planned, .returned = returned};
    struct exec *exec = NULL;

    returned->width = bound->returning_count;
    run.row = memory_alloc(context->memory, MEMORY_SQL, size);
    if (run.row == NULL)
        return STATUS_NO_MEMORY;
    TRY_OUT(change_open(&run.change, context, bound->table));
    TRY_OUT(exec_open(context, planned->root, &exec));
    bool streams =
        bound->kind == AST_INSERT && !scans(planned->root) && planned->subplan_count == 0;
    TRY_OUT(streams ? insert_streaming(&run, exec) : change_collected(&run, exec));
    *row_count_out = run.count;
out:
    exec_close(exec);
    if (run.change.context != NULL)
        arena_deinit(&run.change.arena);
    memory_free(context->memory, MEMORY_SQL, run.row, size);
    return status;
}
