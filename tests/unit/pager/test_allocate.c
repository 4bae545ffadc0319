/*
 * Goal: prove that a page number is given out once, with space behind it, that free pages are found
 * again, and that the file shrinks only when nothing can need its end any more.
 * Method: small files on the simulated disk, past the end of map groups, to the page limit and to the
 * end of the disk; sizes of the file read from outside; crashes around shrinking.
 */
#include <criterion/criterion.h>

#include "pager/pager_private.h"
#include "tests/support/pager_world.h"

static void
open_world(struct world *world)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);

    world_init(world, 3, &options);
    world_open(world);
}

static void
close_world(struct world *world)
{
    world_verify(world);
    world_close(world);
    world_deinit(world);
}

static uint64_t
file_size(struct world *world)
{
    struct io_file *file;
    uint64_t size;

    WORLD_OK(world, io_open(world->io, WORLD_PATH, 0, &file));
    WORLD_OK(world, io_size(file, &size));
    io_close(file);
    return size;
}

static enum page_state
state_of(struct world *world, uint32_t page_number)
{
    enum page_state state;

    WORLD_OK(world, pager_page_state(world->pager, page_number, &state));
    return state;
}

/* covers: P11 */
Test(allocate, gives_a_number_only_when_the_file_has_space_for_it)
{
    struct world world;

    open_world(&world);
    for (int count = 0; count < 100; count++) {
        uint32_t number = world_allocate(&world, 1);
        cr_assert_geq(file_size(&world), ((uint64_t)number + 1) * PAGE_SIZE);
    }
    close_world(&world);
}

Test(allocate, reuses_a_freed_page_before_the_file_grows)
{
    struct world world;
    uint32_t pages[20], count;

    open_world(&world);
    for (count = 0; count < 20; count++)
        pages[count] = world_allocate(&world, 1);
    count = pager_page_count(world.pager);
    world_free(&world, pages[7]);
    world_free(&world, pages[11]);
    cr_assert_eq(state_of(&world, pages[7]), PAGE_STATE_FREE);
    uint32_t first = world_allocate(&world, 2), second = world_allocate(&world, 3);
    cr_assert((first == pages[7] && second == pages[11]) ||
              (first == pages[11] && second == pages[7]));
    cr_assert_eq(pager_page_count(world.pager), count);
    close_world(&world);
}

Test(allocate, finds_free_pages_again_after_a_reopen)
{
    struct world world;
    uint32_t pages[600], count;

    open_world(&world);
    for (count = 0; count < 600; count++)
        pages[count] = world_allocate(&world, 1);
    for (count = 0; count < 600; count += 3)
        world_free(&world, pages[count]);
    count = pager_page_count(world.pager);
    world_close(&world);
    world_open(&world);
    for (int again = 0; again < 200; again++)
        (void)world_allocate(&world, 2);
    cr_assert_eq(pager_page_count(world.pager), count, "200 were free in two map groups");
    (void)world_allocate(&world, 2);
    cr_assert_gt(pager_page_count(world.pager), count);
    close_world(&world);
}

Test(allocate, does_not_give_back_a_page_freed_by_the_same_change)
{
    struct world world;
    struct pager_change *change;
    enum status status = STATUS_MISSING;
    uint32_t page, fresh = 0;
    uint8_t *bytes;

    open_world(&world);
    page = world_allocate(&world, 1);
    while (status == STATUS_MISSING) {
        WORLD_OK(&world, pager_change_begin(world.pager, &change));
        status = pager_change_free(change, page);
        if (status == STATUS_OK)
            status = pager_change_allocate(change, 1, PAGE_TYPE_TEST, 0, &fresh, &bytes);
        pager_change_abandon(change);
        if (status == STATUS_MISSING)
            WORLD_OK(&world, pager_change_resolve(world.pager));
    }
    cr_assert_eq(status, STATUS_OK);
    cr_assert_neq(fresh, page);
    close_world(&world);
}

