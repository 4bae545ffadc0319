/* Functions of arrays, and what stands behind ARRAY[...], subscripts, `x op ANY (array)`, ||, @> and &&. */
#include <stdio.h>
#include <string.h>

#include "executor/array.h"
#include "executor/function.h"
#include "executor/text_out.h"
#include "kernel/base/check.h"

static enum status
give_array(const struct expr *expr, const struct value *values, uint32_t count,
           const struct array *shape, struct eval *eval, struct value *out)
{
    return array_make(value_element(expr->type.type), values, count, shape, eval->arena, out);
}

/* Constructors. */

/* Arrays inside ARRAY[...] become one more dimension; they have to be of one shape. */
static enum status
stack_arrays(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    struct array shape = {.dimension_count = 0};
    struct value *values = NULL;
    uint32_t each = 0;

    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (arguments[i].null)
            return sql_error_set(
                eval->error, "2202E", expr->location,
                "multidimensional arrays must have array expressions with matching "
                "dimensions");
        struct array part = array_open(&arguments[i]);

        if (i == 0) {
            if (part.dimension_count == ARRAY_DIMENSIONS_MAX)
                return sql_error_set(
                    eval->error, "54000", expr->location,
                    "number of array dimensions (7) exceeds the maximum allowed (6)");
            each = part.count;
            shape.dimension_count = part.dimension_count + 1;
            shape.lengths[0] = (int32_t)expr->argument_count;
            shape.lowers[0] = 1;
            memcpy(&shape.lengths[1], part.lengths, part.dimension_count * sizeof(int32_t));
            memcpy(&shape.lowers[1], part.lowers, part.dimension_count * sizeof(int32_t));
            values = arena_alloc(eval->arena,
                                 ((size_t)each * expr->argument_count + 1) * sizeof(*values));
            if (values == NULL)
                return STATUS_NO_MEMORY;
        }
        if (part.dimension_count + 1 != shape.dimension_count ||
            memcmp(&shape.lengths[1], part.lengths, part.dimension_count * sizeof(int32_t)) != 0)
            return sql_error_set(
                eval->error, "2202E", expr->location,
                "multidimensional arrays must have array expressions with matching "
                "dimensions");
        for (uint32_t k = 0; k < each; k++)
            values[i * each + k] = array_next(&part);
    }
    return give_array(expr, values, each * expr->argument_count, &shape, eval, out);
}

static enum status
call_constructor(const struct expr *expr, const struct value *arguments, struct eval *eval,
                 struct value *out)
{
    if (expr->argument_count > 0 && value_is_array(expr->arguments[0]->type.type))
        return stack_arrays(expr, arguments, eval, out);
    return give_array(expr, arguments, expr->argument_count, NULL, eval, out);
}

const struct function function_array_constructor = {"array",      0,    1,    {FUNCTION_ANY},
                                                    FUNCTION_ANY, true, true, call_constructor};

/* Subscripts. */

static enum status
call_subscript(const struct expr *expr, const struct value *arguments, struct eval *eval,
               struct value *out)
{
    struct array array = array_open(&arguments[0]);
    uint64_t at = 0;

    (void)eval;
    *out = value_null(expr->type.type);
    if (array.dimension_count != expr->argument_count - 1)
        return STATUS_OK;
    for (uint32_t i = 0; i < array.dimension_count; i++) {
        int64_t index = arguments[i + 1].integer - array.lowers[i];

        if (index < 0 || index >= array.lengths[i])
            return STATUS_OK;
        at = at * (uint32_t)array.lengths[i] + (uint64_t)index;
    }
    for (; at > 0; at--)
        (void)array_next(&array);
    *out = array_next(&array);
    return STATUS_OK;
}

/* Whether element number `at` lies in all the bounds. */
static bool
inside(const struct array *array, const int64_t *low, const int64_t *high, uint64_t at)
{
    for (uint32_t i = array->dimension_count; i-- > 0;) {
        int64_t index = (int64_t)(at % (uint32_t)array->lengths[i]);

        if (index < low[i] || index > high[i])
            return false;
        at /= (uint32_t)array->lengths[i];
    }
    return true;
}

