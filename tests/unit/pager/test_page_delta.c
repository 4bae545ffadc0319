/*
 * Goal: prove that records found by comparison turn the page before into the page after, cover every
 * byte that differs, and stay small.
 * Method: changes of every place and size, boundaries of blocks, random edits, right and wrong moves;
 * sizes counted by hand. The memory behind a body ends where the body ends, so that the address
 * sanitizer sees one byte more.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>

#include "kernel/base/memory.h"
#include "pager/page.h"
#include "tests/unit/pager/page_delta_help.h"

static void
assert_turns_into(const uint8_t *before, const uint8_t *after, const struct delta_body *body)
{
    uint8_t page[PAGE_SIZE];

    cr_assert_gt(body->size, 0);
    memcpy(page, before, PAGE_SIZE);
    cr_assert_eq(
        delta_apply_ranges(page, le64_get(page_header_const(after)->csn), body->bytes, body->size),
        STATUS_OK);
    cr_assert_eq(memcmp(page, after, PAGE_SIZE), 0);
}

/* ---- Ranges ---------------------------------------------------------------------------------- */

/* covers: P4 */
Test(page_delta, ranges_turn_before_into_after)
{
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        uint8_t before[PAGE_SIZE];
        uint8_t after[PAGE_SIZE];
        struct random random;
        struct delta_body body;

        random_init(&random, seed);
        delta_page_fill(before, &random);
        memcpy(after, before, PAGE_SIZE);
        for (uint64_t count = random_below(&random, 20); count > 0; count--) {
            uint32_t offset = PAGE_HEADER_SIZE + (uint32_t)random_below(&random, PAGE_BODY_SIZE);
            uint64_t size = 1 + random_below(&random, PAGE_SIZE - offset);

            random_bytes(&random, after + offset,
                         random_chance(&random, 1, 8) ? size
                                                      : 1 + size % 16 % (PAGE_SIZE - offset));
        }
        delta_page_finish(before, seed);
        delta_page_finish(after, seed + 1);
        body = delta_encode_ranges(before, after, NULL, 0);
        cr_assert_gt(body.size, 0, "seed %lu", seed);
        assert_turns_into(before, after, &body);
    }
}

/* covers: P4 */
Test(page_delta, a_change_of_any_byte_is_recorded)
{
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];
    struct random random;

    random_init(&random, 1);
    delta_page_fill(before, &random);
    for (uint32_t offset = PAGE_DELTA_FIRST_BYTE; offset < PAGE_SIZE; offset++) {
        for (uint32_t bit = 0; bit < 8; bit++) {
            struct delta_body body;

            memcpy(after, before, PAGE_SIZE);
            after[offset] ^= (uint8_t)(1 << bit);
            cr_assert(!page_delta_is_empty(before, after), "byte %u", offset);
            body = delta_encode_ranges(before, after, NULL, 0);
            cr_assert_eq(body.size, 9 + (offset - PAGE_DELTA_FIRST_BYTE < 128 ? 1 : 2) + 2);
            cr_assert_eq(body.bytes[body.size - 1], after[offset]);
            assert_turns_into(before, after, &body);
        }
    }
}

/* covers: P4 */
Test(page_delta, a_run_of_any_place_and_size_is_one_range)
{
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];
    struct random random;

    random_init(&random, 2);
    delta_page_fill(before, &random);
    for (uint32_t begin = PAGE_DELTA_FIRST_BYTE; begin < PAGE_SIZE; begin += 1 + begin % 7) {
        for (uint32_t size = 1; size <= 200 && size <= PAGE_SIZE - begin; size += 1 + size / 70) {
            uint32_t gap = begin - PAGE_DELTA_FIRST_BYTE;
            struct delta_body body;

            memcpy(after, before, PAGE_SIZE);
            delta_change_bytes(after, begin, size);
            body = delta_encode_ranges(before, after, NULL, 0);
            cr_assert_eq(body.size, 9 + (gap < 128 ? 1 : 2) + (size < 128 ? 1 : 2) + size,
                         "begin %u size %u", begin, size);
            assert_turns_into(before, after, &body);
        }
    }
}

