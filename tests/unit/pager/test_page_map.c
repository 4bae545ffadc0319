/*
 * Goal: prove that the map's arithmetic is the layout that pager_format.h draws: each page is
 * described at one place, by the right map page, and entries do not disturb each other.
 * Method: lay the file out by counting, page after page, and compare every function at every page of
 * the first spans and at the file's largest size; set entries and look at all others.
 */
#include "pager/page.h"

#include <criterion/criterion.h>
#include <signal.h>

enum { SPAN_SIZE = MAP_ENTRY_COUNT * MAP_GROUP_SIZE };

/* Where a walk over all pages stands. */
struct walk {
    uint32_t page_number;
    uint32_t map_page;    /* Level-0 map page of the current group. */
    uint32_t map_count;   /* Level-0 map pages so far. */
    uint32_t left;        /* Pages still to come in the group. */
    uint32_t level1_page; /* Of the current span. */
    uint32_t level1_count;
};

static void
check_map_page(struct walk *walk)
{
    uint32_t index = walk->map_count % MAP_ENTRY_COUNT;

    if (index == 0) {
        walk->level1_page = walk->page_number + 1;
        walk->level1_count++;
    }
    walk->map_page = walk->page_number;
    walk->map_count++;
    walk->left = MAP_ENTRY_COUNT;
    cr_assert(page_is_map_level0(walk->page_number), "page %u", walk->page_number);
    cr_assert(!page_is_map_level1(walk->page_number), "page %u", walk->page_number);
    cr_assert(page_is_map(walk->page_number));
    cr_assert_eq(map_level1_page_of(walk->page_number), walk->level1_page);
    cr_assert_eq(map_level1_index_of(walk->page_number), index);
}

static void
check_described_page(struct walk *walk)
{
    uint32_t page_number = walk->page_number;
    bool is_level1 = page_number == walk->level1_page;

    cr_assert(!page_is_map_level0(page_number), "page %u", page_number);
    cr_assert_eq(page_is_map_level1(page_number), is_level1, "page %u", page_number);
    cr_assert_eq(page_is_map(page_number), is_level1);
    cr_assert_eq(map_page_of(page_number), walk->map_page, "page %u", page_number);
    cr_assert_eq(map_index_of(page_number), MAP_ENTRY_COUNT - walk->left, "page %u", page_number);
    if (is_level1)
        cr_assert_eq(map_meta_index_of(page_number), walk->level1_count - 1);
    walk->left--;
}

static void
walk_pages(struct walk *walk, uint32_t end)
{
    for (; walk->page_number < end; walk->page_number++) {
        if (walk->left == 0)
            check_map_page(walk);
        else
            check_described_page(walk);
    }
}

Test(page_map, follows_the_drawn_layout_from_the_first_page)
{
    struct walk walk = {.page_number = MAP_FIRST_PAGE};

    cr_assert(!page_is_map(0));
    cr_assert(!page_is_map(1));
    walk_pages(&walk, 2 * SPAN_SIZE + 3 * MAP_GROUP_SIZE);
    cr_assert_eq(walk.level1_count, 3);
}

Test(page_map, follows_the_drawn_layout_to_the_last_page)
{
    uint32_t spans = META_MAP_COUNT - 1;
    struct walk walk = {.page_number = MAP_FIRST_PAGE + spans * SPAN_SIZE,
                        .map_count = spans * MAP_ENTRY_COUNT,
                        .level1_count = spans};

    walk_pages(&walk, (uint32_t)PAGE_COUNT_MAX);
    cr_assert_eq(walk.level1_count, META_MAP_COUNT);
}

Test(page_map, the_catalog_root_is_an_ordinary_page)
{
    cr_assert(page_is_map_level0(MAP_FIRST_PAGE));
    cr_assert(page_is_map_level1(MAP_LEVEL1_FIRST_PAGE));
    cr_assert(!page_is_map(PAGE_CATALOG_ROOT));
    cr_assert_eq(map_page_of(PAGE_CATALOG_ROOT), MAP_FIRST_PAGE);
    cr_assert_eq(map_index_of(PAGE_CATALOG_ROOT), 1);
}

