/*
 * Goal: while rows come and go, leaves split and merge, and routers are made, extended, replaced and
 * dropped by other threads, every reader finds each row that is there all the time, finds none that
 * never was, and no data race shows under the thread sanitizer.
 * Method: a tree whose even keys stay; threads that get and seek them and keys that are never there;
 * threads that insert and delete odd keys and append; one that changes the kind of router all the
 * while; the background thread makes them. A transaction that does nothing holds old ones back. At the
 * end the check, and nothing is left behind.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/check.h"
#include "kernel/base/random.h"
#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum { ROWS = 14000, STEP = 8, CHANGES = 60, READS = 250, READS_A_TXN = 100, SWITCHES = 60 };

static struct db_rig rig;
static struct qtdb_tree *tree;
static _Atomic uint64_t read_count;
static _Atomic uint64_t append_next;

static void
put(struct qtdb_txn *txn, uint64_t number)
{
    uint8_t key[8];

    qtdb_key_u64(number, key);
    DB(qtdb_put(txn, tree, key, 8, &number, 8, QTDB_PUT_ANY));
}

static void
check_get(struct qtdb_txn *txn, uint64_t number, bool there)
{
    uint8_t key[8];
    uint64_t value = 0;
    size_t size = sizeof(value);

    qtdb_key_u64(number, key);
    enum qtdb_code code = qtdb_get(txn, tree, key, 8, &value, &size);

    if (code != (there ? QTDB_OK : QTDB_NOT_FOUND))
        printf("key %llu: %s: %s\n", (unsigned long long)number, qtdb_code_name(code),
               qtdb_error_last()->message);
    CHECK(code == (there ? QTDB_OK : QTDB_NOT_FOUND) && (!there || value == number));
    atomic_fetch_add(&read_count, 1);
}

static void
check_seek(struct qtdb_cursor *cursor, uint64_t number)
{
    const void *key;
    const void *value;
    size_t key_size, value_size;
    uint8_t bytes[8];
    uint64_t found;

    qtdb_key_u64(number, bytes);
    DB(qtdb_cursor_seek(cursor, bytes, 8));
    qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
    memcpy(&found, value, 8);
    CHECK(found == number);
}

static void *
read_rows(void *context)
{
    struct random random;

    random_init(&random, (uint64_t)(uintptr_t)context);
    for (uint32_t round = 0; round < READS; round++) {
        struct qtdb_txn *txn = db_begin_read(rig.db);
        struct qtdb_cursor *cursor;

        DB(qtdb_cursor_open(txn, tree, &cursor));
        for (uint32_t i = 0; i < READS_A_TXN; i++) {
            uint64_t number = (1 + random_below(&random, ROWS)) * STEP;

            check_get(txn, number, true);
            check_get(txn, number + 1, false);
            if (i % 8 == 0)
                check_seek(cursor, number);
        }
        qtdb_cursor_close(cursor);
        qtdb_rollback(txn);
    }
    return NULL;
}

static void
change(struct qtdb_txn *txn, struct random *random, bool remove)
{
    uint64_t from = random_below(random, ROWS);

    for (uint64_t i = 0; i < 300; i++) {
        uint64_t number = (1 + (from + i) % ROWS) * STEP + 3;
        uint8_t key[8];

        qtdb_key_u64(number, key);
        if (!remove) {
            put(txn, number);
            continue;
        }
        enum qtdb_code code = qtdb_delete(txn, tree, key, 8);

        CHECK(code == QTDB_OK || code == QTDB_NOT_FOUND);
    }
}

static void *
change_rows(void *context)
{
    struct random random;

    (void)context;
    random_init(&random, 99);
    for (uint32_t round = 0; round < CHANGES; round++) {
        struct qtdb_txn *txn = db_begin(rig.db);

        change(txn, &random, round % 3 == 2);
        for (uint32_t i = 0; i < 100; i++)
            put(txn, atomic_fetch_add(&append_next, STEP));
        DB(qtdb_commit(txn));
    }
    return NULL;
}

static void
want(enum qtdb_router router)
{
    struct qtdb_tree_options options = {
        .size = sizeof(options), .key_kind = QTDB_KEY_INT, .router = router};
    struct qtdb_txn *txn = db_begin_read(rig.db);
    struct qtdb_tree *same;

    DB(qtdb_tree_open(txn, "t", &options, &same));
    CHECK(same == tree);
    qtdb_rollback(txn);
}

static void *
switch_routers(void *context)
{
    (void)context;
    for (uint32_t round = 0; round < SWITCHES; round++) {
        struct qtdb_txn *idle = round % 8 == 0 ? db_begin_read(rig.db) : NULL;
        uint64_t until = atomic_load(&read_count) + 300;
        struct qtdb_tree_statistics now = {.size = sizeof(now)};

        if (idle != NULL)
            check_get(idle, STEP, true);
        want((enum qtdb_router)(QTDB_ROUTER_TREE + round % 5));
        for (uint32_t i = 0; i < 200000 && atomic_load(&read_count) < until; i++)
            sync_pause();
        qtdb_tree_get_statistics(tree, &now);
        if (idle != NULL)
            check_get(idle, STEP, true);
        qtdb_rollback(idle);
    }
    return NULL;
}

static void
load(void)
{
    struct qtdb_tree_options options = {
        .size = sizeof(options), .create = true, .key_kind = QTDB_KEY_INT};
    struct qtdb_txn *txn = db_begin(rig.db);

    DB(qtdb_tree_open(txn, "t", &options, &tree));
    DB(qtdb_commit(txn));
    for (uint64_t i = 1; i <= ROWS;) {
        txn = db_begin(rig.db);
        for (uint32_t k = 0; k < 500 && i <= ROWS; k++, i++)
            put(txn, i * STEP);
        DB(qtdb_commit(txn));
    }
    atomic_store(&append_next, (uint64_t)(ROWS + 10) * STEP);
}

int
main(void)
{
    void *(*const work[])(void *) = {read_rows, read_rows, change_rows, switch_routers};
    pthread_t threads[sizeof(work) / sizeof(work[0])];
    struct qtdb_tree_statistics now = {.size = sizeof(now)};

    db_rig_init(&rig, 11);
    db_rig_close(&rig);
    rig.options.no_threads = false;
    rig.options.pool_size = 1024 * 4096;
    db_rig_open(&rig);
    load();
    for (size_t i = 0; i < sizeof(work) / sizeof(work[0]); i++)
        CHECK(pthread_create(&threads[i], NULL, work[i], (void *)(uintptr_t)(i + 1)) == 0);
    for (size_t i = 0; i < sizeof(work) / sizeof(work[0]); i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    qtdb_tree_get_statistics(tree, &now);
    printf("routed %llu tree %llu hops %llu fallbacks %llu built %llu\n",
           (unsigned long long)now.routed_count, (unsigned long long)now.tree_count,
           (unsigned long long)now.hop_count, (unsigned long long)now.fallback_count,
           (unsigned long long)now.build_count);
    CHECK(now.routed_count > 0 && now.build_count > 1);
    db_check(rig.db);
    db_rig_deinit(&rig);
    printf("ok\n");
    return 0;
}
