/*
 * Values: names of types, parsing, printing, comparing. One function a family of types, reached
 * through a switch over the type; casts are in value_cast.c.
 */
#include "executor/value.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/array.h"
#include "executor/datetime.h"
#include "executor/interval.h"
#include "executor/json.h"
#include "executor/numeric.h"
#include "kernel/base/check.h"

static const struct {
    enum qtdb_type type;
    const char *grammar_name;
    const char *shown_name;
    const char *array_name;
} type_names[] = {
    {QTDB_TYPE_BOOL, "bool", "boolean", "boolean[]"},
    {QTDB_TYPE_INT2, "int2", "smallint", "smallint[]"},
    {QTDB_TYPE_INT4, "int4", "integer", "integer[]"},
    {QTDB_TYPE_INT8, "int8", "bigint", "bigint[]"},
    {QTDB_TYPE_FLOAT4, "float4", "real", "real[]"},
    {QTDB_TYPE_FLOAT8, "float8", "double precision", "double precision[]"},
    {QTDB_TYPE_NUMERIC, "numeric", "numeric", "numeric[]"},
    {QTDB_TYPE_TEXT, "text", "text", "text[]"},
    {QTDB_TYPE_VARCHAR, "varchar", "character varying", "character varying[]"},
    {QTDB_TYPE_CHAR, "bpchar", "character", "character[]"},
    {QTDB_TYPE_BYTEA, "bytea", "bytea", "bytea[]"},
    {QTDB_TYPE_DATE, "date", "date", "date[]"},
    {QTDB_TYPE_TIMESTAMP, "timestamp", "timestamp without time zone",
     "timestamp without time zone[]"},
    {QTDB_TYPE_TIMESTAMPTZ, "timestamptz", "timestamp with time zone",
     "timestamp with time zone[]"},
    {QTDB_TYPE_UUID, "uuid", "uuid", "uuid[]"},
    {QTDB_TYPE_JSON, "json", "json", "json[]"},
    {QTDB_TYPE_JSONB, "jsonb", "jsonb", "jsonb[]"},
    {QTDB_TYPE_TIME, "time", "time without time zone", "time without time zone[]"},
    {QTDB_TYPE_INTERVAL, "interval", "interval", "interval[]"},
    {QTDB_TYPE_ENUM, "", "enum", "enum[]"},
    {QTDB_TYPE_NULL, "unknown", "unknown", "unknown[]"},
};
enum { TYPE_NAME_COUNT = sizeof(type_names) / sizeof(type_names[0]) };

const char *
value_type_name(enum qtdb_type type)
{
    for (uint32_t i = 0; i < TYPE_NAME_COUNT; i++) {
        if ((unsigned)type_names[i].type == ((unsigned)value_element(type) & 0xffu))
            return value_is_array(type) ? type_names[i].array_name : type_names[i].shown_name;
    }
    return "unknown";
}

const char *
value_type_short_name(enum qtdb_type type)
{
    for (uint32_t i = 0; i < TYPE_NAME_COUNT; i++) {
        if (type_names[i].type == type)
            return type_names[i].grammar_name;
    }
    return "unknown";
}

bool
value_type_exists(uint32_t type)
{
    uint32_t element = type & ~(uint32_t)VALUE_ARRAY;

    return element > QTDB_TYPE_NULL && element < QTDB_TYPE_ARRAY &&
           type <= (VALUE_ARRAY | QTDB_TYPE_ARRAY);
}

enum qtdb_type
value_type_find(const char *name)
{
    for (uint32_t i = 0; i < TYPE_NAME_COUNT; i++) {
        if (strcmp(type_names[i].grammar_name, name) == 0)
            return type_names[i].type;
    }
    return QTDB_TYPE_NULL;
}

/* Parsing. */

static enum status
bad_syntax(struct sql_error *error, const struct sql_type *type, const char *text, size_t size)
{
    return sql_error_set(error, "22P02", -1, "invalid input syntax for type %s: \"%.*s\"",
                         value_type_name(type->type), (int)(size < 100 ? size : 100), text);
}

