/*
 * trees: the table of the trees and transactions, every row by one command: qtdb, each peer, and the
 * ratio that the row is about. What this program cannot measure itself another one of ours does
 * (bench_programs.h) or is named in the same table.
 *
 * The rows are in bench_trees_rows.c. `targets` prints those of SQL besides, and the table of routers. What each
 * came to is in the table of targets at the end (bench_targets.h).
 *
 * What writes is written whole, because amplification of different amounts could not be compared, with two
 * exceptions: rates of small transactions, which a client shows in a while, end after 20 times --seconds, and so
 * do random inserts of more than a million rows after a minute. An engine that was stopped is said with
 * the rows it got to: the first are the cheapest, so that flatters it. Over more than a million rows, rows that write
 * and compare qtdb with a number or with itself are measured of qtdb alone.
 */
#include <inttypes.h>
#include <string.h>

#include "kernel/base/check.h"
#include "tools/qtdb-bench/bench_budget.h"
#include "tools/qtdb-bench/bench_command.h"
#include "tools/qtdb-bench/bench_device.h"
#include "tools/qtdb-bench/bench_plan.h"
#include "tools/qtdb-bench/bench_print.h"
#include "tools/qtdb-bench/bench_programs.h"
#include "tools/qtdb-bench/bench_targets.h"
#include "tools/qtdb-bench/bench_trees.h"

enum { LINE_SIZE = 2048, ROWS_MAX = 96 };
#define DEVICE_SIZE ((uint64_t)16 << 30)
enum { ISSUE_ROWS = 1000000, RATE_SECONDS = 20, ROWS_SECONDS = 60, PROGRAM_SECONDS = 60 };

/* How long a row that writes may take; 0: until all is written. */
static uint64_t
limit_of(const struct bench_options *options, const struct tree_row *row)
{
    if (options->base.seconds == 0 || row->rows > 0)
        return 0;
    if (row->divisor > 0)
        return RATE_SECONDS * options->base.seconds;
    if (options->budget != NULL)
        return BENCH_SUITE_SECONDS;
    return row->figure == ROWS && row->batch < 10000 && options->base.rows > ISSUE_ROWS
               ? ROWS_SECONDS
               : 0;
}

static struct bench_case
sizes_of(const struct bench_options *options, const struct tree_row *row)
{
    struct bench_case sizes = bench_case_of(options, bench_workload_find(row->workload));
    uint64_t data;

    if (row->divisor > 0)
        sizes.rows = (sizes.rows < ISSUE_ROWS ? sizes.rows : ISSUE_ROWS) / row->divisor + 1;
    sizes.value_size = row->value_size;
    sizes.threads = row->threads > 0 ? row->threads : 1;
    sizes.writer = row->writer;
    /* Warm rows fit every cache twice; the command line's pool is for the others. */
    if (row->rows > 0) {
        sizes.rows = row->rows;
        sizes.sync = false;
    }
    sizes.batch = row->batch < sizes.rows ? row->batch : sizes.rows;
    sizes.zipf = row->tenth;
    data = 2 * sizes.rows * (row->value_size + 24);
    if (row->tenth)
        sizes.pool = data / 20 < 1 << 20 ? 1 << 20 : data / 20;
    else if (!sizes.workload->small_pool && sizes.pool < data)
        sizes.pool = data;
    if (sizes.workload->writes && !sizes.writer)
        sizes.seconds = limit_of(options, row);
    return sizes;
}

/* Processor time of the clients for a row: what is left of the figure on a busy machine. */
static void
print_cpu(const struct bench_options *options, const struct bench_results *results,
          const struct bench_case *sizes)
{
    printf("    cpu a row:");
    for (size_t i = 0; i < options->engine_count; i++) {
        struct bench_median cpu =
            bench_median_of(results, sizes, options->engines[i], BENCH_CPU_NS_PER_ROW);
        char value[BENCH_NUMBER_SIZE];

        if (cpu.count > 0)
            printf("  %s %s", options->engines[i]->name, bench_format_ns(cpu.value, value));
    }
    printf("\n");
}

static void
print_row(const struct bench_options *options, const struct bench_results *results,
          const struct bench_case *sizes, const struct tree_row *row)
{
    printf("%s\n   ", row->name);
    for (size_t i = 0; i < options->engine_count; i++) {
        struct bench_median figure = tree_row_median(results, sizes, options->engines[i], row);
        char value[BENCH_NUMBER_SIZE], least[BENCH_NUMBER_SIZE], most[BENCH_NUMBER_SIZE];

        if (figure.count == 0)
            continue;
        printf("  %s %s", options->engines[i]->name, bench_format_number(figure.value, value));
        if (figure.count > 1)
            printf(" (%s..%s)", bench_format_number(figure.least, least),
                   bench_format_number(figure.most, most));
    }
    printf("\n");
    if (row->figure == RATE || row->figure == ROWS || row->figure == NS)
        print_cpu(options, results, sizes);
    tree_row_judge(options, results, sizes, row);
    tree_rows_print_cut(results, sizes);
    bench_case_print_notes(options, results, sizes);
    (void)fflush(stdout);
}

