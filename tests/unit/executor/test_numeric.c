/*
 * Goal: exact decimal numbers parse, print, compare, round and calculate as PostgreSQL's do.
 * Method: known texts, and random 64-bit integers against machine arithmetic; every packed number must
 * be valid.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#include "executor/numeric.h"
#include "kernel/base/random.h"

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

TestSuite(numeric, .init = setup, .fini = teardown);

struct packed {
    const uint8_t *bytes;
    uint32_t size;
};

static struct packed
parse(const char *text)
{
    struct packed packed;

    cr_assert_eq(numeric_parse(text, strlen(text), &arena, &packed.bytes, &packed.size), STATUS_OK,
                 "%s", text);
    cr_assert(numeric_is_valid(packed.bytes, packed.size), "%s", text);
    return packed;
}

static const char *
print(struct packed packed)
{
    size_t size;
    const char *text = numeric_print(packed.bytes, packed.size, &arena, &size);

    cr_assert_eq(strlen(text), size);
    return text;
}

Test(numeric, prints_what_was_parsed_with_its_scale)
{
    static const char *const pairs[][2] = {
        {"0", "0"},
        {"-0.0", "0.0"},
        {"123.4500", "123.4500"},
        {"1e5", "100000"},
        {"1.5e-7", "0.00000015"},
        {"00012.30", "12.30"},
        {".5", "0.5"},
        {"5.", "5"},
        {"99999999", "99999999"},
        {" 7 ", "7"},
        {"NaN", "NaN"},
        {"-1e-10", "-0.0000000001"},
        {"10000", "10000"},
        {"0.0001", "0.0001"},
        {"12345678901234567890.123456789", "12345678901234567890.123456789"},
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        cr_assert_str_eq(print(parse(pairs[i][0])), pairs[i][1]);
}

Test(numeric, refuses_what_is_not_a_number)
{
    static const char *const texts[] = {"", "1e", "abc", "1.2.3", "--1", "1 2", "0x10", "e5", "."};
    struct packed packed;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_assert_eq(numeric_parse(texts[i], strlen(texts[i]), &arena, &packed.bytes, &packed.size),
                     STATUS_INVALID, "%s", texts[i]);
}

Test(numeric, rounds_half_away_from_zero)
{
    static const struct {
        const char *text;
        int32_t scale;
        const char *rounded;
    } cases[] = {{"0.5", 0, "1"},
                 {"0.4999", 0, "0"},
                 {"-1.005", 2, "-1.01"},
                 {"9999.5", 0, "10000"},
                 {"9999.99995", 4, "10000.0000"},
                 {"1.23456", 3, "1.235"},
                 {"2.3", 2, "2.30"},
                 {"0.00005", 4, "0.0001"},
                 {"0.00004", 4, "0.0000"},
                 {"-0.4", 0, "0"},
                 {"99.995", 2, "100.00"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct packed number = parse(cases[i].text), rounded;

        cr_assert_eq(numeric_round(number.bytes, number.size, 0, cases[i].scale, &arena,
                                   &rounded.bytes, &rounded.size),
                     STATUS_OK);
        cr_assert_str_eq(print(rounded), cases[i].rounded);
    }
}

Test(numeric, refuses_more_digits_than_the_precision)
{
    struct packed number = parse("1234.5"), rounded;

    cr_assert_eq(
        numeric_round(number.bytes, number.size, 5, 2, &arena, &rounded.bytes, &rounded.size),
        STATUS_FULL);
    cr_assert_eq(
        numeric_round(number.bytes, number.size, 6, 2, &arena, &rounded.bytes, &rounded.size),
        STATUS_OK);
}

static int64_t
calculate(enum numeric_operation operation, struct packed left, struct packed right)
{
    struct packed result;
    int64_t integer = 0;

    cr_assert_eq(numeric_calculate(operation, left.bytes, left.size, right.bytes, right.size,
                                   &arena, &result.bytes, &result.size),
                 STATUS_OK);
    cr_assert(numeric_is_valid(result.bytes, result.size));
    cr_assert(numeric_to_integer(result.bytes, result.size, &integer));
    return integer;
}

Test(numeric, calculates_as_machine_integers_do)
{
    struct random random;

    random_init(&random, 1);
    for (int i = 0; i < 50000; i++) {
        int64_t a = (int64_t)random_u64(&random) >> (1 + random_below(&random, 62));
        int64_t b = (int64_t)random_u64(&random) >> (1 + random_below(&random, 62));
        int64_t small_a = a >> 31, small_b = b >> 32;
        struct packed x, y;

        arena_reset(&arena);
        cr_assert_eq(numeric_from_integer(a, &arena, &x.bytes, &x.size), STATUS_OK);
        cr_assert_eq(numeric_from_integer(b, &arena, &y.bytes, &y.size), STATUS_OK);
        cr_assert_eq(numeric_compare(x.bytes, x.size, y.bytes, y.size) > 0, a > b);
        cr_assert_eq(calculate(NUMERIC_ADD, x, y), a + b);
        cr_assert_eq(calculate(NUMERIC_SUBTRACT, x, y), a - b);
        cr_assert_eq(numeric_from_integer(small_a, &arena, &x.bytes, &x.size), STATUS_OK);
        cr_assert_eq(numeric_from_integer(small_b, &arena, &y.bytes, &y.size), STATUS_OK);
        cr_assert_eq(calculate(NUMERIC_MULTIPLY, x, y), small_a * small_b);
    }
}

Test(numeric, keeps_the_larger_scale_of_a_sum_and_both_of_a_product)
{
    struct packed a = parse("1.50"), b = parse("2.250"), result;

    cr_assert_eq(numeric_calculate(NUMERIC_ADD, a.bytes, a.size, b.bytes, b.size, &arena,
                                   &result.bytes, &result.size),
                 STATUS_OK);
    cr_assert_str_eq(print(result), "3.750");
    cr_assert_eq(numeric_calculate(NUMERIC_MULTIPLY, a.bytes, a.size, b.bytes, b.size, &arena,
                                   &result.bytes, &result.size),
                 STATUS_OK);
    cr_assert_str_eq(print(result), "3.37500");
}

/* Numbers that fit come back as they were; those that do not are refused. */
Test(numeric, goes_through_128_bits_and_back)
{
    static const char *const fitting[] = {"0",
                                          "0.00",
                                          "1",
                                          "-1.50",
                                          "0.0001",
                                          "9999.9999",
                                          "-123456.789",
                                          "999999999999.9999999999999999",
                                          "1234567",
                                          "100000000",
                                          "-0.0000000000000001"};
    static const char *const refused[] = {"NaN", "1000000000000", "0.00000000000000001",
                                          "1.00000000000000000001"};
    __int128 scaled = 0;
    uint16_t scale = 0;

    for (size_t i = 0; i < sizeof(fitting) / sizeof(fitting[0]); i++) {
        struct packed number = parse(fitting[i]), back;

        cr_assert(numeric_to_scaled(number.bytes, number.size, &scaled, &scale), "%s", fitting[i]);
        cr_assert_eq(numeric_from_scaled(scaled, scale, &arena, &back.bytes, &back.size),
                     STATUS_OK);
        cr_assert_str_eq(print(back), fitting[i]);
        cr_assert_eq(back.size, number.size, "%s", fitting[i]);
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct packed number = parse(refused[i]);

        cr_assert_not(numeric_to_scaled(number.bytes, number.size, &scaled, &scale), "%s",
                      refused[i]);
    }
}

