/*
 * Keys as bytes whose memcmp order is the values' order (row.h).
 *
 * Numeric: a class first (1 negative, 2 zero, 3 positive, 4 NaN), then the weight (16 bits, offset),
 * each base-10,000 digit plus one (two bytes), and 0x0000. Negatives complement every byte after the
 * class, so that larger magnitudes come first. Interval: its span in microseconds, 128 bits. Array: the
 * keys of its elements, a 0, then its bounds. Enum: its place alone.
 */
#include <math.h>
#include <string.h>

#include "executor/array.h"
#include "executor/interval.h"
#include "executor/numeric.h"
#include "executor/row.h"
#include "kernel/base/check.h"

static void
put_big_endian(struct byte_writer *out, uint64_t word)
{
    uint64_t swapped = __builtin_bswap64(word);

    byte_writer_put(out, &swapped, sizeof(swapped));
}

static void
put_real(struct byte_writer *out, double real)
{
    uint64_t bits;

    if (real == 0)
        real = 0; /* Minus zero equals zero. */
    if (isnan(real))
        real = (double)NAN;
    memcpy(&bits, &real, sizeof(bits));
    bits = isnan(real) ? UINT64_MAX : (bits >> 63) != 0 ? ~bits : bits | UINT64_C(1) << 63;
    put_big_endian(out, bits);
}

static void
put_bytes(struct byte_writer *out, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        byte_writer_put_u8(out, bytes[i]);
        if (bytes[i] == 0)
            byte_writer_put_u8(out, 0xff);
    }
    byte_writer_put_u16(out, 0);
}

static void
put_u16(struct byte_writer *out, uint32_t word, uint8_t flip)
{
    byte_writer_put_u8(out, (uint8_t)((word >> 8 & 0xff) ^ flip));
    byte_writer_put_u8(out, (uint8_t)((word & 0xff) ^ flip));
}

static void
put_numeric(struct byte_writer *out, const uint8_t *bytes)
{
    struct numeric_header header;
    uint8_t flip;

    memcpy(&header, bytes, sizeof(header));
    uint32_t count = le16_get(header.digit_count);
    uint16_t sign = le16_get(header.sign);
    if (sign == NUMERIC_NAN || count == 0) {
        byte_writer_put_u8(out, sign == NUMERIC_NAN ? 4 : 2);
        return;
    }
    flip = sign == NUMERIC_NEGATIVE ? 0xff : 0;
    byte_writer_put_u8(out, sign == NUMERIC_NEGATIVE ? 1 : 3);
    put_u16(out, (uint32_t)((int16_t)le16_get(header.weight) + 32768), flip);
    for (uint32_t i = 0; i < count; i++) {
        le16 digit;

        memcpy(digit.byte, bytes + sizeof(header) + 2 * (size_t)i, 2);
        put_u16(out, (uint32_t)le16_get(digit) + 1, flip);
    }
    put_u16(out, 0, flip);
}

static void
put_span(struct byte_writer *out, const struct value *value)
{
    __int128 span = interval_span(value);

    put_big_endian(out, (uint64_t)(span >> 64) ^ UINT64_C(1) << 63);
    put_big_endian(out, (uint64_t)span);
}

/* Elements begin with KEY_VALUE or KEY_NULL, which are above the 0 of the end. */
static void
put_array(struct byte_writer *out, const struct value *value)
{
    struct array array = array_open(value);

    for (uint32_t i = 0; i < array.count; i++) {
        struct value element = array_next(&array);

        (void)key_encode(&element, out);
    }
    byte_writer_put_u8(out, 0);
    byte_writer_put_u8(out, (uint8_t)array.dimension_count);
    for (uint32_t i = 0; i < array.dimension_count; i++) {
        put_big_endian(out, (uint64_t)array.lengths[i]);
        put_big_endian(out, (uint64_t)((int64_t)array.lowers[i] - INT32_MIN));
    }
}

bool
key_encode(const struct value *value, struct byte_writer *out)
{
    size_t size = value->size;

    byte_writer_put_u8(out, value->null ? KEY_NULL : KEY_VALUE);
    if (value->null)
        return !out->overflow;
    if (value->type == QTDB_TYPE_NUMERIC) {
        put_numeric(out, value->bytes);
    } else if (value->type == QTDB_TYPE_INTERVAL) {
        put_span(out, value);
    } else if (value_is_array(value->type)) {
        put_array(out, value);
    } else if (value_is_enum(value->type)) {
        byte_writer_put(out, value->bytes, VALUE_ENUM_HEAD);
    } else if (value_type_is_bytes(value->type)) {
        while (value->type == QTDB_TYPE_CHAR && size > 0 && value->bytes[size - 1] == ' ')
            size--;
        put_bytes(out, value->bytes, size);
    } else if (value->type == QTDB_TYPE_FLOAT4 || value->type == QTDB_TYPE_FLOAT8) {
        put_real(out, value->real);
    } else {
        put_big_endian(out, (uint64_t)value->integer ^ UINT64_C(1) << 63);
    }
    return !out->overflow;
}

uint8_t
key_mark(uint32_t order, bool null)
{
    bool descending = (order & KEY_DESCENDING) != 0;
    bool below = ((order & KEY_NULLS_FIRST) != 0) != descending;
    uint8_t mark = !null ? KEY_VALUE : below ? 0 : KEY_NULL;

    return descending ? (uint8_t)~mark : mark;
}

