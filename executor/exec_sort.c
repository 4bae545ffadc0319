/*
 * SORT: rows are held until there are more than the work limit allows; then they are sorted and
 * written as a run, and the runs are merged at the end (exec_sort_runs.c). What fits is handed out from
 * memory. When only the first rows are asked for, no more than twice those are held.
 */
#include "executor/exec_sort.h"

#include <string.h>

#include "kernel/base/check.h"

enum { TOP_ROWS_MAX = 32768, TOP_ROOM_LEAST = 256 };

struct sort {
    struct exec__sort_entry *entries;
    struct exec__sort_entry *scratch; /* As many; there while sorting. */
    size_t count;
    size_t capacity;
    size_t scratch_count;
    size_t next;
    size_t top;  /* Rows asked for; 0: all. */
    bool is_cut; /* `cut` is the last of the first `top` so far. */
    struct exec__sort_entry cut;
    struct arena spare; /* Holds the rows that stay when the others are dropped. */
    struct exec__runs *runs;
    bool must_rewind; /* The runs, to be read once more. */
};

/* Memory. */

static void
note_extra(struct exec *exec, const struct sort *sort)
{
    exec->extra_size = (sort->capacity + sort->scratch_count) * sizeof(struct exec__sort_entry);
}

static enum status
grow(struct exec *exec, struct sort *sort)
{
    size_t capacity = sort->capacity == 0 ? 256 : sort->capacity + sort->capacity / 2;
    struct exec__sort_entry *entries =
        memory_resize(exec->context->memory, MEMORY_SQL, sort->entries,
                      sort->capacity * sizeof(*entries), capacity * sizeof(*entries));

    if (entries == NULL)
        return STATUS_NO_MEMORY;
    sort->entries = entries;
    sort->capacity = capacity;
    note_extra(exec, sort);
    return STATUS_OK;
}

static void
free_entries(struct exec *exec, struct sort *sort)
{
    struct memory *memory = exec->context->memory;

    if (sort->entries != NULL)
        memory_free(memory, MEMORY_SQL, sort->entries, sort->capacity * sizeof(*sort->entries));
    if (sort->scratch != NULL)
        memory_free(memory, MEMORY_SQL, sort->scratch,
                    sort->scratch_count * sizeof(*sort->scratch));
    sort->entries = sort->scratch = NULL;
    sort->count = sort->capacity = sort->scratch_count = 0;
    note_extra(exec, sort);
}

/* Sorting in memory: bottom-up merging, stable, without recursion. */

static bool
is_after(const struct plan *plan, const struct exec__sort_entry *left,
         const struct exec__sort_entry *right)
{
    if (left->prefix != right->prefix)
        return left->prefix > right->prefix;
    return exec__compare_rows(plan->sort_keys, plan->sort_count, left->row, right->row) > 0;
}

static void
merge_pair(const struct plan *plan, const struct exec__sort_entry *from, size_t start,
           size_t middle, size_t end, struct exec__sort_entry *to)
{
    size_t left = start, right = middle;

    /* Rows that come in order stay. */
    if (middle == end || !is_after(plan, &from[middle - 1], &from[middle])) {
        memcpy(to + start, from + start, (end - start) * sizeof(*to));
        return;
    }
    for (size_t i = start; i < end; i++) {
        bool take_left =
            left < middle && (right == end || !is_after(plan, &from[left], &from[right]));

        to[i] = take_left ? from[left++] : from[right++];
    }
}

static enum status
sort_entries(struct exec *exec, struct sort *sort)
{
    struct exec__sort_entry *from = sort->entries, *to;
    size_t count = sort->count;

    if (count < 2)
        return STATUS_OK;
    to = sort->scratch =
        memory_alloc(exec->context->memory, MEMORY_SQL, sort->capacity * sizeof(*to));
    if (to == NULL)
        return STATUS_NO_MEMORY;
    sort->scratch_count = sort->capacity;
    note_extra(exec, sort);
    TRY(exec__charge(exec));
    for (size_t run = 1; run < count; run *= 2) {
        TRY(exec__check_interrupt(exec->context));
        for (size_t start = 0; start < count; start += 2 * run) {
            size_t middle = start + run < count ? start + run : count;
            size_t end = middle + run < count ? middle + run : count;

            merge_pair(exec->plan, from, start, middle, end, to);
        }
        struct exec__sort_entry *swap = from;
        from = to;
        to = swap;
    }
    sort->entries = from;
    memory_free(exec->context->memory, MEMORY_SQL, to, sort->capacity * sizeof(*to));
    sort->scratch = NULL;
    sort->scratch_count = 0;
    note_extra(exec, sort);
    return STATUS_OK;
}

/* Taking rows. */

static enum status
spill(struct exec *exec, struct sort *sort)
{
    if (sort->runs == NULL) {
        sort->runs = memory_alloc(exec->context->memory, MEMORY_SQL, sizeof(*sort->runs));
        if (sort->runs == NULL)
            return STATUS_NO_MEMORY;
        exec__runs_init(sort->runs, exec);
    }
    TRY(sort_entries(exec, sort));
    TRY(exec__runs_add(sort->runs, sort->entries, sort->count));
    sort->count = 0;
    arena_reset(&exec->held);
    return exec__charge(exec);
}

