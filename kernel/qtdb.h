/*
 * qtdb: a storage-engine-first database kernel. The public interface of libqtdb.
 *
 * Conventions
 *  - Functions return enum qtdb_code; QTDB_OK is 0. Details of the calling thread's last failure:
 *    qtdb_error_last. Out parameters come last and are set only on QTDB_OK.
 *  - Handles are opaque. qtdb may be used from any thread. A transaction, a cursor, a session and a
 *    statement belong to one thread at a time. X_close(NULL) is fine.
 *  - Options structs begin with their size (set it to sizeof of the struct), so that they can grow.
 *    Zero means the default everywhere.
 *  - Keys are byte strings of 1 to QTDB_KEY_SIZE_MAX bytes ordered by memcmp; trees with
 *    QTDB_KEY_INT take 8-byte keys made by qtdb_key_u64 or qtdb_key_i64, which keep the order of
 *    the numbers.
 *  - Nothing returned points into a page: values are copied out.
 */
#ifndef KERNEL_QTDB_H
#define KERNEL_QTDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QTDB_VERSION_STRING "0.1.0"

#define QTDB_API __attribute__((visibility("default")))
#define QTDB_MUST_CHECK __attribute__((warn_unused_result))

enum { QTDB_KEY_SIZE_MAX = 1024, QTDB_NAME_SIZE_MAX = 255, QTDB_VALUE_SIZE_MAX = 1 << 30 };

enum qtdb_code {
    QTDB_OK = 0,
    QTDB_NOT_FOUND = 1,
    QTDB_EXISTS = 2,
    QTDB_FULL = 3, /* Disk or configured limit; nothing changed. */
    QTDB_BUSY = 4, /* Held by another process (the message names its pid), or a row is locked. */
    QTDB_CONFLICT = 5, /* Serialisation failure or deadlock; run the transaction again. */
    QTDB_NO_MEMORY = 6,
    QTDB_IO = 7,
    QTDB_CORRUPT = 8,
    QTDB_VERSION = 9,
    QTDB_INVALID = 10, /* An argument is out of range, or SQL that does not parse or bind. */
    QTDB_FAILED = 11,  /* The handle failed earlier; close it. */
    QTDB_READONLY = 13,
    QTDB_STOPPED = 14, /* Interrupted. */
    QTDB_ROW = 100,    /* qtdb_step: a row is ready. */
    QTDB_DONE = 101,   /* qtdb_step: no more rows. */
};

struct qtdb;
struct qtdb_txn;
struct qtdb_tree;
struct qtdb_cursor;
struct qtdb_value_reader;
struct qtdb_value_writer;
struct qtdb_session;
struct qtdb_statement;

/* Errors. */
struct qtdb_error {
    enum qtdb_code code;
    char sqlstate[6]; /* "" outside SQL. */
    char message[512];
    uint32_t position; /* 1-based character in the SQL text; 0: none. */
    bool retryable;    /* Running the transaction again may succeed. */
};
/** The calling thread's last failure; valid until its next call. */
QTDB_API const struct qtdb_error *qtdb_error_last(void);
QTDB_API const char *qtdb_code_name(enum qtdb_code code);
QTDB_API const char *qtdb_version(void);

/* Database. */
enum qtdb_policy { QTDB_POLICY_IMAGE = 1, QTDB_POLICY_RANGE = 2 };

struct qtdb_options {
    size_t size;
    bool create; /* Create the file when absent. */
    bool read_only;
    bool rescue;     /* Open in spite of a missing or rotten log. */
    bool no_threads; /* No background thread; work is done by committing threads. */
    enum qtdb_policy policy;
    /* Bytes; default 64 MiB. Beside it 8 bytes a page of the file are kept, at most 8 MiB and four pools. */
    uint64_t pool_size;
    uint64_t log_limit;    /* Bytes; default 256 MiB. */
    uint64_t segment_size; /* Bytes; default 4 MiB, with a log_limit past 256 MiB up to 16. */
    /* Bytes of memory that a transaction's writes may take before they are spilled to the file, and
     * as many for its row locks, past which it locks whole trees; default 64 MiB. */
    uint64_t write_set_limit;
    uint32_t recovery_threads; /* Default 2. */
    /* Bytes of earlier states of rows kept for running transactions; default 64 MiB. Past it the
     * oldest snapshots end: their next read of a changed row gives QTDB_CONFLICT. */
    uint64_t version_limit;
    uint64_t pool_size_max; /* Bytes that qtdb_set_pool_size may ask for; default pool_size. */
};

QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_open(const char *path,
                                                  const struct qtdb_options *options,
                                                  struct qtdb **out);
/** Ends with the file clean: one file at rest. Open transactions and sessions must be gone. */
QTDB_API enum qtdb_code qtdb_close(struct qtdb *db);
/** Everything committed so far is in the file when it returns. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_checkpoint(struct qtdb *db);
/** Everything committed so far, asynchronous commits too, is durable when it returns. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_sync(struct qtdb *db);

/* Backup, compaction, shrinking: while transactions go on, from any thread. */

struct qtdb_backup_progress {
    size_t size;
    uint32_t pass;       /* The first copies the file, further ones what changed meanwhile. */
    uint64_t page_count; /* So far known to be copied, all passes; it may grow. */
    uint64_t page_done;
};
struct qtdb_backup_options {
    size_t size;
    bool compress; /* A row of zstd frames; `zstd -d` makes the database file of it. */
    /* Called often, in the caller's thread; may use the database. False: QTDB_STOPPED. */
    bool (*progress)(void *context, const struct qtdb_backup_progress *progress);
    void *context;
};
/**
 * Copies the database as it is at one moment between call and return to a new file, which is complete and
 * durable when it appears and opens like any other. Commits wait for a moment at the end. Every page is
 * verified: QTDB_CORRUPT names one that is damaged. QTDB_EXISTS: there is a file of that name.
 * QTDB_BUSY: a backup of this handle is under way. `options` may be NULL.
 */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_backup(struct qtdb *db, const char *path,
                                                    const struct qtdb_backup_options *options);

struct qtdb_compact_options {
    size_t size;
    uint64_t pool_size; /* Of the new file while it is written; bytes; default 64 MiB. */
    bool (*progress)(void *context, uint64_t row_count); /* False: QTDB_STOPPED. */
    void *context;
};
/**
 * Writes all rows, as one snapshot has them, to a new database file without gaps, complete and durable
 * when it appears. Needs memory for a transaction and the largest value. QTDB_EXISTS, as qtdb_backup;
 * QTDB_CONFLICT when the snapshot ended (version_limit). `options` may be NULL.
 */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_compact(struct qtdb *db, const char *path,
                                                     const struct qtdb_compact_options *options);
/** Frees what was dropped, cuts free pages off the file's end and makes the file shorter before it
 * returns, with three checkpoints. Pages in use are not moved: qtdb_compact does that. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_shrink(struct qtdb *db);

/*
 * Sequences: named counters beside all transactions. A number is handed out once and never taken back,
 * whatever becomes of the transaction that asked for it; numbers are logged ahead in batches, so a
 * crash leaves a gap. No number is in two durable commits; one that was in none may come again after
 * a power cut. A sequence comes into being when it is first named and begins at 1.
 */

