/*
 * Functions of everyday use that fit no other family: counting nulls, sizes in bits and in words, bytes
 * and texts in UTF8, parts of bytea, the ends of arrays, jsonb from texts and jsonb_insert.
 */
#include <stdio.h>
#include <string.h>

#include "executor/array.h"
#include "executor/function.h"
#include "executor/json.h"
#include "kernel/base/check.h"

/* Nulls and sizes. */

static enum status
call_num_nulls(const struct expr *expr, const struct value *arguments, struct eval *eval,
               struct value *out)
{
    bool nulls = strcmp(expr->function->name, "num_nulls") == 0;
    int64_t count = 0;

    (void)eval;
    for (uint32_t i = 0; i < expr->argument_count; i++)
        count += arguments[i].null == nulls;
    *out = value_integer(QTDB_TYPE_INT4, count);
    return STATUS_OK;
}

static enum status
call_bit_length(const struct expr *expr, const struct value *arguments, struct eval *eval,
                struct value *out)
{
    (void)expr, (void)eval;
    *out = value_integer(QTDB_TYPE_INT4, 8 * (int64_t)arguments[0].size);
    return STATUS_OK;
}

/* Up to 10,240 of a unit; halves go up. */
static enum status
call_size_pretty(const struct expr *expr, const struct value *arguments, struct eval *eval,
                 struct value *out)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
    int64_t size = arguments[0].integer;
    char text[40];
    size_t unit = 0;

    (void)expr;
    while (unit + 1 < sizeof(units) / sizeof(units[0]) &&
           (size >= (unit == 0 ? 10240 : 20479) || size <= -(unit == 0 ? 10240 : 20479))) {
        size /= unit == 0 ? 512 : 1024; /* From the first unit on twice the size, to round by. */
        unit++;
    }
    if (unit > 0)
        size = (size + (size < 0 ? -1 : 1)) / 2;
    int length = snprintf(text, sizeof(text), "%lld %s", (long long)size, units[unit]);
    char *copy = arena_copy_text(eval->arena, text, (size_t)length);
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    *out = value_bytes(QTDB_TYPE_TEXT, copy, (size_t)length);
    return STATUS_OK;
}

/* A type's name with pg_attribute's modifier: behind the first word of timestamps, and before []. */
static enum status
call_format_type(const struct expr *expr, const struct value *arguments, struct eval *eval,
                 struct value *out)
{
    const char *name = (const char *)arguments[0].bytes;
    bool array = arguments[0].size > 2 && name[arguments[0].size - 1] == ']';
    int size = (int)arguments[0].size - (array ? 2 : 0), word = size;
    int32_t modifier = arguments[1].null ? -1 : (int32_t)arguments[1].integer;
    char digits[40] = "", text[160];

    (void)expr;
    if (arguments[0].null) {
        *out = value_null(QTDB_TYPE_TEXT);
        return STATUS_OK;
    }
    if (strncmp(name, "time", 4) == 0)
        word = (int)strcspn(name, " ") < size ? (int)strcspn(name, " ") : size;
    if (modifier >= 4 && strncmp(name, "numeric", 7) == 0)
        (void)snprintf(digits, sizeof(digits), "(%d,%d)", (modifier - 4) >> 16,
                       (modifier - 4) & 0xffff);
    else if (modifier >= 4 && strncmp(name, "character", 9) == 0)
        (void)snprintf(digits, sizeof(digits), "(%d)", modifier - 4);
    else if (modifier >= 0 && word < size)
        (void)snprintf(digits, sizeof(digits), "(%d)", modifier);
    int length = snprintf(text, sizeof(text), "%.*s%s%.*s%s", word < 60 ? word : 60, name, digits,
                          size - word < 60 ? size - word : 60, name + word, array ? "[]" : "");
    char *copy = arena_copy_text(eval->arena, text, (size_t)length);
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    *out = value_bytes(QTDB_TYPE_TEXT, copy, (size_t)length);
    return STATUS_OK;
}

/* Texts and bytes. */

static bool
is_utf8_name(const struct value *name)
{
    return (name->size == 4 && strncasecmp((const char *)name->bytes, "UTF8", 4) == 0) ||
           (name->size == 5 && strncasecmp((const char *)name->bytes, "UTF-8", 5) == 0);
}

