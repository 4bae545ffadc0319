/*
 * Goal: an acknowledged commit survives a kill and a power cut, with everything it saw; a failed one
 * leaves nothing; each allocation that fails gives a clean refusal.
 * Method: commits on a simulated disk, crashed after each operation of a commit in several ways, and
 * reopened; every allocation and every disk operation of a commit failed once.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

/* covers: T5 */
Test(commit, a_commit_survives_a_kill)
{
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "a", "1"));
    DB(qtdb_commit(txn));
    txn = db_begin(rig.db);
    DB(db_put(txn, tree, "b", "2"));
    db_rig_kill(&rig);
    db_rig_open(&rig);
    tree = db_tree(rig.db, "t");
    cr_assert_str_eq(db_look(rig.db, tree, "a"), "1");
    cr_assert_str_eq(db_look(rig.db, tree, "b"), "(none)");
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* covers: T5 */
Test(commit, a_commit_survives_a_power_cut)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    for (int i = 0; i < 20; i++) {
        char key[24];

        snprintf(key, sizeof(key), "%d", i);
        txn = db_begin(rig.db);
        DB(db_put(txn, tree, key, "1"));
        DB(qtdb_commit(txn));
        db_rig_crash(&rig, &crash);
        db_rig_open(&rig);
        tree = db_tree(rig.db, "t");
        cr_assert_str_eq(db_look(rig.db, tree, key), "1");
        db_check(rig.db);
    }
    db_rig_deinit(&rig);
}

/* covers: T5 */
Test(commit, what_an_acknowledged_reader_saw_survives)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .durability = QTDB_ASYNC};
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    DB(qtdb_begin(rig.db, &options, &txn));
    DB(db_put(txn, tree, "a", "1"));
    DB(qtdb_commit(txn));
    /* db_look commits a synchronous transaction that saw it. */
    cr_assert_str_eq(db_look(rig.db, tree, "a"), "1");
    db_rig_crash(&rig, &crash);
    db_rig_open(&rig);
    tree = db_tree(rig.db, "t");
    cr_assert_str_eq(db_look(rig.db, tree, "a"), "1");
    db_rig_deinit(&rig);
}

/* covers: T5 */
Test(commit, asynchronous_commits_are_visible_at_once_and_durable_after_a_sync)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .durability = QTDB_ASYNC};
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn, *reader;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    for (int synced = 1; synced >= 0; synced--) {
        DB(qtdb_begin(rig.db, &options, &txn));
        DB(db_put(txn, tree, synced ? "a" : "b", "1"));
        DB(qtdb_commit(txn));
        reader = db_begin_read(rig.db);
        cr_assert_str_eq(db_get(reader, tree, synced ? "a" : "b"), "1");
        qtdb_rollback(reader);
        if (synced)
            DB(qtdb_sync(rig.db));
        cr_assert_eq(pager_csn_durable(rig.db->pager) == pager_csn(rig.db->pager), synced == 1);
    }
    db_rig_crash(&rig, &crash);
    db_rig_open(&rig);
    tree = db_tree(rig.db, "t");
    cr_assert_str_eq(db_look(rig.db, tree, "a"), "1");
    cr_assert_str_eq(db_look(rig.db, tree, "b"), "(none)");
    db_rig_deinit(&rig);
}

Test(commit, statistics_say_what_a_transaction_cost)
{
    struct qtdb_txn_statistics cost = {.size = sizeof(cost)};
    struct qtdb_txn_options options = {.size = sizeof(options), .statistics = &cost};
    struct qtdb_statistics before = {.size = sizeof(before)};
    struct qtdb_statistics after = {.size = sizeof(after)};
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct qtdb_txn *txn;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    DB(qtdb_begin(rig.db, &options, &txn));
    DB(db_put(txn, tree, "a", "1"));
    DB(qtdb_commit(txn));
    db_rig_close(&rig);
    db_rig_open(&rig);
    DB(qtdb_begin(rig.db, &options, &txn));
    DB(qtdb_tree_open(txn, "t", NULL, &tree));
    qtdb_get_statistics(rig.db, &before);
    DB(db_put(txn, tree, "a", "2"));
    DB(qtdb_txn_get_statistics(txn, &cost));
    cr_assert_eq(cost.log_size, 0);
    cr_assert_gt(cost.write_size, 2);
    DB(qtdb_commit(txn));
    qtdb_get_statistics(rig.db, &after);
    cr_assert_eq(cost.page_change_count, 1);
    cr_assert_gt(cost.log_size, 50);
    cr_assert_leq(cost.log_size, after.log_size - before.log_size);
    cr_assert_geq(cost.page_read_count, after.page_read_count - before.page_read_count);
    cr_assert_gt(cost.page_read_count, 0);
    DB(qtdb_begin(rig.db, &options, &txn));
    DB(db_put(txn, tree, "b", "2"));
    qtdb_rollback(txn);
    cr_assert_eq(cost.log_size, 0);
    cr_assert_eq(cost.page_change_count, 0);
    cr_assert_eq(cost.page_read_count, 0);
    options.statistics = NULL;
    DB(qtdb_begin(rig.db, &options, &txn));
    DB_REFUSED(qtdb_txn_get_statistics(txn, &cost), QTDB_INVALID);
    DB(qtdb_commit(txn));
    db_rig_deinit(&rig);
}

