/*
 * Goal: a transaction's cursor shows committed rows and own writes as one sorted list, in both
 * directions and with turns in between, and goes on rightly when either changes under it.
 * Method: random committed rows and own writes against a sorted model; random walks with seeks and
 * turns; own writes between steps.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/random.h"
#include "kernel/database.h"
#include "tests/support/db_rig.h"

enum { KEYS = 300 };

struct view {
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    struct qtdb_cursor *cursor;
    struct random random;
    int model[KEYS]; /* 0: absent. */
};

static size_t
key_of(int index, char *out)
{
    return (size_t)snprintf(out, 16, "key%04d", index);
}

static void
write_one(struct view *view, struct qtdb_txn *txn)
{
    int index = (int)random_below(&view->random, KEYS);
    int value = 1 + (int)random_below(&view->random, 1000000);
    char key[16];
    size_t size = key_of(index, key);

    if (random_chance(&view->random, 1, 3)) {
        enum qtdb_code code = qtdb_delete(txn, view->tree, key, size);

        cr_assert_eq(code, view->model[index] != 0 ? QTDB_OK : QTDB_NOT_FOUND);
        value = 0;
    } else {
        DB(qtdb_put(txn, view->tree, key, size, &value, sizeof(value), QTDB_PUT_ANY));
    }
    view->model[index] = value;
}

/* The next present index from `index` on, KEYS or -1 when there is none. */
static int
next_of(const struct view *view, int index, int direction)
{
    while (index >= 0 && index < KEYS && view->model[index] == 0)
        index += direction;
    return index;
}

static int
position(struct view *view, enum qtdb_code code, int expected)
{
    const void *key, *value;
    size_t key_size, value_size;
    char name[16];

    qtdb_cursor_row(view->cursor, &key, &key_size, &value, &value_size);
    if (expected < 0 || expected >= KEYS) {
        cr_assert_eq(code, QTDB_NOT_FOUND);
        cr_assert(key == NULL && key_size == 0);
        return -1;
    }
    DB(code);
    cr_assert_eq(key_size, key_of(expected, name));
    cr_assert_eq(memcmp(key, name, key_size), 0, "%.*s instead of %s", (int)key_size,
                 (const char *)key, name);
    cr_assert(value_size == sizeof(int) && memcmp(value, &view->model[expected], sizeof(int)) == 0);
    return expected;
}

static void
view_init(struct view *view, uint64_t seed, bool own)
{
    memset(view, 0, sizeof(*view));
    random_init(&view->random, seed);
    db_rig_init(&view->rig, seed);
    view->tree = db_tree(view->rig.db, "t");
    view->txn = db_begin(view->rig.db);
    for (int i = 0; i < 150; i++)
        write_one(view, view->txn);
    DB(qtdb_commit(view->txn));
    view->txn = db_begin(view->rig.db);
    for (int i = 0; own && i < 150; i++)
        write_one(view, view->txn);
    DB(qtdb_cursor_open(view->txn, view->tree, &view->cursor));
}

static void
view_deinit(struct view *view)
{
    qtdb_cursor_close(view->cursor);
    DB(qtdb_commit(view->txn));
    db_rig_deinit(&view->rig);
}

static uint32_t spanned; /* Rows by the following. */

/* Rows beside the present one, by their values or only counted; then the cursor is at the last of them. */
static int
span(struct view *view, int at)
{
    const void *values[8];
    uint32_t sizes[8], most = (uint32_t)random_below(&view->random, 9);
    bool counts = random_chance(&view->random, 1, 3);
    uint32_t taken =
        database_cursor_span(view->cursor, most, counts ? NULL : values, counts ? NULL : sizes);

    cr_assert_leq(taken, most);
    spanned += taken;
    for (uint32_t i = 0; i < taken; i++) {
        at = next_of(view, at + 1, 1);
        cr_assert_lt(at, KEYS);
        if (!counts)
            cr_assert(sizes[i] == sizeof(int) &&
                      memcmp(values[i], &view->model[at], sizeof(int)) == 0);
    }
    /* Not moved, it may be at a row that was changed since. */
    return taken == 0 ? at : position(view, QTDB_OK, at);
}

static uint32_t handed; /* Rows by the following, beside the present ones. */

