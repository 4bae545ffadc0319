/*
 * Which page comes next: free pages by the map, else growth of the file.
 *
 * Truth is the page map; pages of it change within the change set like any other. Beside it the
 * handle keeps a stack of numbers believed free, filled from what commits free and from map pages
 * looked through a few groups at a time; a number is checked against the map before it is taken, so
 * a stale or double hint costs a look and nothing else. While nothing free is known the file grows,
 * and after every MAP_SCAN_PAUSE pages of growth a further part of the map is looked through.
 *
 * Growth is two steps. The file gets space in chunks (pager__grow, outside the latch), and the page
 * count, logged as SIZE, moves within the space (P11). Passing the end of a map group brings the
 * next group's map page into the same change, at the start of a span its level-1 page too.
 *
 * Shrinking lowers the page count over free pages at the end, one commit per stretch; entries past
 * the count stay as they are and mean nothing. Map pages of groups that are gone are freed. The file
 * itself is cut by pager__cut, two checkpoints later.
 */
#include "pager/pager_private.h"

enum {
    FREE_STACK_SIZE = 1024,
    MAP_SCAN_GROUPS = 64, /* Looked through at a time. */
    MAP_SCAN_PAUSE = 64,  /* Pages of growth between two looks. */
    SHRINK_STEP = 4096,   /* Pages a shrinking commit gives up at most. */
    SHRINK_MAPS = 8,      /* Map pages one may free. */
    GROW_MIN = 64,
    GROW_MAX = 16384,
    GROW_SHARE = 8, /* The file grows by one part in so many. */
    MAP_SPAN = MAP_ENTRY_COUNT * MAP_GROUP_SIZE,
};

static uint32_t
group_count_of(uint32_t page_count)
{
    return (page_count - MAP_FIRST_PAGE + MAP_GROUP_SIZE - 1) / MAP_GROUP_SIZE;
}

static uint32_t
group_of(uint32_t page_number)
{
    return (page_number - MAP_FIRST_PAGE) / MAP_GROUP_SIZE;
}

uint32_t
pager__map_count_of(uint32_t page_count)
{
    CHECK(page_count >= PAGE_COUNT_MIN);
    return (page_count - MAP_LEVEL1_FIRST_PAGE + MAP_SPAN - 1) / MAP_SPAN;
}

/* ---- The stack of free pages ----------------------------------------------------------------- */

void
pager__free_push(struct pager *pager, uint32_t page_number)
{
    uint32_t group = group_of(page_number);

    if (pager->free_stack_used < pager->free_stack_capacity) {
        pager->free_stack[pager->free_stack_used++] = page_number;
    } else {
        pager->map_scan_pause = 0; /* Found again by looking through the map. */
        if (group < pager->map_scan_next)
            pager->map_scan_next = group;
    }
}

/* Allocated with the first look, so that opening a file costs nothing. */
static enum status
free_stack_ensure(struct pager *pager)
{
    struct memory *memory = pager->env.memory;
    size_t size = FREE_STACK_SIZE * sizeof(uint32_t);
    uint32_t *stack;

    if (pager->free_stack_capacity > 0)
        return STATUS_OK;
    stack = memory_alloc(memory, MEMORY_POOL, size);
    if (stack == NULL)
        return STATUS_NO_MEMORY;
    latch_lock(&pager->commit_latch);
    if (pager->free_stack_capacity == 0) {
        pager->free_stack = stack;
        pager->free_stack_capacity = FREE_STACK_SIZE;
        stack = NULL;
    }
    latch_unlock(&pager->commit_latch);
    memory_free(memory, MEMORY_POOL, stack, size);
    return STATUS_OK;
}

void
pager__free_close(struct pager *pager)
{
    memory_free(pager->env.memory, MEMORY_POOL, pager->free_stack,
                pager->free_stack_capacity * sizeof(uint32_t));
    pager->free_stack = NULL;
    pager->free_stack_capacity = 0;
    pager->free_stack_used = 0;
}

/* A page that may be taken by number: free, or below the count and never handed out. */
static bool
entry_is_free(struct map_entry entry)
{
    return entry.state == PAGE_STATE_FREE || entry.state == PAGE_STATE_UNUSED;
}

