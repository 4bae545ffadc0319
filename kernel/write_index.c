/*
 * A skip list of 100,000 rows costs ten cache misses for a row in the middle, and a load of rows in no order
 * pays them for each. Here a row costs one: entries are numbered in order of arrival, and a table of slots has
 * the number and half of the hash of each, so that it grows without a look at any key. Those that the
 * ordered map does not have yet are the last ones. When order is asked for, they are sorted by the first
 * eight bytes of their keys, side by side in an array, and linked from the first to the last: right behind the
 * one before, where linking needs no search. Where they are more than those linked already, all are linked anew, each
 * behind the last. A look that found nothing is remembered until the table changes: a put looks, and adds.
 *
 * A transaction that writes a row and seeks, again and again, sorts one row each time: it pays a search of
 * the map for each row, as if there were no table.
 */
#include "kernel/write_index.h"

#include "kernel/base/check.h"
#include "kernel/base/checksum.h"
#include "kernel/base/error.h"
#include "kernel/base/random.h"

enum {
    ENTRIES_FIRST = 1024,
    SLOTS_AN_ENTRY = 2,
    SORTED_MIN = 16,
    RADIX_MIN = 256,
    FETCH_AHEAD = 8,
    FETCH_LATER = 8, /* For who goes through them in order next. */
    MAPPED_MIN = 1 << 20,
};

/* A slot: the upper half of the key's hash, and the number of the entry plus one; 0: empty. */
struct write_index {
    struct memory *memory;
    uint64_t *slots; /* SLOTS_AN_ENTRY * capacity of them, a power of two. */
    struct write_entry **entries;
    uint32_t capacity;
    uint32_t count;
    uint32_t linked_count; /* The first ones: in the map. */

    /* The last look for a key that was not there, for who adds it next: it need not look again. */
    struct {
        uint64_t hash;
        uint64_t place; /* The empty slot where that look ended. */
        uint32_t
            count; /* Of the index, then; UINT32_MAX: no look, or it passed slots of that hash. */
    } missed;
};

struct sortable {
    uint64_t prefix; /* The first bytes of the key as a number. */
    struct write_entry *entry;
};

/* ---- Slots -------------------------------------------------------------------------------------- */

static uint64_t
hash_of(const void *key, size_t key_size)
{
    uint64_t number;

    if (key_size != sizeof(number))
        return checksum64(key, key_size, 0);
    memcpy(&number, key, sizeof(number));
    return random_mix(number);
}

static uint64_t
slot_of(uint64_t hash, uint32_t number)
{
    return (hash & UINT64_C(0xffffffff00000000)) | (number + 1);
}

static uint64_t
mask_of(uint32_t capacity)
{
    return (uint64_t)capacity * SLOTS_AN_ENTRY - 1;
}

/* Where a look for the hash begins: told from the half of it that a slot has. */
static uint64_t
place_of(uint64_t hash, uint64_t mask)
{
    return (hash >> 32) & mask;
}

static void
take_slot(uint64_t *slots, uint64_t mask, uint64_t slot)
{
    uint64_t place = place_of(slot, mask);

    while (slots[place] != 0)
        place = (place + 1) & mask;
    slots[place] = slot;
}

/* Memory of megabytes that is read at random is mapped, in huge pages where there are any. Tables are cleared;
 * mapped memory always is. */
static void *
take_memory(struct memory *memory, size_t size, bool cleared)
{
    void *bytes = NULL;

    if (size < MAPPED_MIN)
        return cleared ? memory_alloc(memory, MEMORY_WRITE_SET, size)
                       : memory_alloc_raw(memory, MEMORY_WRITE_SET, size);
    return memory_map(memory, MEMORY_WRITE_SET, size, true, &bytes) == STATUS_OK ? bytes : NULL;
}

static void
free_memory(struct memory *memory, void *bytes, size_t size)
{
    if (size < MAPPED_MIN)
        memory_free(memory, MEMORY_WRITE_SET, bytes, size);
    else
        memory_unmap(memory, MEMORY_WRITE_SET, bytes, size);
}

static size_t
slots_size(uint32_t capacity)
{
    return (mask_of(capacity) + 1) * sizeof(uint64_t);
}

