/*
 * SCAN: from the first key wanted to the last, decode, filter, hand out the columns asked for. Columns
 * that the filter reads are decoded first, the others asked for only in rows that pass. A whole row key
 * is looked up without a cursor; an index's tree leads to the row's key.
 */
#include <string.h>

#include "executor/exec_private.h"
#include "executor/row_reader.h"
#include "kernel/base/check.h"

enum { ROW_ROOM = 1024 };

struct key_bytes {
    uint8_t bytes[QTDB_KEY_SIZE_MAX];
    size_t size;
};

/* A condition that compares a column kept as an integer with a constant. */
struct scan_test {
    uint32_t column;
    enum expr_operator operator_kind;
    int64_t integer;
};

enum { TESTS_MAX = 8 };

struct scan {
    struct qtdb_tree *rows;
    struct qtdb_tree *tree; /* Where the keys are: the rows', or an index's. */
    struct qtdb_cursor *cursor;
    struct row_reader reader;
    struct scan_test tests[TESTS_MAX]; /* Of the filter, asked before it. */
    uint32_t test_count;
    bool tests_are_all;  /* The filter asks nothing else. */
    struct value *whole; /* What was decoded of a row, by column, and its key. */
    struct value *in;    /* IN: values in order, without duplicates. */
    uint32_t in_count;
    uint32_t in_next;
    uint64_t read_count; /* Rows. */
    bool started;
    bool in_range; /* The cursor is inside a range. */
    struct key_bytes begin;
    struct key_bytes end; /* Keys past it, as a prefix, are past the range. Size 0: open. */
    uint8_t *room;        /* For rows read by key. */
    size_t room_size;
};

static size_t
whole_size(const struct plan *plan)
{
    return ((size_t)plan->table->column_count + 1 + plan->path.in_count) * sizeof(struct value) +
           plan->table->slot_count * sizeof(struct row_slot);
}

static bool
note_column(void *context, const struct expr *expr)
{
    if (expr->kind == EXPR_COLUMN)
        ((bool *)context)[expr->index] = true;
    return true;
}

static void
init_reader(const struct plan *plan, struct scan *scan)
{
    bool first[ROW_COLUMNS_MAX + 1], wanted[ROW_COLUMNS_MAX + 1];
    void *slots = scan->in + plan->path.in_count;

    memset(first, 0, plan->table->column_count + 1);
    memset(wanted, 0, plan->table->column_count + 1);
    if (plan->filter != NULL)
        (void)expr_visit(plan->filter, note_column, first);
    for (uint32_t i = 0; i < plan->width; i++)
        wanted[plan->columns[i]] = true;
    row_reader_init(&scan->reader, plan->table, first, wanted, slots);
}

static void
count_path(const struct exec *exec)
{
    const struct plan_path *path = &exec->plan->path;
    bool bounded =
        path->equal_count > 0 || path->in_count > 0 || path->low != NULL || path->high != NULL;
    enum exec_path kind = path->index != UINT32_MAX ? EXEC_PATH_INDEX
                          : path->is_point          ? EXEC_PATH_KEY
                          : bounded                 ? EXEC_PATH_KEY_RANGE
                                                    : EXEC_PATH_ALL;

    if (exec->context->path_counts != NULL)
        exec->context->path_counts[kind]++;
}

static bool
is_test(const struct expr *expr, struct scan_test *out)
{
    if (expr->kind != EXPR_COMPARE || expr->negated || expr->arguments[0]->kind != EXPR_COLUMN ||
        expr->arguments[1]->kind != EXPR_CONSTANT || expr->arguments[1]->constant.null ||
        !value_type_is_integer(expr->arguments[0]->type.type) ||
        !value_type_is_integer(expr->arguments[1]->constant.type))
        return false;
    *out = (struct scan_test){expr->arguments[0]->index, expr->operator_kind,
                              expr->arguments[1]->constant.integer};
    return true;
}

