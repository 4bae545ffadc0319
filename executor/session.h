/* Sessions and statements, inside: shared by session.c and statement*.c. */
#ifndef EXECUTOR_SESSION_H
#define EXECUTOR_SESSION_H

#include "executor/exec.h"
#include "executor/settings.h"
#include "executor/temporary.h"

/* A mark in the block, the last first. */
struct session_savepoint {
    struct session_savepoint *next;
    uint64_t mark;
    bool catalog_changed; /* Before it. */
    uint64_t cursor_serial;
    size_t size; /* Of this with its name. */
    char name[];
};

/* PREPARE: the text of the whole statement, whose query EXECUTE runs through the statement cache. */
struct session_prepared {
    struct session_prepared *next;
    size_t size; /* Of this with what it points to. */
    const char *name;
    const char *text;
    uint32_t parameter_count;
    enum qtdb_type *types; /* QTDB_TYPE_NULL: taken from where the parameter stands. */
};

/* A temporary table made with ON COMMIT DROP or DELETE ROWS. */
struct session_on_commit {
    struct session_on_commit *next;
    size_t size; /* Of this with its name. */
    bool drops;
    char name[];
};

/* Rows of a table that were changed. */
struct session_changes {
    uint32_t table_id;
    uint64_t count;
};

enum { STATEMENT_CACHE_MAX = 100, STATEMENT_USES_MAX = 1000, SESSION_CHANGES_MAX = 8 };

struct qtdb_session {
    struct qtdb *db;
    struct memory *memory;
    struct qtdb_txn *txn;          /* NULL outside a transaction block. */
    bool aborted;                  /* The block failed: only ROLLBACK is taken. */
    bool catalog_changed;          /* By the block: plans made in it are not kept. */
    enum qtdb_isolation isolation; /* Of the block. */
    bool read_only;
    bool used;           /* The block has run a statement. */
    uint64_t txn_number; /* Transactions begun so far. */
    struct settings *settings;
    struct sequence_memory *sequences;
    struct session_savepoint *savepoints;
    struct catalog_seen catalog;
    struct qtdb_statement *cache; /* Finalised statements, the last used first. */
    uint32_t cache_count;
    uint64_t cache_hit_count;
    uint64_t cache_miss_count;
    uint64_t cache_eviction_count;
    uint64_t prepared_count; /* Plans made. */
    uint64_t preparation_ns; /* To parse, bind and plan. */
    int64_t block_us;        /* now() in the block; 0: not asked yet. */
    size_t memory_limit;     /* Bytes a statement may hold; 0: EXEC_MEMORY_MAX. */
    size_t work_limit; /* Bytes an operator may hold before it spills; 0: EXEC_WORK_DEFAULT. */
    uint64_t path_counts[EXEC_PATH_COUNT]; /* Scans begun, by enum exec_path. */
    struct qtdb_copy copy;                 /* STDIN and STDOUT of COPY. */
    struct session_prepared *prepared;     /* PREPARE's, the last first. */
    struct session_cursor *cursors;        /* DECLARE's, the last first. */
    uint64_t cursor_serial;                /* Declared so far. */
    char temporary[TEMPORARY_NAME_SIZE];   /* Schema of its temporary tables; "": none yet. */
    struct session_on_commit *on_commit;
    struct qtdb_load *load;                              /* That has not ended; NULL: none. */
    struct session_changes changes[SESSION_CHANGES_MAX]; /* Since the last commit. */
    uint32_t changes_count;
    _Atomic bool interrupted;
    struct exec_progress progress;
};

enum statement_phase {
    STATEMENT_READY = 0,
    STATEMENT_BOUND = 1, /* Planned, in its transaction. */
    STATEMENT_ROWS = 2,
    STATEMENT_DONE = 3,
};

struct statement_line {
    struct statement_line *next;
    const char *text;
};

struct qtdb_statement {
    struct qtdb_session *session;
    char *sql;     /* Whole text, for positions. */
    uint64_t hash; /* Of the text. */
    struct qtdb_statement *cache_next;

    /* Life of the statement. */
    struct arena parsed;
    struct ast_statement *asts; /* All of the text; qtdb_prepare gives the first. */
    uint32_t ast_count;
    struct ast_statement *ast;
    struct value *parameters;
    uint32_t parameter_count;

    /* Kept while the catalog and the types of the parameters stay as they are. */
    struct arena bound;
    struct planned *planned; /* NULL: none. */
    uint64_t planned_version;
    uint64_t planned_statistics; /* database_notes' version then. */
    uint64_t planned_path_epoch;
    unsigned planned_joins_off;
    uint32_t planned_type_count;
    uint32_t planned_uses; /* Runs that it served. */
    enum qtdb_type *planned_types;

