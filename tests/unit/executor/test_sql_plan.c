/*
 * Goal: plans are what they are said to be: what is made once, what is estimated from, and when a plan
 * that was kept is made anew.
 * Method: EXPLAIN of statements on a database on a simulated disk; the rows of the same queries stand in
 * tests/sql.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "executor/session.h"
#include "kernel/database.h"
#include "tests/support/sql_rig.h"

TestSuite(sql_plan, .init = sql_rig_open, .fini = sql_rig_close);

/* Once for two uses, in its place for one; as its text stands where that is asked for. */
Test(sql_plan, a_query_of_with_is_made_once)
{
    expect("create table t (id int primary key, k int); insert into t select g, g % 5 from "
           "generate_series(1, 50) g",
           "");
    expect("explain (analyze, costs off, timing off, summary off) with w as (select k, count(*) c "
           "from t group by k) select l.c from w l join w r on l.k = r.c",
           "Hash Join (actual rows=0 loops=1)\n"
           "  Memory: 4kB  Disk: 0kB\n"
           "  ->  CTE Scan on w (actual rows=5 loops=1)\n"
           "  ->  CTE Scan on w (actual rows=5 loops=1)\n"
           "  CTE w\n"
           "        ->  HashAggregate (actual rows=5 loops=1)\n"
           "              Memory: 4kB  Disk: 0kB\n"
           "              ->  Seq Scan on t (actual rows=50 loops=1)\n"
           "                    Rows Read: 50\n"
           "                    Rows Taken Together: 49  Leaves Counted: 0\n");
    expect("explain (costs off) with w as (select id from t) select id from w where id = 3",
           "Index Scan by key on t (filtered)\n");
    expect("explain (costs off) with w as materialized (select id from t) select id from w where "
           "id = 3",
           "Filter\n"
           "  ->  CTE Scan on w\n"
           "  CTE w\n"
           "        ->  Seq Scan on t\n");
    expect("explain (costs off) with w as not materialized (select id from t) select l.id from w l "
           "cross join w r where l.id = 3 and r.id = 4",
           "Nested Loop\n"
           "  ->  Index Scan by key on t (filtered)\n"
           "  ->  Index Scan by key on t (filtered)\n");
    expect("explain (costs off, format json) with \"w\"\"\" as materialized (select id from t) "
           "select * from \"w\"\"\"",
           "[\n"
           "  {\n"
           "    \"Plan\": {\n"
           "      \"Node Type\": \"CTE Scan on w\\\"\"\n"
           "    },\n"
           "    \"CTE 1\": {\n"
           "      \"Node Type\": \"Seq Scan on t\",\n"
           "      \"Parent Relationship\": \"InitPlan\"\n"
           "    }\n"
           "  }\n"
           "]\n");
}

/* No more is made than is read: the recursion has no end. */
Test(sql_plan, a_query_of_with_goes_as_far_as_it_is_read)
{
    expect("with recursive w(n) as (select 1 union all select n + 1 from w) select n, (select n "
           "from w limit 1) from w limit 2",
           "1|1\n2|1\n");
}

static void
reopen(void)
{
    qtdb_session_close(session);
    db_rig_close(&rig);
    db_rig_open(&rig);
    cr_assert_eq(qtdb_session_open(rig.db, &session), QTDB_OK);
}

/* The rows that EXPLAIN expects of the first node. */
static double
expected(const char *sql)
{
    char text[600];
    double rows = -1;

    snprintf(text, sizeof(text), "explain %s", sql);
    const char *place = strstr(sql_rows(session, text), " rows=");
    cr_assert(place != NULL && sscanf(place, " rows=%lf", &rows) == 1, "%s", sql);
    return rows;
}

static void
expect_between(const char *sql, double low, double high)
{
    double rows = expected(sql);

    cr_assert(rows >= low && rows <= high, "%s: %g rows, not %g to %g", sql, rows, low, high);
}

/* 20,000 rows, sampled: k has one value in half of the rows, n a null in each fifth. */
static void
make_table(void)
{
    expect("create table t (id int primary key, k int, n int, s text, d date, f numeric)", "");
    for (int first = 1; first < 20000; first += 5000) {
        char sql[600];

        snprintf(sql, sizeof(sql),
                 "insert into t select g, case when g %% 2 = 0 then 7 else 100 + g %% 50 end, case "
                 "when g %% 5 = 0 then null else g %% 1000 end, 'name ' || g %% 10 || ' ' || g, "
                 "date '2020-01-01' + g / 20, g / 100.0 from generate_series(%d, %d) g",
                 first, first + 4999);
        expect(sql, "");
    }
}

