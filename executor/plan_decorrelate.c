/*
 * Subqueries that read the row around them become joins, before anything is planned:
 *
 *   EXISTS (... where a = outer.b)       semi join; NOT EXISTS: anti join
 *   x IN (... where a = outer.b)         semi join
 *   (select f(aggregate) ... where a = outer.b)   left join with the groups of a
 *
 * Only conditions of a WHERE or HAVING are looked at, joined by AND; the subquery may read the outer row
 * in its own WHERE alone. At least one condition has to be an equality, so that the join can hash; the
 * scalar one has nothing else, its aggregates are null over no rows, and its table has no key that
 * would look the rows up at once.
 *
 * What is changed is copied: the subquery may be shared with another expression.
 */
#include <string.h>

#include "executor/plan_private.h"
#include "kernel/base/check.h"

/* The subquery under work. */
struct unnest {
    struct planner *planner;
    const struct expr *expr; /* EXPR_SUBQUERY */
    struct plan__list correlated;
    struct plan__list rest;
};

/* Slots of the subquery. */

static bool
is_own_slot(const struct subquery *subquery, const struct expr *expr)
{
    for (uint32_t i = 0; expr->kind == EXPR_SLOT && i < subquery->slot_count; i++) {
        if (subquery->slots[i] == expr->index)
            return true;
    }
    return false;
}

static bool
reads_no_own_slot(void *context, const struct expr *expr)
{
    return !is_own_slot(context, expr);
}

static bool
reads_slots_of(const struct subquery *subquery, const struct expr *expr)
{
    return !expr_visit(expr, reads_no_own_slot, (void *)(uintptr_t)subquery);
}

static bool
rel_reads_slots(const struct subquery *subquery, const struct rel *rel)
{
    for (; rel != NULL; rel = rel->input) {
        if (rel->kind == REL_WORK || rel->kind == REL_RECURSIVE ||
            !plan__rel_visit(rel, reads_no_own_slot, (void *)(uintptr_t)subquery) ||
            (rel->right != NULL && rel_reads_slots(subquery, rel->right)))
            return true;
    }
    return false;
}

/* Slots become what fills them. */
static enum status
fill_slot(void *context, struct expr *expr, struct expr **out)
{
    const struct expr *subquery = context;

    for (uint32_t i = 0; expr->kind == EXPR_SLOT && i < subquery->subquery->slot_count; i++) {
        if (subquery->subquery->slots[i] == expr->index)
            *out = subquery->arguments[subquery->subquery->operand_count + i];
    }
    return STATUS_OK;
}

/* `inner` = `outer`, where outer reads the row around and no column, inner columns and not it. */
static bool
is_key(const struct subquery *subquery, const struct expr *expr, struct expr **inner_out)
{
    if (expr->kind != EXPR_COMPARE || expr->operator_kind != EXPR_EQUAL)
        return false;
    for (uint32_t i = 0; i < 2; i++) {
        struct plan__set inner = plan__relations_of(expr->arguments[i]);
        struct plan__set outer = plan__relations_of(expr->arguments[1 - i]);

        *inner_out = expr->arguments[i];
        if (!plan__set_is_empty(&inner) && plan__set_is_empty(&outer) &&
            !reads_slots_of(subquery, expr->arguments[i]) &&
            reads_slots_of(subquery, expr->arguments[1 - i]))
            return true;
    }
    return false;
}

/* Takes the conditions on top of `rel` apart; *out is what is below them. False: they are too much. */
static enum status
take_conditions(struct unnest *unnest, struct rel *rel, struct rel **out, bool *fits_out)
{
    const struct subquery *subquery = unnest->expr->subquery;
    struct plan__list all = {.count = 0};

    for (; rel->kind == REL_FILTER; rel = rel->input)
        TRY(plan__split(unnest->planner, &all, rel->condition));
    *fits_out = !rel_reads_slots(subquery, rel);
    for (uint32_t i = 0; i < all.count; i++) {
        bool reads = reads_slots_of(subquery, all.exprs[i]);

        *fits_out = *fits_out && !(reads && plan__has_subquery(all.exprs[i]));
        TRY(plan__list_add(unnest->planner, reads ? &unnest->correlated : &unnest->rest,
                           all.exprs[i]));
    }
    *out = rel;
    return STATUS_OK;
}