/* ---- A commit over several trees, cut at every operation ------------------------------------- */

enum { TREES = 3, ROWS = 40 };

struct cutter {
    struct db_rig *rig;
    struct io *states[512];
    uint32_t count;
    uint64_t seed;
};

static void
on_operation(void *context, const struct io_sim_event *event)
{
    static const enum io_sim_crash_mode modes[] = {IO_SIM_CRASH_LOST, IO_SIM_CRASH_KEPT,
                                                   IO_SIM_CRASH_RANDOM, IO_SIM_CRASH_RANDOM};
    struct cutter *cutter = context;
    struct io_sim_crash crash = {.mode = modes[cutter->count % 4], .seed = ++cutter->seed};

    if (event->op == IO_SIM_READ || cutter->count == 512)
        return;
    cr_assert_eq(io_sim_fork(cutter->rig->io, &crash, cutter->rig->disk_memory,
                             &cutter->states[cutter->count]),
                 STATUS_OK);
    cutter->count++;
}

static void
tree_name(int index, char *out)
{
    snprintf(out, 16, "tree%d", index);
}

/* Writes `value` to every row of every tree in one transaction; value 2 drops a tree and makes one. */
static enum qtdb_code
write_all(struct qtdb *db, const char *value)
{
    struct qtdb_tree_options making = {.size = sizeof(making), .create = true};
    struct qtdb_txn *txn = db_begin(db);
    char name[16];
    char key[24];

    for (int t = 0; t < TREES; t++) {
        struct qtdb_tree *tree;

        tree_name(t, name);
        DB(qtdb_tree_open(txn, name, &making, &tree));
        for (int i = 0; i < ROWS; i++) {
            snprintf(key, sizeof(key), "row%d", i);
            DB(db_put(txn, tree, key, value));
        }
    }
    if (strcmp(value, "2") == 0) {
        struct qtdb_tree *tree;

        DB(qtdb_tree_drop(txn, "old"));
        DB(qtdb_tree_open(txn, "new", &making, &tree));
        DB(db_put(txn, tree, "a", "1"));
    }
    return qtdb_commit(txn);
}

/* All rows say the same, and which trees there are agrees with it. Returns it. */
static int
read_all(struct qtdb *db)
{
    struct qtdb_txn *txn = db_begin_read(db);
    struct qtdb_tree *tree;
    char first[16] = "";
    char name[16];
    char key[24];

    for (int t = 0; t < TREES; t++) {
        tree_name(t, name);
        DB(qtdb_tree_open(txn, name, NULL, &tree));
        for (int i = 0; i < ROWS; i++) {
            const char *value;

            snprintf(key, sizeof(key), "row%d", i);
            value = db_get(txn, tree, key);
            if (first[0] == '\0')
                snprintf(first, sizeof(first), "%s", value);
            cr_assert_str_eq(value, first);
        }
    }
    bool has_old = qtdb_tree_open(txn, "old", NULL, &tree) == QTDB_OK;
    bool has_new = qtdb_tree_open(txn, "new", NULL, &tree) == QTDB_OK;

    cr_assert_eq(has_old, strcmp(first, "1") == 0);
    cr_assert_eq(has_new, strcmp(first, "2") == 0);
    DB(qtdb_commit(txn));
    return (int)strtol(first, NULL, 10);
}

static void
open_state(struct db_rig *rig, struct io *io)
{
    struct env env = {.memory = rig->memory, .io = io};
    struct qtdb *db;

    cr_assert_eq(database_open_env(&env, DB_RIG_PATH, &rig->options, &db), STATUS_OK);
    (void)read_all(db);
    db_check(db);
    DB(qtdb_close(db));
    io_close_all(io);
}

