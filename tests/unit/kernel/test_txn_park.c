/*
 * Goal: read-only transactions that begin without a latch see what any new one would, hold nothing back while
 * they are parked, and their handles are refused after the end like all others.
 * Method: rows of short transactions on a simulated disk, so many that handles go round, with commits, drops,
 * other handles of databases and other threads in between; what is parked is counted from the inside.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum { ROUND = 2 * FINISHED_KEPT + 3 };

static void
put_and_commit(struct qtdb *db, struct qtdb_tree *tree, const char *value)
{
    struct qtdb_txn *txn = db_begin(db);

    DB(db_put(txn, tree, "a", value));
    DB(qtdb_commit(txn));
}

static void
look_often(struct qtdb *db, struct qtdb_tree *tree, const char *expected, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++)
        cr_assert_str_eq(db_look(db, tree, "a"), expected);
}

static uint32_t
parked_count(const struct qtdb *db)
{
    uint32_t count = 0;

    for (struct qtdb_txn *txn = db->readers.newest; txn != NULL; txn = txn->next)
        count += atomic_load(&txn->parked);
    return count;
}

/* covers: T19 */
Test(txn_park, each_sees_what_was_committed_before_it_began)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    char value[16];

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    for (uint32_t i = 0; i < 3 * ROUND; i++) {
        (void)snprintf(value, sizeof(value), "%u", i);
        put_and_commit(rig.db, tree, value);
        look_often(rig.db, tree, value, i % ROUND);
    }
    cr_assert_gt(parked_count(rig.db), 0);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* covers: T19 */
Test(txn_park, one_whose_snapshot_is_old_is_not_begun_again)
{
    struct db_rig rig;
    struct qtdb_tree *tree;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    put_and_commit(rig.db, tree, "1");
    look_often(rig.db, tree, "1", ROUND);
    struct qtdb_txn *beside[4];

    /* So many at once that some are left to be begun again. */
    for (uint32_t i = 0; i < 4; i++)
        beside[i] = db_begin_read(rig.db);
    for (uint32_t i = 0; i < 4; i++)
        DB(qtdb_commit(beside[i]));
    struct qtdb_txn *old = db_begin_read(rig.db);

    put_and_commit(rig.db, tree, "2");
    /* They lie before the old one in the list, so nobody took them out. */
    cr_assert_gt(parked_count(rig.db), 0);
    look_often(rig.db, tree, "2", ROUND);
    cr_assert_str_eq(db_get(old, tree, "a"), "1");
    DB(qtdb_commit(old));
    look_often(rig.db, tree, "2", ROUND);
    db_rig_deinit(&rig);
}

/* covers: T19 */
Test(txn_park, handles_go_round_without_new_ones)
{
    struct qtdb_txn *seen[ROUND];
    struct db_rig rig;
    struct qtdb_tree *tree;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    put_and_commit(rig.db, tree, "1");
    look_often(rig.db, tree, "1", ROUND);
    for (uint32_t i = 0; i < ROUND; i++) {
        seen[i] = db_begin_read(rig.db);
        cr_assert(seen[i]->running);
        /* The tree is known from the last time, and answers as then. */
        cr_assert_eq(seen[i]->trees, &seen[i]->first_tree);
        cr_assert_str_eq(db_get(seen[i], tree, "a"), "1");
        DB(qtdb_commit(seen[i]));
        for (uint32_t k = i > FINISHED_KEPT ? i - FINISHED_KEPT : 0; k < i; k++)
            cr_assert_neq(seen[k], seen[i], "a handle was used again too soon");
    }
    cr_assert_eq(parked_count(rig.db), FINISHED_KEPT + 1);
    db_rig_deinit(&rig);
}

Test(txn_park, an_ended_one_is_refused)
{
    struct qtdb_txn *ended;
    struct db_rig rig;
    struct qtdb_tree *tree;
    uint8_t value[4];
    size_t size = sizeof(value);

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    put_and_commit(rig.db, tree, "1");
    look_often(rig.db, tree, "1", ROUND);
    ended = db_begin_read(rig.db);
    cr_assert_str_eq(db_get(ended, tree, "a"), "1");
    DB(qtdb_commit(ended));
    cr_assert(atomic_load(&ended->parked));
    for (uint32_t i = 0; i < FINISHED_KEPT; i++) {
        struct qtdb_txn *other = db_begin_read(rig.db);

        DB_REFUSED(qtdb_get(ended, tree, "a", 1, value, &size), QTDB_INVALID);
        DB_REFUSED(qtdb_commit(ended), QTDB_INVALID);
        qtdb_rollback(ended);
        cr_assert_str_eq(db_get(other, tree, "a"), "1");
        DB(qtdb_commit(other));
    }
    db_rig_deinit(&rig);
}

