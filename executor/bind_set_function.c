/*
 * Functions that give rows. Integer series are made one by one; every other one is a function that gives
 * an array, whose elements are the rows, column after column (rel.h: REL_SERIES): exprs[0] is the call,
 * the others are nulls of the columns' types. Several functions side by side (ROWS FROM, unnest of several arrays,
 * several among the targets) and WITH ORDINALITY all go by arrays. Among the targets of a SELECT such functions become a
 * LATERAL item behind its FROM.
 */
#include <string.h>

#include "executor/bind_private.h"
#include "executor/function.h"
#include "executor/sql_text.h"
#include "kernel/base/check.h"

enum { LIFTED_MAX = 64 };

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

/* Several functions side by side. */

/* A function that gives one value gives one row of it. */
static enum status
bind_one_value(struct bind *bind, struct bind__scope *scope, const struct ast_expr *call,
               struct expr **out)
{
    struct expr *value = NULL;

    TRY(bind__expr(bind, scope, call, &value));
    TRY(bind__settle(bind, &value));
    CHECK(value != NULL);
    if (value_is_array(value->type.type))
        return bind__unsupported(bind, call->location, "a function that gives an array in FROM");
    TRY(bind__new_expr(bind, EXPR_FUNCTION, value_array_of(value->type.type), call->location, 1,
                       out));
    (*out)->function = &function_array_constructor;
    (*out)->arguments[0] = value;
    return STATUS_OK;
}

/* The array of a set-returning function's rows. generate_series of integers counts in numerics. */
static enum status
bind_rows_of(struct bind *bind, struct bind__scope *scope, const struct set_function *function,
             const struct ast_expr *call, struct expr **out)
{
    struct expr **arguments = bind__take(bind, call->argument_count * sizeof(*arguments));
    struct rel columns = {.columns = NULL};
    struct sql_type type = {QTDB_TYPE_NULL, -1, -1};

    columns.columns = bind__take(bind, 2 * sizeof(*columns.columns));
    if (arguments == NULL || columns.columns == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < call->argument_count; i++)
        TRY(bind__expr(bind, scope, call->arguments[i], &arguments[i]));
    bool integers = function == &set_functions[0] && are_integers(arguments, call->argument_count);
    if (integers)
        TRY(bind__unify(bind, call->location, arguments, call->argument_count, "generate_series",
                        &type));
    TRY(bind_array(bind, function, call, arguments, &columns));
    CHECK(columns.exprs != NULL);
    *out = columns.exprs[0];
    type.type = value_array_of(type.type);
    return integers ? bind__cast(bind, *out, &type, out) : STATUS_OK;
}

static enum status
add_part(struct bind *bind, struct bind__scope *scope, const struct ast_expr *call, struct rel *rel)
{
    const struct set_function *function = find_set_function(call);
    uint32_t width = function != NULL ? function->column_count : 1;
    struct rel_part *part = &rel->parts[rel->part_count++];
    struct expr *rows = NULL;

    TRY(function != NULL ? bind_rows_of(bind, scope, function, call, &rows)
                         : bind_one_value(bind, scope, call, &rows));
    CHECK(rows != NULL);
    *part = (struct rel_part){rel->row_count, width};
    rel->exprs[rel->row_count++] = rows;
    for (uint32_t i = 0; i < width; i++) {
        enum qtdb_type type = function != NULL ? function->types[i] : QTDB_TYPE_NULL;
        struct expr **null = &rel->exprs[rel->row_count++];

        if (type == QTDB_TYPE_NULL)
            type = value_element(rows->type.type);
        TRY(bind__new_expr(bind, EXPR_CONSTANT, type, call->location, 0, null));
        (*null)->constant = value_null(type);
        rel->columns[rel->column_count++] = (struct rel_column){
            function != NULL && function->columns[i] != NULL ? function->columns[i]
                                                             : call->names[call->name_count - 1],
            {type, -1, -1}};
    }
    return STATUS_OK;
}

