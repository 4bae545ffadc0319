/* Functions of everyday use: texts as PostgreSQL quotes, formats and encodes them; digests, uuid, random. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "executor/exec.h"
#include "executor/function.h"
#include "executor/text_out.h"
#include "kernel/base/check.h"
#include "kernel/base/io.h"

static enum status
give(struct text_out *text, struct value *out)
{
    return text_out_value(text, QTDB_TYPE_TEXT, out);
}

/* Encodings. */

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
put_hex(struct text_out *text, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char pair[2] = {hex_digits[bytes[i] >> 4], hex_digits[bytes[i] & 15]};

        text_out_put(text, pair, 2);
    }
}

/* Lines of 76 characters, as PostgreSQL. */
static void
put_base64(struct text_out *text, const uint8_t *bytes, size_t size)
{
    size_t line = 0;

    for (size_t i = 0; i < size; i += 3) {
        uint32_t left = (uint32_t)(size - i < 3 ? size - i : 3), word = 0;
        char four[4] = {'=', '=', '=', '='};

        for (uint32_t k = 0; k < 3; k++)
            word = word << 8 | (k < left ? bytes[i + k] : 0);
        for (uint32_t k = 0; k <= left; k++)
            four[k] = base64_digits[word >> (18 - 6 * k) & 63];
        text_out_put(text, four, 4);
        line += 4;
        if (line == 76 && i + 3 < size) {
            text_out_put(text, "\n", 1);
            line = 0;
        }
    }
}

static void
put_escaped(struct text_out *text, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char octal[5];

        if (bytes[i] == '\\') {
            text_out_puts(text, "\\\\");
        } else if (bytes[i] != 0 && bytes[i] < 0x80) {
            text_out_put(text, &bytes[i], 1);
        } else {
            snprintf(octal, sizeof(octal), "\\%03o", bytes[i]);
            text_out_put(text, octal, 4);
        }
    }
}

static bool
is_word(const struct value *value, const char *word)
{
    return value->size == strlen(word) &&
           strncasecmp((const char *)value->bytes, word, value->size) == 0;
}

static enum status
bad_encoding(const struct expr *expr, const struct value *name, struct eval *eval)
{
    return sql_error_set(eval->error, "22023", expr->location, "unrecognized encoding: \"%.*s\"",
                         (int)name->size, (const char *)name->bytes);
}

static enum status
call_encode(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    struct text_out text = {.arena = eval->arena};

    if (is_word(&arguments[1], "hex"))
        put_hex(&text, arguments[0].bytes, arguments[0].size);
    else if (is_word(&arguments[1], "base64"))
        put_base64(&text, arguments[0].bytes, arguments[0].size);
    else if (is_word(&arguments[1], "escape"))
        put_escaped(&text, arguments[0].bytes, arguments[0].size);
    else
        return bad_encoding(expr, &arguments[1], eval);
    return give(&text, out);
}

static enum status
bad_digit(const struct expr *expr, const char *what, struct eval *eval)
{
    return sql_error_set(eval->error, "22023", expr->location, "invalid %s", what);
}

static enum status
take_hex(const struct expr *expr, const struct value *value, struct text_out *text,
         struct eval *eval)
{
    int high = -1;

    for (uint32_t i = 0; i < value->size; i++) {
        const char *digit = strchr(hex_digits, tolower(value->bytes[i]));

        if (isspace(value->bytes[i]))
            continue;
        if (digit == NULL || *digit == '\0')
            return bad_digit(expr, "hexadecimal digit", eval);
        if (high < 0) {
            high = (int)(digit - hex_digits);
        } else {
            uint8_t byte = (uint8_t)(high << 4 | (int)(digit - hex_digits));

            text_out_put(text, &byte, 1);
            high = -1;
        }
    }
    return high < 0 ? STATUS_OK : bad_digit(expr, "hexadecimal data: odd number of digits", eval);
}

static enum status
take_base64(const struct expr *expr, const struct value *value, struct text_out *text,
            struct eval *eval)
{
    uint32_t word = 0, count = 0, padding = 0;

