/*
 * The skip list (Pugh 1990): each entry is in the lists of levels 0 to height - 1, a quarter of those
 * of one level also in the next. Keys that arrive in order are the common case (loads), so the last
 * entry of each level is known and a key past all of them is linked without a search. So is a key in the gap
 * behind the entry inserted last (the finger): rows often come in runs that are ordered in themselves.
 */
#include "kernel/key_map.h"

#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/random.h"

int
key_compare_any(const void *a, size_t a_size, const void *b, size_t b_size)
{
    size_t common = a_size < b_size ? a_size : b_size;
    int order = common > 0 ? memcmp(a, b, common) : 0;

    if (order != 0)
        return order;
    return a_size < b_size ? -1 : a_size > b_size;
}

static uint8_t
draw_height(struct key_map *map)
{
    uint64_t bits = random_mix(++map->random);
    uint8_t height = 1;

    while (height < KEY_MAP_HEIGHT_MAX && (bits & 3) == 0) {
        height++;
        bits >>= 2;
    }
    return height;
}

/*
 * Its links are set when it is linked; what was before, unless nothing, by who finds it (commit.c). Field by
 * field: the compiler clears a whole struct of this size by an instruction that later loads wait for, and the
 * entry's memory is hardly ever in the cache.
 */
static void
init_entry(struct write_entry *entry, uint8_t height, const uint8_t *key, size_t key_size)
{
    entry->key = key;
    entry->value = NULL;
    entry->key_size = (uint32_t)key_size;
    entry->value_size = 0;
    entry->kind = WRITE_NONE;
    entry->height = height;
    entry->leaf = 0;
    entry->before_kind = WRITE_DELETE;
    entry->before_size = 0;
    entry->before = NULL;
    entry->csn = 0;
    entry->chunk_next = NULL;
    entry->older = NULL;
    entry->younger = NULL;
    entry->previous = NULL;
}

struct write_entry *
key_map_entry_new(struct arena *arena, struct key_map *map, const void *key, size_t key_size,
                  size_t value_size)
{
    uint8_t height = draw_height(map);
    size_t size = sizeof(struct write_entry) + height * sizeof(struct write_entry *);
    struct write_entry *entry =
        arena_alloc_raw(arena, size + ((key_size + 7) & ~(size_t)7) + value_size);

    CHECK(key_size > 0 && key_size <= UINT32_MAX);
    if (entry == NULL)
        return NULL;
    uint8_t *copy = (uint8_t *)entry + size;

    memcpy(copy, key, key_size);
    init_entry(entry, height, copy, key_size);
    return entry;
}

static bool
is_before(const struct write_entry *entry, const void *key, size_t key_size, bool or_equal)
{
    int order = key_compare(entry->key, entry->key_size, key, key_size);

    return order < 0 || (order == 0 && or_equal);
}

/* The last entry before the key on each level (NULL: the head), and on level 0 the result. */
static struct write_entry *
search(const struct key_map *map, const void *key, size_t key_size, bool or_equal,
       struct write_entry **before)
{
    struct write_entry *at = NULL;

    for (uint32_t level = KEY_MAP_HEIGHT_MAX; level-- > 0;) {
        struct write_entry *next = at != NULL ? at->next[level] : map->head[level];

        while (next != NULL && is_before(next, key, key_size, or_equal)) {
            at = next;
            next = at->next[level];
        }
        if (before != NULL)
            before[level] = at;
    }
    return at;
}

/* The key is not in the map and would stand right behind the finger, on every level. */
static bool
is_behind_finger(const struct key_map *map, const void *key, size_t key_size)
{
    const struct write_entry *at = map->finger[0];

    return at != NULL && is_before(at, key, key_size, false) &&
           (at->next[0] == NULL || !is_before(at->next[0], key, key_size, true));
}

static void
find_place(const struct key_map *map, const void *key, size_t key_size, struct key_map_place *place)
{
    struct write_entry *last = map->tail[0];

    place->count = map->count;
    place->searched = false;
    if (last == NULL || is_before(last, key, key_size, false))
        memcpy(place->before, map->tail,
               sizeof(place->before)); /* Loads in order need no search. */
    else if (is_behind_finger(map, key, key_size))
        memcpy(place->before, map->finger, sizeof(place->before));
    else {
        place->searched = true;
        (void)search(map, key, key_size, false, place->before);
    }
}

