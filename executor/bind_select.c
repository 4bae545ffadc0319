/*
 * Queries: FROM, WHERE with key bounds taken from it, grouping, targets, order, limit.
 *
 *   scan -> [aggregate, having] -> project (targets, then what ORDER BY needs) -> [distinct] -> [sort]
 *        -> [limit]
 *
 * The user sees the leading `visible` columns of the result.
 */
#include <string.h>

#include "executor/bind_private.h"
#include "kernel/base/check.h"

enum { AGGREGATES_MAX = 256 };

enum status
bind__plan(struct bind *bind, enum plan_kind kind, struct plan *input, uint32_t column_count,
           struct plan **out)
{
    struct plan *plan = bind__take(bind, sizeof(*plan));
    struct plan_column *columns = bind__take(bind, column_count * sizeof(*columns));

    if (plan == NULL || columns == NULL)
        return STATUS_NO_MEMORY;
    plan->kind = kind;
    plan->input = input;
    plan->column_count = column_count;
    plan->columns = columns;
    if (input != NULL && column_count == input->column_count)
        memcpy(columns, input->columns, column_count * sizeof(*columns));
    *out = plan;
    return STATUS_OK;
}

static enum status
unsupported(struct bind *bind, int32_t location, const char *what)
{
    return sql_error_set(bind->error, "0A000", location, "%s is not supported yet", what);
}

/* Scans. */

static bool
is_key_column(const struct table *table, const struct expr *expr)
{
    return table->key_count == 1 && table_key_is_integer(table) && expr->kind == EXPR_COLUMN &&
           expr->index == table->keys[0];
}

/* A comparison of the key with an integer constant tightens the bounds; the filter stays as it is. */
static void
note_bound(const struct table *table, const struct expr *compare, struct plan *scan)
{
    struct expr *left = compare->arguments[0], *right = compare->arguments[1];
    enum expr_operator operator_kind = compare->operator_kind;

    if (is_key_column(table, right) && left->kind == EXPR_CONSTANT) {
        struct expr *swap = left;

        left = right;
        right = swap;
        if (operator_kind >= EXPR_LESS)
            operator_kind = operator_kind <= EXPR_LESS_EQUAL
                                ? operator_kind + (EXPR_GREATER - EXPR_LESS)
                                : operator_kind - (EXPR_GREATER - EXPR_LESS);
    }
    enum qtdb_type type = right->type.type;
    if (!is_key_column(table, left) || right->kind != EXPR_CONSTANT || right->constant.null ||
        (type != QTDB_TYPE_INT2 && type != QTDB_TYPE_INT4 && type != QTDB_TYPE_INT8))
        return;
    if (operator_kind == EXPR_EQUAL || operator_kind >= EXPR_GREATER)
        if (scan->key_low == NULL || right->constant.integer > scan->key_low->constant.integer)
            scan->key_low = right;
    if (operator_kind == EXPR_EQUAL || operator_kind == EXPR_LESS ||
        operator_kind == EXPR_LESS_EQUAL)
        if (scan->key_high == NULL || right->constant.integer < scan->key_high->constant.integer)
            scan->key_high = right;
}

/* The key cast to a wider integer is still the key. */
static struct expr *
without_widening(const struct table *table, struct expr *expr)
{
    bool widened = expr->kind == EXPR_CAST && is_key_column(table, expr->arguments[0]) &&
                   (expr->type.type == QTDB_TYPE_INT4 || expr->type.type == QTDB_TYPE_INT8);

    return widened ? expr->arguments[0] : expr;
}

static void
note_bounds(const struct table *table, const struct expr *filter, struct plan *scan)
{
    if (filter->kind == EXPR_AND) {
        for (uint32_t i = 0; i < filter->argument_count; i++)
            note_bounds(table, filter->arguments[i], scan);
        return;
    }
    if (filter->kind != EXPR_COMPARE || filter->operator_kind == EXPR_NOT_EQUAL)
        return;
    struct expr compare = *filter;
    struct expr *arguments[2] = {without_widening(table, filter->arguments[0]),
                                 without_widening(table, filter->arguments[1])};
    compare.arguments = arguments;
    note_bound(table, &compare, scan);
}

enum status
bind__scan(struct bind *bind, struct bind__scope *scope, struct table *table,
           const struct ast_expr *where, struct plan **out)
{
    struct plan *scan = NULL;

    TRY(bind__plan(bind, PLAN_SCAN, NULL, table->column_count, &scan));
    scan->table = table;
    for (uint32_t i = 0; i < table->column_count; i++)
        scan->columns[i] =
            (struct plan_column){table->columns[i].name, {table->columns[i].type.type, -1, -1}};
    if (where != NULL) {
        TRY(bind__condition(bind, scope, where, "WHERE", &scan->filter));
        note_bounds(table, scan->filter, scan);
    }
    *out = scan;
    return STATUS_OK;
}

