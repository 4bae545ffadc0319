/*
 * Goal: scans read no more than they have to: LIMIT, IN and BETWEEN as many rows as they give; an index that
 * has all columns asked for is read alone; nulls are found and left out by an index; look-ups made many at
 * once give what single ones give, in the index's order.
 * Method: EXPLAIN ANALYZE on a simulated disk; the same queries by an index and without one, over rows with
 * nulls, zero bytes, extreme numbers and rows too large for a look-up's room.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/session.h"
#include "tests/support/sql_rig.h"

TestSuite(sql_paths, .init = sql_rig_open, .fini = sql_rig_close);

/* "id in (...)" of `count` multiples of `step`, from `first` on. */
static const char *
list_of(int count, int first, int step)
{
    static char text[8192];
    int used = snprintf(text, sizeof(text), "id in (");

    for (int i = 0; i < count; i++)
        used += snprintf(text + used, sizeof(text) - (size_t)used, "%s%d", i > 0 ? ", " : "",
                         first + i * step);
    snprintf(text + used, sizeof(text) - (size_t)used, ")");
    return text;
}

static void
expect_plan(const char *query, const char *lines)
{
    char sql[512];

    snprintf(sql, sizeof(sql), "explain (costs off) %s", query);
    expect(sql, lines);
}

static void
expect_run(const char *query, const char *lines)
{
    char sql[10000];

    snprintf(sql, sizeof(sql), "explain (analyze, costs off, timing off, summary off) %s", query);
    expect(sql, lines);
}

Test(sql_paths, limits_lists_and_ranges_read_what_they_give)
{
    char keys[9000];

    expect("create table t (id int primary key, n int, s text); insert into t select g, g % 50, "
           "'s' || g from generate_series(1, 5000) g; create index t_n on t (n)",
           "");
    expect_run("select * from t limit 100", "Limit (actual rows=100 loops=1)\n"
                                            "  ->  Seq Scan on t (actual rows=100 loops=1)\n"
                                            "        Rows Read: 100\n"
                                            "        Rows Taken Together: 99  Leaves "
                                            "Counted: 0\n");
    snprintf(keys, sizeof(keys), "select s from t where %s", list_of(100, 5, 37));
    expect_run(keys, "Index Scan by key on t (filtered) (actual rows=100 loops=1)\n"
                     "  Rows Read: 100\n");
    expect_run("select * from t where id between 2000 and 2999",
               "Index Scan by key on t (filtered) (actual rows=1000 loops=1)\n"
               "  Rows Read: 1000\n");
    expect_run("select s from t where n = 7 limit 30",
               "Limit (actual rows=30 loops=1)\n"
               "  ->  Index Scan using t_n on t (filtered) (actual rows=30 loops=1)\n"
               "        Rows Read: 30\n");
    expect("select string_agg(s, ',') from (select s from t where n = 7 limit 6) x",
           "s7,s57,s107,s157,s207,s257\n");
    cr_assert_eq(session->path_counts[EXEC_PATH_INDEX], 2);
    cr_assert_eq(session->path_counts[EXEC_PATH_KEY], 1);
}

/* Every row by the index and without it: some queries of one and the same rows. */
static void
expect_same(const char *select, const char *where, const char *order, const char *plan)
{
    char by_index[512], without[512], rows[16384];

    snprintf(by_index, sizeof(by_index), "select %s from t where %s order by %s", select, where,
             order);
    snprintf(without, sizeof(without), "select %s from u where %s order by %s", select, where,
             order);
    char *lines = strdup(sql_rows(session, without));
    snprintf(rows, sizeof(rows), "%s", sql_rows(session, by_index));
    cr_assert_str_eq(rows, lines, "%s", by_index);
    free(lines);
    snprintf(rows, sizeof(rows), "explain (costs off) select %s from t where %s", select, where);
    cr_assert(strstr(sql_rows(session, rows), plan) != NULL, "%s: %s", by_index,
              sql_rows(session, rows));
}

static void
make_kinds(void)
{
    expect("create table t (id bigint, b bytea, s text, n smallint, i int, d date, m timestamp, "
           "  o bool, u uuid, f float8, x numeric, c char(4), v varchar, long text, "
           "  primary key (id, s));"
           "insert into t select g::bigint * 1000000007 - 7000000000, "
           "  case when g % 7 = 0 then null else decode(repeat('00ff01', g % 5), 'hex') end, "
           "  'a' || chr(g) || 'z', (g * 1000 - 32768)::smallint, "
           "  case g % 3 when 0 then null else g * 65536 end, date '1999-12-28' + g, "
           "  timestamp '2000-01-01' + g * interval '1 hour', g % 2 = 0, "
           "  ('00000000-0000-0000-0000-0000000000' || (10 + g))::uuid, g / 2.0, "
           "  (g || '.50')::numeric, 'c' || g, case when g % 4 = 0 then null else repeat('v', g % "
           "6) end, "
           "  repeat('long', 60 * (g % 10)) from generate_series(1, 64) g;"
           "create table u as select * from t",
           "");
}

