/*
 * Goal: statistics come back from bytes as they were; bytes that are no statistics, cut short or with a
 * flipped bit are refused or harmless.
 * Method: encode, decode, compare; every length and every bit of one entry.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "executor/statistics.h"
#include "kernel/base/memory.h"

static struct memory *memory;
static struct arena arena;

static void
setup(void)
{
    memory = memory_new();
    arena_init(&arena, memory, MEMORY_SQL);
}

static void
teardown(void)
{
    arena_deinit(&arena);
    memory_delete(memory);
}

TestSuite(statistics, .init = setup, .fini = teardown);

static struct value values[5];
static double shares[] = {0.5, 0.125};

static size_t
encode_texts(uint8_t *bytes, size_t room)
{
    static const char *const texts[] = {"often", "", "a", "m", "zebra"};
    struct statistics statistics = {.null_share = 0.25,
                                    .distinct = -0.5,
                                    .width = 12.5,
                                    .common_count = 2,
                                    .common_shares = shares,
                                    .bound_count = 3,
                                    .values = values};
    struct byte_writer writer = byte_writer_init(bytes, room);

    for (uint32_t i = 0; i < 5; i++)
        values[i] = value_bytes(QTDB_TYPE_TEXT, texts[i], strlen(texts[i]));
    return statistics_encode(&statistics, QTDB_TYPE_TEXT, &writer) ? writer.offset : 0;
}

static const struct sql_type text = {QTDB_TYPE_TEXT, -1, -1};

/* covers: E3 */
Test(statistics, come_back_as_they_were)
{
    uint8_t bytes[500];
    struct statistics out;
    size_t size = encode_texts(bytes, sizeof(bytes));

    cr_assert_gt(size, 0);
    cr_assert_eq(statistics_decode(bytes, size, &text, &arena, &out), STATUS_OK);
    cr_assert(out.null_share == 0.25 && out.distinct == -0.5 && out.width == 12.5);
    cr_assert_eq(out.common_count, 2);
    cr_assert_eq(out.bound_count, 3);
    cr_assert(out.common_shares[0] == 0.5 && out.common_shares[1] == 0.125);
    for (uint32_t i = 0; i < 5; i++)
        cr_assert_eq(value_compare(&out.values[i], &values[i]), 0);
    cr_assert_eq(encode_texts(bytes, size - 1), 0, "encoded into too little room");
}

/* covers: E3 */
Test(statistics, refuses_what_is_none)
{
    const struct sql_type other = {QTDB_TYPE_INT4, -1, -1};
    uint8_t bytes[500], copy[500];
    struct statistics out;
    size_t size = encode_texts(bytes, sizeof(bytes)), harmless = 0;

    cr_assert_eq(statistics_decode(bytes, size, &other, &arena, &out), STATUS_CORRUPT);
    for (size_t length = 0; length < size; length++)
        cr_assert_eq(statistics_decode(bytes, length, &text, &arena, &out), STATUS_CORRUPT,
                     "%zu bytes", length);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        memcpy(copy, bytes, size);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum status status = statistics_decode(copy, size, &text, &arena, &out);

        cr_assert(status == STATUS_OK || status == STATUS_CORRUPT, "bit %zu", bit);
        for (uint32_t i = 0; status == STATUS_OK && i < out.common_count + out.bound_count; i++)
            cr_assert_leq(out.values[i].size, size);
        harmless += status == STATUS_OK;
    }
    cr_assert(harmless > 0 && harmless < 8 * size);
}
