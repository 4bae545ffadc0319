/*
 * Goal: COPY reads and writes what PostgreSQL 15 does, refuses with its words, its SQLSTATE and the
 * record's place, changes nothing when it fails, and leaks nothing at any refused allocation.
 * Method: data from and to texts in memory, through qtdb_session_set_copy, and files of the simulated
 * disk. Expected data and messages were made by PostgreSQL 15.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "kernel/qtdb.h"
#include "tests/support/db_rig.h"
#include "tests/support/sql_rows.h"

static struct db_rig rig;
static struct qtdb_session *session;
static const char *input; /* What is still to be read. */
static size_t input_size;
static size_t piece_size; /* At most so many bytes a call. */
static char written[8192];
static size_t written_size;
static const char *output; /* Rows of the last statement. */

static bool
read_input(void *context, void *bytes, size_t size, size_t *read_out)
{
    (void)context;
    size = size < piece_size ? size : piece_size;
    *read_out = size < input_size ? size : input_size;
    memcpy(bytes, input, *read_out);
    input += *read_out;
    input_size -= *read_out;
    return true;
}

static bool
write_output(void *context, const void *bytes, size_t size)
{
    (void)context;
    cr_assert_lt(written_size + size, sizeof(written));
    memcpy(written + written_size, bytes, size);
    written_size += size;
    written[written_size] = '\0';
    return true;
}

static void
setup(void)
{
    struct qtdb_copy copy = {.size = sizeof(copy), .read = read_input, .write = write_output};

    db_rig_init(&rig, 1);
    cr_assert_eq(qtdb_session_open(rig.db, &session), QTDB_OK);
    qtdb_session_set_copy(session, &copy);
    piece_size = 5;
}

static void
teardown(void)
{
    qtdb_session_close(session);
    db_rig_deinit(&rig);
}

TestSuite(sql_copy, .init = setup, .fini = teardown);

static void
give(const char *data, size_t size)
{
    input = data;
    input_size = size;
}

static void
run(const char *sql)
{
    written[0] = '\0';
    written_size = 0;
    output = sql_rows(session, sql);
}

static void
expect(const char *sql, const char *rows)
{
    run(sql);
    cr_assert_str_eq(output, rows, "%s gave:\n%s", sql, output);
}

/* Reads the data, and compares the table afterwards. */
static void
loads_bytes(const char *sql, const char *data, size_t size, const char *rows)
{
    run("delete from t");
    give(data, size);
    run(sql);
    expect("select * from t order by a", rows);
}

static void
loads(const char *sql, const char *data, const char *rows)
{
    loads_bytes(sql, data, strlen(data), rows);
}

static void
writes(const char *sql, const char *data)
{
    run(sql);
    cr_assert_str_eq(written, data, "%s wrote:\n%s", sql, written);
}

static void
refuses(const char *sql, const char *data, const char *sqlstate, const char *message)
{
    run("delete from t");
    give(data, strlen(data));
    cr_assert_neq(qtdb_exec(session, sql, NULL, NULL), QTDB_OK, "%s", sql);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, sqlstate, "%s: %s", sql,
                     qtdb_error_last()->message);
    cr_assert_str_eq(qtdb_error_last()->message, message, "%s: %s", sql,
                     qtdb_error_last()->message);
    expect("select count(*) from t", "0\n");
}

static void
make_table(void)
{
    run("create table t (a int primary key, b text, c numeric(6,2) default 7.5)");
}

