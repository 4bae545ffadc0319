/*
 * What an SQLite file holds. Its own catalogue functions (pragma_...) tell tables, columns, keys,
 * indexes and foreign keys; all rows are looked at for the storage classes of their values, for a
 * declared type promises nothing about them.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tools/qtdb-migrate/legacy_plan_private.h"
#include "tools/qtdb-migrate/sqlite_survey_private.h"

/* Types. */

static bool
has_word(const char *declared, const char *word)
{
    return strcasestr(declared, word) != NULL;
}

/* Texts of a column whose declaration says what they mean; a misfit makes them texts again. */
static enum legacy_column_kind
text_kind(const char *declared)
{
    if (has_word(declared, "DATETIME") || has_word(declared, "TIMESTAMP"))
        return has_word(declared, "TZ") || has_word(declared, "WITH TIME ZONE")
                   ? LEGACY_COLUMN_TIMESTAMPTZ
                   : LEGACY_COLUMN_TIMESTAMP;
    if (strcasecmp(declared, "DATE") == 0)
        return LEGACY_COLUMN_DATE;
    if (strcasecmp(declared, "TIME") == 0)
        return LEGACY_COLUMN_TIME;
    if (has_word(declared, "UUID"))
        return LEGACY_COLUMN_UUID;
    if (has_word(declared, "JSON"))
        return LEGACY_COLUMN_JSON;
    /* What the way back declares where SQLite's numbers do not hold the values. */
    if (has_word(declared, "NUMERIC_TEXT"))
        return LEGACY_COLUMN_NUMERIC;
    return LEGACY_COLUMN_TEXT;
}

/* No values: SQLite's own rules of affinity, in their order. */
static enum legacy_column_kind
empty_kind(const char *declared)
{
    if (has_word(declared, "JSON_TEXT") || has_word(declared, "NUMERIC_TEXT"))
        return text_kind(declared);
    if (has_word(declared, "BOOL"))
        return LEGACY_COLUMN_BOOLEAN;
    if (has_word(declared, "INT"))
        return LEGACY_COLUMN_INTEGER;
    if (has_word(declared, "CHAR") || has_word(declared, "CLOB") || has_word(declared, "TEXT"))
        return LEGACY_COLUMN_TEXT;
    if (has_word(declared, "BLOB"))
        return LEGACY_COLUMN_BYTEA;
    if (has_word(declared, "REAL") || has_word(declared, "FLOA") || has_word(declared, "DOUB"))
        return LEGACY_COLUMN_REAL;
    if (has_word(declared, "NUMERIC") || has_word(declared, "DECIMAL"))
        return LEGACY_COLUMN_NUMERIC;
    return text_kind(declared);
}

enum legacy_column_kind
sqlite_column_kind(const char *declared, uint32_t classes, bool only_booleans)
{
    switch (classes) {
    case 0:
        return empty_kind(declared);
    case SQLITE_CLASS_INTEGER:
        return only_booleans && has_word(declared, "BOOL") ? LEGACY_COLUMN_BOOLEAN
               : has_word(declared, "NUMERIC") || has_word(declared, "DECIMAL")
                   ? LEGACY_COLUMN_NUMERIC
                   : LEGACY_COLUMN_INTEGER;
    case SQLITE_CLASS_REAL:
        return has_word(declared, "NUMERIC") || has_word(declared, "DECIMAL")
                   ? LEGACY_COLUMN_NUMERIC
                   : LEGACY_COLUMN_REAL;
    case SQLITE_CLASS_INTEGER | SQLITE_CLASS_REAL:
        return LEGACY_COLUMN_NUMERIC;
    case SQLITE_CLASS_TEXT:
        return text_kind(declared);
    case SQLITE_CLASS_BLOB:
    case SQLITE_CLASS_BLOB | SQLITE_CLASS_TEXT:
        return LEGACY_COLUMN_BYTEA;
    default:
        return LEGACY_COLUMN_TEXT;
    }
}

/* Queries. */

struct text_buffer *
sqlite__begin_sql(struct source *source)
{
    struct sqlite_source *sqlite = source->state;

    text_buffer_reset(&sqlite->sql);
    return &sqlite->sql;
}

/* `before`, the name as a literal, `after`. */
enum status
sqlite__ask(struct source *source, const char *before, const char *name, const char *after,
            struct sqlite_query **out)
{
    struct text_buffer *sql = sqlite__begin_sql(source);

