/*
 * Planning: from logical trees (rel.h) to physical plans. Conditions are moved down to where their
 * columns are first together, joins are ordered by estimated size, each table gets an access path and
 * each join a method; then column names become positions.
 *
 * A plan is immutable while it runs, so it can be run many times. It holds no values of parameters.
 */
#ifndef EXECUTOR_PLAN_H
#define EXECUTOR_PLAN_H

#include "executor/bind.h"

enum plan_kind {
    PLAN_RESULT = 1, /* One row without columns. */
    PLAN_VALUES = 2,
    PLAN_SCAN = 3,
    PLAN_FILTER = 4,
    PLAN_PROJECT = 5,
    PLAN_LOOP_JOIN = 6,
    PLAN_HASH_JOIN = 7, /* Table of the right side, probed by the left. */
    PLAN_AGGREGATE = 8,
    PLAN_SORT = 9,
    PLAN_DISTINCT = 10,
    PLAN_LIMIT = 11,
    PLAN_SET = 12,
    PLAN_RECURSIVE = 13,
    PLAN_WORK = 14,
    PLAN_SERIES = 15,
    PLAN_WINDOW =
        16, /* Its input is sorted; the first group_count of sort_keys are the partition. */
    PLAN_GROUP = 17,  /* An AGGREGATE whose input is in the order of its groups, all integers. */
    PLAN_SHARED = 18, /* The rows of a query of WITH, made once. */
    PLAN_LOCK = 19,   /* exprs: keys of rows, as REL_LOCK. */
    PLAN_ZIP = 20,    /* A SERIES of several functions. */
    PLAN_MERGE_JOIN = 21, /* Both sides come in the order of the keys, nulls last. */
    PLAN_KIND_COUNT = 22,
};

/* A column of a row: which column of the logical tree it is. */
struct plan_column {
    uint32_t relation;
    uint32_t index;
};

/* Where a scan looks: the row's own key or an index. Every value is an expression
 * without columns; conditions are checked again on the rows. */
struct plan_path {
    uint32_t index;       /* UINT32_MAX: the rows' key. */
    uint32_t equal_count; /* Leading key columns with one value each. */
    struct expr **equals;
    uint32_t in_count; /* Then one key column with any of these values. */
    struct expr **in;
    struct expr *low; /* Or bounds of that column, inclusive; NULL: open. */
    struct expr *high;
    uint32_t nulls; /* Bit i: the i-th of the equals is IS NULL, and has no value. */
    bool not_null;  /* No nulls of that column: its bounds, or IS NOT NULL, leave them out. */
    bool backward;  /* From the last key to the first. */
    bool is_point;  /* At most one row for each combination of values. */
    bool alone;     /* The index's entries have all columns asked for. */
};

/* The path reads less than all. */
static inline bool
plan_path_is_bounded(const struct plan_path *path)
{
    return path->equal_count > 0 || path->in_count > 0 || path->low != NULL || path->high != NULL ||
           path->not_null;
}

struct plan_sort_key {
    uint32_t column;
    bool descending;
    bool nulls_first;
};

/* Slots of the other side or of a subquery, filled before it runs. */
struct plan_slots {
    uint32_t count;
    uint32_t *slots;
    struct expr **sources;
};

struct plan {
    enum plan_kind kind;
    uint32_t id; /* Below node_count of the statement. */
    struct plan *input;
    struct plan *right;
    uint32_t width;             /* Columns of a row. */
    struct plan_column *layout; /* What they are; 0, 0 where nobody asks. */
    double rows;                /* Estimates: rows given, */
    double cost;                /* work in rows touched. */
    bool reads_slots;           /* Its rows may differ from run to run within a statement. */

    struct expr *filter; /* FILTER; SCAN: over the whole table row; joins: over left and right. */
    struct table *table; /* SCAN */
    uint32_t *columns;   /* SCAN: the table's column for each of its own. */
    struct plan_path path;
    struct expr **exprs; /* VALUES (row_count rows), PROJECT, SERIES, AGGREGATE (groups). */
    uint32_t row_count;
    enum rel_join join;
    uint32_t key_count; /* HASH_JOIN: equal keys, over the left and over the right row; MERGE_JOIN:
                         * the same, in order, and columns all. */
    struct expr **left_keys;
    struct expr **right_keys;
    struct plan_slots slots; /* LOOP_JOIN: sources over the left row. */
    uint32_t group_count;
    uint32_t aggregate_count;
    struct rel_aggregate *aggregates;
    uint32_t set_count; /* AGGREGATE: grouping sets, see rel.h */
    const uint64_t *sets;
    uint32_t window_count; /* WINDOW: over the input's row. */
    struct rel_window *windows;
    uint32_t sort_count; /* SORT, DISTINCT, WINDOW; LIMIT: WITH TIES in these. */
    struct plan_sort_key *sort_keys;
    struct expr *limit; /* LIMIT; SORT: no more than limit and offset are asked for; NULL: none. */
    struct expr *offset;
    uint32_t set; /* enum ast_set_kind */
    bool all;
    uint32_t work_index;
    const struct rel_shared *shared; /* SHARED */
    uint32_t part_count;             /* ZIP */
    const struct rel_part *parts;
    bool ordinality;
    uint32_t lock_count; /* LOCK */
    const struct rel_lock *locks;
};

/* A statement ready to run. */
struct planned {
    const struct bound *bound;
    struct plan *root;
    uint32_t subplan_count;
    struct plan **subplans;
    uint32_t shared_count;
    struct plan **shared; /* What PLAN_SHARED reads; NULL where nothing does. */
    const char **shared_names;
    uint32_t slot_count;
    uint32_t node_count;
    bool
        keepable; /* Its nodes may stay for the next run (exec_is_keepable); set by who keeps plans. */
    struct expr **returning;      /* Over the changed row, then the root's row. */
    struct expr **checks;         /* Over the changed row. */
    struct expr **conflict_exprs; /* Over the row there, then the one to be inserted. */
    struct expr *conflict_where;
    uint32_t part_count; /* Changes in WITH; of theirs only root, returning and conflict are set. */
    struct planned **parts;
};

/* Ways to join that are to be taken only where there is no other (SET enable_hashjoin = off). */
enum plan_join_off {
    PLAN_HASH_JOIN_OFF = 1,
    PLAN_MERGE_JOIN_OFF = 2,
    PLAN_LOOP_JOIN_OFF = 4,
};

/* Tables of which a plan asked for statistics that are stale; they live as long as what was bound. */
enum { PLAN_STALE_MAX = 12 };
struct plan_stale {
    uint32_t count;
    const struct table *tables[PLAN_STALE_MAX];
};

struct plan_context {
    struct qtdb_txn *txn; /* For sizes of tables. */
    struct arena *arena;
    struct sql_error *error;
    const struct database_notes *notes; /* With `stale`. */
    struct plan_stale *stale;           /* Filled; NULL: nobody asks. */
    unsigned joins_off;                 /* enum plan_join_off, together. */
};

/** A cast that keeps order, equality and encoded key, and cannot fail. */
bool plan_keeps_key(enum qtdb_type from, enum qtdb_type to);

MUST_CHECK enum status plan_statement(const struct plan_context *context, const struct bound *bound,
                                      struct planned **out);

#endif