Test(sql_copy, reads_text)
{
    make_table();
    loads("copy t from stdin", "1\tone\t1.5\n2\t\\N\t\\N\n3\t\t-2\n",
          "1|one|1.50\n2|NULL|NULL\n3||-2.00\n");
    loads("copy t from stdin", "1\ta\\tb\\nc\\\\d\\x41\\101\\q\t1\n2\tA\\\nB\t2",
          "1|a\tb\nc\\dAAq|1.00\n2|A\nB|2.00\n");
    loads("copy t from stdin", "1\tx\t1\n\\.\n2\ty\t2\n", "1|x|1.00\n");
    loads("copy t from stdin", "1\tx\t1\r\n2\ty\t2\r\n\\.\r\n", "1|x|1.00\n2|y|2.00\n");
    loads("copy t from stdin", "1\tx\t1\r2\ty\t2\r", "1|x|1.00\n2|y|2.00\n");
    loads("copy t (b, a) from stdin with (delimiter '|', null 'nil')", "x|1\nnil|2\n\\nil|3\n",
          "1|x|7.50\n2|NULL|7.50\n3|\nil|7.50\n");
    loads("copy t from stdin header", "whatever\n5\tz\t\\N\n", "5|z|NULL\n");
    loads("copy t from stdin", "", "");
    loads("copy t (a) from stdin where a % 2 = 1 and c > 7", "1\n2\n3\n",
          "1|NULL|7.50\n3|NULL|7.50\n");
}

Test(sql_copy, reads_csv)
{
    make_table();
    loads("copy t from stdin csv", "1,one,1.5\n2,,\n3,\"\",-2\n",
          "1|one|1.50\n2|NULL|NULL\n3||-2.00\n");
    loads("copy t from stdin csv header", "x,y,z\n1,\"a,\"\"b\"\"\nc\",1\n2,a\"b c\"d,2\n",
          "1|a,\"b\"\nc|1.00\n2|ab cd|2.00\n");
    loads("copy t from stdin (format csv, header match)", "a,b,c\n1,x,1\n", "1|x|1.00\n");
    loads("copy t from stdin (format csv, delimiter ';', quote '''', escape '\\', null 'NULL')",
          "1;'it\\'s; \\\\ x';1\n2;NULL;2\n3;'NULL';3\n",
          "1|it's; \\ x|1.00\n2|NULL|2.00\n3|NULL|3.00\n");
    run("delete from t");
    give("1,,\n", 4);
    run("copy t from stdin (format csv, force_not_null (b))");
    expect("select a, b is null, c is null from t", "1|f|t\n");
    loads("copy t from stdin (format csv, null 'x', force_null (b))", "1,\"x\",1\n",
          "1|NULL|1.00\n");
    loads("copy t from stdin csv", "1,\\.,1\n\\.\n2,x,2\n", "1|\\.|1.00\n");
    loads("copy t from stdin csv", "1,\"\n\\.\n\",1\r\n\\.\r\n", "1|\n\\.\n|1.00\n");
    loads("copy t (b, a) from stdin csv", "\\.x,1\n", "1|\\.x|7.50\n");
}

/* Each size of the pieces the data come in gives the same. */
Test(sql_copy, pieces_do_not_matter)
{
    make_table();
    for (piece_size = 1; piece_size < 24; piece_size++) {
        loads("copy t from stdin csv", "1,\"a\r\nb\"\"\",1\r\n2,\\.,2\r\n\\.\r\n",
              "1|a\r\nb\"|1.00\n2|\\.|2.00\n");
        loads("copy t from stdin", "1\ta\\\nb\\x4\t1\n2\t\\\\.\t2\n\\.\n",
              "1|a\nb\x04|1.00\n2|\\.|2.00\n");
    }
}

Test(sql_copy, long_records_and_many)
{
    static char data[400000];
    size_t size = 0;

    make_table();
    piece_size = sizeof(data);
    size += (size_t)snprintf(data, sizeof(data), "0\t");
    memset(data + size, 'x', 200000);
    size += 200000;
    size += (size_t)snprintf(data + size, sizeof(data) - size, "\t1\n");
    for (int i = 1; i <= 10000; i++)
        size += (size_t)snprintf(data + size, sizeof(data) - size, "%d\tv%d\t1\n", i, i);
    give(data, size);
    run("copy t from stdin");
    expect("select count(*), sum(a), max(length(b)) from t", "10001|50005000|200000\n");
    expect("select b from t where a = 9999", "v9999\n");
}

