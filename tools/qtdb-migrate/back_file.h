/*
 * A file that the way back writes: a stream over the io door, so that every failure of the disk is met in one
 * place, says the path, and can be made to happen by tests. The first failed write is what is told, whatever the
 * writer made of it.
 */
#ifndef TOOLS_QTDB_MIGRATE_BACK_FILE_H
#define TOOLS_QTDB_MIGRATE_BACK_FILE_H

#include <stdio.h>

#include "kernel/base/error.h"
#include "tools/qtdb-migrate/back.h"

struct back_file {
    struct back *back;
    FILE *stream;
    struct io_file *file;
    uint64_t offset;
    bool failed; /* `fault` says why. */
    char fault[ERROR_MESSAGE_SIZE];
};

/** A new file; one that is there is refused. On failure the back's fault says why, and there is nothing to close. */
MUST_CHECK enum status back_file_open(struct back *back, const char *path, struct back_file *out);
/** The status of a write to `stream` that failed. */
MUST_CHECK enum status back_file_failed(struct back_file *file);
/** Ends and closes it. With STATUS_OK it is durable; else returns `status`, or what had failed before. */
MUST_CHECK enum status back_file_close(struct back_file *file, enum status status);

#endif
