/*
 * Goal: a run built of whole leaves is the same as its rows put one by one: in an empty tree and behind
 * the rows of another, before and after a crash; refused where it does not belong; and a run that fails
 * anywhere leaves the tree, the file and the memory as they were.
 * Method: rows of every shape of key in order, the tree compared with the model and verified; random
 * changes on top; each allocation fails once, each write fails once.
 */
#include <criterion/criterion.h>

#include "kernel/base/io_sim.h"
#include "tests/unit/btree/tree_rig.h"

enum { KEYS = 6000, VALUE_MAX = 700 };

struct run {
    struct tree_rig *rig;
    struct btree_build *build;
};

/* A seed whose value fits a leaf. */
static uint32_t
seed_for(struct tree_rig *rig, uint32_t number)
{
    uint32_t seed = number + 1;

    while (universe_value(seed, rig->value) > VALUE_MAX)
        seed += KEYS;
    return seed;
}

static enum status
add_ranks(struct tree_rig *rig, struct btree_build *build, uint32_t from, uint32_t to)
{
    for (uint32_t rank = from; rank < to; rank++) {
        uint32_t number = rig->universe.order[rank];
        uint8_t key[1024];
        size_t key_size = universe_key(&rig->universe, number, key);
        size_t size = universe_value(seed_for(rig, number), rig->value);

        TRY(btree_build_add(build, key, key_size, rig->value, size));
    }
    return btree_build_write(build);
}

static enum status
attach_body(struct pager_change *change, void *context)
{
    struct run *run = context;

    return btree_build_attach(change, run->build, &run->rig->tree);
}

/* As tree_rig_run, for changes that may fail. */
static enum status
attach(struct run *run)
{
    struct pager *pager = run->rig->tree.pager;

    for (;;) {
        struct pager_change *change;
        uint64_t csn;

        TRY(pager_change_begin(pager, &change));
        enum status status = attach_body(change, run);

        if (status == STATUS_OK)
            status = pager_change_commit(change, &csn);
        else
            pager_change_abandon(change);
        if (status != STATUS_MISSING)
            return status;
        TRY(pager_change_resolve(pager));
    }
}

/* The whole of it; the model follows. */
static enum status
try_run(struct tree_rig *rig, bool into_empty, uint32_t from, uint32_t to)
{
    struct run run = {.rig = rig};
    enum status status;

    TRY(btree_build_begin(&rig->tree, into_empty, &run.build));
    status = add_ranks(rig, run.build, from, to);
    if (status == STATUS_OK)
        status = attach(&run);
    btree_build_end(run.build, status == STATUS_OK);
    for (uint32_t rank = from; rank < to && status == STATUS_OK; rank++) {
        uint32_t number = rig->universe.order[rank];

        rig->present += rig->seed[number] == 0;
        rig->seed[number] = seed_for(rig, number);
    }
    return status;
}

static void
build_and_change(enum universe_shape shape)
{
    struct tree_rig rig;
    struct random random;

    random_init(&random, 5);
    tree_rig_init(&rig, shape, KEYS, 4096);
    MUST(try_run(&rig, true, 0, KEYS / 2));
    tree_rig_check(&rig);
    MUST(try_run(&rig, false, KEYS / 2, KEYS / 2 + 1));
    MUST(try_run(&rig, false, KEYS / 2 + 1, KEYS - 100));
    tree_rig_check(&rig);
    for (uint32_t round = 0; round < 30; round++)
        tree_rig_change(&rig, &random, 100);
    tree_rig_check(&rig);
    tree_rig_deinit(&rig);
}

/* covers: B3, B6 */
Test(tree_build, runs_of_numbers_equal_the_model)
{
    build_and_change(UNIVERSE_INT);
}

Test(tree_build, runs_of_neighbours_equal_the_model)
{
    build_and_change(UNIVERSE_DENSE);
}

Test(tree_build, runs_of_texts_equal_the_model)
{
    build_and_change(UNIVERSE_TEXT);
}

Test(tree_build, runs_of_the_longest_keys_equal_the_model)
{
    build_and_change(UNIVERSE_LONG);
}

/* The last leaf may be full when a run begins behind it, and may have grown by puts of any size. */
static void
append_at_every_fill(enum universe_shape shape)
{
    struct tree_rig rig;

    for (uint32_t puts = 0; puts < 60; puts += shape == UNIVERSE_LONG ? 1 : 7) {
        tree_rig_init(&rig, shape, KEYS, 1024);
        for (uint32_t rank = 0; rank < puts; rank++) {
            uint32_t number = rig.universe.order[rank];

            tree_rig_put(&rig, number, seed_for(&rig, number));
        }
        MUST(try_run(&rig, false, puts, puts + 300));
        tree_rig_check(&rig);
        tree_rig_deinit(&rig);
    }
}

Test(tree_build, a_run_goes_behind_a_leaf_of_any_fill)
{
    append_at_every_fill(UNIVERSE_LONG);
    append_at_every_fill(UNIVERSE_TEXT);
    append_at_every_fill(UNIVERSE_DENSE);
}

Test(tree_build, leaves_are_full_and_only_the_spine_is_logged)
{
    struct tree_rig rig;
    struct pager_statistics before, after;
    struct run run = {.rig = &rig};

    tree_rig_init(&rig, UNIVERSE_DENSE, KEYS, 2048);
    pager_get_statistics(rig.tree.pager, &before);
    MUST(btree_build_begin(&rig.tree, true, &run.build));
    for (uint32_t rank = 0; rank < KEYS; rank++) {
        uint8_t key[1024];

        (void)universe_key(&rig.universe, rig.universe.order[rank], key);
        MUST(btree_build_add(run.build, key, 8, "12345678", 8));
    }
    MUST(btree_build_write(run.build));
    cr_assert_eq(btree_build_page_count(run.build), KEYS / 240);
    MUST(attach(&run));
    btree_build_end(run.build, true);
    pager_get_statistics(rig.tree.pager, &after);
    /* 25 leaves: 100 KB of rows. */
    cr_assert_lt(after.log.frame_size - before.log.frame_size, 20000);
    tree_rig_deinit(&rig);
}