Test(sql_copy, writes_what_it_reads)
{
    make_table();
    run("insert into t values (1, E'a\\tb\\nc\\\\d\\x01', 1.5), (2, null, null), (3, '', 0), "
        "(4, '\\N', 4), (5, 'x,\"y\"', 5)");
    writes("copy t to stdout", "1\ta\\tb\\nc\\\\d\x01\t1.50\n2\t\\N\t\\N\n3\t\t0.00\n"
                               "4\t\\\\N\t4.00\n5\tx,\"y\"\t5.00\n");
    writes("copy t (c, a) to stdout (header, delimiter '|', null 'nil')",
           "c|a\n1.50|1\nnil|2\n0.00|3\n4.00|4\n5.00|5\n");
}

Test(sql_copy, writes_csv)
{
    make_table();
    run("insert into t values (1, E'a\\nb', 1.5), (2, null, null), (3, '', 0), (4, 'x,\"y\"', 4), "
        "(5, '\\.', 5)");
    writes("copy t to stdout csv header",
           "a,b,c\n1,\"a\nb\",1.50\n2,,\n3,\"\",0.00\n4,\"x,\"\"y\"\"\",4.00\n5,\\.,5.00\n");
    writes("copy (select b from t where a = 5) to stdout csv", "\"\\.\"\n");
    writes("copy t to stdout (format csv, force_quote (a, c), null '-')",
           "\"1\",\"a\nb\",\"1.50\"\n\"2\",-,-\n\"3\",,\"0.00\"\n\"4\",\"x,\"\"y\"\"\",\"4.00\"\n"
           "\"5\",\\.,\"5.00\"\n");
    writes("copy t (b) to stdout (format csv, force_quote *, quote '''', escape '!')",
           "'a\nb'\n\n''\n'x,\"y\"'\n'\\.'\n");
    writes("copy (select a + 1 as n, b from t order by a desc limit 1) to stdout (header)",
           "n\tb\n6\t\\\\.\n");
    writes("copy (values (true, date '2020-01-02', array[1,2], '\\xff'::bytea)) to stdout",
           "t\t2020-01-02\t{1,2}\t\\\\xff\n");
}

Test(sql_copy, counts_in_the_tag)
{
    struct qtdb_statement *statement = NULL;

    make_table();
    give("1\n2\n", 4);
    cr_assert_eq(qtdb_prepare(session, "copy t (a) from stdin", &statement, NULL), QTDB_OK);
    cr_assert_eq(qtdb_step(statement), QTDB_DONE);
    cr_assert_str_eq(qtdb_command_tag(statement), "COPY 2");
    cr_assert_eq(qtdb_row_count(statement), 2);
    qtdb_finalize(statement);
}

