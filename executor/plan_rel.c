/*
 * From logical to physical, node by node. Conditions travel down as far as they may: through
 * projections and groups by substitution, into both sides of set operations, not past LIMIT.
 */
#include <math.h>
#include <string.h>

#include "executor/plan_private.h"
#include "kernel/base/check.h"

/* Pieces. */

enum status
plan__filter(struct planner *planner, const struct plan__list *conditions, struct plan **plan)
{
    struct plan *filter = NULL;
    struct expr *condition = NULL;

    TRY(plan__conjunction(planner, conditions, &condition));
    if (condition == NULL)
        return STATUS_OK;
    TRY(plan__new(planner, PLAN_FILTER, *plan, (*plan)->width, &filter));
    TRY(plan__resolve(planner, *plan, NULL, condition, &filter->filter));
    filter->reads_slots = (*plan)->reads_slots || plan__reads_slots(condition);
    filter->cost = (*plan)->cost + (*plan)->rows * 0.1;
    for (uint32_t i = 0; i < conditions->count; i++)
        filter->rows *= 0.4;
    *plan = filter;
    return STATUS_OK;
}

/* The columns of a relation that are asked for. */
static enum status
needed_columns(struct planner *planner, const struct rel *rel, uint32_t *count_out,
               uint32_t **columns_out)
{
    uint32_t *columns = plan__take(planner, rel->column_count * sizeof(*columns));
    uint32_t count = 0;

    if (columns == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (plan__is_needed(planner, rel->relation, i))
            columns[count++] = i;
    }
    *columns_out = columns;
    *count_out = count;
    return STATUS_OK;
}

static void
lay_out(struct plan *plan, uint32_t relation)
{
    for (uint32_t i = 0; i < plan->width; i++)
        plan->layout[i] = (struct plan_column){relation, i};
}

static enum status
resolve_into(struct planner *planner, const struct plan *input, struct expr *expr,
             struct plan *plan, struct expr **out)
{
    plan->reads_slots = plan->reads_slots || plan__reads_slots(expr);
    return plan__resolve(planner, input, NULL, expr, out);
}

/* Leaves. */

static enum status
plan_series(struct planner *planner, const struct rel *rel, struct plan **out)
{
    struct plan *plan = NULL;

    TRY(plan__new(planner, rel->part_count > 0 ? PLAN_ZIP : PLAN_SERIES, NULL, rel->column_count,
                  &plan));
    lay_out(plan, rel->relation);
    plan->part_count = rel->part_count;
    plan->parts = rel->parts;
    plan->ordinality = rel->ordinality;
    plan->row_count = rel->row_count;
    plan->exprs = plan__take(planner, rel->row_count * sizeof(struct expr *));
    if (plan->exprs == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < rel->row_count; i++)
        TRY(resolve_into(planner, NULL, rel->exprs[i], plan, &plan->exprs[i]));
    plan->rows = plan->cost = 1000;
    *out = plan;
    return STATUS_OK;
}

static enum status
plan_work(struct planner *planner, const struct rel *rel, struct plan **out)
{
    TRY(plan__new(planner, PLAN_WORK, NULL, rel->column_count, out));
    lay_out(*out, rel->relation);
    (*out)->work_index = rel->work_index;
    (*out)->rows = (*out)->cost = 100;
    (*out)->reads_slots = true;
    return STATUS_OK;
}

/* One use of a query of WITH; the first one plans the query. */
static enum status
plan_shared(struct planner *planner, const struct rel *rel, struct plan **out)
{
    const struct rel_shared *shared = rel->shared;
    const struct plan *made;

    if (!shared->is_change && planner->shared[shared->index] == NULL) {
        planner->shared_names[shared->index] = shared->name;
        TRY(plan__query(planner, rel->input, shared->relation, rel->column_count,
                        &planner->shared[shared->index]));
    }
    made = shared->is_change ? planner->parts[shared->part]->root : planner->shared[shared->index];
    TRY(plan__new(planner, PLAN_SHARED, NULL, rel->column_count, out));
    lay_out(*out, rel->relation);
    (*out)->shared = shared;
    (*out)->rows = made->rows;
    (*out)->cost = made->cost / shared->use_count + made->rows * 0.2;
    return STATUS_OK;
}

/* Projection and grouping. */

