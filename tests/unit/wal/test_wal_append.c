/*
 * Goal: prove that a reservation keeps its word: the append after it does no I/O, allocates nothing and
 * fits, whatever flushers do in between; and that marks stand where the next frame begins.
 * Method: random commits of all sizes on small buffers and segments, with counts of operations and
 * allocations around each append; the frames on disk afterwards.
 */
#include <criterion/criterion.h>

#include "kernel/base/error.h"
#include "kernel/base/random.h"
#include "tests/unit/wal/wal_help.h"

static struct help_log log;

static void
begin(uint32_t buffer_count, uint32_t frame_size_max)
{
    struct io_sim_options options = {.seed = 1};

    help_init_sim(&log, &options);
    log.options.buffer_count = buffer_count;
    log.options.frame_size_max = frame_size_max;
    help_create(&log);
}

/* covers: W11 */
Test(wal_append, after_a_reservation_does_no_io_and_allocates_nothing)
{
    struct random random;

    random_init(&random, 5);
    for (int round = 0; round < 20; round++) {
        begin(2 + (uint32_t)random_below(&random, 6), 256 + (uint32_t)random_below(&random, 50000));
        uint32_t most = log.wal->payload_max - WAL_PART_OVERHEAD_MAX;
        for (int i = 0; i < 100; i++) {
            uint32_t frames = 1 + (uint32_t)random_below(&random, log.options.buffer_count);
            uint32_t size = (uint32_t)random_below(&random, most * frames * 3 / 4);
            bool flush_between = random_chance(&random, 1, 2);
            size_t bytes = help_commit_bytes(log.scratch, log.history.appended + 1, 1, size);

            if (bytes > (size_t)most * log.options.buffer_count)
                continue;
            while (wal_reserve(log.wal, bytes, false) != STATUS_OK)
                cr_assert(wal_make_room(log.wal, bytes, false) == STATUS_OK, "%s", error_message());
            if (flush_between) /* Another thread may close the open frame here. */
                help_flush(&log);
            uint64_t op_count = io_sim_op_count(log.io);
            uint64_t alloc_count = memory_alloc_count(log.memory);
            struct wal_commit commit = {
                .csn = ++log.history.appended, .records = log.scratch, .size = bytes};
            wal_append(log.wal, &commit);
            cr_assert(io_sim_op_count(log.io) == op_count);
            cr_assert(memory_alloc_count(log.memory) == alloc_count);
            log.history.generation[commit.csn] = 1;
            log.history.size[commit.csn] = size;
            if (random_chance(&random, 1, 3))
                help_flush(&log);
        }
        help_flush(&log);
        help_deinit(&log);
    }
}

/* covers: W11 */
Test(wal_append, reservation_foresees_that_the_open_frame_is_closed_early)
{
    uint64_t last_block = 2 * HELP_SEGMENT_SIZE - WAL_BLOCK_SIZE;

    begin(8, 8000);
    while (log.wal->lsn_next < last_block) {
        cr_assert(help_try_append(&log, 100, true) == STATUS_OK);
        help_flush(&log);
    }
    cr_assert(log.wal->prepared.count == 0);
    cr_assert(wal_reserve(log.wal, 100, true) == STATUS_OK);
    cr_assert(help_try_append(&log, 100, true) == STATUS_OK);
    /* It would fit into the open frame; but a flush may close that, and there is no other block. */
    cr_assert(wal_reserve(log.wal, 100, true) == STATUS_MISSING);
    cr_assert(help_try_append(&log, 100, true) == STATUS_OK);
    cr_assert(log.wal->prepared.count == 1);
    help_flush(&log);
    help_deinit(&log);
}

Test(wal_append, frames_are_filled_up_with_zeros)
{
    static uint8_t block[WAL_BLOCK_SIZE];
    struct help_frames frames;

    begin(2, 8000);
    for (uint32_t i = 0; i < 10; i++)
        help_commit(&log, 3000 - i * 250);
    frames = help_list_frames(&log, 1);
    cr_assert(frames.count == 10);
    for (uint64_t i = 0; i < frames.count; i++) {
        size_t used = sizeof(frames.header[i]) + le32_get(frames.header[i].payload_size);

        help_peek(&log, frames.lsn[i], block, sizeof(block));
        cr_assert(bytes_are_zero(block + used, sizeof(block) - used));
    }
    help_deinit(&log);
}

Test(wal_append, comes_back_whatever_its_size)
{
    static const uint32_t frame_sizes[] = {256, 300, 1000, 4024, 4025, 8000, 0};

    for (size_t f = 0; f < sizeof(frame_sizes) / sizeof(frame_sizes[0]); f++) {
        begin(64, frame_sizes[f]);
        for (uint32_t size = 1; size <= 400; size++)
            help_append(&log, size % 7 == 0 ? size * 13 : size);
        help_flush(&log);
        cr_assert(wal_csn_appended(log.wal) == 400 && wal_csn_durable(log.wal) == 400);
        help_close(&log);
        help_reopen(&log);
        help_deinit(&log);
    }
}

Test(wal_append, gathers_commits_in_one_frame_until_flushed)
{
    struct help_frames frames;

    begin(4, 8000);
    for (int i = 0; i < 10; i++)
        help_append(&log, 100);
    help_flush(&log);
    for (int i = 0; i < 3; i++)
        help_append(&log, 100);
    help_flush(&log);
    frames = help_list_frames(&log, 1);
    cr_assert(frames.count == 2);
    cr_assert(le32_get(frames.header[0].commit_count) == 10);
    cr_assert(le64_get(frames.header[0].first_csn) == 1);
    cr_assert(le64_get(frames.header[0].csn_durable) == 0);
    cr_assert(le32_get(frames.header[1].commit_count) == 3);
    cr_assert(le64_get(frames.header[1].first_csn) == 11);
    cr_assert(le64_get(frames.header[1].csn_durable) == 10);
    cr_assert(le64_get(frames.header[1].chain) == le64_get(frames.header[0].header_checksum));
    help_deinit(&log);
}