static enum status
bind_parts(struct bind *bind, struct bind__scope *scope, const struct ast_from *from,
           struct rel **out)
{
    uint32_t count = from->function_count;
    struct rel *rel = NULL;

    TRY(bind__defining(bind, REL_SERIES, NULL, 2 * count + 1, &rel));
    rel->exprs = bind__take(bind, 3 * (size_t)count * sizeof(struct expr *));
    rel->parts = bind__take(bind, count * sizeof(*rel->parts));
    if (rel->exprs == NULL || rel->parts == NULL)
        return STATUS_NO_MEMORY;
    rel->column_count = 0;
    for (uint32_t i = 0; i < count; i++)
        TRY(add_part(bind, scope, from->functions[i], rel));
    /* The alias of one function that gives one column names it. */
    if (count == 1 && rel->column_count == 1 && from->alias != NULL)
        rel->columns[0].name = from->alias;
    rel->ordinality = from->ordinality;
    if (rel->ordinality)
        rel->columns[rel->column_count++] =
            (struct rel_column){"ordinality", {QTDB_TYPE_INT8, -1, -1}};
    *out = rel;
    return STATUS_OK;
}

enum status
bind__set_function(struct bind *bind, struct bind__scope *scope, const struct ast_from *from,
                   struct rel **out)
{
    struct ast_expr *alone = from->function;
    struct ast_from one = *from;

    const struct ast_expr *call = from->function;
    const struct set_function *function = find_set_function(call);
    struct rel *rel = NULL;

    one.functions = &alone;
    one.function_count = 1;
    if (from->function_count > 0 || function == NULL)
        return bind_parts(bind, scope, from->function_count > 0 ? from : &one, out);
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

/* The item that takes the functions, each with a column of its own. */
static enum status
add_lifted(struct bind *bind, struct ast_expr *ast, struct ast_from **from_out, const char **name)
{
    struct ast_from *from = *from_out;

    if (find_set_function(ast)->column_count != 1)
        return bind__unsupported(bind, ast->location, "a function of several columns in SELECT");
    if (from == NULL) {
        from = bind__take(bind, sizeof(*from));
        if (from == NULL)
            return STATUS_NO_MEMORY;
        *from = (struct ast_from){
            .kind = AST_FROM_FUNCTION, .alias = "?set?", .lateral = true, .function = ast};
        from->functions = bind__take(bind, LIFTED_MAX * sizeof(*from->functions));
        from->column_names = bind__take(bind, LIFTED_MAX * sizeof(*from->column_names));
        if (from->functions == NULL || from->column_names == NULL)
            return STATUS_NO_MEMORY;
        *from_out = from;
    }
    if (from->column_name_count == LIFTED_MAX)
        return sql_error_set(bind->error, "54011", ast->location,
                             "a SELECT may have at most %d set-returning functions", LIFTED_MAX);
    struct sql_text text;
    sql_text_init(&text, bind->arena);
    sql_text_print(&text, "?set%u?", from->column_name_count);
    TRY(text.status);
    *name = text.bytes;
    from->column_names[from->column_name_count] = text.bytes;
    from->functions[from->column_name_count++] = ast;
    from->function_count = from->column_name_count > 1 ? from->column_name_count : 0;
    return STATUS_OK;
}

static enum status
lift(struct bind *bind, struct ast_expr *ast, struct ast_from **from_out, struct ast_expr **out)
{
    struct ast_expr *copy = bind__take(bind, sizeof(*copy));

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    *out = ast;
    if (find_set_function(ast) != NULL) {
        const char **names = bind__take(bind, 2 * sizeof(*names));

        if (names == NULL)
            return STATUS_NO_MEMORY;
        names[0] = "?set?";
        TRY(add_lifted(bind, ast, from_out, &names[1]));
        *copy = (struct ast_expr){.kind = AST_COLUMN, .location = ast->location, .names = names};
        copy->name_count = 2;
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
