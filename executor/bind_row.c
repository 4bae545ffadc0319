/*
 * Rows as arguments of the functions that take JSON apart or build it: row_to_json(t), json_agg(t),
 * to_jsonb(ROW(a, b)) and so on, where t is a table, view or query of FROM. There is no type of rows: such an
 * argument is bound as the JSON object of its columns, which is all that these functions make of it. count(t)
 * counts rows.
 *
 * The row of the empty side of an outer join is null. It is told by all columns being null, so that a row of
 * nulls alone, on that side, counts as none.
 */
#include <string.h>

#include "executor/bind_private.h"
#include "executor/function.h"
#include "executor/sql_text.h"
#include "kernel/base/check.h"

static bool
takes_rows(const char *name)
{
    static const char *const names[] = {
        "row_to_json",        "to_json",          "to_jsonb",          "json_agg",
        "jsonb_agg",          "json_build_array", "jsonb_build_array", "json_build_object",
        "jsonb_build_object", "json_object_agg",  "jsonb_object_agg",  "count",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

/* The table of this name; NULL: there is none, or a column has it. */
static const struct bind__table *
find_row(const struct bind__scope *scope, const char *name)
{
    for (; scope != NULL; scope = scope->level->outer) {
        for (uint32_t i = 0; i < scope->name_count; i++) {
            if (strcmp(scope->names[i].name, name) == 0)
                return NULL;
        }
        for (const struct bind__table *table = scope->tables; table != NULL; table = table->next) {
            if (strcmp(table->alias, name) == 0)
                return table;
        }
    }
    return NULL;
}

static enum status
add_key(struct bind *bind, const struct ast_expr *ast, const char *name, struct expr **out)
{
    TRY(bind__new_expr(bind, EXPR_CONSTANT, QTDB_TYPE_TEXT, ast->location, 0, out));
    (*out)->constant = value_bytes(QTDB_TYPE_TEXT, name, strlen(name));
    return STATUS_OK;
}

static enum status
new_row(struct bind *bind, const struct ast_expr *ast, uint32_t count, struct expr **out)
{
    TRY(bind__new_expr(bind, EXPR_FUNCTION, QTDB_TYPE_JSON, ast->location, 2 * count, out));
    (*out)->function = &function_json_row;
    return STATUS_OK;
}

static enum status
bind_table_row(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
               const struct bind__table *table, struct expr **out)
{
    TRY(new_row(bind, ast, table->column_count, out));
    (*out)->negated = table->nullable;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const char *names[] = {table->alias, table->names[i]};
        struct ast_expr column = {
            .kind = AST_COLUMN, .location = ast->location, .name_count = 2, .names = names};

        TRY(add_key(bind, ast, table->names[i], &(*out)->arguments[2 * i]));
        TRY(bind__name(bind, scope, &column, &(*out)->arguments[2 * i + 1]));
    }
    return STATUS_OK;
}

static enum status
bind_written_row(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
                 struct expr **out)
{
    TRY(new_row(bind, ast, ast->argument_count, out));
    for (uint32_t i = 0; i < ast->argument_count; i++) {
        struct sql_text name;

        sql_text_init(&name, bind->arena);
        sql_text_print(&name, "f%u", i + 1);
        TRY(name.status);
        TRY(add_key(bind, ast, name.bytes, &(*out)->arguments[2 * i]));
        TRY(bind__expr(bind, scope, ast->arguments[i], &(*out)->arguments[2 * i + 1]));
        TRY(bind__settle(bind, &(*out)->arguments[2 * i + 1]));
    }
    return STATUS_OK;
}

bool
bind__is_row(const struct expr *expr)
{
    return expr->kind == EXPR_FUNCTION && expr->function == &function_json_row;
}

enum status
bind__argument(struct bind *bind, struct bind__scope *scope, const struct ast_expr *call,
               uint32_t index, struct expr **out)
{
    const struct ast_expr *ast = call->arguments[index];
    const struct bind__table *table = NULL;

    if (!takes_rows(call->names[call->name_count - 1]))
        return bind__expr(bind, scope, ast, out);
    if (ast->kind == AST_ROW)
        return bind_written_row(bind, scope, ast, out);
    if (ast->kind == AST_COLUMN && ast->name_count == 1)
        table = find_row(scope, ast->names[0]);
    return table != NULL ? bind_table_row(bind, scope, ast, table, out)
                         : bind__expr(bind, scope, ast, out);
}
