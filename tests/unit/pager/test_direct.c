/*
 * Goal: prove that direct writes lose nothing and overwrite nothing that a crash could still need
 * (rule L4).
 * Method: reserve, write and adopt pages on the simulated disk, crash before and after each step, and
 * watch the order in which pages, syncs and log frames reach the disk.
 */
#include <criterion/criterion.h>

#include "pager/pager_private.h"
#include "tests/support/pager_world.h"

enum { COUNT = 8 };

static void
open_world(struct world *world)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);

    world_init(world, 4, &options);
    world_open(world);
    for (int count = 0; count < 20; count++)
        (void)world_allocate(world, 1);
}

static void
close_world(struct world *world)
{
    world_verify(world);
    world_close(world);
    world_deinit(world);
}

static void
crash_both_ways(struct world *world)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};

    world_crash(world, &crash, 5);
    for (crash.seed = 0; crash.seed < 10; crash.seed++) {
        crash.mode = IO_SIM_CRASH_RANDOM;
        world_crash(world, &crash, 5);
        crash.mode = IO_SIM_CRASH_GARBAGE;
        world_crash(world, &crash, 5);
    }
}

/* covers: P12 */
Test(direct, adopted_pages_are_there_after_a_crash)
{
    struct world world;

    open_world(&world);
    for (int round = 0; round < 5; round++) {
        WORLD_OK(&world, world_direct(&world, COUNT));
        crash_both_ways(&world);
        WORLD_OK(&world, world_flush(&world));
        crash_both_ways(&world);
    }
    WORLD_OK(&world, pager_checkpoint(world.pager));
    crash_both_ways(&world);
    close_world(&world);
}

Test(direct, pages_not_adopted_leave_no_trace)
{
    struct world world;
    uint32_t numbers[COUNT];
    uint8_t page[PAGE_SIZE];
    void *pages[COUNT];

    open_world(&world);
    WORLD_OK(&world, pager_direct_reserve(world.pager, COUNT, numbers));
    for (int index = 0; index < COUNT; index++) {
        page_init(page, numbers[index], 5, PAGE_TYPE_TEST, 0);
        pages[0] = page;
        WORLD_OK(&world, pager_direct_write(world.pager, 1, &numbers[index], pages));
    }
    crash_both_ways(&world);
    pager_direct_release(world.pager, COUNT, numbers);
    for (int count = 0; count < 20; count++)
        (void)world_allocate(&world, 2);
    close_world(&world);
}

/* Writes `count` pages, told apart by their content. */
static void
write_many(struct world *world, uint32_t count, uint32_t *numbers)
{
    uint8_t page[PAGE_SIZE];
    void *pages[] = {page};

    WORLD_OK(world, pager_direct_reserve(world->pager, count, numbers));
    for (uint32_t index = 0; index < count; index++) {
        page_init(page, numbers[index], 5, PAGE_TYPE_TEST, 0);
        memset(page + PAGE_HEADER_SIZE, 1 + (int)(index % 250), 100);
        WORLD_OK(world, pager_direct_write(world->pager, 1, &numbers[index], pages));
    }
}

static enum status
adopt_many(struct world *world, uint32_t count, const uint32_t *numbers, bool *full_out)
{
    struct pager_change *change;
    enum status status = STATUS_MISSING;
    uint64_t csn;

    while (status == STATUS_MISSING) {
        WORLD_OK(world, pager_change_begin(world->pager, &change));
        status = STATUS_OK;
        for (uint32_t index = 0; index < count && status == STATUS_OK; index++)
            status = pager_change_adopt(change, numbers[index]);
        *full_out = pager_change_is_full(change);
        if (status == STATUS_OK)
            status = pager_change_commit(change, &csn);
        else
            pager_change_abandon(change);
        if (status == STATUS_MISSING)
            WORLD_OK(world, pager_change_resolve(world->pager));
    }
    return status;
}

