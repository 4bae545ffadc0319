/*
 * SQLite: rows through libsqlite3, in one transaction without a journal (the file has another name until it is
 * whole). Values are bound as their column stores them and summed in that form; see back_sqlite.h.
 */
#include "tools/qtdb-migrate/back_sqlite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"

#pragma weak sqlite_door_get

enum status
back_sqlite_failed(struct back_sqlite *sqlite, const char *what)
{
    return back_fail(sqlite->back, STATUS_FAILED, "%s: %.200s: %s", sqlite->back->partial, what,
                     sqlite->fault);
}

bool
back_run_sql(struct back_sqlite *sqlite)
{
    const struct text_buffer *sql = &sqlite->back->sql;

    if (!sql->failed)
        return sqlite->door->exec(sqlite->file, sql->bytes, sqlite->fault);
    (void)snprintf(sqlite->fault, sizeof(sqlite->fault), "out of memory");
    return false;
}

static enum status
run(struct back_sqlite *sqlite, const char *sql)
{
    return sqlite->door->exec(sqlite->file, sql, sqlite->fault) ? STATUS_OK
                                                                : back_sqlite_failed(sqlite, sql);
}

/* Values. */

bool
back_number_fits(const char *text, size_t size, bool has_scale)
{
    size_t digits = 0;
    bool point = false, leading = true;

    for (size_t i = text[0] == '-'; i < size; i++) {
        if (text[i] == '.') {
            point = true;
            continue;
        }
        if (text[i] < '0' || text[i] > '9')
            return false; /* NaN, Infinity. */
        leading = leading && text[i] == '0';
        digits += !leading;
    }
    /* Without a scale of the column's the value's own zeros would go. */
    return digits <= 15 && (has_scale || !point || text[size - 1] != '0');
}

/* An integral number is stored as one, whatever it is bound as. */
static bool
is_integral(const char *text, size_t size)
{
    const char *point = memchr(text, '.', size);

    return point == NULL || strspn(point + 1, "0") == size - (size_t)(point - text) - 1;
}

static size_t
unhex(const char *text, size_t size, char *out)
{
    size_t used = 0;

    /* \x, then two digits a byte. */
    for (size_t i = 2; i + 1 < size; i += 2) {
        char pair[3] = {text[i], text[i + 1], '\0'};

        out[used++] = (char)strtoul(pair, NULL, 16);
    }
    return used;
}

struct inserting {
    struct back_sqlite *sqlite;
    struct sqlite_query *insert;
    struct text_buffer blob;
    uint64_t row;
};

static bool
bind_integer(struct inserting *inserting, int index, int64_t value)
{
    migrate_sum_integer(&inserting->sqlite->back->row, value);
    return inserting->sqlite->door->bind_i64(inserting->insert, index, value);
}

static bool
bind_text(struct inserting *inserting, int index, const char *text, size_t size)
{
    migrate_sum_bytes(&inserting->sqlite->back->row, text, size);
    return inserting->sqlite->door->bind_text(inserting->insert, index, text, size);
}

static enum status
bind_real(struct inserting *inserting, uint32_t column, double value, const char *text, size_t size,
          bool *ok)
{
    struct back_sqlite *sqlite = inserting->sqlite;
    const struct sql_table *table = sqlite->table->table;
    const char *name = table->columns[column].name;

    if (isnan(value)) {
        *ok = bind_text(inserting, (int)column + 1, text, size);
        return back_lose(sqlite->back, table, name, "SQLite has no NaN; its text stands there",
                         inserting->row, text, size);
    }
    /* A sum has one zero, for SQLite has one. */
    migrate_sum_real(&sqlite->back->row, value == 0 ? 0.0 : value);
    *ok = sqlite->door->bind_f64(inserting->insert, (int)column + 1, value);
    if (value == 0 && signbit(value))
        return back_lose(sqlite->back, table, name, "SQLite has no negative zero", inserting->row,
                         text, size);
    return STATUS_OK;
}

