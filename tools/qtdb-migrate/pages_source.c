/*
 * The predecessor's half-finished page storage: folders table_ID with files page_NNNNNNNN.dat, each a header, a
 * list of slots and 8,192 bytes of data, in which a slot in use holds one row. Names and columns are not in
 * them. With --schema FILE.sql they are those of its CREATE TABLEs, the first for table_1 and so on; else a table
 * is called like its folder and its columns c1, c2 ..., with types that their values' tags ask for.
 *
 * All of their bytes are checked (pages_read.c). In a rescue a page or slot that does not hold what it should is
 * noted and passed over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/qtdb-migrate/pages_private.h"

static enum status
no_memory(struct source *source)
{
    return source_fail(source, STATUS_NO_MEMORY, "%s: out of memory", source->path);
}

/* Names. */

static bool
number_behind(const char *name, const char *before, const char *after, uint32_t *out)
{
    size_t size = strlen(before);
    char *end = NULL;

    if (strncmp(name, before, size) != 0 || name[size] < '0' || name[size] > '9')
        return false;
    unsigned long long number = strtoull(name + size, &end, 10);
    if (number > UINT32_MAX || strcmp(end, after) != 0)
        return false;
    *out = (uint32_t)number;
    return true;
}

bool
source_is_page_name(const char *name, bool is_directory)
{
    uint32_t number = 0;

    return is_directory ? number_behind(name, "table_", "", &number)
                        : number_behind(name, "page_", ".dat", &number);
}

struct listing {
    struct source *source;
    struct page_table *table; /* Whose pages are listed; NULL: tables are. */
    enum status status;
};

static struct page_table *
add_table(struct listing *listing, uint32_t id)
{
    struct pages *pages = listing->source->state;
    struct page_table *made = arena_alloc(&listing->source->plan->arena, sizeof(*made));
    struct page_table **link = &pages->tables;

    if (made == NULL) {
        listing->status = no_memory(listing->source);
        return NULL;
    }
    while (*link != NULL && (*link)->id < id)
        link = &(*link)->next;
    *made = (struct page_table){.id = id, .next = *link};
    *link = made;
    return made;
}

static void
take_name(void *context, const char *name, bool is_directory)
{
    struct listing *listing = context;
    struct page_table *table = listing->table;
    uint32_t number = 0;

    if (listing->status != STATUS_OK)
        return;
    if (table == NULL) {
        if (is_directory && number_behind(name, "table_", "", &number))
            (void)add_table(listing, number);
        return;
    }
    if (is_directory || !number_behind(name, "page_", ".dat", &number))
        return;
    if (table->page_count == table->page_room) {
        uint32_t room = 2 * table->page_room + 64;
        uint32_t *grown =
            table->page_count >= PAGES_MAX
                ? NULL
                : memory_resize(listing->source->env.memory, MEMORY_OTHER, table->pages,
                                table->page_room * sizeof(*grown), room * sizeof(*grown));

        if (grown == NULL) {
            listing->status = no_memory(listing->source);
            return;
        }
        table->pages = grown;
        table->page_room = room;
    }
    table->pages[table->page_count++] = number;
}

