/* Nodes without inputs that make their rows themselves: one row, VALUES, a series, a work table. */
#include <string.h>

#include "executor/array.h"
#include "executor/exec_private.h"
#include "kernel/base/check.h"

struct position {
    uint64_t next;
};

static void
rewind_position(struct exec *exec)
{
    ((struct position *)exec->state)->next = 0;
}

/* RESULT: one row without columns. */

static enum status
next_result(struct exec *exec)
{
    exec->batch.count = 1;
    exec->done = true;
    return STATUS_OK;
}

const struct exec__class exec__result_class = {.next = next_result};

/* VALUES. */

static enum status
next_values(struct exec *exec)
{
    struct position *position = exec->state;
    const struct plan *plan = exec->plan;
    struct eval eval = exec__eval(exec);

    while (position->next < plan->row_count && !exec__is_full(exec)) {
        struct value *row = exec__new_row(exec);

        for (uint32_t i = 0; i < plan->width; i++)
            TRY(expr_eval(plan->exprs[position->next * plan->width + i], NULL, &eval, &row[i]));
        position->next++;
    }
    exec->done = position->next == plan->row_count;
    return STATUS_OK;
}

const struct exec__class exec__values_class = {
    .state_size = sizeof(struct position), .next = next_values, .rescan = rewind_position};

/* generate_series. */

struct series {
    bool started;
    struct array array; /* Rows that an array gives, in turns of the columns. */
    uint32_t left;
    int64_t next;
    int64_t stop;
    int64_t step;
};

static bool
is_array(const struct exec *exec)
{
    return value_is_array(exec->plan->exprs[0]->type.type);
}

static enum status
start_array(struct exec *exec, struct series *series)
{
    struct eval eval = exec__eval(exec);
    struct value value;

    series->started = true;
    series->left = 0;
    eval.arena = &exec->held;
    TRY(expr_eval(exec->plan->exprs[0], NULL, &eval, &value));
    if (!value.null) {
        series->array = array_open(&value);
        series->left = series->array.count;
    }
    return exec__charge(exec);
}

static enum status
next_array(struct exec *exec, struct series *series)
{
    if (!series->started)
        TRY(start_array(exec, series));
    while (series->left > 0 && !exec__is_full(exec)) {
        struct value *row = exec__new_row(exec);

        for (uint32_t i = 0; i < exec->plan->width; i++) {
            row[i] = array_next(&series->array);
            row[i].type = exec->plan->exprs[1 + i]->type.type;
            series->left--;
        }
    }
    exec->done = series->left == 0;
    return STATUS_OK;
}

static enum status
start_series(struct exec *exec, struct series *series)
{
    struct eval eval = exec__eval(exec);
    int64_t values[3] = {0, 0, 1};

    series->started = true;
    for (uint32_t i = 0; i < exec->plan->row_count; i++) {
        struct value value;

        TRY(expr_eval(exec->plan->exprs[i], NULL, &eval, &value));
        if (value.null) {
            exec->done = true;
            return STATUS_OK;
        }
        values[i] = value.integer;
    }
    if (values[2] == 0)
        return sql_error_set(exec->context->error, "22023", -1, "step size cannot equal zero");
    series->next = values[0];
    series->stop = values[1];
    series->step = values[2];
    return STATUS_OK;
}

static enum status
next_series(struct exec *exec)
{
    struct series *series = exec->state;
    enum qtdb_type type = exec->plan->exprs[0]->type.type;

    if (is_array(exec))
        return next_array(exec, series);
    if (!series->started)
        TRY(start_series(exec, series));
    while (!exec->done && !exec__is_full(exec)) {
        bool past = series->step > 0 ? series->next > series->stop : series->next < series->stop;

        if (past) {
            exec->done = true;
            break;
        }
        struct value *row = exec__new_row(exec);
        if (exec->plan->width > 0)
            row[0] = value_integer(type, series->next);
        if (__builtin_add_overflow(series->next, series->step, &series->next))
            exec->done = true;
    }
    return STATUS_OK;
}

static void
rewind_series(struct exec *exec)
{
    ((struct series *)exec->state)->started = false;
}

const struct exec__class exec__series_class = {
    .state_size = sizeof(struct series), .next = next_series, .rescan = rewind_series};

/* The work table of a recursion. */

static enum status
next_work(struct exec *exec)
{
    struct position *position = exec->state;
    const struct exec_rows *rows = exec->context->works[exec->plan->work_index].rows;

    while (rows != NULL && position->next < rows->count && !exec__is_full(exec))
        memcpy(exec__new_row(exec), rows->rows[position->next++],
               exec->plan->width * sizeof(struct value));
    exec->done = rows == NULL || position->next == rows->count;
    return STATUS_OK;
}

const struct exec__class exec__work_class = {
    .state_size = sizeof(struct position), .next = next_work, .rescan = rewind_position};
