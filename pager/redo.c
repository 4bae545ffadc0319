/*
 * Redo: from the log's records to pages in the pool.
 *
 *   IMAGE   the page is the image, whatever it was; the disk is not read
 *   RANGES  on the page as it is in the pool; where it is not there, on what the disk has: some mix of
 *           the states since R, which ranges bring to one state (L2)
 *   FREE    the page leaves the pool
 *   RESET   the same: the disk holds the page (P12), and the map its witness
 *
 * A page's word in the page table says whether it is in the pool: the way of almost every record is
 * one load, then the page's bytes. Only a page's first record goes through the table of pages.
 *
 * Threads divide the pages, not the log: each reads all of it and applies what concerns its own
 * pages, by a hash of the page number. So no page needs a lock, and sees its records in order.
 *
 * How long the file is in the end is known only at the end; pages behind it are dropped then (L3).
 *
 * The self-check: a page carries the checksum of its last record, over all its bytes. Whatever was
 * lost, torn or wrong under ranges shows here. Pages come into the pool dirty (P13), so nothing
 * evicts them while redo goes on.
 */
#include "pager/recover_private.h"

#include <inttypes.h>
#include <pthread.h>

enum {
    PROGRESS_STEP = 1024 * 1024,
    PROGRESS_RECORDS = 256,            /* Between two looks at the reader's offset. */
    THREAD_LOG_SIZE = 4 * 1024 * 1024, /* For less log a further thread does not pay. */
    THREADS_MAX = 64,
};

/* One thread and its pages. */
struct worker {
    struct redo *redo;
    struct pager *pager;
    uint32_t index;
    uint32_t count; /* Of workers. */
    struct redo_table pages;
    struct compress *compress; /* Made with the first compressed image. */
    uint32_t page_count;
    uint32_t record_floor;
    uint64_t record_count;
    uint64_t applied_count;
    enum status status;
    char message[ERROR_MESSAGE_SIZE];
    pthread_t thread;
};

/* ---- Records --------------------------------------------------------------------------------- */

static enum status
refuse_record(const struct pager *pager, const struct wal_record *record, const char *reason)
{
    return error_raise(
        STATUS_CORRUPT,
        "%s: the log's record at LSN %" PRIu64 " (CSN %" PRIu64 ", type %d, page %" PRIu64
        ") cannot be used: %s; restore from a backup, or open with rescue",
        pager->path, record->lsn, record->csn, (int)record->type, record->page_number, reason);
}

/* Numbers are within this handle's limit, which the page table is made for. */
static enum status
check_number(const struct pager *pager, const struct wal_record *record)
{
    bool is_size = record->type == WAL_RECORD_SIZE;
    uint64_t least = is_size ? PAGE_COUNT_MIN : MAP_FIRST_PAGE;
    uint64_t most = is_size ? PAGE_COUNT_MAX : PAGE_COUNT_MAX - 1;
    uint64_t number = record->page_number;

    if (number < least || number > most)
        return refuse_record(pager, record, "the page number is out of range");
    if (number + !is_size > pager->options.page_limit)
        return error_raise(STATUS_INVALID, "%s has page %" PRIu64 ", past the page limit %" PRIu32,
                           pager->path, number, pager->options.page_limit);
    return STATUS_OK;
}

static enum status
report_progress(struct redo *redo, const struct wal_reader *reader)
{
    struct pager *pager = redo->pager;
    struct pager_recovery_progress progress = {.log_size = redo->log_size};

    if (pager->options.progress == NULL)
        return STATUS_OK;
    progress.log_done = redo->log_before + wal_reader_offset(reader);
    if (progress.log_done < redo->progress_next)
        return STATUS_OK;
    redo->progress_next = progress.log_done + PROGRESS_STEP;
    progress.page_count = redo->redone_count;
    if (pager->options.progress(pager->options.progress_context, &progress) == STATUS_OK)
        return STATUS_OK;
    return error_raise(STATUS_STOPPED,
                       "%s: recovery was stopped; nothing is lost, the next open goes on",
                       pager->path);
}

/* ---- The survey ------------------------------------------------------------------------------ */

