/*
 * .import FILE [TABLE]: rows of another file into the open database. There is one converter: qtdb-migrate
 * makes a temporary database of the file, with types found from all values, and its rows are copied from
 * there by INSERTs, in one transaction. A table that is not there is made; one that is there takes the
 * columns it has by name, in its own types, under its own constraints.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/sql_catalog.h"
#include "tools/common/sql_dump.h"
#include "tools/qtdb/shell.h"

struct import {
    struct shell *shell;
    struct qtdb *db; /* Of the temporary database. */
    struct qtdb_session *session;
    struct sql_catalog catalog;
    struct arena arena;
    const char *wanted; /* The table's name; empty: as the file's. */
    uint64_t row_count;
};

static bool
fail(struct import *import, const char *why)
{
    tool_error(import->shell->tool, ".import: %s", why);
    import->shell->failed = true;
    return false;
}

static bool
fail_code(struct import *import)
{
    return fail(import, qtdb_error_last()->message);
}

/* Where the rows go: SCHEMA.TABLE as it was typed, or the file's own name. */
static void
add_target(const struct import *import, const struct sql_table *table, struct text_buffer *sql)
{
    if (import->wanted[0] != '\0')
        text_buffer_add_text(sql, import->wanted);
    else if (strcmp(table->schema, "public") == 0)
        text_buffer_add_identifier(sql, table->name);
    else
        sql_catalog_add_name(sql, table->schema, table->name);
}

static bool
run(struct import *import, const struct text_buffer *sql)
{
    if (sql->failed)
        return fail(import, "no memory");
    return qtdb_exec(import->shell->session, sql->bytes, NULL, NULL) == QTDB_OK ||
           fail_code(import);
}

static bool
make_table(struct import *import, const struct sql_table *table)
{
    struct text_buffer sql;

    text_buffer_init(&sql, import->shell->env.memory);
    if (import->wanted[0] == '\0' && strcmp(table->schema, "public") != 0) {
        text_buffer_add_text(&sql, "CREATE SCHEMA IF NOT EXISTS ");
        text_buffer_add_identifier(&sql, table->schema);
        text_buffer_add_text(&sql, "; ");
    }
    text_buffer_add_text(&sql, "CREATE TABLE IF NOT EXISTS ");
    add_target(import, table, &sql);
    text_buffer_add_text(&sql, " (");
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct sql_column *column = &table->columns[i];

        text_buffer_add_text(&sql, i > 0 ? ", " : "");
        text_buffer_add_identifier(&sql, column->name);
        text_buffer_print(&sql, " %s", column->type);
        if (column->length != NULL)
            text_buffer_print(&sql, "(%s)", column->length);
        if (column->precision != NULL)
            text_buffer_print(&sql, "(%s, %s)", column->precision,
                              column->scale != NULL ? column->scale : "0");
    }
    text_buffer_add_text(&sql, ")");
    bool ok = run(import, &sql);
    text_buffer_deinit(&sql);
    return ok;
}

static bool
prepare_insert(struct import *import, const struct sql_table *table, struct qtdb_statement **out)
{
    struct text_buffer sql;

    text_buffer_init(&sql, import->shell->env.memory);
    text_buffer_add_text(&sql, "INSERT INTO ");
    add_target(import, table, &sql);
    text_buffer_add_text(&sql, " (");
    for (uint32_t i = 0; i < table->column_count; i++) {
        text_buffer_add_text(&sql, i > 0 ? ", " : "");
        text_buffer_add_identifier(&sql, table->columns[i].name);
    }
    text_buffer_add_text(&sql, ") VALUES (");
    for (uint32_t i = 0; i < table->column_count; i++)
        text_buffer_print(&sql, "%s$%u", i > 0 ? ", " : "", i + 1);
    text_buffer_add_text(&sql, ")");
    bool ok = !sql.failed;
    if (!ok)
        (void)fail(import, "no memory");
    else if (qtdb_prepare(import->shell->session, sql.bytes, out, NULL) != QTDB_OK)
        ok = fail_code(import);
    text_buffer_deinit(&sql);
    return ok;
}

static bool
copy_row(struct import *import, uint32_t count, struct qtdb_statement *from,
         struct qtdb_statement *to)
{
    enum qtdb_code code = QTDB_OK;

    qtdb_reset(to);
    for (uint32_t i = 0; i < count && code == QTDB_OK; i++) {
        size_t size = 0;
        const char *text = qtdb_column_text(from, i, &size);

        code = text != NULL ? qtdb_bind_text(to, i + 1, text, size) : qtdb_bind_null(to, i + 1);
    }
    if (code == QTDB_OK)
        code = qtdb_step(to);
    if (code == QTDB_DONE)
        return true;
    char why[700];
    (void)snprintf(why, sizeof(why), "row %llu: %s", (unsigned long long)import->row_count + 1,
                   qtdb_error_last()->message);
    return fail(import, why);
}

