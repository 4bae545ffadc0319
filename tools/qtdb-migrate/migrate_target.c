/* The life of the target file; tables and rows are in migrate_rows.c. */
#include "tools/qtdb-migrate/migrate_target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/base/error.h"
#include "tools/qtdb-migrate/migrate_target_private.h"

enum status
target__fail(struct migrate_target *target, const char *what)
{
    const struct qtdb_error *error = qtdb_error_last();

    (void)snprintf(target->sqlstate, sizeof(target->sqlstate), "%s", error->sqlstate);
    (void)snprintf(target->fault, sizeof(target->fault), "%.240s: %s", what, error->message);
    return STATUS_FAILED;
}

static enum status
fail_io(struct migrate_target *target, enum status status)
{
    (void)snprintf(target->fault, sizeof(target->fault), "%s", error_message());
    return status;
}

/* Removing. */

struct removal {
    struct io *io;
    const char *directory;
    bool failed;
};

static void
remove_entry(void *context, const char *name, bool is_directory)
{
    struct removal *removal = context;
    char path[IO_PATH_SIZE];
    int size = snprintf(path, sizeof(path), "%s/%s", removal->directory, name);

    if (is_directory || size < 0 || (size_t)size >= sizeof(path) ||
        io_remove(removal->io, path) != STATUS_OK)
        removal->failed = true;
}

/* The partial file, its log, and what it began as; absent ones are fine. */
static enum status
remove_partial(struct migrate_target *target)
{
    char log[IO_PATH_SIZE + 8], begun[IO_PATH_SIZE + 8];
    struct removal removal = {.io = target->env.io, .directory = log};

    (void)snprintf(log, sizeof(log), "%s-wal", target->partial);
    enum status status = io_list(target->env.io, log, remove_entry, &removal);
    if (status == STATUS_OK)
        status = removal.failed ? STATUS_IO : io_remove_dir(target->env.io, log);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    status = io_remove(target->env.io, target->partial);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    /* What a file is built under, where it could not even be begun: a full disk. */
    (void)snprintf(begun, sizeof(begun), "%s-new", target->partial);
    status = io_remove(target->env.io, begun);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Opening and closing. */

static void
close_database(struct migrate_target *target)
{
    target__forget_rows(target);
    qtdb_finalize(target->normalise);
    qtdb_session_close(target->session);
    target->normalise = NULL;
    target->session = NULL;
}

static enum status
close_cleanly(struct migrate_target *target)
{
    struct qtdb *db = target->db;

    close_database(target);
    target->db = NULL;
    if (qtdb_close(db) != QTDB_OK)
        return target__fail(target, target->partial);
    return STATUS_OK;
}

static enum status
open_database(struct migrate_target *target, bool read_only)
{
    struct qtdb_options options = {
        .size = sizeof(options), .create = !read_only, .read_only = read_only};

    if (qtdb_open(target->partial, &options, &target->db) != QTDB_OK)
        return target__fail(target, target->partial);
    if (qtdb_session_open(target->db, &target->session) != QTDB_OK)
        return target__fail(target, target->partial);
    return STATUS_OK;
}

enum status
target_beside(const struct migrate_target *target, struct migrate_target *out)
{
    *out = (struct migrate_target){.env = target->env, .db = target->db};
    text_buffer_init(&out->sql, target->env.memory);
    if (qtdb_session_open(out->db, &out->session) != QTDB_OK)
        return target__fail(out, target->partial);
    return STATUS_OK;
}

void
target_beside_close(struct migrate_target *side)
{
    close_database(side);
    side->db = NULL;
    text_buffer_deinit(&side->sql);
}

/* What an earlier run left may go, unless that run is still at it. */
static enum status
clear_way(struct migrate_target *target, bool go_on)
{
    /* A file that is to be gone on with must open with its log. */
    struct qtdb_options options = {.size = sizeof(options), .rescue = !go_on};
    struct qtdb *db = NULL;

    if (access(target->path, F_OK) == 0) {
        (void)snprintf(target->fault, sizeof(target->fault),
                       "%.600s: exists already; remove it or choose another name", target->path);
        return STATUS_EXISTS;
    }
    if (access(target->partial, F_OK) != 0)
        return STATUS_OK;
    enum qtdb_code code = qtdb_open(target->partial, &options, &db);
    if (code == QTDB_BUSY) {
        (void)target__fail(target, "another migration is writing this target");
        return STATUS_BUSY;
    }
    if (code == QTDB_OK)
        (void)qtdb_close(db);
    if (go_on)
        return code == QTDB_OK ? STATUS_OK : target__fail(target, target->partial);
    enum status status = remove_partial(target);
    return status == STATUS_OK ? STATUS_OK : fail_io(target, status);
}

enum status
target_open(const struct env *env, const char *path, bool go_on, struct migrate_target *out)
{
    *out = (struct migrate_target){.env = *env};
    text_buffer_init(&out->sql, env->memory);
    if (snprintf(out->path, sizeof(out->path), "%s", path) >= (int)sizeof(out->path) ||
        snprintf(out->partial, sizeof(out->partial), "%s.partial", path) >=
            (int)sizeof(out->partial)) {
        (void)snprintf(out->fault, sizeof(out->fault), "%.200s: the path is too long", path);
        return STATUS_INVALID;
    }
    TRY(clear_way(out, go_on));
    out->made = true;
    return open_database(out, false);
}

void
target_keep(struct migrate_target *target)
{
    close_database(target);
    if (target->db != NULL)
        (void)qtdb_close(target->db);
    target->db = NULL;
    text_buffer_deinit(&target->sql);
}

void
target_discard(struct migrate_target *target)
{
    close_database(target);
    if (target->db != NULL)
        (void)qtdb_close(target->db);
    target->db = NULL;
    if (target->made && remove_partial(target) == STATUS_OK)
        target->made = false;
    text_buffer_deinit(&target->sql);
}

enum status
target_reopen(struct migrate_target *target)
{
    TRY(close_cleanly(target));
    return open_database(target, true);
}

/* "." for a bare name. */
static void
parent_of(const char *path, char out[IO_PATH_SIZE])
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        (void)snprintf(out, IO_PATH_SIZE, ".");
    else
        (void)snprintf(out, IO_PATH_SIZE, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

enum status
target_publish(struct migrate_target *target)
{
    char directory[IO_PATH_SIZE];

    if (target->db != NULL)
        TRY(close_cleanly(target));
    /* link() refuses to replace, which rename() would do without a word. */
    if (link(target->partial, target->path) != 0) {
        if (errno == EEXIST) {
            (void)snprintf(target->fault, sizeof(target->fault),
                           "%.600s: has come into being meanwhile", target->path);
            return STATUS_EXISTS;
        }
        enum status status = io_rename(target->env.io, target->partial, target->path);
        if (status != STATUS_OK)
            return fail_io(target, status);
    } else {
        enum status status = io_remove(target->env.io, target->partial);
        if (status != STATUS_OK) {
            (void)fail_io(target, status);
            (void)unlink(target->path);
            return status;
        }
    }
    parent_of(target->path, directory);
    enum status status = io_sync_dir(target->env.io, directory);
    target->made = false;
    if (status == STATUS_OK)
        return STATUS_OK;
    /* A name that a power cut may take back is none: what has failed leaves nothing. */
    (void)fail_io(target, status);
    target->made = io_rename(target->env.io, target->path, target->partial) == STATUS_OK;
    return status;
}