/* The present row and those behind it in the direction of the last move; then the cursor is at the last. */
static int
rows(struct view *view, int at, int direction)
{
    struct qtdb_row rows[8];
    size_t most = random_below(&view->random, 9);
    size_t count = qtdb_cursor_rows(view->cursor, rows, most);

    cr_assert(count <= most && (count > 0) == (most > 0));
    for (size_t i = 0; i < count; i++) {
        char name[16];

        if (i > 0)
            at = next_of(view, at + direction, direction);
        cr_assert(at >= 0 && at < KEYS);
        cr_assert_eq(rows[i].key_size, key_of(at, name));
        cr_assert_eq(memcmp(rows[i].key, name, rows[i].key_size), 0, "%.*s instead of %s",
                     (int)rows[i].key_size, (const char *)rows[i].key, name);
        cr_assert_eq(rows[i].value_size, sizeof(int));
        cr_assert_eq(memcmp(rows[i].value, &view->model[at], sizeof(int)), 0);
    }
    handed += count > 0 ? (uint32_t)count - 1 : 0;
    return count < 2 ? at : position(view, QTDB_OK, at);
}

/* Of the step that walk takes. */
static int
direction_of(int at, uint64_t what)
{
    bool back = (what >= 5 && what < 10) || (what >= 12 && what < 14) || what >= 60;

    return at >= 0 && back ? -1 : 1;
}

static void
walk(struct view *view, uint32_t steps, bool write_between)
{
    int direction = 1;
    bool stale = false; /* The present row is what it was before a write. */
    int at = -1;
    char key[16];

    for (uint32_t i = 0; i < steps; i++) {
        uint64_t what = random_below(&view->random, 100);
        int target = (int)random_below(&view->random, KEYS);

        if (at >= 0 && !stale && random_chance(&view->random, 1, 4))
            at = rows(view, at, direction);
        stale = false;
        if (at < 0 || what < 50 || what >= 60)
            direction = direction_of(at, what);
        if (write_between && random_chance(&view->random, 1, 3)) {
            write_one(view, view->txn);
            stale = at >= 0 && what >= 50 && what < 60; /* It may not move. */
        }
        if (at < 0 || what < 5)
            at = position(view, qtdb_cursor_seek(view->cursor, key, key_of(target, key)),
                          next_of(view, target, 1));
        else if (what < 10)
            at = position(view, qtdb_cursor_seek_last(view->cursor, key, key_of(target, key)),
                          next_of(view, target, -1));
        else if (what < 12)
            at = position(view, qtdb_cursor_seek(view->cursor, NULL, 0), next_of(view, 0, 1));
        else if (what < 14)
            at = position(view, qtdb_cursor_seek_last(view->cursor, NULL, 0),
                          next_of(view, KEYS - 1, -1));
        else if (what < 50)
            at = position(view, qtdb_cursor_next(view->cursor), next_of(view, at + 1, 1));
        else if (what < 60)
            at = span(view, at);
        else
            at = position(view, qtdb_cursor_previous(view->cursor), next_of(view, at - 1, -1));
    }
}

Test(txn_cursor, committed_rows_and_own_writes_are_one_list)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct view view;

        view_init(&view, seed, true);
        walk(&view, 3000, false);
        view_deinit(&view);
    }
    cr_assert_eq(spanned, 0);  /* They have to be merged. */
    cr_assert_gt(handed, 100); /* Between two own writes. */
}

Test(txn_cursor, rows_of_a_leaf_come_together_where_nothing_is_to_be_merged)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct view view;

        view_init(&view, seed, false);
        walk(&view, 3000, false);
        view_deinit(&view);
    }
    cr_assert_gt(spanned, 1000);
    cr_assert_gt(handed, 1000);
}

Test(txn_cursor, own_writes_between_steps_are_seen_where_they_lie_ahead)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct view view;

        view_init(&view, seed, false);
        walk(&view, 3000, true);
        view_deinit(&view);
    }
}

Test(txn_cursor, a_cursor_in_a_tree_just_made_sees_own_writes)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true};
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_cursor *cursor;
    struct qtdb_txn *txn;
    const void *key, *value;
    size_t key_size, value_size;

    db_rig_init(&rig, 1);
    txn = db_begin(rig.db);
    DB(qtdb_tree_open(txn, "new", &options, &tree));
    DB(qtdb_cursor_open(txn, tree, &cursor));
    DB_REFUSED(qtdb_cursor_seek(cursor, NULL, 0), QTDB_NOT_FOUND);
    DB(db_put(txn, tree, "a", "1"));
    DB(qtdb_cursor_seek(cursor, NULL, 0));
    qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
    cr_assert(key_size == 1 && value_size == 1);
    DB_REFUSED(qtdb_cursor_next(cursor), QTDB_NOT_FOUND);
    DB_REFUSED(qtdb_cursor_next(cursor), QTDB_NOT_FOUND);
    DB_REFUSED(qtdb_cursor_previous(cursor), QTDB_NOT_FOUND);
    qtdb_cursor_close(cursor);
    DB(qtdb_commit(txn));
    db_rig_deinit(&rig);
}

