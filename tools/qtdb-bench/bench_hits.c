/*
 * Bounds of hit rates: bench_hits.h.
 *
 * Belady's choice needs the resident page with the furthest next use: a heap by next use, in which each
 * request leaves an entry. An entry is stale when its page was used since or has left; stale ones are
 * dropped when they come to the top. The pool begins with the pages asked for first, so a page that finds room was
 * there; one whose next use is later than that of all resident pages is read and not kept.
 */
#include "tools/qtdb-bench/bench_hits.h"

#include <stdbool.h>
#include <stdlib.h>

#include "kernel/base/check.h"

enum { NEVER = INT32_MAX };

struct use {
    uint32_t next; /* One more than the index of the page's next request; NEVER: none. */
    uint32_t page;
};

struct heap {
    struct use *list;
    uint64_t count;
};

struct future {
    const struct bench_requests *requests;
    uint32_t *next;    /* By request. */
    uint32_t *current; /* By page: its next use, 0 when it is not resident. */
    struct heap heap;
    uint32_t resident;
    uint64_t hits;
};

static int
compare_counts(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a;
    uint32_t second = *(const uint32_t *)b;

    return (first < second) - (first > second);
}

enum status
bench_hits_fixed(struct memory *memory, const struct bench_requests *requests, uint64_t *out)
{
    size_t size = (size_t)requests->page_count * sizeof(uint32_t);
    uint32_t *counts = memory_alloc(memory, MEMORY_OTHER, size);

    if (counts == NULL)
        return STATUS_NO_MEMORY;
    for (uint64_t i = 0; i < requests->count; i++)
        counts[requests->pages[i]]++;
    qsort(counts, requests->page_count, sizeof(*counts), compare_counts);
    *out = 0;
    for (uint32_t i = 0; i < requests->frames && i < requests->page_count; i++)
        *out += counts[i];
    memory_free(memory, MEMORY_OTHER, counts, size);
    return STATUS_OK;
}

static void
heap_add(struct heap *heap, struct use use)
{
    uint64_t at = heap->count++;

    for (; at > 0 && heap->list[(at - 1) / 2].next < use.next; at = (at - 1) / 2)
        heap->list[at] = heap->list[(at - 1) / 2];
    heap->list[at] = use;
}

static struct use
heap_take(struct heap *heap)
{
    CHECK(heap->count > 0);
    struct use top = heap->list[0];
    struct use last = heap->list[--heap->count];
    uint64_t at = 0;

    for (;;) {
        uint64_t child = 2 * at + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->list[child + 1].next > heap->list[child].next)
            child++;
        if (heap->list[child].next <= last.next)
            break;
        heap->list[at] = heap->list[child];
        at = child;
    }
    heap->list[at] = last;
    return top;
}

static void
note_next_uses(struct future *future)
{
    const struct bench_requests *requests = future->requests;

    for (uint32_t page = 0; page < requests->page_count; page++)
        future->current[page] = NEVER;
    for (uint64_t i = requests->count; i-- > 0;) {
        future->next[i] = future->current[requests->pages[i]];
        future->current[requests->pages[i]] = (uint32_t)i + 1;
    }
    for (uint32_t page = 0; page < requests->page_count; page++)
        future->current[page] = 0;
}

/* The resident page whose next use is furthest away; its entry is at the top of the heap. */
static struct use
furthest(struct future *future)
{
    while (future->current[future->heap.list[0].page] != future->heap.list[0].next)
        (void)heap_take(&future->heap);
    return future->heap.list[0];
}

static void
request(struct future *future, uint64_t index)
{
    uint32_t page = future->requests->pages[index];
    struct use use = {.next = future->next[index], .page = page};

    if (future->current[page] != 0) {
        future->hits++;
    } else if (future->resident < future->requests->frames) {
        future->resident++;
        future->hits++;
    } else {
        struct use victim = furthest(future);

        if (victim.next <= use.next)
            return;
        (void)heap_take(&future->heap);
        future->current[victim.page] = 0;
    }
    future->current[page] = use.next;
    heap_add(&future->heap, use);
}

enum status
bench_hits_future(struct memory *memory, const struct bench_requests *requests, uint64_t *out)
{
    struct future future = {.requests = requests};
    size_t next_size = (size_t)requests->count * sizeof(*future.next);
    size_t current_size = (size_t)requests->page_count * sizeof(*future.current);
    size_t heap_size = (size_t)requests->count * sizeof(*future.heap.list);
    enum status status = STATUS_NO_MEMORY;

    CHECK(requests->count > 0 && requests->count < NEVER && requests->frames > 0);
    future.next = memory_alloc(memory, MEMORY_OTHER, next_size);
    future.current = memory_alloc(memory, MEMORY_OTHER, current_size);
    future.heap.list = memory_alloc(memory, MEMORY_OTHER, heap_size);
    if (future.next != NULL && future.current != NULL && future.heap.list != NULL) {
        note_next_uses(&future);
        for (uint64_t i = 0; i < requests->count; i++)
            request(&future, i);
        *out = future.hits;
        status = STATUS_OK;
    }
    memory_free(memory, MEMORY_OTHER, future.next, next_size);
    memory_free(memory, MEMORY_OTHER, future.current, current_size);
    memory_free(memory, MEMORY_OTHER, future.heap.list, heap_size);
    return status;
}
