/* Binding, inside: what bind_*.c share. */
#ifndef EXECUTOR_BIND_PRIVATE_H
#define EXECUTOR_BIND_PRIVATE_H

#include "executor/bind.h"

/* The columns an expression may name: those of one table, or none. */
struct bind__scope {
    const struct table *table; /* NULL: no columns. */
    const char *alias;
    bool aggregates_allowed;
    bool inside_aggregate;
    uint32_t aggregate_count;
    uint32_t aggregate_capacity;
    struct plan_aggregate_call *aggregates;
};

/* bind_expr.c */
MUST_CHECK enum status bind__expr(struct bind *bind, struct bind__scope *scope,
                                  const struct ast_expr *ast, struct expr **out);
/** With an assignment cast to the type where it differs. */
MUST_CHECK enum status bind__expr_as(struct bind *bind, struct bind__scope *scope,
                                     const struct ast_expr *ast, const struct sql_type *type,
                                     struct expr **out);
/** Must be boolean (42804). */
MUST_CHECK enum status bind__condition(struct bind *bind, struct bind__scope *scope,
                                       const struct ast_expr *ast, const char *clause,
                                       struct expr **out);
MUST_CHECK enum status bind__cast(struct bind *bind, struct expr *expr, const struct sql_type *type,
                                  struct expr **out);
bool bind__same(const struct expr *left, const struct expr *right);
MUST_CHECK enum status bind__column(struct bind *bind, const struct sql_type *type, uint32_t index,
                                    struct expr **out);
void *bind__take(struct bind *bind, size_t size);

/* bind_select.c */
MUST_CHECK enum status bind__select(struct bind *bind, const struct ast_select *ast,
                                    struct plan **out, uint32_t *visible_out);
/** The scan of one table under a condition (NULL: all rows), with key bounds taken from it. */
MUST_CHECK enum status bind__scan(struct bind *bind, struct bind__scope *scope, struct table *table,
                                  const struct ast_expr *where, struct plan **out);
MUST_CHECK enum status bind__plan(struct bind *bind, enum plan_kind kind, struct plan *input,
                                  uint32_t column_count, struct plan **out);

#endif
