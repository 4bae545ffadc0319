/*
 * Goal: prove that opening finds the end of the log: a torn tail is cut, a rotten middle is refused
 * with a message that says where, and neither is ever taken for the other.
 * Method: small logs on a simulated disk, closed without ceremony and damaged by hand: frames lost,
 * rotten, replaced by stale ones whose every other check holds; segments lost, cut or foreign. What
 * is read afterwards is compared with what was written.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/base/checksum.h"
#include "kernel/base/error.h"
#include "kernel/base/log_sink.h"
#include "tests/unit/wal/wal_help.h"

static struct help_log log;
static struct help_frames frames;

/* `count` commits, each its own frame of one block, each durable before the next. */
static void
write_commits_in(uint32_t buffer_count, uint64_t count)
{
    struct io_sim_options options = {.seed = 1};

    help_init_sim(&log, &options);
    log.options.buffer_count = buffer_count;
    help_create(&log);
    for (uint64_t i = 0; i < count; i++)
        help_commit(&log, 300);
}

static void
write_commits(uint64_t count)
{
    write_commits_in(4, count);
}

/* The same, but all sealed before the first is durable, as if they had been in flight together. */
static void
write_mates(uint64_t count)
{
    struct io_sim_options options = {.seed = 1};

    help_init_sim(&log, &options);
    log.options.buffer_count = 16;
    help_create(&log);
    for (uint64_t i = 0; i < count; i++) {
        help_append(&log, 300);
        wal_mark(log.wal);
    }
    help_flush(&log);
}

static void
stop(void)
{
    help_close(&log);
    frames = help_list_frames(&log, 1);
}

/* Opens, expects the end there, goes on, and opens once more. */
static void
expect_end(uint64_t csn, const char *cut_reason)
{
    log.history.acked = csn;
    cr_assert(help_open(&log) == STATUS_OK, "%s", error_message());
    cr_assert(wal_scan(log.wal)->end.csn == csn);
    cr_assert_str_eq(wal_scan(log.wal)->cut_reason, cut_reason);
    if (strcmp(cut_reason, "clean end") == 0)
        cr_assert(wal_scan(log.wal)->cut_size == 0);
    if (strcmp(cut_reason, "torn frame") == 0)
        cr_assert(wal_scan(log.wal)->cut_size > 0);
    help_close(&log);
    help_reopen(&log);
    log.generation++;
    help_commit(&log, 100);
    help_close(&log);
    help_reopen(&log);
    help_deinit(&log);
}

/* Opens and expects a refusal that names the place; with the loss accepted, the end. */
static void
expect_refusal(uint64_t csn_end, const char *what)
{
    char csn_text[64];

    snprintf(csn_text, sizeof(csn_text), "CSN %d", (int)csn_end + 1);
    cr_assert(help_open(&log) == STATUS_CORRUPT);
    cr_assert_not_null(strstr(error_message(), csn_text), "%s", error_message());
    cr_assert_not_null(strstr(error_message(), ".seg"), "%s", error_message());
    cr_assert_not_null(strstr(error_message(), "LSN"), "%s", error_message());
    cr_assert_not_null(strstr(error_message(), what), "%s", error_message());
    cr_assert_not_null(strstr(error_message(), "rescue"), "%s", error_message());
    log.options.accept_loss = true;
    expect_end(csn_end, "damage, loss accepted");
}

Test(wal_scan, of_an_untouched_log_finds_everything)
{
    write_commits(5);
    stop();
    cr_assert(frames.count == 5 && frames.invalid_count == 0);
    expect_end(5, "clean end");
}

/* covers: W5 */
Test(wal_scan, cuts_a_torn_tail)
{
    write_commits(5);
    stop();
    help_rot(&log, frames.lsn[4]);
    expect_end(4, "torn frame");
}

/* covers: W5 */
Test(wal_scan, cuts_a_lost_tail)
{
    write_commits(5);
    stop();
    help_lose(&log, frames.lsn[4]);
    expect_end(4, "clean end");
}

