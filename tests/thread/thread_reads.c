/*
 * Goal: every way to read a tree of integer keys shows one moment beside writers: single gets, batches and
 * cursors in both directions add up to the same sum while money moves, leaves split and merge, change
 * their form and are evicted; and no data race shows under the thread sanitizer.
 * Method: accounts spread over the tree's leaves; threads that transfer between them, threads that put and
 * delete rows of other sizes around them, and threads that add all accounts up, each time another way, in
 * transactions that stay open for several sums. On a simulated disk with the background thread
 * running and a small pool. At the end the sum and the check.
 */
#include <pthread.h>
#include <stdio.h>

#include "kernel/base/check.h"
#include "kernel/base/random.h"
#include "tests/support/db_rig.h"

enum { ACCOUNTS = 96, FUNDS = 1000, SPREAD = 50, ROUNDS = 4000, WORKERS = 6 };

static struct db_rig rig;
static struct qtdb_tree *tree;
static _Atomic uint32_t done_count[3];

static void
account_key(uint64_t account, uint8_t out[8])
{
    qtdb_key_u64(account * SPREAD, out);
}

/* True when the step went through; a conflict ends the transaction. */
static bool
went_through(struct qtdb_txn *txn, enum qtdb_code code)
{
    if (code == QTDB_OK)
        return true;
    CHECK(code == QTDB_CONFLICT);
    qtdb_rollback(txn);
    return false;
}

static void
transfer(struct random *random)
{
    uint64_t from = random_below(random, ACCOUNTS);
    uint64_t to = (from + 1 + random_below(random, ACCOUNTS - 1)) % ACCOUNTS;
    int64_t amount = (int64_t)random_below(random, 10);
    int64_t funds[2];
    uint8_t keys[2][8];
    struct qtdb_lookup lookups[2];
    struct qtdb_txn *txn = db_begin(rig.db);

    account_key(from, keys[0]);
    account_key(to, keys[1]);
    for (int i = 0; i < 2; i++)
        lookups[i] = (struct qtdb_lookup){
            .key = keys[i], .key_size = 8, .value = &funds[i], .value_size = sizeof(funds[i])};
    if (!went_through(txn, qtdb_get_batch(txn, tree, lookups, 2)))
        return;
    CHECK(lookups[0].code == QTDB_OK && lookups[1].code == QTDB_OK);
    funds[0] -= amount;
    funds[1] += amount;
    for (int i = 0; i < 2; i++)
        if (!went_through(txn, qtdb_put(txn, tree, keys[i], 8, &funds[i], sizeof(funds[i]),
                                        QTDB_PUT_REPLACE)))
            return;
    enum qtdb_code code = qtdb_commit(txn);

    CHECK(code == QTDB_OK || code == QTDB_CONFLICT);
    done_count[0] += code == QTDB_OK;
}

static int64_t
sum_of_gets(struct qtdb_txn *txn)
{
    int64_t sum = 0;

    for (uint64_t i = 0; i < ACCOUNTS; i++) {
        int64_t funds;
        size_t size = sizeof(funds);
        uint8_t key[8];

        account_key(i, key);
        DB(qtdb_get(txn, tree, key, 8, &funds, &size));
        CHECK(size == sizeof(funds));
        sum += funds;
    }
    return sum;
}

/* Every second key of the batch is absent. */
static int64_t
sum_of_batch(struct qtdb_txn *txn)
{
    static _Thread_local uint8_t keys[2 * ACCOUNTS][8];
    static _Thread_local int64_t funds[2 * ACCOUNTS];
    static _Thread_local struct qtdb_lookup lookups[2 * ACCOUNTS];
    int64_t sum = 0;

    for (uint32_t i = 0; i < 2 * ACCOUNTS; i++) {
        qtdb_key_u64((uint64_t)i / 2 * SPREAD + i % 2, keys[i]);
        lookups[i] = (struct qtdb_lookup){
            .key = keys[i], .key_size = 8, .value = &funds[i], .value_size = sizeof(funds[i])};
    }
    DB(qtdb_get_batch(txn, tree, lookups, 2 * ACCOUNTS));
    for (uint32_t i = 0; i < 2 * ACCOUNTS; i++) {
        CHECK(lookups[i].code == (i % 2 == 0 ? QTDB_OK : QTDB_NOT_FOUND));
        sum += i % 2 == 0 ? funds[i] : 0;
    }
    return sum;
}

