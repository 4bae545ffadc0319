/*
 * Chunks and views: the bytes of one file in one version, shared copy-on-write.
 *
 * A view is an array of chunk pointers with a reference count; so is each chunk. Copying a disk
 * takes a reference a file; changing one file of the copy copies that file's pointers; changing a
 * chunk copies 4,096 bytes. A view's sum adds a mix of each chunk's hash and place, so that it can
 * be brought up to date from the view it was copied from by looking only at chunks that differ.
 */
#include <string.h>

#include "kernel/base/bytes.h"
#include "kernel/base/check.h"
#include "kernel/base/checksum.h"
#include "kernel/base/io_sim_private.h"

enum { HASH_NONE = 0, HASH_ZERO = 1, CAPACITY_SMALLEST = 8 };

struct sim_chunk *
io_sim__chunk_ref(struct sim_chunk *chunk)
{
    if (chunk != NULL && !chunk->shared_zero)
        atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);
    return chunk;
}

void
io_sim__chunk_unref(struct sim_family *family, struct sim_chunk *chunk)
{
    if (chunk == NULL || chunk->shared_zero)
        return;
    if (atomic_fetch_sub_explicit(&chunk->refs, 1, memory_order_acq_rel) == 1)
        io_sim__pool_free(family, chunk, sizeof(*chunk));
}

bool
io_sim__chunk_is_own(struct sim_chunk *chunk)
{
    return chunk != NULL && !chunk->shared_zero &&
           atomic_load_explicit(&chunk->refs, memory_order_acquire) == 1;
}

/* The first word tells most chunks apart from zeros without looking further. */
static bool
is_zero_chunk(const void *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return word == 0 && bytes_are_zero(bytes, SIM_CHUNK_SIZE);
}

struct sim_chunk *
io_sim__chunk_make(struct sim_family *family, const struct sim_chunk *base, size_t from, size_t to,
                   const void *bytes)
{
    CHECK(from <= to && to <= SIM_CHUNK_SIZE);
    if (from == 0 && to == SIM_CHUNK_SIZE && is_zero_chunk(bytes))
        return &family->zero;
    struct sim_chunk *chunk = io_sim__pool_alloc(family, sizeof(*chunk));

    if (chunk == NULL)
        return NULL;
    atomic_init(&chunk->refs, 1);
    atomic_init(&chunk->hash, HASH_NONE);
    chunk->shared_zero = false;
    if (base == NULL) {
        memset(chunk->bytes, 0, from);
        memset(chunk->bytes + to, 0, SIM_CHUNK_SIZE - to);
    } else {
        memcpy(chunk->bytes, base->bytes, from);
        memcpy(chunk->bytes + to, base->bytes + to, SIM_CHUNK_SIZE - to);
    }
    memcpy(chunk->bytes + from, bytes, to - from);
    return chunk;
}

static uint64_t
chunk_hash(struct sim_chunk *chunk)
{
    uint64_t hash = atomic_load_explicit(&chunk->hash, memory_order_relaxed);

    if (hash != HASH_NONE)
        return hash;
    hash = is_zero_chunk(chunk->bytes) ? HASH_ZERO : checksum64(chunk->bytes, SIM_CHUNK_SIZE, 0);
    if (hash == HASH_NONE)
        hash = HASH_ZERO + 1;
    atomic_store_explicit(&chunk->hash, hash, memory_order_relaxed);
    return hash;
}

/* What the chunk adds to its view's sum; zeros add nothing, so that a hole equals them. */
static uint64_t
chunk_share(struct sim_chunk *chunk, uint64_t index)
{
    if (chunk == NULL)
        return 0;
    uint64_t hash = chunk_hash(chunk);

    return hash == HASH_ZERO ? 0 : checksum_seed(hash, index);
}

static size_t
view_bytes(uint64_t capacity)
{
    return sizeof(struct sim_view) + capacity * sizeof(struct sim_chunk *);
}

