/*
 * Goal: transactions from several threads keep what they promise: money moves and none is made or
 * lost, readers see one moment and are never refused, rows of all sizes come and go around them, and no data
 * race shows under the thread sanitizer.
 * Method: threads that transfer between accounts, threads that add up all accounts by scans and by
 * gets, threads that insert and delete rows around the accounts so that pages split and merge, on a
 * simulated disk with the background thread running and a pool that evicts. At the end the sum and
 * the check.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/check.h"
#include "kernel/base/random.h"
#include "tests/support/db_rig.h"

enum { ACCOUNTS = 64, FUNDS = 1000, ROUNDS = 1500, WORKERS = 6 };

static struct db_rig rig;
static struct qtdb_tree *tree;
static _Atomic uint32_t done_count[3];

static size_t
account_key(uint64_t account, char *out, size_t room)
{
    return (size_t)snprintf(out, room, "account/%04u", (unsigned)account);
}

/* True when the step went through; a conflict ends the transaction. */
static bool
went_through(struct qtdb_txn *txn, enum qtdb_code code)
{
    if (code == QTDB_OK)
        return true;
    if (code != QTDB_CONFLICT)
        printf("%s: %s\n", qtdb_code_name(code), qtdb_error_last()->message);
    CHECK(code == QTDB_CONFLICT);
    qtdb_rollback(txn);
    return false;
}

static bool
get_funds(struct qtdb_txn *txn, uint64_t account, int64_t *out)
{
    char key[32];
    size_t size = sizeof(*out);

    return went_through(
        txn, qtdb_get(txn, tree, key, account_key(account, key, sizeof(key)), out, &size));
}

static bool
put_funds(struct qtdb_txn *txn, uint64_t account, int64_t funds)
{
    char key[32];

    return went_through(txn, qtdb_put(txn, tree, key, account_key(account, key, sizeof(key)),
                                      &funds, sizeof(funds), QTDB_PUT_REPLACE));
}

static void
transfer(struct random *random)
{
    uint64_t from = random_below(random, ACCOUNTS);
    uint64_t to = random_below(random, ACCOUNTS);
    int64_t amount = (int64_t)random_below(random, 10);
    int64_t a, b;

    if (from == to)
        return;
    struct qtdb_txn *txn = db_begin(rig.db);

    if (!get_funds(txn, from, &a) || !get_funds(txn, to, &b) || !put_funds(txn, from, a - amount) ||
        !put_funds(txn, to, b + amount))
        return;
    enum qtdb_code code = qtdb_commit(txn);

    CHECK(code == QTDB_OK || code == QTDB_CONFLICT);
    done_count[0] += code == QTDB_OK;
}

/* Adds all accounts up; the sum never changes. */
static void
add_up(struct random *random)
{
    struct qtdb_txn *txn = db_begin_read(rig.db);
    bool backward = random_chance(random, 1, 2);
    struct qtdb_cursor *cursor;
    enum qtdb_code code;
    int64_t sum = 0;
    uint32_t count = 0;

    DB(qtdb_cursor_open(txn, tree, &cursor));
    code = backward ? qtdb_cursor_seek_last(cursor, "account/z", 9)
                    : qtdb_cursor_seek(cursor, "account/", 8);
    while (code == QTDB_OK) {
        const void *key, *value;
        size_t key_size, value_size;
        int64_t funds;

        qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
        if (memcmp(key, "account/", 8) != 0)
            break;
        if (key_size == 12) {
            memcpy(&funds, value, sizeof(funds));
            sum += funds;
            count++;
        }
        code = backward ? qtdb_cursor_previous(cursor) : qtdb_cursor_next(cursor);
    }
    qtdb_cursor_close(cursor);
    if (code != QTDB_OK && code != QTDB_NOT_FOUND)
        printf("%s: %s\n", qtdb_code_name(code), qtdb_error_last()->message);
    CHECK(code == QTDB_OK || code == QTDB_NOT_FOUND);
    CHECK(count == ACCOUNTS && sum == (int64_t)ACCOUNTS * FUNDS);
    DB(qtdb_commit(txn));
    done_count[1]++;
}

/* Rows between the accounts, now and then large, so that pages split, merge and are freed. */
static void
disturb(struct random *random)
{
    static const uint8_t filler[6000];
    struct qtdb_txn_options options = {
        .size = sizeof(options), .isolation = QTDB_REPEATABLE_READ, .durability = QTDB_ASYNC};
    struct qtdb_txn *txn;

    DB(qtdb_begin(rig.db, &options, &txn));
    for (uint32_t i = 0; i < 8; i++) {
        char key[40];
        size_t size = (size_t)snprintf(key, sizeof(key), "account/%04u/%u",
                                       (unsigned)random_below(random, ACCOUNTS),
                                       (unsigned)random_below(random, 30));
        enum qtdb_code code;

        if (random_chance(random, 1, 2))
            code = qtdb_put(txn, tree, key, size, filler,
                            random_below(random, random_chance(random, 1, 20) ? 6000 : 200),
                            QTDB_PUT_ANY);
        else
            code = qtdb_delete(txn, tree, key, size);
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
    for (int i = 0; i < ROUNDS; i++)
        tasks[number % 3](&random);
    return NULL;
}

int
main(void)
{
    pthread_t threads[WORKERS];
    struct random random;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    db_rig_close(&rig);
    rig.options.no_threads = false;
    rig.options.pool_size = 128 * 4096;
    db_rig_open(&rig);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    for (uint64_t account = 0; account < ACCOUNTS; account++) {
        int64_t funds = FUNDS;
        char key[32];

        DB(qtdb_put(txn, tree, key, account_key(account, key, sizeof(key)), &funds, sizeof(funds),
                    QTDB_PUT_INSERT));
    }
    DB(qtdb_commit(txn));
    for (uintptr_t i = 0; i < WORKERS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    for (int i = 0; i < WORKERS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    random_init(&random, 99);
    uint32_t before = done_count[1];

    add_up(&random);
    CHECK(done_count[1] == before + 1);
    CHECK(done_count[0] > 0 && done_count[2] > 0);
    printf("%u transfers, %u sums, %u disturbances\n", done_count[0], done_count[1], done_count[2]);
    db_check(rig.db);
    db_rig_deinit(&rig);
    return 0;
}
