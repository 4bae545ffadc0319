/*
 * Joins. Nested inner joins become one list of inputs and one of conditions; inputs are joined in the
 * order that is expected to cost least (plan_join_order.c), also by equalities that follow from others. Outer joins keep their place; one whose
 * empty side a condition above refuses is an inner join.
 */
#include <string.h>

#include "executor/plan_private.h"
#include "kernel/base/check.h"

enum { IMPLIED_CONDITIONS_MAX = 48 };

/* Conditions that no row passes in which all columns of the set are null. */

static bool
is_null_with(const struct expr *expr, const struct plan__set *set)
{
    bool any = false;

    switch (expr->kind) {
    case EXPR_COLUMN:
        return expr->relation > 0 && plan__set_has(set, expr->relation);
    case EXPR_ARITHMETIC:
    case EXPR_COMPARE:
    case EXPR_CAST:
    case EXPR_CONCAT:
    case EXPR_NEGATE:
    case EXPR_LIKE:
    case EXPR_NOT:
        for (uint32_t i = 0; i < expr->argument_count; i++)
            any = any || is_null_with(expr->arguments[i], set);
        return any;
    case EXPR_IN:
        return is_null_with(expr->arguments[0], set);
    default:
        return false;
    }
}

static bool
refuses_nulls(const struct expr *expr, const struct plan__set *set)
{
    if (expr->kind == EXPR_OR) {
        for (uint32_t i = 0; i < expr->argument_count; i++) {
            if (!refuses_nulls(expr->arguments[i], set))
                return false;
        }
        return true;
    }
    if (expr->kind == EXPR_AND) {
        for (uint32_t i = 0; i < expr->argument_count; i++) {
            if (refuses_nulls(expr->arguments[i], set))
                return true;
        }
        return false;
    }
    if (expr->kind == EXPR_IS_NULL && expr->negated)
        return is_null_with(expr->arguments[0], set);
    return is_null_with(expr, set);
}

static bool
becomes_inner(const struct rel *rel, const struct plan__list *conditions)
{
    struct plan__set right = plan__relations_in(rel->right);

    if (rel->join != REL_LEFT)
        return rel->join == REL_INNER;
    for (uint32_t i = 0; i < conditions->count; i++) {
        if (refuses_nulls(conditions->exprs[i], &right))
            return true;
    }
    return false;
}

/* Collecting. */

static enum status
add_leaf(struct planner *planner, struct plan__graph *graph, const struct rel *rel,
         const struct rel *lateral)
{
    if (graph->count == graph->capacity) {
        uint32_t capacity = graph->capacity == 0 ? 8 : 2 * graph->capacity;
        struct plan__leaf *leaves = plan__take(planner, capacity * sizeof(*leaves));

        if (leaves == NULL)
            return STATUS_NO_MEMORY;
        if (graph->count > 0)
            memcpy(leaves, graph->leaves, graph->count * sizeof(*leaves));
        graph->leaves = leaves;
        graph->capacity = capacity;
    }
    struct plan__leaf *leaf = &graph->leaves[graph->count++];
    *leaf = (struct plan__leaf){.set = plan__relations_in(rel)};
    leaf->right.rel = rel;
    leaf->right.lateral = lateral;
    for (uint32_t i = 0; lateral != NULL && i < lateral->slot_count; i++) {
        struct plan__set set = plan__relations_of(lateral->slot_sources[i]);

        leaf->needs = plan__set_union(&leaf->needs, &set);
    }
    return STATUS_OK;
}

static enum status
collect(struct planner *planner, struct plan__graph *graph, const struct rel *rel,
        const struct plan__list *above)
{
    while (rel->kind == REL_FILTER) {
        TRY(plan__split(planner, &graph->conditions, rel->condition));
        rel = rel->input;
    }
    if (rel->kind != REL_JOIN || !becomes_inner(rel, above))
        return add_leaf(planner, graph, rel, NULL);
    if (rel->condition != NULL)
        TRY(plan__split(planner, &graph->conditions, rel->condition));
    TRY(collect(planner, graph, rel->input, above));
    if (rel->slot_count > 0)
        return add_leaf(planner, graph, rel->right, rel);
    return collect(planner, graph, rel->right, above);
}

