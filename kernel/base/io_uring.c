/*
 * The queue on io_uring: the only file that sees liburing.h.
 *
 * The ring has at least `depth` entries and io.c lets no more be in flight, so an entry is always
 * free and the completion ring cannot overflow. A completion that is not the whole operation (short,
 * interrupted, or refused in a way that io_posix.c knows another way around, such as O_DIRECT,
 * RWF_DSYNC or the opcode itself on an old kernel) is finished by io_posix.c when it is reaped: the
 * odd cases have one implementation. A failed sync is not among them: it is reported as it is, since
 * a second fdatasync would say OK.
 *
 * Submission either reaches the kernel or is repeated: a shortage of kernel memory (EAGAIN, EBUSY,
 * ENOMEM) passes, and any other refusal of a ring that was set up is our own mistake.
 *
 * Ring set-up flags are left alone: the ones that save interrupts tie a ring to one thread, and a
 * queue may be handed from one thread to another.
 */
#include <errno.h>
#include <inttypes.h>
#include <liburing.h>
#include <string.h>
#include <time.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/io_posix_private.h"

enum { TRANSFER_SIZE_MAX = 1 << 30, SHORTAGE_PAUSE_NS = 1000000 };

struct uring_queue {
    struct io_posix_queue base;
    struct io_uring ring;
};

static void
uring_close(struct io_queue *base)
{
    struct uring_queue *queue = (struct uring_queue *)base;

    io_uring_queue_exit(&queue->ring);
    memory_free(base->io->memory, MEMORY_OTHER, queue, sizeof(*queue));
}

static void
prepare(struct io_uring_sqe *entry, struct io_request *request)
{
    const struct io_posix_file *file = io_posix__file(request->file);
    unsigned size = request->size < TRANSFER_SIZE_MAX ? (unsigned)request->size : TRANSFER_SIZE_MAX;

    switch (request->op) {
    case IO_OP_READ:
        io_uring_prep_read(entry, file->descriptor, request->bytes, size, request->offset);
        break;
    case IO_OP_WRITE:
        io_uring_prep_write(entry, file->descriptor, request->bytes, size, request->offset);
        if ((request->flags & IO_DURABLE) != 0)
            entry->rw_flags = RWF_DSYNC;
        break;
    case IO_OP_SYNC:
        io_uring_prep_fsync(entry, file->descriptor, IORING_FSYNC_DATASYNC);
        break;
    }
    io_uring_sqe_set_data(entry, request);
}

static void
wait_out_shortage(int error)
{
    struct timespec pause = {.tv_nsec = SHORTAGE_PAUSE_NS};

    CHECK(error == EINTR || error == EAGAIN || error == EBUSY || error == ENOMEM);
    if (error != EINTR)
        nanosleep(&pause, NULL);
}

static enum status
uring_submit(struct io_queue *base, struct io_request **requests, uint32_t count)
{
    struct uring_queue *queue = (struct uring_queue *)base;

    for (uint32_t i = 0; i < count; i++) {
        struct io_uring_sqe *entry = io_uring_get_sqe(&queue->ring);

        CHECK(entry != NULL);
        prepare(entry, requests[i]);
    }
    while (io_uring_sq_ready(&queue->ring) > 0) {
        int result = io_uring_submit(&queue->ring);

        if (result < 0)
            wait_out_shortage(-result);
    }
    return STATUS_OK;
}

static bool
is_finished_elsewhere(const struct io_request *request, int result)
{
    if (request->op == IO_OP_SYNC)
        return result == -EINTR || result == -EINVAL || result == -EOPNOTSUPP;
    return result >= 0 || result == -EINTR || result == -EAGAIN || result == -EINVAL ||
           result == -EOPNOTSUPP;
}

/* What is left of a request after `done` bytes, done by the ordinary calls. */
static enum status
finish(const struct io_request *request, size_t done)
{
    struct io_request rest = *request;

    rest.bytes = (char *)request->bytes + done;
    rest.size -= done;
    rest.offset += done;
    io_posix__perform(&rest);
    return rest.status;
}

static enum status
raise_failure(const struct io_request *request, int error)
{
    static const char *const verbs[] = {
        [IO_OP_READ] = "read", [IO_OP_WRITE] = "write", [IO_OP_SYNC] = "sync"};
    enum status status = request->op == IO_OP_WRITE ? io_posix__status(error) : STATUS_IO;

    errno = error;
    return error_raise(status, "cannot %s %zu bytes at offset %" PRIu64 " of %.360s: %m",
                       verbs[request->op], request->size, request->offset, request->file->path);
}

static enum status
outcome(const struct io_request *request, int result)
{
    if (request->op == IO_OP_SYNC ? result == 0 : result >= 0 && (size_t)result == request->size)
        return STATUS_OK;
    if (is_finished_elsewhere(request, result))
        return finish(request, result > 0 ? (size_t)result : 0);
    return raise_failure(request, -result);
}

static uint32_t
take_completed(struct uring_queue *queue, struct io_request **out, uint32_t max_count)
{
    struct io_uring_cqe *entry;
    uint32_t count = 0;

    while (count < max_count && io_uring_peek_cqe(&queue->ring, &entry) == 0) {
        struct io_request *request = io_uring_cqe_get_data(entry);
        int result = entry->res;

        io_uring_cqe_seen(&queue->ring, entry);
        request->status = outcome(request, result);
        out[count++] = request;
    }
    return count;
}

static enum status
uring_reap(struct io_queue *base, uint32_t min_count, struct io_request **out, uint32_t max_count,
           uint32_t *count_out)
{
    struct uring_queue *queue = (struct uring_queue *)base;
    uint32_t count = take_completed(queue, out, max_count);

    while (count < min_count) {
        struct io_uring_cqe *entry;
        int result = io_uring_wait_cqe_nr(&queue->ring, &entry, min_count - count);

        if (result < 0)
            wait_out_shortage(-result);
        count += take_completed(queue, out + count, max_count - count);
    }
    *count_out = count;
    return STATUS_OK;
}

static const struct io_queue_backend uring_backend = {
    .close = uring_close,
    .submit = uring_submit,
    .reap = uring_reap,
};

enum status
io_uring__queue_open(struct io *io, uint32_t depth, struct io_queue **out)
{
    struct uring_queue *queue = memory_alloc(io->memory, MEMORY_OTHER, sizeof(*queue));

    if (queue == NULL)
        return STATUS_NO_MEMORY;
    int result = io_uring_queue_init(depth, &queue->ring, 0);
    if (result < 0) {
        memory_free(io->memory, MEMORY_OTHER, queue, sizeof(*queue));
        errno = -result;
        return error_raise(STATUS_NOT_FOUND, "io_uring is not available: %m");
    }
    queue->base.base.io = io;
    queue->base.backend = &uring_backend;
    *out = &queue->base.base;
    return STATUS_OK;
}
