/*
 * Reading some columns of stored rows, in two steps: those that decide whether a row is wanted, and then
 * the others asked for. Columns between them are passed over by their size, and what lies behind the
 * last one, or behind the first whose test fails, is not looked at: its damage shows only to those who
 * read it.
 *
 * A reader is made once a scan; reading takes no memory. Bytes are from disk: every step is bounded, and
 * a value that is read is validated as row_decode does.
 */
#ifndef EXECUTOR_ROW_READER_H
#define EXECUTOR_ROW_READER_H

#include "executor/row_test.h"
#include "executor/table.h"

enum { ROW_SPAN_MAX = 64 };

/* One place of a stored row. */
struct row_slot {
    uint8_t how; /* Enums of row_reader.c. */
    uint8_t action;
    bool wanted;
    uint16_t
        step; /* To the next slot: 1, or past numbers beside each other that nobody asks for. */
    enum qtdb_type type;
    bool given;                   /* An output of row_reader_span, */
    uint32_t out;                 /* which puts it there. */
    uint32_t column;              /* Of the table, whose value it is. */
    const struct row_test *tests; /* Asked once this slot is read; NULL: none. */
    uint32_t checked;             /* The next slot whose bytes are validated; UINT32_MAX: none. */
};

struct row_reader {
    const struct table *table;
    struct row_slot *slots;       /* slot_count of them; the caller's memory. */
    uint32_t first_end;           /* Slots below it are read by row_reader_first, */
    uint32_t end;                 /* those up to here by row_reader_rest. */
    uint32_t checked;             /* The first slot whose bytes are validated; UINT32_MAX: none. */
    uint32_t head;                /* row_reader_span: a row's first bytes; 0: they vary. */
    const struct row_test *tests; /* All of them. */
    uint32_t test_count;
    bool asks_rows;              /* Some of them are of more than one integer column. */
    const struct row_test *late; /* Those that cost more, asked when the others have passed. */
};

/* Where in a row reading is. */
struct row_place {
    const uint8_t *next;
    const uint8_t *end;
    const uint8_t *nulls;
    uint32_t slot;
    uint32_t stored; /* Slots that the row has. */
    bool has_nulls;
};

/** `slots` has room for table->slot_count. `first` and `wanted` say for each column of the table whether
 * it is read in the first step, or at all. */
void row_reader_init(struct row_reader *reader, const struct table *table, const bool *first,
                     const bool *wanted, struct row_slot *slots);
/** Tests of columns that are in the first step; they outlive the reader, which links them. */
void row_reader_set_tests(struct row_reader *reader, struct row_test *tests, uint32_t count);

/** Columns of the first step into `values`, by column; they borrow from `bytes`. Values of columns that
 * are younger than the row take memory from `arena`. False in *passes_out: a test fails, and the row is
 * done with. XX001 when the bytes are damaged. */
MUST_CHECK enum status row_reader_first(const struct row_reader *reader, const void *bytes,
                                        size_t size, struct row_place *place, struct arena *arena,
                                        struct value *values, bool *passes_out,
                                        struct sql_error *error);
/** The others, after row_reader_first on the same row, which passed. */
MUST_CHECK enum status row_reader_rest(const struct row_reader *reader, struct row_place *place,
                                       struct arena *arena, struct value *values,
                                       struct sql_error *error);

/** row_reader_span puts columns[i] of the table at i of a row; each column once, all of them read. */
void row_reader_set_outputs(struct row_reader *reader, const uint32_t *columns, uint32_t count);

/* Rows that lie beside each other, and where those that pass their tests go. */
struct row_span {
    const void *const *bytes; /* `count` rows and their sizes. */
    const uint32_t *sizes;
    uint32_t count;
    struct value *scratch; /* By column; what was in it is gone. */
    struct value *rows;    /* `width` values each, by set_outputs, one behind the other. */
    uint32_t width;
};
/**
 * Both steps in one for rows as most are: all slots asked for are there, and there are no nulls. Returns how many
 * were read, and in *passed_out those of them that are in `rows`, in their order; the next one, if there is one,
 * is for the two steps. Values borrow from the bytes. At most ROW_SPAN_MAX rows.
 */
uint32_t row_reader_span(const struct row_reader *reader, const struct row_span *span,
                         uint32_t *passed_out);

#endif
