/*
 * Goal: while a statement runs its session's progress function hears of rows read, more each time and as many as
 * there are in the end; it ends the statement by returning false, and the session goes on.
 * Method: scans, joins, sorts and changes of 20,000 rows on a simulated disk.
 */
#include <criterion/criterion.h>

#include "kernel/qtdb.h"
#include "tests/support/db_rig.h"
#include "tests/support/sql_rows.h"

enum { ROWS = 20000 };

static struct db_rig rig;
static struct qtdb_session *session;

static struct {
    uint64_t calls;
    uint64_t rows;
    uint64_t stop_after; /* Calls; 0: never. */
} heard;

static void
setup(void)
{
    db_rig_init(&rig, 1);
    cr_assert_eq(qtdb_session_open(rig.db, &session), QTDB_OK);
    sql_expect(session, "create table t (id int primary key, n int)", "");
    sql_expect(session, "insert into t select i, i % 7 from generate_series(1, 20000) i", "");
}

static void
teardown(void)
{
    qtdb_session_close(session);
    db_rig_deinit(&rig);
}

TestSuite(sql_progress, .init = setup, .fini = teardown);

static bool
hear(void *context, uint64_t row_count)
{
    cr_assert_eq(context, &heard);
    cr_assert_geq(row_count, heard.rows);
    heard.rows = row_count;
    return ++heard.calls != heard.stop_after;
}

static void
listen(uint64_t stop_after)
{
    heard.calls = heard.rows = 0;
    heard.stop_after = stop_after;
    qtdb_session_set_progress(session, hear, &heard);
}

Test(sql_progress, tells_of_rows_read)
{
    static const struct {
        const char *sql, *rows;
    } runs[] = {
        {"select count(*), sum(n) from t", "20000|59998\n"},
        {"select count(*) from (select n, id from t order by n, id desc offset 5) s", "19995\n"},
        {"select count(*) from t a join t b on a.id = b.id + 1", "19999\n"},
        {"update t set n = n + 1", ""},
    };

    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        listen(0);
        sql_expect(session, runs[i].sql, runs[i].rows);
        cr_assert_gt(heard.calls, 0, "%s", runs[i].sql);
        cr_assert_gt(heard.rows, ROWS / 2, "%s: %lu", runs[i].sql, (unsigned long)heard.rows);
    }
    /* Each statement counts anew, and nobody is told once the function is taken away. */
    listen(0);
    sql_expect(session, "select count(*) from t", "20000\n");
    cr_assert_leq(heard.rows, ROWS);
    uint64_t calls = heard.calls;
    qtdb_session_set_progress(session, NULL, NULL);
    sql_expect(session, "select count(*) from t", "20000\n");
    cr_assert_eq(heard.calls, calls);
}

Test(sql_progress, ends_a_statement)
{
    static const char *const statements[] = {
        "select sum(id) from t",
        "update t set n = n + 1",
        "select count(*) from t a join t b on a.n = b.n",
    };

    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        listen(2);
        cr_assert_eq(qtdb_exec(session, statements[i], NULL, NULL), QTDB_STOPPED, "%s",
                     statements[i]);
        cr_assert_str_eq(qtdb_error_last()->sqlstate, "57014");
        cr_assert_eq(heard.calls, 2);
        qtdb_session_set_progress(session, NULL, NULL);
        sql_expect(session, "select count(*), sum(n) from t", "20000|59998\n");
    }
}

Test(sql_progress, ends_a_pause)
{
    listen(1);
    cr_assert_eq(qtdb_exec(session, "select pg_sleep(60)", NULL, NULL), QTDB_STOPPED);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "57014");
    qtdb_session_set_progress(session, NULL, NULL);
    sql_expect(session, "select pg_sleep(0.001)", "\n");
}
