/*
 * See migrate_convert.h. One function a target type; each looks at the value's tag. What a text column
 * holds of another tag's value is convert_text, and what other columns take from a text is what their
 * own syntax allows.
 */
#include "tools/qtdb-migrate/migrate_convert.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kernel/base/check.h"
#include "tools/qtdb-migrate/migrate_decimal.h"
#include "tools/qtdb-migrate/migrate_json.h"
#include "tools/qtdb-migrate/migrate_time.h"

static const char loss_scale[] = "digits past the column's scale were rounded";
static const char loss_fraction[] = "the fraction was rounded";
static const char loss_real[] = "more digits than a double holds";
static const char loss_nanoseconds[] = "digits past microseconds were cut off";
static const char loss_time[] = "the time of day was cut off";
static const char loss_zone[] = "the zone mark was cut off (the time is UTC)";

enum { REAL_TEXT_SIZE = 40, EXACT_DIGITS = 15 };

/* Texts of values. */

static const char *
keep(struct arena *arena, const char *text, size_t size, size_t *size_out)
{
    *size_out = size;
    return arena_copy_text(arena, text, size);
}

/* The shortest text that reads back as the same double, as PostgreSQL writes it. */
static size_t
print_real(double real, char out[REAL_TEXT_SIZE])
{
    if (isnan(real))
        return (size_t)snprintf(out, REAL_TEXT_SIZE, "NaN");
    if (isinf(real))
        return (size_t)snprintf(out, REAL_TEXT_SIZE, real > 0 ? "Infinity" : "-Infinity");
    for (int digits = 1; digits < 17; digits++) {
        int size = snprintf(out, REAL_TEXT_SIZE, "%.*g", digits, real);

        if (strtod(out, NULL) == real)
            return (size_t)size;
    }
    return (size_t)snprintf(out, REAL_TEXT_SIZE, "%.17g", real);
}

static const char *
hex_text(const struct legacy_value *value, struct arena *arena, size_t *size_out)
{
    static const char digits[] = "0123456789abcdef";
    bool is_uuid = value->tag == LEGACY_UUID;
    char *out = arena_alloc(arena, value->text.size * 2 + 8);
    size_t size = 0;

    if (out == NULL)
        return NULL;
    if (!is_uuid) {
        out[size++] = '\\';
        out[size++] = 'x';
    }
    for (size_t i = 0; i < value->text.size; i++) {
        unsigned char byte = (unsigned char)value->text.bytes[i];

        if (is_uuid && (i == 4 || i == 6 || i == 8 || i == 10))
            out[size++] = '-';
        out[size++] = digits[byte >> 4];
        out[size++] = digits[byte & 15];
    }
    out[size] = '\0';
    *size_out = size;
    return out;
}

const char *
convert_text(const struct legacy_value *value, struct arena *arena, size_t *size_out)
{
    char text[REAL_TEXT_SIZE];
    int size = 0;

    switch (value->tag) {
    case LEGACY_NULL:
        return keep(arena, "NULL", 4, size_out);
    case LEGACY_SMALLINT:
    case LEGACY_INTEGER:
        size = snprintf(text, sizeof(text), "%lld", (long long)value->integer);
        return keep(arena, text, (size_t)size, size_out);
    case LEGACY_BOOLEAN:
        return keep(arena, value->integer ? "true" : "false", value->integer ? 4 : 5, size_out);
    case LEGACY_REAL:
        size = (int)print_real(value->real, text);
        return keep(arena, text, (size_t)size, size_out);
    case LEGACY_UUID:
    case LEGACY_BYTES:
        return hex_text(value, arena, size_out);
    default:
        *size_out = value->text.size;
        return value->text.bytes;
    }
}

static bool
is_textual(const struct legacy_value *value)
{
    return value->tag == LEGACY_TEXT || value->tag == LEGACY_CHAR || value->tag == LEGACY_ENUM ||
           value->tag == LEGACY_JSON;
}

/* A text without the blanks around it. */
static struct legacy_text
trimmed(const struct legacy_value *value)
{
    struct legacy_text text = value->text;

    while (text.size > 0 && text.bytes[0] == ' ') {
        text.bytes++;
        text.size--;
    }
    while (text.size > 0 && text.bytes[text.size - 1] == ' ')
        text.size--;
    return text;
}

static enum convert_result
as_text(struct converted *out, const char *bytes, size_t size)
{
    out->form = CONVERT_TEXT;
    out->bytes = bytes;
    out->size = size;
    return bytes != NULL ? CONVERT_OK : CONVERT_NO_MEMORY;
}

/* Numbers. */

