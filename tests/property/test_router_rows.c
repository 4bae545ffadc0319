/*
 * Goal: whatever the keys, a tree with a router gives the rows that are there and no others, while rows
 * come and go, leaves split and merge, and routers are made anew and replaced by other kinds.
 * Method: hostile and real key sets, as integers and (where eight bytes say little) as text; random puts
 * and deletes in random order, in ascending and in descending order, against a model; after every
 * commit a sample of gets and seeks of keys and their neighbours, at the end every key. Routers are
 * changed in turn; with and without being made anew after each commit. Then the file is closed and opened, and killed and opened. The seed is printed.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/random.h"
#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"
#include "tests/support/leaf_sets.h"

enum { SEED = 20261122, KEYS_MAX = 24000, A_COMMIT = 600, SAMPLE = 150 };

struct model {
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct random random;
    const char *name;
    bool text;
    bool lagging; /* Nobody makes routers anew meanwhile. */
    uint32_t count;
    uint64_t keys[KEYS_MAX];  /* Ascending. */
    uint32_t value[KEYS_MAX]; /* 0: absent. */
    uint32_t next_value;
};

static struct model model;

static size_t
make_key(uint64_t number, uint8_t *out)
{
    if (model.text)
        return (size_t)snprintf((char *)out, 32, "%020llu", (unsigned long long)number);
    qtdb_key_u64(number, out);
    return 8;
}

static void
open_tree(enum qtdb_router router)
{
    struct qtdb_tree_options options = {
        .size = sizeof(options),
        .create = router != QTDB_ROUTER_STORED,
        .key_kind = model.text ? QTDB_KEY_BYTES : QTDB_KEY_INT,
        .router = router,
    };
    struct qtdb_txn *txn = db_begin(model.rig.db);

    DB(qtdb_tree_open(txn, "t", &options, &model.tree));
    DB(qtdb_commit(txn));
}

