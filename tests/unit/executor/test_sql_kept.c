/*
 * Goal: a statement that is prepared once and run often keeps its nodes and trees without keeping anything
 * that has changed since: definitions, also those that were rolled back, rows, other transactions, failures.
 * A run after the first takes no memory inside a block.
 * Method: statements bound through qtdb.h on a simulated disk, with a second session that changes things
 * between the runs; allocations are counted, and refused one after the other.
 */
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "executor/session.h"
#include "tests/support/db_rig.h"
#include "tests/support/sql_rows.h"

static struct db_rig rig;
static struct qtdb_session *session;
static struct qtdb_session *other;

static void
setup(void)
{
    db_rig_init(&rig, 1);
    DB(qtdb_session_open(rig.db, &session));
    DB(qtdb_session_open(rig.db, &other));
}

static void
teardown(void)
{
    qtdb_session_close(session);
    qtdb_session_close(other);
    db_rig_deinit(&rig);
}

TestSuite(sql_kept, .init = setup, .fini = teardown);

static void
expect(const char *sql, const char *rows)
{
    sql_expect(session, sql, rows);
}

static struct qtdb_statement *
prepare(const char *sql)
{
    struct qtdb_statement *statement = NULL;

    DB(qtdb_prepare(session, sql, &statement, NULL));
    return statement;
}

/* Runs with $1 and compares the first column of the rows, each followed by a comma. */
static void
expect_run(struct qtdb_statement *statement, int64_t parameter, const char *rows)
{
    char got[256] = "";
    enum qtdb_code code;

    DB(qtdb_bind_i64(statement, 1, parameter));
    while ((code = qtdb_step(statement)) == QTDB_ROW) {
        const char *text = qtdb_column_text(statement, 0, NULL);
        size_t used = strlen(got);

        snprintf(got + used, sizeof(got) - used, "%s,", text != NULL ? text : "NULL");
    }
    cr_assert_eq(code, QTDB_DONE, "%s", qtdb_error_last()->message);
    qtdb_reset(statement);
    cr_assert_str_eq(got, rows);
}

static void
expect_failure(struct qtdb_statement *statement, int64_t parameter, const char *sqlstate)
{
    DB(qtdb_bind_i64(statement, 1, parameter));
    enum qtdb_code code = qtdb_step(statement);
    cr_assert(code != QTDB_ROW && code != QTDB_DONE && code != QTDB_OK);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, sqlstate);
    qtdb_reset(statement);
}

static void
make_table(void)
{
    expect("create table t (id int primary key, n int, s text); create index t_n on t (n); "
           "insert into t select g, g / 2, 's' || g from generate_series(1, 100) g",
           "");
}

Test(sql_kept, a_query_sees_what_has_changed)
{
    make_table();
    struct qtdb_statement *by_key = prepare("select s from t where id = $1");
    struct qtdb_statement *by_index = prepare("select id from t where n = $1 limit 3");
    struct qtdb_statement *range = prepare("select id from t where id > $1 and id < 100");

    for (int i = 0; i < 3; i++) {
        expect_run(by_key, 7, "s7,");
        cr_assert(by_key->parked && by_index->parked == (i > 0));
        expect_run(by_key, 700, "");
        expect_run(by_index, 5, "10,11,");
        expect_run(range, 97, "98,99,");
    }
    sql_expect(other, "update t set s = 'new' where id = 7; update t set n = 5 where id in (1, 2)",
               "");
    expect_run(by_key, 7, "new,");
    expect_run(by_index, 5, "1,2,10,");
    sql_expect(other, "truncate t; insert into t values (7, 5, 'again')", "");
    expect_run(by_key, 7, "again,");
    expect_run(by_index, 5, "7,");
    sql_expect(other,
               "drop table t; create table t (s int, id int primary key, n int); "
               "insert into t values (70, 7, 5)",
               "");
    expect_run(by_key, 7, "70,");
    expect_run(by_index, 5, "7,");
    expect_run(range, 6, "7,");
    sql_expect(other, "drop table t", "");
    expect_failure(by_key, 7, "42P01");
    qtdb_finalize(by_key);
    qtdb_finalize(by_index);
    qtdb_finalize(range);
}

