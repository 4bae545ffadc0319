/*
 * qtdb through qtdb.h, as any program would use it: one integer-keyed tree, transactions with the
 * default isolation (serializable) and log limit. Values are copied out, because that is what the
 * interface does.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kernel/base/error.h"
#include "kernel/qtdb.h"
#include "tools/qtdb-bench/bench_engines.h"

enum { VALUE_ROOM = 1 << 16, BATCH = 64, BATCH_ROOM = 1 << 10 };

struct bench_db {
    struct memory *memory;
    struct qtdb *qtdb;
    struct qtdb_tree *tree;
    bool sync;
};

struct bench_session {
    struct bench_db *db;
    struct qtdb_txn *txn;
    uint8_t value[VALUE_ROOM]; /* Of a single get. */
    uint8_t values[BATCH][BATCH_ROOM];
    uint8_t keys[BATCH][8];
    struct qtdb_lookup lookups[BATCH];
};

static enum status
check(enum qtdb_code code)
{
    if (code == QTDB_OK)
        return STATUS_OK;
    if (code == QTDB_NOT_FOUND)
        return STATUS_NOT_FOUND;
    if (code == QTDB_CONFLICT)
        return STATUS_CONFLICT;
    return error_raise(code == QTDB_NO_MEMORY ? STATUS_NO_MEMORY : STATUS_IO, "qtdb: %s: %s",
                       qtdb_code_name(code), qtdb_error_last()->message);
}

static enum status
open_tree(struct bench_db *db)
{
    struct qtdb_tree_options options = {
        .size = sizeof(options), .create = true, .key_kind = QTDB_KEY_INT};
    struct qtdb_txn *txn;

    TRY(check(qtdb_begin(db->qtdb, NULL, &txn)));
    enum status status = check(qtdb_tree_open(txn, "rows", &options, &db->tree));
    if (status != STATUS_OK) {
        qtdb_rollback(txn);
        return status;
    }
    return check(qtdb_commit(txn));
}

static enum status
open_db(const struct bench_config *config, struct bench_db **out)
{
    struct qtdb_options options = {
        .size = sizeof(options), .create = true, .pool_size = config->pool_size};
    struct bench_db *db = memory_alloc(config->memory, MEMORY_OTHER, sizeof(*db));
    char path[4200];

    if (db == NULL)
        return STATUS_NO_MEMORY;
    db->memory = config->memory;
    db->sync = config->sync && !config->loading;
    (void)snprintf(path, sizeof(path), "%s/rows.qtdb", config->dir);
    enum status status = check(qtdb_open(path, &options, &db->qtdb));
    if (status == STATUS_OK) {
        status = open_tree(db);
        if (status != STATUS_OK)
            (void)qtdb_close(db->qtdb);
    }
    if (status != STATUS_OK) {
        memory_free(config->memory, MEMORY_OTHER, db, sizeof(*db));
        return status;
    }
    *out = db;
    return STATUS_OK;
}

static enum status
close_db(struct bench_db *db)
{
    enum status status = check(qtdb_close(db->qtdb));

    memory_free(db->memory, MEMORY_OTHER, db, sizeof(*db));
    return status;
}

static enum status
session_open(struct bench_db *db, struct bench_session **out)
{
    struct bench_session *session = memory_alloc(db->memory, MEMORY_OTHER, sizeof(*session));

    if (session == NULL)
        return STATUS_NO_MEMORY;
    session->db = db;
    *out = session;
    return STATUS_OK;
}

static void
session_close(struct bench_session *session)
{
    memory_free(session->db->memory, MEMORY_OTHER, session, sizeof(*session));
}

static enum status
begin(struct bench_session *session, enum bench_txn kind)
{
    struct qtdb_txn_options options = {.size = sizeof(options),
                                       .read_only = !bench_txn_writes(kind),
                                       .durability = session->db->sync ? QTDB_SYNC : QTDB_ASYNC};

    return check(qtdb_begin(session->db->qtdb, &options, &session->txn));
}

static enum status
commit(struct bench_session *session)
{
    struct qtdb_txn *txn = session->txn;

    session->txn = NULL;
    return check(qtdb_commit(txn));
}

static void
rollback(struct bench_session *session)
{
    qtdb_rollback(session->txn);
    session->txn = NULL;
}

static enum status
put(struct bench_session *session, uint64_t key, const void *value, size_t size, enum bench_put how)
{
    uint8_t bytes[8];

    (void)how; /* Right-most splits are found by the tree itself. */
    qtdb_key_u64(key, bytes);
    return check(
        qtdb_put(session->txn, session->db->tree, bytes, sizeof(bytes), value, size, QTDB_PUT_ANY));
}

static enum status
get(struct bench_session *session, uint64_t key, const void **value_out, size_t *size_out)
{
    uint8_t bytes[8];

    qtdb_key_u64(key, bytes);
    *size_out = sizeof(session->value);
    *value_out = session->value;
    return check(
        qtdb_get(session->txn, session->db->tree, bytes, sizeof(bytes), session->value, size_out));
}

/* Values that do not fit their room are got one by one. */
static enum status
visit_many(struct bench_session *session, const uint64_t *keys, uint32_t count, bench_visit visit,
           void *context)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct qtdb_lookup *lookup = &session->lookups[i];
        enum status status = check(lookup->code == QTDB_FULL ? QTDB_OK : lookup->code);
        const void *value = lookup->value;
        size_t size = lookup->value_size;

        if (lookup->code == QTDB_FULL)
            status = get(session, keys[i], &value, &size);
        if (status == STATUS_OK && !visit(context, keys[i], value, size))
            return STATUS_OK;
        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
    }
    return STATUS_OK;
}

