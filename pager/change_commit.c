/*
 * What a commit logs and how it is published.
 *
 * Encoding, which may fail. For each edited page that differs from its published state one record:
 *
 *   IMAGE   a new page; or the page's first change of the interval, which is when its last image is
 *           not younger than the interval (so that redo never needs what the disk holds); or where
 *           an image is smaller than the ranges. Under policy `range` only for new and map pages.
 *   RANGES  else. Moves go in only when an image of the interval precedes them (P10).
 *
 * The scratch copy gets its CSN and is sealed before it is encoded: the record carries the checksum
 * of exactly the bytes that are published, which redo must arrive at (P2, P4). FREE, RESET and SIZE
 * follow from what was freed, adopted, and grown.
 *
 * Leaves are encoded before the commit where the caller says that it is done with them, the rest at its
 * end; the order of records of different pages does not matter to redo.
 *
 * A page of an older flush that was written directly carries PAGE_FLAG_DIRECT; a logged change makes
 * its CSN exact, so the flag goes.
 *
 * Publishing, which cannot fail: new pages first, so that whoever follows a new pointer finds the
 * page; then the changed ones from the leaves up; then what was freed goes. Each under its own word;
 * readers between two of them see what the tree's own rules (fences, sibling links) allow for.
 */
#include "pager/page_blocks.h"
#include "pager/pager_private.h"

enum {
    /* Ranges longer than this are weighed against an image. */
    RANGES_SMALL = 1024,
    RECORD_MAX = PAGE_DELTA_SIZE_MAX + WAL_RECORD_OVERHEAD_MAX,
    LEVEL_END = 256,
};

/* ---- Encoding -------------------------------------------------------------------------------- */

/* Whether a record of the page must bring its image. */
static bool
image_is_due(const struct pager *pager, const struct change_page *page)
{
    const struct page_header *header = page_header_const(page->after);

    if (page->is_new)
        return true;
    if (pager->options.policy == PAGER_POLICY_RANGE && header->type != PAGE_TYPE_MAP)
        return false;
    return le64_get(header->csn_image) <= pager->csn_interval && !BUG(IMAGE_OMITTED);
}

static bool
moves_are_legal(const struct pager *pager, const struct change_page *page)
{
    uint64_t csn_image = le64_get(page_header_const(page->before)->csn_image);

    return csn_image > pager->csn_interval || BUG(MOVE_WITHOUT_IMAGE);
}

static uint64_t
page_finish(struct pager_change *change, struct change_page *page, bool image)
{
    struct page_header *header = page_header(page->after);

    header->csn = le64_of(change->csn);
    if (image)
        header->csn_image = le64_of(change->csn);
    page_seal(page->after, change->pager->file_id);
    return le64_get(header->checksum);
}

static size_t
encode_image(struct pager_change *change, struct change_page *page, uint8_t *body)
{
    uint64_t checksum = page_finish(change, page, true);
    size_t size = page_delta_encode_image(page->after, checksum, change->pager->compress, body,
                                          PAGE_DELTA_SIZE_MAX);

    CHECK(size > 0);
    return size;
}

static size_t
encode_ranges(struct pager_change *change, struct change_page *page, uint8_t *body, size_t size)
{
    uint64_t checksum = page_finish(change, page, false);
    struct page_delta delta = {
        .before = page->before,
        .after = page->after,
        .blocks = page->blocks,
        .moves = page->moves,
        .move_count = moves_are_legal(change->pager, page) ? page->move_count : 0,
    };

    return page_delta_encode(&delta, checksum, body, size);
}

/* The body of an edited page's record; `*type_out` says which. */
static size_t
encode_body(struct pager_change *change, struct change_page *page, uint8_t *body,
            enum wal_record_type *type_out)
{
    uint8_t other[PAGE_DELTA_SIZE_MAX];
    size_t size;
    size_t image_size;

    *type_out = WAL_RECORD_IMAGE;
    if (image_is_due(change->pager, page))
        return encode_image(change, page, body);
    size = encode_ranges(change, page, body, PAGE_DELTA_SIZE_MAX);
    if (size == 0)
        return encode_image(change, page, body);
    *type_out = WAL_RECORD_RANGES;
    if (size <= RANGES_SMALL)
        return size;
    image_size = encode_image(change, page, other);
    if (image_size < size) {
        *type_out = WAL_RECORD_IMAGE;
        memcpy(body, other, image_size);
        return image_size;
    }
    page_header(page->after)->csn_image = page_header_const(page->before)->csn_image;
    return encode_ranges(change, page, body, PAGE_DELTA_SIZE_MAX);
}