static enum status
call_slice(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    struct array array = array_open(&arguments[0]), shape = array;
    int64_t low[ARRAY_DIMENSIONS_MAX], high[ARRAY_DIMENSIONS_MAX];
    struct value *values = arena_alloc(eval->arena, (array.count + 1) * sizeof(*values));
    uint32_t count = 0;
    bool empty = (expr->argument_count - 1) / 2 > array.dimension_count;

    if (values == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < array.dimension_count; i++) {
        bool given = 2 * i + 2 < expr->argument_count;

        low[i] = given ? arguments[2 * i + 1].integer - array.lowers[i] : 0;
        high[i] = given ? arguments[2 * i + 2].integer - array.lowers[i] : array.lengths[i] - 1;
        low[i] = low[i] < 0 ? 0 : low[i];
        high[i] = high[i] >= array.lengths[i] ? array.lengths[i] - 1 : high[i];
        empty = empty || low[i] > high[i];
        shape.lengths[i] = (int32_t)(high[i] - low[i] + 1);
        shape.lowers[i] = 1;
    }
    for (uint32_t i = 0; i < array.count && !empty; i++) {
        struct value value = array_next(&array);

        if (inside(&array, low, high, i))
            values[count++] = value;
    }
    return give_array(expr, values, count, &shape, eval, out);
}

/* ANY and ALL. */

static enum status
call_quantified(const struct expr *expr, const struct value *arguments, struct value *out, bool all)
{
    bool unknown = false;

    *out = value_null(QTDB_TYPE_BOOL);
    if (arguments[1].null)
        return STATUS_OK;
    struct array array = array_open(&arguments[1]);
    for (uint32_t i = 0; i < array.count; i++) {
        struct value value = array_next(&array);

        if (value.null || arguments[0].null) {
            unknown = true;
        } else if (expr_order_satisfies(expr->operator_kind,
                                        value_compare(&arguments[0], &value)) != all) {
            *out = value_integer(QTDB_TYPE_BOOL, !all);
            return STATUS_OK;
        }
    }
    if (!unknown)
        *out = value_integer(QTDB_TYPE_BOOL, all);
    return STATUS_OK;
}

static enum status
call_any(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    (void)eval;
    return call_quantified(expr, arguments, out, false);
}

static enum status
call_all(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    (void)eval;
    return call_quantified(expr, arguments, out, true);
}

/* x LIKE ANY (array): `insensitive` for ILIKE, EXPR_NOT_EQUAL for NOT. */
static enum status
call_quantified_like(const struct expr *expr, const struct value *arguments, struct eval *eval,
                     struct value *out)
{
    bool all = expr->function == &function_array_like_all, unknown = false;
    bool wanted = expr->operator_kind == EXPR_EQUAL;

    (void)eval;
    *out = value_null(QTDB_TYPE_BOOL);
    if (arguments[1].null)
        return STATUS_OK;
    struct array array = array_open(&arguments[1]);
    for (uint32_t i = 0; i < array.count; i++) {
        struct value value = array_next(&array);

        if (value.null || arguments[0].null) {
            unknown = true;
        } else if ((expr_like((const char *)arguments[0].bytes, arguments[0].size,
                              (const char *)value.bytes, value.size,
                              expr->insensitive) == wanted) != all) {
            *out = value_integer(QTDB_TYPE_BOOL, !all);
            return STATUS_OK;
        }
    }
    if (!unknown)
        *out = value_integer(QTDB_TYPE_BOOL, all);
    return STATUS_OK;
}

const struct function function_array_like_any = {
    "like any",     2,    2,     {FUNCTION_ANY, FUNCTION_ANY},
    QTDB_TYPE_BOOL, true, false, call_quantified_like};
const struct function function_array_like_all = {
    "like all",     2,    2,     {FUNCTION_ANY, FUNCTION_ANY},
    QTDB_TYPE_BOOL, true, false, call_quantified_like};
const struct function function_array_any = {
    "any", 2, 2, {FUNCTION_ANY, FUNCTION_ANY}, QTDB_TYPE_BOOL, true, false, call_any};
const struct function function_array_all = {
    "all", 2, 2, {FUNCTION_ANY, FUNCTION_ANY}, QTDB_TYPE_BOOL, true, false, call_all};

/* Sizes. */

