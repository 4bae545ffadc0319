/* qtdb: the command line. */
#include <stdio.h>
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
    "  -f, --file NAME      run the file and end (- is standard input); -c and -f may be given\n"
    "                       several times and run in order\n"
    "  --box, --csv, --json, --line, --markdown\n"
    "                       how rows look: in a box unless given; --line is one column a line\n"
    "  --no-header          leave out the names of the columns (box, CSV, Markdown)\n"
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
    const char *path;              /* NULL: a temporary database. */
    struct tool_list work;         /* --command and --file; empty: standard input. */
    bool modes[OUTPUT_MODE_COUNT]; /* By enum output_mode. */
};

static enum tool_command
parse(int argc, char **argv, struct shell *shell, struct choices *choices, int *first_out)
{
    const struct tool_option table[] = {
        {"command", 'c', TOOL_EACH, &choices->work, 0},
        {"file", 'f', TOOL_EACH, &choices->work, 0},
        {"box", 0, TOOL_FLAG, &choices->modes[OUTPUT_BOX], 0},
        {"csv", 0, TOOL_FLAG, &choices->modes[OUTPUT_CSV], 0},
        {"json", 0, TOOL_FLAG, &choices->modes[OUTPUT_JSON], 0},
        {"line", 0, TOOL_FLAG, &choices->modes[OUTPUT_LINE], 0},
        {"markdown", 0, TOOL_FLAG, &choices->modes[OUTPUT_MARKDOWN], 0},
        {"no-header", 0, TOOL_FLAG_OFF, &shell->output.header, 0},
        {"pool", 0, TOOL_NUMBER, &shell->pool_mib, POOL_MIB_MAX},
        {"readonly", 0, TOOL_FLAG, &shell->read_only, 0},
        {"migrate", 0, TOOL_FLAG, &shell->migrate, 0},
        {"timer", 0, TOOL_FLAG, &shell->timer, 0},
    };

    return tool_parse(&tool, argc, argv, table, sizeof(table) / sizeof(table[0]), first_out);
}

static void
run(struct shell *shell, const struct choices *choices)
{
    for (size_t i = 0; i < choices->work.count && !shell->failed && !shell->quit; i++) {
        const char *text = choices->work.items[i].text;

        if (strcmp(choices->work.items[i].name, "file") == 0)
            (void)shell_run_named(shell, text);
        else
            (void)shell_run_text(shell, text, strlen(text));
    }
    if (choices->work.count > 0)
        return;
    if (isatty(STDIN_FILENO)) {
        shell->interactive = true;
        shell_print_banner(shell);
        shell_run_terminal(shell);
    } else {
        (void)shell_run_file(shell, stdin, NULL);
    }
}

static int
check_choices(int count, char **operands, struct shell *shell, struct choices *choices)
{
    choices->path = count > 0 ? operands[0] : NULL;
    if (count > 2)
        return tool_usage_error(&tool, "more than FILE and SQL");
    if (count > 1 && choices->work.count > 0)
        return tool_usage_error(&tool, "SQL does not go with --command and --file");
    if (count > 1) {
        choices->work.count = 1;
        choices->work.items[0].name = "command";
        choices->work.items[0].text = operands[1];
    }
    if (shell->read_only && choices->path == NULL)
        return tool_usage_error(&tool, "--readonly needs a FILE");
    uint32_t modes = 0;
    for (uint32_t i = 0; i < OUTPUT_MODE_COUNT; i++) {
        if (!choices->modes[i])
            continue;
        shell->output.mode = (enum output_mode)i;
        modes++;
    }
    if (modes > 1)
        return tool_usage_error(&tool,
                                "--box, --csv, --json, --line and --markdown exclude each other");
    return TOOL_OK;
}

static int
work(struct shell *shell, const struct choices *choices)
{
    if (!shell_open(shell, choices->path))
        return TOOL_USAGE;
    run(shell, choices);
    shell_close(shell);
    return shell->failed && !shell->interactive ? TOOL_FAILED : TOOL_OK;
}

int
main(int argc, char **argv)
{
    struct shell shell = {.tool = &tool};
    struct choices choices = {.path = NULL};
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
