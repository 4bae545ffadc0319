/*
 * The buffer pool: frames, page words and pins. Which page leaves it: evict.c.
 *
 * A page is found by its word alone: an array indexed by page number, reserved as address space and
 * touched where pages are. Frame 0 is never used, so a word that was never written says "absent".
 * The frames' memory is one mapping as well; frames are first taken in rising order, so a handle
 * that uses little of its pool touches little memory. The buffers of the flush lie behind the frames.
 *
 * Pins and eviction decide by Dekker's pattern. Who pins counts up, then looks at the word again; who
 * takes a page away locks the word, then looks at the pins. Both steps are sequentially consistent,
 * so at least one sees the other: a pin on a page that is going away is given back and tried again.
 * Such a pin may for a moment rest on a frame that is free already or belongs to another page. That is
 * harmless, because nobody sets a count of pins, they are only added to.
 *
 * A page that is dropped while pinned leaves its frame as an orphan: a flag beside the count. Whoever
 * turns "orphan, no pins" into 0 by compare-and-swap frees the frame, so exactly one does.
 *
 * P15: a word names a frame only between the moment frame.page_number was set to that page and the
 * moment it is set to something else, both under the word's lock.
 *
 * Map pages have frames beside the pool's, as far as those go (P18): each page read asks for its
 * witness, and the map of a file of a thousand pools is two pools. Such a frame is never evicted and goes
 * back to the map's share when its page is dropped. Nothing here does I/O.
 */
#include "pager/pager_private.h"

enum { WORD_SPIN_COUNT = 100 };

/* Words. */

uint64_t
pager__word_next(uint64_t word)
{
    return (word & ~(WORD_VERSION_ONE - 1)) + WORD_VERSION_ONE;
}

static _Atomic uint64_t *
word_of(const struct pager *pager, uint32_t page_number)
{
    CHECK(page_number < pager->table.page_limit);
    return &pager->table.words[page_number];
}

/* The half of the word that holds the lock, in-I/O and waiters bits; the futex is there. */
static _Atomic uint32_t *
low_half(_Atomic uint64_t *word)
{
    return (_Atomic uint32_t *)(uintptr_t)word;
}

void
pager__word_wait(_Atomic uint64_t *word, uint64_t bits)
{
    for (uint32_t spin = 0;; spin++) {
        uint64_t now = atomic_load_explicit(word, memory_order_acquire);

        if ((now & bits) == 0)
            return;
        if (spin < WORD_SPIN_COUNT) {
            sync_pause();
            continue;
        }
        if ((now & WORD_WAITERS) == 0 &&
            !atomic_compare_exchange_strong(word, &now, now | WORD_WAITERS))
            continue;
        sync_futex_wait(low_half(word), (uint32_t)(now | WORD_WAITERS));
    }
}

uint64_t
pager__word_acquire(_Atomic uint64_t *word)
{
    for (;;) {
        uint64_t now = atomic_load_explicit(word, memory_order_relaxed);

        if ((now & WORD_LOCKED) == 0 &&
            atomic_compare_exchange_weak(word, &now, now | WORD_LOCKED)) {
            /* Readers that see bytes written from here on also see the lock (page_view_end). */
            atomic_thread_fence(memory_order_release);
            return now & ~WORD_WAITERS;
        }
        pager__word_wait(word, WORD_LOCKED);
    }
}

void
pager__word_release(_Atomic uint64_t *word, uint64_t value)
{
    uint64_t before = atomic_exchange(word, value);

    CHECK((before & WORD_LOCKED) != 0);
    CHECK((value & (WORD_LOCKED | WORD_WAITERS)) == 0);
    if ((before & WORD_WAITERS) != 0)
        sync_futex_wake_all(low_half(word));
}

uint64_t
pager__word_lock(struct pager *pager, uint32_t page_number)
{
    return pager__word_acquire(word_of(pager, page_number));
}

void
pager__word_unlock(struct pager *pager, uint32_t page_number, uint64_t frame, bool in_io)
{
    _Atomic uint64_t *word = word_of(pager, page_number);
    uint64_t now = atomic_load_explicit(word, memory_order_relaxed);

    CHECK(frame < pager->table.frame_count);
    pager__word_release(word, pager__word_next(now) | frame | (in_io ? WORD_IN_IO : 0));
}

void
pager__word_unlock_unchanged(struct pager *pager, uint32_t page_number, uint64_t word)
{
    pager__word_release(word_of(pager, page_number), word);
}

