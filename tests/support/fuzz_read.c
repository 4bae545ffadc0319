/* See fuzz_read.h. */
#include "tests/support/fuzz_read.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/checksum.h"
#include "kernel/base/io_sim.h"
#include "tools/qtdb-migrate/migrate_convert.h"

enum { WIDENINGS_MAX = 8, MEMORY_MAX = 64 * 1024 * 1024 };

void
fuzz_require(bool holds)
{
    if (!holds)
        abort();
}

void
fuzz_write(struct io *io, const char *path, const uint8_t *bytes, size_t size)
{
    struct io_file *file = NULL;

    fuzz_require(io_open(io, path, IO_WRITE | IO_CREATE, &file) == STATUS_OK);
    fuzz_require(size == 0 || io_write(file, bytes, size, 0, 0) == STATUS_OK);
    io_close(file);
}

void
fuzz_on_disk(void (*run)(const struct env *env, const uint8_t *data, size_t size),
             const uint8_t *data, size_t size)
{
    const struct io_sim_options options = {.seed = 1};
    struct memory *disk_memory = memory_new();
    struct env env = {.memory = memory_new()};

    fuzz_require(disk_memory != NULL && env.memory != NULL);
    fuzz_require(io_sim_open(disk_memory, &options, &env.io) == STATUS_OK);
    if (size > 0)
        run(&env, data, size);
    fuzz_require(memory_live_count(env.memory) == 0);
    io_close_all(env.io);
    memory_delete(env.memory);
    memory_delete(disk_memory);
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
            fuzz_require(widenings++ < WIDENINGS_MAX && type.type != QTDB_TYPE_TEXT);
            type = convert_widen(&type, value, &reading->arena);
        }
        const char *text = convert_text(value, &reading->arena, &size);
        fuzz_require(text != NULL);
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
        fuzz_require(status == STATUS_OK || source->fault[0] != '\0');
        arena_deinit(&readings[i].arena);
    }
    fuzz_require(readings[0].row_count == readings[1].row_count &&
                 readings[0].sum == readings[1].sum);
}

void
fuzz_source(const struct env *env, const struct source_kind *kind, const char *path, bool rescue)
{
    const struct source_options options = {.rescue = rescue};
    struct source *source = calloc(1, sizeof(*source));

    fuzz_require(source != NULL);
    *source = (struct source){.kind = kind, .env = *env, .options = &options};
    (void)snprintf(source->path, sizeof(source->path), "%s", path);
    enum status status = source_open(source);
    fuzz_require(status == STATUS_OK || source->fault[0] != '\0');
    if (status == STATUS_OK)
        read_twice(source);
    fuzz_require(memory_used(env->memory, MEMORY_OTHER) < MEMORY_MAX);
    source_close(source);
    free(source);
}
