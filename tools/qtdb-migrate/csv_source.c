/*
 * CSV and TSV: one file, one table of the schema public. Opening reads the whole file once, so that a
 * column's type is one that every value has. An empty field without quotes is a null, "" is an empty
 * text.
 *
 * The first record names the columns unless it holds something that is no name: an empty or repeated
 * field, or one that is a number, a date or a boolean. --header and --no-header decide otherwise.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tools/qtdb-migrate/csv_read.h"
#include "tools/qtdb-migrate/infer.h"
#include "tools/qtdb-migrate/source.h"

struct csv {
    struct input input;
    struct csv_reader reader;
    bool input_open;
    bool reader_open;
    bool has_header;
    uint32_t column_count;
    struct infer *columns;
    struct plan_table *table;
    struct legacy_value *values;
    const struct legacy_value **row;
    uint32_t extra_room;
    struct legacy_value *extras;
};

static enum status
no_memory(struct source *source)
{
    return source_fail(source, STATUS_NO_MEMORY, "%s: out of memory", source->path);
}

static enum status
next(struct source *source, bool *end_out)
{
    struct csv *csv = source->state;
    enum status status = csv_next(&csv->reader, end_out);

    if (status == STATUS_OK)
        return STATUS_OK;
    return source_fail(source, status, "%s: %s", source->path, csv->reader.fault);
}

/* Survey. */

static bool
looks_like_header(const struct csv_reader *reader)
{
    for (uint32_t i = 0; i < reader->count; i++) {
        const struct csv_field *field = &reader->fields[i];

        if (field->size == 0 || infer_forms(csv_bytes(reader, i), field->size) != 0)
            return false;
        for (uint32_t k = 0; k < i && reader->count <= 2000; k++) {
            if (reader->fields[k].size == field->size &&
                memcmp(csv_bytes(reader, k), csv_bytes(reader, i), field->size) == 0)
                return false;
        }
    }
    return true;
}

static void
look_at_record(struct csv *csv)
{
    uint32_t count = csv->reader.count < csv->column_count ? csv->reader.count : csv->column_count;

    for (uint32_t i = 0; i < count; i++) {
        const struct csv_field *field = &csv->reader.fields[i];

        if (field->size > 0 || field->quoted)
            infer_value(&csv->columns[i], csv_bytes(&csv->reader, i), field->size);
        else
            csv->columns[i].null_count++;
    }
}

/* Names of the columns from the first record, which is the present one. */
static enum status
name_columns(struct source *source, struct legacy_column *columns)
{
    struct csv *csv = source->state;

    for (uint32_t i = 0; i < csv->column_count; i++) {
        const struct csv_field *field = &csv->reader.fields[i];
        struct legacy_value name = {.tag = LEGACY_NULL};
        char made[16];

        if (csv->has_header && field->size > 0) {
            if (!source_text(&source->plan->arena, csv_bytes(&csv->reader, i), field->size, &name))
                return no_memory(source);
        } else {
            name.text.size = (size_t)snprintf(made, sizeof(made), "c%u", i + 1);
            name.text.bytes = made;
        }
        columns[i].nullable = true;
        columns[i].name.bytes =
            arena_copy_text(&source->plan->arena, name.text.bytes, name.text.size);
        columns[i].name.size = name.text.size;
        if (columns[i].name.bytes == NULL)
            return no_memory(source);
    }
    return STATUS_OK;
}

static enum status
take_first(struct source *source, struct legacy_column **columns_out)
{
    const struct source_options *options = source->options;
    struct csv *csv = source->state;
    struct arena *arena = &source->plan->arena;
    bool end = false;

    csv->reader.keep_empty_lines = false;
    TRY(next(source, &end));
    if (end)
        return source_fail(source, STATUS_CORRUPT, "%s: there is no line in it", source->path);
    csv->column_count = csv->reader.count;
    csv->reader.keep_empty_lines = csv->column_count == 1;
    csv->has_header = !options->no_header && (options->header || looks_like_header(&csv->reader));
    csv->columns = arena_alloc(arena, csv->column_count * sizeof(*csv->columns));
    csv->values = arena_alloc(arena, csv->column_count * sizeof(*csv->values));
    csv->row = arena_alloc(arena, csv->column_count * sizeof(*csv->row));
    *columns_out = arena_alloc(arena, csv->column_count * sizeof(**columns_out));
    if (csv->columns == NULL || csv->values == NULL || csv->row == NULL || *columns_out == NULL)
        return no_memory(source);
    for (uint32_t i = 0; i < csv->column_count; i++)
        infer_init(&csv->columns[i]);
    TRY(name_columns(source, *columns_out));
    if (!csv->has_header)
        look_at_record(csv);
    return STATUS_OK;
}

static enum status
add_table(struct source *source, struct legacy_column *columns)
{
    struct csv *csv = source->state;
    char name[256], words[96];

    source_table_name(source->path, name);
    for (uint32_t i = 0; i < csv->column_count; i++) {
        const struct infer *infer = &csv->columns[i];
        int size =
            snprintf(words, sizeof(words), "found from %llu values, %llu empty",
                     (unsigned long long)infer->value_count, (unsigned long long)infer->null_count);

        columns[i].kind = infer_kind(infer);
        columns[i].declared.bytes = arena_copy_text(&source->plan->arena, words, (size_t)size);
        columns[i].declared.size = (size_t)size;
        if (columns[i].declared.bytes == NULL)
            return no_memory(source);
    }
    struct legacy_table head = {
        .name = {name, strlen(name)}, .column_count = csv->column_count, .columns = columns};
    struct plan_database *database = source_database(source, "public", 6);
    if (database != NULL)
        csv->table = source_add_table(source, database, &head);
    return csv->table != NULL ? STATUS_OK : no_memory(source);
}

