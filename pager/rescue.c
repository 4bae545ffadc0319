/*
 * Rescue: opening a file that needs a log which is missing, or too rotten to be read.
 *
 * What the file holds is then some mix of moments since R: pages flushed early are newer than their
 * witness, others lack changes that only the log had. Nothing can make that right. What rescue does is
 * to make the file a valid page store again, and to say what it did: each page that validates is
 * accepted as it is, each that does not is fenced, and the page map is written anew from that.
 *
 *   map says         page on disk               map afterwards
 *   in use           valid                      in use, witness is the page's CSN
 *   in use           damaged                    fenced
 *   free, unused     valid, changed since       in use (it was given out, and only the log knew)
 *   free, unused     else                       as it was
 *   (map page lost)  valid / else               in use / unused
 *
 * The map pages are written in place, then both slots, clean: a crash before that leaves a file that
 * is rescued again. The old log directory, if there is one, is put aside under the name NAME-wal-lost
 * and never used again. Trees may be broken by what is lost; checking them is their owner's business.
 */
#include "pager/open_private.h"

#include <inttypes.h>

enum { CHUNK_PAGES = 64 };

#define LOST_SUFFIX "-lost"

struct rescue {
    struct pager *pager;
    uint32_t page_count;
    uint64_t csn; /* Highest seen. */
    uint64_t used_count;
    uint64_t newer_count; /* Accepted with another CSN than the map's. */
    uint64_t fenced_count;
    uint64_t map_lost_count;
    uint8_t *level1; /* Buffers: a level-1 map page, a level-0 one, and data. */
    uint8_t *level0;
    uint8_t *chunk; /* CHUNK_PAGES pages from chunk_first. */
    uint32_t chunk_first;
    uint32_t chunk_count;
};

/* ---- Reading what is there ------------------------------------------------------------------- */

/* Fills the chunk from `page_number` on; what cannot be read is zeros. */
static void
chunk_read(struct rescue *rescue, uint32_t page_number)
{
    struct io_file *file = rescue->pager->file;
    size_t size = 0;

    rescue->chunk_first = page_number;
    rescue->chunk_count = CHUNK_PAGES;
    memset(rescue->chunk, 0, (size_t)CHUNK_PAGES * PAGE_SIZE);
    if (io_read_some(file, rescue->chunk, (size_t)CHUNK_PAGES * PAGE_SIZE,
                     (uint64_t)page_number * PAGE_SIZE, &size) == STATUS_OK) {
        memset(rescue->chunk + size, 0, (size_t)CHUNK_PAGES * PAGE_SIZE - size);
        return;
    }
    for (uint32_t index = 0; index < CHUNK_PAGES; index++) {
        uint8_t *page = rescue->chunk + (size_t)index * PAGE_SIZE;
        if (io_read_some(file, page, PAGE_SIZE, (uint64_t)(page_number + index) * PAGE_SIZE,
                         &size) != STATUS_OK ||
            size < PAGE_SIZE)
            memset(page, 0, PAGE_SIZE);
    }
}

static const uint8_t *
page_read(struct rescue *rescue, uint32_t page_number)
{
    if (page_number < rescue->chunk_first ||
        page_number >= rescue->chunk_first + rescue->chunk_count)
        chunk_read(rescue, page_number);
    return rescue->chunk + (size_t)(page_number - rescue->chunk_first) * PAGE_SIZE;
}

/* Whether the page is one of this file in its place, of the kind that belongs there. */
static bool
is_valid(struct rescue *rescue, uint32_t page_number, const uint8_t *page)
{
    const char *reason;
    uint64_t csn = le64_get(page_header_const(page)->csn);

    if (page_validate(page, rescue->pager->file_id, page_number, &reason) != STATUS_OK ||
        (page_header_const(page)->type == PAGE_TYPE_MAP) != page_is_map(page_number))
        return false;
    if (csn > rescue->csn)
        rescue->csn = csn;
    return true;
}