/* A page that is adopted has no frame and little to log, so that a change may adopt far more than it may edit. covers: P12 */
Test(direct, one_change_adopts_many_more_pages_than_it_may_edit)
{
    enum { MANY = 300, TOO_MANY = 1000 };
    struct world world;
    static uint32_t numbers[TOO_MANY];
    uint8_t page[PAGE_SIZE];
    bool full = true;

    open_world(&world);
    cr_assert_lt(pager_change_limit(world.pager), (uint32_t)MANY / 8);
    write_many(&world, MANY, numbers);
    cr_assert_eq(adopt_many(&world, MANY, numbers, &full), STATUS_OK);
    cr_assert(!full);
    WORLD_OK(&world, world_flush(&world));
    pager_abandon(world.pager);
    world.pager = NULL;
    WORLD_OK(&world, pager_open(&world.env, WORLD_PATH, &world.options, &world.pager));
    for (uint32_t index = 0; index < MANY; index++) {
        WORLD_OK(&world, pager_copy(world.pager, numbers[index], page));
        cr_assert_eq(page[PAGE_HEADER_SIZE], 1 + index % 250);
    }
    write_many(&world, TOO_MANY, numbers);
    cr_assert_eq(adopt_many(&world, TOO_MANY, numbers, &full), STATUS_FULL);
    cr_assert(full);
    pager_direct_release(world.pager, TOO_MANY, numbers);
    world_deinit(&world);
}

/* A page freed since R may come back by redo: nobody writes over it. covers: P12 */
Test(direct, takes_a_freed_page_only_behind_a_checkpoint)
{
    struct world world;
    uint32_t page, number;

    open_world(&world);
    page = world_allocate(&world, 1);
    (void)world_allocate(&world, 2);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    world_free(&world, page);
    WORLD_OK(&world, pager_direct_reserve(world.pager, 1, &number));
    cr_assert_neq(number, page);
    pager_direct_release(world.pager, 1, &number);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    WORLD_OK(&world, pager_direct_reserve(world.pager, 1, &number));
    cr_assert_eq(number, page);
    pager_direct_release(world.pager, 1, &number);
    close_world(&world);
}

/* Pages cut off the file have records since R as well. covers: P12 */
Test(direct, avoids_pages_that_were_cut_off_since_the_redo_point)
{
    struct world world;
    uint32_t pages[30], count, number;

    open_world(&world);
    for (count = 0; count < 30; count++)
        pages[count] = world_allocate(&world, 1);
    for (count = 0; count < 30; count++)
        world_free(&world, pages[count]);
    WORLD_OK(&world, pager_shrink(world.pager, &count));
    cr_assert_lt(count, pages[29]);
    WORLD_OK(&world, pager_direct_reserve(world.pager, 1, &number));
    cr_assert_gt(number, pages[29]);
    pager_direct_release(world.pager, 1, &number);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    WORLD_OK(&world, pager_direct_reserve(world.pager, 1, &number));
    cr_assert_leq(number, pages[29]);
    pager_direct_release(world.pager, 1, &number);
    close_world(&world);
}

/* The same for whole map groups, of which the map knows nothing any more. covers: P12 */
Test(direct, avoids_map_groups_that_were_cut_off_since_the_redo_point)
{
    struct world world;
    uint32_t numbers[600], count, number;

    open_world(&world);
    for (count = 0; count < 600; count++)
        numbers[count] = world_allocate(&world, 1);
    for (count = 0; count < 600; count++)
        world_free(&world, numbers[count]);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    for (count = 0; count < 600; count++)
        (void)world_allocate(&world, 2);
    for (count = 0; count < 600; count++)
        world_free(&world, numbers[count]);
    WORLD_OK(&world, pager_shrink(world.pager, &count));
    cr_assert_lt(count, 509u);
    WORLD_OK(&world, pager_direct_reserve(world.pager, 1, &number));
    cr_assert_gt(number, numbers[599]);
    pager_direct_release(world.pager, 1, &number);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    WORLD_OK(&world, pager_direct_reserve(world.pager, 500, numbers));
    cr_assert_lt(numbers[0], 509u);
    pager_direct_release(world.pager, 500, numbers);
    close_world(&world);
}

