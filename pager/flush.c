/*
 * The flush protocol: how changed pages reach the file.
 *
 *   copy      under the page's word: bytes to a buffer, csn_dirty moves to csn_flushing
 *   log       the log is made durable up to the highest CSN among the copies (P1)
 *   write     neighbours in one request, requests side by side; all are awaited
 *   sync      once for up to FLUSH_SYNC_MAX pages
 *   witness   a system commit stores the CSNs written in the page map (witness.c)
 *   clean     csn_flushing becomes 0 (P6)
 *
 * A page that is changed while its copy is on the way is dirty and flushing at the same time: it will be
 * flushed again, and until then its oldest unflushed change is known (P7). A page that is still
 * flushing is not copied a second time: what was written is synced and witnessed first. With that and
 * because all writes of a batch are awaited, no page has two writes in flight (P14), and no page is
 * taken for clean with an older witness than what the disk holds.
 *
 * Pages are written in page order, data pages before the map pages that name them, so that one
 * checkpoint writes each map page once.
 *
 * A write or sync that fails is final for the handle. Anything else (no memory, no log space for the
 * witness) leaves the pages dirty or flushing; the next call goes on from there.
 *
 * All functions here but pager__flush_some run with the flush latch held, across I/O.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "pager/pager_private.h"

enum {
    FLUSH_DEPTH_DEFAULT = 128,
    WRITE_RUN_MAX = 16, /* Neighbouring pages in one request. */
    REAP_MAX = 32,
    UNWITNESSED_FIRST = 256,
    COLD_SHARE = 8,     /* Under pressure one page in so many is flushed. */
    PINNED_LOOKS = 100, /* Looks for a frame, with pauses, before the pool is called too small. */
    PINNED_WAIT_NS = 100000,
};

/* Life. */

static uint32_t
flushed_capacity_of(const struct pager *pager)
{
    uint32_t frames = pager->table.frame_count;

    return frames < FLUSH_SYNC_MAX ? frames : FLUSH_SYNC_MAX;
}

enum status
pager__flush_open(struct pager *pager)
{
    struct memory *memory = pager->env.memory;
    uint32_t batch = pager->flush_batch;
    uint32_t depth = pager->options.flush_depth;

    CHECK(batch > 0 && batch <= FLUSH_BATCH_MAX);
    if (depth == 0)
        depth = FLUSH_DEPTH_DEFAULT;
    pager->flush_depth = depth < batch ? depth : batch;
    pager->flushed_capacity = flushed_capacity_of(pager);
    pager->flush_list_capacity = pager->table.frame_count;
    pager->flush_requests = memory_alloc(memory, MEMORY_POOL, batch * sizeof(struct io_request));
    pager->flush_submit = memory_alloc(memory, MEMORY_POOL, batch * sizeof(struct io_request *));
    pager->flush_cold = memory_alloc(memory, MEMORY_POOL, batch * sizeof(uint32_t));
    pager->flush_list =
        memory_alloc(memory, MEMORY_POOL, pager->flush_list_capacity * sizeof(uint32_t));
    pager->flushed =
        memory_alloc(memory, MEMORY_POOL, pager->flushed_capacity * sizeof(struct flushed_page));
    if (pager->flush_requests == NULL || pager->flush_submit == NULL || pager->flush_cold == NULL ||
        pager->flush_list == NULL || pager->flushed == NULL)
        return STATUS_NO_MEMORY;
    return STATUS_OK;
}

void
pager__flush_close(struct pager *pager)
{
    struct memory *memory = pager->env.memory;
    uint32_t batch = pager->flush_batch;

    io_queue_close(pager->queue);
    pager->queue = NULL;
    memory_free(memory, MEMORY_POOL, pager->unwitnessed,
                pager->unwitnessed_capacity * sizeof(struct flushed_page));
    memory_free(memory, MEMORY_POOL, pager->flushed,
                pager->flushed_capacity * sizeof(struct flushed_page));
    memory_free(memory, MEMORY_POOL, pager->flush_list,
                pager->flush_list_capacity * sizeof(uint32_t));
    memory_free(memory, MEMORY_POOL, pager->flush_cold, batch * sizeof(uint32_t));
    memory_free(memory, MEMORY_POOL, pager->flush_submit, batch * sizeof(struct io_request *));
    memory_free(memory, MEMORY_POOL, pager->flush_requests, batch * sizeof(struct io_request));
    pager->unwitnessed = pager->flushed = NULL;
    pager->flush_list = pager->flush_cold = NULL;
    pager->flush_submit = NULL;
    pager->flush_requests = NULL;
}

