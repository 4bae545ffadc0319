/*
 * A recursive-descent reader without recursion: each record of the format is one function, records
 * nest at most five deep, and every loop is over a count that was bounded by the bytes left.
 *
 * Memory: `head` holds the table being read (columns, names), `item` one row or one small record; the
 * one is reset a table, the other a row.
 */
#include "tools/qtdb-migrate/legacy_read.h"

#include <stdio.h>

#include "kernel/base/check.h"
#include "tools/qtdb-migrate/legacy_read_private.h"

struct reader {
    struct legacy_stream *stream;
    struct legacy_form form;
    const struct legacy_visitor *visitor;
    struct arena head;
    struct arena item;
    enum status stopped; /* What a visitor said. */
};

#define VISIT(reader, member, ...)        \
    ((reader)->visitor->member == NULL || \
     visited((reader), (reader)->visitor->member((reader)->visitor->context, __VA_ARGS__)))

static bool
visited(struct reader *reader, enum status status)
{
    reader->stopped = status;
    return status == STATUS_OK;
}

/* Columns. */

static bool
read_labels(struct legacy_stream *stream, struct arena *arena, struct legacy_text **out,
            uint64_t *count_out)
{
    uint64_t count = 0;

    if (!legacy_stream_count(stream, sizeof(uint64_t), "labels", &count))
        return false;
    if (count > LEGACY_TEXT_SIZE_MAX / sizeof(struct legacy_text))
        return legacy_stream_fail(stream, legacy_stream_offset(stream), "a list of %llu texts",
                                  (unsigned long long)count);
    struct legacy_text *labels = arena_alloc(arena, (size_t)count * sizeof(*labels));
    if (labels == NULL)
        return legacy__no_memory(stream);
    for (uint64_t i = 0; i < count; i++) {
        if (!legacy_stream_text(stream, arena, &labels[i]))
            return false;
    }
    *out = labels;
    *count_out = count;
    return true;
}

static bool
read_type(struct legacy_stream *stream, struct arena *arena, struct legacy_column *out)
{
    uint32_t tag = 0;

    if (!legacy__variant(stream, LEGACY_COLUMN_ENUM, "a column type", &tag))
        return false;
    out->kind = (enum legacy_column_kind)tag;
    switch (out->kind) {
    case LEGACY_COLUMN_NUMERIC:
        return legacy_stream_u8(stream, &out->precision) && legacy_stream_u8(stream, &out->scale);
    case LEGACY_COLUMN_VARCHAR:
    case LEGACY_COLUMN_CHAR:
        return legacy_stream_u64(stream, &out->size);
    case LEGACY_COLUMN_ENUM:
        return legacy_stream_text(stream, arena, &out->enum_name) &&
               read_labels(stream, arena, &out->labels, &out->label_count);
    default:
        return true;
    }
}

bool
legacy_read_column(struct legacy_stream *stream, struct arena *arena,
                   enum legacy_generation generation, struct legacy_column *out)
{
    *out = (struct legacy_column){.kind = LEGACY_COLUMN_SMALLINT};
    if (!legacy_stream_text(stream, arena, &out->name) || !read_type(stream, arena, out) ||
        !legacy_stream_bool(stream, &out->nullable) ||
        !legacy_stream_bool(stream, &out->primary_key))
        return false;
    if (generation != LEGACY_A && !legacy_stream_bool(stream, &out->unique))
        return false;
    if (!legacy_stream_bool(stream, &out->has_foreign_key))
        return false;
    return !out->has_foreign_key || (legacy_stream_text(stream, arena, &out->foreign_table) &&
                                     legacy_stream_text(stream, arena, &out->foreign_column));
}

/* Tables. */

bool
legacy_read_table_head(struct legacy_stream *stream, struct arena *arena,
                       enum legacy_generation generation, struct legacy_table *out)
{
    uint64_t count = 0;

    *out = (struct legacy_table){.column_count = 0};
    if (!legacy_stream_text(stream, arena, &out->name) ||
        !legacy_stream_count(stream, 8 + 4 + 3, "columns", &count))
        return false;
    if (count > LEGACY_TEXT_SIZE_MAX / sizeof(struct legacy_column))
        return legacy_stream_fail(stream, legacy_stream_offset(stream), "%llu columns",
                                  (unsigned long long)count);
    out->columns = arena_alloc(arena, (size_t)count * sizeof(*out->columns));
    if (out->columns == NULL)
        return legacy__no_memory(stream);
    for (uint64_t i = 0; i < count; i++) {
        if (!legacy_read_column(stream, arena, generation, &out->columns[i]))
            return false;
    }
    out->column_count = count;
    return legacy_stream_count(stream, 8 + 8 + 1, "rows", &out->row_count);
}

