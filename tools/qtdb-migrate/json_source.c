/*
 * JSON lines, and an array of objects: one file, one table of the schema public. Each object is a row,
 * each name in any of them a column; a name that an object lacks is a null there, as JSON's null is.
 *
 * Opening reads the whole file once. A column whose values are all integers, numbers, booleans or
 * texts is one of these; where they differ, or are objects and arrays, it is jsonb, which keeps them.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/base/checksum.h"
#include "tools/qtdb-migrate/infer.h"
#include "tools/qtdb-migrate/json_read.h"
#include "tools/qtdb-migrate/source.h"

enum { COLUMNS_MAX = 1600 /* Of a table in the target. */, SLOTS = 4096 };

struct json_column {
    struct legacy_text name;
    uint32_t forms; /* Of enum json_form. */
    bool fractions; /* Some number is no 64-bit integer. */
    uint64_t value_count;
};

struct json {
    struct input input;
    struct json_reader reader;
    bool reader_open;
    uint32_t column_count;
    struct json_column columns[COLUMNS_MAX];
    uint16_t slots[SLOTS]; /* Open addressing by the name's hash; 0: free, else column + 1. */
    uint64_t row_count;
    struct plan_table *table;
    struct legacy_value *values;
    const struct legacy_value **row;
};

static enum status
no_memory(struct source *source)
{
    return source_fail(source, STATUS_NO_MEMORY, "%s: out of memory", source->path);
}

static enum status
next(struct source *source, bool *end_out)
{
    struct json *json = source->state;
    enum status status = json_next(&json->reader, end_out);

    if (status == STATUS_OK)
        return STATUS_OK;
    return source_fail(source, status, "%s: %s", source->path, json->reader.fault);
}

/* The slot of a name: its column's, or the free one where it would be. */
static uint16_t *
slot_of(struct json *json, const char *name, size_t size)
{
    uint64_t hash = checksum64(name, size, 0);

    for (;; hash++) {
        uint16_t *slot = &json->slots[hash % SLOTS];

        if (*slot == 0)
            return slot;
        const struct legacy_text *text = &json->columns[*slot - 1].name;
        if (text->size == size && memcmp(text->bytes, name, size) == 0)
            return slot;
    }
}

/* Survey. */

static enum status
look_at_member(struct source *source, const struct json_member *member)
{
    struct json *json = source->state;
    uint16_t *slot = slot_of(json, member->name, member->name_size);

    if (*slot == 0) {
        if (json->column_count == COLUMNS_MAX)
            return source_fail(source, STATUS_FULL, "%s: line %llu: more than %d different names",
                               source->path, (unsigned long long)json->reader.line, COLUMNS_MAX);
        struct json_column *column = &json->columns[json->column_count];
        column->name.bytes = arena_copy_text(&source->plan->arena, member->name, member->name_size);
        column->name.size = member->name_size;
        if (column->name.bytes == NULL)
            return no_memory(source);
        *slot = (uint16_t)++json->column_count;
    }
    struct json_column *column = &json->columns[*slot - 1];
    column->value_count += member->form != JSON_NULL;
    column->forms |= member->form;
    if (member->form == JSON_NUMBER && !column->fractions) {
        char text[32];
        bool shorter = member->size < sizeof(text);

        (void)snprintf(text, sizeof(text), "%.*s", shorter ? (int)member->size : 0, member->text);
        column->fractions = !(infer_forms(text, strlen(text)) & INFER_INTEGER);
    }
    return STATUS_OK;
}

static enum legacy_column_kind
kind_of(const struct json_column *column)
{
    switch (column->forms & ~(uint32_t)JSON_NULL) {
    case JSON_BOOLEAN:
        return LEGACY_COLUMN_BOOLEAN;
    case JSON_NUMBER:
        return column->fractions ? LEGACY_COLUMN_NUMERIC : LEGACY_COLUMN_INTEGER;
    case JSON_STRING:
        return LEGACY_COLUMN_TEXT;
    default:
        return column->forms <= JSON_NULL ? LEGACY_COLUMN_TEXT : LEGACY_COLUMN_JSONB;
    }
}

static enum status
add_table(struct source *source)
{
    struct json *json = source->state;
    struct arena *arena = &source->plan->arena;
    struct legacy_column *columns = arena_alloc(arena, json->column_count * sizeof(*columns));
    char name[256], words[96];

    json->values = arena_alloc(arena, json->column_count * sizeof(*json->values));
    json->row = arena_alloc(arena, json->column_count * sizeof(*json->row));
    if (columns == NULL || json->values == NULL || json->row == NULL)
        return no_memory(source);
    for (uint32_t i = 0; i < json->column_count; i++) {
        const struct json_column *column = &json->columns[i];
        int size =
            snprintf(words, sizeof(words), "found from %llu values in %llu objects",
                     (unsigned long long)column->value_count, (unsigned long long)json->row_count);

        columns[i].name = column->name;
        columns[i].kind = kind_of(column);
        columns[i].nullable = true;
        columns[i].declared.bytes = arena_copy_text(arena, words, (size_t)size);
        columns[i].declared.size = (size_t)size;
        if (columns[i].declared.bytes == NULL)
            return no_memory(source);
    }
    source_table_name(source->path, name);
    struct legacy_table head = {
        .name = {name, strlen(name)}, .column_count = json->column_count, .columns = columns};
    struct plan_database *database = source_database(source, "public", 6);
    if (database != NULL)
        json->table = source_add_table(source, database, &head);
    return json->table != NULL ? STATUS_OK : no_memory(source);
}

