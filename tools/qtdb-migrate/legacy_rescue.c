/* See legacy_rescue.h. */
#include "tools/qtdb-migrate/legacy_rescue.h"

#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/checksum.h"

enum {
    LOOK_SIZE = 256 * 1024, /* Fits the stream's buffer four times. */
    LOOK_SIZE_LATE = 1024,
    COLUMNS_MAX = 1600, /* Of a table that is found. */
    NAME_SIZE_MAX = 255,
    /* What looks may read before they become short: so many times the file, and so many bytes. */
    LOOK_COST_TIMES = 16,
    LOOK_COST_FREE = 16 * 1024 * 1024,
};

/* Names of the tables that were found, so that a copy of a head is not taken for another table. */
struct found_name {
    uint64_t checksum;
    struct found_name *next;
};

struct rescue {
    struct legacy_stream *stream;
    struct legacy_form form;
    const struct legacy_visitor *visitor;
    struct arena head; /* A table's. */
    struct arena item; /* A row, a name. */
    struct arena names;
    struct found_name *found;
    uint64_t file_size;
    uint64_t look_cost; /* Bytes that looks read in vain; past the limit looks are short. */
    uint64_t look_limit;
    bool has_database;
    bool has_table;
    bool damaged; /* The open table: its rows cannot be counted any more. */
    uint64_t column_count;
    uint64_t row_count; /* That the table's head claims. */
    uint64_t row_index;
    uint64_t safe; /* Where what was read so far ends. */
    char table_name[NAME_SIZE_MAX + 1];
    enum status stopped; /* What the visitor said. */
};

/* The strict reading: hands on, and remembers where it is. */

static enum status
passed(struct rescue *rescue, enum status status)
{
    if (status == STATUS_OK)
        rescue->safe = legacy_stream_offset(rescue->stream);
    else
        rescue->stopped = status;
    return status;
}

static bool
add_name(struct rescue *rescue, const struct legacy_text *name)
{
    struct found_name *made = arena_alloc(&rescue->names, sizeof(*made));

    if (made == NULL)
        return false;
    *made = (struct found_name){.checksum = checksum64(name->bytes, name->size, 0),
                                .next = rescue->found};
    rescue->found = made;
    return true;
}

static enum status
begin_database(struct rescue *rescue, const struct legacy_text *name)
{
    const struct legacy_visitor *visitor = rescue->visitor;

    rescue->has_database = true;
    rescue->found = NULL;
    arena_reset(&rescue->names);
    return visitor->database == NULL ? STATUS_OK : visitor->database(visitor->context, name);
}

static enum status
begin_table(struct rescue *rescue, const struct legacy_table *table)
{
    const struct legacy_visitor *visitor = rescue->visitor;

    rescue->has_table = true;
    rescue->damaged = false;
    rescue->column_count = table->column_count;
    rescue->row_count = table->row_count;
    rescue->row_index = 0;
    (void)snprintf(rescue->table_name, sizeof(rescue->table_name), "%.200s", table->name.bytes);
    if (!add_name(rescue, &table->name))
        return STATUS_NO_MEMORY;
    return visitor->table == NULL ? STATUS_OK : visitor->table(visitor->context, table);
}

static enum status
end_table(struct rescue *rescue)
{
    const struct legacy_visitor *visitor = rescue->visitor;

    if (!rescue->has_table)
        return STATUS_OK;
    rescue->has_table = false;
    return visitor->table_end == NULL ? STATUS_OK : visitor->table_end(visitor->context);
}

static enum status
strict_database(void *context, const struct legacy_text *name)
{
    return passed(context, begin_database(context, name));
}

static enum status
strict_table(void *context, const struct legacy_table *table)
{
    return passed(context, begin_table(context, table));
}

static enum status
strict_row(void *context, const struct legacy_row *row)
{
    struct rescue *rescue = context;
    const struct legacy_visitor *visitor = rescue->visitor;

    rescue->row_index = row->index + 1;
    return passed(rescue, visitor->row == NULL ? STATUS_OK : visitor->row(visitor->context, row));
}

