/* DROP and TRUNCATE, with what depends on what goes (define.h). */
#include <string.h>

#include "executor/define.h"
#include "executor/sql_sequence.h"
#include "kernel/base/check.h"

static const char *const kind_words[] = {
    [AST_DROP_TABLE] = "table", [AST_DROP_SCHEMA] = "schema",     [AST_DROP_INDEX] = "index",
    [AST_DROP_VIEW] = "view",   [AST_DROP_SEQUENCE] = "sequence", [AST_DROP_TYPE] = "type",
};

static enum status
refuse_dependent(const struct exec_context *context, enum ast_drop_kind kind, const char *name)
{
    return sql_error_set(context->error, "2BP01", -1,
                         "cannot drop %s %s because other objects depend on it", kind_words[kind],
                         name);
}

static const char *
schema_of(const struct ast_name *name)
{
    return name->schema != NULL ? name->schema : "public";
}

/* Sequences. */

enum status
define_drop_sequences(struct define *define, uint32_t column)
{
    const struct table *table = define->table;

    for (uint32_t i = 0; i < table->column_count; i++) {
        if ((column == UINT32_MAX || i == column) && table->columns[i].sequence != NULL)
            TRY(catalog_remove(define->context->txn, CATALOG_SEQUENCE, table->schema,
                               table->columns[i].sequence, define->context->error));
    }
    return STATUS_OK;
}

static enum status
drop_sequence(struct exec_context *context, const struct ast_drop *ast, const struct ast_name *name,
              struct arena *arena)
{
    struct sequence_definition sequence;
    const uint8_t *bytes = NULL;
    size_t size = 0;

    TRY(catalog_find_bytes(context->txn, CATALOG_SEQUENCE, name, arena, &bytes, &size,
                           context->error));
    TRY(sequence_find(context->txn, name, arena, &sequence, context->error));
    if (sequence.owner_table != NULL) {
        struct ast_name owner = {.schema = name->schema, .name = sequence.owner_table};
        struct define define = {.context = context, .arena = arena};

        TRY(define_open(context, &owner, arena, &define.table));
        uint32_t column = table_column_find(define.table, sequence.owner_column);
        if (column != UINT32_MAX && define.table->columns[column].sequence != NULL) {
            struct table_column *target = &define.table->columns[column];

            if (!ast->cascade || target->generated != TABLE_PLAIN)
                return refuse_dependent(context, AST_DROP_SEQUENCE, name->name);
            target->sequence = target->expr = NULL;
            TRY(table_replace(context->txn, define.table, arena, context->error));
        }
    }
    return catalog_remove(context->txn, CATALOG_SEQUENCE, schema_of(name), name->name,
                          context->error);
}

/* Tables. */

static bool
is_listed(const struct ast_name *names, uint32_t count, const char *schema, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i].name, name) == 0 && strcmp(schema_of(&names[i]), schema) == 0)
            return true;
    }
    return false;
}

/* Foreign keys at both ends, then the table. */
static enum status
drop_table(struct exec_context *context, const struct ast_drop *ast, const struct ast_name *name,
           struct arena *arena)
{
    struct define define = {.context = context, .arena = arena};
    struct table *table = NULL;

    if (catalog_has(context->txn, CATALOG_TABLE, schema_of(name), name->name, context->error) ==
        STATUS_NOT_FOUND)
        return STATUS_NOT_FOUND;
    TRY(define_open(context, name, arena, &table));
    define.table = table;
    for (uint32_t i = 0; i < table->reference_count; i++) {
        const struct table_reference *reference = &table->references[i];

        if (define_is_name(table, reference->schema, reference->table))
            continue;
        if (!ast->cascade &&
            !is_listed(ast->names, ast->name_count, reference->schema, reference->table))
            return refuse_dependent(context, AST_DROP_TABLE, table->name);
        TRY(define_drop_foreigns(&define, reference->schema, reference->table, table->schema,
                                 table->name));
    }
    uint32_t count = table->foreign_count;
    table->foreign_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct table_foreign *foreign = &table->foreigns[i];

        if (!define_is_name(table, foreign->schema, foreign->table))
            TRY(define_unlink(&define, table, foreign->schema, foreign->table));
    }
    TRY(define_drop_sequences(&define, UINT32_MAX));
    return table_drop(context->txn, table, context->error);
}

