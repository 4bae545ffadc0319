/*
 * Grouping: an expression over the rows becomes one over (groups, aggregates). A column that is
 * neither is allowed when the groups have the primary key of its table: then it is a group as well.
 */
#include <string.h>

#include "executor/bind_private.h"
#include "kernel/base/check.h"

struct lift {
    struct bind *bind;
    struct rel *aggregate; /* exprs: groups; capacity `room`. */
    uint32_t room;
    const struct rel *below;
    uint32_t aggregate_count;
    const struct bind__windows *windows;
};

/* The table of a relation below, through joins and filters. */
static const struct rel *
find_table_rel(const struct rel *rel, uint32_t relation)
{
    while (rel != NULL) {
        if (rel->relation != 0)
            return rel->relation == relation && rel->kind == REL_TABLE ? rel : NULL;
        if (rel->right != NULL) {
            const struct rel *found = find_table_rel(rel->right, relation);

            if (found != NULL)
                return found;
        }
        rel = rel->input;
    }
    return NULL;
}

static bool
has_group_column(const struct lift *lift, uint32_t relation, uint32_t index)
{
    for (uint32_t i = 0; i < lift->aggregate->group_count; i++) {
        const struct expr *group = lift->aggregate->exprs[i];

        if (group->kind == EXPR_COLUMN && group->relation == relation && group->index == index)
            return true;
    }
    return false;
}

static bool
depends_on_key(const struct lift *lift, const struct expr *column)
{
    const struct rel *rel = find_table_rel(lift->below, column->relation);

    if (rel == NULL || rel->table->key_count == 0)
        return false;
    for (uint32_t i = 0; i < rel->table->key_count; i++) {
        if (!has_group_column(lift, column->relation, rel->table->keys[i]))
            return false;
    }
    return true;
}

static enum status
group_column(const struct lift *lift, uint32_t index, struct expr **out)
{
    TRY(bind__new_expr(lift->bind, EXPR_COLUMN, lift->aggregate->exprs[index]->type.type,
                       lift->aggregate->exprs[index]->location, 0, out));
    (*out)->relation = lift->aggregate->relation;
    (*out)->index = index;
    (*out)->type = lift->aggregate->exprs[index]->type;
    return STATUS_OK;
}

/* Aggregates stand after the room for groups; indexes are closed up when all groups are known. */
static enum status
lift_node(void *context, struct expr *expr, struct expr **out)
{
    struct lift *lift = context;
    struct rel *aggregate = lift->aggregate;

    if (expr->kind == EXPR_AGGREGATE) {
        TRY(bind__new_expr(lift->bind, EXPR_COLUMN, expr->type.type, expr->location, 0, out));
        (*out)->relation = aggregate->relation;
        (*out)->index = lift->room + expr->index;
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < aggregate->group_count; i++) {
        if (expr_same(expr, aggregate->exprs[i]))
            return group_column(lift, i, out);
    }
    if (expr->kind != EXPR_COLUMN || expr->relation == 0 ||
        bind__is_window_relation(lift->windows, expr->relation))
        return STATUS_OK;
    if (aggregate->set_count == 0 && depends_on_key(lift, expr) &&
        aggregate->group_count < lift->room) {
        aggregate->exprs[aggregate->group_count] = expr;
        return group_column(lift, aggregate->group_count++, out);
    }
    return sql_error_set(lift->bind->error, "42803", expr->location,
                         "column must appear in the GROUP BY clause or be used in an "
                         "aggregate function");
}

struct close_up {
    uint32_t relation;
    uint32_t room;
    uint32_t group_count;
};

static bool
close_node(void *context, const struct expr *expr)
{
    const struct close_up *close = context;

    /* The copies lift_node made are ours to change. */
    if (expr->kind == EXPR_COLUMN && expr->relation == close->relation &&
        expr->index >= close->room)
        ((struct expr *)(uintptr_t)expr)->index = expr->index - close->room + close->group_count;
    return true;
}

static enum status
has_aggregate(struct bind *bind, const struct expr *expr)
{
    if (expr->kind == EXPR_AGGREGATE)
        return sql_error_set(bind->error, "42803", expr->location,
                             "aggregate functions are not allowed in GROUP BY");
    for (uint32_t i = 0; i < expr->argument_count; i++)
        TRY(has_aggregate(bind, expr->arguments[i]));
    return STATUS_OK;
}

