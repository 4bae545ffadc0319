/*
 * Binding: from syntax to plans. Names become columns of tables, operators and literals get types,
 * aggregates are collected; a plan is a tree of nodes that exec.h runs.
 *
 * A plan lives in the arena it was bound with, belongs to one transaction's view of the catalog, and
 * is immutable while it runs. Parameters are taken as constants: a statement is bound again when they
 * change.
 */
#ifndef EXECUTOR_BIND_H
#define EXECUTOR_BIND_H

#include "executor/expr.h"
#include "executor/table.h"

enum plan_kind {
    PLAN_RESULT = 1, /* One row without columns. */
    PLAN_VALUES = 2,
    PLAN_SCAN = 3,
    PLAN_AGGREGATE = 4,
    PLAN_PROJECT = 5,
    PLAN_SORT = 6,
    PLAN_LIMIT = 7,
    PLAN_DISTINCT = 8,
    PLAN_INSERT = 9,
    PLAN_UPDATE = 10,
    PLAN_DELETE = 11,
};

enum plan_aggregate { PLAN_COUNT = 1, PLAN_SUM = 2, PLAN_MIN = 3, PLAN_MAX = 4, PLAN_AVERAGE = 5 };

struct plan_aggregate_call {
    enum plan_aggregate kind;
    struct expr *argument; /* NULL: count(*). */
    struct sql_type type;
    bool distinct;
};

struct plan_column {
    const char *name;
    struct sql_type type;
};

struct plan_sort_key {
    uint32_t column;
    bool descending;
    bool nulls_first;
};

struct plan {
    enum plan_kind kind;
    struct plan *input;
    uint32_t column_count; /* Of the output rows. */
    struct plan_column *columns;

    /* SCAN, INSERT, UPDATE, DELETE. */
    struct table *table;
    struct expr *filter;  /* NULL: none. Of SCAN, and HAVING of AGGREGATE. */
    struct expr *key_low; /* Bounds of a single integer key, inclusive; NULL: open. */
    struct expr *key_high;

    /* VALUES: row_count * column_count; PROJECT: column_count; UPDATE: one a column, NULL: kept;
     * AGGREGATE: the group_count group expressions. INSERT: input column a table column, or
     * UINT32_MAX for the default. */
    uint32_t row_count;
    struct expr **exprs;
    uint32_t *sources;
    uint32_t group_count;

    uint32_t aggregate_count;
    struct plan_aggregate_call *aggregates;

    uint32_t sort_count;
    struct plan_sort_key *sort_keys;
    struct expr *limit; /* NULL: none. */
    struct expr *offset;
};

struct bind {
    struct qtdb_txn *txn;
    struct arena *arena;
    const struct value *parameters;
    uint32_t parameter_count;
    struct sql_error *error;
};

/** A query or a data change. `*visible_out`: leading columns that the user sees. */
MUST_CHECK enum status bind_statement(struct bind *bind, const struct ast_statement *statement,
                                      struct plan **out, uint32_t *visible_out);

/** A constant expression (a DEFAULT) of the given type, evaluated. */
MUST_CHECK enum status bind_constant(struct bind *bind, const struct ast_expr *ast,
                                     const struct sql_type *type, struct value *out);

/** The type of a column definition. 42704 when there is no such type. */
MUST_CHECK enum status bind_type(const struct ast_type *ast, struct sql_type *out,
                                 struct sql_error *error);

#endif
