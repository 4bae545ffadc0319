/*
 * The conversion of PostgreSQL's raw parse trees, inside: what pg_*.c share. Only those files see
 * PostgreSQL's types, and they hand out nothing but ours (ast.h).
 *
 * Errors travel in the conversion: the first one sticks, and functions return NULL from then on.
 */
#ifndef EXECUTOR_PG_PRIVATE_H
#define EXECUTOR_PG_PRIVATE_H

#include <postgres.h>

#include <nodes/parsenodes.h>
#include <nodes/pg_list.h>
#include <nodes/primnodes.h>

#undef STATUS_OK
#undef STATUS_ERROR
#undef STATUS_EOF

#include "executor/ast_define.h"
#include "executor/parse.h"

struct pg__conversion {
    struct arena *arena;
    struct sql_error *error;
    enum status status;
    uint32_t depth;
    uint32_t parameter_max; /* The highest $n so far. */
    bool locks;             /* FOR UPDATE or FOR SHARE stood somewhere. */
    bool changes;           /* INSERT, UPDATE or DELETE stood in WITH. */
    uint32_t nesting;       /* Queries around the one that is converted. */
};

/* pg_convert.c: errors, memory, depth, names. All return NULL or false once an error is set. */
void *pg__fail(struct pg__conversion *conversion, const char *sqlstate, int location,
               const char *message);
void *pg__unsupported(struct pg__conversion *conversion, int location, const char *what);
void *pg__take(struct pg__conversion *conversion, size_t size);
const char *pg__copy(struct pg__conversion *conversion, const char *text);
bool pg__enter(struct pg__conversion *conversion, int location);
void pg__leave(struct pg__conversion *conversion);
const char **pg__names(struct pg__conversion *conversion, List *list, uint32_t *count_out);
struct ast_name pg__range_name(struct pg__conversion *conversion, RangeVar *range);
/** enum ast_on_commit; the range tells whether it is temporary. */
enum ast_on_commit pg__on_commit(struct pg__conversion *conversion, const RangeVar *range,
                                 OnCommitAction action);
struct ast_type pg__type(struct pg__conversion *conversion, TypeName *type);

/* pg_expr.c */
/** NULL once the conversion has failed, in the expression or before it: callers may look into what they get. */
struct ast_expr *pg__expr(struct pg__conversion *conversion, Node *node);
struct ast_expr *pg__optional(struct pg__conversion *conversion, Node *node);
struct ast_expr **pg__exprs(struct pg__conversion *conversion, List *list, uint32_t *count_out);
struct ast_target *pg__targets(struct pg__conversion *conversion, List *list, uint32_t *count_out);

/* pg_shorthand.c */
struct ast_expr *pg__array_of_query(struct pg__conversion *conversion, int location,
                                    struct ast_select *query);
struct ast_expr *pg__between_symmetric(struct pg__conversion *conversion, A_Expr *source);
/** IS [NOT] NULL of a row, and IS [NOT] DISTINCT FROM of two. */
struct ast_expr *pg__row_is_null(struct pg__conversion *conversion, const struct ast_expr *test);
struct ast_expr *pg__row_distinct(struct pg__conversion *conversion, const struct ast_expr *test);
/** NULL without an error set for a call without named arguments. */
struct ast_expr *pg__named_call(struct pg__conversion *conversion, FuncCall *call);
struct ast_expr *pg__assigned_part(struct pg__conversion *conversion, MultiAssignRef *part);

/* pg_record.c */
/** A function of FROM with a list of columns and types: the query that gives the same. */
struct ast_from *pg__record(struct pg__conversion *conversion, RangeFunction *range,
                            struct ast_from *from);

/* pg_explain.c */
struct ast_explain pg__explain(struct pg__conversion *conversion, List *options);

/* pg_window.c */
struct ast_window *pg__window(struct pg__conversion *conversion, WindowDef *definition);
/** The WINDOW clause. */
struct ast_window *pg__windows(struct pg__conversion *conversion, List *list, uint32_t *count_out);

/* pg_define.c */
/** False when the node is no definition. */
bool pg__definition(struct pg__conversion *conversion, Node *node, struct ast_statement *out);

/* What only one file makes and others take (ast_define.h). */
struct ast_constraint;
struct ast_column_definition;
struct ast_sequence_option;
void pg__constraint(struct pg__conversion *conversion, Constraint *source,
                    struct ast_constraint *out);
void pg__column_definition(struct pg__conversion *conversion, ColumnDef *source,
                           struct ast_column_definition *out);

/* pg_alter.c: ALTER, RENAME, sequences, enums, TRUNCATE, CREATE TABLE AS, COMMENT. */
bool pg__alteration(struct pg__conversion *conversion, Node *node, struct ast_statement *out);
struct ast_sequence_option *pg__sequence_options(struct pg__conversion *conversion, List *list,
                                                 uint32_t *count_out);
/** nextval('name'::regclass) and its kin take the name itself. */
void pg__strip_regclass(struct ast_expr *call);
/** Refuses a collation that does not compare by bytes. NULL is fine. */
void pg__collation(struct pg__conversion *conversion, CollateClause *source);

/* pg_setting.c: SET, RESET, SHOW, transaction modes, MERGE, ANALYZE, VACUUM, LOCK, DISCARD. */
bool pg__setting(struct pg__conversion *conversion, Node *node, struct ast_statement *out);
void pg__modes(struct pg__conversion *conversion, List *options, struct ast_transaction_modes *out);

/* pg_cursor.c */
/** False when the node is none of them. */
bool pg__cursor(struct pg__conversion *conversion, Node *node, struct ast_statement *out);
/** pg_parse.c: any statement. */
void pg__statement(struct pg__conversion *conversion, Node *node, struct ast_statement *out);

/* pg_copy.c */
struct ast_copy *pg__copy_statement(struct pg__conversion *conversion, CopyStmt *source);

/* pg_select.c */
struct ast_from **pg__from(struct pg__conversion *conversion, List *list, uint32_t *count_out);
struct ast_order *pg__orders(struct pg__conversion *conversion, List *list, uint32_t *count_out);
struct ast_select *pg__select(struct pg__conversion *conversion, SelectStmt *select);
/** WITH of a change: a query that has nothing else. NULL: none. */
/** INSERT, UPDATE or DELETE as a query of WITH (pg_parse.c). */
struct ast_statement *pg__change(struct pg__conversion *conversion, Node *node);
struct ast_select *pg__with(struct pg__conversion *conversion, WithClause *with);

#endif
