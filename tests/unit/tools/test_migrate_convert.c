/*
 * Goal: every tag in every column type becomes the right value, loses what it must and says so, or is
 * found not to fit and names the next wider type.
 *
 * Method: tables of type, value and expected text.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/random.h"
#include "tools/qtdb-migrate/migrate_convert.h"
#include "tools/qtdb-migrate/migrate_decimal.h"
#include "tools/qtdb-migrate/migrate_json.h"
#include "tools/qtdb-migrate/migrate_time.h"

static const struct target_type int2 = {QTDB_TYPE_INT2, -1, -1, 0};
static const struct target_type int8 = {QTDB_TYPE_INT8, -1, -1, 0};
static const struct target_type float8 = {QTDB_TYPE_FLOAT8, -1, -1, 0};
static const struct target_type money = {QTDB_TYPE_NUMERIC, 10, 2, 0};
static const struct target_type numeric = {QTDB_TYPE_NUMERIC, -1, -1, 0};
static const struct target_type text = {QTDB_TYPE_TEXT, -1, -1, 0};
static const struct target_type varchar3 = {QTDB_TYPE_VARCHAR, -1, -1, 3};
static const struct target_type char3 = {QTDB_TYPE_CHAR, -1, -1, 3};
static const struct target_type boolean = {QTDB_TYPE_BOOL, -1, -1, 0};
static const struct target_type date = {QTDB_TYPE_DATE, -1, -1, 0};
static const struct target_type timestamp = {QTDB_TYPE_TIMESTAMP, -1, -1, 0};
static const struct target_type timestamptz = {QTDB_TYPE_TIMESTAMPTZ, -1, -1, 0};
static const struct target_type uuid = {QTDB_TYPE_UUID, -1, -1, 0};
static const struct target_type json = {QTDB_TYPE_JSON, -1, -1, 0};
static const struct target_type bytea = {QTDB_TYPE_BYTEA, -1, -1, 0};

struct example {
    const struct target_type *type;
    enum legacy_tag tag;
    const char *value;    /* As text; integers and reals are read from it. */
    const char *expected; /* "" with `misfit` set: does not fit. */
    const char *lost;     /* Part of the loss's words; NULL: nothing. */
    const struct target_type *wider;
};

