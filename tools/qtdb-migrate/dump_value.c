/*
 * Values of INSERT: literals, and of functions those that the dump programs themselves write (SQLite's
 * replace(..., char(10)) and unistr, MySQL's _binary). Any other expression is refused with its line.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/qtdb-migrate/dump_source.h"

static enum status
refuse(struct source *source, const struct dump_scan *scan, const char *what)
{
    struct dump *dump = source->state;
    const struct dump_token *token = &scan->token;

    (void)dump_fail(&dump->reader, STATUS_INVALID, "%s at '%.*s' is not supported", what,
                    (int)(token->size < 40 ? token->size : 40), token->text);
    return dump_failed(source, STATUS_INVALID);
}

static int
hex_digit(char digit)
{
    return isdigit((unsigned char)digit)    ? digit - '0'
           : isxdigit((unsigned char)digit) ? (digit | 32) - 'a' + 10
                                            : -1;
}

/* Pairs of digits to bytes; false: they are not. */
static bool
take_hex(const char *text, size_t size, struct arena *arena, struct legacy_value *out)
{
    char *bytes = arena_alloc(arena, size / 2 + 1);

    if (bytes == NULL || size % 2 != 0)
        return false;
    for (size_t i = 0; i < size; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

        if (high < 0 || low < 0)
            return false;
        bytes[i / 2] = (char)(high << 4 | low);
    }
    *out = (struct legacy_value){.tag = LEGACY_BYTES, .text = {bytes, size / 2}};
    return true;
}

/* b'101' as a number. */
static bool
take_bits(const char *text, size_t size, struct legacy_value *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++) {
        if ((text[i] != '0' && text[i] != '1') || value >> 62 != 0)
            return false;
        value = value << 1 | (uint64_t)(text[i] - '0');
    }
    *out = (struct legacy_value){.tag = LEGACY_INTEGER, .integer = (int64_t)value};
    return true;
}

static enum status
take_string(struct source *source, struct dump_scan *scan, struct arena *arena,
            struct legacy_value *out)
{
    char prefix = scan->token.prefix;
    size_t size = 0;
    const char *text = dump_string(scan, arena, &size);

    if (text == NULL)
        return refuse(source, scan, "an escape");
    *out = (struct legacy_value){.tag = LEGACY_TEXT, .text = {text, size}};
    if ((prefix == 'x' && !take_hex(text, size, arena, out)) ||
        (prefix == 'b' && !take_bits(text, size, out)))
        return refuse(source, scan, "a malformed literal");
    dump_scan_next(scan);
    return STATUS_OK;
}

/* SQLite tells integers from reals by their form; others let their column decide. */
static enum status
take_number(struct source *source, struct dump_scan *scan, struct arena *arena, bool negative,
            struct legacy_value *out)
{
    const struct dump_token *token = &scan->token;
    char *text = arena_alloc(arena, token->size + 2);
    bool real = memchr(token->text, '.', token->size) != NULL ||
                memchr(token->text, 'e', token->size) != NULL ||
                memchr(token->text, 'E', token->size) != NULL;

    if (text == NULL)
        return dump_no_memory(source);
    if (token->size > 2 && token->text[0] == '0' && (token->text[1] | 32) == 'x') {
        if (!take_hex(token->text + 2, token->size - 2, arena, out))
            return refuse(source, scan, "a malformed literal");
        dump_scan_next(scan);
        return STATUS_OK;
    }
    text[0] = '-';
    memcpy(text + negative, token->text, token->size);
    text[token->size + negative] = '\0';
    errno = 0;
    long long whole = strtoll(text, NULL, 10);
    if (scan->dialect == DUMP_SQLITE && !real && errno == 0)
        *out = (struct legacy_value){.tag = LEGACY_INTEGER, .integer = whole};
    else if (scan->dialect == DUMP_SQLITE)
        *out = (struct legacy_value){.tag = LEGACY_REAL, .real = strtod(text, NULL)};
    else
        *out = (struct legacy_value){.tag = LEGACY_NUMERIC, .text = {text, token->size + negative}};
    dump_scan_next(scan);
    return STATUS_OK;
}

/* replace(TEXT, FROM, char(N)) as SQLite's shell writes line ends. */
static enum status
take_replace(struct source *source, struct dump_scan *scan, struct arena *arena,
             struct legacy_value *out)
{
    struct legacy_value from = {.tag = LEGACY_NULL};

