/*
 * Goal: prove the flush protocol: log before page, one write of a page at a time, clean only after
 * sync and witness, a change during the flush kept, a failure final.
 * Method: the simulated disk shows every operation before and after it takes effect. A watcher checks
 * the order rules at each one and, in one test, changes pages in the middle of their own flush.
 */
#include <criterion/criterion.h>

#include "kernel/base/random.h"
#include "pager/pager_private.h"
#include "tests/support/pager_rig.h"

enum { PAGES = 30, FIRST = PAGE_CATALOG_ROOT + 1, SPREAD_GROUPS = 80 };

/* What the watcher knows. */
struct watch {
    struct pager_rig *rig;
    uint32_t in_flight[1 << 16]; /* Writes of each page under way. */
    uint32_t write_count;        /* Requests to pages, done. */
    uint32_t sync_count;         /* Of the data file, done. */
    uint32_t redirty;            /* Page to change when it is seen being written; 0: none. */
    bool ordered;                /* A sync came after every write. */
};

static uint32_t
frame_of(const struct pager *pager, uint32_t page_number)
{
    return (uint32_t)(atomic_load(&pager->table.words[page_number]) & WORD_FRAME_MASK);
}

static struct frame *
state_of(const struct pager *pager, uint32_t page_number)
{
    cr_assert_neq(frame_of(pager, page_number), 0);
    return &pager->frame[frame_of(pager, page_number)];
}

static void
watch_page_write(struct watch *watch, uint32_t page_number, const uint8_t *bytes, bool done)
{
    struct pager *pager = watch->rig->pager;

    if (done) {
        watch->in_flight[page_number]--;
        return;
    }
    /* P14 */
    cr_assert_eq(watch->in_flight[page_number]++, 0, "page %u is being written", page_number);
    /* P1 */
    cr_assert_leq(le64_get(page_header_const(bytes)->csn), pager_csn_durable(pager));
    /* P2 */
    cr_assert_eq(le64_get(page_header_const(bytes)->checksum),
                 page_checksum(bytes, pager->file_id, page_number));
    /* P6 */
    if (frame_of(pager, page_number) != 0)
        cr_assert_neq(state_of(pager, page_number)->csn_flushing, 0);
}

static void
watch_event(void *context, const struct io_sim_event *event)
{
    struct watch *watch = context;

    if (strcmp(event->path, RIG_PATH) != 0)
        return;
    if (event->op == IO_SIM_SYNC && event->done) {
        watch->sync_count++;
        watch->ordered = true;
    }
    if (event->op != IO_SIM_WRITE || event->offset < MAP_FIRST_PAGE * PAGE_SIZE)
        return;
    watch->ordered = false;
    watch->write_count += event->done;
    for (uint64_t at = 0; at < event->size; at += PAGE_SIZE) {
        uint32_t page_number = (uint32_t)((event->offset + at) / PAGE_SIZE);
        watch_page_write(watch, page_number, (const uint8_t *)event->bytes + at, event->done);
        if (page_number == watch->redirty && !event->done) {
            watch->redirty = 0;
            pager_rig_set(watch->rig, page_number, 4711);
        }
    }
}

static struct watch *
watch_new(struct pager_rig *rig)
{
    struct watch *watch = memory_alloc(rig->memory, MEMORY_OTHER, sizeof(*watch));

    watch->rig = rig;
    io_sim_watch(rig->io, watch_event, watch);
    return watch;
}

static void
watch_free(struct watch *watch)
{
    struct pager_rig *rig = watch->rig;

    io_sim_watch(rig->io, NULL, NULL);
    memory_free(rig->memory, MEMORY_OTHER, watch, sizeof(*watch));
}

/* PAGES pages, all dirty. */
static void
build(struct pager_rig *rig)
{
    bool more;

    pager_rig_init(rig, 1);
    pager_rig_open(rig);
    for (uint32_t i = 0; i < PAGES; i++)
        cr_assert_eq(pager_rig_allocate(rig, i), FIRST + i);
    MUST(pager_work(rig->pager, &more));
}

static enum status
flush_pages(struct pager *pager, uint32_t first, uint32_t count)
{
    uint32_t numbers[PAGES];
    enum status status;

    for (uint32_t i = 0; i < count; i++)
        numbers[i] = first + i;
    latch_lock(&pager->flush_latch);
    status = pager__flush_pages(pager, numbers, count);
    latch_unlock(&pager->flush_latch);
    return status;
}

static enum status
flush_finish(struct pager *pager)
{
    enum status status;

    latch_lock(&pager->flush_latch);
    status = pager__flush_finish(pager);
    latch_unlock(&pager->flush_latch);
    return status;
}

