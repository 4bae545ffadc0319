/*
 * Records of COPY FROM. read_line takes a record's bytes without looking at its fields, save that it
 * knows what is quoted (csv) or escaped (text); split_text and split_csv then take the line apart. Both
 * follow PostgreSQL 15 where it is not obvious what a byte means:
 *
 *  - the first line end decides which kind is an end; any other kind outside quotes is an error;
 *  - in text \. ends the data wherever it stands before a line end, in csv only as a line of its own;
 *  - a field is null when its bytes as written are the null marker, which holds no quotes in csv.
 */
#include <stdio.h>
#include <string.h>

#include "executor/copy.h"
#include "executor/unicode.h"
#include "kernel/base/check.h"

enum { CONTEXT_SIZE_MAX = 100 };

/* Life. */

void
copy_reader_init(struct copy_reader *reader, const struct copy_options *options,
                 struct copy_stream *stream)
{
    *reader = (struct copy_reader){.options = options, .stream = stream};
    reader->special['\n'] = reader->special['\r'] = reader->special['\\'] = true;
    if (options->csv)
        reader->special[(uint8_t)options->quote] = reader->special[(uint8_t)options->escape] = true;
}

void
copy_reader_deinit(struct copy_reader *reader)
{
    if (reader->stream == NULL)
        return;
    struct memory *memory = reader->stream->memory;

    memory_free(memory, MEMORY_SQL, reader->line, reader->line_capacity);
    memory_free(memory, MEMORY_SQL, reader->values, reader->line_capacity);
    memory_free(memory, MEMORY_SQL, reader->fields,
                reader->field_capacity * sizeof(*reader->fields));
    *reader = (struct copy_reader){.stream = NULL};
}

static enum status
fail(const struct copy_reader *reader, const char *sqlstate, const char *message)
{
    return sql_error_set(reader->stream->error, sqlstate, -1, "%s", message);
}

/* Both grow together; what `values` holds is of the record before. */
static enum status
grow_line(struct copy_reader *reader, size_t size)
{
    struct memory *memory = reader->stream->memory;
    size_t capacity = reader->line_capacity < 512 ? 1024 : reader->line_capacity * 2;

    while (capacity < size)
        capacity *= 2;
    if (size > COPY_RECORD_SIZE_MAX)
        return sql_error_set(reader->stream->error, "54000", -1,
                             "a line of COPY is longer than %d bytes", COPY_RECORD_SIZE_MAX);
    char *values = memory_alloc(memory, MEMORY_SQL, capacity);
    char *line = memory_alloc(memory, MEMORY_SQL, capacity);
    if (values == NULL || line == NULL) {
        memory_free(memory, MEMORY_SQL, values, capacity);
        memory_free(memory, MEMORY_SQL, line, capacity);
        return STATUS_NO_MEMORY;
    }
    if (reader->line_size > 0)
        memcpy(line, reader->line, reader->line_size);
    memory_free(memory, MEMORY_SQL, reader->line, reader->line_capacity);
    memory_free(memory, MEMORY_SQL, reader->values, reader->line_capacity);
    reader->line = line;
    reader->values = values;
    reader->line_capacity = capacity;
    return STATUS_OK;
}

/* Moves bytes of the stream to the line. */
static enum status
take(struct copy_reader *reader, size_t size)
{
    struct copy_stream *stream = reader->stream;

    CHECK(size <= stream->size - stream->at);
    if (size > reader->line_capacity - reader->line_size)
        TRY(grow_line(reader, reader->line_size + size));
    if (size > 0)
        memcpy(reader->line + reader->line_size, stream->buffer + stream->at, size);
    reader->line_size += size;
    stream->at += size;
    return STATUS_OK;
}

/* Lines. */

struct line {
    bool quoted;  /* csv: inside quotes. */
    bool escaped; /* csv: the byte before was an escape that may concern the next. */
    bool done;
};