/* What a block defines has a version that another definition has after the block went back. */
Test(sql_kept, what_a_block_defined_is_not_kept)
{
    expect("create table u (id int)", "");
    struct qtdb_statement *get = prepare("select s from t where id = $1");

    expect("begin; create table t (id int primary key, s text); insert into t values (1, 'one')",
           "");
    expect_run(get, 1, "one,");
    expect_run(get, 1, "one,");
    expect("rollback", "");
    sql_expect(other,
               "create table t (s int, id int primary key, more int); insert into t values (5, 1)",
               "");
    expect_run(get, 1, "5,");
    qtdb_finalize(get);
}

Test(sql_kept, snapshots_are_each_runs_own)
{
    make_table();
    struct qtdb_statement *get = prepare("select n from t where id = $1");

    expect_run(get, 10, "5,");
    expect("begin isolation level repeatable read", "");
    expect_run(get, 10, "5,");
    sql_expect(other, "update t set n = 99 where id = 10; alter table t add more int", "");
    expect_run(get, 10, "5,");
    expect("commit", "");
    expect_run(get, 10, "99,");
    expect("begin isolation level serializable", "");
    expect_run(get, 10, "99,");
    expect("commit; begin", "");
    sql_expect(other, "alter table t drop n; alter table t add n int default 3", "");
    expect_run(get, 10, "3,");
    expect("rollback", "");
    qtdb_finalize(get);
}

/* covers: E4 */
Test(sql_kept, a_change_runs_again_after_failures_and_definitions)
{
    make_table();
    struct qtdb_statement *put = prepare("insert into t values ($1, $1, 'x') returning id + 1");
    struct qtdb_statement *up = prepare("update t set n = n + 1 where id = $1 returning n");
    struct qtdb_statement *out = prepare("delete from t where id = $1 returning s");

    for (int i = 0; i < 3; i++) {
        expect_run(put, 1000 + i, i == 0 ? "1001," : i == 1 ? "1002," : "1003,");
        expect_run(up, 1000, i == 0 ? "1001," : i == 1 ? "1002," : "1003,");
        expect_failure(put, 1000, "23505");
        cr_assert(put->change == NULL && up->change != NULL);
    }
    cr_assert_str_eq(qtdb_command_tag(up), "UPDATE 1");
    expect_run(out, 1000, "x,");
    expect_run(out, 1000, "");
    cr_assert_str_eq(qtdb_command_tag(out), "DELETE 0");
    expect("begin", "");
    expect_run(put, 1000, "1001,");
    expect_run(put, 2000, "2001,");
    expect("savepoint a", "");
    expect_run(put, 2001, "2002,");
    expect("rollback to a", "");
    expect_run(put, 2001, "2002,");
    expect("commit; select count(*) from t where id >= 1000", "5\n");
    sql_expect(other, "delete from t where id > 1000; create unique index t_u on t (s)", "");
    expect_failure(put, 3000, "23505");
    sql_expect(other, "drop index t_u; alter table t add check (n < 10000)", "");
    expect_run(put, 3000, "3001,");
    expect_failure(put, 10000, "23514");
    sql_expect(other, "truncate t", "");
    expect_run(put, 1000, "1001,");
    expect("select id, n, s from t where n = 1000", "1000|1000|x\n");
    qtdb_finalize(put);
    qtdb_finalize(up);
    qtdb_finalize(out);
    db_check(rig.db);
}

/* The lock on the definition is one transaction's; the next one takes its own. */
Test(sql_kept, a_run_of_on_conflict_knows_nothing_of_the_last_ones_rows)
{
    expect("create table t (a int primary key, n int)", "");
    struct qtdb_statement *put = prepare("insert into t values (1, $1), (2, $1) on conflict (a) do "
                                         "update set n = t.n + excluded.n returning n");

    expect_run(put, 1, "1,1,");
    expect_run(put, 10, "11,11,");
    expect_run(put, 100, "111,111,");
    qtdb_finalize(put);
    put = prepare("insert into t values (1, 0), ($1, 0) on conflict (a) do update set n = 0");
    expect_failure(put, 1, "21000");
    expect_run(put, 2, "");
    expect_failure(put, 1, "21000");
    qtdb_finalize(put);
    expect("select * from t order by a", "1|0\n2|0\n");
}