Test(page_delta, a_change_of_100_bytes_costs_at_most_112)
{
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];
    struct random random;

    random_init(&random, 3);
    delta_page_fill(before, &random);
    for (uint32_t begin = PAGE_HEADER_SIZE; begin <= PAGE_SIZE - 100; begin++) {
        memcpy(after, before, PAGE_SIZE);
        delta_change_bytes(after, begin, 100);
        cr_assert_leq(delta_encode_ranges(before, after, NULL, 0).size, 100 + 8 + 4);
    }
}

Test(page_delta, gaps_that_cost_no_more_than_a_header_are_filled)
{
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];
    struct random random;

    random_init(&random, 4);
    delta_page_fill(before, &random);
    for (uint32_t begin = PAGE_HEADER_SIZE; begin < PAGE_HEADER_SIZE + 70; begin++) {
        for (uint32_t gap = 1; gap <= 8; gap++) {
            struct delta_body body;

            memcpy(after, before, PAGE_SIZE);
            delta_change_bytes(after, begin, 10);
            delta_change_bytes(after, begin + 10 + gap, 10);
            body = delta_encode_ranges(before, after, NULL, 0);
            cr_assert_eq(body.size, 9 + 2 + 10 + (gap <= 2 ? gap : 2) + 10, "begin %u gap %u",
                         begin, gap);
            cr_assert_eq(body.bytes[10], gap <= 2 ? 10 + gap + 10 : 10, "the first range's size");
            assert_turns_into(before, after, &body);
        }
    }
}

Test(page_delta, a_page_of_alternating_bytes_does_not_overflow)
{
    for (uint32_t step = 1; step <= 70; step++) {
        uint8_t before[PAGE_SIZE];
        uint8_t after[PAGE_SIZE];
        struct random random;
        struct delta_body body;

        random_init(&random, step);
        delta_page_fill(before, &random);
        memcpy(after, before, PAGE_SIZE);
        for (uint32_t offset = PAGE_DELTA_FIRST_BYTE; offset < PAGE_SIZE; offset += step)
            delta_change_bytes(after, offset, 1);
        body = delta_encode_ranges(before, after, NULL, 0);
        cr_assert_leq(body.size, 9 + 3 + PAGE_SIZE - PAGE_DELTA_FIRST_BYTE);
        assert_turns_into(before, after, &body);
    }
}

Test(page_delta, the_first_bytes_of_the_header_are_never_recorded)
{
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];
    struct random random;

    random_init(&random, 5);
    delta_page_fill(before, &random);
    memcpy(after, before, PAGE_SIZE);
    cr_assert(page_delta_is_empty(before, after));
    cr_assert_eq(delta_encode_ranges(before, after, NULL, 0).size, 9);
    delta_change_bytes(after, 0, PAGE_DELTA_FIRST_BYTE);
    cr_assert(page_delta_is_empty(before, after));
    cr_assert_eq(delta_encode_ranges(before, after, NULL, 0).size, 9);
    cr_assert_eq(delta_encode_image(before, NULL).size, delta_encode_image(after, NULL).size);
}

Test(page_delta, encoding_refuses_a_buffer_that_is_too_small_and_leaves_its_end_alone)
{
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];
    struct random random;
    struct delta_body whole;

    random_init(&random, 6);
    delta_page_fill(before, &random);
    memcpy(after, before, PAGE_SIZE);
    for (uint32_t offset = 100; offset < 600; offset += 20)
        delta_change_bytes(after, offset, 1 + offset % 9);
    whole = delta_encode_ranges(before, after, NULL, 0);
    for (size_t size = 0; size <= whole.size; size++) {
        uint8_t *out = malloc(size + 1);
        size_t result;

        out[size] = 0xcc;
        result = page_delta_encode_ranges(before, after, NULL, 0, 0, out, size);
        cr_assert_eq(result, size < whole.size ? 0 : whole.size);
        cr_assert_eq(out[size], 0xcc);
        free(out);
    }
}

