/* SET, RESET, SHOW, and the transactions that follow from them (session.h). */
#include <string.h>

#include "executor/ast_define.h"
#include "executor/session.h"
#include "kernel/base/check.h"

uint32_t
session_lock_timeout_ms(const struct qtdb_session *session)
{
    uint32_t lock_ms = settings_lock_timeout_ms(session->settings);
    uint32_t statement_ms = settings_statement_timeout_ms(session->settings);

    return lock_ms == 0 || (statement_ms != 0 && statement_ms < lock_ms) ? statement_ms : lock_ms;
}

enum status
session_begin(struct qtdb_session *session, enum qtdb_isolation isolation, bool read_only,
              struct qtdb_txn_statistics *statistics, struct qtdb_txn **out,
              struct sql_error *error)
{
    const struct settings *settings = session->settings;
    struct qtdb_txn_options options = {
        .size = sizeof(options),
        .read_only = read_only,
        .isolation = isolation,
        .durability = settings_asynchronous(settings) ? QTDB_ASYNC : QTDB_SYNC,
        .lock_timeout_ms = session_lock_timeout_ms(session),
        .statistics = statistics,
    };

    session->txn_number++;
    return sql_from_code(qtdb_begin(session->db, &options, out), error);
}

/* A block that has not run anything begins anew. */
static enum status
set_transaction(struct qtdb_session *session, const struct ast_transaction_modes *modes,
                struct sql_error *error)
{
    if (session->txn == NULL)
        return STATUS_OK; /* PostgreSQL warns that it has no effect. */
    if (session->used || session->savepoints != NULL)
        return sql_error_set(error, "25001", -1, "SET TRANSACTION must be called before any query");
    qtdb_rollback(session->txn);
    session->txn = NULL;
    if (modes->isolation >= 0)
        session->isolation = (enum qtdb_isolation)modes->isolation;
    if (modes->read_only >= 0)
        session->read_only = modes->read_only != 0;
    return session_begin(session, session->isolation, session->read_only, NULL, &session->txn,
                         error);
}

static const char *
isolation_name(enum qtdb_isolation isolation)
{
    return isolation == QTDB_SERIALIZABLE      ? "serializable"
           : isolation == QTDB_REPEATABLE_READ ? "repeatable read"
                                               : "read committed";
}

static enum status
set_characteristics(struct qtdb_session *session, const struct ast_transaction_modes *modes,
                    struct sql_error *error)
{
    bool block = session->txn != NULL;
    const char *isolation = isolation_name((enum qtdb_isolation)modes->isolation);
    const char *read_only = modes->read_only > 0 ? "on" : "off";

    if (modes->isolation >= 0)
        TRY(settings_set(session->settings, "default_transaction_isolation", &isolation, 1, false,
                         block, error));
    if (modes->read_only >= 0)
        TRY(settings_set(session->settings, "default_transaction_read_only", &read_only, 1, false,
                         block, error));
    return STATUS_OK;
}

/* SET transaction_isolation and transaction_read_only are SET TRANSACTION. False: it is another setting. */
static bool
read_modes(const struct ast_set *ast, struct ast_transaction_modes *out)
{
    static const struct {
        const char *text;
        enum qtdb_isolation isolation;
    } levels[] = {{"serializable", QTDB_SERIALIZABLE},
                  {"repeatable read", QTDB_REPEATABLE_READ},
                  {"read committed", QTDB_READ_COMMITTED},
                  {"read uncommitted", QTDB_READ_COMMITTED}};

    if (ast->what != AST_SET_VALUE || ast->value_count != 1)
        return false;
    *out = (struct ast_transaction_modes){-1, -1};
    if (strcmp(ast->name, "transaction_read_only") == 0)
        out->read_only = strcmp(ast->values[0], "on") == 0    ? 1
                         : strcmp(ast->values[0], "off") == 0 ? 0
                                                              : -1;
    for (size_t i = 0; i < 4 && strcmp(ast->name, "transaction_isolation") == 0; i++) {
        if (strcmp(ast->values[0], levels[i].text) == 0)
            out->isolation = (int32_t)levels[i].isolation;
    }
    return out->isolation >= 0 || out->read_only >= 0;
}

static enum status
set(struct qtdb_session *session, const struct ast_set *ast, struct sql_error *error)
{
    bool block = session->txn != NULL;
    struct ast_transaction_modes modes;

    TRY(session_refuse_aborted(session, error));
    if (read_modes(ast, &modes))
        return set_transaction(session, &modes, error);
    switch (ast->what) {
    case AST_SET_VALUE:
        return settings_set(session->settings, ast->name, ast->values, ast->value_count, ast->local,
                            block, error);
    case AST_SET_RESET:
        return settings_reset(session->settings, ast->name, ast->local, block, error);
    case AST_SET_TRANSACTION:
        return set_transaction(session, &ast->modes, error);
    default:
        CHECK(ast->what == AST_SET_SESSION);
        return set_characteristics(session, &ast->modes, error);
    }
}

