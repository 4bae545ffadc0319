/*
 * Goal: reading some columns of a row gives what reading all of them gives, whatever columns were dropped
 * or are younger than the row, and damaged bytes are never read past their end.
 * Method: random tables, rows and choices of columns, compared with row_decode; every truncation and
 * random bytes in exact allocations, which the sanitizers watch.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "executor/row_reader.h"
#include "kernel/base/random.h"

enum { SLOTS = 9, ROW_ROOM = 1024 };

static struct memory *memory;
static struct arena arena;
static struct random source;
static struct sql_error error;
static uint32_t whole; /* Rows read at once, */
static uint32_t spans; /* and with tests. */

static void
setup(void)
{
    memory = memory_new();
    arena_init(&arena, memory, MEMORY_SQL);
    random_init(&source, 11);
}

static void
teardown(void)
{
    arena_deinit(&arena);
    memory_delete(memory);
}

TestSuite(row_reader, .init = setup, .fini = teardown);

static const enum qtdb_type types[SLOTS] = {
    QTDB_TYPE_INT4,    QTDB_TYPE_TEXT, QTDB_TYPE_BOOL,  QTDB_TYPE_NUMERIC, QTDB_TYPE_FLOAT8,
    QTDB_TYPE_VARCHAR, QTDB_TYPE_UUID, QTDB_TYPE_BYTEA, QTDB_TYPE_DATE,
};

struct example {
    struct table table;
    struct table_column columns[SLOTS];
    struct value values[SLOTS];
    struct sql_type slot_types[SLOTS];
    bool first[SLOTS + 1];
    bool wanted[SLOTS + 1];
    uint8_t bytes[ROW_ROOM];
    size_t size;
    uint32_t stored;
};

static struct value
random_value(enum qtdb_type type, bool nulls)
{
    const struct sql_type numeric = {QTDB_TYPE_NUMERIC, -1, -1};
    static uint8_t texts[SLOTS][200];
    static uint32_t next;
    uint8_t *text = texts[next++ % SLOTS];
    size_t size = type == QTDB_TYPE_UUID         ? 16
                  : random_chance(&source, 1, 4) ? random_below(&source, 200)
                                                 : random_below(&source, 9);
    struct value value;

    if (nulls && random_chance(&source, 1, 4))
        return value_null(type);
    if (type == QTDB_TYPE_NUMERIC) {
        cr_assert_eq(value_parse(&numeric, "-1234.5", 7, &arena, &value, &error), STATUS_OK);
        return value;
    }
    if (type == QTDB_TYPE_FLOAT8)
        return value_real(type, (double)random_below(&source, 1000) / 8);
    if (type == QTDB_TYPE_BOOL)
        return value_integer(type, random_below(&source, 2) == 1);
    if (!value_type_is_bytes(type))
        return value_integer(type, (int64_t)random_u64(&source) >> random_below(&source, 64));
    for (size_t i = 0; i < size; i++)
        text[i] = (uint8_t)random_below(&source, 256);
    return value_bytes(type, text, size);
}

/* A table whose columns are some of the slots, mixed up; the row has the first `stored` of them. */
static void
make_example(struct example *example)
{
    uint32_t slots[SLOTS], count = 0;
    bool nulls = random_chance(&source, 1, 2);

    memset(example, 0, sizeof(*example));
    for (uint32_t i = 0; i < SLOTS; i++) {
        slots[i] = i;
        example->slot_types[i] = (struct sql_type){types[i], -1, -1};
        example->values[i] = random_value(types[i], nulls);
    }
    for (uint32_t i = SLOTS; i-- > 1;) {
        uint32_t k = (uint32_t)random_below(&source, i + 1), swap = slots[i];

        slots[i] = slots[k];
        slots[k] = swap;
    }
    count = (uint32_t)random_below(&source, SLOTS + 1);
    for (uint32_t i = 0; i < count; i++) {
        example->columns[i] =
            (struct table_column){.slot = slots[i], .type = example->slot_types[slots[i]]};
        example->first[i] = random_chance(&source, 1, 3);
        example->wanted[i] = random_chance(&source, 1, 2);
    }
    example->table = (struct table){.name = "t",
                                    .column_count = count,
                                    .columns = example->columns,
                                    .slot_count = SLOTS,
                                    .slot_types = example->slot_types};
    cr_assert_eq(table_settle(&example->table, &arena), STATUS_OK);
    example->stored = (uint32_t)random_below(&source, SLOTS + 1);
    struct byte_writer writer = byte_writer_init(example->bytes, sizeof(example->bytes));
    cr_assert(row_encode(example->values, example->stored, &writer));
    example->size = writer.offset;
}

