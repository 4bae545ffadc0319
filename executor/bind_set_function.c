/*
 * Functions that give rows. Integer series are made one by one; every other one is a function that gives
 * an array, whose elements are the rows, column after column (rel.h: REL_SERIES): exprs[0] is the call,
 * the others are nulls of the columns' types. Among the targets of a SELECT such a function becomes a
 * LATERAL item behind its FROM.
 */
#include <string.h>

#include "executor/bind_private.h"
#include "executor/function.h"
#include "kernel/base/check.h"

static const struct set_function {
    const char *name;
    const char *call;        /* The function that gives the array. */
    enum qtdb_type types[2]; /* Of columns; QTDB_TYPE_NULL: the array's elements'. */
    const char *columns[2];  /* NULL: as the function or its alias. */
    uint32_t column_count;
} set_functions[] = {
    {"generate_series", "set generate_series", {QTDB_TYPE_NULL}, {NULL}, 1},
    {"unnest", "set unnest", {QTDB_TYPE_NULL}, {NULL}, 1},
    {"generate_subscripts", "set generate_subscripts", {QTDB_TYPE_NULL}, {NULL}, 1},
    {"regexp_split_to_table", "regexp_split_to_array", {QTDB_TYPE_NULL}, {NULL}, 1},
    {"string_to_table", "string_to_array", {QTDB_TYPE_NULL}, {NULL}, 1},
    {"regexp_matches", "set regexp_matches", {QTDB_TYPE_TEXT | VALUE_ARRAY}, {NULL}, 1},
    {"jsonb_array_elements", "set jsonb_array_elements", {QTDB_TYPE_NULL}, {"value"}, 1},
    {"json_array_elements", "set json_array_elements", {QTDB_TYPE_NULL}, {"value"}, 1},
    {"jsonb_array_elements_text", "set jsonb_array_elements_text", {QTDB_TYPE_NULL}, {"value"}, 1},
    {"json_array_elements_text", "set json_array_elements_text", {QTDB_TYPE_NULL}, {"value"}, 1},
    {"jsonb_object_keys", "set jsonb_object_keys", {QTDB_TYPE_NULL}, {NULL}, 1},
    {"json_object_keys", "set json_object_keys", {QTDB_TYPE_NULL}, {NULL}, 1},
    {"jsonb_each", "set jsonb_each", {QTDB_TYPE_TEXT, QTDB_TYPE_JSONB}, {"key", "value"}, 2},
    {"json_each", "set json_each", {QTDB_TYPE_TEXT, QTDB_TYPE_JSON}, {"key", "value"}, 2},
    {"jsonb_each_text",
     "set jsonb_each_text",
     {QTDB_TYPE_TEXT, QTDB_TYPE_TEXT},
     {"key", "value"},
     2},
    {"json_each_text", "set json_each_text", {QTDB_TYPE_TEXT, QTDB_TYPE_TEXT}, {"key", "value"}, 2},
};

static const struct set_function *
find_set_function(const struct ast_expr *ast)
{
    if (ast->kind != AST_FUNCTION)
        return NULL;
    for (size_t i = 0; i < sizeof(set_functions) / sizeof(set_functions[0]); i++) {
        if (strcmp(set_functions[i].name, ast->names[ast->name_count - 1]) == 0)
            return &set_functions[i];
    }
    return NULL;
}

/* FROM. */

/* generate_series of integers. */
static enum status
bind_integers(struct bind *bind, const struct ast_expr *call, struct rel *rel,
              struct sql_type *type_out)
{
    rel->row_count = call->argument_count;
    return bind__unify(bind, call->location, rel->exprs, call->argument_count, "generate_series",
                       type_out);
}

static bool
are_integers(struct expr **arguments, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int rank = bind__number_rank(arguments[i]->type.type);

        if ((rank == 0 || rank > 3) && !bind__is_unknown(arguments[i]))
            return false;
    }
    return count == 2 || count == 3;
}

static enum status
bind_array(struct bind *bind, const struct set_function *function, const struct ast_expr *call,
           struct expr **arguments, struct rel *rel)
{
    struct expr **exprs = bind__take(bind, (1 + function->column_count) * sizeof(*exprs));

    if (exprs == NULL)
        return STATUS_NO_MEMORY;
    enum status status = bind__call(bind, function->call, call->location, arguments,
                                    call->argument_count, &exprs[0]);
    if (status == STATUS_INVALID && strncmp(function->call, "set ", 4) == 0 &&
        strncmp(bind->error->message, "function set ", 13) == 0)
        memmove(bind->error->message + 9, bind->error->message + 13,
                strlen(bind->error->message + 13) + 1);
    TRY(status);
    for (uint32_t i = 0; i < function->column_count; i++) {
        enum qtdb_type type = function->types[i];

        if (type == QTDB_TYPE_NULL)
            type = value_element(exprs[0]->type.type);
        TRY(bind__new_expr(bind, EXPR_CONSTANT, type, call->location, 0, &exprs[1 + i]));
        exprs[1 + i]->constant = value_null(type);
        rel->columns[i].type = (struct sql_type){type, -1, -1};
    }
    rel->exprs = exprs;
    rel->row_count = 1 + function->column_count;
    return STATUS_OK;
}

