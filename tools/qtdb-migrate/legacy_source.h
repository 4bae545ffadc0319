/*
 * A legacy source as one thing: found by path, generation detected, log replayed, and then read as
 * often as wanted, table by table and live row by live row.
 *
 * SOURCE is a data directory (server_instance.db, else main.db, else its only NAME.db) or one such
 * file. wal/ beside the file belongs to server_instance.db, and to main.db where there is no
 * server_instance.db; for other files there is no log.
 *
 * The source is opened for reading only. One thread.
 */
#ifndef TOOLS_QTDB_MIGRATE_LEGACY_SOURCE_H
#define TOOLS_QTDB_MIGRATE_LEGACY_SOURCE_H

#include "tools/qtdb-migrate/legacy_plan.h"

struct source_options {
    const char *log_database; /* NULL: none named. */
    bool no_log;
};

struct legacy_source {
    struct env env;
    char path[IO_PATH_SIZE];     /* Of the file. */
    char log_path[IO_PATH_SIZE]; /* Of the log's directory; empty: none belongs to the file. */
    char remark[512];            /* What was passed over, in words; empty: nothing. */
    struct legacy_stream stream;
    bool stream_open;
    uint64_t size;
    struct legacy_form form;
    struct legacy_log log;
    bool log_open;
    struct legacy_plan plan;
    char fault[768]; /* Why the source cannot be read. */
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

/**
 * Opens, detects, surveys and replays. On failure `fault` says why and where, and the source is to be
 * closed all the same.
 */
MUST_CHECK enum status legacy_source_open(const struct env *env, const char *path,
                                          const struct source_options *options,
                                          struct legacy_source *out);
void legacy_source_close(struct legacy_source *source);

/** Goes through all rows once. */
MUST_CHECK enum status legacy_source_read(struct legacy_source *source,
                                          const struct source_visitor *visitor);

#endif
