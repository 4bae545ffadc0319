/*
 * SQLite 3 files: the tables of one file become tables of a schema that is named like the file. Values
 * come by their storage class, whatever their column was declared as; the column's type is what its
 * declaration and the classes of its values together allow (sqlite_survey.c).
 *
 * Read through libsqlite3 (sqlite_door.h), which may be missing from the build: then such files are
 * refused by name.
 */
#include "tools/qtdb-migrate/sqlite_source.h"

#include <stdio.h>
#include <string.h>

#include "kernel/base/error.h"

#pragma weak sqlite_door_get

enum status
sqlite_failed(struct source *source, const char *what, const char *fault)
{
    return source_fail(source, STATUS_CORRUPT, "%s: %s: %s", source->path, what, fault);
}

enum status
sqlite_no_memory(struct source *source)
{
    return source_fail(source, STATUS_NO_MEMORY, "%s: out of memory", source->path);
}

enum status
sqlite_give_up(struct source *source, const struct legacy_text *name, enum status status)
{
    if (!source->options->rescue || status != STATUS_CORRUPT)
        return status;
    legacy_plan_lost(source->plan, name, source->fault);
    source->fault[0] = '\0';
    return STATUS_OK;
}

enum status
sqlite_prepare(struct source *source, const char *what, struct sqlite_query **out)
{
    struct sqlite_source *sqlite = source->state;
    char fault[SQLITE_FAULT_SIZE];

    if (sqlite->sql.failed)
        return sqlite_no_memory(source);
    *out = sqlite->door->prepare(sqlite->file, sqlite->sql.bytes, fault);
    return *out != NULL ? STATUS_OK : sqlite_failed(source, what, fault);
}

static enum status
find_size(struct source *source)
{
    struct io_file *file = NULL;
    enum status status = io_open(source->env.io, source->path, 0, &file);

    if (status == STATUS_OK)
        status = io_size(file, &source->size);
    io_close(file);
    return status == STATUS_OK
               ? STATUS_OK
               : source_fail(source, status, "%s: %s", source->path, error_message());
}

static enum status
open_sqlite(struct source *source)
{
    struct sqlite_source *sqlite = arena_alloc(&source->plan->arena, sizeof(*sqlite));
    char fault[SQLITE_FAULT_SIZE], name[256];

    if (sqlite == NULL)
        return sqlite_no_memory(source);
    if (sqlite_door_get == NULL)
        return source_fail(source, STATUS_VERSION,
                           "%s: this program was built without libsqlite3; install "
                           "libsqlite3-dev and build it again",
                           source->path);
    *sqlite = (struct sqlite_source){.door = sqlite_door_get()};
    sqlite->tables_end = &sqlite->tables;
    text_buffer_init(&sqlite->sql, source->env.memory);
    source->state = sqlite;
    TRY(find_size(source));
    sqlite->file = sqlite->door->open(source->path, false, fault);
    if (sqlite->file == NULL)
        return sqlite_failed(source, "it cannot be opened", fault);
    /* So that SQLite reads a file that is shorter than it says. */
    if (source->options->rescue &&
        !sqlite->door->exec(sqlite->file, "PRAGMA writable_schema = ON", fault))
        return sqlite_failed(source, "it cannot be opened", fault);
    source_table_name(source->path, name);
    sqlite->database = source_database(source, name, strlen(name));
    if (sqlite->database == NULL)
        return sqlite_no_memory(source);
    return sqlite_survey(source);
}

static void
close_sqlite(struct source *source)
{
    struct sqlite_source *sqlite = source->state;

    if (sqlite == NULL)
        return;
    sqlite->door->close(sqlite->file);
    text_buffer_deinit(&sqlite->sql);
    source->state = NULL;
}

/* Rows. */

struct rows {
    struct source *source;
    const struct source_visitor *visitor;
    const struct sqlite_table *table;
    struct sqlite_query *query;
    int first_column; /* Of the query's. */
    struct arena arena;
    struct legacy_value *values;
    const struct legacy_value **row;
    uint64_t index;
    uint64_t done; /* Rows of all tables. */
};

static bool
take_value(struct rows *rows, uint32_t column, struct legacy_value *out)
{
    const struct sqlite_source *sqlite = rows->source->state;
    const struct sqlite_door *door = sqlite->door;
    int place = rows->first_column + (int)column;
    size_t size = 0;

    *out = (struct legacy_value){.tag = LEGACY_NULL};
    switch (door->column_class(rows->query, place)) {
    case SQLITE_CLASS_INTEGER:
        out->tag = LEGACY_INTEGER;
        out->integer = door->column_i64(rows->query, place);
        return true;
    case SQLITE_CLASS_REAL:
        out->tag = LEGACY_REAL;
        out->real = door->column_f64(rows->query, place);
        return true;
    case SQLITE_CLASS_TEXT: {
        const char *text = door->column_text(rows->query, place, &size);

        if (text == NULL || !source_text(&rows->arena, text, size, out))
            return false;
        if (rows->table->plan->columns[column].column.kind == LEGACY_COLUMN_BYTEA)
            out->loss = "a text among BLOBs became its bytes";
        return true;
    }
    case SQLITE_CLASS_BLOB:
        out->tag = LEGACY_BYTES;
        out->text.bytes = door->column_blob(rows->query, place, &size);
        out->text.size = size;
        if (rows->table->hex_blobs[column])
            out->loss = "a BLOB among other values became its hexadecimal text";
        return true;
    case SQLITE_CLASS_NULL:
        break;
    }
    return true;
}

