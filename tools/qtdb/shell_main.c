/* qtdb: the command line, opening and closing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/qtdb/shell.h"

static const char help[] =
    "Usage: qtdb [OPTION...] [FILE [SQL]]\n"
    "Runs SQL on a database: SQL, the option's text or file, standard input, or what is typed.\n"
    "FILE is made when it is absent. Without FILE the database is a temporary one.\n"
    "\n"
    "Options:\n"
    "  -c, --command SQL    run the text and end\n"
    "  -f, --file NAME      run the file and end (- is standard input)\n"
    "  --csv, --json, --line  rows as CSV, as JSON, or one column a line; otherwise in a box\n"
    "  --no-header          leave out the names of the columns (box, CSV)\n"
    "  --pool MIB           memory for pages of the file; 64 unless given\n"
    "  --readonly           change nothing; FILE has to exist\n"
    "  --migrate            convert a legacy or SQLite file NAME.db to NAME.qtdb without asking, "
    "and\n"
    "                       open that; otherwise such a file is opened as a temporary copy, "
    "read-only\n"
    "  --timer              show the time of each statement\n"
    "  --help, --version\n"
    "\n"
    "Commands begin with a dot; .help lists them.\n"
    "Exit status: 0 all went well, 1 a statement failed, 2 the command line is wrong or FILE "
    "cannot\n"
    "be opened. The first failure ends a text, a file and standard input; a terminal goes on.\n";

enum { POOL_MIB_MAX = 1 << 20 };

static const struct tool tool = {.name = "qtdb", .help = help};

struct choices {
    const char *command;
    const char *file;
    bool csv;
    bool json;
    bool line;
};

static enum tool_command
parse(int argc, char **argv, struct shell *shell, struct choices *choices, int *first_out)
{
    const struct tool_option table[] = {
        {"command", 'c', TOOL_TEXT, &choices->command, 0},
        {"file", 'f', TOOL_TEXT, &choices->file, 0},
        {"csv", 0, TOOL_FLAG, &choices->csv, 0},
        {"json", 0, TOOL_FLAG, &choices->json, 0},
        {"line", 0, TOOL_FLAG, &choices->line, 0},
        {"no-header", 0, TOOL_FLAG_OFF, &shell->output.header, 0},
        {"pool", 0, TOOL_NUMBER, &shell->pool_mib, POOL_MIB_MAX},
        {"readonly", 0, TOOL_FLAG, &shell->read_only, 0},
        {"migrate", 0, TOOL_FLAG, &shell->migrate, 0},
        {"timer", 0, TOOL_FLAG, &shell->timer, 0},
    };

    return tool_parse(&tool, argc, argv, table, sizeof(table) / sizeof(table[0]), first_out);
}

/* A directory of its own, so that the log's folder beside the file is in it too. */
static bool
make_temporary(char path[IO_PATH_SIZE])
{
    const char *directory = getenv("TMPDIR");
    int size = snprintf(path, IO_PATH_SIZE, "%s/qtdb-XXXXXX",
                        directory != NULL && directory[0] != '\0' ? directory : "/tmp");

    if (size < 0 || size > IO_PATH_SIZE - 32 || mkdtemp(path) == NULL) {
        tool_error(&tool, "no temporary directory: %s", strerror(errno));
        return false;
    }
    (void)snprintf(path + size, IO_PATH_SIZE - (size_t)size, "/temporary.qtdb");
    return true;
}

static void
remove_temporary(char *path)
{
    (void)unlink(path);
    *strrchr(path, '/') = '\0';
    if (rmdir(path) != 0)
        tool_error(&tool, "%s: %s", path, strerror(errno));
}

/* `*foreign_out`: it is no database, and may be a file that can be converted. Then nothing is said. */
static bool
open_database(struct shell *shell, bool *foreign_out)
{
    struct qtdb_options options = {.size = sizeof(options),
                                   .create = !shell->read_only,
                                   .read_only = shell->read_only,
                                   .pool_size = shell->pool_mib << 20};
    enum qtdb_code code = qtdb_open(shell->path, &options, &shell->db);

    if (code != QTDB_OK) {
        *foreign_out = (code == QTDB_CORRUPT || code == QTDB_VERSION || code == QTDB_INVALID) &&
                       !shell->temporary && shell_is_foreign(shell->path);
        if (!*foreign_out)
            tool_error(&tool, "%s", qtdb_error_last()->message);
        return false;
    }
    if (qtdb_session_open(shell->db, &shell->session) == QTDB_OK) {
        shell_copy_open(shell);
        return true;
    }
    tool_error(&tool, "%s", qtdb_error_last()->message);
    (void)qtdb_close(shell->db);
    return false;
}

