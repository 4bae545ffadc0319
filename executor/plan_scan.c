/*
 * Scanning one table: conditions that compare the leading columns of a key with values narrow what is
 * read. The candidate with the fewest expected rows wins.
 */
#include <string.h>

#include "executor/plan_private.h"
#include "kernel/base/check.h"

static const double SIZE_LARGE = 100000;

/* What is known about one column of a key. */
struct bounds {
    struct expr *equal;
    struct expr *in; /* EXPR_IN */
    struct expr *low;
    struct expr *high;
    struct expr *is_null; /* EXPR_IS_NULL */
    struct expr *is_not_null;
};

bool
plan_keeps_key(enum qtdb_type from, enum qtdb_type to)
{
    bool from_integer = from == QTDB_TYPE_INT2 || from == QTDB_TYPE_INT4 || from == QTDB_TYPE_INT8;

    if (from_integer)
        return to == QTDB_TYPE_INT4 || to == QTDB_TYPE_INT8;
    if (from == QTDB_TYPE_FLOAT4)
        return to == QTDB_TYPE_FLOAT8;
    return from == QTDB_TYPE_VARCHAR && to == QTDB_TYPE_TEXT;
}

/* `column` is one of the table or, from TABLE_EXPR_BASE on, an expression of its indexes. */
static bool
is_column(const struct rel *rel, uint32_t column, const struct expr *expr)
{
    if (column >= TABLE_EXPR_BASE)
        return expr_same(expr, rel->index_exprs[column - TABLE_EXPR_BASE]);
    if (expr->kind == EXPR_CAST && expr->type.precision < 0 &&
        plan_keeps_key(expr->arguments[0]->type.type, expr->type.type))
        expr = expr->arguments[0];
    return expr->kind == EXPR_COLUMN && expr->relation == rel->relation && expr->index == column;
}

static bool
is_value(const struct expr *expr)
{
    struct plan__set set = plan__relations_of(expr);

    return plan__set_is_empty(&set) && !plan__has_subquery(expr);
}

static enum expr_operator
mirrored(enum expr_operator operator_kind)
{
    switch (operator_kind) {
    case EXPR_LESS:
        return EXPR_GREATER;
    case EXPR_LESS_EQUAL:
        return EXPR_GREATER_EQUAL;
    case EXPR_GREATER:
        return EXPR_LESS;
    case EXPR_GREATER_EQUAL:
        return EXPR_LESS_EQUAL;
    default:
        return operator_kind;
    }
}

static void
note_comparison(const struct rel *rel, uint32_t column, const struct expr *expr,
                struct bounds *bounds)
{
    struct expr *left = expr->arguments[0], *right = expr->arguments[1];
    enum expr_operator operator_kind = expr->operator_kind;

    if (!is_column(rel, column, left)) {
        struct expr *swap = left;

        left = right;
        right = swap;
        operator_kind = mirrored(operator_kind);
    }
    if (!is_column(rel, column, left) || !is_value(right))
        return;
    if (operator_kind == EXPR_EQUAL)
        bounds->equal = right;
    else if (operator_kind == EXPR_GREATER || operator_kind == EXPR_GREATER_EQUAL)
        bounds->low = right;
    else if (operator_kind == EXPR_LESS || operator_kind == EXPR_LESS_EQUAL)
        bounds->high = right;
}

static enum status
new_text(struct planner *planner, const struct expr *like, const uint8_t *bytes, size_t size,
         struct expr **out)
{
    *out = plan__take(planner, sizeof(**out));
    if (*out == NULL)
        return STATUS_NO_MEMORY;
    **out = (struct expr){.kind = EXPR_CONSTANT,
                          .type = {QTDB_TYPE_TEXT, -1, -1},
                          .location = like->location,
                          .constant = value_bytes(QTDB_TYPE_TEXT, bytes, size)};
    return STATUS_OK;
}

/* LIKE 'abc%': from 'abc' to 'abd', which the condition itself leaves out. */
static enum status
note_like(struct planner *planner, const struct rel *rel, uint32_t column, const struct expr *expr,
          struct bounds *bounds)
{
    const struct expr *pattern = expr->arguments[1];
    enum qtdb_type type = expr->arguments[0]->type.type;
    size_t size = 0;

