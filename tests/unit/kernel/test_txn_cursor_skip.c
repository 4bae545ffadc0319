/*
 * Goal: rows that a cursor passes over without looking at them are as many as the snapshot has, whatever is
 * committed to the tree meanwhile, and are relied on like rows that were looked at.
 * Method: snapshots of all ages over a tree of many leaves beside the model of each; rows are put and deleted,
 * in runs too, so that leaves split and merge, between one call and the next.
 */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/random.h"
#include "kernel/database.h"
#include "tests/support/db_rig.h"

enum { KEYS = 1500, VIEWS = 6, VALUE_MAX = 5000 };

struct view {
    struct qtdb_txn *txn;
    struct qtdb_cursor *cursor;
    bool model[KEYS];
    int at; /* Of the cursor; -1: nowhere. */
};

struct world {
    struct db_rig rig;
    struct random random;
    struct qtdb_tree *tree;
    enum qtdb_key_kind kind;
    bool model[KEYS];
    struct view views[VIEWS];
    uint64_t leaves; /* Passed over. */
};

static size_t
key_of(const struct world *world, int index, uint8_t *out)
{
    if (world->kind != QTDB_KEY_INT)
        return (size_t)snprintf((char *)out, 16, "key%04d", index);
    qtdb_key_u64((uint64_t)index, out);
    return sizeof(uint64_t);
}

static int
index_of(const struct world *world, const uint8_t *key)
{
    uint64_t number;

    if (world->kind != QTDB_KEY_INT)
        return (int)strtol((const char *)key + 3, NULL, 10);
    memcpy(&number, key, sizeof(number));
    return (int)__builtin_bswap64(number);
}

/* One commit: a run of rows is put, or goes. */
static void
change_some(struct world *world)
{
    static const uint8_t value[VALUE_MAX];
    struct qtdb_txn *txn = db_begin(world->rig.db);
    int index = (int)random_below(&world->random, KEYS);
    int count =
        1 + (int)random_below(&world->random, random_chance(&world->random, 1, 4) ? 120 : 3);
    bool puts = random_chance(&world->random, 11, 20);
    uint8_t key[16];

    for (int i = index; i < index + count && i < KEYS; i++) {
        size_t size = key_of(world, i, key);

        if (puts)
            DB(qtdb_put(txn, world->tree, key, size, value,
                        random_chance(&world->random, 1, 60)
                            ? VALUE_MAX
                            : 20 + random_below(&world->random, 2) * 400,
                        QTDB_PUT_ANY));
        else if (world->model[i])
            DB(qtdb_delete(txn, world->tree, key, size));
        world->model[i] = puts;
    }
    DB(qtdb_commit(txn));
}

static void
view_close(struct view *view)
{
    qtdb_cursor_close(view->cursor);
    if (view->txn != NULL)
        DB(qtdb_commit(view->txn));
    view->txn = NULL;
    view->cursor = NULL;
}

static void
view_renew(struct world *world, struct view *view)
{
    view_close(view);
    view->txn = db_begin_read(world->rig.db);
    memcpy(view->model, world->model, sizeof(view->model));
    DB(qtdb_cursor_open(view->txn, world->tree, &view->cursor));
    view->at = -1;
}

/* The cursor is where `rows` rows lie between `from` and it, neither counted. */
static void
expect_place(const struct world *world, struct view *view, enum qtdb_code code, int from,
             uint64_t rows)
{
    const void *key, *value;
    size_t key_size, value_size;
    uint64_t expected = 0;
    int to = KEYS;

    qtdb_cursor_row(view->cursor, &key, &key_size, &value, &value_size);
    cr_assert(code == QTDB_OK || code == QTDB_NOT_FOUND);
    cr_assert_eq(key == NULL, code == QTDB_NOT_FOUND);
    if (key != NULL)
        to = index_of(world, key);
    for (int i = from + 1; i < to; i++)
        expected += view->model[i];
    cr_assert(to == KEYS || view->model[to]);
    cr_assert_eq(rows, expected, "%d to %d: %d rows instead of %d", from, to, (int)rows,
                 (int)expected);
    view->at = to == KEYS ? -1 : to;
}

static void
move(struct world *world, struct view *view)
{
    uint32_t leaves = 0, most = (uint32_t)random_below(&world->random, 6);
    uint64_t rows = 0;
    uint8_t key[16];

    if (view->at < 0) {
        int from =
            random_chance(&world->random, 1, 2) ? 0 : (int)random_below(&world->random, KEYS);

        expect_place(world, view, qtdb_cursor_seek(view->cursor, key, key_of(world, from, key)),
                     from - 1, 0);
    } else if (random_chance(&world->random, 1, 8)) {
        expect_place(world, view, qtdb_cursor_next(view->cursor), view->at, 0);
    } else {
        enum qtdb_code code = database_cursor_skip(view->cursor, most, &rows, &leaves);

        cr_assert_leq(leaves, most);
        world->leaves += leaves;
        expect_place(world, view, code, view->at, rows);
    }
}