/* Keeps the first `top` rows only, copied so that the memory of the others can go. */
static enum status
cut(struct exec *exec, struct sort *sort)
{
    struct arena swap = exec->held;

    TRY(sort_entries(exec, sort));
    if (sort->count > sort->top)
        sort->count = sort->top;
    for (size_t i = 0; i < sort->count; i++)
        TRY(exec__keep_row(sort->entries[i].row, exec->plan->width, &sort->spare,
                           &sort->entries[i].row));
    exec->held = sort->spare;
    sort->spare = swap;
    arena_reset(&sort->spare);
    sort->is_cut = sort->count == sort->top;
    if (sort->is_cut)
        sort->cut = sort->entries[sort->count - 1];
    return exec__charge(exec);
}

/* Sorting needs the entries twice. */
static bool
is_over(const struct exec *exec, const struct sort *sort)
{
    return exec->held.total_size + 2 * sort->capacity * sizeof(struct exec__sort_entry) >
           exec__work_limit(exec->context);
}

static enum status
take_row(struct exec *exec, struct sort *sort, const struct value *row)
{
    struct exec__sort_entry entry = {.prefix = exec__sort_prefix(exec->plan, row)};

    entry.row = (struct value *)(uintptr_t)row;
    if (sort->is_cut && !is_after(exec->plan, &sort->cut, &entry))
        return STATUS_OK;
    if (sort->count == sort->capacity)
        TRY(grow(exec, sort));
    TRY(exec__keep_row(row, exec->plan->width, &exec->held, &entry.row));
    sort->entries[sort->count++] = entry;
    if (sort->top > 0 && sort->count >= 2 * sort->top + TOP_ROOM_LEAST)
        return cut(exec, sort);
    return STATUS_OK;
}

/* LIMIT and OFFSET are checked by their own node: what is wrong with them shows there. */
static enum status
find_top(struct exec *exec, struct sort *sort)
{
    const struct expr *const exprs[] = {exec->plan->limit, exec->plan->offset};
    struct eval eval = exec__eval(exec);
    uint64_t rows = 0;

    sort->top = 0;
    sort->is_cut = false;
    if (exec->plan->limit == NULL)
        return STATUS_OK;
    for (size_t i = 0; i < 2; i++) {
        struct value value;

        if (exprs[i] == NULL)
            continue;
        TRY(expr_eval(exprs[i], NULL, &eval, &value));
        if (value.null || value.integer < 0 || value.integer > TOP_ROWS_MAX)
            return STATUS_OK;
        rows += (uint64_t)value.integer;
    }
    sort->top = rows <= TOP_ROWS_MAX ? (size_t)rows : 0;
    return STATUS_OK;
}

static enum status
take_all(struct exec *exec, struct sort *sort)
{
    const struct batch *input;

    sort->count = 0;
    sort->must_rewind = false;
    if (sort->runs != NULL)
        exec__runs_deinit(sort->runs);
    TRY(find_top(exec, sort));
    do {
        TRY(exec_next(exec->input, &input));
        for (uint32_t i = 0; i < input->count; i++)
            TRY(take_row(exec, sort, exec__row(input, i)));
        if (is_over(exec, sort) && sort->count > 0) {
            sort->top = 0; /* The rows cut off so far are not among the first. */
            sort->is_cut = false;
            TRY(spill(exec, sort));
        }
        TRY(exec__charge(exec));
    } while (input->count > 0);
    if (sort->runs != NULL && sort->runs->count > 0) {
        if (sort->count > 0)
            TRY(spill(exec, sort));
        free_entries(exec, sort);
        TRY(exec__charge(exec));
        sort->must_rewind = true;
    } else {
        TRY(sort_entries(exec, sort));
    }
    exec->holds = true;
    return STATUS_OK;
}

static enum status
next_merged(struct exec *exec, struct sort *sort)
{
    while (!exec__is_full(exec)) {
        bool more = false;

        TRY(exec__runs_next(sort->runs, &exec->batch.arena, exec__new_row(exec), &more));
        if (!more) {
            exec->batch.count--;
            exec->done = true;
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

static enum status
next_sort(struct exec *exec)
{
    struct sort *sort = exec->state;

    if (!exec->holds)
        TRY(take_all(exec, sort));
    if (sort->must_rewind) {
        TRY(exec__runs_rewind(sort->runs));
        exec->extra_size = sort->runs->count * EXEC__BLOCK_SIZE;
        TRY(exec__charge(exec));
        sort->must_rewind = false;
    }
    if (sort->runs != NULL && sort->runs->count > 0)
        return next_merged(exec, sort);
    while (sort->next < sort->count && !exec__is_full(exec))
        memcpy(exec__new_row(exec), sort->entries[sort->next++].row,
               exec->plan->width * sizeof(struct value));
    exec->done = sort->next == sort->count;
    return STATUS_OK;
}

/* Life. */

static enum status
open_sort(struct exec *exec)
{
    struct sort *sort = exec->state;

    arena_init(&sort->spare, exec->context->memory, MEMORY_SQL);
    return STATUS_OK;
}

/* Runs are read again from their start; what depends on slots is made anew. */
static void
rewind_sort(struct exec *exec)
{
    struct sort *sort = exec->state;

    sort->next = 0;
    sort->must_rewind = sort->runs != NULL && sort->runs->count > 0;
}

static void
close_sort(struct exec *exec)
{
    struct sort *sort = exec->state;

    free_entries(exec, sort);
    arena_deinit(&sort->spare);
    if (sort->runs == NULL)
        return;
    exec__runs_deinit(sort->runs);
    memory_free(exec->context->memory, MEMORY_SQL, sort->runs, sizeof(*sort->runs));
}

const struct exec__class exec__sort_class = {.state_size = sizeof(struct sort),
                                             .open = open_sort,
                                             .next = next_sort,
                                             .rescan = rewind_sort,
                                             .close = close_sort};
