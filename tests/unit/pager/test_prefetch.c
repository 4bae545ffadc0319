/*
 * Goal: prove that a prefetch brings in what is good, leaves alone what is not, and never fails,
 * flushes or loses a frame.
 * Method: a file on the simulated disk; lists with every kind of number in them, damaged pages, pools
 * with no clean frame, failing allocations and reads.
 */
#include <criterion/criterion.h>

#include "pager/pager_private.h"
#include "tests/support/pager_rig.h"

enum { PAGES = 40, FIRST = PAGE_CATALOG_ROOT + 1 };

static void
build(struct pager_rig *rig)
{
    pager_rig_init(rig, 1);
    pager_rig_open(rig);
    for (uint32_t i = 0; i < PAGES; i++)
        cr_assert_eq(pager_rig_allocate(rig, i), FIRST + i);
    pager_rig_close(rig);
    pager_rig_open(rig);
}

static bool
is_resident(const struct pager *pager, uint32_t page_number)
{
    return (atomic_load(&pager->table.words[page_number]) & WORD_FRAME_MASK) != 0;
}

static uint32_t
resident_count(const struct pager *pager)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < PAGES; i++)
        count += is_resident(pager, FIRST + i);
    return count;
}

static void
expect_at_rest(const struct pager *pager)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        uint64_t word = atomic_load(&pager->table.words[FIRST + i]);
        cr_assert_eq(word & (WORD_LOCKED | WORD_IN_IO | WORD_WAITERS), 0);
    }
    for (uint32_t frame = 1; frame < pager__frame_end(pager); frame++)
        cr_assert_eq(pager->frame[frame].pins, 0);
    cr_assert_str_empty(error_message());
}

static void
all_numbers(uint32_t *numbers)
{
    for (uint32_t i = 0; i < PAGES; i++)
        numbers[i] = FIRST + PAGES - 1 - i;
}

Test(prefetch, brings_all_in_and_later_pins_read_nothing)
{
    struct pager_statistics statistics;
    uint32_t numbers[PAGES];
    struct pager_rig rig;

    build(&rig);
    all_numbers(numbers);
    pager_prefetch(rig.pager, numbers, PAGES);
    cr_assert_eq(resident_count(rig.pager), PAGES);
    expect_at_rest(rig.pager);
    for (uint32_t i = 0; i < PAGES; i++)
        cr_assert_eq(pager_rig_get(&rig, FIRST + i), i);
    pager_prefetch(rig.pager, numbers, PAGES);
    pager_get_statistics(rig.pager, &statistics);
    cr_assert_eq(statistics.page_read_count, PAGES + 2);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(prefetch, passes_over_numbers_that_make_no_sense)
{
    uint32_t numbers[] = {0,         1,         2,           3,        FIRST, FIRST,
                          FIRST + 1, PAGE_NONE, FIRST + 500, 1u << 30, FIRST};
    struct pager_rig rig;

    build(&rig);
    pager_prefetch(rig.pager, numbers, sizeof(numbers) / sizeof(numbers[0]));
    cr_assert_eq(resident_count(rig.pager), 2);
    expect_at_rest(rig.pager);
    pager_prefetch(rig.pager, numbers, 0);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(prefetch, leaves_map_pages_to_those_who_need_them)
{
    uint32_t numbers[] = {MAP_FIRST_PAGE + MAP_GROUP_SIZE, MAP_FIRST_PAGE + MAP_GROUP_SIZE + 1};
    struct pager_rig rig;

    build(&rig);
    while (pager_page_count(rig.pager) <= numbers[1])
        (void)pager_rig_allocate(&rig, 1);
    pager_rig_close(&rig);
    pager_rig_open(&rig);
    pager_prefetch(rig.pager, numbers, 1);
    cr_assert_not(is_resident(rig.pager, numbers[0]));
    pager_prefetch(rig.pager, numbers, 2);
    cr_assert(is_resident(rig.pager, numbers[1]));
    expect_at_rest(rig.pager);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

/* covers: P5 */
Test(prefetch, leaves_damaged_and_unreadable_pages_absent)
{
    uint32_t numbers[PAGES];
    struct pager_rig rig;
    struct pager_pin pin;

    build(&rig);
    all_numbers(numbers);
    MUST(io_sim_flip_bit(rig.io, RIG_PATH, (FIRST + 3) * PAGE_SIZE * 8 + 777));
    MUST(io_sim_bad_range(rig.io, RIG_PATH, (FIRST + 5) * PAGE_SIZE, 512));
    pager_prefetch(rig.pager, numbers, PAGES);
    cr_assert_eq(resident_count(rig.pager), PAGES - 2);
    cr_assert_not(is_resident(rig.pager, FIRST + 3));
    cr_assert_not(is_resident(rig.pager, FIRST + 5));
    expect_at_rest(rig.pager);
    cr_assert_eq(pager_pin(rig.pager, FIRST + 3, &pin), STATUS_CORRUPT);
    cr_assert_eq(pager_pin(rig.pager, FIRST + 5, &pin), STATUS_IO);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(prefetch, stops_where_no_frame_is_clean)
{
    struct pager_statistics statistics;
    uint32_t numbers[PAGES];
    struct pager_rig rig;
    uint32_t taken[64], count = 0;

    build(&rig);
    all_numbers(numbers);
    (void)pager_rig_get(&rig, FIRST);
    while (pager__frame_take(rig.pager, &taken[count]) == STATUS_OK)
        count++;
    pager_prefetch(rig.pager, numbers, PAGES);
    cr_assert_eq(resident_count(rig.pager), 0);
    pager_get_statistics(rig.pager, &statistics);
    cr_assert_eq(statistics.page_write_count, 0);
    while (count > 0)
        pager__frame_give(rig.pager, taken[--count]);
    pager_prefetch(rig.pager, numbers, PAGES);
    cr_assert_eq(resident_count(rig.pager), PAGES);
    pager_rig_close(&rig);
    pager_rig_deinit(&rig);
}

Test(prefetch, survives_each_failing_operation_and_allocation)
{
    uint32_t numbers[PAGES];
    struct pager_rig rig;

    build(&rig);
    all_numbers(numbers);
    pager_rig_close(&rig);
    for (uint64_t index = 0; index < 2 * PAGES; index++) {
        pager_rig_open(&rig);
        if (index < PAGES)
            io_sim_fail_at(rig.io, io_sim_op_count(rig.io) + index, IO_SIM_FAULT_EIO, false);
        else
            memory_fail_at(rig.memory, index - PAGES, false);
        pager_prefetch(rig.pager, numbers, PAGES);
        io_sim_fail_at(rig.io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        expect_at_rest(rig.pager);
        for (uint32_t i = 0; i < PAGES; i++)
            cr_assert_eq(pager_rig_get(&rig, FIRST + i), i);
        pager_rig_close(&rig);
    }
    pager_rig_deinit(&rig);
}
