/*
 * AGGREGATE: groups in a hash table, in order of appearance; one state a group and call. With grouping
 * sets every row goes into one group of each set: the groups outside the set are null, and the set's
 * number is one more key.
 *
 * When the table has grown past the work limit, only groups that are in it take further rows; those of
 * other groups are put off, divided by the hash of their keys, and grouped when the groups of the table
 * have been handed out.
 */
#include <string.h>

#include "executor/exec_partition.h"
#include "kernel/base/check.h"

struct grouping {
    struct exec__table table;
    struct exec__entry *next;
    bool started; /* `next` is the first group to hand out. */
    struct value *keys;
    enum aggregate_shape *shapes; /* One a call. */
    struct exec__parts *parts;    /* NULL: everything fits so far. */
    uint32_t depth;               /* Of the rows being grouped. */
    struct value *put_off;        /* A row and its grouping set. */
};

static enum status
states_of(struct exec *exec, struct exec__entry *entry)
{
    size_t size = exec->plan->aggregate_count * aggregate_state_size();

    entry->payload = arena_alloc(&exec->held, size);
    return entry->payload == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status
put_off(struct exec *exec, struct grouping *grouping, const struct value *keys, uint32_t set,
        const struct value *row)
{
    uint32_t width = exec->plan->input->width;

    memcpy(grouping->put_off, row, width * sizeof(*row));
    grouping->put_off[width] = value_integer(QTDB_TYPE_INT4, set);
    return exec__parts_add(grouping->parts, 0, exec__hash_keys(keys, grouping->table.width),
                           grouping->put_off);
}

static enum status
add_to_group(struct exec *exec, struct grouping *grouping, struct eval *eval,
             const struct value *keys, uint32_t set, const struct value *row)
{
    struct exec__entry *entry = NULL;
    bool is_new = false;

    if (grouping->parts != NULL && grouping->parts->is_open) {
        entry = exec__table_find(&grouping->table, keys);
        if (entry == NULL)
            return put_off(exec, grouping, keys, set, row);
    } else {
        TRY(exec__table_get(&grouping->table, keys, &entry, &is_new));
    }
    if (is_new)
        TRY(states_of(exec, entry));
    for (uint32_t i = 0; i < exec->plan->aggregate_count; i++) {
        if (exec->plan->aggregates[i].kind != REL_GROUPING)
            TRY(aggregate_add_shaped(&exec->plan->aggregates[i], grouping->shapes[i], eval, row,
                                     &exec->held, aggregate_at(entry->payload, i)));
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

/* `only` of the grouping sets, or UINT32_MAX for all of them. */
static enum status
add_row(struct exec *exec, struct grouping *grouping, struct eval *eval, uint32_t only,
        const struct value *row)
{
    const struct plan *plan = exec->plan;
    struct value *keys = grouping->keys, *of_set = keys + plan->group_count;

    for (uint32_t i = 0; i < plan->group_count; i++)
        TRY(expr_eval(plan->exprs[i], row, eval, &keys[i]));
    if (plan->set_count == 0)
        return add_to_group(exec, grouping, eval, keys, 0, row);
    for (uint32_t i = 0; i < plan->set_count; i++) {
        if (only != UINT32_MAX && only != i)
            continue;
        keys_of_set(plan, i, keys, of_set);
        TRY(add_to_group(exec, grouping, eval, of_set, i, row));
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

/* An empty table, and scratch beside it. */
static enum status
begin_table(struct exec *exec, struct grouping *grouping)
{
    const struct plan *plan = exec->plan;
    uint32_t key_count = 2 * plan->group_count + 1;

    grouping->keys =
        arena_alloc(&exec->held, (key_count + plan->input->width + 1) * sizeof(*grouping->keys));
    grouping->shapes =
        arena_alloc(&exec->held, (plan->aggregate_count + 1) * sizeof(*grouping->shapes));
    if (grouping->keys == NULL || grouping->shapes == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < plan->aggregate_count; i++)
        grouping->shapes[i] = aggregate_shape(&plan->aggregates[i]);
    grouping->put_off = grouping->keys + key_count;
    exec__table_init(&grouping->table, &exec->held,
                     plan->group_count + (plan->set_count > 0 ? 1 : 0));
    return STATUS_OK;
}

/* After some rows: past the limit, rows of new groups are put off from here on. */
static enum status
check_size(struct exec *exec, struct grouping *grouping)
{
    uint32_t width = exec->plan->input->width;

    arena_reset(&exec->batch.arena);
    if (exec->held.total_size > exec__work_limit(exec->context) &&
        grouping->depth < EXEC__DEPTH_MAX && grouping->table.count > 1) {
        if (grouping->parts == NULL)
            grouping->parts = exec__parts_new(exec, width + 1, 0);
        if (grouping->parts == NULL)
            return STATUS_NO_MEMORY;
        if (!grouping->parts->is_open)
            exec__parts_begin(grouping->parts, grouping->depth);
    }
    return exec__charge(exec);
}

static enum status
end_table(struct exec *exec, struct grouping *grouping)
{
    exec->holds = true;
    grouping->started = false;
    return grouping->parts != NULL && grouping->parts->is_open ? exec__parts_end(grouping->parts)
                                                               : STATUS_OK;
}

/* All rows are one group: each aggregate takes the whole batch. */
static enum status
add_batch(struct exec *exec, const struct grouping *grouping, const struct batch *batch)
{
    struct eval eval = exec__eval(exec);

    for (uint32_t i = 0; i < exec->plan->aggregate_count; i++) {
        if (exec->plan->aggregates[i].kind != REL_GROUPING)
            TRY(aggregate_add_batch(&exec->plan->aggregates[i], &eval, batch, &exec->held,
                                    aggregate_at(grouping->table.first->payload, i)));
    }
    return STATUS_OK;
}

static enum status
take_all(struct exec *exec, struct grouping *grouping)
{
    bool is_one = exec->plan->group_count == 0 && exec->plan->set_count == 0;
    struct eval eval = exec__eval(exec);
    const struct batch *input;

    exec__parts_free(grouping->parts);
    grouping->parts = NULL;
    grouping->depth = 0;
    exec->input->counts =
        is_one && exec->input->plan->kind == PLAN_SCAN && exec->input->plan->width == 0;
    TRY(begin_table(exec, grouping));
    TRY(add_empty_groups(exec, grouping, grouping->keys));
    do {
        TRY(exec_next(exec->input, &input));
        if (is_one)
            TRY(add_batch(exec, grouping, input));
        for (uint32_t i = 0; i < input->count && !is_one; i++)
            TRY(add_row(exec, grouping, &eval, UINT32_MAX, exec__row(input, i)));
        TRY(check_size(exec, grouping));
    } while (input->count > 0);
    return end_table(exec, grouping);
}

static enum status
read_part(struct exec *exec, struct grouping *grouping, struct exec__reader *reader,
          struct value *row)
{
    uint32_t width = exec->plan->input->width;
    struct eval eval = exec__eval(exec);
    bool more = true;

    for (uint64_t i = 1; more; i++) {
        TRY(exec__reader_next(reader, &exec->batch.arena, row, &more));
        if (more)
            TRY(add_row(exec, grouping, &eval, (uint32_t)row[width].integer, row));
        if (i % EXEC_BATCH_ROWS == 0 || !more) {
            TRY(check_size(exec, grouping));
            TRY(exec__check_interrupt(exec->context));
        }
    }
    return end_table(exec, grouping);
}

/* Groups the rows of a partition. */
static enum status
take_part(struct exec *exec, struct grouping *grouping, const struct exec__part *part)
{
    struct exec__reader reader = {.block = NULL};

    exec__release(exec);
    grouping->depth = part->depth;
    TRY(begin_table(exec, grouping));
    struct value *row = arena_alloc(&exec->held, (exec->plan->input->width + 1) * sizeof(*row));
    if (row == NULL)
        return STATUS_NO_MEMORY;
    enum status status = exec__reader_init(&reader, &part->streams[0]);
    if (status == STATUS_OK)
        status = read_part(exec, grouping, &reader, row);
    exec__reader_deinit(&reader);
    return status;
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
give_groups(struct exec *exec, struct grouping *grouping)
{
    const struct plan *plan = exec->plan;

    if (!grouping->started)
        grouping->next = grouping->table.first;
    grouping->started = true;
    while (grouping->next != NULL && !exec__is_full(exec)) {
        struct value *row = exec__new_row(exec);

        memcpy(row, grouping->next->keys, plan->group_count * sizeof(*row));
        TRY(finish_group(exec, grouping->next, row + plan->group_count));
        grouping->next = grouping->next->after;
    }
    return STATUS_OK;
}

static enum status
next_aggregate(struct exec *exec)
{
    struct grouping *grouping = exec->state;
    struct exec__part part;

    if (!exec->holds)
        TRY(take_all(exec, grouping));
    TRY(give_groups(exec, grouping));
    if (grouping->next != NULL)
        return STATUS_OK;
    exec->done = grouping->parts == NULL || grouping->parts->pending_count == 0;
    /* Groups in the batch borrow from the table. */
    if (exec->done || exec->batch.count > 0 || !exec__parts_pop(grouping->parts, &part))
        return STATUS_OK;
    return take_part(exec, grouping, &part);
}

/* Once rows were put off, the table has only the last groups. */
static void
rewind_aggregate(struct exec *exec)
{
    struct grouping *grouping = exec->state;

    grouping->started = false;
    if (grouping->parts != NULL)
        exec__release(exec);
}

static void
close_aggregate(struct exec *exec)
{
    exec__parts_free(((struct grouping *)exec->state)->parts);
}

const struct exec__class exec__aggregate_class = {.state_size = sizeof(struct grouping),
                                                  .next = next_aggregate,
                                                  .rescan = rewind_aggregate,
                                                  .close = close_aggregate};
