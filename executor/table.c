/* Definitions of tables and their keys (table.h); the catalog is in table_catalog.c. */
#include "executor/table.h"

#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"

static bool
type_is_integer(enum qtdb_type type)
{
    return type == QTDB_TYPE_INT2 || type == QTDB_TYPE_INT4 || type == QTDB_TYPE_INT8;
}

bool
table_key_is_integer(const struct table *table)
{
    if (table->key_count == 0)
        return true;
    return table->key_count == 1 && type_is_integer(table->columns[table->keys[0]].type.type);
}

static enum status
key_too_long(const struct table *table, struct sql_error *error)
{
    return sql_error_set(error, "54000", -1, "a key of table \"%s\" exceeds %d bytes", table->name,
                         QTDB_KEY_SIZE_MAX);
}

enum status
table_row_key(const struct table *table, const struct value *values, uint8_t *out, size_t *size_out,
              struct sql_error *error)
{
    struct byte_writer writer = byte_writer_init(out, QTDB_KEY_SIZE_MAX);

    CHECK(table->key_count > 0);
    for (uint32_t i = 0; i < table->key_count; i++) {
        const struct value *value = &values[table->keys[i]];

        CHECK(!value->null);
        if (table_key_is_integer(table)) {
            qtdb_key_i64(value->integer, out);
            *size_out = sizeof(uint64_t);
            return STATUS_OK;
        }
        if (!key_encode(value, &writer))
            return key_too_long(table, error);
    }
    *size_out = writer.offset;
    return STATUS_OK;
}

enum status
table_index_key(const struct table *table, uint32_t index, const struct value *values,
                const void *row_key, size_t row_key_size, uint8_t *out, size_t *size_out,
                struct sql_error *error)
{
    const struct table_index *definition = &table->indexes[index];
    struct byte_writer writer = byte_writer_init(out, QTDB_KEY_SIZE_MAX);
    bool any_null = false;

    CHECK(index < table->index_count);
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct value *value = &values[definition->columns[i]];

        any_null = any_null || value->null;
        if (!key_encode(value, &writer))
            return key_too_long(table, error);
    }
    if (!definition->unique)
        byte_writer_put(&writer, row_key, row_key_size);
    if (writer.overflow)
        return key_too_long(table, error);
    *size_out = definition->unique && any_null ? 0 : writer.offset;
    return STATUS_OK;
}

enum status
table_decode_row(const struct table *table, const void *bytes, size_t size, struct arena *arena,
                 struct value *out, struct sql_error *error)
{
    uint32_t count = 0;

    if (row_decode(bytes, size, table->types, table->column_count, out, &count) != STATUS_OK)
        return sql_error_set(error, "XX001", -1, "a row of table \"%s\" is damaged: run qtdb-check",
                             table->name);
    for (uint32_t i = count; i < table->column_count; i++) {
        const char *text = table->columns[i].default_text;

        out[i] = value_null(table->types[i].type);
        if (text != NULL)
            TRY(value_parse(&table->types[i], text, strlen(text), arena, &out[i], error));
    }
    return STATUS_OK;
}

enum status
table_tree(struct qtdb_txn *txn, const struct table *table, uint32_t index, struct qtdb_tree **out,
           struct sql_error *error)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true};
    char name[48];

    if (index == UINT32_MAX) {
        (void)snprintf(name, sizeof(name), "sql/t%u", table->id);
        options.key_kind = table_key_is_integer(table) ? QTDB_KEY_INT : QTDB_KEY_BYTES;
    } else {
        (void)snprintf(name, sizeof(name), "sql/u%u.%u", table->id, table->indexes[index].id);
    }
    return sql_from_code(qtdb_tree_open(txn, name, &options, out), error);
}

/* The nearest SQLSTATE of a kernel code. */
static const char *
sqlstate_of(enum qtdb_code code)
{
    switch (code) {
    case QTDB_FULL:
        return "53100";
    case QTDB_CONFLICT:
        return "40001";
    case QTDB_NO_MEMORY:
        return "53200";
    case QTDB_CORRUPT:
        return "XX001";
    case QTDB_READONLY:
        return "25006";
    case QTDB_STOPPED:
        return "57014";
    case QTDB_IO:
        return "58030";
    default:
        return "XX000";
    }
}

enum status
sql_from_code(enum qtdb_code code, struct sql_error *error)
{
    if (code == QTDB_OK)
        return STATUS_OK;
    (void)sql_error_set(error, sqlstate_of(code), -1, "%s", qtdb_error_last()->message);
    return code == QTDB_NOT_FOUND ? STATUS_NOT_FOUND : (enum status)code;
}
