/*
 * Goal: a key has one exclusive or many shared holders; who waits is let in, in order of arrival; a
 * circle of waiting costs one victim; locks live as long as their transaction; all through the lock
 * table and through qtdb.h.
 * Method: random claims that do not wait, against a model; small casts of threads for what waits; every
 * allocation failed once.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#include "kernel/base/random.h"
#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum { HOLDERS = 8, KEYS = 2000 };

/* covers: T11 */
Test(row_lock, random_claims_equal_a_model)
{
    static enum lock_mode model[HOLDERS][KEYS];
    struct memory *memory = memory_new();
    struct lock_table table = {.memory = NULL};
    struct lock_holder holders[HOLDERS];
    struct random random;
    uint32_t busy = 0;

    random_init(&random, 1);
    cr_assert_eq(lock_table_init(&table, memory), STATUS_OK);
    for (int i = 0; i < HOLDERS; i++)
        lock_holder_init(&holders[i], memory, 1 << 20);
    for (uint32_t turn = 0; turn < 60000; turn++) {
        uint64_t who = random_below(&random, HOLDERS);
        uint64_t key = random_below(&random, KEYS);
        enum lock_mode mode = random_chance(&random, 1, 2) ? LOCK_SHARED : LOCK_EXCLUSIVE;
        bool free = true;

        if (random_chance(&random, 1, 1000)) {
            lock_release_all(&table, &holders[who]);
            memset(model[who], 0, sizeof(model[who]));
            continue;
        }
        for (uint64_t other = 0; other < HOLDERS; other++)
            if (other != who && (model[other][key] == LOCK_EXCLUSIVE ||
                                 (model[other][key] != LOCK_NONE && mode == LOCK_EXCLUSIVE)))
                free = false;
        if (model[who][key] >= mode)
            free = true;
        enum status status = lock_acquire(&table, &holders[who], 7, &key, sizeof(key), mode, 0);

        cr_assert_eq(status, free ? STATUS_OK : STATUS_BUSY);
        busy += status == STATUS_BUSY;
        if (free && model[who][key] < mode)
            model[who][key] = mode;
    }
    cr_assert_gt(table.partition[0].chain_count, 64, "the table never grew");
    for (int i = 0; i < HOLDERS; i++) {
        lock_release_all(&table, &holders[i]);
        lock_holder_deinit(&holders[i]);
    }
    cr_assert_gt(busy, 0);
    lock_table_deinit(&table);
    memory_delete(memory);
}

Test(row_lock, trees_and_keys_of_other_lengths_are_other_rows)
{
    struct memory *memory = memory_new();
    struct lock_table table = {.memory = NULL};
    struct lock_holder one, two;

    cr_assert_eq(lock_table_init(&table, memory), STATUS_OK);
    lock_holder_init(&one, memory, 1 << 20);
    lock_holder_init(&two, memory, 1 << 20);
    cr_assert_eq(lock_acquire(&table, &one, 7, "ab", 2, LOCK_EXCLUSIVE, 0), STATUS_OK);
    cr_assert_eq(lock_acquire(&table, &two, 7, "ab", 2, LOCK_SHARED, 0), STATUS_BUSY);
    cr_assert_eq(lock_acquire(&table, &two, 8, "ab", 2, LOCK_EXCLUSIVE, 0), STATUS_OK);
    cr_assert_eq(lock_acquire(&table, &two, 7, "a", 1, LOCK_EXCLUSIVE, 0), STATUS_OK);
    lock_release_all(&table, &one);
    cr_assert_eq(lock_acquire(&table, &two, 7, "ab", 2, LOCK_SHARED, 0), STATUS_OK);
    lock_release_all(&table, &two);
    lock_holder_deinit(&one);
    lock_holder_deinit(&two);
    lock_table_deinit(&table);
    memory_delete(memory);
}

/* Claims that fail for want of memory leave nothing behind, and a table that cannot grow works on. */
Test(row_lock, every_allocation_that_fails_is_a_clean_refusal)
{
    struct memory *memory = memory_new();
    struct lock_table table = {.memory = NULL};
    struct lock_holder holder;
    uint32_t refused = 0;
    bool failed = true;

    cr_assert_eq(lock_table_init(&table, memory), STATUS_OK);
    lock_holder_init(&holder, memory, 1 << 20);
    for (uint64_t index = 0; failed; index++) {
        memory_fail_at(memory, index, false);
        for (uint32_t key = 0; key < 4000; key++) {
            enum status status =
                lock_acquire(&table, &holder, 7, &key, sizeof(key), LOCK_EXCLUSIVE, 0);

            refused += status == STATUS_NO_MEMORY;
            cr_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        }
        failed = memory_failed(memory);
        memory_fail_at(memory, UINT64_MAX, false);
        lock_release_all(&table, &holder);
    }
    cr_assert_gt(refused, 0);
    lock_holder_deinit(&holder);
    lock_table_deinit(&table);
    memory_delete(memory);
}

