/* Expressions: one function a kind of syntax. */
#include <string.h>

#include "executor/bind_private.h"
#include "executor/function.h"
#include "kernel/base/check.h"

static const struct sql_type type_bool = {QTDB_TYPE_BOOL, -1, -1};

/* Leaves. */

static enum status
bind_literal(struct bind *bind, const struct ast_expr *ast, struct expr **out)
{
    static const struct sql_type numeric = {QTDB_TYPE_NUMERIC, -1, -1};
    struct expr *expr = NULL;

    TRY(bind__new_expr(bind, EXPR_CONSTANT, QTDB_TYPE_NULL, ast->location, 0, &expr));
    expr->constant = value_null(QTDB_TYPE_NULL);
    if (ast->kind == AST_INTEGER) {
        bool small = ast->integer >= INT32_MIN && ast->integer <= INT32_MAX;

        expr->type.type = small ? QTDB_TYPE_INT4 : QTDB_TYPE_INT8;
        expr->constant = value_integer(expr->type.type, ast->integer);
    } else if (ast->kind == AST_BOOLEAN) {
        expr->type.type = QTDB_TYPE_BOOL;
        expr->constant = value_integer(QTDB_TYPE_BOOL, ast->integer);
    } else if (ast->kind == AST_DECIMAL) {
        expr->type.type = QTDB_TYPE_NUMERIC;
        TRY(value_parse(&numeric, ast->text, strlen(ast->text), bind->arena, &expr->constant,
                        bind->error));
    } else if (ast->kind == AST_STRING) {
        expr->constant = value_bytes(QTDB_TYPE_NULL, ast->text, strlen(ast->text));
    }
    *out = expr;
    return STATUS_OK;
}

static enum status
bind_parameter(struct bind *bind, const struct ast_expr *ast, struct expr **out)
{
    struct expr *expr = NULL;

    if (ast->integer < 1 || ast->integer > 65535)
        return sql_error_set(bind->error, "42P02", ast->location, "there is no parameter $%lld",
                             (long long)ast->integer);
    TRY(bind__new_expr(bind, EXPR_PARAMETER, QTDB_TYPE_NULL, ast->location, 0, &expr));
    expr->index = (uint32_t)ast->integer - 1;
    if (expr->index < bind->parameter_count)
        expr->type.type = bind->parameters[expr->index].type;
    *out = expr;
    return STATUS_OK;
}

static enum status
bind_list(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
          struct expr ***out)
{
    struct expr **exprs = bind__take(bind, ast->argument_count * sizeof(struct expr *));

    if (exprs == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < ast->argument_count; i++)
        TRY(bind__expr(bind, scope, ast->arguments[i], &exprs[i]));
    *out = exprs;
    return STATUS_OK;
}

/* Operators. */

static enum status
bind_rows(struct bind *bind, struct bind__scope *scope, const char *symbol, int32_t location,
          const struct ast_expr *left, const struct ast_expr *right, struct expr **out)
{
    struct expr **left_exprs = NULL, **right_exprs = NULL;

    if (left->kind != AST_ROW || right->kind != AST_ROW)
        return bind__unsupported(bind, location, "comparison of a row with what is not a row");
    if (left->argument_count != right->argument_count)
        return sql_error_set(bind->error, "42601", location,
                             "unequal number of entries in row expressions");
    TRY(bind_list(bind, scope, left, &left_exprs));
    TRY(bind_list(bind, scope, right, &right_exprs));
    return bind__compare_rows(bind, symbol, location, left_exprs, right_exprs, left->argument_count,
                              out);
}

static enum status
bind_operator(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
              struct expr **out)
{
    struct expr *left = NULL, *right = NULL;

    if (ast->arguments[0]->kind == AST_ROW)
        return bind_rows(bind, scope, ast->text, ast->location, ast->arguments[0],
                         ast->arguments[ast->argument_count - 1], out);
    TRY(bind__expr(bind, scope, ast->arguments[0], &left));
    if (ast->argument_count == 1)
        return bind__prefix(bind, ast->text, ast->location, left, out);
    TRY(bind__expr(bind, scope, ast->arguments[1], &right));
    return bind__operator(bind, ast->text, ast->location, left, right, out);
}