static struct map_entry
entry_of(struct pager_rig *rig, uint32_t page_number)
{
    uint8_t map[PAGE_SIZE];

    MUST(pager_copy(rig->pager, map_page_of(page_number), map));
    return map_entry_get(map, map_index_of(page_number));
}

static uint64_t
csn_of(struct pager_rig *rig, uint32_t page_number)
{
    uint8_t page[PAGE_SIZE];

    MUST(pager_copy(rig->pager, page_number, page));
    return le64_get(page_header_const(page)->csn);
}

/* covers: P1, P2 */
Test(flush, makes_the_log_durable_before_a_page_of_it_is_written)
{
    struct pager_rig rig;

    build(&rig);
    struct watch *watch = watch_new(&rig);
    uint64_t csn = pager_rig_set(&rig, FIRST, 5);
    cr_assert_lt(pager_csn_durable(rig.pager), csn, "nobody asked for it yet");
    MUST(flush_pages(rig.pager, FIRST, PAGES));
    cr_assert_geq(pager_csn_durable(rig.pager), csn);
    cr_assert_gt(watch->write_count, 0);
    MUST(flush_finish(rig.pager));
    watch_free(watch);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* covers: P6 */
Test(flush, takes_a_page_for_clean_only_after_sync_and_witness)
{
    struct pager_rig rig;

    build(&rig);
    struct watch *watch = watch_new(&rig);
    MUST(flush_pages(rig.pager, FIRST, PAGES));
    cr_assert_eq(watch->sync_count, 0);
    for (uint32_t i = 0; i < PAGES; i++) {
        cr_assert_eq(state_of(rig.pager, FIRST + i)->csn_dirty, 0);
        cr_assert_neq(state_of(rig.pager, FIRST + i)->csn_flushing, 0);
        cr_assert_eq(entry_of(&rig, FIRST + i).csn, 0, "not witnessed yet");
    }
    MUST(flush_finish(rig.pager));
    cr_assert_eq(watch->sync_count, 1, "one for all");
    for (uint32_t i = 0; i < PAGES; i++) {
        cr_assert_eq(state_of(rig.pager, FIRST + i)->csn_flushing, 0);
        cr_assert_eq(entry_of(&rig, FIRST + i).csn, csn_of(&rig, FIRST + i));
    }
    watch_free(watch);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* covers: P6, P7 */
Test(flush, keeps_a_change_that_came_while_the_page_was_written)
{
    struct pager_rig rig;

    build(&rig);
    struct watch *watch = watch_new(&rig);
    uint64_t first = state_of(rig.pager, FIRST)->csn_dirty;
    watch->redirty = FIRST;
    MUST(flush_pages(rig.pager, FIRST, 1));
    cr_assert_eq(watch->redirty, 0, "the change came in between");
    cr_assert_eq(state_of(rig.pager, FIRST)->csn_flushing, first);
    cr_assert_gt(state_of(rig.pager, FIRST)->csn_dirty, first);
    MUST(flush_finish(rig.pager));
    cr_assert_gt(state_of(rig.pager, FIRST)->csn_dirty, first, "it is dirty still");
    cr_assert_lt(entry_of(&rig, FIRST).csn, csn_of(&rig, FIRST), "the witness is of the write");

    pager_rig_evict(&rig, FIRST);
    cr_assert_eq(pager_rig_get(&rig, FIRST), 4711);
    watch_free(watch);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* covers: P14 */
Test(flush, finishes_a_write_before_the_next_one_of_the_same_page)
{
    struct pager_rig rig;

    build(&rig);
    struct watch *watch = watch_new(&rig);
    MUST(flush_pages(rig.pager, FIRST, PAGES));
    pager_rig_set(&rig, FIRST + 2, 4711);
    cr_assert_eq(watch->sync_count, 0);
    MUST(flush_pages(rig.pager, FIRST + 2, 1));
    cr_assert_eq(watch->sync_count, 1, "the first write is synced and witnessed before the second");
    MUST(flush_finish(rig.pager));
    cr_assert_eq(watch->sync_count, 2);
    cr_assert_eq(entry_of(&rig, FIRST + 2).csn, csn_of(&rig, FIRST + 2));
    watch_free(watch);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* covers: P1, P2, P6, P14 */
Test(flush, keeps_its_order_through_random_work)
{
    struct random random;
    struct pager_rig rig;
    uint64_t values[PAGES];
    bool more;

    build(&rig);
    struct watch *watch = watch_new(&rig);
    random_init(&random, 3);
    for (uint32_t i = 0; i < PAGES; i++)
        values[i] = i;
    for (int round = 0; round < 3000; round++) {
        uint32_t i = (uint32_t)random_below(&random, PAGES);
        uint32_t count = 1 + (uint32_t)random_below(&random, PAGES - i);

        switch (random_below(&random, 8)) {
        case 0:
            MUST(flush_pages(rig.pager, FIRST + i, count));
            break;
        case 1:
            MUST(flush_finish(rig.pager));
            break;
        case 2:
            MUST(pager_work(rig.pager, &more));
            break;
        case 3:
            cr_assert_eq(pager_rig_get(&rig, FIRST + i), values[i]);
            break;
        default:
            values[i] = random_u64(&random);
            pager_rig_set(&rig, FIRST + i, values[i]);
            break;
        }
    }
    cr_assert_gt(watch->write_count, 100);
    watch_free(watch);
    pager_rig_close(&rig);
    pager_rig_open(&rig);
    for (uint32_t i = 0; i < PAGES; i++)
        cr_assert_eq(pager_rig_get(&rig, FIRST + i), values[i]);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(flush, writes_neighbours_together)
{
    struct pager_statistics before, after;
    struct pager_rig rig;

    build(&rig);
    pager_get_statistics(rig.pager, &before);
    struct watch *watch = watch_new(&rig);
    MUST(flush_pages(rig.pager, FIRST, 16));
    cr_assert_eq(watch->write_count, 1);
    pager_get_statistics(rig.pager, &after);
    cr_assert_eq(after.page_write_count - before.page_write_count, 16);
    MUST(flush_finish(rig.pager));
    MUST(flush_pages(rig.pager, FIRST, 16));
    cr_assert_eq(watch->write_count, 1, "clean pages are not written again");
    watch_free(watch);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(flush, leaves_a_page_freed_meanwhile_alone)
{
    struct pager_rig rig;

    build(&rig);
    struct watch *watch = watch_new(&rig);
    MUST(flush_pages(rig.pager, FIRST, PAGES));
    pager_rig_free(&rig, FIRST + 3);
    pager_rig_free(&rig, FIRST + 4);
    uint64_t csn_free = entry_of(&rig, FIRST + 3).csn;
    uint64_t csn_freed = entry_of(&rig, FIRST + 4).csn;
    uint32_t reused = pager_rig_allocate(&rig, 99);
    cr_assert_eq(reused, FIRST + 4, "the number freed last is given out first");
    uint64_t csn_reused = state_of(rig.pager, reused)->csn_dirty;
    MUST(flush_finish(rig.pager));
    cr_assert_eq(entry_of(&rig, FIRST + 3).state, PAGE_STATE_FREE);
    cr_assert_eq(entry_of(&rig, FIRST + 3).csn, csn_free, "of the free, not of the flush");
    cr_assert_eq(entry_of(&rig, FIRST + 4).state, PAGE_STATE_USED);
    cr_assert_eq(state_of(rig.pager, reused)->csn_dirty, csn_reused, "its new life is not flushed");
    cr_assert_gt(csn_reused, csn_freed);
    MUST(flush_pages(rig.pager, FIRST, PAGES));
    MUST(flush_finish(rig.pager));
    pager_rig_evict(&rig, reused);
    cr_assert_eq(pager_rig_get(&rig, reused), 99);
    watch_free(watch);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* The write, then the sync fails; late: the disk says so only at the sync. */
/* covers: P6 */
Test(flush, a_failed_write_or_sync_is_final_and_loses_nothing_in_memory)
{
    enum io_sim_fault faults[] = {IO_SIM_FAULT_EIO, IO_SIM_FAULT_SHORT, IO_SIM_FAULT_LATE_SYNC};
    struct pager_change *change;
    struct pager_rig rig;

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        build(&rig);
        uint64_t csn = pager_rig_set(&rig, FIRST, 5);
        MUST(pager_flush(rig.pager, csn));
        (void)flush_finish(rig.pager);
        bool at_sync = faults[i] == IO_SIM_FAULT_LATE_SYNC;
        if (at_sync)
            MUST(flush_pages(rig.pager, FIRST, 2));
        MUST(at_sync ? STATUS_OK : flush_pages(rig.pager, FIRST + 20, 1)); /* Opens the queue. */
        if (!at_sync)
            MUST(flush_finish(rig.pager));
        io_sim_fail_at(rig.io, io_sim_op_count(rig.io), faults[i], false);
        enum status status = at_sync ? flush_finish(rig.pager) : flush_pages(rig.pager, FIRST, 2);
        cr_assert_eq(status, STATUS_IO, "%s", status_name(status));
        cr_assert(io_sim_failed(rig.io));
        cr_assert(pager_is_failed(rig.pager));
        cr_assert_neq(state_of(rig.pager, FIRST)->csn_flushing, 0, "never clean again");
        cr_assert_eq(flush_pages(rig.pager, FIRST + 5, 1), STATUS_FAILED);
        cr_assert_eq(pager_change_begin(rig.pager, &change), STATUS_FAILED);
        cr_assert_eq(pager_rig_get(&rig, FIRST), 5, "what is in memory can be read");
        cr_assert_neq(pager_close(rig.pager), STATUS_OK);
        rig.pager = NULL;
        pager_rig_open(&rig);
        cr_assert_eq(pager_rig_get(&rig, FIRST), 5, "the log had it");
        pager_rig_close(&rig);
        pager_rig_deinit(&rig);
    }
}

Test(flush, goes_on_after_each_refused_allocation)
{
    struct pager_rig rig;
    bool done = false;

    for (uint64_t index = 0; !done; index++) {
        build(&rig);
        memory_fail_at(rig.memory, index, false);
        enum status status = flush_pages(rig.pager, FIRST, PAGES);
        if (status == STATUS_OK)
            status = flush_finish(rig.pager);
        done = !memory_failed(rig.memory);
        cr_assert_eq(status, done ? STATUS_OK : STATUS_NO_MEMORY);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert_not(pager_is_failed(rig.pager));
        MUST(flush_pages(rig.pager, FIRST, PAGES));
        MUST(flush_finish(rig.pager));
        for (uint32_t i = 0; i < PAGES; i++) {
            cr_assert_eq(state_of(rig.pager, FIRST + i)->csn_dirty, 0);
            cr_assert_eq(state_of(rig.pager, FIRST + i)->csn_flushing, 0);
        }
        pager_rig_close(&rig);
        pager_rig_deinit(&rig);
    }
}

/* Written and synced, but the map page cannot be had: still flushing, and finished later. */
/* covers: P6 */
Test(flush, waits_for_its_witness_when_the_map_page_cannot_be_read)
{
    struct pager_rig rig;

    build(&rig);
    MUST(pager_checkpoint(rig.pager));
    MUST(pager_checkpoint(rig.pager)); /* The log holds no image of the map page any more. */
    pager_rig_set(&rig, FIRST + 1, 6);
    MUST(flush_pages(rig.pager, FIRST + 1, 1));
    cr_assert_eq(state_of(rig.pager, MAP_FIRST_PAGE)->csn_dirty, 0);
    pager__drop(rig.pager, MAP_FIRST_PAGE);
    MUST(io_sim_bad_range(rig.io, RIG_PATH, MAP_FIRST_PAGE * PAGE_SIZE, 512));
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(flush_finish(rig.pager), STATUS_IO);
        cr_assert_not(pager_is_failed(rig.pager));
        cr_assert_neq(state_of(rig.pager, FIRST + 1)->csn_flushing, 0);
    }
    MUST(io_sim_bad_range(rig.io, RIG_PATH, 0, 0));
    MUST(flush_finish(rig.pager));
    cr_assert_eq(state_of(rig.pager, FIRST + 1)->csn_flushing, 0);
    cr_assert_eq(entry_of(&rig, FIRST + 1).csn, csn_of(&rig, FIRST + 1));
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* Pressure. */

Test(flush, under_pressure_flushes_what_was_not_used_lately)
{
    struct pager_rig rig;
    uint32_t batch, cold = 0;

    build(&rig);
    batch = rig.pager->flush_batch;
    for (uint32_t i = 0; i < PAGES; i++)
        rig.pager->table.referenced[frame_of(rig.pager, FIRST + i)] =
            i < PAGES - batch ? USE_COUNT_MAX : 0;
    rig.pager->table.referenced[frame_of(rig.pager, MAP_FIRST_PAGE)] = USE_COUNT_MAX;
    rig.pager->table.referenced[frame_of(rig.pager, MAP_LEVEL1_FIRST_PAGE)] = USE_COUNT_MAX;
    MUST(pager__flush_some(rig.pager));
    for (uint32_t i = PAGES - batch; i < PAGES; i++)
        cold += state_of(rig.pager, FIRST + i)->csn_dirty == 0;
    cr_assert_eq(cold, batch);
    cr_assert_neq(state_of(rig.pager, FIRST)->csn_dirty, 0);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* Pages of SPREAD_GROUPS map groups, one each: more map pages than frames. */
static void
build_spread(struct pager_rig *rig, uint32_t *numbers)
{
    uint32_t group = 0;

    pager_rig_init(rig, 1);
    rig->options.page_limit = 1 << 17;
    pager_rig_open(rig);
    while (group < SPREAD_GROUPS) {
        uint32_t page_number = pager_rig_allocate(rig, 1);
        if ((page_number - MAP_FIRST_PAGE) / MAP_GROUP_SIZE == group)
            numbers[group++] = page_number;
    }
}

Test(flush, works_in_a_pool_full_of_dirty_pages_that_share_no_map_page)
{
    uint32_t numbers[SPREAD_GROUPS];
    struct pager_rig rig;

    build_spread(&rig, numbers);
    for (uint32_t round = 0; round < 5; round++)
        for (uint32_t i = 0; i < SPREAD_GROUPS; i++)
            pager_rig_set(&rig, numbers[i], round * 1000 + i);
    for (uint32_t i = 0; i < SPREAD_GROUPS; i++)
        cr_assert_eq(pager_rig_get(&rig, numbers[i]), 4000 + i);
    pager_rig_close(&rig);
    pager_rig_open(&rig);
    for (uint32_t i = 0; i < SPREAD_GROUPS; i++)
        cr_assert_eq(pager_rig_get(&rig, numbers[i]), 4000 + i);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(flush, gets_on_with_two_frames_for_map_pages)
{
    uint32_t numbers[SPREAD_GROUPS], taken[64], reserved[FRAME_RESERVE], count;
    struct pager_rig rig;

    build_spread(&rig, numbers);
    for (uint64_t round = 1; round <= 8; round++) {
        for (uint32_t i = 0; i < SPREAD_GROUPS; i++)
            pager_rig_set(&rig, numbers[i], round * 1000 + i);
        for (count = 0; pager__frame_take(rig.pager, &taken[count]) == STATUS_OK;)
            count++; /* Nothing clean is left. */
        for (uint32_t i = 0; i < FRAME_RESERVE - 2; i++)
            MUST(pager__frame_take_reserve(rig.pager, &reserved[i]));
        MUST(pager__flush_some(rig.pager));
        for (uint32_t i = 0; i < FRAME_RESERVE - 2; i++)
            pager__frame_give(rig.pager, reserved[i]);
        while (count > 0)
            pager__frame_give(rig.pager, taken[--count]);
    }
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* Witness commits alone use up every prepared segment, the one for emergencies too. */
Test(flush, makes_room_in_the_log_for_its_own_commits)
{
    struct pager_statistics statistics;
    struct pager_rig rig;
    uint64_t csn = 0;

    pager_rig_init(&rig, 1);
    rig.options.pool_size = 512 * PAGE_SIZE;
    pager_rig_open(&rig);
    for (uint32_t i = 0; i < 200; i++)
        (void)pager_rig_allocate(&rig, i);
    MUST(pager_flush(rig.pager, pager_csn(rig.pager)));
    for (uint32_t i = 0; i < 200; i++) {
        MUST(flush_pages(rig.pager, FIRST + i, 1));
        MUST(flush_finish(rig.pager));
        cr_assert_gt(rig.pager->csn_witness, csn);
        csn = rig.pager->csn_witness;
        MUST(pager_flush(rig.pager, csn)); /* A frame, so a block, for each. */
    }
    pager_get_statistics(rig.pager, &statistics);
    cr_assert_geq(statistics.log.frame_count, 200);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* Recovery flushes before there is a log to commit to. */
Test(flush, during_recovery_puts_the_witnesses_off)
{
    struct pager_rig rig;

    build(&rig);
    MUST(pager_flush(rig.pager, pager_csn(rig.pager)));
    rig.pager->recovering = true;
    uint64_t csn = pager_csn(rig.pager);
    MUST(flush_pages(rig.pager, FIRST, PAGES));
    MUST(flush_finish(rig.pager));
    cr_assert_eq(pager_csn(rig.pager), csn, "no commit");
    cr_assert_eq(state_of(rig.pager, FIRST)->csn_flushing, 0, "its frame can be used again");
    cr_assert_eq(entry_of(&rig, FIRST).csn, 0);
    cr_assert_eq(rig.pager->unwitnessed_used, PAGES);

    rig.pager->recovering = false;
    latch_lock(&rig.pager->flush_latch);
    MUST(pager__flush_witness(rig.pager));
    MUST(pager__flush_witness(rig.pager));
    latch_unlock(&rig.pager->flush_latch);
    for (uint32_t i = 0; i < PAGES; i++)
        cr_assert_eq(entry_of(&rig, FIRST + i).csn, csn_of(&rig, FIRST + i));
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}
