/*
 * The optimistic view of a page: the one header through which pages are read without a lock.
 *
 * One 64-bit word a page, in an array indexed by page number, is page table and latch in one:
 *
 *   bits  0-25  frame number; WORD_FRAME_NONE: the page is not in memory (a word never touched is
 *               0, and frame 0 is never used)
 *   bit     26  locked: a writer publishes, or the page is being taken away
 *   bit     27  in I/O: being read from disk
 *   bit     28  waiters: a futex wake is due at unlock
 *   bits 29-63  version: counts changes and residence, never reset
 *
 * Protocol: page_view_begin; read control bytes with view_u8 / view_u16 / view_u32 / view_u64 (relaxed
 * atomic loads), bound them after loading; copy results out; page_view_end. Only when that returns
 * true was everything read from one published state of the page. Bytes may be torn before that: use
 * no loaded value as an index or a length without a bound.
 *
 * In the thread-sanitizer variant begin takes the word's lock and end gives it back, so that the
 * sanitizer sees a lock. Both variants: every successful begin has exactly one end, nothing in
 * between blocks, and no second view of the same page is open in the same thread.
 */
#ifndef PAGER_PAGER_VIEW_H
#define PAGER_PAGER_VIEW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pager/pager_format.h"

struct pager;

#define WORD_FRAME_BITS 26
#define WORD_FRAME_NONE UINT64_C(0)
#define WORD_FRAME_MASK ((UINT64_C(1) << WORD_FRAME_BITS) - 1)
#define WORD_LOCKED (UINT64_C(1) << 26)
#define WORD_IN_IO (UINT64_C(1) << 27)
#define WORD_WAITERS (UINT64_C(1) << 28)
#define WORD_VERSION_ONE (UINT64_C(1) << 29)

/* What a view needs of the pool; the first member of struct pager. Fixed at open. */
struct page_table {
    _Atomic uint64_t *words;     /* page_limit of them */
    uint8_t *frames;             /* frame_count pages, the first of them unused */
    _Atomic uint8_t *referenced; /* frame_count counts of looks, up to USE_COUNT_MAX */
    uint32_t page_limit;
    uint32_t frame_count;
};

/** The handle's table: its first member. */
static inline const struct page_table *
pager_table(const struct pager *pager)
{
    return (const struct page_table *)(const void *)pager;
}

enum { USE_COUNT_MAX = 4 };

/* Counts a look at the frame's page; one that is lost beside another thread's is one look. Full counts are
 * only read, so pages that all threads want stay in all caches. */
static inline void
page_table_use(const struct page_table *table, uint64_t frame)
{
    uint8_t count = atomic_load_explicit(&table->referenced[frame], memory_order_relaxed);

    if (count < USE_COUNT_MAX)
        atomic_store_explicit(&table->referenced[frame], (uint8_t)(count + 1),
                              memory_order_relaxed);
}

struct page_view {
    _Atomic uint64_t *word;
    uint64_t seen;
    const uint8_t *bytes;
};

#ifdef QTDB_TSAN
bool page_view_begin_locked(const struct page_table *table, uint32_t page_number,
                            struct page_view *view);
void page_view_end_locked(struct page_view *view);
#endif

/** False: absent or locked; pin the page (pager_pin), then try again. */
static inline bool
page_view_begin(const struct page_table *table, uint32_t page_number, struct page_view *view)
{
#ifdef QTDB_TSAN
    return page_view_begin_locked(table, page_number, view);
#else
    if (page_number >= table->page_limit)
        return false;
    view->word = &table->words[page_number];
    view->seen = atomic_load_explicit(view->word, memory_order_acquire);
    uint64_t frame = view->seen & WORD_FRAME_MASK;
    if (frame == WORD_FRAME_NONE || (view->seen & (WORD_LOCKED | WORD_IN_IO)) != 0)
        return false;
    view->bytes = table->frames + frame * PAGE_SIZE;
    page_table_use(table, frame);
    return true;
#endif
}

/** True when all that was read since begin belongs to one published state. */
static inline bool
page_view_end(struct page_view *view)
{
#ifdef QTDB_TSAN
    page_view_end_locked(view);
    return true;
#else
    atomic_thread_fence(memory_order_acquire);
    uint64_t now = atomic_load_explicit(view->word, memory_order_relaxed);
    return ((now ^ view->seen) & ~WORD_WAITERS) == 0;
#endif
}

static inline uint8_t
view_u8(const struct page_view *view, uint32_t offset)
{
    return __atomic_load_n(view->bytes + offset, __ATOMIC_RELAXED);
}

/* `offset` is even. */
static inline uint16_t
view_u16(const struct page_view *view, uint32_t offset)
{
    return __atomic_load_n((const uint16_t *)(const void *)(view->bytes + offset),
                           __ATOMIC_RELAXED);
}

/* `offset` is a multiple of 4. */
static inline uint32_t
view_u32(const struct page_view *view, uint32_t offset)
{
    return __atomic_load_n((const uint32_t *)(const void *)(view->bytes + offset),
                           __ATOMIC_RELAXED);
}

/* `offset` is a multiple of 8. */
static inline uint64_t
view_u64(const struct page_view *view, uint32_t offset)
{
    return __atomic_load_n((const uint64_t *)(const void *)(view->bytes + offset),
                           __ATOMIC_RELAXED);
}

#endif
