/*
 * Tables as SQLite takes them. Columns come from information_schema; keys, uniques and checks from the items of
 * the table's CREATE TABLE, which is split at the commas of its outermost parentheses: the first column_count
 * items are columns, the rest constraints. What SQLite refuses of defaults and checks is left out and noted.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tools/qtdb-migrate/back_sqlite.h"

/* Names. */

const char *
back_target_name(struct back_sqlite *sqlite, const char *schema, const char *name)
{
    const struct back *back = sqlite->back;

    for (uint32_t i = 0; i < back->catalog.table_count; i++) {
        const struct sql_table *table = back->tables[i].table;

        if (strcmp(table->schema, schema) == 0 && strcmp(table->name, name) == 0)
            return back->tables[i].target;
    }
    return NULL;
}

static enum status
name_table(struct back_sqlite *sqlite)
{
    const struct sql_table *table = sqlite->table->table;
    struct text_buffer name;

    if (sqlite->plain_names || strcmp(table->schema, "public") == 0)
        return STATUS_OK;
    text_buffer_init(&name, sqlite->back->env.memory);
    text_buffer_print(&name, "%s.%s", table->schema, table->name);
    if (!name.failed)
        sqlite->table->target = arena_copy_text(&sqlite->back->arena, name.bytes, name.size);
    bool ok = !name.failed && sqlite->table->target != NULL;
    text_buffer_deinit(&name);
    return ok ? STATUS_OK : back_fail(sqlite->back, STATUS_NO_MEMORY, "out of memory");
}

/* Types. */

static const struct {
    const char *type;
    enum back_storage storage;
    const char *declared;
} types[] = {
    {"smallint", BACK_INTEGER, "SMALLINT"},
    {"integer", BACK_INTEGER, "INTEGER"},
    {"bigint", BACK_INTEGER, "BIGINT"},
    {"boolean", BACK_BOOLEAN, "BOOLEAN"},
    {"real", BACK_REAL, "REAL"},
    {"double precision", BACK_REAL, "DOUBLE PRECISION"},
    {"numeric", BACK_NUMBER, "NUMERIC"},
    {"bytea", BACK_BLOB, "BLOB"},
    {"text", BACK_TEXT, "TEXT"},
    {"character varying", BACK_TEXT, "VARCHAR"},
    {"character", BACK_TEXT, "CHARACTER"},
    {"uuid", BACK_TEXT, "UUID"},
    {"json", BACK_TEXT, "JSON_TEXT"},
    {"jsonb", BACK_TEXT, "JSON_TEXT"},
    {"date", BACK_TEXT, "DATE"},
    {"time without time zone", BACK_TEXT, "TIME"},
    {"timestamp without time zone", BACK_TEXT, "TIMESTAMP"},
    {"timestamp with time zone", BACK_TEXT, "TIMESTAMP WITH TIME ZONE"},
};

static enum status
choose_type(struct back_sqlite *sqlite, uint32_t index)
{
    const struct sql_table *table = sqlite->table->table;
    const struct sql_column *column = &table->columns[index];
    struct back_column *out = &sqlite->columns[index];
    char declared[96];

    *out = (struct back_column){.storage = BACK_TEXT, .declared = "TEXT"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i].type, column->type) != 0)
            continue;
        out->storage = types[i].storage;
        out->declared = types[i].declared;
        const char *first = column->length != NULL ? column->length : column->precision;
        if (first == NULL)
            return STATUS_OK;
        (void)snprintf(declared, sizeof(declared), "%s(%s%s%s)", types[i].declared, first,
                       column->precision != NULL ? "," : "",
                       column->precision != NULL ? column->scale : "");
        out->declared = arena_copy_text(&sqlite->back->arena, declared, strlen(declared));
        return out->declared != NULL ? STATUS_OK
                                     : back_fail(sqlite->back, STATUS_NO_MEMORY, "out of memory");
    }
    return back_note(sqlite->back, "type", table->name, column->name, "%s is kept as its text",
                     column->type);
}

