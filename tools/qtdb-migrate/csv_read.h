/*
 * Records of a delimited text: RFC 4180, and what is found besides. Fields are divided by one
 * character; one that begins with a quote goes to the next single quote, over lines and delimiters, and
 * two quotes in it are one. Lines end with LF, CRLF or CR. A UTF-8 mark at the beginning is passed
 * over; so are empty lines, but where there is one column only (there they are a null). One thread.
 */
#ifndef TOOLS_QTDB_MIGRATE_CSV_READ_H
#define TOOLS_QTDB_MIGRATE_CSV_READ_H

#include "tools/common/text_buffer.h"
#include "tools/qtdb-migrate/input.h"

enum { CSV_FIELDS_MAX = 100000, CSV_RECORD_SIZE_MAX = 32 * 1024 * 1024 };

struct csv_field {
    size_t offset; /* In the text; NUL-terminated there besides its size. */
    size_t size;
    bool quoted;
};

struct csv_reader {
    struct input *input; /* Borrowed. */
    char delimiter;
    bool keep_empty_lines;
    size_t record_size_max; /* CSV_RECORD_SIZE_MAX, unless the caller trusts the file with more. */
    struct text_buffer text;
    uint32_t count;
    uint32_t room;
    struct csv_field *fields;
    uint64_t line; /* On which the record begins, from 1. */
    uint64_t lines;
    uint64_t record_count;
    bool begun;
    char fault[320];
};

void csv_init(struct csv_reader *reader, struct input *input, char delimiter);
void csv_deinit(struct csv_reader *reader);
/** To the first record again. */
void csv_rewind(struct csv_reader *reader);
/** The next record; `*end_out` where there is none. STATUS_CORRUPT, STATUS_FULL, STATUS_NO_MEMORY or what
 * the input says, with `fault`. */
MUST_CHECK enum status csv_next(struct csv_reader *reader, bool *end_out);
/** The delimiter that divides nine in ten lines of the input's first buffer alike; ',' where none does. */
char csv_guess_delimiter(struct input *input);

static inline const char *
csv_bytes(const struct csv_reader *reader, uint32_t field)
{
    return reader->text.bytes + reader->fields[field].offset;
}

#endif
