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

#include "kernel/base/checksum.h"
#include "kernel/base/io_sim.h"
#include "tools/qtdb-migrate/migrate_convert.h"
#include "tools/qtdb-migrate/source.h"

/* Decompression may take its window of 32 MiB besides the buffers. */
enum { MEMORY_MAX = 64 * 1024 * 1024, WIDENINGS_MAX = 8 };

static const struct source_kind *const kinds[] = {&source_csv, &source_json, &source_sql};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
    if (!holds)
        abort();
}

static void
write_file(struct io *io, const char *path, const uint8_t *bytes, size_t size)
{
    struct io_file *file = NULL;

    require(io_open(io, path, IO_WRITE | IO_CREATE, &file) == STATUS_OK);
    require(size == 0 || io_write(file, bytes, size, 0, 0) == STATUS_OK);
    io_close(file);
}

struct reading {
    struct arena arena;
    uint64_t row_count;
    uint64_t sum;
};

static enum status
take_row(void *context, struct plan_table *table, const struct source_row *row)
{
    struct reading *reading = context;

    reading->row_count++;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct legacy_value *value = row->values[i];
        struct target_type type = convert_type_of(&table->columns[i].column);
        struct converted converted;
        size_t size = 0;
        int widenings = 0;

        arena_reset(&reading->arena);
        while (convert_value(&type, value, &reading->arena, &converted) == CONVERT_MISFIT ||
               converted.loss != value->loss) {
            require(widenings++ < WIDENINGS_MAX && type.type != QTDB_TYPE_TEXT);
            type = convert_widen(&type, value, &reading->arena);
        }
        const char *text = convert_text(value, &reading->arena, &size);
        require(text != NULL);
        reading->sum = checksum64(text, size, reading->sum + i);
    }
    return STATUS_OK;
}

static void
read_twice(struct source *source)
{
    struct reading readings[2] = {{.sum = 0}, {.sum = 0}};

    for (int i = 0; i < 2; i++) {
        const struct source_visitor visitor = {.context = &readings[i], .row = take_row};

        arena_init(&readings[i].arena, source->env.memory, MEMORY_OTHER);
        enum status status = source_read(source, &visitor);
        require(status == STATUS_OK || source->fault[0] != '\0');
        arena_deinit(&readings[i].arena);
    }
    require(readings[0].row_count == readings[1].row_count && readings[0].sum == readings[1].sum);
}

static void
run(const struct env *env, const uint8_t *data, size_t size)
{
    static const struct source_options options;
    struct source source = {.kind = kinds[data[0] % 3], .env = *env, .options = &options};

    write_file(env->io, "/file", data + 1, size - 1);
    memcpy(source.path, "/file", 6);
    enum status status = source_open(&source);
    require(status == STATUS_OK || source.fault[0] != '\0');
    if (status == STATUS_OK)
        read_twice(&source);
    require(memory_used(env->memory, MEMORY_OTHER) < MEMORY_MAX);
    source_close(&source);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct io_sim_options sim = {.seed = 1};
    struct memory *disk_memory = memory_new();
    struct env env = {.memory = memory_new()};

    require(disk_memory != NULL && env.memory != NULL);
    require(io_sim_open(disk_memory, &sim, &env.io) == STATUS_OK);
    if (size > 0)
        run(&env, data, size);
    require(memory_live_count(env.memory) == 0);
    io_close_all(env.io);
    memory_delete(env.memory);
    memory_delete(disk_memory);
    return 0;
}
