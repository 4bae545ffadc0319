/*
 * Opening and closing a database file.
 *
 *   missing      -> NOT_FOUND, or created (create.c)
 *   lock         -> held by another: BUSY, with the holder's pid from NAME-wal/owner
 *   size, slots  -> empty, truncated, foreign, newer: refused, each with what to do
 *   clean        -> a log directory found beside it means nothing: the file holds everything (P16)
 *   needs-log    -> the log is opened at R and redone (recover.c); a file without its log is refused,
 *                   or with `rescue` opened as it is (rescue.c)
 *
 * A writer holds the file exclusively from open to close, a reader shared. A reader of a needs-log
 * file redoes into its own memory and writes nothing. Neither writes to a clean file before its first
 * change (log_dir.c).
 *
 * A clean close: all pages and witnesses into the file, both slots clean, durable; then the log goes
 * (P8, P16). From the moment the slots are clean nothing can be lost any more; what fails after it is
 * reported, but the file is complete.
 *
 * The log's place follows from the real path, so a file has one log whatever link leads to it.
 */
#include "pager/open_private.h"

#include <inttypes.h>
#include <stdio.h>

#define LOG_SUFFIX "-wal"
#define POOL_SIZE_DEFAULT (UINT64_C(64) << 20)
#define LOG_LIMIT_DEFAULT (UINT64_C(256) << 20)
#define SEGMENT_SIZE_DEFAULT_MIN (UINT64_C(4) << 20)
#define SEGMENT_SIZE_DEFAULT_MAX (UINT64_C(16) << 20)

enum {
    LOG_SEGMENTS_MIN = 4,      /* In a log at its limit. */
    LOG_SEGMENTS_DEFAULT = 64, /* As far as their default sizes go. */
    FLUSH_DEPTH_DEFAULT = 128,
    FLUSH_DEPTH_MAX = 4096,
    THREADS_MAX = 64,
    LOG_FRAME_MIN = 256,
    LOG_BUFFERS_MAX = 64,
};

/* ---- Paths ----------------------------------------------------------------------------------- */

enum status
pager__path_with(const char *path, const char *suffix, struct pager_path *out)
{
    out->text[0] = '\0';
    int size = snprintf(out->text, sizeof(out->text), "%s%s", path, suffix);

    if (size < 0 || (size_t)size >= sizeof(out->text))
        return error_raise(STATUS_INVALID, "the path of the database is too long: %.100s...", path);
    return STATUS_OK;
}

struct pager_path
pager__parent_of(const char *path)
{
    struct pager_path parent = {.text = "/"};
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        parent.text[0] = '.';
    else if (slash != path)
        memcpy(parent.text, path, (size_t)(slash - path));
    return parent;
}

/* ---- Options --------------------------------------------------------------------------------- */

static enum status
options_log(struct pager_options *options)
{
    uint64_t limit;

    if (options->log_limit == 0)
        options->log_limit = LOG_LIMIT_DEFAULT;
    limit = options->log_limit;
    if (options->segment_size == 0) {
        options->segment_size = limit / LOG_SEGMENTS_DEFAULT;
        if (options->segment_size < SEGMENT_SIZE_DEFAULT_MIN)
            options->segment_size = SEGMENT_SIZE_DEFAULT_MIN;
        if (options->segment_size > SEGMENT_SIZE_DEFAULT_MAX)
            options->segment_size = SEGMENT_SIZE_DEFAULT_MAX;
        if (options->segment_size > limit / LOG_SEGMENTS_MIN)
            options->segment_size = limit / LOG_SEGMENTS_MIN;
        options->segment_size -= options->segment_size % WAL_BLOCK_SIZE;
    }
    if (options->segment_size < WAL_SEGMENT_SIZE_MIN ||
        options->segment_size > WAL_SEGMENT_SIZE_MAX || options->segment_size % WAL_BLOCK_SIZE != 0)
        return error_raise(
            STATUS_INVALID,
            "the log's segment size %" PRIu64 " is not a multiple of %d from %d to %d",
            options->segment_size, WAL_BLOCK_SIZE, WAL_SEGMENT_SIZE_MIN, WAL_SEGMENT_SIZE_MAX);
    if (limit < options->segment_size * LOG_SEGMENTS_MIN)
        return error_raise(STATUS_INVALID,
                           "the log limit %" PRIu64 " is below %d segments of %" PRIu64 " bytes",
                           limit, LOG_SEGMENTS_MIN, options->segment_size);
    return STATUS_OK;
}

