/*
 * Aggregates. A sum of integers is kept in 128 bits, so that it cannot overflow before its end; a sum
 * of numerics too, in units of 10^-16, until one does not fit: from then on in a buffer of the group
 * that grows with the number. DISTINCT keeps a table of the
 * arguments seen, ORDER BY the rows until the end.
 */
#include <string.h>

#include "executor/aggregate_private.h"
#include "executor/numeric.h"
#include "kernel/base/check.h"

size_t
aggregate_state_size(void)
{
    return sizeof(struct aggregate_state);
}

struct aggregate_state *
aggregate_at(void *states, uint32_t index)
{
    return (struct aggregate_state *)states + index;
}

/* Buffers. */

static enum status
reserve(struct aggregate_state *state, size_t size, struct arena *held)
{
    size_t wanted = state->buffer_size == 0 ? 32 : state->buffer_size;

    if (size <= state->buffer_size)
        return STATUS_OK;
    while (wanted < size)
        wanted *= 2;
    uint8_t *buffer = arena_alloc(held, wanted);
    if (buffer == NULL)
        return STATUS_NO_MEMORY;
    if (state->buffer_size > 0)
        memcpy(buffer, state->buffer, state->buffer_size);
    state->buffer = buffer;
    state->buffer_size = wanted;
    return STATUS_OK;
}

enum status
aggregate__store(struct aggregate_state *state, const struct value *value, struct arena *held)
{
    state->value = *value;
    if (value->null || !value_type_is_bytes(value->type))
        return STATUS_OK;
    TRY(reserve(state, (size_t)value->size + 1, held));
    if (value->size > 0)
        memmove(state->buffer, value->bytes, value->size);
    state->value.bytes = state->buffer;
    return STATUS_OK;
}

/* Taking a value. */

/* False, and nothing is changed, when it does not fit. */
static bool
add_scaled(const struct value *value, struct aggregate_state *state)
{
    __int128 scaled, sum;
    uint16_t scale;

    if (!numeric_to_scaled(value->bytes, value->size, &scaled, &scale) ||
        __builtin_add_overflow(state->sum, scaled, &sum))
        return false;
    state->sum = sum;
    state->scale = scale > state->scale ? scale : state->scale;
    return true;
}

static enum status
sum_of(const struct aggregate_state *state, struct eval *eval, struct value *out)
{
    const uint8_t *bytes = NULL;
    uint32_t size = 0;

    TRY(numeric_from_scaled(state->sum, state->scale, eval->arena, &bytes, &size));
    *out = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
    return STATUS_OK;
}

static enum status
add_numeric(struct eval *eval, const struct value *value, struct arena *held,
            struct aggregate_state *state)
{
    struct value sum = *value;

    if (!state->is_wide && add_scaled(value, state))
        return STATUS_OK;
    if (!state->is_wide && state->count > 1)
        TRY(sum_of(state, eval, &state->value));
    state->is_wide = true;
    if (state->count > 1) {
        const uint8_t *bytes = NULL;
        uint32_t size = 0;
        enum status status =
            numeric_calculate(NUMERIC_ADD, state->value.bytes, state->value.size, value->bytes,
                              value->size, eval->arena, &bytes, &size);

        if (status == STATUS_FULL)
            return sql_error_set(eval->error, "22003", -1, "value overflows numeric format");
        TRY(status);
        sum = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
    }
    return aggregate__store(state, &sum, held);
}

static enum status
add_sum(const struct rel_aggregate *call, struct eval *eval, const struct value *value,
        struct arena *held, struct aggregate_state *state)
{
    switch (value->type) {
    case QTDB_TYPE_NUMERIC:
        return add_numeric(eval, value, held, state);
    case QTDB_TYPE_FLOAT4:
    case QTDB_TYPE_FLOAT8:
        state->real += value->real;
        if (call->type.type == QTDB_TYPE_FLOAT4)
            state->real = (double)(float)state->real;
        return STATUS_OK;
    default:
        state->sum += value->integer;
        return STATUS_OK;
    }
}

