/*
 * WINDOW: the sorted rows of one partition are held, then handed out with the results of the calls.
 *
 * Peers (rows equal in all sort keys) are numbered groups; `starts` has each group's first row. A frame
 * is a range of rows, less what is excluded. An aggregate's state goes on from row to row while the
 * frame only grows at its end, or shrinks at its start where values can be taken out again (counts and
 * sums of integers); otherwise it begins anew.
 *
 * Rows of a batch borrow from the partition, so partitions are let go at the start of a call, when
 * enough has come together.
 */
#include "executor/exec_window.h"

#include <string.h>

#include "kernel/base/check.h"

enum { RELEASE_SIZE = 256 * 1024 };

/* Partitions. */

static bool
same_keys(const struct plan *plan, uint32_t from, uint32_t to, const struct value *left,
          const struct value *right)
{
    for (uint32_t i = from; i < to; i++) {
        uint32_t column = plan->sort_keys[i].column;

        if (exec__compare(&left[column], &right[column], false) != 0)
            return false;
    }
    return true;
}

static enum status
reserve(struct exec *exec, struct exec__partition *partition)
{
    size_t capacity = partition->capacity == 0 ? 64 : 2 * partition->capacity;
    struct value **rows = arena_alloc(&exec->held, capacity * sizeof(struct value *));
    size_t *groups = arena_alloc(&exec->held, capacity * sizeof(size_t));
    size_t *starts = arena_alloc(&exec->held, (capacity + 1) * sizeof(size_t));

    if (rows == NULL || groups == NULL || starts == NULL)
        return STATUS_NO_MEMORY;
    if (partition->count > 0) {
        memcpy(rows, partition->rows, partition->count * sizeof(struct value *));
        memcpy(groups, partition->groups, partition->count * sizeof(size_t));
        memcpy(starts, partition->starts, partition->group_count * sizeof(size_t));
    }
    partition->rows = rows;
    partition->groups = groups;
    partition->starts = starts;
    partition->capacity = capacity;
    return STATUS_OK;
}

static enum status
hold_row(struct exec *exec, struct exec__partition *partition, const struct value *row)
{
    const struct plan *plan = exec->plan;
    size_t index = partition->count;

    if (index == partition->capacity)
        TRY(reserve(exec, partition));
    TRY(exec__keep_row(row, plan->input->width, &exec->held, &partition->rows[index]));
    if (index == 0 ||
        !same_keys(plan, plan->group_count, plan->sort_count, partition->rows[index - 1], row))
        partition->starts[partition->group_count++] = index;
    partition->groups[index] = partition->group_count - 1;
    partition->count++;
    return STATUS_OK;
}

static enum status
next_input(struct exec *exec, struct exec__window *window)
{
    if (window->input != NULL && window->input_next < window->input->count)
        return STATUS_OK;
    window->input_next = 0;
    TRY(exec_next(exec->input, &window->input));
    window->input_done = window->input->count == 0;
    return exec__charge(exec);
}

/* Takes rows up to the first of the next partition. */
static enum status
take_partition(struct exec *exec, struct exec__window *window)
{
    struct exec__partition *partition = &window->partition;
    const struct plan *plan = exec->plan;

    *partition = (struct exec__partition){.count = 0};
    for (;;) {
        TRY(next_input(exec, window));
        if (window->input_done)
            break;
        const struct value *row = exec__row(window->input, window->input_next);
        if (partition->count > 0 && !same_keys(plan, 0, plan->group_count, partition->rows[0], row))
            break;
        TRY(hold_row(exec, partition, row));
        window->input_next++;
    }
    if (partition->count == 0)
        return STATUS_OK;
    partition->starts[partition->group_count] = partition->count;
    window->calls = arena_alloc(&exec->held, plan->window_count * sizeof(*window->calls));
    if (window->calls == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < plan->window_count; i++) {
        window->calls[i].aggregate = arena_alloc(&exec->held, aggregate_state_size());
        if (window->calls[i].aggregate == NULL)
            return STATUS_NO_MEMORY;
    }
    return exec__charge(exec);
}

/* Aggregates over a frame. */