static void
world_init(struct world *world, uint64_t seed, enum qtdb_key_kind kind)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true, .key_kind = kind};

    memset(world, 0, sizeof(*world));
    world->kind = kind;
    random_init(&world->random, seed);
    db_rig_init(&world->rig, seed);
    struct qtdb_txn *txn = db_begin(world->rig.db);
    DB(qtdb_tree_open(txn, "t", &options, &world->tree));
    DB(qtdb_commit(txn));
    for (int i = 0; i < 200; i++)
        change_some(world);
}

static void
world_deinit(struct world *world)
{
    for (int i = 0; i < VIEWS; i++)
        view_close(&world->views[i]);
    db_rig_deinit(&world->rig);
}

/* covers: T1 */
Test(txn_cursor_skip, rows_passed_over_are_those_of_the_snapshot_beside_writers)
{
    static struct world world;

    for (uint64_t seed = 1; seed <= 8; seed++) {
        world_init(&world, seed, seed % 2 == 0 ? QTDB_KEY_INT : QTDB_KEY_BYTES);
        for (int i = 0; i < VIEWS; i++)
            view_renew(&world, &world.views[i]);
        for (int i = 0; i < 3000; i++) {
            struct view *view = &world.views[random_below(&world.random, VIEWS)];

            if (random_chance(&world.random, 1, 5))
                change_some(&world);
            if (random_chance(&world.random, 1, 60))
                view_renew(&world, view);
            move(&world, view);
        }
        cr_assert_gt(world.leaves, 500);
        world_deinit(&world);
    }
}

/* From a row on, over four leaves or to the tree's end; the first key that was not looked at. */
static int
pass_over(struct world *world, struct qtdb_cursor *cursor, int from, bool to_end)
{
    enum qtdb_code code = QTDB_OK;
    uint32_t leaves = 0;
    uint64_t rows = 0;
    const void *found, *value;
    size_t found_size, value_size;
    uint8_t key[16];

    DB(qtdb_cursor_seek(cursor, key, key_of(world, from, key)));
    while (code == QTDB_OK && (to_end || leaves == 0))
        code = database_cursor_skip(cursor, 4, &rows, &leaves);
    qtdb_cursor_row(cursor, &found, &found_size, &value, &value_size);
    return found == NULL ? INT_MAX : index_of(world, found) + 1;
}

/* A row is put among those passed over, behind them, or before them. covers: T3 */
Test(txn_cursor_skip, what_was_passed_over_is_relied_on)
{
    static struct world world;

    for (int i = 0; i < 24; i++) {
        struct qtdb_cursor *cursor;
        uint8_t key[16];
        int from = 100;

        world_init(&world, (uint64_t)i + 1, i % 2 == 0 ? QTDB_KEY_INT : QTDB_KEY_BYTES);
        struct qtdb_txn *txn = db_begin(world.rig.db), *other;
        DB(qtdb_cursor_open(txn, world.tree, &cursor));
        int end = pass_over(&world, cursor, from, i >= 12);
        int put = i % 3 == 0 ? from + 10 : i % 3 == 1 ? 50 : i >= 12 ? KEYS + 1 : end;
        if (i % 4 < 2) {
            qtdb_cursor_close(cursor);
            cursor = NULL;
        }
        other = db_begin(world.rig.db);
        DB(qtdb_put(other, world.tree, key, key_of(&world, put, key), "x", 1, QTDB_PUT_ANY));
        DB(qtdb_commit(other));
        DB(qtdb_put(txn, world.tree, key, key_of(&world, 0, key), "y", 1, QTDB_PUT_ANY));
        cr_assert_eq(qtdb_commit(txn), put >= from && put < end ? QTDB_CONFLICT : QTDB_OK, "run %d",
                     i);
        qtdb_cursor_close(cursor);
        world_deinit(&world);
    }
}

Test(txn_cursor_skip, own_writes_are_merged_and_not_passed_over)
{
    static struct world world;
    uint8_t key[16];
    uint64_t rows = 0, total = 0, expected = 0;
    uint32_t leaves = 0;
    struct qtdb_cursor *cursor;

    world_init(&world, 3, QTDB_KEY_INT);
    struct qtdb_txn *txn = db_begin(world.rig.db);
    for (int i = 0; i < KEYS; i += 100) {
        DB(qtdb_put(txn, world.tree, key, key_of(&world, i, key), "x", 1, QTDB_PUT_ANY));
        world.model[i] = true;
    }
    for (int i = 0; i < KEYS; i++)
        expected += world.model[i];
    DB(qtdb_cursor_open(txn, world.tree, &cursor));
    enum qtdb_code code = qtdb_cursor_seek(cursor, NULL, 0);
    for (total = 1; code == QTDB_OK; total += rows + (code == QTDB_OK)) {
        code = database_cursor_skip(cursor, 10, &rows, &leaves);
        cr_assert(rows == 0 && leaves == 0);
    }
    cr_assert_eq(total, expected);
    qtdb_cursor_close(cursor);
    DB(qtdb_commit(txn));
    world_deinit(&world);
}