/* covers: W6 */
Test(wal_scan, refuses_a_rotten_middle)
{
    write_commits(5);
    stop();
    help_rot(&log, frames.lsn[2]);
    expect_refusal(2, "a later frame");
}

/* covers: W6 */
Test(wal_scan, refuses_rot_in_the_last_frame_but_one)
{
    write_commits(5);
    stop();
    help_rot(&log, frames.lsn[3]);
    expect_refusal(3, "a later frame");
}

/* covers: W6 */
Test(wal_scan, believes_a_horizon_written_in_the_middle_of_a_commit)
{
    write_commits_in(8, 1);
    help_append(&log, 20000);
    latch_lock(&log.wal->latch);
    cr_assert(wal__flush_until(log.wal, log.wal->sequence_submitted, UINT64_MAX) == STATUS_OK);
    cr_assert(wal_csn_durable(log.wal) == 1);
    cr_assert(wal_write_horizon(log.wal) == STATUS_OK);
    stop();
    cr_assert(frames.count == 2);
    help_rot(&log, frames.lsn[1]);
    expect_refusal(1, "horizon");
}

/* covers: W6 */
Test(wal_scan, refuses_a_rotten_frame_header)
{
    uint8_t byte = 0xee;

    write_commits(5);
    stop();
    help_poke(&log, frames.lsn[0] + 26, &byte, 1);
    expect_refusal(0, "frame header checksum");
}

/* covers: W5 */
Test(wal_scan, takes_frames_in_flight_with_a_lost_one_for_no_proof)
{
    write_mates(4);
    stop();
    cr_assert(frames.count == 4);
    help_lose(&log, frames.lsn[0]);
    expect_end(0, "clean end");
}

/* covers: W6 */
Test(wal_scan, takes_four_valid_frames_for_proof_of_the_one_before_them)
{
    write_mates(5);
    stop();
    cr_assert(frames.count == 5);
    help_lose(&log, frames.lsn[0]);
    expect_refusal(0, "four later frames");
}

/* covers: W6 */
Test(wal_scan, refuses_rot_in_the_first_frame_of_a_large_commit)
{
    write_commits_in(8, 1);
    help_commit(&log, 33000);
    stop();
    cr_assert(frames.count == 6);
    help_rot(&log, frames.lsn[1]);
    expect_refusal(1, "four later frames");

    write_commits_in(8, 1); /* Three frames behind it: it may have been in flight with them. */
    help_commit(&log, 25000);
    stop();
    cr_assert(frames.count == 5);
    help_rot(&log, frames.lsn[1]);
    expect_end(1, "torn frame");
}

/* covers: W6 */
Test(wal_scan, refuses_rot_in_the_last_frame_that_the_horizon_vouches_for)
{
    write_commits(5);
    cr_assert(wal_write_horizon(log.wal) == STATUS_OK);
    stop();
    help_rot(&log, frames.lsn[4]);
    expect_refusal(4, "horizon");
}

/* covers: W6 */
Test(wal_scan, believes_the_newer_horizon_and_the_older_when_that_is_rotten)
{
    uint8_t byte = 1;

    write_commits(3);
    cr_assert(wal_write_horizon(log.wal) == STATUS_OK);
    help_commit(&log, 10);
    cr_assert(wal_write_horizon(log.wal) == STATUS_OK);
    help_close(&log);
    uint64_t slot_newer = log.options.segment_size + WAL_BLOCK_SIZE;
    frames = help_list_frames(&log, 1);
    help_poke(&log, slot_newer + 41, &byte, 1);
    help_lose(&log, frames.lsn[3]);
    cr_assert(help_open(&log) == STATUS_OK);
    cr_assert(wal_scan(log.wal)->end.csn == 3);
    help_close(&log);
    help_lose(&log, frames.lsn[2]);
    expect_refusal(2, "horizon");
}