static enum status
out_of_range(struct sql_error *error, const struct sql_type *type, const char *text, size_t size)
{
    return sql_error_set(error, "22003", -1, "value \"%.*s\" is out of range for type %s",
                         (int)(size < 100 ? size : 100), text, value_type_name(type->type));
}

static void
trim(const char **text, size_t *size)
{
    while (*size > 0 && isspace((unsigned char)**text)) {
        (*text)++;
        (*size)--;
    }
    while (*size > 0 && isspace((unsigned char)(*text)[*size - 1]))
        (*size)--;
}

static enum status
parse_bool(const struct sql_type *type, const char *text, size_t size, struct value *out,
           struct sql_error *error)
{
    static const char *const words[] = {"true", "yes", "on", "1", "false", "no", "off", "0"};
    static const size_t least[] = {1, 1, 2, 1, 1, 1, 2, 1}; /* "o" alone is ambiguous. */

    trim(&text, &size);
    for (size_t i = 0; i < 8; i++) {
        if (size >= least[i] && size <= strlen(words[i]) &&
            strncasecmp(text, words[i], size) == 0) {
            *out = value_integer(QTDB_TYPE_BOOL, i < 4);
            return STATUS_OK;
        }
    }
    return bad_syntax(error, type, text, size);
}

static bool
integer_fits(enum qtdb_type type, int64_t integer)
{
    if (type == QTDB_TYPE_INT2)
        return integer >= INT16_MIN && integer <= INT16_MAX;
    return type != QTDB_TYPE_INT4 || (integer >= INT32_MIN && integer <= INT32_MAX);
}

static enum status
parse_integer(const struct sql_type *type, const char *text, size_t size, struct value *out,
              struct sql_error *error)
{
    const char *shown = text;
    size_t shown_size = size;
    char buffer[32];
    char *end = NULL;

    trim(&text, &size);
    size_t digits = size > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    for (size_t i = digits; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return bad_syntax(error, type, shown, shown_size);
    }
    if (digits == size)
        return bad_syntax(error, type, shown, shown_size);
    if (size >= sizeof(buffer))
        return out_of_range(error, type, shown, shown_size);
    memcpy(buffer, text, size);
    buffer[size] = '\0';
    errno = 0;
    int64_t integer = strtoll(buffer, &end, 10);
    if (errno == ERANGE || !integer_fits(type->type, integer))
        return out_of_range(error, type, shown, shown_size);
    *out = value_integer(type->type, integer);
    return STATUS_OK;
}

static enum status
parse_real(const struct sql_type *type, const char *text, size_t size, struct value *out,
           struct sql_error *error)
{
    char buffer[400];
    char *end = NULL;

    trim(&text, &size);
    if (size == 0 || size >= sizeof(buffer) || memchr(text, 'x', size) != NULL ||
        memchr(text, 'X', size) != NULL || memchr(text, '(', size) != NULL)
        return bad_syntax(error, type, text, size);
    memcpy(buffer, text, size);
    buffer[size] = '\0';
    errno = 0;
    double real = strtod(buffer, &end);
    if (end != buffer + size)
        return bad_syntax(error, type, text, size);
    if (type->type == QTDB_TYPE_FLOAT4)
        real = (double)(float)real;
    bool named = isalpha((unsigned char)buffer[size - 1]) != 0;
    if ((isinf(real) && !named) || (errno == ERANGE && real == 0))
        return out_of_range(error, type, text, size);
    *out = value_real(type->type, real);
    return STATUS_OK;
}

static enum status
parse_numeric(const struct sql_type *type, const char *text, size_t size, struct arena *arena,
              struct value *out, struct sql_error *error)
{
    const uint8_t *bytes = NULL;
    uint32_t bytes_size = 0;
    enum status status = numeric_parse(text, size, arena, &bytes, &bytes_size);

    if (status == STATUS_INVALID)
        return bad_syntax(error, type, text, size);
    if (status == STATUS_FULL)
        return sql_error_set(error, "22003", -1, "value overflows numeric format");
    if (status == STATUS_OK)
        *out = value_bytes(QTDB_TYPE_NUMERIC, bytes, bytes_size);
    return status;
}

