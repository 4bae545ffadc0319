/*
 * Goal: expressions and lists of 100,000 terms give their answer or an error that says what is too much; none
 * overflows a stack, trips a CHECK, or leaks.
 * Method: one statement a shape, made from a beginning, a part that is repeated, and an end.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/qtdb.h"
#include "tests/support/db_rig.h"

enum { TERMS = 100000 };

static const struct {
    const char *name, *begin, *part, *end;
    const char *answer; /* NULL: refused. */
    const char *sqlstate;
} shapes[] = {
    {"sum", "select 1", "+1", "", NULL, "54001"},
    {"join of texts", "select 'a'", "||'b'", "", NULL, "54001"},
    {"or", "select a = 2", " or a = 1", " from (select 1 as a) t", "t", NULL},
    {"and", "select a = 1", " and a = 1", " from (select 1 as a) t", "t", NULL},
    {"parentheses", "select ", "(", "1", NULL, "54001"},
    {"not", "select ", "not ", "true", NULL, "54001"},
    {"minus", "select ", "- ", "1", NULL, "54001"},
    {"calls", "select ", "abs(", "1", NULL, "54001"},
    {"casts", "select 1", "::int", "", NULL, "54001"},
    {"union", "select 1", " union all select 1", "", NULL, "54001"},
    {"in", "select 2 in (1", ",1", ")", "f", NULL},
    {"case", "select case", " when false then 1", " else 2 end", "2", NULL},
    {"coalesce", "select coalesce(null", ",null", ",3)", "3", NULL},
    {"array", "select array_length(array[1", ",1", "], 1)", "100001", NULL},
    {"rows", "select count(*) from (values (1)", ",(1)", ") v", "100001", NULL},
    {"values", "values (1", ",1", ")", NULL, "54011"},
    {"targets", "select 1", ",1", "", NULL, "54011"},
    {"targets inside", "select s.x from (select 1 as x", ",1", ") s", NULL, "54011"},
    {"groups", "select 1 from (select 1 as a) t group by a + 0", ",a + 1", "", NULL, "54011"},
    {"orders", "select 1 from (select 1 as a) t order by a", ",a", "", "1", NULL},
    {"tables", "select 1 from (select 1) t", ",(select 1) t", "", NULL, "42712"},
    {"parameters", "prepare p as select $1", "+$1", "", NULL, "54001"},
    {"columns", "create table w (a0 int", ",b int", ")", NULL, "54011"},
};

static char answer[64];

static bool
take_row(void *context, uint32_t count, const char *const *values, const char *const *names)
{
    (void)context;
    (void)names;
    cr_assert_eq(count, 1);
    snprintf(answer, sizeof(answer), "%s", values[0]);
    return true;
}

static char *
make(const char *begin, const char *part, const char *end)
{
    size_t begin_size = strlen(begin), size = strlen(part), end_size = strlen(end) + 1;
    char *sql = malloc(begin_size + TERMS * size + end_size), *at = sql;

    cr_assert_not_null(sql);
    memcpy(at, begin, begin_size);
    at += begin_size;
    for (int i = 0; i < TERMS; i++, at += size)
        memcpy(at, part, size);
    memcpy(at, end, end_size);
    return sql;
}

/* covers: E6 */
Test(sql_long, a_hundred_thousand_terms_are_answered_or_refused)
{
    struct qtdb_session *session = NULL;
    struct db_rig rig;

    db_rig_init(&rig, 1);
    cr_assert_eq(qtdb_session_open(rig.db, &session), QTDB_OK);
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        char *sql = make(shapes[i].begin, shapes[i].part, shapes[i].end);

        answer[0] = '\0';
        enum qtdb_code code = qtdb_exec(session, sql, take_row, NULL);
        if (shapes[i].answer != NULL) {
            cr_assert_eq(code, QTDB_OK, "%s: %s", shapes[i].name, qtdb_error_last()->message);
            cr_assert_str_eq(answer, shapes[i].answer, "%s", shapes[i].name);
        } else {
            cr_assert_neq(code, QTDB_OK, "%s", shapes[i].name);
            cr_assert_str_eq(qtdb_error_last()->sqlstate, shapes[i].sqlstate, "%s: %s",
                             shapes[i].name, qtdb_error_last()->message);
        }
        free(sql);
    }
    qtdb_session_close(session);
    db_rig_deinit(&rig);
}
