/*
 * HASH_JOIN: a table of the right side's rows by their keys, probed with each left row. Keys with a
 * null match nothing. FULL gives the right rows that no left row met at the end.
 *
 * When the table grows past the work limit the rows of both sides are divided by the hash of their
 * keys, and each partition is joined by itself; a partition that is still too large is divided again.
 */
#include <string.h>

#include "executor/exec_partition.h"
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
    struct exec__parts *parts; /* Stream 0 the right side, 1 the left; NULL: all fits so far. */
    uint32_t depth;            /* Of the rows being joined. */
    bool from_parts;           /* They are those of `part`. */
    struct exec__part part;
    struct exec__reader reader; /* Of its left rows. */
    struct batch read;          /* Read from it. */
};

static uint32_t
scratch_count(const struct plan *plan)
{
    return plan->key_count + plan->input->width + plan->right->width;
}

static size_t
read_size(const struct plan *plan)
{
    return (size_t)EXEC_BATCH_ROWS * (plan->input->width + 1) * sizeof(struct value);
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
    join->read.width = exec->plan->input->width;
    arena_init(&join->read.arena, exec->context->memory, MEMORY_SQL);
    return STATUS_OK;
}

static void
close_join(struct exec *exec)
{
    struct join *join = exec->state;

    if (join->keys == NULL)
        return;
    memory_free(exec->context->memory, MEMORY_SQL, join->keys,
                scratch_count(exec->plan) * sizeof(struct value));
    if (join->read.values != NULL)
        memory_free(exec->context->memory, MEMORY_SQL, join->read.values, read_size(exec->plan));
    arena_deinit(&join->read.arena);
    exec__reader_deinit(&join->reader);
    exec__parts_free(join->parts);
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

/* The hash of the keys just evaluated; rows with a null among them are together. */
static uint64_t
hash_of(const struct exec *exec, const struct join *join, bool usable)
{
    return usable ? exec__hash_keys(join->keys, exec->plan->key_count) : 0;
}

static enum status
hold_row(struct exec *exec, struct join *join, const struct value *row)
{
    struct exec__entry *entry = NULL;
    bool usable = false, is_new = false;

    TRY(eval_keys(exec, exec->plan->right_keys, row, &usable));
    if (!usable && exec->plan->join != REL_FULL)
        return STATUS_OK;
    if (join->parts != NULL && join->parts->is_open)
        return exec__parts_add(join->parts, 0, hash_of(exec, join, usable), row);
    struct held_row *held = arena_alloc(&exec->held, sizeof(*held));
    if (held == NULL)
        return STATUS_NO_MEMORY;
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

static void
begin_table(struct exec *exec, struct join *join)
{
    exec__table_init(&join->table, &exec->held, exec->plan->key_count);
    join->first = join->last = NULL;
}

/* Puts off the rows held so far; those to come follow them. */
static enum status
divide(struct exec *exec, struct join *join)
{
    if (join->parts == NULL)
        join->parts = exec__parts_new(exec, exec->plan->right->width, exec->plan->input->width);
    if (join->parts == NULL)
        return STATUS_NO_MEMORY;
    exec__parts_begin(join->parts, join->depth);
    for (struct held_row *row = join->first; row != NULL; row = row->all) {
        TRY(hold_row(exec, join, row->values));
        arena_reset(&exec->batch.arena);
    }
    exec__release(exec);
    begin_table(exec, join);
    return STATUS_OK;
}

static enum status
check_size(struct exec *exec, struct join *join)
{
    bool divided = join->parts != NULL && join->parts->is_open;

    arena_reset(&exec->batch.arena);
    if (!divided && exec->held.total_size > exec__work_limit(exec->context) &&
        join->depth < EXEC__DEPTH_MAX && join->table.count > 1)
        TRY(divide(exec, join));
    return exec__charge(exec);
}

static enum status
build(struct exec *exec, struct join *join)
{
    const struct batch *input;

    exec__reader_deinit(&join->reader);
    exec__parts_free(join->parts);
    join->parts = NULL;
    join->from_parts = false;
    join->depth = 0;
    begin_table(exec, join);
    do {
        TRY(exec_next(exec->right, &input));
        for (uint32_t i = 0; i < input->count; i++)
            TRY(hold_row(exec, join, exec__row(input, i)));
        TRY(check_size(exec, join));
    } while (input->count > 0);
    exec->holds = true;
    return STATUS_OK;
}

/* The right rows of a partition. */
static enum status
build_part(struct exec *exec, struct join *join)
{
    struct exec__reader reader = {.block = NULL};
    struct value *row = memory_alloc(exec->context->memory, MEMORY_SQL,
                                     (exec->plan->right->width + 1) * sizeof(*row));
    enum status status;
    bool more = true;

    if (row == NULL)
        return STATUS_NO_MEMORY;
    begin_table(exec, join);
    TRY_OUT(exec__reader_init(&reader, &join->part.streams[0]));
    for (uint64_t i = 1; more; i++) {
        TRY_OUT(exec__reader_next(&reader, &exec->batch.arena, row, &more));
        if (more)
            TRY_OUT(hold_row(exec, join, row));
        if (i % EXEC_BATCH_ROWS == 0 || !more)
            TRY_OUT(check_size(exec, join));
    }
    status = STATUS_OK;
out:
    exec__reader_deinit(&reader);
    memory_free(exec->context->memory, MEMORY_SQL, row,
                (exec->plan->right->width + 1) * sizeof(*row));
    return status;
}

/* Left rows, from the input or the partition. */

static enum status
read_left(struct exec *exec, struct join *join)
{
    struct batch *read = &join->read;

    if (read->values == NULL) {
        read->values = memory_alloc(exec->context->memory, MEMORY_SQL, read_size(exec->plan));
        if (read->values == NULL)
            return STATUS_NO_MEMORY;
    }
    arena_reset(&read->arena);
    TRY(exec__check_interrupt(exec->context));
    for (read->count = 0; read->count < EXEC_BATCH_ROWS; read->count++) {
        bool more = false;

        TRY(exec__reader_next(&join->reader, &read->arena, exec__row(read, read->count), &more));
        if (!more)
            break;
    }
    join->left = read;
    return STATUS_OK;
}

static enum status
next_left_batch(struct exec *exec, struct join *join)
{
    return join->from_parts ? read_left(exec, join) : exec_next(exec->input, &join->left);
}

/* With the right side divided, the left side is too. */
static enum status
divide_left(struct exec *exec, struct join *join)
{
    enum rel_join kind = exec->plan->join;
    bool keeps = kind == REL_LEFT || kind == REL_FULL || kind == REL_ANTI;

    do {
        TRY(next_left_batch(exec, join));
        for (uint32_t i = 0; i < join->left->count; i++) {
            const struct value *row = exec__row(join->left, i);
            bool usable = false;

            TRY(eval_keys(exec, exec->plan->left_keys, row, &usable));
            if (usable || keeps)
                TRY(exec__parts_add(join->parts, 1, hash_of(exec, join, usable), row));
        }
        arena_reset(&exec->batch.arena);
    } while (join->left->count > 0);
    return exec__parts_end(join->parts);
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
        TRY(next_left_batch(exec, join));
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
finish_left(struct exec *exec, struct join *join)
{
    enum rel_join kind = exec->plan->join;

    join->has_row = false;
    if (!join->matched && (kind == REL_LEFT || kind == REL_FULL || kind == REL_ANTI))
        exec__give_pair(exec, join->pair, NULL);
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
    if (exec__shows_right(exec->plan)) {
        exec__give_pair(exec, join->pair, right->values);
        return STATUS_OK;
    }
    join->has_row = false;
    if (exec->plan->join == REL_SEMI)
        exec__give_pair(exec, join->pair, NULL);
    return STATUS_OK;
}

static void
give_unmatched(struct exec *exec, struct join *join)
{
    while (join->unmatched != NULL && !exec__is_full(exec)) {
        if (!join->unmatched->matched)
            exec__give_pair(exec, NULL, join->unmatched->values);
        join->unmatched = join->unmatched->all;
    }
    exec->done = join->unmatched == NULL;
}

static void
start(const struct exec *exec, struct join *join)
{
    enum rel_join kind = exec->plan->join;

    join->left = NULL;
    join->has_row = false;
    /* With nothing to meet the left side need not run. */
    join->left_done =
        join->first == NULL && join->parts == NULL && (kind == REL_INNER || kind == REL_SEMI);
    join->unmatched = join->first;
    for (struct held_row *row = join->first; row != NULL; row = row->all)
        row->matched = false;
}

/* Rows that are in memory on the right side. */
static enum status
join_rows(struct exec *exec, struct join *join)
{
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

/* What was built turned out too large: its left rows are divided as well, and nothing is joined. */
static enum status
settle(struct exec *exec, struct join *join)
{
    start(exec, join);
    if (join->parts == NULL || !join->parts->is_open)
        return STATUS_OK;
    TRY(divide_left(exec, join));
    join->left_done = true;
    return STATUS_OK;
}

static enum status
next_part(struct exec *exec, struct join *join)
{
    exec->done = join->parts == NULL || !exec__parts_pop(join->parts, &join->part);
    if (exec->done)
        return STATUS_OK;
    exec__release(exec);
    exec__reader_deinit(&join->reader);
    join->from_parts = true;
    join->depth = join->part.depth;
    TRY(build_part(exec, join));
    exec->holds = true;
    TRY(exec__reader_init(&join->reader, &join->part.streams[1]));
    return settle(exec, join);
}

static enum status
next_join(struct exec *exec)
{
    struct join *join = exec->state;

    if (!exec->holds) {
        TRY(build(exec, join));
        TRY(settle(exec, join));
    }
    TRY(join_rows(exec, join));
    if (!exec->done || join->parts == NULL)
        return STATUS_OK;
    /* Rows in the batch borrow from the table. */
    exec->done = false;
    return exec->batch.count > 0 ? STATUS_OK : next_part(exec, join);
}

/* Once rows were put off, the table has only those of the last partition. */
static void
rewind_join(struct exec *exec)
{
    struct join *join = exec->state;

    if (join->parts != NULL)
        exec__release(exec);
    if (join->parts != NULL || exec->plan->reads_slots)
        join->first = join->last = NULL; /* The table goes. */
    start(exec, join);
}

const struct exec__class exec__hash_join_class = {.state_size = sizeof(struct join),
                                                  .open = open_join,
                                                  .next = next_join,
                                                  .rescan = rewind_join,
                                                  .close = close_join};
