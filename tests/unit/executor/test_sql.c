/*
 * Goal: SQL through the public interface gives PostgreSQL's answers, errors with SQLSTATE and place, and
 * leaves nothing of a failed statement.
 * Method: statements and their expected output, one text each way, on a database in a temporary file.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor/session.h"
#include "kernel/qtdb.h"
#include "tests/support/sql_rows.h"

static char path[256];
static struct qtdb *db;
static struct qtdb_session *session;

static void
open_database(void)
{
    struct qtdb_options options = {.size = sizeof(options), .create = true, .no_threads = true};

    cr_assert_eq(qtdb_open(path, &options, &db), QTDB_OK, "%s", qtdb_error_last()->message);
    cr_assert_eq(qtdb_session_open(db, &session), QTDB_OK);
}

static void
close_database(void)
{
    qtdb_session_close(session);
    cr_assert_eq(qtdb_close(db), QTDB_OK);
}

static void
setup(void)
{
    const char *folder = getenv("TMPDIR");

    snprintf(path, sizeof(path), "%s/test_sql.%d.qtdb", folder != NULL ? folder : "/tmp",
             (int)getpid());
    open_database();
}

static void
teardown(void)
{
    close_database();
    unlink(path);
}

TestSuite(sql, .init = setup, .fini = teardown);

static void
expect(const char *sql, const char *rows)
{
    sql_expect(session, sql, rows);
}

static void
refuse(const char *sql, const char *sqlstate, uint32_t position)
{
    sql_refuse(session, sql, sqlstate);
    cr_assert_eq(qtdb_error_last()->position, position, "%s: at %u", sql,
                 qtdb_error_last()->position);
}

static void
make_items(void)
{
    expect("create table items (id int primary key, name text not null unique, "
           "price numeric(10,2) default 1.5, added date)",
           "");
    expect("insert into items values (1, 'pen', 2.345, '2025-01-15'), (2, 'ink', default, null),"
           "(3, 'it''s', 100, '1999-12-31')",
           "");
}

Test(sql, selects_what_was_inserted)
{
    make_items();
    expect("select * from items", "1|pen|2.35|2025-01-15\n2|ink|1.50|NULL\n"
                                  "3|it's|100.00|1999-12-31\n");
    expect("select name, price * 2 as double from items where id between 2 and 3 "
           "order by double desc limit 1",
           "it's|200.00\n");
    expect("select count(*), sum(price), min(added), max(name) from items",
           "3|103.85|1999-12-31|pen\n");
}

Test(sql, keeps_rows_across_a_reopen)
{
    make_items();
    close_database();
    open_database();
    expect("select id from items order by id desc", "3\n2\n1\n");
}

/* covers: E4 */
Test(sql, a_failed_statement_leaves_nothing)
{
    make_items();
    refuse("insert into items values (4, 'new', 1, null), (5, 'pen', 1, null)", "23505", 0);
    refuse("insert into items values (6, 'six', 1, null), (1, 'one', 1, null)", "23505", 0);
    refuse("insert into items (id) values (9)", "23502", 0);
    refuse("update items set id = 1", "23505", 0);
    expect("select count(*) from items", "3\n");
    expect("insert into items values (4, 'new', 1, null)", "");
}

/* covers: E4 */
Test(sql, a_failed_block_takes_only_rollback)
{
    make_items();
    expect("begin; delete from items where id = 1", "");
    refuse("select nonsense", "42703", 8);
    refuse("select 1", "25P02", 0);
    refuse("begin", "25P02", 0);
    expect("commit; select count(*) from items", "3\n");
    expect("begin; delete from items where id = 1; commit; select count(*) from items", "2\n");
}

/* covers: E5 */
Test(sql, updates_see_the_rows_as_they_were)
{
    make_items();
    expect("update items set id = id + 1; select id, name from items", "2|pen\n3|ink\n4|it's\n");
    expect("update items set id = 5 - id where id < 4; select id, name from items",
           "2|ink\n3|pen\n4|it's\n");
    expect("delete from items where name like '%n%'; select name from items", "it's\n");
}

