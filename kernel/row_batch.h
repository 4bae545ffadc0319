/*
 * Batches of rows on their way from one tree to another. Not thread-safe.
 */
#ifndef KERNEL_ROW_BATCH_H
#define KERNEL_ROW_BATCH_H

#include "kernel/key_map.h"
#include "pager/pager.h"

enum {
    ROW_BATCH_MAX = 256,
    ROW_BATCH_PAGES = 4, /* Pages of the change limit that a row may be expected to take. */
    ROW_BATCH_SIZE = 1024 * 1024, /* Bytes of copies; one row more. */
};

struct batch_row {
    const uint8_t *key;
    const uint8_t *value;
    size_t key_size;
    size_t value_size;
    /* What is to become of it, for commits. */
    enum write_kind kind;
    const uint8_t *write;
    size_t write_size;
};

struct row_batch {
    struct pager *pager;
    struct arena arena; /* For keys and values. */
    uint32_t row_limit;
    uint32_t row_count;
    struct batch_row rows[ROW_BATCH_MAX];
};

/* What to do with each row, within a change. */
struct row_batch_work {
    enum status (*apply)(struct pager_change *change, const struct batch_row *row, void *context);
    void *context;
    struct pager_change_cost *cost; /* Is added to; NULL: nobody asks. */
};

void row_batch__init(struct row_batch *batch, struct pager *pager, struct memory *memory);
void row_batch__deinit(struct row_batch *batch);
/** Empties it; memory is kept for the next rows. */
void row_batch__clear(struct row_batch *batch);
bool row_batch__is_full(const struct row_batch *batch);
/** A new row, all zero; the batch is not full. */
struct batch_row *row_batch__add(struct row_batch *batch);
/** Applies all rows in order, in as few changes as the pager's change limit allows. Neither latch is
 * held. On failure some of them have been applied. */
MUST_CHECK enum status row_batch__run(const struct row_batch *batch,
                                      const struct row_batch_work *work);

#endif
