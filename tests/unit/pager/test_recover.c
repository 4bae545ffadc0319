/*
 * Goal: prove that after any crash, and after a crash inside the recovery from it, the file holds
 * exactly one state of the commit order, not older than what was acknowledged.
 * Method: random work on the simulated disk, stopped between and inside steps, with the pending
 * sectors kept, lost, torn or turned to garbage; every outcome compared page by page with a model.
 * Beside that, single cases of what recovery decides: fences, rounds, threads, refusals.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/base/log_sink.h"
#include "pager/pager_private.h"
#include "tests/support/pager_world.h"

enum { STEPS = 150 };

/* ---- Random crashes -------------------------------------------------------------------------- */

static struct io_sim_crash
draw_crash(struct world *world, bool garbage)
{
    static const enum io_sim_crash_mode modes[] = {
        IO_SIM_CRASH_RANDOM, IO_SIM_CRASH_RANDOM,  IO_SIM_CRASH_RANDOM,  IO_SIM_CRASH_LOST,
        IO_SIM_CRASH_KEPT,   IO_SIM_CRASH_PROCESS, IO_SIM_CRASH_GARBAGE, IO_SIM_CRASH_GARBAGE,
    };
    uint64_t count = sizeof(modes) / sizeof(modes[0]) - (garbage ? 0 : 2);

    return (struct io_sim_crash){.mode = modes[random_below(&world->random, count)],
                                 .seed = random_u64(&world->random)};
}

static void
run_seed(uint64_t seed, enum pager_policy policy)
{
    struct pager_options options = world_options(policy);
    struct world world;

    options.recovery_threads = 1 + (uint32_t)(seed % 3);
    world_init(&world, seed, &options);
    world.direct = seed % 2 == 0;
    world_open(&world);
    for (int step = 0; step < STEPS; step++) {
        /* Under `range` a garbage sector is detected, not repaired: not part of this test. */
        struct io_sim_crash crash = draw_crash(&world, policy == PAGER_POLICY_IMAGE);
        if (random_chance(&world.random, 1, 2)) {
            WORLD_OK(&world, world_crash_inside(&world, &crash, 5));
            continue;
        }
        WORLD_OK(&world, world_step(&world));
        if (random_chance(&world.random, 1, 10))
            world_crash(&world, &crash, 5);
        if (random_chance(&world.random, 1, 10))
            world_crash_twice(&world, &crash);
    }
    world_verify(&world);
    world_close(&world);
    world_deinit(&world);
}

/* covers: P1, P4, P6, P7, P13 */
Test(recover, any_crash_leaves_a_state_of_the_commit_order_under_policy_image)
{
    for (uint64_t seed = 100; seed < 115; seed++)
        run_seed(seed, PAGER_POLICY_IMAGE);
}

/* covers: P4, P10 */
Test(recover, any_crash_leaves_a_state_of_the_commit_order_under_policy_range)
{
    for (uint64_t seed = 200; seed < 215; seed++)
        run_seed(seed, PAGER_POLICY_RANGE);
}

/* ---- Faults ---------------------------------------------------------------------------------- */

