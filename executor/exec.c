/*
 * Nodes: each has a state, a function that fills its batch, and an input. A node resets its batch's
 * arena at the start of a call, so that rows live until the caller asks for more.
 */
#include "executor/exec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/exec_private.h"
#include "executor/numeric.h"
#include "kernel/base/check.h"

struct group {
    struct value *keys;
    struct value *results; /* One an aggregate. */
    uint64_t *counts;
    struct group *next; /* In its bucket. */
};

struct exec {
    const struct exec_context *context;
    const struct plan *plan;
    struct exec *input;
    struct batch batch;
    bool done;
    struct exec__scan scan;
    uint64_t position;   /* Rows handed out; VALUES: next row; LIMIT: rows seen. */
    struct arena held;   /* SORT, AGGREGATE, DISTINCT. */
    struct value **rows; /* SORT: rows in order. */
    size_t row_count;
    size_t row_capacity;
    struct group **buckets; /* AGGREGATE, DISTINCT. */
    size_t bucket_count;
    struct group **groups; /* In order of appearance. */
    size_t group_count;
    size_t group_capacity;
};

/* Shared pieces. */

enum status
exec__check_memory(const struct exec_context *context, const struct arena *arena)
{
    if (arena->total_size <= EXEC_MEMORY_MAX)
        return STATUS_OK;
    return sql_error_set(context->error, "53200", -1,
                         "the statement needs more than %d MiB of memory", EXEC_MEMORY_MAX >> 20);
}

enum status
exec__keep_value(const struct value *value, struct arena *arena, struct value *out)
{
    *out = *value;
    if (value->null || !value_type_is_bytes(value->type))
        return STATUS_OK;
    uint8_t *copy = arena_alloc(arena, (size_t)value->size + 1);
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    memcpy(copy, value->bytes, value->size);
    out->bytes = copy;
    return STATUS_OK;
}

int
exec__compare(const struct value *left, const struct value *right, bool nulls_first)
{
    if (left->null || right->null) {
        int order = (int)left->null - (int)right->null;

        return nulls_first ? -order : order;
    }
    return value_compare(left, right);
}

static struct eval
eval_of(struct exec *exec)
{
    return (struct eval){.arena = &exec->batch.arena, .error = exec->context->error};
}

static struct value *
row_of(const struct batch *batch, uint32_t index)
{
    return batch->values + (size_t)index * batch->width;
}

/* Leaves. */

static enum status
next_result(struct exec *exec)
{
    struct eval eval = eval_of(exec);
    bool wanted = true;

    if (exec->plan->filter != NULL)
        TRY(expr_is_true(exec->plan->filter, NULL, &eval, &wanted));
    exec->batch.count = wanted ? 1 : 0;
    exec->done = true;
    return STATUS_OK;
}

static enum status
next_values(struct exec *exec)
{
    const struct plan *plan = exec->plan;
    struct batch *batch = &exec->batch;
    struct eval eval = eval_of(exec);

    while (exec->position < plan->row_count && batch->count < EXEC_BATCH_ROWS) {
        struct value *row = row_of(batch, batch->count++);

        for (uint32_t i = 0; i < batch->width; i++)
            TRY(expr_eval(plan->exprs[exec->position * batch->width + i], NULL, &eval, &row[i]));
        exec->position++;
    }
    return STATUS_OK;
}

static enum status
next_scan(struct exec *exec)
{
    struct batch *batch = &exec->batch;

    while (batch->count < EXEC_BATCH_ROWS) {
        const void *key;
        size_t key_size;
        enum status status = exec__scan_next(&exec->scan, &batch->arena,
                                             row_of(batch, batch->count), &key, &key_size);

        if (status == STATUS_NOT_FOUND) {
            exec->done = true;
            return STATUS_OK;
        }
        TRY(status);
        batch->count++;
    }
    return STATUS_OK;
}

/* One batch in, one batch out. */

static enum status
next_project(struct exec *exec)
{
    const struct batch *input;
    struct batch *batch = &exec->batch;
    struct eval eval = eval_of(exec);

    TRY(exec_next(exec->input, &input));
    for (uint32_t i = 0; i < input->count; i++) {
        struct value *row = row_of(batch, batch->count++);

        for (uint32_t k = 0; k < batch->width; k++)
            TRY(expr_eval(exec->plan->exprs[k], row_of(input, i), &eval, &row[k]));
    }
    exec->done = input->count == 0;
    return STATUS_OK;
}

