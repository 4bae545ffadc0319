/*
 * Writing pages directly (rule L4; direct.c says which).
 *
 * A writer copies and seals what it is given into stages. A stage is written as soon as it is full or the
 * next page does not follow its last, while the caller makes more pages; who comes round to a stage that
 * is still being written waits for it. One sync at the end covers them all. A writer that nobody uses
 * is kept for the next one: its buffers and its queue cost more than a small run of pages.
 *
 * The CSN in the page is that of a commit before it was written: a lower bound of when the page appeared,
 * which PAGE_FLAG_DIRECT says, and higher than that of any earlier write to the place. A page may be
 * written directly, given back, reserved and written again, even by the handle that comes after a
 * crash; so no two writers use the same CSN: an empty commit of the pager's own goes between them where
 * there was no other, and it is durable before the pages are written. Else a lost second write would
 * leave the first, and nothing would tell them apart. One writer keeps its CSN for all pages that were
 * reserved before there was a later commit (csn_least), and takes another for the others.
 */
#include "pager/pager_private.h"

enum {
    STAGE_PAGES = 128, /* Pages written with one call where they lie side by side. */
    STAGE_COUNT = 4,
    STAGE_SIZE = STAGE_PAGES * PAGE_SIZE,
};

struct pager_direct {
    struct pager *pager;
    struct io_queue *queue;
    uint8_t *bytes; /* STAGE_COUNT stages. */
    uint64_t csn;   /* Of the pages being written; 0: none was taken yet. */
    uint32_t stage; /* Being filled, with `used` pages from `first` on. */
    uint32_t used;
    uint32_t first;
    enum status status; /* Of the first write that failed. */
    bool busy[STAGE_COUNT];
    struct io_request request[STAGE_COUNT];
};

/* ---- Life --------------------------------------------------------------------------------------- */

static void
writer_free(struct pager_direct *direct)
{
    if (direct == NULL)
        return;
    struct memory *memory = direct->pager->env.memory;

    io_queue_close(direct->queue);
    memory_free(memory, MEMORY_POOL, direct->bytes, (size_t)STAGE_COUNT * STAGE_SIZE);
    memory_free(memory, MEMORY_POOL, direct, sizeof(*direct));
}

static enum status
writer_new(struct pager *pager, struct pager_direct **out)
{
    struct memory *memory = pager->env.memory;
    struct pager_direct *direct = memory_alloc(memory, MEMORY_POOL, sizeof(*direct));
    enum status status = STATUS_NO_MEMORY;

    if (direct == NULL)
        return STATUS_NO_MEMORY;
    direct->pager = pager;
    direct->bytes =
        memory_alloc_aligned(memory, MEMORY_POOL, (size_t)STAGE_COUNT * STAGE_SIZE, IO_BLOCK_SIZE);
    if (direct->bytes == NULL)
        goto out;
    TRY_OUT(io_queue_open(pager->env.io, STAGE_COUNT, &direct->queue));
    *out = direct;
    return STATUS_OK;
out:
    writer_free(direct);
    return status;
}

enum status
pager_direct_begin(struct pager *pager, struct pager_direct **out)
{
    if (pager->read_only)
        return error_raise(STATUS_READONLY, "%s: opened read-only", pager->path);
    if (pager_is_failed(pager))
        return error_raise(STATUS_FAILED, "%s: an earlier write failed", pager->path);
    if (__atomic_load_n(&pager->wal, __ATOMIC_ACQUIRE) == NULL)
        TRY(pager__begin_writing(pager));
    *out = atomic_exchange(&pager->direct_idle, NULL);
    return *out != NULL ? STATUS_OK : writer_new(pager, out);
}

/* Waits until at most `count` writes are under way. */
static void
wait_for(struct pager_direct *direct, uint32_t count)
{
    while (direct->queue->in_flight > count) {
        struct io_request *request = NULL;
        uint32_t reaped = 0;
        enum status status = io_queue_reap(direct->queue, 1, &request, 1, &reaped);

        CHECK(status == STATUS_OK && reaped == 1);
        direct->busy[request - direct->request] = false;
        if (direct->status == STATUS_OK)
            direct->status = request->status;
    }
}

void
pager_direct_end(struct pager_direct *direct)
{
    if (direct == NULL)
        return;
    wait_for(direct, 0);
    direct->csn = 0;
    direct->used = 0;
    direct->status = STATUS_OK;
    writer_free(atomic_exchange(&direct->pager->direct_idle, direct));
}

void
pager__direct_write_close(struct pager *pager)
{
    writer_free(atomic_exchange(&pager->direct_idle, NULL));
}

/* ---- CSNs --------------------------------------------------------------------------------------- */

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

/* ---- Writing ------------------------------------------------------------------------------------ */

static enum status
refuse(struct pager_direct *direct, enum status status)
{
    return pager__fail(direct->pager, status, "writing pages directly");
}

