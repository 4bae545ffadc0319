/*
 * .tables, .schema and psql's \d commands: what the catalog's tables say, asked for in a session of its own,
 * so that a failed transaction does not stand in the way.
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
shell_print_tables(struct shell *shell, const char *argument)
{
    (void)argument;
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

/* As rows. */

static bool
show(struct shell *shell, const char *sql)
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
    return show(shell, "SELECT schemaname AS schema, indexname AS name, tablename AS \"table\", "
                       "indexdef AS definition FROM pg_indexes ORDER BY 1, 2");
}

bool
shell_print_views(struct shell *shell, const char *argument)
{
    (void)argument;
    return show(shell, "SELECT schema, name, definition FROM pg_catalog.qtdb_definitions "
                       "WHERE kind = 'view' ORDER BY 1, 2");
}

bool
shell_print_types(struct shell *shell, const char *argument)
{
    (void)argument;
    return show(shell, "SELECT schema, name, definition FROM pg_catalog.qtdb_definitions "
                       "WHERE kind = 'type' ORDER BY 1, 2");
}

bool
shell_print_sequences(struct shell *shell, const char *argument)
{
    (void)argument;
    return show(shell, "SELECT sequence_schema AS schema, sequence_name AS name, start_value AS "
                       "start, minimum_value AS min, maximum_value AS max, increment, "
                       "cycle_option AS cycle FROM information_schema.sequences ORDER BY 1, 2");
}

bool
shell_print_schemas(struct shell *shell, const char *argument)
{
    (void)argument;
    return show(shell,
                "SELECT schema_name AS name FROM information_schema.schemata ORDER BY schema_name");
}

/* Keys and checks: the lines of CREATE TABLE that begin with a word in capitals; columns have quotes there. */
static void
print_constraints(const char *definition)
{
    for (const char *line = strchr(definition, '\n'); line != NULL; line = strchr(line + 1, '\n')) {
        const char *text = line + 1 + strspn(line + 1, " ");
        size_t size = strcspn(text, "\n");

        if (*text < 'A' || *text > 'Z')
            continue;
        size -= size > 0 && text[size - 1] == ',';
        printf("%.*s\n", (int)size, text);
    }
}

static bool
print_belonging(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    const struct wanted *wanted = context;

    (void)count;
    (void)names;
    if (!is_wanted(values[0], values[1], wanted->name))
        return true;
    if (strcmp(values[3], "table") == 0)
        print_constraints(values[2]);
    else
        printf("%s\n", values[2]);
    return true;
}

/* The end of the name that begins here, in quotes or not. */
static const char *
name_end(const char *at)
{
    bool quoted = false;

    for (; *at != '\0' && (quoted || *at != ' '); at++)
        quoted = quoted != (*at == '"');
    return at;
}

/* Where the word begins in [at, end), outside quotes; `end` where it does not. */
static const char *
find_word(const char *at, const char *end, const char *word)
{
    char quote = '\0'; /* The one that is open: of a name or of a text. */
    size_t size = strlen(word);

    for (; at + size <= end; at++) {
        if (quote != '\0' && *at == quote)
            quote = '\0';
        else if (quote == '\0' && (*at == '"' || *at == '\''))
            quote = *at;
        else if (quote == '\0' && strncmp(at, word, size) == 0)
            return at;
    }
    return end;
}

/* A line "name type NOT NULL DEFAULT ..." of CREATE TABLE as a row of constants. */
static void
add_column(struct text_buffer *sql, const char *line, size_t size)
{
    const char *end = line + size - (size > 0 && line[size - 1] == ',');
    const char *type = name_end(line);
    const char *not_null = find_word(type, end, " NOT NULL");
    const char *given = find_word(type, end, " DEFAULT ");
    const char *made = find_word(type, end, " GENERATED ");
    const char *stop = not_null < given ? not_null : given;

    stop = made < stop ? made : stop;
    if (type >= end)
        return;
    text_buffer_add_text(sql, sql->size > 0 ? ", (" : "SELECT * FROM (VALUES (");
    text_buffer_add_literal(sql, line, (size_t)(type - line));
    text_buffer_add_text(sql, ", ");
    text_buffer_add_literal(sql, type + 1, (size_t)(stop - type - 1));
    text_buffer_add_text(sql, not_null < end ? ", 'not null', " : ", '', ");
    if (given < made)
        text_buffer_add_literal(sql, given + 9, (size_t)(end - given - 9));
    else if (made < end)
        text_buffer_add_literal(sql, made + 1, (size_t)(end - made - 1));
    else
        text_buffer_add_text(sql, "''");
    text_buffer_add_char(sql, ')');
}

struct description {
    struct wanted wanted;
    struct text_buffer sql; /* Its columns. */
};

static bool
describe_columns(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    struct description *description = context;
    const char *line = values[2];

    (void)count;
    (void)names;
    if (!is_wanted(values[0], values[1], description->wanted.name))
        return true;
    description->wanted.count++;
    while ((line = strchr(line, '\n')) != NULL) {
        line += 1 + strspn(line + 1, " ");
        if ((*line < 'A' || *line > 'Z') && *line != ')')
            add_column(&description->sql, line, strcspn(line, "\n"));
    }
    return true;
}

static bool
describe(struct shell *shell, struct description *description)
{
    const char *name = description->wanted.name;

    if (!ask(shell,
             "SELECT schema, name, definition FROM pg_catalog.qtdb_definitions WHERE kind = "
             "'table'",
             describe_columns, description))
        return false;
    if (description->wanted.count == 0) {
        tool_error(shell->tool, "there is no table %s", name);
        return false;
    }
    bool has_columns = description->sql.size > 0;

    if (has_columns)
        text_buffer_add_text(&description->sql, ") AS d (\"column\", type, nullable, \"default\")");
    if (description->sql.failed) {
        tool_error(shell->tool, "\\d: no memory");
        return false;
    }
    return (!has_columns || show(shell, description->sql.bytes)) &&
           ask(shell,
               "SELECT schema, name, definition, kind FROM pg_catalog.qtdb_definitions WHERE kind "
               "NOT IN ('schema', 'sequence', 'type')",
               print_belonging, &description->wanted);
}

bool
shell_describe(struct shell *shell, const char *name)
{
    struct description description = {.wanted.name = name};

    if (name[0] == '\0')
        return shell_print_tables(shell, name);
    text_buffer_init(&description.sql, shell->env.memory);
    bool ok = describe(shell, &description);
    shell->failed = shell->failed || !ok;
    text_buffer_deinit(&description.sql);
    return ok;
}
