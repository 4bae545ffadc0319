/* Binding, inside: what bind_*.c share. */
#ifndef EXECUTOR_BIND_PRIVATE_H
#define EXECUTOR_BIND_PRIVATE_H

#include "executor/ast_define.h"
#include "executor/bind.h"
#include "executor/enumeration.h"

/* A name in FROM with its columns, for t.c and t.*. */
struct bind__table {
    const char *alias;
    const char *schema; /* NULL: none may be written. */
    uint32_t column_count;
    const char **names;
    struct expr **exprs;
    const struct rel *base; /* Of a table itself; NULL: of anything else. */
    bool is_query;          /* Of a view or a query in FROM. */
    bool nullable;          /* An outer join may have made its rows. */
    struct bind__table *next;
};

/* A column that can be named without its table; * gives those of one scope in order. */
struct bind__name {
    const char *name;
    struct expr *expr;
};

/* What fills the slots of one query: expressions over the query around it. */
struct bind__level {
    struct bind__scope *outer; /* NULL: the outermost query. */
    uint32_t count;
    uint32_t capacity;
    struct expr **sources;
    uint32_t *slots;
};

/* A WITH entry. While the second half of a recursive one is bound, `work` describes its work table. */
struct bind__cte {
    const struct ast_cte *ast;
    bool recursive;
    struct rel *work;
    struct rel *shared;          /* Its first use; NULL: none, or its rows cannot be shared. */
    const struct bound *part;    /* A change; NULL: a query. */
    struct rel_shared *returned; /* The rows of a change's RETURNING. */
    struct bind__level *level;   /* Where it was written. */
    struct bind__cte *next;      /* The one before it. */
};

struct bind__aggregation {
    uint32_t count;
    uint32_t capacity;
    struct rel_aggregate *calls;
};

/* Calls over windows of one partition and order: one node of the logical tree. */
struct bind__window {
    struct bind__window *next;
    uint32_t relation; /* Of the results. */
    uint32_t partition_count;
    uint32_t sort_count; /* Partition first, then order. */
    struct rel_sort_key *sort_keys;
    uint32_t call_count;
    uint32_t capacity;
    struct rel_window *calls;
};

/* The windows of one query. */
struct bind__windows {
    const struct ast_select *ast;
    struct bind__window *first;
    struct bind__window *last;
    bool is_inside; /* Inside a call: there can be no other. */
};

/* The names an expression may use. */
struct bind__scope {
    struct bind__level *level;
    struct bind__table *tables; /* The last first. */
    uint32_t name_count;
    struct bind__name *names;
    struct bind__cte *ctes;                /* Visible here, the last first. */
    struct bind__aggregation *aggregation; /* NULL: aggregates are not allowed. */
    struct bind__windows *windows;         /* NULL: window functions are not allowed. */
    const char *clause;                    /* For messages about aggregates. */
    bool inside_aggregate;
};

/* A bound query: the leading columns of a relation. */
struct bind__query {
    struct rel *rel;
    uint32_t relation;
    uint32_t column_count;
    struct rel_column *columns;
};

/* Columns of one relation: what a query may give, and what changes, groups and windows may make of it. */
enum { BIND__TARGETS_MAX = 1664, BIND__COLUMNS_MAX = 2 * ROW_COLUMNS_MAX + REL_RELATIONS_MAX };

/* bind.c: making things. */
void *bind__take(struct bind *bind, size_t size);
MUST_CHECK enum status bind__unsupported(struct bind *bind, int32_t location, const char *what);
MUST_CHECK enum status bind__relation(struct bind *bind, uint32_t *out);
MUST_CHECK enum status bind__rel(struct bind *bind, enum rel_kind kind, struct rel *input,
                                 struct rel **out);
/** With a relation of its own and room for columns. */
MUST_CHECK enum status bind__defining(struct bind *bind, enum rel_kind kind, struct rel *input,
                                      uint32_t column_count, struct rel **out);
MUST_CHECK enum status bind__new_expr(struct bind *bind, enum expr_kind kind, enum qtdb_type type,
                                      int32_t location, uint32_t argument_count, struct expr **out);
/** 54011 past `most` columns. */
MUST_CHECK enum status bind__check_width(struct bind *bind, uint32_t count, uint32_t most);
MUST_CHECK enum status bind__column(struct bind *bind, const struct rel *rel, uint32_t index,
                                    struct expr **out);