/* ---- Waiting ---------------------------------------------------------------------------------- */

struct waiter {
    pthread_t thread;
    struct qtdb *db;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    const char *key;
    enum qtdb_lock_mode mode;
    enum qtdb_code code;
    char sqlstate[6];
    _Atomic bool done;
};

static void *
wait_for_lock(void *argument)
{
    struct waiter *waiter = argument;

    waiter->code =
        qtdb_lock(waiter->txn, waiter->tree, waiter->key, strlen(waiter->key), waiter->mode, true);
    if (waiter->code != QTDB_OK)
        memcpy(waiter->sqlstate, qtdb_error_last()->sqlstate, 6);
    atomic_store(&waiter->done, true);
    return NULL;
}

/* Starts a thread that waits for the lock and returns when it does. */
static void
start(struct waiter *waiter, const char *key, enum qtdb_lock_mode mode)
{
    uint64_t before = atomic_load(&waiter->db->locks.wait_count);

    waiter->key = key;
    waiter->mode = mode;
    atomic_store(&waiter->done, false);
    cr_assert_eq(pthread_create(&waiter->thread, NULL, wait_for_lock, waiter), 0);
    while (atomic_load(&waiter->db->locks.wait_count) == before)
        sync_pause();
}

static enum qtdb_code
finish(struct waiter *waiter)
{
    cr_assert_eq(pthread_join(waiter->thread, NULL), 0);
    return waiter->code;
}

enum { CAST = 4 };

struct cast {
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct waiter waiter[CAST];
};

static void
cast_init(struct cast *cast, enum qtdb_isolation isolation)
{
    memset(cast, 0, sizeof(*cast));
    db_rig_init(&cast->rig, 1);
    cast->tree = db_tree(cast->rig.db, "t");
    for (int i = 0; i < CAST; i++) {
        struct qtdb_txn_options options = {.size = sizeof(options), .isolation = isolation};

        cast->waiter[i].db = cast->rig.db;
        cast->waiter[i].tree = cast->tree;
        DB(qtdb_begin(cast->rig.db, &options, &cast->waiter[i].txn));
    }
}

static void
cast_deinit(struct cast *cast)
{
    for (int i = 0; i < CAST; i++)
        qtdb_rollback(cast->waiter[i].txn);
    db_rig_deinit(&cast->rig);
}

/* covers: T11 */
Test(row_lock, who_waits_is_let_in_in_order_and_sees_whether_the_row_changed)
{
    static struct cast cast;
    struct waiter *w = cast.waiter;

    cast_init(&cast, QTDB_REPEATABLE_READ);
    DB(qtdb_lock(w[0].txn, cast.tree, "a", 1, QTDB_LOCK_EXCLUSIVE, true));
    start(&w[1], "a", QTDB_LOCK_EXCLUSIVE);
    start(&w[2], "a", QTDB_LOCK_SHARED);
    DB_REFUSED(qtdb_lock(w[3].txn, cast.tree, "a", 1, QTDB_LOCK_SHARED, false), QTDB_BUSY);
    qtdb_rollback(w[0].txn);
    DB(finish(&w[1]));
    cr_assert_not(atomic_load(&w[2].done), "a later shared claim went ahead");
    DB(db_put(w[1].txn, cast.tree, "a", "1"));
    DB(qtdb_commit(w[1].txn));
    /* The row was changed since its snapshot: the first to update won. */
    cr_assert_eq(finish(&w[2]), QTDB_CONFLICT);
    cr_assert_str_eq(w[2].sqlstate, "40001");
    cast_deinit(&cast);
}