Test(sql_kept, each_transaction_locks_the_definition)
{
    make_table();
    struct qtdb_statement *put = prepare("insert into t values ($1, 0, 'y')");

    expect("begin", "");
    expect_run(put, 200, "");
    expect_run(put, 201, "");
    expect("commit; begin", "");
    expect_run(put, 202, "");
    sql_expect(other, "set lock_timeout = 1", "");
    sql_refuse(other, "alter table t add more int", "55P03");
    expect("commit", "");
    expect("begin; insert into t values (300, 0, 'z')", "");
    sql_refuse(other, "alter table t add more int", "55P03");
    expect("commit", "");
    sql_expect(other, "alter table t add more int; select count(*), count(more) from t", "104|0\n");
    qtdb_finalize(put);
}

Test(sql_kept, runs_in_a_block_take_no_memory)
{
    make_table();
    struct qtdb_statement *get = prepare("select s, n from t where id = $1");
    struct qtdb_statement *none = prepare("select s, n from t where id = $1 and n = 7");

    expect("begin", "");
    for (int i = 0; i < 2; i++) {
        expect_run(get, 7, "s7,");
        expect_run(none, 7, "");
    }
    uint64_t count = memory_alloc_count(rig.memory);
    for (int i = 0; i < 50; i++) {
        DB(qtdb_bind_i64(get, 1, i + 1));
        cr_assert_eq(qtdb_step(get), QTDB_ROW);
        cr_assert_eq(qtdb_column_i64(get, 1), (i + 1) / 2);
        cr_assert_not_null(qtdb_column_text(get, 0, NULL));
        qtdb_reset(get);
        expect_run(none, 7, "");
    }
    cr_assert_eq(memory_alloc_count(rig.memory), count);
    expect("rollback", "");
    qtdb_finalize(get);
    qtdb_finalize(none);
}

/* Texts of many sizes go through one place of a parameter. */
Test(sql_kept, parameters_of_any_size_follow_each_other)
{
    struct qtdb_statement *size = prepare("select octet_length($1::text), $1::text");
    char text[300];

    memset(text, 'a', sizeof(text));
    for (int i = 0; i < 600; i++) {
        size_t length = (size_t)(i * 37) % sizeof(text), got = 0;

        text[0] = (char)('a' + i % 26);
        if (i % 7 == 3)
            DB(qtdb_bind_null(size, 1));
        DB(qtdb_bind_text(size, 1, text, length));
        cr_assert_eq(qtdb_step(size), QTDB_ROW);
        cr_assert_eq(qtdb_column_i64(size, 0), (int64_t)length);
        const char *back = qtdb_column_text(size, 1, &got);
        cr_assert(got == length && memcmp(back, text, length) == 0);
        qtdb_reset(size);
    }
    qtdb_finalize(size);
}

/* Each allocation of a second run refused in turn: it fails with 53200 or does without, and the one after
 * works. */
Test(sql_kept, a_run_survives_every_refused_allocation)
{
    make_table();
    struct qtdb_statement *get = prepare("select s from t where n = $1");
    struct qtdb_statement *up = prepare("update t set n = n where id = $1 returning s");

    for (int which = 0; which < 2; which++) {
        struct qtdb_statement *statement = which == 0 ? get : up;
        bool failed = true;

        for (uint64_t index = 0; failed; index++) {
            expect_run(statement, which == 0 ? 4 : 8, which == 0 ? "s8,s9," : "s8,");
            cr_assert_lt(index, 1000);
            memory_fail_at(rig.memory, index, false);
            DB(qtdb_bind_i64(statement, 1, which == 0 ? 4 : 8));
            enum qtdb_code code = qtdb_step(statement);
            failed = memory_failed(rig.memory);
            memory_fail_at(rig.memory, UINT64_MAX, false);
            cr_assert(code == QTDB_ROW || (failed && code == QTDB_NO_MEMORY));
            qtdb_reset(statement);
        }
    }
    qtdb_finalize(get);
    qtdb_finalize(up);
}

static struct qtdb_session_statistics
statistics(void)
{
    struct qtdb_session_statistics out = {.size = sizeof(out)};

    qtdb_session_get_statistics(session, &out);
    return out;
}

