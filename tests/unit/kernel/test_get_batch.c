/*
 * Goal: a batch says of each key what qtdb_get says of it in the same transaction: own writes, the
 * snapshot, absence, too little room, large values; it is relied on like single reads; and a call that
 * is refused has looked nothing up.
 * Method: random batches in transactions of every age over both kinds of keys while others commit, each
 * answer compared with that of qtdb_get; one call for each sentence of the header; no memory at every
 * allocation.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "kernel/base/random.h"
#include "kernel/database.h"
#include "tests/support/db_rig.h"

enum { KEYS = 800, READERS = 4, BATCH_MAX = 120, LARGE_SIZE = 5000 };

struct batch {
    struct qtdb_lookup lookups[BATCH_MAX];
    uint8_t keys[BATCH_MAX][8];
    uint8_t values[BATCH_MAX][LARGE_SIZE];
};

struct world {
    struct db_rig rig;
    struct random random;
    struct qtdb_tree *tree;
    struct qtdb_txn *readers[READERS];
    struct batch *batch;
};

static struct qtdb_tree *
make_tree(struct db_rig *rig, enum qtdb_key_kind kind)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true, .key_kind = kind};
    struct qtdb_txn *txn = db_begin(rig->db);
    struct qtdb_tree *tree;

    DB(qtdb_tree_open(txn, "t", &options, &tree));
    DB(qtdb_commit(txn));
    return tree;
}

static void
write_some(struct world *world, struct qtdb_txn *txn, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t value[LARGE_SIZE];
        uint8_t key[8];
        size_t size =
            random_chance(&world->random, 1, 60) ? LARGE_SIZE : random_below(&world->random, 40);

        qtdb_key_u64(random_below(&world->random, KEYS), key);
        random_bytes(&world->random, value, size);
        if (random_chance(&world->random, 1, 4)) {
            enum qtdb_code code = qtdb_delete(txn, world->tree, key, 8);

            cr_assert(code == QTDB_OK || code == QTDB_NOT_FOUND);
        } else {
            DB(qtdb_put(txn, world->tree, key, 8, value, size, QTDB_PUT_ANY));
        }
    }
}

static void
draw(struct world *world, size_t count)
{
    struct batch *batch = world->batch;

    for (size_t i = 0; i < count; i++) {
        qtdb_key_u64(random_below(&world->random, KEYS + 50), batch->keys[i]);
        batch->lookups[i] = (struct qtdb_lookup){
            .key = batch->keys[i],
            .key_size = 8,
            .value = batch->values[i],
            .value_size = random_chance(&world->random, 1, 8) ? 10 : LARGE_SIZE,
            .code = QTDB_FAILED,
        };
    }
}

/* covers: T1 */
static void
compare(struct world *world, struct qtdb_txn *txn)
{
    static uint8_t value[LARGE_SIZE];
    size_t count = random_below(&world->random, BATCH_MAX + 1);
    size_t rooms[BATCH_MAX];

    draw(world, count);
    for (size_t i = 0; i < count; i++)
        rooms[i] = world->batch->lookups[i].value_size;
    DB(qtdb_get_batch(txn, world->tree, world->batch->lookups, count));
    for (size_t i = 0; i < count; i++) {
        const struct qtdb_lookup *lookup = &world->batch->lookups[i];
        size_t size = rooms[i];
        enum qtdb_code code = qtdb_get(txn, world->tree, lookup->key, 8, value, &size);

        cr_assert_eq(lookup->code, code, "%zu of %zu: %s, not %s", i, count,
                     qtdb_code_name(lookup->code), qtdb_code_name(code));
        cr_assert_eq(lookup->value_size, size);
        if (code == QTDB_OK)
            cr_assert(size == 0 || memcmp(lookup->value, value, size) == 0);
    }
}

static void
world_init(struct world *world, enum qtdb_key_kind kind, uint64_t seed)
{
    *world = (struct world){.batch = calloc(1, sizeof(struct batch))};
    random_init(&world->random, seed);
    db_rig_init(&world->rig, seed);
    world->tree = make_tree(&world->rig, kind);
}