/* Rows that fail a test need no look at the whole filter. */
static void
take_tests(const struct expr *filter, struct scan *scan)
{
    uint32_t count = filter == NULL ? 0 : filter->kind == EXPR_AND ? filter->argument_count : 1;

    for (uint32_t i = 0; i < count && scan->test_count < TESTS_MAX; i++) {
        if (is_test(filter->kind == EXPR_AND ? filter->arguments[i] : filter,
                    &scan->tests[scan->test_count]))
            scan->test_count++;
    }
    scan->tests_are_all = scan->test_count == count;
}

static bool
passes_tests(const struct scan *scan)
{
    for (uint32_t i = 0; i < scan->test_count; i++) {
        const struct scan_test *test = &scan->tests[i];
        const struct value *value = &scan->whole[test->column];
        int order = (value->integer > test->integer) - (value->integer < test->integer);

        if (value->null || !expr_order_satisfies(test->operator_kind, order))
            return false;
    }
    return true;
}

static enum status
open_scan(struct exec *exec)
{
    const struct plan *plan = exec->plan;
    struct exec_context *context = exec->context;
    struct scan *scan = exec->state;

    scan->whole = memory_alloc(context->memory, MEMORY_SQL, whole_size(plan));
    if (scan->whole == NULL)
        return STATUS_NO_MEMORY;
    scan->in = scan->whole + plan->table->column_count + 1;
    init_reader(plan, scan);
    take_tests(plan->filter, scan);
    TRY(table_tree(context->txn, plan->table, UINT32_MAX, &scan->rows, context->error));
    scan->tree = scan->rows;
    count_path(exec);
    if (plan->path.index != UINT32_MAX)
        TRY(table_tree(context->txn, plan->table, plan->path.index, &scan->tree, context->error));
    return STATUS_OK;
}

static void
close_scan(struct exec *exec)
{
    struct scan *scan = exec->state;

    qtdb_cursor_close(scan->cursor);
    memory_free(exec->context->memory, MEMORY_SQL, scan->whole, whole_size(exec->plan));
    memory_free(exec->context->memory, MEMORY_SQL, scan->room, scan->room_size);
}

/* Ranges. */

/* Appends to a key. A value too long for any key leaves it as it is and sets *none_out: nothing equals
 * it, and as a bound it may be left out. */
static void
append_value(struct exec *exec, const struct value *value, struct key_bytes *key, bool *none_out)
{
    const struct plan *plan = exec->plan;
    struct byte_writer writer =
        byte_writer_init(key->bytes + key->size, sizeof(key->bytes) - key->size);

    if (plan->path.index == UINT32_MAX && table_key_is_integer(plan->table)) {
        qtdb_key_i64(value->integer, key->bytes);
        key->size = sizeof(uint64_t);
        return;
    }
    if (key_encode(value, &writer))
        key->size += writer.offset;
    else
        *none_out = true;
}

/* Nothing equals null, and nothing is above or below it. */
static enum status
append_expr(struct exec *exec, const struct expr *expr, bool is_bound, struct key_bytes *key,
            bool *none_out)
{
    struct eval eval = exec__eval(exec);
    struct value value;
    bool too_long = false;

    TRY(expr_eval(expr, NULL, &eval, &value));
    if (!value.null)
        append_value(exec, &value, key, &too_long);
    *none_out = *none_out || value.null || (too_long && !is_bound);
    return STATUS_OK;
}

