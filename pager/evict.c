/*
 * Which page leaves the pool: S3-FIFO (Yang et al., SOSP 2023), done by two clocks over the frames instead of
 * by queues.
 *
 * A page that comes is on probation. The probation hand passes the pages of probation in the order in
 * which they came: one that was looked at PROMOTE_COUNT times by then becomes a main page, every other one leaves,
 * and its number is remembered until as many have left as there are main pages. Who comes back meanwhile is a
 * main page at once: so a loop over pages that fit the pool stays, whatever was there before. The main hand
 * takes 1 from each count it passes and evicts where nothing is left. A scan, or a page that is read once,
 * costs the tenth of the pool that is probation, and what is asked for often stays.
 * Measured: docs/decisions/0013-eviction.md, `qtdb-bench hits`.
 *
 * The hands skip each other's frames. Pages come where the hand has just taken a frame, so the order of
 * frames is the order of coming; a promoted page stays where it is.
 *
 * Everything here is lock-free: `place` changes by exchange and compare-and-swap, so exactly one
 * thread counts each main page in and out; counts of use are written by anybody without order, and a
 * use that is lost is one use. What is remembered is a table of page numbers by hash, four to a
 * place, where two threads may overwrite each other's: it decides what stays, never what is right.
 *
 * Only clean pages are evicted: nothing here does I/O.
 */
#include "kernel/base/random.h"
#include "pager/pager_private.h"

enum {
    USE_COUNT_BASE = 1, /* The look that made the page come; hands count what is above. */
    PROMOTE_COUNT = 3,
    PROBATION_SHARE = 10,
    PROBATION_MIN = 128, /* What scans read ahead is used before it leaves. */
    GONE_WAYS = 4,
    HAND_STEP = 16,
    MAIN_TURNS_MAX = USE_COUNT_MAX - USE_COUNT_BASE + 1,
};

enum place { PLACE_NONE = 0, PLACE_PROBATION = 1, PLACE_MAIN = 2 };

/* Remembered pages. */

/* Pages of the pool on probation for which the others make room. */
static uint32_t
probation_limit(const struct pager *pager)
{
    uint32_t frames = atomic_load_explicit(&pager->pool_frames, memory_order_relaxed);
    uint32_t share = frames / PROBATION_SHARE;
    uint32_t least = frames / 2 < PROBATION_MIN ? frames / 2 : PROBATION_MIN;

    return share > least ? share : least;
}

/* The GONE_WAYS entries where the page's may be. */
static _Atomic uint64_t *
ways_of(const struct pager *pager, uint32_t page_number)
{
    return &pager->gone[random_mix(page_number) & (pager->gone_room - GONE_WAYS)];
}

static uint32_t
gone_now(const struct pager *pager)
{
    return atomic_load_explicit(&pager->gone_clock, memory_order_relaxed);
}

/* In place of the one that left first. */
static void
remember(struct pager *pager, uint32_t page_number)
{
    uint32_t now = atomic_fetch_add_explicit(&pager->gone_clock, 1, memory_order_relaxed);
    _Atomic uint64_t *ways = ways_of(pager, page_number);
    uint32_t oldest = 0, age_most = 0;

    for (uint32_t i = 0; i < GONE_WAYS; i++) {
        uint64_t entry = atomic_load_explicit(&ways[i], memory_order_relaxed);
        uint32_t age =
            entry >> 32 == page_number || entry == 0 ? UINT32_MAX : now - (uint32_t)entry;

        if (age > age_most) {
            age_most = age;
            oldest = i;
        }
    }
    atomic_store_explicit(&ways[oldest], (uint64_t)page_number << 32 | now, memory_order_relaxed);
}

static bool
is_remembered(const struct pager *pager, uint32_t page_number)
{
    uint32_t frames = atomic_load_explicit(&pager->pool_frames, memory_order_relaxed);
    const _Atomic uint64_t *ways = ways_of(pager, page_number);

    for (uint32_t i = 0; i < GONE_WAYS; i++) {
        uint64_t entry = atomic_load_explicit(&ways[i], memory_order_relaxed);

        if (entry >> 32 == page_number)
            return gone_now(pager) - (uint32_t)entry <= frames - probation_limit(pager);
    }
    return false;
}

