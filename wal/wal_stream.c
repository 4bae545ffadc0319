/*
 * A window on a segment file. Asked for bytes further on, it keeps what is still wanted and reads on
 * behind it, in steps that grow from 64 KiB to 1 MiB, so that the log of a small database costs one
 * small read. Everything is read in whole blocks, past the page cache where the file system allows it.
 *
 *     memory:  | slack: a frame's size | chunk: what one step reads |
 *                        [------- data -------)
 *
 * What is kept is moved to the end of the slack, right before the chunk, so one frame is always in one
 * piece. In a long file there are two windows: while the frames of one are checked, the
 * next megabyte is on its way into the chunk of the other. That is help and no more: where memory or the
 * queue is refused, or the read ahead fails, the bytes are read when they are needed, and only then can
 * reading them fail.
 */
#include <string.h>

#include "kernel/base/check.h"
#include "wal/wal_private.h"

enum {
    MAP_SIZE_MIN = 256 * 1024,
    SLACK_SIZE_MAX = sizeof(struct wal_frame_header) + WAL_FRAME_PAYLOAD_MAX + WAL_BLOCK_SIZE,
};

static uint64_t
whole_blocks(uint64_t size)
{
    return (size + WAL_BLOCK_SIZE - 1) / WAL_BLOCK_SIZE * WAL_BLOCK_SIZE;
}

static size_t
smaller(uint64_t a, uint64_t b)
{
    return (size_t)(a < b ? a : b);
}

static size_t
window_size(const struct wal__stream *stream)
{
    return stream->slack_size + stream->chunk_size;
}

static enum status
new_window(const struct wal__stream *stream, uint8_t **out)
{
    void *window = NULL;

    if (window_size(stream) >= MAP_SIZE_MIN)
        TRY(memory_map(stream->memory, MEMORY_LOG, window_size(stream), false, &window));
    else
        window =
            memory_alloc_aligned(stream->memory, MEMORY_LOG, window_size(stream), WAL_BLOCK_SIZE);
    if (window == NULL)
        return STATUS_NO_MEMORY;
    *out = window;
    return STATUS_OK;
}

static void
free_window(const struct wal__stream *stream, uint8_t *window)
{
    if (window == NULL)
        return;
    if (window_size(stream) >= MAP_SIZE_MIN)
        memory_unmap(stream->memory, MEMORY_LOG, window, window_size(stream));
    else
        memory_free(stream->memory, MEMORY_LOG, window, window_size(stream));
}

enum status
wal__stream_init(struct wal__stream *stream, const struct env *env, uint64_t size_max)
{
    CHECK(size_max > 0);
    *stream = (struct wal__stream){.memory = env->memory, .io = env->io};
    stream->chunk_size = (size_t)whole_blocks(smaller(size_max, WAL__READ_STEP_MAX));
    if (size_max > WAL__READ_STEP_MIN) /* Else one step reads all there is, and nothing is kept. */
        stream->slack_size = (size_t)whole_blocks(smaller(size_max, SLACK_SIZE_MAX));
    return new_window(stream, &stream->windows[0]);
}

void
wal__stream_deinit(struct wal__stream *stream)
{
    wal__stream_close(stream);
    io_queue_close(stream->queue);
    free_window(stream, stream->windows[0]);
    free_window(stream, stream->windows[1]);
    *stream = (struct wal__stream){0};
}

enum status
wal__stream_open(struct wal__stream *stream, const char *path)
{
    wal__stream_close(stream);
    CHECK(stream->file == NULL && !stream->ahead_is_active);
    TRY(io_open(stream->io, path, IO_DIRECT, &stream->file));
    TRY(io_size(stream->file, &stream->file_size));
    stream->data = NULL;
    stream->base = 0;
    stream->size = 0;
    stream->step = smaller(WAL__READ_STEP_MIN, stream->chunk_size);
    return STATUS_OK;
}

/* Waits for the read ahead, if there is one; false when there was none that ended well. */
static bool
reap_ahead(struct wal__stream *stream)
{
    struct io_request *done = NULL;
    uint32_t count = 0;

    if (!stream->ahead_is_active)
        return false;
    stream->ahead_is_active = false;
    if (io_queue_reap(stream->queue, 1, &done, 1, &count) == STATUS_OK && count == 1)
        return done->status == STATUS_OK;
    io_queue_close(stream->queue); /* Waits for it. */
    stream->queue = NULL;
    return false;
}