Test(sql_paths, an_index_with_all_columns_is_read_alone)
{
    make_kinds();
    expect("create index t_a on t (o, b, n, d, m, u, v); create index t_f on t (o, f, i)", "");
    expect_same("id, s, b, n, d, m, u, v", "o = true", "id", "Index Only Scan using t_a on t");
    expect_same("id, s, b, n, d, m, u, v", "o = false and n > 0", "id",
                "Index Only Scan using t_a");
    expect_same("v, octet_length(b)", "o = false and b = decode('00ff01', 'hex')", "id",
                "Index Only Scan using t_a");
    expect_same("count(*), max(n)", "o = true and b is null", "1", "Index Only Scan using t_a");
    /* What does not come back from a key, and what stands behind it, is read from the row. */
    expect_same("f, id", "o = true", "id", "Seq Scan");
    expect_same("i, id", "o = true", "id", "Seq Scan");
    expect_same("n, length(long)", "o = true and f = 3", "id", "Index Scan using t_f");
    expect_same("n", "o = true and b is null and x > 3", "id", "Index Scan using t_a");
    cr_assert_gt(session->path_counts[EXEC_PATH_INDEX_ALONE], 3);
    /* Entries follow their rows. */
    expect(
        "update t set v = 'new' where n = -31768; select v from t where o = false and n = -31768",
        "new\n");
    expect("delete from t where n = -31768; select v from t where o = false and n = -31768", "");
    expect("begin; insert into t select * from u where n = -31768; "
           "select count(*) from t where o = false and n < -30000; rollback; "
           "select count(*) from t where o = false and n < -30000",
           "1\n0\n");
    db_check(rig.db);
}

/* Where the order of an index is that of a query, few rows are read in it and none are sorted. */
Test(sql_paths, an_order_is_read_from_an_index_that_has_it)
{
    expect("create table t (id int primary key, a int, b int, c text); insert into t select g, "
           "nullif(g % 97, 3), g % 89, 'c' || g from generate_series(1, 5000) g; "
           "create index t_ab on t (a desc, b)",
           "");
    expect_run("select a, b, id from t order by a desc, b limit 5",
               "Limit (actual rows=5 loops=1)\n"
               "  ->  Index Only Scan using t_ab on t (actual rows=5 loops=1)\n"
               "        Rows Read: 5\n");
    expect_run("select c from t order by a, b desc limit 5 offset 5",
               "Limit (actual rows=5 loops=1)\n"
               "  ->  Index Scan Backward using t_ab on t (actual rows=10 loops=1)\n"
               "        Rows Read: 10\n");
    expect_plan("select a, b from t where a = 5 order by b limit 3",
                "Limit\n"
                "  ->  Index Only Scan using t_ab on t (filtered)\n");
    expect_run("select count(*) from t where a >= 95",
               "Aggregate (actual rows=1 loops=1)\n"
               "  Memory: 4kB  Disk: 0kB\n"
               "  ->  Index Only Scan using t_ab on t (filtered) (actual rows=102 loops=1)\n"
               "        Rows Read: 102\n");
    expect_run("select count(*) from t where a < 1",
               "Aggregate (actual rows=1 loops=1)\n"
               "  Memory: 4kB  Disk: 0kB\n"
               "  ->  Index Only Scan using t_ab on t (filtered) (actual rows=51 loops=1)\n"
               "        Rows Read: 103\n");
    /* Not the index's order, too many rows, or an order that only some rows are in. */
    expect_plan("select a from t order by a desc, b desc limit 5", "Limit\n"
                                                                   "  ->  Sort (top rows)\n"
                                                                   "        ->  Seq Scan on t\n");
    expect_plan("select a from t order by a desc nulls last limit 5",
                "Limit\n"
                "  ->  Sort (top rows)\n"
                "        ->  Seq Scan on t\n");
    expect_plan("select c from t order by a desc limit 4000", "Limit\n"
                                                              "  ->  Sort (top rows)\n"
                                                              "        ->  Seq Scan on t\n");
    expect("drop index t_ab; create unique index t_u on t (a desc, b, id); create index t_p on t "
           "(c) where id > 7",
           "");
    expect_plan("select a from t order by a desc limit 5", "Limit\n"
                                                           "  ->  Sort (top rows)\n"
                                                           "        ->  Seq Scan on t\n");
    expect_plan("select c from t order by c limit 5", "Limit\n"
                                                      "  ->  Sort (top rows)\n"
                                                      "        ->  Seq Scan on t\n");
    expect("drop index t_u; create unique index t_u on t (a desc, b, id) nulls not distinct", "");
    expect("select a, b, id from t order by a desc, b, id limit 2", "NULL|0|3204\nNULL|1|2137\n");
    expect_plan("select a, b, id from t order by a desc, b, id limit 2",
                "Limit\n"
                "  ->  Index Only Scan using t_u on t\n");
}

