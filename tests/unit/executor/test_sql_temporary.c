/*
 * Goal: a temporary table is its session's alone, hides others of its name, goes when the session closes or,
 * after a crash, when the next one is made, and does at COMMIT what it was told to; nothing leaks or stays at any
 * refused allocation.
 * Method: two sessions on a simulated disk; the catalog is counted through the kernel's trees.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "executor/session.h"
#include "tests/support/db_rig.h"
#include "tests/support/sql_rows.h"

static struct db_rig rig;
static struct qtdb_session *session, *other;

static void
setup(void)
{
    db_rig_init(&rig, 1);
    cr_assert_eq(qtdb_session_open(rig.db, &session), QTDB_OK);
    cr_assert_eq(qtdb_session_open(rig.db, &other), QTDB_OK);
}

static void
teardown_sessions(void)
{
    qtdb_session_close(other);
    qtdb_session_close(session);
    session = other = NULL;
}

static void
teardown(void)
{
    teardown_sessions();
    db_rig_deinit(&rig);
}

TestSuite(sql_temporary, .init = setup, .fini = teardown);

static void
expect_in(struct qtdb_session *where, const char *sql, const char *rows)
{
    sql_expect(where, sql, rows);
}

static void
expect(const char *sql, const char *rows)
{
    expect_in(session, sql, rows);
}

static void
refuse_in(struct qtdb_session *where, const char *sql, const char *sqlstate)
{
    cr_assert_neq(qtdb_exec(where, sql, NULL, NULL), QTDB_OK, "%s", sql);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, sqlstate, "%s: %s", sql,
                     qtdb_error_last()->message);
}

static void
count_tree(void *context, const char *name)
{
    *(uint32_t *)context += strncmp(name, "sql/t", 5) == 0 || strncmp(name, "sql/u", 5) == 0;
}

/* Trees of tables and indexes. */
static uint32_t
tree_count(void)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .read_only = true};
    struct qtdb_txn *txn = NULL;
    uint32_t count = 0;

    cr_assert_eq(qtdb_begin(rig.db, &options, &txn), QTDB_OK);
    cr_assert_eq(qtdb_tree_list(txn, count_tree, &count), QTDB_OK);
    qtdb_rollback(txn);
    return count;
}

Test(sql_temporary, belongs_to_its_session)
{
    expect("create table t (a int); insert into t values (1)", "");
    expect("create temp table t (a int primary key, b text unique, c serial)", "");
    expect("insert into t (a, b) values (10, 'x') returning *", "10|x|1\n");
    expect("select a from t; select a from pg_temp.t; select a from public.t", "10\n10\n1\n");
    expect_in(other, "select * from t", "1\n");
    refuse_in(other, "select * from pg_temp.t", "42P01");
    expect_in(other, "create temporary table t (z int); insert into t values (7); select * from t",
              "7\n");
    expect("select a from t", "10\n");
    expect("drop table t; select a from t", "1\n");
    expect("create table pg_temp.u as select 5 as five; select * from u", "5\n");
    expect("create temp table w as select 6 as six; alter table w rename to v; select * from v",
           "6\n");
    expect("create index on v (six); update v set six = 8; select six from v where six = 8", "8\n");
    expect("create temp sequence s; select nextval('s'), nextval('pg_temp.s')", "1|2\n");
    refuse_in(other, "select nextval('s')", "42P01");
}

Test(sql_temporary, views_belong_to_their_session)
{
    expect("create table t (a int); insert into t values (1); create temp table x (b int); insert "
           "into x values (5); create temp view v as select a, b from t, x; create view "
           "pg_temp.w as select a from v",
           "");
    expect("select * from v; select * from w", "1|5\n1\n");
    refuse_in(other, "select * from v", "42P01");
    expect_in(other, "create view v as select 'theirs' as b; select * from v", "theirs\n");
    expect("select * from v; select * from public.v", "1|5\ntheirs\n");
    expect("select viewname from pg_views order by 1", "v\nv\nw\n");
    expect_in(other, "select viewname from pg_views", "v\n");
    expect("select count(*) from qtdb_definitions", "2\n"); /* t, and the other's view. */
    expect("drop view w, v; select * from v", "theirs\n");
    expect("create temp view v as select 2 as two", "");
    qtdb_session_close(session);
    cr_assert_eq(qtdb_session_open(rig.db, &session), QTDB_OK);
    expect("select * from v; select count(*) from pg_views", "theirs\n1\n");
}

Test(sql_temporary, is_shown_to_its_session_alone)
{
    expect("create temp table t (a int primary key)", "");
    expect("select tablename from pg_tables", "t\n");
    expect("select count(*) from qtdb_definitions", "0\n");
    expect_in(other, "select count(*) from pg_tables", "0\n");
    expect_in(other, "select count(*) from information_schema.columns", "0\n");
    expect_in(
        other,
        "select schema_name from information_schema.schemata where schema_name like 'pg_temp%'",
        "");
}

