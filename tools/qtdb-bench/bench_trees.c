/*
 * trees: the table of the trees and transactions, every row by one command: qtdb, each peer, and the
 * ratio that the row is about. What this program cannot measure itself another one of ours does
 * (bench_programs.h) or is named in the same table.
 *
 * The rows are in bench_trees_rows.c. `targets` prints those of SQL besides, and the table of routers. A kept run
 * gets what is printed as a table, targets.md.
 *
 * What writes is written whole, because amplification of different amounts could not be compared, with two
 * exceptions: rates of small transactions, which a client shows in a while, end after 20 times --seconds, and so
 * do random inserts of more than a million rows after a minute. An engine that was stopped is said with
 * the rows it got to: the first are the cheapest, so that flatters it. Over more than a million rows, rows that write
 * and compare qtdb with a number or with itself are measured of qtdb alone.
 */
#include <inttypes.h>
#include <string.h>

#include "tools/common/text_buffer.h"
#include "tools/qtdb-bench/bench_command.h"
#include "tools/qtdb-bench/bench_device.h"
#include "tools/qtdb-bench/bench_plan.h"
#include "tools/qtdb-bench/bench_print.h"
#include "tools/qtdb-bench/bench_programs.h"
#include "tools/qtdb-bench/bench_trees.h"

enum { LINE_SIZE = 2048 };
enum { ISSUE_ROWS = 1000000, RATE_SECONDS = 20, ROWS_SECONDS = 60, PROGRAM_SECONDS = 60 };