/* Any value that is a number, exactly. */
static bool
number_of(const struct legacy_value *value, struct arena *arena, struct decimal *out)
{
    char text[REAL_TEXT_SIZE];
    struct legacy_text plain;

    switch (value->tag) {
    case LEGACY_SMALLINT:
    case LEGACY_INTEGER:
        return decimal_parse(
            text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)value->integer), arena,
            out);
    case LEGACY_REAL:
        return decimal_parse(text, print_real(value->real, text), arena, out);
    case LEGACY_NUMERIC:
        return decimal_parse(value->text.bytes, value->text.size, arena, out);
    case LEGACY_TEXT:
    case LEGACY_CHAR:
        plain = trimmed(value);
        return decimal_parse(plain.bytes, plain.size, arena, out);
    default:
        return false;
    }
}

static bool
integer_of(const struct legacy_value *value, struct arena *arena, struct converted *out)
{
    struct decimal decimal;
    bool lost = false;

    if (value->tag == LEGACY_SMALLINT || value->tag == LEGACY_INTEGER ||
        value->tag == LEGACY_BOOLEAN) {
        out->integer = value->integer;
        return true;
    }
    if (!number_of(value, arena, &decimal) || !decimal_round(&decimal, 0, arena, &lost))
        return false;
    out->loss = lost ? loss_fraction : NULL;
    return decimal_to_i64(&decimal, &out->integer);
}

static enum convert_result
to_integer(const struct target_type *type, const struct legacy_value *value, struct arena *arena,
           struct converted *out)
{
    int64_t most = type->type == QTDB_TYPE_INT2   ? INT16_MAX
                   : type->type == QTDB_TYPE_INT4 ? INT32_MAX
                                                  : INT64_MAX;

    if (!integer_of(value, arena, out) || out->integer > most || out->integer < -most - 1)
        return CONVERT_MISFIT;
    out->form = CONVERT_INTEGER;
    return CONVERT_OK;
}

/* The words that PostgreSQL prints where a double is no number. */
static bool
real_word(const struct legacy_value *value, double *out)
{
    static const struct {
        const char *word;
        double real;
    } words[] = {
        {"NaN", (double)NAN}, {"Infinity", (double)INFINITY}, {"-Infinity", -(double)INFINITY}};

    for (size_t i = 0; value->tag == LEGACY_TEXT && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i].word) == value->text.size &&
            memcmp(words[i].word, value->text.bytes, value->text.size) == 0) {
            *out = words[i].real;
            return true;
        }
    }
    return false;
}

/* Whether the double prints as the same number that the text says. */
static bool
real_is_exact(double real, const struct decimal *wanted, struct arena *arena)
{
    char text[REAL_TEXT_SIZE];
    struct decimal got;

    return wanted->count <= EXACT_DIGITS ||
           (decimal_parse(text, print_real(real, text), arena, &got) &&
            decimal_equals(&got, wanted));
}

/* The same for a float, with as many digits as the text has. */
static bool
float_is_exact(double real, const struct decimal *wanted, struct arena *arena)
{
    char text[REAL_TEXT_SIZE];
    struct decimal got;

    return wanted->count <= FLT_DIG ||
           (wanted->count <= FLT_DECIMAL_DIG &&
            decimal_parse(text,
                          (size_t)snprintf(text, sizeof(text), "%.*g", (int)wanted->count, real),
                          arena, &got) &&
            decimal_equals(&got, wanted));
}

/* To what a real column holds; false when that is infinite and the value is not. */
static bool
narrow(const struct target_type *type, struct converted *out)
{
    double given = out->real;

    if (type->type == QTDB_TYPE_FLOAT4 && fabs(given) > FLT_MAX && isfinite(given))
        return false;
    if (type->type == QTDB_TYPE_FLOAT4)
        out->real = (double)(float)given;
    return true;
}

static enum convert_result
to_real(const struct target_type *type, const struct legacy_value *value, struct arena *arena,
        struct converted *out)
{
    struct decimal decimal;
    size_t size = 0;

    out->form = CONVERT_REAL;
    if (value->tag == LEGACY_REAL || real_word(value, &out->real)) {
        out->real = value->tag == LEGACY_REAL ? value->real : out->real;
        return narrow(type, out) ? CONVERT_OK : CONVERT_MISFIT;
    }
    if (!number_of(value, arena, &decimal))
        return CONVERT_MISFIT;
    if (!decimal_to_real(&decimal, &out->real)) {
        const char *text = decimal_print(&decimal, arena, &size);

        if (text == NULL)
            return CONVERT_NO_MEMORY;
        out->real = strtod(text, NULL);
    }
    /* Decimals have no negative zero, doubles have. */
    if (out->real == 0 && is_textual(value) && trimmed(value).size > 0 &&
        trimmed(value).bytes[0] == '-')
        out->real = -0.0;
    if (isinf(out->real) || !narrow(type, out))
        return CONVERT_MISFIT;
    bool exact = type->type == QTDB_TYPE_FLOAT4 ? float_is_exact(out->real, &decimal, arena)
                                                : real_is_exact(out->real, &decimal, arena);
    out->loss = exact ? NULL : loss_real;
    return CONVERT_OK;
}

