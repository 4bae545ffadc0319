/* See fake_calls.h. */
#include "tests/unit/base/fake_calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct io_uring;

struct fake fake[FAKE_CALL_COUNT];
bool fake_fallocate_takes_half;

ssize_t pread(int descriptor, void *bytes, size_t size, off_t offset);
ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset);
ssize_t getrandom(void *bytes, size_t size, unsigned flags);
int io_uring_queue_init(unsigned depth, struct io_uring *ring, unsigned flags);
int io_uring_submit(struct io_uring *ring);

static bool
fails(enum fake_call call)
{
    fake[call].calls++;
    if (fake[call].fail_times == 0)
        return false;
    fake[call].fail_times--;
    errno = fake[call].error;
    return true;
}

static int
failed(enum fake_call call)
{
    return fake[call].error == 0 ? 0 : -1;
}

static size_t
cut(enum fake_call call, size_t size)
{
    return fake[call].size_max != 0 && size > fake[call].size_max ? fake[call].size_max : size;
}

int
open(const char *path, int flags, ...)
{
    va_list arguments;

    va_start(arguments, flags);
    int mode = va_arg(arguments, int);
    va_end(arguments);
    if (fails(FAKE_OPEN))
        return failed(FAKE_OPEN);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t
pread(int descriptor, void *bytes, size_t size, off_t offset)
{
    if (fails(FAKE_PREAD))
        return failed(FAKE_PREAD);
    return syscall(SYS_pread64, descriptor, bytes, cut(FAKE_PREAD, size), offset);
}

ssize_t
pwrite(int descriptor, const void *bytes, size_t size, off_t offset)
{
    if (fails(FAKE_PWRITE))
        return failed(FAKE_PWRITE);
    return syscall(SYS_pwrite64, descriptor, bytes, cut(FAKE_PWRITE, size), offset);
}

ssize_t
pwritev2(int descriptor, const struct iovec *vectors, int count, off_t offset, int flags)
{
    struct iovec first = vectors[0];

    if (fails(FAKE_PWRITEV2))
        return failed(FAKE_PWRITEV2);
    if (count != 1)
        return -1;
    first.iov_len = cut(FAKE_PWRITEV2, first.iov_len);
    return syscall(SYS_pwritev2, descriptor, &first, 1, offset, 0, flags);
}

int
fdatasync(int descriptor)
{
    return fails(FAKE_FDATASYNC) ? failed(FAKE_FDATASYNC) : (int)syscall(SYS_fdatasync, descriptor);
}

int
fsync(int descriptor)
{
    return fails(FAKE_FSYNC) ? failed(FAKE_FSYNC) : (int)syscall(SYS_fsync, descriptor);
}

int
ftruncate(int descriptor, off_t size)
{
    if (fails(FAKE_FTRUNCATE))
        return failed(FAKE_FTRUNCATE);
    return (int)syscall(SYS_ftruncate, descriptor, size);
}

int
fallocate(int descriptor, int mode, off_t offset, off_t size)
{
    if (fails(FAKE_FALLOCATE)) {
        int error = errno;

        if (fake_fallocate_takes_half)
            syscall(SYS_fallocate, descriptor, mode, offset, size / 2);
        errno = error;
        return failed(FAKE_FALLOCATE);
    }
    return (int)syscall(SYS_fallocate, descriptor, mode, offset, size);
}

int
fcntl(int descriptor, int command, ...)
{
    va_list arguments;

    va_start(arguments, command);
    long argument = va_arg(arguments, long);
    va_end(arguments);
    if (command == F_SETFL && ((int)argument & O_DIRECT) != 0 && fails(FAKE_SETFL_DIRECT))
        return failed(FAKE_SETFL_DIRECT);
    if (command == F_OFD_SETLK && fails(FAKE_OFD_SETLK))
        return failed(FAKE_OFD_SETLK);
    return (int)syscall(SYS_fcntl, descriptor, command, argument);
}

ssize_t
getrandom(void *bytes, size_t size, unsigned flags)
{
    if (fails(FAKE_GETRANDOM))
        return failed(FAKE_GETRANDOM);
    return syscall(SYS_getrandom, bytes, cut(FAKE_GETRANDOM, size), flags);
}

int
io_uring_queue_init(unsigned depth, struct io_uring *ring, unsigned flags)
{
    union {
        void *address;
        int (*call)(unsigned, struct io_uring *, unsigned);
    } real = {.address = dlsym(RTLD_NEXT, "io_uring_queue_init")};

    if (fails(FAKE_URING_INIT))
        return -fake[FAKE_URING_INIT].error;
    return real.call(depth, ring, flags);
}

int
io_uring_submit(struct io_uring *ring)
{
    union {
        void *address;
        int (*call)(struct io_uring *);
    } real = {.address = dlsym(RTLD_NEXT, "io_uring_submit")};

    if (fails(FAKE_URING_SUBMIT))
        return -fake[FAKE_URING_SUBMIT].error;
    return real.call(ring);
}