    for (uint32_t i = 0; i < value->size; i++) {
        char c = (char)value->bytes[i];
        const char *digit = strchr(base64_digits, c);

        if (isspace((unsigned char)c))
            continue;
        if (c == '=' && count >= 2)
            padding++;
        else if (digit == NULL || c == '\0' || padding > 0)
            return bad_digit(expr, "symbol while decoding base64 sequence", eval);
        word = word << 6 | (c == '=' ? 0 : (uint32_t)(digit - base64_digits));
        if (++count < 4)
            continue;
        uint8_t bytes[3] = {(uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word};
        text_out_put(text, bytes, 3 - padding);
        word = count = 0;
    }
    return count == 0 ? STATUS_OK : bad_digit(expr, "base64 end sequence", eval);
}

static enum status
call_decode(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    struct text_out text = {.arena = eval->arena};

    if (is_word(&arguments[1], "hex"))
        TRY(take_hex(expr, &arguments[0], &text, eval));
    else if (is_word(&arguments[1], "base64"))
        TRY(take_base64(expr, &arguments[0], &text, eval));
    else
        return bad_encoding(expr, &arguments[1], eval);
    return text_out_value(&text, QTDB_TYPE_BYTEA, out);
}

static enum status
call_to_hex(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    char text[20];
    bool small = expr->arguments[0]->type.type == QTDB_TYPE_INT4;
    int size = small
                   ? snprintf(text, sizeof(text), "%x", (unsigned)arguments[0].integer)
                   : snprintf(text, sizeof(text), "%llx", (unsigned long long)arguments[0].integer);
    char *copy = arena_copy_text(eval->arena, text, (size_t)size);

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    *out = value_bytes(QTDB_TYPE_TEXT, copy, (size_t)size);
    return STATUS_OK;
}

/* Characters. */

static uint32_t
character_at(const struct value *text, uint32_t at, uint32_t *size_out)
{
    uint8_t lead = text->bytes[at];
    uint32_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t c = size == 1 ? lead : lead & (0x7fu >> size);

    if (size > text->size - at)
        size = text->size - at;
    for (uint32_t i = 1; i < size; i++)
        c = c << 6 | (text->bytes[at + i] & 63);
    *size_out = size;
    return c;
}

static enum status
call_ascii(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    uint32_t size = 0;

    (void)expr, (void)eval;
    *out = value_integer(QTDB_TYPE_INT4,
                         arguments[0].size == 0 ? 0 : character_at(&arguments[0], 0, &size));
    return STATUS_OK;
}

static enum status
call_chr(const struct expr *expr, const struct value *arguments, struct eval *eval,
         struct value *out)
{
    int64_t c = arguments[0].integer;
    struct text_out text = {.arena = eval->arena};
    uint8_t bytes[4];
    size_t size = 0;

    if (c == 0)
        return sql_error_set(eval->error, "54000", expr->location, "null character not permitted");
    if (c < 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return sql_error_set(eval->error, "54000", expr->location,
                             "requested character too large for encoding: %lld", (long long)c);
    if (c < 0x80) {
        bytes[size++] = (uint8_t)c;
    } else {
        int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

        bytes[size++] = (uint8_t)((0xff00 >> (more + 1) & 0xff) | (uint8_t)(c >> (6 * more)));
        while (more-- > 0)
            bytes[size++] = (uint8_t)(0x80 | (c >> (6 * more) & 63));
    }
    text_out_put(&text, bytes, size);
    return give(&text, out);
}

/* translate(text, from, to): characters past the end of `to` vanish. */
static enum status
call_translate(const struct expr *expr, const struct value *arguments, struct eval *eval,
               struct value *out)
{
    const struct value *from = &arguments[1], *to = &arguments[2];
    struct text_out text = {.arena = eval->arena};
    uint32_t size = 0, other_size = 0;

