/*
 * qtdb_backup: a consistent copy while transactions run.
 *
 * The pager copies pages and learns which ones change meanwhile (backup_pages.c). Passes go on until
 * few are left; then the gate is closed, so that no commit is under way, for the last of them and the page
 * map, and opened again before the copy is synced. So committers wait for some hundred pages to be copied,
 * readers for nothing.
 *
 * Compressed, the copy is made beside its place first, as a plain file, and then written as a row of zstd
 * frames of 1 MiB each, which any zstd program takes apart.
 */
#include <stdio.h>

#include "kernel/base/compress.h"
#include "kernel/kernel_private.h"

enum { PASSES_MAX = 10, LEFT_FEW = 256, LEFT_SHARE = 16, FRAME_SIZE = 1 << 20, COMPRESS_LEVEL = 3 };

#define PLAIN_SUFFIX "-plain"
#define NEW_SUFFIX "-new"

struct backup {
    struct qtdb *db;
    struct qtdb_backup_options options;
};

static enum status
tell(void *context, const struct pager_backup_progress *progress)
{
    struct backup *backup = context;
    struct qtdb_backup_progress now = {
        .size = sizeof(now),
        .pass = progress->pass,
        .page_count = progress->page_count,
        .page_done = progress->page_done,
    };

    if (backup->options.progress == NULL || backup->options.progress(backup->options.context, &now))
        return STATUS_OK;
    return error_raise(STATUS_STOPPED, "the backup was interrupted; nothing was written under its "
                                       "name");
}

static enum status
copy_pages(struct backup *backup, struct pager_backup *pages)
{
    struct qtdb *db = backup->db;

    for (uint32_t pass = 0; pass < PASSES_MAX; pass++) {
        TRY(pager_backup_pass(pages));
        uint32_t left = pager_backup_left(pages);

        if (left <= LEFT_FEW && left <= pager_page_count(db->pager) / LEFT_SHARE)
            break;
    }
    gate__close(&db->gate);
    enum status status = pager_backup_finish(pages);

    gate__open(&db->gate);
    TRY(status);
    return pager_backup_publish(pages);
}

static enum status
backup_plain(struct backup *backup, const char *path)
{
    struct pager_backup *pages;

    TRY(pager_backup_begin(backup->db->pager, path, tell, backup, &pages));
    enum status status = copy_pages(backup, pages);

    pager_backup_end(pages);
    return status;
}

/* ---- Compressed --------------------------------------------------------------------------------- */

enum status
database__path_with(const char *path, const char *suffix, char *out)
{
    int size = snprintf(out, IO_PATH_SIZE, "%s%s", path, suffix);

    if (size <= 0 || size >= IO_PATH_SIZE)
        return error_raise(STATUS_INVALID, "%.100s...: the path is too long", path);
    return STATUS_OK;
}

struct packer {
    struct io_file *from;
    struct io_file *to;
    struct compress *codec;
    uint8_t *plain; /* FRAME_SIZE */
    uint8_t *frame; /* compress_bound(FRAME_SIZE) */
};

static enum status
pack_frames(struct packer *packer)
{
    uint64_t from = 0;
    uint64_t to = 0;
    size_t size = 0;

    for (;; from += size) {
        TRY(io_read_some(packer->from, packer->plain, FRAME_SIZE, from, &size));
        if (size == 0)
            return io_sync(packer->to);
        size_t packed = compress_encode(packer->codec, packer->plain, size, packer->frame,
                                        compress_bound(FRAME_SIZE), COMPRESS_LEVEL);

        if (packed == 0)
            return error_raise(STATUS_NO_MEMORY, "no memory to compress the backup");
        TRY(io_write(packer->to, packer->frame, packed, to, 0));
        to += packed;
    }
}

static enum status
pack_file(struct qtdb *db, const char *from, const char *to)
{
    struct memory *memory = db->env.memory;
    struct packer packer = {.from = NULL};
    enum status status = STATUS_NO_MEMORY;

    packer.plain = memory_alloc(memory, MEMORY_OTHER, FRAME_SIZE);
    packer.frame = memory_alloc(memory, MEMORY_OTHER, compress_bound(FRAME_SIZE));
    if (packer.plain == NULL || packer.frame == NULL)
        goto out;
    TRY_OUT(compress_new(memory, &packer.codec));
    TRY_OUT(io_open(db->env.io, from, 0, &packer.from));
    TRY_OUT(io_open(db->env.io, to, IO_WRITE | IO_CREATE, &packer.to));
    TRY_OUT(io_truncate(packer.to, 0));
    TRY_OUT(pack_frames(&packer));
out:
    io_close(packer.from);
    io_close(packer.to);
    compress_free(packer.codec);
    memory_free(memory, MEMORY_OTHER, packer.plain, FRAME_SIZE);
    memory_free(memory, MEMORY_OTHER, packer.frame, compress_bound(FRAME_SIZE));
    return status;
}

/* Removes a file that may not be there; what stands in the way is not what failed. */
static void
discard(struct qtdb *db, const char *path)
{
    if (io_remove(db->env.io, path) != STATUS_OK)
        error_clear();
}

enum status
database__refuse_existing(struct qtdb *db, const char *path)
{
    struct io_file *file;
    enum status status = io_open(db->env.io, path, 0, &file);

    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(status);
    io_close(file);
    return error_raise(STATUS_EXISTS, "%s exists: it is not overwritten", path);
}

enum status
database__appear(struct qtdb *db, const char *from, const char *path)
{
    char parent[IO_PATH_SIZE];
    char *slash;

    TRY(database__refuse_existing(db, path));
    TRY(io_rename(db->env.io, from, path));
    memcpy(parent, path, strlen(path) + 1);
    slash = strrchr(parent, '/');
    CHECK(slash != NULL);
    slash[slash == parent ? 1 : 0] = '\0';
    return io_sync_dir(db->env.io, parent);
}

static enum status
backup_compressed(struct backup *backup, const char *path)
{
    struct qtdb *db = backup->db;
    char plain[IO_PATH_SIZE];
    char fresh[IO_PATH_SIZE];
    enum status status;

    TRY(database__refuse_existing(db, path));
    TRY(database__path_with(path, PLAIN_SUFFIX, plain));
    TRY(database__path_with(path, NEW_SUFFIX, fresh));
    discard(db, plain); /* Of a backup that was killed. */
    TRY(backup_plain(backup, plain));
    status = pack_file(db, plain, fresh);
    if (status == STATUS_OK)
        status = database__appear(db, fresh, path);
    if (status != STATUS_OK)
        discard(db, fresh);
    discard(db, plain);
    return status;
}

static enum status
run(struct qtdb *db, const char *path, const struct qtdb_backup_options *options)
{
    struct backup backup = {.db = db};
    char real[IO_PATH_SIZE];

    if (options != NULL && options->size == 0)
        return error_raise(STATUS_INVALID, "qtdb_backup_options.size is not set: set it to sizeof");
    if (options != NULL)
        memcpy(&backup.options, options,
               options->size < sizeof(*options) ? options->size : sizeof(*options));
    TRY(io_real_path(db->env.io, path, real, sizeof(real)));
    return backup.options.compress ? backup_compressed(&backup, real) : backup_plain(&backup, real);
}

enum qtdb_code
qtdb_backup(struct qtdb *db, const char *path, const struct qtdb_backup_options *options)
{
    enum status status = run(db, path, options);

    if (status == STATUS_EXISTS)
        return api_error_set(QTDB_EXISTS, NULL, 0, false, "%s exists: nothing is overwritten",
                             path);
    return api_error(status);
}
