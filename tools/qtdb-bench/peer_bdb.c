/*
 * Berkeley DB as its transactional guide has it: an environment with locking, logging, transactions and a
 * cache as large as the pool; a B-tree with 4,096-byte pages; durable commits flush the log
 * (DB_TXN_SYNC, its default), async ones are DB_TXN_WRITE_NOSYNC. Deadlocks are detected at each lock
 * conflict and the youngest gives way. Log files are removed as checkpoints allow.
 *
 * A transaction of reads uses snapshot-free read locks (degree 3), a lone get none; both are its
 * ordinary forms.
 */
#include <db.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_engine.h"

enum { PAGE = 4096, LOG_BUFFER = 8 << 20, LOCKS = 400000, BULK_SIZE = 256 << 10 };
enum { CHECKPOINT_KB = 64 << 10, VALUE_ROOM = 1 << 16 };

struct bench_db {
    DB_ENV *env;
    DB *rows;
    bool loading;
};

struct bench_session {
    struct bench_db *db;
    DB_TXN *txn;
    bool alone; /* Autocommit. */
    bool writing;
    uint8_t value[VALUE_ROOM];
    uint8_t *bulk;
};

static enum status
check(int code)
{
    if (code == 0)
        return STATUS_OK;
    if (code == DB_NOTFOUND)
        return STATUS_NOT_FOUND;
    if (code == DB_LOCK_DEADLOCK || code == DB_LOCK_NOTGRANTED)
        return STATUS_CONFLICT;
    return error_raise(STATUS_IO, "bdb: %s", db_strerror(code));
}

static const char *
version(void)
{
    static char text[32];
    int major, minor, patch;

    (void)db_version(&major, &minor, &patch);
    (void)snprintf(text, sizeof(text), "%d.%d.%d", major, minor, patch);
    return text;
}

static enum status
open_env(struct bench_db *db, const struct bench_config *config)
{
    u_int32_t flags = DB_CREATE | DB_INIT_LOCK | DB_INIT_LOG | DB_INIT_MPOOL | DB_INIT_TXN |
                      DB_THREAD | DB_PRIVATE | DB_RECOVER;
    u_int32_t gigabytes = (u_int32_t)(config->pool_size >> 30);
    u_int32_t bytes = (u_int32_t)(config->pool_size & ((1u << 30) - 1));

    TRY(check(db_env_create(&db->env, 0)));
    TRY(check(db->env->set_cachesize(db->env, gigabytes, bytes, 1)));
    TRY(check(db->env->set_lg_bsize(db->env, LOG_BUFFER)));
    TRY(check(db->env->set_lg_max(db->env, 4 * LOG_BUFFER)));
    TRY(check(db->env->set_lk_max_locks(db->env, LOCKS)));
    TRY(check(db->env->set_lk_max_objects(db->env, LOCKS)));
    TRY(check(db->env->set_lk_max_lockers(db->env, LOCKS)));
    TRY(check(db->env->set_lk_detect(db->env, DB_LOCK_YOUNGEST)));
    TRY(check(db->env->log_set_config(db->env, DB_LOG_AUTO_REMOVE, 1)));
    if (config->loading || !config->sync)
        TRY(check(
            db->env->set_flags(db->env, config->loading ? DB_TXN_NOSYNC : DB_TXN_WRITE_NOSYNC, 1)));
    return check(db->env->open(db->env, config->dir, flags, 0644));
}

static enum status
open_rows(struct bench_db *db)
{
    TRY(check(db_create(&db->rows, db->env, 0)));
    TRY(check(db->rows->set_pagesize(db->rows, PAGE)));
    return check(db->rows->open(db->rows, NULL, "rows.db", NULL, DB_BTREE,
                                DB_CREATE | DB_AUTO_COMMIT | DB_THREAD, 0644));
}

static enum status
settle(struct bench_db *db)
{
    return check(db->env->txn_checkpoint(db->env, 0, 0, DB_FORCE));
}

static enum status
close_db(struct bench_db *db)
{
    enum status status = STATUS_OK;

    if (db->rows != NULL) {
        status = settle(db);
        (void)db->rows->close(db->rows, 0);
    }
    if (db->env != NULL)
        (void)db->env->close(db->env, 0);
    free(db);
    return status;
}

static enum status
open_db(const struct bench_config *config, struct bench_db **out)
{
    struct bench_db *db = calloc(1, sizeof(*db));

    if (db == NULL)
        return error_raise(STATUS_NO_MEMORY, "bdb: no memory");
    db->loading = config->loading;
    enum status status = open_env(db, config);
    if (status == STATUS_OK)
        status = open_rows(db);
    if (status != STATUS_OK) {
        if (db->env != NULL)
            (void)db->env->close(db->env, 0);
        free(db);
        return status;
    }
    *out = db;
    return STATUS_OK;
}