static bool
measured(const struct bench_results *results, const struct bench_case *sizes)
{
    for (size_t i = 0; i < results->count; i++) {
        if (bench_case_same(&results->list[i].sizes, sizes))
            return true;
    }
    return false;
}

static bool
is_alone(const struct bench_options *options, const struct tree_row *row)
{
    bool own = row->against == NUMBER || (row->against == ITSELF && row->writer);

    if (row->alone && options->budget != NULL && !options->engines_given)
        return true;
    return own && options->base.rows > ISSUE_ROWS && !options->engines_given &&
           bench_workload_find(row->workload)->writes && strcmp(row->workload, "load") != 0;
}

/* Who takes part in the row, and where. */
static struct bench_options
options_of_row(const struct bench_options *options, const struct tree_row *row)
{
    struct bench_options here = *options;

    if (row->rows > 0) {
        here.engine_count = 1;
        here.engines[0] = &bench_qtdb;
        here.engines[here.engine_count++] = &bench_legacy_memory;
        here.engines[here.engine_count++] = &bench_legacy_copy;
        /* With log and file, as it worked; it writes nothing when it is read. */
        if (bench_workload_find(row->workload)->writes)
            here.engines[here.engine_count++] = &bench_legacy;
    }
    if (is_alone(options, row)) {
        here.engine_count = 1;
        here.engines[0] = &bench_qtdb;
    }
    return here;
}

/* What a row that is held against the engine itself is held against. */
static struct bench_case
case_alone(const struct bench_case *sizes)
{
    struct bench_case alone = *sizes;

    alone.threads = 1;
    alone.writer = false;
    return alone;
}

static bool
wants_device(const struct tree_row *row)
{
    return row->on_device || (row->as_wa && bench_device_may());
}

/* False: the user stopped, or (`why`) there is no device. */
static bool
run_case(const struct bench_options *options, const struct tree_row *row, struct bench_case *sizes,
         struct bench_results *results, char *why, size_t why_size)
{
    static struct bench_device device;
    struct bench_options here = *options;

    sizes->own_device = wants_device(row);
    if (measured(results, sizes))
        return true;
    if (!sizes->own_device)
        return bench_case_run(&here, sizes, results);
    if (!bench_device_open(&device, options->dir, DEVICE_SIZE, why, why_size))
        return false;
    here.dir = device.mount;
    here.own_device = true;
    here.stores = NULL; /* They would be gone with the device. */
    bool go = bench_case_run(&here, sizes, results);
    bench_device_close(&device);
    return go;
}

/* False: the user stopped. */
static bool
run_row(const struct bench_options *options, const struct tree_row *row,
        struct bench_results *results)
{
    struct bench_options here = options_of_row(options, row);
    struct bench_case sizes = sizes_of(options, row);
    char why[256] = "";
    bool go = true;

    if (row->against == ITSELF) {
        struct bench_case alone = case_alone(&sizes);

        go = measured(results, &alone) || bench_case_run(&here, &alone, results);
    }
    go = go && run_case(&here, row, &sizes, results, why, sizeof(why));
    if (why[0] != '\0' && row->as_wa) {
        sizes.own_device = false;
        go = bench_case_run(&here, &sizes, results);
    } else if (why[0] != '\0') {
        printf("%s\n    not measured, %s\n", row->name, why);
        bench_targets_add(options->targets, row->name, "-", why, BENCH_TARGET_OPEN);
        return true;
    }
    print_row(&here, results, &sizes, row);
    return go;
}

/* Without the predecessor's way, which is no peer here unless it was asked for. */
static struct bench_options
options_of(const struct bench_options *options)
{
    struct bench_options own = *options;

    for (size_t i = 0; i < own.engine_count && !own.engines_given; i++) {
        if ((own.engines[i]->flags & BENCH_UNORDERED) != 0)
            own.engines[i--] = own.engines[--own.engine_count];
    }
    return own;
}

static bool
is_wanted(const struct bench_options *options, const struct tree_row *row, bool with_sql)
{
    return (!row->sql || with_sql) &&
           (options->only == NULL || strstr(row->name, options->only) != NULL);
}

static bool
is_for_fewer(const struct bench_options *options, const struct tree_row *row)
{
    return row->most > 0 && options->base.rows > row->most && options->only == NULL;
}