/* How long a row that writes may take; 0: until all is written. */
static uint64_t
limit_of(const struct bench_options *options, const struct tree_row *row)
{
    if (options->base.seconds == 0 || row->rows > 0)
        return 0;
    if (row->divisor > 0 && row->figure == RATE)
        return RATE_SECONDS * options->base.seconds;
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
print_cut(const struct bench_results *results, const struct bench_case *sizes)
{
    for (size_t i = 0; i < results->count; i++) {
        const struct bench_result *result = &results->list[i];
        char rows[BENCH_NUMBER_SIZE], all[BENCH_NUMBER_SIZE];

        if (bench_case_same(&result->sizes, sizes) && tree_row_was_cut(result))
            printf("  %-14s stopped after %" PRIu64 " s at %s of %s rows\n", result->engine->name,
                   result->sizes.seconds, bench_format_number((double)result->outcome.rows, rows),
                   bench_format_number((double)sizes->rows, all));
    }
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
    print_cut(results, sizes);
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

    return own && options->base.rows > ISSUE_ROWS && !options->engines_given &&
           bench_workload_find(row->workload)->writes && strcmp(row->workload, "load") != 0;
}

/* False: the user stopped. */
static bool
run_row(const struct bench_options *options, const struct tree_row *row,
        struct bench_results *results)
{
    static struct bench_device device;
    struct bench_options here = *options;
    struct bench_case sizes = sizes_of(options, row);
    bool go = true;

    if (row->rows > 0) {
        here.engine_count = 1;
        here.engines[0] = &bench_qtdb;
        here.engines[here.engine_count++] = &bench_legacy_memory;
        here.engines[here.engine_count++] = &bench_legacy_copy;
        /* With log and file, as it worked; it writes nothing when it is read. */
        if (sizes.workload->writes)
            here.engines[here.engine_count++] = &bench_legacy;
    }
    if (is_alone(options, row)) {
        here.engine_count = 1;
        here.engines[0] = &bench_qtdb;
    }
    if (row->against == ITSELF) {
        struct bench_case alone = sizes;

        alone.threads = 1;
        alone.writer = false;
        go = measured(results, &alone) || bench_case_run(&here, &alone, results);
    }
    if (row->on_device) {
        char why[256];

        sizes.own_device = true;
        if (!bench_device_open(&device, options->dir, (uint64_t)16 << 30, why, sizeof(why))) {
            printf("%s\n    not measured, %s\n", row->name, why);
            return true;
        }
        here.dir = device.mount;
        here.own_device = true;
        here.stores = NULL; /* They would be gone with the device. */
    }
    if (go && !measured(results, &sizes))
        go = bench_case_run(&here, &sizes, results);
    if (row->on_device)
        bench_device_close(&device);
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
    double value = 0;
    bool met = false;

    /* It has no time for them, and could not tell afterwards what they found. */
    if (options->end_ns != 0) {
        (void)snprintf(line, sizeof(line), "not in a suite: %s %s", row->program, row->arguments);
    } else if (!bench_program_run(options, row->program, row->arguments, row->before, &value, &met,
                                  text, sizeof(text))) {
        (void)snprintf(line, sizeof(line), "not measured, %s %s: %s", row->program, row->arguments,
                       text);
    } else if (row->before == NULL) {
        (void)snprintf(figure, sizeof(figure), "%s", met ? "0 wrong" : "WRONG");
        (void)snprintf(line, sizeof(line), "%s:  %s  (%s %s)", text, met ? "met" : "NOT met",
                       row->program, row->arguments);
    } else {
        met = met && (less ? value <= row->least : value >= row->least);
        (void)bench_format_number(value, figure);
        (void)snprintf(line, sizeof(line), "%.500s; %s %g:  %s  (%s %s)", text,
                       less ? "at most" : "at least", row->least, met ? "met" : "NOT met",
                       row->program, row->arguments);
    }
    printf("%s\n    ->  %s\n", row->name, line);
    (void)fflush(stdout);
    tree_row_keep(options, row, figure, line);
}

/* Seconds by estimate; what an earlier row measures costs nothing. */
static double
row_seconds(const struct bench_options *options, size_t index, bool with_sql, bool in_suite)
{
    const struct tree_row *row = bench_tree_row_at(index), *earlier;
    struct bench_case sizes;
    bool loaded = false;

    if (!is_wanted(options, row, with_sql) || is_for_fewer(options, row) || row->rows > 0)
        return row->rows > 0 ? 1 : 0;
    if (row->workload == NULL)
        return row->program != NULL && !in_suite ? PROGRAM_SECONDS : 0;
    sizes = sizes_of(options, row);
    sizes.own_device = row->on_device;
    for (size_t i = 0; i < index; i++) {
        earlier = bench_tree_row_at(i);
        if (earlier->workload == NULL || !is_wanted(options, earlier, with_sql))
            continue;
        struct bench_case other = sizes_of(options, earlier);
        other.own_device = earlier->on_device;
        if (bench_case_same(&sizes, &other))
            return 0;
        loaded = other.workload->needs == BENCH_LOADED && !other.workload->writes &&
                 other.value_size == sizes.value_size && other.rows == sizes.rows;
    }
    struct bench_options here = *options;

    if (is_alone(options, row))
        here.engine_count = 1; /* qtdb, the first. */
    return bench_case_seconds(&here, &sizes, loaded) * (row->against == ITSELF ? 1.5 : 1);
}

static double
rows_seconds(const struct bench_options *options, bool with_sql, bool in_suite, size_t *count_out)
{
    double seconds = 0;

    *count_out = 0;
    for (size_t i = 0; bench_tree_row_at(i) != NULL; i++) {
        seconds += row_seconds(options, i, with_sql, in_suite);
        *count_out += is_wanted(options, bench_tree_row_at(i), with_sql);
    }
    return seconds;
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
    tree_row_keep(options, row, "-", note);
    return true;
}

static void
run_rows(const struct bench_options *options, struct bench_results *results, bool with_sql)
{
    struct bench_options own = options_of(options);
    struct bench_plan_time time;
    const struct tree_row *row;
    size_t count, done = 0;

    printf("rows: %" PRIu64 "; one row a durable transaction: fewer, as the JSON has it\n\n",
           options->base.rows);
    bool in_suite = own.end_ns != 0;
    double seconds = rows_seconds(&own, with_sql, in_suite, &count);
    bench_plan_begin(&time, with_sql ? "targets" : "trees", count, seconds, 0);
    for (size_t i = 0; (row = bench_tree_row_at(i)) != NULL; i++) {
        if (!is_wanted(&own, row, with_sql))
            continue;
        uint64_t begin = tool_clock_ns();

        bench_plan_step(&time, done++, count, row->name);
        if (!run_any_row(&own, row, results))
            return;
        bench_plan_done(&time, row_seconds(&own, i, with_sql, in_suite), begin);
    }
}

double
bench_targets_seconds(const struct bench_options *options)
{
    struct bench_options own = options_of(options);
    size_t count;

    return rows_seconds(&own, true, true, &count);
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
    if (options->end_ns != 0 || options->only != NULL || tool_stop_requested())
        return;
    struct bench_options routers = options_of(options);

    routers.report = NULL;
    printf("\n");
    bench_command_learned(&routers, results);
}
