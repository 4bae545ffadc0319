/* What every conversion needs: errors, memory, depth, and names and types as they are written. */
#include <string.h>

#include "executor/ast_define.h"
#include "executor/pg_private.h"

/* Errors and memory. */

void *
pg__fail(struct pg__conversion *conversion, const char *sqlstate, int location, const char *message)
{
    if (conversion->status == STATUS_OK)
        conversion->status = sql_error_set(conversion->error, sqlstate, location, "%s", message);
    return NULL;
}

void *
pg__unsupported(struct pg__conversion *conversion, int location, const char *what)
{
    if (conversion->status == STATUS_OK)
        conversion->status =
            sql_error_set(conversion->error, "0A000", location, "%s is not supported yet", what);
    return NULL;
}

void *
pg__take(struct pg__conversion *conversion, size_t size)
{
    void *bytes = conversion->status == STATUS_OK ? arena_alloc(conversion->arena, size) : NULL;

    if (bytes == NULL && conversion->status == STATUS_OK)
        conversion->status = STATUS_NO_MEMORY;
    return bytes;
}

const char *
pg__copy(struct pg__conversion *conversion, const char *text)
{
    size_t size = strlen(text);
    char *bytes = pg__take(conversion, size + 1);

    if (bytes != NULL)
        memcpy(bytes, text, size + 1);
    return bytes;
}

bool
pg__enter(struct pg__conversion *conversion, int location)
{
    if (conversion->depth == PARSE_DEPTH_MAX) {
        (void)pg__fail(conversion, "54001", location,
                       "stack depth limit exceeded: the statement nests more than 1000 levels");
        return false;
    }
    conversion->depth++;
    return conversion->status == STATUS_OK;
}

void
pg__leave(struct pg__conversion *conversion)
{
    conversion->depth--;
}

/* Names and types. */

const char **
pg__names(struct pg__conversion *conversion, List *list, uint32_t *count_out)
{
    uint32_t count = (uint32_t)list_length(list);
    const char **names = pg__take(conversion, count * sizeof(*names));
    uint32_t used = 0;
    ListCell *cell;

    if (names == NULL)
        return NULL;
    foreach (cell, list) {
        if (IsA(lfirst(cell), String))
            names[used++] = pg__copy(conversion, strVal(lfirst(cell)));
    }
    *count_out = used;
    return names;
}

struct ast_name
pg__range_name(struct pg__conversion *conversion, RangeVar *range)
{
    struct ast_name name = {.location = range->location};

    if (range->catalogname != NULL)
        (void)pg__unsupported(conversion, range->location, "a database name before a schema");
    if (range->relpersistence == 'u')
        (void)pg__unsupported(conversion, range->location, "an unlogged table");
    if (range->relpersistence == 't' && range->schemaname == NULL)
        name.schema = "pg_temp";
    else if (range->relpersistence == 't' && strcmp(range->schemaname, "pg_temp") != 0)
        (void)pg__fail(conversion, "42P16", range->location,
                       "cannot create temporary relation in non-temporary schema");
    if (range->schemaname != NULL)
        name.schema = pg__copy(conversion, range->schemaname);
    name.name = pg__copy(conversion, range->relname);
    return name;
}

enum ast_on_commit
pg__on_commit(struct pg__conversion *conversion, const RangeVar *range, OnCommitAction action)
{
    if (action != ONCOMMIT_NOOP && range->relpersistence != 't')
        (void)pg__fail(conversion, "42P16", -1, "ON COMMIT can only be used on temporary tables");
    return action == ONCOMMIT_DELETE_ROWS ? AST_COMMIT_DELETE
           : action == ONCOMMIT_DROP      ? AST_COMMIT_DROP
                                          : AST_COMMIT_PRESERVE;
}

struct ast_type
pg__type(struct pg__conversion *conversion, TypeName *type)
{
    struct ast_type result = {.location = type->location};
    ListCell *cell;

    if (type->setof || type->pct_type || type->names == NIL)
        (void)pg__unsupported(conversion, type->location, "this form of type");
    else
        result.name = pg__copy(conversion, strVal(llast(type->names)));
    if (list_length(type->names) > 1 && strcmp(strVal(linitial(type->names)), "pg_catalog") != 0)
        result.schema =
            pg__copy(conversion, strVal(list_nth(type->names, list_length(type->names) - 2)));
    result.array_depth = (uint32_t)list_length(type->arrayBounds);
    foreach (cell, type->typmods) {
        Node *modifier = lfirst(cell);

        if (result.modifier_count == 2 || !IsA(modifier, A_Const) ||
            !IsA(&((A_Const *)modifier)->val, Integer))
            (void)pg__fail(conversion, "22023", type->location, "invalid type modifier");
        else
            result.modifiers[result.modifier_count++] = intVal(&((A_Const *)modifier)->val);
    }
    return result;
}
