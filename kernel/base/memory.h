/*
 * Allocation: one counted allocator an environment, so that a test can fail the Nth allocation, a
 * leak shows as a count that is not zero, and every part's share of the memory budget can be read.
 *
 * Thread-safe. memory_alloc returns zeroed memory or NULL (and raises STATUS_NO_MEMORY's message);
 * sizes are passed back on free, so no header is kept. Mappings are for the large flat arrays: the
 * page table (reserved, touched lazily) and the pool's frames.
 */
#ifndef KERNEL_BASE_MEMORY_H
#define KERNEL_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/status.h"

enum memory_part {
    MEMORY_OTHER = 0,
    MEMORY_POOL = 1,
    MEMORY_PAGE_TABLE = 2,
    MEMORY_LOG = 3,
    MEMORY_VERSIONS = 4,
    MEMORY_WRITE_SET = 5,
    MEMORY_LOCKS = 6,
    MEMORY_ROUTER = 7,
    MEMORY_SQL = 8,
    MEMORY_PART_COUNT = 9,
};

struct memory;

/** NULL when the system itself has no memory for the allocator. */
struct memory *memory_new(void);

/** CHECKs that nothing is still allocated. NULL is fine. */
void memory_delete(struct memory *memory);

/** `size` > 0; aligned to 16 bytes, zeroed. NULL on refusal. */
void *memory_alloc(struct memory *memory, enum memory_part part, size_t size);

/** The same, but with any bytes: for who writes all of them. */
void *memory_alloc_raw(struct memory *memory, enum memory_part part, size_t size);

/** Aligned to `alignment` (a power of two up to 2 MiB), zeroed. */
void *memory_alloc_aligned(struct memory *memory, enum memory_part part, size_t size,
                           size_t alignment);

/**
 * Grows or shrinks; on refusal returns NULL and `pointer` stays valid. New bytes are zero. NULL of
 * size 0 grows from nothing. Alignment beyond 16 is not kept.
 */
void *memory_resize(struct memory *memory, enum memory_part part, void *pointer, size_t old_size,
                    size_t new_size);

/** `pointer` may be NULL. `size` is what was asked for. */
void memory_free(struct memory *memory, enum memory_part part, void *pointer, size_t size);

/** Reserves `size` zero bytes of address space; `huge` asks for huge pages (a wish). */
MUST_CHECK enum status memory_map(struct memory *memory, enum memory_part part, size_t size,
                                  bool huge, void **out);
void memory_unmap(struct memory *memory, enum memory_part part, void *pointer, size_t size);
/** Gives the pages behind the range back to the system; they read as zero afterwards. */
void memory_map_discard(void *pointer, size_t size);

uint64_t memory_used(const struct memory *memory, enum memory_part part); /* bytes */
uint64_t memory_alloc_count(
    const struct memory *memory);                        /* allocations and maps asked for so far */
uint64_t memory_live_count(const struct memory *memory); /* allocations and maps not yet freed */

/**
 * Fails allocation number `index` (0-based from now; UINT64_MAX: none), and every later one when
 * `for_ever`. For tests of the ordinary build: no #ifdef.
 */
void memory_fail_at(struct memory *memory, uint64_t index, bool for_ever);
/** True once a failure was injected since memory_fail_at. */
bool memory_failed(const struct memory *memory);

/* An arena: allocations that die together. Not thread-safe. */

struct arena {
    struct memory *memory;
    enum memory_part part;
    struct arena_block *head;
    size_t used;       /* In head. */
    size_t total_size; /* Of all blocks, bytes. */
    bool raw;          /* Fixed at init. */
};

void arena_init(struct arena *arena, struct memory *memory, enum memory_part part);
/** For arenas most of whose bytes are asked for by arena_alloc_raw: blocks are not zeroed, pieces of
 * arena_alloc are. */
void arena_init_raw(struct arena *arena, struct memory *memory, enum memory_part part);
/** arena_alloc, but from a raw arena the piece has any bytes: for who writes all of them. */
void *arena_alloc_raw(struct arena *arena, size_t size);
/** Zeroed, 16-byte aligned, NULL on refusal; `size` 0 gives a unique pointer. */
void *arena_alloc(struct arena *arena, size_t size);
/** A NUL-terminated copy. */
char *arena_copy_text(struct arena *arena, const char *text, size_t size);
/** Frees all but keeps one block for reuse. */
void arena_reset(struct arena *arena);
void arena_deinit(struct arena *arena);

#endif
