/* The survey's part for indexes, unique constraints and foreign keys of an SQLite file's tables. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tools/qtdb-migrate/legacy_plan_private.h"
#include "tools/qtdb-migrate/sqlite_survey_private.h"

struct index {
    struct columns *columns;
    const char *table;
    struct text_buffer list; /* "a", "b" */
    uint32_t count;
    struct legacy_text only; /* The column, where there is one. */
    bool plain;              /* Columns only, compared byte by byte. */
};

static enum status
take_index_column(struct source *source, struct sqlite_query *query, void *context)
{
    struct index *index = context;
    struct legacy_text name, collation;

    if (!sqlite__copy_text(source, query, 0, &name) ||
        !sqlite__copy_text(source, query, 2, &collation))
        return sqlite_no_memory(source);
    if (name.size == 0 || strcasecmp(collation.bytes, "BINARY") != 0)
        index->plain = false;
    if (index->count++ > 0)
        text_buffer_add_text(&index->list, ", ");
    text_buffer_add_identifier(&index->list, name.bytes);
    if (sqlite__number(source, query, 1) != 0)
        text_buffer_add_text(&index->list, " DESC");
    index->only = name;
    return STATUS_OK;
}

static struct legacy_column *
find_column(struct columns *columns, const struct legacy_text *name)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        if (plan__text_equals(&columns->columns[i].name, name))
            return &columns->columns[i];
    }
    return NULL;
}

/* "schema"."table" */
static void
add_table_name(const struct source *source, const char *table, struct text_buffer *sql)
{
    const struct sqlite_source *sqlite = source->state;

    text_buffer_add_identifier(sql, sqlite->database->name.bytes);
    text_buffer_add_char(sql, '.');
    text_buffer_add_identifier(sql, table);
}

static enum status
note_index(struct source *source, struct index *index, const struct legacy_text *name,
           bool is_unique, bool is_constraint, const struct legacy_text *sql_text)
{
    struct sqlite_source *sqlite = source->state;
    struct text_buffer sql;
    const char *kind = is_constraint ? "unique constraint" : "index";

    if (!index->plain) {
        (void)legacy_plan_note_sql(source->plan, kind, name,
                                   sql_text->size > 0 ? sql_text->bytes : "", sqlite->database);
        return STATUS_OK;
    }
    text_buffer_init(&sql, source->env.memory);
    if (is_constraint) {
        text_buffer_add_text(&sql, "ALTER TABLE ");
        add_table_name(source, index->table, &sql);
        text_buffer_print(&sql, " ADD UNIQUE (%s)", index->list.bytes);
    } else {
        text_buffer_print(&sql, "CREATE %sINDEX ", is_unique ? "UNIQUE " : "");
        text_buffer_add_identifier(&sql, name->bytes);
        text_buffer_add_text(&sql, " ON ");
        add_table_name(source, index->table, &sql);
        text_buffer_print(&sql, " (%s)", index->list.bytes);
    }
    bool ok = !sql.failed;
    if (ok)
        (void)legacy_plan_note_sql(source->plan, kind, name, sql.bytes, NULL);
    text_buffer_deinit(&sql);
    return ok ? STATUS_OK : sqlite_no_memory(source);
}

enum status
sqlite__take_index(struct source *source, struct sqlite_query *query, void *context)
{
    struct columns *columns = context;
    struct index index = {.columns = columns, .table = columns->table, .plain = true};
    struct legacy_text name, origin, sql_text;
    struct sqlite_query *info = NULL;

    if (!sqlite__copy_text(source, query, 0, &name) ||
        !sqlite__copy_text(source, query, 2, &origin) ||
        !sqlite__copy_text(source, query, 4, &sql_text))
        return sqlite_no_memory(source);
    bool is_unique = sqlite__number(source, query, 1) != 0;
    bool is_constraint = strcmp(origin.bytes, "u") == 0;
    index.plain = sqlite__number(source, query, 3) == 0;
    text_buffer_init(&index.list, source->env.memory);
    enum status status = sqlite__ask(source, "SELECT name, \"desc\", coll FROM pragma_index_xinfo(",
                                     name.bytes, ") WHERE key = 1 ORDER BY seqno", &info);
    if (status == STATUS_OK)
        status = sqlite__for_each(source, info, &index, take_index_column);
    if (status == STATUS_OK && index.list.failed)
        status = sqlite_no_memory(source);
    if (status == STATUS_OK && strcmp(origin.bytes, "pk") == 0 && index.plain) {
        text_buffer_deinit(&index.list);
        return STATUS_OK;
    }
    struct legacy_column *only = index.count == 1 ? find_column(columns, &index.only) : NULL;
    if (status == STATUS_OK && is_constraint && index.plain && only != NULL)
        only->unique = true;
    else if (status == STATUS_OK && strcmp(origin.bytes, "pk") == 0)
        (void)legacy_plan_note(source->plan, "collation",
                               &(struct legacy_text){columns->table, strlen(columns->table)},
                               "of the primary key; it compares bytes now");
    else if (status == STATUS_OK)
        status = note_index(source, &index, &name, is_unique, is_constraint, &sql_text);
    text_buffer_deinit(&index.list);
    return status;
}