/* Equalities that follow from two others: with a = b and b = c, a may be joined with c before b. */

static bool
is_plain(const struct expr *expr)
{
    return expr->kind == EXPR_COMPARE && expr->operator_kind == EXPR_EQUAL && !expr->negated &&
           expr->arguments[0]->kind == EXPR_COLUMN && expr->arguments[1]->kind == EXPR_COLUMN &&
           expr->arguments[0]->relation > 0 && expr->arguments[1]->relation > 0 &&
           expr->arguments[0]->type.type == expr->arguments[1]->type.type;
}

static bool
is_stated(const struct plan__list *conditions, const struct expr *left, const struct expr *right)
{
    for (uint32_t i = 0; i < conditions->count; i++) {
        const struct expr *expr = conditions->exprs[i];

        if (is_plain(expr) &&
            ((expr_same(expr->arguments[0], left) && expr_same(expr->arguments[1], right)) ||
             (expr_same(expr->arguments[0], right) && expr_same(expr->arguments[1], left))))
            return true;
    }
    return false;
}

static enum status
add_implied(struct planner *planner, struct plan__list *conditions, const struct expr *first,
            const struct expr *second)
{
    for (uint32_t k = 0; k < 4; k++) {
        struct expr *left = first->arguments[1 - k / 2], *right = second->arguments[1 - k % 2];

        if (!expr_same(first->arguments[k / 2], second->arguments[k % 2]) ||
            left->relation == right->relation || left->type.type != right->type.type ||
            is_stated(conditions, left, right))
            continue;
        struct expr *implied = plan__take(planner, sizeof(*implied));
        struct expr **arguments = plan__take(planner, 2 * sizeof(struct expr *));
        if (implied == NULL || arguments == NULL)
            return STATUS_NO_MEMORY;
        *implied = *first;
        implied->arguments = arguments;
        arguments[0] = left;
        arguments[1] = right;
        TRY(plan__list_add(planner, conditions, implied));
    }
    return STATUS_OK;
}

static enum status
imply(struct planner *planner, struct plan__graph *graph)
{
    struct plan__list *conditions = &graph->conditions;

    graph->stated_count = conditions->count;
    for (uint32_t i = 0; i < conditions->count && graph->count > 2; i++) {
        for (uint32_t j = 0; j < i && conditions->count < IMPLIED_CONDITIONS_MAX; j++) {
            if (is_plain(conditions->exprs[i]) && is_plain(conditions->exprs[j]))
                TRY(add_implied(planner, conditions, conditions->exprs[i], conditions->exprs[j]));
        }
    }
    return STATUS_OK;
}

/* What an OR over several inputs asks of one of them: (a.x = 1 AND b.y = 2) OR (a.x = 3 AND b.y = 4) holds
 * for no row of a in which x is neither 1 nor 3. */

static bool
is_on(const struct expr *expr, const struct plan__set *set)
{
    struct plan__set own = plan__relations_of(expr);

    return !plan__set_is_empty(&own) && plan__set_within(&own, set) && !plan__has_subquery(expr);
}

/* The part of one branch that is on the input alone; NULL in *out when there is none. */
static enum status
branch_on(struct planner *planner, struct expr *branch, const struct plan__set *set,
          struct expr **out)
{
    struct plan__list all = {.count = 0}, own = {.count = 0};

    TRY(plan__split(planner, &all, branch));
    for (uint32_t i = 0; i < all.count; i++) {
        if (is_on(all.exprs[i], set))
            TRY(plan__list_add(planner, &own, all.exprs[i]));
    }
    return plan__conjunction(planner, &own, out);
}

