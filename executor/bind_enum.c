/*
 * Enum types in expressions: definitions by number, casts from texts, and the functions that give a type's
 * labels, whose results are constants.
 */
#include <string.h>

#include "executor/array.h"
#include "executor/bind_private.h"
#include "executor/search_path.h"
#include "kernel/base/check.h"

/* Each is read once a binding. */
enum status
bind__enumeration(struct bind *bind, enum qtdb_type type, const struct enumeration **out)
{
    uint32_t id = value_enum_id(type);
    struct bind__enum *known = bind->enums;

    while (known != NULL && known->type->id != id)
        known = known->next;
    if (known == NULL) {
        known = bind__take(bind, sizeof(*known));
        if (known == NULL)
            return STATUS_NO_MEMORY;
        TRY(enumeration_find_id(bind->txn, id, bind->arena, &known->type, bind->error));
        known->next = bind->enums;
        bind->enums = known;
    }
    *out = known->type;
    return STATUS_OK;
}

const char *
bind__type_name(struct bind *bind, enum qtdb_type type)
{
    const struct enumeration *found = NULL;

    if (!value_is_enum(value_element(type)))
        return value_type_name(type);
    if (bind__enumeration(bind, type, &found) != STATUS_OK)
        return value_type_name(type);
    if (!value_is_array(type))
        return found->name;
    size_t size = strlen(found->name);
    char *name = bind__take(bind, size + 3);
    if (name == NULL)
        return found->name;
    memcpy(name, found->name, size);
    memcpy(name + size, "[]", 3);
    return name;
}

enum status
bind__named_enum(struct bind *bind, const struct ast_type *ast, enum qtdb_type *out)
{
    struct ast_name name = {.schema = ast->schema, .name = ast->name, .location = ast->location};
    struct enumeration *found = NULL;
    struct ast_name place;

    if (bind->txn == NULL)
        return STATUS_NOT_FOUND;
    TRY(search_path_find(bind->txn, bind->path, &name, "e", &place, bind->error));
    TRY(enumeration_find(bind->txn, &place, bind->arena, &found, bind->error));
    CHECK(found != NULL);
    *out = value_enum_of(found->id);
    return STATUS_OK;
}

enum status
bind__cast_enum(struct bind *bind, struct expr *expr, const struct sql_type *type,
                struct expr **out)
{
    const struct enumeration *found = NULL;
    struct expr *cast = NULL;
    bool constant = expr->kind == EXPR_CONSTANT;

    TRY(bind__enumeration(bind, type->type, &found));
    CHECK(found != NULL);
    TRY(bind__new_expr(bind, constant ? EXPR_CONSTANT : EXPR_CAST, type->type, expr->location,
                       constant ? 0 : 1, &cast));
    *out = cast;
    if (!constant) {
        cast->arguments[0] = expr;
        cast->enumeration = found;
        return STATUS_OK;
    }
    enum status status = enumeration_cast(found, &expr->constant, type->type, bind->arena,
                                          &cast->constant, bind->error);
    if (status == STATUS_INVALID && bind->error->location < 0)
        bind->error->location = expr->location;
    return status;
}

/* enum_first, enum_last, enum_range. */

static bool
is_enum_function(const char *name)
{
    return strcmp(name, "enum_first") == 0 || strcmp(name, "enum_last") == 0 ||
           strcmp(name, "enum_range") == 0;
}

/* The labels from one to the other; null stands for an end. */
static enum status
make_range(struct bind *bind, const struct enumeration *type, const struct expr *expr,
           struct value *out)
{
    struct value *labels = bind__take(bind, (type->count + 1) * sizeof(*labels));
    uint32_t count = 0;

    if (labels == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < type->count; i++) {
        bool inside = true;

        TRY(enumeration_value(type, i, bind->arena, &labels[count]));
        for (uint32_t k = 0; k < expr->argument_count && expr->argument_count == 2; k++) {
            const struct value *bound = &expr->arguments[k]->constant;

            if (!bound->null && (k == 0 ? value_compare(bound, &labels[count]) > 0
                                        : value_compare(bound, &labels[count]) < 0))
                inside = false;
        }
        count += inside;
    }
    return array_make(value_enum_of(type->id), labels, count, NULL, bind->arena, out);
}

/* What pg_typeof says, which knows other types when it runs. */
static enum status
name_type(struct bind *bind, int32_t location, enum qtdb_type type, struct expr **out)
{
    const char *name = bind__type_name(bind, type);

    TRY(bind__new_expr(bind, EXPR_CONSTANT, QTDB_TYPE_TEXT, location, 0, out));
    (*out)->constant = value_bytes(QTDB_TYPE_TEXT, name, strlen(name));
    return STATUS_OK;
}

enum status
bind__enum_function(struct bind *bind, const struct ast_expr *ast, struct expr **arguments,
                    struct expr **out)
{
    const char *name = ast->names[ast->name_count - 1];
    uint32_t count = ast->argument_count;
    const struct enumeration *found = NULL;
    enum qtdb_type type = QTDB_TYPE_NULL;
    bool range;

    if (strcmp(name, "pg_typeof") == 0 && count == 1 &&
        value_is_enum(value_element(arguments[0]->type.type)))
        return name_type(bind, ast->location, arguments[0]->type.type, out);
    if (!is_enum_function(name))
        return STATUS_NOT_FOUND;
    range = strcmp(name, "enum_range") == 0;
    if (count == 0 || count > (range ? 2u : 1u))
        return STATUS_NOT_FOUND;
    for (uint32_t i = 0; i < count; i++) {
        if (value_is_enum(arguments[i]->type.type))
            type = arguments[i]->type.type;
    }
    if (type == QTDB_TYPE_NULL)
        return STATUS_NOT_FOUND;
    const struct sql_type wanted = {type, -1, -1};
    for (uint32_t i = 0; i < count; i++) {
        TRY(bind__cast(bind, arguments[i], &wanted, &arguments[i]));
        if (count == 2 && arguments[i]->kind != EXPR_CONSTANT)
            return bind__unsupported(bind, ast->location, "enum_range of what is no constant");
    }
    TRY(bind__enumeration(bind, type, &found));
    CHECK(found != NULL);
    TRY(bind__new_expr(bind, EXPR_CONSTANT, range ? value_array_of(type) : type, ast->location,
                       count, out));
    memcpy((*out)->arguments, arguments, count * sizeof(*arguments));
    if (!range && found->count == 0)
        return sql_error_set(bind->error, "55000", ast->location, "enum %s contains no values",
                             found->name);
    enum status status =
        range ? make_range(bind, found, *out, &(*out)->constant)
              : enumeration_value(found, strcmp(name, "enum_first") == 0 ? 0 : found->count - 1,
                                  bind->arena, &(*out)->constant);
    (*out)->argument_count = 0;
    return status;
}