static enum status
add_text(const struct value *arguments, struct arena *held, struct aggregate_state *state)
{
    size_t used = state->count > 1 ? state->value.size : 0;
    size_t between = state->count > 1 && !arguments[1].null ? arguments[1].size : 0;
    size_t size = used + between + arguments[0].size;

    if (size > UINT32_MAX / 2)
        return STATUS_NO_MEMORY;
    TRY(reserve(state, size + 1, held));
    if (between > 0)
        memcpy(state->buffer + used, arguments[1].bytes, between);
    if (arguments[0].size > 0)
        memcpy(state->buffer + used + between, arguments[0].bytes, arguments[0].size);
    state->value = value_bytes(QTDB_TYPE_TEXT, state->buffer, size);
    return STATUS_OK;
}

static enum status
keep(const struct rel_aggregate *call, const struct value *arguments, struct arena *held,
     struct aggregate_state *state)
{
    if (state->kept == NULL) {
        state->kept = arena_alloc(held, sizeof(*state->kept));
        if (state->kept == NULL)
            return STATUS_NO_MEMORY;
        state->kept->width = call->argument_count;
    }
    state->kept->arena = *held; /* Lent for the call. */
    enum status status = exec__rows_add(state->kept, arguments);
    *held = state->kept->arena;
    return status;
}

static enum status
take(const struct rel_aggregate *call, struct eval *eval, const struct value *arguments,
     struct arena *held, struct aggregate_state *state)
{
    const struct value *value = &arguments[0];

    state->count++;
    if (call->kind >= REL_ARRAY_AGG)
        return keep(call, arguments, held, state);
    switch (call->kind) {
    case REL_COUNT:
        return STATUS_OK;
    case REL_SUM:
    case REL_AVERAGE:
        return add_sum(call, eval, value, held, state);
    case REL_STRING_AGG:
        return add_text(arguments, held, state);
    case REL_BOOL_AND:
    case REL_BOOL_OR:
        if (state->count == 1 || (value->integer != 0) == (call->kind == REL_BOOL_OR))
            state->value = *value;
        return STATUS_OK;
    default:
        if (state->count > 1) { /* The last of equals, as PostgreSQL. */
            int order = value_compare(value, &state->value);

            if (call->kind == REL_MIN ? order > 0 : order < 0)
                return STATUS_OK;
        }
        return aggregate__store(state, value, held);
    }
}

/* DISTINCT and ORDER BY. */

static enum status
is_first(const struct rel_aggregate *call, const struct value *arguments, struct arena *held,
         struct aggregate_state *state, bool *out)
{
    struct exec__entry *entry = NULL;

    if (call->argument_count == 1 && value_type_is_integer(call->arguments[0]->type.type))
        return aggregate__first_integer(arguments, held, state, out);
    if (state->seen == NULL) {
        state->seen = arena_alloc(held, sizeof(*state->seen));
        if (state->seen == NULL)
            return STATUS_NO_MEMORY;
        exec__table_init(state->seen, held, call->argument_count);
    }
    return exec__table_get(state->seen, arguments, &entry, out);
}

static enum status
hold(const struct rel_aggregate *call, struct eval *eval, const struct value *row,
     const struct value *arguments, struct arena *held, struct aggregate_state *state)
{
    uint32_t width = call->argument_count + call->sort_count;
    struct value *values = arena_alloc(eval->arena, width * sizeof(*values));
    struct exec_rows *rows = state->rows;

    if (values == NULL)
        return STATUS_NO_MEMORY;
    if (rows == NULL) {
        rows = state->rows = arena_alloc(held, sizeof(*rows));
        if (rows == NULL)
            return STATUS_NO_MEMORY;
        rows->width = width;
    }
    memcpy(values, arguments, call->argument_count * sizeof(*values));
    for (uint32_t i = 0; i < call->sort_count; i++)
        TRY(expr_eval(call->sort_keys[i].expr, row, eval, &values[call->argument_count + i]));
    /* The rows' memory is the group's: lend it the arena for the call. */
    rows->arena = *held;
    enum status status = exec__rows_add(rows, values);
    *held = rows->arena;
    return status;
}

/* A sum of arithmetic, without the numerics in between. False: nothing was done. */
static bool
add_short(const struct rel_aggregate *call, const struct value *row, const struct eval *eval,
          struct aggregate_state *state)
{
    struct numeric_short number;
    __int128 sum;

    if ((call->kind != REL_SUM && call->kind != REL_AVERAGE) || state->is_wide || call->distinct ||
        call->sort_count > 0 || call->arguments[0]->kind != EXPR_ARITHMETIC)
        return false;
    enum expr_short found = expr_eval_short(call->arguments[0], row, eval, &number);
    if (found != EXPR_SHORT_FOUND)
        return found == EXPR_SHORT_NULL;
    if (__builtin_add_overflow(state->sum, numeric_short_scaled(&number), &sum))
        return false;
    state->sum = sum;
    state->scale = number.scale > state->scale ? number.scale : state->scale;
    state->count++;
    return true;
}