/* A column of numerics is stored as numbers when each of them comes back. */
static enum status
look_at_numbers(struct back_sqlite *sqlite, struct qtdb_statement *select, const uint32_t *places,
                uint32_t count)
{
    const struct sql_table *table = sqlite->table->table;
    enum qtdb_code code;

    while ((code = qtdb_step(select)) == QTDB_ROW) {
        for (uint32_t i = 0; i < count; i++) {
            size_t size = 0;
            const char *text = qtdb_column_text(select, i, &size);
            const struct sql_column *column = &table->columns[places[i]];

            if (text == NULL || back_number_fits(text, size, column->scale != NULL))
                continue;
            sqlite->columns[places[i]].storage = BACK_TEXT;
        }
        if (tool_stop_requested())
            return back_fail(sqlite->back, STATUS_STOPPED, "interrupted; nothing was left behind");
    }
    return code == QTDB_DONE ? STATUS_OK
                             : back_fail(sqlite->back, STATUS_FAILED, "%s.%s: %s", table->schema,
                                         table->name, qtdb_error_last()->message);
}

static enum status
declare_texts(struct back_sqlite *sqlite, const uint32_t *places, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct sql_column *column = &sqlite->table->table->columns[places[i]];
        struct back_column *out = &sqlite->columns[places[i]];
        char declared[96];

        if (out->storage == BACK_NUMBER)
            continue;
        (void)snprintf(declared, sizeof(declared), "NUMERIC_TEXT%s",
                       out->declared + strlen("NUMERIC"));
        out->declared = arena_copy_text(&sqlite->back->arena, declared, strlen(declared));
        if (out->declared == NULL)
            return back_fail(sqlite->back, STATUS_NO_MEMORY, "out of memory");
        TRY(back_note(sqlite->back, "type", sqlite->table->table->name, column->name,
                      "numeric values that SQLite's numbers do not hold: all are kept as texts"));
    }
    return STATUS_OK;
}

static enum status
choose_numbers(struct back_sqlite *sqlite)
{
    const struct sql_table *table = sqlite->table->table;
    struct text_buffer *sql = &sqlite->back->sql;
    uint32_t *places = arena_alloc(&sqlite->back->arena, table->column_count * sizeof(*places));
    struct qtdb_statement *select = NULL;
    uint32_t count = 0;

    if (places == NULL)
        return back_fail(sqlite->back, STATUS_NO_MEMORY, "out of memory");
    text_buffer_reset(sql);
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (sqlite->columns[i].storage != BACK_NUMBER)
            continue;
        text_buffer_add_text(sql, count == 0 ? "SELECT " : ", ");
        text_buffer_add_identifier(sql, table->columns[i].name);
        places[count++] = i;
    }
    if (count == 0)
        return STATUS_OK;
    text_buffer_add_text(sql, " FROM ");
    sql_catalog_add_name(sql, table->schema, table->name);
    if (sql->failed)
        return back_fail(sqlite->back, STATUS_NO_MEMORY, "out of memory");
    if (qtdb_prepare(sqlite->back->session, sql->bytes, &select, NULL) != QTDB_OK)
        return back_fail(sqlite->back, STATUS_FAILED, "%s", qtdb_error_last()->message);
    enum status status = look_at_numbers(sqlite, select, places, count);
    qtdb_finalize(select);
    return status == STATUS_OK ? declare_texts(sqlite, places, count) : status;
}

/* Items of a definition. */

/* The end of the item that begins at `at`: a comma or a closing parenthesis that is not within others. */
static const char *
item_end(const char *at)
{
    uint32_t depth = 0;

    for (;;) {
        const char *before = at;
        struct back_token token = back_next_token(&at);

        if (token.begin == NULL)
            return before;
        if (depth == 0 && (token.begin[0] == ',' || token.begin[0] == ')'))
            return token.begin;
        depth += token.begin[0] == '(';
        depth -= token.begin[0] == ')';
    }
}

static const char *
items_begin(const char *definition)
{
    struct back_token token = back_next_token(&definition);

    while (token.begin != NULL && token.begin[0] != '(')
        token = back_next_token(&definition);
    return definition;
}

/* Calls `each` for each constraint of the table. */
static enum status
each_constraint(struct back_sqlite *sqlite,
                enum status (*each)(struct back_sqlite *sqlite, const char *item, size_t size))
{
    const struct sql_table *table = sqlite->table->table;
    const char *at = items_begin(table->definition);

