/* Commands: a table of names, each with a function, and psql's name for fingers that know it. */
#include <stdio.h>
#include <string.h>

#include "tools/qtdb/shell.h"

enum { WORD_SIZE = 256, ARGUMENT_SIZE = 4096, READ_DEPTH_MAX = 20 };

struct command {
    const char *name;
    const char *other;    /* As psql has it; NULL: not there. */
    const char *argument; /* For .help. */
    const char *help;
    bool (*run)(struct shell *shell, const char *argument);
};

static const struct command commands[];

/* The store. */

static bool
fail(struct shell *shell, const char *what)
{
    tool_error(shell->tool, "%s: %s", what, qtdb_error_last()->message);
    shell->failed = true;
    return false;
}

static void
print_finding(void *context, const char *line)
{
    (void)context;
    printf("%s\n", line);
}

static bool
run_check(struct shell *shell, const char *argument)
{
    (void)argument;
    enum qtdb_code code = qtdb_check(shell->db, print_finding, NULL);
    if (code == QTDB_OK) {
        printf("ok\n");
        return true;
    }
    if (code != QTDB_CORRUPT)
        return fail(shell, "check");
    shell->failed = true;
    return false;
}

static bool
run_checkpoint(struct shell *shell, const char *argument)
{
    (void)argument;
    return qtdb_checkpoint(shell->db) == QTDB_OK || fail(shell, "checkpoint");
}

static bool
run_schema(struct shell *shell, const char *argument)
{
    return shell_print_schema(shell, argument[0] != '\0' ? argument : NULL);
}

/* The shell itself. */

static bool
run_mode(struct shell *shell, const char *argument)
{
    static const char *const names[OUTPUT_MODE_COUNT] = {"box", "csv", "json", "line", "markdown"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(argument, names[i]) != 0)
            continue;
        shell->output.mode = (enum output_mode)i;
        return true;
    }
    tool_error(shell->tool, ".mode takes box, csv, json, line or markdown");
    shell->failed = true;
    return false;
}

/* Without an argument it turns. */
static bool
switch_flag(struct shell *shell, const char *name, const char *argument, bool *flag)
{
    if (argument[0] == '\0') {
        *flag = !*flag;
        return true;
    }
    if (strcmp(argument, "on") == 0 || strcmp(argument, "off") == 0) {
        *flag = strcmp(argument, "on") == 0;
        return true;
    }
    tool_error(shell->tool, "%s takes on or off", name);
    shell->failed = true;
    return false;
}

static bool
run_header(struct shell *shell, const char *argument)
{
    return switch_flag(shell, ".header", argument, &shell->output.header);
}

static bool
run_timer(struct shell *shell, const char *argument)
{
    return switch_flag(shell, ".timer", argument, &shell->timer);
}

/* One column a line, and back to what it was. */
static bool
run_expanded(struct shell *shell, const char *argument)
{
    bool on = shell->output.mode == OUTPUT_LINE;

    if (!switch_flag(shell, "\\x", argument, &on))
        return false;
    if (on && shell->output.mode != OUTPUT_LINE)
        shell->mode_before = shell->output.mode;
    shell->output.mode = on ? OUTPUT_LINE : shell->mode_before;
    return true;
}

static bool
run_open(struct shell *shell, const char *argument)
{
    if (shell_open(shell, argument[0] != '\0' ? argument : NULL))
        return true;
    shell->failed = true;
    return false;
}

static bool
run_read(struct shell *shell, const char *argument)
{
    struct shell_data data = shell->data;

    if (argument[0] == '\0') {
        tool_error(shell->tool, ".read takes the name of a file");
        shell->failed = true;
        return false;
    }
    if (shell->read_depth == READ_DEPTH_MAX) {
        tool_error(shell->tool, ".read: files name each other more than %d deep", READ_DEPTH_MAX);
        shell->failed = true;
        return false;
    }
    shell->read_depth++;
    bool ok = shell_run_named(shell, argument);
    shell->read_depth--;
    shell->data = data;
    return ok;
}

static bool
run_print(struct shell *shell, const char *argument)
{
    (void)shell;
    printf("%s\n", argument);
    return true;
}

static bool
run_quit(struct shell *shell, const char *argument)
{
    (void)argument;
    shell->quit = true;
    return true;
}

