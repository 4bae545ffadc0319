/* SELECT and VALUES with their FROM, ORDER BY and LIMIT. */
#include "executor/pg_private.h"

/* The library (15.1) numbers LimitOption from DEFAULT = 0, the headers (15.20) from COUNT = 0. */
enum { LIBRARY_WITH_TIES = 2 };

/* FROM. */

static struct ast_from *convert_from(struct pg__conversion *conversion, Node *node);

static struct ast_from *
convert_join(struct pg__conversion *conversion, JoinExpr *join)
{
    struct ast_from *from = pg__take(conversion, sizeof(*from));

    if (from == NULL)
        return NULL;
    if (join->isNatural || join->usingClause != NIL || join->alias != NULL)
        return pg__unsupported(conversion, -1, "NATURAL, USING or an alias on a join");
    from->kind = AST_FROM_JOIN;
    from->join = join->jointype == JOIN_INNER  ? AST_JOIN_INNER
                 : join->jointype == JOIN_LEFT ? AST_JOIN_LEFT
                 : join->jointype == JOIN_FULL ? AST_JOIN_FULL
                                               : AST_JOIN_RIGHT;
    from->left = convert_from(conversion, join->larg);
    from->right = convert_from(conversion, join->rarg);
    from->on = pg__optional(conversion, join->quals);
    return from;
}

static struct ast_from *
convert_from_table(struct pg__conversion *conversion, RangeVar *range)
{
    struct ast_from *from = pg__take(conversion, sizeof(*from));

    if (from == NULL)
        return NULL;
    if (range->alias != NULL && range->alias->colnames != NIL)
        return pg__unsupported(conversion, range->location, "column names in an alias");
    from->kind = AST_FROM_TABLE;
    from->table = pg__range_name(conversion, range);
    from->alias = range->alias == NULL ? NULL : pg__copy(conversion, range->alias->aliasname);
    return from;
}

static struct ast_from *
convert_from_query(struct pg__conversion *conversion, RangeSubselect *range)
{
    struct ast_from *from = pg__take(conversion, sizeof(*from));

    if (from == NULL)
        return NULL;
    if (range->lateral || range->alias == NULL || range->alias->colnames != NIL ||
        !IsA(range->subquery, SelectStmt))
        return pg__unsupported(conversion, -1, "this form of subquery in FROM");
    from->kind = AST_FROM_QUERY;
    from->alias = pg__copy(conversion, range->alias->aliasname);
    from->query = pg__select(conversion, (SelectStmt *)range->subquery);
    return from;
}

static struct ast_from *
convert_from(struct pg__conversion *conversion, Node *node)
{
    struct ast_from *from = NULL;

    if (!pg__enter(conversion, -1))
        return NULL;
    if (IsA(node, RangeVar))
        from = convert_from_table(conversion, (RangeVar *)node);
    else if (IsA(node, JoinExpr))
        from = convert_join(conversion, (JoinExpr *)node);
    else if (IsA(node, RangeSubselect))
        from = convert_from_query(conversion, (RangeSubselect *)node);
    else
        from = pg__unsupported(conversion, -1, "this form of FROM item");
    pg__leave(conversion);
    return from;
}

/* SELECT. */

static void
convert_orders(struct pg__conversion *conversion, List *list, struct ast_select *out)
{
    uint32_t next = 0;
    ListCell *cell;

    out->orders = pg__take(conversion, (size_t)list_length(list) * sizeof(*out->orders));
    if (out->orders == NULL)
        return;
    foreach (cell, list) {
        SortBy *sort = lfirst(cell);
        struct ast_order *order = &out->orders[next++];

        if (sort->sortby_dir == SORTBY_USING)
            (void)pg__unsupported(conversion, sort->location, "ORDER BY USING");
        order->descending = sort->sortby_dir == SORTBY_DESC;
        order->nulls_first = sort->sortby_nulls == SORTBY_NULLS_DEFAULT
                                 ? order->descending
                                 : sort->sortby_nulls == SORTBY_NULLS_FIRST;
        order->expr = pg__expr(conversion, sort->node);
    }
    out->order_count = next;
}

static void
convert_values(struct pg__conversion *conversion, List *lists, struct ast_select *out)
{
    uint32_t next = 0;
    ListCell *row;

    out->row_count = (uint32_t)list_length(lists);
    out->row_width = (uint32_t)list_length(linitial(lists));
    out->rows = pg__take(conversion, (size_t)out->row_count * out->row_width * sizeof(*out->rows));
    if (out->rows == NULL)
        return;
    foreach (row, lists) {
        ListCell *cell;

        if ((uint32_t)list_length(lfirst(row)) != out->row_width) {
            (void)pg__fail(conversion, "42601", -1, "VALUES lists must all be the same length");
            return;
        }
        foreach (cell, (List *)lfirst(row))
            out->rows[next++] = pg__expr(conversion, lfirst(cell));
    }
}

static bool
select_is_plain(struct pg__conversion *conversion, SelectStmt *select)
{
    const char *what = NULL;

    if (select->op != SETOP_NONE)
        what = "UNION, INTERSECT or EXCEPT";
    else if (select->withClause != NULL)
        what = "WITH";
    else if (select->windowClause != NIL)
        what = "WINDOW";
    else if (select->lockingClause != NIL)
        what = "FOR UPDATE or FOR SHARE";
    else if (select->intoClause != NULL)
        what = "SELECT INTO";
    else if (select->distinctClause != NIL && linitial(select->distinctClause) != NULL)
        what = "DISTINCT ON";
    else if ((int)select->limitOption == LIBRARY_WITH_TIES)
        what = "WITH TIES";
    if (what != NULL)
        (void)pg__unsupported(conversion, -1, what);
    return what == NULL;
}

struct ast_select *
pg__select(struct pg__conversion *conversion, SelectStmt *select)
{
    struct ast_select *out = pg__take(conversion, sizeof(*out));
    ListCell *cell;

    if (out == NULL || !select_is_plain(conversion, select) || !pg__enter(conversion, -1))
        return NULL;
    out->distinct = select->distinctClause != NIL;
    if (select->valuesLists != NIL)
        convert_values(conversion, select->valuesLists, out);
    out->targets = pg__targets(conversion, select->targetList, &out->target_count);
    out->from = pg__take(conversion, (size_t)list_length(select->fromClause) * sizeof(*out->from));
    if (out->from != NULL) {
        foreach (cell, select->fromClause)
            out->from[out->from_count++] = convert_from(conversion, lfirst(cell));
    }
    out->where = pg__optional(conversion, select->whereClause);
    out->groups = pg__exprs(conversion, select->groupClause, &out->group_count);
    out->having = pg__optional(conversion, select->havingClause);
    convert_orders(conversion, select->sortClause, out);
    out->limit = pg__optional(conversion, select->limitCount);
    out->offset = pg__optional(conversion, select->limitOffset);
    pg__leave(conversion);
    return out;
}