Test(sql_paths, changes_by_an_index_alone)
{
    expect("create table p (a int, b int, primary key (b)); create index p_a on p (a); "
           "insert into p select g % 10, g from generate_series(1, 1000) g",
           "");
    expect_plan("delete from p where a = 3",
                "Delete on p\n  ->  Index Only Scan using p_a on p (filtered)\n");
    expect("delete from p where a = 3; select count(*) from p", "900\n");
    expect("update p set a = 3 where a = 4 and b < 100; select count(*), sum(b) from p where a = 3",
           "10|490\n");
    expect("create table h (a int, b int); create index h_ab on h (a, b); "
           "insert into h select g % 10, g from generate_series(1, 1000) g; "
           "delete from h where a = 3 and b > 500; select count(*) from h",
           "950\n");
    db_check(rig.db);
}

Test(sql_paths, nulls_are_found_by_an_index)
{
    make_kinds();
    expect("create index t_i on t (i); create unique index t_v on t (id, i); "
           "create index t_vi on t (o, v, i)",
           "");
    expect_same("id, length(long)", "i is null", "id", "Index Scan using t_i on t");
    expect_same("id", "i is null", "id", "Index Only Scan using t_i on t");
    expect_same("id", "i is not null", "id", "Index Only Scan using t_i on t");
    expect_same("i", "o = true and v is null and i > 65536 * 20", "i",
                "Index Only Scan using t_vi on t");
    expect_same("v", "o = true and v is not null", "id", "Index Only Scan using t_vi on t");
    expect_run("select count(*) from t where i > 65536 * 60",
               "Aggregate (actual rows=1 loops=1)\n"
               "  Memory: 4kB  Disk: 0kB\n"
               "  ->  Index Only Scan using t_i on t (filtered) (actual rows=3 loops=1)\n"
               "        Rows Read: 3\n");
    expect_run("select count(*) from t where i is not null",
               "Aggregate (actual rows=1 loops=1)\n"
               "  Memory: 4kB  Disk: 0kB\n"
               "  ->  Index Only Scan using t_i on t (filtered) (actual rows=43 loops=1)\n"
               "        Rows Read: 43\n");
    expect("select i from t where i > 65536 * 61 order by i desc", "4194304\n4063232\n");
    expect_plan("select i from t where i > 65536 * 61 order by i desc nulls first",
                "Index Only Scan Backward using t_i on t (filtered)\n");
}

/* Rows of all sizes, more of them than are looked up at once, and IN's keys that are not there. */
Test(sql_paths, many_look_ups_give_what_single_ones_do)
{
    static const char by_m[] = "select count(*), sum(id), sum(length(s)), min(s), max(s) from k "
                               "where m = 3";
    char before[2048];

    expect("create table k (id int primary key, s text, m int); insert into k select g * 2, "
           "repeat('r', g % 700), g % 10 from generate_series(1, 2000) g",
           "");
    snprintf(before, sizeof(before), "%s", sql_rows(session, by_m));
    expect("create index k_m on k (m)", "");
    expect_plan(by_m, "Aggregate\n  ->  Index Scan using k_m on k (filtered)\n");
    expect(by_m, before);
    expect("select string_agg(id::text, ' ') from (select id from k where m = 3 and s < 'rrrr' and "
           "id > 6 limit 2) x",
           "1406 2806\n");
    const char *in = list_of(600, 0, 7);
    char query[9000];
    snprintf(query, sizeof(query), "select count(*), sum(id), sum(length(s)) from k where %s", in);
    expect(query, "285|570570|94885\n");
    snprintf(query, sizeof(query),
             "begin; delete from k where id = 14; insert into k values (7, 'own'); "
             "select count(*), sum(id) from k where %s; rollback",
             in);
    expect(query, "285|570563\n");
}

/* covers: E4 */
Test(sql_paths, look_ups_survive_every_refused_allocation)
{
    bool failed = true;

    make_kinds();
    expect("create index t_o on t (o); create index t_b on t (o, b)", "");
    for (uint64_t index = 0; failed; index++) {
        cr_assert_lt(index, 10000);
        memory_fail_at(rig.memory, index, false);
        enum qtdb_code code = qtdb_exec(session,
                                        "select sum(length(long)) from t where o = true; "
                                        "select b from t where o = true and b is not null",
                                        NULL, NULL);
        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert(code == QTDB_OK || (failed && code == QTDB_NO_MEMORY));
    }
}