static void
check_shares(void)
{
    expect_between("select * from t where k = 7", 9000, 11000);
    expect_between("select * from t where k = 101", 250, 600);
    expect_between("select * from t where k = 99", 1, 500);
    expect_between("select * from t where k <> 7", 9000, 11000);
    expect_between("select * from t where k in (7, 101)", 9300, 11500);
    expect_between("select * from t where n is null", 3700, 4300);
    expect_between("select * from t where n is not null", 15700, 16300);
    expect_between("select * from t where n = 33", 10, 40);
    expect_between("select * from t where n < 100", 1300, 1900);
    expect_between("select * from t where 900 <= n", 1300, 1900);
    expect_between("select * from t where n between 400 and 499", 1300, 1900);
    expect_between("select * from t where n >= 400 and n < 500 and k = 7", 600, 1000);
    expect_between("select * from t where d < date '2020-01-01' + 500", 9400, 10600);
    expect_between("select * from t where f > 150", 4700, 5300);
    expect_between("select * from t where f between 150 and 160", 800, 1200);
    expect_between("select * from t where s like 'name 3%'", 1500, 2700);
    expect_between("select * from t where s like '%zzz%'", 1, 50);
    expect_between("select k, count(*) from t group by k", 20, 30);
    expect_between("select k, n, count(*) from t where id < 100 group by k, n", 60, 100);
}

/* Shares of rows come from ANALYZE, from a whole table and from a sample of it. */
Test(sql_plan, statistics_tell_shares)
{
    make_table();
    expect("delete from t where id > 14000; analyze t", "");
    /* The table is guessed at from samples of its leaves, whose rows differ in size. */
    expect_between("select * from t where k = 7", 6850, 7150);
    expect_between("select * from t where n is null", 2700, 2900);
    expect_between("select k, count(*) from t group by k", 26, 26);
    expect("delete from t", "");
    expect("drop table t", "");
    make_table();
    expect("analyze", "");
    check_shares();
}

/* The side with fewer different values no longer decides alone what a join gives. */
Test(sql_plan, statistics_tell_joins)
{
    make_table();
    expect("create table u (id int primary key, n int); insert into u select g, g % 1000 from "
           "generate_series(1, 2000) g; analyze t, u (n)",
           "");
    expect_between("select 1 from t join u on t.n = u.n", 25000, 45000);
    expect_between("select 1 from t join u on t.n = u.n and t.k = u.id", 1, 21000);
}

/* What the branches of an OR ask of one table goes to that table. */
Test(sql_plan, branches_narrow_each_table)
{
    make_table();
    expect("create table u (id int primary key, v text); insert into u select g, 'v' || g from "
           "generate_series(1, 500) g; analyze u",
           "");
    expect("explain (costs off) select 1 from u, t where u.id = t.k and ((u.v = 'v7' and t.n = 3) "
           "or (u.v = 'v8' and t.n = 4))",
           "Nested Loop\n"
           "  ->  Seq Scan on t (filtered)\n"
           "  ->  Index Scan by key on u (filtered)\n");
    expect("select count(*) from u, t where u.id = t.k and ((u.v = 'v7' and t.n = 4) or (u.v = "
           "'v101' and t.n = 1))",
           "40\n");
}

/* Enough changes make them anew when they are next asked for, and a plan that was kept is made again. */
Test(sql_plan, statistics_follow_changes)
{
    struct qtdb_session *other = NULL;

    expect("create table t (id int primary key, k int); insert into t select g, 1 from "
           "generate_series(1, 900) g",
           "");
    expect_between("select * from t where k = 2", 3, 10); /* Nothing is known. */
    expect("insert into t select g, 1 from generate_series(901, 2000) g", "");
    expect_between("select * from t where k = 2", 1, 1);
    expect_between("select * from t where k = 1", 1900, 2100);
    expect("begin; update t set k = 2 where id <= 1500", "");
    expect_between("select * from t where k = 2", 1, 1);
    expect("update t set k = 2 where id > 1500; commit", "");
    expect_between("select * from t where k = 2", 1900, 2100);
    cr_assert_eq(qtdb_session_open(rig.db, &other), QTDB_OK);
    sql_expect(other, "begin; delete from t where id > 3; rollback", "");
    sql_expect(other, "insert into t select g, 3 from generate_series(3001, 5000) g", "");
    qtdb_session_close(other);
    expect_between("select * from t where k = 3", 1900, 2100);
}

/* Rows of the tables that were looked at, as they were then. */
static uint64_t
looked_at(void)
{
    uint64_t rows = 0;

    for (uint32_t i = 0; i < DATABASE_NOTES; i++)
        rows += atomic_load(&database_notes(rig.db)->rows[i]);
    return rows;
}

static bool
take_nothing(void *context, const void *bytes, size_t size)
{
    (void)context;
    (void)bytes;
    return size > 0;
}