static struct sim_view *
view_alloc(struct sim_family *family, uint64_t capacity)
{
    struct sim_view *view = io_sim__pool_alloc(family, view_bytes(capacity));

    if (view == NULL)
        return NULL;
    memset(view, 0, sizeof(*view));
    atomic_init(&view->refs, 1);
    view->capacity = capacity;
    return view;
}

struct sim_view *
io_sim__view_new(struct sim_family *family)
{
    struct sim_view *view = view_alloc(family, 0);

    if (view != NULL)
        view->summed = true;
    return view;
}

struct sim_view *
io_sim__view_ref(struct sim_view *view)
{
    atomic_fetch_add_explicit(&view->refs, 1, memory_order_relaxed);
    return view;
}

void
io_sim__view_unref(struct sim_family *family, struct sim_view *view)
{
    if (view == NULL || atomic_fetch_sub_explicit(&view->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint64_t index = 0; index < view->count; index++)
        io_sim__chunk_unref(family, view->chunks[index]);
    io_sim__pool_free(family, view, view_bytes(view->capacity));
}

enum status
io_sim__view_own(struct sim_family *family, struct sim_view **view, uint64_t count)
{
    struct sim_view *old = *view;
    bool own = atomic_load_explicit(&old->refs, memory_order_acquire) == 1;
    uint64_t capacity = old->capacity;

    if (own && count <= capacity) {
        old->summed = false;
        return STATUS_OK;
    }
    if (count > capacity)
        capacity = count + count / 2 + CAPACITY_SMALLEST;
    struct sim_view *copy = view_alloc(family, capacity);

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    copy->size = old->size;
    copy->allocated = old->allocated;
    copy->count = old->count;
    if (old->count > 0)
        memcpy(copy->chunks, old->chunks, old->count * sizeof(struct sim_chunk *));
    if (own) {
        io_sim__pool_free(family, old, view_bytes(old->capacity));
    } else {
        for (uint64_t index = 0; index < copy->count; index++)
            (void)io_sim__chunk_ref(copy->chunks[index]);
        io_sim__view_unref(family, old);
    }
    *view = copy;
    return STATUS_OK;
}

void
io_sim__view_put(struct sim_family *family, struct sim_view *view, uint64_t index,
                 struct sim_chunk *chunk)
{
    CHECK(index < view->capacity);
    while (view->count <= index)
        view->chunks[view->count++] = NULL;
    struct sim_chunk *old = view->chunks[index];

    view->allocated += (uint64_t)(chunk != NULL);
    view->allocated -= (uint64_t)(old != NULL);
    view->chunks[index] = chunk;
    io_sim__chunk_unref(family, old);
}

struct sim_chunk *
io_sim__view_chunk(const struct sim_view *view, uint64_t index)
{
    return index < view->count ? view->chunks[index] : NULL;
}

/* Copies the chosen sectors, clipped to [from, to). */
static void
copy_sectors(uint8_t *to_bytes, const uint8_t *from_bytes, uint32_t mask, size_t from, size_t to)
{
    for (size_t sector = 0; sector < SIM_CHUNK_SECTORS; sector++) {
        size_t start = sector * IO_SECTOR_SIZE;
        size_t end = start + IO_SECTOR_SIZE;

        if ((mask >> sector & 1) == 0)
            continue;
        if (start < from)
            start = from;
        if (end > to)
            end = to;
        if (start < end)
            memcpy(to_bytes + start, from_bytes + start, end - start);
    }
}

enum status
io_sim__view_lay(struct sim_family *family, struct sim_view **view, uint64_t index,
                 struct sim_chunk *chunk, uint32_t mask, size_t from, size_t to)
{
    CHECK(chunk != NULL);
    if (mask == 0 || io_sim__view_chunk(*view, index) == chunk)
        return STATUS_OK;
    TRY(io_sim__view_own(family, view, index + 1));
    if (mask == SIM_MASK_ALL && from == 0 && to == SIM_CHUNK_SIZE) {
        io_sim__view_put(family, *view, index, io_sim__chunk_ref(chunk));
        return STATUS_OK;
    }
    struct sim_chunk *base = io_sim__view_chunk(*view, index);

    if (!io_sim__chunk_is_own(base)) {
        const uint8_t *bytes = base == NULL ? family->zero.bytes : base->bytes;

        base = io_sim__chunk_make(family, NULL, 0, 0, bytes);
        if (base == NULL)
            return STATUS_NO_MEMORY;
        memcpy(base->bytes, bytes, SIM_CHUNK_SIZE);
        io_sim__view_put(family, *view, index, base);
    }
    atomic_store_explicit(&base->hash, HASH_NONE, memory_order_relaxed);
    copy_sectors(base->bytes, chunk->bytes, mask, from, to);
    return STATUS_OK;
}

enum status
io_sim__view_resize(struct sim_family *family, struct sim_view **view, uint64_t size)
{
    uint64_t whole = size / SIM_CHUNK_SIZE;
    size_t part = size % SIM_CHUNK_SIZE;
    struct sim_chunk *old = part == 0 ? NULL : io_sim__view_chunk(*view, whole);
    bool tail_is_clean = old == NULL || bytes_are_zero(old->bytes + part, SIM_CHUNK_SIZE - part);

    if (old != NULL)
        whole++;
    if ((*view)->size == size && (*view)->count <= whole && tail_is_clean)
        return STATUS_OK;
    TRY(io_sim__view_own(family, view, 0));
    if (!tail_is_clean) {
        struct sim_chunk *tail = io_sim__chunk_make(family, NULL, 0, part, old->bytes);

        if (tail == NULL)
            return STATUS_NO_MEMORY;
        io_sim__view_put(family, *view, whole - 1, tail);
    }
    /* From here on nothing may fail. */
    for (uint64_t index = whole; index < (*view)->count; index++)
        io_sim__view_put(family, *view, index, NULL);
    if ((*view)->count > whole)
        (*view)->count = whole;
    (*view)->size = size;
    return STATUS_OK;
}

enum status
io_sim__view_reserve(struct sim_family *family, struct sim_view **view, uint64_t first,
                     uint64_t last)
{
    if (first >= last)
        return STATUS_OK;
    TRY(io_sim__view_own(family, view, last));
    for (uint64_t index = first; index < last; index++) {
        if (io_sim__view_chunk(*view, index) == NULL)
            io_sim__view_put(family, *view, index, &family->zero);
    }
    return STATUS_OK;
}

void
io_sim__view_read(const struct sim_view *view, uint64_t offset, void *bytes, size_t size)
{
    uint8_t *out = bytes;

    while (size > 0) {
        size_t from = offset % SIM_CHUNK_SIZE;
        size_t part = SIM_CHUNK_SIZE - from;
        const struct sim_chunk *chunk = io_sim__view_chunk(view, offset / SIM_CHUNK_SIZE);

        if (part > size)
            part = size;
        if (chunk == NULL)
            memset(out, 0, part);
        else
            memcpy(out, chunk->bytes + from, part);
        out += part;
        offset += part;
        size -= part;
    }
}

void
io_sim__view_sum(struct sim_view *view, const struct sim_view *base)
{
    uint64_t sum = base == NULL ? 0 : base->sum;
    uint64_t count = view->count;

    if (view->summed)
        return;
    if (base != NULL && base->count > count)
        count = base->count;
    for (uint64_t index = 0; index < count; index++) {
        struct sim_chunk *now = io_sim__view_chunk(view, index);
        struct sim_chunk *before = base == NULL ? NULL : io_sim__view_chunk(base, index);

        if (now != before)
            sum += chunk_share(now, index) - chunk_share(before, index);
    }
    view->sum = sum;
    view->summed = true;
}