static enum status
limit_of(struct exec *exec, const struct expr *expr, const char *what, uint64_t none, uint64_t *out)
{
    struct eval eval = eval_of(exec);
    struct value value;

    *out = none;
    if (expr == NULL)
        return STATUS_OK;
    TRY(expr_eval(expr, NULL, &eval, &value));
    if (value.null)
        return STATUS_OK;
    if (value.integer < 0)
        return sql_error_set(exec->context->error, what[0] == 'L' ? "2201W" : "2201X",
                             expr->location, "%s must not be negative", what);
    *out = (uint64_t)value.integer;
    return STATUS_OK;
}

static enum status
next_limit(struct exec *exec)
{
    const struct batch *input;
    struct batch *batch = &exec->batch;
    uint64_t limit, offset;

    TRY(limit_of(exec, exec->plan->limit, "LIMIT", UINT64_MAX, &limit));
    TRY(limit_of(exec, exec->plan->offset, "OFFSET", 0, &offset));
    uint64_t end = limit > UINT64_MAX - offset ? UINT64_MAX : offset + limit;
    while (batch->count == 0 && exec->position < end) {
        TRY(exec_next(exec->input, &input));
        if (input->count == 0)
            break;
        for (uint32_t i = 0; i < input->count; i++, exec->position++) {
            if (exec->position >= offset && exec->position < end)
                memcpy(row_of(batch, batch->count++), row_of(input, i),
                       batch->width * sizeof(struct value));
        }
    }
    exec->done = batch->count == 0 || exec->position >= end;
    return STATUS_OK;
}

/* Sorting. */

static int
compare_rows(const struct plan *plan, const struct value *left, const struct value *right)
{
    for (uint32_t i = 0; i < plan->sort_count; i++) {
        const struct plan_sort_key *key = &plan->sort_keys[i];
        const struct value *a = &left[key->column], *b = &right[key->column];
        int order = exec__compare(a, b, key->nulls_first != key->descending);

        if (order != 0)
            return key->descending ? -order : order;
    }
    return 0;
}

static enum status
hold_row(struct exec *exec, const struct value *row)
{
    uint32_t width = exec->plan->column_count;
    struct value *copy = arena_alloc(&exec->held, width * sizeof(*copy));

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < width; i++)
        TRY(exec__keep_value(&row[i], &exec->held, &copy[i]));
    if (exec->row_count == exec->row_capacity) {
        size_t capacity = exec->row_capacity == 0 ? 1024 : 2 * exec->row_capacity;
        struct value **rows = arena_alloc(&exec->held, capacity * sizeof(struct value *));

        if (rows == NULL)
            return STATUS_NO_MEMORY;
        if (exec->row_count > 0)
            memcpy(rows, exec->rows, exec->row_count * sizeof(struct value *));
        exec->rows = rows;
        exec->row_capacity = capacity;
    }
    exec->rows[exec->row_count++] = copy;
    return exec__check_memory(exec->context, &exec->held);
}

/* Bottom-up merge sort: stable, no recursion, one array of pointers beside the rows. */
static enum status
sort_rows(struct exec *exec)
{
    struct value **from = exec->rows;

    if (exec->row_count == 0)
        return STATUS_OK;
    CHECK(from != NULL);
    struct value **to = arena_alloc(&exec->held, exec->row_count * sizeof(struct value *));

    if (to == NULL)
        return STATUS_NO_MEMORY;
    for (size_t run = 1; run < exec->row_count; run *= 2) {
        for (size_t start = 0; start < exec->row_count; start += 2 * run) {
            size_t middle = start + run < exec->row_count ? start + run : exec->row_count;
            size_t end = middle + run < exec->row_count ? middle + run : exec->row_count;
            size_t left = start, right = middle;

            for (size_t i = start; i < end; i++) {
                bool take_left =
                    left < middle &&
                    (right == end || compare_rows(exec->plan, from[left], from[right]) <= 0);
                to[i] = take_left ? from[left++] : from[right++];
            }
        }
        struct value **swap = from;
        from = to;
        to = swap;
    }
    exec->rows = from;
    return STATUS_OK;
}

static enum status
take_all(struct exec *exec)
{
    const struct batch *input;

    do {
        TRY(exec_next(exec->input, &input));
        for (uint32_t i = 0; i < input->count; i++)
            TRY(hold_row(exec, row_of(input, i)));
    } while (input->count > 0);
    return sort_rows(exec);
}

static enum status
next_sort(struct exec *exec)
{
    struct batch *batch = &exec->batch;

    if (exec->position == 0 && exec->rows == NULL)
        TRY(take_all(exec));
    CHECK(exec->rows != NULL || exec->row_count == 0);
    while (exec->position < exec->row_count && batch->count < EXEC_BATCH_ROWS)
        memcpy(row_of(batch, batch->count++), exec->rows[exec->position++],
               batch->width * sizeof(struct value));
    exec->done = exec->position == exec->row_count;
    return STATUS_OK;
}

