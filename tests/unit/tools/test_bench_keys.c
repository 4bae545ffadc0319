/*
 * Goal: the benchmark's keys and values are what its checks rely on: each row has one key and back,
 * absent keys are absent, the shuffle loses no row, a changed value is noticed, percentiles are within their
 * stated error, key files are refused for the right reason, and no refusal of memory leaks.
 * Method: small numbers of rows of every awkward size, each looked at whole.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/base/compress.h"
#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench.h"

static const uint64_t counts[] = {1, 2, 3, 7, 64, 1000, 4097};
enum { COUNTS = sizeof(counts) / sizeof(counts[0]) };

Test(bench_keys, each_row_has_one_key_in_order_and_back)
{
    for (size_t c = 0; c < COUNTS; c++) {
        struct bench_keys keys;
        struct random random;

        bench_keys_init(&keys, counts[c]);
        random_init(&random, 1);
        for (uint64_t id = 0; id < 2 * counts[c]; id++) {
            uint64_t key = bench_keys_at(&keys, id);

            cr_assert_eq(bench_keys_id(&keys, key), id);
            cr_assert(id == 0 || key > bench_keys_at(&keys, id - 1));
            uint64_t absent = bench_keys_absent(&keys, id / 2, &random);
            cr_assert_eq(bench_keys_id(&keys, absent), BENCH_NO_ID);
        }
    }
}

Test(bench_keys, a_shuffle_is_a_permutation_that_differs_by_seed)
{
    for (size_t c = 0; c < COUNTS; c++) {
        struct bench_shuffle one, two;
        bool *seen = calloc(counts[c], sizeof(*seen));
        uint64_t same = 0;

        bench_shuffle_init(&one, counts[c], 1);
        bench_shuffle_init(&two, counts[c], 2);
        for (uint64_t i = 0; i < counts[c]; i++) {
            uint64_t place = bench_shuffle_at(&one, i);

            cr_assert_lt(place, counts[c]);
            cr_assert(!seen[place]);
            seen[place] = true;
            same += place == bench_shuffle_at(&two, i);
        }
        cr_assert(counts[c] < 64 || same < counts[c] / 4);
        free(seen);
    }
}

Test(bench_keys, zipf_numbers_have_the_share_that_the_law_gives)
{
    enum { DRAWS = 200000, NUMBERS = 1000 };
    struct bench_zipf zipf;
    struct random random;
    uint64_t first = 0, second = 0;

    bench_zipf_init(&zipf, NUMBERS, 0.99);
    random_init(&random, 7);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t number = bench_zipf_next(&zipf, &random);

        cr_assert_lt(number, NUMBERS);
        first += number == 0;
        second += number == 1;
    }
    cr_assert_float_eq((double)first / DRAWS, 1 / zipf.zeta, 0.005);
    cr_assert_float_eq((double)second / DRAWS, (zipf.half - 1) / zipf.zeta, 0.005);
}

Test(bench_keys, every_changed_byte_of_a_value_is_noticed)
{
    static const size_t sizes[] = {8, 9, 15, 16, 17, 100, 1000};

    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        uint8_t value[1000];
        uint32_t version = 0;

        bench_value_fill(12345, 77, value, sizes[s]);
        cr_assert(bench_value_holds(12345, value, sizes[s], &version));
        cr_assert_eq(version, 77);
        uint64_t sum = bench_value_sum(12345, value, sizes[s]);
        for (size_t i = 0; i < sizes[s]; i++) {
            value[i] ^= 1;
            /* A change of the first word is another version, unless the rest belies it. */
            if (bench_value_holds(12345, value, sizes[s], &version))
                cr_assert(i < 8 && version != 77);
            cr_assert_neq(bench_value_sum(12345, value, sizes[s]), sum);
            value[i] ^= 1;
        }
        if (sizes[s] > 8)
            cr_assert(!bench_value_holds(54321, value, sizes[s], &version));
    }
}

Test(bench_keys, values_below_eight_bytes_are_checked_against_the_version_given)
{
    uint8_t value[3];
    uint32_t version = 5;

    bench_value_fill(9, 5, value, sizeof(value));
    cr_assert(bench_value_holds(9, value, sizeof(value), &version));
    version = 6;
    cr_assert(!bench_value_holds(9, value, sizeof(value), &version));
}

Test(bench_keys, percentiles_are_within_three_percent)
{
    static struct bench_latency latency, other;

    cr_assert_eq(bench_latency_at(&latency, 0.5), 0);
    for (uint64_t ns = 1; ns <= 100000; ns++)
        bench_latency_add(ns % 2 == 0 ? &latency : &other, ns);
    bench_latency_merge(&latency, &other);
    cr_assert_eq(latency.count, 100000);
    for (double share = 0.01; share < 1; share += 0.01) {
        double found = (double)bench_latency_at(&latency, share);

        cr_assert_float_eq(found / (share * 100000), 1, 0.03);
    }
}

