/* Statements; see dump_read.h. Tokens are in dump_scan.c. */
#include "tools/qtdb-migrate/dump_read.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool
holds(const char *bytes, size_t size, const char *words)
{
    return memmem(bytes, size, words, strlen(words)) != NULL;
}

/* By what the three programs write at the beginning. */
static enum dump_dialect
find_dialect(struct input *input)
{
    if (input_peek(input) == INPUT_END)
        return DUMP_POSTGRES;
    size_t size = input->used < 16384 ? input->used : 16384;
    if (holds(input->bytes, size, "PostgreSQL database dump") ||
        holds(input->bytes, size, "pg_catalog."))
        return DUMP_POSTGRES;
    if (holds(input->bytes, size, "MySQL dump") || holds(input->bytes, size, "MariaDB dump") ||
        holds(input->bytes, size, "ENGINE=") || holds(input->bytes, size, "`"))
        return DUMP_MYSQL;
    if (holds(input->bytes, size, "PRAGMA ") || holds(input->bytes, size, "BEGIN TRANSACTION;"))
        return DUMP_SQLITE;
    return DUMP_POSTGRES;
}

void
dump_init(struct dump_reader *reader, struct input *input)
{
    *reader = (struct dump_reader){.input = input, .delimiter = ";"};
    text_buffer_init(&reader->text, input->env.memory);
    reader->dialect = find_dialect(input);
}

void
dump_deinit(struct dump_reader *reader)
{
    text_buffer_deinit(&reader->text);
}

void
dump_rewind(struct dump_reader *reader)
{
    input_rewind(reader->input);
    (void)snprintf(reader->delimiter, sizeof(reader->delimiter), ";");
    reader->lines = 0;
    reader->left_out_count = 0;
}

enum status
dump_fail(struct dump_reader *reader, enum status status, const char *format, ...)
{
    va_list arguments;
    int size = snprintf(reader->fault, sizeof(reader->fault),
                        "line %llu: ", (unsigned long long)reader->line);

    va_start(arguments, format);
    (void)vsnprintf(reader->fault + size, sizeof(reader->fault) - (size_t)size, format, arguments);
    va_end(arguments);
    return status;
}

/* Bytes. */

static int
take(struct dump_reader *reader)
{
    int byte = input_take(reader->input);

    reader->lines += byte == '\n';
    return byte;
}

static void
keep(struct dump_reader *reader, int byte)
{
    text_buffer_add_char(&reader->text, (char)byte);
}

static bool
too_long(const struct dump_reader *reader)
{
    return reader->text.size > DUMP_STATEMENT_SIZE_MAX;
}

/* To the end of the line, which is left. */
static void
skip_line(struct dump_reader *reader)
{
    while (input_peek(reader->input) != INPUT_END && input_peek(reader->input) != '\n')
        (void)take(reader);
}

/* Behind the slash and star. A conditional one of MySQL that makes something is counted. */
static bool
skip_comment(struct dump_reader *reader)
{
    int depth = 1, before = 0;
    bool conditional = input_peek(reader->input) == '!';
    char head[24];
    size_t size = 0;

    while (depth > 0) {
        int byte = take(reader);

        if (byte == INPUT_END)
            return false;
        if (conditional && size < sizeof(head) - 1 && !strchr("!0123456789 ", byte))
            head[size++] = (char)byte;
        if (before == '*' && byte == '/') {
            depth--;
            byte = 0;
        } else if (before == '/' && byte == '*' && reader->dialect == DUMP_POSTGRES) {
            depth++;
            byte = 0;
        }
        before = byte;
    }
    head[size] = '\0';
    reader->left_out_count += size > 6 && strncasecmp(head, "CREATE", 6) == 0;
    return true;
}

/* Behind the opening quote, which is kept already. False: the file ended. */
static bool
keep_quoted(struct dump_reader *reader, int quote, bool escapes)
{
    for (;;) {
        int byte = take(reader);

        if (byte == INPUT_END || too_long(reader))
            return byte != INPUT_END;
        keep(reader, byte);
        if (byte == '\\' && escapes) {
            byte = take(reader);
            if (byte == INPUT_END)
                return false;
            keep(reader, byte);
        } else if (byte == quote) {
            return true; /* A doubled one opens the next piece. */
        }
    }
}

