/*
 * Goal: completions that are not the whole operation end as the ordinary calls would, and shortages
 * at submission pass.
 * Method: odd completions that the kernel gives by itself (misaligned direct I/O, a size limit, the
 * end of the file), and refused submissions from fake_calls.h. Skipped where there is no io_uring.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "kernel/base/error.h"
#include "kernel/base/io_posix_private.h"
#include "tests/unit/base/aborts.h"
#include "tests/unit/base/between.h"
#include "tests/unit/base/fake_calls.h"
#include "tests/unit/base/temp_dir.h"

static struct temp_dir dir;
static struct io_queue *queue;
static uint8_t bytes[4 * IO_BLOCK_SIZE] __attribute__((aligned(IO_BLOCK_SIZE)));

static void
open_queue(void)
{
    temp_dir_open(&dir, true);
    if (io_uring__queue_open(dir.io, 8, &queue) != STATUS_OK) {
        temp_dir_close(&dir);
        cr_skip_test("the kernel gives no io_uring: %s", error_message());
    }
    queue->depth = 8; /* As io_queue_open does. */
}

static void
close_queue(void)
{
    io_queue_close(queue);
    temp_dir_close(&dir);
}

#define IO_URING_TEST(name) TEST_BETWEEN(open_queue, close_queue, io_uring, name)

static enum status
run(struct io_request *request)
{
    struct io_request *out = NULL;
    uint32_t count = 0;

    request->status = STATUS_FAILED;
    cr_assert_eq(io_queue_submit(queue, &request, 1), STATUS_OK);
    cr_assert_eq(io_queue_reap(queue, 1, &out, 1, &count), STATUS_OK);
    cr_assert(count == 1 && out == request);
    return request->status;
}

IO_URING_TEST(operations_go_through_the_ring)
{
    struct io_file *file = temp_dir_file(&dir, "file", IO_WRITE | IO_CREATE);
    struct io_request request = {.op = IO_OP_WRITE, .file = file, .bytes = bytes, .size = 4096};

    cr_assert_eq(run(&request), STATUS_OK);
    request.op = IO_OP_READ;
    cr_assert_eq(run(&request), STATUS_OK);
    request.op = IO_OP_SYNC;
    cr_assert_eq(run(&request), STATUS_OK);
    cr_assert_eq(fake[FAKE_PWRITE].calls + fake[FAKE_PREAD].calls + fake[FAKE_FDATASYNC].calls, 0);
    cr_assert_eq(fake[FAKE_URING_SUBMIT].calls, 3);
    io_close(file);
}

IO_URING_TEST(direct_refused_at_completion_is_done_buffered)
{
    struct io_file *file = temp_dir_file(&dir, "file", IO_WRITE | IO_CREATE | IO_DIRECT);
    struct io_request request = {
        .op = IO_OP_WRITE, .file = file, .bytes = bytes, .size = 1000, .flags = IO_DURABLE};

    if (!io_is_direct(file))
        cr_skip_test("this file system has no O_DIRECT");
    memset(bytes, 7, sizeof(bytes));
    file->aligned = false; /* So that a misaligned request reaches the kernel, which refuses it. */
    cr_assert_eq(run(&request), STATUS_OK);
    /* Some file systems grant O_DIRECT and take any alignment. */
    cr_assert(fake[FAKE_PWRITEV2].calls == 0 || !io_is_direct(file));
    request.op = IO_OP_READ;
    request.bytes = bytes + 2001;
    memset(bytes + 2000, 0, 1500);
    cr_assert_eq(run(&request), STATUS_OK);
    cr_assert(bytes[2000] == 0 && bytes[2001] == 7 && bytes[3000] == 7 && bytes[3001] == 0);
    io_close(file);
}

static void
limit_file_size(rlim_t size)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

