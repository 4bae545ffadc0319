/* See sql_dump.h. */
#include "tools/common/sql_dump.h"

#include <errno.h>
#include <string.h>

enum { ROWS_A_STATEMENT = 500, SIZE_A_STATEMENT = 64 * 1024 };

static bool
fail(struct sql_dump *dump, const char *what, const char *why)
{
    (void)snprintf(dump->fault, sizeof(dump->fault), "%.200s: %.300s", what, why);
    return false;
}

/* Writes what the text holds and empties it. */
static bool
flush(struct sql_dump *dump, struct text_buffer *text)
{
    if (text->failed)
        return fail(dump, "the dump", "no memory");
    if (text->size > 0 && fwrite(text->bytes, 1, text->size, dump->file) != text->size)
        return fail(dump, "the dump cannot be written", strerror(errno));
    text_buffer_reset(text);
    return true;
}

/* Rows. */

static bool
is_digits(const char *text, size_t size)
{
    size_t at = size > 1 && text[0] == '-';

    for (; at < size; at++) {
        if (text[at] < '0' || text[at] > '9')
            return false;
    }
    return size > 0 && size < 19;
}

static void
add_value(struct text_buffer *sql, enum qtdb_type type, const char *text, size_t size)
{
    bool integer = type == QTDB_TYPE_INT2 || type == QTDB_TYPE_INT4 || type == QTDB_TYPE_INT8;

    if (text == NULL)
        text_buffer_add_text(sql, "NULL");
    else if (integer && is_digits(text, size))
        text_buffer_add(sql, text, size);
    else
        text_buffer_add_literal(sql, text, size);
}

void
sql_dump_add_select(struct text_buffer *sql, const struct sql_table *table)
{
    text_buffer_add_text(sql, "SELECT ");
    for (uint32_t i = 0; i < table->column_count; i++) {
        text_buffer_add_text(sql, i > 0 ? ", " : "");
        text_buffer_add_identifier(sql, table->columns[i].name);
    }
    text_buffer_add_text(sql, " FROM ");
    sql_catalog_add_name(sql, table->schema, table->name);
}

/* INSERT INTO "s"."t" ("a", "b") VALUES; computed columns are computed again. */
static void
begin_insert(struct text_buffer *sql, const struct sql_table *table)
{
    bool first = true, identity = false;

    text_buffer_add_text(sql, "INSERT INTO ");
    sql_catalog_add_name(sql, table->schema, table->name);
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct sql_column *column = &table->columns[i];

        identity = identity || column->identity;
        if (column->generated)
            continue;
        text_buffer_add_text(sql, first ? " (" : ", ");
        text_buffer_add_identifier(sql, column->name);
        first = false;
    }
    text_buffer_add_text(sql, first      ? " DEFAULT VALUES"
                              : identity ? ") OVERRIDING SYSTEM VALUE VALUES"
                                         : ") VALUES");
}

static void
add_row(struct text_buffer *sql, const struct sql_table *table, struct qtdb_statement *select)
{
    bool first = true;

    for (uint32_t i = 0; i < table->column_count; i++) {
        size_t size = 0;

        if (table->columns[i].generated)
            continue;
        const char *text = qtdb_column_text(select, i, &size);
        text_buffer_add_text(sql, first ? "\n(" : ", ");
        /* NULL is a null or a refusal of memory. */
        sql->failed = sql->failed || (text == NULL && !qtdb_column_is_null(select, i));
        add_value(sql, qtdb_column_type(select, i), text, size);
        first = false;
    }
    if (!first)
        text_buffer_add_char(sql, ')');
}

static bool
all_generated(const struct sql_table *table)
{
    uint32_t generated = 0;

    for (uint32_t i = 0; i < table->column_count; i++)
        generated += table->columns[i].generated;
    return generated == table->column_count;
}

static bool
write_rows(struct sql_dump *dump, const struct sql_table *table, struct qtdb_statement *select,
           struct text_buffer *sql)
{
    uint32_t limit = all_generated(table) ? 1 : ROWS_A_STATEMENT, pending = 0;
    enum qtdb_code code = qtdb_step(select);

