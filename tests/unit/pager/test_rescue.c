/*
 * Goal: prove that rescue makes a valid page store of a file whose log is gone, keeps every page that
 * validates, and says what it did.
 * Method: crash small files, take their logs away or spoil them, damage pages and map pages, rescue,
 * and walk the whole file.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/base/log_sink.h"
#include "pager/pager_private.h"
#include "tests/support/pager_world.h"

enum { PAGES = 700 };

/* Two map groups; then changes of which some are flushed, and a crash. */
static void
make_unclean(struct world *world)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);

    world_init(world, 21, &options);
    world_open(world);
    for (int count = 0; count < PAGES; count++)
        (void)world_allocate(world, (uint8_t)count);
    WORLD_OK(world, pager_checkpoint(world->pager));
    for (uint32_t number = 20; number < 120; number++)
        world_fill(world, number, 100, 0x77, 20);
    for (int count = 0; count < 90; count++)
        (void)world_allocate(world, (uint8_t)count);
    WORLD_OK(world, world_flush(world));
    pager_abandon(world->pager);
    world->pager = NULL;
    world->csn_acked = 0;
}

static void
lose_log(struct world *world)
{
    WORLD_OK(world, io_rename(world->io, WORLD_LOG, WORLD_DIR "/gone"));
}

static void
rescue_open(struct world *world)
{
    world->options.rescue = true;
    world->options.create = false;
    WORLD_OK(world, pager_open(&world->env, WORLD_PATH, &world->options, &world->pager));
    world->options.rescue = false;
}

/* Every page can be read or is fenced; nothing else is found. Returns how many are fenced. */
static void
count_finding(void *context, const struct pager_finding *finding)
{
    cr_assert_not_null(strstr(finding->reason, "fenced"), "page %u: %s", finding->page_number,
                       finding->reason);
    ++*(uint32_t *)context;
}

static uint32_t
check(struct world *world, struct pager_check_result *out)
{
    uint32_t fenced = 0;

    WORLD_OK(world, pager_check(world->pager, count_finding, &fenced, out));
    return fenced;
}

/* Pages that only the log had: given out by a map page that was flushed, and never flushed themselves.
 * They are lost whatever else happens. */
static uint32_t
lost_with_the_log(struct world *world)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_KEPT};
    struct pager_check_result result;
    struct world branch;
    uint32_t fenced;
    struct io *io;

    WORLD_OK(world, io_sim_fork(world->io, &crash, world->disk_memory, &io));
    world_branch(world, io, &branch);
    rescue_open(&branch);
    fenced = check(&branch, &result);
    world_deinit(&branch);
    cr_assert_lt(fenced, 20u);
    return fenced;
}

/* The file works on like any other. */
static void
work_and_close(struct world *world)
{
    struct pager_check_result before, after;
    uint32_t fenced = check(world, &before);
    struct pager *pager = world->pager;

    world_forget(world);
    for (int count = 0; count < 50; count++)
        (void)world_allocate(world, 5);
    world->pager = NULL;
    WORLD_OK(world, pager_close(pager));
    WORLD_OK(world, pager_open(&world->env, WORLD_PATH, &world->options, &world->pager));
    cr_assert_eq(check(world, &after), fenced);
    cr_assert_eq(after.used_count, before.used_count + 50);
    WORLD_OK(world, pager_close(world->pager));
    world->pager = NULL;
}

Test(rescue, keeps_every_page_that_validates)
{
    struct pager_check_result result;
    struct world world;
    uint8_t page[PAGE_SIZE];

    make_unclean(&world);
    lose_log(&world);
    rescue_open(&world);
    (void)check(&world, &result);
    cr_assert_geq(result.used_count, (uint64_t)PAGES);
    for (uint32_t number = 130; number < 500; number++) {
        WORLD_OK(&world, pager_copy(world.pager, number, page));
        cr_assert_eq(page[100], page[3000]);
    }
    work_and_close(&world);
    world_deinit(&world);
}

Test(rescue, fences_what_does_not_validate)
{
    struct pager_check_result result;
    struct world world;
    uint8_t page[PAGE_SIZE];
    uint32_t lost;

    make_unclean(&world);
    lose_log(&world);
    lost = lost_with_the_log(&world);
    for (uint32_t number = 200; number < 210; number++)
        WORLD_OK(&world, io_sim_flip_bit(world.io, WORLD_PATH, (number * 4096ull + 9) * 8));
    WORLD_OK(&world, io_sim_bad_range(world.io, WORLD_PATH, 300 * PAGE_SIZE, PAGE_SIZE));
    rescue_open(&world);
    cr_assert_eq(check(&world, &result), lost + 11);
    cr_assert_eq(pager_copy(world.pager, 200, page), STATUS_CORRUPT);
    cr_assert_eq(pager_copy(world.pager, 300, page), STATUS_CORRUPT);
    WORLD_OK(&world, pager_copy(world.pager, 211, page));
    work_and_close(&world);
    world_deinit(&world);
}