/* A number may be on the stack of hints while its page is in use. */
Test(allocate, does_not_trust_its_hints)
{
    struct world world;
    struct pager_change *change;
    uint32_t page, fresh;
    uint8_t *bytes;

    open_world(&world);
    page = world_allocate(&world, 1);
    pager__free_push(world.pager, page);
    pager__free_push(world.pager, PAGE_CATALOG_ROOT);
    pager__free_push(world.pager, MAP_FIRST_PAGE);
    pager__free_push(world.pager, 99999);
    fresh = world_allocate(&world, 2);
    cr_assert_eq(fresh, page + 1);
    pager__free_push(world.pager, page);
    WORLD_OK(&world, pager_change_begin(world.pager, &change));
    WORLD_OK(&world, pager_change_free(change, page));
    WORLD_OK(&world, pager_change_allocate(change, 1, PAGE_TYPE_TEST, 0, &fresh, &bytes));
    cr_assert_neq(fresh, page, "freed by this change, and on the stack before");
    pager_change_abandon(change);
    close_world(&world);
}

Test(allocate, of_an_abandoned_change_is_given_out_again)
{
    struct world world;
    struct pager_change *change;
    uint32_t page, number;
    uint8_t *bytes;

    open_world(&world);
    page = world_allocate(&world, 1);
    world_free(&world, page);
    WORLD_OK(&world, pager_change_begin(world.pager, &change));
    WORLD_OK(&world, pager_change_allocate(change, 1, PAGE_TYPE_TEST, 0, &number, &bytes));
    cr_assert_eq(number, page);
    pager_change_abandon(change);
    cr_assert_eq(world_allocate(&world, 2), page);
    close_world(&world);
}

Test(allocate, brings_a_map_page_with_each_group)
{
    struct world world;
    struct pager_check_result result;

    open_world(&world);
    for (int count = 0; count < 1100; count++)
        cr_assert_not(page_is_map(world_allocate(&world, 1)));
    cr_assert_eq(state_of(&world, MAP_FIRST_PAGE + MAP_GROUP_SIZE), PAGE_STATE_MAP);
    WORLD_OK(&world, pager_check(world.pager, NULL, NULL, &result));
    cr_assert_eq(result.map_count, 4u, "three groups, one span");
    cr_assert_eq(result.used_count, 1101u);
    cr_assert_eq(result.finding_count, 0u);
    close_world(&world);
}

Test(allocate, stops_at_the_page_limit_and_goes_on_after_a_free)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);
    struct pager_change *change;
    enum status status = STATUS_OK;
    struct world world;
    uint32_t number, last = 0;
    uint8_t *bytes;

    options.page_limit = 50;
    world_init(&world, 3, &options);
    world_open(&world);
    for (int count = 0; count < 45; count++)
        last = world_allocate(&world, 1);
    cr_assert_eq(last, 49u);
    do {
        WORLD_OK(&world, pager_change_begin(world.pager, &change));
        status = pager_change_allocate(change, 1, PAGE_TYPE_TEST, 0, &number, &bytes);
        pager_change_abandon(change);
        if (status == STATUS_MISSING)
            WORLD_OK(&world, pager_change_resolve(world.pager));
    } while (status == STATUS_MISSING);
    cr_assert_eq(status, STATUS_FULL);
    cr_assert_not_null(strstr(error_message(), "50 pages"));
    world_free(&world, last);
    cr_assert_eq(world_allocate(&world, 2), last);
    close_world(&world);
}

Test(allocate, fails_cleanly_on_a_full_disk_and_goes_on_when_there_is_space)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);
    enum status status = STATUS_OK;
    struct world world;

    world_init(&world, 5, &options);
    world_open(&world);
    for (int count = 0; count < 20; count++)
        (void)world_allocate(&world, 1);
    io_sim_set_disk_size(world.io, 600 * 1024);
    for (int step = 0; step < 2000 && status == STATUS_OK; step++)
        status = world_change(&world, 6);
    cr_assert_eq(status, STATUS_FULL, "%s: %s", status_name(status), error_message());
    cr_assert_not(pager_is_failed(world.pager));
    world_verify(&world);
    WORLD_OK(&world, world_flush(&world));
    io_sim_set_disk_size(world.io, 0);
    for (int step = 0; step < 50; step++)
        WORLD_OK(&world, world_change(&world, 6));
    close_world(&world);
}

Test(allocate, refuses_to_free_what_is_not_in_use)
{
    struct world world;
    struct pager_change *change;
    uint32_t page;

    open_world(&world);
    page = world_allocate(&world, 1);
    world_free(&world, page);
    WORLD_OK(&world, pager_change_begin(world.pager, &change));
    cr_assert_eq(pager_change_free(change, page), STATUS_CORRUPT);
    cr_assert_eq(pager_change_free(change, PAGE_CATALOG_ROOT), STATUS_CORRUPT);
    cr_assert_eq(pager_change_free(change, MAP_FIRST_PAGE), STATUS_CORRUPT);
    cr_assert_eq(pager_change_free(change, 900000), STATUS_CORRUPT);
    pager_change_abandon(change);
    close_world(&world);
}

