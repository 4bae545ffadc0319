/* SELECT and VALUES with their FROM, ORDER BY and LIMIT. */
#include <string.h>

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
    if (join->alias != NULL || join->join_using_alias != NULL)
        return pg__unsupported(conversion, -1, "an alias on a join");
    from->natural = join->isNatural;
    from->using_names = pg__names(conversion, join->usingClause, &from->using_count);
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

static void
convert_alias(struct pg__conversion *conversion, Alias *alias, struct ast_from *from)
{
    if (alias == NULL)
        return;
    from->alias = pg__copy(conversion, alias->aliasname);
    from->column_names = pg__names(conversion, alias->colnames, &from->column_name_count);
}

static struct ast_from *
convert_from_table(struct pg__conversion *conversion, RangeVar *range)
{
    struct ast_from *from = pg__take(conversion, sizeof(*from));

    if (from == NULL)
        return NULL;
    from->kind = AST_FROM_TABLE;
    from->table = pg__range_name(conversion, range);
    convert_alias(conversion, range->alias, from);
    return from;
}

static struct ast_from *
convert_from_query(struct pg__conversion *conversion, RangeSubselect *range)
{
    struct ast_from *from = pg__take(conversion, sizeof(*from));

    if (from == NULL)
        return NULL;
    if (range->alias == NULL)
        return pg__fail(conversion, "42601", -1, "subquery in FROM must have an alias");
    if (!IsA(range->subquery, SelectStmt))
        return pg__unsupported(conversion, -1, "this form of subquery in FROM");
    from->kind = AST_FROM_QUERY;
    from->lateral = range->lateral;
    convert_alias(conversion, range->alias, from);
    from->query = pg__select(conversion, (SelectStmt *)range->subquery);
    return from;
}

/* unnest(a, b) is unnest(a) beside unnest(b). */
static bool
is_unnest(const struct ast_expr *call)
{
    return call != NULL && call->kind == AST_FUNCTION && call->argument_count > 1 &&
           strcmp(call->names[call->name_count - 1], "unnest") == 0;
}

static void
add_function(struct pg__conversion *conversion, struct ast_expr *call, struct ast_from *from)
{
    if (!is_unnest(call)) {
        from->functions[from->function_count++] = call;
        return;
    }
    for (uint32_t i = 0; i < call->argument_count; i++) {
        struct ast_expr *one = pg__take(conversion, sizeof(*one));

        if (one == NULL)
            return;
        *one = *call;
        one->argument_count = 1;
        one->arguments = &call->arguments[i];
        from->functions[from->function_count++] = one;
    }
}

static void
convert_functions(struct pg__conversion *conversion, RangeFunction *range, struct ast_from *from)
{
    uint32_t count = 0;
    ListCell *cell;

    foreach (cell, range->functions) {
        const List *call = lfirst(cell);
        uint32_t arguments = IsA(linitial(call), FuncCall)
                                 ? (uint32_t)list_length(((FuncCall *)linitial(call))->args)
                                 : 0;

        if (list_length(call) > 1 && lsecond(call) != NIL)
            (void)pg__unsupported(conversion, -1, "a column list inside ROWS FROM");
        count += arguments > 1 ? arguments : 1;
    }
    from->functions = pg__take(conversion, count * sizeof(*from->functions));
    foreach (cell, range->functions) {
        struct ast_expr *call = pg__expr(conversion, linitial((List *)lfirst(cell)));

        if (from->functions == NULL || call == NULL)
            return;
        if (call->kind != AST_FUNCTION) {
            (void)pg__unsupported(conversion, call->location, "this form of function in FROM");
            return;
        }
        add_function(conversion, call, from);
    }
    from->function = from->functions[0];
    if (from->function_count == 1 && !from->ordinality)
        from->function_count = 0;
}

static struct ast_from *
convert_from_function(struct pg__conversion *conversion, RangeFunction *range)
{
    struct ast_from *from = pg__take(conversion, sizeof(*from));

    if (from == NULL)
        return NULL;
    if (range->coldeflist != NIL)
        return pg__record(conversion, range, from);
    from->kind = AST_FROM_FUNCTION;
    from->lateral = true;
    from->ordinality = range->ordinality;
    convert_alias(conversion, range->alias, from);
    convert_functions(conversion, range, from);
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
    else if (IsA(node, RangeFunction))
        from = convert_from_function(conversion, (RangeFunction *)node);
    else
        from = pg__unsupported(conversion, -1, "this form of FROM item");
    pg__leave(conversion);
    return from;
}

