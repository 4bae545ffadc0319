/*
 * Goal: a sequence hands each number out once, beside all transactions; a clean close leaves no gap, a
 * crash no number that a surviving commit has; what cannot be had is refused.
 * Method: numbers are taken, some put into rows that are committed; closes, kills and power cuts; every
 * allocation and disk operation failed once; several threads at a time.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#include "kernel/base/random.h"
#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

static uint64_t
take(struct db_rig *rig, const char *name, uint64_t count)
{
    uint64_t first = 0;

    DB(qtdb_sequence_next(rig->db, name, count, &first));
    return first;
}

/* covers: T14 */
Test(sequence, numbers_are_consecutive_and_a_clean_close_leaves_no_gap)
{
    struct qtdb_txn *txn;
    struct db_rig rig;

    db_rig_init(&rig, 1);
    cr_assert_eq(take(&rig, "s", 1), 1);
    txn = db_begin(rig.db);
    cr_assert_eq(take(&rig, "s", 1), 2);
    qtdb_rollback(txn);
    cr_assert_eq(take(&rig, "s", 1000), 3, "a rollback takes no number back");
    cr_assert_eq(take(&rig, "other", 1), 1);
    db_rig_close(&rig);
    db_rig_open(&rig);
    cr_assert_eq(take(&rig, "s", 1), 1003);
    db_check(rig.db);
    DB(qtdb_sequence_set(rig.db, "s", 5));
    cr_assert_eq(take(&rig, "s", 1), 5);
    DB(qtdb_sequence_drop(rig.db, "s"));
    DB_REFUSED(qtdb_sequence_drop(rig.db, "s"), QTDB_NOT_FOUND);
    cr_assert_eq(take(&rig, "s", 1), 1);
    db_rig_deinit(&rig);
}

Test(sequence, a_look_takes_nothing)
{
    uint64_t next = 0;
    struct db_rig rig;

    db_rig_init(&rig, 1);
    DB(qtdb_sequence_get(rig.db, "s", &next));
    cr_assert_eq(next, 1, "a sequence that nobody named");
    cr_assert_eq(take(&rig, "s", 7), 1);
    DB(qtdb_sequence_get(rig.db, "s", &next));
    cr_assert_eq(next, 8);
    DB_REFUSED(qtdb_sequence_get(rig.db, "", &next), QTDB_INVALID);
    db_rig_close(&rig);
    rig.options.create = false;
    rig.options.read_only = true;
    db_rig_open(&rig);
    next = 0;
    DB(qtdb_sequence_get(rig.db, "s", &next));
    cr_assert_eq(next, 8, "read-only");
    db_rig_deinit(&rig);
}

/* covers: T14 */
Test(sequence, no_crash_repeats_a_number_of_a_commit_that_survived)
{
    enum io_sim_crash_mode modes[] = {IO_SIM_CRASH_LOST, IO_SIM_CRASH_KEPT, IO_SIM_CRASH_RANDOM};
    struct qtdb_txn_options async = {.size = sizeof(async), .durability = QTDB_ASYNC};
    struct random random;
    struct db_rig rig;

    random_init(&random, 1);
    db_rig_init(&rig, 1);
    for (int round = 0; round < 30; round++) {
        struct qtdb_tree *tree = db_tree(rig.db, "t");
        uint64_t count = random_below(&random, 600);

        for (uint64_t i = 0; i < count; i++) {
            uint64_t number = take(&rig, "s", 1);
            struct qtdb_txn *txn;
            char key[24];

            snprintf(key, sizeof(key), "%lu", (unsigned long)number);
            DB(qtdb_begin(rig.db, random_chance(&random, 1, 50) ? NULL : &async, &txn));
            /* INSERT: a number that is there already fails the test. */
            DB(qtdb_put(txn, tree, key, strlen(key), "", 0, QTDB_PUT_INSERT));
            DB(qtdb_commit(txn));
        }
        struct io_sim_crash crash = {.mode = modes[round % 3], .seed = (uint64_t)round};

        if (round % 4 == 3)
            db_rig_close(&rig);
        else
            db_rig_crash(&rig, &crash);
        db_rig_open(&rig);
    }
    db_check(rig.db);
    db_rig_deinit(&rig);
}

