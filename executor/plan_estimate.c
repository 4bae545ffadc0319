/*
 * How many rows a table has, and how many different values a column of it: what shares of rows that
 * pass, and sizes of joins, are told from. The rows come from a few ways down the tree; a key that is
 * unique has as many values as rows; of any other column it is taken that each value comes ten times, but
 * that there are at least 200.
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
plan__distinct(const struct table *table, uint32_t column, double table_rows)
{
    double values = table_rows;

    if (column < table->column_count && table->types[column].type == QTDB_TYPE_BOOL)
        values = 2;
    else if (table_rows > FEW_VALUES && !plan__is_unique(table, &column, 1))
        values = table_rows < 10 * FEW_VALUES ? FEW_VALUES : table_rows / 10;
    return values < 1 ? 1 : values;
}

/* Shares of rows. */

/* The table's column that the expression is, casts aside; UINT32_MAX: something else. */
static uint32_t
column_of(const struct rel *rel, const struct expr *expr)
{
    while (expr->kind == EXPR_CAST)
        expr = expr->arguments[0];
    return expr->kind == EXPR_COLUMN && expr->relation == rel->relation &&
                   expr->index < rel->table->column_count
               ? expr->index
               : UINT32_MAX;
}

static double
share_of_value(const struct rel *rel, const struct expr *left, const struct expr *right,
               double table_rows)
{
    uint32_t column = column_of(rel, left);

    if (column == UINT32_MAX && right != NULL)
        column = column_of(rel, right);
    return column == UINT32_MAX ? 0.1 : 1 / plan__distinct(rel->table, column, table_rows);
}

static double
share_of_branches(const struct rel *rel, const struct expr *expr, double table_rows)
{
    double fails = 1, holds = 1;

    for (uint32_t i = 0; i < expr->argument_count; i++) {
        double share = plan__selectivity(rel, expr->arguments[i], table_rows);

        holds *= share;
        fails *= 1 - share;
    }
    return expr->kind == EXPR_AND ? holds : 1 - fails;
}

double
plan__selectivity(const struct rel *rel, const struct expr *condition, double table_rows)
{
    double share = 0.3;

    switch (condition->kind) {
    case EXPR_COMPARE:
        if (condition->operator_kind == EXPR_EQUAL)
            share =
                share_of_value(rel, condition->arguments[0], condition->arguments[1], table_rows);
        else if (condition->operator_kind == EXPR_NOT_EQUAL)
            share = 0.95;
        break;
    case EXPR_IN:
        share = share_of_value(rel, condition->arguments[0], NULL, table_rows) *
                (condition->argument_count - 1);
        share = share > 0.5 ? 0.5 : share;
        share = condition->negated ? 1 - share : share;
        break;
    case EXPR_LIKE:
        share = condition->negated ? 0.9 : 0.1;
        break;
    case EXPR_IS_NULL:
        share = condition->negated ? 0.95 : 0.05;
        break;
    case EXPR_NOT:
        share = 1 - plan__selectivity(rel, condition->arguments[0], table_rows);
        break;
    case EXPR_AND:
    case EXPR_OR:
        share = share_of_branches(rel, condition, table_rows);
        break;
    default:
        break;
    }
    return share < 1e-9 ? 1e-9 : share;
}
