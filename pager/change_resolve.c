/*
 * What changes lack: provided before they begin, or when they said what they were missing.
 *
 * Under the latch a change can get nothing (P9). It notes what it lacks, is abandoned, pager_change_resolve works
 * off the newest want of its thread, and all of it is done again. Pages fetched stay pinned until a change
 * ends that missed nothing, so that a change that needs many absent pages gets them all.
 *
 * Space in the file, buffers and space in the log it finds out about in the middle or, of the log, at its very end.
 * So whoever knows roughly what a change will do says so first (pager_change_foresee). An estimate that is
 * too low costs a repetition (pager_statistics.restart_count), one that is too high some space, which the
 * next change finds. Where what was estimated cannot be had (a full disk, no memory), the change may need
 * less: it is left to ask for itself, and nothing is said of it here. Before the handle's first change
 * nothing is foreseen: the file may not be touched yet (P8).
 */
#include "pager/pager_private.h"

enum {
    PINNED_MAX = sizeof(((struct pager_change *)0)->pinned) / sizeof(struct pager_pin),
    MAP_EDITS = 8, /* Map pages that a change edits, */
    MAP_NEW = 4,   /* and that the file's growth may bring with it. */
};

/* ---- Before ---------------------------------------------------------------------------------- */

/* Pages that the file must have space for, if the free ones that are known do not do; 0: they do. */
static uint32_t
space_wanted(struct pager *pager, uint32_t new_count)
{
    latch_lock(&pager->commit_latch);
    uint32_t free = pager->free_stack_used;
    uint64_t end = atomic_load_explicit(&pager->page_count, memory_order_relaxed);

    if (pager->direct.used > 0 && pager->direct.end > end)
        end = pager->direct.end;
    latch_unlock(&pager->commit_latch);
    if (new_count <= free)
        return 0;
    end += (uint64_t)(new_count - free) + new_count / MAP_GROUP_SIZE + MAP_NEW;
    return end < pager->options.page_limit ? (uint32_t)end : pager->options.page_limit;
}

void
pager_change_foresee(struct pager *pager, const struct pager_change_room *room)
{
    struct wal *wal = __atomic_load_n(&pager->wal, __ATOMIC_ACQUIRE);
    uint32_t limit = pager_change_limit(pager);
    uint32_t edits = room->edit_count < limit ? room->edit_count : limit;
    uint32_t news = room->new_count < limit ? room->new_count : limit;

    if (wal == NULL || pager_is_failed(pager))
        return;
    uint32_t wanted = space_wanted(pager, news);
    enum status status = STATUS_OK;

    if (wanted > atomic_load_explicit(&pager->page_allocated, memory_order_relaxed))
        status = pager__grow(pager, wanted);
    if (status == STATUS_OK)
        status = pager__change_buffers_foresee(pager, edits + news + MAP_EDITS, edits + MAP_EDITS);
    if (status == STATUS_OK)
        status = wal_make_room(wal, room->log_size, false);
    if (status != STATUS_OK)
        error_clear();
}

/* ---- Resolving ------------------------------------------------------------------------------- */

/* Whether the page was given back, or fenced, since a change wanted it. */
static enum status
check_outdated(struct pager *pager, uint32_t page_number, bool *outdated_out)
{
    struct pager_pin map;

    *outdated_out = false;
    if (page_is_map(page_number))
        return STATUS_OK;
    TRY(pager_pin(pager, map_page_of(page_number), &map));
    latch_lock(&pager->commit_latch);
    struct map_entry entry = map_entry_get(map.bytes, map_index_of(page_number));
    latch_unlock(&pager->commit_latch);
    pager_unpin(pager, &map);
    *outdated_out = pager__entry_reason(page_number, entry) != NULL;
    return STATUS_OK;
}

/* Pinned pages are kept from eviction, which a pool full of them cannot afford. */
static void
release_pinned(struct pager *pager)
{
    struct pager_change *change = &pager->change;

    latch_lock(&pager->commit_latch);
    for (uint32_t index = 0; index < change->pinned_count; index++)
        pager_unpin(pager, &change->pinned[index]);
    change->pinned_count = 0;
    latch_unlock(&pager->commit_latch);
}

/* As many pages were missed, one after the other, as are kept pinned, and no frame is free: there are so few
 * clean pages that those brought in push each other out. */
static bool
is_thrashing(struct pager *pager)
{
    latch_lock(&pager->commit_latch);
    bool many = pager->change.pinned_count == PINNED_MAX;

    latch_unlock(&pager->commit_latch);
    return many && !pager__has_free_frames(pager);
}

/* Brings the page in and keeps it until a change ends well. */
static enum status
resolve_page(struct pager *pager, uint32_t page_number, bool system)
{
    struct pager_change *change = &pager->change;
    struct pager_pin oldest = {.page_number = PAGE_NONE};
    struct pager_pin pin;
    bool outdated;

    /* The pager's own change comes from the flush itself. */
    if (!system && is_thrashing(pager)) {
        release_pinned(pager);
        TRY(pager__flush_some(pager));
    }
    enum status status = pager_pin(pager, page_number, &pin);
    if (status == STATUS_CORRUPT) {
        TRY(check_outdated(pager, page_number, &outdated));
        if (outdated) {
            error_clear();
            return STATUS_OK;
        }
    }
    TRY(status);
    latch_lock(&pager->commit_latch);
    if (change->pinned_count == PINNED_MAX) {
        oldest = change->pinned[0];
        change->pinned_count--;
        memmove(&change->pinned[0], &change->pinned[1],
                change->pinned_count * sizeof(change->pinned[0]));
    }
    change->pinned[change->pinned_count++] = pin;
    latch_unlock(&pager->commit_latch);
    if (oldest.page_number != PAGE_NONE)
        pager_unpin(pager, &oldest);
    return STATUS_OK;
}

static enum status
resolve(struct pager *pager, struct change_want want, bool system)
{
    if (want.need == NEED_SPACE || want.need == NEED_LOG || want.need == NEED_SCRATCH)
        PAGER_COUNT(pager, restart_count, 1);
    switch (want.need) {
    case NEED_NOTHING:
        return STATUS_OK;
    case NEED_PAGE:
        return resolve_page(pager, want.page_number, system);
    case NEED_FRAMES:
        CHECK(!system);
        release_pinned(pager);
        return pager__flush_some(pager);
    case NEED_SPACE:
        return pager__grow(pager, want.page_number);
    case NEED_LOG:
        return wal_make_room(pager->wal, want.size, system);
    case NEED_SCRATCH:
        return pager__change_buffers_grow(pager, want.size);
    case NEED_MAP_SCAN:
        return pager__map_scan(pager);
    }
    CHECK(false);
    return STATUS_FAILED;
}

enum status
pager_change_resolve(struct pager *pager)
{
    struct change_want want;

    latch_lock(&pager->commit_latch);
    want = pager__want_take(&pager->change);
    latch_unlock(&pager->commit_latch);
    return resolve(pager, want, false);
}

enum status
pager__change_resolve_system(struct pager *pager)
{
    struct pager_change *change = &pager->change;
    struct change_want want;

    latch_lock(&pager->commit_latch);
    want = change->want_system;
    change->want_system.need = NEED_NOTHING;
    latch_unlock(&pager->commit_latch);
    return resolve(pager, want, true);
}
