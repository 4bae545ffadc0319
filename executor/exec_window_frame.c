/*
 * Frames of a window, and the functions over a partition or a frame that are no aggregates. Bounds of
 * RANGE with an offset are found by binary search in the sorted partition.
 */
#include <string.h>

#include "executor/exec_window.h"
#include "executor/numeric.h"
#include "kernel/base/check.h"

/* Offsets. */

/* NaN counts as negative: it is refused as well. */

static bool
is_negative(const struct value *value)
{
    struct numeric_header header;

    switch (value->type) {
    case QTDB_TYPE_FLOAT8:
        return value->real < 0 || value->real != value->real;
    case QTDB_TYPE_NUMERIC:
        memcpy(&header, value->bytes, sizeof(header));
        return le16_get(header.sign) != NUMERIC_POSITIVE;
    case QTDB_TYPE_INT8:
        return value->integer < 0;
    default:
        return false; /* An interval's sign is not one of its parts. */
    }
}

static enum status
eval_offset(struct exec *exec, const struct expr *expr, const char *which, struct value *out)
{
    struct eval eval = exec__eval(exec);

    TRY(expr_eval(expr, NULL, &eval, out));
    if (out->null)
        return sql_error_set(exec->context->error, "22004", expr->location,
                             "frame %s offset must not be null", which);
    if (is_negative(out))
        return sql_error_set(exec->context->error, "22013", expr->location,
                             "frame %s offset must not be negative", which);
    return STATUS_OK;
}

/* An offset past every partition counts as that. */
static enum status
eval_count(struct exec *exec, const struct expr *expr, const char *which, size_t most, size_t *out)
{
    struct value value;

    TRY(eval_offset(exec, expr, which, &value));
    *out = (uint64_t)value.integer > most ? most : (size_t)value.integer;
    return STATUS_OK;
}

/* RANGE with an offset. */

static int
compare_key(const struct rel_frame *frame, const struct value *key, const struct value *bound)
{
    int order = exec__compare(key, bound, frame->nulls_first != frame->descending);

    return frame->descending ? -order : order;
}

/* The first row whose key is not before the bound, or, `after`, is past it. */
static enum status
search(struct exec *exec, struct exec__window *window, const struct rel_frame *frame,
       const struct value *bound, bool after, size_t *out)
{
    const struct exec__partition *partition = &window->partition;
    size_t low = 0, high = partition->count;
    struct eval eval = exec__eval(exec);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct value key;

        TRY(expr_eval(frame->range_key, partition->rows[middle], &eval, &key));
        int order = compare_key(frame, &key, bound);
        if (order < 0 || (order == 0 && after))
            low = middle + 1;
        else
            high = middle;
    }
    *out = low;
    return STATUS_OK;
}

static enum status
range_bound(struct exec *exec, struct exec__window *window, const struct rel_frame *frame,
            size_t index, bool is_end, size_t *out)
{
    const struct exec__partition *partition = &window->partition;
    const struct expr *offset = is_end ? frame->end_offset : frame->start_offset;
    struct eval eval = exec__eval(exec);
    struct value value;

    TRY(eval_offset(exec, offset, is_end ? "ending" : "starting", &value));
    TRY(expr_eval(is_end ? frame->range_end : frame->range_start, partition->rows[index], &eval,
                  &value));
    /* A null key is next to other nulls only. */
    if (value.null) {
        *out = partition->starts[partition->groups[index] + (is_end ? 1 : 0)];
        return STATUS_OK;
    }
    return search(exec, window, frame, &value, is_end, out);
}

/* One end of a frame; the end is the row after the last. */

static enum status
rows_bound(struct exec *exec, const struct exec__partition *partition, const struct expr *offset,
           enum ast_frame_bound bound, size_t index, bool is_end, size_t *out)
{
    size_t count = 0, base = index + (is_end ? 1 : 0);

    TRY(eval_count(exec, offset, is_end ? "ending" : "starting", partition->count, &count));
    if (bound == AST_BOUND_PRECEDING)
        *out = base > count ? base - count : 0;
    else
        *out = base + count < partition->count ? base + count : partition->count;
    return STATUS_OK;
}