/* INCLUDE's columns of every type are kept in entries, and follow every change of the row. */
Test(sql_paths, columns_of_include_need_no_row)
{
    make_kinds();
    expect("create index t_d on t (d) include (f, x, c, i, long, o, b); "
           "create unique index t_n on t (n) include (s, x)",
           "");
    expect_same("f, x, c, i, length(long), o, b, id", "d > '2000-02-20'", "id",
                "Index Only Scan using t_d on t");
    expect_same("x, s", "n between 10000 and 14000", "x", "Index Only Scan using t_n on t");
    expect_same("m", "n between 10000 and 14000", "m", "Index Scan using t_n on t");
    expect("update t set x = 1.250, c = null where n = 232; select x, c from t where d = "
           "'2000-01-30'; select x from t where n = 232",
           "1.250|NULL\n1.250\n");
    expect(
        "insert into t (id, s, n, x) values (1, 'new', 232, 2) on conflict (n) do update set x = "
        "excluded.x, s = 'won'; select x, s from t where n = 232",
        "2|won\n");
    sql_refuse(session, "insert into t (id, s, n) values (2, 'new', 232)", "23505");
    expect("delete from t where n = 232; select count(*) from t where n between 200 and 300",
           "0\n");
    expect("alter table t drop x; select s, n from t where n = 1232", "a\"z|1232\n");
    sql_refuse(session, "drop index t_n", "42704");
    expect("alter table t alter c type text using c || '!'; select c, f from t where d = "
           "'2000-01-31'",
           "c34!|17\n");
    expect("select c from (select c, d from t where d > '2000-02-28') x order by d",
           "c63!\nc64!\n");
    db_check(rig.db);
}

Test(sql_paths, foreign_keys_read_indexes_that_include)
{
    expect(
        "create table parent (id int primary key); create table child (k text primary key, p int "
        "references parent on delete cascade, note text); create index child_p on child (p) "
        "include (note); insert into parent select generate_series(1, 5); insert into child "
        "select 'k' || g, g % 5 + 1, repeat('note', g) from generate_series(1, 50) g",
        "");
    expect("delete from parent where id = 3; select count(*), count(distinct p) from child",
           "40|4\n");
    expect("select count(*), sum(length(note)) from child where p = 2", "10|940\n");
    db_check(rig.db);
}

/* A table's rows are counted leaf by leaf where nobody else and no own change has to be asked. */
Test(sql_paths, rows_are_counted_by_leaves)
{
    struct qtdb_session *other;

    cr_assert_eq(qtdb_session_open(rig.db, &other), QTDB_OK);

    expect(
        "create table t (id int primary key, s text); insert into t select g, repeat('x', g % 90) "
        "from generate_series(1, 5000) g; create table e (id int primary key)",
        "");
    uint64_t leaves = session->path_counts[EXEC_PATH_LEAVES];
    uint64_t rows = session->path_counts[EXEC_PATH_SPAN_ROWS];
    expect("select count(*) from t; select count(*), count(*) + 1 from t; select count(*) from e; "
           "select "
           "count(*) filter (where true), sum(2) from t; select count(*) from t having count(*) > "
           "4999",
           "5000\n5000|5001\n0\n5000|10000\n5000\n");
    cr_assert_gt(session->path_counts[EXEC_PATH_LEAVES], leaves + 4 * 50);
    cr_assert_geq(session->path_counts[EXEC_PATH_SPAN_ROWS], rows + 4 * 4900);
    const char *plan = sql_rows(session, "explain (analyze, costs off, timing off, summary off) "
                                         "select count(*) from t");
    cr_assert_not_null(strstr(plan, "Rows Read: 5000\n"));
    cr_assert_not_null(strstr(plan, "  Leaves Counted: "));
    cr_assert_null(strstr(plan, "Leaves Counted: 0\n"));
    /* An old snapshot, own changes, and both at once. */
    expect("begin isolation level repeatable read; select count(*) from t", "5000\n");
    cr_assert_str_eq(sql_rows(other, "delete from t where id % 7 = 0; insert into t select g from "
                                     "generate_series(5001, 5400) g; select count(*) from t"),
                     "4686\n");
    expect(
        "select count(*) from t; insert into t values (9000), (9001); delete from t where id = 1; "
        "select count(*) from t; rollback; select count(*) from t",
        "5000\n5001\n4686\n");
    /* What asks for rows gets them in batches of the usual size. */
    expect("select count(*) from (select 1 from t limit 4000) x", "4000\n");
    expect("select count(*) from e right join t on true", "4686\n");
    expect("select count(*), count(*) from (select 1 from t) x, (values (1), (2)) y",
           "9372|9372\n");
    qtdb_session_close(other);
}
