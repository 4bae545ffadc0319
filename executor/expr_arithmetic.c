/* Arithmetic of integers, floats, numerics and dates; ranges are checked. */
#include <math.h>

#include "executor/expr.h"
#include "executor/numeric.h"
#include "kernel/base/check.h"

static bool
is_real(enum qtdb_type type)
{
    return type == QTDB_TYPE_FLOAT4 || type == QTDB_TYPE_FLOAT8;
}

static enum status
refuse_range(const struct expr *expr, struct eval *eval)
{
    return sql_error_set(eval->error, "22003", expr->location, "%s out of range",
                         value_type_name(expr->type.type));
}

static enum status
refuse_zero(const struct expr *expr, struct eval *eval)
{
    return sql_error_set(eval->error, "22012", expr->location, "division by zero");
}

/* Arithmetic. */

static enum status
integer_divide(const struct expr *expr, int64_t left, int64_t right, struct eval *eval,
               int64_t *out)
{
    bool modulo = expr->operator_kind == EXPR_MODULO;

    if (right == 0)
        return refuse_zero(expr, eval);
    if (right == -1) {
        if (!modulo && left == INT64_MIN)
            return refuse_range(expr, eval);
        *out = modulo ? 0 : -left;
        return STATUS_OK;
    }
    *out = modulo ? left % right : left / right;
    return STATUS_OK;
}

static enum status
integer_arithmetic(const struct expr *expr, int64_t left, int64_t right, struct eval *eval,
                   struct value *out)
{
    enum qtdb_type type = expr->type.type;
    int64_t result = 0;
    bool overflow = false;

    switch (expr->operator_kind) {
    case EXPR_ADD:
        overflow = __builtin_add_overflow(left, right, &result);
        break;
    case EXPR_SUBTRACT:
        overflow = __builtin_sub_overflow(left, right, &result);
        break;
    case EXPR_MULTIPLY:
        overflow = __builtin_mul_overflow(left, right, &result);
        break;
    default:
        TRY(integer_divide(expr, left, right, eval, &result));
    }
    if (overflow || (type == QTDB_TYPE_INT4 && (result < INT32_MIN || result > INT32_MAX)) ||
        (type == QTDB_TYPE_INT2 && (result < INT16_MIN || result > INT16_MAX)))
        return refuse_range(expr, eval);
    *out = value_integer(type, result);
    return STATUS_OK;
}

static enum status
real_arithmetic(const struct expr *expr, double left, double right, struct eval *eval,
                struct value *out)
{
    double result;

    if (expr->operator_kind == EXPR_DIVIDE && right == 0)
        return refuse_zero(expr, eval);
    if (expr->operator_kind == EXPR_ADD)
        result = left + right;
    else if (expr->operator_kind == EXPR_SUBTRACT)
        result = left - right;
    else if (expr->operator_kind == EXPR_MULTIPLY)
        result = left * right;
    else
        result = left / right;
    if (expr->type.type == QTDB_TYPE_FLOAT4)
        result = (double)(float)result;
    if (isinf(result) && !isinf(left) && !isinf(right))
        return sql_error_set(eval->error, "22003", expr->location, "value out of range: overflow");
    *out = value_real(expr->type.type, result);
    return STATUS_OK;
}

static enum status
numeric_arithmetic(const struct expr *expr, const struct value *left, const struct value *right,
                   struct eval *eval, struct value *out)
{
    static const enum numeric_operation operations[] = {
        [EXPR_ADD] = NUMERIC_ADD,           [EXPR_SUBTRACT] = NUMERIC_SUBTRACT,
        [EXPR_MULTIPLY] = NUMERIC_MULTIPLY, [EXPR_DIVIDE] = NUMERIC_DIVIDE,
        [EXPR_MODULO] = NUMERIC_MODULO,
    };
    const uint8_t *bytes = NULL;
    uint32_t size = 0;
    enum status status = numeric_calculate(operations[expr->operator_kind], left->bytes, left->size,
                                           right->bytes, right->size, eval->arena, &bytes, &size);

    if (status == STATUS_INVALID)
        return refuse_zero(expr, eval);
    if (status == STATUS_FULL)
        return sql_error_set(eval->error, "22003", expr->location,
                             "value overflows numeric format");
    if (status == STATUS_OK)
        *out = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
    return status;
}

/* date + integer, integer + date, date - integer, date - date: days on both sides. */
static enum status
date_arithmetic(const struct expr *expr, const struct value *left, const struct value *right,
                struct eval *eval, struct value *out)
{
    int64_t days = expr->operator_kind == EXPR_ADD ? left->integer + right->integer
                                                   : left->integer - right->integer;

    if (expr->type.type == QTDB_TYPE_DATE && (days < INT64_C(-2451545) || days > 2145031948))
        return sql_error_set(eval->error, "22008", expr->location, "date out of range");
    *out = value_integer(expr->type.type, days);
    return STATUS_OK;
}

enum status
expr_calculate(const struct expr *expr, const struct value *left, const struct value *right,
               struct eval *eval, struct value *out)
{
    if (left->type == QTDB_TYPE_DATE || right->type == QTDB_TYPE_DATE)
        return date_arithmetic(expr, left, right, eval, out);
    if (expr->type.type == QTDB_TYPE_NUMERIC)
        return numeric_arithmetic(expr, left, right, eval, out);
    if (is_real(expr->type.type))
        return real_arithmetic(expr, left->real, right->real, eval, out);
    return integer_arithmetic(expr, left->integer, right->integer, eval, out);
}

enum status
expr_negate(const struct expr *expr, const struct value *value, struct eval *eval,
            struct value *out)
{
    struct value zero = value_integer(QTDB_TYPE_INT8, 0);
    struct expr minus = *expr;

    if (is_real(value->type)) {
        *out = value_real(value->type, -value->real);
        return STATUS_OK;
    }
    minus.operator_kind = EXPR_SUBTRACT;
    if (value->type != QTDB_TYPE_NUMERIC)
        return integer_arithmetic(&minus, 0, value->integer, eval, out);
    TRY(value_cast(&zero, &expr->type, eval->arena, &zero, eval->error));
    return numeric_arithmetic(&minus, &zero, value, eval, out);
}
