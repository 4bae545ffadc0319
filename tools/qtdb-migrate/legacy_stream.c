/*
 * The buffer holds [base, base + used) of the file; `next` is the read position in it. Small fields
 * are taken straight from the buffer, which is refilled when fewer bytes than asked for are left.
 */
#include "tools/qtdb-migrate/legacy_stream.h"

#include <stdarg.h>
#include <stdio.h>

#include "kernel/base/bytes.h"
#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "tools/common/text_buffer.h"

enum status
legacy_stream_open(const struct env *env, const char *path, struct legacy_stream *out)
{
    enum status status = STATUS_OK;
    struct legacy_stream stream = {.env = *env};

    TRY(io_open(env->io, path, 0, &stream.file));
    TRY_OUT(io_size(stream.file, &stream.size));
    stream.buffer = memory_alloc(env->memory, MEMORY_OTHER, LEGACY_BUFFER_SIZE);
    if (stream.buffer == NULL)
        status = STATUS_NO_MEMORY;
out:
    if (status == STATUS_OK)
        *out = stream;
    else
        io_close(stream.file);
    return status;
}

void
legacy_stream_close(struct legacy_stream *stream)
{
    memory_free(stream->env.memory, MEMORY_OTHER, stream->buffer, LEGACY_BUFFER_SIZE);
    io_close(stream->file);
    stream->file = NULL;
    stream->buffer = NULL;
}

void
legacy_stream_seek(struct legacy_stream *stream, uint64_t offset)
{
    CHECK(offset <= stream->size);
    if (offset >= stream->base && offset - stream->base <= stream->used) {
        stream->next = (size_t)(offset - stream->base);
    } else {
        stream->base = offset;
        stream->used = 0;
        stream->next = 0;
    }
    stream->fault = (struct legacy_fault){.set = false};
}

uint64_t
legacy_stream_offset(const struct legacy_stream *stream)
{
    return stream->base + stream->next;
}

uint64_t
legacy_stream_left(const struct legacy_stream *stream)
{
    return stream->size - legacy_stream_offset(stream);
}

bool
legacy_stream_fail(struct legacy_stream *stream, uint64_t offset, const char *format, ...)
{
    va_list arguments;

    if (stream->fault.set)
        return false;
    stream->fault.set = true;
    stream->fault.status = STATUS_CORRUPT;
    stream->fault.offset = offset;
    va_start(arguments, format);
    (void)vsnprintf(stream->fault.message, sizeof(stream->fault.message), format, arguments);
    va_end(arguments);
    return false;
}

/* Makes `size` bytes (at most the buffer) contiguous at `next`. */
static bool
refill(struct legacy_stream *stream, size_t size)
{
    uint64_t offset = legacy_stream_offset(stream);
    size_t kept = stream->used - stream->next;
    size_t got = 0;

    CHECK(size <= LEGACY_BUFFER_SIZE);
    if (stream->fault.set)
        return false;
    if (stream->size - offset < size)
        return legacy_stream_fail(stream, offset, "%zu bytes wanted, %llu left in the file", size,
                                  (unsigned long long)(stream->size - offset));
    memmove(stream->buffer, stream->buffer + stream->next, kept);
    stream->base = offset;
    stream->next = 0;
    stream->used = kept;
    size_t room = LEGACY_BUFFER_SIZE - kept;
    if (room > stream->size - offset - kept)
        room = (size_t)(stream->size - offset - kept);
    enum status status =
        io_read_some(stream->file, stream->buffer + kept, room, offset + kept, &got);
    if (status != STATUS_OK) {
        (void)legacy_stream_fail(stream, offset, "%s", error_message());
        stream->fault.status = status;
        return false;
    }
    stream->used += got;
    if (stream->used < size)
        return legacy_stream_fail(stream, offset, "the file became shorter while it was read");
    return true;
}

static inline bool
take(struct legacy_stream *stream, void *out, size_t size)
{
    if (stream->used - stream->next < size && !refill(stream, size))
        return false;
    memcpy(out, stream->buffer + stream->next, size);
    stream->next += size;
    return true;
}