static enum status
plan_project(struct planner *planner, const struct rel *rel, const struct plan__list *conditions,
             struct plan **out)
{
    struct plan__list below = {.count = 0}, above = {.count = 0};
    struct plan *input = NULL, *plan = NULL;
    uint32_t count = 0, *columns = NULL;

    for (uint32_t i = 0; i < conditions->count; i++) {
        struct expr *moved = NULL;

        TRY(plan__substitute(planner, rel->relation, rel->exprs, conditions->exprs[i], &moved));
        bool costly = plan__has_subquery(moved) && !plan__has_subquery(conditions->exprs[i]);
        TRY(costly ? plan__list_add(planner, &above, conditions->exprs[i])
                   : plan__split(planner, &below, moved));
    }
    TRY(plan__rel(planner, rel->input, &below, &input));
    TRY(needed_columns(planner, rel, &count, &columns));
    TRY(plan__new(planner, PLAN_PROJECT, input, count, &plan));
    plan->exprs = plan__take(planner, count * sizeof(struct expr *));
    plan->layout = plan__take(planner, count * sizeof(*plan->layout));
    if (plan->exprs == NULL || plan->layout == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        plan->layout[i] = (struct plan_column){rel->relation, columns[i]};
        TRY(resolve_into(planner, input, rel->exprs[columns[i]], plan, &plan->exprs[i]));
    }
    plan->cost += plan->rows * 0.1;
    TRY(plan__fold_values(planner, &plan));
    *out = plan;
    return plan__filter(planner, &above, out);
}

static bool
reads_groups_only(const struct rel *rel, const struct expr *expr)
{
    if (expr->kind == EXPR_COLUMN && expr->relation == rel->relation)
        return expr->index < rel->group_count;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (!reads_groups_only(rel, expr->arguments[i]))
            return false;
    }
    return expr->kind != EXPR_SUBQUERY;
}

enum status
plan__aggregate_call(struct planner *planner, struct plan *input, struct plan *plan,
                     const struct rel_aggregate *from, struct rel_aggregate *call)
{
    *call = *from;
    call->sort_keys = plan__take(planner, from->sort_count * sizeof(*call->sort_keys));
    if (call->sort_keys == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < from->argument_count; i++)
        TRY(resolve_into(planner, input, from->arguments[i], plan, &call->arguments[i]));
    if (from->filter != NULL)
        TRY(resolve_into(planner, input, from->filter, plan, &call->filter));
    for (uint32_t i = 0; i < from->sort_count; i++) {
        call->sort_keys[i] = from->sort_keys[i];
        TRY(resolve_into(planner, input, from->sort_keys[i].expr, plan, &call->sort_keys[i].expr));
    }
    return STATUS_OK;
}

/* Rows that come in the order of the groups are grouped one group after the other. */
static enum status
choose_grouping(struct planner *planner, struct plan *input, struct plan *plan)
{
    struct plan_sort_key *keys = plan__take(planner, plan->group_count * sizeof(*keys));
    bool fits = plan->group_count > 0 && plan->set_count == 0;

    if (keys == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < plan->group_count; i++) {
        const struct expr *expr = plan->exprs[i];

        fits = fits && expr->kind == EXPR_COLUMN && value_type_is_integer(expr->type.type);
        keys[i] = (struct plan_sort_key){.column = expr->index};
    }
    for (uint32_t i = 0; i < plan->aggregate_count; i++) {
        const struct rel_aggregate *call = &plan->aggregates[i];

        fits = fits && call->kind < REL_GROUPING && !call->distinct && call->sort_count == 0;
    }
    if (fits && plan__gives_order(input, keys, plan->group_count))
        plan->kind = PLAN_GROUP;
    return STATUS_OK;
}

static enum status
plan_aggregate(struct planner *planner, const struct rel *rel, const struct plan__list *conditions,
               struct plan **out)
{
    struct plan__list below = {.count = 0}, above = {.count = 0};
    struct plan *input = NULL, *plan = NULL;

