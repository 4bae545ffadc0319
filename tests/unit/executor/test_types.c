/*
 * Goal: arrays, intervals, JSON and regular expressions take hostile bytes and texts without harm, order as
 * their keys do, and come back as they went in; their functions survive every refused allocation.
 * Method: every truncation and every flipped byte of an encoded array; random values compared pairwise with
 * their keys; random texts for each parser; statements with each allocation refused in turn. What the
 * functions answer stands in tests/sql/types.test.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "executor/array.h"
#include "executor/interval.h"
#include "executor/json.h"
#include "executor/regex.h"
#include "executor/row.h"
#include "executor/session.h"
#include "executor/unicode.h"
#include "kernel/base/random.h"
#include "tests/support/db_rig.h"

static struct memory *memory;
static struct arena arena;
static struct random random_source;
static struct sql_error error;

static void
setup(void)
{
    memory = memory_new();
    arena_init(&arena, memory, MEMORY_SQL);
    random_init(&random_source, 11);
}

static void
teardown(void)
{
    arena_deinit(&arena);
    memory_delete(memory);
}

TestSuite(types, .init = setup, .fini = teardown);

static struct value
parse(enum qtdb_type type, const char *text)
{
    const struct sql_type wanted = {type, -1, -1};
    struct value value;

    cr_assert_eq(value_parse(&wanted, text, strlen(text), &arena, &value, &error), STATUS_OK,
                 "%s: %s", text, error.message);
    return value;
}

static const char *
print(struct value value)
{
    size_t size = 0;

    return value_print(&value, &arena, &size);
}

/* covers: E3 */
Test(types, damaged_arrays_are_refused_or_read_within_their_bytes)
{
    static const char *const texts[] = {"{}", "{a,NULL,\"b c\"}", "[0:1][2:3]={{1,2},{3,4}}"};
    const enum qtdb_type of[] = {QTDB_TYPE_INT4, QTDB_TYPE_TEXT, QTDB_TYPE_NUMERIC};
    uint32_t refused = 0;

    for (int i = 0; i < 3; i++) {
        struct value value = parse(value_array_of(of[i]), texts[i]);
        uint8_t bytes[256];

        cr_assert(array_is_valid(of[i], value.bytes, value.size));
        for (uint32_t size = 0; size < value.size; size++)
            cr_expect_not(array_is_valid(of[i], value.bytes, size), "%s cut to %u", texts[i], size);
        for (uint32_t at = 0; at < 8 * value.size; at++) {
            memcpy(bytes, value.bytes, value.size);
            bytes[at / 8] ^= (uint8_t)(1u << (at % 8));
            if (!array_is_valid(of[i], bytes, value.size)) {
                refused++;
                continue;
            }
            struct value damaged = value_bytes(value.type, bytes, value.size);
            cr_assert_not_null(print(damaged));
            cr_assert_eq(array_compare(&damaged, &damaged), 0);
        }
    }
    cr_assert_gt(refused, 200);
}

static struct value
random_value(enum qtdb_type type)
{
    char text[200] = "{";
    size_t size = 1;

    if (type == QTDB_TYPE_INTERVAL) {
        snprintf(text, sizeof(text), "%d mons %d days %d seconds",
                 (int)random_below(&random_source, 5) - 2,
                 (int)random_below(&random_source, 120) - 60,
                 (int)random_below(&random_source, 400000) - 200000);
        return parse(type, text);
    }
    for (uint64_t left = random_below(&random_source, 4); left > 0; left--)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%s", size > 1 ? "," : "",
                                 random_below(&random_source, 4) == 0   ? "NULL"
                                 : random_below(&random_source, 2) == 0 ? "a"
                                                                        : "ab");
    snprintf(text + size, sizeof(text) - size, "}");
    return parse(type, text);
}

/* covers: E2 */
Test(types, keys_order_as_intervals_and_arrays_do)
{
    const enum qtdb_type types[] = {QTDB_TYPE_INTERVAL, value_array_of(QTDB_TYPE_TEXT)};

    for (int i = 0; i < 20000; i++) {
        struct value a = random_value(types[i % 2]), b = random_value(types[i % 2]);
        uint8_t left[400], right[400];
        struct byte_writer a_key = byte_writer_init(left, sizeof(left));
        struct byte_writer b_key = byte_writer_init(right, sizeof(right));

        /* The key of a null array element is above all others, as the element is. */
        cr_assert(key_encode(&a, &a_key) && key_encode(&b, &b_key));
        size_t least = a_key.offset < b_key.offset ? a_key.offset : b_key.offset;
        int order = memcmp(left, right, least);
        order = order != 0 ? order : (a_key.offset > b_key.offset) - (a_key.offset < b_key.offset);
        int wanted = value_compare(&a, &b);
        cr_assert_eq((order > 0) - (order < 0), (wanted > 0) - (wanted < 0), "%s and %s", print(a),
                     print(b));
        if (wanted == 0)
            cr_assert_eq(value_hash(&a), value_hash(&b));
        arena_reset(&arena);
    }
}

