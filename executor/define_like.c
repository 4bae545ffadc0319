/*
 * LIKE in CREATE TABLE. A table that is there is written as the statement that would make it, parsed, and
 * what was not asked for is left out; so everything else goes the way of columns and constraints that were
 * written. Names of keys, unique constraints and indexes are made anew; a sequence behind a DEFAULT stays
 * shared, one of an identity column does not. Foreign keys are never copied.
 */
#include <string.h>

#include "executor/define.h"
#include "executor/definition_text.h"
#include "kernel/base/check.h"

static enum status
parse_one(const struct exec_context *context, const struct sql_text *text, struct arena *arena,
          struct ast_statement **out)
{
    uint32_t count = 0;

    TRY(text->status);
    TRY(sql_parse(text->bytes, arena, out, &count, context->error));
    CHECK(count == 1);
    return STATUS_OK;
}

/* Which option a constraint of a column wants; 0: it is always copied. */
static uint32_t
option_of(enum ast_constraint_kind kind)
{
    switch (kind) {
    case AST_CONSTRAINT_DEFAULT:
        return AST_LIKE_DEFAULTS;
    case AST_CONSTRAINT_IDENTITY:
        return AST_LIKE_IDENTITY;
    case AST_CONSTRAINT_GENERATED:
        return AST_LIKE_GENERATED;
    case AST_CONSTRAINT_CHECK:
        return AST_LIKE_CHECKS;
    case AST_CONSTRAINT_PRIMARY_KEY:
    case AST_CONSTRAINT_UNIQUE:
        return AST_LIKE_INDEXES;
    default:
        return 0;
    }
}

/* Those that `options` asks for, in their order. Places in the text mean nothing in the statement's. */
static uint32_t
keep(struct ast_constraint *constraints, uint32_t count, uint32_t options)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t wanted = option_of(constraints[i].kind);

        if (wanted != 0 && (options & wanted) == 0)
            continue;
        constraints[kept] = constraints[i];
        constraints[kept].location = -1;
        if (wanted == AST_LIKE_INDEXES)
            constraints[kept].name = NULL;
        kept++;
    }
    return kept;
}

static enum status
copy_indexes(const struct exec_context *context, const struct table *table, struct arena *arena,
             struct ast_create_index **indexes, uint32_t *count)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        struct ast_statement *statement = NULL;
        struct sql_text text;

        if (table->indexes[i].constraint)
            continue;
        if (*count == TABLE_INDEX_MAX)
            return sql_error_set(context->error, "54011", -1, "too many indexes");
        sql_text_init(&text, arena);
        definition_index(&text, table, i);
        TRY(parse_one(context, &text, arena, &statement));
        statement->create_index->name = NULL;
        indexes[(*count)++] = statement->create_index;
    }
    return STATUS_OK;
}

/* The columns and constraints of one LIKE. */
static enum status
expand(const struct exec_context *context, const struct ast_like *like, struct arena *arena,
       struct ast_create_index **indexes, uint32_t *index_count, struct ast_create_table **out)
{
    struct ast_statement *statement = NULL;
    struct table *table = NULL;
    struct ast_name found;
    struct sql_text text;

    TRY(search_path_find(context->txn, context->path, &like->table, "t", &found, context->error));
    TRY(table_find(context->txn, &found, arena, &table, context->error));
    CHECK(table != NULL);
    sql_text_init(&text, arena);
    definition_table(&text, table);
    TRY(parse_one(context, &text, arena, &statement));
    struct ast_create_table *made = statement->create_table;
    CHECK(made != NULL && made->column_count == table->column_count);
    for (uint32_t i = 0; i < made->column_count; i++) {
        struct ast_column_definition *column = &made->columns[i];

        column->location = -1;
        column->constraint_count =
            keep(column->constraints, column->constraint_count, like->options);
        if ((like->options & AST_LIKE_COMMENTS) != 0)
            column->comment = table->columns[i].comment;
    }
    made->constraint_count = keep(made->constraints, made->constraint_count, like->options);
    *out = made;
    return (like->options & AST_LIKE_INDEXES) == 0
               ? STATUS_OK
               : copy_indexes(context, table, arena, indexes, index_count);
}

static enum status
merge(const struct ast_create_table *ast, struct ast_create_table *const *likes,
      struct arena *arena, struct ast_create_table *out)
{
    uint32_t next = 0;

    *out = *ast;
    out->column_count = ast->column_count;
    out->constraint_count = ast->constraint_count;
    for (uint32_t i = 0; i < ast->like_count; i++) {
        out->column_count += likes[i]->column_count;
        out->constraint_count += likes[i]->constraint_count;
    }
    out->columns = arena_alloc(arena, out->column_count * sizeof(*out->columns));
    out->constraints = arena_alloc(arena, out->constraint_count * sizeof(*out->constraints));
    if (out->columns == NULL || out->constraints == NULL)
        return STATUS_NO_MEMORY;
    out->column_count = out->constraint_count = 0;
    for (uint32_t i = 0; i < ast->constraint_count; i++)
        out->constraints[out->constraint_count++] = ast->constraints[i];
    for (uint32_t i = 0; i <= ast->like_count; i++) {
        uint32_t end = i < ast->like_count ? ast->likes[i].column : ast->column_count;

        while (next < end)
            out->columns[out->column_count++] = ast->columns[next++];
        if (i == ast->like_count)
            break;
        for (uint32_t k = 0; k < likes[i]->column_count; k++)
            out->columns[out->column_count++] = likes[i]->columns[k];
        for (uint32_t k = 0; k < likes[i]->constraint_count; k++)
            out->constraints[out->constraint_count++] = likes[i]->constraints[k];
    }
    return STATUS_OK;
}

enum status
define_like(const struct exec_context *context, const struct ast_create_table *ast,
            struct arena *arena, const struct ast_create_table **out,
            struct ast_create_index ***indexes_out, uint32_t *count_out)
{
    struct ast_create_table **likes, *merged;
    struct ast_create_index **indexes;

    *out = ast;
    *count_out = 0;
    if (ast->like_count == 0)
        return STATUS_OK;
    likes = arena_alloc(arena, ast->like_count * sizeof(*likes));
    indexes = arena_alloc(arena, TABLE_INDEX_MAX * sizeof(*indexes));
    merged = arena_alloc(arena, sizeof(*merged));
    if (likes == NULL || indexes == NULL || merged == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < ast->like_count; i++)
        TRY(expand(context, &ast->likes[i], arena, indexes, count_out, &likes[i]));
    TRY(merge(ast, likes, arena, merged));
    *out = merged;
    *indexes_out = indexes;
    return STATUS_OK;
}
