/*
 * LOOP_JOIN: every left row against the rows of the right side. A right side that takes slots runs
 * anew for each left row (a look-up by key, LATERAL); any other is held in memory after its first run.
 */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

struct loop {
    const struct batch *left; /* NULL: fetch the next one. */
    uint32_t left_index;
    bool has_row;   /* A left row is being joined. */
    bool matched;   /* It has found a right row. */
    bool right_run; /* The right side has run once and is held. */
    struct exec_rows held;
    size_t charged;
    size_t held_next;
    const struct batch *right;
    uint32_t right_index;
    struct arena slots; /* Values of the slots. */
    struct value *pair; /* A left row and a right row, for the filter. */
};

static bool
shows_right(const struct plan *plan)
{
    return plan->join != REL_SEMI && plan->join != REL_ANTI;
}

static enum status
open_loop(struct exec *exec)
{
    struct loop *loop = exec->state;
    uint32_t width = exec->input->plan->width + exec->right->plan->width;

    arena_init(&loop->held.arena, exec->context->memory, MEMORY_SQL);
    arena_init(&loop->slots, exec->context->memory, MEMORY_SQL);
    loop->held.width = exec->right->plan->width;
    loop->pair =
        memory_alloc(exec->context->memory, MEMORY_SQL, (width + 1) * sizeof(struct value));
    return loop->pair == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static void
close_loop(struct exec *exec)
{
    struct loop *loop = exec->state;
    uint32_t width = exec->plan->input->width + exec->plan->right->width;

    exec->context->held_size -= loop->charged;
    arena_deinit(&loop->held.arena);
    arena_deinit(&loop->slots);
    memory_free(exec->context->memory, MEMORY_SQL, loop->pair, (width + 1) * sizeof(struct value));
}

static enum status
hold_right(struct exec *exec, struct loop *loop)
{
    const struct batch *input;

    do {
        TRY(exec_next(exec->right, &input));
        for (uint32_t i = 0; i < input->count; i++)
            TRY(exec__rows_add(&loop->held, exec__row(input, i)));
        TRY(exec__charge_arena(exec->context, &loop->held.arena, &loop->charged));
    } while (input->count > 0);
    loop->right_run = true;
    return STATUS_OK;
}

/* To the next left row; `done` when there is none. */
static enum status
next_left(struct exec *exec, struct loop *loop)
{
    if (loop->left == NULL || ++loop->left_index >= loop->left->count) {
        /* Rows given so far point into the left batch: hand them out first. */
        if (exec->batch.count > 0) {
            if (loop->left != NULL)
                loop->left_index--;
            return STATUS_OK;
        }
        TRY(exec_next(exec->input, &loop->left));
        loop->left_index = 0;
        exec->done = loop->left->count == 0;
        if (exec->done)
            return STATUS_OK;
    }
    const struct value *row = exec__row(loop->left, loop->left_index);
    memcpy(loop->pair, row, loop->left->width * sizeof(*row));
    loop->has_row = true;
    loop->matched = false;
    loop->held_next = 0;
    loop->right = NULL;
    if (exec->plan->slots.count == 0)
        return loop->right_run ? STATUS_OK : hold_right(exec, loop);
    arena_reset(&loop->slots);
    TRY(exec__fill_slots(exec, &exec->plan->slots, row, &loop->slots));
    exec_rescan(exec->right);
    return STATUS_OK;
}

/* The next right row; NULL at the end. */
static enum status
next_right(struct exec *exec, struct loop *loop, const struct value **out)
{
    *out = NULL;
    if (exec->plan->slots.count == 0) {
        if (loop->held_next < loop->held.count)
            *out = loop->held.rows[loop->held_next++];
        return STATUS_OK;
    }
    if (loop->right == NULL || ++loop->right_index >= loop->right->count) {
        TRY(exec_next(exec->right, &loop->right));
        loop->right_index = 0;
    }
    if (loop->right->count > 0)
        *out = exec__row(loop->right, loop->right_index);
    return STATUS_OK;
}

/* Rows of a right side that runs anew are its own only until then: keep their bytes. */
static enum status
give(struct exec *exec, struct loop *loop, const struct value *right)
{
    uint32_t left_width = exec->plan->input->width, right_width = exec->plan->right->width;
    struct value *row = exec__new_row(exec);

    memcpy(row, loop->pair, left_width * sizeof(*row));
    if (!shows_right(exec->plan))
        return STATUS_OK;
    for (uint32_t i = 0; i < right_width; i++) {
        if (right == NULL)
            row[left_width + i] = value_null(QTDB_TYPE_NULL);
        else if (exec->plan->slots.count == 0)
            row[left_width + i] = right[i];
        else
            TRY(exec__keep_value(&right[i], &exec->batch.arena, &row[left_width + i]));
    }
    return STATUS_OK;
}

static enum status
finish_left(struct exec *exec, struct loop *loop)
{
    bool alone = !loop->matched && (exec->plan->join == REL_LEFT || exec->plan->join == REL_ANTI);

    loop->has_row = false;
    return alone ? give(exec, loop, NULL) : STATUS_OK;
}

static enum status
try_pair(struct exec *exec, struct loop *loop, const struct value *right)
{
    struct eval eval = exec__eval(exec);
    bool holds = true;

    if (exec->plan->filter != NULL) {
        memcpy(loop->pair + exec->plan->input->width, right,
               exec->plan->right->width * sizeof(*right));
        TRY(expr_is_true(exec->plan->filter, loop->pair, &eval, &holds));
    }
    if (!holds)
        return STATUS_OK;
    loop->matched = true;
    if (shows_right(exec->plan))
        return give(exec, loop, right);
    loop->has_row = false;
    return exec->plan->join == REL_SEMI ? give(exec, loop, NULL) : STATUS_OK;
}

static enum status
next_loop(struct exec *exec)
{
    struct loop *loop = exec->state;

    while (!exec__is_full(exec) && !exec->done) {
        const struct value *right = NULL;

        if (!loop->has_row) {
            TRY(next_left(exec, loop));
            if (!loop->has_row)
                return STATUS_OK;
        }
        TRY(next_right(exec, loop, &right));
        TRY(right != NULL ? try_pair(exec, loop, right) : finish_left(exec, loop));
        if (exec->batch.count == 0)
            TRY(exec__check_interrupt(exec->context));
    }
    return STATUS_OK;
}

static void
rewind_loop(struct exec *exec)
{
    struct loop *loop = exec->state;

    loop->left = NULL;
    loop->has_row = false;
    if (!exec->plan->right->reads_slots)
        return;
    loop->right_run = false;
    arena_reset(&loop->held.arena);
    loop->held.rows = NULL;
    loop->held.count = loop->held.capacity = 0;
    exec->context->held_size -= loop->charged;
    loop->charged = 0;
}

const struct exec__class exec__loop_join_class = {.state_size = sizeof(struct loop),
                                                  .open = open_loop,
                                                  .next = next_loop,
                                                  .rescan = rewind_loop,
                                                  .close = close_loop};
