/*
 * Running plans: each node hands up batches of rows until one is empty.
 *
 * A batch's values live until the next call on the same node. Memory is bounded: what has to be held
 * (sorts, groups, join tables, rows to be changed) counts against the statement's budget, past which
 * the statement fails (53200), not the process.
 */
#ifndef EXECUTOR_EXEC_H
#define EXECUTOR_EXEC_H

#include <stdatomic.h>

#include "executor/plan.h"

enum {
    EXEC_BATCH_ROWS = 256,
    EXEC_MEMORY_MAX = 256 * 1024 * 1024,
    EXEC_WORK_DEFAULT = 64 * 1024 * 1024,
};

/* How a scan finds its rows, and how many it did not go to one by one; a counter each. */
enum exec_path {
    EXEC_PATH_ALL = 0,         /* Every row. */
    EXEC_PATH_KEY = 1,         /* Whole row keys, one look-up each. */
    EXEC_PATH_KEY_RANGE = 2,   /* A range of row keys. */
    EXEC_PATH_INDEX = 3,       /* Entries of an index, then their rows. */
    EXEC_PATH_INDEX_ALONE = 4, /* Entries of an index that have all that is asked for. */
    EXEC_PATH_SPAN_ROWS = 5,   /* Rows taken together with others of their leaf. */
    EXEC_PATH_LEAVES = 6,      /* Leaves whose rows were only counted. */
    EXEC_PATH_COUNT = 7,
};

/* What one node did; for EXPLAIN ANALYZE. Times and pages include the nodes below. */
struct exec_measure {
    uint64_t loop_count;
    uint64_t row_count;       /* Given. */
    uint64_t read_count;      /* SCAN: rows and entries read; */
    uint64_t span_count;      /* of them, taken together with others of their leaf; */
    uint64_t leaf_count;      /* leaves whose rows were only counted. */
    uint64_t startup_ns;      /* To the first batch. */
    uint64_t time_ns;         /* To the end. */
    uint64_t page_read_count; /* From disk, by this thread. */
    uint64_t held_size_max;   /* Bytes held in memory. */
    uint64_t spill_size;      /* Bytes written to temporary files. */
};

/* One run of one statement. The first part is the caller's; the rest is set by exec_context_open. */
/* Who is told how far a statement is (qtdb_session_set_progress). */
struct exec_progress {
    bool (*call)(void *context, uint64_t row_count); /* NULL: nobody. */
    void *context;
    uint64_t row_count; /* Rows and entries read so far. */
    uint32_t check_count;
};

struct exec_context {
    struct qtdb_txn *txn;
    struct memory *memory;
    struct sql_error *error;
    _Atomic bool *interrupted;
    struct exec_progress *progress; /* NULL: nobody is told. */
    const struct value *parameters;
    uint32_t parameter_count;
    struct io *io;       /* Clock and random numbers. */
    int64_t now_us;      /* now(): microseconds since 2000-01-01. */
    size_t memory_limit; /* Bytes that may be held; 0: EXEC_MEMORY_MAX. */
    size_t work_limit;   /* Bytes that a sort or a hash table holds before it spills; 0: default. */
    uint64_t *path_counts;         /* EXEC_PATH_COUNT of them; NULL: not counted. */
    struct exec_measure *measures; /* One a node of the plan; NULL: not measured. */
    bool measures_time;
    struct qtdb *db;
    enum qtdb_isolation isolation;
    const struct search_path *path; /* NULL: "public" alone. */
    uint64_t path_epoch;            /* Changes with the path. */
    uint64_t catalog_version;       /* 0: definitions may have changed within the transaction. */
    uint64_t txn_number;            /* Of the session's transactions; 0: not known. */
    struct sequence_memory *sequences;
    struct settings *settings; /* The session's; NULL: none. */
    bool in_block;
    bool read_only;
    uint64_t deadline_ns; /* By io's clock: statement_timeout ends it then; 0: never. */
    /* For who plans within the run: when it has filled this he gives STATUS_MISSING. NULL: it does not matter. */
    struct plan_stale *stale;

