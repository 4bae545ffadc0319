/* The pages that redo has met: a list, and a hash to find a page in it. */
#include <stdlib.h>

#include "pager/recover_private.h"

enum { PAGES_FIRST = 64, SLOT_EMPTY = UINT32_MAX };

static uint32_t
slot_of(const struct redo_table *table, uint32_t page_number)
{
    uint32_t slot = (page_number * UINT32_C(0x9e3779b1)) >> 4 & (table->slot_count - 1);

    while (table->slots[slot] != SLOT_EMPTY &&
           table->pages[table->slots[slot]].page_number != page_number)
        slot = (slot + 1) & (table->slot_count - 1);
    return slot;
}

struct redo_page *
redo__find(const struct redo_table *table, uint32_t page_number)
{
    uint32_t index;

    if (table->used == 0)
        return NULL;
    index = table->slots[slot_of(table, page_number)];
    return index == SLOT_EMPTY ? NULL : &table->pages[index];
}

static enum status
grow(struct pager *pager, struct redo_table *table)
{
    struct memory *memory = pager->env.memory;
    struct redo_table fresh = {.used = table->used};

    fresh.capacity = table->capacity == 0 ? PAGES_FIRST : 2 * table->capacity;
    fresh.slot_count = 2 * fresh.capacity;
    fresh.pages = memory_alloc(memory, MEMORY_POOL, fresh.capacity * sizeof(*fresh.pages));
    fresh.slots = memory_alloc(memory, MEMORY_POOL, fresh.slot_count * sizeof(*fresh.slots));
    if (fresh.pages == NULL || fresh.slots == NULL) {
        redo__table_deinit(pager, &fresh);
        return STATUS_NO_MEMORY;
    }
    memset(fresh.slots, 0xff, fresh.slot_count * sizeof(*fresh.slots));
    CHECK(table->used == 0 || table->pages != NULL);
    for (uint32_t index = 0; index < table->used; index++) {
        fresh.pages[index] = table->pages[index];
        fresh.slots[slot_of(&fresh, fresh.pages[index].page_number)] = index;
    }
    redo__table_deinit(pager, table);
    *table = fresh;
    return STATUS_OK;
}

enum status
redo__add(struct pager *pager, struct redo_table *table, uint32_t page_number,
          struct redo_page **out)
{
    *out = redo__find(table, page_number);
    if (*out != NULL)
        return STATUS_OK;
    if (table->used == table->capacity)
        TRY(grow(pager, table));
    CHECK(table->slots != NULL && table->pages != NULL && table->used < table->capacity);
    table->slots[slot_of(table, page_number)] = table->used;
    *out = &table->pages[table->used++];
    **out = (struct redo_page){.page_number = page_number};
    return STATUS_OK;
}

static int
compare_pages(const void *left, const void *right)
{
    uint32_t a = ((const struct redo_page *)left)->page_number;
    uint32_t b = ((const struct redo_page *)right)->page_number;

    return (a > b) - (a < b);
}

void
redo__sort(struct redo_table *table)
{
    if (table->used > 1)
        qsort(table->pages, table->used, sizeof(*table->pages), compare_pages);
}

void
redo__table_deinit(struct pager *pager, struct redo_table *table)
{
    struct memory *memory = pager->env.memory;

    memory_free(memory, MEMORY_POOL, table->pages, table->capacity * sizeof(*table->pages));
    memory_free(memory, MEMORY_POOL, table->slots, table->slot_count * sizeof(*table->slots));
    *table = (struct redo_table){.capacity = 0};
}
