/* Partitions of rows that are put off; see the header. */
#include "executor/exec_partition.h"

#include "kernel/base/check.h"

struct exec__parts *
exec__parts_new(struct exec *exec, uint32_t left_width, uint32_t right_width)
{
    struct exec__parts *parts = memory_alloc(exec->context->memory, MEMORY_SQL, sizeof(*parts));

    if (parts == NULL)
        return NULL;
    exec__spill_init(&parts->spill, exec);
    parts->widths[0] = left_width;
    parts->widths[1] = right_width;
    return parts;
}

static void
close_open(struct exec__parts *parts)
{
    for (uint32_t i = 0; parts->is_open && i < EXEC__FANOUT; i++) {
        exec__stream_deinit(&parts->open[i].streams[0]);
        exec__stream_deinit(&parts->open[i].streams[1]);
    }
    parts->is_open = false;
}

void
exec__parts_free(struct exec__parts *parts)
{
    if (parts == NULL)
        return;
    close_open(parts);
    exec__spill_deinit(&parts->spill);
    memory_free(parts->spill.context->memory, MEMORY_SQL, parts, sizeof(*parts));
}

void
exec__parts_begin(struct exec__parts *parts, uint32_t depth)
{
    CHECK(!parts->is_open && depth < EXEC__DEPTH_MAX);
    parts->is_open = true;
    parts->depth = depth;
    for (uint32_t i = 0; i < EXEC__FANOUT; i++) {
        parts->open[i].depth = depth + 1;
        for (uint32_t k = 0; k < 2; k++)
            exec__stream_init(&parts->open[i].streams[k], &parts->spill, parts->widths[k]);
    }
}

/* The tables look at the low bits of the hash; each division takes four of the high ones. */
enum status
exec__parts_add(struct exec__parts *parts, uint32_t stream, uint64_t hash, const struct value *row)
{
    uint32_t index = hash >> (60 - 4 * parts->depth) & (EXEC__FANOUT - 1);

    CHECK(parts->is_open);
    return exec__stream_add(&parts->open[index].streams[stream], row);
}

enum status
exec__parts_end(struct exec__parts *parts)
{
    CHECK(parts->is_open);
    for (uint32_t i = 0; i < EXEC__FANOUT; i++) {
        struct exec__part *part = &parts->open[i];

        TRY(exec__stream_finish(&part->streams[0]));
        TRY(exec__stream_finish(&part->streams[1]));
        if (part->streams[0].row_count + part->streams[1].row_count == 0)
            continue;
        CHECK(parts->pending_count < EXEC__FANOUT * EXEC__DEPTH_MAX);
        parts->pending[parts->pending_count++] = *part;
    }
    parts->is_open = false;
    return STATUS_OK;
}

bool
exec__parts_pop(struct exec__parts *parts, struct exec__part *out)
{
    if (parts->pending_count == 0)
        return false;
    *out = parts->pending[--parts->pending_count];
    return true;
}
