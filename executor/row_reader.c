/*
 * Reading some columns of stored rows (row_reader.h). What a slot is, is told once and kept as one byte,
 * so that a row costs a switch a slot; sizes and numbers of one or two bytes, which most are, take no loop.
 */
#include "executor/row_reader.h"

#include <string.h>

#include "executor/array.h"
#include "executor/numeric.h"
#include "kernel/base/bytes.h"
#include "kernel/base/check.h"

enum { HOW_NUMBER = 1, HOW_BOOL = 2, HOW_REAL = 3, HOW_BYTES = 4, HOW_CHECKED = 5 };

static uint8_t
how_of(enum qtdb_type type)
{
    if (type == QTDB_TYPE_NUMERIC || type == QTDB_TYPE_UUID || type == QTDB_TYPE_INTERVAL ||
        value_is_array(type) || value_is_enum(type))
        return HOW_CHECKED;
    if (value_type_is_bytes(type))
        return HOW_BYTES;
    if (type == QTDB_TYPE_FLOAT4 || type == QTDB_TYPE_FLOAT8)
        return HOW_REAL;
    return type == QTDB_TYPE_BOOL ? HOW_BOOL : HOW_NUMBER;
}

void
row_reader_init(struct row_reader *reader, const struct table *table, const bool *first,
                const bool *wanted, struct row_slot *slots)
{
    *reader = (struct row_reader){.table = table, .slots = slots};
    for (uint32_t i = 0; i < table->slot_count; i++)
        slots[i] = (struct row_slot){.how = how_of(table->slot_types[i].type),
                                     .type = table->slot_types[i].type,
                                     .column = UINT32_MAX};
    for (uint32_t i = 0; i < table->column_count; i++) {
        uint32_t slot = table->columns[i].slot;

        slots[slot].column = i;
        slots[slot].wanted = first[i] || wanted[i];
        if (first[i] && slot >= reader->first_end)
            reader->first_end = slot + 1;
        if (slots[slot].wanted && slot >= reader->end)
            reader->end = slot + 1;
    }
}

/* Past a number that nobody asks for: to its last byte, the first without the high bit. */
static inline bool
pass_varint(struct row_place *place)
{
    const uint8_t *next = place->next;

    while (next < place->end && *next >= 0x80)
        next++;
    if (next == place->end)
        return false;
    place->next = next + 1;
    return true;
}

static bool
take_long_varint(struct row_place *place, uint64_t *out)
{
    struct byte_reader reader = byte_reader_init(place->next, (size_t)(place->end - place->next));

    if (!byte_reader_get_varint(&reader, out))
        return false;
    place->next += reader.offset;
    return true;
}

static inline bool
take_varint(struct row_place *place, uint64_t *out)
{
    if (place->next < place->end && *place->next < 0x80) {
        *out = *place->next++;
        return true;
    }
    if (place->end - place->next >= 2 && place->next[1] < 0x80 && place->next[1] != 0) {
        *out = (place->next[0] & 0x7fu) | (uint64_t)place->next[1] << 7;
        place->next += 2;
        return true;
    }
    if (place->end - place->next >= 3 && place->next[2] < 0x80 && place->next[2] != 0 &&
        place->next[1] >= 0x80) {
        *out = (place->next[0] & 0x7fu) | (uint64_t)(place->next[1] & 0x7fu) << 7 |
               (uint64_t)place->next[2] << 14;
        place->next += 3;
        return true;
    }
    return take_long_varint(place, out);
}

static bool
is_valid(const struct row_slot *slot, const uint8_t *bytes, size_t size)
{
    if (slot->type == QTDB_TYPE_NUMERIC)
        return size <= UINT32_MAX && numeric_is_valid(bytes, (uint32_t)size);
    if (value_is_array(slot->type))
        return array_is_valid(value_element(slot->type), bytes, size);
    return value_is_enum(slot->type) ? size >= VALUE_ENUM_HEAD : size == 16;
}

static inline bool
take_bytes(struct row_place *place, const struct row_slot *slot, struct value *out)
{
    uint64_t size = 0;

    if (!take_varint(place, &size) || size > (uint64_t)(place->end - place->next))
        return false;
    if (slot->wanted) {
        if (size > UINT32_MAX ||
            (slot->how == HOW_CHECKED && !is_valid(slot, place->next, (size_t)size)))
            return false;
        *out = (struct value){.type = slot->type, .size = (uint32_t)size, .bytes = place->next};
    }
    place->next += size;
    return true;
}

