/*
 * Goal: prove that records and commit parts come back as they were put, and that no bytes at all make
 * the decoders accept what is none or read past the end.
 * Method: round trips over edge values; every cut of the encoding; hostile sizes.
 */
#include <criterion/criterion.h>

#include "tests/unit/wal/wal_help.h"

static const uint64_t edge_values[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
enum { EDGE_COUNT = sizeof(edge_values) / sizeof(edge_values[0]) };

Test(wal_record, comes_back_as_it_was_put)
{
    uint8_t bytes[64], body[16] = "sixteen of bytes";

    for (int type = WAL_RECORD_IMAGE; type <= WAL_RECORD_NOTE; type++) {
        for (int i = 0; i < EDGE_COUNT; i++) {
            struct byte_writer writer = byte_writer_init(bytes, sizeof(bytes));
            size_t size = (size_t)i % (sizeof(body) + 1);

            wal_record_put(&writer, (enum wal_record_type)type, edge_values[i], body, size);
            cr_assert(!writer.overflow && writer.offset <= size + WAL_RECORD_OVERHEAD_MAX);
            cr_assert(wal__record_size(bytes, writer.offset) == writer.offset);
            struct byte_reader reader = byte_reader_init(bytes, writer.offset);
            struct wal_record record = {0};
            cr_assert(wal_record_get(&reader, &record));
            cr_assert(record.type == (enum wal_record_type)type);
            cr_assert(record.page_number == edge_values[i] && record.size == size);
            cr_assert(memcmp(record.body, body, size) == 0);
            cr_assert(byte_reader_left(&reader) == 0);
        }
    }
}

Test(wal_record, cut_anywhere_is_no_record)
{
    uint8_t bytes[64], body[16] = {1};
    struct byte_writer writer = byte_writer_init(bytes, sizeof(bytes));

    wal_record_put(&writer, WAL_RECORD_RANGES, 1000, body, sizeof(body));
    for (size_t size = 0; size < writer.offset; size++) {
        struct byte_reader reader = byte_reader_init(bytes, size);
        struct wal_record record = {0};

        cr_assert(!wal_record_get(&reader, &record));
        cr_assert(reader.offset == 0);
    }
}

Test(wal_record, of_unknown_type_or_impossible_size_is_refused)
{
    static const uint8_t unknown[] = {7, 1, 0}, zero[] = {0, 1, 0};
    static const uint8_t huge[] = {1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1};
    static const uint8_t long_varint[] = {1, 0x80, 0, 0};
    struct wal_record record = {0};
    struct byte_reader reader = byte_reader_init(unknown, sizeof(unknown));

    cr_assert(!wal_record_get(&reader, &record));
    reader = byte_reader_init(zero, sizeof(zero));
    cr_assert(!wal_record_get(&reader, &record));
    reader = byte_reader_init(huge, sizeof(huge));
    cr_assert(!wal_record_get(&reader, &record));
    cr_assert(wal__record_size(huge, sizeof(huge)) == 0);
    reader = byte_reader_init(long_varint, sizeof(long_varint));
    cr_assert(!wal_record_get(&reader, &record));
}

Test(wal_record, part_comes_back_as_it_was_put)
{
    uint8_t bytes[128], records[20] = "twenty bytes of text";

    for (int i = 0; i < EDGE_COUNT; i++) {
        for (uint8_t flags = 0; flags <= 7; flags++) {
            struct byte_writer writer = byte_writer_init(bytes, sizeof(bytes));
            struct wal__part part = {.csn = UINT64_MAX - edge_values[i],
                                     .flags = flags,
                                     .time_ms = (flags & WAL_PART_FIRST) != 0 ? edge_values[i] : 0,
                                     .bytes = records,
                                     .size = (size_t)i * 2};
            uint64_t first_csn = (UINT64_MAX - edge_values[i]) / 2;
            struct wal__part back = {0};

            wal__part_put(&writer, &part, first_csn);
            cr_assert(writer.offset == wal__part_size(&part, first_csn, part.size));
            cr_assert(writer.offset <= part.size + WAL_PART_OVERHEAD_MAX);
            for (size_t size = 0; size < writer.offset; size++) {
                struct byte_reader cut = byte_reader_init(bytes, size);
                cr_assert(!wal__part_get(&cut, first_csn, &back));
            }
            struct byte_reader reader = byte_reader_init(bytes, writer.offset);
            cr_assert(wal__part_get(&reader, first_csn, &back));
            cr_assert(back.csn == part.csn && back.flags == flags && back.time_ms == part.time_ms);
            cr_assert(back.size == part.size && memcmp(back.bytes, records, part.size) == 0);
        }
    }
}

Test(wal_record, part_with_unknown_flag_or_csn_past_the_last_is_refused)
{
    static const uint8_t unknown_flag[] = {0, 8, 0};
    static const uint8_t past_the_last[] = {2, WAL_PART_LAST, 0};
    struct wal__part part;
    struct byte_reader reader = byte_reader_init(unknown_flag, sizeof(unknown_flag));

    cr_assert(!wal__part_get(&reader, 1, &part));
    reader = byte_reader_init(past_the_last, sizeof(past_the_last));
    cr_assert(!wal__part_get(&reader, UINT64_MAX - 1, &part));
    reader = byte_reader_init(past_the_last, sizeof(past_the_last));
    cr_assert(wal__part_get(&reader, UINT64_MAX - 2, &part));
}