static enum status
check_usable(struct pager *pager)
{
    CHECK(latch_is_held(&pager->flush_latch));
    CHECK(!pager->read_only);
    if (atomic_load(&pager->failed))
        return error_raise(STATUS_FAILED,
                           "%s: an earlier write failed and nothing more is written: close it and "
                           "open again to recover",
                           pager->path);
    if (pager->queue == NULL)
        TRY(io_queue_open(pager->env.io, pager->flush_depth, &pager->queue));
    return STATUS_OK;
}

/* Choosing pages. */

uint32_t
pager__flush_kind(uint32_t page_number)
{
    if (page_is_map_level0(page_number))
        return FLUSH_MAP0;
    return page_is_map_level1(page_number) ? FLUSH_MAP1 : FLUSH_DATA;
}

static int
compare_pages(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    uint32_t kind_a = pager__flush_kind(a), kind_b = pager__flush_kind(b);

    if (kind_a != kind_b)
        return kind_a < kind_b ? -1 : 1;
    return a < b ? -1 : a > b;
}

/* In flush order, each page once; returns how many are left. */
static uint32_t
sort_pages(uint32_t *page_numbers, uint32_t count)
{
    uint32_t kept = 0;

    qsort(page_numbers, count, sizeof(*page_numbers), compare_pages);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || page_numbers[kept - 1] != page_numbers[i])
            page_numbers[kept++] = page_numbers[i];
    return kept;
}

void
pager__flush_collect(struct pager *pager, uint32_t kind, uint64_t csn_limit)
{
    uint32_t end = pager__frame_end(pager), used = 0;

    CHECK(latch_is_held(&pager->flush_latch));
    CHECK(end <= pager->flush_list_capacity);
    for (uint32_t frame = 1; frame < end; frame++) {
        const struct frame *state = &pager->frame[frame];
        uint64_t csn_dirty = state->csn_dirty;
        uint32_t page_number = state->page_number;

        if (csn_dirty == 0 || csn_dirty > csn_limit || page_number == PAGE_NONE)
            continue;
        if (kind == FLUSH_ALL || pager__flush_kind(page_number) == kind)
            pager->flush_list[used++] = page_number;
    }
    pager->flush_list_used = sort_pages(pager->flush_list, used);
    pager->flush_list_next = 0;
}

/* Adds unpinned dirty pages that would leave next if they were clean, or the others, from the hand on. */
static uint32_t
collect_cold_pass(struct pager *pager, uint32_t used, bool cold)
{
    uint32_t count = pager__frame_end(pager) - 1;
    uint32_t hand = atomic_load_explicit(&pager->clock_hand, memory_order_relaxed);

    for (uint32_t i = 0; i < count && used < pager->flush_batch; i++) {
        uint32_t frame = 1 + (hand % count + i) % count;
        const struct frame *state = &pager->frame[frame];
        uint32_t page_number = state->page_number;

        /* A kept map page becomes no frame for anybody: the checkpoint writes it. */
        if (pager__frame_is_cold(pager, frame) == cold && state->pins == 0 &&
            state->csn_dirty != 0 && page_number != PAGE_NONE && page_number != 0 &&
            !state->is_kept)
            pager->flush_cold[used++] = page_number;
    }
    return used;
}

/* Copying. */

/* The frame a resident page has, without its lock; only the flush itself cares. */
static bool
is_flushing(struct pager *pager, uint32_t page_number)
{
    uint64_t word = atomic_load(&pager->table.words[page_number]);
    uint32_t frame = (uint32_t)(word & WORD_FRAME_MASK);

    return frame != WORD_FRAME_NONE && pager->frame[frame].csn_flushing != 0;
}

static bool
any_is_flushing(struct pager *pager, const uint32_t *page_numbers, uint32_t count)
{
    for (uint32_t i = 0; i < count && pager->flushed_used > 0; i++)
        if (is_flushing(pager, page_numbers[i]))
            return true;
    return false;
}

/* False: the page is not there or not dirty any more. */
static bool
copy_page(struct pager *pager, uint32_t page_number, uint8_t *buffer, struct flushed_page *out)
{
    uint64_t word = pager__word_lock(pager, page_number);
    uint32_t frame = (uint32_t)(word & WORD_FRAME_MASK);
    struct frame *state = &pager->frame[frame];
    bool dirty = frame != WORD_FRAME_NONE && state->csn_dirty != 0;

    if (dirty) {
        CHECK(state->page_number == page_number); /* P15 */
        CHECK(state->csn_flushing == 0);          /* P14 */
        memcpy(buffer, pager__frame_bytes(pager, frame), PAGE_SIZE);
        state->csn_flushing = BUG(DIRTY_CLEARED_AT_WRITE) ? 0 : (uint64_t)state->csn_dirty;
        state->csn_dirty = 0;
        out->page_number = page_number;
        out->frame = frame;
        out->csn = le64_get(page_header_const(buffer)->csn);
    }
    pager__word_unlock_unchanged(pager, page_number, word);
    return dirty;
}

