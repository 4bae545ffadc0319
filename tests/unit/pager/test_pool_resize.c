/*
 * Goal: the pool grows and shrinks between its bounds while pages are read and changed; nothing is lost,
 * no frame is lost or counted twice, and a shrink that cannot be done changes nothing.
 * Method: random changes with resizes in between against a model, pins that hold more pages than the
 * new size, and every disk operation of a shrink failed once.
 */
#include <criterion/criterion.h>

#include "kernel/base/random.h"
#include "pager/pager_private.h"
#include "tests/support/pager_rig.h"

enum { PAGES = 600, FRAMES_MIN = 64, FRAMES_OPEN = 128, FRAMES_MAX = 512 };

static struct pager_rig rig;
static uint32_t numbers[PAGES];
static uint64_t values[PAGES];

static void
open_with(uint64_t seed, uint32_t frames, uint32_t frames_max)
{
    pager_rig_init(&rig, seed);
    rig.options.pool_size = (uint64_t)frames * PAGE_SIZE;
    rig.options.pool_size_max = (uint64_t)frames_max * PAGE_SIZE;
    pager_rig_open(&rig);
    for (uint32_t i = 0; i < PAGES; i++) {
        values[i] = i * 3 + 1;
        numbers[i] = pager_rig_allocate(&rig, values[i]);
    }
}

static enum status
resize(uint32_t frames)
{
    return pager_set_pool_size(rig.pager, (uint64_t)frames * PAGE_SIZE);
}

static uint64_t
frames_now(void)
{
    struct pager_statistics statistics;

    pager_get_statistics(rig.pager, &statistics);
    cr_assert_eq(statistics.frame_count * PAGE_SIZE, pager_pool_size(rig.pager));
    return statistics.frame_count;
}

/* Each frame is free, never used, parked, or has a page that says so. */
static void
expect_all_frames(void)
{
    struct pager *pager = rig.pager;
    uint32_t held = 0;
    uint32_t parked = 0;
    uint32_t kept = 0;

    for (uint32_t frame = 1; frame < pager__frame_end(pager); frame++)
        if (pager->frame[frame].is_kept)
            kept++;
        else
            held += pager->frame[frame].page_number != PAGE_NONE;
    for (uint32_t frame = pager->parked_head; frame != WORD_FRAME_NONE; parked++)
        frame = pager->frame[frame].next_free;
    cr_assert_eq(held + pager->free_frames, atomic_load(&pager->pool_frames));
    cr_assert_eq(kept + pager->map_free, pager->map_frames);
    cr_assert_leq(atomic_load(&pager->pool_frames) + parked + pager->map_frames,
                  pager->table.frame_count - 1);
}

static void
expect_values(void)
{
    for (uint32_t i = 0; i < PAGES; i++)
        cr_assert_eq(pager_rig_get(&rig, numbers[i]), values[i]);
}

