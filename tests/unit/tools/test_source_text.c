/*
 * Goal: CSV and JSON files come out value by value as they are, with the columns' types found from all
 * values; what is damaged is refused with its line; compressed files read like plain ones; refused
 * memory is an error and no leak.
 *
 * Method: small files made here, read through source.h and compared as text.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/compress.h"
#include "tests/unit/tools/source_rig.h"
#include "tools/qtdb-migrate/csv_read.h"
#include "tools/qtdb-migrate/infer.h"

static struct legacy_rig rig;

static void
set_up(void)
{
    legacy_rig_init(&rig);
}

static void
tear_down(void)
{
    legacy_rig_deinit(&rig);
}

TestSuite(source_text, .init = set_up, .fini = tear_down);

struct example {
    const char *text;
    enum legacy_column_kind kind;
};

Test(source_text, a_type_is_found_only_where_it_gives_the_text_back)
{
    static const struct example examples[] = {
        {"0", LEGACY_COLUMN_INTEGER},
        {"-9223372036854775808", LEGACY_COLUMN_INTEGER},
        {"9223372036854775808", LEGACY_COLUMN_NUMERIC},
        {"1.50", LEGACY_COLUMN_NUMERIC},
        {"-0.5", LEGACY_COLUMN_NUMERIC},
        {"1e5", LEGACY_COLUMN_REAL},
        {"1E-300", LEGACY_COLUMN_REAL},
        {"1e400", LEGACY_COLUMN_TEXT},
        {"007", LEGACY_COLUMN_TEXT},
        {"+5", LEGACY_COLUMN_TEXT},
        {"-0", LEGACY_COLUMN_TEXT},
        {"1.", LEGACY_COLUMN_TEXT},
        {"1 ", LEGACY_COLUMN_TEXT},
        {"", LEGACY_COLUMN_TEXT},
        {"TRUE", LEGACY_COLUMN_BOOLEAN},
        {"f", LEGACY_COLUMN_BOOLEAN},
        {"yes", LEGACY_COLUMN_TEXT},
        {"2024-02-29", LEGACY_COLUMN_DATE},
        {"2023-02-29", LEGACY_COLUMN_TEXT},
        {"2024-02-29T10:00:00", LEGACY_COLUMN_TIMESTAMP},
        {"2024-02-29 10:00:00.123456", LEGACY_COLUMN_TIMESTAMP},
        {"2024-02-29 10:00:00.1234567", LEGACY_COLUMN_TEXT},
        {"2024-02-29 10:00:00+02:00", LEGACY_COLUMN_TIMESTAMPTZ},
        {"550e8400-e29b-41d4-a716-446655440000", LEGACY_COLUMN_UUID},
        {"550E8400-e29b-41d4-a716-446655440000", LEGACY_COLUMN_TEXT},
    };

    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct infer infer;

        infer_init(&infer);
        infer_value(&infer, examples[i].text, strlen(examples[i].text));
        cr_expect_eq(infer_kind(&infer), examples[i].kind, "%s: %d", examples[i].text,
                     infer_kind(&infer));
    }
}

Test(source_text, a_type_is_what_every_value_has)
{
    struct infer infer;

    infer_init(&infer);
    cr_expect_eq(infer_kind(&infer), LEGACY_COLUMN_TEXT, "no value");
    infer_value(&infer, "1", 1);
    infer_value(&infer, "2.5", 3);
    cr_expect_eq(infer_kind(&infer), LEGACY_COLUMN_NUMERIC);
    infer_value(&infer, "1e3", 3);
    cr_expect_eq(infer_kind(&infer), LEGACY_COLUMN_REAL);
    infer_value(&infer, "2024-01-01", 10);
    cr_expect_eq(infer_kind(&infer), LEGACY_COLUMN_TEXT);
}

Test(source_text, csv_fields_with_quotes_lines_and_delimiters_in_them)
{
    source_rig_expect(&rig, "a.csv",
                      "\xef\xbb\xbfid,name,note\r\n1,\"a \"\"q\"\", b\",\"two\nlines\"\r\n"
                      "\r\n2,,\"\"\r3,x\"y,\"z\"w\n4,last,",
                      NULL,
                      "public.a(id bigint, name text, note text)\n1|a \"q\", b|two\nlines\n"
                      "2|NULL|\n3|x\"y|zw\n4|last|NULL\n");
}

Test(source_text, csv_rows_of_other_lengths_are_told)
{
    source_rig_expect(&rig, "a.csv", "a,b\n1\n1,2,3,\n", NULL,
                      "public.a(a bigint, b bigint)\n1|NULL -1\n1|2|+3|+NULL\n");
}

Test(source_text, csv_delimiters_are_found_and_may_be_given)
{
    const struct source_options bar = {.delimiter = "|"};
    const struct source_options tab = {.delimiter = "tab"};

    source_rig_expect(&rig, "a.csv", "a;b\n1;\"x;\ny\"\n2;x,y\n", NULL,
                      "public.a(a bigint, b text)\n1|x;\ny\n2|x,y\n");
    source_rig_expect(&rig, "a.tsv", "a\tb, c\n1\t2\n", NULL,
                      "public.a(a bigint, b, c bigint)\n1|2\n");
    source_rig_expect(&rig, "a.csv", "a,b|c\n1,2|3\n", &bar,
                      "public.a(a,b text, c bigint)\n1,2|3\n");
    source_rig_expect(&rig, "a.csv", "a,b\tc\n", &tab, "public.a(a,b text, c text)\n");
}

Test(source_text, csv_headers_are_found_and_may_be_decided)
{
    const struct source_options with = {.header = true};
    const struct source_options without = {.no_header = true};

    source_rig_expect(&rig, "a.csv", "1,x\n2,y\n", NULL,
                      "public.a(c1 bigint, c2 text)\n1|x\n2|y\n");
    source_rig_expect(&rig, "a.csv", "x,x\ny,z\n", NULL, "public.a(c1 text, c2 text)\nx|x\ny|z\n");
    source_rig_expect(&rig, "a.csv", "1,x\n2,y\n", &with, "public.a(1 bigint, x text)\n2|y\n");
    source_rig_expect(&rig, "a.csv", "a,b\n", &without, "public.a(c1 text, c2 text)\na|b\n");
}

Test(source_text, an_empty_line_is_a_null_where_there_is_one_column)
{
    source_rig_expect(&rig, "a.csv", "\nv\n1\n\n2\n", NULL, "public.a(v bigint)\n1\nNULL\n2\n");
}

Test(source_text, csv_that_is_no_utf8_is_read_as_latin1_and_says_so)
{
    source_rig_expect(
        &rig, "a.csv", "v\nna\xefve\n", NULL,
        "public.a(v text)\nna\xc3\xafve[the text is not UTF-8 and was read as Latin-1]\n");
}

Test(source_text, damaged_csv_is_refused_with_its_line)
{
    source_rig_expect(&rig, "a.csv", "a,b\n1,2\n3,\"4\n5,6\n", NULL,
                      "a.csv: line 3: a quoted field has no closing quote");
    source_rig_expect(&rig, "a.csv", "", NULL, "a.csv: there is no line in it");
}

Test(source_text, json_lines_arrays_and_objects_in_a_row)
{
    source_rig_expect(
        &rig, "a.jsonl",
        "{\"a\": 1, \"b\": \"x\\n\\u00e9\\ud83d\\ude00\", \"n\": {\"k\": [1, \"}\"]}}\n"
        "\n{\"b\": null, \"a\": -2, \"t\": true}{}",
        NULL,
        "public.a(a bigint, b text, n jsonb, t boolean)\n"
        "1|x\n\xc3\xa9\xf0\x9f\x98\x80|{\"k\": [1, \"}\"]}|NULL\n-2|NULL|NULL|true\n"
        "NULL|NULL|NULL|NULL\n");
    source_rig_expect(&rig, "a.json", " [ {\"a\": 1.10} ,\n{\"a\": 99999999999999999999}]\n", NULL,
                      "public.a(a numeric)\n1.10\n99999999999999999999\n");
}

Test(source_text, json_columns_of_mixed_values_keep_them_as_jsonb)
{
    source_rig_expect(&rig, "a.json", "{\"a\": 1}\n{\"a\": \"1\"}\n{\"a\": null}\n", NULL,
                      "public.a(a jsonb)\n1\n\"1\"\nNULL\n");
}

Test(source_text, json_losses_are_told)
{
    source_rig_expect(
        &rig, "a.json", "{\"a\": \"\\ud800x\", \"b\": 1, \"b\": 2}", NULL,
        "public.a(a text, b bigint)\n\xef\xbf\xbdx[half a surrogate pair became U+FFFD]|"
        "2[the object has this name twice; the last value was taken]\n");
}

Test(source_text, damaged_json_is_refused_with_its_line)
{
    source_rig_expect(&rig, "a.json", "{\"a\": 1}\n{\"a\": 01}\n", NULL,
                      "a.json: line 2: not valid JSON");
    source_rig_expect(&rig, "a.json", "{\"a\": 1}\n\n{\"a\": [1}\n", NULL,
                      "a.json: line 3: the object has no end");
    source_rig_expect(&rig, "a.json", "[{\"a\": 1} {\"a\": 2}]", NULL,
                      "a.json: line 1: a comma or the end of the array is missing");
    source_rig_expect(&rig, "a.json", "[{\"a\": 1}", NULL,
                      "a.json: line 1: a comma or the end of the array is missing");
    source_rig_expect(&rig, "a.json", "[{\"a\": 1}] {}", NULL,
                      "a.json: line 1: something stands behind the array");
    source_rig_expect(&rig, "a.json", "17", NULL,
                      "a.json: line 1: not an object; each row must be one");
    source_rig_expect(&rig, "a.json", "[]", NULL, "a.json: there is no object in it");
}

/* A file of `count` lines, compressed in two frames. */
static void
write_compressed(const char *path, size_t count, size_t cut)
{
    char *plain = malloc(count * 32 + 64), *packed = malloc(count * 32 + 4096);
    size_t size = (size_t)snprintf(plain, 64, "id,name\n"), half, packed_size;
    struct compress *codec = NULL;

    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(plain + size, 64, "%zu,name of %zu\n", i, i * 7919 % 10007);
    half = size / 2;
    cr_assert_eq(compress_new(rig.env.memory, &codec), STATUS_OK);
    packed_size = compress_encode(codec, plain, half, packed, count * 16 + 2048, 3);
    packed_size += compress_encode(codec, plain + half, size - half, packed + packed_size,
                                   count * 16 + 2048, 3);
    compress_free(codec);
    cr_assert(cut < packed_size);
    legacy_rig_write(path, packed, packed_size - cut);
    free(plain);
    free(packed);
}