static bool
copy_rows(struct import *import, const struct sql_table *table, struct qtdb_statement *from,
          struct qtdb_statement *to)
{
    struct tool_progress progress;
    bool ok = true;
    enum qtdb_code code;

    tool_progress_begin(&progress, table->name, "rows", 0);
    while (ok && (code = qtdb_step(from)) != QTDB_DONE) {
        if (code != QTDB_ROW)
            ok = fail_code(import);
        else if (tool_stop_requested())
            ok = fail(import, "interrupted, nothing was imported");
        else
            ok = copy_row(import, table->column_count, from, to);
        import->row_count += ok;
        tool_progress_at(&progress, import->row_count);
    }
    tool_progress_end(&progress);
    return ok;
}

static bool
copy_table(struct import *import, const struct sql_table *table)
{
    struct qtdb_statement *from = NULL, *to = NULL;
    struct text_buffer sql;

    text_buffer_init(&sql, import->shell->env.memory);
    sql_dump_add_select(&sql, table);
    bool ok = !sql.failed || fail(import, "no memory");
    if (ok && qtdb_prepare(import->session, sql.bytes, &from, NULL) != QTDB_OK)
        ok = fail_code(import);
    text_buffer_deinit(&sql);
    ok = ok && make_table(import, table) && prepare_insert(import, table, &to) &&
         copy_rows(import, table, from, to);
    qtdb_finalize(to);
    qtdb_finalize(from);
    return ok;
}

/* All tables of the file in one transaction, unless the shell is in a block already. */
static bool
copy_all(struct import *import)
{
    struct qtdb_session *session = import->shell->session;
    bool own = qtdb_exec(session, "SAVEPOINT shell_import", NULL, NULL) != QTDB_OK;
    bool ok = !own || qtdb_exec(session, "BEGIN", NULL, NULL) == QTDB_OK || fail_code(import);

    for (const struct sql_table *table = import->catalog.tables; ok && table != NULL;
         table = table->next)
        ok = copy_table(import, table);
    const char *end = own  ? ok ? "COMMIT" : "ROLLBACK"
                      : ok ? "RELEASE SAVEPOINT shell_import"
                           : "ROLLBACK TO SAVEPOINT shell_import";
    if (qtdb_exec(session, end, NULL, NULL) != QTDB_OK)
        ok = ok && fail_code(import);
    return ok;
}

static bool
read_source(struct import *import, const char *path)
{
    struct qtdb_options options = {.size = sizeof(options), .read_only = true};

    if (qtdb_open(path, &options, &import->db) != QTDB_OK) {
        import->db = NULL;
        return fail_code(import);
    }
    if (qtdb_session_open(import->db, &import->session) != QTDB_OK)
        return fail_code(import);
    if (!sql_catalog_load(&import->catalog, import->session, &import->arena))
        return fail(import, import->catalog.fault);
    if (import->wanted[0] != '\0' && import->catalog.table_count != 1)
        return fail(import, "the file has more than one table: leave the table's name out");
    return copy_all(import);
}

/* FILE, which may stand in quotes, and what is behind it. */
static bool
split(const char *argument, char file[IO_PATH_SIZE], const char **rest_out)
{
    bool quoted = argument[0] == '\'' || argument[0] == '"';
    const char *begin = argument + quoted;
    const char *end = quoted ? strchr(begin, argument[0]) : begin + strcspn(begin, " \t");

    if (end == NULL || end == begin || end - begin >= IO_PATH_SIZE)
        return false;
    memcpy(file, begin, (size_t)(end - begin));
    file[end - begin] = '\0';
    end += quoted;
    *rest_out = end + strspn(end, " \t");
    return true;
}

bool
shell_import(struct shell *shell, const char *argument)
{
    struct import import = {.shell = shell};
    char file[IO_PATH_SIZE], temporary[IO_PATH_SIZE];

    if (!split(argument, file, &import.wanted))
        return fail(&import, "it takes a file and, if the table is to have another name, a table");
    if (!shell_make_temporary(shell, temporary))
        return fail(&import, "nothing was imported");
    arena_init(&import.arena, shell->env.memory, MEMORY_OTHER);
    tool_catch_stop();
    bool ok = shell_convert(shell, file, temporary, true) || fail(&import, "nothing was imported");
    ok = ok && read_source(&import, temporary);
    tool_stop_clear();
    qtdb_session_close(import.session);
    if (import.db != NULL && qtdb_close(import.db) != QTDB_OK)
        ok = fail_code(&import);
    arena_deinit(&import.arena);
    shell_remove_temporary(shell, temporary);
    if (ok)
        printf("%llu row%s\n", (unsigned long long)import.row_count, tool_plural(import.row_count));
    return ok;
}
