/* The bytes of pages (pages_private.h), never trusted: every slot lies in the data, every row in its slot. */
#include <stdio.h>

#include "kernel/base/error.h"
#include "tools/qtdb-migrate/pages_private.h"

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
    unsigned long long wanted = page->data + PAGE_DATA;
    if (stream->size != wanted)
        return legacy_stream_fail(stream, stream->size, "the file should have %llu bytes", wanted);
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

    TRY(pages__folder(source, table, folder));
    (void)snprintf(path, sizeof(path), "%s/page_%08u.dat", folder, number);
    enum status status = legacy_stream_open(&source->env, path, &page.stream);
    if (status != STATUS_OK)
        return source_fail(source, status, "%s", error_message());
    status = read_head(&page) ? read_slots(&page, arena, visitor) : page_fault(&page, UINT64_MAX);
    legacy_stream_close(&page.stream);
    return status;
}

enum status
pages__read(struct source *source, const struct page_table *table,
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