/* Its values are those of one column as they come. */
static inline bool
is_of_column(const struct rel_aggregate *call)
{
    return call->argument_count == 1 && call->arguments[0]->kind == EXPR_COLUMN &&
           call->filter == NULL && !call->distinct && call->sort_count == 0 &&
           call->kind < REL_ARRAY_AGG;
}

enum aggregate_shape
aggregate_shape(const struct rel_aggregate *call)
{
    bool sums = call->kind == REL_SUM || call->kind == REL_AVERAGE;

    if (call->kind == REL_COUNT && call->argument_count == 0 && call->filter == NULL)
        return AGGREGATE_COUNTS_ROWS;
    if (!is_of_column(call))
        return AGGREGATE_OTHER;
    enum qtdb_type type = call->arguments[0]->type.type;
    if (call->kind == REL_COUNT)
        return AGGREGATE_COUNTS;
    if (sums && value_type_is_integer(type))
        return AGGREGATE_SUMS_INTEGERS;
    if (sums && type == QTDB_TYPE_FLOAT8)
        return AGGREGATE_SUMS_REALS;
    return sums && type == QTDB_TYPE_NUMERIC ? AGGREGATE_SUMS_NUMERICS : AGGREGATE_OTHER;
}

/* Most need no more than their sum; the first that does not fit goes the long way. */
enum status
aggregate__add_numeric(const struct rel_aggregate *call, struct eval *eval,
                       const struct value *value, struct arena *held, struct aggregate_state *state)
{
    if (state->is_wide || !add_scaled(value, state))
        return take(call, eval, value, held, state);
    state->count++;
    return STATUS_OK;
}

enum status
aggregate_add_shaped(const struct rel_aggregate *call, enum aggregate_shape shape,
                     struct eval *eval, const struct value *row, struct arena *held,
                     struct aggregate_state *state)
{
    if (shape == AGGREGATE_OTHER)
        return aggregate_add(call, eval, row, held, state);
    if (shape == AGGREGATE_COUNTS_ROWS) {
        state->count++;
        return STATUS_OK;
    }
    const struct value *value = &row[call->arguments[0]->index];
    if (value->null)
        return STATUS_OK;
    if (shape == AGGREGATE_SUMS_NUMERICS)
        return aggregate__add_numeric(call, eval, value, held, state);
    state->count++;
    if (shape == AGGREGATE_SUMS_INTEGERS)
        state->sum += value->integer;
    else if (shape == AGGREGATE_SUMS_REALS)
        state->real += value->real;
    return STATUS_OK;
}

enum status
aggregate_add(const struct rel_aggregate *call, struct eval *eval, const struct value *row,
              struct arena *held, struct aggregate_state *state)
{
    struct value arguments[2];
    bool wanted = true;

    if (is_of_column(call)) {
        const struct value *value = &row[call->arguments[0]->index];

        return value->null ? STATUS_OK : take(call, eval, value, held, state);
    }

    if (call->filter != NULL)
        TRY(expr_is_true(call->filter, row, eval, &wanted));
    if (!wanted || add_short(call, row, eval, state))
        return STATUS_OK;
    for (uint32_t i = 0; i < call->argument_count; i++)
        TRY(expr_eval(call->arguments[i], row, eval, &arguments[i]));
    bool takes_null = call->kind >= REL_ARRAY_AGG && call->kind <= REL_JSON_OBJECT;
    if (call->argument_count > 0 && arguments[0].null && !takes_null)
        return STATUS_OK;
    if (call->distinct)
        TRY(is_first(call, arguments, held, state, &wanted));
    if (!wanted)
        return STATUS_OK;
    return call->sort_count > 0 ? hold(call, eval, row, arguments, held, state)
                                : take(call, eval, arguments, held, state);
}

/* Taking rows out again. */

void
aggregate_restart(struct aggregate_state *state)
{
    *state = (struct aggregate_state){.buffer = state->buffer, .buffer_size = state->buffer_size};
}

