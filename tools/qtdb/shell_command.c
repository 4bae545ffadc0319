/* Commands: a table of names, each with a function. \q and \? are accepted for fingers that know psql. */
#include <stdio.h>
#include <string.h>

#include "tools/qtdb/shell.h"

enum { WORD_SIZE = 256, ARGUMENT_SIZE = 4096 };

struct command {
    const char *name;
    const char *argument; /* For .help. */
    const char *help;
    bool (*run)(struct shell *shell, const char *argument);
};

static const struct command commands[];

/* Numbers of the store. */

struct number {
    const char *name;
    uint64_t value;
};

enum { NUMBER_COUNT = 12 };

static void
numbers_of(const struct qtdb_statistics *statistics, struct number out[NUMBER_COUNT])
{
    const struct number numbers[NUMBER_COUNT] = {
        {"commits", statistics->commit_count},
        {"user_bytes", statistics->user_size},
        {"log_bytes", statistics->log_size},
        {"page_bytes", statistics->page_write_size},
        {"meta_bytes", statistics->meta_write_size},
        {"pages", statistics->page_count},
        {"free_pages", statistics->free_page_count},
        {"page_reads", statistics->page_read_count},
        {"pins", statistics->pin_count},
        {"checkpoints", statistics->checkpoint_count},
        {"repairs", statistics->repair_count},
        {"conflicts", statistics->conflict_count},
    };

    memcpy(out, numbers, sizeof(numbers));
}

static bool
run_stats(struct shell *shell, const char *argument)
{
    struct qtdb_statistics statistics = {.size = sizeof(statistics)};
    struct number numbers[NUMBER_COUNT];
    bool json = shell->output.mode == OUTPUT_JSON;

    (void)argument;
    qtdb_get_statistics(shell->db, &statistics);
    numbers_of(&statistics, numbers);
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        printf(json ? "%s\"%s\": %llu" : "%s%-14s %llu\n",
               !json    ? ""
               : i == 0 ? "{"
                        : ", ",
               numbers[i].name, (unsigned long long)numbers[i].value);
    if (json)
        printf("}\n");
    else if (statistics.pin_count > 0)
        printf("%-14s %.4f\n", "hit_rate",
               1.0 - (double)statistics.page_read_count / (double)statistics.pin_count);
    return true;
}

static bool
run_wa(struct shell *shell, const char *argument)
{
    struct qtdb_statistics statistics = {.size = sizeof(statistics)};

    (void)argument;
    qtdb_get_statistics(shell->db, &statistics);
    uint64_t written =
        statistics.log_size + statistics.page_write_size + statistics.meta_write_size;
    printf("written %llu user %llu ratio %.2f\n", (unsigned long long)written,
           (unsigned long long)statistics.user_size,
           statistics.user_size > 0 ? (double)written / (double)statistics.user_size : 0.0);
    return true;
}

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
run_tables(struct shell *shell, const char *argument)
{
    (void)argument;
    return shell_print_tables(shell);
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
    static const char *const names[] = {"box", "csv", "json", "line"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(argument, names[i]) != 0)
            continue;
        shell->output.mode = (enum output_mode)i;
        return true;
    }
    tool_error(shell->tool, ".mode takes box, csv, json or line");
    shell->failed = true;
    return false;
}

static bool
switch_flag(struct shell *shell, const char *name, const char *argument, bool *flag)
{
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
        printf("%-12s %-10s %s\n", command->name, command->argument, command->help);
    printf("Everything else is SQL and ends with a semicolon.\n");
    return true;
}

static const struct command commands[] = {
    {".tables", "", "all tables", run_tables},
    {".schema", "[TABLE]", "the statements that make them", run_schema},
    {".stats", "", "counters of the store since it was opened", run_stats},
    {".wa", "", "bytes written against bytes put: write amplification", run_wa},
    {".models", "", "how the leaves of each tree are found: routers, their errors and counts",
     shell_print_models},
    {".check", "", "walk every page and tree and report what is wrong", run_check},
    {".checkpoint", "", "bring everything committed into the file", run_checkpoint},
    {".backup", "FILE", "copy the database, as it is now, to a new file (.zst: compressed)",
     shell_backup},
    {".compact", "FILE", "write all rows, without gaps, to a new file", shell_compact},
    {".shrink", "", "give free pages at the end of the file back", shell_shrink},
    {".dump", "", "the whole database as SQL, for qtdb and psql", shell_dump},
    {"\\copy", "WHAT", "COPY from or to a file of the shell's: \\copy t FROM 'x.csv' CSV HEADER",
     shell_copy_command},
    {".mode", "MODE", "box, csv, json or line", run_mode},
    {".header", "on|off", "names of the columns", run_header},
    {".timer", "on|off", "time of each statement", run_timer},
    {".print", "TEXT", "the text", run_print},
    {".help", "", "this list", run_help},
    {".quit", "", "leave (also \\q, or the end of the input)", run_quit},
    {NULL, NULL, NULL, NULL},
};

static const struct command *
find(const char *word)
{
    if (strcmp(word, "\\q") == 0)
        word = ".quit";
    else if (strcmp(word, "\\?") == 0)
        word = ".help";
    else if (strcmp(word, "\\dt") == 0)
        word = ".tables";
    else if (strcmp(word, "\\d") == 0)
        word = ".schema";
    for (const struct command *command = commands; command->name != NULL; command++) {
        if (strcmp(command->name, word) == 0)
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
