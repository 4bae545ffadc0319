/*
 * Assignment casts between values: numbers to numbers with range checks, anything to text and text
 * to anything through its syntax, dates and timestamps to each other; then the type's modifiers
 * (lengths of varchar and char, precision and scale of numeric).
 */
#include <math.h>
#include <string.h>

#include "executor/array.h"
#include "executor/interval.h"
#include "executor/json.h"
#include "executor/numeric.h"
#include "executor/value.h"
#include "executor/zone.h"
#include "kernel/base/check.h"

static const int64_t DAY_US = INT64_C(86400000000);

static bool
is_integer(enum qtdb_type type)
{
    return type == QTDB_TYPE_INT2 || type == QTDB_TYPE_INT4 || type == QTDB_TYPE_INT8;
}

static bool
is_real(enum qtdb_type type)
{
    return type == QTDB_TYPE_FLOAT4 || type == QTDB_TYPE_FLOAT8;
}

static bool
is_text(enum qtdb_type type)
{
    return type == QTDB_TYPE_TEXT || type == QTDB_TYPE_VARCHAR || type == QTDB_TYPE_CHAR;
}

static enum status
refuse_range(enum qtdb_type type, struct sql_error *error)
{
    return sql_error_set(error, "22003", -1, "%s out of range", value_type_name(type));
}

static enum status
to_integer(const struct value *value, enum qtdb_type type, struct value *out,
           struct sql_error *error)
{
    int64_t integer = 0;

    if (is_real(value->type)) {
        double rounded = rint(value->real);

        if (!(rounded >= -9223372036854775808.0 && rounded < 9223372036854775808.0))
            return refuse_range(type, error);
        integer = (int64_t)rounded;
    } else if (value->type == QTDB_TYPE_NUMERIC) {
        if (!numeric_to_integer(value->bytes, value->size, &integer))
            return refuse_range(type, error);
    } else {
        integer = value->integer;
    }
    if ((type == QTDB_TYPE_INT2 && (integer < INT16_MIN || integer > INT16_MAX)) ||
        (type == QTDB_TYPE_INT4 && (integer < INT32_MIN || integer > INT32_MAX)))
        return refuse_range(type, error);
    *out = value_integer(type, integer);
    return STATUS_OK;
}

static enum status
to_real(const struct value *value, enum qtdb_type type, struct arena *arena, struct value *out,
        struct sql_error *error)
{
    double real = is_integer(value->type) ? (double)value->integer
                  : value->type == QTDB_TYPE_NUMERIC
                      ? numeric_to_real(value->bytes, value->size, arena)
                      : value->real;

    if (type == QTDB_TYPE_FLOAT4) {
        float single = (float)real;

        if (isinf(single) && !isinf(real))
            return refuse_range(type, error);
        real = (double)single;
    }
    *out = value_real(type, real);
    return STATUS_OK;
}

static enum status
to_numeric(const struct value *value, struct arena *arena, struct value *out,
           struct sql_error *error)
{
    const uint8_t *bytes = NULL;
    uint32_t size = 0;

    if (is_real(value->type)) {
        static const struct sql_type numeric = {QTDB_TYPE_NUMERIC, -1, -1};
        size_t text_size = 0;
        const char *text = value_print(value, arena, &text_size);

        if (text == NULL)
            return STATUS_NO_MEMORY;
        return value_parse(&numeric, text, text_size, arena, out, error);
    }
    TRY(numeric_from_integer(value->integer, arena, &bytes, &size));
    *out = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
    return STATUS_OK;
}

/* Characters, not bytes. */
static size_t
utf8_prefix(const uint8_t *bytes, size_t size, int32_t characters)
{
    size_t next = 0;

    for (int32_t count = 0; next < size; next++) {
        if ((bytes[next] & 0xc0) != 0x80 && count++ == characters)
            return next;
    }
    return size;
}

static int32_t
utf8_count(const uint8_t *bytes, size_t size)
{
    int32_t count = 0;

    for (size_t i = 0; i < size; i++)
        count += (bytes[i] & 0xc0) != 0x80;
    return count;
}

static bool
is_blank(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != ' ')
            return false;
    }
    return true;
}

static enum status
apply_length(const struct sql_type *type, struct arena *arena, struct value *value,
             struct sql_error *error)
{
    int32_t limit = type->precision;
    size_t kept = utf8_prefix(value->bytes, value->size, limit);

