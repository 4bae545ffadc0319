/*
 * Goal: each way to join gives the same rows, in the order it promises; the planner takes the one that
 * suits, and settings forbid one.
 * Method: a database on a simulated disk. Queries run with all ways but one forbidden and are compared; EXPLAIN
 * tells what was taken. What goes to temporary files, and faults, are in test_sql_spill.c.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "executor/session.h"
#include "tests/support/sql_rig.h"

static void
setup(void)
{
    sql_rig_open();
    expect("create table a (id int primary key, k int, s text, f float8, p int);"
           "create table b (id bigint primary key, k bigint, s varchar(20), f float4);"
           "create table c (x int, y int, z text, primary key (x, y));"
           "create index b_k on b (k); create unique index b_s on b (s, id);"
           "insert into a select g, case when g % 13 > 0 then g * 7 % 50 end, 's' || g % 30, g % 8 "
           "/ 4.0, g % 3 "
           "from generate_series(1, 700) g;"
           "insert into b select g * 2, case when g % 7 > 0 then g * 11 % 80 end, case when g % 5 "
           "> 0 then 's' || g "
           "% 60 end, g % 6 / 4.0 from generate_series(1, 500) g;"
           "insert into c select g / 4, g % 4, case when g % 3 > 0 then 's' || g % 50 end from "
           "generate_series(0, "
           "1999) g;"
           "create table d (id int primary key, k int, s text); create index d_k on d (k);"
           "insert into d select g, case when g % 4 = 0 then 7 when g % 4 = 1 then g % 100 else g "
           "end, repeat('x', g "
           "% 400) from generate_series(1, 900) g;"
           "analyze",
           "");
}

TestSuite(sql_joins, .init = setup, .fini = sql_rig_close);

static const char *const queries[] = {
    "select a.id, b.id from a join b on a.k = b.k order by 1, 2",
    "select a.id, b.id, b.s from a left join b on a.k = b.k and a.s = b.s order by 1, 2",
    "select a.id, b.id, b.f from a right join b on a.f = b.f and a.id < b.id and b.id < 9 order by "
    "1, 2",
    "select a.id, b.id, b.s from a full join b on a.id = b.id order by 1, 2",
    "select a.id, b.id, b.s from a full join b on a.k = b.k and a.id > b.id order by 1, 2",
    "select a.id, b.id, b.s, a.s from a full join b on a.s = b.s and a.k = b.k order by 1, 2",
    "select id from a where exists (select 1 from b where b.k = a.k) order by 1",
    "select id from a where exists (select 1 from b where b.k = a.k and b.id > a.id) order by 1",
    "select id from a where not exists (select 1 from b where b.k = a.k) order by 1",
    "select id from a where not exists (select 1 from b where b.k = a.k and b.id > a.id) order by "
    "1",
    "select id from b where s in (select s from a where p = 1) order by 1",
    "select count(*), sum(y), count(z) from a join c on c.x = a.id",
    "select count(*), sum(y), min(z) from a left join c on c.x = a.id and c.y = a.p",
    "select count(*), sum(y), min(z) from a left join c on c.x = a.id and c.z = a.s and c.y > 0",
    "select id from a where exists (select 1 from c where c.x = a.id and c.y > a.p) order by 1",
    "select id from a where not exists (select 1 from c where c.x = a.id and c.z = a.s) order by 1",
    "select count(*), sum(c.y), count(b.s) from a join c on c.x = a.id join b on b.id = a.id",
    "select count(*) from a, b, c where a.k = b.k and c.x = b.id and c.y = a.p",
    "select count(*), sum(b.f) from a left join b on b.s = a.s where a.p = 2",
    "select g, (select count(*) from a join b on a.k = b.k where a.id > g) from generate_series(1, "
    "3) g",
    "select g, n from generate_series(1, 4) g, lateral (select count(c.y) n from a left join c on "
    "c.x = a.id and "
    "c.y = g where a.id < 50 * g) l order by 1",
    "select a.id, x.n from a left join (select k, count(*) n from b group by k) x on x.k = a.k "
    "order by 1, 2",
    "select count(*) from a join b on b.s = a.s and b.k = a.k join c on c.x = a.id and c.z = b.s",
    "select a.id, b.id from a join b on b.id = a.id order by a.id limit 3",
    "select a.id, b.id from a left join b on b.id = a.k order by a.id limit 40",
    /* Some keys have more entries than are looked up at once, rows are longer than their room. */
    "select a.id, count(*), sum(d.id), sum(length(d.s)) from a join d on d.k = a.id group by a.id "
    "order by 1",
    "select count(d.id), sum(d.id), sum(length(d.s)) from a left join d on d.k = a.k and d.id > "
    "a.id",
    "select id from a where exists (select 1 from d where d.k = a.k and length(d.s) > a.id) order "
    "by 1",
    "select id from a where not exists (select 1 from d where d.k = a.k and length(d.s) > a.id) "
    "order by 1",
    "select sum(x.id), sum(d.id), count(d.s) from (select a.id, b.k from a join b on a.id = b.id "
    "where a.p = 1) x left "
    "join d on d.id = x.k",
    "with recursive r(n) as (select 1 union select (b.k % 40)::int from r join b on b.id = r.n * "
    "2) select n from r "
    "order by 1",
};