    (void)expr;
    for (uint32_t at = 0; at < arguments[0].size; at += size) {
        uint32_t c = character_at(&arguments[0], at, &size), f = 0, t = 0;
        bool found = false;

        while (f < from->size && !found) {
            found = character_at(from, f, &other_size) == c;
            f += other_size;
            if (!found && t < to->size) {
                (void)character_at(to, t, &other_size);
                t += other_size;
            }
        }
        if (!found) {
            text_out_put(&text, arguments[0].bytes + at, size);
        } else if (t < to->size) {
            (void)character_at(to, t, &other_size);
            text_out_put(&text, to->bytes + t, other_size);
        }
    }
    return give(&text, out);
}

/* Quoting. */

static void
put_literal(struct text_out *text, const struct value *value)
{
    bool escapes = memchr(value->bytes, '\\', value->size) != NULL;

    text_out_puts(text, escapes ? "E'" : "'");
    for (uint32_t i = 0; i < value->size; i++) {
        if (value->bytes[i] == '\'' || value->bytes[i] == '\\')
            text_out_put(text, &value->bytes[i], 1);
        text_out_put(text, &value->bytes[i], 1);
    }
    text_out_puts(text, "'");
}

static void
put_identifier(struct text_out *text, const struct value *value)
{
    bool plain = value->size > 0 && !isdigit(value->bytes[0]) &&
                 !parse_is_keyword((const char *)value->bytes, value->size);

    for (uint32_t i = 0; i < value->size; i++) {
        uint8_t c = value->bytes[i];

        plain = plain && (islower(c) || isdigit(c) || c == '_');
    }
    text_out_puts(text, plain ? "" : "\"");
    for (uint32_t i = 0; i < value->size; i++) {
        text_out_puts(text, value->bytes[i] == '"' ? "\"" : "");
        text_out_put(text, &value->bytes[i], 1);
    }
    text_out_puts(text, plain ? "" : "\"");
}

/* quote_literal, quote_nullable, quote_ident. */
static enum status
call_quote(const struct expr *expr, const struct value *arguments, struct eval *eval,
           struct value *out)
{
    struct text_out text = {.arena = eval->arena};

    if (arguments[0].null)
        text_out_puts(&text, "NULL");
    else if (expr->function->name[6] == 'i')
        put_identifier(&text, &arguments[0]);
    else
        put_literal(&text, &arguments[0]);
    return give(&text, out);
}

/* Formatting. */

static enum status
as_text(const struct value *value, struct eval *eval, struct value *out)
{
    static const struct sql_type text = {QTDB_TYPE_TEXT, -1, -1};

    if (value->type == QTDB_TYPE_BOOL && !value->null) { /* Output syntax, not a cast. */
        *out = value_bytes(QTDB_TYPE_TEXT, value->integer != 0 ? "t" : "f", 1);
        return STATUS_OK;
    }
    return value_cast(value, &text, eval->arena, out, eval->error);
}

static void
put_padded(struct text_out *text, const struct value *value, int64_t width, bool left)
{
    int64_t count = 0;

    for (uint32_t i = 0; i < value->size; i++)
        count += (value->bytes[i] & 0xc0) != 0x80;
    if (left)
        text_out_put(text, value->bytes, value->size);
    for (; count < width; count++)
        text_out_put(text, " ", 1);
    if (!left)
        text_out_put(text, value->bytes, value->size);
}

struct format_spec {
    int64_t width;
    uint32_t argument; /* 0: the next one. */
    bool left;
};

/* `[n$][-][width]` behind the percent sign. */
static bool
take_spec(const struct value *format, uint32_t *at, struct format_spec *out)
{
    int64_t number = 0;
    uint32_t from = *at;

    *out = (struct format_spec){0, 0, false};
    while (*at < format->size && isdigit(format->bytes[*at]) && *at - from < 7)
        number = number * 10 + (format->bytes[(*at)++] - '0');
    if (*at > from && *at < format->size && format->bytes[*at] == '$') {
        out->argument = (uint32_t)number;
        (*at)++;
        if (number == 0)
            return false;
        number = 0;
    } else if (*at > from) {
        out->width = number;
        return true;
    }
    while (*at < format->size && format->bytes[*at] == '-') {
        out->left = true;
        (*at)++;
    }
    while (*at < format->size && isdigit(format->bytes[*at]) && number < 1000000)
        number = number * 10 + (format->bytes[(*at)++] - '0');
    out->width = number;
    return true;
}

/* format(text, ...): %s, %I, %L, %%. */
static enum status
call_format(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    const struct value *format = &arguments[0];
    struct text_out text = {.arena = eval->arena};
    uint32_t next = 1;

    *out = value_null(QTDB_TYPE_TEXT);
    if (format->null)
        return STATUS_OK;
    for (uint32_t i = 0; i < format->size; i++) {
        struct text_out part = {.arena = eval->arena};
        struct format_spec spec;
        struct value value;

        if (format->bytes[i] != '%') {
            text_out_put(&text, format->bytes + i, 1);
            continue;
        }
        i++;
        if (i < format->size && format->bytes[i] == '%') {
            text_out_put(&text, "%", 1);
            continue;
        }
        if (!take_spec(format, &i, &spec) || i >= format->size)
            return sql_error_set(eval->error, "22023", expr->location,
                                 "unterminated format() type specifier");
        char kind = (char)format->bytes[i];
        if (strchr("sIL", kind) == NULL)
            return sql_error_set(eval->error, "22023", expr->location,
                                 "unrecognized format() type specifier \"%c\"", kind);
        uint32_t index = spec.argument != 0 ? spec.argument : next;
        next = index + 1;
        if (index >= expr->argument_count)
            return sql_error_set(eval->error, "22023", expr->location,
                                 "too few arguments for format()");
        TRY(as_text(&arguments[index], eval, &value));
        if (value.null && kind == 'I')
            return sql_error_set(eval->error, "22004", expr->location,
                                 "null values cannot be formatted as an SQL identifier");
        if (value.null)
            text_out_puts(&part, kind == 'L' ? "NULL" : "");
        else if (kind == 's')
            text_out_put(&part, value.bytes, value.size);
        else if (kind == 'I')
            put_identifier(&part, &value);
        else
            put_literal(&part, &value);
        TRY(give(&part, &value));
        put_padded(&text, &value, spec.width, spec.left);
    }
    return give(&text, out);
}

/* concat_ws(between, ...): nulls are passed over. */
static enum status
call_concat_ws(const struct expr *expr, const struct value *arguments, struct eval *eval,
               struct value *out)
{
    struct text_out text = {.arena = eval->arena};
    bool first = true;

