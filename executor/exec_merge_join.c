/*
 * MERGE_JOIN: both sides come in ascending order of their keys, nulls last, and are walked through side by
 * side. The right rows of one key are a group: it is held while left rows have that key, and gone over again
 * for each of them. Keys with a null match nothing. Rows come in the order of the left side; FULL puts right
 * rows that no left row met before the left rows that are beyond them.
 *
 * A group is in memory as far as the work limit, its other rows are in a temporary file, so that memory is
 * bounded whatever the keys are. SEMI and ANTI without further conditions hold one row of a group.
 *
 * Rows given out borrow from the left batch and from the held rows, so neither goes while the batch has rows.
 * Rows of the right side's batch are copied: it moves on within a call.
 */
#include <string.h>

#include "executor/exec_spill.h"
#include "kernel/base/check.h"

/* What earlier groups left behind may be as large before the rows that borrow from it are handed out. */
enum { LEFT_BEHIND_MAX = 256 * 1024 };

struct group_row {
    struct group_row *next;
    struct value *values;
};

/* The right rows of the present key. */
struct group {
    struct group_row *first; /* NULL: there is no group. */
    struct group_row *last;
    uint64_t count;
    bool in_file; /* The later rows are in the stream. */
    struct exec__spill spill;
    struct exec__stream stream;
    uint8_t *marks; /* FULL: bit i says that row i has met a left row. */
    size_t marks_size;
};

/* Where a walk over the group is. */
struct walk {
    const struct group_row *next;
    uint64_t index; /* Of the row last given. */
    bool reads_file;
    struct exec__reader reader;
};

struct merge {
    const struct batch *left; /* NULL: fetch the next one. */
    uint32_t left_index;
    bool left_done;
    bool has_row; /* A left row is being joined, */
    bool placed;  /* with the group of its key, if there is one; */
    bool walks;   /* rows of it are still to be tried. */
    bool matched;
    const struct batch *right;
    uint32_t right_index;
    bool right_done;
    bool must_give; /* The batch has to be handed out before anything else. */
    bool drains;    /* FULL: the group is being left. */
    struct group group;
    struct walk walk;
    struct arena read;  /* Bytes of the row read from the file. */
    struct value *pair; /* A left row and a right row, for the filter. */
    struct value *from_file;
};

/* One right row says all there is to know about a key. */
static bool
one_is_enough(const struct plan *plan)
{
    return !exec__shows_right(plan) && plan->filter == NULL;
}

static size_t
scratch_size(const struct plan *plan)
{
    return ((size_t)plan->input->width + 2 * (size_t)plan->right->width + 1) * sizeof(struct value);
}

/* Life. */

static enum status
open_merge(struct exec *exec)
{
    const struct plan *plan = exec->plan;
    struct merge *merge = exec->state;

    arena_init(&merge->read, exec->context->memory, MEMORY_SQL);
    exec__spill_init(&merge->group.spill, exec);
    merge->pair = memory_alloc(exec->context->memory, MEMORY_SQL, scratch_size(plan));
    if (merge->pair == NULL)
        return STATUS_NO_MEMORY;
    merge->from_file = merge->pair + plan->input->width + plan->right->width;
    return STATUS_OK;
}

static void
drop_file(struct merge *merge)
{
    exec__reader_deinit(&merge->walk.reader);
    exec__stream_deinit(&merge->group.stream);
    exec__spill_deinit(&merge->group.spill);
    merge->group.in_file = merge->walk.reads_file = false;
}

static void
close_merge(struct exec *exec)
{
    struct merge *merge = exec->state;

    if (merge->pair == NULL)
        return;
    drop_file(merge);
    memory_free(exec->context->memory, MEMORY_SQL, merge->group.marks, merge->group.marks_size);
    memory_free(exec->context->memory, MEMORY_SQL, merge->pair, scratch_size(exec->plan));
    arena_deinit(&merge->read);
}

/* Comparing. */