/* Who changes rows does not look at them: the first plan that asks does, wherever a query may stand. */
Test(sql_plan, statistics_are_made_when_asked_for)
{
    static const struct {
        const char *sql;
        bool looks;
    } cases[] = {
        {"select id from t where id = 7", false},
        {"select count(*) from t", false},
        {"insert into t values (-1, 0)", false},
        {"begin isolation level repeatable read; select 1 from t where k = 1; commit", false},
        {"begin; create table v as select * from t where k = 1; rollback", false},
        {"select id from t where k = 1", true},
        {"begin; select id from t where k = 1; commit", true},
        {"explain select id from t where k = 1", true},
        {"delete from t where k = -5", true},
        {"create table u as select id from t where k = 1", true},
        {"copy (select id from t where k = 1) to stdout", true},
        {"prepare p as select id from t where k = $1; execute p(1)", true},
        {"begin; set transaction isolation level serializable; update t set k = k; commit; "
         "select 1 from t where k = 2",
         true},
    };

    const struct qtdb_copy copy = {.size = sizeof(copy), .write = take_nothing};

    qtdb_session_set_copy(session, &copy);
    expect("create table t (id int primary key, k int)", "");
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (uint32_t k = 0; k < DATABASE_NOTES; k++)
            atomic_store(&database_notes(rig.db)->rows[k], 0);
        expect("delete from t; insert into t select g, 1 from generate_series(1, 2000) g", "");
        cr_assert_eq(looked_at(), 0, "%s: the insert looked", cases[i].sql);
        cr_assert_eq(qtdb_exec(session, cases[i].sql, NULL, NULL), QTDB_OK, "%s: %s", cases[i].sql,
                     qtdb_error_last()->message);
        cr_assert_eq(looked_at() > 0, cases[i].looks, "%s", cases[i].sql);
    }
    expect_between("select id from t where k = 1", 1900, 2100);
    expect("begin; insert into t select g, 1 from generate_series(3001, 6000) g", "");
    expect_between("select id from t where k = 1", 1900, 5100);
    cr_assert_eq(looked_at(), 2000, "rows that are not committed were counted");
    expect("rollback", "");
}

Test(sql_plan, plans_are_made_anew_after_analyze)
{
    const char *sql = "select count(*) from t, u where t.k = u.k and t.k < 50";
    struct qtdb_statement *statement = NULL;
    struct planned *planned;

    expect(
        "create table t (id int primary key, k int); create table u (id int primary key, k int); "
        "insert into t select g, g from generate_series(1, 100) g; insert into u select g, g "
        "from generate_series(1, 100) g",
        "");
    cr_assert_eq(qtdb_prepare(session, sql, &statement, NULL), QTDB_OK);
    for (uint32_t i = 0; i < 2; i++) {
        cr_assert_eq(qtdb_step(statement), QTDB_ROW);
        cr_assert_eq(qtdb_step(statement), QTDB_DONE);
        qtdb_reset(statement);
    }
    planned = statement->planned;
    uint64_t before = statement->planned_statistics;
    expect("analyze t", "");
    cr_assert_eq(statement->planned, planned);
    cr_assert_eq(qtdb_step(statement), QTDB_ROW);
    cr_assert_gt(statement->planned_statistics, before, "the plan was not made anew");
    cr_assert_eq(qtdb_step(statement), QTDB_DONE);
    qtdb_finalize(statement);
}

/* They belong to the transaction, to the table and to its columns. */
Test(sql_plan, statistics_are_transactional)
{
    make_table();
    expect("analyze", "");
    expect("begin; update t set k = 8; analyze t (k)", "");
    /* Rows that the block has changed count twice until it ends. */
    expect_between("select * from t where k = 8", 19000, 41000);
    expect("rollback", "");
    expect_between("select * from t where k = 8", 1, 500);
    expect("alter table t rename column k to kk; alter table t rename to tt", "");
    expect_between("select * from tt where kk = 7", 9000, 11000);
    expect("alter table tt drop column kk; alter table tt add column k int default 7", "");
    expect_between("select * from tt where k = 7", 1, 2100);
    expect("begin; truncate tt; insert into tt (id, k) values (1, 1); commit", "");
    expect_between("select * from tt where n is null", 1, 1);
    expect("drop table tt", "");
    reopen();
    make_table();
    expect("analyze t (n, s)", "");
    reopen();
    expect_between("select * from t where n is null", 3700, 4300);
}

Test(sql_plan, analyze_and_vacuum_as_statements)
{
    expect("create table t (id int, k int); create view v as select * from t; analyze; analyze v; "
           "analyze t, t (k); vacuum; vacuum t; vacuum (analyze) t; vacuum analyze; vacuum (full "
           "off)",
           "");
    sql_refuse(session, "analyze nothing", "42P01");
    sql_refuse(session, "analyze t (x)", "42703");
    sql_refuse(session, "analyze t (k, k)", "42701");
    sql_refuse(session, "vacuum nothing", "42P01");
    sql_refuse(session, "vacuum full t", "0A000");
    sql_refuse(session, "analyze (verbose) t", "0A000");
    expect("begin", "");
    sql_refuse(session, "vacuum", "25001");
    sql_refuse(session, "select 1", "25P02");
    expect("rollback; begin read only", "");
    sql_refuse(session, "analyze", "25006");
    expect("rollback", "");
}