static enum status
survey(struct source *source)
{
    struct json *json = source->state;
    bool end = false;

    TRY(next(source, &end));
    while (!end) {
        for (uint32_t i = 0; i < json->reader.count; i++)
            TRY(look_at_member(source, &json->reader.members[i]));
        json->row_count++;
        TRY(next(source, &end));
    }
    if (json->row_count == 0)
        return source_fail(source, STATUS_CORRUPT, "%s: there is no object in it", source->path);
    (void)snprintf(source->remark, sizeof(source->remark), "%s, types found from all values",
                   json->reader.array_ended ? "an array of objects" : "an object a row");
    return add_table(source);
}

static enum status
open_json(struct source *source)
{
    struct json *json = arena_alloc(&source->plan->arena, sizeof(*json));

    if (json == NULL)
        return no_memory(source);
    source->state = json;
    enum status status = input_open(&source->env, source->path, &json->input);
    if (status != STATUS_OK)
        return source_fail(source, status, "%s: %s", source->path, json->input.fault);
    source->size = json->input.size;
    json_init(&json->reader, &json->input);
    json->reader_open = true;
    return survey(source);
}

static void
close_json(struct source *source)
{
    struct json *json = source->state;

    if (json == NULL)
        return;
    if (json->reader_open)
        json_deinit(&json->reader);
    input_close(&json->input);
    source->state = NULL;
}

/* Rows. */

static bool
take_string(struct json *json, const struct json_member *member, struct legacy_value *out)
{
    bool lost = false;
    size_t size = 0;
    const char *text = json_unescape(member->text, member->size, &json->reader.arena, &size, &lost);

    if (text == NULL || !source_text(&json->reader.arena, text, size, out))
        return false;
    if (lost)
        out->loss = "half a surrogate pair became U+FFFD";
    return true;
}

static bool
take_value(struct json *json, const struct json_member *member, enum legacy_column_kind kind,
           struct legacy_value *out)
{
    const char *copy;

    if (member->form == JSON_NULL)
        return true;
    if (kind == LEGACY_COLUMN_TEXT)
        return take_string(json, member, out);
    copy = arena_copy_text(&json->reader.arena, member->text, member->size);
    if (copy == NULL || !source_text(&json->reader.arena, copy, member->size, out))
        return false;
    switch (kind) {
    case LEGACY_COLUMN_BOOLEAN:
        *out = (struct legacy_value){.tag = LEGACY_BOOLEAN, .integer = copy[0] == 't'};
        return true;
    case LEGACY_COLUMN_JSONB:
        out->tag = LEGACY_JSON;
        return true;
    default:
        out->tag = LEGACY_NUMERIC;
        return true;
    }
}

static enum status
take_row(struct source *source, struct source_row *row)
{
    struct json *json = source->state;

    for (uint32_t i = 0; i < json->column_count; i++) {
        json->values[i] = (struct legacy_value){.tag = LEGACY_NULL};
        json->row[i] = &json->values[i];
    }
    for (uint32_t i = 0; i < json->reader.count; i++) {
        const struct json_member *member = &json->reader.members[i];
        uint16_t slot = *slot_of(json, member->name, member->name_size);

        if (slot == 0)
            return source_fail(source, STATUS_CORRUPT, "%s: the file changed while it was read",
                               source->path);
        struct legacy_value *value = &json->values[slot - 1];
        bool again = value->tag != LEGACY_NULL;
        if (!take_value(json, member, json->table->columns[slot - 1].column.kind, value))
            return no_memory(source);
        if (again)
            value->loss = "the object has this name twice; the last value was taken";
    }
    row->values = json->row;
    row->offset = json->input.offset;
    return STATUS_OK;
}

static enum status
read_rows(struct source *source, const struct source_visitor *visitor)
{
    struct json *json = source->state;
    struct source_row row = {.index = 0};
    bool end = false;

    json_rewind(&json->reader);
    for (;; row.index++) {
        TRY(next(source, &end));
        if (end)
            return STATUS_OK;
        TRY(take_row(source, &row));
        TRY(visitor->row(visitor->context, json->table, &row));
    }
}

static enum status
read_json(struct source *source, const struct source_visitor *visitor)
{
    struct json *json = source->state;

    if (visitor->wants != NULL && !visitor->wants(visitor->context, json->table))
        return STATUS_OK;
    if (visitor->table != NULL)
        TRY(visitor->table(visitor->context, json->table));
    if (visitor->row != NULL)
        TRY(read_rows(source, visitor));
    return visitor->table_end != NULL ? visitor->table_end(visitor->context, json->table)
                                      : STATUS_OK;
}

const struct source_kind source_json = {
    .name = "json",
    .title = "JSON",
    .widens = true,
    .open = open_json,
    .close = close_json,
    .read = read_json,
};