static void
expect_row(struct qtdb_cursor *cursor, const char *key, const char *value)
{
    const void *found_key, *found_value;
    size_t key_size, value_size;

    qtdb_cursor_row(cursor, &found_key, &key_size, &found_value, &value_size);
    cr_assert_eq(key_size, strlen(key));
    cr_assert_arr_eq(found_key, key, key_size);
    cr_assert_eq(value_size, strlen(value));
    cr_assert_arr_eq(found_value, value, value_size);
}

/* covers: T1 */
Test(txn_cursor, a_scan_shows_rows_deleted_since_and_none_inserted_since)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_cursor *cursor;
    struct qtdb_txn *txn;
    struct qtdb_txn *other;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    other = db_begin(rig.db);
    DB(db_put(other, tree, "a", "1"));
    DB(db_put(other, tree, "b", "1"));
    DB(db_put(other, tree, "d", "1"));
    DB(qtdb_commit(other));
    txn = db_begin_read(rig.db);
    other = db_begin(rig.db);
    DB(db_delete(other, tree, "b"));
    DB(db_put(other, tree, "e", "1"));
    DB(qtdb_commit(other));
    DB(qtdb_cursor_open(txn, tree, &cursor));
    DB(qtdb_cursor_seek(cursor, "a", 1));
    DB(qtdb_cursor_next(cursor));
    expect_row(cursor, "b", "1");
    DB(qtdb_cursor_seek(cursor, "c", 1));
    expect_row(cursor, "d", "1");
    cr_assert_eq(qtdb_cursor_next(cursor), QTDB_NOT_FOUND);
    DB(qtdb_cursor_seek_last(cursor, NULL, 0));
    expect_row(cursor, "d", "1");
    DB(qtdb_cursor_previous(cursor));
    expect_row(cursor, "b", "1");
    DB(qtdb_cursor_seek_last(cursor, "d", 1));
    qtdb_cursor_close(cursor);
    DB(qtdb_commit(txn));
    db_rig_deinit(&rig);
}

/* How a scan of a few rows ends. */
enum ending { LEFT_OPEN, CLOSED, JUMPED_AWAY, TURNED };

static void
put_letters(struct db_rig *rig, struct qtdb_tree *tree)
{
    struct qtdb_txn *txn = db_begin(rig->db);

    for (char letter = 'b'; letter <= 'y'; letter = (char)(letter + 1)) {
        const char key[2] = {letter, '\0'};

        DB(db_put(txn, tree, key, "1"));
    }
    DB(qtdb_commit(txn));
}

/* From g, four rows on: to k forward, to c backward. */
static struct qtdb_cursor *
scan_from_g(struct qtdb_txn *txn, struct qtdb_tree *tree, bool forward, enum ending ending)
{
    struct qtdb_cursor *cursor;

    DB(qtdb_cursor_open(txn, tree, &cursor));
    DB(forward ? qtdb_cursor_seek(cursor, "g", 1) : qtdb_cursor_seek_last(cursor, "g", 1));
    for (int i = 0; i < 4; i++)
        DB(forward ? qtdb_cursor_next(cursor) : qtdb_cursor_previous(cursor));
    expect_row(cursor, forward ? "k" : "c", "1");
    if (ending == JUMPED_AWAY)
        DB(qtdb_cursor_seek(cursor, "w", 1));
    for (int i = 0; ending == TURNED && i < 2; i++)
        DB(forward ? qtdb_cursor_previous(cursor) : qtdb_cursor_next(cursor));
    if (ending == CLOSED) {
        qtdb_cursor_close(cursor);
        return NULL;
    }
    return cursor;
}