    for (; code == QTDB_ROW; code = qtdb_step(select)) {
        if (pending == 0)
            begin_insert(sql, table);
        else
            text_buffer_add_char(sql, ',');
        add_row(sql, table, select);
        pending++;
        dump->row_count++;
        if (dump->row != NULL && !dump->row(dump->context, table, select)) {
            dump->stopped = true;
            return false;
        }
        if (pending < limit && sql->size < SIZE_A_STATEMENT)
            continue;
        pending = 0;
        text_buffer_add_text(sql, ";\n");
        if (!flush(dump, sql))
            return false;
    }
    if (code != QTDB_DONE)
        return fail(dump, table->name, qtdb_error_last()->message);
    text_buffer_add_text(sql, pending > 0 ? ";\n" : "");
    return flush(dump, sql);
}

static bool
write_table(struct sql_dump *dump, const struct sql_table *table, struct text_buffer *sql)
{
    struct qtdb_statement *select = NULL;

    text_buffer_reset(sql);
    sql_dump_add_select(sql, table);
    if (sql->failed)
        return fail(dump, table->name, "no memory");
    if (qtdb_prepare(dump->session, sql->bytes, &select, NULL) != QTDB_OK)
        return fail(dump, table->name, qtdb_error_last()->message);
    text_buffer_reset(sql);
    bool ok = write_rows(dump, table, select, sql);
    qtdb_finalize(select);
    return ok;
}

/* Definitions. */

/* What rows need comes before them, the rest after: checks of many rows at once are faster than of each. */
static bool
comes_before_rows(const char *kind)
{
    return strcmp(kind, "schema") == 0 || strcmp(kind, "type") == 0 ||
           strcmp(kind, "sequence") == 0 || strcmp(kind, "table") == 0;
}

static bool
write_definitions(struct sql_dump *dump, const struct sql_catalog *catalog, bool before,
                  struct text_buffer *sql)
{
    const struct sql_definition *definition = catalog->definitions;

    for (; definition != NULL; definition = definition->next) {
        if (comes_before_rows(definition->kind) != before)
            continue;
        text_buffer_add_text(sql, definition->sql);
        text_buffer_add_text(sql, ";\n");
        if (!flush(dump, sql))
            return false;
    }
    return true;
}

static bool
write_sequences(struct sql_dump *dump, const struct sql_catalog *catalog, struct text_buffer *sql)
{
    const struct sql_sequence *sequence = catalog->sequences;
    struct text_buffer name;
    bool ok = true;

    text_buffer_init(&name, dump->memory);
    for (; ok && sequence != NULL; sequence = sequence->following) {
        text_buffer_reset(&name);
        sql_catalog_add_name(&name, sequence->schema, sequence->name);
        text_buffer_add_text(sql, "SELECT pg_catalog.setval(");
        if (!name.failed)
            text_buffer_add_literal(sql, name.bytes, name.size);
        text_buffer_print(sql, ", %s, %s);\n",
                          sequence->next != NULL ? sequence->next : sequence->end,
                          sequence->next != NULL ? "false" : "true");
        ok = name.failed ? fail(dump, "the dump", "no memory") : flush(dump, sql);
    }
    text_buffer_deinit(&name);
    return ok;
}

static bool
write_all(struct sql_dump *dump, const struct sql_catalog *catalog, struct text_buffer *sql)
{
    const struct sql_table *table = catalog->tables;

    text_buffer_print(
        sql,
        "-- A database of qtdb %s. Restored by: qtdb NEW.qtdb -f THIS, or psql -f THIS\n"
        "SET client_encoding = 'UTF8';\n"
        "SET standard_conforming_strings = on;\n"
        "BEGIN;\n",
        qtdb_version());
    if (!flush(dump, sql) || !write_definitions(dump, catalog, true, sql))
        return false;
    for (; table != NULL; table = table->next) {
        if (!write_table(dump, table, sql))
            return false;
    }
    if (!write_definitions(dump, catalog, false, sql) || !write_sequences(dump, catalog, sql))
        return false;
    text_buffer_add_text(sql, "COMMIT;\n");
    return flush(dump, sql);
}

bool
sql_dump_write(struct sql_dump *dump, const struct sql_catalog *catalog)
{
    struct text_buffer sql;

    dump->row_count = 0;
    dump->stopped = false;
    dump->fault[0] = '\0';
    text_buffer_init(&sql, dump->memory);
    bool ok = write_all(dump, catalog, &sql);
    text_buffer_deinit(&sql);
    return ok;
}