/** Takes `count` consecutive numbers, at least 1. QTDB_FULL: the sequence is used up. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_sequence_next(struct qtdb *db, const char *name,
                                                           uint64_t count, uint64_t *first_out);
/** The next number will be `next`, at least 1; a lower one than now gives numbers a second time. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_sequence_set(struct qtdb *db, const char *name,
                                                          uint64_t next);
/** The number that qtdb_sequence_next would give, which stays where it is; 1 when there is no such sequence.
 * A read-only database may be asked too. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_sequence_get(struct qtdb *db, const char *name,
                                                          uint64_t *next_out);
/** Forgets the sequence. QTDB_NOT_FOUND. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_sequence_drop(struct qtdb *db, const char *name);

struct qtdb_statistics {
    size_t size;
    uint64_t commit_count;
    uint64_t log_size;        /* Bytes written to the log, padding included. */
    uint64_t page_write_size; /* Bytes of pages written, map pages included. */
    uint64_t meta_write_size;
    uint64_t user_size; /* Bytes passed to put, by transactions ended since open. */
    uint64_t page_read_count;
    uint64_t pin_count; /* The first that takes a look at each page of the pool. */
    uint64_t page_count;
    uint64_t free_page_count;
    uint64_t checkpoint_count;
    uint64_t repair_count;
    uint64_t conflict_count; /* Transactions told to run again, deadlocks included. */
    uint64_t lock_wait_count;
    uint64_t deadlock_count;
    uint64_t version_size;     /* Bytes of earlier states of rows kept now. */
    uint64_t pool_size;        /* Bytes, now. */
    uint64_t map_read_count;   /* Of page_read_count: pages of the page map, */
    uint64_t inner_read_count; /* and inner pages of trees. */
};
/**
 * Changes the size of the pool, while everything goes on: from 256 KiB (64 pages) to pool_size_max. What
 * is given up goes back to the system. One transaction's pages are bounded by a quarter of the pool, and
 * by a quarter of what it was when the database was opened. QTDB_INVALID; QTDB_BUSY and QTDB_FULL: too many
 * pages are in use; then nothing changed.
 */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_set_pool_size(struct qtdb *db, uint64_t size);
/** Counters since the database was opened, as far as `out->size` goes: with a size that ends before pin_count it
 * is cheap enough to be asked around each statement. Any thread. */
QTDB_API void qtdb_get_statistics(struct qtdb *db, struct qtdb_statistics *out);

/* Transactions. */
enum qtdb_isolation {
    QTDB_SERIALIZABLE = 0,
    QTDB_REPEATABLE_READ = 1,
    QTDB_READ_COMMITTED = 2,
};
enum qtdb_durability { QTDB_SYNC = 0, QTDB_ASYNC = 1 };

/* A lock timeout that does not wait at all. */
#define QTDB_NO_WAIT UINT32_MAX

/*
 * SERIALIZABLE     as if transactions ran one after the other, in the order of their commits
 * REPEATABLE READ  one snapshot for the whole transaction; a row changed since by another cannot be
 *                  changed or locked (QTDB_CONFLICT); write skew is possible
 * READ COMMITTED   a snapshot for each statement, see qtdb_refresh
 *
 * Reads never wait and are always answered as of the snapshot. What writes a row locks it first, and
 * waits for who has it locked; the locks are held until the transaction has ended, for QTDB_SYNC until
 * it is durable. QTDB_CONFLICT has SQLSTATE 40001, or 40P01 when waiting would never have ended
 * (deadlock); in both cases roll back and run the transaction again. QTDB_BUSY with SQLSTATE 55P03: the
 * lock was not to be had in time; the transaction goes on. Read-only transactions see what is
 * durable, and asynchronous commits at once; they take no locks, never wait and never conflict.
 */
struct qtdb_txn_options {
    size_t size;
    bool read_only;
    enum qtdb_isolation isolation;
    enum qtdb_durability durability;
    uint32_t lock_timeout_ms; /* Longest wait for one row lock; 0: without end. QTDB_NO_WAIT. */
    struct qtdb_txn_statistics *statistics; /* Filled when the transaction ends; NULL: not asked. */
};

struct qtdb_txn_statistics {
    size_t size;
    uint64_t log_size;              /* Bytes of log records; 0 unless it has committed changes. */
    uint64_t page_change_count;     /* Pages changed, made and freed, map pages included. */
    uint64_t page_read_count;       /* Read from disk by this thread since the transaction began. */
    uint64_t write_size;            /* Bytes of memory that its writes took. */
    uint64_t routed_count;          /* Look-ups of keys that a router answered. */
    uint64_t router_hop_count;      /* Links between leaves followed for them. */
    uint64_t router_fallback_count; /* Look-ups that the tree answered after a router could not. */
};

QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_begin(struct qtdb *db,
                                                   const struct qtdb_txn_options *options,
                                                   struct qtdb_txn **out);