    if (!is_blank(value->bytes + kept, value->size - kept))
        return sql_error_set(error, "22001", -1, "value too long for type %s(%d)",
                             value_type_name(type->type), limit);
    value->size = (uint32_t)kept;
    int32_t count = utf8_count(value->bytes, kept);
    if (type->type != QTDB_TYPE_CHAR || count == limit)
        return STATUS_OK;
    size_t padded = kept + (size_t)(limit - count);
    uint8_t *bytes = arena_alloc(arena, padded + 1);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    memcpy(bytes, value->bytes, kept);
    memset(bytes + kept, ' ', padded - kept);
    *value = value_bytes(QTDB_TYPE_CHAR, bytes, padded);
    return STATUS_OK;
}

bool
value_has_seconds(enum qtdb_type type)
{
    return type == QTDB_TYPE_TIME || type == QTDB_TYPE_TIMESTAMP || type == QTDB_TYPE_TIMESTAMPTZ;
}

/* To so many digits of a second; halves go away from zero. Infinities stay. */
static int64_t
round_second(int64_t microseconds, int32_t digits)
{
    int64_t unit = 1;

    for (; digits < 6; digits++)
        unit *= 10;
    int64_t half = unit / 2;
    if (microseconds > INT64_MAX - half || microseconds <= INT64_MIN + half)
        return microseconds;
    return (microseconds + (microseconds < 0 ? -half : half)) / unit * unit;
}

static enum status
apply_fields(const struct sql_type *type, struct arena *arena, struct value *value)
{
    struct interval interval = interval_restrict(interval_get(value), type->precision);

    if (type->scale >= 0)
        interval.microseconds = round_second(interval.microseconds, type->scale);
    return interval_value(interval, arena, value);
}

static enum status
apply_modifiers(const struct sql_type *type, struct arena *arena, struct value *value,
                struct sql_error *error)
{
    const uint8_t *bytes = NULL;
    uint32_t size = 0;

    if (type->precision < 0)
        return STATUS_OK;
    if (type->type == QTDB_TYPE_INTERVAL)
        return apply_fields(type, arena, value);
    if (value_has_seconds(type->type)) {
        value->integer = round_second(value->integer, type->precision);
        return STATUS_OK;
    }
    if (value_is_array(type->type)) {
        struct sql_type element = {value_element(type->type), type->precision, type->scale};

        return array_cast(value, &element, arena, value, error);
    }
    if (type->type == QTDB_TYPE_VARCHAR || type->type == QTDB_TYPE_CHAR)
        return apply_length(type, arena, value, error);
    if (type->type != QTDB_TYPE_NUMERIC)
        return STATUS_OK;
    int32_t scale = type->scale > 0 ? type->scale : 0;
    enum status status =
        numeric_round(value->bytes, value->size, type->precision, scale, arena, &bytes, &size);
    if (status == STATUS_FULL)
        return sql_error_set(error, "22003", -1, "numeric field overflow: precision %d, scale %d",
                             type->precision, scale);
    if (status == STATUS_OK)
        *value = value_bytes(QTDB_TYPE_NUMERIC, bytes, size);
    return status;
}

static enum status
refuse_cast(enum qtdb_type from, enum qtdb_type to, struct sql_error *error)
{
    return sql_error_set(error, "42846", -1, "cannot cast type %s to %s", value_type_name(from),
                         value_type_name(to));
}

static enum status
to_text(const struct value *value, enum qtdb_type type, struct arena *arena, struct value *out)
{
    size_t size = 0;
    bool boolean = value->type == QTDB_TYPE_BOOL;
    const char *text =
        boolean ? (value->integer ? "true" : "false") : value_print(value, arena, &size);

    if (text == NULL)
        return STATUS_NO_MEMORY;
    *out = value_bytes(type, text, boolean ? strlen(text) : size);
    return STATUS_OK;
}

/* Between clocks and moments, by the session's zone. */
static int64_t
by_zone(int64_t moment, enum qtdb_type from, enum qtdb_type to)
{
    if (from == QTDB_TYPE_TIMESTAMPTZ && to != QTDB_TYPE_TIMESTAMPTZ)
        return zone_to_local(zone_session(), moment);
    if (to == QTDB_TYPE_TIMESTAMPTZ && from != QTDB_TYPE_TIMESTAMPTZ)
        return zone_to_moment(zone_session(), moment);
    return moment;
}

