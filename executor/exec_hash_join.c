/*
 * HASH_JOIN: a table of the right side's rows by their keys, probed with each left row. Keys with a
 * null match nothing. FULL gives the right rows that no left row met at the end.
 */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

/* A right row; those with equal keys form a list. */
struct held_row {
    struct held_row *next; /* Of the same key. */
    struct held_row *all;  /* In order, for FULL. */
    struct value *values;
    bool matched;
};

struct join {
    struct exec__table table;
    struct held_row *first;
    struct held_row *last;
    struct held_row *unmatched; /* FULL: where the last phase is. */
    bool left_done;
    const struct batch *left;
    uint32_t left_index;
    bool has_row;
    bool matched;
    struct held_row *candidate; /* The next right row of the key. */
    struct value *keys;
    struct value *pair;
};

static bool
shows_right(const struct plan *plan)
{
    return plan->join != REL_SEMI && plan->join != REL_ANTI;
}

static uint32_t
scratch_count(const struct plan *plan)
{
    return plan->key_count + plan->input->width + plan->right->width;
}

static enum status
open_join(struct exec *exec)
{
    struct join *join = exec->state;

    join->keys = memory_alloc(exec->context->memory, MEMORY_SQL,
                              scratch_count(exec->plan) * sizeof(struct value));
    if (join->keys == NULL)
        return STATUS_NO_MEMORY;
    join->pair = join->keys + exec->plan->key_count;
    return STATUS_OK;
}

static void
close_join(struct exec *exec)
{
    struct join *join = exec->state;

    memory_free(exec->context->memory, MEMORY_SQL, join->keys,
                scratch_count(exec->plan) * sizeof(struct value));
}

/* False in *out when a key is null. */
static enum status
eval_keys(struct exec *exec, struct expr *const *exprs, const struct value *row, bool *out)
{
    struct join *join = exec->state;
    struct eval eval = exec__eval(exec);

    *out = true;
    for (uint32_t i = 0; i < exec->plan->key_count && *out; i++) {
        TRY(expr_eval(exprs[i], row, &eval, &join->keys[i]));
        *out = !join->keys[i].null;
    }
    return STATUS_OK;
}

/* Building. */

static enum status
hold_row(struct exec *exec, struct join *join, const struct value *row)
{
    struct held_row *held = arena_alloc(&exec->held, sizeof(*held));
    struct exec__entry *entry = NULL;
    bool usable = false, is_new = false;

    if (held == NULL)
        return STATUS_NO_MEMORY;
    TRY(eval_keys(exec, exec->plan->right_keys, row, &usable));
    if (!usable && exec->plan->join != REL_FULL)
        return STATUS_OK;
    TRY(exec__keep_row(row, exec->right->plan->width, &exec->held, &held->values));
    if (join->last != NULL)
        join->last->all = held;
    else
        join->first = held;
    join->last = held;
    if (!usable)
        return STATUS_OK;
    TRY(exec__table_get(&join->table, join->keys, &entry, &is_new));
    held->next = entry->payload;
    entry->payload = held;
    return STATUS_OK;
}

static enum status
build(struct exec *exec, struct join *join)
{
    const struct batch *input;

    exec__table_init(&join->table, &exec->held, exec->plan->key_count);
    join->first = join->last = NULL;
    do {
        TRY(exec_next(exec->right, &input));
        for (uint32_t i = 0; i < input->count; i++)
            TRY(hold_row(exec, join, exec__row(input, i)));
        TRY(exec__charge(exec));
        arena_reset(&exec->batch.arena);
    } while (input->count > 0);
    exec->holds = true;
    return STATUS_OK;
}

/* Probing. */

