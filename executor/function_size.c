/*
 * Sizes of relations and of the file, behind pg_relation_size and its kin (bind_regclass.c), in bytes. A relation
 * has the pages of its tree, leaves and inner ones, as the commits so far have left them: rows that a transaction
 * has not committed are in no page. Values in pages of their own are counted with the file only. A primary key
 * is the table's own tree, so its size is 0 and sums count no page twice; so is a view's or a sequence's.
 */
#include <string.h>

#include "executor/exec_private.h"
#include "executor/function.h"
#include "executor/search_path.h"
#include "kernel/database.h"
#include "pager/page.h"

enum part { PART_ROWS = 1, PART_INDEXES = 2 };

/* What a name leads to: a table (`index` UINT32_MAX), one of its indexes, or what has no tree (`table` NULL). */
struct sized {
    struct table *table;
    uint32_t index;
};

static enum status
find_index(const struct exec_context *context, struct ast_name *name, struct eval *eval,
           struct sized *out)
{
    struct ast_name place = *name;
    const char *text = NULL;

    TRY(catalog_find(context->txn, CATALOG_INDEX, name, eval->arena, &text, eval->error));
    place.name = text;
    TRY(table_find(context->txn, &place, eval->arena, &out->table, eval->error));
    for (out->index = 0; out->index < out->table->index_count; out->index++) {
        if (strcmp(out->table->indexes[out->index].name, name->name) == 0)
            return STATUS_OK;
    }
    return STATUS_NOT_FOUND;
}

/* STATUS_NOT_FOUND without an error set: there is nothing of that name. */
static enum status
find_sized(const struct exec_context *context, const struct value *text, struct eval *eval,
           struct sized *out)
{
    struct ast_name name, found;

    *out = (struct sized){NULL, UINT32_MAX};
    TRY(search_path_parse((const char *)text->bytes, text->size, eval->arena, &name, eval->error));
    TRY(search_path_find(context->txn, context->path, &name, "twiq", &found, eval->error));
    if (found.schema == NULL)
        found.schema = "public";
    enum status status =
        catalog_has(context->txn, CATALOG_TABLE, found.schema, found.name, eval->error);
    if (status == STATUS_OK)
        return table_find(context->txn, &found, eval->arena, &out->table, eval->error);
    if (status == STATUS_NOT_FOUND)
        status = find_index(context, &found, eval, out);
    if (status == STATUS_NOT_FOUND)
        status = catalog_has(context->txn, CATALOG_VIEW, found.schema, found.name, eval->error);
    if (status == STATUS_NOT_FOUND)
        status = catalog_has(context->txn, CATALOG_SEQUENCE, found.schema, found.name, eval->error);
    return status;
}

static enum status
add_tree(const struct exec_context *context, const struct sized *sized, uint32_t index,
         struct eval *eval, int64_t *size_io)
{
    struct qtdb_tree *tree = NULL;
    uint64_t pages = 0;

    TRY(table_tree(context->txn, sized->table, index, &tree, eval->error));
    TRY(database_page_count(context->txn, tree, &pages));
    *size_io += (int64_t)(pages * PAGE_SIZE);
    return STATUS_OK;
}

static enum status
add_parts(const struct exec_context *context, const struct sized *sized, uint32_t parts,
          struct eval *eval, int64_t *size_io)
{
    if (sized->table == NULL)
        return STATUS_OK;
    if ((parts & PART_ROWS) != 0)
        TRY(add_tree(context, sized, sized->index, eval, size_io));
    for (uint32_t i = 0; i < sized->table->index_count; i++) {
        if ((parts & PART_INDEXES) != 0 && sized->index == UINT32_MAX)
            TRY(add_tree(context, sized, i, eval, size_io));
    }
    return STATUS_OK;
}

