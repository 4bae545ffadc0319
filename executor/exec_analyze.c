/*
 * ANALYZE: statistics of the tables named, or of all that the session may see. A view has none and is
 * passed over. Nothing is held against readers or writers of the rows; two who look at one table come one
 * after the other.
 */
#include "executor/exec_analyze.h"

#include <string.h>

#include "executor/exec_private.h"
#include "executor/search_path.h"
#include "executor/statistics.h"

enum status
exec_analyze_table(struct exec_context *context, const struct ast_analyze_table *ast, bool wait,
                   struct arena *arena)
{
    bool *wanted = NULL;
    struct table *table = NULL;

    TRY(table_find(context->txn, &ast->name, arena, &table, context->error));
    if (ast->column_count > 0) {
        wanted = arena_alloc(arena, table->column_count);
        if (wanted == NULL)
            return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < ast->column_count; i++) {
        uint32_t column = table_column_find(table, ast->columns[i]);

        if (column == UINT32_MAX)
            return sql_error_set(context->error, "42703", -1,
                                 "column \"%s\" of relation \"%s\" does not exist", ast->columns[i],
                                 table->name);
        if (wanted[column])
            return sql_error_set(context->error, "42701", -1,
                                 "column \"%s\" of relation \"%s\" appears more than once",
                                 ast->columns[i], table->name);
        wanted[column] = true;
    }
    TRY(statistics_lock(context->txn, table, wait, context->error));
    TRY(sql_from_code(qtdb_refresh(context->txn), context->error));
    return statistics_make(context, table, wanted);
}

/* A name that was written: a view is passed over. */
static enum status
analyze_named(struct exec_context *context, const struct ast_analyze_table *ast,
              struct arena *arena)
{
    struct ast_analyze_table found = *ast;

    TRY(search_path_find(context->txn, context->path, &ast->name, "tw", &found.name,
                         context->error));
    const char *schema = found.name.schema != NULL ? found.name.schema : "public";
    enum status status =
        catalog_has(context->txn, CATALOG_VIEW, schema, found.name.name, context->error);
    if (status != STATUS_NOT_FOUND)
        return status;
    return exec_analyze_table(context, &found, true, arena);
}

/* Every table. */

struct names {
    struct exec_context *context;
    struct arena *arena;
    uint32_t count;
    uint32_t capacity;
    struct ast_analyze_table *tables;
};

static enum status
note_name(void *context, const char *schema, const char *name, const uint8_t *value, size_t size)
{
    struct names *names = context;
    const struct search_path *path = names->context->path;
    const char *own = path != NULL ? path->temporary : NULL;

    (void)value;
    (void)size;
    if (search_path_is_temporary(schema) && (own == NULL || strcmp(schema, own) != 0))
        return STATUS_OK;
    if (names->count == names->capacity) {
        uint32_t capacity = 2 * names->capacity + 16;
        struct ast_analyze_table *tables = arena_alloc(names->arena, capacity * sizeof(*tables));

        if (tables == NULL)
            return STATUS_NO_MEMORY;
        if (names->count > 0)
            memcpy(tables, names->tables, names->count * sizeof(*tables));
        names->tables = tables;
        names->capacity = capacity;
    }
    struct ast_name *out = &names->tables[names->count].name;
    out->schema = arena_copy_text(names->arena, schema, strlen(schema));
    out->name = arena_copy_text(names->arena, name, strlen(name));
    if (out->schema == NULL || out->name == NULL)
        return STATUS_NO_MEMORY;
    names->count++;
    return STATUS_OK;
}

enum status
exec_analyze(struct exec_context *context, const struct ast_analyze *ast, struct arena *arena)
{
    struct names names = {.context = context, .arena = arena};

    for (uint32_t i = 0; i < ast->count; i++)
        TRY(analyze_named(context, &ast->tables[i], arena));
    if (ast->count > 0)
        return STATUS_OK;
    TRY(catalog_each(context->txn, CATALOG_TABLE, note_name, &names, context->error));
    for (uint32_t i = 0; i < names.count; i++)
        TRY(exec_analyze_table(context, &names.tables[i], true, arena));
    return STATUS_OK;
}
