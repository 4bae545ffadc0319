/*
 * Views over one table, looked through: what a change through one, and FOR UPDATE of one, concern are the
 * table's rows that the conditions of the view and of the views below it let through. A column of the view
 * is an expression over the table's columns; values can be given to those that are a column itself. WITH
 * CHECK OPTION asks the conditions of every new row, those of the innermost view first.
 */
#include <string.h>

#include "executor/ast_define.h"
#include "executor/bind_private.h"
#include "executor/search_path.h"
#include "kernel/base/check.h"

enum { VIEW_DEPTH_MAX = 100 };

static enum status
not_updatable(struct bind *bind, const char *name, const char *verb)
{
    return sql_error_set(bind->error, "55000", -1, "cannot %s view \"%s\"", verb, name);
}

/* One row of the FROM item for each row of the view, as far as the syntax tells. */
static bool
is_simple(const struct ast_select *ast)
{
    return ast->set == 0 && ast->cte_count == 0 && !ast->distinct && ast->group_count == 0 &&
           ast->having == NULL && ast->limit == NULL && ast->offset == NULL &&
           ast->row_count == 0 && ast->from_count == 1 && ast->from[0]->kind == AST_FROM_TABLE;
}

static enum status
open_table(struct bind *bind, const struct ast_from *from, const struct ast_name *found,
           struct bind__scope *scope, struct bind__view *out)
{
    const char *alias = from->alias != NULL ? from->alias : from->table.name;

    TRY(table_find(bind->txn, found, bind->arena, &out->table, bind->error));
    TRY(bind__table_rel(bind, out->table, &out->base));
    out->rel = out->base;
    return bind__add_table(bind, scope, out->base, out->table->column_count, alias,
                           from->alias != NULL ? NULL : out->table->schema, from);
}

/* What the view selects from: a table, or a view that is as simple. */
static enum status
open_source(struct bind *bind, const struct ast_select *ast, const char *name, const char *verb,
            struct bind__scope *scope, struct bind__view *out)
{
    const struct ast_from *from = ast->from[0];
    struct ast_name found;
    struct bind__query ignored;

    TRY(search_path_find(bind->txn, bind->path, &from->table, "wt", &found, bind->error));
    enum status status =
        catalog_has(bind->txn, CATALOG_VIEW, found.schema != NULL ? found.schema : "public",
                    found.name, bind->error);
    if (status == STATUS_OK) {
        struct bind__view *inner = bind__take(bind, sizeof(*inner));

        if (inner == NULL)
            return STATUS_NO_MEMORY;
        TRY(bind__open_view(bind, &found, verb, inner));
        out->inner = inner;
        out->table = inner->table;
        out->base = inner->base;
        out->rel = inner->rel;
        return bind__add_view(bind, scope, inner,
                              from->alias != NULL ? from->alias : from->table.name, from);
    }
    if (status != STATUS_NOT_FOUND)
        return status;
    status = bind__catalog_view(bind, &from->table, &ignored);
    if (status == STATUS_OK)
        return not_updatable(bind, name, verb);
    return status == STATUS_NOT_FOUND ? open_table(bind, from, &found, scope, out) : status;
}

/* Where a value for the column goes; or which view refuses it. */
static void
place_column(const struct bind__view *view, struct bind__view_column *column)
{
    const struct bind__view *inner = view->inner;

    column->column = UINT32_MAX;
    column->refusing = view->name;
    column->refused = column->name;
    if (column->expr->kind == EXPR_COLUMN && column->expr->relation == view->base->relation &&
        column->expr->index < view->table->column_count)
        column->column = column->expr->index;
    for (uint32_t i = 0; inner != NULL && i < inner->column_count; i++) {
        if (inner->columns[i].column == UINT32_MAX &&
            expr_same(inner->columns[i].expr, column->expr)) {
            column->refusing = inner->columns[i].refusing;
            column->refused = inner->columns[i].refused;
        }
    }
}

static enum status
bind_columns(struct bind *bind, struct bind__scope *scope, const struct ast_create_view *ast,
             const char *verb, struct bind__view *out)
{
    struct bind__aggregation aggregation = {.count = 0};
    struct bind__windows windows = {.ast = ast->query};
    const struct ast_select *lifted = NULL;
    struct rel_column *columns = NULL;
    struct expr **exprs = NULL;
    bool any = false;

    TRY(bind__lift_sets(bind, ast->query, &lifted));
    if (lifted != ast->query)
        return not_updatable(bind, out->name, verb);
    scope->aggregation = &aggregation;
    scope->windows = &windows;
    enum status status = bind__targets(bind, scope, ast->query->targets, ast->query->target_count,
                                       0, &exprs, &columns, &out->column_count);
    scope->aggregation = NULL;
    scope->windows = NULL;
    TRY(status);
    if (aggregation.count > 0 || windows.first != NULL)
        return not_updatable(bind, out->name, verb);
    out->columns = bind__take(bind, out->column_count * sizeof(*out->columns));
    if (out->columns == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < out->column_count; i++) {
        struct bind__view_column *column = &out->columns[i];

        TRY(bind__settle(bind, &exprs[i]));
        column->name = i < ast->column_name_count ? ast->column_names[i] : columns[i].name;
        column->expr = exprs[i];
        place_column(out, column);
        any = any || column->column != UINT32_MAX;
    }
    return any || strcmp(verb, "delete from") == 0 || strcmp(verb, "lock") == 0
               ? STATUS_OK
               : not_updatable(bind, out->name, verb);
}