static enum status
next_left(struct exec *exec, struct join *join)
{
    struct exec__entry *entry = NULL;
    bool usable = false;

    if (join->left == NULL || ++join->left_index >= join->left->count) {
        /* Rows given so far point into the left batch: hand them out first. */
        if (exec->batch.count > 0) {
            join->left_index--;
            return STATUS_OK;
        }
        TRY(exec_next(exec->input, &join->left));
        join->left_index = 0;
        join->left_done = join->left->count == 0;
        if (join->left_done)
            return STATUS_OK;
    }
    const struct value *row = exec__row(join->left, join->left_index);
    memcpy(join->pair, row, join->left->width * sizeof(*row));
    TRY(eval_keys(exec, exec->plan->left_keys, row, &usable));
    if (usable)
        entry = exec__table_find(&join->table, join->keys);
    join->candidate = entry == NULL ? NULL : entry->payload;
    join->has_row = true;
    join->matched = false;
    return STATUS_OK;
}

static void
give(struct exec *exec, const struct value *left, const struct value *right)
{
    uint32_t left_width = exec->plan->input->width, right_width = exec->plan->right->width;
    struct value *row = exec__new_row(exec);

    for (uint32_t i = 0; i < left_width; i++)
        row[i] = left == NULL ? value_null(QTDB_TYPE_NULL) : left[i];
    for (uint32_t i = 0; i < right_width && shows_right(exec->plan); i++)
        row[left_width + i] = right == NULL ? value_null(QTDB_TYPE_NULL) : right[i];
}

static void
finish_left(struct exec *exec, struct join *join)
{
    enum rel_join kind = exec->plan->join;

    join->has_row = false;
    if (!join->matched && (kind == REL_LEFT || kind == REL_FULL || kind == REL_ANTI))
        give(exec, join->pair, NULL);
}

static enum status
try_candidate(struct exec *exec, struct join *join)
{
    struct held_row *right = join->candidate;
    struct eval eval = exec__eval(exec);
    bool holds = true;

    join->candidate = right->next;
    if (exec->plan->filter != NULL) {
        memcpy(join->pair + exec->plan->input->width, right->values,
               exec->plan->right->width * sizeof(struct value));
        TRY(expr_is_true(exec->plan->filter, join->pair, &eval, &holds));
    }
    if (!holds)
        return STATUS_OK;
    join->matched = right->matched = true;
    if (shows_right(exec->plan)) {
        give(exec, join->pair, right->values);
        return STATUS_OK;
    }
    join->has_row = false;
    if (exec->plan->join == REL_SEMI)
        give(exec, join->pair, NULL);
    return STATUS_OK;
}

static void
give_unmatched(struct exec *exec, struct join *join)
{
    while (join->unmatched != NULL && !exec__is_full(exec)) {
        if (!join->unmatched->matched)
            give(exec, NULL, join->unmatched->values);
        join->unmatched = join->unmatched->all;
    }
    exec->done = join->unmatched == NULL;
}

static void
start(struct join *join)
{
    join->left = NULL;
    join->has_row = join->left_done = false;
    join->unmatched = join->first;
    for (struct held_row *row = join->first; row != NULL; row = row->all)
        row->matched = false;
}

static enum status
next_join(struct exec *exec)
{
    struct join *join = exec->state;

    if (!exec->holds) {
        TRY(build(exec, join));
        start(join);
    }
    while (!exec__is_full(exec) && !join->left_done) {
        if (!join->has_row) {
            TRY(next_left(exec, join));
            if (!join->has_row)
                break;
        }
        if (join->candidate != NULL)
            TRY(try_candidate(exec, join));
        else
            finish_left(exec, join);
    }
    if (!join->left_done)
        return STATUS_OK;
    if (exec->plan->join == REL_FULL)
        give_unmatched(exec, join);
    else
        exec->done = true;
    return STATUS_OK;
}

static void
rewind_join(struct exec *exec)
{
    struct join *join = exec->state;

    if (exec->plan->reads_slots)
        join->first = join->last = NULL; /* The table goes. */
    start(join);
}

const struct exec__class exec__hash_join_class = {.state_size = sizeof(struct join),
                                                  .open = open_join,
                                                  .next = next_join,
                                                  .rescan = rewind_join,
                                                  .close = close_join};