MUST_CHECK enum status bind__filter(struct bind *bind, struct expr *condition, struct rel **rel);

/* bind_scope.c: names. */
void bind__scope_init(struct bind__scope *scope, struct bind__level *level, struct bind__cte *ctes);
/** The level also reads `slot`, which is filled by `source`. */
MUST_CHECK enum status bind__borrow(struct bind *bind, struct bind__level *level,
                                    struct expr *source, uint32_t slot);
MUST_CHECK enum status bind__name(struct bind *bind, struct bind__scope *scope,
                                  const struct ast_expr *ast, struct expr **out);
/** All columns for a star: *out becomes an array. */
MUST_CHECK enum status bind__star(struct bind *bind, const struct bind__scope *scope,
                                  const struct ast_expr *ast, struct bind__name **out,
                                  uint32_t *count_out);
MUST_CHECK enum status bind__add_table(struct bind *bind, struct bind__scope *scope,
                                       const struct rel *rel, uint32_t column_count,
                                       const char *alias, const char *schema,
                                       const struct ast_from *from);

/* bind_type.c: types and casts. */
bool bind__is_unknown(const struct expr *expr);
bool bind__is_text(enum qtdb_type type);
bool bind__is_exact(enum qtdb_type type); /* Integers and numeric. */
int bind__number_rank(enum qtdb_type type);
bool bind__casts_implicitly(enum qtdb_type from, enum qtdb_type to);
enum qtdb_type bind__common_type(enum qtdb_type left, enum qtdb_type right);
MUST_CHECK enum status bind__cast(struct bind *bind, struct expr *expr, const struct sql_type *type,
                                  struct expr **out);
/** An untyped literal becomes text. */
MUST_CHECK enum status bind__settle(struct bind *bind, struct expr **expr);
/** Brings arguments [0, count) to one type. */
MUST_CHECK enum status bind__unify(struct bind *bind, int32_t location, struct expr **arguments,
                                   uint32_t count, const char *what, struct sql_type *type_out);

/* bind_enum.c */
struct bind__enum {
    const struct enumeration *type;
    struct bind__enum *next;
};
/** The definition of an enum's type, or of its array's. */
MUST_CHECK enum status bind__enumeration(struct bind *bind, enum qtdb_type type,
                                         const struct enumeration **out);
/** As value_type_name, enums by their own name. */
const char *bind__type_name(struct bind *bind, enum qtdb_type type);
/** STATUS_NOT_FOUND when no enum has the name. */
MUST_CHECK enum status bind__named_enum(struct bind *bind, const struct ast_type *ast,
                                        enum qtdb_type *out);
/** A text or an array of texts to an enum's type or its array. */
MUST_CHECK enum status bind__cast_enum(struct bind *bind, struct expr *expr,
                                       const struct sql_type *type, struct expr **out);
/** STATUS_NOT_FOUND for what is no function of enums. */
MUST_CHECK enum status bind__enum_function(struct bind *bind, const struct ast_expr *ast,
                                           struct expr **arguments, struct expr **out);

/* bind_operator.c */
MUST_CHECK enum status bind__operator(struct bind *bind, const char *symbol, int32_t location,
                                      struct expr *left, struct expr *right, struct expr **out);
/** True for what a null constant makes null whatever the row. */
bool bind__is_always_null(const struct expr *expr);
/** ~~ and ~~*, with ! before them the opposite: LIKE and ILIKE. */
MUST_CHECK enum status bind__like(struct bind *bind, const char *symbol, int32_t location,
                                  struct expr **both, struct expr **out);
MUST_CHECK enum status bind__prefix(struct bind *bind, const char *symbol, int32_t location,
                                    struct expr *argument, struct expr **out);
/** Rows of the same size by =, <>, <, <=, >, >=. */
MUST_CHECK enum status bind__compare_rows(struct bind *bind, const char *symbol, int32_t location,
                                          struct expr **left, struct expr **right, uint32_t count,
                                          struct expr **out);
MUST_CHECK enum status bind__logic(struct bind *bind, enum expr_kind kind, int32_t location,
                                   struct expr *left, struct expr *right, struct expr **out);
MUST_CHECK enum status bind__not(struct bind *bind, struct expr *expr, struct expr **out);

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