static enum status
options_check(const struct pager_options *options)
{
    if (options->policy != PAGER_POLICY_IMAGE && options->policy != PAGER_POLICY_RANGE)
        return error_raise(STATUS_INVALID, "the log policy %d is unknown", (int)options->policy);
    if (options->pool_size < (uint64_t)POOL_FRAMES_MIN * PAGE_SIZE)
        return error_raise(STATUS_INVALID, "the pool of %" PRIu64 " bytes is below %d pages",
                           options->pool_size, POOL_FRAMES_MIN);
    if (options->page_limit < PAGE_COUNT_MIN || options->page_limit > PAGE_COUNT_MAX)
        return error_raise(STATUS_INVALID, "the page limit %u is out of range",
                           options->page_limit);
    if (options->flush_depth > FLUSH_DEPTH_MAX || options->recovery_threads > THREADS_MAX)
        return error_raise(STATUS_INVALID, "at most %d writes in flight and %d recovery threads",
                           FLUSH_DEPTH_MAX, THREADS_MAX);
    if (options->log_frame_size > WAL_FRAME_PAYLOAD_MAX ||
        (options->log_frame_size != 0 && options->log_frame_size < LOG_FRAME_MIN))
        return error_raise(STATUS_INVALID, "the log's frame size is not from %d to %d",
                           LOG_FRAME_MIN, WAL_FRAME_PAYLOAD_MAX);
    if (options->log_buffer_count == 1 || options->log_buffer_count > LOG_BUFFERS_MAX)
        return error_raise(STATUS_INVALID, "the log's buffers are not 2 to %d", LOG_BUFFERS_MAX);
    if (options->create && options->read_only)
        return error_raise(STATUS_INVALID, "a file cannot be created read-only");
    return STATUS_OK;
}

static enum status
options_fill(struct pager_options *options)
{
    uint32_t frames;

    if (options->policy == 0)
        options->policy = PAGER_POLICY_IMAGE;
    if (options->pool_size == 0)
        options->pool_size = POOL_SIZE_DEFAULT;
    if (options->page_limit == 0)
        options->page_limit = (uint32_t)PAGE_COUNT_MAX;
    if (options->flush_depth == 0)
        options->flush_depth = FLUSH_DEPTH_DEFAULT;
    if (options->recovery_threads == 0)
        options->recovery_threads = 1;
    TRY(options_check(options));
    frames = (uint32_t)(options->pool_size / PAGE_SIZE < UINT32_MAX ? options->pool_size / PAGE_SIZE
                                                                    : UINT32_MAX);
    if (options->change_limit == 0 || options->change_limit > frames / 2)
        options->change_limit = frames / CHANGE_SHARE;
    return options_log(options);
}

/* ---- The file -------------------------------------------------------------------------------- */

static enum status
open_file(struct pager *pager)
{
    uint32_t flags = pager->read_only ? 0 : IO_WRITE;
    enum status status;

    if (!pager->options.no_direct)
        flags |= IO_DIRECT;
    status = io_open(pager->env.io, pager->path, flags, &pager->file);
    if (status == STATUS_NOT_FOUND && pager->options.create) {
        TRY(pager__create(pager));
        status = io_open(pager->env.io, pager->path, flags, &pager->file);
    }
    if (status == STATUS_NOT_FOUND)
        return error_raise(STATUS_NOT_FOUND,
                           "there is no database file %s: check the path, or open with create",
                           pager->path);
    if (status == STATUS_READONLY)
        return error_raise(STATUS_READONLY,
                           "%s may not be written (file or disk is read-only): open it read-only",
                           pager->path);
    return status;
}

static enum status
lock_file(struct pager *pager)
{
    enum io_lock_mode mode = pager->read_only ? IO_LOCK_SHARED : IO_LOCK_EXCLUSIVE;
    uint64_t holder = 0;
    enum status status = io_lock(pager->file, mode, &holder);

    if (status != STATUS_BUSY)
        return status;
    if (holder == 0)
        holder = pager__owner_read(pager);
    if (holder == 0)
        return error_raise(
            STATUS_BUSY, "%s is open in another process (%s): close it there, or wait", pager->path,
            pager->read_only ? "for writing" : "perhaps for reading only");
    return error_raise(STATUS_BUSY,
                       "%s is open in another process (pid %" PRIu64 "): close it there, or wait",
                       pager->path, holder);
}

