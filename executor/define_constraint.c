/* Constraints of definitions: keys, UNIQUE, CHECK, REFERENCES (define.h). */
#include <stdio.h>
#include <string.h>

#include "executor/ast_print.h"
#include "executor/define.h"
#include "kernel/base/check.h"

bool
define_is_name(const struct table *table, const char *schema, const char *name)
{
    return strcmp(table->schema, schema) == 0 && strcmp(table->name, name) == 0;
}

/* Names. */

static bool
name_taken(const struct define *define, const char *name)
{
    const struct table *table = define->table;
    const char *key = table->key_count > 0 ? table_key_name(table, define->arena) : NULL;

    if (key != NULL && strcmp(key, name) == 0)
        return true;
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (strcmp(table->indexes[i].name, name) == 0)
            return true;
    }
    for (uint32_t i = 0; i < table->check_count; i++) {
        if (strcmp(table->checks[i].name, name) == 0)
            return true;
    }
    for (uint32_t i = 0; i < table->foreign_count; i++) {
        if (strcmp(table->foreigns[i].name, name) == 0)
            return true;
    }
    return false;
}

/* The given name, or TABLE_COLUMNS_WORD with a number when that is taken. */
static enum status
choose_name(struct define *define, const struct ast_constraint *ast, const char *const *columns,
            uint32_t count, const char *word, const char **out)
{
    char base[QTDB_NAME_SIZE_MAX], name[QTDB_NAME_SIZE_MAX + 40];

    *out = ast->name;
    if (ast->name != NULL && name_taken(define, ast->name))
        return sql_error_set(define->context->error, "42710", -1,
                             "constraint \"%s\" for relation \"%s\" already exists", ast->name,
                             define->table->name);
    if (ast->name != NULL)
        return STATUS_OK;
    int size = snprintf(base, sizeof(base), "%.60s", define->table->name);
    for (uint32_t i = 0; i < count && size < 100; i++)
        size += snprintf(base + size, sizeof(base) - (size_t)size, "_%.60s", columns[i]);
    for (uint32_t number = 0; number == 0 || name_taken(define, name); number++)
        (void)snprintf(name, sizeof(name), number == 0 ? "%s_%s" : "%s_%s%u", base, word, number);
    *out = arena_copy_text(define->arena, name, strlen(name));
    return *out == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

/* Keys. */

/* Lists grow by one: what was there is copied. */
static void *
grow(struct define *define, const void *list, uint32_t count, size_t size)
{
    void *grown = arena_alloc(define->arena, ((size_t)count + 2) * size);

    if (grown != NULL && count > 0)
        memcpy(grown, list, count * size);
    return grown;
}

static enum status
find_key_columns(struct define *define, const char *const *names, uint32_t count, int32_t location,
                 uint32_t *out)
{
    if (count > TABLE_KEY_COLUMNS_MAX)
        return sql_error_set(define->context->error, "54011", location,
                             "a key has more than %d columns", TABLE_KEY_COLUMNS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = table_column_find(define->table, names[i]);
        if (out[i] == UINT32_MAX)
            return sql_error_set(define->context->error, "42703", location,
                                 "column \"%s\" named in key does not exist", names[i]);
        for (uint32_t k = 0; k < i; k++) {
            if (out[k] == out[i])
                return sql_error_set(define->context->error, "42701", location,
                                     "column \"%s\" appears twice in key", names[i]);
        }
        if (define->table->types[out[i]].type == QTDB_TYPE_JSON)
            return sql_error_set(define->context->error, "42704", location,
                                 "data type json has no default operator class for access method "
                                 "\"btree\"");
    }
    return STATUS_OK;
}

static enum status
add_key(struct define *define, const struct ast_constraint *ast, const char *const *names,
        uint32_t count)
{
    struct table *table = define->table;

    if (table->key_count > 0)
        return sql_error_set(define->context->error, "42P16", ast->location,
                             "multiple primary keys for table \"%s\" are not allowed", table->name);
    TRY(find_key_columns(define, names, count, ast->location, table->keys));
    TRY(choose_name(define, ast, NULL, 0, "pkey", &table->key_name));
    for (uint32_t i = 0; i < count; i++)
        table->columns[table->keys[i]].not_null = true;
    table->key_count = count;
    return STATUS_OK;
}

static enum status
add_unique(struct define *define, const struct ast_constraint *ast, const char *const *names,
           uint32_t count)
{
    struct table *table = define->table;
    struct table_index unique = {.id = table->next_index,
                                 .unique = true,
                                 .constraint = true,
                                 .nulls_equal = ast->nulls_equal};

    if (table->index_count == TABLE_INDEX_MAX)
        return sql_error_set(define->context->error, "54011", ast->location,
                             "table \"%s\" has more than %d indexes", table->name, TABLE_INDEX_MAX);
    TRY(find_key_columns(define, names, count, ast->location, unique.columns));
    TRY(choose_name(define, ast, names, count, "key", &unique.name));
    unique.column_count = count;
    table->indexes = grow(define, table->indexes, table->index_count, sizeof(unique));
    if (table->indexes == NULL)
        return STATUS_NO_MEMORY;
    table->indexes[table->index_count++] = unique;
    table->next_index++;
    return STATUS_OK;
}

static enum status
check_room(struct define *define, uint32_t count, int32_t location)
{
    return count < TABLE_RULES_MAX
               ? STATUS_OK
               : sql_error_set(define->context->error, "54011", location,
                               "table \"%s\" has more than %d constraints of one kind",
                               define->table->name, TABLE_RULES_MAX);
}

static enum status
add_check(struct define *define, const struct ast_constraint *ast)
{
    static const struct sql_type boolean = {QTDB_TYPE_BOOL, -1, -1};
    struct bind bind = define_bind(define->context, define->arena);
    struct table *table = define->table;
    struct table_check check = {.not_valid = ast->not_valid};
    const char *only = NULL;
    struct expr *expr = NULL;
    uint32_t named = 0;

    TRY(check_room(define, table->check_count, ast->location));
    TRY(ast_print(ast->expr, define->arena, &check.text, define->context->error));
    TRY(rules_bind_one(&bind, table, ast->expr, "CHECK", &boolean, &expr));
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!ast_names_column(ast->expr, table->columns[i].name))
            continue;
        only = table->columns[i].name;
        named++;
    }
    TRY(choose_name(define, ast, &only, named == 1 ? 1 : 0, "check", &check.name));
    table->checks = grow(define, table->checks, table->check_count, sizeof(check));
    if (table->checks == NULL)
        return STATUS_NO_MEMORY;
    table->checks[table->check_count++] = check;
    return STATUS_OK;
}

