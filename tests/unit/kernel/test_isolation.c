/*
 * Goal: interleaved transactions behave as if they had run one after the other in commit order
 * (SERIALIZABLE), or are refused; every read is answered, and as of one moment; under REPEATABLE READ
 * what a transaction writes was not changed by others meanwhile.
 * Method: up to 6 transactions at a time take random turns over 40 keys on several leaves: gets, scans,
 * puts, deletes, commits, rollbacks. Each remembers all it was told. It must be what the model held
 * when the transaction began, and at a writer's commit what it holds at that very moment. Known
 * anomalies are also written out one by one.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/random.h"
#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum { KEYS = 40, ACTORS = 6, UNKNOWN = -1, VALUE_MAX = 1800 };

struct actor {
    struct qtdb_txn *txn;
    bool read_only;
    enum qtdb_isolation isolation;
    int64_t start[KEYS]; /* The model when it began. */
    int64_t told[KEYS];  /* What it read of committed values; UNKNOWN: nothing. */
    int64_t own[KEYS];   /* What it wrote; UNKNOWN: nothing. 0: deleted. */
};

struct history {
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct random random;
    int64_t model[KEYS]; /* 0: absent. */
    int64_t next_value;
    struct actor actors[ACTORS];
    uint32_t commits;
    uint32_t conflicts;
};

static size_t
key_of(int index, char *out)
{
    return (size_t)snprintf(out, 16, "key%03d", index);
}

static void
actor_begin(struct history *history, struct actor *actor)
{
    uint64_t kind = random_below(&history->random, 4);

    actor->read_only = kind == 0;
    actor->isolation = kind == 1 ? QTDB_REPEATABLE_READ : QTDB_SERIALIZABLE;
    actor->txn = actor->read_only ? db_begin_read(history->rig.db)
                                  : db_begin_as(history->rig.db, actor->isolation);
    memcpy(actor->start, history->model, sizeof(actor->start));
    for (int i = 0; i < KEYS; i++)
        actor->told[i] = actor->own[i] = UNKNOWN;
}

/* The actor was told a value of a key: own writes first, else it must be its snapshot's. */
static void
hear(struct actor *actor, int key, int64_t value)
{
    if (actor->own[key] != UNKNOWN) {
        cr_assert_eq(value, actor->own[key], "key %d: own write", key);
        return;
    }
    cr_assert_eq(value, actor->start[key], "key %d: %ld is not of the snapshot (%ld)", key,
                 (long)value, (long)actor->start[key]);
    actor->told[key] = value;
}

static bool
fine_or_conflict(struct history *history, struct actor *actor, enum qtdb_code code)
{
    if (code == QTDB_OK || code == QTDB_NOT_FOUND)
        return true;
    cr_assert(code == QTDB_CONFLICT || code == QTDB_BUSY, "%s", qtdb_error_last()->message);
    qtdb_rollback(actor->txn);
    actor->txn = NULL;
    history->conflicts++;
    return false;
}

static void
act_get(struct history *history, struct actor *actor)
{
    int key = (int)random_below(&history->random, KEYS);
    char name[16];
    uint8_t bytes[VALUE_MAX];
    int64_t value = 0;
    size_t size = sizeof(bytes);
    enum qtdb_code code =
        qtdb_get(actor->txn, history->tree, name, key_of(key, name), bytes, &size);

    if (code != QTDB_NOT_FOUND) {
        DB(code);
        memcpy(&value, bytes, sizeof(value));
    }
    hear(actor, key, value);
}

