/*
 * Goal: fixed-order integers, and a writer and a reader that never leave their bounds.
 * Method: round trips, every truncation of a record, every short varint byte string against an
 * independent decoder. Buffers are exactly as long as stated, so that the address sanitizer sees one
 * byte too many.
 */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "kernel/base/bytes.h"
#include "kernel/base/random.h"

Test(bytes, integers_lie_low_byte_first)
{
    le16 a = le16_of(0x0102);
    le32 b = le32_of(0x01020304);
    le64 c = le64_of(0x0102030405060708);

    cr_assert_arr_eq(a.byte, "\x02\x01", 2);
    cr_assert_arr_eq(b.byte, "\x04\x03\x02\x01", 4);
    cr_assert_arr_eq(c.byte, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    cr_assert_eq(le16_get(a), 0x0102);
    cr_assert_eq(le32_get(b), 0x01020304U);
    cr_assert_eq(le64_get(c), 0x0102030405060708U);
    cr_assert_eq(_Alignof(le64), 1);
}

Test(bytes, zero_is_told_from_one_bit_anywhere)
{
    for (size_t size = 0; size < 100; size++) {
        uint8_t *bytes = calloc(1, size + 1);

        cr_assert(bytes_are_zero(bytes, size));
        bytes[size] = 1; /* Past the end: does not count. */
        cr_assert(bytes_are_zero(bytes, size));
        for (size_t i = 0; i < size; i++) {
            bytes[i] = 0x80;
            cr_assert_not(bytes_are_zero(bytes, size), "byte %zu of %zu", i, size);
            bytes[i] = 0;
        }
        free(bytes);
    }
    cr_assert(bytes_are_zero(NULL, 0));
}

Test(bytes, what_is_put_is_got)
{
    uint8_t buffer[64];
    struct byte_writer writer = byte_writer_init(buffer, sizeof(buffer));
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    char text[3];

    byte_writer_put_u8(&writer, 0xfe);
    byte_writer_put_u16(&writer, 0xfedc);
    byte_writer_put_u32(&writer, 0xfedcba98);
    byte_writer_put_u64(&writer, 0xfedcba9876543210);
    byte_writer_put(&writer, "abc", 3);
    cr_assert(!writer.overflow && writer.offset == 18);
    struct byte_reader reader = byte_reader_init(buffer, writer.offset);
    cr_assert(byte_reader_get_u8(&reader, &u8) && u8 == 0xfe);
    cr_assert(byte_reader_get_u16(&reader, &u16) && u16 == 0xfedc);
    cr_assert(byte_reader_get_u32(&reader, &u32) && u32 == 0xfedcba98);
    cr_assert(byte_reader_get_u64(&reader, &u64) && u64 == 0xfedcba9876543210);
    cr_assert(byte_reader_get(&reader, text, 3) && memcmp(text, "abc", 3) == 0);
    cr_assert_eq(byte_reader_left(&reader), 0);
}

/* covers: F6 */
Test(bytes, writer_stops_at_its_capacity_for_good)
{
    for (size_t size = 0; size < 20; size++) {
        uint8_t *buffer = malloc(size + 1);
        struct byte_writer writer = byte_writer_init(buffer, size);

        buffer[size] = 0x5a;
        for (int i = 0; i < 5; i++)
            byte_writer_put_u32(&writer, 0xffffffff);
        cr_assert(writer.overflow == (size < 20));
        cr_assert_eq(writer.offset, size / 4 * 4);
        byte_writer_put_u8(&writer, 0); /* Would fit, but what is missing comes before it. */
        cr_assert_eq(writer.offset, size / 4 * 4);
        cr_assert_eq(buffer[size], 0x5a);
        free(buffer);
    }
}

Test(bytes, writer_and_reader_may_be_empty)
{
    struct byte_writer writer = byte_writer_init(NULL, 0);
    struct byte_reader reader = byte_reader_init(NULL, 0);
    const uint8_t *place = (const uint8_t *)"x";
    uint64_t value = 0;

    byte_writer_put(&writer, NULL, 0);
    cr_assert_not(writer.overflow);
    cr_assert(byte_reader_get(&reader, NULL, 0));
    cr_assert(byte_reader_skip(&reader, 0, &place));
    cr_assert_not(byte_reader_get_varint(&reader, &value));
    cr_assert_not(byte_reader_skip(&reader, 1, &place));
}

/* covers: F5 */
Test(bytes, reader_refuses_what_is_not_there_and_stays)
{
    static const uint8_t source[8] = {1, 2, 3, 4, 5, 6, 7, 8};

    for (size_t size = 0; size < 8; size++) {
        uint8_t *exact = malloc(size == 0 ? 1 : size);
        const uint8_t *place = NULL;
        uint64_t u64 = 99;
        uint32_t u32 = 99;
        uint16_t u16 = 99;
        uint8_t u8 = 99;

        memcpy(exact, source, size);
        struct byte_reader reader = byte_reader_init(exact, size);
        cr_assert_not(byte_reader_get_u64(&reader, &u64));
        cr_assert_eq(byte_reader_get_u32(&reader, &u32), size >= 4);
        reader.offset = 0;
        cr_assert_eq(byte_reader_get_u16(&reader, &u16), size >= 2);
        reader.offset = 0;
        cr_assert_eq(byte_reader_get_u8(&reader, &u8), size >= 1);
        reader.offset = 0;
        cr_assert_not(byte_reader_skip(&reader, size + 1, &place));
        cr_assert_not(byte_reader_skip(&reader, SIZE_MAX, &place));
        cr_assert(reader.offset == 0 && place == NULL && u64 == 99);
        cr_assert(byte_reader_skip(&reader, size, &place));
        cr_assert(place == exact && reader.offset == size);
        free(exact);
    }
}

static size_t
encode(uint64_t value, uint8_t out[10])
{
    struct byte_writer writer = byte_writer_init(out, 10);

    byte_writer_put_varint(&writer, value);
    cr_assert_not(writer.overflow);
    return writer.offset;
}

static void
assert_varint_round_trip(uint64_t value)
{
    uint8_t encoded[10];
    size_t size = encode(value, encoded);
    uint64_t decoded = ~value;

    for (size_t cut = 0; cut <= size; cut++) {
        uint8_t *exact = malloc(cut == 0 ? 1 : cut);
        memcpy(exact, encoded, cut);
        struct byte_reader reader = byte_reader_init(exact, cut);
        bool whole = byte_reader_get_varint(&reader, &decoded);

        cr_assert_eq(whole, cut == size, "%zu of %zu bytes", cut, size);
        cr_assert_eq(reader.offset, whole ? size : 0);
        free(exact);
    }
    cr_assert_eq(decoded, value);
}

Test(bytes, varints_round_trip_and_refuse_truncation)
{
    struct random random;

    random_init(&random, 1);
    for (unsigned shift = 0; shift < 64; shift++) {
        assert_varint_round_trip((uint64_t)1 << shift);
        assert_varint_round_trip(((uint64_t)1 << shift) - 1);
    }
    assert_varint_round_trip(UINT64_MAX);
    for (int i = 0; i < 10000; i++)
        assert_varint_round_trip(random_u64(&random) >> random_below(&random, 64));
}

Test(bytes, varint_lengths_are_those_of_leb128)
{
    uint8_t encoded[10];

    cr_assert_eq(encode(0, encoded), 1);
    cr_assert_eq(encode(127, encoded), 1);
    cr_assert_eq(encode(128, encoded), 2);
    cr_assert_arr_eq(encoded, "\x80\x01", 2);
    cr_assert_eq(encode(UINT64_MAX, encoded), 10);
    cr_assert_eq(encoded[9], 1);
}

static bool
decodes(const void *bytes, size_t size, uint64_t *out)
{
    struct byte_reader reader = byte_reader_init(bytes, size);

    return byte_reader_get_varint(&reader, out);
}

Test(bytes, varint_refuses_overlong_encodings)
{
    uint64_t value = 7;

    cr_assert_not(decodes("\x80\x00", 2, &value));
    cr_assert_not(decodes("\xff\x00", 2, &value));
    cr_assert_not(decodes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00", 10, &value));
    cr_assert_eq(value, 7);
    cr_assert(decodes("\x00", 1, &value) && value == 0);
}

Test(bytes, varint_refuses_values_past_64_bits)
{
    uint64_t value = 7;

    cr_assert(decodes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, &value));
    cr_assert_eq(value, UINT64_MAX);
    value = 7;
    cr_assert_not(decodes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, &value));
    cr_assert_not(decodes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11, &value));
    cr_assert_not(decodes("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11, &value));
    cr_assert_eq(value, 7);
}

/* All strings of up to three bytes: each that is accepted is what its value encodes to. */
Test(bytes, every_value_has_one_encoding)
{
    for (uint32_t all = 0; all < 1U << 24; all++) {
        uint8_t bytes[3] = {(uint8_t)all, (uint8_t)(all >> 8), (uint8_t)(all >> 16)};
        struct byte_reader reader = byte_reader_init(bytes, 3);
        uint8_t again[10];
        uint64_t value = 0;

        if (!byte_reader_get_varint(&reader, &value))
            continue;
        struct byte_writer writer = byte_writer_init(again, sizeof(again));
        byte_writer_put_varint(&writer, value);
        if (writer.offset != reader.offset || memcmp(again, bytes, writer.offset) != 0)
            cr_assert_fail("bytes %02x %02x %02x", bytes[0], bytes[1], bytes[2]);
    }
}
