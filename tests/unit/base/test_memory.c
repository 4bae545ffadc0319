/*
 * Goal: every byte handed out is zero, aligned and counted; refusals change nothing; leaks and, in
 * debug builds, wrong frees are caught.
 * Method: counters before and after; failures injected at each index; threads that allocate at once.
 */
#include <criterion/criterion.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/bytes.h"
#include "kernel/base/error.h"
#include "kernel/base/memory.h"
#include "tests/unit/base/aborts.h"
#include "tests/unit/base/between.h"

static struct memory *memory;

static void
open_memory(void)
{
    memory = memory_new();
    cr_assert_not_null(memory);
}

static void
close_memory(void)
{
    memory_delete(memory);
}

#define MEMORY_TEST(name) TEST_BETWEEN(open_memory, close_memory, memory, name)

/* covers: F11 */
MEMORY_TEST(is_zero_even_after_others_used_it)
{
    for (size_t size = 1; size < 5000; size += 37) {
        uint8_t *bytes = memory_alloc(memory, MEMORY_SQL, size);

        cr_assert(bytes_are_zero(bytes, size));
        cr_assert_eq((uintptr_t)bytes % 16, 0);
        memset(bytes, 0xff, size);
        memory_free(memory, MEMORY_SQL, bytes, size);
    }
}

MEMORY_TEST(alignment_is_what_was_asked_for)
{
    for (size_t alignment = 1; alignment <= 2 << 20; alignment *= 2) {
        uint8_t *bytes = memory_alloc_aligned(memory, MEMORY_POOL, 100, alignment);

        cr_assert_eq((uintptr_t)bytes % alignment, 0);
        cr_assert_eq((uintptr_t)bytes % 16, 0);
        cr_assert(bytes_are_zero(bytes, 100));
        memset(bytes, 0xff, 100);
        memory_free(memory, MEMORY_POOL, bytes, 100);
    }
}

static void
alloc_unaligned(void *alignment)
{
    memory_alloc_aligned(memory, MEMORY_POOL, 100, *(size_t *)alignment);
}

MEMORY_TEST(odd_alignments_are_misuse)
{
    static size_t bad[] = {0, 3, 48, 4 << 20};

    for (size_t i = 0; i < 4; i++)
        cr_assert(aborts(alloc_unaligned, &bad[i]));
}

MEMORY_TEST(resize_keeps_old_bytes_and_zeroes_new_ones)
{
    size_t size = 24;
    uint8_t *bytes = memory_alloc(memory, MEMORY_LOG, size);

    memset(bytes, 7, size);
    for (size_t grown = 25; grown < 100000; grown = grown * 3 / 2) {
        bytes = memory_resize(memory, MEMORY_LOG, bytes, size, grown);
        cr_assert(bytes[0] == 7 && bytes[23] == 7);
        cr_assert(bytes_are_zero(bytes + 24, grown - 24));
        size = grown;
    }
    bytes = memory_resize(memory, MEMORY_LOG, bytes, size, 5);
    bytes = memory_resize(memory, MEMORY_LOG, bytes, 5, 50);
    cr_assert(bytes[4] == 7 && bytes_are_zero(bytes + 5, 45));
    cr_assert_eq(memory_used(memory, MEMORY_LOG), 50);
    cr_assert_eq(memory_live_count(memory), 1);
    memory_free(memory, MEMORY_LOG, bytes, 50);
}

MEMORY_TEST(resize_grows_from_nothing)
{
    uint8_t *bytes = memory_resize(memory, MEMORY_LOG, NULL, 0, 10);

    cr_assert(bytes_are_zero(bytes, 10));
    cr_assert_eq(memory_live_count(memory), 1);
    memory_free(memory, MEMORY_LOG, bytes, 10);
}

/* covers: F13 */
MEMORY_TEST(counts_by_part)
{
    void *pool = memory_alloc(memory, MEMORY_POOL, 1000);
    void *locks = memory_alloc(memory, MEMORY_LOCKS, 10);
    void *map = NULL;

    cr_assert_eq(memory_map(memory, MEMORY_PAGE_TABLE, 1 << 20, false, &map), STATUS_OK);
    cr_assert_eq(memory_used(memory, MEMORY_POOL), 1000);
    cr_assert_eq(memory_used(memory, MEMORY_LOCKS), 10);
    cr_assert_eq(memory_used(memory, MEMORY_PAGE_TABLE), 1 << 20);
    cr_assert_eq(memory_used(memory, MEMORY_SQL), 0);
    cr_assert_eq(memory_live_count(memory), 3);
    cr_assert_eq(memory_alloc_count(memory), 3);
    memory_free(memory, MEMORY_POOL, pool, 1000);
    memory_free(memory, MEMORY_LOCKS, locks, 10);
    memory_unmap(memory, MEMORY_PAGE_TABLE, map, 1 << 20);
    cr_assert_eq(memory_live_count(memory), 0);
    cr_assert_eq(memory_alloc_count(memory), 3);
    cr_assert_eq(memory_used(memory, MEMORY_POOL), 0);
    cr_assert_eq(memory_used(memory, MEMORY_PAGE_TABLE), 0);
}

