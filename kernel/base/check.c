/*
 * The end of the road for a failed CHECK: one line to standard error, the same line to the log
 * sink, then abort. This is the only place in the library that prints, because after it nobody
 * else will. The line goes out by write(2), without allocation, before anything that could fail
 * itself; a CHECK that fails inside the sink is not logged again.
 */
#include "kernel/base/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/base/log_sink.h"

static _Thread_local bool failing;

void
check_failed(const char *file, int line, const char *what)
{
    char text[512];
    int length = snprintf(text, sizeof(text), "qtdb: check failed: %s:%d: %s\n", file, line, what);
    size_t size = length < 0 ? 0 : (size_t)length;

    if (size >= sizeof(text))
        size = sizeof(text) - 1;
    ssize_t written = write(STDERR_FILENO, text, size);
    (void)written;
    if (!failing) {
        failing = true;
        log_line(LOG_ERROR, "check: failed at=%s:%d what=%s", file, line, what);
    }
    abort();
}