/* integer * 10^-scale as text. */
static const char *
decimal(__int128 integer, uint32_t scale, char out[80])
{
    unsigned __int128 left = integer < 0 ? -(unsigned __int128)integer : (unsigned __int128)integer;
    char *next = out + 79;

    *next = '\0';
    for (uint32_t i = 0; i <= scale || left > 0; i++) {
        if (i == scale && scale > 0)
            *--next = '.';
        *--next = (char)('0' + (int)(left % 10));
        left /= 10;
    }
    if (integer < 0)
        *--next = '-';
    return next;
}

static __int128
shifted(int64_t integer, uint32_t places)
{
    __int128 result = integer;

    for (uint32_t i = 0; i < places; i++)
        result *= 10;
    return result;
}

static void
check_decimal(enum numeric_operation operation, struct packed x, struct packed y, __int128 expected,
              uint32_t scale, int round)
{
    struct packed result;
    char text[80];
    size_t size = 0;

    cr_assert_eq(numeric_calculate(operation, x.bytes, x.size, y.bytes, y.size, &arena,
                                   &result.bytes, &result.size),
                 STATUS_OK);
    cr_assert(numeric_is_valid(result.bytes, result.size));
    cr_assert_str_eq(numeric_print(result.bytes, result.size, &arena, &size),
                     decimal(expected, scale, text), "round %d operation %d", round, operation);
}