/* covers: W5 */
Test(wal_scan, ignores_a_horizon_of_another_epoch_or_log)
{
    struct wal_horizon horizon;
    uint64_t slot;

    for (int i = 0; i < 3; i++) {
        write_commits(3);
        cr_assert(wal_write_horizon(log.wal) == STATUS_OK);
        stop();
        slot = log.options.segment_size + 2 * WAL_BLOCK_SIZE;
        help_peek(&log, slot, &horizon, sizeof(horizon));
        cr_assert(wal__horizon_is_sound(&horizon));
        if (i == 0)
            horizon.epoch = le64_of(le64_get(horizon.epoch) + 1);
        else if (i == 1)
            horizon.log_id = le64_of(le64_get(horizon.log_id) + 1);
        else
            horizon.segment_number = le64_of(2);
        wal__horizon_seal(&horizon);
        help_poke(&log, slot, &horizon, sizeof(horizon));
        help_lose(&log, frames.lsn[2]);
        expect_end(2, "clean end");
    }
}

/* Puts a changed copy of the last frame in its place, all checksums made to hold. */
static void
forge_last(void (*change)(struct wal_frame_header *header))
{
    uint8_t frame[WAL_BLOCK_SIZE];
    struct wal_frame_header *header = (struct wal_frame_header *)frame;

    write_commits(3);
    stop();
    help_peek(&log, frames.lsn[2], frame, sizeof(frame));
    change(header);
    header->payload_checksum = le64_of(wal__payload_checksum(header, frame + sizeof(*header)));
    wal__frame_header_seal(header);
    help_poke(&log, frames.lsn[2], frame, sizeof(frame));
}

static void
change_nothing(struct wal_frame_header *header)
{
    (void)header;
}

static void
change_lsn(struct wal_frame_header *header)
{
    header->lsn = le64_of(le64_get(header->lsn) - log.options.segment_size);
}

static void
change_epoch(struct wal_frame_header *header)
{
    header->epoch = le64_of(le64_get(header->epoch) + 1);
}

static void
change_chain(struct wal_frame_header *header)
{
    header->chain = le64_of(le64_get(header->chain) + 1);
}

static void
change_csn(struct wal_frame_header *header)
{
    header->first_csn = le64_of(le64_get(header->first_csn) - 1);
    header->csn_durable = le64_of(0);
}

/* covers: W3 */
Test(wal_scan, does_not_take_a_stale_frame_that_only_one_check_tells)
{
    static void (*const changes[])(struct wal_frame_header *) = {change_lsn, change_epoch,
                                                                 change_chain, change_csn};
    static const char *const reasons[] = {"clean end", "clean end", "torn frame", "torn frame"};

    forge_last(change_nothing);
    expect_end(3, "clean end");
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        forge_last(changes[i]);
        expect_end(2, reasons[i]);
    }
}

/* covers: W7 */
Test(wal_scan, drops_a_commit_without_its_last_part_whole)
{
    write_commits(2);
    help_commit(&log, 30000);
    stop();
    help_lose(&log, frames.lsn[frames.count - 1]);
    expect_end(2, "incomplete commit");
}

/* covers: W7, W8 */
Test(wal_scan, drops_the_beginning_of_a_commit_from_the_last_frame)
{
    write_commits(2);
    help_append(&log, 200);
    help_commit(&log, 9000); /* Begins in the frame of the commit before. */
    stop();
    cr_assert(frames.count == 4);
    help_lose(&log, frames.lsn[3]);
    expect_end(3, "incomplete commit");
}

/* Commits until `count` segments are in use. */
static void
write_segments(uint64_t count)
{
    write_commits(1);
    while (log.wal->kept.count < count)
        help_commit(&log, 300);
    help_commit(&log, 300);
}

/* covers: W9 */
Test(wal_scan, refuses_a_segment_that_ends_before_its_successor_says)
{
    write_segments(2);
    stop();
    help_lose(&log, frames.lsn[frames.count - 1]);
    expect_refusal(frames.count - 1, "a later segment that continues");
}

/* covers: W9 */
Test(wal_scan, ignores_what_lies_behind_the_end_that_the_successor_names)
{
    uint8_t frame[WAL_BLOCK_SIZE];

    write_commits(3);
    stop();
    help_peek(&log, frames.lsn[2], frame, sizeof(frame));
    help_lose(&log, frames.lsn[2]);
    log.history.acked = 2;
    help_reopen(&log); /* Continues from commit 2. */
    log.generation++;
    help_commit(&log, 40);
    help_close(&log);
    help_poke(&log, frames.lsn[2], frame, sizeof(frame)); /* The lost write appears after all. */
    expect_end(3, "clean end");
}

