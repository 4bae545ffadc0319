/*
 * Goal: prove that the verification of a file finds each kind of damage, names the page, and finds nothing
 * in a file that is whole.
 * Method: damage closed files page by page on the simulated disk, open them cold, and count findings.
 */
#include <criterion/criterion.h>

#include "pager/pager_private.h"
#include "tests/support/pager_world.h"

enum { PAGES = 600 };

static void
make_file(struct world *world)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);

    world_init(world, 22, &options);
    world_open(world);
    for (int count = 0; count < PAGES; count++)
        (void)world_allocate(world, (uint8_t)count);
    for (uint32_t number = 50; number < 60; number++)
        world_free(world, number);
    world_close(world);
}

struct findings {
    uint32_t pages[16];
    uint32_t count;
};

static void
keep(void *context, const struct pager_finding *finding)
{
    struct findings *findings = context;

    cr_assert_not_null(finding->reason);
    cr_assert_neq(finding->status, STATUS_OK);
    if (findings->count < 16)
        findings->pages[findings->count] = finding->page_number;
    findings->count++;
}

static struct findings
check_cold(struct world *world, struct pager_check_result *out)
{
    struct findings findings = {.count = 0};

    WORLD_OK(world, pager_open(&world->env, WORLD_PATH, &world->options, &world->pager));
    WORLD_OK(world, pager_check(world->pager, keep, &findings, out));
    pager_abandon(world->pager);
    world->pager = NULL;
    cr_assert_eq(out->finding_count, findings.count);
    return findings;
}

Test(check_file, finds_nothing_in_a_whole_file_and_counts_its_pages)
{
    struct pager_check_result result;
    struct world world;

    make_file(&world);
    cr_assert_eq(check_cold(&world, &result).count, 0u);
    cr_assert_eq(result.used_count, PAGES + 1u - 10u);
    cr_assert_eq(result.free_count, 10u);
    cr_assert_eq(result.map_count, 3u);
    cr_assert_eq(result.page_count, result.used_count + result.free_count + result.map_count + 2u);
    world_deinit(&world);
}

Test(check_file, finds_each_damaged_page_and_no_other)
{
    struct pager_check_result result;
    struct findings findings;
    struct world world;

    make_file(&world);
    WORLD_OK(&world, io_sim_flip_bit(world.io, WORLD_PATH, 100ull * 4096 * 8 + 500));
    WORLD_OK(&world, io_sim_flip_bit(world.io, WORLD_PATH, 590ull * 4096 * 8 + 32000));
    WORLD_OK(&world, io_sim_flip_bit(world.io, WORLD_PATH, 55ull * 4096 * 8 + 500)); /* Free. */
    WORLD_OK(&world, io_sim_bad_range(world.io, WORLD_PATH, 300 * PAGE_SIZE, PAGE_SIZE));
    findings = check_cold(&world, &result);
    cr_assert_eq(findings.count, 3u);
    cr_assert_eq(findings.pages[0], 100u);
    cr_assert_eq(findings.pages[1], 300u);
    cr_assert_eq(findings.pages[2], 590u);
    world_deinit(&world);
}

/* A lost write leaves a valid but older page; a misdirected one a valid page of another place. */
/* covers: P3 */
Test(check_file, finds_stale_and_misplaced_pages)
{
    struct pager_check_result result;
    struct findings findings;
    struct world world;
    uint8_t old[PAGE_SIZE], other[PAGE_SIZE];

    make_file(&world);
    WORLD_OK(&world, io_sim_peek(world.io, WORLD_PATH, 100 * PAGE_SIZE, old, PAGE_SIZE));
    WORLD_OK(&world, io_sim_peek(world.io, WORLD_PATH, 101 * PAGE_SIZE, other, PAGE_SIZE));
    world_open(&world);
    world_fill(&world, 100, 500, 0x99, 10);
    world_close(&world);
    WORLD_OK(&world, io_sim_overwrite(world.io, WORLD_PATH, 100 * PAGE_SIZE, old, PAGE_SIZE));
    WORLD_OK(&world, io_sim_overwrite(world.io, WORLD_PATH, 200 * PAGE_SIZE, other, PAGE_SIZE));
    findings = check_cold(&world, &result);
    cr_assert_eq(findings.count, 2u);
    cr_assert_eq(findings.pages[0], 100u);
    cr_assert_eq(findings.pages[1], 200u);
    world_deinit(&world);
}

Test(check_file, finds_a_damaged_map_page_and_walks_on)
{
    struct pager_check_result result;
    struct findings findings;
    struct world world;

    make_file(&world);
    WORLD_OK(&world, io_sim_flip_bit(world.io, WORLD_PATH, 509ull * 4096 * 8 + 5000));
    findings = check_cold(&world, &result);
    cr_assert_eq(findings.count, 1u);
    cr_assert_eq(findings.pages[0], 509u);
    cr_assert_geq(result.used_count, 480u, "the first group is walked");
    world_deinit(&world);
}
