/*
 * The logical tree of a query: what rows are wanted, not how they are found. Made by bind.h, read by
 * plan.h.
 *
 * A node that makes new columns defines a relation (a number unique in the statement, from 1); its
 * columns are named (relation, index) in the expressions of the nodes above. The other nodes hand
 * through the relations of their inputs.
 *
 *   defines a relation:  VALUES, TABLE, PROJECT, AGGREGATE, SET, RECURSIVE, WORK, SERIES, SHARED
 *   hands through:       RESULT (no columns), JOIN, FILTER, SORT, DISTINCT, LIMIT, LOCK
 *   both:                WINDOW: the rows of its input with the results of its calls beside them
 */
#ifndef EXECUTOR_REL_H
#define EXECUTOR_REL_H

#include "executor/expr.h"
#include "executor/table.h"

enum { REL_RELATIONS_MAX = 512 };

enum rel_kind {
    REL_RESULT = 1, /* One row without columns. */
    REL_VALUES = 2,
    REL_TABLE = 3, /* Its column `table->column_count` is the row's key, as bytes. */
    REL_JOIN = 4,
    REL_FILTER = 5,
    REL_PROJECT = 6,
    REL_AGGREGATE = 7, /* Groups, then aggregates. */
    REL_SORT = 8,
    REL_DISTINCT = 9, /* First row of those equal in the sort keys. */
    REL_LIMIT = 10,
    REL_SET = 11,       /* UNION, INTERSECT, EXCEPT */
    REL_RECURSIVE = 12, /* input: first rows; right: further rows from the work table. */
    REL_WORK = 13,      /* The rows the recursion made last. */
    REL_SERIES = 14, /* Integers from exprs[0] to exprs[1] by exprs[2]; or, exprs[0] an array, its
                         * elements, whose types are those of the other exprs, column by column. */
    REL_WINDOW = 15, /* Sorted by sort_keys; the first group_count of them are the partition. */
    REL_SHARED = 16, /* A name of WITH; every use has the same input and `shared`. */
    REL_LOCK = 17,   /* Locks rows of tables, whose keys are `exprs`. */
};

enum rel_join { REL_INNER = 1, REL_LEFT = 2, REL_FULL = 3, REL_SEMI = 4, REL_ANTI = 5 };

enum rel_aggregate_kind {
    REL_COUNT = 1,
    REL_SUM = 2,
    REL_MIN = 3,
    REL_MAX = 4,
    REL_AVERAGE = 5,
    REL_STRING_AGG = 6,
    REL_BOOL_AND = 7,
    REL_BOOL_OR = 8,
    REL_GROUPING = 9, /* GROUPING(...): which of its columns the grouping set leaves out. */
    /* From here on all values are collected until the end (aggregate_rows.c). */
    REL_ARRAY_AGG = 10,
    REL_JSON_ARRAY = 11,
    REL_JSON_OBJECT = 12,
    REL_VARIANCE = 13, /* And standard deviation: `sample`, `root`. */
    REL_PERCENTILE_CONT = 14,
    REL_PERCENTILE_DISC = 15,
    REL_MODE = 16,
    REL_BIT_AND = 17,
    REL_BIT_OR = 18,
    REL_INTERVAL_SUM = 19,
    REL_INTERVAL_AVERAGE = 20,
    REL_BIT_XOR = 21,
    /* Of pairs (aggregate_regression.c). */
    REL_REGR_COUNT = 22, /* Bound as a count of what is not null. */
    REL_REGR_SXX = 23,
    REL_REGR_SYY = 24,
    REL_REGR_SXY = 25,
    REL_REGR_AVERAGE_X = 26,
    REL_REGR_AVERAGE_Y = 27,
    REL_REGR_R2 = 28,
    REL_REGR_SLOPE = 29,
    REL_REGR_INTERCEPT = 30,
    REL_COVARIANCE = 31,
    REL_COVARIANCE_SAMPLE = 32,
    REL_CORRELATION = 33,
};

struct rel_column {
    const char *name;
    struct sql_type type;
};

struct rel_sort_key {
    struct expr *expr;
    bool descending;
    bool nulls_first;
};

struct rel_aggregate {
    enum rel_aggregate_kind kind;
    uint32_t argument_count; /* 0: count(*). */
    struct expr *arguments[2];
    struct expr *filter; /* NULL: none. */
    uint32_t sort_count; /* ORDER BY inside the parentheses. */
    struct rel_sort_key *sort_keys;
    struct sql_type type;
    bool distinct;
    bool lines;             /* JSON_ARRAY: of arrays and rows, a line each. */
    bool sample;            /* VARIANCE: divided by one less than the count. */
    bool root;              /* VARIANCE: its square root. */
    uint32_t grouped_count; /* GROUPING: arguments, and its value in each grouping set. */
    struct expr **grouped;
    int32_t *groupings;
};