Test(sql_copy, tells_where_data_are_wrong)
{
    make_table();
    refuses("copy t from stdin", "1\tx\t1\nabc\ty\t2\n", "22P02",
            "invalid input syntax for type integer: \"abc\"\n"
            "CONTEXT:  COPY t, line 2, column a: \"abc\"");
    refuses("copy t from stdin", "1\tx\n", "22P04",
            "missing data for column \"c\"\nCONTEXT:  COPY t, line 1: \"1\tx\"");
    refuses("copy t from stdin", "1\tx\t1\t2\n", "22P04",
            "extra data after last expected column\nCONTEXT:  COPY t, line 1: \"1\tx\t1\t2\"");
    refuses("copy t from stdin csv", "1,x,1\n,x,1\n", "23502",
            "null value in column \"a\" of relation \"t\" violates not-null constraint\n"
            "CONTEXT:  COPY t, line 2: \",x,1\"");
    refuses("copy t from stdin csv", "1,x,1\n1,y,1\n", "23505",
            "duplicate key value violates unique constraint \"t_pkey\"\n"
            "CONTEXT:  COPY t, line 2");
    refuses("copy t from stdin csv", "1,\"x\n,1\n2,y,2\n", "22P04",
            "unterminated CSV quoted field\nCONTEXT:  COPY t, line 1: \"1,\"x\n,1\n2,y,2\n\"");
    refuses("copy t from stdin csv", "1,\"x\ny\",1\nz,,\n", "22P02",
            "invalid input syntax for type integer: \"z\"\n"
            "CONTEXT:  COPY t, line 2, column a: \"z\"");
    refuses("copy t from stdin csv", "1,a,1\n2,\"x\ny\",1\nz,,\n", "22P02",
            "invalid input syntax for type integer: \"z\"\n"
            "CONTEXT:  COPY t, line 4, column a: \"z\"");
    refuses("copy t from stdin (format csv, header match)", "a,x,c\n", "22P04",
            "column name mismatch in header line field 2: got \"x\", expected \"b\"\n"
            "CONTEXT:  COPY t, line 1: \"a,x,c\"");
    refuses("copy t from stdin (header match)", "a\tb\n", "22P04",
            "wrong number of fields in header line: got 2, expected 3\n"
            "CONTEXT:  COPY t, line 1: \"a\tb\"");
    refuses("copy t (a, b) from stdin csv",
            "1,0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
            "2345678901234567890123456789,3\n",
            "22P04",
            "extra data after last expected column\nCONTEXT:  COPY t, line 1: "
            "\"1,01234567890123456789012345678901234567890123456789012345678901234567890123456789"
            "012345678901234567...\"");
}

Test(sql_copy, refuses_bytes_and_line_ends)
{
    make_table();
    refuses("copy t (a) from stdin", "1\n2\r\n", "22P04",
            "literal carriage return found in data\nCONTEXT:  COPY t, line 2");
    refuses("copy t (a) from stdin", "1\r\n2\n", "22P04",
            "literal newline found in data\nCONTEXT:  COPY t, line 2");
    refuses("copy t (a) from stdin csv", "1\n2\r\n", "22P04",
            "unquoted carriage return found in data\nCONTEXT:  COPY t, line 2");
    refuses("copy t (a) from stdin csv", "1\r\n2\n", "22P04",
            "unquoted newline found in data\nCONTEXT:  COPY t, line 2");
    refuses("copy t (a) from stdin", "1\n\\.x\n", "22P04",
            "end-of-copy marker corrupt\nCONTEXT:  COPY t, line 2");
    refuses("copy t (a) from stdin", "1\n\\.\r\n", "22P04",
            "end-of-copy marker does not match previous newline style\nCONTEXT:  COPY t, line 2");
    refuses("copy t (a, b) from stdin", "1\t\xff\n", "22021",
            "invalid byte sequence for encoding \"UTF8\": 0xff\n"
            "CONTEXT:  COPY t, line 1");
    refuses("copy t (a, b) from stdin", "1\t\\xc3\\x28\n", "22021",
            "invalid byte sequence for encoding \"UTF8\": 0xc3 0x28\n"
            "CONTEXT:  COPY t, line 1: \"1\t\\xc3\\x28\"");
    refuses("copy t (a, b) from stdin", "1\t\\000\n", "22021",
            "invalid byte sequence for encoding \"UTF8\": 0x00\n"
            "CONTEXT:  COPY t, line 1: \"1\t\\000\"");
}

