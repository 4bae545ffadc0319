/*
 * Goal: the operating system's files behave as io.h promises, whatever the system answers.
 * Method: real files, buffered and direct, below $TMPDIR; answers that a healthy system does not
 * give (interrupted, short, full, failed, unknown) come from fake_calls.h.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "kernel/base/bytes.h"
#include "kernel/base/error.h"
#include "kernel/base/io_posix_private.h"
#include "kernel/base/random.h"
#include "tests/unit/base/between.h"
#include "tests/unit/base/fake_calls.h"
#include "tests/unit/base/temp_dir.h"

enum { BLOCKS = 16, BUFFER_SIZE = BLOCKS * IO_BLOCK_SIZE };

static struct temp_dir dir;
static uint8_t written[BUFFER_SIZE] __attribute__((aligned(IO_BLOCK_SIZE)));
static uint8_t seen[BUFFER_SIZE] __attribute__((aligned(IO_BLOCK_SIZE)));
static const uint32_t kinds[] = {0, IO_DIRECT};

static void
open_dir(void)
{
    struct random random;

    temp_dir_open(&dir, false);
    random_init(&random, 1);
    random_bytes(&random, written, sizeof(written));
}

static void
close_dir(void)
{
    temp_dir_close(&dir);
}

#define IO_POSIX_TEST(name) TEST_BETWEEN(open_dir, close_dir, io_posix, name)

static struct io_file *
new_file(uint32_t kind)
{
    return temp_dir_file(&dir, "file", IO_WRITE | IO_CREATE | kind);
}

static uint64_t
size_of(struct io_file *file)
{
    uint64_t size = UINT64_MAX;

    cr_assert_eq(io_size(file, &size), STATUS_OK);
    return size;
}

static void
assert_holds_written(struct io_file *file)
{
    memset(seen, 0, sizeof(seen));
    cr_assert_eq(io_read(file, seen, BUFFER_SIZE, 0), STATUS_OK);
    cr_assert_eq(memcmp(seen, written, BUFFER_SIZE), 0);
}

IO_POSIX_TEST(what_is_written_is_read)
{
    for (size_t i = 0; i < 2; i++) {
        struct io_file *file = new_file(kinds[i]);

        for (int block = BLOCKS - 1; block >= 0; block--) {
            size_t at = (size_t)block * IO_BLOCK_SIZE;

            cr_assert_eq(
                io_write(file, written + at, IO_BLOCK_SIZE, at, block % 2 == 0 ? IO_DURABLE : 0),
                STATUS_OK);
        }
        cr_assert_eq(io_sync(file), STATUS_OK);
        assert_holds_written(file);
        cr_assert_eq(size_of(file), BUFFER_SIZE);
        io_close(file);
        cr_assert_eq(io_remove(dir.io, temp_dir_name(&dir, "file")), STATUS_OK);
    }
}

IO_POSIX_TEST(reads_stop_at_the_end_of_the_file)
{
    for (size_t i = 0; i < 2; i++) {
        struct io_file *file = new_file(kinds[i]);
        size_t size = 99;

        cr_assert_eq(io_write(file, written, IO_BLOCK_SIZE, 0, 0), STATUS_OK);
        cr_assert_eq(io_read_some(file, seen, 2 * IO_BLOCK_SIZE, 0, &size), STATUS_OK);
        cr_assert_eq(size, IO_BLOCK_SIZE);
        cr_assert_eq(io_read_some(file, seen, IO_BLOCK_SIZE, 2 * IO_BLOCK_SIZE, &size), STATUS_OK);
        cr_assert_eq(size, 0);
        cr_assert_eq(io_read(file, seen, 2 * IO_BLOCK_SIZE, 0), STATUS_IO);
        cr_assert_not_null(strstr(error_message(), file->path));
        io_close(file);
    }
}

/* covers: F14 */
IO_POSIX_TEST(short_transfers_are_continued)
{
    for (size_t i = 0; i < 2; i++) {
        struct io_file *file = new_file(kinds[i]);

        fake[FAKE_PREAD].size_max = fake[FAKE_PWRITE].size_max = IO_BLOCK_SIZE;
        fake[FAKE_PWRITEV2].size_max = IO_BLOCK_SIZE;
        cr_assert_eq(io_write(file, written, BUFFER_SIZE, 0, 0), STATUS_OK);
        assert_holds_written(file);
        cr_assert_eq(io_truncate(file, 0), STATUS_OK);
        cr_assert_eq(io_write(file, written, BUFFER_SIZE, 0, IO_DURABLE), STATUS_OK);
        assert_holds_written(file);
        io_close(file);
    }
    cr_assert_geq(fake[FAKE_PREAD].calls, 4 * BLOCKS);
    cr_assert_eq(fake[FAKE_PWRITEV2].calls, 2 * BLOCKS);
}

