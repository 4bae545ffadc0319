/*
 * CREATE TABLE, TABLE AS, SCHEMA, VIEW, and the way to the other definitions: from syntax to
 * definitions in the catalog.
 */
#include "executor/exec_define.h"

#include <stdio.h>
#include <string.h>

#include "executor/ast_print.h"
#include "executor/define.h"
#include "executor/temporary.h"
#include "kernel/base/check.h"
#include "kernel/database.h"

/* Locks. */

enum status
define_open(struct exec_context *context, const struct ast_name *name, struct arena *arena,
            struct table **out)
{
    struct ast_name found;

    if (context->isolation == QTDB_REPEATABLE_READ)
        return sql_error_set(
            context->error, "0A000", -1,
            "changing a table's definition in a REPEATABLE READ transaction is not "
            "supported yet");
    TRY(search_path_find(context->txn, context->path, name, "t", &found, context->error));
    TRY(table_find(context->txn, &found, arena, out, context->error));
    TRY(catalog_lock(context->txn, (*out)->schema, (*out)->name, QTDB_LOCK_EXCLUSIVE,
                     context->error));
    return sql_from_code(qtdb_refresh(context->txn), context->error);
}

/* The catalog's lock, and a snapshot that is not older. */
static enum status
lock_catalog(struct exec_context *context)
{
    enum status status;

    for (uint32_t attempt = 0;; attempt++) {
        *context->error = (struct sql_error){.location = -1};
        TRY(sql_from_code(qtdb_refresh(context->txn), context->error));
        status = catalog_lock_all(context->txn, context->error);
        if (status != STATUS_CONFLICT || strcmp(context->error->sqlstate, "40001") != 0 ||
            context->isolation != QTDB_READ_COMMITTED || attempt == LOCK_ATTEMPTS_MAX)
            break;
    }
    TRY(status);
    return sql_from_code(qtdb_refresh(context->txn), context->error);
}

/* CREATE TABLE. */

static enum status
add_constraints(struct define *define, const struct ast_create_table *ast, bool foreign)
{
    for (uint32_t i = 0; i < ast->column_count; i++) {
        const struct ast_column_definition *column = &ast->columns[i];

        for (uint32_t k = 0; k < column->constraint_count; k++) {
            if ((column->constraints[k].kind == AST_CONSTRAINT_REFERENCES) == foreign)
                TRY(define_constraint(define, &column->constraints[k], i));
        }
    }
    for (uint32_t i = 0; i < ast->constraint_count; i++) {
        if ((ast->constraints[i].kind == AST_CONSTRAINT_REFERENCES) == foreign)
            TRY(define_constraint(define, &ast->constraints[i], UINT32_MAX));
    }
    return STATUS_OK;
}

static enum status
new_table(struct define *define, const struct ast_name *name, uint32_t column_count)
{
    struct exec_context *context = define->context;
    struct table *table = arena_alloc(define->arena, sizeof(*table));
    struct ast_name place;

    if (table == NULL)
        return STATUS_NO_MEMORY;
    if (column_count > ROW_COLUMNS_MAX)
        return sql_error_set(context->error, "54011", name->location,
                             "tables can have at most %d columns", ROW_COLUMNS_MAX);
    TRY(search_path_new(context->txn, context->path, name, &place, context->error));
    table->schema = place.schema;
    table->name = place.name;
    table->columns = arena_alloc(define->arena, (column_count + 1) * sizeof(*table->columns));
    table->indexes = arena_alloc(define->arena, TABLE_INDEX_MAX * sizeof(*table->indexes));
    if (table->columns == NULL || table->indexes == NULL)
        return STATUS_NO_MEMORY;
    define->table = table;
    return STATUS_OK;
}

