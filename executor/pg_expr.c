/* Expressions: one function a kind of raw node, recursion counted by pg__expr. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "executor/pg_private.h"

static struct ast_expr *
new_expr(struct pg__conversion *conversion, enum ast_expr_kind kind, int location,
         uint32_t argument_count)
{
    struct ast_expr *expr = pg__take(conversion, sizeof(*expr));

    if (expr == NULL)
        return NULL;
    expr->kind = kind;
    expr->location = location;
    expr->argument_count = argument_count;
    expr->arguments = pg__take(conversion, argument_count * sizeof(*expr->arguments));
    return expr->arguments == NULL ? NULL : expr;
}

static struct ast_expr *
convert_unary(struct pg__conversion *conversion, enum ast_expr_kind kind, int location,
              void *argument)
{
    struct ast_expr *expr = new_expr(conversion, kind, location, 1);

    if (expr != NULL)
        expr->arguments[0] = pg__expr(conversion, argument);
    return expr;
}

static struct ast_expr *
convert_list(struct pg__conversion *conversion, enum ast_expr_kind kind, int location, List *list,
             uint32_t before)
{
    struct ast_expr *expr =
        new_expr(conversion, kind, location, before + (uint32_t)list_length(list));
    ListCell *cell;

    if (expr == NULL)
        return NULL;
    foreach (cell, list)
        expr->arguments[before++] = pg__expr(conversion, lfirst(cell));
    return expr;
}

static struct ast_expr *
convert_constant(struct pg__conversion *conversion, A_Const *constant)
{
    struct ast_expr *expr = new_expr(conversion, AST_NULL, constant->location, 0);

    if (expr == NULL || constant->isnull)
        return expr;
    switch (nodeTag(&constant->val)) {
    case T_Integer:
        expr->kind = AST_INTEGER;
        expr->integer = intVal(&constant->val);
        break;
    case T_Float: {
        const char *digits = constant->val.fval.fval;
        char *end = NULL;

        errno = 0;
        expr->integer = strtoll(digits, &end, 10);
        expr->kind = errno == 0 && *end == '\0' ? AST_INTEGER : AST_DECIMAL;
        expr->text = pg__copy(conversion, digits);
        break;
    }
    case T_Boolean:
        expr->kind = AST_BOOLEAN;
        expr->integer = boolVal(&constant->val);
        break;
    case T_String:
        expr->kind = AST_STRING;
        expr->text = pg__copy(conversion, strVal(&constant->val));
        break;
    default:
        return pg__unsupported(conversion, constant->location, "a bit string");
    }
    return expr;
}

static struct ast_expr *
convert_column(struct pg__conversion *conversion, ColumnRef *column)
{
    bool star = IsA(llast(column->fields), A_Star);
    struct ast_expr *expr = new_expr(conversion, star ? AST_STAR : AST_COLUMN, column->location, 0);

    if (expr != NULL)
        expr->names = pg__names(conversion, column->fields, &expr->name_count);
    return expr;
}

static struct ast_expr *
convert_operator(struct pg__conversion *conversion, A_Expr *source)
{
    struct ast_expr *expr =
        new_expr(conversion, AST_OPERATOR, source->location, source->lexpr == NULL ? 1 : 2);
    uint32_t next = 0;

    if (expr == NULL)
        return NULL;
    expr->text = pg__copy(conversion, strVal(llast(source->name)));
    if (source->lexpr != NULL)
        expr->arguments[next++] = pg__expr(conversion, source->lexpr);
    expr->arguments[next] = pg__expr(conversion, source->rexpr);
    return expr;
}

static struct ast_expr *
convert_pair(struct pg__conversion *conversion, enum ast_expr_kind kind, A_Expr *source)
{
    struct ast_expr *expr = new_expr(conversion, kind, source->location, 2);

    if (expr == NULL)
        return NULL;
    expr->arguments[0] = pg__expr(conversion, source->lexpr);
    expr->arguments[1] = pg__expr(conversion, source->rexpr);
    return expr;
}

static struct ast_expr *
convert_in(struct pg__conversion *conversion, A_Expr *source)
{
    struct ast_expr *expr =
        convert_list(conversion, AST_IN, source->location, (List *)source->rexpr, 1);

    if (expr == NULL)
        return NULL;
    expr->arguments[0] = pg__expr(conversion, source->lexpr);
    expr->negated = strcmp(strVal(linitial(source->name)), "<>") == 0;
    return expr;
}

static struct ast_expr *
convert_between(struct pg__conversion *conversion, A_Expr *source)
{
    struct ast_expr *expr =
        convert_list(conversion, AST_BETWEEN, source->location, (List *)source->rexpr, 1);

    if (expr == NULL)
        return NULL;
    expr->arguments[0] = pg__expr(conversion, source->lexpr);
    expr->negated = source->kind == AEXPR_NOT_BETWEEN;
    return expr;
}

static struct ast_expr *
convert_like(struct pg__conversion *conversion, A_Expr *source)
{
    struct ast_expr *expr = convert_pair(conversion, AST_LIKE, source);

    if (expr == NULL)
        return NULL;
    expr->negated = strVal(linitial(source->name))[0] == '!';
    expr->text = source->kind == AEXPR_ILIKE ? "ilike" : "like";
    return expr;
}

static struct ast_expr *
convert_a_expr(struct pg__conversion *conversion, A_Expr *source)
{
    struct ast_expr *expr;

    switch (source->kind) {
    case AEXPR_OP:
        return convert_operator(conversion, source);
    case AEXPR_IN:
        return convert_in(conversion, source);
    case AEXPR_BETWEEN:
    case AEXPR_NOT_BETWEEN:
        return convert_between(conversion, source);
    case AEXPR_BETWEEN_SYM:
    case AEXPR_NOT_BETWEEN_SYM:
        return pg__between_symmetric(conversion, source);
    case AEXPR_LIKE:
    case AEXPR_ILIKE:
        return convert_like(conversion, source);
    case AEXPR_DISTINCT:
    case AEXPR_NOT_DISTINCT:
        expr = convert_pair(conversion, AST_DISTINCT_FROM, source);
        if (expr != NULL)
            expr->negated = source->kind == AEXPR_NOT_DISTINCT;
        return conversion->status == STATUS_OK && expr->arguments[0]->kind == AST_ROW &&
                       expr->arguments[1]->kind == AST_ROW
                   ? pg__row_distinct(conversion, expr)
                   : expr;
    case AEXPR_NULLIF:
        return convert_pair(conversion, AST_NULLIF, source);
    case AEXPR_SIMILAR: /* The pattern comes wrapped in similar_to_escape. */
        expr = convert_pair(conversion, AST_OPERATOR, source);
        if (expr != NULL)
            expr->text = strVal(linitial(source->name))[0] == '!' ? "!~" : "~";
        return expr;
    case AEXPR_OP_ANY:
    case AEXPR_OP_ALL:
        expr = convert_pair(conversion, AST_QUANTIFIED, source);
        if (expr != NULL) {
            expr->negated = source->kind == AEXPR_OP_ALL;
            expr->text = pg__copy(conversion, strVal(llast(source->name)));
        }
        return expr;
    default:
        return pg__unsupported(conversion, source->location, "this kind of operator");
    }
}