/* The file is not cut over pages that somebody writes at the moment. */
Test(direct, reserved_pages_are_not_cut_off_the_file)
{
    struct world world;
    struct pager_change *change;
    uint32_t pages[30], numbers[COUNT], count;
    uint8_t page[PAGE_SIZE];
    void *pointers[] = {page};
    uint64_t csn;

    open_world(&world);
    for (count = 0; count < 30; count++)
        pages[count] = world_allocate(&world, 1);
    WORLD_OK(&world, pager_direct_reserve(world.pager, COUNT, numbers));
    page_init(page, numbers[COUNT - 1], 5, PAGE_TYPE_TEST, 0);
    memset(page + PAGE_HEADER_SIZE, 0x3c, PAGE_BODY_SIZE);
    WORLD_OK(&world, pager_direct_write(world.pager, 1, &numbers[COUNT - 1], pointers));
    for (count = 0; count < 30; count++)
        world_free(&world, pages[count]);
    WORLD_OK(&world, pager_shrink(world.pager, &count));
    WORLD_OK(&world, pager_checkpoint(world.pager));
    WORLD_OK(&world, pager_checkpoint(world.pager));
    WORLD_OK(&world, pager_change_begin(world.pager, &change));
    WORLD_OK(&world, pager_change_adopt(change, numbers[COUNT - 1]));
    WORLD_OK(&world, pager_change_commit(change, &csn));
    WORLD_OK(&world, pager_copy(world.pager, numbers[COUNT - 1], page));
    cr_assert_eq(page[1000], 0x3c);
    pager_direct_release(world.pager, COUNT - 1, numbers);
    world_deinit(&world);
}

Test(direct, reserved_numbers_are_given_to_nobody_else)
{
    struct world world;
    uint32_t numbers[COUNT];

    open_world(&world);
    WORLD_OK(&world, pager_direct_reserve(world.pager, COUNT, numbers));
    for (int count = 0; count < 60; count++) {
        uint32_t page = world_allocate(&world, 1);
        for (int index = 0; index < COUNT; index++)
            cr_assert_neq(page, numbers[index]);
    }
    pager_direct_release(world.pager, COUNT, numbers);
    uint32_t before = pager_page_count(world.pager);
    for (int index = 0; index < COUNT; index++)
        (void)world_allocate(&world, 1);
    cr_assert_eq(pager_page_count(world.pager), before, "released numbers are used up first");
    close_world(&world);
}

Test(direct, pages_are_edited_like_any_other_afterwards)
{
    struct world world;
    uint8_t page[PAGE_SIZE];
    int count = 0;

    open_world(&world);
    WORLD_OK(&world, world_direct(&world, COUNT));
    for (uint32_t number = 25; number < pager_page_count(world.pager); number++) {
        if (world.hashes[number] == 0)
            continue;
        WORLD_OK(&world, pager_copy(world.pager, number, page));
        cr_assert_eq(page_header(page)->flags, PAGE_FLAG_DIRECT);
        world_fill(&world, number, 1000, 0x5a, 50);
        WORLD_OK(&world, pager_copy(world.pager, number, page));
        cr_assert_eq(page_header(page)->flags, 0, "its CSN is exact now");
        count++;
    }
    cr_assert_eq(count, COUNT);
    WORLD_OK(&world, world_flush(&world));
    crash_both_ways(&world);
    close_world(&world);
}

/* What the disk saw, in order. */
struct order {
    uint64_t page_write; /* Index of the last write of the data file. */
    uint64_t page_sync;
    uint64_t first_frame; /* First write of the log after the last page write. */
    uint32_t page_number;
};

static void
watch(void *context, const struct io_sim_event *event)
{
    struct order *order = context;
    bool is_log = strstr(event->path, ".seg") != NULL;

    if (!event->done)
        return;
    if (event->op == IO_SIM_WRITE && !is_log && event->offset / PAGE_SIZE == order->page_number) {
        order->page_write = event->index;
        order->first_frame = 0;
    }
    if (event->op == IO_SIM_SYNC && !is_log)
        order->page_sync = event->index;
    if (event->op == IO_SIM_WRITE && is_log && order->first_frame == 0)
        order->first_frame = event->index;
}