static enum status
narrow(struct planner *planner, const struct expr *condition, struct plan__leaf *leaf)
{
    struct plan__set set = plan__relations_of(condition);
    struct plan__list branches = {.count = 0};
    struct expr *narrower = NULL;

    if (condition->kind != EXPR_OR || !plan__set_meets(&set, &leaf->set) ||
        plan__set_within(&set, &leaf->set))
        return STATUS_OK;
    for (uint32_t i = 0; i < condition->argument_count; i++) {
        struct expr *branch = NULL;

        TRY(branch_on(planner, condition->arguments[i], &leaf->set, &branch));
        if (branch == NULL)
            return STATUS_OK;
        TRY(plan__list_add(planner, &branches, branch));
    }
    TRY(plan__conjunction(planner, &branches, &narrower));
    narrower->kind = EXPR_OR;
    return plan__list_add(planner, &leaf->right.own, narrower);
}

static enum status
narrow_all(struct planner *planner, struct plan__graph *graph)
{
    for (uint32_t i = 0; i < graph->stated_count; i++) {
        for (uint32_t k = 0; k < graph->count; k++) {
            if (graph->leaves[k].right.lateral == NULL)
                TRY(narrow(planner, graph->conditions.exprs[i], &graph->leaves[k]));
        }
    }
    return STATUS_OK;
}

/* Conditions on one input alone go down into it; those on none go to the first. */
static enum status
push_down(struct planner *planner, struct plan__graph *graph)
{
    graph->used = plan__take(planner, graph->conditions.count + 1);
    if (graph->used == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < graph->conditions.count; i++) {
        struct expr *condition = graph->conditions.exprs[i];
        struct plan__set set = plan__relations_of(condition);

        for (uint32_t k = 0; k < graph->count && !graph->used[i]; k++) {
            if (!plan__set_within(&set, &graph->leaves[k].set))
                continue;
            TRY(plan__list_add(planner, &graph->leaves[k].right.own, condition));
            graph->used[i] = true;
        }
    }
    TRY(narrow_all(planner, graph));
    for (uint32_t k = 0; k < graph->count; k++) {
        struct plan__right *right = &graph->leaves[k].right;

        TRY(plan__rel(planner, right->rel, &right->own, &right->plan));
    }
    return STATUS_OK;
}

/* Ordering. */

static bool
is_applicable(const struct plan__graph *graph, uint32_t condition, const struct plan__set *joined,
              const struct plan__leaf *leaf)
{
    struct plan__set all = plan__set_union(joined, &leaf->set);
    struct plan__set set = plan__relations_of(graph->conditions.exprs[condition]);

    return !graph->used[condition] && plan__set_within(&set, &all);
}

/* The leaf's column is equal to another of the joined ones already, which is equal to this one. */
static bool
is_settled(const struct plan__list *on, const struct expr *implied, const struct plan__set *joined,
           const struct plan__leaf *leaf)
{
    struct expr *left, *right = NULL, *other = NULL;

    if (!plan__is_key(implied, joined, &leaf->set, &left, &right))
        return true;
    for (uint32_t i = 0; i < on->count; i++) {
        if (plan__is_key(on->exprs[i], joined, &leaf->set, &left, &other) &&
            is_plain(on->exprs[i]) && expr_same(other, right))
            return true;
    }
    return false;
}

static enum status
join_next(struct planner *planner, struct plan__graph *graph, const struct plan__leaf *leaf,
          struct plan__set *joined, struct plan **plan)
{
    struct plan__list on = {.count = 0};

    for (uint32_t i = 0; i < graph->conditions.count; i++) {
        struct expr *condition = graph->conditions.exprs[i];

        if (!is_applicable(graph, i, joined, leaf))
            continue;
        graph->used[i] = true;
        if (i < graph->stated_count || !is_settled(&on, condition, joined, leaf))
            TRY(plan__list_add(planner, &on, condition));
    }
    TRY(plan__join_with(planner, *plan, joined, &leaf->right, &leaf->set, REL_INNER, &on, plan));
    *joined = plan__set_union(joined, &leaf->set);
    return STATUS_OK;
}

