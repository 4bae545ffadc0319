/*
 * Recovery: the file becomes what was acknowledged.
 *
 *   1. wal_open has found the log's end (L3: its end comes first).
 *   2. wal_start: the tail is fenced off, and with it everything found is durable. Some of it may have
 *      been in a cache only, when the process that wrote it was killed.
 *   3. Redo (redo.c) of all pages in one pass, if the pool holds them. If not, what was redone is
 *      dropped, a survey lists the pages, and redo goes in rounds of as many pages as the pool may
 *      hold, in page order. What a round made is written to the file before the next one: an ordinary
 *      flush whose witness commits are put off. The last round's pages stay in the pool, dirty: the
 *      open does not wait for write-back.
 *   4. Witness commits for what the rounds flushed, fence commits for what could not be redone.
 *
 * A crash inside leaves pages that are newer than before, but not newer than the durable log; the next
 * recovery starts from the same R and arrives at the same place (L2). No page is
 * written before step 2 is done (P1).
 *
 * Every page is checked against the checksum of its last record. One with an image as its base that
 * fails means that log or program cannot be trusted: refused. One based on what the disk held
 * (policy `range`, rule L2) has met a sector that is none of the page's states: its content is lost,
 * it is fenced in the page map by number, and the rest opens. Map pages always have images. A read that
 * failed may succeed the next time, and a fence is for good: then nothing opens, but by rescue.
 *
 * A reader recovers into its own memory: no rounds, no step 2, fences only in its copy of the map.
 */
#include "pager/recover_private.h"

#include <inttypes.h>

/* One part in so many of the pool stays free for what recovery itself and the first changes need. */
enum { POOL_SHARE_FREE = 4 };

/* ---- Redo in one pass or in rounds ----------------------------------------------------------- */

static uint32_t
pages_per_round(const struct pager *pager)
{
    uint32_t frames = atomic_load(&pager->pool_frames) - FRAME_RESERVE;

    return frames - frames / POOL_SHARE_FREE;
}

/* A crash may take space back that was allocated since R: at the end of the file, and inside it, where
 * a page could not be written on a full disk. Space behind the last page may wait until it is needed. */
static enum status
take_space(struct pager *pager, uint32_t page_count)
{
    uint64_t certain = pager->redo_page_count;
    uint64_t allocated = atomic_load(&pager->page_allocated);
    enum status status;

    if (allocated < page_count)
        allocated = page_count;
    if (allocated <= certain)
        return STATUS_OK;
    status = io_allocate(pager->file, certain * PAGE_SIZE, (allocated - certain) * PAGE_SIZE);
    if (status == STATUS_FULL && allocated > page_count) {
        error_clear();
        allocated = page_count > certain ? page_count : certain;
        status = allocated == certain ? STATUS_OK
                                      : io_allocate(pager->file, certain * PAGE_SIZE,
                                                    (allocated - certain) * PAGE_SIZE);
    }
    if (status == STATUS_OK)
        pager__set_allocated(pager, (uint32_t)allocated);
    return status;
}

/* The handle's numbers at the log's end. */
static enum status
take_end(struct redo *redo)
{
    struct pager *pager = redo->pager;
    uint64_t csn = wal_scan(pager->wal)->end.csn;
    uint32_t map_count = pager__map_count_of(redo->page_count);

    for (uint32_t index = map_count; index < META_MAP_COUNT; index++)
        pager->meta_map_csn[index] = 0;
    pager->map_count = map_count;
    if (redo->page_count < atomic_load(&pager->page_allocated))
        pager->truncate_after = 2;
    pager->statistics.csn_opened = csn;
    atomic_store(&pager->csn_last, csn);
    atomic_store(&pager->page_count, redo->page_count);
    return pager->read_only ? STATUS_OK : take_space(pager, redo->page_count);
}

/* The pages of a round that is not the last go to the file. */
static enum status
write_round(struct redo *redo)
{
    struct pager *pager = redo->pager;
    struct memory *memory = pager->env.memory;
    size_t size = (redo->pages.used + 1) * sizeof(uint32_t);
    uint32_t *numbers = memory_alloc(memory, MEMORY_POOL, size);
    enum status status;
    uint32_t count = 0;

    if (numbers == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t index = 0; index < redo->pages.used; index++)
        numbers[count++] = redo->pages.pages[index].page_number;
    latch_lock(&pager->flush_latch);
    status = pager__flush_pages(pager, numbers, count);
    if (status == STATUS_OK)
        status = pager__flush_finish(pager);
    latch_unlock(&pager->flush_latch);
    memory_free(memory, MEMORY_POOL, numbers, size);
    redo__table_deinit(pager, &redo->pages);
    return status;
}

