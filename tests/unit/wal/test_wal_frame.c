/*
 * Goal: prove that each condition of a frame's validity is checked by itself, and that headers and
 * horizons are what they say.
 * Method: a sound frame, then each field changed alone with all checksums made to hold again, so that
 * only the one check in question can refuse it; the bare bytes with each bit flipped.
 */
#include <criterion/criterion.h>

#include "kernel/base/checksum.h"
#include "tests/unit/wal/wal_help.h"

enum { EPOCH = 77, LSN = 40960, CHAIN = 99, CSN = 10, PAYLOAD_MAX = 200 };

struct sample {
    struct wal_frame_header header;
    uint8_t payload[PAYLOAD_MAX];
    struct wal__cursor cursor; /* That expects it. */
};

static void
seal(struct sample *sample)
{
    sample->header.payload_checksum =
        le64_of(wal__payload_checksum(&sample->header, sample->payload));
    wal__frame_header_seal(&sample->header);
}

static void
put_part(struct byte_writer *writer, uint64_t csn, uint8_t flags)
{
    struct wal__part part = {
        .csn = csn, .flags = flags, .bytes = (const uint8_t *)"abc", .size = 3};

    wal__part_put(writer, &part, CSN + 1);
}

/* Two commits: 11 in one part, 12 in one part. */
static void
make(struct sample *sample)
{
    struct byte_writer writer = byte_writer_init(sample->payload, PAYLOAD_MAX);

    memset(sample, 0, sizeof(*sample));
    put_part(&writer, CSN + 1, WAL_PART_FIRST | WAL_PART_LAST);
    put_part(&writer, CSN + 2, WAL_PART_FIRST | WAL_PART_LAST | WAL_PART_SYSTEM);
    sample->header.lsn = le64_of(LSN);
    sample->header.epoch = le64_of(EPOCH);
    sample->header.payload_size = le32_of((uint32_t)writer.offset);
    sample->header.commit_count = le32_of(2);
    sample->header.first_csn = le64_of(CSN + 1);
    sample->header.csn_durable = le64_of(CSN);
    sample->header.chain = le64_of(CHAIN);
    sample->cursor.at = (struct wal_position){.lsn = LSN, .chain = CHAIN, .csn = CSN};
    seal(sample);
}

/* The first reason against it, NULL if none. */
static const char *
check(struct sample *sample)
{
    const char *reason = wal__frame_header_check(&sample->header);

    if (reason == NULL)
        reason = wal__frame_place_check(&sample->header, &sample->cursor, EPOCH, WAL_BLOCK_SIZE);
    if (reason == NULL)
        reason = wal__frame_payload_check(&sample->header, sample->payload);
    if (reason == NULL)
        reason = wal__frame_parts_check(&sample->header, sample->payload, &sample->cursor);
    return reason;
}

Test(wal_frame, that_is_sound_moves_the_cursor)
{
    struct sample sample;

    make(&sample);
    cr_assert_null(check(&sample));
    cr_assert(sample.cursor.at.lsn == LSN + WAL_BLOCK_SIZE);
    cr_assert(sample.cursor.at.csn == CSN + 2 && !sample.cursor.in_commit);
    cr_assert(sample.cursor.at.chain == le64_get(sample.header.header_checksum));
}

/* covers: W3 */
Test(wal_frame, that_is_stale_is_refused_by_each_check_alone)
{
    struct sample sample;

    make(&sample);
    sample.header.lsn = le64_of(LSN - WAL_BLOCK_SIZE);
    seal(&sample);
    cr_assert_str_eq(check(&sample), "frame of another position");

    make(&sample);
    sample.header.epoch = le64_of(EPOCH + 1);
    seal(&sample);
    cr_assert_str_eq(check(&sample), "frame of another epoch");

    make(&sample);
    sample.header.chain = le64_of(CHAIN + 1);
    seal(&sample);
    cr_assert_str_eq(check(&sample), "frame breaks the chain");

    make(&sample);
    sample.header.first_csn = le64_of(CSN);
    seal(&sample);
    cr_assert_str_eq(check(&sample), "frame of another CSN");
}