/* Works until something fails; then the fault ends, and what the handle says must hold. */
static void
run_fault(struct world *world, bool *injected_out)
{
    enum status status = world_try_open(world);
    bool usable;

    for (int step = 0; step < 60 && status == STATUS_OK; step++)
        status = world_step(world);
    if (status == STATUS_OK)
        status = world_try_close(world);
    *injected_out = memory_failed(world->memory) || io_sim_failed(world->io);
    if (status != STATUS_OK && !*injected_out)
        world_fail(world, "%s without a fault: %s", status_name(status), error_message());
    memory_fail_at(world->memory, UINT64_MAX, false);
    io_sim_fail_at(world->io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
    usable = world->pager != NULL && world->snapshot_count > 0 && !pager_is_failed(world->pager);
    for (int step = 0; step < 5 && usable; step++)
        WORLD_OK(world, world_step(world));
    if (usable)
        world_verify(world);
    pager_abandon(world->pager);
    world->pager = NULL;
    world_open(world);
    world_verify(world);
    world_close(world);
}

/* Fails operation or allocation number 0, 1, 2 ... until a run meets none. */
static void
fail_each(enum io_sim_fault fault, bool for_ever)
{
    bool injected = true;

    for (uint64_t index = 0; injected; index++) {
        struct pager_options options = world_options(PAGER_POLICY_IMAGE);
        struct world world;

        world_init(&world, 31, &options);
        world.direct = true;
        if (fault == IO_SIM_FAULT_NONE)
            memory_fail_at(world.memory, index, for_ever);
        else
            io_sim_fail_at(world.io, io_sim_op_count(world.io) + index, fault, for_ever);
        run_fault(&world, &injected);
        world_deinit(&world);
        cr_assert_lt(index, 5000u);
    }
}

Test(recover, after_each_allocation_failed)
{
    fail_each(IO_SIM_FAULT_NONE, false);
    fail_each(IO_SIM_FAULT_NONE, true);
}

Test(recover, after_each_operation_failed_with_an_io_error)
{
    fail_each(IO_SIM_FAULT_EIO, false);
    fail_each(IO_SIM_FAULT_EIO, true);
}

Test(recover, after_each_operation_found_the_disk_full)
{
    fail_each(IO_SIM_FAULT_ENOSPC, false);
    fail_each(IO_SIM_FAULT_ENOSPC, true);
}

Test(recover, after_each_write_was_short)
{
    fail_each(IO_SIM_FAULT_SHORT, false);
}

Test(recover, after_each_sync_failed_late)
{
    fail_each(IO_SIM_FAULT_LATE_SYNC, false);
}

/* ---- Single cases ---------------------------------------------------------------------------- */

static void
open_world(struct world *world, enum pager_policy policy)
{
    struct pager_options options = world_options(policy);

    world_init(world, 8, &options);
    world_open(world);
}

/* The process dies; the disk keeps everything. */
static void
kill_process(struct world *world)
{
    WORLD_OK(world, world_flush(world));
    pager_abandon(world->pager);
    world->pager = NULL;
}

/* covers: P13 */
Test(recover, every_redone_page_is_dirty_until_it_is_flushed)
{
    struct pager_statistics statistics;
    struct world world;

    open_world(&world, PAGER_POLICY_IMAGE);
    for (int count = 0; count < 20; count++)
        (void)world_allocate(&world, (uint8_t)count);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    for (uint32_t number = 6; number < 16; number++)
        world_fill(&world, number, 100, 0x33, 10);
    kill_process(&world);
    world_open(&world);
    pager_get_statistics(world.pager, &statistics);
    cr_assert_geq(statistics.dirty_count, 10u);
    cr_assert_eq(statistics.page_write_count, 0u);
    world_verify(&world);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    pager_get_statistics(world.pager, &statistics);
    cr_assert_geq(statistics.page_write_count, 10u);
    world_close(&world);
    world_deinit(&world);
}

/* More pages since R than the pool holds. */
Test(recover, goes_in_rounds_when_the_pool_is_small)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);
    struct world world;

    options.log_limit = 4 << 20;
    options.pool_size = 1024 * PAGE_SIZE;
    world_init(&world, 8, &options);
    world_open(&world);
    for (int count = 0; count < 700; count++)
        (void)world_allocate(&world, (uint8_t)count);
    for (int step = 0; step < 300; step++)
        WORLD_OK(&world, world_change(&world, 5));
    kill_process(&world);
    world.options.pool_size = 64 * PAGE_SIZE;
    world_open(&world);
    world_verify(&world);
    for (int step = 0; step < 50; step++)
        WORLD_OK(&world, world_step(&world));
    world_verify(&world);
    world_close(&world);
    world_open(&world);
    world_verify(&world);
    world_close(&world);
    world_deinit(&world);
}

Test(recover, in_rounds_survives_a_crash_inside)
{
    struct pager_options options = world_options(PAGER_POLICY_RANGE);
    struct world world;

    options.log_limit = 4 << 20;
    options.pool_size = 1024 * PAGE_SIZE;
    world_init(&world, 9, &options);
    world_open(&world);
    for (int count = 0; count < 200; count++)
        (void)world_allocate(&world, (uint8_t)count);
    for (int step = 0; step < 200; step++)
        WORLD_OK(&world, world_change(&world, 5));
    WORLD_OK(&world, world_flush(&world));
    world.options.pool_size = 64 * PAGE_SIZE;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct io_sim_crash crash = {.mode = IO_SIM_CRASH_RANDOM, .seed = seed};
        world_crash_twice(&world, &crash);
    }
    world_deinit(&world);
}

