/*
 * Goal: a suite ends when it should: further runs take only time that is over, peers only what qtdb's own first runs
 * leave, and what was measured corrects what is expected.
 * Method: plans of few cases with much time, just enough, little and none; runs noted that took longer than estimated.
 * Limits are compared with the clock, of which a test takes no part worth naming.
 */
#include <criterion/criterion.h>

#include "tools/common/tool.h"
#include "tools/qtdb-bench/bench_budget.h"
#include "tools/qtdb-bench/bench_engines.h"
#include "tools/qtdb-bench/bench_plan.h"

static struct bench_budget budget;

static struct bench_case
case_of(const char *workload, uint64_t rows)
{
    return (struct bench_case){.workload = bench_workload_find(workload),
                               .rows = rows,
                               .value_size = 100,
                               .batch = 1000,
                               .threads = 1,
                               .seconds = 2,
                               .runs = 3,
                               .sync = true};
}

/* Two cases that read and one that writes, of qtdb and a peer. */
static void
plan_three(struct bench_case cases[3])
{
    struct bench_options options = {.engine_count = 2};

    options.engines[0] = &bench_qtdb;
    options.engines[1] = &bench_legacy;
    budget = (struct bench_budget){.count = 0};
    cases[0] = case_of("get", 50000);
    cases[1] = case_of("scan", 50000);
    cases[2] = case_of("update", 50000);
    for (int i = 0; i < 3; i++)
        bench_budget_add(&budget, &options, &cases[i]);
}

static double
until(uint64_t limit_ns)
{
    return ((double)limit_ns - (double)tool_clock_ns()) / 1e9;
}

Test(bench_budget, a_case_that_two_tables_want_counts_once)
{
    struct bench_case cases[3];
    struct bench_options options = {.engine_count = 1, .engines = {&bench_qtdb}};

    plan_three(cases);
    double all = bench_budget_all(&budget);
    for (int i = 0; i < 3; i++)
        bench_budget_add(&budget, &options, &cases[i]);
    cr_assert_eq(budget.count, 3);
    cr_assert_eq(bench_budget_all(&budget), all);
}

Test(bench_budget, rows_that_a_case_before_has_loaded_are_not_loaded_again)
{
    struct bench_case cases[3];

    plan_three(cases);
    double scan = budget.items[1].own, get = budget.items[0].own;
    cr_assert_lt(scan, get);
    /* Behind a case that writes they are. */
    struct bench_options options = {.engine_count = 1, .engines = {&bench_qtdb}};
    struct bench_case range = case_of("range", 50000);
    bench_budget_add(&budget, &options, &range);
    cr_assert_float_eq(budget.items[3].own, get, 1e-9);
}

Test(bench_budget, with_much_time_all_runs_may_begin)
{
    struct bench_case cases[3];

    plan_three(cases);
    bench_budget_begin(&budget, 1000);
    for (int i = 0; i < 3; i++) {
        bench_budget_enter(&budget, &cases[i]);
        cr_assert_gt(until(budget.further_until_ns),
                     budget.items[i].first + budget.items[i].further);
        cr_assert_gt(until(budget.peers_until_ns), 900);
    }
    cr_assert_eq(bench_budget_left(&budget), 0);
}

Test(bench_budget, with_time_for_first_runs_there_are_no_further_ones)
{
    struct bench_case cases[3];
    double first = 0;

    plan_three(cases);
    for (int i = 0; i < 3; i++)
        first += budget.items[i].first;
    bench_budget_begin(&budget, first * 1.02);
    bench_budget_enter(&budget, &cases[0]);
    cr_assert_leq(until(budget.further_until_ns), 0);
    cr_assert_gt(until(budget.peers_until_ns), 0);
}

Test(bench_budget, peers_leave_the_time_that_qtdb_needs)
{
    struct bench_case cases[3];
    double own = 0;

    plan_three(cases);
    for (int i = 0; i < 3; i++)
        own += budget.items[i].own;
    bench_budget_begin(&budget, own * 1.1);
    bench_budget_enter(&budget, &cases[0]);
    cr_assert_leq(until(budget.peers_until_ns), 0);
    cr_assert_gt(until(budget.end_ns), own);
}

Test(bench_budget, what_cases_took_corrects_what_is_expected_of_their_kind)
{
    struct bench_case cases[3];

    plan_three(cases);
    bench_budget_begin(&budget, 1000);
    double all = bench_budget_left(&budget), writing = budget.items[2].first;
    for (int i = 0; i < 1000; i++)
        bench_budget_note(&budget, &cases[0], false, 3 * bench_run_seconds(&cases[0], false));
    cr_assert_float_eq(bench_budget_left(&budget), 3 * (all - writing) + writing, 0.02 * all);
    for (int i = 0; i < 1000; i++)
        bench_budget_note(&budget, &cases[2], true, bench_run_seconds(&cases[2], true) / 2);
    cr_assert_float_eq(bench_budget_left(&budget), 3 * (all - writing) + writing / 2, 0.02 * all);
}

Test(bench_budget, a_part_learns_how_often_it_fits)
{
    struct bench_case cases[3];

    plan_three(cases);
    size_t part = bench_budget_add_part(&budget, 10, 5);
    bench_budget_begin(&budget, bench_budget_left(&budget) + 5);
    double times = bench_budget_enter_part(&budget, part);
    cr_assert_float_eq(times, 1.5, 0.01);
    budget.end_ns = tool_clock_ns();
    cr_assert_lt(bench_budget_enter_part(&budget, part), 0);
}

Test(bench_budget, what_a_journal_has_takes_no_time)
{
    struct bench_case cases[3];
    struct bench_result list[] = {{.engine = &bench_qtdb}, {.engine = &bench_legacy}};
    struct bench_results measured = {.list = list, .count = 1};

    plan_three(cases);
    double all = bench_budget_left(&budget);
    list[0].sizes = list[1].sizes = cases[1];
    bench_budget_skip(&budget, &measured);
    cr_assert_eq(bench_budget_left(&budget), all, "one of two engines is missing");
    measured.count = 2;
    bench_budget_skip(&budget, &measured);
    cr_assert_float_eq(bench_budget_left(&budget), all - budget.items[1].first, 1e-9);
    list[1].run = 1;
    bench_budget_skip(&budget, &measured);
    cr_assert_eq(bench_budget_left(&budget), all, "a second run is no first one");
}
