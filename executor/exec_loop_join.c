/*
 * LOOP_JOIN: every left row against the rows of the right side. A right side that takes slots runs
 * anew for each left row (a look-up by key, LATERAL); any other is held in memory after its first run.
 *
 * Look-ups by key are made for up to 64 left rows together (exec_scan_prime.c), few at first and no more than
 * rows are wanted. Left rows that come in short batches are copied until there are enough.
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
    bool primes;        /* The right side looks up for many left rows at once: */
    uint32_t wanted;    /* for so many the next time; */
    uint32_t primed_begin;
    uint32_t primed_end;  /* for these rows of `left` it has; */
    uint32_t primed_next; /* from here on it may. */
    struct batch window;  /* Left rows of short batches. */
    struct value *pair;   /* A left row and a right row, for the filter. */
};

enum { PRIME_FIRST = 4, WINDOW_LEAST = 32, WINDOW_MAX = WINDOW_LEAST + EXEC_BATCH_ROWS };

static size_t
window_size(const struct plan *plan)
{
    return (size_t)WINDOW_MAX * (plan->input->width + 1) * sizeof(struct value);
}

static enum status
open_loop(struct exec *exec)
{
    struct loop *loop = exec->state;
    uint32_t width = exec->input->plan->width + exec->right->plan->width;

    arena_init(&loop->held.arena, exec->context->memory, MEMORY_SQL);
    arena_init(&loop->slots, exec->context->memory, MEMORY_SQL);
    arena_init(&loop->window.arena, exec->context->memory, MEMORY_SQL);
    loop->window.width = exec->input->plan->width;
    loop->primes = exec->plan->slots.count > 0 && exec__scan_primes(exec->right->plan);
    loop->wanted = PRIME_FIRST;
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
    arena_deinit(&loop->window.arena);
    memory_free(exec->context->memory, MEMORY_SQL, loop->window.values, window_size(exec->plan));
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

/* Left rows. */

static enum status
copy_to_window(struct exec *exec, struct loop *loop, const struct batch *from)
{
    struct batch *window = &loop->window;

    if (window->values == NULL) {
        window->values = memory_alloc(exec->context->memory, MEMORY_SQL, window_size(exec->plan));
        if (window->values == NULL)
            return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < from->count; i++) {
        struct value *to = exec__row(window, window->count++);

        for (uint32_t k = 0; k < window->width; k++)
            TRY(exec__keep_value(&exec__row(from, i)[k], &window->arena, &to[k]));
    }
    return STATUS_OK;
}

/* The next batch; where look-ups are made together, of rows enough if there are. */
static enum status
fetch_left(struct exec *exec, struct loop *loop)
{
    uint64_t least = exec->goal < WINDOW_LEAST ? exec->goal : WINDOW_LEAST;

    loop->left_index = loop->primed_begin = loop->primed_end = loop->primed_next = 0;
    TRY(exec_next(exec->input, &loop->left));
    if (!loop->primes || loop->left->count == 0 || loop->left->count >= least)
        return STATUS_OK;
    arena_reset(&loop->window.arena);
    loop->window.count = 0;
    do {
        TRY(copy_to_window(exec, loop, loop->left));
        if (exec->input->done || loop->window.count >= least)
            break;
        TRY(exec_next(exec->input, &loop->left));
    } while (loop->left->count > 0);
    loop->left = &loop->window;
    return STATUS_OK;
}

/* One step of priming for the row: to be looked up, or to have its entries gathered. */
static enum status
prime_row(struct exec *exec, struct loop *loop, uint32_t index, bool gathers, bool *out)
{
    arena_reset(&loop->slots);
    TRY(exec__fill_slots(exec, &exec->plan->slots, exec__row(loop->left, index), &loop->slots));
    return gathers ? exec__prime_gather(exec->right, out) : exec__prime_add(exec->right, out);
}

/* Looks up for the present left row and those behind it. */
static enum status
prime(struct exec *exec, struct loop *loop)
{
    uint64_t most = loop->left->count - loop->left_index, goal = exec->goal - exec->batch.count;
    uint32_t wanted = loop->wanted, begin = loop->left_index, end = begin;
    bool more = true, gathers = false;

    loop->wanted = wanted * 4 < EXEC__PRIME_MAX ? wanted * 4 : EXEC__PRIME_MAX;
    most = most < goal ? most : goal;
    wanted = wanted < most ? wanted : (uint32_t)most;
    loop->primed_begin = loop->primed_end = begin;
    loop->primed_next = begin + 1;
    if (wanted < 2)
        return STATUS_OK;
    TRY(exec__prime_begin(exec->right, wanted));
    for (; end < begin + wanted && more; end += more)
        TRY(prime_row(exec, loop, end, false, &more));
    TRY(exec__prime_look_up(exec->right, &gathers));
    if (gathers) {
        wanted = end - begin;
        for (more = true, end = begin; end < begin + wanted && more; end += more)
            TRY(prime_row(exec, loop, end, true, &more));
    }
    TRY(exec__prime_end(exec->right));
    loop->primed_end = end;
    loop->primed_next = end > begin ? end : begin + 1;
    return STATUS_OK;
}

static enum status
run_right(struct exec *exec, struct loop *loop, const struct value *row)
{
    uint32_t index = loop->left_index;

    if (loop->primes && index >= loop->primed_next)
        TRY(prime(exec, loop));
    arena_reset(&loop->slots);
    TRY(exec__fill_slots(exec, &exec->plan->slots, row, &loop->slots));
    exec_rescan(exec->right);
    if (index >= loop->primed_begin && index < loop->primed_end)
        exec__prime_use(exec->right, index - loop->primed_begin);
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
        TRY(fetch_left(exec, loop));
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
    return run_right(exec, loop, row);
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
    if (!exec__shows_right(exec->plan))
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
    if (exec__shows_right(exec->plan))
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
    loop->wanted = PRIME_FIRST;
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
