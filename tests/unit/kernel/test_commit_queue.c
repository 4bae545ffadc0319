/*
 * Goal: commits that meet are made by one of them and cost one write; each hears its own outcome, with
 * its own message, whether applied, refused, in need of something, or unknown after a failed write.
 * Method: threads that commit while the test holds the attempt latch, so that all of them are in one
 * group when it is let go; the order of the group is the order in which they were started.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#include "kernel/kernel_private.h"
#include "tests/support/db_rig.h"

enum { GROUP = 8 };

struct committer {
    pthread_t thread;
    struct qtdb_txn *txn;
    enum qtdb_code code;
    char message[512];
};

struct group {
    struct db_rig rig;
    struct qtdb_tree *tree;
    struct committer committers[GROUP];
    uint32_t count;
};

/* Not through commit_queue.c: waits until `count` requests are listed. */
static void
await_length(struct qtdb *db, uint32_t count)
{
    for (;;) {
        latch_lock(&db->commit_queue.latch);
        uint32_t length = db->commit_queue.length;

        latch_unlock(&db->commit_queue.latch);
        if (length == count)
            return;
        sync_pause();
    }
}

static void *
commit_one(void *argument)
{
    struct committer *committer = argument;

    committer->code = qtdb_commit(committer->txn);
    if (committer->code != QTDB_OK)
        snprintf(committer->message, sizeof(committer->message), "%s", qtdb_error_last()->message);
    return NULL;
}

static void
group_init(struct group *group)
{
    memset(group, 0, sizeof(*group));
    db_rig_init(&group->rig, 1);
    group->tree = db_tree(group->rig.db, "t");
    latch_lock(&group->rig.db->attempt_latch);
}

/* Starts the commit of a transaction; it is in the queue when this returns. */
static void
join_group(struct group *group, struct qtdb_txn *txn)
{
    struct committer *committer = &group->committers[group->count++];

    committer->txn = txn;
    cr_assert_eq(pthread_create(&committer->thread, NULL, commit_one, committer), 0);
    await_length(group->rig.db, group->count);
}

static void
let_go(struct group *group)
{
    latch_unlock(&group->rig.db->attempt_latch);
    for (uint32_t i = 0; i < group->count; i++)
        cr_assert_eq(pthread_join(group->committers[i].thread, NULL), 0);
    cr_assert_null(group->rig.db->commit_queue.first);
}

static uint64_t
frame_count(struct qtdb *db)
{
    struct pager_statistics statistics;

    pager_get_statistics(db->pager, &statistics);
    return statistics.log.frame_count;
}

static struct qtdb_txn *
writer_of(struct group *group, const char *key, const char *value)
{
    struct qtdb_txn *txn = db_begin(group->rig.db);

    DB(db_put(txn, group->tree, key, value));
    return txn;
}

/* covers: T5 */
Test(commit_queue, a_group_is_one_write_and_all_of_it_is_durable)
{
    struct io_sim_crash crash = {.mode = IO_SIM_CRASH_LOST};
    struct group group;
    char key[16];

    group_init(&group);
    uint64_t frames = frame_count(group.rig.db);

    for (int i = 0; i < GROUP; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        join_group(&group, writer_of(&group, key, "1"));
    }
    let_go(&group);
    for (int i = 0; i < GROUP; i++)
        cr_assert_eq(group.committers[i].code, QTDB_OK);
    cr_assert_eq(frame_count(group.rig.db), frames + 1);
    db_rig_crash(&group.rig, &crash);
    db_rig_open(&group.rig);
    group.tree = db_tree(group.rig.db, "t");
    for (int i = 0; i < GROUP; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        cr_assert_str_eq(db_look(group.rig.db, group.tree, key), "1");
    }
    db_check(group.rig.db);
    db_rig_deinit(&group.rig);
}

/* covers: T3, T4 */
Test(commit_queue, a_refused_commit_hears_why_and_the_others_go_through)
{
    struct group group;
    struct qtdb_txn *skewed[2];

    group_init(&group);
    /* Each reads what the other writes: one of the two must be refused, the later one. */
    skewed[0] = db_begin(group.rig.db);
    skewed[1] = db_begin(group.rig.db);
    cr_assert_str_eq(db_get(skewed[0], group.tree, "b"), "(none)");
    cr_assert_str_eq(db_get(skewed[1], group.tree, "a"), "(none)");
    DB(db_put(skewed[0], group.tree, "a", "1"));
    DB(db_put(skewed[1], group.tree, "b", "1"));
    join_group(&group, writer_of(&group, "x", "1"));
    join_group(&group, skewed[0]);
    join_group(&group, skewed[1]);
    join_group(&group, writer_of(&group, "y", "1"));
    let_go(&group);
    cr_assert_eq(group.committers[0].code, QTDB_OK);
    cr_assert_eq(group.committers[1].code, QTDB_OK);
    cr_assert_eq(group.committers[2].code, QTDB_CONFLICT);
    cr_assert_gt(strlen(group.committers[2].message), 0);
    cr_assert_eq(group.committers[3].code, QTDB_OK);
    cr_assert_str_eq(db_look(group.rig.db, group.tree, "a"), "1");
    cr_assert_str_eq(db_look(group.rig.db, group.tree, "b"), "(none)");
    cr_assert_str_eq(db_look(group.rig.db, group.tree, "y"), "1");
    db_check(group.rig.db);
    db_rig_deinit(&group.rig);
}

