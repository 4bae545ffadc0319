/* Operators: arithmetic, comparison, concatenation, and comparison of rows. */
#include <string.h>

#include "executor/bind_private.h"
#include "executor/function.h"
#include "kernel/base/check.h"

static const struct sql_type type_text = {QTDB_TYPE_TEXT, -1, -1};

static enum status
no_operator(struct bind *bind, int32_t location, const char *symbol, const struct expr *left,
            const struct expr *right)
{
    return sql_error_set(bind->error, "42883", location, "operator does not exist: %s %s %s",
                         value_type_name(left->type.type), symbol,
                         value_type_name(right->type.type));
}

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
bind_comparison(struct bind *bind, struct expr *expr, const char *symbol)
{
    struct expr *left = expr->arguments[0], *right = expr->arguments[1];
    struct sql_type type;
    enum qtdb_type common = bind__common_type(left->type.type, right->type.type);

    if ((common == QTDB_TYPE_NULL && !(bind__is_unknown(left) && bind__is_unknown(right))) ||
        common == QTDB_TYPE_JSON)
        return no_operator(bind, expr->location, symbol, left, right);
    expr->type.type = QTDB_TYPE_BOOL;
    return bind__unify(bind, expr->location, expr->arguments, 2, symbol, &type);
}

/* date + integer, date - integer, date - date: days. */
static enum status
moment_operator(struct bind *bind, struct expr *expr, const char *symbol)
{
    static const struct sql_type integer = {QTDB_TYPE_INT4, -1, -1};
    struct expr *left = expr->arguments[0], *right = expr->arguments[1];
    enum expr_operator kind = expr->operator_kind;
    bool left_date = left->type.type == QTDB_TYPE_DATE,
         right_date = right->type.type == QTDB_TYPE_DATE;
    int left_rank = bind__number_rank(left->type.type);
    int right_rank = bind__number_rank(right->type.type);

    if (kind == EXPR_SUBTRACT && left_date != right_date &&
        (bind__is_unknown(left) || bind__is_unknown(right))) {
        struct sql_type date = {QTDB_TYPE_DATE, -1, -1};

        TRY(bind__cast(bind, left, &date, &expr->arguments[0]));
        TRY(bind__cast(bind, right, &date, &expr->arguments[1]));
        left_date = right_date = true;
    }
    if (kind == EXPR_SUBTRACT && left_date && right_date) {
        expr->type = integer;
        return STATUS_OK;
    }
    if ((kind == EXPR_ADD || kind == EXPR_SUBTRACT) && left_date && right_rank > 0 &&
        right_rank < 3) {
        expr->type.type = QTDB_TYPE_DATE;
        return STATUS_OK;
    }
    if (kind == EXPR_ADD && right_date && left_rank > 0 && left_rank < 3) {
        expr->type.type = QTDB_TYPE_DATE;
        return STATUS_OK;
    }
    return no_operator(bind, expr->location, symbol, left, right);
}

static enum status
bind_arithmetic(struct bind *bind, struct expr *expr, const char *symbol)
{
    struct expr *left = expr->arguments[0], *right = expr->arguments[1];
    enum qtdb_type common = bind__common_type(left->type.type, right->type.type);
    int rank = bind__number_rank(common);

    if (bind__is_unknown(left) && bind__is_unknown(right))
        return sql_error_set(bind->error, "42725", expr->location,
                             "operator is not unique: unknown %s unknown", symbol);
    if (rank == 0 || (expr->operator_kind == EXPR_MODULO && rank > 4))
        return moment_operator(bind, expr, symbol);
    return bind__unify(bind, expr->location, expr->arguments, 2, symbol, &expr->type);
}

static enum status
bind_concat(struct bind *bind, struct expr *expr)
{
    struct expr *left = expr->arguments[0], *right = expr->arguments[1];

    expr->kind = EXPR_CONCAT;
    expr->type = type_text;
    if (!bind__is_text(left->type.type) && !bind__is_text(right->type.type) &&
        !bind__is_unknown(left) && !bind__is_unknown(right))
        return no_operator(bind, expr->location, "||", left, right);
    TRY(bind__cast(bind, left, &type_text, &expr->arguments[0]));
    return bind__cast(bind, right, &type_text, &expr->arguments[1]);
}