enum status
bind__set_function(struct bind *bind, struct bind__scope *scope, const struct ast_from *from,
                   struct rel **out)
{
    const struct ast_expr *call = from->function;
    const struct set_function *function = find_set_function(call);
    struct rel *rel = NULL;

    if (function == NULL)
        return bind__unsupported(bind, call->location, "this function in FROM");
    TRY(bind__defining(bind, REL_SERIES, NULL, function->column_count, &rel));
    rel->exprs = bind__take(bind, (call->argument_count + 3) * sizeof(struct expr *));
    if (rel->exprs == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < call->argument_count; i++)
        TRY(bind__expr(bind, scope, call->arguments[i], &rel->exprs[i]));
    for (uint32_t i = 0; i < function->column_count; i++)
        rel->columns[i].name = function->columns[i] != NULL ? function->columns[i]
                               : from->alias != NULL        ? from->alias
                                                            : function->name;
    if (function == &set_functions[0] && are_integers(rel->exprs, call->argument_count))
        TRY(bind_integers(bind, call, rel, &rel->columns[0].type));
    else
        TRY(bind_array(bind, function, call, rel->exprs, rel));
    *out = rel;
    return STATUS_OK;
}

/* Targets. */

static enum status
lift(struct bind *bind, struct ast_expr *ast, struct ast_from **from_out, struct ast_expr **out)
{
    static const char *const alias = "?set?";
    struct ast_expr *copy = bind__take(bind, sizeof(*copy));

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    *out = ast;
    if (find_set_function(ast) != NULL) {
        struct ast_from *from = bind__take(bind, sizeof(*from));
        const char **names = bind__take(bind, 2 * sizeof(*names));

        if (from == NULL || names == NULL)
            return STATUS_NO_MEMORY;
        if (*from_out != NULL)
            return bind__unsupported(bind, ast->location,
                                     "a second set-returning function in SELECT");
        if (find_set_function(ast)->column_count != 1)
            return bind__unsupported(bind, ast->location,
                                     "a function of several columns in SELECT");
        *from = (struct ast_from){
            .kind = AST_FROM_FUNCTION, .alias = alias, .lateral = true, .function = ast};
        from->column_names = names + 1;
        from->column_name_count = 1;
        names[0] = names[1] = alias;
        *copy = (struct ast_expr){.kind = AST_COLUMN, .location = ast->location, .names = names};
        copy->name_count = 2;
        *from_out = from;
        *out = copy;
        return STATUS_OK;
    }
    if (ast->kind == AST_SUBQUERY || ast->argument_count == 0)
        return STATUS_OK;
    *copy = *ast;
    copy->arguments = bind__take(bind, ast->argument_count * sizeof(*copy->arguments));
    if (copy->arguments == NULL)
        return STATUS_NO_MEMORY;
    bool changed = false;
    for (uint32_t i = 0; i < ast->argument_count; i++) {
        TRY(lift(bind, ast->arguments[i], from_out, &copy->arguments[i]));
        changed = changed || copy->arguments[i] != ast->arguments[i];
    }
    *out = changed ? copy : ast;
    return STATUS_OK;
}

enum status
bind__lift_sets(struct bind *bind, const struct ast_select *ast, const struct ast_select **out)
{
    struct ast_target *targets = bind__take(bind, ast->target_count * sizeof(*targets));
    struct ast_from *from = NULL;

    *out = ast;
    if (targets == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < ast->target_count; i++) {
        targets[i] = ast->targets[i];
        TRY(lift(bind, ast->targets[i].expr, &from, &targets[i].expr));
        if (targets[i].name == NULL && targets[i].expr != ast->targets[i].expr &&
            ast->targets[i].expr->kind == AST_FUNCTION)
            targets[i].name = ast->targets[i].expr->names[ast->targets[i].expr->name_count - 1];
    }
    if (from == NULL)
        return STATUS_OK;
    struct ast_select *copy = bind__take(bind, sizeof(*copy));
    struct ast_from **items = bind__take(bind, (ast->from_count + 1) * sizeof(*items));
    if (copy == NULL || items == NULL)
        return STATUS_NO_MEMORY;
    *copy = *ast;
    if (ast->from_count > 0)
        memcpy(items, ast->from, ast->from_count * sizeof(*items));
    items[ast->from_count] = from;
    copy->from = items;
    copy->from_count++;
    copy->targets = targets;
    *out = copy;
    return STATUS_OK;
}
