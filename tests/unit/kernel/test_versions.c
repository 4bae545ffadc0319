/*
 * Goal: the version store answers as of any running snapshot, in gets and in scans both ways, however
 * many commits lie between; it keeps what it must, gives back the rest, and refuses cleanly when
 * memory ends.
 * Method: a reader is opened after each of some random commits; each reader holds a copy of the model
 * and compares all rows with it again and again while others come and go.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/random.h"
#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum { KEYS = 300, READERS = 12, VALUE_MAX = 3000 };

struct reader {
    struct qtdb_txn *txn;
    uint32_t model[KEYS];
};

struct world {
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct random random;
    uint32_t model[KEYS]; /* Number of the value; 0: absent. */
    uint32_t next_number;
    struct reader readers[READERS];
};

static size_t
key_of(uint32_t number, char *out)
{
    return (size_t)snprintf(out, 16, "key%05u", number);
}

/* The value's bytes follow from its number; some are large. */
static size_t
value_of(uint32_t number, uint8_t *out)
{
    size_t size = 4 + random_mix(number) % (number % 7 == 0 ? VALUE_MAX - 4 : 200);

    memset(out, (int)(number & 0xff), size);
    memcpy(out, &number, 4);
    return size;
}

static void
write_some(struct world *world, uint32_t count, bool async)
{
    struct qtdb_txn_options options = {.size = sizeof(options),
                                       .durability = async ? QTDB_ASYNC : QTDB_SYNC};
    struct qtdb_txn *txn;
    uint8_t value[VALUE_MAX];
    char key[16];

    DB(qtdb_begin(world->rig.db, &options, &txn));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = (uint32_t)random_below(&world->random, KEYS);

        if (world->model[number] != 0 && random_chance(&world->random, 1, 2)) {
            DB(qtdb_delete(txn, world->tree, key, key_of(number, key)));
            world->model[number] = 0;
            continue;
        }
        world->model[number] = ++world->next_number;
        size_t size = value_of(world->model[number], value);

        DB(qtdb_put(txn, world->tree, key, key_of(number, key), value, size, QTDB_PUT_ANY));
    }
    DB(qtdb_commit(txn));
}

static void
compare_row(const struct reader *reader, uint32_t number, const void *bytes, size_t size)
{
    uint8_t value[VALUE_MAX];

    cr_assert_neq(reader->model[number], 0, "key %u should not be there", number);
    cr_assert_eq(size, value_of(reader->model[number], value));
    cr_assert_arr_eq(bytes, value, size);
}

static void
compare_gets(struct world *world, const struct reader *reader)
{
    for (uint32_t number = 0; number < KEYS; number++) {
        uint8_t bytes[VALUE_MAX];
        size_t size = sizeof(bytes);
        char key[16];
        enum qtdb_code code =
            qtdb_get(reader->txn, world->tree, key, key_of(number, key), bytes, &size);

        if (reader->model[number] == 0) {
            cr_assert_eq(code, QTDB_NOT_FOUND, "key %u", number);
            continue;
        }
        DB(code);
        compare_row(reader, number, bytes, size);
        size = 3;
        if (reader->model[number] % 5 == 0)
            cr_assert_eq(qtdb_get(reader->txn, world->tree, key, key_of(number, key), bytes, &size),
                         QTDB_FULL);
    }
}

/* A scan of everything; now and then it turns round, and now and then others commit in between. */
static void
compare_scan(struct world *world, const struct reader *reader, bool backward, bool disturb)
{
    int at = backward ? KEYS : -1;
    struct qtdb_cursor *cursor;
    enum qtdb_code code;

    DB(qtdb_cursor_open(reader->txn, world->tree, &cursor));
    code = backward ? qtdb_cursor_seek_last(cursor, NULL, 0) : qtdb_cursor_seek(cursor, NULL, 0);
    for (;;) {
        const void *key, *bytes;
        size_t key_size, size;
        char digits[8] = "";

        do
            at += backward ? -1 : 1;
        while (at >= 0 && at < KEYS && reader->model[at] == 0);
        if (at < 0 || at == KEYS)
            break;
        DB(code);
        qtdb_cursor_row(cursor, &key, &key_size, &bytes, &size);
        memcpy(digits, (const char *)key + 3, 5);
        cr_assert_eq(strtol(digits, NULL, 10), at, "found %s instead of %d", digits, at);
        compare_row(reader, (uint32_t)at, bytes, size);
        if (disturb && random_chance(&world->random, 1, 20))
            write_some(world, 3, true);
        if (random_chance(&world->random, 1, 100))
            backward = !backward;
        code = backward ? qtdb_cursor_previous(cursor) : qtdb_cursor_next(cursor);
    }
    cr_assert_eq(code, QTDB_NOT_FOUND);
    qtdb_cursor_close(cursor);
}

