/*
 * Which columns are asked for: from the top of the tree down, so that a projection asks only for what
 * its own needed columns read.
 */
#include "executor/plan_private.h"
#include "kernel/base/check.h"

static enum status need_rel(struct planner *planner, const struct rel *rel);

static enum status
mark(struct planner *planner, uint32_t relation, uint32_t index)
{
    CHECK(relation < REL_RELATIONS_MAX && index <= 2 * ROW_COLUMNS_MAX + REL_RELATIONS_MAX);
    if (planner->needed[relation] == NULL) {
        planner->needed[relation] =
            arena_alloc(&planner->scratch, 2 * ROW_COLUMNS_MAX + REL_RELATIONS_MAX + 1);
        if (planner->needed[relation] == NULL)
            return STATUS_NO_MEMORY;
    }
    planner->needed[relation][index] = true;
    return STATUS_OK;
}

bool
plan__is_needed(const struct planner *planner, uint32_t relation, uint32_t index)
{
    return planner->needed[relation] != NULL && planner->needed[relation][index];
}

enum status
plan__need_expr(struct planner *planner, const struct expr *expr)
{
    if (expr->kind == EXPR_COLUMN && expr->relation > 0)
        return mark(planner, expr->relation, expr->index);
    for (uint32_t i = 0; i < expr->argument_count; i++)
        TRY(plan__need_expr(planner, expr->arguments[i]));
    if (expr->kind != EXPR_SUBQUERY)
        return STATUS_OK;
    return plan__need_query(planner, expr->subquery->rel, expr->subquery->relation,
                            expr->subquery->width);
}

enum status
plan__need_query(struct planner *planner, const struct rel *rel, uint32_t relation, uint32_t width)
{
    for (uint32_t i = 0; i < width; i++)
        TRY(mark(planner, relation, i));
    return need_rel(planner, rel);
}

static enum status
need_aggregates(struct planner *planner, const struct rel *rel)
{
    for (uint32_t i = 0; i < rel->aggregate_count; i++) {
        const struct rel_aggregate *call = &rel->aggregates[i];

        for (uint32_t k = 0; k < call->argument_count; k++)
            TRY(plan__need_expr(planner, call->arguments[k]));
        if (call->filter != NULL)
            TRY(plan__need_expr(planner, call->filter));
        for (uint32_t k = 0; k < call->sort_count; k++)
            TRY(plan__need_expr(planner, call->sort_keys[k].expr));
    }
    for (uint32_t i = 0; i < rel->group_count; i++)
        TRY(plan__need_expr(planner, rel->exprs[i]));
    return STATUS_OK;
}

static enum status
need_optional(struct planner *planner, const struct expr *expr)
{
    return expr == NULL ? STATUS_OK : plan__need_expr(planner, expr);
}

static enum status
need_windows(struct planner *planner, const struct rel *rel)
{
    for (uint32_t i = 0; i < rel->window_count; i++) {
        const struct rel_window *call = &rel->windows[i];

        for (uint32_t k = 0; k < call->argument_count; k++)
            TRY(plan__need_expr(planner, call->arguments[k]));
        for (uint32_t k = 0; k < call->aggregate.argument_count; k++)
            TRY(plan__need_expr(planner, call->aggregate.arguments[k]));
        TRY(need_optional(planner, call->aggregate.filter));
        TRY(need_optional(planner, call->frame.start_offset));
        TRY(need_optional(planner, call->frame.end_offset));
        TRY(need_optional(planner, call->frame.range_key));
        TRY(need_optional(planner, call->frame.range_start));
        TRY(need_optional(planner, call->frame.range_end));
    }
    return STATUS_OK;
}

static enum status
need_own(struct planner *planner, const struct rel *rel)
{
    size_t count = rel->kind == REL_VALUES    ? (size_t)rel->row_count * rel->column_count
                   : rel->kind == REL_PROJECT ? rel->column_count
                   : rel->kind == REL_SERIES  ? rel->row_count
                   : rel->kind == REL_LOCK    ? rel->lock_count
                                              : 0;

    for (size_t i = 0; i < count; i++) {
        bool wanted =
            rel->kind != REL_PROJECT || plan__is_needed(planner, rel->relation, (uint32_t)i);

        if (wanted)
            TRY(plan__need_expr(planner, rel->exprs[i]));
    }
    if (rel->condition != NULL)
        TRY(plan__need_expr(planner, rel->condition));
    for (uint32_t i = 0; i < rel->slot_count; i++)
        TRY(plan__need_expr(planner, rel->slot_sources[i]));
    for (uint32_t i = 0; i < rel->sort_count; i++)
        TRY(plan__need_expr(planner, rel->sort_keys[i].expr));
    if (rel->limit != NULL)
        TRY(plan__need_expr(planner, rel->limit));
    return rel->offset == NULL ? STATUS_OK : plan__need_expr(planner, rel->offset);
}

/* Both sides of a set operation give all their columns. */
static enum status
need_sides(struct planner *planner, const struct rel *rel)
{
    for (uint32_t i = 0; i < rel->column_count; i++) {
        TRY(mark(planner, rel->input->relation, i));
        TRY(mark(planner, rel->right->relation, i));
    }
    return STATUS_OK;
}

/* What each use asks for is not looked at: the rows have all columns. */
static enum status
need_shared(struct planner *planner, const struct rel *rel)
{
    bool *seen = &planner->shared_needed[rel->shared->index];

    if (*seen || rel->shared->is_change)
        return STATUS_OK;
    *seen = true;
    return plan__need_query(planner, rel->input, rel->shared->relation, rel->column_count);
}

static enum status
need_rel(struct planner *planner, const struct rel *rel)
{
    while (rel != NULL) {
        TRY(need_own(planner, rel));
        if (rel->kind == REL_AGGREGATE)
            TRY(need_aggregates(planner, rel));
        if (rel->kind == REL_WINDOW)
            TRY(need_windows(planner, rel));
        if (rel->kind == REL_SET || rel->kind == REL_RECURSIVE)
            TRY(need_sides(planner, rel));
        if (rel->kind == REL_SHARED && plan__is_shared(rel))
            return need_shared(planner, rel);
        if (rel->right != NULL)
            TRY(need_rel(planner, rel->right));
        rel = rel->input;
    }
    return STATUS_OK;
}
