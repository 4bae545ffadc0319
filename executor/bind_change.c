/* INSERT, UPDATE, DELETE: the table, where each column's value comes from, and the rows concerned. */
#include <string.h>

#include "executor/bind_private.h"
#include "kernel/base/check.h"

static enum status
find_column(struct bind *bind, const struct table *table, const char *name, int32_t location,
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

static enum status
refuse_returning(struct bind *bind, uint32_t count)
{
    return count == 0 ? STATUS_OK
                      : sql_error_set(bind->error, "0A000", -1, "RETURNING is not supported yet");
}

/* sources[column]: the input's column, UINT32_MAX for the default. */
static enum status
map_columns(struct bind *bind, const struct ast_insert *ast, const struct table *table,
            struct plan *insert)
{
    uint32_t given = ast->column_count > 0 ? ast->column_count : insert->input->column_count;

    for (uint32_t i = 0; i < table->column_count; i++)
        insert->sources[i] = UINT32_MAX;
    if (given > table->column_count || insert->input->column_count > given)
        return sql_error_set(bind->error, "42601", ast->table.location,
                             "INSERT has more expressions than target columns");
    if (insert->input->column_count < given)
        return sql_error_set(bind->error, "42601", ast->table.location,
                             "INSERT has more target columns than expressions");
    for (uint32_t i = 0; i < given; i++) {
        uint32_t column = i;

        if (ast->column_count > 0)
            TRY(find_column(bind, table, ast->columns[i], ast->table.location, &column));
        if (insert->sources[column] != UINT32_MAX)
            return sql_error_set(bind->error, "42701", ast->table.location,
                                 "column \"%s\" specified more than once",
                                 table->columns[column].name);
        insert->sources[column] = i;
    }
    return STATUS_OK;
}

/* A plain VALUES list takes the columns' types, so that untyped literals are read as those. */
static enum status
bind_typed_values(struct bind *bind, const struct ast_insert *ast, const struct table *table,
                  struct plan **out)
{
    const struct ast_select *source = ast->source;
    struct bind__scope nothing = {.table = NULL};
    struct plan *values = NULL;

    TRY(bind__plan(bind, PLAN_VALUES, NULL, source->row_width, &values));
    values->row_count = source->row_count;
    size_t count = (size_t)source->row_count * source->row_width;
    values->exprs = bind__take(bind, count * sizeof(struct expr *));
    if (values->exprs == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        uint32_t position = (uint32_t)(i % source->row_width);
        uint32_t column = position;
        const struct ast_expr *expr = source->rows[i];

        if (ast->column_count > position)
            TRY(find_column(bind, table, ast->columns[position], ast->table.location, &column));
        if (column >= table->column_count)
            return sql_error_set(bind->error, "42601", expr->location,
                                 "INSERT has more expressions than target columns");
        if (expr->kind == AST_DEFAULT)
            continue; /* NULL: the column's default. */
        TRY(bind__expr_as(bind, &nothing, expr, &table->columns[column].type, &values->exprs[i]));
        values->columns[position] =
            (struct plan_column){table->columns[column].name, table->columns[column].type};
    }
    *out = values;
    return STATUS_OK;
}

static enum status
bind_insert(struct bind *bind, const struct ast_insert *ast, struct plan **out)
{
    struct table *table = NULL;
    struct plan *input = NULL, *insert = NULL;
    uint32_t visible = 0;

    TRY(refuse_returning(bind, ast->returning_count));
    TRY(table_find(bind->txn, &ast->table, bind->arena, &table, bind->error));
    if (ast->source == NULL)
        TRY(bind__plan(bind, PLAN_RESULT, NULL, 0, &input));
    else if (ast->source->row_count > 0 && ast->source->order_count == 0 &&
             ast->source->limit == NULL && ast->source->offset == NULL)
        TRY(bind_typed_values(bind, ast, table, &input));
    else
        TRY(bind__select(bind, ast->source, &input, &visible));
    if (visible > 0 && visible < input->column_count)
        input->column_count = visible;
    TRY(bind__plan(bind, PLAN_INSERT, input, 0, &insert));
    insert->table = table;
    insert->sources = bind__take(bind, table->column_count * sizeof(*insert->sources));
    if (insert->sources == NULL)
        return STATUS_NO_MEMORY;
    *out = insert;
    if (ast->source == NULL) {
        for (uint32_t i = 0; i < table->column_count; i++)
            insert->sources[i] = UINT32_MAX;
        return STATUS_OK;
    }
    return map_columns(bind, ast, table, insert);
}

static enum status
bind_update(struct bind *bind, const struct ast_update *ast, struct plan **out)
{
    struct bind__scope scope = {.alias = ast->alias};
    struct table *table = NULL;
    struct plan *scan = NULL, *update = NULL;

    TRY(refuse_returning(bind, ast->returning_count));
    TRY(table_find(bind->txn, &ast->table, bind->arena, &table, bind->error));
    scope.table = table;
    TRY(bind__scan(bind, &scope, table, ast->where, &scan));
    TRY(bind__plan(bind, PLAN_UPDATE, scan, 0, &update));
    update->table = table;
    update->exprs = bind__take(bind, table->column_count * sizeof(struct expr *));
    if (update->exprs == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < ast->set_count; i++) {
        const struct ast_target *set = &ast->sets[i];
        uint32_t column = 0;

        TRY(find_column(bind, table, set->name, set->location, &column));
        if (update->exprs[column] != NULL)
            return sql_error_set(bind->error, "42601", set->location,
                                 "multiple assignments to same column \"%s\"", set->name);
        if (set->expr->kind == AST_DEFAULT)
            return sql_error_set(bind->error, "0A000", set->location,
                                 "SET column = DEFAULT is not supported yet");
        TRY(bind__expr_as(bind, &scope, set->expr, &table->columns[column].type,
                          &update->exprs[column]));
    }
    *out = update;
    return STATUS_OK;
}

static enum status
bind_delete(struct bind *bind, const struct ast_delete *ast, struct plan **out)
{
    struct bind__scope scope = {.alias = ast->alias};
    struct table *table = NULL;
    struct plan *scan = NULL;

    TRY(refuse_returning(bind, ast->returning_count));
    TRY(table_find(bind->txn, &ast->table, bind->arena, &table, bind->error));
    scope.table = table;
    TRY(bind__scan(bind, &scope, table, ast->where, &scan));
    TRY(bind__plan(bind, PLAN_DELETE, scan, 0, out));
    (*out)->table = table;
    return STATUS_OK;
}

enum status
bind_statement(struct bind *bind, const struct ast_statement *statement, struct plan **out,
               uint32_t *visible_out)
{
    uint32_t visible = 0;

    switch (statement->kind) {
    case AST_SELECT:
        TRY(bind__select(bind, statement->select, out, &visible));
        break;
    case AST_INSERT:
        TRY(bind_insert(bind, statement->insert, out));
        break;
    case AST_UPDATE:
        TRY(bind_update(bind, statement->update, out));
        break;
    default:
        CHECK(statement->kind == AST_DELETE);
        TRY(bind_delete(bind, statement->delete_from, out));
    }
    *visible_out = visible;
    return STATUS_OK;
}

enum status
bind_constant(struct bind *bind, const struct ast_expr *ast, const struct sql_type *type,
              struct value *out)
{
    struct bind__scope nothing = {.table = NULL};
    struct eval eval = {.arena = bind->arena, .error = bind->error};
    struct expr *expr = NULL;

    TRY(bind__expr_as(bind, &nothing, ast, type, &expr));
    return expr_eval(expr, NULL, &eval, out);
}
