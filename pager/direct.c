/*
 * Pages for direct writes (rule L4): they go to their place in the file at once and enter the log only
 * as a RESET record, "the disk is the base here". Which pages may be written so, and how they become the
 * file's; direct_write.c writes them.
 *
 * That is sound only where redo can bring back nothing of an earlier life of the page (P12):
 *
 *   a free page        whose free is not younger than R: both slots name R or a later one, so no
 *                      record of its earlier life will be redone; and the free is durable, so that a
 *                      crash does not bring the earlier life back over overwritten bytes
 *   a page never used  that no record since R touches: behind direct_floor, the highest page any
 *                      record since R may name (set by shrinking and by recovery)
 *
 * Reserved pages are known to the handle only, in a set that allocation leaves out. Written, they
 * hold their CSN and checksum for the RESET record; the sync comes before that record (adopt checks
 * that the page was written). After a crash the map says of a page that was not adopted what it said
 * before: free or never used.
 *
 * A place that was written before must get a higher CSN than it ever had. So a reserved page knows the
 * CSN from which on that holds: the last commit's when it was reserved, and one more than that of a page
 * that was written directly and given back.
 */
#include "pager/pager_private.h"

enum { SET_FIRST = 64 };

/* ---- The set of reserved pages --------------------------------------------------------------- */

static uint32_t
slot_of(const struct direct_set *set, uint32_t page_number)
{
    uint32_t slot = (page_number * UINT32_C(0x9e3779b1)) >> 7 & (set->capacity - 1);

    while (set->slots[slot].page_number != PAGE_NONE && set->slots[slot].page_number != page_number)
        slot = (slot + 1) & (set->capacity - 1);
    return slot;
}

struct direct_page *
pager__direct_find(struct pager *pager, uint32_t page_number)
{
    struct direct_set *set = &pager->direct;
    struct direct_page *page;

    if (set->used == 0)
        return NULL;
    page = &set->slots[slot_of(set, page_number)];
    return page->page_number == page_number ? page : NULL;
}

static void
set_insert(struct pager *pager, uint32_t page_number)
{
    struct direct_set *set = &pager->direct;
    uint64_t csn = pager_csn(pager);

    CHECK(set->used < set->capacity / 2);
    if (csn <= set->csn_released)
        csn = set->csn_released + 1;
    set->slots[slot_of(set, page_number)] =
        (struct direct_page){.page_number = page_number, .csn_least = csn};
    if (set->used == 0 || page_number >= set->end)
        set->end = page_number + 1;
    set->used++;
}

/* Entries behind a removed one move up, so that no probe ends early. */
void
pager__direct_forget(struct pager *pager, uint32_t page_number)
{
    struct direct_set *set = &pager->direct;
    struct direct_page *page = pager__direct_find(pager, page_number);
    uint32_t slot;

    CHECK(page != NULL);
    page->page_number = PAGE_NONE;
    set->used--;
    slot = (uint32_t)(page - set->slots);
    for (;;) {
        slot = (slot + 1) & (set->capacity - 1);
        struct direct_page moved = set->slots[slot];
        if (moved.page_number == PAGE_NONE)
            return;
        set->slots[slot].page_number = PAGE_NONE;
        set->slots[slot_of(set, moved.page_number)] = moved;
    }
}

static struct direct_page *
slots_new(struct memory *memory, uint32_t capacity)
{
    struct direct_page *slots =
        memory_alloc(memory, MEMORY_POOL, (size_t)capacity * sizeof(*slots));

    for (uint32_t slot = 0; slots != NULL && slot < capacity; slot++)
        slots[slot].page_number = PAGE_NONE;
    return slots;
}

static void
slots_free(struct memory *memory, struct direct_page *slots, uint32_t capacity)
{
    memory_free(memory, MEMORY_POOL, slots, (size_t)capacity * sizeof(*slots));
}

/* Puts the entries into the larger array and returns the one that is no longer needed. */
static struct direct_set
set_rehash(struct direct_set *set, struct direct_page *slots, uint32_t capacity)
{
    struct direct_set old = *set;

    if (capacity <= old.capacity)
        return (struct direct_set){.slots = slots, .capacity = capacity};
    set->slots = slots;
    set->capacity = capacity;
    for (uint32_t slot = 0; slot < old.capacity; slot++) {
        if (old.slots[slot].page_number != PAGE_NONE)
            set->slots[slot_of(set, old.slots[slot].page_number)] = old.slots[slot];
    }
    return old;
}

