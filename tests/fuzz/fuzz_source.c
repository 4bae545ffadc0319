/*
 * Goal: prove that the readers of CSV, JSON and SQL dumps take any bytes: a fault with its line or rows,
 * never a crash or a leak, memory that is bounded, two readings that agree, and conversions that end in a
 * type that holds the value without a loss.
 * Method: the first byte chooses the kind, the rest is the file (a zstd one where it begins so). It lies
 * on a simulated disk, is surveyed and read twice, and every value is converted as the loader does it.
 */
#include <stdint.h>

#include "tests/support/fuzz_read.h"
#include "tools/qtdb-migrate/source.h"

static const struct source_kind *const kinds[] = {&source_csv, &source_json, &source_sql};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run(const struct env *env, const uint8_t *data, size_t size)
{
    fuzz_write(env->io, "/file", data + 1, size - 1);
    fuzz_source(env, kinds[data[0] % 3], "/file", false);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_on_disk(run, data, size);
    return 0;
}