/* Foreign keys. */

static enum status
no_unique(struct define *define, const struct ast_constraint *ast, const struct table *parent)
{
    return sql_error_set(define->context->error, "42830", ast->location,
                         "there is no unique constraint matching given keys for referenced table "
                         "\"%s\"",
                         parent->name);
}

static bool
same_set(const uint32_t *left, const uint32_t *right, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bool found = false;

        for (uint32_t k = 0; k < count; k++)
            found = found || left[i] == right[k];
        if (!found)
            return false;
    }
    return true;
}

static bool
is_unique(const struct table *parent, const uint32_t *columns, uint32_t count)
{
    if (parent->key_count == count && same_set(columns, parent->keys, count))
        return true;
    for (uint32_t i = 0; i < parent->index_count; i++) {
        const struct table_index *index = &parent->indexes[i];

        if (index->unique && index->predicate == 0 && index->column_count == count &&
            same_set(columns, index->columns, count))
            return true;
    }
    return false;
}

/* The parent's columns: those named, or its primary key. */
static enum status
find_parents(struct define *define, const struct ast_constraint *ast, const struct table *parent,
             struct table_foreign *foreign, uint32_t *columns)
{
    uint32_t count = ast->foreign_count > 0 ? ast->foreign_count : parent->key_count;

    if (count == 0)
        return sql_error_set(define->context->error, "42704", ast->location,
                             "there is no primary key for referenced table \"%s\"", parent->name);
    if (count != foreign->column_count)
        return sql_error_set(define->context->error, "42830", ast->location,
                             "number of referencing and referenced columns for foreign key "
                             "disagree");
    for (uint32_t i = 0; i < count; i++) {
        columns[i] = ast->foreign_count > 0 ? table_column_find(parent, ast->foreign_columns[i])
                                            : parent->keys[i];
        if (columns[i] == UINT32_MAX)
            return sql_error_set(
                define->context->error, "42703", ast->location,
                "column \"%s\" referenced in foreign key constraint does not exist",
                ast->foreign_columns[i]);
        foreign->parents[i] = parent->columns[columns[i]].name;
    }
    return is_unique(parent, columns, count) ? STATUS_OK : no_unique(define, ast, parent);
}

