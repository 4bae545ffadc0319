/*
 * Expressions: names, types, literals. An untyped literal (a quoted text, NULL, a text parameter) takes
 * the type of what it stands beside, and text where nothing says otherwise. Numbers widen in the order
 * int2, int4, int8, numeric, float4, float8.
 */
#include <string.h>

#include "executor/bind_private.h"
#include "kernel/base/check.h"

static const struct sql_type type_text = {QTDB_TYPE_TEXT, -1, -1};
static const struct sql_type type_bool = {QTDB_TYPE_BOOL, -1, -1};

void *
bind__take(struct bind *bind, size_t size)
{
    return arena_alloc(bind->arena, size);
}

static enum status
new_expr(struct bind *bind, enum expr_kind kind, enum qtdb_type type, const struct ast_expr *ast,
         uint32_t argument_count, struct expr **out)
{
    struct expr *expr = bind__take(bind, sizeof(*expr));
    struct expr **arguments = bind__take(bind, argument_count * sizeof(struct expr *));

    if (expr == NULL || arguments == NULL)
        return STATUS_NO_MEMORY;
    expr->kind = kind;
    expr->type = (struct sql_type){type, -1, -1};
    expr->location = ast->location;
    expr->argument_count = argument_count;
    expr->arguments = arguments;
    *out = expr;
    return STATUS_OK;
}

static bool
is_unknown(const struct expr *expr)
{
    CHECK(expr != NULL);
    return expr->kind == EXPR_CONSTANT && expr->type.type == QTDB_TYPE_NULL;
}

static int
number_rank(enum qtdb_type type)
{
    switch (type) {
    case QTDB_TYPE_INT2:
        return 1;
    case QTDB_TYPE_INT4:
        return 2;
    case QTDB_TYPE_INT8:
        return 3;
    case QTDB_TYPE_NUMERIC:
        return 4;
    case QTDB_TYPE_FLOAT4:
        return 5;
    case QTDB_TYPE_FLOAT8:
        return 6;
    default:
        return 0;
    }
}

static bool
is_text(enum qtdb_type type)
{
    return type == QTDB_TYPE_TEXT || type == QTDB_TYPE_VARCHAR || type == QTDB_TYPE_CHAR;
}

static bool
is_stamp(enum qtdb_type type)
{
    return type == QTDB_TYPE_DATE || type == QTDB_TYPE_TIMESTAMP || type == QTDB_TYPE_TIMESTAMPTZ;
}

/* The type that both sides become; QTDB_TYPE_NULL when there is none. */
static enum qtdb_type
common_type(enum qtdb_type left, enum qtdb_type right)
{
    int left_rank = number_rank(left), right_rank = number_rank(right);

    if (left == right || right == QTDB_TYPE_NULL)
        return left;
    if (left == QTDB_TYPE_NULL)
        return right;
    if (left_rank > 0 && right_rank > 0) {
        /* float4 beside a number that is not float4 is computed in float8. */
        enum qtdb_type higher = left_rank > right_rank ? left : right;
        return higher == QTDB_TYPE_FLOAT4 ? QTDB_TYPE_FLOAT8 : higher;
    }
    if (is_text(left) && is_text(right))
        return left == QTDB_TYPE_CHAR || right == QTDB_TYPE_CHAR ? QTDB_TYPE_CHAR : QTDB_TYPE_TEXT;
    if (is_stamp(left) && is_stamp(right))
        return left == QTDB_TYPE_TIMESTAMPTZ || right == QTDB_TYPE_TIMESTAMPTZ
                   ? QTDB_TYPE_TIMESTAMPTZ
                   : QTDB_TYPE_TIMESTAMP;
    return QTDB_TYPE_NULL;
}

/* Casts. */

static enum status
fold_constant(struct bind *bind, struct expr *expr, const struct sql_type *type, struct expr **out)
{
    struct expr *folded = bind__take(bind, sizeof(*folded));

    if (folded == NULL)
        return STATUS_NO_MEMORY;
    *folded = *expr;
    folded->type = *type;
    enum status status =
        value_cast(&expr->constant, type, bind->arena, &folded->constant, bind->error);
    if (status == STATUS_INVALID && bind->error->location < 0)
        bind->error->location = expr->location;
    TRY(status);
    *out = folded;
    return STATUS_OK;
}

