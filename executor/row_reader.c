/*
 * Reading some columns of stored rows (row_reader.h). What a slot is, is told once and kept as one byte,
 * so that a row costs a switch a slot. Numbers are of 1 to 10 bytes, the last without its high bit: eight
 * bytes at a time show where they end, so that their lengths, which differ from row to row, decide no branch,
 * and several that nobody asks for are passed over at once.
 */
#include "executor/row_reader_private.h"

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

        slots[slot].column = i;
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
        next = take_present(next, row_end, slot, slot->action, &values[slot->column]);
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
        reader->asks_rows = reader->asks_rows || tests[i].kind != ROW_TEST_INTEGER;
        tests[i].next = *first;
        *first = &tests[i];
    }
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
