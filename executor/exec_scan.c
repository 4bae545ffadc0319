/* Scanning one table: seek to the first key wanted, decode, filter, stop after the last. */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

static enum status
seek_first(struct exec__scan *scan)
{
    const struct plan *plan = scan->plan;
    uint8_t key[sizeof(uint64_t)];
    size_t key_size = 0;

    if (plan->key_high != NULL) {
        scan->has_end = true;
        qtdb_key_i64(plan->key_high->constant.integer, scan->end);
    }
    if (plan->key_low != NULL) {
        qtdb_key_i64(plan->key_low->constant.integer, key);
        key_size = sizeof(key);
    }
    return sql_from_code(qtdb_cursor_seek(scan->cursor, key, key_size), scan->context->error);
}

enum status
exec__scan_open(const struct exec_context *context, const struct plan *plan, struct exec__scan *out)
{
    struct exec__scan scan = {.context = context, .plan = plan};
    struct qtdb_tree *tree = NULL;

    TRY(table_tree(context->txn, plan->table, UINT32_MAX, &tree, context->error));
    TRY(sql_from_code(qtdb_cursor_open(context->txn, tree, &scan.cursor), context->error));
    *out = scan;
    return STATUS_OK;
}

void
exec__scan_close(struct exec__scan *scan)
{
    qtdb_cursor_close(scan->cursor);
    scan->cursor = NULL;
}

/* Columns added after the row was written have their defaults. */
static enum status
fill_defaults(const struct exec__scan *scan, uint32_t first, struct arena *arena,
              struct value *values)
{
    const struct table *table = scan->plan->table;

    for (uint32_t i = first; i < table->column_count; i++) {
        const char *text = table->columns[i].default_text;

        values[i] = value_null(table->types[i].type);
        if (text != NULL)
            TRY(value_parse(&table->types[i], text, strlen(text), arena, &values[i],
                            scan->context->error));
    }
    return STATUS_OK;
}

static enum status
decode(const struct exec__scan *scan, const void *row, size_t size, struct arena *arena,
       struct value *values)
{
    const struct table *table = scan->plan->table;
    uint8_t *copy = arena_alloc(arena, size);
    uint32_t count = 0;

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    memcpy(copy, row, size);
    if (row_decode(copy, size, table->types, table->column_count, values, &count) != STATUS_OK)
        return sql_error_set(scan->context->error, "XX001", -1,
                             "a row of table \"%s\" is damaged: run qtdb-check", table->name);
    return fill_defaults(scan, count, arena, values);
}

static enum status
passes(const struct exec__scan *scan, const struct value *values, struct arena *arena, bool *out)
{
    struct eval eval = {.arena = arena, .error = scan->context->error};

    if (scan->plan->filter == NULL) {
        *out = true;
        return STATUS_OK;
    }
    return expr_is_true(scan->plan->filter, values, &eval, out);
}

enum status
exec__scan_next(struct exec__scan *scan, struct arena *arena, struct value *values,
                const void **key_out, size_t *key_size_out)
{
    for (;;) {
        const void *key, *row;
        size_t key_size, row_size;
        bool wanted = false;
        enum status status =
            scan->started ? sql_from_code(qtdb_cursor_next(scan->cursor), scan->context->error)
                          : seek_first(scan);

        scan->started = true;
        TRY(status);
        if (atomic_load_explicit(scan->context->interrupted, memory_order_relaxed))
            return sql_error_set(scan->context->error, "57014", -1,
                                 "canceling statement due to user request");
        qtdb_cursor_row(scan->cursor, &key, &key_size, &row, &row_size);
        if (scan->has_end &&
            (key_size != sizeof(scan->end) || memcmp(key, scan->end, sizeof(scan->end)) > 0))
            return STATUS_NOT_FOUND;
        TRY(decode(scan, row, row_size, arena, values));
        TRY(passes(scan, values, arena, &wanted));
        if (!wanted)
            continue;
        *key_out = key;
        *key_size_out = key_size;
        return STATUS_OK;
    }
}
