/*
 * SQL: the shell's .dump (tools/common/sql_dump.h). It is verified by doing what it is for: the file is run,
 * statement by statement, on a new database beside it, and that database has to have the same definitions,
 * sequences and rows.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/common/sql_dump.h"
#include "tools/common/sql_scan.h"
#include "tools/qtdb-migrate/back_file.h"
#include "tools/qtdb-migrate/migrate_target.h"

enum { PIECE_SIZE = 64 * 1024 };

/* Writing. */

struct writing {
    struct back *back;
    enum status status;
    struct back_table *table;
};

static bool
take_row(void *context, const struct sql_table *table, struct qtdb_statement *row)
{
    struct writing *writing = context;
    struct back *back = writing->back;

    while (writing->table->table != table)
        writing->table++;
    writing->status = back_sum_texts(back, table, row, &writing->table->source_sum);
    if (writing->status == STATUS_OK)
        writing->status = back_count_row(back);
    return writing->status == STATUS_OK;
}

static enum status
write_sql(struct back *back)
{
    struct writing writing = {.back = back, .table = back->tables};
    struct sql_dump dump = {
        .session = back->session,
        .memory = back->env.memory,
        .row = take_row,
        .context = &writing,
    };
    struct back_file file;

    TRY(back_file_open(back, back->partial, &file));
    dump.file = file.stream;
    bool ok = sql_dump_write(&dump, &back->catalog);
    return back_file_close(&file, ok ? STATUS_OK
                                  : dump.stopped
                                      ? writing.status
                                      : back_fail(back, STATUS_FAILED, "%s", dump.fault));
}

/* Restoring. */

struct restore {
    struct back *back;
    struct qtdb_session *session;
    struct sql_scan scan;
    struct text_buffer statement;
};

static enum status
run_piece(struct restore *restore, const char *bytes, size_t size)
{
    while (size > 0) {
        bool ended = false;
        size_t taken = sql_scan_feed(&restore->scan, bytes, size, &ended);

        text_buffer_add(&restore->statement, bytes, taken);
        bytes += taken;
        size -= taken;
        if (restore->statement.failed)
            return back_fail(restore->back, STATUS_NO_MEMORY, "out of memory");
        if (!ended)
            continue;
        /* As the shell: the text of a view begins with its first word. */
        const char *sql = restore->statement.bytes + strspn(restore->statement.bytes, " \t\r\n");
        if (qtdb_exec(restore->session, sql, NULL, NULL) != QTDB_OK)
            return back_fail(restore->back, STATUS_CORRUPT, "%s cannot be restored: %s: %.200s",
                             restore->back->partial, qtdb_error_last()->message, sql);
        text_buffer_reset(&restore->statement);
    }
    return STATUS_OK;
}

static enum status
run_file(struct restore *restore, FILE *file)
{
    struct back *back = restore->back;
    char *piece = memory_alloc(back->env.memory, MEMORY_OTHER, PIECE_SIZE);
    enum status status =
        piece != NULL ? STATUS_OK : back_fail(back, STATUS_NO_MEMORY, "out of memory");
    size_t got;

    while (status == STATUS_OK && (got = fread(piece, 1, PIECE_SIZE, file)) > 0) {
        status = run_piece(restore, piece, got);
        if (status == STATUS_OK && tool_stop_requested())
            status = back_fail(back, STATUS_STOPPED, "interrupted; nothing was left behind");
    }
    memory_free(back->env.memory, MEMORY_OTHER, piece, PIECE_SIZE);
    if (status == STATUS_OK && ferror(file))
        status = back_fail(back, STATUS_IO, "%s: %s", back->partial, strerror(errno));
    if (status == STATUS_OK && !sql_scan_is_blank(&restore->scan))
        status = back_fail(back, STATUS_CORRUPT, "%s ends within a statement", back->partial);
    return status;
}

/* Comparing what was restored. */

static bool
same_text(const char *left, const char *right)
{
    return left == NULL || right == NULL ? left == right : strcmp(left, right) == 0;
}

static enum status
compare_catalogs(struct back *back, const struct sql_catalog *restored)
{
    const struct sql_definition *left = back->catalog.definitions;
    const struct sql_definition *right = restored->definitions;
    const struct sql_sequence *one = back->catalog.sequences;
    const struct sql_sequence *other = restored->sequences;

    for (; left != NULL && right != NULL; left = left->next, right = right->next) {
        if (!same_text(left->sql, right->sql))
            return back_fail(back, STATUS_CORRUPT, "%s %s.%s is restored as: %.300s", left->kind,
                             left->schema, left->name, right->sql);
    }
    for (; one != NULL && other != NULL; one = one->following, other = other->following) {
        if (!same_text(one->name, other->name) || !same_text(one->next, other->next))
            return back_fail(back, STATUS_CORRUPT, "sequence %s.%s is restored at another value",
                             one->schema, one->name);
    }
    if (left != NULL || right != NULL || one != NULL || other != NULL)
        return back_fail(back, STATUS_CORRUPT, "other definitions are restored than were written");
    return STATUS_OK;
}

static enum status
sum_table(struct back *back, struct qtdb_session *session, struct back_table *table)
{
    struct qtdb_statement *select = NULL;
    enum qtdb_code code = QTDB_DONE;
    enum status status = back_select(back, session, table->table, &select);

    while (status == STATUS_OK && (code = qtdb_step(select)) == QTDB_ROW) {
        status = back_sum_texts(back, table->table, select, &table->target_sum);
        if (status == STATUS_OK)
            status = back_count_row(back);
    }
    if (status == STATUS_OK && code != QTDB_DONE)
        status = back_fail(back, STATUS_FAILED, "%s", qtdb_error_last()->message);
    qtdb_finalize(select);
    return status;
}

static enum status
compare_restored(struct back *back, struct qtdb_session *session)
{
    struct sql_catalog restored;
    struct arena arena;

    arena_init(&arena, back->env.memory, MEMORY_OTHER);
    enum status status = sql_catalog_load(&restored, session, &arena)
                             ? compare_catalogs(back, &restored)
                             : back_fail(back, STATUS_FAILED, "%s", restored.fault);
    arena_deinit(&arena);
    for (uint32_t i = 0; status == STATUS_OK && i < back->catalog.table_count; i++)
        status = sum_table(back, session, &back->tables[i]);
    return status;
}

static enum status
restore_file(struct back *back, struct qtdb_session *session)
{
    struct restore restore = {.back = back, .session = session};
    FILE *file = fopen(back->partial, "rb");

    if (file == NULL)
        return back_fail(back, STATUS_IO, "%s: %s", back->partial, strerror(errno));
    sql_scan_init(&restore.scan);
    text_buffer_init(&restore.statement, back->env.memory);
    enum status status = run_file(&restore, file);
    text_buffer_deinit(&restore.statement);
    (void)fclose(file);
    return status;
}

static enum status
verify_sql(struct back *back)
{
    struct migrate_target target;
    char path[IO_PATH_SIZE];

    (void)snprintf(path, sizeof(path), "%.*s.check", IO_PATH_SIZE - 16, back->partial);
    enum status status = target_open(&back->env, path, false, &target);
    if (status != STATUS_OK)
        status = back_fail(back, status, "%s", target.fault);
    if (status == STATUS_OK)
        status = restore_file(back, target.session);
    if (status == STATUS_OK)
        status = compare_restored(back, target.session);
    target_discard(&target);
    if (target.made && status == STATUS_OK)
        status = back_fail(back, STATUS_IO, "%s is left: %s", target.partial, error_message());
    return status;
}

const struct back_form back_sql = {.name = "sql", .write = write_sql, .verify = verify_sql};