uint64_t
pager__word_claim(struct pager *pager, uint32_t page_number)
{
    _Atomic uint64_t *word = word_of(pager, page_number);
    uint64_t now = atomic_load_explicit(word, memory_order_relaxed);

    if ((now & (WORD_FRAME_MASK | WORD_LOCKED | WORD_IN_IO)) != 0)
        return 0;
    CHECK((now & WORD_WAITERS) == 0);
    return atomic_compare_exchange_strong(word, &now, now | WORD_IN_IO) ? now | WORD_IN_IO : 0;
}

/* Makes the frame the page's, under the page's lock. P15. */
static void
frame_belongs_to(struct pager *pager, uint32_t frame, uint32_t page_number)
{
    struct frame *state = &pager->frame[frame];

    CHECK(frame != WORD_FRAME_NONE && frame < pager->table.frame_count);
    CHECK(state->page_number == PAGE_NONE);
    state->page_number = page_number;
    pager__place_enter(pager, frame, page_number);
}

bool
pager__word_settle(struct pager *pager, uint32_t page_number, uint64_t claimed, uint32_t frame)
{
    _Atomic uint64_t *word = word_of(pager, page_number);
    uint64_t now = pager__word_acquire(word);

    CHECK((claimed & WORD_IN_IO) != 0);
    if (now != claimed) {
        pager__word_release(word, now);
        return false;
    }
    if (frame != WORD_FRAME_NONE) {
        frame_belongs_to(pager, frame, page_number);
        atomic_fetch_add(&pager->frame[frame].pins, 1);
    }
    pager__word_release(word, pager__word_next(now) | frame);
    return true;
}

/* Frames. */

uint32_t
pager__frame_end(const struct pager *pager)
{
    return atomic_load_explicit(&pager->frames_used, memory_order_acquire);
}

uint8_t *
pager__frame_bytes(struct pager *pager, uint32_t frame)
{
    CHECK(frame != WORD_FRAME_NONE && frame < pager->table.frame_count);
    return pager->table.frames + (size_t)frame * PAGE_SIZE;
}

void
pager__frame_give(struct pager *pager, uint32_t frame)
{
    struct frame *state = &pager->frame[frame];

    CHECK(frame != WORD_FRAME_NONE && frame < pager->table.frame_count);
    CHECK(state->page_number == PAGE_NONE);
    state->csn_dirty = 0;
    state->csn_flushing = 0;
    latch_lock(&pager->pool_latch);
    state->next_free = pager->free_head;
    pager->free_head = frame;
    if (state->is_kept) {
        state->is_kept = false;
        pager->map_free++;
    } else {
        pager->free_frames++;
    }
    CHECK(pager->free_frames + pager->map_free < pager->table.frame_count);
    latch_unlock(&pager->pool_latch);
}

/* Off the free list, or one never taken; the caller counts. Pool latch held. */
static uint32_t
unlink_free(struct pager *pager)
{
    uint32_t frame = pager->free_head;

    if (frame != WORD_FRAME_NONE) {
        pager->free_head = pager->frame[frame].next_free;
        return frame;
    }
    frame = pager->frames_used;
    CHECK(frame < pager->table.frame_count);
    pager->frame[frame].page_number = PAGE_NONE;
    pager->frames_used = frame + 1;
    return frame;
}

/* One of the pool's, while more than `keep` are free; WORD_FRAME_NONE: there are not. */
static uint32_t
take_free(struct pager *pager, uint32_t keep)
{
    uint32_t frame = WORD_FRAME_NONE;

    latch_lock(&pager->pool_latch);
    if (pager->free_frames > keep) {
        frame = unlink_free(pager);
        pager->free_frames--;
    }
    latch_unlock(&pager->pool_latch);
    return frame;
}

/* Fills the reserve up again. False: it is full. */
static bool
keep_in_reserve(struct pager *pager, uint32_t keep, uint32_t frame)
{
    bool lacks;

    latch_lock(&pager->pool_latch);
    lacks = pager->free_frames < keep;
    latch_unlock(&pager->pool_latch);
    if (lacks)
        pager__frame_give(pager, frame);
    return lacks;
}

static enum status
frame_take(struct pager *pager, uint32_t keep, uint32_t *frame_out)
{
    uint32_t frame;

    do {
        frame = take_free(pager, keep);
        if (frame != WORD_FRAME_NONE)
            break;
        frame = pager__evict_one(pager);
        if (frame == WORD_FRAME_NONE)
            return STATUS_MISSING;
    } while (keep_in_reserve(pager, keep, frame));
    CHECK(pager->frame[frame].page_number == PAGE_NONE);
    CHECK(pager->frame[frame].csn_dirty == 0 && pager->frame[frame].csn_flushing == 0);
    *frame_out = frame;
    return STATUS_OK;
}