static enum status
survey_record(struct redo *redo, const struct wal_record *record, struct redo_table *table)
{
    struct redo_page *page;

    if (record->type == WAL_RECORD_NOTE)
        return STATUS_OK;
    TRY(check_number(redo->pager, record));
    if (record->type == WAL_RECORD_SIZE) {
        redo->page_count = (uint32_t)record->page_number;
        return STATUS_OK;
    }
    return redo__add(redo->pager, table, (uint32_t)record->page_number, &page);
}

/* Pages behind the end need no frame. */
static void
forget_cut_pages(struct redo_table *table, uint32_t page_count)
{
    redo__sort(table);
    while (table->used > 0 && table->pages[table->used - 1].page_number >= page_count)
        table->used--;
}

enum status
redo__survey(struct redo *redo, struct redo_table *out)
{
    struct wal_reader *reader;
    struct wal_record record;
    uint64_t count = 0;
    enum status status;

    redo->page_count = pager_page_count(redo->pager);
    TRY(wal_reader_open(redo->pager->wal, &reader));
    while ((status = wal_reader_next(reader, &record)) == STATUS_OK) {
        TRY_OUT(survey_record(redo, &record, out));
        if (++count % PROGRESS_RECORDS == 0)
            TRY_OUT(report_progress(redo, reader));
    }
    if (status == STATUS_NOT_FOUND)
        status = STATUS_OK;
    forget_cut_pages(out, redo->page_count);
out:
    wal_reader_close(reader);
    redo->log_before += wal_scan(redo->pager->wal)->size;
    return status;
}

/* ---- Applying -------------------------------------------------------------------------------- */

/* The page's frame; WORD_FRAME_NONE: it is not in the pool. */
static uint32_t
frame_of(const struct pager *pager, uint32_t page_number)
{
    uint64_t word = atomic_load_explicit(&pager->table.words[page_number], memory_order_relaxed);

    return (uint32_t)(word & WORD_FRAME_MASK);
}

static enum status
reserve_frame(struct worker *worker)
{
    uint32_t left = atomic_load(&worker->redo->frames_left);

    do {
        if (left == 0) {
            atomic_store(&worker->redo->overflow, true);
            return error_raise(STATUS_FULL, "%s: the log's pages do not fit the pool",
                               worker->pager->path);
        }
    } while (!atomic_compare_exchange_weak(&worker->redo->frames_left, &left, left - 1));
    return STATUS_OK;
}

static void
set_dirty(struct pager *pager, uint32_t frame, uint64_t csn)
{
    if (!BUG(REDO_PAGES_NOT_DIRTY))
        pager->frame[frame].csn_dirty = csn;
}

/* An image in a frame of its own, not in the pool yet. */
static enum status
image_to_frame(struct worker *worker, const struct wal_record *record, uint32_t *frame_out)
{
    struct pager *pager = worker->pager;
    enum status status;
    uint32_t frame;

    TRY(reserve_frame(worker));
    while (pager__frame_take(pager, &frame) != STATUS_OK)
        TRY(pager__flush_some(pager));
    status = page_delta_apply_image(pager__frame_bytes(pager, frame), record->csn, record->body,
                                    record->size, worker->compress);
    if (status != STATUS_OK) {
        pager__frame_give(pager, frame);
        return status;
    }
    set_dirty(pager, frame, record->csn);
    *frame_out = frame;
    return STATUS_OK;
}

static enum status
apply_image(struct worker *worker, const struct wal_record *record)
{
    struct pager *pager = worker->pager;
    uint32_t number = (uint32_t)record->page_number;
    uint32_t frame = frame_of(pager, number);
    struct redo_page *page;
    enum status status;

    TRY(redo__add(pager, &worker->pages, number, &page));
    if (worker->compress == NULL && page_delta_is_compressed(record->body, record->size))
        TRY(compress_new(pager->env.memory, &worker->compress));
    if (frame != WORD_FRAME_NONE) {
        status = page_delta_apply_image(pager__frame_bytes(pager, frame), record->csn, record->body,
                                        record->size, worker->compress);
    } else {
        status = image_to_frame(worker, record, &frame);
        if (status == STATUS_OK)
            CHECK(pager__install(pager, number, frame));
    }
    page->base_is_image = true;
    return status;
}

