/*
 * Evaluation: one function a kind, arguments first. Depth is bounded by the parser's limit. Columns and
 * constants, which most arguments are, are looked at where they are and not copied.
 */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "executor/enumeration.h"
#include "executor/exec_private.h"
#include "executor/function.h"
#include "kernel/base/check.h"

/* An argument's value, in place or in `room`. */
static inline enum status
look(const struct expr *expr, const struct value *row, struct eval *eval, struct value *room,
     const struct value **out)
{
    switch (expr->kind) {
    case EXPR_COLUMN:
    case EXPR_AGGREGATE:
        *out = &row[expr->index];
        return STATUS_OK;
    case EXPR_CONSTANT:
        *out = &expr->constant;
        return STATUS_OK;
    default:
        *out = room;
        return expr_eval(expr, row, eval, room);
    }
}

/* Two arguments and room for them. */
struct two {
    const struct value *left;
    const struct value *right;
    struct value left_room;
    struct value right_room;
};

static inline enum status
eval_two(const struct expr *expr, const struct value *row, struct eval *eval, struct two *two)
{
    CHECK(expr->argument_count == 2);
    TRY(look(expr->arguments[0], row, eval, &two->left_room, &two->left));
    return look(expr->arguments[1], row, eval, &two->right_room, &two->right);
}

/* As value_compare, at once for what is kept as an integer. */
static inline int
compare(const struct value *left, const struct value *right)
{
    if (value_type_is_integer(left->type))
        return (left->integer > right->integer) - (left->integer < right->integer);
    return value_compare(left, right);
}

/* Comparison and logic. */

static enum status
eval_compare(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    struct two two;

    *out = value_null(QTDB_TYPE_BOOL);
    if (expr->negated)
        return STATUS_OK;
    TRY(eval_two(expr, row, eval, &two));
    if (!two.left->null && !two.right->null)
        *out = value_integer(QTDB_TYPE_BOOL, expr_order_satisfies(expr->operator_kind,
                                                                  compare(two.left, two.right)));
    return STATUS_OK;
}

static enum status
eval_distinct_from(const struct expr *expr, const struct value *row, struct eval *eval,
                   struct value *out)
{
    struct two two;

    TRY(eval_two(expr, row, eval, &two));
    bool same = two.left->null || two.right->null ? two.left->null && two.right->null
                                                  : compare(two.left, two.right) == 0;
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
        const struct value *value;
        struct value room;

        TRY(look(expr->arguments[i], row, eval, &room, &value));
        if (!value->null && (value->integer != 0) == stop) {
            *out = value_integer(QTDB_TYPE_BOOL, stop);
            return STATUS_OK;
        }
        unknown = unknown || value->null;
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
    const struct value *value, *other;
    struct value room, other_room;
    bool unknown = false, found = false;

