/*
 * Goal: conditions and aggregates that take rows together, column by column, give what they give row by row.
 * Method: random tables with nulls, extreme numbers, numerics too long for short arithmetic and texts alike in
 * their first bytes; each query beside one that asks the same in a way that goes row by row: of a group, and
 * with conditions wrapped so that they have to be evaluated.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/random.h"
#include "tests/support/sql_rig.h"

TestSuite(scan_columns, .init = sql_rig_open, .fini = sql_rig_close);

enum { ROWS = 900, TEXT_ROOM = 1 << 17 };

static struct random source;

static const char *
any_of(const char *const *texts, uint32_t count)
{
    return texts[random_below(&source, count)];
}
#define ANY_OF(texts) any_of(texts, sizeof(texts) / sizeof((texts)[0]))

/* Columns a and b of integers, n numeric, s text, r float8; `nulls`: one value in so many. */
static void
make_table(uint32_t nulls)
{
    static const char *const numbers[] = {"0",           "1",          "-1",  "7",     "63",
                                          "64",          "-64",        "-65", "8191",  "8192",
                                          "-2147483648", "2147483647", "300", "100000"};
    static const char *const wide[] = {"0", "9223372036854775807", "-9223372036854775808", "-5",
                                       "12345678901"};
    static const char *const numerics[] = {"0",
                                           "0.00",
                                           "1.5",
                                           "-1.50",
                                           "99999999.9999",
                                           "-0.0001",
                                           "123456789012345678901234567890.5",
                                           "0.00000000000000000001",
                                           "10000",
                                           "-100000000",
                                           "3.14159265358979323846"};
    static const char *const texts[] = {"",          "a",       "abcdefgh",     "abcdefghi",
                                        "abcdefgg",  "abcdefg", "abcdefgh\x01", "zz",
                                        "abcdefgh ", "\xc3\xa9"};
    static char sql[TEXT_ROOM];
    int used =
        snprintf(sql, sizeof(sql),
                 "drop table if exists t; create table t (id int primary key, a int, b bigint, r "
                 "float8, n numeric, s text, f bool); insert into t values ");
    bool rare = random_chance(&source, 1, 2); /* Numerics that are all short. */

    for (int i = 0; i < ROWS; i++) {
        const char *values[] = {ANY_OF(numbers), ANY_OF(wide), ANY_OF(numbers),
                                any_of(numerics, rare ? 6 : 11), ANY_OF(texts)};

        used += snprintf(sql + used, sizeof(sql) - (size_t)used, "%s(%d", i > 0 ? ", " : "", i);
        for (int column = 0; column < 5; column++) {
            bool null = nulls > 0 && random_chance(&source, 1, nulls);
            const char *quote = column == 4 && !null ? "'" : "";

            used += snprintf(sql + used, sizeof(sql) - (size_t)used, ", %s%s%s", quote,
                             null ? "null" : values[column], quote);
        }
        used += snprintf(sql + used, sizeof(sql) - (size_t)used, ", %s)",
                         i % 3 == 0 ? "true" : "false");
    }
    cr_assert_lt(used, (int)sizeof(sql));
    expect(sql, "");
}

/* The same rows of both. */
static void
expect_same(const char *left, const char *right)
{
    char *kept = strdup(rows_of(left));

    cr_assert_not_null(kept);
    cr_assert_str_eq(rows_of(right), kept, "%s\n%s", left, right);
    free(kept);
}

static void
compare_aggregates(const char *where)
{
    static const char aggregates[] =
        "count(*), count(a), sum(a), sum(b), avg(b), min(a), max(a), min(b), max(b), min(s), "
        "max(s), "
        "count(distinct a), count(distinct b), sum(distinct a), count(distinct s), sum(n), avg(n), "
        "min(n), "
        "max(n), sum(n * 0.95), avg(2.5 * n), sum(n * (1 - 0.05)), sum(r), max(r), sum(n * 1e-17), "
        "count(distinct n), min(id), sum(-n * 3)";
    char grouped[1000], plain[1000];

    snprintf(plain, sizeof(plain), "select %s from t where %s having count(*) > 0", aggregates,
             where);
    snprintf(grouped, sizeof(grouped), "select %s from t where %s group by id - id", aggregates,
             where);
    expect_same(plain, grouped);
}

Test(scan_columns, aggregates_of_a_batch_are_those_of_its_rows)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        random_init(&source, seed);
        make_table((uint32_t)(seed % 3) * 7);
        compare_aggregates("true");
        compare_aggregates("a is null");
        compare_aggregates("id < 3");
        compare_aggregates("f");
    }
    expect("select min(a), max(s), sum(n * 0.95), count(distinct a), sum(b) from t where id < 0",
           "NULL|NULL|NULL|0|NULL\n");
}

Test(scan_columns, conditions_on_columns_choose_the_rows_that_evaluation_chooses)
{
    static const char *const columns[] = {"a", "b", "id", "f::int", "a"};
    static const char *const operators[] = {"<", "<=", ">", ">=", "=", "<>"};
    static const char *const constants[] = {"0",
                                            "1",
                                            "-1",
                                            "63",
                                            "64",
                                            "8191",
                                            "400",
                                            "2147483647",
                                            "-2147483648",
                                            "9223372036854775807",
                                            "-9223372036854775808"};
    static const char *const others[] = {"a < b", "n > 1.5", "s like 'abc%'", "s < 'b'",
                                         "a in (7, 64, 300)"};
    static const char *const outputs[] = {"id", "n, s", "a, id, b", "s", "id, a, b, r, n, s, f"};

    for (uint64_t seed = 1; seed <= 8; seed++) {
        random_init(&source, seed);
        make_table((uint32_t)(seed % 4) * 11);
        for (int round = 0; round < 60; round++) {
            char tested[300] = "", evaluated[600] = "", left[1000], right[1000];
            const char *output = ANY_OF(outputs);
            uint64_t count = 1 + random_below(&source, 3);

            for (uint64_t i = 0; i < count; i++) {
                char one[100];

                if (random_chance(&source, 1, 5))
                    snprintf(one, sizeof(one), "%s", ANY_OF(others));
                else
                    snprintf(one, sizeof(one), "%s %s %s", ANY_OF(columns), ANY_OF(operators),
                             ANY_OF(constants));
                snprintf(tested + strlen(tested), sizeof(tested) - strlen(tested), "%s%s",
                         i > 0 ? " and " : "", one);
                snprintf(evaluated + strlen(evaluated), sizeof(evaluated) - strlen(evaluated),
                         "%scoalesce(%s, false)", i > 0 ? " and " : "", one);
            }
            snprintf(left, sizeof(left), "select %s from t where %s", output, tested);
            snprintf(right, sizeof(right), "select %s from t where %s", output, evaluated);
            expect_same(left, right);
        }
    }
}

/* A row that is older than its table's columns, or has nulls, between rows that are as most are. */
Test(scan_columns, rows_for_the_two_steps_stand_in_their_place)
{
    expect("create table o (id int primary key, v int); insert into o select g, g from "
           "generate_series(1, 200) "
           "g where g % 9 = 0; alter table o add w int default 5; insert into o select g, g, "
           "nullif(g % 4, 1) "
           "from generate_series(1, 200) g where g % 9 <> 0",
           "");
    expect_same("select id, v, w from o where v > 20 and v < 150",
                "select id, v, w from o where coalesce(v > 20 and v < 150, false)");
    expect_same("select id, w from o where w > 1",
                "select id, w from o where coalesce(w > 1, false)");
    expect("select count(*), count(w), sum(v), sum(w), min(w), count(distinct w) from o",
           "200|156|20100|333|0|4\n");
}
