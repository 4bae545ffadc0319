/*
 * Online backup: a copy of the file as it is at one moment, made while it changes.
 *
 *   begin    notes from now on which pages commits change (a bit a page, set when they are published)
 *   pass     copies all pages in use; each further pass copies those changed since they were copied
 *   finish   while the caller keeps commits out: copies the last changed ones and writes a page map
 *   publish  syncs, writes both meta slots, clean; the name appears, complete and durable
 *
 * A bit is cleared before its page is copied and set after it was published, so when no bit is left and
 * nobody commits, every page copied is the latest. What goes on meanwhile changes nothing but witnesses
 * in map pages, and the copy has a map of its own: its witnesses are the CSNs of the pages copied. So the
 * copy is what a clean close would have left, without log and without recovery, and a page that is
 * damaged is found (every page is verified before it is copied) and named, not copied.
 *
 * Pages come from the pool where they are there; else from the file, in reads of many, past the pool:
 * a backup evicts nothing but for map pages. A read beside a flush may be torn or stale; then it does
 * not verify against its witness, and the page is asked of the pool.
 *
 * Memory: a bit and a CSN for each page of the file, touched as needed, and one buffer.
 */
#include <inttypes.h>

#include "pager/open_private.h"

enum { CHUNK_PAGES = 64, WORD_BITS = 64 };

#define NEW_SUFFIX "-new"

struct pager_backup {
    struct pager *pager;
    struct pager_path path; /* Where it will be. */
    struct pager_path name; /* Where it is built. */
    struct io_file *file;
    uint64_t *changed; /* Also pager->backup_changed. */
    uint64_t *csn;     /* Of each page copied; 0: none. */
    uint8_t *chunk;    /* CHUNK_PAGES */
    uint8_t *map;      /* A page. */
    uint8_t *level1;   /* A page. */
    struct pager_backup_progress progress;
    enum status (*on_progress)(void *context, const struct pager_backup_progress *progress);
    void *context;
    bool first_done;
    bool published;
    uint32_t page_count; /* At finish. */
    uint64_t csn_last;
    uint64_t map_csn[META_MAP_COUNT];
};

static size_t
changed_size(void)
{
    return (PAGE_COUNT_MAX + WORD_BITS) / WORD_BITS * sizeof(uint64_t);
}

static size_t
csn_size(void)
{
    return PAGE_COUNT_MAX * sizeof(uint64_t);
}

/* ---- Which pages changed ------------------------------------------------------------------------ */

void
pager__backup_note(struct pager *pager, uint32_t page_number)
{
    uint64_t bit = UINT64_C(1) << (page_number % WORD_BITS);

    CHECK(latch_is_held(&pager->commit_latch));
    if (!page_is_map(page_number))
        __atomic_fetch_or(&pager->backup_changed[page_number / WORD_BITS], bit, __ATOMIC_SEQ_CST);
}

static bool
take_bit(struct pager_backup *backup, uint32_t page_number)
{
    uint64_t bit = UINT64_C(1) << (page_number % WORD_BITS);
    uint64_t *word = &backup->changed[page_number / WORD_BITS];

    return (__atomic_load_n(word, __ATOMIC_SEQ_CST) & bit) != 0 &&
           (__atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST) & bit) != 0;
}

uint32_t
pager_backup_left(const struct pager_backup *backup)
{
    uint32_t words = pager_page_count(backup->pager) / WORD_BITS + 1;
    uint32_t count = 0;

    for (uint32_t index = 0; index < words; index++)
        count += (uint32_t)__builtin_popcountll(
            __atomic_load_n(&backup->changed[index], __ATOMIC_SEQ_CST));
    return count;
}

/* ---- Life --------------------------------------------------------------------------------------- */

static enum status
refuse_existing(struct pager_backup *backup)
{
    struct io_file *file;
    enum status status = io_open(backup->pager->env.io, backup->path.text, 0, &file);

    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(status);
    io_close(file);
    return error_raise(STATUS_EXISTS, "%s exists: a backup overwrites nothing", backup->path.text);
}

static enum status
open_file(struct pager_backup *backup, const char *path)
{
    struct io *io = backup->pager->env.io;
    uint64_t holder;

    TRY(io_real_path(io, path, backup->path.text, sizeof(backup->path.text)));
    TRY(refuse_existing(backup));
    TRY(pager__path_with(backup->path.text, NEW_SUFFIX, &backup->name));
    TRY(io_open(io, backup->name.text, IO_WRITE | IO_CREATE | IO_DIRECT, &backup->file));
    if (io_lock(backup->file, IO_LOCK_EXCLUSIVE, &holder) == STATUS_BUSY) {
        io_close(backup->file);
        backup->file = NULL;
        return error_raise(STATUS_BUSY, "%s is being written by another backup", backup->name.text);
    }
    return io_truncate(backup->file, 0);
}

