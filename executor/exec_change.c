/*
 * INSERT, UPDATE and DELETE. Rows to be updated or deleted are collected before the first change, so
 * that a statement never sees its own. Every check of a row comes before its first write; a failing
 * statement is rolled back to its start by the session.
 *
 * The row is the value under its key; each unique constraint is a tree of its columns' key to the
 * row's key (rows with a null in it have no entry).
 */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

struct key_bytes {
    uint8_t bytes[QTDB_KEY_SIZE_MAX];
    size_t size;
};

struct change {
    const struct exec_context *context;
    const struct table *table;
    struct qtdb_tree *rows;
    struct qtdb_tree *uniques[TABLE_UNIQUE_MAX];
    struct arena arena;
    int64_t next_row; /* Hidden row number; 0: not looked up yet. */
};

static enum status
change_open(struct change *change, const struct exec_context *context, const struct table *table)
{
    *change = (struct change){.context = context, .table = table};
    arena_init(&change->arena, context->memory, MEMORY_SQL);
    TRY(table_tree(context->txn, table, UINT32_MAX, &change->rows, context->error));
    for (uint32_t i = 0; i < table->unique_count; i++)
        TRY(table_tree(context->txn, table, i, &change->uniques[i], context->error));
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
    struct byte_writer writer = byte_writer_init(bytes, most);

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    CHECK(row_encode(values, change->table->column_count, &writer));
    *out = bytes;
    *size_out = writer.offset;
    return STATUS_OK;
}

static enum status
put_uniques(struct change *change, const struct value *values, const struct key_bytes *row_key)
{
    for (uint32_t i = 0; i < change->table->unique_count; i++) {
        struct key_bytes key;
        bool any_null;

        TRY(table_unique_key(change->table, i, values, key.bytes, &key.size, &any_null,
                             change->context->error));
        if (any_null)
            continue;
        enum qtdb_code code = qtdb_put(change->context->txn, change->uniques[i], key.bytes,
                                       key.size, row_key->bytes, row_key->size, QTDB_PUT_INSERT);
        if (code == QTDB_EXISTS)
            return refuse_duplicate(change, change->table->uniques[i].name);
        TRY(sql_from_code(code, change->context->error));
    }
    return STATUS_OK;
}