Test(sql, groups_orders_and_removes_duplicates)
{
    expect("create table log (kind text, size int)", "");
    expect("insert into log values ('a', 1), ('b', 2), ('a', 3), (null, 4), ('b', null)", "");
    expect("select kind, count(*), sum(size) from log group by kind having count(*) > 1 "
           "order by kind",
           "a|2|4\nb|2|2\n");
    expect("select distinct kind from log order by 1", "a\nb\nNULL\n");
    expect("select kind, size from log order by size desc nulls last, kind",
           "NULL|4\na|3\nb|2\na|1\nb|NULL\n");
    refuse("select kind, size from log group by kind", "42803", 14);
}

Test(sql, follows_the_rules_of_null)
{
    expect("select null = null, null is null, 1 in (2, null), 1 in (1, null), "
           "not (null and false), null or true, coalesce(null, 'x'), 1 is distinct from null",
           "NULL|t|NULL|t|t|t|x|t\n");
    expect("select case when null then 1 else 2 end, case 3 when 3 then 'three' end", "2|three\n");
}

Test(sql, widens_numbers_as_postgresql_does)
{
    expect("select 7 / 2, 7 % 3, -7 / 2, 1.5 + 1, 2 * 2.50, 1::float8 / 4, 2147483647 + 1::int8",
           "3|1|-3|2.5|5.00|0.25|2147483648\n");
    refuse("select 2147483647 + 1", "22003", 19);
    refuse("select 1 / 0", "22012", 10);
}

Test(sql, casts_and_compares_types)
{
    expect("select '12'::int + 1, 3.7::int, 'true'::bool, '2025-01-15'::date < '2025-02-01', "
           "'a' || 1, length('h\303\251'), upper('ab'), abs(-2.5)",
           "13|4|t|t|a1|2|AB|2.5\n");
    refuse("select 'x'::int", "22P02", 8);
    refuse("select 1 = true", "42883", 10);
}

/* covers: E1 */
Test(sql, refuses_by_name_what_it_does_not_do)
{
    make_items();
    refuse("select count(distinct id) over () from items", "0A000", 8);
    refuse("create table x as with x as (delete from items returning id) select * from x", "0A000",
           14);
    refuse("create table c (id int primary key deferrable)", "0A000", 36);
    refuse("create unlogged table c (id int)", "0A000", 23);
    refuse("create type pair as (a int, b int)", "0A000", 0);
    refuse("select * from f(g(variadic a), 1)", "0A000", 17);
    refuse("select * from jsonb_to_record(g(variadic a)) as x (a int)", "0A000", 31);
    refuse("merge into items using items i on false when not matched then "
           "insert (id, name) values ((select 1), 'x')",
           "0A000", 89);
}

/* Subqueries over the outer row are joins where that can be hashed; a key looks up for itself. */
Test(sql, subqueries_become_joins)
{
    expect("create table big (id int primary key, k int, v int); create table few (id int, k int); "
           "insert into big select g, g % 50, g from generate_series(1, 3000) g; "
           "insert into few select g, g from generate_series(1, 100) g",
           "");
    expect("explain (costs off) select id from few where exists (select 1 from big where big.k = "
           "few.k and big.v > few.id)",
           "Hash Semi Join\n"
           "  ->  Seq Scan on few\n"
           "  ->  Seq Scan on big\n");
    expect(
        "explain (costs off) select id from few where not exists (select 1 from big where big.k = "
        "few.k)",
        "Hash Anti Join\n"
        "  ->  Seq Scan on few\n"
        "  ->  Seq Scan on big\n");
    expect(
        "explain (costs off) select id from few where few.id > (select avg(v) from big where k = "
        "few.k)",
        "Hash Join\n"
        "  ->  Seq Scan on few\n"
        "  ->  HashAggregate\n"
        "        ->  Seq Scan on big\n");
    expect(
        "explain (costs off) select k from few where k > (select max(v) from big where id = few.k)",
        "Seq Scan on few (filtered)\n"
        "  SubPlan 1\n"
        "        ->  Aggregate\n"
        "              ->  Index Scan by key on big (filtered)\n");
    expect("select count(*) from few where exists (select 1 from big where big.k = few.k)", "49\n");
    expect("explain (costs off) select 1 from few, big where (few.id = big.id and few.k = 1) or "
           "(few.id = big.id and big.v = 2)",
           "Nested Loop\n"
           "  ->  Seq Scan on few\n"
           "  ->  Index Scan by key on big (filtered)\n");
}

