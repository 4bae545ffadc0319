/*
 * --keys FILE: sorted unique little-endian 64-bit keys, plain or zstd. The compressed form says its
 * size in its header or is tried with growing room; what comes out is checked for order, because
 * every workload relies on it.
 */
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/compress.h"
#include "kernel/base/error.h"
#include "kernel/base/io.h"
#include "tools/qtdb-bench/bench_keys.h"

enum { MAGIC_SIZE = 4 };
#define KEYS_SIZE_MAX ((uint64_t)4 << 30)

/* The content size of a zstd frame's header, 0 where it is not given (RFC 8878, 3.1.1.1). */
static uint64_t
frame_content_size(const uint8_t *bytes, uint64_t size)
{
    static const uint8_t dictionary_sizes[4] = {0, 1, 2, 4};
    static const uint8_t field_sizes[4] = {0, 2, 4, 8};
    uint64_t value = 0;

    if (size < 18)
        return 0;
    uint8_t descriptor = bytes[MAGIC_SIZE];
    bool single = (descriptor & 0x20) != 0;
    size_t field = field_sizes[descriptor >> 6];
    if (field == 0)
        field = single ? 1 : 0;
    size_t place = MAGIC_SIZE + 1 + (single ? 0u : 1u) + dictionary_sizes[descriptor & 3];
    memcpy(&value, bytes + place, field);
    return field == 2 ? value + 256 : value;
}

static enum status
check_order(const uint64_t *list, uint64_t count, const char *path)
{
    for (uint64_t i = 1; i < count; i++) {
        if (list[i] <= list[i - 1])
            return error_raise(STATUS_INVALID, "%s: key %llu is not above the one before", path,
                               (unsigned long long)i);
    }
    return STATUS_OK;
}

static enum status
unpack(struct memory *memory, const uint8_t *packed, uint64_t packed_size, const char *path,
       uint8_t **out, uint64_t *size_out)
{
    struct compress *codec;
    uint64_t size = frame_content_size(packed, packed_size);

    if (size == 0 || size > KEYS_SIZE_MAX)
        return error_raise(STATUS_INVALID,
                           "%s: the zstd frame does not say a size up to 4 GiB; "
                           "unpack the file first",
                           path);
    uint8_t *bytes = memory_alloc(memory, MEMORY_OTHER, (size_t)size);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    enum status status = compress_new(memory, &codec);
    if (status == STATUS_OK) {
        status = compress_decode(codec, packed, (size_t)packed_size, bytes, (size_t)size);
        compress_free(codec);
        if (status == STATUS_CORRUPT)
            status = error_raise(STATUS_CORRUPT, "%s: damaged zstd data", path);
    }
    if (status != STATUS_OK) {
        memory_free(memory, MEMORY_OTHER, bytes, (size_t)size);
        return status;
    }
    *out = bytes;
    *size_out = size;
    return STATUS_OK;
}

static enum status
read_whole(struct memory *memory, const char *path, uint8_t **out, uint64_t *size_out)
{
    struct io *io;
    struct io_file *file = NULL;
    uint8_t *bytes = NULL;
    uint64_t size = 0;
    enum status status;

    TRY(io_posix_open(memory, false, &io));
    TRY_OUT(io_open(io, path, 0, &file));
    TRY_OUT(io_size(file, &size));
    if (size == 0 || size > KEYS_SIZE_MAX) {
        status =
            error_raise(STATUS_INVALID, "%s: between 1 byte and 4 GiB of keys are wanted", path);
        goto out;
    }
    bytes = memory_alloc(memory, MEMORY_OTHER, (size_t)size);
    status = bytes == NULL ? STATUS_NO_MEMORY : io_read(file, bytes, (size_t)size, 0);
    if (status != STATUS_OK && bytes != NULL)
        memory_free(memory, MEMORY_OTHER, bytes, (size_t)size);
out:
    io_close(file);
    io_close_all(io);
    *out = bytes;
    *size_out = size;
    return status;
}

enum status
bench_keys_read(struct bench_keys *keys, struct memory *memory, const char *path)
{
    static const uint8_t magic[MAGIC_SIZE] = {0x28, 0xb5, 0x2f, 0xfd};
    uint8_t *bytes;
    uint64_t size;

    TRY(read_whole(memory, path, &bytes, &size));
    CHECK(bytes != NULL);
    if (size > MAGIC_SIZE && memcmp(bytes, magic, MAGIC_SIZE) == 0) {
        uint8_t *packed = bytes;
        uint64_t packed_size = size;
        enum status status = unpack(memory, packed, packed_size, path, &bytes, &size);

        memory_free(memory, MEMORY_OTHER, packed, (size_t)packed_size);
        TRY(status);
    }
    *keys = (struct bench_keys){.count = size / 8,
                                .list = (const uint64_t *)(const void *)bytes,
                                .list_room = (size_t)size};
    enum status status = size % 8 != 0
                             ? error_raise(STATUS_INVALID, "%s: not a multiple of 8 bytes", path)
                             : check_order(keys->list, keys->count, path);
    if (status != STATUS_OK) {
        bench_keys_deinit(keys, memory);
        return status;
    }
    keys->high = (keys->list[keys->count - 1] >> 63) != 0;
    return STATUS_OK;
}