static enum status
bind_logic(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
           enum expr_kind kind, struct expr **out)
{
    const char *clause = kind == EXPR_AND ? "AND" : kind == EXPR_OR ? "OR" : "NOT";
    struct expr *expr = NULL;

    TRY(bind__new_expr(bind, kind, QTDB_TYPE_BOOL, ast->location, ast->argument_count, &expr));
    for (uint32_t i = 0; i < ast->argument_count; i++)
        TRY(bind__condition(bind, scope, ast->arguments[i], clause, &expr->arguments[i]));
    *out = expr;
    return STATUS_OK;
}

/* IN with rows: OR of comparisons. */
static enum status
bind_row_in(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
            struct expr **out)
{
    struct expr *any = NULL;

    for (uint32_t i = 1; i < ast->argument_count; i++) {
        struct expr *next = NULL;

        TRY(bind_rows(bind, scope, "=", ast->location, ast->arguments[0], ast->arguments[i],
                      &next));
        if (any != NULL)
            TRY(bind__logic(bind, EXPR_OR, ast->location, any, next, &next));
        any = next;
    }
    *out = any;
    return ast->negated ? bind__not(bind, any, out) : STATUS_OK;
}

static enum status
bind_in(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct sql_type type;
    struct expr *expr = NULL;

    if (ast->arguments[0]->kind == AST_ROW)
        return bind_row_in(bind, scope, ast, out);
    TRY(bind__new_expr(bind, EXPR_IN, QTDB_TYPE_BOOL, ast->location, 0, &expr));
    expr->negated = ast->negated;
    expr->argument_count = ast->argument_count;
    TRY(bind_list(bind, scope, ast, &expr->arguments));
    *out = expr;
    return bind__unify(bind, ast->location, expr->arguments, expr->argument_count, "IN", &type);
}

/* x op ANY (array): compared with each element. */
static enum status
bind_quantified_value(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
                      struct expr *left, struct expr **out)
{
    struct expr *array = NULL, *expr = NULL, *sample = NULL;
    struct sql_type type;

    TRY(bind__expr(bind, scope, ast->arguments[1], &array));
    CHECK(left != NULL && array != NULL);
    if (bind__is_unknown(array)) {
        enum qtdb_type element = bind__is_unknown(left) ? QTDB_TYPE_TEXT : left->type.type;

        type = (struct sql_type){value_array_of(element), -1, -1};
        TRY(bind__cast(bind, array, &type, &array));
    }
    if (!value_is_array(array->type.type))
        return sql_error_set(bind->error, "42809", ast->location,
                             "op ANY/ALL (array) requires array on right side");
    TRY(bind__new_expr(bind, EXPR_COLUMN, value_element(array->type.type), ast->location, 0,
                       &sample));
    TRY(bind__operator(bind, ast->text, ast->location, left, sample, &expr));
    if (expr->kind != EXPR_COMPARE && expr->kind != EXPR_LIKE)
        return bind__unsupported(bind, ast->location, "this operator with ANY or ALL");
    type = (struct sql_type){value_array_of(expr->arguments[0]->type.type), -1, -1};
    if (expr->kind == EXPR_LIKE) {
        expr->operator_kind = expr->negated ? EXPR_NOT_EQUAL : EXPR_EQUAL;
        expr->function = ast->negated ? &function_array_like_all : &function_array_like_any;
    } else {
        expr->function = ast->negated ? &function_array_all : &function_array_any;
    }
    expr->kind = EXPR_FUNCTION;
    expr->negated = false;
    *out = expr;
    return bind__cast(bind, array, &type, &expr->arguments[1]);
}

/* x op ANY (ARRAY[...]): OR of comparisons; ALL: AND. */
static enum status
bind_quantified(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
                struct expr **out)
{
    enum expr_kind kind = ast->negated ? EXPR_AND : EXPR_OR;
    const struct ast_expr *array = ast->arguments[1];
    struct expr *left = NULL, *all = NULL;

