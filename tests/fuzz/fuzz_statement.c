/*
 * Goal: no SQL text makes the executor crash, leak, hang or lose a lock: what parses is bound, planned and
 * run, and ends in rows or in an error with a SQLSTATE.
 * Method: the input is a text of statements. They run inside a transaction on a small database on a
 * simulated disk, with rows of every type, indexes, a view, a sequence; every row is fetched, and the
 * transaction is rolled back. After a text that ended it comes a new database. A timer interrupts what
 * runs for a fifth of a second. The corpus has queries of tests/postgres/query_maker.c and the kinds
 * of statements of tests/sql.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "tests/support/db_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char tables[] =
    "create type mood as enum ('sad', 'ok', 'happy', 'Zen');"
    "create table t0 (id int primary key, i int, n numeric, s text, b boolean, d date, ts "
    "timestamp,"
    " sp interval, a int[], j jsonb, f float8, m mood, z timestamptz, h time, l bigint, w text[]);"
    "create table t1 (i int, n numeric(9, 2), s varchar(20), b boolean, d date, ts timestamp,"
    " sp interval, a int[], j jsonb, f float8, m mood, z timestamptz, h time, l bigint, w text[]);"
    "create table t2 (k serial primary key, i int references t0, s text unique, c char(3) default "
    "'x',"
    " g int generated always as (k * 2) stored, u uuid, y bytea, check (i < 100));"
    "insert into t0 select g, g % 5, g / 3.0, 's' || g % 4, g % 2 = 0, date '2024-02-27' + g,"
    " timestamp '2024-02-28 10:00' + g * interval '7 hours', g * interval '1 day 1 min', array[g, "
    "g % 3],"
    " jsonb_build_object('a', g, 'b', array[g]), g / 7.0, (enum_range(null::mood))[g % 4 + 1],"
    " timestamptz '2024-01-01' + g * interval '1 mon', time '10:00' + g * interval '1 hour', g * "
    "1000000000::bigint,"
    " array['a', 'b' || g] from generate_series(1, 12) g;"
    "insert into t1 select i, n, s, b, d, ts, sp, a, j, f, m, z, h, l, w from t0 where id > 3;"
    "insert into t1 (i) values (null), (3);"
    "insert into t2 (i, s, y) select g, 'k' || g, '\\x01ff' from generate_series(1, 5) g;"
    "create index t0_s on t0 (s, i); create index t1_m on t1 (m); create index t1_e on t1 "
    "(lower(s));"
    "create view v as select id, s, m from t0 where id < 9; create sequence sq";

static struct db_rig rig;
static bool is_made;
static struct qtdb_session *session;

static void
interrupt_session(int signal)
{
    (void)signal;
    qtdb_interrupt(session);
}

static void
set_timer(int microseconds)
{
    const struct itimerval timer = {.it_value = {.tv_usec = microseconds}};

    if (setitimer(ITIMER_VIRTUAL, &timer, NULL) != 0)
        abort();
}

static void
make(void)
{
    signal(SIGVTALRM, interrupt_session);
    db_rig_init(&rig, 1);
    DB(qtdb_session_open(rig.db, &session));
    DB(qtdb_exec(session, tables, NULL, NULL));
    qtdb_session_close(session);
    is_made = true;
}

/* Outside a block a savepoint is 25P01; what began one anew has the word for it. */
static bool
has_ended(const char *sql)
{
    enum qtdb_code code = qtdb_exec(session, "savepoint ended", NULL, NULL);

    if (code != QTDB_OK && strcmp(qtdb_error_last()->sqlstate, "25P01") == 0)
        return true;
    for (const char *at = sql; *at != '\0'; at++) {
        if (strncasecmp(at, "begin", 5) == 0 || strncasecmp(at, "start", 5) == 0)
            return true;
    }
    return false;
}

static bool
take_row(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    uint64_t *size = context;

    for (uint32_t i = 0; i < count; i++)
        *size += (values[i] != NULL ? strlen(values[i]) : 0) + strlen(names[i]);
    return true;
}

/* True when the transaction is over, so that what the text did may have stayed. */
static bool
run(const char *sql)
{
    uint64_t size = 0;

    DB(qtdb_session_open(rig.db, &session));
    DB(qtdb_exec(session, "begin", NULL, NULL));
    set_timer(200000);
    enum qtdb_code code = qtdb_exec(session, sql, take_row, &size);
    set_timer(0);
    if (code != QTDB_OK && qtdb_error_last()->message[0] == '\0')
        abort();
    if (code == QTDB_INVALID && strlen(qtdb_error_last()->sqlstate) != 5)
        abort();
    bool ended = has_ended(sql);
    qtdb_session_close(session);
    return ended;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *sql = malloc(size + 1);

    if (sql == NULL)
        abort();
    memcpy(sql, data, size);
    sql[size] = '\0';
    if (!is_made)
        make();
    if (run(sql)) {
        db_rig_deinit(&rig);
        is_made = false;
    }
    free(sql);
    return 0;
}