    text_buffer_add_text(sql, before);
    text_buffer_add_literal(sql, name, strlen(name));
    text_buffer_add_text(sql, after);
    return sqlite_prepare(source, name, out);
}

/* Calls `each` for every row. */
enum status
sqlite__for_each(struct source *source, struct sqlite_query *query, void *context,
                 enum status (*each)(struct source *source, struct sqlite_query *query,
                                     void *context))
{
    const struct sqlite_door *door = ((struct sqlite_source *)source->state)->door;
    char fault[SQLITE_FAULT_SIZE];
    enum status status = STATUS_OK;
    enum sqlite_step step = SQLITE_STEP_ROW;

    while (status == STATUS_OK && (step = door->step(query, fault)) == SQLITE_STEP_ROW)
        status = each(source, query, context);
    if (status == STATUS_OK && step == SQLITE_STEP_FAILED)
        status = sqlite_failed(source, "its catalogue", fault);
    door->finalize(query);
    return status;
}

bool
sqlite__copy_text(struct source *source, struct sqlite_query *query, int column,
                  struct legacy_text *out)
{
    const struct sqlite_door *door = ((struct sqlite_source *)source->state)->door;
    const char *text = door->column_text(query, column, &out->size);

    if (text == NULL)
        out->size = 0;
    out->bytes = arena_copy_text(&source->plan->arena, text != NULL ? text : "", out->size);
    return out->bytes != NULL;
}

int64_t
sqlite__number(struct source *source, struct sqlite_query *query, int column)
{
    return ((struct sqlite_source *)source->state)->door->column_i64(query, column);
}

/* Columns. */

static enum status
take_column(struct source *source, struct sqlite_query *query, void *context)
{
    struct columns *columns = context;
    int64_t hidden = sqlite__number(source, query, 5);

    if (hidden == 1)
        return STATUS_OK;
    if (columns->count == columns->room) {
        uint32_t room = columns->room * 2 + 16;
        struct legacy_column *grown =
            arena_alloc(&source->plan->arena, room * sizeof(*columns->columns));

        if (grown == NULL)
            return sqlite_no_memory(source);
        if (columns->count > 0)
            memcpy(grown, columns->columns, columns->count * sizeof(*grown));
        columns->columns = grown;
        columns->room = room;
    }
    struct legacy_column *column = &columns->columns[columns->count++];
    if (!sqlite__copy_text(source, query, 0, &column->name) ||
        !sqlite__copy_text(source, query, 1, &column->declared) ||
        !sqlite__copy_text(source, query, 3, &column->default_sql))
        return sqlite_no_memory(source);
    column->nullable = sqlite__number(source, query, 2) == 0;
    column->key_position = (uint32_t)sqlite__number(source, query, 4);
    column->primary_key = column->key_position > 0;
    if (hidden >= 2) {
        char name[200];
        int size = snprintf(name, sizeof(name), "%.90s.%.90s", columns->table, column->name.bytes);

        (void)legacy_plan_note(source->plan, "generated column",
                               &(struct legacy_text){name, (size_t)size},
                               "its values are kept, the expression is not");
    }
    return STATUS_OK;
}

struct look {
    struct source *source;
    struct columns *columns;
    int first_column;  /* Of the query's. */
    uint32_t *classes; /* By column: enum sqlite_class. */
    bool *booleans;
    bool *hex_blobs;
    uint64_t row_count;
    struct legacy_text table;
};

static void
choose_kind(struct source *source, struct look *look, uint32_t index, uint32_t classes,
            bool only_booleans)
{
    struct legacy_column *column = &look->columns->columns[index];
    uint32_t others = classes & ~(uint32_t)(SQLITE_CLASS_BLOB | SQLITE_CLASS_TEXT);
    char name[200];

    column->kind = sqlite_column_kind(column->declared.bytes, classes, only_booleans);
    look->hex_blobs[index] = (classes & SQLITE_CLASS_BLOB) && others != 0;
    if (!(classes & SQLITE_CLASS_TEXT) || others == 0)
        return;
    int size =
        snprintf(name, sizeof(name), "%.90s.%.90s", look->columns->table, column->name.bytes);
    (void)legacy_plan_note(source->plan, "mixed column", &(struct legacy_text){name, (size_t)size},
                           "it holds numbers and texts; all became texts");
}

/* Tables. */

