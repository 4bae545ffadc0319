/*
 * Goal: FOR UPDATE, FOR SHARE and LOCK TABLE keep other sessions out to the end of the transaction, SKIP
 * LOCKED and NOWAIT do not wait, LIMIT locks no more than it gives, and what meets a changed row gives the
 * new one; CHECKPOINT and DISCARD do what they say; nothing leaks at any refused allocation.
 * Method: two sessions on a simulated disk, one of them in a thread of its own where it has to wait.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor/session.h"
#include "tests/support/sql_rig.h"

static struct qtdb_session *other;

static void
setup(void)
{
    sql_rig_open();
    cr_assert_eq(qtdb_session_open(rig.db, &other), QTDB_OK);
    sql_expect(session,
               "create table t (id int primary key, n int);"
               "insert into t select x, x * 10 from generate_series(1, 6) x",
               "");
}

static void
teardown(void)
{
    qtdb_session_close(other);
    sql_rig_close();
}

TestSuite(sql_locks, .init = setup, .fini = teardown);

static void
expect_other(const char *sql, const char *rows)
{
    sql_expect(other, sql, rows);
}

/* Rows. */

Test(sql_locks, an_exclusive_row_is_nobody_elses)
{
    expect("begin; select n from t where id = 1 for update", "10\n");
    sql_refuse(other, "select n from t where id = 1 for update nowait", "55P03");
    sql_refuse(other, "select n from t where id = 1 for share nowait", "55P03");
    expect_other("select n from t where id = 1", "10\n");
    expect_other("select id from t where id < 4 order by id for update skip locked", "2\n3\n");
    /* LOCAL counts from the next statement on. */
    expect_other("set lock_timeout = 0; begin; set local lock_timeout = '10ms'", "");
    sql_refuse(other, "update t set n = 0 where id = 1", "55P03");
    expect_other("rollback", "");
    expect_other("set lock_timeout = '10ms'", "");
    sql_refuse(other, "update t set n = 0 where id = 1", "55P03");
    expect("select n from t where id = 1 for update; commit", "10\n");
    expect_other("update t set n = 11 where id = 1 returning n", "11\n");
}

Test(sql_locks, a_shared_row_is_read_but_not_written)
{
    expect("begin; select n from t where id = 1 for key share", "10\n");
    expect_other("select n from t where id = 1 for share nowait", "10\n");
    sql_refuse(other, "select n from t where id = 1 for no key update nowait", "55P03");
    expect("rollback", "");
    expect_other("select n from t where id = 1 for no key update nowait", "10\n");
}

Test(sql_locks, limit_locks_what_it_gives)
{
    expect("begin; select id from t order by n desc limit 2 for update", "6\n5\n");
    expect_other("begin; select id from t order by n desc limit 2 for update skip locked",
                 "4\n3\n");
    expect_other("select id from t for update skip locked", "1\n2\n3\n4\n");
    expect("select id from t order by id offset 4 limit 9 for update skip locked", "");
    expect("commit", "");
    expect_other("commit", "");
}

Test(sql_locks, a_queue_is_taken_from_by_two)
{
    static const char take[] =
        "delete from t where id in (select id from t order by id limit 1 for update skip locked) "
        "returning id";

    expect("begin", "");
    expect(take, "1\n");
    expect_other("begin", "");
    expect_other(take, "2\n");
    expect(take, "3\n");
    expect("commit", "");
    expect_other("rollback", "");
    expect_other("select id from t", "2\n4\n5\n6\n");
}

Test(sql_locks, of_names_the_tables)
{
    expect("create table u (k int); insert into u values (1), (2)", "");
    expect("begin; select k, n from t join u on k = id order by k for update of u", "1|10\n2|20\n");
    expect_other("select n from t where id = 1 for update nowait", "10\n");
    expect_other("select k from u for share skip locked", "");
    expect("commit; begin; select k from u, t where k = id and k = 2 for share for update of t",
           "2\n");
    sql_refuse(other, "select n from t where id = 2 for share nowait", "55P03");
    expect_other("select k from u for share nowait", "1\n2\n");
    expect("commit", "");
}

