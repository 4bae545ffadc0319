/*
 * Goal: prove that the readers of legacy files take any bytes: a fault with its place or rows, never a
 * crash, memory that does not follow the lengths a file claims, and conversions that always end in a
 * type that holds the value.
 * Method: two bytes give the size of a snapshot, which follows; the rest is a log. Both lie on a
 * simulated disk, are detected, surveyed, replayed and read, and every value is converted. Then the same as a
 * rescue, which no damage may stop.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/io_sim.h"
#include "tests/support/fuzz_read.h"
#include "tools/qtdb-migrate/legacy_rescue.h"
#include "tools/qtdb-migrate/legacy_source.h"
#include "tools/qtdb-migrate/migrate_convert.h"

enum { MEMORY_MAX = 64 * 1024 * 1024 };

static const char snapshot_path[] = "/server_instance.db";
static const char log_directory[] = "/wal";
static const char log_path[] = "/wal/0000000000000001.wal";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum status
convert_row(void *context, struct plan_table *table, const struct source_row *row)
{
    struct arena *arena = context;

    for (uint32_t i = 0; i < table->column_count; i++) {
        struct target_type type = convert_type_of(&table->columns[i].column);
        struct converted converted;

        arena_reset(arena);
        if (convert_value(&type, row->values[i], arena, &converted) == CONVERT_MISFIT) {
            type = convert_widen(&type, row->values[i], arena);
            fuzz_require(convert_value(&type, row->values[i], arena, &converted) == CONVERT_OK);
        }
    }
    return STATUS_OK;
}

static void
ignore_damage(void *context, const char *words)
{
    (void)context;
    fuzz_require(words[0] != '\0');
}

static enum status
replay(struct legacy_source *source)
{
    source->log_open = true;
    TRY(legacy_log_rescue(&source->env, log_directory, source->form.generation,
                          source->plan.rescue ? ignore_damage : NULL, NULL, &source->log));
    return legacy_plan_replay(&source->plan, &source->log, NULL);
}

static void
read_source(struct legacy_source *source)
{
    struct legacy_fault fault;
    struct arena arena;
    const struct source_visitor visitor = {.context = &arena, .row = convert_row};

    if (legacy_detect(&source->stream, &source->form, &fault) != STATUS_OK &&
        (!source->plan.rescue || legacy_rescue_detect(&source->stream, &source->form) != STATUS_OK))
        return;
    if (legacy_plan_survey(&source->plan, &source->stream, &source->form) != STATUS_OK) {
        fuzz_require(!source->plan.rescue);
        return;
    }
    if (replay(source) != STATUS_OK)
        fuzz_require(source->log.fault[0] != '\0' || source->plan.fault[0] != '\0');
    legacy_plan_seal(&source->plan);
    arena_init(&arena, source->env.memory, MEMORY_OTHER);
    fuzz_require(legacy_source_read(source, &visitor) == STATUS_OK);
    arena_deinit(&arena);
}

static void
try_file(const uint8_t *data, size_t size, size_t snapshot_size, bool rescue)
{
    const struct io_sim_options options = {.seed = 1};
    struct memory *disk_memory = memory_new();
    struct legacy_source *source = calloc(1, sizeof(*source));

    fuzz_require(disk_memory != NULL && source != NULL);
    source->env.memory = memory_new();
    fuzz_require(source->env.memory != NULL);
    fuzz_require(io_sim_open(disk_memory, &options, &source->env.io) == STATUS_OK);
    fuzz_require(io_make_dir(source->env.io, log_directory) == STATUS_OK);
    fuzz_write(source->env.io, snapshot_path, data, snapshot_size);
    fuzz_write(source->env.io, log_path, data + snapshot_size, size - snapshot_size);
    fuzz_require(legacy_stream_open(&source->env, snapshot_path, &source->stream) == STATUS_OK);
    source->stream_open = true;
    legacy_plan_init(&source->plan, source->env.memory);
    source->plan.rescue = rescue;
    read_source(source);
    fuzz_require(memory_used(source->env.memory, MEMORY_OTHER) < MEMORY_MAX);
    legacy_source_close(source);
    fuzz_require(memory_live_count(source->env.memory) == 0);
    io_close_all(source->env.io);
    memory_delete(source->env.memory);
    memory_delete(disk_memory);
    free(source);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 2) {
        size_t snapshot_size = (size_t)(data[0] | data[1] << 8);

        size -= 2;
        data += 2;
        snapshot_size = snapshot_size < size ? snapshot_size : size;
        try_file(data, size, snapshot_size, false);
        try_file(data, size, snapshot_size, true);
    }
    return 0;
}