/* One row as a span of itself; false: it is for the two steps. */
static bool
read_span(const struct row_reader *reader, const uint8_t *bytes, size_t size, uint32_t width,
          struct value *out, bool *passes_out)
{
    struct value scratch[SLOTS];
    const void *rows[1] = {bytes};
    const uint32_t sizes[1] = {(uint32_t)size};
    struct row_span span = {
        .bytes = rows, .sizes = sizes, .count = 1, .scratch = scratch, .rows = out, .width = width};
    uint32_t passed = 0, read = row_reader_span(reader, &span, &passed);

    *passes_out = passed == 1;
    return read == 1;
}

/* At once where that can be done: as the two steps. */
static void
read_whole(const struct example *example, const uint8_t *bytes, size_t size)
{
    struct row_reader reader;
    struct row_slot slots[SLOTS];
    struct value two_steps[SLOTS], by_output[SLOTS];
    uint32_t columns[SLOTS], count = 0;
    struct row_place place;
    bool passes = false;

    row_reader_init(&reader, &example->table, example->first, example->wanted, slots);
    for (uint32_t i = example->table.column_count; i-- > 0;) {
        if (example->wanted[i] || (example->first[i] && random_chance(&source, 1, 2)))
            columns[count++] = i;
    }
    row_reader_set_outputs(&reader, columns, count);
    if (!read_span(&reader, bytes, size, count, by_output, &passes))
        return;
    whole++;
    cr_assert(passes);
    cr_assert_eq(row_reader_first(&reader, bytes, size, &place, &arena, two_steps, &passes, &error),
                 STATUS_OK);
    cr_assert_eq(row_reader_rest(&reader, &place, &arena, two_steps, &error), STATUS_OK);
    for (uint32_t i = 0; i < count; i++) {
        const struct value *expected = &two_steps[columns[i]];

        cr_assert(!by_output[i].null && !expected->null && by_output[i].type == expected->type);
        cr_assert_eq(value_compare(&by_output[i], expected), 0);
    }
}

static enum status
read_row(const struct example *example, const uint8_t *bytes, size_t size, struct value *out)
{
    struct row_reader reader;
    struct row_slot slots[SLOTS];
    struct row_place place;
    bool passes = false;

    read_whole(example, bytes, size);
    row_reader_init(&reader, &example->table, example->first, example->wanted, slots);
    enum status status =
        row_reader_first(&reader, bytes, size, &place, &arena, out, &passes, &error);
    cr_assert(status != STATUS_OK || passes);
    return status == STATUS_OK ? row_reader_rest(&reader, &place, &arena, out, &error) : status;
}

/* covers: E3 */
Test(row_reader, gives_the_columns_asked_for_as_row_decode_does)
{
    for (int round = 0; round < 20000; round++) {
        struct example example;
        struct value out[SLOTS];

        make_example(&example);
        cr_assert_eq(read_row(&example, example.bytes, example.size, out), STATUS_OK);
        for (uint32_t i = 0; i < example.table.column_count; i++) {
            uint32_t slot = example.columns[i].slot;
            const struct value *value = &example.values[slot];
            bool null = slot >= example.stored || value->null;

            if (!example.first[i] && !example.wanted[i])
                continue;
            cr_assert_eq(out[i].type, types[slot]);
            cr_assert_eq(out[i].null, null, "round %d column %u", round, i);
            cr_assert(null || value_compare(&out[i], value) == 0, "round %d column %u", round, i);
        }
        arena_reset(&arena);
    }
    cr_assert_gt(whole, 1000);
}

/* covers: E3 */
Test(row_reader, reads_nothing_past_the_end_of_damaged_rows)
{
    uint32_t refused = 0;

    for (int round = 0; round < 20000; round++) {
        struct example example;
        struct value out[SLOTS];

        make_example(&example);
        size_t size = random_below(&source, example.size + 1);
        uint8_t *bytes = malloc(size + 1); /* One byte that is ours for size 0. */
        cr_assert_not_null(bytes);
        memcpy(bytes + 1, example.bytes, size);
        for (uint64_t flips = random_below(&source, 3); flips > 0 && size > 0; flips--)
            bytes[1 + random_below(&source, size)] = (uint8_t)random_below(&source, 256);
        refused += read_row(&example, bytes + 1, size, out) == STATUS_INVALID;
        free(bytes);
        arena_reset(&arena);
    }
    cr_assert_gt(refused, 5000);
}

/* All columns read: nothing may be left. */
Test(row_reader, refuses_rows_with_bytes_behind_them)
{
    for (int round = 0; round < 500; round++) {
        struct example example;
        struct value out[SLOTS];

        do
            make_example(&example);
        while (example.table.column_count < SLOTS || example.stored < SLOTS);
        memset(example.first, true, SLOTS);
        cr_assert_eq(read_row(&example, example.bytes, example.size, out), STATUS_OK);
        cr_assert_neq(read_row(&example, example.bytes, example.size + 1, out), STATUS_OK);
        cr_assert_str_eq(error.sqlstate, "XX001");
        arena_reset(&arena);
    }
}

