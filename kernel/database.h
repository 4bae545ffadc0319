/* What the rest of the program may do with a database handle beyond qtdb.h: tests open it on other
 * worlds than the operating system, the executor borrows its allocator. */
#ifndef KERNEL_DATABASE_H
#define KERNEL_DATABASE_H

#include <stdatomic.h>

#include "kernel/base/env.h"
#include "kernel/qtdb.h"

/** As qtdb_open, in the world `env`, which outlives the handle. `options` may be NULL. */
MUST_CHECK enum status database_open_env(const struct env *env, const char *path,
                                         const struct qtdb_options *options, struct qtdb **out);
/** Frees the handle as a crash would: nothing is written, open transactions are dropped. */
void database_abandon(struct qtdb *db);
struct memory *database_memory(const struct qtdb *db);
struct io *database_io(const struct qtdb *db);
/** The file's real path. */
const char *database_path(const struct qtdb *db);
/** A number of this opening of the file that no other one has, drawn at the first call. Any thread. */
uint64_t database_instance(struct qtdb *db);
/* Notes of the layer above about its tables, shared by all who have the handle: what is worth knowing and
 * may be lost at close. A table's place is its number modulo DATABASE_NOTES, so two may share one. */
enum { DATABASE_NOTES = 512 };
struct database_notes {
    _Atomic uint64_t version;                 /* Counts changes of what plans are made from. */
    _Atomic uint64_t changed[DATABASE_NOTES]; /* Rows changed since the table was looked at, */
    _Atomic uint64_t rows[DATABASE_NOTES];    /* and the rows it had then. */
};
/** All 0 at open; lives as long as the handle. Any thread. */
struct database_notes *database_notes(struct qtdb *db);
struct pager *database_pager(const struct qtdb *db);
/**
 * As btree_sample, with the transaction's own writes counted as rows: for planning, so it says how the
 * tree is now and not as of the snapshot, and notes no read. `low_out` has QTDB_KEY_SIZE_MAX bytes.
 */
MUST_CHECK enum status database_sample(struct qtdb_txn *txn, struct qtdb_tree *tree, double share,
                                       double *rows_out, uint8_t *low_out, size_t *low_size_out);
/** As btree_page_count: how the tree is now, not as of the snapshot; 0 while it has no commit. Notes no read. */
MUST_CHECK enum status database_page_count(struct qtdb_txn *txn, struct qtdb_tree *tree,
                                           uint64_t *out);
/**
 * As qtdb_cursor_next as often as it would give a row that lies beside the present one, `count` times at most:
 * where the rows' values lie, or only how many there are (`values` NULL). The cursor is at the last of
 * them; they stay until it moves to another place. 0: qtdb_cursor_next has to look.
 */
uint32_t database_cursor_span(struct qtdb_cursor *cursor, uint32_t count, const void **values,
                              uint32_t *sizes);
/**
 * As qtdb_cursor_next once more than *row_count_out says, for who only counts: rows beside the present one and in
 * whole leaves, up to `leaf_most` of them, that are as the snapshot has them are passed over without being copied.
 * The cursor is at the row behind them. QTDB_NOT_FOUND: there is none; the rows passed over count all the same.
 */
enum qtdb_code database_cursor_skip(struct qtdb_cursor *cursor, uint32_t leaf_most,
                                    uint64_t *row_count_out, uint32_t *leaf_count_out);
/**
 * Brings in the leaves where the look-ups' keys are, or would be, with the waiting overlapped: for who goes there next
 * with a cursor. Reads nothing, so nothing is noted; values and codes are not touched. `absent_out`: pages that
 * were not in memory.
 */
MUST_CHECK enum status database_fetch(struct qtdb_txn *txn, struct qtdb_tree *tree,
                                      const struct qtdb_lookup *lookups, size_t count,
                                      uint32_t *absent_out);
/** Brings in what database_sample will look at there, side by side; at most BTREE_SAMPLE_FETCH_MAX. */
void database_sample_fetch(struct qtdb_txn *txn, struct qtdb_tree *tree, const double *shares,
                           uint32_t count);
/** None of its savepoints will be rolled back to any more: what they need is not kept. */
void database_forget_savepoints(struct qtdb_txn *txn);
/** How long it waits for a row lock from now on, as qtdb_txn_options has it. */
void database_set_lock_timeout(struct qtdb_txn *txn, uint32_t timeout_ms);
/** The CSN of the last commit that the transaction sees; it changes with qtdb_refresh. */
uint64_t database_snapshot(const struct qtdb_txn *txn);
/**
 * True when all that a transaction read in `tree` at the snapshot `csn` is there in this one's snapshot too,
 * its own writes aside. False also when reads have to be noted (SERIALIZABLE): then read.
 */
bool database_is_as_of(const struct qtdb_txn *txn, const struct qtdb_tree *tree, uint64_t csn);

#endif