    *out = value_null(QTDB_TYPE_TEXT);
    if (arguments[0].null)
        return STATUS_OK;
    for (uint32_t i = 1; i < expr->argument_count; i++) {
        struct value part;

        if (arguments[i].null)
            continue;
        TRY(as_text(&arguments[i], eval, &part));
        if (!first)
            text_out_put(&text, arguments[0].bytes, arguments[0].size);
        first = false;
        text_out_put(&text, part.bytes, part.size);
    }
    return give(&text, out);
}

/* overlay(text placing part from n [for m]). */
static enum status
call_overlay(const struct expr *expr, const struct value *arguments, struct eval *eval,
             struct value *out)
{
    const struct value *text = &arguments[0], *part = &arguments[1];
    struct text_out result = {.arena = eval->arena};
    int64_t from = arguments[2].integer, count = 0, length = 0;
    uint32_t size = 0;

    if (from < 1)
        return sql_error_set(eval->error, "22011", expr->location,
                             "negative substring length not allowed");
    for (uint32_t i = 0; i < part->size; i++)
        length += (part->bytes[i] & 0xc0) != 0x80;
    if (expr->argument_count > 3)
        length = arguments[3].integer;
    for (uint32_t at = 0; at < text->size; at += size) {
        (void)character_at(text, at, &size);
        if (++count < from)
            text_out_put(&result, text->bytes + at, size);
    }
    text_out_put(&result, part->bytes, part->size);
    count = 0;
    for (uint32_t at = 0; at < text->size; at += size) {
        (void)character_at(text, at, &size);
        if (++count >= from + length)
            text_out_put(&result, text->bytes + at, size);
    }
    return give(&result, out);
}

/* bytea. */

static enum status
call_bytea_join(const struct expr *expr, const struct value *arguments, struct eval *eval,
                struct value *out)
{
    struct text_out bytes = {.arena = eval->arena};

    (void)expr;
    text_out_put(&bytes, arguments[0].bytes, arguments[0].size);
    text_out_put(&bytes, arguments[1].bytes, arguments[1].size);
    return text_out_value(&bytes, QTDB_TYPE_BYTEA, out);
}

static enum status
call_get_byte(const struct expr *expr, const struct value *arguments, struct eval *eval,
              struct value *out)
{
    int64_t at = arguments[1].integer;