IO_URING_TEST(a_short_write_is_continued_to_its_error)
{
    struct io_file *file = temp_dir_file(&dir, "file", IO_WRITE | IO_CREATE);
    struct io_request request = {.op = IO_OP_WRITE, .file = file, .bytes = bytes, .size = 8192};
    uint64_t size = 0;

    limit_file_size(5000);
    cr_assert_eq(run(&request), STATUS_FULL);
    cr_assert_not_null(strstr(error_message(), file->path));
    cr_assert_eq(io_size(file, &size), STATUS_OK);
    cr_assert_eq(size, 5000);
    request.offset = 5000;
    cr_assert_eq(run(&request), STATUS_FULL);
    limit_file_size(RLIM_INFINITY);
    cr_assert_eq(run(&request), STATUS_OK);
    io_close(file);
}

IO_URING_TEST(what_a_short_write_left_is_written_when_reaped)
{
    static uint8_t seen[8192];
    struct io_file *file = temp_dir_file(&dir, "file", IO_WRITE | IO_CREATE);
    struct io_request request = {.op = IO_OP_WRITE, .file = file, .bytes = bytes, .size = 8192};
    struct io_request *out = &request;
    struct timespec pause = {.tv_nsec = 50000000};
    uint32_t count = 0;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i % 251);
    limit_file_size(5000);
    cr_assert_eq(io_queue_submit(queue, &out, 1), STATUS_OK);
    nanosleep(&pause, NULL); /* Until the kernel has come as far as it can. */
    limit_file_size(RLIM_INFINITY);
    cr_assert_eq(io_queue_reap(queue, 1, &out, 1, &count), STATUS_OK);
    cr_assert_eq(request.status, STATUS_OK);
    cr_assert_eq(io_read(file, seen, sizeof(seen), 0), STATUS_OK);
    cr_assert_eq(memcmp(seen, bytes, sizeof(seen)), 0);
    uint64_t size = 0;
    cr_assert_eq(io_size(file, &size), STATUS_OK);
    cr_assert_eq(size, sizeof(seen));
    io_close(file);
}

IO_URING_TEST(a_shortage_at_submission_passes)
{
    static const int errors[] = {EINTR, EAGAIN, EBUSY, ENOMEM};
    struct io_file *file = temp_dir_file(&dir, "file", IO_WRITE | IO_CREATE);
    struct io_request request = {.op = IO_OP_WRITE, .file = file, .bytes = bytes, .size = 4096};

    for (size_t i = 0; i < 4; i++) {
        fake_failure(FAKE_URING_SUBMIT, errors[i], 3);
        cr_assert_eq(run(&request), STATUS_OK);
    }
    io_close(file);
}

static void
run_request(void *request)
{
    (void)!run(request);
}

IO_URING_TEST(any_other_refusal_of_a_submission_is_our_mistake)
{
    struct io_file *file = temp_dir_file(&dir, "file", IO_WRITE | IO_CREATE);
    struct io_request request = {.op = IO_OP_WRITE, .file = file, .bytes = bytes, .size = 4096};

    fake_failure(FAKE_URING_SUBMIT, EBADF, 1);
    cr_assert(aborts(run_request, &request));
    fake_failure(FAKE_URING_SUBMIT, 0, 0);
    io_close(file);
}

/* covers: F18 */
IO_URING_TEST(a_failed_sync_is_reported_as_it_is)
{
    struct io_file *file = temp_dir_file(&dir, "file", IO_WRITE | IO_CREATE);
    struct io_request request = {.op = IO_OP_SYNC, .file = file};
    int descriptor = io_posix__file(file)->descriptor;

    io_posix__file(file)->descriptor = 999; /* The kernel says EBADF. */
    cr_assert_eq(run(&request), STATUS_IO);
    cr_assert_not_null(strstr(error_message(), "sync"));
    cr_assert_eq(fake[FAKE_FDATASYNC].calls, 0);
    io_posix__file(file)->descriptor = descriptor;
    io_close(file);
}
