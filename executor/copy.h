/*
 * COPY's data: options, records that are read, and lines that are written, in PostgreSQL 15's text and
 * csv formats. What is copied where is exec_copy.c's.
 *
 * A record is read whole, in the line structure of its first line end (LF, CR or CR LF), then taken
 * apart: so an error can tell the record's number and text. Bytes are hostile: each record is bounded
 * and must be UTF-8 before a value is made of it.
 *
 * One thread at a time. Errors are SQL errors; a record's number and the column are added by
 * copy_reader_context.
 */
#ifndef EXECUTOR_COPY_H
#define EXECUTOR_COPY_H

#include "executor/ast_define.h"
#include "executor/parse.h"
#include "kernel/base/io.h"
#include "kernel/qtdb.h"

enum copy_header { COPY_HEADER_NONE = 0, COPY_HEADER_TAKE = 1, COPY_HEADER_MATCH = 2 };

enum { COPY_BUFFER_SIZE = 64 * 1024, COPY_RECORD_SIZE_MAX = 64 * 1024 * 1024 };

struct copy_options {
    bool csv;
    enum copy_header header;
    char delimiter;
    char quote; /* csv */
    char escape;
    const char *null; /* What stands for null. */
    size_t null_size;
    bool *force_quote; /* One a column; NULL: none. */
    bool *force_not_null;
    bool *force_null;
};

/** Reads and checks them; `names` are the columns that are copied. */
MUST_CHECK enum status copy_options_read(const struct ast_copy *ast, uint32_t column_count,
                                         const char *const *names, struct arena *arena,
                                         struct copy_options *out, struct sql_error *error);

/* Bytes from or to a file or the client (copy_stream.c). */
struct copy_stream {
    struct memory *memory;
    struct sql_error *error;
    const struct qtdb_copy *client; /* NULL: the file. */
    struct io_file *file;
    uint64_t offset; /* Of the file, after the buffer. */
    uint8_t *buffer; /* COPY_BUFFER_SIZE */
    size_t size;     /* Bytes in it. */
    size_t at;       /* Of which so many are taken. */
    bool ended;      /* Nothing comes after them. */
};

/** `path` NULL: the client's functions, of which the one that is needed must be there (55000). The
 * stream is closed by copy_stream_close after a failure too. */
MUST_CHECK enum status copy_stream_open(struct copy_stream *stream, struct io *io,
                                        struct memory *memory, const char *path, bool from,
                                        const struct qtdb_copy *client, struct sql_error *error);
void copy_stream_close(struct copy_stream *stream);
/** More bytes behind those not yet taken, unless there are at least `least` or it has ended. */
MUST_CHECK enum status copy_stream_fill(struct copy_stream *stream, size_t least);
MUST_CHECK enum status copy_stream_write(struct copy_stream *stream, const void *bytes,
                                         size_t size);
MUST_CHECK enum status copy_stream_flush(struct copy_stream *stream);

/* Records (copy_read.c). */
struct copy_field {
    const char *bytes; /* Not terminated. */
    size_t size;
    bool null;
};

enum copy_line_end { COPY_END_UNKNOWN = 0, COPY_END_LF = 1, COPY_END_CR = 2, COPY_END_CRLF = 3 };

struct copy_reader {
    const struct copy_options *options;
    struct copy_stream *stream;
    uint64_t line_number; /* Of the record's last line, from 1. */
    bool line_valid;      /* `line` is the record the number means. */
    enum copy_line_end line_end;
    bool ended;
    bool special[256]; /* Bytes that end a run of plain ones. */
    char *line;
    size_t line_size;
    size_t line_capacity; /* Of `line` and of `values`. */
    char *values;         /* The fields' bytes, without escapes. */
    struct copy_field *fields;
    uint32_t field_count;
    uint32_t field_capacity;
};

void copy_reader_init(struct copy_reader *reader, const struct copy_options *options,
                      struct copy_stream *stream);
void copy_reader_deinit(struct copy_reader *reader);
/** The next record's fields; false at the end of the data or its mark (\.). */
MUST_CHECK enum status copy_reader_next(struct copy_reader *reader, bool *out);
/** Adds PostgreSQL's "CONTEXT:  COPY t, line 3, column b: ..." to the error; `column` NULL: the line. */
void copy_reader_context(const struct copy_reader *reader, const char *table, const char *column,
                         const struct copy_field *field, struct sql_error *error);

/* Lines (copy_write.c). */
/** One field, with the delimiter before it unless it is the first; `text` NULL: null. `single`: the line
 * has no other. */
MUST_CHECK enum status copy_write_field(struct copy_stream *stream,
                                        const struct copy_options *options, uint32_t index,
                                        bool single, const char *text, size_t size);
/** A name for the header. */
MUST_CHECK enum status copy_write_name(struct copy_stream *stream,
                                       const struct copy_options *options, uint32_t index,
                                       bool single, const char *name);

#endif