/* The leader's own refusal, too. covers: T3 */
Test(commit_queue, a_refused_leader_still_commits_the_others)
{
    struct group group;
    struct qtdb_txn *txn;

    group_init(&group);
    latch_unlock(&group.rig.db->attempt_latch);
    txn = db_begin(group.rig.db);
    cr_assert_str_eq(db_get(txn, group.tree, "a"), "(none)");
    DB(db_put(txn, group.tree, "b", "1"));
    struct qtdb_txn *other = writer_of(&group, "a", "2");

    DB(qtdb_commit(other));
    latch_lock(&group.rig.db->attempt_latch);
    join_group(&group, txn);
    join_group(&group, writer_of(&group, "c", "3"));
    let_go(&group);
    cr_assert_eq(group.committers[0].code, QTDB_CONFLICT);
    cr_assert_gt(strlen(group.committers[0].message), 0);
    cr_assert_eq(group.committers[1].code, QTDB_OK);
    cr_assert_str_eq(db_look(group.rig.db, group.tree, "c"), "3");
    db_rig_deinit(&group.rig);
}

/* Rows enough that pages split and the file and the buffers of changes have to grow. */
Test(commit_queue, what_a_group_lacks_is_fetched)
{
    struct group group;
    char key[32];
    char value[900];

    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    group_init(&group);
    for (int i = 0; i < GROUP; i++) {
        struct qtdb_txn *txn = db_begin(group.rig.db);

        for (int row = 0; row < 16; row++) {
            snprintf(key, sizeof(key), "k%03d/%d", row, i);
            DB(db_put(txn, group.tree, key, value));
        }
        join_group(&group, txn);
    }
    let_go(&group);
    for (int i = 0; i < GROUP; i++) {
        cr_assert_eq(group.committers[i].code, QTDB_OK, "%s", group.committers[i].message);
        snprintf(key, sizeof(key), "k015/%d", i);
        cr_assert_str_eq(db_look(group.rig.db, group.tree, key), value);
    }
    db_check(group.rig.db);
    db_rig_deinit(&group.rig);
}

/* covers: T5 */
Test(commit_queue, a_failed_write_is_no_acknowledgement_for_anyone)
{
    struct group group;
    char key[16];

    group_init(&group);
    for (int i = 0; i < GROUP; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        join_group(&group, writer_of(&group, key, "1"));
    }
    io_sim_fail_at(group.rig.io, 0, IO_SIM_FAULT_EIO, true);
    let_go(&group);
    io_sim_fail_at(group.rig.io, UINT64_MAX, IO_SIM_FAULT_NONE, false);
    for (int i = 0; i < GROUP; i++) {
        cr_assert_neq(group.committers[i].code, QTDB_OK);
        cr_assert_not_null(strstr(group.committers[i].message, "unknown"), "%s",
                           group.committers[i].message);
    }
    db_rig_kill(&group.rig);
    db_rig_open(&group.rig);
    db_check(group.rig.db);
    db_rig_deinit(&group.rig);
}

Test(commit_queue, takes_small_synchronous_commits_without_ddl)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .durability = QTDB_ASYNC};
    struct group group;
    struct qtdb_txn *txn;

    group_init(&group);
    latch_unlock(&group.rig.db->attempt_latch);
    txn = writer_of(&group, "a", "1");
    cr_assert(commit_queue__takes(txn));
    txn->write_size = 1 << 20;
    cr_assert(!commit_queue__takes(txn));
    qtdb_rollback(txn);
    DB(qtdb_begin(group.rig.db, &options, &txn));
    cr_assert(!commit_queue__takes(txn));
    qtdb_rollback(txn);
    txn = db_begin(group.rig.db);
    txn->has_ddl = true;
    cr_assert(!commit_queue__takes(txn));
    txn->has_ddl = false;
    qtdb_rollback(txn);
    db_rig_deinit(&group.rig);
}