IO_POSIX_TEST(interrupted_calls_are_repeated)
{
    static const enum fake_call calls[] = {FAKE_OPEN,      FAKE_PREAD,     FAKE_PWRITE,
                                           FAKE_PWRITEV2,  FAKE_FDATASYNC, FAKE_FTRUNCATE,
                                           FAKE_FALLOCATE, FAKE_OFD_SETLK};
    uint64_t pid = 0;

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        fake_failure(calls[i], EINTR, 3);
    struct io_file *file = new_file(0);
    cr_assert_eq(io_allocate(file, 0, BUFFER_SIZE), STATUS_OK);
    cr_assert_eq(io_write(file, written, BUFFER_SIZE, 0, 0), STATUS_OK);
    cr_assert_eq(io_write(file, written, BUFFER_SIZE, 0, IO_DURABLE), STATUS_OK);
    assert_holds_written(file);
    cr_assert_eq(io_sync(file), STATUS_OK);
    cr_assert_eq(io_lock(file, IO_LOCK_EXCLUSIVE, &pid), STATUS_OK);
    cr_assert_eq(io_truncate(file, 0), STATUS_OK);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        cr_assert_eq(fake[calls[i]].fail_times, 0);
    io_close(file);
}

IO_POSIX_TEST(no_space_is_full)
{
    static const int errors[] = {ENOSPC, EDQUOT, EFBIG};
    struct io_file *file = new_file(0);

    for (size_t i = 0; i < 3; i++) {
        fake_failure(FAKE_PWRITE, errors[i], 1);
        cr_assert_eq(io_write(file, written, 100, 7, 0), STATUS_FULL);
        cr_assert_not_null(strstr(error_message(), file->path));
        cr_assert_not_null(strstr(error_message(), "100 bytes at offset 7"));
        cr_assert_not_null(strstr(error_message(), strerror(errors[i])));
        cr_assert_not_null(strstr(error_message(), "free some space"));
        fake_failure(FAKE_PWRITEV2, errors[i], 1);
        cr_assert_eq(io_write(file, written, 100, 7, IO_DURABLE), STATUS_FULL);
        fake_failure(FAKE_FALLOCATE, errors[i], 1);
        cr_assert_eq(io_allocate(file, 0, 4096), STATUS_FULL);
        fake_failure(FAKE_FTRUNCATE, errors[i], 1);
        cr_assert_eq(io_truncate(file, 4096), STATUS_FULL);
    }
    io_close(file);
}

IO_POSIX_TEST(failed_transfers_are_io_errors_that_say_where)
{
    struct io_file *file = new_file(0);

    cr_assert_eq(io_write(file, written, 8192, 0, 0), STATUS_OK);
    fake_failure(FAKE_PREAD, EIO, 1);
    cr_assert_eq(io_read(file, seen, 100, 4096), STATUS_IO);
    cr_assert_not_null(strstr(error_message(), file->path));
    cr_assert_not_null(strstr(error_message(), "read 100 bytes at offset 4096"));
    cr_assert_not_null(strstr(error_message(), strerror(EIO)));
    fake_failure(FAKE_PWRITE, EIO, 1);
    cr_assert_eq(io_write(file, written, 100, 4096, 0), STATUS_IO);
    fake_failure(FAKE_PWRITE, 0, 1); /* Nothing written, and no reason given. */
    errno = 0;
    cr_assert_eq(io_write(file, written, 100, 4096, 0), STATUS_IO);
    cr_assert_not_null(strstr(error_message(), strerror(EIO)));
    fake_failure(FAKE_PWRITEV2, EIO, 1);
    cr_assert_eq(io_write(file, written, 100, 4096, IO_DURABLE), STATUS_IO);
    cr_assert_eq(fake[FAKE_FDATASYNC].calls, 0);
    fake_failure(FAKE_FALLOCATE, EIO, 1);
    cr_assert_eq(io_allocate(file, 0, 4096), STATUS_IO);
    io_close(file);
}

