/*
 * Goal: rows of a load go in as an INSERT of them all would put them there: conversions, defaults, generated columns,
 * checks, keys and foreign keys; a load that fails or is discarded leaves nothing; the session takes no other statement
 * meanwhile; nothing leaks at any refused allocation.
 * Method: loads and statements on a simulated disk.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "executor/session.h"
#include "tests/support/sql_rig.h"

TestSuite(sql_load, .init = sql_rig_open, .fini = sql_rig_close);

static struct qtdb_value
integer(int64_t value)
{
    return (struct qtdb_value){.type = QTDB_TYPE_INT8, .integer = value};
}

static struct qtdb_value
real(double value)
{
    return (struct qtdb_value){.type = QTDB_TYPE_FLOAT8, .real = value};
}

static struct qtdb_value
text(const char *value)
{
    return (struct qtdb_value){.type = QTDB_TYPE_TEXT, .size = strlen(value), .bytes = value};
}

static struct qtdb_value
bytes(const void *value, size_t size)
{
    return (struct qtdb_value){.type = QTDB_TYPE_BYTEA, .size = size, .bytes = value};
}

static const struct qtdb_value null = {.type = QTDB_TYPE_NULL};

static struct qtdb_load *
begin(const char *table)
{
    struct qtdb_load *load = NULL;

    cr_assert_eq(qtdb_load_begin(session, NULL, table, NULL, 0, &load), QTDB_OK, "%s",
                 qtdb_error_last()->message);
    return load;
}

static void
refused(enum qtdb_code code, const char *sqlstate, const char *message)
{
    cr_assert_neq(code, QTDB_OK, "%s: %s", sqlstate, message);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, sqlstate, "%s", qtdb_error_last()->message);
    cr_assert_not_null(strstr(qtdb_error_last()->message, message), "%s",
                       qtdb_error_last()->message);
}

Test(sql_load, values_become_those_of_the_columns)
{
    expect("create table t (a int primary key, b numeric(6, 2), c varchar(4), d date, e bytea, f "
           "float8, "
           "g text, h jsonb, i uuid, j bool, k timestamp(0), l int[], m char(3))",
           "");
    struct qtdb_load *load = begin("t");
    const struct qtdb_value rows[2][13] = {
        {integer(1), integer(7), text("abcd"), text("2024-02-29"), bytes("\0\xff", 2), real(0.5),
         text("gr\xc3\xbc\xc3\x9f"), text("{\"b\":1, \"a\":2}"),
         text("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), text("yes"), text("2024-01-01 10:00:00.6"),
         text("{1,2}"), text("x")},
        {text("2"), text("1.005"), null, null, null, integer(3), null, null, null, null, null, null,
         null},
    };

    cr_assert_eq(qtdb_load_column_count(load), 13);
    cr_assert_eq(qtdb_load_rows(load, rows[0], 2, NULL), QTDB_OK, "%s", qtdb_error_last()->message);
    cr_assert_eq(qtdb_load_end(load), QTDB_OK);
    expect("select a, b, c, d, e, f, g, h, i, j, k, l, m || '|' from t order by a",
           "1|7.00|abcd|2024-02-29|\\x00ff|0.5|gr\xc3\xbc\xc3\x9f|{\"a\": 2, \"b\": 1}|"
           "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|t|2024-01-01 10:00:01|{1,2}|x|\n"
           "2|1.01|NULL|NULL|NULL|3|NULL|NULL|NULL|NULL|NULL|NULL|NULL\n");
}

Test(sql_load, a_text_may_hold_nul_as_that_of_a_parameter_may)
{
    const struct qtdb_value rows[] = {
        {.type = QTDB_TYPE_TEXT, .size = 3, .bytes = "a\0b"},
        {.type = QTDB_TYPE_TEXT, .size = 12, .bytes = "\0\0\0\xc3\xbc 45678\0"},
        {.type = QTDB_TYPE_TEXT, .size = 0, .bytes = NULL}};
    struct qtdb_load *load = NULL;

    expect("create table t (a text)", "");
    load = begin("t");
    cr_assert_eq(qtdb_load_rows(load, rows, 3, NULL), QTDB_OK, "%s", qtdb_error_last()->message);
    cr_assert_eq(qtdb_load_end(load), QTDB_OK);
    expect("select octet_length(a) from t", "3\n12\n0\n");
}

Test(sql_load, columns_that_are_not_given_get_defaults_and_are_generated)
{
    const char *const columns[] = {"n", "id"};
    struct qtdb_load *load = NULL;

    expect("create table t (id int primary key, s serial, n text, d text default 'x', "
           "g text generated always as (n || '!') stored)",
           "");
    cr_assert_eq(qtdb_load_begin(session, "public", "t", columns, 2, &load), QTDB_OK);
    const struct qtdb_value rows[] = {text("one"), integer(1), text("two"), integer(2)};
    cr_assert_eq(qtdb_load_rows(load, rows, 2, NULL), QTDB_OK);
    cr_assert_eq(qtdb_load_end(load), QTDB_OK);
    expect("select * from t order by id", "1|1|one|x|one!\n2|2|two|x|two!\n");
}

static void
fails(const struct qtdb_value *rows, size_t count, size_t taken, const char *sqlstate,
      const char *message)
{
    struct qtdb_load *load = begin("t");
    size_t got = 99;

    refused(qtdb_load_rows(load, rows, count, &got), sqlstate, message);
    cr_assert_eq(got, taken);
    refused(qtdb_load_rows(load, rows, count, &got), "25P02", "is to be discarded");
    cr_assert_eq(got, 0);
    refused(qtdb_load_end(load), "25P02", "has failed");
    expect("select count(*) from t", "1\n");
}

/* covers: E4 */
Test(sql_load, a_row_that_breaks_a_rule_leaves_nothing)
{
    expect(
        "create table t (a int primary key check (a < 100), b varchar(2) not null, c text unique);"
        "insert into t values (5, 'x', 'taken')",
        "");
    const struct qtdb_value repeated[] = {integer(1), text("x"), null, integer(1), text("y"), null};
    const struct qtdb_value there[] = {integer(1), text("x"), text("taken")};
    const struct qtdb_value absent[] = {integer(1), null, null};
    const struct qtdb_value large[] = {integer(100), text("x"), null};
    const struct qtdb_value range[] = {integer(INT64_MAX), text("x"), null};
    const struct qtdb_value wide[] = {integer(1), text("xyz"), null};
    const struct qtdb_value syntax[] = {text("one"), text("x"), null};
    const struct qtdb_value type[] = {bytes("a", 1), text("x"), null};
    const struct qtdb_value invalid[] = {integer(1), text("\xc3"), null};
    const struct qtdb_value unknown[] = {{.type = QTDB_TYPE_DATE, .integer = 1}, text("x"), null};

    fails(repeated, 2, 1, "23505", "\"t_pkey\"");
    fails(there, 1, 0, "23505", "\"t_c_key\"");
    fails(absent, 1, 0, "23502", "\"b\"");
    fails(large, 1, 0, "23514", "\"t_a_check\"");
    fails(range, 1, 0, "22003", "out of range");
    fails(wide, 1, 0, "22001", "too long");
    fails(syntax, 1, 0, "22P02", "\"one\"");
    fails(type, 1, 0, "42804", "column \"a\" is of type integer but the value is of type bytea");
    fails(invalid, 1, 0, "22021", "invalid byte sequence");
    fails(unknown, 1, 0, "0A000", "type date");
}

