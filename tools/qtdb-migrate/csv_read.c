/*
 * See csv_read.h. A field is taken in runs: from the buffer up to the next byte that could mean
 * something, so that a byte of a plain field costs one table look-up.
 */
#include "tools/qtdb-migrate/csv_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
csv_init(struct csv_reader *reader, struct input *input, char delimiter)
{
    *reader = (struct csv_reader){
        .input = input, .delimiter = delimiter, .record_size_max = CSV_RECORD_SIZE_MAX};
    text_buffer_init(&reader->text, input->env.memory);
}

void
csv_deinit(struct csv_reader *reader)
{
    text_buffer_deinit(&reader->text);
    memory_free(reader->input->env.memory, MEMORY_OTHER, reader->fields,
                reader->room * sizeof(*reader->fields));
    reader->fields = NULL;
    reader->room = 0;
}

void
csv_rewind(struct csv_reader *reader)
{
    input_rewind(reader->input);
    reader->lines = 0;
    reader->record_count = 0;
    reader->begun = false;
}

__attribute__((format(printf, 3, 4))) static enum status
fail(struct csv_reader *reader, enum status status, const char *format, ...)
{
    va_list arguments;
    int size = snprintf(reader->fault, sizeof(reader->fault),
                        "line %llu: ", (unsigned long long)reader->line);

    va_start(arguments, format);
    (void)vsnprintf(reader->fault + size, sizeof(reader->fault) - (size_t)size, format, arguments);
    va_end(arguments);
    return status;
}

/* The run up to a byte that ends it, appended. */
static void
take_run(struct csv_reader *reader, char one, bool quoted)
{
    struct input *input = reader->input;

    while (input_peek(input) != INPUT_END) {
        const char *begin = input->bytes + input->next, *end = input->bytes + input->used;
        const char *at = begin;

        if (quoted) {
            at = memchr(begin, one, (size_t)(end - begin));
            at = at != NULL ? at : end;
            for (const char *line = begin; (line = memchr(line, '\n', (size_t)(at - line))); line++)
                reader->lines++;
        } else {
            while (at < end && *at != one && *at != '\n' && *at != '\r')
                at++;
        }
        text_buffer_add(&reader->text, begin, (size_t)(at - begin));
        input->next += (size_t)(at - begin);
        if (at < end || reader->text.size > reader->record_size_max)
            return;
    }
}

/* What stands in quotes, the opening one taken. Behind them the field may go on plainly. */
static enum status
take_quoted(struct csv_reader *reader)
{
    struct input *input = reader->input;

    for (;;) {
        take_run(reader, '"', true);
        if (reader->text.size > reader->record_size_max)
            return STATUS_OK; /* take_field refuses it. */
        if (input_take(input) == INPUT_END)
            return input->status != STATUS_OK
                       ? STATUS_OK
                       : fail(reader, STATUS_CORRUPT, "a quoted field has no closing quote");
        if (input_peek(input) != '"')
            return STATUS_OK;
        text_buffer_add_char(&reader->text, '"');
        input->next++;
    }
}

static enum status
add_field(struct csv_reader *reader, size_t begin, bool quoted)
{
    if (reader->count == CSV_FIELDS_MAX)
        return fail(reader, STATUS_FULL, "more than %d fields", CSV_FIELDS_MAX);
    if (reader->count == reader->room) {
        uint32_t room = reader->room * 2 + 16;
        struct csv_field *grown =
            memory_resize(reader->input->env.memory, MEMORY_OTHER, reader->fields,
                          reader->room * sizeof(*grown), room * sizeof(*grown));

        if (grown == NULL)
            return fail(reader, STATUS_NO_MEMORY, "out of memory");
        reader->fields = grown;
        reader->room = room;
    }
    reader->fields[reader->count++] =
        (struct csv_field){.offset = begin, .size = reader->text.size - begin, .quoted = quoted};
    text_buffer_add_char(&reader->text, '\0');
    return STATUS_OK;
}

static enum status
take_field(struct csv_reader *reader)
{
    size_t begin = reader->text.size;
    bool quoted = input_peek(reader->input) == '"';

    if (quoted) {
        reader->input->next++;
        TRY(take_quoted(reader));
    }
    take_run(reader, reader->delimiter, false);
    if (reader->input->status != STATUS_OK)
        return fail(reader, reader->input->status, "%s", reader->input->fault);
    if (reader->text.failed)
        return fail(reader, STATUS_NO_MEMORY, "out of memory");
    if (reader->text.size > reader->record_size_max)
        return fail(reader, STATUS_FULL, "a record of more than %zu MB",
                    reader->record_size_max / 1024 / 1024);
    return add_field(reader, begin, quoted);
}

static void
take_line_end(struct csv_reader *reader)
{
    int byte = input_take(reader->input);

    if (byte == '\r' && input_peek(reader->input) == '\n')
        reader->input->next++;
    reader->lines += byte != INPUT_END;
}

static void
skip_mark(struct csv_reader *reader)
{
    struct input *input = reader->input;

    reader->begun = true;
    if (input_peek(input) != INPUT_END && input->used >= 3 &&
        memcmp(input->bytes, "\xef\xbb\xbf", 3) == 0)
        input->next = 3;
}

enum status
csv_next(struct csv_reader *reader, bool *end_out)
{
    struct input *input = reader->input;
    int byte;

    if (!reader->begun)
        skip_mark(reader);
    text_buffer_reset(&reader->text);
    reader->count = 0;
    while ((byte = input_peek(input)) == '\n' || byte == '\r') {
        if (reader->keep_empty_lines && reader->record_count > 0)
            break;
        take_line_end(reader);
    }
    reader->line = reader->lines + 1;
    *end_out = byte == INPUT_END;
    if (byte == INPUT_END)
        return input->status == STATUS_OK ? STATUS_OK
                                          : fail(reader, input->status, "%s", input->fault);
    reader->record_count++;
    TRY(take_field(reader));
    while (input_peek(input) == (unsigned char)reader->delimiter) {
        input->next++;
        TRY(take_field(reader));
    }
    take_line_end(reader);
    return STATUS_OK;
}

/* Delimiters. */

/* Delimiters in the first line, where nine lines in ten have as many; 0 where they do not. */
static uint32_t
judge(const char *bytes, size_t size, bool whole, char delimiter)
{
    uint32_t first = 0, count = 0, lines = 0, alike = 0;
    bool quoted = false, at_begin = true;

    for (size_t i = 0; i < size; i++) {
        char byte = bytes[i];
        bool last = whole && i + 1 == size;

        if (byte == '"' && (quoted || at_begin))
            quoted = !quoted;
        at_begin = !quoted && (byte == delimiter || byte == '\n' || byte == '\r');
        count += !quoted && byte == delimiter;
        if ((quoted || byte != '\n') && !last)
            continue;
        if (lines++ == 0)
            first = count;
        alike += count == first;
        count = 0;
    }
    return alike * 10 >= lines * 9 ? first : 0;
}

char
csv_guess_delimiter(struct input *input)
{
    static const char candidates[] = {'\t', ';', '|', ','};
    char best = ',';
    uint32_t most = 0;

    if (input_peek(input) == INPUT_END)
        return best;
    for (size_t i = 0; i < sizeof(candidates); i++) {
        bool whole = input->decompress == NULL && input->offset == input->size;
        uint32_t count = judge(input->bytes, input->used, whole, candidates[i]);

        if (count > 0 && count >= most) {
            most = count;
            best = candidates[i];
        }
    }
    return best;
}
