/*
 * Goal: prove that starting after a crash fences the old tail off, makes what was found durable, never
 * uses a position twice, and leaves no file that nobody needs.
 * Method: logs stopped in every way the protocol knows (killed, failed sync, several times in a
 * row), started, then hit by a power cut that keeps nothing unsynced.
 */
#include <criterion/criterion.h>

#include "kernel/base/error.h"
#include "tests/unit/wal/wal_help.h"

static struct help_log log;

static void
begin(uint64_t commit_count)
{
    struct io_sim_options options = {.seed = 4};

    help_init_sim(&log, &options);
    help_create(&log);
    for (uint64_t i = 0; i < commit_count; i++)
        help_commit(&log, 300);
}

/* The machine loses its power: what was never synced is gone. */
static void
cut_power(void)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
    struct io *io = NULL;

    help_close(&log);
    cr_assert(io_sim_fork(log.io, &crash, log.disk_memory, &io) == STATUS_OK);
    io_close_all(log.io);
    log.io = io;
    log.env.io = io;
}

static struct wal_segment_header
header_of(uint64_t number)
{
    struct wal_segment_header header;

    help_peek(&log, number * log.options.segment_size, &header, sizeof(header));
    return header;
}

/* covers: W8 */
Test(wal_fence, opens_a_new_segment_under_a_new_epoch_that_names_the_end)
{
    struct wal_segment_header before, after;
    struct help_frames frames;
    uint64_t number;

    begin(9);
    cr_assert(wal_write_horizon(log.wal) == STATUS_OK);
    help_close(&log);
    frames = help_list_frames(&log, 1);
    help_reopen(&log);
    number = log.wal->kept.last->number;
    before = header_of(1);
    after = header_of(number);
    cr_assert(number == 3); /* 2 had been prepared: its number is never used for frames. */
    cr_assert(wal__segment_header_check(&after) == STATUS_OK);
    cr_assert(le64_get(after.epoch) != le64_get(before.epoch));
    cr_assert(le64_get(after.prev_epoch) == le64_get(before.epoch));
    cr_assert(le64_get(after.prev_end_lsn) == frames.lsn[8] + WAL_BLOCK_SIZE);
    cr_assert(le64_get(after.prev_chain) == le64_get(frames.header[8].header_checksum));
    cr_assert(le64_get(after.prev_csn) == 9);
    help_deinit(&log);
}

/* covers: W8 */
Test(wal_fence, copies_only_what_was_not_known_durable)
{
    struct help_frames old, copies;
    struct wal_segment_header header;

    begin(9);
    help_close(&log);
    old = help_list_frames(&log, 1);
    help_reopen(&log);
    header = header_of(3);
    copies = help_list_frames(&log, 3);
    /* The last frame says that the one before it was durable. */
    cr_assert(copies.count == 1);
    cr_assert(le64_get(header.prev_end_lsn) == old.lsn[8]);
    cr_assert(le64_get(header.prev_csn) == 8);
    cr_assert(le64_get(copies.header[0].first_csn) == 9);
    cr_assert(le64_get(copies.header[0].chain) == le64_get(old.header[7].header_checksum));
    cr_assert(le32_get(copies.header[0].payload_size) == le32_get(old.header[8].payload_size));
    cr_assert(wal_csn_durable(log.wal) == 9 && wal_csn_appended(log.wal) == 9);
    help_commit(&log, 10);
    help_close(&log);
    help_reopen(&log);
    help_deinit(&log);
}

/* covers: W8 */
Test(wal_fence, copies_at_most_the_frames_that_can_be_in_flight)
{
    begin(1);
    log.wal->options.spare_count = 2;
    for (int i = 0; i < 3; i++) {
        help_append(&log, 300);
        wal_mark(log.wal);
    }
    help_flush(&log);
    help_append(&log, 300);
    wal_mark(log.wal);
    help_append(&log, 300);
    wal_mark(log.wal);
    help_append(&log, 300);
    wal_mark(log.wal);
    help_flush(&log);
    help_close(&log);
    help_reopen(&log);
    struct help_frames copies = help_list_frames(&log, log.wal->kept.last->number);
    cr_assert(copies.count == 3); /* All of the second group, which vouches for the first. */
    help_deinit(&log);
}

/* covers: W8 */
Test(wal_fence, copies_all_frames_of_a_large_commit_that_nothing_vouches_for)
{
    struct help_frames copies;

    begin(3);
    help_commit(&log, 20000);
    help_close(&log);
    help_reopen(&log);
    copies = help_list_frames(&log, log.wal->kept.last->number);
    cr_assert(copies.count == 3);
    cr_assert(le32_get(copies.header[0].commit_count) == 0);
    help_commit(&log, 10);
    cut_power();
    help_reopen(&log);
    help_deinit(&log);
}

/* covers: W7, W8 */
Test(wal_fence, copies_a_frame_without_the_beginning_of_a_lost_commit)
{
    struct help_frames frames, copies;

    begin(6);
    help_append(&log, 200);
    help_commit(&log, 9000);
    help_close(&log);
    frames = help_list_frames(&log, 1);
    cr_assert(frames.count == 8);
    help_lose(&log, frames.lsn[7]);
    log.history.acked = 7;
    help_reopen(&log);
    copies = help_list_frames(&log, 3);
    cr_assert(copies.count == 1);
    cr_assert(le32_get(copies.header[0].payload_size) < le32_get(frames.header[6].payload_size));
    log.generation++;
    help_commit(&log, 5000);
    help_close(&log);
    help_reopen(&log);
    help_deinit(&log);
}