/* The row that the query stands at. */
static enum status
take_row(struct rows *rows)
{
    const struct sqlite_source *sqlite = rows->source->state;
    const struct plan_table *table = rows->table->plan;
    struct source_row row = {.values = rows->row, .index = rows->index++};

    arena_reset(&rows->arena);
    for (uint32_t i = 0; i < table->column_count; i++) {
        rows->row[i] = &rows->values[i];
        if (!take_value(rows, i, &rows->values[i]))
            return sqlite_no_memory(rows->source);
    }
    rows->done++;
    row.offset = (uint64_t)((double)rows->source->size * (double)rows->done /
                            (double)(sqlite->row_count > 0 ? sqlite->row_count : 1));
    return rows->visitor->row(rows->visitor->context, rows->table->plan, &row);
}

static enum status
take_rescued(void *context, struct sqlite_query *query)
{
    struct rows *rows = context;

    rows->query = query;
    return take_row(rows);
}

static enum status
take_rows(struct rows *rows)
{
    struct sqlite_source *sqlite = rows->source->state;
    const struct plan_table *table = rows->table->plan;
    char fault[SQLITE_FAULT_SIZE];

    for (;;) {
        enum sqlite_step step = sqlite->door->step(rows->query, fault);

        if (step == SQLITE_STEP_DONE)
            return STATUS_OK;
        if (step == SQLITE_STEP_FAILED)
            return source_fail(rows->source, STATUS_CORRUPT, "%s: table %s, after %llu rows: %s",
                               rows->source->path, table->name.bytes,
                               (unsigned long long)rows->index, fault);
        TRY(take_row(rows));
    }
}

static enum status
select_plainly(struct rows *rows, const char *columns)
{
    struct sqlite_source *sqlite = rows->source->state;
    const struct plan_table *table = rows->table->plan;

    text_buffer_reset(&sqlite->sql);
    text_buffer_print(&sqlite->sql, "SELECT %s FROM main.", columns);
    text_buffer_add_identifier(&sqlite->sql, table->name.bytes);
    TRY(sqlite_prepare(rows->source, table->name.bytes, &rows->query));
    enum status status = take_rows(rows);
    sqlite->door->finalize(rows->query);
    return status;
}

static enum status
select_rows(struct rows *rows)
{
    const struct plan_table *table = rows->table->plan;
    const struct sqlite_rescue_visitor visitor = {.context = rows, .row = take_rescued};
    bool rescue = rows->source->options->rescue;
    enum status status = STATUS_OK;
    struct text_buffer columns;
    struct arena head;

    text_buffer_init(&columns, rows->source->env.memory);
    for (uint32_t i = 0; i < table->column_count; i++) {
        text_buffer_add_text(&columns, i > 0 ? ", " : "");
        text_buffer_add_identifier(&columns, table->columns[i].column.name.bytes);
    }
    arena_init(&head, rows->source->env.memory, MEMORY_OTHER);
    rows->values = arena_alloc(&head, table->column_count * sizeof(*rows->values));
    rows->row = arena_alloc(&head, table->column_count * sizeof(*rows->row));
    rows->index = 0;
    rows->first_column = rescue ? 1 : 0;
    if (rows->values == NULL || rows->row == NULL || columns.failed)
        status = sqlite_no_memory(rows->source);
    else if (rescue)
        status = sqlite_rescue_rows(rows->source, table->name.bytes, columns.bytes, &visitor);
    else
        status = select_plainly(rows, columns.bytes);
    arena_deinit(&head);
    text_buffer_deinit(&columns);
    return status;
}

static enum status
read_table(struct rows *rows)
{
    const struct source_visitor *visitor = rows->visitor;
    struct plan_table *table = rows->table->plan;

    if (visitor->wants != NULL && !visitor->wants(visitor->context, table)) {
        rows->done += rows->table->row_count;
        return STATUS_OK;
    }
    if (visitor->table != NULL)
        TRY(visitor->table(visitor->context, table));
    if (visitor->row != NULL)
        TRY(select_rows(rows));
    return visitor->table_end != NULL ? visitor->table_end(visitor->context, table) : STATUS_OK;
}

static enum status
read_sqlite(struct source *source, const struct source_visitor *visitor)
{
    struct sqlite_source *sqlite = source->state;
    struct rows rows = {.source = source, .visitor = visitor};
    enum status status = STATUS_OK;

    arena_init(&rows.arena, source->env.memory, MEMORY_OTHER);
    for (rows.table = sqlite->tables; status == STATUS_OK && rows.table != NULL;
         rows.table = rows.table->next)
        status = read_table(&rows);
    arena_deinit(&rows.arena);
    return status;
}

const struct source_kind source_sqlite = {
    .name = "sqlite",
    .title = "SQLite",
    .widens = true,
    .open = open_sqlite,
    .close = close_sqlite,
    .read = read_sqlite,
};