static bool
bind_blob(struct inserting *inserting, int index, const char *text, size_t size)
{
    struct text_buffer *blob = &inserting->blob;

    text_buffer_reset(blob);
    text_buffer_add(blob, text, size); /* More than enough room. */
    if (blob->failed)
        return false;
    size_t used = unhex(text, size, blob->bytes);
    migrate_sum_bytes(&inserting->sqlite->back->row, blob->bytes, used);
    return inserting->sqlite->door->bind_blob(inserting->insert, index, blob->bytes, used);
}

static enum status
bind_value(struct inserting *inserting, struct qtdb_statement *select, uint32_t column)
{
    struct back_sqlite *sqlite = inserting->sqlite;
    enum back_storage storage = sqlite->columns[column].storage;
    int index = (int)column + 1;
    size_t size = 0;
    const char *text = qtdb_column_text(select, column, &size);
    bool ok = text != NULL || qtdb_column_is_null(select, column);
    enum status status = STATUS_OK;

    if (text == NULL) {
        migrate_sum_null(&sqlite->back->row);
        ok = ok && sqlite->door->bind_null(inserting->insert, index);
    } else if (storage == BACK_INTEGER || storage == BACK_BOOLEAN) {
        ok = bind_integer(inserting, index,
                          storage == BACK_BOOLEAN ? text[0] == 't' : strtoll(text, NULL, 10));
    } else if (storage == BACK_NUMBER && is_integral(text, size)) {
        ok = bind_integer(inserting, index, strtoll(text, NULL, 10));
    } else if (storage == BACK_REAL || storage == BACK_NUMBER) {
        double value = storage == BACK_REAL ? qtdb_column_f64(select, column) : strtod(text, NULL);

        status = bind_real(inserting, column, value, text, size, &ok);
    } else if (storage == BACK_BLOB) {
        ok = bind_blob(inserting, index, text, size);
    } else {
        ok = bind_text(inserting, index, text, size);
    }
    return ok ? status
              : back_fail(sqlite->back, STATUS_NO_MEMORY,
                          "out of memory, or a value of "
                          "more than 1 GB");
}

/* Rows. */

static enum status
insert_row(struct inserting *inserting, struct qtdb_statement *select, bool *refused)
{
    struct back_sqlite *sqlite = inserting->sqlite;
    struct back_table *table = sqlite->table;

    for (uint32_t i = 0; i < table->table->column_count; i++)
        TRY(bind_value(inserting, select, i));
    if (!migrate_sum_row(&table->source_sum, &sqlite->back->row))
        return back_fail(sqlite->back, STATUS_NO_MEMORY, "out of memory");
    if (sqlite->door->step(inserting->insert, sqlite->fault) != SQLITE_STEP_DONE) {
        *refused = true;
        return STATUS_OK;
    }
    sqlite->door->reset(inserting->insert);
    inserting->row++;
    return back_count_row(sqlite->back);
}

static enum status
prepare_insert(struct back_sqlite *sqlite, struct sqlite_query **out)
{
    struct back *back = sqlite->back;

    text_buffer_reset(&back->sql);
    text_buffer_add_text(&back->sql, "INSERT INTO ");
    text_buffer_add_identifier(&back->sql, sqlite->table->target);
    for (uint32_t i = 0; i < sqlite->table->table->column_count; i++)
        text_buffer_add_text(&back->sql, i == 0 ? " VALUES (?" : ", ?");
    text_buffer_add_char(&back->sql, ')');
    if (back->sql.failed)
        return back_fail(back, STATUS_NO_MEMORY, "out of memory");
    *out = sqlite->door->prepare(sqlite->file, back->sql.bytes, sqlite->fault);
    return *out != NULL ? STATUS_OK : back_sqlite_failed(sqlite, sqlite->table->target);
}