Test(sequence, what_cannot_be_had_is_refused)
{
    char name[300];
    uint64_t first;
    struct db_rig rig;

    db_rig_init(&rig, 1);
    memset(name, 'n', sizeof(name));
    name[299] = '\0';
    DB_REFUSED(qtdb_sequence_next(rig.db, name, 1, &first), QTDB_INVALID);
    DB_REFUSED(qtdb_sequence_next(rig.db, "", 1, &first), QTDB_INVALID);
    DB_REFUSED(qtdb_sequence_next(rig.db, "s", 0, &first), QTDB_INVALID);
    DB_REFUSED(qtdb_sequence_set(rig.db, "s", 0), QTDB_INVALID);
    DB(qtdb_sequence_set(rig.db, "s", UINT64_MAX - 2));
    DB_REFUSED(qtdb_sequence_next(rig.db, "s", 3, &first), QTDB_FULL);
    cr_assert_eq(take(&rig, "s", 2), UINT64_MAX - 2);
    DB_REFUSED(qtdb_sequence_next(rig.db, "s", 1, &first), QTDB_FULL);
    db_rig_close(&rig);
    rig.options.create = false;
    rig.options.read_only = true;
    db_rig_open(&rig);
    DB_REFUSED(qtdb_sequence_next(rig.db, "s", 1, &first), QTDB_READONLY);
    db_rig_deinit(&rig);
}

Test(sequence, every_allocation_that_fails_costs_no_number)
{
    struct db_rig rig;
    uint64_t expected = 1;
    bool failed = true;
    uint32_t refused = 0;

    db_rig_init(&rig, 1);
    for (uint64_t index = 0; failed; index++) {
        uint64_t first;

        memory_fail_at(rig.memory, index, false);
        enum qtdb_code code = qtdb_sequence_next(rig.db, "s", 300, &first);

        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert(code == QTDB_OK || code == QTDB_NO_MEMORY);
        refused += code != QTDB_OK;
        if (code == QTDB_OK) {
            cr_assert_eq(first, expected);
            expected += 300;
        }
    }
    cr_assert_gt(refused, 0);
    db_rig_deinit(&rig);
}

Test(sequence, a_failed_disk_gives_no_number_that_is_not_logged)
{
    uint32_t failures = 0;
    struct db_rig rig;

    for (uint64_t offset = 0; offset < 4; offset++) {
        struct qtdb_txn *txn;
        uint64_t first = 0;

        db_rig_init(&rig, 1);
        struct qtdb_tree *tree = db_tree(rig.db, "t");

        io_sim_fail_at(rig.io, io_sim_op_count(rig.io) + offset, IO_SIM_FAULT_EIO, true);
        enum qtdb_code code = qtdb_sequence_next(rig.db, "s", 1, &first);

        if (code == QTDB_OK) {
            txn = db_begin(rig.db);
            DB(db_put(txn, tree, "a", "1"));
            code = qtdb_commit(txn);
        }
        cr_assert(code == QTDB_OK || code == QTDB_IO || code == QTDB_FAILED, "%s",
                  qtdb_code_name(code));
        failures += code != QTDB_OK;
        io_sim_fail_at(rig.io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
        db_rig_kill(&rig);
        db_rig_open(&rig);
        db_check(rig.db);
        /* Beyond what may have been handed out, if the row survived; else the first again. */
        uint64_t next = take(&rig, "s", 1);

        cr_assert(next > 1 || code != QTDB_OK);
        db_rig_deinit(&rig);
    }
    cr_assert_gt(failures, 0);
}

enum { THREADS = 4, TAKEN = 3000 };

struct taker {
    pthread_t thread;
    struct db_rig *rig;
    uint64_t numbers[TAKEN];
};

static void *
take_many(void *argument)
{
    struct taker *taker = argument;

    for (int i = 0; i < TAKEN; i++)
        taker->numbers[i] = take(taker->rig, "s", 1);
    return NULL;
}

/* covers: T14 */
Test(sequence, threads_never_get_the_same_number)
{
    static struct taker takers[THREADS];
    static bool seen[THREADS * TAKEN + 1];
    struct db_rig rig;

    db_rig_init(&rig, 1);
    for (int t = 0; t < THREADS; t++) {
        takers[t].rig = &rig;
        cr_assert_eq(pthread_create(&takers[t].thread, NULL, take_many, &takers[t]), 0);
    }
    for (int t = 0; t < THREADS; t++)
        cr_assert_eq(pthread_join(takers[t].thread, NULL), 0);
    for (int t = 0; t < THREADS; t++) {
        for (int i = 0; i < TAKEN; i++) {
            cr_assert_leq(takers[t].numbers[i], THREADS * TAKEN);
            cr_assert_not(seen[takers[t].numbers[i]]);
            seen[takers[t].numbers[i]] = true;
        }
    }
    db_rig_deinit(&rig);
}
