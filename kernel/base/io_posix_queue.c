/*
 * Queues of the operating system's backend. Where io_uring is absent (or not wanted) an operation
 * is done when it is submitted and waits in a ring until it is reaped; the caller sees no
 * difference but time.
 */
#include <inttypes.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/io_posix_private.h"
#include "kernel/base/log_sink.h"

struct immediate_queue {
    struct io_posix_queue base;
    uint32_t depth;
    uint32_t first; /* Index of the oldest request not yet reaped. */
    uint32_t count;
    struct io_request *done[];
};

static size_t
queue_size(uint32_t depth)
{
    return sizeof(struct immediate_queue) + depth * sizeof(struct io_request *);
}

static enum status
perform_read(struct io_request *request)
{
    size_t read_size = 0;

    TRY(io_posix__read(request->file, request->bytes, request->size, request->offset, &read_size));
    if (read_size == request->size)
        return STATUS_OK;
    return error_raise(STATUS_IO,
                       "cannot read %zu bytes at offset %" PRIu64 " of %.360s: it ends before",
                       request->size, request->offset, request->file->path);
}

void
io_posix__perform(struct io_request *request)
{
    switch (request->op) {
    case IO_OP_READ:
        request->status = perform_read(request);
        break;
    case IO_OP_WRITE:
        request->status = io_posix__write(request->file, request->bytes, request->size,
                                          request->offset, request->flags);
        break;
    case IO_OP_SYNC:
        request->status = io_posix__sync(request->file);
        break;
    }
}

static void
immediate_close(struct io_queue *base)
{
    struct immediate_queue *queue = (struct immediate_queue *)base;

    CHECK(queue->count == 0);
    memory_free(base->io->memory, MEMORY_OTHER, queue, queue_size(queue->depth));
}

static enum status
immediate_submit(struct io_queue *base, struct io_request **requests, uint32_t count)
{
    struct immediate_queue *queue = (struct immediate_queue *)base;

    CHECK(count <= queue->depth - queue->count);
    for (uint32_t i = 0; i < count; i++) {
        io_posix__perform(requests[i]);
        queue->done[(queue->first + queue->count) % queue->depth] = requests[i];
        queue->count++;
    }
    return STATUS_OK;
}

static enum status
immediate_reap(struct io_queue *base, uint32_t min_count, struct io_request **out,
               uint32_t max_count, uint32_t *count_out)
{
    struct immediate_queue *queue = (struct immediate_queue *)base;
    uint32_t count = queue->count < max_count ? queue->count : max_count;

    CHECK(min_count <= queue->count);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = queue->done[queue->first];
        queue->first = (queue->first + 1) % queue->depth;
        queue->count--;
    }
    *count_out = count;
    return STATUS_OK;
}

static const struct io_queue_backend immediate_backend = {
    .close = immediate_close,
    .submit = immediate_submit,
    .reap = immediate_reap,
};

static enum status
immediate_open(struct io *io, uint32_t depth, struct io_queue **out)
{
    struct immediate_queue *queue = memory_alloc(io->memory, MEMORY_OTHER, queue_size(depth));

    if (queue == NULL)
        return STATUS_NO_MEMORY;
    queue->base.base.io = io;
    queue->base.backend = &immediate_backend;
    queue->depth = depth;
    *out = &queue->base.base;
    return STATUS_OK;
}

enum status
io_posix__queue_open(struct io *io, uint32_t depth, struct io_queue **out)
{
    struct io_posix *posix = (struct io_posix *)io;

    if (!posix->use_uring)
        return immediate_open(io, depth, out);
    enum status status = io_uring__queue_open(io, depth, out);
    if (status != STATUS_NOT_FOUND)
        return status;
    if (!atomic_exchange(&posix->uring_reported, true))
        log_line(LOG_INFO, "io: io_uring is absent, batches go one by one reason=\"%s\"",
                 error_message());
    return immediate_open(io, depth, out);
}
