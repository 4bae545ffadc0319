/*
 * qtdb through SQL: one table, statements prepared once a session. The workloads sql-get and sql-insert
 * are get and insert over this; other engines give their own SQL, or are skipped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/error.h"
#include "kernel/qtdb.h"
#include "tools/qtdb-bench/bench_engines.h"

enum statement { BEGIN, COMMIT, ROLLBACK, GET, PUT, REMOVE, SCAN, STATEMENTS };

static const char *const texts[STATEMENTS] = {
    [BEGIN] = "BEGIN",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [GET] = "SELECT v FROM r WHERE k = $1",
    [PUT] = "INSERT INTO r (k, v) VALUES ($1, $2)",
    [REMOVE] = "DELETE FROM r WHERE k = $1",
    [SCAN] = "SELECT k, v FROM r WHERE k >= $1 ORDER BY k LIMIT $2",
};

struct bench_db {
    struct memory *memory;
    struct qtdb *qtdb;
    uint64_t flip;
};

struct bench_session {
    struct bench_db *db;
    struct qtdb_session *sql;
    struct qtdb_statement *statements[STATEMENTS];
    bool alone;
    uint8_t value[1 << 16];
};

static enum status
check(enum qtdb_code code)
{
    if (code == QTDB_OK || code == QTDB_ROW || code == QTDB_DONE)
        return STATUS_OK;
    if (code == QTDB_CONFLICT)
        return STATUS_CONFLICT;
    return error_raise(code == QTDB_NO_MEMORY ? STATUS_NO_MEMORY : STATUS_IO, "qtdb SQL: %s %s",
                       qtdb_error_last()->sqlstate, qtdb_error_last()->message);
}

static enum status
make_table(struct bench_db *db)
{
    struct qtdb_session *session;

    TRY(check(qtdb_session_open(db->qtdb, &session)));
    enum qtdb_code code = qtdb_exec(
        session, "CREATE TABLE IF NOT EXISTS r (k bigint PRIMARY KEY, v bytea)", NULL, NULL);
    enum status status = check(code);
    qtdb_session_close(session);
    return status;
}

static enum status
open_db(const struct bench_config *config, struct bench_db **out)
{
    struct qtdb_options options = {
        .size = sizeof(options), .create = true, .pool_size = config->pool_size};
    char path[4200];

    if (!config->sync && !config->loading)
        return error_raise(STATUS_INVALID, "qtdb SQL: sessions have no asynchronous commits yet");
    struct bench_db *db = memory_alloc(config->memory, MEMORY_OTHER, sizeof(*db));
    if (db == NULL)
        return STATUS_NO_MEMORY;
    db->memory = config->memory;
    db->flip = config->high_keys ? UINT64_C(1) << 63 : 0;
    (void)snprintf(path, sizeof(path), "%s/sql.qtdb", config->dir);
    enum status status = check(qtdb_open(path, &options, &db->qtdb));
    if (status == STATUS_OK)
        status = make_table(db);
    if (status != STATUS_OK) {
        (void)qtdb_close(db->qtdb);
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

static void
session_close(struct bench_session *session)
{
    for (int i = 0; i < STATEMENTS; i++)
        qtdb_finalize(session->statements[i]);
    qtdb_session_close(session->sql);
    memory_free(session->db->memory, MEMORY_OTHER, session, sizeof(*session));
}

static enum status
session_open(struct bench_db *db, struct bench_session **out)
{
    struct bench_session *session = memory_alloc(db->memory, MEMORY_OTHER, sizeof(*session));

    if (session == NULL)
        return STATUS_NO_MEMORY;
    session->db = db;
    enum status status = check(qtdb_session_open(db->qtdb, &session->sql));
    for (int i = 0; i < STATEMENTS && status == STATUS_OK; i++)
        status = check(qtdb_prepare(session->sql, texts[i], &session->statements[i], NULL));
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
    struct qtdb_statement *statement = session->statements[which];
    enum status status = check(qtdb_step(statement));

    qtdb_reset(statement);
    return status;
}

static enum status
begin(struct bench_session *session, enum bench_txn kind)
{
    session->alone = kind == BENCH_READ_ONE || kind == BENCH_WRITE_ONE;
    return session->alone ? STATUS_OK : run(session, BEGIN);
}

static void
rollback(struct bench_session *session)
{
    if (!session->alone && run(session, ROLLBACK) != STATUS_OK)
        error_clear(); /* A transaction that failed to begin has nothing to roll back. */
}