void
wal__stream_close(struct wal__stream *stream)
{
    (void)reap_ahead(stream);
    io_close(stream->file);
    stream->file = NULL;
}

/* Starts reading what follows the data into the window that is not in use. */
static void
read_ahead(struct wal__stream *stream)
{
    CHECK(stream->current <= 1 && !stream->ahead_is_active);
    uint32_t other = 1 - stream->current;
    uint64_t offset = stream->base + stream->size;
    struct io_request *request = &stream->ahead;

    if (stream->step < WAL__READ_STEP_MAX || offset + WAL__READ_STEP_MAX > stream->file_size)
        return;
    if (stream->windows[other] == NULL && new_window(stream, &stream->windows[other]) != STATUS_OK)
        return;
    if (stream->queue == NULL && io_queue_open(stream->io, 1, &stream->queue) != STATUS_OK)
        return;
    *request = (struct io_request){.op = IO_OP_READ,
                                   .file = stream->file,
                                   .bytes = stream->windows[other] + stream->slack_size,
                                   .size = WAL__READ_STEP_MAX,
                                   .offset = offset};
    stream->ahead_is_active = io_queue_submit(stream->queue, &request, 1) == STATUS_OK;
}

/* Reads `size` bytes or to the file's end, whose last block is filled up with zeros. */
static enum status
read_chunk(struct wal__stream *stream, uint8_t *chunk, size_t size, uint64_t offset,
           size_t *size_out)
{
    size_t done = 0;

    CHECK(size % WAL_BLOCK_SIZE == 0 && offset % WAL_BLOCK_SIZE == 0);
    TRY(io_read_some(stream->file, chunk, size, offset, &done));
    CHECK(done <= size);
    *size_out = (size_t)whole_blocks(done);
    memset(chunk + done, 0, *size_out - done);
    return STATUS_OK;
}

/* Makes the data begin at `start` and reach at least to `end`, or to the file's end. */
static enum status
move_to(struct wal__stream *stream, uint64_t start, uint64_t end)
{
    uint64_t data_end = stream->base + stream->size;
    bool goes_on = stream->size > 0 && start >= stream->base && start <= data_end;
    uint64_t offset = goes_on ? data_end : start;
    size_t kept = (size_t)(offset - start);
    size_t wanted = (size_t)whole_blocks(end - offset);
    size_t size = smaller(wanted > stream->step ? wanted : stream->step, stream->chunk_size);
    bool ahead_is_it = reap_ahead(stream) && goes_on;
    uint32_t into = ahead_is_it ? 1 - stream->current : stream->current;
    uint8_t *chunk = stream->windows[into] + stream->slack_size;

    CHECK(wanted <= stream->chunk_size && kept <= stream->slack_size);
    CHECK(!ahead_is_it || stream->ahead.offset == offset);
    if (kept > 0)
        memmove(chunk - kept, stream->data + (start - stream->base), kept);
    stream->size = 0; /* Nothing, should reading fail. */
    if (ahead_is_it)
        size = stream->ahead.size;
    else
        TRY(read_chunk(stream, chunk, size, offset, &size));
    stream->current = into;
    stream->data = chunk - kept;
    stream->base = start;
    stream->size = kept + size;
    CHECK(stream->data >= stream->windows[into]);
    CHECK(kept + size <= window_size(stream));
    stream->step = smaller((uint64_t)stream->step * 2, stream->chunk_size);
    read_ahead(stream);
    return STATUS_OK;
}

enum status
wal__stream_get(struct wal__stream *stream, uint64_t offset, size_t size, const uint8_t **out)
{
    uint64_t end = offset + size;

    CHECK(stream->file != NULL);
    CHECK(size > 0 && size <= sizeof(struct wal_frame_header) + WAL_FRAME_PAYLOAD_MAX);
    *out = NULL;
    if (end > whole_blocks(stream->file_size))
        return STATUS_OK;
    if (offset < stream->base || end > stream->base + stream->size)
        TRY(move_to(stream, offset / WAL_BLOCK_SIZE * WAL_BLOCK_SIZE, end));
    if (end <= stream->base + stream->size)
        *out = stream->data + (offset - stream->base);
    return STATUS_OK;
}
