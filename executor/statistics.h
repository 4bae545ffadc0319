/*
 * Statistics of tables: what the planner tells shares of rows and sizes of joins from. ANALYZE makes them
 * from all rows of a small table and from a sample of a large one.
 *
 * They are kept in the kernel tree "sql/statistics", within the transaction that makes them. Its keys are
 * u32 table id, big-endian, and u16 slot of the column (table.h), or STATISTICS_ROWS for the table's own
 * entry; slots and ids are never used again, so what was dropped cannot be taken for something else.
 *
 * A table's entry: u8 format (1) | u64 bits of the rows, a double.
 * A column's: u8 format (1) | u8 type | u64 bits of null share, distinct values and mean width, doubles |
 *   varint common count | u64 bits of the share of each, doubles | varint bound count | a row (row.h) of
 *   the common values and the bounds.
 *
 * Bytes from disk are validated; what does not fit the column's type of today counts as not there.
 */
#ifndef EXECUTOR_STATISTICS_H
#define EXECUTOR_STATISTICS_H

#include "executor/table.h"
#include "kernel/database.h"

enum {
    STATISTICS_ROWS = 0xffff,
    STATISTICS_COMMON_MAX = 40, /* Most common values. */
    STATISTICS_BOUNDS_MAX = 65, /* Of parts with as many rows each. */
    STATISTICS_VALUE_MAX = 256, /* Bytes; longer values count in shares and width only. */
    STATISTICS_ENTRY_MAX = 64 * 1024,
};

struct statistics {
    double null_share; /* Of the rows. */
    double distinct;   /* Different values; below 0: the negated share of the rows. */
    double width;      /* Bytes of a value, on average. */
    uint32_t common_count;
    double *common_shares; /* Of the rows, the largest first. */
    uint32_t
        bound_count; /* 0, or 2 and more: from the least to the greatest of the other values. */
    struct value *values; /* The common ones, then the bounds. */
};

/** False when it does not fit. */
bool statistics_encode(const struct statistics *statistics, enum qtdb_type type,
                       struct byte_writer *out);
/** Values borrow from `bytes`. STATUS_CORRUPT for what statistics_encode did not write for the type. */
MUST_CHECK enum status statistics_decode(const uint8_t *bytes, size_t size,
                                         const struct sql_type *type, struct arena *arena,
                                         struct statistics *out);

/** STATUS_NOT_FOUND, without an error set, when there are none that fit. */
MUST_CHECK enum status statistics_find(struct qtdb_txn *txn, const struct table *table,
                                       uint32_t column, struct arena *arena, struct statistics *out,
                                       struct sql_error *error);
/** Rows at the last ANALYZE. STATUS_NOT_FOUND as above. */
MUST_CHECK enum status statistics_find_rows(struct qtdb_txn *txn, const struct table *table,
                                            struct arena *arena, double *out,
                                            struct sql_error *error);
MUST_CHECK enum status statistics_put(struct qtdb_txn *txn, const struct table *table,
                                      uint32_t column, const struct statistics *statistics,
                                      struct arena *arena, struct sql_error *error);
MUST_CHECK enum status statistics_put_rows(struct qtdb_txn *txn, const struct table *table,
                                           double rows, struct sql_error *error);
/** Until the end of the transaction nobody else makes any of the table. Without `wait` STATUS_CONFLICT when
 * somebody does; the snapshot is not renewed. */
MUST_CHECK enum status statistics_lock(struct qtdb_txn *txn, const struct table *table, bool wait,
                                       struct sql_error *error);
/** All of the table's. */
MUST_CHECK enum status statistics_drop(struct qtdb_txn *txn, const struct table *table,
                                       struct sql_error *error);

/**
 * Rows of the table with this id, or of another one with its place in the notes, were changed, and the
 * change is there to stay. True: that has made the statistics stale.
 */
bool statistics_note_changes(struct database_notes *notes, uint32_t table_id, uint64_t count);
/** More rows were changed since they were made than leaves them true. */
bool statistics_are_stale(const struct database_notes *notes, const struct table *table);

struct exec_context;
/** Looks at the table's rows and keeps what it finds, of the columns wanted, or of all (`wanted` NULL). */
MUST_CHECK enum status statistics_make(struct exec_context *context, const struct table *table,
                                       const bool *wanted);

#endif