/* Schemas. */

struct contents {
    struct arena *arena;
    const char *schema;
    uint32_t count;
    uint32_t capacity;
    struct ast_name *names;
};

static enum status
add_content(void *state, const char *schema, const char *name, const uint8_t *value, size_t size)
{
    struct contents *contents = state;

    (void)value;
    (void)size;
    if (strcmp(schema, contents->schema) != 0)
        return STATUS_OK;
    if (contents->count == contents->capacity) {
        uint32_t capacity = 2 * contents->capacity + 8;
        struct ast_name *names = arena_alloc(contents->arena, capacity * sizeof(*names));

        if (names == NULL)
            return STATUS_NO_MEMORY;
        if (contents->count > 0)
            memcpy(names, contents->names, contents->count * sizeof(*names));
        contents->names = names;
        contents->capacity = capacity;
    }
    struct ast_name *out = &contents->names[contents->count++];
    *out = (struct ast_name){.schema = contents->schema, .location = -1};
    out->name = arena_copy_text(contents->arena, name, strlen(name));
    return out->name == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status drop_one(struct exec_context *context, const struct ast_drop *ast,
                            const struct ast_name *name, struct arena *arena);

static enum status
drop_schema(struct exec_context *context, const struct ast_drop *ast, const char *name,
            struct arena *arena)
{
    static const struct {
        enum catalog_kind kind;
        enum ast_drop_kind drop;
    } kinds[] = {{CATALOG_VIEW, AST_DROP_VIEW},
                 {CATALOG_TABLE, AST_DROP_TABLE},
                 {CATALOG_SEQUENCE, AST_DROP_SEQUENCE},
                 {CATALOG_ENUM, AST_DROP_TYPE}};

    if (strcmp(name, "public") == 0)
        return sql_error_set(context->error, "0A000", -1,
                             "dropping the schema \"public\" is not supported");
    TRY(schema_find(context->txn, name, context->error));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct contents contents = {.arena = arena, .schema = name};

        TRY(catalog_each(context->txn, kinds[i].kind, add_content, &contents, context->error));
        if (contents.count > 0 && !ast->cascade)
            return refuse_dependent(context, AST_DROP_SCHEMA, name);
        struct ast_drop drop = {.kind = kinds[i].drop,
                                .cascade = true,
                                .name_count = contents.count,
                                .names = contents.names};
        for (uint32_t k = 0; k < contents.count; k++)
            TRY(drop_one(context, &drop, &contents.names[k], arena));
    }
    return schema_drop(context->txn, name, context->error);
}

/* Anything. STATUS_NOT_FOUND without an error set. */
static enum status
drop_one(struct exec_context *context, const struct ast_drop *ast, const struct ast_name *name,
         struct arena *arena)
{
    const char *text = NULL;

    switch (ast->kind) {
    case AST_DROP_INDEX:
        return exec__drop_index(context, name, arena);
    case AST_DROP_VIEW:
        TRY(catalog_find(context->txn, CATALOG_VIEW, name, arena, &text, context->error));
        return catalog_remove(context->txn, CATALOG_VIEW, schema_of(name), name->name,
                              context->error);
    case AST_DROP_TABLE:
        return drop_table(context, ast, name, arena);
    case AST_DROP_SEQUENCE:
        return drop_sequence(context, ast, name, arena);
    case AST_DROP_TYPE:
        return exec__drop_enum(context, name, ast->cascade, arena);
    default:
        return drop_schema(context, ast, name->name, arena);
    }
}

/* A name that is of something else. */
static enum status
check_kind(const struct exec_context *context, enum ast_drop_kind kind, const struct ast_name *name)
{
    static const enum catalog_kind kinds[] = {CATALOG_TABLE, CATALOG_VIEW, CATALOG_INDEX,
                                              CATALOG_SEQUENCE};

    for (size_t i = 0;
         i < sizeof(kinds) / sizeof(kinds[0]) && kind != AST_DROP_SCHEMA && kind != AST_DROP_TYPE;
         i++) {
        enum status status =
            catalog_has(context->txn, kinds[i], schema_of(name), name->name, context->error);

        if (status == STATUS_OK)
            return sql_error_set(context->error, "42809", -1, "\"%s\" is not %s %s", name->name,
                                 kind == AST_DROP_INDEX ? "an" : "a", kind_words[kind]);
        if (status != STATUS_NOT_FOUND)
            return status;
    }
    return STATUS_NOT_FOUND;
}

