/* DISTINCT: the first row of those with equal keys, as they come. */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

struct distinct {
    struct exec__table table;
};

static enum status
next_distinct(struct exec *exec)
{
    struct distinct *distinct = exec->state;
    const struct plan *plan = exec->plan;
    struct value *keys = arena_alloc(&exec->batch.arena, plan->sort_count * sizeof(*keys));
    const struct batch *input;

    if (keys == NULL)
        return STATUS_NO_MEMORY;
    if (!exec->holds)
        exec__table_init(&distinct->table, &exec->held, plan->sort_count);
    exec->holds = true;
    TRY(exec_next(exec->input, &input));
    for (uint32_t i = 0; i < input->count; i++) {
        const struct value *row = exec__row(input, i);
        struct exec__entry *entry = NULL;
        bool is_new = false;

        for (uint32_t k = 0; k < plan->sort_count; k++)
            keys[k] = row[plan->sort_keys[k].column];
        TRY(exec__table_get(&distinct->table, keys, &entry, &is_new));
        if (is_new)
            memcpy(exec__new_row(exec), row, plan->width * sizeof(*row));
    }
    exec->done = input->count == 0;
    return exec__charge(exec);
}

/* What was seen in the run before has to come again. */
static void
rewind_distinct(struct exec *exec)
{
    exec__release(exec);
}

const struct exec__class exec__distinct_class = {
    .state_size = sizeof(struct distinct), .next = next_distinct, .rescan = rewind_distinct};
