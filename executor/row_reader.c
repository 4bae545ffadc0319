/*
 * Reading some columns of stored rows (row_reader.h). What a slot is, is told once and kept as one byte,
 * so that a row costs a switch a slot. Numbers are of 1 to 10 bytes, the last without its high bit: eight
 * bytes at a time show where they end, so that their lengths, which differ from row to row, decide no branch,
 * and several that nobody asks for are passed over at once.
 */
#include "executor/row_reader.h"

#include <string.h>

#include "executor/array.h"
#include "executor/numeric.h"
#include "kernel/base/bytes.h"
#include "kernel/base/check.h"

/* What is kept in a slot, */
enum { HOW_NUMBER = 1, HOW_BOOL = 2, HOW_REAL = 3, HOW_BYTES = 4, HOW_CHECKED = 5 };
/* and what is done with it in a row without nulls. */
enum {
    DO_TAKE = 0,
    DO_PASS_NUMBERS = 1,
    DO_PASS_BYTES = 2,
    DO_TAKE_NUMBER = 3,
    DO_TAKE_BYTES = 4,
    DO_PASS_REAL = 5,
};

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

static uint8_t
action_of(const struct row_slot *slot)
{
    if (slot->how == HOW_NUMBER)
        return slot->wanted ? DO_TAKE_NUMBER : DO_PASS_NUMBERS;
    if (slot->how == HOW_BYTES || slot->how == HOW_CHECKED)
        return slot->wanted ? DO_TAKE_BYTES : DO_PASS_BYTES;
    return slot->how == HOW_REAL && !slot->wanted ? DO_PASS_REAL : DO_TAKE;
}

void
row_reader_init(struct row_reader *reader, const struct table *table, const bool *first,
                const bool *wanted, struct row_slot *slots)
{
    *reader = (struct row_reader){.table = table, .slots = slots};
    for (uint32_t i = 0; i < table->slot_count; i++)
        slots[i] = (struct row_slot){.how = how_of(table->slot_types[i].type),
                                     .type = table->slot_types[i].type};
    for (uint32_t i = 0; i < table->column_count; i++) {
        uint32_t slot = table->columns[i].slot;

        slots[slot].column = slots[slot].out = i;
        slots[slot].wanted = first[i] || wanted[i];
        if (first[i] && slot >= reader->first_end)
            reader->first_end = slot + 1;
        if (slots[slot].wanted && slot >= reader->end)
            reader->end = slot + 1;
    }
    reader->checked = UINT32_MAX;
    for (uint32_t i = table->slot_count, run = 0; i-- > 0;) {
        slots[i].checked = reader->checked;
        if (slots[i].how == HOW_CHECKED && slots[i].wanted)
            reader->checked = i;
        slots[i].action = action_of(&slots[i]);
        run = slots[i].action == DO_PASS_NUMBERS && run < UINT16_MAX ? run + 1 : 0;
        slots[i].step = run > 0 ? (uint16_t)run : 1;
    }
}

static const uint64_t high_bits = 0x8080808080808080u;

