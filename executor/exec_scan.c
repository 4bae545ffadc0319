/*
 * SCAN: from the first key wanted to the last, decode, filter, hand out the columns asked for. Columns
 * that the filter reads are decoded first, the others asked for only in rows that pass. A whole row key
 * is looked up without a cursor; an index's tree leads to the row's key.
 */
#include <string.h>

#include "executor/exec_scan.h"
#include "kernel/base/check.h"
#include "kernel/database.h"

/* Of the filter, which is a conjunction when it is an AND. */
static uint32_t
conjunct_count(const struct plan *plan)
{
    if (plan->filter == NULL)
        return 0;
    return plan->filter->kind == EXPR_AND ? plan->filter->argument_count : 1;
}

static size_t
whole_size(const struct plan *plan)
{
    return ((size_t)plan->table->column_count + 1 + plan->path.in_count) * sizeof(struct value) +
           plan->table->slot_count * sizeof(struct row_slot) +
           conjunct_count(plan) * sizeof(const struct expr *);
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
    struct row_slot *slots = (void *)(scan->in + plan->path.in_count);

    scan->rest = (void *)(slots + plan->table->slot_count);
    memset(first, 0, plan->table->column_count + 1);
    memset(wanted, 0, plan->table->column_count + 1);
    if (plan->filter != NULL)
        (void)expr_visit(plan->filter, note_column, first);
    for (uint32_t i = 0; i < plan->width; i++)
        wanted[plan->columns[i]] = true;
    scan->takes_key = wanted[plan->table->column_count];
    row_reader_init(&scan->reader, plan->table, first, wanted, slots);
}

static void
count_path(const struct exec *exec)
{
    const struct plan_path *path = &exec->plan->path;
    bool bounded = plan_path_is_bounded(path);
    enum exec_path kind = path->alone                 ? EXEC_PATH_INDEX_ALONE
                          : path->index != UINT32_MAX ? EXEC_PATH_INDEX
                          : path->is_point            ? EXEC_PATH_KEY
                          : bounded                   ? EXEC_PATH_KEY_RANGE
                                                      : EXEC_PATH_ALL;

    if (exec->context->path_counts != NULL)
        exec->context->path_counts[kind]++;
}

/* What can be asked of a row while it is read, and what has to be evaluated afterwards. */
static void
divide_filter(const struct plan *plan, struct scan *scan)
{
    uint32_t count = conjunct_count(plan);

    for (uint32_t i = 0; i < count; i++) {
        const struct expr *one =
            plan->filter->kind == EXPR_AND ? plan->filter->arguments[i] : plan->filter;

        if (scan->test_count < SCAN_TESTS_MAX && row_test_init(&scan->tests[scan->test_count], one))
            scan->test_count++;
        else
            scan->rest[scan->rest_count++] = one;
    }
    row_reader_set_tests(&scan->reader, scan->tests, scan->test_count);
    scan->reads_spans = scan->rest_count == 0 && !scan->takes_key;
    if (scan->reads_spans)
        row_reader_set_outputs(&scan->reader, plan->columns, plan->width);
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
    divide_filter(plan, scan);
    TRY(table_tree(context->txn, plan->table, UINT32_MAX, &scan->rows, context->error));
    scan->tree = scan->rows;
    scan->look_wanted = SCAN_LOOK_FEW;
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
    scan__look_free(exec);
    scan__prime_free(exec);
    memory_free(exec->context->memory, MEMORY_SQL, scan->whole, whole_size(exec->plan));
    memory_free(exec->context->memory, MEMORY_SQL, scan->room, scan->room_size);
}

/* Ranges. */

/* Of a column of the key. */
static uint32_t
order_of(const struct plan *plan, uint32_t position)
{
    return plan->path.index == UINT32_MAX ? KEY_ASCENDING
                                          : plan->table->indexes[plan->path.index].orders[position];
}

/* Appends to a key. A value too long for any key leaves it as it is and sets *none_out: nothing equals
 * it, and as a bound it may be left out. */
static void
append_value(struct exec *exec, const struct value *value, uint32_t position, struct scan_key *key,
             bool *none_out)
{
    const struct plan *plan = exec->plan;
    struct byte_writer writer =
        byte_writer_init(key->bytes + key->size, sizeof(key->bytes) - key->size);

    if (plan->path.index == UINT32_MAX && table_key_is_integer(plan->table)) {
        qtdb_key_i64(value->integer, key->bytes);
        key->size = sizeof(uint64_t);
        return;
    }
    if (key_encode_in(value, order_of(plan, position), &writer))
        key->size += writer.offset;
    else
        *none_out = true;
}

