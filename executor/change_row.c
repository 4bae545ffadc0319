/*
 * Rows and their index entries (change.h). The row is the value under its key; each index is a tree of
 * its columns' key to the row's key.
 */
#include <string.h>

#include "executor/change.h"
#include "kernel/base/check.h"

enum status
change_check_memory(struct exec_context *context, const struct arena *arena)
{
    size_t charged = 0;
    enum status status = exec__charge_arena(context, arena, &charged);

    context->held_size -= charged;
    return status;
}

enum status
change_open(struct change *change, struct exec_context *context, const struct table_rules *rules,
            struct foreign_queue *queue)
{
    const struct table *table = rules->table;

    *change =
        (struct change){.context = context,
                        .table = table,
                        .rules = rules,
                        .queue = table->foreign_count + table->reference_count > 0 ? queue : NULL};
    arena_init(&change->arena, context->memory, MEMORY_SQL);
    TRY(table_tree(context->txn, table, UINT32_MAX, &change->rows, context->error));
    for (uint32_t i = 0; i < table->index_count; i++)
        TRY(table_tree(context->txn, table, i, &change->indexes[i], context->error));
    return STATUS_OK;
}

void
change_close(struct change *change)
{
    if (change->context != NULL)
        arena_deinit(&change->arena);
}

static struct eval
eval_of(struct change *change)
{
    const struct exec_context *context = change->context;

    return (struct eval){.arena = &change->arena,
                         .error = context->error,
                         .parameters = context->parameters,
                         .parameter_count = context->parameter_count,
                         .slots = context->slots,
                         .context = context};
}

enum status
change_extend(struct change *change, const struct value *row, struct value **out)
{
    const struct table *table = change->table;
    struct eval eval = eval_of(change);

    if (table->expr_count == 0 && !change->rules->generates) {
        *out = (struct value *)(uintptr_t)row;
        return STATUS_OK;
    }
    *out = arena_alloc(&change->arena,
                       ((size_t)table->column_count + table->expr_count) * sizeof(**out));
    if (*out == NULL)
        return STATUS_NO_MEMORY;
    memcpy(*out, row, table->column_count * sizeof(**out));
    return rules_extend(change->rules, &eval, *out);
}

