/*
 * UNION, INTERSECT, EXCEPT. UNION ALL hands the left rows through, then the right ones; UNION keeps
 * what it has not seen. The others first count the right side's rows, then look the left ones up.
 */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

struct set {
    struct exec__table table;
    bool left_done;
};

static enum status
count_right(struct exec *exec, struct set *set)
{
    const struct batch *input;

    exec__table_init(&set->table, &exec->held, exec->plan->width);
    exec->holds = true;
    if (exec->plan->set == AST_UNION)
        return STATUS_OK;
    do {
        TRY(exec_next(exec->right, &input));
        for (uint32_t i = 0; i < input->count; i++) {
            struct exec__entry *entry = NULL;
            bool is_new = false;

            TRY(exec__table_get(&set->table, exec__row(input, i), &entry, &is_new));
            entry->count++;
        }
        TRY(exec__charge(exec));
    } while (input->count > 0);
    return STATUS_OK;
}

/* Without ALL each row is given at most once: `payload` marks those given. */
static enum status
is_wanted(struct exec *exec, struct set *set, const struct value *row, bool *out)
{
    const struct plan *plan = exec->plan;
    struct exec__entry *entry = NULL;
    bool is_new = false;

    if (plan->all) {
        entry = exec__table_find(&set->table, row);
        bool counted = entry != NULL && entry->count > 0;

        if (counted)
            entry->count--;
        *out = counted == (plan->set == AST_INTERSECT);
        return STATUS_OK;
    }
    TRY(exec__table_get(&set->table, row, &entry, &is_new));
    *out = entry->payload == NULL &&
           (plan->set == AST_UNION || (entry->count > 0) == (plan->set == AST_INTERSECT));
    entry->payload = entry;
    return STATUS_OK;
}

static enum status
next_set(struct exec *exec)
{
    struct set *set = exec->state;
    bool plain = exec->plan->set == AST_UNION && exec->plan->all;
    const struct batch *input;

    if (!exec->holds && !plain)
        TRY(count_right(exec, set));
    TRY(exec_next(set->left_done ? exec->right : exec->input, &input));
    for (uint32_t i = 0; i < input->count; i++) {
        bool wanted = plain;

        if (!plain)
            TRY(is_wanted(exec, set, exec__row(input, i), &wanted));
        if (wanted)
            memcpy(exec__new_row(exec), exec__row(input, i),
                   exec->plan->width * sizeof(struct value));
    }
    if (input->count == 0) {
        exec->done = set->left_done || exec->plan->set != AST_UNION;
        set->left_done = true;
    }
    return exec__charge(exec);
}

static void
rewind_set(struct exec *exec)
{
    ((struct set *)exec->state)->left_done = false;
    exec__release(exec);
}

const struct exec__class exec__set_class = {
    .state_size = sizeof(struct set), .next = next_set, .rescan = rewind_set};