/* y-m-d, m/d/y or h:m[:s] [PM], so that what is wrong is a field's value. */
static bool
has_moment_form(const char *text, size_t size)
{
    uint32_t dashes = 0, colons = 0;

    for (size_t i = 0; i < size; i++) {
        dashes += (text[i] == '-' || text[i] == '/') && i > 0;
        colons += text[i] == ':' && i > 0;
        if (strchr("0123456789-/:. +TAPMapm", text[i]) == NULL || text[i] == '\0' ||
            (strchr("-:", text[i]) != NULL &&
             (i == 0 || i + 1 == size || strchr("-: ", text[i + 1]) != NULL)))
            return false;
    }
    return dashes == 2 || (dashes == 0 && colons > 0);
}

static enum status
parse_moment(const struct sql_type *type, const char *text, size_t size, struct value *out,
             struct sql_error *error)
{
    int64_t moment = 0;
    bool ok;

    trim(&text, &size);
    error->sqlstate[0] = '\0';
    if (type->type == QTDB_TYPE_DATE)
        ok = datetime_parse_date(text, size, &moment, error);
    else if (type->type == QTDB_TYPE_TIME)
        ok = datetime_parse_time(text, size, &moment);
    else
        ok = datetime_parse_timestamp(text, size, type->type == QTDB_TYPE_TIMESTAMPTZ, &moment,
                                      error);
    if (!ok && type->type != QTDB_TYPE_TIME && size == 5 && strncasecmp(text, "epoch", 5) == 0) {
        int64_t epoch = type->type == QTDB_TYPE_DATE ? -10957 : INT64_C(-946684800000000);

        *out = value_integer(type->type, epoch);
        return STATUS_OK;
    }
    if (!ok && error->sqlstate[0] != '\0')
        return STATUS_INVALID; /* A zone that is not known. */
    if (!ok && has_moment_form(text, size))
        return sql_error_set(error, "22008", -1, "date/time field value out of range: \"%.*s\"",
                             (int)(size < 100 ? size : 100), text);
    if (!ok)
        return sql_error_set(error, "22007", -1, "invalid input syntax for type %s: \"%.*s\"",
                             value_type_name(type->type), (int)(size < 100 ? size : 100), text);
    *out = value_integer(type->type, moment);
    return STATUS_OK;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum status
parse_uuid(const struct sql_type *type, const char *text, size_t size, struct arena *arena,
           struct value *out, struct sql_error *error)
{
    uint8_t *bytes = arena_alloc(arena, 16);
    size_t nibbles = 0;

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < size; i++) {
        int digit = hex_digit(text[i]);

        if (text[i] == '-' && nibbles % 4 == 0 && nibbles > 0)
            continue;
        if (digit < 0 || nibbles == 32)
            return bad_syntax(error, type, text, size);
        bytes[nibbles / 2] = (uint8_t)(bytes[nibbles / 2] << 4 | digit);
        nibbles++;
    }
    if (nibbles != 32)
        return bad_syntax(error, type, text, size);
    *out = value_bytes(QTDB_TYPE_UUID, bytes, 16);
    return STATUS_OK;
}

/* The older form: a doubled backslash and backslash ooo, everything else as it is. */
static enum status
parse_escaped_bytea(const struct sql_type *type, const char *text, size_t size, struct arena *arena,
                    struct value *out, struct sql_error *error)
{
    uint8_t *bytes = arena_alloc(arena, size + 1);
    size_t used = 0;

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '\\') {
            bytes[used++] = (uint8_t)text[i];
        } else if (i + 1 < size && text[i + 1] == '\\') {
            bytes[used++] = '\\';
            i++;
        } else if (size - i > 3 && text[i + 1] >= '0' && text[i + 1] <= '3' && text[i + 2] >= '0' &&
                   text[i + 2] <= '7' && text[i + 3] >= '0' && text[i + 3] <= '7') {
            bytes[used++] = (uint8_t)((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 |
                                      (text[i + 3] - '0'));
            i += 3;
        } else {
            return bad_syntax(error, type, text, size);
        }
    }
    *out = value_bytes(QTDB_TYPE_BYTEA, bytes, used);
    return STATUS_OK;
}

