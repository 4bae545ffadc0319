/*
 * What stands beside tables in SQLite: indexes, views, positions of AUTOINCREMENT. Each is tried as SQL and what
 * SQLite refuses is noted with what it said. Names of tables lose their schema as the tables did.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tools/qtdb-migrate/back_sqlite.h"

enum { SCHEMAS_MAX = 2 };

/* Appends SQL with schema.name of known tables and views in the file's form. */

struct rewriting {
    struct back_sqlite *sqlite;
    const char *at;
    struct back_token last; /* What was appended last. */
};

static const char *
known_name(struct back_sqlite *sqlite, const char *schema, const char *name)
{
    const struct sql_definition *definition = sqlite->back->catalog.definitions;
    const char *table = back_target_name(sqlite, schema, name);

    if (table != NULL)
        return table;
    for (; definition != NULL; definition = definition->next) {
        if (strcmp(definition->kind, "view") == 0 && strcmp(definition->schema, schema) == 0 &&
            strcmp(definition->name, name) == 0)
            return definition->name;
    }
    return NULL;
}

/* The known name that begins with `first`; moves behind it. */
static const char *
take_qualified(struct rewriting *rewriting, const struct back_token *first)
{
    struct arena *arena = &rewriting->sqlite->back->arena;
    const char *at = rewriting->at;

    if (!first->is_name || *at != '.')
        return NULL;
    (void)back_next_token(&at);
    struct back_token second = back_next_token(&at);
    if (second.begin == NULL || !second.is_name)
        return NULL;
    const char *schema = back_token_name(arena, first);
    const char *name = back_token_name(arena, &second);
    if (schema == NULL || name == NULL)
        return NULL;
    const char *known = known_name(rewriting->sqlite, schema, name);
    if (known != NULL)
        rewriting->at = at;
    return known;
}

static void
add_rewritten(struct back_sqlite *sqlite, const char *text)
{
    struct rewriting rewriting = {.sqlite = sqlite, .at = text};
    struct text_buffer *sql = &sqlite->back->sql;

    for (;;) {
        const char *before = rewriting.at;
        struct back_token token = back_next_token(&rewriting.at);

        if (token.begin == NULL)
            return;
        text_buffer_add(sql, before, (size_t)(token.begin - before));
        const char *known = take_qualified(&rewriting, &token);
        if (known != NULL)
            text_buffer_add_identifier(sql, known);
        else
            text_buffer_add(sql, token.begin, token.size);
    }
}

/* Indexes: CREATE [UNIQUE] INDEX n ON s.t [USING x] (...) [INCLUDE (...)] [WHERE ...] */

/* Passes a list in parentheses over, with them. */
static void
pass_list(const char **at)
{
    uint32_t depth = 0;

    for (;;) {
        struct back_token token = back_next_token(at);

        if (token.begin == NULL)
            return;
        depth += token.begin[0] == '(';
        depth -= token.begin[0] == ')';
        if (depth == 0)
            return;
    }
}

static void
add_index_list(struct back_sqlite *sqlite, const char **at)
{
    struct text_buffer *sql = &sqlite->back->sql;
    const char *begin = *at;
    uint32_t depth = 0;

    pass_list(at);
    while (begin < *at) {
        const char *before = begin;
        struct back_token token = back_next_token(&begin);

        if (token.begin == NULL)
            return;
        depth += token.begin[0] == '(';
        depth -= token.begin[0] == ')';
        text_buffer_add(sql, before, (size_t)(token.begin - before));
        /* A column's name may be a word of SQLite's. */
        if (depth == 1 && token.is_name && token.begin[0] != '"')
            text_buffer_print(sql, "\"%.*s\"", (int)token.size, token.begin);
        else
            text_buffer_add(sql, token.begin, token.size);
    }
}

