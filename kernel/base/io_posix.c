/*
 * The operating system's backend: files, locks, clock and random bytes. Names are in
 * io_posix_names.c, queues in io_posix_queue.c and io_uring.c.
 *
 * What the system may do and what becomes of it:
 *
 *   a call is interrupted (EINTR)         repeated
 *   a read or write is short              continued where it stopped; zero bytes written is an error
 *   no space (ENOSPC, EDQUOT, EFBIG)      STATUS_FULL, but from a sync STATUS_IO: "full" invites to
 *                                         try again, and after a failed sync that would be a lie
 *   O_DIRECT is refused at open (EINVAL)  done without
 *   O_DIRECT is refused at the first I/O  (EINVAL) switched off for the file, the I/O is repeated
 *   RWF_DSYNC is unknown                  a write and an fdatasync instead
 *   fallocate is unknown                  zeros are written past the file's end
 *   fdatasync fails                       STATUS_IO; never repeated here or above
 *
 * fdatasync also makes a changed size durable (it is needed to read the bytes back). Descriptors 0
 * to 2 are never used for files: where a program closed its standard error, a line printed by some
 * library would else end in the middle of the database. Only regular files are opened; O_NONBLOCK
 * keeps the look at what it is from hanging on a pipe.
 *
 * Locks are those of the open file (F_OFD_*): not lost when another descriptor of the same file is
 * closed, and held between two handles of one process. The kernel does not tell the owner of such a
 * lock, so the holder's pid is known only for locks of the older kind.
 */
#include "kernel/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/io_posix_private.h"

enum { CREATE_MODE = 0644, ZEROS_SIZE = 64 * 1024, DESCRIPTOR_MIN = 3 };

/* Aligned for direct writes. */
static const uint8_t zeros[ZEROS_SIZE] __attribute__((aligned(IO_BLOCK_SIZE)));

enum status
io_posix__status(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return STATUS_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY:
        return STATUS_EXISTS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return STATUS_FULL;
    case ENOMEM:
        return STATUS_NO_MEMORY;
    case EROFS:
    case EACCES:
    case EPERM:
        return STATUS_READONLY;
    default:
        return STATUS_IO;
    }
}

static const char *
advice(enum status status)
{
    return status == STATUS_FULL ? " (free some space or raise the quota)" : "";
}

enum status
io_posix__raise(int error, const char *action, const char *path)
{
    enum status status = io_posix__status(error);

    errno = error;
    return error_raise(status, "cannot %s %.400s: %m%s", action, path, advice(status));
}

static enum status
raise_at(enum status status, int error, const char *action, const struct io_file *file, size_t size,
         uint64_t offset)
{
    errno = error;
    return error_raise(status, "cannot %s %zu bytes at offset %" PRIu64 " of %.360s: %m%s", action,
                       size, offset, file->path, advice(status));
}

/* A descriptor past the standard ones, or -1 with errno. Takes over the one given. */
static int
move_past_standard(int descriptor)
{
    if (descriptor < 0 || descriptor >= DESCRIPTOR_MIN)
        return descriptor;
    int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, DESCRIPTOR_MIN);
    int error = errno;

    close(descriptor);
    errno = error;
    return moved;
}

static int
open_descriptor(const char *path, int flags)
{
    for (;;) {
        int descriptor = open(path, flags | O_CLOEXEC | O_NONBLOCK, CREATE_MODE);

        if (descriptor >= 0 || errno != EINTR)
            return move_past_standard(descriptor);
    }
}

static int
system_flags(uint32_t flags)
{
    int result = (flags & IO_WRITE) != 0 ? O_RDWR : O_RDONLY;

    if ((flags & IO_CREATE) != 0)
        result |= O_CREAT;
    if ((flags & IO_EXCLUSIVE) != 0)
        result |= O_EXCL;
    return result;
}

/*
 * Refuses what is no regular file, takes O_NONBLOCK away (io_uring would heed it) and asks for
 * O_DIRECT. Not asked for in open itself: there a refusal comes after the file was created.
 */