    for (uint32_t i = 0; i < conditions->count; i++) {
        struct expr *condition = conditions->exprs[i], *moved = NULL;

        if (rel->group_count == 0 || rel->set_count > 0 || !reads_groups_only(rel, condition)) {
            TRY(plan__list_add(planner, &above, condition));
            continue;
        }
        TRY(plan__substitute(planner, rel->relation, rel->exprs, condition, &moved));
        TRY(plan__split(planner, &below, moved));
    }
    TRY(plan__rel(planner, rel->input, &below, &input));
    TRY(plan__new(planner, PLAN_AGGREGATE, input, rel->column_count, &plan));
    plan->layout = plan__take(planner, rel->column_count * sizeof(*plan->layout));
    plan->exprs = plan__take(planner, rel->group_count * sizeof(struct expr *));
    plan->aggregates = plan__take(planner, rel->aggregate_count * sizeof(*plan->aggregates));
    if (plan->layout == NULL || plan->exprs == NULL || plan->aggregates == NULL)
        return STATUS_NO_MEMORY;
    lay_out(plan, rel->relation);
    plan->group_count = rel->group_count;
    plan->aggregate_count = rel->aggregate_count;
    plan->set_count = rel->set_count;
    plan->sets = rel->sets;
    for (uint32_t i = 0; i < rel->group_count; i++)
        TRY(resolve_into(planner, input, rel->exprs[i], plan, &plan->exprs[i]));
    for (uint32_t i = 0; i < rel->aggregate_count; i++)
        TRY(plan__aggregate_call(planner, input, plan, &rel->aggregates[i], &plan->aggregates[i]));
    TRY(choose_grouping(planner, input, plan));
    plan->cost = input->cost + input->rows;
    plan->rows = plan__groups(planner, rel->exprs, rel->group_count, input->rows);
    *out = plan;
    return plan__filter(planner, &above, out);
}

/* Order. */

static bool
is_key_column(const struct rel *rel, const struct expr *expr)
{
    if (expr->kind == EXPR_COLUMN && expr->relation > 0) {
        for (uint32_t i = 0; i < rel->sort_count; i++) {
            if (expr_same(rel->sort_keys[i].expr, expr))
                return true;
        }
        return false;
    }
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (!is_key_column(rel, expr->arguments[i]))
            return false;
    }
    return true;
}

static enum status
take_sort_keys(struct planner *planner, const struct rel *rel, const struct plan *input,
               struct plan *plan)
{
    plan->sort_keys = plan__take(planner, rel->sort_count * sizeof(*plan->sort_keys));
    if (plan->sort_keys == NULL)
        return STATUS_NO_MEMORY;
    plan->sort_count = rel->sort_count;
    for (uint32_t i = 0; i < rel->sort_count; i++) {
        struct expr *column = NULL;

        TRY(plan__resolve(planner, input, NULL, rel->sort_keys[i].expr, &column));
        CHECK(column->kind == EXPR_COLUMN);
        plan->sort_keys[i] = (struct plan_sort_key){column->index, rel->sort_keys[i].descending,
                                                    rel->sort_keys[i].nulls_first};
    }
    return STATUS_OK;
}

static enum status
plan_keyed(struct planner *planner, const struct rel *rel, const struct plan__list *conditions,
           struct plan **out)
{
    bool sort = rel->kind == REL_SORT;
    struct plan__list below = {.count = 0}, above = {.count = 0};
    struct plan *plan = NULL;

    for (uint32_t i = 0; i < conditions->count; i++) {
        bool passes = sort || is_key_column(rel, conditions->exprs[i]);

        TRY(plan__list_add(planner, passes ? &below : &above, conditions->exprs[i]));
    }
    TRY(plan__rel(planner, rel->input, &below, &plan));
    struct plan *input = plan;
    TRY(plan__new(planner, sort ? PLAN_SORT : PLAN_DISTINCT, input, input->width, &plan));
    TRY(take_sort_keys(planner, rel, input, plan));
    plan->cost += plan->rows;
    *out = sort && plan__gives_order(input, plan->sort_keys, plan->sort_count) ? input : plan;
    return plan__filter(planner, &above, out);
}

/* How many rows are asked for, as far as that is known; else more than there are. */
static double
wanted_rows(const struct plan *limit)
{
    const struct expr *const both[] = {limit->limit, limit->offset};
    double wanted = 0;

    for (uint32_t i = 0; i < 2; i++) {
        if (both[i] == NULL && i > 0)
            continue;
        if (both[i] == NULL || both[i]->kind != EXPR_CONSTANT || both[i]->constant.null)
            return INFINITY;
        wanted += (double)both[i]->constant.integer;
    }
    return wanted;
}

/* A sort below needs to keep no more rows than are asked for, if that is the same in every run; it goes where
 * an index has its order. */
