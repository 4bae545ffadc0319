/*
 * The log's directory NAME-wal: made before the first change, removed at a clean close.
 *
 * Order when writing begins (P8), so that at every moment a crash leaves either a clean file (with a
 * directory of no meaning) or a needs-log file with its log:
 *
 *   directory, owner file, first segment   durable, and the directory's own name in its parent
 *   both meta slots: needs-log             durable
 *   only now the handle has a log to append to
 *
 * What fails before the slots are written is undone, and only the change that began it fails. When
 * writing the slots fails, one of them may name the log: it stays, and the handle has failed.
 */
#include "pager/open_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define OWNER_SUFFIX "/owner"

enum {
    OWNER_SIZE = 128,
    SEGMENT_COUNT_MAX = 80, /* Kept for use again: each is an open file. */
};

struct wal_options
pager__log_options(const struct pager *pager)
{
    const struct pager_options *options = &pager->options;
    uint64_t commit_size =
        (uint64_t)options->change_limit * (PAGE_DELTA_SIZE_MAX + WAL_RECORD_OVERHEAD_MAX);
    uint64_t segment_count = options->log_limit / options->segment_size + 1;

    return (struct wal_options){
        .file_id = pager->file_id,
        .log_id = pager->log_id,
        .segment_size = options->segment_size,
        .segment_count_max =
            segment_count < SEGMENT_COUNT_MAX ? (uint32_t)segment_count : SEGMENT_COUNT_MAX,
        .buffer_count = options->log_buffer_count,
        .commit_size_max = options->log_buffer_count == 0 ? commit_size : 0,
        .frame_size_max = options->log_frame_size,
        .read_only = pager->read_only,
        .accept_loss = options->rescue,
        .archive = options->archive,
        .archive_context = options->archive_context,
    };
}

/* ---- The owner file -------------------------------------------------------------------------- */

enum status
pager__owner_write(struct pager *pager)
{
    uint64_t pid = pager->options.owner_pid != 0 ? pager->options.owner_pid : (uint64_t)getpid();
    uint64_t started_ms = io_time_ns(pager->env.io) / 1000000;
    char text[OWNER_SIZE];
    struct pager_path path;
    struct io_file *file;

    int size =
        snprintf(text, sizeof(text), "pid %" PRIu64 "\nstarted_ms %" PRIu64 "\n", pid, started_ms);
    CHECK(size > 0 && size < OWNER_SIZE);
    TRY(pager__path_with(pager->log_dir, OWNER_SUFFIX, &path));
    TRY(io_open(pager->env.io, path.text, IO_WRITE | IO_CREATE, &file));
    enum status status = io_truncate(file, 0);
    if (status == STATUS_OK)
        status = io_write(file, text, (size_t)size, 0, 0);
    io_close(file);
    return status;
}

/* "pid N" and a line's end. */
static uint64_t
parse_pid(const char *text, size_t size)
{
    uint64_t pid = 0;

    if (size < 5 || memcmp(text, "pid ", 4) != 0)
        return 0;
    for (size_t index = 4; index < size && text[index] != '\n'; index++) {
        if (text[index] < '0' || text[index] > '9' || pid > UINT32_MAX)
            return 0;
        pid = pid * 10 + (uint64_t)(text[index] - '0');
    }
    return pid;
}

uint64_t
pager__owner_read(struct pager *pager)
{
    char text[OWNER_SIZE];
    struct pager_path path;
    struct io_file *file;
    size_t size = 0;

    if (pager__path_with(pager->log_dir, OWNER_SUFFIX, &path) != STATUS_OK ||
        io_open(pager->env.io, path.text, 0, &file) != STATUS_OK)
        return 0;
    if (io_read_some(file, text, sizeof(text), 0, &size) != STATUS_OK)
        size = 0;
    io_close(file);
    return parse_pid(text, size);
}

/* ---- The directory --------------------------------------------------------------------------- */

