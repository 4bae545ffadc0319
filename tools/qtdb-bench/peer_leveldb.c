/*
 * LevelDB: a write batch is its transaction, written with sync=true for durable commits; block cache as
 * large as the pool, ten bits a key of Bloom filter as its manual recommends for random reads, the
 * rest as by default (4 MB write buffer, snappy where built in). Reads have a snapshot for a
 * transaction of more than one.
 */
#include <leveldb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_engine.h"

enum { BLOOM_BITS = 10 };

struct bench_db {
    leveldb_t *level;
    leveldb_options_t *options;
    leveldb_cache_t *cache;
    leveldb_filterpolicy_t *filter;
    leveldb_writeoptions_t *write;
};

struct bench_session {
    struct bench_db *db;
    leveldb_writebatch_t *batch;
    leveldb_readoptions_t *read;
    const leveldb_snapshot_t *snapshot;
    char *value; /* Of the last get. */
    bool writing;
};

static enum status
check(char *message)
{
    if (message == NULL)
        return STATUS_OK;
    enum status status = error_raise(STATUS_IO, "leveldb: %s", message);

    leveldb_free(message);
    return status;
}

static const char *
version(void)
{
    static char text[32];

    (void)snprintf(text, sizeof(text), "%d.%d", leveldb_major_version(), leveldb_minor_version());
    return text;
}

static enum status
close_db(struct bench_db *db)
{
    if (db->level != NULL)
        leveldb_close(db->level);
    leveldb_options_destroy(db->options);
    leveldb_writeoptions_destroy(db->write);
    leveldb_filterpolicy_destroy(db->filter);
    leveldb_cache_destroy(db->cache);
    free(db);
    return STATUS_OK;
}

static enum status
open_db(const struct bench_config *config, struct bench_db **out)
{
    struct bench_db *db = calloc(1, sizeof(*db));
    char *message = NULL;

    if (db == NULL)
        return error_raise(STATUS_NO_MEMORY, "leveldb: no memory");
    db->options = leveldb_options_create();
    db->cache = leveldb_cache_create_lru((size_t)config->pool_size);
    db->filter = leveldb_filterpolicy_create_bloom(BLOOM_BITS);
    db->write = leveldb_writeoptions_create();
    leveldb_options_set_create_if_missing(db->options, 1);
    leveldb_options_set_cache(db->options, db->cache);
    leveldb_options_set_filter_policy(db->options, db->filter);
    leveldb_writeoptions_set_sync(db->write, config->sync && !config->loading);
    db->level = leveldb_open(db->options, config->dir, &message);
    enum status status = check(message);
    if (status != STATUS_OK) {
        (void)close_db(db);
        return status;
    }
    *out = db;
    return STATUS_OK;
}

static enum status
session_open(struct bench_db *db, struct bench_session **out)
{
    struct bench_session *session = calloc(1, sizeof(*session));

    if (session == NULL)
        return error_raise(STATUS_NO_MEMORY, "leveldb: no memory");
    session->db = db;
    session->batch = leveldb_writebatch_create();
    session->read = leveldb_readoptions_create();
    *out = session;
    return STATUS_OK;
}

static void
drop_value(struct bench_session *session)
{
    if (session->value != NULL)
        leveldb_free(session->value);
    session->value = NULL;
}

static void
session_close(struct bench_session *session)
{
    drop_value(session);
    leveldb_writebatch_destroy(session->batch);
    leveldb_readoptions_destroy(session->read);
    free(session);
}

static enum status
begin(struct bench_session *session, enum bench_txn kind)
{
    session->writing = bench_txn_writes(kind);
    if (kind == BENCH_READ) {
        session->snapshot = leveldb_create_snapshot(session->db->level);
        leveldb_readoptions_set_snapshot(session->read, session->snapshot);
    }
    return STATUS_OK;
}

static void
rollback(struct bench_session *session)
{
    leveldb_writebatch_clear(session->batch);
    if (session->snapshot != NULL) {
        leveldb_readoptions_set_snapshot(session->read, NULL);
        leveldb_release_snapshot(session->db->level, session->snapshot);
        session->snapshot = NULL;
    }
}

static enum status
commit(struct bench_session *session)
{
    char *message = NULL;

    if (session->writing)
        leveldb_write(session->db->level, session->db->write, session->batch, &message);
    rollback(session);
    return check(message);
}

static enum status
put(struct bench_session *session, uint64_t key, const void *value, size_t size, enum bench_put how)
{
    uint8_t bytes[8];

    (void)how;
    bench_key_encode(key, bytes);
    leveldb_writebatch_put(session->batch, (const char *)bytes, sizeof(bytes), value, size);
    return STATUS_OK;
}

static enum status
get(struct bench_session *session, uint64_t key, const void **value_out, size_t *size_out)
{
    uint8_t bytes[8];
    char *message = NULL;

    bench_key_encode(key, bytes);
    drop_value(session);
    session->value = leveldb_get(session->db->level, session->read, (const char *)bytes,
                                 sizeof(bytes), size_out, &message);
    TRY(check(message));
    *value_out = session->value;
    return session->value == NULL ? STATUS_NOT_FOUND : STATUS_OK;
}

static enum status
delete_row(struct bench_session *session, uint64_t key)
{
    uint8_t bytes[8];

    bench_key_encode(key, bytes);
    leveldb_writebatch_delete(session->batch, (const char *)bytes, sizeof(bytes));
    return STATUS_OK;
}

static enum status
scan(struct bench_session *session, uint64_t first, uint64_t limit, bench_visit visit,
     void *context)
{
    leveldb_iterator_t *iterator = leveldb_create_iterator(session->db->level, session->read);
    uint8_t bytes[8];
    char *message = NULL;

    bench_key_encode(first, bytes);
    leveldb_iter_seek(iterator, (const char *)bytes, sizeof(bytes));
    while (leveldb_iter_valid(iterator) && limit-- > 0) {
        size_t key_size, value_size;
        const char *key = leveldb_iter_key(iterator, &key_size);
        const char *value = leveldb_iter_value(iterator, &value_size);

        if (!visit(context, bench_key_decode(key), value, value_size) || limit == 0)
            break;
        leveldb_iter_next(iterator);
    }
    leveldb_iter_get_error(iterator, &message);
    leveldb_iter_destroy(iterator);
    return check(message);
}

/* The C interface has no flush; a compaction of an empty range writes the buffer out and no more. */
static enum status
settle(struct bench_db *db)
{
    leveldb_compact_range(db->level, "", 0, "", 0);
    return STATUS_OK;
}

extern const struct bench_engine bench_peer_leveldb;
const struct bench_engine bench_peer_leveldb = {
    .name = "leveldb",
    .settings =
        "sync: write options sync=true, async: sync=false; a write batch a transaction, a "
        "snapshot for a transaction of several reads; block cache = --pool, Bloom filter of "
        "10 bits, write buffer 4 MB (default), compression as by default",
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