static int
compare_keys(const struct plan *plan, struct expr *const *left_keys, const struct value *left,
             const struct value *right)
{
    for (uint32_t i = 0; i < plan->key_count; i++) {
        const struct value *a = &left[left_keys[i]->index], *b = &right[plan->right_keys[i]->index];
        int order = exec__compare(a, b, false);

        if (order != 0)
            return order;
    }
    return 0;
}

static bool
has_null(const struct plan *plan, const struct value *left)
{
    for (uint32_t i = 0; i < plan->key_count; i++) {
        if (left[plan->left_keys[i]->index].null)
            return true;
    }
    return false;
}

/* The right side. */

/* NULL at the end. */
static const struct value *
right_row(const struct merge *merge)
{
    return merge->right_done ? NULL : exec__row(merge->right, merge->right_index);
}

static enum status
advance_right(struct exec *exec, struct merge *merge)
{
    if (merge->right != NULL && ++merge->right_index < merge->right->count)
        return STATUS_OK;
    TRY(exec_next(exec->right, &merge->right));
    merge->right_index = 0;
    merge->right_done = merge->right->count == 0;
    return STATUS_OK;
}

/* Giving rows. */

/* A row of the join, of a right row that goes before the batch does. */
static enum status
give_copied(struct exec *exec, const struct value *left, const struct value *right)
{
    struct value *kept = NULL;

    if (exec__shows_right(exec->plan))
        TRY(exec__keep_row(right, exec->plan->right->width, &exec->batch.arena, &kept));
    exec__give_pair(exec, left, kept);
    return STATUS_OK;
}

/* Groups. */

static bool
is_marked(const struct group *group, uint64_t index)
{
    return (group->marks[index / 8] >> index % 8 & 1) != 0;
}

static enum status
make_room_for_mark(struct exec *exec, struct group *group)
{
    size_t needed = (size_t)(group->count / 8) + 1, size = 2 * needed + 64;
    uint8_t *marks;

    if (exec->plan->join != REL_FULL)
        return STATUS_OK;
    if (needed > group->marks_size) {
        marks =
            memory_resize(exec->context->memory, MEMORY_SQL, group->marks, group->marks_size, size);
        if (marks == NULL)
            return STATUS_NO_MEMORY;
        group->marks = marks;
        group->marks_size = exec->extra_size = size;
    }
    group->marks[group->count / 8] &= (uint8_t) ~(1u << group->count % 8);
    return STATUS_OK;
}

static enum status
hold_row(struct exec *exec, struct group *group, const struct value *row)
{
    TRY(make_room_for_mark(exec, group));
    group->count++;
    if (group->in_file)
        return exec__stream_add(&group->stream, row);
    struct group_row *held = arena_alloc(&exec->held, sizeof(*held));
    if (held == NULL)
        return STATUS_NO_MEMORY;
    held->next = NULL;
    TRY(exec__keep_row(row, exec->plan->right->width, &exec->held, &held->values));
    if (group->first != NULL)
        group->last->next = held;
    else
        group->first = held;
    group->last = held;
    if (exec->held.total_size <= exec__work_limit(exec->context))
        return STATUS_OK;
    exec__stream_init(&group->stream, &group->spill, exec->plan->right->width);
    group->in_file = true;
    return STATUS_OK;
}

/* Takes all right rows that have the present one's key. */
static enum status
take_group(struct exec *exec, struct merge *merge)
{
    struct group *group = &merge->group;
    const struct plan *plan = exec->plan;
    const struct value *row = right_row(merge);

    drop_file(merge);
    group->first = group->last = NULL;
    group->count = 0;
    do {
        TRY(hold_row(exec, group, row));
        if (one_is_enough(plan))
            break;
        TRY(advance_right(exec, merge));
        if (merge->right_index == 0)
            TRY(exec__charge(exec));
        row = right_row(merge);
    } while (row != NULL && compare_keys(plan, plan->right_keys, row, group->first->values) == 0);
    if (group->in_file)
        TRY(exec__stream_finish(&group->stream));
    return exec__charge(exec);
}

