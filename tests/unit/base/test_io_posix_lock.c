/*
 * Goal: locks exclude between handles and processes, end with their handle or process, and say what
 * can be said of their holder.
 * Method: several handles of one file in this process, and children that take a lock and are killed.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "kernel/base/error.h"
#include "kernel/base/io_posix_private.h"
#include "tests/unit/base/aborts.h"
#include "tests/unit/base/between.h"
#include "tests/unit/base/fake_calls.h"
#include "tests/unit/base/temp_dir.h"

static struct temp_dir dir;

static void
open_dir(void)
{
    temp_dir_open(&dir, false);
}

static void
close_dir(void)
{
    temp_dir_close(&dir);
}

#define LOCK_TEST(name) TEST_BETWEEN(open_dir, close_dir, io_posix_lock, name)

static struct io_file *
new_file(void)
{
    return temp_dir_file(&dir, "file", IO_WRITE | IO_CREATE);
}

static enum status
try_lock(struct io_file *file, enum io_lock_mode mode)
{
    uint64_t pid = 0;

    return io_lock(file, mode, &pid);
}

/* covers: F21 */
LOCK_TEST(locks_exclude_between_handles)
{
    struct io_file *a = new_file();
    struct io_file *b = new_file();
    struct io_file *c = new_file();

    cr_assert_eq(try_lock(a, IO_LOCK_EXCLUSIVE), STATUS_OK);
    cr_assert_eq(try_lock(b, IO_LOCK_EXCLUSIVE), STATUS_BUSY);
    cr_assert_not_null(strstr(error_message(), b->path));
    cr_assert_eq(try_lock(b, IO_LOCK_SHARED), STATUS_BUSY);
    cr_assert_eq(try_lock(a, IO_LOCK_SHARED), STATUS_OK); /* Steps down. */
    cr_assert_eq(try_lock(b, IO_LOCK_SHARED), STATUS_OK);
    cr_assert_eq(try_lock(c, IO_LOCK_EXCLUSIVE), STATUS_BUSY);
    cr_assert_eq(try_lock(a, IO_LOCK_EXCLUSIVE), STATUS_BUSY);
    io_close(b);
    cr_assert_eq(try_lock(a, IO_LOCK_EXCLUSIVE), STATUS_OK);
    io_close(a);
    cr_assert_eq(try_lock(c, IO_LOCK_EXCLUSIVE), STATUS_OK);
    io_close(c);
}

LOCK_TEST(closing_another_handle_keeps_the_lock)
{
    struct io_file *a = new_file();
    struct io_file *b = new_file();

    cr_assert_eq(try_lock(a, IO_LOCK_EXCLUSIVE), STATUS_OK);
    io_close(b);
    b = new_file();
    cr_assert_eq(try_lock(b, IO_LOCK_SHARED), STATUS_BUSY);
    io_close(a);
    io_close(b);
}

LOCK_TEST(a_lock_ends_with_its_process)
{
    struct io_file *file = new_file();
    int status = 0;
    int ready[2];
    char byte = 0;

    cr_assert_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct io_file *own = NULL;
        bool locked = io_open(dir.io, temp_dir_name(&dir, "file"), IO_WRITE, &own) == STATUS_OK &&
                      try_lock(own, IO_LOCK_EXCLUSIVE) == STATUS_OK;

        if (!locked || write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    close(ready[1]);
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    cr_assert_eq(try_lock(file, IO_LOCK_EXCLUSIVE), STATUS_BUSY);
    kill(child, SIGKILL);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(try_lock(file, IO_LOCK_EXCLUSIVE), STATUS_OK);
    io_close(file);
}

LOCK_TEST(the_holder_of_an_older_lock_is_named)
{
    struct io_file *file = new_file();
    int status = 0;
    int ready[2];
    char byte = 0;
    uint64_t pid = 77;

    cr_assert_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

        if (fcntl(io_posix__file(file)->descriptor, F_SETLK, &lock) != 0 ||
            write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    close(ready[1]);
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    cr_assert_eq(io_lock(file, IO_LOCK_SHARED, &pid), STATUS_BUSY);
    cr_assert_eq(pid, (uint64_t)child);
    kill(child, SIGKILL);
    cr_assert_eq(waitpid(child, &status, 0), child);
    struct io_file *other = new_file();
    cr_assert_eq(try_lock(other, IO_LOCK_EXCLUSIVE), STATUS_OK);
    cr_assert_eq(io_lock(file, IO_LOCK_SHARED, &pid), STATUS_BUSY);
    cr_assert_eq(pid, 0); /* The kernel does not say. */
    io_close(other);
    io_close(file);
}

static void
lock_exclusively(void *file)
{
    (void)!try_lock(file, IO_LOCK_EXCLUSIVE);
}

LOCK_TEST(an_exclusive_lock_needs_a_writable_file)
{
    io_close(new_file());
    struct io_file *file = temp_dir_file(&dir, "file", 0);

    cr_assert(aborts(lock_exclusively, file));
    cr_assert_eq(try_lock(file, IO_LOCK_SHARED), STATUS_OK);
    io_close(file);
}

LOCK_TEST(a_lock_the_system_refuses_is_an_error)
{
    struct io_file *file = new_file();

    fake_failure(FAKE_OFD_SETLK, ENOLCK, 1);
    cr_assert_eq(try_lock(file, IO_LOCK_SHARED), STATUS_IO);
    io_close(file);
}