/* The byte at a distance, -1 at the end. */
static enum status
look(struct copy_reader *reader, size_t distance, int *out)
{
    struct copy_stream *stream = reader->stream;

    if (stream->size - stream->at <= distance)
        TRY(copy_stream_fill(stream, distance + 1));
    *out = stream->size - stream->at > distance ? stream->buffer[stream->at + distance] : -1;
    return STATUS_OK;
}

static enum status
end_line(struct copy_reader *reader, struct line *line, enum copy_line_end end)
{
    bool csv = reader->options->csv;

    if (reader->line_end == COPY_END_UNKNOWN)
        reader->line_end = end;
    if (reader->line_end != end && end == COPY_END_LF)
        return fail(reader, "22P04",
                    csv ? "unquoted newline found in data" : "literal newline found in data");
    if (reader->line_end != end)
        return fail(reader, "22P04",
                    csv ? "unquoted carriage return found in data"
                        : "literal carriage return found in data");
    reader->stream->at += end == COPY_END_CRLF ? 2 : 1;
    line->done = true;
    return STATUS_OK;
}

/* A CR before LF ends lines that end so, or CR is the end where LF ends nothing. */
static enum status
take_return(struct copy_reader *reader, struct line *line)
{
    int next = -1;

    if (reader->line_end != COPY_END_CR)
        TRY(look(reader, 1, &next));
    return end_line(reader, line, next == '\n' ? COPY_END_CRLF : COPY_END_CR);
}

/* A backslash with a point behind it: the end of the data, if a line end follows. */
static enum status
take_mark(struct copy_reader *reader, struct line *line)
{
    enum copy_line_end end = COPY_END_UNKNOWN;
    int first = -1, second = -1;

    TRY(look(reader, 2, &first));
    if (first == '\r')
        TRY(look(reader, 3, &second));
    if (first == '\n')
        end = COPY_END_LF;
    else if (first == '\r')
        end = second == '\n' ? COPY_END_CRLF : COPY_END_CR;
    if (first != -1 && end == COPY_END_UNKNOWN)
        return reader->options->csv ? take(reader, 1)
                                    : fail(reader, "22P04", "end-of-copy marker corrupt");
    if (first != -1 && reader->line_end != COPY_END_UNKNOWN && reader->line_end != end)
        return fail(reader, "22P04", "end-of-copy marker does not match previous newline style");
    reader->stream->at += 2;
    reader->ended = line->done = true;
    return STATUS_OK;
}

static enum status
take_backslash(struct copy_reader *reader, struct line *line)
{
    int next = -1;

    TRY(look(reader, 1, &next));
    if (next == '.' && (!reader->options->csv || reader->line_size == 0))
        return take_mark(reader, line);
    return take(reader, next == -1 || reader->options->csv ? 1 : 2);
}

static enum status
take_special(struct copy_reader *reader, struct line *line, char c)
{
    const struct copy_options *options = reader->options;
    bool csv = options->csv;

    if (csv && (c == options->quote || c == options->escape)) {
        bool apart = options->escape != options->quote;

        if (apart && line->quoted && c == options->escape)
            line->escaped = !line->escaped;
        if (c == options->quote && !line->escaped)
            line->quoted = !line->quoted;
        if (!apart || c != options->escape)
            line->escaped = false;
        if (c != '\\' || reader->line_size > 0)
            return take(reader, 1);
    }
    line->escaped = line->escaped && c == options->escape;
    if (csv && line->quoted && c != '\\') {
        reader->line_number += c == (reader->line_end == COPY_END_LF ? '\n' : '\r');
        return take(reader, 1);
    }
    if (c == '\\')
        return take_backslash(reader, line);
    return c == '\n' ? end_line(reader, line, COPY_END_LF) : take_return(reader, line);
}

/* Bytes that mean nothing to the line. */
static size_t
plain_run(const struct copy_reader *reader)
{
    const struct copy_stream *stream = reader->stream;
    size_t at = stream->at;

    while (at < stream->size && !reader->special[stream->buffer[at]])
        at++;
    return at - stream->at;
}

