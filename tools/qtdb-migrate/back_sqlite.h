/*
 * Shared by back_sqlite.c (rows), back_schema.c (tables) and back_objects.c (keys between tables, indexes,
 * views, sequences) of the way back to SQLite.
 *
 * SQLite takes any name as a type and lets it decide how values are stored (affinity), so declarations are
 * chosen for what they do to values as well as for what they say:
 *
 *    smallint, integer, bigint, boolean     integers under their own names; booleans are 0 and 1
 *    real, double precision                 8-byte numbers; a NaN, which SQLite turns to NULL, its text
 *    numeric                                NUMERIC where each value is a number of at most 15 digits that its
 *                                           scale gives back; else NUMERIC_TEXT, texts
 *    text, varchar, char, uuid, dates       their text
 *    json, jsonb                            JSON_TEXT: SQLite would make numbers of some texts in a JSON column
 *    bytea                                  BLOB
 *    interval, arrays                       TEXT
 */
#ifndef TOOLS_QTDB_MIGRATE_BACK_SQLITE_H
#define TOOLS_QTDB_MIGRATE_BACK_SQLITE_H

#include "tools/qtdb-migrate/back.h"
#include "tools/qtdb-migrate/back_token.h"
#include "tools/qtdb-migrate/sqlite_door.h"

enum back_storage {
    BACK_TEXT = 0,
    BACK_INTEGER = 1,
    BACK_BOOLEAN = 2,
    BACK_REAL = 3,
    BACK_NUMBER = 4, /* numeric: integer or real. */
    BACK_BLOB = 5,
};

struct back_column {
    enum back_storage storage;
    bool counts_up; /* The table's INTEGER PRIMARY KEY AUTOINCREMENT. */
    const char *declared;
};

struct back_sqlite {
    struct back *back;
    const struct sqlite_door *door;
    struct sqlite_file *file;
    struct back_table *table;
    struct back_column *columns; /* Of the table. */
    bool plain_names;            /* All tables are of one schema: their names stand alone. */
    char fault[SQLITE_FAULT_SIZE];
};

/** The table's name in the file; NULL: there is no such table. */
const char *back_target_name(struct back_sqlite *sqlite, const char *schema, const char *name);
/** Chooses columns and makes the present table. */
MUST_CHECK enum status back_create_table(struct back_sqlite *sqlite);
/** Makes it once more without CHECKs, which the rows met and SQLite read otherwise. */
MUST_CHECK enum status back_create_unchecked(struct back_sqlite *sqlite, bool *changed_out);
/** After all rows: indexes, views, positions; and notes of the rest. */
MUST_CHECK enum status back_add_objects(struct back_sqlite *sqlite);

/** The table's counting column goes on where its sequence stands. */
MUST_CHECK enum status back_set_position(struct back_sqlite *sqlite, const struct sql_table *table,
                                         const char *column);

/** Runs what `sql` of the work holds. */
MUST_CHECK bool back_run_sql(struct back_sqlite *sqlite);
enum status back_sqlite_failed(struct back_sqlite *sqlite, const char *what);
/** True when numeric values of this text come back from SQLite's numbers; `scale` NULL: none declared. */
bool back_number_fits(const char *text, size_t size, bool has_scale);

#endif