static bool
run_help(struct shell *shell, const char *argument)
{
    (void)shell;
    (void)argument;
    for (const struct command *command = commands; command->name != NULL; command++)
        printf("%-11s %-8s %-12s %s\n", command->name, command->other != NULL ? command->other : "",
               command->argument, command->help);
    printf("Everything else is SQL and ends with a semicolon.\n");
    return true;
}

static const struct command commands[] = {
    {".open", "\\c", "[FILE]", "another database, or a temporary one", run_open},
    {".tables", "\\dt", "", "all tables", shell_print_tables},
    {".schema", NULL, "[TABLE]", "the statements that make them", run_schema},
    {"\\d", NULL, "[NAME]", "columns, indexes and constraints of a table or view", shell_describe},
    {"\\di", NULL, "", "indexes", shell_print_indexes},
    {"\\dv", NULL, "", "views", shell_print_views},
    {"\\ds", NULL, "", "sequences", shell_print_sequences},
    {"\\dT", NULL, "", "types", shell_print_types},
    {"\\dn", NULL, "", "schemas", shell_print_schemas},
    {".import", NULL, "FILE [TABLE]", "rows of a CSV, TSV, JSON or other file; types are guessed",
     shell_import},
    {"\\copy", NULL, "WHAT",
     "COPY from or to a file of the shell's: \\copy t FROM 'x.csv' CSV HEADER", shell_copy_command},
    {".dump", NULL, "", "the whole database as SQL, for qtdb and psql", shell_dump},
    {".backup", NULL, "FILE", "copy the database, as it is now, to a new file (.zst: compressed)",
     shell_backup},
    {".compact", NULL, "FILE", "write all rows, without gaps, to a new file", shell_compact},
    {".shrink", NULL, "", "give free pages at the end of the file back", shell_shrink},
    {".check", NULL, "", "walk every page and tree and report what is wrong", run_check},
    {".checkpoint", NULL, "", "bring everything committed into the file", run_checkpoint},
    {".wa", NULL, "", "bytes written against bytes put: write amplification", shell_print_wa},
    {".stats", NULL, "", "counters of the store and of this session since they were opened",
     shell_print_stats},
    {".metrics", NULL, "", "the same in the text format of Prometheus", shell_print_metrics},
    {".models", NULL, "", "how the leaves of each tree are found: routers, errors, counts",
     shell_print_models},
    {".mode", NULL, "MODE", "box, csv, json, line or markdown", run_mode},
    {"\\x", NULL, "[on|off]", "one column a line", run_expanded},
    {".header", NULL, "[on|off]", "names of the columns", run_header},
    {".timer", "\\timing", "[on|off]", "time of each statement", run_timer},
    {".read", "\\i", "FILE", "run a file", run_read},
    {".print", "\\echo", "TEXT", "the text", run_print},
    {".help", "\\?", "", "this list", run_help},
    {".quit", "\\q", "", "leave (also the end of the input)", run_quit},
    {NULL, NULL, NULL, NULL, NULL},
};

const char *
shell_command_name(size_t index)
{
    return index < sizeof(commands) / sizeof(commands[0]) ? commands[index].name : NULL;
}

static const struct command *
find(const char *word)
{
    for (const struct command *command = commands; command->name != NULL; command++) {
        if (strcmp(command->name, word) == 0 ||
            (command->other != NULL && strcmp(command->other, word) == 0))
            return command;
    }
    return NULL;
}

bool
shell_command(struct shell *shell, const char *line, const struct shell_place *place)
{
    char word[WORD_SIZE], argument[ARGUMENT_SIZE];
    size_t word_size = strcspn(line, " \t\r\n");
    const char *rest = line + word_size + strspn(line + word_size, " \t");
    size_t rest_size = strcspn(rest, "\r\n");

    while (rest_size > 0 && strchr(" \t;", rest[rest_size - 1]) != NULL)
        rest_size--;
    (void)snprintf(word, sizeof(word), "%.*s", (int)word_size, line);
    (void)snprintf(argument, sizeof(argument), "%.*s", (int)rest_size, rest);
    const struct command *command = find(word);
    if (command == NULL) {
        if (place->file != NULL)
            tool_error(shell->tool, "%s:%llu: there is no command %s; .help lists them",
                       place->file, (unsigned long long)place->line, word);
        else
            tool_error(shell->tool, "there is no command %s; .help lists them", word);
        shell->failed = true;
        return false;
    }
    bool ok = command->run(shell, argument);
    (void)fflush(stdout);
    return ok;
}