enum status
bind__cast(struct bind *bind, struct expr *expr, const struct sql_type *type, struct expr **out)
{
    CHECK(expr != NULL);
    struct ast_expr place = {.location = expr->location};
    struct expr *cast = NULL;

    if (expr->type.type == type->type && type->precision < 0) {
        *out = expr;
        return STATUS_OK;
    }
    if (expr->kind == EXPR_CONSTANT)
        return fold_constant(bind, expr, type, out);
    TRY(new_expr(bind, EXPR_CAST, type->type, &place, 1, &cast));
    cast->type = *type;
    cast->arguments[0] = expr;
    *out = cast;
    return STATUS_OK;
}

static enum status
resolve_unknown(struct bind *bind, struct expr **expr)
{
    return is_unknown(*expr) ? bind__cast(bind, *expr, &type_text, expr) : STATUS_OK;
}

static enum status
no_operator(struct bind *bind, const struct ast_expr *ast, const char *symbol,
            const struct expr *left, const struct expr *right)
{
    return sql_error_set(bind->error, "42883", ast->location, "operator does not exist: %s %s %s",
                         value_type_name(left->type.type), symbol,
                         value_type_name(right->type.type));
}

/* Brings arguments [first, count) to one type. */
static enum status
unify(struct bind *bind, const struct ast_expr *ast, struct expr **arguments, uint32_t first,
      uint32_t count, const char *what, struct sql_type *type_out)
{
    enum qtdb_type type = QTDB_TYPE_NULL;

    for (uint32_t i = first; i < count; i++) {
        enum qtdb_type next = common_type(type, arguments[i]->type.type);

        if (next == QTDB_TYPE_NULL && type != QTDB_TYPE_NULL)
            return sql_error_set(bind->error, "42804", ast->location,
                                 "%s types %s and %s cannot be matched", what,
                                 value_type_name(type), value_type_name(arguments[i]->type.type));
        type = next;
    }
    *type_out = type == QTDB_TYPE_NULL ? type_text : (struct sql_type){type, -1, -1};
    for (uint32_t i = first; i < count; i++)
        TRY(bind__cast(bind, arguments[i], type_out, &arguments[i]));
    return STATUS_OK;
}

/* Leaves. */

static enum status
bind_literal(struct bind *bind, const struct ast_expr *ast, struct expr **out)
{
    static const struct sql_type numeric = {QTDB_TYPE_NUMERIC, -1, -1};
    struct expr *expr = NULL;

    TRY(new_expr(bind, EXPR_CONSTANT, QTDB_TYPE_NULL, ast, 0, &expr));
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
    TRY(new_expr(bind, EXPR_CONSTANT, QTDB_TYPE_NULL, ast, 0, &expr));
    expr->constant = value_null(QTDB_TYPE_NULL);
    if ((uint64_t)ast->integer <= bind->parameter_count) {
        expr->constant = bind->parameters[ast->integer - 1];
        expr->type.type = expr->constant.type;
    }
    *out = expr;
    return STATUS_OK;
}

enum status
bind__column(struct bind *bind, const struct sql_type *type, uint32_t index, struct expr **out)
{
    static const struct ast_expr nowhere = {.location = -1};
    struct expr *expr = NULL;

    TRY(new_expr(bind, EXPR_COLUMN, type->type, &nowhere, 0, &expr));
    expr->type = *type;
    expr->index = index;
    *out = expr;
    return STATUS_OK;
}

static bool
qualifier_fits(const struct bind__scope *scope, const struct ast_expr *ast)
{
    const char *known = scope->alias != NULL ? scope->alias : scope->table->name;

    if (ast->name_count == 1)
        return true;
    if (strcmp(ast->names[ast->name_count - 2], known) != 0)
        return false;
    return ast->name_count == 2 ||
           (ast->name_count == 3 && strcmp(ast->names[0], scope->table->schema) == 0);
}

static enum status
bind_column(struct bind *bind, const struct bind__scope *scope, const struct ast_expr *ast,
            struct expr **out)
{
    const char *name = ast->names[ast->name_count - 1];