enum status
session_set(struct qtdb_session *session, const struct ast_statement *ast, const char **tag_out,
            struct sql_error *error)
{
    enum status status = set(session, ast->set, error);

    *tag_out = ast->set->what == AST_SET_RESET && !ast->set->to_default ? "RESET" : "SET";
    if (status != STATUS_OK && session->txn != NULL)
        session->aborted = true;
    return status;
}

/* SHOW. */

static struct ast_expr *
text_expr(struct arena *arena, const char *text)
{
    struct ast_expr *cast = arena_alloc(arena, sizeof(*cast));
    struct ast_expr *expr = arena_alloc(arena, sizeof(*expr));
    struct ast_expr **arguments = arena_alloc(arena, sizeof(*arguments));

    if (cast == NULL || expr == NULL || arguments == NULL)
        return NULL;
    *expr = (struct ast_expr){.kind = AST_STRING, .location = -1, .text = text};
    arguments[0] = expr;
    *cast = (struct ast_expr){.kind = AST_CAST,
                              .location = -1,
                              .type = {.name = "text", .location = -1},
                              .argument_count = 1,
                              .arguments = arguments};
    return cast;
}

static enum status
show_one(const struct qtdb_session *session, const char *name, struct arena *arena,
         struct ast_select *out, struct sql_error *error)
{
    const char *shown = name, *value = NULL;

    if (strcmp(name, "transaction_isolation") == 0)
        value = isolation_name(session->txn != NULL ? session->isolation
                                                    : settings_isolation(session->settings));
    else if (strcmp(name, "transaction_read_only") == 0)
        value = (session->txn != NULL ? session->read_only : settings_read_only(session->settings))
                    ? "on"
                    : "off";
    else
        TRY(settings_get(session->settings, name, &shown, &value, error));
    out->targets = arena_alloc(arena, sizeof(*out->targets));
    if (out->targets == NULL)
        return STATUS_NO_MEMORY;
    out->targets[0] =
        (struct ast_target){.expr = text_expr(arena, value), .name = shown, .location = -1};
    out->target_count = 1;
    return out->targets[0].expr == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status
show_all(const struct qtdb_session *session, struct arena *arena, struct ast_select *out)
{
    static const char *const names[] = {"name", "setting", "description"};
    struct settings_fact fact;
    uint32_t count = 0;

    while (settings_at(session->settings, count, &fact))
        count++;
    struct ast_from *from = arena_alloc(arena, sizeof(*from));
    struct ast_select *values = arena_alloc(arena, sizeof(*values));
    out->from = arena_alloc(arena, sizeof(*out->from));
    out->targets = arena_alloc(arena, sizeof(*out->targets));
    struct ast_expr *star = arena_alloc(arena, sizeof(*star));
    if (from == NULL || values == NULL || out->from == NULL || out->targets == NULL || star == NULL)
        return STATUS_NO_MEMORY;
    *values = (struct ast_select){.location = -1, .row_count = count, .row_width = 3};
    values->rows = arena_alloc(arena, 3 * (size_t)count * sizeof(*values->rows));
    if (values->rows == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; settings_at(session->settings, i, &fact); i++) {
        struct ast_expr **row = values->rows + 3 * (size_t)i;

        row[0] = text_expr(arena, fact.name);
        row[1] = text_expr(arena, fact.value);
        row[2] = text_expr(arena, fact.description);
        if (row[0] == NULL || row[1] == NULL || row[2] == NULL)
            return STATUS_NO_MEMORY;
    }
    *from = (struct ast_from){.kind = AST_FROM_QUERY,
                              .alias = "settings",
                              .column_name_count = 3,
                              .column_names = (const char **)(uintptr_t)names,
                              .query = values};
    *star = (struct ast_expr){.kind = AST_STAR, .location = -1};
    out->from[0] = from;
    out->from_count = 1;
    out->targets[0] = (struct ast_target){.expr = star, .location = -1};
    out->target_count = 1;
    return STATUS_OK;
}

enum status
session_show(const struct qtdb_session *session, const struct ast_statement *ast,
             struct arena *arena, struct ast_statement *out, struct sql_error *error)
{
    struct ast_select *select = arena_alloc(arena, sizeof(*select));

    if (select == NULL)
        return STATUS_NO_MEMORY;
    *select = (struct ast_select){.location = -1};
    *out = (struct ast_statement){.kind = AST_SELECT, .select = select};
    return ast->set->name == NULL ? show_all(session, arena, select)
                                  : show_one(session, ast->set->name, arena, select, error);
}