/* What was read is told, and no more is read than asked for. */
Test(sql, explain_analyze_runs_merge_and_changes_in_with)
{
    expect("create table t (id int primary key, a int); insert into t values (1, 1)", "");
    cr_assert_eq(qtdb_exec(session,
                           "explain analyze merge into t using (values (1), (2)) s (x) on t.id = "
                           "s.x when matched then update set a = 9 when not matched then insert "
                           "values (x, 0)",
                           NULL, NULL),
                 QTDB_OK);
    expect("select * from t order by id", "1|9\n2|0\n");
    expect("explain (costs off) with d as (delete from t where id = 1 returning *) insert into t "
           "select id + 10, a from d",
           "Insert on t\n"
           "  ->  CTE Scan on d\n"
           "        CTE d\n"
           "          ->  Delete on t\n"
           "              ->  Index Scan by key on t (filtered)\n");
    cr_assert_eq(qtdb_exec(session,
                           "explain (analyze, format json) with d as (delete from t where id = 1 "
                           "returning *) select * from d",
                           NULL, NULL),
                 QTDB_OK);
    expect("select * from t", "2|0\n");
}

Test(sql, explain_analyze_tells_rows_and_bytes)
{
    expect("create table n (id int primary key, v int); insert into n select g, g % 10 from "
           "generate_series(1, 5000) g; create index n_v on n (v)",
           "");
    expect("explain (analyze, costs off, timing off, summary off) select * from n limit 100",
           "Limit (actual rows=100 loops=1)\n"
           "  ->  Seq Scan on n (actual rows=100 loops=1)\n"
           "        Rows Read: 100\n"
           "        Rows Taken Together: 99  Leaves Counted: 0\n");
    expect(
        "explain (analyze, costs off, timing off, summary off, buffers) select v from n where id "
        "in (7, 1, 7, 9999, 3000)",
        "Index Scan by key on n (filtered) (actual rows=3 loops=1)\n"
        "  Rows Read: 3\n"
        "  Pages Read: 0\n"
        "Look-ups Routed: 0  Links Followed: 0  Fallbacks: 0\n");
    expect("drop index n_v; create index n_rmi on n using rmi (v); explain (costs off) select id "
           "from n where v = '7'",
           "Index Only Scan using n_rmi (rmi) on n (filtered)\n");
    expect("explain (analyze, costs off, timing off, summary off) select v from n where id between "
           "1001 and 2000",
           "Index Scan by key on n (filtered) (actual rows=1000 loops=1)\n"
           "  Rows Read: 1000\n");
    expect("explain (analyze, costs off, timing off, summary off) select 1 where 1 = 2",
           "Filter (actual rows=0 loops=1)\n"
           "  ->  Result (actual rows=1 loops=1)\n");
    cr_assert_eq(session->path_counts[EXEC_PATH_KEY], 1);
    cr_assert_eq(session->path_counts[EXEC_PATH_KEY_RANGE], 1);
}