static enum status
parse_bytea(const struct sql_type *type, const char *text, size_t size, struct arena *arena,
            struct value *out, struct sql_error *error)
{
    if (size < 2 || text[0] != '\\' || text[1] != 'x')
        return parse_escaped_bytea(type, text, size, arena, out, error);
    if (size % 2 != 0)
        return sql_error_set(error, "22023", -1, "invalid hexadecimal data: odd number of digits");
    uint8_t *bytes = arena_alloc(arena, size / 2);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 2; i < size; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

        if (high < 0 || low < 0)
            return bad_syntax(error, type, text, size);
        bytes[i / 2 - 1] = (uint8_t)(high << 4 | low);
    }
    *out = value_bytes(QTDB_TYPE_BYTEA, bytes, size / 2 - 1);
    return STATUS_OK;
}

static enum status
parse_text(const struct sql_type *type, const char *text, size_t size, struct arena *arena,
           struct value *out)
{
    char *copy = arena_copy_text(arena, text, size);

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    *out = value_bytes(type->type, copy, size);
    return STATUS_OK;
}

enum status
value_parse(const struct sql_type *type, const char *text, size_t size, struct arena *arena,
            struct value *out, struct sql_error *error)
{
    switch (type->type) {
    case QTDB_TYPE_BOOL:
        return parse_bool(type, text, size, out, error);
    case QTDB_TYPE_INT2:
    case QTDB_TYPE_INT4:
    case QTDB_TYPE_INT8:
        return parse_integer(type, text, size, out, error);
    case QTDB_TYPE_FLOAT4:
    case QTDB_TYPE_FLOAT8:
        return parse_real(type, text, size, out, error);
    case QTDB_TYPE_NUMERIC:
        return parse_numeric(type, text, size, arena, out, error);
    case QTDB_TYPE_DATE:
    case QTDB_TYPE_TIME:
    case QTDB_TYPE_TIMESTAMP:
    case QTDB_TYPE_TIMESTAMPTZ:
        return parse_moment(type, text, size, out, error);
    case QTDB_TYPE_UUID:
        return parse_uuid(type, text, size, arena, out, error);
    case QTDB_TYPE_BYTEA:
        return parse_bytea(type, text, size, arena, out, error);
    case QTDB_TYPE_JSON:
        TRY(json_validate(text, size, error));
        return parse_text(type, text, size, arena, out);
    case QTDB_TYPE_JSONB:
        return json_parse_canonical(text, size, arena, out, error);
    case QTDB_TYPE_INTERVAL:
        return interval_parse(type, text, size, arena, out, error);
    case QTDB_TYPE_TEXT:
    case QTDB_TYPE_VARCHAR:
    case QTDB_TYPE_CHAR:
        return parse_text(type, text, size, arena, out);
    default:
        if (value_is_array(type->type))
            return array_parse(type, text, size, arena, out, error);
        return sql_error_set(error, "0A000", -1, "type %s is not supported yet",
                             value_type_name(type->type));
    }
}

/* Printing. */

static const char *
keep_text(struct arena *arena, const char *text, size_t size, size_t *size_out)
{
    *size_out = size;
    return arena_copy_text(arena, text, size);
}

/* The shortest decimal that reads back as the same number, as PostgreSQL prints it: with an exponent below
 * -4, and from 6 or 15 on. Numbers below the normal ones have fewer digits. */
static size_t
print_real(double real, bool single, char out[40])
{
    bool normal = fabs(real) >= (single ? (double)FLT_MIN : DBL_MIN);
    int precision = !normal ? 1 : single ? 6 : 15, most = single ? 9 : 17;
    size_t size = 0;

    if (isnan(real))
        return (size_t)snprintf(out, 40, "NaN");
    if (isinf(real))
        return (size_t)snprintf(out, 40, real > 0 ? "Infinity" : "-Infinity");
    for (; precision <= most; precision++) {
        size = (size_t)snprintf(out, 40, "%.*g", precision, real);
        if (single ? strtof(out, NULL) == (float)real : strtod(out, NULL) == real)
            break;
    }
    if (precision <= (single ? 6 : 15) || strchr(out, 'e') != NULL ||
        fabs(real) < (single ? 1e6 : 1e15))
        return size;
    return (size_t)snprintf(out, 40, "%.*e", precision - 1, real);
}