Test(wal_frame, with_a_field_out_of_range_is_refused)
{
    struct sample sample;

    make(&sample);
    sample.cursor.at.csn = UINT64_MAX; /* Nothing comes after that. */
    sample.header.first_csn = le64_of(0);
    seal(&sample);
    cr_assert_str_eq(check(&sample), "frame of another CSN");

    make(&sample);
    sample.header.csn_durable = le64_of(CSN + 1);
    seal(&sample);
    cr_assert_str_eq(check(&sample), "frame with a durable CSN of its own future");

    make(&sample);
    cr_assert_str_eq(
        wal__frame_place_check(&sample.header, &sample.cursor, EPOCH, WAL_BLOCK_SIZE - 1),
        "frame past the segment's end");

    make(&sample);
    sample.header.commit_count = le32_of(1);
    seal(&sample);
    cr_assert_str_eq(check(&sample), "frame commit count");
}

/* Changes bytes of the header and makes only its checksum hold. */
static const char *
check_header_with(size_t offset, const void *bytes, size_t size)
{
    struct sample sample;

    make(&sample);
    memcpy((uint8_t *)&sample.header + offset, bytes, size);
    sample.header.header_checksum = le64_of(checksum64(
        &sample.header, offsetof(struct wal_frame_header, header_checksum), WAL_SEED_FRAME));
    return wal__frame_header_check(&sample.header);
}

Test(wal_frame, header_of_another_kind_is_refused_even_with_a_good_checksum)
{
    le16 version = le16_of(WAL_FORMAT_VERSION + 1), flags = le16_of(1);
    le32 magic = le32_of(WAL_FRAME_MAGIC ^ 1), zero = le32_of(0);
    le32 large = le32_of(WAL_FRAME_PAYLOAD_MAX + 1);

    cr_assert_str_eq(check_header_with(0, &magic, 4), "no frame");
    cr_assert_str_eq(check_header_with(4, &version, 2), "frame version");
    cr_assert_str_eq(check_header_with(6, &flags, 2), "frame flags");
    cr_assert_str_eq(check_header_with(24, &zero, 4), "frame payload size");
    cr_assert_str_eq(check_header_with(24, &large, 4), "frame payload size");
}

Test(wal_frame, with_any_bit_flipped_is_refused)
{
    struct sample sample;

    make(&sample);
    size_t size = sizeof(sample.header) + le32_get(sample.header.payload_size);
    for (size_t bit = 0; bit < size * 8; bit++) {
        make(&sample);
        ((uint8_t *)&sample)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_not_null(check(&sample), "bit %zu", bit);
    }
}

/* The reason against a frame whose payload is what `writer` holds. */
static const char *
check_payload(struct sample *sample, const struct byte_writer *writer, bool in_commit)
{
    sample->header.payload_size = le32_of((uint32_t)writer->offset);
    sample->cursor.in_commit = in_commit;
    seal(sample);
    return check(sample);
}

/* covers: W7 */
Test(wal_frame, with_commit_parts_out_of_order_is_refused)
{
    struct sample sample;
    struct byte_writer writer;

    make(&sample); /* A commit that begins while another is open. */
    writer = byte_writer_init(sample.payload, PAYLOAD_MAX);
    put_part(&writer, CSN + 1, WAL_PART_FIRST);
    put_part(&writer, CSN + 1, WAL_PART_FIRST | WAL_PART_LAST);
    cr_assert_str_eq(check_payload(&sample, &writer, false), "commit part out of order");

    make(&sample); /* A part that continues nothing. */
    writer = byte_writer_init(sample.payload, PAYLOAD_MAX);
    put_part(&writer, CSN + 1, WAL_PART_LAST);
    cr_assert_str_eq(check_payload(&sample, &writer, false), "commit part out of order");

    make(&sample); /* A commit left out. */
    writer = byte_writer_init(sample.payload, PAYLOAD_MAX);
    put_part(&writer, CSN + 2, WAL_PART_FIRST | WAL_PART_LAST);
    cr_assert_str_eq(check_payload(&sample, &writer, false), "commit part of another CSN");

    make(&sample); /* Bytes left over. */
    writer = byte_writer_init(sample.payload, PAYLOAD_MAX);
    put_part(&writer, CSN + 1, WAL_PART_FIRST | WAL_PART_LAST);
    byte_writer_put_u8(&writer, 0);
    cr_assert_str_eq(check_payload(&sample, &writer, false), "commit part does not decode");

    make(&sample); /* The rest of a commit, then half of the next. */
    writer = byte_writer_init(sample.payload, PAYLOAD_MAX);
    put_part(&writer, CSN + 1, WAL_PART_LAST);
    put_part(&writer, CSN + 2, WAL_PART_FIRST);
    sample.header.commit_count = le32_of(1);
    cr_assert_null(check_payload(&sample, &writer, true));
    cr_assert(sample.cursor.in_commit && sample.cursor.at.csn == CSN + 1);
}