static enum status
groups_bound(struct exec *exec, const struct exec__partition *partition, const struct expr *offset,
             enum ast_frame_bound bound, size_t index, bool is_end, size_t *out)
{
    size_t count = 0, group = partition->groups[index] + (is_end ? 1 : 0);

    TRY(eval_count(exec, offset, is_end ? "ending" : "starting", partition->count, &count));
    if (bound == AST_BOUND_PRECEDING)
        group = group > count ? group - count : 0;
    else
        group = group + count < partition->group_count ? group + count : partition->group_count;
    *out = partition->starts[group];
    return STATUS_OK;
}

static enum status
find_bound(struct exec *exec, struct exec__window *window, const struct rel_frame *frame,
           size_t index, bool is_end, size_t *out)
{
    const struct exec__partition *partition = &window->partition;
    enum ast_frame_bound bound = is_end ? frame->end : frame->start;
    const struct expr *offset = is_end ? frame->end_offset : frame->start_offset;

    switch (bound) {
    case AST_BOUND_FIRST:
        *out = 0;
        return STATUS_OK;
    case AST_BOUND_LAST:
        *out = partition->count;
        return STATUS_OK;
    case AST_BOUND_CURRENT:
        if (frame->mode == AST_FRAME_ROWS)
            *out = index + (is_end ? 1 : 0);
        else
            *out = partition->starts[partition->groups[index] + (is_end ? 1 : 0)];
        return STATUS_OK;
    default:
        if (frame->mode == AST_FRAME_ROWS)
            return rows_bound(exec, partition, offset, bound, index, is_end, out);
        if (frame->mode == AST_FRAME_GROUPS)
            return groups_bound(exec, partition, offset, bound, index, is_end, out);
        return range_bound(exec, window, frame, index, is_end, out);
    }
}

bool
exec__window_has_frame(enum rel_window_kind kind)
{
    return kind == REL_WINDOW_AGGREGATE || kind == REL_FIRST_VALUE || kind == REL_LAST_VALUE ||
           kind == REL_NTH_VALUE;
}

enum status
exec__window_frame(struct exec *exec, struct exec__window *window, const struct rel_window *call,
                   size_t index, struct exec__frame *out)
{
    TRY(find_bound(exec, window, &call->frame, index, false, &out->start));
    TRY(find_bound(exec, window, &call->frame, index, true, &out->end));
    if (out->end < out->start)
        out->end = out->start;
    out->exclusion = call->frame.exclusion;
    out->excludes = out->exclusion != AST_EXCLUDE_NOTHING;
    return STATUS_OK;
}

bool
exec__window_excludes(const struct exec__partition *partition, const struct exec__frame *frame,
                      size_t index, size_t row)
{
    bool peer = partition->groups[row] == partition->groups[index];

    switch (frame->exclusion) {
    case AST_EXCLUDE_CURRENT:
        return row == index;
    case AST_EXCLUDE_GROUP:
        return peer;
    case AST_EXCLUDE_TIES:
        return peer && row != index;
    default:
        return false;
    }
}

/* Functions. */

static enum status
value_at(struct exec *exec, const struct exec__window *window, const struct rel_window *call,
         uint32_t argument, size_t row, struct value *out)
{
    struct eval eval = exec__eval(exec);

    return expr_eval(call->arguments[argument], window->partition.rows[row], &eval, out);
}

/* The n-th row of the frame from its start, or from its end; `count` of the partition: none. */
static size_t
frame_row(const struct exec__partition *partition, const struct exec__frame *frame, size_t index,
          size_t n, bool from_end)
{
    if (!frame->excludes) {
        if (n > frame->end - frame->start)
            return partition->count;
        return from_end ? frame->end - n : frame->start + n - 1;
    }
    for (size_t i = frame->start; i < frame->end; i++) {
        size_t row = from_end ? frame->end - 1 - (i - frame->start) : i;

        if (!exec__window_excludes(partition, frame, index, row) && --n == 0)
            return row;
    }
    return partition->count;
}

