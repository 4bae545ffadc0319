/*
 * What a legacy source holds: every database and table after the log was replayed, without the rows.
 * Rows stay where they are; the plan knows which of them are dead and where the log's own stand.
 *
 *    snapshot rows 0 .. n-1      in the snapshot, read in order; `dead` lists those the log killed
 *    appended rows n, n+1, ...   in the log: inserts and the new rows of updates, by file and offset
 *
 * Columns change under rows (add, drop, rename), so each column has an id that never changes, and each
 * row belongs to a version of the table: the list of column ids in force when it was written. A row's
 * value for a column is the one at the id's place in the row's version, or NULL where it is not there.
 *
 * Memory: 24 bytes a row that the log wrote, 8 a row that it killed, and the names of at most
 * PLAN_TABLES_MAX tables and databases.
 */
#ifndef TOOLS_QTDB_MIGRATE_LEGACY_PLAN_H
#define TOOLS_QTDB_MIGRATE_LEGACY_PLAN_H

#include "tools/qtdb-migrate/legacy_log.h"

enum { PLAN_NOTES_MAX = 10000, PLAN_TABLES_MAX = 100000, PLAN_NO_ORDINAL = -1 };

struct plan_column {
    struct legacy_column column;
    uint32_t id;
};

struct plan_version {
    uint32_t count;
    uint32_t *ids;
};

struct plan_appended {
    uint64_t offset;
    uint32_t file;
    uint32_t version;
    bool live;
};

struct plan_sequence {
    struct legacy_text name; /* The column it belongs to. */
    int64_t next;
    const struct plan_note *note; /* How it was tried; NULL: not yet. */
    struct plan_sequence *following;
};

struct plan_database;

struct plan_table {
    struct plan_database *database;
    struct legacy_text name;
    int64_t ordinal; /* In the snapshot's order; PLAN_NO_ORDINAL: made by the log. */
    uint32_t number; /* Among all tables, dropped ones too. */
    bool dropped;
    uint32_t column_count;
    struct plan_column *columns;
    uint32_t next_id;
    uint32_t version_count; /* Version 0 is the snapshot's (or the create record's). */
    struct plan_version *versions;
    uint64_t snapshot_rows; /* Dead ones counted. */
    uint64_t damaged_at;    /* From this row on indexes are not the log's; UINT64_MAX: none. */
    uint64_t dead_count, dead_capacity;
    uint64_t *dead; /* Sorted by legacy_plan_seal. */
    uint64_t appended_count, appended_capacity;
    struct plan_appended *appended;
    struct plan_sequence *sequences;
    struct plan_table *next; /* In the database. */
};

struct plan_database {
    struct legacy_text name;
    struct plan_table *tables;
    struct plan_table **tables_end;
    struct plan_database *next;
};

/* Something of the source besides tables and rows. With `sql` it is tried on the target. */
struct plan_note {
    const char *kind; /* "view", "enum", "user", "grant", "index" ... */
    const char *name;
    const char *words;
    const char *sql; /* NULL: qtdb has no such thing. */
    const struct plan_database
        *database; /* Whose names `sql` may use without the schema; or NULL. */
    bool tried;
    bool carried;
    const char *why; /* Tried and not carried over: what the target said. */
    struct plan_note *next;
};

struct legacy_plan {
    struct memory *memory;
    struct arena arena;
    struct plan_database *databases;
    uint32_t database_count;
    uint64_t table_count; /* Those not dropped. */
    uint32_t number_count;
    struct plan_note *notes;
    struct plan_note **notes_end;
    uint64_t note_count; /* All; only PLAN_NOTES_MAX are kept. */
    bool notes_failed;   /* There was no memory for one. */
    bool rescue;         /* Set by the caller: damage is noted and passed over. */
    uint64_t lost_count; /* Notes of damage. */
    char fault[512];
};

void legacy_plan_init(struct legacy_plan *plan, struct memory *memory);
void legacy_plan_deinit(struct legacy_plan *plan);

/** Goes through the snapshot once. `fault` is set where the stream has none. */
MUST_CHECK enum status legacy_plan_survey(struct legacy_plan *plan, struct legacy_stream *stream,
                                          const struct legacy_form *form);

/**
 * Applies the records after the last checkpoint. `database` (NULL: none given) is where they belong
 * when more than one could be meant. STATUS_INVALID when that is open; `fault` then tells.
 */
MUST_CHECK enum status legacy_plan_replay(struct legacy_plan *plan, struct legacy_log *log,
                                          const char *database);

/** Sorts what reading needs in order; after the last replay. */
void legacy_plan_seal(struct legacy_plan *plan);

/** NULL: no memory, or past PLAN_NOTES_MAX. */
struct plan_note *legacy_plan_note(struct legacy_plan *plan, const char *kind,
                                   const struct legacy_text *name, const char *words);
/** The same with SQL that makes it, not NULL. */
struct plan_note *legacy_plan_note_sql(struct legacy_plan *plan, const char *kind,
                                       const struct legacy_text *name, const char *sql,
                                       const struct plan_database *database);

/** Notes something that cannot be rescued. */
void legacy_plan_lost(struct legacy_plan *plan, const struct legacy_text *name, const char *words);

#endif
