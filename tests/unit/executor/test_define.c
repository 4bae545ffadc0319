/*
 * Goal: a definition survives its bytes and refuses others; a definition statement that runs out of
 * memory, at any allocation, changes nothing; a change that meets a newer row runs again; indexes on
 * expressions and parts of a table are used where they may be.
 * Method: definitions encoded, flipped and cut; statements on a simulated disk with allocation 0, 1, 2
 * ... refused; two sessions in two threads on one row.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "executor/session.h"
#include "tests/support/sql_rig.h"

TestSuite(define, .init = sql_rig_open, .fini = sql_rig_close);

static void
refuse(const char *sql, const char *sqlstate)
{
    sql_refuse(session, sql, sqlstate);
}

/* Definitions as bytes. */

static void
put_text(struct byte_writer *out, const char *text)
{
    byte_writer_put_varint(out, strlen(text));
    byte_writer_put(out, text, strlen(text));
}

/* (id int primary key, n varchar(9) default 'x' unique) as format 1 and 2 wrote it. */
static size_t
old_definition(uint8_t format, uint8_t *bytes, size_t room)
{
    struct byte_writer out = byte_writer_init(bytes, room);

    byte_writer_put_u8(&out, format);
    byte_writer_put_u32(&out, 7);
    byte_writer_put_varint(&out, 2);
    put_text(&out, "id");
    byte_writer_put_u8(&out, QTDB_TYPE_INT4);
    byte_writer_put_u32(&out, UINT32_MAX);
    byte_writer_put_u32(&out, UINT32_MAX);
    byte_writer_put_u8(&out, 1);
    put_text(&out, "n");
    byte_writer_put_u8(&out, QTDB_TYPE_VARCHAR);
    byte_writer_put_u32(&out, 9);
    byte_writer_put_u32(&out, UINT32_MAX);
    byte_writer_put_u8(&out, 2);
    put_text(&out, "x");
    byte_writer_put_varint(&out, 1); /* Primary key: column 0. */
    byte_writer_put_varint(&out, 0);
    if (format > 1)
        byte_writer_put_varint(&out, 5);
    byte_writer_put_varint(&out, 1);
    put_text(&out, "t_n_key");
    byte_writer_put_varint(&out, 1);
    byte_writer_put_varint(&out, 1);
    if (format > 1) {
        byte_writer_put_varint(&out, 4);
        byte_writer_put_u8(&out, 3);
    }
    return out.offset;
}

Test(define, older_formats_still_decode)
{
    uint8_t bytes[256];
    struct arena arena;
    struct table table;

    arena_init(&arena, rig.memory, MEMORY_SQL);
    for (uint8_t format = 1; format <= 2; format++) {
        size_t size = old_definition(format, bytes, sizeof(bytes));

        cr_assert_eq(table_decode(bytes, size, &arena, &table), STATUS_OK);
        cr_assert_eq(table.id, 7);
        cr_assert_eq(table.column_count, 2);
        cr_assert(table.columns[0].not_null && !table.columns[1].not_null);
        cr_assert_str_eq(table.columns[1].default_text, "x");
        cr_assert_eq(table.columns[1].type.precision, 9);
        cr_assert_eq(table.key_count, 1);
        cr_assert_eq(table.next_index, format == 1 ? 1 : 5);
        cr_assert_eq(table.indexes[0].id, format == 1 ? 0 : 4);
        cr_assert(table.indexes[0].unique && table.indexes[0].constraint);
        cr_assert(table.plain && table.slot_count == 2);
        cr_assert_eq(table_decode(bytes, size - 1, &arena, &table), STATUS_CORRUPT);
    }
    bytes[0] = 4;
    cr_assert_eq(table_decode(bytes, 20, &arena, &table), STATUS_CORRUPT);
    arena_deinit(&arena);
}

static struct table *
find(const char *name, struct arena *arena, struct qtdb_txn **txn)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .read_only = true};
    struct ast_name place = {.name = name, .location = -1};
    struct sql_error error = {.location = -1};
    struct table *table = NULL;

    cr_assert_eq(qtdb_begin(rig.db, &options, txn), QTDB_OK);
    cr_assert_eq(table_find(*txn, &place, arena, &table, &error), STATUS_OK, "%s", error.message);
    return table;
}

