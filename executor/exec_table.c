/* A hash table of rows: chained buckets that double, entries in order of appearance. */
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

    for (uint32_t i = 0; i < width; i++)
        hash = (hash ^ value_hash(&keys[i])) * 0xff51afd7ed558ccdu ^ hash >> 29;
    return hash ^ hash >> 32;
}

static bool
same_keys(const struct value *left, const struct value *right, uint32_t width)
{
    for (uint32_t i = 0; i < width; i++) {
        if (exec__compare(&left[i], &right[i], false) != 0)
            return false;
    }
    return true;
}

static struct exec__entry *
find(const struct exec__table *table, const struct value *keys, uint64_t hash)
{
    if (table->bucket_count == 0)
        return NULL;
    struct exec__entry *entry = table->buckets[hash % table->bucket_count];
    while (entry != NULL && (entry->hash != hash || !same_keys(entry->keys, keys, table->width)))
        entry = entry->next;
    return entry;
}

struct exec__entry *
exec__table_find(const struct exec__table *table, const struct value *keys)
{
    return find(table, keys, exec__hash_keys(keys, table->width));
}

static enum status
grow(struct exec__table *table)
{
    size_t count = table->bucket_count == 0 ? FIRST_BUCKETS : 4 * table->bucket_count;
    struct exec__entry **buckets = arena_alloc(table->arena, count * sizeof(*buckets));

    if (buckets == NULL)
        return STATUS_NO_MEMORY;
    for (struct exec__entry *entry = table->first; entry != NULL; entry = entry->after) {
        entry->next = buckets[entry->hash % count];
        buckets[entry->hash % count] = entry;
    }
    table->buckets = buckets;
    table->bucket_count = count;
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
    entry->next = table->buckets[hash % table->bucket_count];
    table->buckets[hash % table->bucket_count] = entry;
    if (table->last != NULL)
        table->last->after = entry;
    else
        table->first = entry;
    table->last = entry;
    table->count++;
    *out = entry;
    return STATUS_OK;
}