/* Making nodes. */

static enum status
new_rel(struct planner *planner, enum rel_kind kind, struct rel *input, struct rel **out)
{
    *out = plan__take(planner, sizeof(**out));
    if (*out == NULL)
        return STATUS_NO_MEMORY;
    (*out)->kind = kind;
    (*out)->input = input;
    return STATUS_OK;
}

static enum status
add_filter(struct planner *planner, const struct plan__list *conditions, struct rel **rel)
{
    struct rel *filter = NULL;

    if (conditions->count == 0)
        return STATUS_OK;
    TRY(new_rel(planner, REL_FILTER, *rel, &filter));
    TRY(plan__conjunction(planner, conditions, &filter->condition));
    *rel = filter;
    return STATUS_OK;
}

static enum status
add_join(struct planner *planner, enum rel_join kind, struct rel *right,
         const struct plan__list *conditions, struct rel **input)
{
    struct rel *join = NULL;

    TRY(new_rel(planner, REL_JOIN, *input, &join));
    join->right = right;
    join->join = kind;
    TRY(plan__conjunction(planner, conditions, &join->condition));
    *input = join;
    return STATUS_OK;
}

static enum status
new_column(struct planner *planner, uint32_t relation, uint32_t index, const struct sql_type *type,
           struct expr **out)
{
    *out = plan__take(planner, sizeof(**out));
    if (*out == NULL)
        return STATUS_NO_MEMORY;
    **out = (struct expr){
        .kind = EXPR_COLUMN, .type = *type, .location = -1, .relation = relation, .index = index};
    return STATUS_OK;
}

/* EXISTS and IN. */

