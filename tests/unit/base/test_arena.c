/*
 * Goal: an arena's pieces are zero (unless raw ones are asked for), aligned, apart from each other, and all go at once.
 * Method: pieces of many sizes filled with their number and looked at again; refusals injected.
 */
#include <criterion/criterion.h>

#include <string.h>

#include "kernel/base/bytes.h"
#include "kernel/base/memory.h"
#include "kernel/base/random.h"
#include "tests/unit/base/between.h"

static struct memory *memory;
static struct arena arena;

static void
open_arena(void)
{
    memory = memory_new();
    arena_init(&arena, memory, MEMORY_SQL);
}

static void
close_arena(void)
{
    arena_deinit(&arena);
    memory_delete(memory);
}

#define ARENA_TEST(name) TEST_BETWEEN(open_arena, close_arena, arena, name)

enum { PIECES = 2000 };

static void
assert_pieces_are_apart(uint64_t seed, size_t size_max)
{
    static uint8_t *pieces[PIECES];
    static size_t sizes[PIECES];
    struct random random;

    random_init(&random, seed);
    for (size_t i = 0; i < PIECES; i++) {
        sizes[i] = random_below(&random, random_chance(&random, 1, 50) ? size_max : 200);
        pieces[i] = arena_alloc(&arena, sizes[i]);
        cr_assert_eq((uintptr_t)pieces[i] % 16, 0);
        cr_assert(bytes_are_zero(pieces[i], sizes[i]));
        memset(pieces[i], (int)(i % 255) + 1, sizes[i]);
    }
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t j = 0; j < sizes[i]; j++) {
            if (pieces[i][j] != i % 255 + 1)
                cr_assert_fail("piece %zu, byte %zu", i, j);
        }
    }
}

/* covers: F11 */
ARENA_TEST(pieces_are_zero_and_apart)
{
    assert_pieces_are_apart(1, 100000);
}

ARENA_TEST(pieces_are_zero_again_after_a_reset)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        assert_pieces_are_apart(seed, 1000 << seed);
        arena_reset(&arena);
        cr_assert_leq(memory_live_count(memory), 1);
        cr_assert_leq(memory_used(memory, MEMORY_SQL), 1 << 20);
        cr_assert_eq(memory_used(memory, MEMORY_SQL), arena.total_size);
    }
}

ARENA_TEST(pieces_of_size_zero_are_unique)
{
    void *a = arena_alloc(&arena, 0);
    void *b = arena_alloc(&arena, 0);

    cr_assert(a != NULL && b != NULL && a != b);
}

ARENA_TEST(allocations_grow_with_the_logarithm)
{
    for (int i = 0; i < 100000; i++)
        arena_alloc(&arena, 64);
    cr_assert_lt(memory_alloc_count(memory), 20);
    cr_assert_lt(arena.total_size, 3 * 6400000 / 2);
}

ARENA_TEST(a_small_arena_stays_small)
{
    arena_alloc(&arena, 100);
    cr_assert_eq(arena.total_size, 4096);
}

ARENA_TEST(a_large_piece_leaves_the_front_block_in_use)
{
    char *before = arena_alloc(&arena, 16);
    void *large = arena_alloc(&arena, 5 << 20);
    char *after = arena_alloc(&arena, 16);

    cr_assert_not_null(large);
    cr_assert_eq(after, before + 16);
}

ARENA_TEST(a_large_first_block_is_not_kept)
{
    memset(arena_alloc(&arena, 5 << 20), 1, 5 << 20);
    arena_reset(&arena);
    cr_assert_eq(memory_live_count(memory), 0);
    cr_assert(bytes_are_zero(arena_alloc(&arena, 100), 100));
}