/* covers: F18 */
IO_POSIX_TEST(a_failed_sync_is_an_io_error_and_not_repeated)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT};
    struct io_file *file = new_file(0);

    for (int i = 0; i < 3; i++) {
        fake_failure(FAKE_FDATASYNC, errors[i], 1);
        cr_assert_eq(io_sync(file), STATUS_IO);
        cr_assert_eq(fake[FAKE_FDATASYNC].calls, i + 1);
        cr_assert_not_null(strstr(error_message(), file->path));
    }
    io_close(file);
}

IO_POSIX_TEST(durable_writes_need_no_second_call)
{
    struct io_file *file = new_file(0);

    cr_assert_eq(io_write(file, written, 4096, 0, IO_DURABLE), STATUS_OK);
    cr_assert_eq(fake[FAKE_PWRITEV2].calls, 1);
    cr_assert_eq(fake[FAKE_PWRITE].calls + fake[FAKE_FDATASYNC].calls, 0);
    cr_assert_eq(io_write(file, written, 4096, 0, 0), STATUS_OK);
    cr_assert_eq(fake[FAKE_PWRITE].calls, 1);
    cr_assert_eq(fake[FAKE_PWRITEV2].calls, 1);
    io_close(file);
}

IO_POSIX_TEST(durable_writes_fall_back_to_a_sync)
{
    static const int errors[] = {EOPNOTSUPP, ENOSYS, EINVAL};

    for (int i = 0; i < 3; i++) {
        struct io_file *file = new_file(0);

        memset(fake, 0, sizeof(fake));
        fake_failure(FAKE_PWRITEV2, errors[i], 1);
        cr_assert_eq(io_write(file, written, BUFFER_SIZE, 0, IO_DURABLE), STATUS_OK);
        cr_assert(fake[FAKE_PWRITE].calls == 1 && fake[FAKE_FDATASYNC].calls == 1);
        assert_holds_written(file);
        cr_assert_eq(io_write(file, written, 4096, 0, IO_DURABLE), STATUS_OK);
        cr_assert(fake[FAKE_PWRITE].calls == 2 && fake[FAKE_FDATASYNC].calls == 2);
        cr_assert_eq(fake[FAKE_PWRITEV2].calls, 1);
        fake_failure(FAKE_FDATASYNC, EIO, 1);
        cr_assert_eq(io_write(file, written, 4096, 0, IO_DURABLE), STATUS_IO);
        io_close(file);
    }
}

IO_POSIX_TEST(direct_refused_at_open_gives_the_same_answers)
{
    fake_failure(FAKE_SETFL_DIRECT, EINVAL, 1);
    struct io_file *file =
        temp_dir_file(&dir, "new", IO_WRITE | IO_CREATE | IO_EXCLUSIVE | IO_DIRECT);

    cr_assert_not(io_is_direct(file));
    cr_assert_eq(io_write(file, written, BUFFER_SIZE, 0, 0), STATUS_OK);
    cr_assert_eq(io_write(file, written, BUFFER_SIZE, 0, IO_DURABLE), STATUS_OK);
    assert_holds_written(file);
    io_close(file);
}

static void
assert_leaves_direct(enum fake_call call)
{
    struct io_file *file = new_file(IO_DIRECT);

    if (!io_is_direct(file))
        cr_skip_test("this file system has no O_DIRECT");
    cr_assert_eq(io_write(file, written, BUFFER_SIZE, 0, 0), STATUS_OK);
    fake_failure(call, EINVAL, 1);
    cr_assert_eq(io_write(file, written, BUFFER_SIZE, 0, 0), STATUS_OK);
    cr_assert_eq(io_write(file, written, BUFFER_SIZE, 0, IO_DURABLE), STATUS_OK);
    assert_holds_written(file);
    cr_assert_not(io_is_direct(file));
    cr_assert_eq(fcntl(io_posix__file(file)->descriptor, F_GETFL) & O_DIRECT, 0);
    io_close(file);
}

IO_POSIX_TEST(direct_refused_at_the_first_read)
{
    assert_leaves_direct(FAKE_PREAD);
}