    if (scope->table != NULL && !qualifier_fits(scope, ast))
        return sql_error_set(bind->error, "42P01", ast->location,
                             "missing FROM-clause entry for table \"%s\"",
                             ast->names[ast->name_count - 2]);
    for (uint32_t i = 0; scope->table != NULL && i < scope->table->column_count; i++) {
        const struct table_column *column = &scope->table->columns[i];

        if (strcmp(column->name, name) != 0)
            continue;
        /* Modifiers are of the storage, not of the expression. */
        struct sql_type type = {column->type.type, -1, -1};
        TRY(bind__column(bind, &type, i, out));
        (*out)->location = ast->location;
        return STATUS_OK;
    }
    return sql_error_set(bind->error, "42703", ast->location, "column \"%s\" does not exist", name);
}

/* Operators. */

static enum expr_operator
find_operator(const char *symbol)
{
    static const struct {
        const char *symbol;
        enum expr_operator operator_kind;
    } operators[] = {
        {"+", EXPR_ADD},         {"-", EXPR_SUBTRACT},       {"*", EXPR_MULTIPLY},
        {"/", EXPR_DIVIDE},      {"%", EXPR_MODULO},         {"=", EXPR_EQUAL},
        {"<>", EXPR_NOT_EQUAL},  {"<", EXPR_LESS},           {">", EXPR_GREATER},
        {"<=", EXPR_LESS_EQUAL}, {">=", EXPR_GREATER_EQUAL},
    };

    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        if (strcmp(operators[i].symbol, symbol) == 0)
            return operators[i].operator_kind;
    }
    return 0;
}

static enum status
bind_comparison(struct bind *bind, const struct ast_expr *ast, struct expr *expr,
                const char *symbol)
{
    struct sql_type type;
    enum qtdb_type common =
        common_type(expr->arguments[0]->type.type, expr->arguments[1]->type.type);

    if (common == QTDB_TYPE_NULL &&
        !(is_unknown(expr->arguments[0]) && is_unknown(expr->arguments[1])))
        return no_operator(bind, ast, symbol, expr->arguments[0], expr->arguments[1]);
    if (common == QTDB_TYPE_JSON || common == QTDB_TYPE_JSONB)
        return no_operator(bind, ast, symbol, expr->arguments[0], expr->arguments[1]);
    expr->type = type_bool;
    return unify(bind, ast, expr->arguments, 0, 2, symbol, &type);
}

static enum status
bind_arithmetic(struct bind *bind, const struct ast_expr *ast, struct expr *expr)
{
    enum qtdb_type common =
        common_type(expr->arguments[0]->type.type, expr->arguments[1]->type.type);

    if (number_rank(common) == 0 || (expr->operator_kind == EXPR_MODULO && number_rank(common) > 4))
        return no_operator(bind, ast, ast->text, expr->arguments[0], expr->arguments[1]);
    return unify(bind, ast, expr->arguments, 0, 2, ast->text, &expr->type);
}

static enum status
bind_binary(struct bind *bind, const struct ast_expr *ast, struct expr *expr)
{
    if (strcmp(ast->text, "||") == 0) {
        expr->kind = EXPR_CONCAT;
        expr->type = type_text;
        if (!is_text(expr->arguments[0]->type.type) && !is_text(expr->arguments[1]->type.type) &&
            !is_unknown(expr->arguments[0]) && !is_unknown(expr->arguments[1]))
            return no_operator(bind, ast, ast->text, expr->arguments[0], expr->arguments[1]);
        TRY(bind__cast(bind, expr->arguments[0], &type_text, &expr->arguments[0]));
        return bind__cast(bind, expr->arguments[1], &type_text, &expr->arguments[1]);
    }
    expr->operator_kind = find_operator(ast->text);
    if (expr->operator_kind == 0)
        return no_operator(bind, ast, ast->text, expr->arguments[0], expr->arguments[1]);
    expr->kind = expr->operator_kind >= EXPR_EQUAL ? EXPR_COMPARE : EXPR_ARITHMETIC;
    return expr->kind == EXPR_COMPARE ? bind_comparison(bind, ast, expr, ast->text)
                                      : bind_arithmetic(bind, ast, expr);
}