Test(sql_temporary, another_sessions_is_refused_by_name)
{
    char sql[200];

    expect("create temp table t (a int)", "");
    snprintf(sql, sizeof(sql), "%s\n", session->temporary);
    expect("select schemaname from pg_tables", sql);
    snprintf(sql, sizeof(sql), "select * from %s.t", session->temporary);
    expect(sql, "");
    refuse_in(other, sql, "0A000");
    snprintf(sql, sizeof(sql), "create table %s.u (a int)", session->temporary);
    refuse_in(other, sql, "0A000");
}

Test(sql_temporary, goes_with_the_session)
{
    uint32_t before = tree_count();

    expect("create temp table t (a int primary key, b int unique); insert into t values (1, 2)",
           "");
    expect("begin; create temp table u (a int); insert into u values (1); rollback", "");
    refuse_in(session, "select * from u", "42P01");
    cr_assert_eq(tree_count(), before + 2);
    expect("begin; insert into t values (2, 3)", "");
    qtdb_session_close(session);
    session = NULL;
    cr_assert_eq(tree_count(), before);
}

/* covers: E4 */
Test(sql_temporary, what_a_crash_leaves_goes_with_the_next)
{
    uint32_t before = tree_count();

    expect("create temp table t (a int primary key); insert into t values (1)", "");
    session->temporary[0] = '\0'; /* Closing does nothing, as if it never came to it. */
    teardown_sessions();
    db_rig_close(&rig);
    db_rig_open(&rig);
    cr_assert_eq(qtdb_session_open(rig.db, &session), QTDB_OK);
    cr_assert_eq(tree_count(), before + 1);
    refuse_in(session, "select * from t", "42P01");
    expect("select count(*) from pg_tables", "0\n");
    expect("create temp table u (a int)", "");
    cr_assert_eq(tree_count(), before + 1);
    expect("drop table u", "");
    cr_assert_eq(tree_count(), before);
}

Test(sql_temporary, on_commit)
{
    expect("create temp table k (a int) on commit preserve rows", "");
    expect("create temp table d (a int primary key) on commit delete rows", "");
    expect("insert into d values (1); select count(*) from d", "0\n");
    expect("begin; insert into k values (1); insert into d values (1), (2); select count(*) from d",
           "2\n");
    expect("commit; select count(*) from d; select count(*) from k", "0\n1\n");
    expect("begin; insert into d values (1); rollback; select count(*) from d", "0\n");
    expect("create temp table x (a int) on commit drop", "");
    refuse_in(session, "select * from x", "42P01");
    expect("begin; create temp table x on commit drop as select 3 as a; select * from x", "3\n");
    expect("commit", "");
    refuse_in(session, "select * from x", "42P01");
    /* A new table of the name has its own rule. */
    expect("create temp table x (a int); insert into x values (1); select * from x", "1\n");
    expect("create temp table if not exists x (a int) on commit drop; select * from x", "1\n");
    cr_assert_eq(qtdb_exec(session, "explain analyze insert into d values (1)", NULL, NULL),
                 QTDB_OK);
    expect("select count(*) from d", "0\n");
    expect("begin read only; select count(*) from d; commit", "0\n");
}

Test(sql_temporary, refuses)
{
    expect("create table t (a int primary key); create temp table x (a int primary key)", "");
    refuse_in(session, "create table y (a int) on commit drop", "42P16");
    refuse_in(session, "create temp table public.y (a int)", "42P16");
    refuse_in(session, "create table y (a int references x)", "42P16");
    refuse_in(session, "create temp table y (a int references t)", "42P16");
    expect("create temp table y (a int references x)", "");
    refuse_in(session, "create view v as select * from x", "42P01");
    refuse_in(session, "alter table x set schema public", "0A000");
    refuse_in(session, "alter table t set schema pg_temp", "0A000");
    refuse_in(session, "create unlogged table u (a int)", "0A000");
    refuse_in(session, "create schema pg_temp_1", "42939");
    refuse_in(session, "create temp table x (a int)", "42P07");
}

/* covers: E4 */
Test(sql_temporary, survives_every_refused_allocation)
{
    bool failed = true;

    expect("create temp table k (a int) on commit delete rows", "");
    for (uint64_t index = 0; failed; index++) {
        memory_fail_at(rig.memory, index, false);
        enum qtdb_code code = qtdb_exec(
            session, "create temp table t (a int primary key) on commit drop", NULL, NULL);
        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert_lt(index, 100000);
        cr_assert(code == QTDB_OK || (failed && code == QTDB_NO_MEMORY), "at %llu: %s",
                  (unsigned long long)index, qtdb_error_last()->message);
        refuse_in(session, "select * from t", "42P01");
        expect("insert into k values (1); select count(*) from k", "0\n");
    }
}
