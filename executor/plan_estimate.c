/*
 * How many rows a table has, and how many different values a column of it: what shares of rows that
 * pass, and sizes of joins and groups, are told from. The rows come from a few ways down the tree; a key
 * that is unique has as many values as rows; what is known of any other column are its statistics, if ANALYZE
 * has made some (plan_statistics.c). Without them it is taken that each value comes ten times, but that there
 * are at least 200.
 */
#include "executor/plan_private.h"
#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/database.h"

enum { COUNTED_ROWS = 500, SAMPLES = 8, FEW_VALUES = 200 };

/* Rows as far as COUNTED_ROWS; one more when there are more. */
static enum status
count_rows(struct planner *planner, struct qtdb_tree *tree, uint32_t *out)
{
    struct qtdb_cursor *cursor = NULL;
    uint32_t count = 0;

    TRY(sql_from_code(qtdb_cursor_open(planner->context->txn, tree, &cursor),
                      planner->context->error));
    enum qtdb_code code = qtdb_cursor_seek(cursor, NULL, 0);
    for (; code == QTDB_OK && count <= COUNTED_ROWS; count++)
        code = qtdb_cursor_next(cursor);
    qtdb_cursor_close(cursor);
    if (code != QTDB_OK && code != QTDB_NOT_FOUND)
        return sql_from_code(code, planner->context->error);
    *out = count;
    return STATUS_OK;
}

/* What cannot be told is no reason to fail: whoever reads the rows will say. */
static double
sample_rows(struct planner *planner, struct qtdb_tree *tree)
{
    uint8_t low[QTDB_KEY_SIZE_MAX];
    double sum = 0;

    for (uint32_t i = 0; i < SAMPLES; i++) {
        size_t low_size = 0;
        double rows = 0;

        if (database_sample(planner->context->txn, tree, (i + 0.5) / SAMPLES, &rows, low,
                            &low_size) != STATUS_OK) {
            error_clear();
            continue;
        }
        sum += rows;
    }
    return sum / SAMPLES;
}

static enum status
look_at_rows(struct planner *planner, const struct table *table, double *out)
{
    struct qtdb_tree *tree = NULL;
    uint32_t count = 0;

    TRY(table_tree(planner->context->txn, table, UINT32_MAX, &tree, planner->context->error));
    double rows = sample_rows(planner, tree);
    if (rows <= COUNTED_ROWS) {
        TRY(count_rows(planner, tree, &count));
        rows = count;
    }
    *out = rows;
    return STATUS_OK;
}

enum status
plan__table_rows(struct planner *planner, const struct table *table, double *out)
{
    struct plan__size *size = planner->sizes;

    while (size != NULL && size->table_id != table->id)
        size = size->next;
    if (size == NULL) {
        size = plan__take(planner, sizeof(*size));
        if (size == NULL)
            return STATUS_NO_MEMORY;
        TRY(look_at_rows(planner, table, &size->rows));
        size->table_id = table->id;
        size->next = planner->sizes;
        planner->sizes = size;
    }
    *out = size->rows;
    return STATUS_OK;
}

/* Each of the columns is among those given. */
static bool
covers(const uint32_t *columns, uint32_t count, const uint32_t *given, uint32_t given_count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t k = 0;

        while (k < given_count && given[k] != columns[i])
            k++;
        if (k == given_count)
            return false;
    }
    return count > 0;
}

bool
plan__is_unique(const struct table *table, const uint32_t *columns, uint32_t count)
{
    bool unique = covers(table->keys, table->key_count, columns, count);

    for (uint32_t i = 0; i < table->index_count && !unique; i++)
        unique = table->indexes[i].unique && table->indexes[i].predicate == 0 &&
                 covers(table->indexes[i].columns, table->indexes[i].column_count, columns, count);
    return unique;
}

double
plan__distinct(struct planner *planner, const struct table *table, uint32_t column,
               double table_rows)
{
    double values = table_rows;

    if (plan__is_unique(table, &column, 1))
        return values < 1 ? 1 : values;
    const struct statistics *statistics = plan__statistics(planner, table, column);
    if (statistics != NULL)
        values =
            statistics->distinct < 0 ? -statistics->distinct * table_rows : statistics->distinct;
    else if (column < table->column_count && table->types[column].type == QTDB_TYPE_BOOL)
        values = 2;
    else if (table_rows > FEW_VALUES)
        values = table_rows < 10 * FEW_VALUES ? FEW_VALUES : table_rows / 10;
    return values < 1 ? 1 : values;
}