static enum status
buffers_new(struct pager_backup *backup)
{
    struct memory *memory = backup->pager->env.memory;
    void *mapping;

    TRY(memory_map(memory, MEMORY_OTHER, changed_size(), false, &mapping));
    backup->changed = mapping;
    TRY(memory_map(memory, MEMORY_OTHER, csn_size(), false, &mapping));
    backup->csn = mapping;
    backup->chunk =
        memory_alloc_aligned(memory, MEMORY_OTHER, (CHUNK_PAGES + 2) * PAGE_SIZE, IO_BLOCK_SIZE);
    if (backup->chunk == NULL)
        return STATUS_NO_MEMORY;
    backup->map = backup->chunk + (size_t)CHUNK_PAGES * PAGE_SIZE;
    backup->level1 = backup->map + PAGE_SIZE;
    return STATUS_OK;
}

/* Commits note what they change from here on. False: for another backup. */
static bool
watch(struct pager_backup *backup)
{
    struct pager *pager = backup->pager;

    latch_lock(&pager->commit_latch);
    bool free = pager->backup_changed == NULL;

    if (free)
        pager->backup_changed = backup->changed;
    latch_unlock(&pager->commit_latch);
    return free;
}

static void
unwatch(struct pager_backup *backup)
{
    struct pager *pager = backup->pager;

    latch_lock(&pager->commit_latch);
    if (pager->backup_changed == backup->changed)
        pager->backup_changed = NULL;
    latch_unlock(&pager->commit_latch);
}

enum status
pager_backup_begin(struct pager *pager, const char *path,
                   enum status (*progress)(void *context,
                                           const struct pager_backup_progress *progress),
                   void *context, struct pager_backup **out)
{
    struct pager_backup *backup = memory_alloc(pager->env.memory, MEMORY_OTHER, sizeof(*backup));
    enum status status;

    if (backup == NULL)
        return STATUS_NO_MEMORY;
    backup->pager = pager;
    backup->on_progress = progress;
    backup->context = context;
    TRY_OUT(buffers_new(backup));
    TRY_OUT(open_file(backup, path));
    if (watch(backup)) {
        *out = backup;
        return STATUS_OK;
    }
    status = error_raise(STATUS_BUSY, "%s: a backup is under way already", pager->path);
out:
    pager_backup_end(backup);
    return status;
}

void
pager_backup_end(struct pager_backup *backup)
{
    if (backup == NULL)
        return;
    struct pager *pager = backup->pager;
    struct memory *memory = pager->env.memory;

    if (backup->changed != NULL)
        unwatch(backup);
    if (backup->file != NULL && !backup->published &&
        io_remove(pager->env.io, backup->name.text) != STATUS_OK)
        error_clear(); /* A file of that name is overwritten by the next backup. */
    io_close(backup->file);
    if (backup->changed != NULL)
        memory_unmap(memory, MEMORY_OTHER, backup->changed, changed_size());
    if (backup->csn != NULL)
        memory_unmap(memory, MEMORY_OTHER, backup->csn, csn_size());
    memory_free(memory, MEMORY_OTHER, backup->chunk, (CHUNK_PAGES + 2) * PAGE_SIZE);
    memory_free(memory, MEMORY_OTHER, backup, sizeof(*backup));
}

/* ---- Copying ------------------------------------------------------------------------------------ */

static bool
is_resident(struct pager *pager, uint32_t page_number)
{
    struct pager_pin pin;
    bool resident = pager__pin_resident(pager, page_number, &pin);

    if (resident)
        pager_unpin(pager, &pin);
    return resident;
}

/* The page as it was read past the pool, or from the pool when it is there or does not verify. */
static enum status
settle_page(const struct pager_backup *backup, uint32_t page_number, bool was_read, uint8_t *page)
{
    struct pager *pager = backup->pager;
    const char *reason = NULL;
    enum page_state state;
    enum status status;

    if (was_read && !is_resident(pager, page_number) &&
        pager__verify(pager, page_number, page, &reason) == STATUS_OK)
        return STATUS_OK;
    error_clear();
    status = pager_copy(pager, page_number, page);
    if (status != STATUS_CORRUPT && status != STATUS_NOT_FOUND)
        return status;
    /* Freed meanwhile? Then the last map says so. */
    if (pager_page_state(pager, page_number, &state) == STATUS_OK && state == PAGE_STATE_USED)
        return status;
    error_clear();
    return STATUS_MISSING;
}