static enum status
strict_sequence(void *context, const struct legacy_text *name, int64_t next)
{
    struct rescue *rescue = context;
    const struct legacy_visitor *visitor = rescue->visitor;

    return passed(rescue, visitor->sequence == NULL
                              ? STATUS_OK
                              : visitor->sequence(visitor->context, name, next));
}

static enum status
strict_table_end(void *context)
{
    return passed(context, end_table(context));
}

static enum status
strict_enum(void *context, const struct legacy_text *name, const struct legacy_text *labels,
            uint64_t label_count)
{
    struct rescue *rescue = context;
    const struct legacy_visitor *visitor = rescue->visitor;

    return passed(rescue, visitor->enum_type == NULL
                              ? STATUS_OK
                              : visitor->enum_type(visitor->context, name, labels, label_count));
}

static enum status
strict_view(void *context, const struct legacy_text *name, const struct legacy_text *sql)
{
    struct rescue *rescue = context;
    const struct legacy_visitor *visitor = rescue->visitor;

    return passed(rescue,
                  visitor->view == NULL ? STATUS_OK : visitor->view(visitor->context, name, sql));
}

static enum status
strict_user(void *context, const struct legacy_user *user)
{
    struct rescue *rescue = context;
    const struct legacy_visitor *visitor = rescue->visitor;

    return passed(rescue,
                  visitor->user == NULL ? STATUS_OK : visitor->user(visitor->context, user));
}

static enum status
strict_grant(void *context, const char *words)
{
    struct rescue *rescue = context;
    const struct legacy_visitor *visitor = rescue->visitor;

    return passed(rescue,
                  visitor->grant == NULL ? STATUS_OK : visitor->grant(visitor->context, words));
}

static enum status
read_strictly(struct rescue *rescue)
{
    const struct legacy_visitor strict = {
        .context = rescue,
        .database = strict_database,
        .table = strict_table,
        .row = strict_row,
        .sequence = strict_sequence,
        .table_end = strict_table_end,
        .enum_type = strict_enum,
        .view = strict_view,
        .user = strict_user,
        .grant = strict_grant,
    };

    return legacy_read(rescue->stream, &rescue->form, &strict);
}

/* Looking. */

static enum status
tell_damage(struct rescue *rescue, uint64_t begin, uint64_t end)
{
    const struct legacy_visitor *visitor = rescue->visitor;
    char words[400];

    if (begin == end)
        return STATUS_OK;
    rescue->damaged = true;
    if (visitor->damage == NULL)
        return STATUS_OK;
    if (rescue->has_table)
        (void)snprintf(words, sizeof(words),
                       "bytes %llu to %llu, behind row %llu of table %.200s, cannot be read",
                       (unsigned long long)begin, (unsigned long long)end,
                       (unsigned long long)rescue->row_index, rescue->table_name);
    else
        (void)snprintf(words, sizeof(words), "bytes %llu to %llu cannot be read",
                       (unsigned long long)begin, (unsigned long long)end);
    return visitor->damage(visitor->context, rescue->row_index, words);
}

/* Puts the stream at `offset` with no more than a look's bytes before it, all of them in its buffer. */
static void
aim(struct rescue *rescue, uint64_t offset, bool behind_row)
{
    struct legacy_stream *stream = rescue->stream;
    uint64_t look = rescue->look_cost < rescue->look_limit ? LOOK_SIZE : LOOK_SIZE_LATE;

    stream->size = rescue->file_size;
    legacy_stream_seek(stream, offset);
    if (behind_row)
        return;
    if (look > rescue->file_size - offset)
        look = rescue->file_size - offset;
    if (offset + look > stream->base + stream->used) {
        uint8_t first = 0;

        /* Filled from here to its end, so that looks at the next many bytes find all in it. What fails here
         * fails again in the look. */
        stream->base = offset;
        stream->used = 0;
        stream->next = 0;
        (void)!legacy_stream_u8(stream, &first);
        legacy_stream_seek(stream, offset);
    }
    stream->size = offset + look;
}