Test(page_map, entries_keep_state_and_csn_and_leave_their_neighbours_alone)
{
    static const uint64_t csns[] = {0, 1, 0x123456789abcde, (1ull << 56) - 1};
    uint8_t page[PAGE_SIZE];
    uint8_t expected[PAGE_SIZE];

    for (uint32_t index = 0; index < MAP_ENTRY_COUNT; index++) {
        struct map_entry entry = {(enum page_state)(index % (PAGE_STATE_FENCED + 1)),
                                  csns[index % 4]};
        struct map_entry found;

        memset(page, 0x55, sizeof(page));
        memset(expected, 0x55, sizeof(expected));
        map_entry_set(page, index, entry);
        found = map_entry_get(page, index);
        cr_assert_eq(found.state, entry.state);
        cr_assert_eq(found.csn, entry.csn);
        memcpy(expected + PAGE_HEADER_SIZE + index * 8, page + PAGE_HEADER_SIZE + index * 8, 8);
        cr_assert_eq(memcmp(page, expected, PAGE_SIZE), 0, "entry %u", index);
    }
}

Test(page_map, a_new_map_page_knows_only_unused_pages)
{
    uint8_t page[PAGE_SIZE];

    page_init(page, MAP_FIRST_PAGE, 0, PAGE_TYPE_MAP, 0);
    for (uint32_t index = 0; index < MAP_ENTRY_COUNT; index++) {
        cr_assert_eq(map_entry_get(page, index).state, PAGE_STATE_UNUSED);
        cr_assert_eq(map_entry_get(page, index).csn, 0);
    }
}

Test(page_map, stops_on_a_csn_past_56_bits, .signal = SIGABRT)
{
    uint8_t page[PAGE_SIZE] = {0};

    map_entry_set(page, 0, (struct map_entry){PAGE_STATE_USED, 1ull << 56});
}

Test(page_map, stops_on_an_unknown_state, .signal = SIGABRT)
{
    uint8_t page[PAGE_SIZE] = {0};

    map_entry_set(page, 0, (struct map_entry){(enum page_state)(PAGE_STATE_FENCED + 1), 1});
}

Test(page_map, stops_on_an_index_past_the_page_in_get, .signal = SIGABRT)
{
    uint8_t page[PAGE_SIZE] = {0};

    (void)map_entry_get(page, MAP_ENTRY_COUNT);
}

Test(page_map, stops_on_an_index_past_the_page_in_set, .signal = SIGABRT)
{
    uint8_t page[2 * PAGE_SIZE] = {0};

    map_entry_set(page, MAP_ENTRY_COUNT, (struct map_entry){PAGE_STATE_USED, 1});
}

Test(page_map, stops_when_asked_who_describes_a_map_page, .signal = SIGABRT)
{
    (void)map_page_of(MAP_FIRST_PAGE + MAP_GROUP_SIZE);
}

Test(page_map, stops_when_asked_for_the_index_of_a_map_page, .signal = SIGABRT)
{
    (void)map_index_of(MAP_FIRST_PAGE + MAP_GROUP_SIZE);
}

Test(page_map, stops_on_a_meta_page, .signal = SIGABRT)
{
    (void)map_page_of(1);
}

Test(page_map, stops_past_the_largest_file, .signal = SIGABRT)
{
    (void)map_page_of((uint32_t)PAGE_COUNT_MAX);
}

Test(page_map, stops_when_level_1_is_asked_of_an_ordinary_page, .signal = SIGABRT)
{
    (void)map_level1_page_of(PAGE_CATALOG_ROOT);
}

Test(page_map, stops_when_a_level_1_index_is_asked_of_an_ordinary_page, .signal = SIGABRT)
{
    (void)map_level1_index_of(PAGE_CATALOG_ROOT);
}

Test(page_map, stops_when_a_meta_index_is_asked_of_an_ordinary_page, .signal = SIGABRT)
{
    (void)map_meta_index_of(PAGE_CATALOG_ROOT);
}
