/*
 * Views: the text that defined one is parsed and bound where its name stands, in a scope of its own.
 * What it means is settled anew each time, so it follows changes of its tables or fails by name.
 */
#include <string.h>

#include "executor/ast_define.h"
#include "executor/bind_private.h"
#include "executor/search_path.h"
#include "kernel/base/check.h"

enum { VIEW_DEPTH_MAX = 100 };

static enum status
bind_definition(struct bind *bind, const struct ast_create_view *view, struct bind__query *out)
{
    struct bind__level *level = bind__take(bind, sizeof(*level));
    struct rel_column *columns;

    if (level == NULL)
        return STATUS_NO_MEMORY;
    TRY(bind__select(bind, level, NULL, view->query, out));
    if (view->column_name_count > out->column_count)
        return sql_error_set(bind->error, "42601", -1,
                             "CREATE VIEW specifies more column names than columns");
    columns = bind__take(bind, out->column_count * sizeof(*columns));
    if (columns == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < out->column_count; i++) {
        columns[i] = out->columns[i];
        if (i < view->column_name_count)
            columns[i].name = view->column_names[i];
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(columns[k].name, columns[i].name) == 0)
                return sql_error_set(bind->error, "42701", -1,
                                     "column \"%s\" specified more than once", columns[i].name);
        }
    }
    out->columns = columns;
    return STATUS_OK;
}

/* A temporary view sees its session's tables first. */
static enum status
see_temporary(struct bind *bind, const struct search_path **path)
{
    struct search_path *copy = bind__take(bind, sizeof(*copy));

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    if (*path != NULL)
        *copy = **path;
    copy->temporary = bind->path == NULL ? NULL : bind->path->temporary;
    *path = copy;
    return STATUS_OK;
}

enum status
bind__view_definition(struct bind *bind, const struct ast_name *name,
                      const struct search_path **path_out, const struct ast_create_view **out)
{
    struct ast_statement *statements = NULL;
    const char *text = NULL;
    uint32_t count = 0;

    TRY(catalog_find(bind->txn, CATALOG_VIEW, name, bind->arena, &text, bind->error));
    TRY(search_path_unstamp(text, bind->arena, path_out, &text));
    TRY(sql_parse(text, bind->arena, &statements, &count, bind->error));
    if (count != 1 || statements[0].kind != AST_CREATE_VIEW)
        return sql_error_set(bind->error, "XX001", name->location,
                             "the definition of view \"%s\" is damaged: run qtdb-check",
                             name->name);
    *out = statements[0].create_view;
    return name->schema != NULL && search_path_is_temporary(name->schema)
               ? see_temporary(bind, path_out)
               : STATUS_OK;
}

enum status
bind__view(struct bind *bind, const struct ast_name *name, struct bind__query *out)
{
    const struct search_path *outer = bind->path, *path = NULL;
    const struct ast_create_view *view = NULL;

    TRY(bind__view_definition(bind, name, &path, &view));
    CHECK(view != NULL);
    if (bind->view_depth == VIEW_DEPTH_MAX)
        return sql_error_set(bind->error, "42P17", name->location,
                             "infinite recursion detected in view \"%s\"", name->name);
    bind->view_depth++;
    bind->path = path;
    enum status status = bind_definition(bind, view, out);
    bind->path = outer;
    bind->view_depth--;
    /* Places in the view's text mean nothing in the statement's. */
    if (status == STATUS_INVALID)
        bind->error->location = name->location;
    return status;
}

/* OR REPLACE: the columns that are there stay, and further ones may follow. */
static enum status
check_replaced(struct bind *bind, const struct ast_name *place, const struct bind__query *query)
{
    struct bind__query old = {.rel = NULL};
    enum status status = bind__view(bind, place, &old);

    if (status == STATUS_INVALID) /* What it reads is gone: any columns will do. */
        *bind->error = (struct sql_error){.location = -1};
    if (status == STATUS_NOT_FOUND || status == STATUS_INVALID)
        return STATUS_OK;
    TRY(status);
    if (query->column_count < old.column_count)
        return sql_error_set(bind->error, "42P16", -1, "cannot drop columns from view");
    for (uint32_t i = 0; i < old.column_count; i++) {
        enum qtdb_type from = old.columns[i].type.type, to = query->columns[i].type.type;

        if (strcmp(old.columns[i].name, query->columns[i].name) != 0)
            return sql_error_set(bind->error, "42P16", -1,
                                 "cannot change name of view column \"%s\" to \"%s\"",
                                 old.columns[i].name, query->columns[i].name);
        if (from != to)
            return sql_error_set(bind->error, "42P16", -1,
                                 "cannot change data type of view column \"%s\" from %s to %s",
                                 old.columns[i].name, bind__type_name(bind, from),
                                 bind__type_name(bind, to));
    }
    return STATUS_OK;
}

enum status
bind_view(struct bind *bind, const struct ast_name *place, const struct ast_create_view *view)
{
    struct bind__view through = {.name = view->name.name};
    struct bind__query query;

    TRY(bind_definition(bind, view, &query));
    if (view->replace)
        TRY(check_replaced(bind, place, &query));
    if (view->check == AST_CHECK_NONE)
        return STATUS_OK;
    enum status status = bind__look_through(bind, view, "update", &through);
    if (status == STATUS_INVALID && strcmp(bind->error->sqlstate, "55000") == 0)
        return sql_error_set(
            bind->error, "0A000", -1,
            "WITH CHECK OPTION is supported only on automatically updatable views");
    return status;
}
