/* See migrate_table.h. */
#include "tools/qtdb-migrate/migrate_table.h"

#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"

enum { COLUMNS_MAX = 1600 /* Of a table in the target; more are refused there. */ };

/* Names. */

/* The longest beginning of at most `most` bytes that ends with a whole character. */
static size_t
whole_characters(const char *bytes, size_t size, size_t most)
{
    if (size <= most)
        return size;
    while (most > 0 && ((unsigned char)bytes[most] & 0xc0) == 0x80)
        most--;
    return most;
}

bool
migrate_name(const struct legacy_text *legacy, char out[MIGRATE_NAME_SIZE])
{
    size_t size = whole_characters(legacy->bytes, legacy->size, MIGRATE_NAME_SIZE - 1);
    bool changed = size < legacy->size;

    memcpy(out, legacy->bytes, size);
    out[size] = '\0';
    for (size_t i = 0; i < size; i++) {
        if (out[i] != '\0')
            continue;
        out[i] = '_';
        changed = true;
    }
    if (size > 0)
        return changed;
    (void)snprintf(out, MIGRATE_NAME_SIZE, "unnamed");
    return true;
}

/* Appends _2, _3 and so on until no earlier column has the name. */
static void
make_unique(const struct migrate_table *table, uint32_t column)
{
    char *name = table->columns[column].name;
    size_t kept = whole_characters(name, strlen(name), MIGRATE_NAME_SIZE - 8);
    uint32_t suffix = 2;

    for (uint32_t i = 0; i < column; i++) {
        if (strcmp(table->columns[i].name, name) != 0)
            continue;
        (void)snprintf(name + kept, MIGRATE_NAME_SIZE - kept, "_%u", suffix++ % 100000);
        i = UINT32_MAX; /* Begins again with the new name. */
    }
}

bool
migrate_table_init(struct migrate_table *table, struct plan_table *plan, struct arena *arena)
{
    *table = (struct migrate_table){.plan = plan, .column_count = plan->column_count};
    (void)migrate_name(&plan->database->name, table->schema);
    (void)migrate_name(&plan->name, table->name);
    table->columns = arena_alloc(arena, plan->column_count * sizeof(*table->columns));
    if (table->columns == NULL)
        return false;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        struct migrate_column *column = &table->columns[i];

        column->legacy = &plan->columns[i].column;
        column->wanted = convert_type_of(column->legacy);
        column->type = column->wanted;
        column->not_null = !column->legacy->nullable;
        column->unique = column->legacy->unique && !column->legacy->primary_key;
        table->has_key = table->has_key || column->legacy->primary_key;
        (void)migrate_name(&column->legacy->name, column->name);
        if (plan->column_count <= COLUMNS_MAX)
            make_unique(table, i);
    }
    table->left_out = table->column_count == 0;
    return true;
}

/* SQL. */

void
migrate_sql_name(const struct migrate_table *table, struct text_buffer *sql)
{
    text_buffer_add_identifier(sql, table->schema);
    text_buffer_add_char(sql, '.');
    text_buffer_add_identifier(sql, table->name);
}

static void
unique_name(const struct migrate_table *table, const struct migrate_column *column,
            char out[MIGRATE_NAME_SIZE])
{
    size_t table_size = whole_characters(table->name, strlen(table->name), 29);
    size_t column_size = whole_characters(column->name, strlen(column->name), 28);

    (void)snprintf(out, MIGRATE_NAME_SIZE, "%.*s_%.*s_key", (int)table_size, table->name,
                   (int)column_size, column->name);
}

static void
add_key(const struct migrate_table *table, struct text_buffer *sql)
{
    const char *separator = ", PRIMARY KEY (";
    uint32_t count = 0, most = 0;

    for (uint32_t i = 0; i < table->column_count; i++) {
        uint32_t position = table->columns[i].legacy->key_position;

        count += table->columns[i].legacy->primary_key && position == 0;
        most = position > most ? position : most;
    }
    /* By position where the source tells it, else as the columns stand. */
    for (uint32_t at = count > 0 ? 0 : 1; at <= (count > 0 ? 0 : most); at++) {
        for (uint32_t i = 0; i < table->column_count; i++) {
            const struct legacy_column *column = table->columns[i].legacy;

            if (!column->primary_key || (count == 0 && column->key_position != at))
                continue;
            text_buffer_add_text(sql, separator);
            text_buffer_add_identifier(sql, table->columns[i].name);
            separator = ", ";
        }
    }
    text_buffer_add_char(sql, ')');
}