static const char everything[] =
    "create table parent (id int primary key, k text unique);"
    "create table all_of (id serial primary key, a int default 1 + 1 check (a > 0),"
    " gone text, b int generated always as (a * 2) stored, c text default lower('Q'),"
    " p int references parent on delete cascade on update set null,"
    " i bigint generated always as identity, unique nulls not distinct (a, b));"
    "create index on all_of (lower(c)) include (b) where a > 1;"
    "create index on all_of (p desc, lower(c) nulls first, b desc nulls last);"
    "create index on all_of using rmi (p);"
    "alter table all_of drop column gone;"
    "alter table all_of add column late text default 'then';"
    "comment on table all_of is 'x'; comment on column all_of.a is 'y'";

Test(define, bytes_that_were_not_written_are_refused)
{
    static uint8_t bytes[8192], copy[8192];
    struct qtdb_txn *txn = NULL;
    struct arena arena;
    uint64_t refused = 0;

    (void)rows_of(everything);
    arena_init(&arena, rig.memory, MEMORY_SQL);
    struct table *table = find("all_of", &arena, &txn), again;
    struct byte_writer out = byte_writer_init(bytes, sizeof(bytes));
    cr_assert(table_encode(table, &out));
    cr_assert_eq(table_decode(bytes, out.offset, &arena, &again), STATUS_OK);
    struct byte_writer twice = byte_writer_init(copy, sizeof(copy));
    cr_assert(table_encode(&again, &twice));
    cr_assert(twice.offset == out.offset && memcmp(bytes, copy, out.offset) == 0);
    cr_assert_not(table->plain);
    for (size_t size = 0; size < out.offset; size++)
        cr_assert_eq(table_decode(bytes, size, &arena, &again), STATUS_CORRUPT, "%zu", size);
    for (size_t bit = 0; bit < 8 * out.offset; bit++) {
        memcpy(copy, bytes, out.offset);
        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        enum status status = table_decode(copy, out.offset, &arena, &again);
        cr_assert(status == STATUS_OK || status == STATUS_CORRUPT, "bit %zu", bit);
        refused += status == STATUS_CORRUPT;
        arena_reset(&arena);
    }
    cr_assert_gt(refused, out.offset); /* Most; names and numbers may be others. */
    arena_deinit(&arena);
    qtdb_rollback(txn);
}

/* Out of memory. */

static const char state[] = "select * from pg_catalog.qtdb_definitions;"
                            "select * from parent; select id, a, b, p from all_of order by id";

static void
refuse_each(const char *sql, const char *undo)
{
    static char before[32768];
    uint64_t index = 0;
    bool failed = true;

    snprintf(before, sizeof(before), "%s", rows_of(state));
    for (; failed; index++) {
        memory_fail_at(rig.memory, index, false);
        enum qtdb_code code = qtdb_exec(session, sql, NULL, NULL);
        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert_lt(index, 100000, "%s never succeeds", sql);
        cr_assert(code == QTDB_OK || (failed && code == QTDB_NO_MEMORY), "%s at %llu: %s", sql,
                  (unsigned long long)index, qtdb_error_last()->message);
        if (code == QTDB_OK && undo != NULL)
            (void)rows_of(undo);
        else if (code != QTDB_OK && session->txn != NULL)
            (void)rows_of("rollback");
        cr_assert_str_eq(rows_of(state), before, "%s at %llu", sql, (unsigned long long)index);
    }
    cr_assert_gt(index, 2, "%s allocates nothing", sql);
}

static void
make_all(void)
{
    (void)rows_of(everything);
    (void)rows_of("insert into parent values (1, 'a'), (2, 'b');"
                  "insert into all_of (a, p) values (1, 1), (2, 2), (3, null)");
}

/* covers: E4 */
Test(define, definitions_survive_every_refused_allocation)
{
    make_all();
    refuse_each("create table n (id int generated always as identity, v serial,"
                " w text default lower('X') check (w <> 'y'), x int references parent,"
                " g int generated always as (v + 1) stored, unique (w))",
                "drop table n");
    refuse_each("create table n as select a, b from all_of", "drop table n");
    refuse_each("create index n on all_of (upper(c)) where a > 2", "drop index n");
    refuse_each("create view n as select a from all_of", "drop view n");
    refuse_each("create sequence n increment 3", "drop sequence n");
}

