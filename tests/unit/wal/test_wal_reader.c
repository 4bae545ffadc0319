/*
 * Goal: prove that readers hand out every record once, in order, with bounded memory, several side by
 * side and beside appends, and refuse payloads that are not records.
 * Method: logs with records that straddle parts, frames and segments; frames forged around hostile
 * payloads with all checksums made to hold.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "kernel/base/error.h"
#include "tests/unit/wal/wal_help.h"

static struct help_log log;

static void
begin(uint32_t frame_size_max)
{
    struct io_sim_options options = {.seed = 4};

    help_init_sim(&log, &options);
    log.options.frame_size_max = frame_size_max;
    log.options.buffer_count = 64;
    help_create(&log);
}

Test(wal_reader, puts_records_together_that_straddle_parts_and_segments)
{
    begin(700);
    for (uint32_t i = 0; i < 30; i++)
        help_commit(&log, 500 + i * 700);
    help_close(&log);
    help_reopen(&log);
    cr_assert(wal_scan(log.wal)->segment_count > 3);
    help_deinit(&log);
}

Test(wal_reader, hands_out_one_record_larger_than_many_frames)
{
    struct wal_reader *reader = NULL;
    struct wal_record record;
    uint8_t *body = malloc(100000);

    begin(4024);
    memset(body, 7, 100000);
    struct byte_writer writer = byte_writer_init(log.scratch, HELP_COMMIT_SIZE_MAX);
    wal_record_put(&writer, WAL_RECORD_NOTE, 0, body, 100000);
    wal_record_put(&writer, WAL_RECORD_NOTE, 1, body, 1);
    while (wal_reserve(log.wal, writer.offset, false) != STATUS_OK)
        cr_assert(wal_make_room(log.wal, writer.offset, false) == STATUS_OK, "%s", error_message());
    struct wal_commit commit = {
        .csn = 1, .time_ms = 9, .records = log.scratch, .size = writer.offset};
    wal_append(log.wal, &commit);
    cr_assert(wal_flush(log.wal, 1) == STATUS_OK);
    cr_assert(wal_reader_open(log.wal, &reader) == STATUS_OK);
    cr_assert(wal_reader_next(reader, &record) == STATUS_OK);
    cr_assert(record.size == 100000 && memcmp(record.body, body, record.size) == 0);
    cr_assert(!record.commit_last && record.time_ms == 9 && record.csn == 1);
    cr_assert(wal_reader_next(reader, &record) == STATUS_OK);
    cr_assert(record.size == 1 && record.commit_last && record.page_number == 1);
    cr_assert(wal_reader_next(reader, &record) == STATUS_NOT_FOUND);
    cr_assert(wal_reader_next(reader, &record) == STATUS_NOT_FOUND);
    cr_assert(wal_reader_offset(reader) == wal_size(log.wal));
    wal_reader_close(reader);
    free(body);
    help_deinit(&log);
}

/* CSN of the last record; the end is a regular one. */
static uint64_t
last_csn(struct wal_reader *reader)
{
    struct wal_record record = {0};
    enum status status;

    while ((status = wal_reader_next(reader, &record)) == STATUS_OK)
        continue;
    cr_assert(status == STATUS_NOT_FOUND, "%s", error_message());
    return record.csn;
}

Test(wal_reader, of_a_running_log_ends_at_the_durable_end)
{
    struct wal_reader *reader = NULL, *second = NULL;
    struct wal_record record;

    begin(8000);
    cr_assert(wal_reader_open(log.wal, &reader) == STATUS_OK);
    cr_assert(wal_reader_next(reader, &record) == STATUS_NOT_FOUND);
    wal_reader_close(reader);
    for (uint32_t i = 0; i < 60; i++)
        help_commit(&log, 1000);
    help_append(&log, 100);
    wal_mark(log.wal);
    cr_assert(wal_reader_open(log.wal, &reader) == STATUS_OK);
    cr_assert(last_csn(reader) == 60);
    wal_reader_close(reader);
    cr_assert(wal_reader_open(log.wal, &reader) == STATUS_OK);
    for (uint32_t i = 0; i < 20; i++)
        help_commit(&log, 3000);
    cr_assert(wal_reader_open(log.wal, &second) == STATUS_OK);
    cr_assert(last_csn(reader) == 60);
    cr_assert(last_csn(second) == 81);
    wal_reader_close(reader);
    wal_reader_close(second);
    for (int i = 0; i < 2; i++)
        cr_assert(help_try_checkpoint(&log) == STATUS_OK);
    help_commit(&log, 10);
    cr_assert(wal_reader_open(log.wal, &reader) == STATUS_OK);
    cr_assert(wal_reader_next(reader, &record) == STATUS_OK && record.csn == 82);
    wal_reader_close(reader);
    wal_reader_close(NULL);
    help_deinit(&log);
}