/* The place of the first key not below `number`. */
static uint32_t
place_of(uint64_t number)
{
    uint32_t low = 0;
    uint32_t high = model.count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (model.keys[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void
check_get(struct qtdb_txn *txn, uint64_t number)
{
    uint32_t place = place_of(number);
    bool there = place < model.count && model.keys[place] == number && model.value[place] != 0;
    uint8_t key[32];
    size_t key_size = make_key(number, key);
    uint32_t value = 0;
    size_t size = sizeof(value);
    enum qtdb_code code = qtdb_get(txn, model.tree, key, key_size, &value, &size);

    cr_assert_eq(code, there ? QTDB_OK : QTDB_NOT_FOUND, "%s: key %llu", model.name,
                 (unsigned long long)number);
    cr_assert(!there || value == model.value[place]);
}

static void
check_seek(struct qtdb_cursor *cursor, uint64_t number)
{
    uint32_t place = place_of(number);
    uint8_t key[32];
    enum qtdb_code code = qtdb_cursor_seek(cursor, key, make_key(number, key));
    const void *found;
    const void *value;
    size_t found_size, value_size;

    while (place < model.count && model.value[place] == 0)
        place++;
    cr_assert_eq(code, place < model.count ? QTDB_OK : QTDB_NOT_FOUND, "%s: seek %llu", model.name,
                 (unsigned long long)number);
    if (code != QTDB_OK)
        return;
    qtdb_cursor_row(cursor, &found, &found_size, &value, &value_size);
    cr_assert_eq(memcmp(value, &model.value[place], 4), 0, "%s: seek %llu", model.name,
                 (unsigned long long)number);
}

static void
check_sample(uint32_t count)
{
    struct qtdb_txn *txn = db_begin_read(model.rig.db);
    struct qtdb_cursor *cursor;

    DB(qtdb_cursor_open(txn, model.tree, &cursor));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = (uint32_t)random_below(&model.random, model.count);

        check_get(txn, model.keys[place]);
        check_get(txn, model.keys[place] + 1);
        check_get(txn, random_u64(&model.random));
        check_seek(cursor, model.keys[place] - 1);
    }
    check_get(txn, 0);
    check_get(txn, UINT64_MAX);
    qtdb_cursor_close(cursor);
    qtdb_rollback(txn);
}

static void
check_everything(void)
{
    struct qtdb_txn *txn = db_begin_read(model.rig.db);

    for (uint32_t i = 0; i < model.count; i++) {
        check_get(txn, model.keys[i]);
        check_get(txn, model.keys[i] + 1);
    }
    qtdb_rollback(txn);
}

static void
change(struct qtdb_txn *txn, uint32_t place, bool put)
{
    uint8_t key[32];
    size_t key_size = make_key(model.keys[place], key);

    if (put) {
        model.value[place] = ++model.next_value;
        DB(qtdb_put(txn, model.tree, key, key_size, &model.value[place], 4, QTDB_PUT_ANY));
    } else if (model.value[place] != 0) {
        model.value[place] = 0;
        DB(qtdb_delete(txn, model.tree, key, key_size));
    }
}

enum order { ANY, UP, DOWN };

/* `count` changes, of which `puts` in 100 are puts, of places from `first` on in that order. */
static void
change_many(uint32_t count, uint32_t puts, enum order order, uint32_t first)
{
    for (uint32_t done = 0; done < count;) {
        struct qtdb_txn *txn = db_begin(model.rig.db);

        for (uint32_t i = 0; i < A_COMMIT && done < count; i++, done++) {
            uint32_t place = order == ANY  ? (uint32_t)random_below(&model.random, model.count)
                             : order == UP ? first + done
                                           : first - done;

            change(txn, place % model.count, random_below(&model.random, 100) < puts);
        }
        if (model.lagging)
            latch_lock(&model.rig.db->work_latch);
        DB(qtdb_commit(txn));
        if (model.lagging)
            latch_unlock(&model.rig.db->work_latch);
        check_sample(SAMPLE);
    }
}

static void
begin(const char *name, const uint64_t *keys, size_t count, bool text)
{
    size_t stride = (count + KEYS_MAX - 1) / KEYS_MAX;

    model.name = name;
    model.text = text;
    model.lagging = false;
    model.count = 0;
    model.next_value = 0;
    memset(model.value, 0, sizeof(model.value));
    for (size_t i = 0; i < count && model.count < KEYS_MAX; i += stride)
        if (model.count == 0 || keys[i] > model.keys[model.count - 1])
            model.keys[model.count++] = keys[i];
    random_init(&model.random, SEED);
    db_rig_init(&model.rig, SEED);
    db_rig_close(&model.rig);
    model.rig.options.pool_size = 2048 * 4096;
    model.rig.options.log_limit = 8 << 20;
    db_rig_open(&model.rig);
    open_tree(QTDB_ROUTER_AUTO);
}

static struct qtdb_tree_statistics
statistics(void)
{
    struct qtdb_tree_statistics now = {.size = sizeof(now)};

    qtdb_tree_get_statistics(model.tree, &now);
    return now;
}

/* covers: R1, R3, R4 */
static void
run(const char *name, const uint64_t *keys, size_t count, bool text)
{
    uint32_t third;

    begin(name, keys, count, text);
    third = model.count / 3;
    /* The middle goes in at random, then the ends in the orders that hurt. */
    for (uint32_t i = 0; i < third; i += A_COMMIT)
        change_many(A_COMMIT < third - i ? A_COMMIT : third - i, 100, UP, third + i);
    change_many(third, 100, DOWN, third - 1);
    change_many(model.count - 2 * third, 100, UP, 2 * third);
    for (enum qtdb_router router = QTDB_ROUTER_TREE; router <= QTDB_ROUTER_STORED; router++) {
        open_tree(router);
        model.lagging = false;
        change_many(A_COMMIT, router % 2 == 0 ? 20 : 80, ANY, 0);
        model.lagging = true;
        change_many(2 * A_COMMIT, router % 2 == 0 ? 20 : 80, ANY, 0);
        check_everything();
    }
    model.lagging = false;
    check_everything();
    cr_assert(statistics().routed_count > 0 || model.count < KEYS_MAX / 2, "%s: not routed", name);
    db_rig_close(&model.rig);
    db_rig_open(&model.rig);
    open_tree(QTDB_ROUTER_STORED);
    cr_assert_eq(statistics().refused_count, 0);
    check_everything();
    change_many(A_COMMIT, 50, ANY, 0);
    db_rig_kill(&model.rig);
    db_rig_open(&model.rig);
    open_tree(QTDB_ROUTER_STORED);
    check_everything();
    change_many(A_COMMIT, 0, ANY, 0);
    db_check(model.rig.db);
    db_rig_deinit(&model.rig);
}

Test(router_rows, hostile_keys, .timeout = 300)
{
    static uint64_t keys[KEYS_MAX];

    printf("seed %d\n", SEED);
    for (int set = 0; set < LEAF_SET_COUNT; set++) {
        leaf_set_fill((enum leaf_set)set, SEED, KEYS_MAX, keys);
        run(leaf_set_name((enum leaf_set)set), keys, KEYS_MAX, false);
    }
}

Test(router_rows, text_whose_beginnings_say_little, .timeout = 300)
{
    static const enum leaf_set sets[] = {LEAF_SET_DENSE, LEAF_SET_UNIFORM, LEAF_SET_SQUARES};
    static uint64_t keys[KEYS_MAX];

    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        leaf_set_fill(sets[i], SEED, KEYS_MAX, keys);
        run(leaf_set_name(sets[i]), keys, KEYS_MAX, true);
    }
}

Test(router_rows, real_keys, .timeout = 300)
{
    static const char *const names[] = {"geowhois_v4", "cities_morton", "osm_seas10m_morton"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct memory *memory = memory_new();
        size_t count;
        uint64_t *keys = leaf_set_load(names[i], memory, &count);

        memory_delete(memory);
        if (keys == NULL) {
            printf("%s is not there: skipped\n", names[i]);
            continue;
        }
        run(names[i], keys, count, false);
        free(keys);
    }
}
