/*
 * A hash table of rows: chained buckets, entries in order of appearance. Beside each bucket 16 bits say
 * which of 16 values of four other bits of the hash are in it: they stay in the cache where the entries do
 * not, and tell most keys that are not there.
 */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

enum { FIRST_BUCKETS = 64 };

void
exec__table_init(struct exec__table *table, struct arena *arena, uint32_t width)
{
    *table = (struct exec__table){.arena = arena, .width = width};
}

uint64_t
exec__hash_keys(const struct value *keys, uint32_t width)
{
    uint64_t hash = 0x9e3779b97f4a7c15u;

    for (uint32_t i = 0; i < width; i++) {
        const struct value *key = &keys[i];
        uint64_t own = !key->null && value_type_is_integer(key->type)
                           ? value_hash_word((uint64_t)key->integer)
                           : value_hash(key);

        hash = (hash ^ own) * 0xff51afd7ed558ccdu ^ hash >> 29;
    }
    return hash ^ hash >> 32;
}

static inline bool
same_key(const struct value *left, const struct value *right)
{
    if (left->null || right->null)
        return left->null && right->null;
    return value_type_is_integer(left->type) ? left->integer == right->integer
                                             : value_compare(left, right) == 0;
}

static bool
same_keys(const struct value *left, const struct value *right, uint32_t width)
{
    for (uint32_t i = 0; i < width; i++) {
        if (!same_key(&left[i], &right[i]))
            return false;
    }
    return true;
}

static inline uint16_t
mark_of(uint64_t hash)
{
    return (uint16_t)(1u << (hash >> 60));
}

static struct exec__entry *
find(const struct exec__table *table, const struct value *keys, uint64_t hash)
{
    size_t bucket = hash & (table->bucket_count - 1);

    if (table->bucket_count == 0 || (table->marks[bucket] & mark_of(hash)) == 0)
        return NULL;
    struct exec__entry *entry = table->buckets[bucket];
    while (entry != NULL && (entry->hash != hash || !same_keys(entry->keys, keys, table->width)))
        entry = entry->next;
    return entry;
}

struct exec__entry *
exec__table_find(const struct exec__table *table, const struct value *keys)
{
    return find(table, keys, exec__hash_keys(keys, table->width));
}

static void
put_in_bucket(struct exec__table *table, struct exec__entry *entry)
{
    size_t bucket = entry->hash & (table->bucket_count - 1);

    entry->next = table->buckets[bucket];
    table->buckets[bucket] = entry;
    table->marks[bucket] |= mark_of(entry->hash);
}

static enum status
grow(struct exec__table *table)
{
    size_t count = table->bucket_count == 0 ? FIRST_BUCKETS : 4 * table->bucket_count;
    struct exec__entry **buckets = arena_alloc(table->arena, count * sizeof(*buckets));

    uint16_t *marks = arena_alloc(table->arena, count * sizeof(*marks));

    if (buckets == NULL || marks == NULL)
        return STATUS_NO_MEMORY;
    table->buckets = buckets;
    table->marks = marks;
    table->bucket_count = count;
    for (struct exec__entry *entry = table->first; entry != NULL; entry = entry->after)
        put_in_bucket(table, entry);
    return STATUS_OK;
}

enum status
exec__table_get(struct exec__table *table, const struct value *keys, struct exec__entry **out,
                bool *is_new_out)
{
    uint64_t hash = exec__hash_keys(keys, table->width);
    struct exec__entry *entry = find(table, keys, hash);

    *is_new_out = entry == NULL;
    if (entry != NULL) {
        *out = entry;
        return STATUS_OK;
    }
    if (table->count >= table->bucket_count)
        TRY(grow(table));
    entry = arena_alloc(table->arena, sizeof(*entry));
    if (entry == NULL)
        return STATUS_NO_MEMORY;
    TRY(exec__keep_row(keys, table->width, table->arena, &entry->keys));
    entry->hash = hash;
    put_in_bucket(table, entry);
    if (table->last != NULL)
        table->last->after = entry;
    else
        table->first = entry;
    table->last = entry;
    table->count++;
    *out = entry;
    return STATUS_OK;
}