    if (expr->negated || expr->insensitive || !is_column(rel, column, expr->arguments[0]) ||
        (type != QTDB_TYPE_TEXT && type != QTDB_TYPE_VARCHAR) || bounds->low != NULL ||
        bounds->high != NULL || pattern->kind != EXPR_CONSTANT || pattern->constant.null)
        return STATUS_OK;
    const uint8_t *bytes = pattern->constant.bytes;
    while (size < pattern->constant.size && bytes[size] != '%' && bytes[size] != '_' &&
           bytes[size] != '\\')
        size++;
    if (size == 0 || bytes[size - 1] == 0xff)
        return STATUS_OK;
    uint8_t *end = plan__take(planner, size);
    if (end == NULL)
        return STATUS_NO_MEMORY;
    memcpy(end, bytes, size);
    end[size - 1]++;
    TRY(new_text(planner, expr, bytes, size, &bounds->low));
    return new_text(planner, expr, end, size, &bounds->high);
}

static enum status
add_like_bounds(struct planner *planner, const struct rel *rel, uint32_t column,
                const struct plan__list *conditions, struct bounds *bounds)
{
    for (uint32_t i = 0; i < conditions->count; i++) {
        if (conditions->exprs[i]->kind == EXPR_LIKE)
            TRY(note_like(planner, rel, column, conditions->exprs[i], bounds));
    }
    return STATUS_OK;
}

static struct bounds
bounds_of(const struct rel *rel, uint32_t column, const struct plan__list *conditions)
{
    struct bounds bounds = {.equal = NULL};

    for (uint32_t i = 0; i < conditions->count; i++) {
        struct expr *expr = conditions->exprs[i];
        bool usable = true;

        if (expr->kind == EXPR_COMPARE)
            note_comparison(rel, column, expr, &bounds);
        if (expr->kind == EXPR_IS_NULL && is_column(rel, column, expr->arguments[0]))
            *(expr->negated ? &bounds.is_not_null : &bounds.is_null) = expr;
        if (expr->kind != EXPR_IN || expr->negated || !is_column(rel, column, expr->arguments[0]))
            continue;
        for (uint32_t k = 1; k < expr->argument_count; k++)
            usable = usable && is_value(expr->arguments[k]);
        if (usable)
            bounds.in = expr;
    }
    return bounds;
}

/* Some condition on the column does not hold for null. */
static bool
excludes_null(const struct rel *rel, const struct expr *expr, const struct plan__list *conditions)
{
    if (expr->kind != EXPR_IS_NULL || !expr->negated || expr->arguments[0]->kind != EXPR_COLUMN)
        return false;
    struct bounds bounds = bounds_of(rel, expr->arguments[0]->index, conditions);
    return bounds.equal != NULL || bounds.in != NULL || bounds.low != NULL || bounds.high != NULL;
}

/* The conditions ask for nothing but rows that a partial index has. */
static bool
implies(const struct rel *rel, const struct expr *predicate, const struct plan__list *conditions)
{
    bool implied = predicate->kind == EXPR_AND || excludes_null(rel, predicate, conditions);

    for (uint32_t i = 0; predicate->kind == EXPR_AND && i < predicate->argument_count; i++)
        implied = implied && implies(rel, predicate->arguments[i], conditions);
    for (uint32_t i = 0; predicate->kind != EXPR_AND && i < conditions->count; i++)
        implied = implied || expr_same(conditions->exprs[i], predicate);
    return implied;
}

/* Nulls and what lies beside them; false: the column is not asked for nulls. Most unique indexes
 * have none. */
static bool
note_nulls(struct planner *planner, const struct rel *rel, uint32_t column,
           const struct bounds *bounds, struct plan_path *path, double *share)
{
    if (bounds->equal == NULL && bounds->is_null != NULL) {
        path->nulls |= UINT32_C(1) << path->equal_count;
        path->equals[path->equal_count++] = bounds->is_null;
        *share *= plan__share_null(planner, rel->table, column);
        return true;
    }
    path->not_null = bounds->equal == NULL && bounds->in == NULL &&
                     (bounds->low != NULL || bounds->high != NULL || bounds->is_not_null != NULL);
    if (path->not_null && bounds->low == NULL && bounds->high == NULL)
        *share *= 1 - plan__share_null(planner, rel->table, column);
    return false;
}

