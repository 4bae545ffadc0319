/*
 * Shares of rows from statistics (statistics.h): of one value, of a range, of a pattern. The common values
 * are looked at one by one; of the others an equal share is taken for each value, and for a range what
 * lies below its ends in the bounds, between two of them by how far a number is on its way.
 *
 * A value is a constant or what arithmetic and casts make of constants. What is not known until the
 * statement runs counts as an average value.
 */
#include <string.h>

#include "executor/exec_private.h"
#include "executor/plan_private.h"
#include "kernel/base/check.h"
#include "kernel/base/error.h"

enum { PATTERN_VALUES_MIN = 10 };

/* Finding them. */

static void
note_stale(const struct planner *planner, const struct table *table)
{
    struct plan_stale *stale = planner->context->stale;

    if (stale == NULL || stale->count == PLAN_STALE_MAX ||
        !statistics_are_stale(planner->context->notes, table))
        return;
    for (uint32_t i = 0; i < stale->count; i++) {
        if (stale->tables[i]->id == table->id)
            return;
    }
    stale->tables[stale->count++] = table;
}

const struct statistics *
plan__statistics(struct planner *planner, const struct table *table, uint32_t column)
{
    struct plan__known *known = planner->known;

    if (column >= table->column_count)
        return NULL;
    while (known != NULL && (known->table_id != table->id || known->column != column))
        known = known->next;
    if (known == NULL) {
        struct sql_error error = {.location = -1};

        note_stale(planner, table);
        known = arena_alloc(&planner->scratch, sizeof(*known));
        if (known == NULL) {
            error_clear();
            return NULL;
        }
        known->table_id = table->id;
        known->column = column;
        /* What cannot be read is no reason to fail: there is a plan without it. */
        known->there = statistics_find(planner->context->txn, table, column, &planner->scratch,
                                       &known->statistics, &error) == STATUS_OK;
        if (!known->there)
            error_clear();
        known->next = planner->known;
        planner->known = known;
    }
    return known->there ? &known->statistics : NULL;
}

/* Values. */

static bool
is_made_of_constants(void *context, const struct expr *expr)
{
    (void)context;
    return expr->kind == EXPR_CONSTANT || expr->kind == EXPR_CAST ||
           expr->kind == EXPR_ARITHMETIC || expr->kind == EXPR_NEGATE;
}

/* The expression's value as one of the type; false when it is not known, null, or no such value. */
static bool
value_of(struct planner *planner, const struct expr *expr, const struct sql_type *type,
         struct value *out)
{
    struct sql_error error = {.location = -1};
    struct eval eval = {.arena = &planner->scratch, .error = &error};
    struct sql_type plain = {type->type, -1, -1};
    struct value value;

    if (!expr_visit(expr, is_made_of_constants, NULL))
        return false;
    if (expr_eval(expr, NULL, &eval, &value) != STATUS_OK) {
        error_clear();
        return false;
    }
    if (value.null)
        return false;
    *out = value;
    if (value.type == type->type)
        return true;
    if (!value_can_cast(value.type, type->type))
        return false;
    if (value_cast(&value, &plain, &planner->scratch, out, &error) == STATUS_OK)
        return true;
    error_clear();
    return false;
}

/* How far a value is between two others, 0 to 1; a half where that cannot be told. */
static double
way_between(struct planner *planner, const struct value *low, const struct value *high,
            const struct value *value)
{
    static const struct sql_type real = {QTDB_TYPE_FLOAT8, -1, -1};
    const struct value *from[3] = {low, high, value};
    double numbers[3];

    for (uint32_t i = 0; i < 3; i++) {
        struct sql_error error = {.location = -1};
        struct value cast = *from[i];

        if (from[i]->type == QTDB_TYPE_NUMERIC &&
            value_cast(from[i], &real, &planner->scratch, &cast, &error) != STATUS_OK) {
            error_clear();
            return 0.5;
        }
        if (!value_type_is_integer(cast.type) && cast.type != QTDB_TYPE_FLOAT4 &&
            cast.type != QTDB_TYPE_FLOAT8)
            return 0.5;
        numbers[i] = value_type_is_integer(cast.type) ? (double)cast.integer : cast.real;
    }
    double way = (numbers[2] - numbers[0]) / (numbers[1] - numbers[0]);
    return way >= 0 && way <= 1 ? way : 0.5;
}

/* Shares. */

static double
common_sum(const struct statistics *statistics)
{
    double sum = 0;

    for (uint32_t i = 0; i < statistics->common_count; i++)
        sum += statistics->common_shares[i];
    return sum;
}

static double
bounded(double share)
{
    return share < 1e-9 ? 1e-9 : share > 1 ? 1 : share;
}