/* covers: P4 */
Test(page_delta, zeros_are_written_as_their_number_wherever_that_is_shorter)
{
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        uint8_t before[PAGE_SIZE];
        uint8_t after[PAGE_SIZE];
        struct random random;
        struct delta_body body;

        random_init(&random, seed);
        delta_page_fill(before, &random);
        memcpy(after, before, PAGE_SIZE);
        for (uint64_t count = 1 + random_below(&random, 12); count > 0; count--) {
            uint32_t offset = PAGE_HEADER_SIZE + (uint32_t)random_below(&random, PAGE_BODY_SIZE);
            uint64_t size = random_below(&random, random_chance(&random, 1, 2) ? 80 : 2000);

            size = size < PAGE_SIZE - offset ? size : PAGE_SIZE - offset;
            if (random_chance(&random, 2, 3))
                memset(after + offset, 0, size);
            else
                random_bytes(&random, after + offset, size);
        }
        delta_page_finish(before, seed);
        delta_page_finish(after, seed + 1);
        body = delta_encode_ranges(before, after, NULL, 0);
        assert_turns_into(before, after, &body);
    }
}

Test(page_delta, clearing_half_a_page_costs_five_bytes)
{
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];

    memset(before, 1, sizeof(before));
    memcpy(after, before, sizeof(after));
    memset(after + 2000, 0, PAGE_SIZE - 2000);
    cr_assert_eq(delta_encode_ranges(before, after, NULL, 0).size, 9 + 2 + 1 + 2);
    memset(after + 2500, 2, 31);
    cr_assert_eq(delta_encode_ranges(before, after, NULL, 0).size, 9 + 5 + (1 + 1 + 31) + (1 + 3));
}

/* ---- Moves ----------------------------------------------------------------------------------- */

Test(page_delta, moves_make_an_insert_small)
{
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];
    struct random random;
    struct page_move moves[2];
    struct delta_body body;

    random_init(&random, 7);
    delta_page_fill(before, &random);
    memcpy(after, before, PAGE_SIZE);
    moves[0] = delta_insert_row(after, 500, 1500, 8, &random);
    moves[1] = delta_insert_row(after, 2500, 3500, 8, &random);
    delta_page_finish(before, 1);
    delta_page_finish(after, 2);
    body = delta_encode_ranges(before, after, moves, 2);
    cr_assert_leq(body.size, 9 + 2 * 6 + 2 * (3 + 8));
    cr_assert_eq(body.bytes[8], 2);
    assert_turns_into(before, after, &body);
    cr_assert_gt(delta_encode_ranges(before, after, NULL, 0).size, 2000);
}

Test(page_delta, moves_that_do_not_pay_are_dropped)
{
    uint8_t before[PAGE_SIZE];
    uint8_t after[PAGE_SIZE];
    struct random random;
    struct page_move wrong[2] = {{500, 600, 1000}, {2000, 2004, 20}};
    struct delta_body plain;
    struct delta_body body;

    random_init(&random, 8);
    delta_page_fill(before, &random);
    memcpy(after, before, PAGE_SIZE);
    delta_change_bytes(after, 300, 10);
    plain = delta_encode_ranges(before, after, NULL, 0);
    body = delta_encode_ranges(before, after, wrong, 2);
    cr_assert_eq(body.size, plain.size);
    cr_assert_eq(memcmp(body.bytes, plain.bytes, body.size), 0);
    assert_turns_into(before, after, &body);
    /* A move costs six bytes: what saves no more is dropped, what saves one byte more is kept. */
    for (uint16_t size = 3; size <= 4; size++) {
        memcpy(after, before, PAGE_SIZE);
        delta_change_bytes(after, 1000, size);
        memcpy(before + 2000, after + 1000, size);
        memcpy(after + 2000, after + 1000, size);
        cr_assert_eq(delta_encode_ranges(before, after, NULL, 0).size, 9 + 3 + size);
        body = delta_encode_ranges(before, after, (struct page_move[]){{2000, 1000, size}}, 1);
        cr_assert_eq(body.bytes[8], size == 3 ? 0 : 1);
    }
}

