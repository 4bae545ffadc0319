/*
 * LOCK TABLE, CHECKPOINT and DISCARD.
 *
 * A table is locked by its definition's key, which every change of its rows takes shared: a mode that keeps
 * others from changing rows takes it exclusively, the weaker ones shared. Readers have their snapshots and
 * are kept out by no mode.
 */
#include <stdio.h>
#include <string.h>

#include "executor/ast_define.h"
#include "executor/session.h"
#include "executor/session_cursor.h"
#include "executor/sql_sequence.h"
#include "kernel/base/check.h"

/* LOCK TABLE. */

static enum status
lock_table(struct exec_context *context, const struct ast_name *name, const struct ast_lock *ast,
           struct arena *arena)
{
    enum qtdb_lock_mode mode = ast->exclusive ? QTDB_LOCK_EXCLUSIVE : QTDB_LOCK_SHARED;
    struct table *table = NULL;
    struct ast_name found;

    TRY(search_path_find(context->txn, context->path, name, "t", &found, context->error));
    TRY(table_find(context->txn, &found, arena, &table, context->error));
    CHECK(table != NULL);
    enum status status =
        catalog_try_lock(context->txn, table->schema, table->name, mode, ast->wait, context->error);
    if (status == STATUS_BUSY && !ast->wait)
        return sql_error_set(context->error, "55P03", name->location,
                             "could not obtain lock on relation \"%s\"", table->name);
    TRY(status);
    return sql_from_code(qtdb_refresh(context->txn), context->error);
}

static enum status
lock_tables(struct qtdb_statement *statement)
{
    const struct ast_lock *ast = statement->ast->lock;
    struct arena arena;
    enum status status;

    statement->tag = "LOCK TABLE";
    if (statement->session->txn == NULL)
        return sql_error_set(&statement->error, "25P01", -1,
                             "LOCK TABLE can only be used in transaction blocks");
    arena_init(&arena, statement->session->memory, MEMORY_SQL);
    status = statement__enter(statement);
    for (uint32_t i = 0; i < ast->count && status == STATUS_OK; i++)
        status = lock_table(&statement->context, &ast->tables[i], ast, &arena);
    arena_deinit(&arena);
    return statement__leave(statement, status);
}

/* DISCARD. */

static enum status
discard_temporary(struct qtdb_statement *statement)
{
    struct qtdb_session *session = statement->session;
    char sql[TEMPORARY_NAME_SIZE + 40];

    if (session->temporary[0] == '\0')
        return STATUS_OK;
    (void)snprintf(sql, sizeof(sql), "DROP SCHEMA IF EXISTS %s CASCADE", session->temporary);
    return sql_from_code(qtdb_exec(session, sql, NULL, NULL), &statement->error);
}

static enum status
discard(struct qtdb_statement *statement)
{
    struct qtdb_session *session = statement->session;
    enum ast_discard what = statement->ast->discard;
    bool all = what == AST_DISCARD_ALL;

    if (session->aborted)
        return sql_error_set(&statement->error, "25P02", -1,
                             "current transaction is aborted, commands ignored until end of "
                             "transaction block");
    if (all && session->txn != NULL) {
        session->aborted = true;
        return sql_error_set(&statement->error, "25001", -1,
                             "DISCARD ALL cannot run inside a transaction block");
    }
    if (all) {
        TRY(settings_reset(session->settings, NULL, false, false, &statement->error));
        session_forget_prepared(session);
        session_cursor_close(session, NULL);
    }
    if (all || what == AST_DISCARD_TEMPORARY)
        TRY(discard_temporary(statement));
    if (all || what == AST_DISCARD_SEQUENCES)
        sequence_memory_forget(session->sequences);
    if (all || what == AST_DISCARD_PLANS)
        statement__cache_clear(session);
    return STATUS_OK;
}

enum status
statement__maintain(struct qtdb_statement *statement)
{
    static const char *const discarded[] = {[AST_DISCARD_ALL] = "DISCARD ALL",
                                            [AST_DISCARD_PLANS] = "DISCARD PLANS",
                                            [AST_DISCARD_SEQUENCES] = "DISCARD SEQUENCES",
                                            [AST_DISCARD_TEMPORARY] = "DISCARD TEMP"};

    if (statement->ast->kind == AST_LOCK)
        return lock_tables(statement);
    if (statement->ast->kind == AST_DISCARD) {
        statement->tag = discarded[statement->ast->discard];
        return discard(statement);
    }
    CHECK(statement->ast->kind == AST_CHECKPOINT);
    statement->tag = "CHECKPOINT";
    if (statement->session->aborted)
        return sql_error_set(&statement->error, "25P02", -1,
                             "current transaction is aborted, commands ignored until end of "
                             "transaction block");
    return sql_from_code(qtdb_checkpoint(statement->session->db), &statement->error);
}