static enum status
add_rows(struct exec *exec, struct exec__window *window, const struct rel_aggregate *call,
         struct exec__window_call *state, size_t index, const struct exec__frame *frame,
         size_t from)
{
    struct eval eval = exec__eval(exec);

    eval.arena = &window->scratch;
    for (size_t i = from; i < frame->end; i++) {
        if (frame->excludes && exec__window_excludes(&window->partition, frame, index, i))
            continue;
        TRY(aggregate_add(call, &eval, window->partition.rows[i], &exec->held,
                          aggregate_at(state->aggregate, 0)));
        if (window->scratch.total_size > RELEASE_SIZE)
            arena_reset(&window->scratch);
        if (i % EXEC_BATCH_ROWS == 0)
            TRY(exec__check_interrupt(exec->context));
    }
    return STATUS_OK;
}

static bool
continues(const struct rel_aggregate *call, const struct exec__window_call *state,
          const struct exec__frame *frame)
{
    if (!state->started || frame->excludes || state->frame.excludes ||
        frame->end < state->frame.end || frame->start < state->frame.start)
        return false;
    return frame->start == state->frame.start ||
           (frame->start < state->frame.end && aggregate_is_removable(call));
}

static enum status
eval_aggregate(struct exec *exec, struct exec__window *window, const struct rel_window *call,
               struct exec__window_call *state, size_t index, const struct exec__frame *frame,
               struct value *out)
{
    struct aggregate_state *aggregate = aggregate_at(state->aggregate, 0);
    struct eval eval = exec__eval(exec);
    size_t from = frame->start;

    arena_reset(&window->scratch);
    eval.arena = &window->scratch;
    if (continues(&call->aggregate, state, frame)) {
        for (size_t i = state->frame.start; i < frame->start; i++)
            TRY(aggregate_remove(&call->aggregate, &eval, window->partition.rows[i], aggregate));
        from = state->frame.end;
    } else {
        aggregate_restart(aggregate);
    }
    state->started = true;
    state->frame = *frame;
    TRY(add_rows(exec, window, &call->aggregate, state, index, frame, from));
    TRY(exec__charge(exec));
    TRY(aggregate_finish(&call->aggregate, &eval, &exec->held, aggregate, out));
    /* The state goes on changing what the result borrows from. */
    return exec__keep_value(out, &exec->batch.arena, out);
}

/* Life. */

static enum status
eval_row(struct exec *exec, struct exec__window *window, size_t index, struct value *out)
{
    const struct plan *plan = exec->plan;

    for (uint32_t i = 0; i < plan->window_count; i++) {
        const struct rel_window *call = &plan->windows[i];
        struct exec__frame frame = {.start = 0};

        if (exec__window_has_frame(call->kind))
            TRY(exec__window_frame(exec, window, call, index, &frame));
        if (call->kind == REL_WINDOW_AGGREGATE)
            TRY(eval_aggregate(exec, window, call, &window->calls[i], index, &frame, &out[i]));
        else
            TRY(exec__window_function(exec, window, call, index, &frame, &out[i]));
    }
    return STATUS_OK;
}

static enum status
next_window(struct exec *exec)
{
    struct exec__window *window = exec->state;
    uint32_t width = exec->plan->input->width;

    if (window->next == window->partition.count && exec->held.total_size > RELEASE_SIZE)
        exec__release(exec);
    while (!exec__is_full(exec)) {
        if (window->next == window->partition.count) {
            /* What is in the batch borrows from what is held. */
            if (exec->batch.count > 0 && exec->held.total_size > RELEASE_SIZE)
                return STATUS_OK;
            window->next = 0;
            TRY(take_partition(exec, window));
            exec->done = window->partition.count == 0;
            if (exec->done)
                return STATUS_OK;
        }
        struct value *row = exec__new_row(exec);
        memcpy(row, window->partition.rows[window->next], width * sizeof(*row));
        TRY(eval_row(exec, window, window->next, row + width));
        window->next++;
    }
    return STATUS_OK;
}

static enum status
open_window(struct exec *exec)
{
    struct exec__window *window = exec->state;

    arena_init(&window->scratch, exec->context->memory, MEMORY_SQL);
    return STATUS_OK;
}

static void
rewind_window(struct exec *exec)
{
    struct exec__window *window = exec->state;

    window->input = NULL;
    window->input_done = false;
    window->next = 0;
    window->partition = (struct exec__partition){.count = 0};
    exec__release(exec);
}

static void
close_window(struct exec *exec)
{
    arena_deinit(&((struct exec__window *)exec->state)->scratch);
}

const struct exec__class exec__window_class = {.state_size = sizeof(struct exec__window),
                                               .open = open_window,
                                               .next = next_window,
                                               .rescan = rewind_window,
                                               .close = close_window};
