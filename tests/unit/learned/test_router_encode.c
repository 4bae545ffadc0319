/*
 * Goal: a router read from a file is the one that was saved; damage and another directory are refused;
 * forged lines that pass every check still find the right leaf.
 * Method: encode and decode by set and kind; each byte flipped, each length cut; random changes under a
 * right checksum, with every key asked of whatever is accepted; each allocation refused once.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/checksum.h"
#include "kernel/base/random.h"
#include "learned/learned_format.h"
#include "learned/router.h"
#include "tests/support/leaf_sets.h"

enum { LEAVES = 500, BYTES_MAX = 1 << 14, SEED = 7 };

static uint64_t keys[LEAVES];
static uint8_t bytes[BYTES_MAX];
static uint8_t again[BYTES_MAX];
static struct memory *memory;
static struct leaf_directory directory;

/* Trains and encodes; the directory stays for decoding. Returns the size. */
static size_t
save(enum leaf_set set, struct router_options options, struct router_verdict *verdict_out)
{
    struct router *router;

    memory = memory_new();
    leaf_set_fill(set, 3, LEAVES, keys);
    leaf_set_directory(keys, LEAVES, 10, memory, &directory);
    options.row_count = 1000000;
    cr_assert_eq(router_train(&directory, &options, memory, &router), STATUS_OK);
    size_t size = router_encode(router, &directory, bytes, sizeof(bytes));
    cr_assert(size <= sizeof(bytes));
    cr_assert_eq(router_encode(router, &directory, NULL, 0), size);
    if (verdict_out != NULL)
        *verdict_out = *router_verdict(router);
    router_free(router);
    return size;
}

static void
end(void)
{
    leaf_directory_deinit(&directory);
    memory_delete(memory);
}

static void
seal(size_t size)
{
    le64 sum = le64_of(checksum64(bytes + 8, size - 8, ROUTER_MAGIC));

    memcpy(bytes, &sum, 8);
}

static void
ask_all(const struct router *router)
{
    for (uint32_t i = 0; i < LEAVES; i++)
        for (uint64_t step = 0; step < 3; step++)
            cr_assert_eq(router_find(router, &directory, keys[i] + step - 1),
                         leaf_directory_search(&directory, LEAVES, keys[i] + step - 1));
}

/* covers: L5 */
Test(router_encode, is_the_same_after_a_file)
{
    for (int set = 0; set < LEAF_SET_COUNT; set++)
        for (int kind = ROUTER_AUTO; kind < ROUTER_KIND_COUNT; kind++)
            for (int root = 0; root < ROUTER_ROOT_COUNT; root++) {
                struct router_options options = {.kind = (enum router_kind)kind,
                                                 .root = (enum router_root)root};
                struct router_verdict verdict;
                size_t size = save((enum leaf_set)set, options, &verdict);
                struct router *router;

                cr_assert_eq(router_decode(&directory, memory, bytes, size, &router), STATUS_OK);
                cr_assert_eq(router_encode(router, &directory, again, sizeof(again)), size);
                cr_assert_arr_eq(bytes, again, size);
                if (verdict.kind != ROUTER_TREE)
                    ask_all(router);
                /* All figures are measured anew, but for the estimates of other kinds. */
                memset(verdict.cost_ns, 0, sizeof(verdict.cost_ns));
                struct router_verdict read = *router_verdict(router);
                memset(read.cost_ns, 0, sizeof(read.cost_ns));
                cr_assert_eq(memcmp(&read, &verdict, sizeof(read)), 0);
                router_free(router);
                end();
            }
}

/* covers: L5 */
Test(router_encode, refuses_damage)
{
    struct router *router;
    size_t size =
        save(LEAF_SET_SQUARES,
             (struct router_options){.kind = ROUTER_RMI, .root = ROUTER_ROOT_QUANTILE}, NULL);

    for (size_t i = 0; i < size; i++) {
        cr_assert_eq(router_decode(&directory, memory, bytes, i, &router), STATUS_CORRUPT);
        bytes[i] ^= 0x20;
        enum status status = router_decode(&directory, memory, bytes, size, &router);
        cr_assert_eq(status, i == 12 || i == 13 ? STATUS_VERSION : STATUS_CORRUPT);
        bytes[i] ^= 0x20;
    }
    end();
}

/* covers: L5 */
Test(router_encode, refuses_another_directory)
{
    struct router *router;
    size_t size = save(LEAF_SET_UNIFORM, (struct router_options){.kind = ROUTER_RMI}, NULL);

    /* Leaves appended since change nothing; a changed or missing one does. */
    cr_assert_eq(leaf_directory_append(&directory, UINT64_MAX, 1), STATUS_OK);
    cr_assert_eq(router_decode(&directory, memory, bytes, size, &router), STATUS_OK);
    router_free(router);
    directory.keys[LEAVES / 2]++;
    cr_assert_eq(router_decode(&directory, memory, bytes, size, &router), STATUS_INVALID);
    directory.keys[LEAVES / 2]--;
    atomic_store(&directory.count, LEAVES - 1);
    cr_assert_eq(router_decode(&directory, memory, bytes, size, &router), STATUS_INVALID);
    end();
}

/* covers: L5 */
Test(router_encode, forged_bytes_cost_time_and_no_answer)
{
    static const enum router_kind kinds[] = {ROUTER_DIRECTORY, ROUTER_PLA, ROUTER_RMI, ROUTER_RMI};
    struct random random;
    uint32_t accepted = 0;
    uint32_t refused = 0;

    printf("seed %d\n", SEED);
    random_init(&random, SEED);
    for (uint32_t k = 0; k < 4; k++) {
        struct router_options options = {
            .kind = kinds[k], .root = k == 3 ? ROUTER_ROOT_QUANTILE : ROUTER_ROOT_LINEAR};
        size_t size = save(LEAF_SET_STEPS, options, NULL);

        memcpy(again, bytes, size);
        for (uint32_t round = 0; round < 3000; round++) {
            struct router *router;
            uint64_t changes = 1 + random_below(&random, 3);

            memcpy(bytes, again, size);
            while (changes-- > 0)
                bytes[12 + random_below(&random, size - 12)] = (uint8_t)random_u64(&random);
            seal(size);
            if (router_decode(&directory, memory, bytes, size, &router) != STATUS_OK) {
                refused++;
                continue;
            }
            accepted++;
            if (router_verdict(router)->kind != ROUTER_TREE)
                ask_all(router);
            router_free(router);
        }
        end();
    }
    cr_assert_gt(accepted, 1000);
    cr_assert_gt(refused, 1000);
}

/* covers: L6 */
Test(router_encode, leaves_nothing_when_memory_is_refused)
{
    for (int kind = ROUTER_DIRECTORY; kind < ROUTER_KIND_COUNT; kind++) {
        struct router_options options = {.kind = (enum router_kind)kind,
                                         .root = ROUTER_ROOT_QUANTILE};
        size_t size = save(LEAF_SET_UNIFORM, options, NULL);
        uint64_t live = memory_live_count(memory);
        enum status status = STATUS_NO_MEMORY;
        struct router *router;

        for (uint64_t index = 0; status != STATUS_OK; index++) {
            memory_fail_at(memory, index, false);
            status = router_decode(&directory, memory, bytes, size, &router);
            cr_assert_eq(status, memory_failed(memory) ? STATUS_NO_MEMORY : STATUS_OK);
            memory_fail_at(memory, UINT64_MAX, false);
            cr_assert(status == STATUS_OK || memory_live_count(memory) == live);
        }
        router_free(router);
        end();
    }
}