/* Copies into the buffers and behind the entries; `*csn_out` is the highest CSN among them. */
static uint32_t
copy_pages(struct pager *pager, const uint32_t *page_numbers, uint32_t count, uint64_t *csn_out)
{
    uint32_t copied = 0;
    uint64_t csn = 0;

    CHECK(count <= pager->flush_batch);
    CHECK(pager->flushed_used + count <= pager->flushed_capacity);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *buffer = pager->flush_buffers + (size_t)copied * PAGE_SIZE;
        struct flushed_page *entry = &pager->flushed[pager->flushed_used + copied];

        if (!copy_page(pager, page_numbers[i], buffer, entry))
            continue;
        DCHECK(le64_get(page_header_const(buffer)->checksum) ==
               page_checksum(buffer, pager->file_id, page_numbers[i])); /* P2 */
        if (entry->csn > csn)
            csn = entry->csn;
        copied++;
    }
    pager->flushed_used += copied;
    *csn_out = csn;
    return copied;
}

/* Writing. */

static uint32_t
make_requests(struct pager *pager, const struct flushed_page *entries, uint32_t count)
{
    uint32_t used = 0, run = 0;

    for (uint32_t i = 0; i < count; i++) {
        bool joins = i > 0 && run < WRITE_RUN_MAX &&
                     entries[i].page_number == entries[i - 1].page_number + 1;

        if (joins) {
            pager->flush_requests[used - 1].size += PAGE_SIZE;
            run++;
            continue;
        }
        pager->flush_requests[used] = (struct io_request){
            .op = IO_OP_WRITE,
            .file = pager->file,
            .bytes = pager->flush_buffers + (size_t)i * PAGE_SIZE,
            .size = PAGE_SIZE,
            .offset = (uint64_t)entries[i].page_number * PAGE_SIZE,
        };
        pager->flush_submit[used] = &pager->flush_requests[used];
        used++;
        run = 1;
    }
    return used;
}

/* Waits for at least one; a failed write's status stays in `*status`. */
static enum status
reap(struct pager *pager, uint32_t *in_flight, enum status *status)
{
    struct io_request *done[REAP_MAX];
    uint32_t count = 0;

    TRY(io_queue_reap(pager->queue, 1, done, REAP_MAX, &count));
    CHECK(count > 0 && count <= *in_flight);
    for (uint32_t i = 0; i < count; i++)
        if (done[i]->status != STATUS_OK && *status == STATUS_OK && !BUG(WRITE_ERROR_IGNORED))
            *status = done[i]->status;
    *in_flight -= count;
    return STATUS_OK;
}

/* Submits all and awaits all, also when some fail. */
static enum status
write_all(struct pager *pager, uint32_t count)
{
    uint32_t submitted = 0, in_flight = 0;
    enum status status = STATUS_OK;

    while (in_flight > 0 || (submitted < count && status == STATUS_OK)) {
        uint32_t room = pager->flush_depth - in_flight;
        uint32_t step = count - submitted < room ? count - submitted : room;

        if (step > 0 && status == STATUS_OK) {
            status = io_queue_submit(pager->queue, pager->flush_submit + submitted, step);
            if (status == STATUS_OK)
                in_flight += step;
            submitted += step;
        }
        if (in_flight > 0)
            TRY(reap(pager, &in_flight, &status));
    }
    return status;
}

static void
count_writes(struct pager *pager, const struct flushed_page *entries, uint32_t count)
{
    uint32_t maps = 0;

    for (uint32_t i = 0; i < count; i++)
        maps += page_is_map(entries[i].page_number);
    PAGER_COUNT(pager, page_write_count, count);
    PAGER_COUNT(pager, map_write_count, maps);
}

