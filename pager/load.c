/*
 * Bringing pages in: read, verified against the witness, repaired where the log allows.
 *
 *   resident -----------------------------------------------------------> pinned
 *   absent -> pin the map page -> take a frame -> claim the word -> read -> verify -> settle, pinned
 *                                                      |              |
 *                                  somebody else has it: wait,        +-> repair from the log
 *                                  start again                        +-> absent again, refused
 *
 * The order matters. The map page that holds the witness is pinned before anything else, a frame is
 * taken next (which may flush), and only then the word is claimed: who holds a claim waits for
 * nothing but its own read. So a flush that needs a map page another thread is reading gets it soon,
 * and no two threads wait for each other. Map pages are found the same way, one level up: data page,
 * level-0 map page, level-1 map page, meta slots; there are no more levels.
 *
 * P3, P5: what is read must be valid for this file and place, in use by the map, and carry exactly
 * the CSN that its entry names. The entry is read after the claim: from then on it changes only
 * together with the word, by a free or a new allocation, which take the claim away, so that the read
 * starts again.
 *
 * A repaired page is dirty with the CSN it has: R must not pass its last change before the good
 * bytes are on the disk. The checkpoint looks for such pages when it believes to be done.
 */
#include <inttypes.h>

#include "pager/pager_private.h"

static _Thread_local uint64_t thread_page_reads;

void
pager__thread_page_reads_add(uint32_t count)
{
    thread_page_reads += count;
}

uint64_t
pager_thread_page_reads(void)
{
    return thread_page_reads;
}

enum { COPY_TRIES = 4 };

/* One page to bring in. */
struct load {
    struct pager *pager;
    uint32_t page_number;
    const struct pager_pin *map; /* Its map page; NULL for level-1 map pages and raw loads. */
    bool reserve;                /* For the flush: never flushes itself. */
    bool raw;                    /* As the disk has it. */
    bool unreadable;             /* Raw: the read failed. */
};

/* Witnesses. */

struct map_entry
pager__witness(struct pager *pager, uint32_t page_number, const struct pager_pin *map)
{
    struct map_entry entry = {.state = PAGE_STATE_UNUSED};

    if (map == NULL) {
        CHECK(page_is_map_level1(page_number));
        entry.state = PAGE_STATE_MAP;
        entry.csn = atomic_load(&pager->meta_map_csn[map_meta_index_of(page_number)]);
        return entry;
    }
    uint32_t index = page_is_map_level0(page_number) ? map_level1_index_of(page_number)
                                                     : map_index_of(page_number);
    uint64_t word = pager__word_lock(pager, map->page_number);
    if ((word & WORD_FRAME_MASK) == map->frame) /* Else it was cut off the file. */
        entry = map_entry_get(map->bytes, index);
    pager__word_unlock_unchanged(pager, map->page_number, word);
    return entry;
}

const char *
pager__entry_reason(uint32_t page_number, struct map_entry entry)
{
    switch (entry.state) {
    case PAGE_STATE_USED:
        break;
    case PAGE_STATE_MAP:
        if (page_is_map(page_number))
            break;
        return "the page map takes it for a map page";
    case PAGE_STATE_FENCED:
        return "its content was lost earlier and it is fenced off; restore it from a backup, or "
               "drop what it belonged to";
    case PAGE_STATE_FREE:
        return "the page is free by the page map; whatever led here is out of date or damaged";
    default:
        return "the page was never handed out by the page map; whatever led here is damaged";
    }
    return entry.csn != 0 ? NULL : "it was never written by a flush";
}

enum status
pager__verify_entry(const struct pager *pager, uint32_t page_number, const void *page,
                    struct map_entry entry, const char **reason_out)
{
    uint64_t csn = le64_get(page_header_const(page)->csn);
    const char *reason = pager__entry_reason(page_number, entry);

    if (reason != NULL) {
        *reason_out = reason;
        return STATUS_CORRUPT;
    }
    TRY(page_validate(page, pager->file_id, page_number, reason_out));
    if (csn < entry.csn && !BUG(STALE_PAGE_ACCEPTED)) {
        *reason_out = "the page is older than its last flush (a write was lost)";
        return STATUS_CORRUPT;
    }
    if (csn > entry.csn) {
        *reason_out = "the page is newer than its last flush (the page map's write was lost)";
        return STATUS_CORRUPT;
    }
    return STATUS_OK;
}

