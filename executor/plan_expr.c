/* Conditions as lists, relations of expressions, and positions for columns. */
#include <string.h>

#include "executor/plan_private.h"
#include "kernel/base/check.h"
#include "kernel/base/error.h"

enum { SPLIT_BRANCHES_MAX = 64 };

/* Lists. */

enum status
plan__list_add(struct planner *planner, struct plan__list *list, struct expr *expr)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 8 : 2 * list->capacity;
        struct expr **exprs = plan__take(planner, capacity * sizeof(struct expr *));

        if (exprs == NULL)
            return STATUS_NO_MEMORY;
        if (list->count > 0)
            memcpy(exprs, list->exprs, list->count * sizeof(struct expr *));
        list->exprs = exprs;
        list->capacity = capacity;
    }
    list->exprs[list->count++] = expr;
    return STATUS_OK;
}

/* Conditions that stand in every branch of an OR are taken out of it: (a AND b) OR (a AND c) is a AND
 * (b OR c), so that `a` can be a key of a join or of a path. */

static enum status
flatten(struct planner *planner, enum expr_kind kind, struct expr *expr, struct plan__list *out)
{
    if (expr->kind != kind)
        return plan__list_add(planner, out, expr);
    for (uint32_t i = 0; i < expr->argument_count; i++)
        TRY(flatten(planner, kind, expr->arguments[i], out));
    return STATUS_OK;
}

static bool
list_has(const struct plan__list *list, const struct expr *expr)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (expr_same(list->exprs[i], expr))
            return true;
    }
    return false;
}

/* The branches of the OR as lists, and what they have in common; nothing when there is a subquery,
 * which must run no more often than it is written. */
static enum status
find_common(struct planner *planner, struct expr *condition, struct plan__list *branches,
            uint32_t count, struct plan__list *common)
{
    struct plan__list parts = {.count = 0};

    TRY(flatten(planner, EXPR_OR, condition, &parts));
    CHECK(parts.count == count);
    for (uint32_t i = 0; i < count; i++)
        TRY(flatten(planner, EXPR_AND, parts.exprs[i], &branches[i]));
    for (uint32_t k = 0; k < branches[0].count; k++) {
        bool everywhere = !list_has(common, branches[0].exprs[k]);

        for (uint32_t i = 1; i < count && everywhere; i++)
            everywhere = list_has(&branches[i], branches[0].exprs[k]);
        if (everywhere)
            TRY(plan__list_add(planner, common, branches[0].exprs[k]));
    }
    return STATUS_OK;
}

static uint32_t
branch_count(const struct expr *expr)
{
    uint32_t count = 0;

    if (expr->kind != EXPR_OR)
        return 1;
    for (uint32_t i = 0; i < expr->argument_count; i++)
        count += branch_count(expr->arguments[i]);
    return count;
}

static enum status
split_or(struct planner *planner, struct plan__list *list, struct expr *condition)
{
    uint32_t count = branch_count(condition);
    struct plan__list *branches, common = {.count = 0}, rest = {.count = 0};
    struct expr *shorter = NULL;

    if (count > SPLIT_BRANCHES_MAX || plan__has_subquery(condition))
        return plan__list_add(planner, list, condition);
    branches = plan__take(planner, count * sizeof(*branches));
    if (branches == NULL)
        return STATUS_NO_MEMORY;
    TRY(find_common(planner, condition, branches, count, &common));
    if (common.count == 0)
        return plan__list_add(planner, list, condition);
    for (uint32_t i = 0; i < common.count; i++)
        TRY(plan__list_add(planner, list, common.exprs[i]));
    for (uint32_t i = 0; i < count; i++) {
        struct plan__list own = {.count = 0};
        struct expr *branch = NULL;

        for (uint32_t k = 0; k < branches[i].count; k++) {
            if (!list_has(&common, branches[i].exprs[k]))
                TRY(plan__list_add(planner, &own, branches[i].exprs[k]));
        }
        if (own.count == 0)
            return STATUS_OK; /* This branch asks for nothing more. */
        TRY(plan__conjunction(planner, &own, &branch));
        TRY(plan__list_add(planner, &rest, branch));
    }
    TRY(plan__conjunction(planner, &rest, &shorter));
    CHECK(shorter != NULL);
    shorter->kind = EXPR_OR;
    return plan__list_add(planner, list, shorter);
}

enum status
plan__split(struct planner *planner, struct plan__list *list, struct expr *condition)
{
    if (condition->kind == EXPR_OR)
        return split_or(planner, list, condition);
    if (condition->kind != EXPR_AND)
        return plan__list_add(planner, list, condition);
    for (uint32_t i = 0; i < condition->argument_count; i++)
        TRY(plan__split(planner, list, condition->arguments[i]));
    return STATUS_OK;
}