static int64_t
sum_of_scan(struct qtdb_txn *txn, bool backward)
{
    struct qtdb_cursor *cursor;
    enum qtdb_code code;
    uint32_t count = 0;
    int64_t sum = 0;

    DB(qtdb_cursor_open(txn, tree, &cursor));
    code = backward ? qtdb_cursor_seek_last(cursor, NULL, 0) : qtdb_cursor_seek(cursor, NULL, 0);
    while (code == QTDB_OK) {
        const void *key, *value;
        size_t key_size, value_size;
        uint64_t number;
        int64_t funds;

        qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
        CHECK(key_size == 8);
        memcpy(&number, key, 8);
        number = __builtin_bswap64(number);
        if (number % SPREAD == 0) {
            CHECK(value_size == sizeof(funds));
            memcpy(&funds, value, sizeof(funds));
            sum += funds;
            count++;
        }
        code = backward ? qtdb_cursor_previous(cursor) : qtdb_cursor_next(cursor);
    }
    CHECK(code == QTDB_NOT_FOUND && count == ACCOUNTS);
    qtdb_cursor_close(cursor);
    return sum;
}

static void
add_up(struct random *random)
{
    struct qtdb_txn *txn = db_begin_read(rig.db);

    for (uint32_t i = 0; i < 3; i++) {
        uint64_t way = random_below(random, 4);
        int64_t sum = way == 0   ? sum_of_gets(txn)
                      : way == 1 ? sum_of_batch(txn)
                                 : sum_of_scan(txn, way == 2);

        CHECK(sum == (int64_t)ACCOUNTS * FUNDS);
    }
    DB(qtdb_commit(txn));
    done_count[1]++;
}

/* Rows between the accounts; sizes differ now and then, so that leaves change their form. */
static void
disturb(struct random *random)
{
    static const uint8_t filler[3000];
    struct qtdb_txn_options options = {
        .size = sizeof(options), .isolation = QTDB_REPEATABLE_READ, .durability = QTDB_ASYNC};
    struct qtdb_txn *txn;
    uint64_t first = random_below(random, ACCOUNTS);

    DB(qtdb_begin(rig.db, &options, &txn));
    for (uint32_t i = 0; i < 8; i++) {
        uint64_t account = (first + random_below(random, 3)) % ACCOUNTS;
        uint8_t key[8];
        size_t size = random_chance(random, 9, 10) ? 8 : random_below(random, 3000);
        enum qtdb_code code;

        qtdb_key_u64(account * SPREAD + 2 + random_below(random, SPREAD - 2), key);
        code = random_chance(random, 1, 2) ? qtdb_put(txn, tree, key, 8, filler, size, QTDB_PUT_ANY)
                                           : qtdb_delete(txn, tree, key, 8);
        if (code != QTDB_NOT_FOUND && !went_through(txn, code))
            return;
    }
    enum qtdb_code code = qtdb_commit(txn);

    CHECK(code == QTDB_OK || code == QTDB_CONFLICT);
    done_count[2] += code == QTDB_OK;
}

static void *
work(void *argument)
{
    static void (*const tasks[])(struct random * random) = {transfer, add_up, disturb};
    uint64_t number = (uintptr_t)argument;
    struct random random;

    random_init(&random, number + 1);
    for (int i = 0; i < ROUNDS / (number % 3 == 1 ? 4 : 1); i++)
        tasks[number % 3](&random);
    return NULL;
}

static void
open_accounts(void)
{
    struct qtdb_tree_options options = {
        .size = sizeof(options), .create = true, .key_kind = QTDB_KEY_INT};
    struct qtdb_txn *txn = db_begin(rig.db);
    const int64_t funds = FUNDS;

    DB(qtdb_tree_open(txn, "accounts", &options, &tree));
    for (uint64_t i = 0; i < ACCOUNTS; i++) {
        uint8_t key[8];

        account_key(i, key);
        DB(qtdb_put(txn, tree, key, 8, &funds, sizeof(funds), QTDB_PUT_INSERT));
    }
    DB(qtdb_commit(txn));
}

int
main(void)
{
    pthread_t threads[WORKERS];
    struct random random;

    db_rig_init(&rig, 1);
    db_rig_close(&rig);
    rig.options.no_threads = false;
    rig.options.pool_size = 128 * 4096;
    db_rig_open(&rig);
    open_accounts();
    for (uintptr_t i = 0; i < WORKERS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    for (int i = 0; i < WORKERS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    random_init(&random, 99);
    for (int i = 0; i < 8; i++)
        add_up(&random);
    CHECK(done_count[0] > 0 && done_count[1] > 8 && done_count[2] > 0);
    printf("%u transfers, %u times three sums, %u disturbances\n", done_count[0], done_count[1],
           done_count[2]);
    db_check(rig.db);
    db_rig_deinit(&rig);
    return 0;
}