/* Nothing equals null, and nothing is above or below it. */
static enum status
append_expr(struct exec *exec, const struct expr *expr, uint32_t position, bool is_bound,
            struct scan_key *key, bool *none_out)
{
    struct eval eval = exec__eval(exec);
    struct value value;
    bool too_long = false;

    TRY(expr_eval(expr, NULL, &eval, &value));
    if (!value.null)
        append_value(exec, &value, position, key, &too_long);
    *none_out = *none_out || value.null || (too_long && !is_bound);
    return STATUS_OK;
}

/* What all nulls, or all values, of a key's column begin with. */
static void
append_mark(struct scan_key *key, uint8_t mark)
{
    if (key->size < sizeof(key->bytes))
        key->bytes[key->size++] = mark;
}

/* Values of IN, sorted as the key's column is, each once: the rows then come in key order. */
static enum status
sort_in(struct exec *exec, struct scan *scan)
{
    bool descending = (order_of(exec->plan, exec->plan->path.equal_count) & KEY_DESCENDING) != 0;
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

            int sign = value_compare(&scan->in[middle], &value);

            if (descending ? sign > 0 : sign < 0)
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

/* The ends of the range in the column behind those that are equal; without nulls they are values. */
static enum status
append_bounds(struct exec *exec, struct scan *scan, bool *none)
{
    const struct plan_path *path = &exec->plan->path;
    uint32_t position = path->equal_count, order = KEY_ASCENDING;

    scan->end = scan->begin;
    if (path->low == NULL && path->high == NULL && !path->not_null)
        return STATUS_OK;
    order = order_of(exec->plan, position);
    bool descending = (order & KEY_DESCENDING) != 0;
    const struct expr *begin = descending ? path->high : path->low;
    const struct expr *end = descending ? path->low : path->high;
    if (begin != NULL)
        TRY(append_expr(exec, begin, position, true, &scan->begin, none));
    else if (path->not_null)
        append_mark(&scan->begin, key_mark(order, false));
    if (end != NULL)
        TRY(append_expr(exec, end, position, true, &scan->end, none));
    else if (path->not_null)
        append_mark(&scan->end, key_mark(order, false));
    return STATUS_OK;
}

/* The next range; `done` when there is none. */
enum status
scan__next_range(struct exec *exec, struct scan *scan)
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
    for (uint32_t i = 0; i < path->equal_count; i++) {
        if ((path->nulls >> i & 1) != 0)
            append_mark(&scan->begin, key_mark(order_of(exec->plan, i), true));
        else
            TRY(append_expr(exec, path->equals[i], i, false, &scan->begin, &none));
    }
    if (path->in_count > 0 && scan->in_next == scan->in_count)
        none = true;
    else if (path->in_count > 0)
        append_value(exec, &scan->in[scan->in_next++], path->equal_count, &scan->begin, &none);
    TRY(append_bounds(exec, scan, &none));
    exec->done = none;
    return STATUS_OK;
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
    struct scan_key last = scan->end;

    if (!plan->path.backward)
        return qtdb_cursor_seek(scan->cursor, scan->begin.bytes, scan->begin.size);
    if (last.size > 0 && !is_integer) {
        memset(last.bytes + last.size, 0xff, sizeof(last.bytes) - last.size);
        last.size = sizeof(last.bytes);
    }
    return qtdb_cursor_seek_last(scan->cursor, last.bytes, last.size);
}

/* To the next entry of the range, whose key and value are the cursor's. STATUS_NOT_FOUND past its end. */
static enum status
step(struct exec *exec, struct scan *scan, struct scan_entry *out)
{
    struct exec_context *context = exec->context;

    TRY(exec__check_interrupt(context));
    if (scan->cursor == NULL)
        TRY(sql_from_code(qtdb_cursor_open(context->txn, scan->tree, &scan->cursor),
                          context->error));
    bool backward = exec->plan->path.backward;
    enum qtdb_code code = !scan->in_range ? seek(scan, exec->plan)
                          : backward      ? qtdb_cursor_previous(scan->cursor)
                                          : qtdb_cursor_next(scan->cursor);
    scan->in_range = false;
    if (code == QTDB_NOT_FOUND)
        return STATUS_NOT_FOUND;
    TRY(sql_from_code(code, context->error));
    qtdb_cursor_row(scan->cursor, &out->key, &out->key_size, &out->value, &out->value_size);
    if (backward ? is_before(scan, out->key, out->key_size)
                 : is_past(scan, out->key, out->key_size))
        return STATUS_NOT_FOUND;
    scan->in_range = true;
    return STATUS_OK;
}

