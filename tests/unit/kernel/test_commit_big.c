/*
 * Goal: a transaction that changes more pages than one change may is whole or absent like any other:
 * snapshots from before it see nothing of it, who wrote or read the same rows conflicts, a failure at any
 * point leaves nothing, and what cannot be undone at once is undone later.
 * Method: rows of 1,000 bytes, in a pool of which a commit may change 64 pages; disks that get full and
 * allocations and operations that fail at each place. Crashes are the mode big of qtdb-crash.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/error.h"
#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum { ROWS = 400, VALUE_SIZE = 1000, POOL_PAGES = 256 };

static const char *
key_of(int i)
{
    static char keys[4][16];
    static unsigned next;
    char *key = keys[next++ % 4];

    snprintf(key, sizeof(keys[0]), "%06d", i);
    return key;
}

static enum qtdb_code
put_sized(struct qtdb_txn *txn, struct qtdb_tree *tree, int i, char letter, size_t size)
{
    char value[8000];

    memset(value, letter, size);
    return qtdb_put(txn, tree, key_of(i), 6, value, size, QTDB_PUT_ANY);
}

static enum qtdb_code
put(struct qtdb_txn *txn, struct qtdb_tree *tree, int i, char letter)
{
    return put_sized(txn, tree, i, letter, VALUE_SIZE);
}

/* Rows 0 to ROWS - 1 with values of the letter, in small transactions. */
static struct qtdb_tree *
fill(struct db_rig *rig, char letter)
{
    struct qtdb_tree *tree = db_tree(rig->db, "t");

    for (int first = 0; first < ROWS; first += 20) {
        struct qtdb_txn *txn = db_begin(rig->db);

        for (int i = first; i < first + 20; i++)
            DB(put(txn, tree, i, letter));
        DB(qtdb_commit(txn));
    }
    return tree;
}

/* Even rows get the letter, every fourth from 1 on goes, and as many new ones come behind the last. */
static enum qtdb_code
write_all(struct qtdb_txn *txn, struct qtdb_tree *tree, char letter)
{
    enum qtdb_code code = QTDB_OK;

    for (int i = 0; i < ROWS && code == QTDB_OK; i++) {
        if (i % 2 == 0)
            code = put(txn, tree, i, letter);
        else if (i % 4 == 1)
            code = qtdb_delete(txn, tree, key_of(i), 6);
    }
    for (int i = ROWS; i < ROWS + ROWS / 4 && code == QTDB_OK; i++)
        code = put(txn, tree, i, letter);
    return code;
}

static struct qtdb_txn *
begin_all(struct db_rig *rig, struct qtdb_tree *tree, char letter)
{
    struct qtdb_txn *txn = db_begin_as(rig->db, QTDB_REPEATABLE_READ);

    DB(write_all(txn, tree, letter));
    return txn;
}

/* The letter that the row should have; 0: no row. `after`: the letter of write_all, 0: it was not. */
static char
expected(int i, char before, char after)
{
    if (i >= ROWS)
        return after;
    if (after == 0 || i % 4 == 3)
        return before;
    return i % 2 == 0 ? after : 0;
}

static void
expect_gets(struct qtdb_txn *txn, struct qtdb_tree *tree, char before, char after)
{
    for (int i = 0; i < ROWS + ROWS / 4; i++) {
        const char *value = db_get(txn, tree, key_of(i));
        char letter = expected(i, before, after);

        if (letter == 0)
            cr_assert_str_eq(value, "(none)", "row %d", i);
        else
            cr_assert(strlen(value) == VALUE_SIZE && value[0] == letter, "row %d", i);
    }
}

static void
expect_row(struct qtdb_cursor *cursor, int i, char letter)
{
    const void *key;
    const void *value;
    size_t key_size;
    size_t size;

    qtdb_cursor_row(cursor, &key, &key_size, &value, &size);
    cr_assert(key_size == 6 && memcmp(key, key_of(i), 6) == 0, "row %d", i);
    cr_assert(size == VALUE_SIZE && *(const char *)value == letter, "row %d", i);
}