/* Steps that merge nothing note what they have passed like any other. covers: T3 */
Test(txn_cursor, what_plain_steps_passed_is_relied_on)
{
    struct db_rig rig;

    for (uint32_t i = 0; i < 2 * 4 * 4; i++) {
        bool forward = i % 2 == 0;
        enum ending ending = (enum ending)(i / 2 % 4);
        /* Between the last rows read; just outside on either side; between the first ones. */
        const char *keys[] = {forward ? "jj" : "cc", forward ? "kk" : "bb", forward ? "ff" : "gg",
                              forward ? "gg" : "ff"};
        uint32_t which = i / 8;
        struct qtdb_txn *other;

        db_rig_init(&rig, 1);
        struct qtdb_tree *tree = db_tree(rig.db, "t");
        put_letters(&rig, tree);
        struct qtdb_txn *txn = db_begin(rig.db);
        struct qtdb_cursor *cursor = scan_from_g(txn, tree, forward, ending);
        other = db_begin(rig.db);
        DB(db_put(other, tree, keys[which], "2"));
        DB(qtdb_commit(other));
        DB(db_put(txn, tree, "z", "3"));
        bool read = which == 0 || which == 3;

        cr_assert_eq(qtdb_commit(txn), read ? QTDB_CONFLICT : QTDB_OK, "%s, ending %d, %s",
                     forward ? "forward" : "backward", (int)ending, keys[which]);
        qtdb_cursor_close(cursor);
        db_rig_deinit(&rig);
    }
}

/* Own writes that come while the cursor stands in a leaf, and a new snapshot. covers: T13 */
Test(txn_cursor, a_leaf_read_ahead_hides_neither_own_writes_nor_a_new_snapshot)
{
    struct db_rig rig;

    db_rig_init(&rig, 1);
    struct qtdb_tree *tree = db_tree(rig.db, "t");
    put_letters(&rig, tree);
    struct qtdb_txn *txn = db_begin_as(rig.db, QTDB_READ_COMMITTED);
    struct qtdb_cursor *cursor = scan_from_g(txn, tree, true, LEFT_OPEN);
    struct qtdb_txn *other = db_begin(rig.db);

    DB(db_put(other, tree, "l", "2"));
    DB(db_delete(other, tree, "m"));
    DB(qtdb_commit(other));
    DB(qtdb_cursor_next(cursor));
    expect_row(cursor, "l", "1");
    DB(qtdb_cursor_previous(cursor));
    expect_row(cursor, "k", "1");
    DB(qtdb_refresh(txn));
    DB(qtdb_cursor_next(cursor));
    expect_row(cursor, "l", "2");
    DB(qtdb_cursor_next(cursor));
    expect_row(cursor, "n", "1");
    DB(qtdb_cursor_next(cursor));
    DB(db_put(txn, tree, "oo", "3"));
    DB(db_delete(txn, tree, "p"));
    DB(qtdb_cursor_next(cursor));
    expect_row(cursor, "oo", "3");
    DB(qtdb_cursor_next(cursor));
    expect_row(cursor, "q", "1");
    qtdb_cursor_close(cursor);
    DB(qtdb_commit(txn));
    txn = db_begin(rig.db);
    cursor = scan_from_g(txn, tree, true, LEFT_OPEN);
    while (qtdb_cursor_next(cursor) == QTDB_OK)
        ;
    DB_REFUSED(qtdb_cursor_next(cursor), QTDB_NOT_FOUND);
    DB_REFUSED(qtdb_cursor_previous(cursor), QTDB_NOT_FOUND);
    qtdb_cursor_close(cursor);
    DB(qtdb_commit(txn));
    db_rig_deinit(&rig);
}