    const struct planned *planned;
    size_t held_size;
    struct value *slots;
    struct exec__subplan *subplans;
    struct exec__work *works;
    struct exec__shared *shared; /* Rows of queries of WITH. */
    struct exec__parts *parts;   /* Changes in WITH; NULL: none. */
};

struct batch {
    uint32_t width;
    uint32_t count;
    struct value *values; /* Row after row. */
    struct arena arena;
};

struct exec;

/** Room for slots, subplans and work tables. The plan and the caller's part outlive the context. */
MUST_CHECK enum status exec_context_open(struct exec_context *context,
                                         const struct planned *planned);
/** Fine after a failed open. */
void exec_context_close(struct exec_context *context);

MUST_CHECK enum status exec_open(struct exec_context *context, const struct plan *plan,
                                 struct exec **out);
/** `*out` has no rows at the end. */
MUST_CHECK enum status exec_next(struct exec *exec, const struct batch **out);
/** Back before the first row; slots may have changed. */
void exec_rescan(struct exec *exec);
/** NULL is fine. */
void exec_close(struct exec *exec);

/**
 * Runs that are kept: a statement that is prepared once and run often finds its nodes, batches and trees
 * where its last run left them. exec_park ends a run and lets go of all that is its transaction's;
 * exec_resume begins the next one, in the same context opened anew for the same plan. Neither can fail.
 */
bool exec_is_keepable(const struct planned *planned);
void exec_park(struct exec *exec);
void exec_resume(struct exec *exec);

/* Rows that outlive the run: what RETURNING gives. */
struct exec_rows {
    uint32_t width;
    size_t count;
    size_t capacity;
    struct value **rows;
    struct arena arena;
};

/** All rows of a run that has been opened; they count against the statement's memory. */
MUST_CHECK enum status exec_collect(struct exec *exec, struct exec_rows *out);

/** Runs an INSERT, UPDATE or DELETE to its end. `returned` (initialised arena) takes RETURNING. */
MUST_CHECK enum status exec_change(struct exec_context *context, struct exec_rows *returned,
                                   uint64_t *row_count_out);

/**
 * The same in steps: opened once, it runs any number of times, each in the context opened anew for the
 * same plan. `context` and `returned` stay where they are. After a failed run it can only be closed.
 */
struct exec_change;
MUST_CHECK enum status exec_change_open(struct exec_context *context, struct exec_rows *returned,
                                        struct exec_change **out);
MUST_CHECK enum status exec_change_run(struct exec_change *change, uint64_t *row_count_out);
/** As exec_park; false: it has to be closed. */
bool exec_change_park(struct exec_change *change);
/** NULL is fine. */
void exec_change_close(struct exec_change *change);

/** Ends a query whose WITH has changes, once all its rows have been taken. */
MUST_CHECK enum status exec_finish_parts(struct exec_context *context);
/** How many rows a change in WITH has changed. */
uint64_t exec_part_count(const struct exec_context *context, uint32_t part);

/** Runs a MERGE to its end. */
MUST_CHECK enum status exec_merge(struct exec_context *context, uint64_t *row_count_out);

struct exec_explanation {
    const struct planned *planned;
    const struct ast_explain *options;
    const struct exec_measure *measures; /* NULL: it was not run. */
    uint64_t planning_ns;
    uint64_t execution_ns;
    uint64_t changed_count;                 /* Rows, of a change. */
    uint64_t log_size;                      /* Bytes; 0 unless the change has been committed. */
    const struct qtdb_txn_statistics *cost; /* How keys were looked up; NULL: not known. */
};

/** EXPLAIN's lines, one a node and what was measured below it, or one JSON text, into `line`. */
MUST_CHECK enum status exec_explain(const struct exec_explanation *explanation, struct arena *arena,
                                    enum status (*line)(void *context, const char *text),
                                    void *context);

#endif