static enum status
get_some(struct bench_session *session, const uint64_t *keys, uint32_t count, bench_visit visit,
         void *context)
{
    for (uint32_t i = 0; i < count; i++) {
        qtdb_key_u64(keys[i], session->keys[i]);
        session->lookups[i] = (struct qtdb_lookup){.key = session->keys[i],
                                                   .key_size = 8,
                                                   .value = session->values[i],
                                                   .value_size = BATCH_ROOM};
    }
    TRY(check(qtdb_get_batch(session->txn, session->db->tree, session->lookups, count)));
    return visit_many(session, keys, count, visit, context);
}

static enum status
get_many(struct bench_session *session, const uint64_t *keys, uint32_t count, bench_visit visit,
         void *context)
{
    for (uint32_t done = 0; done < count; done += BATCH)
        TRY(get_some(session, keys + done, count - done < BATCH ? count - done : BATCH, visit,
                     context));
    return STATUS_OK;
}

static enum status
delete_row(struct bench_session *session, uint64_t key)
{
    uint8_t bytes[8];

    qtdb_key_u64(key, bytes);
    return check(qtdb_delete(session->txn, session->db->tree, bytes, sizeof(bytes)));
}

/* False: the visitor has had enough. */
static bool
visit_rows(const struct qtdb_row *rows, size_t count, bench_visit visit, void *context)
{
    for (size_t i = 0; i < count; i++)
        if (!visit(context, bench_key_decode(rows[i].key), rows[i].value, rows[i].value_size))
            return false;
    return true;
}

static enum status
scan(struct bench_session *session, uint64_t first, uint64_t limit, bench_visit visit,
     void *context)
{
    struct qtdb_row rows[BATCH];
    struct qtdb_cursor *cursor;
    uint8_t bytes[8];

    qtdb_key_u64(first, bytes);
    TRY(check(qtdb_cursor_open(session->txn, session->db->tree, &cursor)));
    enum status status = check(qtdb_cursor_seek(cursor, bytes, sizeof(bytes)));
    while (status == STATUS_OK && limit > 0) {
        size_t count = qtdb_cursor_rows(cursor, rows, limit < BATCH ? (size_t)limit : BATCH);

        limit -= count;
        if (!visit_rows(rows, count, visit, context) || limit == 0)
            break;
        status = check(qtdb_cursor_next(cursor));
    }
    qtdb_cursor_close(cursor);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status
settle(struct bench_db *db)
{
    return check(qtdb_checkpoint(db->qtdb));
}

static void
written(struct bench_db *db, struct bench_written *out)
{
    struct qtdb_statistics statistics = {.size = sizeof(statistics)};

    qtdb_get_statistics(db->qtdb, &statistics);
    *out = (struct bench_written){.log = statistics.log_size,
                                  .pages = statistics.page_write_size,
                                  .meta = statistics.meta_write_size,
                                  .page_reads = statistics.page_read_count,
                                  .inner_reads = statistics.inner_read_count,
                                  .map_reads = statistics.map_read_count,
                                  .pins = statistics.pin_count};
}

static void
routing(struct bench_db *db, struct bench_routing *out)
{
    struct qtdb_tree_statistics now = {.size = sizeof(now)};

    qtdb_tree_get_statistics(db->tree, &now);
    *out = (struct bench_routing){
        .kind = now.router_kind,
        .reason = now.router_reason,
        .routed = now.routed_count,
        .depth = now.depth,
        .hops = now.hop_count,
        .fallbacks = now.fallback_count,
        .size = now.router_size,
        .build_ns = now.build_ns,
        .leaves = now.leaf_count,
        .error_p50 = now.error_p50,
        .error_p99 = now.error_p99,
        .error_max = now.error_max,
    };
}

static bool
is_routed(struct bench_db *db, const char *router)
{
    struct bench_routing now;

    routing(db, &now);
    if (strcmp(router, "auto") == 0)
        return strcmp(now.reason, "asked for") != 0 && strcmp(now.reason, "not looked at yet") != 0;
    return strcmp(now.kind, router) == 0 || strstr(now.reason, "10,000") != NULL;
}

static enum status
route(struct bench_db *db, const char *router)
{
    static const char *const names[] = {"auto", "tree", "rmi", "pla", "directory"};
    struct qtdb_tree_options options = {.size = sizeof(options), .key_kind = QTDB_KEY_INT};
    const struct timespec pause = {.tv_nsec = 1000000};
    struct qtdb_txn *txn;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], router) == 0)
            options.router = i == 0 ? QTDB_ROUTER_STORED : (enum qtdb_router)i;
    TRY(check(qtdb_begin(db->qtdb, NULL, &txn)));
    enum status status = check(qtdb_tree_open(txn, "rows", &options, &db->tree));
    qtdb_rollback(txn);
    TRY(status);
    for (uint32_t tries = 0; !is_routed(db, router); tries++) {
        if (tries == 20000)
            return error_raise(STATUS_FAILED, "qtdb: no %s router after 20 s", router);
        (void)nanosleep(&pause, NULL);
    }
    return STATUS_OK;
}

const struct bench_engine bench_qtdb = {
    .name = "qtdb",
    .settings =
        "tree of integer keys, serializable, log limit 256 MiB, policy as by default; sync: "
        "QTDB_SYNC, async: QTDB_ASYNC; pool_size = --pool",
    .version = qtdb_version,
    .open = open_db,
    .close = close_db,
    .session_open = session_open,
    .session_close = session_close,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .put = put,
    .get = get,
    .get_many = get_many,
    .remove = delete_row,
    .scan = scan,
    .sql = &bench_qtdb_sql,
    .settle = settle,
    .route = route,
    .routing = routing,
    .written = written,
};