static const char *
delimiter_name(char delimiter, char out[2])
{
    out[0] = delimiter;
    out[1] = '\0';
    return delimiter == '\t' ? "tabs" : delimiter == ',' ? "commas" : out;
}

static enum status
survey(struct source *source)
{
    struct csv *csv = source->state;
    struct legacy_column *columns = NULL;
    bool end = false;
    char one[2];

    TRY(take_first(source, &columns));
    TRY(next(source, &end));
    while (!end) {
        look_at_record(csv);
        TRY(next(source, &end));
    }
    (void)snprintf(
        source->remark, sizeof(source->remark), "divided by %s, %s, types found from all values",
        delimiter_name(csv->reader.delimiter, one),
        csv->has_header ? "the first line names the columns" : "the first line is a row");
    return add_table(source, columns);
}

static bool
is_named_tab(const char *path)
{
    static const char *const ends[] = {".tsv", ".tab", ".tsv.zst", ".tab.zst"};
    size_t size = strlen(path);

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (size > strlen(ends[i]) && strcasecmp(path + size - strlen(ends[i]), ends[i]) == 0)
            return true;
    }
    return false;
}

static enum status
open_csv(struct source *source)
{
    const char *wanted = source->options->delimiter;
    struct csv *csv = arena_alloc(&source->plan->arena, sizeof(*csv));

    if (csv == NULL)
        return no_memory(source);
    *csv = (struct csv){.input_open = true};
    source->state = csv;
    enum status status = input_open(&source->env, source->path, &csv->input);
    if (status != STATUS_OK)
        return source_fail(source, status, "%s: %s", source->path, csv->input.fault);
    source->size = csv->input.size;
    char delimiter = '\t';
    if (wanted == NULL && !is_named_tab(source->path))
        delimiter = csv_guess_delimiter(&csv->input);
    else if (wanted != NULL && strcmp(wanted, "tab") != 0)
        delimiter = wanted[0];
    csv_init(&csv->reader, &csv->input, delimiter);
    csv->reader_open = true;
    return survey(source);
}

static void
close_csv(struct source *source)
{
    struct csv *csv = source->state;

    if (csv == NULL)
        return;
    memory_free(source->env.memory, MEMORY_OTHER, csv->extras,
                csv->extra_room * sizeof(*csv->extras));
    if (csv->reader_open)
        csv_deinit(&csv->reader);
    if (csv->input_open)
        input_close(&csv->input);
    source->state = NULL;
}

/* Rows. */

static bool
take_value(struct csv *csv, uint32_t index, struct arena *arena, struct legacy_value *out)
{
    const struct csv_field *field = &csv->reader.fields[index];

    *out = (struct legacy_value){.tag = LEGACY_NULL};
    return (field->size == 0 && !field->quoted) ||
           source_text(arena, csv_bytes(&csv->reader, index), field->size, out);
}

/* Fields past the columns. */
static enum status
take_extras(struct source *source, struct arena *arena, struct source_row *row)
{
    struct csv *csv = source->state;
    uint32_t count = csv->reader.count - csv->column_count;

    if (count > csv->extra_room) {
        struct legacy_value *grown =
            memory_resize(source->env.memory, MEMORY_OTHER, csv->extras,
                          csv->extra_room * sizeof(*grown), count * sizeof(*grown));

        if (grown == NULL)
            return no_memory(source);
        csv->extras = grown;
        csv->extra_room = count;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!take_value(csv, csv->column_count + i, arena, &csv->extras[i]))
            return no_memory(source);
    }
    row->extra_count = count;
    row->extras = csv->extras;
    return STATUS_OK;
}

static enum status
take_row(struct source *source, struct arena *arena, struct source_row *row)
{
    struct csv *csv = source->state;

    arena_reset(arena);
    row->missing_count = 0;
    row->extra_count = 0;
    for (uint32_t i = 0; i < csv->column_count; i++) {
        csv->row[i] = &csv->values[i];
        csv->values[i] = (struct legacy_value){.tag = LEGACY_NULL};
        if (i >= csv->reader.count)
            row->missing_count++;
        else if (!take_value(csv, i, arena, &csv->values[i]))
            return no_memory(source);
    }
    row->values = csv->row;
    row->offset = csv->input.offset;
    return csv->reader.count > csv->column_count ? take_extras(source, arena, row) : STATUS_OK;
}

static enum status
read_rows(struct source *source, const struct source_visitor *visitor, struct arena *arena)
{
    struct csv *csv = source->state;
    struct source_row row = {.index = 0};
    bool end = false;

    csv_rewind(&csv->reader);
    if (csv->has_header)
        TRY(next(source, &end));
    for (;; row.index++) {
        TRY(next(source, &end));
        if (end)
            return STATUS_OK;
        TRY(take_row(source, arena, &row));
        TRY(visitor->row(visitor->context, csv->table, &row));
    }
}

static enum status
read_csv(struct source *source, const struct source_visitor *visitor)
{
    struct csv *csv = source->state;
    struct arena arena;

    if (visitor->wants != NULL && !visitor->wants(visitor->context, csv->table))
        return STATUS_OK;
    if (visitor->table != NULL)
        TRY(visitor->table(visitor->context, csv->table));
    arena_init(&arena, source->env.memory, MEMORY_OTHER);
    enum status status = visitor->row != NULL ? read_rows(source, visitor, &arena) : STATUS_OK;
    arena_deinit(&arena);
    if (status == STATUS_OK && visitor->table_end != NULL)
        status = visitor->table_end(visitor->context, csv->table);
    return status;
}

const struct source_kind source_csv = {
    .name = "csv",
    .title = "delimited text",
    .widens = true,
    .open = open_csv,
    .close = close_csv,
    .read = read_csv,
};