IO_POSIX_TEST(direct_refused_at_the_first_write)
{
    assert_leaves_direct(FAKE_PWRITE);
}

IO_POSIX_TEST(direct_refused_at_the_first_durable_write_keeps_dsync)
{
    assert_leaves_direct(FAKE_PWRITEV2);
    cr_assert_eq(fake[FAKE_FDATASYNC].calls, 0);
}

IO_POSIX_TEST(an_invalid_call_on_a_buffered_file_is_an_error)
{
    struct io_file *file = new_file(0);

    fake_failure(FAKE_PREAD, EINVAL, 1);
    cr_assert_eq(io_read(file, seen, 1, 0), STATUS_IO);
    fake_failure(FAKE_PWRITE, EINVAL, 1);
    cr_assert_eq(io_write(file, seen, 1, 0, 0), STATUS_IO);
    io_close(file);
}

static void
allocate_and_look(struct io_file *file, uint64_t offset, uint64_t size, uint64_t size_after)
{
    uint64_t size_before = size_of(file);

    cr_assert_eq(io_allocate(file, offset, size), STATUS_OK);
    cr_assert_eq(size_of(file), size_after);
    cr_assert_eq(io_read(file, seen, (size_t)size_after, 0), STATUS_OK);
    cr_assert_eq(memcmp(seen, written, (size_t)size_before), 0);
    cr_assert(bytes_are_zero(seen + size_before, (size_t)(size_after - size_before)));
    memset(written + size_before, 0, (size_t)(size_after - size_before));
}

IO_POSIX_TEST(allocation_extends_with_zeros_and_keeps_what_is_there)
{
    for (int by_writing = 0; by_writing < 2; by_writing++) {
        struct io_file *file = temp_dir_file(&dir, by_writing ? "a" : "b", IO_WRITE | IO_CREATE);

        fake_failure(FAKE_FALLOCATE, EOPNOTSUPP, by_writing ? 1000 : 0);
        cr_assert_eq(io_write(file, written, 5000, 0, 0), STATUS_OK);
        allocate_and_look(file, 0, 4096, 5000);
        allocate_and_look(file, 4096, 4096, 8192);
        allocate_and_look(file, 8192, 101, 8293);
        allocate_and_look(file, 10000, 10, 10010);
        cr_assert_eq(fake[FAKE_PWRITE].calls, by_writing ? 3 + 1 : 1);
        io_close(file);
        memset(fake, 0, sizeof(fake));
    }
}

IO_POSIX_TEST(allocation_by_writing_obeys_direct)
{
    struct io_file *file = new_file(IO_DIRECT);
    bool direct = io_is_direct(file);
    struct stat info;

    fake_failure(FAKE_FALLOCATE, EOPNOTSUPP, 1000);
    cr_assert_eq(io_allocate(file, 0, 40 * IO_BLOCK_SIZE), STATUS_OK);
    cr_assert_eq(size_of(file), 40 * IO_BLOCK_SIZE);
    cr_assert_eq(io_allocate(file, 40 * IO_BLOCK_SIZE, IO_BLOCK_SIZE), STATUS_OK);
    cr_assert_eq(size_of(file), 41 * IO_BLOCK_SIZE);
    cr_assert_eq(fstat(io_posix__file(file)->descriptor, &info), 0);
    cr_assert_geq(info.st_blocks * 512, 41 * IO_BLOCK_SIZE);
    cr_assert_eq(io_is_direct(file), direct); /* No write was refused. */
    io_close(file);
}

IO_POSIX_TEST(allocation_by_writing_keeps_a_last_part_of_a_block)
{
    struct io_file *file = new_file(0);

    cr_assert_eq(io_write(file, written, 5000, 0, 0), STATUS_OK);
    io_close(file);
    file = new_file(IO_DIRECT);
    bool direct = io_is_direct(file);
    fake_failure(FAKE_FALLOCATE, EOPNOTSUPP, 1);
    cr_assert_eq(io_allocate(file, 0, 3 * IO_BLOCK_SIZE), STATUS_OK);
    cr_assert_eq(size_of(file), 3 * IO_BLOCK_SIZE);
    cr_assert_eq(io_is_direct(file), direct); /* No write was refused. */
    cr_assert_eq(io_read(file, seen, 3 * IO_BLOCK_SIZE, 0), STATUS_OK);
    cr_assert_eq(memcmp(seen, written, 5000), 0);
    cr_assert(bytes_are_zero(seen + 5000, 3 * IO_BLOCK_SIZE - 5000));
    io_close(file);
}

