/*
 * Goal: rows loaded in order go to the file as whole leaves and are written about once; they are there
 * like other rows: for later changes, for older snapshots, after a crash, and when the tree was faster.
 * Method: runs into new, empty and filled trees of both kinds, compared row by row; a power cut at every
 * operation of such a commit, and every allocation failed once.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum { VALUE_SIZE = 400, RUN_ROWS = 360 };

static struct db_rig rig;

static struct qtdb_tree *
open_tree(struct qtdb_txn *txn, enum qtdb_key_kind kind)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true, .key_kind = kind};
    struct qtdb_tree *tree;

    DB(qtdb_tree_open(txn, kind == QTDB_KEY_INT ? "int" : "bytes", &options, &tree));
    return tree;
}

static void
value_of(uint64_t number, uint8_t value[VALUE_SIZE])
{
    for (int i = 0; i < VALUE_SIZE; i++)
        value[i] = (uint8_t)(number * 31 + (uint64_t)i);
}

static enum qtdb_code
put(struct qtdb_txn *txn, struct qtdb_tree *tree, uint64_t number)
{
    uint8_t value[VALUE_SIZE];
    uint8_t key[8];

    qtdb_key_u64(number, key);
    value_of(number, value);
    return qtdb_put(txn, tree, key, sizeof(key), value, sizeof(value), QTDB_PUT_INSERT);
}

static enum qtdb_code
put_range(struct qtdb_txn *txn, struct qtdb_tree *tree, uint64_t first, uint64_t count)
{
    enum qtdb_code code = QTDB_OK;

    for (uint64_t i = 0; i < count && code == QTDB_OK; i++)
        code = put(txn, tree, first + i);
    return code;
}

/* How many rows there are; each has the value of its number. */
static uint64_t
count_rows(struct qtdb_txn *txn, struct qtdb_tree *tree)
{
    struct qtdb_cursor *cursor;
    uint64_t count = 0;
    uint64_t before = 0;

    DB(qtdb_cursor_open(txn, tree, &cursor));
    enum qtdb_code code = qtdb_cursor_seek(cursor, NULL, 0);

    for (; code == QTDB_OK; code = qtdb_cursor_next(cursor)) {
        const void *key, *value;
        size_t key_size, value_size;
        uint8_t expected[VALUE_SIZE];
        uint64_t number;

        qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
        memcpy(&number, key, 8);
        number = __builtin_bswap64(number);
        value_of(number, expected);
        cr_assert(count == 0 || number > before);
        cr_assert_eq(value_size, VALUE_SIZE);
        cr_assert_arr_eq(value, expected, VALUE_SIZE);
        before = number;
        count++;
    }
    cr_assert_eq(code, QTDB_NOT_FOUND);
    qtdb_cursor_close(cursor);
    return count;
}

static uint64_t
count_now(struct qtdb *db, enum qtdb_key_kind kind)
{
    struct qtdb_txn *txn = db_begin(db);
    uint64_t count = count_rows(txn, open_tree(txn, kind));

    qtdb_rollback(txn);
    return count;
}

static struct qtdb_statistics
statistics_now(void)
{
    struct qtdb_statistics statistics = {.size = sizeof(statistics)};

    qtdb_get_statistics(rig.db, &statistics);
    return statistics;
}

static void
load(enum qtdb_key_kind kind, uint64_t first, uint64_t count)
{
    struct qtdb_txn *txn = db_begin(rig.db);

    DB(put_range(txn, open_tree(txn, kind), first, count));
    DB(qtdb_commit(txn));
}

