/*
 * What a table asks of its rows: generated columns, checks, and the expressions of its indexes, bound
 * from the texts of its definition. The expressions stand over the table's row as it is (position i is
 * column i), without subqueries, so they need no plan.
 */
#ifndef EXECUTOR_TABLE_RULES_H
#define EXECUTOR_TABLE_RULES_H

#include "executor/bind.h"

struct table_rules {
    const struct table *table;
    bool generates;
    struct expr **generated; /* One a column; NULL: not generated. */
    struct expr **checks;
    struct expr **exprs;
};

/** Binds them all with memory of `bind`. */
MUST_CHECK enum status rules_bind(struct bind *bind, const struct table *table,
                                  struct table_rules *out);
/** One expression over a row of the table; `type` NULL: of its own type. */
MUST_CHECK enum status rules_bind_one(struct bind *bind, const struct table *table,
                                      const struct ast_expr *ast, const char *clause,
                                      const struct sql_type *type, struct expr **out);
/** The index expressions of a table over the columns of its relation. */
MUST_CHECK enum status rules_bind_exprs(struct bind *bind, struct rel *rel);
/** What a column gets by default, over no row. */
MUST_CHECK enum status rules_default(struct bind *bind, const struct table *table, uint32_t column,
                                     struct expr **out);
/** The functions it calls, and its shape, may stand in a generated column or an index; 42P17. */
MUST_CHECK enum status rules_check_immutable(const struct ast_expr *ast, const char *message,
                                             struct sql_error *error);
/** The same of a bound one that goes by the session's time zone. What a table keeps is read and evaluated by UTC. */
MUST_CHECK enum status rules_check_zoneless(const struct expr *expr, const char *message,
                                            struct sql_error *error);
/** Gives another result each time, or has effects. */
bool rules_is_volatile(const struct ast_expr *ast);

/** Fills the generated columns of the row. */
MUST_CHECK enum status rules_generate(const struct table_rules *rules, struct eval *eval,
                                      struct value *row);
/** 23502 and 23514. */
MUST_CHECK enum status rules_check(const struct table_rules *rules, struct eval *eval,
                                   const struct value *row);
/** Appends the values of the index expressions to the row, as table_index_key wants it. */
MUST_CHECK enum status rules_extend(const struct table_rules *rules, struct eval *eval,
                                    struct value *row);

#endif
