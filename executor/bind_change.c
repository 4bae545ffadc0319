/*
 * UPDATE and DELETE: queries that give the rows concerned in a fixed shape (bind.h), the rows' new values
 * among them, RETURNING over the changed row, and what they share with INSERT (bind_insert.c).
 */
#include <string.h>

#include "executor/ast_print.h"
#include "executor/bind_private.h"
#include "executor/search_path.h"
#include "executor/table_rules.h"
#include "kernel/base/check.h"

enum status
bind__find_column(struct bind *bind, const struct table *table, const char *name, int32_t location,
                  uint32_t *out)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            *out = i;
            return STATUS_OK;
        }
    }
    return sql_error_set(bind->error, "42703", location,
                         "column \"%s\" of relation \"%s\" does not exist", name, table->name);
}

/* nextval of the column's own sequence. */
static enum status
next_number(struct bind *bind, const struct table *table, const struct table_column *column,
            struct expr **out)
{
    size_t schema_size = strlen(table->schema), size = strlen(column->sequence);
    char *name = bind__take(bind, 2 * (schema_size + size) + 8);
    struct expr *argument = NULL, *call = NULL;
    size_t used = 0;

    if (name == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t part = 0; part < 2; part++) {
        name[used++] = '"';
        for (const char *at = part == 0 ? table->schema : column->sequence; *at != '\0'; at++) {
            if (*at == '"')
                name[used++] = '"';
            name[used++] = *at;
        }
        name[used++] = '"';
        name[used++] = part == 0 ? '.' : '\0';
    }
    TRY(bind__new_expr(bind, EXPR_CONSTANT, QTDB_TYPE_TEXT, -1, 0, &argument));
    argument->constant = value_bytes(QTDB_TYPE_TEXT, name, used - 1);
    TRY(bind__call(bind, "nextval", -1, &argument, 1, &call));
    return bind__cast(bind, call, &column->type, out);
}

/* A DEFAULT that is no constant. */
static enum status
default_call(struct bind *bind, const struct table_column *column, struct expr **out)
{
    struct bind__level level = {.outer = NULL};
    struct bind__scope nothing;
    struct ast_expr *ast = NULL;

    bind__scope_init(&nothing, &level, NULL);
    nothing.clause = "DEFAULT expressions";
    TRY(ast_read(column->expr, bind->arena, &ast, bind->error));
    enum status status = bind__expr_as(bind, &nothing, ast, &column->type, out);
    if (status == STATUS_INVALID)
        bind->error->location = -1; /* Places in the stored text mean nothing in the statement. */
    return status;
}

enum status
bind__default(struct bind *bind, const struct table *table, uint32_t column, struct expr **out)
{
    const struct table_column *definition = &table->columns[column];

    if (definition->generated >= TABLE_IDENTITY_DEFAULT)
        return next_number(bind, table, definition, out);
    if (definition->generated == TABLE_PLAIN && definition->expr != NULL)
        return default_call(bind, definition, out);
    TRY(bind__new_expr(bind, EXPR_CONSTANT, definition->type.type, -1, 0, out));
    (*out)->constant = value_null(definition->type.type);
    if (definition->default_text == NULL)
        return STATUS_OK;
    return table_parse_value(definition, definition->default_text, strlen(definition->default_text),
                             bind->arena, &(*out)->constant, bind->error);
}

/* Columns whose values the table gives take none from a statement. */
enum status
bind__check_given(struct bind *bind, const struct table *table, uint32_t column,
                  enum ast_overriding overriding)
{
    const struct table_column *definition = &table->columns[column];

    if (definition->generated == TABLE_STORED ||
        (definition->generated == TABLE_IDENTITY_ALWAYS && overriding == AST_OVERRIDING_NONE))
        return sql_error_set(bind->error, "428C9", -1,
                             "cannot insert a non-DEFAULT value into column \"%s\"",
                             definition->name);
    return STATUS_OK;
}

