/*
 * Goal: a batch says of each key what btree_get says of it alone: values, sizes, absence, too little
 * room, large values; with everything in memory, with nothing in memory, and when reading fails.
 * Method: batches of every size up to more than two groups, of keys present and absent and of sizes
 * no key has, over every shape of tree, each answer compared with the model or with btree_get.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "kernel/base/io_sim.h"
#include "tests/unit/btree/tree_rig.h"

enum { KEYS = 1200, BATCH_MAX = 60 };

struct batch {
    struct btree_get gets[BATCH_MAX];
    uint32_t numbers[BATCH_MAX];
    uint8_t keys[BATCH_MAX][1024];
    uint8_t *values[BATCH_MAX];
    uint32_t count;
};

static struct batch *
batch_new(void)
{
    struct batch *batch = calloc(1, sizeof(*batch));

    for (uint32_t i = 0; i < BATCH_MAX; i++)
        batch->values[i] = malloc(UNIVERSE_VALUE_MAX);
    return batch;
}

static void
batch_free(struct batch *batch)
{
    for (uint32_t i = 0; i < BATCH_MAX; i++)
        free(batch->values[i]);
    free(batch);
}

static void
draw(struct batch *batch, struct tree_rig *rig, struct random *random, uint32_t count)
{
    batch->count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = (uint32_t)random_below(random, KEYS);

        batch->numbers[i] = number;
        batch->gets[i] = (struct btree_get){
            .key = batch->keys[i],
            .key_size = universe_key(&rig->universe, number, batch->keys[i]),
            .value = batch->values[i],
            .size = random_chance(random, 1, 10) ? 3 : UNIVERSE_VALUE_MAX,
        };
    }
}

static void
check(struct batch *batch, struct tree_rig *rig)
{
    size_t rooms[BATCH_MAX];

    for (uint32_t i = 0; i < batch->count; i++)
        rooms[i] = batch->gets[i].size;
    MUST(btree_get_batch(&rig->tree, batch->gets, batch->count));
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct btree_get *get = &batch->gets[i];
        uint32_t seed = rig->seed[batch->numbers[i]];
        size_t size = universe_value(seed, rig->other);
        enum status expected = seed == 0         ? STATUS_NOT_FOUND
                               : size > rooms[i] ? STATUS_FULL
                                                 : STATUS_OK;

        cr_assert_eq(get->status, expected, "key %u of %u: %s", i, batch->count,
                     status_name(get->status));
        cr_assert(get->csn > 0 && get->csn <= pager_csn(rig->tree.pager));
        if (seed != 0)
            cr_assert_eq(get->size, size);
        if (expected == STATUS_OK)
            cr_assert_eq(memcmp(get->value, rig->other, size), 0, "key %u", i);
    }
}

static void
run(enum universe_shape shape)
{
    struct batch *batch = batch_new();
    struct tree_rig rig;
    struct random random;

    random_init(&random, 3);
    tree_rig_init(&rig, shape, KEYS, 256);
    for (uint32_t round = 0; round < 40; round++)
        tree_rig_change(&rig, &random, 60);
    for (uint32_t count = 0; count <= BATCH_MAX; count++) {
        if (count % 8 == 5) {
            pager_rig_close(&rig.pager);
            pager_rig_open(&rig.pager);
            rig.tree.pager = rig.pager.pager;
            MUST(pager_checkpoint(rig.tree.pager));
        }
        draw(batch, &rig, &random, count);
        check(batch, &rig);
    }
    tree_rig_deinit(&rig);
    batch_free(batch);
}

Test(tree_batch, a_batch_of_numbers_equals_the_model)
{
    run(UNIVERSE_INT);
}

Test(tree_batch, a_batch_of_neighbours_equals_the_model)
{
    run(UNIVERSE_DENSE);
}

Test(tree_batch, a_batch_of_texts_equals_the_model)
{
    run(UNIVERSE_TEXT);
}

Test(tree_batch, a_batch_of_the_longest_keys_equals_the_model)
{
    run(UNIVERSE_LONG);
}

Test(tree_batch, keys_no_row_can_have_are_treated_as_alone)
{
    struct batch *batch = batch_new();
    struct tree_rig rig;
    struct random random;

    random_init(&random, 4);
    tree_rig_init(&rig, UNIVERSE_DENSE, KEYS, 256);
    for (uint32_t number = 0; number < KEYS; number++)
        tree_rig_put(&rig, number, number % 50 + 1);
    draw(batch, &rig, &random, 40);
    memset(batch->keys[3], 0xff, 8);
    batch->gets[4].key_size = 5;
    batch->gets[5].key_size = 20;
    MUST(btree_get_batch(&rig.tree, batch->gets, 40));
    for (uint32_t i = 3; i <= 5; i++)
        cr_assert_eq(batch->gets[i].status, STATUS_NOT_FOUND);
    draw(batch, &rig, &random, 40);
    batch->gets[30].key_size = 0;
    cr_assert_eq(btree_get_batch(&rig.tree, batch->gets, 40), STATUS_INVALID);
    batch->gets[30].key_size = BTREE_KEY_SIZE_MAX + 1;
    cr_assert_eq(btree_get_batch(&rig.tree, batch->gets, 40), STATUS_INVALID);
    tree_rig_deinit(&rig);
    batch_free(batch);
}

/* Whatever page a key names (its leaf, one beside it, an inner page, one that is free or not there, none) its
 * answer is the same. covers: B2 */
