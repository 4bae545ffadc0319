/*
 * DECLARE, FETCH, MOVE and CLOSE. DECLARE runs its query as the statement's own, to the end (session_cursor.h). FETCH turns
 * what it was asked for into a first row, a direction and a count, and hands out one row a step.
 */
#include <limits.h>
#include <string.h>

#include "executor/ast_define.h"
#include "executor/session.h"
#include "executor/session_cursor.h"
#include "kernel/api_error.h"
#include "kernel/base/check.h"

static enum status
note_failure(const struct qtdb_statement *statement, enum status status)
{
    if (status != STATUS_OK && statement->session->txn != NULL)
        statement->session->aborted = true;
    return status;
}

static enum status
refuse_unknown(struct qtdb_statement *statement)
{
    return sql_error_set(&statement->error, "34000", -1, "cursor \"%s\" does not exist",
                         statement->ast->cursor->name);
}

/* DECLARE. */

/* `statement` is at its first step of the query. */
static enum status
collect(struct qtdb_statement *statement, const char *name, struct session_cursor **out)
{
    struct session_cursor *cursor = NULL;
    enum status status = STATUS_OK;
    enum qtdb_code code;

    if (!statement__prepare_rows(statement))
        return (enum status)qtdb_error_last()->code;
    cursor =
        cursor_new(&statement->context, name, statement__columns(statement), statement->visible);
    if (cursor == NULL)
        return STATUS_NO_MEMORY;
    do {
        code = qtdb_step(statement);
        if (code == QTDB_ROW)
            status = cursor_add(cursor, statement->row_values, &statement->error);
    } while (code == QTDB_ROW && status == STATUS_OK);
    if (status == STATUS_OK)
        status = code == QTDB_DONE ? cursor_finish(cursor, &statement->error) : (enum status)code;
    if (status != STATUS_OK) {
        cursor_free(cursor);
        return status;
    }
    *out = cursor;
    return STATUS_OK;
}

static enum status
run_query(struct qtdb_statement *statement, struct session_cursor **out)
{
    struct ast_statement *ast = statement->ast;

    statement->ast = ast->cursor->query;
    enum status status = collect(statement, ast->cursor->name, out);
    struct sql_error error = statement->error;
    qtdb_reset(statement);
    statement->error = error;
    statement->ast = ast;
    return status;
}

static enum status
declare(struct qtdb_statement *statement)
{
    struct qtdb_session *session = statement->session;
    const struct ast_cursor *ast = statement->ast->cursor;
    struct session_cursor *cursor = NULL;

    TRY(session_refuse_aborted(session, &statement->error));
    if (session->txn == NULL && !ast->hold)
        return sql_error_set(&statement->error, "25P01", -1,
                             "DECLARE CURSOR can only be used in transaction blocks");
    if (ast->hold && ast->query->locks)
        return sql_error_set(&statement->error, "0A000", -1,
                             "DECLARE CURSOR WITH HOLD ... FOR UPDATE is not supported");
    if (session_cursor_find(session, ast->name) != NULL)
        return sql_error_set(&statement->error, "42P03", -1, "cursor \"%s\" already exists",
                             ast->name);
    TRY(run_query(statement, &cursor));
    CHECK(cursor != NULL);
    cursor->serial = ++session->cursor_serial;
    cursor->forward_only = ast->no_scroll;
    cursor->hold = ast->hold;
    cursor->fresh = session->txn != NULL;
    cursor->next = session->cursors;
    session->cursors = cursor;
    return STATUS_OK;
}

enum status
statement__declare(struct qtdb_statement *statement)
{
    enum status status = note_failure(statement, declare(statement));

    statement->tag = "DECLARE CURSOR";
    statement->tag_counts = false;
    return status;
}

enum status
statement__close_cursor(struct qtdb_statement *statement)
{
    struct qtdb_session *session = statement->session;
    const char *name = statement->ast->cursor->name;

    TRY(session_refuse_aborted(session, &statement->error));
    statement->tag = name == NULL ? "CLOSE CURSOR ALL" : "CLOSE CURSOR";
    statement->tag_counts = false;
    if (name != NULL && session_cursor_find(session, name) == NULL)
        return note_failure(statement, refuse_unknown(statement));
    session_cursor_close(session, name);
    return STATUS_OK;
}

/* FETCH. */

enum status
statement__find_cursor(struct qtdb_statement *statement)
{
    struct qtdb_session *session = statement->session;

    statement->error = (struct sql_error){.location = -1};
    TRY(session_refuse_aborted(session, &statement->error));
    const struct session_cursor *cursor =
        session_cursor_find(session, statement->ast->cursor->name);
    if (cursor == NULL)
        return note_failure(statement, refuse_unknown(statement));
    if (cursor->failed)
        return note_failure(statement, sql_error_set(&statement->error, "55000", -1,
                                                     "portal \"%s\" cannot be run", cursor->name));
    arena_reset(&statement->bound);
    struct rel_column *columns =
        arena_alloc(&statement->bound, cursor->column_count * sizeof(*columns));
    if (columns == NULL)
        return note_failure(statement, STATUS_NO_MEMORY);
    for (uint32_t i = 0; i < cursor->column_count; i++) {
        const char *name = cursor->columns[i].name;

        columns[i] = cursor->columns[i];
        columns[i].name = arena_copy_text(&statement->bound, name, strlen(name));
        if (columns[i].name == NULL)
            return note_failure(statement, STATUS_NO_MEMORY);
    }
    statement->fetched_columns = columns;
    statement->fetched_serial = cursor->serial;
    statement->visible = statement->ast->cursor->moves ? 0 : cursor->column_count;
    statement->fetch_left = -1;
    statement->phase = STATEMENT_BOUND;
    return STATUS_OK;
}