static enum status
bind_prefix(struct bind *bind, const struct ast_expr *ast, struct expr *expr)
{
    struct expr *argument = expr->arguments[0];

    if (number_rank(argument->type.type) == 0 ||
        (strcmp(ast->text, "-") != 0 && strcmp(ast->text, "+") != 0))
        return sql_error_set(bind->error, "42883", ast->location, "operator does not exist: %s %s",
                             ast->text, value_type_name(argument->type.type));
    expr->kind = EXPR_NEGATE;
    expr->type = argument->type;
    if (ast->text[0] == '+')
        *expr = *argument;
    return STATUS_OK;
}

/* Functions and aggregates. */

static enum status
bind_aggregate(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
               enum plan_aggregate kind, struct expr **out)
{
    struct plan_aggregate_call call = {.kind = kind, .distinct = ast->distinct};

    if (!scope->aggregates_allowed || scope->inside_aggregate)
        return sql_error_set(bind->error, "42803", ast->location,
                             "aggregate functions are not allowed here");
    if (ast->distinct)
        return sql_error_set(bind->error, "0A000", ast->location,
                             "DISTINCT in an aggregate is not supported yet");
    if (ast->star ? kind != PLAN_COUNT : ast->argument_count != 1)
        return sql_error_set(bind->error, "42883", ast->location,
                             "wrong arguments for aggregate %s", ast->names[0]);
    if (!ast->star) {
        scope->inside_aggregate = true;
        enum status status = bind__expr(bind, scope, ast->arguments[0], &call.argument);
        scope->inside_aggregate = false;
        TRY(status);
        TRY(resolve_unknown(bind, &call.argument));
    }
    enum qtdb_type type = call.argument != NULL ? call.argument->type.type : QTDB_TYPE_INT8;
    if ((kind == PLAN_SUM || kind == PLAN_AVERAGE) && number_rank(type) == 0)
        return sql_error_set(bind->error, "42883", ast->location, "function %s(%s) does not exist",
                             ast->names[0], value_type_name(type));
    if (kind == PLAN_AVERAGE && number_rank(type) < 5)
        return sql_error_set(bind->error, "0A000", ast->location,
                             "avg of exact numbers is not supported yet: use avg(x::float8)");
    if (kind == PLAN_COUNT || (kind == PLAN_SUM && number_rank(type) < 3))
        call.type = (struct sql_type){QTDB_TYPE_INT8, -1, -1};
    else if (kind == PLAN_SUM && type == QTDB_TYPE_INT8)
        call.type = (struct sql_type){QTDB_TYPE_NUMERIC, -1, -1};
    else
        call.type = (struct sql_type){kind == PLAN_AVERAGE ? QTDB_TYPE_FLOAT8 : type, -1, -1};
    if (kind == PLAN_SUM && type == QTDB_TYPE_INT8)
        TRY(bind__cast(bind, call.argument, &call.type, &call.argument));
    if (scope->aggregate_count == scope->aggregate_capacity)
        return sql_error_set(bind->error, "54000", ast->location, "too many aggregates");
    TRY(new_expr(bind, EXPR_AGGREGATE, call.type.type, ast, 0, out));
    (*out)->index = scope->aggregate_count;
    scope->aggregates[scope->aggregate_count++] = call;
    return STATUS_OK;
}

static enum status
bind_plain_function(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
                    const char *name, struct expr **out)
{
    static const struct {
        const char *name;
        enum expr_function function;
        enum qtdb_type type; /* NULL: as the argument, a number. */
    } functions[] = {
        {"length", EXPR_LENGTH, QTDB_TYPE_INT4}, {"char_length", EXPR_LENGTH, QTDB_TYPE_INT4},
        {"lower", EXPR_LOWER, QTDB_TYPE_TEXT},   {"upper", EXPR_UPPER, QTDB_TYPE_TEXT},
        {"abs", EXPR_ABS, QTDB_TYPE_NULL},
    };
    struct expr *expr = NULL;

    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (strcmp(functions[i].name, name) != 0 || ast->argument_count != 1)
            continue;
        TRY(new_expr(bind, EXPR_FUNCTION, functions[i].type, ast, 1, &expr));
        expr->function = functions[i].function;
        TRY(bind__expr(bind, scope, ast->arguments[0], &expr->arguments[0]));
        if (functions[i].type != QTDB_TYPE_NULL)
            TRY(resolve_unknown(bind, &expr->arguments[0]));
        enum qtdb_type type = expr->arguments[0]->type.type;
        if (functions[i].type == QTDB_TYPE_NULL ? number_rank(type) == 0 : !is_text(type))
            break;
        if (functions[i].type == QTDB_TYPE_NULL)
            expr->type = expr->arguments[0]->type;
        *out = expr;
        return STATUS_OK;
    }
    return sql_error_set(bind->error, "42883", ast->location,
                         "function %s with %u arguments of these types does not exist", name,
                         ast->argument_count);
}

