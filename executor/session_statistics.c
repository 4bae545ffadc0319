/*
 * Statistics and sessions: ANALYZE and VACUUM as statements, and statistics made anew by themselves.
 *
 * Changed rows are counted for each table, of all sessions together (database_notes), when what changed them
 * is committed. Past STALE_ROWS and half of the rows that the table had when it was last looked at its
 * statistics are stale (statistics.h), and all plans are made anew at their next use. A plan that then asks for
 * the table's statistics has them made first: the statement steps back to before its beginning, the table is
 * looked at in a transaction of its own, and the statement begins again. So who only loads pays nothing,
 * and no plan is made of stale statistics, save in a block that cannot see new ones.
 *
 * Looking is bounded (statistics_sample.c), waits for nobody, need not be durable, and if it fails the plan is
 * made of what there is.
 */
#include <string.h>

#include "executor/exec_analyze.h"
#include "executor/search_path.h"
#include "executor/session.h"
#include "executor/statistics.h"
#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/database.h"

void
session_renew_plans(struct qtdb_session *session)
{
    (void)atomic_fetch_add(&database_notes(session->db)->version, 1);
}

/* Counting. */

static void
count_changes(struct qtdb_session *session, const struct session_changes *changes)
{
    if (statistics_note_changes(database_notes(session->db), changes->table_id, changes->count))
        session_renew_plans(session);
}

void
session_note_changes(struct qtdb_session *session, const struct table *table, uint64_t count)
{
    struct session_changes *changes = session->changes;
    uint32_t i = 0;

    while (i < session->changes_count && changes[i].table_id != table->id)
        i++;
    if (i == SESSION_CHANGES_MAX) {
        count_changes(session, &(struct session_changes){table->id, count});
        return;
    }
    if (i == session->changes_count)
        changes[session->changes_count++] = (struct session_changes){.table_id = table->id};
    changes[i].count += count;
}

void
session_settle_changes(struct qtdb_session *session, bool committed)
{
    if (session->txn != NULL)
        return;
    for (uint32_t i = 0; i < session->changes_count && committed; i++)
        count_changes(session, &session->changes[i]);
    session->changes_count = 0;
}

/* Keeping fresh. */

static enum status
look_at(struct qtdb_session *session, struct qtdb_txn *txn, const struct table *table,
        struct sql_error *error)
{
    const struct ast_analyze_table name = {.name = {table->schema, table->name, -1}};
    struct exec_context context = {.txn = txn,
                                   .memory = session->memory,
                                   .error = error,
                                   .interrupted = &session->interrupted,
                                   .db = session->db,
                                   .isolation = QTDB_READ_COMMITTED,
                                   .io = database_io(session->db)};
    struct arena arena;

    arena_init(&arena, session->memory, MEMORY_SQL);
    enum status status = exec_analyze_table(&context, &name, false, &arena);
    arena_deinit(&arena);
    return status;
}

static enum status
look_in_transaction(struct qtdb_session *session, const struct table *table,
                    struct sql_error *error)
{
    struct qtdb_txn_options options = {.size = sizeof(options),
                                       .isolation = QTDB_READ_COMMITTED,
                                       .durability = QTDB_ASYNC,
                                       .lock_timeout_ms = QTDB_NO_WAIT};
    struct qtdb_txn *txn = NULL;

    TRY(sql_from_code(qtdb_begin(session->db, &options, &txn), error));
    enum status status = look_at(session, txn, table, error);
    if (status != STATUS_OK) {
        qtdb_rollback(txn);
        return status;
    }
    return sql_from_code(qtdb_commit(txn), error);
}

/* Back to before statement__enter. */
static void
step_back(struct qtdb_statement *statement)
{
    struct qtdb_txn *txn = statement->context.txn;

    statement__end_run(statement, STATUS_MISSING);
    statement->context.txn = NULL;
    if (statement->own_txn)
        qtdb_rollback(txn);
    statement->own_txn = false;
}

bool
statement__look_first(struct qtdb_statement *statement)
{
    const struct plan_stale *stale = &statement->stale;
    struct qtdb_session *session = statement->session;
    bool renewed = false;

    if (statement->looked || stale->count == 0)
        return false;
    statement->looked = true;
    step_back(statement);
    for (uint32_t i = 0; i < stale->count; i++) {
        struct sql_error error = {.location = -1};

        if (look_in_transaction(session, stale->tables[i], &error) == STATUS_OK)
            renewed = true;
        else
            error_clear(); /* Another plan has another go. */
    }
    if (renewed)
        session_renew_plans(session);
    return true;
}

/* Statements. */

static enum status
run_analyze(struct qtdb_statement *statement)
{
    struct qtdb_session *session = statement->session;
    struct arena arena;
    enum status status;

    atomic_store(&session->interrupted, false);
    arena_init(&arena, session->memory, MEMORY_SQL);
    status = statement__enter(statement);
    bool block = !statement->own_txn;
    if (status == STATUS_OK)
        status = exec_analyze(&statement->context, statement->ast->analyze, &arena);
    if (block)
        session->catalog_changed = true; /* What is planned in the block is not kept. */
    arena_deinit(&arena);
    status = statement__leave(statement, status);
    session_renew_plans(session);
    return status;
}

/* Each table has to be there, though the whole file is worked on. */
static enum status
check_tables(struct qtdb_statement *statement)
{
    const struct ast_analyze *ast = statement->ast->analyze;
    struct arena arena;
    enum status status = statement__enter(statement);

    arena_init(&arena, statement->session->memory, MEMORY_SQL);
    for (uint32_t i = 0; i < ast->count && status == STATUS_OK; i++) {
        struct exec_context *context = &statement->context;
        struct table *table = NULL;
        struct ast_name found;

        status = search_path_find(context->txn, context->path, &ast->tables[i].name, "t", &found,
                                  context->error);
        if (status == STATUS_OK)
            status = table_find(context->txn, &found, &arena, &table, context->error);
    }
    arena_deinit(&arena);
    return statement__leave(statement, status);
}

enum status
statement__analyze(struct qtdb_statement *statement)
{
    bool vacuum = statement->ast->kind == AST_VACUUM;

    statement->tag = vacuum ? "VACUUM" : "ANALYZE";
    if (!vacuum)
        return run_analyze(statement);
    if (statement->session->txn != NULL) {
        statement->session->aborted = true;
        return sql_error_set(&statement->error, "25001", -1,
                             "VACUUM cannot run inside a transaction block");
    }
    TRY(check_tables(statement));
    TRY(sql_from_code(qtdb_shrink(statement->session->db), &statement->error));
    return statement->ast->analyze->analyzes ? run_analyze(statement) : STATUS_OK;
}