bool
aggregate_is_removable(const struct rel_aggregate *call)
{
    enum qtdb_type type = call->argument_count > 0 ? call->arguments[0]->type.type : 0;

    return call->kind == REL_COUNT ||
           ((call->kind == REL_SUM || call->kind == REL_AVERAGE) &&
            (type == QTDB_TYPE_INT2 || type == QTDB_TYPE_INT4 || type == QTDB_TYPE_INT8));
}

enum status
aggregate_remove(const struct rel_aggregate *call, struct eval *eval, const struct value *row,
                 struct aggregate_state *state)
{
    struct value value = {.null = false};
    bool wanted = true;

    CHECK(aggregate_is_removable(call) && !call->distinct && call->sort_count == 0);
    if (call->filter != NULL)
        TRY(expr_is_true(call->filter, row, eval, &wanted));
    if (!wanted)
        return STATUS_OK;
    if (call->argument_count > 0)
        TRY(expr_eval(call->arguments[0], row, eval, &value));
    if (value.null)
        return STATUS_OK;
    CHECK(state->count > 0);
    state->count--;
    if (call->kind != REL_COUNT)
        state->sum -= value.integer;
    return STATUS_OK;
}

/* Results. */

static enum status
take_ordered(const struct rel_aggregate *call, struct eval *eval, struct arena *held,
             struct aggregate_state *state)
{
    struct exec_rows *rows = state->rows;
    struct plan_sort_key *keys = arena_alloc(eval->arena, call->sort_count * sizeof(*keys));
    struct value **scratch = arena_alloc(eval->arena, rows->count * sizeof(struct value *));

    if (keys == NULL || scratch == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < call->sort_count; i++)
        keys[i] = (struct plan_sort_key){call->argument_count + i, call->sort_keys[i].descending,
                                         call->sort_keys[i].nulls_first};
    exec__sort_rows(&rows->rows, rows->count, keys, call->sort_count, scratch);
    for (size_t i = 0; i < rows->count; i++)
        TRY(take(call, eval, rows->rows[i], held, state));
    state->rows = NULL;
    return STATUS_OK;
}

static enum status
finish_sum(const struct rel_aggregate *call, struct eval *eval, const struct aggregate_state *state,
           struct value *out)
{
    enum qtdb_type argument = call->arguments[0]->type.type;
    const uint8_t *bytes = NULL;
    uint32_t size = 0;

    if (argument == QTDB_TYPE_FLOAT4 || argument == QTDB_TYPE_FLOAT8) {
        bool average = call->kind == REL_AVERAGE;

        *out =
            value_real(call->type.type, average ? state->real / (double)state->count : state->real);
        return STATUS_OK;
    }
    if (argument == QTDB_TYPE_NUMERIC) {
        *out = state->value;
        if (!state->is_wide)
            TRY(sum_of(state, eval, out));
    } else if (call->type.type == QTDB_TYPE_INT8) {
        if (state->sum > INT64_MAX || state->sum < INT64_MIN)
            return sql_error_set(eval->error, "22003", -1, "bigint out of range");
        *out = value_integer(QTDB_TYPE_INT8, (int64_t)state->sum);
    } else {
        TRY(numeric_from_wide(state->sum, eval->arena, &bytes, &size));
        *out = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
    }
    if (call->kind == REL_SUM)
        return STATUS_OK;
    const uint8_t *count = NULL;
    uint32_t count_size = 0;
    TRY(numeric_from_integer((int64_t)state->count, eval->arena, &count, &count_size));
    TRY(numeric_calculate(NUMERIC_DIVIDE, out->bytes, out->size, count, count_size, eval->arena,
                          &bytes, &size));
    *out = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
    return STATUS_OK;
}

enum status
aggregate_finish(const struct rel_aggregate *call, struct eval *eval, struct arena *held,
                 struct aggregate_state *state, struct value *out)
{
    if (state->rows != NULL)
        TRY(take_ordered(call, eval, held, state));
    if (call->kind == REL_COUNT) {
        *out = value_integer(QTDB_TYPE_INT8, (int64_t)state->count);
        return STATUS_OK;
    }
    if (state->count == 0) {
        *out = value_null(call->type.type);
        return STATUS_OK;
    }
    if (call->kind >= REL_ARRAY_AGG)
        return aggregate_of_rows(call, eval, state->kept, out);
    if (call->kind == REL_SUM || call->kind == REL_AVERAGE)
        return finish_sum(call, eval, state, out);
    *out = state->value;
    return STATUS_OK;
}
