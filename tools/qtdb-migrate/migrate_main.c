/* qtdb-migrate: the command line. */
#include <stdlib.h>
#include <string.h>

#include "tools/qtdb-migrate/back.h"
#include "tools/qtdb-migrate/migrate.h"

static const char help[] =
    "Usage: qtdb-migrate [OPTION...] SOURCE... TARGET.qtdb\n"
    "       qtdb-migrate --dry-run [OPTION...] SOURCE...\n"
    "       qtdb-migrate --to sqlite|csv|sql [OPTION...] FILE.qtdb OUT\n"
    "Makes a qtdb database of other databases and files, or the other way round. Sources are "
    "never\n"
    "changed; the target appears under its name only when it is complete and verified.\n"
    "\n"
    "A SOURCE is, told by what it is:\n"
    "  legacy   a legacy file (server_instance.db, main.db, NAME.db) or its data directory with "
    "the\n"
    "           log; every generation is recognised. Database NAME becomes schema NAME\n"
    "  pages    page folders (table_1/page_00000000.dat ...) of the legacy system\n"
    "  csv      CSV or TSV: delimiter, header and the columns' types are found out\n"
    "  sqlite   an SQLite 3 file; file NAME becomes schema NAME\n"
    "  sql      a dump as pg_dump (plain), mysqldump or sqlite3 .dump write it\n"
    "  json     JSON lines or an array of objects; what is nested becomes jsonb\n"
    "  a directory of these. CSV and JSON may be compressed with zstd\n"
    "\n"
    "Options:\n"
    "  --from KIND          what the sources are, where it is not to be found out\n"
    "  --to FORM            the way back: sqlite (a file), csv (a directory with a file for each\n"
    "                       table), sql (a file, as the shell's .dump; for qtdb and psql)\n"
    "  --report FILE.json   write down everything that was changed, lost or left out\n"
    "  --strict             stop at the first value or constraint that cannot be kept as it is\n"
    "  --dry-run            convert everything and write nothing\n"
    "  --layout schemas     database NAME becomes schema NAME (the default)\n"
    "  --layout files       TARGET is a directory, database NAME becomes NAME.qtdb in it\n"
    "  --schema FILE.sql    of page folders: CREATE TABLEs in the order of the tables' numbers\n"
    "  --rescue             read what can be read of damaged legacy and SQLite files, and list "
    "what\n"
    "                       cannot\n"
    "  --resume             keep what is done on an interrupt; go on with what is there\n"
    "  --no-verify          leave out the second reading of source and target\n"
    "  --delimiter CHAR     what divides the fields of CSV; 'tab' for a tab\n"
    "  --header             the first line of CSV names the columns\n"
    "  --no-header          the first line of CSV is a row\n"
    "  --log-database NAME  the database that the log belongs to, where the log leaves it open\n"
    "  --no-log             take the snapshot without the log\n"
    "  --quiet              no summary\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 done, 1 not done (nothing is left of the target) or, with --rescue, something\n"
    "was lost, 2 the command line is wrong.\n";

static const struct tool tool = {.name = "qtdb-migrate", .help = help};

static enum tool_command
parse(int argc, char **argv, struct migrate_options *options, int *first_out)
{
    const struct tool_option table[] = {
        {"report", 0, TOOL_TEXT, &options->report, 0},
        {"strict", 0, TOOL_FLAG, &options->strict, 0},
        {"dry-run", 'n', TOOL_FLAG, &options->dry_run, 0},
        {"verify", 0, TOOL_FLAG, &options->verify, 0},
        {"no-verify", 0, TOOL_FLAG_OFF, &options->verify, 0},
        {"log-database", 0, TOOL_TEXT, &options->from.log_database, 0},
        {"no-log", 0, TOOL_FLAG, &options->from.no_log, 0},
        {"delimiter", 0, TOOL_TEXT, &options->from.delimiter, 0},
        {"header", 0, TOOL_FLAG, &options->from.header, 0},
        {"no-header", 0, TOOL_FLAG, &options->from.no_header, 0},
        {"quiet", 'q', TOOL_FLAG, &options->quiet, 0},
        {"rescue", 0, TOOL_FLAG, &options->from.rescue, 0},
        {"resume", 0, TOOL_FLAG, &options->resume, 0},
        {"to", 0, TOOL_TEXT, &options->to, 0},
        {"from", 0, TOOL_TEXT, &options->from.from, 0},
        {"layout", 0, TOOL_TEXT, &options->layout, 0},
        {"schema", 0, TOOL_TEXT, &options->from.schema, 0},
    };

    return tool_parse(&tool, argc, argv, table, sizeof(table) / sizeof(table[0]), first_out);
}

