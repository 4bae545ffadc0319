/*
 * ALTER DATABASE ... SET search_path: a default that belongs to the file. Sessions that are opened from then on begin
 * with it, and RESET leads back to it; those that are open go on with theirs. Other settings have no such
 * default.
 */
#include <string.h>
#include <strings.h>

#include "executor/define.h"
#include "executor/session.h"
#include "kernel/base/error.h"

static const struct ast_name path_key = {"pg_catalog", "search_path", -1};

enum status
exec__alter_database(struct exec_context *context, const struct ast_set *ast)
{
    char text[SETTINGS_TEXT_SIZE];

    if (strcmp(ast->database, "qtdb") != 0)
        return sql_error_set(context->error, "3D000", -1,
                             "database \"%s\" does not exist: a file is one database, which is "
                             "called \"qtdb\"",
                             ast->database);
    if (ast->name != NULL && strcasecmp(ast->name, path_key.name) != 0)
        return sql_error_set(context->error, "0A000", -1,
                             "ALTER DATABASE ... SET takes \"search_path\" only, not \"%s\"",
                             ast->name);
    if (ast->what == AST_SET_VALUE) {
        TRY(settings_join(path_key.name, ast->values, ast->value_count, text, context->error));
        return catalog_put(context->txn, CATALOG_SETTING, &path_key, text, true, context->error);
    }
    enum status status = catalog_remove(context->txn, CATALOG_SETTING, path_key.schema,
                                        path_key.name, context->error);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status
find_path(struct qtdb_session *session, struct arena *arena, const char **out)
{
    struct sql_error error = {.location = -1};
    struct qtdb_txn *txn = NULL;

    TRY(session_begin(session, QTDB_READ_COMMITTED, true, NULL, &txn, &error));
    enum status status = catalog_find(txn, CATALOG_SETTING, &path_key, arena, out, &error);
    qtdb_rollback(txn);
    return status;
}

/* A file whose catalog cannot be read is still to be opened, for a rescue: it has no default then. */
enum status
session_take_defaults(struct qtdb_session *session)
{
    const char *path = NULL;
    struct arena arena;

    arena_init(&arena, session->memory, MEMORY_SQL);
    enum status status = find_path(session, &arena, &path);
    if (status == STATUS_OK)
        status = settings_set_file_path(session->settings, path);
    arena_deinit(&arena);
    if (status == STATUS_NO_MEMORY || status == STATUS_OK)
        return status;
    error_clear();
    return STATUS_OK;
}
