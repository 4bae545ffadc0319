/*
 * A store at rest, to be damaged: one database with its log in three conditions, made by a short
 * history.
 *
 *   clean   closed: the file alone
 *   quiet   abandoned when idle: the horizon names the last durable commit
 *   busy    abandoned right after a flush: nothing in the log witnesses the last write
 */
#ifndef TOOLS_QTDB_CRASH_CRASH_DAMAGE_H
#define TOOLS_QTDB_CRASH_CRASH_DAMAGE_H

#include "tools/qtdb-crash/crash.h"
#include "tools/qtdb-crash/crash_history.h"
#include "tools/qtdb-crash/crash_verify.h"

enum crash_condition {
    CRASH_CLEAN = 0,
    CRASH_QUIET = 1,
    CRASH_BUSY = 2,
    CRASH_CONDITION_COUNT = 3
};

enum { CRASH_REST_FILES = 24 };

struct crash_rest_file {
    char path[64];
    uint64_t size;
};

struct crash_rest {
    enum crash_condition condition;
    struct io *io;
    struct io *older; /* The same store at an earlier checkpoint. */
    struct crash_model model;
    uint64_t certain; /* Commits that no damage may lose without a word. */
    struct crash_id id;
    uint64_t file_id;
    struct crash_rest_file files[CRASH_REST_FILES];
    uint32_t file_count;
    uint64_t size; /* Of all files. */
};

/** Makes a store of about `page_target` pages in use. False: something is wrong already (reported). */
bool crash_rest_make(struct crash_session *session, const struct crash_id *id,
                     enum crash_condition condition, uint32_t page_target, struct crash_rest *out);
void crash_rest_free(struct crash_rest *rest);

/** A copy to damage. */
struct io *crash_rest_copy(struct crash_session *session, const struct crash_rest *rest);

/** What opening a damaged copy comes to; whatever it is, not silent. Frees the copy. */
enum crash_violation crash_rest_judge(struct crash_session *session, const struct crash_rest *rest,
                                      struct io *copy, struct crash_found *found);

/** Frames that recovery must not take: forged ones with a single field wrong, behind the log's end. */
void crash_forge(struct crash_session *session, const struct crash_rest *rest);

#endif
