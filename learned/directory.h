/*
 * The directory of leaves: for each leaf of one tree, in key order, its low fence as an unsigned
 * 64-bit number and its page number. A router predicts positions in it; it says which leaf is meant.
 *
 * Two flat arrays, 12 bytes a leaf: a look-up touches one or two cache lines of keys and one of page
 * numbers. A directory is filled once, then only grows at its right edge, within the room reserved
 * for that, so readers need no lock: the count is published after the entry. A split elsewhere does
 * not change it; the next directory has it.
 *
 * Keys may be equal (long runs of one secondary key), never descending. A key below the first entry
 * belongs to the first leaf, whose low fence is the beginning of the tree.
 */
#ifndef LEARNED_DIRECTORY_H
#define LEARNED_DIRECTORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/memory.h"
#include "kernel/base/status.h"

/** No leaf has this position. */
#define LEAF_NONE UINT32_MAX

/* A bound of one directory, 2^31 leaves (8 TiB of them), so that positions and steps never wrap. */
#define LEAF_COUNT_MAX (UINT32_C(1) << 31)

struct leaf_directory {
    /* Fixed at init. */
    struct memory *memory;
    uint64_t *keys;
    uint32_t *pages;
    uint32_t capacity; /* Entries both arrays have room for. */
    /* Written by the one writer, read by all. */
    _Atomic uint32_t count;
};

/** Room for `capacity` leaves (1 to LEAF_COUNT_MAX, else STATUS_INVALID), none in it; STATUS_NO_MEMORY
 * leaves nothing to deinit. `memory` is borrowed. */
MUST_CHECK enum status leaf_directory_init(struct leaf_directory *directory, struct memory *memory,
                                           uint32_t capacity);

/** No reader may be left. A directory of zero bytes is fine. */
void leaf_directory_deinit(struct leaf_directory *directory);

/**
 * Adds the leaf right of all others: one writer, beside any readers. STATUS_FULL without room: build
 * a new directory. STATUS_INVALID when `key` is below the last one. Nothing changes on an error.
 */
MUST_CHECK enum status leaf_directory_append(struct leaf_directory *directory, uint64_t key,
                                             uint32_t page);

/** Leaves published so far. Any thread. */
static inline uint32_t
leaf_directory_count(const struct leaf_directory *directory)
{
    return atomic_load_explicit(&directory->count, memory_order_acquire);
}

/** The right position for `key` in the first `count` entries, by binary search: the last entry not
 * above it, 0 if there is none; LEAF_NONE when `count` is 0. What routers are compared with. */
uint32_t leaf_directory_search(const struct leaf_directory *directory, uint32_t count,
                               uint64_t key);

/** Bytes of memory in use. */
size_t leaf_directory_size(const struct leaf_directory *directory);

/**
 * The directory as bytes, for a file: 2 to 9 bytes a leaf where pages follow each other. Returns the
 * bytes needed; writes them when `size` is at least that, else nothing (`out` may be NULL).
 */
size_t leaf_directory_encode(const struct leaf_directory *directory, void *out, size_t size);

/**
 * Reads what encode wrote, with room for `spare` leaves more. Hostile bytes are fine: STATUS_CORRUPT
 * unless they are exactly one directory, its keys in order; STATUS_VERSION for another format;
 * STATUS_NO_MEMORY. Never allocates more than 12 bytes for each byte given, and the spare room. Page
 * numbers are not judged: whoever reads the page finds out.
 */
MUST_CHECK enum status leaf_directory_decode(struct leaf_directory *directory,
                                             struct memory *memory, const void *bytes, size_t size,
                                             uint32_t spare);

#endif