/* covers: T11 */
Test(row_lock, readers_of_a_lock_share_it_and_one_upgrade_wins)
{
    static struct cast cast;
    struct waiter *w = cast.waiter;

    cast_init(&cast, QTDB_REPEATABLE_READ);
    DB(qtdb_lock(w[0].txn, cast.tree, "absent", 6, QTDB_LOCK_SHARED, true));
    DB(qtdb_lock(w[1].txn, cast.tree, "absent", 6, QTDB_LOCK_SHARED, true));
    start(&w[2], "absent", QTDB_LOCK_EXCLUSIVE);
    start(&w[0], "absent", QTDB_LOCK_EXCLUSIVE);
    /* Both hold it and want it alone: a circle, and this one closes it. */
    DB_REFUSED(qtdb_lock(w[1].txn, cast.tree, "absent", 6, QTDB_LOCK_EXCLUSIVE, true),
               QTDB_CONFLICT);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "40P01");
    cr_assert_not_null(strstr(qtdb_error_last()->message, "deadlock"));
    qtdb_rollback(w[1].txn);
    DB(finish(&w[0]));
    cr_assert_not(atomic_load(&w[2].done), "an upgrade goes ahead of those who wait");
    qtdb_rollback(w[0].txn);
    DB(finish(&w[2]));
    cast_deinit(&cast);
}

/* covers: T12 */
Test(row_lock, a_circle_of_three_costs_one_victim)
{
    static struct cast cast;
    struct waiter *w = cast.waiter;

    cast_init(&cast, QTDB_SERIALIZABLE);
    DB(db_put(w[0].txn, cast.tree, "a", "1"));
    DB(db_put(w[1].txn, cast.tree, "b", "1"));
    DB(db_put(w[2].txn, cast.tree, "c", "1"));
    start(&w[0], "b", QTDB_LOCK_EXCLUSIVE);
    start(&w[1], "c", QTDB_LOCK_EXCLUSIVE);
    DB_REFUSED(db_put(w[2].txn, cast.tree, "a", "2"), QTDB_CONFLICT);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "40P01");
    cr_assert_eq(atomic_load(&cast.rig.db->locks.deadlock_count), 1);
    qtdb_rollback(w[2].txn);
    DB(finish(&w[1]));
    qtdb_rollback(w[1].txn);
    DB(finish(&w[0]));
    DB(qtdb_commit(w[0].txn));
    cr_assert_str_eq(db_look(cast.rig.db, cast.tree, "a"), "1");
    cast_deinit(&cast);
}

/* covers: T11 */
Test(row_lock, a_wait_ends_at_its_timeout_and_the_transaction_goes_on)
{
    static struct cast cast;
    struct waiter *w = cast.waiter;
    struct qtdb_txn_options options = {.size = sizeof(options), .lock_timeout_ms = 1};
    struct qtdb_txn *txn;

    cast_init(&cast, QTDB_SERIALIZABLE);
    DB(db_put(w[0].txn, cast.tree, "a", "1"));
    DB(qtdb_begin(cast.rig.db, &options, &txn));
    DB_REFUSED(db_put(txn, cast.tree, "a", "2"), QTDB_BUSY);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "55P03");
    DB(db_put(txn, cast.tree, "b", "2"));
    DB(qtdb_commit(txn));
    DB(qtdb_commit(w[0].txn));
    cr_assert_str_eq(db_look(cast.rig.db, cast.tree, "a"), "1");
    cr_assert_str_eq(db_look(cast.rig.db, cast.tree, "b"), "2");
    cast_deinit(&cast);
}

Test(row_lock, impossible_locks_are_refused)
{
    static struct cast cast;
    struct qtdb_txn *reader;

    cast_init(&cast, QTDB_SERIALIZABLE);
    reader = db_begin_read(cast.rig.db);
    DB_REFUSED(qtdb_lock(reader, cast.tree, "a", 1, QTDB_LOCK_SHARED, true), QTDB_READONLY);
    qtdb_rollback(reader);
    DB_REFUSED(qtdb_lock(cast.waiter[0].txn, cast.tree, "a", 0, QTDB_LOCK_SHARED, true),
               QTDB_INVALID);
    DB_REFUSED(qtdb_lock(cast.waiter[0].txn, cast.tree, "a", 1, (enum qtdb_lock_mode)3, true),
               QTDB_INVALID);
    cast_deinit(&cast);
}

/* ---- READ COMMITTED --------------------------------------------------------------------------- */

