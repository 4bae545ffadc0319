/*
 * Witness commits: after a flush was synced, the CSN each page has on the disk goes into the page
 * map, by commits of the pager itself, and only then do the pages count as clean (P6).
 *
 *   data page           -> entry in its level-0 map page
 *   level-0 map page    -> entry in its level-1 map page
 *   level-1 map page    -> meta_map_csn in the handle, written with the meta slots
 *
 * The pages of a flush come in page order, so that neighbours share their map pages. A commit
 * takes as many pages as need WITNESS_MAP_MAX map pages. These are brought in and pinned before the
 * latch is taken, out of the frames kept for this, without flushing. In a pool full of dirty
 * pages one map page is enough to go on: its commit makes at least one frame clean.
 *
 * A page that was freed since its copy was taken has no entry to speak of and is skipped. One that
 * was freed and given out again gets the CSN of its old life, which is what the disk holds; it is
 * dirty and will be flushed again.
 */
#include "pager/pager_private.h"

enum { WITNESS_MAP_MAX = 8 };

/* Entries of one commit, and the map pages it needs. */
struct witness_run {
    struct pager *pager;
    const struct flushed_page *entries;
    uint32_t count;
    struct pager_pin maps[WITNESS_MAP_MAX];
    uint32_t map_count;
};

static uint32_t
parent_of(uint32_t page_number)
{
    return page_is_map_level0(page_number) ? map_level1_page_of(page_number)
                                           : map_page_of(page_number);
}

static bool
has_map(const struct witness_run *run, uint32_t map_page_number)
{
    for (uint32_t i = run->map_count; i > 0; i--)
        if (run->maps[i - 1].page_number == map_page_number)
            return true;
    return false;
}

/* Extends the run as far as its map pages can be had. */
static enum status
run_fill(struct witness_run *run, uint32_t count)
{
    struct pager *pager = run->pager;

    for (run->count = 0; run->count < count; run->count++) {
        uint32_t page_number = run->entries[run->count].page_number;
        enum status status = STATUS_OK;

        if (page_is_map_level1(page_number) || has_map(run, parent_of(page_number)))
            continue;
        if (run->map_count == WITNESS_MAP_MAX)
            return STATUS_OK;
        /* A page cut off the file in the meantime has no map page any more. */
        if (page_number >= atomic_load(&pager->page_count))
            continue;
        status = pager__pin_reserve(pager, parent_of(page_number), &run->maps[run->map_count]);
        if (status == STATUS_FULL && run->count > 0)
            return STATUS_OK;
        TRY(status);
        run->map_count++;
    }
    return STATUS_OK;
}

static void
run_release(struct witness_run *run)
{
    while (run->map_count > 0)
        pager_unpin(run->pager, &run->maps[--run->map_count]);
}

/* In the change: the entry of one page. */
static enum status
witness_page(struct pager_change *change, const struct flushed_page *flushed)
{
    struct pager *pager = change->pager;
    uint32_t page_number = flushed->page_number;
    uint32_t index;
    uint8_t *map;

    if (page_number >= change->page_count)
        return STATUS_OK;
    if (page_is_map_level1(page_number)) {
        if (!BUG(MAP_NOT_UPDATED))
            pager->meta_map_csn[map_meta_index_of(page_number)] = flushed->csn;
        return STATUS_OK;
    }
    index = page_is_map_level0(page_number) ? map_level1_index_of(page_number)
                                            : map_index_of(page_number);
    TRY(pager_change_edit(change, parent_of(page_number), &map));
    struct map_entry entry = map_entry_get(map, index);
    if (entry.state != PAGE_STATE_USED && entry.state != PAGE_STATE_MAP)
        return STATUS_OK;
    entry.csn = flushed->csn;
    if (!BUG(MAP_NOT_UPDATED))
        map_entry_set(map, index, entry);
    return STATUS_OK;
}

/* One try; STATUS_MISSING: something must be provided first. */
static enum status
run_try(struct witness_run *run)
{
    struct pager *pager = run->pager;
    struct pager_change *change;

    TRY(pager__change_begin_system(pager, &change));
    for (uint32_t i = 0; i < run->count; i++) {
        enum status status = witness_page(change, &run->entries[i]);

        if (status != STATUS_OK) {
            pager_change_abandon(change);
            return status;
        }
    }
    return pager_change_commit(change, &pager->csn_witness);
}

/* STATUS_MISSING: a map page appeared or went while the latch was free; fill the run again. */
static enum status
run_commit(struct witness_run *run)
{
    struct pager *pager = run->pager;
    enum status status;

    while ((status = run_try(run)) == STATUS_MISSING) {
        /* Written by holders of the flush latch only. Fetching a page the ordinary way might flush. */
        if (pager->change.want_system.need == NEED_PAGE)
            return STATUS_MISSING;
        TRY(pager__change_resolve_system(pager));
    }
    TRY(status);
    for (uint32_t i = 0; i < run->count; i++)
        pager__flushed(run->pager, &run->entries[i]);
    return STATUS_OK;
}

enum status
pager__witness_commit(struct pager *pager, const struct flushed_page *entries, uint32_t count,
                      uint32_t *done_out)
{
    CHECK(latch_is_held(&pager->flush_latch));
    CHECK(!pager->recovering);
    for (*done_out = 0; *done_out < count;) {
        struct witness_run run = {.pager = pager, .entries = entries + *done_out};
        enum status status = run_fill(&run, count - *done_out);

        if (status == STATUS_OK)
            status = run_commit(&run);
        run_release(&run);
        if (status == STATUS_MISSING)
            continue;
        TRY(status);
        *done_out += run.count;
    }
    return STATUS_OK;
}
