/*
 * Functions by name and argument types. The tables are in function_*.c, one a family.
 * Thread-safe: everything is constant.
 */
#ifndef EXECUTOR_FUNCTION_H
#define EXECUTOR_FUNCTION_H

#include "executor/expr.h"

enum { FUNCTION_CALL_ARGUMENTS_MAX = 100 };

/* A table of functions, ended by one without a name. */
extern const struct function function_text_table[];
extern const struct function function_math_table[];
extern const struct function function_sequence_table[];

/**
 * The function with the most exactly matching arguments among those whose arguments `casts` allows;
 * the first of equals. NULL when there is none. QTDB_TYPE_NULL stands for an untyped literal.
 */
const struct function *function_find(const char *name, const enum qtdb_type *types, uint32_t count,
                                     bool (*casts)(enum qtdb_type from, enum qtdb_type to));

/** Whole calls: evaluates the arguments, gives null where the function does not take it. */
MUST_CHECK enum status function_eval(const struct expr *expr, const struct value *row,
                                     struct eval *eval, struct value *out);

#endif
