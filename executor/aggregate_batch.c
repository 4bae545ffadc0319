/*
 * Aggregates that take all rows of a batch: a loop over one column where the call is of a kind for which that is
 * enough; nothing is copied of a value that the next row may take the place of. What a loop cannot do, with its
 * rows from there on, goes row by row (aggregate.c).
 */
#include <string.h>

#include "executor/aggregate_private.h"
#include "kernel/base/check.h"

enum { SET_FIRST = 16 };

/* Sets of integers. */

static bool
put(struct integer_set *set, int64_t integer)
{
    size_t slot = value_hash_word((uint64_t)integer) & (set->capacity - 1);

    while (set->slots[slot] != 0 && set->slots[slot] != integer)
        slot = (slot + 1) & (set->capacity - 1);
    if (set->slots[slot] == integer)
        return false;
    set->slots[slot] = integer;
    set->count++;
    return true;
}

/* So that at least half of it stays free. */
static enum status
reserve_one(struct integer_set *set, struct arena *held)
{
    struct integer_set grown = *set;

    if (2 * (set->count + 1) <= set->capacity)
        return STATUS_OK;
    grown.capacity = set->capacity == 0 ? SET_FIRST : 4 * set->capacity;
    grown.count = 0;
    grown.slots = arena_alloc(held, grown.capacity * sizeof(*grown.slots));
    if (grown.slots == NULL)
        return STATUS_NO_MEMORY;
    memset(grown.slots, 0, grown.capacity * sizeof(*grown.slots));
    for (size_t i = 0; i < set->capacity; i++) {
        if (set->slots[i] != 0)
            (void)put(&grown, set->slots[i]);
    }
    *set = grown;
    return STATUS_OK;
}

enum status
aggregate__first_integer(const struct value *value, struct arena *held,
                         struct aggregate_state *state, bool *out)
{
    struct integer_set *set = state->set;

    if (set == NULL) {
        set = state->set = arena_alloc(held, sizeof(*set));
        if (set == NULL)
            return STATUS_NO_MEMORY;
        *set = (struct integer_set){.capacity = 0};
    }
    if (value->null || value->integer == 0) {
        bool *has = value->null ? &set->has_null : &set->has_zero;

        *out = !*has;
        *has = true;
        return STATUS_OK;
    }
    TRY(reserve_one(set, held));
    *out = put(set, value->integer);
    return STATUS_OK;
}

static enum status
count_different(const struct rel_aggregate *call, const struct batch *batch, struct arena *held,
                struct aggregate_state *state)
{
    const struct value *value = batch->values + call->arguments[0]->index;

    for (uint32_t i = 0; i < batch->count; i++, value += batch->width) {
        bool is_first = false;

        if (!value->null)
            TRY(aggregate__first_integer(value, held, state, &is_first));
        state->count += is_first;
    }
    return STATUS_OK;
}

/* Least and greatest. */

static void
take_extreme_integer(const struct rel_aggregate *call, const struct batch *batch,
                     struct aggregate_state *state)
{
    const struct value *value = batch->values + call->arguments[0]->index;
    /* The order of the greatest, turned round for the least. */
    int64_t turn = call->kind == REL_MIN ? -1 : 0;
    int64_t best = state->count > 0 ? state->value.integer ^ turn : INT64_MIN;

    for (uint32_t i = 0; i < batch->count; i++, value += batch->width) {
        int64_t integer = value->null ? INT64_MIN : value->integer ^ turn;

        best = integer > best ? integer : best;
        state->count += !value->null;
    }
    if (state->count > 0)
        state->value = value_integer(call->type.type, best ^ turn);
}

/* The first bytes as a number that orders as they do. */
static inline uint64_t
first_bytes(const struct value *value)
{
    uint64_t word = 0;

    if (value->size >= sizeof(word))
        memcpy(&word, value->bytes, sizeof(word));
    else if (value->size > 0)
        memcpy(&word, value->bytes, value->size);
    return __builtin_bswap64(word);
}

/* Only what is left at the end of the batch is copied. */
static enum status
take_extreme_bytes(const struct rel_aggregate *call, const struct batch *batch, struct arena *held,
                   struct aggregate_state *state)
{
    const struct value *value = batch->values + call->arguments[0]->index;
    const struct value *best = state->count > 0 ? &state->value : NULL;
    uint64_t best_word = best != NULL ? first_bytes(best) : 0;
    bool least = call->kind == REL_MIN;

    for (uint32_t i = 0; i < batch->count; i++, value += batch->width) {
        if (value->null)
            continue;
        uint64_t word = first_bytes(value);

        state->count++;
        if (best != NULL) {
            int order =
                word != best_word ? (word > best_word ? 1 : -1) : value_compare(value, best);

            if (least ? order >= 0 : order <= 0)
                continue;
        }
        best = value;
        best_word = word;
    }
    return best == NULL || best == &state->value ? STATUS_OK : aggregate__store(state, best, held);
}

/* True when it has taken the batch. */
static enum status
take_extreme(const struct rel_aggregate *call, const struct batch *batch, struct arena *held,
             struct aggregate_state *state, bool *done_out)
{
    enum qtdb_type type = call->arguments[0]->type.type;

    *done_out = true;
    if (value_type_is_integer(type)) {
        take_extreme_integer(call, batch, state);
        return STATUS_OK;
    }
    if (type == QTDB_TYPE_TEXT || type == QTDB_TYPE_VARCHAR || type == QTDB_TYPE_BYTEA)
        return take_extreme_bytes(call, batch, held, state);
    *done_out = false;
    return STATUS_OK;
}

