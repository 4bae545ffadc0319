/*
 * MERGE: the source joined to the target, each row with the target's key and columns first and the
 * source's columns behind; conditions and values of the WHEN clauses stand over that row as it is.
 */
#include <string.h>

#include "executor/ast_define.h"
#include "executor/bind_private.h"
#include "executor/search_path.h"
#include "executor/table_rules.h"
#include "kernel/base/check.h"

struct merge {
    struct bind *bind;
    const struct ast_merge *ast;
    struct bound *bound;
    struct bind__scope both;   /* Source and target, for MATCHED. */
    struct bind__scope source; /* For NOT MATCHED. */
    const struct bind__table *target;
    struct rel *project;
};

/* Rows. */

static enum status
open_target(struct merge *merge)
{
    struct bind *bind = merge->bind;
    struct bound *bound = merge->bound;
    struct ast_name found;

    bound->rules = bind__take(bind, sizeof(*bound->rules));
    if (bound->rules == NULL)
        return STATUS_NO_MEMORY;
    TRY(search_path_find(bind->txn, bind->path, &merge->ast->table, "tw", &found, bind->error));
    enum status status =
        catalog_has(bind->txn, CATALOG_VIEW, found.schema != NULL ? found.schema : "public",
                    found.name, bind->error);
    if (status == STATUS_OK)
        return sql_error_set(bind->error, "0A000", -1, "cannot execute MERGE on relation \"%s\"",
                             found.name);
    if (status != STATUS_NOT_FOUND)
        return status;
    TRY(table_find(bind->txn, &found, bind->arena, &bound->table, bind->error));
    return rules_bind(bind, bound->table, bound->rules);
}

/* SOURCE LEFT JOIN TARGET ON condition. */
static enum status
bind_join(struct merge *merge, struct rel **out)
{
    struct bind *bind = merge->bind;
    const struct ast_merge *ast = merge->ast;
    struct bind__level *level = bind__take(bind, sizeof(*level));
    struct bind__cte *ctes = NULL;
    struct ast_from *target = bind__take(bind, sizeof(*target));
    struct ast_from *join = bind__take(bind, sizeof(*join));

    if (level == NULL || target == NULL || join == NULL)
        return STATUS_NO_MEMORY;
    *target = (struct ast_from){.kind = AST_FROM_TABLE, .table = ast->table, .alias = ast->alias};
    *join = (struct ast_from){.kind = AST_FROM_JOIN,
                              .join = AST_JOIN_LEFT,
                              .left = (struct ast_from *)(uintptr_t)ast->source,
                              .right = target,
                              .on = ast->on};
    if (ast->with != NULL)
        TRY(bind__with(bind, level, ast->with, &ctes));
    bind__scope_init(&merge->both, level, ctes);
    merge->both.clause = "MERGE";
    return bind__from(bind, &merge->both, &join, 1, out);
}

static bool
is_of(const struct bind__table *table, const struct expr *expr)
{
    return expr->kind == EXPR_COLUMN && expr->relation == table->exprs[0]->relation;
}

/* The target's names apart from the source's. */
static enum status
split_scope(struct merge *merge)
{
    const struct ast_merge *ast = merge->ast;
    const char *alias = ast->alias != NULL ? ast->alias : ast->table.name;
    struct bind__scope *source = &merge->source;
    struct bind__table *tables = NULL;

    *source = merge->both;
    source->names = bind__take(merge->bind, (source->name_count + 1) * sizeof(*source->names));
    if (source->names == NULL)
        return STATUS_NO_MEMORY;
    for (struct bind__table *table = merge->both.tables; table != NULL; table = table->next) {
        struct bind__table *copy = bind__take(merge->bind, sizeof(*copy));

        if (copy == NULL)
            return STATUS_NO_MEMORY;
        if (strcmp(table->alias, alias) == 0) {
            merge->target = table;
            continue;
        }
        *copy = *table;
        copy->next = tables;
        tables = copy;
    }
    CHECK(merge->target != NULL && merge->target->column_count > 0);
    source->tables = tables;
    source->name_count = 0;
    for (uint32_t i = 0; i < merge->both.name_count; i++) {
        if (!is_of(merge->target, merge->both.names[i].expr))
            source->names[source->name_count++] = merge->both.names[i];
    }
    return STATUS_OK;
}

static void
add_column(struct rel *project, const char *name, struct expr *expr)
{
    project->exprs[project->column_count] = expr;
    project->columns[project->column_count++] = (struct rel_column){name, expr->type};
}

/* Row key, the target's columns, the source's. */
static enum status
project_rows(struct merge *merge, struct rel *rel)
{
    const struct bind__table *target = merge->target;
    struct bind *bind = merge->bind;
    uint32_t count = target->column_count + 1;
    struct expr *key = bind__take(bind, sizeof(*key));

    for (const struct bind__table *table = merge->source.tables; table != NULL; table = table->next)
        count += table->column_count;
    if (key == NULL)
        return STATUS_NO_MEMORY;
    TRY(bind__check_width(bind, count, BIND__COLUMNS_MAX));
    TRY(bind__defining(bind, REL_PROJECT, rel, count, &merge->project));
    merge->project->column_count = 0;
    *key = *target->exprs[0];
    key->index = target->column_count;
    key->type = (struct sql_type){QTDB_TYPE_BYTEA, -1, -1};
    add_column(merge->project, "?key?", key);
    for (uint32_t i = 0; i < target->column_count; i++)
        add_column(merge->project, target->names[i], target->exprs[i]);
    for (const struct bind__table *table = merge->source.tables; table != NULL;
         table = table->next) {
        for (uint32_t i = 0; i < table->column_count; i++)
            add_column(merge->project, table->names[i], table->exprs[i]);
    }
    return STATUS_OK;
}

