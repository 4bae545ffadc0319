/*
 * Statistics and sessions: ANALYZE and VACUUM as statements, and statistics made anew by themselves.
 *
 * Changed rows are counted for each table, of all sessions together (database_notes). When a statement has
 * brought a table past STALE_ROWS and half of the rows it had when it was last looked at, the session
 * notes it, and at its next boundary, where it has no transaction, looks at it again in one of its own.
 * That is bounded (statistics_sample.c), waits for nobody, need not be durable, and if it fails nothing
 * is lost but its chance.
 */
#include <string.h>

#include "executor/exec_analyze.h"
#include "executor/search_path.h"
#include "executor/session.h"
#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/database.h"

enum { STALE_ROWS = 1000, DUE_MAX = 4 };

/* A table to be looked at: schema and name, each with its NUL. */
struct session_due {
    struct session_due *next;
    size_t size;
    char names[];
};

void
session_renew_plans(struct qtdb_session *session)
{
    (void)atomic_fetch_add(&database_notes(session->db)->version, 1);
}

/* Keeping fresh. */

static bool
is_due(const struct qtdb_session *session, const char *schema, const char *name)
{
    for (const struct session_due *due = session->due; due != NULL; due = due->next) {
        if (strcmp(due->names, schema) == 0 && strcmp(due->names + strlen(schema) + 1, name) == 0)
            return true;
    }
    return false;
}

void
session_note_changes(struct qtdb_session *session, const struct table *table, uint64_t count)
{
    struct database_notes *notes = database_notes(session->db);
    uint32_t place = table->id % DATABASE_NOTES, due_count = 0;
    uint64_t changed = atomic_fetch_add(&notes->changed[place], count) + count;

    if (count == 0 || changed < STALE_ROWS + atomic_load(&notes->rows[place]) / 2)
        return;
    for (const struct session_due *due = session->due; due != NULL; due = due->next)
        due_count++;
    if (due_count == DUE_MAX || is_due(session, table->schema, table->name))
        return;
    size_t schema_size = strlen(table->schema) + 1, name_size = strlen(table->name) + 1;
    size_t size = sizeof(struct session_due) + schema_size + name_size;
    struct session_due *due = memory_alloc(session->memory, MEMORY_SQL, size);
    if (due == NULL) {
        error_clear(); /* Another statement will note it. */
        return;
    }
    *due = (struct session_due){.next = session->due, .size = size};
    memcpy(due->names, table->schema, schema_size);
    memcpy(due->names + schema_size, table->name, name_size);
    session->due = due;
}

void
session_forget_due(struct qtdb_session *session)
{
    while (session->due != NULL) {
        struct session_due *due = session->due;

        session->due = due->next;
        memory_free(session->memory, MEMORY_SQL, due, due->size);
    }
}

static enum status
look_at(struct qtdb_session *session, struct qtdb_txn *txn, const struct session_due *due,
        struct sql_error *error)
{
    const struct ast_analyze_table table = {
        .name = {due->names, due->names + strlen(due->names) + 1, -1}};
    struct exec_context context = {.txn = txn,
                                   .memory = session->memory,
                                   .error = error,
                                   .interrupted = &session->interrupted,
                                   .db = session->db,
                                   .isolation = QTDB_READ_COMMITTED,
                                   .io = database_io(session->db)};
    struct arena arena;

    arena_init(&arena, session->memory, MEMORY_SQL);
    enum status status = exec_analyze_table(&context, &table, false, &arena);
    arena_deinit(&arena);
    return status;
}

static enum status
look_in_transaction(struct qtdb_session *session, const struct session_due *due,
                    struct sql_error *error)
{
    struct qtdb_txn_options options = {.size = sizeof(options),
                                       .isolation = QTDB_READ_COMMITTED,
                                       .durability = QTDB_ASYNC,
                                       .lock_timeout_ms = QTDB_NO_WAIT};
    struct qtdb_txn *txn = NULL;

    TRY(sql_from_code(qtdb_begin(session->db, &options, &txn), error));
    enum status status = look_at(session, txn, due, error);
    if (status != STATUS_OK) {
        qtdb_rollback(txn);
        return status;
    }
    return sql_from_code(qtdb_commit(txn), error);
}

void
session_refresh_statistics(struct qtdb_session *session)
{
    if (session->due == NULL || session->txn != NULL)
        return;
    for (const struct session_due *due = session->due; due != NULL; due = due->next) {
        struct sql_error error = {.location = -1};

        if (look_in_transaction(session, due, &error) != STATUS_OK)
            error_clear(); /* The next change past the bound has another go. */
    }
    session_forget_due(session);
    session_renew_plans(session);
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
