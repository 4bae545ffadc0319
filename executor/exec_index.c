/*
 * CREATE INDEX and DROP INDEX. The entries of rows that are there are made in the transaction that
 * creates the index.
 */
#include <stdio.h>
#include <string.h>

#include "executor/ast_print.h"
#include "executor/define.h"
#include "kernel/base/check.h"

/* An expression or predicate goes to the table's list; the position it has there. */
static enum status
add_expr(const struct exec_context *context, struct table *table, const struct ast_expr *ast,
         const struct sql_type *type, struct arena *arena, uint32_t *out)
{
    struct bind bind = define_bind(context, arena);
    struct table_expr *exprs = arena_alloc(arena, ((size_t)table->expr_count + 1) * sizeof(*exprs));
    struct expr *expr = NULL;

    if (exprs == NULL)
        return STATUS_NO_MEMORY;
    if (table->expr_count == TABLE_RULES_MAX)
        return sql_error_set(context->error, "54011", -1, "too many expressions in indexes");
    const char *message = type != NULL ? "functions in index predicate must be marked IMMUTABLE"
                                       : "functions in index expression must be marked IMMUTABLE";
    TRY(rules_check_immutable(ast, message, context->error));
    TRY(rules_bind_one(&bind, table, ast, type != NULL ? "WHERE" : "index expressions", type,
                       &expr));
    TRY(rules_check_zoneless(expr, message, context->error));
    if (table->expr_count > 0)
        memcpy(exprs, table->exprs, table->expr_count * sizeof(*exprs));
    exprs[table->expr_count].type = expr->type;
    TRY(ast_print(ast, arena, &exprs[table->expr_count].text, context->error));
    table->exprs = exprs;
    *out = table->expr_count++;
    return STATUS_OK;
}

static enum status
find_column(const struct exec_context *context, const struct table *table, const char *name,
            uint32_t *out)
{
    *out = table_column_find(table, name);
    return *out != UINT32_MAX
               ? STATUS_OK
               : sql_error_set(context->error, "42703", -1, "column \"%s\" does not exist", name);
}

static enum status
check_type(const struct exec_context *context, enum qtdb_type type)
{
    if (type != QTDB_TYPE_JSON && type != QTDB_TYPE_JSONB)
        return STATUS_OK;
    return sql_error_set(context->error, "0A000", -1,
                         "an index on a column of type %s is not supported yet",
                         value_type_name(type));
}

static enum status
find_columns(const struct exec_context *context, const struct ast_create_index *ast,
             struct table *table, struct table_index *index, struct arena *arena)
{
    static const struct sql_type boolean = {QTDB_TYPE_BOOL, -1, -1};

    if (ast->column_count > TABLE_KEY_COLUMNS_MAX || ast->include_count > TABLE_KEY_COLUMNS_MAX ||
        table->index_count == TABLE_INDEX_MAX)
        return sql_error_set(context->error, "54011", ast->table.location,
                             "too many indexes or columns in one");
    for (uint32_t i = 0; i < ast->column_count; i++) {
        uint32_t column = 0;

        if (ast->columns[i] != NULL) {
            TRY(find_column(context, table, ast->columns[i], &column));
            TRY(check_type(context, table->types[column].type));
        } else {
            TRY(add_expr(context, table, ast->exprs[i], NULL, arena, &column));
            TRY(check_type(context, table->exprs[column].type.type));
            column += TABLE_EXPR_BASE;
        }
        index->orders[index->column_count] = ast->orders[i];
        index->columns[index->column_count++] = column;
    }
    for (uint32_t i = 0; i < ast->include_count; i++)
        TRY(find_column(context, table, ast->includes[i],
                        &index->includes[index->include_count++]));
    if (ast->where != NULL) {
        TRY(add_expr(context, table, ast->where, &boolean, arena, &index->predicate));
        index->predicate++;
    }
    return STATUS_OK;
}

