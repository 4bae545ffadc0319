/*
 * WITH RECURSIVE: the first rows go to the work table, then the second half runs over it again and
 * again until it gives nothing new. Without ALL a row that was seen is dropped.
 */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

struct recursion {
    struct exec_rows rows[2]; /* The work table and the one being filled, in turns. */
    size_t charged[2];
    uint32_t filling;
    bool started;
    size_t next; /* Of the rows made last. */
    struct exec__table seen;
};

static enum status
open_recursive(struct exec *exec)
{
    struct recursion *recursion = exec->state;

    for (uint32_t i = 0; i < 2; i++) {
        arena_init(&recursion->rows[i].arena, exec->context->memory, MEMORY_SQL);
        recursion->rows[i].width = exec->plan->width;
    }
    return STATUS_OK;
}

static void
empty(struct exec *exec, struct recursion *recursion, uint32_t index)
{
    struct exec_rows *rows = &recursion->rows[index];

    arena_reset(&rows->arena);
    rows->rows = NULL;
    rows->count = rows->capacity = 0;
    exec->context->held_size -= recursion->charged[index];
    recursion->charged[index] = 0;
}

static enum status
fill(struct exec *exec, struct recursion *recursion, struct exec *from)
{
    uint32_t filling = recursion->filling;
    const struct batch *input;

    empty(exec, recursion, filling);
    do {
        TRY(exec_next(from, &input));
        for (uint32_t i = 0; i < input->count; i++) {
            struct exec__entry *entry = NULL;
            bool is_new = true;

            if (!exec->plan->all)
                TRY(exec__table_get(&recursion->seen, exec__row(input, i), &entry, &is_new));
            if (is_new)
                TRY(exec__rows_add(&recursion->rows[filling], exec__row(input, i)));
        }
        TRY(exec__charge(exec));
        TRY(exec__charge_arena(exec->context, &recursion->rows[filling].arena,
                               &recursion->charged[filling]));
    } while (input->count > 0);
    return STATUS_OK;
}

static enum status
make_rows(struct exec *exec, struct recursion *recursion)
{
    enum status status;
    struct exec__work *work = &exec->context->works[exec->plan->work_index];

    recursion->next = 0;
    if (!recursion->started) {
        recursion->started = true;
        recursion->filling = 0;
        exec__table_init(&recursion->seen, &exec->held, exec->plan->width);
        return fill(exec, recursion, exec->input);
    }
    struct exec_rows *before = work->rows;
    work->rows = &recursion->rows[recursion->filling];
    recursion->filling = 1 - recursion->filling;
    exec__forget_subqueries(exec->context);
    exec_rescan(exec->right);
    status = fill(exec, recursion, exec->right);
    work->rows = before;
    return status;
}

static enum status
next_recursive(struct exec *exec)
{
    struct recursion *recursion = exec->state;
    struct exec_rows *rows = &recursion->rows[recursion->filling];

    if (!recursion->started || recursion->next == rows->count) {
        TRY(make_rows(exec, recursion));
        rows = &recursion->rows[recursion->filling];
        exec->done = rows->count == 0;
    }
    while (recursion->next < rows->count && !exec__is_full(exec))
        memcpy(exec__new_row(exec), rows->rows[recursion->next++],
               exec->plan->width * sizeof(struct value));
    return STATUS_OK;
}

static void
rewind_recursive(struct exec *exec)
{
    struct recursion *recursion = exec->state;

    recursion->started = false;
    recursion->next = 0;
    empty(exec, recursion, 0);
    empty(exec, recursion, 1);
    exec__release(exec);
}

static void
close_recursive(struct exec *exec)
{
    struct recursion *recursion = exec->state;

    for (uint32_t i = 0; i < 2; i++) {
        exec->context->held_size -= recursion->charged[i];
        arena_deinit(&recursion->rows[i].arena);
    }
}

const struct exec__class exec__recursive_class = {.state_size = sizeof(struct recursion),
                                                  .open = open_recursive,
                                                  .next = next_recursive,
                                                  .rescan = rewind_recursive,
                                                  .close = close_recursive};
