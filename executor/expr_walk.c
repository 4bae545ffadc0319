/* Walking, comparing and copying expressions. Depth is bounded by the parser's limit. */
#include <string.h>

#include "executor/expr.h"
#include "kernel/base/check.h"

static bool
same_constant(const struct value *left, const struct value *right)
{
    if (left->null || right->null)
        return left->null && right->null;
    if (left->type != right->type)
        return false;
    if (value_type_is_bytes(left->type) || left->type == QTDB_TYPE_NULL)
        return left->size == right->size && memcmp(left->bytes, right->bytes, left->size) == 0;
    return value_compare(left, right) == 0;
}

bool
expr_same(const struct expr *left, const struct expr *right)
{
    if (left == right)
        return true;
    if (left->kind != right->kind || left->type.type != right->type.type ||
        left->type.precision != right->type.precision || left->type.scale != right->type.scale ||
        left->operator_kind != right->operator_kind || left->function != right->function ||
        left->relation != right->relation || left->index != right->index ||
        left->negated != right->negated || left->insensitive != right->insensitive ||
        left->argument_count != right->argument_count)
        return false;
    if (left->kind == EXPR_SUBQUERY && left->subquery->rel != right->subquery->rel)
        return false;
    if (left->kind == EXPR_CONSTANT && !same_constant(&left->constant, &right->constant))
        return false;
    for (uint32_t i = 0; i < left->argument_count; i++) {
        if (!expr_same(left->arguments[i], right->arguments[i]))
            return false;
    }
    return true;
}

bool
expr_visit(const struct expr *expr, bool (*each)(void *context, const struct expr *expr),
           void *context)
{
    if (!each(context, expr))
        return false;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (!expr_visit(expr->arguments[i], each, context))
            return false;
    }
    return true;
}

enum status
expr_rewrite(struct arena *arena, struct expr *expr, expr_replace *replace, void *context,
             struct expr **out)
{
    struct expr *copy = NULL;

    TRY(replace(context, expr, &copy));
    if (copy != NULL) {
        *out = copy;
        return STATUS_OK;
    }
    copy = arena_alloc(arena, sizeof(*copy));
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    *copy = *expr;
    copy->arguments = arena_alloc(arena, expr->argument_count * sizeof(struct expr *));
    if (copy->arguments == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < expr->argument_count; i++)
        TRY(expr_rewrite(arena, expr->arguments[i], replace, context, &copy->arguments[i]));
    if (expr->subquery != NULL) {
        copy->subquery = arena_alloc(arena, sizeof(*copy->subquery));
        if (copy->subquery == NULL)
            return STATUS_NO_MEMORY;
        *copy->subquery = *expr->subquery;
    }
    *out = copy;
    return STATUS_OK;
}