static bool
compares(enum qtdb_type left, enum qtdb_type right)
{
    bool left_number = left >= QTDB_TYPE_INT2 && left <= QTDB_TYPE_NUMERIC;
    bool right_number = right >= QTDB_TYPE_INT2 && right <= QTDB_TYPE_NUMERIC;
    bool left_text = left >= QTDB_TYPE_TEXT && left <= QTDB_TYPE_CHAR;
    bool right_text = right >= QTDB_TYPE_TEXT && right <= QTDB_TYPE_CHAR;

    return left == right || (left_number && right_number) || (left_text && right_text);
}

static enum status
check_types(struct define *define, const struct ast_constraint *ast, const struct table *parent,
            const struct table_foreign *foreign, const uint32_t *columns)
{
    for (uint32_t i = 0; i < foreign->column_count; i++) {
        const struct table_column *column = &define->table->columns[foreign->columns[i]];
        enum qtdb_type type = parent->types[columns[i]].type;

        if (!compares(column->type.type, type))
            return sql_error_set(
                define->context->error, "42804", ast->location,
                "foreign key constraint \"%s\" cannot be implemented: \"%s\" is of "
                "type %s and \"%s\" of type %s",
                foreign->name, column->name, value_type_name(column->type.type),
                foreign->parents[i], value_type_name(type));
        if (column->generated == TABLE_STORED &&
            (foreign->on_update >= TABLE_CASCADE || foreign->on_delete >= TABLE_SET_NULL))
            return sql_error_set(define->context->error, "42601", ast->location,
                                 "invalid ON UPDATE or ON DELETE action for foreign key constraint "
                                 "containing generated column");
    }
    return STATUS_OK;
}

static enum status
add_foreign(struct define *define, const struct ast_constraint *ast, const char *const *names,
            uint32_t count)
{
    struct exec_context *context = define->context;
    struct table *table = define->table, *parent = NULL;
    struct table_foreign foreign = {.on_update = (enum table_action)ast->on_update,
                                    .on_delete = (enum table_action)ast->on_delete,
                                    .not_valid = ast->not_valid};
    uint32_t columns[TABLE_KEY_COLUMNS_MAX] = {0};
    struct ast_name found;

    TRY(check_room(define, table->foreign_count, ast->location));
    TRY(find_key_columns(define, names, count, ast->location, foreign.columns));
    foreign.column_count = count;
    TRY(search_path_find(context->txn, context->path, &ast->foreign_table, "t", &found,
                         context->error));
    if (define_is_name(table, found.schema != NULL ? found.schema : "public", found.name))
        parent = table;
    else
        TRY(table_find(context->txn, &found, define->arena, &parent, context->error));
    TRY(find_parents(define, ast, parent, &foreign, columns));
    TRY(choose_name(define, ast, names, count, "fkey", &foreign.name));
    TRY(check_types(define, ast, parent, &foreign, columns));
    if (search_path_is_temporary(parent->schema) != search_path_is_temporary(table->schema))
        return sql_error_set(context->error, "42P16", -1,
                             "constraints on %s tables may reference only %s tables",
                             search_path_is_temporary(table->schema) ? "temporary" : "permanent",
                             search_path_is_temporary(table->schema) ? "temporary" : "permanent");
    foreign.schema = parent->schema;
    foreign.table = parent->name;
    table->foreigns = grow(define, table->foreigns, table->foreign_count, sizeof(foreign));
    if (table->foreigns == NULL)
        return STATUS_NO_MEMORY;
    table->foreigns[table->foreign_count++] = foreign;
    return STATUS_OK;
}

