/*
 * Order that is there already: a scan gives its rows in the order of the key it goes by, and filters,
 * projections, grouping by it and the left side of a loop or of a merge join keep it. A sort by that order, either
 * way round, is left out. Where few rows of a sort are wanted, the whole table is read in the order of an index that has it.
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
    const uint8_t *orders; /* NULL: ascending, without nulls. */
    uint32_t count;
    uint32_t bound_count; /* The leading ones have one value each. */
};

static struct key_columns
key_of(const struct plan *scan)
{
    const struct table *table = scan->table;
    const struct plan_path *path = &scan->path;

    if (path->index == UINT32_MAX)
        return (struct key_columns){table->keys, NULL, table->key_count, path->equal_count};
    const struct table_index *index = &table->indexes[path->index];
    return (struct key_columns){index->columns, index->orders, index->column_count,
                                path->equal_count};
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

/* How far a sort is followed: the next column of the key, and which way it is read. */
struct following {
    uint32_t next;
    bool knows; /* Which way. */
    bool backward;
};

/* One sort key against the rest of the scan's key. */
static bool
follows(const struct key_columns *key, const struct plan_sort_key *sort, uint32_t column,
        struct following *following)
{
    uint32_t *next = &following->next;

    if (is_bound(key, column))
        return true;
    while (*next < key->count && *next < key->bound_count)
        ++*next;
    if (*next == key->count || key->columns[*next] != column)
        return false;
    uint32_t order = key->orders == NULL ? KEY_ASCENDING : key->orders[*next];
    bool backward = sort->descending != ((order & KEY_DESCENDING) != 0);
    bool nulls_first = ((order & KEY_NULLS_FIRST) != 0) != backward;
    ++*next;
    if (following->knows && following->backward != backward)
        return false;
    following->knows = true;
    following->backward = backward;
    return key->orders == NULL || sort->nulls_first == nulls_first;
}

static bool
follows_all(struct plan *plan, const struct plan *scan, const struct key_columns *key,
            const struct plan_sort_key *keys, uint32_t count, bool *backward_out)
{
    struct following following = {.next = 0};

    for (uint32_t i = 0; i < count; i++) {
        uint32_t column = keys[i].column;
        bool fixed = false;

        if (find_scan(plan, &column, &fixed) != scan || !follows(key, &keys[i], column, &following))
            return false;
    }
    *backward_out = following.backward;
    return true;
}

/* The scan whose order it is, whichever way round it goes; NULL: none. */
static struct plan *
ordered_scan(struct plan *plan, const struct plan_sort_key *keys, uint32_t count, bool *fixed_out,
             bool *backward_out)
{
    bool backward = false;
    uint32_t column = count > 0 ? keys[0].column : 0;
    struct plan *scan = count > 0 ? find_scan(plan, &column, fixed_out) : NULL;

    if (scan == NULL)
        return NULL;
    const struct key_columns key = key_of(scan);
    if (!follows_all(plan, scan, &key, keys, count, &backward) ||
        (backward && scan->path.in_count > 0))
        return NULL;
    *backward_out = backward;
    return scan;
}

bool
plan__gives_order(struct plan *plan, const struct plan_sort_key *keys, uint32_t count)
{
    bool fixed = false, backward = false;
    struct plan *scan = ordered_scan(plan, keys, count, &fixed, &backward);

    if (scan == NULL || (fixed && scan->path.backward != backward))
        return false;
    scan->path.backward = backward;
    return true;
}

bool
plan__is_ordered(struct plan *plan, const struct plan_sort_key *keys, uint32_t count)
{
    bool fixed = false, backward = false;
    const struct plan *scan = ordered_scan(plan, keys, count, &fixed, &backward);

    return scan != NULL && scan->path.backward == backward;
}

/* An index for the order alone. */

/* Every row has an entry. */
static bool
has_all_rows(const struct table *table, const struct table_index *index)
{
    bool nulls = table_index_has_nulls(index);

    for (uint32_t i = 0; i < index->column_count && !nulls; i++) {
        if (index->columns[i] >= TABLE_EXPR_BASE || !table->columns[index->columns[i]].not_null)
            return false;
    }
    return index->predicate == 0;
}

struct asking {
    const struct table *table;
    uint32_t index;
};

static bool
is_in_entry(void *context, const struct expr *expr)
{
    const struct asking *asking = context;

    return expr->kind != EXPR_COLUMN ||
           (expr->index < asking->table->column_count &&
            table_index_has(asking->table, asking->index, expr->index));
}

/* The entries have all that the scan reads. */
static bool
stands_alone(const struct plan *scan, uint32_t index)
{
    struct asking asking = {scan->table, index};

    for (uint32_t i = 0; i < scan->width; i++) {
        if (scan->columns[i] >= scan->table->column_count ||
            !table_index_has(scan->table, index, scan->columns[i]))
            return false;
    }
    return scan->filter == NULL ||
           (!plan__has_subquery(scan->filter) && expr_visit(scan->filter, is_in_entry, &asking));
}

/* Of the rows to sort no more than this share may be asked for: behind each entry is a look-up. */
static const double SHARE_BY_INDEX = 0.1;

/* Grouping without a table needs the order that it has found. */
static bool
has_group(const struct plan *plan)
{
    while (plan != NULL && plan->kind != PLAN_GROUP)
        plan = plan->input;
    return plan != NULL;
}

bool
plan__order_by_index(struct plan *sort, double wanted)
{
    uint32_t column = sort->sort_keys[0].column;
    bool fixed = false;
    struct plan *scan = find_scan(sort->input, &column, &fixed);

    if (scan == NULL || fixed || has_group(sort->input) || plan_path_is_bounded(&scan->path) ||
        wanted > SHARE_BY_INDEX * sort->rows)
        return false;
    for (uint32_t i = 0; i < scan->table->index_count; i++) {
        const struct table_index *index = &scan->table->indexes[i];
        const struct key_columns key = {index->columns, index->orders, index->column_count, 0};
        bool backward = false;

        if (!has_all_rows(scan->table, index) ||
            !follows_all(sort->input, scan, &key, sort->sort_keys, sort->sort_count, &backward))
            continue;
        scan->path =
            (struct plan_path){.index = i, .backward = backward, .alone = stands_alone(scan, i)};
        return true;
    }
    return false;
}