/* `*refused_out`: SQLite did not take a row. */
static enum status
copy_rows(struct back_sqlite *sqlite, bool *refused_out)
{
    struct inserting inserting = {.sqlite = sqlite};
    struct qtdb_statement *select = NULL;
    enum qtdb_code code = QTDB_DONE;

    *refused_out = false;
    sqlite->table->source_sum = (struct migrate_sum){.row_count = 0};
    text_buffer_init(&inserting.blob, sqlite->back->env.memory);
    enum status status = prepare_insert(sqlite, &inserting.insert);
    if (status == STATUS_OK)
        status = back_select(sqlite->back, sqlite->back->session, sqlite->table->table, &select);
    while (status == STATUS_OK && !*refused_out && (code = qtdb_step(select)) == QTDB_ROW)
        status = insert_row(&inserting, select, refused_out);
    if (status == STATUS_OK && !*refused_out && code != QTDB_DONE)
        status = back_fail(sqlite->back, STATUS_FAILED, "%s", qtdb_error_last()->message);
    qtdb_finalize(select);
    sqlite->door->finalize(inserting.insert);
    text_buffer_deinit(&inserting.blob);
    return status;
}

/* What a first try counted of the table. */
static void
forget_losses(struct back *back, const struct sql_table *table)
{
    struct back_loss **link = &back->losses;

    while (*link != NULL) {
        struct back_loss *loss = *link;

        if (loss->table != table) {
            link = &loss->next;
            continue;
        }
        back->loss_count -= loss->count;
        *link = loss->next;
    }
}

static enum status
write_rows(struct back_sqlite *sqlite)
{
    bool refused = false, changed = false;
    uint64_t before = sqlite->back->row_count;

    TRY(copy_rows(sqlite, &refused));
    if (!refused)
        return STATUS_OK;
    char why[SQLITE_FAULT_SIZE];
    (void)snprintf(why, sizeof(why), "%s", sqlite->fault);
    TRY(back_create_unchecked(sqlite, &changed));
    (void)snprintf(sqlite->fault, sizeof(sqlite->fault), "%s", why);
    if (!changed)
        return back_sqlite_failed(sqlite, sqlite->table->target);
    sqlite->back->row_count = before;
    forget_losses(sqlite->back, sqlite->table->table);
    TRY(copy_rows(sqlite, &refused));
    return refused ? back_sqlite_failed(sqlite, sqlite->table->target) : STATUS_OK;
}

static enum status
write_table(struct back_sqlite *sqlite)
{
    const struct sql_table *table = sqlite->table->table;

    TRY(back_create_table(sqlite));
    TRY(write_rows(sqlite));
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (sqlite->columns[i].counts_up)
            TRY(back_set_position(sqlite, table, table->columns[i].name));
    }
    return STATUS_OK;
}