Test(source_text, a_compressed_file_reads_like_a_plain_one)
{
    const char *path = legacy_rig_path(&rig, "many.csv.zst");

    write_compressed(path, 50000, 0);
    char *got = source_rig_dump(&rig, path, NULL);
    cr_expect(strncmp(got, "public.many(id bigint, name text)\n0|name of 0\n", 46) == 0, "%.80s",
              got);
    cr_expect_not_null(strstr(got, "\n49999|name of "));
    free(got);
}

Test(source_text, a_cut_or_damaged_frame_is_refused)
{
    const char *path = legacy_rig_path(&rig, "many.csv.zst");

    write_compressed(path, 1000, 5);
    char *got = source_rig_dump(&rig, path, NULL);
    cr_expect_not_null(strstr(got, "the zstd frame is cut off"), "%s", got);
    free(got);
    write_compressed(path, 1000, 0);
    size_t size = 0;
    unsigned char *bytes = legacy_rig_read(path, &size);
    memset(bytes + size / 3, 0xff, 40);
    legacy_rig_write(path, bytes, size);
    free(bytes);
    got = source_rig_dump(&rig, path, NULL);
    cr_expect(got[0] == '!' && strstr(got, "the zstd frame is damaged") != NULL, "%.200s", got);
    free(got);
}