/* bind_function.c */
MUST_CHECK enum status bind__function(struct bind *bind, struct bind__scope *scope,
                                      const struct ast_expr *ast, struct expr **out);
/** A function by name over bound arguments. */
MUST_CHECK enum status bind__call(struct bind *bind, const char *name, int32_t location,
                                  struct expr **arguments, uint32_t count, struct expr **out);
/** Operators are functions that have their symbol as name. */
bool bind__is_symbol(const char *name);
bool bind__is_aggregate(const struct ast_expr *ast);
/** The call of an aggregate with its arguments and type; 0A000 and 42883 as for any call. */
MUST_CHECK enum status bind__aggregate_call(struct bind *bind, struct bind__scope *scope,
                                            const struct ast_expr *ast, struct rel_aggregate *call);
/** The position of the call among those of the query; equal calls are one. */
MUST_CHECK enum status bind__add_aggregate(struct bind *bind, struct bind__aggregation *aggregation,
                                           const struct rel_aggregate *call, uint32_t *index_out);

/* bind_window.c */
bool bind__is_window_function(const char *name);
/** A call with OVER: a column of the window's relation. */
MUST_CHECK enum status bind__window_call(struct bind *bind, struct bind__scope *scope,
                                         const struct ast_expr *ast, struct expr **out);
/** Where the calls and their windows have expressions over the rows below; `places` NULL: only counts. */
uint32_t bind__window_places(const struct bind__windows *windows, struct expr ***places);
bool bind__is_window_relation(const struct bind__windows *windows, uint32_t relation);
/** Puts the windows on top of the rows. */
MUST_CHECK enum status bind__windows(struct bind *bind, const struct bind__windows *windows,
                                     struct rel **rel);

/* bind_subquery.c: one of the targets that GROUP BY means as well is the same expression there. */
struct bind__known {
    const struct ast_expr *ast;
    const struct bind__scope *scope;
    struct expr *expr;
    struct bind__known *next;
};
MUST_CHECK enum status bind__subquery(struct bind *bind, struct bind__scope *scope,
                                      const struct ast_expr *ast, struct expr **out);

/* bind_from.c */
/** Adds the item's names to the scope and gives its rows. */
MUST_CHECK enum status bind__from(struct bind *bind, struct bind__scope *scope,
                                  struct ast_from **items, uint32_t count, struct rel **out);
MUST_CHECK enum status bind__table_rel(struct bind *bind, struct table *table, struct rel **out);

/* bind_set_function.c */
MUST_CHECK enum status bind__set_function(struct bind *bind, struct bind__scope *scope,
                                          const struct ast_from *from, struct rel **out);
/** The same SELECT with a set-returning function among its targets moved to FROM. */
MUST_CHECK enum status bind__lift_sets(struct bind *bind, const struct ast_select *ast,
                                       const struct ast_select **out);

/* bind_group.c */
MUST_CHECK enum status bind__grouping(struct bind *bind, struct bind__scope *scope,
                                      const struct ast_select *ast, struct expr **exprs,
                                      uint32_t expr_count, struct expr **having,
                                      const struct bind__windows *windows, struct rel **rel);
/** One expression of GROUP BY. */
MUST_CHECK enum status bind__group(struct bind *bind, struct bind__scope *scope,
                                   const struct ast_select *ast, const struct ast_expr *group,
                                   struct expr **out);

/* bind_grouping_sets.c */
/** Groups and grouping sets of GROUP BY, into a node with room for them. */
MUST_CHECK enum status bind__group_by(struct bind *bind, struct bind__scope *scope,
                                      const struct ast_select *ast, struct rel *aggregate);
/** GROUPING(...), before the groups are known. */
MUST_CHECK enum status bind__grouping_call(struct bind *bind, struct bind__scope *scope,
                                           const struct ast_expr *ast, struct expr **out);
/** Its value in each set, once they are. */
MUST_CHECK enum status bind__grouping_values(struct bind *bind, const struct rel *aggregate,
                                             struct rel_aggregate *call);

/* bind_regclass.c: STATUS_NOT_FOUND for what does not ask the catalog. */
MUST_CHECK enum status bind__catalog_cast(struct bind *bind, struct bind__scope *scope,
                                          const struct ast_expr *ast, struct expr **out);
MUST_CHECK enum status bind__catalog_function(struct bind *bind, struct bind__scope *scope,
                                              const struct ast_expr *ast, struct expr **out);

