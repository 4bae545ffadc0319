/*
 * Goal: PREPARE, EXECUTE and DEALLOCATE give what PostgreSQL 15 gives: typed and untyped parameters, RETURNING,
 * errors with SQLSTATE and place; a prepared statement outlives rollbacks and changes of its tables; the plan
 * is kept; nothing leaks at any refused allocation.
 * Method: statements and their rows on a simulated disk.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "executor/session.h"
#include "tests/support/sql_rig.h"

TestSuite(sql_prepared, .init = sql_rig_open, .fini = sql_rig_close);

static void
refuse(const char *sql, const char *sqlstate, uint32_t position, const char *message)
{
    sql_refuse(session, sql, sqlstate);
    cr_assert_str_eq(qtdb_error_last()->message, message, "%s", sql);
    cr_assert_eq(qtdb_error_last()->position, position, "%s: %u", sql, qtdb_error_last()->position);
}

Test(sql_prepared, runs_queries_and_changes)
{
    expect("create table t (id int primary key, n text, x numeric)", "");
    expect("prepare ins (int, text) as insert into t values ($1, $2, $1 * 1.5) returning id, x",
           "");
    expect("execute ins (1, 'one')", "1|1.5\n");
    expect("execute ins (1 + 1, null)", "2|3.0\n");
    expect("prepare get as select n, x from t where id = $1; execute get (1); execute get ('2')",
           "one|1.5\nNULL|3.0\n");
    expect("prepare none as values (1), (2); execute none", "1\n2\n");
    expect("prepare up as update t set n = $2 where id = $1; execute up(2, 5); execute get(2)",
           "5|3.0\n");
    expect("prepare del(bigint) as delete from t where id = $1 returning *; execute del(2)",
           "2|5|3.0\n");
    expect("prepare word(text) as select $1 || '!', length($1); execute word('abc')", "abc!|3\n");
    expect("prepare arr(int[]) as select id from t where id = any($1); execute arr('{1,7}')",
           "1\n");
    expect("execute arr(array[7, 1])", "1\n");
    expect("prepare num(numeric, date) as select $1 + 1, $2 + 1; execute num(1, '2020-02-28')",
           "2|2020-02-29\n");
}

Test(sql_prepared, refuses)
{
    expect("create table t (id int primary key, n text)", "");
    expect("prepare p (int, text) as select $1, $2", "");
    refuse("prepare p as select 1", "42P05", 0, "prepared statement \"p\" already exists");
    refuse("execute q", "26000", 0, "prepared statement \"q\" does not exist");
    refuse("deallocate q", "26000", 0, "prepared statement \"q\" does not exist");
    refuse(
        "execute p (1)", "42601", 0,
        "wrong number of parameters for prepared statement \"p\": expected 2 parameters but got 1");
    refuse("execute p ('a', 'b')", "22P02", 12, "invalid input syntax for type integer: \"a\"");
    refuse("execute p (now(), 'b')", "42804", 12,
           "parameter $1 of type timestamp with time zone cannot be coerced to the expected type "
           "integer");
    refuse("execute p (1 / 0, 'b')", "22012", 14, "division by zero");
    refuse("execute p (nix, 'b')", "42703", 12, "column \"nix\" does not exist");
    refuse("execute p ((select 1), 'b')", "0A000", 12, "cannot use subquery in EXECUTE parameter");
    refuse("execute p (generate_series(1, 2), 'b')", "0A000", 12,
           "set-returning functions are not allowed in EXECUTE parameters");
    refuse("prepare r as select nix from t", "42703", 21, "column \"nix\" does not exist");
    refuse("prepare r as select * from nix", "42P01", 28, "relation \"nix\" does not exist");
    refuse("prepare r (colour) as select $1", "42704", 12, "type \"colour\" does not exist");
    expect("deallocate p", "");
    refuse("execute p (1, 'a')", "26000", 0, "prepared statement \"p\" does not exist");
    expect("prepare p as select 1; prepare q as select 2; deallocate all", "");
    refuse("execute q", "26000", 0, "prepared statement \"q\" does not exist");
}

/* covers: E4 */
Test(sql_prepared, lives_beside_transactions)
{
    expect("create table t (id int primary key)", "");
    expect("begin; prepare p as insert into t values ($1); execute p(1); rollback", "");
    expect("execute p(2); select * from t", "2\n");
    refuse("begin; execute p(2)", "23505", 0,
           "duplicate key value violates unique constraint \"t_pkey\"");
    refuse("execute p(3)", "25P02", 0,
           "current transaction is aborted, commands ignored until end of transaction block");
    refuse("prepare q as select 1", "25P02", 0,
           "current transaction is aborted, commands ignored until end of transaction block");
    expect("rollback; begin", "");
    refuse("execute nix", "26000", 0, "prepared statement \"nix\" does not exist");
    refuse("select 1", "25P02", 0,
           "current transaction is aborted, commands ignored until end of transaction block");
    expect("rollback", "");
    expect("alter table t add n int default 7", "");
    expect("prepare s as select * from t; execute s", "2|7\n");
    expect("alter table t drop n; execute s", "2\n");
}

