/* Shared by the files of the SQL dump kind: dump_source.c, dump_survey.c, dump_table.c, dump_type.c,
 * dump_value.c. */
#ifndef TOOLS_QTDB_MIGRATE_DUMP_SOURCE_H
#define TOOLS_QTDB_MIGRATE_DUMP_SOURCE_H

#include "tools/qtdb-migrate/dump_read.h"
#include "tools/qtdb-migrate/source.h"

enum { DUMP_COLUMNS_MAX = 4096 };

struct dump_table {
    const char *schema;
    const char *name;
    uint32_t column_count;
    struct legacy_column *columns;
    uint32_t *classes; /* SQLite: storage classes of the values, by column. */
    bool *only_bits;   /* SQLite: all integers are 0 or 1. */
    struct plan_table *plan;
    uint64_t statement_count; /* With rows. */
    uint64_t left_count;      /* Of them, in the present reading. */
    uint64_t row_index;
    bool delivered;
    bool passed_over; /* In the present reading: its turn comes in the next. */
    struct dump_table *next;
};

struct dump {
    struct input input;
    struct dump_reader reader;
    bool reader_open;
    const char *schema; /* Of names without one. */
    struct dump_table *tables;
    struct dump_table **tables_end;
};

/* What a statement is about. */
enum dump_statement {
    DUMP_IGNORED = 1,
    DUMP_INSERT = 2, /* Table and columns are taken; VALUES follows. */
    DUMP_COPY = 3,   /* The same; data lines follow. */
    DUMP_DEFINITION = 4,
};

struct dump_target {
    const char *schema;
    const char *name;
    uint32_t column_count; /* 0: all, as they stand. */
    const char **columns;
};

enum status dump_failed(struct source *source, enum status status);
enum status dump_no_memory(struct source *source);
/** `schema.name` or `name`. False: no name here. */
bool dump_take_table(struct dump *dump, struct dump_scan *scan, struct arena *arena,
                     const char **schema_out, const char **name_out);
struct dump_table *dump_find(struct dump *dump, const char *schema, const char *name);
/** Sorts a statement out; INSERT and COPY are taken up to what holds the rows. */
MUST_CHECK enum status dump_classify(struct source *source, struct dump_scan *scan,
                                     struct arena *arena, struct dump_target *target,
                                     enum dump_statement *out);

/** Goes through the dump once: tables, and notes of everything else. */
MUST_CHECK enum status dump_survey(struct source *source);
/** Behind CREATE TABLE. */
MUST_CHECK enum status dump_create_table(struct source *source, struct dump_scan *scan);
/** Kind, size, precision of a column from the type it is declared with; false: not known, it becomes text. */
bool dump_find_type(enum dump_dialect dialect, struct legacy_column *column);
/** A value of INSERT as the present token begins it; memory from `arena`. */
MUST_CHECK enum status dump_take_value(struct source *source, struct dump_scan *scan,
                                       struct arena *arena, struct legacy_value *out);
/** Fits a value to what its column holds: bytes, booleans. */
MUST_CHECK enum status dump_fit_value(struct source *source, const struct legacy_column *column,
                                      struct arena *arena, struct legacy_value *value);

#endif
