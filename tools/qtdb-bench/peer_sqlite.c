/*
 * SQLite as its manual recommends for durable commits with a write-ahead log: journal_mode=WAL,
 * synchronous=FULL, prepared statements kept for the session, 4,096-byte pages, a cache as large as
 * the pool, keys as INTEGER PRIMARY KEY (its fastest). One connection a session; writers start with
 * BEGIN IMMEDIATE and wait for each other. A cache is a connection's: with more sessions each has the
 * whole, in SQLite's favour.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_engine.h"

enum { BUSY_MS = 120 * 1000, CHECKPOINT_PAGES = 1000 };

enum statement { BEGIN_READ, BEGIN_WRITE, COMMIT, ROLLBACK, GET, PUT, REMOVE, SCAN, STATEMENTS };

static const char *const texts[STATEMENTS] = {
    [BEGIN_READ] = "BEGIN",
    [BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [GET] = "SELECT v FROM r WHERE k = ?1",
    [PUT] = "INSERT OR REPLACE INTO r (k, v) VALUES (?1, ?2)",
    [REMOVE] = "DELETE FROM r WHERE k = ?1",
    [SCAN] = "SELECT k, v FROM r WHERE k >= ?1 ORDER BY k LIMIT ?2",
};

struct bench_db {
    struct bench_config config;
    sqlite3 *first; /* Kept open, so that the log stays. */
    char path[4200];
};

struct bench_session {
    struct bench_db *db;
    sqlite3 *sqlite;
    sqlite3_stmt *statements[STATEMENTS];
    uint64_t flip; /* What turns a key into a row number of the same order. */
    bool alone;    /* Autocommit: neither BEGIN nor COMMIT. */
};

static int64_t
to_row(const struct bench_session *session, uint64_t key)
{
    return (int64_t)(key ^ session->flip);
}

static enum status
check(sqlite3 *sqlite, int code)
{
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
        return STATUS_OK;
    if (code == SQLITE_BUSY)
        return STATUS_CONFLICT;
    return error_raise(code == SQLITE_FULL ? STATUS_FULL : STATUS_IO, "sqlite: %s",
                       sqlite != NULL ? sqlite3_errmsg(sqlite) : sqlite3_errstr(code));
}

static enum status
configure(const struct bench_db *db, sqlite3 *sqlite)
{
    const struct bench_config *config = &db->config;
    const char *level = config->loading ? "OFF" : config->sync ? "FULL" : "NORMAL";
    char text[512];

    (void)sqlite3_busy_timeout(sqlite, BUSY_MS);
    (void)snprintf(text, sizeof(text),
                   "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=%s;"
                   "PRAGMA cache_size=-%llu; PRAGMA wal_autocheckpoint=%d;",
                   level, (unsigned long long)(config->pool_size >> 10), CHECKPOINT_PAGES);
    return check(sqlite, sqlite3_exec(sqlite, text, NULL, NULL, NULL));
}

static enum status
connect_to(const struct bench_db *db, sqlite3 **out)
{
    sqlite3 *sqlite = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    enum status status = check(sqlite, sqlite3_open_v2(db->path, &sqlite, flags, NULL));

    if (status == STATUS_OK)
        status = configure(db, sqlite);
    if (status != STATUS_OK) {
        (void)sqlite3_close(sqlite);
        return status;
    }
    *out = sqlite;
    return STATUS_OK;
}

static enum status
open_db(const struct bench_config *config, struct bench_db **out)
{
    struct bench_db *db = calloc(1, sizeof(*db));

    if (db == NULL)
        return error_raise(STATUS_NO_MEMORY, "sqlite: no memory");
    db->config = *config;
    (void)snprintf(db->path, sizeof(db->path), "%s/rows.sqlite", config->dir);
    enum status status = connect_to(db, &db->first);
    if (status == STATUS_OK)
        status = check(db->first,
                       sqlite3_exec(db->first,
                                    "CREATE TABLE IF NOT EXISTS r (k INTEGER PRIMARY KEY, v BLOB)",
                                    NULL, NULL, NULL));
    if (status != STATUS_OK) {
        (void)sqlite3_close(db->first);
        free(db);
        return status;
    }
    *out = db;
    return STATUS_OK;
}

static enum status
settle(struct bench_db *db)
{
    return check(db->first, sqlite3_wal_checkpoint_v2(db->first, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                                      NULL, NULL));
}

static enum status
close_db(struct bench_db *db)
{
    enum status status = check(NULL, sqlite3_close(db->first));

    free(db);
    return status;
}

static void
session_close(struct bench_session *session)
{
    for (int i = 0; i < STATEMENTS; i++)
        (void)sqlite3_finalize(session->statements[i]);
    (void)sqlite3_close(session->sqlite);
    free(session);
}

