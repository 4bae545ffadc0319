/*
 * Temporary tables of a session: its schema gets a name at the first of them, and is dropped when the session
 * closes. What ON COMMIT asks for is done at the end of the transaction, before it is committed. A table made by
 * what was rolled back leaves an entry that finds nothing.
 */
#include <stdio.h>
#include <string.h>

#include "executor/ast_define.h"
#include "executor/exec_define.h"
#include "executor/session.h"
#include "kernel/base/check.h"
#include "kernel/database.h"

void
session_begin_temporary(struct qtdb_session *session)
{
    if (session->temporary[0] != '\0')
        return;
    temporary_name(session->db, database_io(session->db), session->temporary);
    settings_set_temporary(session->settings, session->temporary);
}

/* Tables with an action. */

static void
forget_action(struct qtdb_session *session, const char *name)
{
    struct session_on_commit **link = &session->on_commit;

    while (*link != NULL && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    struct session_on_commit *entry = *link;
    if (entry == NULL)
        return;
    *link = entry->next;
    memory_free(session->memory, MEMORY_SQL, entry, entry->size);
}

enum status
session_note_temporary(struct qtdb_session *session, const struct ast_statement *ast)
{
    bool query = ast->kind == AST_CREATE_TABLE_AS;

    if (!query && ast->kind != AST_CREATE_TABLE)
        return STATUS_OK;
    enum ast_on_commit action =
        query ? ast->create_table_as->on_commit : ast->create_table->on_commit;
    const char *name = query ? ast->create_table_as->table.name : ast->create_table->table.name;
    size_t size = sizeof(struct session_on_commit) + strlen(name) + 1;
    struct session_on_commit *entry;

    forget_action(session, name);
    if (action == AST_COMMIT_PRESERVE)
        return STATUS_OK;
    entry = memory_alloc(session->memory, MEMORY_SQL, size);
    if (entry == NULL)
        return STATUS_NO_MEMORY;
    *entry = (struct session_on_commit){
        .next = session->on_commit, .size = size, .drops = action == AST_COMMIT_DROP};
    memcpy(entry->name, name, strlen(name) + 1);
    session->on_commit = entry;
    return STATUS_OK;
}

static enum status
act(struct exec_context *context, const struct session_on_commit *entry, struct arena *arena)
{
    struct ast_name name = {context->path->temporary, entry->name, -1};
    struct ast_drop drop = {
        .kind = AST_DROP_TABLE, .cascade = true, .name_count = 1, .names = &name};
    struct ast_statement statement = {.kind = AST_DROP, .drop = &drop};
    struct define_result result;
    enum status status =
        catalog_has(context->txn, CATALOG_TABLE, name.schema, name.name, context->error);

    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(status);
    return entry->drops ? exec_define(context, "", &statement, arena, &result)
                        : temporary_delete_rows(context, &name, arena);
}

enum status
session_end_temporary(struct qtdb_session *session, struct qtdb_txn *txn,
                      enum qtdb_isolation isolation, struct sql_error *error)
{
    struct exec_context context = {
        .txn = txn,
        .memory = session->memory,
        .error = error,
        .interrupted = &session->interrupted,
        .db = session->db,
        .isolation = isolation,
        .path = settings_path(session->settings),
        .path_epoch = settings_path_epoch(session->settings),
        .sequences = session->sequences,
        .io = database_io(session->db),
    };
    enum status status = STATUS_OK;
    struct arena arena;

    if (session->on_commit == NULL)
        return STATUS_OK;
    arena_init(&arena, session->memory, MEMORY_SQL);
    for (const struct session_on_commit *entry = session->on_commit;
         entry != NULL && status == STATUS_OK; entry = entry->next)
        status = act(&context, entry, &arena);
    arena_deinit(&arena);
    return status;
}

/* The lock on definitions may be another session's of the same thread, which would never end: what cannot be had
 * soon is left to the next opening (temporary.h). */
void
session_close_temporary(struct qtdb_session *session)
{
    static const char *const patience[] = {"100ms"};
    struct sql_error error = {.location = -1};
    char sql[TEMPORARY_NAME_SIZE + 40];

    while (session->on_commit != NULL)
        forget_action(session, session->on_commit->name);
    if (session->temporary[0] == '\0')
        return;
    (void)snprintf(sql, sizeof(sql), "DROP SCHEMA IF EXISTS %s CASCADE", session->temporary);
    if (settings_set(session->settings, "lock_timeout", patience, 1, false, false, &error) ==
        STATUS_OK) {
        enum qtdb_code code = qtdb_exec(session, sql, NULL, NULL);

        CHECK(code != QTDB_ROW && code != QTDB_DONE); /* Any failure is as good as done. */
    }
}