static void
expect_written_once(enum qtdb_key_kind kind)
{
    struct qtdb_statistics before, after;

    db_rig_init(&rig, 1);
    before = statistics_now();
    load(kind, 1000, RUN_ROWS);
    load(kind, 2000, RUN_ROWS);
    DB(qtdb_checkpoint(rig.db));
    after = statistics_now();
    uint64_t user = after.user_size - before.user_size;

    cr_assert_eq(user, 2 * RUN_ROWS * (8 + VALUE_SIZE));
    cr_assert_lt(after.log_size - before.log_size, user / 4);
    cr_assert_lt(after.page_write_size - before.page_write_size, user + user / 3);
    cr_assert_eq(count_now(rig.db, kind), 2 * RUN_ROWS);
    db_check(rig.db);
    db_rig_close(&rig);
    db_rig_open(&rig);
    cr_assert_eq(count_now(rig.db, kind), 2 * RUN_ROWS);
    db_rig_deinit(&rig);
}

Test(commit_run, rows_in_order_are_written_once_in_a_tree_of_integers)
{
    expect_written_once(QTDB_KEY_INT);
}

Test(commit_run, rows_in_order_are_written_once_in_a_tree_of_bytes)
{
    expect_written_once(QTDB_KEY_BYTES);
}

/* covers: T1 */
Test(commit_run, an_older_snapshot_does_not_see_it)
{
    struct qtdb_txn *old;
    struct qtdb_tree *tree;
    uint8_t value[VALUE_SIZE];
    size_t size = sizeof(value);
    uint8_t key[8];

    db_rig_init(&rig, 2);
    load(QTDB_KEY_INT, 1000, RUN_ROWS);
    old = db_begin_read(rig.db);
    tree = open_tree(old, QTDB_KEY_INT);
    load(QTDB_KEY_INT, 5000, RUN_ROWS);
    load(QTDB_KEY_INT, 9000, 1);
    cr_assert_eq(count_rows(old, tree), RUN_ROWS);
    qtdb_key_u64(5001, key);
    cr_assert_eq(qtdb_get(old, tree, key, sizeof(key), value, &size), QTDB_NOT_FOUND);
    qtdb_rollback(old);
    cr_assert_eq(count_now(rig.db, QTDB_KEY_INT), 2 * RUN_ROWS + 1);
    db_rig_deinit(&rig);
}