/* Shares of rows. */

static const struct expr *
without_casts(const struct expr *expr)
{
    while (expr->kind == EXPR_CAST)
        expr = expr->arguments[0];
    return expr;
}

/* The table's column that the expression is, casts aside; UINT32_MAX: something else. */
static uint32_t
column_of(const struct rel *rel, const struct expr *expr)
{
    expr = without_casts(expr);
    return expr->kind == EXPR_COLUMN && expr->relation == rel->relation &&
                   expr->index < rel->table->column_count
               ? expr->index
               : UINT32_MAX;
}

static double
share_of_equality(struct planner *planner, const struct rel *rel, const struct expr *expr,
                  double table_rows)
{
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t column = column_of(rel, expr->arguments[i]);

        if (column != UINT32_MAX)
            return plan__share_equal(planner, rel->table, column, expr->arguments[1 - i],
                                     table_rows);
    }
    return 0.1;
}

/* A comparison of a column with something else, as a range of the column; UINT32_MAX: it is not. */
static uint32_t
range_of(const struct rel *rel, const struct expr *expr, struct plan__range *out)
{
    uint32_t column = column_of(rel, expr->arguments[0]), side = column != UINT32_MAX ? 0 : 1;
    enum expr_operator operator_kind = expr->operator_kind;
    bool inclusive = operator_kind == EXPR_LESS_EQUAL || operator_kind == EXPR_GREATER_EQUAL;
    bool less = operator_kind == EXPR_LESS || operator_kind == EXPR_LESS_EQUAL;

    if (!less && operator_kind != EXPR_GREATER && operator_kind != EXPR_GREATER_EQUAL)
        return UINT32_MAX;
    if (side == 1)
        column = column_of(rel, expr->arguments[1]);
    *out = (struct plan__range){.low = NULL};
    if (less == (side == 0)) {
        out->high = expr->arguments[1 - side];
        out->high_inclusive = inclusive;
    } else {
        out->low = expr->arguments[1 - side];
        out->low_inclusive = inclusive;
    }
    return column;
}

static double
share_of_comparison(struct planner *planner, const struct rel *rel, const struct expr *expr,
                    double table_rows)
{
    struct plan__range range;

    if (expr->operator_kind == EXPR_EQUAL)
        return share_of_equality(planner, rel, expr, table_rows);
    if (expr->operator_kind == EXPR_NOT_EQUAL) {
        uint32_t column = column_of(rel, expr->arguments[0]);

        return column == UINT32_MAX || plan__statistics(planner, rel->table, column) == NULL
                   ? 0.95
                   : 1 - plan__share_null(planner, rel->table, column) -
                         share_of_equality(planner, rel, expr, table_rows);
    }
    uint32_t column = range_of(rel, expr, &range);
    bool known = column != UINT32_MAX && plan__statistics(planner, rel->table, column) != NULL;
    return known ? plan__share_range(planner, rel->table, column, &range) : 0.3;
}

static double
share_of_in(struct planner *planner, const struct rel *rel, const struct expr *expr,
            double table_rows)
{
    uint32_t column = column_of(rel, expr->arguments[0]);
    double share = 0;

    for (uint32_t i = 1; i < expr->argument_count; i++)
        share += column == UINT32_MAX ? 0.1
                                      : plan__share_equal(planner, rel->table, column,
                                                          expr->arguments[i], table_rows);
    if (column == UINT32_MAX || plan__statistics(planner, rel->table, column) == NULL)
        share = share > 0.5 ? 0.5 : share;
    share = share > 1 ? 1 : share;
    return expr->negated ? 1 - share : share;
}

static double
share_of_branches(struct planner *planner, const struct rel *rel, const struct expr *expr,
                  double table_rows)
{
    const struct plan__list all = {.count = expr->argument_count, .exprs = expr->arguments};
    double fails = 1;

    if (expr->kind == EXPR_AND)
        return plan__selectivity_all(planner, rel, &all, table_rows);
    for (uint32_t i = 0; i < expr->argument_count; i++)
        fails *= 1 - plan__selectivity(planner, rel, expr->arguments[i], table_rows);
    return 1 - fails;
}

static double
share_of_like(struct planner *planner, const struct rel *rel, const struct expr *expr)
{
    uint32_t column = column_of(rel, expr->arguments[0]);
    double share = column == UINT32_MAX ? 0.1 : plan__share_like(planner, rel->table, column, expr);

    return expr->negated ? 1 - share : share;
}