/* Expressions. */

static enum status
place_column(void *context, struct expr *expr, struct expr **out)
{
    const struct merge *merge = context;
    const struct rel *project = merge->project;
    uint32_t index = 0;

    if (expr->kind == EXPR_SUBQUERY || expr->kind == EXPR_SLOT)
        return bind__unsupported(merge->bind, expr->location, "a subquery in WHEN of MERGE");
    if (expr->kind != EXPR_COLUMN)
        return STATUS_OK;
    while (index < project->column_count && !expr_same(project->exprs[index], expr))
        index++;
    if (index == project->column_count)
        return bind__unsupported(merge->bind, expr->location, "this column in WHEN of MERGE");
    *out = bind__take(merge->bind, sizeof(**out));
    if (*out == NULL)
        return STATUS_NO_MEMORY;
    **out = *expr;
    (*out)->relation = 0;
    (*out)->index = index;
    return STATUS_OK;
}

static enum status
place(struct merge *merge, struct expr **expr)
{
    return expr_rewrite(merge->bind->arena, *expr, place_column, merge, expr);
}

static enum status
bind_insert(struct merge *merge, const struct ast_merge_when *ast, struct bound_merge_when *out)
{
    struct bind *bind = merge->bind;
    const struct table *table = merge->bound->table;

    if (ast->column_count > 0 && ast->value_count < ast->column_count)
        return sql_error_set(bind->error, "42601", ast->location,
                             "INSERT has more target columns than expressions");
    if (ast->value_count > (ast->column_count > 0 ? ast->column_count : table->column_count))
        return sql_error_set(bind->error, "42601", ast->location,
                             "INSERT has more expressions than target columns");
    for (uint32_t i = 0; i < ast->value_count; i++) {
        uint32_t column = i;

        if (ast->column_count > 0)
            TRY(bind__find_column(bind, table, ast->columns[i], ast->location, &column));
        if (out->exprs[column] != NULL)
            return sql_error_set(bind->error, "42701", ast->location,
                                 "column \"%s\" specified more than once",
                                 table->columns[column].name);
        TRY(bind__assigned(bind, &merge->source, table, column, ast->values[i], true,
                           &out->exprs[column]));
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (out->exprs[i] == NULL)
            TRY(bind__default(bind, table, i, &out->exprs[i]));
    }
    return STATUS_OK;
}

static enum status
bind_update(struct merge *merge, const struct ast_merge_when *ast, struct bound_merge_when *out)
{
    const struct table *table = merge->bound->table;

    for (uint32_t i = 0; i < ast->set_count; i++) {
        const struct ast_target *set = &ast->sets[i];
        uint32_t column = 0;

        TRY(bind__find_column(merge->bind, table, set->name, set->location, &column));
        if (out->exprs[column] != NULL)
            return sql_error_set(merge->bind->error, "42601", set->location,
                                 "multiple assignments to same column \"%s\"", set->name);
        TRY(bind__assigned(merge->bind, &merge->both, table, column, set->expr, false,
                           &out->exprs[column]));
    }
    return STATUS_OK;
}

static enum status
bind_when(struct merge *merge, const struct ast_merge_when *ast, struct bound_merge_when *out)
{
    struct bind__scope *scope = ast->matched ? &merge->both : &merge->source;
    uint32_t count = merge->bound->table->column_count;

    out->matched = ast->matched;
    out->action = ast->action;
    out->exprs = bind__take(merge->bind, count * sizeof(struct expr *));
    if (out->exprs == NULL)
        return STATUS_NO_MEMORY;
    if (ast->condition != NULL) {
        TRY(bind__condition(merge->bind, scope, ast->condition, "WHEN", &out->condition));
        TRY(place(merge, &out->condition));
    }
    if (ast->action == AST_INSERT)
        TRY(bind_insert(merge, ast, out));
    else if (ast->action == AST_UPDATE)
        TRY(bind_update(merge, ast, out));
    for (uint32_t i = 0; i < count; i++) {
        if (out->exprs[i] != NULL)
            TRY(place(merge, &out->exprs[i]));
    }
    return STATUS_OK;
}

/* A clause behind one that takes every row of its kind is never reached. */
static enum status
check_reach(struct merge *merge)
{
    bool taken[2] = {false, false};

    for (uint32_t i = 0; i < merge->ast->when_count; i++) {
        const struct ast_merge_when *when = &merge->ast->whens[i];

        if (taken[when->matched])
            return sql_error_set(merge->bind->error, "42601", -1,
                                 "unreachable WHEN clause specified after unconditional WHEN "
                                 "clause");
        taken[when->matched] = when->condition == NULL;
    }
    return STATUS_OK;
}

enum status
bind__merge(struct bind *bind, const struct ast_merge *ast, struct bound *bound)
{
    struct merge merge = {.bind = bind, .ast = ast, .bound = bound};
    struct rel *rel = NULL;

    TRY(check_reach(&merge));
    TRY(open_target(&merge));
    TRY(bind_join(&merge, &rel));
    TRY(split_scope(&merge));
    TRY(project_rows(&merge, rel));
    bound->when_count = ast->when_count;
    bound->whens = bind__take(bind, ast->when_count * sizeof(*bound->whens));
    if (bound->whens == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < ast->when_count; i++)
        TRY(bind_when(&merge, &ast->whens[i], &bound->whens[i]));
    bound->rel = merge.project;
    bound->relation = merge.project->relation;
    bound->column_count = merge.project->column_count;
    bound->columns = merge.project->columns;
    return STATUS_OK;
}