/* A key's order needs no sort, either way round, and LIKE goes by its prefix. */
Test(sql, a_key_gives_its_order)
{
    expect("create table n (id int primary key, v int, s text); insert into n select g, g % 10, "
           "'s' || g "
           "from generate_series(1, 5000) g; create index n_s on n (s)",
           "");
    expect("explain (analyze, costs off, timing off, summary off) select v from n order by id desc "
           "limit 3",
           "Limit (actual rows=3 loops=1)\n"
           "  ->  Seq Scan Backward on n (actual rows=3 loops=1)\n"
           "        Rows Read: 3\n");
    expect("explain (costs off) select id from n where id > 10 order by id",
           "Index Scan by key on n (filtered)\n");
    expect("explain (costs off) select id from n where s >= 's5' and s < 's6' order by s desc "
           "nulls first",
           "Index Only Scan Backward using n_s on n (filtered)\n");
    expect("explain (costs off) select id from n where s >= 's5' and s < 's6' order by s desc "
           "nulls last",
           "Sort\n  ->  Index Only Scan using n_s on n (filtered)\n");
    expect("explain (costs off) select id from n order by v, id", "Sort\n  ->  Seq Scan on n\n");
    expect("explain (analyze, costs off, timing off, summary off) select id from n where s like "
           "'s123%'",
           "Index Only Scan using n_s on n (filtered) (actual rows=11 loops=1)\n"
           "  Rows Read: 12\n");
}

Test(sql, explain_analyze_of_a_change_makes_it)
{
    make_items();
    const char *output =
        sql_rows(session, "explain (analyze) update items set price = 7 where id > 1");

    cr_assert_not_null(strstr(output, "Update on items\n  ->  Index Scan by key on items"));
    cr_assert_not_null(strstr(output, "Rows Changed: 2  Bytes Logged: "));
    cr_assert_null(strstr(output, "Bytes Logged: 0\n"));
    cr_assert_not_null(strstr(output, "Execution Time: "));
    expect("select count(*) from items where price = 7", "2\n");
    expect(
        "begin; explain (analyze, costs off, timing off, summary off) delete from items; rollback",
        "Delete on items\n"
        "  ->  Seq Scan on items (actual rows=3 loops=1)\n"
        "        Rows Read: 3\n"
        "Rows Changed: 3  Bytes Logged: 0\n");
    expect("explain delete from items; select count(*) from items",
           "Delete on items\n"
           "  ->  Seq Scan on items  (cost=0.00..11.00 rows=3 width=80)\n3\n");
    refuse("explain (analyze) insert into items values (1, 'x', 1, null)", "23505", 0);
    refuse("explain (format xml) select 1", "0A000", 10);
    refuse("explain (format junk) select 1", "22023", 10);
}

Test(sql, explain_writes_json)
{
    make_items();
    expect("explain (format json, costs off) select name from items where id = 2",
           "[\n  {\n    \"Plan\": {\n"
           "      \"Node Type\": \"Index Scan by key on items (filtered)\"\n"
           "    }\n  }\n]\n");
    expect("begin; explain (format json, analyze, costs off, timing off, summary off) delete from "
           "items; rollback",
           "[\n  {\n    \"Operation\": \"Delete\",\n    \"Relation Name\": \"items\",\n"
           "    \"Rows Changed\": 3,\n    \"Bytes Logged\": 0,\n    \"Plan\": {\n"
           "      \"Node Type\": \"Seq Scan on items\",\n      \"Actual Rows\": 3,\n"
           "      \"Actual Loops\": 1,\n      \"Rows Read\": 3,\n"
           "      \"Rows Taken Together\": 0,\n      \"Leaves Counted\": 0\n    }\n  }\n]\n");
}

/* covers: E6 */
Test(sql, bounds_the_depth_of_expressions)
{
    static char sql[200000];
    size_t size = 0;

    memcpy(sql, "select 1", 9);
    size = strlen(sql);
    for (int i = 0; i < 50000; i++, size += 2)
        memcpy(sql + size, "+1", 3);
    refuse(sql, "54001", 0);
}

Test(sql, reports_where_a_text_is_wrong)
{
    refuse("selec 1", "42601", 1);
    refuse("select * from nowhere", "42P01", 15);
    refuse("select '\303\251', oops", "42703", 13);
}