struct write_entry *
key_map_find_place(const struct key_map *map, const void *key, size_t key_size,
                   struct key_map_place *place_out)
{
    find_place(map, key, key_size, place_out);
    struct write_entry *at = place_out->before[0];
    struct write_entry *entry = at != NULL ? at->next[0] : map->head[0];

    if (entry == NULL || key_compare(entry->key, entry->key_size, key, key_size) != 0)
        return NULL;
    return entry;
}

void
key_map_insert_at(struct key_map *map, struct write_entry *entry, const struct key_map_place *place)
{
    CHECK(entry->height > 0 && entry->height <= KEY_MAP_HEIGHT_MAX && place->count == map->count);
    for (uint32_t level = 0; level < entry->height; level++) {
        struct write_entry *before = place->before[level];
        struct write_entry **link = before != NULL ? &before->next[level] : &map->head[level];

        entry->next[level] = *link;
        *link = entry;
        if (entry->next[level] == NULL)
            map->tail[level] = entry;
    }
    memcpy(map->finger, place->before, sizeof(map->finger));
    for (uint32_t level = 0; level < entry->height; level++)
        map->finger[level] = entry;
    entry->previous = place->before[0];
    if (entry->next[0] != NULL) {
        CHECK(!is_before(entry->next[0], entry->key, entry->key_size, true));
        entry->next[0]->previous = entry;
    }
    map->count++;
}

/* Behind the last one. */
static void
append(struct key_map *map, struct write_entry *entry)
{
    entry->previous = map->tail[0];
    for (uint32_t level = 0; level < entry->height; level++) {
        struct write_entry *last = map->tail[level];
        struct write_entry **link = last != NULL ? &last->next[level] : &map->head[level];

        entry->next[level] = NULL;
        *link = entry;
        map->tail[level] = entry;
    }
    map->finger[0] = NULL;
    map->count++;
}

void
key_map_insert(struct key_map *map, struct write_entry *entry)
{
    struct key_map_place place;

    CHECK(entry->height > 0 && entry->height <= KEY_MAP_HEIGHT_MAX);
    if (map->tail[0] == NULL || is_before(map->tail[0], entry->key, entry->key_size, false)) {
        append(map, entry);
        return;
    }

    find_place(map, entry->key, entry->key_size, &place);
    key_map_insert_at(map, entry, &place);
}

void
key_map_clear(struct key_map *map)
{
    *map = (struct key_map){.random = map->random};
}

void
key_map_remove(struct key_map *map, struct write_entry *entry)
{
    struct write_entry *before[KEY_MAP_HEIGHT_MAX];

    CHECK(entry->height > 0 && map->count > 0);
    map->finger[0] = NULL;
    (void)search(map, entry->key, entry->key_size, false, before);
    for (uint32_t level = 0; level < entry->height; level++) {
        struct write_entry **link =
            before[level] != NULL ? &before[level]->next[level] : &map->head[level];

        CHECK(*link == entry);
        *link = entry->next[level];
        if (entry->next[level] == NULL)
            map->tail[level] = before[level];
    }
    if (entry->next[0] != NULL)
        entry->next[0]->previous = entry->previous;
    map->count--;
}

struct write_entry *
key_map_seek(const struct key_map *map, const void *key, size_t key_size, bool after)
{
    if (key_size == 0)
        return map->head[0];
    struct write_entry *at = search(map, key, key_size, after, NULL);

    return at != NULL ? at->next[0] : map->head[0];
}

struct write_entry *
key_map_seek_last(const struct key_map *map, const void *key, size_t key_size, bool before)
{
    if (key_size == 0)
        return map->tail[0];
    return search(map, key, key_size, !before, NULL);
}

struct write_entry *
key_map_find(const struct key_map *map, const void *key, size_t key_size)
{
    struct key_map_place place;

    return key_map_find_place(map, key, key_size, &place);
}