static struct ast_expr *
convert_function(struct pg__conversion *conversion, FuncCall *call)
{
    struct ast_expr *expr = pg__named_call(conversion, call);

    if (expr != NULL || conversion->status != STATUS_OK)
        return expr;
    if (call->agg_within_group && call->over != NULL)
        return pg__unsupported(conversion, call->location, "WITHIN GROUP with OVER");
    if (call->func_variadic)
        return pg__unsupported(conversion, call->location, "VARIADIC in a call");
    /* What a group is ordered by is the aggregated argument; the direct ones stand behind it. */
    expr = convert_list(conversion, AST_FUNCTION, call->location, call->args,
                        call->agg_within_group ? 1 : 0);
    if (expr == NULL)
        return NULL;
    if (call->agg_within_group)
        expr->arguments[0] = pg__expr(conversion, ((SortBy *)linitial(call->agg_order))->node);
    expr->names = pg__names(conversion, call->funcname, &expr->name_count);
    expr->star = call->agg_star;
    expr->distinct = call->agg_distinct;
    expr->filter = pg__optional(conversion, call->agg_filter);
    expr->orders = pg__orders(conversion, call->agg_order, &expr->order_count);
    if (call->over != NULL)
        expr->over = pg__window(conversion, call->over);
    if (conversion->status == STATUS_OK)
        pg__strip_regclass(expr);
    return expr;
}