static enum status
check_size(struct pager *pager, uint64_t *size_out)
{
    TRY(io_size(pager->file, size_out));
    if (*size_out == 0)
        return error_raise(STATUS_INVALID,
                           "%s is empty and no database: remove it to have one created, or restore "
                           "it from a backup",
                           pager->path);
    if (*size_out < (uint64_t)META_SLOT_COUNT * PAGE_SIZE)
        return error_raise(STATUS_CORRUPT,
                           "%s has %" PRIu64 " bytes, less than the head of a database file: it is "
                           "no database, or cut off; restore it from a backup",
                           pager->path, *size_out);
    return STATUS_OK;
}

static enum status
check_page_count(struct pager *pager, const struct meta *meta, uint64_t size)
{
    uint64_t count = size / PAGE_SIZE;

    if (meta->page_count > pager->options.page_limit)
        return error_raise(STATUS_INVALID,
                           "%s has %" PRIu64 " pages, more than the page limit %u of this handle",
                           pager->path, meta->page_count, pager->options.page_limit);
    if (count >= meta->page_count || pager->options.rescue)
        return STATUS_OK;
    return error_raise(STATUS_CORRUPT,
                       "%s is cut off: it has %" PRIu64 " pages of %" PRIu64
                       "; restore it from a backup, or open with rescue for what is left",
                       pager->path, count, meta->page_count);
}

static void
take_meta(struct pager *pager, const struct meta *meta, uint64_t size)
{
    uint64_t allocated = size / PAGE_SIZE;

    pager->file_id = meta->file_id;
    pager->created_ms = meta->created_ms;
    pager->log_id = meta->log_id;
    pager->redo = (struct wal_position){meta->redo_lsn, meta->redo_chain, meta->redo_csn};
    pager->redo_page_count = (uint32_t)meta->page_count;
    pager->map_count = meta->map_count;
    for (uint32_t index = 0; index < META_MAP_COUNT; index++)
        pager->meta_map_csn[index] = meta->map_csn[index];
    pager->csn_interval = meta->redo_csn;
    atomic_store(&pager->csn_last, meta->redo_csn);
    atomic_store(&pager->page_count, (uint32_t)meta->page_count);
    pager__set_allocated(pager,
                         (uint32_t)(allocated < PAGE_COUNT_MAX ? allocated : PAGE_COUNT_MAX));
}

/* ---- Clean and needs-log --------------------------------------------------------------------- */

static void
note_directory(void *context, const char *name, bool is_directory)
{
    (void)name;
    (void)is_directory;
    *(bool *)context = true;
}

/* Both slots say the same, durably, before anything is done that counts on it (P8): the one that was
 * read may sit in a cache only, when its writer was killed, and the other one may say otherwise. */
static enum status
settle_slots(struct pager *pager, enum meta_state state)
{
    TRY(io_sync(pager->file));
    latch_lock(&pager->flush_latch);
    enum status status = pager__meta_write(pager, state);
    latch_unlock(&pager->flush_latch);
    return status;
}

/* What a crash between "clean" and the log's removal left behind. */
static enum status
open_clean(struct pager *pager)
{
    bool any = false;
    enum status status;

    pager->redo.lsn = 0;
    pager->redo.chain = 0;
    if (pager->read_only)
        return STATUS_OK;
    status = io_list(pager->env.io, pager->log_dir, note_directory, &any);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(status);
    TRY(settle_slots(pager, META_CLEAN));
    return pager__log_remove(pager);
}

static enum status
refuse_without_log(struct pager *pager)
{
    return error_raise(STATUS_CORRUPT,
                       "%s was not closed cleanly and its log %s is missing or does not reach back "
                       "to LSN %" PRIu64 ": put the log back beside the file, or open with rescue, "
                       "which loses changes after CSN %" PRIu64,
                       pager->path, pager->log_dir, pager->redo.lsn, pager->redo.csn);
}

