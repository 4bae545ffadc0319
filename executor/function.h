/*
 * Functions by name and argument types. The tables are in function_*.c, one a family.
 * Thread-safe: everything is constant.
 */
#ifndef EXECUTOR_FUNCTION_H
#define EXECUTOR_FUNCTION_H

#include "executor/expr.h"
#include "executor/text_out.h"

enum { FUNCTION_CALL_ARGUMENTS_MAX = 100 };

/* Types in tables that follow those of the arguments. */
#define FUNCTION_ANY QTDB_TYPE_NULL
#define FUNCTION_ANY_ARRAY ((enum qtdb_type)250)
#define FUNCTION_ANY_ELEMENT ((enum qtdb_type)251) /* Of FUNCTION_ANY_ARRAY. */

/* A table of functions, ended by one without a name. */
extern const struct function function_text_table[];
extern const struct function function_math_table[];
extern const struct function function_sequence_table[];
extern const struct function function_array_table[];
extern const struct function function_date_table[];
extern const struct function function_format_table[];
extern const struct function function_json_table[];
extern const struct function function_regex_table[];
extern const struct function function_bytes_table[];
extern const struct function function_digest_table[];
extern const struct function function_power_table[];
extern const struct function function_number_table[];
extern const struct function function_moment_table[];
extern const struct function function_more_table[];
extern const struct function function_zone_table[];
extern const struct function function_session_table[];
extern const struct function function_size_table[];

/* Not found by name: ARRAY[...], and what stands behind `x op ANY (array)` and ALL, whose operator is the
 * expression's. */
extern const struct function function_array_constructor;
extern const struct function function_json_row;    /* A row's names and values in turns. */
extern const struct function function_json_of_row; /* The same, as row_to_json gives it. */
extern const struct function function_array_any;
extern const struct function function_array_like_any; /* The same of LIKE and ILIKE. */
extern const struct function function_array_like_all;
extern const struct function function_array_all;

/**
 * The function with the most exactly matching arguments among those whose arguments `casts` allows;
 * the first of equals. NULL when there is none. QTDB_TYPE_NULL stands for an untyped literal.
 */
const struct function *function_find(const char *name, const enum qtdb_type *types, uint32_t count,
                                     bool (*casts)(enum qtdb_type from, enum qtdb_type to));

/** The function with exactly these types. */
const struct function *function_find_exact(const char *name, const enum qtdb_type *types,
                                           uint32_t count);

/** Any value as JSON, at the end of the text. */
MUST_CHECK enum status json_put_value(const struct value *value, struct text_out *text,
                                      struct eval *eval);
/** The square root of a numeric, to `scale` decimals; below 0: as many as PostgreSQL's sqrt gives. */
MUST_CHECK enum status numeric_sqrt_value(const struct value *value, int32_t scale,
                                          struct eval *eval, struct value *out);

struct zone;
/** The zone that a text names; an abbreviation of one offset too. */
MUST_CHECK enum status function_zone(const struct value *name, struct eval *eval,
                                     const struct zone **out);

/** Whole calls: evaluates the arguments, gives null where the function does not take it. */
MUST_CHECK enum status function_eval(const struct expr *expr, const struct value *row,
                                     struct eval *eval, struct value *out);

#endif