/* Room for `capacity` entries. False: out of memory, and all is as it was. */
static bool
grow(struct write_index *index, uint32_t capacity)
{
    struct memory *memory = index->memory;
    uint64_t mask = mask_of(capacity);
    uint64_t *slots = take_memory(memory, slots_size(capacity), true);
    struct write_entry **entries =
        slots == NULL ? NULL
                      : memory_resize(memory, MEMORY_WRITE_SET, index->entries,
                                      index->capacity * sizeof(struct write_entry *),
                                      (size_t)capacity * sizeof(struct write_entry *));

    if (entries == NULL) {
        free_memory(memory, slots, slots_size(capacity));
        error_clear();
        return false;
    }
    for (uint64_t i = 0; index->capacity > 0 && i <= mask_of(index->capacity); i++)
        if (index->slots[i] != 0)
            take_slot(slots, mask, index->slots[i]);
    if (index->capacity > 0)
        free_memory(memory, index->slots, slots_size(index->capacity));
    index->slots = slots;
    index->entries = entries;
    index->capacity = capacity;
    index->missed.count = UINT32_MAX;
    return true;
}

/* ---- Life --------------------------------------------------------------------------------------- */

struct write_index *
write_index_new(struct memory *memory, const struct key_map *map)
{
    struct write_index *index = memory_alloc(memory, MEMORY_WRITE_SET, sizeof(*index));
    uint32_t capacity = ENTRIES_FIRST;

    while (capacity < UINT32_MAX / 4 && capacity / 2 < map->count)
        capacity *= 2;
    if (index == NULL) {
        error_clear();
        return NULL;
    }
    index->memory = memory;
    if (capacity < map->count || !grow(index, capacity)) {
        memory_free(memory, MEMORY_WRITE_SET, index, sizeof(*index));
        return NULL;
    }
    for (struct write_entry *entry = map->head[0]; entry != NULL; entry = entry->next[0])
        CHECK(write_index_add(index, entry));
    index->linked_count = index->count;
    return index;
}

void
write_index_free(struct write_index *index)
{
    if (index == NULL)
        return;
    free_memory(index->memory, index->slots, slots_size(index->capacity));
    memory_free(index->memory, MEMORY_WRITE_SET, index->entries,
                index->capacity * sizeof(struct write_entry *));
    memory_free(index->memory, MEMORY_WRITE_SET, index, sizeof(*index));
}

struct write_entry *
write_index_find(struct write_index *index, const void *key, size_t key_size)
{
    uint64_t mask = mask_of(index->capacity), hash = hash_of(key, key_size);

    if (hash == index->missed.hash && index->count == index->missed.count)
        return NULL;
    bool alike = false;

    for (uint64_t place = place_of(hash, mask);; place = (place + 1) & mask) {
        uint64_t slot = index->slots[place];

        if (slot == 0) {
            index->missed.hash = hash;
            index->missed.place = place;
            index->missed.count = alike ? UINT32_MAX : index->count;
            return NULL;
        }
        if (slot >> 32 != hash >> 32)
            continue;
        alike = true;
        struct write_entry *entry = index->entries[(uint32_t)slot - 1];

        if (key_compare(entry->key, entry->key_size, key, key_size) == 0)
            return entry;
    }
}

bool
write_index_add(struct write_index *index, struct write_entry *entry)
{
    if (index->count == index->capacity &&
        (index->capacity > UINT32_MAX / 4 || !grow(index, index->capacity * 2)))
        return false;
    uint64_t hash = hash_of(entry->key, entry->key_size);
    uint64_t slot = slot_of(hash, index->count);

    index->entries[index->count] = entry;
    if (hash == index->missed.hash && index->count == index->missed.count)
        index->slots[index->missed.place] = slot;
    else
        take_slot(index->slots, mask_of(index->capacity), slot);
    index->count++;
    return true;
}

uint64_t
write_index_pending(const struct write_index *index)
{
    return index->count - index->linked_count;
}

/* ---- Order -------------------------------------------------------------------------------------- */

static uint64_t
prefix_of(const struct write_entry *entry)
{
    uint8_t bytes[8] = {0};
    uint64_t prefix;

    memcpy(bytes, entry->key, entry->key_size < sizeof(bytes) ? entry->key_size : sizeof(bytes));
    memcpy(&prefix, bytes, sizeof(prefix));
    return __builtin_bswap64(prefix);
}

static bool
is_less(const struct sortable *a, const struct sortable *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix;
    return key_compare(a->entry->key, a->entry->key_size, b->entry->key, b->entry->key_size) < 0;
}

/* Two neighbouring sorted parts, of which the first ends at `middle`, into `to`. */
static void
merge(const struct sortable *from, size_t first, size_t middle, size_t end, struct sortable *to)
{
    size_t left = first, right = middle;

    for (size_t i = first; i < end; i++) {
        bool take_right = left == middle || (right < end && is_less(&from[right], &from[left]));

        to[i] = from[take_right ? right : left];
        right += take_right;
        left += !take_right;
    }
}