static bool
take_real(struct row_place *place, enum qtdb_type type, struct value *out)
{
    if ((size_t)(place->end - place->next) < sizeof(uint64_t))
        return false;
    *out = (struct value){.type = type};
    memcpy(&out->real, place->next, sizeof(out->real));
    place->next += sizeof(uint64_t);
    return true;
}

/* The value at `place`; `out` is scratch when it is not wanted. */
static inline bool
take_value(struct row_place *place, const struct row_slot *slot, struct value *out)
{
    uint64_t word = 0;

    switch (slot->how) {
    case HOW_NUMBER:
        if (!slot->wanted)
            return pass_varint(place);
        if (!take_varint(place, &word))
            return false;
        *out = (struct value){.type = slot->type,
                              .integer = (int64_t)(word >> 1) ^ -(int64_t)(word & 1)};
        return true;
    case HOW_BOOL:
        if (place->next == place->end || *place->next > 1)
            return false;
        *out = (struct value){.type = slot->type, .integer = *place->next++};
        return true;
    case HOW_REAL:
        return take_real(place, slot->type, out);
    default:
        return take_bytes(place, slot, out);
    }
}

/* Up to slot `end`, as far as the row has slots. */
static bool
take_until(const struct row_reader *reader, struct row_place *place, uint32_t end,
           struct value *values)
{
    struct row_place at = *place; /* In registers. */

    if (end > at.stored)
        end = at.stored;
    for (; at.slot < end; at.slot++) {
        const struct row_slot *slot = &reader->slots[at.slot];
        struct value scratch;
        struct value *out = slot->wanted ? &values[slot->column] : &scratch;

        if ((at.nulls[at.slot / 8] >> (at.slot % 8) & 1) != 0)
            *out = (struct value){.type = slot->type, .null = true};
        else if (!take_value(&at, slot, out))
            return false;
    }
    *place = at;
    return at.slot < at.stored || at.next == at.end;
}

static enum status
refuse(const struct row_reader *reader, struct sql_error *error)
{
    return sql_error_set(error, "XX001", -1, "a row of table \"%s\" is damaged: run qtdb-check",
                         reader->table->name);
}

/* Columns that are younger than the row. */
static enum status
take_missing(const struct row_reader *reader, const struct row_place *place, uint32_t begin,
             uint32_t end, struct arena *arena, struct value *values, struct sql_error *error)
{
    for (uint32_t i = begin > place->stored ? begin : place->stored; i < end; i++) {
        if (reader->slots[i].wanted)
            TRY(table_missing_value(reader->table, reader->slots[i].column, arena,
                                    &values[reader->slots[i].column], error));
    }
    return STATUS_OK;
}

enum status
row_reader_first(const struct row_reader *reader, const void *bytes, size_t size,
                 struct row_place *place, struct arena *arena, struct value *values,
                 struct sql_error *error)
{
    const uint8_t *start = bytes;
    uint64_t stored = 0;

    *place = (struct row_place){.next = start + 1, .end = start + size};
    if (size == 0 || start[0] != ROW_FORMAT || !take_varint(place, &stored) ||
        stored > reader->table->slot_count ||
        (stored + 7) / 8 > (uint64_t)(place->end - place->next))
        return refuse(reader, error);
    place->stored = (uint32_t)stored;
    place->nulls = place->next;
    place->next += (stored + 7) / 8;
    if (!take_until(reader, place, reader->first_end, values))
        return refuse(reader, error);
    return place->stored >= reader->first_end
               ? STATUS_OK
               : take_missing(reader, place, 0, reader->first_end, arena, values, error);
}

enum status
row_reader_rest(const struct row_reader *reader, struct row_place *place, struct arena *arena,
                struct value *values, struct sql_error *error)
{
    if (!take_until(reader, place, reader->end, values))
        return refuse(reader, error);
    return place->stored >= reader->end
               ? STATUS_OK
               : take_missing(reader, place, reader->first_end, reader->end, arena, values, error);
}