/* covers: P15 */
Test(pool_resize, loses_nothing_while_pages_change)
{
    struct random random;

    open_with(1, FRAMES_OPEN, FRAMES_MAX);
    cr_assert_eq(frames_now(), FRAMES_OPEN);
    random_init(&random, 7);
    for (int round = 0; round < 60; round++) {
        uint32_t frames = FRAMES_MIN + (uint32_t)random_below(&random, FRAMES_MAX - FRAMES_MIN + 1);

        for (int i = 0; i < 40; i++) {
            uint32_t index = (uint32_t)random_below(&random, PAGES);

            values[index] = random_below(&random, UINT64_MAX);
            (void)pager_rig_set(&rig, numbers[index], values[index]);
            index = (uint32_t)random_below(&random, PAGES);
            cr_assert_eq(pager_rig_get(&rig, numbers[index]), values[index]);
        }
        MUST(resize(frames));
        cr_assert_eq(frames_now(), frames);
        cr_assert_leq(pager_change_limit(rig.pager), frames / 4);
        cr_assert_leq(pager_change_limit(rig.pager), FRAMES_OPEN / 4);
        expect_all_frames();
    }
    MUST(resize(FRAMES_MIN));
    expect_values();
    pager_rig_kill(&rig);
    pager_rig_open(&rig);
    expect_values();
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(pool_resize, a_larger_pool_reads_less)
{
    struct pager_statistics before;
    struct pager_statistics after;

    open_with(2, FRAMES_MIN, 2 * PAGES);
    MUST(resize(2 * PAGES));
    expect_values();
    pager_get_statistics(rig.pager, &before);
    expect_values();
    pager_get_statistics(rig.pager, &after);
    cr_assert_eq(before.page_read_count, after.page_read_count);
    MUST(resize(FRAMES_MIN));
    expect_values();
    pager_get_statistics(rig.pager, &after);
    cr_assert_gt(after.page_read_count, before.page_read_count + PAGES / 2);
    cr_assert_eq(pager_change_limit(rig.pager), FRAMES_MIN / 4);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(pool_resize, sizes_out_of_bounds_are_refused)
{
    open_with(3, FRAMES_OPEN, 0);
    cr_assert_eq(resize(FRAMES_MIN - 1), STATUS_INVALID);
    cr_assert_eq(resize(FRAMES_OPEN + 1), STATUS_INVALID);
    cr_assert_eq(pager_set_pool_size(rig.pager, UINT64_MAX), STATUS_INVALID);
    cr_assert_eq(frames_now(), FRAMES_OPEN);
    MUST(resize(FRAMES_MIN));
    MUST(resize(FRAMES_OPEN));
    cr_assert_eq(pager_change_limit(rig.pager), FRAMES_OPEN / 4);
    expect_values();
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(pool_resize, pages_that_are_held_stay)
{
    struct pager_pin pins[FRAMES_OPEN - 20];

    open_with(4, FRAMES_OPEN, 0);
    for (uint32_t i = 0; i < FRAMES_OPEN - 20; i++)
        MUST(pager_pin(rig.pager, numbers[i], &pins[i]));
    enum status status = resize(FRAMES_MIN);

    cr_assert(status == STATUS_FULL || status == STATUS_BUSY, "%d", (int)status);
    cr_assert_eq(frames_now(), FRAMES_OPEN);
    cr_assert_eq(pager_change_limit(rig.pager), FRAMES_OPEN / 4);
    for (uint32_t i = 0; i < FRAMES_OPEN - 20; i++)
        pager_unpin(rig.pager, &pins[i]);
    expect_all_frames();
    MUST(resize(FRAMES_MIN));
    expect_values();
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(pool_resize, every_operation_of_the_disk_that_fails_loses_nothing)
{
    enum status status = STATUS_IO;
    uint32_t failures = 0;

    for (uint64_t index = 0; status != STATUS_OK; index++) {
        open_with(5, FRAMES_MAX, 0);
        for (uint32_t i = 0; i < PAGES; i += 2)
            (void)pager_rig_set(&rig, numbers[i], ++values[i]);
        MUST(pager_flush(rig.pager, pager_csn(rig.pager)));
        io_sim_fail_at(rig.io, io_sim_op_count(rig.io) + index, IO_SIM_FAULT_EIO, false);
        status = resize(FRAMES_MIN);
        bool failed = io_sim_failed(rig.io);

        cr_assert(status == STATUS_OK || failed);
        cr_assert_eq(frames_now(), status == STATUS_OK ? FRAMES_MIN : FRAMES_MAX);
        failures += status != STATUS_OK;
        pager_rig_kill(&rig);
        io_sim_fail_at(rig.io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
        pager_rig_open(&rig);
        expect_values();
        pager_rig_close(&rig);
        pager_rig_deinit(&rig);
        if (status == STATUS_OK && failed)
            status = STATUS_IO;
    }
    cr_assert_gt(failures, 2);
}