static void
begin_walk(struct merge *merge)
{
    exec__reader_deinit(&merge->walk.reader);
    merge->walk = (struct walk){.next = merge->group.first, .index = UINT64_MAX};
}

/* The next row of the group; NULL at the end. *copied_out: it stays as it is until the next one only. */
static enum status
next_of_group(struct merge *merge, const struct value **out, bool *copied_out)
{
    struct walk *walk = &merge->walk;
    bool more = false;

    walk->index++;
    *out = NULL;
    *copied_out = walk->next == NULL;
    if (walk->next != NULL) {
        *out = walk->next->values;
        walk->next = walk->next->next;
        return STATUS_OK;
    }
    if (!merge->group.in_file)
        return STATUS_OK;
    if (!walk->reads_file)
        TRY(exec__reader_init(&walk->reader, &merge->group.stream));
    walk->reads_file = true;
    arena_reset(&merge->read);
    TRY(exec__reader_next(&walk->reader, &merge->read, merge->from_file, &more));
    *out = more ? merge->from_file : NULL;
    return STATUS_OK;
}

/* FULL: rows of the group that no left row has met; then there is no group. */
static enum status
drain(struct exec *exec, struct merge *merge)
{
    const struct value *row = NULL;
    bool copied = false;

    while (!exec__is_full(exec)) {
        TRY(next_of_group(merge, &row, &copied));
        if (row == NULL) {
            merge->drains = false;
            merge->group.first = NULL;
            return STATUS_OK;
        }
        if (!is_marked(&merge->group, merge->walk.index))
            TRY(give_copied(exec, NULL, row));
    }
    return STATUS_OK;
}

static void
leave_group(struct exec *exec, struct merge *merge)
{
    if (exec->plan->join == REL_FULL) {
        merge->drains = true;
        begin_walk(merge);
    } else {
        merge->group.first = NULL;
    }
}

/* Left rows. */

static enum status
next_left(struct exec *exec, struct merge *merge)
{
    if (merge->left == NULL || ++merge->left_index >= merge->left->count) {
        if (exec->batch.count > 0) {
            if (merge->left != NULL)
                merge->left_index--;
            merge->must_give = true;
            return STATUS_OK;
        }
        TRY(exec_next(exec->input, &merge->left));
        merge->left_index = 0;
        merge->left_done = merge->left->count == 0;
        if (merge->left_done)
            return STATUS_OK;
    }
    const struct value *row = exec__row(merge->left, merge->left_index);
    memcpy(merge->pair, row, merge->left->width * sizeof(*row));
    merge->has_row = true;
    merge->matched = merge->walks = false;
    merge->placed = has_null(exec->plan, row);
    return STATUS_OK;
}

static enum status
begin_group(struct exec *exec, struct merge *merge)
{
    if (exec->held.total_size > LEFT_BEHIND_MAX && exec->batch.count > 0) {
        merge->must_give = true;
        return STATUS_OK;
    }
    if (exec->batch.count == 0)
        arena_reset(&exec->held);
    TRY(take_group(exec, merge));
    merge->placed = merge->walks = true;
    begin_walk(merge);
    return STATUS_OK;
}

/* Brings the right side to the left row's key. Stops half-way when the batch is full. */
static enum status
place(struct exec *exec, struct merge *merge)
{
    const struct plan *plan = exec->plan;
    int order = 1;

    if (merge->group.first != NULL) {
        if (compare_keys(plan, plan->left_keys, merge->pair, merge->group.first->values) == 0) {
            merge->placed = merge->walks = true;
            begin_walk(merge);
        } else {
            leave_group(exec, merge);
        }
        return STATUS_OK;
    }
    if (merge->right == NULL)
        TRY(advance_right(exec, merge));
    while (!merge->right_done &&
           (order = compare_keys(plan, plan->left_keys, merge->pair, right_row(merge))) > 0) {
        if (exec__is_full(exec))
            return STATUS_OK;
        if (plan->join == REL_FULL)
            TRY(give_copied(exec, NULL, right_row(merge)));
        TRY(advance_right(exec, merge));
    }
    if (!merge->right_done && order == 0)
        return begin_group(exec, merge);
    merge->placed = true;
    /* With nothing more to meet the left side need not run on. */
    exec->done = merge->right_done && (plan->join == REL_INNER || plan->join == REL_SEMI);
    return STATUS_OK;
}

