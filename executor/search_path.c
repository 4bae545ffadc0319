/* Looking names up along a path (search_path.h). A path of "public" alone costs nothing. */
#include "executor/search_path.h"

#include <string.h>

static bool
is_public_alone(const struct search_path *path)
{
    bool alone = true;

    for (uint32_t i = 0; path != NULL && i < path->count; i++)
        alone = alone &&
                (strcmp(path->names[i], "public") == 0 || strcmp(path->names[i], "$user") == 0);
    return alone && (path == NULL || path->count > 0);
}

bool
search_path_is_temporary(const char *schema)
{
    return strcmp(schema, "pg_temp") == 0 || strncmp(schema, "pg_temp_", 8) == 0;
}

/* A name with a schema. */
static enum status
find_temporary(const struct search_path *path, struct ast_name *name, struct sql_error *error)
{
    const char *own = path != NULL ? path->temporary : NULL;

    if (!search_path_is_temporary(name->schema))
        return STATUS_OK;
    if (strcmp(name->schema, "pg_temp") == 0)
        name->schema = own != NULL ? own : name->schema;
    else if (own == NULL || strcmp(name->schema, own) != 0)
        return sql_error_set(error, "0A000", name->location,
                             "cannot access temporary tables of other sessions");
    return STATUS_OK;
}

enum status
search_path_find(struct qtdb_txn *txn, const struct search_path *path, const struct ast_name *name,
                 const char *kinds, struct ast_name *out, struct sql_error *error)
{
    bool has_public = false;

    *out = *name;
    if (name->schema != NULL)
        return find_temporary(path, out, error);
    if (path != NULL && path->temporary != NULL) {
        for (const char *kind = kinds; *kind != '\0'; kind++) {
            enum status status =
                catalog_has(txn, (enum catalog_kind) * kind, path->temporary, name->name, error);

            if (status != STATUS_NOT_FOUND) {
                out->schema = path->temporary;
                return status;
            }
        }
    }
    if (path == NULL || is_public_alone(path))
        return STATUS_OK;
    for (uint32_t i = 0; i < path->count; i++) {
        has_public = has_public || strcmp(path->names[i], "public") == 0;
        out->schema = path->names[i];
        for (const char *kind = kinds; *kind != '\0'; kind++) {
            enum status status =
                catalog_has(txn, (enum catalog_kind) * kind, out->schema, name->name, error);

            if (status != STATUS_NOT_FOUND)
                return status;
        }
    }
    out->schema = has_public || path->count == 0 ? NULL : path->names[0];
    return STATUS_OK;
}

enum status
search_path_new(struct qtdb_txn *txn, const struct search_path *path, const struct ast_name *name,
                struct ast_name *out, struct sql_error *error)
{
    *out = *name;
    if (name->schema != NULL)
        return find_temporary(path, out, error);
    out->schema = "public";
    if (is_public_alone(path))
        return STATUS_OK;
    for (uint32_t i = 0; i < path->count; i++) {
        out->schema = path->names[i];
        enum status status = schema_find(txn, out->schema, error);
        if (status != STATUS_NOT_FOUND)
            return status;
    }
    return sql_error_set(error, "3F000", name->location,
                         "no schema has been selected to create in");
}

/* One part of a name, up to a point or the end. NULL: none, or no memory. */
static char *
take_part(const char **at, const char *end, struct arena *arena)
{
    char *part = arena_alloc(arena, (size_t)(end - *at) + 1);
    const char *place = *at;
    size_t size = 0;

    if (part == NULL)
        return NULL;
    bool quoted = place < end && *place == '"';
    if (quoted)
        place++;
    for (; place < end && (quoted || *place != '.'); place++) {
        char letter = *place;

        if (quoted && letter == '"') {
            if (place + 1 == end || place[1] != '"')
                break;
            place++;
        }
        if (!quoted && letter >= 'A' && letter <= 'Z')
            letter = (char)(letter + 32);
        part[size++] = letter;
    }
    if (quoted && (place == end || *place++ != '"'))
        size = 0;
    part[size] = '\0';
    *at = place;
    return part;
}

enum status
search_path_parse(const char *text, size_t size, struct arena *arena, struct ast_name *out,
                  struct sql_error *error)
{
    const char *at = text, *end = text + size;
    char *first = take_part(&at, end, arena), *second = NULL;

    *out = (struct ast_name){.location = -1};
    if (first == NULL)
        return STATUS_NO_MEMORY;
    out->name = first;
    if (at < end && *at == '.') {
        at++;
        second = take_part(&at, end, arena);
        if (second == NULL)
            return STATUS_NO_MEMORY;
        out->schema = first;
        out->name = second;
    }
    if (at != end || *first == '\0' || (second != NULL && *second == '\0'))
        return sql_error_set(error, "42602", -1, "invalid name syntax");
    return STATUS_OK;
}

/* Views. */

enum { STAMP_NAME = 1, STAMP_END = 2 };

enum status
search_path_stamp(const struct search_path *path, const char *text, size_t size,
                  struct arena *arena, char **out)
{
    size_t room = size + 3;

    for (uint32_t i = 0; path != NULL && i < path->count; i++)
        room += strlen(path->names[i]) + 1;
    char *stamped = arena_alloc(arena, room), *at = stamped;
    if (stamped == NULL)
        return STATUS_NO_MEMORY;
    if (!is_public_alone(path)) {
        *at++ = STAMP_NAME;
        for (uint32_t i = 0; i < path->count; i++) {
            size_t name_size = strlen(path->names[i]);

            memcpy(at, path->names[i], name_size);
            at += name_size;
            *at++ = STAMP_NAME;
        }
        *at++ = STAMP_END;
    }
    memcpy(at, text, size);
    at[size] = '\0';
    *out = stamped;
    return STATUS_OK;
}

enum status
search_path_unstamp(const char *stamped, struct arena *arena, const struct search_path **path_out,
                    const char **text_out)
{
    struct search_path *path;
    uint32_t count = 0;

    *path_out = NULL;
    *text_out = stamped;
    if (*stamped != STAMP_NAME)
        return STATUS_OK;
    for (const char *at = stamped; *at != '\0' && *at != STAMP_END; at++)
        count += *at == STAMP_NAME;
    path = arena_alloc(arena, sizeof(*path));
    const char **names = arena_alloc(arena, count * sizeof(*names));
    if (path == NULL || names == NULL)
        return STATUS_NO_MEMORY;
    const char *at = stamped + 1;
    for (uint32_t i = 0; i + 1 < count; i++) {
        const char *end = strchr(at, STAMP_NAME);

        names[i] = arena_copy_text(arena, at, (size_t)(end - at));
        if (names[i] == NULL)
            return STATUS_NO_MEMORY;
        at = end + 1;
    }
    path->count = count - 1;
    path->names = names;
    *path_out = path;
    *text_out = *at == STAMP_END ? at + 1 : at;
    return STATUS_OK;
}
