/*
 * Evaluation: one function a kind, arguments first. Depth is bounded by the parser's limit.
 */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "executor/expr.h"
#include "executor/numeric.h"
#include "kernel/base/check.h"

static bool
is_real(enum qtdb_type type)
{
    return type == QTDB_TYPE_FLOAT4 || type == QTDB_TYPE_FLOAT8;
}

static enum status
eval_two(const struct expr *expr, const struct value *row, struct eval *eval, struct value *left,
         struct value *right)
{
    CHECK(expr->argument_count == 2);
    TRY(expr_eval(expr->arguments[0], row, eval, left));
    return expr_eval(expr->arguments[1], row, eval, right);
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
    enum numeric_operation operation = expr->operator_kind == EXPR_ADD        ? NUMERIC_ADD
                                       : expr->operator_kind == EXPR_SUBTRACT ? NUMERIC_SUBTRACT
                                                                              : NUMERIC_MULTIPLY;
    const uint8_t *bytes = NULL;
    uint32_t size = 0;

    if (expr->operator_kind == EXPR_DIVIDE || expr->operator_kind == EXPR_MODULO)
        return sql_error_set(eval->error, "0A000", expr->location,
                             "division of numeric is not supported yet");
    enum status status = numeric_calculate(operation, left->bytes, left->size, right->bytes,
                                           right->size, eval->arena, &bytes, &size);
    if (status == STATUS_FULL)
        return sql_error_set(eval->error, "22003", expr->location,
                             "value overflows numeric format");
    if (status == STATUS_OK)
        *out = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
    return status;
}

static enum status
eval_arithmetic(const struct expr *expr, const struct value *row, struct eval *eval,
                struct value *out)
{
    struct value left, right;

    TRY(eval_two(expr, row, eval, &left, &right));
    if (left.null || right.null) {
        *out = value_null(expr->type.type);
        return STATUS_OK;
    }
    if (expr->type.type == QTDB_TYPE_NUMERIC)
        return numeric_arithmetic(expr, &left, &right, eval, out);
    if (is_real(expr->type.type))
        return real_arithmetic(expr, left.real, right.real, eval, out);
    return integer_arithmetic(expr, left.integer, right.integer, eval, out);
}

static enum status
eval_negate(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    struct value zero, value;

    TRY(expr_eval(expr->arguments[0], row, eval, &value));
    if (value.null || is_real(value.type)) {
        *out = value;
        if (!value.null)
            out->real = -value.real;
        return STATUS_OK;
    }
    struct expr minus = *expr;
    minus.operator_kind = EXPR_SUBTRACT;
    if (value.type != QTDB_TYPE_NUMERIC)
        return integer_arithmetic(&minus, 0, value.integer, eval, out);
    struct value nothing = value_integer(QTDB_TYPE_INT8, 0);
    TRY(value_cast(&nothing, &expr->type, eval->arena, &zero, eval->error));
    return numeric_arithmetic(&minus, &zero, &value, eval, out);
}

/* Comparison and logic. */

static bool
order_satisfies(enum expr_operator operator_kind, int order)
{
    switch (operator_kind) {
    case EXPR_EQUAL:
        return order == 0;
    case EXPR_NOT_EQUAL:
        return order != 0;
    case EXPR_LESS:
        return order < 0;
    case EXPR_LESS_EQUAL:
        return order <= 0;
    case EXPR_GREATER:
        return order > 0;
    default:
        CHECK(operator_kind == EXPR_GREATER_EQUAL);
        return order >= 0;
    }
}

static enum status
eval_compare(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    struct value left, right;

    TRY(eval_two(expr, row, eval, &left, &right));
    *out = value_null(QTDB_TYPE_BOOL);
    if (!left.null && !right.null)
        *out = value_integer(QTDB_TYPE_BOOL,
                             order_satisfies(expr->operator_kind, value_compare(&left, &right)));
    return STATUS_OK;
}

static enum status
eval_distinct_from(const struct expr *expr, const struct value *row, struct eval *eval,
                   struct value *out)
{
    struct value left, right;

    TRY(eval_two(expr, row, eval, &left, &right));
    bool same =
        left.null || right.null ? left.null && right.null : value_compare(&left, &right) == 0;
    *out = value_integer(QTDB_TYPE_BOOL, same == expr->negated);
    return STATUS_OK;
}