/* Places. */

static _Atomic uint8_t *
place_of(const struct pager *pager, uint32_t frame)
{
    return &pager->place[frame];
}

static _Atomic uint8_t *
count_of(const struct pager *pager, uint32_t frame)
{
    return &pager->table.referenced[frame];
}

void
pager__place_enter(struct pager *pager, uint32_t frame, uint32_t page_number)
{
    bool stays = is_remembered(pager, page_number);

    atomic_store_explicit(count_of(pager, frame), 0, memory_order_relaxed);
    if (pager->frame[frame].is_kept)
        return;
    if (stays)
        atomic_fetch_add_explicit(&pager->main_count, 1, memory_order_relaxed);
    uint8_t before = atomic_exchange(place_of(pager, frame), stays ? PLACE_MAIN : PLACE_PROBATION);
    CHECK(before == PLACE_NONE);
}

void
pager__place_leave(struct pager *pager, uint32_t frame)
{
    if (atomic_exchange(place_of(pager, frame), PLACE_NONE) == PLACE_MAIN)
        atomic_fetch_sub_explicit(&pager->main_count, 1, memory_order_relaxed);
}

static void
promote(struct pager *pager, uint32_t frame)
{
    uint8_t expected = PLACE_PROBATION;

    atomic_store_explicit(count_of(pager, frame), USE_COUNT_BASE, memory_order_relaxed);
    if (atomic_compare_exchange_strong(place_of(pager, frame), &expected, PLACE_MAIN))
        atomic_fetch_add_explicit(&pager->main_count, 1, memory_order_relaxed);
}

bool
pager__frame_is_cold(const struct pager *pager, uint32_t frame)
{
    uint8_t count = atomic_load_explicit(count_of(pager, frame), memory_order_relaxed);
    uint8_t place = atomic_load_explicit(place_of(pager, frame), memory_order_relaxed);

    return place == PLACE_MAIN ? count <= USE_COUNT_BASE : count < PROMOTE_COUNT;
}

/* Eviction. */

static bool
frame_is_clean(const struct frame *state)
{
    return state->pins == 0 && state->csn_dirty == 0 && state->csn_flushing == 0;
}

/* Of a frame whose page is, or was a moment ago, that one. */
static bool
is_evictable(const struct frame *state, uint32_t page_number)
{
    return page_number != PAGE_NONE && page_number != 0 && !state->is_kept && frame_is_clean(state);
}

bool
pager__frame_is_evictable(const struct frame *state)
{
    return is_evictable(state, state->page_number);
}

/* Takes the frame from its page if it is clean and nobody is near. */
static bool
evict(struct pager *pager, uint32_t frame)
{
    struct frame *state = &pager->frame[frame];
    uint32_t page_number = state->page_number;

    if (!is_evictable(state, page_number))
        return false;
    _Atomic uint64_t *word = &pager->table.words[page_number];
    uint64_t now = atomic_load_explicit(word, memory_order_relaxed);
    if ((now & (WORD_FRAME_MASK | WORD_LOCKED | WORD_IN_IO)) != frame ||
        !atomic_compare_exchange_strong(word, &now, now | WORD_LOCKED))
        return false;
    if (!is_evictable(state, page_number)) {
        pager__word_release(word, now & ~WORD_WAITERS);
        return false;
    }
    CHECK(state->page_number == page_number); /* P15 */
    if (atomic_load_explicit(place_of(pager, frame), memory_order_relaxed) == PLACE_PROBATION)
        remember(pager, page_number);
    pager__place_leave(pager, frame);
    state->page_number = PAGE_NONE;
    pager__word_release(word, pager__word_next(now) | WORD_FRAME_NONE);
    PAGER_COUNT(pager, evict_count, 1);
    return true;
}

