/*
 * An ordered map of writes in memory: key -> what was last written. A skip list whose nodes are the
 * entries themselves, so that a transaction's entries can be handed to the version store without
 * an allocation. Keys, values and entries belong to the caller's arena. Not thread-safe.
 */
#ifndef KERNEL_KEY_MAP_H
#define KERNEL_KEY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/base/memory.h"

enum { KEY_MAP_HEIGHT_MAX = 12 };

enum write_kind {
    WRITE_NONE = 0, /* Rolled back to a savepoint before it: as if it were not there. */
    WRITE_PUT = 1,
    WRITE_DELETE = 2,
    WRITE_LARGE = 3, /* A put; the bytes are a struct btree_value (large_value.c). */
    WRITE_PACKED =
        4,           /* A put, once its commit is prepared: le32 size, then the zstd frame of it. */
    WRITE_BELOW = 5, /* As if there were no entry: what was spilled counts (spill.c). */
};

struct write_entry {
    const uint8_t *key;
    const uint8_t *value;
    uint32_t key_size;
    uint32_t value_size;
    enum write_kind kind;
    uint8_t height;
    uint32_t leaf; /* Where a put of the key looks first; 0: not known. */

    /* For the version store (versions.c). */
    enum write_kind
        before_kind; /* WRITE_PUT, WRITE_LARGE: `before` is the row before; WRITE_DELETE: none was. */
    uint32_t before_size;
    const uint8_t *before;
    uint64_t csn;
    /* Next of the same commit; before, an entry some rows behind in order, or NULL: a place to fetch from. */
    struct write_entry *chunk_next;
    struct write_entry *older; /* Of the same key. */
    struct write_entry *younger;

    struct write_entry *previous;
    struct write_entry *next[]; /* `height` of them. */
};

struct key_map {
    struct write_entry *head[KEY_MAP_HEIGHT_MAX];
    struct write_entry *tail[KEY_MAP_HEIGHT_MAX]; /* The last entry on each level. */
    /* On each level the last entry up to the one that was inserted last, NULL: the head; on level 0 NULL: none is
     * known. */
    struct write_entry *finger[KEY_MAP_HEIGHT_MAX];
    uint64_t count;
    uint64_t random; /* State for heights. */
};

/** A fresh entry for the key (copied into the arena), in no map, with `value_size` bytes of room for its value behind
 * it (key_map_entry_room). NULL: out of memory. */
struct write_entry *key_map_entry_new(struct arena *arena, struct key_map *map, const void *key,
                                      size_t key_size, size_t value_size);
/** Where that room is; aligned to 8 bytes. */
static inline uint8_t *
key_map_entry_room(const struct write_entry *entry)
{
    return (uint8_t *)(uintptr_t)entry->key + ((entry->key_size + 7) & ~(size_t)7);
}
/** Lets go of all entries; they may be inserted again. */
void key_map_clear(struct key_map *map);
/* Where a key is or would be, until the map is changed. */
struct key_map_place {
    uint64_t count;                                 /* Of the map, then. */
    bool searched;                                  /* It took a search from the top. */
    struct write_entry *before[KEY_MAP_HEIGHT_MAX]; /* The last entry before it on each level. */
};
/** key_map_find, which says where the key belongs. */
struct write_entry *key_map_find_place(const struct key_map *map, const void *key, size_t key_size,
                                       struct key_map_place *place_out);
/** Links the entry, whose key is not in the map. */
void key_map_insert(struct key_map *map, struct write_entry *entry);
/** The same at the place of its key. */
void key_map_insert_at(struct key_map *map, struct write_entry *entry,
                       const struct key_map_place *place);
void key_map_remove(struct key_map *map, struct write_entry *entry);
/** The entry of exactly this key, or NULL. */
struct write_entry *key_map_find(const struct key_map *map, const void *key, size_t key_size);
/** First entry with key >= `key`, or > `key` when `after`; size 0: the first of all. NULL: none. */
struct write_entry *key_map_seek(const struct key_map *map, const void *key, size_t key_size,
                                 bool after);
/** Last entry with key <= `key`, or < `key` when `before`; size 0: the last of all. */
struct write_entry *key_map_seek_last(const struct key_map *map, const void *key, size_t key_size,
                                      bool before);

/** memcmp order, the shorter of two equal beginnings first. */
int key_compare_any(const void *a, size_t a_size, const void *b, size_t b_size);

/** The same; keys of 8 bytes, which most are, as two numbers. */
static inline int
key_compare(const void *a, size_t a_size, const void *b, size_t b_size)
{
    uint64_t a_number, b_number;

    if (a_size != sizeof(a_number) || b_size != sizeof(b_number))
        return key_compare_any(a, a_size, b, b_size);
    memcpy(&a_number, a, sizeof(a_number));
    memcpy(&b_number, b, sizeof(b_number));
    a_number = __builtin_bswap64(a_number);
    b_number = __builtin_bswap64(b_number);
    return (a_number > b_number) - (a_number < b_number);
}

#endif