Test(sql_load, foreign_keys_are_looked_at_when_it_ends)
{
    expect("create table p (id int primary key, up int references p)", "");
    const struct qtdb_value rows[] = {integer(1), integer(2), integer(2), null};
    const struct qtdb_value orphan[] = {integer(3), integer(4)};
    struct qtdb_load *load = begin("p");

    cr_assert_eq(qtdb_load_rows(load, rows, 2, NULL), QTDB_OK);
    cr_assert_eq(qtdb_load_end(load), QTDB_OK);
    load = begin("p");
    cr_assert_eq(qtdb_load_rows(load, orphan, 1, NULL), QTDB_OK);
    refused(qtdb_load_end(load), "23503", "foreign key");
    expect("select id from p order by id", "1\n2\n");
}

Test(sql_load, one_that_is_discarded_or_interrupted_leaves_nothing)
{
    const struct qtdb_value row[] = {integer(1)};
    struct qtdb_load *load = NULL;

    expect("create table t (a int)", "");
    qtdb_load_discard(NULL);
    load = begin("t");
    cr_assert_eq(qtdb_load_rows(load, row, 1, NULL), QTDB_OK);
    qtdb_load_discard(load);
    load = begin("t");
    qtdb_interrupt(session);
    refused(qtdb_load_rows(load, row, 1, NULL), "57014", "canceling");
    qtdb_load_discard(load);
    expect("select count(*) from t", "0\n");
}