/* A value for a column: DEFAULT, or an assignment cast. */
enum status
bind__assign(struct bind *bind, struct bind__scope *scope, const struct table *table,
             uint32_t column, const struct ast_expr *ast, struct expr **out)
{
    struct expr *expr = NULL;

    if (ast->kind == AST_DEFAULT)
        return bind__default(bind, table, column, out);
    TRY(bind__expr(bind, scope, ast, &expr));
    if (!value_assigns(expr->type.type, table->columns[column].type.type))
        return sql_error_set(
            bind->error, "42804", ast->location,
            "column \"%s\" is of type %s but expression is of type %s", table->columns[column].name,
            value_type_name(table->columns[column].type.type), value_type_name(expr->type.type));
    return bind__cast(bind, expr, &table->columns[column].type, out);
}

enum status
bind__assigned(struct bind *bind, struct bind__scope *scope, const struct table *table,
               uint32_t column, const struct ast_expr *ast, bool insert, struct expr **out)
{
    const struct table_column *target = &table->columns[column];

    if (ast->kind != AST_DEFAULT && insert)
        TRY(bind__check_given(bind, table, column, AST_OVERRIDING_NONE));
    if (ast->kind != AST_DEFAULT && !insert &&
        (target->generated == TABLE_STORED || target->generated == TABLE_IDENTITY_ALWAYS))
        return sql_error_set(bind->error, "428C9", -1,
                             "column \"%s\" can only be updated to DEFAULT", target->name);
    return bind__assign(bind, scope, table, column, ast, out);
}

/* RETURNING. */

/* Columns of other tables are carried along as further columns of the result. */
struct carry {
    struct bind *bind;
    struct bound *bound;
    struct rel *project;
    uint32_t capacity;
};

static enum status
carry_column(void *context, struct expr *expr, struct expr **out)
{
    struct carry *carry = context;
    struct rel *project = carry->project;
    uint32_t index = 0;

    if (expr->kind != EXPR_COLUMN || expr->relation == 0 ||
        expr->relation == carry->bound->target_relation)
        return STATUS_OK;
    while (index < project->column_count && !expr_same(project->exprs[index], expr))
        index++;
    if (index == project->column_count) {
        if (index == carry->capacity)
            return bind__unsupported(carry->bind, expr->location,
                                     "RETURNING of so many columns of other tables");
        project->exprs[index] = expr;
        project->columns[index] = (struct rel_column){"?carried?", expr->type};
        project->column_count++;
    }
    return bind__column(carry->bind, project, index, out);
}

enum { CARRIED_MAX = 64 };

enum status
bind__returning(struct bind *bind, struct bind__scope *scope, const struct ast_target *targets,
                uint32_t count, struct rel *project, struct bound *bound)
{
    static const struct sql_type text = {QTDB_TYPE_TEXT, -1, -1};
    struct carry carry = {bind, bound, project, 0};

    if (count == 0)
        return STATUS_OK;
    carry.capacity = project->column_count + CARRIED_MAX;
    scope->clause = "RETURNING";
    TRY(bind__targets(bind, scope, targets, count, 0, &bound->returning, &bound->returning_columns,
                      &bound->returning_count));
    for (uint32_t i = 0; i < bound->returning_count; i++) {
        struct expr **expr = &bound->returning[i];

        if ((*expr)->type.type == QTDB_TYPE_NULL)
            TRY(bind__cast(bind, *expr, &text, expr));
        TRY(expr_rewrite(bind->arena, *expr, carry_column, &carry, expr));
        bound->returning_columns[i].type = (*expr)->type;
    }
    return STATUS_OK;
}

/* A projection with room for what RETURNING carries. */
enum status
bind__new_projection(struct bind *bind, struct rel *input, uint32_t column_count, struct rel **out)
{
    TRY(bind__defining(bind, REL_PROJECT, input, column_count + CARRIED_MAX, out));
    (*out)->column_count = column_count;
    return STATUS_OK;
}

enum status
bind__finish_change(const struct rel *project, struct bound *bound)
{
    bound->rel = (struct rel *)(uintptr_t)project;
    bound->relation = project->relation;
    bound->column_count = project->column_count;
    bound->columns = project->columns;
    return STATUS_OK;
}