Test(page_delta, moves_never_make_a_body_larger_and_always_give_the_page)
{
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        uint8_t before[PAGE_SIZE];
        uint8_t after[PAGE_SIZE];
        struct page_move moves[PAGE_DELTA_MOVE_MAX];
        struct random random;
        struct delta_body body;
        uint32_t count;

        random_init(&random, seed);
        delta_page_fill(before, &random);
        memcpy(after, before, PAGE_SIZE);
        count = (uint32_t)random_below(&random, PAGE_DELTA_MOVE_MAX + 1);
        for (uint32_t index = 0; index < count; index++) {
            uint32_t size = 1 + (uint32_t)random_below(&random, 400);
            uint32_t room = PAGE_SIZE - PAGE_HEADER_SIZE - size;

            moves[index].size = (uint16_t)size;
            moves[index].from = (uint16_t)(PAGE_HEADER_SIZE + random_below(&random, room + 1));
            moves[index].to = (uint16_t)(PAGE_HEADER_SIZE + random_below(&random, room + 1));
            if (random_chance(&random, 3, 4)) /* Else the hint is wrong. */
                memmove(after + moves[index].to, after + moves[index].from, size);
        }
        random_bytes(&random, after + 2000, random_below(&random, 50));
        delta_page_finish(before, 1);
        delta_page_finish(after, 2);
        body = delta_encode_ranges(before, after, moves, count);
        cr_assert_leq(body.size, delta_encode_ranges(before, after, NULL, 0).size, "seed %lu",
                      seed);
        assert_turns_into(before, after, &body);
    }
}

Test(page_delta, stops_on_a_move_into_the_header, .signal = SIGABRT)
{
    uint8_t page[PAGE_SIZE] = {0};

    (void)delta_encode_ranges(page, page, (struct page_move[]){{100, PAGE_DELTA_FIRST_BYTE - 1, 1}},
                              1);
}

Test(page_delta, stops_on_a_move_past_the_page, .signal = SIGABRT)
{
    uint8_t page[PAGE_SIZE] = {0};

    (void)delta_encode_ranges(page, page, (struct page_move[]){{PAGE_SIZE - 1, 100, 2}}, 1);
}

Test(page_delta, stops_on_too_many_moves, .signal = SIGABRT)
{
    uint8_t page[PAGE_SIZE] = {0};
    struct page_move moves[PAGE_DELTA_MOVE_MAX + 1];

    for (uint32_t index = 0; index <= PAGE_DELTA_MOVE_MAX; index++)
        moves[index] = (struct page_move){100, 200, 1};
    (void)delta_encode_ranges(page, page, moves, PAGE_DELTA_MOVE_MAX + 1);
}

/* ---- Images ---------------------------------------------------------------------------------- */

Test(page_delta, an_image_restores_the_page_from_any_bytes)
{
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        uint8_t page[PAGE_SIZE];
        uint8_t found[PAGE_SIZE];
        struct random random;
        struct delta_body body;

        random_init(&random, seed);
        delta_page_fill(page, &random);
        for (uint64_t count = random_below(&random, 300); count > 0; count--) {
            uint32_t offset = PAGE_HEADER_SIZE + (uint32_t)random_below(&random, PAGE_BODY_SIZE);
            uint64_t size = 1 + random_below(&random, random_chance(&random, 1, 20) ? 2000 : 9);

            memset(page + offset, 0, size < PAGE_SIZE - offset ? size : PAGE_SIZE - offset);
        }
        page_header(page)->csn_image = le64_of(seed);
        delta_page_finish(page, seed);
        body = delta_encode_image(page, NULL);
        random_bytes(&random, found, sizeof(found));
        cr_assert_eq(delta_apply_image(found, seed, body.bytes, body.size, NULL), STATUS_OK);
        cr_assert_eq(memcmp(found, page, PAGE_SIZE), 0, "seed %lu", seed);
    }
}

