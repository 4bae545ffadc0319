/* Subqueries in expressions: scalar, EXISTS, and comparison with ANY or ALL rows. */
#include <string.h>

#include "executor/bind_private.h"
#include "kernel/base/check.h"

static enum expr_operator
comparison(const char *symbol)
{
    static const char *const symbols[] = {"=", "<>", "<", "<=", ">", ">="};
    static const enum expr_operator kinds[] = {EXPR_EQUAL,      EXPR_NOT_EQUAL, EXPR_LESS,
                                               EXPR_LESS_EQUAL, EXPR_GREATER,   EXPR_GREATER_EQUAL};

    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        if (strcmp(symbols[i], symbol) == 0)
            return kinds[i];
    }
    return 0;
}

/* The left side of ANY and ALL. */
static enum status
bind_operands(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
              struct expr ***out, uint32_t *count_out)
{
    const struct ast_expr *left = ast->arguments[0];
    bool row = left->kind == AST_ROW;
    uint32_t count = row ? left->argument_count : 1;
    struct expr **exprs = bind__take(bind, count * sizeof(struct expr *));

    if (exprs == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        TRY(bind__expr(bind, scope, row ? left->arguments[i] : left, &exprs[i]));
    *out = exprs;
    *count_out = count;
    return STATUS_OK;
}

/* Both sides of ANY and ALL become of one type: the right one by a projection. */
static enum status
match_operands(struct bind *bind, const struct ast_expr *ast, struct expr **operands,
               struct bind__query *query)
{
    struct rel *project = NULL;

    CHECK(operands != NULL);
    TRY(bind__defining(bind, REL_PROJECT, query->rel, query->column_count, &project));
    for (uint32_t i = 0; i < query->column_count; i++) {
        struct rel view = {.relation = query->relation,
                           .column_count = query->column_count,
                           .columns = query->columns};
        struct expr *column = NULL, *compare = NULL;

        TRY(bind__column(bind, &view, i, &column));
        TRY(bind__operator(bind, ast->names[0], ast->location, operands[i], column, &compare));
        if (compare->kind != EXPR_COMPARE)
            return bind__unsupported(bind, ast->location, "this operator with ANY or ALL");
        operands[i] = compare->arguments[0];
        project->exprs[i] = compare->arguments[1];
        project->columns[i] =
            (struct rel_column){query->columns[i].name, compare->arguments[1]->type};
    }
    query->rel = project;
    query->relation = project->relation;
    query->columns = project->columns;
    return STATUS_OK;
}

static enum status
make_subquery(struct bind *bind, const struct bind__query *query, const struct bind__level *level,
              struct subquery *subquery, struct expr **operands, struct expr *expr)
{
    uint32_t count = subquery->operand_count + level->count;

    CHECK(subquery->operand_count == 0 || operands != NULL);
    subquery->rel = query->rel;
    subquery->relation = query->relation;
    subquery->width = query->column_count;
    subquery->slot_count = level->count;
    subquery->slots = level->slots;
    expr->subquery = subquery;
    expr->arguments = bind__take(bind, count * sizeof(struct expr *));
    if (expr->arguments == NULL)
        return STATUS_NO_MEMORY;
    expr->argument_count = count;
    for (uint32_t i = 0; i < subquery->operand_count; i++)
        expr->arguments[i] = operands[i];
    for (uint32_t i = 0; i < level->count; i++)
        expr->arguments[subquery->operand_count + i] = level->sources[i];
    return STATUS_OK;
}

static enum status
bind_one(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
         struct expr **out)
{
    struct bind__level *level = bind__take(bind, sizeof(*level));
    struct subquery *subquery = bind__take(bind, sizeof(*subquery));
    struct expr *expr = NULL, **operands = NULL;
    struct bind__query query;

    if (level == NULL || subquery == NULL)
        return STATUS_NO_MEMORY;
    level->outer = scope;
    subquery->kind = strcmp(ast->text, "exists") == 0 ? SUBQUERY_EXISTS
                     : strcmp(ast->text, "any") == 0  ? SUBQUERY_ANY
                     : strcmp(ast->text, "all") == 0  ? SUBQUERY_ALL
                                                      : SUBQUERY_SCALAR;
    if (ast->argument_count > 0)
        TRY(bind_operands(bind, scope, ast, &operands, &subquery->operand_count));
    TRY(bind__select(bind, level, scope->ctes, ast->query, &query));
    TRY(bind__new_expr(bind, EXPR_SUBQUERY, QTDB_TYPE_BOOL, ast->location, 0, &expr));
    if (subquery->kind == SUBQUERY_SCALAR && query.column_count != 1)
        return sql_error_set(bind->error, "42601", ast->location,
                             "subquery must return only one column");
    if (subquery->kind == SUBQUERY_SCALAR)
        expr->type.type = query.columns[0].type.type;
    if (subquery->kind >= SUBQUERY_ANY) {
        if (query.column_count != subquery->operand_count)
            return sql_error_set(bind->error, "42601", ast->location, "subquery has too %s columns",
                                 query.column_count > subquery->operand_count ? "many" : "few");
        expr->operator_kind = comparison(ast->names[0]);
        if (expr->operator_kind == 0 ||
            (query.column_count > 1 && expr->operator_kind > EXPR_NOT_EQUAL))
            return bind__unsupported(bind, ast->location, "this operator with ANY or ALL");
        TRY(match_operands(bind, ast, operands, &query));
    }
    *out = expr;
    return make_subquery(bind, &query, level, subquery, operands, expr);
}

enum status
bind__subquery(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
               struct expr **out)
{
    struct bind__known *known = bind->grouping ? bind->known : NULL;

    while (known != NULL && (known->ast != ast || known->scope != scope))
        known = known->next;
    if (known != NULL) {
        *out = known->expr;
        return STATUS_OK;
    }
    TRY(bind_one(bind, scope, ast, out));
    known = bind__take(bind, sizeof(*known));
    if (known == NULL)
        return STATUS_NO_MEMORY;
    *known = (struct bind__known){ast, scope, *out, bind->known};
    bind->known = known;
    return STATUS_OK;
}
