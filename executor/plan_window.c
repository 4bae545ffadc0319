/*
 * Windows: the rows below, with what they are sorted by beside them where that is no column, sorted by
 * partition and order, then the calls. A condition on the partition alone goes below.
 */
#include <string.h>

#include "executor/plan_private.h"
#include "kernel/base/check.h"

/* Every column is one of the partition's. */
static bool
is_on_partition(const struct rel *rel, const struct expr *expr)
{
    for (uint32_t i = 0; i < rel->group_count; i++) {
        if (expr_same(rel->sort_keys[i].expr, expr))
            return true;
    }
    if (expr->kind == EXPR_COLUMN || expr->kind == EXPR_SUBQUERY)
        return false;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (!is_on_partition(rel, expr->arguments[i]))
            return false;
    }
    return true;
}

/* The input with a column for each sort key; `keys` get their positions. */
static enum status
plan_keys(struct planner *planner, const struct rel *rel, struct plan_sort_key *keys,
          struct plan **plan)
{
    struct plan *input = *plan, *project = NULL;
    uint32_t width = input->width;

    TRY(plan__new(planner, PLAN_PROJECT, input, width + rel->sort_count, &project));
    project->exprs = plan__take(planner, project->width * sizeof(struct expr *));
    project->layout = plan__take(planner, project->width * sizeof(*project->layout));
    if (project->exprs == NULL || project->layout == NULL)
        return STATUS_NO_MEMORY;
    memcpy(project->layout, input->layout, width * sizeof(*project->layout));
    for (uint32_t i = 0; i < rel->sort_count; i++) {
        struct expr *key = NULL;

        TRY(plan__resolve(planner, input, NULL, rel->sort_keys[i].expr, &key));
        keys[i] = (struct plan_sort_key){width, rel->sort_keys[i].descending,
                                         rel->sort_keys[i].nulls_first};
        project->reads_slots = project->reads_slots || plan__reads_slots(key);
        if (key->kind == EXPR_COLUMN)
            keys[i].column = key->index;
        else
            project->exprs[width++] = key;
    }
    if (width == input->width)
        return STATUS_OK;
    project->width = width;
    for (uint32_t i = 0; i < input->width; i++) {
        struct expr *column = plan__take(planner, sizeof(*column));

        if (column == NULL)
            return STATUS_NO_MEMORY;
        *column = (struct expr){.kind = EXPR_COLUMN, .location = -1, .index = i};
        project->exprs[i] = column;
    }
    *plan = project;
    return STATUS_OK;
}

static enum status
resolve(struct planner *planner, struct plan *plan, struct expr **expr)
{
    if (*expr == NULL)
        return STATUS_OK;
    plan->reads_slots = plan->reads_slots || plan__reads_slots(*expr);
    return plan__resolve(planner, plan->input, NULL, *expr, expr);
}

static enum status
resolve_call(struct planner *planner, struct plan *plan, const struct rel_window *from,
             struct rel_window *call)
{
    *call = *from;
    for (uint32_t i = 0; i < call->argument_count; i++)
        TRY(resolve(planner, plan, &call->arguments[i]));
    TRY(resolve(planner, plan, &call->frame.start_offset));
    TRY(resolve(planner, plan, &call->frame.end_offset));
    TRY(resolve(planner, plan, &call->frame.range_key));
    TRY(resolve(planner, plan, &call->frame.range_start));
    TRY(resolve(planner, plan, &call->frame.range_end));
    return call->kind != REL_WINDOW_AGGREGATE
               ? STATUS_OK
               : plan__aggregate_call(planner, plan->input, plan, &from->aggregate,
                                      &call->aggregate);
}

static enum status
plan_sorted(struct planner *planner, const struct rel *rel, const struct plan__list *conditions,
            struct plan_sort_key *keys, struct plan **out)
{
    struct plan *sort = NULL;

    TRY(plan__rel(planner, rel->input, conditions, out));
    TRY(plan_keys(planner, rel, keys, out));
    if (rel->sort_count == 0 || plan__gives_order(*out, keys, rel->sort_count))
        return STATUS_OK;
    TRY(plan__new(planner, PLAN_SORT, *out, (*out)->width, &sort));
    sort->sort_keys = keys;
    sort->sort_count = rel->sort_count;
    sort->cost += sort->rows;
    *out = sort;
    return STATUS_OK;
}

enum status
plan__window(struct planner *planner, const struct rel *rel, const struct plan__list *conditions,
             struct plan **out)
{
    struct plan__list below = {.count = 0}, above = {.count = 0};
    struct plan_sort_key *keys = plan__take(planner, rel->sort_count * sizeof(*keys));
    struct plan *input = NULL, *plan = NULL;

    if (keys == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < conditions->count; i++) {
        bool passes = rel->group_count > 0 && is_on_partition(rel, conditions->exprs[i]);

        TRY(plan__list_add(planner, passes ? &below : &above, conditions->exprs[i]));
    }
    TRY(plan_sorted(planner, rel, &below, keys, &input));
    TRY(plan__new(planner, PLAN_WINDOW, input, input->width + rel->window_count, &plan));
    plan->windows = plan__take(planner, rel->window_count * sizeof(*plan->windows));
    if (plan->windows == NULL)
        return STATUS_NO_MEMORY;
    memcpy(plan->layout, input->layout, input->width * sizeof(*plan->layout));
    plan->sort_keys = keys;
    plan->sort_count = rel->sort_count;
    plan->group_count = rel->group_count;
    plan->window_count = rel->window_count;
    for (uint32_t i = 0; i < rel->window_count; i++) {
        plan->layout[input->width + i] = (struct plan_column){rel->relation, i};
        TRY(resolve_call(planner, plan, &rel->windows[i], &plan->windows[i]));
    }
    plan->cost += plan->rows;
    *out = plan;
    return plan__filter(planner, &above, out);
}
