/*
 * The door itself: everything that is the same for every backend. It checks what callers promise
 * (alignment of direct files, depth of queues, ranges that do not wrap), keeps each file's path for
 * messages, and turns a read past the end into an error. What the operating system or the simulated
 * disk does is behind the backend's table.
 *
 * Alignment is checked for files asked for with IO_DIRECT even where it was not granted, so that a
 * mistake shows on every file system.
 */
#include "kernel/base/io.h"

#include <inttypes.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"

enum { QUEUE_DEPTH_MAX = 4096 };

static bool
range_is_sane(uint64_t offset, uint64_t size)
{
    return offset <= INT64_MAX && size <= INT64_MAX - offset;
}

static bool
range_fits_file(const struct io_file *file, const void *bytes, size_t size, uint64_t offset)
{
    if (file == NULL || (bytes == NULL && size > 0) || !range_is_sane(offset, size))
        return false;
    if (!file->aligned)
        return true;
    return (uintptr_t)bytes % IO_BLOCK_SIZE == 0 && size % IO_BLOCK_SIZE == 0 &&
           offset % IO_BLOCK_SIZE == 0;
}

void
io_close_all(struct io *io)
{
    if (io != NULL)
        io->backend->close_io(io);
}

enum status
io_open(struct io *io, const char *path, uint32_t flags, struct io_file **out)
{
    struct io_file *file = NULL;
    size_t path_size = strlen(path) + 1;

    CHECK((flags & ~(uint32_t)(IO_WRITE | IO_CREATE | IO_EXCLUSIVE | IO_DIRECT)) == 0);
    CHECK((flags & IO_CREATE) == 0 || (flags & IO_WRITE) != 0);
    CHECK((flags & IO_EXCLUSIVE) == 0 || (flags & IO_CREATE) != 0);
    if (path_size > IO_PATH_SIZE)
        return error_raise(STATUS_INVALID, "the path %.64s... is longer than %d bytes", path,
                           IO_PATH_SIZE - 1);
    char *path_copy = memory_alloc(io->memory, MEMORY_OTHER, path_size);
    if (path_copy == NULL)
        return STATUS_NO_MEMORY;
    memcpy(path_copy, path, path_size);

    enum status status = io->backend->open(io, path, flags, &file);
    if (status != STATUS_OK) {
        memory_free(io->memory, MEMORY_OTHER, path_copy, path_size);
        return status;
    }
    CHECK(file->io == io);
    file->aligned = (flags & IO_DIRECT) != 0;
    file->path = path_copy;
    *out = file;
    return STATUS_OK;
}

void
io_close(struct io_file *file)
{
    if (file == NULL)
        return;
    struct memory *memory = file->io->memory;
    char *path = file->path;

    file->io->backend->close(file);
    memory_free(memory, MEMORY_OTHER, path, strlen(path) + 1);
}

bool
io_is_direct(const struct io_file *file)
{
    return __atomic_load_n(&file->direct, __ATOMIC_RELAXED);
}

enum status
io_read(struct io_file *file, void *bytes, size_t size, uint64_t offset)
{
    size_t read_size = 0;

    TRY(io_read_some(file, bytes, size, offset, &read_size));
    if (read_size == size)
        return STATUS_OK;
    return error_raise(STATUS_IO,
                       "cannot read %zu bytes at offset %" PRIu64 " of %.360s: it ends after %zu",
                       size, offset, file->path, read_size);
}

enum status
io_read_some(struct io_file *file, void *bytes, size_t size, uint64_t offset, size_t *read_out)
{
    CHECK(range_fits_file(file, bytes, size, offset));
    return file->io->backend->read(file, bytes, size, offset, read_out);
}

enum status
io_write(struct io_file *file, const void *bytes, size_t size, uint64_t offset, uint32_t flags)
{
    CHECK(range_fits_file(file, bytes, size, offset));
    CHECK((flags & ~(uint32_t)IO_DURABLE) == 0);
    return file->io->backend->write(file, bytes, size, offset, flags);
}

enum status
io_sync(struct io_file *file)
{
    return file->io->backend->sync(file);
}

enum status
io_size(struct io_file *file, uint64_t *out)
{
    return file->io->backend->size(file, out);
}