/* Values of IN, sorted, each once: the rows then come in key order. */
static enum status
sort_in(struct exec *exec, struct scan *scan)
{
    struct eval eval = exec__eval(exec);

    scan->in_count = scan->in_next = 0;
    for (uint32_t i = 0; i < exec->plan->path.in_count; i++) {
        struct value value;
        uint32_t low = 0, high = scan->in_count;

        TRY(expr_eval(exec->plan->path.in[i], NULL, &eval, &value));
        if (value.null)
            continue;
        while (low < high) {
            uint32_t middle = (low + high) / 2;

            if (value_compare(&scan->in[middle], &value) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < scan->in_count && value_compare(&scan->in[low], &value) == 0)
            continue;
        memmove(&scan->in[low + 1], &scan->in[low], (scan->in_count - low) * sizeof(value));
        TRY(exec__keep_value(&value, &exec->held, &scan->in[low]));
        scan->in_count++;
    }
    return STATUS_OK;
}

/* The next range; `done` when there is none. */
static enum status
next_range(struct exec *exec, struct scan *scan)
{
    const struct plan_path *path = &exec->plan->path;
    bool none = false;

    if (scan->started && (path->in_count == 0 || scan->in_next == scan->in_count)) {
        exec->done = true;
        return STATUS_OK;
    }
    if (!scan->started && path->in_count > 0)
        TRY(sort_in(exec, scan));
    scan->started = true;
    scan->begin.size = 0;
    for (uint32_t i = 0; i < path->equal_count; i++)
        TRY(append_expr(exec, path->equals[i], false, &scan->begin, &none));
    if (path->in_count > 0 && scan->in_next == scan->in_count)
        none = true;
    else if (path->in_count > 0)
        append_value(exec, &scan->in[scan->in_next++], &scan->begin, &none);
    scan->end = scan->begin;
    if (path->low != NULL)
        TRY(append_expr(exec, path->low, true, &scan->begin, &none));
    if (path->high != NULL)
        TRY(append_expr(exec, path->high, true, &scan->end, &none));
    exec->done = none;
    return STATUS_OK;
}

/* Rows. */

/* The columns asked for; their bytes are the cursor's, so they are copied, all at once. */
static enum status
give_row(struct exec *exec, const struct value *whole)
{
    const struct plan *plan = exec->plan;
    struct value *row = exec__new_row(exec);
    size_t size = 0;
    bool any = false;

    for (uint32_t i = 0; i < plan->width; i++) {
        row[i] = whole[plan->columns[i]];
        if (row[i].null || !value_type_is_bytes(row[i].type))
            continue;
        size += row[i].size;
        any = true;
    }
    if (!any)
        return STATUS_OK;
    uint8_t *copy = arena_alloc(&exec->batch.arena, size);
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < plan->width; i++) {
        if (row[i].null || !value_type_is_bytes(row[i].type))
            continue;
        memcpy(copy, row[i].bytes, row[i].size);
        row[i].bytes = copy;
        copy += row[i].size;
    }
    return STATUS_OK;
}

/* Adds the row to the batch when it passes the filter. */
static enum status
take_row(struct exec *exec, const void *key, size_t key_size, const void *bytes, size_t size)
{
    struct scan *scan = exec->state;
    struct sql_error *error = exec->context->error;
    struct row_place place;
    bool wanted = true;

    scan->read_count++;
    scan->whole[exec->plan->table->column_count] = value_bytes(QTDB_TYPE_BYTEA, key, key_size);
    TRY(row_reader_first(&scan->reader, bytes, size, &place, &exec->batch.arena, scan->whole,
                         error));
    if (!passes_tests(scan))
        return STATUS_OK;
    if (!scan->tests_are_all) {
        struct eval eval = exec__eval(exec);

        TRY(expr_is_true(exec->plan->filter, scan->whole, &eval, &wanted));
    }
    if (!wanted)
        return STATUS_OK;
    TRY(row_reader_rest(&scan->reader, &place, &exec->batch.arena, scan->whole, error));
    return give_row(exec, scan->whole);
}

static enum status
damaged_entry(struct exec *exec)
{
    return sql_error_set(exec->context->error, "XX001", -1,
                         "an index entry of table \"%s\" has no row: run qtdb-check",
                         exec->plan->table->name);
}