bool
legacy_stream_u8(struct legacy_stream *stream, uint8_t *out)
{
    return take(stream, out, sizeof(*out));
}

bool
legacy_stream_u16(struct legacy_stream *stream, uint16_t *out)
{
    return take(stream, out, sizeof(*out));
}

bool
legacy_stream_u32(struct legacy_stream *stream, uint32_t *out)
{
    return take(stream, out, sizeof(*out));
}

bool
legacy_stream_u64(struct legacy_stream *stream, uint64_t *out)
{
    return take(stream, out, sizeof(*out));
}

bool
legacy_stream_bool(struct legacy_stream *stream, bool *out)
{
    uint64_t offset = legacy_stream_offset(stream);
    uint8_t byte = 0;

    if (!legacy_stream_u8(stream, &byte))
        return false;
    if (byte > 1)
        return legacy_stream_fail(stream, offset, "a bool holds %u, not 0 or 1", byte);
    *out = byte == 1;
    return true;
}

bool
legacy_stream_count(struct legacy_stream *stream, size_t item_size, const char *what, uint64_t *out)
{
    uint64_t offset = legacy_stream_offset(stream);
    uint64_t count = 0;

    CHECK(item_size > 0);
    if (!legacy_stream_u64(stream, &count))
        return false;
    if (count > legacy_stream_left(stream) / item_size)
        return legacy_stream_fail(stream, offset, "%llu %s cannot fit the %llu bytes left",
                                  (unsigned long long)count, what,
                                  (unsigned long long)legacy_stream_left(stream));
    *out = count;
    return true;
}

bool
legacy_stream_bytes(struct legacy_stream *stream, struct arena *arena, uint64_t size,
                    struct legacy_text *out)
{
    uint64_t offset = legacy_stream_offset(stream);

    if (stream->fault.set)
        return false;
    if (size > legacy_stream_left(stream))
        return legacy_stream_fail(stream, offset, "a text of %llu bytes passes the end of the file",
                                  (unsigned long long)size);
    if (size > LEGACY_TEXT_SIZE_MAX)
        return legacy_stream_fail(stream, offset, "a text of %llu bytes is longer than %d",
                                  (unsigned long long)size, LEGACY_TEXT_SIZE_MAX);
    char *copy = arena_alloc(arena, (size_t)size + 1);
    if (copy == NULL) {
        (void)legacy_stream_fail(stream, offset, "out of memory");
        stream->fault.status = STATUS_NO_MEMORY;
        return false;
    }
    for (size_t done = 0; done < size;) {
        size_t part = (size_t)size - done;

        part = part < LEGACY_BUFFER_SIZE / 2 ? part : LEGACY_BUFFER_SIZE / 2;
        if (!take(stream, copy + done, part))
            return false;
        done += part;
    }
    *out = (struct legacy_text){.bytes = copy, .size = (size_t)size};
    return true;
}

bool
legacy_stream_text(struct legacy_stream *stream, struct arena *arena, struct legacy_text *out)
{
    uint64_t offset = legacy_stream_offset(stream);
    uint64_t size = 0;
    struct legacy_text text = {.size = 0};

    if (!legacy_stream_u64(stream, &size) || !legacy_stream_bytes(stream, arena, size, &text))
        return false;
    if (!legacy_utf8_is_valid(text.bytes, text.size))
        return legacy_stream_fail(stream, offset, "a text of %llu bytes is not UTF-8",
                                  (unsigned long long)size);
    *out = text;
    return true;
}

bool
legacy_utf8_is_valid(const void *bytes, size_t size)
{
    const uint8_t *next = bytes;
    const uint8_t *end = next + size;

    while (next < end) {
        if (end - next >= 8) {
            uint64_t word;

            memcpy(&word, next, sizeof(word));
            if ((word & 0x8080808080808080u) == 0) {
                next += 8;
                continue;
            }
        }
        if (*next < 0x80) {
            next++;
            continue;
        }
        size_t length = text_utf8_sequence((const char *)next, (size_t)(end - next));
        if (length == 0)
            return false;
        next += length;
    }
    return true;
}