/* covers: E3 */
Test(types, what_is_printed_reads_back_the_same)
{
    for (int i = 0; i < 5000; i++) {
        enum qtdb_type type = i % 2 == 0 ? QTDB_TYPE_INTERVAL : value_array_of(QTDB_TYPE_TEXT);
        struct value value = random_value(type), again = parse(type, print(value));

        cr_assert_str_eq(print(value), print(again));
        cr_assert_eq(value.size, again.size);
        cr_assert_eq(memcmp(value.bytes, again.bytes, value.size), 0);
        arena_reset(&arena);
    }
}

/* covers: E3 */
Test(types, canonical_json_is_canonical)
{
    struct value one =
        parse(QTDB_TYPE_JSONB, " {\"b\":[1.50, -0, 1e2], \"a\":{\"x\":\"\\u00e9\"}, \"b\":2}");
    struct value same = parse(QTDB_TYPE_JSONB, "{\"b\":2.0,\"a\":{\"x\":\"\303\251\"}}");

    cr_assert_str_eq(print(one), "{\"a\": {\"x\": \"\303\251\"}, \"b\": 2}");
    cr_assert_str_eq(print(parse(QTDB_TYPE_JSONB, print(one))), print(one));
    cr_assert_eq(value_compare(&one, &same), 0);
    cr_assert_eq(value_hash(&one), value_hash(&same));
}

static void
put_random_text(char *out, size_t size, const char *letters)
{
    for (size_t i = 0; i < size; i++)
        out[i] = letters[random_below(&random_source, strlen(letters))];
    out[size] = '\0';
}

/* covers: E6 */
Test(types, no_text_breaks_a_parser)
{
    uint32_t taken = 0;

    for (int i = 0; i < 40000; i++) {
        static const struct {
            enum qtdb_type type;
            const char *letters;
        } kinds[] = {
            {QTDB_TYPE_INTERVAL, "0123456789 .:-+PTYMDHSdaymonago"},
            {QTDB_TYPE_INT4 | VALUE_ARRAY, "{}[]:=,\"\\ 12NUL"},
            {QTDB_TYPE_JSONB, "{}[]:,\"\\u0129a. -eEtrufalsn"},
            {QTDB_TYPE_TIMESTAMP, "0123456789-: .T+Z"},
            {QTDB_TYPE_BYTEA, "\\x0123abz"},
        };
        const struct sql_type type = {kinds[i % 5].type, -1, -1};
        char text[24];
        struct value value;

        put_random_text(text, random_below(&random_source, sizeof(text) - 1), kinds[i % 5].letters);
        enum status status = value_parse(&type, text, strlen(text), &arena, &value, &error);
        cr_assert(status == STATUS_OK || (status == STATUS_INVALID && strlen(error.sqlstate) == 5),
                  "%s", text);
        if (status == STATUS_OK) {
            taken++;
            cr_assert_not_null(print(value), "%s", text);
        }
        arena_reset(&arena);
    }
    cr_assert_gt(taken, 500);
}

static enum status
search(const char *pattern, const char *text, struct regex_match *match)
{
    struct regex *regex = NULL;
    enum status status = regex_compile(pattern, strlen(pattern), false, &arena, &regex, &error);

    return status != STATUS_OK ? status
                               : regex_search(regex, text, strlen(text), 0, &arena, match, &error);
}

/* covers: E6 */
Test(types, no_expression_breaks_the_matcher)
{
    uint32_t found = 0;

    for (int i = 0; i < 20000; i++) {
        char pattern[20], text[20];
        struct regex_match match;

        put_random_text(pattern, random_below(&random_source, 19), "ab()|*+?.[]^$\\1d{2,}-:=!");
        put_random_text(text, random_below(&random_source, 19), "ab1 ");
        enum status status = search(pattern, text, &match);
        cr_assert(status == STATUS_OK || status == STATUS_NOT_FOUND ||
                      (status == STATUS_INVALID && strcmp(error.sqlstate, "2201B") == 0),
                  "%s in %s", pattern, text);
        if (status == STATUS_OK) {
            found++;
            cr_assert(match.from[0] <= match.to[0] && match.to[0] <= strlen(text));
        }
        arena_reset(&arena);
    }
    cr_assert_gt(found, 2000);
}