    TRY(look(expr->arguments[0], row, eval, &room, &value));
    for (uint32_t i = 1; i < expr->argument_count && !found && !value->null; i++) {
        TRY(look(expr->arguments[i], row, eval, &other_room, &other));
        unknown = unknown || other->null;
        found = !other->null && compare(value, other) == 0;
    }
    if (value->null || (!found && unknown))
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

/* From `at` on, where a pattern that goes on with this byte behind % can begin; the text's size: nowhere.
 * Texts and patterns are UTF-8, so the byte begins a character in both. */
static size_t
next_candidate(const char *text, size_t text_size, size_t at, const char *pattern,
               size_t pattern_size)
{
    if (pattern_size == 0 || pattern[0] == '%' || pattern[0] == '_' || pattern[0] == '\\')
        return at;
    const char *found = memchr(text + at, pattern[0], text_size - at);
    return found == NULL ? text_size : (size_t)(found - text);
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
            if (p == pattern_size)
                return true;
            if (!insensitive)
                t = star_text = next_candidate(text, text_size, t, pattern + p, pattern_size - p);
        } else if (p < pattern_size && !escaped && pattern[p] == '_') {
            t += character_size(text + t, text_size - t);
            p++;
        } else if (literal < pattern_size && same_byte(pattern[literal], text[t], insensitive)) {
            t++;
            p = literal + 1;
        } else if (star_pattern != SIZE_MAX) {
            star_text += character_size(text + star_text, text_size - star_text);
            p = star_pattern;
            if (!insensitive)
                star_text =
                    next_candidate(text, text_size, star_text, pattern + p, pattern_size - p);
            t = star_text;
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
    struct two two;

    TRY(eval_two(expr, row, eval, &two));
    *out = value_null(QTDB_TYPE_BOOL);
    if (two.left->null || two.right->null)
        return STATUS_OK;
    bool matches = expr_like((const char *)two.left->bytes, two.left->size,
                             (const char *)two.right->bytes, two.right->size, expr->insensitive);
    *out = value_integer(QTDB_TYPE_BOOL, matches != expr->negated);
    return STATUS_OK;
}

static enum status
eval_concat(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    struct two two;

    TRY(eval_two(expr, row, eval, &two));
    *out = value_null(QTDB_TYPE_TEXT);
    if (two.left->null || two.right->null)
        return STATUS_OK;
    size_t size = (size_t)two.left->size + two.right->size;
    if (size > UINT32_MAX / 2)
        return sql_error_set(eval->error, "54000", expr->location, "a text is too long");
    uint8_t *bytes = arena_alloc(eval->arena, size + 1);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    memcpy(bytes, two.left->bytes, two.left->size);
    memcpy(bytes + two.left->size, two.right->bytes, two.right->size);
    *out = value_bytes(QTDB_TYPE_TEXT, bytes, size);
    return STATUS_OK;
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
eval_nullif(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    bool equal = false;

    TRY(expr_eval(expr->arguments[0], row, eval, out));
    TRY(expr_is_true(expr->arguments[1], row, eval, &equal));
    if (equal)
        *out = value_null(expr->type.type);
    return STATUS_OK;
}

/* GREATEST and LEAST pass over nulls. */
static enum status
eval_greatest(const struct expr *expr, const struct value *row, struct eval *eval,
              struct value *out)
{
    *out = value_null(expr->type.type);
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        struct value value;

        TRY(expr_eval(expr->arguments[i], row, eval, &value));
        if (value.null)
            continue;
        /* The first of equals. */
        int order = out->null ? 0 : value_compare(&value, out);
        if (out->null || (expr->negated ? order < 0 : order > 0))
            *out = value;
    }
    return STATUS_OK;
}

/* Two of one number type. */
static enum status
eval_arithmetic(const struct expr *expr, const struct value *row, struct eval *eval,
                struct value *out)
{
    struct two two;

    *out = value_null(expr->type.type);
    if (expr->negated)
        return STATUS_OK;
    TRY(eval_two(expr, row, eval, &two));
    return two.left->null || two.right->null ? STATUS_OK
                                             : expr_calculate(expr, two.left, two.right, eval, out);
}

static enum status
eval_negate(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    struct value value;

    TRY(expr_eval(expr->arguments[0], row, eval, &value));
    if (!value.null)
        return expr_negate(expr, &value, eval, out);
    *out = value;
    return STATUS_OK;
}

static enum status
eval_cast(const struct expr *expr, const struct value *row, struct eval *eval, struct value *out)
{
    struct value value;

    TRY(expr_eval(expr->arguments[0], row, eval, &value));
    enum status status =
        expr->enumeration != NULL ? enumeration_cast(expr->enumeration, &value, expr->type.type,
                                                     eval->arena, out, eval->error)
        : expr->negated ? value_cast_explicit(&value, &expr->type, eval->arena, out, eval->error)
                        : value_cast(&value, &expr->type, eval->arena, out, eval->error);
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
        [EXPR_FUNCTION] = function_eval,
        [EXPR_SUBQUERY] = exec__subquery,
        [EXPR_NULLIF] = eval_nullif,
        [EXPR_GREATEST] = eval_greatest,
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
    case EXPR_SLOT:
        *out = eval->slots[expr->index];
        return STATUS_OK;
    case EXPR_PARAMETER:
        *out = expr->index < eval->parameter_count ? eval->parameters[expr->index]
                                                   : value_null(expr->type.type);
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