static enum status
commit(struct bench_session *session)
{
    return session->alone ? STATUS_OK : run(session, COMMIT);
}

static int64_t
to_row(const struct bench_session *session, uint64_t key)
{
    return (int64_t)(key ^ session->db->flip);
}

static enum status
put(struct bench_session *session, uint64_t key, const void *value, size_t size, enum bench_put how)
{
    struct qtdb_statement *statement = session->statements[PUT];

    (void)how;
    TRY(check(qtdb_bind_i64(statement, 1, to_row(session, key))));
    TRY(check(qtdb_bind_bytes(statement, 2, value, size)));
    return run(session, PUT);
}

/* They stay where they are only to the statement's reset. */
static enum status
take_bytes(struct bench_session *session, struct qtdb_statement *statement, uint32_t column,
           size_t *size_out)
{
    const void *bytes = qtdb_column_bytes(statement, column, size_out);

    if (bytes == NULL || *size_out > sizeof(session->value))
        return error_raise(STATUS_CORRUPT, "qtdb SQL: a bytea column that is not what was put");
    memcpy(session->value, bytes, *size_out);
    return STATUS_OK;
}

static enum status
get(struct bench_session *session, uint64_t key, const void **value_out, size_t *size_out)
{
    struct qtdb_statement *statement = session->statements[GET];

    TRY(check(qtdb_bind_i64(statement, 1, to_row(session, key))));
    enum qtdb_code code = qtdb_step(statement);
    enum status status = code == QTDB_DONE ? STATUS_NOT_FOUND : check(code);
    if (status == STATUS_OK)
        status = take_bytes(session, statement, 0, size_out);
    qtdb_reset(statement);
    *value_out = session->value;
    return status;
}

static enum status
delete_row(struct bench_session *session, uint64_t key)
{
    TRY(check(qtdb_bind_i64(session->statements[REMOVE], 1, to_row(session, key))));
    TRY(run(session, REMOVE));
    return STATUS_OK;
}

static enum status
scan(struct bench_session *session, uint64_t first, uint64_t limit, bench_visit visit,
     void *context)
{
    struct qtdb_statement *statement = session->statements[SCAN];
    enum status status = STATUS_OK;
    enum qtdb_code code = QTDB_DONE;
    size_t size = 0;

    TRY(check(qtdb_bind_i64(statement, 1, to_row(session, first))));
    TRY(check(qtdb_bind_i64(statement, 2, limit > INT64_MAX ? INT64_MAX : (int64_t)limit)));
    while (status == STATUS_OK && (code = qtdb_step(statement)) == QTDB_ROW) {
        status = take_bytes(session, statement, 1, &size);
        if (status == STATUS_OK &&
            !visit(context, (uint64_t)qtdb_column_i64(statement, 0) ^ session->db->flip,
                   session->value, size))
            break;
    }
    if (status == STATUS_OK)
        status = check(code);
    qtdb_reset(statement);
    return status;
}

/* All cells of all rows, as whole numbers, in one sum. */
static enum status
query(struct bench_session *session, const char *text, int64_t *sum_out)
{
    struct qtdb_statement *statement;
    enum qtdb_code code;
    uint64_t sum = 0;

    TRY(check(qtdb_prepare(session->sql, text, &statement, NULL)));
    while ((code = qtdb_step(statement)) == QTDB_ROW) {
        for (uint32_t i = 0; i < qtdb_column_count(statement); i++) {
            const char *cell = qtdb_column_text(statement, i, NULL);

            sum += cell == NULL ? 0 : (uint64_t)strtoll(cell, NULL, 10);
        }
    }
    enum status status = check(code);
    qtdb_finalize(statement);
    *sum_out = (int64_t)sum;
    return status;
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
                                  .pins = statistics.pin_count};
}

const struct bench_engine bench_qtdb_sql = {
    .name = "qtdb",
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
    .remove = delete_row,
    .scan = scan,
    .query = query,
    .settle = settle,
    .written = written,
};
