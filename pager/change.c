/*
 * The change set: scratch copies under the commit latch. Logging and publishing is change_commit.c,
 * new and freed pages are allocate.c and direct.c, its buffers change_buffers.c, what it lacks
 * change_resolve.c.
 *
 *   begin -> read, edit, allocate, free, note ... -> commit | abandon
 *                       |
 *                       +-- STATUS_MISSING -> abandon -> resolve -> begin
 *
 * A page the change touches is pinned and found again through a small hash of its number. Only an
 * edited page gets a scratch copy; a new page is built in the frame it will have. Until commit the
 * shared state is untouched but for what abandoning gives back: pins, frames of new pages, numbers
 * taken off the stack of free pages (P9).
 *
 * A change of many leaves touches more memory than the processor's cache holds. So a leaf is compared
 * and encoded as soon as its caller is done with it (pager_change_rest) and asks for another; if it comes
 * back to it all the same, the record is taken out again.
 *
 * What a change lacks it cannot fetch under the latch. It notes a want, its caller abandons it, and
 * pager_change_resolve (change_resolve.c) works off the newest want of its thread. Between the two the page
 * may have been given back: that is for the change to find, which asks the page map, under the latch,
 * before it wants a page (a page that is not in use is damage there, and only there).
 */
#include "pager/pager_private.h"

enum {
    HASH_END = UINT32_MAX,
};

static_assert(CHANGE_ADOPTED_SHARE * CHANGE_RESET_MAX <= PAGE_SIZE, "the log's room for a change");

static _Thread_local char thread_identity; /* Its address tells threads apart. */

/* ---- Pages of a change ----------------------------------------------------------------------- */

static uint32_t *
hash_head(const struct pager_change *change, uint32_t page_number)
{
    uint32_t mixed = page_number * UINT32_C(0x9e3779b1);

    return &change->hash[(mixed >> 8) & (change->hash_size - 1)];
}

struct change_page *
pager__change_find(struct pager_change *change, uint32_t page_number)
{
    uint32_t index = *hash_head(change, page_number);

    while (index != HASH_END && change->pages[index].page_number != page_number)
        index = change->pages[index].next_hash;
    return index == HASH_END ? NULL : &change->pages[index];
}

enum status
pager__change_need(struct pager_change *change, enum change_need need, uint32_t page_number,
                   size_t size)
{
    CHECK(change->active && need != NEED_NOTHING);
    change->want = (struct change_want){.need = need, .page_number = page_number, .size = size};
    return STATUS_MISSING;
}

/* Pages, for its limit: an adopted one has no frame and a record of a few bytes. */
static uint32_t
weight_of(const struct pager_change *change)
{
    return change->used - change->adopted + change->adopted / CHANGE_ADOPTED_SHARE;
}

enum status
pager__change_add(struct pager_change *change, uint32_t page_number, struct change_page **out)
{
    uint32_t limit = change->pager->options.change_limit;
    struct change_page *page;
    uint32_t *head;

    DCHECK(pager__change_find(change, page_number) == NULL);
    if (weight_of(change) >= limit && !change->system) {
        change->full = true;
        return error_raise(STATUS_FULL,
                           "%s: one change touches more than %u pages: split it, or open with a "
                           "larger pool (change_limit)",
                           change->pager->path, limit);
    }
    if (change->used == change->capacity)
        return pager__change_need(change, NEED_SCRATCH, 0, 0);
    head = hash_head(change, page_number);
    page = &change->pages[change->used];
    *page = (struct change_page){
        .page_number = page_number,
        .frame = PAGE_NONE,
        .next_hash = *head,
    };
    *head = change->used++;
    *out = page;
    return STATUS_OK;
}

static enum status
refuse_page(const struct pager_change *change, uint32_t page_number, const char *reason)
{
    return error_raise(STATUS_CORRUPT, "%s: page %u was asked for, but %s", change->pager->path,
                       page_number, reason);
}

/* An absent page: wanted, behind its map page; refused when that says nobody uses it. */
static enum status
page_want(struct pager_change *change, uint32_t page_number)
{
    const char *reason;
    struct pager_pin map;

    if (page_is_map(page_number))
        return pager__change_need(change, NEED_PAGE, page_number, 0);
    uint32_t map_page = map_page_of(page_number);
    if (!pager__pin_resident(change->pager, map_page, &map))
        return pager__change_need(change, NEED_PAGE, map_page, 0);
    reason = pager__entry_reason(page_number, map_entry_get(map.bytes, map_index_of(page_number)));
    pager_unpin(change->pager, &map);
    return reason != NULL ? refuse_page(change, page_number, reason)
                          : pager__change_need(change, NEED_PAGE, page_number, 0);
}

