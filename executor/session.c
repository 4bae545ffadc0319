/*
 * A session: one transaction block at a time. Outside a block each statement is a transaction of its
 * own. A statement that fails inside a block leaves the block aborted until ROLLBACK, or ROLLBACK TO a
 * savepoint (25P02). Trees that a block made do not go back with a savepoint, so a definition cannot be
 * rolled back to one.
 */
#include "executor/session.h"

#include <string.h>

#include "executor/session_cursor.h"
#include "executor/sql_sequence.h"
#include "kernel/api_error.h"
#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/database.h"

enum qtdb_code
qtdb_session_open(struct qtdb *db, struct qtdb_session **out)
{
    struct memory *memory = database_memory(db);
    struct qtdb_session *session = memory_alloc(memory, MEMORY_SQL, sizeof(*session));

    if (session == NULL)
        return api_error(STATUS_NO_MEMORY);
    session->db = db;
    session->memory = memory;
    session->settings = settings_new(memory);
    session->sequences = sequence_memory_new(memory);
    if (session->settings == NULL || session->sequences == NULL) {
        qtdb_session_close(session);
        return api_error(STATUS_NO_MEMORY);
    }
    enum status status = session_take_defaults(session);
    if (status != STATUS_OK) {
        qtdb_session_close(session);
        return api_error(status);
    }
    *out = session;
    return QTDB_OK;
}

/* Forgets savepoints up to and without `end`. */
static void
forget_savepoints(struct qtdb_session *session, const struct session_savepoint *end)
{
    while (session->savepoints != end) {
        struct session_savepoint *savepoint = session->savepoints;

        session->savepoints = savepoint->next;
        memory_free(session->memory, MEMORY_SQL, savepoint, savepoint->size);
    }
}

void
qtdb_session_close(struct qtdb_session *session)
{
    if (session == NULL)
        return;
    CHECK(session->load == NULL);
    qtdb_rollback(session->txn);
    session->txn = NULL;
    session->aborted = session->catalog_changed = false;
    forget_savepoints(session, NULL);
    if (session->settings != NULL)
        session_close_temporary(session);
    statement__cache_clear(session);
    session_forget_prepared(session);
    session_cursor_close(session, NULL);
    settings_free(session->settings);
    sequence_memory_free(session->sequences);
    memory_free(session->memory, MEMORY_SQL, session, sizeof(*session));
}

void
session_set_work_limit(struct qtdb_session *session, size_t size)
{
    session->work_limit = size;
}

void
qtdb_session_set_progress(struct qtdb_session *session,
                          bool (*call)(void *context, uint64_t row_count), void *context)
{
    session->progress = (struct exec_progress){.call = call, .context = context};
}

void
qtdb_interrupt(struct qtdb_session *session)
{
    atomic_store(&session->interrupted, true);
}

enum status
session_refuse_aborted(const struct qtdb_session *session, struct sql_error *error)
{
    if (!session->aborted)
        return STATUS_OK;
    return sql_error_set(error, "25P02", -1,
                         "current transaction is aborted, commands ignored until end of "
                         "transaction block");
}

static enum status
begin_block(struct qtdb_session *session, const struct ast_transaction_modes *modes,
            struct sql_error *error)
{
    if (session->txn != NULL) /* PostgreSQL warns and goes on. */
        return session_refuse_aborted(session, error);
    session->aborted = session->catalog_changed = session->used = false;
    session->isolation = modes->isolation >= 0 ? (enum qtdb_isolation)modes->isolation
                                               : settings_isolation(session->settings);
    session->read_only =
        modes->read_only >= 0 ? modes->read_only != 0 : settings_read_only(session->settings);
    return session_begin(session, session->isolation, session->read_only, NULL, &session->txn,
                         error);
}

/* Savepoints. */

static enum status
add_savepoint(struct qtdb_session *session, const char *name, struct sql_error *error)
{
    size_t size = sizeof(struct session_savepoint) + strlen(name) + 1;
    uint64_t mark = 0;
    struct session_savepoint *savepoint;

    TRY(sql_from_code(qtdb_savepoint(session->txn, &mark), error));
    savepoint = memory_alloc(session->memory, MEMORY_SQL, size);
    if (savepoint == NULL)
        return STATUS_NO_MEMORY;
    *savepoint = (struct session_savepoint){.next = session->savepoints,
                                            .mark = mark,
                                            .catalog_changed = session->catalog_changed,
                                            .cursor_serial = session->cursor_serial,
                                            .size = size};
    memcpy(savepoint->name, name, strlen(name) + 1);
    session->savepoints = savepoint;
    return STATUS_OK;
}

static enum status
use_savepoint(struct qtdb_session *session, const struct ast_statement *ast,
              struct sql_error *error)
{
    struct session_savepoint *savepoint = session->savepoints;