/** Ends the transaction whatever the code. On QTDB_IO and QTDB_FAILED after the log write began the
 * outcome is unknown and the message says so; on every other failure nothing changed. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_commit(struct qtdb_txn *txn);
/** NULL is fine. */
QTDB_API void qtdb_rollback(struct qtdb_txn *txn);
/** Of a transaction under way, by the thread that began it. `out->size` is set. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_txn_get_statistics(struct qtdb_txn *txn,
                                                                struct qtdb_txn_statistics *out);
/**
 * Begins a statement: under READ COMMITTED the transaction sees from here on what is committed now;
 * under the other levels nothing happens. Open cursors stay where they are and go on in the new
 * snapshot. When a put, delete or qtdb_lock under READ COMMITTED gives QTDB_CONFLICT with SQLSTATE
 * 40001, the row was changed after the statement began: roll back to a savepoint taken at its
 * start, call this, and run the statement again; the row's lock is kept, so it cannot happen again.
 */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_refresh(struct qtdb_txn *txn);
/** A mark to roll back to. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_savepoint(struct qtdb_txn *txn, uint64_t *mark_out);
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_rollback_to(struct qtdb_txn *txn, uint64_t mark);

/* Trees. */
enum qtdb_key_kind { QTDB_KEY_BYTES = 0, QTDB_KEY_INT = 1 };

/*
 * How the leaf of a key is found: down the tree's inner pages, or by a router in memory that predicts
 * it from a directory of all leaves. Answers are the same. A router is made in the background for
 * trees of 10,000 rows and more, follows the tree, is saved at close, and for text works on the first
 * eight bytes. AUTO takes what is measured to be fastest, the tree included; the others are taken
 * whatever they cost.
 */
enum qtdb_router {
    QTDB_ROUTER_AUTO = 0,
    QTDB_ROUTER_TREE = 1,
    QTDB_ROUTER_RMI = 2,       /* A recursive model index. */
    QTDB_ROUTER_PLA = 3,       /* Linear pieces of bounded error. */
    QTDB_ROUTER_DIRECTORY = 4, /* Binary search of the directory. */
    QTDB_ROUTER_STORED = 5,    /* For a tree that exists: what is stored with it. */
};

struct qtdb_tree_options {
    size_t size;
    bool create;    /* Create when absent, in this transaction. */
    bool exclusive; /* With create: QTDB_EXISTS when present. */
    enum qtdb_key_kind key_kind;
    /* Stored with a tree that is created. For one that exists all but AUTO take the place of what is
     * stored for as long as the database is open, from this call on. */
    enum qtdb_router router;
    bool no_compression; /* Of values of several pages, with zstd where that saves a page. */
};

/** The handle lives as long as the database handle and is the same for every transaction that opens
 * the name. A tree created by a transaction that rolls back is gone with it. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_tree_open(struct qtdb_txn *txn, const char *name,
                                                       const struct qtdb_tree_options *options,
                                                       struct qtdb_tree **out);
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_tree_drop(struct qtdb_txn *txn, const char *name);
/** Calls `each` with every tree's name, in order. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_tree_list(
    struct qtdb_txn *txn, void (*each)(void *context, const char *name), void *context);

static inline void
qtdb_key_u64(uint64_t value, uint8_t out[8])
{
    uint64_t swapped = __builtin_bswap64(value);
    __builtin_memcpy(out, &swapped, 8);
}

static inline void
qtdb_key_i64(int64_t value, uint8_t out[8])
{
    qtdb_key_u64((uint64_t)value ^ (UINT64_C(1) << 63), out);
}

/**
 * Copies the value out: `*size_io` is the room at `value` going in and the value's size coming out.
 * QTDB_NOT_FOUND; QTDB_FULL when the room is too small (the size is set, nothing is copied).
 */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_get(struct qtdb_txn *txn, struct qtdb_tree *tree,
                                                 const void *key, size_t key_size, void *value,
                                                 size_t *size_io);

/* One look-up of a batch; all but `code` is set by the caller. */
struct qtdb_lookup {
    const void *key;
    size_t key_size;
    void *value;
    size_t value_size;   /* The room at `value` going in; the value's size coming out. */
    enum qtdb_code code; /* Out: QTDB_OK, QTDB_NOT_FOUND or QTDB_FULL, as qtdb_get has them. */
};
/**
 * `count` look-ups at once, each as qtdb_get in this transaction, with their waiting for memory and disk
 * overlapped: best with 16 and more. In any order; a key may come twice; the rooms do not overlap.
 * QTDB_OK when each has its code. QTDB_INVALID: a key has an impossible size; nothing was looked up.
 * After any other code the look-ups' codes, sizes and values are undefined.
 */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_get_batch(struct qtdb_txn *txn, struct qtdb_tree *tree,
                                                       struct qtdb_lookup *lookups, size_t count);