static enum status
run_round(struct redo *redo, uint32_t first, uint32_t last, uint32_t frames)
{
    redo->first = first;
    redo->last = last;
    redo->round_count++;
    atomic_store(&redo->frames_left, frames);
    return redo__run(redo, redo->pager->options.recovery_threads);
}

static enum status
run_rounds(struct redo *redo, const struct redo_table *all)
{
    uint32_t step = pages_per_round(redo->pager);
    uint64_t log_size = wal_scan(redo->pager->wal)->size;

    redo->log_size = redo->log_before + log_size * ((all->used + step - 1) / step);
    for (uint32_t first = 0; first < all->used; first += step) {
        uint32_t end = all->used - first < step ? all->used : first + step;
        TRY(run_round(redo, all->pages[first].page_number, all->pages[end - 1].page_number, step));
        TRY(redo__check(redo));
        if (end < all->used)
            TRY(write_round(redo));
    }
    return STATUS_OK;
}

/* A reader has no place for pages that its pool does not hold. */
static enum status
refuse_pool(const struct pager *pager, uint32_t page_count)
{
    uint64_t frames = (uint64_t)page_count * POOL_SHARE_FREE / (POOL_SHARE_FREE - 1);

    return error_raise(
        STATUS_FULL,
        "%s was not closed cleanly, and a read-only open must hold the %u pages of its "
        "log in memory: open with a pool of %" PRIu64 " bytes, or once for writing",
        pager->path, page_count, (frames + POOL_FRAMES_MIN) * PAGE_SIZE);
}

static enum status
redo_in_rounds(struct redo *redo)
{
    struct pager *pager = redo->pager;
    struct redo_table all = {.capacity = 0};
    enum status status;

    redo->applied_count = 0;
    redo->round_count = 0;
    redo->log_size = redo->log_before + 2 * wal_scan(pager->wal)->size;
    TRY_OUT(redo__survey(redo, &all));
    if (pager->read_only)
        TRY_OUT(refuse_pool(pager, all.used));
    TRY_OUT(take_end(redo));
    TRY_OUT(run_rounds(redo, &all));
out:
    redo__table_deinit(pager, &all);
    return status;
}

static enum status
redo_all(struct redo *redo)
{
    struct pager *pager = redo->pager;
    enum status status;

    redo->log_size = wal_scan(pager->wal)->size;
    status = run_round(redo, 0, UINT32_MAX, pages_per_round(pager));
    if (status == STATUS_FULL && atomic_load(&redo->overflow))
        return redo_in_rounds(redo);
    TRY(status);
    TRY(take_end(redo));
    return redo__check(redo);
}

/* ---- What cannot be redone ------------------------------------------------------------------- */

static bool
may_be_fenced(const struct pager *pager, const struct redo_page *page)
{
    if (page_is_map(page->page_number))
        return false;
    return !page->base_is_image || pager->options.rescue;
}

static enum status
check_damaged(const struct redo *redo)
{
    const struct pager *pager = redo->pager;

    for (uint32_t index = 0; index < redo->damaged.used; index++) {
        const struct redo_page *page = &redo->damaged.pages[index];
        /* Fencing is for good; a read that failed may succeed at the next try. */
        if (page->unreadable && !page->base_is_image && !pager->options.rescue)
            return error_raise(STATUS_IO,
                               "%s: page %u cannot be read from the disk: try again, or open with "
                               "rescue to go on without it",
                               pager->path, page->page_number);
        if (!may_be_fenced(pager, page))
            return error_raise(STATUS_CORRUPT,
                               "%s: page %u does not come out of the log as it was logged: restore "
                               "from a backup%s",
                               pager->path, page->page_number,
                               page_is_map(page->page_number) ? "" : ", or open with rescue");
        log_line(LOG_ERROR, "pager: page fenced, its content is lost path=%s page=%u", pager->path,
                 page->page_number);
    }
    return STATUS_OK;
}