static void
act_scan(struct history *history, struct actor *actor)
{
    bool backward = random_chance(&history->random, 1, 2);
    int at = (int)random_below(&history->random, KEYS);
    int length = (int)random_below(&history->random, 12);
    struct qtdb_cursor *cursor;
    char name[16];
    enum qtdb_code code;

    DB(qtdb_cursor_open(actor->txn, history->tree, &cursor));
    code = backward ? qtdb_cursor_seek_last(cursor, name, key_of(at, name))
                    : qtdb_cursor_seek(cursor, name, key_of(at, name));
    while (length-- > 0) {
        cr_assert(code == QTDB_OK || code == QTDB_NOT_FOUND, "%s", qtdb_error_last()->message);
        int found = backward ? -1 : KEYS;
        int64_t value = 0;

        if (code == QTDB_OK) {
            const void *key, *bytes;
            size_t key_size, size;

            qtdb_cursor_row(cursor, &key, &key_size, &bytes, &size);
            cr_assert_geq(size, sizeof(value));
            memcpy(&value, bytes, sizeof(value));
            memcpy(name, (const char *)key + 3, 3);
            name[3] = '\0';
            found = (int)strtol(name, NULL, 10);
        }
        for (; at != found; at += backward ? -1 : 1)
            hear(actor, at, 0);
        if (code == QTDB_NOT_FOUND)
            break;
        hear(actor, found, value);
        at += backward ? -1 : 1;
        code = backward ? qtdb_cursor_previous(cursor) : qtdb_cursor_next(cursor);
    }
    qtdb_cursor_close(cursor);
}

static void
act_write(struct history *history, struct actor *actor)
{
    int key = (int)random_below(&history->random, KEYS);
    char name[16];
    size_t name_size = key_of(key, name);
    int64_t value = ++history->next_value;
    enum qtdb_code code;

    if (random_chance(&history->random, 1, 3)) {
        code = qtdb_delete(actor->txn, history->tree, name, name_size);
        if (!fine_or_conflict(history, actor, code))
            return;
        hear(actor, key,
             code == QTDB_NOT_FOUND ? 0
             : actor->own[key] > 0  ? actor->own[key]
                                    : actor->start[key]);
        cr_assert_eq(code == QTDB_NOT_FOUND,
                     (actor->own[key] != UNKNOWN ? actor->own[key] : actor->start[key]) == 0);
        if (code == QTDB_OK)
            actor->own[key] = 0;
        return;
    }
    uint8_t bytes[VALUE_MAX] = {0};
    size_t size = sizeof(value) + random_below(&history->random, VALUE_MAX - sizeof(value));

    memcpy(bytes, &value, sizeof(value));
    code = qtdb_put(actor->txn, history->tree, name, name_size, bytes, size, QTDB_PUT_ANY);
    if (fine_or_conflict(history, actor, code))
        actor->own[key] = value;
}

static void
act_commit(struct history *history, struct actor *actor)
{
    enum qtdb_code code = qtdb_commit(actor->txn);
    bool wrote = false;

    actor->txn = NULL;
    if (code == QTDB_CONFLICT) {
        history->conflicts++;
        return;
    }
    DB(code);
    history->commits++;
    for (int key = 0; key < KEYS; key++)
        wrote = wrote || actor->own[key] != UNKNOWN;
    for (int key = 0; wrote && key < KEYS; key++) {
        if (actor->told[key] != UNKNOWN && actor->isolation == QTDB_SERIALIZABLE)
            cr_assert_eq(actor->told[key], history->model[key], "key %d was read as %ld, is %ld",
                         key, (long)actor->told[key], (long)history->model[key]);
        if (actor->own[key] == UNKNOWN)
            continue;
        cr_assert_eq(actor->start[key], history->model[key], "key %d: a lost update", key);
        history->model[key] = actor->own[key];
    }
}

static void
turn(struct history *history)
{
    struct actor *actor = &history->actors[random_below(&history->random, ACTORS)];
    uint64_t what = random_below(&history->random, 100);

    if (actor->txn == NULL) {
        actor_begin(history, actor);
    } else if (what < 40) {
        act_get(history, actor);
    } else if (what < 60) {
        act_scan(history, actor);
    } else if (what < 80) {
        if (!actor->read_only)
            act_write(history, actor);
    } else if (what < 97) {
        act_commit(history, actor);
    } else {
        qtdb_rollback(actor->txn);
        actor->txn = NULL;
    }
}

static void
run_history(uint64_t seed, uint32_t turns)
{
    struct history *history = calloc(1, sizeof(*history));

    random_init(&history->random, seed);
    db_rig_init(&history->rig, seed);
    history->tree = db_tree(history->rig.db, "t");
    for (uint32_t i = 0; i < turns; i++)
        turn(history);
    for (uint32_t i = 0; i < ACTORS; i++)
        qtdb_rollback(history->actors[i].txn);
    cr_assert_gt(history->commits, turns / 40, "%u commits, %u conflicts", history->commits,
                 history->conflicts);
    cr_assert_gt(history->conflicts, 0);
    cr_assert_null(history->rig.db->merged, "versions are kept without need");
    db_check(history->rig.db);
    db_rig_deinit(&history->rig);
    free(history);
}