static void
make_index(struct back_sqlite *sqlite, const char *definition, const char *table)
{
    struct text_buffer *sql = &sqlite->back->sql;
    const char *at = definition;

    text_buffer_reset(sql);
    for (;;) {
        struct back_token token = back_next_token(&at);

        if (token.begin == NULL)
            return;
        text_buffer_add_char(sql, ' ');
        text_buffer_add(sql, token.begin, token.size);
        if (back_token_is(&token, "ON"))
            break;
    }
    for (int i = 0; i < 3; i++)
        (void)back_next_token(&at); /* s . t */
    text_buffer_add_char(sql, ' ');
    text_buffer_add_identifier(sql, table);
    while (at[strspn(at, " ")] != '(' && *at != '\0')
        (void)back_next_token(&at); /* USING x */
    add_index_list(sqlite, &at);
    const char *rest = at;
    struct back_token word = back_next_token(&rest);
    if (back_token_is(&word, "INCLUDE")) {
        pass_list(&rest);
        at = rest;
    }
    text_buffer_add_text(sql, at);
}

static enum status
add_index(struct back_sqlite *sqlite, const struct sql_definition *definition)
{
    const char *table = back_target_name(sqlite, definition->schema, definition->name);

    make_index(sqlite, definition->sql, table != NULL ? table : definition->name);
    if (back_run_sql(sqlite))
        return STATUS_OK;
    return back_note(sqlite->back, "index", definition->schema, definition->name, "%.200s: %.200s",
                     sqlite->fault, definition->sql);
}

/* Views. */

/* What stands after AS, and the list of names before it, of [SET search_path ...;] CREATE VIEW s.v [(...)] AS ...
 * [; RESET search_path]. */
static void
make_view(struct back_sqlite *sqlite, const struct sql_definition *definition)
{
    struct text_buffer *sql = &sqlite->back->sql;
    const char *at = definition->sql, *end = NULL;
    struct back_token token = back_next_token(&at);

    while (token.begin != NULL && !back_token_is(&token, "VIEW"))
        token = back_next_token(&at);
    token = back_next_token(&at);
    while (*at == '.') {
        (void)back_next_token(&at);
        token = back_next_token(&at);
    }
    text_buffer_reset(sql);
    text_buffer_add_text(sql, "CREATE VIEW ");
    text_buffer_add_identifier(sql, definition->name);
    size_t begin = sql->size;
    add_rewritten(sqlite, at);
    /* The last statement, of a view that has a path, is not part of it. */
    if (!sql->failed && strncmp(definition->sql, "SET ", 4) == 0)
        end = strstr(sql->bytes + begin, ";\nRESET search_path");
    if (end != NULL) {
        sql->size = (size_t)(end - sql->bytes);
        sql->bytes[sql->size] = '\0';
    }
}

static bool
view_works(struct back_sqlite *sqlite, const char *name)
{
    struct text_buffer *sql = &sqlite->back->sql;

    text_buffer_reset(sql);
    text_buffer_add_text(sql, "SELECT * FROM ");
    text_buffer_add_identifier(sql, name);
    struct sqlite_query *query =
        sql->failed ? NULL : sqlite->door->prepare(sqlite->file, sql->bytes, sqlite->fault);
    bool works = query != NULL;

    sqlite->door->finalize(query);
    return works;
}

/* True when the view is there and can be read. */
static bool
try_view(struct back_sqlite *sqlite, const struct sql_definition *definition)
{
    struct text_buffer *sql = &sqlite->back->sql;
    char fault[SQLITE_FAULT_SIZE];

    make_view(sqlite, definition);
    if (!back_run_sql(sqlite))
        return false;
    if (view_works(sqlite, definition->name))
        return true;
    (void)snprintf(fault, sizeof(fault), "%s", sqlite->fault);
    text_buffer_reset(sql);
    text_buffer_add_text(sql, "DROP VIEW ");
    text_buffer_add_identifier(sql, definition->name);
    if (back_run_sql(sqlite))
        (void)snprintf(sqlite->fault, sizeof(sqlite->fault), "%s", fault);
    return false;
}