Test(page_delta, an_image_leaves_zeros_out_and_is_never_much_larger_than_the_page)
{
    uint8_t page[PAGE_SIZE];
    struct random random;

    memset(page, 0, sizeof(page));
    cr_assert_eq(delta_encode_image(page, NULL).size, 8 + 1 + 1);
    random_init(&random, 9);
    page_init(page, DELTA_PAGE_NUMBER, 5, PAGE_TYPE_TEST, 0);
    cr_assert_leq(delta_encode_image(page, NULL).size, 8 + 1 + 1 + 12 + 4);
    random_bytes(&random, page + 200, 100);
    cr_assert_leq(delta_encode_image(page, NULL).size, 8 + 1 + 2 + 12 + 4 + 100 + 4);
    for (uint32_t gap = 1; gap <= 70; gap++) {
        memset(page, 0, sizeof(page));
        for (uint32_t offset = PAGE_DELTA_FIRST_BYTE; offset < PAGE_SIZE; offset += gap)
            page[offset] = 1;
        cr_assert_leq(delta_encode_image(page, NULL).size, 8 + 1 + 2 + 3 + 4072, "gap %u", gap);
    }
}

Test(page_delta, images_fit_the_size_that_the_header_promises_and_smaller_buffers_are_refused)
{
    uint8_t page[PAGE_SIZE];
    struct random random;
    struct delta_body body;

    random_init(&random, 10);
    delta_page_fill(page, &random);
    for (uint32_t zeros = 0; zeros < PAGE_BODY_SIZE; zeros += 97) {
        memset(page + PAGE_HEADER_SIZE, 0, zeros);
        body = delta_encode_image(page, NULL);
        for (size_t less = 1; less <= body.size; less += 1 + body.size / 9) {
            uint8_t *out = malloc(body.size - less + 1);

            cr_assert_eq(page_delta_encode_image(page, 0, NULL, out, body.size - less), 0);
            free(out);
        }
    }
}

Test(page_delta, compression_is_used_where_it_pays_and_only_there)
{
    struct memory *memory = memory_new();
    struct compress *compress = NULL;
    uint8_t page[PAGE_SIZE];
    uint8_t found[PAGE_SIZE];
    struct random random;
    struct delta_body body;

    cr_assert_eq(compress_new(memory, &compress), STATUS_OK);
    random_init(&random, 11);
    delta_page_fill(page, &random);
    delta_page_finish(page, 4);
    body = delta_encode_image(page, compress);
    cr_assert_eq(body.bytes[8], PAGE_DELTA_RAW);
    cr_assert(!page_delta_is_compressed(body.bytes, body.size));
    for (uint32_t offset = PAGE_HEADER_SIZE; offset + 16 <= PAGE_SIZE; offset += 16)
        memcpy(page + offset, "some text, again", 16);
    page_header(page)->csn_image = le64_of(5);
    delta_page_finish(page, 5);
    body = delta_encode_image(page, compress);
    cr_assert_eq(body.bytes[8], PAGE_DELTA_ZSTD);
    cr_assert(page_delta_is_compressed(body.bytes, body.size));
    cr_assert(!page_delta_is_compressed(body.bytes, 8));
    cr_assert_lt(body.size, 200);
    cr_assert_eq(delta_apply_image(found, 5, body.bytes, body.size, compress), STATUS_OK);
    cr_assert_eq(memcmp(found, page, PAGE_SIZE), 0);
    cr_assert_eq(delta_apply_image(found, 5, body.bytes, body.size, NULL), STATUS_INVALID);
    for (size_t size = 0; size < body.size; size++) {
        uint8_t *out = malloc(size + 1);

        cr_assert_eq(page_delta_encode_image(page, 0, compress, out, size), 0);
        cr_assert_eq(delta_apply_image(found, 5, body.bytes, size, compress), STATUS_CORRUPT);
        free(out);
    }
    compress_free(compress);
    memory_delete(memory);
}