static bool
is_special(enum qtdb_type type)
{
    return value_is_array(type) || type == QTDB_TYPE_JSONB || type == QTDB_TYPE_BYTEA;
}

/* Whether the operator over these is a function: everything but numbers, and days of dates. */
static bool
has_function(struct expr **both)
{
    for (int i = 0; i < 2; i++) {
        enum qtdb_type type = both[i]->type.type;

        if (bind__number_rank(type) == 0 && type != QTDB_TYPE_NULL && type != QTDB_TYPE_DATE)
            return true;
    }
    return false;
}

/* A literal beside a typed value is tried as the same type first, as PostgreSQL does. */
static enum status
bind_symbol(struct bind *bind, const char *symbol, int32_t location, struct expr **both,
            struct expr **out)
{
    enum qtdb_type same[2];

    for (int i = 0; i < 2; i++) {
        same[i] = both[bind__is_unknown(both[i]) ? 1 - i : i]->type.type;
        if (bind__is_unknown(both[i]) && bind__is_text(same[i]))
            same[i] = QTDB_TYPE_TEXT;
    }
    if (bind__is_unknown(both[0]) != bind__is_unknown(both[1]) &&
        function_find_exact(symbol, same, 2) != NULL) {
        int literal = bind__is_unknown(both[0]) ? 0 : 1;
        struct sql_type type = {same[literal], -1, -1};

        TRY(bind__cast(bind, both[literal], &type, &both[literal]));
    }
    return bind__call(bind, symbol, location, both, 2, out);
}

/* PostgreSQL folds what has a null constant in it, so that an overflow beside it is never computed. */
bool
bind__is_always_null(const struct expr *expr)
{
    switch (expr->kind) {
    case EXPR_CONSTANT:
        return expr->constant.null;
    case EXPR_ARITHMETIC:
    case EXPR_COMPARE:
        return expr->negated;
    case EXPR_CAST:
    case EXPR_NEGATE:
    case EXPR_NOT:
        return bind__is_always_null(expr->arguments[0]);
    default:
        return false;
    }
}

static void
mark_null(struct expr *expr)
{
    expr->negated =
        bind__is_always_null(expr->arguments[0]) || bind__is_always_null(expr->arguments[1]);
}

enum status
bind__like(struct bind *bind, const char *symbol, int32_t location, struct expr **both,
           struct expr **out)
{
    static const struct sql_type text = {QTDB_TYPE_TEXT, -1, -1};
    struct expr *expr = NULL;

    TRY(bind__new_expr(bind, EXPR_LIKE, QTDB_TYPE_BOOL, location, 2, &expr));
    expr->negated = symbol[0] == '!';
    expr->insensitive = symbol[strlen(symbol) - 1] == '*';
    for (uint32_t i = 0; i < 2; i++) {
        if (!bind__is_text(both[i]->type.type) && !bind__is_unknown(both[i]))
            return sql_error_set(bind->error, "42883", location,
                                 "operator does not exist: %s %s %s",
                                 bind__type_name(bind, both[0]->type.type), symbol,
                                 bind__type_name(bind, both[1]->type.type));
        TRY(bind__cast(bind, both[i], &text, &expr->arguments[i]));
    }
    *out = expr;
    return STATUS_OK;
}

enum status
bind__operator(struct bind *bind, const char *symbol, int32_t location, struct expr *left,
               struct expr *right, struct expr **out)
{
    struct expr *expr = NULL, *both[2] = {left, right};

