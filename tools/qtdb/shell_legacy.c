/*
 * A file of another kind at first open: a legacy or an SQLite file is no database of ours, and there is no second
 * executor for it. It is converted by qtdb-migrate, which lies beside this program or on the PATH:
 *
 *    --migrate, or yes to the question on a terminal      FILE.db -> FILE.qtdb, which is opened
 *    otherwise                                            -> a temporary database, opened read-only
 *
 * The file itself is never changed. What qtdb-migrate says goes to standard error.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/qtdb/shell.h"

enum { HEAD_SIZE = 16 };

extern char **environ;

/* Which file. */

static bool
ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);

    return size > end_size && strcasecmp(text + size - end_size, end) == 0;
}

bool
shell_is_foreign(const char *path)
{
    char head[HEAD_SIZE] = "";
    struct stat info;
    FILE *file;

    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0)
        return false;
    file = fopen(path, "rb");
    if (file == NULL)
        return false;
    size_t got = fread(head, 1, sizeof(head), file);
    (void)fclose(file);
    if (got == sizeof(head) && memcmp(head + 8, "QTDBFILE", 8) == 0)
        return false;
    return (got == sizeof(head) && memcmp(head, "SQLite format 3", sizeof(head)) == 0) ||
           ends_with(path, ".db");
}

/* NAME.db becomes NAME.qtdb. False: too long. */
static bool
target_of(const char *path, char out[IO_PATH_SIZE])
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash != NULL ? slash : path, '.');
    size_t size = dot != NULL && dot > path && dot[-1] != '/' ? (size_t)(dot - path) : strlen(path);

    return snprintf(out, IO_PATH_SIZE, "%.*s.qtdb", (int)size, path) < IO_PATH_SIZE;
}

/* Converting. */

/* Beside this program, else as the PATH has it. */
static void
find_program(char out[IO_PATH_SIZE])
{
    static const char name[] = "qtdb-migrate";
    ssize_t size = readlink("/proc/self/exe", out, IO_PATH_SIZE - sizeof(name));
    char *slash = size > 0 ? memrchr(out, '/', (size_t)size) : NULL;

    if (slash != NULL) {
        memcpy(slash + 1, name, sizeof(name));
        if (access(out, X_OK) == 0)
            return;
    }
    memcpy(out, name, sizeof(name));
}

static bool
run_program(struct shell *shell, char *const *words)
{
    posix_spawn_file_actions_t actions;
    pid_t child = 0;
    int status = 0;
    int code = posix_spawn_file_actions_init(&actions);

    if (code == 0) {
        code = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
        if (code == 0)
            code = posix_spawnp(&child, words[0], &actions, NULL, words, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    if (code != 0) {
        tool_error(shell->tool, "%s: %s", words[0], strerror(code));
        return false;
    }
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            tool_error(shell->tool, "%s: %s", words[0], strerror(errno));
            return false;
        }
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool
shell_convert(struct shell *shell, const char *source, const char *target, bool quiet)
{
    char program[IO_PATH_SIZE], read[IO_PATH_SIZE], quiet_word[] = "--quiet";
    char made[IO_PATH_SIZE];
    char *words[5] = {program, read, made, quiet ? quiet_word : NULL, NULL};

    /* No name is to be taken for an option. */
    (void)snprintf(read, sizeof(read), "%s%.4000s", source[0] == '-' ? "./" : "", source);
    (void)snprintf(made, sizeof(made), "%s%.4000s", target[0] == '-' ? "./" : "", target);
    find_program(program);
    return run_program(shell, words);
}

static bool
ask(const char *path, const char *target)
{
    char answer[16] = "";

    (void)fprintf(stderr,
                  "%s is a legacy or SQLite file. Convert it to %s, and leave it as it is?\n"
                  "Otherwise a temporary copy is opened, read-only. [y/N] ",
                  path, target);
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

enum shell_offer
shell_offer(struct shell *shell, const char *path, const char *temporary, char out[IO_PATH_SIZE])
{
    bool terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);

    if (!target_of(path, out)) {
        tool_error(shell->tool, "%.200s: the path is too long", path);
        return SHELL_REFUSED;
    }
    if (shell->migrate || (terminal && ask(path, out)))
        return shell_convert(shell, path, out, false) ? SHELL_CONVERTED : SHELL_REFUSED;
    if (!shell_convert(shell, path, temporary, true))
        return SHELL_REFUSED;
    (void)fprintf(stderr,
                  "%s is a legacy or SQLite file: a temporary copy is open, read-only. --migrate "
                  "converts it to %s.\n",
                  path, out);
    (void)snprintf(out, IO_PATH_SIZE, "%s", temporary);
    return SHELL_BORROWED;
}

/* Tables of the file are found without their schema. */

static bool
add_schema(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    struct text_buffer *sql = context;

    (void)count;
    (void)names;
    text_buffer_add_identifier(sql, values[0]);
    text_buffer_add_text(sql, ", ");
    return true;
}

bool
shell_set_path(struct shell *shell, struct qtdb_session *session)
{
    struct text_buffer sql;

    text_buffer_init(&sql, shell->env.memory);
    text_buffer_add_text(&sql, "SET search_path TO ");
    enum qtdb_code code =
        qtdb_exec(session,
                  "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN "
                  "('public', 'pg_catalog', 'information_schema')",
                  add_schema, &sql);
    text_buffer_add_text(&sql, "public");
    if (code == QTDB_OK && !sql.failed)
        code = qtdb_exec(session, sql.bytes, NULL, NULL);
    if (code != QTDB_OK)
        tool_error(shell->tool, "search_path: %s", qtdb_error_last()->message);
    text_buffer_deinit(&sql);
    return code == QTDB_OK;
}
