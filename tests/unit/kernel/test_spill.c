/*
 * Goal: a transaction whose writes do not fit its budget of memory reads, scans, goes back to savepoints and
 * commits as if they did; what it spilled is gone with it, also after a crash; without space it hears so.
 * Method: random operations of one transaction in a budget of a few rows against a model in an array, with
 * other transactions' snapshots beside it; each allocation and each operation failed once.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/random.h"
#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum { KEYS = 150, LIMIT = 40000, VALUE_MAX = 600, MARKS = 8 };

/* What the rows should be: the number of the write, 0: no row. */
struct model {
    uint32_t row[2][KEYS];
};

struct play {
    struct db_rig rig;
    struct qtdb_tree *tree[2]; /* Texts, integers. */
    struct qtdb_txn *txn;
    struct random random;
    uint32_t writes;
    struct model now;
    struct model saved[MARKS];
    uint64_t mark[MARKS];
    int marks;
    bool saw_spill;
};

static size_t
key_of(int tree, int i, uint8_t out[8])
{
    if (tree == 1) {
        qtdb_key_u64((uint64_t)i * 3, out);
        return 8;
    }
    return (size_t)snprintf((char *)out, 8, "%05d", i);
}

static size_t
value_of(uint32_t number, uint8_t out[VALUE_MAX])
{
    size_t size = 4 + number * 7919 % (VALUE_MAX - 4);

    memset(out, (int)number, size);
    memcpy(out, &number, 4);
    return number % 13 == 0 ? 4 : size;
}

static void
expect_value(const void *bytes, size_t size, uint32_t number)
{
    uint8_t expected[VALUE_MAX];

    cr_assert_eq(size, value_of(number, expected));
    cr_assert_eq(memcmp(bytes, expected, size), 0);
}

static void
play_init(struct play *play, uint64_t seed)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true};

    memset(play, 0, sizeof(*play));
    db_rig_init(&play->rig, seed);
    db_rig_close(&play->rig);
    play->rig.options.write_set_limit = LIMIT;
    db_rig_open(&play->rig);
    random_init(&play->random, seed);
    struct qtdb_txn *txn = db_begin(play->rig.db);

    DB(qtdb_tree_open(txn, "texts", &options, &play->tree[0]));
    options.key_kind = QTDB_KEY_INT;
    DB(qtdb_tree_open(txn, "integers", &options, &play->tree[1]));
    DB(qtdb_commit(txn));
}

static int
draw(struct play *play, int below)
{
    return (int)random_below(&play->random, (uint64_t)below);
}

static enum qtdb_code
write_row(struct play *play, int tree, int i, bool put)
{
    uint8_t value[VALUE_MAX];
    uint8_t key[8];
    size_t key_size = key_of(tree, i, key);
    uint32_t number = ++play->writes;

    if (!put)
        return qtdb_delete(play->txn, play->tree[tree], key, key_size);
    return qtdb_put(play->txn, play->tree[tree], key, key_size, value, value_of(number, value),
                    QTDB_PUT_ANY);
}

static void
play_write(struct play *play)
{
    int tree = draw(play, 2);
    int i = draw(play, KEYS);
    bool put = draw(play, 4) > 0;
    uint32_t *row = &play->now.row[tree][i];
    enum qtdb_code code = write_row(play, tree, i, put);

    cr_assert_eq(code, put || *row != 0 ? QTDB_OK : QTDB_NOT_FOUND);
    *row = put ? play->writes : 0;
    play->saw_spill = play->saw_spill || spill__exists(play->txn);
}

static void
play_get(struct play *play)
{
    int tree = draw(play, 2);
    int i = draw(play, KEYS);
    uint32_t row = play->now.row[tree][i];
    uint8_t value[VALUE_MAX];
    uint8_t key[8];
    size_t size = sizeof(value);
    enum qtdb_code code =
        qtdb_get(play->txn, play->tree[tree], key, key_of(tree, i, key), value, &size);

    cr_assert_eq(code, row != 0 ? QTDB_OK : QTDB_NOT_FOUND);
    if (row != 0)
        expect_value(value, size, row);
}

static void
expect_row(struct qtdb_cursor *cursor, int tree, int i, uint32_t row)
{
    uint8_t expected[8];
    const void *key;
    const void *value;
    size_t key_size;
    size_t size;

    qtdb_cursor_row(cursor, &key, &key_size, &value, &size);
    cr_assert_eq(key_size, key_of(tree, i, expected), "key %d", i);
    cr_assert_eq(memcmp(key, expected, key_size), 0, "key %d", i);
    expect_value(value, size, row);
}