/* Reads a row by its key; nothing is added when it does not exist and may be missing. */
static enum status
take_by_key(struct exec *exec, const void *key, size_t key_size, bool may_miss)
{
    struct scan *scan = exec->state;
    struct memory *memory = exec->context->memory;
    size_t size = scan->room_size;

    if (scan->room == NULL) {
        scan->room = memory_alloc(memory, MEMORY_SQL, ROW_ROOM);
        if (scan->room == NULL)
            return STATUS_NO_MEMORY;
        size = scan->room_size = ROW_ROOM;
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
    return take_row(exec, key, key_size, scan->room, size);
}

static bool
is_past(const struct scan *scan, const void *key, size_t key_size)
{
    size_t least = key_size < scan->end.size ? key_size : scan->end.size;

    return least > 0 && memcmp(key, scan->end.bytes, least) > 0;
}

static bool
is_before(const struct scan *scan, const void *key, size_t key_size)
{
    size_t least = key_size < scan->begin.size ? key_size : scan->begin.size;

    return least > 0 && memcmp(key, scan->begin.bytes, least) < 0;
}

/* To the first entry of the range, or backward to its last: no key that begins with the range's end is
 * above that end followed by the greatest bytes. */
static enum qtdb_code
seek(struct scan *scan, const struct plan *plan)
{
    bool is_integer = plan->path.index == UINT32_MAX && table_key_is_integer(plan->table);
    struct key_bytes last = scan->end;

    if (!plan->path.backward)
        return qtdb_cursor_seek(scan->cursor, scan->begin.bytes, scan->begin.size);
    if (last.size > 0 && !is_integer) {
        memset(last.bytes + last.size, 0xff, sizeof(last.bytes) - last.size);
        last.size = sizeof(last.bytes);
    }
    return qtdb_cursor_seek_last(scan->cursor, last.bytes, last.size);
}

/* The next entry of the range. STATUS_NOT_FOUND past its end. */
static enum status
step(struct exec *exec, struct scan *scan)
{
    struct exec_context *context = exec->context;
    const void *key, *value;
    size_t key_size, value_size;

    if (scan->cursor == NULL)
        TRY(sql_from_code(qtdb_cursor_open(context->txn, scan->tree, &scan->cursor),
                          context->error));
    bool backward = exec->plan->path.backward;
    enum qtdb_code code = !scan->in_range ? seek(scan, exec->plan)
                          : backward      ? qtdb_cursor_previous(scan->cursor)
                                          : qtdb_cursor_next(scan->cursor);
    TRY(sql_from_code(code, context->error));
    scan->in_range = true;
    qtdb_cursor_row(scan->cursor, &key, &key_size, &value, &value_size);
    if (backward ? is_before(scan, key, key_size) : is_past(scan, key, key_size))
        return STATUS_NOT_FOUND;
    return scan->tree == scan->rows ? take_row(exec, key, key_size, value, value_size)
                                    : take_by_key(exec, value, value_size, false);
}

static enum status
fill_batch(struct exec *exec, struct scan *scan)
{
    const struct plan_path *path = &exec->plan->path;
    bool by_key = path->index == UINT32_MAX && path->is_point;

    while (!exec->done && !exec__is_full(exec)) {
        if (!scan->in_range) {
            TRY(next_range(exec, scan));
            if (exec->done)
                return STATUS_OK;
        }
        if (by_key) {
            TRY(take_by_key(exec, scan->begin.bytes, scan->begin.size, true));
            continue;
        }
        enum status status = step(exec, scan);
        if (status == STATUS_NOT_FOUND)
            scan->in_range = false;
        else
            TRY(status);
        TRY(exec__check_interrupt(exec->context));
    }
    return STATUS_OK;
}

static enum status
next_scan(struct exec *exec)
{
    struct scan *scan = exec->state;
    uint64_t before = scan->read_count;
    enum status status = fill_batch(exec, scan);

    if (exec->measure != NULL)
        exec->measure->read_count += scan->read_count - before;
    if (exec->context->progress != NULL)
        exec->context->progress->row_count += scan->read_count - before;
    return status;
}

static void
rewind_scan(struct exec *exec)
{
    struct scan *scan = exec->state;

    scan->started = scan->in_range = false;
    count_path(exec);
    exec__release(exec);
}

/* Trees stay: what drops one changes the catalog's version, and the plan with it. */
static void
park_scan(struct exec *exec)
{
    struct scan *scan = exec->state;

    qtdb_cursor_close(scan->cursor);
    scan->cursor = NULL;
    if (scan->room_size > ROW_ROOM) {
        memory_free(exec->context->memory, MEMORY_SQL, scan->room, scan->room_size);
        scan->room = NULL;
        scan->room_size = 0;
    }
}

const struct exec__class exec__scan_class = {.state_size = sizeof(struct scan),
                                             .open = open_scan,
                                             .next = next_scan,
                                             .rescan = rewind_scan,
                                             .park = park_scan,
                                             .close = close_scan};