/* Pushes the free pages of a group. False when the stack is full before its end. */
static bool
push_group(struct pager *pager, uint32_t group, const void *map_page)
{
    uint32_t first = MAP_FIRST_PAGE + group * MAP_GROUP_SIZE + 1;
    uint32_t page_count = atomic_load_explicit(&pager->page_count, memory_order_relaxed);

    for (uint32_t index = 0; index < MAP_ENTRY_COUNT && first + index < page_count; index++) {
        if (!entry_is_free(map_entry_get(map_page, index)) ||
            pager__direct_find(pager, first + index) != NULL)
            continue;
        if (pager->free_stack_used == pager->free_stack_capacity)
            return false;
        pager->free_stack[pager->free_stack_used++] = first + index;
    }
    return true;
}

/* Looks through the next group; `*more_out` says whether to go on. */
static enum status
scan_group(struct pager *pager, uint8_t *copy, bool *more_out)
{
    uint32_t group;

    latch_lock(&pager->commit_latch);
    group = pager->map_scan_next;
    *more_out = group < group_count_of(atomic_load(&pager->page_count));
    latch_unlock(&pager->commit_latch);
    if (!*more_out)
        return STATUS_OK;
    TRY(pager_copy(pager, MAP_FIRST_PAGE + group * MAP_GROUP_SIZE, copy));
    latch_lock(&pager->commit_latch);
    *more_out = push_group(pager, group, copy);
    if (*more_out && pager->map_scan_next == group)
        pager->map_scan_next = group + 1;
    latch_unlock(&pager->commit_latch);
    return STATUS_OK;
}

enum status
pager__map_scan(struct pager *pager)
{
    struct memory *memory = pager->env.memory;
    enum status status = STATUS_OK;
    uint8_t *copy;
    bool more = true;

    TRY(free_stack_ensure(pager));
    copy = memory_alloc(memory, MEMORY_POOL, PAGE_SIZE);
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t count = 0; count < MAP_SCAN_GROUPS && more && status == STATUS_OK; count++)
        status = scan_group(pager, copy, &more);
    memory_free(memory, MEMORY_POOL, copy, PAGE_SIZE);
    if (status == STATUS_OK) {
        latch_lock(&pager->commit_latch);
        pager->map_scan_pause = pager->free_stack_used == 0 ? MAP_SCAN_PAUSE : 0;
        latch_unlock(&pager->commit_latch);
    }
    return status;
}

/* ---- Entries within a change ----------------------------------------------------------------- */

static enum status
entry_read(struct pager_change *change, uint32_t page_number, struct map_entry *out)
{
    const uint8_t *map_page;

    TRY(pager_change_read(change, map_page_of(page_number), &map_page));
    *out = map_entry_get(map_page, map_index_of(page_number));
    return STATUS_OK;
}

static enum status
entry_write(struct pager_change *change, uint32_t page_number, struct map_entry entry)
{
    uint8_t *map_page;

    TRY(pager_change_edit(change, map_page_of(page_number), &map_page));
    map_entry_set(map_page, map_index_of(page_number), entry);
    return STATUS_OK;
}

static enum status
level1_entry_write(struct pager_change *change, uint32_t map_page_number, enum page_state state)
{
    struct map_entry entry = {.state = state};
    uint8_t *map_page;

    TRY(pager_change_edit(change, map_level1_page_of(map_page_number), &map_page));
    map_entry_set(map_page, map_level1_index_of(map_page_number), entry);
    return STATUS_OK;
}

/* ---- Growth ---------------------------------------------------------------------------------- */

