/*
 * --layout files: a database for each schema, NAME.qtdb in the directory TARGET. Each is a migration of its own
 * that passes everything else over, so the sources are read once for each. All are built in TARGET.partial, which
 * gets its name when the last one is whole and verified.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/base/error.h"
#include "tools/qtdb-migrate/migrate.h"

struct files {
    struct migration *all;
    char partial[IO_PATH_SIZE];
    struct arena arena;
};

/* Cleaning up: what this program makes in the directory, and nothing else. */

struct removal {
    struct io *io;
    const char *directory;
    bool inside_log;
    bool failed;
};

static bool
ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);

    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

static void
remove_entry(void *context, const char *name, bool is_directory)
{
    struct removal *removal = context;
    char path[IO_PATH_SIZE];
    int size = snprintf(path, sizeof(path), "%s/%s", removal->directory, name);
    bool ours = removal->inside_log ? !is_directory
                : is_directory      ? ends_with(name, ".qtdb.partial-wal")
                                    : ends_with(name, ".qtdb") || ends_with(name, ".qtdb.partial");

    if (!ours || size < 0 || size >= (int)sizeof(path)) {
        removal->failed = true;
        return;
    }
    if (!is_directory) {
        removal->failed = io_remove(removal->io, path) != STATUS_OK || removal->failed;
        return;
    }
    struct removal log = {.io = removal->io, .directory = path, .inside_log = true};
    if (io_list(log.io, path, remove_entry, &log) != STATUS_OK || log.failed ||
        io_remove_dir(log.io, path) != STATUS_OK)
        removal->failed = true;
}

static bool
remove_partial(struct files *files)
{
    struct removal removal = {.io = files->all->env.io, .directory = files->partial};
    enum status status = io_list(removal.io, files->partial, remove_entry, &removal);

    return status == STATUS_NOT_FOUND || (status == STATUS_OK && !removal.failed &&
                                          io_remove_dir(removal.io, files->partial) == STATUS_OK);
}

static enum status
begin(struct files *files)
{
    struct migration *all = files->all;
    struct stat info;
    int size = snprintf(files->partial, sizeof(files->partial), "%s.partial", all->options.target);

    if (size < 0 || size >= IO_PATH_SIZE - 512)
        return migrate_fail(all, STATUS_INVALID, "%.200s: the path is too long",
                            all->options.target);
    if (lstat(all->options.target, &info) == 0)
        return migrate_fail(all, STATUS_EXISTS,
                            "%s: exists already; remove it or choose another name",
                            all->options.target);
    if (!remove_partial(files))
        return migrate_fail(all, STATUS_EXISTS, "%s: there are files in it that are not ours",
                            files->partial);
    enum status status = io_make_dir(all->env.io, files->partial);
    return status == STATUS_OK ? status : migrate_fail(all, status, "%s", error_message());
}

/* One file. */

/* "report.json" becomes "report.NAME.json". */
static void
add_report_name(struct text_buffer *out, const char *report, const char *schema)
{
    size_t size = ends_with(report, ".json") ? strlen(report) - strlen(".json") : strlen(report);

    text_buffer_add(out, report, size);
    text_buffer_add_char(out, '.');
    text_buffer_add_file_name(out, schema);
    text_buffer_add_text(out, report + size);
}

static enum status
run_one(struct files *files, const char *schema)
{
    struct migration *all = files->all;
    struct migration *one = arena_alloc(&files->arena, sizeof(*one));
    struct text_buffer target, report;

    if (one == NULL)
        return migrate_fail(all, STATUS_NO_MEMORY, "out of memory");
    text_buffer_init(&target, all->env.memory);
    text_buffer_init(&report, all->env.memory);
    text_buffer_print(&target, "%s/", files->partial);
    text_buffer_add_file_name(&target, schema);
    text_buffer_add_text(&target, ".qtdb");
    *one = (struct migration){.tool = all->tool, .env = all->env, .options = all->options};
    if (all->options.report != NULL) {
        add_report_name(&report, all->options.report, schema);
        one->options.report = report.bytes;
    }
    one->options.target = target.bytes;
    one->options.only_schema = schema;
    bool ok = !target.failed && !report.failed && migrate_run(one);
    all->lost_count += one->lost_count;
    enum status status = ok ? STATUS_OK
                            : migrate_fail(all, STATUS_FAILED, "%s: %.900s", schema,
                                           one->fault[0] != '\0' ? one->fault : "out of memory");
    text_buffer_deinit(&report);
    text_buffer_deinit(&target);
    return status;
}

static enum status
publish(struct files *files)
{
    struct migration *all = files->all;
    const char *target = all->options.target, *slash = strrchr(target, '/');
    char directory[IO_PATH_SIZE];
    struct stat info;

    if (lstat(target, &info) == 0)
        return migrate_fail(all, STATUS_EXISTS, "%s: has come into being meanwhile", target);
    (void)snprintf(directory, sizeof(directory), "%.*s",
                   slash == NULL || slash == target ? 1 : (int)(slash - target),
                   slash == NULL ? "." : target);
    enum status status = io_sync_dir(all->env.io, files->partial);
    if (status == STATUS_OK)
        status = io_rename(all->env.io, files->partial, target);
    if (status == STATUS_OK)
        status = io_sync_dir(all->env.io, directory);
    return status == STATUS_OK ? status : migrate_fail(all, status, "%s", error_message());
}

static enum status
work(struct files *files)
{
    const char *const *names = NULL;
    uint32_t count = 0;

    if (!migrate_list_schemas(files->all, &files->arena, &names, &count))
        return STATUS_FAILED;
    files->all->sources = (struct source_list){.count = 0};
    TRY(begin(files));
    for (uint32_t i = 0; i < count; i++) {
        if (!files->all->options.quiet)
            printf("%sdatabase  %s\n", i > 0 ? "\n" : "", names[i]);
        TRY(run_one(files, names[i]));
    }
    return publish(files);
}

bool
migrate_run_files(struct migration *migration)
{
    struct files files = {.all = migration};

    arena_init(&files.arena, migration->env.memory, MEMORY_OTHER);
    enum status status = work(&files);
    if (status != STATUS_OK && files.partial[0] != '\0' && status != STATUS_EXISTS)
        (void)remove_partial(&files);
    arena_deinit(&files.arena);
    return status == STATUS_OK;
}
