/*
 * Entries of indexes as rows: the columns of the key and those of the row's key, as far as each can be
 * decoded, and those of INCLUDE. What stands behind a key's column that cannot be decoded is out of reach.
 */
#include <string.h>

#include "executor/table.h"
#include "kernel/base/check.h"

enum { ENTRY_SIZE_ROOM = 10 }; /* Of a varint. */

/* Of the leading columns of a key that can be decoded, how many. */
static uint32_t
readable(const struct table *table, const uint32_t *columns, uint32_t count)
{
    uint32_t i = 0;

    while (i < count && columns[i] < TABLE_EXPR_BASE && key_keeps(table->types[columns[i]].type))
        i++;
    return i;
}

static bool
has(const uint32_t *columns, uint32_t count, uint32_t column)
{
    for (uint32_t i = 0; i < count; i++) {
        if (columns[i] == column)
            return true;
    }
    return false;
}

enum status
table_entry_value(const struct table *table, uint32_t index, const struct value *values,
                  const void *row_key, size_t row_key_size, struct arena *arena, const void **out,
                  size_t *size_out)
{
    const struct table_index *definition = &table->indexes[index];
    struct value included[TABLE_KEY_COLUMNS_MAX];

    *out = row_key;
    *size_out = row_key_size;
    if (!definition->stores)
        return STATUS_OK;
    for (uint32_t i = 0; i < definition->include_count; i++)
        included[i] = values[definition->includes[i]];
    size_t most =
        ENTRY_SIZE_ROOM + row_key_size + row_encoded_size_max(included, definition->include_count);
    uint8_t *bytes = arena_alloc(arena, most);

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    struct byte_writer writer = byte_writer_init(bytes, most);
    byte_writer_put_varint(&writer, row_key_size);
    byte_writer_put(&writer, row_key, row_key_size);
    CHECK(row_encode(included, definition->include_count, &writer));
    *out = bytes;
    *size_out = writer.offset;
    return STATUS_OK;
}

/* The reader is behind the row's key afterwards. */
static bool
take_row_key(struct byte_reader *reader, const void **out, size_t *size_out)
{
    const uint8_t *bytes = NULL;
    uint64_t size = 0;

    if (!byte_reader_get_varint(reader, &size) || size == 0 || size > QTDB_KEY_SIZE_MAX ||
        !byte_reader_skip(reader, (size_t)size, &bytes))
        return false;
    *out = bytes;
    *size_out = (size_t)size;
    return true;
}

bool
table_entry_row_key(const struct table *table, uint32_t index, const void *value, size_t value_size,
                    const void **out, size_t *size_out)
{
    struct byte_reader reader = byte_reader_init(value, value_size);

    *out = value;
    *size_out = value_size;
    return table->indexes[index].stores ? take_row_key(&reader, out, size_out)
                                        : value_size <= QTDB_KEY_SIZE_MAX;
}

bool
table_index_has(const struct table *table, uint32_t index, uint32_t column)
{
    const struct table_index *definition = &table->indexes[index];

    return has(definition->columns, readable(table, definition->columns, definition->column_count),
               column) ||
           has(table->keys, readable(table, table->keys, table->key_count), column) ||
           (definition->stores && has(definition->includes, definition->include_count, column));
}

static enum status
decode_columns(const struct table *table, const uint32_t *columns, const uint8_t *orders,
               uint32_t count, struct byte_reader *reader, struct arena *arena,
               struct value *values)
{
    for (uint32_t i = 0; i < count; i++)
        TRY(key_decode_in(reader, table->types[columns[i]].type, orders[i], arena,
                          &values[columns[i]]));
    return STATUS_OK;
}

/* A key of one integer has just its 8 bytes. */
static enum status
decode_row_key(const struct table *table, const void *key, size_t size, struct arena *arena,
               struct value *values)
{
    static const uint8_t ascending[TABLE_KEY_COLUMNS_MAX] = {KEY_ASCENDING};
    struct byte_reader reader = byte_reader_init(key, size);
    uint64_t word = 0;

    if (table->key_count == 0)
        return STATUS_OK;
    if (!table_key_is_integer(table))
        return decode_columns(table, table->keys, ascending,
                              readable(table, table->keys, table->key_count), &reader, arena,
                              values);
    if (size != sizeof(word) || !byte_reader_get(&reader, &word, sizeof(word)))
        return STATUS_CORRUPT;
    values[table->keys[0]] = value_integer(table->types[table->keys[0]].type,
                                           (int64_t)(__builtin_bswap64(word) ^ UINT64_C(1) << 63));
    return STATUS_OK;
}

static enum status
decode_includes(const struct table *table, const struct table_index *definition,
                const uint8_t *bytes, size_t size, struct value *values)
{
    struct value included[TABLE_KEY_COLUMNS_MAX];
    struct sql_type types[TABLE_KEY_COLUMNS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < definition->include_count; i++)
        types[i] = table->types[definition->includes[i]];
    TRY(row_decode(bytes, size, types, definition->include_count, included, &count));
    if (count != definition->include_count)
        return STATUS_CORRUPT;
    for (uint32_t i = 0; i < count; i++)
        values[definition->includes[i]] = included[i];
    return STATUS_OK;
}

enum status
table_decode_entry(const struct table *table, uint32_t index, const void *key, size_t key_size,
                   const void *value, size_t value_size, struct arena *arena, struct value *values)
{
    const struct table_index *definition = &table->indexes[index];
    struct byte_reader reader = byte_reader_init(key, key_size);
    struct byte_reader behind = byte_reader_init(value, value_size);
    const void *row_key = value;
    size_t row_key_size = value_size;

    CHECK(index < table->index_count);
    TRY(decode_columns(table, definition->columns, definition->orders,
                       readable(table, definition->columns, definition->column_count), &reader,
                       arena, values));
    if (definition->stores) {
        if (!take_row_key(&behind, &row_key, &row_key_size))
            return STATUS_CORRUPT;
        TRY(decode_includes(table, definition, behind.data + behind.offset,
                            byte_reader_left(&behind), values));
    }
    return decode_row_key(table, row_key, row_key_size, arena, values);
}
