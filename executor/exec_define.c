/* CREATE TABLE, SCHEMA, VIEW and DROP: from syntax to definitions in the catalog. */
#include <stdio.h>
#include <string.h>

#include "executor/exec_private.h"
#include "kernel/base/check.h"

struct definition {
    const struct exec_context *context;
    struct arena *arena;
    struct table *table;
};

static enum status
find_column(const struct definition *definition, const char *name, uint32_t *out)
{
    for (uint32_t i = 0; i < definition->table->column_count; i++) {
        if (strcmp(definition->table->columns[i].name, name) == 0) {
            *out = i;
            return STATUS_OK;
        }
    }
    return sql_error_set(definition->context->error, "42703", -1,
                         "column \"%s\" named in key does not exist", name);
}

static enum status
set_default(const struct definition *definition, struct table_column *column,
            const struct ast_expr *ast)
{
    struct bind bind = {.txn = definition->context->txn,
                        .arena = definition->arena,
                        .error = definition->context->error};
    struct value value;
    size_t size = 0;

    TRY(bind_constant(&bind, ast, &column->type, &value));
    if (value.null)
        return STATUS_OK;
    column->default_text = value_print(&value, definition->arena, &size);
    return column->default_text == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status
add_key(struct definition *definition, const char *const *names, uint32_t count, int32_t location)
{
    struct table *table = definition->table;

    if (table->key_count > 0)
        return sql_error_set(definition->context->error, "42P16", location,
                             "multiple primary keys for table \"%s\" are not allowed", table->name);
    if (count > TABLE_KEY_COLUMNS_MAX)
        return sql_error_set(definition->context->error, "54011", location,
                             "a key has more than %d columns", TABLE_KEY_COLUMNS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        TRY(find_column(definition, names[i], &table->keys[i]));
        table->columns[table->keys[i]].not_null = true;
    }
    table->key_count = count;
    return STATUS_OK;
}

static enum status
add_unique(struct definition *definition, const char *const *names, uint32_t count,
           const char *given_name, int32_t location)
{
    struct table *table = definition->table;
    char name[QTDB_NAME_SIZE_MAX + 1];

    if (table->index_count == TABLE_INDEX_MAX || count > TABLE_KEY_COLUMNS_MAX)
        return sql_error_set(definition->context->error, "54011", location,
                             "too many unique constraints or columns in one");
    struct table_index *unique = &table->indexes[table->index_count++];
    unique->id = table->next_index++;
    unique->unique = unique->constraint = true;
    (void)snprintf(name, sizeof(name), "%.100s_%.100s_key", table->name, names[0]);
    if (given_name != NULL)
        (void)snprintf(name, sizeof(name), "%s", given_name);
    unique->name = arena_copy_text(definition->arena, name, strlen(name));
    for (uint32_t i = 0; i < count; i++)
        TRY(find_column(definition, names[i], &unique->columns[i]));
    unique->column_count = count;
    return unique->name == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

/* `column` NULL: a constraint of the table. */
static enum status
add_constraint(struct definition *definition, const struct ast_constraint *ast,
               struct table_column *column)
{
    const char *const *names = column != NULL ? &column->name : ast->columns;
    uint32_t count = column != NULL ? 1 : ast->column_count;

    switch (ast->kind) {
    case AST_CONSTRAINT_NULL:
        return STATUS_OK;
    case AST_CONSTRAINT_NOT_NULL:
        CHECK(column != NULL);
        column->not_null = true;
        return STATUS_OK;
    case AST_CONSTRAINT_DEFAULT:
        CHECK(column != NULL);
        return set_default(definition, column, ast->expr);
    case AST_CONSTRAINT_PRIMARY_KEY:
        return add_key(definition, names, count, ast->location);
    case AST_CONSTRAINT_UNIQUE:
        return add_unique(definition, names, count, ast->name, ast->location);
    default:
        return sql_error_set(definition->context->error, "0A000", ast->location,
                             "%s constraints are not supported yet",
                             ast->kind == AST_CONSTRAINT_CHECK ? "CHECK" : "REFERENCES");
    }
}

static enum status
add_columns(struct definition *definition, const struct ast_create_table *ast)
{
    struct table *table = definition->table;

    for (uint32_t i = 0; i < ast->column_count; i++) {
        uint32_t earlier = 0;

        table->columns[i].name = ast->columns[i].name;
        TRY(bind_type(&ast->columns[i].type, &table->columns[i].type, definition->context->error));
        table->types[i] = table->columns[i].type;
        while (strcmp(table->columns[earlier].name, table->columns[i].name) != 0)
            earlier++;
        if (earlier < i)
            return sql_error_set(definition->context->error, "42701", ast->columns[i].location,
                                 "column \"%s\" specified more than once", table->columns[i].name);
        table->column_count = i + 1;
    }
    for (uint32_t i = 0; i < ast->column_count; i++) {
        for (uint32_t k = 0; k < ast->columns[i].constraint_count; k++)
            TRY(add_constraint(definition, &ast->columns[i].constraints[k], &table->columns[i]));
    }
    return STATUS_OK;
}

static enum status
create_table(const struct exec_context *context, const struct ast_create_table *ast,
             struct arena *arena)
{
    struct table *table = arena_alloc(arena, sizeof(*table));
    struct definition definition = {.context = context, .arena = arena, .table = table};
    struct table *existing;

    if (table == NULL)
        return STATUS_NO_MEMORY;
    if (ast->if_not_exists &&
        table_find(context->txn, &ast->table, arena, &existing, context->error) == STATUS_OK)
        return STATUS_OK;
    if (ast->column_count > ROW_COLUMNS_MAX)
        return sql_error_set(context->error, "54011", ast->table.location,
                             "tables can have at most %d columns", ROW_COLUMNS_MAX);
    table->schema = ast->table.schema != NULL ? ast->table.schema : "public";
    table->name = ast->table.name;
    table->columns = arena_alloc(arena, ast->column_count * sizeof(*table->columns));
    table->types = arena_alloc(arena, ast->column_count * sizeof(*table->types));
    table->indexes = arena_alloc(arena, TABLE_INDEX_MAX * sizeof(*table->indexes));
    if (table->columns == NULL || table->types == NULL || table->indexes == NULL)
        return STATUS_NO_MEMORY;
    TRY(add_columns(&definition, ast));
    for (uint32_t i = 0; i < ast->constraint_count; i++)
        TRY(add_constraint(&definition, &ast->constraints[i], NULL));
    return table_create(context->txn, table, arena, context->error);
}

static enum status
drop_one(const struct exec_context *context, enum ast_drop_kind kind, const struct ast_name *name,
         struct arena *arena)
{
    struct table *table = NULL;
    const char *text = NULL;

    switch (kind) {
    case AST_DROP_INDEX:
        return exec__drop_index(context, name, arena);
    case AST_DROP_VIEW:
        TRY(catalog_find(context->txn, CATALOG_VIEW, name, arena, &text, context->error));
        return catalog_remove(context->txn, CATALOG_VIEW,
                              name->schema != NULL ? name->schema : "public", name->name,
                              context->error);
    case AST_DROP_TABLE: {
        enum status status = table_find(context->txn, name, arena, &table, context->error);

        if (status == STATUS_INVALID && strcmp(context->error->sqlstate, "42P01") == 0)
            return STATUS_NOT_FOUND;
        TRY(status);
        return table_drop(context->txn, table, context->error);
    }
    default:
        return sql_error_set(context->error, "0A000", -1, "DROP SCHEMA is not supported yet");
    }
}

/* A name that is of something else. */
static enum status
check_kind(const struct exec_context *context, enum ast_drop_kind kind, const struct ast_name *name,
           struct arena *arena)
{
    static const char *const words[] = {
        [AST_DROP_TABLE] = "a table", [AST_DROP_INDEX] = "an index", [AST_DROP_VIEW] = "a view"};
    const char *text = NULL;
    struct table *table = NULL;
    bool is_table = table_find(context->txn, name, arena, &table, context->error) == STATUS_OK;
    bool is_view =
        catalog_find(context->txn, CATALOG_VIEW, name, arena, &text, context->error) == STATUS_OK;
    bool is_index =
        catalog_find(context->txn, CATALOG_INDEX, name, arena, &text, context->error) == STATUS_OK;

    if (!is_table && !is_view && !is_index)
        return STATUS_NOT_FOUND;
    return sql_error_set(context->error, "42809", -1, "\"%s\" is not %s", name->name, words[kind]);
}

static enum status
drop(const struct exec_context *context, const struct ast_drop *ast, struct arena *arena)
{
    static const char *const words[] = {
        [AST_DROP_TABLE] = "table", [AST_DROP_INDEX] = "index", [AST_DROP_VIEW] = "view"};

    for (uint32_t i = 0; i < ast->name_count; i++) {
        enum status status = drop_one(context, ast->kind, &ast->names[i], arena);

        if (status == STATUS_NOT_FOUND)
            status = check_kind(context, ast->kind, &ast->names[i], arena);
        if (status == STATUS_NOT_FOUND && ast->if_exists)
            continue;
        if (status == STATUS_NOT_FOUND)
            return sql_error_set(context->error, ast->kind == AST_DROP_INDEX ? "42704" : "42P01",
                                 -1, "%s \"%s\" does not exist", words[ast->kind],
                                 ast->names[i].name);
        TRY(status);
    }
    return STATUS_OK;
}

/* What is stored is the text of the statement itself. */
static enum status
create_view(const struct exec_context *context, const char *sql,
            const struct ast_statement *statement, struct arena *arena)
{
    const struct ast_create_view *ast = statement->create_view;
    struct bind bind = {.txn = context->txn, .arena = arena, .error = context->error};
    char *text = arena_copy_text(arena, sql + statement->location, (size_t)statement->size);

    if (text == NULL)
        return STATUS_NO_MEMORY;
    TRY(bind_view(&bind, ast));
    return catalog_put(context->txn, CATALOG_VIEW, &ast->name, text, ast->replace, context->error);
}

static enum status
create_schema(const struct exec_context *context, const struct ast_create_schema *ast)
{
    enum status status = schema_create(context->txn, ast->name, context->error);

    if (status == STATUS_INVALID && ast->if_not_exists &&
        strcmp(context->error->sqlstate, "42P06") == 0)
        return STATUS_OK;
    return status;
}

enum status
exec_define(const struct exec_context *context, const char *sql,
            const struct ast_statement *statement, struct arena *arena, const char **tag_out)
{
    static const char *const dropped[] = {[AST_DROP_TABLE] = "DROP TABLE",
                                          [AST_DROP_SCHEMA] = "DROP SCHEMA",
                                          [AST_DROP_INDEX] = "DROP INDEX",
                                          [AST_DROP_VIEW] = "DROP VIEW"};

    switch (statement->kind) {
    case AST_CREATE_TABLE:
        *tag_out = "CREATE TABLE";
        return create_table(context, statement->create_table, arena);
    case AST_CREATE_SCHEMA:
        *tag_out = "CREATE SCHEMA";
        return create_schema(context, statement->create_schema);
    case AST_CREATE_INDEX:
        *tag_out = "CREATE INDEX";
        return exec__create_index(context, statement->create_index, arena);
    case AST_CREATE_VIEW:
        *tag_out = "CREATE VIEW";
        return create_view(context, sql, statement, arena);
    default:
        CHECK(statement->kind == AST_DROP);
        *tag_out = dropped[statement->drop->kind];
        return drop(context, statement->drop, arena);
    }
}
