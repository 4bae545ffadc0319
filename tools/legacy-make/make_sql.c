/*
 * The same rows and the same changes as make_rewrite.c, as SQL that qtdb and SQLite both take: the
 * table, the rows in transactions of `batch`, then a line that begins with "-- updates", then the
 * changes, each a transaction of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/legacy-make/make.h"

static void
add_table(struct text_buffer *sql, const struct cities *cities)
{
    text_buffer_print(sql, "CREATE TABLE %s (", cities->table);
    for (int i = 0; i < cities->column_count; i++)
        text_buffer_print(sql, "%s%s %s%s", i > 0 ? ", " : "", cities->columns[i].name,
                          cities->columns[i].sql_type, i == CITY_ID ? " PRIMARY KEY" : "");
    text_buffer_add_text(sql, ");\n");
}

static void
add_value(struct text_buffer *sql, const struct city_field *column, const char *value)
{
    enum writer_type type = column->type;

    if (value[0] == '\0')
        text_buffer_add_text(sql, "NULL");
    else if (type == WRITER_INTEGER || type == WRITER_SMALLINT || type == WRITER_REAL)
        text_buffer_add_text(sql, value);
    else
        text_buffer_add_literal(sql, value, strlen(value));
}

static void
add_row(struct text_buffer *sql, const struct cities *cities, const struct city *city)
{
    text_buffer_print(sql, "INSERT INTO %s VALUES (", cities->table);
    for (int i = 0; i < cities->column_count; i++) {
        if (i > 0)
            text_buffer_add_text(sql, ", ");
        add_value(sql, &cities->columns[i], city->fields[i]);
    }
    text_buffer_add_text(sql, ");\n");
}

static bool
flush(struct text_buffer *sql, FILE *file)
{
    bool ok = !sql->failed && fwrite(sql->bytes, 1, sql->size, file) == sql->size;

    text_buffer_reset(sql);
    return ok;
}

static bool
write_all(const struct make_options *options, const struct cities *cities, FILE *file)
{
    struct text_buffer sql;
    bool ok = true;

    text_buffer_init(&sql, options->env.memory);
    add_table(&sql, cities);
    for (size_t i = 0; ok && i < cities->count; i++) {
        if (i % options->batch == 0)
            text_buffer_add_text(&sql, "BEGIN;\n");
        add_row(&sql, cities, &cities->rows[i]);
        if ((i + 1) % options->batch == 0 || i + 1 == cities->count)
            text_buffer_add_text(&sql, "COMMIT;\n");
        ok = flush(&sql, file);
    }
    text_buffer_add_text(&sql, "-- updates\n");
    for (uint64_t i = 0; i < options->updates; i++) {
        struct city_change change = cities_change(options, cities, i);

        text_buffer_print(&sql, "UPDATE %s SET %s = ", cities->table,
                          cities->columns[cities->changed].name);
        add_value(&sql, &cities->columns[cities->changed], change.value);
        text_buffer_print(&sql, " WHERE %s = %s;\n", cities->columns[CITY_ID].name,
                          cities->rows[change.row].fields[CITY_ID]);
    }
    ok = flush(&sql, file) && ok;
    text_buffer_deinit(&sql);
    return ok;
}

int
make_sql(const struct make_options *options, const char *csv, const char *out)
{
    struct cities cities;

    if (!cities_load(options, csv, &cities))
        return TOOL_FAILED;
    FILE *file = fopen(out, "w");
    bool ok = file != NULL && write_all(options, &cities, file);
    ok = file != NULL && fclose(file) == 0 && ok;
    if (!ok)
        tool_error(options->tool, "%s: %s", out, strerror(errno));
    cities_free(&cities);
    return ok ? TOOL_OK : TOOL_FAILED;
}
