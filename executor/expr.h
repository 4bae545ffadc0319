/*
 * Bound expressions: columns are positions in a row, every node has a type, constants are values.
 * Made by bind.h, evaluated row by row here.
 *
 * An expression is immutable after binding and may be shared; evaluation takes its memory from the
 * context's arena. Boolean results follow SQL's three-valued logic (null is unknown).
 */
#ifndef EXECUTOR_EXPR_H
#define EXECUTOR_EXPR_H

#include "executor/value.h"

enum expr_kind {
    EXPR_CONSTANT = 1,
    EXPR_COLUMN = 2,
    EXPR_PARAMETER = 3,
    EXPR_ARITHMETIC = 4, /* operator; both of `type` after casts */
    EXPR_COMPARE = 5,    /* operator; arguments of one type */
    EXPR_AND = 6,
    EXPR_OR = 7,
    EXPR_NOT = 8,
    EXPR_IS_NULL = 9, /* negated: is not null */
    EXPR_IN = 10,     /* argument 0 in the others; negated */
    EXPR_LIKE = 11,   /* negated; insensitive */
    EXPR_CASE = 12,   /* pairs of condition and result, then the else result */
    EXPR_COALESCE = 13,
    EXPR_CAST = 14,
    EXPR_CONCAT = 15,
    EXPR_NEGATE = 16,
    EXPR_FUNCTION = 17,
    EXPR_DISTINCT_FROM = 18,
    EXPR_AGGREGATE = 19, /* Its position in the aggregation's output; evaluated as a column. */
};

enum expr_operator {
    EXPR_ADD = 1,
    EXPR_SUBTRACT = 2,
    EXPR_MULTIPLY = 3,
    EXPR_DIVIDE = 4,
    EXPR_MODULO = 5,
    EXPR_EQUAL = 6,
    EXPR_NOT_EQUAL = 7,
    EXPR_LESS = 8,
    EXPR_LESS_EQUAL = 9,
    EXPR_GREATER = 10,
    EXPR_GREATER_EQUAL = 11,
};

enum expr_function {
    EXPR_LENGTH = 1,
    EXPR_LOWER = 2,
    EXPR_UPPER = 3,
    EXPR_ABS = 4,
};

struct expr {
    enum expr_kind kind;
    enum expr_operator operator_kind;
    enum expr_function function;
    struct sql_type type;
    int32_t location;
    uint32_t index; /* Column, parameter (from 0), aggregate. */
    bool negated;
    bool insensitive;
    struct value constant;
    uint32_t argument_count;
    struct expr **arguments;
};

struct eval {
    struct arena *arena;
    const struct value *parameters;
    uint32_t parameter_count;
    struct sql_error *error;
};

MUST_CHECK enum status expr_eval(const struct expr *expr, const struct value *row,
                                 struct eval *eval, struct value *out);
/** Null and false are false. */
MUST_CHECK enum status expr_is_true(const struct expr *expr, const struct value *row,
                                    struct eval *eval, bool *out);

/** PostgreSQL's LIKE: % and _, backslash escapes; by UTF-8 characters. */
bool expr_like(const char *text, size_t text_size, const char *pattern, size_t pattern_size,
               bool insensitive);

#endif