static const char *
print_uuid(const uint8_t *bytes, struct arena *arena, size_t *size_out)
{
    static const char digits[] = "0123456789abcdef";
    char text[37];
    size_t next = 0;

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[next++] = '-';
        text[next++] = digits[bytes[i] >> 4];
        text[next++] = digits[bytes[i] & 15];
    }
    return keep_text(arena, text, next, size_out);
}

static const char *
print_bytea(const uint8_t *bytes, uint32_t size, struct arena *arena, size_t *size_out)
{
    static const char digits[] = "0123456789abcdef";
    char *text = arena_alloc(arena, 2 * (size_t)size + 3);

    if (text == NULL)
        return NULL;
    text[0] = '\\';
    text[1] = 'x';
    for (uint32_t i = 0; i < size; i++) {
        text[2 + 2 * (size_t)i] = digits[bytes[i] >> 4];
        text[3 + 2 * (size_t)i] = digits[bytes[i] & 15];
    }
    *size_out = 2 * (size_t)size + 2;
    return text;
}

static const char *
print_moment(const struct value *value, struct arena *arena, size_t *size_out)
{
    char text[DATETIME_TEXT_SIZE];
    size_t size;

    if (value->type == QTDB_TYPE_DATE)
        size = datetime_print_date(value->integer, text);
    else if (value->type == QTDB_TYPE_TIME)
        size = datetime_print_time(value->integer, text);
    else
        size = datetime_print_timestamp(value->integer, value->type == QTDB_TYPE_TIMESTAMPTZ, text);
    return keep_text(arena, text, size, size_out);
}

const char *
value_print(const struct value *value, struct arena *arena, size_t *size_out)
{
    char text[40];

    CHECK(!value->null);
    switch (value->type) {
    case QTDB_TYPE_BOOL:
        return keep_text(arena, value->integer ? "t" : "f", 1, size_out);
    case QTDB_TYPE_INT2:
    case QTDB_TYPE_INT4:
    case QTDB_TYPE_INT8: {
        int size = snprintf(text, sizeof(text), "%lld", (long long)value->integer);
        return keep_text(arena, text, (size_t)size, size_out);
    }
    case QTDB_TYPE_FLOAT4:
    case QTDB_TYPE_FLOAT8: {
        size_t size = print_real(value->real, value->type == QTDB_TYPE_FLOAT4, text);
        return keep_text(arena, text, size, size_out);
    }
    case QTDB_TYPE_NUMERIC:
        return numeric_print(value->bytes, value->size, arena, size_out);
    case QTDB_TYPE_DATE:
    case QTDB_TYPE_TIME:
    case QTDB_TYPE_TIMESTAMP:
    case QTDB_TYPE_TIMESTAMPTZ:
        return print_moment(value, arena, size_out);
    case QTDB_TYPE_UUID:
        return print_uuid(value->bytes, arena, size_out);
    case QTDB_TYPE_BYTEA:
        return print_bytea(value->bytes, value->size, arena, size_out);
    case QTDB_TYPE_INTERVAL:
        return interval_print(value, arena, size_out);
    default:
        if (value_is_array(value->type))
            return array_print(value, arena, size_out);
        if (value_is_enum(value->type))
            return keep_text(arena, (const char *)value->bytes + VALUE_ENUM_HEAD,
                             value->size - VALUE_ENUM_HEAD, size_out);
        return keep_text(arena, (const char *)value->bytes, value->size, size_out);
    }
}

/* Comparing. */

static int
compare_bytes(const struct value *left, const struct value *right)
{
    uint32_t least = left->size < right->size ? left->size : right->size;
    int order = least == 0 ? 0 : memcmp(left->bytes, right->bytes, least);

    return order != 0 ? order : (left->size > right->size) - (left->size < right->size);
}

