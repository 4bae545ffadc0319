/*
 * A history: one life of a database on one simulated disk, with the model beside it, the order rules
 * watching, and someone who may look at every point. The same identity gives the same history, byte
 * for byte, whoever looks.
 *
 *   crash_history_begin   a new disk
 *   crash_history_open    a new file, an open handle
 *   crash_history_step    one step of the workload
 *   crash_history_crash   the disk settles by a choice; the file is opened again from what is left
 *   crash_history_end     closes or abandons, and checks that everything was given back
 *
 * Functions return the status of the engine; what is wrong (and not only unsuccessful) is handed to
 * `wrong` at once.
 */
#ifndef TOOLS_QTDB_CRASH_CRASH_HISTORY_H
#define TOOLS_QTDB_CRASH_CRASH_HISTORY_H

#include "kernel/base/random.h"
#include "tools/qtdb-crash/crash.h"
#include "tools/qtdb-crash/crash_change.h"
#include "tools/qtdb-crash/crash_model.h"
#include "tools/qtdb-crash/crash_order.h"

struct crash_history;

typedef void (*crash_wrong_fn)(void *context, enum crash_violation violation, const char *text);
/* A point of the history; `event` NULL: something was acknowledged. */
typedef void (*crash_point_fn)(void *context, struct crash_history *history,
                               const struct io_sim_event *event);

struct crash_history {
    /* Fixed at begin. */
    const struct crash_session *session;
    struct crash_id id;
    enum crash_workload workload; /* As drawn. */
    struct memory *engine;
    crash_wrong_fn wrong;
    crash_point_fn look;  /* May be NULL. */
    void *context;        /* Of both. */
    bool faulty;          /* Faults are injected: a step may fail. */
    uint32_t page_target; /* Pages in use that the workload stays about. */

    struct io *io;
    struct pager *pager; /* NULL while it is being opened, and after a failed open. */
    struct crash_model model;
    struct crash_order order;
    struct random random; /* The workload's. */
    bool created;         /* The file was there: from now on it has to be. */
    bool squeezed;        /* The disk is kept too small. */
    uint64_t point;       /* Points so far. */
    uint64_t step_count;
    uint64_t crash_count;
};

/** `look`, `wrong` and `context` are the caller's. Then set `faulty` if need be, and open. */
void crash_history_begin(struct crash_history *history, const struct crash_session *session,
                         const struct crash_id *id, struct memory *engine, crash_wrong_fn wrong,
                         crash_point_fn look, void *context);
/** Closes (or, without `close`, abandons) the handle, and frees the rest. */
void crash_history_end(struct crash_history *history, bool close);

/** Opens the file, which it creates the first time. */
MUST_CHECK enum status crash_history_open(struct crash_history *history);
/** Abandons the handle and settles the disk. */
void crash_history_settle(struct crash_history *history, const struct io_sim_crash *choice);
/** Opens what is left and takes the model back to it. */
MUST_CHECK enum status crash_history_recover(struct crash_history *history);
/** Both. */
MUST_CHECK enum status crash_history_crash(struct crash_history *history,
                                           const struct io_sim_crash *choice);
/** A clean close that must leave no log, and the next open. */
MUST_CHECK enum status crash_history_reopen(struct crash_history *history);

/** A step of the workload. STATUS_OK: as it should be, a full disk in its place included. */
MUST_CHECK enum status crash_history_step(struct crash_history *history);

/** A change that the model takes part in. */
MUST_CHECK enum status crash_history_change(struct crash_history *history,
                                            struct crash_change *change);

/** Takes note of what the handle calls durable now, and shows the point. */
void crash_history_acknowledge(struct crash_history *history);

/** Tells `wrong`, with a formatted text. */
void crash_history_wrong(struct crash_history *history, enum crash_violation violation,
                         const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