    TRY(bind__expr(bind, scope, ast->arguments[0], &left));
    if (array->kind != AST_ARRAY || array->argument_count == 0 ||
        array->arguments[0]->kind == AST_ARRAY)
        return bind_quantified_value(bind, scope, ast, left, out);
    for (uint32_t i = 0; i < array->argument_count; i++) {
        struct expr *right = NULL, *next = NULL;

        TRY(bind__expr(bind, scope, array->arguments[i], &right));
        TRY(bind__operator(bind, ast->text, ast->location, left, right, &next));
        if (all != NULL)
            TRY(bind__logic(bind, kind, ast->location, all, next, &next));
        all = next;
    }
    *out = all;
    return STATUS_OK;
}

/* BETWEEN as two comparisons. */
static enum status
bind_between(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
             struct expr **out)
{
    struct expr **exprs = NULL, *above = NULL, *below = NULL;

    TRY(bind_list(bind, scope, ast, &exprs));
    TRY(bind__operator(bind, ">=", ast->location, exprs[0], exprs[1], &above));
    TRY(bind__operator(bind, "<=", ast->location, exprs[0], exprs[2], &below));
    TRY(bind__logic(bind, EXPR_AND, ast->location, above, below, out));
    return ast->negated ? bind__not(bind, *out, out) : STATUS_OK;
}

static enum status
bind_like(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
          struct expr **out)
{
    struct expr **both = NULL;

    TRY(bind_list(bind, scope, ast, &both));
    TRY(bind__like(bind, strcmp(ast->text, "ilike") == 0 ? "~~*" : "~~", ast->location, both, out));
    (*out)->negated = ast->negated;
    return STATUS_OK;
}

/* Choice. */

/* CASE, with an operand turned into comparisons. */
static enum status
bind_case(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
          struct expr **out)
{
    uint32_t first = ast->has_operand ? 1 : 0;
    uint32_t pairs = (ast->argument_count - first - (ast->has_else ? 1 : 0)) / 2;
    struct expr **results = bind__take(bind, (pairs + 1) * sizeof(struct expr *));
    struct ast_expr nothing = {.kind = AST_NULL, .location = ast->location};
    struct expr *expr = NULL, *operand = NULL;

    TRY(bind__new_expr(bind, EXPR_CASE, QTDB_TYPE_NULL, ast->location, 2 * pairs + 1, &expr));
    if (results == NULL)
        return STATUS_NO_MEMORY;
    if (ast->has_operand) {
        TRY(bind__expr(bind, scope, ast->arguments[0], &operand));
        TRY(bind__settle(bind, &operand));
    }
    for (uint32_t i = 0; i < pairs; i++) {
        const struct ast_expr *when = ast->arguments[first + 2 * i];
        struct expr *right = NULL;

        if (operand == NULL) {
            TRY(bind__condition(bind, scope, when, "CASE/WHEN", &expr->arguments[2 * i]));
        } else {
            TRY(bind__expr(bind, scope, when, &right));
            TRY(bind__operator(bind, "=", when->location, operand, right, &expr->arguments[2 * i]));
        }
        TRY(bind__expr(bind, scope, ast->arguments[first + 2 * i + 1], &results[i]));
    }
    TRY(bind__expr(bind, scope, ast->has_else ? ast->arguments[ast->argument_count - 1] : &nothing,
                   &results[pairs]));
    TRY(bind__unify(bind, ast->location, results, pairs + 1, "CASE", &expr->type));
    for (uint32_t i = 0; i < pairs; i++)
        expr->arguments[2 * i + 1] = results[i];
    expr->arguments[2 * pairs] = results[pairs];
    *out = expr;
    return STATUS_OK;
}

static enum status
bind_choice(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
            enum expr_kind kind, const char *what, struct expr **out)
{
    struct expr *expr = NULL;

    TRY(bind__new_expr(bind, kind, QTDB_TYPE_NULL, ast->location, ast->argument_count, &expr));
    expr->negated = ast->negated;
    TRY(bind_list(bind, scope, ast, &expr->arguments));
    *out = expr;
    return bind__unify(bind, ast->location, expr->arguments, expr->argument_count, what,
                       &expr->type);
}

static enum status
bind_nullif(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
            struct expr **out)
{
    struct expr *left = NULL, *right = NULL, *equal = NULL, *expr = NULL;