static inline uint64_t
load_word(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* Each of the following gives where the next value begins, or NULL when the bytes are not there. They are of
 * use only inside the loops over slots. */

/* Past so many numbers: behind the last byte of each the next one begins. */
static inline __attribute__((always_inline)) const uint8_t *
pass_numbers(const uint8_t *next, const uint8_t *end, uint32_t count)
{
    for (; end - next >= (ptrdiff_t)sizeof(uint64_t); next += sizeof(uint64_t)) {
        uint64_t ends = ~load_word(next) & high_bits;

        for (; ends != 0 && count > 1; count--)
            ends &= ends - 1;
        if (ends != 0)
            return next + ((unsigned)__builtin_ctzll(ends) + 1) / 8;
    }
    for (; next < end && count > 0; next++)
        count -= *next < 0x80;
    return count == 0 ? next : NULL;
}

static const uint8_t *
take_long_varint(const uint8_t *next, const uint8_t *end, uint64_t *out)
{
    struct byte_reader reader = byte_reader_init(next, (size_t)(end - next));

    return byte_reader_get_varint(&reader, out) ? next + reader.offset : NULL;
}

static inline __attribute__((always_inline)) const uint8_t *
take_varint(const uint8_t *next, const uint8_t *end, uint64_t *out)
{
    if (next == end || *next >= 0x80)
        return take_long_varint(next, end, out);
    *out = *next;
    return next + 1;
}

/* The same for lengths that differ: seven bits of each byte are moved together in three steps. */
static inline __attribute__((always_inline)) const uint8_t *
take_number(const uint8_t *next, const uint8_t *end, uint64_t *out)
{
    if (end - next < (ptrdiff_t)sizeof(uint64_t))
        return take_varint(next, end, out);
    uint64_t word = load_word(next), ends = ~word & high_bits;
    if (ends == 0)
        return take_long_varint(next, end, out);
    uint32_t last = (uint32_t)__builtin_ctzll(ends); /* The high bit of the last byte. */
    word &= ends ^ (ends - 1);
    /* Longer than needed: refused there. */
    if (word >> (last - 7) == 0 && last > 7)
        return take_long_varint(next, end, out);
    word = (word & 0x007f007f007f007fu) | (word & 0x7f007f007f007f00u) >> 1;
    word = (word & 0x00003fff00003fffu) | (word & 0x3fff00003fff0000u) >> 2;
    *out = (word & 0x000000000fffffffu) | (word & 0x0fffffff00000000u) >> 4;
    return next + (last + 1) / 8;
}

static bool
is_valid(const struct row_slot *slot, const uint8_t *bytes, uint32_t size)
{
    if (slot->type == QTDB_TYPE_NUMERIC)
        return numeric_is_valid(bytes, size);
    if (value_is_array(slot->type))
        return array_is_valid(value_element(slot->type), bytes, size);
    return value_is_enum(slot->type) ? size >= VALUE_ENUM_HEAD : size == 16;
}

static inline __attribute__((always_inline)) const uint8_t *
take_bytes(const uint8_t *next, const uint8_t *end, const struct row_slot *slot, struct value *out)
{
    uint64_t size = 0;

    next = take_varint(next, end, &size);
    if (next == NULL || size > (uint64_t)(end - next) || size > UINT32_MAX)
        return NULL;
    if (slot->wanted)
        *out = (struct value){.type = slot->type, .size = (uint32_t)size, .bytes = next};
    return next + size;
}

static inline const uint8_t *
take_real(const uint8_t *next, const uint8_t *end, const struct row_slot *slot, struct value *out)
{
    if (end - next < (ptrdiff_t)sizeof(double))
        return NULL;
    if (slot->wanted) {
        *out = (struct value){.type = slot->type};
        memcpy(&out->real, next, sizeof(out->real));
    }
    return next + sizeof(double);
}

static inline const uint8_t *
take_bool(const uint8_t *next, const uint8_t *end, const struct row_slot *slot, struct value *out)
{
    if (next == end || *next > 1)
        return NULL;
    if (slot->wanted)
        *out = (struct value){.type = slot->type, .integer = *next};
    return next + 1;
}

static inline const uint8_t *
take_value(const uint8_t *next, const uint8_t *end, const struct row_slot *slot, struct value *out)
{
    uint64_t word = 0;

    switch (slot->how) {
    case HOW_NUMBER:
        if (!slot->wanted)
            return pass_numbers(next, end, 1);
        next = take_number(next, end, &word);
        *out = (struct value){.type = slot->type,
                              .integer = (int64_t)(word >> 1) ^ -(int64_t)(word & 1)};
        return next;
    case HOW_BOOL:
        return take_bool(next, end, slot, out);
    case HOW_REAL:
        return take_real(next, end, slot, out);
    default:
        return take_bytes(next, end, slot, out);
    }
}

static bool
all_hold(const struct row_test *test, const struct value *values)
{
    for (; test != NULL; test = test->next) {
        if (!row_test_holds(test, values))
            return false;
    }
    return true;
}

/* As take_value, for what most slots are without a call. */
static inline __attribute__((always_inline)) const uint8_t *
take_present(const uint8_t *next, const uint8_t *end, const struct row_slot *slot,
             struct value *out)
{
    uint64_t word = 0;

    switch (slot->action) {
    case DO_PASS_NUMBERS:
        return pass_numbers(next, end, slot->step);
    case DO_PASS_BYTES:
        next = take_varint(next, end, &word);
        return next == NULL || word > (uint64_t)(end - next) ? NULL : next + word;
    case DO_PASS_REAL:
        return end - next < (ptrdiff_t)sizeof(double) ? NULL : next + sizeof(double);
    case DO_TAKE_NUMBER:
        next = take_number(next, end, &word);
        *out = (struct value){.type = slot->type,
                              .integer = (int64_t)(word >> 1) ^ -(int64_t)(word & 1)};
        return next;
    case DO_TAKE_BYTES:
        return take_bytes(next, end, slot, out);
    default:
        return take_value(next, end, slot, out);
    }
}

/* Slots from place->slot to `end`, which the row has, without nulls; or to one whose tests fail. Both ends
 * lie behind slots that are wanted, so nothing that is passed over at once goes past them. */
static inline bool
take_all_present(const struct row_reader *reader, struct row_place *place, uint32_t end,
                 struct value *values, bool *passes_out)
{
    const uint8_t *next = place->next, *const row_end = place->end;
    const struct row_slot *slot = &reader->slots[place->slot];
    const struct row_slot *const slots_end = &reader->slots[end];

    for (; slot < slots_end; slot += slot->step) {
        next = take_present(next, row_end, slot, &values[slot->column]);
        if (next == NULL)
            return false;
        if (slot->tests != NULL && !all_hold(slot->tests, values)) {
            *passes_out = false;
            return true;
        }
    }
    place->next = next;
    place->slot = end;
    return true;
}

/* The same of any row. */
static bool
take_any(const struct row_reader *reader, struct row_place *place, uint32_t end,
         struct value *values, bool *passes_out)
{
    const uint8_t *next = place->next;

    for (uint32_t i = place->slot; i < end; i++) {
        const struct row_slot *slot = &reader->slots[i];

        if ((place->nulls[i / 8] >> (i % 8) & 1) == 0)
            next = take_value(next, place->end, slot, &values[slot->column]);
        else if (slot->wanted)
            values[slot->column] = (struct value){.type = slot->type, .null = true};
        if (next == NULL)
            return false;
        if (slot->tests != NULL && !all_hold(slot->tests, values)) {
            *passes_out = false;
            return true;
        }
    }
    place->next = next;
    place->slot = end;
    return true;
}

/* Up to slot `end`, as far as the row has slots, or to one whose tests fail. */
static bool
take_until(const struct row_reader *reader, struct row_place *place, uint32_t end,
           struct value *values, bool *passes_out)
{
    bool all = !place->has_nulls && place->stored >= end;

    *passes_out = true;
    if (end > place->stored)
        end = place->stored;
    if (!(all ? take_all_present(reader, place, end, values, passes_out)
              : take_any(reader, place, end, values, passes_out)))
        return false;
    return !*passes_out || place->slot < place->stored || place->next == place->end;
}

/* Of the values just read from slots [begin, end): what is asked of them is asked of valid ones. */
static inline bool
are_valid(const struct row_reader *reader, const struct row_place *place, uint32_t begin,
          uint32_t end, const struct value *values)
{
    uint32_t next = reader->checked;

    if (end > place->stored)
        end = place->stored;
    for (; next < end; next = reader->slots[next].checked) {
        const struct row_slot *slot = &reader->slots[next];
        const struct value *value = &values[slot->column];

        if (next >= begin && !value->null && !is_valid(slot, value->bytes, value->size))
            return false;
    }
    return true;
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

/* Of a row that is older than a column asked for: what was asked when read may be asked again. */
static bool
all_tests_hold(const struct row_reader *reader, const struct value *values)
{
    for (uint32_t i = 0; i < reader->test_count; i++) {
        if (!row_test_holds(&reader->tests[i], values))
            return false;
    }
    return true;
}

/* The later one of a test's columns. */
static uint32_t
slot_of(const struct row_reader *reader, const struct row_test *test)
{
    uint32_t slot = reader->table->columns[test->column].slot;
    uint32_t other = reader->table->columns[test->other].slot;

    return other > slot ? other : slot;
}

void
row_reader_set_tests(struct row_reader *reader, struct row_test *tests, uint32_t count)
{
    reader->tests = tests;
    reader->test_count = count;
    for (uint32_t i = count; i-- > 0;) {
        struct row_slot *slot = &reader->slots[slot_of(reader, &tests[i])];
        const struct row_test **first = row_test_is_cheap(&tests[i]) ? &slot->tests : &reader->late;

        CHECK(slot->wanted && slot_of(reader, &tests[i]) < reader->first_end);
        tests[i].next = *first;
        *first = &tests[i];
    }
}

static inline bool
begin(const struct row_reader *reader, const uint8_t *bytes, size_t size, struct row_place *place)
{
    const uint8_t *end = bytes + size, *next;
    uint64_t stored = 0;
    uint8_t nulls = 0;

    if (size == 0 || bytes[0] != ROW_FORMAT)
        return false;
    next = take_varint(bytes + 1, end, &stored);
    if (next == NULL || stored > reader->table->slot_count ||
        (stored + 7) / 8 > (uint64_t)(end - next))
        return false;
    for (uint32_t i = 0; i < (stored + 7) / 8; i++)
        nulls |= next[i];
    *place = (struct row_place){.next = next + (stored + 7) / 8,
                                .end = end,
                                .nulls = next,
                                .stored = (uint32_t)stored,
                                .has_nulls = nulls != 0};
    return true;
}

enum status
row_reader_first(const struct row_reader *reader, const void *bytes, size_t size,
                 struct row_place *place, struct arena *arena, struct value *values,
                 bool *passes_out, struct sql_error *error)
{
    if (!begin(reader, bytes, size, place))
        return refuse(reader, error);
    *passes_out = true;
    if (reader->first_end == 0 && place->stored > 0)
        return STATUS_OK;
    if (!take_until(reader, place, reader->first_end, values, passes_out))
        return refuse(reader, error);
    if (!*passes_out)
        return STATUS_OK;
    if (!are_valid(reader, place, 0, reader->first_end, values))
        return refuse(reader, error);
    if (place->stored >= reader->first_end) {
        *passes_out = all_hold(reader->late, values);
        return STATUS_OK;
    }
    TRY(take_missing(reader, place, 0, reader->first_end, arena, values, error));
    *passes_out = all_tests_hold(reader, values);
    return STATUS_OK;
}

enum status
row_reader_rest(const struct row_reader *reader, struct row_place *place, struct arena *arena,
                struct value *values, struct sql_error *error)
{
    bool passes;

    if (!take_until(reader, place, reader->end, values, &passes) ||
        !are_valid(reader, place, reader->first_end, reader->end, values))
        return refuse(reader, error);
    CHECK(passes);
    return place->stored >= reader->end
               ? STATUS_OK
               : take_missing(reader, place, reader->first_end, reader->end, arena, values, error);
}

void
row_reader_set_outputs(struct row_reader *reader, const uint32_t *columns, uint32_t count)
{
    CHECK(reader->test_count == 0);
    for (uint32_t i = 0; i < count; i++)
        reader->slots[reader->table->columns[columns[i]].slot].out = i;
}

bool
row_reader_whole(const struct row_reader *reader, const uint8_t *bytes, size_t size,
                 struct value *values, bool *passes_out)
{
    const struct row_slot *const slots = reader->slots;
    struct row_place place;
    uint32_t i = 0;

    if (!begin(reader, bytes, size, &place) || place.has_nulls || place.stored < reader->end)
        return false;
    const uint8_t *next = place.next;
    *passes_out = false;
    for (; i < reader->end; i += slots[i].step) {
        const struct row_slot *slot = &slots[i];

        next = take_present(next, place.end, slot, &values[slot->out]);
        if (next == NULL)
            return false;
        /* Most tests are of this kind, and where there are no nulls they cost no call. */
        for (const struct row_test *test = slot->tests; test != NULL; test = test->next) {
            if (!(test->kind == ROW_TEST_INTEGER
                      ? row_test_integer_holds(test, &values[test->column])
                      : row_test_holds(test, values)))
                return true;
        }
    }
    for (i = reader->checked; i < reader->end; i = slots[i].checked) {
        if (!is_valid(&slots[i], values[slots[i].out].bytes, values[slots[i].out].size))
            return false;
    }
    *passes_out = all_hold(reader->late, values);
    return reader->end < place.stored || next == place.end;
}
