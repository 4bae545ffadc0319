/*
 * Direct writes (rule L4): pages that go to their place in the file at once and enter the log only
 * as a RESET record, "the disk is the base here".
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
 * The CSN in the page is the last commit's when it was written: a lower bound of when it appeared,
 * which PAGE_FLAG_DIRECT says, and higher than that of any earlier write to the place. A page may be
 * written directly, given back, reserved and written again, even by the handle that comes after a
 * crash; so no two calls of pager_direct_write use the same CSN: an empty commit of the pager's own
 * goes between them where there was no other, and it is durable before the pages are written. Else a
 * lost second write would leave the first, and nothing would tell them apart.
 */
#include "pager/pager_private.h"

enum {
    SET_FIRST = 64,
    STAGE_PAGES = 64, /* Pages written with one call where they lie side by side. */
};

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
set_insert(struct direct_set *set, uint32_t page_number)
{
    CHECK(set->used < set->capacity / 2);
    set->slots[slot_of(set, page_number)] = (struct direct_page){.page_number = page_number};
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
    set_insert(&pager->direct, page_number);
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
        set_insert(&pager->direct, number);
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
        pager__direct_forget(pager, page_numbers[index]);
        if (page_numbers[index] < atomic_load(&pager->page_count))
            pager__free_push(pager, page_numbers[index]);
    }
    latch_unlock(&pager->commit_latch);
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Copies and seals one page; remembers what its RESET will say. */
static void
stage_page(struct pager *pager, uint32_t page_number, const void *page, uint64_t csn,
           uint8_t *staged)
{
    struct page_header *header = page_header(staged);
    struct direct_page *direct;

    memcpy(staged, page, PAGE_SIZE);
    CHECK(le32_get(header->page_number) == page_number);
    latch_lock(&pager->commit_latch);
    header->csn = le64_of(csn);
    header->csn_image = le64_of(0);
    header->flags |= PAGE_FLAG_DIRECT;
    page_seal(staged, pager->file_id);
    direct = pager__direct_find(pager, page_number);
    CHECK(direct != NULL);
    direct->written = true;
    direct->csn = csn;
    direct->checksum = le64_get(header->checksum);
    latch_unlock(&pager->commit_latch);
}

/* A commit that does nothing but take a CSN. */
static enum status
empty_commit(struct pager *pager)
{
    struct pager_change *change;
    const uint8_t nothing = 0;
    enum status status;
    uint64_t csn;

    do {
        TRY(pager__change_begin_system(pager, &change));
        status = pager_change_note(change, &nothing, sizeof(nothing));
        if (status == STATUS_OK)
            status = pager_change_commit(change, &csn);
        else
            pager_change_abandon(change);
        if (status == STATUS_MISSING)
            TRY(pager__change_resolve_system(pager));
    } while (status == STATUS_MISSING);
    return status;
}

/* A CSN that no direct write had before, and, because it is durable, none will have after a crash. */
static enum status
take_csn(struct pager *pager, uint64_t *csn_out)
{
    enum status status = STATUS_OK;

    latch_lock(&pager->flush_latch);
    if (atomic_load(&pager->direct_csn) >= pager_csn(pager))
        status = empty_commit(pager);
    *csn_out = pager_csn(pager);
    if (status == STATUS_OK)
        atomic_store(&pager->direct_csn, *csn_out);
    latch_unlock(&pager->flush_latch);
    TRY(status);
    return BUG(REUSE_BEFORE_FREE_DURABLE) ? STATUS_OK : pager_flush(pager, *csn_out);
}

/* Writes pages that lie side by side; returns how many. */
static enum status
write_run(struct pager *pager, uint32_t count, const uint32_t *page_numbers, void *const *pages,
          uint64_t csn, uint8_t *stage, uint32_t *count_out)
{
    uint32_t run = 0;

    do {
        stage_page(pager, page_numbers[run], pages[run], csn, stage + (size_t)run * PAGE_SIZE);
        run++;
    } while (run < count && run < STAGE_PAGES && page_numbers[run] == page_numbers[run - 1] + 1);
    *count_out = run;
    PAGER_COUNT(pager, page_write_count, run);
    return io_write(pager->file, stage, (size_t)run * PAGE_SIZE,
                    (uint64_t)page_numbers[0] * PAGE_SIZE, 0);
}

enum status
pager_direct_write(struct pager *pager, uint32_t count, const uint32_t *page_numbers,
                   void *const *pages)
{
    struct memory *memory = pager->env.memory;
    size_t stage_size = (size_t)(count < STAGE_PAGES ? count : STAGE_PAGES) * PAGE_SIZE;
    enum status status = STATUS_OK;
    uint64_t csn = 0;
    uint8_t *stage;
    uint32_t run;

    if (pager_is_failed(pager))
        return error_raise(STATUS_FAILED, "%s: an earlier write failed", pager->path);
    if (count == 0)
        return STATUS_OK;
    if (__atomic_load_n(&pager->wal, __ATOMIC_ACQUIRE) == NULL)
        TRY(pager__begin_writing(pager));
    TRY(take_csn(pager, &csn));
    stage = memory_alloc_aligned(memory, MEMORY_POOL, stage_size, IO_BLOCK_SIZE);
    if (stage == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t done = 0; done < count && status == STATUS_OK; done += run)
        status =
            write_run(pager, count - done, page_numbers + done, pages + done, csn, stage, &run);
    memory_free(memory, MEMORY_POOL, stage, stage_size);
    if (status == STATUS_OK && !BUG(DIRECT_WRITE_NOT_SYNCED)) {
        PAGER_COUNT(pager, sync_count, 1);
        status = io_sync(pager->file);
    }
    return status == STATUS_OK ? status : pager__fail(pager, status, "writing pages directly");
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