Test(sql_copy, refuses_options)
{
    static const struct {
        const char *sql, *sqlstate, *message;
    } cases[] = {
        {"copy t from stdin (format xml)", "22023", "COPY format \"xml\" not recognized"},
        {"copy t from stdin (format csv, format csv)", "42601", "conflicting or redundant options"},
        {"copy t from stdin (colour 'red')", "42601", "option \"colour\" not recognized"},
        {"copy t from stdin (delimiter 'ab')", "0A000",
         "COPY delimiter must be a single one-byte character"},
        {"copy t from stdin (delimiter 'a')", "22023", "COPY delimiter cannot be \"a\""},
        {"copy t from stdin (delimiter E'\\n')", "22023",
         "COPY delimiter cannot be newline or carriage return"},
        {"copy t from stdin (quote 'a')", "0A000", "COPY quote available only in CSV mode"},
        {"copy t from stdin (escape 'a')", "0A000", "COPY escape available only in CSV mode"},
        {"copy t from stdin (format csv, quote ',')", "22023",
         "COPY delimiter and quote must be different"},
        {"copy t from stdin (null E'a\\tb')", "0A000",
         "COPY delimiter must not appear in the NULL specification"},
        {"copy t from stdin (format csv, null '\"')", "0A000",
         "CSV quote character must not appear in the NULL specification"},
        {"copy t from stdin (header maybe)", "42601",
         "header requires a Boolean value or \"match\""},
        {"copy t to stdout (header match)", "0A000", "cannot use \"match\" with HEADER in COPY TO"},
        {"copy t from stdin (format csv, force_quote (a))", "0A000",
         "COPY force quote only available using COPY TO"},
        {"copy t to stdout (format csv, force_null (a))", "0A000",
         "COPY force null only available using COPY FROM"},
        {"copy t to stdout (force_quote (a))", "0A000",
         "COPY force quote available only in CSV mode"},
        {"copy t (a) from stdin (format csv, force_not_null (b))", "42P10",
         "FORCE_NOT_NULL column \"b\" not referenced by COPY"},
        {"copy t (x) from stdin", "42703", "column \"x\" of relation \"t\" does not exist"},
        {"copy t (a, a) from stdin", "42701", "column \"a\" specified more than once"},
        {"copy nix from stdin", "42P01", "relation \"nix\" does not exist"},
        {"copy v from stdin", "42809", "cannot copy to view \"v\""},
        {"copy v to stdout", "42809", "cannot copy from view \"v\""},
        {"copy t from stdin where a", "42804",
         "argument of WHERE must be type boolean, not type integer"},
        {"copy t from stdin where a in (select 1)", "0A000",
         "cannot use a subquery, or what asks the catalog, in COPY FROM WHERE conditions"},
        {"copy t from program 'ls'", "0A000", "COPY with PROGRAM is not supported yet"},
        {"copy t from stdin (format binary)", "0A000",
         "the binary format of COPY is not supported yet"},
    };

    make_table();
    run("create view v as select 1 as x");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        refuses(cases[i].sql, "", cases[i].sqlstate, cases[i].message);
}

Test(sql_copy, rules_refuse)
{
    run("create table p (id int primary key)");
    run("insert into p values (1), (2)");
    run("create table t (a int primary key, b int check (b < 10), "
        "c int generated always as (b * 2) stored, d int references p, e text unique)");
    loads("copy t from stdin csv", "1,1,1,x\n2,2,,\n", "1|1|2|1|x\n2|2|4|NULL|NULL\n");
    writes("copy t to stdout csv", "1,1,1,x\n2,2,,\n");
    refuses("copy t from stdin csv", "1,1,1,x\n2,20,,\n", "23514",
            "new row for relation \"t\" violates check constraint \"t_b_check\"\n"
            "CONTEXT:  COPY t, line 2: \"2,20,,\"");
    refuses("copy t from stdin csv", "1,1,1,x\n2,2,1,x\n", "23505",
            "duplicate key value violates unique constraint \"t_e_key\"\n"
            "CONTEXT:  COPY t, line 2");
    refuses("copy t from stdin csv", "1,1,3,x\n", "23503",
            "insert or update on table \"t\" violates foreign key constraint \"t_d_fkey\"\n"
            "CONTEXT:  COPY t, line 1");
    refuses("copy t (a, c) from stdin", "", "42P10",
            "column \"c\" is a generated column: it cannot be used in COPY");
    refuses("copy t from stdin where c = 1", "", "42P10",
            "generated columns are not supported in COPY FROM WHERE conditions: column \"c\" is a "
            "generated column");
}

