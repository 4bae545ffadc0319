/* RENAME and SET SCHEMA, with the definitions that name what is renamed (define.h). */
#include <string.h>

#include "executor/ast_print.h"
#include "executor/define.h"
#include "executor/sql_sequence.h"
#include "kernel/base/check.h"

static const char *
schema_of(const struct ast_name *name)
{
    return name->schema != NULL ? name->schema : "public";
}

/* Tables: others' foreign keys, and lists of who refers to whom. */

struct move {
    struct define define;
    const char *schema; /* The new place. */
    const char *name;
};

static enum status
open_other(struct move *move, const char *schema, const char *name, struct table **out)
{
    struct ast_name place = {.schema = schema, .name = name, .location = -1};

    return define_open(move->define.context, &place, move->define.arena, out);
}

static enum status
store(struct move *move, const struct table *table)
{
    return table_replace(move->define.context->txn, table, move->define.arena,
                         move->define.context->error);
}

/* Keys and lists that name the table itself are changed in place; others are stored. */
static enum status
tell_neighbours(struct move *move)
{
    struct table *table = move->define.table;

    for (uint32_t i = 0; i < table->reference_count; i++) {
        struct table_reference *reference = &table->references[i];
        bool self = define_is_name(table, reference->schema, reference->table);
        struct table *child = table;

        if (!self)
            TRY(open_other(move, reference->schema, reference->table, &child));
        for (uint32_t k = 0; k < child->foreign_count; k++) {
            struct table_foreign *foreign = &child->foreigns[k];

            if (!define_is_name(table, foreign->schema, foreign->table))
                continue;
            foreign->schema = move->schema;
            foreign->table = move->name;
        }
        if (self)
            *reference = (struct table_reference){move->schema, move->name};
        else
            TRY(store(move, child));
    }
    for (uint32_t i = 0; i < table->foreign_count; i++) {
        const struct table_foreign *foreign = &table->foreigns[i];
        struct table *parent = NULL;

        if (strcmp(foreign->schema, move->schema) == 0 && strcmp(foreign->table, move->name) == 0)
            continue; /* Itself. */
        TRY(open_other(move, foreign->schema, foreign->table, &parent));
        for (uint32_t k = 0; k < parent->reference_count; k++) {
            struct table_reference *reference = &parent->references[k];

            if (define_is_name(table, reference->schema, reference->table))
                *reference = (struct table_reference){move->schema, move->name};
        }
        TRY(store(move, parent));
    }
    return STATUS_OK;
}

/* Sequences follow into another schema, and learn their owner's new name. */
static enum status
move_sequences(struct move *move)
{
    struct table *table = move->define.table;
    struct exec_context *context = move->define.context;

    for (uint32_t i = 0; i < table->column_count; i++) {
        struct ast_name name = {.schema = table->schema, .name = table->columns[i].sequence};
        struct sequence_definition sequence;

        if (name.name == NULL)
            continue;
        const char *own = NULL;
        TRY(define_serial_text(move->define.arena, table->schema, name.name, &own));
        if (table->columns[i].expr != NULL && strcmp(table->columns[i].expr, own) == 0)
            TRY(define_serial_text(move->define.arena, move->schema, name.name,
                                   &table->columns[i].expr));
        TRY(sequence_find(context->txn, &name, move->define.arena, &sequence, context->error));
        sequence.owner_table = move->name;
        TRY(catalog_remove(context->txn, CATALOG_SEQUENCE, name.schema, name.name, context->error));
        name.schema = move->schema;
        TRY(sequence_store(context->txn, &name, &sequence, false, context->error));
    }
    return STATUS_OK;
}

static enum status
move_table(struct exec_context *context, const struct ast_name *name, const char *schema,
           const char *to, struct arena *arena)
{
    struct move move = {.define = {.context = context, .arena = arena}, .name = to};
    struct table *table = NULL;

    TRY(define_open(context, name, arena, &table));
    move.define.table = table;
    move.schema = schema != NULL ? schema : table->schema;
    move.name = to != NULL ? to : table->name;
    if (define_is_name(table, move.schema, move.name))
        return sql_error_set(context->error, "42P07", -1, "relation \"%s\" already exists",
                             move.name);
    if (table->key_count > 0) {
        table->key_name = table_key_name(table, arena);
        if (table->key_name == NULL)
            return STATUS_NO_MEMORY;
    }
    TRY(tell_neighbours(&move));
    TRY(move_sequences(&move));
    return table_move(context->txn, table, move.schema, move.name, arena, context->error);
}

/* Columns: their names are in expressions and in others' foreign keys. */