static enum status
session_open(struct bench_db *db, struct bench_session **out)
{
    struct bench_session *session = calloc(1, sizeof(*session));

    if (session == NULL)
        return error_raise(STATUS_NO_MEMORY, "sqlite: no memory");
    session->db = db;
    session->flip = db->config.high_keys ? UINT64_C(1) << 63 : 0;
    enum status status = connect_to(db, &session->sqlite);
    for (int i = 0; i < STATEMENTS && status == STATUS_OK; i++)
        status = check(session->sqlite,
                       sqlite3_prepare_v3(session->sqlite, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                          &session->statements[i], NULL));
    if (status != STATUS_OK) {
        session_close(session);
        return status;
    }
    *out = session;
    return STATUS_OK;
}

static enum status
run(struct bench_session *session, enum statement which)
{
    sqlite3_stmt *statement = session->statements[which];
    enum status status = check(session->sqlite, sqlite3_step(statement));

    (void)sqlite3_reset(statement);
    return status;
}

static enum status
begin(struct bench_session *session, enum bench_txn kind)
{
    session->alone = kind == BENCH_READ_ONE || kind == BENCH_WRITE_ONE;
    if (session->alone)
        return STATUS_OK;
    return run(session, kind == BENCH_WRITE ? BEGIN_WRITE : BEGIN_READ);
}

static void
rollback(struct bench_session *session)
{
    (void)sqlite3_reset(session->statements[GET]);
    if (!session->alone)
        (void)run(session, ROLLBACK);
}

static enum status
commit(struct bench_session *session)
{
    (void)sqlite3_reset(session->statements[GET]);
    if (session->alone)
        return STATUS_OK;
    enum status status = run(session, COMMIT);

    if (status != STATUS_OK)
        (void)run(session, ROLLBACK);
    return status;
}

static enum status
put(struct bench_session *session, uint64_t key, const void *value, size_t size, enum bench_put how)
{
    sqlite3_stmt *statement = session->statements[PUT];

    (void)how; /* SQLite finds appends to a rowid table itself. */
    TRY(check(session->sqlite, sqlite3_bind_int64(statement, 1, to_row(session, key))));
    TRY(check(session->sqlite, sqlite3_bind_blob(statement, 2, value, (int)size, SQLITE_STATIC)));
    return run(session, PUT);
}

static enum status
get(struct bench_session *session, uint64_t key, const void **value_out, size_t *size_out)
{
    sqlite3_stmt *statement = session->statements[GET];

    (void)sqlite3_reset(statement);
    (void)sqlite3_bind_int64(statement, 1, to_row(session, key));
    int code = sqlite3_step(statement);
    if (code == SQLITE_DONE)
        return STATUS_NOT_FOUND;
    TRY(check(session->sqlite, code));
    *value_out = sqlite3_column_blob(statement, 0);
    *size_out = (size_t)sqlite3_column_bytes(statement, 0);
    return STATUS_OK;
}

static enum status
delete_row(struct bench_session *session, uint64_t key)
{
    (void)sqlite3_bind_int64(session->statements[REMOVE], 1, to_row(session, key));
    TRY(run(session, REMOVE));
    return sqlite3_changes(session->sqlite) == 0 ? STATUS_NOT_FOUND : STATUS_OK;
}

static enum status
scan(struct bench_session *session, uint64_t first, uint64_t limit, bench_visit visit,
     void *context)
{
    sqlite3_stmt *statement = session->statements[SCAN];
    int code;

    (void)sqlite3_bind_int64(statement, 1, to_row(session, first));
    (void)sqlite3_bind_int64(statement, 2, limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (!visit(context, (uint64_t)sqlite3_column_int64(statement, 0) ^ session->flip,
                   sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1)))
            break;
    }
    enum status status = check(session->sqlite, code);
    (void)sqlite3_reset(statement);
    return status;
}

static enum status
query(struct bench_session *session, const char *text, int64_t *sum_out)
{
    sqlite3_stmt *statement;
    uint64_t sum = 0;
    int code;

    TRY(check(session->sqlite, sqlite3_prepare_v2(session->sqlite, text, -1, &statement, NULL)));
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++)
            sum += (uint64_t)sqlite3_column_int64(statement, i);
    }
    enum status status = check(session->sqlite, code);
    (void)sqlite3_finalize(statement);
    *sum_out = (int64_t)sum;
    return status;
}

extern const struct bench_engine bench_peer_sqlite;
const struct bench_engine bench_peer_sqlite = {
    .name = "sqlite",
    .settings = "journal_mode=WAL, sync: synchronous=FULL, async: synchronous=NORMAL; "
                "wal_autocheckpoint=1000 pages (its default), cache_size = --pool for each "
                "connection, page_size=4096, INTEGER PRIMARY KEY, prepared statements, BEGIN "
                "IMMEDIATE; a transaction of one statement is autocommit",
    .version = sqlite3_libversion,
    .open = open_db,
    .close = close_db,
    .session_open = session_open,
    .session_close = session_close,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .put = put,
    .get = get,
    .remove = delete_row,
    .scan = scan,
    .query = query,
    .sql = &bench_peer_sqlite,
    .settle = settle,
};