/* From $ on, which is kept already: up to the same tag again, where this is a tag. */
static bool
keep_dollars(struct dump_reader *reader)
{
    size_t begin = reader->text.size - 1, tag;
    int byte = input_peek(reader->input);

    while (byte == '_' || isalnum(byte)) {
        keep(reader, take(reader));
        byte = input_peek(reader->input);
    }
    if (byte != '$' || isdigit((unsigned char)reader->text.bytes[begin + 1]))
        return true;
    keep(reader, take(reader));
    tag = reader->text.size - begin;
    for (;;) {
        byte = take(reader);
        if (byte == INPUT_END || too_long(reader))
            return byte != INPUT_END;
        keep(reader, byte);
        if (byte == '$' && reader->text.size >= begin + 2 * tag && !reader->text.failed &&
            memcmp(reader->text.bytes + reader->text.size - tag, reader->text.bytes + begin, tag) ==
                0)
            return true;
    }
}

static char
last_of(const struct dump_reader *reader)
{
    if (reader->text.size == 0)
        return '\0';
    return reader->text.bytes[reader->text.size - 1];
}

/* E'...' has escapes; a name that merely ends in e has not. */
static bool
has_escapes(const struct dump_reader *reader)
{
    size_t size = reader->text.size;
    const char *bytes = reader->text.bytes;

    if (reader->dialect != DUMP_POSTGRES)
        return reader->dialect == DUMP_MYSQL;
    return size > 1 && (bytes[size - 2] == 'E' || bytes[size - 2] == 'e') &&
           (size == 2 || (!isalnum((unsigned char)bytes[size - 3]) && bytes[size - 3] != '_'));
}

/* Statements. */

static bool
begins_with(const struct dump_reader *reader, const char *word)
{
    size_t size = strlen(word);

    return reader->text.size >= size && strncasecmp(reader->text.bytes, word, size) == 0;
}

/* A trigger of SQLite ends with END, the statements in it do not. */
static bool
is_inside_trigger(const struct dump_reader *reader)
{
    size_t size = reader->text.size;
    const char *bytes = reader->text.bytes;

    if (reader->dialect != DUMP_SQLITE || !begins_with(reader, "CREATE TRIGGER"))
        return false;
    while (size > 0 && isspace((unsigned char)bytes[size - 1]))
        size--;
    return size < 4 || strncasecmp(bytes + size - 3, "END", 3) != 0 ||
           isalnum((unsigned char)bytes[size - 4]);
}

/* What begins a line and is no statement: psql's and mysql's own commands. */
static enum status
take_command(struct dump_reader *reader, bool *was_out)
{
    struct input *input = reader->input;
    int byte;

    *was_out = false;
    reader->line = reader->lines + 1;
    if (input_peek(input) == '\\') {
        *was_out = true;
        while ((byte = input_peek(input)) != INPUT_END && byte != '\n')
            keep(reader, take(reader));
        if (begins_with(reader, "\\restrict") || begins_with(reader, "\\unrestrict")) {
            text_buffer_reset(&reader->text);
            return STATUS_OK;
        }
        return dump_fail(reader, STATUS_INVALID,
                         "psql's command %.40s; a dump of one database has none",
                         reader->text.bytes);
    }
    return STATUS_OK;
}

/* DELIMITER stands like a word of a statement at its beginning. */
static bool
take_delimiter(struct dump_reader *reader)
{
    size_t size = 0;
    int byte;

    if (reader->dialect != DUMP_MYSQL || reader->text.size != 10 ||
        !begins_with(reader, "DELIMITER "))
        return false;
    while ((byte = input_peek(reader->input)) != INPUT_END && byte != '\n') {
        if (byte != '\r' && byte != ' ' && size + 1 < sizeof(reader->delimiter))
            reader->delimiter[size++] = (char)byte;
        (void)take(reader);
    }
    reader->delimiter[size] = '\0';
    if (size == 0)
        (void)snprintf(reader->delimiter, sizeof(reader->delimiter), ";");
    text_buffer_reset(&reader->text);
    return true;
}

