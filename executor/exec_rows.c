/* Rows that are kept, and sorting them. */
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

enum status
exec__keep_value(const struct value *value, struct arena *arena, struct value *out)
{
    *out = *value;
    if (value->null || !value_type_is_bytes(value->type))
        return STATUS_OK;
    uint8_t *copy = arena_alloc(arena, (size_t)value->size + 1);
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    if (value->size > 0)
        memcpy(copy, value->bytes, value->size);
    out->bytes = copy;
    return STATUS_OK;
}

enum status
exec__keep_row(const struct value *row, uint32_t width, struct arena *arena, struct value **out)
{
    struct value *copy = arena_alloc(arena, width * sizeof(*copy));

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < width; i++)
        TRY(exec__keep_value(&row[i], arena, &copy[i]));
    *out = copy;
    return STATUS_OK;
}

int
exec__compare(const struct value *left, const struct value *right, bool nulls_first)
{
    if (left->null || right->null) {
        int order = (int)left->null - (int)right->null;

        return nulls_first ? -order : order;
    }
    return value_compare(left, right);
}

enum status
exec__rows_add(struct exec_rows *rows, const struct value *row)
{
    struct value *copy = NULL;

    TRY(exec__keep_row(row, rows->width, &rows->arena, &copy));
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity == 0 ? 64 : 2 * rows->capacity;
        struct value **grown = arena_alloc(&rows->arena, capacity * sizeof(struct value *));

        if (grown == NULL)
            return STATUS_NO_MEMORY;
        if (rows->count > 0)
            memcpy(grown, rows->rows, rows->count * sizeof(struct value *));
        rows->rows = grown;
        rows->capacity = capacity;
    }
    rows->rows[rows->count++] = copy;
    return STATUS_OK;
}

int
exec__compare_rows(const struct plan_sort_key *keys, uint32_t key_count, const struct value *left,
                   const struct value *right)
{
    for (uint32_t i = 0; i < key_count; i++) {
        const struct value *a = &left[keys[i].column], *b = &right[keys[i].column];
        int order = exec__compare(a, b, keys[i].nulls_first != keys[i].descending);

        if (order != 0)
            return keys[i].descending ? -order : order;
    }
    return 0;
}

/* Bottom-up merge sort: stable, no recursion, one array of pointers beside the rows. */
void
exec__sort_rows(struct value ***rows, size_t count, const struct plan_sort_key *keys,
                uint32_t key_count, struct value **scratch)
{
    struct value **from = *rows, **to = scratch;

    for (size_t run = 1; run < count; run *= 2) {
        for (size_t start = 0; start < count; start += 2 * run) {
            size_t middle = start + run < count ? start + run : count;
            size_t end = middle + run < count ? middle + run : count;
            size_t left = start, right = middle;

            for (size_t i = start; i < end; i++) {
                bool take_left = left < middle &&
                                 (right == end || exec__compare_rows(keys, key_count, from[left],
                                                                     from[right]) <= 0);
                to[i] = take_left ? from[left++] : from[right++];
            }
        }
        struct value **swap = from;
        from = to;
        to = swap;
    }
    *rows = from;
}

enum status
exec_collect(struct exec *exec, struct exec_rows *out)
{
    const struct batch *batch = NULL;
    size_t charged = 0;

    out->width = exec->plan->width;
    do {
        TRY(exec_next(exec, &batch));
        for (uint32_t i = 0; i < batch->count; i++)
            TRY(exec__rows_add(out, exec__row(batch, i)));
        TRY(exec__charge_arena(exec->context, &out->arena, &charged));
    } while (batch->count > 0);
    return STATUS_OK;
}