Test(rescue, builds_lost_map_pages_anew)
{
    struct pager_check_result result;
    struct world world;
    uint8_t zeros[PAGE_SIZE] = {0};

    make_unclean(&world);
    lose_log(&world);
    WORLD_OK(&world, io_sim_overwrite(world.io, WORLD_PATH, 509 * PAGE_SIZE, zeros, PAGE_SIZE));
    WORLD_OK(&world, io_sim_overwrite(world.io, WORLD_PATH, 3 * PAGE_SIZE, zeros, PAGE_SIZE));
    rescue_open(&world);
    (void)check(&world, &result);
    cr_assert_geq(result.used_count, (uint64_t)PAGES);
    work_and_close(&world);
    world_deinit(&world);
}

Test(rescue, puts_a_rotten_log_aside)
{
    struct world world;
    struct io_file *file;
    uint8_t zeros[4096] = {0};

    make_unclean(&world);
    for (int number = 1; number < 60; number++) {
        char path[100];
        snprintf(path, sizeof(path), WORLD_LOG "/%016x.seg", number);
        if (io_sim_overwrite(world.io, path, 0, zeros, 4096) != STATUS_OK)
            error_clear();
    }
    cr_assert_eq(world_try_open(&world), STATUS_CORRUPT, "%s", error_message());
    rescue_open(&world);
    cr_assert_neq(io_open(world.io, WORLD_LOG "/owner", 0, &file), STATUS_OK);
    WORLD_OK(&world, io_open(world.io, WORLD_LOG "-lost/owner", 0, &file));
    io_close(file);
    work_and_close(&world);
    world_deinit(&world);
}

Test(rescue, is_durable_when_the_open_returns)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
    struct pager_check_result result;
    struct world world, branch;
    uint32_t fenced;
    struct io *io;

    make_unclean(&world);
    lose_log(&world);
    rescue_open(&world);
    fenced = check(&world, &result);
    WORLD_OK(&world, io_sim_fork(world.io, &crash, world.disk_memory, &io));
    world_branch(&world, io, &branch);
    WORLD_OK(&branch, pager_open(&branch.env, WORLD_PATH, &branch.options, &branch.pager));
    cr_assert_eq(check(&branch, &result), fenced);
    world_deinit(&branch);
    world_deinit(&world);
}

Test(rescue, is_not_for_readers)
{
    struct world world;

    make_unclean(&world);
    lose_log(&world);
    world.options.create = false;
    world.options.read_only = true;
    world.options.rescue = true;
    cr_assert_eq(world_try_open(&world), STATUS_READONLY);
    cr_assert_not_null(strstr(error_message(), "copy"), "%s", error_message());
    world_deinit(&world);
}

static void
keep_line(void *context, enum log_level level, const char *line)
{
    if (level == LOG_WARN && strstr(line, "rescued") != NULL)
        snprintf(context, 1000, "%s", line);
}

Test(rescue, says_what_is_lost)
{
    struct world world;
    char line[1000] = "";

    make_unclean(&world);
    lose_log(&world);
    log_sink_set(keep_line, line, LOG_INFO);
    rescue_open(&world);
    log_sink_set(NULL, NULL, LOG_ERROR);
    cr_assert_not_null(strstr(line, "lost=\"changes after CSN"), "%s", line);
    cr_assert_not_null(strstr(line, "fenced="), "%s", line);
    world_deinit(&world);
}

/* Stopped at any operation, rescue can be repeated. */
Test(rescue, can_be_repeated_after_any_failure)
{
    struct world world;
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_KEPT};
    bool failed = true;
    uint32_t lost;

    make_unclean(&world);
    lose_log(&world);
    lost = lost_with_the_log(&world);
    for (uint64_t at = 0; failed; at++) {
        struct pager_check_result result;
        struct world branch;
        struct io *io;
        WORLD_OK(&world, io_sim_fork(world.io, &crash, world.disk_memory, &io));
        world_branch(&world, io, &branch);
        branch.options.rescue = true;
        branch.options.create = false;
        io_sim_fail_at(io, at, IO_SIM_FAULT_EIO, true);
        if (pager_open(&branch.env, WORLD_PATH, &branch.options, &branch.pager) == STATUS_OK) {
            pager_abandon(branch.pager);
            branch.pager = NULL;
        }
        failed = io_sim_failed(io);
        io_sim_fail_at(io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
        rescue_open(&branch);
        cr_assert_eq(check(&branch, &result), lost);
        world_deinit(&branch);
    }
    world_deinit(&world);
}