/* array_length, array_lower, array_upper (array, dimension). */
static enum status
call_bound(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    struct array array = array_open(&arguments[0]);
    int64_t at = arguments[1].integer - 1;
    char what = expr->function->name[6];

    (void)eval;
    *out = value_null(QTDB_TYPE_INT4);
    if (at < 0 || at >= array.dimension_count)
        return STATUS_OK;
    int64_t low = array.lowers[at], length = array.lengths[at];
    bool is_length = strcmp(expr->function->name, "array_length") == 0;
    *out = value_integer(QTDB_TYPE_INT4, is_length ? length : what == 'u' ? low + length - 1 : low);
    return STATUS_OK;
}

static enum status
call_cardinality(const struct expr *expr, const struct value *arguments, struct eval *eval,
                 struct value *out)
{
    (void)expr, (void)eval;
    *out = value_integer(QTDB_TYPE_INT4, array_open(&arguments[0]).count);
    return STATUS_OK;
}

static enum status
call_ndims(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    uint32_t dimensions = array_open(&arguments[0]).dimension_count;

    (void)expr, (void)eval;
    *out = dimensions == 0 ? value_null(QTDB_TYPE_INT4) : value_integer(QTDB_TYPE_INT4, dimensions);
    return STATUS_OK;
}

/* [1:2][1:3] */
static enum status
call_dims(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    struct array array = array_open(&arguments[0]);
    char text[32 * ARRAY_DIMENSIONS_MAX];
    int size = 0;

    (void)expr;
    *out = value_null(QTDB_TYPE_TEXT);
    if (array.dimension_count == 0)
        return STATUS_OK;
    for (uint32_t i = 0; i < array.dimension_count; i++)
        size +=
            snprintf(text + size, sizeof(text) - (size_t)size, "[%lld:%lld]",
                     (long long)array.lowers[i], (long long)array.lowers[i] + array.lengths[i] - 1);
    char *copy = arena_copy_text(eval->arena, text, (size_t)size);
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    *out = value_bytes(QTDB_TYPE_TEXT, copy, (size_t)size);
    return STATUS_OK;
}

/* Joining. */

static enum status
refuse_shapes(const struct expr *expr, struct eval *eval)
{
    return sql_error_set(eval->error, "2202E", expr->location,
                         "cannot concatenate incompatible arrays");
}

/* array || array: of one shape but for the first dimension, or one a row of the other. */
static enum status
join_arrays(const struct expr *expr, const struct value *left, const struct value *right,
            struct eval *eval, struct value *out)
{
    struct array a = array_open(left), b = array_open(right), shape = a;
    struct value *values;

    if (a.count == 0 || b.count == 0) {
        *out = a.count == 0 ? *right : *left;
        return STATUS_OK;
    }
    uint32_t a_skip = 1, b_skip = 1;
    if (a.dimension_count == b.dimension_count) {
        shape.lengths[0] = a.lengths[0] + b.lengths[0];
    } else if (a.dimension_count == b.dimension_count + 1) {
        shape.lengths[0]++;
        b_skip = 0;
    } else if (a.dimension_count + 1 == b.dimension_count) {
        shape = b;
        shape.lengths[0]++;
        a_skip = 0;
    } else {
        return refuse_shapes(expr, eval);
    }
    for (uint32_t i = 1; i < shape.dimension_count; i++) {
        if (a.lengths[i - 1 + a_skip] != b.lengths[i - 1 + b_skip])
            return refuse_shapes(expr, eval);
    }
    values = arena_alloc(eval->arena, ((size_t)a.count + b.count) * sizeof(*values));
    if (values == NULL)
        return STATUS_NO_MEMORY;
    uint32_t count = 0;
    for (uint32_t i = a.count; i > 0; i--)
        values[count++] = array_next(&a);
    for (uint32_t i = b.count; i > 0; i--)
        values[count++] = array_next(&b);
    return give_array(expr, values, count, &shape, eval, out);
}

static enum status
call_cat(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    if (arguments[0].null || arguments[1].null) {
        *out = arguments[0].null ? arguments[1] : arguments[0];
        return STATUS_OK;
    }
    return join_arrays(expr, &arguments[0], &arguments[1], eval, out);
}

