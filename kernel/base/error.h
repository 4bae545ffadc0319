/*
 * The detail behind a status: one message a thread, written where the fault is first seen and read
 * at the edge of the library. It says what, where (file, page, LSN) and what to do.
 *
 * Kept a thread rather than a handle because a fault may arise before any handle exists and two
 * threads of one handle may fail at once. Lower layers raise once; layers above pass the status on
 * untouched. A later raise on the same thread replaces the message.
 */
#ifndef KERNEL_BASE_ERROR_H
#define KERNEL_BASE_ERROR_H

#include "kernel/base/status.h"

enum { ERROR_MESSAGE_SIZE = 512 };

/** Records the message (cut at ERROR_MESSAGE_SIZE - 1 bytes) and returns `status`. */
MUST_CHECK __attribute__((format(printf, 2, 3), cold)) enum status error_raise(enum status status,
                                                                               const char *format,
                                                                               ...);

/** The calling thread's last message; empty if none. Valid until the thread raises again. */
const char *error_message(void);

/** Forgets the calling thread's message. */
void error_clear(void);

#endif