static enum status
to_moment(const struct value *value, enum qtdb_type type, struct arena *arena, struct value *out,
          struct sql_error *error)
{
    enum qtdb_type from = value->type;
    bool from_stamp = from == QTDB_TYPE_TIMESTAMP || from == QTDB_TYPE_TIMESTAMPTZ;
    bool to_stamp = type == QTDB_TYPE_TIMESTAMP || type == QTDB_TYPE_TIMESTAMPTZ;
    int64_t moment = value->integer;

    if (type == QTDB_TYPE_INTERVAL && from == QTDB_TYPE_TIME)
        return interval_value((struct interval){moment, 0, 0}, arena, out);
    if (from == QTDB_TYPE_INTERVAL && type == QTDB_TYPE_TIME) {
        moment = (interval_get(value).microseconds % DAY_US + DAY_US) % DAY_US;
    } else if (from == QTDB_TYPE_DATE && to_stamp) {
        moment = by_zone(moment * DAY_US, QTDB_TYPE_TIMESTAMP, type);
    } else if (from_stamp && type == QTDB_TYPE_DATE) {
        moment = by_zone(moment, from, QTDB_TYPE_TIMESTAMP);
        int64_t rest = moment % DAY_US;

        moment = (moment - rest) / DAY_US - (rest < 0);
    } else if (from_stamp && type == QTDB_TYPE_TIME) {
        moment = (by_zone(moment, from, QTDB_TYPE_TIMESTAMP) % DAY_US + DAY_US) % DAY_US;
    } else if (from_stamp && to_stamp) {
        moment = by_zone(moment, from, type);
    } else {
        return refuse_cast(from, type, error);
    }
    *out = value_integer(type, moment);
    return STATUS_OK;
}

/* jsonb to numbers and booleans. */
static enum status
from_json(const struct value *value, const struct sql_type *type, struct arena *arena,
          struct value *out, struct sql_error *error)
{
    static const char *const kinds[] = {"null",    "string", "numeric", "boolean",
                                        "boolean", "array",  "object"};
    struct sql_type numeric = {QTDB_TYPE_NUMERIC, -1, -1};
    struct json_node *node = NULL;
    struct value number;

    TRY(json_tree((const char *)value->bytes, value->size, arena, &node, error));
    if (type->type == QTDB_TYPE_BOOL && (node->kind == JSON_TRUE || node->kind == JSON_FALSE)) {
        *out = value_integer(QTDB_TYPE_BOOL, node->kind == JSON_TRUE);
        return STATUS_OK;
    }
    if (type->type == QTDB_TYPE_BOOL || node->kind != JSON_NUMBER)
        return sql_error_set(error, "22023", -1, "cannot cast jsonb %s to type %s",
                             kinds[node->kind], value_type_name(type->type));
    TRY(value_parse(&numeric, node->raw, node->raw_size, arena, &number, error));
    struct sql_type plain = {type->type, -1, -1};
    return value_cast(&number, &plain, arena, out, error);
}

static enum status
convert(const struct value *value, const struct sql_type *type, struct arena *arena,
        struct value *out, struct sql_error *error)
{
    enum qtdb_type from = value->type, to = type->type;
    bool from_number = is_integer(from) || is_real(from) || from == QTDB_TYPE_NUMERIC;

    if (is_text(to) && from == QTDB_TYPE_NULL) {
        *out = *value; /* An untyped literal's bytes are its text. */
        out->type = to;
        return STATUS_OK;
    }
    if (is_text(to) && !is_text(from))
        return to_text(value, to, arena, out);
    if (is_text(to)) {
        *out = *value;
        out->type = to;
        /* The blanks that fill a char(n) are no part of it. */
        while (from == QTDB_TYPE_CHAR && to != QTDB_TYPE_CHAR && out->size > 0 &&
               out->bytes[out->size - 1] == ' ')
            out->size--;
        return STATUS_OK;
    }
    if (value_is_array(from) && value_is_array(to)) {
        struct sql_type element = {value_element(to), -1, -1};

        return array_cast(value, &element, arena, out, error);
    }
    if (is_text(from) || from == QTDB_TYPE_NULL ||
        (from == QTDB_TYPE_JSON && to == QTDB_TYPE_JSONB))
        return value_parse(type, (const char *)value->bytes, value->size, arena, out, error);
    if (is_integer(to) && (from_number || from == QTDB_TYPE_BOOL))
        return to_integer(value, to, out, error);
    if (is_real(to) && from_number)
        return to_real(value, to, arena, out, error);
    if (to == QTDB_TYPE_NUMERIC && from_number)
        return to_numeric(value, arena, out, error);
    if (to == QTDB_TYPE_BOOL && is_integer(from)) {
        *out = value_integer(to, value->integer != 0);
        return STATUS_OK;
    }
    if (from == QTDB_TYPE_JSONB && to != QTDB_TYPE_JSON)
        return from_json(value, type, arena, out, error);
    if (from == QTDB_TYPE_JSONB) {
        *out = *value;
        out->type = to;
        return STATUS_OK;
    }
    return to_moment(value, to, arena, out, error);
}