static bool
pass_probation(struct pager *pager, uint32_t frame)
{
    if (atomic_load_explicit(place_of(pager, frame), memory_order_relaxed) != PLACE_PROBATION)
        return false;
    if (atomic_load_explicit(count_of(pager, frame), memory_order_relaxed) < PROMOTE_COUNT)
        return evict(pager, frame);
    promote(pager, frame);
    return false;
}

/* `used_io` becomes true where a page is passed for having been used. */
static bool
pass_main(struct pager *pager, uint32_t frame, bool *used_io)
{
    if (atomic_load_explicit(place_of(pager, frame), memory_order_relaxed) != PLACE_MAIN)
        return false;
    uint8_t count = atomic_load_explicit(count_of(pager, frame), memory_order_relaxed);
    if (count <= USE_COUNT_BASE)
        return evict(pager, frame);
    atomic_store_explicit(count_of(pager, frame), (uint8_t)(count - 1), memory_order_relaxed);
    *used_io = true;
    return false;
}

/* One turn of a hand at most. What it did not look at of its last step it gives back, unless another
 * thread went on from there. */
static uint32_t
turn(struct pager *pager, bool of_main, bool *used_io)
{
    _Atomic uint32_t *hand = of_main ? &pager->main_hand : &pager->clock_hand;
    uint32_t count = pager__frame_end(pager) - 1;

    for (uint64_t done = 0; done < (uint64_t)count + HAND_STEP; done += HAND_STEP) {
        uint32_t begin = atomic_fetch_add_explicit(hand, HAND_STEP, memory_order_relaxed);

        for (uint32_t i = 0; i < HAND_STEP; i++) {
            uint32_t frame = 1 + (begin + i) % count;
            uint32_t end = begin + HAND_STEP;

            if (!(of_main ? pass_main(pager, frame, used_io) : pass_probation(pager, frame)))
                continue;
            (void)atomic_compare_exchange_strong(hand, &end, begin + i + 1);
            return frame;
        }
    }
    return WORD_FRAME_NONE;
}

static bool
probation_is_full(const struct pager *pager)
{
    uint32_t frames = atomic_load_explicit(&pager->pool_frames, memory_order_relaxed);
    uint32_t main_count = atomic_load_explicit(&pager->main_count, memory_order_relaxed);

    return frames > main_count && frames - main_count > probation_limit(pager);
}

uint32_t
pager__evict_one(struct pager *pager)
{
    uint32_t frame = WORD_FRAME_NONE;
    bool used = true;

    if (pager__frame_end(pager) <= 1)
        return WORD_FRAME_NONE;
    if (probation_is_full(pager))
        frame = turn(pager, false, &used);
    /* As long as counts go down there may be a page that can go. */
    for (int i = 0; i < MAIN_TURNS_MAX && frame == WORD_FRAME_NONE && used; i++) {
        used = false;
        frame = turn(pager, true, &used);
    }
    return frame != WORD_FRAME_NONE ? frame : turn(pager, false, &used);
}

/* Life. */

enum status
pager__evict_open(struct pager *pager)
{
    struct memory *memory = pager->env.memory;
    size_t count = pager->table.frame_count;

    pager->gone_room = 64;
    while (pager->gone_room < count)
        pager->gone_room *= 2;
    pager->place = memory_alloc(memory, MEMORY_POOL, count);
    if (pager->place == NULL)
        return STATUS_NO_MEMORY;
    pager->gone = memory_alloc(memory, MEMORY_POOL, pager->gone_room * sizeof(*pager->gone));
    return pager->gone != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

void
pager__evict_close(struct pager *pager)
{
    struct memory *memory = pager->env.memory;

    memory_free(memory, MEMORY_POOL, (void *)(uintptr_t)pager->place, pager->table.frame_count);
    pager->place = NULL;
    memory_free(memory, MEMORY_POOL, (void *)(uintptr_t)pager->gone,
                pager->gone_room * sizeof(*pager->gone));
    pager->gone = NULL;
}
