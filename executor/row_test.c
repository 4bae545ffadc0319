/* Row tests (row_test.h). What a constant has to be is looked at once, when the test is made. */
#include "executor/row_test.h"

#include "kernel/base/check.h"

static bool
is_text(enum qtdb_type type)
{
    return type == QTDB_TYPE_TEXT || type == QTDB_TYPE_VARCHAR || type == QTDB_TYPE_CHAR;
}

static bool
is_constant(const struct expr *expr)
{
    return expr->kind == EXPR_CONSTANT && !expr->constant.null;
}

static bool
init_compare(struct row_test *test, const struct expr *left, const struct expr *right)
{
    enum qtdb_type type = left->type.type;

    test->column = left->index;
    if (right->kind == EXPR_COLUMN) {
        test->kind = ROW_TEST_COLUMNS;
        test->other = right->index;
        return value_type_is_integer(type) && value_type_is_integer(right->type.type);
    }
    if (!is_constant(right))
        return false;
    const struct value *constant = &right->constant;
    if (value_type_is_integer(type) && value_type_is_integer(constant->type)) {
        test->kind = ROW_TEST_INTEGER;
        test->integer = constant->integer;
        return true;
    }
    if (is_text(type) && is_text(constant->type)) {
        test->kind = ROW_TEST_TEXT;
        return true;
    }
    uint16_t scale;
    test->kind = ROW_TEST_NUMERIC;
    return type == QTDB_TYPE_NUMERIC && constant->type == QTDB_TYPE_NUMERIC &&
           numeric_to_scaled(constant->bytes, constant->size, &test->scaled, &scale);
}

static bool
init_in(struct row_test *test, const struct expr *expr)
{
    enum qtdb_type type = expr->arguments[0]->type.type;
    bool is_integer = value_type_is_integer(type);

    test->kind = ROW_TEST_IN;
    if (expr->negated || (!is_integer && !is_text(type)))
        return false;
    for (uint32_t i = 1; i < expr->argument_count; i++) {
        const struct expr *one = expr->arguments[i];

        if (!is_constant(one) || (is_integer ? !value_type_is_integer(one->constant.type)
                                             : !is_text(one->constant.type)))
            return false;
    }
    return true;
}

bool
row_test_init(struct row_test *test, const struct expr *expr)
{
    *test = (struct row_test){.expr = expr, .operator_kind = expr->operator_kind};
    if (expr->argument_count < 2 || expr->arguments[0]->kind != EXPR_COLUMN)
        return false;
    test->column = test->other = expr->arguments[0]->index;
    if (expr->kind == EXPR_COMPARE)
        return !expr->negated && init_compare(test, expr->arguments[0], expr->arguments[1]);
    if (expr->kind == EXPR_IN)
        return init_in(test, expr);
    test->kind = ROW_TEST_LIKE;
    return expr->kind == EXPR_LIKE && is_text(expr->arguments[0]->type.type) &&
           is_constant(expr->arguments[1]) && is_text(expr->arguments[1]->constant.type);
}

static int
compare_numeric(const struct row_test *test, const struct value *value)
{
    const struct value *constant = &test->expr->arguments[1]->constant;
    __int128 scaled;
    uint16_t scale;

    if (!numeric_to_scaled(value->bytes, value->size, &scaled, &scale))
        return numeric_compare(value->bytes, value->size, constant->bytes, constant->size);
    return (scaled > test->scaled) - (scaled < test->scaled);
}

/* Most are told apart by their first bytes. */
static bool
is_among(const struct expr *expr, const struct value *value)
{
    bool is_integer = value_type_is_integer(value->type);

    for (uint32_t i = 1; i < expr->argument_count; i++) {
        const struct value *one = &expr->arguments[i]->constant;

        if (is_integer ? value->integer == one->integer : value_compare(value, one) == 0)
            return true;
    }
    return false;
}

static bool
is_like(const struct expr *expr, const struct value *value)
{
    const struct value *pattern = &expr->arguments[1]->constant;

    return expr_like((const char *)value->bytes, value->size, (const char *)pattern->bytes,
                     pattern->size, expr->insensitive) != expr->negated;
}

bool
row_test_holds(const struct row_test *test, const struct value *values)
{
    const struct value *value = &values[test->column];
    int order = 0;

    if (value->null)
        return false;
    switch (test->kind) {
    case ROW_TEST_INTEGER:
        return row_test_integer_holds(test, value);
    case ROW_TEST_COLUMNS:
        if (values[test->other].null)
            return false;
        order = (value->integer > values[test->other].integer) -
                (value->integer < values[test->other].integer);
        break;
    case ROW_TEST_NUMERIC:
        order = compare_numeric(test, value);
        break;
    case ROW_TEST_TEXT:
        order = value_compare(value, &test->expr->arguments[1]->constant);
        break;
    case ROW_TEST_IN:
        return is_among(test->expr, value);
    default:
        return is_like(test->expr, value);
    }
    return expr_order_satisfies(test->operator_kind, order);
}
