/*
 * LMDB as its manual has it for durable commits: no MDB_NOSYNC, no MDB_NOMETASYNC, no MDB_WRITEMAP;
 * MDB_NORDAHEAD off, one read transaction renewed instead of made anew, MDB_APPEND where keys come in
 * order. It has no cache of its own: it maps the file, and the operating system's cache is its pool.
 */
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_engine.h"

struct bench_db {
    MDB_env *env;
    MDB_dbi dbi;
};

struct bench_session {
    struct bench_db *db;
    MDB_txn *reader; /* Reset between transactions. */
    MDB_txn *txn;
    MDB_cursor *cursor; /* Of the reader; renewed. */
};

static enum status
check(int code)
{
    if (code == 0)
        return STATUS_OK;
    if (code == MDB_NOTFOUND)
        return STATUS_NOT_FOUND;
    return error_raise(code == ENOSPC ? STATUS_FULL : STATUS_IO, "lmdb: %s", mdb_strerror(code));
}

static const char *
version(void)
{
    return mdb_version(NULL, NULL, NULL);
}

static enum status
open_env(struct bench_db *db, const struct bench_config *config)
{
    unsigned flags = MDB_NOTLS;
    MDB_txn *txn;

    if (config->loading || !config->sync)
        flags |= MDB_NOSYNC;
    TRY(check(mdb_env_set_mapsize(db->env, (size_t)64 << 30)));
    TRY(check(mdb_env_set_maxreaders(db->env, config->threads + 126)));
    TRY(check(mdb_env_open(db->env, config->dir, flags, 0644)));
    TRY(check(mdb_txn_begin(db->env, NULL, 0, &txn)));
    enum status status = check(mdb_dbi_open(txn, NULL, 0, &db->dbi));
    if (status != STATUS_OK) {
        mdb_txn_abort(txn);
        return status;
    }
    return check(mdb_txn_commit(txn));
}

static enum status
open_db(const struct bench_config *config, struct bench_db **out)
{
    struct bench_db *db = calloc(1, sizeof(*db));

    if (db == NULL)
        return error_raise(STATUS_NO_MEMORY, "lmdb: no memory");
    enum status status = check(mdb_env_create(&db->env));
    if (status == STATUS_OK)
        status = open_env(db, config);
    if (status != STATUS_OK) {
        if (db->env != NULL)
            mdb_env_close(db->env);
        free(db);
        return status;
    }
    *out = db;
    return STATUS_OK;
}

static enum status
settle(struct bench_db *db)
{
    return check(mdb_env_sync(db->env, 1));
}

static enum status
close_db(struct bench_db *db)
{
    enum status status = settle(db);

    mdb_env_close(db->env);
    free(db);
    return status;
}

static enum status
session_open(struct bench_db *db, struct bench_session **out)
{
    struct bench_session *session = calloc(1, sizeof(*session));

    if (session == NULL)
        return error_raise(STATUS_NO_MEMORY, "lmdb: no memory");
    session->db = db;
    enum status status = check(mdb_txn_begin(db->env, NULL, MDB_RDONLY, &session->reader));
    if (status == STATUS_OK)
        status = check(mdb_cursor_open(session->reader, db->dbi, &session->cursor));
    if (status != STATUS_OK) {
        free(session);
        return status;
    }
    mdb_txn_reset(session->reader);
    *out = session;
    return STATUS_OK;
}

static void
session_close(struct bench_session *session)
{
    mdb_cursor_close(session->cursor);
    mdb_txn_abort(session->reader);
    free(session);
}

static enum status
begin(struct bench_session *session, enum bench_txn kind)
{
    if (bench_txn_writes(kind))
        return check(mdb_txn_begin(session->db->env, NULL, 0, &session->txn));
    session->txn = session->reader;
    return check(mdb_txn_renew(session->reader));
}

static void
rollback(struct bench_session *session)
{
    if (session->txn == session->reader)
        mdb_txn_reset(session->reader);
    else
        mdb_txn_abort(session->txn);
    session->txn = NULL;
}

static enum status
commit(struct bench_session *session)
{
    MDB_txn *txn = session->txn;

    if (txn == session->reader) {
        rollback(session);
        return STATUS_OK;
    }
    session->txn = NULL;
    return check(mdb_txn_commit(txn));
}

static MDB_val
key_of(uint8_t bytes[8], uint64_t key)
{
    bench_key_encode(key, bytes);
    return (MDB_val){.mv_size = 8, .mv_data = bytes};
}

static enum status
put(struct bench_session *session, uint64_t key, const void *value, size_t size, enum bench_put how)
{
    uint8_t bytes[8];
    MDB_val name = key_of(bytes, key);
    MDB_val data = {.mv_size = size, .mv_data = (void *)(uintptr_t)value};

    return check(mdb_put(session->txn, session->db->dbi, &name, &data,
                         how == BENCH_PUT_APPEND ? MDB_APPEND : 0));
}

static enum status
get(struct bench_session *session, uint64_t key, const void **value_out, size_t *size_out)
{
    uint8_t bytes[8];
    MDB_val name = key_of(bytes, key);
    MDB_val data = {.mv_size = 0};
    int code = mdb_get(session->txn, session->db->dbi, &name, &data);

    *value_out = data.mv_data;
    *size_out = data.mv_size;
    return check(code);
}

static enum status
delete_row(struct bench_session *session, uint64_t key)
{
    uint8_t bytes[8];
    MDB_val name = key_of(bytes, key);

    return check(mdb_del(session->txn, session->db->dbi, &name, NULL));
}

/* Within a write transaction a cursor of its own; readers renew theirs. */
static enum status
open_cursor(struct bench_session *session, MDB_cursor **out)
{
    if (session->txn != session->reader)
        return check(mdb_cursor_open(session->txn, session->db->dbi, out));
    *out = session->cursor;
    return check(mdb_cursor_renew(session->reader, session->cursor));
}

static enum status
scan(struct bench_session *session, uint64_t first, uint64_t limit, bench_visit visit,
     void *context)
{
    uint8_t bytes[8];
    MDB_val name = key_of(bytes, first);
    MDB_val data = {.mv_size = 0};
    MDB_cursor *cursor = NULL;

    TRY(open_cursor(session, &cursor));
    int code = mdb_cursor_get(cursor, &name, &data, MDB_SET_RANGE);
    while (code == 0 && limit-- > 0) {
        if (!visit(context, bench_key_decode(name.mv_data), data.mv_data, data.mv_size) ||
            limit == 0)
            break;
        code = mdb_cursor_get(cursor, &name, &data, MDB_NEXT);
    }
    if (session->txn != session->reader)
        mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? STATUS_OK : check(code);
}

extern const struct bench_engine bench_peer_lmdb;
const struct bench_engine bench_peer_lmdb = {
    .name = "lmdb",
    .settings =
        "sync: default flags (fsync each commit, no MDB_NOSYNC, no MDB_WRITEMAP), async: "
        "MDB_NOSYNC; MDB_APPEND for ordered load; renewed read transactions; no cache of its "
        "own, the page cache serves and --pool does not bound it",
    .version = version,
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
    .settle = settle,
};
