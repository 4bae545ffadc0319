/* legacy-make: the command line. */
#include <string.h>

#include "tools/legacy-make/make.h"

static const char help[] =
    "Usage: legacy-make cities [OPTION...] CITIES.csv OUT.db   an instance with the cities\n"
    "       legacy-make rows [OPTION...] OUT.db               an instance with made rows; prints "
    "what is\n"
    "                                                         to arrive\n"
    "       legacy-make hostile [OPTION...] DIRECTORY         hostile rows, a log with a torn "
    "tail; prints\n"
    "                                                         what is to arrive\n"
    "       legacy-make sample [OPTION...] DIRECTORY          all types, two databases, and a log\n"
    "       legacy-make sql [OPTION...] CITIES.csv OUT.sql    the cities and changes as SQL\n"
    "       legacy-make rewrite [OPTION...] CITIES.csv DIR    the predecessor's way, measured\n"
    "Makes files of the legacy monolithic database, for tests and the demo.\n"
    "\n"
    "Options:\n"
    "  --generation A|B|C|D  form of the file (B)\n"
    "  --rows N              only the first N cities; N made rows (1000)\n"
    "  --updates N           changes after the load (100)\n"
    "  --batch N             rows a transaction, operations a snapshot (100)\n"
    "  --seed N              of made rows and changes (1)\n"
    "  --create              sample: the log also makes a table, and drops it again\n"
    "  --plain               sql, rewrite: made rows of 95 bytes; CITIES.csv is not read\n"
    "  --sync                rewrite: each snapshot is synced to the device\n"
    "  --help, --version\n"
    "\n"
    "rewrite prints: load USER_BYTES WRITTEN_BYTES update USER_BYTES WRITTEN_BYTES\n";

static const struct tool tool = {.name = "legacy-make", .help = help};

static enum tool_command
parse(int argc, char **argv, struct make_options *options, const char **generation, int *first_out)
{
    const struct tool_option table[] = {
        {"generation", 'g', TOOL_TEXT, (void *)generation, 0},
        {"rows", 'n', TOOL_NUMBER, &options->rows, UINT32_MAX},
        {"updates", 0, TOOL_NUMBER, &options->updates, UINT32_MAX},
        {"batch", 0, TOOL_NUMBER, &options->batch, UINT32_MAX},
        {"seed", 0, TOOL_NUMBER, &options->seed, UINT64_MAX},
        {"create", 0, TOOL_FLAG, &options->create, 0},
        {"plain", 0, TOOL_FLAG, &options->plain, 0},
        {"sync", 0, TOOL_FLAG, &options->sync, 0},
    };

    return tool_parse(&tool, argc, argv, table, sizeof(table) / sizeof(table[0]), first_out);
}

static int
run(struct make_options *options, int count, char **words)
{
    const char *mode = count > 0 ? words[0] : "";

    if (strcmp(mode, "cities") == 0 && count == 3)
        return make_cities(options, words[1], words[2]);
    if (strcmp(mode, "sql") == 0 && count == 3)
        return make_sql(options, words[1], words[2]);
    if (strcmp(mode, "rewrite") == 0 && count == 3)
        return make_rewrite(options, words[1], words[2]);
    if (strcmp(mode, "sample") == 0 && count == 2)
        return make_sample(options, words[1]);
    if (strcmp(mode, "hostile") == 0 && count == 2) {
        options->rows = options->rows == 0 ? 1000 : options->rows;
        return make_hostile(options, words[1]);
    }
    if (strcmp(mode, "rows") == 0 && count == 2) {
        options->rows = options->rows == 0 ? 1000 : options->rows;
        return make_rows(options, words[1]);
    }
    return tool_usage_error(&tool, "a mode and its files are wanted");
}

int
main(int argc, char **argv)
{
    struct make_options options = {.tool = &tool, .updates = 100, .batch = 100, .seed = 1};
    const char *generation = "B";
    int first = 0;

    enum tool_command command = parse(argc, argv, &options, &generation, &first);
    if (command != TOOL_RUN)
        return command == TOOL_ANSWERED ? TOOL_OK : TOOL_USAGE;
    if (strlen(generation) != 1 || strchr("ABCD", generation[0]) == NULL)
        return tool_usage_error(&tool, "generations are A, B, C and D");
    if (options.batch == 0)
        return tool_usage_error(&tool, "--batch is at least 1");
    options.generation = generation[0];
    if (!tool_env_open(&tool, &options.env))
        return TOOL_FAILED;
    int status = run(&options, argc - first, argv + first);
    tool_env_close(&options.env);
    return status;
}
