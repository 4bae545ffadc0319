/*
 * Goal: prove that the reader of SQLite files takes any bytes that libsqlite3 takes: a fault or rows, never a crash or a
 * leak of ours, bounded memory, two readings that agree, and conversions that hold each value; the same as a rescue, which damage
 * may not stop.
 * Method: the first byte says whether it is a rescue; the rest is a file below TMPDIR or /tmp, for libsqlite3
 * opens files by their names.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/fuzz_read.h"
#include "tools/qtdb-migrate/sqlite_door.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct env env = {.memory = memory_new()};
    const char *folder = getenv("TMPDIR");
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/fuzz_sqlite.XXXXXX", folder != NULL ? folder : "/tmp");
    int fd = mkstemp(path);
    /* A strong reference, which brings the door into the program. */
    fuzz_require(sqlite_door_get() != NULL);
    fuzz_require(fd >= 0 && env.memory != NULL);
    fuzz_require(io_posix_open(env.memory, false, &env.io) == STATUS_OK);
    if (size > 1 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1))
        fuzz_source(&env, &source_sqlite, path, (data[0] & 1) != 0);
    (void)close(fd);
    (void)unlink(path);
    io_close_all(env.io);
    fuzz_require(memory_live_count(env.memory) == 0);
    memory_delete(env.memory);
    return 0;
}
