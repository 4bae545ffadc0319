/*
 * Goal: what a transaction does is there whole after commit and not at all after rollback; savepoints
 * restore what was; handles that have ended, and arguments out of range, are refused.
 * Method: short scripted transactions on a simulated disk, looked at from the outside before and
 * after each end.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

Test(txn, a_commit_shows_everything)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "a", "1"));
    DB(db_put(txn, tree, "b", "2"));
    cr_assert_str_eq(db_get(txn, tree, "a"), "1");
    cr_assert_str_eq(db_look(rig.db, tree, "a"), "(none)");
    DB(qtdb_commit(txn));
    cr_assert_str_eq(db_look(rig.db, tree, "a"), "1");
    cr_assert_str_eq(db_look(rig.db, tree, "b"), "2");
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* covers: T4 */
Test(txn, a_rollback_leaves_nothing)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    struct qtdb_statistics before = {.size = sizeof(before)};
    struct qtdb_statistics after = {.size = sizeof(after)};

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "a", "1"));
    DB(qtdb_commit(txn));
    qtdb_get_statistics(rig.db, &before);
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "a", "2"));
    DB(db_delete(txn, tree, "a"));
    DB(db_put(txn, tree, "b", "2"));
    cr_assert_str_eq(db_get(txn, tree, "a"), "(none)");
    qtdb_rollback(txn);
    qtdb_get_statistics(rig.db, &after);
    cr_assert_eq(before.log_size, after.log_size);
    cr_assert_str_eq(db_look(rig.db, tree, "a"), "1");
    cr_assert_str_eq(db_look(rig.db, tree, "b"), "(none)");
    db_rig_deinit(&rig);
}

/* covers: T9 */
Test(txn, savepoints_restore_what_was)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    uint64_t outer, inner;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "a", "1"));
    DB(qtdb_savepoint(txn, &outer));
    DB(db_put(txn, tree, "a", "2"));
    DB(db_put(txn, tree, "b", "2"));
    DB(qtdb_savepoint(txn, &inner));
    DB(db_delete(txn, tree, "a"));
    DB(db_put(txn, tree, "b", "3"));
    DB(db_put(txn, tree, "c", "3"));
    DB(qtdb_rollback_to(txn, inner));
    cr_assert_str_eq(db_get(txn, tree, "a"), "2");
    cr_assert_str_eq(db_get(txn, tree, "b"), "2");
    cr_assert_str_eq(db_get(txn, tree, "c"), "(none)");
    DB(db_put(txn, tree, "d", "4"));
    DB(qtdb_rollback_to(txn, outer));
    cr_assert_str_eq(db_get(txn, tree, "a"), "1");
    cr_assert_str_eq(db_get(txn, tree, "b"), "(none)");
    cr_assert_str_eq(db_get(txn, tree, "d"), "(none)");
    DB_REFUSED(qtdb_rollback_to(txn, inner), QTDB_INVALID);
    DB(qtdb_rollback_to(txn, outer));
    DB(db_put(txn, tree, "e", "5"));
    DB(qtdb_commit(txn));
    cr_assert_str_eq(db_look(rig.db, tree, "a"), "1");
    cr_assert_str_eq(db_look(rig.db, tree, "b"), "(none)");
    cr_assert_str_eq(db_look(rig.db, tree, "e"), "5");
    db_rig_deinit(&rig);
}

/* covers: T9 */
Test(txn, a_tree_made_after_a_savepoint_goes_with_it)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true};
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_tree *other;
    struct qtdb_txn *txn;
    uint64_t mark;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "kept");
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "a", "1"));
    DB(qtdb_savepoint(txn, &mark));
    DB(qtdb_tree_open(txn, "new", &options, &other));
    DB(db_put(txn, other, "a", "1"));
    DB(qtdb_tree_drop(txn, "kept"));
    DB_REFUSED(db_put(txn, tree, "b", "1"), QTDB_NOT_FOUND);
    DB(qtdb_rollback_to(txn, mark));
    DB(db_put(txn, tree, "b", "1"));
    DB_REFUSED(db_put(txn, other, "b", "1"), QTDB_INVALID);
    DB_REFUSED(qtdb_tree_open(txn, "new", NULL, &other), QTDB_NOT_FOUND);
    DB(qtdb_commit(txn));
    cr_assert_str_eq(db_look(rig.db, tree, "b"), "1");
    db_check(rig.db);
    db_rig_deinit(&rig);
}