Test(source_text, a_field_may_lie_across_the_buffer)
{
    const char *path = legacy_rig_path(&rig, "long.csv");
    size_t size = 3 * INPUT_BUFFER_SIZE;
    char *bytes = malloc(size + 64);

    memcpy(bytes, "a,b\n1,\"", 7);
    memset(bytes + 7, 'x', size);
    bytes[INPUT_BUFFER_SIZE - 1] = '"'; /* A doubled quote on both sides of the boundary. */
    bytes[INPUT_BUFFER_SIZE] = '"';
    memcpy(bytes + 7 + size, "\"\n2,y\n", 6);
    legacy_rig_write(path, bytes, size + 13);
    char *got = source_rig_dump(&rig, path, NULL);
    cr_expect_eq(strlen(got), strlen("public.long(a bigint, b text)\n1|\n2|y\n") + size - 1);
    cr_expect_not_null(strstr(got, "x\"x"));
    cr_expect_not_null(strstr(got, "x\n2|y\n"));
    free(got);
    free(bytes);
}

Test(source_text, a_record_past_the_bound_is_refused)
{
    const char *path = legacy_rig_path(&rig, "huge.csv");
    size_t size = CSV_RECORD_SIZE_MAX + 1000;
    char *bytes = malloc(size);

    memset(bytes, '"', size);
    memset(bytes + 1, 'x', size - 1);
    legacy_rig_write(path, bytes, size);
    free(bytes);
    char *got = source_rig_dump(&rig, path, NULL);
    cr_expect_not_null(strstr(got, "a record of more than 32 MB"), "%.200s", got);
    free(got);
}

Test(source_text, refused_memory_is_an_error_and_no_leak)
{
    static const char csv[] = "a,b\n1,\"x\"\n2,\xff,more\n";
    static const char json[] = "{\"a\": 1, \"b\": \"\\u00e9\", \"c\": [1]}\n{\"d\": true}\n";

    legacy_rig_write(legacy_rig_path(&rig, "a.csv"), csv, strlen(csv));
    source_rig_starve(&rig, legacy_rig_path(&rig, "a.csv"));
    legacy_rig_write(legacy_rig_path(&rig, "a.json"), json, strlen(json));
    source_rig_starve(&rig, legacy_rig_path(&rig, "a.json"));
    write_compressed(legacy_rig_path(&rig, "b.csv.zst"), 10, 0);
    source_rig_starve(&rig, legacy_rig_path(&rig, "b.csv.zst"));
}
