/*
 * Binding: from syntax to logical trees (rel.h). Names become columns of relations, operators and
 * literals get types, aggregates are collected, views of the catalog are taken.
 *
 * What is bound lives in the arena it was bound with and belongs to one version of the catalog.
 * Parameters keep their place; their types are those of the values at the time of binding.
 */
#ifndef EXECUTOR_BIND_H
#define EXECUTOR_BIND_H

#include "executor/rel.h"

/*
 * A query, or a change with the query that gives its rows. Columns of `relation` for changes:
 *   INSERT  the new row
 *   UPDATE  row key, old row, new row, what RETURNING carries
 *   DELETE  row key, old row, what RETURNING carries
 *   MERGE   row key, old row, the source's columns; null where the source has no match
 */
struct bound {
    enum ast_statement_kind kind;
    struct rel *rel;
    uint32_t relation; /* Of the result's columns. */
    uint32_t column_count;
    struct rel_column *columns;

    const char *name;              /* Of a change in WITH. */
    struct table *table;           /* Changed. */
    const struct bind__view *view; /* Through which; NULL: none. */
    uint32_t check_count;          /* WITH CHECK OPTION: conditions of every new row. */
    struct bound_check *checks;
    struct bound_conflict *conflict; /* NULL: duplicates fail. */

    /* RETURNING: over the changed row (`target_relation`) and the columns of `relation`. */
    uint32_t target_relation;
    uint32_t returning_count;
    struct expr **returning;
    struct rel_column *returning_columns;

    struct table_rules *rules; /* Of the changed table; NULL: a query. */
    uint32_t when_count;       /* MERGE */
    struct bound_merge_when *whens;

    uint32_t slot_count; /* Slots and work tables that running needs. */
    uint32_t work_count;
    uint32_t shared_count; /* Queries of WITH whose rows may be shared. */
    uint32_t part_count;   /* INSERT, UPDATE and DELETE in WITH, in their order. */
    struct bound **parts;
};

/* Over the changed row (`target_relation`); 44000 unless it holds. */
struct bound_check {
    const char *view;
    struct expr *condition;
};

/* ON CONFLICT: over the row that is there (`target_relation`) and the one that was to be inserted. */
struct bound_conflict {
    bool update;
    bool any;            /* Any unique constraint or the key. */
    uint32_t constraint; /* Else this unique constraint; UINT32_MAX: the primary key. */
    uint32_t excluded_relation;
    struct expr **exprs; /* One a column; NULL: kept. */
    struct expr *where;  /* NULL: none. */
};

/* A clause of MERGE, over the columns of `relation` by position. */
struct bound_merge_when {
    bool matched;
    enum ast_statement_kind action; /* 0: DO NOTHING. */
    struct expr *condition;         /* NULL: always. */
    struct expr **exprs;            /* One a column; NULL: kept. */
};

struct search_path;
struct settings;

struct bind {
    struct qtdb_txn *txn;
    const struct search_path *path;  /* NULL: "public" alone. */
    const struct settings *settings; /* NULL: none are shown. */
    bool once;                       /* What was bound shows settings: it is for one run. */
    struct arena *arena;
    const struct value *parameters; /* For their types. */
    uint32_t parameter_count;
    struct sql_error *error;
    uint32_t relation_count; /* Handed out so far. */
    uint32_t slot_count;
    uint32_t work_count;
    uint32_t shared_count; /* Queries of WITH whose rows may be shared. */
    uint32_t part_count;   /* Changes in WITH bound so far. */
    struct bound **parts;
    uint32_t recursion_depth; /* Second halves of recursions being bound inside each other. */
    uint32_t view_depth;      /* Views being bound inside each other. */
    bool locking;             /* The FROM that is bound is of a query with FOR UPDATE or its kin. */
    struct bind__enum *enums; /* Those looked up so far. */
    struct bind__known *known; /* Subqueries bound so far; `grouping`: taken again from here. */
    bool grouping;
};

/** Checks a view's query, before it is stored at `place`; one that replaces another begins with its columns. */
MUST_CHECK enum status bind_view(struct bind *bind, const struct ast_name *place,
                                 const struct ast_create_view *view);

/** A query or a data change. */
MUST_CHECK enum status bind_statement(struct bind *bind, const struct ast_statement *statement,
                                      struct bound **out);

/** A constant expression (a DEFAULT) of the given type, evaluated. */
MUST_CHECK enum status bind_constant(struct bind *bind, const struct ast_expr *ast,
                                     const struct sql_type *type, struct value *out);

/** The type of a column definition. 42704 when there is no such type. */
MUST_CHECK enum status bind_type(struct bind *bind, const struct ast_type *ast,
                                 struct sql_type *out);

#endif