Test(sql_prepared, a_statement_by_the_interface)
{
    struct qtdb_statement *statement = NULL;

    expect("prepare p (int) as select $1 as a, g from generate_series(1, $1) g", "");
    cr_assert_eq(qtdb_prepare(session, "execute p ($1)", &statement, NULL), QTDB_OK);
    for (int64_t run = 1; run < 4; run++) {
        cr_assert_eq(qtdb_bind_i64(statement, 1, run), QTDB_OK);
        cr_assert_eq(qtdb_column_count(statement), 2);
        cr_assert_str_eq(qtdb_column_name(statement, 0), "a");
        cr_assert_eq(qtdb_column_type(statement, 0), QTDB_TYPE_INT4);
        for (int64_t i = 1; i <= run; i++) {
            cr_assert_eq(qtdb_step(statement), QTDB_ROW);
            cr_assert_eq(qtdb_column_i64(statement, 0), run);
            cr_assert_str_eq(qtdb_column_text(statement, 1, NULL), i == 1   ? "1"
                                                                   : i == 2 ? "2"
                                                                            : "3");
        }
        cr_assert_eq(qtdb_step(statement), QTDB_DONE);
        cr_assert_str_eq(qtdb_command_tag(statement), run == 1   ? "SELECT 1"
                                                      : run == 2 ? "SELECT 2"
                                                                 : "SELECT 3");
        cr_assert_eq(qtdb_row_count(statement), (uint64_t)run);
        qtdb_reset(statement);
    }
    /* Two of one name at once have a statement each. */
    struct qtdb_statement *other = NULL;
    cr_assert_eq(qtdb_prepare(session, "execute p (2)", &other, NULL), QTDB_OK);
    cr_assert_eq(qtdb_step(statement), QTDB_ROW);
    cr_assert_eq(qtdb_step(other), QTDB_ROW);
    cr_assert_eq(qtdb_column_i64(other, 0), 2);
    cr_assert_eq(qtdb_column_i64(statement, 0), 3);
    qtdb_finalize(other);
    qtdb_finalize(statement);
    /* The same text again is PREPARE, not its query. */
    refuse("prepare p (int) as select $1 as a, g from generate_series(1, $1) g", "42P05", 0,
           "prepared statement \"p\" already exists");
}

/* A bytea's are what was bound, zeros and all; other types give their text's; an empty one is not null. */
Test(sql_prepared, bytes_of_a_column)
{
    static const uint8_t bound[] = {0, 1, 255, '\\', 'x', 0};
    struct qtdb_statement *statement = NULL;
    size_t size = 99;

    cr_assert_eq(qtdb_prepare(session, "select $1::bytea, ''::bytea, null::bytea, 12.50, 'text'",
                              &statement, NULL),
                 QTDB_OK);
    cr_assert_eq(qtdb_bind_bytes(statement, 1, bound, sizeof(bound)), QTDB_OK);
    cr_assert_eq(qtdb_step(statement), QTDB_ROW);
    const void *bytes = qtdb_column_bytes(statement, 0, &size);
    cr_assert(size == sizeof(bound) && memcmp(bytes, bound, size) == 0);
    cr_assert(qtdb_column_bytes(statement, 1, &size) != NULL && size == 0);
    cr_assert_null(qtdb_column_bytes(statement, 2, &size));
    bytes = qtdb_column_bytes(statement, 3, &size);
    cr_assert(size == 5 && memcmp(bytes, "12.50", 5) == 0);
    bytes = qtdb_column_bytes(statement, 4, &size);
    cr_assert(size == 4 && memcmp(bytes, "text", 4) == 0);
    cr_assert_str_eq(qtdb_column_text(statement, 0, NULL), "\\x0001ff5c7800");
    qtdb_finalize(statement);
}

Test(sql_prepared, the_plan_is_kept)
{
    expect("create table t (id int primary key); insert into t values (1)", "");
    expect("prepare p (int) as select id from t where id = $1; execute p(1)", "1\n");
    uint64_t hits = session->cache_hit_count;
    expect("execute p(1)", "1\n");
    expect("execute p(2)", "");
    cr_assert_eq(session->cache_hit_count, hits + 2);
}