static enum status
rename_in(struct define *define, const char **text, const char *from, const char *to)
{
    struct ast_expr *ast = NULL;

    TRY(ast_read(*text, define->arena, &ast, define->context->error));
    ast_rename_column(ast, from, to);
    return ast_print(ast, define->arena, text, define->context->error);
}

static void
rename_parents(const struct table *parent, struct table *child, const char *from, const char *to)
{
    for (uint32_t i = 0; i < child->foreign_count; i++) {
        struct table_foreign *foreign = &child->foreigns[i];

        if (!define_is_name(parent, foreign->schema, foreign->table))
            continue;
        for (uint32_t k = 0; k < foreign->column_count; k++) {
            if (strcmp(foreign->parents[k], from) == 0)
                foreign->parents[k] = to;
        }
    }
}

static enum status
rename_in_others(struct define *define, const char *from, const char *to)
{
    struct table *table = define->table;

    for (uint32_t i = 0; i < table->reference_count; i++) {
        const struct table_reference *reference = &table->references[i];
        struct ast_name place = {.schema = reference->schema, .name = reference->table};
        struct table *child = table;

        if (!define_is_name(table, reference->schema, reference->table))
            TRY(define_open(define->context, &place, define->arena, &child));
        rename_parents(table, child, from, to);
        if (child != table)
            TRY(table_replace(define->context->txn, child, define->arena, define->context->error));
    }
    return STATUS_OK;
}

static enum status
rename_column(struct exec_context *context, const struct ast_rename *ast, struct arena *arena)
{
    struct define define = {.context = context, .arena = arena};
    struct sequence_definition sequence;
    uint32_t column = 0;

    TRY(define_open(context, &ast->name, arena, &define.table));
    struct table *table = define.table;
    TRY(define_find_column(&define, ast->part, &column));
    if (table_column_find(table, ast->to) != UINT32_MAX)
        return sql_error_set(context->error, "42701", -1,
                             "column \"%s\" of relation \"%s\" already exists", ast->to,
                             table->name);
    for (uint32_t i = 0; i < table->check_count; i++)
        TRY(rename_in(&define, &table->checks[i].text, ast->part, ast->to));
    for (uint32_t i = 0; i < table->expr_count; i++)
        TRY(rename_in(&define, &table->exprs[i].text, ast->part, ast->to));
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].generated == TABLE_STORED)
            TRY(rename_in(&define, &table->columns[i].expr, ast->part, ast->to));
    }
    TRY(rename_in_others(&define, ast->part, ast->to));
    table->columns[column].name = ast->to;
    if (table->columns[column].sequence != NULL) {
        struct ast_name name = {.schema = table->schema, .name = table->columns[column].sequence};

        TRY(sequence_find(context->txn, &name, arena, &sequence, context->error));
        sequence.owner_column = ast->to;
        TRY(sequence_store(context->txn, &name, &sequence, true, context->error));
    }
    return table_replace(context->txn, table, arena, context->error);
}

/* Constraints and indexes. */

static enum status
rename_constraint(struct exec_context *context, const struct ast_rename *ast, struct arena *arena)
{
    const char **place = NULL;
    struct table *table = NULL;
    bool taken = false;

    TRY(define_open(context, &ast->name, arena, &table));
    const char *key = table->key_count > 0 ? table_key_name(table, arena) : "";
    if (key == NULL)
        return STATUS_NO_MEMORY;
    if (strcmp(key, ast->part) == 0)
        place = &table->key_name;
    taken = strcmp(key, ast->to) == 0;
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].constraint && strcmp(table->indexes[i].name, ast->part) == 0)
            place = &table->indexes[i].name;
        taken = taken || strcmp(table->indexes[i].name, ast->to) == 0;
    }
    for (uint32_t i = 0; i < table->check_count; i++) {
        if (strcmp(table->checks[i].name, ast->part) == 0)
            place = &table->checks[i].name;
        taken = taken || strcmp(table->checks[i].name, ast->to) == 0;
    }
    for (uint32_t i = 0; i < table->foreign_count; i++) {
        if (strcmp(table->foreigns[i].name, ast->part) == 0)
            place = &table->foreigns[i].name;
        taken = taken || strcmp(table->foreigns[i].name, ast->to) == 0;
    }
    if (place == NULL)
        return sql_error_set(context->error, "42704", -1,
                             "constraint \"%s\" for table \"%s\" does not exist", ast->part,
                             table->name);
    if (taken)
        return sql_error_set(context->error, "42710", -1,
                             "constraint \"%s\" for relation \"%s\" already exists", ast->to,
                             table->name);
    *place = ast->to;
    return table_replace(context->txn, table, arena, context->error);
}

