/*
 * A window on a segment file: asked for bytes further on, it keeps what is still wanted, moves it to
 * its front and reads on behind it, in steps that grow from 64 KiB to 1 MiB, so that the log of a
 * small database costs one small read and a long one runs at the speed of the device. Everything is
 * read in whole blocks from block boundaries, past the page cache where the file system allows it.
 */
#include <string.h>

#include "kernel/base/check.h"
#include "wal/wal_private.h"

enum { MAP_SIZE_MIN = 256 * 1024 };

static uint64_t
whole_blocks(uint64_t size)
{
    return (size + WAL_BLOCK_SIZE - 1) / WAL_BLOCK_SIZE * WAL_BLOCK_SIZE;
}

enum status
wal__stream_init(struct wal__stream *stream, struct memory *memory, uint64_t size_max)
{
    const uint64_t most = WAL__READ_STEP_MAX + WAL_FRAME_PAYLOAD_MAX + 2 * WAL_BLOCK_SIZE;
    uint64_t size = size_max < most ? size_max : most;

    size = whole_blocks(size);
    *stream = (struct wal__stream){.memory = memory, .window_size = (size_t)size};
    if (size >= MAP_SIZE_MIN) {
        void *window = NULL;

        TRY(memory_map(memory, MEMORY_LOG, (size_t)size, false, &window));
        stream->window = window;
        return STATUS_OK;
    }
    stream->window = memory_alloc_aligned(memory, MEMORY_LOG, (size_t)size, WAL_BLOCK_SIZE);
    return stream->window == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

void
wal__stream_deinit(struct wal__stream *stream)
{
    wal__stream_close(stream);
    if (stream->window == NULL)
        return;
    if (stream->window_size >= MAP_SIZE_MIN)
        memory_unmap(stream->memory, MEMORY_LOG, stream->window, stream->window_size);
    else
        memory_free(stream->memory, MEMORY_LOG, stream->window, stream->window_size);
    stream->window = NULL;
}

enum status
wal__stream_open(struct wal__stream *stream, struct io *io, const char *path)
{
    uint64_t size = 0;

    wal__stream_close(stream);
    TRY(io_open(io, path, IO_DIRECT, &stream->file));
    TRY(io_size(stream->file, &size));
    stream->file_size = whole_blocks(size);
    stream->base = 0;
    stream->filled = 0;
    stream->step = WAL__READ_STEP_MIN;
    return STATUS_OK;
}

void
wal__stream_close(struct wal__stream *stream)
{
    io_close(stream->file);
    stream->file = NULL;
}

/* Makes the window begin at `offset`, keeping what it has from there on. */
static void
move_window(struct wal__stream *stream, uint64_t offset)
{
    uint64_t end = stream->base + stream->filled;

    CHECK(offset % WAL_BLOCK_SIZE == 0);
    if (offset >= stream->base && offset < end) {
        stream->filled = (size_t)(end - offset);
        memmove(stream->window, stream->window + (offset - stream->base), stream->filled);
    } else {
        stream->filled = 0;
    }
    stream->base = offset;
}

static enum status
read_on(struct wal__stream *stream, size_t wanted)
{
    uint64_t offset = stream->base + stream->filled;
    size_t size = stream->step > wanted ? stream->step : wanted;
    size_t done = 0;

    size = (size_t)whole_blocks(size);
    if (size > stream->window_size - stream->filled)
        size = stream->window_size - stream->filled;
    if (size > stream->file_size - offset)
        size = (size_t)(stream->file_size - offset);
    CHECK(size >= wanted);
    TRY(io_read_some(stream->file, stream->window + stream->filled, size, offset, &done));
    if (done < size) { /* The file ends here; a block that it ends in is filled up with zeros. */
        size = (size_t)whole_blocks(done);
        memset(stream->window + stream->filled + done, 0, size - done);
        stream->file_size = offset + size;
    }
    stream->filled += size;
    if (stream->step < WAL__READ_STEP_MAX)
        stream->step *= 2;
    return STATUS_OK;
}

enum status
wal__stream_get(struct wal__stream *stream, uint64_t offset, size_t size, const uint8_t **out)
{
    uint64_t end = offset + size;

    CHECK(stream->file != NULL);
    CHECK(size > 0 && size <= sizeof(struct wal_frame_header) + WAL_FRAME_PAYLOAD_MAX);
    *out = NULL;
    if (end > stream->file_size)
        return STATUS_OK;
    if (offset < stream->base || end > stream->base + stream->filled) {
        move_window(stream, offset / WAL_BLOCK_SIZE * WAL_BLOCK_SIZE);
        TRY(read_on(stream, (size_t)(end - (stream->base + stream->filled))));
        if (end > stream->base + stream->filled)
            return STATUS_OK;
    }
    *out = stream->window + (offset - stream->base);
    return STATUS_OK;
}
