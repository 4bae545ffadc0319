/* Planning, inside: what plan_*.c share. */
#ifndef EXECUTOR_PLAN_PRIVATE_H
#define EXECUTOR_PLAN_PRIVATE_H

#include "executor/plan.h"
#include "executor/statistics.h"

/* A set of relations. */
struct plan__set {
    uint64_t words[REL_RELATIONS_MAX / 64];
};

/* Conditions that all must hold. */
struct plan__list {
    uint32_t count;
    uint32_t capacity;
    struct expr **exprs;
};

struct planner {
    const struct plan_context *context;
    struct arena *arena;
    bool **needed; /* Of relation r, column i: does anybody ask for it? */
    uint32_t subplan_count;
    uint32_t subplan_capacity;
    struct plan **subplans;
    uint32_t slot_count; /* Handed out so far. */
    uint32_t node_count;
    bool *shared_seen; /* Of each query of WITH: was it decorrelated? */
    bool *shared_needed;
    struct plan **shared;
    const char **shared_names;
    struct planned **parts;   /* Changes in WITH; each is planned before what may read its rows. */
    struct plan__size *sizes; /* Tables looked at so far. */
    struct plan__known *known;
    struct arena scratch;      /* For what is not part of the plan; ends with the planning. */
    const struct rel **tables; /* By relation; NULL: no table, or not planned yet. */
};

/* Statistics of a column, read once a statement. */
struct plan__known {
    struct plan__known *next;
    uint32_t table_id;
    uint32_t column;
    bool there;
    struct statistics statistics;
};

/* Ends of a range; NULL: open. */
struct plan__range {
    const struct expr *low;
    const struct expr *high;
    bool low_inclusive;
    bool high_inclusive;
};

/* What a table's size was told to be: one look serves a whole statement. */
struct plan__size {
    struct plan__size *next;
    uint32_t table_id;
    double rows;
};

/* The rows are made once and read by each use; otherwise the node is as its input. */
static inline bool
plan__is_shared(const struct rel *rel)
{
    return rel->shared->use_count > 1 || rel->shared->always;
}

void *plan__take(struct planner *planner, size_t size);
MUST_CHECK enum status plan__new(struct planner *planner, enum plan_kind kind, struct plan *input,
                                 uint32_t width, struct plan **out);

/* plan_need.c: which columns are asked for. */
MUST_CHECK enum status plan__need_query(struct planner *planner, const struct rel *rel,
                                        uint32_t relation, uint32_t width);
MUST_CHECK enum status plan__need_expr(struct planner *planner, const struct expr *expr);
bool plan__is_needed(const struct planner *planner, uint32_t relation, uint32_t index);

/* plan_expr.c: conditions and positions. */
MUST_CHECK enum status plan__list_add(struct planner *planner, struct plan__list *list,
                                      struct expr *expr);
/** AND is taken apart. */
MUST_CHECK enum status plan__split(struct planner *planner, struct plan__list *list,
                                   struct expr *condition);
/** The conditions as one; NULL when there are none. */
MUST_CHECK enum status plan__conjunction(struct planner *planner, const struct plan__list *list,
                                         struct expr **out);
struct plan__set plan__relations_of(const struct expr *expr);
struct plan__set plan__relations_in(const struct rel *rel);
bool plan__set_has(const struct plan__set *set, uint32_t relation);
bool plan__set_is_empty(const struct plan__set *set);
bool plan__set_within(const struct plan__set *inner, const struct plan__set *outer);
/** They have a relation in common. */
bool plan__set_meets(const struct plan__set *left, const struct plan__set *right);
struct plan__set plan__set_union(const struct plan__set *left, const struct plan__set *right);
bool plan__has_subquery(const struct expr *expr);
bool plan__reads_slots(const struct expr *expr);
/** Columns become positions in a row of `left` followed by one of `right` (NULL: none); subqueries
 * are planned. */
MUST_CHECK enum status plan__resolve(struct planner *planner, const struct plan *left,
                                     const struct plan *right, struct expr *expr,
                                     struct expr **out);
/** Columns of `relation` become the expressions. */
MUST_CHECK enum status plan__substitute(struct planner *planner, uint32_t relation,
                                        struct expr **exprs, struct expr *expr, struct expr **out);

/* plan_values.c */
MUST_CHECK enum status plan__values(struct planner *planner, const struct rel *rel,
                                    struct plan **out);
/** A PROJECT over VALUES becomes VALUES of the projected rows, where that means the same. */
MUST_CHECK enum status plan__fold_values(struct planner *planner, struct plan **plan_io);

/* plan_rel.c */
/** The rows of `rel` for which the conditions hold. */
MUST_CHECK enum status plan__rel(struct planner *planner, const struct rel *rel,
                                 const struct plan__list *conditions, struct plan **out);
/** The leading `width` columns of `relation`, in order. */
MUST_CHECK enum status plan__query(struct planner *planner, const struct rel *rel,
                                   uint32_t relation, uint32_t width, struct plan **out);
MUST_CHECK enum status plan__filter(struct planner *planner, const struct plan__list *conditions,
                                    struct plan **plan);

/** The call with its expressions over the input's rows. */
MUST_CHECK enum status plan__aggregate_call(struct planner *planner, struct plan *input,
                                            struct plan *plan, const struct rel_aggregate *from,
                                            struct rel_aggregate *call);

/* plan_visit.c */
/** As expr_visit, for every expression of the node itself; not of its inputs. */
bool plan__rel_visit(const struct rel *rel, bool (*each)(void *context, const struct expr *expr),
                     void *context);

