/*
 * RocksDB: a write batch is its transaction, WriteOptions::sync for durable commits; a block cache as
 * large as the pool, ten bits a key of Bloom filter, two background jobs and dynamic level sizes, as its
 * tuning guide recommends for general use; the rest as by default. `settle` flushes and waits until
 * no compaction is pending or running, so that what it owes is counted.
 */
#include <dlfcn.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_engine.h"

enum { BLOOM_BITS = 10, BACKGROUND_JOBS = 2, MANY_MAX = 1024, POLL_US = 20 * 1000 };

struct bench_db {
    rocksdb_t *rocks;
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table;
    rocksdb_cache_t *cache;
    rocksdb_writeoptions_t *write;
    rocksdb_column_family_handle_t *family;
};

struct bench_session {
    struct bench_db *db;
    rocksdb_writebatch_t *batch;
    rocksdb_readoptions_t *read;
    const rocksdb_snapshot_t *snapshot;
    rocksdb_pinnableslice_t *value; /* Of the last get. */
    bool writing;
};

static enum status
check(char *message)
{
    if (message == NULL)
        return STATUS_OK;
    enum status status = error_raise(STATUS_IO, "rocksdb: %s", message);

    rocksdb_free(message);
    return status;
}

/* The C interface does not tell; the library's file does (librocksdb.so.7.8.3). */
static const char *
version(void)
{
    static char text[64];
    char path[4096];
    Dl_info info;

    (void)snprintf(text, sizeof(text), "unknown");
    if (dladdr((void *)(uintptr_t)rocksdb_open, &info) != 0 && realpath(info.dli_fname, path)) {
        const char *number = strstr(path, ".so.");

        (void)snprintf(text, sizeof(text), "%.63s", number != NULL ? number + 4 : path);
    }
    return text;
}

static enum status
close_db(struct bench_db *db)
{
    if (db->family != NULL)
        rocksdb_column_family_handle_destroy(db->family);
    if (db->rocks != NULL)
        rocksdb_close(db->rocks);
    rocksdb_options_destroy(db->options);
    rocksdb_block_based_options_destroy(db->table);
    rocksdb_cache_destroy(db->cache);
    rocksdb_writeoptions_destroy(db->write);
    free(db);
    return STATUS_OK;
}