/* covers: E4 */
Test(define, alterations_survive_every_refused_allocation)
{
    make_all();
    refuse_each("alter table all_of add column n int not null default 4 check (n > 1)",
                "alter table all_of drop column n");
    refuse_each("alter table all_of rename column a to n",
                "alter table all_of rename column n to a");
    refuse_each("alter table parent rename to n", "alter table n rename to parent");
    refuse_each("alter table all_of alter column late set default upper('z')",
                "alter table all_of alter column late set default 'then'");
    refuse_each("alter table all_of add constraint n check (a < 100)",
                "alter table all_of drop constraint n");
    refuse_each("alter table all_of add constraint n foreign key (a) references parent not valid",
                "alter table all_of drop constraint n");
    refuse_each("alter table all_of add constraint n unique (id)",
                "alter table all_of drop constraint n");
}

/* covers: E4 */
Test(define, changes_under_rules_survive_every_refused_allocation)
{
    make_all();
    refuse_each("insert into all_of (id, a, p) values (10, 5, 2), (11, 6, 1)",
                "delete from all_of where id > 9");
    refuse_each("merge into all_of t using (values (1, 7), (50, 8)) v (x, y) on t.id = v.x "
                "when matched then update set a = y when not matched then insert (id, a) "
                "values (x, y)",
                "delete from all_of where id = 50; update all_of set a = 1 where id = 1");
    refuse_each("begin; delete from parent where id = 1; rollback", NULL);
    refuse_each("begin; update parent set id = 7 where id = 2; rollback", NULL);
}

Test(define, settings_survive_every_refused_allocation)
{
    make_all();
    refuse_each("set search_path to \"Some one\", public", "reset search_path");
    refuse_each("begin; set local search_path to other, public; set application_name to 'q'; "
                "show all; commit",
                "reset application_name");
    refuse_each("select set_config('my.own', 'x', false), current_setting('my.own'), "
                "(select count(*) from pg_settings)",
                "reset my.own");
    refuse_each("set time zone interval '2' hour", "reset timezone");
    expect("show search_path", "\"$user\", public\n");
}

Test(define, cursors_survive_every_refused_allocation)
{
    make_all();
    refuse_each(
        "begin; declare c cursor for select id, a, p from all_of order by id; fetch 1 from c; "
        "move all in c; fetch backward all from c; close c; commit",
        NULL);
    expect("set work_mem = '64kB'", "");
    refuse_each("begin; declare h cursor for select i, repeat('x', 100) from generate_series(1, "
                "2000) i; fetch last from h; fetch absolute 1990 from h; commit",
                NULL);
    expect("reset work_mem", "");
}

static void
open_session_again(void)
{
    qtdb_session_close(session);
    session = NULL;
    cr_assert_eq(qtdb_session_open(rig.db, &session), QTDB_OK, "%s", qtdb_error_last()->message);
}

/* ALTER DATABASE: sessions begin with the file's path, RESET leads back to it, and it is part of transactions. */
Test(define, a_file_has_a_search_path_of_its_own)
{
    static const char path[] = "\"$user\", public, shop, \"Odd \"\"s\"\n";

    expect("create schema shop; create table shop.t (i int); insert into shop.t values (7)", "");
    refuse("select i from t", "42P01");
    expect("alter database qtdb set search_path to \"$user\", public, shop, \"Odd \"\"s\"", "");
    expect("show search_path", "\"$user\", public\n");
    open_session_again();
    expect("show search_path", path);
    expect("select i from t", "7\n");
    expect("set search_path to public; show search_path", "public\n");
    expect("reset search_path; show search_path", path);
    expect("begin; set local search_path to public; commit; show search_path", path);
    expect("begin; alter database qtdb set search_path to shop; rollback", "");
    refuse("alter database other set search_path to shop", "3D000");
    refuse("alter database qtdb set work_mem to '4MB'", "0A000");
    qtdb_session_close(session);
    session = NULL;
    db_rig_close(&rig);
    db_rig_open(&rig);
    open_session_again();
    expect("show search_path", path);
    expect("create table t (i int); select count(*) from public.t", "0\n");
    expect("alter database qtdb reset search_path", "");
    expect("alter database qtdb reset all; show search_path", path);
    open_session_again();
    expect("show search_path", "\"$user\", public\n");
}