/* covers: W6 */
Test(wal_scan, refuses_a_log_whose_last_segment_has_a_rotten_header)
{
    uint8_t byte = 1;

    write_segments(2);
    stop();
    help_poke(&log, 2 * log.options.segment_size + 50, &byte, 1);
    expect_refusal(frames.count, "a later segment that was in use");
}

/* covers: W6 */
Test(wal_scan, refuses_a_log_that_lost_a_segment)
{
    write_segments(3);
    stop();
    cr_assert(io_remove(log.io, help_path(&log, 2)) == STATUS_OK);
    expect_refusal(frames.count, "a later segment with a valid header");
}

/* covers: W4, W9 */
Test(wal_scan, refuses_a_successor_that_names_another_chain_or_csn)
{
    struct wal_segment_header header;

    for (int i = 0; i < 2; i++) {
        write_segments(2);
        stop();
        help_peek(&log, 2 * log.options.segment_size, &header, sizeof(header));
        if (i == 0)
            header.prev_chain = le64_of(le64_get(header.prev_chain) ^ 1);
        else
            header.prev_csn = le64_of(le64_get(header.prev_csn) - 1);
        wal__segment_header_seal(&header);
        help_poke(&log, 2 * log.options.segment_size, &header, sizeof(header));
        expect_refusal(frames.count, "does not continue");
    }
}

/* covers: W4 */
Test(wal_scan, starts_with_the_chain_it_is_given)
{
    write_commits(3);
    stop();
    log.start.chain ^= 1;
    cr_assert(help_open(&log) == STATUS_CORRUPT); /* Valid frames behind the one that misfits. */
    help_deinit(&log);

    write_commits(2);
    cr_assert(help_try_checkpoint(&log) == STATUS_OK);
    cr_assert(help_try_checkpoint(&log) == STATUS_OK);
    help_commit(&log, 100);
    help_close(&log);
    cr_assert(log.start.chain != 0 && log.start.csn == 2);
    expect_end(3, "clean end");
}

/* covers: W6 */
Test(wal_scan, refuses_a_segment_file_that_was_cut)
{
    struct io_file *file = NULL;

    write_commits(5);
    stop();
    cr_assert(io_open(log.io, help_path(&log, 1), IO_WRITE, &file) == STATUS_OK);
    cr_assert(io_truncate(file, frames.lsn[4] - log.options.segment_size) == STATUS_OK);
    io_close(file);
    expect_refusal(4, "once longer");
}

Test(wal_scan, says_what_is_missing)
{
    struct wal_position start;

    write_commits(1);
    stop();
    start = log.start;
    log.start.lsn += 7 * log.options.segment_size;
    cr_assert(help_open(&log) == STATUS_NOT_FOUND);
    cr_assert_not_null(strstr(error_message(), "no segment for LSN"));
    log.start.lsn = 0;
    cr_assert(help_open(&log) == STATUS_NOT_FOUND);
    log.start.lsn = start.lsn + 1;
    cr_assert(help_open(&log) == STATUS_CORRUPT);
    log.start.lsn = log.options.segment_size + WAL_BLOCK_SIZE;
    cr_assert(help_open(&log) == STATUS_CORRUPT);
    log.start = start;
    uint8_t byte = 1;
    help_poke(&log, log.options.segment_size, &byte, 1);
    cr_assert(help_open(&log) == STATUS_CORRUPT);
    cr_assert_not_null(strstr(error_message(), "no readable segment"));
    cr_assert(io_remove(log.io, help_path(&log, 1)) == STATUS_OK);
    cr_assert(io_remove(log.io, help_path(&log, 2)) == STATUS_OK);
    cr_assert(help_open(&log) == STATUS_NOT_FOUND);
    cr_assert_not_null(strstr(error_message(), "no segments"));
    log.dir = "/nowhere";
    cr_assert(help_open(&log) == STATUS_NOT_FOUND);
    log.dir = HELP_DIR;
    help_deinit(&log);
}