MEMORY_TEST(free_and_unmap_of_nothing_are_fine)
{
    memory_free(memory, MEMORY_OTHER, NULL, 0);
    memory_unmap(memory, MEMORY_OTHER, NULL, 0);
    memory_delete(NULL);
}

static void
delete_with_leak(void *unused)
{
    struct memory *leaky = memory_new();

    (void)unused;
    memory_alloc(leaky, MEMORY_SQL, 1);
    memory_delete(leaky);
}

static void
delete_after_wrong_free(void *unused)
{
    struct memory *wrong = memory_new();

    (void)unused;
    memory_free(wrong, MEMORY_SQL, memory_alloc(wrong, MEMORY_SQL, 10), 9);
    memory_delete(wrong);
}

MEMORY_TEST(delete_refuses_a_leak)
{
    cr_assert(aborts(delete_with_leak, NULL));
    cr_assert(aborts(delete_after_wrong_free, NULL));
}

static void
free_as_another_part(void *bytes)
{
    memory_free(memory, MEMORY_LOG, bytes, 8);
}

MEMORY_TEST(free_as_another_part_is_caught)
{
    void *bytes = memory_alloc(memory, MEMORY_SQL, 8);

    cr_assert(aborts(free_as_another_part, bytes));
    memory_free(memory, MEMORY_SQL, bytes, 8);
}

#ifdef QTDB_DEBUG

static void
free_smaller(void *bytes)
{
    memory_free(memory, MEMORY_SQL, bytes, 99);
}

static void
free_larger(void *bytes)
{
    memory_free(memory, MEMORY_SQL, bytes, 101);
}

static void
write_past_the_end(void *bytes)
{
    ((uint8_t *)bytes)[100] ^= 1;
    memory_free(memory, MEMORY_SQL, bytes, 100);
}

MEMORY_TEST(wrong_sizes_and_overruns_are_caught)
{
    void *bytes = memory_alloc(memory, MEMORY_SQL, 100);
    void *other = memory_alloc(memory, MEMORY_SQL, 100);

    cr_assert(aborts(free_smaller, bytes));
    cr_assert(aborts(free_larger, bytes));
    cr_assert(aborts(write_past_the_end, bytes));
    memory_free(memory, MEMORY_SQL, bytes, 100);
    memory_free(memory, MEMORY_SQL, other, 100);
}

#endif

/* covers: F12 */
MEMORY_TEST(a_refused_allocation_changes_nothing)
{
    uint8_t *bytes = memory_alloc(memory, MEMORY_SQL, 8);
    void *map = &map;

    memset(bytes, 9, 8);
    memory_fail_at(memory, 0, true);
    cr_assert_null(memory_alloc(memory, MEMORY_SQL, 100));
    cr_assert_not_null(strstr(error_message(), "100 bytes for sql"));
    cr_assert_null(memory_alloc_aligned(memory, MEMORY_SQL, 100, 64));
    cr_assert_null(memory_resize(memory, MEMORY_SQL, bytes, 8, 16));
    cr_assert_eq(memory_map(memory, MEMORY_POOL, 4096, false, &map), STATUS_NO_MEMORY);
    cr_assert_not_null(strstr(error_message(), "4096 bytes for pool"));
    cr_assert_eq(map, (void *)&map);
    cr_assert(bytes[0] == 9 && bytes[7] == 9);
    cr_assert_eq(memory_used(memory, MEMORY_SQL), 8);
    cr_assert_eq(memory_used(memory, MEMORY_POOL), 0);
    cr_assert_eq(memory_live_count(memory), 1);
    cr_assert_eq(memory_alloc_count(memory), 5);
    memory_free(memory, MEMORY_SQL, bytes, 8);
    memory_fail_at(memory, UINT64_MAX, false);
}

/* Which of ten allocations fail, as bits. */
static uint32_t
failures_of_ten(void)
{
    uint32_t failures = 0;

    for (uint32_t i = 0; i < 10; i++) {
        void *bytes = memory_alloc(memory, MEMORY_SQL, 1);

        failures |= (uint32_t)(bytes == NULL) << i;
        memory_free(memory, MEMORY_SQL, bytes, 1);
    }
    return failures;
}

MEMORY_TEST(fails_exactly_where_told)
{
    for (uint32_t index = 0; index < 10; index++) {
        memory_fail_at(memory, index, false);
        cr_assert_not(memory_failed(memory));
        cr_assert_eq(failures_of_ten(), 1U << index);
        cr_assert(memory_failed(memory));
        memory_fail_at(memory, index, true);
        cr_assert_eq(failures_of_ten(), 0x3ff & ~((1U << index) - 1));
    }
    memory_fail_at(memory, 10, true);
    cr_assert_eq(failures_of_ten(), 0);
    cr_assert_not(memory_failed(memory));
    memory_fail_at(memory, UINT64_MAX, true);
    cr_assert_eq(failures_of_ten(), 0);
}