/* Key files. */

static char path[256];

static void
write_keys(const void *bytes, size_t size)
{
    const char *dir = getenv("TMPDIR");

    (void)snprintf(path, sizeof(path), "%s/bench-keys.%d", dir != NULL ? dir : "/tmp",
                   (int)getpid());
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    cr_assert_eq(fclose(file), 0);
}

static enum status
read_keys(struct memory *memory, struct bench_keys *keys)
{
    *keys = (struct bench_keys){.count = 0};
    error_clear();
    return bench_keys_read(keys, memory, path);
}

Test(bench_keys, a_key_file_is_taken_plain_or_packed_and_absent_keys_are_found)
{
    uint64_t list[] = {3, 4, 5, UINT64_C(1) << 63};
    struct memory *memory = memory_new();
    struct compress *codec;
    uint8_t packed[256];
    struct bench_keys keys;
    struct random random;

    cr_assert_eq(compress_new(memory, &codec), STATUS_OK);
    size_t size = compress_encode(codec, list, sizeof(list), packed, sizeof(packed), 3);
    compress_free(codec);
    random_init(&random, 1);
    for (int turn = 0; turn < 2; turn++) {
        write_keys(turn == 0 ? (const void *)list : packed, turn == 0 ? sizeof(list) : size);
        cr_assert_eq(read_keys(memory, &keys), STATUS_OK, "%s", error_message());
        cr_assert_eq(keys.count, 4);
        cr_assert(keys.high);
        for (uint64_t i = 0; i < 4; i++) {
            cr_assert_eq(bench_keys_at(&keys, 2 * i), list[i]);
            cr_assert_eq(bench_keys_id(&keys, list[i]), 2 * i);
            cr_assert_eq(bench_keys_id(&keys, bench_keys_absent(&keys, i, &random)), BENCH_NO_ID);
        }
        bench_keys_limit(&keys, 2);
        cr_assert_eq(keys.count, 2);
        bench_keys_deinit(&keys, memory);
    }
    (void)unlink(path);
    memory_delete(memory);
}

Test(bench_keys, a_key_file_that_is_wrong_is_refused)
{
    uint64_t disorder[] = {3, 3};
    uint8_t odd[11] = {1};
    uint8_t damaged[32] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 8};
    struct memory *memory = memory_new();
    struct bench_keys keys;

    write_keys(disorder, sizeof(disorder));
    cr_assert_eq(read_keys(memory, &keys), STATUS_INVALID);
    write_keys(odd, sizeof(odd));
    cr_assert_eq(read_keys(memory, &keys), STATUS_INVALID);
    write_keys(damaged, sizeof(damaged));
    cr_assert_eq(read_keys(memory, &keys), STATUS_CORRUPT);
    memset(damaged + 4, 0, sizeof(damaged) - 4);
    write_keys(damaged, sizeof(damaged));
    cr_assert_eq(read_keys(memory, &keys), STATUS_INVALID);
    write_keys(damaged, 0);
    cr_assert_eq(read_keys(memory, &keys), STATUS_INVALID);
    (void)unlink(path);
    cr_assert_eq(read_keys(memory, &keys), STATUS_NOT_FOUND);
    memory_delete(memory);
}

Test(bench_keys, a_key_file_survives_every_refusal_of_memory)
{
    uint64_t list[64];
    struct memory *memory = memory_new();
    struct compress *codec;
    uint8_t packed[1024];
    struct bench_keys keys;

    for (uint64_t i = 0; i < 64; i++)
        list[i] = i * i;
    cr_assert_eq(compress_new(memory, &codec), STATUS_OK);
    size_t size = compress_encode(codec, list, sizeof(list), packed, sizeof(packed), 3);
    compress_free(codec);
    write_keys(packed, size);
    for (uint64_t index = 0;; index++) {
        memory_fail_at(memory, index, false);
        enum status status = read_keys(memory, &keys);
        bool failed = memory_failed(memory);

        memory_fail_at(memory, UINT64_MAX, false);
        if (!failed) {
            cr_assert_eq(status, STATUS_OK);
            bench_keys_deinit(&keys, memory);
            break;
        }
        cr_assert_eq(status, STATUS_NO_MEMORY, "allocation %d gave %s", (int)index,
                     status_name(status));
        cr_assert_eq(memory_live_count(memory), 0);
    }
    (void)unlink(path);
    memory_delete(memory);
}
