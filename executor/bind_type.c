/*
 * Types and casts. An untyped literal (a quoted text, NULL, a text parameter) takes the type of what
 * it stands beside, and text where nothing says otherwise. Numbers widen in the order int2, int4,
 * int8, numeric, float4, float8.
 */
#include "executor/bind_private.h"
#include "kernel/base/check.h"

static const struct sql_type type_text = {QTDB_TYPE_TEXT, -1, -1};

bool
bind__is_unknown(const struct expr *expr)
{
    CHECK(expr != NULL);
    return (expr->kind == EXPR_CONSTANT || expr->kind == EXPR_PARAMETER) &&
           expr->type.type == QTDB_TYPE_NULL;
}

int
bind__number_rank(enum qtdb_type type)
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

bool
bind__is_exact(enum qtdb_type type)
{
    int rank = bind__number_rank(type);

    return rank > 0 && rank < 5;
}

bool
bind__is_text(enum qtdb_type type)
{
    return type == QTDB_TYPE_TEXT || type == QTDB_TYPE_VARCHAR || type == QTDB_TYPE_CHAR;
}

static int
stamp_rank(enum qtdb_type type)
{
    switch (type) {
    case QTDB_TYPE_DATE:
        return 1;
    case QTDB_TYPE_TIMESTAMP:
        return 2;
    case QTDB_TYPE_TIMESTAMPTZ:
        return 3;
    default:
        return 0;
    }
}

bool
bind__casts_implicitly(enum qtdb_type from, enum qtdb_type to)
{
    if (from == to || from == QTDB_TYPE_NULL)
        return true;
    if (bind__is_text(from) && bind__is_text(to))
        return true;
    if (value_is_array(from) && value_is_array(to))
        return bind__casts_implicitly(value_element(from), value_element(to));
    if (bind__number_rank(from) > 0)
        return bind__number_rank(to) > bind__number_rank(from);
    if (from == QTDB_TYPE_TIME)
        return to == QTDB_TYPE_INTERVAL;
    return stamp_rank(from) > 0 && stamp_rank(to) > stamp_rank(from);
}

/* The type that both sides become; QTDB_TYPE_NULL when there is none. */
enum qtdb_type
bind__common_type(enum qtdb_type left, enum qtdb_type right)
{
    int left_rank = bind__number_rank(left), right_rank = bind__number_rank(right);

    if (left == right || right == QTDB_TYPE_NULL)
        return left;
    if (left == QTDB_TYPE_NULL)
        return right;
    if (left_rank > 0 && right_rank > 0) {
        /* float4 beside a number that is not float4 is computed in float8. */
        enum qtdb_type higher = left_rank > right_rank ? left : right;
        return higher == QTDB_TYPE_FLOAT4 ? QTDB_TYPE_FLOAT8 : higher;
    }
    if (bind__is_text(left) && bind__is_text(right))
        return left == QTDB_TYPE_TEXT || right == QTDB_TYPE_TEXT ? QTDB_TYPE_TEXT : QTDB_TYPE_CHAR;
    if (value_is_array(left) && value_is_array(right)) {
        enum qtdb_type element = bind__common_type(value_element(left), value_element(right));

        return element == QTDB_TYPE_NULL ? element : value_array_of(element);
    }
    if (stamp_rank(left) > 0 && stamp_rank(right) > 0)
        return stamp_rank(left) > stamp_rank(right) ? left : right;
    return QTDB_TYPE_NULL;
}

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
    struct expr *cast = NULL;

    if (expr->type.type == type->type && type->precision < 0) {
        *out = expr;
        return STATUS_OK;
    }
    bool is_enum = value_is_enum(value_element(type->type));
    if (expr->kind == EXPR_CONSTANT && !is_enum && !value_is_enum(value_element(expr->type.type)))
        return fold_constant(bind, expr, type, out);
    if (expr->type.type != type->type && !value_can_cast(expr->type.type, type->type))
        return sql_error_set(bind->error, "42846", expr->location, "cannot cast type %s to %s",
                             bind__type_name(bind, expr->type.type),
                             bind__type_name(bind, type->type));
    if (is_enum)
        return bind__cast_enum(bind, expr, type, out);
    if (expr->kind == EXPR_CONSTANT)
        return fold_constant(bind, expr, type, out);
    TRY(bind__new_expr(bind, EXPR_CAST, type->type, expr->location, 1, &cast));
    cast->type = *type;
    cast->arguments[0] = expr;
    *out = cast;
    return STATUS_OK;
}

enum status
bind__settle(struct bind *bind, struct expr **expr)
{
    return bind__is_unknown(*expr) ? bind__cast(bind, *expr, &type_text, expr) : STATUS_OK;
}

enum status
bind__unify(struct bind *bind, int32_t location, struct expr **arguments, uint32_t count,
            const char *what, struct sql_type *type_out)
{
    enum qtdb_type type = QTDB_TYPE_NULL;

    for (uint32_t i = 0; i < count; i++) {
        enum qtdb_type next = bind__common_type(type, arguments[i]->type.type);

        if (next == QTDB_TYPE_NULL && type != QTDB_TYPE_NULL)
            return sql_error_set(bind->error, "42804", location,
                                 "%s types %s and %s cannot be matched", what,
                                 value_type_name(type), value_type_name(arguments[i]->type.type));
        type = next;
    }
    *type_out = type == QTDB_TYPE_NULL ? type_text : (struct sql_type){type, -1, -1};
    for (uint32_t i = 0; i < count; i++)
        TRY(bind__cast(bind, arguments[i], type_out, &arguments[i]));
    return STATUS_OK;
}