static enum status
flush_batch(struct pager *pager, const uint32_t *page_numbers, uint32_t count)
{
    const struct flushed_page *entries = pager->flushed + pager->flushed_used;
    uint64_t csn;
    uint32_t copied = copy_pages(pager, page_numbers, count, &csn);
    enum status status;

    if (copied == 0)
        return STATUS_OK;
    if (csn > wal_csn_durable(pager->wal) && !pager->recovering && !BUG(PAGE_BEFORE_LOG)) {
        status = wal_flush(pager->wal, csn);
        if (status != STATUS_OK)
            return pager__fail(pager, status, "flushing the log before pages");
        CHECK(csn <= wal_csn_durable(pager->wal)); /* P1 */
    }
    status = write_all(pager, make_requests(pager, entries, copied));
    if (status != STATUS_OK)
        return pager__fail(pager, status, "writing pages");
    count_writes(pager, entries, copied);
    return STATUS_OK;
}

enum status
pager__flush_pages(struct pager *pager, const uint32_t *page_numbers, uint32_t count)
{
    TRY(check_usable(pager));
    for (uint32_t done = 0; done < count;) {
        uint32_t left = count - done;
        uint32_t step = left < pager->flush_batch ? left : pager->flush_batch;

        if (pager->flushed_used + step > pager->flushed_capacity ||
            any_is_flushing(pager, page_numbers + done, step))
            TRY(pager__flush_finish(pager));
        TRY(flush_batch(pager, page_numbers + done, step));
        done += step;
    }
    return STATUS_OK;
}

/* After the writes. */

void
pager__flushed(struct pager *pager, const struct flushed_page *entry)
{
    if (entry->frame == WORD_FRAME_NONE)
        return;
    uint64_t word = pager__word_lock(pager, entry->page_number);
    if ((word & WORD_FRAME_MASK) == entry->frame) {
        struct frame *state = &pager->frame[entry->frame];
        state->csn_flushing = 0;
        if (BUG(DIRTY_LOST_ON_REDIRTY))
            state->csn_dirty = 0;
    }
    pager__word_unlock_unchanged(pager, entry->page_number, word);
}

static enum status
sync_written(struct pager *pager)
{
    enum status status;

    if (pager->flushed_synced == pager->flushed_used)
        return STATUS_OK;
    status = io_sync(pager->file);
    if (status != STATUS_OK)
        return pager__fail(pager, status, "syncing the file");
    PAGER_COUNT(pager, sync_count, 1);
    pager->flushed_synced = pager->flushed_used;
    return STATUS_OK;
}

static enum status
unwitnessed_reserve(struct pager *pager, uint32_t count)
{
    struct memory *memory = pager->env.memory;
    uint32_t capacity = pager->unwitnessed_capacity, wanted = capacity;

    while (wanted < pager->unwitnessed_used + count)
        wanted = wanted == 0 ? UNWITNESSED_FIRST : 2 * wanted;
    if (wanted == capacity)
        return STATUS_OK;
    size_t size = (size_t)wanted * sizeof(struct flushed_page);
    void *grown = capacity == 0 ? memory_alloc(memory, MEMORY_POOL, size)
                                : memory_resize(memory, MEMORY_POOL, pager->unwitnessed,
                                                capacity * sizeof(struct flushed_page), size);
    if (grown == NULL)
        return STATUS_NO_MEMORY;
    pager->unwitnessed = grown;
    pager->unwitnessed_capacity = wanted;
    return STATUS_OK;
}

/* During recovery there is no log to commit to: the witnesses wait for pager__flush_witness. */
static enum status
keep_unwitnessed(struct pager *pager)
{
    TRY(unwitnessed_reserve(pager, pager->flushed_used));
    for (uint32_t i = 0; i < pager->flushed_used; i++) {
        struct flushed_page *kept = &pager->unwitnessed[pager->unwitnessed_used++];

        *kept = pager->flushed[i];
        kept->frame = WORD_FRAME_NONE;
        pager__flushed(pager, &pager->flushed[i]);
    }
    pager->flushed_used = pager->flushed_synced = 0;
    return STATUS_OK;
}

/* Takes the first `done` entries off a list. */
static void
forget_first(struct flushed_page *entries, uint32_t *used, uint32_t done)
{
    CHECK(done <= *used);
    memmove(entries, entries + done, (*used - done) * sizeof(*entries));
    *used -= done;
}

enum status
pager__flush_finish(struct pager *pager)
{
    uint32_t done = 0;
    enum status status;

    if (pager->flushed_used == 0)
        return STATUS_OK;
    TRY(check_usable(pager));
    TRY(sync_written(pager));
    if (pager->recovering)
        return keep_unwitnessed(pager);
    status = pager__witness_commit(pager, pager->flushed, pager->flushed_used, &done);
    forget_first(pager->flushed, &pager->flushed_used, done);
    pager->flushed_synced = pager->flushed_used;
    return status;
}