/* covers: T13 */
Test(row_lock, a_statement_under_read_committed_sees_the_newest_and_repeats_on_a_newer_row)
{
    struct qtdb_cursor *cursor;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn, *other;
    struct db_rig rig;
    const void *key, *value;
    size_t key_size, value_size;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    other = db_begin(rig.db);
    DB(db_put(other, tree, "a", "1"));
    DB(db_put(other, tree, "b", "1"));
    DB(qtdb_commit(other));
    txn = db_begin_as(rig.db, QTDB_READ_COMMITTED);
    DB(qtdb_cursor_open(txn, tree, &cursor));
    DB(qtdb_cursor_seek(cursor, NULL, 0));
    other = db_begin(rig.db);
    DB(db_put(other, tree, "a", "2"));
    DB(db_put(other, tree, "aa", "2"));
    DB(qtdb_commit(other));
    cr_assert_str_eq(db_get(txn, tree, "a"), "1", "one statement has one snapshot");
    DB_REFUSED(db_put(txn, tree, "a", "3"), QTDB_CONFLICT);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "40001");
    DB(qtdb_refresh(txn));
    /* The lock was kept: nobody can come in between again. */
    other = db_begin_as(rig.db, QTDB_READ_COMMITTED);
    DB_REFUSED(db_put(other, tree, "a", "4"), QTDB_BUSY);
    qtdb_rollback(other);
    cr_assert_str_eq(db_get(txn, tree, "a"), "2");
    DB(qtdb_cursor_next(cursor));
    qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
    cr_assert_eq(key_size, 2, "the cursor goes on in the new snapshot");
    DB(db_put(txn, tree, "a", "3"));
    qtdb_cursor_close(cursor);
    DB(qtdb_commit(txn));
    cr_assert_str_eq(db_look(rig.db, tree, "a"), "3");
    db_rig_deinit(&rig);
}

/* covers: T13 */
Test(row_lock, other_levels_keep_their_snapshot)
{
    struct qtdb_tree *tree;
    struct qtdb_txn *txn, *other;
    struct db_rig rig;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    for (int i = 0; i < 2; i++) {
        txn = db_begin_as(rig.db, i == 0 ? QTDB_REPEATABLE_READ : QTDB_SERIALIZABLE);
        other = db_begin(rig.db);
        DB(db_put(other, tree, i == 0 ? "a" : "b", "1"));
        DB(qtdb_commit(other));
        DB(qtdb_refresh(txn));
        cr_assert_str_eq(db_get(txn, tree, i == 0 ? "a" : "b"), "(none)");
        DB(qtdb_commit(txn));
    }
    DB_REFUSED(qtdb_refresh(txn), QTDB_INVALID);
    db_rig_deinit(&rig);
}

/* ---- Whole trees -------------------------------------------------------------------------------- */

/* Locks rows from `first` on until the transaction has the tree. */
static enum qtdb_code
lock_many(struct qtdb_txn *txn, struct qtdb_tree *tree, uint32_t first, uint32_t count)
{
    enum qtdb_code code = QTDB_OK;

    for (uint32_t key = first; key < first + count && code == QTDB_OK; key++)
        code = qtdb_lock(txn, tree, &key, sizeof(key), QTDB_LOCK_SHARED, true);
    return code;
}

static void
cast_init_small(struct cast *cast)
{
    memset(cast, 0, sizeof(*cast));
    db_rig_init(&cast->rig, 1);
    db_rig_close(&cast->rig);
    cast->rig.options.write_set_limit = 30000;
    db_rig_open(&cast->rig);
    cast->tree = db_tree(cast->rig.db, "t");
    for (int i = 0; i < CAST; i++) {
        cast->waiter[i].db = cast->rig.db;
        cast->waiter[i].tree = cast->tree;
        cast->waiter[i].txn = db_begin(cast->rig.db);
    }
}

/* covers: T11 */
Test(row_lock, a_transaction_with_too_many_locks_has_the_whole_tree)
{
    static struct cast cast;
    struct waiter *w = cast.waiter;

    cast_init_small(&cast);
    struct qtdb_tree *other = db_tree(cast.rig.db, "other");
    struct qtdb_txn *late = db_begin(cast.rig.db);

    DB(lock_many(w[0].txn, cast.tree, 0, 20000));
    cr_assert_eq(atomic_load(&cast.rig.db->locks.escalation_count), 1);
    cr_assert_lt(memory_used(cast.rig.memory, MEMORY_LOCKS), 200000);
    DB_REFUSED(qtdb_lock(w[1].txn, cast.tree, "free", 4, QTDB_LOCK_SHARED, false), QTDB_BUSY);
    DB(qtdb_lock(late, other, "free", 4, QTDB_LOCK_EXCLUSIVE, false));
    DB(db_put(w[0].txn, cast.tree, "row", "1"));
    start(&w[1], "free", QTDB_LOCK_EXCLUSIVE);
    start(&w[2], "row", QTDB_LOCK_EXCLUSIVE);
    DB(qtdb_commit(w[0].txn));
    w[0].txn = NULL;
    DB(finish(&w[1]));
    cr_assert_eq(finish(&w[2]), QTDB_CONFLICT);
    DB(qtdb_lock(w[3].txn, cast.tree, "third", 5, QTDB_LOCK_EXCLUSIVE, false));
    qtdb_rollback(late);
    cr_assert_eq(atomic_load(&cast.rig.db->locks.owner_count), 0);
    cast_deinit(&cast);
}

