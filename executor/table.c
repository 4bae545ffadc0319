/* Definitions of tables and their keys (table.h); the catalog is in table_catalog.c. */
#include "executor/table.h"

#include <stdio.h>
#include <string.h>

#include "executor/enumeration.h"
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
    if (definition->predicate > 0) {
        const struct value *holds = &values[table->column_count + definition->predicate - 1];

        *size_out = 0;
        if (holds->null || holds->integer == 0)
            return STATUS_OK;
    }
    for (uint32_t i = 0; i < definition->column_count; i++) {
        uint32_t column = definition->columns[i];
        const struct value *value =
            &values[column < TABLE_EXPR_BASE ? column
                                             : table->column_count + column - TABLE_EXPR_BASE];

        any_null = any_null || value->null;
        if (!key_encode_in(value, definition->orders[i], &writer))
            return key_too_long(table, error);
    }
    if (!definition->unique)
        byte_writer_put(&writer, row_key, row_key_size);
    if (writer.overflow)
        return key_too_long(table, error);
    *size_out = any_null && !table_index_has_nulls(definition) ? 0 : writer.offset;
    return STATUS_OK;
}

/* Rows. */

uint32_t
table_column_find(const struct table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0)
            return i;
    }
    return UINT32_MAX;
}

const char *
table_key_name(const struct table *table, struct arena *arena)
{
    char name[QTDB_NAME_SIZE_MAX + 8];

    if (table->key_name != NULL)
        return table->key_name;
    (void)snprintf(name, sizeof(name), "%.200s_pkey", table->name);
    return arena_copy_text(arena, name, strlen(name));
}

static bool
uses_expr(const struct table_index *index, uint32_t expr)
{
    bool uses = index->predicate == expr + 1;

    for (uint32_t i = 0; i < index->column_count; i++)
        uses = uses || index->columns[i] == TABLE_EXPR_BASE + expr;
    return uses;
}

void
table_prune(struct table *table)
{
    for (uint32_t expr = table->expr_count; expr-- > 0;) {
        bool used = false;

        for (uint32_t i = 0; i < table->index_count; i++)
            used = used || uses_expr(&table->indexes[i], expr);
        if (used)
            continue;
        table->expr_count--;
        memmove(&table->exprs[expr], &table->exprs[expr + 1],
                (table->expr_count - expr) * sizeof(*table->exprs));
        for (uint32_t i = 0; i < table->index_count; i++) {
            struct table_index *index = &table->indexes[i];

            if (index->predicate > expr + 1)
                index->predicate--;
            for (uint32_t k = 0; k < index->column_count; k++) {
                if (index->columns[k] > TABLE_EXPR_BASE + expr)
                    index->columns[k]--;
            }
        }
    }
}

enum status
table_settle(struct table *table, struct arena *arena)
{
    CHECK(table->slot_count >= table->column_count);
    table->types = arena_alloc(arena, (table->column_count + 1) * sizeof(*table->types));
    if (table->types == NULL)
        return STATUS_NO_MEMORY;
    struct sql_type *slots =
        arena_alloc(arena, (table->slot_count + 1) * sizeof(*table->slot_types));
    if (slots == NULL)
        return STATUS_NO_MEMORY;
    if (table->slot_types != NULL)
        memcpy(slots, table->slot_types, table->slot_count * sizeof(*slots));
    table->slot_types = slots;
    table->plain = table->slot_count == table->column_count;
    for (uint32_t i = 0; i < table->column_count; i++) {
        table->types[i] = table->columns[i].type;
        table->slot_types[table->columns[i].slot] = table->columns[i].type;
        table->plain = table->plain && table->columns[i].slot == i;
    }
    return STATUS_OK;
}

bool
table_encode_row(const struct table *table, const struct value *values, struct value *scratch,
                 struct byte_writer *out)
{
    if (table->plain)
        return row_encode(values, table->column_count, out);
    for (uint32_t i = 0; i < table->slot_count; i++)
        scratch[i] = value_null(table->slot_types[i].type);
    for (uint32_t i = 0; i < table->column_count; i++)
        scratch[table->columns[i].slot] = values[i];
    return row_encode(scratch, table->slot_count, out);
}

static enum status
damaged_row(const struct table *table, struct sql_error *error)
{
    return sql_error_set(error, "XX001", -1, "a row of table \"%s\" is damaged: run qtdb-check",
                         table->name);
}

enum status
table_parse_value(const struct table_column *column, const char *text, size_t size,
                  struct arena *arena, struct value *out, struct sql_error *error)
{
    return column->enumeration == NULL ? value_parse(&column->type, text, size, arena, out, error)
                                       : enumeration_parse(column->enumeration, column->type.type,
                                                           text, size, arena, out, error);
}

enum status
table_link_enums(struct qtdb_txn *txn, struct table *table, struct arena *arena,
                 struct sql_error *error)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct table_column *column = &table->columns[i];

        if (value_is_enum(value_element(column->type.type)))
            TRY(enumeration_find_id(txn, value_enum_id(column->type.type), arena,
                                    &column->enumeration, error));
    }
    return STATUS_OK;
}

enum status
table_missing_value(const struct table *table, uint32_t column, struct arena *arena,
                    struct value *out, struct sql_error *error)
{
    const char *text = table->columns[column].missing;

    *out = value_null(table->types[column].type);
    return text == NULL
               ? STATUS_OK
               : table_parse_value(&table->columns[column], text, strlen(text), arena, out, error);
}

static enum status
decode_slots(const struct table *table, const void *bytes, size_t size, struct arena *arena,
             struct value *out, struct sql_error *error)
{
    struct value *slots = arena_alloc(arena, table->slot_count * sizeof(*slots));
    uint32_t count = 0;

    if (slots == NULL)
        return STATUS_NO_MEMORY;
    if (row_decode(bytes, size, table->slot_types, table->slot_count, slots, &count) != STATUS_OK)
        return damaged_row(table, error);
    for (uint32_t i = 0; i < table->column_count; i++) {
        uint32_t slot = table->columns[i].slot;

        if (slot < count)
            out[i] = slots[slot];
        else
            TRY(table_missing_value(table, i, arena, &out[i], error));
    }
    return STATUS_OK;
}

enum status
table_decode_row(const struct table *table, const void *bytes, size_t size, struct arena *arena,
                 struct value *out, struct sql_error *error)
{
    uint32_t count = 0;

    if (!table->plain)
        return decode_slots(table, bytes, size, arena, out, error);
    if (row_decode(bytes, size, table->types, table->column_count, out, &count) != STATUS_OK)
        return damaged_row(table, error);
    for (uint32_t i = count; i < table->column_count; i++)
        TRY(table_missing_value(table, i, arena, &out[i], error));
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
        options.router = table->indexes[index].learned ? QTDB_ROUTER_RMI : QTDB_ROUTER_AUTO;
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
    case QTDB_BUSY:
        return "55P03";
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
    const struct qtdb_error *last = qtdb_error_last();
    /* The kernel's own tells more: a deadlock from another conflict, a lock not had in time. */
    const char *sqlstate =
        last->code == code && strlen(last->sqlstate) == 5 ? last->sqlstate : sqlstate_of(code);

    (void)sql_error_set(error, sqlstate, -1, "%s", last->message);
    return code == QTDB_NOT_FOUND ? STATUS_NOT_FOUND : (enum status)code;
}
