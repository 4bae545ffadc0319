/* Finding the file and its log; opening. Reading the rows is in legacy_rows.c. */
#include "tools/qtdb-migrate/legacy_source.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/base/error.h"
#include "tools/qtdb-migrate/legacy_rescue.h"

static const char instance_name[] = "server_instance.db";
static const char main_name[] = "main.db";

__attribute__((format(printf, 3, 4))) static enum status
refuse(struct legacy_source *source, enum status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(source->fault, sizeof(source->fault), format, arguments);
    va_end(arguments);
    return status;
}

/* Paths. */

static bool
join(char out[IO_PATH_SIZE], const char *directory, const char *name)
{
    int size = snprintf(out, IO_PATH_SIZE, "%s/%s", directory, name);

    return size > 0 && size < IO_PATH_SIZE;
}

static bool
file_exists(const char *directory, const char *name)
{
    char path[IO_PATH_SIZE];
    struct stat info;

    return join(path, directory, name) && stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* Splits in place of the last slash; a bare name lies in ".". */
static void
directory_of(const char *path, char out[IO_PATH_SIZE], const char **name_out)
{
    const char *slash = strrchr(path, '/');

    (void)snprintf(out, IO_PATH_SIZE, "%.*s", slash != NULL ? (int)(slash - path) : 1,
                   slash != NULL ? path : ".");
    if (slash == path)
        (void)snprintf(out, IO_PATH_SIZE, "/");
    *name_out = slash != NULL ? slash + 1 : path;
}

struct only_file {
    char name[256];
    uint32_t count;
};

static void
take_database_file(void *context, const char *name, bool is_directory)
{
    struct only_file *only = context;
    size_t size = strlen(name);

    if (is_directory || size < 4 || strcmp(name + size - 3, ".db") != 0)
        return;
    only->count++;
    (void)snprintf(only->name, sizeof(only->name), "%s", name);
}

/* Which file of a data directory is the database. */
static enum status
choose_file(struct legacy_source *source, const char *directory)
{
    struct only_file only = {.count = 0};
    const char *name = only.name;

    if (io_list(source->env.io, directory, take_database_file, &only) != STATUS_OK)
        return refuse(source, STATUS_IO, "%s", error_message());
    if (file_exists(directory, instance_name))
        name = instance_name;
    else if (file_exists(directory, main_name))
        name = main_name;
    else if (only.count == 0)
        return refuse(source, STATUS_NOT_FOUND, "%s: no %s, %s or other .db file in this directory",
                      directory, instance_name, main_name);
    else if (only.count > 1)
        return refuse(source, STATUS_INVALID, "%s: %u .db files and none is %s; name one of them",
                      directory, only.count, instance_name);
    if (only.count > 1)
        (void)snprintf(source->remark, sizeof(source->remark),
                       "%u other .db files in the directory are older and were left alone",
                       only.count - 1);
    if (!join(source->path, directory, name))
        return refuse(source, STATUS_INVALID, "%.200s: the path is too long", directory);
    return STATUS_OK;
}

static enum status
choose_log(struct legacy_source *source)
{
    char directory[IO_PATH_SIZE];
    const char *name = NULL;

    directory_of(source->path, directory, &name);
    bool is_main = strcmp(name, main_name) == 0;
    if (strcmp(name, instance_name) != 0 && !is_main)
        return STATUS_OK;
    if (is_main && file_exists(directory, instance_name)) {
        (void)snprintf(source->remark, sizeof(source->remark),
                       "the log beside this file belongs to %s and was not applied", instance_name);
        return STATUS_OK;
    }
    if (!join(source->log_path, directory, "wal"))
        return refuse(source, STATUS_INVALID, "%.200s: the path is too long", directory);
    return STATUS_OK;
}

static enum status
find(struct legacy_source *source, const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return refuse(source, STATUS_NOT_FOUND, "%s: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode)) {
        TRY(choose_file(source, path));
    } else if (!S_ISREG(info.st_mode)) {
        return refuse(source, STATUS_INVALID, "%s: not a file and not a directory", path);
    } else if (snprintf(source->path, sizeof(source->path), "%s", path) >=
               (int)sizeof(source->path)) {
        return refuse(source, STATUS_INVALID, "%.200s: the path is too long", path);
    }
    return choose_log(source);
}

/* Opening. */

static enum status
stream_fault(struct legacy_source *source, const struct legacy_fault *fault)
{
    return refuse(source, fault->status, "%s: byte %llu of %llu: %s", source->path,
                  (unsigned long long)fault->offset, (unsigned long long)source->size,
                  fault->message);
}

static enum status
open_snapshot(struct legacy_source *source)
{
    struct legacy_fault fault = {.set = false};

    if (legacy_stream_open(&source->env, source->path, &source->stream) != STATUS_OK)
        return refuse(source, STATUS_IO, "%s", error_message());
    source->stream_open = true;
    source->size = source->stream.size;
    if (source->size == 0)
        return refuse(source, STATUS_CORRUPT, "%s: the file is empty", source->path);
    enum status status = legacy_detect(&source->stream, &source->form, &fault);
    if (status == STATUS_CORRUPT && source->plan.rescue)
        status = legacy_rescue_detect(&source->stream, &source->form);
    if (status == STATUS_CORRUPT)
        return refuse(source, status,
                      "%s: not a legacy database, or damaged: no generation fits; the best one "
                      "fails at byte %llu of %llu: %s",
                      source->path, (unsigned long long)fault.offset,
                      (unsigned long long)source->size, fault.message);
    if (status != STATUS_OK)
        return stream_fault(source, &source->stream.fault);
    return STATUS_OK;
}

static enum status
survey(struct legacy_source *source)
{
    enum status status = legacy_plan_survey(&source->plan, &source->stream, &source->form);

    if (status == STATUS_OK)
        return STATUS_OK;
    if (source->plan.fault[0] != '\0')
        return refuse(source, status, "%s: %s", source->path, source->plan.fault);
    if (source->stream.fault.set)
        return stream_fault(source, &source->stream.fault);
    return refuse(source, status, "%s: no memory for its tables", source->path);
}

static void
note_log_damage(void *context, const char *words)
{
    struct legacy_text log = {.bytes = "log", .size = 3};

    legacy_plan_lost(context, &log, words);
}

static enum status
replay(struct legacy_source *source, const struct source_options *options)
{
    source->log_open = true;
    enum status status = legacy_log_rescue(&source->env, source->log_path, source->form.generation,
                                           source->plan.rescue ? note_log_damage : NULL,
                                           &source->plan, &source->log);
    if (status == STATUS_OK)
        status = legacy_plan_replay(&source->plan, &source->log, options->log_database);
    if (status == STATUS_OK)
        return STATUS_OK;
    if (source->plan.fault[0] != '\0')
        return refuse(source, status, "%s: %s", source->log_path, source->plan.fault);
    if (source->log.fault[0] != '\0')
        return refuse(source, status, "%s; --no-log leaves the log out", source->log.fault);
    return refuse(source, status, "%s: %s", source->log_path, status_name(status));
}

enum status
legacy_source_open(const struct env *env, const char *path, const struct source_options *options,
                   struct legacy_source *out)
{
    *out = (struct legacy_source){.env = *env};
    legacy_plan_init(&out->plan, env->memory);
    out->plan.rescue = options->rescue;
    TRY(find(out, path));
    TRY(open_snapshot(out));
    TRY(survey(out));
    if (options->no_log)
        out->log_path[0] = '\0';
    if (out->log_path[0] != '\0')
        TRY(replay(out, options));
    legacy_plan_seal(&out->plan);
    return STATUS_OK;
}

void
legacy_source_close(struct legacy_source *source)
{
    legacy_plan_deinit(&source->plan);
    if (source->log_open)
        legacy_log_close(&source->log);
    if (source->stream_open)
        legacy_stream_close(&source->stream);
    source->log_open = false;
    source->stream_open = false;
}
