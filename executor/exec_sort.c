/* SORT: all rows are held, then handed out in order. */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

struct sort {
    struct value **rows;
    size_t count;
    size_t capacity;
    size_t next;
};

static enum status
hold_row(struct exec *exec, struct sort *sort, const struct value *row)
{
    struct value *copy = NULL;

    TRY(exec__keep_row(row, exec->plan->width, &exec->held, &copy));
    if (sort->count == sort->capacity) {
        size_t capacity = sort->capacity == 0 ? 256 : 2 * sort->capacity;
        struct value **rows = arena_alloc(&exec->held, capacity * sizeof(struct value *));

        if (rows == NULL)
            return STATUS_NO_MEMORY;
        if (sort->count > 0)
            memcpy(rows, sort->rows, sort->count * sizeof(struct value *));
        sort->rows = rows;
        sort->capacity = capacity;
    }
    sort->rows[sort->count++] = copy;
    return exec__charge(exec);
}

static enum status
take_all(struct exec *exec, struct sort *sort)
{
    const struct batch *input;

    *sort = (struct sort){.count = 0};
    do {
        TRY(exec_next(exec->input, &input));
        for (uint32_t i = 0; i < input->count; i++)
            TRY(hold_row(exec, sort, exec__row(input, i)));
    } while (input->count > 0);
    exec->holds = true;
    if (sort->count < 2)
        return STATUS_OK;
    struct value **scratch = arena_alloc(&exec->held, sort->count * sizeof(struct value *));
    if (scratch == NULL)
        return STATUS_NO_MEMORY;
    TRY(exec__charge(exec));
    exec__sort_rows(&sort->rows, sort->count, exec->plan->sort_keys, exec->plan->sort_count,
                    scratch);
    return STATUS_OK;
}

static enum status
next_sort(struct exec *exec)
{
    struct sort *sort = exec->state;

    if (!exec->holds)
        TRY(take_all(exec, sort));
    while (sort->next < sort->count && !exec__is_full(exec))
        memcpy(exec__new_row(exec), sort->rows[sort->next++],
               exec->plan->width * sizeof(struct value));
    exec->done = sort->next == sort->count;
    return STATUS_OK;
}

static void
rewind_sort(struct exec *exec)
{
    ((struct sort *)exec->state)->next = 0;
}

const struct exec__class exec__sort_class = {
    .state_size = sizeof(struct sort), .next = next_sort, .rescan = rewind_sort};