enum status
bind__look_through(struct bind *bind, const struct ast_create_view *ast, const char *verb,
                   struct bind__view *out)
{
    struct bind__level *level = bind__take(bind, sizeof(*level));
    struct bind__scope *scope = bind__take(bind, sizeof(*scope));

    if (level == NULL || scope == NULL)
        return STATUS_NO_MEMORY;
    out->name = ast->name.name;
    out->check = ast->check;
    if (!is_simple(ast->query))
        return not_updatable(bind, out->name, verb);
    bind__scope_init(scope, level, NULL);
    TRY(open_source(bind, ast->query, out->name, verb, scope, out));
    TRY(bind_columns(bind, scope, ast, verb, out));
    scope->clause = "WHERE";
    if (ast->query->where == NULL)
        return STATUS_OK;
    TRY(bind__condition(bind, scope, ast->query->where, "WHERE", &out->condition));
    return bind__filter(bind, out->condition, &out->rel);
}

enum status
bind__open_view(struct bind *bind, const struct ast_name *name, const char *verb,
                struct bind__view *out)
{
    const struct search_path *outer = bind->path, *path = NULL;
    const struct ast_create_view *ast = NULL;

    TRY(bind__view_definition(bind, name, &path, &ast));
    CHECK(ast != NULL);
    if (bind->view_depth == VIEW_DEPTH_MAX)
        return sql_error_set(bind->error, "42P17", name->location,
                             "infinite recursion detected in view \"%s\"", name->name);
    bind->view_depth++;
    bind->path = path;
    enum status status = bind__look_through(bind, ast, verb, out);
    bind->path = outer;
    bind->view_depth--;
    out->name = name->name; /* It may have been renamed. */
    if (status == STATUS_INVALID && strcmp(bind->error->sqlstate, "55000") != 0)
        bind->error->location = name->location;
    return status;
}

enum status
bind__add_view(struct bind *bind, struct bind__scope *scope, const struct bind__view *view,
               const char *alias, const struct ast_from *from)
{
    struct rel shape = {.relation = view->base->relation, .column_count = view->column_count};
    uint32_t first = scope->name_count;

    shape.columns = bind__take(bind, view->column_count * sizeof(*shape.columns));
    if (shape.columns == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < view->column_count; i++)
        shape.columns[i] = (struct rel_column){view->columns[i].name, view->columns[i].expr->type};
    TRY(bind__add_table(bind, scope, &shape, view->column_count, alias, NULL, from));
    for (uint32_t i = 0; i < view->column_count; i++) {
        scope->tables->exprs[i] = view->columns[i].expr;
        scope->names[first + i].expr = view->columns[i].expr;
    }
    return STATUS_OK;
}

enum status
bind__place_value(struct bind *bind, const struct bind__view *view, uint32_t index,
                  const char *verb, uint32_t *out)
{
    const struct bind__view_column *column = &view->columns[index];

    *out = column->column;
    return *out != UINT32_MAX
               ? STATUS_OK
               : sql_error_set(bind->error, "0A000", -1, "cannot %s column \"%s\" of view \"%s\"",
                               verb, column->refused, column->refusing);
}

enum status
bind__find_target(struct bind *bind, const struct table *table, const struct bind__view *view,
                  const char *name, const char *verb, int32_t location, uint32_t *out)
{
    if (view == NULL)
        return bind__find_column(bind, table, name, location, out);
    for (uint32_t i = 0; i < view->column_count; i++) {
        if (strcmp(view->columns[i].name, name) == 0)
            return bind__place_value(bind, view, i, verb, out);
    }
    return sql_error_set(bind->error, "42703", location,
                         "column \"%s\" of relation \"%s\" does not exist", name, view->name);
}

enum status
bind__view_checks(struct bind *bind, const struct bind__view *view, struct bound *bound)
{
    const struct bind__view *chain[VIEW_DEPTH_MAX + 1];
    uint32_t count = 0;
    bool checks = false;

    for (const struct bind__view *each = view; each != NULL; each = each->inner)
        count++;
    bound->checks = bind__take(bind, count * sizeof(*bound->checks));
    if (bound->checks == NULL)
        return STATUS_NO_MEMORY;
    count = 0;
    for (const struct bind__view *each = view; each != NULL; each = each->inner) {
        checks = checks || each->check == AST_CHECK_CASCADED;
        if ((checks || each->check == AST_CHECK_LOCAL) && each->condition != NULL)
            chain[count++] = each;
    }
    while (count-- > 0)
        bound->checks[bound->check_count++] =
            (struct bound_check){chain[count]->name, chain[count]->condition};
    return STATUS_OK;
}