/* A run of rows reads alike in every form, so a trial passes over what an earlier one has read. */
static bool
pass_known(struct legacy_stream *stream, uint64_t count)
{
    uint64_t begin = legacy_stream_offset(stream);

    for (uint32_t i = 0; i < stream->known_count; i++) {
        if (stream->known[i].begin != begin || stream->known[i].count != count)
            continue;
        legacy_stream_seek(stream, stream->known[i].end);
        return true;
    }
    return false;
}

/* Only the longest are kept. */
static void
note_known(struct legacy_stream *stream, uint64_t begin, uint64_t count)
{
    struct legacy_known fresh = {begin, count, legacy_stream_offset(stream)};
    struct legacy_known *place = &stream->known[0];

    if (count < LEGACY_KNOWN_ROWS_MIN)
        return;
    for (uint32_t i = 0; i < stream->known_count; i++) {
        if (stream->known[i].begin == begin && stream->known[i].count == count)
            return;
        if (stream->known[i].end - stream->known[i].begin < place->end - place->begin)
            place = &stream->known[i];
    }
    if (stream->known_count < LEGACY_KNOWN_MAX)
        stream->known[stream->known_count++] = fresh;
    else if (place->end - place->begin < fresh.end - begin)
        *place = fresh;
}

static bool
read_rows(struct reader *reader, uint64_t count)
{
    uint64_t begin = legacy_stream_offset(reader->stream);

    if (reader->visitor->row == NULL && pass_known(reader->stream, count))
        return true;
    for (uint64_t i = 0; i < count; i++) {
        struct legacy_row row;

        arena_reset(&reader->item);
        if (!legacy_read_row(reader->stream, &reader->item, &row))
            return false;
        row.index = i;
        if (!VISIT(reader, row, &row))
            return false;
    }
    note_known(reader->stream, begin, count);
    return true;
}

static bool
read_sequences(struct reader *reader)
{
    uint64_t count = 0;

    if (!legacy_stream_count(reader->stream, 8 + 8, "sequences", &count))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        struct legacy_text name;
        uint64_t next = 0;

        arena_reset(&reader->item);
        if (!legacy_stream_text(reader->stream, &reader->item, &name) ||
            !legacy_stream_u64(reader->stream, &next) ||
            !VISIT(reader, sequence, &name, (int64_t)next))
            return false;
    }
    return true;
}

static bool
visit_words(struct reader *reader, const char *words)
{
    return VISIT(reader, grant, words);
}

static bool
visit_owner(struct reader *reader, const char *what, const char *name, const char *owner)
{
    char words[256];

    (void)snprintf(words, sizeof(words), "%s %.80s is owned by %.80s", what, name, owner);
    return visit_words(reader, words);
}

static bool
read_table(struct reader *reader)
{
    struct legacy_table table;
    struct legacy_text owner;

    arena_reset(&reader->head);
    if (!legacy_read_table_head(reader->stream, &reader->head, reader->form.generation, &table) ||
        !VISIT(reader, table, &table) || !read_rows(reader, table.row_count) ||
        !read_sequences(reader))
        return false;
    if (reader->form.generation >= LEGACY_D &&
        (!legacy_stream_text(reader->stream, &reader->head, &owner) ||
         !visit_owner(reader, "table", table.name.bytes, owner.bytes)))
        return false;
    return reader->visitor->table_end == NULL ||
           visited(reader, reader->visitor->table_end(reader->visitor->context));
}

/* Maps: each entry is a key and whatever `entry` reads. */

static bool
read_map(struct reader *reader, const char *what, size_t entry_size,
         bool (*entry)(struct reader *reader, const struct legacy_text *key))
{
    uint64_t count = 0;

    if (!legacy_stream_count(reader->stream, entry_size, what, &count))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        struct arena key_arena;
        struct legacy_text key;

        arena_init(&key_arena, reader->stream->env.memory, MEMORY_OTHER);
        bool ok = legacy_stream_text(reader->stream, &key_arena, &key) && entry(reader, &key);
        arena_deinit(&key_arena);
        if (!ok)
            return false;
    }
    return true;
}

static bool
table_entry(struct reader *reader, const struct legacy_text *key)
{
    (void)key; /* The record repeats it. */
    return read_table(reader);
}

static bool
enum_entry(struct reader *reader, const struct legacy_text *key)
{
    struct legacy_text *labels = NULL;
    uint64_t count = 0;

    arena_reset(&reader->item);
    return read_labels(reader->stream, &reader->item, &labels, &count) &&
           VISIT(reader, enum_type, key, labels, count);
}

static bool
view_entry(struct reader *reader, const struct legacy_text *key)
{
    struct legacy_text sql;

    arena_reset(&reader->item);
    return legacy_stream_text(reader->stream, &reader->item, &sql) &&
           VISIT(reader, view, key, &sql);
}

static const char *const privilege_names[] = {"connect", "create", "select", "insert",
                                              "update",  "delete", "all"};