void
migrate_sql_create(const struct migrate_table *table, struct text_buffer *sql)
{
    text_buffer_add_text(sql, "CREATE TABLE ");
    migrate_sql_name(table, sql);
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct migrate_column *column = &table->columns[i];
        char type[TARGET_TYPE_SIZE], name[MIGRATE_NAME_SIZE];

        text_buffer_add_text(sql, i == 0 ? " (" : ", ");
        text_buffer_add_identifier(sql, column->name);
        text_buffer_print(sql, " %s", convert_type_name(&column->type, type));
        if (column->legacy->default_sql.size > 0 && !table->defaults_left_out)
            text_buffer_print(sql, " DEFAULT %s", column->legacy->default_sql.bytes);
        if (column->not_null)
            text_buffer_add_text(sql, " NOT NULL");
        if (!column->unique)
            continue;
        unique_name(table, column, name);
        text_buffer_add_text(sql, " CONSTRAINT ");
        text_buffer_add_identifier(sql, name);
        text_buffer_add_text(sql, " UNIQUE");
    }
    if (table->has_key)
        add_key(table, sql);
    text_buffer_add_char(sql, ')');
}

void
migrate_sql_select(const struct migrate_table *table, struct text_buffer *sql)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        text_buffer_add_text(sql, i == 0 ? "SELECT " : ", ");
        text_buffer_add_identifier(sql, table->columns[i].name);
    }
    text_buffer_add_text(sql, " FROM ");
    migrate_sql_name(table, sql);
}

/* What gave way. */

void
migrate_sample(const char *value, size_t size, char out[MIGRATE_SAMPLE_SIZE])
{
    bool whole = size < MIGRATE_SAMPLE_SIZE;
    size_t kept = whole ? size : whole_characters(value, size, MIGRATE_SAMPLE_SIZE - 4);

    if (kept > 0)
        memcpy(out, value, kept);
    (void)snprintf(out + kept, MIGRATE_SAMPLE_SIZE - kept, "%s", whole ? "" : "...");
}

void
migrate_note_loss(struct migrate_table *table, uint32_t column, const char *what, uint64_t row,
                  const char *value, size_t value_size)
{
    struct migrate_loss *loss = table->columns[column].losses;
    struct migrate_loss *end = loss + MIGRATE_LOSSES_MAX - 1;

    table->loss_count++;
    while (loss < end && loss->what != NULL && loss->what != what)
        loss++;
    if (loss->count++ > 0)
        return;
    loss->what = what;
    loss->first_row = row;
    migrate_sample(value, value_size, loss->first_value);
}

/* True when the message ends with the name in quotes. */
static bool
names(const char *message, const char *name)
{
    size_t size = strlen(message), wanted = strlen(name) + 2;

    return size >= wanted && message[size - 1] == '"' && message[size - wanted] == '"' &&
           memcmp(message + size - wanted + 1, name, wanted - 2) == 0;
}

static bool
leave_out_unique(struct migrate_table *table, const char *message)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct migrate_column *column = &table->columns[i];
        char name[MIGRATE_NAME_SIZE];

        if (!column->unique)
            continue;
        unique_name(table, column, name);
        if (!names(message, name))
            continue;
        column->unique = false;
        column->unique_left_out = "its values repeat";
        return true;
    }
    if (!table->has_key)
        return false;
    table->has_key = false;
    table->key_left_out = "its values repeat";
    return true;
}

static bool
leave_out_keys(struct migrate_table *table)
{
    static const char why[] = "a value is too long for a key";
    bool any = table->has_key;

    if (table->has_key)
        table->key_left_out = why;
    table->has_key = false;
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct migrate_column *column = &table->columns[i];

        if (!column->unique)
            continue;
        column->unique = false;
        column->unique_left_out = why;
        any = true;
    }
    return any;
}

bool
migrate_leave_out(struct migrate_table *table, const char *sqlstate, const char *message)
{
    if (strcmp(sqlstate, "23505") == 0)
        return leave_out_unique(table, message);
    if (strcmp(sqlstate, "54000") == 0)
        return leave_out_keys(table);
    return false;
}

bool
migrate_has_defaults(const struct migrate_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].legacy->default_sql.size > 0)
            return true;
    }
    return false;
}

bool
migrate_table_is_changed(const struct migrate_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct migrate_column *column = &table->columns[i];

        if (column->widened || column->not_null_left_out != NULL || column->unique_left_out != NULL)
            return true;
    }
    return table->key_left_out != NULL || table->left_out;
}

void
migrate_table_forget(struct migrate_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        memset(table->columns[i].losses, 0, sizeof(table->columns[i].losses));
    table->row_count = 0;
    table->short_count = 0;
    table->long_count = 0;
    table->loss_count = 0;
}
