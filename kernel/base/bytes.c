/*
 * Bounded writing and reading of bytes. The writer's overflow is sticky, so a caller may put a
 * whole record and look once; what is before `offset` is then a prefix of the record and nothing
 * past the capacity was touched. The reader is for bytes from outside: each call either succeeds
 * whole or changes nothing.
 *
 * Varints are LEB128: seven bits a byte, least significant first, the top bit says that more
 * follow. Each value has exactly one encoding that the reader accepts, the shortest, so that equal
 * records have equal bytes.
 */
#include "kernel/base/bytes.h"

#include "kernel/base/check.h"

enum { VARINT_SIZE_MAX = 10 };

bool
bytes_are_zero(const void *bytes, size_t size)
{
    const uint8_t *first = bytes;

    if (size == 0)
        return true;
    /* Each byte equals the one before it, and the first is zero: memcmp is vectorised. */
    return first[0] == 0 && memcmp(first, first + 1, size - 1) == 0;
}

struct byte_writer
byte_writer_init(void *data, size_t size)
{
    CHECK(data != NULL || size == 0);
    return (struct byte_writer){.data = data, .size = size};
}

void
byte_writer_put(struct byte_writer *writer, const void *bytes, size_t size)
{
    CHECK(writer->offset <= writer->size);
    if (writer->overflow)
        return;
    if (size > writer->size - writer->offset) {
        writer->overflow = true;
        return;
    }
    if (size > 0)
        memcpy(writer->data + writer->offset, bytes, size);
    writer->offset += size;
}

void
byte_writer_put_u8(struct byte_writer *writer, uint8_t value)
{
    byte_writer_put(writer, &value, sizeof(value));
}

void
byte_writer_put_u16(struct byte_writer *writer, uint16_t value)
{
    byte_writer_put(writer, &value, sizeof(value));
}

void
byte_writer_put_u32(struct byte_writer *writer, uint32_t value)
{
    byte_writer_put(writer, &value, sizeof(value));
}

void
byte_writer_put_u64(struct byte_writer *writer, uint64_t value)
{
    byte_writer_put(writer, &value, sizeof(value));
}

void
byte_writer_put_varint(struct byte_writer *writer, uint64_t value)
{
    uint8_t encoded[VARINT_SIZE_MAX];
    size_t count = 0;

    while (value >= 0x80) {
        encoded[count++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    encoded[count++] = (uint8_t)value;
    CHECK(count <= VARINT_SIZE_MAX);
    byte_writer_put(writer, encoded, count);
}

struct byte_reader
byte_reader_init(const void *data, size_t size)
{
    CHECK(data != NULL || size == 0);
    return (struct byte_reader){.data = data, .size = size};
}

size_t
byte_reader_left(const struct byte_reader *reader)
{
    CHECK(reader->offset <= reader->size);
    return reader->size - reader->offset;
}

bool
byte_reader_get(struct byte_reader *reader, void *out, size_t size)
{
    if (size > byte_reader_left(reader))
        return false;
    if (size > 0)
        memcpy(out, reader->data + reader->offset, size);
    reader->offset += size;
    return true;
}

bool
byte_reader_skip(struct byte_reader *reader, size_t size, const uint8_t **out)
{
    if (size > byte_reader_left(reader))
        return false;
    /* An empty reader may have no bytes at all, and NULL + 0 is not defined in C. */
    *out = reader->data == NULL ? NULL : reader->data + reader->offset;
    reader->offset += size;
    return true;
}

bool
byte_reader_get_u8(struct byte_reader *reader, uint8_t *out)
{
    return byte_reader_get(reader, out, sizeof(*out));
}

bool
byte_reader_get_u16(struct byte_reader *reader, uint16_t *out)
{
    return byte_reader_get(reader, out, sizeof(*out));
}

bool
byte_reader_get_u32(struct byte_reader *reader, uint32_t *out)
{
    return byte_reader_get(reader, out, sizeof(*out));
}

bool
byte_reader_get_u64(struct byte_reader *reader, uint64_t *out)
{
    return byte_reader_get(reader, out, sizeof(*out));
}

bool
byte_reader_get_varint(struct byte_reader *reader, uint64_t *out)
{
    size_t left = byte_reader_left(reader);
    uint64_t value = 0;

    for (size_t i = 0; i < VARINT_SIZE_MAX && i < left; i++) {
        uint8_t byte = reader->data[reader->offset + i];

        if (i == VARINT_SIZE_MAX - 1 && byte > 1)
            return false; /* Past 64 bits. */
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) != 0)
            continue;
        if (byte == 0 && i > 0)
            return false; /* A shorter encoding exists. */
        reader->offset += i + 1;
        *out = value;
        return true;
    }
    return false;
}
