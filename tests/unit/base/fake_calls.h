/*
 * System calls that fail when told to. fake_calls.c defines functions of the names that io_posix.c
 * and io_uring.c call, and the linker takes them before those of libc; unless told otherwise they
 * do the real call. So no test hook is needed in the code itself.
 */
#ifndef TESTS_UNIT_BASE_FAKE_CALLS_H
#define TESTS_UNIT_BASE_FAKE_CALLS_H

#include <stdbool.h>
#include <stddef.h>

enum fake_call {
    FAKE_OPEN,
    FAKE_PREAD,
    FAKE_PWRITE,
    FAKE_PWRITEV2,
    FAKE_FDATASYNC,
    FAKE_FSYNC,
    FAKE_FTRUNCATE,
    FAKE_FALLOCATE,
    FAKE_SETFL_DIRECT,
    FAKE_OFD_SETLK,
    FAKE_GETRANDOM,
    FAKE_URING_INIT,
    FAKE_URING_SUBMIT,
    FAKE_CALL_COUNT
};

struct fake {
    int calls;      /* Made since the start. */
    int fail_times; /* The next so many calls fail with `error`; 0 with error 0 returns 0. */
    int error;
    size_t size_max; /* Transfers at most so many bytes a call; 0: all. */
};

extern struct fake fake[FAKE_CALL_COUNT];
/* fallocate takes half of what was asked for before it fails. */
extern bool fake_fallocate_takes_half;

static inline void
fake_failure(enum fake_call call, int error, int times)
{
    fake[call].error = error;
    fake[call].fail_times = times;
}

#endif