static void
use(const char *settings, const char *query, char *out, size_t room)
{
    (void)rows_of("reset all");
    if (settings[0] != '\0')
        (void)rows_of(settings);
    snprintf(out, room, "%s", rows_of(query));
}

Test(sql_joins, each_way_gives_the_same_rows)
{
    static const char *const ways[] = {
        "set enable_hashjoin = off; set enable_nestloop = off",
        "set enable_mergejoin = off; set enable_nestloop = off",
        "set enable_mergejoin = off; set enable_hashjoin = off",
        "set enable_mergejoin = off",
        "set enable_hashjoin to false",
    };
    static char first[400000], other[400000];

    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        use("", queries[i], first, sizeof(first));
        cr_assert(first[0] != '\0', "%s", queries[i]);
        for (size_t k = 0; k < sizeof(ways) / sizeof(ways[0]); k++) {
            use(ways[k], queries[i], other, sizeof(other));
            cr_assert_str_eq(other, first, "%s by %s", queries[i], ways[k]);
        }
    }
}

/* Both keys are row keys: nothing is sorted, neither before nor after; and nothing is turned round below. */
Test(sql_joins, merge_joins_take_the_order_that_is_there)
{
    (void)rows_of("set enable_hashjoin = off; set enable_nestloop = off");
    expect("explain (costs off) select a.id, b.f from a join b on a.id = b.id order by a.id",
           "Merge Join\n"
           "  Merge Cond: (a.id = b.id)\n"
           "  ->  Seq Scan on a\n"
           "  ->  Seq Scan on b\n");
    expect(
        "explain (costs off) select a.id, b.f from a left join b on a.id = b.id order by a.id desc",
        "Sort\n"
        "  ->  Merge Left Join\n"
        "        Merge Cond: (a.id = b.id)\n"
        "        ->  Seq Scan on a\n"
        "        ->  Seq Scan on b\n");
    expect("explain (costs off) select a.k, b.f from a full join b on a.k = b.id and a.p = b.k",
           "Merge Full Join\n"
           "  Merge Cond: ((a.k = b.id) AND (a.p = b.k))\n"
           "  ->  Sort\n"
           "        ->  Seq Scan on a\n"
           "  ->  Sort\n"
           "        ->  Seq Scan on b\n");
    expect("explain (costs off) select id from a where not exists (select 1 from c where c.y = a.p "
           "and c.x = a.k)",
           "Merge Anti Join\n"
           "  Merge Cond: ((a.k = c.x) AND (a.p = c.y))\n"
           "  ->  Sort\n"
           "        ->  Seq Scan on a\n"
           "  ->  Seq Scan on c\n");
    expect("explain (costs off) select x.id, count(*) from a x join c on c.x = x.id group by x.id",
           "GroupAggregate\n"
           "  ->  Merge Join\n"
           "        Merge Cond: (c.x = a.id)\n"
           "        ->  Seq Scan on c\n"
           "        ->  Seq Scan on a\n");
    expect("select x.id, count(*) from a x join c on c.x = x.id where x.id > 497 group by x.id",
           "498|4\n499|4\n");
}

/* Large tables in the order of their keys are merged; a small one becomes a table in memory. */
Test(sql_joins, the_cheapest_way_is_taken)
{
    (void)rows_of(
        "create table l (id int primary key, v int); create table m (id int primary key, v int);"
        "insert into l select g, g % 9 from generate_series(1, 6000) g;"
        "insert into m select g, g % 9 from generate_series(1, 5000) g");
    expect("explain (costs off) select count(*) from l join m on l.id = m.id",
           "Aggregate\n"
           "  ->  Merge Join\n"
           "        Merge Cond: (l.id = m.id)\n"
           "        ->  Seq Scan on l\n"
           "        ->  Seq Scan on m\n");
    expect("explain (costs off) select count(*) from l join a on l.v = a.p",
           "Aggregate\n"
           "  ->  Hash Join\n"
           "        ->  Seq Scan on l\n"
           "        ->  Seq Scan on a\n");
    expect("select count(*), sum(l.v) from l full join m on l.id = m.id + 3000", "8000|23997\n");
}