static uint32_t
map_parent_of(uint32_t page_number)
{
    return page_is_map_level0(page_number) ? map_level1_page_of(page_number)
                                           : map_page_of(page_number);
}

enum status
pager__verify(struct pager *pager, uint32_t page_number, const void *page, const char **reason_out)
{
    struct map_entry entry;
    struct pager_pin map = {0};

    if (page_is_map_level1(page_number)) {
        entry = pager__witness(pager, page_number, NULL);
    } else {
        TRY(pager_pin(pager, map_parent_of(page_number), &map));
        entry = pager__witness(pager, page_number, &map);
        pager_unpin(pager, &map);
    }
    return pager__verify_entry(pager, page_number, page, entry, reason_out);
}

void
pager__count_read(struct pager *pager, uint32_t page_number, const void *page)
{
    if (page_is_map(page_number))
        PAGER_COUNT(pager, map_read_count, 1);
    else if (page_header_const(page)->level != 0)
        PAGER_COUNT(pager, inner_read_count, 1);
}

/* Filling a frame. */

static enum status
refuse(const struct pager *pager, uint32_t page_number, const void *page, struct map_entry entry,
       enum status status, const char *reason)
{
    uint64_t found = page != NULL ? le64_get(page_header_const(page)->csn) : 0;
    bool unused = entry.state == PAGE_STATE_FREE || entry.state == PAGE_STATE_UNUSED;

    /* Readers come late to a page given back, and start again. */
    log_line(unused ? LOG_DEBUG : LOG_ERROR,
             "pager: page refused path=%s page=%" PRIu32 " csn=%" PRIu64 " csn_expected=%" PRIu64
             " status=%s reason=\"%s\"",
             pager->path, page_number, found, entry.csn, status_name(status), reason);
    return error_raise(status,
                       "%s: page %" PRIu32 " is refused: %s (CSN found %" PRIu64
                       ", expected %" PRIu64 "); run qtdb-check for the extent of the damage",
                       pager->path, page_number, reason, found, entry.csn);
}

/* The page is damaged or unreadable: from the log, if that has a base for it. */
static enum status
repair(const struct load *load, uint32_t frame, struct map_entry entry, enum status status,
       const char *reason)
{
    struct pager *pager = load->pager;
    void *page = pager__frame_bytes(pager, frame);
    const char *still = NULL;

    if (pager->wal == NULL || (status != STATUS_CORRUPT && status != STATUS_IO))
        return refuse(pager, load->page_number, page, entry, status, reason);
    enum status repaired = pager__repair(pager, load->page_number, page);
    if (repaired == STATUS_OK)
        repaired = pager__verify_entry(pager, load->page_number, page, entry, &still);
    if (repaired != STATUS_OK)
        return refuse(pager, load->page_number, NULL, entry, status, reason);
    log_line(LOG_WARN,
             "pager: page repaired path=%s page=%" PRIu32 " csn=%" PRIu64 " reason=\"%s\"",
             pager->path, load->page_number, entry.csn, reason);
    PAGER_COUNT(pager, repair_count, 1);
    if (!pager->read_only)
        pager->frame[frame].csn_dirty = entry.csn;
    return STATUS_OK;
}

static enum status
fill_verified(const struct load *load, uint32_t frame)
{
    struct pager *pager = load->pager;
    void *page = pager__frame_bytes(pager, frame);
    struct map_entry entry = pager__witness(pager, load->page_number, load->map);
    const char *reason = pager__entry_reason(load->page_number, entry);
    enum status status;

    if (reason != NULL)
        return refuse(pager, load->page_number, NULL, entry, STATUS_CORRUPT, reason);
    PAGER_COUNT(pager, page_read_count, 1);
    thread_page_reads++;
    status = io_read(pager->file, page, PAGE_SIZE, (uint64_t)load->page_number * PAGE_SIZE);
    reason = "it cannot be read from the disk, and the log has no image of it";
    if (status == STATUS_IO)
        memset(page, 0, PAGE_SIZE);
    if (status == STATUS_OK)
        status = pager__verify_entry(pager, load->page_number, page, entry, &reason);
    if (status == STATUS_CORRUPT || status == STATUS_IO || status == STATUS_VERSION)
        status = repair(load, frame, entry, status, reason);
    if (status == STATUS_OK)
        pager__count_read(pager, load->page_number, page);
    return status;
}