/* array_append, array_prepend and || with an element. */
static enum status
call_add(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    bool append = value_is_array(expr->arguments[0]->type.type);
    const struct value *element = &arguments[append ? 1 : 0], *whole = &arguments[append ? 0 : 1];
    struct array array = {.dimension_count = 0};

    if (!whole->null)
        array = array_open(whole);
    if (array.dimension_count > 1)
        return sql_error_set(eval->error, "22000", expr->location,
                             "argument must be empty or one-dimensional array");
    struct value *values = arena_alloc(eval->arena, ((size_t)array.count + 1) * sizeof(*values));
    if (values == NULL)
        return STATUS_NO_MEMORY;
    uint32_t count = array.count, next = append ? 0 : 1;
    values[append ? count : 0] = *element;
    for (uint32_t i = 0; i < count; i++)
        values[next++] = array_next(&array);
    struct array shape = {.dimension_count = 1, .lengths = {(int32_t)count + 1}, .lowers = {1}};
    if (count > 0)
        shape.lowers[0] = array.lowers[0];
    return give_array(expr, values, count + 1, &shape, eval, out);
}

/* Searching. */

static bool
same(const struct value *left, const struct value *right)
{
    if (left->null || right->null)
        return left->null && right->null;
    return value_compare(left, right) == 0;
}

static bool
has_element(const struct value *whole, const struct value *wanted)
{
    struct array array = array_open(whole);

    for (uint32_t i = 0; i < array.count; i++) {
        struct value value = array_next(&array);

        if (!wanted->null && !value.null && value_compare(&value, wanted) == 0)
            return true;
    }
    return false;
}

/* @>, <@: every element of the one is in the other. */
static enum status
call_contains(const struct expr *expr, const struct value *arguments, struct eval *eval,
              struct value *out)
{
    bool swap = expr->function->name[0] == '<', all = true;
    struct array array = array_open(&arguments[swap ? 0 : 1]);

    (void)eval;
    for (uint32_t i = 0; i < array.count && all; i++) {
        struct value value = array_next(&array);

        all = has_element(&arguments[swap ? 1 : 0], &value);
    }
    *out = value_integer(QTDB_TYPE_BOOL, all);
    return STATUS_OK;
}

static enum status
call_overlaps(const struct expr *expr, const struct value *arguments, struct eval *eval,
              struct value *out)
{
    struct array array = array_open(&arguments[0]);
    bool any = false;

    (void)expr, (void)eval;
    for (uint32_t i = 0; i < array.count && !any; i++) {
        struct value value = array_next(&array);

        any = has_element(&arguments[1], &value);
    }
    *out = value_integer(QTDB_TYPE_BOOL, any);
    return STATUS_OK;
}

