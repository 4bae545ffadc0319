/*
 * Subqueries in expressions. Results are remembered by the values that go in (operands and slots), so
 * that a query without any runs once, and a correlated one once for each combination. IN over a query
 * that takes no slots becomes a hash table of its rows.
 *
 * What is remembered is bounded: past MEMO_SIZE_MAX bytes it is forgotten and begins anew.
 */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

enum { MEMO_SIZE_MAX = 4 << 20 };

struct exec__subplan {
    struct exec *exec; /* Opened when first needed. */
    struct arena memo_arena;
    struct exec__table memo; /* Inputs to result: payload is a struct value. */
    bool memo_ready;
    struct arena set_arena;
    size_t set_charged;
    struct exec__table set; /* IN: the rows without nulls. */
    bool set_ready;
    bool set_has_null;
    bool set_is_empty;
};

enum status
exec__open_subplans(struct exec_context *context)
{
    uint32_t count = context->planned->subplan_count;

    if (count == 0)
        return STATUS_OK;
    context->subplans =
        memory_alloc(context->memory, MEMORY_SQL, count * sizeof(*context->subplans));
    if (context->subplans == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        arena_init(&context->subplans[i].memo_arena, context->memory, MEMORY_SQL);
        arena_init(&context->subplans[i].set_arena, context->memory, MEMORY_SQL);
    }
    return STATUS_OK;
}

void
exec__close_subplans(struct exec_context *context)
{
    uint32_t count = context->planned->subplan_count;

    if (context->subplans == NULL)
        return;
    for (uint32_t i = 0; i < count; i++) {
        exec_close(context->subplans[i].exec);
        arena_deinit(&context->subplans[i].memo_arena);
        arena_deinit(&context->subplans[i].set_arena);
    }
    memory_free(context->memory, MEMORY_SQL, context->subplans, count * sizeof(*context->subplans));
    context->subplans = NULL;
}

void
exec__forget_subqueries(struct exec_context *context)
{
    for (uint32_t i = 0; i < context->planned->subplan_count; i++) {
        context->subplans[i].memo_ready = false;
        context->subplans[i].set_ready = false;
    }
}

/* Running. */

static enum status
restart(struct exec_context *context, const struct subquery *subquery, struct exec **out)
{
    struct exec__subplan *subplan = &context->subplans[subquery->plan_index];

    if (subplan->exec == NULL)
        TRY(exec_open(context, subquery->plan, &subplan->exec));
    else
        exec_rescan(subplan->exec);
    *out = subplan->exec;
    return STATUS_OK;
}

static enum status
run_scalar(struct exec *exec, const struct expr *expr, struct eval *eval, struct value *out)
{
    const struct batch *batch;
    uint64_t count = 0;

    *out = value_null(expr->type.type);
    do {
        TRY(exec_next(exec, &batch));
        if (count == 0 && batch->count > 0)
            TRY(exec__keep_value(&exec__row(batch, 0)[0], eval->arena, out));
        count += batch->count;
        if (count > 1)
            return sql_error_set(eval->error, "21000", expr->location,
                                 "more than one row returned by a subquery used as an expression");
    } while (batch->count > 0);
    return STATUS_OK;
}

static enum status
run_exists(struct exec *exec, struct value *out)
{
    const struct batch *batch;

    TRY(exec_next(exec, &batch));
    *out = value_integer(QTDB_TYPE_BOOL, batch->count > 0);
    return STATUS_OK;
}

/* One row against the operands: 1 holds, 0 does not, -1 unknown. */
static int
compare_row(const struct expr *expr, const struct value *operands, const struct value *row)
{
    uint32_t count = expr->subquery->operand_count;
    bool equal = expr->operator_kind != EXPR_NOT_EQUAL, unknown = false;

    for (uint32_t i = 0; i < count; i++) {
        if (operands[i].null || row[i].null) {
            unknown = true;
            continue;
        }
        bool holds =
            expr_order_satisfies(expr->operator_kind, value_compare(&operands[i], &row[i]));
        /* All columns equal; some column not equal. */
        if (holds != equal)
            return equal ? 0 : 1;
    }
    return unknown ? -1 : equal ? 1 : 0;
}

/* ANY: true when it holds for a row, ALL: false when it does not; else unknown wins. */
static enum status
run_quantified(struct exec *exec, const struct expr *expr, const struct value *operands,
               struct value *out)
{
    bool any = expr->subquery->kind == SUBQUERY_ANY, unknown = false;
    const struct batch *batch;

    do {
        TRY(exec_next(exec, &batch));
        for (uint32_t i = 0; i < batch->count; i++) {
            int holds = compare_row(expr, operands, exec__row(batch, i));

            unknown = unknown || holds < 0;
            if (holds == (any ? 1 : 0)) {
                *out = value_integer(QTDB_TYPE_BOOL, any);
                return STATUS_OK;
            }
        }
    } while (batch->count > 0);
    *out = unknown ? value_null(QTDB_TYPE_BOOL) : value_integer(QTDB_TYPE_BOOL, !any);
    return STATUS_OK;
}

/* IN by a hash table. */