static enum status
read_line(struct copy_reader *reader, bool *out)
{
    struct line line = {.done = false};

    reader->line_size = 0;
    reader->line_valid = false;
    reader->line_number++;
    while (!line.done) {
        int c = -1;

        TRY(look(reader, 0, &c));
        if (c == -1) {
            reader->ended = true;
            break;
        }
        size_t plain = plain_run(reader);
        if (plain > 0)
            line.escaped = false;
        TRY(plain > 0 ? take(reader, plain) : take_special(reader, &line, (char)c));
    }
    reader->line_valid = true;
    *out = !reader->ended || reader->line_size > 0;
    return STATUS_OK;
}

/* Characters. */

static enum status
check_utf8(const struct copy_reader *reader, const char *bytes, size_t size)
{
    const uint8_t *at = (const uint8_t *)bytes;
    char shown[32] = "";

    size_t i = unicode_valid_prefix(bytes, size);
    if (i == size)
        return STATUS_OK;
    size_t length = (at[i] & 0xe0) == 0xc0 ? 2 : (at[i] & 0xf0) == 0xe0 ? 3 : 1;
    if ((at[i] & 0xf8) == 0xf0)
        length = 4;
    for (size_t k = i; k < i + length && k < size; k++)
        (void)snprintf(shown + strlen(shown), sizeof(shown) - strlen(shown), " 0x%02x", at[k]);
    return sql_error_set(reader->stream->error, "22021", -1,
                         "invalid byte sequence for encoding \"UTF8\":%s", shown);
}

/* Fields. */

static enum status
add_field(struct copy_reader *reader, const struct copy_field *field)
{
    if (reader->field_count == reader->field_capacity) {
        size_t old_size = reader->field_capacity * sizeof(*field);
        uint32_t capacity = reader->field_capacity > 0 ? 2 * reader->field_capacity : 16;
        struct copy_field *fields =
            memory_resize(reader->stream->memory, MEMORY_SQL, reader->fields, old_size,
                          capacity * sizeof(*field));
        if (fields == NULL)
            return STATUS_NO_MEMORY;
        reader->fields = fields;
        reader->field_capacity = capacity;
    }
    reader->fields[reader->field_count++] = *field;
    return STATUS_OK;
}

