/*
 * Definitions of tables as bytes (table.h has the layout). They come from disk: everything is
 * validated as it is decoded.
 */
#include <string.h>

#include "executor/enumeration.h"
#include "executor/table.h"
#include "kernel/base/check.h"

enum {
    DEFINITION_FORMAT_FIRST = 1,
    DEFINITION_FORMAT_RULES = 3, /* From here on: slots, expressions, checks, foreign keys. */
    DEFINITION_FORMAT = 3,
    COLUMN_NOT_NULL = 1,
    COLUMN_DEFAULT = 2,
    COLUMN_EXPR = 4,
    COLUMN_MISSING = 8,
    COLUMN_SEQUENCE = 16,
    COLUMN_COMMENT = 32,
    COLUMN_FLAGS = 63,
    INDEX_UNIQUE = 1,
    INDEX_CONSTRAINT = 2,
    INDEX_LEARNED = 4,
    INDEX_STORES = 8,
    INDEX_ORDERED = 16,
    INDEX_NULLS_EQUAL = 32,
    INDEX_FLAGS = 63,
    RULE_NOT_VALID = 1,
};

/* Encoding. */

static void
put_text(struct byte_writer *out, const char *text)
{
    byte_writer_put_varint(out, strlen(text));
    byte_writer_put(out, text, strlen(text));
}

static void
put_optional(struct byte_writer *out, const char *text)
{
    if (text != NULL)
        put_text(out, text);
}

static void
put_type(struct byte_writer *out, const struct sql_type *type)
{
    bool numbered = value_is_enum(value_element(type->type));

    byte_writer_put_u8(out, (uint8_t)type->type);
    byte_writer_put_u32(out, numbered ? value_enum_id(type->type) : (uint32_t)type->precision);
    byte_writer_put_u32(out, (uint32_t)type->scale);
}

static void
put_column(struct byte_writer *out, const struct table_column *column)
{
    put_text(out, column->name);
    put_type(out, &column->type);
    byte_writer_put_u8(out, (uint8_t)((column->not_null ? COLUMN_NOT_NULL : 0) |
                                      (column->default_text != NULL ? COLUMN_DEFAULT : 0) |
                                      (column->expr != NULL ? COLUMN_EXPR : 0) |
                                      (column->missing != NULL ? COLUMN_MISSING : 0) |
                                      (column->sequence != NULL ? COLUMN_SEQUENCE : 0) |
                                      (column->comment != NULL ? COLUMN_COMMENT : 0)));
    put_optional(out, column->default_text);
    put_optional(out, column->expr);
    put_optional(out, column->missing);
    put_optional(out, column->sequence);
    put_optional(out, column->comment);
    byte_writer_put_u8(out, (uint8_t)column->generated);
    byte_writer_put_varint(out, column->slot);
}

static void
put_positions(struct byte_writer *out, const uint32_t *positions, uint32_t count)
{
    byte_writer_put_varint(out, count);
    for (uint32_t i = 0; i < count; i++)
        byte_writer_put_varint(out, positions[i]);
}

static bool
is_ordered(const struct table_index *index)
{
    for (uint32_t i = 0; i < index->column_count; i++) {
        if (index->orders[i] != KEY_ASCENDING)
            return true;
    }
    return false;
}

static void
put_index(struct byte_writer *out, const struct table_index *index)
{
    bool ordered = is_ordered(index);

    put_text(out, index->name);
    put_positions(out, index->columns, index->column_count);
    byte_writer_put_varint(out, index->id);
    byte_writer_put_u8(
        out,
        (uint8_t)((index->unique ? INDEX_UNIQUE : 0) | (index->constraint ? INDEX_CONSTRAINT : 0) |
                  (index->learned ? INDEX_LEARNED : 0) | (index->stores ? INDEX_STORES : 0) |
                  (ordered ? INDEX_ORDERED : 0) | (index->nulls_equal ? INDEX_NULLS_EQUAL : 0)));
    byte_writer_put_varint(out, index->predicate);
    put_positions(out, index->includes, index->include_count);
    if (ordered)
        byte_writer_put(out, index->orders, index->column_count);
}

static bool
slot_is_live(const struct table *table, uint32_t slot)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].slot == slot)
            return true;
    }
    return false;
}

