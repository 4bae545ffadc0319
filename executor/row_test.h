/*
 * Row tests: conditions on a stored row that need no evaluation of expressions: a column against a
 * constant, two columns kept as integers, IN of constants, LIKE a constant. A test is made once from a
 * conjunct of a filter; row_reader.h asks it as soon as its columns are read, so that the rest of a row that
 * fails is never looked at. None takes memory or fails; a null makes each false, as it makes its condition
 * unknown. Thread-safe.
 */
#ifndef EXECUTOR_ROW_TEST_H
#define EXECUTOR_ROW_TEST_H

#include "executor/expr.h"

enum row_test_kind {
    ROW_TEST_INTEGER = 1, /* A column kept as an integer against a constant; */
    ROW_TEST_COLUMNS = 2, /* against another such column. */
    ROW_TEST_NUMERIC = 3, /* A numeric against one of few digits. */
    ROW_TEST_TEXT = 4,    /* A text against another. */
    ROW_TEST_IN = 5,      /* An integer or text among constants. */
    ROW_TEST_LIKE = 6,
};

struct row_test {
    enum row_test_kind kind;
    enum expr_operator operator_kind; /* INTEGER to TEXT. */
    uint32_t column;                  /* Of the table. */
    uint32_t other;                   /* COLUMNS. */
    int64_t integer;                  /* INTEGER. */
    __int128 scaled;                  /* NUMERIC: times 10^16. */
    const struct expr *expr;          /* The condition; it outlives the test. */
    const struct row_test *next;      /* Asked after it (row_reader.h). */
};

/** False: this condition, over a table's row, has to be evaluated. */
bool row_test_init(struct row_test *test, const struct expr *expr);
/** It costs less than reading the columns behind its own. */
static inline bool
row_test_is_cheap(const struct row_test *test)
{
    return test->kind == ROW_TEST_INTEGER || test->kind == ROW_TEST_COLUMNS;
}
/** ROW_TEST_INTEGER alone, of a value that is not null. */
static inline bool
row_test_integer_holds(const struct row_test *test, const struct value *value)
{
    return expr_order_satisfies(test->operator_kind, (value->integer > test->integer) -
                                                         (value->integer < test->integer));
}
/** Over a row by column, of which the test's columns are there. */
bool row_test_holds(const struct row_test *test, const struct value *values);

#endif
