/*
 * Arithmetic of numerics without a numeric for each step (numeric.h: numeric_short): sums and products of
 * columns and constants, as most aggregates are of. What is anything else, or too long, is left to
 * expr_eval; nothing that may change something or fail is evaluated here, so it may be evaluated again.
 */
#include "executor/expr.h"
#include "kernel/base/check.h"

static const struct value *
leaf_of(const struct expr *expr, const struct value *row, const struct eval *eval)
{
    switch (expr->kind) {
    case EXPR_COLUMN:
    case EXPR_AGGREGATE:
        return &row[expr->index];
    case EXPR_CONSTANT:
        return &expr->constant;
    case EXPR_SLOT:
        return &eval->slots[expr->index];
    default:
        return NULL;
    }
}

/* An integer as a numeric, and nothing but that. */
static bool
is_widening(const struct expr *expr)
{
    return expr->kind == EXPR_CAST && expr->type.type == QTDB_TYPE_NUMERIC &&
           expr->type.precision < 0;
}

static enum expr_short
read_leaf(const struct value *value, struct numeric_short *out)
{
    if (value->null)
        return EXPR_SHORT_NULL;
    if (value->type == QTDB_TYPE_NUMERIC)
        return numeric_short_read(value->bytes, value->size, out) ? EXPR_SHORT_FOUND
                                                                  : EXPR_SHORT_NONE;
    if (value->type != QTDB_TYPE_INT2 && value->type != QTDB_TYPE_INT4 &&
        value->type != QTDB_TYPE_INT8)
        return EXPR_SHORT_NONE;
    *out = (struct numeric_short){.units = value->integer};
    return EXPR_SHORT_FOUND;
}

static enum numeric_operation
operation_of(enum expr_operator operator_kind)
{
    return operator_kind == EXPR_ADD        ? NUMERIC_ADD
           : operator_kind == EXPR_SUBTRACT ? NUMERIC_SUBTRACT
           : operator_kind == EXPR_MULTIPLY ? NUMERIC_MULTIPLY
                                            : NUMERIC_DIVIDE;
}

enum expr_short
expr_eval_short(const struct expr *expr, const struct value *row, const struct eval *eval,
                struct numeric_short *out)
{
    struct numeric_short sides[2];

    if (expr->type.type != QTDB_TYPE_NUMERIC || expr->negated)
        return EXPR_SHORT_NONE;
    if (expr->kind != EXPR_ARITHMETIC) {
        const struct value *value =
            leaf_of(is_widening(expr) ? expr->arguments[0] : expr, row, eval);

        return value == NULL ? EXPR_SHORT_NONE : read_leaf(value, out);
    }
    CHECK(expr->argument_count == 2);
    for (uint32_t i = 0; i < 2; i++) {
        enum expr_short found = expr_eval_short(expr->arguments[i], row, eval, &sides[i]);

        if (found == EXPR_SHORT_NONE)
            return EXPR_SHORT_NONE;
        /* The other side may be anything, even an error. */
        if (found == EXPR_SHORT_NULL)
            return expr->arguments[1 - i]->argument_count == 0 ? EXPR_SHORT_NULL : EXPR_SHORT_NONE;
    }
    return numeric_short_calculate(operation_of(expr->operator_kind), &sides[0], &sides[1], out)
               ? EXPR_SHORT_FOUND
               : EXPR_SHORT_NONE;
}