static void
finish_left(struct exec *exec, struct merge *merge)
{
    enum rel_join kind = exec->plan->join;

    merge->has_row = false;
    if (!merge->matched && (kind == REL_LEFT || kind == REL_FULL || kind == REL_ANTI))
        exec__give_pair(exec, merge->pair, NULL);
}

static enum status
try_next(struct exec *exec, struct merge *merge)
{
    struct eval eval = exec__eval(exec);
    const struct plan *plan = exec->plan;
    const struct value *right = NULL;
    bool holds = true, copied = false;

    TRY(next_of_group(merge, &right, &copied));
    merge->walks = right != NULL;
    if (right == NULL)
        return STATUS_OK;
    if (plan->filter != NULL) {
        memcpy(merge->pair + plan->input->width, right, plan->right->width * sizeof(*right));
        TRY(expr_is_true(plan->filter, merge->pair, &eval, &holds));
    }
    if (!holds)
        return exec->batch.count == 0 ? exec__check_interrupt(exec->context) : STATUS_OK;
    merge->matched = true;
    if (plan->join == REL_FULL)
        merge->group.marks[merge->walk.index / 8] |= (uint8_t)(1u << merge->walk.index % 8);
    if (exec__shows_right(plan) && copied)
        return give_copied(exec, merge->pair, right);
    merge->has_row = exec__shows_right(plan);
    if (plan->join != REL_ANTI)
        exec__give_pair(exec, merge->pair, right);
    return STATUS_OK;
}

/* FULL: what the left side has not come to. */
static enum status
give_rest(struct exec *exec, struct merge *merge)
{
    if (exec->plan->join != REL_FULL) {
        exec->done = true;
        return STATUS_OK;
    }
    if (merge->group.first != NULL) {
        leave_group(exec, merge);
        return STATUS_OK;
    }
    if (merge->right == NULL)
        TRY(advance_right(exec, merge));
    while (!merge->right_done && !exec__is_full(exec)) {
        TRY(give_copied(exec, NULL, right_row(merge)));
        TRY(advance_right(exec, merge));
    }
    exec->done = merge->right_done;
    return STATUS_OK;
}

static enum status
step(struct exec *exec, struct merge *merge)
{
    if (merge->drains)
        return drain(exec, merge);
    if (merge->left_done)
        return give_rest(exec, merge);
    if (!merge->has_row)
        return next_left(exec, merge);
    if (!merge->placed)
        return place(exec, merge);
    if (merge->walks)
        return try_next(exec, merge);
    finish_left(exec, merge);
    return STATUS_OK;
}

static enum status
next_merge(struct exec *exec)
{
    struct merge *merge = exec->state;

    merge->must_give = false;
    while (!exec__is_full(exec) && !exec->done && !merge->must_give)
        TRY(step(exec, merge));
    return STATUS_OK;
}

static void
rewind_merge(struct exec *exec)
{
    struct merge *merge = exec->state;

    drop_file(merge);
    merge->left = merge->right = NULL;
    merge->left_index = merge->right_index = 0;
    merge->left_done = merge->right_done = merge->has_row = merge->placed = merge->walks = false;
    merge->drains = false;
    merge->group.first = NULL;
    exec__release(exec);
}

const struct exec__class exec__merge_join_class = {.state_size = sizeof(struct merge),
                                                   .open = open_merge,
                                                   .next = next_merge,
                                                   .rescan = rewind_merge,
                                                   .close = close_merge};