static int
compare_numbers(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

enum status
pages__folder(struct source *source, const struct page_table *table, char out[IO_PATH_SIZE])
{
    const struct pages *pages = source->state;
    int size = pages->single ? snprintf(out, IO_PATH_SIZE, "%s", source->path)
                             : snprintf(out, IO_PATH_SIZE, "%s/table_%u", source->path, table->id);

    return size > 0 && size < IO_PATH_SIZE - 32
               ? STATUS_OK
               : source_fail(source, STATUS_INVALID, "%.200s: the path is too long", source->path);
}

static enum status
list_pages(struct source *source, struct page_table *table)
{
    struct listing listing = {.source = source, .table = table};
    char folder[IO_PATH_SIZE];

    TRY(pages__folder(source, table, folder));
    enum status status = io_list(source->env.io, folder, take_name, &listing);
    if (status != STATUS_OK)
        return source_fail(source, status, "%s", error_message());
    TRY(listing.status);
    if (table->page_count > 1)
        qsort(table->pages, table->page_count, sizeof(*table->pages), compare_numbers);
    return STATUS_OK;
}

static enum status
list_tables(struct source *source)
{
    struct pages *pages = source->state;
    struct listing listing = {.source = source};
    const char *slash = strrchr(source->path, '/');
    uint32_t id = 0;

    enum status status = io_list(source->env.io, source->path, take_name, &listing);
    if (status != STATUS_OK)
        return source_fail(source, status, "%s", error_message());
    TRY(listing.status);
    if (pages->tables == NULL) {
        pages->single = true;
        if (!number_behind(slash != NULL ? slash + 1 : source->path, "table_", "", &id))
            id = 1;
        if (add_table(&listing, id) == NULL)
            return listing.status;
    }
    for (struct page_table *table = pages->tables; table != NULL; table = table->next)
        TRY(list_pages(source, table));
    return STATUS_OK;
}

/* Survey. */

struct survey {
    struct source *source;
    struct page_table *table;
};

static enum status
survey_row(void *context, const struct legacy_row *row)
{
    struct survey *survey = context;
    struct pages *pages = survey->source->state;

    if (row->value_count > COLUMNS_MAX)
        return source_fail(survey->source, STATUS_FULL, "%s: table_%u has a row of %llu values",
                           survey->source->path, survey->table->id,
                           (unsigned long long)row->value_count);
    for (uint64_t i = 0; i < row->value_count; i++)
        pages->tags[i] |= 1u << row->values[i].tag;
    pages->width = row->value_count > pages->width ? (uint32_t)row->value_count : pages->width;
    survey->table->row_count++;
    return STATUS_OK;
}

/* What all of a column's values are; the loading widens where that is not enough. */
static enum legacy_column_kind
kind_of_tags(uint32_t tags)
{
    static const struct {
        uint32_t tags;
        enum legacy_column_kind kind;
    } kinds[] = {
        {1u << LEGACY_SMALLINT | 1u << LEGACY_INTEGER, LEGACY_COLUMN_INTEGER},
        {1u << LEGACY_REAL, LEGACY_COLUMN_REAL},
        {1u << LEGACY_SMALLINT | 1u << LEGACY_INTEGER | 1u << LEGACY_NUMERIC,
         LEGACY_COLUMN_NUMERIC},
        {1u << LEGACY_BOOLEAN, LEGACY_COLUMN_BOOLEAN},
        {1u << LEGACY_DATE, LEGACY_COLUMN_DATE},
        {1u << LEGACY_TIMESTAMP, LEGACY_COLUMN_TIMESTAMP},
        {1u << LEGACY_TIMESTAMPTZ, LEGACY_COLUMN_TIMESTAMPTZ},
        {1u << LEGACY_UUID, LEGACY_COLUMN_UUID},
        {1u << LEGACY_JSON, LEGACY_COLUMN_JSON},
        {1u << LEGACY_BYTES, LEGACY_COLUMN_BYTEA},
    };

    tags &= ~(1u << LEGACY_NULL);
    for (size_t i = 0; tags != 0 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if ((tags & ~kinds[i].tags) == 0)
            return kinds[i].kind;
    }
    return LEGACY_COLUMN_TEXT;
}

static enum status
name_columns(struct source *source, struct page_table *table, struct plan_database *database)
{
    const struct pages *pages = source->state;
    struct legacy_column *columns =
        arena_alloc(&source->plan->arena, pages->width * sizeof(*columns));
    char name[32];
    struct legacy_table head = {.column_count = pages->width, .columns = columns};

    if (columns == NULL)
        return no_memory(source);
    for (uint32_t i = 0; i < pages->width; i++) {
        char made[16];
        int size = snprintf(made, sizeof(made), "c%u", i + 1);

        columns[i] = (struct legacy_column){.kind = kind_of_tags(pages->tags[i]), .nullable = true};
        columns[i].name.bytes = arena_copy_text(&source->plan->arena, made, (size_t)size);
        columns[i].name.size = (size_t)size;
        if (columns[i].name.bytes == NULL)
            return no_memory(source);
    }
    head.name.size = (size_t)snprintf(name, sizeof(name), "table_%u", table->id);
    head.name.bytes = name;
    table->plan = source_add_table(source, database, &head);
    return table->plan != NULL ? STATUS_OK : no_memory(source);
}

static enum status
survey_tables(struct source *source, struct plan_database *database)
{
    struct pages *pages = source->state;

    for (struct page_table *table = pages->tables; table != NULL; table = table->next) {
        struct survey survey = {.source = source, .table = table};
        const struct page_visitor visitor = {.context = &survey, .row = survey_row};

        memset(pages->tags, 0, COLUMNS_MAX * sizeof(*pages->tags));
        pages->width = 0;
        TRY(pages__read(source, table, &visitor));
        source->size += (uint64_t)table->page_count * PAGE_DATA;
        if (table->plan == NULL)
            TRY(name_columns(source, table, database));
    }
    return STATUS_OK;
}

/* --schema. */

static struct page_table *
table_numbered(const struct pages *pages, uint32_t id)
{
    struct page_table *table = pages->tables;

    while (table != NULL && table->id != id)
        table = table->next;
    return table;
}

static enum status
take_named(struct source *source, const struct plan_database *from, struct plan_database *to,
           uint32_t *number)
{
    struct pages *pages = source->state;

    for (const struct plan_table *named = from->tables; named != NULL; named = named->next) {
        struct page_table *table = table_numbered(pages, ++*number);
        struct legacy_table head = {.name = named->name, .column_count = named->column_count};

        if (table == NULL)
            continue;
        head.columns =
            arena_alloc(&source->plan->arena, named->column_count * sizeof(*head.columns));
        if (head.columns == NULL)
            return no_memory(source);
        for (uint32_t i = 0; i < named->column_count; i++)
            head.columns[i] = named->columns[i].column;
        table->plan = source_add_table(source, to, &head);
        if (table->plan == NULL)
            return no_memory(source);
    }
    return STATUS_OK;
}

static enum status
take_schema(struct source *source, struct source *schema)
{
    const struct plan_database *from;
    uint32_t number = 0;

    enum status status = source_open(schema);
    if (status != STATUS_OK)
        return source_fail(source, status, "--schema: %.700s", schema->fault);
    for (from = schema->plan->databases; from != NULL; from = from->next) {
        struct plan_database *to = source_database(source, from->name.bytes, from->name.size);

        if (to == NULL)
            return no_memory(source);
        TRY(take_named(source, from, to, &number));
    }
    for (const struct plan_note *note = schema->plan->notes; note != NULL; note = note->next) {
        struct legacy_text name = {note->name, strlen(note->name)};

        if (note->sql != NULL)
            (void)legacy_plan_note_sql(source->plan, note->kind, &name, note->sql,
                                       source->plan->databases);
    }
    return STATUS_OK;
}

static enum status
read_schema(struct source *source)
{
    struct source_options options = {.from = "sql"};
    struct source *schema = arena_alloc(&source->plan->arena, sizeof(*schema));

    if (schema == NULL)
        return no_memory(source);
    *schema = (struct source){.kind = &source_sql, .env = source->env, .options = &options};
    (void)snprintf(schema->path, sizeof(schema->path), "%.4000s", source->options->schema);
    enum status status = take_schema(source, schema);
    source_close(schema);
    return status;
}

/* The kind. */

static const struct source_kind source_pages_named;

static enum status
open_pages(struct source *source)
{
    struct pages *pages = arena_alloc(&source->plan->arena, sizeof(*pages));
    struct plan_database *database = source_database(source, "public", 6);

    if (pages == NULL || database == NULL)
        return no_memory(source);
    *pages = (struct pages){.telling = true};
    source->state = pages;
    pages->tags = arena_alloc(&source->plan->arena, COLUMNS_MAX * sizeof(*pages->tags));
    if (pages->tags == NULL)
        return no_memory(source);
    TRY(list_tables(source));
    if (source->options->schema != NULL) {
        source->kind = &source_pages_named;
        TRY(read_schema(source));
    }
    TRY(survey_tables(source, database));
    pages->telling = false;
    return STATUS_OK;
}

static void
close_pages(struct source *source)
{
    struct pages *pages = source->state;

    if (pages == NULL)
        return;
    for (struct page_table *table = pages->tables; table != NULL; table = table->next)
        memory_free(source->env.memory, MEMORY_OTHER, table->pages,
                    table->page_room * sizeof(*table->pages));
    source->state = NULL;
}

struct rows {
    const struct source_visitor *visitor;
    struct plan_table *table;
    const struct legacy_value **values;
    uint64_t index;
    uint64_t offset; /* Of the source, about. */
};

static enum status
hand_out(void *context, const struct legacy_row *row)
{
    static const struct legacy_value null_value = {.tag = LEGACY_NULL};
    struct rows *rows = context;
    uint32_t width = rows->table->column_count;
    struct source_row out = {
        .values = rows->values, .index = rows->index++, .offset = rows->offset};

    for (uint32_t i = 0; i < width; i++)
        rows->values[i] = i < row->value_count ? &row->values[i] : &null_value;
    if (row->value_count < width) {
        out.missing_count = width - (uint32_t)row->value_count;
    } else {
        out.extra_count = (uint32_t)(row->value_count - width);
        out.extras = row->values + width;
    }
    return rows->visitor->row(rows->visitor->context, rows->table, &out);
}

static enum status
read_table(struct source *source, const struct page_table *table,
           const struct source_visitor *visitor, uint64_t offset)
{
    struct rows rows = {.visitor = visitor, .table = table->plan, .offset = offset};
    const struct page_visitor each = {.context = &rows, .row = hand_out};
    struct arena head;

    if (visitor->wants != NULL && !visitor->wants(visitor->context, table->plan))
        return STATUS_OK;
    if (visitor->table != NULL)
        TRY(visitor->table(visitor->context, table->plan));
    arena_init(&head, source->env.memory, MEMORY_OTHER);
    rows.values = arena_alloc(&head, (table->plan->column_count + 1) * sizeof(*rows.values));
    enum status status = rows.values == NULL    ? no_memory(source)
                         : visitor->row != NULL ? pages__read(source, table, &each)
                                                : STATUS_OK;
    arena_deinit(&head);
    TRY(status);
    return visitor->table_end != NULL ? visitor->table_end(visitor->context, table->plan)
                                      : STATUS_OK;
}

static enum status
read_source(struct source *source, const struct source_visitor *visitor)
{
    const struct pages *pages = source->state;
    uint64_t offset = 0;

    for (const struct page_table *table = pages->tables; table != NULL; table = table->next) {
        TRY(read_table(source, table, visitor, offset));
        offset += (uint64_t)table->page_count * PAGE_DATA;
    }
    return STATUS_OK;
}

const struct source_kind source_pages = {
    .name = "pages",
    .title = "page folders",
    .widens = true,
    .open = open_pages,
    .close = close_pages,
    .read = read_source,
};

/* With --schema the columns promise something. */
static const struct source_kind source_pages_named = {
    .name = "pages",
    .title = "page folders",
    .open = open_pages,
    .close = close_pages,
    .read = read_source,
};