/* Bytes of the character that begins here; 0: none does. */
static size_t
character_size(const uint8_t *bytes, size_t left)
{
    uint8_t first = bytes[0];
    size_t size = first < 0x80   ? 1
                  : first < 0xc2 ? 0
                  : first < 0xe0 ? 2
                  : first < 0xf0 ? 3
                  : first < 0xf5 ? 4
                                 : 0;

    if (size == 0 || size > left || first == 0)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((first == 0xe0 && bytes[1] < 0xa0) || (first == 0xed && bytes[1] > 0x9f) ||
        (first == 0xf0 && bytes[1] < 0x90) || (first == 0xf4 && bytes[1] > 0x8f))
        return 0;
    return size;
}

static enum status
call_convert(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    bool to_text = expr->type.type == QTDB_TYPE_TEXT;
    size_t at = 0;

    if (!is_utf8_name(&arguments[1]))
        return sql_error_set(eval->error, "0A000", expr->location,
                             "encodings other than UTF8 are not supported yet");
    while (to_text && at < arguments[0].size) {
        size_t size = character_size(arguments[0].bytes + at, arguments[0].size - at);

        if (size == 0)
            return sql_error_set(eval->error, "22021", expr->location,
                                 "invalid byte sequence for encoding \"UTF8\": 0x%02x",
                                 arguments[0].bytes[at]);
        at += size;
    }
    *out = arguments[0];
    out->type = expr->type.type;
    return STATUS_OK;
}

/* substring(bytea from begin for count): as of a text. */
static enum status
call_bytea_part(const struct expr *expr, const struct value *arguments, struct eval *eval,
                struct value *out)
{
    int64_t begin = arguments[1].integer, size = arguments[0].size;
    int64_t end = size + 1;

    if (expr->argument_count > 2) {
        if (arguments[2].integer < 0)
            return sql_error_set(eval->error, "22011", expr->location,
                                 "negative substring length not allowed");
        end = begin + arguments[2].integer;
    }
    begin = begin < 1 ? 1 : begin;
    end = end > size + 1 ? size + 1 : end;
    *out = end <= begin ? value_bytes(QTDB_TYPE_BYTEA, arguments[0].bytes, 0)
                        : value_bytes(QTDB_TYPE_BYTEA, arguments[0].bytes + begin - 1,
                                      (size_t)(end - begin));
    return STATUS_OK;
}

static enum status
call_bytea_position(const struct expr *expr, const struct value *arguments, struct eval *eval,
                    struct value *out)
{
    const uint8_t *found =
        memmem(arguments[0].bytes, arguments[0].size, arguments[1].bytes, arguments[1].size);

    (void)expr, (void)eval;
    *out = value_integer(QTDB_TYPE_INT4, found == NULL ? 0 : found - arguments[0].bytes + 1);
    return STATUS_OK;
}

static enum status
call_set_byte(const struct expr *expr, const struct value *arguments, struct eval *eval,
              struct value *out)
{
    int64_t index = arguments[1].integer;

    if (index < 0 || index >= arguments[0].size)
        return sql_error_set(eval->error, "2202E", expr->location,
                             "index %lld out of valid range, 0..%lld", (long long)index,
                             (long long)arguments[0].size - 1);
    uint8_t *bytes = arena_alloc(eval->arena, arguments[0].size);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    memcpy(bytes, arguments[0].bytes, arguments[0].size);
    bytes[index] = (uint8_t)arguments[2].integer;
    *out = value_bytes(QTDB_TYPE_BYTEA, bytes, arguments[0].size);
    return STATUS_OK;
}

/* Arrays. */

static enum status
call_trim_array(const struct expr *expr, const struct value *arguments, struct eval *eval,
                struct value *out)
{
    struct array array = array_open(&arguments[0]), shape = array;
    int64_t length = array.dimension_count > 0 ? array.lengths[0] : 0;
    int64_t drop = arguments[1].integer;
    struct value *values = NULL;

    if (drop < 0 || drop > length)
        return sql_error_set(eval->error, "2202E", expr->location,
                             "number of elements to trim must be between 0 and %lld",
                             (long long)length);
    TRY(array_values(&array, eval->arena, &values));
    uint32_t count = length == 0 ? 0 : (uint32_t)(array.count / length * (length - drop));
    if (count > 0) {
        shape.lengths[0] = (int32_t)(length - drop);
        for (uint32_t i = 0; i < shape.dimension_count; i++)
            shape.lowers[i] = 1;
    }
    return array_make(array.element, values, count, &shape, eval->arena, out);
}