enum qtdb_put_mode { QTDB_PUT_ANY = 0, QTDB_PUT_INSERT = 1, QTDB_PUT_REPLACE = 2 };
/** QTDB_EXISTS under INSERT, QTDB_NOT_FOUND under REPLACE. Bytes are copied. A value of more than
 * QTDB_VALUE_SIZE_MAX bytes is QTDB_INVALID with SQLSTATE 54000. Values over about 128 KB go to the file
 * at once, so they take no room in the transaction's memory. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_put(struct qtdb_txn *txn, struct qtdb_tree *tree,
                                                 const void *key, size_t key_size,
                                                 const void *value, size_t value_size,
                                                 enum qtdb_put_mode mode);
/** QTDB_NOT_FOUND when the key is absent. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_delete(struct qtdb_txn *txn, struct qtdb_tree *tree,
                                                    const void *key, size_t key_size);

/*
 * Values as streams, of any size up to QTDB_VALUE_SIZE_MAX, in bounded memory. Readers and writers belong
 * to their transaction and end with it; close or discard them all the same.
 */

/** The row's value as the transaction sees it now. QTDB_NOT_FOUND. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_value_open(struct qtdb_txn *txn,
                                                        struct qtdb_tree *tree, const void *key,
                                                        size_t key_size,
                                                        struct qtdb_value_reader **out);
/** Bytes of the whole value. */
QTDB_API uint64_t qtdb_value_size(const struct qtdb_value_reader *reader);
/** Copies up to `size` bytes from `offset` on; fewer only at the value's end, none behind it. Each piece
 * is verified. QTDB_INVALID after the transaction's end and after qtdb_refresh took a new snapshot. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_value_read(struct qtdb_value_reader *reader,
                                                        uint64_t offset, void *buffer, size_t size,
                                                        size_t *size_out);
QTDB_API void qtdb_value_close(struct qtdb_value_reader *reader);

/** Begins to write a value. Locks the row; answers as qtdb_put does. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_value_create(struct qtdb_txn *txn,
                                                          struct qtdb_tree *tree, const void *key,
                                                          size_t key_size, enum qtdb_put_mode mode,
                                                          struct qtdb_value_writer **out);
/** Appends. After a failure the value cannot be finished; the transaction goes on without it. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_value_write(struct qtdb_value_writer *writer,
                                                         const void *bytes, size_t size);
/** What was written becomes the row's value, like a put at this moment. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_value_finish(struct qtdb_value_writer *writer);
/** Frees the handle; what was not finished is gone. */
QTDB_API void qtdb_value_discard(struct qtdb_value_writer *writer);

enum qtdb_lock_mode { QTDB_LOCK_SHARED = 1, QTDB_LOCK_EXCLUSIVE = 2 };
/**
 * Locks a row, which need not exist, until the transaction has ended: SHARED keeps others from writing
 * it, EXCLUSIVE also from locking it. `wait` false: QTDB_BUSY instead of waiting. QTDB_CONFLICT when
 * the row was changed since the snapshot, and on a deadlock. QTDB_READONLY in a read-only transaction.
 */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_lock(struct qtdb_txn *txn, struct qtdb_tree *tree,
                                                  const void *key, size_t key_size,
                                                  enum qtdb_lock_mode mode, bool wait);