bool
key_encode_in(const struct value *value, uint32_t order, struct byte_writer *out)
{
    size_t begin = out->offset;

    if (value->null) {
        byte_writer_put_u8(out, key_mark(order, true));
        return !out->overflow;
    }
    if (!key_encode(value, out))
        return false;
    for (size_t i = begin; i < out->offset && (order & KEY_DESCENDING) != 0; i++)
        out->data[i] = (uint8_t)~out->data[i];
    return true;
}

/* Decoding. Numbers lose their scale, floats the sign of zero, char(n) its blanks: they cannot be had back. */

static bool
is_number_or_moment(enum qtdb_type type)
{
    return value_type_is_integer(type) || type == QTDB_TYPE_BOOL || type == QTDB_TYPE_DATE ||
           type == QTDB_TYPE_TIME || type == QTDB_TYPE_TIMESTAMP || type == QTDB_TYPE_TIMESTAMPTZ;
}

bool
key_keeps(enum qtdb_type type)
{
    return is_number_or_moment(type) || type == QTDB_TYPE_TEXT || type == QTDB_TYPE_VARCHAR ||
           type == QTDB_TYPE_BYTEA || type == QTDB_TYPE_UUID;
}

static bool
fits(enum qtdb_type type, int64_t integer)
{
    switch (type) {
    case QTDB_TYPE_BOOL:
        return integer == 0 || integer == 1;
    case QTDB_TYPE_INT2:
        return integer >= INT16_MIN && integer <= INT16_MAX;
    case QTDB_TYPE_INT4:
    case QTDB_TYPE_DATE:
        return integer >= INT32_MIN && integer <= INT32_MAX;
    default:
        return true;
    }
}

static enum status
take_integer(struct byte_reader *reader, enum qtdb_type type, struct value *out)
{
    uint64_t word = 0;

    if (!byte_reader_get(reader, &word, sizeof(word)))
        return STATUS_CORRUPT;
    *out = value_integer(type, (int64_t)(__builtin_bswap64(word) ^ UINT64_C(1) << 63));
    return fits(type, out->integer) ? STATUS_OK : STATUS_CORRUPT;
}

/* Bytes up to 0x00 0x00, in which 0x00 0xff stands for 0x00. */
static enum status
take_bytes(struct byte_reader *reader, enum qtdb_type type, struct arena *arena, struct value *out)
{
    const uint8_t *bytes = reader->data + reader->offset;
    size_t left = byte_reader_left(reader), size = 0, zeros = 0;

    for (; size + 1 < left && (bytes[size] != 0 || bytes[size + 1] != 0); size++) {
        if (bytes[size] != 0)
            continue;
        if (bytes[size + 1] != 0xff)
            return STATUS_CORRUPT;
        zeros++;
        size++;
    }
    if (size + 1 >= left || size - zeros > UINT32_MAX ||
        (type == QTDB_TYPE_UUID && size - zeros != 16))
        return STATUS_CORRUPT;
    reader->offset += size + 2;
    *out = value_bytes(type, bytes, size);
    if (zeros == 0)
        return STATUS_OK;
    uint8_t *copy = arena_alloc(arena, size - zeros);
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    *out = value_bytes(type, copy, size - zeros);
    for (size_t i = 0; i < size; i++) {
        *copy++ = bytes[i];
        i += bytes[i] == 0;
    }
    return STATUS_OK;
}

enum status
key_decode(struct byte_reader *reader, enum qtdb_type type, struct arena *arena, struct value *out)
{
    uint8_t what = 0;

    CHECK(key_keeps(type));
    if (!byte_reader_get_u8(reader, &what) || (what != KEY_NULL && what != KEY_VALUE))
        return STATUS_CORRUPT;
    *out = value_null(type);
    if (what == KEY_NULL)
        return STATUS_OK;
    return is_number_or_moment(type) ? take_integer(reader, type, out)
                                     : take_bytes(reader, type, arena, out);
}

/* The complement of what may be the column, decoded as if it stood there. */
static enum status
decode_descending(struct byte_reader *reader, enum qtdb_type type, struct arena *arena,
                  struct value *out)
{
    uint8_t number[1 + sizeof(uint64_t)];
    const uint8_t *bytes = reader->data + reader->offset;
    size_t left = byte_reader_left(reader);
    size_t size = is_number_or_moment(type) && left > sizeof(number) ? sizeof(number) : left;
    uint8_t *copy = size <= sizeof(number) ? number : arena_alloc(arena, size);

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < size; i++)
        copy[i] = (uint8_t)~bytes[i];
    /* What borrows from its key is longer than a number. */
    if (copy == number && !is_number_or_moment(type)) {
        copy = arena_alloc(arena, size);
        if (copy == NULL)
            return STATUS_NO_MEMORY;
        memcpy(copy, number, size);
    }
    struct byte_reader inner = byte_reader_init(copy, size);
    TRY(key_decode(&inner, type, arena, out));
    reader->offset += inner.offset;
    return STATUS_OK;
}

enum status
key_decode_in(struct byte_reader *reader, enum qtdb_type type, uint32_t order, struct arena *arena,
              struct value *out)
{
    uint8_t mark = key_mark(order, true);

    if (byte_reader_left(reader) > 0 && reader->data[reader->offset] == mark) {
        reader->offset++;
        *out = value_null(type);
        return STATUS_OK;
    }
    TRY((order & KEY_DESCENDING) != 0 ? decode_descending(reader, type, arena, out)
                                      : key_decode(reader, type, arena, out));
    return out->null ? STATUS_CORRUPT : STATUS_OK;
}