static enum status
add_table(struct source *source, struct columns *columns, bool *hex_blobs, uint64_t row_count)
{
    struct sqlite_source *sqlite = source->state;
    struct sqlite_table *table = arena_alloc(&source->plan->arena, sizeof(*table));
    struct legacy_table head = {.name = {columns->table, strlen(columns->table)},
                                .column_count = columns->count,
                                .columns = columns->columns};

    if (table == NULL)
        return sqlite_no_memory(source);
    table->plan = source_add_table(source, sqlite->database, &head);
    if (table->plan == NULL)
        return source_fail(source, STATUS_FULL, "%s: too many tables or no memory", source->path);
    table->row_count = row_count;
    table->hex_blobs = hex_blobs;
    sqlite->row_count += row_count;
    *sqlite->tables_end = table;
    sqlite->tables_end = &table->next;
    return STATUS_OK;
}

/* The values of all rows. */

static enum status
look_at_row(void *context, struct sqlite_query *query)
{
    struct look *look = context;
    const struct sqlite_door *door = ((struct sqlite_source *)look->source->state)->door;

    for (uint32_t i = 0; i < look->columns->count; i++) {
        int place = (int)i + look->first_column;
        enum sqlite_class class = door->column_class(query, place);

        if (class == SQLITE_CLASS_NULL)
            continue;
        look->classes[i] |= class;
        if (look->booleans[i]) {
            int64_t value = class == SQLITE_CLASS_INTEGER ? door->column_i64(query, place) : 2;

            look->booleans[i] = value == 0 || value == 1;
        }
    }
    look->row_count++;
    return STATUS_OK;
}

static enum status
take_look(struct source *source, struct sqlite_query *query, void *context)
{
    (void)source;
    return look_at_row(context, query);
}

static void
note_lost(void *context, const char *words)
{
    struct look *look = context;

    legacy_plan_lost(look->source->plan, &look->table, words);
}

static enum status
look_at_rows(struct source *source, struct look *look, const char *list)
{
    const struct sqlite_rescue_visitor visitor = {look, look_at_row, note_lost};
    struct sqlite_query *query = NULL;

    look->first_column = source->options->rescue ? 1 : 0;
    if (source->options->rescue)
        return sqlite_rescue_rows(source, look->columns->table, list, &visitor);
    struct text_buffer *sql = sqlite__begin_sql(source);
    text_buffer_print(sql, "SELECT %s FROM main.", list);
    text_buffer_add_identifier(sql, look->columns->table);
    TRY(sqlite_prepare(source, look->columns->table, &query));
    return sqlite__for_each(source, query, look, take_look);
}

static enum status
look_at_values(struct source *source, struct look *look)
{
    const struct columns *columns = look->columns;
    struct text_buffer list;

    look->source = source;
    look->table = (struct legacy_text){columns->table, strlen(columns->table)};
    look->classes = arena_alloc(&source->plan->arena, columns->count * sizeof(*look->classes));
    look->booleans = arena_alloc(&source->plan->arena, columns->count * sizeof(*look->booleans));
    if (look->classes == NULL || look->booleans == NULL)
        return sqlite_no_memory(source);
    text_buffer_init(&list, source->env.memory);
    for (uint32_t i = 0; i < columns->count; i++) {
        look->booleans[i] = true;
        text_buffer_add_text(&list, i > 0 ? ", " : "");
        text_buffer_add_identifier(&list, columns->columns[i].name.bytes);
    }
    enum status status =
        list.failed ? sqlite_no_memory(source) : look_at_rows(source, look, list.bytes);
    text_buffer_deinit(&list);
    for (uint32_t i = 0; status == STATUS_OK && i < columns->count; i++)
        choose_kind(source, look, i, look->classes[i], look->booleans[i]);
    return status;
}

static enum status
survey_table(struct source *source, const char *name)
{
    struct columns columns = {.table = name};
    struct look look = {.columns = &columns};
    struct sqlite_query *query = NULL;

    TRY(sqlite__ask(source,
                    "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM "
                    "pragma_table_xinfo(",
                    name, ") ORDER BY cid", &query));
    TRY(sqlite__for_each(source, query, &columns, take_column));
    look.hex_blobs = arena_alloc(&source->plan->arena, columns.count * sizeof(bool));
    if (look.hex_blobs == NULL)
        return sqlite_no_memory(source);
    TRY(look_at_values(source, &look));
    TRY(sqlite__ask(source,
                    "SELECT l.name, l.\"unique\", l.origin, l.partial, m.sql FROM "
                    "pragma_index_list(",
                    name,
                    ") l LEFT JOIN sqlite_master m ON m.type = 'index' AND "
                    "m.name = l.name ORDER BY l.seq DESC",
                    &query));
    TRY(sqlite__for_each(source, query, &columns, sqlite__take_index));
    TRY(sqlite__survey_foreign_keys(source, &columns));
    return add_table(source, &columns, look.hex_blobs, look.row_count);
}

