/*
 * Goal: trees are made, found, listed and dropped inside transactions, and nothing of it stays when
 * they roll back; no page of a dropped tree stays in use, and none is freed while someone may read.
 * Method: scripts over several transactions and reopenings, with qtdb_check and page counts.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum { LIST_SIZE = 500 };

static const struct qtdb_tree_options making = {.size = sizeof(making), .create = true};

static void
collect(void *context, const char *name)
{
    char *list = context;
    size_t size = strlen(list);

    snprintf(list + size, LIST_SIZE - size, "%s;", name);
}

static void
check_list(struct qtdb_txn *txn, const char *expected)
{
    char list[LIST_SIZE] = "";

    DB(qtdb_tree_list(txn, collect, list));
    cr_assert_str_eq(list, expected);
}

Test(tree_handle, trees_are_made_listed_and_dropped_in_transactions)
{
    struct db_rig rig;
    struct qtdb_txn *txn;
    struct qtdb_tree *tree;
    struct qtdb_tree *again;

    db_rig_init(&rig, 1);
    txn = db_begin(rig.db);
    check_list(txn, "");
    DB(qtdb_tree_open(txn, "b", &making, &tree));
    DB(qtdb_tree_open(txn, "a", &making, &tree));
    DB(qtdb_tree_open(txn, "a", NULL, &again));
    cr_assert_eq(tree, again);
    check_list(txn, "a;b;");
    DB(qtdb_tree_drop(txn, "b"));
    check_list(txn, "a;");
    DB(qtdb_commit(txn));
    db_rig_close(&rig);
    db_rig_open(&rig);
    txn = db_begin(rig.db);
    check_list(txn, "a;");
    DB_REFUSED(qtdb_tree_open(txn, "b", NULL, &tree), QTDB_NOT_FOUND);
    DB_REFUSED(qtdb_tree_drop(txn, "b"), QTDB_NOT_FOUND);
    DB(qtdb_tree_open(txn, "a", &making, &tree));
    DB(qtdb_commit(txn));
    db_check(rig.db);
    db_rig_deinit(&rig);
}

Test(tree_handle, a_rolled_back_tree_was_never_there)
{
    struct db_rig rig;
    struct qtdb_txn *txn;
    struct qtdb_tree *tree;
    struct qtdb_tree *second;

    db_rig_init(&rig, 1);
    txn = db_begin(rig.db);
    DB(qtdb_tree_open(txn, "t", &making, &tree));
    DB(db_put(txn, tree, "a", "1"));
    qtdb_rollback(txn);
    txn = db_begin(rig.db);
    DB_REFUSED(qtdb_tree_open(txn, "t", NULL, &second), QTDB_NOT_FOUND);
    DB_REFUSED(db_put(txn, tree, "a", "1"), QTDB_INVALID);
    DB(qtdb_tree_open(txn, "t", &making, &second));
    cr_assert_neq(tree, second);
    cr_assert_str_eq(db_get(txn, second, "a"), "(none)");
    DB(qtdb_commit(txn));
    db_check(rig.db);
    db_rig_deinit(&rig);
}

Test(tree_handle, names_and_options_out_of_range_are_refused)
{
    struct qtdb_tree_options options = making;
    char name[QTDB_NAME_SIZE_MAX + 2];
    struct db_rig rig;
    struct qtdb_txn *txn;
    struct qtdb_tree *tree;

    db_rig_init(&rig, 1);
    memset(name, 'n', sizeof(name));
    name[QTDB_NAME_SIZE_MAX + 1] = '\0';
    txn = db_begin(rig.db);
    DB_REFUSED(qtdb_tree_open(txn, "", &making, &tree), QTDB_INVALID);
    DB_REFUSED(qtdb_tree_open(txn, name, &making, &tree), QTDB_INVALID);
    name[QTDB_NAME_SIZE_MAX] = '\0';
    DB(qtdb_tree_open(txn, name, &making, &tree));
    options.size = 0;
    DB_REFUSED(qtdb_tree_open(txn, "t", &options, &tree), QTDB_INVALID);
    options = making;
    options.key_kind = (enum qtdb_key_kind)5;
    DB_REFUSED(qtdb_tree_open(txn, "t", &options, &tree), QTDB_INVALID);
    options = making;
    options.exclusive = true;
    DB(qtdb_tree_open(txn, "t", &options, &tree));
    DB_REFUSED(qtdb_tree_open(txn, "t", &options, &tree), QTDB_EXISTS);
    options = making;
    options.key_kind = QTDB_KEY_INT;
    DB_REFUSED(qtdb_tree_open(txn, "t", &options, &tree), QTDB_INVALID);
    DB(qtdb_commit(txn));
    db_rig_deinit(&rig);
}

/* covers: T10 */
Test(tree_handle, tree_ids_are_never_used_again)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    uint32_t last = 0;

    db_rig_init(&rig, 1);
    for (int round = 0; round < 4; round++) {
        struct qtdb_txn *txn;

        tree = db_tree(rig.db, "t");
        cr_assert_gt(tree->tree_id, last);
        last = tree->tree_id;
        txn = db_begin(rig.db);
        DB(qtdb_tree_drop(txn, "t"));
        DB(qtdb_commit(txn));
        if (round % 2 == 0)
            db_rig_close(&rig);
        else
            db_rig_kill(&rig);
        db_rig_open(&rig);
    }
    db_rig_deinit(&rig);
}