static enum status
bind_from(struct bind *bind, const struct ast_select *ast, struct bind__scope *scope,
          struct plan **out)
{
    struct table *table = NULL;

    if (ast->from_count == 0) {
        TRY(bind__plan(bind, PLAN_RESULT, NULL, 0, out));
        if (ast->where != NULL)
            return bind__condition(bind, scope, ast->where, "WHERE", &(*out)->filter);
        return STATUS_OK;
    }
    if (ast->from_count > 1 || ast->from[0]->kind != AST_FROM_TABLE)
        return unsupported(bind, -1, "a join or a subquery in FROM");
    TRY(table_find(bind->txn, &ast->from[0]->table, bind->arena, &table, bind->error));
    scope->table = table;
    scope->alias = ast->from[0]->alias;
    return bind__scan(bind, scope, table, ast->where, out);
}

/* Targets: stars expanded. */

struct target_list {
    uint32_t count;
    uint32_t capacity;
    struct expr **exprs;
    const char **names;
};

static const char *
derived_name(const struct ast_expr *expr)
{
    if (expr->kind == AST_COLUMN || expr->kind == AST_FUNCTION)
        return expr->names[expr->name_count - 1];
    if (expr->kind == AST_CAST) {
        const char *inner = derived_name(expr->arguments[0]);

        return strcmp(inner, "?column?") == 0 ? expr->type.name : inner;
    }
    if (expr->kind == AST_CASE)
        return "case";
    return expr->kind == AST_COALESCE ? "coalesce" : "?column?";
}

static enum status
add_target(struct bind *bind, struct target_list *list, struct expr *expr, const char *name)
{
    static const struct sql_type text = {QTDB_TYPE_TEXT, -1, -1};

    CHECK(list->count < list->capacity);
    if (expr->type.type == QTDB_TYPE_NULL)
        TRY(bind__cast(bind, expr, &text, &expr));
    list->exprs[list->count] = expr;
    list->names[list->count++] = name;
    return STATUS_OK;
}

static enum status
add_star(struct bind *bind, const struct bind__scope *scope, struct target_list *list,
         int32_t location)
{
    if (scope->table == NULL)
        return sql_error_set(bind->error, "42601", location,
                             "SELECT * with no tables specified is not valid");
    for (uint32_t i = 0; i < scope->table->column_count; i++) {
        struct sql_type type = {scope->table->columns[i].type.type, -1, -1};
        struct expr *expr = NULL;

        TRY(bind__column(bind, &type, i, &expr));
        TRY(add_target(bind, list, expr, scope->table->columns[i].name));
    }
    return STATUS_OK;
}

static enum status
bind_targets(struct bind *bind, struct bind__scope *scope, const struct ast_select *ast,
             struct target_list *list)
{
    uint32_t stars = scope->table != NULL ? scope->table->column_count : 0;

    list->capacity = ast->target_count * (stars + 1) + ast->order_count;
    list->exprs = bind__take(bind, list->capacity * sizeof(struct expr *));
    list->names = bind__take(bind, list->capacity * sizeof(const char *));
    if (list->exprs == NULL || list->names == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < ast->target_count; i++) {
        const struct ast_target *target = &ast->targets[i];
        struct expr *expr = NULL;

        if (target->expr->kind == AST_STAR) {
            TRY(add_star(bind, scope, list, target->location));
            continue;
        }
        TRY(bind__expr(bind, scope, target->expr, &expr));
        TRY(add_target(bind, list, expr,
                       target->name != NULL ? target->name : derived_name(target->expr)));
    }
    return STATUS_OK;
}

/* Grouping: an expression over the scan becomes one over (groups, aggregates). */

static enum status
lift(struct bind *bind, const struct plan *aggregate, struct expr **expr)
{
    if ((*expr)->kind == EXPR_AGGREGATE) {
        struct expr *lifted = bind__take(bind, sizeof(*lifted));

        if (lifted == NULL)
            return STATUS_NO_MEMORY;
        *lifted = **expr;
        lifted->kind = EXPR_COLUMN;
        lifted->index += aggregate->group_count;
        *expr = lifted;
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < aggregate->group_count; i++) {
        if (bind__same(*expr, aggregate->exprs[i]))
            return bind__column(bind, &aggregate->exprs[i]->type, i, expr);
    }
    if ((*expr)->kind == EXPR_COLUMN)
        return sql_error_set(bind->error, "42803", (*expr)->location,
                             "column must appear in the GROUP BY clause or be used in an "
                             "aggregate function");
    for (uint32_t i = 0; i < (*expr)->argument_count; i++)
        TRY(lift(bind, aggregate, &(*expr)->arguments[i]));
    return STATUS_OK;
}

