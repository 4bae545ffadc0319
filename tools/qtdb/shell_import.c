/*
 * .import FILE [TABLE]: rows of another file into the open database. There is one converter: qtdb-migrate
 * makes a temporary database of the file, with types found from all values, and its rows are copied from
 * there by a load (qtdb_load_begin), in one transaction. A table that is not there is made; one that is
 * there takes the columns it has by name, in its own types, under its own constraints.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/sql_catalog.h"
#include "tools/common/sql_dump.h"
#include "tools/qtdb/shell.h"

#define NO_BLOCK "25P01" /* What SAVEPOINT says outside of one. */

struct import {
    struct shell *shell;
    struct qtdb *db; /* Of the temporary database. */
    struct qtdb_session *session;
    struct sql_catalog catalog;
    struct arena arena;
    char *schema; /* NULL: found by the search path. */
    char *table;  /* NULL: as the file's. */
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

/* Where the rows go. A file's own table lies in `public` or, of several files, in a schema of its own. */
static void
add_target(const struct import *import, const struct sql_table *table, struct text_buffer *sql)
{
    if (import->schema != NULL) {
        text_buffer_add_identifier(sql, import->schema);
        text_buffer_add_char(sql, '.');
    }
    text_buffer_add_identifier(sql, import->table != NULL ? import->table : table->name);
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

/* The load of the target takes the file's columns by their names. */
static bool
begin_load(struct import *import, const struct sql_table *table, struct qtdb_load **out)
{
    const char **names =
        arena_alloc(&import->arena, ((size_t)table->column_count + 1) * sizeof(*names));

    if (names == NULL)
        return fail(import, "no memory");
    for (uint32_t i = 0; i < table->column_count; i++)
        names[i] = table->columns[i].name;
    return qtdb_load_begin(import->shell->session, import->schema,
                           import->table != NULL ? import->table : table->name, names,
                           table->column_count, out) == QTDB_OK ||
           fail_code(import);
}

static bool
copy_row(struct import *import, uint32_t count, struct qtdb_statement *from,
         struct qtdb_value *values, struct qtdb_load *load)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t size = 0;
        const char *text = qtdb_column_text(from, i, &size);

        values[i] = (struct qtdb_value){
            .type = text != NULL ? QTDB_TYPE_TEXT : QTDB_TYPE_NULL, .size = size, .bytes = text};
    }
    if (qtdb_load_rows(load, values, 1, NULL) == QTDB_OK)
        return true;
    char why[700];
    (void)snprintf(why, sizeof(why), "row %llu: %s", (unsigned long long)import->row_count + 1,
                   qtdb_error_last()->message);
    return fail(import, why);
}

static bool
copy_rows(struct import *import, const struct sql_table *table, struct qtdb_statement *from,
          struct qtdb_load *load)
{
    struct qtdb_value *values =
        arena_alloc(&import->arena, ((size_t)table->column_count + 1) * sizeof(*values));
    struct tool_progress progress;
    bool ok = values != NULL || fail(import, "no memory");
    enum qtdb_code code;

    tool_progress_begin(&progress, table->name, "rows", 0);
    while (ok && (code = qtdb_step(from)) != QTDB_DONE) {
        if (code != QTDB_ROW)
            ok = fail_code(import);
        else if (tool_stop_requested())
            ok = fail(import, "interrupted, nothing was imported");
        else
            ok = copy_row(import, table->column_count, from, values, load);
        import->row_count += ok;
        tool_progress_at(&progress, import->row_count);
    }
    tool_progress_end(&progress);
    return ok;
}

static bool
copy_table(struct import *import, const struct sql_table *table)
{
    struct qtdb_statement *from = NULL;
    struct qtdb_load *load = NULL;
    struct text_buffer sql;

    text_buffer_init(&sql, import->shell->env.memory);
    sql_dump_add_select(&sql, table);
    bool ok = !sql.failed || fail(import, "no memory");
    if (ok && qtdb_prepare(import->session, sql.bytes, &from, NULL) != QTDB_OK)
        ok = fail_code(import);
    text_buffer_deinit(&sql);
    ok = ok && make_table(import, table) && begin_load(import, table, &load) &&
         copy_rows(import, table, from, load);
    if (!ok)
        qtdb_load_discard(load);
    else if (qtdb_load_end(load) != QTDB_OK)
        ok = fail_code(import);
    qtdb_finalize(from);
    return ok;
}

/* All tables of the file in one transaction, unless the shell is in a block already. */
static bool
copy_all(struct import *import)
{
    struct qtdb_session *session = import->shell->session;
    bool own = qtdb_exec(session, "SAVEPOINT shell_import", NULL, NULL) != QTDB_OK;
    bool ok = true;

    /* In a block that has failed it is refused, too, and that one's end is not ours. */
    if (own && (strcmp(qtdb_error_last()->sqlstate, NO_BLOCK) != 0 ||
                qtdb_exec(session, "BEGIN", NULL, NULL) != QTDB_OK))
        return fail_code(import);
    for (const struct sql_table *table = import->catalog.tables; ok && table != NULL;
         table = table->next)
        ok = copy_table(import, table);
    const char *end = own  ? ok ? "COMMIT" : "ROLLBACK"
                      : ok ? "RELEASE SAVEPOINT shell_import"
                           : "ROLLBACK TO SAVEPOINT shell_import; RELEASE SAVEPOINT shell_import";
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
    if (import->table != NULL && import->catalog.table_count != 1)
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

/* An SQL name at `*at`, in quotes or folded to lower case, made plain in place; `*at` goes behind it. */
static char *
take_name(char **at)
{
    bool quoted = **at == '"';
    char *name = *at + quoted, *out = name, *from = name;

    for (; *from != '\0' && (quoted || (*from != '.' && *from != ' ')); from++) {
        if (quoted && *from == '"' && *++from != '"')
            break;
        *out = *from;
        if (!quoted)
            *out = (char)tolower((unsigned char)*from);
        out++;
    }
    *at = from + (*from == '.');
    *out = '\0';
    return name;
}

/* [SCHEMA.]TABLE, or nothing. */
static void
take_target(struct import *import, char *text)
{
    if (*text == '\0')
        return;
    import->table = take_name(&text);
    if (*text == '\0' || *text == ' ')
        return;
    import->schema = import->table;
    import->table = take_name(&text);
}

bool
shell_import(struct shell *shell, const char *argument)
{
    struct import import = {.shell = shell};
    char file[IO_PATH_SIZE], temporary[IO_PATH_SIZE], target[IO_PATH_SIZE];
    const char *rest = NULL;

    if (!split(argument, file, &rest))
        return fail(&import, "it takes a file and, if the table is to have another name, a table");
    (void)snprintf(target, sizeof(target), "%s", rest);
    take_target(&import, target);
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