static enum status
fill_raw(struct load *load, uint32_t frame)
{
    struct pager *pager = load->pager;
    uint8_t *page = pager__frame_bytes(pager, frame);
    size_t size = 0;
    enum status status =
        io_read_some(pager->file, page, PAGE_SIZE, (uint64_t)load->page_number * PAGE_SIZE, &size);

    PAGER_COUNT(pager, page_read_count, 1);
    thread_page_reads++;
    if (status != STATUS_OK && status != STATUS_IO)
        return status;
    load->unreadable = status == STATUS_IO;
    if (load->unreadable || size < PAGE_SIZE) {
        error_clear();
        memset(page, 0, PAGE_SIZE);
    }
    return STATUS_OK;
}

/* Frames and claims. */

static enum status
frame_get(const struct load *load, uint32_t *frame_out)
{
    struct pager *pager = load->pager;

    if (page_is_map(load->page_number) && pager__frame_take_map(pager, frame_out) == STATUS_OK)
        return STATUS_OK;
    if (load->reserve) {
        if (pager__frame_take_reserve(pager, frame_out) == STATUS_OK)
            return STATUS_OK;
        return error_raise(STATUS_FULL,
                           "%s: the pool of %" PRIu32
                           " pages has no frame left for map page %" PRIu32
                           ": open with a larger pool",
                           pager->path, atomic_load(&pager->pool_frames), load->page_number);
    }
    while (pager__frame_take(pager, frame_out) != STATUS_OK)
        TRY(pager__flush_some(pager));
    return STATUS_OK;
}

/* The page has been claimed; `*done_out` false: the claim was taken away. */
static enum status
fill_and_settle(struct load *load, uint32_t frame, uint64_t claimed, bool *done_out)
{
    struct pager *pager = load->pager;
    enum status status = load->raw ? fill_raw(load, frame) : fill_verified(load, frame);
    uint32_t result = status == STATUS_OK ? frame : (uint32_t)WORD_FRAME_NONE;

    *done_out = pager__word_settle(pager, load->page_number, claimed, result);
    if (!*done_out || status != STATUS_OK)
        pager__frame_give(pager, frame);
    return *done_out ? status : STATUS_OK;
}