/* json_object and jsonb_object of texts: keys and values in turns, in pairs, or in two arrays. */
static enum status
call_json_object(const struct expr *expr, const struct value *arguments, struct eval *eval,
                 struct value *out)
{
    bool two = expr->argument_count == 2;
    struct array keys = array_open(&arguments[0]), values = keys;
    struct text_out text = {.arena = eval->arena};
    uint32_t count = two ? keys.count : keys.count / 2;
    bool pairs = keys.dimension_count == 2 && !two;

    if (two)
        values = array_open(&arguments[1]);
    if (pairs ? keys.lengths[1] != 2 : keys.dimension_count > 1 || values.dimension_count > 1)
        return sql_error_set(eval->error, "2202E", expr->location,
                             pairs ? "array must have two columns"
                                   : "wrong number of array subscripts");
    if (two ? keys.count != values.count : !pairs && keys.count % 2 != 0)
        return sql_error_set(eval->error, "2202E", expr->location,
                             two ? "mismatched array dimensions"
                                 : "array must have even number of elements");
    text_out_put(&text, "{", 1);
    for (uint32_t i = 0; i < count; i++) {
        struct value key = array_next(&keys), value = array_next(two ? &values : &keys);

        if (key.null)
            return sql_error_set(eval->error, "22004", expr->location,
                                 "null value not allowed for object key");
        text_out_puts(&text, i > 0 ? ", " : "");
        json_put_string(&text, (const char *)key.bytes, key.size);
        text_out_puts(&text, " : ");
        if (value.null)
            text_out_puts(&text, "null");
        else
            json_put_string(&text, (const char *)value.bytes, value.size);
    }
    text_out_put(&text, "}", 1);
    if (text.failed)
        return STATUS_NO_MEMORY;
    if (expr->type.type == QTDB_TYPE_JSONB)
        return json_parse_canonical(text.bytes, text.size, eval->arena, out, eval->error);
    *out = value_bytes(QTDB_TYPE_JSON, text.bytes, text.size);
    return STATUS_OK;
}

#define TEXT QTDB_TYPE_TEXT
#define BYTEA QTDB_TYPE_BYTEA
#define INT4 QTDB_TYPE_INT4
#define TEXTS ((enum qtdb_type)(QTDB_TYPE_TEXT | VALUE_ARRAY))

const struct function function_more_table[] = {
    {"num_nulls", 1, 1, {FUNCTION_ANY}, INT4, true, true, call_num_nulls},
    {"num_nonnulls", 1, 1, {FUNCTION_ANY}, INT4, true, true, call_num_nulls},
    {"bit_length", 1, 1, {TEXT}, INT4, false, false, call_bit_length},
    {"bit_length", 1, 1, {BYTEA}, INT4, false, false, call_bit_length},
    {"pg_size_pretty", 1, 1, {QTDB_TYPE_INT8}, TEXT, false, false, call_size_pretty},
    {"format type", 2, 2, {TEXT, INT4}, TEXT, true, false, call_format_type},
    {"convert_to", 2, 2, {TEXT, TEXT}, BYTEA, false, false, call_convert},
    {"convert_from", 2, 2, {BYTEA, TEXT}, TEXT, false, false, call_convert},
    {"substring", 2, 3, {BYTEA, INT4, INT4}, BYTEA, false, false, call_bytea_part},
    {"substr", 2, 3, {BYTEA, INT4, INT4}, BYTEA, false, false, call_bytea_part},
    {"position", 2, 2, {BYTEA, BYTEA}, INT4, false, false, call_bytea_position},
    {"set_byte", 3, 3, {BYTEA, INT4, INT4}, BYTEA, false, false, call_set_byte},
    {"trim_array",
     2,
     2,
     {FUNCTION_ANY_ARRAY, INT4},
     FUNCTION_ANY_ARRAY,
     false,
     false,
     call_trim_array},
    {"json_object", 1, 2, {TEXTS, TEXTS}, QTDB_TYPE_JSON, false, false, call_json_object},
    {"jsonb_object", 1, 2, {TEXTS, TEXTS}, QTDB_TYPE_JSONB, false, false, call_json_object},
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