enum status
io_truncate(struct io_file *file, uint64_t size)
{
    CHECK(range_fits_file(file, NULL, 0, size));
    return file->io->backend->truncate(file, size);
}

enum status
io_allocate(struct io_file *file, uint64_t offset, uint64_t size)
{
    CHECK(range_is_sane(offset, size) && size > 0);
    CHECK(!file->aligned || (offset % IO_BLOCK_SIZE == 0 && size % IO_BLOCK_SIZE == 0));
    return file->io->backend->allocate(file, offset, size);
}

enum status
io_lock(struct io_file *file, enum io_lock_mode mode, uint64_t *holder_pid_out)
{
    CHECK(mode == IO_LOCK_SHARED || mode == IO_LOCK_EXCLUSIVE);
    CHECK(holder_pid_out != NULL);
    return file->io->backend->lock(file, mode, holder_pid_out);
}

enum status
io_rename(struct io *io, const char *from, const char *to)
{
    return io->backend->rename(io, from, to);
}

enum status
io_remove(struct io *io, const char *path)
{
    return io->backend->remove(io, path);
}

enum status
io_make_dir(struct io *io, const char *path)
{
    return io->backend->make_dir(io, path);
}

enum status
io_remove_dir(struct io *io, const char *path)
{
    return io->backend->remove_dir(io, path);
}

enum status
io_sync_dir(struct io *io, const char *path)
{
    return io->backend->sync_dir(io, path);
}

enum status
io_list(struct io *io, const char *path, io_list_fn each, void *context)
{
    return io->backend->list(io, path, each, context);
}

enum status
io_real_path(struct io *io, const char *path, char *out, size_t out_size)
{
    CHECK(out_size > 0);
    return io->backend->real_path(io, path, out, out_size);
}

enum status
io_queue_open(struct io *io, uint32_t depth, struct io_queue **out)
{
    struct io_queue *queue = NULL;

    CHECK(depth >= 1 && depth <= QUEUE_DEPTH_MAX);
    TRY(io->backend->queue_open(io, depth, &queue));
    CHECK(queue->io == io);
    queue->depth = depth;
    queue->in_flight = 0;
    *out = queue;
    return STATUS_OK;
}

void
io_queue_close(struct io_queue *queue)
{
    struct io_request *request = NULL;
    uint32_t count = 0;

    if (queue == NULL)
        return;
    /* The kernel writes into the requests' bytes until they are done. */
    while (queue->in_flight > 0) {
        enum status status = io_queue_reap(queue, 1, &request, 1, &count);

        CHECK(status == STATUS_OK);
    }
    queue->io->backend->queue_close(queue);
}

static bool
request_is_sane(const struct io_queue *queue, const struct io_request *request)
{
    const struct io_file *file = request->file;

    if (file == NULL || file->io != queue->io)
        return false;
    if (request->op == IO_OP_SYNC)
        return true;
    if (request->op != IO_OP_READ && request->op != IO_OP_WRITE)
        return false;
    return range_fits_file(file, request->bytes, request->size, request->offset);
}

enum status
io_queue_submit(struct io_queue *queue, struct io_request **requests, uint32_t count)
{
    CHECK(queue->in_flight <= queue->depth);
    CHECK(count <= queue->depth - queue->in_flight);
    for (uint32_t i = 0; i < count; i++)
        CHECK(request_is_sane(queue, requests[i]));
    if (count == 0)
        return STATUS_OK;
    TRY(queue->io->backend->queue_submit(queue, requests, count));
    queue->in_flight += count;
    return STATUS_OK;
}

enum status
io_queue_reap(struct io_queue *queue, uint32_t min_count, struct io_request **out,
              uint32_t max_count, uint32_t *count_out)
{
    uint32_t count = 0;

    CHECK(min_count <= queue->in_flight && min_count <= max_count);
    TRY(queue->io->backend->queue_reap(queue, min_count, out, max_count, &count));
    CHECK(count >= min_count && count <= max_count && count <= queue->in_flight);
    queue->in_flight -= count;
    *count_out = count;
    return STATUS_OK;
}

uint64_t
io_clock_ns(struct io *io)
{
    return io->backend->clock_ns(io);
}

uint64_t
io_time_ns(struct io *io)
{
    return io->backend->time_ns(io);
}

void
io_random(struct io *io, void *out, size_t size)
{
    io->backend->random(io, out, size);
}