/* The page's entry, pinned. */
static enum status
page_touch(struct pager_change *change, uint32_t page_number, struct change_page **out)
{
    struct change_page *page = pager__change_find(change, page_number);
    struct pager_pin pin;

    if (page != NULL && (page->is_freed || page->is_adopted))
        return refuse_page(change, page_number, "this change freed or adopted it");
    if (page != NULL) {
        *out = page;
        return STATUS_OK;
    }
    if (page_number < META_SLOT_COUNT || page_number >= change->page_count)
        return refuse_page(change, page_number, "the file has no such page");
    if (!pager__pin_resident(change->pager, page_number, &pin))
        return page_want(change, page_number);
    enum status status = pager__change_add(change, page_number, &page);
    if (status != STATUS_OK) {
        pager_unpin(change->pager, &pin);
        return status;
    }
    CHECK(page != NULL);
    page->frame = pin.frame;
    page->before = pin.bytes;
    *out = page;
    return STATUS_OK;
}

enum status
pager_change_read(struct pager_change *change, uint32_t page_number, const uint8_t **out)
{
    struct change_page *page = NULL;

    CHECK(change->active);
    TRY(page_touch(change, page_number, &page));
    CHECK(page != NULL);
    *out = page->after != NULL ? page->after : page->before;
    return STATUS_OK;
}

/* A leaf that the caller rests from is finished, most likely, once it asks for another. */
static enum status
encode_rested(struct pager_change *change)
{
    uint32_t rested = change->rested;

    change->rested = PAGE_NONE;
    return rested == PAGE_NONE ? STATUS_OK
                               : pager__change_encode_early(change, &change->pages[rested]);
}

/* Gives the page its scratch copy. */
static enum status
page_open(struct pager_change *change, struct change_page *page)
{
    const struct page_header *header = page_header_const(page->before);

    TRY(encode_rested(change));
    if (change->scratch_used == change->scratch_capacity)
        return pager__change_need(change, NEED_SCRATCH, 0, 0);
    page->after = change->scratch + (size_t)change->scratch_used++ * PAGE_SIZE;
    memcpy(page->after, page->before, PAGE_SIZE);
    if (header->level == 0 && header->type != PAGE_TYPE_MAP)
        change->edited = (uint32_t)(page - change->pages);
    return STATUS_OK;
}

static enum status
page_edit(struct pager_change *change, uint32_t page_number, uint8_t **out)
{
    struct change_page *page = NULL;

    TRY(page_touch(change, page_number, &page));
    CHECK(page != NULL);
    if (page->after == NULL)
        TRY(page_open(change, page));
    else if (page->is_logged)
        pager__change_reopen(change, page);
    else if (change->rested != PAGE_NONE && page == &change->pages[change->rested])
        change->rested = PAGE_NONE;
    *out = page->after;
    return STATUS_OK;
}

/* An edit that failed may be the middle of something: such a change must not be committed. */
enum status
pager__change_doom(struct pager_change *change, enum status status)
{
    if (status != STATUS_OK && change->doomed == STATUS_OK)
        change->doomed = status;
    return status;
}

enum status
pager_change_edit(struct pager_change *change, uint32_t page_number, uint8_t **out)
{
    CHECK(change->active);
    return pager__change_doom(change, page_edit(change, page_number, out));
}

void
pager_change_rest(struct pager_change *change)
{
    CHECK(change->active);
    change->rested = change->edited;
}

void
pager_change_move(struct pager_change *change, uint32_t page_number, uint32_t from, uint32_t to,
                  uint32_t size)
{
    struct change_page *page = pager__change_find(change, page_number);

    CHECK(page != NULL && page->after != NULL && !page->is_logged);
    CHECK(from >= PAGE_DELTA_FIRST_BYTE && to >= PAGE_DELTA_FIRST_BYTE && size <= PAGE_SIZE);
    CHECK(from + size <= PAGE_SIZE && to + size <= PAGE_SIZE);
    if (page->is_new || size == 0 || from == to || page->move_count == PAGE_DELTA_MOVE_MAX)
        return;
    page->moves[page->move_count++] =
        (struct page_move){(uint16_t)from, (uint16_t)to, (uint16_t)size};
}

enum status
pager__change_new_page(struct pager_change *change, uint32_t page_number, uint32_t tree_id,
                       enum page_type type, uint8_t level, struct change_page **out)
{
    struct pager *pager = change->pager;
    struct change_page *page = pager__change_find(change, page_number);
    uint32_t frame;

