/* Planning: the entry point, and making nodes. */
#include "executor/plan.h"

#include <string.h>

#include "executor/plan_private.h"
#include "kernel/base/check.h"

void *
plan__take(struct planner *planner, size_t size)
{
    return arena_alloc(planner->arena, size);
}

enum status
plan__new(struct planner *planner, enum plan_kind kind, struct plan *input, uint32_t width,
          struct plan **out)
{
    struct plan *plan = plan__take(planner, sizeof(*plan));

    if (plan == NULL)
        return STATUS_NO_MEMORY;
    plan->kind = kind;
    plan->id = planner->node_count++;
    plan->input = input;
    plan->width = width;
    plan->rows = 1;
    if (input != NULL) {
        plan->rows = input->rows;
        plan->cost = input->cost;
        plan->reads_slots = input->reads_slots;
    }
    if (input != NULL && width == input->width) {
        plan->layout = input->layout;
    } else {
        plan->layout = plan__take(planner, width * sizeof(*plan->layout));
        if (plan->layout == NULL)
            return STATUS_NO_MEMORY;
    }
    *out = plan;
    return STATUS_OK;
}

/* A row of the changed table as the left side of RETURNING and ON CONFLICT. */
static enum status
table_row(struct planner *planner, const struct table *table, uint32_t relation, struct plan **out)
{
    TRY(plan__new(planner, PLAN_RESULT, NULL, table->column_count, out));
    for (uint32_t i = 0; i < table->column_count; i++)
        (*out)->layout[i] = (struct plan_column){relation, i};
    return STATUS_OK;
}

static enum status
resolve_all(struct planner *planner, const struct plan *left, const struct plan *right,
            struct expr **exprs, uint32_t count, struct expr ***out)
{
    struct expr **resolved = plan__take(planner, count * sizeof(struct expr *));

    if (resolved == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        if (exprs[i] != NULL)
            TRY(plan__resolve(planner, left, right, exprs[i], &resolved[i]));
    }
    *out = resolved;
    return STATUS_OK;
}

static enum status
plan_change(struct planner *planner, const struct bound *bound, struct planned *planned)
{
    const struct bound_conflict *conflict = bound->conflict;
    struct plan *row = NULL, *excluded = NULL;

    if (bound->table == NULL)
        return STATUS_OK;
    TRY(table_row(planner, bound->table, bound->target_relation, &row));
    TRY(resolve_all(planner, row, planned->root, bound->returning, bound->returning_count,
                    &planned->returning));
    planned->checks = plan__take(planner, bound->check_count * sizeof(struct expr *));
    if (planned->checks == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < bound->check_count; i++)
        TRY(plan__resolve(planner, row, NULL, bound->checks[i].condition, &planned->checks[i]));
    if (conflict == NULL || !conflict->update)
        return STATUS_OK;
    TRY(table_row(planner, bound->table, conflict->excluded_relation, &excluded));
    TRY(resolve_all(planner, row, excluded, conflict->exprs, bound->table->column_count,
                    &planned->conflict_exprs));
    return conflict->where == NULL
               ? STATUS_OK
               : plan__resolve(planner, row, excluded, conflict->where, &planned->conflict_where);
}

static enum status
need_change(struct planner *planner, const struct bound *bound)
{
    for (uint32_t i = 0; i < bound->returning_count; i++)
        TRY(plan__need_expr(planner, bound->returning[i]));
    for (uint32_t i = 0; i < bound->check_count; i++)
        TRY(plan__need_expr(planner, bound->checks[i].condition));
    if (bound->conflict == NULL || !bound->conflict->update)
        return STATUS_OK;
    for (uint32_t i = 0; i < bound->table->column_count; i++) {
        if (bound->conflict->exprs[i] != NULL)
            TRY(plan__need_expr(planner, bound->conflict->exprs[i]));
    }
    return bound->conflict->where == NULL ? STATUS_OK
                                          : plan__need_expr(planner, bound->conflict->where);
}

/* Which columns are asked for has to be known of the whole statement before any of it is planned. */
static enum status
need_bound(struct planner *planner, const struct bound *bound)
{
    TRY(plan__decorrelate(planner, bound->rel));
    TRY(need_change(planner, bound));
    return plan__need_query(planner, bound->rel, bound->relation, bound->column_count);
}

static enum status
plan_part(struct planner *planner, const struct bound *bound, struct planned *planned)
{
    planned->bound = bound;
    TRY(plan__query(planner, bound->rel, bound->relation, bound->column_count, &planned->root));
    return plan_change(planner, bound, planned);
}

static enum status
plan_parts(struct planner *planner, const struct bound *bound)
{
    planner->parts = plan__take(planner, bound->part_count * sizeof(*planner->parts));
    if (planner->parts == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < bound->part_count; i++)
        TRY(need_bound(planner, bound->parts[i]));
    TRY(need_bound(planner, bound));
    for (uint32_t i = 0; i < bound->part_count; i++) {
        planner->parts[i] = plan__take(planner, sizeof(*planner->parts[i]));
        if (planner->parts[i] == NULL)
            return STATUS_NO_MEMORY;
        TRY(plan_part(planner, bound->parts[i], planner->parts[i]));
    }
    return STATUS_OK;
}

static enum status
plan_bound(struct planner *planner, const struct bound *bound, struct planned **out)
{
    struct planned *planned = plan__take(planner, sizeof(*planned));

    planner->needed = arena_alloc(&planner->scratch, REL_RELATIONS_MAX * sizeof(*planner->needed));
    planner->shared_seen = plan__take(planner, bound->shared_count * sizeof(bool));
    planner->shared_needed = plan__take(planner, bound->shared_count * sizeof(bool));
    planner->tables = arena_alloc(&planner->scratch, REL_RELATIONS_MAX * sizeof(*planner->tables));
    planner->shared = plan__take(planner, bound->shared_count * sizeof(*planner->shared));
    planner->shared_names = plan__take(planner, bound->shared_count * sizeof(char *));
    if (planned == NULL || planner->needed == NULL || planner->shared_seen == NULL ||
        planner->shared_needed == NULL || planner->tables == NULL || planner->shared == NULL ||
        planner->shared_names == NULL)
        return STATUS_NO_MEMORY;
    TRY(plan_parts(planner, bound));
    TRY(plan_part(planner, bound, planned));
    planned->part_count = bound->part_count;
    planned->parts = planner->parts;
    planned->subplan_count = planner->subplan_count;
    planned->subplans = planner->subplans;
    planned->shared_count = bound->shared_count;
    planned->shared = planner->shared;
    planned->shared_names = planner->shared_names;
    planned->slot_count = planner->slot_count;
    planned->node_count = planner->node_count;
    *out = planned;
    return STATUS_OK;
}

enum status
plan_statement(const struct plan_context *context, const struct bound *bound, struct planned **out)
{
    struct planner planner = {
        .context = context, .arena = context->arena, .slot_count = bound->slot_count};

    arena_init(&planner.scratch, context->arena->memory, MEMORY_SQL);
    enum status status = plan_bound(&planner, bound, out);
    arena_deinit(&planner.scratch);
    return status;
}
