/*
 * CREATE TYPE ... AS ENUM, ALTER TYPE, DROP TYPE (enumeration.h).
 *
 * A label that is added gets a place between its neighbours', so that no value changes. Values keep their
 * label as text: a label's new name is written into every row that has it, in the same transaction.
 */
#include <string.h>

#include "executor/define.h"
#include "executor/enumeration.h"
#include "kernel/base/check.h"

/* Room between labels: 32 can be put one after the other in the same gap, 2^31 at the end. */
static const uint64_t PLACE_STEP = UINT64_C(1) << 32;

static enum status
check_label(const struct exec_context *context, const struct enumeration *type, const char *label)
{
    size_t size = strlen(label);

    if (size > ENUMERATION_LABEL_MAX)
        return sql_error_set(context->error, "42602", -1, "invalid enum label \"%s\"", label);
    if (type->count >= ENUMERATION_LABELS_MAX)
        return sql_error_set(context->error, "54000", -1, "an enum has at most %d labels",
                             ENUMERATION_LABELS_MAX);
    return STATUS_OK;
}

enum status
exec__create_enum(struct exec_context *context, const struct ast_enum *ast, struct arena *arena)
{
    struct enumeration type = {.id = 0};
    struct ast_name place;

    TRY(search_path_new(context->txn, context->path, &ast->name, &place, context->error));
    enum status status =
        catalog_has(context->txn, CATALOG_ENUM, place.schema, place.name, context->error);
    if (status == STATUS_OK)
        return sql_error_set(context->error, "42710", -1, "type \"%s\" already exists", place.name);
    if (status != STATUS_NOT_FOUND)
        return status;
    TRY(catalog_next_id(context->txn, &type.id, context->error));
    if (type.id > ENUMERATION_ID_MAX)
        return sql_error_set(context->error, "54000", -1,
                             "too many definitions have been made for another enum");
    type.schema = place.schema;
    type.name = place.name;
    type.labels = arena_alloc(arena, (ast->label_count + 1) * sizeof(*type.labels));
    if (type.labels == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < ast->label_count; i++) {
        TRY(check_label(context, &type, ast->labels[i]));
        if (enumeration_label_find(&type, ast->labels[i], strlen(ast->labels[i])) != UINT32_MAX)
            return sql_error_set(context->error, "23505", -1,
                                 "duplicate key value violates unique constraint "
                                 "\"pg_enum_typid_label_index\"");
        type.labels[type.count++] =
            (struct enumeration_label){(uint64_t)(i + 1) * PLACE_STEP, ast->labels[i]};
    }
    return enumeration_store(context->txn, &type, arena, context->error);
}

/* Finds the type; 42704 when there is none. */
static enum status
open_enum(struct exec_context *context, const struct ast_name *name, struct arena *arena,
          struct enumeration **out)
{
    struct ast_name place;

    TRY(search_path_find(context->txn, context->path, name, "e", &place, context->error));
    enum status status = enumeration_find(context->txn, &place, arena, out, context->error);
    if (status == STATUS_NOT_FOUND)
        return sql_error_set(context->error, "42704", name->location, "type \"%s\" does not exist",
                             name->name);
    return status;
}

/* ADD VALUE. */

static enum status
find_gap(const struct exec_context *context, const struct enumeration *type,
         const struct ast_enum *ast, uint32_t *at, uint64_t *place)
{
    uint64_t below, above;

    *at = type->count;
    if (ast->neighbour != NULL) {
        *at = enumeration_label_find(type, ast->neighbour, strlen(ast->neighbour));
        if (*at == UINT32_MAX)
            return sql_error_set(context->error, "22023", -1,
                                 "\"%s\" is not an existing enum label", ast->neighbour);
        *at += ast->after;
    }
    below = *at > 0 ? type->labels[*at - 1].place : 0;
    above = *at < type->count ? type->labels[*at].place : below + 2 * PLACE_STEP;
    if (above < below || above - below < 2)
        return sql_error_set(context->error, "54000", -1,
                             "no more labels fit between two of enum %s: make a new type and "
                             "ALTER COLUMN ... TYPE to it",
                             type->name);
    *place = below + (above - below) / 2;
    return STATUS_OK;
}

static enum status
add_value(struct exec_context *context, const struct ast_enum *ast, struct enumeration *type,
          struct arena *arena)
{
    const char *label = ast->labels[0];
    uint64_t place = 0;
    uint32_t at = 0;

    TRY(check_label(context, type, label));
    if (enumeration_label_find(type, label, strlen(label)) != UINT32_MAX)
        return ast->if_not_exists ? STATUS_OK
                                  : sql_error_set(context->error, "42710", -1,
                                                  "enum label \"%s\" already exists", label);
    TRY(find_gap(context, type, ast, &at, &place));
    memmove(&type->labels[at + 1], &type->labels[at], (type->count - at) * sizeof(*type->labels));
    type->labels[at] = (struct enumeration_label){place, label};
    type->count++;
    return enumeration_store(context->txn, type, arena, context->error);
}