static bool
privileges_entry(struct reader *reader, const struct legacy_text *key)
{
    uint64_t count = 0;

    if (!legacy_stream_count(reader->stream, sizeof(uint32_t), "privileges", &count))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t privilege = 0;
        char words[256];

        if (!legacy__variant(reader->stream, 6, "a privilege", &privilege))
            return false;
        (void)snprintf(words, sizeof(words), "user %.80s may %s", key->bytes,
                       privilege_names[privilege]);
        if (!visit_words(reader, words))
            return false;
    }
    return true;
}

/* A name, an owner, and the privileges by user: databases and, in generation D, tables. */
static bool
metadata_entry(struct reader *reader, const struct legacy_text *key)
{
    struct legacy_text name, owner;

    arena_reset(&reader->item);
    return legacy_stream_text(reader->stream, &reader->item, &name) &&
           legacy_stream_text(reader->stream, &reader->item, &owner) &&
           visit_owner(reader, "object", key->bytes, owner.bytes) &&
           read_map(reader, "privileges", 16, privileges_entry);
}

static bool
read_database(struct reader *reader)
{
    struct legacy_text name;
    enum legacy_generation generation = reader->form.generation;

    arena_reset(&reader->head);
    return legacy_stream_text(reader->stream, &reader->head, &name) &&
           VISIT(reader, database, &name) && read_map(reader, "tables", 40, table_entry) &&
           read_map(reader, "enums", 16, enum_entry) &&
           (generation < LEGACY_C || read_map(reader, "views", 16, view_entry)) &&
           (generation < LEGACY_D || read_map(reader, "table metadata", 32, metadata_entry));
}

static bool
database_entry(struct reader *reader, const struct legacy_text *key)
{
    (void)key;
    return read_database(reader);
}

static bool
read_text_set(struct reader *reader, const char *who, const char *what)
{
    uint64_t count = 0;

    if (!legacy_stream_count(reader->stream, sizeof(uint64_t), what, &count))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        struct legacy_text name;
        char words[256];

        arena_reset(&reader->item);
        if (!legacy_stream_text(reader->stream, &reader->item, &name))
            return false;
        (void)snprintf(words, sizeof(words), "%.80s: %s %.80s", who, what, name.bytes);
        if (!visit_words(reader, words))
            return false;
    }
    return true;
}

static bool
user_entry(struct reader *reader, const struct legacy_text *key)
{
    struct legacy_user user;
    struct legacy_text hash;

    arena_reset(&reader->item);
    user.name = *key;
    if (!legacy_stream_text(reader->stream, &reader->item, &user.name) ||
        !legacy_stream_text(reader->stream, &reader->item, &hash) ||
        !legacy_stream_bool(reader->stream, &user.is_superuser) ||
        !legacy_stream_bool(reader->stream, &user.can_create_db) ||
        !legacy_stream_bool(reader->stream, &user.can_create_user) || !VISIT(reader, user, &user))
        return false;
    return reader->form.generation < LEGACY_D || read_text_set(reader, key->bytes, "role");
}

static bool
role_entry(struct reader *reader, const struct legacy_text *key)
{
    struct legacy_text name;
    bool flag = false;

    arena_reset(&reader->item);
    return legacy_stream_text(reader->stream, &reader->item, &name) &&
           legacy_stream_bool(reader->stream, &flag) && legacy_stream_bool(reader->stream, &flag) &&
           legacy_stream_bool(reader->stream, &flag) &&
           read_text_set(reader, key->bytes, "has member") &&
           read_text_set(reader, key->bytes, "is member of");
}

static bool
read_instance(struct reader *reader)
{
    return read_map(reader, "databases", 40, database_entry) &&
           read_map(reader, "metadata", 32, metadata_entry) &&
           read_map(reader, "users", 27, user_entry) &&
           (reader->form.generation < LEGACY_D || read_map(reader, "roles", 35, role_entry));
}

enum status
legacy_read(struct legacy_stream *stream, const struct legacy_form *form,
            const struct legacy_visitor *visitor)
{
    struct reader reader = {.stream = stream, .form = *form, .visitor = visitor};

    legacy_stream_seek(stream, 0);
    arena_init(&reader.head, stream->env.memory, MEMORY_OTHER);
    arena_init(&reader.item, stream->env.memory, MEMORY_OTHER);
    bool ok = form->shape == LEGACY_INSTANCE ? read_instance(&reader) : read_database(&reader);
    if (ok && legacy_stream_left(stream) > 0)
        ok = legacy_stream_fail(stream, legacy_stream_offset(stream),
                                "%llu bytes are left after the last record",
                                (unsigned long long)legacy_stream_left(stream));
    arena_deinit(&reader.item);
    arena_deinit(&reader.head);
    if (ok)
        return STATUS_OK;
    return stream->fault.set ? stream->fault.status : reader.stopped;
}