/* covers: T1 */
Test(versions, every_snapshot_is_answered_while_others_commit)
{
    struct world *world = calloc(1, sizeof(*world));

    random_init(&world->random, 1);
    db_rig_init(&world->rig, 1);
    world->tree = db_tree(world->rig.db, "t");
    write_some(world, KEYS, false);
    for (uint32_t turn = 0; turn < 400; turn++) {
        struct reader *reader = &world->readers[random_below(&world->random, READERS)];

        write_some(world, turn % 50 == 0 ? 300 : 10, turn % 3 == 0);
        if (reader->txn == NULL) {
            reader->txn = db_begin_read(world->rig.db);
            memcpy(reader->model, world->model, sizeof(reader->model));
        } else if (turn % 4 == 0) {
            DB(qtdb_commit(reader->txn));
            reader->txn = NULL;
        } else if (turn % 4 == 1) {
            compare_gets(world, reader);
        } else {
            compare_scan(world, reader, turn % 4 == 2, random_chance(&world->random, 1, 2));
        }
    }
    cr_assert_gt(world->tree->versions.count, 0);
    for (uint32_t i = 0; i < READERS; i++)
        qtdb_rollback(world->readers[i].txn);
    cr_assert_eq(world->tree->versions.count, 0);
    cr_assert_null(world->rig.db->merged);
    cr_assert_eq(memory_used(world->rig.memory, MEMORY_WRITE_SET), 0);
    db_check(world->rig.db);
    db_rig_deinit(&world->rig);
    free(world);
}

/* covers: T1 */
Test(versions, many_newer_keys_do_not_hide_what_lies_behind_them)
{
    struct qtdb_cursor *cursor;
    struct qtdb_txn *oldest;
    struct qtdb_txn *middle;
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    char key[16];

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "last", "1"));
    DB(qtdb_commit(txn));
    oldest = db_begin_read(rig.db);
    for (uint32_t i = 0; i < 500; i++) {
        txn = db_begin(rig.db);
        DB(qtdb_put(txn, tree, key, key_of(i, key), "2", 1, QTDB_PUT_ANY));
        DB(qtdb_commit(txn));
    }
    txn = db_begin(rig.db);
    for (uint32_t i = 0; i < 500; i++)
        DB(qtdb_delete(txn, tree, key, key_of(i, key)));
    DB(qtdb_commit(txn));
    /* 500 entries that are only of use to the oldest lie before what this one has to find. */
    middle = db_begin_read(rig.db);
    txn = db_begin(rig.db);
    DB(db_delete(txn, tree, "last"));
    DB(qtdb_commit(txn));
    struct qtdb_txn *both[] = {middle, oldest};

    for (int i = 0; i < 2; i++) {
        const void *found, *value;
        size_t size, value_size;

        DB(qtdb_cursor_open(both[i], tree, &cursor));
        DB(qtdb_cursor_seek(cursor, NULL, 0));
        qtdb_cursor_row(cursor, &found, &size, &value, &value_size);
        cr_assert_eq(size, 4);
        cr_assert_arr_eq(found, "last", 4);
        cr_assert_eq(qtdb_cursor_next(cursor), QTDB_NOT_FOUND);
        qtdb_cursor_close(cursor);
        qtdb_rollback(both[i]);
    }
    cr_assert_null(rig.db->merged);
    db_rig_deinit(&rig);
}

/* covers: T1 */
Test(versions, a_read_only_transaction_sees_what_is_durable_or_asynchronous)
{
    struct qtdb_txn_options async = {.size = sizeof(async), .durability = QTDB_ASYNC};
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    DB(qtdb_begin(rig.db, &async, &txn));
    DB(db_put(txn, tree, "a", "1"));
    DB(qtdb_commit(txn));
    cr_assert_lt(pager_csn_durable(rig.db->pager), pager_csn(rig.db->pager));
    txn = db_begin_read(rig.db);
    cr_assert_str_eq(db_get(txn, tree, "a"), "1");
    DB(qtdb_commit(txn));
    cr_assert_eq(pager_csn_durable(rig.db->pager), pager_csn(rig.db->pager));
    db_rig_deinit(&rig);
}

/* Reads of an old snapshot with each allocation failing once. */
static enum qtdb_code
read_old(struct db_rig *rig, struct qtdb_txn *txn, struct qtdb_tree *tree)
{
    struct qtdb_cursor *cursor = NULL;
    enum qtdb_code code = qtdb_cursor_open(txn, tree, &cursor);

    (void)rig;
    if (code == QTDB_OK)
        code = qtdb_cursor_seek(cursor, "a", 1);
    if (code == QTDB_OK)
        code = qtdb_cursor_next(cursor);
    if (code == QTDB_OK)
        cr_assert_eq(qtdb_cursor_next(cursor), QTDB_NOT_FOUND);
    qtdb_cursor_close(cursor);
    return code;
}