static int
compare_real(double left, double right)
{
    if (isnan(left) || isnan(right))
        return (isnan(left) != 0) - (isnan(right) != 0);
    return (left > right) - (left < right);
}

/* Trailing blanks of char(n) do not count. */
static inline struct value
without_blanks(struct value value)
{
    static const char blanks[] = "        ";

    if (value.size == 0 || value.bytes[value.size - 1] != ' ')
        return value;
    while (value.size >= 8 && memcmp(value.bytes + value.size - 8, blanks, 8) == 0)
        value.size -= 8;
    while (value.size > 0 && value.bytes[value.size - 1] == ' ')
        value.size--;
    return value;
}

/* Texts that differ at once, which most do, are compared without a look at their ends. */
static int
compare_padded(const struct value *left, const struct value *right)
{
    if (left->size > 0 && right->size > 0 && left->bytes[0] != right->bytes[0] &&
        left->bytes[0] != ' ' && right->bytes[0] != ' ')
        return left->bytes[0] < right->bytes[0] ? -1 : 1;
    struct value a = without_blanks(*left), b = without_blanks(*right);
    return compare_bytes(&a, &b);
}

int
value_compare(const struct value *left, const struct value *right)
{
    CHECK(!left->null && !right->null);
    CHECK(value_type_is_bytes(left->type) == value_type_is_bytes(right->type));
    if (left->type == QTDB_TYPE_NUMERIC)
        return numeric_compare(left->bytes, left->size, right->bytes, right->size);
    if (left->type == QTDB_TYPE_CHAR)
        return compare_padded(left, right);
    if (left->type == QTDB_TYPE_INTERVAL)
        return interval_compare(left, right);
    if (left->type == QTDB_TYPE_JSONB)
        return json_compare(left, right);
    if (value_is_array(left->type))
        return array_compare(left, right);
    if (value_type_is_bytes(left->type))
        return compare_bytes(left, right);
    if (left->type == QTDB_TYPE_FLOAT4 || left->type == QTDB_TYPE_FLOAT8)
        return compare_real(left->real, right->real);
    return (left->integer > right->integer) - (left->integer < right->integer);
}

/* Hashing. */

static uint64_t
hash_bytes(const uint8_t *bytes, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u ^ size;

    for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), bytes += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, bytes, sizeof(word));
        hash = value_hash_word(hash ^ word);
    }
    uint64_t rest = 0;
    if (size > 0)
        memcpy(&rest, bytes, size);
    return value_hash_word(hash ^ rest);
}

/* The display scale does not count. */
static uint64_t
hash_numeric(const uint8_t *bytes, uint32_t size)
{
    struct numeric_header header;

    memcpy(&header, bytes, sizeof(header));
    uint64_t head = (uint64_t)le16_get(header.sign) << 16 | le16_get(header.weight);
    return value_hash_word(head) ^ hash_bytes(bytes + sizeof(header), size - sizeof(header));
}

static uint64_t
hash_real(double real)
{
    uint64_t bits;

    if (real == 0)
        real = 0; /* Minus zero equals zero. */
    if (isnan(real))
        return value_hash_word(UINT64_MAX);
    memcpy(&bits, &real, sizeof(bits));
    return value_hash_word(bits);
}

uint64_t
value_hash(const struct value *value)
{
    if (value->null)
        return 0x9e3779b97f4a7c15u;
    if (value->type == QTDB_TYPE_NUMERIC)
        return hash_numeric(value->bytes, value->size);
    if (value->type == QTDB_TYPE_CHAR) {
        struct value cut = without_blanks(*value);

        return hash_bytes(cut.bytes, cut.size);
    }
    if (value->type == QTDB_TYPE_INTERVAL)
        return value_hash_word((uint64_t)interval_span(value));
    if (value->type == QTDB_TYPE_JSONB)
        return json_hash(value);
    if (value_is_array(value->type))
        return array_hash(value);
    if (value_type_is_bytes(value->type))
        return hash_bytes(value->bytes, value->size);
    if (value->type == QTDB_TYPE_FLOAT4 || value->type == QTDB_TYPE_FLOAT8)
        return hash_real(value->real);
    return value_hash_word((uint64_t)value->integer);
}