/* covers: T1, T3 */
Test(isolation, random_histories_are_serial_in_commit_order)
{
    for (uint64_t seed = 1; seed <= 8; seed++)
        run_history(seed, 6000);
}

/* ---- Known anomalies -------------------------------------------------------------------------- */

struct pair {
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *one;
    struct qtdb_txn *two;
};

static void
pair_init(struct pair *pair, enum qtdb_isolation isolation)
{
    struct qtdb_txn *txn;

    db_rig_init(&pair->rig, 1);
    pair->tree = db_tree(pair->rig.db, "t");
    txn = db_begin(pair->rig.db);
    DB(db_put(txn, pair->tree, "x", "0"));
    DB(db_put(txn, pair->tree, "y", "0"));
    DB(qtdb_commit(txn));
    pair->one = db_begin_as(pair->rig.db, isolation);
    pair->two = db_begin_as(pair->rig.db, isolation);
}

/* covers: T3 */
Test(isolation, a_lost_update_is_refused)
{
    enum qtdb_isolation all[] = {QTDB_SERIALIZABLE, QTDB_REPEATABLE_READ, QTDB_READ_COMMITTED};

    for (int i = 0; i < 3; i++) {
        struct pair pair;

        pair_init(&pair, all[i]);
        cr_assert_str_eq(db_get(pair.one, pair.tree, "x"), "0");
        cr_assert_str_eq(db_get(pair.two, pair.tree, "x"), "0");
        DB(db_put(pair.one, pair.tree, "x", "1"));
        DB_REFUSED(db_put(pair.two, pair.tree, "x", "2"), QTDB_BUSY);
        cr_assert_str_eq(qtdb_error_last()->sqlstate, "55P03");
        DB(qtdb_commit(pair.one));
        DB_REFUSED(db_put(pair.two, pair.tree, "x", "2"), QTDB_CONFLICT);
        cr_assert_str_eq(qtdb_error_last()->sqlstate, "40001");
        qtdb_rollback(pair.two);
        cr_assert_str_eq(db_look(pair.rig.db, pair.tree, "x"), "1");
        db_rig_deinit(&pair.rig);
    }
}

/* covers: T3 */
Test(isolation, write_skew_is_refused_when_serializable)
{
    struct pair pair;

    pair_init(&pair, QTDB_SERIALIZABLE);
    cr_assert_str_eq(db_get(pair.one, pair.tree, "x"), "0");
    cr_assert_str_eq(db_get(pair.two, pair.tree, "y"), "0");
    DB(db_put(pair.one, pair.tree, "y", "1"));
    DB(db_put(pair.two, pair.tree, "x", "1"));
    DB(qtdb_commit(pair.one));
    DB_REFUSED(qtdb_commit(pair.two), QTDB_CONFLICT);
    db_rig_deinit(&pair.rig);
    pair_init(&pair, QTDB_REPEATABLE_READ);
    cr_assert_str_eq(db_get(pair.one, pair.tree, "x"), "0");
    cr_assert_str_eq(db_get(pair.two, pair.tree, "y"), "0");
    DB(db_put(pair.one, pair.tree, "y", "1"));
    DB(db_put(pair.two, pair.tree, "x", "1"));
    DB(qtdb_commit(pair.one));
    DB(qtdb_commit(pair.two));
    db_rig_deinit(&pair.rig);
}

/* covers: T3 */
Test(isolation, a_phantom_is_refused)
{
    struct pair pair;
    struct qtdb_cursor *cursor;

    pair_init(&pair, QTDB_SERIALIZABLE);
    DB(qtdb_cursor_open(pair.one, pair.tree, &cursor));
    DB(qtdb_cursor_seek(cursor, "x", 1));
    DB(qtdb_cursor_next(cursor));
    DB(db_put(pair.two, pair.tree, "xx", "1"));
    DB(qtdb_commit(pair.two));
    DB(db_put(pair.one, pair.tree, "z", "1"));
    DB_REFUSED(qtdb_commit(pair.one), QTDB_CONFLICT);
    qtdb_cursor_close(cursor);
    db_rig_deinit(&pair.rig);
}