/* table_column_column_idx, and a number when that is taken. */
static enum status
name_index(const struct exec_context *context, const struct ast_create_index *ast,
           const struct table *table, struct arena *arena, const char **out)
{
    char base[QTDB_NAME_SIZE_MAX], name[QTDB_NAME_SIZE_MAX + 16];
    struct ast_name place = {.schema = table->schema, .name = name};

    *out = ast->name;
    if (ast->name != NULL)
        return STATUS_OK;
    int size = snprintf(base, sizeof(base), "%.60s", table->name);
    for (uint32_t i = 0; i < ast->column_count && size < 100; i++)
        size += snprintf(base + size, sizeof(base) - (size_t)size, "_%.60s",
                         ast->columns[i] != NULL ? ast->columns[i]
                         : ast->exprs[i]->kind == AST_FUNCTION
                             ? ast->exprs[i]->names[ast->exprs[i]->name_count - 1]
                             : "expr");
    for (uint32_t number = 0;; number++) {
        const char *text = NULL;

        (void)snprintf(name, sizeof(name), number == 0 ? "%s_idx" : "%s_idx%u", base, number);
        enum status status =
            catalog_find(context->txn, CATALOG_INDEX, &place, arena, &text, context->error);
        if (status == STATUS_NOT_FOUND)
            break;
        TRY(status);
    }
    *out = arena_copy_text(arena, name, strlen(name));
    return *out == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status
put_entry(const struct exec_context *context, const struct table *table, uint32_t position,
          struct qtdb_tree *tree, const struct value *values, const void *row_key,
          size_t row_key_size, struct arena *arena)
{
    uint8_t key[QTDB_KEY_SIZE_MAX];
    const void *value = NULL;
    size_t size = 0, value_size = 0;

    TRY(table_index_key(table, position, values, row_key, row_key_size, key, &size,
                        context->error));
    if (size == 0)
        return STATUS_OK;
    TRY(table_entry_value(table, position, values, row_key, row_key_size, arena, &value,
                          &value_size));
    enum qtdb_code code =
        qtdb_put(context->txn, tree, key, size, value, value_size, QTDB_PUT_INSERT);
    if (code == QTDB_EXISTS)
        return sql_error_set(context->error, "23505", -1, "could not create unique index \"%s\"",
                             table->indexes[position].name);
    return sql_from_code(code, context->error);
}

static enum status
fill_from(const struct exec_context *context, const struct table_rules *rules, uint32_t position,
          struct qtdb_tree *tree, struct qtdb_cursor *cursor)
{
    const struct table *table = rules->table;
    enum status status = STATUS_OK;
    size_t values_size =
        ((size_t)table->column_count + table->expr_count + 1) * sizeof(struct value);
    struct value *values = memory_alloc(context->memory, MEMORY_SQL, values_size);
    struct arena arena;
    enum qtdb_code code;

    if (values == NULL)
        return STATUS_NO_MEMORY;
    arena_init(&arena, context->memory, MEMORY_SQL);
    for (code = qtdb_cursor_seek(cursor, NULL, 0); code == QTDB_OK;
         code = qtdb_cursor_next(cursor)) {
        struct eval eval = {.arena = &arena, .error = context->error, .context = context};
        const void *key, *row;
        size_t key_size, row_size;

        arena_reset(&arena);
        qtdb_cursor_row(cursor, &key, &key_size, &row, &row_size);
        TRY_OUT(table_decode_row(table, row, row_size, &arena, values, context->error));
        TRY_OUT(rules_extend(rules, &eval, values));
        TRY_OUT(put_entry(context, table, position, tree, values, key, key_size, &arena));
        TRY_OUT(exec__check_interrupt(context));
    }
    if (code != QTDB_NOT_FOUND)
        status = sql_from_code(code, context->error);
out:
    arena_deinit(&arena);
    memory_free(context->memory, MEMORY_SQL, values, values_size);
    return status;
}

enum status
exec__fill_index(const struct exec_context *context, const struct table *table, uint32_t position)
{
    struct qtdb_tree *rows = NULL, *tree = NULL;
    struct qtdb_cursor *cursor = NULL;
    struct table_rules rules;
    struct arena arena;
    enum status status = STATUS_OK;

    arena_init(&arena, context->memory, MEMORY_SQL);
    struct bind bind = define_bind(context, &arena);
    TRY_OUT(rules_bind(&bind, table, &rules));
    TRY_OUT(table_tree(context->txn, table, UINT32_MAX, &rows, context->error));
    TRY_OUT(table_tree(context->txn, table, position, &tree, context->error));
    TRY_OUT(sql_from_code(qtdb_cursor_open(context->txn, rows, &cursor), context->error));
    status = fill_from(context, &rules, position, tree, cursor);
    qtdb_cursor_close(cursor);
out:
    arena_deinit(&arena);
    return status;
}

enum status
exec__create_index(struct exec_context *context, const struct ast_create_index *ast,
                   struct arena *arena)
{
    struct table *table = NULL;
    struct ast_name name = {.location = ast->table.location};
    const char *text = NULL;

    TRY(define_open(context, &ast->table, arena, &table));
    name.schema = table->schema;
    TRY(name_index(context, ast, table, arena, &name.name));
    if (ast->if_not_exists) {
        enum status status =
            catalog_find(context->txn, CATALOG_INDEX, &name, arena, &text, context->error);
        if (status != STATUS_NOT_FOUND)
            return status;
    }
    struct table_index *index = &table->indexes[table->index_count];
    *index = (struct table_index){.name = name.name,
                                  .id = table->next_index,
                                  .unique = ast->unique,
                                  .nulls_equal = ast->nulls_equal,
                                  .learned = ast->learned};
    TRY(find_columns(context, ast, table, index, arena));
    index->stores = index->include_count > 0;
    table->index_count++;
    table->next_index++;
    TRY(catalog_put(context->txn, CATALOG_INDEX, &name, table->name, false, context->error));
    TRY(table_replace(context->txn, table, arena, context->error));
    return exec__fill_index(context, table, table->index_count - 1);
}

enum status
exec__drop_index(struct exec_context *context, const struct ast_name *name, struct arena *arena)
{
    struct ast_name owner = {.schema = name->schema, .location = -1};
    struct table *table = NULL;
    uint32_t position = 0;
    char tree[48];

    TRY(catalog_find(context->txn, CATALOG_INDEX, name, arena, &owner.name, context->error));
    TRY(define_open(context, &owner, arena, &table));
    while (position < table->index_count && strcmp(table->indexes[position].name, name->name) != 0)
        position++;
    if (position == table->index_count)
        return sql_error_set(context->error, "XX001", -1,
                             "table \"%s\" does not know its index \"%s\": run qtdb-check",
                             table->name, name->name);
    (void)snprintf(tree, sizeof(tree), "sql/u%u.%u", table->id, table->indexes[position].id);
    table->index_count--;
    memmove(&table->indexes[position], &table->indexes[position + 1],
            (table->index_count - position) * sizeof(*table->indexes));
    table_prune(table);
    TRY(catalog_remove(context->txn, CATALOG_INDEX, table->schema, name->name, context->error));
    TRY(table_replace(context->txn, table, arena, context->error));
    return sql_from_code(qtdb_tree_drop(context->txn, tree), context->error);
}
