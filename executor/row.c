/* Rows as bytes (row.h). */
#include "executor/row.h"

#include <string.h>

#include "executor/array.h"
#include "executor/numeric.h"
#include "kernel/base/check.h"

static uint64_t
zigzag(int64_t integer)
{
    return ((uint64_t)integer << 1) ^ (integer < 0 ? UINT64_MAX : 0);
}

static int64_t
unzigzag(uint64_t word)
{
    return (int64_t)(word >> 1) ^ -(int64_t)(word & 1);
}

static bool
is_float(enum qtdb_type type)
{
    return type == QTDB_TYPE_FLOAT4 || type == QTDB_TYPE_FLOAT8;
}

size_t
row_encoded_size_max(const struct value *values, uint32_t count)
{
    size_t size = 1 + 5 + count / 8 + 1;

    for (uint32_t i = 0; i < count; i++) {
        size += 10;
        if (!values[i].null && value_type_is_bytes(values[i].type))
            size += values[i].size;
    }
    return size;
}

static void
encode_value(const struct value *value, struct byte_writer *out)
{
    uint64_t bits;

    if (value_type_is_bytes(value->type)) {
        byte_writer_put_varint(out, value->size);
        byte_writer_put(out, value->bytes, value->size);
    } else if (is_float(value->type)) {
        memcpy(&bits, &value->real, sizeof(bits));
        byte_writer_put_u64(out, bits);
    } else if (value->type == QTDB_TYPE_BOOL) {
        byte_writer_put_u8(out, value->integer != 0);
    } else {
        byte_writer_put_varint(out, zigzag(value->integer));
    }
}

bool
row_encode(const struct value *values, uint32_t count, struct byte_writer *out)
{
    uint8_t nulls[ROW_COLUMNS_MAX / 8 + 1] = {0};

    CHECK(count <= ROW_COLUMNS_MAX);
    byte_writer_put_u8(out, ROW_FORMAT);
    byte_writer_put_varint(out, count);
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].null)
            nulls[i / 8] = (uint8_t)(nulls[i / 8] | 1u << (i % 8));
    }
    byte_writer_put(out, nulls, (count + 7) / 8);
    for (uint32_t i = 0; i < count; i++) {
        if (!values[i].null)
            encode_value(&values[i], out);
    }
    return !out->overflow;
}

static bool
decode_bytes(struct byte_reader *reader, enum qtdb_type type, struct value *out)
{
    const uint8_t *bytes = NULL;
    uint64_t size = 0;

    if (!byte_reader_get_varint(reader, &size) || size > byte_reader_left(reader) ||
        !byte_reader_skip(reader, (size_t)size, &bytes))
        return false;
    if ((type == QTDB_TYPE_NUMERIC && !numeric_is_valid(bytes, (uint32_t)size)) ||
        ((type == QTDB_TYPE_UUID || type == QTDB_TYPE_INTERVAL) && size != 16) ||
        (value_is_enum(type) && size < VALUE_ENUM_HEAD) ||
        (value_is_array(type) && !array_is_valid(value_element(type), bytes, (size_t)size)))
        return false;
    *out = value_bytes(type, bytes, (size_t)size);
    return true;
}

static bool
decode_value(struct byte_reader *reader, enum qtdb_type type, struct value *out)
{
    uint64_t word = 0;
    uint8_t byte = 0;

    if (value_type_is_bytes(type))
        return decode_bytes(reader, type, out);
    if (is_float(type)) {
        if (!byte_reader_get_u64(reader, &word))
            return false;
        *out = value_real(type, 0);
        memcpy(&out->real, &word, sizeof(word));
        return true;
    }
    if (type == QTDB_TYPE_BOOL) {
        if (!byte_reader_get_u8(reader, &byte) || byte > 1)
            return false;
        *out = value_integer(type, byte);
        return true;
    }
    if (!byte_reader_get_varint(reader, &word))
        return false;
    *out = value_integer(type, unzigzag(word));
    return true;
}

enum status
row_decode(const void *bytes, size_t size, const struct sql_type *types, uint32_t count,
           struct value *values, uint32_t *count_out)
{
    struct byte_reader reader = byte_reader_init(bytes, size);
    const uint8_t *nulls = NULL;
    uint64_t stored = 0;
    uint8_t format = 0;

    if (!byte_reader_get_u8(&reader, &format) || format != ROW_FORMAT ||
        !byte_reader_get_varint(&reader, &stored) || stored > count ||
        !byte_reader_skip(&reader, (size_t)(stored + 7) / 8, &nulls))
        return STATUS_CORRUPT;
    for (uint32_t i = 0; i < stored; i++) {
        if ((nulls[i / 8] >> (i % 8) & 1) != 0)
            values[i] = value_null(types[i].type);
        else if (!decode_value(&reader, types[i].type, &values[i]))
            return STATUS_CORRUPT;
    }
    if (byte_reader_left(&reader) != 0)
        return STATUS_CORRUPT;
    *count_out = (uint32_t)stored;
    return STATUS_OK;
}