Test(isolation, rows_outside_of_what_was_read_do_not_matter)
{
    struct pair pair;
    struct qtdb_cursor *cursor;

    pair_init(&pair, QTDB_SERIALIZABLE);
    DB(qtdb_cursor_open(pair.one, pair.tree, &cursor));
    DB(qtdb_cursor_seek(cursor, "x", 1));
    qtdb_cursor_close(cursor);
    DB(db_put(pair.two, pair.tree, "xx", "1"));
    DB(db_put(pair.two, pair.tree, "a", "1"));
    DB(qtdb_commit(pair.two));
    DB(db_put(pair.one, pair.tree, "z", "1"));
    DB(qtdb_commit(pair.one));
    db_rig_deinit(&pair.rig);
}

/* covers: T1 */
Test(isolation, a_row_changed_since_the_snapshot_is_read_as_it_was)
{
    struct pair pair;

    pair_init(&pair, QTDB_SERIALIZABLE);
    DB(db_put(pair.two, pair.tree, "x", "1"));
    DB(qtdb_commit(pair.two));
    cr_assert_str_eq(db_get(pair.one, pair.tree, "x"), "0");
    /* Its neighbour on the same page was not changed. */
    cr_assert_str_eq(db_get(pair.one, pair.tree, "y"), "0");
    /* It relies on x and would come after the one that changed it. */
    DB(db_put(pair.one, pair.tree, "z", "1"));
    DB_REFUSED(qtdb_commit(pair.one), QTDB_CONFLICT);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "40001");
    db_rig_deinit(&pair.rig);
}

/* covers: T2 */
Test(isolation, versions_are_kept_for_the_oldest_transaction_only)
{
    struct pair pair;
    struct qtdb_txn *txn;

    pair_init(&pair, QTDB_SERIALIZABLE);
    for (int i = 0; i < 10; i++) {
        txn = db_begin(pair.rig.db);
        DB(db_put(txn, pair.tree, "x", "1"));
        DB(db_put(txn, pair.tree, i % 2 == 0 ? "y" : "z", "1"));
        DB(qtdb_commit(txn));
    }
    cr_assert_not_null(pair.rig.db->merged);
    cr_assert_null(pair.rig.db->pending);
    qtdb_rollback(pair.one);
    cr_assert_not_null(pair.rig.db->merged);
    qtdb_rollback(pair.two);
    cr_assert_null(pair.rig.db->merged);
    cr_assert_eq(pair.rig.db->merged_size, 0);
    cr_assert_eq(pair.tree->versions.count, 0);
    db_rig_deinit(&pair.rig);
}

/* covers: T6 */
Test(isolation, a_transaction_older_than_what_is_kept_has_ended)
{
    static char value[4000];
    size_t size = sizeof(value);
    struct pair pair;
    struct qtdb_txn *old;

    pair_init(&pair, QTDB_SERIALIZABLE);
    qtdb_rollback(pair.one);
    qtdb_rollback(pair.two);
    db_rig_close(&pair.rig);
    pair.rig.options.version_limit = 50000;
    db_rig_open(&pair.rig);
    pair.tree = db_tree(pair.rig.db, "t");
    old = db_begin(pair.rig.db);
    cr_assert_str_eq(db_get(old, pair.tree, "y"), "0");
    DB(db_put(old, pair.tree, "w", "1"));
    for (int i = 0; i < 30; i++) {
        struct qtdb_txn *txn = db_begin(pair.rig.db);

        char key[8] = "x";

        /* Rows of their own, or all but one state of the same row could go. */
        if (i > 0)
            snprintf(key, sizeof(key), "r%d", i);
        DB(qtdb_put(txn, pair.tree, key, strlen(key), value, sizeof(value), QTDB_PUT_ANY));
        DB(qtdb_commit(txn));
    }
    cr_assert_leq(pair.rig.db->merged_size, 50000);
    DB_REFUSED(qtdb_get(old, pair.tree, "x", 1, value, &size), QTDB_CONFLICT);
    cr_assert_not_null(strstr(qtdb_error_last()->message, "version_limit"));
    DB_REFUSED(qtdb_commit(old), QTDB_CONFLICT);
    cr_assert_str_eq(db_look(pair.rig.db, pair.tree, "w"), "(none)");
    db_rig_deinit(&pair.rig);
}