/* covers: T1 */
Test(txn_cursor, rows_together_are_as_of_the_snapshot_beside_writers)
{
    struct qtdb_row rows[4];
    struct db_rig rig;
    struct qtdb_cursor *cursor;
    struct qtdb_txn *other;
    char seen[8] = "";
    size_t length = 0;

    db_rig_init(&rig, 1);
    struct qtdb_tree *tree = db_tree(rig.db, "t");

    other = db_begin(rig.db);
    DB(db_put(other, tree, "a", "1"));
    DB(db_put(other, tree, "b", "2"));
    DB(db_put(other, tree, "d", "4"));
    DB(qtdb_commit(other));
    struct qtdb_txn *txn = db_begin_read(rig.db);

    DB(qtdb_cursor_open(txn, tree, &cursor));
    cr_assert_eq(qtdb_cursor_rows(cursor, rows, 4), 0);
    other = db_begin(rig.db);
    DB(db_delete(other, tree, "b"));
    DB(db_put(other, tree, "c", "3"));
    DB(db_put(other, tree, "d", "5"));
    DB(qtdb_commit(other));
    enum qtdb_code code = qtdb_cursor_seek(cursor, NULL, 0);

    for (; code == QTDB_OK; code = qtdb_cursor_next(cursor)) {
        size_t count = qtdb_cursor_rows(cursor, rows, 4);

        for (size_t i = 0; i < count; i++)
            seen[length++] = *(const char *)rows[i].value;
    }
    cr_assert_eq(code, QTDB_NOT_FOUND);
    cr_assert_str_eq(seen, "124");
    cr_assert_eq(qtdb_cursor_rows(cursor, rows, 4), 0);
    qtdb_rollback(txn);
    cr_assert_eq(qtdb_cursor_rows(cursor, rows, 4), 0);
    qtdb_cursor_close(cursor);
    db_rig_deinit(&rig);
}

Test(txn_cursor, rows_together_count_as_read)
{
    struct qtdb_row rows[8];
    struct db_rig rig;
    struct qtdb_cursor *cursor;
    struct qtdb_txn *txn, *other;

    db_rig_init(&rig, 1);
    struct qtdb_tree *tree = db_tree(rig.db, "t");

    txn = db_begin(rig.db);
    for (const char *key = "abcdefg"; *key != 0; key++)
        DB(qtdb_put(txn, tree, key, 1, "1", 1, QTDB_PUT_ANY));
    DB(qtdb_commit(txn));
    txn = db_begin(rig.db);
    DB(qtdb_cursor_open(txn, tree, &cursor));
    DB(qtdb_cursor_seek(cursor, "b", 1));
    cr_assert_eq(qtdb_cursor_rows(cursor, rows, 4), 4);
    DB(db_put(txn, tree, "z", "1"));
    other = db_begin(rig.db);
    DB(db_put(other, tree, "f", "2")); /* Behind what was read. */
    DB(qtdb_commit(other));
    other = db_begin(rig.db);
    DB(db_put(other, tree, "d", "2"));
    DB(qtdb_commit(other));
    DB_REFUSED(qtdb_commit(txn), QTDB_CONFLICT);
    qtdb_cursor_close(cursor);
    db_rig_deinit(&rig);
}

/* The values come one by one where they do not lie in the leaf, and the rows where memory lacks. */
Test(txn_cursor, rows_together_of_large_values_and_without_memory)
{
    static uint8_t value[9000];
    struct qtdb_row rows[8];
    struct db_rig rig;
    struct qtdb_cursor *cursor;
    uint32_t seen = 0;

    db_rig_init(&rig, 1);
    struct qtdb_tree *tree = db_tree(rig.db, "t");
    struct qtdb_txn *txn = db_begin(rig.db);

    for (uint32_t i = 0; i < 30; i++) {
        char key = (char)('A' + i);

        memset(value, (int)i, sizeof(value));
        DB(qtdb_put(txn, tree, &key, 1, value, i % 5 == 2 ? sizeof(value) : i, QTDB_PUT_ANY));
    }
    DB(qtdb_commit(txn));
    txn = db_begin_read(rig.db);
    DB(qtdb_cursor_open(txn, tree, &cursor));
    enum qtdb_code code = qtdb_cursor_seek_last(cursor, NULL, 0);

    memory_fail_at(rig.memory, 0, true);
    cr_assert_eq(qtdb_cursor_rows(cursor, rows, 8), 1);
    memory_fail_at(rig.memory, UINT64_MAX, false);
    for (; code == QTDB_OK; code = qtdb_cursor_previous(cursor)) {
        size_t count = qtdb_cursor_rows(cursor, rows, 8);

        for (size_t i = 0; i < count; i++) {
            uint32_t number = 29 - seen++;

            memset(value, (int)number, sizeof(value));
            cr_assert_eq(*(const char *)rows[i].key, (char)('A' + number));
            cr_assert_eq(rows[i].value_size, number % 5 == 2 ? sizeof(value) : number);
            cr_assert_eq(memcmp(rows[i].value, value, rows[i].value_size), 0);
        }
    }
    cr_assert_eq(code, QTDB_NOT_FOUND);
    cr_assert_eq(seen, 30);
    qtdb_cursor_close(cursor);
    qtdb_rollback(txn);
    db_rig_deinit(&rig);
}