static enum status
bind_function(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
              struct expr **out)
{
    static const struct {
        const char *name;
        enum plan_aggregate kind;
    } aggregates[] = {{"count", PLAN_COUNT},
                      {"sum", PLAN_SUM},
                      {"min", PLAN_MIN},
                      {"max", PLAN_MAX},
                      {"avg", PLAN_AVERAGE}};
    const char *name = ast->names[ast->name_count - 1];

    for (size_t i = 0; i < sizeof(aggregates) / sizeof(aggregates[0]); i++) {
        if (strcmp(aggregates[i].name, name) == 0)
            return bind_aggregate(bind, scope, ast, aggregates[i].kind, out);
    }
    return bind_plain_function(bind, scope, ast, name, out);
}

/* CASE, with an operand turned into comparisons. */
static enum status
bind_case(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
          struct expr **out)
{
    uint32_t first = ast->has_operand ? 1 : 0;
    uint32_t pairs = (ast->argument_count - first - (ast->has_else ? 1 : 0)) / 2;
    struct expr **results = bind__take(bind, (pairs + 1) * sizeof(struct expr *));
    struct ast_expr nothing = {.kind = AST_NULL, .location = ast->location};
    struct expr *expr = NULL;

    TRY(new_expr(bind, EXPR_CASE, QTDB_TYPE_NULL, ast, 2 * pairs + 1, &expr));
    if (results == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < pairs; i++) {
        const struct ast_expr *when = ast->arguments[first + 2 * i];

        if (ast->has_operand) {
            TRY(new_expr(bind, EXPR_COMPARE, QTDB_TYPE_BOOL, when, 2, &expr->arguments[2 * i]));
            struct expr *compare = expr->arguments[2 * i];
            compare->operator_kind = EXPR_EQUAL;
            TRY(bind__expr(bind, scope, ast->arguments[0], &compare->arguments[0]));
            TRY(bind__expr(bind, scope, when, &compare->arguments[1]));
            TRY(bind_comparison(bind, when, compare, "="));
        } else {
            TRY(bind__condition(bind, scope, when, "CASE/WHEN", &expr->arguments[2 * i]));
        }
        TRY(bind__expr(bind, scope, ast->arguments[first + 2 * i + 1], &results[i]));
    }
    TRY(bind__expr(bind, scope, ast->has_else ? ast->arguments[ast->argument_count - 1] : &nothing,
                   &results[pairs]));
    TRY(unify(bind, ast, results, 0, pairs + 1, "CASE", &expr->type));
    for (uint32_t i = 0; i < pairs; i++)
        expr->arguments[2 * i + 1] = results[i];
    expr->arguments[2 * pairs] = results[pairs];
    *out = expr;
    return STATUS_OK;
}

/* BETWEEN as two comparisons. */
static enum status
bind_between(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
             struct expr **out)
{
    struct expr *both = NULL, *inner[2] = {NULL, NULL};

    for (uint32_t i = 0; i < 2; i++) {
        TRY(new_expr(bind, EXPR_COMPARE, QTDB_TYPE_BOOL, ast, 2, &inner[i]));
        inner[i]->operator_kind = i == 0 ? EXPR_GREATER_EQUAL : EXPR_LESS_EQUAL;
        TRY(bind__expr(bind, scope, ast->arguments[0], &inner[i]->arguments[0]));
        TRY(bind__expr(bind, scope, ast->arguments[i + 1], &inner[i]->arguments[1]));
        TRY(bind_comparison(bind, ast, inner[i], i == 0 ? ">=" : "<="));
    }
    TRY(new_expr(bind, EXPR_AND, QTDB_TYPE_BOOL, ast, 2, &both));
    both->arguments[0] = inner[0];
    both->arguments[1] = inner[1];
    *out = both;
    if (!ast->negated)
        return STATUS_OK;
    TRY(new_expr(bind, EXPR_NOT, QTDB_TYPE_BOOL, ast, 1, out));
    (*out)->arguments[0] = both;
    return STATUS_OK;
}