/* Conditions on some integers and the numeric, each of which about half of the values meet. */
static uint32_t
make_tests(const struct example *example, struct expr *exprs, struct expr **arguments,
           struct row_test *tests)
{
    const struct sql_type numeric = {QTDB_TYPE_NUMERIC, -1, -1};
    uint32_t count = 0;

    for (uint32_t i = 0; i < example->table.column_count; i++) {
        enum qtdb_type type = example->columns[i].type.type;
        struct expr *column = &exprs[3 * count], *constant = column + 1, *compare = column + 2;

        if (!example->first[i] || (type != QTDB_TYPE_INT4 && type != QTDB_TYPE_DATE &&
                                   type != QTDB_TYPE_BOOL && type != QTDB_TYPE_NUMERIC))
            continue;
        *column = (struct expr){.kind = EXPR_COLUMN, .type = {type, -1, -1}, .index = i};
        *constant = (struct expr){.kind = EXPR_CONSTANT, .type = column->type};
        constant->constant = value_integer(type, (int64_t)random_below(&source, 3) - 1);
        const char *text = random_chance(&source, 1, 2) ? "-1234.5" : "7";
        if (type == QTDB_TYPE_NUMERIC)
            cr_assert_eq(
                value_parse(&numeric, text, strlen(text), &arena, &constant->constant, &error),
                STATUS_OK);
        arguments[2 * count] = column;
        arguments[2 * count + 1] = constant;
        *compare = (struct expr){.kind = EXPR_COMPARE,
                                 .operator_kind = EXPR_EQUAL + random_below(&source, 6),
                                 .argument_count = 2,
                                 .arguments = &arguments[2 * count]};
        cr_assert(row_test_init(&tests[count], compare));
        count++;
    }
    return count;
}

/* The same row three times. */
static void
expect_span(struct row_reader *reader, const struct example *example, bool wanted)
{
    const void *rows[3] = {example->bytes, example->bytes, example->bytes};
    const uint32_t size = (uint32_t)example->size, sizes[3] = {size, size, size};
    struct value scratch[SLOTS], out[3 * SLOTS];
    uint32_t columns[SLOTS], width = 0, passed = 0;

    for (uint32_t i = 0; i < example->table.column_count; i++) {
        if (example->wanted[i])
            columns[width++] = i;
    }
    row_reader_set_outputs(reader, columns, width);
    struct row_span span = {
        .bytes = rows, .sizes = sizes, .count = 3, .scratch = scratch, .rows = out, .width = width};
    uint32_t read = row_reader_span(reader, &span, &passed);
    cr_assert(read == 0 || read == 3);
    cr_assert_eq(passed, wanted ? read : 0);
    spans += read;
    for (uint32_t i = 0; i < passed * width; i++) {
        uint32_t slot = example->columns[columns[i % width]].slot;

        cr_assert(!out[i].null && out[i].type == types[slot]);
        cr_assert_eq(value_compare(&out[i], &example->values[slot]), 0);
    }
}

/* covers: E3 */
Test(row_reader, gives_rows_that_pass_their_tests)
{
    uint32_t passed = 0, failed = 0;

    for (int round = 0; round < 20000; round++) {
        struct example example;
        struct expr exprs[3 * SLOTS], *arguments[2 * SLOTS];
        struct row_test tests[SLOTS];
        struct value all[SLOTS], out[SLOTS];
        struct row_reader reader;
        struct row_slot slots[SLOTS];
        struct row_place place;
        bool passes = false, wanted = true;

        make_example(&example);
        uint32_t count = make_tests(&example, exprs, arguments, tests);
        for (uint32_t i = 0; i < example.table.column_count; i++) {
            uint32_t slot = example.columns[i].slot;

            all[i] = slot < example.stored ? example.values[slot] : value_null(types[slot]);
        }
        for (uint32_t i = 0; i < count; i++)
            wanted = wanted && row_test_holds(&tests[i], all);
        row_reader_init(&reader, &example.table, example.first, example.wanted, slots);
        row_reader_set_tests(&reader, tests, count);
        cr_assert_eq(row_reader_first(&reader, example.bytes, example.size, &place, &arena, out,
                                      &passes, &error),
                     STATUS_OK);
        cr_assert_eq(passes, wanted, "round %d", round);
        expect_span(&reader, &example, wanted);
        passes = wanted;
        passed += count > 0 && passes;
        failed += !passes;
        if (passes)
            cr_assert_eq(row_reader_rest(&reader, &place, &arena, out, &error), STATUS_OK);
        arena_reset(&arena);
    }
    cr_assert_gt(passed, 500);
    cr_assert_gt(failed, 5000);
    cr_assert_gt(spans, 1000);
}
