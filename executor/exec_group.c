/*
 * GROUP: an aggregation whose input comes in the order of the group's keys, which are kept as integers:
 * one group is under way at a time, so that no table is held. A group ends with the first row of the
 * next one; its states are used again.
 */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

struct group {
    const struct batch *input; /* NULL: fetch the first one. */
    uint32_t next;             /* Row of it. */
    bool has_group;
    bool input_done;
    struct value *keys; /* Of the group under way, then those of the present row; in `held`. */
    void *states;       /* In `held`, as what they grow. */
    enum aggregate_shape *shapes; /* One a call. */
    struct arena *scratch;        /* For one input batch. */
    struct arena scratch_arena;
};

static enum status
open_group(struct exec *exec)
{
    struct group *group = exec->state;

    group->scratch = &group->scratch_arena;
    arena_init(group->scratch, exec->context->memory, MEMORY_SQL);
    return STATUS_OK;
}

static void
close_group(struct exec *exec)
{
    struct group *group = exec->state;

    if (group->scratch != NULL)
        arena_deinit(group->scratch);
}

static enum status
begin(struct exec *exec, struct group *group)
{
    const struct plan *plan = exec->plan;

    group->keys = arena_alloc(&exec->held, 2 * (size_t)plan->group_count * sizeof(*group->keys));
    group->states = arena_alloc(&exec->held, plan->aggregate_count * aggregate_state_size());
    group->shapes = arena_alloc(&exec->held, (plan->aggregate_count + 1) * sizeof(*group->shapes));
    if (group->keys == NULL || group->states == NULL || group->shapes == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < plan->aggregate_count; i++)
        group->shapes[i] = aggregate_shape(&plan->aggregates[i]);
    exec->holds = true;
    return exec__charge(exec);
}

/* The group that ends becomes a row. */
static enum status
finish(struct exec *exec, struct group *group)
{
    const struct plan *plan = exec->plan;
    struct eval eval = exec__eval(exec);
    struct value *row = exec__new_row(exec);

    memcpy(row, group->keys, plan->group_count * sizeof(*row));
    for (uint32_t i = 0; i < plan->aggregate_count; i++) {
        struct aggregate_state *state = aggregate_at(group->states, i);
        struct value value;

        TRY(aggregate_finish(&plan->aggregates[i], &eval, &exec->held, state, &value));
        TRY(exec__keep_value(&value, &exec->batch.arena, &row[plan->group_count + i]));
        aggregate_restart(state);
    }
    group->has_group = false;
    return STATUS_OK;
}

static bool
same_keys(const struct value *left, const struct value *right, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (left[i].null != right[i].null || (!left[i].null && left[i].integer != right[i].integer))
            return false;
    }
    return true;
}

/* Takes the row; a group that it does not belong to ends. */
static enum status
take_row(struct exec *exec, struct group *group, const struct value *row)
{
    const struct plan *plan = exec->plan;
    struct eval eval = exec__eval(exec);
    struct value *keys = group->keys + plan->group_count;

    eval.arena = group->scratch;
    for (uint32_t i = 0; i < plan->group_count; i++)
        TRY(expr_eval(plan->exprs[i], row, &eval, &keys[i]));
    if (group->has_group && !same_keys(group->keys, keys, plan->group_count))
        TRY(finish(exec, group));
    if (!group->has_group)
        memcpy(group->keys, keys, plan->group_count * sizeof(*keys));
    group->has_group = true;
    for (uint32_t i = 0; i < plan->aggregate_count; i++)
        TRY(aggregate_add_shaped(&plan->aggregates[i], group->shapes[i], &eval, row, &exec->held,
                                 aggregate_at(group->states, i)));
    return STATUS_OK;
}

static enum status
next_input(struct exec *exec, struct group *group)
{
    arena_reset(group->scratch);
    TRY(exec__charge(exec));
    TRY(exec_next(exec->input, &group->input));
    group->next = 0;
    group->input_done = group->input->count == 0;
    return STATUS_OK;
}

static enum status
next_group(struct exec *exec)
{
    struct group *group = exec->state;

    if (!exec->holds)
        TRY(begin(exec, group));
    while (!exec__is_full(exec) && !group->input_done) {
        if (group->input == NULL || group->next == group->input->count)
            TRY(next_input(exec, group));
        else
            TRY(take_row(exec, group, exec__row(group->input, group->next++)));
    }
    if (group->input_done && group->has_group && !exec__is_full(exec))
        TRY(finish(exec, group));
    exec->done = group->input_done && !group->has_group;
    return STATUS_OK;
}

static void
rewind_group(struct exec *exec)
{
    struct group *group = exec->state;

    group->input = NULL;
    group->has_group = group->input_done = false;
    exec__release(exec);
}

const struct exec__class exec__group_class = {.state_size = sizeof(struct group),
                                              .open = open_group,
                                              .next = next_group,
                                              .rescan = rewind_group,
                                              .close = close_group};
