/*
 * ZIP: several functions that give rows side by side, as ROWS FROM, unnest of several arrays and WITH ORDINALITY
 * have it. Each function's rows are an array, column after column (rel.h: struct rel_part); one that has ended
 * gives nulls until all have.
 */
#include "executor/array.h"
#include "executor/exec_private.h"
#include "kernel/base/check.h"

struct part {
    struct array array;
    uint32_t left; /* Elements. */
};

struct zip {
    struct part *parts; /* In `held`; NULL: not begun. */
    int64_t row_count;
};

static enum status
start(struct exec *exec, struct zip *zip)
{
    const struct plan *plan = exec->plan;
    struct eval eval = exec__eval(exec);

    zip->parts = arena_alloc(&exec->held, plan->part_count * sizeof(*zip->parts));
    if (zip->parts == NULL)
        return STATUS_NO_MEMORY;
    eval.arena = &exec->held;
    for (uint32_t i = 0; i < plan->part_count; i++) {
        struct value value;

        TRY(expr_eval(plan->exprs[plan->parts[i].call], NULL, &eval, &value));
        zip->parts[i] = (struct part){.left = 0};
        if (value.null)
            continue;
        zip->parts[i].array = array_open(&value);
        zip->parts[i].left = zip->parts[i].array.count;
    }
    return exec__charge(exec);
}

static bool
is_over(const struct exec *exec, const struct zip *zip)
{
    for (uint32_t i = 0; i < exec->plan->part_count; i++) {
        if (zip->parts[i].left > 0)
            return false;
    }
    return true;
}

static void
fill_row(struct exec *exec, struct zip *zip, struct value *row)
{
    const struct plan *plan = exec->plan;
    uint32_t column = 0;

    for (uint32_t i = 0; i < plan->part_count; i++) {
        struct part *part = &zip->parts[i];
        bool some = part->left > 0;

        for (uint32_t k = 0; k < plan->parts[i].width; k++, column++) {
            enum qtdb_type type = plan->exprs[plan->parts[i].call + 1 + k]->type.type;

            row[column] = some ? array_next(&part->array) : value_null(type);
            row[column].type = type;
        }
        part->left -= some ? plan->parts[i].width : 0;
    }
    if (plan->ordinality)
        row[column++] = value_integer(QTDB_TYPE_INT8, ++zip->row_count);
    CHECK(column == plan->width);
}

static enum status
next_zip(struct exec *exec)
{
    struct zip *zip = exec->state;

    if (zip->parts == NULL)
        TRY(start(exec, zip));
    while (!is_over(exec, zip) && !exec__is_full(exec))
        fill_row(exec, zip, exec__new_row(exec));
    exec->done = is_over(exec, zip);
    return STATUS_OK;
}

static void
rewind_zip(struct exec *exec)
{
    exec__release(exec);
    *(struct zip *)exec->state = (struct zip){.parts = NULL};
}

const struct exec__class exec__zip_class = {
    .state_size = sizeof(struct zip), .next = next_zip, .rescan = rewind_zip};
