/*
 * Goal: prove that the readers of CSV, JSON and SQL dumps take any bytes: a fault with its line or rows,
 * never a crash or a leak, memory that is bounded, two readings that agree, and conversions that end in a
 * type that holds the value without a loss.
 * Method: the first byte chooses the kind, the rest is the file (a zstd one where it begins so). It lies
 * on a simulated disk, is surveyed and read twice, and every value is converted as the loader does it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/io_sim.h"
#include "tests/support/fuzz_read.h"
#include "tools/qtdb-migrate/source.h"

/* Decompression may take its window of 32 MiB besides the buffers. */
enum { MEMORY_MAX = 64 * 1024 * 1024 };

static const struct source_kind *const kinds[] = {&source_csv, &source_json, &source_sql};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run(const struct env *env, const uint8_t *data, size_t size)
{
    static const struct source_options options;
    struct source source = {.kind = kinds[data[0] % 3], .env = *env, .options = &options};

    fuzz_write(env->io, "/file", data + 1, size - 1);
    memcpy(source.path, "/file", 6);
    enum status status = source_open(&source);
    fuzz_require(status == STATUS_OK || source.fault[0] != '\0');
    if (status == STATUS_OK)
        fuzz_read_twice(&source);
    fuzz_require(memory_used(env->memory, MEMORY_OTHER) < MEMORY_MAX);
    source_close(&source);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct io_sim_options sim = {.seed = 1};
    struct memory *disk_memory = memory_new();
    struct env env = {.memory = memory_new()};

    fuzz_require(disk_memory != NULL && env.memory != NULL);
    fuzz_require(io_sim_open(disk_memory, &sim, &env.io) == STATUS_OK);
    if (size > 0)
        run(&env, data, size);
    fuzz_require(memory_live_count(env.memory) == 0);
    io_close_all(env.io);
    memory_delete(env.memory);
    memory_delete(disk_memory);
    return 0;
}