/* GROUP BY 2 and GROUP BY name mean targets. */
static enum status
bind_group(struct bind *bind, struct bind__scope *scope, const struct ast_select *ast,
           const struct ast_expr *group, const struct target_list *list, struct expr **out)
{
    if (group->kind == AST_INTEGER) {
        if (group->integer < 1 || group->integer > list->count)
            return sql_error_set(bind->error, "42P10", group->location,
                                 "GROUP BY position %lld is not in select list",
                                 (long long)group->integer);
        return bind__expr(bind, scope, ast->targets[group->integer - 1].expr, out);
    }
    return bind__expr(bind, scope, group, out);
}

static enum status
bind_aggregation(struct bind *bind, struct bind__scope *scope, const struct ast_select *ast,
                 struct target_list *list, struct expr *having, struct plan **plan)
{
    struct plan *aggregate = NULL;
    uint32_t width = ast->group_count + scope->aggregate_count;

    TRY(bind__plan(bind, PLAN_AGGREGATE, *plan, width, &aggregate));
    aggregate->exprs = bind__take(bind, ast->group_count * sizeof(struct expr *));
    if (aggregate->exprs == NULL)
        return STATUS_NO_MEMORY;
    scope->aggregates_allowed = false;
    for (uint32_t i = 0; i < ast->group_count; i++) {
        TRY(bind_group(bind, scope, ast, ast->groups[i], list, &aggregate->exprs[i]));
        aggregate->columns[i] = (struct plan_column){"group", aggregate->exprs[i]->type};
    }
    aggregate->group_count = ast->group_count;
    aggregate->aggregate_count = scope->aggregate_count;
    aggregate->aggregates = scope->aggregates;
    for (uint32_t i = 0; i < scope->aggregate_count; i++)
        aggregate->columns[ast->group_count + i] =
            (struct plan_column){"aggregate", scope->aggregates[i].type};
    for (uint32_t i = 0; i < list->count; i++)
        TRY(lift(bind, aggregate, &list->exprs[i]));
    if (having != NULL)
        TRY(lift(bind, aggregate, &having));
    aggregate->filter = having;
    *plan = aggregate;
    return STATUS_OK;
}

/* Order: a position, a target's name, or an expression that becomes a hidden target. */
static enum status
bind_order(struct bind *bind, struct bind__scope *scope, const struct ast_select *ast,
           const struct ast_order *order, struct target_list *list, uint32_t visible,
           uint32_t *column_out)
{
    const struct ast_expr *expr = order->expr;
    struct expr *bound = NULL;

    if (expr->kind == AST_INTEGER) {
        if (expr->integer < 1 || expr->integer > visible)
            return sql_error_set(bind->error, "42P10", expr->location,
                                 "ORDER BY position %lld is not in select list",
                                 (long long)expr->integer);
        *column_out = (uint32_t)expr->integer - 1;
        return STATUS_OK;
    }
    for (uint32_t i = 0; expr->kind == AST_COLUMN && expr->name_count == 1 && i < visible; i++) {
        if (strcmp(list->names[i], expr->names[0]) == 0) {
            *column_out = i;
            return STATUS_OK;
        }
    }
    if (ast->distinct)
        return unsupported(bind, expr->location,
                           "ORDER BY of an expression not in the select list of DISTINCT");
    TRY(bind__expr(bind, scope, expr, &bound));
    *column_out = list->count;
    return add_target(bind, list, bound, "?order?");
}

static enum status
bind_orders(struct bind *bind, struct bind__scope *scope, const struct ast_select *ast,
            struct target_list *list, struct plan_sort_key **out)
{
    uint32_t visible = list->count;
    struct plan_sort_key *keys = bind__take(bind, ast->order_count * sizeof(*keys));

    if (keys == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < ast->order_count; i++) {
        keys[i].descending = ast->orders[i].descending;
        keys[i].nulls_first = ast->orders[i].nulls_first;
        TRY(bind_order(bind, scope, ast, &ast->orders[i], list, visible, &keys[i].column));
    }
    *out = keys;
    return STATUS_OK;
}

