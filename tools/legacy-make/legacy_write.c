/* See legacy_write.h. */
#include "tools/legacy-make/legacy_write.h"

#include <string.h>

#include "kernel/base/check.h"

static const uint64_t log_time = 1800000000; /* Any unix time will do. */

void
writer_init(struct writer *writer, struct memory *memory, FILE *file, char generation)
{
    CHECK(generation >= 'A' && generation <= 'D');
    *writer = (struct writer){.file = file, .generation = generation};
    text_buffer_init(&writer->record, memory);
}

bool
writer_end(struct writer *writer)
{
    bool ok = !writer->failed && !writer->record.failed;

    CHECK(!writer->in_record);
    if (writer->file != NULL)
        ok = fflush(writer->file) == 0 && ok;
    text_buffer_deinit(&writer->record);
    return ok;
}

/* Fields. */

void
writer_bytes(struct writer *writer, const void *bytes, size_t size)
{
    writer->size += size;
    if (writer->in_record || writer->file == NULL)
        text_buffer_add(&writer->record, bytes, size);
    else if (size > 0 && fwrite(bytes, 1, size, writer->file) != size)
        writer->failed = true;
}

void
writer_u8(struct writer *writer, uint8_t value)
{
    writer_bytes(writer, &value, sizeof(value));
}

void
writer_u32(struct writer *writer, uint32_t value)
{
    writer_bytes(writer, &value, sizeof(value));
}

void
writer_u64(struct writer *writer, uint64_t value)
{
    writer_bytes(writer, &value, sizeof(value));
}

void
writer_sized_text(struct writer *writer, const char *text, size_t size)
{
    writer_u64(writer, size);
    writer_bytes(writer, text, size);
}

void
writer_text(struct writer *writer, const char *text)
{
    writer_sized_text(writer, text, strlen(text));
}

/* Values. */

void
writer_null(struct writer *writer)
{
    writer_u32(writer, 0);
}

void
writer_smallint(struct writer *writer, int16_t value)
{
    writer_u32(writer, 1);
    writer_bytes(writer, &value, sizeof(value));
}

void
writer_integer(struct writer *writer, int64_t value)
{
    writer_u32(writer, 2);
    writer_u64(writer, (uint64_t)value);
}

void
writer_real(struct writer *writer, double value)
{
    writer_u32(writer, 3);
    writer_bytes(writer, &value, sizeof(value));
}

void
writer_boolean(struct writer *writer, bool value)
{
    writer_u32(writer, 7);
    writer_u8(writer, value);
}

void
writer_tagged_sized(struct writer *writer, uint32_t tag, const char *text, size_t size)
{
    writer_u32(writer, tag);
    writer_sized_text(writer, text, size);
}

void
writer_tagged(struct writer *writer, uint32_t tag, const char *text)
{
    writer_tagged_sized(writer, tag, text, strlen(text));
}

void
writer_uuid(struct writer *writer, const uint8_t bytes[16])
{
    writer_u32(writer, 11);
    writer_u64(writer, 16);
    writer_bytes(writer, bytes, 16);
}

void
writer_bytea(struct writer *writer, const void *bytes, size_t size)
{
    writer_u32(writer, 13);
    writer_u64(writer, size);
    writer_bytes(writer, bytes, size);
}

void
writer_label(struct writer *writer, const char *type, const char *label)
{
    writer_u32(writer, 14);
    writer_text(writer, type);
    writer_text(writer, label);
}

void
writer_row_begin(struct writer *writer, uint64_t value_count)
{
    writer_u64(writer, value_count);
}

void
writer_row_end(struct writer *writer, uint64_t xmin, uint64_t xmax)
{
    writer_u64(writer, xmin);
    writer_u8(writer, xmax != 0);
    if (xmax != 0)
        writer_u64(writer, xmax);
}

/* Tables. */

void
writer_table_begin(struct writer *writer, const char *name, uint64_t column_count)
{
    writer_text(writer, name);
    writer_u64(writer, column_count);
}

static void
write_type(struct writer *writer, const struct writer_column *column)
{
    writer_u32(writer, (uint32_t)column->type);
    switch (column->type) {
    case WRITER_NUMERIC:
        writer_u8(writer, (uint8_t)column->first);
        writer_u8(writer, column->second);
        break;
    case WRITER_VARCHAR:
    case WRITER_CHAR:
        writer_u64(writer, column->first);
        break;
    case WRITER_ENUM:
        writer_text(writer, column->enum_name);
        writer_u64(writer, column->first);
        for (uint64_t i = 0; i < column->first; i++)
            writer_text(writer, column->labels[i]);
        break;
    default:
        break;
    }
}