/* More free pages than the stack of hints holds. */
Test(allocate, finds_every_free_page_of_a_large_hole)
{
    struct world world;
    uint32_t count, freed = 0;

    open_world(&world);
    for (count = 0; count < 1300; count++)
        (void)world_allocate(&world, 1);
    count = pager_page_count(world.pager);
    for (uint32_t number = PAGE_CATALOG_ROOT + 1; number < count - 1; number++) {
        if (!page_is_map(number)) {
            world_free(&world, number);
            freed++;
        }
    }
    cr_assert_gt(freed, 1200u);
    for (; freed > 0; freed--)
        (void)world_allocate(&world, 2);
    cr_assert_eq(pager_page_count(world.pager), count);
    close_world(&world);
}

/* ---- Shrinking ------------------------------------------------------------------------------- */

/* Two map groups, all freed but the first ten pages. */
static uint32_t
make_shrinkable(struct world *world)
{
    uint32_t count, shrunk;

    for (count = 0; count < 700; count++)
        (void)world_allocate(world, 1);
    count = pager_page_count(world->pager);
    for (uint32_t number = 15; number < count; number++) {
        if (!page_is_map(number))
            world_free(world, number);
    }
    WORLD_OK(world, pager_shrink(world->pager, &shrunk));
    return shrunk;
}

/* covers: P11 */
Test(shrink, cuts_the_file_only_behind_a_checkpoint)
{
    struct world world;
    uint64_t before;

    open_world(&world);
    for (int count = 0; count < 10; count++)
        (void)world_allocate(&world, 9);
    cr_assert_eq(make_shrinkable(&world), 15u);
    before = file_size(&world);
    cr_assert_gt(before, 700u * PAGE_SIZE);
    world_verify(&world);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    cr_assert_eq(file_size(&world), before, "one under way may have begun before the shrink");
    WORLD_OK(&world, pager_checkpoint(world.pager));
    cr_assert_eq(file_size(&world), 15u * PAGE_SIZE);
    close_world(&world);
}

/* The next handle finishes what a crashed one began. */
Test(shrink, cuts_the_file_after_a_crash_as_well)
{
    struct world world;

    open_world(&world);
    cr_assert_lt(make_shrinkable(&world), 20u);
    WORLD_OK(&world, world_flush(&world));
    pager_abandon(world.pager);
    world.options.pool_size = 1024 * PAGE_SIZE; /* All that was redone could stay in it. */
    world_open(&world);
    cr_assert_gt(file_size(&world), 700u * PAGE_SIZE);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    WORLD_OK(&world, pager_checkpoint(world.pager));
    cr_assert_lt(file_size(&world), 20u * PAGE_SIZE);
    for (int count = 0; count < 600; count++)
        (void)world_allocate(&world, 3);
    close_world(&world);
}

Test(shrink, keeps_pages_in_use_and_the_file_grows_again)
{
    struct world world;
    uint32_t count;

    open_world(&world);
    cr_assert_eq(make_shrinkable(&world), 15u);
    for (count = 0; count < 600; count++)
        (void)world_allocate(&world, 5);
    cr_assert_eq(pager_page_count(world.pager), 616u);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    WORLD_OK(&world, pager_checkpoint(world.pager));
    close_world(&world);
}

Test(shrink, of_a_file_without_free_pages_at_its_end_does_nothing)
{
    struct world world;
    uint32_t count, shrunk;
    uint64_t csn;

    open_world(&world);
    for (count = 0; count < 20; count++)
        (void)world_allocate(&world, 1);
    count = pager_page_count(world.pager);
    csn = pager_csn(world.pager);
    WORLD_OK(&world, pager_shrink(world.pager, &shrunk));
    cr_assert_eq(shrunk, count);
    cr_assert_eq(pager_csn(world.pager), csn);
    close_world(&world);
}

