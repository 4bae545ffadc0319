/*
 * The way back: a qtdb database as SQLite file, as directory of CSV files, or as SQL.
 *
 *    open the source for reading -> catalog -> write OUT.partial -> read it again and compare -> OUT
 *
 * All rows are read in one REPEATABLE READ transaction. While a table is written its rows are summed (see
 * migrate_sum.h) in the form in which the file has to give them back; the verification reads the file from
 * its beginning by code that the writer does not use (the CSV reader, libsqlite3, and for SQL a restored
 * database) and sums again. What a form cannot hold is noted by name and reported: losses of values, changed
 * types, and what is not carried over. Memory is the catalog and one row (of SQL, one statement).
 */
#ifndef TOOLS_QTDB_MIGRATE_BACK_H
#define TOOLS_QTDB_MIGRATE_BACK_H

#include "tools/common/sql_catalog.h"
#include "tools/common/tool.h"
#include "tools/qtdb-migrate/migrate_sum.h"

enum { BACK_SAMPLE_SIZE = 80 };

struct back_options {
    const char *source; /* FILE.qtdb */
    const char *out;
    const char *to;     /* Name of a form. */
    const char *report; /* NULL: none. */
    bool strict;
    bool verify;
    bool quiet;
};

/* A value, or all values of a column, that the form does not hold as they are. */
struct back_loss {
    const struct sql_table *table;
    const char *column;
    const char *what;
    uint64_t count;
    uint64_t first_row;
    char first_value[BACK_SAMPLE_SIZE];
    struct back_loss *next;
};

/* Something that is no value and not carried over. */
struct back_note {
    const char *kind;
    const char *name;
    const char *why;
    struct back_note *next;
};

struct back_table {
    const struct sql_table *table;
    const char *target; /* Name of its file or table. */
    struct migrate_sum source_sum;
    struct migrate_sum target_sum;
};

struct back;

struct back_form {
    const char *name;
    bool directory;
    /** Makes OUT.partial whole and durable; fills `target` and `source_sum` of the tables. */
    enum status (*write)(struct back *back);
    /** Reads it again; fills `target_sum`. */
    enum status (*verify)(struct back *back);
};

struct back {
    const struct tool *tool;
    struct env env;
    struct back_options options;
    const struct back_form *form;
    char partial[IO_PATH_SIZE];
    bool made; /* The partial file or directory is ours to remove. */
    struct qtdb *db;
    struct qtdb_session *session;
    struct arena arena;
    struct sql_catalog catalog;
    struct back_table *tables; /* As in the catalog. */
    struct back_loss *losses;
    struct back_note *notes;
    struct back_note **notes_end;
    uint32_t note_count;
    uint64_t loss_count;
    struct text_buffer row; /* Of a sum. */
    struct text_buffer sql;
    struct tool_progress progress;
    uint64_t row_count; /* Written. */
    bool verified;
    uint64_t begin_ns;
    char fault[1024];
};

extern const struct back_form back_csv;
extern const struct back_form back_sql;
extern const struct back_form back_sqlite;

/** NULL: there is no form of that name. */
const struct back_form *back_form_named(const char *name);
/** The whole work. False: `fault` says why, and nothing is left of the target. */
bool back_run(struct back *back);

/* For the forms. */
__attribute__((format(printf, 3, 4))) enum status back_fail(struct back *back, enum status status,
                                                            const char *format, ...);
/** Counts a row; STATUS_STOPPED after an interrupt. */
MUST_CHECK enum status back_count_row(struct back *back);
/** Opens the rows of a table. */
MUST_CHECK enum status back_select(struct back *back, struct qtdb_session *session,
                                   const struct sql_table *table, struct qtdb_statement **out);
/** Adds a row of texts, as the database gives them, to a sum. */
MUST_CHECK enum status back_sum_texts(struct back *back, const struct sql_table *table,
                                      struct qtdb_statement *row, struct migrate_sum *sum);
/** `column` NULL: of no column. With --strict the first one ends the work. */
MUST_CHECK enum status back_lose(struct back *back, const struct sql_table *table,
                                 const char *column, const char *what, uint64_t row,
                                 const char *value, size_t size);
__attribute__((format(printf, 5, 6))) MUST_CHECK enum status back_note(struct back *back,
                                                                       const char *kind,
                                                                       const char *schema,
                                                                       const char *name,
                                                                       const char *format, ...);

/** Writes the JSON report. False: it could not be written. */
bool back_write_report(struct back *back);
void back_print_summary(struct back *back);

#endif
