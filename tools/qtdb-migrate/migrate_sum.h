/*
 * The checksum of a table's content that does not depend on the order of its rows: XXH3-128 of each
 * row, added modulo 2^128. Rows that repeat count as often as they do.
 */
#ifndef TOOLS_QTDB_MIGRATE_MIGRATE_SUM_H
#define TOOLS_QTDB_MIGRATE_MIGRATE_SUM_H

#include "tools/common/text_buffer.h"

struct migrate_sum {
    uint64_t low;
    uint64_t high;
    uint64_t row_count;
};

/* One row at a time: its values, each with a mark of what it is, and then the end. */
void migrate_sum_null(struct text_buffer *row);
void migrate_sum_integer(struct text_buffer *row, int64_t value);
void migrate_sum_real(struct text_buffer *row, double value);
void migrate_sum_bytes(struct text_buffer *row, const void *bytes, size_t size);
/** Adds the row and empties the buffer. False: no memory. */
bool migrate_sum_row(struct migrate_sum *sum, struct text_buffer *row);

bool migrate_sum_equals(const struct migrate_sum *left, const struct migrate_sum *right);

#endif