static void *
lock_many_in_thread(void *argument)
{
    struct waiter *waiter = argument;

    waiter->code = lock_many(waiter->txn, waiter->tree, 0, 5000);
    atomic_store(&waiter->done, true);
    return NULL;
}

static void
start_many(struct waiter *waiter)
{
    uint64_t before = atomic_load(&waiter->db->locks.wait_count);

    atomic_store(&waiter->done, false);
    cr_assert_eq(pthread_create(&waiter->thread, NULL, lock_many_in_thread, waiter), 0);
    while (atomic_load(&waiter->db->locks.wait_count) == before)
        sync_pause();
}

/* covers: T11, T12 */
Test(row_lock, who_wants_the_whole_tree_waits_for_those_who_have_rows_of_it)
{
    static struct cast cast;
    struct waiter *w = cast.waiter;

    cast_init_small(&cast);
    DB(qtdb_lock(w[1].txn, cast.tree, "one", 3, QTDB_LOCK_SHARED, true));
    DB(qtdb_lock(w[2].txn, cast.tree, "two", 3, QTDB_LOCK_SHARED, true));
    start_many(&w[0]);
    /* What they have stays theirs, and more they cannot have: that would never end. */
    DB(qtdb_lock(w[1].txn, cast.tree, "one", 3, QTDB_LOCK_SHARED, true));
    DB_REFUSED(qtdb_lock(w[3].txn, cast.tree, "three", 5, QTDB_LOCK_SHARED, false), QTDB_BUSY);
    enum qtdb_code first = qtdb_lock(w[1].txn, cast.tree, "three", 5, QTDB_LOCK_SHARED, false);

    cr_assert_eq(first, QTDB_BUSY);
    cr_assert_not(atomic_load(&w[0].done));
    qtdb_rollback(w[1].txn);
    w[1].txn = NULL;
    qtdb_rollback(w[2].txn);
    w[2].txn = NULL;
    DB(finish(&w[0]));
    cr_assert_eq(atomic_load(&cast.rig.db->locks.escalation_count), 1);
    cast_deinit(&cast);
}

/* covers: T12 */
Test(row_lock, a_circle_over_a_whole_tree_has_one_victim)
{
    static struct cast cast;
    struct waiter *w = cast.waiter;

    cast_init_small(&cast);
    DB(qtdb_lock(w[1].txn, cast.tree, "one", 3, QTDB_LOCK_SHARED, true));
    start_many(&w[0]);
    DB_REFUSED(qtdb_lock(w[1].txn, cast.tree, "two", 3, QTDB_LOCK_SHARED, true), QTDB_CONFLICT);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "40P01");
    cr_assert_eq(atomic_load(&cast.rig.db->locks.deadlock_count), 1);
    qtdb_rollback(w[1].txn);
    w[1].txn = NULL;
    DB(finish(&w[0]));
    cast_deinit(&cast);
}

/* covers: T11 */
Test(row_lock, a_tree_that_cannot_be_had_in_time_is_refused)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    enum qtdb_code code = QTDB_OK;

    db_rig_init(&rig, 1);
    db_rig_close(&rig);
    rig.options.write_set_limit = 30000;
    db_rig_open(&rig);
    tree = db_tree(rig.db, "t");
    struct qtdb_txn *holder = db_begin(rig.db);
    struct qtdb_txn *txn = db_begin_as(rig.db, QTDB_REPEATABLE_READ);

    DB(qtdb_lock(holder, tree, "row", 3, QTDB_LOCK_SHARED, true));
    for (uint32_t key = 0; key < 5000 && code == QTDB_OK; key++)
        code = qtdb_lock(txn, tree, &key, sizeof(key), QTDB_LOCK_SHARED, true);
    DB_REFUSED(code, QTDB_BUSY);
    cr_assert_eq(atomic_load(&rig.db->locks.owner_count), 0);
    qtdb_rollback(holder);
    uint32_t next = 6000;

    DB(qtdb_lock(txn, tree, &next, sizeof(next), QTDB_LOCK_SHARED, true));
    cr_assert_eq(atomic_load(&rig.db->locks.escalation_count), 1);
    DB(qtdb_commit(txn));
    cr_assert_eq(rig.db->locks.partition[0].count, 0);
    db_rig_deinit(&rig);
}