/* The map page (or pages, at the start of a span) with which a group begins. */
static enum status
group_begin(struct pager_change *change, uint32_t map_page_number)
{
    struct change_page *page;
    struct map_entry entry = {.state = PAGE_STATE_MAP};
    struct pager *pager = change->pager;

    TRY(pager__change_new_page(change, map_page_number, 0, PAGE_TYPE_MAP, 0, &page));
    if (page_is_map_level1(map_page_number + 1)) {
        map_entry_set(page->after, 0, entry);
        TRY(pager__change_new_page(change, map_page_number + 1, 0, PAGE_TYPE_MAP, 1, &page));
    }
    if (pager->map_scan_next == group_of(map_page_number))
        pager->map_scan_next++; /* Nothing free in a group that begins. */
    return level1_entry_write(change, map_page_number, PAGE_STATE_MAP);
}

enum status
pager__change_extend(struct pager_change *change, uint32_t page_count)
{
    struct pager *pager = change->pager;
    uint32_t limit = pager->options.page_limit;

    CHECK(page_count > change->page_count && !page_is_map(page_count - 1));
    if (page_count > limit)
        return error_raise(STATUS_FULL, "%s: the file has reached its limit of %u pages",
                           pager->path, limit);
    if (page_count > atomic_load_explicit(&pager->page_allocated, memory_order_relaxed))
        return pager__change_need(change, NEED_SPACE, page_count, 0);
    for (uint32_t number = change->page_count; number < page_count; number++) {
        if (page_is_map_level0(number))
            TRY(group_begin(change, number));
    }
    change->page_count = page_count;
    return STATUS_OK;
}

/* A never used page behind the last one. */
static enum status
take_new(struct pager_change *change, uint32_t *out)
{
    struct pager *pager = change->pager;
    uint32_t number = change->page_count;

    while (number < pager->options.page_limit &&
           (page_is_map(number) || pager__direct_find(pager, number) != NULL))
        number++;
    TRY(pager__change_extend(change, number + 1));
    *out = number;
    return STATUS_OK;
}

/* Extends the file by a whole chunk, or where the disk has no room for that by what is needed. */
static enum status
grow_file(struct pager *pager, uint32_t page_count)
{
    uint32_t allocated = atomic_load(&pager->page_allocated);
    uint32_t chunk = pager->options.grow_count;
    uint64_t target;
    enum status status;

    if (page_count <= allocated)
        return STATUS_OK;
    if (chunk == 0)
        chunk = allocated / GROW_SHARE;
    if (pager->options.grow_count == 0)
        chunk = chunk < GROW_MIN ? GROW_MIN : chunk > GROW_MAX ? GROW_MAX : chunk;
    target = (uint64_t)allocated + chunk;
    if (target > pager->options.page_limit)
        target = pager->options.page_limit;
    if (target < page_count)
        target = page_count;
    status =
        io_allocate(pager->file, (uint64_t)allocated * PAGE_SIZE, (target - allocated) * PAGE_SIZE);
    if (status == STATUS_FULL && target > page_count) {
        target = page_count;
        status = io_allocate(pager->file, (uint64_t)allocated * PAGE_SIZE,
                             (target - allocated) * PAGE_SIZE);
    }
    if (status == STATUS_OK)
        pager__set_allocated(pager, (uint32_t)target);
    return status;
}

void
pager__set_allocated(struct pager *pager, uint32_t page_count)
{
    atomic_store(&pager->page_allocated, page_count);
    if (pager->page_file_end < page_count)
        pager->page_file_end = page_count;
}

enum status
pager__grow(struct pager *pager, uint32_t page_count)
{
    enum status status;

    if (page_count > pager->options.page_limit)
        return error_raise(STATUS_FULL, "%s: the file has reached its limit of %u pages",
                           pager->path, pager->options.page_limit);
    latch_lock(&pager->grow_latch);
    status = grow_file(pager, page_count);
    latch_unlock(&pager->grow_latch);
    return status;
}

enum status
pager__cut(struct pager *pager)
{
    enum status status = STATUS_OK;
    uint32_t keep;
    bool cut;

    latch_lock(&pager->grow_latch);
    latch_lock(&pager->commit_latch);
    keep = atomic_load(&pager->page_count);
    if (pager->direct.used > 0 && pager->direct.end > keep)
        keep = pager->direct.end;
    if (keep < atomic_load(&pager->page_allocated))
        atomic_store(&pager->page_allocated, keep);
    latch_unlock(&pager->commit_latch);
    cut = keep < pager->page_file_end;
    if (cut)
        status = io_truncate(pager->file, (uint64_t)keep * PAGE_SIZE);
    if (cut && status == STATUS_OK)
        pager->page_file_end = keep;
    latch_unlock(&pager->grow_latch);
    return status;
}