static enum convert_result
to_numeric(const struct target_type *type, const struct legacy_value *value, struct arena *arena,
           struct converted *out)
{
    struct decimal decimal;
    bool lost = false;
    size_t size = 0;

    if (!number_of(value, arena, &decimal))
        return CONVERT_MISFIT;
    if (type->precision >= 0) {
        if (!decimal_round(&decimal, (size_t)type->scale, arena, &lost))
            return CONVERT_NO_MEMORY;
        if (decimal_integer_digits(&decimal) > (size_t)(type->precision - type->scale))
            return CONVERT_MISFIT;
        out->loss = lost ? loss_scale : NULL;
    }
    const char *text = decimal_print(&decimal, arena, &size);
    return as_text(out, text, size);
}

/* Texts. */

static size_t
count_characters(const char *bytes, size_t size)
{
    size_t count = 0;

    for (size_t i = 0; i < size; i++)
        count += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    return count;
}

static enum convert_result
to_text(const struct target_type *type, const struct legacy_value *value, struct arena *arena,
        struct converted *out)
{
    size_t size = 0;
    const char *text = convert_text(value, arena, &size);

    if (text == NULL)
        return CONVERT_NO_MEMORY;
    if (type->type == QTDB_TYPE_TEXT)
        return as_text(out, text, size);
    size_t count = count_characters(text, size);
    if (type->type == QTDB_TYPE_VARCHAR)
        return count <= type->size ? as_text(out, text, size) : CONVERT_MISFIT;
    while (size > 0 && count > type->size && text[size - 1] == ' ') {
        size--;
        count--;
    }
    if (count > type->size)
        return CONVERT_MISFIT;
    char *padded = arena_alloc(arena, size + (type->size - count) + 1);
    if (padded == NULL)
        return CONVERT_NO_MEMORY;
    if (size > 0)
        memcpy(padded, text, size);
    memset(padded + size, ' ', type->size - count);
    return as_text(out, padded, size + (type->size - count));
}

static enum convert_result
to_json(const struct legacy_value *value, struct arena *arena, struct converted *out)
{
    size_t size = 0;

    if (value->tag == LEGACY_REAL && !isfinite(value->real))
        return CONVERT_MISFIT;
    const char *text = convert_text(value, arena, &size);
    if (text == NULL)
        return CONVERT_NO_MEMORY;
    return migrate_json_is_valid(text, size) ? as_text(out, text, size) : CONVERT_MISFIT;
}

static enum convert_result
to_bytes(const struct legacy_value *value, struct converted *out)
{
    if (value->tag != LEGACY_BYTES && !is_textual(value))
        return CONVERT_MISFIT;
    out->form = CONVERT_BYTES;
    out->bytes = value->text.bytes;
    out->size = value->text.size;
    return CONVERT_OK;
}

/* Others. */

static enum convert_result
to_boolean(const struct legacy_value *value, struct converted *out)
{
    static const char *const words[] = {"false", "f", "no",  "off", "0",
                                        "true",  "t", "yes", "on",  "1"};
    bool is_number = value->tag == LEGACY_SMALLINT || value->tag == LEGACY_INTEGER;

    if (value->tag == LEGACY_BOOLEAN || (is_number && (value->integer | 1) == 1))
        return as_text(out, value->integer ? "t" : "f", 1);
    if (value->tag != LEGACY_TEXT && value->tag != LEGACY_CHAR)
        return CONVERT_MISFIT;
    struct legacy_text plain = trimmed(value);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i]) == plain.size && strncasecmp(words[i], plain.bytes, plain.size) == 0)
            return as_text(out, i < 5 ? "f" : "t", 1);
    }
    return CONVERT_MISFIT;
}

static enum convert_result
to_moment(const struct target_type *type, const struct legacy_value *value, struct arena *arena,
          struct converted *out)
{
    struct moment moment;
    char text[MIGRATE_TIME_SIZE];
    bool is_date = type->type == QTDB_TYPE_DATE;
    size_t size = 0;
    bool is_moment = value->tag == LEGACY_DATE || value->tag == LEGACY_TIMESTAMP ||
                     value->tag == LEGACY_TIMESTAMPTZ;

