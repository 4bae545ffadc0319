/*
 * Goal: prove that a page damaged on the disk while the database runs is rebuilt from the log when the
 * log holds its image, and is refused by number when it does not, and nothing else suffers.
 * Method: flush and evict pages of small files, damage them on the simulated disk in every way a disk
 * can, read them again.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "pager/pager_private.h"
#include "tests/support/pager_world.h"

enum { PAGES = 150, CHANGED_FIRST = 20, CHANGED_END = 40 };

/* Twenty pages changed since R, flushed and out of the pool. */
static void
open_world(struct world *world, enum pager_policy policy)
{
    struct pager_options options = world_options(policy);
    uint8_t page[PAGE_SIZE];

    options.log_limit = 4 << 20;
    world_init(world, 12, &options);
    world_open(world);
    for (int count = 0; count < PAGES; count++)
        (void)world_allocate(world, (uint8_t)count);
    WORLD_OK(world, pager_checkpoint(world->pager));
    for (uint32_t number = CHANGED_FIRST; number < CHANGED_END; number++) {
        world_fill(world, number, 100, 0x44, 20);
        world_fill(world, number, 3000, 0x45, 200);
    }
    for (int round = 0; round < 3; round++) {
        WORLD_OK(world, pager__flush_some(world->pager));
        /* Often enough that they have more right to the pool than pages that are not read. */
        for (uint32_t number = CHANGED_END; number < PAGES; number++)
            for (int look = 0; look < USE_COUNT_MAX; look++)
                WORLD_OK(world, pager_copy(world->pager, number, page));
    }
}

static bool
is_resident(struct world *world, uint32_t page_number)
{
    return (world->pager->table.words[page_number] & WORD_FRAME_MASK) != WORD_FRAME_NONE;
}

/* The changed pages that have left the pool; there must be some. */
static uint32_t
evicted_pages(struct world *world, uint32_t *numbers)
{
    uint32_t count = 0;

    for (uint32_t number = CHANGED_FIRST; number < CHANGED_END; number++) {
        if (!is_resident(world, number))
            numbers[count++] = number;
    }
    cr_assert_gt(count, 4u, "the pool kept them all");
    return count;
}

static void
damage(struct world *world, uint32_t page_number, uint32_t how)
{
    uint64_t offset = (uint64_t)page_number * PAGE_SIZE;
    uint8_t page[PAGE_SIZE];

    switch (how % 4) {
    case 0:
        WORLD_OK(world, io_sim_flip_bit(world->io, WORLD_PATH, (offset + 1234) * 8 + 3));
        break;
    case 1:
        memset(page, 0, sizeof(page));
        WORLD_OK(world, io_sim_overwrite(world->io, WORLD_PATH, offset, page, PAGE_SIZE));
        break;
    case 2:
        WORLD_OK(world, io_sim_bad_range(world->io, WORLD_PATH, offset, PAGE_SIZE));
        break;
    case 3: /* Another page of the same file. */
        WORLD_OK(world, io_sim_peek(world->io, WORLD_PATH, 100 * PAGE_SIZE, page, PAGE_SIZE));
        WORLD_OK(world, io_sim_overwrite(world->io, WORLD_PATH, offset, page, PAGE_SIZE));
        break;
    }
}

/* covers: P5 */
Test(repair, rebuilds_a_damaged_page_whose_image_the_log_holds)
{
    struct pager_statistics statistics;
    struct world world;
    uint32_t numbers[PAGES], count;

    open_world(&world, PAGER_POLICY_IMAGE);
    count = evicted_pages(&world, numbers);
    for (uint32_t index = 0; index < count; index++)
        damage(&world, numbers[index], index);
    world_verify(&world);
    pager_get_statistics(world.pager, &statistics);
    cr_assert_geq(statistics.repair_count, count);
    WORLD_OK(&world, io_sim_bad_range(world.io, WORLD_PATH, 0, 0));
    world_close(&world);
    world_open(&world);
    world_verify(&world); /* The good bytes have reached the file. */
    world_close(&world);
    world_deinit(&world);
}

/* covers: P5 */
Test(repair, refuses_by_number_what_the_log_has_no_image_of)
{
    struct world world;
    uint8_t page[PAGE_SIZE];
    char number[20];

    open_world(&world, PAGER_POLICY_IMAGE);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    for (uint32_t other = CHANGED_END; other < PAGES; other++)
        WORLD_OK(&world, pager_copy(world.pager, other, page));
    for (uint32_t lost = CHANGED_FIRST; lost < CHANGED_END; lost++) {
        if (is_resident(&world, lost))
            continue;
        damage(&world, lost, lost);
        cr_assert_eq(pager_copy(world.pager, lost, page),
                     lost % 4 == 2 ? STATUS_IO : STATUS_CORRUPT);
        snprintf(number, sizeof(number), "page %u", lost);
        cr_assert_not_null(strstr(error_message(), number), "%s", error_message());
    }
    for (uint32_t other = CHANGED_END; other < PAGES; other++)
        WORLD_OK(&world, pager_copy(world.pager, other, page));
    world_deinit(&world);
}

Test(repair, under_policy_range_has_no_image_to_start_from)
{
    struct world world;
    uint8_t page[PAGE_SIZE];
    uint32_t numbers[PAGES];

    open_world(&world, PAGER_POLICY_RANGE);
    (void)evicted_pages(&world, numbers);
    damage(&world, numbers[0], 0);
    cr_assert_eq(pager_copy(world.pager, numbers[0], page), STATUS_CORRUPT);
    cr_assert_eq(pager__repair(world.pager, numbers[0], page), STATUS_NOT_FOUND);
    world_deinit(&world);
}

/* An image of the page's earlier life is no base for the present one. */
Test(repair, does_not_bring_back_an_earlier_life)
{
    struct world world;
    uint8_t page[PAGE_SIZE];
    uint32_t number;

    open_world(&world, PAGER_POLICY_IMAGE);
    number = world_allocate(&world, 0x61);
    WORLD_OK(&world, world_flush(&world));
    WORLD_OK(&world, pager__repair(world.pager, number, page));
    cr_assert_eq(page[100], 0x61);
    world_free(&world, number);
    WORLD_OK(&world, world_flush(&world));
    cr_assert_eq(pager__repair(world.pager, number, page), STATUS_NOT_FOUND);
    cr_assert_eq(world_allocate(&world, 0x62), number);
    WORLD_OK(&world, world_flush(&world));
    WORLD_OK(&world, pager__repair(world.pager, number, page));
    cr_assert_eq(page[100], 0x62);
    world_close(&world);
    world_deinit(&world);
}

Test(repair, does_not_hold_up_changes_and_works_after_each)
{
    struct world world;
    uint8_t page[PAGE_SIZE];
    uint8_t now[PAGE_SIZE];

    open_world(&world, PAGER_POLICY_IMAGE);
    for (int step = 0; step < 30; step++) {
        world_fill(&world, CHANGED_FIRST, 200 + (uint32_t)step * 50, (uint8_t)step, 60);
        WORLD_OK(&world, world_flush(&world));
        WORLD_OK(&world, pager__repair(world.pager, CHANGED_FIRST, page));
        WORLD_OK(&world, pager_copy(world.pager, CHANGED_FIRST, now));
        cr_assert_eq(memcmp(page, now, PAGE_SIZE), 0);
    }
    world_close(&world);
    world_deinit(&world);
}