static double
share_of_in(struct planner *planner, const struct table *table, uint32_t column,
            const struct expr *in, double table_rows)
{
    double share = 0;

    for (uint32_t i = 1; i < in->argument_count; i++)
        share += plan__share_equal(planner, table, column, in->arguments[i], table_rows);
    return share;
}

/* Fills the path for one key; returns the share of the table it reads. */
static enum status
try_key(struct planner *planner, const struct rel *rel, const uint32_t *columns, uint32_t count,
        const struct plan__list *conditions, double table_rows, struct plan_path *path,
        double *share)
{
    *share = 1;
    path->equals = plan__take(planner, count * sizeof(struct expr *));
    if (path->equals == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        struct bounds bounds = bounds_of(rel, columns[i], conditions);

        TRY(add_like_bounds(planner, rel, columns[i], conditions, &bounds));
        if (path->index != UINT32_MAX && table_index_has_nulls(&rel->table->indexes[path->index]) &&
            note_nulls(planner, rel, columns[i], &bounds, path, share))
            continue;
        if (bounds.equal != NULL) {
            path->equals[path->equal_count++] = bounds.equal;
            *share *= plan__share_equal(planner, rel->table, columns[i], bounds.equal, table_rows);
            continue;
        }
        if (bounds.in != NULL) {
            path->in = bounds.in->arguments + 1;
            path->in_count = bounds.in->argument_count - 1;
            *share *= share_of_in(planner, rel->table, columns[i], bounds.in, table_rows);
        } else if (bounds.low != NULL || bounds.high != NULL) {
            path->low = bounds.low;
            path->high = bounds.high;
            *share *= plan__share_range(planner, rel->table, columns[i],
                                        &(struct plan__range){bounds.low, bounds.high, true, true});
        }
        break;
    }
    path->is_point = count > 0 && path->equal_count + (path->in_count > 0 ? 1 : 0) == count;
    return STATUS_OK;
}

static double
path_rows(const struct plan_path *path, double table_rows, double share)
{
    double combinations = path->in_count > 0 ? path->in_count : 1;
    double rows = share < 1 ? table_rows * share : table_rows;

    rows = rows < 1 ? 1 : rows;
    return path->is_point && combinations < rows ? combinations : rows;
}

/* Columns that conditions read of a relation. */
struct reading {
    uint32_t relation;
    uint32_t column;
};

static bool
does_not_read(void *context, const struct expr *expr)
{
    const struct reading *reading = context;

    return expr->kind != EXPR_COLUMN || expr->relation != reading->relation ||
           expr->index != reading->column;
}

/* Entries of the index have every column that is asked for. */
static bool
covers(const struct planner *planner, const struct rel *rel, uint32_t index,
       const struct plan__list *conditions)
{
    for (uint32_t i = 0; i < rel->column_count; i++) {
        struct reading reading = {rel->relation, i};
        bool asked = plan__is_needed(planner, rel->relation, i);

        for (uint32_t k = 0; k < conditions->count && !asked; k++)
            asked = plan__has_subquery(conditions->exprs[k]) ||
                    !expr_visit(conditions->exprs[k], does_not_read, &reading);
        if (asked && i < rel->table->column_count && !table_index_has(rel->table, index, i))
            return false;
    }
    return true;
}