/* covers: E1 */
Test(sql_locks, what_cannot_be_locked_is_refused)
{
    static const char *const refused[][2] = {
        {"select count(*) from t for update", "0A000"},
        {"select n from t group by n for share", "0A000"},
        {"select distinct n from t for update", "0A000"},
        {"select sum(n) over () from t for update", "0A000"},
        {"select n from t union select 1 for update", "0A000"},
        {"values (1) for update", "0A000"},
        {"select * from t left join t u on true for update", "0A000"},
        {"select * from (select * from t) q for update", "0A000"},
        {"select * from t for update of u", "42P01"},
        {"select * from t for update of public.t", "42601"},
        {"create view v as select * from t for update", "0A000"},
        {"with q as (select 1) select * from q for update of q", "0A000"},
    };

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        sql_refuse(session, refused[i][0], refused[i][1]);
    expect("begin read only", "");
    sql_refuse(session, "select * from t for update", "25006");
    expect("rollback", "");
    expect("select t.id from t left join t u on u.id = 0 where t.id = 3 for update of t", "3\n");
    expect("with q as (select 7) select id, q.* from t, q where id = 1 for update", "1|7\n");
}

/* Waiting. */

struct rival {
    const char *sql;
    enum qtdb_code code;
    char sqlstate[6];
    char row[40];
    _Atomic bool ended;
};

static bool
keep_row(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    struct rival *rival = context;

    (void)names;
    snprintf(rival->row, sizeof(rival->row), "%u:%s", count, values[0]);
    return true;
}

static void *
run_rival(void *context)
{
    struct rival *rival = context;

    rival->code = qtdb_exec(other, rival->sql, keep_row, rival);
    if (rival->code != QTDB_OK)
        snprintf(rival->sqlstate, sizeof(rival->sqlstate), "%s", qtdb_error_last()->sqlstate);
    atomic_store(&rival->ended, true);
    return NULL;
}

static uint64_t
lock_waits(void)
{
    struct qtdb_statistics statistics = {.size = sizeof(statistics)};

    qtdb_get_statistics(rig.db, &statistics);
    return statistics.lock_wait_count;
}

/* The rival begins while our block is open and has to wait for its end. */
static struct rival
race(const char *ours, const char *theirs, const char *end)
{
    struct rival rival = {.code = QTDB_FAILED, .sql = theirs};
    uint64_t waits = lock_waits();
    pthread_t thread;

    expect("begin", "");
    (void)sql_rows(session, ours);
    cr_assert_eq(pthread_create(&thread, NULL, run_rival, &rival), 0);
    while (lock_waits() == waits && !atomic_load(&rival.ended))
        sched_yield();
    bool waited = !atomic_load(&rival.ended);
    expect(end, "");
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert(waited, "%s did not wait for: %s", theirs, ours);
    return rival;
}

Test(sql_locks, a_query_that_waited_gives_the_new_row)
{
    struct rival rival = race("update t set n = 99 where id = 1",
                              "select n from t where id = 1 for update", "commit");
    cr_assert_eq(rival.code, QTDB_OK);
    cr_assert_str_eq(rival.row, "1:99");
    rival = race("update t set n = 50 where id = 1", "select n from t where n = 99 for share",
                 "commit");
    cr_assert_eq(rival.code, QTDB_OK);
    cr_assert_str_eq(rival.row, "");
    rival = race("update t set n = 51 where id = 1", "select n from t where n = 50 for share",
                 "rollback");
    cr_assert_str_eq(rival.row, "1:50");
    rival = race("update t set n = 52 where id = 1",
                 "begin isolation level repeatable read; select n from t where id = 2;"
                 "select n from t where id = 1 for update",
                 "commit");
    cr_assert_str_eq(rival.sqlstate, "40001");
}

Test(sql_locks, a_table_is_locked_to_the_end_of_the_block)
{
    sql_refuse(session, "lock table t", "25P01");
    expect("begin; lock table t in row exclusive mode; commit", "");
    struct rival rival =
        race("lock table t", "update t set n = 1 where id = 1 returning n", "commit");
    cr_assert_eq(rival.code, QTDB_OK);
    expect("begin; insert into t values (7, 70)", "");
    expect_other("begin; lock table t in access share mode nowait; commit", "");
    expect_other("begin", "");
    sql_refuse(other, "lock table t in share mode nowait", "55P03");
    expect_other("rollback; begin", "");
    sql_refuse(other, "lock table nosuch", "42P01");
    expect_other("rollback; select count(*) from t", "6\n");
    expect("commit", "");
}