    for (uint32_t i = 0; *at != '\0'; i++) {
        const char *begin = at + strspn(at, " \t\r\n"), *end = item_end(at);

        const char *last = end;
        while (last > begin && isspace((unsigned char)last[-1]))
            last--;
        if (i >= table->column_count)
            TRY(each(sqlite, begin, (size_t)(last - begin)));
        if (*end != ',')
            break;
        at = end + 1;
    }
    return STATUS_OK;
}

/* Passes CONSTRAINT name over; the word that says what the item is. */
static struct back_token
constraint_word(const char **at)
{
    struct back_token token = back_next_token(at);

    if (back_token_is(&token, "CONSTRAINT")) {
        (void)back_next_token(at);
        token = back_next_token(at);
    }
    return token;
}

/* PRIMARY KEY (a, b): the only column, or NULL. */
static const char *
only_key(struct back_sqlite *sqlite)
{
    const struct sql_table *table = sqlite->table->table;
    const char *at = items_begin(table->definition);

    for (uint32_t i = 0; *at != '\0'; i++) {
        const char *end = item_end(at), *inside = at;
        struct back_token word = constraint_word(&inside);

        if (i >= table->column_count && back_token_is(&word, "PRIMARY")) {
            (void)back_next_token(&inside); /* KEY */
            (void)back_next_token(&inside); /* ( */
            struct back_token name = back_next_token(&inside);
            struct back_token close = back_next_token(&inside);

            return close.begin != NULL && close.begin[0] == ')'
                       ? back_token_name(&sqlite->back->arena, &name)
                       : NULL;
        }
        if (*end != ',')
            break;
        at = end + 1;
    }
    return NULL;
}

/* PRIMARY KEY and UNIQUE with their names in quotes; FOREIGN KEY and CHECK are not of this. */
static enum status
add_key(struct back_sqlite *sqlite, const char *item, size_t size)
{
    struct text_buffer *sql = &sqlite->back->sql;
    const char *end = item + size, *at = item;
    struct back_token word = constraint_word(&at);
    bool primary = back_token_is(&word, "PRIMARY"), list = false;

    if (!primary && !back_token_is(&word, "UNIQUE"))
        return STATUS_OK;
    for (uint32_t i = 0; primary && i < sqlite->table->table->column_count; i++) {
        if (sqlite->columns[i].counts_up)
            return STATUS_OK; /* It stands with its column. */
    }
    text_buffer_add_text(sql, primary ? ",\n    PRIMARY KEY " : ",\n    UNIQUE ");
    while (at < end) {
        struct back_token token = back_next_token(&at);

        if (token.begin == NULL || token.begin >= end)
            break;
        list = list || token.begin[0] == '(';
        if (!list)
            continue; /* KEY */
        if (token.is_name && token.begin[0] != '"')
            text_buffer_print(sql, "\"%.*s\"", (int)token.size, token.begin);
        else
            text_buffer_add(sql, token.begin, token.size);
    }
    return STATUS_OK;
}

static enum status
add_check(struct back_sqlite *sqlite, const char *item, size_t size)
{
    const char *at = item;
    struct back_token word = constraint_word(&at);

    if (!back_token_is(&word, "CHECK"))
        return STATUS_OK;
    text_buffer_add_text(&sqlite->back->sql, ",\n    ");
    text_buffer_add(&sqlite->back->sql, item, size);
    return STATUS_OK;
}

static enum status
note_check(struct back_sqlite *sqlite, const char *item, size_t size)
{
    const char *at = item;
    struct back_token word = constraint_word(&at);

    if (!back_token_is(&word, "CHECK"))
        return STATUS_OK;
    return back_note(sqlite->back, "check", sqlite->table->table->schema,
                     sqlite->table->table->name, "%.*s: SQLite reads it otherwise or not at all",
                     (int)(size < 200 ? size : 200), item);
}

/* Columns. */