static struct ast_expr *
convert_grouping_set(struct pg__conversion *conversion, GroupingSet *set)
{
    struct ast_expr *expr =
        convert_list(conversion, AST_GROUPING_SETS, set->location, set->content, 0);

    if (expr != NULL)
        expr->integer = set->kind == GROUPING_SET_ROLLUP ? AST_GROUPING_ROLLUP
                        : set->kind == GROUPING_SET_CUBE ? AST_GROUPING_CUBE
                        : set->kind == GROUPING_SET_SETS ? AST_GROUPING_LIST
                                                         : AST_GROUPING_EMPTY;
    return expr;
}

/* A call that stands behind other syntax. */
static struct ast_expr *
new_call(struct pg__conversion *conversion, const char *name, int location, uint32_t argument_count)
{
    struct ast_expr *expr = new_expr(conversion, AST_FUNCTION, location, argument_count);

    if (expr == NULL)
        return NULL;
    expr->names = pg__take(conversion, sizeof(*expr->names));
    if (expr->names == NULL)
        return NULL;
    expr->names[0] = name;
    expr->name_count = 1;
    return expr;
}

/* CURRENT_TIMESTAMP(2): its digits cut as by a cast. */
static struct ast_expr *
convert_rounded(struct pg__conversion *conversion, const SQLValueFunction *source, const char *name,
                const char *type)
{
    struct ast_expr *cast = new_expr(conversion, AST_CAST, source->location, 1);

    if (cast == NULL)
        return NULL;
    cast->type = (struct ast_type){
        .name = type, .modifier_count = 1, .modifiers = {source->typmod}, .location = -1};
    cast->arguments[0] = new_call(conversion, name, source->location, 0);
    return cast;
}

/* CURRENT_DATE and its kin. */
static struct ast_expr *
convert_value_function(struct pg__conversion *conversion, SQLValueFunction *source)
{
    switch (source->op) {
    case SVFOP_CURRENT_DATE:
        return new_call(conversion, "current_date", source->location, 0);
    case SVFOP_CURRENT_TIMESTAMP:
        return new_call(conversion, "current_timestamp", source->location, 0);
    case SVFOP_LOCALTIMESTAMP:
        return new_call(conversion, "localtimestamp", source->location, 0);
    case SVFOP_CURRENT_TIMESTAMP_N:
        return convert_rounded(conversion, source, "current_timestamp", "timestamptz");
    case SVFOP_LOCALTIMESTAMP_N:
        return convert_rounded(conversion, source, "localtimestamp", "timestamp");
    case SVFOP_LOCALTIME_N:
        return convert_rounded(conversion, source, "localtime", "time");
    case SVFOP_LOCALTIME:
        return new_call(conversion, "localtime", source->location, 0);
    case SVFOP_CURRENT_USER:
    case SVFOP_USER:
    case SVFOP_SESSION_USER:
    case SVFOP_CURRENT_ROLE:
        return new_call(conversion, "current_user", source->location, 0);
    case SVFOP_CURRENT_SCHEMA:
        return new_call(conversion, "current_schema", source->location, 0);
    case SVFOP_CURRENT_CATALOG:
        return new_call(conversion, "current_database", source->location, 0);
    default:
        return pg__unsupported(conversion, source->location, "this value function");
    }
}

