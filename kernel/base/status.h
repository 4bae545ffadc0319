/*
 * Status: the one result type of every fallible function, and the two macros that pass it on.
 *
 * A value names what the caller can do about it, not where it arose; the place and the detail are
 * recorded by error_raise (error.h) where the fault is first seen. Misuse of an interface is not a
 * status: it is a CHECK (check.h).
 */
#ifndef KERNEL_BASE_STATUS_H
#define KERNEL_BASE_STATUS_H

#define MUST_CHECK __attribute__((warn_unused_result))

enum status {
    STATUS_OK = 0,
    STATUS_NOT_FOUND = 1, /* The thing asked for does not exist. */
    STATUS_EXISTS = 2,    /* It exists already. */
    STATUS_FULL = 3,      /* Disk or configured limit reached; free some and try again. */
    STATUS_BUSY = 4,      /* Held by another process or thread; wait. */
    STATUS_CONFLICT = 5,  /* Lost against another transaction; run it again. */
    STATUS_NO_MEMORY = 6, /* An allocation was refused; nothing changed. */
    STATUS_IO = 7,        /* The operating system refused a read, write or sync. */
    STATUS_CORRUPT = 8,   /* Bytes that fail validation. */
    STATUS_VERSION = 9,   /* A format this build does not read. */
    STATUS_INVALID = 10,  /* An argument or a setting from outside is out of range. */
    STATUS_FAILED = 11,   /* The handle failed earlier and is closed to all but close. */
    STATUS_MISSING = 12,  /* Not in memory; bring it in without the latch, then repeat. */
    STATUS_READONLY = 13, /* The handle or the file permits no writes. */
    STATUS_STOPPED = 14,  /* A callback or a signal asked to stop. */
};

/** Stable lower-case name, never NULL; "unknown" for values outside the enum. */
const char *status_name(enum status status);

/** Returns from the enclosing function when `expr` is not STATUS_OK. */
#define TRY(expr)                         \
    do {                                  \
        enum status try_status_ = (expr); \
        if (try_status_ != STATUS_OK)     \
            return try_status_;           \
    } while (0)

/** Needs `enum status status;` and a label `out:` that releases in reverse order. */
#define TRY_OUT(expr)            \
    do {                         \
        status = (expr);         \
        if (status != STATUS_OK) \
            goto out;            \
    } while (0)

#endif
