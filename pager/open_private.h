/*
 * What the files of opening and closing share: open.c (the sequence), create.c (a new file),
 * log_dir.c (the log's directory and its owner file), rescue.c (a file without its log).
 */
#ifndef PAGER_OPEN_PRIVATE_H
#define PAGER_OPEN_PRIVATE_H

#include "pager/pager_private.h"

struct pager_path {
    char text[IO_PATH_SIZE];
};

/** `path` with `suffix` behind it; STATUS_INVALID when it gets too long. */
MUST_CHECK enum status pager__path_with(const char *path, const char *suffix,
                                        struct pager_path *out);
/** The directory that holds `path`, which is absolute. */
struct pager_path pager__parent_of(const char *path);

/** Makes the file under the pager's path, durable with its name. It is fine when it appears. */
MUST_CHECK enum status pager__create(struct pager *pager);

/** A needs-log file whose log is missing or rotten: takes it as it is, and says what is lost. */
MUST_CHECK enum status pager__rescue(struct pager *pager);

/* log_dir.c */
struct wal_options pager__log_options(const struct pager *pager);
/** Writes the owner file: pid and start time of whoever has the file open for writing. */
MUST_CHECK enum status pager__owner_write(struct pager *pager);
/** The pid in the owner file; 0: none can be read. */
uint64_t pager__owner_read(struct pager *pager);
/** Removes the log's directory with everything of ours in it; fine when there is none. */
MUST_CHECK enum status pager__log_remove(struct pager *pager);

#endif
