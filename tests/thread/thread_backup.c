/*
 * Goal: backups made while several threads write are each the database of one moment, large values are read
 * whole while they are replaced, the file shrinks and the pool
 * changes its size beside all of it, and no data race shows under the thread
 * sanitizer.
 * Method: threads that transfer between accounts, threads that replace large values whose bytes tell
 * whether they belong together, a thread that reads them as streams, and the main thread that makes
 * backups and compactions, opens each and adds it up.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/check.h"
#include "kernel/base/random.h"
#include "tests/support/db_rig.h"

enum {
    ACCOUNTS = 64,
    FUNDS = 1000,
    WRITERS = 2,
    VALUES = 3,
    VALUE_SIZE = 120000,
    COPIES = 6,
    ROUNDS_MIN = 60,
};

static struct db_rig rig;
static struct qtdb_tree *accounts;
static struct qtdb_tree *values;
static _Atomic bool stopping;
static _Atomic uint32_t transfer_count, value_count, read_count;

static bool
ends(struct qtdb_txn *txn, enum qtdb_code code)
{
    CHECK(code == QTDB_OK || code == QTDB_CONFLICT);
    if (code != QTDB_OK)
        qtdb_rollback(txn);
    return code != QTDB_OK;
}

static void
transfer(struct random *random)
{
    uint8_t keys[2] = {(uint8_t)random_below(random, ACCOUNTS),
                       (uint8_t)random_below(random, ACCOUNTS)};
    struct qtdb_txn *txn = db_begin(rig.db);

    for (int i = 0; i < 2; i++) {
        int64_t funds;
        size_t size = sizeof(funds);

        if (ends(txn, qtdb_get(txn, accounts, &keys[i], 1, &funds, &size)))
            return;
        funds += i == 0 ? -5 : 5;
        if (ends(txn,
                 qtdb_put(txn, accounts, &keys[i], 1, &funds, sizeof(funds), QTDB_PUT_REPLACE)))
            return;
    }
    transfer_count += qtdb_commit(txn) == QTDB_OK;
}

static uint8_t
byte_at(uint8_t seed, size_t index)
{
    return (uint8_t)(seed + index * 7 + index / 251);
}

static void
replace(struct random *random, uint8_t *bytes)
{
    uint8_t key = (uint8_t)random_below(random, VALUES);
    uint8_t seed = (uint8_t)random_below(random, 256);
    struct qtdb_txn *txn = db_begin(rig.db);

    for (size_t i = 0; i < VALUE_SIZE; i++)
        bytes[i] = byte_at(seed, i);
    if (ends(txn, qtdb_put(txn, values, &key, 1, bytes, VALUE_SIZE, QTDB_PUT_ANY)))
        return;
    if (random_chance(random, 1, 5))
        qtdb_rollback(txn);
    else
        value_count += qtdb_commit(txn) == QTDB_OK;
}

static void
read_stream(struct random *random, uint8_t *bytes)
{
    uint8_t key = (uint8_t)random_below(random, VALUES);
    struct qtdb_txn *txn = db_begin_read(rig.db);
    struct qtdb_value_reader *reader;
    uint8_t seed;
    size_t part;

    DB(qtdb_value_open(txn, values, &key, 1, &reader));
    CHECK(qtdb_value_size(reader) == VALUE_SIZE);
    for (size_t at = 0; at < VALUE_SIZE; at += part) {
        DB(qtdb_value_read(reader, at, bytes, 9999, &part));
        if (at == 0)
            seed = bytes[0];
        for (size_t i = 0; i < part; i++)
            CHECK(bytes[i] == byte_at(seed, at + i));
    }
    qtdb_value_close(reader);
    qtdb_rollback(txn);
    read_count++;
}

static void *
work(void *argument)
{
    uintptr_t number = (uintptr_t)argument;
    uint8_t *bytes = malloc(VALUE_SIZE);
    struct random random;

    CHECK(bytes != NULL);
    random_init(&random, number + 1);
    for (int i = 0; i < ROUNDS_MIN || !atomic_load(&stopping); i++) {
        if (number < WRITERS)
            transfer(&random);
        else if (number == WRITERS)
            replace(&random, bytes);
        else
            read_stream(&random, bytes);
    }
    free(bytes);
    return NULL;
}

static void
expect_copy(const char *path)
{
    struct qtdb_options options = {
        .size = sizeof(options), .no_threads = true, .pool_size = 256 * 4096};
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;
    int64_t sum = 0;
    struct qtdb *db;

    CHECK(database_open_env(&rig.env, path, &options, &db) == STATUS_OK);
    db_check(db);
    txn = db_begin_read(db);
    DB(qtdb_tree_open(txn, "accounts", NULL, &tree));
    for (uint8_t key = 0; key < ACCOUNTS; key++) {
        int64_t funds;
        size_t size = sizeof(funds);

        DB(qtdb_get(txn, tree, &key, 1, &funds, &size));
        sum += funds;
    }
    CHECK(sum == (int64_t)ACCOUNTS * FUNDS);
    qtdb_rollback(txn);
    DB(qtdb_close(db));
}

static void
load(void)
{
    static uint8_t bytes[VALUE_SIZE];
    struct qtdb_txn *txn;

    for (size_t i = 0; i < VALUE_SIZE; i++)
        bytes[i] = byte_at(0, i);
    accounts = db_tree(rig.db, "accounts");
    values = db_tree(rig.db, "values");
    txn = db_begin(rig.db);
    for (uint8_t key = 0; key < ACCOUNTS; key++) {
        int64_t funds = FUNDS;

        DB(qtdb_put(txn, accounts, &key, 1, &funds, sizeof(funds), QTDB_PUT_INSERT));
    }
    for (uint8_t key = 0; key < VALUES; key++)
        DB(qtdb_put(txn, values, &key, 1, bytes, VALUE_SIZE, QTDB_PUT_INSERT));
    DB(qtdb_commit(txn));
}

int
main(void)
{
    pthread_t threads[WRITERS + 2];

    db_rig_init(&rig, 1);
    db_rig_close(&rig);
    rig.options.no_threads = false;
    rig.options.pool_size = 256 * 4096;
    rig.options.pool_size_max = 512 * 4096;
    db_rig_open(&rig);
    load();
    for (uintptr_t i = 0; i < WRITERS + 2; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    for (int i = 0; i < COPIES; i++) {
        char path[32];

        (void)snprintf(path, sizeof(path), "/copy-%d.qtdb", i);
        if (i % 3 == 2)
            DB(qtdb_compact(rig.db, path, NULL));
        else
            DB(qtdb_backup(rig.db, path, NULL));
        expect_copy(path);
        if (i % 3 == 0)
            DB(qtdb_shrink(rig.db));
        DB(qtdb_set_pool_size(rig.db, (i % 2 == 0 ? 160 : 512) * 4096));
    }
    atomic_store(&stopping, true);
    for (int i = 0; i < WRITERS + 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(transfer_count > 0 && value_count > 0 && read_count > 0);
    printf("%u transfers, %u values, %u streams\n", transfer_count, value_count, read_count);
    db_check(rig.db);
    db_rig_deinit(&rig);
    return 0;
}