Test(wal_scan, refuses_the_log_of_another_file_and_a_newer_format)
{
    struct wal_segment_header header;

    write_commits(1);
    stop();
    log.options.file_id++;
    cr_assert(help_open(&log) == STATUS_CORRUPT);
    cr_assert_not_null(strstr(error_message(), "another database or log"));
    log.options.file_id--;
    log.options.log_id++;
    cr_assert(help_open(&log) == STATUS_CORRUPT);
    log.options.log_id--;
    help_peek(&log, log.options.segment_size, &header, sizeof(header));
    wal__segment_header_seal(&header);
    header.version = le32_of(WAL_FORMAT_VERSION + 1);
    header.checksum = le64_of(
        checksum64(&header, offsetof(struct wal_segment_header, checksum), WAL_SEED_SEGMENT));
    help_poke(&log, log.options.segment_size, &header, sizeof(header));
    cr_assert(help_open(&log) == STATUS_VERSION);
    cr_assert_not_null(strstr(error_message(), "newer build"));
    help_deinit(&log);
}

Test(wal_scan, refuses_segments_of_different_size)
{
    struct wal_segment_header header;

    write_segments(2);
    stop();
    help_peek(&log, 2 * log.options.segment_size, &header, sizeof(header));
    header.segment_size = le64_of(2 * log.options.segment_size);
    wal__segment_header_seal(&header);
    help_poke(&log, 2 * log.options.segment_size, &header, sizeof(header));
    cr_assert(help_open(&log) == STATUS_CORRUPT);
    cr_assert_not_null(strstr(error_message(), "another size"));
    help_deinit(&log);
}

Test(wal_scan, takes_unreadable_bytes_for_an_error_unless_the_loss_is_accepted)
{
    write_commits(5);
    stop();
    cr_assert(io_sim_bad_range(log.io, help_path(&log, 1), frames.lsn[2] - log.options.segment_size,
                               512) == STATUS_OK);
    cr_assert(help_open(&log) == STATUS_IO);
    log.options.accept_loss = true;
    log.history.acked = 0;
    cr_assert(help_open(&log) == STATUS_OK, "%s", error_message());
    cr_assert(wal_scan(log.wal)->end.csn <= 2);
    cr_assert_str_eq(wal_scan(log.wal)->cut_reason, "damage, loss accepted");
    help_deinit(&log);
}

Test(wal_scan, survives_a_header_that_cannot_be_read_when_the_loss_is_accepted)
{
    write_segments(2);
    stop();
    cr_assert(io_sim_bad_range(log.io, help_path(&log, 2), 0, 512) == STATUS_OK);
    cr_assert(help_open(&log) == STATUS_IO);
    log.options.accept_loss = true;
    log.history.acked = 0;
    cr_assert(help_open(&log) == STATUS_OK, "%s", error_message());
    cr_assert(wal_scan(log.wal)->end.csn == frames.count);
    cr_assert(wal_start(log.wal) == STATUS_OK, "%s", error_message());
    help_adopt_end(&log);
    log.generation++;
    help_commit(&log, 20);
    help_close(&log);
    log.options.accept_loss = false;
    help_reopen(&log);
    help_deinit(&log);
}

static uint32_t warning_count;

static void
count_warnings(void *context, enum log_level level, const char *line)
{
    (void)context;
    if (level == LOG_WARN && strstr(line, "loss accepted") != NULL)
        warning_count++;
}

Test(wal_scan, logs_an_accepted_loss_once)
{
    log_sink_set(count_warnings, NULL, LOG_WARN);
    write_commits(5);
    stop();
    help_rot(&log, frames.lsn[2]);
    log.options.accept_loss = true;
    log.history.acked = 0;
    cr_assert(help_open(&log) == STATUS_OK);
    cr_assert(warning_count == 1);
    log_sink_set(NULL, NULL, LOG_WARN);
    help_deinit(&log);
}