/* True when there was a failure that is not the bytes' fault. */
static bool
broken(const struct rescue *rescue)
{
    const struct legacy_fault *fault = &rescue->stream->fault;

    return fault->set && fault->status != STATUS_CORRUPT;
}

static bool
has_value(const struct legacy_row *row)
{
    for (uint64_t i = 0; i < row->value_count; i++) {
        if (row->values[i].tag != LEGACY_NULL)
            return true;
    }
    return false;
}

static bool
row_at(struct rescue *rescue, uint64_t offset, bool behind_row, struct legacy_row *out)
{
    if (!rescue->has_table || rescue->row_index >= rescue->row_count)
        return false;
    aim(rescue, offset, behind_row);
    if (!behind_row) {
        uint64_t count = 0;

        /* What most bytes are not. */
        if (!legacy_stream_u64(rescue->stream, &count) || count != rescue->column_count ||
            count == 0)
            return false;
        aim(rescue, offset, false);
    }
    arena_reset(&rescue->item);
    bool ok = legacy_read_row(rescue->stream, &rescue->item, out);
    rescue->look_cost += ok ? 0 : legacy_stream_offset(rescue->stream) - offset;
    return ok && (behind_row || has_value(out));
}

/* A name that stands there twice, as each entry of a map of tables and of databases begins. */
static bool
twice(struct rescue *rescue, uint64_t offset, struct arena *arena, struct legacy_text *out)
{
    struct legacy_stream *stream = rescue->stream;
    struct legacy_text again;
    uint64_t size = 0, size_again = 0;

    aim(rescue, offset, false);
    if (!legacy_stream_u64(stream, &size) || size == 0 || size > NAME_SIZE_MAX ||
        legacy_stream_left(stream) < size + 8)
        return false;
    legacy_stream_seek(stream, offset + 8 + size);
    if (!legacy_stream_u64(stream, &size_again) || size_again != size)
        return false;
    legacy_stream_seek(stream, offset);
    arena_reset(arena);
    return legacy_stream_text(stream, arena, out) && legacy_stream_text(stream, arena, &again) &&
           again.size == out->size && memcmp(again.bytes, out->bytes, out->size) == 0;
}

static bool
is_known(const struct rescue *rescue, const struct legacy_text *name)
{
    uint64_t checksum = checksum64(name->bytes, name->size, 0);
    const struct found_name *found = rescue->found;

    while (found != NULL && found->checksum != checksum)
        found = found->next;
    return found != NULL;
}

/* With the stream behind the head. */
static bool
table_at(struct rescue *rescue, uint64_t offset, const struct legacy_text *name,
         struct legacy_table *out)
{
    /* A head is not bounded by a look, so past twice the limit none is looked for. */
    if (is_known(rescue, name) || rescue->look_cost >= 2 * rescue->look_limit)
        return false;
    uint64_t count = 0, count_offset = offset + 2 * (8 + name->size);
    aim(rescue, count_offset <= rescue->file_size ? count_offset : rescue->file_size, false);
    if (!legacy_stream_u64(rescue->stream, &count) || count == 0 || count > COLUMNS_MAX)
        return false;
    rescue->look_cost += count * sizeof(struct legacy_column);
    aim(rescue, offset + 8 + name->size, false);
    /* Counts are of the whole file. */
    rescue->stream->size = rescue->file_size;
    arena_reset(&rescue->head);
    bool ok = legacy_read_table_head(rescue->stream, &rescue->head, rescue->form.generation, out);
    rescue->look_cost += ok ? 0 : legacy_stream_offset(rescue->stream) - offset;
    return ok;
}

/* With a number of tables, of which the first begins right there; the stream is left before it. */
static bool
database_at(struct rescue *rescue, uint64_t offset, const struct legacy_text *name,
            uint64_t *behind_out)
{
    uint64_t count = 0, behind = offset + 2 * (8 + name->size) + 8;
    struct legacy_text table;

    if (rescue->form.shape != LEGACY_INSTANCE || behind > rescue->file_size)
        return false;
    aim(rescue, behind - 8, false);
    if (!legacy_stream_u64(rescue->stream, &count) || count == 0 ||
        count > (rescue->file_size - behind) / 40 || !twice(rescue, behind, &rescue->head, &table))
        return false;
    *behind_out = behind;
    return true;
}

