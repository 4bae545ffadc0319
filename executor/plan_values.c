/*
 * VALUES, and what is made of its rows at once. INSERT projects the rows that it is given: the table's order of
 * columns, and defaults for the rest. Where that asks for nothing but columns as they are and expressions without
 * any, the VALUES node makes such rows itself, and there is no node above it: a prepared INSERT of one row runs one
 * node instead of two.
 *
 * A column that two ask for, or nobody does, has to be an expression that may be evaluated any number of times: else
 * nextval() would be called twice, or never.
 */
#include <string.h>

#include "executor/plan_private.h"

static void
lay_out(struct plan *plan, uint32_t relation)
{
    for (uint32_t i = 0; i < plan->width; i++)
        plan->layout[i] = (struct plan_column){relation, i};
}

enum status
plan__values(struct planner *planner, const struct rel *rel, struct plan **out)
{
    size_t count = (size_t)rel->row_count * rel->column_count;
    struct plan *plan = NULL;

    TRY(plan__new(planner, PLAN_VALUES, NULL, rel->column_count, &plan));
    lay_out(plan, rel->relation);
    plan->row_count = rel->row_count;
    plan->exprs = plan__take(planner, count * sizeof(struct expr *));
    if (plan->exprs == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        plan->exprs[i] = rel->exprs[i];
        if (rel->exprs[i]->kind == EXPR_CONSTANT)
            continue;
        plan->reads_slots = plan->reads_slots || plan__reads_slots(rel->exprs[i]);
        TRY(plan__resolve(planner, NULL, NULL, rel->exprs[i], &plan->exprs[i]));
    }
    plan->rows = plan->cost = rel->row_count;
    *out = plan;
    return STATUS_OK;
}

static bool
is_repeatable(const struct expr *expr)
{
    return expr->kind == EXPR_CONSTANT || expr->kind == EXPR_PARAMETER;
}

static bool
is_no_column(void *context, const struct expr *expr)
{
    (void)context;
    return expr->kind != EXPR_COLUMN;
}

static uint32_t
uses_of(const struct plan *project, uint32_t column)
{
    uint32_t uses = 0;

    for (uint32_t i = 0; i < project->width; i++)
        uses += project->exprs[i]->kind == EXPR_COLUMN && project->exprs[i]->index == column;
    return uses;
}

static bool
is_repeatable_column(const struct plan *values, uint32_t column)
{
    for (uint32_t row = 0; row < values->row_count; row++)
        if (!is_repeatable(values->exprs[(size_t)row * values->width + column]))
            return false;
    return true;
}

/* Subqueries may read the row through slots: they stay above. So do defaults such as nextval() of several rows:
 * each is evaluated when its row of VALUES has been. */
static bool
may_fold(const struct plan *project)
{
    const struct plan *values = project->input;

    if (values->kind != PLAN_VALUES || project->width == 0)
        return false;
    for (uint32_t i = 0; i < project->width; i++) {
        const struct expr *expr = project->exprs[i];

        if (values->row_count > 1 && expr->kind != EXPR_COLUMN && !is_repeatable(expr))
            return false;
        if (expr->kind != EXPR_COLUMN &&
            (!expr_visit(expr, is_no_column, NULL) || plan__has_subquery(expr)))
            return false;
    }
    for (uint32_t column = 0; column < values->width; column++)
        if (uses_of(project, column) != 1 && !is_repeatable_column(values, column))
            return false;
    return true;
}

enum status
plan__fold_values(struct planner *planner, struct plan **plan_io)
{
    struct plan *project = *plan_io, *values = project->input;
    uint32_t width = project->width;

    if (!may_fold(project))
        return STATUS_OK;
    struct expr **exprs =
        plan__take(planner, (size_t)values->row_count * width * sizeof(struct expr *));
    if (exprs == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t row = 0; row < values->row_count; row++) {
        struct expr *const *from = &values->exprs[(size_t)row * values->width];
        struct expr **to = &exprs[(size_t)row * width];

        for (uint32_t i = 0; i < width; i++)
            to[i] = project->exprs[i]->kind == EXPR_COLUMN ? from[project->exprs[i]->index]
                                                           : project->exprs[i];
    }
    values->exprs = exprs;
    values->width = width;
    values->layout = project->layout;
    values->reads_slots = values->reads_slots || project->reads_slots;
    *plan_io = values;
    return STATUS_OK;
}