enum status
exec__drop(struct exec_context *context, const struct ast_drop *ast, struct arena *arena)
{
    static const char *const letters[] = {
        [AST_DROP_TABLE] = "t", [AST_DROP_SCHEMA] = "",    [AST_DROP_INDEX] = "i",
        [AST_DROP_VIEW] = "w",  [AST_DROP_SEQUENCE] = "q", [AST_DROP_TYPE] = "e",
    };
    static const char *const missing[] = {
        [AST_DROP_TABLE] = "42P01", [AST_DROP_SCHEMA] = "3F000",   [AST_DROP_INDEX] = "42704",
        [AST_DROP_VIEW] = "42P01",  [AST_DROP_SEQUENCE] = "42P01", [AST_DROP_TYPE] = "42704",
    };

    for (uint32_t i = 0; i < ast->name_count; i++) {
        struct ast_name name = ast->names[i];

        if (ast->kind != AST_DROP_SCHEMA)
            TRY(search_path_find(context->txn, context->path, &ast->names[i], letters[ast->kind],
                                 &name, context->error));
        enum status status = drop_one(context, ast, &name, arena);
        if (status == STATUS_NOT_FOUND)
            status = check_kind(context, ast->kind, &name);
        if (status == STATUS_NOT_FOUND && ast->if_exists)
            continue;
        if (status == STATUS_NOT_FOUND)
            return sql_error_set(context->error, missing[ast->kind], -1, "%s \"%s\" does not exist",
                                 kind_words[ast->kind], name.name);
        TRY(status);
    }
    return STATUS_OK;
}

/* TRUNCATE: new trees for old. */

static enum status
truncate_one(struct exec_context *context, struct table *table, bool restart, struct arena *arena)
{
    struct table old = *table;

    TRY(table_renew(context->txn, table, context->error));
    TRY(table_drop_trees(context->txn, &old, context->error));
    for (uint32_t i = 0; i < table->column_count && restart; i++) {
        struct ast_name name = {.schema = table->schema, .name = table->columns[i].sequence};
        struct sequence_definition sequence;

        if (name.name == NULL)
            continue;
        TRY(sequence_find(context->txn, &name, arena, &sequence, context->error));
        TRY(sequence_restart(context->txn, context->db, &sequence, sequence.start, context->error));
        TRY(sequence_store(context->txn, &name, &sequence, true, context->error));
    }
    return table_replace(context->txn, table, arena, context->error);
}

static enum status
list_table(struct exec_context *context, struct contents *list, const struct ast_name *name,
           struct arena *arena)
{
    struct ast_name found;
    struct table *table = NULL;

    TRY(search_path_find(context->txn, context->path, name, "t", &found, context->error));
    TRY(table_find(context->txn, &found, arena, &table, context->error));
    if (is_listed(list->names, list->count, table->schema, table->name))
        return STATUS_OK;
    list->schema = table->schema;
    return add_content(list, table->schema, table->name, NULL, 0);
}

enum status
exec__truncate(struct exec_context *context, const struct ast_truncate *ast, struct arena *arena)
{
    struct contents list = {.arena = arena};

    for (uint32_t i = 0; i < ast->count; i++)
        TRY(list_table(context, &list, &ast->tables[i], arena));
    for (uint32_t i = 0; i < list.count; i++) {
        struct table *table = NULL;

        TRY(table_find(context->txn, &list.names[i], arena, &table, context->error));
        for (uint32_t k = 0; k < table->reference_count; k++) {
            struct ast_name child = {.schema = table->references[k].schema,
                                     .name = table->references[k].table,
                                     .location = -1};

            if (is_listed(list.names, list.count, child.schema, child.name))
                continue;
            if (!ast->cascade)
                return sql_error_set(context->error, "0A000", -1,
                                     "cannot truncate a table referenced in a foreign key "
                                     "constraint");
            TRY(list_table(context, &list, &child, arena));
        }
    }
    for (uint32_t i = 0; i < list.count; i++) {
        struct table *table = NULL;

        TRY(define_open(context, &list.names[i], arena, &table));
        TRY(truncate_one(context, table, ast->restart, arena));
    }
    return STATUS_OK;
}