/* An explicit cast cuts a text that is too long instead of refusing it. */
enum status
value_cast_explicit(const struct value *value, const struct sql_type *type, struct arena *arena,
                    struct value *out, struct sql_error *error)
{
    struct sql_type open = {type->type, -1, -1};
    struct value text;

    if ((type->type != QTDB_TYPE_VARCHAR && type->type != QTDB_TYPE_CHAR) || type->precision < 0 ||
        value->null)
        return value_cast(value, type, arena, out, error);
    TRY(value_cast(value, &open, arena, &text, error));
    text.size = (uint32_t)utf8_prefix(text.bytes, text.size, type->precision);
    return value_cast(&text, type, arena, out, error);
}

enum status
value_cast(const struct value *value, const struct sql_type *type, struct arena *arena,
           struct value *out, struct sql_error *error)
{
    struct value result = *value;

    if (value->null) {
        *out = value_null(type->type);
        return STATUS_OK;
    }
    if (value->type != type->type)
        TRY(convert(value, type, arena, &result, error));
    TRY(apply_modifiers(type, arena, &result, error));
    *out = result;
    return STATUS_OK;
}

/* What may be cast, told from types alone. */

static bool
is_moment(enum qtdb_type type)
{
    return type == QTDB_TYPE_DATE || type == QTDB_TYPE_TIME || type == QTDB_TYPE_TIMESTAMP ||
           type == QTDB_TYPE_TIMESTAMPTZ;
}

static bool
is_number(enum qtdb_type type)
{
    return is_integer(type) || is_real(type) || type == QTDB_TYPE_NUMERIC;
}

static bool
is_json(enum qtdb_type type)
{
    return type == QTDB_TYPE_JSON || type == QTDB_TYPE_JSONB;
}

static bool
moment_casts(enum qtdb_type from, enum qtdb_type to)
{
    if (to == QTDB_TYPE_TIME)
        return from != QTDB_TYPE_DATE;
    return from != QTDB_TYPE_TIME;
}

bool
value_can_cast(enum qtdb_type from, enum qtdb_type to)
{
    if (from == to || from == QTDB_TYPE_NULL || is_text(from) || is_text(to))
        return true;
    if (is_number(from) && is_number(to))
        return true;
    if (value_is_array(from) || value_is_array(to))
        return value_is_array(from) && value_is_array(to) &&
               value_can_cast(value_element(from), value_element(to));
    if (from == QTDB_TYPE_JSONB && (is_number(to) || to == QTDB_TYPE_BOOL))
        return true;
    if (from == QTDB_TYPE_INTERVAL || to == QTDB_TYPE_INTERVAL)
        return from == QTDB_TYPE_TIME || to == QTDB_TYPE_TIME;
    if (from == QTDB_TYPE_BOOL)
        return to == QTDB_TYPE_INT4;
    if (to == QTDB_TYPE_BOOL)
        return from == QTDB_TYPE_INT4;
    if (is_json(from) && is_json(to))
        return true;
    return is_moment(from) && is_moment(to) && moment_casts(from, to);
}

bool
value_assigns(enum qtdb_type from, enum qtdb_type to)
{
    if (from == to || from == QTDB_TYPE_NULL || is_text(to))
        return true;
    if (is_text(from) || (from == QTDB_TYPE_JSONB && to != QTDB_TYPE_JSON))
        return false;
    if (value_is_array(from) && value_is_array(to))
        return value_assigns(value_element(from), value_element(to));
    if (from == QTDB_TYPE_BOOL || to == QTDB_TYPE_BOOL)
        return false;
    return value_can_cast(from, to);
}
