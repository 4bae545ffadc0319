/*
 * Is what was recovered what the model allows? The one question the rig asks of every state.
 *
 * The handle says with which CSN the log ended: that is the commit that has to be there, whole, and
 * it may not be older than what was acknowledged. Each page in use is known by its content, which no
 * two commits share: so it says between which commits it was read, [first, last]. A page whose
 * content no commit wrote is silent damage; pages that agree on no commit, or not on that one, are
 * half a commit or a hole.
 */
#ifndef TOOLS_QTDB_CRASH_CRASH_VERIFY_H
#define TOOLS_QTDB_CRASH_CRASH_VERIFY_H

#include "tools/qtdb-crash/crash.h"
#include "tools/qtdb-crash/crash_model.h"

enum { CRASH_FOUND_TEXT_SIZE = 320 };

struct crash_history;

/* What a state may be. */
struct crash_expect {
    const struct crash_model *model;
    struct crash_id id;
    uint64_t acknowledged; /* Commits; at least these. */
    bool may_be_absent;    /* Creation had not been reported as done. */
    bool may_refuse_page;  /* Single pages may be refused by name. */
    bool may_refuse_file;  /* The open may be refused. */
    enum crash_canary canary;
};

struct crash_found {
    uint64_t commit;                  /* The last commit that was recovered. */
    bool absent;                      /* There was no file, rightly. */
    bool full;                        /* Opened only after space was freed. */
    bool refused;                     /* The open was refused, rightly. */
    uint32_t refused_pages;           /* Pages refused, rightly. */
    uint64_t repaired;                /* Pages repaired while being read. */
    char text[CRASH_FOUND_TEXT_SIZE]; /* What is wrong, where something is. */
};

struct crash_expect crash_expect_of(const struct crash_history *history);

/** Compares every page of an open handle with the model, and runs pager_check. */
enum crash_violation crash_verify_pager(struct pager *pager, const struct crash_expect *expect,
                                        struct crash_found *out);

/**
 * Opens the file on `io`, verifies it, and abandons the handle. `*pager_out`, if not NULL, gets the
 * handle instead when all is well and the file is there.
 */
enum crash_violation crash_verify_disk(struct io *io, struct memory *engine,
                                       const struct crash_expect *expect, bool read_only,
                                       struct crash_found *out, struct pager **pager_out);

/** Everything was given back: memory, files, queues, locks. */
enum crash_violation crash_verify_closed(struct io *io, struct memory *engine,
                                         struct crash_found *out);

/** Changes, closes or crashes, and reopens a recovered store, and compares it with itself. Takes over
 * `pager`. */
enum crash_violation crash_verify_life(struct pager *pager, struct io *io, struct memory *rig,
                                       const struct crash_expect *expect, uint64_t seed,
                                       struct crash_found *out);

/** Writes the text of a violation and returns it. */
enum crash_violation crash_found_wrong(struct crash_found *found, enum crash_violation violation,
                                       const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Whether the log's directory is there. Counts as an operation of the disk. */
bool crash_log_exists(struct io *io);

#endif