Test(versions, every_allocation_that_fails_in_a_scan_is_a_clean_refusal)
{
    static char large[5000];
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    struct qtdb_txn *old;
    uint32_t failures = 0;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    DB(qtdb_put(txn, tree, "a", 1, large, sizeof(large), QTDB_PUT_ANY));
    DB(qtdb_put(txn, tree, "b", 1, large, 700, QTDB_PUT_ANY));
    DB(qtdb_commit(txn));
    old = db_begin_read(rig.db);
    txn = db_begin(rig.db);
    DB(db_delete(txn, tree, "a"));
    DB(db_put(txn, tree, "b", "new"));
    DB(db_put(txn, tree, "c", "new"));
    DB(qtdb_commit(txn));
    for (uint64_t index = 0;; index++) {
        memory_fail_at(rig.memory, index, false);
        enum qtdb_code code = read_old(&rig, old, tree);
        bool failed = memory_failed(rig.memory);

        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert_eq(code, failed ? QTDB_NO_MEMORY : QTDB_OK);
        if (!failed)
            break;
        failures++;
    }
    cr_assert_geq(failures, 3);
    qtdb_rollback(old);
    db_rig_deinit(&rig);
}

/* covers: T1, T2 */
Test(versions, rows_changed_often_beside_an_old_snapshot_take_little_memory)
{
    enum { HOT = 20, ROUNDS = 3000 };
    struct reader *readers[3];
    struct world *world = calloc(1, sizeof(*world));
    size_t most = 0;
    uint8_t value[VALUE_MAX];
    char key[16];

    random_init(&world->random, 1);
    db_rig_init(&world->rig, 1);
    db_rig_close(&world->rig);
    world->rig.options.version_limit = 2 << 20;
    db_rig_open(&world->rig);
    world->tree = db_tree(world->rig.db, "t");
    write_some(world, KEYS, false);
    for (uint32_t i = 0; i < 3; i++)
        readers[i] = &world->readers[i];
    for (uint32_t round = 0; round < ROUNDS; round++) {
        if (round % 1000 == 100) {
            struct reader *reader = readers[round / 1000];

            reader->txn = db_begin_read(world->rig.db);
            memcpy(reader->model, world->model, sizeof(reader->model));
        }
        uint32_t number = (uint32_t)random_below(&world->random, HOT);
        struct qtdb_txn *txn = db_begin(world->rig.db);

        world->model[number] = ++world->next_number;
        DB(qtdb_put(txn, world->tree, key, key_of(number, key), value,
                    value_of(world->next_number, value), QTDB_PUT_ANY));
        DB(qtdb_commit(txn));
        if (world->rig.db->merged_size > most)
            most = world->rig.db->merged_size;
    }
    /* Each commit keeps a block of 4 KB; all of them would be six times the limit. */
    cr_assert_leq(most, world->rig.db->version_limit);
    cr_assert_eq(world->rig.db->version_floor, 0, "a snapshot was ended without need");
    for (uint32_t i = 0; i < 3; i++) {
        compare_gets(world, readers[i]);
        compare_scan(world, readers[i], i % 2 == 0, false);
        qtdb_rollback(readers[i]->txn);
    }
    cr_assert_null(world->rig.db->merged);
    cr_assert_eq(world->tree->versions.count, 0);
    db_rig_deinit(&world->rig);
    free(world);
}

/* covers: T3 */
Test(versions, a_sweep_does_not_make_an_old_writer_believe_that_nothing_changed)
{
    static char large[1000];
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *old, *txn;

    db_rig_init(&rig, 1);
    db_rig_close(&rig);
    rig.options.version_limit = 1 << 20;
    db_rig_open(&rig);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "x", "0"));
    DB(qtdb_commit(txn));
    old = db_begin(rig.db);
    cr_assert_str_eq(db_get(old, tree, "x"), "0");
    for (int i = 0; i < 1000; i++) {
        txn = db_begin(rig.db);
        DB(qtdb_put(txn, tree, "x", 1, large, sizeof(large), QTDB_PUT_ANY));
        large[0]++;
        DB(qtdb_commit(txn));
    }
    cr_assert_eq(rig.db->version_floor, 0);
    cr_assert_str_eq(db_get(old, tree, "x"), "0");
    DB(db_put(old, tree, "y", "1"));
    DB_REFUSED(qtdb_commit(old), QTDB_CONFLICT);
    db_rig_deinit(&rig);
}
