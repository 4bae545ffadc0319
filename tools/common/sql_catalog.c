/* See sql_catalog.h. Each list is one query, whose rows are copied as they come. */
#include "tools/common/sql_catalog.h"

#include <stdio.h>
#include <string.h>

struct loading {
    struct sql_catalog *catalog;
    struct sql_definition **definitions_end;
    struct sql_table **tables_end;
    struct sql_sequence **sequences_end;
    struct sql_table *table; /* Whose columns come. */
    uint32_t room;
    bool failed; /* No memory. */
};

typedef bool row_fn(void *context, uint32_t count, const char *const *values,
                    const char *const *names);

void
sql_catalog_add_name(struct text_buffer *sql, const char *schema, const char *name)
{
    text_buffer_add_identifier(sql, schema);
    text_buffer_add_char(sql, '.');
    text_buffer_add_identifier(sql, name);
}

static const char *
copy(struct loading *loading, const char *text)
{
    if (text == NULL)
        return NULL;
    const char *made = arena_copy_text(loading->catalog->arena, text, strlen(text));

    loading->failed = loading->failed || made == NULL;
    return made;
}

static void *
take(struct loading *loading, size_t size)
{
    void *made = arena_alloc(loading->catalog->arena, size);

    loading->failed = loading->failed || made == NULL;
    return made;
}

static bool
run(struct loading *loading, struct qtdb_session *session, const char *sql, row_fn *each)
{
    struct sql_catalog *catalog = loading->catalog;

    if (qtdb_exec(session, sql, each, loading) != QTDB_OK && !loading->failed) {
        (void)snprintf(catalog->fault, sizeof(catalog->fault), "the catalog: %.480s",
                       qtdb_error_last()->message);
        return false;
    }
    if (loading->failed)
        (void)snprintf(catalog->fault, sizeof(catalog->fault), "no memory for the catalog");
    return !loading->failed;
}

static bool
take_definition(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    struct loading *loading = context;
    struct sql_definition *made = take(loading, sizeof(*made));

    (void)count;
    (void)names;
    if (made == NULL)
        return false;
    *made = (struct sql_definition){copy(loading, values[0]), copy(loading, values[1]),
                                    copy(loading, values[2]), copy(loading, values[3]), NULL};
    *loading->definitions_end = made;
    loading->definitions_end = &made->next;
    return !loading->failed;
}

static bool
add_tables(struct loading *loading)
{
    const struct sql_definition *definition = loading->catalog->definitions;

    for (; definition != NULL; definition = definition->next) {
        if (strcmp(definition->kind, "table") != 0)
            continue;
        struct sql_table *made = take(loading, sizeof(*made));
        if (made == NULL)
            return false;
        *made = (struct sql_table){
            .schema = definition->schema, .name = definition->name, .definition = definition->sql};
        *loading->tables_end = made;
        loading->tables_end = &made->next;
        loading->catalog->table_count++;
    }
    return true;
}

/* The columns of a table come one after the other, the tables in the order of the definitions. */
static struct sql_table *
table_of(struct loading *loading, const char *schema, const char *name)
{
    struct sql_table *table = loading->table;

    if (table != NULL && strcmp(table->schema, schema) == 0 && strcmp(table->name, name) == 0)
        return table;
    for (table = loading->catalog->tables; table != NULL; table = table->next) {
        if (strcmp(table->schema, schema) == 0 && strcmp(table->name, name) == 0)
            break;
    }
    loading->table = table;
    loading->room = 0;
    return table;
}

static struct sql_column *
next_column(struct loading *loading, struct sql_table *table)
{
    if (table->column_count == loading->room) {
        uint32_t room = 2 * loading->room + 16;
        struct sql_column *grown = take(loading, room * sizeof(*grown));

        if (grown == NULL)
            return NULL;
        if (table->column_count > 0)
            memcpy(grown, table->columns, table->column_count * sizeof(*grown));
        table->columns = grown;
        loading->room = room;
    }
    return &table->columns[table->column_count++];
}

static bool
is_yes(const char *text)
{
    return text != NULL && strcmp(text, "YES") == 0;
}

