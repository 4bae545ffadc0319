/*
 * Goal: files of every generation are told apart and read alike; what is cut off or damaged is refused
 * with a place and words, never with a crash or a guess.
 *
 * Method: legacy-make writes the same content in each generation (it shares no code with the reader);
 * each length of the file, and flipped bits all over it, are read.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/random.h"
#include "tests/unit/tools/legacy_rig.h"

static const struct source_options no_log = {.no_log = true};

Test(legacy_read, the_four_generations_hold_the_same_rows)
{
    char *first = NULL;

    for (char generation = 'A'; generation <= 'D'; generation++) {
        struct legacy_rig rig;

        legacy_rig_init(&rig);
        legacy_rig_sample(&rig, generation, false);
        char *rows = legacy_rig_dump(&rig, rig.folder, NULL);
        cr_assert(rows[0] != '!', "%c: %s", generation, rows);
        if (first == NULL)
            first = rows;
        cr_assert_str_eq(rows, first);
        if (rows != first)
            free(rows);
        legacy_rig_deinit(&rig);
    }
    cr_assert_not_null(strstr(first, "shop.notes: 1|newer 1\n"));
    free(first);
}

Test(legacy_read, generation_and_shape_are_found)
{
    for (char generation = 'A'; generation <= 'D'; generation++) {
        struct legacy_rig rig;
        struct legacy_stream stream;
        struct legacy_form form;
        struct legacy_fault fault;

        legacy_rig_init(&rig);
        legacy_rig_sample(&rig, generation, false);
        cr_assert_eq(
            legacy_stream_open(&rig.env, legacy_rig_path(&rig, "server_instance.db"), &stream),
            STATUS_OK);
        cr_assert_eq(legacy_detect(&stream, &form, &fault), STATUS_OK);
        cr_assert_eq(legacy_generation_name(form.generation)[0], generation);
        cr_assert_eq(form.shape, LEGACY_INSTANCE);
        legacy_stream_close(&stream);
        legacy_rig_deinit(&rig);
    }
}

Test(legacy_read, every_truncation_is_refused_with_its_place, .timeout = 120)
{
    struct legacy_rig rig;
    size_t size;

    legacy_rig_init(&rig);
    legacy_rig_sample(&rig, 'B', false);
    const char *path = legacy_rig_path(&rig, "server_instance.db");
    unsigned char *bytes = legacy_rig_read(path, &size);
    for (size_t length = 0; length < size; length += length < 300 ? 1 : 7) {
        legacy_rig_write(path, bytes, length);
        char *rows = legacy_rig_dump(&rig, path, &no_log);
        cr_assert_eq(rows[0], '!', "length %zu was read", length);
        cr_assert(length == 0 || strstr(rows, "byte ") != NULL, "%s", rows);
        free(rows);
    }
    free(bytes);
    legacy_rig_deinit(&rig);
}

Test(legacy_read, flipped_bits_give_rows_or_a_fault, .timeout = 120)
{
    struct legacy_rig rig;
    struct random random;
    size_t size;
    const uint64_t seed = 7;

    legacy_rig_init(&rig);
    random_init(&random, seed);
    legacy_rig_sample(&rig, 'C', false);
    const char *path = legacy_rig_path(&rig, "server_instance.db");
    unsigned char *bytes = legacy_rig_read(path, &size);
    for (int i = 0; i < 600; i++) {
        size_t bit = (size_t)random_below(&random, size * 8);

        bytes[bit / 8] ^= (unsigned char)(1u << (bit % 8));
        legacy_rig_write(path, bytes, size);
        free(legacy_rig_dump(&rig, path, &no_log));
        bytes[bit / 8] ^= (unsigned char)(1u << (bit % 8));
    }
    free(bytes);
    legacy_rig_deinit(&rig);
}

struct tally {
    uint64_t rows;
    uint64_t dead;
    int64_t ids;
    uint64_t bytes;
};

static enum status
tally_row(void *context, const struct legacy_row *row)
{
    struct tally *tally = context;

    cr_assert_eq(row->value_count, 4);
    tally->rows++;
    tally->dead += !row->live;
    tally->ids += row->values[0].integer;
    for (int i = 1; i < 4; i++) {
        const struct legacy_text *text = &row->values[i].text;

        cr_assert_eq(text->bytes[text->size], '\0');
        cr_assert_eq(strlen(text->bytes), text->size);
        tally->bytes += text->size;
    }
    return STATUS_OK;
}

/* Rows of legacy-make take about 2 MB: some pass the end of the stream's buffer. */
enum { MANY_ROWS = 20000 };

static const char *
many_rows(struct legacy_rig *rig, char generation)
{
    const struct make_options options = {
        .env = rig->env, .generation = generation, .rows = MANY_ROWS, .seed = 1};
    const char *path = legacy_rig_path(rig, "many.db");

    cr_assert_eq(make_rows(&options, path), TOOL_OK);
    return path;
}