static void
fill(struct qtdb *db, struct qtdb_tree *tree, int count)
{
    struct qtdb_txn *txn = db_begin(db);
    static char value[300];

    for (int i = 0; i < count; i++) {
        char key[16];
        size_t size = (size_t)snprintf(key, sizeof(key), "%d", i);

        DB(qtdb_put(txn, tree, key, size, value, sizeof(value), QTDB_PUT_ANY));
        if (i % 100 == 99) {
            DB(qtdb_commit(txn));
            txn = db_begin(db);
        }
    }
    DB(qtdb_commit(txn));
}

static uint64_t
used_pages(struct qtdb *db)
{
    struct pager_check_result result;

    cr_assert_eq(pager_check(database_pager(db), NULL, NULL, &result), STATUS_OK);
    return result.used_count;
}

static void
work_off(struct qtdb *db)
{
    bool more = true;

    for (int i = 0; i < 200 && more; i++)
        cr_assert_eq(background__step(db, &more), STATUS_OK);
}

/* covers: T7, T8 */
Test(tree_handle, pages_of_a_dropped_tree_are_freed_once_nobody_can_read_them)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_tree *dropped;
    struct qtdb_txn *txn;
    struct qtdb_txn *reader;
    uint64_t before;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "kept");
    before = used_pages(rig.db);
    dropped = db_tree(rig.db, "dropped");
    fill(rig.db, dropped, 2000);
    cr_assert_gt(used_pages(rig.db), before + 150);
    reader = db_begin_read(rig.db);
    txn = db_begin(rig.db);
    DB(qtdb_tree_drop(txn, "dropped"));
    DB(qtdb_commit(txn));
    work_off(rig.db);
    /* The reader is older than the drop and still has everything. */
    cr_assert_str_eq(db_get(reader, dropped, "1999"), "");
    db_check(rig.db);
    txn = db_begin_read(rig.db);
    DB_REFUSED(db_put(txn, dropped, "a", "1"), QTDB_NOT_FOUND);
    DB(qtdb_commit(txn));
    DB(qtdb_commit(reader));
    bool more;

    cr_assert_eq(drop__step(rig.db, &more), STATUS_OK);
    cr_assert(more);
    db_check(rig.db);
    db_rig_kill(&rig); /* In the middle of freeing. */
    db_rig_open(&rig);
    db_check(rig.db);
    work_off(rig.db);
    db_check(rig.db);
    cr_assert_eq(used_pages(rig.db), before);
    txn = db_begin(rig.db);
    DB(qtdb_tree_open(txn, "kept", NULL, &tree));
    DB(qtdb_commit(txn));
    db_rig_deinit(&rig);
}

Test(tree_handle, a_writer_older_than_a_drop_conflicts)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *writer;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    writer = db_begin_as(rig.db, QTDB_REPEATABLE_READ);
    DB(db_put(writer, tree, "a", "1"));
    txn = db_begin(rig.db);
    DB(qtdb_tree_drop(txn, "t"));
    DB(qtdb_commit(txn));
    DB_REFUSED(qtdb_commit(writer), QTDB_CONFLICT);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

Test(tree_handle, two_transactions_that_make_the_same_tree_conflict)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *one;
    struct qtdb_txn *two;
    struct qtdb_txn *three;

    db_rig_init(&rig, 1);
    one = db_begin(rig.db);
    two = db_begin_as(rig.db, QTDB_SERIALIZABLE);
    three = db_begin(rig.db);
    DB(qtdb_tree_open(one, "t", &making, &tree));
    DB_REFUSED(qtdb_tree_open(two, "t", &making, &tree), QTDB_BUSY);
    DB(qtdb_tree_open(three, "other", &making, &tree));
    DB(qtdb_commit(one));
    DB_REFUSED(qtdb_tree_open(two, "t", &making, &tree), QTDB_CONFLICT);
    qtdb_rollback(two);
    DB(qtdb_commit(three));
    db_check(rig.db);
    db_rig_deinit(&rig);
}

Test(tree_handle, dropping_and_making_a_name_in_one_transaction_gives_an_empty_tree)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_tree *fresh;
    struct qtdb_txn *txn;
    uint64_t before;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    before = used_pages(rig.db);
    fill(rig.db, tree, 500);
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "lost", "1"));
    DB(qtdb_tree_drop(txn, "t"));
    DB(qtdb_tree_open(txn, "t", &making, &fresh));
    cr_assert_neq(tree, fresh);
    DB_REFUSED(db_put(txn, tree, "a", "1"), QTDB_NOT_FOUND);
    DB(db_put(txn, fresh, "a", "1"));
    DB(qtdb_commit(txn));
    cr_assert_str_eq(db_look(rig.db, fresh, "a"), "1");
    cr_assert_str_eq(db_look(rig.db, fresh, "1"), "(none)");
    work_off(rig.db);
    cr_assert_eq(used_pages(rig.db), before);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

Test(tree_handle, a_tree_made_and_dropped_in_one_transaction_leaves_nothing)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    uint64_t before;

    db_rig_init(&rig, 1);
    before = used_pages(rig.db);
    txn = db_begin(rig.db);
    DB(qtdb_tree_open(txn, "t", &making, &tree));
    DB(db_put(txn, tree, "a", "1"));
    DB(qtdb_tree_drop(txn, "t"));
    DB_REFUSED(qtdb_tree_open(txn, "t", NULL, &tree), QTDB_NOT_FOUND);
    DB(qtdb_commit(txn));
    work_off(rig.db);
    cr_assert_eq(used_pages(rig.db), before);
    db_check(rig.db);
    db_rig_deinit(&rig);
}
