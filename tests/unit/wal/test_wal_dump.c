/*
 * Goal: prove that a segment is shown as it stands: valid frames, invalid ones with their reason, and
 * the valid ones behind those.
 * Method: a log on a simulated disk, one frame damaged; files that are no segments.
 */
#include <criterion/criterion.h>

#include "kernel/base/error.h"
#include "tests/unit/wal/wal_help.h"

static struct help_log log;

struct seen {
    uint64_t count;
    struct wal_frame_view views[64];
};

static void
take_view(void *context, const struct wal_frame_view *view)
{
    struct seen *seen = context;

    cr_assert((view->payload == NULL) == (view->status != STATUS_OK));
    cr_assert((view->reason == NULL) == (view->status == STATUS_OK));
    seen->views[seen->count++] = *view;
}

Test(wal_dump, shows_valid_and_invalid_frames)
{
    struct io_sim_options options = {.seed = 4};
    struct help_frames frames;
    struct seen seen = {0};

    help_init_sim(&log, &options);
    help_create(&log);
    for (uint32_t i = 0; i < 5; i++)
        help_commit(&log, 300);
    help_close(&log);
    frames = help_list_frames(&log, 1);
    help_rot(&log, frames.lsn[2]);
    cr_assert(wal_dump_segment(&log.env, help_path(&log, 1), take_view, &seen) == STATUS_OK);
    cr_assert(seen.count == 5);
    cr_assert(seen.views[1].status == STATUS_OK && seen.views[2].status == STATUS_CORRUPT);
    cr_assert_str_eq(seen.views[2].reason, "frame payload checksum");
    cr_assert(seen.views[2].lsn == frames.lsn[2]);
    cr_assert(seen.views[3].status == STATUS_OK && seen.views[4].status == STATUS_OK);
    help_deinit(&log);
}

Test(wal_dump, shows_a_segment_that_begins_inside_a_commit)
{
    struct io_sim_options options = {.seed = 4};
    struct help_frames frames;

    help_init_sim(&log, &options);
    log.options.buffer_count = 16;
    help_create(&log);
    for (uint32_t i = 0; i < 8; i++)
        help_commit(&log, 30000);
    help_close(&log);
    for (uint64_t number = 1; number <= 3; number++) {
        frames = help_list_frames(&log, number);
        cr_assert(frames.count >= 5 && frames.invalid_count == 0, "%d", (int)number);
    }
    help_deinit(&log);
}

Test(wal_dump, refuses_what_is_no_segment)
{
    struct io_sim_options options = {.seed = 4};
    struct io_file *file = NULL;
    struct seen seen = {0};

    help_init_sim(&log, &options);
    cr_assert(wal_dump_segment(&log.env, "/none", take_view, &seen) == STATUS_NOT_FOUND);
    cr_assert(io_open(log.io, "/empty", IO_WRITE | IO_CREATE, &file) == STATUS_OK);
    cr_assert(wal_dump_segment(&log.env, "/empty", take_view, &seen) == STATUS_CORRUPT);
    cr_assert(io_truncate(file, HELP_SEGMENT_SIZE) == STATUS_OK);
    io_close(file);
    cr_assert(wal_dump_segment(&log.env, "/empty", take_view, &seen) == STATUS_CORRUPT);
    cr_assert_not_null(strstr(error_message(), "/empty"));
    cr_assert(seen.count == 0);
    help_deinit(&log);
}

Test(wal_dump, reports_each_refused_operation_and_a_file_cut_short)
{
    struct io_sim_options options = {.seed = 4};
    struct io_file *file = NULL;
    struct seen seen = {0};
    uint64_t op_count;

    help_init_sim(&log, &options);
    help_create(&log);
    help_commit(&log, 300);
    help_commit(&log, 7000);
    help_close(&log);
    op_count = io_sim_op_count(log.io);
    cr_assert(wal_dump_segment(&log.env, help_path(&log, 1), take_view, &seen) == STATUS_OK);
    cr_assert(seen.count == 2);
    op_count = io_sim_op_count(log.io) - op_count;
    for (uint64_t i = 0; i < op_count; i++) {
        io_sim_fail_at(log.io, io_sim_op_count(log.io) + i, IO_SIM_FAULT_EIO, false);
        cr_assert(wal_dump_segment(&log.env, help_path(&log, 1), take_view, &seen) == STATUS_IO);
    }
    memory_fail_at(log.memory, 0, false);
    cr_assert(wal_dump_segment(&log.env, help_path(&log, 1), take_view, &seen) == STATUS_NO_MEMORY);
    cr_assert(io_open(log.io, help_path(&log, 1), IO_WRITE, &file) == STATUS_OK);
    cr_assert(io_truncate(file, WAL_FRAMES_OFFSET + 2 * WAL_BLOCK_SIZE) == STATUS_OK);
    io_close(file);
    seen.count = 0;
    cr_assert(wal_dump_segment(&log.env, help_path(&log, 1), take_view, &seen) == STATUS_OK);
    cr_assert(seen.count == 2 && seen.views[1].status == STATUS_CORRUPT);
    cr_assert_str_eq(seen.views[1].reason, "segment file cut short");
    help_deinit(&log);
}