enum status
change_prepare(struct change *change, const struct value *row, struct value **out)
{
    struct eval eval = eval_of(change);

    if (change->table->expr_count == 0 && !change->rules->generates) {
        *out = (struct value *)(uintptr_t)row;
        return rules_check(change->rules, &eval, row);
    }
    *out = arena_alloc(&change->arena,
                       ((size_t)change->table->column_count + change->table->expr_count) *
                           sizeof(**out));
    if (*out == NULL)
        return STATUS_NO_MEMORY;
    memcpy(*out, row, change->table->column_count * sizeof(**out));
    TRY(rules_generate(change->rules, &eval, *out));
    TRY(rules_check(change->rules, &eval, *out));
    return rules_extend(change->rules, &eval, *out);
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
    const struct table *table = change->table;
    size_t most = row_encoded_size_max(values, table->column_count) + 2 * (size_t)table->slot_count;
    uint8_t *bytes = arena_alloc(&change->arena, most);
    struct value *scratch =
        table->plain ? NULL : arena_alloc(&change->arena, table->slot_count * sizeof(*scratch));

    if (bytes == NULL || (scratch == NULL && !table->plain))
        return STATUS_NO_MEMORY;
    struct byte_writer writer = byte_writer_init(bytes, most);
    CHECK(table_encode_row(table, values, scratch, &writer));
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
        const void *value = NULL;
        size_t size = 0;

        TRY(table_entry_value(change->table, i, values, row_key->bytes, row_key->size,
                              &change->arena, &value, &size));
        enum qtdb_code code = qtdb_put(change->context->txn, change->indexes[i], key.bytes,
                                       key.size, value, size, QTDB_PUT_INSERT);
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
put_row(struct change *change, const struct value *row, const struct key_bytes *key)
{
    const uint8_t *bytes = NULL;
    size_t size = 0;

    TRY(encode_row(change, row, &bytes, &size));
    enum qtdb_code code = qtdb_put(change->context->txn, change->rows, key->bytes, key->size, bytes,
                                   size, QTDB_PUT_INSERT);
    if (code == QTDB_EXISTS) {
        const char *name = table_key_name(change->table, &change->arena);

        return name == NULL ? STATUS_NO_MEMORY : refuse_duplicate(change, name);
    }
    TRY(sql_from_code(code, change->context->error));
    TRY(written_note(change, key));
    return put_entries(change, row, key);
}

enum status
change_insert(struct change *change, const struct value *row)
{
    struct key_bytes key; /* Not zeroed: it is long. */

    key.size = 0;
    if (change->table->key_count == 0)
        TRY(next_row_number(change, &key));
    else
        TRY(table_row_key(change->table, row, key.bytes, &key.size, change->context->error));
    TRY(put_row(change, row, &key));
    return change->queue == NULL ? STATUS_OK : foreign_note(change->queue, change, NULL, row, &key);
}

enum status
change_delete(struct change *change, const struct value *row, const struct key_bytes *key)
{
    TRY(delete_entries(change, row, key));
    return sql_from_code(qtdb_delete(change->context->txn, change->rows, key->bytes, key->size),
                         change->context->error);
}

enum status
change_put_again(struct change *change, const struct key_bytes *key, const struct value *row)
{
    struct key_bytes own = *key;

    if (change->table->key_count > 0)
        TRY(table_row_key(change->table, row, own.bytes, &own.size, change->context->error));
    return put_row(change, row, &own);
}

/* Conflicts. */

static enum status
find_row_conflict(struct change *change, const struct value *row, struct key_bytes *out)
{
    struct key_bytes key = {.size = 0};
    uint8_t byte;
    size_t size = sizeof(byte);

    if (change->table->key_count == 0)
        return STATUS_OK;
    TRY(table_row_key(change->table, row, key.bytes, &key.size, change->context->error));
    enum qtdb_code code =
        qtdb_get(change->context->txn, change->rows, key.bytes, key.size, &byte, &size);
    if (code == QTDB_OK || code == QTDB_FULL)
        *out = key;
    return code == QTDB_OK || code == QTDB_FULL || code == QTDB_NOT_FOUND
               ? STATUS_OK
               : sql_from_code(code, change->context->error);
}

/* The row's key out of an entry that holds more. */
static enum status
find_stored(struct change *change, uint32_t index, const struct key_bytes *key,
            struct key_bytes *out)
{
    const struct exec_context *context = change->context;
    struct qtdb_tree *tree = change->indexes[index];
    const void *row_key = NULL;
    size_t size = 0;
    enum qtdb_code code = qtdb_get(context->txn, tree, key->bytes, key->size, NULL, &size);

    if (code != QTDB_FULL)
        return code == QTDB_NOT_FOUND ? STATUS_OK : sql_from_code(code, context->error);
    uint8_t *bytes = arena_alloc(&change->arena, size);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    TRY(sql_from_code(qtdb_get(context->txn, tree, key->bytes, key->size, bytes, &size),
                      context->error));
    if (!table_entry_row_key(change->table, index, bytes, size, &row_key, &size))
        return sql_error_set(context->error, "XX001", -1,
                             "an entry of index \"%s\" is damaged: run qtdb-check",
                             change->table->indexes[index].name);
    memcpy(out->bytes, row_key, size);
    out->size = size;
    return STATUS_OK;
}

enum status
change_find_conflict(struct change *change, const struct value *row, uint32_t constraint,
                     struct key_bytes *out)
{
    struct key_bytes key = {.size = 0};
    size_t size = sizeof(out->bytes);

    out->size = 0;
    if (constraint == UINT32_MAX)
        return find_row_conflict(change, row, out);
    if (!change->table->indexes[constraint].unique)
        return STATUS_OK;
    TRY(table_index_key(change->table, constraint, row, NULL, 0, key.bytes, &key.size,
                        change->context->error));
    if (key.size == 0)
        return STATUS_OK;
    if (change->table->indexes[constraint].stores)
        return find_stored(change, constraint, &key, out);
    enum qtdb_code code = qtdb_get(change->context->txn, change->indexes[constraint], key.bytes,
                                   key.size, out->bytes, &size);
    if (code == QTDB_NOT_FOUND)
        return STATUS_OK;
    TRY(sql_from_code(code, change->context->error));
    out->size = size;
    return STATUS_OK;
}

enum status
change_find_any_conflict(struct change *change, const struct value *row, struct key_bytes *out)
{
    TRY(change_find_conflict(change, row, UINT32_MAX, out));
    for (uint32_t i = 0; i < change->table->index_count && out->size == 0; i++)
        TRY(change_find_conflict(change, row, i, out));
    return STATUS_OK;
}

enum status
change_read(struct change *change, const struct key_bytes *key, struct value *out, bool *found_out)
{
    const struct exec_context *context = change->context;
    size_t size = 0;
    enum qtdb_code code = qtdb_get(context->txn, change->rows, key->bytes, key->size, NULL, &size);

    *found_out = code == QTDB_FULL;
    if (code != QTDB_FULL)
        return code == QTDB_NOT_FOUND ? STATUS_OK : sql_from_code(code, context->error);
    uint8_t *bytes = arena_alloc(&change->arena, size);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    TRY(sql_from_code(qtdb_get(context->txn, change->rows, key->bytes, key->size, bytes, &size),
                      context->error));
    return table_decode_row(change->table, bytes, size, &change->arena, out, context->error);
}