/* Merges ever longer parts from one half of the memory into the other. Returns where they end up. */
static struct sortable *
merge_sort(struct sortable *items, struct sortable *other, size_t count)
{
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t first = 0; first < count; first += 2 * width) {
            size_t middle = first + width < count ? first + width : count;
            size_t end = middle + width < count ? middle + width : count;

            if (middle == end || is_less(&items[middle - 1], &items[middle]))
                memcpy(&other[first], &items[first], (end - first) * sizeof(*items));
            else
                merge(items, first, middle, end, other);
        }
        struct sortable *done = other;

        other = items;
        items = done;
    }
    return items;
}

static uint8_t
digit_of(const struct sortable *item, uint32_t digit)
{
    return (uint8_t)(item->prefix >> 8 * digit);
}

/* The bits of prefixes that tell most of so many apart: the highest in which any two differ and those behind, to
 * 256 values for each of them, in whole bytes. */
static uint64_t
telling_bits(const struct sortable *items, size_t count)
{
    uint64_t differing = 0;
    uint32_t wanted = 64 - (uint32_t)__builtin_clzll(count) + 8;

    for (size_t i = 1; i < count; i++)
        differing |= items[i].prefix ^ items[0].prefix;
    if (differing == 0)
        return 0;
    uint32_t end = 64 - (uint32_t)__builtin_clzll(differing);
    uint32_t first = end > wanted ? (end - wanted) / 8 * 8 : 0;

    return UINT64_MAX << first;
}

/* By those bytes of the prefix: a pass for each, the least first. */
static struct sortable *
radix_sort(struct sortable *items, struct sortable *other, size_t count, uint64_t bits)
{
    for (uint32_t digit = 0; digit < 8; digit++) {
        uint32_t counts[256] = {0}, place = 0;

        if ((bits >> 8 * digit & 0xff) == 0)
            continue;
        for (size_t i = 0; i < count; i++)
            counts[digit_of(&items[i], digit)]++;
        if (counts[digit_of(&items[0], digit)] == count)
            continue;
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t here = counts[i];

            counts[i] = place;
            place += here;
        }
        for (size_t i = 0; i < count; i++)
            other[counts[digit_of(&items[i], digit)]++] = items[i];
        struct sortable *done = other;

        other = items;
        items = done;
    }
    return items;
}

/* Keys that are alike in those bytes are told apart by all that they have. */
static const struct sortable *
sort(struct sortable *items, struct sortable *other, size_t count)
{
    if (count < RADIX_MIN)
        return merge_sort(items, other, count);
    uint64_t bits = telling_bits(items, count);
    struct sortable *sorted = radix_sort(items, other, count, bits);

    other = sorted == items ? other : items;
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && ((sorted[end].prefix ^ sorted[i].prefix) & bits) == 0;)
            end++;
        if (end - i == 1)
            continue;
        const struct sortable *alike = merge_sort(sorted + i, other, end - i);

        if (alike == other)
            memcpy(sorted + i, other, (end - i) * sizeof(*sorted));
    }
    return sorted;
}

/* Those from `first` on. */
static void
link_in_order(const struct write_index *index, struct key_map *map, uint32_t first,
              struct sortable *items)
{
    uint32_t count = index->count - first;

    for (uint32_t i = 0; i < count; i++) {
        struct write_entry *entry = index->entries[first + i];

        items[i] = (struct sortable){prefix_of(entry), entry};
    }
    const struct sortable *sorted = sort(items, items + count, count);

    for (uint32_t i = 0; i < count; i++) {
        if (i + FETCH_AHEAD < count) {
            const struct write_entry *ahead = sorted[i + FETCH_AHEAD].entry;

            __builtin_prefetch(ahead, 1);
            __builtin_prefetch(ahead->next, 1); /* Its key is behind them. */
        }
        sorted[i].entry->chunk_next =
            i + FETCH_LATER < count ? sorted[i + FETCH_LATER].entry : NULL;
        key_map_insert(map, sorted[i].entry);
    }
}

void
write_index_settle(struct write_index *index, struct key_map *map)
{
    uint32_t count = index->count - index->linked_count;
    bool anew = count > index->linked_count; /* Each row is then behind the one before. */
    uint32_t first = anew ? 0 : index->linked_count;
    size_t size = 2 * (size_t)(index->count - first) * sizeof(struct sortable);
    struct sortable *items = count < SORTED_MIN ? NULL : take_memory(index->memory, size, false);

    if (items != NULL) {
        CHECK(map->count == index->linked_count);
        if (anew)
            key_map_clear(map);
        link_in_order(index, map, first, items);
        free_memory(index->memory, items, size);
    } else {
        for (uint32_t i = index->linked_count; i < index->count; i++)
            key_map_insert(map, index->entries[i]);
        if (count >= SORTED_MIN)
            error_clear();
    }
    index->linked_count = index->count;
}
