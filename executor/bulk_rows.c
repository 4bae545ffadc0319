/* See bulk.h. */
#include "executor/bulk.h"

#include "executor/define.h"
#include "kernel/base/check.h"

/* The table and its columns. */

static enum status
open_table(struct exec_context *context, const struct ast_copy *ast, struct arena *arena,
           struct table **out)
{
    const struct ast_name *name = &ast->table;
    struct ast_name found;

    TRY(search_path_find(context->txn, context->path, name, "tw", &found, context->error));
    const char *schema = found.schema != NULL ? found.schema : "public";
    enum status status =
        catalog_has(context->txn, CATALOG_VIEW, schema, found.name, context->error);

    if (status == STATUS_OK)
        return sql_error_set(context->error, "42809", -1, "cannot copy %s view \"%s\"",
                             ast->from ? "to" : "from", found.name);
    if (status != STATUS_NOT_FOUND)
        return status;
    return table_find(context->txn, &found, arena, out, context->error);
}

static enum status
add_column(struct bulk_target *target, const struct ast_copy *ast, uint32_t column,
           struct sql_error *error)
{
    const struct table_column *definition = &target->table->columns[column];

    if (definition->generated == TABLE_STORED && ast->column_count > 0)
        return sql_error_set(error, "42P10", -1,
                             "column \"%s\" is a generated column: it cannot be used in COPY",
                             definition->name);
    if (definition->generated == TABLE_STORED)
        return STATUS_OK;
    for (uint32_t i = 0; i < target->count; i++) {
        if (target->columns[i] == column)
            return sql_error_set(error, "42701", -1, "column \"%s\" specified more than once",
                                 definition->name);
    }
    target->columns[target->count] = column;
    target->names[target->count++] = definition->name;
    return STATUS_OK;
}

enum status
bulk_find(struct exec_context *context, const struct ast_copy *ast, struct arena *arena,
          struct bulk_target *out)
{
    struct table *table = NULL;

    TRY(open_table(context, ast, arena, &table));
    CHECK(table != NULL);
    *out = (struct bulk_target){
        .table = table,
        .columns = arena_alloc(arena, table->column_count * sizeof(uint32_t)),
        .names = arena_alloc(arena, table->column_count * sizeof(const char *)),
    };
    if (out->columns == NULL || out->names == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < table->column_count && ast->column_count == 0; i++)
        TRY(add_column(out, ast, i, context->error));
    for (uint32_t i = 0; i < ast->column_count; i++) {
        uint32_t column = table_column_find(table, ast->columns[i]);

        if (column == UINT32_MAX)
            return sql_error_set(context->error, "42703", -1,
                                 "column \"%s\" of relation \"%s\" does not exist", ast->columns[i],
                                 table->name);
        TRY(add_column(out, ast, column, context->error));
    }
    return STATUS_OK;
}

/* Rules. */

static bool
may_filter(void *context, const struct expr *expr)
{
    const struct bulk *bulk = context;
    const struct table *table = bulk->target.table;
    struct sql_error *error = bulk->context->error;

    if (expr->kind == EXPR_COLUMN && table->columns[expr->index].generated == TABLE_STORED) {
        (void)sql_error_set(error, "42P10", expr->location,
                            "generated columns are not supported in COPY FROM WHERE conditions: "
                            "column \"%s\" is a generated column",
                            table->columns[expr->index].name);
        return false;
    }
    return true;
}

static enum status
bind_filter(struct bulk *bulk, struct bind *bind, const struct ast_expr *ast)
{
    if (ast == NULL)
        return STATUS_OK;
    TRY(rules_bind_one(bind, bulk->target.table, ast, "COPY FROM WHERE conditions", NULL,
                       &bulk->where));
    if (bulk->where->type.type != QTDB_TYPE_BOOL)
        return sql_error_set(bind->error, "42804", ast->location,
                             "argument of WHERE must be type boolean, not type %s",
                             value_type_name(bulk->where->type.type));
    return expr_visit(bulk->where, may_filter, bulk) ? STATUS_OK : STATUS_INVALID;
}

static enum status
bind_rules(struct bulk *bulk, const struct ast_expr *where, struct arena *arena)
{
    const struct bulk_target *target = &bulk->target;
    struct bind bind = define_bind(bulk->context, arena);
    uint32_t width = target->table->column_count;

    bulk->defaults = arena_alloc(arena, width * sizeof(struct expr *));
    bulk->row = arena_alloc(arena, width * sizeof(struct value));
    if (bulk->defaults == NULL || bulk->row == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < target->count; i++)
        bulk->row[target->columns[i]].type = QTDB_TYPE_BOOL; /* Marks it. */
    for (uint32_t i = 0; i < width; i++) {
        if (bulk->row[i].type == QTDB_TYPE_BOOL)
            continue;
        TRY(rules_default(&bind, target->table, i, &bulk->defaults[i]));
        bulk->has_defaults = true;
    }
    TRY(rules_bind(&bind, target->table, &bulk->rules));
    return bind_filter(bulk, &bind, where);
}

enum status
bulk_open(struct bulk *bulk, struct exec_context *context, const struct bulk_target *target,
          const struct ast_expr *where, struct arena *arena)
{
    const struct table *table = target->table;

    *bulk = (struct bulk){.target = *target, .context = context};
    TRY(catalog_lock(context->txn, table->schema, table->name, QTDB_LOCK_SHARED, context->error));
    TRY(bind_rules(bulk, where, arena));
    if (table->foreign_count + table->reference_count > 0) {
        bulk->queue = foreign_queue_new(context);
        if (bulk->queue == NULL)
            return STATUS_NO_MEMORY;
    }
    return change_open(&bulk->change, context, &bulk->rules, bulk->queue);
}

void
bulk_close(struct bulk *bulk)
{
    change_close(&bulk->change);
    foreign_queue_free(bulk->queue);
    bulk->queue = NULL;
}

/* Rows. */

void
bulk_next(struct bulk *bulk)
{
    arena_reset(&bulk->change.arena);
}

enum status
bulk_make(struct bulk *bulk, struct value **out)
{
    const struct exec_context *context = bulk->context;
    struct eval eval = {.arena = &bulk->change.arena,
                        .error = context->error,
                        .slots = context->slots,
                        .context = context};
    bool wanted = true;

    for (uint32_t i = 0; bulk->has_defaults && i < bulk->target.table->column_count; i++) {
        if (bulk->defaults[i] != NULL)
            TRY(expr_eval(bulk->defaults[i], NULL, &eval, &bulk->row[i]));
    }
    if (bulk->where != NULL)
        TRY(expr_is_true(bulk->where, bulk->row, &eval, &wanted));
    *out = NULL;
    return wanted ? change_prepare(&bulk->change, bulk->row, out) : STATUS_OK;
}

enum status
bulk_insert(struct bulk *bulk, const struct value *row)
{
    TRY(change_insert(&bulk->change, row));
    bulk->count++;
    return STATUS_OK;
}

enum status
bulk_end(struct bulk *bulk)
{
    return bulk->queue != NULL ? foreign_run(bulk->queue) : STATUS_OK;
}