/* Makes the file longer without using its pages, a few map groups at a time. */
static void
extend(struct world *world, uint32_t page_count)
{
    while (pager_page_count(world->pager) < page_count) {
        uint32_t target = pager_page_count(world->pager) + 16 * MAP_GROUP_SIZE;
        struct pager_change *change;
        uint64_t csn;
        if (target > page_count)
            target = page_count;
        if (page_is_map(target - 1))
            target++;
        WORLD_OK(world, pager_change_begin(world->pager, &change));
        enum status status = pager__change_extend(change, target);
        if (status == STATUS_OK)
            status = pager_change_commit(change, &csn);
        else
            pager_change_abandon(change);
        if (status == STATUS_MISSING)
            status = pager_change_resolve(world->pager);
        WORLD_OK(world, status);
    }
}

static void
crash_and_reopen(struct world *world)
{
    WORLD_OK(world, world_flush(world));
    pager_abandon(world->pager);
    world->pager = NULL;
    WORLD_OK(world, pager_open(&world->env, WORLD_PATH, &world->options, &world->pager));
}

static void
check_file(struct world *world, uint64_t used_count, uint64_t map_count)
{
    struct pager_check_result result;

    WORLD_OK(world, pager_check(world->pager, NULL, NULL, &result));
    cr_assert_eq(result.finding_count, 0u);
    cr_assert_eq(result.used_count, used_count);
    cr_assert_eq(result.map_count, map_count);
}

static enum status
allocate_once(struct world *world, uint32_t *out)
{
    struct pager_change *change;
    uint8_t *bytes;
    uint64_t csn;

    TRY(pager_change_begin(world->pager, &change));
    enum status status = pager_change_allocate(change, 1, PAGE_TYPE_TEST, 0, out, &bytes);
    if (status == STATUS_OK)
        return pager_change_commit(change, &csn);
    pager_change_abandon(change);
    return status;
}

/* A gigabyte of file: the second level-1 map page comes and goes. covers: P11 */
Test(shrink, of_a_file_with_two_spans_gives_up_both_map_levels)
{
    enum { SPAN = MAP_ENTRY_COUNT * MAP_GROUP_SIZE };
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);
    struct world world;
    uint32_t page = 0, count;
    enum status status;

    options.page_limit = SPAN + 2000;
    options.pool_size = 1024 * PAGE_SIZE;
    options.change_limit = 200;
    options.grow_count = 30000;
    options.log_limit = 4 << 20;
    options.log_frame_size = 0;
    options.segment_size = 1 << 20;
    world_init(&world, 3, &options);
    WORLD_OK(&world, pager_open(&world.env, WORLD_PATH, &world.options, &world.pager));
    extend(&world, MAP_FIRST_PAGE + SPAN + 10);
    cr_assert_eq(world.pager->map_count, 2u);
    check_file(&world, 1, MAP_ENTRY_COUNT + 3);
    crash_and_reopen(&world);
    check_file(&world, 1, MAP_ENTRY_COUNT + 3);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    WORLD_OK(&world, pager_shrink(world.pager, &count));
    cr_assert_eq(count, (uint32_t)PAGE_COUNT_MIN);
    cr_assert_eq(world.pager->map_count, 1u);
    check_file(&world, 1, 2);
    crash_and_reopen(&world);
    check_file(&world, 1, 2);
    while ((status = allocate_once(&world, &page)) == STATUS_MISSING)
        WORLD_OK(&world, pager_change_resolve(world.pager));
    WORLD_OK(&world, status);
    cr_assert_eq(page, 5u);
    extend(&world, MAP_FIRST_PAGE + SPAN + 3);
    WORLD_OK(&world, pager_close(world.pager));
    WORLD_OK(&world, pager_open(&world.env, WORLD_PATH, &world.options, &world.pager));
    check_file(&world, 2, MAP_ENTRY_COUNT + 3);
    world_deinit(&world);
}

/* A crash at any of the steps leaves a file of one of the two lengths. covers: P11 */
Test(shrink, survives_a_crash_at_any_moment)
{
    struct world world;
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_RANDOM};

    open_world(&world);
    (void)make_shrinkable(&world);
    for (int round = 0; round < 4; round++) {
        for (uint64_t seed = 0; seed < 10; seed++) {
            crash.seed = seed;
            world_crash(&world, &crash, 3);
            world_crash_twice(&world, &crash);
        }
        if (round == 1)
            WORLD_OK(&world, world_flush(&world));
        if (round >= 2)
            WORLD_OK(&world, pager_checkpoint(world.pager));
    }
    close_world(&world);
}
