/*
 * Goal: an enum's definition survives its bytes and refuses others; statements about enums that run out of
 * memory change nothing; values keep their type through spilled sorts, COPY, cached plans, and a new open.
 * What enums answer is in tests/sql/enums.test.
 * Method: definitions flipped and cut; statements on a simulated disk with allocation 0, 1, 2 ... refused;
 * a small work_mem; a statement that runs again after its type changed.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "executor/enumeration.h"
#include "executor/session.h"
#include "executor/table.h"
#include "tests/support/sql_rig.h"

TestSuite(enums, .init = sql_rig_open, .fini = sql_rig_close);

static void
make(void)
{
    expect(
        "create type mood as enum ('sad', 'ok', 'happy');"
        "create table p (id int primary key, m mood default 'ok', ms mood[]);"
        "insert into p values (1, 'happy', '{sad,happy}'), (2, 'sad', null), (3, default, '{ok}')",
        "");
}

Test(enums, definitions_that_were_not_written_are_refused)
{
    struct qtdb_txn_options options = {.size = sizeof(options), .read_only = true};
    struct ast_name name = {.name = "mood", .location = -1};
    struct sql_error error = {.location = -1};
    struct enumeration *type = NULL;
    struct qtdb_txn *txn = NULL;
    const uint8_t *bytes = NULL;
    uint8_t copy[200];
    struct arena arena, scratch;
    uint64_t refused = 0;
    size_t size = 0;

    make();
    arena_init(&arena, rig.memory, MEMORY_SQL);
    arena_init(&scratch, rig.memory, MEMORY_SQL);
    cr_assert_eq(qtdb_begin(rig.db, &options, &txn), QTDB_OK);
    cr_assert_eq(catalog_find_bytes(txn, CATALOG_ENUM, &name, &arena, &bytes, &size, &error),
                 STATUS_OK);
    cr_assert(size < sizeof(copy));
    cr_assert_eq(enumeration_decode("public", "mood", bytes, size, &arena, &type, &error),
                 STATUS_OK);
    cr_assert(type->count == 3 && strcmp(type->labels[2].text, "happy") == 0);
    for (size_t cut = 0; cut < size; cut++) {
        cr_assert_eq(enumeration_decode("", "m", bytes, cut, &scratch, &type, &error),
                     STATUS_INVALID, "%zu", cut);
        cr_assert_str_eq(error.sqlstate, "XX001");
    }
    for (size_t bit = 0; bit < 8 * size; bit++) {
        memcpy(copy, bytes, size);
        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        enum status status = enumeration_decode("", "m", copy, size, &scratch, &type, &error);
        cr_assert(status == STATUS_OK || status == STATUS_INVALID, "bit %zu", bit);
        refused += status != STATUS_OK;
        for (uint32_t i = 1; status == STATUS_OK && i < type->count; i++)
            cr_assert_lt(type->labels[i - 1].place, type->labels[i].place);
        arena_reset(&scratch);
    }
    cr_assert_gt(refused, size);
    arena_deinit(&scratch);
    arena_deinit(&arena);
    qtdb_rollback(txn);
}

static void
refuse_each(const char *sql, const char *undo)
{
    static const char state[] =
        "select * from pg_catalog.qtdb_definitions; select * from p order by id";
    static char before[8192];
    bool failed = true;
    uint64_t index = 0;

    snprintf(before, sizeof(before), "%s", sql_rows(session, state));
    for (; failed; index++) {
        memory_fail_at(rig.memory, index, false);
        enum qtdb_code code = qtdb_exec(session, sql, NULL, NULL);
        failed = memory_failed(rig.memory);
        memory_fail_at(rig.memory, UINT64_MAX, false);
        cr_assert_lt(index, 100000, "%s never succeeds", sql);
        cr_assert(code == QTDB_OK || (failed && code == QTDB_NO_MEMORY), "%s at %llu: %s", sql,
                  (unsigned long long)index, qtdb_error_last()->message);
        if (code == QTDB_OK && undo != NULL)
            (void)sql_rows(session, undo);
        cr_assert_str_eq(sql_rows(session, state), before, "%s at %llu", sql,
                         (unsigned long long)index);
    }
    cr_assert_gt(index, 2, "%s allocates nothing", sql);
}

/* covers: E4 */
Test(enums, statements_survive_every_refused_allocation)
{
    make();
    refuse_each("create type n as enum ('a', 'b')", "drop type n");
    refuse_each("alter type mood rename value 'ok' to 'fine'",
                "alter type mood rename value 'fine' to 'ok'");
    (void)sql_rows(session, "create type n as enum ('a'); alter table p add column of_n n");
    refuse_each("drop type n cascade",
                "create type n as enum ('a'); alter table p add column of_n n");
    (void)sql_rows(session, "drop type n cascade");
    refuse_each("alter type mood rename to n", "alter type n rename to mood");
    refuse_each("select m, enum_range(m), m::text::mood, ms::text[]::mood[] from p where m > 'sad'",
                NULL);
    refuse_each("insert into p values (9, ('ha' || 'ppy')::mood, '{ok,NULL}')",
                "delete from p where id = 9");
}