static void
put_slots(struct byte_writer *out, const struct table *table)
{
    uint32_t dropped = table->slot_count - table->column_count;

    byte_writer_put_varint(out, table->slot_count);
    byte_writer_put_varint(out, dropped);
    for (uint32_t i = 0; i < table->slot_count && dropped > 0; i++) {
        if (slot_is_live(table, i))
            continue;
        byte_writer_put_varint(out, i);
        byte_writer_put_u8(out, (uint8_t)table->slot_types[i].type);
    }
}

static void
put_foreign(struct byte_writer *out, const struct table_foreign *foreign)
{
    put_text(out, foreign->name);
    put_positions(out, foreign->columns, foreign->column_count);
    put_text(out, foreign->schema);
    put_text(out, foreign->table);
    for (uint32_t i = 0; i < foreign->column_count; i++)
        put_text(out, foreign->parents[i]);
    byte_writer_put_u8(out, (uint8_t)foreign->on_update);
    byte_writer_put_u8(out, (uint8_t)foreign->on_delete);
    byte_writer_put_u8(out, foreign->not_valid ? RULE_NOT_VALID : 0);
}

static void
put_rules(struct byte_writer *out, const struct table *table)
{
    byte_writer_put_varint(out, table->expr_count);
    for (uint32_t i = 0; i < table->expr_count; i++) {
        put_text(out, table->exprs[i].text);
        put_type(out, &table->exprs[i].type);
    }
    byte_writer_put_varint(out, table->check_count);
    for (uint32_t i = 0; i < table->check_count; i++) {
        put_text(out, table->checks[i].name);
        put_text(out, table->checks[i].text);
        byte_writer_put_u8(out, table->checks[i].not_valid ? RULE_NOT_VALID : 0);
    }
    byte_writer_put_varint(out, table->foreign_count);
    for (uint32_t i = 0; i < table->foreign_count; i++)
        put_foreign(out, &table->foreigns[i]);
    byte_writer_put_varint(out, table->reference_count);
    for (uint32_t i = 0; i < table->reference_count; i++) {
        put_text(out, table->references[i].schema);
        put_text(out, table->references[i].table);
    }
    put_text(out, table->key_name != NULL ? table->key_name : "");
    put_text(out, table->comment != NULL ? table->comment : "");
}

bool
table_encode(const struct table *table, struct byte_writer *out)
{
    byte_writer_put_u8(out, DEFINITION_FORMAT);
    byte_writer_put_u32(out, table->id);
    byte_writer_put_varint(out, table->column_count);
    for (uint32_t i = 0; i < table->column_count; i++)
        put_column(out, &table->columns[i]);
    put_positions(out, table->keys, table->key_count);
    byte_writer_put_varint(out, table->next_index);
    byte_writer_put_varint(out, table->index_count);
    for (uint32_t i = 0; i < table->index_count; i++)
        put_index(out, &table->indexes[i]);
    put_slots(out, table);
    put_rules(out, table);
    return !out->overflow;
}

/* Decoding: false for anything but what was written, or without memory (`no_memory`). */

struct decoder {
    struct byte_reader reader;
    struct arena *arena;
    uint8_t format;
    bool no_memory;
};

static void *
take(struct decoder *decoder, size_t size)
{
    void *bytes = arena_alloc(decoder->arena, size);

    decoder->no_memory = decoder->no_memory || bytes == NULL;
    return bytes;
}

static bool
get_text(struct decoder *decoder, const char **out)
{
    const uint8_t *bytes = NULL;
    uint64_t size = 0;

    if (!byte_reader_get_varint(&decoder->reader, &size) ||
        size > byte_reader_left(&decoder->reader) ||
        !byte_reader_skip(&decoder->reader, (size_t)size, &bytes) ||
        memchr(bytes, '\0', (size_t)size) != NULL)
        return false;
    *out = arena_copy_text(decoder->arena, (const char *)bytes, (size_t)size);
    decoder->no_memory = decoder->no_memory || *out == NULL;
    return *out != NULL;
}

/* An empty text is none. */
static bool
get_nonempty(struct decoder *decoder, const char **out)
{
    if (!get_text(decoder, out))
        return false;
    if (**out == '\0')
        *out = NULL;
    return true;
}