static enum status
delete_uniques(struct change *change, const struct value *values)
{
    for (uint32_t i = 0; i < change->table->unique_count; i++) {
        struct key_bytes key;
        bool any_null;

        TRY(table_unique_key(change->table, i, values, key.bytes, &key.size, &any_null,
                             change->context->error));
        if (!any_null)
            TRY(sql_from_code(
                qtdb_delete(change->context->txn, change->uniques[i], key.bytes, key.size),
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
    return put_uniques(change, values, &key);
}

/* INSERT. */

static enum status
default_of(struct change *change, uint32_t column, struct value *out)
{
    const struct table_column *definition = &change->table->columns[column];

    *out = value_null(definition->type.type);
    if (definition->default_text == NULL)
        return STATUS_OK;
    return value_parse(&definition->type, definition->default_text,
                       strlen(definition->default_text), &change->arena, out,
                       change->context->error);
}

/* Missing expressions of VALUES are DEFAULTs. */
static enum status
make_row(struct change *change, const struct plan *plan, const struct value *input,
         uint64_t position, struct value *out)
{
    const struct plan *source = plan->input;

    for (uint32_t i = 0; i < change->table->column_count; i++) {
        uint32_t column = plan->sources[i];
        bool defaulted = column == UINT32_MAX ||
                         (source->kind == PLAN_VALUES &&
                          source->exprs[position * source->column_count + column] == NULL);

        if (defaulted)
            TRY(default_of(change, i, &out[i]));
        else
            TRY(value_cast(&input[column], &change->table->columns[i].type, &change->arena, &out[i],
                           change->context->error));
    }
    return STATUS_OK;
}

static enum status
insert_values(struct change *change, const struct plan *plan, struct value *input,
              struct value *row, uint64_t *count)
{
    const struct plan *source = plan->input;
    struct eval eval = {.arena = &change->arena, .error = change->context->error};

    for (uint64_t i = 0; i < source->row_count; i++) {
        arena_reset(&change->arena);
        for (uint32_t k = 0; k < source->column_count; k++) {
            const struct expr *expr = source->exprs[i * source->column_count + k];

            if (expr != NULL)
                TRY(expr_eval(expr, NULL, &eval, &input[k]));
        }
        TRY(make_row(change, plan, input, i, row));
        TRY(insert_row(change, row));
        (*count)++;
    }
    return STATUS_OK;
}

static enum status
insert_query(struct change *change, const struct plan *plan, struct value *row, uint64_t *count)
{
    enum status status = STATUS_OK;
    const struct batch *batch;
    struct exec *exec = NULL;

    TRY(exec_open(change->context, plan->input, &exec));
    do {
        TRY_OUT(exec_next(exec, &batch));
        for (uint32_t i = 0; i < batch->count; i++) {
            arena_reset(&change->arena);
            TRY_OUT(make_row(change, plan, batch->values + (size_t)i * batch->width, 0, row));
            TRY_OUT(insert_row(change, row));
            (*count)++;
        }
    } while (batch->count > 0);
out:
    exec_close(exec);
    return status;
}

/* UPDATE and DELETE. */

struct target_row {
    struct target_row *next;
    struct value *values;
    const uint8_t *key;
    size_t key_size;
};

static enum status
keep_target(const struct table *table, const struct value *values, const void *key, size_t key_size,
            struct arena *arena, struct target_row **last)
{
    struct target_row *target = arena_alloc(arena, sizeof(*target));
    uint8_t *key_copy = arena_alloc(arena, key_size);
    struct value *copy = arena_alloc(arena, table->column_count * sizeof(*copy));

    if (target == NULL || key_copy == NULL || copy == NULL)
        return STATUS_NO_MEMORY;
    memcpy(key_copy, key, key_size);
    for (uint32_t i = 0; i < table->column_count; i++)
        TRY(exec__keep_value(&values[i], arena, &copy[i]));
    *target = (struct target_row){.values = copy, .key = key_copy, .key_size = key_size};
    (*last)->next = target;
    *last = target;
    return STATUS_OK;
}

static enum status
collect(struct change *change, const struct plan *scan_plan, struct value *values,
        struct arena *arena, struct target_row *head)
{
    enum status status = STATUS_OK;
    struct target_row *last = head;
    struct exec__scan scan;

    TRY(exec__scan_open(change->context, scan_plan, &scan));
    while (status == STATUS_OK) {
        const void *key;
        size_t key_size;

        arena_reset(&change->arena);
        TRY_OUT(exec__scan_next(&scan, &change->arena, values, &key, &key_size));
        TRY_OUT(keep_target(change->table, values, key, key_size, arena, &last));
        TRY_OUT(exec__check_memory(change->context, arena));
    }
out:
    exec__scan_close(&scan);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status
delete_row(struct change *change, const struct target_row *target)
{
    TRY(delete_uniques(change, target->values));
    return sql_from_code(
        qtdb_delete(change->context->txn, change->rows, target->key, target->key_size),
        change->context->error);
}

static enum status
new_values(struct change *change, const struct plan *plan, const struct target_row *target,
           struct value *out)
{
    struct eval eval = {.arena = &change->arena, .error = change->context->error};

    for (uint32_t i = 0; i < change->table->column_count; i++) {
        out[i] = target->values[i];
        if (plan->exprs[i] != NULL)
            TRY(expr_eval(plan->exprs[i], target->values, &eval, &out[i]));
    }
    return check_not_null(change, out);
}

/* All old rows go before the first new one comes, so that keys may trade places. */
static enum status
update_rows(struct change *change, const struct plan *plan, struct target_row *first,
            struct value *row, uint64_t *count)
{
    for (struct target_row *target = first; target != NULL; target = target->next)
        TRY(delete_row(change, target));
    for (struct target_row *target = first; target != NULL; target = target->next) {
        const uint8_t *bytes = NULL;
        size_t size = 0;

        arena_reset(&change->arena);
        TRY(new_values(change, plan, target, row));
        (*count)++;
        if (change->table->key_count > 0) {
            TRY(insert_row(change, row));
            continue;
        }
        struct key_bytes key = {.size = target->key_size};
        memcpy(key.bytes, target->key, target->key_size);
        TRY(encode_row(change, row, &bytes, &size));
        TRY(sql_from_code(qtdb_put(change->context->txn, change->rows, key.bytes, key.size, bytes,
                                   size, QTDB_PUT_INSERT),
                          change->context->error));
        TRY(put_uniques(change, row, &key));
    }
    return STATUS_OK;
}

static enum status
change_targets(struct change *change, const struct plan *plan, struct value *row, uint64_t *count)
{
    enum status status = STATUS_OK;
    struct target_row head = {.next = NULL};
    struct arena targets;

    arena_init(&targets, change->context->memory, MEMORY_SQL);
    TRY_OUT(collect(change, plan->input, row, &targets, &head));
    if (plan->kind == PLAN_UPDATE) {
        TRY_OUT(update_rows(change, plan, head.next, row, count));
    } else {
        for (struct target_row *target = head.next; target != NULL; target = target->next) {
            TRY_OUT(delete_row(change, target));
            (*count)++;
        }
    }
out:
    arena_deinit(&targets);
    return status;
}

enum status
exec_change(const struct exec_context *context, const struct plan *plan, uint64_t *row_count_out)
{
    enum status status = STATUS_OK;
    uint32_t width = plan->table->column_count + 1;
    size_t size = 2 * (size_t)width * sizeof(struct value);
    struct value *values = memory_alloc(context->memory, MEMORY_SQL, size);
    struct change change;
    uint64_t count = 0;

    if (values == NULL)
        return STATUS_NO_MEMORY;
    TRY_OUT(change_open(&change, context, plan->table));
    if (plan->kind != PLAN_INSERT)
        TRY_OUT(change_targets(&change, plan, values, &count));
    else if (plan->input->kind == PLAN_VALUES)
        TRY_OUT(insert_values(&change, plan, values, values + width, &count));
    else
        TRY_OUT(insert_query(&change, plan, values, &count));
    *row_count_out = count;
out:
    arena_deinit(&change.arena);
    memory_free(context->memory, MEMORY_SQL, values, size);
    return status;
}