/* The file ends with its last valid page, if that lies behind what the slots say. */
static enum status
find_end(struct rescue *rescue)
{
    struct pager *pager = rescue->pager;
    uint32_t count = atomic_load(&pager->page_allocated);
    uint32_t known = pager_page_count(pager);

    if (count > pager->options.page_limit)
        count = pager->options.page_limit;
    while (count > known && !is_valid(rescue, count - 1, page_read(rescue, count - 1))) {
        if (count - 1 == rescue->chunk_first && count > CHUNK_PAGES)
            chunk_read(rescue, count - 1 - CHUNK_PAGES);
        count--;
    }
    rescue->page_count = count > known ? count : known;
    if (page_is_map(rescue->page_count - 1)) /* A group with nothing in it. */
        rescue->page_count = known;
    return pager__grow(pager, rescue->page_count);
}

/* ---- The map anew ---------------------------------------------------------------------------- */

static struct map_entry
judge(struct rescue *rescue, uint32_t page_number, struct map_entry entry, bool map_lost)
{
    const uint8_t *page = page_read(rescue, page_number);
    bool valid = is_valid(rescue, page_number, page);
    uint64_t csn = le64_get(page_header_const(page)->csn);
    bool is_used = entry.state == PAGE_STATE_USED;

    if (entry.state == PAGE_STATE_FENCED)
        return entry;
    if (!valid && is_used) {
        rescue->fenced_count++;
        log_line(LOG_ERROR, "pager: page fenced, its content is lost path=%s page=%" PRIu32,
                 rescue->pager->path, page_number);
        return (struct map_entry){.state = PAGE_STATE_FENCED, .csn = entry.csn};
    }
    if (!valid || (!is_used && !map_lost && csn <= rescue->pager->redo.csn))
        return entry;
    if (!is_used && !map_lost && csn <= entry.csn)
        return entry;
    rescue->used_count++;
    rescue->newer_count += csn != entry.csn;
    return (struct map_entry){.state = PAGE_STATE_USED, .csn = csn};
}

static enum status
map_write(struct rescue *rescue, uint8_t *page)
{
    struct pager *pager = rescue->pager;
    uint32_t page_number = le32_get(page_header(page)->page_number);

    rescue->csn++; /* No older copy of it carries this one. */
    page_header(page)->csn = le64_of(rescue->csn);
    page_header(page)->csn_image = le64_of(0);
    page_seal(page, pager->file_id);
    return io_write(pager->file, page, PAGE_SIZE, (uint64_t)page_number * PAGE_SIZE, 0);
}

/* Reads the map page or starts an empty one. */
static bool
map_read(struct rescue *rescue, uint32_t page_number, uint8_t level, uint8_t *out)
{
    const uint8_t *page = page_read(rescue, page_number);

    if (is_valid(rescue, page_number, page)) {
        memcpy(out, page, PAGE_SIZE);
        return true;
    }
    page_init(out, page_number, 0, PAGE_TYPE_MAP, level);
    rescue->map_lost_count++;
    return false;
}

static enum status
rescue_group(struct rescue *rescue, uint32_t map_number)
{
    bool found = map_read(rescue, map_number, 0, rescue->level0);

    for (uint32_t index = 0; index < MAP_ENTRY_COUNT; index++) {
        uint32_t number = map_number + 1 + index;
        struct map_entry entry = map_entry_get(rescue->level0, index);
        if (number >= rescue->page_count)
            entry = (struct map_entry){.state = PAGE_STATE_UNUSED};
        else if (page_is_map_level1(number))
            entry = (struct map_entry){.state = PAGE_STATE_MAP};
        else
            entry = judge(rescue, number, entry, !found);
        map_entry_set(rescue->level0, index, entry);
    }
    TRY(map_write(rescue, rescue->level0));
    map_entry_set(rescue->level1, map_level1_index_of(map_number),
                  (struct map_entry){.state = PAGE_STATE_MAP, .csn = rescue->csn});
    return STATUS_OK;
}