/* ---- Allocation ------------------------------------------------------------------------------ */

/* Whether a hint still holds. What this very change freed comes back at its commit. */
static enum status
hint_holds(struct pager_change *change, uint32_t page_number, bool *out)
{
    struct map_entry entry;

    *out = false;
    if (page_number >= change->page_count || page_is_map(page_number) ||
        pager__change_find(change, page_number) != NULL ||
        pager__direct_find(change->pager, page_number) != NULL)
        return STATUS_OK;
    TRY(entry_read(change, page_number, &entry));
    *out = entry_is_free(entry) && page_number != PAGE_CATALOG_ROOT;
    return STATUS_OK;
}

/* STATUS_NOT_FOUND: the stack is empty. */
static enum status
take_free(struct pager_change *change, uint32_t *out)
{
    struct pager *pager = change->pager;
    bool holds;

    while (pager->free_stack_used > 0) {
        uint32_t page_number = pager->free_stack[pager->free_stack_used - 1];
        TRY(hint_holds(change, page_number, &holds));
        pager->free_stack_used--;
        if (holds) {
            *out = page_number;
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

static enum status
take_page(struct pager_change *change, uint32_t *out, bool *from_stack_out)
{
    struct pager *pager = change->pager;
    enum status status = take_free(change, out);

    *from_stack_out = status == STATUS_OK;
    if (status != STATUS_NOT_FOUND)
        return status;
    if (pager->map_scan_next < group_count_of(change->page_count)) {
        if (pager->map_scan_pause == 0)
            return pager__change_need(change, NEED_MAP_SCAN, 0, 0);
        pager->map_scan_pause--;
    }
    return take_new(change, out);
}

static enum status
allocate(struct pager_change *change, uint32_t tree_id, enum page_type type, uint8_t level,
         struct change_page **out)
{
    struct map_entry entry = {.state = PAGE_STATE_USED};
    uint32_t page_number = PAGE_NONE;
    bool from_stack;

    TRY(take_page(change, &page_number, &from_stack));
    enum status status = pager__change_new_page(change, page_number, tree_id, type, level, out);
    if (status != STATUS_OK) {
        if (from_stack)
            pager__free_push(change->pager, page_number);
        return status;
    }
    (*out)->from_stack = from_stack;
    return entry_write(change, page_number, entry);
}

enum status
pager_change_allocate(struct pager_change *change, uint32_t tree_id, enum page_type type,
                      uint8_t level, uint32_t *page_number_out, uint8_t **out)
{
    struct change_page *page = NULL;

    CHECK(change->active && type != PAGE_TYPE_NONE && type != PAGE_TYPE_MAP);
    enum status status = allocate(change, tree_id, type, level, &page);
    TRY(pager__change_doom(change, status));
    CHECK(page != NULL);
    *page_number_out = page->page_number;
    *out = page->after;
    return STATUS_OK;
}

static enum status
free_page(struct pager_change *change, uint32_t page_number)
{
    struct map_entry entry = {.state = PAGE_STATE_UNUSED};
    struct change_page *page;

    if (page_number > PAGE_CATALOG_ROOT && page_number < change->page_count &&
        !page_is_map(page_number))
        TRY(entry_read(change, page_number, &entry));
    if (entry.state != PAGE_STATE_USED && entry.state != PAGE_STATE_FENCED)
        return error_raise(STATUS_CORRUPT,
                           "%s: page %u was to be freed, but the page map says it is not in use",
                           change->pager->path, page_number);
    page = pager__change_find(change, page_number);
    CHECK(page == NULL || !page->is_adopted);
    if (page == NULL)
        TRY(pager__change_add(change, page_number, &page));
    else if (page->is_logged)
        pager__change_reopen(change, page);
    page->is_freed = true;
    entry = (struct map_entry){.state = PAGE_STATE_FREE, .csn = change->csn};
    return entry_write(change, page_number, entry);
}

enum status
pager_change_free(struct pager_change *change, uint32_t page_number)
{
    CHECK(change->active);
    return pager__change_doom(change, free_page(change, page_number));
}

/* ---- Shrinking ------------------------------------------------------------------------------- */

/* Frees a map page that nothing is behind of. */
static enum status
drop_map_page(struct pager_change *change, uint32_t page_number)
{
    struct change_page *page = pager__change_find(change, page_number);

    if (page == NULL)
        TRY(pager__change_add(change, page_number, &page));
    page->is_freed = true;
    return STATUS_OK;
}

/* A span's two map pages go together: without the second the first has no witness. */
static enum status
trim_map(struct pager_change *change, uint32_t last)
{
    TRY(drop_map_page(change, last));
    if (page_is_map_level1(last)) {
        change->page_count -= 2;
        return drop_map_page(change, last - 1);
    }
    change->page_count--;
    return level1_entry_write(change, last, PAGE_STATE_UNUSED);
}

/* Takes the last page off if nothing speaks against it. */
static enum status
trim_last(struct pager_change *change, uint32_t *map_count)
{
    uint32_t last = change->page_count - 1;
    struct map_entry entry;

    if (page_is_map(last))
        return ++*map_count <= SHRINK_MAPS ? trim_map(change, last) : STATUS_OK;
    TRY(entry_read(change, last, &entry));
    if (entry_is_free(entry) && pager__direct_find(change->pager, last) == NULL)
        change->page_count--;
    return STATUS_OK;
}

static enum status
trim(struct pager_change *change)
{
    uint32_t map_count = 0;
    uint32_t before = UINT32_MAX;

    for (uint32_t step = 0; step < SHRINK_STEP && change->page_count < before; step++) {
        before = change->page_count;
        if (before > PAGE_COUNT_MIN)
            TRY(trim_last(change, &map_count));
    }
    return STATUS_OK;
}

/* One commit; `*more_out`: it got something done, or must be repeated. */
static enum status
shrink_step(struct pager *pager, bool *more_out)
{
    struct pager_change *change;
    enum status status;
    uint32_t before;
    uint64_t csn;

    TRY(pager_change_begin(pager, &change));
    before = change->page_count;
    status = trim(change);
    *more_out = status == STATUS_MISSING || (status == STATUS_OK && change->page_count < before);
    if (status != STATUS_OK || !*more_out) {
        pager_change_abandon(change);
        return status == STATUS_MISSING ? pager_change_resolve(pager) : status;
    }
    if (pager->direct_floor < before || pager->direct_floor_csn < pager->redo.csn)
        pager->direct_floor = before;
    pager->direct_floor_csn = change->csn;
    status = pager_change_commit(change, &csn);
    return status == STATUS_MISSING ? pager_change_resolve(pager) : status;
}

enum status
pager_shrink(struct pager *pager, uint32_t *page_count_out)
{
    uint32_t before = pager_page_count(pager);
    enum status status = STATUS_OK;
    bool more = true;

    while (more && status == STATUS_OK)
        status = shrink_step(pager, &more);
    if (pager_page_count(pager) < before) {
        latch_lock(&pager->flush_latch);
        pager->truncate_after = 2; /* The one under way began before the shrink. */
        latch_unlock(&pager->flush_latch);
    }
    *page_count_out = pager_page_count(pager);
    return status;
}

enum status
pager_page_state(struct pager *pager, uint32_t page_number, enum page_state *out)
{
    uint8_t map_page[PAGE_SIZE];

    if (page_number < META_SLOT_COUNT || page_number >= pager_page_count(pager))
        return error_raise(STATUS_NOT_FOUND, "%s: the file has no page %u", pager->path,
                           page_number);
    *out = PAGE_STATE_MAP;
    if (page_is_map(page_number))
        return STATUS_OK;
    TRY(pager_copy(pager, map_page_of(page_number), map_page));
    *out = map_entry_get(map_page, map_index_of(page_number)).state;
    return STATUS_OK;
}
