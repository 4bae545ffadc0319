/*
 * Names: a column is looked for in its own query, then in the query around it, from where it comes in
 * through a slot.
 */
#include <string.h>

#include "executor/bind_private.h"
#include "kernel/base/check.h"

void
bind__scope_init(struct bind__scope *scope, struct bind__level *level, struct bind__cte *ctes)
{
    *scope = (struct bind__scope){.level = level, .ctes = ctes, .clause = "this clause"};
}

/* Slots. */

static enum status
grow_level(struct bind *bind, struct bind__level *level)
{
    uint32_t capacity = level->capacity == 0 ? 8 : 2 * level->capacity;
    struct expr **sources = bind__take(bind, capacity * sizeof(struct expr *));
    uint32_t *slots = bind__take(bind, capacity * sizeof(*slots));

    if (sources == NULL || slots == NULL)
        return STATUS_NO_MEMORY;
    if (level->count > 0) {
        memcpy(sources, level->sources, level->count * sizeof(struct expr *));
        memcpy(slots, level->slots, level->count * sizeof(*slots));
    }
    level->sources = sources;
    level->slots = slots;
    level->capacity = capacity;
    return STATUS_OK;
}

/* The slot through which `source`, of the query around, comes into this one. */
static enum status
slot_for(struct bind *bind, struct bind__level *level, struct expr *source, struct expr **out)
{
    uint32_t index = 0;

    CHECK(source != NULL);
    while (index < level->count && !expr_same(level->sources[index], source))
        index++;
    if (index == level->count) {
        if (level->count == level->capacity)
            TRY(grow_level(bind, level));
        level->sources[index] = source;
        level->slots[index] = bind->slot_count++;
        level->count++;
    }
    TRY(bind__new_expr(bind, EXPR_SLOT, source->type.type, source->location, 0, out));
    (*out)->index = level->slots[index];
    return STATUS_OK;
}

/* Looking up. STATUS_NOT_FOUND when the scope itself does not have it. */

static enum status
ambiguous(struct bind *bind, const struct ast_expr *ast, const char *what, const char *name)
{
    return sql_error_set(bind->error, what[0] == 'c' ? "42702" : "42P09", ast->location,
                         "%s reference \"%s\" is ambiguous", what, name);
}

static enum status
find_plain(struct bind *bind, const struct bind__scope *scope, const struct ast_expr *ast,
           struct expr **out)
{
    struct expr *found = NULL;

    for (uint32_t i = 0; i < scope->name_count; i++) {
        if (strcmp(scope->names[i].name, ast->names[0]) != 0)
            continue;
        if (found != NULL)
            return ambiguous(bind, ast, "column", ast->names[0]);
        found = scope->names[i].expr;
    }
    *out = found;
    return found != NULL ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status
find_table(struct bind *bind, const struct bind__scope *scope, const struct ast_expr *ast,
           const char *schema, const char *alias, const struct bind__table **out)
{
    const struct bind__table *found = NULL;

    for (const struct bind__table *table = scope->tables; table != NULL; table = table->next) {
        if (strcmp(table->alias, alias) != 0)
            continue;
        if (schema != NULL && (table->schema == NULL || strcmp(table->schema, schema) != 0))
            continue;
        if (found != NULL)
            return ambiguous(bind, ast, "table", alias);
        found = table;
    }
    *out = found;
    return found != NULL ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status
find_qualified(struct bind *bind, const struct bind__scope *scope, const struct ast_expr *ast,
               struct expr **out)
{
    const char *schema = ast->name_count == 3 ? ast->names[0] : NULL;
    const char *alias = ast->names[ast->name_count - 2];
    const char *name = ast->names[ast->name_count - 1];
    const struct bind__table *table = NULL;

    TRY(find_table(bind, scope, ast, schema, alias, &table));
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->names[i], name) == 0) {
            *out = table->exprs[i];
            return STATUS_OK;
        }
    }
    return sql_error_set(bind->error, "42703", ast->location, "column %s.%s does not exist", alias,
                         name);
}

static enum status
look_up(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct expr *outer = NULL;
    enum status status = ast->name_count == 1 ? find_plain(bind, scope, ast, out)
                                              : find_qualified(bind, scope, ast, out);

    if (status != STATUS_NOT_FOUND || scope->level->outer == NULL)
        return status;
    TRY(look_up(bind, scope->level->outer, ast, &outer));
    return slot_for(bind, scope->level, outer, out);
}

