/*
 * Goal: snapshots that stay open while a few rows are changed thousands of times see what they saw, by
 * gets and by scans, are never ended although the store is small, and leave nothing behind; no data
 * race between readers, committers and the sweep of the version store.
 * Method: writers change and delete 20 rows; readers note all rows, wait for some hundred commits, and
 * compare. The limit of the store is a fraction of what all versions would take.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "kernel/base/check.h"
#include "kernel/base/random.h"
#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum { KEYS = 20, WRITERS = 2, READERS = 2, COMMITS = 4000, STAY = 500 };

static struct db_rig rig;
static struct qtdb_tree *tree;
static _Atomic uint32_t writers_left;
static _Atomic uint32_t snapshot_count;

static void *
write_rows(void *argument)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .durability = QTDB_ASYNC};
    struct random random;

    random_init(&random, (uintptr_t)argument);
    for (uint32_t i = 0; i < COMMITS; i++) {
        uint8_t key = (uint8_t)random_below(&random, KEYS);
        uint64_t value = 1 + random_below(&random, UINT64_MAX - 1);
        struct qtdb_txn *txn;
        enum qtdb_code code;

        DB(qtdb_begin(rig.db, &options, &txn));
        if (random_chance(&random, 1, 4))
            code = qtdb_delete(txn, tree, &key, 1);
        else
            code = qtdb_put(txn, tree, &key, 1, &value, sizeof(value), QTDB_PUT_ANY);
        CHECK(code == QTDB_OK || code == QTDB_NOT_FOUND || code == QTDB_CONFLICT);
        if (code == QTDB_CONFLICT) {
            qtdb_rollback(txn);
            continue;
        }
        code = qtdb_commit(txn);
        CHECK(code == QTDB_OK || code == QTDB_CONFLICT);
    }
    atomic_fetch_sub(&writers_left, 1);
    return NULL;
}

/* All rows; 0 for an absent one. */
static void
get_rows(struct qtdb_txn *txn, uint64_t out[KEYS])
{
    for (uint8_t key = 0; key < KEYS; key++) {
        size_t size = sizeof(out[key]);
        enum qtdb_code code = qtdb_get(txn, tree, &key, 1, &out[key], &size);

        CHECK(code == QTDB_OK || code == QTDB_NOT_FOUND);
        if (code == QTDB_NOT_FOUND)
            out[key] = 0;
    }
}

static void
scan_rows(struct qtdb_txn *txn, uint64_t out[KEYS])
{
    struct qtdb_cursor *cursor;

    memset(out, 0, KEYS * sizeof(out[0]));
    DB(qtdb_cursor_open(txn, tree, &cursor));
    enum qtdb_code code = qtdb_cursor_seek(cursor, NULL, 0);

    while (code == QTDB_OK) {
        const void *key, *value;
        size_t key_size, value_size;

        qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
        CHECK(key_size == 1 && *(const uint8_t *)key < KEYS && value_size == sizeof(out[0]));
        memcpy(&out[*(const uint8_t *)key], value, value_size);
        code = qtdb_cursor_next(cursor);
    }
    CHECK(code == QTDB_NOT_FOUND);
    qtdb_cursor_close(cursor);
}

static uint64_t
commit_count(void)
{
    struct qtdb_statistics now = {.size = sizeof(now)};

    qtdb_get_statistics(rig.db, &now);
    return now.commit_count;
}

static void *
read_rows(void *argument)
{
    (void)argument;
    while (atomic_load(&writers_left) > 0) {
        struct qtdb_txn *txn = db_begin_read(rig.db);
        uint64_t first[KEYS], later[KEYS];
        uint64_t before = commit_count();

        get_rows(txn, first);
        while (atomic_load(&writers_left) > 0 && commit_count() < before + STAY)
            sync_pause();
        get_rows(txn, later);
        CHECK(memcmp(first, later, sizeof(first)) == 0);
        scan_rows(txn, later);
        CHECK(memcmp(first, later, sizeof(first)) == 0);
        DB(qtdb_commit(txn));
        atomic_fetch_add(&snapshot_count, 1);
    }
    return NULL;
}

int
main(void)
{
    pthread_t threads[WRITERS + READERS];

    db_rig_init(&rig, 1);
    db_rig_close(&rig);
    rig.options.no_threads = false;
    rig.options.version_limit = 4 << 20;
    db_rig_open(&rig);
    tree = db_tree(rig.db, "t");
    writers_left = WRITERS;
    for (uintptr_t i = 0; i < WRITERS; i++)
        CHECK(pthread_create(&threads[i], NULL, write_rows, (void *)(i + 1)) == 0);
    for (uintptr_t i = WRITERS; i < WRITERS + READERS; i++)
        CHECK(pthread_create(&threads[i], NULL, read_rows, NULL) == 0);
    for (int i = 0; i < WRITERS + READERS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(rig.db->version_floor == 0 && rig.db->merged == NULL && tree->versions.count == 0);
    CHECK(snapshot_count >= READERS);
    printf("%lu commits, %u snapshots\n", (unsigned long)commit_count(), snapshot_count);
    db_check(rig.db);
    db_rig_deinit(&rig);
    return 0;
}
