/*
 * Goal: rows survive encoding, hostile rows are refused, and keys order as their values do.
 * Method: random values of every type, compared pairwise; every truncation and every flipped bit of an
 * encoded row.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "executor/numeric.h"
#include "executor/row.h"
#include "kernel/base/random.h"

static struct memory *memory;
static struct arena arena;
static struct random random_source;

static void
setup(void)
{
    memory = memory_new();
    arena_init(&arena, memory, MEMORY_SQL);
    random_init(&random_source, 7);
}

static void
teardown(void)
{
    arena_deinit(&arena);
    memory_delete(memory);
}

TestSuite(row, .init = setup, .fini = teardown);

static const enum qtdb_type types[] = {
    QTDB_TYPE_BOOL,      QTDB_TYPE_INT2,    QTDB_TYPE_INT4,  QTDB_TYPE_INT8,
    QTDB_TYPE_FLOAT8,    QTDB_TYPE_TEXT,    QTDB_TYPE_CHAR,  QTDB_TYPE_DATE,
    QTDB_TYPE_TIMESTAMP, QTDB_TYPE_NUMERIC, QTDB_TYPE_BYTEA, QTDB_TYPE_UUID,
};
enum { TYPE_COUNT = sizeof(types) / sizeof(types[0]) };

static struct value
random_text(enum qtdb_type type, size_t least, size_t most)
{
    size_t size = least + random_below(&random_source, most - least + 1);
    uint8_t *bytes = arena_alloc(&arena, size + 1);

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(type == QTDB_TYPE_BYTEA ? random_below(&random_source, 3) * 127
                                                     : 'a' + random_below(&random_source, 3));
    return value_bytes(type, bytes, size);
}

static struct value
random_numeric(void)
{
    const struct sql_type type = {QTDB_TYPE_NUMERIC, -1, -1};
    char text[64];
    struct value value;
    struct sql_error error;
    int size = snprintf(text, sizeof(text), "%lld.%llue%d",
                        (long long)random_below(&random_source, 2001) - 1000,
                        (unsigned long long)random_below(&random_source, 1000),
                        (int)random_below(&random_source, 13) - 6);

    cr_assert_eq(value_parse(&type, text, (size_t)size, &arena, &value, &error), STATUS_OK);
    return value;
}

static struct value
random_value(enum qtdb_type type)
{
    int64_t integer = (int64_t)random_u64(&random_source) >> random_below(&random_source, 64);

    switch (type) {
    case QTDB_TYPE_BOOL:
        return value_integer(type, integer & 1);
    case QTDB_TYPE_FLOAT8:
        return value_real(type, (double)integer / 1000);
    case QTDB_TYPE_NUMERIC:
        return random_numeric();
    case QTDB_TYPE_UUID:
        return random_text(type, 16, 16);
    case QTDB_TYPE_TEXT:
    case QTDB_TYPE_CHAR:
    case QTDB_TYPE_BYTEA:
        return random_text(type, 0, 6);
    default:
        return value_integer(type, integer);
    }
}

static size_t
encode_key(const struct value *value, uint8_t out[256])
{
    struct byte_writer writer = byte_writer_init(out, 256);

    cr_assert(key_encode(value, &writer));
    return writer.offset;
}

static int
sign(int order)
{
    return (order > 0) - (order < 0);
}

static int
compare_keys(const struct value *left, const struct value *right)
{
    uint8_t a[256], b[256];
    size_t a_size = encode_key(left, a), b_size = encode_key(right, b);
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);

    return order != 0 ? sign(order) : (a_size > b_size) - (a_size < b_size);
}

/* covers: E2 */
Test(row, keys_order_as_their_values_do)
{
    for (int i = 0; i < 60000; i++) {
        enum qtdb_type type = types[i % TYPE_COUNT];
        struct value left = random_value(type), right = random_value(type);

        cr_assert_eq(compare_keys(&left, &right), sign(value_compare(&left, &right)),
                     "type %s at %d", value_type_name(type), i);
        arena_reset(&arena);
    }
}

/* covers: E2 */
Test(row, nulls_come_after_every_key)
{
    for (uint32_t i = 0; i < TYPE_COUNT; i++) {
        struct value null = value_null(types[i]), value = random_value(types[i]);

        cr_assert_lt(compare_keys(&value, &null), 0);
        cr_assert_eq(compare_keys(&null, &null), 0);
    }
}

static int
compare_in(const struct value *left, const struct value *right, uint32_t order)
{
    uint8_t bytes[2][256];
    struct byte_writer writers[2];

    for (int i = 0; i < 2; i++) {
        writers[i] = byte_writer_init(bytes[i], sizeof(bytes[i]));
        cr_assert(key_encode_in(i == 0 ? left : right, order, &writers[i]));
        cr_assert_eq(bytes[i][0], key_mark(order, (i == 0 ? left : right)->null));
    }
    size_t a = writers[0].offset, b = writers[1].offset;
    int sign_of = memcmp(bytes[0], bytes[1], a < b ? a : b);
    return sign_of != 0 ? sign(sign_of) : (a > b) - (a < b);
}

/* covers: E2 */
Test(row, keys_of_each_order_order_as_it_says)
{
    for (int i = 0; i < 60000; i++) {
        enum qtdb_type type = types[i % TYPE_COUNT];
        struct value left = random_value(type), right = random_value(type), null = value_null(type);
        uint32_t order = (uint32_t)(i / TYPE_COUNT) % 4;
        bool descending = (order & KEY_DESCENDING) != 0, first = (order & KEY_NULLS_FIRST) != 0;
        int expected = sign(value_compare(&left, &right));

        cr_assert_eq(compare_in(&left, &right, order), descending ? -expected : expected,
                     "type %s, order %u, at %d", value_type_name(type), order, i);
        cr_assert_eq(compare_in(&null, &left, order), first ? -1 : 1);
        cr_assert_eq(compare_in(&null, &null, order), 0);
        arena_reset(&arena);
    }
}

