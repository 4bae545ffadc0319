/*
 * Goal: every row of the tables of targets can be measured or says where it is, and what a table will take is
 * estimated by what it does.
 * Method: the rows themselves; cases of which one does more than the other; a program that is there, one that is
 * not, and one that says nothing of the kind.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tools/qtdb-bench/bench_engines.h"
#include "tools/qtdb-bench/bench_plan.h"
#include "tools/qtdb-bench/bench_programs.h"
#include "tools/qtdb-bench/bench_trees.h"

static struct bench_options
options_of_two(void)
{
    struct bench_options options = {.engine_count = 2};

    options.engines[0] = &bench_qtdb;
    options.engines[1] = &bench_legacy;
    return options;
}

static struct bench_case
case_of(const char *workload, uint64_t rows, uint64_t seconds)
{
    return (struct bench_case){.workload = bench_workload_find(workload),
                               .rows = rows,
                               .value_size = 100,
                               .batch = 1000,
                               .threads = 1,
                               .seconds = seconds,
                               .runs = 1,
                               .sync = true};
}

Test(bench_plan, each_row_is_measured_or_says_where)
{
    const struct tree_row *row, *other;

    for (size_t i = 0; (row = bench_tree_row_at(i)) != NULL; i++) {
        cr_assert_eq((row->workload != NULL) + (row->program != NULL) +
                         (row->workload == NULL && row->program == NULL && row->note != NULL),
                     1, "%s", row->name);
        cr_assert(row->workload == NULL || bench_workload_find(row->workload) != NULL, "%s",
                  row->name);
        cr_assert(row->workload == NULL || (row->value_size > 0 && row->batch > 0), "%s",
                  row->name);
        cr_assert(row->against != PEERS || row->peers != NULL, "%s", row->name);
        for (size_t k = 0; k < i; k++) {
            other = bench_tree_row_at(k);
            cr_assert(strcmp(row->name, other->name) != 0, "twice: %s", row->name);
        }
    }
    cr_assert_null(bench_tree_row_at(1000));
}

Test(bench_plan, rows_of_one_value_size_that_only_read_stand_together)
{
    const struct tree_row *row = NULL, *before = NULL;
    uint64_t changes = 0;

    for (size_t i = 0; (row = bench_tree_row_at(i)) != NULL && row->workload != NULL; i++) {
        const struct bench_workload *workload = bench_workload_find(row->workload);

        if (workload->writes || workload->needs != BENCH_LOADED || row->rows > 0)
            continue;
        changes += before != NULL && before->value_size != row->value_size;
        before = row;
    }
    cr_assert_eq(changes, 1, "rows are loaded %llu times", (unsigned long long)changes + 1);
}

Test(bench_plan, what_is_asked_of_a_get_depends_on_the_rows)
{
    const struct tree_row *row = NULL, *batches = NULL, *one;

    for (size_t i = 0; (one = bench_tree_row_at(i)) != NULL; i++) {
        row = strstr(one->name, "point get, 8-byte") != NULL ? one : row;
        batches = strstr(one->name, "batches of 32") != NULL ? one : batches;
    }
    cr_assert(row != NULL && batches != NULL);
    cr_assert_eq(bench_tree_row_least(row, 1000000), 120);
    cr_assert_eq(bench_tree_row_least(row, 9999999), 120);
    cr_assert_eq(bench_tree_row_least(row, 10000000), 250);
    cr_assert_eq(bench_tree_row_least(row, 100000000), 450);
    cr_assert_eq(bench_tree_row_least(batches, 100000000), 90);
}

Test(bench_plan, estimates_follow_what_is_done)
{
    struct bench_options options = options_of_two();
    struct bench_case get = case_of("get", 1000000, 1);
    struct bench_case more = case_of("get", 10000000, 1);
    struct bench_case insert = case_of("insert", 1000000, 0);
    struct bench_case limited = case_of("insert", 1000000, 1);
    struct bench_case twice = get;

    twice.runs = 2;
    double first = bench_case_seconds(&options, &get, false);
    cr_assert_gt(bench_case_seconds(&options, &more, false), first);
    cr_assert_lt(bench_case_seconds(&options, &get, true), first);
    cr_assert_gt(bench_case_seconds(&options, &twice, false), first);
    cr_assert_gt(bench_case_seconds(&options, &insert, false),
                 bench_case_seconds(&options, &limited, false));
    /* The engine that rewrites its file is not given so many rows, nor SQL. */
    options.engine_count = 1;
    cr_assert_lt(bench_case_seconds(&options, &get, false), first);
    double alone = bench_case_seconds(&options, &insert, false);
    options.engine_count = 2;
    cr_assert_eq(bench_case_seconds(&options, &insert, false), alone);
}

Test(bench_plan, a_program_that_is_not_there_is_said)
{
    struct bench_options options = {.dir = "/tmp"};
    char text[128] = "";
    double value = 0;
    bool well = true;

    cr_assert_not(bench_program_run(&options, "no-such-program", "", NULL, &value, &well, text,
                                    sizeof(text)));
    cr_assert_str_eq(text, "it is not built");
}

/* From where the tests' own program is up to the root: programs of the system stand in for ours. */
#define ROOT "../../../../../../../../../../../../../../"

Test(bench_plan, output_and_exit_status_of_a_program_are_read)
{
    struct bench_options options = {.dir = "/tmp"};
    char text[512] = "";
    double value = 0;
    bool well = true;

    cr_assert(
        bench_program_run(&options, ROOT "bin/false", "", NULL, &value, &well, text, sizeof(text)));
    cr_assert_not(well);
    cr_assert(bench_program_run(&options, ROOT "bin/echo", "all is well", NULL, &value, &well, text,
                                sizeof(text)));
    cr_assert(well);
    cr_assert_str_eq(text, "all is well");
    cr_assert(bench_program_run(&options, ROOT "bin/echo", "recovery image: 2.5 s",
                                "image: ", &value, &well, text, sizeof(text)));
    cr_assert_eq(value, 2.5);
    cr_assert_not(bench_program_run(&options, ROOT "bin/echo", "recovery", "image: ", &value, &well,
                                    text, sizeof(text)));
    cr_assert_not(bench_program_run(&options, ROOT "bin/true", "", "image: ", &value, &well, text,
                                    sizeof(text)));
    cr_assert_str_eq(text, "it printed nothing");
}