/* IN: each operand equals a column of the result, over what is below the projections. */
static enum status
compare_operands(struct unnest *unnest, struct rel **rel)
{
    const struct expr *expr = unnest->expr;
    const struct subquery *subquery = expr->subquery;
    uint32_t count = subquery->kind == SUBQUERY_ANY ? subquery->operand_count : 0;
    struct expr **columns = plan__take(unnest->planner, count * sizeof(struct expr *));

    if (columns == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        TRY(new_column(unnest->planner, subquery->relation, i, &expr->arguments[i]->type,
                       &columns[i]));
    for (; (*rel)->kind == REL_PROJECT || (*rel)->kind == REL_SORT; *rel = (*rel)->input) {
        for (uint32_t i = 0; (*rel)->kind == REL_PROJECT && i < count; i++)
            TRY(plan__substitute(unnest->planner, (*rel)->relation, (*rel)->exprs, columns[i],
                                 &columns[i]));
    }
    for (uint32_t i = 0; i < count; i++) {
        struct expr *compare = plan__take(unnest->planner, sizeof(*compare));

        if (compare == NULL)
            return STATUS_NO_MEMORY;
        *compare = (struct expr){.kind = EXPR_COMPARE,
                                 .operator_kind = EXPR_EQUAL,
                                 .type = {QTDB_TYPE_BOOL, -1, -1},
                                 .location = expr->location,
                                 .argument_count = 2};
        compare->arguments = plan__take(unnest->planner, 2 * sizeof(struct expr *));
        if (compare->arguments == NULL)
            return STATUS_NO_MEMORY;
        compare->arguments[0] = expr->arguments[i];
        compare->arguments[1] = columns[i];
        TRY(plan__list_add(unnest->planner, &unnest->correlated, compare));
    }
    return STATUS_OK;
}

static bool
operands_fit(const struct subquery *subquery, const struct plan__list *compares)
{
    for (uint32_t i = 0; i < compares->count; i++) {
        if (reads_slots_of(subquery, compares->exprs[i]) || plan__has_subquery(compares->exprs[i]))
            return false;
    }
    return true;
}

static enum status
to_semi_join(struct planner *planner, struct expr *expr, bool negated, struct rel **input,
             bool *done_out)
{
    struct unnest unnest = {.planner = planner, .expr = expr};
    struct plan__list on = {.count = 0};
    struct rel *rel = expr->subquery->rel, *right = NULL;
    bool fits = false, keyed = false;

    *done_out = false;
    TRY(compare_operands(&unnest, &rel));
    if (!operands_fit(expr->subquery, &unnest.correlated))
        return STATUS_OK;
    uint32_t compare_count = unnest.correlated.count;
    TRY(take_conditions(&unnest, rel, &right, &fits));
    if (!fits || unnest.correlated.count == compare_count)
        return STATUS_OK;
    for (uint32_t i = 0; i < unnest.correlated.count; i++) {
        struct expr *inner = NULL, *filled = NULL;

        keyed = keyed || i < compare_count ||
                is_key(expr->subquery, unnest.correlated.exprs[i], &inner);
        TRY(expr_rewrite(planner->arena, unnest.correlated.exprs[i], fill_slot, expr, &filled));
        TRY(plan__list_add(planner, &on, filled));
    }
    if (!keyed)
        return STATUS_OK;
    TRY(add_filter(planner, &unnest.rest, &right));
    *done_out = true;
    return add_join(planner, negated ? REL_ANTI : REL_SEMI, right, &on, input);
}

/* Scalar aggregates. */

/* Null when the aggregates are. */
static bool
is_strict(const struct rel *aggregate, const struct expr *expr, bool *reads_out)
{
    bool strict = expr->kind == EXPR_CONSTANT || expr->kind == EXPR_ARITHMETIC ||
                  expr->kind == EXPR_CAST || expr->kind == EXPR_NEGATE;

    if (expr->kind == EXPR_COLUMN && expr->relation == aggregate->relation) {
        *reads_out = true;
        return true;
    }
    for (uint32_t i = 0; strict && i < expr->argument_count; i++)
        strict = is_strict(aggregate, expr->arguments[i], reads_out);
    return strict;
}

static bool
is_null_over_nothing(const struct rel *project)
{
    const struct rel *aggregate = project->input;
    bool reads = false;

    if (project->kind != REL_PROJECT || aggregate->kind != REL_AGGREGATE ||
        aggregate->group_count > 0 || aggregate->set_count > 0)
        return false;
    for (uint32_t i = 0; i < aggregate->aggregate_count; i++) {
        enum rel_aggregate_kind kind = aggregate->aggregates[i].kind;

        if (kind != REL_SUM && kind != REL_MIN && kind != REL_MAX && kind != REL_AVERAGE)
            return false;
    }
    return is_strict(aggregate, project->exprs[0], &reads) && reads;
}

static const struct rel *
find_table(const struct rel *rel, uint32_t relation)
{
    for (; rel != NULL; rel = rel->input) {
        if (rel->kind == REL_TABLE && rel->relation == relation)
            return rel;
        const struct rel *found = rel->right == NULL ? NULL : find_table(rel->right, relation);
        if (found != NULL)
            return found;
    }
    return NULL;
}

/* A key or an index begins with the column: looking it up for each row may be far cheaper. */
static bool
leads_a_key(const struct rel *rel, const struct expr *expr)
{
    while (expr->kind == EXPR_CAST)
        expr = expr->arguments[0];
    const struct rel *found = expr->kind == EXPR_COLUMN ? find_table(rel, expr->relation) : NULL;
    if (found == NULL)
        return false;
    const struct table *table = found->table;
    if (table->key_count > 0 && table->keys[0] == expr->index)
        return true;
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].columns[0] == expr->index)
            return true;
    }
    return false;
}

struct shift {
    struct planner *planner;
    uint32_t relation;
    uint32_t by;
};

static enum status
shift_column(void *context, struct expr *expr, struct expr **out)
{
    const struct shift *shift = context;

    if (expr->kind != EXPR_COLUMN || expr->relation != shift->relation)
        return STATUS_OK;
    return new_column(shift->planner, shift->relation, expr->index + shift->by, &expr->type, out);
}