/* GROUP BY 2 means a target; GROUP BY name a column, else a target of that name. */
enum status
bind__group(struct bind *bind, struct bind__scope *scope, const struct ast_select *ast,
            const struct ast_expr *group, struct expr **out)
{
    if (group->kind == AST_INTEGER) {
        if (group->integer < 1 || group->integer > ast->target_count)
            return sql_error_set(bind->error, "42P10", group->location,
                                 "GROUP BY position %lld is not in select list",
                                 (long long)group->integer);
        if (ast->targets[group->integer - 1].expr->kind == AST_STAR)
            return bind__unsupported(bind, group->location, "GROUP BY position of a star");
        group = ast->targets[group->integer - 1].expr;
    } else if (group->kind == AST_COLUMN && group->name_count == 1) {
        bool known = false;

        for (uint32_t i = 0; i < scope->name_count && !known; i++)
            known = strcmp(scope->names[i].name, group->names[0]) == 0;
        for (uint32_t i = 0; i < ast->target_count && !known; i++) {
            known =
                ast->targets[i].name != NULL && strcmp(ast->targets[i].name, group->names[0]) == 0;
            if (known)
                group = ast->targets[i].expr;
        }
    }
    bind->grouping = true;
    enum status status = bind__expr(bind, scope, group, out);
    bind->grouping = false;
    TRY(status);
    TRY(bind__settle(bind, out));
    return has_aggregate(bind, *out);
}

static enum status
finish_columns(struct bind *bind, const struct lift *lift, const struct bind__scope *scope)
{
    struct rel *aggregate = lift->aggregate;
    uint32_t count = aggregate->group_count + aggregate->aggregate_count;

    TRY(bind__check_width(bind, count, BIND__COLUMNS_MAX));
    aggregate->columns = bind__take(bind, count * sizeof(*aggregate->columns));
    if (aggregate->columns == NULL)
        return STATUS_NO_MEMORY;
    aggregate->column_count = count;
    for (uint32_t i = 0; i < aggregate->group_count; i++)
        aggregate->columns[i] = (struct rel_column){"group", aggregate->exprs[i]->type};
    for (uint32_t i = 0; i < aggregate->aggregate_count; i++)
        aggregate->columns[aggregate->group_count + i] =
            (struct rel_column){"aggregate", scope->aggregation->calls[i].type};
    return STATUS_OK;
}

enum status
bind__grouping(struct bind *bind, struct bind__scope *scope, const struct ast_select *ast,
               struct expr **exprs, uint32_t expr_count, struct expr **having,
               const struct bind__windows *windows, struct rel **rel)
{
    uint32_t room = ast->group_count + scope->name_count + ROW_COLUMNS_MAX;
    struct lift lift = {.bind = bind, .room = room, .below = *rel, .windows = windows};
    struct rel *aggregate = NULL;

    TRY(bind__defining(bind, REL_AGGREGATE, *rel, room, &aggregate));
    lift.aggregate = aggregate;
    aggregate->aggregate_count = scope->aggregation->count;
    aggregate->aggregates = scope->aggregation->calls;
    TRY(bind__group_by(bind, scope, ast, aggregate));
    for (uint32_t i = 0; i < aggregate->aggregate_count; i++) {
        if (aggregate->aggregates[i].kind == REL_GROUPING)
            TRY(bind__grouping_values(bind, aggregate, &aggregate->aggregates[i]));
    }
    for (uint32_t i = 0; i < expr_count; i++)
        TRY(expr_rewrite(bind->arena, exprs[i], lift_node, &lift, &exprs[i]));
    if (*having != NULL)
        TRY(expr_rewrite(bind->arena, *having, lift_node, &lift, having));
    struct close_up close = {aggregate->relation, room, aggregate->group_count};
    for (uint32_t i = 0; i < expr_count; i++)
        (void)expr_visit(exprs[i], close_node, &close);
    if (*having != NULL)
        (void)expr_visit(*having, close_node, &close);
    TRY(finish_columns(bind, &lift, scope));
    *rel = aggregate;
    return *having != NULL ? bind__filter(bind, *having, rel) : STATUS_OK;
}