static struct wal_segment_header
sample_segment_header(void)
{
    struct wal_segment_header header = {
        .file_id = le64_of(1),
        .log_id = le64_of(2),
        .segment_size = le64_of(WAL_SEGMENT_SIZE_MIN),
        .segment_number = le64_of(3),
        .epoch = le64_of(4),
    };

    wal__segment_header_seal(&header);
    return header;
}

Test(wal_frame, segment_header_with_any_bit_flipped_is_refused)
{
    struct wal_segment_header header = sample_segment_header();

    cr_assert(wal__segment_header_check(&header) == STATUS_OK);
    for (size_t bit = 0; bit < sizeof(header) * 8; bit++) {
        header = sample_segment_header();
        ((uint8_t *)&header)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert(wal__segment_header_check(&header) == STATUS_CORRUPT, "bit %zu", bit);
    }
}

static enum status
check_segment_header(struct wal_segment_header *header)
{
    header->checksum = le64_of(
        checksum64(header, offsetof(struct wal_segment_header, checksum), WAL_SEED_SEGMENT));
    return wal__segment_header_check(header);
}

Test(wal_frame, segment_header_with_impossible_values_is_refused_even_with_a_good_checksum)
{
    static const uint64_t sizes[] = {0, WAL_SEGMENT_SIZE_MIN - WAL_BLOCK_SIZE,
                                     WAL_SEGMENT_SIZE_MIN + 1,
                                     WAL_SEGMENT_SIZE_MAX + (uint64_t)WAL_BLOCK_SIZE};
    struct wal_segment_header header = sample_segment_header();

    header.version = le32_of(WAL_FORMAT_VERSION + 1);
    cr_assert(check_segment_header(&header) == STATUS_VERSION);
    header = sample_segment_header();
    header.reserved = le32_of(1);
    cr_assert(check_segment_header(&header) == STATUS_CORRUPT);
    header = sample_segment_header();
    header.epoch = le64_of(0);
    cr_assert(check_segment_header(&header) == STATUS_CORRUPT);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        header = sample_segment_header();
        header.segment_size = le64_of(sizes[i]);
        cr_assert(check_segment_header(&header) == STATUS_CORRUPT);
    }
    header = sample_segment_header();
    header.segment_number = le64_of(0);
    cr_assert(check_segment_header(&header) == STATUS_CORRUPT);
    header.segment_number = le64_of(UINT64_MAX / WAL_SEGMENT_SIZE_MIN);
    cr_assert(check_segment_header(&header) == STATUS_CORRUPT);
}

Test(wal_frame, horizon_with_any_bit_flipped_is_refused)
{
    struct wal_horizon horizon;

    for (size_t bit = 0; bit < sizeof(horizon) * 8; bit++) {
        memset(&horizon, 0, sizeof(horizon));
        horizon.segment_number = le64_of(1);
        horizon.epoch = le64_of(2);
        wal__horizon_seal(&horizon);
        cr_assert(wal__horizon_is_sound(&horizon));
        ((uint8_t *)&horizon)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert(!wal__horizon_is_sound(&horizon), "bit %zu", bit);
    }
}