/* covers: E4 */
Test(sql_prepared, survives_every_refused_allocation)
{
    static const char *const texts[] = {
        "prepare p (int, text) as select $1, $2 || 'x', $3",
        "execute p (1, 'a', 'b')",
        "explain analyze execute p (1, 'a', 'b')",
    };

    for (size_t i = 0; i < 3; i++) {
        bool failed = true;

        for (uint64_t index = 0; failed; index++) {
            if (i == 0)
                expect("deallocate all", "");
            memory_fail_at(rig.memory, index, false);
            enum qtdb_code code = qtdb_exec(session, texts[i], NULL, NULL);
            failed = memory_failed(rig.memory);
            memory_fail_at(rig.memory, UINT64_MAX, false);
            cr_assert_lt(index, 100000);
            cr_assert(code == QTDB_OK || (failed && code == QTDB_NO_MEMORY), "%s at %llu: %s",
                      texts[i], (unsigned long long)index, qtdb_error_last()->message);
        }
    }
    expect("execute p (1, 'a', 'b')", "1|ax|b\n");
}

/* Settings are no definitions: a plan that shows them is not for the next run. */
Test(sql_prepared, pg_settings_are_those_of_the_run)
{
    struct qtdb_statement *statement = NULL;

    cr_assert_eq(qtdb_prepare(session,
                              "select setting from pg_settings where name = 'application_name'",
                              &statement, NULL),
                 QTDB_OK);
    for (uint32_t i = 0; i < 2; i++) {
        expect(i == 0 ? "set application_name = 'one'" : "set application_name = 'two'", "");
        cr_assert_eq(qtdb_step(statement), QTDB_ROW);
        cr_assert_str_eq(qtdb_column_text(statement, 0, NULL), i == 0 ? "one" : "two");
        cr_assert_eq(qtdb_step(statement), QTDB_DONE);
        qtdb_reset(statement);
    }
    qtdb_finalize(statement);
}

static bool
line_is_there(const char *sql, const char *line)
{
    return strstr(rows_of(sql), line) != NULL;
}

Test(sql_prepared, explain_of_execute_shows_the_plan_and_analyze_runs_it)
{
    expect("create table t (a int primary key, n text); insert into t values (1, 'x'), (2, 'y')",
           "");
    expect("prepare p (int) as select n from t where a >= $1", "");
    expect("prepare ins (int) as insert into t values ($1, 'new') returning a", "");
    cr_assert(line_is_there("explain (costs off) execute p(1)", "Index Scan"), "%s",
              rows_of("explain (costs off) execute p(1)"));
    cr_assert(line_is_there("explain (costs off, format json) execute p(1)", "\"Plan\""));
    expect("execute p(2)", "y\n");
    cr_assert(line_is_there("explain (analyze, costs off) execute p(2)", "rows=1"));
    expect("execute p(1)", "x\ny\n");
    cr_assert(line_is_there("explain (costs off) execute ins(3)", "Insert on t"));
    expect("select count(*) from t", "2\n");
    cr_assert(line_is_there("explain (analyze, costs off) execute ins(3)", "Rows Changed: 1"));
    expect("execute ins(4); select count(*) from t", "4\n4\n");
    cr_assert(line_is_there("explain execute ins(5)", "Insert on t"));
    expect("select count(*) from t", "4\n");
}

Test(sql_prepared, explain_of_execute_refuses_what_execute_does)
{
    expect("create table t (a int primary key, n text); insert into t values (2, 'y')", "");
    expect("prepare p (int) as select n from t where a >= $1", "");
    expect("prepare ins (int) as insert into t values ($1, 'new') returning a", "");
    sql_refuse(session, "explain execute p", "42601");
    sql_refuse(session, "explain execute p(1, 2)", "42601");
    sql_refuse(session, "explain execute nosuch(1)", "26000");
    sql_refuse(session, "explain execute p((select 1))", "0A000");
    refuse("explain execute p('z')", "22P02", 19, "invalid input syntax for type integer: \"z\"");
    sql_refuse(session, "explain execute p(1 / 0)", "22012");
    sql_refuse(session, "explain analyze execute ins(2)", "23505");
    expect("begin read only", "");
    cr_assert_not_null(rows_of("explain execute ins(7)"));
    sql_refuse(session, "explain analyze execute ins(7)", "25006");
    expect("rollback; execute ins(7)", "7\n");
}