/* A map of sequences behind a table's last row, if that is what stands there. */
static bool
sequences_at(struct rescue *rescue, uint64_t offset, bool tell)
{
    struct legacy_stream *stream = rescue->stream;
    const struct legacy_visitor *visitor = rescue->visitor;
    struct legacy_text name;
    uint64_t count = 0, next = 0;

    aim(rescue, offset, false);
    if (!legacy_stream_u64(stream, &count) || count > rescue->column_count)
        return false;
    for (uint64_t i = 0; i < count; i++) {
        arena_reset(&rescue->item);
        if (!legacy_stream_text(stream, &rescue->item, &name) || !legacy_stream_u64(stream, &next))
            return false;
        if (tell && visitor->sequence != NULL)
            rescue->stopped = visitor->sequence(visitor->context, &name, (int64_t)next);
        if (rescue->stopped != STATUS_OK)
            return false;
    }
    return rescue->form.generation < LEGACY_D || legacy_stream_text(stream, &rescue->item, &name);
}

static enum status
take_row(struct rescue *rescue, const struct legacy_row *row)
{
    const struct legacy_visitor *visitor = rescue->visitor;
    struct legacy_row numbered = *row;

    numbered.index = rescue->row_index++;
    return visitor->row == NULL ? STATUS_OK : visitor->row(visitor->context, &numbered);
}

static enum status
take_table(struct rescue *rescue, const struct legacy_table *table, uint64_t gap, uint64_t offset)
{
    static const struct legacy_text rescued = {.bytes = "rescued", .size = 7};
    uint64_t behind = legacy_stream_offset(rescue->stream);

    TRY(tell_damage(rescue, gap, offset));
    TRY(end_table(rescue));
    if (!rescue->has_database)
        TRY(begin_database(rescue, &rescued));
    TRY(begin_table(rescue, table));
    rescue->safe = behind;
    return STATUS_OK;
}

static enum status
take_database(struct rescue *rescue, const struct legacy_text *name, uint64_t gap, uint64_t offset,
              uint64_t behind)
{
    TRY(tell_damage(rescue, gap, offset));
    TRY(end_table(rescue));
    TRY(begin_database(rescue, name));
    rescue->safe = behind;
    return STATUS_OK;
}

/* What begins at `offset`; `safe` moves behind it, or stays where the present gap began. */
static enum status
look_at(struct rescue *rescue, uint64_t offset)
{
    uint64_t gap = rescue->safe;
    struct legacy_row row;
    struct legacy_table table;
    struct legacy_text name;

    if (row_at(rescue, offset, offset == gap && !rescue->damaged, &row)) {
        uint64_t behind = legacy_stream_offset(rescue->stream);

        TRY(tell_damage(rescue, gap, offset));
        TRY(take_row(rescue, &row));
        rescue->safe = behind;
        return STATUS_OK;
    }
    if (broken(rescue))
        return rescue->stream->fault.status;
    if (twice(rescue, offset, &rescue->item, &name)) {
        uint64_t behind = 0;

        if (table_at(rescue, offset, &name, &table))
            return take_table(rescue, &table, gap, offset);
        if (!broken(rescue) && database_at(rescue, offset, &name, &behind))
            return take_database(rescue, &name, gap, offset, behind);
    }
    if (broken(rescue))
        return rescue->stream->fault.status;
    if (offset == gap && rescue->safe == gap && rescue->has_table && rescue->row_index > 0 &&
        sequences_at(rescue, offset, false)) {
        uint64_t behind = legacy_stream_offset(rescue->stream);

        (void)sequences_at(rescue, offset, true);
        TRY(rescue->stopped);
        TRY(end_table(rescue));
        rescue->safe = behind;
    }
    return STATUS_OK;
}