static void
configure(struct bench_db *db, const struct bench_config *config)
{
    db->options = rocksdb_options_create();
    db->table = rocksdb_block_based_options_create();
    db->cache = rocksdb_cache_create_lru((size_t)config->pool_size);
    db->write = rocksdb_writeoptions_create();
    rocksdb_block_based_options_set_block_cache(db->table, db->cache);
    rocksdb_block_based_options_set_filter_policy(
        db->table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_options_set_block_based_table_factory(db->options, db->table);
    rocksdb_options_set_create_if_missing(db->options, 1);
    rocksdb_options_set_max_background_jobs(db->options, BACKGROUND_JOBS);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(db->options, 1);
    rocksdb_writeoptions_set_sync(db->write, config->sync && !config->loading);
}

static enum status
open_db(const struct bench_config *config, struct bench_db **out)
{
    struct bench_db *db = calloc(1, sizeof(*db));
    char *message = NULL;

    if (db == NULL)
        return error_raise(STATUS_NO_MEMORY, "rocksdb: no memory");
    configure(db, config);
    const char *names[1] = {"default"};
    const rocksdb_options_t *options[1] = {db->options};

    /* Opened by its column family, because only so does C get the handle that multi-get wants. */
    db->rocks = rocksdb_open_column_families(db->options, config->dir, 1, names, options,
                                             &db->family, &message);
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
        return error_raise(STATUS_NO_MEMORY, "rocksdb: no memory");
    session->db = db;
    session->batch = rocksdb_writebatch_create();
    session->read = rocksdb_readoptions_create();
    *out = session;
    return STATUS_OK;
}

static void
drop_value(struct bench_session *session)
{
    if (session->value != NULL)
        rocksdb_pinnableslice_destroy(session->value);
    session->value = NULL;
}

static void
session_close(struct bench_session *session)
{
    drop_value(session);
    rocksdb_writebatch_destroy(session->batch);
    rocksdb_readoptions_destroy(session->read);
    free(session);
}

static enum status
begin(struct bench_session *session, enum bench_txn kind)
{
    session->writing = bench_txn_writes(kind);
    if (kind == BENCH_READ) {
        session->snapshot = rocksdb_create_snapshot(session->db->rocks);
        rocksdb_readoptions_set_snapshot(session->read, session->snapshot);
    }
    return STATUS_OK;
}

static void
rollback(struct bench_session *session)
{
    drop_value(session);
    rocksdb_writebatch_clear(session->batch);
    if (session->snapshot != NULL) {
        rocksdb_readoptions_set_snapshot(session->read, NULL);
        rocksdb_release_snapshot(session->db->rocks, session->snapshot);
        session->snapshot = NULL;
    }
}

static enum status
commit(struct bench_session *session)
{
    char *message = NULL;

    if (session->writing)
        rocksdb_write(session->db->rocks, session->db->write, session->batch, &message);
    rollback(session);
    return check(message);
}

static enum status
put(struct bench_session *session, uint64_t key, const void *value, size_t size, enum bench_put how)
{
    uint8_t bytes[8];

    (void)how;
    bench_key_encode(key, bytes);
    rocksdb_writebatch_put(session->batch, (const char *)bytes, sizeof(bytes), value, size);
    return STATUS_OK;
}

static enum status
get(struct bench_session *session, uint64_t key, const void **value_out, size_t *size_out)
{
    uint8_t bytes[8];
    char *message = NULL;

    bench_key_encode(key, bytes);
    drop_value(session);
    session->value = rocksdb_get_pinned(session->db->rocks, session->read, (const char *)bytes,
                                        sizeof(bytes), &message);
    TRY(check(message));
    if (session->value == NULL)
        return STATUS_NOT_FOUND;
    *value_out = rocksdb_pinnableslice_value(session->value, size_out);
    return STATUS_OK;
}

static enum status
delete_row(struct bench_session *session, uint64_t key)
{
    uint8_t bytes[8];

    bench_key_encode(key, bytes);
    rocksdb_writebatch_delete(session->batch, (const char *)bytes, sizeof(bytes));
    return STATUS_OK;
}

static enum status
scan(struct bench_session *session, uint64_t first, uint64_t limit, bench_visit visit,
     void *context)
{
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(session->db->rocks, session->read);
    uint8_t bytes[8];
    char *message = NULL;

    bench_key_encode(first, bytes);
    rocksdb_iter_seek(iterator, (const char *)bytes, sizeof(bytes));
    while (rocksdb_iter_valid(iterator) && limit-- > 0) {
        size_t key_size, value_size;
        const char *key = rocksdb_iter_key(iterator, &key_size);
        const char *value = rocksdb_iter_value(iterator, &value_size);

        if (!visit(context, bench_key_decode(key), value, value_size) || limit == 0)
            break;
        rocksdb_iter_next(iterator);
    }
    rocksdb_iter_get_error(iterator, &message);
    rocksdb_iter_destroy(iterator);
    return check(message);
}

static enum status
get_some(struct bench_session *session, const uint64_t *keys, size_t count, bench_visit visit,
         void *context)
{
    uint8_t bytes[MANY_MAX][8];
    const char *names[MANY_MAX];
    size_t sizes[MANY_MAX];
    rocksdb_pinnableslice_t *values[MANY_MAX];
    char *messages[MANY_MAX];
    enum status status = STATUS_OK;

    for (size_t i = 0; i < count; i++) {
        bench_key_encode(keys[i], bytes[i]);
        names[i] = (const char *)bytes[i];
        sizes[i] = sizeof(bytes[i]);
    }
    rocksdb_batched_multi_get_cf(session->db->rocks, session->read, session->db->family, count,
                                 names, sizes, values, messages, false);
    for (size_t i = 0; i < count; i++) {
        size_t size;

        if (messages[i] != NULL)
            status = check(messages[i]);
        if (values[i] == NULL)
            continue;
        const char *value = rocksdb_pinnableslice_value(values[i], &size);
        (void)visit(context, keys[i], value, size);
        rocksdb_pinnableslice_destroy(values[i]);
    }
    return status;
}

static enum status
get_many(struct bench_session *session, const uint64_t *keys, uint32_t count, bench_visit visit,
         void *context)
{
    for (uint32_t at = 0; at < count; at += MANY_MAX) {
        uint32_t part = count - at < MANY_MAX ? count - at : MANY_MAX;

        TRY(get_some(session, keys + at, part, visit, context));
    }
    return STATUS_OK;
}

static enum status
settle(struct bench_db *db)
{
    rocksdb_flushoptions_t *flush = rocksdb_flushoptions_create();
    uint64_t pending = 0, running = 0;
    char *message = NULL;

    rocksdb_flushoptions_set_wait(flush, 1);
    rocksdb_flush(db->rocks, flush, &message);
    rocksdb_flushoptions_destroy(flush);
    TRY(check(message));
    for (;;) {
        (void)rocksdb_property_int(db->rocks, "rocksdb.compaction-pending", &pending);
        (void)rocksdb_property_int(db->rocks, "rocksdb.num-running-compactions", &running);
        if (pending == 0 && running == 0)
            return STATUS_OK;
        (void)usleep(POLL_US);
    }
}

extern const struct bench_engine bench_peer_rocksdb;
const struct bench_engine bench_peer_rocksdb = {
    .name = "rocksdb",
    .settings = "sync: write options sync=true, async: sync=false; a write batch a transaction, a "
                "snapshot for a transaction of several reads; block cache = --pool, full Bloom "
                "filter of 10 bits, 2 background jobs, dynamic level bytes, write buffer 64 MB "
                "(default), compression as by default; pinned gets and batched multi-get",
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
    .get_many = get_many,
    .settle = settle,
};
