/*
 * ON CONFLICT (columns and expressions) WHERE predicate: which unique constraint or index is meant. Expressions
 * are the same when their texts are. A predicate finds a partial index that has it word for word, and is no
 * hindrance to an index of every row, which forbids at least as much.
 */
#include <string.h>

#include "executor/ast_print.h"
#include "executor/bind_private.h"
#include "kernel/base/check.h"

static bool
same_columns(const uint32_t *left, uint32_t left_count, const uint32_t *right, uint32_t right_count)
{
    for (uint32_t i = 0; i < left_count; i++) {
        bool found = false;

        for (uint32_t k = 0; k < right_count; k++)
            found = found || left[i] == right[k];
        if (!found)
            return false;
    }
    return left_count == right_count;
}

static enum status
refuse_inference(struct bind *bind, const struct ast_conflict *ast)
{
    return sql_error_set(bind->error, "42P10", ast->location,
                         "there is no unique or exclusion constraint matching the ON CONFLICT "
                         "specification");
}

static enum status
find_named(struct bind *bind, const struct ast_conflict *ast, const struct table *table,
           uint32_t *out)
{
    const char *name = table_key_name(table, bind->arena);

    if (name == NULL)
        return STATUS_NO_MEMORY;
    if (table->key_count > 0 && strcmp(name, ast->constraint) == 0)
        return STATUS_OK;
    for (uint32_t i = 0; i < table->index_count; i++) {
        *out = i;
        if (table->indexes[i].constraint && strcmp(table->indexes[i].name, ast->constraint) == 0)
            return STATUS_OK;
    }
    return sql_error_set(bind->error, "42704", ast->location,
                         "constraint \"%s\" for table \"%s\" does not exist", ast->constraint,
                         table->name);
}

/* The place of an expression among the table's; UINT32_MAX: it has none like it. */
static enum status
find_expr(struct bind *bind, const struct ast_expr *ast, const struct table *table, uint32_t *out)
{
    const char *text = NULL;

    TRY(ast_print(ast, bind->arena, &text, bind->error));
    CHECK(text != NULL);
    *out = 0;
    while (*out < table->expr_count && strcmp(table->exprs[*out].text, text) != 0)
        (*out)++;
    if (*out == table->expr_count)
        *out = UINT32_MAX;
    return STATUS_OK;
}

static enum status
find_columns(struct bind *bind, const struct ast_conflict *ast, const struct table *table,
             uint32_t *columns)
{
    for (uint32_t i = 0; i < ast->column_count; i++) {
        columns[i] = UINT32_MAX;
        if (ast->columns[i] != NULL)
            TRY(bind__find_column(bind, table, ast->columns[i], ast->location, &columns[i]));
        else
            TRY(find_expr(bind, ast->exprs[i], table, &columns[i]));
        if (columns[i] == UINT32_MAX)
            return refuse_inference(bind, ast);
        columns[i] += ast->columns[i] == NULL ? TABLE_EXPR_BASE : 0;
    }
    return STATUS_OK;
}

enum status
bind__find_constraint(struct bind *bind, const struct ast_conflict *ast, const struct table *table,
                      struct bound_conflict *out)
{
    uint32_t columns[TABLE_KEY_COLUMNS_MAX] = {0}, predicate = UINT32_MAX;

    out->constraint = UINT32_MAX;
    out->any = ast->constraint == NULL && ast->column_count == 0;
    if (out->any)
        return ast->update ? sql_error_set(bind->error, "42601", ast->location,
                                           "ON CONFLICT DO UPDATE requires inference "
                                           "specification or constraint name")
                           : STATUS_OK;
    if (ast->constraint != NULL)
        return find_named(bind, ast, table, &out->constraint);
    if (ast->column_count > TABLE_KEY_COLUMNS_MAX)
        return refuse_inference(bind, ast);
    TRY(find_columns(bind, ast, table, columns));
    if (ast->predicate != NULL)
        TRY(find_expr(bind, ast->predicate, table, &predicate));
    if (table->key_count > 0 &&
        same_columns(columns, ast->column_count, table->keys, table->key_count))
        return STATUS_OK;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct table_index *index = &table->indexes[i];
        bool covers = index->predicate == 0 || index->predicate - 1 == predicate;

        out->constraint = i;
        if (index->unique && covers &&
            same_columns(columns, ast->column_count, index->columns, index->column_count))
            return STATUS_OK;
    }
    return refuse_inference(bind, ast);
}
