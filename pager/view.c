/*
 * The part of the optimistic view that is not inline: the variant for the thread sanitizer, in which a
 * view is the word's lock. The sanitizer knows nothing of sequence counters; with the lock it sees
 * every read of a page ordered with every publication. That the ordinary variant rejects torn reads is
 * shown by a stress test on the ordinary build.
 */
#include "pager/pager_private.h"

static_assert(offsetof(struct pager, table) == 0, "pager_table finds it there");

#ifdef QTDB_TSAN

bool
page_view_begin_locked(const struct page_table *table, uint32_t page_number, struct page_view *view)
{
    if (page_number >= table->page_limit)
        return false;
    view->word = &table->words[page_number];
    view->seen = pager__word_acquire(view->word);
    uint64_t frame = view->seen & WORD_FRAME_MASK;
    if (frame == WORD_FRAME_NONE || (view->seen & WORD_IN_IO) != 0) {
        pager__word_release(view->word, view->seen);
        return false;
    }
    view->bytes = table->frames + frame * PAGE_SIZE;
    page_table_use(table, frame);
    return true;
}

void
page_view_end_locked(struct page_view *view)
{
    pager__word_release(view->word, view->seen);
}

#endif
