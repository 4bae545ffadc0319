/*
 * Goal: prove that the redo point moves only over what is in the file, that the log is given back only
 * behind it, that commits go on meanwhile, and that the work is spread over the log's growth.
 * Method: the simulated disk, checkpoints in single steps with commits in between. At the moment a meta
 * slot is written, the disk as a power cut would leave it is looked at: every page changed before the
 * new R must be there. Handles are killed at random moments and opened again against a model.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/base/random.h"
#include "pager/pager_private.h"
#include "tests/support/pager_rig.h"

enum { PAGES = 200, FIRST = PAGE_CATALOG_ROOT + 1 };

static void
build(struct pager_rig *rig, uint64_t seed)
{
    pager_rig_init(rig, seed);
    pager_rig_open(rig);
    for (uint32_t i = 0; i < PAGES; i++)
        cr_assert_eq(pager_rig_allocate(rig, i), FIRST + i);
}

static uint64_t
log_size(const struct pager_rig *rig)
{
    return wal_size(rig->pager->wal);
}

static uint64_t
checkpoint_count(const struct pager_rig *rig)
{
    struct pager_statistics statistics;

    pager_get_statistics(rig->pager, &statistics);
    return statistics.checkpoint_count;
}

static void
slots_peek(struct pager_rig *rig, struct meta metas[META_SLOT_COUNT])
{
    const char *reason;

    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
        struct meta_slot bytes;
        MUST(io_sim_peek(rig->io, RIG_PATH, slot * PAGE_SIZE, &bytes, PAGE_SIZE));
        MUST(meta_decode(&bytes, slot, &metas[slot], &reason));
    }
}

/* covers: P7 */
Test(checkpoint, both_slots_name_the_mark_and_the_log_before_it_is_gone)
{
    struct meta metas[META_SLOT_COUNT];
    struct pager_rig rig;

    build(&rig, 1);
    for (int round = 0; round < 3; round++) {
        uint64_t csn = pager_rig_set(&rig, FIRST, 100 + (uint64_t)round);
        uint64_t before = log_size(&rig);
        MUST(pager_checkpoint(rig.pager));
        if (round == 0)
            cr_assert_lt(log_size(&rig), before / 2);
        slots_peek(&rig, metas);
        for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
            cr_assert_eq(metas[slot].state, META_NEEDS_LOG);
            cr_assert_eq(metas[slot].redo_csn, csn);
            cr_assert_eq(metas[slot].redo_lsn, rig.pager->redo.lsn);
            cr_assert_eq(metas[slot].page_count, pager_page_count(rig.pager));
        }
    }
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* Watching a checkpoint: what is durable when a slot that names a new R goes out. */

struct cut {
    struct pager_rig *rig;
    uint64_t values[PAGES];  /* Now. */
    uint64_t at_mark[PAGES]; /* When the checkpoint began. */
    uint64_t checked_count;
    uint64_t released_count;
};

/* The number of a segment's last byte plus one, by its name; 0: not a segment. */
static uint64_t
segment_end(const struct cut *cut, const char *path)
{
    const char *name = strrchr(path, '/');
    unsigned long long number;

    if (name == NULL || sscanf(name, "/%16llx.seg", &number) != 1)
        return 0;
    return (number + 1) * cut->rig->options.segment_size;
}

/* A segment goes: both slots, as a power cut leaves them, must start behind it. */
static void
release_check(struct cut *cut, const char *path)
{
    struct io_sim_crash how = {.mode = IO_SIM_CRASH_LOST};
    struct meta_slot bytes;
    const char *reason;
    struct meta meta;
    struct io *disk;

    MUST(io_sim_fork(cut->rig->io, &how, cut->rig->disk_memory, &disk));
    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
        MUST(io_sim_peek(disk, RIG_PATH, slot * PAGE_SIZE, &bytes, PAGE_SIZE));
        MUST(meta_decode(&bytes, slot, &meta, &reason));
        cr_assert_geq(meta.redo_lsn, segment_end(cut, path), "slot %u", slot);
    }
    cut->released_count++;
    io_close_all(disk);
}