    CHECK(page == NULL);
    TRY(pager__change_add(change, page_number, &page));
    if (pager__frame_take(pager, &frame) != STATUS_OK)
        return pager__change_need(change, NEED_FRAMES, 0, 0);
    page->frame = frame;
    page->is_new = true;
    page->after = pager__frame_bytes(pager, frame);
    page_init(page->after, page_number, tree_id, type, level);
    *out = page;
    return STATUS_OK;
}

enum status
pager_change_note(struct pager_change *change, const void *bytes, size_t size)
{
    struct byte_writer writer = byte_writer_init(change->records + change->records_size,
                                                 change->records_capacity - change->records_size);

    CHECK(change->active);
    wal_record_put(&writer, WAL_RECORD_NOTE, 0, bytes, size);
    if (writer.overflow) {
        size_t wanted = change->records_size + size + WAL_RECORD_OVERHEAD_MAX;
        return pager__change_doom(change, pager__change_need(change, NEED_SCRATCH, 0, wanted));
    }
    change->records_size += writer.offset;
    return STATUS_OK;
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static enum status
refuse_failed(const struct pager *pager)
{
    return error_raise(STATUS_FAILED,
                       "%s: an earlier write failed and this handle takes no changes: close it and "
                       "open again to recover",
                       pager->path);
}

static enum status
change_prepare(struct pager *pager)
{
    if (__atomic_load_n(&pager->wal, __ATOMIC_ACQUIRE) == NULL)
        TRY(pager__begin_writing(pager));
    TRY(pager__compress_ensure(pager));
    if (__atomic_load_n(&pager->change.capacity, __ATOMIC_ACQUIRE) == 0)
        return pager__change_buffers_grow(pager, 0);
    return STATUS_OK;
}

static enum status
change_start(struct pager *pager, bool system, struct pager_change **out)
{
    struct pager_change *change = &pager->change;

    latch_lock(&pager->commit_latch);
    if (pager_is_failed(pager)) {
        latch_unlock(&pager->commit_latch);
        return refuse_failed(pager);
    }
    CHECK(!change->active && change->used == 0 && change->adopted == 0 && change->capacity > 0);
    change->pager = pager;
    change->active = true;
    change->system = system;
    change->full = false;
    change->doomed = STATUS_OK;
    change->csn = atomic_load_explicit(&pager->csn_last, memory_order_relaxed) + 1;
    change->page_count = atomic_load_explicit(&pager->page_count, memory_order_relaxed);
    change->scratch_used = 0;
    change->records_size = 0;
    change->edited = PAGE_NONE;
    change->rested = PAGE_NONE;
    change->cost = NULL;
    change->want.need = NEED_NOTHING;
    *out = change;
    return STATUS_OK;
}

enum status
pager_change_begin(struct pager *pager, struct pager_change **out)
{
    if (pager->read_only)
        return error_raise(STATUS_READONLY, "%s: opened read-only", pager->path);
    if (pager_is_failed(pager))
        return refuse_failed(pager);
    TRY(change_prepare(pager));
    TRY(pager__wait_for_log(pager));
    return change_start(pager, false, out);
}

enum status
pager__change_begin_system(struct pager *pager, struct pager_change **out)
{
    CHECK(!pager->read_only);
    TRY(change_prepare(pager));
    return change_start(pager, true, out);
}

uint32_t
pager_change_limit(const struct pager *pager)
{
    return __atomic_load_n(&pager->options.change_limit, __ATOMIC_RELAXED);
}

bool
pager_change_is_full(const struct pager_change *change)
{
    CHECK(change->active);
    return change->full;
}

uint64_t
pager_change_csn(const struct pager_change *change)
{
    CHECK(change->active);
    return change->csn;
}

void
pager_change_measure(struct pager_change *change, struct pager_change_cost *out)
{
    CHECK(change->active);
    change->cost = out;
}

/* ---- Ending ---------------------------------------------------------------------------------- */

/* Gives back what the change holds of a page. */
static void
page_end(struct pager_change *change, struct change_page *page, bool published)
{
    struct pager *pager = change->pager;
    struct pager_pin pin = {page->page_number, page->frame, page->before};

    *hash_head(change, page->page_number) = HASH_END;
    if (page->is_new && (!published || page->is_freed)) {
        pager__frame_give(pager, page->frame);
    } else if (!page->is_new && page->frame != PAGE_NONE) {
        pager_unpin(pager, &pin);
    }
    if (page->from_stack && !published)
        pager__free_push(pager, page->page_number);
}

static void
want_keep(struct pager_change *change)
{
    if (change->system) {
        change->want_system = change->want;
        return;
    }
    if (change->want_count == CHANGE_WANT_MAX) {
        change->want_count--;
        memmove(&change->wants[0], &change->wants[1],
                change->want_count * sizeof(change->wants[0]));
    }
    change->want.thread = &thread_identity;
    change->wants[change->want_count++] = change->want;
}

struct change_want
pager__want_take(struct pager_change *change)
{
    struct change_want want = {.need = NEED_NOTHING};

    for (uint32_t index = change->want_count; index > 0; index--) {
        if (change->wants[index - 1].thread != &thread_identity)
            continue;
        want = change->wants[index - 1];
        memmove(&change->wants[index - 1], &change->wants[index],
                (change->want_count - index) * sizeof(want));
        change->want_count--;
        break;
    }
    return want;
}

/* Releases the latch; pins are given back after it. */
static void
change_end(struct pager_change *change, bool published)
{
    struct pager *pager = change->pager;

    for (uint32_t index = 0; index < change->used; index++)
        page_end(change, &change->pages[index], published);
    change->used = 0;
    change->adopted = 0;
    if (change->want.need != NEED_NOTHING) {
        want_keep(change);
    } else if (change->pinned_count > 0) {
        for (uint32_t index = 0; index < change->pinned_count; index++)
            pager_unpin(pager, &change->pinned[index]);
        change->pinned_count = 0;
    }
    change->active = false;
    latch_unlock(&pager->commit_latch);
}

void
pager_change_abandon(struct pager_change *change)
{
    CHECK(change->active);
    change_end(change, false);
}

/* After the latch: a checkpoint may be due. Without a thread of the owner's each commit does a step
 * of it; what fails there shows at the next change. */
static void
after_commit(struct pager *pager)
{
    bool more;

    pager__note_commit(pager);
    if (pager->options.background || wal_size(pager->wal) < atomic_load(&pager->work_log_size))
        return;
    if (pager_work(pager, &more) != STATUS_OK)
        error_clear();
}

/* All that can fail; the latch stays. */
static enum status
commit_prepare(struct pager_change *change)
{
    struct pager *pager = change->pager;

    if (change->doomed != STATUS_OK)
        return change->doomed;
    if (change->want.need != NEED_NOTHING)
        return STATUS_MISSING;
    TRY(pager__change_encode(change));
    if (change->records_size == 0)
        return STATUS_OK;
    enum status status = wal_reserve(pager->wal, change->records_size, change->system);
    if (status == STATUS_MISSING)
        return pager__change_need(change, NEED_LOG, 0, change->records_size);
    return status;
}

static void
measure(const struct pager_change *change)
{
    *change->cost = (struct pager_change_cost){.log_size = change->records_size};
    for (uint32_t index = 0; index < change->used; index++)
        change->cost->page_count += change->pages[index].is_logged;
}

enum status
pager_change_commit(struct pager_change *change, uint64_t *csn_out)
{
    struct pager *pager = change->pager;
    bool system = change->system;
    enum status status;

    CHECK(change->active);
    status = commit_prepare(change);
    if (status != STATUS_OK || change->records_size == 0) {
        if (status == STATUS_OK)
            *csn_out = change->csn - 1;
        change_end(change, false);
        return status;
    }
    struct wal_commit commit = {
        .csn = change->csn,
        .time_ms = io_time_ns(pager->env.io) / 1000000,
        .system = system,
        .records = change->records,
        .size = change->records_size,
    };
    /* From here on nothing may fail. */
    wal_append(pager->wal, &commit);
    pager__change_publish(change);
    if (change->cost != NULL)
        measure(change);
    *csn_out = change->csn;
    change_end(change, true);
    PAGER_COUNT(pager, commit_count, 1);
    if (!system)
        after_commit(pager);
    return STATUS_OK;
}

/* ---- Durability ------------------------------------------------------------------------------ */

enum status
pager_flush(struct pager *pager, uint64_t csn)
{
    return pager_flush_for(pager, csn, 1);
}

enum status
pager_flush_for(struct pager *pager, uint64_t csn, uint32_t client_count)
{
    struct wal *wal = __atomic_load_n(&pager->wal, __ATOMIC_ACQUIRE);

    CHECK(csn <= pager_csn(pager));
    if (wal == NULL)
        return STATUS_OK;
    enum status status = wal_flush_for(wal, csn, client_count);
    return status == STATUS_OK ? status : pager__fail(pager, status, "flushing the log");
}

uint64_t
pager_csn_durable(const struct pager *pager)
{
    struct wal *wal = __atomic_load_n(&pager->wal, __ATOMIC_ACQUIRE);

    return wal != NULL ? wal_csn_durable(wal) : pager_csn(pager);
}
