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

#include "tools/qtdb-migrate/source.h"

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