static enum status
tell(struct pager_backup *backup, uint32_t count)
{
    backup->progress.page_done += count;
    if (backup->progress.page_count < backup->progress.page_done) /* Changed during the pass. */
        backup->progress.page_count = backup->progress.page_done;
    if (backup->on_progress == NULL)
        return STATUS_OK;
    return backup->on_progress(backup->context, &backup->progress);
}

/* Copies `count` pages that lie side by side; those not in `wanted` are left out. */
static enum status
copy_chunk(struct pager_backup *backup, uint32_t first, uint32_t count, uint64_t wanted)
{
    size_t size = 0;
    uint32_t begin = 0;

    CHECK(count > 0 && count <= CHUNK_PAGES && wanted != 0);
    if (io_read_some(backup->pager->file, backup->chunk, (size_t)count * PAGE_SIZE,
                     (uint64_t)first * PAGE_SIZE, &size) != STATUS_OK) {
        error_clear(); /* The pool tells which page it is, and repairs it where it can. */
        size = 0;
    }
    for (uint32_t index = 0; index <= count; index++) {
        bool take = index < count && (wanted >> index & 1) != 0;
        uint8_t *page = backup->chunk + (size_t)index * PAGE_SIZE;

        if (take) {
            enum status status =
                settle_page(backup, first + index, (size_t)(index + 1) * PAGE_SIZE <= size, page);

            if (status != STATUS_OK && status != STATUS_MISSING)
                return status;
            take = status == STATUS_OK;
            if (take)
                backup->csn[first + index] = le64_get(page_header_const(page)->csn);
        }
        if (take)
            continue;
        if (begin < index)
            TRY(io_write(backup->file, backup->chunk + (size_t)begin * PAGE_SIZE,
                         (size_t)(index - begin) * PAGE_SIZE, (uint64_t)(first + begin) * PAGE_SIZE,
                         0));
        begin = index + 1;
    }
    return tell(backup, count);
}

/* Which of the pages are in use now. */
static enum status
used_pages(struct pager_backup *backup, uint32_t first, uint32_t count, uint64_t *out)
{
    uint32_t loaded = PAGE_NONE;

    *out = 0;
    for (uint32_t index = 0; index < count; index++) {
        uint32_t number = first + index;

        if (number < PAGE_CATALOG_ROOT || page_is_map(number))
            continue;
        if (map_page_of(number) != loaded) {
            enum status status = pager_copy(backup->pager, map_page_of(number), backup->map);

            if (status != STATUS_OK && number >= pager_page_count(backup->pager))
                return STATUS_OK; /* The file was shrunk meanwhile. */
            TRY(status);
        }
        loaded = map_page_of(number);
        if (map_entry_get(backup->map, map_index_of(number)).state == PAGE_STATE_USED)
            *out |= UINT64_C(1) << index;
    }
    return STATUS_OK;
}

static enum status
copy_all(struct pager_backup *backup)
{
    uint32_t count = pager_page_count(backup->pager);

    backup->progress.page_count = count;
    for (uint32_t first = 0; first < count; first += CHUNK_PAGES) {
        uint32_t part = count - first < CHUNK_PAGES ? count - first : CHUNK_PAGES;
        uint64_t wanted;

        for (uint32_t index = 0; index < part; index++)
            (void)take_bit(backup, first + index);
        TRY(used_pages(backup, first, part, &wanted));
        if (wanted != 0)
            TRY(copy_chunk(backup, first, part, wanted));
        else
            TRY(tell(backup, part));
    }
    backup->first_done = true;
    return STATUS_OK;
}

/* Is the page in use now? Not if the file was shrunk meanwhile. */
static enum status
is_used(const struct pager_backup *backup, uint32_t page_number, bool *out)
{
    enum page_state state = PAGE_STATE_UNUSED;
    enum status status = pager_page_state(backup->pager, page_number, &state);

    if (status != STATUS_OK && page_number < pager_page_count(backup->pager))
        return status;
    *out = status == STATUS_OK && state == PAGE_STATE_USED;
    return STATUS_OK;
}

static enum status
copy_changed(struct pager_backup *backup)
{
    uint32_t words = pager_page_count(backup->pager) / WORD_BITS + 1;

    backup->progress.page_count = backup->progress.page_done + pager_backup_left(backup);
    for (uint32_t index = 0; index < words; index++) {
        uint64_t wanted = __atomic_exchange_n(&backup->changed[index], 0, __ATOMIC_SEQ_CST);
        uint32_t first = index * WORD_BITS;

        for (uint32_t bit = 0; wanted != 0 && bit < WORD_BITS; bit++) {
            bool used = false;

            if ((wanted >> bit & 1) == 0)
                continue;
            TRY(is_used(backup, first + bit, &used));
            if (used)
                TRY(copy_chunk(backup, first + bit, 1, 1));
            else
                TRY(tell(backup, 1));
        }
    }
    return STATUS_OK;
}