static enum status
fence_in_change(struct pager *pager, uint32_t page_number)
{
    struct pager_change *change;
    uint8_t *map_page;
    uint64_t csn;

    TRY(pager_change_begin(pager, &change));
    enum status status = pager_change_edit(change, map_page_of(page_number), &map_page);
    if (status != STATUS_OK) {
        pager_change_abandon(change);
        return status;
    }
    map_entry_set(map_page, map_index_of(page_number),
                  (struct map_entry){.state = PAGE_STATE_FENCED, .csn = change->csn});
    return pager_change_commit(change, &csn);
}

/* A reader marks its own copy, which must not be evicted. */
static enum status
fence_in_memory(struct pager *pager, uint32_t page_number)
{
    uint64_t csn = pager_csn(pager);
    struct pager_pin pin;
    uint8_t *map_page;

    TRY(pager_pin(pager, map_page_of(page_number), &pin));
    map_page = pager__frame_bytes(pager, pin.frame);
    map_entry_set(map_page, map_index_of(page_number),
                  (struct map_entry){.state = PAGE_STATE_FENCED, .csn = csn});
    page_seal(map_page, pager->file_id);
    pager->frame[pin.frame].csn_dirty = csn;
    pager_unpin(pager, &pin);
    return STATUS_OK;
}

static enum status
fence_page(struct pager *pager, uint32_t page_number)
{
    enum status status;

    if (pager->read_only)
        return fence_in_memory(pager, page_number);
    while ((status = fence_in_change(pager, page_number)) == STATUS_MISSING)
        TRY(pager_change_resolve(pager));
    return status;
}

static enum status
fence_all(struct redo *redo)
{
    for (uint32_t index = 0; index < redo->damaged.used; index++)
        TRY(fence_page(redo->pager, redo->damaged.pages[index].page_number));
    return STATUS_OK;
}

/* ---- The sequence ---------------------------------------------------------------------------- */

static enum status
witness_rounds(struct redo *redo)
{
    struct pager *pager = redo->pager;
    enum status status;

    latch_lock(&pager->flush_latch);
    pager->recovering = false;
    status = pager__flush_witness(pager);
    latch_unlock(&pager->flush_latch);
    return status;
}

static void
log_summary(const struct redo *redo, uint64_t started_ns)
{
    const struct pager *pager = redo->pager;
    const struct wal_scan_result *scan = wal_scan(pager->wal);

    log_line(LOG_INFO,
             "pager: recovered path=%s lsn_from=%" PRIu64 " csn_from=%" PRIu64 " csn_to=%" PRIu64
             " segments=%" PRIu64 " frames=%" PRIu64 " commits=%" PRIu64 " bytes=%" PRIu64
             " records=%" PRIu64 " applied=%" PRIu64 " pages=%" PRIu64 " rounds=%u"
             " fenced=%u cut_bytes=%" PRIu64 " cut_reason=\"%s\" ms=%" PRIu64 "%s",
             pager->path, pager->redo.lsn, pager->redo.csn, scan->end.csn, scan->segment_count,
             scan->frame_count, scan->commit_count, scan->size, redo->record_count,
             redo->applied_count, redo->redone_count, redo->round_count, redo->damaged.used,
             scan->cut_size, scan->cut_reason, (io_clock_ns(pager->env.io) - started_ns) / 1000000,
             pager->read_only ? " (in memory only)" : "");
}

enum status
pager__recover(struct pager *pager)
{
    struct redo redo = {.pager = pager};
    uint64_t started_ns = io_clock_ns(pager->env.io);
    enum status status;

    CHECK(pager->wal != NULL);
    pager->recovering = true;
    if (!pager->read_only)
        TRY_OUT(wal_start(pager->wal));
    TRY_OUT(redo_all(&redo));
    TRY_OUT(check_damaged(&redo));
    pager->direct_floor = redo.record_floor;
    pager->direct_floor_csn = pager_csn(pager);
    atomic_store(&pager->direct_csn, pager_csn(pager));
    if (!pager->read_only)
        TRY_OUT(witness_rounds(&redo));
    TRY_OUT(fence_all(&redo));
    log_summary(&redo, started_ns);
out:
    pager->recovering = false;
    redo__table_deinit(pager, &redo.pages);
    redo__table_deinit(pager, &redo.damaged);
    return status;
}