/* Bounds that are left out are those of the array. */
static struct ast_expr *
convert_bound(struct pg__conversion *conversion, Node *bound, int64_t missing)
{
    struct ast_expr *expr;

    if (bound != NULL)
        return pg__expr(conversion, bound);
    expr = new_expr(conversion, AST_INTEGER, -1, 0);
    if (expr != NULL)
        expr->integer = missing;
    return expr;
}

/* array[i][j] as the function "[]", array[low:high] as "[:]" with two bounds a dimension. */
static struct ast_expr *
convert_indirection(struct pg__conversion *conversion, A_Indirection *source)
{
    bool slice = false;
    uint32_t next = 1;
    ListCell *cell;

    foreach (cell, source->indirection) {
        if (!IsA(lfirst(cell), A_Indices))
            return pg__unsupported(conversion, -1, "a field of a composite value");
        slice = slice || ((A_Indices *)lfirst(cell))->is_slice;
    }
    uint32_t count = (uint32_t)list_length(source->indirection);
    struct ast_expr *expr =
        new_call(conversion, slice ? "[:]" : "[]", -1, 1 + (slice ? 2 : 1) * count);
    if (expr == NULL)
        return NULL;
    expr->arguments[0] = pg__expr(conversion, source->arg);
    foreach (cell, source->indirection) {
        A_Indices *indices = lfirst(cell);

        if (slice)
            expr->arguments[next++] = indices->is_slice
                                          ? convert_bound(conversion, indices->lidx, INT32_MIN)
                                          : convert_bound(conversion, NULL, 1);
        expr->arguments[next++] = convert_bound(conversion, indices->uidx, INT32_MAX);
    }
    return expr;
}

static struct ast_expr *
convert_case(struct pg__conversion *conversion, CaseExpr *source)
{
    uint32_t count = 2 * (uint32_t)list_length(source->args) + (source->arg != NULL) +
                     (source->defresult != NULL);
    struct ast_expr *expr = new_expr(conversion, AST_CASE, source->location, count);
    uint32_t next = 0;
    ListCell *cell;

    if (expr == NULL)
        return NULL;
    expr->has_operand = source->arg != NULL;
    expr->has_else = source->defresult != NULL;
    if (expr->has_operand)
        expr->arguments[next++] = pg__expr(conversion, (Node *)source->arg);
    foreach (cell, source->args) {
        CaseWhen *when = lfirst(cell);

        expr->arguments[next++] = pg__expr(conversion, (Node *)when->expr);
        expr->arguments[next++] = pg__expr(conversion, (Node *)when->result);
    }
    if (expr->has_else)
        expr->arguments[next] = pg__expr(conversion, (Node *)source->defresult);
    return expr;
}

static struct ast_expr *
convert_boolean_test(struct pg__conversion *conversion, BooleanTest *test)
{
    struct ast_expr *expr =
        convert_unary(conversion, AST_IS_TRUE, test->location, (Node *)test->arg);
    BoolTestType type = test->booltesttype;

    if (expr == NULL)
        return NULL;
    expr->negated = type == IS_NOT_TRUE || type == IS_NOT_FALSE || type == IS_NOT_UNKNOWN;
    expr->integer = type == IS_TRUE || type == IS_NOT_TRUE     ? 1
                    : type == IS_FALSE || type == IS_NOT_FALSE ? 0
                                                               : -1;
    return expr;
}

static struct ast_expr *
convert_cast(struct pg__conversion *conversion, TypeCast *cast)
{
    struct ast_expr *expr = convert_unary(conversion, AST_CAST, cast->location, cast->arg);

    if (expr != NULL)
        expr->type = pg__type(conversion, cast->typeName);
    return expr;
}

