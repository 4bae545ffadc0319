/*
 * Aggregates that need all their values at the end: arrays, JSON, variances, percentiles, sums of intervals.
 * aggregate.c collects the arguments (in order where one was asked for) and calls aggregate_of_rows.
 */
#include <math.h>
#include <string.h>

#include "executor/array.h"
#include "executor/exec_private.h"
#include "executor/function.h"
#include "executor/interval.h"
#include "executor/json.h"
#include "executor/numeric.h"
#include "kernel/base/check.h"

static enum status
refuse_stack(const char *what, struct eval *eval)
{
    return sql_error_set(eval->error, what[0] == 'n' ? "22004" : "2202E", -1,
                         "cannot accumulate %s", what);
}

/* array_agg of arrays of one shape: one dimension more. */
static enum status
stack_of(const struct rel_aggregate *call, struct eval *eval, const struct exec_rows *rows,
         struct value *out)
{
    struct array shape = {.dimension_count = 0};
    struct value *values = NULL;
    size_t count = 0;

    for (size_t i = 0; i < rows->count; i++) {
        if (rows->rows[i][0].null)
            return refuse_stack("null arrays", eval);
        struct array part = array_open(&rows->rows[i][0]);
        size_t dimensions = part.dimension_count * sizeof(part.lengths[0]);

        if (part.count == 0)
            return refuse_stack("empty arrays", eval);
        if (i == 0) {
            if (part.dimension_count == ARRAY_DIMENSIONS_MAX ||
                rows->count > ARRAY_ELEMENTS_MAX / part.count)
                return sql_error_set(eval->error, "54000", -1, "an array would be too large");
            shape.dimension_count = part.dimension_count + 1;
            shape.lengths[0] = (int32_t)rows->count;
            shape.lowers[0] = 1;
            memcpy(&shape.lengths[1], part.lengths, dimensions);
            memcpy(&shape.lowers[1], part.lowers, dimensions);
            values = arena_alloc(eval->arena, rows->count * part.count * sizeof(*values));
            if (values == NULL)
                return STATUS_NO_MEMORY;
        }
        if (part.dimension_count + 1 != shape.dimension_count ||
            memcmp(&shape.lengths[1], part.lengths, dimensions) != 0)
            return refuse_stack("arrays of different dimensionality", eval);
        for (uint32_t k = 0; k < part.count; k++)
            values[count++] = array_next(&part);
    }
    return array_make(value_element(call->type.type), values, (uint32_t)count, &shape, eval->arena,
                      out);
}

static enum status
array_of(const struct rel_aggregate *call, struct eval *eval, const struct exec_rows *rows,
         struct value *out)
{
    if (value_is_array(call->arguments[0]->type.type))
        return stack_of(call, eval, rows, out);
    struct value *values = arena_alloc(eval->arena, (rows->count + 1) * sizeof(*values));

    if (values == NULL || rows->count > ARRAY_ELEMENTS_MAX)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < rows->count; i++)
        values[i] = rows->rows[i][0];
    return array_make(value_element(call->type.type), values, (uint32_t)rows->count, NULL,
                      eval->arena, out);
}

/* json_agg, json_object_agg and the same of jsonb: one call of what builds a document. */
static enum status
json_of(const struct rel_aggregate *call, struct eval *eval, const struct exec_rows *rows,
        struct value *out)
{
    bool object = call->kind == REL_JSON_OBJECT, binary = call->type.type == QTDB_TYPE_JSONB;
    struct text_out text = {.arena = eval->arena};

    text_out_puts(&text, object ? (binary ? "{" : "{ ") : "[");
    for (size_t i = 0; i < rows->count; i++) {
        bool line = call->lines && !rows->rows[i][0].null;

        text_out_puts(&text, i == 0 ? "" : line ? ", \n " : ", ");
        if (object) {
            size_t size = 0;

            if (rows->rows[i][0].null)
                return sql_error_set(eval->error, "22023", -1, "field name must not be null");
            const char *key = value_print(&rows->rows[i][0], eval->arena, &size);
            if (key == NULL)
                return STATUS_NO_MEMORY;
            json_put_string(&text, key, size);
            text_out_puts(&text, " : ");
        }
        TRY(json_put_value(&rows->rows[i][object ? 1 : 0], &text, eval));
    }
    text_out_puts(&text, object ? (binary ? "}" : " }") : "]");
    TRY(text_out_value(&text, call->type.type, out));
    return binary ? json_parse_canonical(text.bytes, text.size, eval->arena, out, eval->error)
                  : STATUS_OK;
}