static bool
get_count(struct decoder *decoder, uint64_t most, uint32_t *out)
{
    uint64_t count = 0;

    if (!byte_reader_get_varint(&decoder->reader, &count) || count > most)
        return false;
    *out = (uint32_t)count;
    return true;
}

static bool
get_type(struct decoder *decoder, struct sql_type *out)
{
    uint8_t type = 0;
    uint32_t precision = 0, scale = 0;

    if (!byte_reader_get_u8(&decoder->reader, &type) || !value_type_exists(type) ||
        !byte_reader_get_u32(&decoder->reader, &precision) ||
        !byte_reader_get_u32(&decoder->reader, &scale))
        return false;
    *out = (struct sql_type){(enum qtdb_type)type, (int32_t)precision, (int32_t)scale};
    if (value_is_enum(value_element(out->type))) {
        if (precision == 0 || precision > ENUMERATION_ID_MAX)
            return false;
        out->type = (enum qtdb_type)(type | precision << VALUE_ENUM_SHIFT);
        out->precision = -1;
    }
    return true;
}

static bool
get_column_rules(struct decoder *decoder, uint8_t flags, struct table_column *out)
{
    uint8_t generated = 0;

    if (((flags & COLUMN_EXPR) != 0 && !get_text(decoder, &out->expr)) ||
        ((flags & COLUMN_MISSING) != 0 && !get_text(decoder, &out->missing)) ||
        ((flags & COLUMN_SEQUENCE) != 0 && !get_text(decoder, &out->sequence)) ||
        ((flags & COLUMN_COMMENT) != 0 && !get_text(decoder, &out->comment)) ||
        !byte_reader_get_u8(&decoder->reader, &generated) || generated > TABLE_IDENTITY_ALWAYS ||
        !get_count(decoder, UINT16_MAX, &out->slot))
        return false;
    out->generated = (enum table_generated)generated;
    return true;
}

static bool
get_column(struct decoder *decoder, uint32_t position, struct table_column *out)
{
    uint8_t flags = 0;

    *out = (struct table_column){.slot = position};
    if (!get_text(decoder, &out->name) || !get_type(decoder, &out->type) ||
        !byte_reader_get_u8(&decoder->reader, &flags) || flags > COLUMN_FLAGS)
        return false;
    out->not_null = (flags & COLUMN_NOT_NULL) != 0;
    if ((flags & COLUMN_DEFAULT) != 0 && !get_text(decoder, &out->default_text))
        return false;
    return decoder->format < DEFINITION_FORMAT_RULES || get_column_rules(decoder, flags, out);
}

static bool
get_columns(struct decoder *decoder, struct table *out)
{
    if (!get_count(decoder, ROW_COLUMNS_MAX, &out->column_count))
        return false;
    /* One more than there are: ADD COLUMN adds to what was read. */
    out->columns = take(decoder, (out->column_count + 1) * sizeof(*out->columns));
    if (out->columns == NULL)
        return false;
    for (uint32_t i = 0; i < out->column_count; i++) {
        if (!get_column(decoder, i, &out->columns[i]))
            return false;
    }
    return true;
}

static bool
get_positions(struct decoder *decoder, uint64_t limit, uint32_t *out, uint32_t *count_out)
{
    if (!get_count(decoder, TABLE_KEY_COLUMNS_MAX, count_out))
        return false;
    for (uint32_t i = 0; i < *count_out; i++) {
        if (!get_count(decoder, limit, &out[i]))
            return false;
    }
    return true;
}

static bool
get_orders(struct decoder *decoder, struct table_index *out)
{
    if (!byte_reader_get(&decoder->reader, out->orders, out->column_count))
        return false;
    for (uint32_t i = 0; i < out->column_count; i++) {
        if (out->orders[i] > (KEY_DESCENDING | KEY_NULLS_FIRST))
            return false;
    }
    return true;
}

