/*
 * Commands that copy or shrink the database while it is open: .backup, .compact, .shrink. An interrupt
 * ends a copy and leaves nothing of it.
 */
#include <stdio.h>
#include <string.h>

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