static void
world_deinit(struct world *world)
{
    for (uint32_t i = 0; i < READERS; i++)
        qtdb_rollback(world->readers[i]);
    db_rig_deinit(&world->rig);
    free(world->batch);
}

static void
run_world(enum qtdb_key_kind kind, uint64_t seed)
{
    struct world world;

    world_init(&world, kind, seed);
    for (uint32_t round = 0; round < 60; round++) {
        struct qtdb_txn *txn = db_begin(world.rig.db);

        if (round % 3 == 0)
            compare(&world, txn);
        write_some(&world, txn, 20);
        compare(&world, txn);
        DB(qtdb_commit(txn));
        uint32_t which = (uint32_t)random_below(&world.random, READERS);

        if (world.readers[which] != NULL)
            DB(qtdb_commit(world.readers[which]));
        world.readers[which] = round % 2 == 0 ? db_begin_read(world.rig.db)
                                              : db_begin_as(world.rig.db, QTDB_REPEATABLE_READ);
        for (uint32_t i = 0; i < READERS; i++)
            if (world.readers[i] != NULL)
                compare(&world, world.readers[i]);
    }
    world_deinit(&world);
}

Test(get_batch, each_answer_is_that_of_a_single_get)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        run_world(QTDB_KEY_INT, seed);
        run_world(QTDB_KEY_BYTES, seed);
    }
}

/* covers: T3 */
Test(get_batch, what_it_read_is_relied_on)
{
    for (uint32_t i = 0; i < 4; i++) {
        bool read = i < 2;
        const char *changed = i == 0 ? "a" : i == 1 ? "absent" : i == 2 ? "b" : "other";
        struct qtdb_lookup lookups[2] = {{.key = "a", .key_size = 1},
                                         {.key = "absent", .key_size = 6}};
        struct db_rig rig;

        db_rig_init(&rig, 1);
        struct qtdb_tree *tree = db_tree(rig.db, "t");
        struct qtdb_txn *txn = db_begin(rig.db);

        DB(db_put(txn, tree, "a", "1"));
        DB(db_put(txn, tree, "b", "1"));
        DB(qtdb_commit(txn));
        txn = db_begin(rig.db);
        struct qtdb_txn *other = db_begin(rig.db);

        DB(qtdb_get_batch(txn, tree, lookups, 2));
        cr_assert(lookups[0].code == QTDB_FULL && lookups[0].value_size == 1);
        cr_assert_eq(lookups[1].code, QTDB_NOT_FOUND);
        DB(db_put(other, tree, changed, "2"));
        DB(qtdb_commit(other));
        DB(db_put(txn, tree, "z", "3"));
        cr_assert_eq(qtdb_commit(txn), read ? QTDB_CONFLICT : QTDB_OK, "%s", changed);
        db_rig_deinit(&rig);
    }
}

Test(get_batch, what_is_wrong_is_refused_before_anything_is_looked_up)
{
    struct world world;

    world_init(&world, QTDB_KEY_INT, 1);
    struct qtdb_txn *txn = db_begin(world.rig.db);
    struct qtdb_lookup *lookups = world.batch->lookups;

    write_some(&world, txn, 100);
    draw(&world, 40);
    lookups[39].key_size = 7;
    DB_REFUSED(qtdb_get_batch(txn, world.tree, lookups, 40), QTDB_INVALID);
    for (uint32_t i = 0; i < 40; i++)
        cr_assert_eq(lookups[i].code, QTDB_FAILED);
    lookups[39].key_size = 0;
    DB_REFUSED(qtdb_get_batch(txn, world.tree, lookups, 40), QTDB_INVALID);
    DB(qtdb_get_batch(txn, world.tree, lookups, 39));
    DB(qtdb_get_batch(txn, world.tree, lookups, 0));
    DB(qtdb_get_batch(txn, world.tree, NULL, 0));
    DB_REFUSED(qtdb_get_batch(txn, world.tree, NULL, 1), QTDB_INVALID);
    DB(qtdb_commit(txn));
    DB_REFUSED(qtdb_get_batch(txn, world.tree, lookups, 1), QTDB_INVALID);
    world_deinit(&world);
}