static bool
take_column(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    struct loading *loading = context;
    struct sql_table *table = table_of(loading, values[0], values[1]);

    (void)count;
    (void)names;
    if (table == NULL)
        return true;
    struct sql_column *column = next_column(loading, table);
    if (column == NULL)
        return false;
    *column = (struct sql_column){
        .name = copy(loading, values[2]),
        .type = copy(loading, values[3]),
        .length = copy(loading, values[4]),
        .precision = copy(loading, values[5]),
        .scale = copy(loading, values[6]),
        .default_sql = copy(loading, values[7]),
        .not_null = !is_yes(values[8]),
        .identity = is_yes(values[9]),
        .generated = strcmp(values[10], "ALWAYS") == 0,
    };
    return !loading->failed;
}

static bool
has_definition(const struct sql_catalog *catalog, const char *schema, const char *name)
{
    const struct sql_definition *definition = catalog->definitions;

    for (; definition != NULL; definition = definition->next) {
        if (strcmp(definition->kind, "sequence") == 0 && strcmp(definition->schema, schema) == 0 &&
            strcmp(definition->name, name) == 0)
            return true;
    }
    return false;
}

static bool
take_sequence(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    struct loading *loading = context;
    struct sql_sequence *made = take(loading, sizeof(*made));

    (void)count;
    (void)names;
    if (made == NULL)
        return false;
    *made = (struct sql_sequence){
        .schema = copy(loading, values[0]),
        .name = copy(loading, values[1]),
        .end = copy(loading, values[2][0] == '-' ? values[3] : values[4]),
        .of_identity = !has_definition(loading->catalog, values[0], values[1]),
    };
    *loading->sequences_end = made;
    loading->sequences_end = &made->following;
    return !loading->failed;
}

struct asked {
    struct loading *loading;
    struct sql_sequence *sequence;
};

static bool
take_next(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    struct asked *asked = context;

    (void)count;
    (void)names;
    asked->sequence->next = copy(asked->loading, values[0]);
    return !asked->loading->failed;
}

static bool
ask_positions(struct loading *loading, struct qtdb_session *session)
{
    struct sql_catalog *catalog = loading->catalog;
    struct sql_sequence *sequence = catalog->sequences;
    struct text_buffer name, sql;
    enum qtdb_code code = QTDB_OK;

    text_buffer_init(&name, catalog->arena->memory);
    text_buffer_init(&sql, catalog->arena->memory);
    for (; code == QTDB_OK && sequence != NULL; sequence = sequence->following) {
        struct asked asked = {loading, sequence};

        text_buffer_reset(&name);
        text_buffer_reset(&sql);
        sql_catalog_add_name(&name, sequence->schema, sequence->name);
        text_buffer_add_text(&sql, "SELECT qtdb_sequence_next_value(");
        if (!name.failed)
            text_buffer_add_literal(&sql, name.bytes, name.size);
        text_buffer_add_char(&sql, ')');
        loading->failed = loading->failed || name.failed || sql.failed;
        if (loading->failed)
            break;
        code = qtdb_exec(session, sql.bytes, take_next, &asked);
    }
    text_buffer_deinit(&sql);
    text_buffer_deinit(&name);
    if (loading->failed)
        (void)snprintf(catalog->fault, sizeof(catalog->fault), "no memory for the catalog");
    else if (code != QTDB_OK)
        (void)snprintf(catalog->fault, sizeof(catalog->fault), "the catalog: %.480s",
                       qtdb_error_last()->message);
    return !loading->failed && code == QTDB_OK;
}

bool
sql_catalog_load(struct sql_catalog *catalog, struct qtdb_session *session, struct arena *arena)
{
    *catalog = (struct sql_catalog){.arena = arena};
    struct loading loading = {
        .catalog = catalog,
        .definitions_end = &catalog->definitions,
        .tables_end = &catalog->tables,
        .sequences_end = &catalog->sequences,
    };

    return run(&loading, session,
               "SELECT schema, name, kind, definition FROM pg_catalog.qtdb_definitions",
               take_definition) &&
           add_tables(&loading) &&
           run(&loading, session,
               "SELECT table_schema, table_name, column_name, data_type, character_maximum_length,"
               " numeric_precision, numeric_scale, column_default, is_nullable, is_identity,"
               " is_generated FROM information_schema.columns",
               take_column) &&
           run(&loading, session,
               "SELECT sequence_schema, sequence_name, increment, minimum_value, maximum_value"
               " FROM information_schema.sequences",
               take_sequence) &&
           ask_positions(&loading, session);
}
