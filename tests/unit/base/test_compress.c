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

/* Streams. */

/* Feeds `packed` in pieces of `step` bytes and takes as many at a time; the bytes that came out. */
static size_t
decompress_all(struct decompress *stream, const uint8_t *packed, size_t size, size_t step,
               uint8_t *out, size_t room, enum status *status_out, bool *whole_out)
{
    size_t in = 0, used = 0;

    *status_out = STATUS_OK;
    *whole_out = false;
    for (;;) {
        struct decompress_piece piece = {
            .in = packed + in,
            .in_size = size - in < step ? size - in : step,
            .out = out + used,
            .out_size = room - used < step ? room - used : step,
        };

        *status_out = decompress_step(stream, &piece);
        in += piece.in_used;
        used += piece.out_used;
        if (*status_out != STATUS_OK)
            return used;
        *whole_out = piece.whole;
        if ((piece.whole && in == size) || (piece.in_used == 0 && piece.out_used == 0))
            return used;
    }
}

COMPRESS_TEST(a_stream_gives_back_what_was_compressed_in_pieces_of_any_size)
{
    static uint8_t bytes[20000], packed[30000], out[50000];
    struct decompress *stream = NULL;

    fill(bytes, sizeof(bytes), 4);
    /* Two frames, as of two files put together. */
    size_t size = compress_encode(compress, bytes, 12000, packed, 15000, 1);
    size += compress_encode(compress, bytes + 12000, 8000, packed + size, 15000, 3);
    cr_assert_eq(decompress_new(memory, &stream), STATUS_OK);
    for (size_t step = 1; step < 20000; step = step * 3 + 1) {
        enum status status;
        bool whole;

        decompress_reset(stream);
        size_t got = decompress_all(stream, packed, size, step, out, sizeof(out), &status, &whole);
        cr_assert_eq(status, STATUS_OK);
        cr_assert(whole && got == sizeof(bytes), "%zu bytes at a time: %zu", step, got);
        cr_assert_arr_eq(out, bytes, sizeof(bytes));
    }
    decompress_free(stream);
}

COMPRESS_TEST(a_stream_refuses_damage_and_windows_past_its_bound)
{
    /* A frame of one window descriptor: 2 to the power of 27. */
    static const uint8_t wide[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x01, 0x00, 0x00};
    static uint8_t bytes[4096], packed[5000], out[8192];
    struct decompress *stream = NULL;
    enum status status;
    bool whole;

    fill(bytes, sizeof(bytes), 4);
    size_t size = compress_encode(compress, bytes, sizeof(bytes), packed, sizeof(packed), 1);
    cr_assert_eq(decompress_new(memory, &stream), STATUS_OK);
    (void)decompress_all(stream, wide, sizeof(wide), 4096, out, sizeof(out), &status, &whole);
    cr_expect_eq(status, STATUS_FULL);
    decompress_reset(stream);
    (void)decompress_all(stream, packed, size - 1, 4096, out, sizeof(out), &status, &whole);
    cr_expect(status == STATUS_OK && !whole, "a cut frame is not whole");
    decompress_reset(stream);
    packed[1] ^= 1;
    (void)decompress_all(stream, packed, size, 4096, out, sizeof(out), &status, &whole);
    cr_expect_eq(status, STATUS_CORRUPT);
    decompress_free(stream);
}

COMPRESS_TEST(each_refused_allocation_of_a_stream_is_survived)
{
    struct memory *other = memory_new();
    static uint8_t bytes[4096], packed[5000], out[8192];
    bool refused = true;

    fill(bytes, sizeof(bytes), 4);
    size_t size = compress_encode(compress, bytes, sizeof(bytes), packed, sizeof(packed), 1);
    for (uint64_t index = 0; refused; index++) {
        struct decompress *stream = NULL;
        bool whole;

        memory_fail_at(other, index, false);
        enum status status = decompress_new(other, &stream);
        if (status == STATUS_OK)
            (void)decompress_all(stream, packed, size, 4096, out, sizeof(out), &status, &whole);
        refused = memory_failed(other);
        cr_expect_eq(status, refused ? STATUS_NO_MEMORY : STATUS_OK);
        decompress_free(stream);
        cr_assert_eq(memory_live_count(other), 0);
    }
    memory_fail_at(other, UINT64_MAX, false);
    memory_delete(other);
}
