/*
 * A source of whatever kind as one thing: opened by path, its kind told from what it is, its tables
 * known after opening, and then read as often as wanted, table by table and row by row.
 *
 *    source_find      what PATH means: one source, or one for each file of a directory
 *    source_open      surveys it: `plan` has the tables and columns, without rows
 *    source_read      hands out all rows once
 *
 * Columns and values are those of legacy_read.h whatever the kind: a value's tag says what it is in the
 * source, a column's kind what the source promises (or what a survey of its values found).
 *
 * Sources are opened for reading only. One thread.
 */
#ifndef TOOLS_QTDB_MIGRATE_SOURCE_H
#define TOOLS_QTDB_MIGRATE_SOURCE_H

#include "tools/qtdb-migrate/legacy_plan.h"

struct source_options {
    const char *log_database; /* NULL: none named. */
    bool no_log;
    const char *from;      /* Name of a kind; NULL: found out. */
    const char *delimiter; /* One character or "tab"; NULL: found out. */
    bool header;           /* CSV has one; with `no_header` false too, it is found out. */
    bool no_header;
    const char *schema; /* Of page folders: a file with CREATE TABLEs; NULL: none. */
    bool rescue;        /* Damage is noted and passed over, where the kind can. */
};

/* A live row, its values in the order of the table's columns. */
struct source_row {
    const struct legacy_value *const *values; /* column_count of the table. */
    uint64_t index;                           /* In the table, dead rows counted. */
    uint32_t missing_count;                   /* Values the row is short of; they read as null. */
    uint32_t extra_count;                     /* Values past the columns: `extras`. */
    const struct legacy_value *extras;
    uint64_t offset; /* Bytes of the source read so far. */
};

/* `table` may be NULL or answer false to pass the table over. Others than STATUS_OK stop. */
struct source_visitor {
    void *context;
    bool (*wants)(void *context, struct plan_table *table);
    enum status (*table)(void *context, struct plan_table *table);
    enum status (*row)(void *context, struct plan_table *table, const struct source_row *row);
    enum status (*table_end)(void *context, struct plan_table *table);
};

struct source;

struct source_kind {
    const char *name;  /* Of --from. */
    const char *title; /* For people. */
    /* Rows promise nothing about their columns: where a value would lose something in its column's
     * type, the column takes a wider one. */
    bool widens;
    enum status (*open)(struct source *source);
    void (*close)(struct source *source);
    enum status (*read)(struct source *source, const struct source_visitor *visitor);
};

struct source {
    const struct source_kind *kind;
    struct env env;
    const struct source_options *options;
    char path[IO_PATH_SIZE]; /* Of the file. */
    uint64_t size;           /* Bytes. */
    struct legacy_plan *plan;
    struct legacy_plan own; /* What `plan` is, unless the kind has one of its own. */
    void *state;            /* The kind's. */
    char remark[512];       /* What was found out or passed over, in words; empty: nothing. */
    char fault[768];        /* Why the source cannot be read. */
};

struct source_list {
    uint32_t count;
    struct source **sources;
    uint32_t ignored_count; /* Files of a directory that are of no known kind. */
    char fault[512];
};

extern const struct source_kind source_legacy;
extern const struct source_kind source_csv;
extern const struct source_kind source_json;
extern const struct source_kind source_sqlite;
extern const struct source_kind source_sql;
extern const struct source_kind source_pages;

/** NULL: there is no kind of that name. */
const struct source_kind *source_kind_named(const char *name);

/**
 * The sources at `path`, memory from `arena`; `options` is borrowed. Appends to `list`. On failure
 * `list->fault` says why.
 */
MUST_CHECK enum status source_find(const struct env *env, struct arena *arena, const char *path,
                                   const struct source_options *options, struct source_list *list);
/** On failure `fault` says why; source_close is needed all the same. */
MUST_CHECK enum status source_open(struct source *source);
void source_close(struct source *source);
MUST_CHECK enum status source_read(struct source *source, const struct source_visitor *visitor);

/** True for what lies in page folders: table_1, page_00000000.dat. */
bool source_is_page_name(const char *name, bool is_directory);

/* For the kinds. */

/** Records why; returns `status`. */
__attribute__((format(printf, 3, 4))) enum status source_fail(struct source *source,
                                                              enum status status,
                                                              const char *format, ...);
/** A table's name from its file's: without folder, .zst and ending. */
void source_table_name(const char *path, char out[256]);
/** Finds or adds the schema `name`; NULL: no memory. */
struct plan_database *source_database(struct source *source, const char *name, size_t size);
/** Adds a table; NULL: no memory or too many tables. */
struct plan_table *source_add_table(struct source *source, struct plan_database *database,
                                    const struct legacy_table *head);
/** A text value; bytes that are no UTF-8 are taken as Latin-1, which the value says. False: no memory. */
bool source_text(struct arena *arena, const char *bytes, size_t size, struct legacy_value *out);

#endif