static enum status
from_frame(struct exec *exec, const struct exec__window *window, const struct rel_window *call,
           size_t index, const struct exec__frame *frame, struct value *out)
{
    size_t row, n = 1;

    *out = value_null(call->type.type);
    if (call->kind == REL_NTH_VALUE) {
        struct value nth;

        TRY(value_at(exec, window, call, 1, index, &nth));
        if (nth.null)
            return STATUS_OK;
        if (nth.integer <= 0)
            return sql_error_set(exec->context->error, "22016", call->arguments[1]->location,
                                 "argument of nth_value must be greater than zero");
        n = (size_t)nth.integer;
    }
    row = frame_row(&window->partition, frame, index, n, call->kind == REL_LAST_VALUE);
    return row == window->partition.count ? STATUS_OK : value_at(exec, window, call, 0, row, out);
}

static enum status
shifted(struct exec *exec, const struct exec__window *window, const struct rel_window *call,
        size_t index, struct value *out)
{
    int64_t offset = 1, row;

    *out = value_null(call->type.type);
    if (call->argument_count > 1) {
        struct value value;

        TRY(value_at(exec, window, call, 1, index, &value));
        if (value.null)
            return STATUS_OK;
        offset = value.integer;
    }
    row = (int64_t)index + (call->kind == REL_LEAD ? offset : -offset);
    if (row >= 0 && row < (int64_t)window->partition.count)
        return value_at(exec, window, call, 0, (size_t)row, out);
    return call->argument_count < 3 ? STATUS_OK : value_at(exec, window, call, 2, index, out);
}

/* The first buckets have one row more when the rows do not divide evenly. */
static enum status
ntile(struct exec *exec, const struct exec__window *window, const struct rel_window *call,
      size_t index, struct value *out)
{
    size_t count = window->partition.count;

    TRY(value_at(exec, window, call, 0, 0, out));
    if (out->null)
        return STATUS_OK;
    if (out->integer <= 0)
        return sql_error_set(exec->context->error, "22014", call->arguments[0]->location,
                             "argument of ntile must be greater than zero");
    size_t buckets = (size_t)out->integer, size = count / buckets, larger = count % buckets;
    size_t bucket = index < larger * (size + 1)
                        ? index / (size + 1)
                        : larger + (index - larger * (size + 1)) / (size > 0 ? size : 1);
    *out = value_integer(QTDB_TYPE_INT4, (int64_t)bucket + 1);
    return STATUS_OK;
}

enum status
exec__window_function(struct exec *exec, struct exec__window *window, const struct rel_window *call,
                      size_t index, const struct exec__frame *frame, struct value *out)
{
    const struct exec__partition *partition = &window->partition;
    size_t group = partition->groups[index], rank = partition->starts[group] + 1;
    double count = (double)partition->count;

    switch (call->kind) {
    case REL_ROW_NUMBER:
        *out = value_integer(QTDB_TYPE_INT8, (int64_t)index + 1);
        return STATUS_OK;
    case REL_RANK:
        *out = value_integer(QTDB_TYPE_INT8, (int64_t)rank);
        return STATUS_OK;
    case REL_DENSE_RANK:
        *out = value_integer(QTDB_TYPE_INT8, (int64_t)group + 1);
        return STATUS_OK;
    case REL_PERCENT_RANK:
        *out = value_real(QTDB_TYPE_FLOAT8, count > 1 ? (double)(rank - 1) / (count - 1) : 0);
        return STATUS_OK;
    case REL_CUME_DIST:
        *out = value_real(QTDB_TYPE_FLOAT8, (double)partition->starts[group + 1] / count);
        return STATUS_OK;
    case REL_NTILE:
        return ntile(exec, window, call, index, out);
    case REL_LAG:
    case REL_LEAD:
        return shifted(exec, window, call, index, out);
    default:
        return from_frame(exec, window, call, index, frame, out);
    }
}
