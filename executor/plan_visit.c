/* Every expression of one node of the logical tree. */
#include "executor/plan_private.h"
#include "kernel/base/check.h"

struct visit {
    bool (*each)(void *context, const struct expr *expr);
    void *context;
};

static bool
visit_one(const struct visit *visit, const struct expr *expr)
{
    return expr == NULL || expr_visit(expr, visit->each, visit->context);
}

static bool
visit_keys(const struct visit *visit, const struct rel_sort_key *keys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!visit_one(visit, keys[i].expr))
            return false;
    }
    return true;
}

static bool
visit_aggregate(const struct visit *visit, const struct rel_aggregate *call)
{
    for (uint32_t i = 0; i < call->argument_count; i++) {
        if (!visit_one(visit, call->arguments[i]))
            return false;
    }
    return visit_one(visit, call->filter) && visit_keys(visit, call->sort_keys, call->sort_count);
}

static bool
visit_window(const struct visit *visit, const struct rel_window *call)
{
    for (uint32_t i = 0; i < call->argument_count; i++) {
        if (!visit_one(visit, call->arguments[i]))
            return false;
    }
    return visit_aggregate(visit, &call->aggregate) && visit_one(visit, call->frame.start_offset) &&
           visit_one(visit, call->frame.end_offset) && visit_one(visit, call->frame.range_key) &&
           visit_one(visit, call->frame.range_start) && visit_one(visit, call->frame.range_end);
}

static size_t
expr_count(const struct rel *rel)
{
    switch (rel->kind) {
    case REL_VALUES:
        return (size_t)rel->row_count * rel->column_count;
    case REL_PROJECT:
        return rel->column_count;
    case REL_AGGREGATE:
        return rel->group_count;
    case REL_SERIES:
        return rel->row_count;
    case REL_LOCK:
        return rel->lock_count;
    default:
        return 0;
    }
}

bool
plan__rel_visit(const struct rel *rel, bool (*each)(void *context, const struct expr *expr),
                void *context)
{
    const struct visit visit = {each, context};
    size_t count = expr_count(rel);

    for (size_t i = 0; i < count; i++) {
        if (!visit_one(&visit, rel->exprs[i]))
            return false;
    }
    for (uint32_t i = 0; i < rel->slot_count; i++) {
        if (!visit_one(&visit, rel->slot_sources[i]))
            return false;
    }
    for (uint32_t i = 0; i < rel->aggregate_count; i++) {
        if (!visit_aggregate(&visit, &rel->aggregates[i]))
            return false;
    }
    for (uint32_t i = 0; i < rel->window_count; i++) {
        if (!visit_window(&visit, &rel->windows[i]))
            return false;
    }
    return visit_one(&visit, rel->condition) && visit_one(&visit, rel->limit) &&
           visit_one(&visit, rel->offset) && visit_keys(&visit, rel->sort_keys, rel->sort_count);
}