/* Sends the stage off and finds one that is free. */
static enum status
stage_write(struct pager_direct *direct)
{
    struct io_request *request = &direct->request[direct->stage];

    if (direct->used == 0)
        return STATUS_OK;
    CHECK(!direct->busy[direct->stage]);
    *request = (struct io_request){
        .op = IO_OP_WRITE,
        .file = direct->pager->file,
        .bytes = direct->bytes + (size_t)direct->stage * STAGE_SIZE,
        .size = (size_t)direct->used * PAGE_SIZE,
        .offset = (uint64_t)direct->first * PAGE_SIZE,
    };
    PAGER_COUNT(direct->pager, page_write_count, direct->used);
    direct->used = 0;
    enum status status = io_queue_submit(direct->queue, &request, 1);

    if (status != STATUS_OK)
        return refuse(direct, status);
    direct->busy[direct->stage] = true;
    direct->stage = (direct->stage + 1) % STAGE_COUNT;
    while (direct->busy[direct->stage])
        wait_for(direct, direct->queue->in_flight - 1);
    return direct->status == STATUS_OK ? STATUS_OK : refuse(direct, direct->status);
}

/* Whether the page may have the writer's CSN. Its entry in the set may move under others' hands. */
static bool
csn_will_do(struct pager_direct *direct, uint32_t page_number)
{
    struct pager *pager = direct->pager;

    latch_lock(&pager->commit_latch);
    const struct direct_page *page = pager__direct_find(pager, page_number);

    CHECK(page != NULL && !page->written);
    bool will_do = direct->csn > 0 && page->csn_least <= direct->csn;

    latch_unlock(&pager->commit_latch);
    return will_do;
}

/* Copies and seals one page; remembers what its RESET will say. */
static void
stage_page(struct pager_direct *direct, uint32_t page_number, const void *page)
{
    struct pager *pager = direct->pager;
    uint8_t *staged =
        direct->bytes + (size_t)direct->stage * STAGE_SIZE + (size_t)direct->used * PAGE_SIZE;
    struct page_header *header = page_header(staged);

    memcpy(staged, page, PAGE_SIZE);
    CHECK(le32_get(header->page_number) == page_number);
    header->csn = le64_of(direct->csn);
    header->csn_image = le64_of(0);
    header->flags |= PAGE_FLAG_DIRECT;
    page_seal(staged, pager->file_id);
    latch_lock(&pager->commit_latch);
    struct direct_page *entry = pager__direct_find(pager, page_number);

    CHECK(entry != NULL);
    entry->csn = direct->csn;
    entry->checksum = le64_get(header->checksum);
    latch_unlock(&pager->commit_latch);
    direct->used++;
}

enum status
pager_direct_put(struct pager_direct *direct, uint32_t page_number, const void *page)
{
    if (!csn_will_do(direct, page_number)) {
        TRY(take_csn(direct->pager, &direct->csn));
        CHECK(csn_will_do(direct, page_number));
    }
    if (direct->used == STAGE_PAGES ||
        (direct->used > 0 && page_number != direct->first + direct->used))
        TRY(stage_write(direct));
    if (direct->used == 0)
        direct->first = page_number;
    stage_page(direct, page_number, page);
    return STATUS_OK;
}

enum status
pager_direct_finish(struct pager_direct *direct, uint32_t count, const uint32_t *page_numbers)
{
    struct pager *pager = direct->pager;

    TRY(stage_write(direct));
    wait_for(direct, 0);
    if (direct->status != STATUS_OK)
        return refuse(direct, direct->status);
    if (!BUG(DIRECT_WRITE_NOT_SYNCED)) {
        enum status status;

        PAGER_COUNT(pager, sync_count, 1);
        status = io_sync(pager->file);
        if (status != STATUS_OK)
            return refuse(direct, status);
    }
    latch_lock(&pager->commit_latch);
    for (uint32_t index = 0; index < count; index++) {
        struct direct_page *page = pager__direct_find(pager, page_numbers[index]);

        CHECK(page != NULL && page->csn > 0);
        page->written = true;
    }
    latch_unlock(&pager->commit_latch);
    return STATUS_OK;
}

enum status
pager_direct_write(struct pager *pager, uint32_t count, const uint32_t *page_numbers,
                   void *const *pages)
{
    enum status status = STATUS_OK;
    struct pager_direct *direct = NULL;

    if (count == 0)
        return STATUS_OK;
    TRY(pager_direct_begin(pager, &direct));
    CHECK(direct != NULL);
    for (uint32_t index = 0; index < count && status == STATUS_OK; index++)
        status = pager_direct_put(direct, page_numbers[index], pages[index]);
    if (status == STATUS_OK)
        status = pager_direct_finish(direct, count, page_numbers);
    pager_direct_end(direct);
    return status;
}