/* A tree that the transaction itself makes holds its own writes and nothing else. */
Test(get_batch, in_a_tree_just_made)
{
    struct qtdb_tree_options options = {.size = sizeof(options), .create = true};
    char value[8] = "";
    struct qtdb_lookup lookups[2] = {
        {.key = "a", .key_size = 1, .value = value, .value_size = 8},
        {.key = "b", .key_size = 1, .value = value + 4, .value_size = 4}};
    struct db_rig rig;
    struct qtdb_tree *tree;

    db_rig_init(&rig, 1);
    struct qtdb_txn *txn = db_begin(rig.db);

    DB(qtdb_tree_open(txn, "new", &options, &tree));
    DB(db_put(txn, tree, "b", "22"));
    DB(qtdb_get_batch(txn, tree, lookups, 2));
    cr_assert_eq(lookups[0].code, QTDB_NOT_FOUND);
    cr_assert(lookups[1].code == QTDB_OK && lookups[1].value_size == 2);
    cr_assert_eq(memcmp(value + 4, "22", 2), 0);
    DB(qtdb_commit(txn));
    db_rig_deinit(&rig);
}

Test(get_batch, no_memory_is_an_error_and_nothing_more)
{
    struct world world;
    enum qtdb_code code = QTDB_NO_MEMORY;

    world_init(&world, QTDB_KEY_INT, 3);
    struct qtdb_txn *txn = db_begin(world.rig.db);

    write_some(&world, txn, 200);
    DB(qtdb_commit(txn));
    for (uint64_t index = 0; code != QTDB_OK; index++) {
        cr_assert_lt(index, 100);
        txn = db_begin(world.rig.db);
        draw(&world, BATCH_MAX);
        memory_fail_at(world.rig.memory, index, false);
        code = qtdb_get_batch(txn, world.tree, world.batch->lookups, BATCH_MAX);
        memory_fail_at(world.rig.memory, UINT64_MAX, false);
        cr_assert(code == QTDB_OK || code == QTDB_NO_MEMORY);
        compare(&world, txn);
        DB(qtdb_commit(txn));
    }
    world_deinit(&world);
}

/* The leaves of keys that are only the start of others: absent once, then there for whoever goes to them. */
Test(get_batch, leaves_are_brought_in_beforehand)
{
    struct qtdb_lookup lookups[40];
    uint8_t keys[40][8], value[200] = {1};
    struct db_rig rig;
    uint32_t absent = 0;

    db_rig_init(&rig, 1);
    struct qtdb_tree *tree = make_tree(&rig, QTDB_KEY_BYTES);
    struct qtdb_txn *txn = db_begin(rig.db);
    for (uint64_t i = 0; i < 4000; i++) {
        uint8_t key[9] = {0};

        qtdb_key_u64(i / 4, key);
        key[8] = (uint8_t)(i % 4);
        DB(qtdb_put(txn, tree, key, sizeof(key), value, sizeof(value), QTDB_PUT_INSERT));
    }
    DB(qtdb_commit(txn));
    db_rig_close(&rig);
    db_rig_open(&rig);
    tree = db_tree(rig.db, "t");
    txn = db_begin_read(rig.db);
    for (uint64_t i = 0; i < 40; i++) {
        qtdb_key_u64(i * 25, keys[i]);
        lookups[i] = (struct qtdb_lookup){.key = keys[i], .key_size = 8, .code = QTDB_FAILED};
    }
    cr_assert_eq(database_fetch(txn, tree, lookups, 40, &absent), STATUS_OK);
    cr_assert_geq(absent, 20);
    uint64_t reads = io_sim_op_count(rig.io);
    cr_assert_eq(database_fetch(txn, tree, lookups, 40, &absent), STATUS_OK);
    cr_assert_eq(absent, 0);
    struct qtdb_cursor *cursor = NULL;
    DB(qtdb_cursor_open(txn, tree, &cursor));
    for (uint32_t i = 0; i < 40; i++)
        DB(qtdb_cursor_seek(cursor, keys[i], 8));
    cr_assert_eq(io_sim_op_count(rig.io), reads, "a leaf was read again");
    cr_assert(lookups[7].code == QTDB_FAILED && lookups[7].value_size == 0);
    qtdb_cursor_close(cursor);
    DB(qtdb_commit(txn));
    db_rig_deinit(&rig);
}
