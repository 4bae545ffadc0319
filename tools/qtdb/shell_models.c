/*
 * .models: how each tree's leaves are found. The names come from pg_catalog.qtdb_trees, the numbers from
 * qtdb_tree_get_statistics; they are shown as any rows are, by a query of constants.
 */
#include <stdio.h>
#include <string.h>

#include "tools/qtdb/shell.h"

struct models {
    struct shell *shell;
    struct qtdb_txn *txn;
    struct text_buffer sql;
    uint64_t count;
    bool failed;
};

static const char *
router_name(enum qtdb_router router)
{
    static const char *const names[] = {"auto", "tree", "rmi", "pla", "directory", "stored"};

    return (size_t)router < sizeof(names) / sizeof(names[0]) ? names[router] : "";
}

static void
add_number(struct text_buffer *sql, uint64_t number)
{
    text_buffer_print(sql, ", %llu::int8", (unsigned long long)number);
}

static void
add_text(struct text_buffer *sql, const char *text)
{
    text_buffer_add_text(sql, ", ");
    text_buffer_add_literal(sql, text, strlen(text));
}

/* The tree as it is: nothing is asked of its router. */
static bool
get_statistics(struct models *models, const char *tree, struct qtdb_tree_statistics *out)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .router = QTDB_ROUTER_STORED};
    struct qtdb_tree *handle = NULL;

    *out = (struct qtdb_tree_statistics){.size = sizeof(*out)};
    if (qtdb_tree_open(models->txn, tree, &options, &handle) != QTDB_OK)
        return false;
    qtdb_tree_get_statistics(handle, out);
    return true;
}

/* A row of qtdb_trees: schema, table, index or null, tree. */
static bool
add_model(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    struct models *models = context;
    struct text_buffer *sql = &models->sql;
    struct qtdb_tree_statistics statistics;

    (void)count;
    (void)names;
    if (!get_statistics(models, values[3], &statistics)) {
        models->failed = true;
        return false;
    }
    text_buffer_add_text(sql, models->count++ > 0 ? ",\n(" : "(");
    text_buffer_add_literal(sql, values[0], strlen(values[0]));
    add_text(sql, values[1]);
    if (values[2] != NULL)
        add_text(sql, values[2]);
    else
        text_buffer_add_text(sql, ", NULL");
    add_text(sql, router_name(statistics.router));
    add_text(sql, statistics.router_kind);
    add_text(sql, statistics.router_reason);
    add_number(sql, statistics.row_count);
    add_number(sql, statistics.leaf_count);
    add_number(sql, statistics.router_size);
    add_number(sql, statistics.model_count);
    add_number(sql, statistics.error_p50);
    add_number(sql, statistics.error_p99);
    add_number(sql, statistics.error_max);
    add_number(sql, statistics.routed_count);
    add_number(sql, statistics.tree_count);
    add_number(sql, statistics.hop_count);
    add_number(sql, statistics.fallback_count);
    text_buffer_add_char(sql, ')');
    return true;
}

static bool
collect(struct models *models)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .read_only = true};
    struct qtdb_session *session = NULL;
    enum qtdb_code code = qtdb_begin(models->shell->db, &options, &models->txn);

    if (code == QTDB_OK)
        code = qtdb_session_open(models->shell->db, &session);
    if (code == QTDB_OK)
        code = qtdb_exec(session, "SELECT * FROM pg_catalog.qtdb_trees", add_model, models);
    if (code != QTDB_OK) {
        tool_error(models->shell->tool, ".models: %s", qtdb_error_last()->message);
        models->shell->failed = true;
    }
    qtdb_session_close(session);
    qtdb_rollback(models->txn);
    return code == QTDB_OK;
}

bool
shell_print_models(struct shell *shell, const char *argument)
{
    struct shell_place place = {.file = NULL, .line = 1};
    struct models models = {.shell = shell};

    (void)argument;
    text_buffer_init(&models.sql, shell->env.memory);
    text_buffer_add_text(&models.sql, "SELECT * FROM (VALUES ");
    bool ok = collect(&models);
    text_buffer_add_text(&models.sql,
                         ") AS m (schema, \"table\", index, router, used, reason, keys, leaves, "
                         "bytes, models, error_p50, error_p99, error_max, routed, by_tree, hops, "
                         "fallbacks)");
    if (ok && models.sql.failed) {
        tool_error(shell->tool, ".models: no memory");
        shell->failed = true;
        ok = false;
    }
    if (ok && models.count > 0)
        ok = shell_run_statement(shell, models.sql.bytes, &place);
    text_buffer_deinit(&models.sql);
    return ok;
}