/* Variances. */

static enum status
calculate(enum numeric_operation operation, const struct value *left, const struct value *right,
          struct eval *eval, struct value *out)
{
    const uint8_t *bytes = NULL;
    uint32_t size = 0;
    enum status status = numeric_calculate(operation, left->bytes, left->size, right->bytes,
                                           right->size, eval->arena, &bytes, &size);

    if (status == STATUS_FULL || status == STATUS_INVALID)
        return sql_error_set(eval->error, "22003", -1, "value overflows numeric format");
    TRY(status);
    *out = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
    return STATUS_OK;
}

/* (count * sum of squares - square of sum) / (count * (count or count - 1)), exactly. */
static enum status
numeric_variance(const struct rel_aggregate *call, struct eval *eval, const struct exec_rows *rows,
                 struct value *out)
{
    static const struct sql_type numeric = {QTDB_TYPE_NUMERIC, -1, -1};
    struct value count = value_integer(QTDB_TYPE_INT8, (int64_t)rows->count);
    struct value less =
        value_integer(QTDB_TYPE_INT8, (int64_t)rows->count - (call->sample ? 1 : 0));
    struct value sum = rows->rows[0][0], squares = sum, square = sum;

    TRY(value_cast(&count, &numeric, eval->arena, &count, eval->error));
    TRY(value_cast(&less, &numeric, eval->arena, &less, eval->error));
    TRY(calculate(NUMERIC_MULTIPLY, &sum, &sum, eval, &squares));
    for (size_t i = 1; i < rows->count; i++) {
        const struct value *value = &rows->rows[i][0];

        TRY(calculate(NUMERIC_ADD, &sum, value, eval, &sum));
        TRY(calculate(NUMERIC_MULTIPLY, value, value, eval, &square));
        TRY(calculate(NUMERIC_ADD, &squares, &square, eval, &squares));
    }
    TRY(calculate(NUMERIC_MULTIPLY, &sum, &sum, eval, &sum));
    TRY(calculate(NUMERIC_MULTIPLY, &squares, &count, eval, &squares));
    TRY(calculate(NUMERIC_SUBTRACT, &squares, &sum, eval, &squares));
    struct value zero = value_integer(QTDB_TYPE_INT8, 0);
    TRY(value_cast(&zero, &numeric, eval->arena, &zero, eval->error));
    if (value_compare(&squares, &zero) <= 0) {
        *out = zero;
        return STATUS_OK;
    }
    TRY(calculate(NUMERIC_MULTIPLY, &count, &less, eval, &count));
    TRY(calculate(NUMERIC_DIVIDE, &squares, &count, eval, out));
    struct numeric_header header;
    memcpy(&header, out->bytes, sizeof(header));
    return call->root ? numeric_sqrt_value(out, le16_get(header.scale), eval, out) : STATUS_OK;
}

/* Youngs and Cramer's running sums, as PostgreSQL's. */
static void
real_variance(const struct rel_aggregate *call, const struct exec_rows *rows, struct value *out)
{
    double count = 0, sum = 0, squares = 0;

    for (size_t i = 0; i < rows->count; i++) {
        double value = rows->rows[i][0].real;

        count += 1;
        sum += value;
        if (count > 1) {
            double step = value * count - sum;

            squares += step * step / (count * (count - 1));
        }
    }
    double variance = squares / (call->sample ? count - 1 : count);
    *out = value_real(QTDB_TYPE_FLOAT8, call->root ? sqrt(variance) : variance);
}

