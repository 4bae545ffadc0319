/*
 * The buffers of change sets: the table of pages with its hash, scratch pages, record bytes. There is
 * one set of them, because there is one change at a time. They start small and grow between
 * changes, when one said that it lacked room, or will (change_resolve.c): allocated without the commit
 * latch, swapped in under it (P9). They stay as large as the largest change needed; scratch pages are
 * mapped, so that those which no change touched take no memory.
 */
#include "pager/pager_private.h"

enum {
    PAGES_FIRST = 64,
    SCRATCH_FIRST = 8,
    RECORDS_FIRST = 32 * 1024,
    RECORD_SIZE_MAX = PAGE_DELTA_SIZE_MAX + WAL_RECORD_OVERHEAD_MAX,
};

struct buffer_sizes {
    uint32_t pages;
    uint32_t scratch;
    size_t records;
};

struct buffers {
    struct buffer_sizes size;
    struct change_page *pages;
    uint32_t *hash;
    uint8_t *scratch;
    uint8_t *records;
};

/* Twice the number of pages, a power of two. */
static uint32_t
hash_size_of(uint32_t pages)
{
    uint32_t size = 16;

    while (size < 2 * pages)
        size *= 2;
    return size;
}

static void
buffers_free(struct pager *pager, struct buffers *buffers)
{
    struct memory *memory = pager->env.memory;
    struct buffer_sizes size = buffers->size;

    memory_free(memory, MEMORY_POOL, buffers->pages, size.pages * sizeof(*buffers->pages));
    memory_free(memory, MEMORY_POOL, buffers->hash,
                hash_size_of(size.pages) * sizeof(*buffers->hash));
    memory_unmap(memory, MEMORY_POOL, buffers->scratch, (size_t)size.scratch * PAGE_SIZE);
    memory_free(memory, MEMORY_POOL, buffers->records, size.records);
}

static enum status
buffers_new(struct pager *pager, struct buffer_sizes size, struct buffers *out)
{
    struct memory *memory = pager->env.memory;
    uint32_t hash_size = hash_size_of(size.pages);
    void *scratch = NULL;

    *out = (struct buffers){.size = size};
    out->pages = memory_alloc(memory, MEMORY_POOL, size.pages * sizeof(*out->pages));
    out->hash = memory_alloc(memory, MEMORY_POOL, hash_size * sizeof(*out->hash));
    out->records = memory_alloc_raw(memory, MEMORY_POOL, size.records);
    enum status status =
        memory_map(memory, MEMORY_POOL, (size_t)size.scratch * PAGE_SIZE, false, &scratch);

    out->scratch = scratch;
    if (out->pages == NULL || out->hash == NULL || status != STATUS_OK || out->records == NULL) {
        buffers_free(pager, out);
        return STATUS_NO_MEMORY;
    }
    memset(out->hash, 0xff, hash_size * sizeof(*out->hash));
    return STATUS_OK;
}

static struct buffers
buffers_get(const struct pager_change *change)
{
    return (struct buffers){
        .size = {change->capacity, change->scratch_capacity, change->records_capacity},
        .pages = change->pages,
        .hash = change->hash,
        .scratch = change->scratch,
        .records = change->records,
    };
}

static void
buffers_set(struct pager_change *change, const struct buffers *buffers)
{
    __atomic_store_n(&change->capacity, buffers->size.pages, __ATOMIC_RELEASE);
    change->scratch_capacity = buffers->size.scratch;
    change->records_capacity = buffers->size.records;
    change->pages = buffers->pages;
    change->hash = buffers->hash;
    change->hash_size = hash_size_of(buffers->size.pages);
    change->scratch = buffers->scratch;
    change->records = buffers->records;
}

/* Makes the buffers at least as large as `size`. Not under the latch. */
static enum status
buffers_grow(struct pager *pager, struct buffer_sizes size)
{
    struct pager_change *change = &pager->change;
    struct buffers fresh;
    struct buffers old;

    TRY(buffers_new(pager, size, &fresh));
    latch_lock(&pager->commit_latch);
    CHECK(!change->active);
    old = buffers_get(change);
    if (old.size.pages > size.pages || old.size.scratch > size.scratch ||
        old.size.records > size.records) {
        old = fresh; /* Another thread was faster; a want left open asks again. */
    } else {
        buffers_set(change, &fresh);
    }
    latch_unlock(&pager->commit_latch);
    buffers_free(pager, &old);
    return STATUS_OK;
}

/* Twice of what may have been used up, and record bytes for `records_size`. */
static struct buffer_sizes
next_sizes(struct buffer_sizes size, uint32_t limit, size_t records_size)
{
    uint32_t pages_most = limit * CHANGE_ADOPTED_SHARE;

    if (size.pages == 0)
        size = (struct buffer_sizes){PAGES_FIRST, SCRATCH_FIRST, RECORDS_FIRST};
    else if (records_size <= size.records)
        size = (struct buffer_sizes){
            size.pages < pages_most / 2 ? size.pages * 2 : pages_most + PAGES_FIRST,
            size.scratch < limit / 2 ? size.scratch * 2 : limit + PAGES_FIRST, size.records};
    while (size.records < records_size)
        size.records *= 2;
    return size;
}

enum status
pager__change_buffers_grow(struct pager *pager, size_t records_size)
{
    struct buffer_sizes size;

    latch_lock(&pager->commit_latch);
    size = buffers_get(&pager->change).size;
    latch_unlock(&pager->commit_latch);
    return buffers_grow(pager, next_sizes(size, pager_change_limit(pager), records_size));
}

/* Grown by doubling as those of changes are; never past what a change may use. */
static uint32_t
grown(uint32_t size, uint32_t wanted, uint32_t most)
{
    while (size < wanted && size < most)
        size = size < most / 2 ? size * 2 : most;
    return size;
}

enum status
pager__change_buffers_foresee(struct pager *pager, uint32_t pages, uint32_t scratch)
{
    uint32_t limit = pager_change_limit(pager);
    struct buffer_sizes size, wanted;

    latch_lock(&pager->commit_latch);
    size = buffers_get(&pager->change).size;
    latch_unlock(&pager->commit_latch);
    if (size.pages == 0)
        return STATUS_OK; /* The first ones come with the first change. */
    wanted.pages = grown(size.pages, pages, limit * CHANGE_ADOPTED_SHARE + PAGES_FIRST);
    wanted.scratch = grown(size.scratch, scratch, limit + PAGES_FIRST);
    wanted.records = size.records;
    while (wanted.records < (size_t)pages * RECORD_SIZE_MAX)
        wanted.records *= 2;
    if (wanted.pages == size.pages && wanted.scratch == size.scratch &&
        wanted.records == size.records)
        return STATUS_OK;
    return buffers_grow(pager, wanted);
}

void
pager__change_close(struct pager *pager)
{
    struct buffers buffers = buffers_get(&pager->change);

    CHECK(!pager->change.active);
    for (uint32_t index = 0; index < pager->change.pinned_count; index++)
        pager_unpin(pager, &pager->change.pinned[index]);
    pager->change.pinned_count = 0;
    if (buffers.pages != NULL)
        buffers_free(pager, &buffers);
    memset(&pager->change, 0, sizeof(pager->change));
}