static void
count_record(struct pager *pager, enum wal_record_type type, size_t size)
{
    if (type == WAL_RECORD_IMAGE) {
        PAGER_COUNT(pager, image_count, 1);
        PAGER_COUNT(pager, image_size, size);
    } else {
        PAGER_COUNT(pager, range_count, 1);
        PAGER_COUNT(pager, range_size, size);
    }
}

static void
encode_edited(struct pager_change *change, struct change_page *page, struct byte_writer *writer)
{
    struct page_header *header = page_header(page->after);
    uint8_t body[PAGE_DELTA_SIZE_MAX];
    enum wal_record_type type;

    if (!page->is_new) {
        page->blocks = page_blocks_differ(page->before, page->after, PAGE_BLOCKS_ALL);
        if (page->blocks == 0)
            return;
        /* The caller has no say in these bytes. */
        memcpy(page->after, page->before, PAGE_DELTA_FIRST_BYTE);
        page->blocks |= 1; /* The flags are there. */
    }
    header->flags = (uint8_t)(header->flags & ~PAGE_FLAG_DIRECT);
    CHECK(le32_get(header->page_number) == page->page_number);
    size_t size = encode_body(change, page, body, &type);
    wal_record_put(writer, type, page->page_number, body, size);
    page->is_logged = true;
    count_record(change->pager, type, size);
}

static enum status
need_record_room(struct pager_change *change)
{
    size_t plain = change->used - change->adopted + 1;
    size_t wanted = plain * RECORD_MAX + (size_t)change->adopted * CHANGE_RESET_MAX;

    return pager__change_need(change, NEED_SCRATCH, 0, change->records_size + wanted);
}

static struct byte_writer
writer_at_end(const struct pager_change *change)
{
    return byte_writer_init(change->records + change->records_size,
                            change->records_capacity - change->records_size);
}

enum status
pager__change_encode_early(struct pager_change *change, struct change_page *page)
{
    struct byte_writer writer = writer_at_end(change);

    CHECK(page->after != NULL && page->before != NULL);
    if (page->is_logged || page->is_freed)
        return STATUS_OK;
    encode_edited(change, page, &writer);
    if (writer.overflow) {
        page->is_logged = false;
        return need_record_room(change);
    }
    page->record_begin = change->records_size;
    page->record_size = (uint32_t)writer.offset;
    change->records_size += writer.offset;
    return STATUS_OK;
}

void
pager__change_reopen(struct pager_change *change, struct change_page *page)
{
    size_t begin = page->record_begin;
    size_t end = begin + page->record_size;

    CHECK(page->is_logged && page->before != NULL && end <= change->records_size);
    memmove(change->records + begin, change->records + end, change->records_size - end);
    change->records_size -= page->record_size;
    for (uint32_t index = 0; index < change->used; index++)
        if (change->pages[index].is_logged && change->pages[index].record_begin >= end)
            change->pages[index].record_begin -= page->record_size;
    page->is_logged = false;
}

static void
encode_adopted(struct pager_change *change, struct change_page *page, struct byte_writer *writer)
{
    const struct direct_page *direct = pager__direct_find(change->pager, page->page_number);
    uint8_t body[CHANGE_RESET_MAX - WAL_RECORD_OVERHEAD_MAX];
    struct byte_writer body_writer = byte_writer_init(body, sizeof(body));

    CHECK(direct != NULL && direct->written);
    byte_writer_put_u64(&body_writer, direct->checksum);
    byte_writer_put_u64(&body_writer, direct->csn);
    CHECK(!body_writer.overflow && body_writer.offset == sizeof(body));
    wal_record_put(writer, WAL_RECORD_RESET, page->page_number, body, sizeof(body));
    page->is_logged = true;
}

static void
encode_page(struct pager_change *change, struct change_page *page, struct byte_writer *writer)
{
    if (page->is_freed) {
        if (!page->is_new) {
            wal_record_put(writer, WAL_RECORD_FREE, page->page_number, NULL, 0);
            page->is_logged = true;
        }
    } else if (page->is_adopted) {
        encode_adopted(change, page, writer);
    } else if (page->after != NULL) {
        encode_edited(change, page, writer);
    }
}