Test(recover, read_only_names_the_pool_it_needs)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);
    struct world world;
    const char *text;

    options.log_limit = 4 << 20;
    options.pool_size = 1024 * PAGE_SIZE;
    world_init(&world, 8, &options);
    world_open(&world);
    for (int count = 0; count < 300; count++)
        (void)world_allocate(&world, 1);
    kill_process(&world);
    world.options.pool_size = 64 * PAGE_SIZE;
    world.options.create = false;
    world.options.read_only = true;
    cr_assert_eq(world_try_open(&world), STATUS_FULL);
    text = strstr(error_message(), "pool of ");
    cr_assert_not_null(text, "%s", error_message());
    world.options.pool_size = strtoull(text + strlen("pool of "), NULL, 10);
    world_open(&world);
    world_verify(&world);
    world_close(&world);
    world_deinit(&world);
}

/* A log that is long enough for several threads; both must come to the same file. */
Test(recover, with_threads_equals_recovery_without)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
    struct world world;

    options.log_limit = 64 << 20;
    options.segment_size = 4 << 20;
    options.log_frame_size = 0;
    options.pool_size = 2048 * PAGE_SIZE;
    options.page_limit = WORLD_PAGES;
    world_init(&world, 8, &options);
    world_open(&world);
    for (int count = 0; count < 300; count++)
        (void)world_allocate(&world, (uint8_t)count);
    for (int step = 0; step < 6000; step++)
        WORLD_OK(&world, world_change(&world, 6));
    WORLD_OK(&world, world_flush(&world));
    cr_assert_gt(wal_size(world.pager->wal), 8u << 20);
    for (uint32_t threads = 1; threads <= 3; threads++) {
        world.options.recovery_threads = threads;
        world_crash(&world, &crash, 0);
    }
    world_deinit(&world);
}

/* A sector that is none of the page's states, after the crash: only that page is lost. */
Test(recover, fences_a_garbage_page_under_policy_range_and_opens_the_rest)
{
    struct pager_check_result result;
    struct world world;
    uint8_t page[PAGE_SIZE];
    enum page_state state;
    uint32_t lost;

    open_world(&world, PAGER_POLICY_RANGE);
    for (int count = 0; count < 20; count++)
        lost = world_allocate(&world, (uint8_t)count);
    lost -= 5;
    WORLD_OK(&world, pager_checkpoint(world.pager));
    for (uint32_t number = 6; number < 20; number++)
        world_fill(&world, number, 100, 0x44, 20);
    kill_process(&world);
    random_bytes(&world.random, page, IO_SECTOR_SIZE);
    WORLD_OK(&world,
             io_sim_overwrite(world.io, WORLD_PATH, lost * PAGE_SIZE + 1024, page, IO_SECTOR_SIZE));
    world_open(&world);
    cr_assert_eq(pager_copy(world.pager, lost, page), STATUS_CORRUPT);
    WORLD_OK(&world, pager_page_state(world.pager, lost, &state));
    cr_assert_eq(state, PAGE_STATE_FENCED);
    WORLD_OK(&world, pager_check(world.pager, NULL, NULL, &result));
    cr_assert_eq(result.finding_count, 1u);
    world.hashes[lost] = 0;
    /* It stays fenced, can be freed, and is then a page like any other. */
    world_close(&world);
    world.snapshots[world.snapshot_count - 1].hashes[lost] = 0;
    world_open(&world);
    cr_assert_eq(pager_copy(world.pager, lost, page), STATUS_CORRUPT);
    world_free(&world, lost);
    cr_assert_eq(world_allocate(&world, 0x55), lost);
    world_verify(&world);
    world_close(&world);
    world_deinit(&world);
}

Test(recover, read_only_fences_in_memory)
{
    struct world world;
    uint8_t page[PAGE_SIZE];
    uint64_t hash;
    uint32_t lost;

    open_world(&world, PAGER_POLICY_RANGE);
    for (int count = 0; count < 20; count++)
        lost = world_allocate(&world, (uint8_t)count);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    world_fill(&world, lost, 100, 0x44, 20);
    kill_process(&world);
    memset(page, 0xab, sizeof(page));
    WORLD_OK(&world,
             io_sim_overwrite(world.io, WORLD_PATH, lost * PAGE_SIZE, page, IO_SECTOR_SIZE));
    hash = io_sim_image_hash(world.io);
    world.options.create = false;
    world.options.read_only = true;
    world_open(&world);
    cr_assert_eq(pager_copy(world.pager, lost, page), STATUS_CORRUPT);
    cr_assert_not_null(strstr(error_message(), "fenced"), "%s", error_message());
    world_close(&world);
    cr_assert_eq(io_sim_image_hash(world.io), hash);
    world_deinit(&world);
}