/* Of a value that is not common: what the others have, divided evenly. */
static double
share_of_other(const struct statistics *statistics, double distinct)
{
    double rest = 1 - statistics->null_share - common_sum(statistics);
    double others = distinct - statistics->common_count;

    return bounded(rest / (others < 1 ? 1 : others));
}

double
plan__share_equal(struct planner *planner, const struct table *table, uint32_t column,
                  const struct expr *expr, double table_rows)
{
    double distinct = plan__distinct(planner, table, column, table_rows);
    struct value value;

    /* One row: no need to look. */
    if (plan__is_unique(table, &column, 1))
        return 1 / distinct;
    const struct statistics *statistics = plan__statistics(planner, table, column);
    if (statistics == NULL)
        return 1 / distinct;
    if (expr == NULL || !value_of(planner, expr, &table->types[column], &value))
        return bounded((1 - statistics->null_share) / distinct);
    for (uint32_t i = 0; i < statistics->common_count; i++) {
        if (value_compare(&statistics->values[i], &value) == 0)
            return bounded(statistics->common_shares[i]);
    }
    return share_of_other(statistics, distinct);
}

/* Of the values that are not common: how many are below, or not above when `inclusive`. */
static double
bounds_below(struct planner *planner, const struct statistics *statistics,
             const struct value *value, bool inclusive)
{
    const struct value *bounds = statistics->values + statistics->common_count;
    uint32_t low = 0, high = statistics->bound_count;

    if (high == 0)
        return 0.5;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = value_compare(&bounds[middle], value);

        if (order < 0 || (inclusive && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || low == statistics->bound_count)
        return low == 0 ? 0 : 1;
    return (low - 1 + way_between(planner, &bounds[low - 1], &bounds[low], value)) /
           (statistics->bound_count - 1);
}

/* The share of rows below the value. */
static double
share_below(struct planner *planner, const struct statistics *statistics, const struct value *value,
            bool inclusive)
{
    double share = 0, rest = 1 - statistics->null_share - common_sum(statistics);

    for (uint32_t i = 0; i < statistics->common_count; i++) {
        int order = value_compare(&statistics->values[i], value);

        if (order < 0 || (inclusive && order == 0))
            share += statistics->common_shares[i];
    }
    return share + (rest > 0 ? rest : 0) * bounds_below(planner, statistics, value, inclusive);
}

double
plan__share_range(struct planner *planner, const struct table *table, uint32_t column,
                  const struct plan__range *range)
{
    const struct statistics *statistics = plan__statistics(planner, table, column);
    double above = 1, below = 1;
    struct value value;

    if (statistics == NULL)
        return range->low != NULL && range->high != NULL ? 0.1 : 0.35;
    double not_null = 1 - statistics->null_share;
    if (range->low != NULL)
        above = value_of(planner, range->low, &table->types[column], &value)
                    ? not_null - share_below(planner, statistics, &value, !range->low_inclusive)
                    : not_null * 0.35;
    if (range->high != NULL)
        below = value_of(planner, range->high, &table->types[column], &value)
                    ? share_below(planner, statistics, &value, range->high_inclusive)
                    : not_null * 0.35;
    if (range->low == NULL || range->high == NULL)
        return bounded(range->low == NULL ? below : above);
    /* What is on neither outer side; never less than one average value. */
    double share = above + below - not_null;
    double least = share_of_other(statistics, plan__distinct(planner, table, column, 1e9));
    return bounded(share < least ? least : share);
}

double
plan__share_null(struct planner *planner, const struct table *table, uint32_t column)
{
    const struct statistics *statistics = plan__statistics(planner, table, column);

    return statistics == NULL ? 0.05 : bounded(statistics->null_share);
}

double
plan__share_like(struct planner *planner, const struct table *table, uint32_t column,
                 const struct expr *like)
{
    const struct statistics *statistics = plan__statistics(planner, table, column);
    const struct expr *pattern = like->arguments[1];
    double share = 0, matched = 0;

    if (statistics == NULL || pattern->kind != EXPR_CONSTANT || pattern->constant.null ||
        !value_type_is_bytes(table->types[column].type))
        return 0.1;
    for (uint32_t i = 0; i < statistics->common_count + statistics->bound_count; i++) {
        const struct value *value = &statistics->values[i];
        bool matches = expr_like((const char *)value->bytes, value->size,
                                 (const char *)pattern->constant.bytes, pattern->constant.size,
                                 like->insensitive);

        if (matches && i < statistics->common_count)
            share += statistics->common_shares[i];
        else if (matches)
            matched++;
    }
    double rest = 1 - statistics->null_share - common_sum(statistics);
    double other = statistics->bound_count < PATTERN_VALUES_MIN && statistics->bound_count > 0 ? 0.1
                   : statistics->bound_count == 0                                              ? 0
                                                  : matched / statistics->bound_count;
    return bounded(share + (rest > 0 ? rest : 0) * (other < 1e-4 ? 1e-4 : other));
}