Test(wal_append, of_an_empty_commit_counts)
{
    struct wal_commit commit = {.csn = 1, .time_ms = 5};

    begin(4, 8000);
    while (wal_reserve(log.wal, 0, false) != STATUS_OK)
        cr_assert(wal_make_room(log.wal, 0, false) == STATUS_OK);
    wal_append(log.wal, &commit);
    cr_assert(wal_flush(log.wal, 1) == STATUS_OK);
    help_close(&log);
    cr_assert(help_open(&log) == STATUS_OK);
    cr_assert(wal_scan(log.wal)->end.csn == 1 && wal_scan(log.wal)->commit_count == 1);
    help_deinit(&log);
}

/* covers: W4 */
Test(wal_append, mark_names_the_place_and_the_chain_of_the_next_frame)
{
    struct wal_position position;
    struct help_frames frames;

    begin(4, 8000);
    cr_assert(log.start.lsn == log.options.segment_size + WAL_FRAMES_OFFSET);
    cr_assert(log.start.chain == 0 && log.start.csn == 0);
    help_append(&log, 100);
    uint64_t op_count = io_sim_op_count(log.io);
    position = wal_mark(log.wal);
    cr_assert(io_sim_op_count(log.io) == op_count);
    cr_assert(memcmp(&position, &(struct wal_position){0}, sizeof(position)) != 0);
    struct wal_position again = wal_mark(log.wal);
    cr_assert(memcmp(&position, &again, sizeof(position)) == 0);
    help_append(&log, 100);
    help_flush(&log);
    frames = help_list_frames(&log, 1);
    cr_assert(frames.count == 2);
    cr_assert(frames.lsn[1] == position.lsn && position.csn == 1);
    cr_assert(le64_get(frames.header[1].chain) == position.chain);
    log.start = position;
    help_close(&log);
    cr_assert(help_open(&log) == STATUS_OK);
    cr_assert(wal_scan(log.wal)->frame_count == 1 && wal_scan(log.wal)->end.csn == 2);
    cr_assert_null(help_verify(&log));
    help_deinit(&log);
}

Test(wal_append, mark_at_the_very_end_of_a_segment_can_be_opened)
{
    uint32_t block_payload = WAL_BLOCK_SIZE - sizeof(struct wal_frame_header) - 64;

    begin(4, WAL_BLOCK_SIZE - sizeof(struct wal_frame_header));
    for (uint64_t i = WAL_FRAMES_OFFSET; i < log.options.segment_size; i += WAL_BLOCK_SIZE)
        help_commit(&log, block_payload / 2);
    log.start = wal_mark(log.wal);
    cr_assert(log.start.lsn == 2 * log.options.segment_size);
    help_close(&log);
    cr_assert(help_open(&log) == STATUS_OK, "%s", error_message());
    help_close(&log);
    help_reopen(&log);
    help_commit(&log, 10);
    cr_assert(wal_release(log.wal, log.start) == STATUS_OK);
    help_close(&log);
    help_reopen(&log);
    help_deinit(&log);
}

Test(wal_append, too_large_for_the_buffers_is_refused_with_advice)
{
    begin(2, 1000);
    cr_assert(wal_reserve(log.wal, 2000, false) == STATUS_MISSING);
    cr_assert(wal_make_room(log.wal, 2000, false) == STATUS_FULL);
    cr_assert_not_null(strstr(error_message(), "does not fit the log's 2 buffers"));
    cr_assert(help_try_append(&log, 1500, false) == STATUS_OK);
    help_deinit(&log);
}

/* covers: W12 */
Test(wal_append, leaves_a_segment_to_emergencies)
{
    struct io_sim_options options = {.seed = 1, .disk_size = 3 * HELP_SEGMENT_SIZE};
    uint64_t ordinary, all;
    enum status status = STATUS_OK;

    help_init_sim(&log, &options);
    help_create(&log);
    while (status == STATUS_OK) {
        status = help_try_append(&log, 3000, false);
        if (status == STATUS_OK)
            help_flush(&log);
    }
    cr_assert(status == STATUS_FULL, "%s", status_name(status));
    cr_assert_not_null(strstr(error_message(), "no space"), "%s", error_message());
    ordinary = log.history.acked;
    cr_assert(log.wal->kept.count == 2 && log.wal->prepared.count == 1);
    cr_assert(help_try_append(&log, 3000, false) == STATUS_FULL);
    while ((status = help_try_append(&log, 3000, true)) == STATUS_OK)
        help_flush(&log);
    cr_assert(status == STATUS_FULL);
    all = log.history.acked;
    cr_assert(all - ordinary >= (HELP_SEGMENT_SIZE - WAL_FRAMES_OFFSET) / WAL_BLOCK_SIZE);
    cr_assert(!wal_is_failed(log.wal));
    io_sim_set_disk_size(log.io, 4 * HELP_SEGMENT_SIZE);
    cr_assert(help_try_append(&log, 3000, false) == STATUS_FULL);
    io_sim_set_disk_size(log.io, 5 * HELP_SEGMENT_SIZE);
    help_commit(&log, 3000); /* Space freed lets it go on. */
    help_close(&log);
    help_reopen(&log);
    help_deinit(&log);
}