enum status
bind__name(struct bind *bind, struct bind__scope *scope, const struct ast_expr *ast,
           struct expr **out)
{
    struct expr *found = NULL, *placed = bind__take(bind, sizeof(*placed));

    if (placed == NULL)
        return STATUS_NO_MEMORY;
    if (ast->name_count > 3)
        return bind__unsupported(bind, ast->location, "a name of more than three parts");
    enum status status = look_up(bind, scope, ast, &found);
    if (status == STATUS_NOT_FOUND && ast->name_count > 1)
        return sql_error_set(bind->error, "42P01", ast->location,
                             "missing FROM-clause entry for table \"%s\"",
                             ast->names[ast->name_count - 2]);
    if (status == STATUS_NOT_FOUND)
        return sql_error_set(bind->error, "42703", ast->location, "column \"%s\" does not exist",
                             ast->names[0]);
    TRY(status);
    CHECK(found != NULL);
    *placed = *found;
    placed->location = ast->location;
    *out = placed;
    return STATUS_OK;
}

enum status
bind__star(struct bind *bind, const struct bind__scope *scope, const struct ast_expr *ast,
           struct bind__name **out, uint32_t *count_out)
{
    const struct bind__table *table = NULL;

    if (ast->name_count == 0) {
        if (scope->tables == NULL)
            return sql_error_set(bind->error, "42601", ast->location,
                                 "SELECT * with no tables specified is not valid");
        *out = scope->names;
        *count_out = scope->name_count;
        return STATUS_OK;
    }
    const char *alias = ast->names[ast->name_count - 1];
    enum status status =
        find_table(bind, scope, ast, ast->name_count > 1 ? ast->names[0] : NULL, alias, &table);
    if (status == STATUS_NOT_FOUND)
        return sql_error_set(bind->error, "42P01", ast->location,
                             "missing FROM-clause entry for table \"%s\"", alias);
    TRY(status);
    CHECK(table != NULL);
    struct bind__name *names = bind__take(bind, table->column_count * sizeof(*names));
    if (names == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < table->column_count; i++)
        names[i] = (struct bind__name){table->names[i], table->exprs[i]};
    *out = names;
    *count_out = table->column_count;
    return STATUS_OK;
}

/* Filling a scope. */

static enum status
name_columns(struct bind *bind, const struct rel *rel, const struct ast_from *from,
             struct bind__table *table)
{
    if (from != NULL && from->column_name_count > table->column_count)
        return sql_error_set(bind->error, "42P10", from->table.location,
                             "table \"%s\" has %u columns available but %u columns specified",
                             table->alias, table->column_count, from->column_name_count);
    for (uint32_t i = 0; i < table->column_count; i++) {
        bool renamed = from != NULL && i < from->column_name_count;

        table->names[i] = renamed ? from->column_names[i] : rel->columns[i].name;
        TRY(bind__column(bind, rel, i, &table->exprs[i]));
    }
    return STATUS_OK;
}

enum status
bind__add_table(struct bind *bind, struct bind__scope *scope, const struct rel *rel,
                uint32_t column_count, const char *alias, const char *schema,
                const struct ast_from *from)
{
    struct bind__table *table = bind__take(bind, sizeof(*table));
    struct bind__name *names =
        bind__take(bind, (scope->name_count + column_count) * sizeof(*names));

    if (table == NULL || names == NULL)
        return STATUS_NO_MEMORY;
    *table = (struct bind__table){
        .alias = alias, .schema = schema, .column_count = column_count, .next = scope->tables};
    table->names = bind__take(bind, column_count * sizeof(const char *));
    table->exprs = bind__take(bind, column_count * sizeof(struct expr *));
    if (table->names == NULL || table->exprs == NULL)
        return STATUS_NO_MEMORY;
    TRY(name_columns(bind, rel, from, table));
    if (scope->name_count > 0)
        memcpy(names, scope->names, scope->name_count * sizeof(*names));
    for (uint32_t i = 0; i < column_count; i++)
        names[scope->name_count + i] = (struct bind__name){table->names[i], table->exprs[i]};
    scope->tables = table;
    scope->names = names;
    scope->name_count += column_count;
    return STATUS_OK;
}

enum status
bind__borrow(struct bind *bind, struct bind__level *level, struct expr *source, uint32_t slot)
{
    for (uint32_t i = 0; i < level->count; i++) {
        if (level->slots[i] == slot)
            return STATUS_OK;
    }
    if (level->count == level->capacity)
        TRY(grow_level(bind, level));
    level->sources[level->count] = source;
    level->slots[level->count++] = slot;
    return STATUS_OK;
}