MEMORY_TEST(absurd_sizes_are_refused)
{
    void *map = NULL;
    void *bytes = memory_alloc(memory, MEMORY_SQL, 1);

    cr_assert_null(memory_alloc(memory, MEMORY_SQL, SIZE_MAX));
    cr_assert_null(memory_alloc(memory, MEMORY_SQL, SIZE_MAX / 2));
    cr_assert_null(memory_alloc_aligned(memory, MEMORY_SQL, SIZE_MAX - 100, 4096));
    cr_assert_null(memory_resize(memory, MEMORY_SQL, bytes, 1, SIZE_MAX));
    cr_assert_eq(memory_map(memory, MEMORY_SQL, SIZE_MAX, false, &map), STATUS_NO_MEMORY);
    cr_assert_eq(memory_map(memory, MEMORY_SQL, SIZE_MAX / 8, false, &map), STATUS_NO_MEMORY);
    cr_assert_eq(memory_map(memory, MEMORY_SQL, SIZE_MAX / 8, true, &map), STATUS_NO_MEMORY);
    memory_free(memory, MEMORY_SQL, bytes, 1);
    cr_assert_eq(memory_live_count(memory), 0);
}

#ifndef __SANITIZE_ADDRESS__ /* Which stops the process instead of refusing. */

MEMORY_TEST(a_refusal_of_the_system_is_passed_on)
{
    size_t size = SIZE_MAX / 8;
    uint8_t *bytes = memory_alloc(memory, MEMORY_SQL, 8);

    bytes[0] = 3;
    cr_assert_null(memory_alloc(memory, MEMORY_SQL, size));
    cr_assert_null(memory_alloc_aligned(memory, MEMORY_SQL, size, 64));
    cr_assert_null(memory_resize(memory, MEMORY_SQL, bytes, 8, size));
    cr_assert_eq(bytes[0], 3);
    cr_assert_eq(memory_live_count(memory), 1);
    memory_free(memory, MEMORY_SQL, bytes, 8);
}

#endif

MEMORY_TEST(maps_of_any_size_are_zero_and_writable)
{
    static const size_t sizes[] = {1, 4096, 5000, 1 << 20, 2 << 20, (2 << 20) + 1, 5 << 20};

    for (int huge = 0; huge < 2; huge++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            void *map = NULL;

            cr_assert_eq(memory_map(memory, MEMORY_POOL, sizes[i], huge, &map), STATUS_OK);
            cr_assert_eq((uintptr_t)map % 4096, 0);
            cr_assert(!huge || sizes[i] < 2 << 20 || (uintptr_t)map % (2 << 20) == 0);
            cr_assert(bytes_are_zero(map, sizes[i]));
            memset(map, 1, sizes[i]);
            memory_unmap(memory, MEMORY_POOL, map, sizes[i]);
        }
    }
    cr_assert_eq(memory_used(memory, MEMORY_POOL), 0);
}

MEMORY_TEST(large_reservations_cost_only_what_is_touched)
{
    size_t size = (size_t)1 << 40;
    uint8_t *map = NULL;

    cr_assert_eq(memory_map(memory, MEMORY_PAGE_TABLE, size, false, (void **)&map), STATUS_OK);
    for (size_t at = 0; at < size; at += size / 16)
        map[at] = 1;
    memory_unmap(memory, MEMORY_PAGE_TABLE, map, size);
}

MEMORY_TEST(discarded_pages_read_as_zero)
{
    uint8_t *map = NULL;

    cr_assert_eq(memory_map(memory, MEMORY_POOL, 3 * 4096, false, (void **)&map), STATUS_OK);
    memset(map, 5, 3 * 4096);
    memory_map_discard(map + 4096, 4096);
    cr_assert_eq(map[4095], 5);
    cr_assert(bytes_are_zero(map + 4096, 4096));
    cr_assert_eq(map[8192], 5);
    memory_map_discard(map, 0);
    memory_unmap(memory, MEMORY_POOL, map, 3 * 4096);
}

enum { THREADS = 4, ROUNDS = 20000 };

static void *
allocate_much(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        void *bytes = memory_alloc(memory, i % MEMORY_PART_COUNT, 40);

        bytes = memory_resize(memory, i % MEMORY_PART_COUNT, bytes, 40, 80);
        memory_free(memory, i % MEMORY_PART_COUNT, bytes, 80);
    }
    return NULL;
}

MEMORY_TEST(counts_are_exact_with_many_threads)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, allocate_much, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(memory_alloc_count(memory), 2 * THREADS * ROUNDS);
    cr_assert_eq(memory_live_count(memory), 0);
    for (int i = 0; i < MEMORY_PART_COUNT; i++)
        cr_assert_eq(memory_used(memory, i), 0);
}
