/*
 * A session: one transaction block at a time. Outside a block each statement is a transaction of its
 * own. A statement that fails inside a block leaves the block aborted until ROLLBACK (25P02).
 */
#include "executor/session.h"

#include <string.h>

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
    *out = session;
    return QTDB_OK;
}

void
qtdb_session_close(struct qtdb_session *session)
{
    if (session == NULL)
        return;
    qtdb_rollback(session->txn);
    memory_free(session->memory, MEMORY_SQL, session, sizeof(*session));
}

void
qtdb_interrupt(struct qtdb_session *session)
{
    atomic_store(&session->interrupted, true);
}

static enum status
begin_block(struct qtdb_session *session, struct sql_error *error)
{
    struct qtdb_txn_options options = {.size = sizeof(options)};

    if (session->txn != NULL)
        return STATUS_OK; /* PostgreSQL warns and goes on. */
    session->aborted = session->catalog_changed = false;
    return sql_from_code(qtdb_begin(session->db, &options, &session->txn), error);
}

enum status
session_transaction(struct qtdb_session *session, enum ast_transaction_kind kind,
                    const char **tag_out, struct sql_error *error)
{
    struct qtdb_txn *txn = session->txn;
    bool aborted = session->aborted;

    if (kind == AST_BEGIN) {
        *tag_out = "BEGIN";
        return begin_block(session, error);
    }
    session->txn = NULL;
    session->aborted = session->catalog_changed = false;
    if (kind == AST_COMMIT && txn != NULL && !aborted) {
        *tag_out = "COMMIT";
        return sql_from_code(qtdb_commit(txn), error);
    }
    *tag_out = kind == AST_COMMIT && txn == NULL ? "COMMIT" : "ROLLBACK";
    qtdb_rollback(txn);
    return STATUS_OK;
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