Test(tree_build, a_run_that_does_not_belong_there_is_refused)
{
    struct tree_rig rig;
    uint64_t pages;

    tree_rig_init(&rig, UNIVERSE_INT, KEYS, 2048);
    MUST(try_run(&rig, true, 0, 1000));
    pages = tree_rig_page_count(&rig);
    cr_assert_eq(try_run(&rig, true, 1000, 2000), STATUS_CONFLICT);
    cr_assert_eq(try_run(&rig, false, 999, 2000), STATUS_CONFLICT);
    cr_assert_eq(try_run(&rig, false, 10, 900), STATUS_CONFLICT);
    cr_assert_eq(tree_rig_page_count(&rig), pages);
    tree_rig_check(&rig);
    tree_rig_deinit(&rig);
}

Test(tree_build, rows_out_of_order_and_large_values_are_refused)
{
    static const uint8_t large[BTREE_INLINE_VALUE_MAX + 1];
    struct tree_rig rig;
    struct btree_build *build;

    tree_rig_init(&rig, UNIVERSE_TEXT, 10, 256);
    MUST(btree_build_begin(&rig.tree, true, &build));
    cr_assert_eq(btree_build_add(build, "", 0, "", 0), STATUS_INVALID);
    cr_assert_eq(btree_build_add(build, "b", 1, large, sizeof(large)), STATUS_INVALID);
    MUST(btree_build_add(build, "b", 1, large, sizeof(large) - 1));
    cr_assert_eq(btree_build_add(build, "b", 1, "", 0), STATUS_INVALID);
    cr_assert_eq(btree_build_add(build, "a", 1, "", 0), STATUS_INVALID);
    MUST(btree_build_add(build, "b\0", 2, "", 0));
    btree_build_end(build, false);
    btree_build_end(NULL, false);
    tree_rig_deinit(&rig);
}

static void
reopen(struct tree_rig *rig)
{
    pager_rig_open(&rig->pager);
    rig->tree.pager = rig->pager.pager;
}

/* covers: B6 */
Test(tree_build, a_run_is_there_after_a_crash_or_not_at_all)
{
    struct tree_rig rig;
    struct btree_build *build;

    tree_rig_init(&rig, UNIVERSE_INT, KEYS, 2048);
    MUST(try_run(&rig, true, 0, 2000));
    MUST(pager_flush(rig.tree.pager, pager_csn(rig.tree.pager)));
    pager_rig_kill(&rig.pager);
    reopen(&rig);
    tree_rig_check(&rig);
    /* Written, not attached. */
    MUST(btree_build_begin(&rig.tree, false, &build));
    MUST(add_ranks(&rig, build, 2000, 4000));
    btree_build_end(build, false);
    pager_rig_kill(&rig.pager);
    reopen(&rig);
    tree_rig_check(&rig);
    MUST(try_run(&rig, false, 2000, 4000));
    tree_rig_check(&rig);
    pager_rig_close(&rig.pager);
    reopen(&rig);
    tree_rig_check(&rig);
    tree_rig_deinit(&rig);
}

Test(tree_build, every_allocation_may_fail)
{
    struct tree_rig rig;
    bool failed = true;
    uint32_t seen = 0;

    tree_rig_init(&rig, UNIVERSE_TEXT, KEYS, 2048);
    MUST(try_run(&rig, true, 0, 100));
    for (uint64_t index = 0; failed; index++) {
        memory_fail_at(rig.pager.memory, index, false);
        enum status status = try_run(&rig, false, 100, 3000);

        failed = memory_failed(rig.pager.memory);
        memory_fail_at(rig.pager.memory, UINT64_MAX, false);
        seen += failed;
        cr_assert(status == STATUS_OK || status == STATUS_NO_MEMORY, "%s", status_name(status));
        tree_rig_check(&rig);
        if (status == STATUS_OK)
            break;
    }
    cr_assert_gt(seen, 2);
    tree_rig_deinit(&rig);
}

/* After a failed write the handle is done for; the next one finds the tree as it was, or the run. */
Test(tree_build, every_write_may_fail)
{
    struct tree_rig rig;
    bool failed = true;
    uint32_t seen = 0;

    tree_rig_init(&rig, UNIVERSE_INT, KEYS, 2048);
    MUST(try_run(&rig, true, 0, 500));
    for (uint64_t index = 0; failed; index++) {
        pager_rig_close(&rig.pager);
        reopen(&rig);
        io_sim_fail_at(rig.pager.io, io_sim_op_count(rig.pager.io) + index, IO_SIM_FAULT_EIO,
                       false);
        enum status status = try_run(&rig, false, 500, 3000);

        failed = io_sim_failed(rig.pager.io);
        io_sim_fail_at(rig.pager.io, UINT64_MAX, IO_SIM_FAULT_EIO, false);
        seen += failed;
        if (status == STATUS_OK)
            break;
        cr_assert(status == STATUS_IO || status == STATUS_FAILED, "%s", status_name(status));
        pager_abandon(rig.pager.pager);
        rig.pager.pager = NULL;
        reopen(&rig);
        tree_rig_check(&rig);
    }
    cr_assert_gt(seen, 0);
    tree_rig_check(&rig);
    tree_rig_deinit(&rig);
}