/* AND stops at false, OR at true; an unknown argument leaves the result unknown. */
static enum status
eval_logic(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    bool stop = expr->kind == EXPR_OR;
    bool unknown = false;

    for (uint32_t i = 0; i < expr->argument_count; i++) {
        struct value value;

        TRY(expr_eval(expr->arguments[i], row, eval, &value));
        if (!value.null && (value.integer != 0) == stop) {
            *out = value_integer(QTDB_TYPE_BOOL, stop);
            return STATUS_OK;
        }
        unknown = unknown || value.null;
    }
    *out = unknown ? value_null(QTDB_TYPE_BOOL) : value_integer(QTDB_TYPE_BOOL, !stop);
    return STATUS_OK;
}

static enum status
eval_not(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    TRY(expr_eval(expr->arguments[0], row, eval, out));
    if (!out->null)
        out->integer = out->integer == 0;
    return STATUS_OK;
}

static enum status
eval_is_null(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    struct value value;

    TRY(expr_eval(expr->arguments[0], row, eval, &value));
    *out = value_integer(QTDB_TYPE_BOOL, value.null != expr->negated);
    return STATUS_OK;
}

static enum status
eval_in(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    struct value value, other;
    bool unknown = false, found = false;

    TRY(expr_eval(expr->arguments[0], row, eval, &value));
    for (uint32_t i = 1; i < expr->argument_count && !found && !value.null; i++) {
        TRY(expr_eval(expr->arguments[i], row, eval, &other));
        unknown = unknown || other.null;
        found = !other.null && value_compare(&value, &other) == 0;
    }
    if (value.null || (!found && unknown))
        *out = value_null(QTDB_TYPE_BOOL);
    else
        *out = value_integer(QTDB_TYPE_BOOL, found != expr->negated);
    return STATUS_OK;
}

/* Texts. */

static size_t
character_size(const char *text, size_t left)
{
    size_t size = 1;

    while (size < left && ((unsigned char)text[size] & 0xc0) == 0x80)
        size++;
    return size;
}

static bool
same_byte(char left, char right, bool insensitive)
{
    return left == right ||
           (insensitive && tolower((unsigned char)left) == tolower((unsigned char)right));
}

bool
expr_like(const char *text, size_t text_size, const char *pattern, size_t pattern_size,
          bool insensitive)
{
    size_t t = 0, p = 0, star_pattern = SIZE_MAX, star_text = 0;

    /* One place to come back to is enough: a later % makes an earlier one irrelevant. */
    while (t < text_size) {
        bool escaped = p + 1 < pattern_size && pattern[p] == '\\';
        size_t literal = p + escaped;

        if (p < pattern_size && !escaped && pattern[p] == '%') {
            star_pattern = ++p;
            star_text = t;
        } else if (p < pattern_size && !escaped && pattern[p] == '_') {
            t += character_size(text + t, text_size - t);
            p++;
        } else if (literal < pattern_size && same_byte(pattern[literal], text[t], insensitive)) {
            t++;
            p = literal + 1;
        } else if (star_pattern != SIZE_MAX) {
            star_text += character_size(text + star_text, text_size - star_text);
            t = star_text;
            p = star_pattern;
        } else {
            return false;
        }
    }
    while (p < pattern_size && pattern[p] == '%')
        p++;
    return p == pattern_size;
}

static enum status
eval_like(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    struct value text, pattern;

    TRY(eval_two(expr, row, eval, &text, &pattern));
    *out = value_null(QTDB_TYPE_BOOL);
    if (text.null || pattern.null)
        return STATUS_OK;
    bool matches = expr_like((const char *)text.bytes, text.size, (const char *)pattern.bytes,
                             pattern.size, expr->insensitive);
    *out = value_integer(QTDB_TYPE_BOOL, matches != expr->negated);
    return STATUS_OK;
}

static enum status
eval_concat(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    struct value left, right;

    TRY(eval_two(expr, row, eval, &left, &right));
    *out = value_null(QTDB_TYPE_TEXT);
    if (left.null || right.null)
        return STATUS_OK;
    size_t size = (size_t)left.size + right.size;
    if (size > UINT32_MAX / 2)
        return sql_error_set(eval->error, "54000", expr->location, "a text is too long");
    uint8_t *bytes = arena_alloc(eval->arena, size + 1);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    memcpy(bytes, left.bytes, left.size);
    memcpy(bytes + left.size, right.bytes, right.size);
    *out = value_bytes(QTDB_TYPE_TEXT, bytes, size);
    return STATUS_OK;
}

