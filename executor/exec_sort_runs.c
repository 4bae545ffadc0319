/*
 * Runs of an external sort. Runs stand in the order of their rows' arrival; as many of one level as may
 * be merged at once become one of the next, so that there are never many, and rows that are equal keep
 * their order. The space of runs that were merged is free when the node ends, not before.
 */
#include "executor/exec_sort.h"

#include <string.h>

#include "kernel/base/check.h"

void
exec__runs_init(struct exec__runs *runs, struct exec *exec)
{
    runs->exec = exec;
    runs->count = 0;
    runs->merge = (struct exec__merge){.count = 0};
    exec__spill_init(&runs->spill, exec);
}

/* Merging. */

static size_t
merge_size(const struct exec__merge *merge)
{
    return merge->count * (sizeof(*merge->cursors) + sizeof(*merge->heap));
}

static void
merge_end(struct exec__runs *runs)
{
    struct exec__merge *merge = &runs->merge;

    for (uint32_t i = 0; i < merge->count; i++) {
        exec__reader_deinit(&merge->cursors[i].reader);
        arena_deinit(&merge->cursors[i].arena);
    }
    if (merge->cursors != NULL)
        memory_free(runs->exec->context->memory, MEMORY_SQL, merge->cursors, merge_size(merge));
    *merge = (struct exec__merge){.count = 0};
}

static bool
is_before(const struct exec__runs *runs, uint32_t left, uint32_t right)
{
    const struct exec__run_cursor *a = &runs->merge.cursors[left], *b = &runs->merge.cursors[right];
    const struct plan *plan = runs->exec->plan;
    int order;

    if (a->prefix != b->prefix)
        return a->prefix < b->prefix;
    order = exec__compare_rows(plan->sort_keys, plan->sort_count, a->row, b->row);
    return order != 0 ? order < 0 : left < right;
}

static void
sift_down(struct exec__runs *runs, uint32_t place)
{
    struct exec__merge *merge = &runs->merge;
    uint32_t moved = merge->heap[place];

    for (;;) {
        uint32_t child = 2 * place + 1;

        if (child >= merge->left)
            break;
        if (child + 1 < merge->left && is_before(runs, merge->heap[child + 1], merge->heap[child]))
            child++;
        if (!is_before(runs, merge->heap[child], moved))
            break;
        merge->heap[place] = merge->heap[child];
        place = child;
    }
    merge->heap[place] = moved;
}

static enum status
advance(struct exec__runs *runs, struct exec__run_cursor *cursor)
{
    arena_reset(&cursor->arena);
    cursor->row = arena_alloc(&cursor->arena, runs->exec->plan->width * sizeof(*cursor->row));
    if (cursor->row == NULL)
        return STATUS_NO_MEMORY;
    TRY(exec__reader_next(&cursor->reader, &cursor->arena, cursor->row, &cursor->more));
    if (cursor->more)
        cursor->prefix = exec__sort_prefix(runs->exec->plan, cursor->row);
    return STATUS_OK;
}

/* Of the runs from `first` on. */
static enum status
merge_begin(struct exec__runs *runs, uint32_t first)
{
    struct exec__merge *merge = &runs->merge;
    struct memory *memory = runs->exec->context->memory;

    merge_end(runs);
    merge->count = runs->count - first;
    merge->cursors = memory_alloc(memory, MEMORY_SQL, merge_size(merge));
    if (merge->cursors == NULL) {
        merge->count = 0;
        return STATUS_NO_MEMORY;
    }
    merge->heap = (uint32_t *)(void *)(merge->cursors + merge->count);
    for (uint32_t i = 0; i < merge->count; i++)
        arena_init(&merge->cursors[i].arena, memory, MEMORY_SQL);
    for (uint32_t i = 0; i < merge->count; i++) {
        TRY(exec__reader_init(&merge->cursors[i].reader, &runs->runs[first + i].stream));
        TRY(advance(runs, &merge->cursors[i]));
        if (merge->cursors[i].more)
            merge->heap[merge->left++] = i;
    }
    for (uint32_t i = merge->left / 2; i > 0; i--)
        sift_down(runs, i - 1);
    return STATUS_OK;
}