/* Room for `count` more; another thread may take it before this one does. */
static enum status
set_make_room(struct pager *pager, uint32_t count)
{
    struct memory *memory = pager->env.memory;
    struct direct_set *set = &pager->direct;
    struct direct_set old;
    uint32_t capacity = SET_FIRST;
    struct direct_page *slots;

    latch_lock(&pager->commit_latch);
    while (capacity / 2 <= set->used + count)
        capacity *= 2;
    bool enough = capacity <= set->capacity;
    latch_unlock(&pager->commit_latch);
    if (enough)
        return STATUS_OK;
    slots = slots_new(memory, capacity);
    if (slots == NULL)
        return STATUS_NO_MEMORY;
    latch_lock(&pager->commit_latch);
    old = set_rehash(set, slots, capacity);
    latch_unlock(&pager->commit_latch);
    slots_free(memory, old.slots, old.capacity);
    return STATUS_OK;
}

void
pager__direct_close(struct pager *pager)
{
    slots_free(pager->env.memory, pager->direct.slots, pager->direct.capacity);
    pager->direct = (struct direct_set){.capacity = 0};
}

/* ---- Reserving ------------------------------------------------------------------------------- */

/* The first page behind which no record since R can lie. Commit latch held. */
static uint32_t
record_floor(const struct pager *pager)
{
    return pager->direct_floor_csn > pager->redo.csn ? pager->direct_floor : 0;
}

/* Whether a page below the page count may be overwritten. Commit latch held. */
static bool
entry_is_eligible(const struct pager *pager, uint32_t page_number, struct map_entry entry)
{
    if (entry.state == PAGE_STATE_FREE)
        return entry.csn <= pager->redo.csn || BUG(REUSE_BEFORE_FREE_DURABLE);
    return entry.state == PAGE_STATE_UNUSED && page_number >= record_floor(pager);
}

/* One free page off the stack, if the map in memory says that it will do. Commit latch held. */
static bool
reserve_free(struct pager *pager, uint32_t page_number)
{
    struct map_entry entry;
    struct pager_pin pin;

    if (page_number >= atomic_load(&pager->page_count) || page_is_map(page_number) ||
        pager__direct_find(pager, page_number) != NULL ||
        !pager__pin_resident(pager, map_page_of(page_number), &pin))
        return false;
    entry = map_entry_get(pin.bytes, map_index_of(page_number));
    pager_unpin(pager, &pin);
    if (!entry_is_eligible(pager, page_number, entry))
        return false;
    set_insert(pager, page_number);
    return true;
}

/* Takes what will do from the stack of free pages; the others stay on it. */
static uint32_t
reserve_from_stack(struct pager *pager, uint32_t count, uint32_t *page_numbers_out)
{
    uint32_t taken = 0;
    uint32_t kept = 0;

    latch_lock(&pager->commit_latch);
    for (uint32_t index = 0; index < pager->free_stack_used; index++) {
        uint32_t page_number = pager->free_stack[index];
        if (taken < count && pager->direct.used + 1 < pager->direct.capacity / 2 &&
            reserve_free(pager, page_number))
            page_numbers_out[taken++] = page_number;
        else
            pager->free_stack[kept++] = page_number;
    }
    pager->free_stack_used = kept;
    latch_unlock(&pager->commit_latch);
    return taken;
}

/* Whether a page behind the last one may be overwritten; the map may still know of it. */
static bool
beyond_is_eligible(struct pager *pager, uint32_t page_number)
{
    struct map_entry entry = {.state = PAGE_STATE_UNUSED};
    uint32_t map_page = map_page_of(page_number);
    struct pager_pin pin;

    if (map_page < atomic_load(&pager->page_count)) {
        if (!pager__pin_resident(pager, map_page, &pin))
            return false;
        entry = map_entry_get(pin.bytes, map_index_of(page_number));
        pager_unpin(pager, &pin);
    }
    return entry_is_eligible(pager, page_number, entry);
}

/* Reserves pages behind the last one as far as the file has space; `*wanted_out` is the page count
 * that the rest needs. */