static enum status
change_case(const struct value *value, bool upper, struct eval *eval, struct value *out)
{
    uint8_t *bytes = arena_alloc(eval->arena, (size_t)value->size + 1);

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < value->size; i++)
        bytes[i] = (uint8_t)(upper ? toupper(value->bytes[i]) : tolower(value->bytes[i]));
    *out = value_bytes(QTDB_TYPE_TEXT, bytes, value->size);
    return STATUS_OK;
}

static int64_t
character_count(const struct value *value)
{
    int64_t count = 0;

    for (uint32_t i = 0; i < value->size; i++)
        count += (value->bytes[i] & 0xc0) != 0x80;
    return count;
}

static enum status
eval_function(const struct expr *expr, const struct value *row, struct eval *eval,
              struct value *out)
{
    struct value value;

    TRY(expr_eval(expr->arguments[0], row, eval, &value));
    if (value.null) {
        *out = value_null(expr->type.type);
        return STATUS_OK;
    }
    switch (expr->function) {
    case EXPR_LENGTH:
        *out = value_integer(QTDB_TYPE_INT4, character_count(&value));
        return STATUS_OK;
    case EXPR_ABS:
        if (is_real(value.type)) {
            *out = value_real(value.type, fabs(value.real));
            return STATUS_OK;
        }
        if (value.type == QTDB_TYPE_NUMERIC ? value.size > 8 && (value.bytes[5] & 0x40) != 0
                                            : value.integer < 0)
            return eval_negate(expr, row, eval, out);
        *out = value;
        return STATUS_OK;
    default:
        return change_case(&value, expr->function == EXPR_UPPER, eval, out);
    }
}

/* Choice. */

static enum status
eval_case(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    uint32_t last = expr->argument_count - 1;

    for (uint32_t i = 0; i < last; i += 2) {
        bool holds = false;

        TRY(expr_is_true(expr->arguments[i], row, eval, &holds));
        if (holds)
            return expr_eval(expr->arguments[i + 1], row, eval, out);
    }
    return expr_eval(expr->arguments[last], row, eval, out);
}

static enum status
eval_coalesce(const struct expr *expr, const struct value *row, struct eval *eval,
              struct value *out)
{
    *out = value_null(expr->type.type);
    for (uint32_t i = 0; i < expr->argument_count && out->null; i++)
        TRY(expr_eval(expr->arguments[i], row, eval, out));
    return STATUS_OK;
}

static enum status
eval_cast(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    struct value value;

    TRY(expr_eval(expr->arguments[0], row, eval, &value));
    enum status status = value_cast(&value, &expr->type, eval->arena, out, eval->error);
    if (status == STATUS_INVALID && eval->error->location < 0)
        eval->error->location = expr->location;
    return status;
}

enum status
expr_eval(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    static enum status (*const by_kind[])(const struct expr *, const struct value *, struct eval *,
                                          struct value *) = {
        [EXPR_ARITHMETIC] = eval_arithmetic,
        [EXPR_COMPARE] = eval_compare,
        [EXPR_AND] = eval_logic,
        [EXPR_OR] = eval_logic,
        [EXPR_NOT] = eval_not,
        [EXPR_IS_NULL] = eval_is_null,
        [EXPR_IN] = eval_in,
        [EXPR_LIKE] = eval_like,
        [EXPR_CASE] = eval_case,
        [EXPR_COALESCE] = eval_coalesce,
        [EXPR_CAST] = eval_cast,
        [EXPR_CONCAT] = eval_concat,
        [EXPR_NEGATE] = eval_negate,
        [EXPR_FUNCTION] = eval_function,
        [EXPR_DISTINCT_FROM] = eval_distinct_from,
    };

    switch (expr->kind) {
    case EXPR_CONSTANT:
        *out = expr->constant;
        return STATUS_OK;
    case EXPR_COLUMN:
    case EXPR_AGGREGATE:
        *out = row[expr->index];
        return STATUS_OK;
    case EXPR_PARAMETER:
        CHECK(expr->index < eval->parameter_count);
        *out = eval->parameters[expr->index];
        return STATUS_OK;
    default:
        return by_kind[expr->kind](expr, row, eval, out);
    }
}

enum status
expr_is_true(const struct expr *expr, const struct value *row, struct eval *eval, bool *out)
{
    struct value value;

    TRY(expr_eval(expr, row, eval, &value));
    *out = !value.null && value.integer != 0;
    return STATUS_OK;
}