static enum status
rename_index(struct exec_context *context, const struct ast_name *name, const char *to,
             struct arena *arena)
{
    struct ast_name owner = {.schema = name->schema, .location = -1};
    struct ast_name place = {.schema = name->schema, .name = to, .location = -1};
    struct table *table = NULL;

    TRY(catalog_find(context->txn, CATALOG_INDEX, name, arena, &owner.name, context->error));
    TRY(define_open(context, &owner, arena, &table));
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (strcmp(table->indexes[i].name, name->name) == 0)
            table->indexes[i].name = to;
    }
    TRY(catalog_put(context->txn, CATALOG_INDEX, &place, table->name, false, context->error));
    TRY(catalog_remove(context->txn, CATALOG_INDEX, schema_of(name), name->name, context->error));
    return table_replace(context->txn, table, arena, context->error);
}

/* Sequences and views: the same bytes under another name. */
static enum status
move_entry(struct exec_context *context, enum catalog_kind kind, const struct ast_name *name,
           const char *schema, const char *to, struct arena *arena)
{
    struct ast_name place = {.schema = schema != NULL ? schema : schema_of(name),
                             .name = to != NULL ? to : name->name,
                             .location = -1};
    const uint8_t *bytes = NULL;
    size_t size = 0;

    TRY(catalog_find_bytes(context->txn, kind, name, arena, &bytes, &size, context->error));
    if (kind == CATALOG_SEQUENCE) {
        struct sequence_definition sequence;

        TRY(sequence_find(context->txn, name, arena, &sequence, context->error));
        if (sequence.owner_table != NULL)
            return sql_error_set(
                context->error, "0A000", -1,
                "renaming or moving the sequence of a column is not supported yet");
    }
    TRY(catalog_put_bytes(context->txn, kind, &place, bytes, size, false, context->error));
    return catalog_remove(context->txn, kind, schema_of(name), name->name, context->error);
}

static enum status
rename_one(struct exec_context *context, const struct ast_rename *ast, const struct ast_name *name,
           bool to_schema, struct arena *arena)
{
    const char *schema = to_schema ? ast->to : NULL, *to = to_schema ? NULL : ast->to;

    switch (ast->kind) {
    case AST_RENAME_TABLE:
        return move_table(context, name, schema, to, arena);
    case AST_RENAME_COLUMN:
        return rename_column(context, ast, arena);
    case AST_RENAME_CONSTRAINT:
        return rename_constraint(context, ast, arena);
    case AST_RENAME_INDEX:
        return to_schema ? sql_error_set(context->error, "0A000", -1,
                                         "an index stays in its table's schema")
                         : rename_index(context, name, to, arena);
    case AST_RENAME_SEQUENCE:
        return move_entry(context, CATALOG_SEQUENCE, name, schema, to, arena);
    case AST_RENAME_VIEW:
        return move_entry(context, CATALOG_VIEW, name, schema, to, arena);
    default:
        CHECK(ast->kind == AST_RENAME_TYPE);
        return exec__move_enum(context, name, schema, to, arena);
    }
}

enum status
exec__rename(struct exec_context *context, const struct ast_rename *ast, bool schema,
             struct arena *arena)
{
    static const char *const kinds[] = {
        [AST_RENAME_TABLE] = "t", [AST_RENAME_COLUMN] = "t",   [AST_RENAME_CONSTRAINT] = "t",
        [AST_RENAME_INDEX] = "i", [AST_RENAME_SEQUENCE] = "q", [AST_RENAME_VIEW] = "w",
        [AST_RENAME_TYPE] = "e",
    };
    struct ast_name name;

    TRY(search_path_find(context->txn, context->path, &ast->name, kinds[ast->kind], &name,
                         context->error));
    if (schema) {
        enum status status = schema_find(context->txn, ast->to, context->error);

        if (search_path_is_temporary(ast->to) ||
            (name.schema != NULL && search_path_is_temporary(name.schema)))
            return sql_error_set(context->error, "0A000", -1,
                                 "cannot move objects into or out of temporary schemas");

        if (status == STATUS_NOT_FOUND)
            return sql_error_set(context->error, "3F000", -1, "schema \"%s\" does not exist",
                                 ast->to);
        TRY(status);
    }
    enum status status = rename_one(context, ast, &name, schema, arena);
    if (status == STATUS_NOT_FOUND)
        status = sql_error_set(context->error, "42P01", ast->name.location,
                               "relation \"%s\" does not exist", name.name);
    if (status == STATUS_INVALID && ast->if_exists &&
        strcmp(context->error->sqlstate, "42P01") == 0)
        return STATUS_OK;
    return status;
}