/* array_position(array, element [, from]). */
static enum status
call_position(const struct expr *expr, const struct value *arguments, struct eval *eval,
              struct value *out)
{
    *out = value_null(QTDB_TYPE_INT4);
    if (arguments[0].null)
        return STATUS_OK;
    struct array array = array_open(&arguments[0]);
    int64_t from =
        expr->argument_count > 2 && !arguments[2].null ? arguments[2].integer : INT32_MIN;
    if (array.dimension_count > 1)
        return sql_error_set(eval->error, "0A000", expr->location,
                             "searching for elements in multidimensional arrays is not supported");
    for (uint32_t i = 0; i < array.count; i++) {
        struct value value = array_next(&array);

        if (array.lowers[0] + (int64_t)i >= from && same(&value, &arguments[1])) {
            *out = value_integer(QTDB_TYPE_INT4, array.lowers[0] + (int64_t)i);
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

static enum status
call_positions(const struct expr *expr, const struct value *arguments, struct eval *eval,
               struct value *out)
{
    *out = value_null(expr->type.type);
    if (arguments[0].null)
        return STATUS_OK;
    struct array array = array_open(&arguments[0]);
    struct value *values = arena_alloc(eval->arena, (array.count + 1) * sizeof(*values));
    uint32_t count = 0;
    if (values == NULL)
        return STATUS_NO_MEMORY;
    if (array.dimension_count > 1)
        return sql_error_set(eval->error, "0A000", expr->location,
                             "searching for elements in multidimensional arrays is not supported");
    for (uint32_t i = 0; i < array.count; i++) {
        struct value value = array_next(&array);

        if (same(&value, &arguments[1]))
            values[count++] = value_integer(QTDB_TYPE_INT4, array.lowers[0] + (int64_t)i);
    }
    return give_array(expr, values, count, NULL, eval, out);
}

/* array_remove(array, element), array_replace(array, old, new). */
static enum status
call_replace(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    *out = value_null(expr->type.type);
    if (arguments[0].null)
        return STATUS_OK;
    struct array array = array_open(&arguments[0]), shape = array;
    struct value *values = arena_alloc(eval->arena, (array.count + 1) * sizeof(*values));
    bool remove = expr->argument_count == 2;
    uint32_t count = 0;

    if (values == NULL)
        return STATUS_NO_MEMORY;
    if (remove && array.dimension_count > 1)
        return sql_error_set(eval->error, "0A000", expr->location,
                             "removing elements from multidimensional arrays is not supported");
    for (uint32_t i = 0; i < shape.count; i++) {
        struct value value = array_next(&array);
        bool found = same(&value, &arguments[1]);

        if (!found || !remove)
            values[count++] = found ? arguments[2] : value;
    }
    if (remove)
        shape.lengths[0] = (int32_t)count;
    return give_array(expr, values, count, &shape, eval, out);
}

/* Texts. */

/* array_to_string(array, between [, null text]). */
static enum status
call_to_string(const struct expr *expr, const struct value *arguments, struct eval *eval,
               struct value *out)
{
    struct text_out text = {.arena = eval->arena};
    bool first = true;

    *out = value_null(QTDB_TYPE_TEXT);
    if (arguments[0].null || arguments[1].null)
        return STATUS_OK;
    struct array array = array_open(&arguments[0]);
    for (uint32_t i = array.count; i > 0; i--) {
        struct value value = array_next(&array);
        size_t size = 0;

        if (value.null) {
            if (expr->argument_count < 3 || arguments[2].null)
                continue;
            value = arguments[2];
        }
        const char *printed = value_print(&value, eval->arena, &size);
        if (printed == NULL)
            return STATUS_NO_MEMORY;
        if (!first)
            text_out_put(&text, arguments[1].bytes, arguments[1].size);
        first = false;
        text_out_put(&text, printed, size);
    }
    return text_out_value(&text, QTDB_TYPE_TEXT, out);
}

/* The byte where `part` begins at or after `from`; the text's size when nowhere. */
static uint32_t
find_part(const struct value *text, const struct value *part, uint32_t from)
{
    for (uint32_t at = from; part->size <= text->size && at <= text->size - part->size; at++) {
        if (memcmp(text->bytes + at, part->bytes, part->size) == 0)
            return at;
    }
    return text->size;
}

/* string_to_array(text, between [, null text]); without `between` into characters. */
static enum status
call_from_string(const struct expr *expr, const struct value *arguments, struct eval *eval,
                 struct value *out)
{
    const struct value *text = &arguments[0], *between = &arguments[1];
    uint32_t from = 0, count = 0;

    *out = value_null(expr->type.type);
    if (text->null)
        return STATUS_OK;
    struct value *values = arena_alloc(eval->arena, ((size_t)text->size + 1) * sizeof(*values));
    if (values == NULL)
        return STATUS_NO_MEMORY;
    while (text->size > 0) {
        uint32_t to = from + 1;

        if (between->null) {
            while (to < text->size && (text->bytes[to] & 0xc0) == 0x80)
                to++;
        } else {
            to = between->size == 0 ? text->size : find_part(text, between, from);
        }
        struct value part = value_bytes(QTDB_TYPE_TEXT, text->bytes + from, to - from);
        if (expr->argument_count > 2 && !arguments[2].null && same(&part, &arguments[2]))
            part = value_null(QTDB_TYPE_TEXT);
        values[count++] = part;
        if (to == text->size)
            break;
        from = to + (between->null ? 0 : between->size);
    }
    return give_array(expr, values, count, NULL, eval, out);
}

/* array_fill(element, lengths). */
static enum status
call_fill(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    bool bounds = expr->argument_count > 2;

    if (arguments[1].null || (bounds && arguments[2].null))
        return sql_error_set(eval->error, "22004", expr->location,
                             "dimension array or low bound array cannot be null");
    struct array lengths = array_open(&arguments[1]);
    struct array lowers = array_open(&arguments[bounds ? 2 : 1]);
    struct array shape = {.dimension_count = lengths.count};
    uint64_t count = lengths.count > 0 ? 1 : 0;

    if (lowers.count != lengths.count)
        return sql_error_set(eval->error, "2202E", expr->location,
                             "wrong number of array subscripts");

    if (lengths.count > ARRAY_DIMENSIONS_MAX)
        return sql_error_set(eval->error, "54000", expr->location,
                             "number of array dimensions (%u) exceeds the maximum allowed (%d)",
                             lengths.count, ARRAY_DIMENSIONS_MAX);
    for (uint32_t i = 0; i < shape.dimension_count; i++) {
        struct value length = array_next(&lengths);

        if (length.null || length.integer < 0 || length.integer > ARRAY_ELEMENTS_MAX ||
            count * (uint64_t)length.integer > ARRAY_ELEMENTS_MAX / 16)
            return sql_error_set(eval->error, "54000", expr->location,
                                 "array size exceeds the maximum allowed");
        shape.lengths[i] = (int32_t)length.integer;
        struct value lower = array_next(&lowers);
        if (length.null || lower.null)
            return sql_error_set(eval->error, "22004", expr->location,
                                 "dimension values cannot be null");
        shape.lowers[i] = bounds ? (int32_t)lower.integer : 1;
        count *= (uint64_t)length.integer;
    }
    struct value *values = arena_alloc(eval->arena, (count + 1) * sizeof(*values));
    if (values == NULL)
        return STATUS_NO_MEMORY;
    for (uint64_t i = 0; i < count; i++)
        values[i] = arguments[0];
    return give_array(expr, values, (uint32_t)count, &shape, eval, out);
}

/* Rows (bind_set_function.c). */

static enum status
call_unnest(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    (void)expr, (void)eval;
    *out = arguments[0];
    return STATUS_OK;
}

static enum status
call_subscripts(const struct expr *expr, const struct value *arguments, struct eval *eval,
                struct value *out)
{
    struct array array = array_open(&arguments[0]);
    int64_t at = arguments[1].integer - 1;
    uint32_t count = at >= 0 && at < array.dimension_count ? (uint32_t)array.lengths[at] : 0;
    struct value *values = arena_alloc(eval->arena, ((size_t)count + 1) * sizeof(*values));

    if (values == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        values[i] = value_integer(QTDB_TYPE_INT4, array.lowers[at] + (int64_t)i);
    return give_array(expr, values, count, NULL, eval, out);
}

/* generate_series of numerics and timestamps: at most a million rows, which are held. */
static enum status
call_series(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    enum { ROWS_MAX = 1000000 };
    enum qtdb_type type = expr->arguments[0]->type.type;
    struct value *values = arena_alloc(eval->arena, 64 * sizeof(*values));
    struct value one = value_integer(QTDB_TYPE_INT4, 1), next = arguments[0], zero, step;
    static const struct sql_type numeric = {QTDB_TYPE_NUMERIC, -1, -1},
                                 interval = {QTDB_TYPE_INTERVAL, -1, -1};
    uint32_t count = 0, capacity = 64;

    if (values == NULL)
        return STATUS_NO_MEMORY;
    step = expr->argument_count > 2 ? arguments[2] : one;
    if (expr->argument_count < 3)
        TRY(value_cast(&one, &numeric, eval->arena, &step, eval->error));
    TRY(value_parse(type == QTDB_TYPE_NUMERIC ? &numeric : &interval, "0", 1, eval->arena, &zero,
                    eval->error));
    int direction = value_compare(&step, &zero);
    if (direction == 0)
        return sql_error_set(eval->error, "22023", expr->location, "step size cannot equal zero");
    enum qtdb_type types[2] = {type, step.type};
    struct expr add = *expr;
    add.type.type = type;
    add.operator_kind = EXPR_ADD;
    add.argument_count = 2;
    add.function = function_find("+", types, 2, value_can_cast);
    while (direction > 0 ? value_compare(&next, &arguments[1]) <= 0
                         : value_compare(&next, &arguments[1]) >= 0) {
        struct value both[2] = {next, step};

        if (count == ROWS_MAX)
            return sql_error_set(eval->error, "54000", expr->location,
                                 "generate_series gives more than a million rows");
        if (count == capacity) {
            struct value *grown = arena_alloc(eval->arena, 2 * (size_t)capacity * sizeof(*grown));

            if (grown == NULL)
                return STATUS_NO_MEMORY;
            memcpy(grown, values, count * sizeof(*values));
            values = grown;
            capacity *= 2;
        }
        values[count++] = next;
        if (type == QTDB_TYPE_NUMERIC)
            TRY(expr_calculate(&add, &both[0], &both[1], eval, &next));
        else
            TRY(add.function->call(&add, both, eval, &next));
    }
    return give_array(expr, values, count, NULL, eval, out);
}

#define ARRAY FUNCTION_ANY_ARRAY
#define ELEMENT FUNCTION_ANY_ELEMENT
#define INT4 QTDB_TYPE_INT4
#define TEXT QTDB_TYPE_TEXT
#define TEXTS ((enum qtdb_type)(QTDB_TYPE_TEXT | VALUE_ARRAY))
#define STAMP QTDB_TYPE_TIMESTAMP
#define STAMPTZ QTDB_TYPE_TIMESTAMPTZ
#define SPAN QTDB_TYPE_INTERVAL
#define EXACT QTDB_TYPE_NUMERIC
#define STAMPS ((enum qtdb_type)(QTDB_TYPE_TIMESTAMP | VALUE_ARRAY))
#define STAMPTZS ((enum qtdb_type)(QTDB_TYPE_TIMESTAMPTZ | VALUE_ARRAY))
#define EXACTS ((enum qtdb_type)(QTDB_TYPE_NUMERIC | VALUE_ARRAY))
#define INTS ((enum qtdb_type)(QTDB_TYPE_INT4 | VALUE_ARRAY))

const struct function function_array_table[] = {
    {"[]", 2, 2, {ARRAY, INT4}, ELEMENT, false, true, call_subscript},
    {"[:]", 3, 2, {ARRAY, INT4}, ARRAY, false, true, call_slice},
    {"array_length", 2, 2, {ARRAY, INT4}, INT4, false, false, call_bound},
    {"array_lower", 2, 2, {ARRAY, INT4}, INT4, false, false, call_bound},
    {"array_upper", 2, 2, {ARRAY, INT4}, INT4, false, false, call_bound},
    {"cardinality", 1, 1, {ARRAY}, INT4, false, false, call_cardinality},
    {"array_ndims", 1, 1, {ARRAY}, INT4, false, false, call_ndims},
    {"array_dims", 1, 1, {ARRAY}, TEXT, false, false, call_dims},
    {"||", 2, 2, {ARRAY, ARRAY}, ARRAY, true, false, call_cat},
    {"||", 2, 2, {ARRAY, ELEMENT}, ARRAY, true, false, call_add},
    {"||", 2, 2, {ELEMENT, ARRAY}, ARRAY, true, false, call_add},
    {"array_cat", 2, 2, {ARRAY, ARRAY}, ARRAY, true, false, call_cat},
    {"array_append", 2, 2, {ARRAY, ELEMENT}, ARRAY, true, false, call_add},
    {"array_prepend", 2, 2, {ELEMENT, ARRAY}, ARRAY, true, false, call_add},
    {"@>", 2, 2, {ARRAY, ARRAY}, QTDB_TYPE_BOOL, false, false, call_contains},
    {"<@", 2, 2, {ARRAY, ARRAY}, QTDB_TYPE_BOOL, false, false, call_contains},
    {"&&", 2, 2, {ARRAY, ARRAY}, QTDB_TYPE_BOOL, false, false, call_overlaps},
    {"array_position", 2, 3, {ARRAY, ELEMENT, INT4}, INT4, true, false, call_position},
    {"array_positions", 2, 2, {ARRAY, ELEMENT}, INTS, true, false, call_positions},
    {"array_remove", 2, 2, {ARRAY, ELEMENT}, ARRAY, true, false, call_replace},
    {"array_replace", 3, 3, {ARRAY, ELEMENT, ELEMENT}, ARRAY, true, false, call_replace},
    {"array_to_string", 2, 3, {ARRAY, TEXT, TEXT}, TEXT, true, false, call_to_string},
    {"string_to_array", 2, 3, {TEXT, TEXT, TEXT}, TEXTS, true, false, call_from_string},
    {"array_fill", 2, 3, {ELEMENT, INTS, INTS}, ARRAY, true, false, call_fill},
    {"set unnest", 1, 1, {ARRAY}, ARRAY, false, false, call_unnest},
    {"set generate_subscripts", 2, 2, {ARRAY, INT4}, INTS, false, false, call_subscripts},
    {"set generate_series", 3, 3, {STAMP, STAMP, SPAN}, STAMPS, false, false, call_series},
    {"set generate_series", 3, 3, {STAMPTZ, STAMPTZ, SPAN}, STAMPTZS, false, false, call_series},
    {"set generate_series", 2, 3, {EXACT, EXACT, EXACT}, EXACTS, false, false, call_series},
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
