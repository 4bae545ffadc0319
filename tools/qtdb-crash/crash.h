/*
 * qtdb-crash: what its parts share. README.md tells how they fit together.
 *
 * A history is one life of a database on a simulated disk: a seeded workload, perhaps with crashes in
 * it. A point is a place in a history (or in a recovery) where the disk is about to change, or has
 * changed, or where something was acknowledged. A state is what a crash at a point leaves when it settles
 * by one choice. A place names a state: history, point, choice, and again point and choice inside the
 * recovery of that state, up to CRASH_DEPTH_MAX times. A place is all that a replay needs.
 */
#ifndef TOOLS_QTDB_CRASH_CRASH_H
#define TOOLS_QTDB_CRASH_CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/check.h"
#include "kernel/base/io_sim.h"
#include "pager/pager.h"

enum {
    CRASH_DEPTH_MAX = 3,
    CRASH_KEPT_SIZE = 16,
    CRASH_SEGMENT_SIZE = WAL_SEGMENT_SIZE_MIN,
    CRASH_SEGMENT_BLOCKS = CRASH_SEGMENT_SIZE / WAL_BLOCK_SIZE,
    CRASH_PAGE_LIMIT = 512,
    CRASH_THREAD_MAX = 64,
};

#define CRASH_FILE "/store.qtdb"
#define CRASH_LOG_DIR "/store.qtdb-wal"

/* The reference workloads. */
enum crash_workload {
    CRASH_WORKLOAD_ANY = 0, /* Drawn from the seed. */
    CRASH_LOAD = 1,         /* Allocate and fill. */
    CRASH_UPDATE = 2,       /* Change in place, with checkpoints and reuse of segments. */
    CRASH_SHRINK = 3,       /* Free, cut the file, grow again. */
    CRASH_FULL = 4,         /* Grow until the disk is full; free; grow. */
    CRASH_DIRECT = 5,       /* Direct writes, adopted by RESET. */
    CRASH_RECOVERY = 6,     /* All of it, with crashes, kills and clean closes in between. */
    CRASH_EVICT = 7,        /* More pages than the pool has frames. */
    CRASH_WORKLOAD_LAST = 7,
    CRASH_ROWS = 8, /* Of the mode rows. */
};
const char *crash_workload_name(enum crash_workload workload);

/* What is wrong. */
enum crash_violation {
    CRASH_OK = 0,
    CRASH_LOST = 1,    /* An acknowledged commit is not there. */
    CRASH_HOLE = 2,    /* A commit is not there and a later one is. */
    CRASH_HALF = 3,    /* A part of a commit is there. */
    CRASH_SILENT = 4,  /* Bytes that no commit wrote were returned. */
    CRASH_REFUSED = 5, /* Refused, though nothing is damaged that the log does not hold. */
    CRASH_UNCLEAN = 6, /* pager_check reports a finding, or a clean file still has a log. */
    CRASH_ORDER = 7,   /* An order rule was broken. */
    CRASH_STATUS = 8,  /* The wrong status. */
    CRASH_LEAK = 9,    /* Memory, a file, a queue or a lock was not given back. */
    CRASH_ABORT = 10,  /* A failed check or a signal. */
    CRASH_VIOLATION_COUNT = 11,
};
const char *crash_violation_name(enum crash_violation violation);

/* A check that is wrong on purpose, to see whether the rig sees. */
enum crash_canary {
    CRASH_CANARY_NONE = 0,
    CRASH_CANARY_LOST = 1,    /* Believes one commit more to be acknowledged. */
    CRASH_CANARY_SILENT = 2,  /* Believes that one byte was written otherwise. */
    CRASH_CANARY_HALF = 3,    /* Believes that one page of a commit is one commit older. */
    CRASH_CANARY_ORDER = 4,   /* Believes that one commit less is durable. */
    CRASH_CANARY_LEAK = 5,    /* Keeps an allocation. */
    CRASH_CANARY_STATUS = 6,  /* Believes that a successful flush failed. */
    CRASH_CANARY_UNCLEAN = 7, /* Believes one page more to be in use. */
    CRASH_CANARY_LAST = 7,
};

enum { CRASH_PLACE_TEXT_SIZE = 320, CRASH_FAULT_TEXT_SIZE = 40 };

struct crash_id {
    uint64_t seed;
    enum crash_workload workload;
    enum pager_policy policy;
};

