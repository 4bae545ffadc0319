/*
 * Merge joins: over both sides in the order of the columns that have to be equal. A side that does not come so
 * is sorted. Columns are taken in the order in which the left side comes, or else the right one, as far as
 * either does.
 */
#include <math.h>
#include <string.h>

#include "executor/plan_private.h"
#include "kernel/base/check.h"

/* Equalities of a column of the left row with one of the right row. */
struct merging {
    uint32_t count;
    struct expr **keys[2];
    struct plan_sort_key *order[2];
    struct plan__list rest; /* The other conditions. */
};

/* Casts that keep the order need not be done. */
static struct expr *
without_casts(struct expr *expr)
{
    while (expr->kind == EXPR_CAST && expr->type.precision < 0 &&
           (expr->type.type == expr->arguments[0]->type.type ||
            plan_keeps_key(expr->arguments[0]->type.type, expr->type.type)))
        expr = expr->arguments[0];
    return expr;
}

static enum status
add_condition(struct planner *planner, struct merging *merging, const struct plan__joining *joining,
              struct expr *condition)
{
    struct expr *left = NULL, *right = NULL;

    if (!plan__is_key(condition, joining->left_set, joining->right_set, &left, &right))
        return plan__list_add(planner, &merging->rest, condition);
    TRY(plan__resolve(planner, joining->left, NULL, left, &left));
    TRY(plan__resolve(planner, joining->right, NULL, right, &right));
    left = without_casts(left);
    right = without_casts(right);
    if (left->kind != EXPR_COLUMN || right->kind != EXPR_COLUMN)
        return plan__list_add(planner, &merging->rest, condition);
    merging->keys[0][merging->count] = left;
    merging->keys[1][merging->count] = right;
    merging->order[0][merging->count] = (struct plan_sort_key){.column = left->index};
    merging->order[1][merging->count++] = (struct plan_sort_key){.column = right->index};
    return STATUS_OK;
}

static void
swap_keys(struct merging *merging, uint32_t a, uint32_t b)
{
    for (uint32_t side = 0; side < 2; side++) {
        struct expr *key = merging->keys[side][a];
        struct plan_sort_key order = merging->order[side][a];

        merging->keys[side][a] = merging->keys[side][b];
        merging->keys[side][b] = key;
        merging->order[side][a] = merging->order[side][b];
        merging->order[side][b] = order;
    }
}

/* True when the side comes in the order of all keys, which are put into that order. */
static bool
follow_order(struct merging *merging, uint32_t side, struct plan *plan)
{
    for (uint32_t done = 0; done < merging->count; done++) {
        uint32_t next = done;

        for (; next < merging->count; next++) {
            swap_keys(merging, done, next);
            if (plan__is_ordered(plan, merging->order[side], done + 1))
                break;
            swap_keys(merging, done, next);
        }
        if (next == merging->count)
            return false;
    }
    return true;
}

/* The side itself, or sorted. */
static enum status
sorted(struct planner *planner, const struct merging *merging, uint32_t side, struct plan *input,
       struct plan **out)
{
    struct plan *sort = NULL;

    *out = input;
    if (plan__is_ordered(input, merging->order[side], merging->count))
        return STATUS_OK;
    TRY(plan__new(planner, PLAN_SORT, input, input->width, &sort));
    sort->sort_keys = merging->order[side];
    sort->sort_count = merging->count;
    sort->cost += 0.15 * input->rows * log2(input->rows + 2);
    *out = sort;
    return STATUS_OK;
}

enum status
plan__merge_join(struct planner *planner, const struct plan__joining *joining, struct plan **out)
{
    struct merging merging = {.count = 0};
    struct plan *left = NULL, *right = NULL;

    *out = NULL;
    /* Each would be planned once more. */
    for (uint32_t i = 0; i < joining->on->count; i++) {
        if (plan__has_subquery(joining->on->exprs[i]))
            return STATUS_OK;
    }
    for (uint32_t side = 0; side < 2; side++) {
        merging.keys[side] = plan__take(planner, joining->on->count * sizeof(struct expr *));
        merging.order[side] =
            plan__take(planner, joining->on->count * sizeof(*merging.order[side]));
        if (merging.keys[side] == NULL || merging.order[side] == NULL)
            return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < joining->on->count; i++)
        TRY(add_condition(planner, &merging, joining, joining->on->exprs[i]));
    if (merging.count == 0)
        return STATUS_OK;
    if (!follow_order(&merging, 0, joining->left))
        (void)follow_order(&merging, 1, joining->right);
    TRY(sorted(planner, &merging, 0, joining->left, &left));
    TRY(sorted(planner, &merging, 1, joining->right, &right));
    struct plan__joining ordered = *joining;
    ordered.left = left;
    ordered.right = right;
    TRY(plan__equal_join(planner, PLAN_MERGE_JOIN, &ordered, merging.count, &merging.rest, out));
    struct plan *plan = *out;
    plan->left_keys = merging.keys[0];
    plan->right_keys = merging.keys[1];
    plan->cost = left->cost + right->cost + 0.3 * left->rows + 0.6 * right->rows + 0.1 * plan->rows;
    return STATUS_OK;
}