static bool
is_null(const struct copy_options *options, const char *bytes, size_t size)
{
    return size == options->null_size && memcmp(bytes, options->null, size) == 0;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What stands behind a backslash; moves on. */
static char
unescape(const char **next, const char *end)
{
    static const char letters[] = "bfnrtv", bytes[] = "\b\f\n\r\t\v";
    const char *at = *next;
    char c = *at++;
    const char *letter = strchr(letters, c);
    unsigned value = 0;

    if (c >= '0' && c <= '7') {
        at--;
        for (uint32_t digits = 0; digits < 3 && at < end && *at >= '0' && *at <= '7'; digits++)
            value = value * 8 + (unsigned)(*at++ - '0');
        c = (char)(value & 0377);
    } else if (c == 'x' && at < end && hex_digit(*at) >= 0) {
        for (uint32_t digits = 0; digits < 2 && at < end && hex_digit(*at) >= 0; digits++)
            value = value * 16 + (unsigned)hex_digit(*at++);
        c = (char)value;
    } else if (letter != NULL && c != '\0') {
        c = bytes[letter - letters];
    }
    *next = at;
    return c;
}

static enum status
split_text(struct copy_reader *reader)
{
    const char *next = reader->line, *end = next + reader->line_size;
    char delimiter = reader->options->delimiter, *out = reader->values;
    bool more = true;

    while (more) {
        const char *begin = next, *stop = end;
        struct copy_field field = {.bytes = out};
        bool escapes = false;

        more = false;
        while (next < end && !more) {
            char c = *next++;

            if (c == delimiter) {
                more = true;
                stop = next - 1;
            } else if (c != '\\') {
                *out++ = c;
            } else if (next < end) {
                escapes = true;
                *out++ = unescape(&next, end);
            }
        }
        field.size = (size_t)(out - field.bytes);
        field.null = is_null(reader->options, begin, (size_t)(stop - begin));
        if (escapes && !field.null)
            TRY(check_utf8(reader, field.bytes, field.size));
        TRY(add_field(reader, &field));
    }
    return STATUS_OK;
}

/* A part in quotes, behind the first one; moves both on. */
static enum status
take_quoted(struct copy_reader *reader, const char **next, const char *end, char **out)
{
    char quote = reader->options->quote, escape = reader->options->escape;

    while (*next < end) {
        char c = *(*next)++;
        bool pair = c == escape && *next < end && (**next == escape || **next == quote);

        if (pair)
            c = *(*next)++;
        else if (c == quote)
            return STATUS_OK;
        *(*out)++ = c;
    }
    return fail(reader, "22P04", "unterminated CSV quoted field");
}

static enum status
split_csv(struct copy_reader *reader)
{
    const char *next = reader->line, *end = next + reader->line_size;
    char delimiter = reader->options->delimiter, *out = reader->values;
    bool more = true;

    while (more) {
        const char *begin = next, *stop = end;
        struct copy_field field = {.bytes = out};

        more = false;
        while (next < end && !more) {
            char c = *next++;

            if (c == delimiter) {
                more = true;
                stop = next - 1;
            } else if (c == reader->options->quote) {
                TRY(take_quoted(reader, &next, end, &out));
            } else {
                *out++ = c;
            }
        }
        field.size = (size_t)(out - field.bytes);
        field.null = is_null(reader->options, begin, (size_t)(stop - begin));
        TRY(add_field(reader, &field));
    }
    return STATUS_OK;
}

enum status
copy_reader_next(struct copy_reader *reader, bool *out)
{
    *out = false;
    if (reader->ended)
        return STATUS_OK;
    TRY(read_line(reader, out));
    if (!*out)
        return STATUS_OK;
    reader->field_count = 0;
    if (reader->line == NULL) /* The first line is empty. */
        TRY(grow_line(reader, 1));
    reader->line_valid = false; /* Bytes that are no characters are not shown. */
    TRY(check_utf8(reader, reader->line, reader->line_size));
    reader->line_valid = true;
    return reader->options->csv ? split_csv(reader) : split_text(reader);
}

/* Complaints. */

/* At most so many bytes, whole characters, and three points for what is left out. */
static int
shown_size(const char *bytes, size_t size)
{
    if (size <= CONTEXT_SIZE_MAX)
        return (int)size;
    size = CONTEXT_SIZE_MAX;
    while (size > 0 && ((unsigned char)bytes[size] & 0xc0) == 0x80)
        size--;
    return (int)size;
}

void
copy_reader_context(const struct copy_reader *reader, const char *table, const char *column,
                    const struct copy_field *field, struct sql_error *error)
{
    size_t used = strlen(error->message), room = sizeof(error->message) - used;
    unsigned long long number = reader->line_number;
    const char *bytes = field != NULL ? field->bytes : reader->line;
    size_t size = field != NULL ? field->size : reader->line_size;
    const char *points = size > CONTEXT_SIZE_MAX ? "..." : "";
    char *out = error->message + used;

    if (error->sqlstate[0] == '\0')
        return;
    if (column != NULL && (field == NULL || field->null))
        (void)snprintf(out, room, "\nCONTEXT:  COPY %s, line %llu, column %s: null input", table,
                       number, column);
    else if (column != NULL)
        (void)snprintf(out, room, "\nCONTEXT:  COPY %s, line %llu, column %s: \"%.*s%s\"", table,
                       number, column, shown_size(bytes, size), bytes, points);
    else if (reader->line_valid)
        (void)snprintf(out, room, "\nCONTEXT:  COPY %s, line %llu: \"%.*s%s\"", table, number,
                       shown_size(bytes, size), bytes != NULL ? bytes : "", points);
    else
        (void)snprintf(out, room, "\nCONTEXT:  COPY %s, line %llu", table, number);
}
