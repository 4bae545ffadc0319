/*
 * Many rows into one table: what COPY FROM and the loads of the C interface have in common. The columns
 * that are given stand in the row in the table's order, the others get their defaults; then the row is
 * checked and goes in as INSERT's do. Foreign keys are looked at when all rows are in.
 *
 *     bulk_find, bulk_open, then for each row: bulk_next, values, bulk_make, bulk_insert; then bulk_end
 */
#ifndef EXECUTOR_BULK_H
#define EXECUTOR_BULK_H

#include "executor/ast_define.h"
#include "executor/change.h"

/* A table and some of its columns. */
struct bulk_target {
    struct table *table; /* NULL: none. */
    uint32_t count;
    uint32_t *columns; /* Of the table. */
    const char **names;
};

struct bulk {
    struct bulk_target target;
    struct exec_context *context;
    struct change change;
    struct table_rules rules;
    struct foreign_queue *queue;
    struct expr **defaults; /* One a column of the table; NULL: it is given. */
    bool has_defaults;
    struct expr *where; /* Over the row before its generated columns; NULL: all. */
    struct value *row;  /* Of the table's columns: the caller fills those that are given. */
    uint64_t count;     /* Rows that went in. */
};

/** The table by its name and the search path, and columns by name, none: all that are not generated. Memory of
 * `arena`. 42P01, 42809 for a view, 42703, 42701, 42P10. */
MUST_CHECK enum status bulk_find(struct exec_context *context, const struct ast_copy *ast,
                                 struct arena *arena, struct bulk_target *out);

/** Locks the table and binds its rules; `where` may be NULL. bulk_close is needed after a failure too. */
MUST_CHECK enum status bulk_open(struct bulk *bulk, struct exec_context *context,
                                 const struct bulk_target *target, const struct ast_expr *where,
                                 struct arena *arena);
void bulk_close(struct bulk *bulk);
/** Frees the memory of the row before. Values may use that of `change.arena`. */
void bulk_next(struct bulk *bulk);
/** The whole row, checked; `*out` NULL: the condition leaves it out. */
MUST_CHECK enum status bulk_make(struct bulk *bulk, struct value **out);
MUST_CHECK enum status bulk_insert(struct bulk *bulk, const struct value *row);
/** Looks at the foreign keys. */
MUST_CHECK enum status bulk_end(struct bulk *bulk);

#endif