    TRY(bind__expr(bind, scope, ast->arguments[0], &left));
    TRY(bind__expr(bind, scope, ast->arguments[1], &right));
    TRY(bind__operator(bind, "=", ast->location, left, right, &equal));
    CHECK(left != NULL && equal != NULL);
    if (bind__is_unknown(left))
        left = equal->arguments[0];
    TRY(bind__new_expr(bind, EXPR_NULLIF, left->type.type, ast->location, 2, &expr));
    expr->arguments[0] = left;
    expr->arguments[1] = equal;
    *out = expr;
    return STATUS_OK;
}

/* Tests. */

static enum status
bind_is_null(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
             struct expr **out)
{
    struct expr *expr = NULL;

    TRY(bind__new_expr(bind, EXPR_IS_NULL, QTDB_TYPE_BOOL, ast->location, 1, &expr));
    expr->negated = ast->kind == AST_IS_NOT_NULL;
    TRY(bind__expr(bind, scope, ast->arguments[0], &expr->arguments[0]));
    *out = expr;
    return bind__settle(bind, &expr->arguments[0]);
}

static enum status
bind_distinct_from(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
                   struct expr **out)
{
    struct expr *left = NULL, *right = NULL;

    TRY(bind__expr(bind, scope, ast->arguments[0], &left));
    TRY(bind__expr(bind, scope, ast->arguments[1], &right));
    TRY(bind__operator(bind, "=", ast->location, left, right, out));
    (*out)->kind = EXPR_DISTINCT_FROM;
    (*out)->negated = ast->negated;
    return STATUS_OK;
}

/* IS [NOT] TRUE and its kin: a comparison that never gives null. */
static enum status
bind_is_true(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
             struct expr **out)
{
    struct expr *argument = NULL, *expr = NULL;

    TRY(bind__condition(bind, scope, ast->arguments[0], "IS", &argument));
    if (ast->integer < 0) {
        TRY(bind__new_expr(bind, EXPR_IS_NULL, QTDB_TYPE_BOOL, ast->location, 1, &expr));
        expr->negated = ast->negated;
        expr->arguments[0] = argument;
        *out = expr;
        return STATUS_OK;
    }
    TRY(bind__new_expr(bind, EXPR_DISTINCT_FROM, QTDB_TYPE_BOOL, ast->location, 2, &expr));
    expr->negated = !ast->negated;
    expr->arguments[0] = argument;
    TRY(bind__new_expr(bind, EXPR_CONSTANT, QTDB_TYPE_BOOL, ast->location, 0, &expr->arguments[1]));
    expr->arguments[1]->constant = value_integer(QTDB_TYPE_BOOL, ast->integer);
    *out = expr;
    return STATUS_OK;
}

/* ARRAY[...]; of `type` where one is asked for. */
static enum status
bind_array(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
           const struct sql_type *type, struct expr **out)
{
    struct sql_type element;
    struct expr *expr = NULL;

    if (ast->argument_count == 0 && type == NULL)
        return sql_error_set(bind->error, "42P18", ast->location,
                             "cannot determine type of empty array");
    TRY(bind__new_expr(bind, EXPR_FUNCTION, QTDB_TYPE_NULL, ast->location, 0, &expr));
    expr->function = &function_array_constructor;
    expr->argument_count = ast->argument_count;
    TRY(bind_list(bind, scope, ast, &expr->arguments));
    if (type != NULL) {
        element = (struct sql_type){value_element(type->type), type->precision, type->scale};
        for (uint32_t i = 0; i < ast->argument_count; i++) {
            bool nested = value_is_array(expr->arguments[i]->type.type);

            TRY(bind__cast(bind, expr->arguments[i], nested ? type : &element,
                           &expr->arguments[i]));
        }
        expr->type = (struct sql_type){type->type, -1, -1};
    } else {
        TRY(bind__unify(bind, ast->location, expr->arguments, expr->argument_count, "ARRAY",
                        &element));
        expr->type = (struct sql_type){value_array_of(element.type), -1, -1};
    }
    *out = expr;
    return STATUS_OK;
}

static enum status
bind_cast_expr(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
               struct expr **out)
{
    struct sql_type type;
    struct expr *argument = NULL;
    enum status status = bind__catalog_cast(bind, scope, ast, out);

