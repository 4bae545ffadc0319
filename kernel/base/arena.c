/*
 * Arenas: a list of blocks, the newest in front and the only one with room to give. Blocks double
 * from 4 KB to 1 MB, so the number of allocations grows with the logarithm of what is used. A piece
 * that would waste a good part of the front block gets a block of its own, behind it.
 *
 * Memory handed out is zero: blocks come zeroed, and reset clears what was used of the one it
 * keeps. Only a block of ordinary size is kept, so one large statement does not hold its memory for as
 * long as the session lives.
 *
 * Write sets and locks of loads are megabytes a transaction that are written once: zeroed a block at a
 * time, they would go through the caches twice. So raw arenas zero single pieces, as they are asked for,
 * and those of arena_alloc_raw not at all. Past MAPPED_MIN their blocks are single huge pages: one fault instead of
 * 512, and rows that are read in another order than they were written in miss no translations.
 */
#include "kernel/base/memory.h"

#include <assert.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"

enum {
    ALIGNMENT = 16,
    BLOCK_SIZE_MIN = 4096,
    BLOCK_SIZE_MAX = 1 << 20,
    MAPPED_SIZE = 2 << 20,
    MAPPED_MIN = 2 << 20, /* Bytes of an arena from which on blocks are mapped. */
};

/* The bytes follow; the fields keep them aligned. */
struct arena_block {
    struct arena_block *next;
    size_t size; /* Of the whole block, this header included. */
    uint64_t mapped;
    uint64_t unused;
};
static_assert(sizeof(struct arena_block) % ALIGNMENT == 0, "bytes behind the header are aligned");

static uint8_t *
block_bytes(struct arena_block *block)
{
    return (uint8_t *)(block + 1);
}

static size_t
block_room(const struct arena *arena)
{
    if (arena->head == NULL)
        return 0;
    size_t capacity = arena->head->size - sizeof(struct arena_block);
    CHECK(arena->used <= capacity);
    return capacity - arena->used;
}

static void
block_free(struct arena *arena, struct arena_block *block)
{
    CHECK(arena->total_size >= block->size);
    arena->total_size -= block->size;
    if (block->mapped != 0)
        memory_unmap(arena->memory, arena->part, block, block->size);
    else
        memory_free(arena->memory, arena->part, block, block->size);
}

static struct arena_block *
block_new(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->raw ? memory_alloc_raw(arena->memory, arena->part, size)
                                           : memory_alloc(arena->memory, arena->part, size);

    if (block == NULL)
        return NULL;
    block->size = size;
    block->mapped = 0;
    arena->total_size += size;
    return block;
}

/* A huge page, where the system has them. */
static struct arena_block *
block_map(struct arena *arena)
{
    void *bytes = NULL;

    if (memory_map(arena->memory, arena->part, MAPPED_SIZE, true, &bytes) != STATUS_OK)
        return NULL;
    struct arena_block *block = bytes;

    block->size = MAPPED_SIZE;
    block->mapped = 1;
    arena->total_size += MAPPED_SIZE;
    return block;
}

/* A block for one large piece, behind the front block, whose room stays in use. */
static void *
alloc_apart(struct arena *arena, size_t size)
{
    struct arena_block *block = block_new(arena, size + sizeof(struct arena_block));

    if (block == NULL)
        return NULL;
    block->next = arena->head->next;
    arena->head->next = block;
    return block_bytes(block);
}

static bool
push_front(struct arena *arena, size_t size)
{
    size_t block_size = BLOCK_SIZE_MIN;

    while (block_size < BLOCK_SIZE_MAX && block_size <= arena->total_size)
        block_size *= 2;
    if (block_size < size + sizeof(struct arena_block))
        block_size = size + sizeof(struct arena_block);
    bool mapped = arena->raw && arena->total_size >= MAPPED_MIN && block_size <= BLOCK_SIZE_MAX;
    struct arena_block *block = mapped ? block_map(arena) : block_new(arena, block_size);
    if (block == NULL)
        return false;
    block->next = arena->head;
    arena->head = block;
    arena->used = 0;
    return true;
}

void
arena_init(struct arena *arena, struct memory *memory, enum memory_part part)
{
    *arena = (struct arena){.memory = memory, .part = part};
}

void
arena_init_raw(struct arena *arena, struct memory *memory, enum memory_part part)
{
    *arena = (struct arena){.memory = memory, .part = part, .raw = true};
}

void *
arena_alloc_raw(struct arena *arena, size_t size)
{
    /* Such a size is refused by the allocator itself; here it must only not wrap. */
    if (size > SIZE_MAX / 2)
        return memory_alloc(arena->memory, arena->part, size);
    if (size == 0)
        size = 1;
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);

    if (size > block_room(arena)) {
        if (arena->head != NULL && size > BLOCK_SIZE_MAX / 4)
            return alloc_apart(arena, size);
        if (!push_front(arena, size))
            return NULL;
    }
    void *result = block_bytes(arena->head) + arena->used;
    arena->used += size;
    return result;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
    void *piece = arena_alloc_raw(arena, size);

    if (piece != NULL && arena->raw)
        memset(piece, 0, size);
    return piece;
}

char *
arena_copy_text(struct arena *arena, const char *text, size_t size)
{
    CHECK(size < SIZE_MAX);
    char *copy = arena_alloc(arena, size + 1);

    if (copy != NULL && size > 0)
        memcpy(copy, text, size);
    return copy;
}

void
arena_reset(struct arena *arena)
{
    struct arena_block *kept = arena->head;

    if (kept == NULL || (arena->used == 0 && kept->next == NULL))
        return;
    struct arena_block *block = kept->next;
    kept->next = NULL;
    while (block != NULL) {
        struct arena_block *next = block->next;

        block_free(arena, block);
        block = next;
    }
    if (!arena->raw)
        memset(block_bytes(kept), 0, arena->used);
    arena->used = 0;
    if (kept->size > BLOCK_SIZE_MAX) {
        arena->head = NULL;
        block_free(arena, kept);
    }
}

void
arena_deinit(struct arena *arena)
{
    arena_reset(arena);
    if (arena->head != NULL)
        block_free(arena, arena->head);
    CHECK(arena->total_size == 0);
    arena->head = NULL;
}
