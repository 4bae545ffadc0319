/*
 * Goal: a change for which room was foreseen does not begin again for want of it; what was foreseen and cannot be
 * had harms nobody.
 * Method: the same large change on the simulated disk with and without foresight, with the pager's count of
 * restarts; foresight on a full disk, without memory, past the page limit, and before the first change.
 */
#include <criterion/criterion.h>

#include "pager/pager_private.h"
#include "tests/support/pager_world.h"

enum { EDITS = 12, NEWS = 24 };

static void
open_world(struct world *world, uint32_t page_limit, uint32_t *pages)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);

    options.log_buffer_count = 16;
    options.pool_size = 256 * PAGE_SIZE;
    options.change_limit = 0;
    options.page_limit = page_limit;
    options.grow_count = 1;
    world_init(world, 1, &options);
    world_open(world);
    for (uint32_t i = 0; i < EDITS; i++)
        pages[i] = world_allocate(world, 1);
}

static uint64_t
restarts(const struct world *world)
{
    struct pager_statistics statistics;

    pager_get_statistics(world->pager, &statistics);
    return statistics.restart_count;
}

static enum status
fill(struct pager_change *change, const uint32_t *pages)
{
    struct random random;
    uint32_t number;
    uint8_t *bytes;

    random_init(&random, 3);
    for (uint32_t i = 0; i < EDITS; i++) {
        TRY(pager_change_edit(change, pages[i], &bytes));
        random_bytes(&random, bytes + 100, 3900);
        pager_change_rest(change);
    }
    for (uint32_t i = 0; i < NEWS; i++) {
        TRY(pager_change_allocate(change, 7, PAGE_TYPE_TEST, 0, &number, &bytes));
        random_bytes(&random, bytes + 100, 3900);
    }
    return STATUS_OK;
}

/* Makes the change; returns how often it began again for room. */
static uint64_t
change_all(struct world *world, const uint32_t *pages)
{
    uint64_t before = restarts(world);
    enum status status;

    do {
        struct pager_change *change;
        uint64_t csn;

        WORLD_OK(world, pager_change_begin(world->pager, &change));
        status = fill(change, pages);
        if (status == STATUS_OK)
            status = pager_change_commit(change, &csn);
        else
            pager_change_abandon(change);
        if (status == STATUS_MISSING)
            WORLD_OK(world, pager_change_resolve(world->pager));
    } while (status == STATUS_MISSING);
    WORLD_OK(world, status);
    return restarts(world) - before;
}

static const struct pager_change_room ROOM = {
    .edit_count = EDITS, .new_count = NEWS, .log_size = (EDITS + NEWS) * (PAGE_SIZE + 64)};

Test(change_resolve, a_change_that_nobody_foresaw_begins_again_for_its_room)
{
    struct world world;
    uint32_t pages[EDITS];

    open_world(&world, 0, pages);
    cr_assert_geq(change_all(&world, pages), NEWS / 2);
    world_deinit(&world);
}

Test(change_resolve, a_foreseen_change_begins_once)
{
    struct world world;
    uint32_t pages[EDITS];

    open_world(&world, 0, pages);
    pager_change_foresee(world.pager, &ROOM);
    cr_assert_eq(change_all(&world, pages), 0);
    world_deinit(&world);
}

/* covers: P9 */
Test(change_resolve, foresight_takes_no_more_than_a_change_may_use)
{
    struct pager_change_room room = {UINT32_MAX, UINT32_MAX, ROOM.log_size};
    struct world world;
    uint32_t pages[EDITS];

    open_world(&world, 200, pages);
    pager_change_foresee(world.pager, &room);
    cr_assert_leq(atomic_load(&world.pager->page_allocated), 200);
    cr_assert_leq(world.pager->change.scratch_capacity, 2 * pager_change_limit(world.pager) + 64);
    cr_assert_eq(change_all(&world, pages), 0);
    world_deinit(&world);
}

Test(change_resolve, what_cannot_be_had_is_left_to_the_change)
{
    struct pager_change_room room = {60, 60, 1 << 20};
    struct world world;
    uint32_t pages[EDITS];

    open_world(&world, 0, pages);
    error_clear();
    io_sim_set_disk_size(world.io, 1);
    pager_change_foresee(world.pager, &room);
    cr_assert_str_empty(error_message());
    io_sim_set_disk_size(world.io, 0);
    memory_fail_at(world.memory, 0, true);
    pager_change_foresee(world.pager, &room);
    cr_assert_str_empty(error_message());
    memory_fail_at(world.memory, UINT64_MAX, false);
    (void)change_all(&world, pages);
    world_deinit(&world);
}

/* covers: P8 */
Test(change_resolve, nothing_is_foreseen_before_the_first_change)
{
    struct world world;
    uint32_t pages[EDITS];

    open_world(&world, 0, pages);
    world_close(&world);
    world_open(&world);
    uint32_t allocated = atomic_load(&world.pager->page_allocated);
    uint64_t operations = io_sim_op_count(world.io);

    pager_change_foresee(world.pager, &ROOM);
    cr_assert_eq(atomic_load(&world.pager->page_allocated), allocated);
    cr_assert_eq(io_sim_op_count(world.io), operations);
    world_close(&world);
    world_deinit(&world);
}