/* The aggregation with groups before its aggregates. */
static enum status
group_aggregate(struct planner *planner, const struct rel *from, struct expr **groups,
                uint32_t count, struct rel *input, struct rel **out)
{
    struct rel *rel = NULL;

    TRY(new_rel(planner, REL_AGGREGATE, input, &rel));
    *rel = *from;
    rel->input = input;
    rel->group_count = count;
    rel->exprs = groups;
    rel->column_count = count + from->column_count;
    rel->columns = plan__take(planner, rel->column_count * sizeof(*rel->columns));
    if (rel->columns == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        rel->columns[i] = (struct rel_column){"group", groups[i]->type};
    memcpy(rel->columns + count, from->columns, from->column_count * sizeof(*rel->columns));
    *out = rel;
    return STATUS_OK;
}

/* The projection of its first column, then the groups. */
static enum status
project_groups(struct planner *planner, const struct rel *from, struct rel *aggregate,
               struct rel **out)
{
    uint32_t count = aggregate->group_count;
    struct shift shift = {planner, aggregate->relation, count};
    struct rel *rel = NULL;

    TRY(new_rel(planner, REL_PROJECT, aggregate, &rel));
    rel->relation = from->relation;
    rel->column_count = 1 + count;
    rel->columns = plan__take(planner, rel->column_count * sizeof(*rel->columns));
    rel->exprs = plan__take(planner, rel->column_count * sizeof(struct expr *));
    if (rel->columns == NULL || rel->exprs == NULL)
        return STATUS_NO_MEMORY;
    rel->columns[0] = from->columns[0];
    TRY(expr_rewrite(planner->arena, from->exprs[0], shift_column, &shift, &rel->exprs[0]));
    for (uint32_t i = 0; i < count; i++) {
        rel->columns[1 + i] = aggregate->columns[i];
        TRY(new_column(planner, aggregate->relation, i, &aggregate->columns[i].type,
                       &rel->exprs[1 + i]));
    }
    *out = rel;
    return STATUS_OK;
}

struct scalar {
    struct planner *planner;
    const struct rel *filter;
    struct rel **input;
};

/* The equalities with the groups in place of what is grouped by. */
static enum status
match_groups(struct unnest *unnest, const struct rel *project, struct expr **groups,
             struct plan__list *on)
{
    struct planner *planner = unnest->planner;

    for (uint32_t i = 0; i < unnest->correlated.count; i++) {
        struct expr *compare = plan__take(planner, sizeof(*compare));
        const struct expr *from = unnest->correlated.exprs[i];
        uint32_t inner = from->arguments[0] == groups[i] ? 0 : 1;

        if (compare == NULL)
            return STATUS_NO_MEMORY;
        *compare = *from;
        compare->arguments = plan__take(planner, 2 * sizeof(struct expr *));
        if (compare->arguments == NULL)
            return STATUS_NO_MEMORY;
        TRY(new_column(planner, project->relation, 1 + i, &groups[i]->type,
                       &compare->arguments[inner]));
        TRY(expr_rewrite(planner->arena, from->arguments[1 - inner], fill_slot,
                         (void *)(uintptr_t)unnest->expr, &compare->arguments[1 - inner]));
        TRY(plan__list_add(planner, on, compare));
    }
    return STATUS_OK;
}

static enum status
to_left_join(void *context, struct expr *expr, struct expr **out)
{
    struct scalar *scalar = context;
    struct unnest unnest = {.planner = scalar->planner, .expr = expr};
    struct rel *below = NULL, *aggregate = NULL, *project = NULL;
    struct plan__list on = {.count = 0};
    bool fits = false;

    if (expr->kind != EXPR_SUBQUERY || expr->subquery->kind != SUBQUERY_SCALAR ||
        expr->subquery->slot_count == 0 || !is_null_over_nothing(expr->subquery->rel))
        return STATUS_OK;
    /* BETWEEN has it twice: one join gives both. */
    if (expr->subquery->joined_at != NULL) {
        *out = expr->subquery->joined_at == scalar->filter ? expr->subquery->joined : NULL;
        return STATUS_OK;
    }
    const struct rel *from = expr->subquery->rel;
    if (!plan__rel_visit(from->input, reads_no_own_slot, expr->subquery))
        return STATUS_OK;
    TRY(take_conditions(&unnest, from->input->input, &below, &fits));
    uint32_t count = unnest.correlated.count;
    struct expr **groups = plan__take(scalar->planner, count * sizeof(struct expr *));
    if (groups == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        fits = fits && is_key(expr->subquery, unnest.correlated.exprs[i], &groups[i]) &&
               !leads_a_key(below, groups[i]);
    if (!fits || count == 0)
        return STATUS_OK;
    TRY(add_filter(scalar->planner, &unnest.rest, &below));
    TRY(group_aggregate(scalar->planner, from->input, groups, count, below, &aggregate));
    TRY(project_groups(scalar->planner, from, aggregate, &project));
    TRY(match_groups(&unnest, project, groups, &on));
    TRY(add_join(scalar->planner, REL_LEFT, project, &on, scalar->input));
    TRY(new_column(scalar->planner, project->relation, 0, &expr->type, out));
    expr->subquery->joined_at = scalar->filter;
    expr->subquery->joined = *out;
    return STATUS_OK;
}

/* The tree. */

static enum status
unnest_condition(struct planner *planner, struct expr *condition, const struct rel *filter,
                 struct rel **input, struct plan__list *kept)
{
    bool negated = condition->kind == EXPR_NOT;
    struct expr *inner = negated ? condition->arguments[0] : condition;
    struct scalar scalar = {planner, filter, input};
    struct expr *rewritten = NULL;
    bool done = false;

    if (inner->kind == EXPR_SUBQUERY && inner->subquery->slot_count > 0 &&
        inner->subquery->joined_at == NULL &&
        (inner->subquery->kind == SUBQUERY_EXISTS ||
         (inner->subquery->kind == SUBQUERY_ANY && inner->operator_kind == EXPR_EQUAL && !negated)))
        TRY(to_semi_join(planner, inner, negated, input, &done));
    if (done) {
        inner->subquery->joined_at = filter;
        return STATUS_OK;
    }
    if (!plan__has_subquery(condition))
        return plan__list_add(planner, kept, condition);
    TRY(expr_rewrite(planner->arena, condition, to_left_join, &scalar, &rewritten));
    return plan__list_add(planner, kept, rewritten);
}

static enum status
unnest_filter(struct planner *planner, struct rel *filter)
{
    struct plan__list all = {.count = 0}, kept = {.count = 0};
    struct rel *input = filter->input;

    TRY(plan__split(planner, &all, filter->condition));
    for (uint32_t i = 0; i < all.count; i++)
        TRY(unnest_condition(planner, all.exprs[i], filter, &input, &kept));
    if (kept.count == 0) {
        *filter = *input; /* All of it became joins. */
        return STATUS_OK;
    }
    filter->input = input;
    return plan__conjunction(planner, &kept, &filter->condition);
}

struct inside {
    struct planner *planner;
    enum status status;
};

static bool
unnest_inside(void *context, const struct expr *expr)
{
    struct inside *inside = context;

    if (expr->kind == EXPR_SUBQUERY && inside->status == STATUS_OK)
        inside->status = plan__decorrelate(inside->planner, expr->subquery->rel);
    return inside->status == STATUS_OK;
}

enum status
plan__decorrelate(struct planner *planner, struct rel *rel)
{
    for (; rel != NULL; rel = rel->input) {
        struct inside inside = {planner, STATUS_OK};

        if (rel->kind == REL_SHARED) {
            if (planner->shared_seen[rel->shared->index])
                return STATUS_OK;
            planner->shared_seen[rel->shared->index] = true;
        }
        if (rel->kind == REL_FILTER && plan__has_subquery(rel->condition))
            TRY(unnest_filter(planner, rel));
        (void)plan__rel_visit(rel, unnest_inside, &inside);
        TRY(inside.status);
        if (rel->right != NULL)
            TRY(plan__decorrelate(planner, rel->right));
    }
    return STATUS_OK;
}
