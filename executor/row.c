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
        if (values[i].null)
            continue;
        size += 10;
        if (value_type_is_bytes(values[i].type))
            size += values[i].size;
    }
    return size;
}

static uint8_t *
put_varint(uint8_t *at, uint64_t word)
{
    for (; word >= 0x80; word >>= 7)
        *at++ = (uint8_t)(word | 0x80);
    *at++ = (uint8_t)word;
    return at;
}

static uint8_t *
put_value(uint8_t *at, const struct value *value)
{
    if (value_type_is_bytes(value->type)) {
        at = put_varint(at, value->size);
        if (value->size > 0)
            memcpy(at, value->bytes, value->size);
        return at + value->size;
    }
    if (is_float(value->type)) {
        memcpy(at, &value->real, sizeof(value->real));
        return at + sizeof(value->real);
    }
    if (value->type != QTDB_TYPE_BOOL)
        return put_varint(at, zigzag(value->integer));
    *at++ = value->integer != 0;
    return at;
}

/* Room is asked for once, for the whole row. */
bool
row_encode(const struct value *values, uint32_t count, struct byte_writer *out)
{
    CHECK(count <= ROW_COLUMNS_MAX);
    if (out->overflow || row_encoded_size_max(values, count) > out->size - out->offset) {
        out->overflow = true;
        return false;
    }
    uint8_t *at = out->data + out->offset, *nulls;

    *at++ = ROW_FORMAT;
    nulls = at = put_varint(at, count);
    memset(nulls, 0, (count + 7) / 8);
    at += (count + 7) / 8;
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].null)
            nulls[i / 8] = (uint8_t)(nulls[i / 8] | 1u << (i % 8));
        else
            at = put_value(at, &values[i]);
    }
    out->offset = (size_t)(at - out->data);
    return true;
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
