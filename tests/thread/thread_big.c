/*
 * Goal: transactions that spill, lock whole trees and commit in many changes keep their promises beside
 * others: money is neither made nor lost, readers see one moment, nobody waits for ever, and no data race
 * shows under the thread sanitizer.
 * Method: one thread in whose transactions every account pays its neighbour, in a pool and a budget that
 * are much too small for that; threads that transfer between two accounts; threads that add all up by scans
 * both ways; on a simulated disk with the background thread running. At the end the sum and the check.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/check.h"
#include "kernel/base/random.h"
#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum {
    ACCOUNTS = 600,
    FUNDS = 1000,
    ROW_SIZE = 200,
    WORKERS = 5,
    PAYDAYS = 12,
    TRIES = 4, /* Of a payday before the transfers make way. */
    KEY_ROOM = 16,
};

static struct db_rig rig;
static struct qtdb_tree *tree;
static _Atomic bool is_over;
static _Atomic bool make_way;
static _Atomic uint32_t paydays, transfers, sums;

static size_t
account_key(uint64_t account, char out[KEY_ROOM])
{
    return (size_t)snprintf(out, KEY_ROOM, "a%06u", (unsigned)account);
}

/* Adds to the account's funds. A conflict ends the transaction: false. */
static bool
add_to(struct qtdb_txn *txn, uint64_t account, int64_t amount)
{
    uint8_t row[ROW_SIZE];
    char key[KEY_ROOM];
    size_t key_size = account_key(account, key);
    size_t size = sizeof(row);
    int64_t funds;
    enum qtdb_code code = qtdb_lock(txn, tree, key, key_size, QTDB_LOCK_EXCLUSIVE, true);

    if (code == QTDB_OK)
        code = qtdb_get(txn, tree, key, key_size, row, &size);
    if (code == QTDB_OK) {
        memcpy(&funds, row, sizeof(funds));
        funds += amount;
        memcpy(row, &funds, sizeof(funds));
        code = qtdb_put(txn, tree, key, key_size, row, size, QTDB_PUT_REPLACE);
    }
    if (code == QTDB_OK)
        return true;
    if (code != QTDB_CONFLICT)
        printf("%s: %s\n", qtdb_code_name(code), qtdb_error_last()->message);
    CHECK(code == QTDB_CONFLICT);
    qtdb_rollback(txn);
    return false;
}

static struct qtdb_txn *
begin(void)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .isolation = QTDB_REPEATABLE_READ};
    struct qtdb_txn *txn;

    DB(qtdb_begin(rig.db, &options, &txn));
    return txn;
}

/* Everybody pays; an adder of the same rows would see if only some had. */
static bool
payday(void)
{
    struct qtdb_txn *txn = begin();

    for (uint64_t account = 0; account < ACCOUNTS; account += 2)
        if (!add_to(txn, account, -1) || !add_to(txn, account + 1, 1))
            return false;
    CHECK(spill__exists(txn));
    enum qtdb_code code = qtdb_commit(txn);

    CHECK(code == QTDB_OK);
    return true;
}

static void *
pay(void *argument)
{
    (void)argument;
    for (uint32_t done = 0, tries = 0; done < PAYDAYS;) {
        atomic_store(&make_way, tries >= TRIES);
        if (payday()) {
            done++;
            tries = 0;
        } else {
            tries++;
        }
    }
    atomic_store(&paydays, PAYDAYS);
    atomic_store(&is_over, true);
    return NULL;
}

static void
transfer(struct random *random)
{
    uint64_t from = random_below(random, ACCOUNTS);
    uint64_t to = random_below(random, ACCOUNTS);
    struct qtdb_txn *txn = begin();

    if (!add_to(txn, from, -5) || !add_to(txn, to, 5))
        return;
    DB(qtdb_commit(txn));
    atomic_fetch_add(&transfers, 1);
}

static void *
move_money(void *argument)
{
    struct random random;

    random_init(&random, (uintptr_t)argument);
    while (!atomic_load(&is_over)) {
        if (atomic_load(&make_way))
            sync_pause();
        else
            transfer(&random);
    }
    return NULL;
}

static void
add_up(bool backward)
{
    struct qtdb_txn *txn = db_begin_read(rig.db);
    struct qtdb_cursor *cursor;
    int64_t sum = 0;
    uint32_t count = 0;

    DB(qtdb_cursor_open(txn, tree, &cursor));
    enum qtdb_code code =
        backward ? qtdb_cursor_seek_last(cursor, NULL, 0) : qtdb_cursor_seek(cursor, NULL, 0);

    while (code == QTDB_OK) {
        const void *key, *value;
        size_t key_size, value_size;
        int64_t funds;

        qtdb_cursor_row(cursor, &key, &key_size, &value, &value_size);
        memcpy(&funds, value, sizeof(funds));
        sum += funds;
        count++;
        code = backward ? qtdb_cursor_previous(cursor) : qtdb_cursor_next(cursor);
    }
    CHECK(code == QTDB_NOT_FOUND);
    CHECK(count == ACCOUNTS && sum == (int64_t)ACCOUNTS * FUNDS);
    qtdb_cursor_close(cursor);
    DB(qtdb_commit(txn));
    atomic_fetch_add(&sums, 1);
}

static void *
look(void *argument)
{
    bool backward = (uintptr_t)argument % 2 == 0;

    while (!atomic_load(&is_over))
        add_up(backward);
    return NULL;
}

static void
fill(void)
{
    uint8_t row[ROW_SIZE] = {0};
    int64_t funds = FUNDS;

    memcpy(row, &funds, sizeof(funds));
    for (uint64_t first = 0; first < ACCOUNTS; first += 30) {
        struct qtdb_txn *txn = begin();
        char key[KEY_ROOM];

        for (uint64_t account = first; account < first + 30; account++)
            DB(qtdb_put(txn, tree, key, account_key(account, key), row, sizeof(row),
                        QTDB_PUT_INSERT));
        DB(qtdb_commit(txn));
    }
}

int
main(void)
{
    static void *(*const tasks[WORKERS])(void *) = {pay, move_money, move_money, look, look};
    pthread_t threads[WORKERS];

    db_rig_init(&rig, 1);
    db_rig_close(&rig);
    rig.options.no_threads = false;
    rig.options.pool_size = 64 * 4096;
    rig.options.write_set_limit = 24000;
    db_rig_open(&rig);
    tree = db_tree(rig.db, "t");
    fill();
    for (uintptr_t i = 0; i < WORKERS; i++)
        CHECK(pthread_create(&threads[i], NULL, tasks[i], (void *)i) == 0);
    for (int i = 0; i < WORKERS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    add_up(false);
    CHECK(paydays == PAYDAYS && transfers > 0 && sums > 1);
    CHECK(atomic_load(&rig.db->locks.escalation_count) > 0);
    printf("%u paydays, %u transfers, %u sums\n", paydays, transfers, sums);
    db_check(rig.db);
    db_rig_deinit(&rig);
    return 0;
}
