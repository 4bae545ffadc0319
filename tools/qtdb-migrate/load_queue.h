/*
 * Rows on their way into the target: the calling thread reads and converts, a thread of the queue puts them into the
 * target, in their order.
 *
 *    queue_open -> queue_table -> queue_add ... -> queue_settle -> queue_table ... -> queue_close
 *
 * Rows are copied into batches, BATCHES of them, so that what waits is bounded (about 600 KB each) whatever the table;
 * a row that is larger than a batch goes in by itself, from where it lies, when all before it are in.
 *
 * The target is the thread's while rows are under way. Whoever else wants to use it settles first: then the
 * thread waits and nothing is on its way. After a row was refused the thread drops what follows it; queue_add
 * or queue_settle say so once, with the row, and what follows may be added again for another table.
 *
 * One thread uses a queue; the other is its own.
 */
#ifndef TOOLS_QTDB_MIGRATE_LOAD_QUEUE_H
#define TOOLS_QTDB_MIGRATE_LOAD_QUEUE_H

#include "tools/qtdb-migrate/migrate_target.h"

struct load_queue;

/** `target` is borrowed. STATUS_NO_MEMORY; STATUS_FAILED: a thread was refused. */
MUST_CHECK enum status queue_open(const struct env *env, struct migrate_target *target,
                                  struct load_queue **out);
/** Drops what is under way and ends the thread; NULL is fine. */
void queue_close(struct load_queue *queue);

/** What is added from here on is the table's, which the target has begun. Settled. */
void queue_table(struct load_queue *queue, const struct migrate_table *table);
/**
 * One row, copied; `index` is its number in the source. Waits while all batches are under way. Other than TARGET_OK: an
 * earlier row, or this one, was refused or failed, `*row_out` is its number, the target has the fault, and the queue is settled.
 */
MUST_CHECK enum target_result queue_add(struct load_queue *queue, const struct converted *row,
                                        uint64_t index, uint64_t *row_out);
/** Waits until every row is in; results as of queue_add. */
MUST_CHECK enum target_result queue_settle(struct load_queue *queue, uint64_t *row_out);

#endif