static void
expect_scans(struct qtdb_txn *txn, struct qtdb_tree *tree, char before, char after)
{
    struct qtdb_cursor *cursor;
    enum qtdb_code code;

    DB(qtdb_cursor_open(txn, tree, &cursor));
    code = qtdb_cursor_seek(cursor, NULL, 0);
    for (int i = 0; i < ROWS + ROWS / 4; i++) {
        if (expected(i, before, after) == 0)
            continue;
        DB(code);
        expect_row(cursor, i, expected(i, before, after));
        code = qtdb_cursor_next(cursor);
    }
    cr_assert_eq(code, QTDB_NOT_FOUND);
    code = qtdb_cursor_seek_last(cursor, NULL, 0);
    for (int i = ROWS + ROWS / 4 - 1; i >= 0; i--) {
        if (expected(i, before, after) == 0)
            continue;
        DB(code);
        expect_row(cursor, i, expected(i, before, after));
        code = qtdb_cursor_previous(cursor);
    }
    cr_assert_eq(code, QTDB_NOT_FOUND);
    qtdb_cursor_close(cursor);
}

static void
expect(struct qtdb *db, struct qtdb_tree *tree, char before, char after)
{
    struct qtdb_txn *txn = db_begin_read(db);

    expect_gets(txn, tree, before, after);
    expect_scans(txn, tree, before, after);
    DB(qtdb_commit(txn));
}