enum status
plan__conjunction(struct planner *planner, const struct plan__list *list, struct expr **out)
{
    struct expr *expr = NULL;

    if (list->count < 2) {
        *out = list->count == 0 ? NULL : list->exprs[0];
        return STATUS_OK;
    }
    expr = plan__take(planner, sizeof(*expr));
    if (expr == NULL)
        return STATUS_NO_MEMORY;
    expr->kind = EXPR_AND;
    expr->type = (struct sql_type){QTDB_TYPE_BOOL, -1, -1};
    expr->location = -1;
    expr->argument_count = list->count;
    expr->arguments = list->exprs;
    *out = expr;
    return STATUS_OK;
}

/* Sets. */

static void
set_add(struct plan__set *set, uint32_t relation)
{
    set->words[relation / 64] |= UINT64_C(1) << (relation % 64);
}

bool
plan__set_has(const struct plan__set *set, uint32_t relation)
{
    return (set->words[relation / 64] >> (relation % 64) & 1) != 0;
}

bool
plan__set_is_empty(const struct plan__set *set)
{
    for (size_t i = 0; i < REL_RELATIONS_MAX / 64; i++) {
        if (set->words[i] != 0)
            return false;
    }
    return true;
}

bool
plan__set_within(const struct plan__set *inner, const struct plan__set *outer)
{
    for (size_t i = 0; i < REL_RELATIONS_MAX / 64; i++) {
        if ((inner->words[i] & ~outer->words[i]) != 0)
            return false;
    }
    return true;
}

bool
plan__set_meets(const struct plan__set *left, const struct plan__set *right)
{
    for (size_t i = 0; i < REL_RELATIONS_MAX / 64; i++) {
        if ((left->words[i] & right->words[i]) != 0)
            return true;
    }
    return false;
}

struct plan__set
plan__set_union(const struct plan__set *left, const struct plan__set *right)
{
    struct plan__set set;

    for (size_t i = 0; i < REL_RELATIONS_MAX / 64; i++)
        set.words[i] = left->words[i] | right->words[i];
    return set;
}

static bool
note_relation(void *context, const struct expr *expr)
{
    if (expr->kind == EXPR_COLUMN && expr->relation > 0)
        set_add(context, expr->relation);
    return true;
}

struct plan__set
plan__relations_of(const struct expr *expr)
{
    struct plan__set set = {{0}};

    (void)expr_visit(expr, note_relation, &set);
    return set;
}

struct plan__set
plan__relations_in(const struct rel *rel)
{
    struct plan__set set = {{0}};

    while (rel != NULL && (rel->relation == 0 || rel->kind == REL_WINDOW)) {
        if (rel->relation > 0)
            set_add(&set, rel->relation);
        if (rel->right != NULL) {
            struct plan__set right = plan__relations_in(rel->right);

            set = plan__set_union(&set, &right);
        }
        rel = rel->input;
    }
    if (rel != NULL)
        set_add(&set, rel->relation);
    return set;
}

static bool
is_no_subquery(void *context, const struct expr *expr)
{
    (void)context;
    return expr->kind != EXPR_SUBQUERY;
}

bool
plan__has_subquery(const struct expr *expr)
{
    return !expr_visit(expr, is_no_subquery, NULL);
}

static bool
is_no_slot(void *context, const struct expr *expr)
{
    (void)context;
    return expr->kind != EXPR_SLOT;
}

bool
plan__reads_slots(const struct expr *expr)
{
    return !expr_visit(expr, is_no_slot, NULL);
}

/* Positions. */

struct resolution {
    struct planner *planner;
    const struct plan *left;
    const struct plan *right;
};

static uint32_t
find_column(const struct plan *plan, const struct expr *expr)
{
    for (uint32_t i = 0; i < plan->width; i++) {
        if (plan->layout[i].relation == expr->relation && plan->layout[i].index == expr->index)
            return i;
    }
    return UINT32_MAX;
}

static enum status
place_column(const struct resolution *resolution, struct expr *expr, struct expr **out)
{
    struct expr *placed = plan__take(resolution->planner, sizeof(*placed));
    uint32_t position = resolution->left == NULL ? UINT32_MAX : find_column(resolution->left, expr);

    if (placed == NULL)
        return STATUS_NO_MEMORY;
    if (position == UINT32_MAX && resolution->right != NULL) {
        position = find_column(resolution->right, expr);
        if (position != UINT32_MAX && resolution->left != NULL)
            position += resolution->left->width;
    }
    CHECK(position != UINT32_MAX);
    *placed = *expr;
    placed->relation = 0;
    placed->index = position;
    *out = placed;
    return STATUS_OK;
}

