/*
 * The thread's structured error (qtdb_error_last): how a status from below becomes a qtdb_code at the
 * edge of the library. The kernel and the executor both set it through here.
 */
#ifndef KERNEL_API_ERROR_H
#define KERNEL_API_ERROR_H

#include "kernel/base/status.h"
#include "kernel/qtdb.h"

/** The code of a status; on failure records the message raised below, or a general one. STATUS_OK
 * gives QTDB_OK and leaves the last error alone. */
enum qtdb_code api_error(enum status status);

/** The SQLSTATE that the next api_error of this thread gives a failure; static text. */
void api_error_sqlstate(const char *sqlstate);

/** Records an error with all its fields and returns its code. `sqlstate` may be NULL. */
__attribute__((format(printf, 5, 6))) enum qtdb_code api_error_set(enum qtdb_code code,
                                                                   const char *sqlstate,
                                                                   uint32_t position,
                                                                   bool retryable,
                                                                   const char *format, ...);

#endif
