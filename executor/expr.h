/*
 * Bound expressions: names are resolved, every node has a type, constants are values. Made by bind.h,
 * moved about by plan.h, evaluated row by row here.
 *
 * A column is named by the relation it comes from (a number unique in the statement) and its index
 * there; planning turns that into a position in a row (relation 0). A value handed into a subquery or
 * the inner side of a join travels in a slot: a place in the statement's slot array.
 *
 * An expression is immutable once made and may be shared; changing one means copying it
 * (expr_rewrite). Evaluation takes its memory from the context's arena. Boolean results follow SQL's
 * three-valued logic (null is unknown).
 */
#ifndef EXECUTOR_EXPR_H
#define EXECUTOR_EXPR_H

#include "executor/numeric.h"
#include "executor/value.h"

enum expr_kind {
    EXPR_CONSTANT = 1,
    EXPR_COLUMN = 2,
    EXPR_PARAMETER = 3,
    EXPR_ARITHMETIC = 4, /* operator; both of `type` after casts; negated: always null */
    EXPR_COMPARE = 5,    /* operator; arguments of one type; negated: always null */
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
    EXPR_AGGREGATE = 19, /* Its position in the aggregation's output; gone after binding. */
    EXPR_SLOT = 20,
    EXPR_SUBQUERY = 21, /* operands of ANY and ALL, then what fills the slots */
    EXPR_NULLIF = 22,   /* argument 0, null when the comparison argument 1 holds */
    EXPR_GREATEST = 23, /* negated: least */
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

struct enumeration;
struct function;
struct rel;
struct plan;

enum subquery_kind {
    SUBQUERY_SCALAR = 1,
    SUBQUERY_EXISTS = 2,
    SUBQUERY_ANY = 3,
    SUBQUERY_ALL = 4,
};

/* A query inside an expression. Before it runs, slots[i] takes argument operand_count + i. */
struct subquery {
    enum subquery_kind kind;
    struct rel *rel;   /* As bound. */
    uint32_t relation; /* Whose leading columns are the result. */
    uint32_t width;    /* Columns of the result. */
    uint32_t operand_count;
    uint32_t slot_count;
    uint32_t *slots;
    const struct rel *joined_at; /* The condition it was made a join below; NULL: it was not. */
    struct expr *joined;         /* The column that took its place; NULL: none. */
    struct plan *plan;           /* NULL until planned. */
    uint32_t plan_index;         /* Among the statement's subplans. */
};

struct expr {
    enum expr_kind kind;
    enum expr_operator operator_kind;
    const struct function *function;
    struct sql_type type;
    int32_t location;
    uint32_t relation; /* Of a column; 0: `index` is a position. */
    uint32_t index;    /* Column, parameter (from 0), aggregate, slot. */
    bool negated;
    bool insensitive;
    struct value constant;
    const struct enumeration *enumeration; /* Of a cast to an enum or its array. */
    struct subquery *subquery;
    uint32_t argument_count;
    struct expr **arguments;
};

struct exec_context;

struct eval {
    struct arena *arena;
    struct sql_error *error;
    const struct value *parameters;
    uint32_t parameter_count;
    struct value *slots;
    const struct exec_context *context; /* For subqueries; NULL where there can be none. */
};

/* A function of fixed arity; function_*.c have the tables. */
typedef enum status function_call(const struct expr *expr, const struct value *arguments,
                                  struct eval *eval, struct value *out);

enum { FUNCTION_ARGUMENTS_MAX = 7 };

struct function {
    const char *name;
    uint32_t least; /* Arguments needed; the rest of `arguments` may be left out. */
    uint32_t count;
    enum qtdb_type arguments[FUNCTION_ARGUMENTS_MAX]; /* QTDB_TYPE_NULL: any type. */
    enum qtdb_type result;                            /* QTDB_TYPE_NULL: that of argument 0. */
    bool takes_null;                                  /* Otherwise null when an argument is null. */
    bool variadic;                                    /* The last argument repeats. */
    function_call *call;
};

MUST_CHECK enum status expr_eval(const struct expr *expr, const struct value *row,
                                 struct eval *eval, struct value *out);
/** Null and false are false. */
MUST_CHECK enum status expr_is_true(const struct expr *expr, const struct value *row,
                                    struct eval *eval, bool *out);
enum expr_short { EXPR_SHORT_NONE = 0, EXPR_SHORT_NULL = 1, EXPR_SHORT_FOUND = 2 };
/** A numeric expression without memory, where that can be done (expr_short.c); NONE: by expr_eval. */
enum expr_short expr_eval_short(const struct expr *expr, const struct value *row,
                                const struct eval *eval, struct numeric_short *out);
/** Numbers of one type, neither null: +, -, *, /, % by the operator, with range checks. */
MUST_CHECK enum status expr_calculate(const struct expr *expr, const struct value *left,
                                      const struct value *right, struct eval *eval,
                                      struct value *out);
MUST_CHECK enum status expr_negate(const struct expr *expr, const struct value *value,
                                   struct eval *eval, struct value *out);
static inline bool
expr_order_satisfies(enum expr_operator operator_kind, int order)
{
    /* Bits of below, equal and above. */
    static const uint8_t orders[] = {
        [EXPR_EQUAL] = 2,      [EXPR_NOT_EQUAL] = 5, [EXPR_LESS] = 1,
        [EXPR_LESS_EQUAL] = 3, [EXPR_GREATER] = 4,   [EXPR_GREATER_EQUAL] = 6};

    return (orders[operator_kind] >> (order < 0 ? 0 : order == 0 ? 1 : 2) & 1) != 0;
}

/** PostgreSQL's LIKE: % and _, backslash escapes; by UTF-8 characters. */
bool expr_like(const char *text, size_t text_size, const char *pattern, size_t pattern_size,
               bool insensitive);

/* Trees (expr_walk.c). */

/** Sets *out to a replacement, or leaves it NULL to go on with the arguments. */
typedef enum status expr_replace(void *context, struct expr *expr, struct expr **out);

/** A copy in which `replace` was asked for every node, from the top. */
MUST_CHECK enum status expr_rewrite(struct arena *arena, struct expr *expr, expr_replace *replace,
                                    void *context, struct expr **out);
/** The same expression, up to locations. */
bool expr_same(const struct expr *left, const struct expr *right);
/** Calls `each` for every node, from the top, until it returns false. */
bool expr_visit(const struct expr *expr, bool (*each)(void *context, const struct expr *expr),
                void *context);

#endif