static enum status
plan_subquery(struct planner *planner, struct subquery *subquery)
{
    if (planner->subplan_count == planner->subplan_capacity) {
        uint32_t capacity = planner->subplan_capacity == 0 ? 4 : 2 * planner->subplan_capacity;
        struct plan **subplans = plan__take(planner, capacity * sizeof(struct plan *));

        if (subplans == NULL)
            return STATUS_NO_MEMORY;
        if (planner->subplan_count > 0)
            memcpy(subplans, planner->subplans, planner->subplan_count * sizeof(struct plan *));
        planner->subplans = subplans;
        planner->subplan_capacity = capacity;
    }
    subquery->plan_index = planner->subplan_count++;
    TRY(plan__query(planner, subquery->rel, subquery->relation, subquery->width, &subquery->plan));
    planner->subplans[subquery->plan_index] = subquery->plan;
    return STATUS_OK;
}

/* Arithmetic of constants, which gives the same whenever it is done; casts are of numbers only, as those of
 * texts may depend on the time. */
static bool
is_constant_arithmetic(const struct expr *expr)
{
    if (expr->kind == EXPR_CONSTANT)
        return true;
    if (expr->kind != EXPR_ARITHMETIC && expr->kind != EXPR_NEGATE && expr->kind != EXPR_CAST)
        return false;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        enum qtdb_type type = expr->arguments[i]->type.type;

        if (!is_constant_arithmetic(expr->arguments[i]) ||
            (expr->kind == EXPR_CAST &&
             !((value_type_is_integer(type) || type == QTDB_TYPE_NUMERIC) &&
               (value_type_is_integer(expr->type.type) || expr->type.type == QTDB_TYPE_NUMERIC))))
            return false;
    }
    return true;
}

/* NULL in *out where it fails: then it fails when it is run, if it is. */
static enum status
fold(struct planner *planner, const struct expr *expr, struct expr **out)
{
    struct sql_error error = {.location = -1};
    struct eval eval = {.arena = planner->arena, .error = &error};
    struct value value;

    enum status status = expr_eval(expr, NULL, &eval, &value);
    if (status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_OK) {
        error_clear();
        return STATUS_OK;
    }
    *out = plan__take(planner, sizeof(**out));
    if (*out == NULL)
        return STATUS_NO_MEMORY;
    **out = (struct expr){
        .kind = EXPR_CONSTANT, .type = expr->type, .location = expr->location, .constant = value};
    return STATUS_OK;
}

static enum status
resolve_node(void *context, struct expr *expr, struct expr **out)
{
    const struct resolution *resolution = context;

    if (expr->argument_count > 0 && is_constant_arithmetic(expr))
        return fold(resolution->planner, expr, out);
    if (expr->kind == EXPR_COLUMN && expr->relation > 0)
        return place_column(resolution, expr, out);
    /* Constants need no copy. */
    if (expr->argument_count == 0 && expr->kind != EXPR_SUBQUERY)
        *out = expr;
    return STATUS_OK;
}

static enum status
plan_subqueries(struct planner *planner, struct expr *expr)
{
    for (uint32_t i = 0; i < expr->argument_count; i++)
        TRY(plan_subqueries(planner, expr->arguments[i]));
    if (expr->kind == EXPR_SUBQUERY && expr->subquery->plan == NULL)
        TRY(plan_subquery(planner, expr->subquery));
    return STATUS_OK;
}

enum status
plan__resolve(struct planner *planner, const struct plan *left, const struct plan *right,
              struct expr *expr, struct expr **out)
{
    struct resolution resolution = {planner, left, right};

    TRY(expr_rewrite(planner->arena, expr, resolve_node, &resolution, out));
    return plan_subqueries(planner, *out);
}

struct substitution {
    uint32_t relation;
    struct expr **exprs;
};

static enum status
substitute_node(void *context, struct expr *expr, struct expr **out)
{
    const struct substitution *substitution = context;

    if (expr->kind == EXPR_COLUMN && expr->relation == substitution->relation)
        *out = substitution->exprs[expr->index];
    return STATUS_OK;
}

enum status
plan__substitute(struct planner *planner, uint32_t relation, struct expr **exprs, struct expr *expr,
                 struct expr **out)
{
    struct substitution substitution = {relation, exprs};

    return expr_rewrite(planner->arena, expr, substitute_node, &substitution, out);
}