static enum status
bind_limit(struct bind *bind, const struct ast_select *ast, struct plan **plan)
{
    static const struct sql_type integer = {QTDB_TYPE_INT8, -1, -1};
    struct bind__scope nothing = {.table = NULL};
    struct plan *limit = NULL;

    TRY(bind__plan(bind, PLAN_LIMIT, *plan, (*plan)->column_count, &limit));
    if (ast->limit != NULL)
        TRY(bind__expr_as(bind, &nothing, ast->limit, &integer, &limit->limit));
    if (ast->offset != NULL)
        TRY(bind__expr_as(bind, &nothing, ast->offset, &integer, &limit->offset));
    *plan = limit;
    return STATUS_OK;
}

static enum status
bind_projection(struct bind *bind, const struct target_list *list, struct plan **plan)
{
    struct plan *project = NULL;

    TRY(bind__plan(bind, PLAN_PROJECT, *plan, list->count, &project));
    project->exprs = list->exprs;
    for (uint32_t i = 0; i < list->count; i++)
        project->columns[i] = (struct plan_column){list->names[i], list->exprs[i]->type};
    *plan = project;
    return STATUS_OK;
}

/* What follows the projection. */
static enum status
bind_tail(struct bind *bind, const struct ast_select *ast, struct plan_sort_key *sort_keys,
          struct plan **plan)
{
    struct plan *next = NULL;

    if (ast->distinct) {
        TRY(bind__plan(bind, PLAN_DISTINCT, *plan, (*plan)->column_count, &next));
        *plan = next;
    }
    if (ast->order_count > 0) {
        TRY(bind__plan(bind, PLAN_SORT, *plan, (*plan)->column_count, &next));
        next->sort_keys = sort_keys;
        next->sort_count = ast->order_count;
        *plan = next;
    }
    return ast->limit != NULL || ast->offset != NULL ? bind_limit(bind, ast, plan) : STATUS_OK;
}

static enum status
bind_values(struct bind *bind, const struct ast_select *ast, struct plan **out)
{
    struct bind__scope nothing = {.table = NULL};
    static const char *const names[] = {"column1", "column2", "column3", "column4",
                                        "column5", "column6", "column7", "column8"};
    struct target_list row = {.capacity = ast->row_width};
    struct plan *values = NULL;

    TRY(bind__plan(bind, PLAN_VALUES, NULL, ast->row_width, &values));
    values->row_count = ast->row_count;
    values->exprs =
        bind__take(bind, (size_t)ast->row_count * ast->row_width * sizeof(struct expr *));
    row.names = bind__take(bind, ast->row_width * sizeof(const char *));
    if (values->exprs == NULL || row.names == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < ast->row_count; i++) {
        row.exprs = values->exprs + (size_t)i * ast->row_width;
        row.count = 0;
        for (uint32_t k = 0; k < ast->row_width; k++) {
            struct expr *expr = NULL;

            TRY(bind__expr(bind, &nothing, ast->rows[(size_t)i * ast->row_width + k], &expr));
            TRY(add_target(bind, &row, expr, k < 8 ? names[k] : "column"));
            if (i == 0)
                values->columns[k] = (struct plan_column){row.names[k], expr->type};
            else
                TRY(bind__cast(bind, expr, &values->columns[k].type, &row.exprs[k]));
        }
    }
    *out = values;
    return STATUS_OK;
}

enum status
bind__select(struct bind *bind, const struct ast_select *ast, struct plan **out,
             uint32_t *visible_out)
{
    struct bind__scope scope = {.aggregate_capacity = AGGREGATES_MAX};
    struct target_list list = {.count = 0};
    struct plan_sort_key *sort_keys = NULL;
    struct expr *having = NULL;
    struct plan *plan = NULL;

    if (ast->row_count > 0) {
        TRY(bind_values(bind, ast, &plan));
        *visible_out = plan->column_count;
        *out = plan;
        return ast->order_count > 0 ? unsupported(bind, -1, "ORDER BY of VALUES")
                                    : bind_tail(bind, ast, NULL, out);
    }
    scope.aggregates = bind__take(bind, AGGREGATES_MAX * sizeof(*scope.aggregates));
    if (scope.aggregates == NULL)
        return STATUS_NO_MEMORY;
    TRY(bind_from(bind, ast, &scope, &plan));
    scope.aggregates_allowed = true;
    TRY(bind_targets(bind, &scope, ast, &list));
    *visible_out = list.count;
    TRY(bind_orders(bind, &scope, ast, &list, &sort_keys));
    if (ast->having != NULL)
        TRY(bind__condition(bind, &scope, ast->having, "HAVING", &having));
    if (scope.aggregate_count > 0 || ast->group_count > 0 || having != NULL)
        TRY(bind_aggregation(bind, &scope, ast, &list, having, &plan));
    TRY(bind_projection(bind, &list, &plan));
    TRY(bind_tail(bind, ast, sort_keys, &plan));
    *out = plan;
    return STATUS_OK;
}