struct crash_step {
    uint64_t point;
    struct io_sim_crash choice;
};

struct crash_place {
    struct crash_id id;
    uint32_t depth; /* Of steps; 0: the history itself. */
    struct crash_step steps[CRASH_DEPTH_MAX];
    char fault[CRASH_FAULT_TEXT_SIZE]; /* The run had this fault; empty: none. */
};

/** "SEED:WORKLOAD:POLICY[/POINT.MODE.INDEX.SEED]..." */
void crash_place_print(const struct crash_place *place, char out[CRASH_PLACE_TEXT_SIZE]);
/** False when the text is not a place. */
bool crash_place_parse(const char *text, struct crash_place *out);

struct crash_options {
    uint64_t seed;
    uint64_t seconds;   /* 0: no limit. */
    uint64_t states;    /* Unique ones to reach; 0: no limit. big: points; 0: the default. */
    uint64_t samples;   /* rot: 0 is every bit. */
    uint64_t histories; /* torn: histories to tear; 0: the default. */
    bool first_only;    /* Stop at the first violation. */
    uint64_t threads;
    enum crash_workload workload;
    enum pager_policy policy; /* 0: both. */
    enum crash_canary canary;
    int bug; /* bugs: 0 is all. */
    uint64_t bug_seconds;
    bool json;
    const char *json_path; /* NULL: standard output. */
    bool quiet;
    bool trace;               /* replay: print operations and log lines. */
    const char *replay;       /* NULL: no replay. */
    struct crash_place place; /* What to replay ... */
    const char *fault;        /* ... with this fault. NULL: none. */
};

struct crash_report;
struct crash_set;

/* What one thread works with. */
struct crash_session {
    const struct crash_options *options;
    struct crash_report *report;                /* Shared. */
    struct crash_set *seen;                     /* Shared. */
    struct memory *rig;                         /* The rig's own, and the disks'. */
    struct memory *engine[CRASH_DEPTH_MAX + 1]; /* One for the pagers of each depth. */
    void *kept; /* By the canary that leaks; CRASH_KEPT_SIZE bytes of engine[1]. */
};

void crash_session_init(struct crash_session *session, const struct crash_options *options,
                        struct crash_report *report, struct crash_set *seen);
/** CHECKs that the rig has nothing left. */
void crash_session_deinit(struct crash_session *session);

/* The rig's own allocations do not fail: without memory it stops. */
void *crash_alloc(struct memory *memory, size_t size);
void *crash_resize(struct memory *memory, void *pointer, size_t old_size, size_t new_size);
void crash_free(struct memory *memory, void *pointer, size_t size);

/** Options of every pager of the rig: few frames, small segments, few pages. */
struct pager_options crash_pager_options(const struct crash_id *id);

/** The modes; each adds to the report and returns false when it could not run. */
bool crash_sim(const struct crash_options *options, struct crash_report *report);
bool crash_replay(const struct crash_options *options, struct crash_report *report);

bool crash_rows(const struct crash_options *options, struct crash_report *report);
bool crash_rows_replay(const struct crash_options *options, struct crash_report *report);

/* Parts of sim that other modes and tests use. */
/** A history with all its states, or (`only` not NULL) only the state or history named. */
typedef void (*crash_history_fn)(struct crash_session *session, const struct crash_id *id,
                                 const struct crash_place *only);
/** Histories by seed in as many threads as asked for, until the report is done. */
bool crash_run_histories(const struct crash_options *options, struct crash_report *report,
                         crash_history_fn history);
/** The history of options->place, printed operation by operation. */
bool crash_run_place(const struct crash_options *options, struct crash_report *report,
                     crash_history_fn history);
struct crash_id crash_sim_id(const struct crash_options *options, uint64_t index);
/** One history with all its states, or only the one named. */
void crash_sim_history(struct crash_session *session, const struct crash_id *id,
                       const struct crash_place *only);
bool crash_faults(const struct crash_options *options, struct crash_report *report);
bool crash_rot(const struct crash_options *options, struct crash_report *report);
bool crash_torn(const struct crash_options *options, struct crash_report *report);
bool crash_big(const struct crash_options *options, struct crash_report *report);
bool crash_bugs(const struct crash_options *options, struct crash_report *report);
bool crash_canary(const struct crash_options *options, struct crash_report *report);
bool crash_faults_replay(const struct crash_options *options, struct crash_report *report);

#endif
