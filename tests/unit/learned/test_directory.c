/*
 * Goal: a directory stays in order, refuses what does not fit, and survives a file, or is refused
 * whole when the file is damaged.
 * Method: appends against the rules; encode and decode over all sets; each byte flipped, each length
 * cut, forged fields under a right checksum; each allocation refused once.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/checksum.h"
#include "learned/learned_format.h"
#include "tests/support/leaf_sets.h"

enum { LEAVES = 1000, BYTES_MAX = 16 * LEAVES };

static uint64_t keys[LEAVES];
static uint8_t bytes[BYTES_MAX];

static size_t
encode(struct memory *memory, enum leaf_set set, uint32_t count)
{
    struct leaf_directory directory;

    leaf_set_fill(set, 1, count, keys);
    leaf_set_directory(keys, count, 0, memory, &directory);
    size_t size = leaf_directory_encode(&directory, bytes, sizeof(bytes));
    cr_assert(size <= sizeof(bytes));
    cr_assert_eq(leaf_directory_encode(&directory, NULL, 0), size);
    leaf_directory_deinit(&directory);
    return size;
}

static void
seal(size_t size)
{
    le64 sum = le64_of(checksum64(bytes + 8, size - 8, DIRECTORY_MAGIC));

    memcpy(bytes, &sum, 8);
}

/* covers: L1 */
Test(directory, takes_leaves_in_order_and_within_its_room)
{
    struct memory *memory = memory_new();
    struct leaf_directory directory;

    cr_assert_eq(leaf_directory_init(&directory, memory, 0), STATUS_INVALID);
    cr_assert_eq(leaf_directory_init(&directory, memory, LEAF_COUNT_MAX + 1), STATUS_INVALID);
    cr_assert_eq(leaf_directory_init(&directory, memory, 3), STATUS_OK);
    cr_assert_eq(leaf_directory_search(&directory, 0, 5), LEAF_NONE);
    cr_assert_eq(leaf_directory_append(&directory, 10, 1), STATUS_OK);
    cr_assert_eq(leaf_directory_append(&directory, 9, 2), STATUS_INVALID);
    cr_assert_eq(leaf_directory_append(&directory, 10, 2), STATUS_OK);
    cr_assert_eq(leaf_directory_append(&directory, 20, 3), STATUS_OK);
    cr_assert_eq(leaf_directory_append(&directory, 30, 4), STATUS_FULL);
    cr_assert_eq(leaf_directory_count(&directory), 3);
    cr_assert_eq(leaf_directory_search(&directory, 3, 9), 0);
    cr_assert_eq(leaf_directory_search(&directory, 3, 10), 1, "the last of equal keys");
    cr_assert_eq(leaf_directory_search(&directory, 3, UINT64_MAX), 2);
    cr_assert_eq(leaf_directory_size(&directory), 36);
    leaf_directory_deinit(&directory);
    memory_delete(memory);
}

/* covers: L5 */
Test(directory, is_the_same_after_a_file)
{
    struct memory *memory = memory_new();

    for (int set = 0; set < LEAF_SET_COUNT; set++) {
        struct leaf_directory directory;
        size_t size = encode(memory, (enum leaf_set)set, LEAVES);

        cr_assert_eq(leaf_directory_decode(&directory, memory, bytes, size, 5), STATUS_OK);
        cr_assert_eq(leaf_directory_count(&directory), LEAVES);
        cr_assert_eq(directory.capacity, LEAVES + 5);
        cr_assert_arr_eq(directory.keys, keys, sizeof(keys));
        for (uint32_t i = 0; i < LEAVES; i++)
            cr_assert_eq(directory.pages[i], i + 7);
        leaf_directory_deinit(&directory);
    }
    size_t dense_size = encode(memory, LEAF_SET_DENSE, LEAVES);
    cr_assert_leq(dense_size, 24 + 3 * LEAVES, "three bytes a leaf loaded in order");
    memory_delete(memory);
}

/* covers: L5 */
Test(directory, refuses_damage)
{
    struct memory *memory = memory_new();
    struct leaf_directory directory;
    size_t size = encode(memory, LEAF_SET_STEPS, 50);

    for (size_t i = 0; i < size; i++) {
        cr_assert_eq(leaf_directory_decode(&directory, memory, bytes, i, 0), STATUS_CORRUPT);
        bytes[i] ^= 0x10;
        enum status status = leaf_directory_decode(&directory, memory, bytes, size, 0);
        cr_assert_eq(status, i == 12 || i == 13 ? STATUS_VERSION : STATUS_CORRUPT);
        bytes[i] ^= 0x10;
    }
    /* A right checksum over wrong bytes: too many leaves, too few, a sum past 64 bits. */
    static const struct {
        size_t offset;
        uint8_t value;
    } forged[] = {{16, 51}, {16, 49}, {17, 1}, {19, 255}, {14, 64}, {15, 1}, {20, 1}, {14, 63}};

    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
        uint8_t kept = bytes[forged[i].offset];

        bytes[forged[i].offset] = forged[i].value;
        seal(size);
        cr_assert_eq(leaf_directory_decode(&directory, memory, bytes, size, 0), STATUS_CORRUPT,
                     "forged %zu", i);
        bytes[forged[i].offset] = kept;
    }
    memory_delete(memory);
}

/* covers: L6 */
Test(directory, leaves_nothing_when_memory_is_refused)
{
    struct memory *memory = memory_new();
    size_t size = encode(memory, LEAF_SET_UNIFORM, 100);
    uint64_t refused = 0;

    for (uint64_t index = 0;; index++) {
        struct leaf_directory directory;

        memory_fail_at(memory, index, false);
        enum status status = leaf_directory_decode(&directory, memory, bytes, size, 0);
        memory_fail_at(memory, UINT64_MAX, false);
        if (status == STATUS_OK) {
            leaf_directory_deinit(&directory);
            break;
        }
        cr_assert_eq(status, STATUS_NO_MEMORY);
        cr_assert_eq(memory_live_count(memory), 0);
        refused++;
    }
    cr_assert_eq(refused, 2);
    memory_delete(memory);
}