/* covers: P12 */
Test(direct, pages_are_synced_before_the_frame_that_adopts_them)
{
    struct world world;
    struct order order = {0};
    struct pager_change *change;
    uint8_t page[PAGE_SIZE];
    void *pages[] = {page};
    uint64_t csn;

    open_world(&world);
    WORLD_OK(&world, world_flush(&world));
    WORLD_OK(&world, pager_direct_reserve(world.pager, 1, &order.page_number));
    page_init(page, order.page_number, 5, PAGE_TYPE_TEST, 0);
    io_sim_watch(world.io, watch, &order);
    WORLD_OK(&world, pager_direct_write(world.pager, 1, &order.page_number, pages));
    WORLD_OK(&world, pager_change_begin(world.pager, &change));
    WORLD_OK(&world, pager_change_adopt(change, order.page_number));
    WORLD_OK(&world, pager_change_commit(change, &csn));
    WORLD_OK(&world, pager_flush(world.pager, csn));
    io_sim_watch(world.io, NULL, NULL);
    cr_assert_gt(order.page_write, 0u);
    cr_assert_gt(order.page_sync, order.page_write);
    cr_assert_gt(order.first_frame, order.page_sync);
    world_deinit(&world);
}

static uint64_t
put(struct world *world, struct pager_direct *direct, uint32_t number)
{
    uint8_t page[PAGE_SIZE];

    page_init(page, number, 5, PAGE_TYPE_TEST, 0);
    WORLD_OK(world, pager_direct_put(direct, number, page));
    const struct direct_page *entry = pager__direct_find(world->pager, number);

    cr_assert_not_null(entry);
    cr_assert_not(entry->written);
    return entry->csn;
}

/* A writer's CSN does for what was reserved before there was a later one; each place sees it rise. */
Test(direct, a_place_never_gets_the_csn_that_it_had_before)
{
    struct pager_direct *first, *second;
    struct world world;
    uint32_t numbers[4];

    open_world(&world);
    WORLD_OK(&world, world_flush(&world));
    WORLD_OK(&world, pager_direct_reserve(world.pager, 2, numbers));
    WORLD_OK(&world, pager_direct_begin(world.pager, &first));
    uint64_t csn = put(&world, first, numbers[0]);

    cr_assert_eq(put(&world, first, numbers[1]), csn);
    /* Another writer; what it wrote is given back. */
    WORLD_OK(&world, pager_direct_begin(world.pager, &second));
    WORLD_OK(&world, pager_direct_reserve(world.pager, 1, &numbers[2]));
    uint64_t other = put(&world, second, numbers[2]);

    cr_assert_gt(other, csn);
    WORLD_OK(&world, pager_direct_finish(second, 1, &numbers[2]));
    pager_direct_end(second);
    pager_direct_release(world.pager, 1, &numbers[2]);
    /* The first one may have the place, but not with the CSN that it has, nor with the other's. */
    WORLD_OK(&world, pager_direct_reserve(world.pager, 1, &numbers[3]));
    cr_assert_eq(numbers[3], numbers[2]);
    uint64_t next = put(&world, first, numbers[3]);

    cr_assert_gt(next, other);
    pager_direct_release(world.pager, 1, &numbers[3]);
    WORLD_OK(&world, pager_direct_reserve(world.pager, 1, &numbers[3]));
    cr_assert_eq(numbers[3], numbers[2]);
    cr_assert_gt(put(&world, first, numbers[3]), next);
    WORLD_OK(&world, pager_direct_finish(first, 2, numbers));
    cr_assert(pager__direct_find(world.pager, numbers[0])->written);
    cr_assert_not(pager__direct_find(world.pager, numbers[3])->written);
    pager_direct_end(first);
    pager_direct_release(world.pager, 2, numbers);
    pager_direct_release(world.pager, 1, &numbers[3]);
    crash_both_ways(&world);
    close_world(&world);
}