/* How a tree's leaves are found; counts since the database was opened. */
struct qtdb_tree_statistics {
    size_t size;
    enum qtdb_router router; /* What was asked for. */
    const char
        *router_kind; /* What there is now: "tree", "rmi", "pla", "directory"; static text. */
    const char *router_reason; /* Why; static text. */
    uint64_t routed_count;     /* Look-ups of keys that a router answered, */
    uint64_t tree_count;       /* and that the tree did, fallbacks included. */
    uint64_t hop_count;        /* Links between leaves followed by routed ones. */
    uint64_t fallback_count;   /* Look-ups that the tree answered after a router could not. */
    uint64_t leaf_count;       /* In the directory. */
    uint64_t row_count;        /* Estimated when the router was made. */
    uint64_t router_size;      /* Bytes of memory, directory included. */
    uint64_t build_count;      /* Routers made in this handle. */
    uint64_t build_ns;         /* The last one, measuring not included. */
    uint64_t refused_count;    /* Saved routers that were damaged or did not fit. */
    uint64_t tree_ns;          /* A look-up down the tree, */
    uint64_t routed_ns;        /* and through the router, when AUTO measured them; 0: it did not. */
    uint32_t model_count;
    uint32_t error_p50; /* Distance in leaves of the predicted from the right one. */
    uint32_t error_p99;
    uint32_t error_max;
    uint32_t depth; /* Pages from the root to a leaf, both counted; 0: not known just now. */
};
/** `out->size` is set. Any thread. */
QTDB_API void qtdb_tree_get_statistics(struct qtdb_tree *tree, struct qtdb_tree_statistics *out);

/* Cursors see the transaction's snapshot and its own writes, and survive changes to both. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_cursor_open(struct qtdb_txn *txn,
                                                         struct qtdb_tree *tree,
                                                         struct qtdb_cursor **out);
/** To the first key not below `key` (size 0: the first key). QTDB_NOT_FOUND at the end. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_cursor_seek(struct qtdb_cursor *cursor,
                                                         const void *key, size_t key_size);
/** To the last key not above `key` (size 0: the last key). */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_cursor_seek_last(struct qtdb_cursor *cursor,
                                                              const void *key, size_t key_size);
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_cursor_next(struct qtdb_cursor *cursor);
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_cursor_previous(struct qtdb_cursor *cursor);
/** The present row, valid until the cursor moves or closes. */
QTDB_API void qtdb_cursor_row(struct qtdb_cursor *cursor, const void **key_out,
                              size_t *key_size_out, const void **value_out, size_t *value_size_out);
/* Owned by the cursor, as what qtdb_cursor_row gives. */
struct qtdb_row {
    const void *key;
    size_t key_size; /* 1 to QTDB_KEY_SIZE_MAX bytes. */
    const void *value;
    size_t value_size;
};
/**
 * The present row and rows behind it, seen in the direction of the cursor's last move: `max` at most, and as
 * many as there are at hand, which is the rest of a leaf where the transaction has not written and nobody has
 * since its snapshot. Returns how many; 0 only when there is no present row or `max` is 0. The cursor is at the
 * last of them, and they are valid until it moves or closes or the transaction writes. A scan:
 *
 *     for (code = qtdb_cursor_seek(cursor, key, size); code == QTDB_OK; code = qtdb_cursor_next(cursor))
 *         for (count = qtdb_cursor_rows(cursor, rows, 64), i = 0; i < count; i++)
 *             use(&rows[i]);
 *
 * Never fails: where memory lacks there is one row. Belongs to the transaction's thread.
 */
QTDB_API size_t qtdb_cursor_rows(struct qtdb_cursor *cursor, struct qtdb_row *rows, size_t max);
QTDB_API void qtdb_cursor_close(struct qtdb_cursor *cursor);

/** Walks every page and every tree; `finding` gets one line a fault. QTDB_CORRUPT if there are any. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_check(struct qtdb *db,
                                                   void (*finding)(void *context, const char *line),
                                                   void *context);

/* SQL (implemented by the executor). */
enum qtdb_type {
    QTDB_TYPE_NULL = 0,
    QTDB_TYPE_BOOL = 1,
    QTDB_TYPE_INT2 = 2,
    QTDB_TYPE_INT4 = 3,
    QTDB_TYPE_INT8 = 4,
    QTDB_TYPE_FLOAT4 = 5,
    QTDB_TYPE_FLOAT8 = 6,
    QTDB_TYPE_NUMERIC = 7,
    QTDB_TYPE_TEXT = 8,
    QTDB_TYPE_VARCHAR = 9,
    QTDB_TYPE_CHAR = 10,
    QTDB_TYPE_BYTEA = 11,
    QTDB_TYPE_DATE = 12,
    QTDB_TYPE_TIMESTAMP = 13,
    QTDB_TYPE_TIMESTAMPTZ = 14,
    QTDB_TYPE_UUID = 15,
    QTDB_TYPE_JSON = 16,
    QTDB_TYPE_JSONB = 17,
    QTDB_TYPE_TIME = 18,
    QTDB_TYPE_INTERVAL = 19,
    QTDB_TYPE_ENUM = 20,
    QTDB_TYPE_ARRAY = 21,
};

QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_session_open(struct qtdb *db,
                                                          struct qtdb_session **out);
/** Rolls back what is open. */
QTDB_API void qtdb_session_close(struct qtdb_session *session);

/** Prepares the first statement of `sql`; `*rest_out` (may be NULL) is where the next begins. An empty
 * text gives a NULL statement. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_prepare(struct qtdb_session *session, const char *sql,
                                                     struct qtdb_statement **out,
                                                     const char **rest_out);
QTDB_API void qtdb_finalize(struct qtdb_statement *statement);
/** Parameters $1, $2 ... count from 1. Texts are in the type's input syntax; bytes are copied. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_bind_null(struct qtdb_statement *statement,
                                                       uint32_t index);
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_bind_i64(struct qtdb_statement *statement,
                                                      uint32_t index, int64_t value);
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_bind_f64(struct qtdb_statement *statement,
                                                      uint32_t index, double value);
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_bind_text(struct qtdb_statement *statement,
                                                       uint32_t index, const char *text,
                                                       size_t size);
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_bind_bytes(struct qtdb_statement *statement,
                                                        uint32_t index, const void *bytes,
                                                        size_t size);
/** QTDB_ROW, QTDB_DONE, or an error (then the statement is reset). */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_step(struct qtdb_statement *statement);
QTDB_API void qtdb_reset(struct qtdb_statement *statement);
QTDB_API uint32_t qtdb_column_count(struct qtdb_statement *statement);
QTDB_API const char *qtdb_column_name(struct qtdb_statement *statement, uint32_t column);
QTDB_API enum qtdb_type qtdb_column_type(struct qtdb_statement *statement, uint32_t column);
/** The row's values, valid until the next step or reset; columns count from 0. */
QTDB_API bool qtdb_column_is_null(struct qtdb_statement *statement, uint32_t column);
QTDB_API int64_t qtdb_column_i64(struct qtdb_statement *statement, uint32_t column);
QTDB_API double qtdb_column_f64(struct qtdb_statement *statement, uint32_t column);
/** Any type in PostgreSQL's output syntax, NUL-terminated; NULL for null. */
QTDB_API const char *qtdb_column_text(struct qtdb_statement *statement, uint32_t column,
                                      size_t *size_out);
/** The bytes of a bytea as they are, those of any other type's text; NULL for null. */
QTDB_API const void *qtdb_column_bytes(struct qtdb_statement *statement, uint32_t column,
                                       size_t *size_out);
/** Rows changed by the last INSERT, UPDATE or DELETE; rows given by a SELECT. */
QTDB_API uint64_t qtdb_row_count(struct qtdb_statement *statement);
/** PostgreSQL's command tag, such as "INSERT 0 3". */
QTDB_API const char *qtdb_command_tag(struct qtdb_statement *statement);

/** Runs every statement of the text; `row` (may be NULL) gets texts of each row, NULL for null, and
 * stops the run by returning false. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_exec(struct qtdb_session *session, const char *sql,
                                                  bool (*row)(void *context, uint32_t column_count,
                                                              const char *const *values,
                                                              const char *const *names),
                                                  void *context);
/* Where the bytes of COPY FROM STDIN come from, and those of COPY TO STDOUT go. Either function may be
 * NULL: then the statement that needs it fails (SQLSTATE 55000). Returning false ends the statement with
 * QTDB_STOPPED. They are called by the thread that runs the statement and may not use the session. */
struct qtdb_copy {
    size_t size; /* sizeof(struct qtdb_copy) */
    /** Up to `size` bytes; `*read_out` 0 at their end. Nothing is asked for after a line \. of its own. */
    bool (*read)(void *context, void *bytes, size_t size, size_t *read_out);
    bool (*write)(void *context, const void *bytes, size_t size);
    void *context;
};
/** Of the statements that follow; the struct is copied. NULL: none, as at the beginning. */
QTDB_API void qtdb_session_set_copy(struct qtdb_session *session, const struct qtdb_copy *copy);