/* All rows of a tree in one direction, from somewhere; now and then a write in between, of the row that
 * is shown, which stays what it was. */
static void
play_scan(struct play *play, struct qtdb_txn *txn, const struct model *model, bool writes)
{
    int tree = draw(play, 2);
    bool forward = draw(play, 2) == 0;
    int i = draw(play, KEYS);
    struct qtdb_cursor *cursor;
    enum qtdb_code code;
    uint8_t key[8];

    DB(qtdb_cursor_open(txn, play->tree[tree], &cursor));
    size_t key_size = key_of(tree, i, key);

    code = forward ? qtdb_cursor_seek(cursor, key, key_size)
                   : qtdb_cursor_seek_last(cursor, key, key_size);
    for (; i >= 0 && i < KEYS; i += forward ? 1 : -1) {
        uint32_t row = model->row[tree][i];

        if (row == 0)
            continue;
        DB(code);
        expect_row(cursor, tree, i, row);
        if (writes && draw(play, 8) == 0) {
            DB(write_row(play, tree, i, true));
            play->now.row[tree][i] = play->writes;
            expect_row(cursor, tree, i, row);
        }
        code = forward ? qtdb_cursor_next(cursor) : qtdb_cursor_previous(cursor);
    }
    cr_assert_eq(code, QTDB_NOT_FOUND);
    qtdb_cursor_close(cursor);
}

static void
play_mark(struct play *play)
{
    if (play->marks == MARKS || draw(play, 3) == 0) {
        if (play->marks == 0)
            return;
        play->marks = draw(play, play->marks);
        DB(qtdb_rollback_to(play->txn, play->mark[play->marks]));
        play->now = play->saved[play->marks];
        return;
    }
    DB(qtdb_savepoint(play->txn, &play->mark[play->marks]));
    play->saved[play->marks++] = play->now;
}

static void
play_steps(struct play *play, int steps, bool savepoints)
{
    for (int step = 0; step < steps; step++) {
        int what = draw(play, 40);

        if (what == 0)
            play_scan(play, play->txn, &play->now, true);
        else if (what == 1 && savepoints)
            play_mark(play);
        else if (what < 12)
            play_get(play);
        else
            play_write(play);
    }
}

/* covers: T1, T4, T9, T18 */
Test(spill, a_transaction_larger_than_its_budget_is_like_any_other)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct model committed = {.row = {{0}}};
        struct play play;

        printf("spill: seed %d\n", (int)seed);
        play_init(&play, seed);
        for (int round = 0; round < 4; round++) {
            struct qtdb_txn *reader = db_begin_read(play.rig.db);

            play.txn = db_begin(play.rig.db);
            play.now = committed;
            play.marks = 0;
            play_steps(&play, 600, seed % 2 == 0);
            cr_assert_leq(memory_used(play.rig.memory, MEMORY_WRITE_SET), LIMIT + (256 << 10));
            play_scan(&play, reader, &committed, false);
            if (round == 2) {
                qtdb_rollback(play.txn);
            } else {
                DB(qtdb_commit(play.txn));
                play_scan(&play, reader, &committed, false);
                committed = play.now;
            }
            DB(qtdb_commit(reader));
            reader = db_begin_read(play.rig.db);
            for (int i = 0; i < 4; i++)
                play_scan(&play, reader, &committed, false);
            DB(qtdb_commit(reader));
            db_check(play.rig.db);
        }
        cr_assert(play.saw_spill);
        db_rig_deinit(&play.rig);
    }
}

/* The file's pages in use once everything that can be freed is free. */
static uint64_t
pages_in_use(struct qtdb *db)
{
    struct pager_check_result result;
    bool more = true;

    atomic_store(&db->drops_due, true);
    while (more)
        cr_assert_eq(drop__step(db, &more), STATUS_OK);
    cr_assert_eq(pager_check(db->pager, NULL, NULL, &result), STATUS_OK);
    return result.used_count;
}