/* Tables with columns of a type. */

struct users {
    struct arena *arena;
    uint32_t id;
    uint32_t count;
    uint32_t capacity;
    struct ast_name *tables;
    struct exec_context *context;
};

static bool
is_of(const struct sql_type *type, uint32_t id)
{
    return value_is_enum(value_element(type->type)) && value_enum_id(type->type) == id;
}

static bool
uses(const struct table *table, uint32_t id)
{
    bool found = false;

    for (uint32_t i = 0; i < table->column_count; i++)
        found = found || is_of(&table->columns[i].type, id);
    for (uint32_t i = 0; i < table->expr_count; i++)
        found = found || is_of(&table->exprs[i].type, id);
    return found;
}

static enum status
note_user(void *context, const char *schema, const char *name, const uint8_t *value, size_t size)
{
    struct users *users = context;
    struct table table = {.id = 0};
    enum status status = table_decode(value, size, users->arena, &table);

    if (status == STATUS_CORRUPT)
        return sql_error_set(users->context->error, "XX001", -1,
                             "the definition of table \"%s\" is damaged: run qtdb-check", name);
    TRY(status);
    if (!uses(&table, users->id))
        return STATUS_OK;
    if (users->count == users->capacity) {
        uint32_t capacity = 2 * users->capacity + 8;
        struct ast_name *tables = arena_alloc(users->arena, capacity * sizeof(*tables));

        if (tables == NULL)
            return STATUS_NO_MEMORY;
        if (users->count > 0)
            memcpy(tables, users->tables, users->count * sizeof(*tables));
        users->tables = tables;
        users->capacity = capacity;
    }
    struct ast_name *out = &users->tables[users->count++];
    *out = (struct ast_name){.schema = arena_copy_text(users->arena, schema, strlen(schema)),
                             .name = arena_copy_text(users->arena, name, strlen(name)),
                             .location = -1};
    return out->schema == NULL || out->name == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status
find_users(struct exec_context *context, uint32_t id, struct arena *arena, struct users *out)
{
    *out = (struct users){.arena = arena, .id = id, .context = context};
    return catalog_each(context->txn, CATALOG_TABLE, note_user, out, context->error);
}

/* RENAME VALUE. */

static enum status
rename_texts(struct exec_context *context, struct table *table, const struct enumeration *before,
             const struct enumeration *after, struct arena *arena)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct table_column *column = &table->columns[i];
        const char **texts[] = {&column->default_text, &column->missing};

        if (!is_of(&column->type, before->id))
            continue;
        for (int k = 0; k < 2; k++) {
            struct value value, changed;
            size_t size = 0;

            if (*texts[k] == NULL)
                continue;
            TRY(enumeration_parse(before, column->type.type, *texts[k], strlen(*texts[k]), arena,
                                  &value, context->error));
            TRY(enumeration_cast(after, &value, column->type.type, arena, &changed,
                                 context->error));
            *texts[k] = value_print(&changed, arena, &size);
            if (*texts[k] == NULL)
                return STATUS_NO_MEMORY;
        }
        column->enumeration = after;
    }
    return STATUS_OK;
}

/* Expressions are kept as texts, where a label stands as it was written. */
static enum status
refuse_rules(struct exec_context *context, const struct table *table)
{
    bool found = table->check_count > 0 || table->expr_count > 0;

    for (uint32_t i = 0; i < table->column_count; i++)
        found = found || table->columns[i].generated == TABLE_STORED;
    return found ? sql_error_set(context->error, "0A000", -1,
                                 "renaming a label is not supported yet where a table of the enum "
                                 "(\"%s\") has checks, generated columns or expressions in indexes",
                                 table->name)
                 : STATUS_OK;
}

static enum status
rewrite_table(struct exec_context *context, const struct ast_name *name,
              const struct enumeration *before, const struct enumeration *after,
              struct arena *arena)
{
    struct define define = {.context = context, .arena = arena};
    struct table *table = NULL, *to = NULL;

    TRY(define_open(context, name, arena, &table));
    TRY(table_find(context->txn, name, arena, &to, context->error));
    TRY(refuse_rules(context, table));
    struct expr *nodes = arena_alloc(arena, 2 * table->column_count * sizeof(*nodes));
    struct expr **places = arena_alloc(arena, 2 * table->column_count * sizeof(*places));
    if (nodes == NULL || places == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct expr *column = &nodes[2 * i], *cast = &nodes[2 * i + 1];

        *column =
            (struct expr){.kind = EXPR_COLUMN, .type = table->types[i], .location = -1, .index = i};
        places[i] = column;
        if (!is_of(&table->types[i], before->id))
            continue;
        *cast = (struct expr){.kind = EXPR_CAST,
                              .type = table->types[i],
                              .location = -1,
                              .enumeration = after,
                              .argument_count = 1,
                              .arguments = &places[table->column_count + i]};
        places[table->column_count + i] = column;
        places[i] = cast;
    }
    TRY(rename_texts(context, to, before, after, arena));
    define.table = to;
    TRY(define_rewrite(&define, table, to, places));
    return STATUS_OK;
}