enum status
define_constraint(struct define *define, const struct ast_constraint *ast, uint32_t column)
{
    bool of_column = column != UINT32_MAX;
    const char *const *names = of_column ? &define->table->columns[column].name : ast->columns;
    uint32_t count = of_column ? 1 : ast->column_count;

    switch (ast->kind) {
    case AST_CONSTRAINT_PRIMARY_KEY:
        return add_key(define, ast, names, count);
    case AST_CONSTRAINT_UNIQUE:
        return add_unique(define, ast, names, count);
    case AST_CONSTRAINT_CHECK:
        return add_check(define, ast);
    case AST_CONSTRAINT_REFERENCES:
        return add_foreign(define, ast, names, count);
    default:
        return STATUS_OK; /* Those of columns are define_column's. */
    }
}

/* What the table referred to knows. */

static enum status
open_other(struct define *define, const char *schema, const char *name, struct table **out)
{
    struct ast_name place = {.schema = schema, .name = name, .location = -1};

    if (define->table != NULL && define_is_name(define->table, schema, name)) {
        *out = define->table;
        return STATUS_OK;
    }
    return define_open(define->context, &place, define->arena, out);
}

enum status
define_link(struct define *define, const struct table_foreign *foreign)
{
    const struct table *child = define->table;
    struct table *parent = NULL;

    TRY(open_other(define, foreign->schema, foreign->table, &parent));
    for (uint32_t i = 0; i < parent->reference_count; i++) {
        if (define_is_name(child, parent->references[i].schema, parent->references[i].table))
            return STATUS_OK;
    }
    TRY(check_room(define, parent->reference_count, -1));
    parent->references =
        grow(define, parent->references, parent->reference_count, sizeof(*parent->references));
    if (parent->references == NULL)
        return STATUS_NO_MEMORY;
    parent->references[parent->reference_count++] =
        (struct table_reference){child->schema, child->name};
    return table_replace(define->context->txn, parent, define->arena, define->context->error);
}

enum status
define_unlink(struct define *define, const struct table *child, const char *schema,
              const char *table)
{
    struct table *parent = NULL;

    for (uint32_t i = 0; i < child->foreign_count; i++) {
        if (strcmp(child->foreigns[i].schema, schema) == 0 &&
            strcmp(child->foreigns[i].table, table) == 0)
            return STATUS_OK;
    }
    TRY(open_other(define, schema, table, &parent));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < parent->reference_count; i++) {
        if (!define_is_name(child, parent->references[i].schema, parent->references[i].table))
            parent->references[kept++] = parent->references[i];
    }
    parent->reference_count = kept;
    return table_replace(define->context->txn, parent, define->arena, define->context->error);
}

enum status
define_drop_foreigns(struct define *define, const char *child_schema, const char *child,
                     const char *schema, const char *table)
{
    struct table *target = NULL;
    uint32_t kept = 0;

    TRY(open_other(define, child_schema, child, &target));
    for (uint32_t i = 0; i < target->foreign_count; i++) {
        if (strcmp(target->foreigns[i].schema, schema) != 0 ||
            strcmp(target->foreigns[i].table, table) != 0)
            target->foreigns[kept++] = target->foreigns[i];
    }
    target->foreign_count = kept;
    return table_replace(define->context->txn, target, define->arena, define->context->error);
}