/* Sizes on both sides of what fits 64 bits. */
Test(numeric, calculates_decimals_as_scaled_integers_do)
{
    struct random random;

    random_init(&random, 3);
    for (int round = 0; round < 50000; round++) {
        int64_t a = (int64_t)random_u64(&random) >> (4 + random_below(&random, 60));
        int64_t b = (int64_t)random_u64(&random) >> (4 + random_below(&random, 60));
        uint32_t a_scale = (uint32_t)random_below(&random, 9);
        uint32_t b_scale = (uint32_t)random_below(&random, 9);
        uint32_t scale = a_scale > b_scale ? a_scale : b_scale;
        char text[80];

        struct packed x = parse(decimal(a, a_scale, text));
        struct packed y = parse(decimal(b, b_scale, text));
        __int128 left = shifted(a, scale - a_scale), right = shifted(b, scale - b_scale);
        check_decimal(NUMERIC_ADD, x, y, left + right, scale, round);
        check_decimal(NUMERIC_SUBTRACT, x, y, left - right, scale, round);
        check_decimal(NUMERIC_MULTIPLY, x, y, (__int128)a * b, a_scale + b_scale, round);
        arena_reset(&arena);
    }
}

/* As numeric_calculate, or refused; a number is read, and goes into a sum, as it is. */
Test(numeric, short_numbers_calculate_as_long_ones)
{
    static const enum numeric_operation operations[] = {NUMERIC_ADD, NUMERIC_SUBTRACT,
                                                        NUMERIC_MULTIPLY};
    uint32_t found = 0, refused = 0;
    struct random random;

    random_init(&random, 4);
    for (int round = 0; round < 30000; round++) {
        int64_t a = (int64_t)random_u64(&random) >> (4 + random_below(&random, 60));
        int64_t b = (int64_t)random_u64(&random) >> (4 + random_below(&random, 60));
        struct numeric_short left, right, result;
        struct packed x, y, whole, scaled;
        char text[80];

        x = parse(decimal(a, (uint32_t)random_below(&random, 12), text));
        y = parse(decimal(b, (uint32_t)random_below(&random, 12), text));
        enum numeric_operation operation = operations[round % 3];
        if (!numeric_short_read(x.bytes, x.size, &left) ||
            !numeric_short_read(y.bytes, y.size, &right) ||
            !numeric_short_calculate(operation, &left, &right, &result)) {
            refused++;
            continue;
        }
        found++;
        cr_assert_eq(numeric_calculate(operation, x.bytes, x.size, y.bytes, y.size, &arena,
                                       &whole.bytes, &whole.size),
                     STATUS_OK);
        cr_assert_eq(numeric_from_scaled(numeric_short_scaled(&result), result.scale, &arena,
                                         &scaled.bytes, &scaled.size),
                     STATUS_OK);
        cr_assert_str_eq(print(scaled), print(whole), "round %d", round);
        arena_reset(&arena);
    }
    cr_assert(found > 5000 && refused > 1000, "%u found, %u refused", found, refused);
    cr_assert_not(numeric_short_calculate(NUMERIC_DIVIDE, &(struct numeric_short){.units = 4},
                                          &(struct numeric_short){.units = 2},
                                          &(struct numeric_short){.units = 0}));
}

Test(numeric, short_numbers_are_few_digits)
{
    static const char *const too_long[] = {"NaN", "12345678901234567", "0.12345678901234567",
                                           "10000000000000000", "1.00000000000000001"};
    struct numeric_short number;

    for (size_t i = 0; i < sizeof(too_long) / sizeof(too_long[0]); i++) {
        struct packed packed = parse(too_long[i]);

        cr_assert_not(numeric_short_read(packed.bytes, packed.size, &number), "%s", too_long[i]);
    }
    struct packed packed = parse("-1000000000000.00");
    cr_assert(numeric_short_read(packed.bytes, packed.size, &number));
    cr_assert(number.units == -1000000000000 && number.fraction == 0 && number.scale == 2);
}