static enum status
add_to_set(struct exec__subplan *subplan, const struct value *row, uint32_t width)
{
    struct exec__entry *entry = NULL;
    bool is_new = false;

    subplan->set_is_empty = false;
    for (uint32_t i = 0; i < width; i++) {
        if (row[i].null) {
            subplan->set_has_null = true;
            return STATUS_OK;
        }
    }
    return exec__table_get(&subplan->set, row, &entry, &is_new);
}

static enum status
fill_set(struct exec_context *context, const struct expr *expr, struct exec__subplan *subplan)
{
    const struct batch *batch;
    struct exec *exec = NULL;

    arena_reset(&subplan->set_arena);
    exec__table_init(&subplan->set, &subplan->set_arena, expr->subquery->width);
    subplan->set_has_null = false;
    subplan->set_is_empty = true;
    TRY(restart(context, expr->subquery, &exec));
    do {
        TRY(exec_next(exec, &batch));
        for (uint32_t i = 0; i < batch->count; i++)
            TRY(add_to_set(subplan, exec__row(batch, i), expr->subquery->width));
        TRY(exec__charge_arena(context, &subplan->set_arena, &subplan->set_charged));
    } while (batch->count > 0);
    subplan->set_ready = true;
    return STATUS_OK;
}

static enum status
look_up_set(struct exec_context *context, const struct expr *expr, const struct value *operands,
            struct value *out)
{
    struct exec__subplan *subplan = &context->subplans[expr->subquery->plan_index];

    if (!subplan->set_ready)
        TRY(fill_set(context, expr, subplan));
    if (subplan->set_is_empty)
        *out = value_integer(QTDB_TYPE_BOOL, false);
    else if (operands[0].null)
        *out = value_null(QTDB_TYPE_BOOL);
    else if (exec__table_find(&subplan->set, operands) != NULL)
        *out = value_integer(QTDB_TYPE_BOOL, true);
    else
        *out = subplan->set_has_null ? value_null(QTDB_TYPE_BOOL)
                                     : value_integer(QTDB_TYPE_BOOL, false);
    return STATUS_OK;
}

/* All. */

static enum status
run(struct exec_context *context, const struct expr *expr, const struct value *inputs,
    struct eval *eval, struct value *out)
{
    const struct subquery *subquery = expr->subquery;
    struct exec *exec = NULL;

    for (uint32_t i = 0; i < subquery->slot_count; i++)
        context->slots[subquery->slots[i]] = inputs[subquery->operand_count + i];
    TRY(restart(context, subquery, &exec));
    switch (subquery->kind) {
    case SUBQUERY_SCALAR:
        return run_scalar(exec, expr, eval, out);
    case SUBQUERY_EXISTS:
        return run_exists(exec, out);
    default:
        return run_quantified(exec, expr, inputs, out);
    }
}

static enum status
remember(struct exec__subplan *subplan, uint32_t width, const struct value *inputs,
         const struct value *result)
{
    struct exec__entry *entry = NULL;
    bool is_new = false;

    if (!subplan->memo_ready || subplan->memo_arena.total_size > MEMO_SIZE_MAX) {
        arena_reset(&subplan->memo_arena);
        exec__table_init(&subplan->memo, &subplan->memo_arena, width);
        subplan->memo_ready = true;
    }
    TRY(exec__table_get(&subplan->memo, inputs, &entry, &is_new));
    struct value *kept = arena_alloc(&subplan->memo_arena, sizeof(*kept));
    if (kept == NULL)
        return STATUS_NO_MEMORY;
    TRY(exec__keep_value(result, &subplan->memo_arena, kept));
    entry->payload = kept;
    return STATUS_OK;
}

static enum status
eval_inputs(const struct expr *expr, const struct value *row, struct eval *eval,
            struct value *inputs)
{
    const struct subquery *subquery = expr->subquery;

    for (uint32_t i = 0; i < expr->argument_count; i++) {
        TRY(expr_eval(expr->arguments[i], row, eval, &inputs[i]));
        /* A later source may read an earlier slot. */
        if (i >= subquery->operand_count)
            eval->slots[subquery->slots[i - subquery->operand_count]] = inputs[i];
    }
    return STATUS_OK;
}

enum status
exec__subquery(const struct expr *expr, const struct value *row, struct eval *eval,
               struct value *out)
{
    struct exec_context *context = (struct exec_context *)(uintptr_t)eval->context;
    struct value *inputs = arena_alloc(eval->arena, expr->argument_count * sizeof(*inputs));

    CHECK(context != NULL);
    if (inputs == NULL)
        return STATUS_NO_MEMORY;
    TRY(eval_inputs(expr, row, eval, inputs));
    struct exec__subplan *subplan = &context->subplans[expr->subquery->plan_index];
    bool single = expr->subquery->operand_count == 1 && expr->subquery->slot_count == 0;
    if (single && expr->subquery->kind == SUBQUERY_ANY && expr->operator_kind == EXPR_EQUAL)
        return look_up_set(context, expr, inputs, out);
    if (subplan->memo_ready) {
        const struct exec__entry *entry = exec__table_find(&subplan->memo, inputs);

        if (entry != NULL)
            return exec__keep_value(entry->payload, eval->arena, out);
    }
    TRY(run(context, expr, inputs, eval, out));
    return remember(subplan, expr->argument_count, inputs, out);
}