static const struct example examples[] = {
    {&int2, LEGACY_SMALLINT, "-7", "-7", NULL, NULL},
    {&int2, LEGACY_INTEGER, "32767", "32767", NULL, NULL},
    {&int2, LEGACY_INTEGER, "32768", NULL, NULL, &int8},
    {&int2, LEGACY_NUMERIC, "99999999999999999999", NULL, NULL, &numeric},
    {&int8, LEGACY_INTEGER, "-9223372036854775807", "-9223372036854775807", NULL, NULL},
    {&int8, LEGACY_NUMERIC, "5.000", "5", NULL, NULL},
    {&int8, LEGACY_NUMERIC, "-2.5", "-3", "fraction", NULL},
    {&int8, LEGACY_REAL, "1e3", "1000", NULL, NULL},
    {&int8, LEGACY_TEXT, " 42 ", "42", NULL, NULL},
    {&int8, LEGACY_TEXT, "forty", NULL, NULL, &text},
    {&int8, LEGACY_BOOLEAN, "1", "1", NULL, NULL},
    {&float8, LEGACY_REAL, "-0.1", "-0.1", NULL, NULL},
    {&float8, LEGACY_NUMERIC, "1.5", "1.5", NULL, NULL},
    {&float8, LEGACY_NUMERIC, "0.1234567890123456789", "0.12345678901234568", "double", NULL},
    {&float8, LEGACY_INTEGER, "9007199254740993", "9007199254740992", "double", NULL},
    {&float8, LEGACY_TEXT, "-0", "-0", NULL, NULL},
    {&float8, LEGACY_TEXT, "x", NULL, NULL, &text},
    {&money, LEGACY_SMALLINT, "5", "5.00", NULL, NULL},
    {&money, LEGACY_NUMERIC, "123.4500", "123.45", NULL, NULL},
    {&money, LEGACY_NUMERIC, "0.005", "0.01", "scale", NULL},
    {&money, LEGACY_NUMERIC, "-0.004", "0.00", "scale", NULL},
    {&money, LEGACY_NUMERIC, "99999999.995", NULL, NULL, &numeric},
    {&money, LEGACY_REAL, "0.25", "0.25", NULL, NULL},
    {&money, LEGACY_NUMERIC, "1.5e3", "1500.00", NULL, NULL},
    {&money, LEGACY_TEXT, "a lot", NULL, NULL, &text},
    {&numeric, LEGACY_NUMERIC, "-12345678901234567890.1200", "-12345678901234567890.1200", NULL,
     NULL},
    {&numeric, LEGACY_NUMERIC, "-0.00", "0.00", NULL, NULL},
    {&text, LEGACY_DATE, "2025-01-15", "2025-01-15", NULL, NULL},
    {&text, LEGACY_REAL, "0.1", "0.1", NULL, NULL},
    {&text, LEGACY_INTEGER, "-5", "-5", NULL, NULL},
    {&text, LEGACY_BOOLEAN, "0", "false", NULL, NULL},
    {&varchar3, LEGACY_TEXT, "\320\256\320\275\320\270", "\320\256\320\275\320\270", NULL, NULL},
    {&varchar3, LEGACY_TEXT, "abcd", NULL, NULL, &text},
    {&char3, LEGACY_CHAR, "ab    ", "ab ", NULL, NULL},
    {&char3, LEGACY_TEXT, "a", "a  ", NULL, NULL},
    {&char3, LEGACY_TEXT, "abcd", NULL, NULL, &text},
    {&boolean, LEGACY_BOOLEAN, "1", "t", NULL, NULL},
    {&boolean, LEGACY_SMALLINT, "0", "f", NULL, NULL},
    {&boolean, LEGACY_TEXT, "Yes", "t", NULL, NULL},
    {&boolean, LEGACY_SMALLINT, "2", NULL, NULL, &text},
    {&date, LEGACY_DATE, "2024-02-29", "2024-02-29", NULL, NULL},
    {&date, LEGACY_DATE, "+12025-01-15", "12025-01-15", NULL, NULL},
    {&date, LEGACY_DATE, "-0043-03-15", "0044-03-15 BC", NULL, NULL},
    {&date, LEGACY_DATE, "0000-03-15", "0001-03-15 BC", NULL, NULL},
    {&date, LEGACY_DATE, "-9999-03-15", NULL, NULL, &text},
    {&date, LEGACY_TIMESTAMP, "2025-01-15T10:30:00", "2025-01-15", "time of day", NULL},
    {&date, LEGACY_TIMESTAMP, "2025-01-15T00:00:00", "2025-01-15", NULL, NULL},
    {&date, LEGACY_TEXT, "2023-02-29", NULL, NULL, &text},
    {&timestamp, LEGACY_TIMESTAMP, "2025-01-15T10:30:00.250000", "2025-01-15 10:30:00.25", NULL,
     NULL},
    {&timestamp, LEGACY_TIMESTAMP, "-0043-03-15T00:00:00.000000001", "0044-03-15 00:00:00 BC",
     "microseconds", NULL},
    {&timestamp, LEGACY_DATE, "2025-01-15", "2025-01-15 00:00:00", NULL, NULL},
    {&timestamp, LEGACY_TIMESTAMPTZ, "1969-12-31T23:59:59Z", "1969-12-31 23:59:59", "zone", NULL},
    {&timestamptz, LEGACY_TIMESTAMPTZ, "1969-12-31T23:59:59Z", "1969-12-31 23:59:59+00", NULL,
     NULL},
    {&timestamptz, LEGACY_TIMESTAMP, "-0001-01-01T00:00:00", "0002-01-01 00:00:00+00 BC", NULL,
     NULL},
    {&uuid, LEGACY_TEXT, "550E8400-E29B-41D4-A716-446655440000",
     "550e8400-e29b-41d4-a716-446655440000", NULL, NULL},
    {&uuid, LEGACY_TEXT, "550e8400e29b41d4a716446655440000", NULL, NULL, &text},
    {&json, LEGACY_JSON, "{\"a\": [1,2]}", "{\"a\": [1,2]}", NULL, NULL},
    {&json, LEGACY_SMALLINT, "5", "5", NULL, NULL},
    {&json, LEGACY_TEXT, "{a: 1}", NULL, NULL, &text},
    {&bytea, LEGACY_TEXT, "abc", "abc", NULL, NULL},
    {&bytea, LEGACY_SMALLINT, "1", NULL, NULL, &text},
};

static struct legacy_value
value_of(const struct example *example)
{
    struct legacy_value value = {.tag = example->tag,
                                 .text = {example->value, strlen(example->value)}};

    value.integer = strtoll(example->value, NULL, 10);
    value.real = strtod(example->value, NULL);
    return value;
}

static const char *
shown(const struct converted *converted, char out[128])
{
    if (converted->form == CONVERT_INTEGER)
        snprintf(out, 128, "%lld", (long long)converted->integer);
    else if (converted->form == CONVERT_REAL)
        snprintf(out, 128, "%.17g", converted->real);
    else
        snprintf(out, 128, "%.*s", (int)converted->size, converted->bytes);
    return out;
}

