/* COPY as a statement, and the client's side of it. */
#include <stdio.h>
#include <string.h>

#include "executor/exec_copy.h"
#include "executor/session.h"
#include "kernel/base/check.h"

void
qtdb_session_set_copy(struct qtdb_session *session, const struct qtdb_copy *copy)
{
    session->copy = (struct qtdb_copy){.size = sizeof(session->copy)};
    if (copy == NULL)
        return;
    CHECK(copy->size > 0);
    memcpy(&session->copy, copy, copy->size < sizeof(*copy) ? copy->size : sizeof(*copy));
}

enum status
statement__copy(struct qtdb_statement *statement)
{
    struct qtdb_session *session = statement->session;
    const struct table *table = NULL;
    struct arena arena;
    enum status status;

    atomic_store(&session->interrupted, false);
    session->progress.row_count = 0;
    arena_init(&arena, session->memory, MEMORY_SQL);
    statement->looked = false;
    do {
        status = statement__enter(statement);
        if (status == STATUS_OK)
            status = exec_copy(&statement->context, statement->ast->copy, &session->copy, &arena,
                               &table, &statement->row_count);
    } while (status == STATUS_MISSING && statement__look_first(statement));
    if (status == STATUS_OK && table != NULL)
        session_note_changes(session, table, statement->row_count);
    arena_deinit(&arena);
    statement__set_tag(statement, "COPY", statement->row_count);
    status = statement__leave(statement, status);
    session_settle_changes(session, status == STATUS_OK);
    return status;
}