/* covers: W8 */
Test(wal_fence, makes_commits_of_a_killed_process_durable)
{
    begin(5);
    help_append(&log, 300);
    io_sim_fail_at(log.io, io_sim_op_count(log.io), IO_SIM_FAULT_LATE_SYNC, false);
    cr_assert(help_try_flush(&log, 6) == STATUS_FAILED);
    help_close(&log);
    /* Reads show the frame although the disk does not have it. */
    help_reopen(&log);
    cr_assert(log.history.appended == 6);
    help_commit(&log, 100);
    cut_power();
    help_reopen(&log);
    cr_assert(log.history.appended == 7);
    help_deinit(&log);
}

/* covers: W8 */
Test(wal_fence, does_not_build_on_a_header_that_may_not_be_durable)
{
    begin(1);
    while (log.wal->lsn_next + WAL_BLOCK_SIZE <= 2 * log.options.segment_size)
        help_commit(&log, 300);
    help_append(&log, 300);
    io_sim_fail_at(log.io, io_sim_op_count(log.io), IO_SIM_FAULT_LATE_SYNC, false);
    cr_assert(help_try_flush(&log, log.history.appended) == STATUS_FAILED);
    help_close(&log);
    help_reopen(&log);
    cr_assert(le64_get(header_of(log.wal->kept.last->number).prev_end_lsn) ==
              2 * log.options.segment_size);
    cr_assert(log.wal->kept.count == 2);
    help_commit(&log, 100);
    cut_power();
    help_reopen(&log);
    help_deinit(&log);
}

/* covers: W8 */
Test(wal_fence, started_again_and_again_without_a_commit_grows_no_chain)
{
    uint64_t file_count = 0;

    begin(3);
    for (int i = 0; i < 10; i++) {
        help_close(&log);
        help_reopen(&log);
        cr_assert(log.wal->kept.count == 2);
        cr_assert(wal_scan(log.wal)->segment_count <= 2);
    }
    file_count = log.wal->kept.count + log.wal->prepared.count;
    cr_assert(file_count <= 4);
    help_commit(&log, 100);
    cut_power();
    help_reopen(&log);
    cr_assert(log.history.appended == 4);
    help_deinit(&log);
}

/* covers: W8 */
Test(wal_fence, number_is_above_all_that_exist)
{
    struct io_file *file = NULL;

    begin(3);
    help_close(&log);
    cr_assert(io_open(log.io, help_path(&log, 77), IO_WRITE | IO_CREATE, &file) == STATUS_OK);
    io_close(file);
    help_reopen(&log);
    cr_assert(log.wal->kept.last->number > 77);
    cr_assert(io_open(log.io, help_path(&log, 77), 0, &file) == STATUS_NOT_FOUND);
    help_deinit(&log);
}

Test(wal_fence, uses_files_left_over_and_removes_those_that_do_not_fit)
{
    struct io_file *file = NULL;

    begin(3);
    log.wal->options.spare_count = 5;
    bool more = true;
    while (more)
        cr_assert(wal_prepare_step(log.wal, &more) == STATUS_OK);
    help_close(&log);
    cr_assert(io_open(log.io, help_path(&log, 4), IO_WRITE, &file) == STATUS_OK);
    cr_assert(io_truncate(file, 5000) == STATUS_OK);
    io_close(file);
    log.options.spare_count = 2;
    help_reopen(&log);
    struct wal_statistics statistics;
    wal_get_statistics(log.wal, &statistics);
    cr_assert(statistics.segment_created_count == 0 && statistics.segment_recycled_count == 1);
    cr_assert(log.wal->prepared.count == 2);
    for (uint64_t number = 2; number <= 6; number++)
        cr_assert(io_open(log.io, help_path(&log, number), 0, &file) == STATUS_NOT_FOUND);
    help_deinit(&log);
}

Test(wal_fence, refuses_to_start_a_log_opened_for_reading)
{
    uint64_t hash;

    begin(3);
    help_close(&log);
    hash = io_sim_image_hash(log.io);
    log.options.read_only = true;
    cr_assert(help_open(&log) == STATUS_OK);
    cr_assert_null(help_verify(&log));
    cr_assert(wal_start(log.wal) == STATUS_READONLY);
    cr_assert_null(help_verify(&log));
    help_close(&log);
    cr_assert(io_sim_image_hash(log.io) == hash);
    help_deinit(&log);
}

Test(wal_fence, notices_bytes_that_changed_since_the_scan)
{
    struct help_frames frames;

    begin(5);
    help_close(&log);
    frames = help_list_frames(&log, 1);
    cr_assert(help_open(&log) == STATUS_OK);
    help_rot(&log, frames.lsn[4]);
    cr_assert_str_eq(help_verify(&log), "reading fails");
    cr_assert_not_null(strstr(error_message(), "valid when the log was opened"));
    cr_assert(wal_start(log.wal) == STATUS_CORRUPT);
    cr_assert_not_null(strstr(error_message(), "check the disk"));
    help_deinit(&log);
}

/* covers: W6, W8 */
Test(wal_fence, copies_without_a_header_are_no_proof_but_other_frames_are)
{
    static const uint8_t zeros[sizeof(struct wal_segment_header)];

    begin(5);
    help_close(&log);
    help_reopen(&log);
    help_close(&log);
    /* As if the crash had come before the header. */
    help_poke(&log, 3 * log.options.segment_size, zeros, sizeof(zeros));
    help_reopen(&log);
    uint64_t number = log.wal->kept.last->number;
    help_commit(&log, 100);
    help_close(&log);
    help_poke(&log, number * log.options.segment_size, zeros, sizeof(zeros));
    cr_assert(help_open(&log) == STATUS_CORRUPT);
    cr_assert_not_null(strstr(error_message(), "in use"));
    help_deinit(&log);
}