/* On the disk of a power cut right now, each page is as it was at the mark, or newer. */
static void
cut_check(struct cut *cut)
{
    struct io_sim_crash how = {.mode = IO_SIM_CRASH_LOST};
    uint8_t page[PAGE_SIZE];
    const char *reason;
    struct io *disk;

    cr_assert_geq(pager_csn_durable(cut->rig->pager), cut->rig->pager->csn_witness);
    cr_assert_geq(pager_csn_durable(cut->rig->pager), cut->rig->pager->redo.csn);
    MUST(io_sim_fork(cut->rig->io, &how, cut->rig->disk_memory, &disk));
    for (uint32_t i = 0; i < PAGES; i++) {
        uint64_t value;
        MUST(io_sim_peek(disk, RIG_PATH, (uint64_t)(FIRST + i) * PAGE_SIZE, page, PAGE_SIZE));
        MUST(page_validate(page, cut->rig->options.file_id, FIRST + i, &reason));
        memcpy(&value, page + RIG_VALUE_OFFSET, sizeof(value));
        cr_assert_geq(value, cut->at_mark[i], "page %u: values only grow", FIRST + i);
    }
    cut->checked_count++;
    io_close_all(disk);
}

static void
cut_event(void *context, const struct io_sim_event *event)
{
    struct cut *cut = context;
    bool is_file = strcmp(event->path, RIG_PATH) == 0;

    if (event->done || event->in_flight)
        return;
    if (is_file && event->op == IO_SIM_WRITE && event->offset < MAP_FIRST_PAGE * PAGE_SIZE)
        cut_check(cut);
    if ((event->op == IO_SIM_REMOVE || event->op == IO_SIM_RENAME) &&
        segment_end(cut, event->path) > 0)
        release_check(cut, event->path);
}

