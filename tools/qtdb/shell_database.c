/*
 * Opening and closing: the file that was named, a temporary database, or the copy of a legacy or SQLite
 * file (shell_legacy.c). Another database is opened before the present one is closed, so that a failed
 * .open leaves the shell where it was.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/qtdb/shell.h"

bool
shell_make_temporary(const struct shell *shell, char path[IO_PATH_SIZE])
{
    const char *directory = getenv("TMPDIR");
    int size = snprintf(path, IO_PATH_SIZE, "%s/qtdb-XXXXXX",
                        directory != NULL && directory[0] != '\0' ? directory : "/tmp");

    if (size < 0 || size > IO_PATH_SIZE - 32 || mkdtemp(path) == NULL) {
        tool_error(shell->tool, "no temporary directory: %s", strerror(errno));
        path[0] = '\0';
        return false;
    }
    (void)snprintf(path + size, IO_PATH_SIZE - (size_t)size, "/temporary.qtdb");
    return true;
}

void
shell_remove_temporary(const struct shell *shell, char *path)
{
    if (path[0] == '\0')
        return;
    (void)unlink(path);
    *strrchr(path, '/') = '\0';
    if (rmdir(path) != 0)
        tool_error(shell->tool, "%s: %s", path, strerror(errno));
    path[0] = '\0';
}

/* `foreign_out`: it is no database, and may be a file that can be converted. Then nothing is said. */
static bool
open_file(const struct shell *shell, struct shell_database *database, bool *foreign_out)
{
    struct qtdb_options options = {.size = sizeof(options),
                                   .create = !database->read_only,
                                   .read_only = database->read_only,
                                   .pool_size = shell->pool_mib << 20};
    enum qtdb_code code = qtdb_open(database->path, &options, &database->db);

    if (code != QTDB_OK) {
        *foreign_out = (code == QTDB_CORRUPT || code == QTDB_VERSION || code == QTDB_INVALID) &&
                       database->temporary[0] == '\0' && shell_is_foreign(database->path);
        database->db = NULL;
        if (!*foreign_out)
            tool_error(shell->tool, "%s", qtdb_error_last()->message);
        return false;
    }
    if (qtdb_session_open(database->db, &database->session) == QTDB_OK)
        return true;
    tool_error(shell->tool, "%s", qtdb_error_last()->message);
    (void)qtdb_close(database->db);
    database->db = NULL;
    return false;
}

static bool
open_foreign(struct shell *shell, struct shell_database *database)
{
    char path[IO_PATH_SIZE];
    bool foreign = false;

    if (!shell_make_temporary(shell, database->temporary))
        return false;
    enum shell_offer offer = shell_offer(shell, database->path, database->temporary, path);

    if (offer == SHELL_REFUSED)
        return false;
    memcpy(database->path, path, sizeof(path));
    database->read_only = database->read_only || offer == SHELL_BORROWED;
    return open_file(shell, database, &foreign) && shell_set_path(shell, database->session);
}

static void
close_database(struct shell *shell, struct shell_database *database)
{
    qtdb_session_close(database->session);
    if (database->db != NULL && qtdb_close(database->db) != QTDB_OK) {
        tool_error(shell->tool, "%s", qtdb_error_last()->message);
        shell->failed = true;
    }
    shell_remove_temporary(shell, database->temporary);
}

bool
shell_open(struct shell *shell, const char *path)
{
    struct shell_database next = {.read_only = shell->read_only && path != NULL};
    bool foreign = false, ok = true;

    if (path == NULL)
        ok = shell_make_temporary(shell, next.temporary);
    const char *name = path != NULL ? path : next.temporary;
    if (ok && snprintf(next.path, sizeof(next.path), "%s", name) >= IO_PATH_SIZE) {
        tool_error(shell->tool, "%.200s: the path is too long", name);
        ok = false;
    }
    ok = ok && (open_file(shell, &next, &foreign) || (foreign && open_foreign(shell, &next)));
    if (!ok) {
        close_database(shell, &next);
        return false;
    }
    close_database(shell, &shell->database);
    shell->database = next;
    shell->db = next.db;
    shell->session = next.session;
    shell_copy_open(shell);
    return true;
}

void
shell_close(struct shell *shell)
{
    close_database(shell, &shell->database);
    shell->db = NULL;
    shell->session = NULL;
}

void
shell_print_banner(const struct shell *shell)
{
    const struct shell_database *database = &shell->database;

    printf("qtdb %s. .help for commands, .quit to leave.\n", qtdb_version());
    if (strcmp(database->path, database->temporary) == 0)
        printf("A temporary database: it is removed when you leave. qtdb FILE keeps one.\n");
    else
        printf("%s%s\n", database->path, database->read_only ? " (read only)" : "");
}
