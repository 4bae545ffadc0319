/*
 * The database being made. It is built beside its final place, as TARGET.partial, and gets its name
 * only when all is there, closed, verified and durable. Whatever stops the work earlier removes it;
 * what a killed run left is removed by the next one. One thread.
 */
#ifndef TOOLS_QTDB_MIGRATE_MIGRATE_TARGET_H
#define TOOLS_QTDB_MIGRATE_MIGRATE_TARGET_H

#include "tools/qtdb-migrate/migrate_table.h"

struct migrate_target {
    struct env env;
    char path[IO_PATH_SIZE];
    char partial[IO_PATH_SIZE];
    struct qtdb *db;
    struct qtdb_session *session;
    struct qtdb_load *load;           /* Of the present table; NULL: none is open. */
    uint64_t load_size;               /* Bytes that went into it, about. */
    uint32_t columns;                 /* Of a row. */
    struct qtdb_statement *normalise; /* SELECT $1::jsonb. */
    struct text_buffer sql;
    bool made; /* The partial file is ours to remove. */
    char sqlstate[6];
    char fault[768];
};

enum target_result {
    TARGET_OK = 0,
    TARGET_BROKEN_CONSTRAINT = 1, /* sqlstate and fault name it; the transaction is gone. */
    TARGET_FAILED = 2,
};

/** With `go_on` a partial file is taken as it is. STATUS_EXISTS when TARGET is there. On failure `fault` tells; target_discard is needed anyway. */
MUST_CHECK enum status target_open(const struct env *env, const char *path, bool go_on,
                                   struct migrate_target *out);
/** Closes and removes everything that is not published; `made` stays set where that failed. */
void target_discard(struct migrate_target *target);
/** Closes and leaves the partial file for another run. */
void target_keep(struct migrate_target *target);

MUST_CHECK enum status target_create_schema(struct migrate_target *target, const char *name);
/** Where the target does not take a default, the table comes without any and says so. */
MUST_CHECK enum status target_create_table(struct migrate_target *target,
                                           struct migrate_table *table);
/** Drops a table that an interrupted run may have begun. */
MUST_CHECK enum status target_clear_table(struct migrate_target *target,
                                          const struct migrate_table *table);
MUST_CHECK enum status target_drop_table(struct migrate_target *target,
                                         const struct migrate_table *table);
/** Rows, each with a value for each column. `*taken_out` is how many went in, also of those before one that did not. */
MUST_CHECK enum target_result target_insert(struct migrate_target *target,
                                            const struct migrate_table *table,
                                            const struct qtdb_value *values, uint32_t row_count,
                                            uint32_t *taken_out);
/** Makes the rows so far durable and ends the table. */
MUST_CHECK enum target_result target_end_table(struct migrate_target *target,
                                               const struct migrate_table *table);

/**
 * Runs one statement in a transaction of its own; with a schema its names may do without. Refused by the
 * target: TARGET_BROKEN_CONSTRAINT, and nothing changed.
 */
MUST_CHECK enum target_result target_try(struct migrate_target *target, const char *sql,
                                         const char *schema);

/** Closes what was written and opens it again for reading only. */
MUST_CHECK enum status target_reopen(struct migrate_target *target);
/** Reads a table's rows into `out`. */
MUST_CHECK enum status target_sum(struct migrate_target *target, const struct migrate_table *table,
                                  struct migrate_sum *out);
/** A session of its own on an open target, for target_normalise while another thread uses the target's. `out` is
 * closed by target_beside_close before the target is, after a failure too. */
MUST_CHECK enum status target_beside(const struct migrate_target *target,
                                     struct migrate_target *out);
void target_beside_close(struct migrate_target *side);
/** The text that the target gives back for a jsonb; valid until the next call. */
MUST_CHECK enum status target_normalise(struct migrate_target *target, const char *text,
                                        size_t size, const char **out, size_t *size_out);
/** Closes, renames, and makes the name durable. */
MUST_CHECK enum status target_publish(struct migrate_target *target);

#endif
