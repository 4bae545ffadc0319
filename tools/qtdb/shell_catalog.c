/*
 * .tables and .schema: what pg_catalog.qtdb_definitions says, asked for in a session of its own, so that
 * a failed transaction does not stand in the way.
 */
#include <stdio.h>
#include <string.h>

#include "tools/qtdb/shell.h"

struct wanted {
    const char *name; /* NULL: all. */
    uint64_t count;
};

/* Runs a query of texts; `each` gets their rows. */
static bool
ask(struct shell *shell, const char *sql,
    bool (*each)(void *context, uint32_t count, const char *const *values,
                 const char *const *names),
    void *context)
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
shell_print_tables(struct shell *shell)
{
    return ask(shell, "SELECT schema, name FROM pg_catalog.qtdb_definitions WHERE kind = 'table'",
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

    if (!ask(shell, "SELECT schema, name, definition FROM pg_catalog.qtdb_definitions",
             print_definition, &wanted))
        return false;
    if (name == NULL || wanted.count > 0)
        return true;
    tool_error(shell->tool, "there is no table %s", name);
    shell->failed = true;
    return false;
}
