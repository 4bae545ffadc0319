/*
 * CSV: a directory with a file for each table, RFC 4180: fields divided by commas, lines ended by CRLF, the
 * first with the columns' names. A null is an empty field, an empty text is "". A file is called NAME.csv
 * where the schema is public, else SCHEMA.NAME.csv; bytes of names that mean something to file systems are
 * written as %XX. Definitions have no place in it and are noted.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/qtdb-migrate/back_file.h"
#include "tools/qtdb-migrate/csv_read.h"

enum { FILE_NAME_SIZE_MAX = 250 };

/* Names of files. */

static enum status
name_file(struct back *back, struct back_table *table)
{
    struct text_buffer name;

    text_buffer_init(&name, back->env.memory);
    if (strcmp(table->table->schema, "public") != 0) {
        text_buffer_add_file_name(&name, table->table->schema);
        text_buffer_add_char(&name, '.');
    }
    text_buffer_add_file_name(&name, table->table->name);
    text_buffer_add_text(&name, ".csv");
    if (!name.failed && name.size <= FILE_NAME_SIZE_MAX)
        table->target = arena_copy_text(&back->arena, name.bytes, name.size);
    bool fits = name.failed || name.size <= FILE_NAME_SIZE_MAX;
    bool ok = !name.failed && table->target != NULL;
    text_buffer_deinit(&name);
    if (!fits)
        return back_fail(back, STATUS_INVALID, "%s.%s: its name is too long for a file",
                         table->table->schema, table->table->name);
    return ok ? STATUS_OK : back_fail(back, STATUS_NO_MEMORY, "out of memory");
}

static enum status
path_of(struct back *back, const struct back_table *table, char out[IO_PATH_SIZE])
{
    int size = snprintf(out, IO_PATH_SIZE, "%s/%s", back->partial, table->target);

    return size > 0 && size < IO_PATH_SIZE
               ? STATUS_OK
               : back_fail(back, STATUS_INVALID, "%.200s: the path is too long", back->partial);
}

/* Writing. */

static void
add_field(struct text_buffer *line, const char *text, size_t size)
{
    bool quotes = size == 0;

    /* A field that begins with the byte of a UTF-8 mark is not to be taken for one. */
    for (size_t i = 0; !quotes && i < size; i++)
        quotes = strchr(",\"\r\n", text[i]) != NULL || (unsigned char)text[0] == 0xef;
    if (!quotes) {
        text_buffer_add(line, text, size);
        return;
    }
    text_buffer_add_char(line, '"');
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            text_buffer_add_char(line, '"');
        text_buffer_add_char(line, text[i]);
    }
    text_buffer_add_char(line, '"');
}

static enum status
write_line(struct back *back, struct back_file *file)
{
    text_buffer_add_text(&back->sql, "\r\n");
    if (back->sql.failed)
        return back_fail(back, STATUS_NO_MEMORY, "out of memory");
    if (fwrite(back->sql.bytes, 1, back->sql.size, file->stream) != back->sql.size)
        return back_file_failed(file);
    text_buffer_reset(&back->sql);
    return STATUS_OK;
}

static enum status
write_rows(struct back *back, struct back_table *made, struct qtdb_statement *select,
           struct back_file *file)
{
    const struct sql_table *table = made->table;
    enum qtdb_code code;

    text_buffer_reset(&back->sql);
    for (uint32_t i = 0; i < table->column_count; i++) {
        text_buffer_add_text(&back->sql, i > 0 ? "," : "");
        add_field(&back->sql, table->columns[i].name, strlen(table->columns[i].name));
    }
    TRY(write_line(back, file));
    while ((code = qtdb_step(select)) == QTDB_ROW) {
        for (uint32_t i = 0; i < table->column_count; i++) {
            size_t size = 0;
            const char *text = qtdb_column_text(select, i, &size);

            text_buffer_add_text(&back->sql, i > 0 ? "," : "");
            if (text != NULL)
                add_field(&back->sql, text, size);
        }
        TRY(write_line(back, file));
        TRY(back_sum_texts(back, table, select, &made->source_sum));
        TRY(back_count_row(back));
    }
    if (code != QTDB_DONE)
        return back_fail(back, STATUS_FAILED, "%s.%s: %s", table->schema, table->name,
                         qtdb_error_last()->message);
    return STATUS_OK;
}