struct ast_from **
pg__from(struct pg__conversion *conversion, List *list, uint32_t *count_out)
{
    struct ast_from **from = pg__take(conversion, (size_t)list_length(list) * sizeof(*from));
    uint32_t count = 0;
    ListCell *cell;

    if (from == NULL)
        return NULL;
    foreach (cell, list)
        from[count++] = convert_from(conversion, lfirst(cell));
    *count_out = count;
    return from;
}

/* SELECT. */

struct ast_order *
pg__orders(struct pg__conversion *conversion, List *list, uint32_t *count_out)
{
    struct ast_order *orders = pg__take(conversion, (size_t)list_length(list) * sizeof(*orders));
    uint32_t next = 0;
    ListCell *cell;

    if (orders == NULL)
        return NULL;
    foreach (cell, list) {
        SortBy *sort = lfirst(cell);
        struct ast_order *order = &orders[next++];

        if (sort->sortby_dir == SORTBY_USING)
            (void)pg__unsupported(conversion, sort->location, "ORDER BY USING");
        order->descending = sort->sortby_dir == SORTBY_DESC;
        order->nulls_first = sort->sortby_nulls == SORTBY_NULLS_DEFAULT
                                 ? order->descending
                                 : sort->sortby_nulls == SORTBY_NULLS_FIRST;
        order->expr = pg__expr(conversion, sort->node);
    }
    *count_out = next;
    return orders;
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
    /* That of a statement has become CREATE TABLE AS (pg_parse.c). */
    if (select->intoClause != NULL)
        (void)pg__fail(conversion, "42601", -1, "SELECT ... INTO is not allowed here");
    return select->intoClause == NULL;
}

static void
convert_lockings(struct pg__conversion *conversion, List *list, struct ast_select *out)
{
    ListCell *cell, *name;

    out->lockings = pg__take(conversion, (size_t)list_length(list) * sizeof(*out->lockings));
    foreach (cell, list) {
        const LockingClause *source = lfirst(cell);

        if (out->lockings == NULL)
            return;
        struct ast_locking *locking = &out->lockings[out->locking_count++];
        locking->words = source->strength == LCS_FORUPDATE        ? "FOR UPDATE"
                         : source->strength == LCS_FORNOKEYUPDATE ? "FOR NO KEY UPDATE"
                         : source->strength == LCS_FORSHARE       ? "FOR SHARE"
                                                                  : "FOR KEY SHARE";
        locking->shared = source->strength < LCS_FORNOKEYUPDATE;
        locking->wait = source->waitPolicy == LockWaitSkip    ? AST_LOCK_SKIP
                        : source->waitPolicy == LockWaitError ? AST_LOCK_FAIL
                                                              : AST_LOCK_WAIT;
        locking->names =
            pg__take(conversion, (size_t)list_length(source->lockedRels) * sizeof(*locking->names));
        foreach (name, source->lockedRels) {
            if (locking->names == NULL)
                return;
            locking->names[locking->name_count++] = pg__range_name(conversion, lfirst(name));
        }
        conversion->locks = true;
    }
}

/* A change in WITH has to stand where it runs once: before the statement itself. */
static void
convert_with_change(struct pg__conversion *conversion, CommonTableExpr *source, struct ast_cte *cte)
{
    if (IsA(source->ctequery, MergeStmt)) {
        (void)pg__fail(conversion, "0A000", source->location, "MERGE not supported in WITH query");
        return;
    }
    if (conversion->nesting > 0) {
        (void)pg__fail(
            conversion, "0A000", source->location,
            "WITH clause containing a data-modifying statement must be at the top level");
        return;
    }
    conversion->nesting++;
    cte->change = pg__change(conversion, source->ctequery);
    conversion->nesting--;
    conversion->changes = true;
}

