/*
 * What the benchmark asks of a database, and nothing else: rows of an 8-byte key and a value, in
 * transactions. Each engine is one file: engine_*.c for our own, peer_*.c for the others, which are
 * left out of the build when their header is not installed; bench_engines.c knows them by weak
 * symbols.
 *
 *  - Functions return enum status and raise a message (error.h) on everything but STATUS_NOT_FOUND
 *    and STATUS_CONFLICT. STATUS_CONFLICT (also from a read) asks to run the transaction again.
 *  - A database is opened once in a process of its own; each thread has its own session.
 *  - A value that a read hands out is the engine's memory, valid until the session's next call: an
 *    engine that can answer without copying is allowed to.
 *  - `settings` says how the engine is configured; it is printed with every result.
 */
#ifndef TOOLS_QTDB_BENCH_BENCH_ENGINE_H
#define TOOLS_QTDB_BENCH_BENCH_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/memory.h"
#include "kernel/base/status.h"

struct bench_db;
struct bench_session;

struct bench_config {
    struct memory *memory;
    const char *dir;    /* Exists; all files go below it. */
    uint64_t pool_size; /* Bytes of cache. */
    uint64_t rows;      /* That the database will hold at most. */
    uint32_t threads;   /* Sessions open at once. */
    bool sync;          /* A commit is on the disk when it is acknowledged. */
    bool high_keys;     /* Some key has its top bit set. */
    bool loading;       /* Not measured: the engine may load in its fastest way. */
};

enum bench_put { BENCH_PUT = 0, BENCH_PUT_APPEND = 1 /* The key is above all others. */ };

/* _ONE: of one read or write only, for engines that have a shorter way for it. */
enum bench_txn { BENCH_READ = 0, BENCH_READ_ONE = 1, BENCH_WRITE = 2, BENCH_WRITE_ONE = 3 };

enum bench_engine_flags {
    BENCH_UNORDERED = 1, /* Scans give rows in no order; there is no range. */
    BENCH_REWRITES = 2,  /* Writes all it holds again and again: small amounts only. */
    BENCH_VOLATILE = 4,  /* Keeps nothing after close. */
};

static inline bool
bench_txn_writes(enum bench_txn kind)
{
    return kind >= BENCH_WRITE;
}

/* Bytes since open by the engine's own count. */
struct bench_written {
    uint64_t log;
    uint64_t pages;
    uint64_t meta;
    uint64_t page_reads;  /* Pages read from the file, */
    uint64_t inner_reads; /* of these inner pages of trees, */
    uint64_t map_reads;   /* and pages that say which pages are in use. */
    uint64_t pins;        /* Pages asked for. */
};

/* How an engine finds the leaf of a key; by its own count. */
struct bench_routing {
    const char *kind;   /* "tree", "rmi", "pla", "directory". */
    const char *reason; /* Static text. */
    uint64_t routed;    /* Look-ups so far. */
    uint32_t depth;     /* Pages from the root to a leaf; 0: not known. */
    uint64_t hops;
    uint64_t fallbacks;
    uint64_t size; /* Bytes of memory. */
    uint64_t build_ns;
    uint64_t leaves;
    uint32_t error_p50;
    uint32_t error_p99;
    uint32_t error_max;
};

/** Returns false to end the scan. */
typedef bool (*bench_visit)(void *context, uint64_t key, const void *value, size_t size);

struct bench_engine {
    const char *name;
    const char *settings;
    uint32_t flags;
    const char *(*version)(void);
    enum status (*open)(const struct bench_config *config, struct bench_db **out);
    enum status (*close)(struct bench_db *db);
    enum status (*session_open)(struct bench_db *db, struct bench_session **out);
    void (*session_close)(struct bench_session *session);
    enum status (*begin)(struct bench_session *session, enum bench_txn kind);
    /** Ends the transaction whatever the status. */
    enum status (*commit)(struct bench_session *session);
    void (*rollback)(struct bench_session *session);
    enum status (*put)(struct bench_session *session, uint64_t key, const void *value, size_t size,
                       enum bench_put how);
    enum status (*get)(struct bench_session *session, uint64_t key, const void **value_out,
                       size_t *size_out);
    enum status (*remove)(struct bench_session *session, uint64_t key);
    /** From the first key not below `first`, at most `limit` rows. */
    enum status (*scan)(struct bench_session *session, uint64_t first, uint64_t limit,
                        bench_visit visit, void *context);
    /** Calls `visit` for each key found. NULL: there is no such call, gets are done in a loop. */
    enum status (*get_many)(struct bench_session *session, const uint64_t *keys, uint32_t count,
                            bench_visit visit, void *context);
    /** Runs a text of SQL; all cells of its answer, as whole numbers, in one sum. NULL: no SQL. */
    enum status (*query)(struct bench_session *session, const char *text, int64_t *sum_out);
    const struct bench_engine
        *sql; /* The same calls made through SQL; NULL: the engine has none. */
    /** All data is brought to where it stays (checkpoint, flush); what it writes counts. */
    enum status (*settle)(struct bench_db *db);
    /** Leaves are found by that kind of router from now on: "tree", "rmi", "pla", "directory", "auto";
     * returns once it is so. NULL: there is no choice. */
    enum status (*route)(struct bench_db *db, const char *router);
    void (*routing)(struct bench_db *db, struct bench_routing *out);
    /** NULL: the engine does not say. */
    void (*written)(struct bench_db *db, struct bench_written *out);
};

/** The engine of that name; NULL when there is none or it is not in this build. */
const struct bench_engine *bench_engine_find(const char *name);
/** Every name that may be asked for, built or not; NULL past the end. */
const char *bench_engine_name(size_t index);

static inline void
bench_key_encode(uint64_t key, uint8_t out[8])
{
    uint64_t swapped = __builtin_bswap64(key);

    __builtin_memcpy(out, &swapped, 8);
}

static inline uint64_t
bench_key_decode(const void *bytes)
{
    uint64_t swapped;

    __builtin_memcpy(&swapped, bytes, 8);
    return __builtin_bswap64(swapped);
}

#endif