static void
bound_sort(struct plan *limit)
{
    struct plan **place = &limit->input;

    while ((*place)->kind == PLAN_PROJECT)
        place = &(*place)->input;
    struct plan *sort = *place;
    if (sort->kind == PLAN_SORT && plan__order_by_index(sort, wanted_rows(limit))) {
        *place = sort->input;
        return;
    }
    if (sort->kind != PLAN_SORT || limit->limit == NULL || limit->sort_count > 0 ||
        plan__reads_slots(limit->limit) ||
        (limit->offset != NULL && plan__reads_slots(limit->offset)))
        return;
    sort->limit = limit->limit;
    sort->offset = limit->offset;
}

/* Rows that a condition refuses are locked all the same: none goes below. */
static enum status
plan_lock(struct planner *planner, const struct rel *rel, const struct plan__list *conditions,
          struct plan **out)
{
    static const struct plan__list none = {.count = 0};
    struct plan *input = NULL, *plan = NULL;

    TRY(plan__rel(planner, rel->input, &none, &input));
    TRY(plan__new(planner, PLAN_LOCK, input, input->width, &plan));
    plan->exprs = plan__take(planner, rel->lock_count * sizeof(struct expr *));
    if (plan->exprs == NULL)
        return STATUS_NO_MEMORY;
    plan->lock_count = rel->lock_count;
    plan->locks = rel->locks;
    for (uint32_t i = 0; i < rel->lock_count; i++)
        TRY(resolve_into(planner, input, rel->exprs[i], plan, &plan->exprs[i]));
    *out = plan;
    return plan__filter(planner, conditions, out);
}

static enum status
plan_limit(struct planner *planner, const struct rel *rel, const struct plan__list *conditions,
           struct plan **out)
{
    static const struct plan__list none = {.count = 0};
    struct plan *input = NULL, *plan = NULL;

    TRY(plan__rel(planner, rel->input, &none, &input));
    TRY(plan__new(planner, PLAN_LIMIT, input, input->width, &plan));
    if (rel->limit != NULL)
        TRY(resolve_into(planner, NULL, rel->limit, plan, &plan->limit));
    if (rel->offset != NULL)
        TRY(resolve_into(planner, NULL, rel->offset, plan, &plan->offset));
    TRY(take_sort_keys(planner, rel, input, plan));
    bound_sort(plan);
    if (rel->limit != NULL && rel->limit->kind == EXPR_CONSTANT && !rel->limit->constant.null &&
        (double)rel->limit->constant.integer < plan->rows)
        plan->rows = (double)rel->limit->constant.integer;
    *out = plan;
    return plan__filter(planner, conditions, out);
}

/* Set operations and recursion. */

static enum status
columns_of(struct planner *planner, const struct rel *rel, struct expr ***out)
{
    struct expr **exprs = plan__take(planner, rel->column_count * sizeof(struct expr *));

    if (exprs == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < rel->column_count; i++) {
        exprs[i] = plan__take(planner, sizeof(struct expr));
        if (exprs[i] == NULL)
            return STATUS_NO_MEMORY;
        *exprs[i] = (struct expr){.kind = EXPR_COLUMN,
                                  .type = rel->columns[i].type,
                                  .location = -1,
                                  .relation = rel->relation,
                                  .index = i};
    }
    *out = exprs;
    return STATUS_OK;
}

static enum status
plan_side(struct planner *planner, const struct rel *rel, const struct rel *side,
          const struct plan__list *conditions, struct plan **out)
{
    struct plan__list moved = {.count = 0};
    struct expr **columns = NULL;

    TRY(columns_of(planner, side, &columns));
    for (uint32_t i = 0; i < conditions->count; i++) {
        struct expr *condition = NULL;

        TRY(plan__substitute(planner, rel->relation, columns, conditions->exprs[i], &condition));
        TRY(plan__list_add(planner, &moved, condition));
    }
    TRY(plan__rel(planner, side, &moved, out));
    CHECK((*out)->width == rel->column_count);
    return STATUS_OK;
}

static enum status
plan_set(struct planner *planner, const struct rel *rel, const struct plan__list *conditions,
         struct plan **out)
{
    static const struct plan__list none = {.count = 0};
    bool recursive = rel->kind == REL_RECURSIVE;
    const struct plan__list *below = recursive ? &none : conditions;
    struct plan *left = NULL, *right = NULL, *plan = NULL;