/* covers: F11 */
ARENA_TEST(a_raw_arena_zeroes_what_is_not_asked_for_as_raw)
{
    struct arena raw;

    arena_init_raw(&raw, memory, MEMORY_LOCKS);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 3000; size += 7) {
            uint8_t *zeroed = arena_alloc(&raw, size);
            uint8_t *any = arena_alloc_raw(&raw, size);

            cr_assert_eq((uintptr_t)any % 16, 0);
            cr_assert(bytes_are_zero(zeroed, size));
            memset(zeroed, 0xee, size);
            memset(any, 0xdd, size);
            cr_assert_eq(zeroed[size - 1], 0xee);
        }
        cr_assert(bytes_are_zero(arena_alloc(&raw, 1 << 20), 1 << 20));
        arena_reset(&raw);
    }
    cr_assert_eq(memory_used(memory, MEMORY_LOCKS), raw.total_size);
    memory_fail_at(memory, 0, true);
    cr_assert_null(arena_alloc(&raw, 2 << 20));
    cr_assert_null(arena_alloc_raw(&raw, 2 << 20));
    memory_fail_at(memory, UINT64_MAX, false);
    arena_deinit(&raw);
}

ARENA_TEST(text_is_copied_and_ended)
{
    char source[] = "abcdef";
    char *copy = arena_copy_text(&arena, source, 3);

    source[0] = 'x';
    cr_assert_str_eq(copy, "abc");
    cr_assert_str_eq(arena_copy_text(&arena, NULL, 0), "");
    copy = arena_copy_text(&arena, "sixteen letters!", 16);
    memset(arena_alloc(&arena, 16), 'x', 16);
    cr_assert_str_eq(copy, "sixteen letters!");
}

/* covers: F12 */
ARENA_TEST(a_refusal_leaves_what_was_there)
{
    char *text = arena_copy_text(&arena, "kept", 4);
    size_t total_size = arena.total_size;

    memory_fail_at(memory, 0, true);
    cr_assert_null(arena_alloc(&arena, 8000));
    cr_assert_null(arena_alloc(&arena, 8 << 20));
    cr_assert_null(arena_copy_text(&arena, "x", 1 << 20));
    cr_assert_str_eq(text, "kept");
    cr_assert_eq(arena.total_size, total_size);
    cr_assert_not_null(arena_alloc(&arena, 16)); /* Still fits the block. */
    memory_fail_at(memory, UINT64_MAX, false);
    cr_assert_not_null(arena_alloc(&arena, 8000));
}

ARENA_TEST(absurd_sizes_are_refused)
{
    cr_assert_null(arena_alloc(&arena, SIZE_MAX));
    cr_assert_null(arena_alloc(&arena, SIZE_MAX - 15));
    cr_assert_null(arena_alloc(&arena, SIZE_MAX / 2));
    cr_assert_null(arena_alloc(&arena, SIZE_MAX / 2 + 2));
    cr_assert_eq(arena.total_size, 0);
}

ARENA_TEST(an_empty_arena_can_be_reset_and_ended_twice)
{
    arena_reset(&arena);
    arena_deinit(&arena);
    arena_deinit(&arena);
}

/* Raw arenas of megabytes take huge pages: the same to who uses them, also when they are refused. */
Test(arena, large_raw_ones_are_mapped)
{
    struct memory *memory = memory_new();
    struct arena large;
    size_t done = 0;

    arena_init_raw(&large, memory, MEMORY_WRITE_SET);
    for (uint64_t refused = 14; refused < 30; refused++) {
        memory_fail_at(memory, refused == 29 ? UINT64_MAX : refused, false);
        for (size_t i = 0; i < 60000; i++) {
            uint8_t *piece = arena_alloc_raw(&large, 200);

            if (piece == NULL)
                continue;
            memset(piece, (int)i, 200);
            cr_assert_eq((uintptr_t)piece % 16, 0);
            done++;
        }
        cr_assert_geq(large.total_size, 59999 * 200);
        cr_assert_eq(memory_used(memory, MEMORY_WRITE_SET), large.total_size);
        arena_reset(&large);
        cr_assert_leq(large.total_size, 1 << 20);
    }
    memory_fail_at(memory, UINT64_MAX, false);
    cr_assert_geq(done, 16 * 60000 - 16);
    arena_deinit(&large);
    cr_assert_eq(memory_used(memory, MEMORY_WRITE_SET), 0);
    memory_delete(memory);
}