/* Groups, by hashing the encoded keys. */

static enum status
hash_keys(struct exec *exec, const struct value *keys, uint32_t count, uint64_t *out)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a over each value's printed form. */

    for (uint32_t i = 0; i < count; i++) {
        size_t size = 0;
        const char *text = "";

        if (!keys[i].null) {
            text = value_print(&keys[i], &exec->batch.arena, &size);
            if (text == NULL)
                return STATUS_NO_MEMORY;
        }
        if (keys[i].type == QTDB_TYPE_NUMERIC || keys[i].type == QTDB_TYPE_CHAR)
            size = 0; /* Equal values may print differently. */
        for (size_t k = 0; k < size; k++)
            hash = (hash ^ (uint8_t)text[k]) * 1099511628211u;
        hash = (hash ^ keys[i].null) * 1099511628211u;
    }
    *out = hash;
    return STATUS_OK;
}

static bool
same_keys(const struct value *left, const struct value *right, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (exec__compare(&left[i], &right[i], false) != 0)
            return false;
    }
    return true;
}

static enum status
new_group(struct exec *exec, const struct value *keys, uint32_t count, struct group **out)
{
    uint32_t aggregates = exec->plan->aggregate_count;
    struct group *group = arena_alloc(&exec->held, sizeof(*group));

    if (group == NULL)
        return STATUS_NO_MEMORY;
    group->keys = arena_alloc(&exec->held, count * sizeof(struct value));
    group->results = arena_alloc(&exec->held, aggregates * sizeof(struct value));
    group->counts = arena_alloc(&exec->held, aggregates * sizeof(uint64_t));
    if (group->keys == NULL || group->results == NULL || group->counts == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        TRY(exec__keep_value(&keys[i], &exec->held, &group->keys[i]));
    for (uint32_t i = 0; i < aggregates; i++)
        group->results[i] = value_null(exec->plan->aggregates[i].type.type);
    if (exec->group_count == exec->group_capacity) {
        size_t capacity = exec->group_capacity == 0 ? 256 : 2 * exec->group_capacity;
        struct group **groups = arena_alloc(&exec->held, capacity * sizeof(struct group *));

        if (groups == NULL)
            return STATUS_NO_MEMORY;
        if (exec->group_count > 0)
            memcpy(groups, exec->groups, exec->group_count * sizeof(struct group *));
        exec->groups = groups;
        exec->group_capacity = capacity;
    }
    exec->groups[exec->group_count++] = group;
    *out = group;
    return exec__check_memory(exec->context, &exec->held);
}

enum { BUCKET_COUNT = 65536 };

static enum status
find_group(struct exec *exec, const struct value *keys, uint32_t count, struct group **out,
           bool *new_out)
{
    uint64_t hash = 0;

    if (exec->buckets == NULL) {
        exec->bucket_count = BUCKET_COUNT;
        exec->buckets = arena_alloc(&exec->held, BUCKET_COUNT * sizeof(struct group *));
        if (exec->buckets == NULL)
            return STATUS_NO_MEMORY;
    }
    TRY(hash_keys(exec, keys, count, &hash));
    struct group **bucket = &exec->buckets[hash % exec->bucket_count];
    for (struct group *group = *bucket; group != NULL; group = group->next) {
        if (same_keys(group->keys, keys, count)) {
            *out = group;
            *new_out = false;
            return STATUS_OK;
        }
    }
    TRY(new_group(exec, keys, count, out));
    (*out)->next = *bucket;
    *bucket = *out;
    *new_out = true;
    return STATUS_OK;
}

/* Aggregates. */

static enum status
add_sum(struct exec *exec, const struct plan_aggregate_call *call, const struct value *value,
        struct value *sum)
{
    const uint8_t *bytes = NULL;
    uint32_t size = 0;

    CHECK(value != NULL); /* Only count(*) has no argument. */
    if (sum->null) {
        *sum = *value;
        sum->type = call->type.type;
        return exec__keep_value(sum, &exec->held, sum);
    }
    if (call->type.type == QTDB_TYPE_NUMERIC) {
        TRY(numeric_calculate(NUMERIC_ADD, sum->bytes, sum->size, value->bytes, value->size,
                              &exec->held, &bytes, &size));
        *sum = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
        return exec__check_memory(exec->context, &exec->held);
    }
    if (call->type.type == QTDB_TYPE_FLOAT4 || call->type.type == QTDB_TYPE_FLOAT8)
        sum->real += value->real;
    else if (__builtin_add_overflow(sum->integer, value->integer, &sum->integer))
        return sql_error_set(exec->context->error, "22003", -1, "bigint out of range");
    return STATUS_OK;
}

static enum status
add_value(struct exec *exec, const struct plan_aggregate_call *call, const struct value *value,
          struct value *result, uint64_t *count)
{
    if (value != NULL && value->null)
        return STATUS_OK;
    (*count)++;
    switch (call->kind) {
    case PLAN_COUNT:
        *result = value_integer(QTDB_TYPE_INT8, (int64_t)*count);
        return STATUS_OK;
    case PLAN_SUM:
    case PLAN_AVERAGE:
        return add_sum(exec, call, value, result);
    default:
        CHECK(value != NULL);
        if (!result->null && (value_compare(value, result) < 0) != (call->kind == PLAN_MIN))
            return STATUS_OK;
        return exec__keep_value(value, &exec->held, result);
    }
}

static enum status
add_row(struct exec *exec, struct group *group, const struct value *row)
{
    struct eval eval = eval_of(exec);

    for (uint32_t i = 0; i < exec->plan->aggregate_count; i++) {
        const struct plan_aggregate_call *call = &exec->plan->aggregates[i];
        struct value value;

        if (call->argument != NULL)
            TRY(expr_eval(call->argument, row, &eval, &value));
        TRY(add_value(exec, call, call->argument != NULL ? &value : NULL, &group->results[i],
                      &group->counts[i]));
    }
    return STATUS_OK;
}

static enum status
aggregate_all(struct exec *exec)
{
    const struct plan *plan = exec->plan;
    const struct batch *input;
    struct value *keys = arena_alloc(&exec->held, plan->group_count * sizeof(*keys));
    struct group *group = NULL;
    bool is_new;

    if (keys == NULL)
        return STATUS_NO_MEMORY;
    if (plan->group_count == 0)
        TRY(find_group(exec, keys, 0, &group, &is_new));
    do {
        struct eval eval = eval_of(exec);

        TRY(exec_next(exec->input, &input));
        for (uint32_t i = 0; i < input->count; i++) {
            for (uint32_t k = 0; k < plan->group_count; k++)
                TRY(expr_eval(plan->exprs[k], row_of(input, i), &eval, &keys[k]));
            TRY(find_group(exec, keys, plan->group_count, &group, &is_new));
            TRY(add_row(exec, group, row_of(input, i)));
        }
        arena_reset(&exec->batch.arena);
    } while (input->count > 0);
    return STATUS_OK;
}

static void
finish_group(const struct plan *plan, const struct group *group, struct value *row)
{
    memcpy(row, group->keys, plan->group_count * sizeof(*row));
    for (uint32_t i = 0; i < plan->aggregate_count; i++) {
        struct value *result = &row[plan->group_count + i];

        *result = group->results[i];
        if (plan->aggregates[i].kind == PLAN_COUNT)
            *result = value_integer(QTDB_TYPE_INT8, (int64_t)group->counts[i]);
        if (plan->aggregates[i].kind == PLAN_AVERAGE && !result->null)
            result->real /= (double)group->counts[i];
    }
}

static enum status
next_aggregate(struct exec *exec)
{
    struct batch *batch = &exec->batch;

    if (exec->buckets == NULL)
        TRY(aggregate_all(exec));
    struct eval eval = eval_of(exec);
    while (exec->position < exec->group_count && batch->count < EXEC_BATCH_ROWS) {
        struct value *row = row_of(batch, batch->count);
        bool wanted = true;

        finish_group(exec->plan, exec->groups[exec->position++], row);
        if (exec->plan->filter != NULL)
            TRY(expr_is_true(exec->plan->filter, row, &eval, &wanted));
        batch->count += wanted;
    }
    exec->done = exec->position == exec->group_count;
    return STATUS_OK;
}

static enum status
next_distinct(struct exec *exec)
{
    const struct batch *input;
    struct batch *batch = &exec->batch;

    do {
        TRY(exec_next(exec->input, &input));
        for (uint32_t i = 0; i < input->count; i++) {
            struct group *group;
            bool is_new;

            TRY(find_group(exec, row_of(input, i), batch->width, &group, &is_new));
            if (is_new)
                memcpy(row_of(batch, batch->count++), group->keys,
                       batch->width * sizeof(struct value));
        }
    } while (input->count > 0 && batch->count == 0);
    exec->done = input->count == 0;
    return STATUS_OK;
}

/* Life. */

enum status
exec_next(struct exec *exec, const struct batch **out)
{
    static enum status (*const by_kind[])(struct exec *) = {
        [PLAN_RESULT] = next_result,       [PLAN_VALUES] = next_values,     [PLAN_SCAN] = next_scan,
        [PLAN_AGGREGATE] = next_aggregate, [PLAN_PROJECT] = next_project,   [PLAN_SORT] = next_sort,
        [PLAN_LIMIT] = next_limit,         [PLAN_DISTINCT] = next_distinct,
    };

    arena_reset(&exec->batch.arena);
    exec->batch.count = 0;
    /* HAVING may empty a batch in the middle. */
    while (!exec->done && exec->batch.count == 0) {
        TRY(by_kind[exec->plan->kind](exec));
        if (exec->batch.count == 0 && exec->plan->kind != PLAN_AGGREGATE)
            exec->done = true;
    }
    *out = &exec->batch;
    return STATUS_OK;
}

void
exec_close(struct exec *exec)
{
    while (exec != NULL) {
        struct exec *input = exec->input;
        struct memory *memory = exec->context->memory;

        if (exec->plan->kind == PLAN_SCAN)
            exec__scan_close(&exec->scan);
        memory_free(memory, MEMORY_SQL, exec->batch.values,
                    (size_t)EXEC_BATCH_ROWS * (exec->batch.width + 1) * sizeof(struct value));
        arena_deinit(&exec->batch.arena);
        arena_deinit(&exec->held);
        memory_free(memory, MEMORY_SQL, exec, sizeof(*exec));
        exec = input;
    }
}

enum status
exec_open(const struct exec_context *context, const struct plan *plan, struct exec **out)
{
    enum status status = STATUS_OK;
    struct exec *exec = memory_alloc(context->memory, MEMORY_SQL, sizeof(*exec));

    if (exec == NULL)
        return STATUS_NO_MEMORY;
    exec->context = context;
    exec->plan = plan;
    exec->batch.width = plan->column_count;
    arena_init(&exec->batch.arena, context->memory, MEMORY_SQL);
    arena_init(&exec->held, context->memory, MEMORY_SQL);
    exec->batch.values =
        memory_alloc(context->memory, MEMORY_SQL,
                     (size_t)EXEC_BATCH_ROWS * (plan->column_count + 1) * sizeof(struct value));
    if (exec->batch.values == NULL)
        status = STATUS_NO_MEMORY;
    if (status == STATUS_OK && plan->kind == PLAN_SCAN)
        status = exec__scan_open(context, plan, &exec->scan);
    if (status == STATUS_OK && plan->input != NULL)
        status = exec_open(context, plan->input, &exec->input);
    if (status == STATUS_OK)
        *out = exec;
    else
        exec_close(exec);
    return status;
}

/* EXPLAIN. */

static const char *
node_name(const struct plan *plan)
{
    static const char *const names[] = {
        [PLAN_RESULT] = "Result",   [PLAN_VALUES] = "Values Scan",
        [PLAN_SCAN] = "Seq Scan",   [PLAN_AGGREGATE] = "HashAggregate",
        [PLAN_PROJECT] = "Project", [PLAN_SORT] = "Sort",
        [PLAN_LIMIT] = "Limit",     [PLAN_DISTINCT] = "Unique",
        [PLAN_INSERT] = "Insert",   [PLAN_UPDATE] = "Update",
        [PLAN_DELETE] = "Delete",
    };

    if (plan->kind == PLAN_SCAN && (plan->key_low != NULL || plan->key_high != NULL))
        return "Index Scan by key";
    return names[plan->kind];
}

void
exec_explain(const struct plan *plan, struct arena *arena,
             void (*line)(void *context, const char *text), void *context)
{
    for (int depth = 0; plan != NULL; plan = plan->input) {
        char text[512];

        if (plan->kind == PLAN_PROJECT)
            continue;
        int size =
            snprintf(text, sizeof(text), "%*s%s%s%s%s", depth * 6, "", depth > 0 ? "->  " : "",
                     node_name(plan), plan->table != NULL ? " on " : "",
                     plan->table != NULL ? plan->table->name : "");
        if (plan->kind == PLAN_SCAN && plan->filter != NULL && size > 0 &&
            (size_t)size < sizeof(text))
            (void)snprintf(text + size, sizeof(text) - (size_t)size, " (filtered)");
        const char *kept = arena_copy_text(arena, text, strlen(text));
        if (kept != NULL)
            line(context, kept);
        depth++;
    }
}