    TRY(plan_side(planner, rel, rel->input, below, &left));
    TRY(plan_side(planner, rel, rel->right, below, &right));
    TRY(plan__new(planner, recursive ? PLAN_RECURSIVE : PLAN_SET, left, rel->column_count, &plan));
    plan->layout = plan__take(planner, plan->width * sizeof(*plan->layout));
    if (plan->layout == NULL)
        return STATUS_NO_MEMORY;
    lay_out(plan, rel->relation);
    plan->right = right;
    plan->set = rel->set;
    plan->all = rel->all;
    plan->work_index = rel->work_index;
    plan->reads_slots = left->reads_slots || right->reads_slots;
    plan->rows = left->rows + right->rows;
    plan->cost = left->cost + right->cost + plan->rows;
    *out = plan;
    return recursive ? plan__filter(planner, conditions, out) : STATUS_OK;
}

/* All. */

static enum status
plan_filter_rel(struct planner *planner, const struct rel *rel, const struct plan__list *conditions,
                struct plan **out)
{
    struct plan__list all = {.count = 0};

    for (uint32_t i = 0; i < conditions->count; i++)
        TRY(plan__list_add(planner, &all, conditions->exprs[i]));
    TRY(plan__split(planner, &all, rel->condition));
    return plan__rel(planner, rel->input, &all, out);
}

static enum status
plan_leaf(struct planner *planner, const struct rel *rel, struct plan **out)
{
    switch (rel->kind) {
    case REL_VALUES:
        return plan__values(planner, rel, out);
    case REL_SERIES:
        return plan_series(planner, rel, out);
    case REL_WORK:
        return plan_work(planner, rel, out);
    case REL_SHARED:
        return plan_shared(planner, rel, out);
    default:
        CHECK(rel->kind == REL_RESULT);
        return plan__new(planner, PLAN_RESULT, NULL, 0, out);
    }
}

enum status
plan__rel(struct planner *planner, const struct rel *rel, const struct plan__list *conditions,
          struct plan **out)
{
    while (rel->kind == REL_SHARED && !plan__is_shared(rel))
        rel = rel->input;
    switch (rel->kind) {
    case REL_TABLE:
        return plan__scan(planner, rel, conditions, out);
    case REL_JOIN:
        return plan__join(planner, rel, conditions, out);
    case REL_FILTER:
        return plan_filter_rel(planner, rel, conditions, out);
    case REL_PROJECT:
        return plan_project(planner, rel, conditions, out);
    case REL_AGGREGATE:
        return plan_aggregate(planner, rel, conditions, out);
    case REL_SORT:
    case REL_DISTINCT:
        return plan_keyed(planner, rel, conditions, out);
    case REL_WINDOW:
        return plan__window(planner, rel, conditions, out);
    case REL_LIMIT:
        return plan_limit(planner, rel, conditions, out);
    case REL_LOCK:
        return plan_lock(planner, rel, conditions, out);
    case REL_SET:
    case REL_RECURSIVE:
        return plan_set(planner, rel, conditions, out);
    default:
        TRY(plan_leaf(planner, rel, out));
        return plan__filter(planner, conditions, out);
    }
}

static bool
is_in_order(const struct plan *plan, uint32_t relation, uint32_t width)
{
    for (uint32_t i = 0; i < width; i++) {
        if (i >= plan->width || plan->layout[i].relation != relation || plan->layout[i].index != i)
            return false;
    }
    return true;
}

enum status
plan__query(struct planner *planner, const struct rel *rel, uint32_t relation, uint32_t width,
            struct plan **out)
{
    static const struct plan__list none = {.count = 0};
    struct plan *plan = NULL, *project = NULL;

    TRY(plan__rel(planner, rel, &none, &plan));
    *out = plan;
    if (is_in_order(plan, relation, width))
        return STATUS_OK;
    TRY(plan__new(planner, PLAN_PROJECT, plan, width, &project));
    project->layout = plan__take(planner, width * sizeof(*project->layout));
    project->exprs = plan__take(planner, width * sizeof(struct expr *));
    if (project->layout == NULL || project->exprs == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < width; i++) {
        struct expr column = {
            .kind = EXPR_COLUMN, .location = -1, .relation = relation, .index = i};

        project->layout[i] = (struct plan_column){relation, i};
        TRY(plan__resolve(planner, plan, NULL, &column, &project->exprs[i]));
    }
    *out = project;
    return STATUS_OK;
}