/* The same page may have been flushed more than once: its last CSN comes last. Map pages come before
 * what they describe: they may have left the pool, and are read with the witness they get here. */
static int
compare_flushed(const void *left, const void *right)
{
    const struct flushed_page *a = left, *b = right;
    uint32_t kind_a = pager__flush_kind(a->page_number);
    uint32_t kind_b = pager__flush_kind(b->page_number);

    if (kind_a != kind_b)
        return kind_a > kind_b ? -1 : 1;
    if (a->page_number != b->page_number)
        return a->page_number < b->page_number ? -1 : 1;
    return a->csn < b->csn ? -1 : a->csn > b->csn;
}

/* How many at the list's front are of one kind. */
static uint32_t
count_kind(const struct flushed_page *entries, uint32_t used)
{
    uint32_t count = 1;

    while (count < used && pager__flush_kind(entries[count].page_number) ==
                               pager__flush_kind(entries[0].page_number))
        count++;
    return count;
}

enum status
pager__flush_witness(struct pager *pager)
{
    enum status status = STATUS_OK;

    CHECK(latch_is_held(&pager->flush_latch) && !pager->recovering);
    if (pager->unwitnessed_used > 0)
        qsort(pager->unwitnessed, pager->unwitnessed_used, sizeof(*pager->unwitnessed),
              compare_flushed);
    while (pager->unwitnessed_used > 0 && status == STATUS_OK) {
        uint32_t count = count_kind(pager->unwitnessed, pager->unwitnessed_used);
        uint32_t done = 0;

        status = pager__witness_commit(pager, pager->unwitnessed, count, &done);
        forget_first(pager->unwitnessed, &pager->unwitnessed_used, done);
    }
    return status;
}

/* Pressure. */

static bool
can_take_frame(struct pager *pager)
{
    uint32_t end = pager__frame_end(pager);
    bool found = pager__has_free_frames(pager);

    for (uint32_t frame = 1; frame < end && !found; frame++)
        found = pager__frame_is_evictable(&pager->frame[frame]);
    return found;
}

/* The coldest dirty pages, a batch of them; how many. */
static uint32_t
collect_cold(struct pager *pager)
{
    uint32_t used = collect_cold_pass(pager, 0, true);

    used = collect_cold_pass(pager, used, false);
    return sort_pages(pager->flush_cold, used);
}

/* A good part of the pool at once: with few clean pages those that a transaction brings in one by one push
 * each other out again before it has them all. One sync serves all batches. */
static enum status
flush_cold(struct pager *pager)
{
    uint32_t wanted = atomic_load(&pager->pool_frames) / COLD_SHARE;
    uint32_t used = collect_cold(pager);
    uint32_t flushed = used;

    if (used == 0 && pager->flushed_used == 0) {
        if (can_take_frame(pager))
            return STATUS_OK;
        return error_raise(STATUS_FULL,
                           "%s: all %" PRIu32 " pages of the pool are pinned: open with a larger "
                           "pool or use fewer pages at a time",
                           pager->path, atomic_load(&pager->pool_frames));
    }
    TRY(pager__flush_pages(pager, pager->flush_cold, used));
    while (used > 0 && flushed < wanted) {
        used = collect_cold(pager);
        TRY(pager__flush_pages(pager, pager->flush_cold, used));
        flushed += used;
    }
    TRY(pager__flush_finish(pager));
    atomic_fetch_add(&pager->flush_count, 1);
    return STATUS_OK;
}

enum status
pager__flush_some(struct pager *pager)
{
    uint32_t seen = atomic_load(&pager->flush_count);
    struct event nothing = {0};
    enum status status = STATUS_OK;

    if (pager->read_only) {
        if (can_take_frame(pager))
            return STATUS_OK;
        return error_raise(STATUS_FULL,
                           "%s: the pool of %" PRIu32 " pages holds only pages recovered in "
                           "memory or pinned: open with a larger pool, or for writing",
                           pager->path, atomic_load(&pager->pool_frames));
    }
    /* Other threads' pins are short as a rule: only what stays for a while is a pool too small. */
    for (int look = 0; look < PINNED_LOOKS; look++) {
        latch_lock(&pager->flush_latch);
        status = atomic_load(&pager->flush_count) == seen ? flush_cold(pager) : STATUS_OK;
        latch_unlock(&pager->flush_latch);
        if (status != STATUS_FULL || pager_is_failed(pager))
            break;
        (void)event_wait_for(&nothing, event_count(&nothing), PINNED_WAIT_NS);
    }
    return status;
}