static struct ast_expr *
convert_sublink(struct pg__conversion *conversion, SubLink *link)
{
    bool quantified = link->subLinkType == ANY_SUBLINK || link->subLinkType == ALL_SUBLINK;
    struct ast_expr *expr;

    bool array = link->subLinkType == ARRAY_SUBLINK;

    if (!quantified && link->subLinkType != EXISTS_SUBLINK && link->subLinkType != EXPR_SUBLINK &&
        !array)
        return pg__unsupported(conversion, link->location, "this kind of subquery");
    if (!IsA(link->subselect, SelectStmt))
        return pg__unsupported(conversion, link->location, "this kind of subquery");
    if (array)
        return pg__array_of_query(conversion, link->location,
                                  pg__select(conversion, (SelectStmt *)link->subselect));
    expr = new_expr(conversion, AST_SUBQUERY, link->location, quantified ? 1 : 0);
    if (expr == NULL)
        return NULL;
    expr->text = link->subLinkType == EXISTS_SUBLINK ? "exists"
                 : link->subLinkType == ALL_SUBLINK  ? "all"
                 : quantified                        ? "any"
                                                     : "scalar";
    if (quantified) {
        expr->arguments[0] = pg__expr(conversion, link->testexpr);
        expr->names = pg__take(conversion, sizeof(*expr->names));
        if (expr->names == NULL)
            return NULL;
        expr->names[0] =
            link->operName == NIL ? "=" : pg__copy(conversion, strVal(llast(link->operName)));
    }
    expr->query = pg__select(conversion, (SelectStmt *)link->subselect);
    return expr;
}

/* Texts compare by bytes: the collations that do so change nothing. */
static struct ast_expr *
convert_collate(struct pg__conversion *conversion, CollateClause *source)
{
    const char *name = strVal(llast(source->collname));

    if (strcmp(name, "C") != 0 && strcmp(name, "POSIX") != 0 && strcmp(name, "ucs_basic") != 0 &&
        strcmp(name, "default") != 0)
        return pg__unsupported(conversion, source->location, "this collation");
    return pg__expr(conversion, source->arg);
}

static struct ast_expr *
convert_min_max(struct pg__conversion *conversion, MinMaxExpr *source)
{
    struct ast_expr *expr =
        convert_list(conversion, AST_GREATEST, source->location, source->args, 0);

    if (expr != NULL)
        expr->negated = source->op == IS_LEAST;
    return expr;
}

static struct ast_expr *
convert_bool_expr(struct pg__conversion *conversion, BoolExpr *source)
{
    enum ast_expr_kind kind = source->boolop == AND_EXPR  ? AST_AND
                              : source->boolop == OR_EXPR ? AST_OR
                                                          : AST_NOT;

    return convert_list(conversion, kind, source->location, source->args, 0);
}

static struct ast_expr *
convert_parameter(struct pg__conversion *conversion, ParamRef *parameter)
{
    struct ast_expr *expr = new_expr(conversion, AST_PARAMETER, parameter->location, 0);

    if (expr != NULL)
        expr->integer = parameter->number;
    if (parameter->number > 0 && (uint32_t)parameter->number > conversion->parameter_max)
        conversion->parameter_max = (uint32_t)parameter->number;
    return expr;
}

static struct ast_expr *
convert_null_test(struct pg__conversion *conversion, NullTest *test)
{
    enum ast_expr_kind kind = test->nulltesttype == IS_NULL ? AST_IS_NULL : AST_IS_NOT_NULL;

    struct ast_expr *expr = convert_unary(conversion, kind, test->location, (Node *)test->arg);

    return conversion->status == STATUS_OK && expr->arguments[0]->kind == AST_ROW &&
                   expr->arguments[0]->argument_count > 0
               ? pg__row_is_null(conversion, expr)
               : expr;
}

