/*
 * The predecessor's half-finished page storage: folders table_ID with files page_NNNNNNNN.dat, each a header, a
 * list of slots and 8,192 bytes of data, in which a slot in use holds one row. Names and columns are not in
 * them. With --schema FILE.sql they are those of its CREATE TABLEs, the first for table_1 and so on; else a table
 * is called like its folder and its columns c1, c2 ..., with types that their values' tags ask for.
 *
 *   OFFSET  SIZE  FIELD
 *        0     4  table id
 *        4     4  page number
 *        8     2  free space
 *       10     2  slot count
 *       12     4  lower, upper
 *       16     4  checksum, always 0
 *       20     8  slot count again, n
 *       28    5n  slots: offset in the data u16, length u16, used u8
 *  28 + 5n     8  8192
 *  36 + 5n  8192  data
 *
 * All of it is checked. In a rescue a page or slot that does not hold what it should is noted and passed over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/qtdb-migrate/legacy_plan_private.h"
#include "tools/qtdb-migrate/source.h"

enum {
    PAGE_DATA = 8192,
    PAGE_HEAD = 28,
    SLOT_SIZE = 5,
    PAGES_MAX = 16 * 1024 * 1024, /* Of one table. */
    COLUMNS_MAX = 1600,
};

struct page_table {
    uint32_t id;
    uint32_t page_count;
    uint32_t page_room;
    uint32_t *pages; /* Their numbers, sorted. */
    struct plan_table *plan;
    uint64_t row_count;
    struct page_table *next;
};

struct pages {
    bool single; /* The source is one table's folder. */
    struct page_table *tables;
    uint32_t *tags; /* Of the survey, by column: which tags its values have. */
    uint32_t width; /* Values of the longest row. */
    bool telling;   /* The survey: damage is noted. */
};

/* What reading a table hands out. */
struct page_visitor {
    void *context;
    enum status (*row)(void *context, const struct legacy_row *row);
};

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

static enum status
folder_of(struct source *source, const struct page_table *table, char out[IO_PATH_SIZE])
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

    TRY(folder_of(source, table, folder));
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

/* Pages. */

struct slot {
    uint16_t offset;
    uint16_t size;
    uint8_t used;
};

struct page {
    struct source *source;
    const struct page_table *table;
    uint32_t number;
    struct legacy_stream stream;
    uint64_t slot_count;
    uint64_t data; /* Offset of the data. */
};

/* Damage: an error, or a note in a rescue. */
static enum status
page_fault(struct page *page, uint64_t slot)
{
    const struct legacy_fault *fault = &page->stream.fault;
    struct source *source = page->source;
    const struct pages *pages = source->state;
    char words[400], place[48] = "", name[32];

    if (slot != UINT64_MAX)
        (void)snprintf(place, sizeof(place), ", slot %llu", (unsigned long long)slot);
    (void)snprintf(words, sizeof(words), "table_%u/page_%08u.dat%s, byte %llu: %.160s",
                   page->table->id, page->number, place, (unsigned long long)fault->offset,
                   fault->message);
    if (fault->status != STATUS_CORRUPT || !source->options->rescue)
        return source_fail(source, fault->status, "%.300s: %.400s", source->path, words);
    int size = snprintf(name, sizeof(name), "table_%u", page->table->id);
    if (pages->telling)
        legacy_plan_lost(source->plan, &(struct legacy_text){name, (size_t)size}, words);
    return STATUS_OK;
}

static bool
read_head(struct page *page)
{
    struct legacy_stream *stream = &page->stream;
    uint32_t id = 0, number = 0, word = 0;
    uint16_t free_space = 0, count = 0;
    uint64_t size = 0;

    if (!legacy_stream_u32(stream, &id) || !legacy_stream_u32(stream, &number) ||
        !legacy_stream_u16(stream, &free_space) || !legacy_stream_u16(stream, &count) ||
        !legacy_stream_u32(stream, &word) || !legacy_stream_u32(stream, &word) ||
        !legacy_stream_count(stream, SLOT_SIZE, "slots", &page->slot_count))
        return false;
    if (number != page->number)
        return legacy_stream_fail(stream, 4, "it says that it is page %u", number);
    if (!((struct pages *)page->source->state)->single && id != page->table->id)
        return legacy_stream_fail(stream, 0, "it says that it is of table %u", id);
    if (page->slot_count != count)
        return legacy_stream_fail(stream, 20, "%llu slots, and %u in the header",
                                  (unsigned long long)page->slot_count, count);
    page->data = PAGE_HEAD + SLOT_SIZE * page->slot_count + 8;
    if (stream->size != page->data + PAGE_DATA)
        return legacy_stream_fail(stream, stream->size, "the file should have %llu bytes",
                                  (unsigned long long)(page->data + PAGE_DATA));
    legacy_stream_seek(stream, page->data - 8);
    return legacy_stream_u64(stream, &size) &&
           (size == PAGE_DATA ||
            legacy_stream_fail(stream, page->data - 8, "the data has %llu bytes, not %d",
                               (unsigned long long)size, PAGE_DATA));
}