static void
close_database(struct shell *shell)
{
    qtdb_session_close(shell->session);
    if (qtdb_close(shell->db) != QTDB_OK) {
        tool_error(&tool, "%s", qtdb_error_last()->message);
        shell->failed = true;
    }
}

static void
print_banner(const struct shell *shell)
{
    printf("qtdb %s. .help for commands, .quit to leave.\n", qtdb_version());
    if (shell->temporary)
        printf("A temporary database: it is removed when you leave. qtdb FILE keeps one.\n");
    else
        printf("%s%s\n", shell->path, shell->read_only ? " (read only)" : "");
}

static void
run_named_file(struct shell *shell, const char *name)
{
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");

    if (file == NULL) {
        tool_error(&tool, "%s: %s", name, strerror(errno));
        shell->failed = true;
        return;
    }
    (void)shell_run_file(shell, file, file == stdin ? NULL : name);
    if (file != stdin)
        (void)fclose(file);
}

static void
run(struct shell *shell, const struct choices *choices)
{
    if (choices->command != NULL) {
        (void)shell_run_text(shell, choices->command, strlen(choices->command));
    } else if (choices->file != NULL) {
        run_named_file(shell, choices->file);
    } else if (isatty(STDIN_FILENO)) {
        shell->interactive = true;
        print_banner(shell);
        shell_run_terminal(shell);
    } else {
        (void)shell_run_file(shell, stdin, NULL);
    }
}

static int
check_choices(int count, char **operands, struct shell *shell, struct choices *choices)
{
    if (count > 2)
        return tool_usage_error(&tool, "more than FILE and SQL");
    if (count > 0)
        shell->path = operands[0];
    if (count > 1 && (choices->command != NULL || choices->file != NULL))
        return tool_usage_error(&tool, "SQL, --command and --file exclude each other");
    if (count > 1)
        choices->command = operands[1];
    if (choices->command != NULL && choices->file != NULL)
        return tool_usage_error(&tool, "--command and --file exclude each other");
    if (choices->csv + choices->json + choices->line > 1)
        return tool_usage_error(&tool, "--csv, --json and --line exclude each other");
    if (shell->read_only && shell->path == NULL)
        return tool_usage_error(&tool, "--readonly needs a FILE");
    shell->output.mode = choices->csv    ? OUTPUT_CSV
                         : choices->json ? OUTPUT_JSON
                         : choices->line ? OUTPUT_LINE
                                         : OUTPUT_BOX;
    return TOOL_OK;
}

/* The temporary database's path stays in `temporary`, empty where none was made. */
static bool
open_foreign(struct shell *shell, char temporary[IO_PATH_SIZE], char path[IO_PATH_SIZE])
{
    bool foreign = false;

    if (!make_temporary(temporary)) {
        temporary[0] = '\0';
        return false;
    }
    enum shell_offer offer = shell_offer(shell, temporary, path);

    if (offer == SHELL_REFUSED)
        return false;
    shell->path = path;
    shell->read_only = shell->read_only || offer == SHELL_BORROWED;
    if (!open_database(shell, &foreign))
        return false;
    shell_set_path(shell);
    return true;
}

static int
work(struct shell *shell, const struct choices *choices)
{
    char temporary[IO_PATH_SIZE] = "", path[IO_PATH_SIZE];
    bool foreign = false;

    if (shell->path == NULL) {
        if (!make_temporary(temporary))
            return TOOL_USAGE;
        shell->path = temporary;
        shell->temporary = true;
    }
    bool opened =
        open_database(shell, &foreign) || (foreign && open_foreign(shell, temporary, path));
    if (opened) {
        run(shell, choices);
        close_database(shell);
    }
    if (temporary[0] != '\0')
        remove_temporary(temporary);
    return !opened ? TOOL_USAGE : shell->failed && !shell->interactive ? TOOL_FAILED : TOOL_OK;
}

int
main(int argc, char **argv)
{
    struct shell shell = {.tool = &tool};
    struct choices choices = {.command = NULL};
    int first = 0;

    if (!tool_env_open(&tool, &shell.env))
        return TOOL_USAGE;
    output_init(&shell.output, shell.env.memory, stdout);
    enum tool_command command = parse(argc, argv, &shell, &choices, &first);
    int status = command == TOOL_ANSWERED ? TOOL_OK : TOOL_USAGE;
    if (command == TOOL_RUN) {
        status = check_choices(argc - first, argv + first, &shell, &choices);
        if (status == TOOL_OK)
            status = work(&shell, &choices);
    }
    output_deinit(&shell.output);
    tool_env_close(&shell.env);
    return status;
}