/* bind_row.c */
/** An argument of a call, which may be a row where the function takes rows: then it is its JSON. */
MUST_CHECK enum status bind__argument(struct bind *bind, struct bind__scope *scope,
                                      const struct ast_expr *call, uint32_t index,
                                      struct expr **out);
bool bind__is_row(const struct expr *expr);

/* bind_conflict.c */
MUST_CHECK enum status bind__find_constraint(struct bind *bind, const struct ast_conflict *ast,
                                             const struct table *table, struct bound_conflict *out);

/* bind_lock.c: FOR UPDATE and its kin. */
struct bind__locks {
    uint32_t count;
    struct rel_lock *locks;
    struct expr **keys; /* Of the rows, a column of each table. */
};
/** Which tables of the query's FROM are locked; 0A000 where the rows are no tables'. */
MUST_CHECK enum status bind__find_locks(struct bind *bind, const struct bind__scope *scope,
                                        const struct ast_select *ast, struct bind__locks *out);
/** Of a query that is no plain SELECT. */
MUST_CHECK enum status bind__refuse_locks(struct bind *bind, const struct ast_select *ast,
                                          const char *where);
/** Puts the node on top; the keys are the columns of `project` from `first` on. */
MUST_CHECK enum status bind__add_locks(struct bind *bind, const struct bind__locks *locks,
                                       const struct rel *project, uint32_t first, struct rel **rel);

/* bind_select.c */
/** Names in the query that it does not know are looked up in level->outer. */
MUST_CHECK enum status bind__select(struct bind *bind, struct bind__level *level,
                                    struct bind__cte *ctes, const struct ast_select *ast,
                                    struct bind__query *out);
/** Columns may still be untyped (QTDB_TYPE_NULL): bind__retype gives them a type. */
MUST_CHECK enum status bind__select_open(struct bind *bind, struct bind__level *level,
                                         struct bind__cte *ctes, const struct ast_select *ast,
                                         struct bind__query *out);
MUST_CHECK enum status bind__retype(struct bind *bind, const struct bind__query *query,
                                    uint32_t column, const struct sql_type *type);
MUST_CHECK enum status bind__targets(struct bind *bind, struct bind__scope *scope,
                                     const struct ast_target *targets, uint32_t target_count,
                                     uint32_t room, struct expr ***exprs_out,
                                     struct rel_column **columns_out, uint32_t *count_out);

/* bind_set.c */
MUST_CHECK enum status bind__set(struct bind *bind, struct bind__level *level,
                                 struct bind__cte *ctes, const struct ast_select *ast,
                                 struct rel **out);
/** Casts the columns of both to common types. */
MUST_CHECK enum status bind__match(struct bind *bind, const char *what, struct bind__query *left,
                                   struct bind__query *right);

/* bind_merge.c */
MUST_CHECK enum status bind__merge(struct bind *bind, const struct ast_merge *ast,
                                   struct bound *bound);

/* bind_insert.c */
MUST_CHECK enum status bind__insert(struct bind *bind, const struct ast_insert *ast,
                                    struct bind__cte *ctes, struct bound *bound);

/* bind_change.c */
/** INSERT, UPDATE or DELETE, which sees the queries of WITH in `ctes` and its own. */
MUST_CHECK enum status bind__change(struct bind *bind, const struct ast_statement *statement,
                                    struct bind__cte *ctes, struct bound *bound);
/** The changed table as a scope of its own, with its WITH. */
MUST_CHECK enum status bind__open_target(struct bind *bind, const struct ast_name *name,
                                         const char *alias, const struct ast_select *with,
                                         struct bind__cte *ctes, struct bind__scope *scope,
                                         struct rel **rel, struct bound *bound);
/** A projection with room for what RETURNING carries. */
MUST_CHECK enum status bind__new_projection(struct bind *bind, struct rel *input,
                                            uint32_t column_count, struct rel **out);
MUST_CHECK enum status bind__returning(struct bind *bind, struct bind__scope *scope,
                                       const struct ast_target *targets, uint32_t count,
                                       struct rel *project, struct bound *bound);
