/*
 * A new database file: five pages, both slots clean.
 *
 *   page 0, 1  meta slots
 *   page 2     map page: page 3 is a map page, page 4 in use
 *   page 3     level-1 map page: page 2 is a map page
 *   page 4     the catalog's root, empty, of type PAGE_TYPE_NONE until the catalog is made
 *
 * Creation counts as commit 1, so every page has a witness. The file is built under a name of its
 * own, NAME-new, and appears under its real name complete and durable or not at all.
 *
 * Two processes may try at once. Who has the lock on NAME-new and finds that NAME does not exist may
 * build: the name can only have come from one who held the lock before, and it is looked for after
 * the lock was obtained. A NAME-new left by a crash is simply built anew.
 */
#include "pager/open_private.h"

enum { CREATE_CSN = 1, CREATE_PAGES = PAGE_COUNT_MIN };

#define NEW_SUFFIX "-new"

static void
map_entry_put(uint8_t *pages, uint32_t map_page, uint32_t index, enum page_state state,
              uint64_t csn)
{
    struct map_entry entry = {.state = state, .csn = csn};

    map_entry_set(pages + (size_t)map_page * PAGE_SIZE, index, entry);
}

static void
page_put(uint8_t *pages, uint32_t page_number, enum page_type type, uint8_t level)
{
    uint8_t *page = pages + (size_t)page_number * PAGE_SIZE;

    page_init(page, page_number, 0, type, level);
    page_header(page)->csn = le64_of(CREATE_CSN);
}

static void
build(const struct meta *first, uint8_t *pages)
{
    struct meta meta = *first;

    page_put(pages, MAP_FIRST_PAGE, PAGE_TYPE_MAP, 0);
    page_put(pages, MAP_LEVEL1_FIRST_PAGE, PAGE_TYPE_MAP, 1);
    page_put(pages, PAGE_CATALOG_ROOT, PAGE_TYPE_NONE, 0);
    map_entry_put(pages, MAP_FIRST_PAGE, map_index_of(MAP_LEVEL1_FIRST_PAGE), PAGE_STATE_MAP, 0);
    map_entry_put(pages, MAP_FIRST_PAGE, map_index_of(PAGE_CATALOG_ROOT), PAGE_STATE_USED,
                  CREATE_CSN);
    map_entry_put(pages, MAP_LEVEL1_FIRST_PAGE, map_level1_index_of(MAP_FIRST_PAGE), PAGE_STATE_MAP,
                  CREATE_CSN);
    for (uint32_t number = MAP_FIRST_PAGE; number < CREATE_PAGES; number++)
        page_seal(pages + (size_t)number * PAGE_SIZE, meta.file_id);
    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
        meta.sequence = slot + 1;
        meta_encode(&meta, slot, (struct meta_slot *)(pages + (size_t)slot * PAGE_SIZE));
    }
}

static void
draw_meta(struct pager *pager, struct meta *out)
{
    uint64_t file_id = pager->options.file_id;

    while (file_id == 0)
        io_random(pager->env.io, &file_id, sizeof(file_id));
    memset(out, 0, sizeof(*out));
    out->file_id = file_id;
    out->state = META_CLEAN;
    out->redo_csn = CREATE_CSN;
    out->page_count = CREATE_PAGES;
    out->segment_size = pager->options.segment_size;
    out->created_ms = io_time_ns(pager->env.io) / 1000000;
    out->map_count = 1;
    out->map_csn[0] = CREATE_CSN;
}

static enum status
write_pages(struct pager *pager, struct io_file *file)
{
    struct memory *memory = pager->env.memory;
    size_t size = (size_t)CREATE_PAGES * PAGE_SIZE;
    uint8_t *pages = memory_alloc_aligned(memory, MEMORY_POOL, size, IO_BLOCK_SIZE);
    enum status status;
    struct meta meta;

    if (pages == NULL)
        return STATUS_NO_MEMORY;
    draw_meta(pager, &meta);
    build(&meta, pages);
    status = io_truncate(file, 0);
    if (status == STATUS_OK)
        status = io_write(file, pages, size, 0, 0);
    if (status == STATUS_OK)
        status = io_sync(file);
    memory_free(memory, MEMORY_POOL, pages, size);
    return status;
}

/* Whether there is something under the real name; it is left to the open that follows. */
static enum status
exists(struct pager *pager, bool *out)
{
    struct io_file *file;
    enum status status = io_open(pager->env.io, pager->path, 0, &file);

    *out = status == STATUS_OK;
    if (status == STATUS_OK)
        io_close(file);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The name is ours under its lock. */
static enum status
build_and_rename(struct pager *pager, struct io_file *file, const char *name)
{
    bool there;

    TRY(exists(pager, &there));
    if (there)
        return io_remove(pager->env.io, name);
    TRY(write_pages(pager, file));
    TRY(io_rename(pager->env.io, name, pager->path));
    return io_sync_dir(pager->env.io, pager__parent_of(pager->path).text);
}

enum status
pager__create(struct pager *pager)
{
    struct pager_path name;
    struct io_file *file;
    uint64_t holder;

    TRY(pager__path_with(pager->path, NEW_SUFFIX, &name));
    TRY(io_open(pager->env.io, name.text, IO_WRITE | IO_CREATE, &file));
    enum status status = io_lock(file, IO_LOCK_EXCLUSIVE, &holder);
    if (status == STATUS_BUSY)
        status = error_raise(STATUS_BUSY, "%s is being created by another process: try again",
                             pager->path);
    if (status == STATUS_OK)
        status = build_and_rename(pager, file, name.text);
    io_close(file);
    return status;
}
