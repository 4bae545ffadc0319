/*
 * AGGREGATE: groups in a hash table, in order of appearance; one state a group and call. With grouping
 * sets every row goes into one group of each set: the groups outside the set are null, and the set's
 * number is one more key.
 */
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
add_to_group(struct exec *exec, struct grouping *grouping, const struct value *keys,
             const struct value *row)
{
    struct eval eval = exec__eval(exec);
    struct exec__entry *entry = NULL;
    bool is_new = false;

    TRY(exec__table_get(&grouping->table, keys, &entry, &is_new));
    if (is_new)
        TRY(states_of(exec, entry));
    for (uint32_t i = 0; i < exec->plan->aggregate_count; i++) {
        if (exec->plan->aggregates[i].kind != REL_GROUPING)
            TRY(aggregate_add(&exec->plan->aggregates[i], &eval, row, &exec->held,
                              aggregate_at(entry->payload, i)));
    }
    return STATUS_OK;
}

/* The keys of one grouping set, from those of all groups. */
static void
keys_of_set(const struct plan *plan, uint32_t set, const struct value *all, struct value *out)
{
    for (uint32_t i = 0; i < plan->group_count; i++)
        out[i] = (plan->sets[set] >> i & 1) != 0 ? all[i] : value_null(plan->exprs[i]->type.type);
    out[plan->group_count] = value_integer(QTDB_TYPE_INT4, set);
}

static enum status
add_row(struct exec *exec, struct grouping *grouping, struct value *keys, const struct value *row)
{
    const struct plan *plan = exec->plan;
    struct eval eval = exec__eval(exec);
    struct value *of_set = keys + plan->group_count;

    for (uint32_t i = 0; i < plan->group_count; i++)
        TRY(expr_eval(plan->exprs[i], row, &eval, &keys[i]));
    if (plan->set_count == 0)
        return add_to_group(exec, grouping, keys, row);
    for (uint32_t i = 0; i < plan->set_count; i++) {
        keys_of_set(plan, i, keys, of_set);
        TRY(add_to_group(exec, grouping, of_set, row));
    }
    return STATUS_OK;
}

/* The group of all rows is there even when there are none. */
static enum status
add_empty_groups(struct exec *exec, struct grouping *grouping, struct value *keys)
{
    const struct plan *plan = exec->plan;
    struct exec__entry *entry = NULL;
    bool is_new = false;

    for (uint32_t i = 0; i < plan->set_count; i++) {
        if (plan->sets[i] != 0)
            continue;
        keys_of_set(plan, i, keys, keys + plan->group_count);
        TRY(exec__table_get(&grouping->table, keys + plan->group_count, &entry, &is_new));
        TRY(states_of(exec, entry));
    }
    if (plan->set_count > 0 || plan->group_count > 0)
        return STATUS_OK;
    TRY(exec__table_get(&grouping->table, keys, &entry, &is_new));
    return states_of(exec, entry);
}

static enum status
take_all(struct exec *exec, struct grouping *grouping)
{
    const struct batch *input;
    uint32_t group_count = exec->plan->group_count;
    struct value *keys = arena_alloc(&exec->held, (2 * group_count + 1) * sizeof(*keys));

    if (keys == NULL)
        return STATUS_NO_MEMORY;
    exec__table_init(&grouping->table, &exec->held,
                     group_count + (exec->plan->set_count > 0 ? 1 : 0));
    TRY(add_empty_groups(exec, grouping, keys));
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
finish_group(struct exec *exec, struct exec__entry *entry, struct value *out)
{
    const struct plan *plan = exec->plan;
    struct eval eval = exec__eval(exec);
    int64_t set = plan->set_count > 0 ? entry->keys[plan->group_count].integer : 0;

    for (uint32_t i = 0; i < plan->aggregate_count; i++) {
        const struct rel_aggregate *call = &plan->aggregates[i];

        if (call->kind == REL_GROUPING)
            out[i] = value_integer(QTDB_TYPE_INT4, call->groupings[set]);
        else
            TRY(aggregate_finish(call, &eval, &exec->held, aggregate_at(entry->payload, i),
                                 &out[i]));
    }
    return STATUS_OK;
}

static enum status
next_aggregate(struct exec *exec)
{
    struct grouping *grouping = exec->state;
    const struct plan *plan = exec->plan;

    if (!exec->holds)
        TRY(take_all(exec, grouping));
    if (!grouping->started)
        grouping->next = grouping->table.first;
    grouping->started = true;
    while (grouping->next != NULL && !exec__is_full(exec)) {
        struct value *row = exec__new_row(exec);

        memcpy(row, grouping->next->keys, plan->group_count * sizeof(*row));
        TRY(finish_group(exec, grouping->next, row + plan->group_count));
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
