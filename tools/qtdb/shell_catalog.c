/*
 * .tables, .schema and the lists \di, \dv, \ds, \dT, \dn: what the catalog's tables say, asked for in a session of
 * its own, so that a failed transaction does not stand in the way. \d NAME: shell_describe.c.
 */
#include <stdio.h>
#include <string.h>

#include "tools/qtdb/shell.h"

struct wanted {
    const char *name; /* NULL: all. */
    uint64_t count;
};

bool
shell_ask(struct shell *shell, const char *sql, shell_row_fn each, void *context)
{
    struct qtdb_session *session = NULL;
    enum qtdb_code code = qtdb_session_open(shell->db, &session);

    if (code == QTDB_OK)
        code = qtdb_exec(session, sql, each, context);
    if (code != QTDB_OK) {
        tool_error(shell->tool, "the catalog: %s", qtdb_error_last()->message);
        shell->failed = true;
    }
    qtdb_session_close(session);
    return code == QTDB_OK;
}

/* Names that SQL takes only in quotes get them. */
static void
add_name(struct text_buffer *out, const char *name)
{
    bool plain = (name[0] >= 'a' && name[0] <= 'z') || name[0] == '_';

    for (const char *at = name; plain && *at != '\0'; at++)
        plain = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_';
    if (plain)
        text_buffer_add_text(out, name);
    else
        text_buffer_add_identifier(out, name);
}

static bool
print_name(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    struct shell *shell = context;
    struct text_buffer line;

    (void)count;
    (void)names;
    text_buffer_init(&line, shell->env.memory);
    if (strcmp(values[0], "public") != 0) {
        add_name(&line, values[0]);
        text_buffer_add_char(&line, '.');
    }
    add_name(&line, values[1]);
    if (!line.failed)
        printf("%s\n", line.bytes);
    text_buffer_deinit(&line);
    return true;
}

bool
shell_print_tables(struct shell *shell, const char *argument)
{
    (void)argument;
    return shell_ask(shell,
                     "SELECT schema, name FROM pg_catalog.qtdb_definitions WHERE kind = 'table'",
                     print_name, shell);
}

/* NAME or SCHEMA.NAME. */
static bool
is_wanted(const char *schema, const char *table, const char *name)
{
    size_t schema_size = strlen(schema);

    return name == NULL || strcmp(table, name) == 0 ||
           (strncmp(name, schema, schema_size) == 0 && name[schema_size] == '.' &&
            strcmp(name + schema_size + 1, table) == 0);
}

static bool
print_definition(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    struct wanted *wanted = context;

    (void)count;
    (void)names;
    if (!is_wanted(values[0], values[1], wanted->name))
        return true;
    printf("%s;\n", values[2]);
    wanted->count++;
    return true;
}

bool
shell_print_schema(struct shell *shell, const char *name)
{
    struct wanted wanted = {.name = name};

    if (!shell_ask(shell, "SELECT schema, name, definition FROM pg_catalog.qtdb_definitions",
                   print_definition, &wanted))
        return false;
    if (name == NULL || wanted.count > 0)
        return true;
    tool_error(shell->tool, "there is no table %s", name);
    shell->failed = true;
    return false;
}

bool
shell_show(struct shell *shell, const char *sql)
{
    struct qtdb_session *session = NULL;
    struct qtdb_statement *statement = NULL;
    enum qtdb_code code = qtdb_session_open(shell->db, &session);
    bool ok = true;

    if (code == QTDB_OK)
        code = qtdb_prepare(session, sql, &statement, NULL);
    if (code == QTDB_OK) {
        ok = output_begin(&shell->output, statement);
        for (code = qtdb_step(statement); ok && code == QTDB_ROW; code = qtdb_step(statement))
            ok = output_row(&shell->output, statement);
        ok = output_end(&shell->output, ok) && ok;
    }
    if (!ok)
        tool_error(shell->tool, "standard output cannot be written");
    else if (code != QTDB_DONE)
        tool_error(shell->tool, "the catalog: %s", qtdb_error_last()->message);
    ok = ok && code == QTDB_DONE;
    shell->failed = shell->failed || !ok;
    qtdb_finalize(statement);
    qtdb_session_close(session);
    return ok;
}

bool
shell_print_indexes(struct shell *shell, const char *argument)
{
    (void)argument;
    return shell_show(shell,
                      "SELECT schemaname AS schema, indexname AS name, tablename AS \"table\", "
                      "indexdef AS definition FROM pg_indexes ORDER BY 1, 2");
}

bool
shell_print_views(struct shell *shell, const char *argument)
{
    (void)argument;
    return shell_show(shell, "SELECT schema, name, definition FROM pg_catalog.qtdb_definitions "
                             "WHERE kind = 'view' ORDER BY 1, 2");
}

bool
shell_print_types(struct shell *shell, const char *argument)
{
    (void)argument;
    return shell_show(shell, "SELECT schema, name, definition FROM pg_catalog.qtdb_definitions "
                             "WHERE kind = 'type' ORDER BY 1, 2");
}

bool
shell_print_sequences(struct shell *shell, const char *argument)
{
    (void)argument;
    return shell_show(shell,
                      "SELECT sequence_schema AS schema, sequence_name AS name, start_value AS "
                      "start, minimum_value AS min, maximum_value AS max, increment, "
                      "cycle_option AS cycle FROM information_schema.sequences ORDER BY 1, 2");
}

bool
shell_print_schemas(struct shell *shell, const char *argument)
{
    (void)argument;
    return shell_show(
        shell, "SELECT schema_name AS name FROM information_schema.schemata ORDER BY schema_name");
}