enum status
pager_backup_pass(struct pager_backup *backup)
{
    backup->progress.pass++;
    TRY(backup->first_done ? copy_changed(backup) : copy_all(backup));
    return io_sync(backup->file);
}

/* ---- The copy's own map ------------------------------------------------------------------------- */

static enum status
map_write(struct pager_backup *backup, uint8_t *page)
{
    uint32_t page_number = le32_get(page_header(page)->page_number);

    page_header(page)->csn = le64_of(backup->csn_last);
    page_header(page)->csn_image = le64_of(0);
    page_seal(page, backup->pager->file_id);
    return io_write(backup->file, page, PAGE_SIZE, (uint64_t)page_number * PAGE_SIZE, 0);
}

static enum status
map_group(struct pager_backup *backup, uint32_t map_number)
{
    TRY(pager_copy(backup->pager, map_number, backup->map));
    for (uint32_t index = 0; index < MAP_ENTRY_COUNT; index++) {
        struct map_entry entry = map_entry_get(backup->map, index);
        uint32_t number = map_number + 1 + index;

        if (entry.state != PAGE_STATE_USED || number >= backup->page_count)
            continue;
        if (backup->csn[number] == 0 || backup->csn[number] > backup->csn_last)
            return error_raise(STATUS_CORRUPT,
                               "%s: page %" PRIu32 " carries CSN %" PRIu64 ", which no commit had",
                               backup->pager->path, number, backup->csn[number]);
        entry.csn = backup->csn[number];
        map_entry_set(backup->map, index, entry);
    }
    TRY(map_write(backup, backup->map));
    map_entry_set(backup->level1, map_level1_index_of(map_number),
                  (struct map_entry){.state = PAGE_STATE_MAP, .csn = backup->csn_last});
    return STATUS_OK;
}

static enum status
write_map(struct pager_backup *backup)
{
    uint32_t span = MAP_ENTRY_COUNT * MAP_GROUP_SIZE;

    for (uint64_t first = MAP_FIRST_PAGE; first < backup->page_count; first += span) {
        uint32_t level1 = map_level1_page_of((uint32_t)first);
        uint64_t number = first;

        page_init(backup->level1, level1, 0, PAGE_TYPE_MAP, 1);
        for (uint32_t group = 0; group < MAP_ENTRY_COUNT && number < backup->page_count; group++) {
            TRY(map_group(backup, (uint32_t)number));
            number += MAP_GROUP_SIZE;
        }
        TRY(map_write(backup, backup->level1));
        backup->map_csn[map_meta_index_of(level1)] = backup->csn_last;
    }
    return STATUS_OK;
}

enum status
pager_backup_finish(struct pager_backup *backup)
{
    struct pager *pager = backup->pager;

    CHECK(backup->first_done);
    backup->on_progress = NULL; /* It may want to commit. */
    backup->progress.pass++;
    TRY(copy_changed(backup));
    CHECK(pager_backup_left(backup) == 0);
    backup->page_count = pager_page_count(pager);
    backup->csn_last = pager_csn(pager);
    return write_map(backup);
}

/* ---- The end ------------------------------------------------------------------------------------ */

static enum status
write_meta(struct pager_backup *backup)
{
    struct pager *pager = backup->pager;
    struct meta meta = {
        .file_id = pager->file_id,
        .state = META_CLEAN,
        .redo_csn = backup->csn_last,
        .page_count = backup->page_count,
        .segment_size = pager->options.segment_size,
        .created_ms = pager->created_ms,
        .map_count = pager__map_count_of(backup->page_count),
    };

    memcpy(meta.map_csn, backup->map_csn, sizeof(meta.map_csn));
    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
        meta.sequence = slot + 1;
        meta_encode(&meta, slot, (struct meta_slot *)(backup->chunk + (size_t)slot * PAGE_SIZE));
    }
    return io_write(backup->file, backup->chunk, (size_t)META_SLOT_COUNT * PAGE_SIZE, 0, 0);
}

enum status
pager_backup_publish(struct pager_backup *backup)
{
    struct pager *pager = backup->pager;
    struct io *io = pager->env.io;

    unwatch(backup);
    /* What the copy has is not undone by a crash of the original. */
    if (!pager->read_only)
        TRY(pager_flush(pager, backup->csn_last));
    TRY(io_truncate(backup->file, (uint64_t)backup->page_count * PAGE_SIZE));
    TRY(io_sync(backup->file));
    TRY(write_meta(backup));
    TRY(io_sync(backup->file));
    TRY(refuse_existing(backup));
    TRY(io_rename(io, backup->name.text, backup->path.text));
    backup->published = true;
    return io_sync_dir(io, pager__parent_of(backup->path.text).text);
}