/* covers: T4, T8, T18 */
Test(spill, what_was_spilled_goes_with_the_transaction_or_the_next_open)
{
    struct play play;

    play_init(&play, 1);
    uint64_t before = pages_in_use(play.rig.db);

    play.txn = db_begin(play.rig.db);
    play_steps(&play, 600, false);
    cr_assert(spill__exists(play.txn));
    cr_assert_gt(pages_in_use(play.rig.db), before);
    play_get(&play);
    qtdb_rollback(play.txn);
    cr_assert_eq(pages_in_use(play.rig.db), before);
    memset(&play.now, 0, sizeof(play.now));
    play.txn = db_begin(play.rig.db);
    play_steps(&play, 600, true);
    cr_assert(spill__exists(play.txn));
    DB(qtdb_sync(play.rig.db));
    db_rig_kill(&play.rig);
    db_rig_open(&play.rig);
    cr_assert_eq(pages_in_use(play.rig.db), before);
    db_check(play.rig.db);
    db_rig_deinit(&play.rig);
}

Test(spill, one_write_larger_than_the_budget_is_refused)
{
    static char value[LIMIT + 1];
    struct play play;

    play_init(&play, 1);
    play.txn = db_begin(play.rig.db);
    DB(qtdb_put(play.txn, play.tree[0], "a", 1, value, 10, QTDB_PUT_ANY));
    DB_REFUSED(qtdb_put(play.txn, play.tree[0], "b", 1, value, sizeof(value), QTDB_PUT_ANY),
               QTDB_FULL);
    DB(qtdb_commit(play.txn));
    cr_assert_str_eq(db_look(play.rig.db, play.tree[0], "b"), "(none)");
    db_rig_deinit(&play.rig);
}

/* Steps of a transaction until one fails; false: none did. Then it is taken back to its savepoint. */
static bool
fails_somewhere(struct play *play, enum qtdb_code expected, bool (*failed)(struct play *play))
{
    uint64_t mark;
    enum qtdb_code code = QTDB_OK;

    play->txn = db_begin(play->rig.db);
    for (int i = 0; i < 20; i++)
        DB(write_row(play, 0, i, true));
    DB(qtdb_savepoint(play->txn, &mark));
    uint32_t first = play->writes;

    for (int i = 0; i < 300 && code == QTDB_OK; i++)
        code = write_row(play, i % 2, i % KEYS, true);
    if (!failed(play)) {
        DB(code);
        qtdb_rollback(play->txn);
        return false;
    }
    cr_assert(code == QTDB_OK || code == expected);
    if (qtdb_rollback_to(play->txn, mark) == QTDB_OK) {
        for (int i = 0; i < KEYS; i++) {
            play->now.row[0][i] = i < 20 ? first - 19 + (uint32_t)i : 0;
            play->now.row[1][i] = 0;
        }
        for (int i = 0; i < 8; i++)
            play_scan(play, play->txn, &play->now, false);
        DB(qtdb_commit(play->txn));
    } else {
        DB_REFUSED(qtdb_commit(play->txn), QTDB_INVALID);
    }
    return true;
}

static bool
memory_has_failed(struct play *play)
{
    bool failed = memory_failed(play->rig.memory);

    memory_fail_at(play->rig.memory, UINT64_MAX, false);
    return failed;
}

/* covers: T9 */
Test(spill, each_allocation_that_fails_leaves_savepoints_right)
{
    bool failed = true;

    for (uint64_t index = 0; failed; index += 1 + index / 30) {
        struct play play;

        play_init(&play, 1);
        play.txn = NULL;
        memory_fail_at(play.rig.memory, UINT64_MAX, false);
        struct qtdb_txn *warm = db_begin(play.rig.db);

        qtdb_rollback(warm);
        memory_fail_at(play.rig.memory, 30 + index, false);
        failed = fails_somewhere(&play, QTDB_NO_MEMORY, memory_has_failed);
        db_check(play.rig.db);
        db_rig_deinit(&play.rig);
    }
}

static bool
disk_was_full(struct play *play)
{
    io_sim_set_disk_size(play->rig.io, 0);
    return true;
}

/* covers: T9 */
Test(spill, a_full_disk_refuses_the_write_and_leaves_savepoints_right)
{
    for (uint64_t room = 0; room < 800 << 10; room += 32 << 10) {
        struct qtdb_statistics statistics = {.size = sizeof(statistics)};
        struct play play;

        play_init(&play, 1);
        qtdb_get_statistics(play.rig.db, &statistics);
        io_sim_set_disk_size(play.rig.io, statistics.page_count * 4096 + room);
        cr_assert(fails_somewhere(&play, QTDB_FULL, disk_was_full));
        db_check(play.rig.db);
        db_rig_deinit(&play.rig);
    }
}