    if (ast->transaction != AST_ROLLBACK_TO)
        TRY(session_refuse_aborted(session, error));
    if (ast->transaction == AST_SAVEPOINT)
        return add_savepoint(session, ast->savepoint, error);
    while (savepoint != NULL && strcmp(savepoint->name, ast->savepoint) != 0)
        savepoint = savepoint->next;
    if (savepoint == NULL)
        return sql_error_set(error, "3B001", -1, "savepoint \"%s\" does not exist", ast->savepoint);
    if (ast->transaction == AST_RELEASE) {
        forget_savepoints(session, savepoint->next);
        return STATUS_OK;
    }
    if (session->catalog_changed && !savepoint->catalog_changed)
        return sql_error_set(
            error, "0A000", -1,
            "rolling a definition back to a savepoint is not supported yet: ROLLBACK "
            "the transaction");
    TRY(sql_from_code(qtdb_rollback_to(session->txn, savepoint->mark), error));
    session_cursor_undo(session, savepoint->cursor_serial);
    forget_savepoints(session, savepoint);
    session->aborted = false;
    return STATUS_OK;
}

static enum status
savepoint_statement(struct qtdb_session *session, const struct ast_statement *ast,
                    const char **tag_out, struct sql_error *error)
{
    static const char *const tags[] = {
        [AST_SAVEPOINT] = "SAVEPOINT", [AST_ROLLBACK_TO] = "ROLLBACK", [AST_RELEASE] = "RELEASE"};

    *tag_out = tags[ast->transaction];
    if (session->txn == NULL)
        return sql_error_set(error, "25P01", -1, "%s can only be used in transaction blocks",
                             ast->transaction == AST_SAVEPOINT     ? "SAVEPOINT"
                             : ast->transaction == AST_ROLLBACK_TO ? "ROLLBACK TO SAVEPOINT"
                                                                   : "RELEASE SAVEPOINT");
    enum status status = use_savepoint(session, ast, error);
    if (status != STATUS_OK)
        session->aborted = true;
    return status;
}

enum status
session_refuse_load(const struct qtdb_session *session, struct sql_error *error)
{
    if (session->load == NULL)
        return STATUS_OK;
    return sql_error_set(error, "55006", -1, "a load of the session has not ended");
}

static enum status
end_block(struct qtdb_session *session, const struct ast_statement *ast, const char **tag_out,
          struct sql_error *error)
{
    struct qtdb_txn *txn = session->txn;
    bool aborted = session->aborted, catalog_changed = session->catalog_changed;

    forget_savepoints(session, NULL);
    session->txn = NULL;
    session->aborted = session->catalog_changed = false;
    if (ast->transaction == AST_COMMIT && txn != NULL && !aborted) {
        *tag_out = "COMMIT";
        enum status status = STATUS_OK;

        if (!session->read_only)
            status = session_end_temporary(session, txn, session->isolation, error);
        if (status == STATUS_OK)
            status = sql_from_code(qtdb_commit(txn), error);
        else
            qtdb_rollback(txn);
        session_cursor_end(session, status == STATUS_OK);
        settings_end(session->settings, status == STATUS_OK);
        if (catalog_changed)
            session_renew_plans(session);
        session_settle_changes(session, status == STATUS_OK);
        return status;
    }
    *tag_out = ast->transaction == AST_COMMIT && txn == NULL ? "COMMIT" : "ROLLBACK";
    qtdb_rollback(txn);
    session_settle_changes(session, false);
    session_cursor_end(session, false);
    settings_end(session->settings, false);
    return STATUS_OK;
}

enum status
session_transaction(struct qtdb_session *session, const struct ast_statement *ast,
                    const char **tag_out, struct sql_error *error)
{
    struct ast_transaction_modes modes = {(int32_t)session->isolation, session->read_only};

    TRY(session_refuse_load(session, error));
    if (ast->transaction >= AST_SAVEPOINT)
        return savepoint_statement(session, ast, tag_out, error);
    if (ast->transaction == AST_BEGIN) {
        *tag_out = "BEGIN";
        session->block_us = 0;
        return begin_block(session, &ast->modes, error);
    }
    if (ast->chain && session->txn == NULL)
        return sql_error_set(error, "25P01", -1,
                             "%s AND CHAIN can only be used in transaction blocks",
                             ast->transaction == AST_COMMIT ? "COMMIT" : "ROLLBACK");
    TRY(end_block(session, ast, tag_out, error));
    if (!ast->chain)
        return STATUS_OK;
    session->block_us = 0;
    return begin_block(session, &modes, error);
}

/* A 1-based character position from a byte offset. */
static uint32_t
position_of(const char *sql, int32_t location)
{
    uint32_t position = 1;

    if (location < 0 || sql == NULL)
        return 0;
    for (int32_t i = 0; i < location && sql[i] != '\0'; i++)
        position += ((unsigned char)sql[i] & 0xc0) != 0x80;
    return position;
}

enum qtdb_code
session_report(enum status status, const struct sql_error *error, const char *sql)
{
    CHECK(status != STATUS_OK);
    if (status == STATUS_NO_MEMORY && error->sqlstate[0] == '\0')
        return api_error_set(QTDB_NO_MEMORY, "53200", 0, false, "out of memory");
    if (error->sqlstate[0] == '\0')
        return api_error(status);
    return api_error_set((enum qtdb_code)status, error->sqlstate, position_of(sql, error->location),
                         status == STATUS_CONFLICT, "%s", error->message);
}
