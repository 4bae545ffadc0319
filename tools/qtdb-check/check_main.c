/*
 * qtdb-check FILE: walks every page, its witness, every tree and who owns which page. The file is opened
 * read-only; an unclean one is recovered in memory, so nothing is changed. Exit 0: sound; 1: findings;
 * 2: it cannot be opened.
 */
#include <inttypes.h>
#include <string.h>

#include "kernel/database.h"
#include "pager/pager.h"
#include "tools/common/tool.h"

static const struct tool tool = {
    .name = "qtdb-check",
    .help = "usage: qtdb-check [options] FILE\n"
            "\n"
            "Checks every page of a qtdb file against its checksum, its number and the page map, "
            "every\n"
            "tree for order and structure, and that each page belongs to exactly one owner. The "
            "log of a\n"
            "file that was not closed is read and verified as well. Nothing is changed.\n"
            "\n"
            "  -p, --pages      only pages, not trees\n"
            "  -q, --quiet      only findings\n"
            "      --rescue     open in spite of a missing or damaged log\n"
            "      --pool N     memory for pages in MiB (default 256)\n"
            "  -h, --help       this text\n"
            "      --version    the version\n"
            "\n"
            "Exit status: 0 sound, 1 something found, 2 the file cannot be opened.\n",
};

struct settings {
    bool pages_only;
    bool quiet;
    bool rescue;
    uint64_t pool_mib;
};

static void
show_page_finding(void *context, const struct pager_finding *finding)
{
    (void)context;
    printf("page %" PRIu32 ": %s: %s\n", finding->page_number, status_name(finding->status),
           finding->reason);
}

static void
show_line(void *context, const char *line)
{
    uint64_t *count = context;

    (*count)++;
    puts(line);
}

static enum status
check_pages(struct pager *pager, const struct settings *settings, uint64_t *finding_count)
{
    struct pager_check_result result;

    TRY(pager_check(pager, show_page_finding, NULL, &result));
    if (!settings->quiet)
        printf("%" PRIu64 " pages: %" PRIu64 " in use, %" PRIu64 " free, %" PRIu64 " of the map\n",
               result.page_count, result.used_count, result.free_count, result.map_count);
    *finding_count += result.finding_count;
    return STATUS_OK;
}

static int
finish(const struct settings *settings, uint64_t finding_count)
{
    if (finding_count == 0 && !settings->quiet)
        puts("sound");
    if (finding_count > 0)
        printf("%" PRIu64 " findings\n", finding_count);
    return finding_count == 0 ? TOOL_OK : TOOL_FAILED;
}

static int
check_file(const struct settings *settings, const char *path)
{
    struct qtdb_options options = {.size = sizeof(options),
                                   .read_only = true,
                                   .no_threads = true,
                                   .rescue = settings->rescue,
                                   .pool_size = settings->pool_mib << 20};
    struct qtdb *db = NULL;
    uint64_t finding_count = 0;
    int result;

    if (qtdb_open(path, &options, &db) != QTDB_OK) {
        tool_error(&tool, "%s", qtdb_error_last()->message);
        return TOOL_USAGE;
    }
    enum status status = check_pages(database_pager(db), settings, &finding_count);
    enum qtdb_code code = QTDB_OK;
    if (status == STATUS_OK && !settings->pages_only) {
        uint64_t line_count = 0;

        code = qtdb_check(db, show_line, &line_count);
        finding_count += line_count;
    }
    if (status != STATUS_OK || (code != QTDB_OK && code != QTDB_CORRUPT)) {
        tool_error(&tool, "the check could not be finished: %s", qtdb_error_last()->message);
        result = TOOL_FAILED;
    } else {
        result = finish(settings, finding_count);
    }
    if (qtdb_close(db) != QTDB_OK)
        tool_error(&tool, "%s", qtdb_error_last()->message);
    return result;
}

int
main(int argc, char **argv)
{
    struct settings settings = {.pool_mib = 256};
    const struct tool_option options[] = {
        {"pages", 'p', TOOL_FLAG, &settings.pages_only, 0},
        {"quiet", 'q', TOOL_FLAG, &settings.quiet, 0},
        {"rescue", 0, TOOL_FLAG, &settings.rescue, 0},
        {"pool", 0, TOOL_NUMBER, &settings.pool_mib, 1 << 20},
    };
    int first = 0;
    enum tool_command command =
        tool_parse(&tool, argc, argv, options, sizeof(options) / sizeof(options[0]), &first);

    if (command != TOOL_RUN)
        return command == TOOL_ANSWERED ? TOOL_OK : TOOL_USAGE;
    if (argc - first != 1)
        return tool_usage_error(&tool, "one FILE is wanted");
    return check_file(&settings, argv[first]);
}