/* Puts `payload` as the records of commit 2, every checksum right. */
static void
forge_records(const uint8_t *records, size_t size)
{
    uint8_t frame[WAL_BLOCK_SIZE] = {0};
    struct wal_frame_header *header = (struct wal_frame_header *)frame;
    struct help_frames frames;

    begin(8000);
    help_commit(&log, 10);
    help_commit(&log, 10);
    help_close(&log);
    frames = help_list_frames(&log, 1);
    *header = frames.header[1];
    struct byte_writer writer =
        byte_writer_init(frame + sizeof(*header), sizeof(frame) - sizeof(*header));
    struct wal__part part = {
        .csn = 2, .flags = WAL_PART_FIRST | WAL_PART_LAST, .bytes = records, .size = size};
    wal__part_put(&writer, &part, 2);
    header->payload_size = le32_of((uint32_t)writer.offset);
    header->payload_checksum = le64_of(wal__payload_checksum(header, frame + sizeof(*header)));
    wal__frame_header_seal(header);
    help_poke(&log, frames.lsn[1], frame, sizeof(frame));
}

Test(wal_reader, refuses_what_is_no_record)
{
    static const uint8_t unknown_type[] = {9, 0, 0};
    static const uint8_t too_long[] = {1, 0, 5, 'a', 'b'};
    static const uint8_t cut_head[] = {1, 0x80};
    static const uint8_t unknown_and_long[40] = {9, 0, 0};
    static const struct {
        const uint8_t *bytes;
        size_t size;
    } cases[] = {{unknown_type, sizeof(unknown_type)},
                 {too_long, sizeof(too_long)},
                 {cut_head, sizeof(cut_head)},
                 {unknown_and_long, sizeof(unknown_and_long)}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wal_reader *reader = NULL;
        struct wal_record record;
        enum status status;

        forge_records(cases[i].bytes, cases[i].size);
        cr_assert(help_open(&log) == STATUS_OK);
        cr_assert(wal_scan(log.wal)->end.csn == 2);
        cr_assert(wal_reader_open(log.wal, &reader) == STATUS_OK);
        while ((status = wal_reader_next(reader, &record)) == STATUS_OK)
            cr_assert(record.csn == 1);
        cr_assert(status == STATUS_CORRUPT);
        cr_assert_not_null(strstr(error_message(), "record does not decode"));
        cr_assert_not_null(strstr(error_message(), "CSN"));
        wal_reader_close(reader);
        help_deinit(&log);
    }
}