Test(sql_load, the_session_takes_no_statement_meanwhile)
{
    const struct qtdb_value row[] = {integer(1)};
    struct qtdb_load *load = NULL, *other = NULL;

    expect("create table t (a int)", "");
    load = begin("t");
    sql_refuse(session, "select 1", "55006");
    sql_refuse(session, "begin", "55006");
    sql_refuse(session, "insert into t values (2)", "55006");
    refused(qtdb_load_begin(session, NULL, "t", NULL, 0, &other), "55006", "has not ended");
    cr_assert_eq(qtdb_load_rows(load, row, 1, NULL), QTDB_OK);
    cr_assert_eq(qtdb_load_end(load), QTDB_OK);
    expect("select a from t", "1\n");
}

Test(sql_load, inside_a_block_it_is_part_of_it)
{
    const struct qtdb_value row[] = {integer(1)};
    struct qtdb_load *load = NULL;

    expect("create table t (a int primary key); begin; insert into t values (7)", "");
    load = begin("t");
    cr_assert_eq(qtdb_load_rows(load, row, 1, NULL), QTDB_OK);
    cr_assert_eq(qtdb_load_end(load), QTDB_OK);
    expect("select count(*) from t; rollback; select count(*) from t", "2\n0\n");
    expect("begin; insert into t values (7)", "");
    load = begin("t");
    cr_assert_eq(qtdb_load_rows(load, row, 1, NULL), QTDB_OK);
    qtdb_load_discard(load);
    sql_refuse(session, "select 1", "25P02");
    expect("rollback; select count(*) from t", "0\n");
    sql_refuse(session, "begin read only; insert into t values (1)", "25006");
    refused(qtdb_load_begin(session, NULL, "t", NULL, 0, &load), "25P02", "aborted");
    expect("rollback; begin read only", "");
    refused(qtdb_load_begin(session, NULL, "t", NULL, 0, &load), "25006", "read-only");
    expect("rollback", "");
}

Test(sql_load, names_that_are_wrong_are_refused)
{
    const char *const twice[] = {"a", "a"}, *const unknown[] = {"z"}, *const made[] = {"g"};
    struct qtdb_load *load = NULL;

    expect("create table t (a int, g int generated always as (a + 1) stored);"
           "create view v as select 1",
           "");
    refused(qtdb_load_begin(session, NULL, "none", NULL, 0, &load), "42P01", "\"none\"");
    refused(qtdb_load_begin(session, "no", "t", NULL, 0, &load), "42P01", "t\" does not exist");
    refused(qtdb_load_begin(session, NULL, "v", NULL, 0, &load), "42809", "view \"v\"");
    refused(qtdb_load_begin(session, NULL, "t", twice, 2, &load), "42701", "more than once");
    refused(qtdb_load_begin(session, NULL, "t", unknown, 1, &load), "42703", "\"z\"");
    refused(qtdb_load_begin(session, NULL, "t", made, 1, &load), "42P10", "generated column");
    expect("select 1", "1\n");
}

/* One whole load; true when it succeeded. */
static bool
try_load(void)
{
    const struct qtdb_value rows[] = {integer(1), text("12.5"), text("a"),
                                      integer(2), text("13.5"), text("b")};
    struct qtdb_load *load = NULL;

    if (qtdb_load_begin(session, NULL, "t", NULL, 0, &load) != QTDB_OK)
        return false;
    if (qtdb_load_rows(load, rows, 2, NULL) != QTDB_OK) {
        enum qtdb_code code = qtdb_error_last()->code;

        qtdb_load_discard(load);
        cr_assert_eq(code, QTDB_NO_MEMORY);
        return false;
    }
    return qtdb_load_end(load) == QTDB_OK;
}

/* covers: E4 */
Test(sql_load, survives_every_refused_allocation)
{
    uint64_t index = 0;
    bool failed = true;

    expect("create table u (n numeric primary key); insert into u values (12.5), (13.5);"
           "create table t (a int primary key, n numeric references u, c text unique)",
           "");
    for (; failed; index++) {
        memory_fail_at(rig.memory, index, false);
        bool done = try_load();
        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert_lt(index, 100000, "it never succeeds");
        cr_assert(done || failed, "%s at %llu", qtdb_error_last()->message,
                  (unsigned long long)index);
        expect("select count(*) from t", done ? "2\n" : "0\n");
        expect("delete from t", "");
    }
    cr_assert_gt(index, 5);
}