/* The disk is the base. What cannot be read is taken as zeros and fails the self-check. */
static enum status
load_base(struct worker *worker, uint32_t number, uint64_t csn, uint32_t *frame_out)
{
    struct pager *pager = worker->pager;
    struct redo_page *page;
    struct pager_pin pin;
    bool unreadable = false;

    TRY(redo__add(pager, &worker->pages, number, &page));
    TRY(reserve_frame(worker));
    TRY(pager__load_raw(pager, number, &pin, &unreadable));
    *frame_out = pin.frame;
    set_dirty(pager, pin.frame, csn);
    pager_unpin(pager, &pin);
    page->base_is_image = false;
    page->unreadable = unreadable;
    return STATUS_OK;
}

static enum status
apply_ranges(struct worker *worker, const struct wal_record *record)
{
    struct pager *pager = worker->pager;
    uint32_t number = (uint32_t)record->page_number;
    uint32_t frame = frame_of(pager, number);

    if (frame == WORD_FRAME_NONE)
        TRY(load_base(worker, number, record->csn, &frame));
    return page_delta_apply_ranges(pager__frame_bytes(pager, frame), record->csn, record->body,
                                   record->size);
}

/* FREE and RESET: what redo made of the page so far means nothing any more. */
static enum status
apply_end(struct worker *worker, const struct wal_record *record)
{
    struct pager *pager = worker->pager;
    uint32_t number = (uint32_t)record->page_number;
    struct redo_page *page;

    if (record->type == WAL_RECORD_FREE && BUG(REDO_SKIPS_FREE))
        return STATUS_OK;
    TRY(redo__add(pager, &worker->pages, number, &page));
    page->base_is_image = false;
    if (frame_of(pager, number) == WORD_FRAME_NONE)
        return STATUS_OK;
    pager__drop(pager, number);
    atomic_fetch_add(&worker->redo->frames_left, 1);
    return STATUS_OK;
}

static bool
is_mine(const struct worker *worker, uint32_t number)
{
    const struct redo *redo = worker->redo;

    if (worker->count > 1 && (number * UINT32_C(0x9e3779b1) >> 16) % worker->count != worker->index)
        return false;
    return number >= redo->first && number <= redo->last;
}

static enum status
apply(struct worker *worker, const struct wal_record *record)
{
    enum status status = STATUS_OK;

    worker->record_count++;
    if (record->type == WAL_RECORD_NOTE)
        return STATUS_OK;
    TRY(check_number(worker->pager, record));
    if (record->type == WAL_RECORD_SIZE) {
        worker->page_count = (uint32_t)record->page_number;
        return STATUS_OK;
    }
    if (record->page_number >= worker->record_floor)
        worker->record_floor = (uint32_t)record->page_number + 1;
    if (!is_mine(worker, (uint32_t)record->page_number))
        return STATUS_OK;
    worker->applied_count++;
    if (record->type == WAL_RECORD_RANGES)
        status = apply_ranges(worker, record);
    else if (record->type == WAL_RECORD_IMAGE)
        status = apply_image(worker, record);
    else
        status = apply_end(worker, record);
    return status == STATUS_CORRUPT ? refuse_record(worker->pager, record, "it does not decode")
                                    : status;
}

