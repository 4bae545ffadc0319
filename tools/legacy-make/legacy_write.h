/*
 * Writes the predecessor's files, in all four generations, and its log. For tests and the demo only:
 * written from the format's description and without any code of the reader, so that the two check
 * each other. Everything goes out in the order of the calls; counts are given before what they count.
 *
 *    instance:  map of databases | metadata | users | (D) roles
 *    database:  name | map of tables | map of enums | (C, D) map of views | (D) table metadata
 *    table:     name | columns | rows | sequences | (D) owner
 *
 * A failed write sticks and shows in writer_end.
 */
#ifndef TOOLS_LEGACY_MAKE_LEGACY_WRITE_H
#define TOOLS_LEGACY_MAKE_LEGACY_WRITE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/common/text_buffer.h"

enum writer_type {
    WRITER_SMALLINT = 0,
    WRITER_INTEGER = 1,
    WRITER_REAL = 2,
    WRITER_NUMERIC = 3,
    WRITER_SERIAL = 4,
    WRITER_BIGSERIAL = 5,
    WRITER_TEXT = 6,
    WRITER_VARCHAR = 7,
    WRITER_CHAR = 8,
    WRITER_BOOLEAN = 9,
    WRITER_DATE = 10,
    WRITER_TIMESTAMP = 11,
    WRITER_TIMESTAMPTZ = 12,
    WRITER_UUID = 13,
    WRITER_JSON = 14,
    WRITER_JSONB = 15,
    WRITER_BYTEA = 16,
    WRITER_ENUM = 17,
};

enum writer_flags { WRITER_NULLABLE = 1, WRITER_PRIMARY_KEY = 2, WRITER_UNIQUE = 4 };

enum writer_operation {
    WRITER_LOG_CREATE = 0,
    WRITER_LOG_DROP = 1,
    WRITER_LOG_INSERT = 2,
    WRITER_LOG_UPDATE = 3,
    WRITER_LOG_DELETE = 4,
    WRITER_LOG_CHECKPOINT = 5,
    WRITER_LOG_ADD_COLUMN = 6,
    WRITER_LOG_DROP_COLUMN = 7,
    WRITER_LOG_RENAME_COLUMN = 8,
    WRITER_LOG_RENAME_TABLE = 9,
};

struct writer_column {
    const char *name;
    enum writer_type type;
    uint64_t first; /* NUMERIC: precision; VARCHAR, CHAR: size; ENUM: number of labels. */
    uint8_t second; /* NUMERIC: scale. */
    uint32_t flags; /* enum writer_flags */
    const char *enum_name;
    const char *const *labels;
    const char *foreign_table; /* NULL: none. */
    const char *foreign_column;
};

struct writer {
    FILE *file;        /* NULL: bytes go to `record` only. */
    char generation;   /* 'A' to 'D'. */
    uint64_t size;     /* Bytes so far. */
    uint64_t sequence; /* Of the log. */
    bool in_record;
    bool failed;
    struct text_buffer record; /* Of the log: its length comes first. */
};

void writer_init(struct writer *writer, struct memory *memory, FILE *file, char generation);
/** False when something could not be written. Does not close the file. */
bool writer_end(struct writer *writer);

/* Fields. */
void writer_bytes(struct writer *writer, const void *bytes, size_t size);
void writer_u8(struct writer *writer, uint8_t value);
void writer_u32(struct writer *writer, uint32_t value);
void writer_u64(struct writer *writer, uint64_t value);
void writer_text(struct writer *writer, const char *text);
void writer_sized_text(struct writer *writer, const char *text, size_t size);

/* Values and rows. */
void writer_null(struct writer *writer);
void writer_smallint(struct writer *writer, int16_t value);
void writer_integer(struct writer *writer, int64_t value);
void writer_real(struct writer *writer, double value);
void writer_boolean(struct writer *writer, bool value);
/** Tags 4 numeric, 5 text, 6 char, 8 date, 9 timestamp, 10 timestamptz, 12 json. */
void writer_tagged(struct writer *writer, uint32_t tag, const char *text);
void writer_tagged_sized(struct writer *writer, uint32_t tag, const char *text, size_t size);
void writer_uuid(struct writer *writer, const uint8_t bytes[16]);
void writer_bytea(struct writer *writer, const void *bytes, size_t size);
void writer_label(struct writer *writer, const char *type, const char *label);
void writer_row_begin(struct writer *writer, uint64_t value_count);
/** `xmax` 0: the row is live. */
void writer_row_end(struct writer *writer, uint64_t xmin, uint64_t xmax);

/* Tables: begin, its columns, rows (with their number), sequences (with theirs), end. */
void writer_table_begin(struct writer *writer, const char *name, uint64_t column_count);
void writer_column(struct writer *writer, const struct writer_column *column);
void writer_rows(struct writer *writer, uint64_t count);
void writer_sequences(struct writer *writer, uint64_t count);
void writer_sequence(struct writer *writer, const char *name, int64_t next);
void writer_table_end(struct writer *writer, const char *owner);

/* Databases: begin, tables (each after its key), enums, views (called in A and B too), end. */
void writer_database_begin(struct writer *writer, const char *name, uint64_t table_count);
void writer_key(struct writer *writer, const char *key);
void writer_enums(struct writer *writer, uint64_t count);
void writer_enum(struct writer *writer, const char *name, const char *const *labels,
                 uint64_t label_count);
/** Pairs of name and SQL. */
void writer_views(struct writer *writer, const char *const *pairs, uint64_t count);
/** In generation D with metadata of one table, `table` NULL: of none. */
void writer_database_end(struct writer *writer, const char *table);

/* An instance of one database NAME owned by user alice; databases stand between the two. */
void writer_instance_begin(struct writer *writer, uint64_t database_count);
void writer_instance_end(struct writer *writer, const char *database);

/* Log records: begin, the operation's fields, end. */
void writer_record_begin(struct writer *writer, enum writer_operation operation);
void writer_record_end(struct writer *writer);
void writer_checkpoint(struct writer *writer);

#endif
