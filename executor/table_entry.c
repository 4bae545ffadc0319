/*
 * Entries of indexes as rows: the columns of the key and those of the row's key, as far as each can be
 * decoded. What stands behind a column that cannot be is out of reach.
 */
#include "executor/table.h"
#include "kernel/base/check.h"

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

bool
table_index_has(const struct table *table, uint32_t index, uint32_t column)
{
    const struct table_index *definition = &table->indexes[index];

    return has(definition->columns, readable(table, definition->columns, definition->column_count),
               column) ||
           has(table->keys, readable(table, table->keys, table->key_count), column);
}

static enum status
decode_columns(const struct table *table, const uint32_t *columns, uint32_t count,
               struct byte_reader *reader, struct arena *arena, struct value *values)
{
    for (uint32_t i = 0; i < count; i++)
        TRY(key_decode(reader, table->types[columns[i]].type, arena, &values[columns[i]]));
    return STATUS_OK;
}

/* A key of one integer has just its 8 bytes. */
static enum status
decode_row_key(const struct table *table, const void *key, size_t size, struct arena *arena,
               struct value *values)
{
    struct byte_reader reader = byte_reader_init(key, size);
    uint64_t word = 0;

    if (table->key_count == 0)
        return STATUS_OK;
    if (!table_key_is_integer(table))
        return decode_columns(table, table->keys, readable(table, table->keys, table->key_count),
                              &reader, arena, values);
    if (size != sizeof(word) || !byte_reader_get(&reader, &word, sizeof(word)))
        return STATUS_CORRUPT;
    values[table->keys[0]] = value_integer(table->types[table->keys[0]].type,
                                           (int64_t)(__builtin_bswap64(word) ^ UINT64_C(1) << 63));
    return STATUS_OK;
}

enum status
table_decode_entry(const struct table *table, uint32_t index, const void *key, size_t key_size,
                   const void *value, size_t value_size, struct arena *arena, struct value *values)
{
    const struct table_index *definition = &table->indexes[index];
    struct byte_reader reader = byte_reader_init(key, key_size);

    CHECK(index < table->index_count);
    TRY(decode_columns(table, definition->columns,
                       readable(table, definition->columns, definition->column_count), &reader,
                       arena, values));
    return decode_row_key(table, value, value_size, arena, values);
}
