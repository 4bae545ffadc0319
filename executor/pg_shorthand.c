/*
 * Syntax that stands for other syntax, made of it here so that binding need not know it:
 *
 *   ARRAY(query)                 coalesce((SELECT array_agg(v) FROM (query) q (v)), '{}')
 *   x BETWEEN SYMMETRIC a AND b  x BETWEEN a AND b OR x BETWEEN b AND a
 *   (a, b) IS NULL               a IS NULL AND b IS NULL; IS NOT NULL likewise
 *   (a, b) IS DISTINCT FROM (c, d)  a IS DISTINCT FROM c OR b IS DISTINCT FROM d
 *   make_interval(days => 3)     make_interval(0, 0, 0, 3)
 *   SET (a, b) = (x, y)          SET a = x, b = y; of a query, each column by a query of its own
 *
 * What stands twice in the result is one tree that two others share; trees are not changed after this.
 */
#include <string.h>

#include "executor/pg_private.h"

static struct ast_expr *
new_expr(struct pg__conversion *conversion, enum ast_expr_kind kind, int location, uint32_t count)
{
    struct ast_expr *expr = pg__take(conversion, sizeof(*expr));
    struct ast_expr **arguments = pg__take(conversion, (count + 1) * sizeof(*arguments));

    if (expr == NULL || arguments == NULL)
        return NULL;
    expr->kind = kind;
    expr->location = location;
    expr->argument_count = count;
    expr->arguments = arguments;
    return expr;
}

static struct ast_expr *
new_two(struct pg__conversion *conversion, enum ast_expr_kind kind, int location,
        struct ast_expr *left, struct ast_expr *right)
{
    struct ast_expr *expr = new_expr(conversion, kind, location, 2);

    if (expr == NULL)
        return NULL;
    expr->arguments[0] = left;
    expr->arguments[1] = right;
    return expr;
}

static struct ast_expr *
new_named(struct pg__conversion *conversion, enum ast_expr_kind kind, int location,
          const char *name, struct ast_expr *argument)
{
    struct ast_expr *expr = new_expr(conversion, kind, location, argument != NULL ? 1 : 0);

    if (expr == NULL)
        return NULL;
    expr->names = pg__take(conversion, sizeof(*expr->names));
    if (expr->names == NULL)
        return NULL;
    expr->names[0] = name;
    expr->name_count = 1;
    expr->arguments[0] = argument;
    return expr;
}

/* SELECT target FROM (query) q (names). */
static struct ast_expr *
query_over(struct pg__conversion *conversion, int location, struct ast_expr *target,
           struct ast_select *query, const char **names, uint32_t name_count)
{
    struct ast_expr *expr = new_expr(conversion, AST_SUBQUERY, location, 0);
    struct ast_select *select = pg__take(conversion, sizeof(*select));
    struct ast_from *from = pg__take(conversion, sizeof(*from));
    struct ast_from **list = pg__take(conversion, sizeof(*list));
    struct ast_target *targets = pg__take(conversion, sizeof(*targets));

    if (expr == NULL || select == NULL || from == NULL || list == NULL || targets == NULL)
        return NULL;
    from->kind = AST_FROM_QUERY;
    from->table.location = location;
    from->alias = "q";
    from->column_names = names;
    from->column_name_count = name_count;
    from->query = query;
    list[0] = from;
    *targets = (struct ast_target){.expr = target, .location = location};
    *select = (struct ast_select){
        .location = location, .target_count = 1, .targets = targets, .from_count = 1, .from = list};
    expr->text = "scalar";
    expr->query = select;
    return expr;
}

struct ast_expr *
pg__array_of_query(struct pg__conversion *conversion, int location, struct ast_select *query)
{
    const char **names = pg__take(conversion, sizeof(*names));

    if (names == NULL)
        return NULL;
    names[0] = "v";
    struct ast_expr *column = new_named(conversion, AST_COLUMN, location, "v", NULL);
    struct ast_expr *call = new_named(conversion, AST_FUNCTION, location, "array_agg", column);
    struct ast_expr *all = query_over(conversion, location, call, query, names, 1);
    struct ast_expr *none = new_expr(conversion, AST_STRING, location, 0);

    if (none == NULL)
        return NULL;
    none->text = "{}";
    return new_two(conversion, AST_COALESCE, location, all, none);
}

static struct ast_expr *
between(struct pg__conversion *conversion, int location, struct ast_expr *value,
        struct ast_expr *low, struct ast_expr *high)
{
    struct ast_expr *expr = new_expr(conversion, AST_BETWEEN, location, 3);

    if (expr == NULL)
        return NULL;
    expr->arguments[0] = value;
    expr->arguments[1] = low;
    expr->arguments[2] = high;
    return expr;
}

struct ast_expr *
pg__between_symmetric(struct pg__conversion *conversion, A_Expr *source)
{
    struct ast_expr *value = pg__expr(conversion, source->lexpr);
    struct ast_expr *low = pg__expr(conversion, linitial((List *)source->rexpr));
    struct ast_expr *high = pg__expr(conversion, lsecond((List *)source->rexpr));
    struct ast_expr *either = new_two(conversion, AST_OR, source->location,
                                      between(conversion, source->location, value, low, high),
                                      between(conversion, source->location, value, high, low));

    if (source->kind == AEXPR_BETWEEN_SYM || either == NULL)
        return either;
    struct ast_expr *none = new_expr(conversion, AST_NOT, source->location, 1);
    if (none != NULL)
        none->arguments[0] = either;
    return none;
}