static bool
get_index(struct decoder *decoder, uint32_t position, struct table_index *out)
{
    uint8_t flags = INDEX_UNIQUE | INDEX_CONSTRAINT;

    *out = (struct table_index){.id = position};
    if (!get_text(decoder, &out->name) || !get_positions(decoder, TABLE_EXPR_BASE + TABLE_RULES_MAX,
                                                         out->columns, &out->column_count))
        return false;
    if (decoder->format != DEFINITION_FORMAT_FIRST &&
        (!get_count(decoder, UINT32_MAX - 1, &out->id) ||
         !byte_reader_get_u8(&decoder->reader, &flags)))
        return false;
    if (decoder->format >= DEFINITION_FORMAT_RULES &&
        (!get_count(decoder, TABLE_RULES_MAX, &out->predicate) ||
         !get_positions(decoder, ROW_COLUMNS_MAX, out->includes, &out->include_count)))
        return false;
    out->unique = (flags & INDEX_UNIQUE) != 0;
    out->constraint = (flags & INDEX_CONSTRAINT) != 0;
    out->learned = (flags & INDEX_LEARNED) != 0;
    out->stores = (flags & INDEX_STORES) != 0;
    out->nulls_equal = (flags & INDEX_NULLS_EQUAL) != 0;
    if (flags > INDEX_FLAGS || (out->nulls_equal && !out->unique))
        return false;
    return (flags & INDEX_ORDERED) == 0 || get_orders(decoder, out);
}

static bool
get_indexes(struct decoder *decoder, struct table *out)
{
    if (decoder->format != DEFINITION_FORMAT_FIRST &&
        !get_count(decoder, UINT32_MAX - 1, &out->next_index))
        return false;
    if (!get_count(decoder, TABLE_INDEX_MAX, &out->index_count))
        return false;
    /* One more than there are: CREATE INDEX adds to what was read. */
    out->indexes = take(decoder, (out->index_count + 1) * sizeof(*out->indexes));
    if (out->indexes == NULL)
        return false;
    for (uint32_t i = 0; i < out->index_count; i++) {
        if (!get_index(decoder, i, &out->indexes[i]))
            return false;
    }
    if (decoder->format == DEFINITION_FORMAT_FIRST)
        out->next_index = out->index_count;
    return true;
}

/* Slots of dropped columns; those of the others follow from the columns. */
static bool
get_slots(struct decoder *decoder, struct table *out)
{
    uint32_t dropped = 0;

    out->slot_count = out->column_count;
    if (decoder->format >= DEFINITION_FORMAT_RULES &&
        (!get_count(decoder, ROW_COLUMNS_MAX, &out->slot_count) ||
         !get_count(decoder, ROW_COLUMNS_MAX, &dropped)))
        return false;
    if (out->slot_count != out->column_count + dropped)
        return false;
    out->slot_types = take(decoder, (out->slot_count + 1) * sizeof(*out->slot_types));
    if (out->slot_types == NULL)
        return false;
    for (uint32_t i = 0; i < dropped; i++) {
        uint32_t slot = 0;
        uint8_t type = 0;

        if (!get_count(decoder, out->slot_count - 1, &slot) ||
            !byte_reader_get_u8(&decoder->reader, &type) || !value_type_exists(type))
            return false;
        out->slot_types[slot] = (struct sql_type){(enum qtdb_type)type, -1, -1};
    }
    for (uint32_t i = 0; i < out->column_count; i++) {
        uint32_t slot = out->columns[i].slot;

        if (slot >= out->slot_count || out->slot_types[slot].type != 0)
            return false;
        out->slot_types[slot] = out->columns[i].type;
    }
    return true;
}

static bool
get_exprs(struct decoder *decoder, struct table *out)
{
    if (!get_count(decoder, TABLE_RULES_MAX, &out->expr_count))
        return false;
    out->exprs = take(decoder, (out->expr_count + 1) * sizeof(*out->exprs));
    if (out->exprs == NULL)
        return false;
    for (uint32_t i = 0; i < out->expr_count; i++) {
        if (!get_text(decoder, &out->exprs[i].text) || !get_type(decoder, &out->exprs[i].type))
            return false;
    }
    return true;
}

static bool
get_checks(struct decoder *decoder, struct table *out)
{
    if (!get_count(decoder, TABLE_RULES_MAX, &out->check_count))
        return false;
    out->checks = take(decoder, (out->check_count + 1) * sizeof(*out->checks));
    if (out->checks == NULL)
        return false;
    for (uint32_t i = 0; i < out->check_count; i++) {
        uint8_t flags = 0;

        if (!get_text(decoder, &out->checks[i].name) || !get_text(decoder, &out->checks[i].text) ||
            !byte_reader_get_u8(&decoder->reader, &flags) || flags > RULE_NOT_VALID)
            return false;
        out->checks[i].not_valid = flags != 0;
    }
    return true;
}