/* covers: P6, P7 */
Test(checkpoint, R_moves_only_over_what_a_power_cut_would_leave)
{
    struct pager_rig rig;
    struct random random;
    uint64_t number = PAGES;
    bool more;

    build(&rig, 1);
    struct cut cut = {.rig = &rig};
    for (uint32_t i = 0; i < PAGES; i++)
        cut.values[i] = i;
    MUST(pager_checkpoint(rig.pager));
    memcpy(cut.at_mark, cut.values, sizeof(cut.values));
    io_sim_watch(rig.io, cut_event, &cut);
    random_init(&random, 5);
    for (int step = 0; step < 4000; step++) {
        uint32_t i = (uint32_t)random_below(&random, PAGES);
        cut.values[i] = ++number;
        pager_rig_set(&rig, FIRST + i, number);
        if (step % 7 != 0)
            continue;
        bool idle = rig.pager->checkpoint_state == CHECKPOINT_IDLE;
        rig.pager->checkpoint_asked = random_chance(&random, 1, 20);
        MUST(pager__checkpoint_step(rig.pager, &more));
        if (idle && more)
            memcpy(cut.at_mark, cut.values, sizeof(cut.values));
    }
    io_sim_watch(rig.io, NULL, NULL);
    cr_assert_geq(cut.checked_count, 2 * 5);
    cr_assert_geq(cut.released_count, 3);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* Data pages first, then the map pages that hold their witnesses: each is written once. */
Test(checkpoint, the_map_in_the_file_has_the_witnesses_of_the_same_checkpoint)
{
    uint8_t map[PAGE_SIZE], page[PAGE_SIZE];
    struct pager_rig rig;

    build(&rig, 1);
    MUST(pager_checkpoint(rig.pager));
    MUST(io_sim_peek(rig.io, RIG_PATH, MAP_FIRST_PAGE * PAGE_SIZE, map, PAGE_SIZE));
    for (uint32_t i = 0; i < PAGES; i++) {
        MUST(io_sim_peek(rig.io, RIG_PATH, (uint64_t)(FIRST + i) * PAGE_SIZE, page, PAGE_SIZE));
        cr_assert_eq(map_entry_get(map, map_index_of(FIRST + i)).csn,
                     le64_get(page_header_const(page)->csn));
    }
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* A page that comes in repaired when the list is made already: its good bytes must be in the file too. */
/* covers: P7 */
Test(checkpoint, R_does_not_pass_a_page_repaired_while_it_was_flushing)
{
    const uint32_t victim = FIRST + 3;
    uint8_t page[PAGE_SIZE];
    struct pager_rig rig;
    const char *reason;
    bool more;

    build(&rig, 1);
    MUST(pager_checkpoint(rig.pager));
    pager_rig_set(&rig, victim, 77);
    pager_rig_evict(&rig, victim);
    for (uint32_t i = 0; i < 40; i++)
        pager_rig_set(&rig, FIRST + 100 + i, i);
    rig.pager->checkpoint_asked = true;
    MUST(pager__checkpoint_step(rig.pager, &more));
    cr_assert_eq(rig.pager->checkpoint_state, CHECKPOINT_FLUSHING);
    MUST(io_sim_flip_bit(rig.io, RIG_PATH, victim * PAGE_SIZE * 8 + 999));
    cr_assert_eq(pager_rig_get(&rig, victim), 77);
    do
        MUST(pager__checkpoint_step(rig.pager, &more));
    while (more);
    MUST(io_sim_peek(rig.io, RIG_PATH, victim * PAGE_SIZE, page, PAGE_SIZE));
    MUST(page_validate(page, rig.options.file_id, victim, &reason));
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* Up to the step that publishes R: all that was dirty at the mark is in the file. */
static void
step_up_to_publishing(struct pager_rig *rig)
{
    bool more;

    rig->pager->options.background = true; /* Commits do no step of it. */
    rig->pager->checkpoint_asked = true;
    do
        MUST(pager__checkpoint_step(rig->pager, &more));
    while (rig->pager->checkpoint_state != CHECKPOINT_PUBLISHING);
}

static void
step_to_the_end(struct pager_rig *rig)
{
    bool more;

    do
        MUST(pager__checkpoint_step(rig->pager, &more));
    while (more);
}

/* covers: P7 */
Test(checkpoint, R_does_not_pass_a_page_repaired_before_it_is_published)
{
    const uint32_t victim = FIRST + 3;
    uint8_t page[PAGE_SIZE];
    struct pager_rig rig;
    const char *reason;

    build(&rig, 1);
    MUST(pager_checkpoint(rig.pager));
    pager_rig_set(&rig, victim, 77);
    step_up_to_publishing(&rig);
    pager_rig_evict(&rig, victim);
    MUST(io_sim_flip_bit(rig.io, RIG_PATH, victim * PAGE_SIZE * 8 + 999));
    cr_assert_eq(pager_rig_get(&rig, victim), 77, "from the log");
    step_to_the_end(&rig);
    MUST(io_sim_peek(rig.io, RIG_PATH, victim * PAGE_SIZE, page, PAGE_SIZE));
    cr_assert_eq(page_validate(page, rig.options.file_id, victim, &reason), STATUS_OK);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* Who needs frames flushes between two steps, and may fail on the way (no memory, a full disk). */
/* covers: P6, P7 */
Test(checkpoint, finishes_what_another_flush_left_before_it_publishes)
{
    const uint32_t number = FIRST + 2;
    struct pager_rig rig;

    build(&rig, 1);
    MUST(pager_checkpoint(rig.pager));
    pager_rig_set(&rig, FIRST, 5);
    step_up_to_publishing(&rig);
    pager_rig_set(&rig, number, 6);
    latch_lock(&rig.pager->flush_latch);
    MUST(pager__flush_pages(rig.pager, &number, 1));
    latch_unlock(&rig.pager->flush_latch);
    cr_assert_eq(rig.pager->flushed_used, 1);
    step_to_the_end(&rig);
    cr_assert_eq(rig.pager->flushed_used, 0);
    cr_assert_eq(pager_rig_get(&rig, number), 6);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* covers: P6, P7 */
Test(checkpoint, finishes_what_an_earlier_flush_left_before_it_marks)
{
    struct pager_statistics statistics;
    uint32_t numbers[PAGES];
    struct pager_rig rig;

    build(&rig, 1);
    for (uint32_t i = 0; i < PAGES; i++)
        numbers[i] = FIRST + i;
    MUST(pager_checkpoint(rig.pager));
    MUST(pager_checkpoint(rig.pager)); /* The map pages are clean as well. */
    pager_rig_set(&rig, FIRST, 5);
    latch_lock(&rig.pager->flush_latch);
    MUST(pager__flush_pages(rig.pager, numbers, PAGES));
    latch_unlock(&rig.pager->flush_latch);
    pager_get_statistics(rig.pager, &statistics);
    cr_assert_eq(statistics.dirty_count, 1, "and that one is flushing");
    MUST(pager_checkpoint(rig.pager));
    cr_assert_eq(rig.pager->flushed_used, 0);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(checkpoint, a_call_covers_what_was_committed_before_it_even_when_one_is_under_way)
{
    struct meta metas[META_SLOT_COUNT];
    struct pager_rig rig;
    bool more;

    build(&rig, 1);
    rig.pager->checkpoint_asked = true;
    MUST(pager__checkpoint_step(rig.pager, &more));
    cr_assert(more);
    uint64_t csn = pager_rig_set(&rig, FIRST, 5);
    MUST(pager_checkpoint(rig.pager));
    slots_peek(&rig, metas);
    cr_assert_geq(metas[0].redo_csn, csn);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* Pace. */

/* Random changes; after each the owner works once. Returns the most pages written by one call. */
static uint64_t
run_paced(struct pager_rig *rig, int count, uint64_t *log_size_max)
{
    struct pager_statistics statistics;
    uint64_t written = 0, most = 0;
    struct random random;
    bool more;

    random_init(&random, 9);
    for (int i = 0; i < count; i++) {
        pager_rig_set(rig, FIRST + (uint32_t)random_below(&random, PAGES), (uint64_t)i);
        pager_get_statistics(rig->pager, &statistics);
        written = statistics.page_write_count;
        MUST(pager_work(rig->pager, &more));
        pager_get_statistics(rig->pager, &statistics);
        if (statistics.page_write_count - written > most)
            most = statistics.page_write_count - written;
        if (log_size(rig) > *log_size_max)
            *log_size_max = log_size(rig);
    }
    return most;
}

Test(checkpoint, ends_before_the_log_is_full_and_never_writes_much_at_once)
{
    struct pager_rig rig;
    uint64_t log_size_max = 0;

    pager_rig_init(&rig, 1);
    rig.options.pool_size = 512 * PAGE_SIZE;
    rig.options.log_limit = 256 << 10;
    rig.options.background = true; /* Only our own calls of pager_work. */
    pager_rig_open(&rig);
    for (uint32_t i = 0; i < PAGES; i++)
        (void)pager_rig_allocate(&rig, i);
    uint64_t most = run_paced(&rig, 60000, &log_size_max);
    cr_assert_geq(checkpoint_count(&rig), 5);
    cr_assert_lt(log_size_max, rig.options.log_limit);
    cr_assert_gt(log_size_max, rig.options.log_limit / 2, "but not too eager");
    cr_assert_leq(most, rig.pager->flush_batch);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* Durable changes of pages FIRST + i % `pages`, with the work of the owner's thread between. */
static struct pager_statistics
run_over(struct pager_rig *rig, uint32_t pages, uint32_t count)
{
    struct pager_statistics statistics;
    bool more;

    for (uint32_t i = 0; i < count; i++) {
        MUST(pager_flush(rig->pager, pager_rig_set(rig, FIRST + i % pages, 1000 + i)));
        for (more = true; more;)
            MUST(pager_work(rig->pager, &more));
    }
    pager_get_statistics(rig->pager, &statistics);
    return statistics;
}

static void
open_in_background(struct pager_rig *rig)
{
    pager_rig_init(rig, 1);
    rig->options.pool_size = 512 * PAGE_SIZE;
    rig->options.background = true;
    pager_rig_open(rig);
    for (uint32_t i = 0; i < PAGES; i++)
        (void)pager_rig_allocate(rig, i);
    MUST(pager_checkpoint(rig->pager));
}

Test(checkpoint, a_young_log_of_few_pages_goes_round_in_few_segments)
{
    struct pager_rig rig;

    open_in_background(&rig);
    struct pager_statistics before = run_over(&rig, 3, 1);
    struct pager_statistics after = run_over(&rig, 3, 500);
    cr_assert_gt(after.log.frame_size - before.log.frame_size, 3 * rig.options.log_limit / 2);
    cr_assert_lt(after.log.fill_size, rig.options.log_limit / 2);
    cr_assert_lt(wal_size(rig.pager->wal), rig.options.log_limit / 2);
    cr_assert_lt((after.page_write_count - before.page_write_count) * PAGE_SIZE,
                 (after.log.frame_size - before.log.frame_size) / 4);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(checkpoint, a_log_that_changes_many_pages_grows_to_its_limit)
{
    struct pager_rig rig;

    open_in_background(&rig);
    struct pager_statistics before = run_over(&rig, PAGES, 1);
    struct pager_statistics after = run_over(&rig, PAGES, 200);
    cr_assert_geq(rig.pager->log_goal, rig.options.log_limit);
    cr_assert_eq(after.checkpoint_count, before.checkpoint_count);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(checkpoint, flushes_as_fast_as_the_log_grows)
{
    struct pager_rig rig;
    uint64_t i = 0;
    bool more;

    pager_rig_init(&rig, 1);
    rig.options.pool_size = 512 * PAGE_SIZE;
    rig.options.log_limit = 512 << 10;
    rig.options.background = true;
    pager_rig_open(&rig);
    for (; i < PAGES; i++)
        (void)pager_rig_allocate(&rig, i);
    uint32_t batch = rig.pager->flush_batch;
    rig.pager->flush_batch = 8; /* Many small steps. */
    do {
        pager_rig_set(&rig, FIRST + (uint32_t)(i % PAGES), i);
        i++;
        MUST(pager_work(rig.pager, &more));
    } while (rig.pager->checkpoint_state != CHECKPOINT_FLUSHING);
    uint64_t begin = rig.pager->checkpoint_log_size, count = rig.pager->flush_list_used;
    uint64_t room = (rig.options.log_limit - begin) / 2;
    cr_assert_geq(count, PAGES);
    while (rig.pager->checkpoint_state == CHECKPOINT_FLUSHING &&
           rig.pager->flush_list_next < rig.pager->flush_list_used) {
        uint64_t due = count * (log_size(&rig) - begin) / room;
        cr_assert_leq(rig.pager->flush_list_next, due + 2 * 8, "no faster than the log grows");
        cr_assert_geq(rig.pager->flush_list_next + 2 * 8, due < count ? due : count, "nor slower");
        pager_rig_set(&rig, FIRST + (uint32_t)(i % PAGES), i);
        i++;
        MUST(pager_work(rig.pager, &more));
    }
    cr_assert_lt(log_size(&rig), begin + 2 * room);
    rig.pager->flush_batch = batch;
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(checkpoint, a_log_at_its_limit_is_helped_by_whoever_wants_to_commit)
{
    struct pager_rig rig;
    uint64_t log_size_max = 0;

    pager_rig_init(&rig, 1);
    rig.options.background = true; /* But nobody comes. */
    pager_rig_open(&rig);
    for (uint32_t i = 0; i < PAGES; i++)
        (void)pager_rig_allocate(&rig, i);
    for (uint32_t i = 0; i < 20000; i++) {
        pager_rig_set(&rig, FIRST + i % PAGES, i);
        log_size_max = log_size(&rig) > log_size_max ? log_size(&rig) : log_size_max;
    }
    cr_assert_geq(checkpoint_count(&rig), 2);
    cr_assert_lt(log_size_max, rig.options.log_limit + rig.options.log_limit / 4);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(checkpoint, without_an_owners_thread_commits_do_the_work)
{
    struct pager_rig rig;

    build(&rig, 1);
    for (uint32_t i = 0; i < 20000; i++)
        pager_rig_set(&rig, FIRST + i % PAGES, i);
    cr_assert_geq(checkpoint_count(&rig), 2);
    cr_assert_lt(log_size(&rig), rig.options.log_limit);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* Waiting. */

Test(checkpoint, waiting_for_work_ends_when_there_is_some_or_the_time_is_over)
{
    struct pager_rig rig;
    bool more;

    build(&rig, 1);
    MUST(pager_work(rig.pager, &more));
    pager_wait_for_work(rig.pager, 1000); /* Nothing is due: the time passes. */
    rig.pager->checkpoint_asked = true;
    pager_wait_for_work(rig.pager, UINT64_C(3600) * 1000000000);
    MUST(pager__checkpoint_step(rig.pager, &more));
    cr_assert(more);
    pager_wait_for_work(rig.pager, UINT64_C(3600) * 1000000000);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* Small matters. */

Test(checkpoint, has_nothing_to_do_before_the_first_change_and_refuses_a_reader)
{
    struct pager_rig rig;
    bool more = true;

    build(&rig, 1);
    pager_rig_close(&rig);
    pager_rig_open(&rig);
    uint64_t before = io_sim_op_count(rig.io);
    MUST(pager_checkpoint(rig.pager));
    MUST(pager_work(rig.pager, &more));
    cr_assert_not(more);
    cr_assert_eq(io_sim_op_count(rig.io), before);
    pager_rig_close(&rig);

    rig.options.create = false;
    rig.options.read_only = true;
    pager_rig_open(&rig);
    cr_assert_eq(pager_checkpoint(rig.pager), STATUS_READONLY);
    MUST(pager_work(rig.pager, &more));
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* covers: P11 */
Test(checkpoint, the_file_is_cut_at_the_second_checkpoint_after_a_shrink)
{
    struct pager_rig rig;
    struct io_file *file;
    uint64_t sizes[4];
    uint32_t count;

    build(&rig, 1);
    for (uint32_t i = PAGES / 2; i < PAGES; i++)
        pager_rig_free(&rig, FIRST + i);
    MUST(io_open(rig.io, RIG_PATH, 0, &file));
    MUST(io_size(file, &sizes[0]));
    MUST(pager_shrink(rig.pager, &count));
    cr_assert_leq(count, FIRST + PAGES / 2);
    for (int i = 1; i < 4; i++) {
        MUST(pager_checkpoint(rig.pager));
        MUST(io_size(file, &sizes[i]));
    }
    cr_assert_eq(sizes[1], sizes[0]);
    cr_assert_eq(sizes[2], (uint64_t)count * PAGE_SIZE);
    cr_assert_eq(sizes[3], sizes[2]);
    io_close(file);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* covers: P16 */
Test(checkpoint, flushing_all_leaves_nothing_dirty_and_every_witness_exact)
{
    struct pager_rig rig;
    const char *reason;

    build(&rig, 1);
    for (uint32_t i = 0; i < PAGES; i += 3)
        pager_rig_set(&rig, FIRST + i, i);
    latch_lock(&rig.pager->flush_latch);
    MUST(pager__flush_all(rig.pager));
    latch_unlock(&rig.pager->flush_latch);
    struct pager_statistics statistics;
    pager_get_statistics(rig.pager, &statistics);
    cr_assert_eq(statistics.dirty_count, 0);
    for (uint32_t page_number = MAP_FIRST_PAGE; page_number < FIRST + PAGES; page_number++) {
        uint8_t page[PAGE_SIZE];
        MUST(io_sim_peek(rig.io, RIG_PATH, (uint64_t)page_number * PAGE_SIZE, page, PAGE_SIZE));
        MUST(pager__verify(rig.pager, page_number, page, &reason));
    }
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* The handle dies at a random moment; what was flushed must come back. */
/* covers: P6, P7 */
Test(checkpoint, a_kill_between_any_two_steps_loses_nothing)
{
    uint64_t values[PAGES];
    struct pager_rig rig;
    struct random random;
    bool more;

    build(&rig, 1);
    random_init(&random, 11);
    for (uint32_t i = 0; i < PAGES; i++)
        values[i] = i;
    for (int life = 0; life < 60; life++) {
        for (uint64_t step = random_below(&random, 300); step > 0; step--) {
            uint32_t i = (uint32_t)random_below(&random, PAGES);
            values[i] = random_u64(&random);
            uint64_t csn = pager_rig_set(&rig, FIRST + i, values[i]);
            MUST(pager_flush(rig.pager, csn));
            rig.pager->checkpoint_asked |= random_chance(&random, 1, 50);
            if (random_chance(&random, 1, 4))
                MUST(pager__checkpoint_step(rig.pager, &more));
        }
        pager_rig_kill(&rig);
        pager_rig_open(&rig);
        for (uint32_t i = 0; i < PAGES; i++)
            cr_assert_eq(pager_rig_get(&rig, FIRST + i), values[i], "life %d page %u", life,
                         FIRST + i);
    }
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* Each operation of a checkpoint fails once. */
Test(checkpoint, each_failing_operation_is_reported_and_nothing_is_lost)
{
    bool done = false;
    uint64_t index;

    for (index = 0; !done; index++) {
        struct pager_rig rig;
        build(&rig, 1);
        MUST(pager_flush(rig.pager, pager_csn(rig.pager)));
        io_sim_fail_at(rig.io, io_sim_op_count(rig.io) + index, IO_SIM_FAULT_EIO, false);
        enum status status = pager_checkpoint(rig.pager);
        done = !io_sim_failed(rig.io);
        cr_assert(done ? status == STATUS_OK : status != STATUS_OK || !pager_is_failed(rig.pager));
        io_sim_fail_at(rig.io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
        pager_rig_kill(&rig);
        pager_rig_open(&rig);
        for (uint32_t i = 0; i < PAGES; i++)
            cr_assert_eq(pager_rig_get(&rig, FIRST + i), i, "after failing operation %d",
                         (int)index);
        pager_rig_close(&rig);
        pager_rig_deinit(&rig);
    }
    cr_assert_geq(index, 10);
}

/* The same with memory: nothing fails for good, the next call goes on. */
Test(checkpoint, each_refused_allocation_is_reported_and_the_next_call_goes_on)
{
    bool done = false;

    for (uint64_t index = 0; !done; index++) {
        struct pager_rig rig;
        build(&rig, 1);
        memory_fail_at(rig.memory, index, false);
        enum status status = pager_checkpoint(rig.pager);
        done = !memory_failed(rig.memory);
        cr_assert(status == STATUS_OK || (!done && status == STATUS_NO_MEMORY));
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert_not(pager_is_failed(rig.pager));
        MUST(pager_checkpoint(rig.pager));
        pager_rig_close(&rig);
        pager_rig_deinit(&rig);
    }
}
