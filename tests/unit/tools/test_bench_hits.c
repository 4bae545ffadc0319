/*
 * Goal: the bounds that a pool's hit rate is held against are the true ones.
 * Method: short sequences of few pages; the best choice by future use is compared with the best of all
 * choices, tried one by one from every pool that is possible at the start, and the fixed choice with a count and with
 * the other, which is never below it. Memory refused at each allocation.
 */
#include <criterion/criterion.h>

#include "kernel/base/random.h"
#include "tools/qtdb-bench/bench_hits.h"

enum { PAGES = 5, LENGTH = 12 };

/* Most hits from `at` on with that set of resident pages, whatever is evicted; a page need not be kept. */
static uint64_t
best_from(const struct bench_requests *requests, uint64_t at, uint32_t resident)
{
    if (at == requests->count)
        return 0;
    uint32_t page = requests->pages[at];
    if ((resident >> page & 1) != 0)
        return 1 + best_from(requests, at + 1, resident);
    uint64_t best = best_from(requests, at + 1, resident);
    for (uint32_t victim = 0; victim < PAGES; victim++) {
        if ((resident >> victim & 1) == 0)
            continue;
        uint64_t hits = best_from(requests, at + 1, (resident & ~(1u << victim)) | 1u << page);
        best = hits > best ? hits : best;
    }
    return best;
}

static uint64_t
best_of_all(const struct bench_requests *requests)
{
    uint64_t best = 0;

    for (uint32_t pool = 0; pool < 1u << PAGES; pool++) {
        if ((uint32_t)__builtin_popcount(pool) != requests->frames)
            continue;
        uint64_t hits = best_from(requests, 0, pool);
        best = hits > best ? hits : best;
    }
    return best;
}

Test(bench_hits, no_choice_has_more_hits_than_the_one_that_knows_the_future)
{
    struct memory *memory = memory_new();
    uint32_t pages[LENGTH];
    struct random random;

    random_init(&random, 3);
    for (int round = 0; round < 300; round++) {
        struct bench_requests requests = {
            .pages = pages, .count = LENGTH, .page_count = PAGES, .frames = 1 + round % 4u};
        uint64_t hits = 0, fixed = 0;

        for (int i = 0; i < LENGTH; i++)
            pages[i] = (uint32_t)random_below(&random, PAGES);
        cr_assert_eq(bench_hits_future(memory, &requests, &hits), STATUS_OK);
        cr_assert_eq(hits, best_of_all(&requests), "round %d", round);
        cr_assert_eq(bench_hits_fixed(memory, &requests, &fixed), STATUS_OK);
        cr_assert_leq(fixed, hits, "round %d", round);
    }
    memory_delete(memory);
}

Test(bench_hits, the_fixed_choice_keeps_what_is_asked_for_most)
{
    static const uint32_t pages[] = {0, 1, 0, 2, 0, 1, 3};
    struct memory *memory = memory_new();
    struct bench_requests requests = {.pages = pages, .count = 7, .page_count = 5, .frames = 2};
    uint64_t hits = 0;

    cr_assert_eq(bench_hits_fixed(memory, &requests, &hits), STATUS_OK);
    cr_assert_eq(hits, 5, "0 three times and 1 twice");
    requests.frames = 100;
    cr_assert_eq(bench_hits_fixed(memory, &requests, &hits), STATUS_OK);
    cr_assert_eq(hits, 7);
    memory_delete(memory);
}

Test(bench_hits, refused_memory_is_said_and_nothing_leaks)
{
    static const uint32_t pages[] = {0, 1, 2, 0};
    struct bench_requests requests = {.pages = pages, .count = 4, .page_count = 3, .frames = 2};
    uint64_t hits = 0;

    for (uint64_t index = 0; index < 3; index++) {
        struct memory *memory = memory_new();

        memory_fail_at(memory, index, false);
        cr_assert_eq(bench_hits_future(memory, &requests, &hits), STATUS_NO_MEMORY);
        memory_delete(memory);
    }
    struct memory *memory = memory_new();
    memory_fail_at(memory, 0, false);
    cr_assert_eq(bench_hits_fixed(memory, &requests, &hits), STATUS_NO_MEMORY);
    memory_delete(memory);
}