/* A foreign key of one column is the column's, one of several comes as rows with one id. */
struct foreign {
    struct columns *columns;
    int64_t id;
    struct text_buffer from;
    struct text_buffer to;
    struct legacy_text table;
    struct legacy_text on_update;
    struct legacy_text on_delete;
};

static enum status
end_foreign(struct source *source, struct foreign *foreign)
{
    struct text_buffer sql;
    char name[200];

    if (foreign->id < 0)
        return STATUS_OK;
    text_buffer_init(&sql, source->env.memory);
    text_buffer_add_text(&sql, "ALTER TABLE ");
    add_table_name(source, foreign->columns->table, &sql);
    text_buffer_print(&sql, " ADD FOREIGN KEY (%s) REFERENCES ", foreign->from.bytes);
    add_table_name(source, foreign->table.bytes, &sql);
    if (foreign->to.size > 0)
        text_buffer_print(&sql, " (%s)", foreign->to.bytes);
    text_buffer_print(&sql, " ON UPDATE %s ON DELETE %s", foreign->on_update.bytes,
                      foreign->on_delete.bytes);
    bool ok = !sql.failed && !foreign->from.failed && !foreign->to.failed;
    int size = snprintf(name, sizeof(name), "%.90s to %.90s", foreign->columns->table,
                        foreign->table.bytes);
    if (ok)
        (void)legacy_plan_note_sql(source->plan, "foreign key",
                                   &(struct legacy_text){name, (size_t)size}, sql.bytes, NULL);
    text_buffer_deinit(&sql);
    text_buffer_reset(&foreign->from);
    text_buffer_reset(&foreign->to);
    return ok ? STATUS_OK : sqlite_no_memory(source);
}

static enum status
take_foreign(struct source *source, struct sqlite_query *query, void *context)
{
    struct foreign *foreign = context;
    struct legacy_text from, to;

    if (sqlite__number(source, query, 0) != foreign->id) {
        TRY(end_foreign(source, foreign));
        foreign->id = sqlite__number(source, query, 0);
    }
    if (!sqlite__copy_text(source, query, 1, &foreign->table) ||
        !sqlite__copy_text(source, query, 2, &from) || !sqlite__copy_text(source, query, 3, &to) ||
        !sqlite__copy_text(source, query, 4, &foreign->on_update) ||
        !sqlite__copy_text(source, query, 5, &foreign->on_delete))
        return sqlite_no_memory(source);
    if (foreign->from.size > 0)
        text_buffer_add_text(&foreign->from, ", ");
    text_buffer_add_identifier(&foreign->from, from.bytes);
    if (to.size == 0)
        return STATUS_OK;
    if (foreign->to.size > 0)
        text_buffer_add_text(&foreign->to, ", ");
    text_buffer_add_identifier(&foreign->to, to.bytes);
    return STATUS_OK;
}

enum status
sqlite__survey_foreign_keys(struct source *source, struct columns *columns)
{
    struct foreign foreign = {.columns = columns, .id = -1};
    struct sqlite_query *query = NULL;

    text_buffer_init(&foreign.from, source->env.memory);
    text_buffer_init(&foreign.to, source->env.memory);
    enum status status =
        sqlite__ask(source,
                    "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete FROM "
                    "pragma_foreign_key_list(",
                    columns->table, ") ORDER BY id, seq", &query);
    if (status == STATUS_OK)
        status = sqlite__for_each(source, query, &foreign, take_foreign);
    if (status == STATUS_OK)
        status = end_foreign(source, &foreign);
    text_buffer_deinit(&foreign.from);
    text_buffer_deinit(&foreign.to);
    return status;
}