Test(sql_kept, the_cache_counts)
{
    char sql[64];

    make_table();
    struct qtdb_session_statistics before = statistics(), after;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < STATEMENT_CACHE_MAX + 20; i++) {
            snprintf(sql, sizeof(sql), "select %d", round * 10000 + i);
            DB(qtdb_exec(session, sql, NULL, NULL));
            DB(qtdb_exec(session, sql, NULL, NULL));
        }
    }
    after = statistics();
    cr_assert_eq(after.cached_count, STATEMENT_CACHE_MAX);
    cr_assert_eq(after.cache_miss_count - before.cache_miss_count, 240);
    cr_assert_eq(after.cache_hit_count - before.cache_hit_count, 240);
    cr_assert_eq(after.prepared_count - before.prepared_count, 240);
    cr_assert_eq(after.cache_eviction_count + STATEMENT_CACHE_MAX,
                 before.cache_eviction_count + before.cached_count + 240);
    cr_assert_geq(after.preparation_ns, before.preparation_ns);
    expect("select count(*) from t; select s from t where id = 1; select id from t where n = 2; "
           "select count(s) from t where n = 2; select count(*) from t where id < 5",
           "100\ns1\n4\n5\n2\n4\n");
    struct qtdb_session_statistics last = statistics();
    cr_assert_eq(last.scan_all_count, after.scan_all_count + 1);
    cr_assert_eq(last.scan_key_count, after.scan_key_count + 1);
    cr_assert_eq(last.scan_key_range_count, after.scan_key_range_count + 1);
    cr_assert_eq(last.scan_index_count, after.scan_index_count + 1);
    cr_assert_eq(last.scan_index_only_count, after.scan_index_only_count + 1);
    /* A caller of an earlier version knows fewer. */
    struct qtdb_session_statistics few = {
        .size = offsetof(struct qtdb_session_statistics, cache_miss_count)};
    qtdb_session_get_statistics(session, &few);
    cr_assert(few.cache_hit_count == last.cache_hit_count && few.scan_all_count == 0);
}

Test(sql_kept, a_plan_is_made_anew_after_many_uses_and_changes)
{
    make_table();
    struct qtdb_statement *get = prepare("select s from t where id = $1");
    uint64_t prepared = statistics().prepared_count;

    for (int i = 0; i < 2500; i++)
        expect_run(get, 7, "s7,");
    cr_assert_eq(statistics().prepared_count, prepared + 3);
    sql_expect(other, "alter table t add more int", "");
    expect_run(get, 7, "s7,");
    cr_assert_eq(statistics().prepared_count, prepared + 4);
    DB(qtdb_bind_text(get, 1, "7", 1));
    cr_assert_eq(qtdb_step(get), QTDB_ROW);
    cr_assert_eq(statistics().prepared_count, prepared + 5);
    qtdb_finalize(get);
}

/* Thousands of sessions a database: one that has run a block and waits holds little. The statements that its
 * cache keeps come to that: parse and plan, and no rooms for rows. */
Test(sql_kept, an_idle_session_is_small)
{
    enum { SESSIONS = 100, SESSION_SIZE_MAX = 16 * 1024 };
    struct qtdb_session *many[SESSIONS];

    make_table();
    DB(qtdb_exec(session, "select s from t where id = 1", NULL, NULL));
    uint64_t before = memory_used(rig.memory, MEMORY_SQL);
    for (int i = 0; i < SESSIONS; i++) {
        DB(qtdb_session_open(rig.db, &many[i]));
        DB(qtdb_exec(many[i],
                     "set work_mem = '1MB'; begin isolation level repeatable read; "
                     "savepoint a; rollback to a; commit",
                     NULL, NULL));
    }
    uint64_t opened = memory_used(rig.memory, MEMORY_SQL) - before;
    cr_assert_lt(opened / SESSIONS, SESSION_SIZE_MAX, "%llu bytes a session",
                 (unsigned long long)(opened / SESSIONS));
    for (int i = 0; i < SESSIONS; i++)
        DB(qtdb_exec(many[i], "select s from t where id = 1", NULL, NULL));
    uint64_t cached = memory_used(rig.memory, MEMORY_SQL) - before - opened;
    cr_assert_lt(cached / SESSIONS, 2 * SESSION_SIZE_MAX + 2048, "%llu bytes a statement",
                 (unsigned long long)(cached / SESSIONS));
    for (int i = 0; i < SESSIONS; i++)
        qtdb_session_close(many[i]);
    cr_assert_eq(memory_used(rig.memory, MEMORY_SQL), before);
}