/* As in PostgreSQL a way that is off is taken where there is no other. */
Test(sql_joins, settings_forbid_where_they_can)
{
    expect("show enable_mergejoin", "on\n");
    expect("begin; set local enable_hashjoin = off; explain (costs off) select * from a join b on "
           "a.k = b.k; "
           "commit; explain (costs off) select * from a join b on a.k = b.k",
           "Merge Join\n"
           "  Merge Cond: (a.k = b.k)\n"
           "  ->  Sort\n"
           "        ->  Seq Scan on a\n"
           "  ->  Sort\n"
           "        ->  Seq Scan on b\n"
           "Hash Join\n"
           "  ->  Seq Scan on a\n"
           "  ->  Seq Scan on b\n");
    expect("set enable_mergejoin = off; set enable_hashjoin = off; set enable_nestloop = off;"
           "select count(*) from a full join b on a.id = b.id; select count(*) from a cross join b",
           "850\n350000\n");
}

/* A plan that is kept was made for the settings of its time. */
Test(sql_joins, plans_are_made_anew_for_other_settings)
{
    struct qtdb_statement *kept = NULL;
    uint64_t planned = 0;

    cr_assert_eq(qtdb_prepare(session, "select count(*) from a join b on a.k = b.k", &kept, NULL),
                 QTDB_OK);
    for (int i = 0; i < 6; i++) {
        if (i == 3) {
            cr_assert_eq(session->prepared_count, planned, "the plan was not kept");
            (void)rows_of("set enable_hashjoin = off");
        }
        cr_assert_eq(qtdb_step(kept), QTDB_ROW);
        cr_assert_eq(qtdb_step(kept), QTDB_DONE);
        qtdb_reset(kept);
        if (i == 1 || i == 3)
            planned = session->prepared_count;
    }
    cr_assert_eq(session->prepared_count, planned);
    (void)rows_of("reset enable_hashjoin");
    cr_assert_eq(qtdb_step(kept), QTDB_ROW);
    cr_assert_eq(session->prepared_count, planned + 1, "the plan was not made anew");
    qtdb_finalize(kept);
}

/* Look-ups are made for many outer rows together, in their order, and for no more than are wanted. */
Test(sql_joins, look_ups_are_made_together)
{
    (void)rows_of("set enable_hashjoin = off; set enable_mergejoin = off");
    expect("explain (analyze, costs off, timing off, summary off) select a.id, d.s from a join d "
           "on d.id = a.id "
           "limit 3",
           "Limit (actual rows=3 loops=1)\n"
           "  ->  Nested Loop (actual rows=3 loops=1)\n"
           "        ->  Seq Scan on a (actual rows=127 loops=1)\n"
           "              Rows Read: 127\n"
           "              Rows Taken Together: 126  Leaves Counted: 0\n"
           "        ->  Index Scan by key on d (filtered) (actual rows=1 loops=3)\n"
           "              Rows Read: 3\n");
    expect("explain (analyze, costs off, timing off, summary off) select a.id, d.s from a join d "
           "on d.k = a.id "
           "where a.id between 5 and 8",
           "Nested Loop (actual rows=236 loops=1)\n"
           "  ->  Index Scan by key on a (filtered) (actual rows=4 loops=1)\n"
           "        Rows Read: 4\n"
           "  ->  Index Scan using d_k on d (filtered) (actual rows=59 loops=4)\n"
           "        Rows Read: 236\n");
    expect("select a.id, d.id from a join d on d.id = a.k where a.id between 8 and 12",
           "8|6\n9|13\n10|20\n11|27\n12|34\n");
}

/* A key that cannot be made fails the statement only when its row is reached. */
Test(sql_joins, rows_that_are_not_reached_do_not_fail)
{
    (void)rows_of("set enable_hashjoin = off; set enable_mergejoin = off");
    expect("select c.x, c.y from a join c on c.x = 6 / (3 - a.id) limit 8",
           "3|0\n3|1\n3|2\n3|3\n6|0\n6|1\n6|2\n6|3\n");
    cr_assert_neq(
        qtdb_exec(session, "select c.x from a join c on c.x = 6 / (3 - a.id)", NULL, NULL),
        QTDB_OK);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "22012");
}