/** Of the statements that follow: `call` is told from time to time (hundreds of times a second while rows are
 * read) how many rows and index entries the running statement has read, by the thread that runs it, and ends
 * it with QTDB_STOPPED by returning false. It may not use the session. NULL: nobody, as at the beginning. */
QTDB_API void qtdb_session_set_progress(struct qtdb_session *session,
                                        bool (*call)(void *context, uint64_t row_count),
                                        void *context);

/*
 * A load: many rows into a table without SQL, as one statement that does what an INSERT of them all would:
 * conversions, defaults, generated columns, checks, keys, foreign keys at its end. Outside a block it is a
 * transaction of its own, which qtdb_load_end commits; inside one it is part of that. Until it ends the
 * session takes no other statement (SQLSTATE 55006). One thread at a time.
 */
struct qtdb_load;
struct qtdb_value {
    /* QTDB_TYPE_NULL: null; INT8, FLOAT8 and BYTEA, assigned to the column's type; TEXT: in the input syntax
     * of the column's type. */
    enum qtdb_type type;
    size_t size; /* Of `bytes`. */
    union {
        int64_t integer;   /* INT8 */
        double real;       /* FLOAT8 */
        const void *bytes; /* TEXT (UTF-8), BYTEA; the caller's. */
    };
};
/** `schema` NULL: found by the search path. `columns` are the names that rows have values for, in their
 * order; `column_count` 0: all that are not generated. The names may go when this returns. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_load_begin(struct qtdb_session *session,
                                                        const char *schema, const char *table,
                                                        const char *const *columns,
                                                        uint32_t column_count,
                                                        struct qtdb_load **out);
/** Values a row has. */
QTDB_API uint32_t qtdb_load_column_count(const struct qtdb_load *load);
/** `row_count` rows, their values one after the other, copied. `taken_out` (may be NULL) gets how many rows went
 * in before this returned. After a failure the load takes nothing more and is to be discarded. QTDB_STOPPED after
 * qtdb_interrupt. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_load_rows(struct qtdb_load *load,
                                                       const struct qtdb_value *values,
                                                       size_t row_count, size_t *taken_out);
/** Looks at foreign keys, commits if the transaction is its own, and frees the load, whatever it returns. */
QTDB_API QTDB_MUST_CHECK enum qtdb_code qtdb_load_end(struct qtdb_load *load);
/** None of its rows stay; inside a block that is aborted, as by a statement that fails. NULL is fine. Before
 * the session is closed. */
QTDB_API void qtdb_load_discard(struct qtdb_load *load);

/* What a session has done since it was opened. */
struct qtdb_session_statistics {
    size_t size;
    uint64_t cache_hit_count;      /* Texts whose parse and plan the statement cache had; */
    uint64_t cache_miss_count;     /* and those that it had not. */
    uint64_t cache_eviction_count; /* Statements that left it because it was full. */
    uint64_t cached_count;         /* In it now. */
    uint64_t prepared_count;       /* Plans made, again after changes too; */
    uint64_t preparation_ns;       /* the time that parsing, binding and planning took. */
    /* Scans begun, by how they find their rows: */
    uint64_t scan_all_count;        /* every row; */
    uint64_t scan_key_count;        /* by whole primary keys; */
    uint64_t scan_key_range_count;  /* by a range of them; */
    uint64_t scan_index_count;      /* by an index, then its rows; */
    uint64_t scan_index_only_count; /* by an index alone. */
    /* Of them, without going from row to row: */
    uint64_t scan_span_row_count;     /* rows taken together with others of their leaf; */
    uint64_t scan_counted_leaf_count; /* leaves whose rows were counted without looking at them. */
};
/** `out->size` is set. By the thread that uses the session. */
QTDB_API void qtdb_session_get_statistics(const struct qtdb_session *session,
                                          struct qtdb_session_statistics *out);

/** From any thread: the session's running statement ends with QTDB_STOPPED soon. */
QTDB_API void qtdb_interrupt(struct qtdb_session *session);

#ifdef __cplusplus
}
#endif

#endif
