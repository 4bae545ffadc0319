/*
 * Goal: what is compressed comes back; hostile bytes never write past the output and are refused;
 * all memory is counted and every refusal of it is survived.
 * Method: round trips over kinds of bytes and sizes; each truncation and many flipped bits; each
 * allocation failed once and for ever.
 */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "kernel/base/compress.h"
#include "kernel/base/random.h"
#include "tests/unit/base/between.h"

static struct memory *memory;
static struct compress *compress;

static void
open_codec(void)
{
    memory = memory_new();
    cr_assert_eq(compress_new(memory, &compress), STATUS_OK);
}

static void
close_codec(void)
{
    compress_free(compress);
    memory_delete(memory);
}

#define COMPRESS_TEST(name) TEST_BETWEEN(open_codec, close_codec, compress, name)

static void
fill(uint8_t *bytes, size_t size, uint64_t variety)
{
    struct random random;

    random_init(&random, size + variety);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)random_below(&random, variety);
}

COMPRESS_TEST(what_is_encoded_is_decoded)
{
    static uint8_t bytes[70000], packed[80000], unpacked[70000];
    static const size_t sizes[] = {0, 1, 16, 255, 4096, 65536, 70000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (uint64_t variety = 1; variety <= 256; variety *= 4) {
            fill(bytes, sizes[i], variety);
            size_t size =
                compress_encode(compress, bytes, sizes[i], packed, compress_bound(sizes[i]), 1);
            cr_assert(size > 0 && size <= compress_bound(sizes[i]));
            cr_assert_eq(compress_decode(compress, packed, size, unpacked, sizes[i]), STATUS_OK);
            cr_assert_eq(memcmp(bytes, unpacked, sizes[i]), 0);
        }
    }
}

COMPRESS_TEST(poor_bytes_do_not_fit_less_room)
{
    uint8_t bytes[4096];
    uint8_t packed[4096];

    fill(bytes, sizeof(bytes), 256);
    cr_assert_eq(compress_encode(compress, bytes, sizeof(bytes), packed, sizeof(packed), 1), 0);
    fill(bytes, sizeof(bytes), 4);
    size_t size = compress_encode(compress, bytes, sizeof(bytes), packed, sizeof(packed), 1);
    cr_assert(size > 0 && size < 2048);
}

COMPRESS_TEST(another_size_is_corrupt)
{
    uint8_t bytes[1000];
    uint8_t packed[1100];
    uint8_t unpacked[1001];

    fill(bytes, sizeof(bytes), 4);
    size_t size = compress_encode(compress, bytes, sizeof(bytes), packed, sizeof(packed), 3);
    cr_assert_eq(compress_decode(compress, packed, size, unpacked, 999), STATUS_CORRUPT);
    cr_assert_eq(compress_decode(compress, packed, size, unpacked, 1001), STATUS_CORRUPT);
    cr_assert_eq(compress_decode(compress, packed, size, unpacked, 1000), STATUS_OK);
}

/* covers: F9 */
COMPRESS_TEST(damaged_bytes_never_leave_the_output)
{
    uint8_t bytes[1000];
    uint8_t packed[1100];
    struct random random;

    random_init(&random, 3);
    fill(bytes, sizeof(bytes), 4);
    size_t size = compress_encode(compress, bytes, sizeof(bytes), packed, sizeof(packed), 1);
    for (size_t i = 0; i < size * 8; i++) {
        uint8_t *exact_in = malloc(size);
        uint8_t *exact_out = malloc(sizeof(bytes));

        memcpy(exact_in, packed, size);
        exact_in[i / 8] ^= (uint8_t)(1U << i % 8);
        if (i % 3 == 0)
            random_bytes(&random, exact_in + i / 8, size - i / 8);
        enum status status = compress_decode(compress, exact_in, size, exact_out, sizeof(bytes));
        cr_assert(status == STATUS_OK || status == STATUS_CORRUPT);
        free(exact_in);
        free(exact_out);
    }
}

COMPRESS_TEST(each_truncation_is_corrupt)
{
    uint8_t bytes[1000];
    uint8_t packed[1100];
    uint8_t unpacked[1000];

    fill(bytes, sizeof(bytes), 4);
    size_t size = compress_encode(compress, bytes, sizeof(bytes), packed, sizeof(packed), 1);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *exact = malloc(cut == 0 ? 1 : cut);

        memcpy(exact, packed, cut);
        cr_assert_eq(compress_decode(compress, exact, cut, unpacked, sizeof(bytes)),
                     STATUS_CORRUPT);
        free(exact);
    }
}

COMPRESS_TEST(its_memory_is_counted)
{
    uint8_t bytes[4096];
    uint8_t packed[5000];

    fill(bytes, sizeof(bytes), 4);
    size_t size = compress_encode(compress, bytes, sizeof(bytes), packed, sizeof(packed), 1);
    cr_assert_gt(size, 0);
    cr_assert_eq(compress_decode(compress, packed, size, bytes, sizeof(bytes)), STATUS_OK);
    cr_assert_gt(memory_used(memory, MEMORY_OTHER), 10000);
    cr_assert_geq(memory_live_count(memory), 3);
}

COMPRESS_TEST(each_refused_allocation_is_survived)
{
    struct memory *other = memory_new();
    uint8_t bytes[4096];
    uint8_t packed[5000];
    uint8_t unpacked[4096];

    fill(bytes, sizeof(bytes), 4);
    for (uint64_t index = 0;; index++) {
        struct compress *codec = NULL;

        memory_fail_at(other, index, index % 2 == 0);
        enum status status = compress_new(other, &codec);
        if (status == STATUS_OK) {
            size_t size = compress_encode(codec, bytes, sizeof(bytes), packed, sizeof(packed), 1);
            if (size > 0) {
                status = compress_decode(codec, packed, size, unpacked, 4096);
                cr_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
            }
            compress_free(codec);
        } else {
            cr_assert_eq(status, STATUS_NO_MEMORY);
        }
        cr_assert_eq(memory_live_count(other), 0);
        if (!memory_failed(other))
            break;
    }
    memory_fail_at(other, UINT64_MAX, false);
    memory_delete(other);
}

COMPRESS_TEST(free_of_nothing_is_fine)
{
    compress_free(NULL);
}