static enum status
open_view(struct bind *bind, const struct ast_name *name, const char *alias,
          struct bind__scope *scope, struct rel **rel, struct bound *bound)
{
    static const char *const verbs[] = {
        [AST_INSERT] = "insert into", [AST_UPDATE] = "update", [AST_DELETE] = "delete from"};
    struct bind__view *view = bind__take(bind, sizeof(*view));

    if (view == NULL)
        return STATUS_NO_MEMORY;
    TRY(bind__open_view(bind, name, verbs[bound->kind], view));
    TRY(rules_bind(bind, view->table, bound->rules));
    *rel = view->base;
    bound->view = view;
    bound->table = view->table;
    bound->target_relation = view->base->relation;
    if (bound->kind != AST_DELETE)
        TRY(bind__view_checks(bind, view, bound));
    return bind__add_view(bind, scope, view, alias != NULL ? alias : name->name, NULL);
}

/* The changed table as a scope of its own. */
enum status
bind__open_target(struct bind *bind, const struct ast_name *name, const char *alias,
                  const struct ast_select *with, struct bind__cte *ctes, struct bind__scope *scope,
                  struct rel **rel, struct bound *bound)
{
    struct bind__level *level = bind__take(bind, sizeof(*level));
    struct table *table = NULL;
    struct ast_name found;

    bound->rules = bind__take(bind, sizeof(*bound->rules));
    if (level == NULL || bound->rules == NULL)
        return STATUS_NO_MEMORY;
    bind__scope_init(scope, level, ctes);
    if (with != NULL)
        TRY(bind__with(bind, level, with, &scope->ctes));
    TRY(search_path_find(bind->txn, bind->path, name, "tw", &found, bind->error));
    enum status status =
        catalog_has(bind->txn, CATALOG_VIEW, found.schema != NULL ? found.schema : "public",
                    found.name, bind->error);
    if (status != STATUS_NOT_FOUND)
        return status == STATUS_OK ? open_view(bind, &found, alias, scope, rel, bound) : status;
    TRY(table_find(bind->txn, &found, bind->arena, &table, bind->error));
    TRY(rules_bind(bind, table, bound->rules));
    TRY(bind__table_rel(bind, table, rel));
    bound->table = table;
    bound->target_relation = (*rel)->relation;
    return bind__add_table(bind, scope, *rel, table->column_count,
                           alias != NULL ? alias : name->name, alias != NULL ? NULL : table->schema,
                           NULL);
}

enum status
bind__sets(struct bind *bind, struct bind__scope *scope, const struct table *table,
           const struct bind__view *view, const struct ast_target *sets, uint32_t count,
           struct expr **exprs)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t column = 0;

        TRY(bind__find_target(bind, table, view, sets[i].name, "update", sets[i].location,
                              &column));
        if (exprs[column] != NULL)
            return sql_error_set(bind->error, "42601", sets[i].location,
                                 "multiple assignments to same column \"%s\"", sets[i].name);
        TRY(bind__assigned(bind, scope, table, column, sets[i].expr, false, &exprs[column]));
    }
    return STATUS_OK;
}

/* UPDATE and DELETE. */

/* Row key, old row. */
static enum status
project_old(struct bind *bind, const struct rel *target, struct rel *input, uint32_t width,
            struct rel **out)
{
    uint32_t count = target->table->column_count;

    TRY(bind__new_projection(bind, input, width, out));
    for (uint32_t i = 0; i <= count; i++) {
        uint32_t place = i == count ? 0 : i + 1;

        TRY(bind__column(bind, target, i, &(*out)->exprs[place]));
        (*out)->columns[place] = target->columns[i];
    }
    return STATUS_OK;
}

static enum status
bind_update(struct bind *bind, const struct ast_update *ast, struct bind__cte *ctes,
            struct bound *bound)
{
    struct bind__scope *scope = bind__take(bind, sizeof(*scope));
    struct expr *where = NULL;
    struct rel *target = NULL, *rel = NULL, *project = NULL;

