/*
 * Batched reads: brings absent pages in side by side, for scans and for look-ups of many keys.
 *
 * A hint that never fails and never flushes: what cannot be had (no clean frame, no memory, a read
 * error, damage) stays absent, and the error shows when the page is pinned. Map pages are pinned for
 * the whole batch before the first page is claimed, for a thread that holds claims waits for nothing
 * but its own reads (load.c). The queue and its requests are made at the first use; one batch at a
 * time is under way for the handle.
 */
#include "pager/pager_private.h"

enum {
    PREFETCH_MAX = 32,  /* Pages at once. */
    PREFETCH_SHARE = 8, /* At most one part in so many of the pool. */
};

struct prefetch_page {
    uint32_t page_number;
    uint32_t frame;
    uint64_t claimed;
    struct pager_pin map;
    struct io_request request;
};

struct prefetch {
    struct io_queue *queue;
    uint32_t limit;  /* Of a batch. */
    uint32_t pinned; /* Pages whose map page is pinned ... */
    uint32_t used;   /* ... and of these the first so many are claimed. */
    struct prefetch_page pages[PREFETCH_MAX];
    struct io_request *submit[PREFETCH_MAX];
};

static enum status
prefetch_open(struct pager *pager)
{
    uint32_t limit = atomic_load(&pager->pool_frames) / PREFETCH_SHARE;
    struct prefetch *prefetch;
    enum status status;

    if (pager->prefetch != NULL)
        return STATUS_OK;
    prefetch = memory_alloc(pager->env.memory, MEMORY_POOL, sizeof(*prefetch));
    if (prefetch == NULL)
        return STATUS_NO_MEMORY;
    prefetch->limit = limit < PREFETCH_MAX ? limit : PREFETCH_MAX;
    status = io_queue_open(pager->env.io, prefetch->limit, &prefetch->queue);
    if (status != STATUS_OK) {
        memory_free(pager->env.memory, MEMORY_POOL, prefetch, sizeof(*prefetch));
        return status;
    }
    pager->prefetch = prefetch;
    return STATUS_OK;
}

void
pager__prefetch_close(struct pager *pager)
{
    if (pager->prefetch == NULL)
        return;
    io_queue_close(pager->prefetch->queue);
    memory_free(pager->env.memory, MEMORY_POOL, pager->prefetch, sizeof(*pager->prefetch));
    pager->prefetch = NULL;
}

static bool
is_wanted(const struct pager *pager, uint32_t page_number)
{
    uint64_t word;

    if (page_number < PAGE_CATALOG_ROOT || page_number >= pager_page_count(pager) ||
        page_is_map(page_number))
        return false;
    word = atomic_load_explicit(&pager->table.words[page_number], memory_order_relaxed);
    return (word & (WORD_FRAME_MASK | WORD_IN_IO)) == 0;
}

/* Notes absent pages with their map pages until the batch is full; returns how many it looked at. */
static uint32_t
pin_maps(struct pager *pager, const uint32_t *page_numbers, uint32_t count)
{
    struct prefetch *prefetch = pager->prefetch;
    uint32_t done = 0;

    CHECK(prefetch->pinned == 0 && prefetch->used == 0);
    while (done < count && prefetch->pinned < prefetch->limit) {
        uint32_t page_number = page_numbers[done++];
        struct prefetch_page *page = &prefetch->pages[prefetch->pinned];

        if (!is_wanted(pager, page_number) ||
            pager_pin(pager, map_page_of(page_number), &page->map) != STATUS_OK)
            continue;
        page->page_number = page_number;
        prefetch->pinned++;
    }
    return done;
}

/* From here on nothing waits until the reads are submitted. */
static void
claim_pages(struct pager *pager)
{
    struct prefetch *prefetch = pager->prefetch;
    uint32_t frame;

    for (uint32_t i = 0; i < prefetch->pinned; i++) {
        struct prefetch_page page = prefetch->pages[i];

        if (pager__frame_take(pager, &frame) != STATUS_OK)
            return;
        page.claimed = pager__word_claim(pager, page.page_number);
        if (page.claimed == 0) {
            pager__frame_give(pager, frame);
            continue;
        }
        page.frame = frame;
        page.request = (struct io_request){
            .op = IO_OP_READ,
            .file = pager->file,
            .bytes = pager__frame_bytes(pager, frame),
            .size = PAGE_SIZE,
            .offset = (uint64_t)page.page_number * PAGE_SIZE,
            .status = STATUS_IO,
        };
        /* Claimed pages move to the front; both entries keep their map pins. */
        prefetch->pages[i] = prefetch->pages[prefetch->used];
        prefetch->pages[prefetch->used] = page;
        prefetch->pages[prefetch->used].request.context = &prefetch->pages[prefetch->used];
        prefetch->submit[prefetch->used] = &prefetch->pages[prefetch->used].request;
        prefetch->used++;
    }
}

static void
settle_page(struct pager *pager, struct prefetch_page *page)
{
    const uint8_t *bytes = pager__frame_bytes(pager, page->frame);
    struct map_entry entry = pager__witness(pager, page->page_number, &page->map);
    enum status status = page->request.status;
    const char *reason;

    if (status == STATUS_OK)
        status = pager__verify_entry(pager, page->page_number, bytes, entry, &reason);
    if (status == STATUS_OK)
        pager__count_read(pager, page->page_number, bytes);
    uint32_t frame = status == STATUS_OK ? page->frame : (uint32_t)WORD_FRAME_NONE;
    bool settled = pager__word_settle(pager, page->page_number, page->claimed, frame);
    if (settled && status == STATUS_OK)
        pager__frame_unpin(pager, page->frame);
    else
        pager__frame_give(pager, page->frame);
}

/* Each page is verified as it arrives, while the others are on their way. Requests that could not be
 * started keep their STATUS_IO. */
static void
read_pages(struct pager *pager)
{
    struct prefetch *prefetch = pager->prefetch;
    struct io_request *done[PREFETCH_MAX];
    uint32_t in_flight = prefetch->used, count = 0;

    if (in_flight == 0)
        return;
    if (io_queue_submit(prefetch->queue, prefetch->submit, in_flight) != STATUS_OK) {
        for (uint32_t i = 0; i < prefetch->used; i++)
            settle_page(pager, &prefetch->pages[i]);
        return;
    }
    while (in_flight > 0) {
        enum status status = io_queue_reap(prefetch->queue, 1, done, in_flight, &count);

        CHECK(status == STATUS_OK && count <= in_flight);
        for (uint32_t i = 0; i < count; i++)
            settle_page(pager, done[i]->context);
        in_flight -= count;
    }
    PAGER_COUNT(pager, page_read_count, prefetch->used);
    pager__thread_page_reads_add(prefetch->used);
}

void
pager_prefetch(struct pager *pager, const uint32_t *page_numbers, uint32_t count)
{
    latch_lock(&pager->prefetch_latch);
    for (uint32_t done = 0; done < count && prefetch_open(pager) == STATUS_OK;) {
        struct prefetch *prefetch = pager->prefetch;

        done += pin_maps(pager, page_numbers + done, count - done);
        claim_pages(pager);
        read_pages(pager);
        for (uint32_t i = 0; i < prefetch->pinned; i++)
            pager_unpin(pager, &prefetch->pages[i].map);
        prefetch->used = prefetch->pinned = 0;
    }
    latch_unlock(&pager->prefetch_latch);
    error_clear();
}