bool
pager__has_free_frames(struct pager *pager)
{
    latch_lock(&pager->pool_latch);
    bool has = pager->free_frames > FRAME_RESERVE;

    latch_unlock(&pager->pool_latch);
    return has;
}

enum status
pager__frame_take(struct pager *pager, uint32_t *frame_out)
{
    return frame_take(pager, FRAME_RESERVE, frame_out);
}

enum status
pager__frame_take_reserve(struct pager *pager, uint32_t *frame_out)
{
    return frame_take(pager, 0, frame_out);
}

enum status
pager__frame_take_map(struct pager *pager, uint32_t *frame_out)
{
    uint32_t frame = WORD_FRAME_NONE;

    latch_lock(&pager->pool_latch);
    if (pager->map_free > 0) {
        frame = unlink_free(pager);
        pager->frame[frame].is_kept = true;
        pager->map_free--;
    }
    latch_unlock(&pager->pool_latch);
    if (frame == WORD_FRAME_NONE)
        return STATUS_MISSING;
    CHECK(pager->frame[frame].page_number == PAGE_NONE);
    *frame_out = frame;
    return STATUS_OK;
}

/* Pins. */

/* Frees the frame if it is an orphan without pins and nobody else has done so. */
static void
free_orphan(struct pager *pager, uint32_t frame)
{
    uint32_t expected = FRAME_ORPHAN;

    if (atomic_compare_exchange_strong(&pager->frame[frame].pins, &expected, 0))
        pager__frame_give(pager, frame);
}

void
pager__frame_unpin(struct pager *pager, uint32_t frame)
{
    uint32_t before = atomic_fetch_sub(&pager->frame[frame].pins, 1);

    CHECK((before & ~FRAME_ORPHAN) != 0);
    if (before == FRAME_ORPHAN + 1)
        free_orphan(pager, frame);
}

bool
pager__pin_resident(struct pager *pager, uint32_t page_number, struct pager_pin *out)
{
    _Atomic uint64_t *word = word_of(pager, page_number);

    for (;;) {
        uint64_t now = atomic_load_explicit(word, memory_order_acquire);
        uint32_t frame = (uint32_t)(now & WORD_FRAME_MASK);

        if (frame == WORD_FRAME_NONE || (now & WORD_IN_IO) != 0)
            return false;
        if ((now & WORD_LOCKED) != 0) {
            pager__word_wait(word, WORD_LOCKED);
            continue;
        }
        struct frame *state = &pager->frame[frame];
        atomic_fetch_add(&state->pins, 1);
        now = atomic_load(word);
        if ((now & (WORD_FRAME_MASK | WORD_LOCKED | WORD_IN_IO)) != frame) {
            pager__frame_unpin(pager, frame);
            continue;
        }
        page_table_use(&pager->table, frame);
        uint64_t count = __atomic_load_n(&state->pin_count, __ATOMIC_RELAXED);
        __atomic_store_n(&state->pin_count, count + 1, __ATOMIC_RELAXED);
        out->page_number = page_number;
        out->frame = frame;
        out->bytes = pager->table.frames + (size_t)frame * PAGE_SIZE;
        return true;
    }
}

/* Residence by force: publishing a new page, redo, freeing a page. */

bool
pager__install(struct pager *pager, uint32_t page_number, uint32_t frame)
{
    uint64_t now = pager__word_lock(pager, page_number);

    if ((now & WORD_FRAME_MASK) != WORD_FRAME_NONE) {
        pager__word_unlock_unchanged(pager, page_number, now);
        pager__frame_give(pager, frame);
        return false;
    }
    frame_belongs_to(pager, frame, page_number);
    pager__word_unlock(pager, page_number, frame, false);
    return true;
}

void
pager__drop(struct pager *pager, uint32_t page_number)
{
    uint64_t now = pager__word_lock(pager, page_number);
    uint32_t frame = (uint32_t)(now & WORD_FRAME_MASK);

    if (frame == WORD_FRAME_NONE) {
        pager__word_unlock(pager, page_number, WORD_FRAME_NONE, false);
        return;
    }
    struct frame *state = &pager->frame[frame];
    CHECK(state->page_number == page_number); /* P15 */
    CHECK((state->pins & FRAME_ORPHAN) == 0);
    pager__place_leave(pager, frame);
    state->page_number = PAGE_NONE;
    state->csn_dirty = 0;
    state->csn_flushing = 0;
    pager__word_unlock(pager, page_number, WORD_FRAME_NONE, false);
    atomic_fetch_or(&state->pins, FRAME_ORPHAN);
    free_orphan(pager, frame);
}