    if (!is_moment && value->tag != LEGACY_TEXT && value->tag != LEGACY_CHAR)
        return CONVERT_MISFIT;
    struct legacy_text plain = trimmed(value);
    if (!moment_parse(plain.bytes, plain.size, &moment))
        return CONVERT_MISFIT;
    if (is_date) {
        if (moment.hour != 0 || moment.minute != 0 || moment.second != 0 || moment.nanosecond != 0)
            out->loss = loss_time;
        size = moment_print_date(&moment, text);
    } else {
        bool with_zone = type->type == QTDB_TYPE_TIMESTAMPTZ;

        if (moment.nanosecond % 1000 != 0)
            out->loss = loss_nanoseconds;
        else if (moment.has_zone && !with_zone)
            out->loss = loss_zone;
        size = moment_print_timestamp(&moment, with_zone, text);
    }
    return as_text(out, arena_copy_text(arena, text, size), size);
}

/* HH:MM:SS with at most microseconds, as PostgreSQL prints it. */
static enum convert_result
to_time(const struct legacy_value *value, struct arena *arena, struct converted *out)
{
    struct moment moment;
    char text[MIGRATE_TIME_SIZE];

    if ((value->tag != LEGACY_TEXT && value->tag != LEGACY_CHAR) ||
        !moment_parse_time(value->text.bytes, value->text.size, &moment))
        return CONVERT_MISFIT;
    if (moment.nanosecond % 1000 != 0)
        out->loss = loss_nanoseconds;
    size_t size = moment_print_time(&moment, text);
    return as_text(out, arena_copy_text(arena, text, size), size);
}

/* 32 digits in groups of 8-4-4-4-12, any case. */
static enum convert_result
to_uuid(const struct legacy_value *value, struct arena *arena, struct converted *out)
{
    size_t size = 0;

    if (value->tag == LEGACY_UUID) {
        const char *text = hex_text(value, arena, &size);

        return as_text(out, text, size);
    }
    struct legacy_text plain = trimmed(value);
    if ((value->tag != LEGACY_TEXT && value->tag != LEGACY_CHAR) || plain.size != 36)
        return CONVERT_MISFIT;
    char *lower = arena_copy_text(arena, plain.bytes, plain.size);
    if (lower == NULL)
        return CONVERT_NO_MEMORY;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (lower[i] >= 'A' && lower[i] <= 'F')
            lower[i] = (char)(lower[i] + ('a' - 'A'));
        if (dash ? lower[i] != '-'
                 : lower[i] == '\0' || strchr("0123456789abcdef", lower[i]) == NULL)
            return CONVERT_MISFIT;
    }
    return as_text(out, lower, 36);
}

static enum convert_result
convert(const struct target_type *type, const struct legacy_value *value, struct arena *arena,
        struct converted *out)
{
    switch (type->type) {
    case QTDB_TYPE_INT2:
    case QTDB_TYPE_INT4:
    case QTDB_TYPE_INT8:
        return to_integer(type, value, arena, out);
    case QTDB_TYPE_FLOAT4:
    case QTDB_TYPE_FLOAT8:
        return to_real(type, value, arena, out);
    case QTDB_TYPE_NUMERIC:
        return to_numeric(type, value, arena, out);
    case QTDB_TYPE_TEXT:
    case QTDB_TYPE_VARCHAR:
    case QTDB_TYPE_CHAR:
        return to_text(type, value, arena, out);
    case QTDB_TYPE_BOOL:
        return to_boolean(value, out);
    case QTDB_TYPE_TIME:
        return to_time(value, arena, out);
    case QTDB_TYPE_DATE:
    case QTDB_TYPE_TIMESTAMP:
    case QTDB_TYPE_TIMESTAMPTZ:
        return to_moment(type, value, arena, out);
    case QTDB_TYPE_UUID:
        return to_uuid(value, arena, out);
    case QTDB_TYPE_JSON:
    case QTDB_TYPE_JSONB:
        return to_json(value, arena, out);
    case QTDB_TYPE_BYTEA:
        return to_bytes(value, out);
    default:
        CHECK(false);
        return CONVERT_MISFIT;
    }
}

enum convert_result
convert_value(const struct target_type *type, const struct legacy_value *value, struct arena *arena,
              struct converted *out)
{
    *out = (struct converted){.form = CONVERT_NULL};
    if (value->tag == LEGACY_NULL)
        return CONVERT_OK;
    enum convert_result result = convert(type, value, arena, out);
    if (out->loss == NULL)
        out->loss = value->loss;
    return result;
}
