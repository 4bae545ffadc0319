/*
 * SHARED: one use of a query of WITH whose rows are made once. The query runs as far as its uses have
 * read; each use has a place of its own in the rows. Past the work limit the query runs to its end and
 * the rest of its rows go to a temporary file, which each use reads for itself. What a change in WITH
 * returns has been made whole by the change (exec_parts.c).
 */
#include <string.h>

#include "executor/change_run.h"
#include "executor/exec_private.h"
#include "executor/exec_spill.h"
#include "kernel/base/check.h"

struct exec__shared {
    struct exec *exec; /* The query; NULL: nobody has asked yet. */
    struct exec_rows rows;
    size_t charged;
    bool done;     /* All rows are in `rows` and `rest`. */
    bool has_rest; /* The rows behind `rows` are in `rest`. */
    struct exec__spill spill;
    struct exec__stream rest;
};

/* One use. */
struct shared_use {
    size_t next;    /* Of the rows in memory. */
    bool reads;     /* The reader is begun. */
    bool read_last; /* It has no more. */
    struct exec__reader reader;
};

enum status
exec__open_shared(struct exec_context *context)
{
    uint32_t count = context->planned->shared_count;

    if (count == 0)
        return STATUS_OK;
    context->shared = memory_alloc(context->memory, MEMORY_SQL, count * sizeof(*context->shared));
    if (context->shared == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        arena_init(&context->shared[i].rows.arena, context->memory, MEMORY_SQL);
    return STATUS_OK;
}

void
exec__close_shared(struct exec_context *context)
{
    uint32_t count = context->planned->shared_count;

    if (context->shared == NULL)
        return;
    for (uint32_t i = 0; i < count; i++) {
        struct exec__shared *shared = &context->shared[i];

        if (shared->exec != NULL) {
            exec__stream_deinit(&shared->rest);
            exec__spill_deinit(&shared->spill);
        }
        exec_close(shared->exec);
        arena_deinit(&shared->rows.arena);
    }
    memory_free(context->memory, MEMORY_SQL, context->shared, count * sizeof(*context->shared));
    context->shared = NULL;
}

static enum status
begin(struct exec_context *context, const struct plan *query, struct exec__shared *shared)
{
    TRY(exec_open(context, query, &shared->exec));
    shared->rows.width = query->width;
    exec__spill_init(&shared->spill, shared->exec);
    exec__stream_init(&shared->rest, &shared->spill, query->width);
    return STATUS_OK;
}

/* From the next batch on everything goes to the file. */
static enum status
spill_rest(struct exec__shared *shared)
{
    const struct batch *batch;

    shared->has_rest = true;
    do {
        TRY(exec_next(shared->exec, &batch));
        for (uint32_t i = 0; i < batch->count; i++)
            TRY(exec__stream_add(&shared->rest, exec__row(batch, i)));
    } while (batch->count > 0);
    shared->done = true;
    return exec__stream_finish(&shared->rest);
}

/* Some more rows, or `done`. */
static enum status
make_more(struct exec_context *context, struct exec__shared *shared)
{
    const struct batch *batch;

    TRY(exec_next(shared->exec, &batch));
    for (uint32_t i = 0; i < batch->count; i++)
        TRY(exec__rows_add(&shared->rows, exec__row(batch, i)));
    TRY(exec__charge_arena(context, &shared->rows.arena, &shared->charged));
    shared->done = batch->count == 0;
    if (shared->done || shared->rows.arena.total_size <= exec__work_limit(context))
        return STATUS_OK;
    return spill_rest(shared);
}

static enum status
read_rest(struct exec *exec, const struct exec__shared *shared, struct shared_use *use)
{
    if (!use->reads)
        TRY(exec__reader_init(&use->reader, &shared->rest));
    use->reads = true;
    while (!exec__is_full(exec) && !use->read_last) {
        struct value *row = exec__row(&exec->batch, exec->batch.count);
        bool more = false;

        TRY(exec__reader_next(&use->reader, &exec->batch.arena, row, &more));
        exec->batch.count += more ? 1 : 0;
        use->read_last = !more;
    }
    exec->done = use->read_last;
    return STATUS_OK;
}

static void
copy_rows(struct exec *exec, const struct exec_rows *rows, struct shared_use *use)
{
    while (use->next < rows->count && !exec__is_full(exec))
        memcpy(exec__new_row(exec), rows->rows[use->next++],
               exec->plan->width * sizeof(struct value));
}

static enum status
next_returned(struct exec *exec)
{
    struct shared_use *use = exec->state;
    const struct exec_rows *rows = NULL;

    TRY(exec__part_rows(exec->context, exec->plan->shared->part, &rows));
    copy_rows(exec, rows, use);
    exec->done = use->next == rows->count;
    return STATUS_OK;
}

static enum status
next_shared(struct exec *exec)
{
    struct exec_context *context = exec->context;
    uint32_t index = exec->plan->shared->index;
    struct exec__shared *shared = &context->shared[index];
    struct shared_use *use = exec->state;

    if (exec->plan->shared->is_change)
        return next_returned(exec);
    if (shared->exec == NULL)
        TRY(begin(context, context->planned->shared[index], shared));
    if (use->next == shared->rows.count && !shared->done)
        TRY(make_more(context, shared));
    copy_rows(exec, &shared->rows, use);
    if (use->next < shared->rows.count || exec->batch.count > 0)
        return STATUS_OK;
    if (shared->has_rest)
        return read_rest(exec, shared, use);
    exec->done = shared->done;
    return STATUS_OK;
}

static void
end_use(struct exec *exec)
{
    struct shared_use *use = exec->state;

    exec__reader_deinit(&use->reader);
    *use = (struct shared_use){.next = 0};
}

const struct exec__class exec__shared_class = {.state_size = sizeof(struct shared_use),
                                               .next = next_shared,
                                               .rescan = end_use,
                                               .close = end_use};