static enum status
bind_cast_expr(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
               struct expr **out)
{
    struct sql_type type;
    struct expr *argument = NULL;

    TRY(bind_type(&ast->type, &type, bind->error));
    TRY(bind__expr(bind, scope, ast->arguments[0], &argument));
    return bind__cast(bind, argument, &type, out);
}

/* IS [NOT] TRUE and its kin: a comparison that never gives null. */
static enum status
bind_is_true(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
             struct expr **out)
{
    struct expr *argument = NULL, *expr = NULL;

    TRY(bind__condition(bind, scope, ast->arguments[0], "IS", &argument));
    if (ast->integer < 0) {
        TRY(new_expr(bind, EXPR_IS_NULL, QTDB_TYPE_BOOL, ast, 1, &expr));
        expr->negated = ast->negated;
        expr->arguments[0] = argument;
        *out = expr;
        return STATUS_OK;
    }
    TRY(new_expr(bind, EXPR_DISTINCT_FROM, QTDB_TYPE_BOOL, ast, 2, &expr));
    expr->negated = !ast->negated;
    expr->arguments[0] = argument;
    TRY(new_expr(bind, EXPR_CONSTANT, QTDB_TYPE_BOOL, ast, 0, &expr->arguments[1]));
    expr->arguments[1]->constant = value_integer(QTDB_TYPE_BOOL, ast->integer);
    *out = expr;
    return STATUS_OK;
}

/* Kinds whose arguments are all bound the same way first. */
static enum status
bind_with_arguments(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
                    enum expr_kind kind, struct expr **out)
{
    struct expr *expr = NULL;

    TRY(new_expr(bind, kind, QTDB_TYPE_BOOL, ast, ast->argument_count, &expr));
    expr->negated = ast->negated;
    for (uint32_t i = 0; i < ast->argument_count; i++) {
        if (kind == EXPR_AND || kind == EXPR_OR || kind == EXPR_NOT)
            TRY(bind__condition(bind, scope, ast->arguments[i],
                                kind == EXPR_AND  ? "AND"
                                : kind == EXPR_OR ? "OR"
                                                  : "NOT",
                                &expr->arguments[i]));
        else
            TRY(bind__expr(bind, scope, ast->arguments[i], &expr->arguments[i]));
    }
    *out = expr;
    return STATUS_OK;
}

static enum status
bind_operator(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
              struct expr **out)
{
    struct expr *expr = NULL;

    TRY(bind_with_arguments(bind, scope, ast, EXPR_ARITHMETIC, &expr));
    TRY(ast->argument_count == 2 ? bind_binary(bind, ast, expr) : bind_prefix(bind, ast, expr));
    *out = expr;
    return STATUS_OK;
}

/* x LIKE p, x IN (...), COALESCE, IS DISTINCT FROM, IS NULL. */
static enum status
bind_by_kind(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
             enum expr_kind kind, struct expr **out)
{
    struct sql_type type;
    struct expr *expr = NULL;

