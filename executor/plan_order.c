/*
 * Order that is there already: a scan gives its rows in the order of the key it goes by, and filters,
 * projections, grouping by it and the left side of a loop keep it. A sort by that order, either way round, is left out.
 */
#include "executor/plan_private.h"
#include "kernel/base/check.h"

/* The scan that the column comes from unchanged, and the table's column; NULL: none. */
static struct plan *
find_scan(struct plan *plan, uint32_t *column)
{
    for (;;) {
        switch (plan->kind) {
        case PLAN_SCAN:
            *column = plan->columns[*column];
            return plan;
        case PLAN_FILTER:
            break;
        case PLAN_PROJECT:
            if (plan->exprs[*column]->kind != EXPR_COLUMN)
                return NULL;
            *column = plan->exprs[*column]->index;
            break;
        case PLAN_LOOP_JOIN:
            if (*column >= plan->input->width)
                return NULL;
            break;
        case PLAN_GROUP:
            if (*column >= plan->group_count)
                return NULL;
            *column = plan->exprs[*column]->index;
            break;
        default:
            return NULL;
        }
        plan = plan->input;
    }
}

struct key_columns {
    const uint32_t *columns;
    uint32_t count;
    uint32_t bound_count; /* The leading ones have one value each. */
    bool has_nulls;       /* After all others. */
};

static struct key_columns
key_of(const struct plan *scan)
{
    const struct table *table = scan->table;
    const struct plan_path *path = &scan->path;

    if (path->index == UINT32_MAX)
        return (struct key_columns){table->keys, table->key_count, path->equal_count, false};
    return (struct key_columns){table->indexes[path->index].columns,
                                table->indexes[path->index].column_count, path->equal_count, true};
}

static bool
is_bound(const struct key_columns *key, uint32_t column)
{
    for (uint32_t i = 0; i < key->bound_count; i++) {
        if (key->columns[i] == column)
            return true;
    }
    return false;
}

/* One sort key against the rest of the scan's key, from *next on. */
static bool
follows(const struct key_columns *key, const struct plan_sort_key *sort, uint32_t column,
        uint32_t *next)
{
    if (is_bound(key, column))
        return true;
    while (*next < key->count && *next < key->bound_count)
        ++*next;
    if (*next == key->count || key->columns[*next] != column)
        return false;
    ++*next;
    return !key->has_nulls || sort->nulls_first == sort->descending;
}

bool
plan__gives_order(struct plan *plan, const struct plan_sort_key *keys, uint32_t count)
{
    uint32_t column = count > 0 ? keys[0].column : 0, next = 0;
    struct plan *scan = count > 0 ? find_scan(plan, &column) : NULL;

    if (scan == NULL || (keys[0].descending && scan->path.in_count > 0))
        return false;
    const struct key_columns key = key_of(scan);
    for (uint32_t i = 0; i < count; i++) {
        column = keys[i].column;
        if (find_scan(plan, &column) != scan || keys[i].descending != keys[0].descending ||
            !follows(&key, &keys[i], column, &next))
            return false;
    }
    scan->path.backward = keys[0].descending;
    return true;
}