Test(txn, an_ended_transaction_is_refused)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    struct qtdb_cursor *cursor;
    uint8_t value[4];
    size_t size = sizeof(value);
    uint64_t mark;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    DB(qtdb_cursor_open(txn, tree, &cursor));
    DB(qtdb_commit(txn));
    DB_REFUSED(db_put(txn, tree, "a", "1"), QTDB_INVALID);
    DB_REFUSED(db_delete(txn, tree, "a"), QTDB_INVALID);
    DB_REFUSED(qtdb_get(txn, tree, "a", 1, value, &size), QTDB_INVALID);
    DB_REFUSED(qtdb_commit(txn), QTDB_INVALID);
    DB_REFUSED(qtdb_savepoint(txn, &mark), QTDB_INVALID);
    DB_REFUSED(qtdb_rollback_to(txn, 0), QTDB_INVALID);
    DB_REFUSED(qtdb_tree_open(txn, "t", NULL, &tree), QTDB_INVALID);
    DB_REFUSED(qtdb_tree_drop(txn, "t"), QTDB_INVALID);
    DB_REFUSED(qtdb_cursor_seek(cursor, NULL, 0), QTDB_INVALID);
    qtdb_rollback(txn);
    qtdb_rollback(NULL);
    qtdb_cursor_close(cursor);
    qtdb_cursor_close(NULL);
    db_rig_deinit(&rig);
}

Test(txn, a_read_only_transaction_takes_no_writes)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true};
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_tree *other;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    txn = db_begin_read(rig.db);
    DB_REFUSED(db_put(txn, tree, "a", "1"), QTDB_READONLY);
    DB_REFUSED(db_delete(txn, tree, "a"), QTDB_READONLY);
    DB_REFUSED(qtdb_tree_open(txn, "new", &options, &other), QTDB_READONLY);
    DB_REFUSED(qtdb_tree_drop(txn, "t"), QTDB_READONLY);
    DB(qtdb_commit(txn));
    db_rig_deinit(&rig);
}

Test(txn, options_out_of_range_are_refused)
{
    struct qtdb_txn_options options = {.size = 0};
    struct db_rig rig;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    DB_REFUSED(qtdb_begin(rig.db, &options, &txn), QTDB_INVALID);
    options =
        (struct qtdb_txn_options){.size = sizeof(options), .isolation = (enum qtdb_isolation)9};
    DB_REFUSED(qtdb_begin(rig.db, &options, &txn), QTDB_INVALID);
    options =
        (struct qtdb_txn_options){.size = sizeof(options), .durability = (enum qtdb_durability)9};
    DB_REFUSED(qtdb_begin(rig.db, &options, &txn), QTDB_INVALID);
    DB(qtdb_begin(rig.db, NULL, &txn));
    qtdb_rollback(txn);
    db_rig_deinit(&rig);
}

Test(txn, a_write_past_the_limit_of_the_write_set_is_refused_and_it_goes_on)
{
    static char value[20001];
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    db_rig_close(&rig);
    rig.options.write_set_limit = 20000;
    db_rig_open(&rig);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    for (int i = 0; i < 4; i++)
        DB(qtdb_put(txn, tree, &"abcd"[i], 1, value, 7000, QTDB_PUT_ANY));
    DB_REFUSED(qtdb_put(txn, tree, "large", 5, value, sizeof(value), QTDB_PUT_ANY), QTDB_FULL);
    DB(db_put(txn, tree, "small", "1"));
    DB(qtdb_commit(txn));
    cr_assert_str_eq(db_look(rig.db, tree, "small"), "1");
    cr_assert_str_eq(db_look(rig.db, tree, "large"), "(none)");
    db_rig_deinit(&rig);
}

Test(txn, a_transaction_that_changes_nothing_writes_nothing)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    uint64_t csn;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "a", "1"));
    DB(qtdb_commit(txn));
    csn = pager_csn(database_pager(rig.db));
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "a", "1"));
    DB(qtdb_commit(txn));
    cr_assert_eq(pager_csn(database_pager(rig.db)), csn);
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "a", "2"));
    DB(qtdb_commit(txn));
    cr_assert_eq(pager_csn(database_pager(rig.db)), csn + 1);
    cr_assert_str_eq(db_look(rig.db, tree, "a"), "2");
    db_rig_deinit(&rig);
}