/* Where and why the strict reading ended; a file that is cut off between records has no other damage. */
static enum status
tell_fault(struct rescue *rescue, const struct legacy_fault *fault)
{
    const struct legacy_visitor *visitor = rescue->visitor;
    char words[sizeof(fault->message) + 64];

    if (visitor->damage == NULL)
        return STATUS_OK;
    (void)snprintf(words, sizeof(words), "the first damage is at byte %llu: %s",
                   (unsigned long long)fault->offset, fault->message);
    return visitor->damage(visitor->context, rescue->row_index, words);
}

/* False where neither a row nor a name can begin: all of them begin with a small number of 8 bytes. What is not in
 * the buffer may. */
static bool
may_begin(const struct rescue *rescue, uint64_t offset)
{
    const struct legacy_stream *stream = rescue->stream;
    uint64_t word = 0;

    if (offset < stream->base || offset + sizeof(word) > stream->base + stream->used)
        return true;
    memcpy(&word, stream->buffer + (offset - stream->base), sizeof(word));
    return (word > 0 && word <= NAME_SIZE_MAX) ||
           (rescue->has_table && word == rescue->column_count);
}

static enum status
look_everywhere(struct rescue *rescue)
{
    struct legacy_fault fault = rescue->stream->fault;

    TRY(tell_fault(rescue, &fault));
    for (uint64_t offset = rescue->safe; offset < rescue->file_size;) {
        uint64_t before = rescue->safe;

        if (offset != before && !may_begin(rescue, offset)) {
            offset++;
            continue;
        }
        TRY(look_at(rescue, offset));
        offset = rescue->safe != before ? rescue->safe : offset + 1;
    }
    TRY(tell_damage(rescue, rescue->safe, rescue->file_size));
    return end_table(rescue);
}

enum status
legacy_rescue(struct legacy_stream *stream, const struct legacy_form *form,
              const struct legacy_visitor *visitor)
{
    struct rescue rescue = {
        .stream = stream,
        .form = *form,
        .visitor = visitor,
        .file_size = stream->size,
        .look_limit = LOOK_COST_FREE + LOOK_COST_TIMES * stream->size,
    };

    arena_init(&rescue.head, stream->env.memory, MEMORY_OTHER);
    arena_init(&rescue.item, stream->env.memory, MEMORY_OTHER);
    arena_init(&rescue.names, stream->env.memory, MEMORY_OTHER);
    enum status status = read_strictly(&rescue);
    if (status == STATUS_CORRUPT && rescue.stopped == STATUS_OK)
        status = look_everywhere(&rescue);
    stream->size = rescue.file_size;
    arena_deinit(&rescue.names);
    arena_deinit(&rescue.item);
    arena_deinit(&rescue.head);
    return status;
}

/* Which form. */

struct tally {
    uint64_t row_count;
    uint64_t table_count;
};

static enum status
tally_row(void *context, const struct legacy_row *row)
{
    struct tally *tally = context;

    (void)row;
    tally->row_count++;
    return STATUS_OK;
}

static enum status
tally_table(void *context, const struct legacy_table *table)
{
    struct tally *tally = context;

    (void)table;
    tally->table_count++;
    return STATUS_OK;
}

enum status
legacy_rescue_detect(struct legacy_stream *stream, struct legacy_form *out)
{
    struct tally best = {.row_count = 0};

    for (int shape = LEGACY_INSTANCE; shape <= LEGACY_DATABASE; shape++) {
        for (int generation = LEGACY_A; generation <= LEGACY_D; generation++) {
            struct legacy_form form = {(enum legacy_generation)generation,
                                       (enum legacy_shape)shape};
            struct tally tally = {.row_count = 0};
            const struct legacy_visitor visitor = {
                .context = &tally, .row = tally_row, .table = tally_table};

            TRY(legacy_rescue(stream, &form, &visitor));
            if (tally.row_count < best.row_count ||
                (tally.row_count == best.row_count && tally.table_count <= best.table_count))
                continue;
            best = tally;
            *out = form;
        }
    }
    return best.table_count > 0 ? STATUS_OK : STATUS_CORRUPT;
}
