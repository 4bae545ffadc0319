/*
 * Goal: what is not looked for because it would lie behind a tree's last row is never there: rows before the
 * last one, rows of other transactions that come later, own rows and deleted ones are found as ever.
 * Method: transactions that put so many rows that the look at the tree's end is made, then rows on both sides
 * of it, with commits of others in between; allocations refused one after the other.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/base/memory.h"
#include "tests/support/db_rig.h"

enum { ENOUGH = 40 };

static struct db_rig rig;
static struct qtdb_tree *tree;

static void
setup(void)
{
    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
}

static void
teardown(void)
{
    db_rig_deinit(&rig);
}

TestSuite(row_absent, .init = setup, .fini = teardown);

static enum qtdb_code
insert(struct qtdb_txn *txn, uint32_t number)
{
    char key[16];

    snprintf(key, sizeof(key), "row-%06u", number);
    return qtdb_put(txn, tree, key, strlen(key), "v", 1, QTDB_PUT_INSERT);
}

static void
insert_many(struct qtdb_txn *txn, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        DB(insert(txn, first + i));
}

/* covers: T1 */
Test(row_absent, rows_of_the_tree_are_found_on_both_sides_of_the_look)
{
    struct qtdb_txn *txn = db_begin_as(rig.db, QTDB_REPEATABLE_READ);

    insert_many(txn, 1000, 10);
    DB(qtdb_commit(txn));
    txn = db_begin_as(rig.db, QTDB_REPEATABLE_READ);
    insert_many(txn, 500, ENOUGH);
    insert_many(txn, 2000, ENOUGH);
    for (uint32_t i = 1000; i < 1010; i++)
        DB_REFUSED(insert(txn, i), QTDB_EXISTS);
    DB_REFUSED(insert(txn, 500), QTDB_EXISTS);
    DB_REFUSED(insert(txn, 2000 + ENOUGH - 1), QTDB_EXISTS);
    DB(db_delete(txn, tree, "row-001009"));
    DB(insert(txn, 1009));
    DB_REFUSED(insert(txn, 1009), QTDB_EXISTS);
    DB(db_delete(txn, tree, "row-002001"));
    DB(insert(txn, 2001));
    DB(qtdb_commit(txn));
    db_check(rig.db);
}

/* A tree without rows, and a row taken back to a savepoint. covers: T9 */
Test(row_absent, own_rows_of_an_empty_tree_are_found)
{
    struct qtdb_txn *txn = db_begin_as(rig.db, QTDB_REPEATABLE_READ);
    uint64_t mark = 0;

    insert_many(txn, 0, ENOUGH);
    DB(qtdb_savepoint(txn, &mark));
    DB(insert(txn, 5000));
    DB_REFUSED(insert(txn, 5000), QTDB_EXISTS);
    DB(qtdb_rollback_to(txn, mark));
    DB(insert(txn, 5000));
    DB_REFUSED(insert(txn, 5000), QTDB_EXISTS);
    DB_REFUSED(insert(txn, 0), QTDB_EXISTS);
    DB(qtdb_commit(txn));
}

/* Another one puts a row behind what was the end: it is met after a refresh, and refused before. covers: T3 T13 */
Test(row_absent, rows_that_others_put_behind_the_end_are_met)
{
    struct qtdb_txn *txn = db_begin_as(rig.db, QTDB_READ_COMMITTED), *other;

    insert_many(txn, 0, ENOUGH);
    other = db_begin(rig.db);
    DB(insert(other, 9000));
    DB(insert(other, 9001));
    DB(qtdb_commit(other));
    DB_REFUSED(insert(txn, 9000), QTDB_CONFLICT);
    DB(qtdb_refresh(txn));
    DB_REFUSED(insert(txn, 9000), QTDB_EXISTS);
    DB_REFUSED(insert(txn, 9001), QTDB_EXISTS);
    insert_many(txn, 10000, 3 * ENOUGH); /* Another look. */
    DB_REFUSED(insert(txn, 9001), QTDB_EXISTS);
    DB(insert(txn, 9002));
    DB(qtdb_commit(txn));
}

/* A snapshot sees a last row that is not there any more: it was deleted since. covers: T1 */
Test(row_absent, a_snapshot_from_before_a_delete_sees_the_end_as_it_was)
{
    struct qtdb_txn *txn = db_begin_as(rig.db, QTDB_REPEATABLE_READ), *other;

    insert_many(txn, 0, 2);
    DB(insert(txn, 9000));
    DB(qtdb_commit(txn));
    txn = db_begin_as(rig.db, QTDB_REPEATABLE_READ);
    DB(insert(txn, 10));
    other = db_begin(rig.db);
    DB(db_delete(other, tree, "row-009000"));
    DB(qtdb_commit(other));
    insert_many(txn, 11, ENOUGH);
    DB_REFUSED(insert(txn, 9000), QTDB_CONFLICT);
    DB_REFUSED(insert(txn, 1), QTDB_EXISTS);
    DB(qtdb_commit(txn));
}

/* covers: T4 */
Test(row_absent, without_memory_rows_are_looked_for)
{
    struct qtdb_txn *txn = db_begin_as(rig.db, QTDB_REPEATABLE_READ);

    DB(insert(txn, 9000));
    DB(qtdb_commit(txn));
    for (uint64_t refused = 0; refused < 40; refused++) {
        uint32_t done = 0;

        txn = db_begin_as(rig.db, QTDB_REPEATABLE_READ);
        memory_fail_at(rig.memory, refused, false);
        for (uint32_t i = 0; i < 2 * ENOUGH; i++) {
            enum qtdb_code code = insert(txn, i == ENOUGH ? 9000 : i);

            cr_assert(code == QTDB_NO_MEMORY || code == (i == ENOUGH ? QTDB_EXISTS : QTDB_OK));
            done += code == QTDB_OK;
        }
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert(done >= 2 * ENOUGH - 2);
        qtdb_rollback(txn);
    }
}
