/*
 * Open addressing in 64 parts, each with its own latch; a part doubles when it is three quarters
 * full. The upper bits of a hash choose the part, the lower ones the place in it. 0 marks an empty
 * place, so that a hash of 0 is kept as 1.
 */
#include "tools/qtdb-crash/crash_set.h"

#include "kernel/base/sync.h"
#include "tools/qtdb-crash/crash.h"

enum { PART_BITS = 6, PART_COUNT = 1 << PART_BITS, PART_CAPACITY_MIN = 1024 };

struct part {
    _Alignas(64) struct latch latch;
    uint64_t *hashes;
    uint64_t capacity; /* A power of two. */
    uint64_t used;
};

struct crash_set {
    struct memory *memory;
    struct part parts[PART_COUNT];
};

struct crash_set *
crash_set_new(struct memory *memory)
{
    struct crash_set *set = memory_alloc_aligned(memory, MEMORY_OTHER, sizeof(*set), 64);

    CHECK(set != NULL);
    set->memory = memory;
    for (uint32_t index = 0; index < PART_COUNT; index++) {
        set->parts[index].capacity = PART_CAPACITY_MIN;
        set->parts[index].hashes = crash_alloc(memory, PART_CAPACITY_MIN * sizeof(uint64_t));
    }
    return set;
}

void
crash_set_delete(struct crash_set *set)
{
    if (set == NULL)
        return;
    for (uint32_t index = 0; index < PART_COUNT; index++) {
        struct part *part = &set->parts[index];

        crash_free(set->memory, part->hashes, part->capacity * sizeof(uint64_t));
    }
    memory_free(set->memory, MEMORY_OTHER, set, sizeof(*set));
}

/* Where the hash is, or would be. */
static uint64_t *
place_of(uint64_t *hashes, uint64_t capacity, uint64_t hash)
{
    uint64_t at = hash & (capacity - 1);

    while (hashes[at] != 0 && hashes[at] != hash)
        at = (at + 1) & (capacity - 1);
    return &hashes[at];
}

static void
part_grow(struct crash_set *set, struct part *part)
{
    uint64_t capacity = part->capacity * 2;
    uint64_t *hashes = crash_alloc(set->memory, capacity * sizeof(uint64_t));

    for (uint64_t at = 0; at < part->capacity; at++) {
        if (part->hashes[at] != 0)
            *place_of(hashes, capacity, part->hashes[at]) = part->hashes[at];
    }
    crash_free(set->memory, part->hashes, part->capacity * sizeof(uint64_t));
    part->hashes = hashes;
    part->capacity = capacity;
}

bool
crash_set_add(struct crash_set *set, uint64_t hash)
{
    struct part *part = &set->parts[hash >> (64 - PART_BITS)];
    bool is_new;

    if (hash == 0)
        hash = 1;
    latch_lock(&part->latch);
    uint64_t *place = place_of(part->hashes, part->capacity, hash);

    is_new = *place == 0;
    if (is_new) {
        *place = hash;
        part->used++;
        if (part->used * 4 > part->capacity * 3)
            part_grow(set, part);
    }
    latch_unlock(&part->latch);
    return is_new;
}

uint64_t
crash_set_count(struct crash_set *set)
{
    uint64_t count = 0;

    for (uint32_t index = 0; index < PART_COUNT; index++) {
        latch_lock(&set->parts[index].latch);
        count += set->parts[index].used;
        latch_unlock(&set->parts[index].latch);
    }
    return count;
}
