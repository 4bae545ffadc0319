/*
 * Goal: a statement that runs out of memory, at any allocation, fails with 53200, changes nothing and
 * leaks nothing; one that asks for more than its budget does the same.
 * Method: a database on a simulated disk; each statement is run with allocation 0, 1, 2 ... refused
 * until it succeeds, and the tables are compared with what they were.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "executor/session.h"
#include "tests/support/sql_rig.h"

TestSuite(sql_faults, .init = sql_rig_open, .fini = sql_rig_close);

static void
make_tables(void)
{
    (void)rows_of("create table a (id int primary key, x int, n text unique);"
                  "create table b (id int primary key, a_id int, v numeric);"
                  "insert into a values (1, 10, 'one'), (2, 20, 'two'), (3, 30, 'three');"
                  "insert into b select g, g % 4, g * 1.5 from generate_series(1, 40) g");
}

static const char all_rows[] = "select sum(id), sum(x), string_agg(n, ',' order by id) from a "
                               "union all select sum(id), sum(a_id), sum(v)::text from b";

/* Runs with each allocation refused in turn; the statement's own effect is undone by `undo`. */
static void
refuse_each(const char *sql, const char *undo)
{
    char before[512];
    uint64_t index = 0;
    bool failed = true;

    snprintf(before, sizeof(before), "%s", rows_of(all_rows));
    for (; failed; index++) {
        memory_fail_at(rig.memory, index, false);
        enum qtdb_code code = qtdb_exec(session, sql, NULL, NULL);
        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert_lt(index, 100000, "%s never succeeds", sql);
        cr_assert(code == QTDB_OK || (failed && code == QTDB_NO_MEMORY), "%s at %llu: %s", sql,
                  (unsigned long long)index, qtdb_error_last()->message);
        /* Some refusals can be done without. */
        if (code == QTDB_OK && undo != NULL)
            (void)rows_of(undo);
        cr_assert_str_eq(rows_of(all_rows), before, "%s at %llu", sql, (unsigned long long)index);
    }
    cr_assert_gt(index, 5, "%s allocates nothing", sql);
}

/* covers: E4 */
Test(sql_faults, joins_of_all_kinds_survive_every_refused_allocation)
{
    make_tables();
    /* Look-ups for many outer rows: whole keys, an index with rows behind it, short outer batches; then merging. */
    (void)rows_of(
        "set enable_hashjoin = off; set enable_mergejoin = off; create index b_a on b (a_id)");
    refuse_each("select a.n, b.v from b left join a on a.id = b.a_id order by b.v", NULL);
    refuse_each("select a.n, b.v from a join b on b.a_id = a.id", NULL);
    refuse_each("select count(*) from a join b on b.a_id = a.id join a c on c.id = b.a_id", NULL);
    (void)rows_of("set enable_nestloop = off; set enable_mergejoin = on");
    refuse_each("select a.n, b.v from a full join b on b.a_id = a.id and b.id > a.x", NULL);
}

/* covers: E4 */
Test(sql_faults, queries_survive_every_refused_allocation)
{
    make_tables();
    refuse_each(
        "select exp(v / 10), ln(v), log(2.5, v), power(v, 1.5), power(v, -3::numeric), md5(n), "
        "sha256('x') from a join b on a.id = b.id where b.id < 3",
        NULL);
    refuse_each("select a.n, b.v from a join b on a.id = b.a_id where b.v > 3 order by b.v", NULL);
    refuse_each(
        "select a.n, b.v, c.x from a, b, a c where a.id = b.a_id and b.a_id = c.id and c.x > 5 "
        "and b.v > (select min(v) from b d where d.a_id = a.id)",
        NULL);
    refuse_each("select a.id, b.id from a left join b on b.id = a.x full join a c on c.id = a.id",
                NULL);
    refuse_each(
        "select a.id, (select max(v) from b where b.a_id = a.id), exists (select 1 from b "
        "where b.v = a.x), a.id in (select a_id from b), a.x > all (select v from b) from a",
        NULL);
    refuse_each("select g, string_agg(n, ',' order by n desc), count(distinct x), avg(v), sum(v) "
                "from (select a_id as g, n, x, v from b left join a on a.id = b.a_id) s group by g "
                "having count(*) > 1",
                NULL);
    refuse_each("with recursive t(n) as (select 1 union select n + 1 from t where n < 5) "
                "select * from t except select 3 union all select id from a",
                NULL);
    refuse_each("with t as (select a_id, sum(v) as s from b group by a_id) select x.a_id, y.s, "
                "(select max(s) from t) from t x, t y where x.a_id = y.a_id",
                NULL);
    refuse_each(
        "select id, sum(v) over w, lag(v, 1, 0) over w, count(*) over (order by a_id groups 1 "
        "preceding), string_agg(v::text, ',') over (partition by a_id + 1 order by id rows "
        "between 2 preceding and current row exclude ties) from b "
        "window w as (partition by a_id order by id range between 3 preceding and 1 following)",
        NULL);
    refuse_each(
        "select a_id, v, grouping(a_id, v), sum(id), rank() over (order by count(*)) from b "
        "group by rollup (a_id, v), grouping sets (a_id, ()) having grouping(v) = 1",
        NULL);
    refuse_each(
        "explain (analyze, buffers, timing off, format json) select n, (select count(*) from b "
        "where a_id = a.id) from a order by x limit 2",
        NULL);
    refuse_each(
        "select n from a where exists (select 1 from b where a_id = a.id and v > a.x) and x < "
        "(select max(v) from b where a_id = a.id) and ((id = 1 and x = 10) or (id = 1 and n = "
        "'o'))",
        NULL);
    refuse_each(
        "select array(select v from b where a_id = a.id order by v), (id, x) is null, (id, x) is "
        "distinct from (1, 2), id between symmetric 3 and 1, make_interval(days => id), "
        "(date '2024-01-01', interval '1 mon') overlaps (date '2024-01-02', null), "
        "width_bucket(x, 0, 50, id), factorial(id), trunc(x / 3.0, -1), trim_array(array[id, x], "
        "1), "
        "jsonb_insert('[1]', '{0}', to_jsonb(id)), json_object(array['k', n]), "
        "to_jsonb(array[[id, x]]), convert_to(n, 'UTF8') from a",
        NULL);
    refuse_each(
        "select (select max(v) from b where b.a_id = a.id) as k, array_agg(array[id, x]) from a "
        "group by 1",
        NULL);
    refuse_each("select a_id, v from b order by a_id fetch first 3 rows with ties", NULL);
    refuse_each("explain (analyze, timing off) select count(*) from a join b on a.id = b.id", NULL);
    refuse_each("explain select * from a, lateral (select v from b where b.id = a.id limit 1) s",
                NULL);
}