static enum status
refuse_backward(struct qtdb_statement *statement)
{
    return sql_error_set(&statement->error, "55000", -1, "cursor can only scan forward");
}

/* Where the cursor stands before its first step, how it steps, and how often. */
struct walk {
    uint64_t from;
    bool backward;
    uint64_t count;
};

static bool
is_on_row(const struct session_cursor *cursor)
{
    return cursor->position >= 1 && cursor->position <= cursor->count;
}

/* Forward or backward by a count, which may be negative; 0 is the row the cursor is on. */
static struct walk
walk_by(const struct session_cursor *cursor, int64_t count, bool backward)
{
    if (count == 0)
        return (struct walk){cursor->position - (is_on_row(cursor) ? 1 : 0), false,
                             is_on_row(cursor) ? 1 : 0};
    if (count < 0) {
        backward = !backward;
        count = count == INT64_MIN ? INT64_MAX : -count;
    }
    return (struct walk){cursor->position, backward, (uint64_t)count};
}

/* To the row of a number, and it alone; from the end below 0. */
static struct walk
walk_to(const struct session_cursor *cursor, int64_t number)
{
    uint64_t end = cursor->count + 1;

    if (number < 0 && (uint64_t)-number <= cursor->count)
        number = (int64_t)(end - (uint64_t)-number);
    if (number <= 0)
        return (struct walk){0, true, 1}; /* Before the first, where there is no row. */
    if ((uint64_t)number > cursor->count)
        return (struct walk){end, false, 1};
    return (struct walk){(uint64_t)number - 1, false, 1};
}

static int64_t
add_bounded(uint64_t position, int64_t count)
{
    int64_t sum;

    return __builtin_add_overflow((int64_t)position, count, &sum) ? INT64_MAX : sum;
}

static struct walk
plan_walk(const struct session_cursor *cursor, const struct ast_cursor *ast)
{
    switch (ast->direction) {
    case AST_FETCH_ABSOLUTE:
        return walk_to(cursor, ast->count);
    case AST_FETCH_RELATIVE: {
        int64_t number = add_bounded(cursor->position, ast->count);

        return ast->count == 0 ? walk_by(cursor, 0, false)
                               : walk_to(cursor, number < 0 ? 0 : number);
    }
    default:
        return walk_by(cursor, ast->count, ast->direction == AST_FETCH_BACKWARD);
    }
}

static enum status
begin_walk(struct qtdb_statement *statement, struct session_cursor *cursor)
{
    const struct ast_cursor *ast = statement->ast->cursor;
    struct walk walk = plan_walk(cursor, ast);
    bool from_end = ast->direction == AST_FETCH_ABSOLUTE && ast->count < 0;

    if (cursor->forward_only && (walk.backward || walk.from < cursor->position || from_end) &&
        walk.count > 0 && !(walk.backward && cursor->position == 0 && !from_end))
        return refuse_backward(statement);
    cursor->position = walk.from;
    statement->fetch_backward = walk.backward;
    statement->fetch_left = walk.count > INT64_MAX ? INT64_MAX : (int64_t)walk.count;
    return STATUS_OK;
}

/* One row on; false: there is none, and the cursor stands before the first or behind the last. */
static bool
step_on(struct session_cursor *cursor, bool backward)
{
    uint64_t end = cursor->count + 1;

    if (backward)
        cursor->position -= cursor->position > 0;
    else
        cursor->position += cursor->position < end;
    return is_on_row(cursor);
}

static enum status
next_fetched(struct qtdb_statement *statement, bool *out)
{
    struct session_cursor *cursor =
        session_cursor_find(statement->session, statement->ast->cursor->name);
    struct value *row = NULL;

    *out = false;
    if (cursor == NULL || cursor->serial != statement->fetched_serial)
        return refuse_unknown(statement);
    if (statement->fetch_left < 0)
        TRY(begin_walk(statement, cursor));
    if (statement->fetch_left == 0 || !step_on(cursor, statement->fetch_backward))
        return STATUS_OK;
    statement->fetch_left--;
    statement->row_count++;
    *out = true;
    if (statement->ast->cursor->moves)
        return STATUS_OK;
    TRY(cursor_read(cursor, cursor->position, &statement->row, &row, &statement->error));
    statement->row_values = row;
    return STATUS_OK;
}

enum qtdb_code
statement__step_fetch(struct qtdb_statement *statement)
{
    bool moves = statement->ast->cursor->moves, row = false;
    enum status status = STATUS_OK;

    if (!statement__prepare_rows(statement))
        return qtdb_error_last()->code;
    do {
        arena_reset(&statement->row);
        status = next_fetched(statement, &row);
    } while (status == STATUS_OK && row && moves);
    if (status != STATUS_OK) {
        struct session_cursor *cursor =
            session_cursor_find(statement->session, statement->ast->cursor->name);

        if (cursor != NULL)
            cursor->failed = true;
        return statement__fail(statement, note_failure(statement, status));
    }
    if (row) {
        statement->phase = STATEMENT_ROWS;
        return QTDB_ROW;
    }
    statement__set_tag(statement, moves ? "MOVE" : "FETCH", statement->row_count);
    statement->phase = STATEMENT_DONE;
    return QTDB_DONE;
}