Test(define, a_search_path_of_the_file_survives_every_refused_allocation)
{
    bool failed = true;

    make_all();
    refuse_each("alter database qtdb set search_path to public, other",
                "alter database qtdb reset search_path");
    refuse_each("begin; alter database qtdb reset search_path; rollback", NULL);
    expect("alter database qtdb set search_path to public, other", "");
    for (uint64_t index = 0; failed; index++) {
        qtdb_session_close(session);
        session = NULL;
        memory_fail_at(rig.memory, index, false);
        enum qtdb_code code = qtdb_session_open(rig.db, &session);
        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert_eq(code, failed ? QTDB_NO_MEMORY : QTDB_OK, "allocation %lu: %s",
                     (unsigned long)index, qtdb_error_last()->message);
    }
    expect("show search_path", "public, other\n");
}

/* What the catalog keeps as text is written so that PostgreSQL reads it, too. */
Test(define, what_has_its_own_syntax_is_printed_in_it)
{
    static const char *const parts[] = {
        "a integer[] DEFAULT ARRAY[1, 2]",
        "c timestamp(0) with time zone DEFAULT CURRENT_TIMESTAMP",
        "d time(1) without time zone[]",
        "i interval day to second(1)",
        "v character varying(3)[]",
        "CHECK (((a)[1] > 1))",
        "CHECK ((((a)[:2])[1:] = ARRAY[1, 2]))",
        "CHECK ((i > CAST('1-2' AS interval year to month)))",
        "CHECK ((i < CAST('9.5' AS interval(1))))",
    };

    (void)rows_of("create table p (a int[] default array[1, 2], c timestamptz(0) default "
                  "current_timestamp, d time(1)[], i interval day to second(1), v varchar(3)[], "
                  "check (a[1] > 1), check ((a[:2])[1:] = array[1, 2]), "
                  "check (i > interval '1-2' year to month), check (i < interval(1) '9.5'))");
    const char *text = rows_of("select definition from qtdb_definitions where name = 'p'");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        cr_assert_not_null(strstr(text, parts[i]), "%s is not in %s", parts[i], text);
}

/* Indexes. */

Test(define, indexes_serve_the_conditions_they_are_made_for)
{
    (void)rows_of("create table u (id int primary key, n text, a int, b int);"
                  "insert into u select g, 'Name' || g, g % 10, g from generate_series(1, 3000) g;"
                  "create index ul on u (lower(n)); create index up on u (b) where a = 3");
    cr_assert_not_null(strstr(rows_of("explain select id from u where lower(n) = 'name77'"), "ul"));
    expect("select id from u where lower(n) = 'name77'", "77\n");
    cr_assert_not_null(strstr(rows_of("explain select id from u where b = 13 and a = 3"), "up"));
    expect("select id from u where b = 13 and a = 3", "13\n");
    /* Rows that a partial index does not have are not looked for in it. */
    cr_assert_null(strstr(rows_of("explain select id from u where b = 14"), "up"));
    expect("select id from u where b = 14", "14\n");
    (void)rows_of("update u set n = 'else', a = 3 where b = 14");
    expect("select id from u where b = 14 and a = 3", "14\n");
    expect("select count(*) from u where lower(n) = 'name14'", "0\n");
    (void)rows_of("drop index ul");
    expect("select id from u where lower(n) = 'name77' and b = 77", "77\n");
}

/* Isolation. */

struct rival {
    enum qtdb_code code;
    const char *sql;
    _Atomic bool ended;
};

static void *
run_rival(void *context)
{
    struct rival *rival = context;
    struct qtdb_session *own = NULL;

    if (qtdb_session_open(rig.db, &own) == QTDB_OK)
        rival->code = qtdb_exec(own, rival->sql, NULL, NULL);
    qtdb_session_close(own);
    atomic_store(&rival->ended, true);
    return NULL;
}

static uint64_t
lock_waits(void)
{
    struct qtdb_statistics statistics = {.size = sizeof(statistics)};

    qtdb_get_statistics(rig.db, &statistics);
    return statistics.lock_wait_count;
}

/* The rival's statement waits for our row, then finds it changed. */
static enum qtdb_code
race(const char *ours, const char *theirs)
{
    struct rival rival = {.code = QTDB_FAILED, .sql = theirs};
    uint64_t waits = lock_waits();
    pthread_t thread;

    (void)rows_of("begin");
    (void)rows_of(ours);
    cr_assert_eq(pthread_create(&thread, NULL, run_rival, &rival), 0);
    while (lock_waits() == waits && !atomic_load(&rival.ended))
        sched_yield();
    bool waited = !atomic_load(&rival.ended);
    (void)rows_of("commit");
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert(waited, "%s did not wait for: %s", theirs, ours);
    return rival.code;
}