static bool
read_slot(struct page *page, uint64_t index, struct slot *out)
{
    struct legacy_stream *stream = &page->stream;
    uint64_t at = PAGE_HEAD + SLOT_SIZE * index;

    legacy_stream_seek(stream, at);
    if (!legacy_stream_u16(stream, &out->offset) || !legacy_stream_u16(stream, &out->size) ||
        !legacy_stream_u8(stream, &out->used))
        return false;
    if (out->used > 1)
        return legacy_stream_fail(stream, at + 4, "a bool holds %u, not 0 or 1", out->used);
    return out->used == 0 || (uint32_t)out->offset + out->size <= PAGE_DATA ||
           legacy_stream_fail(stream, at, "the slot ends at %u, past the data",
                              (uint32_t)out->offset + out->size);
}

static bool
read_row(struct page *page, const struct slot *slot, struct arena *arena, struct legacy_row *out)
{
    struct legacy_stream *stream = &page->stream;
    uint64_t whole = stream->size, end = page->data + slot->offset + slot->size;

    legacy_stream_seek(stream, page->data + slot->offset);
    stream->size = end; /* Nothing of the row may lie past its slot. */
    bool ok = legacy_read_row(stream, arena, out);
    if (ok && legacy_stream_left(stream) > 0)
        ok = legacy_stream_fail(stream, legacy_stream_offset(stream),
                                "%llu bytes of the slot are left behind the row",
                                (unsigned long long)legacy_stream_left(stream));
    stream->size = whole;
    return ok;
}

static enum status
read_slots(struct page *page, struct arena *arena, const struct page_visitor *visitor)
{
    for (uint64_t i = 0; i < page->slot_count; i++) {
        struct slot slot = {.used = 0};
        struct legacy_row row = {.live = false};

        arena_reset(arena);
        if (!read_slot(page, i, &slot) || (slot.used != 0 && !read_row(page, &slot, arena, &row))) {
            TRY(page_fault(page, i));
            continue;
        }
        if (slot.used != 0 && row.live)
            TRY(visitor->row(visitor->context, &row));
    }
    return STATUS_OK;
}

static enum status
read_page(struct source *source, const struct page_table *table, uint32_t number,
          struct arena *arena, const struct page_visitor *visitor)
{
    struct page page = {.source = source, .table = table, .number = number};
    char folder[IO_PATH_SIZE], path[IO_PATH_SIZE + 32];

    TRY(folder_of(source, table, folder));
    (void)snprintf(path, sizeof(path), "%s/page_%08u.dat", folder, number);
    enum status status = legacy_stream_open(&source->env, path, &page.stream);
    if (status != STATUS_OK)
        return source_fail(source, status, "%s", error_message());
    status = read_head(&page) ? read_slots(&page, arena, visitor) : page_fault(&page, UINT64_MAX);
    legacy_stream_close(&page.stream);
    return status;
}

static enum status
read_pages(struct source *source, const struct page_table *table,
           const struct page_visitor *visitor)
{
    struct arena arena;
    enum status status = STATUS_OK;

    arena_init(&arena, source->env.memory, MEMORY_OTHER);
    for (uint32_t i = 0; status == STATUS_OK && i < table->page_count; i++)
        status = read_page(source, table, table->pages[i], &arena, visitor);
    arena_deinit(&arena);
    return status;
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
        TRY(read_pages(source, table, &visitor));
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
                         : visitor->row != NULL ? read_pages(source, table, &each)
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