Test(enums, a_cached_plan_knows_of_new_labels)
{
    struct qtdb_statement *statement = NULL;
    const char *rest = NULL;

    make();
    cr_assert_eq(qtdb_prepare(session, "select 'new'::text::mood > 'ok'", &statement, &rest),
                 QTDB_OK);
    cr_assert_eq(qtdb_step(statement), QTDB_INVALID);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "22P02");
    qtdb_reset(statement);
    expect("alter type mood add value 'new' before 'happy'", "");
    cr_assert_eq(qtdb_step(statement), QTDB_ROW);
    cr_assert_str_eq(qtdb_column_text(statement, 0, NULL), "t");
    qtdb_finalize(statement);
}

Test(enums, types_of_columns_and_parameters)
{
    struct qtdb_statement *statement = NULL;

    make();
    cr_assert_eq(qtdb_prepare(session, "select m, ms from p where m = $1", &statement, NULL),
                 QTDB_OK);
    cr_assert_eq(qtdb_bind_text(statement, 1, "happy", 5), QTDB_OK);
    cr_assert_eq(qtdb_step(statement), QTDB_ROW);
    cr_assert_eq(qtdb_column_type(statement, 0), QTDB_TYPE_ENUM);
    cr_assert_eq(qtdb_column_type(statement, 1), QTDB_TYPE_ARRAY);
    cr_assert_str_eq(qtdb_column_text(statement, 0, NULL), "happy");
    cr_assert_eq(qtdb_column_i64(statement, 0), 0);
    qtdb_finalize(statement);
}

/* covers: E7 */
Test(enums, values_keep_their_type_through_a_spilled_sort)
{
    make();
    expect("create table big as select g as id, (enum_range(null::mood))[g % 3 + 1] as m,"
           " case when g % 7 > 0 then array[(enum_range(null::mood))[g % 3 + 1]] end as a, "
           "repeat('x', 100) as t"
           " from generate_series(1, 5000) g; set work_mem = 64;"
           "create table sorted (k serial, id int, m mood, a mood[])",
           "");
    expect("insert into sorted (id, m, a) select id, m, a from big order by m desc, t, id", "");
    expect("select count(*), count(s.a) from sorted s join big b on s.id = b.id and s.m = b.m and "
           "s.a is not distinct from b.a",
           "5000|4286\n");
    expect("create table parent (m mood primary key); insert into parent select "
           "unnest(enum_range(null::mood));"
           "create table child (m mood references parent);"
           "insert into child select m from big order by m desc, t, id; select count(*) from child",
           "5000\n");
    expect("select k, m, id from sorted where k in (1, 1666, 1667, 1668, 5000) order by k",
           "1|happy|2\n1666|happy|4997\n1667|happy|5000\n1668|ok|1\n5000|sad|4998\n");
}

Test(enums, are_there_after_a_new_open)
{
    make();
    expect("alter type mood add value 'meh' after 'sad'; create index on p (m, id)", "");
    qtdb_session_close(session);
    db_rig_close(&rig);
    db_rig_open(&rig);
    cr_assert_eq(qtdb_session_open(rig.db, &session), QTDB_OK);
    expect("insert into p values (4, 'meh'); select id, m from p where m < 'ok' order by m",
           "2|sad\n4|meh\n");
    db_check(rig.db);
}

/* 32 labels fit in front of the same one; after the last there is no end. */
Test(enums, labels_fill_a_gap_and_then_are_refused)
{
    char sql[200];
    int count = 0;

    make();
    for (; count < 100; count++) {
        snprintf(sql, sizeof(sql), "alter type mood add value 'n%d' before 'ok'", count);
        if (qtdb_exec(session, sql, NULL, NULL) != QTDB_OK)
            break;
    }
    cr_assert_eq(count, 32, "%d", count);
    cr_assert_str_eq(qtdb_error_last()->sqlstate, "54000");
    snprintf(sql, sizeof(sql), "alter type mood add value '%0*d'", ENUMERATION_LABEL_MAX + 1, 1);
    sql_refuse(session, sql, "42602");
    snprintf(sql, sizeof(sql), "alter type mood add value '%0*d'", ENUMERATION_LABEL_MAX, 1);
    expect(sql, "");
    expect("select array_position(enum_range(null::mood), 'n0'), "
           "array_position(enum_range(null::mood), 'n31')",
           "2|33\n");
}

Test(enums, rename_of_a_label_that_rules_may_name_is_refused)
{
    make();
    expect("alter table p add constraint c check (m <= 'happy')", "");
    sql_refuse(session, "alter type mood rename value 'ok' to 'fine'", "0A000");
    sql_refuse(session, "prepare q (mood) as select $1", "42704");
}