static bool
get_foreign(struct decoder *decoder, const struct table *table, struct table_foreign *out)
{
    uint8_t on_update = 0, on_delete = 0, flags = 0;

    if (!get_text(decoder, &out->name) ||
        !get_positions(decoder, table->column_count - 1, out->columns, &out->column_count) ||
        !get_text(decoder, &out->schema) || !get_text(decoder, &out->table))
        return false;
    for (uint32_t i = 0; i < out->column_count; i++) {
        if (!get_text(decoder, &out->parents[i]))
            return false;
    }
    if (!byte_reader_get_u8(&decoder->reader, &on_update) ||
        !byte_reader_get_u8(&decoder->reader, &on_delete) ||
        !byte_reader_get_u8(&decoder->reader, &flags) || on_update > TABLE_SET_DEFAULT ||
        on_delete > TABLE_SET_DEFAULT || flags > RULE_NOT_VALID)
        return false;
    out->on_update = (enum table_action)on_update;
    out->on_delete = (enum table_action)on_delete;
    out->not_valid = flags != 0;
    return true;
}

static bool
get_foreigns(struct decoder *decoder, struct table *out)
{
    if (!get_count(decoder, out->column_count > 0 ? TABLE_RULES_MAX : 0, &out->foreign_count))
        return false;
    out->foreigns = take(decoder, (out->foreign_count + 1) * sizeof(*out->foreigns));
    if (out->foreigns == NULL)
        return false;
    for (uint32_t i = 0; i < out->foreign_count; i++) {
        if (!get_foreign(decoder, out, &out->foreigns[i]))
            return false;
    }
    if (!get_count(decoder, TABLE_RULES_MAX, &out->reference_count))
        return false;
    out->references = take(decoder, (out->reference_count + 1) * sizeof(*out->references));
    if (out->references == NULL)
        return false;
    for (uint32_t i = 0; i < out->reference_count; i++) {
        if (!get_text(decoder, &out->references[i].schema) ||
            !get_text(decoder, &out->references[i].table))
            return false;
    }
    return true;
}

/* Positions that were read before what they point at. */
static bool
positions_hold(const struct table *table)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct table_index *index = &table->indexes[i];

        for (uint32_t k = 0; k < index->column_count; k++) {
            uint32_t column = index->columns[k];

            if (column >= TABLE_EXPR_BASE ? column - TABLE_EXPR_BASE >= table->expr_count
                                          : column >= table->column_count)
                return false;
        }
        for (uint32_t k = 0; k < index->include_count; k++) {
            if (index->includes[k] >= table->column_count)
                return false;
        }
        if (index->predicate > table->expr_count || index->column_count == 0)
            return false;
    }
    for (uint32_t i = 0; i < table->key_count; i++) {
        if (table->keys[i] >= table->column_count)
            return false;
    }
    return true;
}

static bool
decode(struct decoder *decoder, struct table *out)
{
    if (!byte_reader_get_u8(&decoder->reader, &decoder->format) ||
        decoder->format < DEFINITION_FORMAT_FIRST || decoder->format > DEFINITION_FORMAT ||
        !byte_reader_get_u32(&decoder->reader, &out->id) || !get_columns(decoder, out) ||
        !get_positions(decoder, ROW_COLUMNS_MAX, out->keys, &out->key_count) ||
        !get_indexes(decoder, out) || !get_slots(decoder, out))
        return false;
    if (decoder->format >= DEFINITION_FORMAT_RULES &&
        (!get_exprs(decoder, out) || !get_checks(decoder, out) || !get_foreigns(decoder, out) ||
         !get_nonempty(decoder, &out->key_name) || !get_nonempty(decoder, &out->comment)))
        return false;
    return byte_reader_left(&decoder->reader) == 0 && positions_hold(out);
}

enum status
table_decode(const uint8_t *bytes, size_t size, struct arena *arena, struct table *out)
{
    struct decoder decoder = {.reader = byte_reader_init(bytes, size), .arena = arena};

    *out = (struct table){.id = 0};
    if (!decode(&decoder, out))
        return decoder.no_memory ? STATUS_NO_MEMORY : STATUS_CORRUPT;
    return table_settle(out, arena);
}
