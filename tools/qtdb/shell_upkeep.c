/*
 * Commands that copy or shrink the database while it is open: .backup, .compact, .shrink, .dump. An interrupt
 * ends a copy and leaves nothing of it; a dump that ends early has no COMMIT at its end.
 */
#include <stdio.h>
#include <string.h>

#include "tools/common/sql_dump.h"
#include "tools/qtdb/shell.h"

static bool
fail(struct shell *shell, const char *what)
{
    tool_error(shell->tool, "%s: %s", what, qtdb_error_last()->message);
    shell->failed = true;
    return false;
}

static bool
wants(struct shell *shell, const char *command, const char *path)
{
    if (path[0] != '\0')
        return true;
    tool_error(shell->tool, "%s takes the name of a new file", command);
    shell->failed = true;
    return false;
}

static bool
backup_progress(void *context, const struct qtdb_backup_progress *progress)
{
    (void)context;
    (void)progress;
    return !tool_stop_requested();
}

static bool
compact_progress(void *context, uint64_t row_count)
{
    (void)context;
    (void)row_count;
    return !tool_stop_requested();
}

static bool
ends_with(const char *text, const char *end)
{
    size_t size = strlen(text);
    size_t end_size = strlen(end);

    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

bool
shell_backup(struct shell *shell, const char *path)
{
    struct qtdb_backup_options options = {
        .size = sizeof(options),
        .compress = ends_with(path, ".zst"),
        .progress = backup_progress,
    };

    if (!wants(shell, ".backup", path))
        return false;
    tool_catch_stop();
    enum qtdb_code code = qtdb_backup(shell->db, path, &options);

    tool_stop_clear();
    return code == QTDB_OK || fail(shell, "backup");
}

bool
shell_compact(struct shell *shell, const char *path)
{
    struct qtdb_compact_options options = {
        .size = sizeof(options),
        .progress = compact_progress,
    };

    if (!wants(shell, ".compact", path))
        return false;
    tool_catch_stop();
    enum qtdb_code code = qtdb_compact(shell->db, path, &options);

    tool_stop_clear();
    return code == QTDB_OK || fail(shell, "compact");
}

bool
shell_shrink(struct shell *shell, const char *argument)
{
    (void)argument;
    return qtdb_shrink(shell->db) == QTDB_OK || fail(shell, "shrink");
}

static bool
dump_row(void *context, const struct sql_table *table, struct qtdb_statement *row)
{
    (void)context;
    (void)table;
    (void)row;
    return !tool_stop_requested();
}

/* In a session of its own, so that an open block of the shell's does not stand in the way. */
static bool
dump_all(struct shell *shell, struct sql_dump *dump)
{
    struct sql_catalog catalog;
    struct arena arena;

    if (qtdb_exec(dump->session, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", NULL, NULL) !=
        QTDB_OK)
        return fail(shell, "dump");
    arena_init(&arena, shell->env.memory, MEMORY_OTHER);
    bool ok = sql_catalog_load(&catalog, dump->session, &arena);
    const char *why = catalog.fault;

    if (ok) {
        ok = sql_dump_write(dump, &catalog);
        why = dump->stopped ? "interrupted" : dump->fault;
    }
    if (!ok)
        tool_error(shell->tool, "dump: %s", why);
    shell->failed = shell->failed || !ok;
    arena_deinit(&arena);
    return ok;
}

bool
shell_dump(struct shell *shell, const char *argument)
{
    struct sql_dump dump = {.memory = shell->env.memory, .file = stdout, .row = dump_row};

    if (argument[0] != '\0') {
        tool_error(shell->tool, ".dump takes nothing and writes to standard output");
        shell->failed = true;
        return false;
    }
    if (qtdb_session_open(shell->db, &dump.session) != QTDB_OK)
        return fail(shell, "dump");
    tool_catch_stop();
    bool ok = dump_all(shell, &dump);

    tool_stop_clear();
    qtdb_session_close(dump.session);
    return ok;
}