/* Life. */

static uint32_t
frame_count_of(uint64_t pool_size)
{
    uint64_t count = pool_size / PAGE_SIZE;
    uint64_t most = WORD_FRAME_MASK - FLUSH_BATCH_MAX - MAP_FRAMES_MAX;

    if (count < POOL_FRAMES_MIN)
        count = POOL_FRAMES_MIN;
    return (uint32_t)(count < most ? count : most) + 1;
}

static uint32_t
map_frames_of(uint32_t pool_frames)
{
    return pool_frames < MAP_FRAMES_MAX / MAP_FRAMES_A_FRAME ? pool_frames * MAP_FRAMES_A_FRAME
                                                             : (uint32_t)MAP_FRAMES_MAX;
}

static size_t
words_size(const struct pager *pager)
{
    return (size_t)pager->table.page_limit * sizeof(uint64_t);
}

static size_t
frames_size(const struct pager *pager)
{
    return ((size_t)pager->table.frame_count + pager->flush_batch) * PAGE_SIZE;
}

static enum status
allocate(struct pager *pager)
{
    struct memory *memory = pager->env.memory;
    struct page_table *table = &pager->table;
    size_t count = table->frame_count;
    void *words, *frames;

    TRY(memory_map(memory, MEMORY_PAGE_TABLE, words_size(pager), false, &words));
    table->words = words;
    TRY(memory_map(memory, MEMORY_POOL, frames_size(pager), pager->options.huge_pages, &frames));
    table->frames = frames;
    pager->flush_buffers = table->frames + count * PAGE_SIZE;
    table->referenced = memory_alloc(memory, MEMORY_POOL, count);
    if (table->referenced == NULL)
        return STATUS_NO_MEMORY;
    pager->frame = memory_alloc(memory, MEMORY_POOL, count * sizeof(*pager->frame));
    return pager->frame != NULL ? pager__evict_open(pager) : STATUS_NO_MEMORY;
}

enum status
pager__pool_open(struct pager *pager)
{
    const struct pager_options *options = &pager->options;
    struct page_table *table = &pager->table;
    uint64_t page_limit = options->page_limit != 0 ? options->page_limit : PAGE_COUNT_MAX;
    enum status status;

    CHECK(table->words == NULL && pager->frame == NULL);
    table->frame_count = frame_count_of(
        options->pool_size_max > options->pool_size ? options->pool_size_max : options->pool_size);
    atomic_store(&pager->pool_frames, frame_count_of(options->pool_size) - 1);
    pager->map_frames = map_frames_of(atomic_load(&pager->pool_frames));
    pager->map_free = pager->map_frames;
    table->frame_count += pager->map_frames;
    pager->parked_head = WORD_FRAME_NONE;
    pager->change_limit_open = options->change_limit;
    table->page_limit = (uint32_t)(page_limit < PAGE_COUNT_MAX ? page_limit : PAGE_COUNT_MAX);
    pager->flush_batch = atomic_load(&pager->pool_frames) / 4;
    if (pager->flush_batch > FLUSH_BATCH_MAX)
        pager->flush_batch = FLUSH_BATCH_MAX;
    pager->free_head = WORD_FRAME_NONE;
    pager->free_frames = atomic_load(&pager->pool_frames);
    pager->frames_used = 1;
    TRY_OUT(allocate(pager));
    TRY_OUT(pager__flush_open(pager));
out:
    if (status != STATUS_OK)
        pager__pool_close(pager);
    return status;
}

void
pager__pool_close(struct pager *pager)
{
    struct memory *memory = pager->env.memory;
    struct page_table *table = &pager->table;
    size_t count = table->frame_count;

    pager__prefetch_close(pager);
    pager__flush_close(pager);
    pager__evict_close(pager);
    memory_free(memory, MEMORY_POOL, pager->frame, count * sizeof(*pager->frame));
    pager->frame = NULL;
    memory_free(memory, MEMORY_POOL, (void *)(uintptr_t)table->referenced, count);
    table->referenced = NULL;
    if (table->frames != NULL)
        memory_unmap(memory, MEMORY_POOL, table->frames, frames_size(pager));
    table->frames = NULL;
    if (table->words != NULL)
        memory_unmap(memory, MEMORY_PAGE_TABLE, (void *)(uintptr_t)table->words, words_size(pager));
    table->words = NULL;
}
