/*
 * The predecessor's monolithic file, read strictly and as a stream: one serialised instance (or one
 * database) in one of four generations that nothing in the file names. The encoding: little-endian,
 * fixed width, no padding; strings and lists carry a u64 count, options a u8, variants a u32 tag.
 *
 *   generation A  columns have no `unique`
 *   generation B  the base form
 *   generation C  a database ends with its views
 *   generation D  as C; tables end with an owner, databases with table metadata, users with roles,
 *                 the instance with a map of roles
 *
 * legacy_detect tries every generation and shape without handing anything out; legacy_read then goes
 * through the file once more and calls the visitor. Memory is bounded: one row, one table's head, one
 * database's enums. What a visitor gets is valid during the call.
 */
#ifndef TOOLS_QTDB_MIGRATE_LEGACY_READ_H
#define TOOLS_QTDB_MIGRATE_LEGACY_READ_H

#include "tools/qtdb-migrate/legacy_stream.h"

enum legacy_generation { LEGACY_A = 1, LEGACY_B = 2, LEGACY_C = 3, LEGACY_D = 4 };
enum legacy_shape { LEGACY_INSTANCE = 1, LEGACY_DATABASE = 2 };

enum legacy_tag {
    LEGACY_NULL = 0,
    LEGACY_SMALLINT = 1,
    LEGACY_INTEGER = 2,
    LEGACY_REAL = 3,
    LEGACY_NUMERIC = 4,
    LEGACY_TEXT = 5,
    LEGACY_CHAR = 6,
    LEGACY_BOOLEAN = 7,
    LEGACY_DATE = 8,
    LEGACY_TIMESTAMP = 9,
    LEGACY_TIMESTAMPTZ = 10,
    LEGACY_UUID = 11,
    LEGACY_JSON = 12,
    LEGACY_BYTES = 13,
    LEGACY_ENUM = 14,
};

enum legacy_column_kind {
    LEGACY_COLUMN_SMALLINT = 0,
    LEGACY_COLUMN_INTEGER = 1,
    LEGACY_COLUMN_REAL = 2,
    LEGACY_COLUMN_NUMERIC = 3,
    LEGACY_COLUMN_SERIAL = 4,
    LEGACY_COLUMN_BIGSERIAL = 5,
    LEGACY_COLUMN_TEXT = 6,
    LEGACY_COLUMN_VARCHAR = 7,
    LEGACY_COLUMN_CHAR = 8,
    LEGACY_COLUMN_BOOLEAN = 9,
    LEGACY_COLUMN_DATE = 10,
    LEGACY_COLUMN_TIMESTAMP = 11,
    LEGACY_COLUMN_TIMESTAMPTZ = 12,
    LEGACY_COLUMN_UUID = 13,
    LEGACY_COLUMN_JSON = 14,
    LEGACY_COLUMN_JSONB = 15,
    LEGACY_COLUMN_BYTEA = 16,
    LEGACY_COLUMN_ENUM = 17,
    /* In no legacy file; of other sources. */
    LEGACY_COLUMN_INT4 = 18,
    LEGACY_COLUMN_FLOAT4 = 19,
    LEGACY_COLUMN_TIME = 20,
};

struct legacy_value {
    enum legacy_tag tag;
    int64_t integer;              /* SMALLINT, INTEGER, BOOLEAN. */
    double real;                  /* REAL. */
    struct legacy_text text;      /* All others: text form; raw bytes of UUID (16) and BYTES. */
    struct legacy_text type_name; /* ENUM. */
    const char *loss;             /* What reading lost already (never in a legacy file), or NULL. */
};

struct legacy_column {
    struct legacy_text name;
    enum legacy_column_kind kind;
    uint8_t precision;
    uint8_t scale;
    uint64_t size; /* VARCHAR, CHAR. */
    struct legacy_text enum_name;
    uint64_t label_count;
    struct legacy_text *labels;
    bool nullable;
    bool primary_key;
    bool unique;
    bool has_foreign_key;
    struct legacy_text foreign_table;
    struct legacy_text foreign_column;
    /* Of other sources: */
    struct legacy_text declared;    /* The type in the source's own words; empty: `kind` says it. */
    struct legacy_text default_sql; /* The default as SQL; empty: none. */
    uint32_t key_position;          /* In the primary key, from 1; 0: as the columns stand. */
};

struct legacy_row {
    uint64_t value_count;
    const struct legacy_value *values;
    bool live;      /* xmax is absent. */
    uint64_t index; /* In the table, dead rows counted. */
};

struct legacy_table {
    struct legacy_text name;
    uint64_t column_count;
    struct legacy_column *columns;
    uint64_t row_count; /* Dead rows counted. */
};

struct legacy_user {
    struct legacy_text name;
    bool is_superuser;
    bool can_create_db;
    bool can_create_user;
};

/* Each member may be NULL. Anything but STATUS_OK stops the reading. */
struct legacy_visitor {
    void *context;
    enum status (*database)(void *context, const struct legacy_text *name);
    enum status (*table)(void *context, const struct legacy_table *table);
    enum status (*row)(void *context, const struct legacy_row *row);
    enum status (*sequence)(void *context, const struct legacy_text *name, int64_t next);
    enum status (*table_end)(void *context);
    enum status (*enum_type)(void *context, const struct legacy_text *name,
                             const struct legacy_text *labels, uint64_t label_count);
    enum status (*view)(void *context, const struct legacy_text *name,
                        const struct legacy_text *sql);
    enum status (*user)(void *context, const struct legacy_user *user);
    /* A grant or an owner, in words, for the report. */
    enum status (*grant)(void *context, const char *words);
    /* Of legacy_rescue only: something could not be read, behind `row_index` rows of the present table. */
    enum status (*damage)(void *context, uint64_t row_index, const char *words);
};

struct legacy_form {
    enum legacy_generation generation;
    enum legacy_shape shape;
};

/**
 * Finds the one form in which the file parses to its last byte. Where several fit they must have the
 * same content, and the earliest is given. STATUS_CORRUPT when none does; `*furthest_out` then names
 * the offset reached and what was wrong there.
 */
MUST_CHECK enum status legacy_detect(struct legacy_stream *stream, struct legacy_form *out,
                                     struct legacy_fault *furthest_out);

/** Reads from the start in the given form. On STATUS_CORRUPT the fault stands in the stream. */
MUST_CHECK enum status legacy_read(struct legacy_stream *stream, const struct legacy_form *form,
                                   const struct legacy_visitor *visitor);

/* One record off a log or page file; memory from `arena`. False: the fault stands in the stream. */
bool legacy_read_row(struct legacy_stream *stream, struct arena *arena, struct legacy_row *out);
/* Up to and with the count of rows; sequences (and in generation D the owner) follow the rows. */
bool legacy_read_table_head(struct legacy_stream *stream, struct arena *arena,
                            enum legacy_generation generation, struct legacy_table *out);
bool legacy_read_column(struct legacy_stream *stream, struct arena *arena,
                        enum legacy_generation generation, struct legacy_column *out);

const char *legacy_generation_name(enum legacy_generation generation);

#endif