    /* One run. */
    enum statement_phase phase;
    struct sql_error error;
    struct exec_context context;
    bool own_txn;            /* Its transaction ends with it. */
    bool looked;             /* At tables whose statistics were stale. */
    struct plan_stale stale; /* What planning asked for; in `bound`, or with what is defined. */
    uint32_t visible;
    struct exec *exec; /* Kept from run to run with a small plan: see statement_run.c. */
    bool parked;       /* It waits for the next run. */
    struct exec_change *change;
    const struct batch *batch;
    uint32_t batch_index;
    const struct value *row_values;
    struct exec_rows returned;
    struct arena row;             /* To the next step. */
    struct statement_line *lines; /* EXPLAIN. */
    struct statement_line *last_line;
    struct qtdb_txn_statistics cost; /* Of its own transaction, under EXPLAIN ANALYZE. */
    uint64_t planning_ns;
    bool explained; /* EXPLAIN's lines are there. */
    uint64_t row_count;
    const char *tag;    /* Its words. */
    uint64_t tag_count; /* Behind them; */
    bool tag_counts;    /* when it has a count. */
    char tag_text[64];
    /* FETCH; columns in `bound`. */
    const struct rel_column *fetched_columns; /* NULL: it is something else. */
    uint64_t fetched_serial;                  /* Of the cursor. */
    int64_t fetch_left;                       /* Rows; -1: not begun. */
    bool fetch_backward;
    struct qtdb_statement *inner; /* EXECUTE: what it runs, to its reset; NULL: not begun. */
};

/** What is evaluated and printed in this thread from here on goes by the session's time zone. */
static inline void
session_use_zone(const struct qtdb_session *session)
{
    (void)zone_enter(settings_zone(session->settings));
}

/** Turns what went wrong into the thread's qtdb_error; positions count characters of `sql`. */
enum qtdb_code session_report(enum status status, const struct sql_error *error, const char *sql);

/** What counts where work_mem is not set: bytes, 0 for EXEC_WORK_DEFAULT; from the next statement on. */
void session_set_work_limit(struct qtdb_session *session, size_t size);

/** BEGIN, COMMIT, ROLLBACK and savepoints; sets the tag. A failure inside a block aborts it. */
MUST_CHECK enum status session_transaction(struct qtdb_session *session,
                                           const struct ast_statement *ast, const char **tag_out,
                                           struct sql_error *error);

/** 25P02 in a block that has failed: it takes only its end, and ROLLBACK TO. */
MUST_CHECK enum status session_refuse_aborted(const struct qtdb_session *session,
                                              struct sql_error *error);
/** 55006 while a load has not ended. */
MUST_CHECK enum status session_refuse_load(const struct qtdb_session *session,
                                           struct sql_error *error);

/* session_setting.c */
/** The longest wait for a lock: lock_timeout, and no longer than a statement may take. 0: without end. */
uint32_t session_lock_timeout_ms(const struct qtdb_session *session);
/** SET, RESET, SET TRANSACTION and SET SESSION CHARACTERISTICS; sets the tag. */
MUST_CHECK enum status session_set(struct qtdb_session *session, const struct ast_statement *ast,
                                   const char **tag_out, struct sql_error *error);
/** SHOW as a query of constants. */
MUST_CHECK enum status session_show(const struct qtdb_session *session,
                                    const struct ast_statement *ast, struct arena *arena,
                                    struct ast_statement *out, struct sql_error *error);
/** exec_database.c: takes over what the file has defaults for. STATUS_NO_MEMORY. */
MUST_CHECK enum status session_take_defaults(struct qtdb_session *session);
/** Begins a transaction by the session's settings. `statistics` (NULL: not asked) outlives it. */
MUST_CHECK enum status session_begin(struct qtdb_session *session, enum qtdb_isolation isolation,
                                     bool read_only, struct qtdb_txn_statistics *statistics,
                                     struct qtdb_txn **out, struct sql_error *error);

/* statement_cache.c */
uint64_t statement__hash(const char *sql);
/** An idle statement of this text, out of the cache; NULL: none. */
struct qtdb_statement *statement__cache_take(struct qtdb_session *session, const char *sql);
/** False: it is not kept, and the caller frees it. It has been reset and has no parameters. */
bool statement__cache_give(struct qtdb_statement *statement);
void statement__cache_clear(struct qtdb_session *session);
/** Frees a statement that has been reset and has no parameters. */
void statement__free(struct qtdb_statement *statement);