static enum status
take_table(struct source *source, struct sqlite_query *query, void *context)
{
    struct legacy_text name, type, sql;

    (void)context;
    if (!sqlite__copy_text(source, query, 0, &name) ||
        !sqlite__copy_text(source, query, 1, &type) || !sqlite__copy_text(source, query, 2, &sql))
        return sqlite_no_memory(source);
    if (strcmp(type.bytes, "shadow") == 0) {
        (void)legacy_plan_note(source->plan, "shadow table", &name, "of a virtual table");
        return STATUS_OK;
    }
    if (strcmp(type.bytes, "virtual") == 0)
        (void)legacy_plan_note(source->plan, "virtual table", &name,
                               "it became an ordinary table of its rows");
    if (has_word(sql.bytes, "CHECK"))
        (void)legacy_plan_note(source->plan, "check constraint", &name, sql.bytes);
    return sqlite_give_up(source, &name, survey_table(source, name.bytes));
}

static enum status
take_other(struct source *source, struct sqlite_query *query, void *context)
{
    struct sqlite_source *sqlite = source->state;
    struct legacy_text name, type, sql;

    (void)context;
    if (!sqlite__copy_text(source, query, 0, &name) ||
        !sqlite__copy_text(source, query, 1, &type) || !sqlite__copy_text(source, query, 2, &sql))
        return sqlite_no_memory(source);
    if (strcmp(type.bytes, "view") == 0)
        (void)legacy_plan_note_sql(source->plan, "view", &name, sql.bytes, sqlite->database);
    else
        (void)legacy_plan_note(source->plan, "trigger", &name, sql.bytes);
    return STATUS_OK;
}

/* AUTOINCREMENT: the next value of the table's only key column. */
static enum status
take_sequence(struct source *source, struct sqlite_query *query, void *context)
{
    struct sqlite_source *sqlite = source->state;
    struct sqlite_table *table = sqlite->tables;
    struct legacy_text name;

    (void)context;
    if (!sqlite__copy_text(source, query, 0, &name))
        return sqlite_no_memory(source);
    int64_t last = sqlite__number(source, query, 1);
    for (; table != NULL; table = table->next) {
        if (!plan__text_equals(&table->plan->name, &name))
            continue;
        for (uint32_t i = 0; i < table->plan->column_count; i++) {
            const struct legacy_column *column = &table->plan->columns[i].column;

            if (column->primary_key && last < INT64_MAX &&
                !plan__sequence_set(source->plan, table->plan, &column->name, last + 1, false))
                return sqlite_no_memory(source);
        }
    }
    return STATUS_OK;
}

static enum status
run(struct source *source, const char *sql,
    enum status (*each)(struct source *source, struct sqlite_query *query, void *context),
    bool may_fail)
{
    struct sqlite_query *query = NULL;

    text_buffer_add_text(sqlite__begin_sql(source), sql);
    enum status status = sqlite_prepare(source, "its catalogue", &query);
    if (status != STATUS_OK && may_fail) {
        source->fault[0] = '\0';
        return STATUS_OK;
    }
    TRY(status);
    return sqlite_give_up(source, &(struct legacy_text){"catalogue", 9},
                          sqlite__for_each(source, query, NULL, each));
}

enum status
sqlite_survey(struct source *source)
{
    /* One query open at a time but this one: the tables' own follow from inside it. */
    TRY(run(source,
            "SELECT l.name, l.type, coalesce(m.sql, '') FROM pragma_table_list l "
            "JOIN sqlite_master m ON m.name = l.name WHERE l.schema = 'main' AND "
            "l.type IN ('table', 'virtual', 'shadow') AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "ORDER BY m.rowid",
            take_table, false));
    TRY(run(source,
            "SELECT name, type, coalesce(sql, '') FROM sqlite_master WHERE type IN ('view', "
            "'trigger') ORDER BY rowid",
            take_other, false));
    /* There is no such table where nothing increments by itself. */
    return run(source, "SELECT name, seq FROM sqlite_sequence", take_sequence, true);
}