static enum status
rename_value(struct exec_context *context, const struct ast_enum *ast, struct enumeration *type,
             struct arena *arena)
{
    uint32_t at = enumeration_label_find(type, ast->renamed, strlen(ast->renamed));
    const char *label = ast->labels[0];
    struct enumeration before = *type;
    struct users users;

    TRY(check_label(context, &(struct enumeration){.count = 0}, label));
    if (at == UINT32_MAX)
        return sql_error_set(context->error, "22023", -1, "\"%s\" is not an existing enum label",
                             ast->renamed);
    if (enumeration_label_find(type, label, strlen(label)) != UINT32_MAX)
        return sql_error_set(context->error, "42710", -1, "enum label \"%s\" already exists",
                             label);
    before.labels = arena_alloc(arena, type->count * sizeof(*type->labels));
    if (before.labels == NULL)
        return STATUS_NO_MEMORY;
    memcpy(before.labels, type->labels, type->count * sizeof(*type->labels));
    type->labels[at].text = label;
    TRY(find_users(context, type->id, arena, &users));
    for (uint32_t i = 0; i < users.count; i++)
        TRY(rewrite_table(context, &users.tables[i], &before, type, arena));
    return enumeration_store(context->txn, type, arena, context->error);
}

enum status
exec__alter_enum(struct exec_context *context, const struct ast_enum *ast, struct arena *arena)
{
    struct enumeration *type = NULL;

    TRY(open_enum(context, &ast->name, arena, &type));
    CHECK(type != NULL);
    return ast->renamed != NULL ? rename_value(context, ast, type, arena)
                                : add_value(context, ast, type, arena);
}

/* The type itself. */

enum status
exec__move_enum(struct exec_context *context, const struct ast_name *name, const char *schema,
                const char *to, struct arena *arena)
{
    const char *from = name->schema != NULL ? name->schema : "public";
    struct enumeration *type = NULL;

    TRY(open_enum(context, name, arena, &type));
    CHECK(type != NULL);
    type->schema = schema != NULL ? schema : from;
    type->name = to != NULL ? to : name->name;
    enum status status =
        catalog_has(context->txn, CATALOG_ENUM, type->schema, type->name, context->error);
    if (status == STATUS_OK)
        return sql_error_set(context->error, "42710", -1, "type \"%s\" already exists", type->name);
    if (status != STATUS_NOT_FOUND)
        return status;
    TRY(catalog_remove(context->txn, CATALOG_ENUM, from, name->name, context->error));
    return enumeration_store(context->txn, type, arena, context->error);
}

/* One at a time: what goes with a column may be another one. */
static enum status
drop_columns(struct exec_context *context, const struct ast_name *name,
             const struct enumeration *type, struct arena *arena)
{
    for (;;) {
        struct ast_alter drop = {.kind = AST_DROP_COLUMN, .cascade = true};
        struct ast_alter_table alter = {.table = *name, .count = 1, .alters = &drop};
        struct table *table = NULL;

        TRY(table_find(context->txn, name, arena, &table, context->error));
        for (uint32_t i = 0; i < table->column_count && drop.name == NULL; i++) {
            if (is_of(&table->columns[i].type, type->id))
                drop.name = table->columns[i].name;
        }
        if (drop.name != NULL) {
            TRY(exec__alter_table(context, &alter, arena));
            continue;
        }
        if (!uses(table, type->id))
            return STATUS_OK;
        return sql_error_set(context->error, "0A000", -1,
                             "cannot drop type %s and with it an index of table %s: drop it first",
                             type->name, name->name);
    }
}

enum status
exec__drop_enum(struct exec_context *context, const struct ast_name *name, bool cascade,
                struct arena *arena)
{
    const char *schema = name->schema != NULL ? name->schema : "public";
    struct enumeration *type = NULL;
    struct users users;

    TRY(enumeration_find(context->txn, name, arena, &type, context->error));
    CHECK(type != NULL);
    TRY(find_users(context, type->id, arena, &users));
    if (users.count > 0 && !cascade)
        return sql_error_set(context->error, "2BP01", -1,
                             "cannot drop type %s because other objects depend on it: table %s",
                             name->name, users.tables[0].name);
    for (uint32_t i = 0; i < users.count; i++)
        TRY(drop_columns(context, &users.tables[i], type, arena));
    return catalog_remove(context->txn, CATALOG_ENUM, schema, name->name, context->error);
}