/* True when the text ends with the delimiter, which is then taken off. */
static bool
at_delimiter(struct dump_reader *reader)
{
    size_t size = strlen(reader->delimiter);

    if (reader->text.size < size || reader->text.failed ||
        memcmp(reader->text.bytes + reader->text.size - size, reader->delimiter, size) != 0)
        return false;
    reader->text.size -= size;
    reader->text.bytes[reader->text.size] = '\0';
    if (!is_inside_trigger(reader))
        return true;
    text_buffer_add_text(&reader->text, reader->delimiter);
    return false;
}

/* A byte and what follows from it. False: the file ended inside. */
static bool
keep_thing(struct dump_reader *reader, int byte)
{
    struct input *input = reader->input;
    bool mysql = reader->dialect == DUMP_MYSQL;

    if ((byte == '-' && input_peek(input) == '-') || (mysql && byte == '#')) {
        skip_line(reader);
        return true;
    }
    if (byte == '/' && input_peek(input) == '*') {
        (void)take(reader);
        return skip_comment(reader);
    }
    if (isspace(byte)) {
        /* One blank stands for many, and none at the beginning. */
        if (reader->text.size > 0 && !isspace((unsigned char)last_of(reader)))
            keep(reader, byte);
        return true;
    }
    keep(reader, byte);
    if (byte == '\'')
        return keep_quoted(reader, byte, has_escapes(reader));
    if (byte == '"' || byte == '`')
        return keep_quoted(reader, byte, byte == '"' && mysql);
    if (byte == '[' && reader->dialect == DUMP_SQLITE)
        return keep_quoted(reader, ']', false);
    if (byte == '$' && reader->dialect == DUMP_POSTGRES)
        return keep_dollars(reader);
    return true;
}

enum status
dump_next(struct dump_reader *reader, bool *end_out)
{
    struct input *input = reader->input;
    bool was_command = false;
    int byte = 0;

    text_buffer_reset(&reader->text);
    while (!too_long(reader)) {
        if (reader->text.size == 0)
            TRY(take_command(reader, &was_command));
        byte = take(reader);
        if (byte == INPUT_END || !keep_thing(reader, byte))
            break;
        if (take_delimiter(reader) || !at_delimiter(reader))
            continue;
        if (reader->text.size > 0) {
            *end_out = false;
            return reader->text.failed ? dump_fail(reader, STATUS_NO_MEMORY, "out of memory")
                                       : STATUS_OK;
        }
    }
    if (input->status != STATUS_OK)
        return dump_fail(reader, input->status, "%s", input->fault);
    if (reader->text.failed)
        return dump_fail(reader, STATUS_NO_MEMORY, "out of memory");
    if (too_long(reader))
        return dump_fail(reader, STATUS_FULL, "a statement of more than %d MB",
                         DUMP_STATEMENT_SIZE_MAX / 1024 / 1024);
    *end_out = true;
    return reader->text.size == 0
               ? STATUS_OK
               : dump_fail(reader, STATUS_CORRUPT, "the statement has no end; the file is cut off");
}

void
dump_copy_begin(struct dump_reader *reader)
{
    skip_line(reader);
    (void)take(reader);
}

enum status
dump_copy_line(struct dump_reader *reader, bool *end_out)
{
    struct input *input = reader->input;
    bool whole = false;

    text_buffer_reset(&reader->text);
    reader->line = reader->lines + 1;
    while (!whole && !too_long(reader) && input_peek(input) != INPUT_END) {
        const char *begin = input->bytes + input->next;
        const char *end = memchr(begin, '\n', input->used - input->next);
        size_t size = end != NULL ? (size_t)(end - begin) : input->used - input->next;

        text_buffer_add(&reader->text, begin, size);
        whole = end != NULL;
        input->next += size + whole;
    }
    reader->lines += whole;
    if (input->status != STATUS_OK)
        return dump_fail(reader, input->status, "%s", input->fault);
    if (reader->text.failed)
        return dump_fail(reader, STATUS_NO_MEMORY, "out of memory");
    if (too_long(reader))
        return dump_fail(reader, STATUS_FULL, "a row of more than %d MB",
                         DUMP_STATEMENT_SIZE_MAX / 1024 / 1024);
    if (!whole)
        return dump_fail(reader, STATUS_CORRUPT, "COPY's data has no end; the file is cut off");
    if (last_of(reader) == '\r')
        reader->text.bytes[--reader->text.size] = '\0';
    *end_out = reader->text.size == 2 && memcmp(reader->text.bytes, "\\.", 2) == 0;
    return STATUS_OK;
}
