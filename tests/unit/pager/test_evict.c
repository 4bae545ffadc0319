/*
 * Goal: prove which pages leave the pool: those of a scan before those that are looked at again, those that
 * came back soon after, and in a skewed load nearly those that the best fixed choice would leave; and
 * that main pages are counted exactly and a pool of which nothing can go is said to be one.
 * Method: a pool without a file, pages installed and looked at as the trees do it. Each rule alone,
 * then long sequences with the places of all frames counted against main_count.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "kernel/base/random.h"
#include "pager/pager_private.h"
#include "tests/support/pager_rig.h"

enum { FRAMES = 2000, FIRST = 4, PLACE_MAIN = 2 };

static bool
is_resident(const struct pager *pager, uint32_t page_number)
{
    return (atomic_load(&pager->table.words[page_number]) & WORD_FRAME_MASK) != WORD_FRAME_NONE;
}

/* As a tree's look does it: where the page is absent it comes first. True: it was there. */
static bool
look(struct pager *pager, uint32_t page_number)
{
    struct page_view view = {0};
    bool found = page_view_begin(pager_table(pager), page_number, &view);

    if (!found) {
        uint32_t frame;

        MUST(pager__frame_take(pager, &frame));
        cr_assert(pager__install(pager, page_number, frame));
        cr_assert(page_view_begin(pager_table(pager), page_number, &view));
    }
    cr_assert(page_view_end(&view));
    return found;
}

static void
scan(struct pager *pager, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        (void)look(pager, first + i);
}

static uint32_t
resident_count(const struct pager *pager, uint32_t first, uint32_t count)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < count; i++)
        found += is_resident(pager, first + i);
    return found;
}

static void
check_places(const struct pager *pager)
{
    uint32_t count = 0;

    for (uint32_t frame = 1; frame < pager__frame_end(pager); frame++) {
        count += pager->place[frame] == PLACE_MAIN;
        cr_assert_eq(pager->place[frame] != 0, pager->frame[frame].page_number != PAGE_NONE,
                     "frame %u", frame);
    }
    cr_assert_eq(count, pager->main_count);
}

Test(evict, a_page_that_is_looked_at_again_outlives_scans)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);

    for (int i = 0; i < 3; i++)
        (void)look(pager, FIRST);
    (void)look(pager, FIRST + 1);
    (void)look(pager, FIRST + 1);
    scan(pager, 10000, 10 * FRAMES);
    cr_assert(is_resident(pager, FIRST), "two looks after it came");
    cr_assert_not(is_resident(pager, FIRST + 1), "one only");
    check_places(pager);
    pager_rig_pool_free(&rig, pager);
}

Test(evict, a_page_that_comes_back_soon_outlives_scans)
{
    enum { COUNT = 100 };
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);

    scan(pager, 10000, FRAMES);
    scan(pager, FIRST, 2 * COUNT);
    scan(pager, 20000, 3 * FRAMES / 2);
    cr_assert_eq(resident_count(pager, FIRST, 2 * COUNT), 0, "they have left, not long ago");
    scan(pager, FIRST, COUNT);
    scan(pager, 30000, 5 * FRAMES); /* It is too late for the others. */
    scan(pager, FIRST + COUNT, COUNT);
    scan(pager, 50000, 5 * FRAMES);
    cr_assert_geq(resident_count(pager, FIRST, COUNT), COUNT * 8 / 10, "few are forgotten early");
    cr_assert_eq(resident_count(pager, FIRST + COUNT, COUNT), 0);
    check_places(pager);
    pager_rig_pool_free(&rig, pager);
}

/* Whatever was kept before: pages that fit the pool are all found in the end. */
Test(evict, a_loop_over_pages_that_fit_stays)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    uint32_t found = 0, count = FRAMES * 9 / 10;

    for (int i = 0; i < 5; i++)
        scan(pager, FIRST, count);
    for (int i = 0; i < 20; i++)
        scan(pager, 50000, count);
    for (uint32_t i = 0; i < count; i++)
        found += look(pager, 50000 + i);
    cr_assert_gt(found, count * 9 / 10, "%u of %u", found, count);
    check_places(pager);
    pager_rig_pool_free(&rig, pager);
}

static int
compare_counts(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;

    return (first < second) - (first > second);
}

/* Pages by a power law, 10 pools of them. The best fixed choice keeps those most often looked at. */
Test(evict, a_skewed_load_finds_nearly_what_the_best_fixed_choice_finds)
{
    enum { PAGES = 10 * FRAMES, LOOKS = 400000, WARM = 200000 };
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    uint32_t *counts = calloc(PAGES, sizeof(*counts));
    uint32_t found = 0, best = 0;
    struct random random;

    random_init(&random, 7);
    for (uint32_t i = 0; i < LOOKS; i++) {
        /* Density 1/x: the page of rank r is wanted with probability about 1/r. */
        double unit = (double)random_below(&random, 1 << 30) / (1 << 30);
        uint32_t page = (uint32_t)pow(PAGES, unit) - 1;
        bool there = look(pager, FIRST + page);

        if (i < WARM)
            continue;
        found += there;
        counts[page]++;
    }
    qsort(counts, PAGES, sizeof(*counts), compare_counts);
    for (uint32_t i = 0; i < FRAMES; i++)
        best += counts[i];
    cr_assert_gt(found, best / 100 * 95, "%u of %u", found, best);
    check_places(pager);
    free(counts);
    pager_rig_pool_free(&rig, pager);
}

/* Also when every page was looked at lately, the search ends, and says that nothing can go. */
Test(evict, a_pool_of_dirty_pages_gives_none_and_then_the_clean_one)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);
    uint32_t frame, end = FIRST;

    for (; pager->free_frames > FRAME_RESERVE; end++)
        for (int i = 0; i < 10; i++)
            (void)look(pager, end);
    for (frame = 1; frame < pager__frame_end(pager); frame++)
        atomic_store(&pager->frame[frame].csn_dirty, 1);
    cr_assert_eq(pager__frame_take(pager, &frame), STATUS_MISSING);
    cr_assert_eq(PAGER_GET(pager, evict_count), 0);
    for (int i = 0; i < 10; i++)
        (void)look(pager, FIRST + 100);
    uint32_t only = (uint32_t)(pager->table.words[FIRST + 100] & WORD_FRAME_MASK);
    atomic_store(&pager->frame[only].csn_dirty, 0);
    MUST(pager__frame_take(pager, &frame));
    cr_assert_eq(frame, only);
    check_places(pager);
    pager_rig_pool_free(&rig, pager);
}

/* What the flush writes first: pages that would leave next. */
Test(evict, a_page_is_cold_when_the_hand_would_take_it)
{
    struct pager_rig rig;
    struct pager *pager = pager_rig_pool_new(&rig, FRAMES);

    (void)look(pager, FIRST);
    uint32_t frame = (uint32_t)(pager->table.words[FIRST] & WORD_FRAME_MASK);
    cr_assert(pager__frame_is_cold(pager, frame));
    (void)look(pager, FIRST);
    (void)look(pager, FIRST);
    cr_assert_not(pager__frame_is_cold(pager, frame));
    scan(pager, 10000, 2 * FRAMES);
    cr_assert_eq(pager->place[frame], PLACE_MAIN);
    cr_assert(pager__frame_is_cold(pager, frame), "promoted, and not looked at since");
    (void)look(pager, FIRST);
    cr_assert_not(pager__frame_is_cold(pager, frame));
    pager__drop(pager, FIRST);
    check_places(pager);
    pager_rig_pool_free(&rig, pager);
}