static enum status
make_ready(int descriptor, const char *path, bool *direct)
{
    struct stat info;

    if (fstat(descriptor, &info) != 0)
        return io_posix__raise(errno, "open", path);
    if (!S_ISREG(info.st_mode))
        return error_raise(STATUS_IO, "cannot open %.400s: not a regular file", path);
    if (*direct && fcntl(descriptor, F_SETFL, O_DIRECT) == 0)
        return STATUS_OK;
    *direct = false;
    return fcntl(descriptor, F_SETFL, 0) == 0 ? STATUS_OK : io_posix__raise(errno, "open", path);
}

/* A file that may not even be read is not "read only". */
static enum status
raise_open(int error, const char *path, uint32_t flags)
{
    enum status status = io_posix__raise(error, "open", path);

    return status == STATUS_READONLY && (flags & IO_WRITE) == 0 ? STATUS_IO : status;
}

static enum status
posix_open(struct io *io, const char *path, uint32_t flags, struct io_file **out)
{
    struct io_posix_file *file = memory_alloc(io->memory, MEMORY_OTHER, sizeof(*file));
    enum status status;

    if (file == NULL)
        return STATUS_NO_MEMORY;
    file->base.io = io;
    file->base.direct = (flags & IO_DIRECT) != 0;
    file->descriptor = open_descriptor(path, system_flags(flags));
    if (file->descriptor < 0)
        TRY_OUT(raise_open(errno, path, flags));
    TRY_OUT(make_ready(file->descriptor, path, &file->base.direct));
    file->writable = (flags & IO_WRITE) != 0;
    *out = &file->base;
    return STATUS_OK;
out:
    if (file->descriptor >= 0)
        close(file->descriptor);
    memory_free(io->memory, MEMORY_OTHER, file, sizeof(*file));
    return status;
}

static void
posix_close(struct io_file *base)
{
    struct io_posix_file *file = io_posix__file(base);

    /* Linux has freed the descriptor whatever close says; lost writes were reported by sync. */
    close(file->descriptor);
    memory_free(base->io->memory, MEMORY_OTHER, file, sizeof(*file));
}

/* After an EINVAL: true when the file was direct and now is not, so the I/O may be repeated. */
static bool
leave_direct(struct io_posix_file *file)
{
    int flags = fcntl(file->descriptor, F_GETFL);

    if (flags < 0 || (flags & O_DIRECT) == 0)
        return false;
    if (fcntl(file->descriptor, F_SETFL, flags & ~O_DIRECT) != 0)
        return false;
    __atomic_store_n(&file->base.direct, false, __ATOMIC_RELAXED);
    return true;
}

enum status
io_posix__read(struct io_file *base, void *bytes, size_t size, uint64_t offset, size_t *read_out)
{
    struct io_posix_file *file = io_posix__file(base);
    size_t done = 0;

    while (done < size) {
        ssize_t count =
            pread(file->descriptor, (char *)bytes + done, size - done, (off_t)(offset + done));

        if (count == 0)
            break;
        if (count > 0)
            done += (size_t)count;
        else if (errno == EINVAL && leave_direct(file))
            continue;
        else if (errno != EINTR)
            return raise_at(STATUS_IO, errno, "read", base, size - done, offset + done);
    }
    *read_out = done;
    return STATUS_OK;
}

/* One write as the kernel takes it; `durable` when RWF_DSYNC carries the promise. */
static ssize_t
write_once(struct io_posix_file *file, const void *bytes, size_t size, uint64_t offset,
           bool durable)
{
    union {
        const void *given;
        void *taken;
    } buffer = {.given = bytes};
    struct iovec vector = {.iov_base = buffer.taken, .iov_len = size};

    if (!durable)
        return pwrite(file->descriptor, bytes, size, (off_t)offset);
    return pwritev2(file->descriptor, &vector, 1, (off_t)offset, RWF_DSYNC);
}