/* Another program of ours: its figure, or whether it found nothing wrong. */
static void
run_program(const struct bench_options *options, const struct tree_row *row)
{
    char text[LINE_SIZE / 4], figure[BENCH_NUMBER_SIZE] = "-", line[LINE_SIZE];
    bool less = row->figure == NS || row->figure == WRITTEN;
    enum bench_target_state state = BENCH_TARGET_OPEN;
    double value = 0;
    bool met = false;

    /* It has no time for them, and could not tell afterwards what they found. */
    if (options->budget != NULL) {
        (void)snprintf(line, sizeof(line), "not in a suite: %s %s", row->program, row->arguments);
    } else if (!bench_program_run(options, row->program, row->arguments, row->before, &value, &met,
                                  text, sizeof(text))) {
        (void)snprintf(line, sizeof(line), "not measured, %s %s: %s", row->program, row->arguments,
                       text);
    } else if (row->before == NULL) {
        state = met ? BENCH_TARGET_MET : BENCH_TARGET_MISSED;
        (void)snprintf(figure, sizeof(figure), "%s", met ? "0 wrong" : "WRONG");
        (void)snprintf(line, sizeof(line), "%s:  %s  (%s %s)", text, met ? "met" : "NOT met",
                       row->program, row->arguments);
    } else {
        met = met && (less ? value <= row->least : value >= row->least);
        state = met ? BENCH_TARGET_MET : BENCH_TARGET_MISSED;
        (void)bench_format_number(value, figure);
        (void)snprintf(line, sizeof(line), "%.500s; %s %g:  %s  (%s %s)", text,
                       less ? "at most" : "at least", row->least, met ? "met" : "NOT met",
                       row->program, row->arguments);
    }
    printf("%s\n    ->  %s\n", row->name, line);
    (void)fflush(stdout);
    bench_targets_add(options->targets, row->name, figure, line, state);
}

/* The cases of the row for a plan; those that an earlier row measures cost nothing. */
static void
plan_row(const struct bench_options *options, const struct tree_row *row,
         struct bench_budget *budget)
{
    if (is_for_fewer(options, row))
        return;
    if (row->workload == NULL) {
        if (row->program != NULL && options->budget == NULL)
            (void)bench_budget_add_part(budget, PROGRAM_SECONDS, PROGRAM_SECONDS);
        return;
    }
    struct bench_options here = options_of_row(options, row);
    struct bench_case sizes = sizes_of(options, row);

    if (row->against == ITSELF) {
        struct bench_case alone = case_alone(&sizes);

        bench_budget_add(budget, &here, &alone);
    }
    sizes.own_device = wants_device(row);
    bench_budget_add(budget, &here, &sizes);
}

/* False: the user stopped. */
static bool
run_any_row(const struct bench_options *options, const struct tree_row *row,
            struct bench_results *results)
{
    const char *note = row->note;

    if (is_for_fewer(options, row)) {
        note = "the target has at most 1 M rows: in the table of --rows 1000000, or by --only";
    } else if (row->workload != NULL) {
        return run_row(options, row, results);
    } else if (row->program != NULL) {
        run_program(options, row);
        return !tool_stop_requested();
    }
    printf("%s\n    %s\n", row->name, note);
    bench_targets_add(options->targets, row->name, "-", note, BENCH_TARGET_OPEN);
    return true;
}

/* The plan of all rows, with what each costs by estimate; returns how many are wanted. */
static size_t
plan_rows(const struct bench_options *options, bool with_sql, struct bench_budget *budget,
          double seconds[ROWS_MAX])
{
    const struct tree_row *row;
    size_t count = 0;

    for (size_t i = 0; (row = bench_tree_row_at(i)) != NULL; i++) {
        double before = bench_budget_all(budget);

        CHECK(i < ROWS_MAX);
        seconds[i] = 0;
        if (!is_wanted(options, row, with_sql))
            continue;
        plan_row(options, row, budget);
        seconds[i] = bench_budget_all(budget) - before;
        count++;
    }
    return count;
}

static void
run_rows(const struct bench_options *options, struct bench_results *results, bool with_sql)
{
    static struct bench_budget plan;
    struct bench_options own = options_of(options);
    struct bench_plan_time time;
    const struct tree_row *row;
    double seconds[ROWS_MAX] = {0};
    size_t count, done = 0;

    printf("rows: %" PRIu64 "; one row a durable transaction: fewer, as the JSON has it\n\n",
           options->base.rows);
    plan = (struct bench_budget){.count = 0};
    count = plan_rows(&own, with_sql, &plan, seconds);
    bench_plan_begin(&time, with_sql ? "targets" : "trees", count, bench_budget_all(&plan), 0);
    for (size_t i = 0; (row = bench_tree_row_at(i)) != NULL; i++) {
        if (!is_wanted(&own, row, with_sql))
            continue;
        uint64_t begin = tool_clock_ns();

        bench_plan_step(&time, done++, count, row->name);
        if (!run_any_row(&own, row, results))
            return;
        bench_plan_done(&time, seconds[i], begin);
    }
}

void
bench_targets_plan(const struct bench_options *options, struct bench_budget *budget)
{
    struct bench_options own = options_of(options);
    double seconds[ROWS_MAX] = {0};

    (void)plan_rows(&own, true, budget, seconds);
}

void
bench_command_trees(const struct bench_options *options, struct bench_results *results)
{
    run_rows(options, results, false);
}

/* The suite has routers as a step of its own. */
void
bench_command_targets(const struct bench_options *options, struct bench_results *results)
{
    run_rows(options, results, true);
    if (options->budget != NULL || options->only != NULL || tool_stop_requested())
        return;
    struct bench_options routers = options_of(options);

    routers.report = NULL;
    printf("\n");
    bench_command_learned(&routers, results);
}