static enum status
open_unclean(struct pager *pager)
{
    struct wal_options options = pager__log_options(pager);
    struct wal *wal = NULL;
    enum status status;

    status = wal_open(&pager->env, pager->log_dir, &options, pager->redo, &wal);
    if (status == STATUS_NOT_FOUND && !pager->options.rescue)
        return refuse_without_log(pager);
    if (status == STATUS_NOT_FOUND || (status == STATUS_CORRUPT && pager->options.rescue))
        return pager__rescue(pager);
    TRY(status);
    pager->wal = wal;
    if (!pager->read_only)
        TRY(settle_slots(pager, META_NEEDS_LOG));
    TRY(pager__recover(pager));
    return pager->read_only ? STATUS_OK : pager__owner_write(pager);
}

static enum status
open_all(struct pager *pager)
{
    struct meta meta;
    uint64_t size;

    TRY(open_file(pager));
    TRY(lock_file(pager));
    TRY(check_size(pager, &size));
    TRY(pager__pool_open(pager));
    latch_lock(&pager->flush_latch);
    enum status status = pager__meta_read(pager, &meta);
    latch_unlock(&pager->flush_latch);
    TRY(status);
    TRY(check_page_count(pager, &meta, size));
    take_meta(pager, &meta, size);
    pager->statistics.csn_opened = meta.redo_csn;
    pager->statistics.opened_clean = meta.state == META_CLEAN;
    atomic_store(&pager->direct_csn, meta.redo_csn);
    return meta.state == META_CLEAN ? open_clean(pager) : open_unclean(pager);
}

enum status
pager_open(const struct env *env, const char *path, const struct pager_options *options,
           struct pager **out)
{
    struct pager *pager = memory_alloc(env->memory, MEMORY_POOL, sizeof(*pager));
    struct pager_path log_dir;
    enum status status;

    if (pager == NULL)
        return STATUS_NO_MEMORY;
    pager->env = *env;
    pager->options = *options;
    pager->read_only = options->read_only;
    pager->change.pager = pager;
    TRY_OUT(options_fill(&pager->options));
    TRY_OUT(io_real_path(env->io, path, pager->path, sizeof(pager->path)));
    TRY_OUT(pager__path_with(pager->path, LOG_SUFFIX, &log_dir));
    memcpy(pager->log_dir, log_dir.text, strlen(log_dir.text) + 1);
    TRY_OUT(open_all(pager));
    *out = pager;
    return STATUS_OK;
out:
    pager_abandon(pager);
    return status;
}

/* ---- Closing --------------------------------------------------------------------------------- */

/* The file gets all there is and says so. */
static enum status
make_clean(struct pager *pager)
{
    enum status status;

    latch_lock(&pager->flush_latch);
    status = pager__flush_all(pager);
    if (status == STATUS_OK && BUG(CLEAN_CLOSE_NOT_SYNCED))
        status = pager__log_remove(pager);
    if (status == STATUS_OK)
        status = pager__meta_write(pager, META_CLEAN);
    latch_unlock(&pager->flush_latch);
    return status;
}

static enum status
close_clean(struct pager *pager)
{
    enum status status;

    if (pager_is_failed(pager))
        return error_raise(STATUS_FAILED,
                           "%s: an earlier write failed; what was acknowledged is in the log and "
                           "comes back with the next open",
                           pager->path);
    TRY(make_clean(pager));
    wal_close(pager->wal);
    pager->wal = NULL;
    status = pager__cut(pager);
    if (status == STATUS_OK)
        status = pager__log_remove(pager);
    if (status != STATUS_OK)
        log_line(LOG_WARN,
                 "pager: closed, but space or log not given back path=%s status=%s "
                 "detail=\"%s\"",
                 pager->path, status_name(status), error_message());
    return status;
}

enum status
pager_close(struct pager *pager)
{
    enum status status = STATUS_OK;

    if (pager == NULL)
        return STATUS_OK;
    CHECK(!pager->change.active);
    if (pager->wal != NULL && !pager->read_only)
        status = close_clean(pager);
    pager_abandon(pager);
    return status;
}

void
pager_abandon(struct pager *pager)
{
    struct env env;

    if (pager == NULL)
        return;
    env = pager->env;
    wal_close(pager->wal);
    if (pager->frame != NULL) {
        pager__change_close(pager);
        pager__pool_close(pager);
    }
    pager__direct_write_close(pager);
    pager__direct_close(pager);
    pager__free_close(pager);
    compress_free(pager->compress);
    pager__codec_close(pager);
    io_close(pager->file);
    memory_free(env.memory, MEMORY_POOL, pager, sizeof(*pager));
}