/* session_temporary.c */
/** Gives the session's temporary schema a name. */
void session_begin_temporary(struct qtdb_session *session);
/** A table was made in it. */
MUST_CHECK enum status session_note_temporary(struct qtdb_session *session,
                                              const struct ast_statement *ast);
/** ON COMMIT's actions, in a transaction that is about to be committed. */
MUST_CHECK enum status session_end_temporary(struct qtdb_session *session, struct qtdb_txn *txn,
                                             enum qtdb_isolation isolation,
                                             struct sql_error *error);
/** Drops what is there; no transaction is open. */
void session_close_temporary(struct qtdb_session *session);

/* session_statistics.c */
/** The session's transaction has changed rows of the table. */
void session_note_changes(struct qtdb_session *session, const struct table *table, uint64_t count);
/** It has ended: they count from now on, or not at all. Does nothing inside a block. */
void session_settle_changes(struct qtdb_session *session, bool committed);
/**
 * True: planning asked for statistics that were stale; they are new now, as far as that could be, and the
 * statement is as before statement__enter. At most once a run, which begins with `looked` false.
 */
bool statement__look_first(struct qtdb_statement *statement);
/** Plans made so far, of all sessions, are made anew at their next run. */
void session_renew_plans(struct qtdb_session *session);
/** ANALYZE or VACUUM; sets the tag. */
MUST_CHECK enum status statement__analyze(struct qtdb_statement *statement);

/* statement_maintain.c */
/** LOCK TABLE, CHECKPOINT, DISCARD; sets the tag. */
MUST_CHECK enum status statement__maintain(struct qtdb_statement *statement);

/* statement.c */
/** The statement's transaction: the block's, or its own. */
MUST_CHECK enum status statement__enter(struct qtdb_statement *statement);
/** Ends its own with what `status` says; inside a block a failure aborts the block. */
MUST_CHECK enum status statement__leave(struct qtdb_statement *statement, enum status status);

/* statement_run.c */
/** The nodes at their beginning. */
MUST_CHECK enum status statement__open_rows(struct qtdb_statement *statement);
/** INSERT, UPDATE or DELETE; sets the row count. */
MUST_CHECK enum status statement__run_rows_changed(struct qtdb_statement *statement);
/** Closes the context, and with `status` OK keeps for the next run what can be kept. */
void statement__end_run(struct qtdb_statement *statement, enum status status);
/** Nothing is kept: before the plan goes. */
void statement__drop_run(struct qtdb_statement *statement);

/* statement_value.c */
void statement__free_parameters(struct qtdb_statement *statement);
/** A parameter of any type; bytes are copied. */
MUST_CHECK enum qtdb_code statement__bind_value(struct qtdb_statement *statement, uint32_t index,
                                                const struct value *value);

/* statement_prepared.c */
/** PREPARE and DEALLOCATE; set the tag. */
MUST_CHECK enum status statement__prepare(struct qtdb_statement *statement);
MUST_CHECK enum status statement__deallocate(struct qtdb_statement *statement);
void session_forget_prepared(struct qtdb_session *session);
/** A step of EXECUTE. */
MUST_CHECK enum qtdb_code statement__step_execute(struct qtdb_statement *statement);
/** The tag is a word and a count. */
void statement__set_tag(struct qtdb_statement *statement, const char *words, uint64_t count);
/** The statement itself, or what EXECUTE runs, begun if it was not; NULL: that failed and is reported. */
struct qtdb_statement *statement__target(struct qtdb_statement *statement);
/** Reports the failure; the statement is done. */
enum qtdb_code statement__fail(struct qtdb_statement *statement, enum status status);

/* statement_cursor.c */
/** DECLARE and CLOSE; set the tag. */
MUST_CHECK enum status statement__declare(struct qtdb_statement *statement);
MUST_CHECK enum status statement__close_cursor(struct qtdb_statement *statement);
/** FETCH: the cursor's columns become the statement's. */
MUST_CHECK enum status statement__find_cursor(struct qtdb_statement *statement);
/** A step of FETCH or MOVE. */
MUST_CHECK enum qtdb_code statement__step_fetch(struct qtdb_statement *statement);

/* statement_copy.c */
/** COPY, in its transaction; sets the tag. */
MUST_CHECK enum status statement__copy(struct qtdb_statement *statement);

/** Makes another statement of the text the one to run. */
void statement__select(struct qtdb_statement *statement, uint32_t index);
/** Plans what gives rows, so that its columns are known. False: it failed, and is reported. */
bool statement__prepare_rows(struct qtdb_statement *statement);
const struct rel_column *statement__columns(const struct qtdb_statement *statement);

#endif