/* The best path; `rows` are those it reads. */
static enum status
choose_path(struct planner *planner, const struct rel *rel, const struct plan__list *conditions,
            double table_rows, struct plan_path *best, double *rows)
{
    const struct table *table = rel->table;
    double share = 1;

    *best = (struct plan_path){.index = UINT32_MAX};
    *rows = table_rows;
    if (table->key_count > 0)
        TRY(try_key(planner, rel, table->keys, table->key_count, conditions, table_rows, best,
                    &share));
    *rows = path_rows(best, table_rows, share);
    double cost = *rows;
    for (uint32_t i = 0; i < table->index_count && conditions->count > 0; i++) {
        struct plan_path path = {.index = i};
        uint32_t predicate = table->indexes[i].predicate;

        if (predicate > 0 && !implies(rel, rel->index_exprs[predicate - 1], conditions))
            continue;
        TRY(try_key(planner, rel, table->indexes[i].columns, table->indexes[i].column_count,
                    conditions, table_rows, &path, &share));
        path.is_point = path.is_point && table->indexes[i].unique;
        path.alone = covers(planner, rel, i, conditions);
        double read = path_rows(&path, table_rows, share);
        double path_cost = path.alone ? read : 2 * read;

        if (plan_path_is_bounded(&path) && path_cost < cost) {
            *best = path;
            *rows = read;
            cost = path_cost;
        }
    }
    return STATUS_OK;
}

/* Values of the path have no columns, but may have casts of slots and parameters. */
static enum status
resolve_path(struct planner *planner, struct plan *plan)
{
    struct plan_path *path = &plan->path;
    struct expr **in = plan__take(planner, path->in_count * sizeof(struct expr *));

    if (in == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < path->equal_count; i++) {
        if ((path->nulls >> i & 1) == 0)
            TRY(plan__resolve(planner, NULL, NULL, path->equals[i], &path->equals[i]));
    }
    for (uint32_t i = 0; i < path->in_count; i++)
        TRY(plan__resolve(planner, NULL, NULL, path->in[i], &in[i]));
    path->in = in;
    if (path->low != NULL)
        TRY(plan__resolve(planner, NULL, NULL, path->low, &path->low));
    return path->high == NULL ? STATUS_OK
                              : plan__resolve(planner, NULL, NULL, path->high, &path->high);
}

static enum status
lay_out(struct planner *planner, const struct rel *rel, struct plan *plan, struct plan *whole)
{
    uint32_t next = 0;

    plan->columns = plan__take(planner, plan->width * sizeof(*plan->columns));
    if (plan->columns == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < rel->column_count; i++) {
        whole->layout[i] = (struct plan_column){rel->relation, i};
        if (!plan__is_needed(planner, rel->relation, i))
            continue;
        plan->layout[next] = whole->layout[i];
        plan->columns[next++] = i;
    }
    return STATUS_OK;
}

enum status
plan__scan(struct planner *planner, const struct rel *rel, const struct plan__list *conditions,
           struct plan **out)
{
    struct plan *plan = NULL, *whole = NULL;
    struct expr *condition = NULL;
    double table_rows = SIZE_LARGE, read = 1;
    uint32_t width = 0;

    for (uint32_t i = 0; i < rel->column_count; i++)
        width += plan__is_needed(planner, rel->relation, i);
    TRY(plan__new(planner, PLAN_SCAN, NULL, width, &plan));
    TRY(plan__new(planner, PLAN_RESULT, NULL, rel->column_count, &whole));
    TRY(lay_out(planner, rel, plan, whole));
    plan->table = rel->table;
    planner->tables[rel->relation] = rel;
    /* A point look-up needs no estimate. */
    TRY(choose_path(planner, rel, conditions, SIZE_LARGE, &plan->path, &read));
    if (read > 1 || !plan->path.is_point) {
        TRY(plan__table_rows(planner, rel->table, &table_rows));
        TRY(choose_path(planner, rel, conditions, table_rows, &plan->path, &read));
    }
    TRY(resolve_path(planner, plan));
    bool is_point = plan->path.is_point && plan->path.index == UINT32_MAX;
    plan->cost = is_point ? PLAN__POINT_COST * read : PLAN__RANGE_COST + read;
    plan->rows = table_rows;
    TRY(plan__conjunction(planner, conditions, &condition));
    if (condition != NULL) {
        TRY(plan__resolve(planner, whole, NULL, condition, &plan->filter));
        plan->reads_slots = plan__reads_slots(condition);
        plan->rows *= plan__selectivity_all(planner, rel, conditions, table_rows);
    }
    plan->rows = plan->rows > read ? read : plan->rows;
    plan->rows = plan->rows < 1 ? 1 : plan->rows;
    *out = plan;
    return STATUS_OK;
}