Test(legacy_read, rows_past_the_end_of_the_buffer_are_read_like_others)
{
    struct tally first = {.rows = 0};

    for (char generation = 'A'; generation <= 'D'; generation++) {
        struct legacy_rig rig;
        struct legacy_stream stream;
        struct legacy_form form;
        struct legacy_fault fault;
        struct tally tally = {.rows = 0};
        const struct legacy_visitor visitor = {.context = &tally, .row = tally_row};

        legacy_rig_init(&rig);
        cr_assert_eq(legacy_stream_open(&rig.env, many_rows(&rig, generation), &stream), STATUS_OK);
        cr_assert_eq(legacy_detect(&stream, &form, &fault), STATUS_OK);
        cr_assert_eq(legacy_generation_name(form.generation)[0], generation);
        /* What was read once is passed over by the next trial, but never where rows are wanted. */
        cr_assert_eq(stream.known_count, 1);
        cr_assert_eq(stream.known[0].count, MANY_ROWS);
        cr_assert_eq(legacy_read(&stream, &form, &visitor), STATUS_OK);
        cr_assert_eq(tally.rows, MANY_ROWS);
        cr_assert_eq(tally.dead, MANY_ROWS / 100);
        cr_assert_eq(tally.ids, (int64_t)MANY_ROWS * (MANY_ROWS + 1) / 2);
        first = generation == 'A' ? tally : first;
        cr_assert_eq(tally.bytes, first.bytes);
        legacy_stream_close(&stream);
        legacy_rig_deinit(&rig);
    }
}

Test(legacy_read, a_fault_in_a_row_has_its_place_wherever_the_row_lies)
{
    struct legacy_rig rig;
    size_t size;

    legacy_rig_init(&rig);
    const char *path = many_rows(&rig, 'C');
    unsigned char *bytes = legacy_rig_read(path, &size);
    for (size_t at = size / 7; at < size - 4096; at += size / 7) {
        char wanted[64];
        unsigned char *text = memmem(bytes + at, 4096, "row ", 4);

        cr_assert_not_null(text);
        text[5] ^= 0x80; /* Of a payload: no UTF-8 any more. */
        legacy_rig_write(path, bytes, size);
        char *rows = legacy_rig_dump(&rig, path, &no_log);
        (void)snprintf(wanted, sizeof(wanted), "byte %zu of", (size_t)(text - bytes) - 8);
        cr_assert_not_null(strstr(rows, wanted), "%s: %.200s", wanted, rows);
        cr_assert_not_null(strstr(rows, "is not UTF-8"), "%.200s", rows);
        free(rows);
        text[5] ^= 0x80;
    }
    free(bytes);
    legacy_rig_deinit(&rig);
}

Test(legacy_read, a_length_that_the_file_cannot_hold_takes_no_memory)
{
    struct legacy_rig rig;
    uint64_t words[32] = {1, UINT64_MAX / 2};

    legacy_rig_init(&rig);
    const char *path = legacy_rig_path(&rig, "x.db");
    legacy_rig_write(path, words, sizeof(words));
    char *rows = legacy_rig_dump(&rig, path, NULL);
    cr_assert_not_null(strstr(rows, "passes the end of the file"), "%s", rows);
    free(rows);
    legacy_rig_deinit(&rig);
}

Test(legacy_read, the_right_file_of_a_directory_is_taken)
{
    struct legacy_rig rig;
    size_t size;

    legacy_rig_init(&rig);
    char *rows = legacy_rig_dump(&rig, rig.folder, NULL);
    cr_assert_not_null(strstr(rows, "no server_instance.db"), "%s", rows);
    free(rows);
    legacy_rig_sample(&rig, 'B', false);
    unsigned char *bytes = legacy_rig_read(legacy_rig_path(&rig, "server_instance.db"), &size);
    legacy_rig_write(legacy_rig_path(&rig, "main.db"), "rubbish", 7);
    rows = legacy_rig_dump(&rig, rig.folder, NULL);
    cr_assert(rows[0] != '!', "%s", rows);
    free(rows);
    remove(legacy_rig_path(&rig, "server_instance.db"));
    remove(legacy_rig_path(&rig, "main.db"));
    legacy_rig_write(legacy_rig_path(&rig, "a.db"), bytes, size);
    legacy_rig_write(legacy_rig_path(&rig, "b.db"), bytes, size);
    rows = legacy_rig_dump(&rig, rig.folder, NULL);
    cr_assert_not_null(strstr(rows, "name one of them"), "%s", rows);
    free(rows);
    /* The log beside it is not that of a.db. */
    rows = legacy_rig_dump(&rig, legacy_rig_path(&rig, "a.db"), NULL);
    cr_assert_not_null(strstr(rows, "shop.notes: 1|old 1\n"), "%s", rows);
    free(rows);
    free(bytes);
    legacy_rig_deinit(&rig);
}