enum status
pager__change_encode(struct pager_change *change)
{
    struct pager *pager = change->pager;
    struct byte_writer writer = writer_at_end(change);
    uint32_t count = change->page_count;

    if (count != atomic_load_explicit(&pager->page_count, memory_order_relaxed))
        wal_record_put(&writer, WAL_RECORD_SIZE, count, NULL, 0);
    for (uint32_t index = 0; index < change->used && !writer.overflow; index++)
        if (!change->pages[index].is_logged) /* Else it was encoded early. */
            encode_page(change, &change->pages[index], &writer);
    if (writer.overflow)
        return need_record_room(change);
    change->records_size += writer.offset;
    return STATUS_OK;
}

/* ---- Publishing ------------------------------------------------------------------------------ */

/* The page was absent for everyone: a loader of a stale number that got here first loses. */
static void
publish_new(struct pager_change *change, struct change_page *page)
{
    struct pager *pager = change->pager;

    atomic_store_explicit(&pager->frame[page->frame].csn_dirty, change->csn, memory_order_relaxed);
    CHECK(pager__install(pager, page->page_number, page->frame));
}

static void
publish_changed(struct pager_change *change, struct change_page *page)
{
    struct pager *pager = change->pager;
    struct frame *frame = &pager->frame[page->frame];
    uint8_t *bytes = pager__frame_bytes(pager, page->frame);

    (void)pager__word_lock(pager, page->page_number);
    CHECK(frame->page_number == page->page_number && bytes == page->before);
    /* What is equal is left alone; the header's first bytes are not in `blocks`. */
    page_blocks_copy(bytes, page->after, page->blocks | 1);
    DCHECK(memcmp(bytes, page->after, PAGE_SIZE) == 0);
    if (atomic_load_explicit(&frame->csn_dirty, memory_order_relaxed) == 0)
        atomic_store_explicit(&frame->csn_dirty, change->csn, memory_order_relaxed);
    pager__word_unlock(pager, page->page_number, page->frame, false);
}

static bool
is_changed(const struct change_page *page)
{
    return page->is_logged && !page->is_new && !page->is_freed && !page->is_adopted;
}

/* The lowest level of a changed page that is at least `level`. */
static uint32_t
next_level(const struct pager_change *change, uint32_t level)
{
    uint32_t next = LEVEL_END;

    for (uint32_t index = 0; index < change->used; index++) {
        const struct change_page *page = &change->pages[index];
        if (!is_changed(page))
            continue;
        uint32_t own = page_header_const(page->after)->level;
        if (own >= level && own < next)
            next = own;
    }
    return next;
}

static void
publish_level(struct pager_change *change, uint32_t level)
{
    for (uint32_t index = 0; index < change->used; index++) {
        struct change_page *page = &change->pages[index];
        if (is_changed(page) && page_header_const(page->after)->level == level)
            publish_changed(change, page);
    }
}

/* What was freed leaves memory; what was adopted is the file's. */
static void
publish_rest(struct pager_change *change, struct change_page *page)
{
    struct pager *pager = change->pager;

    if (page->is_freed && page->is_logged) {
        pager__drop(pager, page->page_number);
    } else if (page->is_adopted) {
        pager__direct_forget(pager, page->page_number);
    }
    if (page->is_freed && page->page_number < change->page_count && !page_is_map(page->page_number))
        pager__free_push(pager, page->page_number);
}

static void
publish_size(struct pager_change *change)
{
    struct pager *pager = change->pager;
    uint32_t map_count = pager__map_count_of(change->page_count);

    for (uint32_t index = map_count; index < pager->map_count; index++)
        pager->meta_map_csn[index] = 0;
    pager->map_count = map_count;
    atomic_store_explicit(&pager->page_count, change->page_count, memory_order_release);
}

void
pager__change_publish(struct pager_change *change)
{
    struct pager *pager = change->pager;
    uint32_t level = 0;

    CHECK(change->active && change->records_size > 0);
    for (uint32_t index = 0; index < change->used; index++) {
        if (change->pages[index].is_new && !change->pages[index].is_freed)
            publish_new(change, &change->pages[index]);
    }
    if (change->page_count > atomic_load_explicit(&pager->page_count, memory_order_relaxed))
        publish_size(change);
    while ((level = next_level(change, level)) < LEVEL_END)
        publish_level(change, level++);
    for (uint32_t index = 0; index < change->used; index++)
        publish_rest(change, &change->pages[index]);
    if (change->page_count < atomic_load_explicit(&pager->page_count, memory_order_relaxed))
        publish_size(change);
    atomic_store_explicit(&pager->csn_last, change->csn, memory_order_release);
    for (uint32_t index = 0; pager->backup_changed != NULL && index < change->used; index++)
        pager__backup_note(pager, change->pages[index].page_number);
}