    if (at < 0 || at >= arguments[0].size)
        return sql_error_set(eval->error, "2202E", expr->location,
                             "index %lld out of valid range, 0..%lld", (long long)at,
                             (long long)arguments[0].size - 1);
    *out = value_integer(QTDB_TYPE_INT4, arguments[0].bytes[at]);
    return STATUS_OK;
}

static enum status
call_bytea_size(const struct expr *expr, const struct value *arguments, struct eval *eval,
                struct value *out)
{
    (void)expr, (void)eval;
    *out = value_integer(QTDB_TYPE_INT4, arguments[0].size);
    return STATUS_OK;
}

/* Random. */

static enum status
draw(const struct expr *expr, struct eval *eval, void *bytes, size_t size)
{
    if (eval->context == NULL)
        return sql_error_set(eval->error, "0A000", expr->location,
                             "%s in a constant expression is not supported yet",
                             expr->function->name);
    io_random(eval->context->io, bytes, size);
    return STATUS_OK;
}

static enum status
call_uuid(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    uint8_t *bytes = arena_alloc(eval->arena, 16);

    (void)arguments;
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    TRY(draw(expr, eval, bytes, 16));
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    *out = value_bytes(QTDB_TYPE_UUID, bytes, 16);
    return STATUS_OK;
}

static enum status
call_random(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    uint64_t word = 0;

    (void)arguments;
    TRY(draw(expr, eval, &word, sizeof(word)));
    *out = value_real(QTDB_TYPE_FLOAT8, (double)(word >> 11) * 0x1p-53);
    return STATUS_OK;
}

/* About the session. */

static enum status
call_name(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    const char *name = expr->function->name;
    const char *text = strcmp(name, "current_schema") == 0 ? "public" : "qtdb";

    (void)arguments, (void)eval;
    if (strcmp(name, "version") == 0)
        text = "PostgreSQL 15 compatible, qtdb " QTDB_VERSION_STRING;
    *out = value_bytes(QTDB_TYPE_TEXT, text, strlen(text));
    return STATUS_OK;
}

static enum status
call_typeof(const struct expr *expr, const struct value *arguments, struct eval *eval,
            struct value *out)
{
    const char *name = value_type_name(expr->arguments[0]->type.type);

    (void)arguments, (void)eval;
    *out = value_bytes(QTDB_TYPE_TEXT, name, strlen(name));
    return STATUS_OK;
}

#define TEXT QTDB_TYPE_TEXT
#define BYTEA QTDB_TYPE_BYTEA
#define INT4 QTDB_TYPE_INT4
#define INT8 QTDB_TYPE_INT8

const struct function function_bytes_table[] = {
    {"encode", 2, 2, {BYTEA, TEXT}, TEXT, false, false, call_encode},
    {"decode", 2, 2, {TEXT, TEXT}, BYTEA, false, false, call_decode},
    {"to_hex", 1, 1, {INT4}, TEXT, false, false, call_to_hex},
    {"to_hex", 1, 1, {INT8}, TEXT, false, false, call_to_hex},
    {"ascii", 1, 1, {TEXT}, INT4, false, false, call_ascii},
    {"chr", 1, 1, {INT4}, TEXT, false, false, call_chr},
    {"translate", 3, 3, {TEXT, TEXT, TEXT}, TEXT, false, false, call_translate},
    {"quote_literal", 1, 1, {TEXT}, TEXT, false, false, call_quote},
    {"quote_ident", 1, 1, {TEXT}, TEXT, false, false, call_quote},
    {"quote_nullable", 1, 1, {TEXT}, TEXT, true, false, call_quote},
    {"format", 1, 2, {TEXT, FUNCTION_ANY}, TEXT, true, true, call_format},
    {"concat_ws", 1, 2, {TEXT, FUNCTION_ANY}, TEXT, true, true, call_concat_ws},
    {"overlay", 3, 4, {TEXT, TEXT, INT4, INT4}, TEXT, false, false, call_overlay},
    {"||", 2, 2, {BYTEA, BYTEA}, BYTEA, false, false, call_bytea_join},
    {"get_byte", 2, 2, {BYTEA, INT4}, INT4, false, false, call_get_byte},
    {"length", 1, 1, {BYTEA}, INT4, false, false, call_bytea_size},
    {"gen_random_uuid", 0, 1, {TEXT}, QTDB_TYPE_UUID, true, false, call_uuid},
    {"random", 0, 1, {TEXT}, QTDB_TYPE_FLOAT8, true, false, call_random},
    {"current_user", 0, 1, {TEXT}, TEXT, true, false, call_name},
    {"current_schema", 0, 1, {TEXT}, TEXT, true, false, call_name},
    {"current_database", 0, 1, {TEXT}, TEXT, true, false, call_name},
    {"version", 0, 1, {TEXT}, TEXT, true, false, call_name},
    {"pg_typeof", 1, 1, {FUNCTION_ANY}, TEXT, true, false, call_typeof},
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
