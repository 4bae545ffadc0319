/*
 * Nodes that take one batch and give one: FILTER, PROJECT, LIMIT. When the input says that it has given its last
 * one, so do they, and nobody asks it again.
 */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

/* FILTER. */

static enum status
next_filter(struct exec *exec)
{
    struct eval eval = exec__eval(exec);
    const struct batch *input;

    TRY(exec_next(exec->input, &input));
    for (uint32_t i = 0; i < input->count; i++) {
        bool wanted = false;

        TRY(expr_is_true(exec->plan->filter, exec__row(input, i), &eval, &wanted));
        if (wanted)
            memcpy(exec__new_row(exec), exec__row(input, i),
                   exec->plan->width * sizeof(struct value));
    }
    exec->done = exec->input->done;
    return STATUS_OK;
}

const struct exec__class exec__filter_class = {.next = next_filter};

/* PROJECT. */

static enum status
next_project(struct exec *exec)
{
    struct eval eval = exec__eval(exec);
    const struct batch *input;

    exec->input->goal = exec->goal;
    TRY(exec_next(exec->input, &input));
    for (uint32_t i = 0; i < input->count; i++) {
        struct value *row = exec__new_row(exec);

        for (uint32_t k = 0; k < exec->plan->width; k++)
            TRY(expr_eval(exec->plan->exprs[k], exec__row(input, i), &eval, &row[k]));
    }
    exec->done = exec->input->done;
    return STATUS_OK;
}

const struct exec__class exec__project_class = {.next = next_project};

/* LIMIT. */

struct limit {
    bool started;
    uint64_t seen;
    uint64_t offset;
    uint64_t end;
    struct value *last; /* WITH TIES: the last row that was counted. */
};

static enum status
limit_of(struct exec *exec, const struct expr *expr, const char *what, uint64_t none, uint64_t *out)
{
    struct eval eval = exec__eval(exec);
    struct value value;

    *out = none;
    if (expr == NULL)
        return STATUS_OK;
    TRY(expr_eval(expr, NULL, &eval, &value));
    if (value.null)
        return STATUS_OK;
    if (value.integer < 0)
        return sql_error_set(exec->context->error, what[0] == 'L' ? "2201W" : "2201X",
                             expr->location, "%s must not be negative", what);
    *out = (uint64_t)value.integer;
    return STATUS_OK;
}

static enum status
start_limit(struct exec *exec, struct limit *limit)
{
    uint64_t count = 0;

    TRY(limit_of(exec, exec->plan->limit, "LIMIT", UINT64_MAX, &count));
    TRY(limit_of(exec, exec->plan->offset, "OFFSET", 0, &limit->offset));
    limit->end = count > UINT64_MAX - limit->offset ? UINT64_MAX : limit->offset + count;
    limit->started = true;
    return STATUS_OK;
}

/* Past the end only WITH TIES gives rows, those that are equal to the last one. */
static bool
is_tied(const struct exec *exec, const struct limit *limit, const struct value *row)
{
    const struct plan *plan = exec->plan;

    return limit->last != NULL &&
           exec__compare_rows(plan->sort_keys, plan->sort_count, limit->last, row) == 0;
}

static enum status
take_row(struct exec *exec, struct limit *limit, const struct value *row)
{
    if (limit->seen >= limit->end && !is_tied(exec, limit, row)) {
        exec->done = true;
        return STATUS_OK;
    }
    if (limit->seen >= limit->offset)
        memcpy(exec__new_row(exec), row, exec->plan->width * sizeof(struct value));
    limit->seen++;
    if (exec->plan->sort_count == 0 || limit->seen != limit->end)
        return STATUS_OK;
    TRY(exec__keep_row(row, exec->plan->width, &exec->held, &limit->last));
    return exec__charge(exec);
}

static enum status
next_limit(struct exec *exec)
{
    struct limit *limit = exec->state;
    const struct batch *input;

    if (!limit->started)
        TRY(start_limit(exec, limit));
    if (limit->seen >= limit->end && limit->last == NULL) {
        exec->done = true;
        return STATUS_OK;
    }
    exec->input->goal = limit->seen < limit->end ? limit->end - limit->seen : UINT64_MAX;
    TRY(exec_next(exec->input, &input));
    for (uint32_t i = 0; i < input->count && !exec->done; i++)
        TRY(take_row(exec, limit, exec__row(input, i)));
    exec->done = exec->done || input->count == 0;
    return STATUS_OK;
}

static void
rewind_limit(struct exec *exec)
{
    *(struct limit *)exec->state = (struct limit){.seen = 0};
    exec__release(exec);
}

const struct exec__class exec__limit_class = {
    .state_size = sizeof(struct limit), .next = next_limit, .rescan = rewind_limit};
