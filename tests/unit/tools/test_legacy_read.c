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
