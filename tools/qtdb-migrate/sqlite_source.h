/* Shared by sqlite_source.c (opening, rows), sqlite_survey.c (what the file holds) and sqlite_rescue.c. */
#ifndef TOOLS_QTDB_MIGRATE_SQLITE_SOURCE_H
#define TOOLS_QTDB_MIGRATE_SQLITE_SOURCE_H

#include "tools/common/text_buffer.h"
#include "tools/qtdb-migrate/source.h"
#include "tools/qtdb-migrate/sqlite_door.h"

struct sqlite_table {
    struct plan_table *plan;
    uint64_t row_count;
    bool *hex_blobs; /* By column: BLOBs stand among other values and become texts. */
    struct sqlite_table *next;
};

struct sqlite_source {
    const struct sqlite_door *door;
    struct sqlite_file *file;
    struct plan_database *database;
    struct sqlite_table *tables;
    struct sqlite_table **tables_end;
    uint64_t row_count; /* Of all tables. */
    struct text_buffer sql;
};

/* Of sqlite_rescue_rows. */
struct sqlite_rescue_visitor {
    void *context;
    /* The columns asked for begin at 1. */
    enum status (*row)(void *context, struct sqlite_query *query);
    void (*lost)(void *context, const char *words); /* NULL: nobody. */
};

/** All rows of a table that can be read; `columns` as SELECT has them, each in quotes. */
MUST_CHECK enum status sqlite_rescue_rows(struct source *source, const char *table,
                                          const char *columns,
                                          const struct sqlite_rescue_visitor *visitor);
/** In a rescue damage is noted and STATUS_OK given. */
enum status sqlite_give_up(struct source *source, const struct legacy_text *name,
                           enum status status);

/** Tables, columns with their types, and notes of everything else. */
MUST_CHECK enum status sqlite_survey(struct source *source);

/* Passes the door's fault on. */
enum status sqlite_failed(struct source *source, const char *what, const char *fault);
enum status sqlite_no_memory(struct source *source);
/** Prepares what `sql` of the source holds. */
MUST_CHECK enum status sqlite_prepare(struct source *source, const char *what,
                                      struct sqlite_query **out);

/** The kind that a declared type and the classes of the values (enum sqlite_class) ask for. */
enum legacy_column_kind sqlite_column_kind(const char *declared, uint32_t classes,
                                           bool only_booleans);

#endif