/* Under `image` the disk has no part in it: any damage to a page with records since R is healed. */
Test(recover, heals_any_damage_to_changed_pages_under_policy_image)
{
    struct world world;
    uint8_t page[PAGE_SIZE];

    open_world(&world, PAGER_POLICY_IMAGE);
    for (int count = 0; count < 20; count++)
        (void)world_allocate(&world, (uint8_t)count);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    for (uint32_t number = 6; number < 20; number++)
        world_fill(&world, number, 100, 0x44, 20);
    kill_process(&world);
    memset(page, 0xcd, sizeof(page));
    for (uint32_t number = 6; number < 20; number++)
        WORLD_OK(&world,
                 io_sim_overwrite(world.io, WORLD_PATH, number * PAGE_SIZE, page, PAGE_SIZE));
    world_open(&world);
    world_verify(&world);
    world_close(&world);
    world_deinit(&world);
}

Test(recover, extends_a_file_that_lost_its_new_space)
{
    struct world world;
    struct io_file *file;

    open_world(&world, PAGER_POLICY_IMAGE);
    for (int count = 0; count < 10; count++)
        (void)world_allocate(&world, 1);
    WORLD_OK(&world, pager_checkpoint(world.pager));
    for (int count = 0; count < 100; count++)
        (void)world_allocate(&world, 2);
    kill_process(&world);
    WORLD_OK(&world, io_open(world.io, WORLD_PATH, IO_WRITE, &file));
    WORLD_OK(&world, io_truncate(file, 20 * PAGE_SIZE));
    io_close(file);
    world_open(&world);
    world_verify(&world);
    world_close(&world);
    world_open(&world);
    world_verify(&world);
    world_close(&world);
    world_deinit(&world);
}

/* ---- Records that make no sense -------------------------------------------------------------- */

/* Appends a commit of one record behind the handle's back, and crashes. */
static void
append_record(struct world *world, enum wal_record_type type, uint64_t page_number,
              const void *body, size_t size)
{
    struct wal *wal = world->pager->wal;
    uint8_t records[PAGE_SIZE + 200];
    struct byte_writer writer = byte_writer_init(records, sizeof(records));
    struct wal_commit commit = {.csn = pager_csn(world->pager) + 1, .records = records};

    wal_record_put(&writer, type, page_number, body, size);
    commit.size = writer.offset;
    WORLD_OK(world, wal_reserve(wal, commit.size, false));
    wal_append(wal, &commit);
    WORLD_OK(world, wal_flush(wal, commit.csn));
    pager_abandon(world->pager);
    world->pager = NULL;
}

static void
expect_refusal(enum wal_record_type type, uint64_t page_number, const void *body, size_t size)
{
    struct world world;

    open_world(&world, PAGER_POLICY_IMAGE);
    for (int count = 0; count < 10; count++)
        (void)world_allocate(&world, 1);
    append_record(&world, type, page_number, body, size);
    cr_assert_eq(world_try_open(&world), STATUS_CORRUPT, "%s", error_message());
    cr_assert_not_null(strstr(error_message(), WORLD_PATH), "%s", error_message());
    cr_assert_null(world.pager);
    world_deinit(&world);
}

Test(recover, refuses_records_that_cannot_be_used)
{
    const uint8_t junk[100] = {0xff, 0xff, 0xff};

    expect_refusal(WAL_RECORD_IMAGE, 1, junk, sizeof(junk));
    expect_refusal(WAL_RECORD_IMAGE, UINT64_MAX, junk, sizeof(junk));
    expect_refusal(WAL_RECORD_RANGES, PAGE_COUNT_MAX, junk, sizeof(junk));
    expect_refusal(WAL_RECORD_FREE, 0, NULL, 0);
    expect_refusal(WAL_RECORD_SIZE, 3, NULL, 0);
    expect_refusal(WAL_RECORD_SIZE, UINT64_MAX, NULL, 0);
    expect_refusal(WAL_RECORD_IMAGE, 7, junk, sizeof(junk));
    expect_refusal(WAL_RECORD_IMAGE, 7, junk, 3);
    expect_refusal(WAL_RECORD_RANGES, 7, junk, sizeof(junk));
}