/* No more than are wanted, so that a LIMIT reads what it gives. */
static uint32_t
wanted_of_batch(const struct exec *exec)
{
    uint64_t most = exec->capacity - exec->batch.count, goal = exec->goal - exec->batch.count;

    return (uint32_t)(most < goal ? most : goal);
}

/* Rows of which nothing is asked but that they are there. */
static enum status
count_span(struct exec *exec, struct scan *scan)
{
    uint32_t count = 1;

    while (count > 0 && !exec__is_full(exec)) {
        TRY(exec__check_interrupt(exec->context));
        count = database_cursor_span(scan->cursor, wanted_of_batch(exec), NULL, NULL);
        exec->batch.count += count;
        scan->read_count += count;
        scan->span_count += count;
    }
    return STATUS_OK;
}

/* The same for who takes a batch of any number of them: those of whole leaves by the leaves' headers. */
static enum status
count_leaves(struct exec *exec, struct scan *scan)
{
    uint64_t passed = 0;
    uint32_t leaves = 0;
    enum qtdb_code code = database_cursor_skip(scan->cursor, SCAN_LEAVES_MAX, &passed, &leaves);

    scan->in_range = code == QTDB_OK;
    exec->batch.count += (uint32_t)passed + scan->in_range;
    scan->read_count += passed + scan->in_range;
    scan->span_count += passed;
    scan->leaf_count += leaves;
    return code == QTDB_NOT_FOUND ? STATUS_OK : sql_from_code(code, exec->context->error);
}

/* The rows that follow beside the present one, without their keys: in a scan to the table's end nobody asks
 * for those. When the batch has rows enough, *ends_out: it ends with the leaf, whose copy stays as it is
 * until the next batch, so that nothing need be copied out of it. */
static enum status
take_span(struct exec *exec, struct scan *scan, bool *ends_out)
{
    const void *values[SCAN_SPAN_MAX];
    uint32_t sizes[SCAN_SPAN_MAX], count = 1, first = exec->batch.count;

    while (count > 0 && !exec__is_full(exec)) {
        uint32_t most = wanted_of_batch(exec);

        TRY(exec__check_interrupt(exec->context));
        count = database_cursor_span(scan->cursor, most < SCAN_SPAN_MAX ? most : SCAN_SPAN_MAX,
                                     values, sizes);
        scan->span_count += count;
        TRY(scan__borrow_rows(exec, values, sizes, count));
    }
    *ends_out = exec->batch.count >= SCAN_BORROW_MIN || exec__is_full(exec);
    return *ends_out || exec->batch.count == first ? STATUS_OK : scan__keep_rows(exec, first);
}

/* Rows behind the present one, when the scan goes to the table's end. */
static enum status
take_together(struct exec *exec, struct scan *scan, bool *ends_out)
{
    if (exec->plan->width > 0 || exec->plan->filter != NULL)
        return take_span(exec, scan, ends_out);
    *ends_out = exec->counts;
    return exec->counts ? count_leaves(exec, scan) : count_span(exec, scan);
}

/* Rows where the cursor is. */
static enum status
fill_from_cursor(struct exec *exec, struct scan *scan)
{
    const struct plan_path *path = &exec->plan->path;
    bool takes_spans = !path->alone && !path->backward && !scan->takes_key, ends = false;

    while (!exec->done && !exec__is_full(exec) && !ends) {
        struct scan_entry entry;

        if (!scan->in_range)
            TRY(scan__next_range(exec, scan));
        if (exec->done)
            return STATUS_OK;
        enum status status = step(exec, scan, &entry);
        if (status == STATUS_NOT_FOUND)
            continue;
        TRY(status);
        TRY(path->alone
                ? scan__take_entry(exec, &entry)
                : scan__take_row(exec, entry.key, entry.key_size, entry.value, entry.value_size));
        if (takes_spans && scan->end.size == 0)
            TRY(take_together(exec, scan, &ends));
    }
    return STATUS_OK;
}