Test(sql, takes_parameters_by_type)
{
    struct qtdb_statement *statement;

    make_items();
    cr_assert_eq(qtdb_prepare(session, "select name from items where id = $1 or name = $2",
                              &statement, NULL),
                 QTDB_OK);
    cr_assert_eq(qtdb_bind_i64(statement, 1, 2), QTDB_OK);
    cr_assert_eq(qtdb_bind_text(statement, 2, "none", 4), QTDB_OK);
    cr_assert_eq(qtdb_step(statement), QTDB_ROW);
    cr_assert_str_eq(qtdb_column_text(statement, 0, NULL), "ink");
    cr_assert_eq(qtdb_step(statement), QTDB_DONE);
    cr_assert_str_eq(qtdb_command_tag(statement), "SELECT 1");
    qtdb_reset(statement);
    cr_assert_eq(qtdb_bind_text(statement, 2, "pen", 3), QTDB_OK);
    cr_assert_eq(qtdb_bind_null(statement, 1), QTDB_OK);
    cr_assert_eq(qtdb_step(statement), QTDB_ROW);
    cr_assert_str_eq(qtdb_column_text(statement, 0, NULL), "pen");
    qtdb_finalize(statement);
}

Test(sql, seeks_the_key_instead_of_scanning)
{
    make_items();
    expect("explain (costs off) select * from items where id = 2",
           "Index Scan by key on items (filtered)\n");
    expect("explain (costs off) select * from items where price > 2",
           "Seq Scan on items (filtered)\n");
    expect("select name from items where 2 <= id and id < 3", "ink\n");
    expect("select name from items where id > 5 and id < 3", "");
}

Test(sql, looks_up_by_index_and_by_key_in_joins)
{
    make_items();
    expect("create table sold (id int primary key, item int, at date);"
           "create index sold_at on sold (at);"
           "insert into sold select g, g % 3 + 1, date '2024-01-01' + g from generate_series(1, "
           "500) g",
           "");
    expect("explain (costs off) select * from sold where at = '2024-03-01'",
           "Index Scan using sold_at on sold (filtered)\n");
    expect("explain (costs off) select * from sold s join items i on i.id = s.item where s.id = 7",
           "Nested Loop\n  ->  Index Scan by key on sold (filtered)\n"
           "  ->  Index Scan by key on items (filtered)\n");
    expect("explain (costs off) select * from sold s join items i on i.id = s.item",
           "Hash Join\n  ->  Seq Scan on sold\n  ->  Seq Scan on items\n");
    /* A condition goes down into its own side; an outer join it empties becomes an inner one. */
    expect("explain (costs off) select * from items i left join sold s on s.item = i.id where s.at "
           "> '2024-05-01' "
           "and i.price < 5",
           "Hash Join\n  ->  Index Scan using sold_at on sold (filtered)\n"
           "  ->  Seq Scan on items (filtered)\n");
    expect("explain (costs off) select * from (select item, count(*) from sold group by item) c "
           "where item = 2",
           "HashAggregate\n  ->  Seq Scan on sold (filtered)\n");
    expect("drop index sold_at; explain (costs off) select * from sold where at = '2024-03-01'",
           "Seq Scan on sold (filtered)\n");
}

Test(sql, keeps_a_plan_until_the_catalog_changes)
{
    struct qtdb_statement *statement;

    make_items();
    cr_assert_eq(qtdb_prepare(session, "select * from items where id = $1", &statement, NULL),
                 QTDB_OK);
    for (int64_t id = 1; id <= 3; id++) {
        cr_assert_eq(qtdb_bind_i64(statement, 1, id), QTDB_OK);
        cr_assert_eq(qtdb_step(statement), QTDB_ROW);
        cr_assert_eq(qtdb_column_i64(statement, 0), id);
        qtdb_reset(statement);
    }
    const struct planned *planned = statement->planned;
    cr_assert_eq(qtdb_bind_null(statement, 1), QTDB_OK);
    cr_assert_eq(qtdb_step(statement), QTDB_DONE);
    cr_assert_eq(statement->planned, planned);
    qtdb_reset(statement);
    expect("create table other (a int)", "");
    uint64_t version = statement->planned_version;
    cr_assert_eq(qtdb_bind_i64(statement, 1, 2), QTDB_OK);
    cr_assert_eq(qtdb_step(statement), QTDB_ROW);
    cr_assert_gt(statement->planned_version, version);
    qtdb_reset(statement);
    expect("begin; drop table items; create table items (id int, lone int); "
           "insert into items values (2, 5)",
           "");
    cr_assert_eq(qtdb_step(statement), QTDB_ROW);
    cr_assert_eq(qtdb_column_count(statement), 2);
    qtdb_reset(statement);
    expect("rollback", "");
    cr_assert_eq(qtdb_step(statement), QTDB_ROW);
    cr_assert_eq(qtdb_column_count(statement), 4);
    qtdb_finalize(statement);
}

