/*
 * Bytes of fixed order: little-endian integers as byte arrays of alignment 1, so that a struct of
 * them can be laid over any byte of a file, has no padding, and a forgotten swap does not compile.
 * Reads and writes go through memcpy, which compilers make one move.
 */
#ifndef KERNEL_BASE_BYTES_H
#define KERNEL_BASE_BYTES_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "qtdb runs on little-endian machines");

typedef struct {
    uint8_t byte[2];
} le16;
typedef struct {
    uint8_t byte[4];
} le32;
typedef struct {
    uint8_t byte[8];
} le64;

static inline uint16_t
le16_get(le16 value)
{
    uint16_t result;
    memcpy(&result, value.byte, sizeof(result));
    return result;
}

static inline uint32_t
le32_get(le32 value)
{
    uint32_t result;
    memcpy(&result, value.byte, sizeof(result));
    return result;
}

static inline uint64_t
le64_get(le64 value)
{
    uint64_t result;
    memcpy(&result, value.byte, sizeof(result));
    return result;
}

static inline le16
le16_of(uint16_t value)
{
    le16 result;
    memcpy(result.byte, &value, sizeof(value));
    return result;
}

static inline le32
le32_of(uint32_t value)
{
    le32 result;
    memcpy(result.byte, &value, sizeof(value));
    return result;
}

static inline le64
le64_of(uint64_t value)
{
    le64 result;
    memcpy(result.byte, &value, sizeof(value));
    return result;
}

/** True when all `size` bytes are zero. */
bool bytes_are_zero(const void *bytes, size_t size);

/* A bounded writer and a bounded reader. The reader is for hostile bytes: each call validates. */

struct byte_writer {
    uint8_t *data;
    size_t size;   /* Capacity. */
    size_t offset; /* Next byte; never past size. */
    bool overflow; /* Set once something did not fit; nothing is written from then on. */
};

struct byte_reader {
    const uint8_t *data;
    size_t size;
    size_t offset;
};

struct byte_writer byte_writer_init(void *data, size_t size);
void byte_writer_put(struct byte_writer *writer, const void *bytes, size_t size);
void byte_writer_put_u8(struct byte_writer *writer, uint8_t value);
void byte_writer_put_u16(struct byte_writer *writer, uint16_t value);
void byte_writer_put_u32(struct byte_writer *writer, uint32_t value);
void byte_writer_put_u64(struct byte_writer *writer, uint64_t value);
/** LEB128, 1 to 10 bytes. */
void byte_writer_put_varint(struct byte_writer *writer, uint64_t value);

struct byte_reader byte_reader_init(const void *data, size_t size);
size_t byte_reader_left(const struct byte_reader *reader);
/* Each returns false, with the reader untouched, when the bytes are not there. */
bool byte_reader_get(struct byte_reader *reader, void *out, size_t size);
/** Borrows `size` bytes in place. */
bool byte_reader_skip(struct byte_reader *reader, size_t size, const uint8_t **out);
bool byte_reader_get_u8(struct byte_reader *reader, uint8_t *out);
bool byte_reader_get_u16(struct byte_reader *reader, uint16_t *out);
bool byte_reader_get_u32(struct byte_reader *reader, uint32_t *out);
bool byte_reader_get_u64(struct byte_reader *reader, uint64_t *out);
/** Refuses encodings longer than needed and values past 64 bits. */
bool byte_reader_get_varint(struct byte_reader *reader, uint64_t *out);

#endif