/* covers: T1, T2, T15 */
Test(commit_big, snapshots_from_before_see_nothing_of_it)
{
    struct db_rig rig;
    struct qtdb_tree *tree;

    db_rig_init(&rig, 1);
    tree = fill(&rig, 'a');
    struct qtdb_txn *first = db_begin_read(rig.db);

    DB(qtdb_commit(begin_all(&rig, tree, 'b')));
    cr_assert_eq(rig.db->undo_count, 1);
    struct qtdb_txn *second = db_begin_read(rig.db);
    struct qtdb_txn *small = db_begin(rig.db);

    DB(put(small, tree, 3, 'x'));
    DB(put(small, tree, 4, 'x'));
    DB(qtdb_commit(small));
    struct qtdb_txn *third = db_begin(rig.db);

    for (int i = 1; i < ROWS; i += 4)
        DB(put(third, tree, i, 'b'));
    DB(write_all(third, tree, 'c'));
    DB(qtdb_commit(third));
    cr_assert_eq(rig.db->undo_count, 2);
    expect_gets(first, tree, 'a', 0);
    expect_scans(first, tree, 'a', 0);
    expect_gets(second, tree, 'a', 'b');
    expect_scans(second, tree, 'a', 'b');
    DB(qtdb_commit(second));
    expect_scans(first, tree, 'a', 0);
    DB(qtdb_commit(first));
    undo__prune(rig.db);
    cr_assert_eq(rig.db->undo_count, 0);
    cr_assert_eq(db_look(rig.db, tree, key_of(3))[0], 'x');
    cr_assert_eq(db_look(rig.db, tree, key_of(4))[0], 'c');
    db_check(rig.db);
    db_rig_close(&rig);
    db_rig_open(&rig);
    cr_assert_eq(db_look(rig.db, db_tree(rig.db, "t"), key_of(4))[0], 'c');
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* covers: T3 */
Test(commit_big, who_wrote_or_read_the_same_rows_conflicts)
{
    struct qtdb_cursor *cursor;
    struct db_rig rig;
    struct qtdb_tree *tree;

    db_rig_init(&rig, 1);
    tree = fill(&rig, 'a');
    struct qtdb_txn *writer = db_begin_as(rig.db, QTDB_REPEATABLE_READ);
    struct qtdb_txn *getter = db_begin_as(rig.db, QTDB_SERIALIZABLE);
    struct qtdb_txn *scanner = db_begin_as(rig.db, QTDB_SERIALIZABLE);
    struct qtdb_txn *other = db_begin_as(rig.db, QTDB_SERIALIZABLE);

    cr_assert_eq(db_get(getter, tree, key_of(8))[0], 'a');
    DB(qtdb_cursor_open(scanner, tree, &cursor));
    DB(qtdb_cursor_seek(cursor, key_of(9), 6));
    DB(qtdb_cursor_next(cursor));
    qtdb_cursor_close(cursor);
    cr_assert_eq(db_get(other, tree, key_of(7))[0], 'a');
    DB(qtdb_commit(begin_all(&rig, tree, 'b')));
    DB_REFUSED(put(writer, tree, 8, 'c'), QTDB_CONFLICT);
    DB_REFUSED(qtdb_lock(writer, tree, key_of(9), 6, QTDB_LOCK_SHARED, false), QTDB_CONFLICT);
    DB(put(writer, tree, 11, 'w'));
    DB(qtdb_commit(writer));
    DB(put(getter, tree, 15, 'g'));
    DB_REFUSED(qtdb_commit(getter), QTDB_CONFLICT);
    DB(put(scanner, tree, 15, 's'));
    DB_REFUSED(qtdb_commit(scanner), QTDB_CONFLICT);
    DB(put(other, tree, 19, 'o'));
    DB(qtdb_commit(other));
    cr_assert_eq(db_look(rig.db, tree, key_of(15))[0], 'a');
    cr_assert_eq(db_look(rig.db, tree, key_of(19))[0], 'o');
    db_rig_deinit(&rig);
}

/* covers: T3 */
Test(commit_big, it_is_refused_itself_when_what_it_read_was_changed)
{
    struct db_rig rig;
    struct qtdb_tree *tree;

    db_rig_init(&rig, 1);
    tree = fill(&rig, 'a');
    struct qtdb_txn *big = db_begin(rig.db);

    cr_assert_eq(db_get(big, tree, key_of(3))[0], 'a');
    DB(write_all(big, tree, 'b'));
    struct qtdb_txn *small = db_begin(rig.db);

    DB(put(small, tree, 3, 'x'));
    DB(qtdb_commit(small));
    DB_REFUSED(qtdb_commit(big), QTDB_CONFLICT);
    cr_assert_eq(db_look(rig.db, tree, key_of(2))[0], 'a');
    cr_assert_eq(db_look(rig.db, tree, key_of(3))[0], 'x');
    cr_assert_eq(rig.db->csn_limit, CSN_NEVER);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* covers: T9, T15 */
Test(commit_big, trees_made_and_dropped_by_it_are_part_of_it)
{
    struct qtdb_tree_options make = {.size = sizeof(make), .create = true};
    struct qtdb_tree *made[2];
    struct db_rig rig;
    struct qtdb_tree *tree;
    uint64_t mark;

    db_rig_init(&rig, 1);
    tree = fill(&rig, 'a');
    struct qtdb_tree *dropped = db_tree(rig.db, "dropped");
    struct qtdb_txn *old = db_begin_read(rig.db);
    struct qtdb_txn *txn = begin_all(&rig, tree, 'b');

    DB(put(txn, dropped, 1, 'd'));
    DB(qtdb_tree_drop(txn, "dropped"));
    DB(qtdb_tree_open(txn, "made", &make, &made[0]));
    for (int i = 0; i < ROWS; i++)
        DB(put(txn, made[0], ROWS - i, 'm'));
    DB(qtdb_savepoint(txn, &mark));
    DB(qtdb_tree_open(txn, "undone", &make, &made[1]));
    DB(put(txn, made[1], 1, 'u'));
    DB(put(txn, tree, 3, 'u'));
    DB(qtdb_rollback_to(txn, mark));
    DB(qtdb_commit(txn));
    expect_scans(old, tree, 'a', 0);
    make.create = false;
    DB_REFUSED(qtdb_tree_open(old, "made", &make, &made[1]), QTDB_NOT_FOUND);
    DB(qtdb_tree_open(old, "dropped", &make, &dropped));
    cr_assert_str_eq(db_get(old, dropped, key_of(1)), "(none)");
    DB(qtdb_commit(old));
    expect(rig.db, tree, 'a', 'b');
    cr_assert_eq(db_look(rig.db, made[0], key_of(ROWS))[0], 'm');
    txn = db_begin(rig.db);
    DB_REFUSED(qtdb_tree_open(txn, "dropped", &make, &dropped), QTDB_NOT_FOUND);
    DB_REFUSED(qtdb_tree_open(txn, "undone", &make, &made[1]), QTDB_NOT_FOUND);
    qtdb_rollback(txn);
    db_check(rig.db);
    db_rig_kill(&rig);
    db_rig_open(&rig);
    expect(rig.db, db_tree(rig.db, "t"), 'a', 'b');
    cr_assert_eq(db_look(rig.db, db_tree(rig.db, "made"), key_of(1))[0], 'm');
    db_check(rig.db);
    db_rig_deinit(&rig);
}

Test(commit_big, values_of_several_pages_are_kept_for_snapshots)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_cursor *cursor;
    const void *key;
    const void *value;
    size_t key_size;
    size_t size;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    for (int i = 0; i < 40; i++) {
        struct qtdb_txn *txn = db_begin(rig.db);

        DB(put_sized(txn, tree, i, (char)('a' + i % 20), 7000));
        DB(qtdb_commit(txn));
    }
    struct qtdb_txn *old = db_begin_read(rig.db);
    struct qtdb_txn *txn = db_begin(rig.db);

    for (int i = 0; i < 400; i++)
        DB(put_sized(txn, tree, i, 'z', i < 40 ? 7000 : 1000));
    DB(qtdb_commit(txn));
    DB(qtdb_cursor_open(old, tree, &cursor));
    enum qtdb_code code = qtdb_cursor_seek(cursor, NULL, 0);

    for (int i = 0; i < 40; i++) {
        const char *got = db_get(old, tree, key_of(i));

        cr_assert(strlen(got) == 7000 && got[6999] == 'a' + i % 20);
        DB(code);
        qtdb_cursor_row(cursor, &key, &key_size, &value, &size);
        cr_assert(size == 7000 && *(const char *)value == 'a' + i % 20);
        code = qtdb_cursor_next(cursor);
    }
    cr_assert_eq(code, QTDB_NOT_FOUND);
    qtdb_cursor_close(cursor);
    size = 10;
    char room[10];
    DB_REFUSED(qtdb_get(old, tree, key_of(0), 6, room, &size), QTDB_FULL);
    cr_assert_eq(size, 7000);
    DB(qtdb_commit(old));
    cr_assert_eq(db_look(rig.db, tree, key_of(5))[6999], 'z');
    db_rig_deinit(&rig);
}

Test(commit_big, its_cost_is_told)
{
    struct qtdb_txn_statistics cost = {.size = sizeof(cost)};
    struct qtdb_txn_options options = {.size = sizeof(options), .statistics = &cost};
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    tree = fill(&rig, 'a');
    DB(qtdb_begin(rig.db, &options, &txn));
    DB(write_all(txn, tree, 'b'));
    DB(qtdb_commit(txn));
    cr_assert_gt(cost.page_change_count, 64);
    cr_assert_gt(cost.log_size, ROWS / 2 * VALUE_SIZE / 20);
    db_rig_deinit(&rig);
}

/* Large values are written apart, before the commit. */
Test(commit_big, a_row_larger_than_a_change_goes_along)
{
    static char large[65 * 4096];
    static char found[sizeof(large)];
    struct db_rig rig;
    struct qtdb_tree *tree;

    db_rig_init(&rig, 1);
    tree = fill(&rig, 'a');
    struct qtdb_txn *txn = begin_all(&rig, tree, 'b');

    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (char)(i * i * 31 + i / 3);
    DB(qtdb_put(txn, tree, "large", 5, large, sizeof(large), QTDB_PUT_ANY));
    DB(qtdb_commit(txn));
    txn = db_begin_read(rig.db);
    size_t size = sizeof(found);

    DB(qtdb_get(txn, tree, "large", 5, found, &size));
    cr_assert(size == sizeof(large) && memcmp(found, large, size) == 0);
    DB(qtdb_commit(txn));
    txn = db_begin(rig.db);
    DB(qtdb_delete(txn, tree, "large", 5));
    DB(qtdb_commit(txn));
    expect(rig.db, tree, 'a', 'b');
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* The smallest disk, in steps, that holds what `grow` does to a copy of the file. */
static uint64_t
file_size(struct db_rig *rig)
{
    struct qtdb_statistics statistics = {.size = sizeof(statistics)};

    qtdb_get_statistics(rig->db, &statistics);
    return statistics.page_count * 4096;
}

/* covers: T4, T15 */
Test(commit_big, on_a_full_disk_it_is_undone_at_once_or_later)
{
    uint32_t pending = 0;
    uint32_t done = 0;

    for (uint64_t room = 64 << 10; room < 3 << 20; room += 128 << 10) {
        struct db_rig rig;
        struct qtdb_tree *tree;

        db_rig_init(&rig, room);
        tree = fill(&rig, 'a');
        DB(qtdb_checkpoint(rig.db));
        struct qtdb_txn *old = db_begin_read(rig.db);
        struct qtdb_txn *txn = begin_all(&rig, tree, 'b');

        io_sim_set_disk_size(rig.io, file_size(&rig) + room);
        enum qtdb_code code = qtdb_commit(txn);
        char after = code == QTDB_OK ? 'b' : 0;

        cr_assert(code == QTDB_OK || code == QTDB_FULL, "%s", qtdb_error_last()->message);
        done += code == QTDB_OK;
        expect_scans(old, tree, 'a', 0);
        DB(qtdb_commit(old));
        expect(rig.db, tree, 'a', after);
        if (atomic_load(&rig.db->undo_due)) {
            pending++;
            txn = db_begin(rig.db);
            DB(put(txn, tree, 3, 'a'));
            DB_REFUSED(qtdb_commit(txn), QTDB_FULL);
        }
        io_sim_set_disk_size(rig.io, 0);
        if (room % (256 << 10) == 0)
            db_rig_kill(&rig);
        else
            db_rig_close(&rig);
        db_rig_open(&rig);
        tree = db_tree(rig.db, "t");
        expect(rig.db, tree, 'a', after);
        db_check(rig.db);
        db_rig_deinit(&rig);
    }
    cr_assert_gt(done, 0);
    cr_assert_gt(pending, 0);
}

/* One that failed on a full disk in such a place that it could not be undone either. */
static struct qtdb_tree *
leave_unfinished(struct db_rig *rig)
{
    for (uint64_t room = 16 << 10;; room += 16 << 10) {
        db_rig_init(rig, 1);
        struct qtdb_tree *tree = fill(rig, 'a');
        struct qtdb_txn *txn = begin_all(rig, tree, 'b');

        cr_assert_lt(room, 4 << 20);
        io_sim_set_disk_size(rig->io, file_size(rig) + room);
        enum qtdb_code code = qtdb_commit(txn);

        cr_assert(code == QTDB_OK || code == QTDB_FULL, "%s", qtdb_error_last()->message);
        if (atomic_load(&rig->db->undo_due))
            return tree;
        io_sim_set_disk_size(rig->io, 0);
        db_rig_deinit(rig);
    }
}

/* covers: T4 */
Test(commit_big, what_was_put_off_is_undone_by_the_next_commit)
{
    struct db_rig rig;
    struct qtdb_tree *tree = leave_unfinished(&rig);
    struct qtdb_txn *txn;

    cr_assert_neq(rig.db->csn_limit, CSN_NEVER);
    expect(rig.db, tree, 'a', 0);
    db_check(rig.db);
    txn = db_begin(rig.db);
    DB(put(txn, tree, 7, 'x'));
    DB_REFUSED(qtdb_commit(txn), QTDB_FULL);
    io_sim_set_disk_size(rig.io, 0);
    txn = db_begin(rig.db);
    DB(put(txn, tree, 7, 'x'));
    memory_fail_at(rig.memory, 0, true);
    DB_REFUSED(qtdb_commit(txn), QTDB_NO_MEMORY);
    memory_fail_at(rig.memory, UINT64_MAX, false);
    cr_assert(atomic_load(&rig.db->undo_due));
    txn = db_begin(rig.db);
    DB(put(txn, tree, 7, 'x'));
    DB(qtdb_commit(txn));
    cr_assert_not(atomic_load(&rig.db->undo_due));
    cr_assert_eq(db_look(rig.db, tree, key_of(7))[0], 'x');
    cr_assert_eq(db_look(rig.db, tree, key_of(6))[0], 'a');
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* covers: T4 */
Test(commit_big, each_allocation_that_fails_leaves_nothing)
{
    bool failed = true;

    for (uint64_t index = 0; failed; index += 1 + index / 40) {
        struct db_rig rig;
        struct qtdb_tree *tree;

        db_rig_init(&rig, 1);
        tree = fill(&rig, 'a');
        struct qtdb_txn *txn = begin_all(&rig, tree, 'b');

        memory_fail_at(rig.memory, index, false);
        enum qtdb_code code = qtdb_commit(txn);

        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert(code == QTDB_OK || (failed && code == QTDB_NO_MEMORY));
        expect(rig.db, tree, 'a', code == QTDB_OK ? 'b' : 0);
        db_check(rig.db);
        db_rig_deinit(&rig);
    }
}

/* covers: T4, T15 */
Test(commit_big, each_operation_that_fails_leaves_all_or_nothing)
{
    static const enum io_sim_fault faults[] = {IO_SIM_FAULT_EIO, IO_SIM_FAULT_ENOSPC,
                                               IO_SIM_FAULT_SHORT, IO_SIM_FAULT_LATE_SYNC};
    bool failed = true;

    for (uint64_t index = 0; failed || index < 4; index += 1 + index / 12) {
        struct db_rig rig;
        struct qtdb_tree *tree;

        db_rig_init(&rig, 1);
        tree = fill(&rig, 'a');
        struct qtdb_txn *txn = begin_all(&rig, tree, 'b');
        enum io_sim_fault fault = faults[index % 4];

        uint64_t end = io_sim_op_count(rig.io);

        io_sim_fail_at(rig.io, end + index, fault, fault == IO_SIM_FAULT_ENOSPC);
        enum qtdb_code code = qtdb_commit(txn);

        failed = io_sim_op_count(rig.io) > end + index;
        io_sim_fail_at(rig.io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
        if (code == QTDB_OK || !pager_is_failed(rig.db->pager))
            expect(rig.db, tree, 'a', code == QTDB_OK ? 'b' : 0);
        db_rig_kill(&rig);
        db_rig_open(&rig);
        tree = db_tree(rig.db, "t");
        bool is_there = strcmp(db_look(rig.db, tree, key_of(ROWS)), "(none)") != 0;

        cr_assert(is_there || code != QTDB_OK);
        expect(rig.db, tree, 'a', is_there ? 'b' : 0);
        db_check(rig.db);
        db_rig_deinit(&rig);
    }
}

Test(commit_big, opening_undoes_an_unfinished_one_or_reads_past_it)
{
    struct db_rig rig;
    bool failed = true;

    (void)leave_unfinished(&rig);
    io_sim_set_disk_size(rig.io, 0);
    db_rig_close(&rig);
    rig.options.read_only = true;
    rig.options.create = false;
    db_rig_open(&rig);
    struct qtdb_tree_options open = {.size = sizeof(open)};
    struct qtdb_txn *reader = db_begin_read(rig.db);
    struct qtdb_tree *tree;

    DB(qtdb_tree_open(reader, "t", &open, &tree));
    expect_gets(reader, tree, 'a', 0);
    expect_scans(reader, tree, 'a', 0);
    DB(qtdb_commit(reader));
    db_check(rig.db);
    db_rig_close(&rig);
    rig.options.read_only = false;
    for (uint64_t index = 0; failed; index++) {
        memory_fail_at(rig.memory, index, false);
        enum status status = database_open_env(&rig.env, DB_RIG_PATH, &rig.options, &rig.db);

        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert(status == STATUS_OK || (failed && status == STATUS_NO_MEMORY));
        if (status == STATUS_OK && failed)
            db_rig_kill(&rig);
    }
    expect(rig.db, db_tree(rig.db, "t"), 'a', 0);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

Test(commit_big, opening_on_a_full_disk_puts_the_undoing_off)
{
    struct db_rig rig;

    (void)leave_unfinished(&rig);
    db_rig_close(&rig);
    io_sim_set_disk_size(rig.io, 1);
    db_rig_open(&rig);
    cr_assert(atomic_load(&rig.db->undo_due));
    struct qtdb_tree_options open = {.size = sizeof(open)};
    struct qtdb_txn *reader = db_begin_read(rig.db);
    struct qtdb_tree *tree;

    DB(qtdb_tree_open(reader, "t", &open, &tree));
    expect_scans(reader, tree, 'a', 0);
    DB(qtdb_commit(reader));
    io_sim_set_disk_size(rig.io, 0);
    struct qtdb_txn *txn = db_begin(rig.db);

    DB(put(txn, tree, 3, 'x'));
    DB(qtdb_commit(txn));
    cr_assert_not(atomic_load(&rig.db->undo_due));
    cr_assert_eq(db_look(rig.db, tree, key_of(3))[0], 'x');
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* ---- Damage ------------------------------------------------------------------------------------- */

static struct catalog_undo
good_record(void)
{
    return (struct catalog_undo){
        .root = le32_of(7),
        .tree_id = le32_of(CATALOG_TREE_ID_FIRST),
        .undo_root = le32_of(9),
        .undo_id = le32_of(CATALOG_TREE_ID_FIRST + 1),
        .version = CATALOG_VERSION,
        .kind = QTDB_KEY_BYTES,
        .csn = le64_of(1),
    };
}

static void
expect_damaged(const struct catalog_undo *record, enum status status)
{
    struct catalog_undo out;

    cr_assert_eq(undo__record_decode(record, sizeof(*record), &out), status);
}

Test(commit_big, damaged_undo_records_are_refused)
{
    struct catalog_undo record = good_record();
    struct catalog_undo out;

    cr_assert_eq(undo__record_decode(&record, sizeof(record), &out), STATUS_OK);
    cr_assert_eq(undo__record_decode(&record, sizeof(record) - 1, &out), STATUS_CORRUPT);
    record.version = CATALOG_VERSION + 1;
    expect_damaged(&record, STATUS_VERSION);
    record.version = 0;
    expect_damaged(&record, STATUS_CORRUPT);
#define DAMAGE(field, value)                     \
    do {                                         \
        record = good_record();                  \
        record.field = (value);                  \
        expect_damaged(&record, STATUS_CORRUPT); \
    } while (0)
    DAMAGE(kind, QTDB_KEY_INT + 1);
    DAMAGE(reserved[5], 1);
    DAMAGE(root, le32_of(PAGE_CATALOG_ROOT));
    DAMAGE(root, le32_of(PAGE_NONE));
    DAMAGE(tree_id, le32_of(CATALOG_TREE_ID));
    DAMAGE(tree_id, le32_of(2));
    DAMAGE(undo_root, le32_of(PAGE_CATALOG_ROOT));
    DAMAGE(undo_root, le32_of(PAGE_NONE));
    DAMAGE(undo_id, le32_of(CATALOG_TREE_ID));
    DAMAGE(csn, le64_of(0));
#undef DAMAGE
}

static enum status
damage_row(struct pager_change *change, void *context)
{
    const struct btree *rows = context;

    return btree_put(change, rows, key_of(2), 6, "\3x", 2, NULL);
}

Test(commit_big, damaged_undo_rows_are_refused)
{
    struct db_rig rig;
    uint64_t csn;

    struct qtdb_tree *tree = leave_unfinished(&rig);

    io_sim_set_disk_size(rig.io, 0);
    cr_assert_eq(commit__change(rig.db, damage_row, &rig.db->undos->rows, &csn), STATUS_OK);
    struct qtdb_txn *reader = db_begin_read(rig.db);
    struct qtdb_cursor *cursor;
    char value[VALUE_SIZE];
    size_t size = sizeof(value);

    DB_REFUSED(qtdb_get(reader, tree, key_of(2), 6, value, &size), QTDB_CORRUPT);
    DB(qtdb_cursor_open(reader, tree, &cursor));
    DB_REFUSED(qtdb_cursor_seek(cursor, key_of(2), 6), QTDB_CORRUPT);
    qtdb_cursor_close(cursor);
    qtdb_rollback(reader);
    struct qtdb_txn *txn = db_begin(rig.db);

    DB(put(txn, tree, 3, 'x'));
    DB_REFUSED(qtdb_commit(txn), QTDB_CORRUPT);
    DB(qtdb_sync(rig.db));
    db_rig_kill(&rig);
    cr_assert_eq(database_open_env(&rig.env, DB_RIG_PATH, &rig.options, &rig.db), STATUS_CORRUPT);
    rig.db = NULL;
    db_rig_deinit(&rig);
}