/* The least row is that of heap[0]; takes it off. */
static enum status
merge_pop(struct exec__runs *runs)
{
    struct exec__merge *merge = &runs->merge;
    struct exec__run_cursor *cursor = &merge->cursors[merge->heap[0]];

    TRY(advance(runs, cursor));
    if (!cursor->more)
        merge->heap[0] = merge->heap[--merge->left];
    if (merge->left > 0)
        sift_down(runs, 0);
    return STATUS_OK;
}

/* Runs from `first` on become one. */
static enum status
merge_into_one(struct exec__runs *runs, uint32_t first)
{
    struct exec__run merged = {.level = runs->runs[first].level + 1};
    enum status status;

    exec__stream_init(&merged.stream, &runs->spill, runs->exec->plan->width);
    TRY_OUT(merge_begin(runs, first));
    while (runs->merge.left > 0) {
        TRY_OUT(exec__stream_add(&merged.stream, runs->merge.cursors[runs->merge.heap[0]].row));
        TRY_OUT(merge_pop(runs));
        if (merged.stream.row_count % EXEC_BATCH_ROWS == 0)
            TRY_OUT(exec__check_interrupt(runs->exec->context));
    }
    TRY_OUT(exec__stream_finish(&merged.stream));
    merge_end(runs);
    runs->count = first;
    runs->runs[runs->count++] = merged;
    return STATUS_OK;
out:
    exec__stream_deinit(&merged.stream);
    return status;
}

/* Runs of the last one's level at the end of the list. */
static uint32_t
same_level(const struct exec__runs *runs)
{
    uint32_t first = runs->count - 1;

    while (first > 0 && runs->runs[first - 1].level == runs->runs[runs->count - 1].level)
        first--;
    return runs->count - first;
}

/* Runs. */

static enum status
write_run(struct exec__stream *stream, const struct exec__sort_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        TRY(exec__stream_add(stream, entries[i].row));
    return exec__stream_finish(stream);
}

enum status
exec__runs_add(struct exec__runs *runs, const struct exec__sort_entry *entries, size_t count)
{
    struct exec__run *run = &runs->runs[runs->count];

    CHECK(runs->count < EXEC__RUNS_MAX);
    *run = (struct exec__run){.level = 0};
    exec__stream_init(&run->stream, &runs->spill, runs->exec->plan->width);
    enum status status = write_run(&run->stream, entries, count);
    if (status != STATUS_OK) {
        exec__stream_deinit(&run->stream);
        return status;
    }
    runs->count++;
    while (same_level(runs) == EXEC__MERGE_RUNS)
        TRY(merge_into_one(runs, runs->count - EXEC__MERGE_RUNS));
    return runs->count < EXEC__RUNS_MAX
               ? STATUS_OK
               : sql_error_set(runs->exec->context->error, "53200", -1,
                               "the sort has too many rows for its memory limit");
}

enum status
exec__runs_rewind(struct exec__runs *runs)
{
    while (runs->count > EXEC__MERGE_RUNS)
        TRY(merge_into_one(runs, runs->count - EXEC__MERGE_RUNS));
    return merge_begin(runs, 0);
}

enum status
exec__runs_next(struct exec__runs *runs, struct arena *arena, struct value *row, bool *out)
{
    struct exec__merge *merge = &runs->merge;

    *out = merge->left > 0;
    if (!*out)
        return STATUS_OK;
    const struct value *least = merge->cursors[merge->heap[0]].row;
    for (uint32_t i = 0; i < runs->exec->plan->width; i++)
        TRY(exec__keep_value(&least[i], arena, &row[i]));
    return merge_pop(runs);
}

void
exec__runs_deinit(struct exec__runs *runs)
{
    if (runs->exec == NULL)
        return;
    merge_end(runs);
    runs->count = 0;
    exec__spill_deinit(&runs->spill);
}
