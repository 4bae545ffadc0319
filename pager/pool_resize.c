/*
 * The pool's size at run time.
 *
 * Frames are reserved at open for the largest size that there will be (pool_size_max): address space, of
 * which only what is used takes memory. How many of them are in circulation can be changed:
 *
 *   never used    behind frames_used; they count as free when the pool grows over them
 *   in use, free  as ever
 *   parked        taken out by shrinking: in no list but this one, their memory given back
 *
 * Shrinking takes frames like anybody else, free ones first, then clean pages by the clock, and flushes
 * where none is clean; readers and changes go on beside it. A change may touch a quarter of the pool, so
 * its limit shrinks first and grows last; it never exceeds what the log's buffers were made for at open.
 */
#include <inttypes.h>

#include "pager/pager_private.h"

enum { MISSES_MAX = 10000 };

/* What one change may touch in a pool of so many frames. */
static void
set_change_limit(struct pager *pager, uint32_t frames)
{
    uint32_t limit = pager->change_limit_open;

    if (frames < pager->options.pool_size / PAGE_SIZE && frames / CHANGE_SHARE < limit)
        limit = frames / CHANGE_SHARE;
    latch_lock(&pager->commit_latch);
    __atomic_store_n(&pager->options.change_limit, limit, __ATOMIC_RELAXED);
    latch_unlock(&pager->commit_latch);
}

/* Puts `count` frames into circulation: parked ones, then never used ones. */
static void
unpark(struct pager *pager, uint32_t count)
{
    for (; count > 0 && pager->parked_head != WORD_FRAME_NONE; count--) {
        uint32_t frame = pager->parked_head;

        pager->parked_head = pager->frame[frame].next_free;
        pager__frame_give(pager, frame);
        atomic_fetch_add(&pager->pool_frames, 1);
    }
    latch_lock(&pager->pool_latch);
    pager->free_frames += count;
    latch_unlock(&pager->pool_latch);
    atomic_fetch_add(&pager->pool_frames, count);
}

static void
park(struct pager *pager, uint32_t frame)
{
    memory_map_discard(pager__frame_bytes(pager, frame), PAGE_SIZE);
    pager->frame[frame].next_free = pager->parked_head;
    pager->parked_head = frame;
    atomic_fetch_sub(&pager->pool_frames, 1);
}

/* Takes frames out until `frames` are left. */
static enum status
park_down_to(struct pager *pager, uint32_t frames)
{
    uint32_t misses = 0;

    while (atomic_load(&pager->pool_frames) > frames) {
        uint32_t frame;
        enum status status = pager__frame_take(pager, &frame);

        if (status == STATUS_OK) {
            park(pager, frame);
            continue;
        }
        if (status != STATUS_MISSING)
            return status;
        if (++misses > MISSES_MAX)
            return error_raise(
                STATUS_BUSY,
                "%s: the pool's pages are all in use, so it cannot shrink to %" PRIu32
                " pages now: try again",
                pager->path, frames);
        TRY(pager__flush_some(pager));
    }
    return STATUS_OK;
}

static enum status
resize(struct pager *pager, uint32_t frames)
{
    uint32_t before = atomic_load(&pager->pool_frames);

    if (frames < before)
        set_change_limit(pager, frames);
    enum status status = park_down_to(pager, frames);
    uint32_t reached = atomic_load(&pager->pool_frames);
    uint32_t wanted = status == STATUS_OK ? frames : before;

    if (reached < wanted)
        unpark(pager, wanted - reached);
    set_change_limit(pager, wanted);
    return status;
}

enum status
pager_set_pool_size(struct pager *pager, uint64_t size)
{
    uint64_t frames = size / PAGE_SIZE;
    uint32_t most = pager->table.frame_count - 1 - pager->map_frames;

    if (frames < POOL_FRAMES_MIN || frames > most)
        return error_raise(STATUS_INVALID,
                           "%s: a pool of %" PRIu64 " bytes is not from %" PRIu64 " to %" PRIu64
                           ", which pool_size_max set when the database was opened",
                           pager->path, size, (uint64_t)POOL_FRAMES_MIN * PAGE_SIZE,
                           (uint64_t)most * PAGE_SIZE);
    latch_lock(&pager->resize_latch);
    enum status status = resize(pager, (uint32_t)frames);

    latch_unlock(&pager->resize_latch);
    return status;
}

uint64_t
pager_pool_size(const struct pager *pager)
{
    return (uint64_t)atomic_load(&pager->pool_frames) * PAGE_SIZE;
}