static void
make_row(struct value values[TYPE_COUNT], struct sql_type row_types[TYPE_COUNT])
{
    for (uint32_t i = 0; i < TYPE_COUNT; i++) {
        row_types[i] = (struct sql_type){types[i], -1, -1};
        values[i] =
            random_chance(&random_source, 1, 5) ? value_null(types[i]) : random_value(types[i]);
    }
}

/* What a key keeps comes back from it, and no part of it does. */
Test(row, values_come_back_from_their_keys)
{
    static const enum qtdb_type kept[] = {QTDB_TYPE_BOOL, QTDB_TYPE_INT8,  QTDB_TYPE_TIMESTAMP,
                                          QTDB_TYPE_TEXT, QTDB_TYPE_BYTEA, QTDB_TYPE_UUID};

    cr_assert(!key_keeps(QTDB_TYPE_NUMERIC) && !key_keeps(QTDB_TYPE_FLOAT8));
    cr_assert(!key_keeps(QTDB_TYPE_CHAR) && !key_keeps(QTDB_TYPE_INTERVAL));
    for (int round = 0; round < 6000; round++) {
        enum qtdb_type type = kept[round % 6];
        struct value value = round % 11 == 0 ? value_null(type) : random_value(type), back;
        uint8_t bytes[256];
        uint32_t order = (uint32_t)(round / 6) % 4;
        struct byte_writer writer = byte_writer_init(bytes, sizeof(bytes));

        cr_assert(key_encode_in(&value, order, &writer));
        for (size_t part = 0; part <= writer.offset; part++) {
            struct byte_reader reader = byte_reader_init(bytes, part);
            enum status status = key_decode_in(&reader, type, order, &arena, &back);

            cr_assert_eq(status, part == writer.offset ? STATUS_OK : STATUS_CORRUPT);
            cr_assert(status != STATUS_OK || reader.offset == part);
        }
        cr_assert(back.null == value.null && (value.null || value_compare(&back, &value) == 0));
        /* What stands behind the column is left alone. */
        struct byte_reader longer = byte_reader_init(bytes, sizeof(bytes));
        cr_assert_eq(key_decode_in(&longer, type, order, &arena, &back), STATUS_OK);
        cr_assert_eq(longer.offset, writer.offset);
        arena_reset(&arena);
    }
}

Test(row, refuses_keys_that_were_not_made)
{
    static const struct {
        enum qtdb_type type;
        uint8_t size;
        uint8_t bytes[12];
    } wrong[] = {
        {QTDB_TYPE_INT4, 9, {3, 0x80}},                /* Neither value nor null. */
        {QTDB_TYPE_INT4, 9, {1, 0x80, 0, 0, 1}},       /* Past an int's range. */
        {QTDB_TYPE_INT2, 9, {1, 0x80, 0, 0, 0, 0, 1}}, /* Past a smallint's. */
        {QTDB_TYPE_BOOL, 9, {1, 0x80, 0, 0, 0, 0, 0, 0, 2}},
        {QTDB_TYPE_TEXT, 6, {1, 'a', 0, 7, 0, 0}}, /* A zero byte that was not told from the end. */
        {QTDB_TYPE_UUID, 4, {1, 'a', 0, 0}},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct byte_reader reader = byte_reader_init(wrong[i].bytes, wrong[i].size);
        struct value back;

        cr_assert_eq(key_decode(&reader, wrong[i].type, &arena, &back), STATUS_CORRUPT, "%zu", i);
    }
}

/* covers: E3 */
Test(row, decodes_what_was_encoded)
{
    for (int round = 0; round < 2000; round++) {
        struct value values[TYPE_COUNT], back[TYPE_COUNT];
        struct sql_type row_types[TYPE_COUNT];
        uint8_t bytes[1024];
        struct byte_writer writer = byte_writer_init(bytes, sizeof(bytes));
        uint32_t count = 0;

        make_row(values, row_types);
        cr_assert(row_encode(values, TYPE_COUNT, &writer));
        cr_assert_leq(writer.offset, row_encoded_size_max(values, TYPE_COUNT));
        uint8_t tight[1024];
        struct byte_writer full =
            byte_writer_init(tight, row_encoded_size_max(values, TYPE_COUNT) - 1);
        cr_assert(!row_encode(values, TYPE_COUNT, &full) && full.overflow && full.offset == 0);
        cr_assert_eq(row_decode(bytes, writer.offset, row_types, TYPE_COUNT, back, &count),
                     STATUS_OK);
        cr_assert_eq(count, TYPE_COUNT);
        for (uint32_t i = 0; i < TYPE_COUNT; i++) {
            cr_assert_eq(back[i].null, values[i].null);
            if (!values[i].null)
                cr_assert_eq(value_compare(&back[i], &values[i]), 0);
        }
        arena_reset(&arena);
    }
}

/* covers: E3 */
Test(row, refuses_every_truncation)
{
    struct value values[TYPE_COUNT], back[TYPE_COUNT];
    struct sql_type row_types[TYPE_COUNT];
    uint8_t bytes[1024];
    struct byte_writer writer = byte_writer_init(bytes, sizeof(bytes));
    uint32_t count;

    make_row(values, row_types);
    cr_assert(row_encode(values, TYPE_COUNT, &writer));
    for (size_t size = 0; size < writer.offset; size++)
        cr_assert_eq(row_decode(bytes, size, row_types, TYPE_COUNT, back, &count), STATUS_CORRUPT,
                     "size %zu", size);
}