enum status
pager__log_remove(struct pager *pager)
{
    struct pager_path owner;
    enum status status;

    TRY(pager__path_with(pager->log_dir, OWNER_SUFFIX, &owner));
    status = io_remove(pager->env.io, owner.text);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = wal_remove(&pager->env, pager->log_dir);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(status);
    return io_sync_dir(pager->env.io, pager__parent_of(pager->path).text);
}

enum status
pager__compress_ensure(struct pager *pager)
{
    uint8_t body[PAGE_DELTA_SIZE_MAX];
    struct compress *compress = NULL;
    uint8_t page[PAGE_SIZE];

    if (__atomic_load_n(&pager->compress, __ATOMIC_ACQUIRE) != NULL)
        return STATUS_OK;
    TRY(compress_new(pager->env.memory, &compress));
    /* The codec takes its memory with its first image: not under the commit latch (P9). */
    page_init(page, PAGE_CATALOG_ROOT, 0, PAGE_TYPE_TEST, 0);
    memset(page + PAGE_HEADER_SIZE, 'q', PAGE_BODY_SIZE);
    CHECK(page_delta_encode_image(page, 0, compress, body, sizeof(body)) > 0);
    latch_lock(&pager->commit_latch);
    if (pager->compress == NULL) {
        __atomic_store_n(&pager->compress, compress, __ATOMIC_RELEASE);
        compress = NULL;
    }
    latch_unlock(&pager->commit_latch);
    compress_free(compress);
    return STATUS_OK;
}

static enum status
create_log(struct pager *pager, struct wal **out)
{
    struct wal_options options;
    enum status status;

    TRY(pager__log_remove(pager));
    TRY(io_make_dir(pager->env.io, pager->log_dir));
    do {
        io_random(pager->env.io, &pager->log_id, sizeof(pager->log_id));
    } while (pager->log_id == 0);
    options = pager__log_options(pager);
    TRY(pager__owner_write(pager));
    TRY(wal_create(&pager->env, pager->log_dir, &options, pager_csn(pager), out));
    status = io_sync_dir(pager->env.io, pager__parent_of(pager->path).text);
    if (status != STATUS_OK) {
        wal_close(*out);
        *out = NULL;
    }
    return status;
}

/* A log that could not be made leaves nothing behind; what it leaves all the same, the next one removes.
 * The failure that counts is the first. */
static enum status
undo_log(struct pager *pager, enum status cause)
{
    char message[ERROR_MESSAGE_SIZE];

    memcpy(message, error_message(), sizeof(message));
    enum status status = pager__log_remove(pager);
    (void)status;
    pager->log_id = 0;
    return error_raise(cause, "%s", message);
}

/* The slots name the log; from then on there is no way back. */
static enum status
name_log(struct pager *pager, const struct wal_position *start)
{
    pager->redo = *start;
    pager->redo_page_count = pager_page_count(pager);
    if (BUG(NEEDS_LOG_NOT_SYNCED))
        return STATUS_OK;
    enum status status = pager__meta_write(pager, META_NEEDS_LOG);
    return status == STATUS_OK ? status : pager__fail(pager, status, "marking the file needs-log");
}

static enum status
begin_writing(struct pager *pager)
{
    struct wal_position start;
    struct wal *wal = NULL;

    enum status status = create_log(pager, &wal);
    if (status != STATUS_OK)
        return undo_log(pager, status);
    start = wal_mark(wal);
    CHECK(start.csn == pager_csn(pager));
    status = name_log(pager, &start);
    latch_lock(&pager->commit_latch);
    pager->csn_interval = start.csn;
    __atomic_store_n(&pager->wal, wal, __ATOMIC_RELEASE);
    latch_unlock(&pager->commit_latch);
    return status;
}

enum status
pager__begin_writing(struct pager *pager)
{
    enum status status = STATUS_OK;

    CHECK(!pager->read_only);
    latch_lock(&pager->flush_latch);
    if (pager->wal == NULL)
        status = begin_writing(pager);
    latch_unlock(&pager->flush_latch);
    return status;
}