    if (!dump_take(scan, "("))
        return refuse(source, scan, "an expression");
    TRY(dump_take_value(source, scan, arena, out));
    if (out->tag != LEGACY_TEXT || !dump_take(scan, ",") || scan->token.kind != DUMP_STRING)
        return refuse(source, scan, "an expression");
    TRY(take_string(source, scan, arena, &from));
    if (!dump_take(scan, ",") || !dump_take(scan, "char") || !dump_take(scan, "(") ||
        scan->token.kind != DUMP_NUMBER || from.text.size == 0)
        return refuse(source, scan, "an expression");
    char byte = (char)strtol(scan->token.text, NULL, 10);
    dump_scan_next(scan);
    if (!dump_take_words(scan, ") )"))
        return refuse(source, scan, "an expression");
    char *text = arena_alloc(arena, out->text.size + 1);
    size_t used = 0;
    if (text == NULL)
        return dump_no_memory(source);
    for (size_t i = 0; i < out->text.size;) {
        bool found = out->text.size - i >= from.text.size &&
                     memcmp(out->text.bytes + i, from.text.bytes, from.text.size) == 0;

        text[used++] = *(found ? &byte : &out->text.bytes[i]);
        i += found ? from.text.size : 1;
    }
    out->text = (struct legacy_text){text, used};
    return STATUS_OK;
}

static enum status
take_word(struct source *source, struct dump_scan *scan, struct arena *arena,
          struct legacy_value *out)
{
    if (dump_take(scan, "null"))
        return STATUS_OK;
    if (dump_is(scan, "true") || dump_is(scan, "false")) {
        *out = (struct legacy_value){.tag = LEGACY_BOOLEAN, .integer = dump_is(scan, "true")};
        dump_scan_next(scan);
        return STATUS_OK;
    }
    if (scan->dialect == DUMP_SQLITE && dump_take(scan, "replace"))
        return take_replace(source, scan, arena, out);
    /* _binary'...' and _utf8mb4'...' */
    if (scan->dialect == DUMP_MYSQL && scan->token.text[0] == '_') {
        bool binary = dump_is(scan, "_binary");

        dump_scan_next(scan);
        TRY(dump_take_value(source, scan, arena, out));
        if (binary && out->tag == LEGACY_TEXT)
            out->tag = LEGACY_BYTES;
        return STATUS_OK;
    }
    return refuse(source, scan, "an expression");
}

enum status
dump_take_value(struct source *source, struct dump_scan *scan, struct arena *arena,
                struct legacy_value *out)
{
    bool negative = dump_take(scan, "-");

    *out = (struct legacy_value){.tag = LEGACY_NULL};
    switch (scan->token.kind) {
    case DUMP_NUMBER:
        TRY(take_number(source, scan, arena, negative, out));
        break;
    case DUMP_STRING:
        TRY(take_string(source, scan, arena, out));
        break;
    case DUMP_WORD:
        TRY(negative ? refuse(source, scan, "an expression") : take_word(source, scan, arena, out));
        break;
    default:
        return refuse(source, scan, "an expression");
    }
    /* 'x'::text */
    while (scan->dialect == DUMP_POSTGRES && dump_take_words(scan, ": :")) {
        while (scan->token.kind == DUMP_WORD || dump_is(scan, "(") || dump_is(scan, "."))
            dump_skip(scan);
    }
    return STATUS_OK;
}

enum status
dump_fit_value(struct source *source, const struct legacy_column *column, struct arena *arena,
               struct legacy_value *value)
{
    struct dump *dump = source->state;
    bool is_text = value->tag == LEGACY_TEXT;
    bool is_bytea = column->kind == LEGACY_COLUMN_BYTEA;

    if (is_text && is_bytea && dump->reader.dialect == DUMP_POSTGRES && value->text.size >= 2 &&
        memcmp(value->text.bytes, "\\x", 2) == 0) {
        struct legacy_value bytes;

        if (take_hex(value->text.bytes + 2, value->text.size - 2, arena, &bytes))
            *value = bytes;
        return STATUS_OK;
    }
    if (is_text && is_bytea && dump->reader.dialect == DUMP_MYSQL) {
        value->tag = LEGACY_BYTES;
        return STATUS_OK;
    }
    if (!is_text)
        return STATUS_OK;
    return source_text(arena, value->text.bytes, value->text.size, value) ? STATUS_OK
                                                                          : dump_no_memory(source);
}