static enum status
write_tables(struct back_sqlite *sqlite)
{
    struct back *back = sqlite->back;

    TRY(run(sqlite, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN"));
    for (uint32_t i = 0; i < back->catalog.table_count; i++) {
        sqlite->table = &back->tables[i];
        TRY(write_table(sqlite));
    }
    TRY(back_add_objects(sqlite));
    return run(sqlite, "COMMIT");
}

static enum status
open_file(struct back *back, struct back_sqlite *out)
{
    *out = (struct back_sqlite){.back = back, .plain_names = true};
    if (sqlite_door_get == NULL)
        return back_fail(back, STATUS_VERSION,
                         "this program was built without libsqlite3; install libsqlite3-dev and "
                         "build it again");
    out->door = sqlite_door_get();
    for (uint32_t i = 1; i < back->catalog.table_count; i++)
        out->plain_names = out->plain_names && strcmp(back->tables[i].table->schema,
                                                      back->tables[0].table->schema) == 0;
    /* As one to be made: what is read again may hold values of any size. */
    out->file = out->door->open(back->partial, true, out->fault);
    return out->file != NULL ? STATUS_OK : back_sqlite_failed(out, "it cannot be opened");
}

static enum status
sync_file(struct back *back)
{
    struct io_file *file = NULL;
    enum status status = io_open(back->env.io, back->partial, IO_WRITE, &file);

    if (status == STATUS_OK)
        status = io_sync(file);
    io_close(file);
    return status == STATUS_OK ? status : back_fail(back, status, "%s", error_message());
}

static enum status
write_sqlite(struct back *back)
{
    struct back_sqlite sqlite;
    enum status status = open_file(back, &sqlite);

    if (status == STATUS_OK) {
        CHECK(sqlite.door != NULL);
        status = write_tables(&sqlite);
    }
    if (sqlite.file != NULL)
        sqlite.door->close(sqlite.file);
    return status == STATUS_OK ? sync_file(back) : status;
}

/* Reading again. */

static void
sum_cell(struct back_sqlite *sqlite, struct sqlite_query *query, int column)
{
    struct text_buffer *row = &sqlite->back->row;
    const struct sqlite_door *door = sqlite->door;
    const char *bytes = NULL;
    size_t size = 0;

    switch (door->column_class(query, column)) {
    case SQLITE_CLASS_INTEGER:
        migrate_sum_integer(row, door->column_i64(query, column));
        return;
    case SQLITE_CLASS_REAL:
        migrate_sum_real(row, door->column_f64(query, column));
        return;
    case SQLITE_CLASS_TEXT:
        bytes = door->column_text(query, column, &size);
        break;
    case SQLITE_CLASS_BLOB:
        bytes = door->column_blob(query, column, &size);
        break;
    case SQLITE_CLASS_NULL:
        migrate_sum_null(row);
        return;
    }
    row->failed = row->failed || bytes == NULL;
    if (bytes != NULL)
        migrate_sum_bytes(row, bytes, size);
}

static enum status
sum_rows(struct back_sqlite *sqlite, struct sqlite_query *query)
{
    struct back_table *table = sqlite->table;
    enum sqlite_step step;

    while ((step = sqlite->door->step(query, sqlite->fault)) == SQLITE_STEP_ROW) {
        for (uint32_t i = 0; i < table->table->column_count; i++)
            sum_cell(sqlite, query, (int)i);
        if (!migrate_sum_row(&table->target_sum, &sqlite->back->row))
            return back_fail(sqlite->back, STATUS_NO_MEMORY, "out of memory");
        TRY(back_count_row(sqlite->back));
    }
    return step == SQLITE_STEP_DONE ? STATUS_OK : back_sqlite_failed(sqlite, table->target);
}

static enum status
verify_table(struct back_sqlite *sqlite)
{
    struct text_buffer *sql = &sqlite->back->sql;

    text_buffer_reset(sql);
    text_buffer_add_text(sql, "SELECT * FROM ");
    text_buffer_add_identifier(sql, sqlite->table->target);
    if (sql->failed)
        return back_fail(sqlite->back, STATUS_NO_MEMORY, "out of memory");
    struct sqlite_query *query = sqlite->door->prepare(sqlite->file, sql->bytes, sqlite->fault);
    if (query == NULL)
        return back_sqlite_failed(sqlite, sqlite->table->target);
    enum status status = sum_rows(sqlite, query);
    sqlite->door->finalize(query);
    return status;
}

static enum status
verify_sqlite(struct back *back)
{
    struct back_sqlite sqlite;
    enum status status = open_file(back, &sqlite);

    for (uint32_t i = 0; status == STATUS_OK && i < back->catalog.table_count; i++) {
        CHECK(sqlite.door != NULL);
        sqlite.table = &back->tables[i];
        status = verify_table(&sqlite);
    }
    if (sqlite.file != NULL)
        sqlite.door->close(sqlite.file);
    return status;
}

const struct back_form back_sqlite = {
    .name = "sqlite", .write = write_sqlite, .verify = verify_sqlite};
