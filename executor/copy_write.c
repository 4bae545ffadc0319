/* Lines of COPY TO. In text what would end a field or a line is escaped by a backslash; in csv it is put
 * in quotes, as is what would be read as null or as the end of the data. */
#include <string.h>

#include "executor/copy.h"

/* The letter behind a backslash; 0: the byte stands for itself. */
static char
letter_of(char c, char delimiter)
{
    switch (c) {
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\v':
        return 'v';
    case '\\':
        return '\\';
    default:
        if (c == delimiter)
            return c;
        return '\0';
    }
}

static enum status
write_escaped(struct copy_stream *stream, char delimiter, const char *text, size_t size)
{
    size_t begin = 0;

    for (size_t i = 0; i < size; i++) {
        char pair[2] = {'\\', letter_of(text[i], delimiter)};

        if (pair[1] == '\0')
            continue;
        TRY(copy_stream_write(stream, text + begin, i - begin));
        TRY(copy_stream_write(stream, pair, 2));
        begin = i + 1;
    }
    return copy_stream_write(stream, text + begin, size - begin);
}

static bool
wants_quotes(const struct copy_options *options, bool single, const char *text, size_t size)
{
    if (size == options->null_size && memcmp(text, options->null, size) == 0)
        return true;
    if (single && size == 2 && memcmp(text, "\\.", 2) == 0)
        return true;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == options->delimiter || text[i] == options->quote || text[i] == '\n' ||
            text[i] == '\r')
            return true;
    }
    return false;
}

static enum status
write_quoted(struct copy_stream *stream, const struct copy_options *options, const char *text,
             size_t size)
{
    size_t begin = 0;

    TRY(copy_stream_write(stream, &options->quote, 1));
    for (size_t i = 0; i < size; i++) {
        if (text[i] != options->quote && text[i] != options->escape)
            continue;
        TRY(copy_stream_write(stream, text + begin, i - begin));
        TRY(copy_stream_write(stream, &options->escape, 1));
        begin = i;
    }
    TRY(copy_stream_write(stream, text + begin, size - begin));
    return copy_stream_write(stream, &options->quote, 1);
}

static enum status
write_one(struct copy_stream *stream, const struct copy_options *options, uint32_t index,
          bool single, bool force, const char *text, size_t size)
{
    if (index > 0)
        TRY(copy_stream_write(stream, &options->delimiter, 1));
    if (text == NULL)
        return copy_stream_write(stream, options->null, options->null_size);
    if (!options->csv)
        return write_escaped(stream, options->delimiter, text, size);
    if (force || wants_quotes(options, single, text, size))
        return write_quoted(stream, options, text, size);
    return copy_stream_write(stream, text, size);
}

enum status
copy_write_field(struct copy_stream *stream, const struct copy_options *options, uint32_t index,
                 bool single, const char *text, size_t size)
{
    bool force = options->force_quote != NULL && options->force_quote[index];

    return write_one(stream, options, index, single, force, text, size);
}

enum status
copy_write_name(struct copy_stream *stream, const struct copy_options *options, uint32_t index,
                bool single, const char *name)
{
    return write_one(stream, options, index, single, false, name, strlen(name));
}