Test(sql_copy, an_identity_column_takes_what_it_is_given)
{
    run("create table t (a int generated always as identity, b int)");
    loads("copy t from stdin", "40\t1\n", "40|1\n");
    loads("copy t (b) from stdin", "1\n2\n", "1|1\n2|2\n");
}

Test(sql_copy, without_functions_only_files_serve)
{
    make_table();
    qtdb_session_set_copy(session, NULL);
    cr_assert_neq(qtdb_exec(session, "copy t from stdin", NULL, NULL), QTDB_OK);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "55000");
    cr_assert_neq(qtdb_exec(session, "copy t to stdout", NULL, NULL), QTDB_OK);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "55000");
    run("insert into t values (1, 'x', 1), (2, null, 2)");
    run("copy t to '/data.csv' csv header");
    run("delete from t");
    run("copy t from '/data.csv' csv header");
    expect("select * from t order by a", "1|x|1.00\n2|NULL|2.00\n");
    run("copy (select 1) to '/data.csv'"); /* Shorter than what was there. */
    run("create table one (x text)");
    run("copy one from '/data.csv'");
    expect("select * from one", "1\n");
    cr_assert_neq(qtdb_exec(session, "copy t from '/nix'", NULL, NULL), QTDB_OK);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "58P01", "%s", qtdb_error_last()->message);
}

static bool
stop(void *context, void *bytes, size_t size, size_t *read_out)
{
    (void)context;
    (void)bytes;
    (void)size;
    (void)read_out;
    return false;
}

/* covers: E4 */
Test(sql_copy, stops_when_the_caller_says_so)
{
    struct qtdb_copy copy = {.size = sizeof(copy), .read = stop};

    make_table();
    qtdb_session_set_copy(session, &copy);
    cr_assert_eq(qtdb_exec(session, "copy t from stdin", NULL, NULL), QTDB_STOPPED);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "57014");
    cr_assert_eq(
        qtdb_exec(session, "begin; insert into t values (1); copy t from stdin", NULL, NULL),
        QTDB_STOPPED);
    cr_assert_neq(qtdb_exec(session, "select 1", NULL, NULL), QTDB_OK);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "25P02");
    run("rollback");
    run("begin read only");
    cr_assert_neq(qtdb_exec(session, "copy t from stdin", NULL, NULL), QTDB_OK);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "25006");
    run("rollback");
}

static void
survives(const char *sql, const char *data)
{
    uint64_t index = 0;
    bool failed = true;

    for (; failed; index++) {
        run("delete from t");
        give(data, strlen(data));
        written_size = 0;
        memory_fail_at(rig.memory, index, false);
        enum qtdb_code code = qtdb_exec(session, sql, NULL, NULL);
        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert_lt(index, 100000);
        cr_assert(code == QTDB_OK || (failed && code == QTDB_NO_MEMORY), "%s at %llu: %s", sql,
                  (unsigned long long)index, qtdb_error_last()->message);
        if (code != QTDB_OK)
            expect("select count(*) from t", "0\n");
    }
    cr_assert_gt(index, 5, "%s allocates nothing", sql);
}

/* covers: E4 */
Test(sql_copy, survives_every_refused_allocation)
{
    make_table();
    survives("copy t from stdin", "1\tx\\ty\t1\n2\t\\N\t2\n");
    survives("copy t (b, a) from stdin (format csv, header, force_null (b)) where a > 0",
             "b,a\n\"x\"\"y\",1\n,2\n");
    survives("copy (select g, 'x' || g from generate_series(1, 3) g) to stdout csv header", "");
    survives("copy t to stdout", "");
}