/* Backtracking would take 2^3000 steps. */
Test(types, matching_is_linear)
{
    static char text[3001];
    struct regex_match match;

    memset(text, 'a', 3000);
    cr_assert_eq(search("(a*)*b", text, &match), STATUS_NOT_FOUND);
    cr_assert_eq(search("(a|aa)+$", text, &match), STATUS_OK);
    cr_assert_eq(match.to[0], 3000);
    cr_assert_eq(search("((((((a{50}){50}){50}){50}){50}){50})", text, &match), STATUS_INVALID);
}

Test(types, case_maps_there_and_back)
{
    static const uint32_t pairs[][2] = {{'A', 'a'},     {0xc9, 0xe9},   {0x141, 0x142},
                                        {0x178, 0xff},  {0x391, 0x3b1}, {0x38c, 0x3cc},
                                        {0x416, 0x436}, {0x401, 0x451}, {0x1ef8, 0x1ef9}};

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        cr_expect_eq(unicode_lower(pairs[i][0]), pairs[i][1], "%x", pairs[i][0]);
        cr_expect_eq(unicode_upper(pairs[i][1]), pairs[i][0], "%x", pairs[i][1]);
    }
    cr_expect_eq(unicode_upper(0x3c2), 0x3a3);
    cr_expect_eq(unicode_lower(0x3a3), 0x3c3);
    cr_expect_eq(unicode_upper(0xdf), 0xdf);
}

/* Every refused allocation: the statement fails with 53200 or answers. */
static void
refuse_each(struct db_rig *rig, struct qtdb_session *session, const char *sql)
{
    bool failed = true;

    for (uint64_t index = 0; failed; index++) {
        memory_fail_at(rig->memory, index, false);
        enum qtdb_code code = qtdb_exec(session, sql, NULL, NULL);
        failed = memory_failed(rig->memory);
        memory_fail_at(rig->memory, UINT64_MAX, false);
        cr_assert(code == QTDB_OK || (failed && code == QTDB_NO_MEMORY), "%s at %llu: %s", sql,
                  (unsigned long long)index, qtdb_error_last()->message);
    }
}

/* covers: E4 */
Test(types, functions_survive_every_refused_allocation)
{
    static const char *const statements[] = {
        "select array[[1,2],[3,4]] || array[5,6], (array[1,2,3])[2:3], '{a,\"b c\"}'::text[], "
        "array_to_string(string_to_array('a,b', ','), '-'), array_remove(array[1,2], 1)",
        "select x, array_agg(y order by y), json_agg(y), stddev(y), sum(y * interval '1 day') from "
        "(values (1, 2), (1, 3), (2, null)) t(x, y) group by x",
        "select '{\"a\": [1, {\"b\": null}]}'::jsonb #> '{a,1}', jsonb_set('{\"a\": 1}', '{b}', "
        "'[2]'), "
        "jsonb_build_object('k', array[1,2], 'l', now()), '[1]'::jsonb || '2'",
        "select k, v from jsonb_each('{\"a\": 1, \"b\": [2]}') t(k, v), unnest(array[1,2])",
        "select regexp_replace('foobar', '(o+)(.)', '[\\2\\1]', 'g'), regexp_match('abc', "
        "'(b)(c)'), "
        "'abc' similar to '%b_', regexp_split_to_array('a b c', ' ')",
        "select to_char(timestamp '2020-01-02 03:04:05', 'FMDay, YYYY-MM-DD'), to_char(1234.5, "
        "'9,999.99'), interval '1 day 2:03' * 2.5, age(timestamp '2020-01-02', timestamp "
        "'2019-03-04')",
        "select upper('stra\303\237e'), format('%I %L', 'A b', 'it''s'), encode('\\x01ff', "
        "'base64'), "
        "sqrt(2.0), translate('abc', 'ab', 'x')",
        "select * from generate_series(timestamp '2020-01-01', timestamp '2020-03-01', "
        "interval '1 month') g",
        "select percentile_cont(0.5) within group (order by x), mode() within group (order by x) "
        "from "
        "(values (1), (2), (2)) t(x)",
    };
    struct qtdb_session *session = NULL;
    struct db_rig rig;

    db_rig_init(&rig, 1);
    cr_assert_eq(qtdb_session_open(rig.db, &session), QTDB_OK);
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
        refuse_each(&rig, session, statements[i]);
    qtdb_session_close(session);
    db_rig_deinit(&rig);
}