static enum status
write_table(struct back *back, struct back_table *table)
{
    struct qtdb_statement *select = NULL;
    struct back_file file;
    char path[IO_PATH_SIZE];

    TRY(name_file(back, table));
    TRY(path_of(back, table, path));
    /* Names that differ in case only are one file on some file systems. */
    TRY(back_file_open(back, path, &file));
    enum status status = back_select(back, back->session, table->table, &select);
    if (status == STATUS_OK)
        status = write_rows(back, table, select, &file);
    qtdb_finalize(select);
    return back_file_close(&file, status);
}

/* Everything but rows and names. */
static enum status
note_definitions(struct back *back)
{
    const struct sql_definition *definition = back->catalog.definitions;

    for (; definition != NULL; definition = definition->next) {
        bool table = strcmp(definition->kind, "table") == 0;

        if (strcmp(definition->kind, "schema") == 0 || strcmp(definition->kind, "owner") == 0)
            continue;
        TRY(back_note(back, table ? "types and constraints" : definition->kind, definition->schema,
                      definition->name, "CSV holds names and rows only"));
    }
    return STATUS_OK;
}

static enum status
write_csv(struct back *back)
{
    enum status status = io_make_dir(back->env.io, back->partial);

    if (status != STATUS_OK)
        return back_fail(back, status, "%s", error_message());
    TRY(note_definitions(back));
    for (uint32_t i = 0; i < back->catalog.table_count; i++)
        TRY(write_table(back, &back->tables[i]));
    status = io_sync_dir(back->env.io, back->partial);
    return status == STATUS_OK ? status : back_fail(back, status, "%s", error_message());
}

/* Reading again. */

static enum status
sum_record(struct back *back, const struct csv_reader *reader, struct back_table *table)
{
    if (reader->count != table->table->column_count)
        return back_fail(back, STATUS_CORRUPT, "%s: line %llu has %u fields, not %u", table->target,
                         (unsigned long long)reader->line, reader->count,
                         table->table->column_count);
    for (uint32_t i = 0; i < reader->count; i++) {
        const struct csv_field *field = &reader->fields[i];

        if (field->size > 0 || field->quoted)
            migrate_sum_bytes(&back->row, csv_bytes(reader, i), field->size);
        else
            migrate_sum_null(&back->row);
    }
    if (!migrate_sum_row(&table->target_sum, &back->row))
        return back_fail(back, STATUS_NO_MEMORY, "out of memory");
    return back_count_row(back);
}

static enum status
check_header(struct back *back, const struct csv_reader *reader, const struct back_table *table)
{
    bool same = reader->count == table->table->column_count;

    for (uint32_t i = 0; same && i < reader->count; i++)
        same = strcmp(csv_bytes(reader, i), table->table->columns[i].name) == 0;
    return same ? STATUS_OK
                : back_fail(back, STATUS_CORRUPT, "%s: the names of the columns are others",
                            table->target);
}

static enum status
read_records(struct back *back, struct csv_reader *reader, struct back_table *table)
{
    bool end = false, first = true;

    for (;;) {
        enum status status = csv_next(reader, &end);

        if (status != STATUS_OK)
            return back_fail(back, status, "%s: %s", table->target, reader->fault);
        if (end)
            return first ? back_fail(back, STATUS_CORRUPT, "%s: it is empty", table->target)
                         : STATUS_OK;
        if (first)
            TRY(check_header(back, reader, table));
        else
            TRY(sum_record(back, reader, table));
        first = false;
    }
}

static enum status
verify_table(struct back *back, struct back_table *table)
{
    struct csv_reader reader;
    struct input input;
    char path[IO_PATH_SIZE];

    TRY(path_of(back, table, path));
    enum status status = input_open(&back->env, path, &input);
    if (status != STATUS_OK)
        status = back_fail(back, status, "%s", input.fault);
    csv_init(&reader, &input, ',');
    reader.keep_empty_lines = table->table->column_count == 1;
    reader.record_size_max = SIZE_MAX;
    if (status == STATUS_OK)
        status = read_records(back, &reader, table);
    csv_deinit(&reader);
    input_close(&input);
    return status;
}

static enum status
verify_csv(struct back *back)
{
    for (uint32_t i = 0; i < back->catalog.table_count; i++)
        TRY(verify_table(back, &back->tables[i]));
    return STATUS_OK;
}

const struct back_form back_csv = {
    .name = "csv", .directory = true, .write = write_csv, .verify = verify_csv};