/* After a failed write: true when it may be repeated, by another way if that was refused. */
static bool
write_again(struct io_posix_file *file, int error, bool *durable)
{
    if (error == EINTR)
        return true;
    if (error == EINVAL && leave_direct(file))
        return true;
    if (*durable && (error == EOPNOTSUPP || error == ENOSYS || error == EINVAL)) {
        atomic_store(&file->dsync_refused, true);
        *durable = false;
        return true;
    }
    return false;
}

static enum status
write_all(struct io_posix_file *file, const void *bytes, size_t size, uint64_t offset,
          bool *durable)
{
    size_t done = 0;

    while (done < size) {
        ssize_t count =
            write_once(file, (const char *)bytes + done, size - done, offset + done, *durable);
        int error = count == 0 ? EIO : errno;

        if (count > 0)
            done += (size_t)count;
        else if (!write_again(file, error, durable))
            return raise_at(io_posix__status(error), error, "write", &file->base, size - done,
                            offset + done);
    }
    return STATUS_OK;
}

enum status
io_posix__write(struct io_file *base, const void *bytes, size_t size, uint64_t offset,
                uint32_t flags)
{
    struct io_posix_file *file = io_posix__file(base);
    bool wanted = (flags & IO_DURABLE) != 0;
    bool durable = wanted && !atomic_load(&file->dsync_refused);

    TRY(write_all(file, bytes, size, offset, &durable));
    return wanted && !durable ? io_posix__sync(base) : STATUS_OK;
}

enum status
io_posix__sync(struct io_file *base)
{
    int result;

    do {
        result = fdatasync(io_posix__file(base)->descriptor);
    } while (result != 0 && errno == EINTR);
    if (result == 0)
        return STATUS_OK;
    return error_raise(STATUS_IO, "cannot sync %.400s: %m (what was written to it may be lost)",
                       base->path);
}

static enum status
posix_size(struct io_file *base, uint64_t *out)
{
    struct stat info;

    if (fstat(io_posix__file(base)->descriptor, &info) != 0)
        return io_posix__raise(errno, "find the size of", base->path);
    *out = (uint64_t)info.st_size;
    return STATUS_OK;
}