/* plan_decorrelate.c */
/** Subqueries that read the row around them become joins where they can; changes the tree. */
MUST_CHECK enum status plan__decorrelate(struct planner *planner, struct rel *rel);

/* plan_order.c */
/** True when the rows come in this order without a sort; the scan is turned round if it has to be. */
bool plan__gives_order(struct plan *plan, const struct plan_sort_key *keys, uint32_t count);
/** True when few rows are wanted of a sort and an index now gives them in its order, so that it can go. */
bool plan__order_by_index(struct plan *sort, double wanted);

/** The same, but nothing is turned round. */
bool plan__is_ordered(struct plan *plan, const struct plan_sort_key *keys, uint32_t count);

/* plan_window.c */
MUST_CHECK enum status plan__window(struct planner *planner, const struct rel *rel,
                                    const struct plan__list *conditions, struct plan **out);

/* plan_scan.c. Costs are in rows of a scan: a row looked up by its key, and the way to the first row of a
 * range, which sets up a cursor. */
enum { PLAN__POINT_COST = 5, PLAN__RANGE_COST = 8 };
MUST_CHECK enum status plan__scan(struct planner *planner, const struct rel *rel,
                                  const struct plan__list *conditions, struct plan **out);

/* plan_join.c */
MUST_CHECK enum status plan__join(struct planner *planner, const struct rel *rel,
                                  const struct plan__list *conditions, struct plan **out);

/* plan_estimate.c */
/** Estimated; exact for small tables. One look serves a whole statement. */
MUST_CHECK enum status plan__table_rows(struct planner *planner, const struct table *table,
                                        double *out);
/** No two rows have the same values, none null, in these columns; a unique index allows nulls. */
bool plan__is_unique(const struct table *table, const uint32_t *columns, uint32_t count);
/** Different values of a column, at least 1; from TABLE_EXPR_BASE on: of an expression. */
double plan__distinct(struct planner *planner, const struct table *table, uint32_t column,
                      double table_rows);
/** Different combinations of the expressions in `rows` rows of planned tables; at least 1. */
double plan__groups(struct planner *planner, struct expr *const *exprs, uint32_t count,
                    double rows);
/** The share of a table's rows for which the condition is expected to hold, above 0 and at most 1. */
double plan__selectivity(struct planner *planner, const struct rel *rel,
                         const struct expr *condition, double table_rows);
/** The same for conditions that all have to hold: two ends of one range count together. */
double plan__selectivity_all(struct planner *planner, const struct rel *rel,
                             const struct plan__list *conditions, double table_rows);

/* plan_statistics.c: shares of a table's rows, above 0 and at most 1; `column` from TABLE_EXPR_BASE on has
 * no statistics. */
/** NULL when there are none. */
const struct statistics *plan__statistics(struct planner *planner, const struct table *table,
                                          uint32_t column);
/** `expr` NULL: some value. */
double plan__share_equal(struct planner *planner, const struct table *table, uint32_t column,
                         const struct expr *expr, double table_rows);
double plan__share_range(struct planner *planner, const struct table *table, uint32_t column,
                         const struct plan__range *range);
double plan__share_null(struct planner *planner, const struct table *table, uint32_t column);
double plan__share_like(struct planner *planner, const struct table *table, uint32_t column,
                        const struct expr *like);

/* plan_join_method.c: one join of a planned left side with a right side. */
struct plan__right {
    const struct rel *rel;
    struct plan__list own;     /* Conditions on it alone. */
    struct plan *plan;         /* Planned by itself. */
    const struct rel *lateral; /* The JOIN whose slots it reads; NULL: none. */
};
MUST_CHECK enum status plan__join_with(struct planner *planner, struct plan *left,
                                       const struct plan__set *left_set,
                                       const struct plan__right *right,
                                       const struct plan__set *right_set, enum rel_join kind,
                                       const struct plan__list *on, struct plan **out);
/* Two planned sides; those on which their rows meet. */
struct plan__joining {
    struct plan *left;
    struct plan *right;
    const struct plan__set *left_set;
    const struct plan__set *right_set;
    enum rel_join kind;
    const struct plan__list *on;
};
/** A join by `key_count` equalities, with its rows; keys and cost are the caller's. `rest`: the conditions
 * that are no keys. */
MUST_CHECK enum status plan__equal_join(struct planner *planner, enum plan_kind kind,
                                        const struct plan__joining *joining, uint32_t key_count,
                                        const struct plan__list *rest, struct plan **out);

/* plan_join_merge.c */
/** NULL in *out when no condition is an equality of columns, or one has a subquery. */
MUST_CHECK enum status plan__merge_join(struct planner *planner,
                                        const struct plan__joining *joining, struct plan **out);

/* plan_join_order.c: inner joins of several inputs. */
enum { PLAN__ORDER_MAX = 64 };
struct plan__leaf {
    struct plan__right right;
    struct plan__set set;
    struct plan__set needs; /* Relations that its slots are filled from. */
};
struct plan__graph {
    struct plan__leaf *leaves;
    uint32_t count;
    uint32_t capacity;
    struct plan__list conditions; /* Of two leaves or more, or of none. */
    uint32_t stated_count;        /* The conditions behind these follow from them. */
    bool *used;                   /* One a condition. */
};
/** In which order to join at most PLAN__ORDER_MAX leaves, and the rows expected after each. */
MUST_CHECK enum status plan__join_order(struct planner *planner, const struct plan__graph *graph,
                                        uint32_t *order, double *rows);

/** `expr` is an equality of one side of the left with one of the right. */
bool plan__is_key(const struct expr *expr, const struct plan__set *left,
                  const struct plan__set *right, struct expr **left_out, struct expr **right_out);

#endif