Test(define, read_committed_runs_a_change_again_on_a_newer_row)
{
    (void)rows_of("create table r (id int primary key, n int, m int);"
                  "insert into r values (1, 1, 0), (2, 2, 0)");
    cr_assert_eq(race("update r set n = n + 10 where id = 1", "update r set n = n * 2 where n > 0"),
                 QTDB_OK);
    expect("select id, n from r order by id", "1|22\n2|4\n");
    /* What no longer fits is left alone. */
    cr_assert_eq(race("update r set n = -5 where id = 1", "update r set m = 1 where n = 22"),
                 QTDB_OK);
    expect("select id, n, m from r order by id", "1|-5|0\n2|4|0\n");
    /* A row that came meanwhile is a duplicate. */
    cr_assert_neq(race("insert into r values (3, 3, 3)", "insert into r values (3, 4, 4)"),
                  QTDB_OK);
    expect("select n from r where id = 3", "3\n");
    cr_assert_neq(race("update r set n = 7 where id = 2",
                       "begin isolation level repeatable read; select 1 from r;"
                       "update r set n = 8 where id = 2"),
                  QTDB_OK);
    expect("select n from r where id = 2", "7\n");
}

Test(define, a_child_and_its_parent_wait_for_each_other)
{
    (void)rows_of("create table p (id int primary key);"
                  "create table c (p int references p); insert into p values (1), (2)");
    cr_assert_neq(race("insert into c values (1)", "delete from p where id = 1"), QTDB_OK);
    expect("select count(*) from p", "2\n");
    cr_assert_neq(race("delete from p where id = 2", "insert into c values (2)"), QTDB_OK);
    expect("select p from c", "1\n");
}

/* The other session's child comes after our snapshot. */
static void
delete_unseen(const char *level, const char *end)
{
    struct qtdb_session *other = NULL;
    char begin[80];

    (void)rows_of("insert into p values (9)");
    snprintf(begin, sizeof(begin), "begin isolation level %s; select count(*) from c", level);
    (void)rows_of(begin);
    cr_assert_eq(qtdb_session_open(rig.db, &other), QTDB_OK);
    cr_assert_eq(qtdb_exec(other, "insert into c values (9)", NULL, NULL), QTDB_OK);
    refuse(end, "40001");
    (void)rows_of("rollback");
    expect("select count(*) from p where id = 9", "1\n");
    cr_assert_eq(
        qtdb_exec(other, "delete from c where p = 9; delete from p where id = 9", NULL, NULL),
        QTDB_OK);
    qtdb_session_close(other);
}

Test(define, no_snapshot_loses_a_parent)
{
    (void)rows_of("create table p (id int primary key); create table c (p int references p)");
    delete_unseen("repeatable read", "delete from p where id = 9");
    delete_unseen("serializable", "delete from p where id = 9; commit");
    (void)rows_of("insert into p values (1); insert into c values (1);"
                  "begin isolation level repeatable read; delete from c; delete from p; commit");
    expect("select count(*) from p", "0\n");
}

Test(define, definitions_and_changes_wait_for_each_other)
{
    (void)rows_of("create table d (id int primary key, n int); insert into d values (1, 5)");
    cr_assert_eq(race("insert into d values (2, 6)", "create index on d (n)"), QTDB_OK);
    (void)rows_of("insert into d select g, g from generate_series(10, 2000) g");
    expect("select id from d where n = 6", "2\n");
    cr_assert_eq(race("alter table d add column x int default 9", "insert into d values (3, 7)"),
                 QTDB_OK);
    expect("select x from d where id = 3", "9\n");
    cr_assert_neq(race("alter table d drop column n", "insert into d (id, n) values (4, 7)"),
                  QTDB_OK);
}

Test(define, refuses_by_name_what_definitions_do_not_do)
{
    (void)rows_of("create table t (id int primary key, n int)");
    refuse("alter table t add constraint x unique (n) deferrable", "0A000");
    refuse("alter table t add foreign key (n) references t match full", "0A000");
    refuse("alter table t cluster on t_pkey", "0A000");
    refuse("create index on t using hash (n)", "42704");
    refuse("create table s (a int check ((select 1) > a))", "0A000");
    refuse("begin isolation level repeatable read; alter table t add column x int", "0A000");
    (void)rows_of("rollback");
}
