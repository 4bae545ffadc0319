/*
 * Goal: single-row reads and writes do what qtdb.h says: modes of put, sizes, limits of keys and
 * values, own writes before committed ones.
 * Method: one call for each sentence of the header.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "btree/btree.h"
#include "tests/support/db_rig.h"

static enum qtdb_code
put_as(struct qtdb_txn *txn, struct qtdb_tree *tree, const char *key, enum qtdb_put_mode mode)
{
    return qtdb_put(txn, tree, key, strlen(key), "v", 1, mode);
}

Test(access, the_modes_of_a_put)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    DB_REFUSED(put_as(txn, tree, "a", QTDB_PUT_REPLACE), QTDB_NOT_FOUND);
    DB(put_as(txn, tree, "a", QTDB_PUT_INSERT));
    DB_REFUSED(put_as(txn, tree, "a", QTDB_PUT_INSERT), QTDB_EXISTS);
    DB(put_as(txn, tree, "a", QTDB_PUT_REPLACE));
    DB(qtdb_commit(txn));
    txn = db_begin(rig.db);
    DB_REFUSED(put_as(txn, tree, "a", QTDB_PUT_INSERT), QTDB_EXISTS);
    DB(put_as(txn, tree, "a", QTDB_PUT_REPLACE));
    DB(db_delete(txn, tree, "a"));
    DB_REFUSED(db_delete(txn, tree, "a"), QTDB_NOT_FOUND);
    DB_REFUSED(put_as(txn, tree, "a", QTDB_PUT_REPLACE), QTDB_NOT_FOUND);
    DB(put_as(txn, tree, "a", QTDB_PUT_INSERT));
    DB_REFUSED(put_as(txn, tree, "a", (enum qtdb_put_mode)7), QTDB_INVALID);
    DB(qtdb_commit(txn));
    db_rig_deinit(&rig);
}

Test(access, keys_and_values_out_of_range_are_refused)
{
    static uint8_t key[1025];
    struct qtdb_tree_options options = {
        .size = sizeof(options), .create = true, .key_kind = QTDB_KEY_INT};
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_tree *numbers;
    struct qtdb_txn *txn;
    size_t size = 0;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    DB_REFUSED(qtdb_put(txn, tree, key, 0, "v", 1, QTDB_PUT_ANY), QTDB_INVALID);
    DB_REFUSED(qtdb_put(txn, tree, key, 1025, "v", 1, QTDB_PUT_ANY), QTDB_INVALID);
    DB_REFUSED(qtdb_put(txn, tree, key, 1, "v", ((size_t)1 << 30) + 1, QTDB_PUT_ANY), QTDB_INVALID);
    DB_REFUSED(qtdb_get(txn, tree, key, 0, NULL, &size), QTDB_INVALID);
    DB_REFUSED(qtdb_delete(txn, tree, key, 1025), QTDB_INVALID);
    DB(qtdb_put(txn, tree, key, 1024, "v", 1, QTDB_PUT_ANY));
    DB(qtdb_tree_open(txn, "numbers", &options, &numbers));
    DB_REFUSED(qtdb_put(txn, numbers, key, 7, "v", 1, QTDB_PUT_ANY), QTDB_INVALID);
    DB_REFUSED(qtdb_get(txn, numbers, key, 9, NULL, &size), QTDB_INVALID);
    DB(qtdb_put(txn, numbers, key, 8, "v", 1, QTDB_PUT_ANY));
    DB(qtdb_commit(txn));
    db_rig_deinit(&rig);
}

static void
check_room(struct qtdb_txn *txn, struct qtdb_tree *tree)
{
    char value[16] = "untouched";
    size_t size = 4;

    DB_REFUSED(qtdb_get(txn, tree, "k", 1, value, &size), QTDB_FULL);
    cr_assert_eq(size, 5);
    cr_assert_str_eq(value, "untouched");
    DB(qtdb_get(txn, tree, "k", 1, value, &size));
    cr_assert(size == 5 && memcmp(value, "value", 5) == 0);
    size = 0;
    DB(qtdb_get(txn, tree, "empty", 5, NULL, &size));
    cr_assert_eq(size, 0);
}

Test(access, a_value_larger_than_its_room_is_not_copied)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "k", "value"));
    DB(db_put(txn, tree, "empty", ""));
    check_room(txn, tree);
    DB(qtdb_commit(txn));
    txn = db_begin_read(rig.db);
    check_room(txn, tree);
    DB(qtdb_commit(txn));
    db_rig_deinit(&rig);
}

Test(access, large_values_come_back)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    size_t size = 150000;
    uint8_t *value = malloc(size);
    uint8_t *other = malloc(size);

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    for (size_t i = 0; i < size; i++)
        value[i] = (uint8_t)(i * 31);
    txn = db_begin(rig.db);
    DB(qtdb_put(txn, tree, "k", 1, value, size, QTDB_PUT_ANY));
    DB(qtdb_commit(txn));
    txn = db_begin_read(rig.db);
    DB(qtdb_get(txn, tree, "k", 1, other, &size));
    cr_assert(size == 150000 && memcmp(value, other, size) == 0);
    DB(qtdb_commit(txn));
    db_check(rig.db);
    db_rig_deinit(&rig);
    free(value);
    free(other);
}

Test(access, integer_keys_keep_the_order_of_the_numbers)
{
    static const int64_t numbers[] = {INT64_MIN, -5, -1, 0, 1, 77, INT64_MAX};
    uint8_t before[8] = {0};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uint8_t key[8];

        qtdb_key_i64(numbers[i], key);
        cr_assert(i == 0 || memcmp(before, key, 8) < 0);
        memcpy(before, key, 8);
    }
}

Test(access, a_tree_of_another_handle_is_refused)
{
    struct db_rig rig;
    struct db_rig other;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    db_rig_init(&other, 2);
    tree = db_tree(rig.db, "t");
    txn = db_begin(other.db);
    DB_REFUSED(db_put(txn, tree, "a", "1"), QTDB_INVALID);
    qtdb_rollback(txn);
    db_rig_deinit(&rig);
    db_rig_deinit(&other);
}
