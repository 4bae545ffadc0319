/*
 * Order that is there already: a scan gives its rows in the order of the key it goes by, and filters,
 * projections, grouping by it and the left side of a loop or of a merge join keep it. A sort by that order, either
 * way round, is left out.
 */
#include "executor/plan_private.h"
#include "kernel/base/check.h"

/* A merge join keeps its left side's order, and has the right side's keys equal to the left one's. */
static bool
goes_left(const struct plan *plan, uint32_t *column)
{
    uint32_t left_width = plan->input->width;

    if (plan->kind == PLAN_LOOP_JOIN || *column < left_width)
        return *column < left_width && plan->join != REL_FULL;
    for (uint32_t i = 0; i < plan->key_count && plan->join == REL_INNER; i++) {
        if (plan->right_keys[i]->index == *column - left_width) {
            *column = plan->left_keys[i]->index;
            return true;
        }
    }
    return false;
}

/* The scan that the column comes from unchanged, and the table's column; NULL: none. *fixed_out: a merge join
 * is between, so the scan has to stay the way round it is. */
static struct plan *
find_scan(struct plan *plan, uint32_t *column, bool *fixed_out)
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
        case PLAN_MERGE_JOIN:
            if (!goes_left(plan, column))
                return NULL;
            *fixed_out = *fixed_out || plan->kind == PLAN_MERGE_JOIN;
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

/* The scan whose order it is, whichever way round it goes; NULL: none. */
static struct plan *
ordered_scan(struct plan *plan, const struct plan_sort_key *keys, uint32_t count, bool *fixed_out)
{
    uint32_t column = count > 0 ? keys[0].column : 0, next = 0;
    struct plan *scan = count > 0 ? find_scan(plan, &column, fixed_out) : NULL;

    if (scan == NULL || (keys[0].descending && scan->path.in_count > 0))
        return NULL;
    const struct key_columns key = key_of(scan);
    for (uint32_t i = 0; i < count; i++) {
        column = keys[i].column;
        if (find_scan(plan, &column, fixed_out) != scan ||
            keys[i].descending != keys[0].descending || !follows(&key, &keys[i], column, &next))
            return NULL;
    }
    return scan;
}

bool
plan__gives_order(struct plan *plan, const struct plan_sort_key *keys, uint32_t count)
{
    bool fixed = false;
    struct plan *scan = ordered_scan(plan, keys, count, &fixed);

    if (scan == NULL || (fixed && scan->path.backward != keys[0].descending))
        return false;
    scan->path.backward = keys[0].descending;
    return true;
}

bool
plan__is_ordered(struct plan *plan, const struct plan_sort_key *keys, uint32_t count)
{
    bool fixed = false;
    const struct plan *scan = ordered_scan(plan, keys, count, &fixed);

    return scan != NULL && scan->path.backward == keys[0].descending;
}