void
writer_column(struct writer *writer, const struct writer_column *column)
{
    writer_text(writer, column->name);
    write_type(writer, column);
    writer_u8(writer, (column->flags & WRITER_NULLABLE) != 0);
    writer_u8(writer, (column->flags & WRITER_PRIMARY_KEY) != 0);
    if (writer->generation != 'A')
        writer_u8(writer, (column->flags & WRITER_UNIQUE) != 0);
    writer_u8(writer, column->foreign_table != NULL);
    if (column->foreign_table == NULL)
        return;
    writer_text(writer, column->foreign_table);
    writer_text(writer, column->foreign_column);
}

void
writer_rows(struct writer *writer, uint64_t count)
{
    writer_u64(writer, count);
}

void
writer_sequences(struct writer *writer, uint64_t count)
{
    writer_u64(writer, count);
}

void
writer_sequence(struct writer *writer, const char *name, int64_t next)
{
    writer_text(writer, name);
    writer_u64(writer, (uint64_t)next);
}

void
writer_table_end(struct writer *writer, const char *owner)
{
    if (writer->generation == 'D')
        writer_text(writer, owner);
}

/* Databases. */

void
writer_key(struct writer *writer, const char *key)
{
    writer_text(writer, key);
}

void
writer_database_begin(struct writer *writer, const char *name, uint64_t table_count)
{
    writer_text(writer, name);
    writer_u64(writer, table_count);
}

void
writer_enums(struct writer *writer, uint64_t count)
{
    writer_u64(writer, count);
}

void
writer_enum(struct writer *writer, const char *name, const char *const *labels,
            uint64_t label_count)
{
    writer_text(writer, name);
    writer_u64(writer, label_count);
    for (uint64_t i = 0; i < label_count; i++)
        writer_text(writer, labels[i]);
}

void
writer_views(struct writer *writer, const char *const *pairs, uint64_t count)
{
    if (writer->generation < 'C')
        return;
    writer_u64(writer, count);
    for (uint64_t i = 0; i < 2 * count; i++)
        writer_text(writer, pairs[i]);
}

/* A map from user to a set of privileges: alice may select (2) and everything (6). */
static void
write_privileges(struct writer *writer)
{
    writer_u64(writer, 1);
    writer_text(writer, "alice");
    writer_u64(writer, 2);
    writer_u32(writer, 2);
    writer_u32(writer, 6);
}

static void
write_metadata(struct writer *writer, const char *name)
{
    writer_text(writer, name);
    writer_text(writer, name);
    writer_text(writer, "alice");
    write_privileges(writer);
}

void
writer_database_end(struct writer *writer, const char *table)
{
    if (writer->generation != 'D')
        return;
    writer_u64(writer, table != NULL);
    if (table != NULL)
        write_metadata(writer, table);
}

/* Instances. */

void
writer_instance_begin(struct writer *writer, uint64_t database_count)
{
    writer_u64(writer, database_count);
}

static void
write_user(struct writer *writer)
{
    static const char hash[] = "36296059cca8b7c7c7a52ff12abe53eb374d509d480f69bb673ac2566ea0b53f";

    writer_text(writer, "alice");
    writer_text(writer, "alice");
    writer_text(writer, hash);
    writer_u8(writer, 0);
    writer_u8(writer, 1);
    writer_u8(writer, 0);
    if (writer->generation != 'D')
        return;
    writer_u64(writer, 1);
    writer_text(writer, "readers");
}

static void
write_role(struct writer *writer)
{
    writer_text(writer, "readers");
    writer_text(writer, "readers");
    writer_u8(writer, 0);
    writer_u8(writer, 0);
    writer_u8(writer, 0);
    writer_u64(writer, 1);
    writer_text(writer, "alice");
    writer_u64(writer, 0);
}

void
writer_instance_end(struct writer *writer, const char *database)
{
    writer_u64(writer, 1);
    write_metadata(writer, database);
    writer_u64(writer, 1);
    write_user(writer);
    if (writer->generation != 'D')
        return;
    writer_u64(writer, 1);
    write_role(writer);
}

/* Log. */

void
writer_record_begin(struct writer *writer, enum writer_operation operation)
{
    CHECK(!writer->in_record && writer->file != NULL);
    writer->in_record = true;
    writer_u64(writer, ++writer->sequence);
    writer_u64(writer, log_time + writer->sequence);
    writer_u32(writer, (uint32_t)operation);
}

void
writer_record_end(struct writer *writer)
{
    uint32_t length = (uint32_t)writer->record.size;

    CHECK(writer->in_record);
    writer->in_record = false;
    writer->failed = writer->failed || writer->record.failed;
    writer->size -= length; /* Counted as they were gathered. */
    writer_u32(writer, length);
    writer_bytes(writer, writer->record.bytes, length);
    text_buffer_reset(&writer->record);
}

void
writer_checkpoint(struct writer *writer)
{
    writer_record_begin(writer, WRITER_LOG_CHECKPOINT);
    writer_u64(writer, log_time + writer->sequence);
    writer_record_end(writer);
}