/* The forks of PostgreSQL; we have the first. */
static enum status
read_fork(const struct value *value, struct eval *eval, bool *main_out)
{
    static const char *const names[] = {"main", "fsm", "vm", "init"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (value->size == strlen(names[i]) && memcmp(value->bytes, names[i], value->size) == 0) {
            *main_out = i == 0;
            return STATUS_OK;
        }
    }
    return sql_error_set(eval->error, "22023", -1, "invalid fork name");
}

static bool
is_number(const struct value *text)
{
    for (size_t i = 0; i < text->size; i++) {
        if (text->bytes[i] < '0' || text->bytes[i] > '9')
            return false;
    }
    return text->size > 0;
}

/* (name, known [, fork]). `known`: the catalog has given the name, so what is not found is a primary key. */
static enum status
call_size(const struct expr *expr, const struct value *arguments, struct eval *eval,
          struct value *out)
{
    const char *name = expr->function->name;
    uint32_t parts = PART_ROWS;
    struct sized sized;
    int64_t size = 0;
    bool main_fork = true;

    if (eval->context == NULL)
        return sql_error_set(eval->error, "0A000", expr->location, "%s cannot be used here", name);
    if (expr->argument_count > 2)
        TRY(read_fork(&arguments[2], eval, &main_fork));
    if (strcmp(name, "indexes size") == 0)
        parts = PART_INDEXES;
    else if (strcmp(name, "total size") == 0)
        parts = PART_ROWS | PART_INDEXES;
    *out = value_null(QTDB_TYPE_INT8);
    bool known = arguments[1].integer != 0;
    if (!known && is_number(&arguments[0]))
        return STATUS_OK;
    enum status status = find_sized(eval->context, &arguments[0], eval, &sized);
    if (status == STATUS_NOT_FOUND && !known)
        return sql_error_set(eval->error, "42P01", -1, "relation \"%.*s\" does not exist",
                             (int)arguments[0].size, (const char *)arguments[0].bytes);
    if (status != STATUS_NOT_FOUND)
        TRY(status);
    if (status == STATUS_OK && main_fork)
        TRY(add_parts(eval->context, &sized, parts, eval, &size));
    *out = value_integer(QTDB_TYPE_INT8, size);
    return STATUS_OK;
}

/* (name or number): of the one database, all pages of its file. The log is not among them. */
static enum status
call_database(const struct expr *expr, const struct value *arguments, struct eval *eval,
              struct value *out)
{
    const struct value *text = &arguments[0];
    struct qtdb_statistics statistics = {.size = sizeof(statistics)};

    if (eval->context == NULL || eval->context->db == NULL)
        return sql_error_set(eval->error, "0A000", expr->location, "%s cannot be used here",
                             "pg_database_size");
    *out = value_null(QTDB_TYPE_INT8);
    if (!(text->size == 4 && memcmp(text->bytes, "qtdb", 4) == 0) &&
        !(text->size == 1 && text->bytes[0] == '5'))
        return is_number(text)
                   ? STATUS_OK
                   : sql_error_set(eval->error, "3D000", -1, "database \"%.*s\" does not exist",
                                   (int)text->size, (const char *)text->bytes);
    qtdb_get_statistics(eval->context->db, &statistics);
    *out = value_integer(QTDB_TYPE_INT8, (int64_t)(statistics.page_count * PAGE_SIZE));
    return STATUS_OK;
}

#define TEXT QTDB_TYPE_TEXT
#define BOOL QTDB_TYPE_BOOL
#define INT8 QTDB_TYPE_INT8

const struct function function_size_table[] = {
    {"relation size", 2, 3, {TEXT, BOOL, TEXT}, INT8, false, false, call_size},
    {"table size", 2, 2, {TEXT, BOOL}, INT8, false, false, call_size},
    {"indexes size", 2, 2, {TEXT, BOOL}, INT8, false, false, call_size},
    {"total size", 2, 2, {TEXT, BOOL}, INT8, false, false, call_size},
    {"database size", 1, 1, {TEXT}, INT8, false, false, call_database},
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
