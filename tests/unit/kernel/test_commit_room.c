/*
 * Goal: commits of many rows hardly ever begin again for want of file space, buffers or log.
 * Method: commits into an empty tree and of large values, with the pager's count of
 * restarts against the number of commits.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/base/random.h"
#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

static uint64_t
restarts(const struct db_rig *rig)
{
    struct pager_statistics statistics;

    pager_get_counts(database_pager(rig->db), &statistics);
    return statistics.restart_count;
}

static void
open_rig(struct db_rig *rig)
{
    db_rig_init(rig, 1);
    db_rig_close(rig);
    rig->options.pool_size = 16 << 20;
    rig->options.log_limit = 64 << 20;
    rig->options.segment_size = 4 << 20;
    db_rig_open(rig);
}

/* Rows [first, end) of a random order, in one commit. */
static void
commit_rows(struct db_rig *rig, struct qtdb_tree *tree, uint64_t first, uint64_t end, size_t size)
{
    static uint8_t value[50000];
    struct qtdb_txn *txn = db_begin(rig->db);
    struct random random;

    random_init(&random, first);
    for (uint64_t i = first; i < end; i++) {
        uint8_t key[8];

        qtdb_key_u64(random_mix(i), key);
        random_bytes(&random, value, size);
        DB(qtdb_put(txn, tree, key, sizeof(key), value, size, QTDB_PUT_ANY));
    }
    DB(qtdb_commit(txn));
}

Test(commit_room, commits_into_an_empty_tree_begin_once)
{
    struct db_rig rig;
    struct qtdb_tree *tree;

    open_rig(&rig);
    tree = db_tree(rig.db, "t");
    commit_rows(&rig, tree, 0, 1000, 100); /* The first ones make buffers and file. */
    uint64_t before = restarts(&rig);

    for (uint64_t i = 1; i < 21; i++)
        commit_rows(&rig, tree, i * 1000, (i + 1) * 1000, 100);
    cr_assert_leq(restarts(&rig) - before, 1, "%llu",
                  (unsigned long long)(restarts(&rig) - before));
    db_check(rig.db);
    db_rig_deinit(&rig);
}

Test(commit_room, commits_of_values_with_pages_of_their_own_begin_once)
{
    struct db_rig rig;
    struct qtdb_tree *tree;

    open_rig(&rig);
    tree = db_tree(rig.db, "t");
    commit_rows(&rig, tree, 0, 20, 50000);
    uint64_t before = restarts(&rig);

    for (uint64_t i = 1; i < 10; i++)
        commit_rows(&rig, tree, i * 20, (i + 1) * 20, 50000);
    cr_assert_leq(restarts(&rig) - before, 1, "%llu",
                  (unsigned long long)(restarts(&rig) - before));
    db_check(rig.db);
    db_rig_deinit(&rig);
}
