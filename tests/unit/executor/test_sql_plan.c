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
#include "tests/support/db_rig.h"
#include "tests/support/sql_rows.h"

static struct db_rig rig;
static struct qtdb_session *session;

static void
setup(void)
{
    db_rig_init(&rig, 1);
    cr_assert_eq(qtdb_session_open(rig.db, &session), QTDB_OK);
}

static void
teardown(void)
{
    qtdb_session_close(session);
    db_rig_deinit(&rig);
}

TestSuite(sql_plan, .init = setup, .fini = teardown);

static void
expect(const char *sql, const char *rows)
{
    sql_expect(session, sql, rows);
}

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
           "                    Rows Read: 50\n");
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