MUST_CHECK enum status bind__finish_change(const struct rel *project, struct bound *bound);
/** SET: values by column, cast to them. */
MUST_CHECK enum status bind__sets(struct bind *bind, struct bind__scope *scope,
                                  const struct table *table, const struct bind__view *view,
                                  const struct ast_target *sets, uint32_t count,
                                  struct expr **exprs);
/** 428C9 for a column that the table gives its values itself. */
MUST_CHECK enum status bind__check_given(struct bind *bind, const struct table *table,
                                         uint32_t column, enum ast_overriding overriding);
/** DEFAULT, or a value with an assignment cast. */
MUST_CHECK enum status bind__assign(struct bind *bind, struct bind__scope *scope,
                                    const struct table *table, uint32_t column,
                                    const struct ast_expr *ast, struct expr **out);
MUST_CHECK enum status bind__find_column(struct bind *bind, const struct table *table,
                                         const char *name, int32_t location, uint32_t *out);
/** A value for a column, cast to it; 428C9 where the table gives the value itself. */
MUST_CHECK enum status bind__assigned(struct bind *bind, struct bind__scope *scope,
                                      const struct table *table, uint32_t column,
                                      const struct ast_expr *ast, bool insert, struct expr **out);
/** What a column gets when nothing is said; null for one that is generated from others. */
MUST_CHECK enum status bind__default(struct bind *bind, const struct table *table, uint32_t column,
                                     struct expr **out);

/* bind_target.c: views over one table, looked through. */
struct bind__view_column {
    const char *name;
    struct expr *expr;    /* Over the table's columns. */
    uint32_t column;      /* Of the table; UINT32_MAX: takes no values, and why: */
    const char *refusing; /* the view whose column is an expression, */
    const char *refused;  /* and that column. */
};

struct bind__view {
    const char *name;
    struct bind__view *inner; /* It selects from; NULL: from the table. */
    struct table *table;
    struct rel *base; /* The table's. */
    struct rel *rel;  /* With the conditions of the views on top. */
    uint32_t column_count;
    struct bind__view_column *columns;
    struct expr *condition; /* Its own; NULL: none. */
    enum ast_check check;
};

/** `verb`: "insert into", "update", "delete from" or "lock". 55000 for a view that is not one row of a table
 * for each of its own. */
MUST_CHECK enum status bind__open_view(struct bind *bind, const struct ast_name *name,
                                       const char *verb, struct bind__view *out);
/** The same from its definition. */
MUST_CHECK enum status bind__look_through(struct bind *bind, const struct ast_create_view *ast,
                                          const char *verb, struct bind__view *out);
/** Its names stand for the expressions. */
MUST_CHECK enum status bind__add_view(struct bind *bind, struct bind__scope *scope,
                                      const struct bind__view *view, const char *alias,
                                      const struct ast_from *from);
/** The table's column that a value for a view's column goes to; 0A000. */
MUST_CHECK enum status bind__place_value(struct bind *bind, const struct bind__view *view,
                                         uint32_t index, const char *verb, uint32_t *out);
/** By name; `view` NULL: of the table. */
MUST_CHECK enum status bind__find_target(struct bind *bind, const struct table *table,
                                         const struct bind__view *view, const char *name,
                                         const char *verb, int32_t location, uint32_t *out);
MUST_CHECK enum status bind__view_checks(struct bind *bind, const struct bind__view *view,
                                         struct bound *bound);

/* bind_view.c */
/** The statement that made it, and the path its names are looked up along. */
MUST_CHECK enum status bind__view_definition(struct bind *bind, const struct ast_name *name,
                                             const struct search_path **path_out,
                                             const struct ast_create_view **out);
/** STATUS_NOT_FOUND when no view has the name. */
MUST_CHECK enum status bind__view(struct bind *bind, const struct ast_name *name,
                                  struct bind__query *out);

/* bind_catalog.c */
/** Tables of the catalog. STATUS_NOT_FOUND when none has the name. */
MUST_CHECK enum status bind__catalog_view(struct bind *bind, const struct ast_name *name,
                                          struct bind__query *out);

/* bind_with.c */
MUST_CHECK enum status bind__with(struct bind *bind, struct bind__level *level,
                                  const struct ast_select *ast, struct bind__cte **ctes);
/** STATUS_NOT_FOUND when no entry has the name. */
MUST_CHECK enum status bind__cte(struct bind *bind, struct bind__scope *scope,
                                 const struct ast_name *name, struct bind__query *out);

#endif