static struct ast_expr *
convert_node(struct pg__conversion *conversion, Node *node)
{
    switch (nodeTag(node)) {
    case T_A_Const:
        return convert_constant(conversion, (A_Const *)node);
    case T_ColumnRef:
        return convert_column(conversion, (ColumnRef *)node);
    case T_ParamRef:
        return convert_parameter(conversion, (ParamRef *)node);
    case T_A_Expr:
        return convert_a_expr(conversion, (A_Expr *)node);
    case T_BoolExpr:
        return convert_bool_expr(conversion, (BoolExpr *)node);
    case T_FuncCall:
        return convert_function(conversion, (FuncCall *)node);
    case T_TypeCast:
        return convert_cast(conversion, (TypeCast *)node);
    case T_NullTest:
        return convert_null_test(conversion, (NullTest *)node);
    case T_BooleanTest:
        return convert_boolean_test(conversion, (BooleanTest *)node);
    case T_CaseExpr:
        return convert_case(conversion, (CaseExpr *)node);
    case T_CoalesceExpr:
        return convert_list(conversion, AST_COALESCE, ((CoalesceExpr *)node)->location,
                            ((CoalesceExpr *)node)->args, 0);
    case T_SubLink:
        return convert_sublink(conversion, (SubLink *)node);
    case T_RowExpr:
        return convert_list(conversion, AST_ROW, ((RowExpr *)node)->location,
                            ((RowExpr *)node)->args, 0);
    case T_A_ArrayExpr:
        return convert_list(conversion, AST_ARRAY, ((A_ArrayExpr *)node)->location,
                            ((A_ArrayExpr *)node)->elements, 0);
    case T_SQLValueFunction:
        return convert_value_function(conversion, (SQLValueFunction *)node);
    case T_A_Indirection:
        return convert_indirection(conversion, (A_Indirection *)node);
    case T_CollateClause:
        return convert_collate(conversion, (CollateClause *)node);
    case T_GroupingFunc:
        return convert_list(conversion, AST_GROUPING, ((GroupingFunc *)node)->location,
                            ((GroupingFunc *)node)->args, 0);
    case T_GroupingSet:
        return convert_grouping_set(conversion, (GroupingSet *)node);
    case T_MinMaxExpr:
        return convert_min_max(conversion, (MinMaxExpr *)node);
    case T_SetToDefault:
        return new_expr(conversion, AST_DEFAULT, ((SetToDefault *)node)->location, 0);
    default:
        return pg__unsupported(conversion, -1, "this kind of expression");
    }
}

struct ast_expr *
pg__expr(struct pg__conversion *conversion, Node *node)
{
    struct ast_expr *expr = NULL;

    if (node == NULL)
        return pg__fail(conversion, "XX000", -1, "the parser gave an expression without content");
    if (pg__enter(conversion, -1)) {
        expr = convert_node(conversion, node);
        pg__leave(conversion);
    }
    return conversion->status == STATUS_OK ? expr : NULL; /* Never one that is half built. */
}

struct ast_expr *
pg__optional(struct pg__conversion *conversion, Node *node)
{
    return node == NULL ? NULL : pg__expr(conversion, node);
}

struct ast_expr **
pg__exprs(struct pg__conversion *conversion, List *list, uint32_t *count_out)
{
    uint32_t count = (uint32_t)list_length(list);
    struct ast_expr **exprs = pg__take(conversion, count * sizeof(*exprs));
    uint32_t next = 0;
    ListCell *cell;

    if (exprs == NULL)
        return NULL;
    foreach (cell, list)
        exprs[next++] = pg__expr(conversion, lfirst(cell));
    *count_out = count;
    return exprs;
}

struct ast_target *
pg__targets(struct pg__conversion *conversion, List *list, uint32_t *count_out)
{
    uint32_t count = (uint32_t)list_length(list);
    struct ast_target *targets = pg__take(conversion, count * sizeof(*targets));
    uint32_t next = 0;
    ListCell *cell;

    if (targets == NULL)
        return NULL;
    foreach (cell, list) {
        ResTarget *source = lfirst(cell);
        struct ast_target *target = &targets[next++];

        if (source->indirection != NIL)
            return pg__unsupported(conversion, source->location, "assignment to part of a column");
        target->location = source->location;
        target->name = source->name == NULL ? NULL : pg__copy(conversion, source->name);
        target->expr = source->val != NULL && IsA(source->val, MultiAssignRef)
                           ? pg__assigned_part(conversion, (MultiAssignRef *)source->val)
                           : pg__expr(conversion, source->val);
    }
    *count_out = count;
    return targets;
}