static enum status
bring_in(struct load *load, struct pager_pin *out)
{
    struct pager *pager = load->pager;
    uint32_t frame;
    bool done = false;

    while (!pager__pin_resident(pager, load->page_number, out)) {
        pager__word_wait(&pager->table.words[load->page_number], WORD_LOCKED | WORD_IN_IO);
        if (pager__pin_resident(pager, load->page_number, out))
            return STATUS_OK;
        TRY(frame_get(load, &frame));
        uint64_t claimed = pager__word_claim(pager, load->page_number);
        if (claimed == 0) {
            pager__frame_give(pager, frame);
            continue;
        }
        TRY(fill_and_settle(load, frame, claimed, &done));
        if (done) {
            *out = (struct pager_pin){.page_number = load->page_number,
                                      .frame = frame,
                                      .bytes = pager__frame_bytes(pager, frame)};
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

/* Pins, one function a level: each needs the level above it. */

static enum status
pin_level1(struct pager *pager, uint32_t page_number, bool reserve, struct pager_pin *out)
{
    struct load load = {.pager = pager, .page_number = page_number, .reserve = reserve};

    return bring_in(&load, out);
}

static enum status
pin_level0(struct pager *pager, uint32_t page_number, bool reserve, struct pager_pin *out)
{
    struct load load = {.pager = pager, .page_number = page_number, .reserve = reserve};
    struct pager_pin map = {0};
    enum status status;

    if (pager__pin_resident(pager, page_number, out))
        return STATUS_OK;
    TRY(pin_level1(pager, map_level1_page_of(page_number), reserve, &map));
    load.map = &map;
    status = bring_in(&load, out);
    pager_unpin(pager, &map);
    return status;
}

static enum status
pin_data(struct pager *pager, uint32_t page_number, bool reserve, struct pager_pin *out)
{
    struct load load = {.pager = pager, .page_number = page_number, .reserve = reserve};
    struct pager_pin map = {0};
    enum status status;

    TRY(pin_level0(pager, map_page_of(page_number), reserve, &map));
    load.map = &map;
    status = bring_in(&load, out);
    pager_unpin(pager, &map);
    return status;
}

static enum status
pin_absent(struct pager *pager, uint32_t page_number, bool reserve, struct pager_pin *out)
{
    uint32_t page_count = atomic_load_explicit(&pager->page_count, memory_order_acquire);

    if (page_number < MAP_FIRST_PAGE || page_number >= page_count)
        return error_raise(STATUS_CORRUPT,
                           "%s: there is no page %" PRIu32 ": the file has pages %d to %" PRIu32
                           "; what named it is out of date or damaged",
                           pager->path, page_number, MAP_FIRST_PAGE, page_count - 1);
    if (page_is_map_level0(page_number))
        return pin_level0(pager, page_number, reserve, out);
    if (page_is_map_level1(page_number))
        return pin_level1(pager, page_number, reserve, out);
    return pin_data(pager, page_number, reserve, out);
}

enum status
pager_pin(struct pager *pager, uint32_t page_number, struct pager_pin *out)
{
    if (page_number < pager->table.page_limit && pager__pin_resident(pager, page_number, out))
        return STATUS_OK;
    return pin_absent(pager, page_number, false, out);
}

enum status
pager__pin_reserve(struct pager *pager, uint32_t page_number, struct pager_pin *out)
{
    CHECK(latch_is_held(&pager->flush_latch));
    if (page_number < pager->table.page_limit && pager__pin_resident(pager, page_number, out))
        return STATUS_OK;
    return pin_absent(pager, page_number, true, out);
}

enum status
pager__load_raw(struct pager *pager, uint32_t page_number, struct pager_pin *out,
                bool *unreadable_out)
{
    struct load load = {.pager = pager, .page_number = page_number, .raw = true};

    CHECK(page_number >= MAP_FIRST_PAGE && page_number < pager->table.page_limit);
    TRY(bring_in(&load, out));
    *unreadable_out = load.unreadable;
    return STATUS_OK;
}

void
pager_unpin(struct pager *pager, struct pager_pin *pin)
{
    CHECK(pin->frame != WORD_FRAME_NONE && pin->frame < pager->table.frame_count);
    pager__frame_unpin(pager, pin->frame);
    pin->frame = WORD_FRAME_NONE;
    pin->bytes = NULL;
}

/* Copies. */

/* Under the word's lock; false: the page is not there. */
static bool
copy_locked(struct pager *pager, const struct pager_pin *pin, void *out)
{
    uint64_t word = pager__word_lock(pager, pin->page_number);
    bool resident = (word & WORD_FRAME_MASK) == pin->frame;

    if (resident)
        memcpy(out, pager__frame_bytes(pager, pin->frame), PAGE_SIZE);
    pager__word_unlock_unchanged(pager, pin->page_number, word);
    return resident;
}

enum status
pager_copy(struct pager *pager, uint32_t page_number, void *out)
{
    struct page_view view;
    struct pager_pin pin = {0};
    bool done = false;

    for (uint32_t tries = 0; tries < COPY_TRIES; tries++) {
        if (!page_view_begin(&pager->table, page_number, &view))
            break;
        memcpy(out, view.bytes, PAGE_SIZE);
        if (page_view_end(&view))
            return STATUS_OK;
    }
    while (!done) { /* Again only when the page was freed or cut off in between. */
        TRY(pager_pin(pager, page_number, &pin));
        done = copy_locked(pager, &pin, out);
        pager_unpin(pager, &pin);
    }
    return STATUS_OK;
}