/* Reads all; the status that ended it, with the end as STATUS_OK. */
static enum status
read_all(void)
{
    struct wal_reader *reader = NULL;
    struct wal_record record;
    enum status status;

    TRY(wal_reader_open(log.wal, &reader));
    while ((status = wal_reader_next(reader, &record)) == STATUS_OK)
        continue;
    wal_reader_close(reader);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

Test(wal_reader, reports_each_refused_operation_and_allocation)
{
    uint64_t op_count, alloc_count, live_count;

    begin(700);
    for (uint32_t i = 0; i < 20; i++)
        help_commit(&log, 500 + i * 700);
    live_count = memory_live_count(log.memory);
    op_count = io_sim_op_count(log.io);
    alloc_count = memory_alloc_count(log.memory);
    cr_assert(read_all() == STATUS_OK);
    op_count = io_sim_op_count(log.io) - op_count;
    alloc_count = memory_alloc_count(log.memory) - alloc_count;
    cr_assert(op_count > 8 && alloc_count > 2);
    for (uint64_t i = 0; i < op_count; i++) {
        io_sim_fail_at(log.io, io_sim_op_count(log.io) + i, IO_SIM_FAULT_EIO, false);
        cr_assert(read_all() == STATUS_IO);
        cr_assert(memory_live_count(log.memory) == live_count);
    }
    for (uint64_t i = 0; i < alloc_count; i++) {
        memory_fail_at(log.memory, i, false);
        cr_assert(read_all() == STATUS_NO_MEMORY);
        cr_assert(memory_live_count(log.memory) == live_count);
    }
    memory_fail_at(log.memory, UINT64_MAX, false);
    cr_assert(read_all() == STATUS_OK);
    help_deinit(&log);
}

Test(wal_reader, refuses_a_record_that_is_cut_off_at_the_end_of_its_commit)
{
    static const uint8_t note[300] = {1};
    struct wal_reader *reader = NULL;
    struct wal_record record;

    begin(400);
    struct byte_writer writer = byte_writer_init(log.scratch, HELP_COMMIT_SIZE_MAX);
    for (int i = 0; i < 3; i++)
        wal_record_put(&writer, WAL_RECORD_NOTE, 1u << 30, note, sizeof(note));
    /* The last record loses its end: the commit's parts are sound, its records are not. */
    struct wal_commit commit = {.csn = 1, .records = log.scratch, .size = writer.offset - 10};
    while (wal_reserve(log.wal, commit.size, false) != STATUS_OK)
        cr_assert(wal_make_room(log.wal, commit.size, false) == STATUS_OK);
    wal_append(log.wal, &commit);
    cr_assert(wal_flush(log.wal, 1) == STATUS_OK);
    cr_assert(wal_reader_open(log.wal, &reader) == STATUS_OK);
    cr_assert(wal_reader_next(reader, &record) == STATUS_OK);
    cr_assert(wal_reader_next(reader, &record) == STATUS_OK && !record.commit_last);
    cr_assert(wal_reader_next(reader, &record) == STATUS_CORRUPT);
    wal_reader_close(reader);
    help_deinit(&log);
}

Test(wal_reader, refuses_a_record_head_that_goes_wrong_across_parts)
{
    uint8_t *bytes;
    struct wal_reader *reader = NULL;
    struct wal_record record;
    enum status status = STATUS_OK;

    for (size_t shift = 0; shift < 12; shift++) {
        begin(400);
        bytes = log.scratch;
        struct byte_writer writer = byte_writer_init(bytes, HELP_COMMIT_SIZE_MAX);
        wal_record_put(&writer, WAL_RECORD_NOTE, 0, bytes + 1000, 372 - shift);
        byte_writer_put_u8(&writer, WAL_RECORD_NOTE);
        for (int i = 0; i < 40; i++)
            byte_writer_put_u8(&writer, 0xff); /* No varint is that long. */
        struct wal_commit commit = {.csn = 1, .records = bytes, .size = writer.offset};
        while (wal_reserve(log.wal, commit.size, false) != STATUS_OK)
            cr_assert(wal_make_room(log.wal, commit.size, false) == STATUS_OK);
        wal_append(log.wal, &commit);
        cr_assert(wal_flush(log.wal, 1) == STATUS_OK);
        cr_assert(wal_reader_open(log.wal, &reader) == STATUS_OK);
        cr_assert(wal_reader_next(reader, &record) == STATUS_OK);
        status = wal_reader_next(reader, &record);
        cr_assert(status == STATUS_CORRUPT, "shift %d", (int)shift);
        wal_reader_close(reader);
        help_deinit(&log);
    }
}

Test(wal_reader, works_on_real_files_with_and_without_uring)
{
    for (int uring = 0; uring < 2; uring++) {
        help_init_posix(&log, uring == 1);
        log.options.segment_size = 1024 * 1024;
        log.options.frame_size_max = 0;
        help_create(&log);
        for (uint32_t i = 0; i < 40; i++)
            help_commit(&log, i % 4 == 0 ? 200000 : 600);
        cr_assert(help_try_checkpoint(&log) == STATUS_OK);
        cr_assert(wal_write_horizon(log.wal) == STATUS_OK);
        help_close(&log);
        help_reopen(&log);
        cr_assert(wal_scan(log.wal)->commit_count == 40);
        help_commit(&log, 700);
        for (int i = 0; i < 2; i++)
            cr_assert(help_try_checkpoint(&log) == STATUS_OK);
        help_commit(&log, 5);
        help_close(&log);
        help_reopen(&log);
        help_deinit(&log);
    }
}
