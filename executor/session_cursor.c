/* The rows of cursors, and the session's list of them (session_cursor.h). */
#include "executor/session_cursor.h"

#include <string.h>

#include "executor/session.h"
#include "kernel/base/check.h"

static enum status
copy_columns(struct session_cursor *cursor, const char *name, const struct rel_column *columns,
             uint32_t column_count)
{
    cursor->name = arena_copy_text(&cursor->arena, name, strlen(name));
    cursor->columns = arena_alloc(&cursor->arena, column_count * sizeof(*columns));
    if (cursor->name == NULL || cursor->columns == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < column_count; i++) {
        const char *from = columns[i].name;

        cursor->columns[i] = columns[i];
        cursor->columns[i].name = arena_copy_text(&cursor->arena, from, strlen(from));
        if (cursor->columns[i].name == NULL)
            return STATUS_NO_MEMORY;
    }
    cursor->column_count = column_count;
    return STATUS_OK;
}

struct session_cursor *
cursor_new(const struct exec_context *context, const char *name, const struct rel_column *columns,
           uint32_t column_count)
{
    struct session_cursor *cursor = memory_alloc(context->memory, MEMORY_SQL, sizeof(*cursor));

    if (cursor == NULL)
        return NULL;
    cursor->memory = context->memory;
    cursor->context = (struct exec_context){.memory = context->memory,
                                            .db = context->db,
                                            .io = context->io,
                                            .memory_limit = context->memory_limit,
                                            .work_limit = context->work_limit};
    cursor->spill.context = &cursor->context;
    arena_init(&cursor->arena, context->memory, MEMORY_SQL);
    arena_init(&cursor->rows.arena, context->memory, MEMORY_SQL);
    cursor->rows.width = column_count;
    exec__stream_init(&cursor->rest, &cursor->spill, column_count);
    if (copy_columns(cursor, name, columns, column_count) != STATUS_OK) {
        cursor_free(cursor);
        return NULL;
    }
    return cursor;
}

enum status
cursor_add(struct session_cursor *cursor, const struct value *row, struct sql_error *error)
{
    cursor->context.error = error;
    cursor->count++;
    if (!cursor->has_rest)
        cursor->has_rest = cursor->rows.arena.total_size > exec__work_limit(&cursor->context);
    return cursor->has_rest ? exec__stream_add(&cursor->rest, row)
                            : exec__rows_add(&cursor->rows, row);
}

enum status
cursor_finish(struct session_cursor *cursor, struct sql_error *error)
{
    cursor->context.error = error;
    return cursor->has_rest ? exec__stream_finish(&cursor->rest) : STATUS_OK;
}

/* The file's row of this number, from 1. */
static enum status
read_rest(struct session_cursor *cursor, uint64_t number, struct arena *arena, struct value *row)
{
    bool more = true;

    if (cursor->reads && cursor->read_count >= number) {
        exec__reader_deinit(&cursor->reader);
        cursor->reads = false;
    }
    if (!cursor->reads) {
        cursor->read_count = 0;
        TRY(exec__reader_init(&cursor->reader, &cursor->rest));
        cursor->reads = true;
    }
    while (more && cursor->read_count < number) {
        TRY(exec__reader_next(&cursor->reader, arena, row, &more));
        cursor->read_count++;
        if (cursor->read_count < number)
            arena_reset(arena);
    }
    CHECK(more);
    return STATUS_OK;
}

enum status
cursor_read(struct session_cursor *cursor, uint64_t number, struct arena *arena, struct value **out,
            struct sql_error *error)
{
    uint64_t held = cursor->rows.count;
    struct arena scratch;

    CHECK(number >= 1 && number <= cursor->count);
    cursor->context.error = error;
    if (number <= held)
        return exec__keep_row(cursor->rows.rows[number - 1], cursor->column_count, arena, out);
    struct value *row =
        memory_alloc(cursor->memory, MEMORY_SQL, (cursor->column_count + 1) * sizeof(*row));
    if (row == NULL)
        return STATUS_NO_MEMORY;
    arena_init(&scratch, cursor->memory, MEMORY_SQL);
    enum status status = read_rest(cursor, number - held, &scratch, row);
    if (status == STATUS_OK)
        status = exec__keep_row(row, cursor->column_count, arena, out);
    arena_deinit(&scratch);
    memory_free(cursor->memory, MEMORY_SQL, row, (cursor->column_count + 1) * sizeof(*row));
    return status;
}

void
cursor_free(struct session_cursor *cursor)
{
    if (cursor == NULL)
        return;
    if (cursor->reads)
        exec__reader_deinit(&cursor->reader);
    exec__stream_deinit(&cursor->rest);
    exec__spill_deinit(&cursor->spill);
    arena_deinit(&cursor->rows.arena);
    arena_deinit(&cursor->arena);
    memory_free(cursor->memory, MEMORY_SQL, cursor, sizeof(*cursor));
}

/* The session's. */

struct session_cursor *
session_cursor_find(const struct qtdb_session *session, const char *name)
{
    struct session_cursor *cursor = session->cursors;

    while (cursor != NULL && strcmp(cursor->name, name) != 0)
        cursor = cursor->next;
    return cursor;
}

/* What of the list stays. */
typedef bool keep_fn(const struct session_cursor *cursor, uint64_t serial);

static void
sweep(struct qtdb_session *session, keep_fn *keeps, uint64_t serial)
{
    struct session_cursor **link = &session->cursors;

    while (*link != NULL) {
        struct session_cursor *cursor = *link;

        if (keeps(cursor, serial)) {
            link = &cursor->next;
            continue;
        }
        *link = cursor->next;
        cursor_free(cursor);
    }
}

static bool
keeps_none(const struct session_cursor *cursor, uint64_t serial)
{
    (void)cursor, (void)serial;
    return false;
}

static bool
keeps_others(const struct session_cursor *cursor, uint64_t serial)
{
    return cursor->serial != serial;
}

static bool
keeps_held(const struct session_cursor *cursor, uint64_t serial)
{
    (void)serial;
    return cursor->hold;
}

static bool
keeps_old(const struct session_cursor *cursor, uint64_t serial)
{
    (void)serial;
    return !cursor->fresh;
}

static bool
keeps_before(const struct session_cursor *cursor, uint64_t serial)
{
    return cursor->serial <= serial;
}

void
session_cursor_close(struct qtdb_session *session, const char *name)
{
    const struct session_cursor *cursor = name != NULL ? session_cursor_find(session, name) : NULL;

    if (name == NULL)
        sweep(session, keeps_none, 0);
    else if (cursor != NULL)
        sweep(session, keeps_others, cursor->serial);
}

void
session_cursor_end(struct qtdb_session *session, bool committed)
{
    if (session->cursors == NULL)
        return;
    sweep(session, committed ? keeps_held : keeps_old, 0);
    for (struct session_cursor *cursor = session->cursors; cursor != NULL; cursor = cursor->next)
        cursor->fresh = false;
}

void
session_cursor_undo(struct qtdb_session *session, uint64_t serial)
{
    sweep(session, keeps_before, serial);
}