/* What is about the session and the file. */

Test(sql_locks, discard)
{
    expect("create sequence s; select nextval('s'); discard sequences", "1\n");
    sql_refuse(session, "select currval('s')", "55000");
    expect("create temp table w (a int) on commit drop; create temp table v (a int)", "");
    expect("begin; insert into v values (1); discard temp; commit", "");
    sql_refuse(session, "select * from v", "42P01");
    expect("create temp table v (a int); insert into v values (2); select * from v", "2\n");
    expect("prepare p as select 1; set work_mem = '2MB'; select nextval('s')", "2\n");
    expect("begin", "");
    sql_refuse(session, "discard all", "25001");
    sql_refuse(session, "discard plans", "25P02");
    sql_refuse(session, "checkpoint", "25P02");
    expect("rollback; discard plans; execute p; discard all; show work_mem", "1\n64MB\n");
    sql_refuse(session, "execute p", "26000");
    sql_refuse(session, "select lastval()", "55000");
    sql_refuse(session, "select * from v", "42P01");
}

Test(sql_locks, checkpoint)
{
    struct qtdb_statistics before = {.size = sizeof(before)}, after = {.size = sizeof(after)};

    qtdb_get_statistics(rig.db, &before);
    expect("insert into t values (100, 1); checkpoint; begin; checkpoint; commit", "");
    qtdb_get_statistics(rig.db, &after);
    cr_assert_geq(after.checkpoint_count, before.checkpoint_count + 1);
}

/* covers: E4 */
Test(sql_locks, survives_every_refused_allocation)
{
    static const char *const statements[] = {
        "select id from t order by n limit 2 for update skip locked",
        "begin; lock table t; commit",
        "create table l (like t including all)",
    };

    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        bool failed = true;

        for (uint64_t index = 0; failed; index++) {
            memory_fail_at(rig.memory, index, false);
            enum qtdb_code code = qtdb_exec(session, statements[i], NULL, NULL);
            failed = memory_failed(rig.memory);
            memory_fail_at(rig.memory, UINT64_MAX, false);
            cr_assert_lt(index, 100000);
            cr_assert(code == QTDB_OK || (failed && code == QTDB_NO_MEMORY), "%s at %llu: %s",
                      statements[i], (unsigned long long)index, qtdb_error_last()->message);
            enum qtdb_code end = qtdb_exec(session, "rollback", NULL, NULL);
            cr_assert(end == QTDB_OK || end == QTDB_FAILED);
            expect_other("select count(*) from (select id from t for update nowait) q", "6\n");
            if (code == QTDB_OK && i == 2)
                expect("drop table l", "");
        }
    }
}

/* On a disk, for the simulated one's clock stands while a lock is waited for. */
Test(sql_locks, a_statements_time_ends_its_wait)
{
    struct qtdb_options options = {.size = sizeof(options), .create = true, .no_threads = true};
    struct qtdb_session *first = NULL, *second = NULL;
    struct qtdb *db = NULL;
    char path[200];

    (void)snprintf(path, sizeof(path), "%s/test_sql_locks.%d.qtdb",
                   getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp", (int)getpid());
    cr_assert_eq(qtdb_open(path, &options, &db), QTDB_OK);
    cr_assert_eq(qtdb_session_open(db, &first), QTDB_OK);
    cr_assert_eq(qtdb_session_open(db, &second), QTDB_OK);
    sql_expect(first, "create table w (id int primary key)", "");
    sql_expect(first, "insert into w values (1); begin; select id from w for update", "1\n");
    sql_expect(second, "set statement_timeout = '20ms'", "");
    sql_refuse(second, "delete from w", "57014");
    sql_refuse(second, "select id from w for update nowait", "55P03");
    sql_expect(second, "set lock_timeout = '5ms'; set statement_timeout = '1min'", "");
    sql_refuse(second, "delete from w", "55P03");
    sql_expect(first, "rollback", "");
    qtdb_session_close(first);
    qtdb_session_close(second);
    cr_assert_eq(qtdb_close(db), QTDB_OK);
    (void)unlink(path);
}
