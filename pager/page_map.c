/*
 * Where the page map keeps what it knows of a page: the arithmetic of pager_format.h, and entries.
 *
 * Pages from 2 on form groups of 507: a level-0 map page and the 506 pages it describes. Level-0 map
 * pages form groups of 506 (a span of 506 * 507 pages), each described by one level-1 map page,
 * which is the first ordinary page of the span's first group. Page numbers that come from outside
 * are validated against the page count before they come here.
 */
#include "kernel/base/check.h"
#include "pager/page.h"

enum {
    MAP_SPAN_SIZE = MAP_ENTRY_COUNT * MAP_GROUP_SIZE, /* pages per level-1 map page */
    MAP_CSN_SHIFT = 8,
};
static_assert(MAP_LEVEL1_FIRST_PAGE == MAP_FIRST_PAGE + 1, "level 1 follows its first group's map");
static_assert(PAGE_COUNT_MAX < PAGE_NONE, "page numbers are 32 bits");

bool
page_is_map_level0(uint32_t page_number)
{
    return page_number >= MAP_FIRST_PAGE && (page_number - MAP_FIRST_PAGE) % MAP_GROUP_SIZE == 0;
}

bool
page_is_map_level1(uint32_t page_number)
{
    return page_number >= MAP_LEVEL1_FIRST_PAGE &&
           (page_number - MAP_LEVEL1_FIRST_PAGE) % MAP_SPAN_SIZE == 0;
}

bool
page_is_map(uint32_t page_number)
{
    return page_is_map_level0(page_number) || page_is_map_level1(page_number);
}

uint32_t
map_page_of(uint32_t page_number)
{
    CHECK(page_number > MAP_FIRST_PAGE && page_number < PAGE_COUNT_MAX);
    CHECK(!page_is_map_level0(page_number));
    return page_number - (page_number - MAP_FIRST_PAGE) % MAP_GROUP_SIZE;
}

uint32_t
map_index_of(uint32_t page_number)
{
    CHECK(page_number > MAP_FIRST_PAGE && page_number < PAGE_COUNT_MAX);
    CHECK(!page_is_map_level0(page_number));
    return (page_number - MAP_FIRST_PAGE) % MAP_GROUP_SIZE - 1;
}

uint32_t
map_level1_page_of(uint32_t map_page_number)
{
    CHECK(page_is_map_level0(map_page_number) && map_page_number < PAGE_COUNT_MAX);
    return map_page_number - (map_page_number - MAP_FIRST_PAGE) % MAP_SPAN_SIZE + 1;
}

uint32_t
map_level1_index_of(uint32_t map_page_number)
{
    CHECK(page_is_map_level0(map_page_number) && map_page_number < PAGE_COUNT_MAX);
    return (map_page_number - MAP_FIRST_PAGE) / MAP_GROUP_SIZE % MAP_ENTRY_COUNT;
}

uint32_t
map_meta_index_of(uint32_t map_level1_page_number)
{
    CHECK(page_is_map_level1(map_level1_page_number) && map_level1_page_number < PAGE_COUNT_MAX);
    return (map_level1_page_number - MAP_LEVEL1_FIRST_PAGE) / MAP_SPAN_SIZE;
}

struct map_entry
map_entry_get(const void *map_page, uint32_t index)
{
    const struct map_page *map = map_page;
    uint64_t word;

    CHECK(index < MAP_ENTRY_COUNT);
    word = le64_get(map->entry[index]);
    return (struct map_entry){.state = (enum page_state)(word & 0xff),
                              .csn = word >> MAP_CSN_SHIFT};
}

void
map_entry_set(void *map_page, uint32_t index, struct map_entry entry)
{
    struct map_page *map = map_page;

    CHECK(index < MAP_ENTRY_COUNT);
    CHECK((uint32_t)entry.state <= PAGE_STATE_FENCED);
    CHECK(entry.csn >> (64 - MAP_CSN_SHIFT) == 0);
    map->entry[index] = le64_of(entry.csn << MAP_CSN_SHIFT | (uint64_t)entry.state);
}
