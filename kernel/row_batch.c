/*
 * A batch of rows copied out of one tree, and changes made of it. Big commits and their undoing go
 * through tables in batches: bounded in rows and bytes, so that neither memory nor one change grows with
 * the table.
 *
 * How many pages the rows of a batch touch is known only when one change has met its limit. Then the
 * batch is applied in smaller changes: each row of it is good alone.
 */
#include "kernel/row_batch.h"

#include <string.h>

#include "kernel/base/check.h"

void
row_batch__init(struct row_batch *batch, struct pager *pager, struct memory *memory)
{
    uint32_t limit = pager_change_limit(pager) / ROW_BATCH_PAGES;

    batch->pager = pager;
    batch->row_limit = limit < 1 ? 1 : limit > ROW_BATCH_MAX ? ROW_BATCH_MAX : limit;
    batch->row_count = 0;
    arena_init(&batch->arena, memory, MEMORY_WRITE_SET);
}

void
row_batch__deinit(struct row_batch *batch)
{
    arena_deinit(&batch->arena);
    batch->row_count = 0;
}

void
row_batch__clear(struct row_batch *batch)
{
    arena_reset(&batch->arena);
    batch->row_count = 0;
}

bool
row_batch__is_full(const struct row_batch *batch)
{
    return batch->row_count == batch->row_limit || batch->arena.total_size >= ROW_BATCH_SIZE;
}

struct batch_row *
row_batch__add(struct row_batch *batch)
{
    CHECK(batch->row_count < batch->row_limit);
    batch->rows[batch->row_count] = (struct batch_row){.value = NULL};
    return &batch->rows[batch->row_count++];
}

/* ---- Changes ------------------------------------------------------------------------------------ */

/* Rows [first, end) in one change. `*over_out`: they are too many for one. */
static enum status
attempt(const struct row_batch *batch, uint32_t first, uint32_t end,
        const struct row_batch_work *work, bool *over_out)
{
    struct pager_change_cost cost = {.log_size = 0};
    struct pager_change *change;
    enum status status = STATUS_OK;
    uint64_t csn;

    TRY(pager_change_begin(batch->pager, &change));
    pager_change_measure(change, &cost);
    for (uint32_t index = first; index < end && status == STATUS_OK; index++)
        status = work->apply(change, &batch->rows[index], work->context);
    if (status != STATUS_OK) {
        *over_out = status == STATUS_FULL && pager_change_is_full(change);
        pager_change_abandon(change);
        return status;
    }
    TRY(pager_change_commit(change, &csn));
    if (work->cost != NULL) {
        work->cost->log_size += cost.log_size;
        work->cost->page_count += cost.page_count;
    }
    return STATUS_OK;
}

enum status
row_batch__run(const struct row_batch *batch, const struct row_batch_work *work)
{
    uint32_t step = batch->row_count;

    for (uint32_t first = 0; first < batch->row_count;) {
        uint32_t left = batch->row_count - first;
        uint32_t end = first + (left < step ? left : step);
        bool over = false;
        enum status status = attempt(batch, first, end, work, &over);

        if (status == STATUS_OK) {
            first = end;
        } else if (over && end - first > 1) {
            step = (end - first) / 2;
        } else if (status == STATUS_MISSING) {
            TRY(pager_change_resolve(batch->pager));
        } else {
            return status;
        }
    }
    return STATUS_OK;
}