struct ast_expr *
pg__row_is_null(struct pg__conversion *conversion, const struct ast_expr *test)
{
    const struct ast_expr *row = test->arguments[0];
    struct ast_expr *all = new_expr(conversion, AST_AND, test->location, row->argument_count);

    for (uint32_t i = 0; all != NULL && i < row->argument_count; i++) {
        all->arguments[i] = new_expr(conversion, test->kind, test->location, 1);
        if (all->arguments[i] == NULL)
            return NULL;
        all->arguments[i]->arguments[0] = row->arguments[i];
    }
    return all;
}

struct ast_expr *
pg__row_distinct(struct pg__conversion *conversion, const struct ast_expr *test)
{
    const struct ast_expr *left = test->arguments[0], *right = test->arguments[1];
    enum ast_expr_kind kind = test->negated ? AST_AND : AST_OR;

    if (left->argument_count != right->argument_count)
        return pg__fail(conversion, "42601", test->location,
                        "unequal number of entries in row expressions");
    struct ast_expr *any = new_expr(conversion, kind, test->location, left->argument_count);
    for (uint32_t i = 0; any != NULL && i < left->argument_count; i++) {
        any->arguments[i] = new_two(conversion, AST_DISTINCT_FROM, test->location,
                                    left->arguments[i], right->arguments[i]);
        if (any->arguments[i] == NULL)
            return NULL;
        any->arguments[i]->negated = test->negated;
    }
    return any;
}

/* Calls with names. */

static const char *const interval_parts[] = {"years", "months", "weeks", "days",
                                             "hours", "mins",   "secs"};
enum { INTERVAL_PARTS = sizeof(interval_parts) / sizeof(interval_parts[0]) };

static bool
has_names(const FuncCall *call)
{
    ListCell *cell;

    foreach (cell, call->args) {
        if (IsA(lfirst(cell), NamedArgExpr))
            return true;
    }
    return false;
}

/* Place of a named part; INTERVAL_PARTS: none. */
static uint32_t
part_of(const char *name)
{
    uint32_t place = 0;

    while (place < INTERVAL_PARTS && strcmp(interval_parts[place], name) != 0)
        place++;
    return place;
}

struct ast_expr *
pg__named_call(struct pg__conversion *conversion, FuncCall *call)
{
    struct ast_expr *expr;
    uint32_t next = 0;
    ListCell *cell;

    if (!has_names(call))
        return NULL;
    if (strcmp(strVal(llast(call->funcname)), "make_interval") != 0)
        return pg__unsupported(conversion, call->location, "a call with named arguments");
    expr = new_named(conversion, AST_FUNCTION, call->location, "make_interval", NULL);
    if (expr == NULL)
        return NULL;
    expr->argument_count = INTERVAL_PARTS;
    expr->arguments = pg__take(conversion, INTERVAL_PARTS * sizeof(*expr->arguments));
    if (expr->arguments == NULL)
        return NULL;
    foreach (cell, call->args) {
        NamedArgExpr *named = IsA(lfirst(cell), NamedArgExpr) ? lfirst(cell) : NULL;
        uint32_t place = named != NULL ? part_of(named->name) : next++;

        if (place >= INTERVAL_PARTS || expr->arguments[place] != NULL)
            return pg__fail(conversion, "42883", call->location,
                            "function make_interval with these arguments does not exist");
        expr->arguments[place] =
            pg__expr(conversion, named != NULL ? (Node *)named->arg : lfirst(cell));
    }
    for (uint32_t i = 0; i < INTERVAL_PARTS; i++) {
        if (expr->arguments[i] == NULL) /* An INTEGER is 0. */
            expr->arguments[i] = new_expr(conversion, AST_INTEGER, call->location, 0);
    }
    return expr;
}

/* SET (a, b) = source. */

struct ast_expr *
pg__assigned_part(struct pg__conversion *conversion, MultiAssignRef *part)
{
    static const char *const unequal = "number of columns does not match number of values";
    int index = part->colno - 1, location = -1;

    if (IsA(part->source, RowExpr)) {
        RowExpr *row = (RowExpr *)part->source;

        if (list_length(row->args) != part->ncolumns)
            return pg__fail(conversion, "42601", row->location, unequal);
        return pg__expr(conversion, list_nth(row->args, index));
    }
    if (!IsA(part->source, SubLink) || ((SubLink *)part->source)->subLinkType != EXPR_SUBLINK ||
        !IsA(((SubLink *)part->source)->subselect, SelectStmt))
        return pg__unsupported(conversion, -1, "this source of several columns");
    location = ((SubLink *)part->source)->location;
    struct ast_select *query =
        pg__select(conversion, (SelectStmt *)((SubLink *)part->source)->subselect);
    const char **names = pg__take(conversion, (size_t)part->ncolumns * sizeof(*names));
    if (query == NULL || names == NULL)
        return NULL;
    if (query->target_count != 0 && query->target_count != (uint32_t)part->ncolumns)
        return pg__fail(conversion, "42601", location, unequal);
    for (int i = 0; i < part->ncolumns; i++) {
        char name[] = {'c',
                       (char)('0' + i / 1000 % 10),
                       (char)('0' + i / 100 % 10),
                       (char)('0' + i / 10 % 10),
                       (char)('0' + i % 10),
                       '\0'};

        names[i] = pg__copy(conversion, name);
    }
    if (conversion->status != STATUS_OK)
        return NULL;
    struct ast_expr *column = new_named(conversion, AST_COLUMN, location, names[index], NULL);
    return query_over(conversion, location, column, query, names, (uint32_t)part->ncolumns);
}
