/*
 * Reading some columns of stored rows, in two steps: those that decide whether a row is wanted, and then
 * the others asked for. Columns between them are passed over by their size, and what lies behind the
 * last one is not looked at: its damage shows only to those who read it.
 *
 * A reader is made once a scan; reading takes no memory. Bytes are from disk: every step is bounded, and
 * a value that is read is validated as row_decode does.
 */
#ifndef EXECUTOR_ROW_READER_H
#define EXECUTOR_ROW_READER_H

#include "executor/table.h"

/* One place of a stored row. */
struct row_slot {
    uint8_t how; /* enum of row_reader.c */
    bool wanted;
    enum qtdb_type type;
    uint32_t column; /* Of the table, whose value it is. */
};

struct row_reader {
    const struct table *table;
    struct row_slot *slots; /* slot_count of them; the caller's memory. */
    uint32_t first_end;     /* Slots below it are read by row_reader_first, */
    uint32_t end;           /* those up to here by row_reader_rest. */
};

/* Where in a row reading is. */
struct row_place {
    const uint8_t *next;
    const uint8_t *end;
    const uint8_t *nulls;
    uint32_t slot;
    uint32_t stored; /* Slots that the row has. */
};

/** `slots` has room for table->slot_count. `first` and `wanted` say for each column of the table whether
 * it is read in the first step, or at all. */
void row_reader_init(struct row_reader *reader, const struct table *table, const bool *first,
                     const bool *wanted, struct row_slot *slots);

/** Columns of the first step into `values`, by column; they borrow from `bytes`. Values of columns that
 * are younger than the row take memory from `arena`. XX001 when the bytes are damaged. */
MUST_CHECK enum status row_reader_first(const struct row_reader *reader, const void *bytes,
                                        size_t size, struct row_place *place, struct arena *arena,
                                        struct value *values, struct sql_error *error);
/** The others, after row_reader_first on the same row. */
MUST_CHECK enum status row_reader_rest(const struct row_reader *reader, struct row_place *place,
                                       struct arena *arena, struct value *values,
                                       struct sql_error *error);

#endif