static enum status
posix_truncate(struct io_file *base, uint64_t size)
{
    int result;

    do {
        result = ftruncate(io_posix__file(base)->descriptor, (off_t)size);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? STATUS_OK : io_posix__raise(errno, "set the size of", base->path);
}

enum status
io_posix__allocate_by_writing(struct io_file *base, uint64_t offset, uint64_t size)
{
    uint64_t end = offset + size;
    uint64_t at = 0;

    TRY(posix_size(base, &at));
    if (at < offset)
        at = offset;
    if (base->aligned)
        at = (at + IO_BLOCK_SIZE - 1) / IO_BLOCK_SIZE * IO_BLOCK_SIZE;
    while (at < end) {
        size_t count = end - at < ZEROS_SIZE ? (size_t)(end - at) : ZEROS_SIZE;

        TRY(io_posix__write(base, zeros, count, at, 0));
        at += count;
    }
    return STATUS_OK;
}

static enum status
allocate_some(struct io_file *base, uint64_t offset, uint64_t size)
{
    int result;

    do {
        result = fallocate(io_posix__file(base)->descriptor, 0, (off_t)offset, (off_t)size);
    } while (result != 0 && errno == EINTR);
    if (result == 0)
        return STATUS_OK;
    if (errno == EOPNOTSUPP || errno == ENOSYS)
        return io_posix__allocate_by_writing(base, offset, size);
    return raise_at(io_posix__status(errno), errno, "allocate", base, (size_t)size, offset);
}

/*
 * A file system that fills up keeps what it could allocate, which on a full disk is all that others
 * need to go on; so it is given back. Nothing is lost: nobody writes past the end he has not
 * allocated yet.
 */
static enum status
posix_allocate(struct io_file *base, uint64_t offset, uint64_t size)
{
    uint64_t size_before = 0;

    TRY(posix_size(base, &size_before));
    enum status status = allocate_some(base, offset, size);
    if (status != STATUS_OK && size_before < offset + size) {
        int refused = ftruncate(io_posix__file(base)->descriptor, (off_t)size_before);
        (void)refused;
    }
    return status;
}

/* The pid of a holder that used a lock of the older kind, 0 where the kernel does not say. */
static uint64_t
lock_holder(const struct io_posix_file *file, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

    if (fcntl(file->descriptor, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK || lock.l_pid <= 0)
        return 0;
    return (uint64_t)lock.l_pid;
}

static enum status
posix_lock(struct io_file *base, enum io_lock_mode mode, uint64_t *holder_pid_out)
{
    struct io_posix_file *file = io_posix__file(base);
    short type = mode == IO_LOCK_EXCLUSIVE ? F_WRLCK : F_RDLCK;
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    int result;

    CHECK(mode == IO_LOCK_SHARED || file->writable);
    do {
        result = fcntl(file->descriptor, F_OFD_SETLK, &lock);
    } while (result != 0 && errno == EINTR);
    if (result == 0)
        return STATUS_OK;
    if (errno != EAGAIN && errno != EACCES)
        return io_posix__raise(errno, "lock", base->path);
    *holder_pid_out = lock_holder(file, type);
    return error_raise(STATUS_BUSY, "cannot lock %.400s: another process holds it", base->path);
}

static void
posix_queue_close(struct io_queue *queue)
{
    ((struct io_posix_queue *)queue)->backend->close(queue);
}

static enum status
posix_queue_submit(struct io_queue *queue, struct io_request **requests, uint32_t count)
{
    return ((struct io_posix_queue *)queue)->backend->submit(queue, requests, count);
}

static enum status
posix_queue_reap(struct io_queue *queue, uint32_t min_count, struct io_request **out,
                 uint32_t max_count, uint32_t *count_out)
{
    return ((struct io_posix_queue *)queue)
        ->backend->reap(queue, min_count, out, max_count, count_out);
}

static uint64_t
read_clock(clockid_t clock)
{
    struct timespec now;

    CHECK(clock_gettime(clock, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t
posix_clock_ns(struct io *io)
{
    (void)io;
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t
posix_time_ns(struct io *io)
{
    (void)io;
    return read_clock(CLOCK_REALTIME);
}

static void
posix_random(struct io *io, void *out, size_t size)
{
    size_t done = 0;

    (void)io;
    while (done < size) {
        ssize_t count = getrandom((char *)out + done, size - done, 0);

        /* Without random bytes file ids would repeat; no supported kernel refuses them. */
        CHECK(count > 0 || errno == EINTR);
        if (count > 0)
            done += (size_t)count;
    }
}

static void
posix_close_io(struct io *io)
{
    memory_free(io->memory, MEMORY_OTHER, io, sizeof(struct io_posix));
}

static const struct io_backend posix_backend = {
    .open = posix_open,
    .close = posix_close,
    .read = io_posix__read,
    .write = io_posix__write,
    .sync = io_posix__sync,
    .size = posix_size,
    .truncate = posix_truncate,
    .allocate = posix_allocate,
    .lock = posix_lock,
    .rename = io_posix__rename,
    .remove = io_posix__remove,
    .make_dir = io_posix__make_dir,
    .remove_dir = io_posix__remove_dir,
    .sync_dir = io_posix__sync_dir,
    .list = io_posix__list,
    .real_path = io_posix__real_path,
    .queue_open = io_posix__queue_open,
    .queue_close = posix_queue_close,
    .queue_submit = posix_queue_submit,
    .queue_reap = posix_queue_reap,
    .clock_ns = posix_clock_ns,
    .time_ns = posix_time_ns,
    .random = posix_random,
    .close_io = posix_close_io,
};

enum status
io_posix_open(struct memory *memory, bool use_uring, struct io **out)
{
    struct io_posix *io = memory_alloc(memory, MEMORY_OTHER, sizeof(*io));

    if (io == NULL)
        return STATUS_NO_MEMORY;
    io->base.backend = &posix_backend;
    io->base.memory = memory;
    io->use_uring = use_uring;
    *out = &io->base;
    return STATUS_OK;
}