/* A default that means the same there: one text, number or word of both. False: there is none. */
static bool
add_default(struct back_sqlite *sqlite, uint32_t index)
{
    static const char *const words[] = {"NULL", "CURRENT_TIMESTAMP", "CURRENT_DATE",
                                        "CURRENT_TIME"};
    enum back_storage storage = sqlite->columns[index].storage;
    const char *at = sqlite->table->table->columns[index].default_sql;
    struct back_token token = back_next_token(&at), next = back_next_token(&at);
    struct text_buffer *sql = &sqlite->back->sql;

    if (token.begin == NULL || next.begin != NULL)
        return false;
    if (storage == BACK_BOOLEAN) {
        const char *word = token.begin + (token.begin[0] == '\'');

        text_buffer_print(sql, " DEFAULT %d", tolower((unsigned char)word[0]) == 't');
        return true;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (back_token_is(&token, words[i])) {
            text_buffer_print(sql, " DEFAULT %s", words[i]);
            return i == 0 || storage == BACK_TEXT;
        }
    }
    if (token.begin[0] == '\'' && storage == BACK_TEXT) {
        text_buffer_add_text(sql, " DEFAULT ");
        text_buffer_add(sql, token.begin, token.size);
        return true;
    }
    if (storage == BACK_TEXT || storage == BACK_BLOB)
        return false;
    /* A number, in quotes or not. */
    bool quoted = token.begin[0] == '\'';
    const char *number = token.begin + quoted;
    size_t size = token.size - 2 * (size_t)quoted;
    if (strspn(number, "-0123456789.") < size || size == 0)
        return false;
    text_buffer_print(sql, " DEFAULT %.*s", (int)size, number);
    return true;
}

static enum status
add_column(struct back_sqlite *sqlite, uint32_t index)
{
    const struct sql_table *table = sqlite->table->table;
    const struct sql_column *column = &table->columns[index];
    struct text_buffer *sql = &sqlite->back->sql;

    text_buffer_add_text(sql, index == 0 ? "\n    " : ",\n    ");
    text_buffer_add_identifier(sql, column->name);
    if (sqlite->columns[index].counts_up) {
        text_buffer_add_text(sql, " INTEGER PRIMARY KEY AUTOINCREMENT");
        return STATUS_OK;
    }
    text_buffer_print(sql, " %s%s", sqlite->columns[index].declared,
                      column->not_null ? " NOT NULL" : "");
    if (column->generated)
        return back_note(sqlite->back, "generated column", table->name, column->name,
                         "its values are kept, the expression is not");
    if (column->identity)
        return back_note(sqlite->back, "identity", table->name, column->name,
                         "only the key of a table counts up in SQLite");
    if (column->default_sql != NULL && !add_default(sqlite, index))
        return back_note(sqlite->back, "default", table->name, column->name, "%.300s",
                         column->default_sql);
    return STATUS_OK;
}

/* The key of one integer column that a sequence fills. */
static bool
counts_up(const struct sql_column *column, const struct back_column *made, const char *key)
{
    return key != NULL && strcmp(column->name, key) == 0 && made->storage == BACK_INTEGER &&
           (column->identity ||
            (column->default_sql != NULL && strstr(column->default_sql, "nextval(") != NULL));
}

/* Foreign keys: ALTER TABLE s.t ADD CONSTRAINT n FOREIGN KEY (a) REFERENCES s.p(b) ON ... */

static void
add_reference(struct back_sqlite *sqlite, const char **at, bool *ok)
{
    struct arena *arena = &sqlite->back->arena;
    struct back_token schema = back_next_token(at), dot = back_next_token(at);
    struct back_token name = back_next_token(at);

    (void)dot;
    const char *first = schema.begin != NULL ? back_token_name(arena, &schema) : NULL;
    const char *second = name.begin != NULL ? back_token_name(arena, &name) : NULL;
    *ok = first != NULL && second != NULL;
    if (!*ok)
        return;
    /* Tables that come later have their names already where they are plain. */
    if (sqlite->plain_names || strcmp(first, "public") == 0) {
        text_buffer_add_identifier(&sqlite->back->sql, second);
        return;
    }
    size_t size = strlen(first) + strlen(second) + 2;
    char *full = arena_alloc(arena, size);
    *ok = full != NULL;
    if (*ok) {
        (void)snprintf(full, size, "%s.%s", first, second);
        text_buffer_add_identifier(&sqlite->back->sql, full);
    }
}

