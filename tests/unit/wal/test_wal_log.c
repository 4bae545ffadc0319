/*
 * Goal: prove the life of a log at its edges: created where nothing is, removed without a trace, opened
 * with the settings of another day; and that a failed create or open leaves nothing behind.
 * Method: simulated disks, counts of open files and live allocations.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/base/error.h"
#include "tests/unit/wal/wal_help.h"

static struct help_log log;

static void
begin(void)
{
    struct io_sim_options options = {.seed = 4};

    help_init_sim(&log, &options);
}

Test(wal_log, created_and_closed_can_be_opened)
{
    begin();
    log.history.appended = log.history.acked = 41;
    help_create(&log);
    cr_assert(log.start.csn == 41 && wal_csn_appended(log.wal) == 41);
    cr_assert(wal_csn_durable(log.wal) == 41 && !wal_is_failed(log.wal));
    help_close(&log);
    help_close(&log);
    cr_assert(io_sim_open_count(log.io) == 0 && memory_live_count(log.memory) == 0);
    help_reopen(&log);
    cr_assert(wal_scan(log.wal)->commit_count == 0);
    cr_assert_str_eq(wal_scan(log.wal)->cut_reason, "clean end");
    help_deinit(&log);
}

/* covers: W1 */
Test(wal_log, created_is_durable_with_its_name)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
    struct io *io = NULL;

    begin();
    help_create(&log);
    help_close(&log);
    cr_assert(io_sim_pending_count(log.io) == 0);
    cr_assert(io_sim_fork(log.io, &crash, log.disk_memory, &io) == STATUS_OK);
    io_close_all(log.io);
    log.io = log.env.io = io;
    help_reopen(&log);
    help_deinit(&log);
}

Test(wal_log, is_not_created_over_another)
{
    struct wal *wal = NULL;

    begin();
    help_create(&log);
    help_close(&log);
    cr_assert(wal_create(&log.env, log.dir, &log.options, 0, &wal) == STATUS_EXISTS);
    help_reopen(&log);
    help_deinit(&log);
}

Test(wal_log, is_not_created_in_a_directory_whose_name_is_too_long)
{
    char dir[IO_PATH_SIZE];
    struct wal *wal = NULL;

    begin();
    memset(dir, 'd', sizeof(dir) - 1);
    dir[0] = '/';
    dir[sizeof(dir) - 1] = '\0';
    cr_assert(wal_create(&log.env, dir, &log.options, 0, &wal) == STATUS_INVALID);
    cr_assert(wal_open(&log.env, dir, &log.options, log.start, &wal) == STATUS_INVALID);
    cr_assert(wal_remove(&log.env, dir) == STATUS_INVALID);
    help_deinit(&log);
}

static void
count_names(void *context, const char *name, bool is_directory)
{
    (void)name;
    (void)is_directory;
    ++*(uint64_t *)context;
}

Test(wal_log, removed_leaves_no_file_and_no_directory)
{
    uint64_t count = 0;

    begin();
    help_create(&log);
    for (uint32_t i = 0; i < 60; i++)
        help_commit(&log, 3000);
    help_close(&log);
    cr_assert(wal_remove(&log.env, log.dir) == STATUS_OK);
    cr_assert(io_list(log.io, log.dir, count_names, &count) == STATUS_NOT_FOUND);
    cr_assert(wal_remove(&log.env, log.dir) == STATUS_NOT_FOUND);
    help_deinit(&log);
}

Test(wal_log, removed_halfway_can_be_removed_again)
{
    for (uint64_t i = 0; i < 14; i++) {
        begin();
        log.options.spare_count = 10;
        help_create(&log);
        for (bool more = true; more;)
            cr_assert(wal_prepare_step(log.wal, &more) == STATUS_OK);
        help_close(&log);
        if (i < 12) {
            io_sim_fail_at(log.io, io_sim_op_count(log.io) + i, IO_SIM_FAULT_EIO, false);
            cr_assert(wal_remove(&log.env, log.dir) == STATUS_IO);
        } else {
            memory_fail_at(log.memory, i - 12, false);
            cr_assert(wal_remove(&log.env, log.dir) == STATUS_NO_MEMORY);
        }
        cr_assert(memory_live_count(log.memory) == 0);
        cr_assert(wal_remove(&log.env, log.dir) == STATUS_OK);
        help_deinit(&log);
    }
}

Test(wal_log, removed_spares_files_of_others_and_says_so)
{
    static const char *const names[] = {"owner", "1.seg", "000000000000001A.seg",
                                        "0000000000000000.seg"};
    struct io_file *file = NULL;
    uint64_t count = 0;
    char path[128];

    begin();
    help_create(&log);
    help_close(&log);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/%s", log.dir, names[i]);
        cr_assert(io_open(log.io, path, IO_WRITE | IO_CREATE, &file) == STATUS_OK);
        io_close(file);
    }
    help_reopen(&log); /* They do not disturb either. */
    help_close(&log);
    cr_assert(wal_remove(&log.env, log.dir) == STATUS_IO);
    cr_assert_not_null(strstr(error_message(), log.dir));
    cr_assert(io_list(log.io, log.dir, count_names, &count) == STATUS_OK);
    cr_assert(count == 4);
    help_deinit(&log);
}

Test(wal_log, opens_with_other_buffers_than_it_was_written_with)
{
    static const uint32_t frame_sizes[] = {400, 50000, 0, 1000};

    begin();
    log.options.frame_size_max = 20000;
    help_create(&log);
    for (int round = 0; round < 8; round++) {
        for (uint32_t i = 0; i < 10; i++)
            help_commit(&log, 10 + i * 60);
        help_close(&log);
        log.options.frame_size_max = frame_sizes[round % 4];
        log.options.buffer_count = 2 + (uint32_t)round;
        help_reopen(&log);
    }
    help_deinit(&log);
}

Test(wal_log, small_options_need_little_memory)
{
    begin();
    log.options.buffer_count = 2;
    log.options.frame_size_max = 4024;
    log.options.segment_size = HELP_SEGMENT_SIZE;
    help_create(&log);
    help_commit(&log, 100);
    help_close(&log);
    cr_assert(help_open(&log) == STATUS_OK);
    cr_assert(memory_used(log.memory, MEMORY_LOG) < 8 * 1024);
    help_close(&log);
    help_reopen(&log);
    cr_assert(memory_used(log.memory, MEMORY_LOG) < 100 * 1024);
    help_deinit(&log);
}