/* More stages than there are, pieces with gaps between them. */
Test(direct, a_long_run_is_written_whole)
{
    enum { LONG = 700 };
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);
    static uint32_t numbers[LONG];
    struct pager_direct *direct;
    _Alignas(IO_BLOCK_SIZE) uint8_t found[PAGE_SIZE];
    uint8_t page[PAGE_SIZE];
    struct world world;

    world_init(&world, 4, &options);
    world_open(&world);
    WORLD_OK(&world, pager_direct_reserve(world.pager, LONG, numbers));
    WORLD_OK(&world, pager_direct_begin(world.pager, &direct));
    for (uint32_t i = 0; i < LONG; i++)
        if (i % 300 != 299)
            (void)put(&world, direct, numbers[i]);
    for (uint32_t i = 299; i < LONG; i += 300)
        (void)put(&world, direct, numbers[i]);
    WORLD_OK(&world, pager_direct_finish(direct, LONG, numbers));
    pager_direct_end(direct);
    for (uint32_t i = 0; i < LONG; i++) {
        struct io_file *file = world.pager->file;
        const struct page_header *header = page_header_const(found);

        WORLD_OK(&world, io_read(file, found, PAGE_SIZE, (uint64_t)numbers[i] * PAGE_SIZE));
        page_init(page, numbers[i], 5, PAGE_TYPE_TEST, 0);
        cr_assert_eq(le32_get(header->page_number), numbers[i]);
        cr_assert_arr_eq(found + PAGE_HEADER_SIZE, page + PAGE_HEADER_SIZE,
                         PAGE_SIZE - PAGE_HEADER_SIZE);
        cr_assert_eq(le64_get(header->checksum),
                     pager__direct_find(world.pager, numbers[i])->checksum);
    }
    pager_direct_release(world.pager, LONG, numbers);
    close_world(&world);
}

/* The set of reserved pages under insertion and removal. */
Test(direct, set_finds_exactly_what_is_in_it)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);
    struct world world;
    uint32_t numbers[900];
    bool inside[900];

    world_init(&world, 4, &options);
    world_open(&world);
    WORLD_OK(&world, pager_direct_reserve(world.pager, 900, numbers));
    memset(inside, true, sizeof(inside));
    for (int step = 0; step < 700; step++) {
        uint32_t index = (uint32_t)random_below(&world.random, 900);
        if (inside[index])
            pager_direct_release(world.pager, 1, &numbers[index]);
        inside[index] = false;
        index = (uint32_t)random_below(&world.random, 900);
        cr_assert_eq(pager__direct_find(world.pager, numbers[index]) != NULL, inside[index]);
    }
    for (int index = 0; index < 900; index++)
        cr_assert_eq(pager__direct_find(world.pager, numbers[index]) != NULL, inside[index]);
    world_deinit(&world);
}

Test(direct, reserve_fails_cleanly_when_the_file_may_not_grow)
{
    struct world world;
    uint32_t numbers[WORLD_PAGES];

    open_world(&world);
    cr_assert_eq(pager_direct_reserve(world.pager, WORLD_PAGES, numbers), STATUS_FULL);
    cr_assert_eq(world.pager->direct.used, 0u);
    close_world(&world);
}

Test(direct, a_failed_write_is_final_and_adopts_nothing)
{
    struct pager_direct *direct;
    struct world world;
    uint8_t page[PAGE_SIZE];
    void *pages[] = {page};
    uint32_t number;

    open_world(&world);
    WORLD_OK(&world, world_flush(&world));
    WORLD_OK(&world, pager_direct_reserve(world.pager, 1, &number));
    page_init(page, number, 5, PAGE_TYPE_TEST, 0);
    WORLD_OK(&world, pager_direct_begin(world.pager, &direct)); /* Made by now, and kept. */
    pager_direct_end(direct);
    io_sim_fail_at(world.io, io_sim_op_count(world.io), IO_SIM_FAULT_EIO, false);
    cr_assert_eq(pager_direct_write(world.pager, 1, &number, pages), STATUS_IO);
    cr_assert(pager_is_failed(world.pager));
    crash_both_ways(&world);
    cr_assert_eq(world_try_close(&world), STATUS_FAILED);
    world_deinit(&world);
}
