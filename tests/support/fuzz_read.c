/* See fuzz_read.h. */
#include "tests/support/fuzz_read.h"

#include <stdlib.h>

#include "kernel/base/checksum.h"
#include "tools/qtdb-migrate/migrate_convert.h"

enum { WIDENINGS_MAX = 8 };

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

void
fuzz_read_twice(struct source *source)
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