    if (strcmp(symbol, "~~") == 0 || strcmp(symbol, "~~*") == 0 || strcmp(symbol, "!~~") == 0 ||
        strcmp(symbol, "!~~*") == 0)
        return bind__like(bind, symbol, location, both, out);
    if (strcmp(symbol, "^") == 0)
        return bind__call(bind, "power", location, both, 2, out);
    TRY(bind__new_expr(bind, EXPR_ARITHMETIC, QTDB_TYPE_NULL, location, 2, &expr));
    expr->arguments[0] = left;
    expr->arguments[1] = right;
    *out = expr;
    if (strcmp(symbol, "||") == 0 && !is_special(left->type.type) && !is_special(right->type.type))
        return bind_concat(bind, expr);
    expr->operator_kind = find_operator(symbol);
    if (expr->operator_kind == 0 || (expr->operator_kind < EXPR_EQUAL && has_function(both)))
        return bind_symbol(bind, symbol, location, both, out);
    if (expr->operator_kind < EXPR_EQUAL) {
        TRY(bind_arithmetic(bind, expr, symbol));
    } else {
        expr->kind = EXPR_COMPARE;
        TRY(bind_comparison(bind, expr, symbol));
    }
    mark_null(expr);
    return STATUS_OK;
}

enum status
bind__prefix(struct bind *bind, const char *symbol, int32_t location, struct expr *argument,
             struct expr **out)
{
    struct expr *expr = NULL;

    if (bind__number_rank(argument->type.type) == 0 ||
        (strcmp(symbol, "-") != 0 && strcmp(symbol, "+") != 0))
        return bind__call(bind, symbol, location, &argument, 1, out);
    if (symbol[0] == '+') {
        *out = argument;
        return STATUS_OK;
    }
    TRY(bind__new_expr(bind, EXPR_NEGATE, argument->type.type, location, 1, &expr));
    expr->arguments[0] = argument;
    *out = expr;
    return STATUS_OK;
}

/* Logic. */

enum status
bind__logic(struct bind *bind, enum expr_kind kind, int32_t location, struct expr *left,
            struct expr *right, struct expr **out)
{
    struct expr *expr = NULL;

    TRY(bind__new_expr(bind, kind, QTDB_TYPE_BOOL, location, 2, &expr));
    expr->arguments[0] = left;
    expr->arguments[1] = right;
    *out = expr;
    return STATUS_OK;
}

enum status
bind__not(struct bind *bind, struct expr *expr, struct expr **out)
{
    struct expr *negation = NULL;

    TRY(bind__new_expr(bind, EXPR_NOT, QTDB_TYPE_BOOL, expr->location, 1, &negation));
    negation->arguments[0] = expr;
    *out = negation;
    return STATUS_OK;
}

/* Rows. */

/* Equal in all columns, or not equal in some. */
static enum status
rows_equal(struct bind *bind, const char *symbol, int32_t location, struct expr **left,
           struct expr **right, uint32_t count, struct expr **out)
{
    enum expr_kind kind = symbol[0] == '=' ? EXPR_AND : EXPR_OR;

    TRY(bind__operator(bind, symbol, location, left[0], right[0], out));
    for (uint32_t i = 1; i < count; i++) {
        struct expr *next = NULL;

        TRY(bind__operator(bind, symbol, location, left[i], right[i], &next));
        TRY(bind__logic(bind, kind, location, *out, next, out));
    }
    return STATUS_OK;
}

/* (a, b) < (c, d): a < c OR (a = c AND b < d), from the last column on. */
enum status
bind__compare_rows(struct bind *bind, const char *symbol, int32_t location, struct expr **left,
                   struct expr **right, uint32_t count, struct expr **out)
{
    char strict[2] = {symbol[0], '\0'};
    struct expr *result = NULL;

    if (find_operator(symbol) < EXPR_EQUAL)
        return bind__unsupported(bind, location, "this operator on rows");
    if (count == 0)
        return bind__unsupported(bind, location, "a row without columns");
    if (strcmp(symbol, "=") == 0 || strcmp(symbol, "<>") == 0)
        return rows_equal(bind, symbol, location, left, right, count, out);
    TRY(bind__operator(bind, symbol, location, left[count - 1], right[count - 1], &result));
    for (uint32_t i = count - 1; i-- > 0;) {
        struct expr *less = NULL, *equal = NULL;

        TRY(bind__operator(bind, strict, location, left[i], right[i], &less));
        TRY(bind__operator(bind, "=", location, left[i], right[i], &equal));
        TRY(bind__logic(bind, EXPR_AND, location, equal, result, &equal));
        TRY(bind__logic(bind, EXPR_OR, location, less, equal, &result));
    }
    *out = result;
    return STATUS_OK;
}