IO_POSIX_TEST(allocation_by_writing_starts_at_its_offset)
{
    struct io_file *file = new_file(0);

    fake_failure(FAKE_FALLOCATE, EOPNOTSUPP, 1);
    cr_assert_eq(io_allocate(file, 1 << 30, 100), STATUS_OK);
    cr_assert_eq(size_of(file), (1 << 30) + 100);
    cr_assert_eq(fake[FAKE_PWRITE].calls, 1);
    io_close(file);
}

IO_POSIX_TEST(allocation_reserves_blocks)
{
    struct io_file *file = new_file(0);
    struct stat info;

    cr_assert_eq(io_allocate(file, 0, 1 << 20), STATUS_OK);
    cr_assert_eq(fstat(io_posix__file(file)->descriptor, &info), 0);
    cr_assert_geq(info.st_blocks * 512, 1 << 20);
    io_close(file);
}

IO_POSIX_TEST(a_failed_allocation_gives_back_what_it_took)
{
    struct io_file *file = new_file(0);

    cr_assert_eq(io_write(file, written, 5000, 0, 0), STATUS_OK);
    fake_fallocate_takes_half = true;
    fake_failure(FAKE_FALLOCATE, ENOSPC, 1);
    cr_assert_eq(io_allocate(file, 4096, 1 << 20), STATUS_FULL);
    cr_assert_eq(size_of(file), 5000);
    fake_failure(FAKE_FALLOCATE, EOPNOTSUPP, 1);
    fake_fallocate_takes_half = false;
    fake[FAKE_PWRITE].size_max = 4096;
    fake[FAKE_PWRITE].calls = 0;
    cr_assert_eq(io_allocate(file, 0, BUFFER_SIZE), STATUS_OK);
    cr_assert_eq(io_truncate(file, 5000), STATUS_OK);
    fake_failure(FAKE_FALLOCATE, ENOSPC, 1);
    cr_assert_eq(io_allocate(file, 0, 5000), STATUS_FULL); /* Inside: nothing to cut. */
    cr_assert_eq(size_of(file), 5000);
    cr_assert_eq(io_read(file, seen, 5000, 0), STATUS_OK);
    cr_assert_eq(memcmp(seen, written, 5000), 0);
    io_close(file);
}

IO_POSIX_TEST(truncation_cuts_and_extends)
{
    struct io_file *file = new_file(0);

    cr_assert_eq(io_write(file, written, 10000, 0, 0), STATUS_OK);
    cr_assert_eq(io_truncate(file, 100), STATUS_OK);
    cr_assert_eq(size_of(file), 100);
    cr_assert_eq(io_truncate(file, 200), STATUS_OK);
    cr_assert_eq(io_read(file, seen, 200, 0), STATUS_OK);
    cr_assert(memcmp(seen, written, 100) == 0 && bytes_are_zero(seen + 100, 100));
    io_close(file);
}

static enum status
try_open(const char *name, uint32_t flags)
{
    struct io_file *file = NULL;
    enum status status = io_open(dir.io, temp_dir_name(&dir, name), flags, &file);

    cr_assert_eq(status == STATUS_OK, file != NULL);
    if (status != STATUS_OK)
        cr_assert_not_null(strstr(error_message(), dir.name), "%s", error_message());
    io_close(file);
    return status;
}

IO_POSIX_TEST(open_says_why_not)
{
    cr_assert_eq(try_open("absent", 0), STATUS_NOT_FOUND);
    cr_assert_eq(try_open("absent/file", IO_WRITE | IO_CREATE), STATUS_NOT_FOUND);
    cr_assert_eq(try_open("file", IO_WRITE | IO_CREATE | IO_EXCLUSIVE), STATUS_OK);
    cr_assert_eq(try_open("file", IO_WRITE | IO_CREATE | IO_EXCLUSIVE), STATUS_EXISTS);
    cr_assert_eq(try_open("file", IO_WRITE | IO_CREATE), STATUS_OK);
    cr_assert_eq(try_open("file/below", 0), STATUS_NOT_FOUND);
    fake_failure(FAKE_OPEN, EROFS, 1);
    cr_assert_eq(try_open("file", IO_WRITE), STATUS_READONLY);
    fake_failure(FAKE_OPEN, EACCES, 1);
    cr_assert_eq(try_open("file", IO_WRITE), STATUS_READONLY);
    fake_failure(FAKE_OPEN, EACCES, 1);
    cr_assert_eq(try_open("file", 0), STATUS_IO);
    fake_failure(FAKE_OPEN, EMFILE, 1);
    cr_assert_eq(try_open("file", 0), STATUS_IO);
    fake_failure(FAKE_OPEN, ENOSPC, 1);
    cr_assert_eq(try_open("other", IO_WRITE | IO_CREATE), STATUS_FULL);
}