static bool
is_delimiter(const char *text)
{
    return strcmp(text, "tab") == 0 || (strlen(text) == 1 && strchr("\"\r\n", text[0]) == NULL);
}

static int
check_operands(int count, char **operands, struct migrate_options *options)
{
    const struct source_options *from = &options->from;

    if (from->from != NULL && source_kind_named(from->from) == NULL)
        return tool_usage_error(&tool, "--from: there is no kind '%s'", from->from);
    if (from->delimiter != NULL && !is_delimiter(from->delimiter))
        return tool_usage_error(&tool, "--delimiter takes one character or 'tab'");
    if (strcmp(options->layout, "schemas") != 0 && strcmp(options->layout, "files") != 0)
        return tool_usage_error(&tool, "--layout takes schemas or files");
    if (options->resume && strcmp(options->layout, "files") == 0)
        return tool_usage_error(&tool, "--resume goes with --layout schemas");
    if (from->rescue && (options->strict || options->resume))
        return tool_usage_error(&tool, "--rescue goes without --strict and --resume");
    if (count == 0)
        return tool_usage_error(&tool, "a SOURCE is missing");
    if (count == 1 && !options->dry_run)
        return tool_usage_error(&tool, "a TARGET is missing");
    options->paths = operands;
    options->path_count = options->dry_run ? count : count - 1;
    options->target = options->dry_run ? NULL : operands[count - 1];
    return TOOL_OK;
}

static int
run_back(int count, char **operands, const struct migrate_options *options)
{
    struct back back = {
        .tool = &tool,
        .form = back_form_named(options->to),
        .options = {.to = options->to,
                    .report = options->report,
                    .strict = options->strict,
                    .verify = options->verify,
                    .quiet = options->quiet},
    };

    if (back.form == NULL)
        return tool_usage_error(&tool, "--to takes sqlite, csv or sql");
    if (options->dry_run || options->resume || options->from.rescue)
        return tool_usage_error(&tool, "--to goes without --dry-run, --resume and --rescue");
    if (count != 2)
        return tool_usage_error(&tool, "--to takes FILE.qtdb and OUT");
    back.options.source = operands[0];
    back.options.out = operands[1];
    if (!tool_env_open(&tool, &back.env))
        return TOOL_FAILED;
    tool_catch_stop();
    bool ok = back_run(&back);
    if (!ok)
        tool_error(&tool, "%s", back.fault);
    tool_env_close(&back.env);
    return ok ? TOOL_OK : TOOL_FAILED;
}

int
main(int argc, char **argv)
{
    struct migration migration = {.tool = &tool, .options = {.verify = true, .layout = "schemas"}};
    int first = 0;

    enum tool_command command = parse(argc, argv, &migration.options, &first);
    if (command != TOOL_RUN)
        return command == TOOL_ANSWERED ? TOOL_OK : TOOL_USAGE;
    if (migration.options.to != NULL)
        return run_back(argc - first, argv + first, &migration.options);
    int status = check_operands(argc - first, argv + first, &migration.options);
    if (status != TOOL_OK)
        return status;
    if (!tool_env_open(&tool, &migration.env))
        return TOOL_FAILED;
    tool_catch_stop();
    bool files = strcmp(migration.options.layout, "files") == 0 && !migration.options.dry_run;
    bool ok = files ? migrate_run_files(&migration) : migrate_run(&migration);
    if (!ok)
        tool_error(&tool, "%s", migration.fault);
    tool_env_close(&migration.env);
    return ok && migration.lost_count == 0 ? TOOL_OK : TOOL_FAILED;
}