static double
share_of_null(struct planner *planner, const struct rel *rel, const struct expr *expr)
{
    uint32_t column = column_of(rel, expr->arguments[0]);
    double share = column == UINT32_MAX ? 0.05 : plan__share_null(planner, rel->table, column);

    return expr->negated ? 1 - share : share;
}

double
plan__selectivity(struct planner *planner, const struct rel *rel, const struct expr *condition,
                  double table_rows)
{
    double share = 0.3;

    switch (condition->kind) {
    case EXPR_COMPARE:
        share = share_of_comparison(planner, rel, condition, table_rows);
        break;
    case EXPR_IN:
        share = share_of_in(planner, rel, condition, table_rows);
        break;
    case EXPR_LIKE:
        share = share_of_like(planner, rel, condition);
        break;
    case EXPR_IS_NULL:
        share = share_of_null(planner, rel, condition);
        break;
    case EXPR_NOT:
        share = 1 - plan__selectivity(planner, rel, condition->arguments[0], table_rows);
        break;
    case EXPR_AND:
    case EXPR_OR:
        share = share_of_branches(planner, rel, condition, table_rows);
        break;
    default:
        break;
    }
    return share < 1e-9 ? 1e-9 : share > 1 ? 1 : share;
}

/* One end of a range for which no earlier condition has the other end; those that have are counted there. */
static bool
pair_range(const struct rel *rel, const struct plan__list *conditions, uint32_t index,
           uint32_t *column, struct plan__range *range)
{
    if (conditions->exprs[index]->kind != EXPR_COMPARE)
        return false;
    *column = range_of(rel, conditions->exprs[index], range);
    for (uint32_t i = 0; *column != UINT32_MAX && i < conditions->count; i++) {
        struct plan__range other;

        if (i == index || conditions->exprs[i]->kind != EXPR_COMPARE ||
            range_of(rel, conditions->exprs[i], &other) != *column ||
            (other.low == NULL) == (range->low == NULL))
            continue;
        if (i < index)
            *column = UINT32_MAX - 1;
        else if (other.low != NULL)
            range->low = other.low, range->low_inclusive = other.low_inclusive;
        else
            range->high = other.high, range->high_inclusive = other.high_inclusive;
        return true;
    }
    return false;
}

double
plan__selectivity_all(struct planner *planner, const struct rel *rel,
                      const struct plan__list *conditions, double table_rows)
{
    double share = 1;

    for (uint32_t i = 0; i < conditions->count; i++) {
        struct plan__range range;
        uint32_t column = UINT32_MAX;

        if (!pair_range(rel, conditions, i, &column, &range))
            share *= plan__selectivity(planner, rel, conditions->exprs[i], table_rows);
        else if (column != UINT32_MAX - 1)
            share *= plan__share_range(planner, rel->table, column, &range);
    }
    return share < 1e-9 ? 1e-9 : share;
}

/* Groups. */

/* The values that one table's columns among the expressions have together: at most its rows. */
static double
groups_of_table(struct planner *planner, struct expr *const *exprs, uint32_t count,
                uint32_t relation)
{
    const struct rel *rel = planner->tables[relation];
    double groups = 1, rows = 0;

    if (plan__table_rows(planner, rel->table, &rows) != STATUS_OK)
        return 1000;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t column = column_of(rel, exprs[i]);

        if (column != UINT32_MAX)
            groups *= plan__distinct(planner, rel->table, column, rows);
    }
    return groups > rows ? rows : groups;
}

double
plan__groups(struct planner *planner, struct expr *const *exprs, uint32_t count, double rows)
{
    double groups = 1;

    for (uint32_t i = 0; i < count; i++) {
        const struct expr *expr = without_casts(exprs[i]);
        bool is_first = true;

        if (expr->kind != EXPR_COLUMN || planner->tables[expr->relation] == NULL) {
            groups *= rows < 50 ? rows : rows / 5 < 200 ? 50 : rows / 5;
            continue;
        }
        for (uint32_t k = 0; k < i; k++) {
            const struct expr *other = without_casts(exprs[k]);

            is_first =
                is_first && !(other->kind == EXPR_COLUMN && other->relation == expr->relation);
        }
        if (is_first)
            groups *= groups_of_table(planner, exprs, count, expr->relation);
    }
    groups = groups > rows ? rows : groups;
    return groups < 1 ? 1 : groups;
}