static void
check_example(const struct example *example, struct arena *arena)
{
    struct legacy_value value = value_of(example);
    struct converted converted;
    char got[128];
    enum convert_result result = convert_value(example->type, &value, arena, &converted);

    if (example->expected == NULL) {
        cr_assert_eq(result, CONVERT_MISFIT, "%s fits", example->value);
        struct target_type wider = convert_widen(example->type, &value, arena);
        cr_assert_eq(wider.type, example->wider->type, "%s", example->value);
        cr_assert_eq(convert_value(&wider, &value, arena, &converted), CONVERT_OK);
        return;
    }
    cr_assert_eq(result, CONVERT_OK, "%s does not fit", example->value);
    if (converted.form == CONVERT_REAL)
        cr_assert_eq(converted.real, strtod(example->expected, NULL), "%s", example->value);
    else
        cr_assert_str_eq(shown(&converted, got), example->expected);
    cr_assert_eq(converted.loss != NULL, example->lost != NULL, "%s: %s", example->value,
                 converted.loss != NULL ? converted.loss : "no loss");
    cr_assert(example->lost == NULL || strstr(converted.loss, example->lost) != NULL);
}

Test(migrate_convert, values_become_what_their_column_takes)
{
    struct memory *memory = memory_new();
    struct arena arena;

    arena_init(&arena, memory, MEMORY_OTHER);
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
        check_example(&examples[i], &arena);
    arena_deinit(&arena);
    memory_delete(memory);
}

Test(migrate_convert, null_is_null_in_every_type)
{
    struct legacy_value value = {.tag = LEGACY_NULL};
    struct converted converted;

    cr_assert_eq(convert_value(&uuid, &value, NULL, &converted), CONVERT_OK);
    cr_assert_eq(converted.form, CONVERT_NULL);
}

Test(migrate_convert, json_is_told_from_what_is_not)
{
    static const char *const good[] = {"0",    "-1.5e+3", "\"\\u00e9\\n\"",
                                       "[]",   "{}",      " [1, {\"a\": null}] ",
                                       "true", "[[[]]]",  "{\"a\":{\"b\":[false]}}"};
    static const char *const bad[] = {
        "",      "01",    "1.",  "[1,]", "{\"a\"}", "{\"a\":1,}", "\"\t\"",      "\"\\x\"",
        "[1 2]", "{1:2}", "nul", "[",    "]",       "1 1",        "\"\\u12g4\"", "{\"a\":}"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert(migrate_json_is_valid(good[i], strlen(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(migrate_json_is_valid(bad[i], strlen(bad[i])), "%s", bad[i]);
    char deep[3000];
    memset(deep, '[', sizeof(deep));
    cr_assert_not(migrate_json_is_valid(deep, sizeof(deep)));
}

Test(migrate_convert, doubles_are_those_of_strtod)
{
    struct memory *memory = memory_new();
    struct random random;
    struct arena arena;
    uint32_t direct = 0;

    random_init(&random, 3);
    arena_init(&arena, memory, MEMORY_OTHER);
    for (int i = 0; i < 20000; i++) {
        char text[80];
        struct decimal decimal;
        double real = 0;
        uint64_t digits = random_u64(&random) >> random_below(&random, 64);

        arena_reset(&arena);
        (void)snprintf(text, sizeof(text), "%s%llue-%llu", i % 2 == 0 ? "-" : "",
                       (unsigned long long)digits, (unsigned long long)random_below(&random, 30));
        cr_assert(decimal_parse(text, strlen(text), &arena, &decimal));
        if (!decimal_to_real(&decimal, &real))
            continue;
        direct++;
        cr_assert(real == strtod(text, NULL), "%s: %.17g", text, real);
    }
    cr_assert_gt(direct, 8000);
    arena_deinit(&arena);
    memory_delete(memory);
}

Test(migrate_convert, moments_print_as_postgresql_prints_them)
{
    static const struct {
        const char *text;
        const char *date;
        const char *timestamp;
        const char *time;
    } rows[] = {
        {"2025-01-05T10:30:09", "2025-01-05", "2025-01-05 10:30:09+00", "10:30:09"},
        {"0007-12-31T00:00:00.5", "0007-12-31", "0007-12-31 00:00:00.5+00", "00:00:00.5"},
        {"-0043-03-15T23:59:59.000001", "0044-03-15 BC", "0044-03-15 23:59:59.000001+00 BC",
         "23:59:59.000001"},
        {"+12025-01-15T01:02:03.120340", "12025-01-15", "12025-01-15 01:02:03.12034+00",
         "01:02:03.12034"},
        {"+294276-12-31T01:02:03.0000009", "294276-12-31", "294276-12-31 01:02:03+00", "01:02:03"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct moment moment;
        char out[MIGRATE_TIME_SIZE];

        cr_assert(moment_parse(rows[i].text, strlen(rows[i].text), &moment), "%s", rows[i].text);
        cr_assert_eq(moment_print_date(&moment, out), strlen(rows[i].date));
        cr_assert_str_eq(out, rows[i].date);
        cr_assert_eq(moment_print_timestamp(&moment, true, out), strlen(rows[i].timestamp));
        cr_assert_str_eq(out, rows[i].timestamp);
        cr_assert_eq(moment_print_time(&moment, out), strlen(rows[i].time));
        cr_assert_str_eq(out, rows[i].time);
    }
}