/* A view may need another, so rounds are made until one brings nothing new. */
static enum status
add_views(struct back_sqlite *sqlite)
{
    const struct sql_definition *first = sqlite->back->catalog.definitions;
    uint32_t count = 0, index = 0;
    bool progress = true;

    for (const struct sql_definition *at = first; at != NULL; at = at->next)
        count += strcmp(at->kind, "view") == 0;
    bool *done = arena_alloc(&sqlite->back->arena, count + 1);
    if (done == NULL)
        return back_fail(sqlite->back, STATUS_NO_MEMORY, "out of memory");
    while (progress) {
        progress = false;
        index = 0;
        for (const struct sql_definition *at = first; at != NULL; at = at->next) {
            if (strcmp(at->kind, "view") != 0 || done[index++])
                continue;
            done[index - 1] = try_view(sqlite, at);
            progress = progress || done[index - 1];
        }
    }
    index = 0;
    for (const struct sql_definition *at = first; at != NULL; at = at->next) {
        if (strcmp(at->kind, "view") != 0 || done[index++])
            continue;
        (void)try_view(sqlite, at);
        TRY(back_note(sqlite->back, "view", at->schema, at->name, "%.300s", sqlite->fault));
    }
    return STATUS_OK;
}

/* Sequences: a key that counts up goes on where its sequence stands. */

static bool
take_position(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    char *out = context;

    (void)names;
    if (count == 2 && values[0] != NULL && values[1] != NULL)
        (void)snprintf(out, 256, "%s", values[0]);
    return true;
}

/* The value that column gets next; empty: there is none. */
static enum status
ask_position(struct back_sqlite *sqlite, const struct sql_table *table, const char *column,
             char out[256])
{
    struct text_buffer *sql = &sqlite->back->sql;
    struct text_buffer name;

    out[0] = '\0';
    text_buffer_init(&name, sqlite->back->env.memory);
    sql_catalog_add_name(&name, table->schema, table->name);
    text_buffer_reset(sql);
    text_buffer_add_text(sql, "SELECT qtdb_sequence_next_value(pg_get_serial_sequence(");
    if (!name.failed)
        text_buffer_add_literal(sql, name.bytes, name.size);
    text_buffer_add_text(sql, ", ");
    text_buffer_add_literal(sql, column, strlen(column));
    text_buffer_add_text(sql, ")), 1");
    bool failed = name.failed || sql->failed;
    text_buffer_deinit(&name);
    if (failed)
        return back_fail(sqlite->back, STATUS_NO_MEMORY, "out of memory");
    if (qtdb_exec(sqlite->back->session, sql->bytes, take_position, out) != QTDB_OK)
        return back_fail(sqlite->back, STATUS_FAILED, "%s", qtdb_error_last()->message);
    return STATUS_OK;
}

enum status
back_set_position(struct back_sqlite *sqlite, const struct sql_table *table, const char *column)
{
    struct text_buffer *sql = &sqlite->back->sql;
    char next[256];

    TRY(ask_position(sqlite, table, column, next));
    if (next[0] == '\0')
        return back_note(sqlite->back, "sequence", table->name, column,
                         "it is not owned by the column, or used up");
    text_buffer_reset(sql);
    text_buffer_add_text(sql, "DELETE FROM sqlite_sequence WHERE name = ");
    text_buffer_add_literal(sql, sqlite->table->target, strlen(sqlite->table->target));
    text_buffer_add_text(sql, "; INSERT INTO sqlite_sequence (name, seq) VALUES (");
    text_buffer_add_literal(sql, sqlite->table->target, strlen(sqlite->table->target));
    text_buffer_print(sql, ", %s - 1)", next);
    return back_run_sql(sqlite) ? STATUS_OK : back_sqlite_failed(sqlite, "sqlite_sequence");
}

static enum status
note_rest(struct back_sqlite *sqlite, const struct sql_definition *definition)
{
    if (strcmp(definition->kind, "comment") == 0)
        return back_note(sqlite->back, "comment", definition->schema, definition->name, "%.300s",
                         definition->sql);
    if (strcmp(definition->kind, "sequence") == 0)
        return back_note(sqlite->back, "sequence", definition->schema, definition->name,
                         "SQLite has none; keys that count up keep their position");
    return STATUS_OK;
}

enum status
back_add_objects(struct back_sqlite *sqlite)
{
    const struct sql_definition *definition = sqlite->back->catalog.definitions;

    for (; definition != NULL; definition = definition->next) {
        if (strcmp(definition->kind, "index") == 0)
            TRY(add_index(sqlite, definition));
        else
            TRY(note_rest(sqlite, definition));
    }
    return add_views(sqlite);
}