static enum status
add_foreign_key(struct back_sqlite *sqlite, const char *definition)
{
    struct text_buffer *sql = &sqlite->back->sql;
    const char *at = definition;
    bool begun = false, ok = true;

    text_buffer_add_text(sql, ",\n   ");
    for (;;) {
        struct back_token token = back_next_token(&at);

        if (token.begin == NULL)
            return STATUS_OK;
        begun = begun || back_token_is(&token, "FOREIGN");
        if (!begun)
            continue;
        if (back_token_is(&token, "NOT"))
            return STATUS_OK; /* NOT VALID: SQLite looks at no rows that are there. */
        text_buffer_add_char(sql, ' ');
        if (back_token_is(&token, "REFERENCES")) {
            text_buffer_add_text(sql, "REFERENCES ");
            add_reference(sqlite, &at, &ok);
        } else if (token.is_name && token.begin[0] != '"' && islower((unsigned char)*token.begin)) {
            text_buffer_print(sql, "\"%.*s\"", (int)token.size, token.begin);
        } else {
            text_buffer_add(sql, token.begin, token.size);
        }
        if (!ok)
            return back_fail(sqlite->back, STATUS_NO_MEMORY, "out of memory");
    }
}

static enum status
add_foreign_keys(struct back_sqlite *sqlite)
{
    const struct sql_definition *definition = sqlite->back->catalog.definitions;
    const struct sql_table *table = sqlite->table->table;

    for (; definition != NULL; definition = definition->next) {
        if (strcmp(definition->kind, "foreign key") == 0 &&
            strcmp(definition->schema, table->schema) == 0 &&
            strcmp(definition->name, table->name) == 0)
            TRY(add_foreign_key(sqlite, definition->sql));
    }
    return STATUS_OK;
}

/* Tables. */

static enum status
create(struct back_sqlite *sqlite, bool checks, bool *refused_out)
{
    struct text_buffer *sql = &sqlite->back->sql;

    text_buffer_reset(sql);
    text_buffer_add_text(sql, "CREATE TABLE ");
    text_buffer_add_identifier(sql, sqlite->table->target);
    text_buffer_add_text(sql, " (");
    for (uint32_t i = 0; i < sqlite->table->table->column_count; i++)
        TRY(add_column(sqlite, i));
    TRY(each_constraint(sqlite, add_key));
    if (checks)
        TRY(each_constraint(sqlite, add_check));
    TRY(add_foreign_keys(sqlite));
    text_buffer_add_text(sql, "\n)");
    *refused_out = !back_run_sql(sqlite);
    return STATUS_OK;
}

enum status
back_create_table(struct back_sqlite *sqlite)
{
    const struct sql_table *table = sqlite->table->table;
    const char *key = only_key(sqlite);
    bool refused = false;

    TRY(name_table(sqlite));
    sqlite->columns =
        arena_alloc(&sqlite->back->arena, table->column_count * sizeof(*sqlite->columns));
    if (sqlite->columns == NULL)
        return back_fail(sqlite->back, STATUS_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < table->column_count; i++) {
        TRY(choose_type(sqlite, i));
        sqlite->columns[i].counts_up = counts_up(&table->columns[i], &sqlite->columns[i], key);
    }
    TRY(choose_numbers(sqlite));
    struct back_note **mark = sqlite->back->notes_end;
    uint32_t count = sqlite->back->note_count;
    TRY(create(sqlite, true, &refused));
    if (!refused)
        return STATUS_OK;
    /* The second try notes what the first did. */
    *mark = NULL;
    sqlite->back->notes_end = mark;
    sqlite->back->note_count = count;
    TRY(each_constraint(sqlite, note_check));
    TRY(create(sqlite, false, &refused));
    return refused ? back_sqlite_failed(sqlite, sqlite->table->target) : STATUS_OK;
}

enum status
back_create_unchecked(struct back_sqlite *sqlite, bool *changed_out)
{
    struct text_buffer *sql = &sqlite->back->sql;
    uint32_t before = sqlite->back->note_count;
    bool refused = false;

    TRY(each_constraint(sqlite, note_check));
    struct back_note **mark = sqlite->back->notes_end;
    uint32_t count = sqlite->back->note_count;
    *changed_out = count > before;
    if (!*changed_out)
        return STATUS_OK;
    text_buffer_reset(sql);
    text_buffer_add_text(sql, "DROP TABLE ");
    text_buffer_add_identifier(sql, sqlite->table->target);
    if (!back_run_sql(sqlite))
        return back_sqlite_failed(sqlite, sqlite->table->target);
    TRY(create(sqlite, false, &refused));
    /* Its columns' notes are there from the first time. */
    *mark = NULL;
    sqlite->back->notes_end = mark;
    sqlite->back->note_count = count;
    return refused ? back_sqlite_failed(sqlite, sqlite->table->target) : STATUS_OK;
}
