/*
 * Rows and keys as bytes in a tree.
 *
 * Row:  u8 format (1) | varint column count | null bits, one a column | values of those not null:
 *       integers, dates, times and timestamps as zigzag varints, bool as u8, floats as 8 bytes,
 *       everything else as varint size and bytes.
 *       A row with fewer columns than its table was written before columns were added: the rest are
 *       their defaults.
 *
 * Key:  each column so that memcmp keeps PostgreSQL's order: 0x01 and the value, or 0x02 for null
 *       (nulls last). Integers: 8 bytes big-endian, sign bit flipped. Floats: the same trick on the
 *       bits. Bytes: 0x00 becomes 0x00 0xff, the end is 0x00 0x00. Numeric and others: see key.c.
 *       A table whose whole key is one integer column uses just its 8 bytes (QTDB_KEY_INT).
 *
 * Decoding is for bytes from disk: it validates and never reads past the end.
 */
#ifndef EXECUTOR_ROW_H
#define EXECUTOR_ROW_H

#include "executor/value.h"
#include "kernel/base/bytes.h"

enum { ROW_FORMAT = 1, ROW_COLUMNS_MAX = 1600 };
enum { KEY_VALUE = 1, KEY_NULL = 2 }; /* What a column of a key begins with. */

/** Appends; false, and the writer overflows, when it has not row_encoded_size_max bytes left. */
bool row_encode(const struct value *values, uint32_t count, struct byte_writer *out);
/** Bytes that row_encode needs at most. */
size_t row_encoded_size_max(const struct value *values, uint32_t count);

/** Values borrow from `bytes`. `*count_out` may be below `count`; the rest is not set. */
MUST_CHECK enum status row_decode(const void *bytes, size_t size, const struct sql_type *types,
                                  uint32_t count, struct value *values, uint32_t *count_out);

/** Appends one key column; false when the writer is full. */
bool key_encode(const struct value *value, struct byte_writer *out);
/*
 * The order of one column of an index, bits. What is descending has every byte of its column complemented;
 * null begins with a byte above that of values, or below it where that puts nulls on the other side.
 */
enum key_order { KEY_ASCENDING = 0, KEY_DESCENDING = 1, KEY_NULLS_FIRST = 2 };

/** As key_encode, in the order. */
bool key_encode_in(const struct value *value, uint32_t order, struct byte_writer *out);
/** What all values, or all nulls, of such a column begin with. */
uint8_t key_mark(uint32_t order, bool null);
/** The type's values can be had back from their keys. */
bool key_keeps(enum qtdb_type type);
/** The next column of a key, of a type that keeps its values; borrows from the key where it can.
 * STATUS_CORRUPT. */
MUST_CHECK enum status key_decode(struct byte_reader *reader, enum qtdb_type type,
                                  struct arena *arena, struct value *out);
/** As key_decode, of a column in the order. */
MUST_CHECK enum status key_decode_in(struct byte_reader *reader, enum qtdb_type type,
                                     uint32_t order, struct arena *arena, struct value *out);

#endif