Test(commit, a_commit_over_several_trees_is_whole_or_absent_at_every_cut)
{
    static struct cutter cutter;
    struct db_rig rig;
    struct qtdb_tree *old;

    db_rig_init(&rig, 1);
    old = db_tree(rig.db, "old");
    (void)old;
    DB(write_all(rig.db, "1"));
    cutter.rig = &rig;
    io_sim_watch(rig.io, on_operation, &cutter);
    DB(write_all(rig.db, "2"));
    io_sim_watch(rig.io, NULL, NULL);
    cr_assert_gt(cutter.count, 1);
    for (uint32_t i = 0; i < cutter.count; i++)
        open_state(&rig, cutter.states[i]);
    cr_assert_eq(read_all(rig.db), 2);
    db_rig_deinit(&rig);
}

/* covers: T4 */
Test(commit, every_allocation_that_fails_is_a_clean_refusal)
{
    struct db_rig rig;
    uint64_t failures = 0;
    bool failed = true;

    db_rig_init(&rig, 1);
    (void)db_tree(rig.db, "old");
    DB(write_all(rig.db, "1"));
    for (uint64_t index = 0; failed; index++) {
        struct qtdb_txn *txn = NULL;
        struct qtdb_tree *tree = NULL;
        enum qtdb_code code;

        memory_fail_at(rig.memory, index, false);
        code = qtdb_begin(rig.db, NULL, &txn);
        if (code == QTDB_OK)
            code = qtdb_tree_open(txn, "tree0", NULL, &tree);
        for (int i = 0; i < 30 && code == QTDB_OK; i++) {
            char key[24];
            static char value[2000];

            snprintf(key, sizeof(key), "extra%d", i);
            code = qtdb_put(txn, tree, key, strlen(key), value, sizeof(value), QTDB_PUT_INSERT);
        }
        if (code == QTDB_OK)
            code = qtdb_commit(txn);
        else
            qtdb_rollback(txn);
        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert(code == QTDB_OK || code == QTDB_NO_MEMORY, "%s: %s", qtdb_code_name(code),
                  qtdb_error_last()->message);
        if (code == QTDB_NO_MEMORY) {
            failures++;
            tree = db_tree(rig.db, "tree0");
            cr_assert_str_eq(db_look(rig.db, tree, "extra0"), "(none)");
            continue;
        }
        /* It went through: take it back for the next index. */
        txn = db_begin(rig.db);
        DB(qtdb_tree_open(txn, "tree0", NULL, &tree));
        for (int i = 0; i < 30; i++) {
            char key[24];

            snprintf(key, sizeof(key), "extra%d", i);
            DB(db_delete(txn, tree, key));
        }
        DB(qtdb_commit(txn));
    }
    cr_assert_gt(failures, 5);
    cr_assert_eq(read_all(rig.db), 1);
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* A failed log write: the outcome is unknown and said to be; the next open finds whole or absent. */
Test(commit, a_commit_whose_log_write_fails_says_that_its_outcome_is_unknown)
{
    struct db_rig rig;
    enum qtdb_code code;
    uint64_t index;

    for (uint64_t offset = 0; offset < 6; offset++) {
        db_rig_init(&rig, offset);
        (void)db_tree(rig.db, "old");
        DB(write_all(rig.db, "1"));
        index = io_sim_op_count(rig.io) + offset;
        io_sim_fail_at(rig.io, index, IO_SIM_FAULT_EIO, true);
        code = write_all(rig.db, "2");
        cr_assert_neq(code, QTDB_NO_MEMORY);
        if (code == QTDB_IO || code == QTDB_FAILED)
            cr_assert_not_null(strstr(qtdb_error_last()->message, "unknown"), "%s",
                               qtdb_error_last()->message);
        io_sim_fail_at(rig.io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
        db_rig_kill(&rig);
        db_rig_open(&rig);
        if (code == QTDB_OK)
            cr_assert_eq(read_all(rig.db), 2);
        else
            (void)read_all(rig.db);
        db_check(rig.db);
        db_rig_deinit(&rig);
    }
}

/* covers: T4 */
Test(commit, a_full_disk_refuses_a_commit_and_keeps_what_was)
{
    static char value[4000];
    struct db_rig rig;
    struct qtdb_tree *tree;
    enum qtdb_code code = QTDB_OK;
    uint32_t count = 0;

    db_rig_init(&rig, 1);
    tree = db_tree(rig.db, "t");
    io_sim_set_disk_size(rig.io, 4 << 20);
    for (; code == QTDB_OK; count++) {
        struct qtdb_txn *txn = db_begin(rig.db);
        char key[24];

        cr_assert_lt(count, 10000);
        snprintf(key, sizeof(key), "%u", count);
        DB(qtdb_put(txn, tree, key, strlen(key), value, sizeof(value), QTDB_PUT_ANY));
        code = qtdb_commit(txn);
    }
    cr_assert_eq(code, QTDB_FULL, "%s: %s", qtdb_code_name(code), qtdb_error_last()->message);
    cr_assert_gt(count, 100);
    cr_assert_str_neq(db_look(rig.db, tree, "0"), "(none)");
    char key[24];

    snprintf(key, sizeof(key), "%u", count - 1);
    cr_assert_str_eq(db_look(rig.db, tree, key), "(none)");
    io_sim_set_disk_size(rig.io, 64 << 20);
    struct qtdb_txn *txn = db_begin(rig.db);

    DB(db_put(txn, tree, "later", "1"));
    DB(qtdb_commit(txn));
    db_check(rig.db);
    db_rig_deinit(&rig);
}

/* Puts n00 ... n39, behind all others, and commits. */
static void
append_rows(struct qtdb_txn *txn, struct qtdb_tree *tree)
{
    for (int i = 0; i < 40; i++) {
        char key[24];

        snprintf(key, sizeof(key), "n%02d", i);
        DB(db_put(txn, tree, key, "1"));
    }
    DB(qtdb_commit(txn));
}

/* Whether or not another commit came in between. covers: T1, T2 */
Test(commit, rows_behind_the_last_one_were_not_there_for_older_snapshots)
{
    for (int between = 0; between < 2; between++) {
        struct db_rig rig;

        db_rig_init(&rig, 1);
        struct qtdb_tree *tree = db_tree(rig.db, "t");
        struct qtdb_txn *txn = db_begin(rig.db);

        DB(db_put(txn, tree, "a", "1"));
        DB(db_put(txn, tree, "n39x", "last"));
        DB(qtdb_commit(txn));
        txn = db_begin(rig.db);
        DB(db_delete(txn, tree, "n39x"));
        DB(qtdb_commit(txn));
        struct qtdb_txn *reader = db_begin_read(rig.db);
        struct qtdb_txn *writer = db_begin(rig.db);

        if (between == 1) {
            txn = db_begin(rig.db);
            DB(db_put(txn, tree, "m", "2"));
            DB(qtdb_commit(txn));
        }
        append_rows(writer, tree);
        cr_assert_str_eq(db_get(reader, tree, "a"), "1");
        cr_assert_str_eq(db_get(reader, tree, "m"), "(none)");
        cr_assert_str_eq(db_get(reader, tree, "n00"), "(none)");
        cr_assert_str_eq(db_get(reader, tree, "n39"), "(none)");
        DB(qtdb_commit(reader));
        cr_assert_str_eq(db_look(rig.db, tree, "n00"), "1");
        cr_assert_str_eq(db_look(rig.db, tree, "n39"), "1");
        cr_assert_str_eq(db_look(rig.db, tree, "m"), between == 1 ? "2" : "(none)");
        db_check(rig.db);
        db_rig_deinit(&rig);
    }
}

/* covers: T2 */
Test(commit, rows_put_anew_at_the_end_keep_what_older_snapshots_had)
{
    struct db_rig rig;

    db_rig_init(&rig, 1);
    struct qtdb_tree *tree = db_tree(rig.db, "t");
    struct qtdb_txn *txn = db_begin(rig.db);

    DB(db_put(txn, tree, "a", "1"));
    append_rows(txn, tree);
    struct qtdb_txn *reader = db_begin_read(rig.db);

    txn = db_begin(rig.db);
    for (int i = 0; i < 40; i++) {
        char key[24];

        snprintf(key, sizeof(key), "n%02d", i + 20); /* Half of them are there. */
        DB(db_put(txn, tree, key, "2"));
    }
    DB(qtdb_commit(txn));
    cr_assert_str_eq(db_get(reader, tree, "n20"), "1");
    cr_assert_str_eq(db_get(reader, tree, "n39"), "1");
    cr_assert_str_eq(db_get(reader, tree, "n40"), "(none)");
    DB(qtdb_commit(reader));
    cr_assert_str_eq(db_look(rig.db, tree, "n39"), "2");
    cr_assert_str_eq(db_look(rig.db, tree, "n40"), "2");
    db_check(rig.db);
    db_rig_deinit(&rig);
}
