/* AGGREGATE: groups in a hash table, in order of appearance; one state a group and call. */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

struct grouping {
    struct exec__table table;
    struct exec__entry *next;
    bool started; /* `next` is the first group to hand out. */
};

static enum status
states_of(struct exec *exec, struct exec__entry *entry)
{
    size_t size = exec->plan->aggregate_count * aggregate_state_size();

    entry->payload = arena_alloc(&exec->held, size);
    return entry->payload == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status
add_row(struct exec *exec, struct grouping *grouping, struct value *keys, const struct value *row)
{
    struct eval eval = exec__eval(exec);
    struct exec__entry *entry = NULL;
    bool is_new = false;

    for (uint32_t i = 0; i < exec->plan->group_count; i++)
        TRY(expr_eval(exec->plan->exprs[i], row, &eval, &keys[i]));
    TRY(exec__table_get(&grouping->table, keys, &entry, &is_new));
    if (is_new)
        TRY(states_of(exec, entry));
    for (uint32_t i = 0; i < exec->plan->aggregate_count; i++)
        TRY(aggregate_add(&exec->plan->aggregates[i], &eval, row, &exec->held,
                          aggregate_at(entry->payload, i)));
    return STATUS_OK;
}

static enum status
take_all(struct exec *exec, struct grouping *grouping)
{
    const struct batch *input;
    struct exec__entry *entry = NULL;
    bool is_new = false;
    struct value *keys = arena_alloc(&exec->held, exec->plan->group_count * sizeof(struct value));

    if (keys == NULL)
        return STATUS_NO_MEMORY;
    exec__table_init(&grouping->table, &exec->held, exec->plan->group_count);
    if (exec->plan->group_count == 0) {
        TRY(exec__table_get(&grouping->table, keys, &entry, &is_new));
        TRY(states_of(exec, entry));
    }
    do {
        TRY(exec_next(exec->input, &input));
        for (uint32_t i = 0; i < input->count; i++)
            TRY(add_row(exec, grouping, keys, exec__row(input, i)));
        TRY(exec__charge(exec));
        arena_reset(&exec->batch.arena);
    } while (input->count > 0);
    exec->holds = true;
    return STATUS_OK;
}

static enum status
next_aggregate(struct exec *exec)
{
    struct grouping *grouping = exec->state;
    const struct plan *plan = exec->plan;
    struct eval eval = exec__eval(exec);

    if (!exec->holds)
        TRY(take_all(exec, grouping));
    if (!grouping->started)
        grouping->next = grouping->table.first;
    grouping->started = true;
    while (grouping->next != NULL && !exec__is_full(exec)) {
        struct value *row = exec__new_row(exec);

        memcpy(row, grouping->next->keys, plan->group_count * sizeof(*row));
        for (uint32_t i = 0; i < plan->aggregate_count; i++)
            TRY(aggregate_finish(&plan->aggregates[i], &eval, &exec->held,
                                 aggregate_at(grouping->next->payload, i),
                                 &row[plan->group_count + i]));
        grouping->next = grouping->next->after;
    }
    exec->done = grouping->next == NULL;
    return STATUS_OK;
}

static void
rewind_aggregate(struct exec *exec)
{
    ((struct grouping *)exec->state)->started = false;
}

const struct exec__class exec__aggregate_class = {
    .state_size = sizeof(struct grouping), .next = next_aggregate, .rescan = rewind_aggregate};