    if (scope == NULL)
        return STATUS_NO_MEMORY;
    TRY(bind__open_target(bind, &ast->table, ast->alias, ast->with, ctes, scope, &target, bound));
    rel = bound->view != NULL ? bound->view->rel : target;
    TRY(bind__from(bind, scope, ast->from, ast->from_count, &rel));
    scope->clause = "UPDATE";
    if (ast->where != NULL) {
        TRY(bind__condition(bind, scope, ast->where, "WHERE", &where));
        TRY(bind__filter(bind, where, &rel));
    }
    uint32_t count = bound->table->column_count;
    TRY(project_old(bind, target, rel, 1 + 2 * count, &project));
    TRY(bind__sets(bind, scope, bound->table, bound->view, ast->sets, ast->set_count,
                   project->exprs + 1 + count));
    for (uint32_t i = 0; i < count; i++) {
        if (project->exprs[1 + count + i] == NULL)
            project->exprs[1 + count + i] = project->exprs[1 + i];
        project->columns[1 + count + i] =
            (struct rel_column){bound->table->columns[i].name, bound->table->columns[i].type};
    }
    TRY(bind__returning(bind, scope, ast->returning, ast->returning_count, project, bound));
    return bind__finish_change(project, bound);
}

static enum status
bind_delete(struct bind *bind, const struct ast_delete *ast, struct bind__cte *ctes,
            struct bound *bound)
{
    struct bind__scope *scope = bind__take(bind, sizeof(*scope));
    struct expr *where = NULL;
    struct rel *target = NULL, *rel = NULL, *project = NULL;

    if (scope == NULL)
        return STATUS_NO_MEMORY;
    TRY(bind__open_target(bind, &ast->table, ast->alias, ast->with, ctes, scope, &target, bound));
    rel = bound->view != NULL ? bound->view->rel : target;
    TRY(bind__from(bind, scope, ast->from, ast->from_count, &rel));
    scope->clause = "DELETE";
    if (ast->where != NULL) {
        TRY(bind__condition(bind, scope, ast->where, "WHERE", &where));
        TRY(bind__filter(bind, where, &rel));
    }
    TRY(project_old(bind, target, rel, 1 + bound->table->column_count, &project));
    TRY(bind__returning(bind, scope, ast->returning, ast->returning_count, project, bound));
    return bind__finish_change(project, bound);
}

/* SELECT. */

static enum status
bind_query(struct bind *bind, const struct ast_select *ast, struct bound *bound)
{
    struct bind__level *level = bind__take(bind, sizeof(*level));
    struct bind__query query;

    if (level == NULL)
        return STATUS_NO_MEMORY;
    TRY(bind__select(bind, level, NULL, ast, &query));
    bound->rel = query.rel;
    bound->relation = query.relation;
    bound->column_count = query.column_count;
    bound->columns = query.columns;
    return STATUS_OK;
}

enum status
bind__change(struct bind *bind, const struct ast_statement *statement, struct bind__cte *ctes,
             struct bound *bound)
{
    bound->kind = statement->kind;
    if (statement->kind == AST_INSERT)
        return bind__insert(bind, statement->insert, ctes, bound);
    if (statement->kind == AST_UPDATE)
        return bind_update(bind, statement->update, ctes, bound);
    CHECK(statement->kind == AST_DELETE);
    return bind_delete(bind, statement->delete_from, ctes, bound);
}

enum status
bind_statement(struct bind *bind, const struct ast_statement *statement, struct bound **out)
{
    struct bound *bound = bind__take(bind, sizeof(*bound));

    if (bound == NULL)
        return STATUS_NO_MEMORY;
    bound->kind = statement->kind;
    if (statement->kind == AST_SELECT)
        TRY(bind_query(bind, statement->select, bound));
    else if (statement->kind == AST_MERGE)
        TRY(bind__merge(bind, statement->merge, bound));
    else
        TRY(bind__change(bind, statement, NULL, bound));
    bound->slot_count = bind->slot_count;
    bound->work_count = bind->work_count;
    bound->shared_count = bind->shared_count;
    bound->part_count = bind->part_count;
    bound->parts = bind->parts;
    *out = bound;
    return STATUS_OK;
}