static enum status
variance_of(const struct rel_aggregate *call, struct eval *eval, const struct exec_rows *rows,
            struct value *out)
{
    *out = value_null(call->type.type);
    if (rows->count < (call->sample ? 2 : 1))
        return STATUS_OK;
    if (call->type.type == QTDB_TYPE_NUMERIC)
        return numeric_variance(call, eval, rows, out);
    real_variance(call, rows, out);
    return STATUS_OK;
}

/* Percentiles: rows are in order; the fraction is the second argument. */

static enum status
percentile_of(const struct rel_aggregate *call, struct eval *eval, const struct exec_rows *rows,
              struct value *out)
{
    struct value fraction = rows->rows[0][1];

    *out = value_null(call->type.type);
    if (fraction.null)
        return STATUS_OK;
    if (!(fraction.real >= 0 && fraction.real <= 1))
        return sql_error_set(eval->error, "22003", -1, "percentile value %g is not between 0 and 1",
                             fraction.real);
    if (call->kind == REL_PERCENTILE_DISC) {
        double place = ceil(fraction.real * (double)rows->count);

        *out = rows->rows[place < 1 ? 0 : (size_t)place - 1][0];
        return STATUS_OK;
    }
    double place = fraction.real * (double)(rows->count - 1), low = floor(place);
    double first = rows->rows[(size_t)low][0].real,
           second = rows->rows[(size_t)ceil(place)][0].real;
    *out = value_real(QTDB_TYPE_FLOAT8, first + (place - low) * (second - first));
    return STATUS_OK;
}

/* The most frequent, the first of equals. */
static void
mode_of(const struct exec_rows *rows, struct value *out)
{
    size_t best = 0, run = 0;

    for (size_t i = 0; i < rows->count; i++) {
        bool same = i > 0 && value_compare(&rows->rows[i][0], &rows->rows[i - 1][0]) == 0;

        run = same ? run + 1 : 1;
        if (run > best) {
            best = run;
            *out = rows->rows[i][0];
        }
    }
}

static enum status
intervals_of(const struct rel_aggregate *call, struct eval *eval, const struct exec_rows *rows,
             struct value *out)
{
    struct interval sum = {0, 0, 0};
    bool fits = true;

    for (size_t i = 0; i < rows->count && fits; i++)
        fits = interval_add(sum, interval_get(&rows->rows[i][0]), &sum);
    if (fits && call->kind == REL_INTERVAL_AVERAGE)
        fits = interval_scale(sum, (double)rows->count, true, &sum);
    if (!fits)
        return sql_error_set(eval->error, "22008", -1, "interval out of range");
    return interval_value(sum, eval->arena, out);
}

static void
bits_of(const struct rel_aggregate *call, const struct exec_rows *rows, struct value *out)
{
    *out = rows->rows[0][0];
    for (size_t i = 1; i < rows->count; i++) {
        int64_t word = rows->rows[i][0].integer;

        out->integer = call->kind == REL_BIT_AND   ? out->integer & word
                       : call->kind == REL_BIT_XOR ? out->integer ^ word
                                                   : out->integer | word;
    }
}

enum status
aggregate_of_rows(const struct rel_aggregate *call, struct eval *eval, const struct exec_rows *rows,
                  struct value *out)
{
    CHECK(rows->count > 0);
    if (call->kind >= REL_REGR_COUNT)
        return aggregate_of_pairs(call, eval, rows, out);
    switch (call->kind) {
    case REL_ARRAY_AGG:
        return array_of(call, eval, rows, out);
    case REL_JSON_ARRAY:
    case REL_JSON_OBJECT:
        return json_of(call, eval, rows, out);
    case REL_VARIANCE:
        return variance_of(call, eval, rows, out);
    case REL_PERCENTILE_CONT:
    case REL_PERCENTILE_DISC:
        return percentile_of(call, eval, rows, out);
    case REL_MODE:
        mode_of(rows, out);
        return STATUS_OK;
    case REL_BIT_AND:
    case REL_BIT_OR:
    case REL_BIT_XOR:
        bits_of(call, rows, out);
        return STATUS_OK;
    default:
        return intervals_of(call, eval, rows, out);
    }
}