/* covers: E4 */
Test(sql_faults, analyze_survives_every_refused_allocation)
{
    make_tables();
    refuse_each("analyze", NULL);
    refuse_each("select b.id from a, b where a.id = b.a_id and v > 3 and v < 9 and n like 'o%'",
                NULL);
    refuse_each("vacuum analyze b", NULL);
}

/* covers: E4 */
Test(sql_faults, changes_survive_every_refused_allocation)
{
    make_tables();
    refuse_each("insert into a values (4, 40, 'four'), (5, default, null) returning id, upper(n)",
                "delete from a where id > 3");
    refuse_each("with q as (select 7 as id) insert into a select id, id, 'q' from q returning id",
                "delete from a where id = 7");
    refuse_each(
        "with q as (select 1 as id) update a set (x, n) = (select x, n from a c where c.id = q.id) "
        "from q where a.id = q.id",
        NULL);
    refuse_each("insert into a values (1, 0, 'x'), (9, 9, 'nine') on conflict (id) do update "
                "set x = excluded.x + a.x, n = a.n",
                "delete from a where id = 9");
    refuse_each("update a set x = x + b.v::int from b where b.id = a.id returning *",
                "update a set x = id * 10");
    refuse_each("insert into b select id + 100, a_id, v from b", "delete from b where id > 100");
    refuse_each("delete from b using a where a.id = b.a_id returning b.id, a.n",
                "insert into b select g, g % 4, g * 1.5 from generate_series(1, 40) g "
                "on conflict (id) do nothing");
    refuse_each("with d as (delete from b where a_id = 1 returning *), i as (insert into a "
                "select id + 100, a_id, null from d returning id, x) select * from i join a on "
                "a.id < i.id",
                "delete from a where id > 100; insert into b select g, g % 4, g * 1.5 from "
                "generate_series(1, 40) g on conflict (id) do nothing");
    refuse_each("with i as (insert into a values (1, 5, 'x'), (9, 9, 'nine') on conflict (id) do "
                "update set x = excluded.x + a.x returning *) update b set v = i.x from i where "
                "b.id = i.id + 100 returning *",
                "delete from a where id = 9; update a set x = id * 10");
    refuse_each("with i as (insert into a values (9, 9, 'nine') returning *) merge into b using i "
                "on b.id = i.id when matched then update set v = i.x when not matched then "
                "do nothing",
                "delete from a where id = 9; update b set v = id * 1.5 where id = 9");
    (void)rows_of(
        "create view w as select n, id, x from a where x < 100; create view c as select x, "
        "id from w where id > 0 with check option");
    refuse_each("insert into c values (50, 9) returning *", "delete from a where id = 9");
    refuse_each("update c set x = x + 1 where id = 1 returning *", "update a set x = id * 10");
    refuse_each("select id from c where id = 1 for update", NULL);
}

/* covers: E7 */
Test(sql_faults, a_statement_past_its_budget_fails_alone)
{
    static const char *const greedy[] = {
        "select distinct g from generate_series(1, 100000000) g",
        "select count(*) from a, generate_series(1, 100000000) g where a.id <> g",
        "select g from generate_series(1, 100000000) g union select 1",
        "select sum(g) over () from generate_series(1, 100000000) g",
        "select 1 in (select g from generate_series(2, 100000000) g)",
        "with recursive t(n) as (select 1 union select n + 1 from t) select count(*) from t",
    };

    make_tables();
    session->memory_limit = 1 << 20;
    for (size_t i = 0; i < sizeof(greedy) / sizeof(greedy[0]); i++) {
        cr_assert_neq(qtdb_exec(session, greedy[i], NULL, NULL), QTDB_OK, "%s", greedy[i]);
        cr_assert_str_eq(qtdb_error_last()->sqlstate, "53200", "%s: %s", greedy[i],
                         qtdb_error_last()->message);
    }
    cr_assert_str_eq(rows_of("select count(*) from b"), "40\n");
}