static enum status
is_there(struct exec_context *context, const struct ast_name *name, bool *out)
{
    struct ast_name place;

    TRY(search_path_new(context->txn, context->path, name, &place, context->error));
    enum status status =
        catalog_has(context->txn, CATALOG_TABLE, place.schema, place.name, context->error);
    *out = status == STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status
create_table(struct exec_context *context, const struct ast_create_table *ast, struct arena *arena,
             struct define_result *result)
{
    struct define define = {.context = context, .arena = arena};
    struct ast_create_index **indexes = NULL;
    uint32_t index_count = 0;
    bool there = false;

    if (ast->if_not_exists)
        TRY(is_there(context, &ast->table, &there));
    if (there)
        return STATUS_OK;
    result->made = true;
    TRY(define_like(context, ast, arena, &ast, &indexes, &index_count));
    TRY(new_table(&define, &ast->table, ast->column_count));
    for (uint32_t i = 0; i < ast->column_count; i++) {
        uint32_t column = 0;

        TRY(define_column(&define, &ast->columns[i], &column));
    }
    for (uint32_t i = 0; i < ast->column_count; i++)
        TRY(define_column_exprs(&define, &ast->columns[i], i));
    TRY(add_constraints(&define, ast, false));
    TRY(add_constraints(&define, ast, true));
    TRY(table_create(context->txn, define.table, arena, context->error));
    for (uint32_t i = 0; i < define.table->foreign_count; i++)
        TRY(define_link(&define, &define.table->foreigns[i]));
    for (uint32_t i = 0; i < index_count; i++) {
        indexes[i]->table = (struct ast_name){define.table->schema, define.table->name, -1};
        TRY(exec__create_index(context, indexes[i], arena));
    }
    return STATUS_OK;
}

/* CREATE TABLE AS: a table of the query's columns, then INSERT of the query. */

static enum status
define_from_query(struct define *define, const struct ast_create_table_as *ast)
{
    struct bind bind = define_bind(define->context, define->arena);
    struct ast_statement select = {.kind = AST_SELECT, .select = ast->query};
    struct bound *bound = NULL;
    struct table *table;

    TRY(bind_statement(&bind, &select, &bound));
    TRY(new_table(define, &ast->table, bound->column_count));
    table = define->table;
    CHECK(table != NULL);
    if (ast->column_name_count > bound->column_count)
        return sql_error_set(define->context->error, "42601", ast->table.location,
                             "too many column names were specified");
    for (uint32_t i = 0; i < bound->column_count; i++) {
        const char *name =
            i < ast->column_name_count ? ast->column_names[i] : bound->columns[i].name;

        if (table_column_find(table, name) != UINT32_MAX)
            return sql_error_set(define->context->error, "42701", ast->table.location,
                                 "column \"%s\" specified more than once", name);
        table->columns[i] =
            (struct table_column){.name = name, .type = bound->columns[i].type, .slot = i};
        table->column_count = table->slot_count = i + 1;
    }
    TRY(table_settle(table, define->arena));
    return table_create(define->context->txn, table, define->arena, define->context->error);
}

/* The context's own plan is none: a run of its own is made for the rows. */
static enum status
fill_from_query(struct define *define, struct ast_select *query, uint64_t *row_count)
{
    struct bind bind = define_bind(define->context, define->arena);
    struct plan_context planning = {.txn = define->context->txn,
                                    .arena = define->arena,
                                    .error = define->context->error,
                                    .notes = database_notes(define->context->db),
                                    .stale = define->context->stale};
    struct ast_insert insert = {.table = {define->table->schema, define->table->name, -1},
                                .source = query};
    struct ast_statement statement = {.kind = AST_INSERT, .insert = &insert};
    struct exec_context context = *define->context;
    struct exec_rows returned = {.width = 0};
    struct planned *planned = NULL;
    struct bound *bound = NULL;

    TRY(bind_statement(&bind, &statement, &bound));
    TRY(plan_statement(&planning, bound, &planned));
    if (planning.stale != NULL && planning.stale->count > 0)
        return STATUS_MISSING;
    arena_init(&returned.arena, context.memory, MEMORY_SQL);
    enum status status = exec_context_open(&context, planned);
    if (status == STATUS_OK)
        status = exec_change(&context, &returned, row_count);
    exec_context_close(&context);
    arena_deinit(&returned.arena);
    return status;
}

static enum status
create_table_as(struct exec_context *context, const struct ast_create_table_as *ast,
                struct arena *arena, struct define_result *result)
{
    struct define define = {.context = context, .arena = arena};
    bool there = false;

    if (ast->if_not_exists)
        TRY(is_there(context, &ast->table, &there));
    result->tag = "CREATE TABLE AS";
    if (there)
        return STATUS_OK;
    result->made = true;
    TRY(define_from_query(&define, ast));
    if (ast->no_data)
        return STATUS_OK;
    result->tag = "SELECT";
    result->counts = true;
    return fill_from_query(&define, ast->query, &result->row_count);
}

/* Views. What is stored is the text of the statement itself, behind the path its names were looked up
 * along where that is not "public" alone. */

/* OR REPLACE replaces nothing but a view. */
static enum status
refuse_other(const struct exec_context *context, const struct ast_name *place)
{
    for (const char *kind = "tiq"; *kind != '\0'; kind++) {
        enum status status = catalog_has(context->txn, (enum catalog_kind) * kind, place->schema,
                                         place->name, context->error);

        if (status == STATUS_OK)
            return sql_error_set(context->error, "42809", -1, "\"%s\" is not a view", place->name);
        if (status != STATUS_NOT_FOUND)
            return status;
    }
    return STATUS_OK;
}

static enum status
create_view(const struct exec_context *context, const char *sql,
            const struct ast_statement *statement, struct arena *arena)
{
    const struct ast_create_view *ast = statement->create_view;
    struct bind bind = define_bind(context, arena);
    struct search_path path;
    struct ast_name place;
    char *text = NULL;

    TRY(search_path_new(context->txn, context->path, &ast->name, &place, context->error));
    if (context->path != NULL) {
        path = *context->path;
        /* What only this session sees is no part of a view that others see. */
        if (!search_path_is_temporary(place.schema))
            path.temporary = NULL;
        bind.path = &path;
    }
    TRY(ast->replace ? refuse_other(context, &place) : STATUS_OK);
    TRY(bind_view(&bind, &place, ast));
    TRY(search_path_stamp(context->path, sql + statement->location, (size_t)statement->size, arena,
                          &text));
    return catalog_put(context->txn, CATALOG_VIEW, &place, text, ast->replace, context->error);
}

static enum status
create_schema(const struct exec_context *context, const struct ast_create_schema *ast)
{
    if (strncmp(ast->name, "pg_", 3) == 0)
        return sql_error_set(context->error, "42939", -1, "unacceptable schema name \"%s\"",
                             ast->name);
    enum status status = schema_create(context->txn, ast->name, context->error);

    if (status == STATUS_INVALID && ast->if_not_exists &&
        strcmp(context->error->sqlstate, "42P06") == 0)
        return STATUS_OK;
    return status;
}

static const char *
rename_tag(const struct ast_rename *ast)
{
    static const char *const tags[] = {
        [AST_RENAME_TABLE] = "ALTER TABLE",       [AST_RENAME_COLUMN] = "ALTER TABLE",
        [AST_RENAME_CONSTRAINT] = "ALTER TABLE",  [AST_RENAME_INDEX] = "ALTER INDEX",
        [AST_RENAME_SEQUENCE] = "ALTER SEQUENCE", [AST_RENAME_VIEW] = "ALTER VIEW",
        [AST_RENAME_TYPE] = "ALTER TYPE",
    };

    return tags[ast->kind];
}

static const char *
tag_of(const struct ast_statement *statement)
{
    static const char *const dropped[] = {
        [AST_DROP_TABLE] = "DROP TABLE",       [AST_DROP_SCHEMA] = "DROP SCHEMA",
        [AST_DROP_INDEX] = "DROP INDEX",       [AST_DROP_VIEW] = "DROP VIEW",
        [AST_DROP_SEQUENCE] = "DROP SEQUENCE", [AST_DROP_TYPE] = "DROP TYPE",
    };
    static const char *const tags[] = {
        [AST_CREATE_TABLE] = "CREATE TABLE",       [AST_CREATE_SCHEMA] = "CREATE SCHEMA",
        [AST_CREATE_INDEX] = "CREATE INDEX",       [AST_CREATE_VIEW] = "CREATE VIEW",
        [AST_ALTER_TABLE] = "ALTER TABLE",         [AST_CREATE_SEQUENCE] = "CREATE SEQUENCE",
        [AST_ALTER_SEQUENCE] = "ALTER SEQUENCE",   [AST_TRUNCATE] = "TRUNCATE TABLE",
        [AST_CREATE_TABLE_AS] = "CREATE TABLE AS", [AST_CREATE_ENUM] = "CREATE TYPE",
        [AST_ALTER_ENUM] = "ALTER TYPE",           [AST_COMMENT] = "COMMENT",
        [AST_ALTER_DATABASE] = "ALTER DATABASE",
    };

    if (statement->kind == AST_DROP)
        return dropped[statement->drop->kind];
    if (statement->kind == AST_RENAME || statement->kind == AST_SET_SCHEMA)
        return rename_tag(statement->rename);
    return tags[statement->kind];
}

bool
exec_is_definition(enum ast_statement_kind kind)
{
    switch (kind) {
    case AST_CREATE_TABLE:
    case AST_CREATE_TABLE_AS:
    case AST_CREATE_SCHEMA:
    case AST_CREATE_INDEX:
    case AST_CREATE_VIEW:
    case AST_CREATE_SEQUENCE:
    case AST_CREATE_ENUM:
    case AST_ALTER_TABLE:
    case AST_ALTER_SEQUENCE:
    case AST_ALTER_ENUM:
    case AST_RENAME:
    case AST_SET_SCHEMA:
    case AST_TRUNCATE:
    case AST_COMMENT:
    case AST_ALTER_DATABASE:
    case AST_DROP:
        return true;
    default:
        return false;
    }
}

enum status
exec_define(struct exec_context *context, const char *sql, const struct ast_statement *statement,
            struct arena *arena, struct define_result *result)
{
    *result = (struct define_result){.tag = tag_of(statement)};
    TRY(lock_catalog(context));
    if (exec_makes_temporary(statement))
        TRY(temporary_make_schema(context, arena));
    switch (statement->kind) {
    case AST_CREATE_TABLE:
        return create_table(context, statement->create_table, arena, result);
    case AST_CREATE_TABLE_AS:
        return create_table_as(context, statement->create_table_as, arena, result);
    case AST_CREATE_SCHEMA:
        return create_schema(context, statement->create_schema);
    case AST_CREATE_INDEX:
        return exec__create_index(context, statement->create_index, arena);
    case AST_CREATE_VIEW:
        return create_view(context, sql, statement, arena);
    case AST_ALTER_TABLE:
        return exec__alter_table(context, statement->alter_table, arena);
    case AST_RENAME:
    case AST_SET_SCHEMA:
        return exec__rename(context, statement->rename, statement->kind == AST_SET_SCHEMA, arena);
    case AST_CREATE_SEQUENCE:
        return exec__create_sequence(context, statement->sequence, arena);
    case AST_ALTER_SEQUENCE:
        return exec__alter_sequence(context, statement->sequence, arena);
    case AST_TRUNCATE:
        return exec__truncate(context, statement->truncate, arena);
    case AST_CREATE_ENUM:
        return exec__create_enum(context, statement->enumeration, arena);
    case AST_ALTER_ENUM:
        return exec__alter_enum(context, statement->enumeration, arena);
    case AST_COMMENT:
        return exec__comment(context, statement->comment, arena);
    case AST_ALTER_DATABASE:
        return exec__alter_database(context, statement->set);
    default:
        CHECK(statement->kind == AST_DROP);
        return exec__drop(context, statement->drop, arena);
    }
}
