/*
 * Goal: PostgreSQL's catalog over ours shows a session its own temporary tables and nobody else's, numbers stay
 * until a rename, what cannot be bound any more is passed over, functions do not take the arguments' names for
 * their own, and a query of it that runs out of memory fails.
 * Method: two sessions on a simulated disk; allocation 0, 1, 2 ... refused. Rows beside PostgreSQL 15's are in
 * tests/sql/pg_catalog.test.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "executor/session.h"
#include "tests/support/sql_rig.h"

static struct qtdb_session *other;

static void
setup(void)
{
    sql_rig_open();
    cr_assert_eq(qtdb_session_open(rig.db, &other), QTDB_OK);
}

static void
teardown(void)
{
    qtdb_session_close(other);
    sql_rig_close();
}

TestSuite(sql_catalog, .init = setup, .fini = teardown);

Test(sql_catalog, temporary_tables_are_their_sessions)
{
    expect("create temp table w (a int primary key); select relname, relpersistence from pg_class "
           "where relkind = 'r'",
           "w|t\n");
    expect("select count(*) from pg_attribute where attrelid = 'w'::regclass", "1\n");
    sql_expect(other, "select count(*) from pg_class", "0\n");
    sql_refuse(other, "select 'w'::regclass", "42P01");
}

Test(sql_catalog, numbers_stay_until_a_rename)
{
    char kept[40], sql[200];

    snprintf(kept, sizeof(kept), "%s",
             sql_rows(session, "create table t (a int); select 't'::regclass"));
    kept[strlen(kept) - 1] = '\0';
    expect("alter table t add column b int; drop table if exists u; create table u (a int)", "");
    snprintf(sql, sizeof(sql), "select relname, relnatts from pg_class where oid = %s", kept);
    expect(sql, "t|2\n");
    snprintf(sql, sizeof(sql), "select %s::regclass, '%s'::regclass = 't'::regclass, 5::regclass",
             kept, kept);
    expect(sql, "t|t|5\n");
    expect("alter table t rename to v; select count(*) from pg_class where oid = 'v'::regclass",
           "1\n");
    sql_refuse(session, "select 't'::regclass", "42P01");
    sql_refuse(session, "select '99999999999999999999'::regclass", "22003");
}

Test(sql_catalog, a_view_without_its_table_has_no_columns)
{
    expect("create table t (a int); create view v as select a, a + 1 as b from t;"
           "select relnatts from pg_class where relname = 'v'",
           "2\n");
    expect("drop table t; select relname, relnatts from pg_class", "v|0\n");
    expect("select count(*) from pg_attribute", "0\n");
    expect("create view \"as\" (\"x as y\") as select ' as ' || 'z'; "
           "select definition from pg_views where viewname = 'as'",
           "select ' as ' || 'z'\n");
}

/* The name `oid` means the query's own column inside the function's argument. */
Test(sql_catalog, arguments_keep_their_meaning)
{
    expect("create table t (a int primary key); create table u (b int unique)", "");
    expect("select pg_get_constraintdef(oid) from pg_constraint order by 1",
           "PRIMARY KEY (a)\nUNIQUE (b)\n");
    expect("select relname from pg_class where pg_table_is_visible(oid) and relkind = 'r' "
           "and oid::regclass::text = relname order by 1",
           "t\nu\n");
    expect("select pg_get_indexdef(indexrelid, 1, true) from pg_index order by 1", "a\nb\n");
    sql_refuse(session, "select pg_get_indexdef(relname) from pg_class", "42883");
    sql_refuse(session, "select pg_get_indexdef(1, 2)", "42883");
}

/* covers: E4 */
Test(sql_catalog, survives_every_refused_allocation)
{
    static const char sql[] =
        "select count(*) from pg_class c join pg_attribute a on a.attrelid = c.oid "
        "join pg_index i on i.indrelid = c.oid left join pg_constraint o on o.conrelid = c.oid "
        "left join pg_type y on y.oid = a.atttypid where c.oid = 't'::regclass "
        "and pg_get_indexdef(i.indexrelid) like 'CREATE%'";
    uint64_t failures = 0;
    bool failed = true;

    expect("create type m as enum ('x'); create table t (a int primary key, b m default 'x');"
           "create view v as select a from t; create sequence s; comment on table t is 'c'",
           "");
    expect(sql, "2\n");
    for (uint64_t index = 0; failed; index++) {
        char text[600];

        snprintf(text, sizeof(text), "%s -- %llu", sql, (unsigned long long)index);
        memory_fail_at(rig.memory, index, false);
        enum qtdb_code code = qtdb_exec(session, text, NULL, NULL);
        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert_lt(index, 100000);
        cr_assert_eq(code, failed ? QTDB_NO_MEMORY : QTDB_OK, "at %llu: %s",
                     (unsigned long long)index, qtdb_error_last()->message);
        failures += failed;
    }
    cr_assert_gt(failures, 10);
}

/* The rows are tested where no query runs. */
Test(sql_catalog, rules_of_tables_cannot_ask_it)
{
    expect("create table t (a int primary key)", "");
    sql_refuse(session, "create table u (a int check (a > pg_relation_size('t')))", "0A000");
    sql_refuse(session, "create table u (a int check (a::regclass <> 'x'))", "0A000");
    sql_refuse(session, "create index on t ((pg_table_is_visible(a)))", "0A000");
    expect("insert into t values (1)", "");
}