/* A level-1 map page and its groups. */
static enum status
rescue_span(struct rescue *rescue, uint32_t first)
{
    uint32_t number = first;
    uint32_t level1 = map_level1_page_of(first);

    page_init(rescue->level1, level1, 0, PAGE_TYPE_MAP, 1);
    for (uint32_t group = 0; group < MAP_ENTRY_COUNT && number < rescue->page_count; group++) {
        TRY(rescue_group(rescue, number));
        number += MAP_GROUP_SIZE;
    }
    TRY(map_write(rescue, rescue->level1));
    rescue->pager->meta_map_csn[map_meta_index_of(level1)] = rescue->csn;
    return STATUS_OK;
}

/* ---- The sequence ---------------------------------------------------------------------------- */

/* All of the file is read and the new map written. */
static enum status
rescue_map(struct rescue *rescue)
{
    struct pager *pager = rescue->pager;
    uint32_t span = MAP_ENTRY_COUNT * MAP_GROUP_SIZE;

    rescue->csn = pager->redo.csn + 1;
    TRY(find_end(rescue));
    for (uint64_t first = MAP_FIRST_PAGE; first < rescue->page_count; first += span)
        TRY(rescue_span(rescue, (uint32_t)first));
    TRY(io_sync(pager->file));
    pager->map_count = pager__map_count_of(rescue->page_count);
    atomic_store(&pager->page_count, rescue->page_count);
    atomic_store(&pager->csn_last, rescue->csn);
    pager->statistics.csn_opened = rescue->csn;
    pager->csn_interval = rescue->csn;
    return STATUS_OK;
}

static enum status
put_log_aside(struct pager *pager)
{
    struct pager_path lost;
    enum status status;

    TRY(pager__path_with(pager->log_dir, LOST_SUFFIX, &lost));
    status = io_rename(pager->env.io, pager->log_dir, lost.text);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK)
        return error_raise(status, "cannot put the log %s aside as %s: move it away",
                           pager->log_dir, lost.text);
    return io_sync_dir(pager->env.io, pager__parent_of(pager->path).text);
}

static enum status
rescue_all(struct rescue *rescue)
{
    struct pager *pager = rescue->pager;
    uint64_t csn_from = pager->redo.csn;
    enum status status;

    TRY(rescue_map(rescue));
    TRY(put_log_aside(pager));
    latch_lock(&pager->flush_latch);
    status = pager__meta_write(pager, META_CLEAN);
    latch_unlock(&pager->flush_latch);
    TRY(status);
    pager->redo = (struct wal_position){.csn = rescue->csn};
    pager->log_id = 0;
    log_line(LOG_WARN,
             "pager: rescued without log path=%s csn_complete=%" PRIu64 " csn_seen=%" PRIu64
             " pages=%u used=%" PRIu64 " newer=%" PRIu64 " fenced=%" PRIu64 " maps_lost=%" PRIu64
             " lost=\"changes after CSN %" PRIu64 " that only the log held\"",
             pager->path, csn_from, rescue->csn, rescue->page_count, rescue->used_count,
             rescue->newer_count, rescue->fenced_count, rescue->map_lost_count, csn_from);
    return STATUS_OK;
}

enum status
pager__rescue(struct pager *pager)
{
    struct rescue rescue = {.pager = pager};
    struct memory *memory = pager->env.memory;
    size_t size = (size_t)(CHUNK_PAGES + 2) * PAGE_SIZE;
    enum status status;

    if (pager->read_only)
        return error_raise(STATUS_READONLY,
                           "%s needs its log, and rescue without it writes to the file: copy the "
                           "file and open the copy for writing with rescue",
                           pager->path);
    rescue.chunk = memory_alloc_aligned(memory, MEMORY_POOL, size, IO_BLOCK_SIZE);
    if (rescue.chunk == NULL)
        return STATUS_NO_MEMORY;
    rescue.level0 = rescue.chunk + (size_t)CHUNK_PAGES * PAGE_SIZE;
    rescue.level1 = rescue.level0 + PAGE_SIZE;
    status = rescue_all(&rescue);
    memory_free(memory, MEMORY_POOL, rescue.chunk, size);
    return status;
}