static void
name_pages(enum universe_shape shape)
{
    struct batch *batch = batch_new();
    struct tree_rig rig;
    struct random random;
    uint32_t right = 0, wrong = 0;

    random_init(&random, 7);
    tree_rig_init(&rig, shape, KEYS, 256);
    for (uint32_t round = 0; round < 60; round++) {
        bool all = random_chance(&random, 3, 4);

        tree_rig_change(&rig, &random, 40);
        draw(batch, &rig, &random, (uint32_t)random_below(&random, BATCH_MAX) + 1);
        for (uint32_t i = 0; i < batch->count; i++)
            if (all || random_chance(&random, 1, 2))
                batch->gets[i].page_number =
                    random_chance(&random, 1, 20)
                        ? PAGE_NONE
                        : (uint32_t)random_below(&random, pager_page_count(rig.tree.pager) + 2);
        if (round % 10 == 9) {
            pager_rig_close(&rig.pager);
            pager_rig_open(&rig.pager);
            rig.tree.pager = rig.pager.pager;
        }
        check(batch, &rig);
        for (uint32_t i = 0; i < batch->count; i++) {
            right += batch->gets[i].page_number != 0 && batch->gets[i].hops == 0;
            wrong += batch->gets[i].page_number != 0 && batch->gets[i].hops == UINT32_MAX;
        }
    }
    cr_assert(right > 0 && wrong > 0, "%u right, %u wrong", right, wrong);
    tree_rig_deinit(&rig);
    batch_free(batch);
}

Test(tree_batch, a_leaf_that_is_named_changes_no_answer)
{
    name_pages(UNIVERSE_INT);
    name_pages(UNIVERSE_DENSE);
    name_pages(UNIVERSE_TEXT);
}

/* Each page cannot be read once: a batch that needs it says so, and the next one is right. */
static void
fail_reads(enum universe_shape shape)
{
    struct batch *batch = batch_new();
    struct tree_rig rig;
    struct random random;
    uint32_t seen = 0;

    random_init(&random, 5);
    tree_rig_init(&rig, shape, KEYS, 256);
    for (uint32_t round = 0; round < 20; round++)
        tree_rig_change(&rig, &random, 60);
    for (uint32_t page = 5; page < pager_page_count(rig.tree.pager); page += 3) {
        pager_rig_close(&rig.pager);
        pager_rig_open(&rig.pager);
        rig.tree.pager = rig.pager.pager;
        draw(batch, &rig, &random, BATCH_MAX);
        MUST(io_sim_bad_range(rig.pager.io, RIG_PATH, (uint64_t)page * PAGE_SIZE, PAGE_SIZE));
        enum status status = btree_get_batch(&rig.tree, batch->gets, BATCH_MAX);

        MUST(io_sim_bad_range(rig.pager.io, RIG_PATH, 0, 0));
        seen += status != STATUS_OK;
        cr_assert(status == STATUS_OK || status == STATUS_IO || status == STATUS_CORRUPT, "%s",
                  status_name(status));
        draw(batch, &rig, &random, BATCH_MAX);
        check(batch, &rig);
    }
    cr_assert_gt(seen, 0);
    tree_rig_deinit(&rig);
    batch_free(batch);
}

Test(tree_batch, a_failing_read_fails_the_batch_alone)
{
    fail_reads(UNIVERSE_INT);
    fail_reads(UNIVERSE_TEXT);
}

/* Without memory for reading side by side pages are read one by one. */
Test(tree_batch, no_memory_is_survived)
{
    struct batch *batch = batch_new();
    struct tree_rig rig;
    struct random random;
    bool failed = true;

    random_init(&random, 6);
    tree_rig_init(&rig, UNIVERSE_INT, KEYS, 256);
    for (uint32_t round = 0; round < 10; round++)
        tree_rig_change(&rig, &random, 60);
    for (uint64_t index = 0; failed; index++) {
        pager_rig_close(&rig.pager);
        pager_rig_open(&rig.pager);
        rig.tree.pager = rig.pager.pager;
        draw(batch, &rig, &random, BATCH_MAX);
        memory_fail_at(rig.pager.memory, index, false);
        enum status status = btree_get_batch(&rig.tree, batch->gets, BATCH_MAX);

        failed = memory_failed(rig.pager.memory);
        memory_fail_at(rig.pager.memory, UINT64_MAX, false);
        cr_assert(status == STATUS_OK || status == STATUS_NO_MEMORY, "%s", status_name(status));
        draw(batch, &rig, &random, BATCH_MAX);
        check(batch, &rig);
    }
    tree_rig_deinit(&rig);
    batch_free(batch);
}