    TRY(bind_with_arguments(bind, scope, ast, kind, &expr));
    *out = expr;
    if (kind == EXPR_IS_NULL)
        return resolve_unknown(bind, &expr->arguments[0]);
    if (kind == EXPR_COALESCE)
        return unify(bind, ast, expr->arguments, 0, expr->argument_count, "COALESCE", &expr->type);
    if (kind == EXPR_IN)
        return unify(bind, ast, expr->arguments, 0, expr->argument_count, "IN", &type);
    if (kind == EXPR_DISTINCT_FROM)
        return bind_comparison(bind, ast, expr, "=");
    CHECK(kind == EXPR_LIKE);
    expr->insensitive = strcmp(ast->text, "ilike") == 0;
    for (uint32_t i = 0; i < 2; i++) {
        if (!is_text(expr->arguments[i]->type.type) && !is_unknown(expr->arguments[i]))
            return no_operator(bind, ast, "~~", expr->arguments[0], expr->arguments[1]);
        TRY(bind__cast(bind, expr->arguments[i], &type_text, &expr->arguments[i]));
    }
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
        return bind_column(bind, scope, ast, out);
    case AST_OPERATOR:
        return bind_operator(bind, scope, ast, out);
    case AST_AND:
        return bind_with_arguments(bind, scope, ast, EXPR_AND, out);
    case AST_OR:
        return bind_with_arguments(bind, scope, ast, EXPR_OR, out);
    case AST_NOT:
        return bind_with_arguments(bind, scope, ast, EXPR_NOT, out);
    case AST_FUNCTION:
        return bind_function(bind, scope, ast, out);
    case AST_CAST:
        return bind_cast_expr(bind, scope, ast, out);
    case AST_IS_NULL:
        return bind_by_kind(bind, scope, ast, EXPR_IS_NULL, out);
    case AST_IS_NOT_NULL:
        TRY(bind_by_kind(bind, scope, ast, EXPR_IS_NULL, out));
        (*out)->negated = true;
        return STATUS_OK;
    case AST_IN:
        return bind_by_kind(bind, scope, ast, EXPR_IN, out);
    case AST_BETWEEN:
        return bind_between(bind, scope, ast, out);
    case AST_LIKE:
        return bind_by_kind(bind, scope, ast, EXPR_LIKE, out);
    case AST_CASE:
        return bind_case(bind, scope, ast, out);
    case AST_COALESCE:
        return bind_by_kind(bind, scope, ast, EXPR_COALESCE, out);
    case AST_IS_TRUE:
        return bind_is_true(bind, scope, ast, out);
    case AST_DISTINCT_FROM:
        return bind_by_kind(bind, scope, ast, EXPR_DISTINCT_FROM, out);
    default:
        return sql_error_set(bind->error, "0A000", ast->location,
                             "this expression is not supported here yet");
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
    if (is_unknown(expr))
        TRY(bind__cast(bind, expr, &type_bool, &expr));
    if (expr->type.type != QTDB_TYPE_BOOL)
        return sql_error_set(bind->error, "42804", ast->location,
                             "argument of %s must be type boolean, not type %s", clause,
                             value_type_name(expr->type.type));
    *out = expr;
    return STATUS_OK;
}

static bool
same_constant(const struct value *left, const struct value *right)
{
    if (left->null || right->null)
        return left->null && right->null;
    return left->type == right->type && value_compare(left, right) == 0;
}

bool
bind__same(const struct expr *left, const struct expr *right)
{
    if (left->kind != right->kind || left->type.type != right->type.type ||
        left->operator_kind != right->operator_kind || left->function != right->function ||
        left->index != right->index || left->negated != right->negated ||
        left->argument_count != right->argument_count)
        return false;
    if (left->kind == EXPR_CONSTANT && !same_constant(&left->constant, &right->constant))
        return false;
    for (uint32_t i = 0; i < left->argument_count; i++) {
        if (!bind__same(left->arguments[i], right->arguments[i]))
            return false;
    }
    return true;
}

enum status
bind_type(const struct ast_type *ast, struct sql_type *out, struct sql_error *error)
{
    enum qtdb_type type = value_type_find(ast->name);

    if (type == QTDB_TYPE_NULL)
        return sql_error_set(error, "42704", ast->location, "type \"%s\" does not exist",
                             ast->name);
    if (ast->array_depth > 0)
        return sql_error_set(error, "0A000", ast->location, "arrays are not supported yet");
    *out = (struct sql_type){type, -1, -1};
    if (type == QTDB_TYPE_CHAR && ast->modifier_count == 0)
        out->precision = 1;
    if (ast->modifier_count > 0)
        out->precision = ast->modifiers[0];
    if (ast->modifier_count > 1)
        out->scale = ast->modifiers[1];
    if (ast->modifier_count > 0 && (out->precision < 1 || out->precision > 10485760))
        return sql_error_set(error, "22023", ast->location, "length for type %s must be 1 or more",
                             value_type_name(type));
    return STATUS_OK;
}