enum rel_window_kind {
    REL_WINDOW_AGGREGATE = 1,
    REL_ROW_NUMBER = 2,
    REL_RANK = 3,
    REL_DENSE_RANK = 4,
    REL_PERCENT_RANK = 5,
    REL_CUME_DIST = 6,
    REL_NTILE = 7,
    REL_LAG = 8,
    REL_LEAD = 9,
    REL_FIRST_VALUE = 10,
    REL_LAST_VALUE = 11,
    REL_NTH_VALUE = 12,
};

enum { REL_WINDOW_ARGUMENTS_MAX = 3 };

/* Which rows of the partition a call sees. RANGE with an offset compares `range_key` of a row with
 * `range_start` and `range_end` of the current one; all three are of one type. */
struct rel_frame {
    enum ast_frame_mode mode;
    enum ast_frame_bound start;
    enum ast_frame_bound end;
    enum ast_frame_exclusion exclusion;
    struct expr *start_offset; /* NULL: the bound has none. */
    struct expr *end_offset;
    struct expr *range_key;
    struct expr *range_start;
    struct expr *range_end;
    bool descending; /* The order of range_key. */
    bool nulls_first;
};

struct rel_window {
    enum rel_window_kind kind;
    struct rel_aggregate aggregate; /* REL_WINDOW_AGGREGATE */
    uint32_t argument_count;        /* Of the others. */
    struct expr *arguments[REL_WINDOW_ARGUMENTS_MAX];
    struct rel_frame frame;
    struct sql_type type;
};

/* A query of WITH, whose rows are made once if its name stands twice or more. The first use has the
 * relation of the query itself, so that the only one is as good as the query in its place. */
struct rel_shared {
    const char *name;
    uint32_t index;    /* Among the statement's. */
    uint32_t relation; /* Of the query; its leading columns are the rows. */
    uint32_t use_count;
    bool always; /* MATERIALIZED: even for one use. */
    bool
        is_change; /* Its rows are what RETURNING of the statement's change `part` gives; no input. */
    uint32_t part;
};

/* One of several functions that give rows side by side: exprs[call] is its array, the `width` exprs behind it
 * nulls of its columns' types. */
struct rel_part {
    uint32_t call;
    uint32_t width;
};

/* FOR UPDATE and FOR SHARE of one table of the query. */
struct rel_lock {
    const struct table *table;
    bool shared;
    enum ast_lock_wait wait;
};

struct rel {
    enum rel_kind kind;
    struct rel *input;
    struct rel *right;     /* JOIN, SET, RECURSIVE. */
    uint32_t relation;     /* 0: defines none. */
    uint32_t column_count; /* Of the relation. */
    struct rel_column *columns;

    struct table *table;
    struct expr **index_exprs; /* TABLE: the expressions of its indexes, over its columns. */
    uint32_t row_count;        /* VALUES: rows of column_count expressions. */
    struct expr **exprs;       /* VALUES, PROJECT, SERIES; AGGREGATE: groups. */
    struct expr *condition;    /* FILTER, JOIN; NULL: none. */
    enum rel_join join;
    uint32_t slot_count; /* JOIN: the right side reads these, filled from the left side's row. */
    uint32_t *slots;
    struct expr **slot_sources;
    uint32_t group_count;
    uint32_t aggregate_count;
    struct rel_aggregate *aggregates;
    uint32_t set_count; /* AGGREGATE: grouping sets, bits of groups; 0: one of all groups. */
    uint64_t *sets;
    uint32_t window_count; /* WINDOW */
    struct rel_window *windows;
    uint32_t sort_count;
    struct rel_sort_key *sort_keys;
    struct expr *limit; /* NULL: none. */
    struct expr *offset;
    uint32_t set;        /* enum ast_set_kind */
    bool all;            /* SET, RECURSIVE: keep duplicates. */
    uint32_t work_index; /* RECURSIVE, WORK: which work table. */
    struct rel_shared *shared;
    uint32_t
        part_count; /* SERIES: of several functions, the shorter filled up with nulls; 0: of one. */
    struct rel_part *parts;
    bool ordinality;     /* SERIES with parts: the last column counts the rows. */
    uint32_t lock_count; /* LOCK */
    struct rel_lock *locks;
};

#endif