/* Sums. */

static void
add_integers(const struct batch *batch, uint32_t column, struct aggregate_state *state)
{
    const struct value *value = batch->values + column;
    __int128 sum = state->sum;

    for (uint32_t i = 0; i < batch->count; i++, value += batch->width) {
        sum += value->null ? 0 : value->integer;
        state->count += !value->null;
    }
    state->sum = sum;
}

static void
add_reals(const struct batch *batch, uint32_t column, struct aggregate_state *state)
{
    const struct value *value = batch->values + column;

    for (uint32_t i = 0; i < batch->count; i++, value += batch->width) {
        if (value->null)
            continue;
        state->real += value->real;
        state->count++;
    }
}

static enum status
add_numerics(const struct rel_aggregate *call, struct eval *eval, const struct batch *batch,
             struct arena *held, struct aggregate_state *state)
{
    const struct value *value = batch->values + call->arguments[0]->index;

    for (uint32_t i = 0; i < batch->count; i++, value += batch->width) {
        if (!value->null)
            TRY(aggregate__add_numeric(call, eval, value, held, state));
    }
    return STATUS_OK;
}

static void
count_values(const struct batch *batch, uint32_t column, struct aggregate_state *state)
{
    const struct value *value = batch->values + column;

    for (uint32_t i = 0; i < batch->count; i++, value += batch->width)
        state->count += !value->null;
}

/* The product of a column and a constant, both numerics; NULL: it is something else. */
static const struct expr *
factor_of(const struct rel_aggregate *call, uint32_t *column_out)
{
    const struct expr *product = call->arguments[0];

    if (product->kind != EXPR_ARITHMETIC || product->operator_kind != EXPR_MULTIPLY ||
        product->negated || product->type.type != QTDB_TYPE_NUMERIC)
        return NULL;
    bool is_right = product->arguments[0]->kind == EXPR_COLUMN;
    const struct expr *column = product->arguments[!is_right];
    const struct expr *factor = product->arguments[is_right];

    if (column->kind != EXPR_COLUMN || column->type.type != QTDB_TYPE_NUMERIC ||
        factor->kind != EXPR_CONSTANT || factor->constant.null ||
        factor->constant.type != QTDB_TYPE_NUMERIC)
        return NULL;
    *column_out = column->index;
    return factor;
}

/* Returns how many rows it has taken: up to the first that does not fit. */
static uint32_t
add_products(const struct batch *batch, uint32_t column, const struct value *factor,
             struct aggregate_state *state)
{
    const struct value *value = batch->values + column;
    struct numeric_short right, left, product;
    __int128 sum;
    uint32_t i = 0;

    if (state->is_wide || !numeric_short_read(factor->bytes, factor->size, &right))
        return 0;
    for (; i < batch->count; i++, value += batch->width) {
        if (value->null)
            continue;
        if (!numeric_short_read(value->bytes, value->size, &left) ||
            !numeric_short_calculate(NUMERIC_MULTIPLY, &left, &right, &product) ||
            __builtin_add_overflow(state->sum, numeric_short_scaled(&product), &sum))
            break;
        state->sum = sum;
        state->scale = product.scale > state->scale ? product.scale : state->scale;
        state->count++;
    }
    return i;
}

/* Returns how many rows have been taken. */
static enum status
add_other(const struct rel_aggregate *call, const struct batch *batch, struct arena *held,
          struct aggregate_state *state, uint32_t *taken_out)
{
    uint32_t column = 0;
    bool done = false;

    *taken_out = 0;
    if (call->argument_count != 1 || call->filter != NULL || call->sort_count > 0)
        return STATUS_OK;
    bool is_column = call->arguments[0]->kind == EXPR_COLUMN;
    if (call->distinct) {
        done = call->kind == REL_COUNT && is_column &&
               value_type_is_integer(call->arguments[0]->type.type);
        if (done)
            TRY(count_different(call, batch, held, state));
    } else if (is_column && (call->kind == REL_MIN || call->kind == REL_MAX)) {
        TRY(take_extreme(call, batch, held, state, &done));
    } else if (call->kind == REL_SUM || call->kind == REL_AVERAGE) {
        const struct expr *factor = factor_of(call, &column);

        if (factor != NULL)
            *taken_out = add_products(batch, column, &factor->constant, state);
    }
    if (done)
        *taken_out = batch->count;
    return STATUS_OK;
}

enum status
aggregate_add_batch(const struct rel_aggregate *call, struct eval *eval, const struct batch *batch,
                    struct arena *held, struct aggregate_state *state)
{
    switch (aggregate_shape(call)) {
    case AGGREGATE_COUNTS_ROWS:
        state->count += batch->count;
        return STATUS_OK;
    case AGGREGATE_COUNTS:
        count_values(batch, call->arguments[0]->index, state);
        return STATUS_OK;
    case AGGREGATE_SUMS_INTEGERS:
        add_integers(batch, call->arguments[0]->index, state);
        return STATUS_OK;
    case AGGREGATE_SUMS_REALS:
        add_reals(batch, call->arguments[0]->index, state);
        return STATUS_OK;
    case AGGREGATE_SUMS_NUMERICS:
        return add_numerics(call, eval, batch, held, state);
    default:
        break;
    }
    uint32_t taken = 0;

    TRY(add_other(call, batch, held, state, &taken));
    for (uint32_t i = taken; i < batch->count; i++)
        TRY(aggregate_add(call, eval, exec__row(batch, i), held, state));
    return STATUS_OK;
}