/* covers: T19, T2 */
Test(txn_park, what_is_parked_holds_nothing_back)
{
    struct db_rig rig;
    struct qtdb_tree *tree;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    put_and_commit(rig.db, tree, "1");
    look_often(rig.db, tree, "1", ROUND);
    struct qtdb_txn *old = db_begin_read(rig.db);

    cr_assert_gt(parked_count(rig.db), 0);
    put_and_commit(rig.db, tree, "2");
    cr_assert_neq(rig.db->merged, NULL);
    cr_assert_str_eq(db_get(old, tree, "a"), "1");
    DB(qtdb_commit(old));
    cr_assert_eq(rig.db->merged, NULL, "rows before are kept for nobody");
    put_and_commit(rig.db, tree, "3");
    cr_assert_eq(rig.db->merged, NULL, "rows before are kept for parked transactions");
    cr_assert_eq(parked_count(rig.db), 0);
    db_rig_deinit(&rig);
}

/* covers: T19, T7 */
Test(txn_park, a_tree_that_was_dropped_is_not_known_from_before)
{
    struct qtdb_txn_options options = {
        .size = sizeof(options), .read_only = true, .isolation = QTDB_READ_COMMITTED};
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    uint8_t value[4];
    size_t size = sizeof(value);

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    put_and_commit(rig.db, tree, "1");
    look_often(rig.db, tree, "1", ROUND);
    struct qtdb_txn *reader[FINISHED_KEPT + 1];

    for (uint32_t i = 0; i <= FINISHED_KEPT; i++) {
        DB(qtdb_begin(rig.db, &options, &reader[i]));
        cr_assert_str_eq(db_get(reader[i], tree, "a"), "1");
    }
    txn = db_begin(rig.db);
    DB(qtdb_tree_drop(txn, "t"));
    DB(qtdb_commit(txn));
    for (uint32_t i = 0; i <= FINISHED_KEPT; i++) {
        DB(qtdb_refresh(reader[i]));
        qtdb_rollback(reader[i]);
    }
    for (uint32_t i = 0; i < ROUND; i++) {
        txn = db_begin_read(rig.db);
        DB_REFUSED(qtdb_get(txn, tree, "a", 1, value, &size), QTDB_NOT_FOUND);
        qtdb_rollback(txn);
    }
    db_rig_deinit(&rig);
}

Test(txn_park, two_databases_and_one_that_was_closed)
{
    struct db_rig rigs[2];
    struct qtdb_tree *trees[2];

    for (uint32_t i = 0; i < 2; i++) {
        db_rig_init(&rigs[i], 1);
        trees[i] = db_tree(rigs[i].db, "t");
        put_and_commit(rigs[i].db, trees[i], i == 0 ? "0" : "1");
    }
    for (uint32_t i = 0; i < 8 * ROUND; i++) {
        look_often(rigs[0].db, trees[0], "0", i % 3);
        look_often(rigs[1].db, trees[1], "1", i < 4 * ROUND ? 1 : ROUND);
    }
    db_rig_close(&rigs[1]);
    db_rig_open(&rigs[1]);
    trees[1] = db_tree(rigs[1].db, "t");
    look_often(rigs[1].db, trees[1], "1", 4 * ROUND);
    look_often(rigs[0].db, trees[0], "0", 4 * ROUND);
    db_rig_deinit(&rigs[0]);
    db_rig_deinit(&rigs[1]);
}

struct elsewhere {
    struct qtdb *db;
    struct qtdb_tree *tree;
    struct qtdb_txn *begun;
};

static void *
work_elsewhere(void *context)
{
    struct elsewhere *elsewhere = context;

    look_often(elsewhere->db, elsewhere->tree, "1", ROUND);
    if (elsewhere->begun != NULL)
        DB(qtdb_commit(elsewhere->begun));
    return NULL;
}

/* covers: T19 */
Test(txn_park, threads_that_are_gone_leave_a_bounded_number)
{
    struct db_rig rig;
    struct elsewhere elsewhere;
    pthread_t thread;
    uint32_t most = 0;

    db_rig_init(&rig, 1);
    elsewhere = (struct elsewhere){.db = rig.db, .tree = db_tree(rig.db, "t")};
    put_and_commit(rig.db, elsewhere.tree, "1");
    for (uint32_t i = 0; i < 200; i++) {
        elsewhere.begun = i % 2 == 0 ? db_begin_read(rig.db) : NULL;
        cr_assert_eq(pthread_create(&thread, NULL, work_elsewhere, &elsewhere), 0);
        cr_assert_eq(pthread_join(thread, NULL), 0);
        uint32_t now = parked_count(rig.db);

        most = now > most ? now : most;
    }
    cr_assert_gt(most, 10 * FINISHED_KEPT);
    cr_assert_leq(most, 1200);
    put_and_commit(rig.db, elsewhere.tree, "2");
    cr_assert_eq(parked_count(rig.db), 0);
    db_rig_deinit(&rig);
}