/* The leaves in the order chosen; more than can be put in order, in that of the text. */
static enum status
join_all(struct planner *planner, struct plan__graph *graph, struct plan **out)
{
    uint32_t *order = plan__take(planner, graph->count * sizeof(*order));
    double *rows = plan__take(planner, graph->count * sizeof(*rows));

    if (order == NULL || rows == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < graph->count; i++)
        order[i] = i;
    if (graph->count <= PLAN__ORDER_MAX)
        TRY(plan__join_order(planner, graph, order, rows));
    struct plan *plan = graph->leaves[order[0]].right.plan;
    struct plan__set joined = graph->leaves[order[0]].set;
    for (uint32_t i = 1; i < graph->count; i++) {
        TRY(join_next(planner, graph, &graph->leaves[order[i]], &joined, &plan));
        plan->rows = graph->count <= PLAN__ORDER_MAX ? rows[i] : plan->rows;
    }
    *out = plan;
    return STATUS_OK;
}

static enum status
plan_inner(struct planner *planner, const struct rel *rel, const struct plan__list *conditions,
           struct plan **out)
{
    struct plan__graph graph = {.count = 0};
    struct plan__list rest = {.count = 0};

    for (uint32_t i = 0; i < conditions->count; i++)
        TRY(plan__list_add(planner, &graph.conditions, conditions->exprs[i]));
    TRY(collect(planner, &graph, rel, conditions));
    TRY(imply(planner, &graph));
    TRY(push_down(planner, &graph));
    TRY(join_all(planner, &graph, out));
    for (uint32_t i = 0; i < graph.stated_count; i++) {
        if (!graph.used[i])
            TRY(plan__list_add(planner, &rest, graph.conditions.exprs[i]));
    }
    return plan__filter(planner, &rest, out);
}

/* LEFT, FULL, SEMI and ANTI: the left side keeps its rows; conditions on it alone go down. */
static enum status
plan_outer(struct planner *planner, const struct rel *rel, const struct plan__list *conditions,
           struct plan **out)
{
    struct plan__set left_set = plan__relations_in(rel->input);
    struct plan__set right_set = plan__relations_in(rel->right);
    struct plan__right right = {.rel = rel->right, .lateral = rel->slot_count > 0 ? rel : NULL};
    struct plan__list left_own = {.count = 0}, above = {.count = 0}, on = {.count = 0};
    struct plan__list all = {.count = 0};
    struct plan *left = NULL;

    for (uint32_t i = 0; i < conditions->count; i++) {
        struct plan__set set = plan__relations_of(conditions->exprs[i]);
        bool passes = rel->join != REL_FULL && plan__set_within(&set, &left_set);

        TRY(plan__list_add(planner, passes ? &left_own : &above, conditions->exprs[i]));
    }
    if (rel->condition != NULL)
        TRY(plan__split(planner, &all, rel->condition));
    for (uint32_t i = 0; i < all.count; i++) {
        struct plan__set set = plan__relations_of(all.exprs[i]);
        bool passes = rel->join != REL_FULL && plan__set_within(&set, &right_set);

        TRY(plan__list_add(planner, passes ? &right.own : &on, all.exprs[i]));
    }
    TRY(plan__rel(planner, rel->input, &left_own, &left));
    TRY(plan__rel(planner, rel->right, &right.own, &right.plan));
    TRY(plan__join_with(planner, left, &left_set, &right, &right_set, rel->join, &on, out));
    return plan__filter(planner, &above, out);
}

enum status
plan__join(struct planner *planner, const struct rel *rel, const struct plan__list *conditions,
           struct plan **out)
{
    return becomes_inner(rel, conditions) ? plan_inner(planner, rel, conditions, out)
                                          : plan_outer(planner, rel, conditions, out);
}