/* Rows before the run, deletes of what is not there, a value too large for a leaf, an undone run. */
Test(commit_run, beside_other_writes_of_the_transaction)
{
    static uint8_t large[5000];
    struct qtdb_txn *txn;
    struct qtdb_tree *tree;
    uint64_t mark;
    uint8_t key[8];

    db_rig_init(&rig, 3);
    load(QTDB_KEY_INT, 1000, 5);
    txn = db_begin(rig.db);
    tree = open_tree(txn, QTDB_KEY_INT);
    DB(put_range(txn, tree, 10, 7));
    DB(put_range(txn, tree, 3000, RUN_ROWS));
    qtdb_key_u64(3100, key);
    DB(qtdb_delete(txn, tree, key, sizeof(key)));
    DB(qtdb_savepoint(txn, &mark));
    DB(put_range(txn, tree, 7000, RUN_ROWS));
    DB(qtdb_rollback_to(txn, mark));
    DB(qtdb_commit(txn));
    cr_assert_eq(count_now(rig.db, QTDB_KEY_INT), 5 + 7 + RUN_ROWS - 1);
    txn = db_begin(rig.db);
    tree = open_tree(txn, QTDB_KEY_INT);
    DB(put_range(txn, tree, 20000, RUN_ROWS));
    qtdb_key_u64(20000 + RUN_ROWS / 2, key);
    DB(qtdb_put(txn, tree, key, sizeof(key), large, sizeof(large), QTDB_PUT_REPLACE));
    DB(qtdb_commit(txn));
    txn = db_begin(rig.db);
    tree = open_tree(txn, QTDB_KEY_INT);
    DB(qtdb_delete(txn, tree, key, sizeof(key)));
    DB(qtdb_commit(txn));
    cr_assert_eq(count_now(rig.db, QTDB_KEY_INT), 5 + 7 + 2 * RUN_ROWS - 2);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* All behind the tree's rows, but not all of them one put of a row: what is told by tallies alone has to
 * be looked at. */
Test(commit_run, of_rows_that_were_put_twice_deleted_or_undone)
{
    static uint8_t large[200000];
    struct qtdb_tree *tree;
    uint8_t other[VALUE_SIZE];
    uint8_t key[8];

    db_rig_init(&rig, 3);
    load(QTDB_KEY_INT, 0, 5);
    for (uint64_t turn = 0; turn < 5; turn++) {
        uint64_t first = 1000 * (turn + 1);
        struct qtdb_txn *txn = db_begin(rig.db);
        uint64_t mark = 0;

        tree = open_tree(txn, QTDB_KEY_INT);
        qtdb_key_u64(first + 100, key);
        if (turn == 3)
            DB(qtdb_savepoint(txn, &mark));
        value_of(7, other);
        if (turn == 1)
            DB(qtdb_put(txn, tree, key, sizeof(key), other, sizeof(other), QTDB_PUT_ANY));
        if (turn == 1)
            DB(qtdb_delete(txn, tree, key, sizeof(key)));
        DB(put_range(txn, tree, first, RUN_ROWS));
        if (turn == 2)
            DB(qtdb_delete(txn, tree, key, sizeof(key)));
        if (turn == 3)
            DB(qtdb_rollback_to(txn, mark));
        if (turn == 3)
            DB(put(txn, open_tree(txn, QTDB_KEY_BYTES), 1));
        qtdb_key_u64(first + RUN_ROWS, key);
        if (turn == 4)
            DB(qtdb_put(txn, tree, key, sizeof(key), large, sizeof(large), QTDB_PUT_ANY));
        DB(qtdb_commit(txn));
        txn = db_begin(rig.db);
        if (turn == 4)
            DB(qtdb_delete(txn, tree, key, sizeof(key)));
        DB(qtdb_commit(txn));
        cr_assert_eq(count_now(rig.db, QTDB_KEY_INT),
                     5 + (turn + (turn < 3)) * RUN_ROWS - (turn >= 2));
    }
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* Built, but never attached: its pages are there for others. */
Test(commit_run, of_a_tree_that_is_dropped_again_gives_its_pages_back)
{
    db_rig_init(&rig, 7);
    load(QTDB_KEY_INT, 1, 1);
    for (int round = 0; round < 10; round++) {
        struct qtdb_txn *txn;

        load(QTDB_KEY_BYTES, 1 + (uint64_t)round, 1);
        txn = db_begin(rig.db);
        DB(put_range(txn, open_tree(txn, QTDB_KEY_BYTES), 1000, RUN_ROWS));
        DB(qtdb_tree_drop(txn, "bytes"));
        DB(qtdb_commit(txn));
    }
    load(QTDB_KEY_INT, 1000, RUN_ROWS);
    cr_assert_lt(statistics_now().page_count, 100);
    cr_assert_eq(count_now(rig.db, QTDB_KEY_INT), RUN_ROWS + 1);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* The tree got rows behind the run's first key between building it and attaching it. */
Test(commit_run, gives_way_to_a_faster_commit)
{
    struct qtdb_txn *txn;
    struct txn_tree *part;

    db_rig_init(&rig, 4);
    db_rig_close(&rig);
    rig.options.pool_size = 8 << 20; /* Puts in the middle split more pages. */
    db_rig_open(&rig);
    load(QTDB_KEY_INT, 1, 1);
    txn = db_begin(rig.db);
    struct qtdb_tree *tree = open_tree(txn, QTDB_KEY_INT);

    DB(put_range(txn, tree, 1000, RUN_ROWS));
    part = txn->trees;
    while (part->tree != tree)
        part = part->next;
    for (struct write_entry *entry = part->writes.head[0]; entry != NULL; entry = entry->next[0])
        entry->before_kind = WRITE_DELETE;
    cr_assert_eq(commit_run__prepare(txn, part), STATUS_OK);
    cr_assert_not_null(part->run_first);
    load(QTDB_KEY_INT, 50000, 1);
    struct pager_change *change;
    struct btree btree = tree__btree(tree);

    cr_assert_eq(pager_change_begin(rig.db->pager, &change), STATUS_OK);
    cr_assert_eq(commit_run__attach(change, part, &btree), STATUS_MISSING);
    pager_change_abandon(change);
    cr_assert_null(part->run_first);
    commit_run__end(part, true);
    DB(qtdb_commit(txn)); /* By puts: the tree does not end before these rows any more. */
    cr_assert_eq(count_now(rig.db, QTDB_KEY_INT), RUN_ROWS + 2);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

struct cutter {
    struct io *states[400];
    uint32_t count;
    uint64_t seed;
};

static void
on_operation(void *context, const struct io_sim_event *event)
{
    static const enum io_sim_crash_mode modes[] = {IO_SIM_CRASH_LOST, IO_SIM_CRASH_KEPT,
                                                   IO_SIM_CRASH_RANDOM, IO_SIM_CRASH_PROCESS};
    struct cutter *cutter = context;
    struct io_sim_crash crash = {.mode = modes[cutter->seed % 4], .seed = cutter->seed};

    cutter->seed++;
    if (event->op == IO_SIM_READ || cutter->count == 400)
        return;
    cr_assert_eq(io_sim_fork(rig.io, &crash, rig.disk_memory, &cutter->states[cutter->count]),
                 STATUS_OK);
    cutter->count++;
}

/* covers: T4, T5 */
Test(commit_run, is_whole_or_absent_at_every_cut)
{
    static struct cutter cutter;
    uint32_t whole = 0;

    db_rig_init(&rig, 5);
    load(QTDB_KEY_INT, 1, 3);
    io_sim_watch(rig.io, on_operation, &cutter);
    load(QTDB_KEY_INT, 1000, RUN_ROWS);
    io_sim_watch(rig.io, NULL, NULL);
    cr_assert_gt(cutter.count, 4);
    for (uint32_t i = 0; i < cutter.count; i++) {
        struct env env = {.memory = rig.memory, .io = cutter.states[i]};
        struct qtdb *db;

        cr_assert_eq(database_open_env(&env, DB_RIG_PATH, &rig.options, &db), STATUS_OK);
        uint64_t count = count_now(db, QTDB_KEY_INT);

        cr_assert(count == 3 || count == 3 + RUN_ROWS, "%d rows", (int)count);
        whole += count > 3;
        db_check(db);
        DB(qtdb_close(db));
        io_close_all(cutter.states[i]);
    }
    cr_assert_lt(whole, cutter.count);
    db_rig_deinit(&rig);
}

/* covers: T4 */
Test(commit_run, every_allocation_that_fails_is_a_clean_refusal)
{
    uint64_t failures = 0;
    bool failed = true;

    db_rig_init(&rig, 6);
    load(QTDB_KEY_INT, 1, 3);
    for (uint64_t index = 0; failed; index++) {
        struct qtdb_txn *txn = db_begin(rig.db);
        struct qtdb_tree *tree = open_tree(txn, QTDB_KEY_INT);

        DB(put_range(txn, tree, 1000, RUN_ROWS));
        memory_fail_at(rig.memory, index, false);
        enum qtdb_code code = qtdb_commit(txn);

        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert(code == QTDB_OK || code == QTDB_NO_MEMORY, "%s", qtdb_error_last()->message);
        if (code == QTDB_OK)
            break;
        failures++;
        cr_assert_eq(count_now(rig.db, QTDB_KEY_INT), 3);
    }
    cr_assert_gt(failures, 4);
    cr_assert_eq(count_now(rig.db, QTDB_KEY_INT), 3 + RUN_ROWS);
    db_check(rig.db);
    db_rig_deinit(&rig);
}
