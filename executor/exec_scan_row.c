/*
 * Rows of a scan: decoded as far as the filter reads, asked whether they pass, decoded to the end, and
 * handed out with the columns asked for.
 */
#include <string.h>

#include "executor/exec_scan.h"
#include "kernel/base/check.h"

/* The columns asked for; their bytes stay where they are. */
static inline void
give_row(struct exec *exec, const struct value *whole)
{
    const struct plan *plan = exec->plan;
    struct value *row = exec__new_row(exec);

    for (uint32_t i = 0; i < plan->width; i++)
        row[i] = whole[plan->columns[i]];
}

enum status
scan__keep_rows(struct exec *exec, uint32_t first)
{
    uint32_t count = (exec->batch.count - first) * exec->batch.width;
    struct value *values = exec__row(&exec->batch, first);
    size_t size = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (!values[i].null && value_type_is_bytes(values[i].type))
            size += values[i].size;
    }
    if (size == 0)
        return STATUS_OK;
    uint8_t *copy = arena_alloc(&exec->batch.arena, size);
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].null || !value_type_is_bytes(values[i].type))
            continue;
        memcpy(copy, values[i].bytes, values[i].size);
        values[i].bytes = copy;
        copy += values[i].size;
    }
    return STATUS_OK;
}

/* What no test has asked. */
static enum status
passes_rest(struct exec *exec, const struct scan *scan, bool *out)
{
    struct eval eval = exec__eval(exec);

    *out = true;
    for (uint32_t i = 0; i < scan->rest_count && *out; i++)
        TRY(expr_is_true(scan->rest[i], scan->whole, &eval, out));
    return STATUS_OK;
}

/* In two steps. */
static enum status
take_any_row(struct exec *exec, const void *key, size_t key_size, const void *bytes, size_t size)
{
    struct scan *scan = exec->state;
    struct sql_error *error = exec->context->error;
    struct row_place place;
    bool wanted = true;

    if (scan->takes_key)
        scan->whole[exec->plan->table->column_count] = value_bytes(QTDB_TYPE_BYTEA, key, key_size);
    TRY(row_reader_first(&scan->reader, bytes, size, &place, &exec->batch.arena, scan->whole,
                         &wanted, error));
    if (!wanted)
        return STATUS_OK;
    if (scan->rest_count > 0)
        TRY(passes_rest(exec, scan, &wanted));
    if (!wanted)
        return STATUS_OK;
    TRY(row_reader_rest(&scan->reader, &place, &exec->batch.arena, scan->whole, error));
    give_row(exec, scan->whole);
    return STATUS_OK;
}

enum status
scan__borrow_rows(struct exec *exec, const void *const *bytes, const uint32_t *sizes,
                  uint32_t count)
{
    struct scan *scan = exec->state;
    struct row_span span = {.scratch = scan->whole, .width = exec->plan->width};

    CHECK(count <= exec->capacity - exec->batch.count);
    scan->read_count += count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t passed = 0;

        if (scan->reads_spans) {
            span.bytes = bytes + i;
            span.sizes = sizes + i;
            span.count = count - i;
            span.rows = exec__row(&exec->batch, exec->batch.count);
            i += row_reader_span(&scan->reader, &span, &passed);
            exec->batch.count += passed;
        }
        if (i < count)
            TRY(take_any_row(exec, NULL, 0, bytes[i], sizes[i]));
    }
    return STATUS_OK;
}

enum status
scan__borrow_row(struct exec *exec, const void *key, size_t key_size, const void *bytes,
                 size_t size)
{
    struct scan *scan = exec->state;
    const uint32_t size_32 = (uint32_t)size;

    if (scan->reads_spans && size <= UINT32_MAX)
        return scan__borrow_rows(exec, &bytes, &size_32, 1);
    scan->read_count++;
    return take_any_row(exec, key, key_size, bytes, size);
}

enum status
scan__take_row(struct exec *exec, const void *key, size_t key_size, const void *bytes, size_t size)
{
    uint32_t first = exec->batch.count;

    TRY(scan__borrow_row(exec, key, key_size, bytes, size));
    return exec->batch.count > first ? scan__keep_rows(exec, first) : STATUS_OK;
}

enum status
scan__damaged_entry(struct exec *exec)
{
    const struct plan *plan = exec->plan;

    return sql_error_set(exec->context->error, "XX001", -1,
                         "an entry of index \"%s\" is damaged: run qtdb-check",
                         plan->table->indexes[plan->path.index].name);
}

enum status
scan__take_entry(struct exec *exec, const struct scan_entry *entry)
{
    struct scan *scan = exec->state;
    const struct plan *plan = exec->plan;
    const struct table *table = plan->table;
    bool wanted = true;

    scan->read_count++;
    enum status status =
        table_decode_entry(table, plan->path.index, entry->key, entry->key_size, entry->value,
                           entry->value_size, &exec->batch.arena, scan->whole);
    const void *row_key = NULL;
    size_t row_key_size = 0;

    if (status == STATUS_OK && !table_entry_row_key(table, plan->path.index, entry->value,
                                                    entry->value_size, &row_key, &row_key_size))
        status = STATUS_CORRUPT;
    if (status == STATUS_CORRUPT)
        return scan__damaged_entry(exec);
    TRY(status);
    scan->whole[table->column_count] = value_bytes(QTDB_TYPE_BYTEA, row_key, row_key_size);
    for (uint32_t i = 0; i < scan->test_count && wanted; i++)
        wanted = row_test_holds(&scan->tests[i], scan->whole);
    if (wanted)
        TRY(passes_rest(exec, scan, &wanted));
    if (!wanted)
        return STATUS_OK;
    give_row(exec, scan->whole);
    return scan__keep_rows(exec, exec->batch.count - 1);
}

static enum status
damaged_entry(struct exec *exec)
{
    return sql_error_set(exec->context->error, "XX001", -1,
                         "an index entry of table \"%s\" has no row: run qtdb-check",
                         exec->plan->table->name);
}

enum status
scan__take_by_key(struct exec *exec, const void *key, size_t key_size, bool may_miss)
{
    struct scan *scan = exec->state;
    struct memory *memory = exec->context->memory;
    size_t size = scan->room_size;

    if (scan->room == NULL) {
        scan->room = memory_alloc(memory, MEMORY_SQL, SCAN_ROW_ROOM);
        if (scan->room == NULL)
            return STATUS_NO_MEMORY;
        size = scan->room_size = SCAN_ROW_ROOM;
    }
    enum qtdb_code code =
        qtdb_get(exec->context->txn, scan->rows, key, key_size, scan->room, &size);
    if (code == QTDB_FULL && size > scan->room_size) {
        uint8_t *room = memory_resize(memory, MEMORY_SQL, scan->room, scan->room_size, size);

        if (room == NULL)
            return STATUS_NO_MEMORY;
        scan->room = room;
        scan->room_size = size;
        code = qtdb_get(exec->context->txn, scan->rows, key, key_size, scan->room, &size);
    }
    if (code == QTDB_NOT_FOUND)
        return may_miss ? STATUS_OK : damaged_entry(exec);
    TRY(sql_from_code(code, exec->context->error));
    return scan__take_row(exec, key, key_size, scan->room, size);
}