/* An image that decodes and is not the page its checksum is of; also of a map page. */
Test(recover, refuses_an_image_that_is_not_what_was_logged)
{
    uint8_t page[PAGE_SIZE], body[PAGE_DELTA_SIZE_MAX];
    size_t size;

    page_init(page, 7, 1, PAGE_TYPE_TEST, 0);
    size = page_delta_encode_image(page, 12345, NULL, body, sizeof(body));
    expect_refusal(WAL_RECORD_IMAGE, 7, body, size);
    page_init(page, MAP_FIRST_PAGE, 1, PAGE_TYPE_MAP, 0);
    size = page_delta_encode_image(page, 12345, NULL, body, sizeof(body));
    expect_refusal(WAL_RECORD_IMAGE, MAP_FIRST_PAGE, body, size);
}

Test(recover, fences_such_a_page_in_rescue)
{
    uint8_t page[PAGE_SIZE], body[PAGE_DELTA_SIZE_MAX];
    struct world world;
    size_t size;

    open_world(&world, PAGER_POLICY_IMAGE);
    for (int count = 0; count < 10; count++)
        (void)world_allocate(&world, 1);
    page_init(page, 7, 1, PAGE_TYPE_TEST, 0);
    size = page_delta_encode_image(page, 12345, NULL, body, sizeof(body));
    append_record(&world, WAL_RECORD_IMAGE, 7, body, size);
    world.options.rescue = true;
    world_open(&world);
    cr_assert_eq(pager_copy(world.pager, 7, page), STATUS_CORRUPT);
    WORLD_OK(&world, pager_copy(world.pager, 8, page));
    world_close(&world);
    world_deinit(&world);
}

/* ---- Progress and the log line --------------------------------------------------------------- */

struct progress_seen {
    uint64_t calls;
    uint64_t stop_at;
    uint64_t done;
    uint64_t size;
};

static enum status
see_progress(void *context, const struct pager_recovery_progress *progress)
{
    struct progress_seen *seen = context;

    cr_assert_geq(progress->log_done, seen->done);
    cr_assert_leq(progress->log_done, progress->log_size);
    seen->done = progress->log_done;
    seen->size = progress->log_size;
    return ++seen->calls == seen->stop_at ? STATUS_STOPPED : STATUS_OK;
}

Test(recover, reports_progress_and_may_be_stopped_and_repeated)
{
    struct pager_options options = world_options(PAGER_POLICY_IMAGE);
    struct progress_seen seen = {.stop_at = 2};
    struct world world;

    options.log_limit = 8 << 20;
    options.pool_size = 1024 * PAGE_SIZE;
    world_init(&world, 8, &options);
    world_open(&world);
    for (int step = 0; step < 2500; step++)
        WORLD_OK(&world, world_change(&world, 6));
    kill_process(&world);
    world.options.progress = see_progress;
    world.options.progress_context = &seen;
    cr_assert_eq(world_try_open(&world), STATUS_STOPPED);
    cr_assert_eq(seen.calls, 2u);
    seen = (struct progress_seen){.stop_at = UINT64_MAX};
    world_open(&world);
    cr_assert_gt(seen.calls, 2u);
    world_verify(&world);
    world_close(&world);
    world_deinit(&world);
}

static void
keep_line(void *context, enum log_level level, const char *line)
{
    if (level == LOG_INFO && strstr(line, "recovered") != NULL)
        snprintf(context, 1000, "%s", line);
}

Test(recover, says_in_one_line_what_it_did)
{
    struct world world;
    char line[1000] = "";

    open_world(&world, PAGER_POLICY_IMAGE);
    for (int count = 0; count < 20; count++)
        (void)world_allocate(&world, 1);
    kill_process(&world);
    log_sink_set(keep_line, line, LOG_INFO);
    world_open(&world);
    log_sink_set(NULL, NULL, LOG_ERROR);
    cr_assert_not_null(strstr(line, "path=" WORLD_PATH), "%s", line);
    cr_assert_not_null(strstr(line, "csn_to=21"), "%s", line);
    cr_assert_not_null(strstr(line, " pages=21 "), "%s", line);
    cr_assert_not_null(strstr(line, "cut_reason="), "%s", line);
    world_close(&world);
    world_deinit(&world);
}