    if (status != STATUS_NOT_FOUND)
        return status;
    TRY(bind_type(bind, &ast->type, &type));
    if (ast->arguments[0]->kind == AST_ARRAY && value_is_array(type.type))
        return bind_array(bind, scope, ast->arguments[0], &type, out);
    TRY(bind__expr(bind, scope, ast->arguments[0], &argument));
    CHECK(argument != NULL);
    if (argument->kind == EXPR_CONSTANT && type.precision >= 0 &&
        (type.type == QTDB_TYPE_VARCHAR || type.type == QTDB_TYPE_CHAR)) {
        struct expr *cut = NULL;

        TRY(bind__new_expr(bind, EXPR_CONSTANT, type.type, ast->location, 0, &cut));
        cut->type = type;
        TRY(value_cast_explicit(&argument->constant, &type, bind->arena, &cut->constant,
                                bind->error));
        *out = cut;
        return STATUS_OK;
    }
    TRY(bind__cast(bind, argument, &type, out));
    if (*out != argument && (*out)->kind == EXPR_CAST)
        (*out)->negated = true; /* Explicit: texts are cut to length instead of refused. */
    return STATUS_OK;
}

enum status
bind__expr(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
           struct expr **out)
{
    switch (ast->kind) {
    case AST_NULL:
    case AST_INTEGER:
    case AST_DECIMAL:
    case AST_STRING:
    case AST_BOOLEAN:
        return bind_literal(bind, ast, out);
    case AST_PARAMETER:
        return bind_parameter(bind, ast, out);
    case AST_COLUMN:
        return bind__name(bind, scope, ast, out);
    case AST_OPERATOR:
        return bind_operator(bind, scope, ast, out);
    case AST_AND:
        return bind_logic(bind, scope, ast, EXPR_AND, out);
    case AST_OR:
        return bind_logic(bind, scope, ast, EXPR_OR, out);
    case AST_NOT:
        return bind_logic(bind, scope, ast, EXPR_NOT, out);
    case AST_FUNCTION:
        return bind__function(bind, scope, ast, out);
    case AST_GROUPING:
        return bind__grouping_call(bind, scope, ast, out);
    case AST_CAST:
        return bind_cast_expr(bind, scope, ast, out);
    case AST_IS_NULL:
    case AST_IS_NOT_NULL:
        return bind_is_null(bind, scope, ast, out);
    case AST_IN:
        return bind_in(bind, scope, ast, out);
    case AST_QUANTIFIED:
        return bind_quantified(bind, scope, ast, out);
    case AST_BETWEEN:
        return bind_between(bind, scope, ast, out);
    case AST_LIKE:
        return bind_like(bind, scope, ast, out);
    case AST_CASE:
        return bind_case(bind, scope, ast, out);
    case AST_COALESCE:
        return bind_choice(bind, scope, ast, EXPR_COALESCE, "COALESCE", out);
    case AST_GREATEST:
        return bind_choice(bind, scope, ast, EXPR_GREATEST, ast->negated ? "LEAST" : "GREATEST",
                           out);
    case AST_NULLIF:
        return bind_nullif(bind, scope, ast, out);
    case AST_IS_TRUE:
        return bind_is_true(bind, scope, ast, out);
    case AST_DISTINCT_FROM:
        return bind_distinct_from(bind, scope, ast, out);
    case AST_SUBQUERY:
        return bind__subquery(bind, scope, ast, out);
    case AST_ARRAY:
        return bind_array(bind, scope, ast, NULL, out);
    default:
        return bind__unsupported(bind, ast->location, "this expression here");
    }
}

enum status
bind__expr_as(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
              const struct sql_type *type, struct expr **out)
{
    struct expr *expr = NULL;

    TRY(bind__expr(bind, scope, ast, &expr));
    return bind__cast(bind, expr, type, out);
}

enum status
bind__condition(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
                const char *clause, struct expr **out)
{
    struct expr *expr = NULL;

    TRY(bind__expr(bind, scope, ast, &expr));
    CHECK(expr != NULL);
    if (bind__is_unknown(expr))
        TRY(bind__cast(bind, expr, &type_bool, &expr));
    if (expr->type.type != QTDB_TYPE_BOOL)
        return sql_error_set(bind->error, "42804", ast->location,
                             "argument of %s must be type boolean, not type %s", clause,
                             value_type_name(expr->type.type));
    *out = expr;
    return STATUS_OK;
}