/* Rows behind keys: those of IN, or those that entries of an index name. */

/* Entries of an index are gathered few at first: most of them lead to few rows. */
static uint32_t
wanted_rows(const struct exec *exec, struct scan *scan)
{
    uint64_t most = exec->capacity - exec->batch.count;
    uint32_t wanted = SCAN_LOOK_MAX;

    if (most > exec->goal - exec->batch.count)
        most = exec->goal - exec->batch.count;
    if (exec->plan->path.index != UINT32_MAX) {
        wanted = scan->look_wanted;
        scan->look_wanted = wanted * 4 < SCAN_LOOK_MAX ? wanted * 4 : SCAN_LOOK_MAX;
    }
    return wanted < most ? wanted : (uint32_t)most;
}

/* The next key into the gathered ones; STATUS_NOT_FOUND at the end of a range. */
enum status
scan__gather_one(struct exec *exec, struct scan *scan)
{
    const struct plan_path *path = &exec->plan->path;
    struct scan_entry entry;

    if (path->index == UINT32_MAX) {
        scan__look_add(scan, scan->begin.bytes, scan->begin.size);
        return STATUS_OK;
    }
    TRY(step(exec, scan, &entry));
    if (!table_entry_row_key(exec->plan->table, path->index, entry.value, entry.value_size,
                             &entry.key, &entry.key_size))
        return scan__damaged_entry(exec);
    scan__look_add(scan, entry.key, entry.key_size);
    return STATUS_OK;
}

static enum status
fill_by_look_ups(struct exec *exec, struct scan *scan)
{
    while (!exec->done && !exec__is_full(exec)) {
        TRY(scan__look_begin(exec, wanted_rows(exec, scan)));
        while (!exec->done && scan__look_has_room(scan)) {
            if (!scan->in_range)
                TRY(scan__next_range(exec, scan));
            enum status status = exec->done ? STATUS_NOT_FOUND : scan__gather_one(exec, scan);

            if (status != STATUS_NOT_FOUND)
                TRY(status);
        }
        TRY(scan__look_up(exec, exec->plan->path.index == UINT32_MAX));
    }
    return STATUS_OK;
}

static enum status
fill_batch(struct exec *exec, struct scan *scan)
{
    const struct plan_path *path = &exec->plan->path;
    bool by_key = path->index == UINT32_MAX && path->is_point;

    if (scan->is_primed)
        return scan__take_primed(exec);
    if (path->alone || (!by_key && path->index == UINT32_MAX))
        return fill_from_cursor(exec, scan);
    if (!by_key || path->in_count > 0)
        return fill_by_look_ups(exec, scan);
    TRY(scan__next_range(exec, scan));
    return exec->done ? STATUS_OK
                      : scan__take_by_key(exec, scan->begin.bytes, scan->begin.size, true);
}

/* What the scan has counted since the last batch. */
static void
note_counts(struct exec *exec, struct scan *scan)
{
    uint64_t *const totals = exec->context->path_counts;

    if (exec->measure != NULL) {
        exec->measure->read_count += scan->read_count;
        exec->measure->span_count += scan->span_count;
        exec->measure->leaf_count += scan->leaf_count;
    }
    if (exec->context->progress != NULL)
        exec->context->progress->row_count += scan->read_count;
    if (totals != NULL) {
        totals[EXEC_PATH_SPAN_ROWS] += scan->span_count;
        totals[EXEC_PATH_LEAVES] += scan->leaf_count;
    }
    scan->read_count = scan->span_count = scan->leaf_count = 0;
}

static enum status
next_scan(struct exec *exec)
{
    struct scan *scan = exec->state;
    enum status status = fill_batch(exec, scan);

    note_counts(exec, scan);
    return status;
}

static void
rewind_scan(struct exec *exec)
{
    struct scan *scan = exec->state;

    scan->started = scan->in_range = scan->is_primed = false;
    scan->look_wanted = SCAN_LOOK_FEW;
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
    if (scan->look_capacity > SCAN_LOOK_FEW)
        scan__look_free(exec);
    if (scan->room_size > SCAN_ROW_ROOM) {
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