static uint32_t
reserve_beyond(struct pager *pager, uint32_t count, uint32_t *page_numbers_out,
               uint64_t *wanted_out)
{
    uint32_t taken = 0;
    uint32_t number;

    latch_lock(&pager->commit_latch);
    number = atomic_load(&pager->page_count);
    if (number < record_floor(pager))
        number = record_floor(pager);
    for (; taken < count && number < atomic_load(&pager->page_allocated); number++) {
        if (pager->direct.used + 1 >= pager->direct.capacity / 2)
            break;
        if (page_is_map(number) || pager__direct_find(pager, number) != NULL ||
            !beyond_is_eligible(pager, number))
            continue;
        set_insert(pager, number);
        page_numbers_out[taken++] = number;
    }
    *wanted_out = (uint64_t)number + (count - taken) + (count - taken) / MAP_ENTRY_COUNT + 2;
    latch_unlock(&pager->commit_latch);
    return taken;
}

/* reserve_beyond, with the map page that may know of pages behind the last one in memory: without it
 * no page would do, and the file would grow to its limit. */
static enum status
reserve_beyond_pinned(struct pager *pager, uint32_t count, uint32_t *page_numbers_out,
                      uint64_t *wanted_out, uint32_t *taken)
{
    uint32_t number = atomic_load(&pager->page_count);
    bool pinned = !page_is_map_level0(number);
    struct pager_pin map;

    if (pinned)
        TRY(pager_pin(pager, map_page_of(number), &map));
    *taken += reserve_beyond(pager, count, page_numbers_out, wanted_out);
    if (pinned)
        pager_unpin(pager, &map);
    return STATUS_OK;
}

enum status
pager_direct_reserve(struct pager *pager, uint32_t count, uint32_t *page_numbers_out)
{
    enum status status = STATUS_OK;
    uint64_t wanted = 0;
    uint32_t taken;

    if (pager->read_only)
        return error_raise(STATUS_READONLY, "%s: opened read-only", pager->path);
    TRY(set_make_room(pager, count));
    taken = reserve_from_stack(pager, count, page_numbers_out);
    while (taken < count && status == STATUS_OK) {
        status = set_make_room(pager, count - taken);
        if (status == STATUS_OK && wanted > 0)
            status = pager__grow(pager, wanted < PAGE_NONE ? (uint32_t)wanted : PAGE_NONE);
        if (status == STATUS_OK)
            status = reserve_beyond_pinned(pager, count - taken, page_numbers_out + taken, &wanted,
                                           &taken);
    }
    if (status != STATUS_OK)
        pager_direct_release(pager, taken, page_numbers_out);
    return status;
}

void
pager_direct_release(struct pager *pager, uint32_t count, const uint32_t *page_numbers)
{
    latch_lock(&pager->commit_latch);
    for (uint32_t index = 0; index < count; index++) {
        const struct direct_page *page = pager__direct_find(pager, page_numbers[index]);

        CHECK(page != NULL);
        if (page->csn > pager->direct.csn_released)
            pager->direct.csn_released = page->csn;
        pager__direct_forget(pager, page_numbers[index]);
        if (page_numbers[index] < atomic_load(&pager->page_count))
            pager__free_push(pager, page_numbers[index]);
    }
    latch_unlock(&pager->commit_latch);
}

/* ---- Adopting -------------------------------------------------------------------------------- */

static enum status
adopt(struct pager_change *change, uint32_t page_number)
{
    const struct direct_page *direct = pager__direct_find(change->pager, page_number);
    struct change_page *page;
    uint8_t *map_page;

    CHECK(direct != NULL && direct->written);
    CHECK(pager__change_find(change, page_number) == NULL);
    if (page_number >= change->page_count)
        TRY(pager__change_extend(change, page_number + 1));
    TRY(pager__change_add(change, page_number, &page));
    page->is_adopted = true;
    change->adopted++;
    TRY(pager_change_edit(change, map_page_of(page_number), &map_page));
    map_entry_set(map_page, map_index_of(page_number),
                  (struct map_entry){.state = PAGE_STATE_USED, .csn = direct->csn});
    return STATUS_OK;
}

enum status
pager_change_adopt(struct pager_change *change, uint32_t page_number)
{
    CHECK(change->active);
    return pager__change_doom(change, adopt(change, page_number));
}
