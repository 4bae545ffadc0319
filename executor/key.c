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

enum { KEY_VALUE = 1, KEY_NULL = 2 };

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