Test(sql, takes_statements_from_the_cache_by_text)
{
    make_items();
    uint64_t hits = session->cache_hit_count;
    for (int i = 0; i < 3; i++)
        expect("select name from items where id = 2", "ink\n");
    cr_assert_eq(session->cache_hit_count, hits + 2);
    /* A definition in between is seen; parameters of an earlier use are not. */
    expect(
        "drop table items; create table items (id int, name int); insert into items values (2, 5)",
        "");
    expect("select name from items where id = 2", "5\n");
    cr_assert_eq(session->cache_hit_count, hits + 3);
    for (int i = 0; i < 2; i++) {
        struct qtdb_statement *statement, *other;

        cr_assert_eq(qtdb_prepare(session, "select $1::int", &statement, NULL), QTDB_OK);
        cr_assert_eq(qtdb_prepare(session, "select $1::int", &other, NULL), QTDB_OK);
        cr_assert_neq(statement, other);
        cr_assert_eq(qtdb_step(statement), QTDB_ROW);
        cr_assert(qtdb_column_is_null(statement, 0));
        cr_assert_eq(qtdb_bind_i64(other, 1, 7), QTDB_OK);
        cr_assert_eq(qtdb_step(other), QTDB_ROW);
        cr_assert_eq(qtdb_column_i64(other, 0), 7);
        qtdb_finalize(statement);
        qtdb_finalize(other);
    }
    for (int i = 0; i < 250; i++) {
        char sql[40];

        snprintf(sql, sizeof(sql), "select %d", i);
        cr_assert_eq(qtdb_exec(session, sql, NULL, NULL), QTDB_OK);
        cr_assert_leq(session->cache_count, STATEMENT_CACHE_MAX);
    }
    cr_assert_eq(session->cache_count, STATEMENT_CACHE_MAX);
}

/* covers: E4 */
Test(sql, savepoints_undo_a_part_of_a_block)
{
    make_items();
    refuse("savepoint a", "25P01", 0);
    expect("begin; savepoint a; delete from items where id = 1; savepoint b; delete from items;"
           "select count(*) from items; rollback to b; select count(*) from items;"
           "rollback to a; select count(*) from items",
           "0\n2\n3\n");
    refuse("rollback to b", "3B001", 0);
    refuse("select 1", "25P02", 0);
    refuse("savepoint c", "25P02", 0);
    expect("rollback to savepoint a; update items set name = 'x' where id = 1; savepoint a;"
           "update items set name = 'y' where id = 1; release a; rollback to a;"
           "select name from items where id = 1",
           "pen\n");
    refuse("insert into items values (9, 'nine'), (1, 'one')", "23505", 0);
    expect("rollback to a; select count(*) from items where id = 9", "0\n");
    expect("savepoint d; create table made (a int)", "");
    refuse("rollback to d", "0A000", 0);
    expect("rollback; select name from items order by id", "pen\nink\nit's\n");
    refuse("select * from made", "42P01", 15);
}

Test(sql, definitions_roll_back)
{
    expect("begin; create table gone (a int); insert into gone values (1); rollback", "");
    refuse("select * from gone", "42P01", 15);
    expect("create schema s; create table s.t (a int); insert into s.t values (1);"
           "select a from s.t",
           "1\n");
    refuse("create table s.t (a int)", "42P07", 0);
    expect("drop table s.t", "");
    refuse("select a from s.t", "42P01", 15);
}