IO_POSIX_TEST(only_regular_files_are_opened)
{
    cr_assert_eq(mkfifo(temp_dir_name(&dir, "pipe"), 0600), 0);
    cr_assert_eq(mkdir(temp_dir_name(&dir, "folder"), 0700), 0);
    cr_assert_eq(try_open("pipe", 0), STATUS_IO); /* Does not wait for a writer. */
    cr_assert_eq(try_open("pipe", IO_WRITE), STATUS_IO);
    cr_assert_eq(try_open("folder", 0), STATUS_IO);
    cr_assert_eq(try_open("folder", IO_WRITE), STATUS_IO);
}

IO_POSIX_TEST(a_refused_allocation_leaves_nothing_open)
{
    for (uint64_t index = 0; index < 2; index++) {
        memory_fail_at(dir.memory, index, false);
        struct io_file *file = NULL;

        cr_assert_eq(io_open(dir.io, temp_dir_name(&dir, "f"), IO_WRITE | IO_CREATE, &file),
                     STATUS_NO_MEMORY);
    }
    cr_assert_eq(temp_dir_count_descriptors(), dir.descriptors);
    struct io *other = NULL;
    memory_fail_at(dir.memory, 0, false);
    cr_assert_eq(io_posix_open(dir.memory, true, &other), STATUS_NO_MEMORY);
}

IO_POSIX_TEST(descriptors_block_and_are_not_inherited)
{
    for (size_t i = 0; i < 2; i++) {
        struct io_file *file = new_file(kinds[i]);
        int descriptor = io_posix__file(file)->descriptor;

        cr_assert_eq(fcntl(descriptor, F_GETFL) & O_NONBLOCK, 0);
        cr_assert_eq(fcntl(descriptor, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        io_close(file);
    }
}

/* covers: F22 */
IO_POSIX_TEST(standard_descriptors_are_left_free)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        close(0);
        close(1);
        close(2);
        struct io_file *file = NULL;
        bool right =
            io_open(dir.io, temp_dir_name(&dir, "f"), IO_WRITE | IO_CREATE, &file) == STATUS_OK &&
            io_posix__file(file)->descriptor > 2 && fcntl(0, F_GETFD) == -1 &&
            fcntl(1, F_GETFD) == -1 && fcntl(2, F_GETFD) == -1 &&
            fcntl(io_posix__file(file)->descriptor, F_GETFD) == FD_CLOEXEC;
        _exit(right ? 0 : 1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

IO_POSIX_TEST(clocks_go_forward)
{
    uint64_t before = io_clock_ns(dir.io);
    struct timespec pause = {.tv_nsec = 2000000};

    nanosleep(&pause, NULL);
    cr_assert_geq(io_clock_ns(dir.io), before + 2000000);
    cr_assert_gt(io_time_ns(dir.io), (uint64_t)1577836800 * 1000000000); /* 2020. */
}

IO_POSIX_TEST(random_bytes_fill_exactly)
{
    uint8_t a[64] = {0};
    uint8_t b[64] = {0};

    fake[FAKE_GETRANDOM].size_max = 3;
    fake_failure(FAKE_GETRANDOM, EINTR, 2);
    io_random(dir.io, a, 63);
    io_random(dir.io, b, 63);
    cr_assert_neq(memcmp(a, b, 63), 0);
    cr_assert_not(bytes_are_zero(a + 55, 8));
    cr_assert(a[63] == 0 && b[63] == 0);
    cr_assert_geq(fake[FAKE_GETRANDOM].calls, 2 * 21 + 2);
}