static enum status
session_open(struct bench_db *db, struct bench_session **out)
{
    struct bench_session *session = calloc(1, sizeof(*session));

    if (session != NULL)
        session->bulk = calloc(1, BULK_SIZE);
    if (session == NULL || session->bulk == NULL) {
        free(session);
        return error_raise(STATUS_NO_MEMORY, "bdb: no memory");
    }
    session->db = db;
    *out = session;
    return STATUS_OK;
}

static void
session_close(struct bench_session *session)
{
    free(session->bulk);
    free(session);
}

static enum status
begin(struct bench_session *session, enum bench_txn kind)
{
    session->alone = kind == BENCH_READ_ONE || kind == BENCH_WRITE_ONE;
    session->writing = bench_txn_writes(kind);
    session->txn = NULL;
    if (session->alone)
        return STATUS_OK;
    return check(session->db->env->txn_begin(session->db->env, NULL, &session->txn, 0));
}

static void
rollback(struct bench_session *session)
{
    if (session->txn != NULL)
        (void)session->txn->abort(session->txn);
    session->txn = NULL;
}

static enum status
commit(struct bench_session *session)
{
    DB_TXN *txn = session->txn;

    session->txn = NULL;
    if (txn != NULL)
        TRY(check(txn->commit(txn, 0)));
    if (!session->writing)
        return STATUS_OK;
    /* A checkpoint when 64 MB of log have come together, as its guide does it from a thread. */
    return check(session->db->env->txn_checkpoint(session->db->env, CHECKPOINT_KB, 0, 0));
}

static DBT
key_of(uint8_t bytes[8], uint64_t key)
{
    bench_key_encode(key, bytes);
    return (DBT){.data = bytes, .size = 8, .ulen = 8, .flags = DB_DBT_USERMEM};
}

static enum status
put(struct bench_session *session, uint64_t key, const void *value, size_t size, enum bench_put how)
{
    uint8_t bytes[8];
    DBT name = key_of(bytes, key);
    /* cppcheck-suppress legacyUninitvar */
    DBT data = {.data = (void *)(uintptr_t)value, .size = (u_int32_t)size};

    (void)how; /* Its B-tree finds appends itself. */
    return check(session->db->rows->put(session->db->rows, session->txn, &name, &data, 0));
}

static enum status
get(struct bench_session *session, uint64_t key, const void **value_out, size_t *size_out)
{
    uint8_t bytes[8];
    DBT name = key_of(bytes, key);
    /* cppcheck-suppress legacyUninitvar */
    DBT data = {.data = session->value, .ulen = VALUE_ROOM, .flags = DB_DBT_USERMEM};
    int code = session->db->rows->get(session->db->rows, session->txn, &name, &data, 0);

    *value_out = session->value;
    *size_out = data.size;
    return check(code);
}

static enum status
delete_row(struct bench_session *session, uint64_t key)
{
    uint8_t bytes[8];
    DBT name = key_of(bytes, key);

    return check(session->db->rows->del(session->db->rows, session->txn, &name, 0));
}

/* All rows of one bulk read. False: the visitor or the limit ended it. */
static bool
visit_bulk(DBT *data, uint64_t first, uint64_t *limit, bench_visit visit, void *context)
{
    void *place, *key, *value;
    size_t key_size, value_size;

    DB_MULTIPLE_INIT(place, data);
    for (;;) {
        DB_MULTIPLE_KEY_NEXT(place, data, key, key_size, value, value_size);
        if (place == NULL)
            return true;
        (void)key_size;
        uint64_t number = bench_key_decode(key);
        if (number < first)
            continue;
        if ((*limit)-- == 0 || !visit(context, number, value, value_size))
            return false;
    }
}

static enum status
scan(struct bench_session *session, uint64_t first, uint64_t limit, bench_visit visit,
     void *context)
{
    uint8_t bytes[8];
    DBT name = key_of(bytes, first);
    /* cppcheck-suppress legacyUninitvar */
    DBT data = {.data = session->bulk, .flags = DB_DBT_USERMEM};
    DBC *cursor;

    /* A short range takes a small buffer, so that it does not copy what nobody reads. */
    data.ulen = limit < 1000 ? BULK_SIZE / 8 : BULK_SIZE;
    TRY(check(session->db->rows->cursor(session->db->rows, session->txn, &cursor, 0)));
    int code = cursor->get(cursor, &name, &data, DB_SET_RANGE | DB_MULTIPLE_KEY);
    while (code == 0 && limit > 0 && visit_bulk(&data, first, &limit, visit, context))
        code = cursor->get(cursor, &name, &data, DB_NEXT | DB_MULTIPLE_KEY);
    (void)cursor->close(cursor);
    return code == DB_NOTFOUND ? STATUS_OK : check(code);
}

extern const struct bench_engine bench_peer_bdb;
const struct bench_engine bench_peer_bdb = {
    .name = "bdb",
    .settings =
        "transactional environment, sync: commits flush the log (default), async: "
        "DB_TXN_WRITE_NOSYNC; cache = --pool, 4 KiB pages, log buffer 8 MB, checkpoint each "
        "64 MB of log, deadlocks detected at once; bulk cursors for scans",
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