static void
convert_with(struct pg__conversion *conversion, WithClause *with, struct ast_select *out)
{
    ListCell *cell;

    if (with == NULL)
        return;
    out->recursive = with->recursive;
    out->ctes = pg__take(conversion, (size_t)list_length(with->ctes) * sizeof(*out->ctes));
    if (out->ctes == NULL)
        return;
    foreach (cell, with->ctes) {
        CommonTableExpr *source = lfirst(cell);
        struct ast_cte *cte = &out->ctes[out->cte_count++];

        if (source->search_clause != NULL || source->cycle_clause != NULL) {
            (void)pg__unsupported(conversion, source->location, "SEARCH or CYCLE in WITH");
            return;
        }
        cte->location = source->location;
        cte->materialize = source->ctematerialized == CTEMaterializeAlways ? AST_MATERIALIZE_ALWAYS
                           : source->ctematerialized == CTEMaterializeNever
                               ? AST_MATERIALIZE_NEVER
                               : AST_MATERIALIZE_SHARED;
        cte->name = pg__copy(conversion, source->ctename);
        cte->column_names = pg__names(conversion, source->aliascolnames, &cte->column_name_count);
        if (IsA(source->ctequery, SelectStmt)) {
            conversion->nesting++;
            cte->query = pg__select(conversion, (SelectStmt *)source->ctequery);
            conversion->nesting--;
        } else {
            convert_with_change(conversion, source, cte);
        }
    }
}

static void
convert_set(struct pg__conversion *conversion, SelectStmt *select, struct ast_select *out)
{
    out->set = select->op == SETOP_UNION       ? AST_UNION
               : select->op == SETOP_INTERSECT ? AST_INTERSECT
                                               : AST_EXCEPT;
    out->set_all = select->all;
    out->set_left = pg__select(conversion, select->larg);
    out->set_right = pg__select(conversion, select->rarg);
}

static void
convert_plain(struct pg__conversion *conversion, SelectStmt *select, struct ast_select *out)
{
    if (select->valuesLists != NIL)
        convert_values(conversion, select->valuesLists, out);
    out->distinct = select->distinctClause != NIL;
    if (out->distinct && linitial(select->distinctClause) != NULL)
        out->distinct_exprs = pg__exprs(conversion, select->distinctClause, &out->distinct_count);
    out->targets = pg__targets(conversion, select->targetList, &out->target_count);
    out->from = pg__from(conversion, select->fromClause, &out->from_count);
    out->where = pg__optional(conversion, select->whereClause);
    out->groups = pg__exprs(conversion, select->groupClause, &out->group_count);
    out->group_distinct = select->groupDistinct;
    out->having = pg__optional(conversion, select->havingClause);
    out->windows = pg__windows(conversion, select->windowClause, &out->window_count);
}

struct ast_select *
pg__select(struct pg__conversion *conversion, SelectStmt *select)
{
    struct ast_select *out = pg__take(conversion, sizeof(*out));

    if (out == NULL || !select_is_plain(conversion, select) || !pg__enter(conversion, -1))
        return NULL;
    out->location = -1;
    convert_with(conversion, select->withClause, out);
    conversion->nesting++;
    if (select->op != SETOP_NONE)
        convert_set(conversion, select, out);
    else
        convert_plain(conversion, select, out);
    out->orders = pg__orders(conversion, select->sortClause, &out->order_count);
    out->limit = pg__optional(conversion, select->limitCount);
    out->offset = pg__optional(conversion, select->limitOffset);
    out->ties = (int)select->limitOption == LIBRARY_WITH_TIES;
    if (out->ties && out->limit != NULL && out->limit->kind == AST_NULL)
        (void)pg__fail(conversion, "2201W", -1,
                       "row count cannot be null in FETCH FIRST ... WITH TIES clause");
    convert_lockings(conversion, select->lockingClause, out);
    conversion->nesting--;
    pg__leave(conversion);
    return out;
}

struct ast_select *
pg__with(struct pg__conversion *conversion, WithClause *with)
{
    struct ast_select *out = with == NULL ? NULL : pg__take(conversion, sizeof(*out));

    if (out != NULL)
        convert_with(conversion, with, out);
    return out;
}