static enum status
work(struct worker *worker, struct wal_reader *reader)
{
    struct redo *redo = worker->redo;
    struct wal_record record;
    enum status status;

    while ((status = wal_reader_next(reader, &record)) == STATUS_OK) {
        if (BUG(REDO_STOPS_EARLY) && record.csn == wal_scan(worker->pager->wal)->end.csn)
            return STATUS_OK;
        TRY(apply(worker, &record));
        if (worker->record_count % PROGRESS_RECORDS != 0)
            continue;
        if (atomic_load_explicit(&redo->stop, memory_order_relaxed))
            return STATUS_OK;
        if (worker->index == 0)
            TRY(report_progress(redo, reader));
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static void *
worker_main(void *argument)
{
    struct worker *worker = argument;
    struct wal_reader *reader;

    worker->status = wal_reader_open(worker->pager->wal, &reader);
    if (worker->status == STATUS_OK) {
        worker->status = work(worker, reader);
        wal_reader_close(reader);
    }
    if (worker->status != STATUS_OK) {
        memcpy(worker->message, error_message(), strlen(error_message()) + 1);
        atomic_store(&worker->redo->stop, true);
    }
    compress_free(worker->compress);
    worker->compress = NULL;
    return NULL;
}

/* ---- A round --------------------------------------------------------------------------------- */

/* The caller's thread is the first worker, and stands in for those that could not be started. */
static void
run_workers(struct worker *workers, uint32_t count)
{
    bool started[THREADS_MAX] = {false};

    for (uint32_t index = 1; index < count; index++)
        started[index] =
            pthread_create(&workers[index].thread, NULL, worker_main, &workers[index]) == 0;
    for (uint32_t index = 0; index < count; index++) {
        if (!started[index])
            (void)worker_main(&workers[index]);
    }
    for (uint32_t index = 1; index < count; index++) {
        if (started[index])
            CHECK(pthread_join(workers[index].thread, NULL) == 0);
    }
}

/* The pages of a worker that are in the pool and in the file; the others leave the pool. */
static enum status
collect_pages(struct redo *redo, const struct worker *worker, bool keep)
{
    struct redo_page *page;

    for (uint32_t index = 0; index < worker->pages.used; index++) {
        const struct redo_page *met = &worker->pages.pages[index];
        if (frame_of(redo->pager, met->page_number) == WORD_FRAME_NONE)
            continue;
        if (!keep || met->page_number >= redo->page_count) {
            pager__drop(redo->pager, met->page_number);
            continue;
        }
        TRY(redo__add(redo->pager, &redo->pages, met->page_number, &page));
        *page = *met;
    }
    return STATUS_OK;
}

static enum status
worker_status(const struct worker *worker)
{
    if (worker->status == STATUS_OK)
        return STATUS_OK;
    return error_raise(worker->status, "%s", worker->message);
}

static enum status
collect(struct redo *redo, struct worker *workers, uint32_t count)
{
    enum status status = STATUS_OK;

    CHECK(count >= 1);
    redo->page_count = workers[0].page_count;
    redo->record_floor = workers[0].record_floor;
    redo->record_count = workers[0].record_count;
    for (uint32_t index = 0; index < count && status == STATUS_OK; index++)
        status = worker_status(&workers[index]);
    for (uint32_t index = 0; index < count; index++) {
        enum status collected = collect_pages(redo, &workers[index], status == STATUS_OK);
        redo->applied_count += workers[index].applied_count;
        redo__table_deinit(redo->pager, &workers[index].pages);
        if (status == STATUS_OK)
            status = collected;
    }
    redo__sort(&redo->pages);
    return status;
}

enum status
redo__run(struct redo *redo, uint32_t threads)
{
    struct pager *pager = redo->pager;
    struct worker workers[THREADS_MAX];
    uint64_t log_size = wal_scan(pager->wal)->size;

    CHECK(threads >= 1 && threads <= THREADS_MAX);
    if (threads > 1 + log_size / THREAD_LOG_SIZE)
        threads = (uint32_t)(1 + log_size / THREAD_LOG_SIZE);
    for (uint32_t index = 0; index < threads; index++)
        workers[index] = (struct worker){.redo = redo,
                                         .pager = pager,
                                         .index = index,
                                         .count = threads,
                                         .page_count = pager_page_count(pager)};
    atomic_store(&redo->stop, false);
    run_workers(workers, threads);
    redo->log_before += log_size;
    return collect(redo, workers, threads);
}

/* ---- The self-check -------------------------------------------------------------------------- */

static enum status
set_damaged(struct redo *redo, const struct redo_page *page, uint64_t csn, const char *reason)
{
    struct pager *pager = redo->pager;
    struct redo_page *damaged;

    log_line(LOG_ERROR,
             "pager: page does not come out of redo path=%s page=%" PRIu32 " csn=%" PRIu64
             " base=%s reason=\"%s\"",
             pager->path, page->page_number, csn, page->base_is_image ? "image" : "disk", reason);
    pager__drop(pager, page->page_number);
    TRY(redo__add(pager, &redo->damaged, page->page_number, &damaged));
    *damaged = *page;
    return STATUS_OK;
}

enum status
redo__check(struct redo *redo)
{
    struct pager *pager = redo->pager;

    for (uint32_t index = 0; index < redo->pages.used; index++) {
        const struct redo_page *page = &redo->pages.pages[index];
        uint32_t frame = frame_of(pager, page->page_number);
        const uint8_t *bytes = pager__frame_bytes(pager, frame);
        const char *reason = "";

        redo->redone_count++;
        if (page_validate(bytes, pager->file_id, page->page_number, &reason) != STATUS_OK)
            TRY(set_damaged(redo, page, le64_get(page_header_const(bytes)->csn), reason));
    }
    return STATUS_OK;
}
