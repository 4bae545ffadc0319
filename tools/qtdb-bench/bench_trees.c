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
 * the rows it got to: the first are the cheapest, so that flatters it.
 */
#include <inttypes.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/common/text_buffer.h"
#include "tools/qtdb-bench/bench_command.h"
#include "tools/qtdb-bench/bench_device.h"
#include "tools/qtdb-bench/bench_plan.h"
#include "tools/qtdb-bench/bench_print.h"
#include "tools/qtdb-bench/bench_programs.h"
#include "tools/qtdb-bench/bench_reads.h"
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

/* Stopped by the limit: its bytes are those of another amount. */
static bool
was_cut(const struct bench_result *result)
{
    const struct bench_case *sizes = &result->sizes;

    return sizes->workload->writes && !sizes->writer && sizes->seconds > 0 &&
           result->outcome.state == BENCH_DONE && result->outcome.rows < sizes->rows;
}

static bool
figure_of(const struct bench_result *result, int which, double *out)
{
    const struct bench_outcome *outcome = &result->outcome;

    if (which == ROWS)
        return bench_metric_of(result, BENCH_ROWS_PER_S, out);
    if (which == WRITTEN)
        return !was_cut(result) && bench_metric_of(result, BENCH_WA_WRITE, out);
    if (which == PAGE_READS && outcome->operations > 0) {
        *out = (double)outcome->written.page_reads / (double)outcome->operations;
        return outcome->state == BENCH_DONE && outcome->has_written;
    }
    if (which == HIT_RATE)
        return bench_metric_of(result, BENCH_HIT_RATE, out);
    if (which == PAGE_HIT_RATE)
        return bench_metric_of(result, BENCH_PAGE_HIT_RATE, out);
    if (which == DEVICE)
        return !was_cut(result) && bench_metric_of(result, BENCH_WA_DEVICE, out);
    if (which == LEAF_READS) {
        const struct bench_written *written = &outcome->written;
        uint64_t leaves = written->page_reads - written->inner_reads - written->map_reads;

        *out = outcome->operations == 0 ? 0 : (double)leaves / (double)outcome->operations;
        return outcome->state == BENCH_DONE && outcome->has_written;
    }
    bool known = bench_metric_of(result, BENCH_OPS_PER_S, out);
    if (known && which == NS)
        *out = 1e9 / *out;
    return known;
}

static struct bench_median
median(const struct bench_results *results, const struct bench_case *sizes,
       const struct bench_engine *engine, const struct tree_row *row)
{
    return bench_median_by(results, sizes, engine, figure_of, (int)row->figure);
}

static bool
names(const char *list, const char *name)
{
    const char *at = list == NULL ? NULL : strstr(list, name);

    return at != NULL;
}

/* The best of the peers (most, or least where less is better); 0 when there is none. */
static double
best_peer(const struct bench_options *options, const struct bench_results *results,
          const struct bench_case *sizes, const struct tree_row *row, const char **name)
{
    bool less = row->figure == WRITTEN || row->figure == DEVICE;
    double best = 0;

    for (size_t i = 0; i < options->engine_count; i++) {
        const struct bench_engine *engine = options->engines[i];
        struct bench_median figure = median(results, sizes, engine, row);

        if (engine == &bench_qtdb || (engine->flags & BENCH_UNORDERED) != 0 || figure.count == 0 ||
            (row->peers != NULL && !names(row->peers, engine->name)))
            continue;
        if (best == 0 || (less ? figure.value < best : figure.value > best)) {
            best = figure.value;
            *name = engine->name;
        }
    }
    return best;
}

static void
verdict(FILE *to, bool met)
{
    (void)fprintf(to, "  %s", met ? "met" : "NOT met");
}

static void
print_peers(FILE *to, const struct bench_options *options, const struct bench_results *results,
            const struct bench_case *sizes, const struct tree_row *row, double own)
{
    int number = 0;

    for (size_t i = 0; i < options->engine_count; i++) {
        struct bench_median figure = median(results, sizes, options->engines[i], row);

        if (!names(row->peers, options->engines[i]->name) || figure.count == 0)
            continue;
        double least = number++ == 0 ? row->least : row->least_two;
        (void)fprintf(to, "  %.2fx %s, at least %.1fx:", own / figure.value,
                      options->engines[i]->name, least);
        verdict(to, own >= least * figure.value);
    }
    if (row->aim > 0)
        (void)fprintf(to, "  (aim %.1fx)", row->aim);
}

/* Measured now, in the same place. */
static void
print_reads(FILE *to, const struct bench_options *options, const struct bench_case *sizes,
            const struct tree_row *row, double own)
{
    uint64_t size = sizes->rows * (sizes->value_size + 24);
    double rate = 0;

    if (bench_random_reads(options->env.memory, options->dir, size, (uint32_t)row->batch, &rate) !=
        STATUS_OK) {
        (void)fprintf(to, "  the device's rate is not known: %s", error_message());
        error_clear();
        return;
    }
    (void)fprintf(to, "  %.2fx of the device's %.0f reads a second, at least %.1fx:", own / rate,
                  rate, row->least);
    verdict(to, own >= row->least * rate);
    (void)fprintf(to, "  (aim %.1fx)", row->aim);
}

/* What any policy could find of these leaves. */
static void
print_bounds(FILE *to, const struct bench_results *results, const struct bench_case *sizes,
             const struct tree_row *row, double own)
{
    struct bench_median fixed = bench_median_of(results, sizes, &bench_qtdb, BENCH_HIT_RATE_FIXED);
    struct bench_median future =
        bench_median_of(results, sizes, &bench_qtdb, BENCH_HIT_RATE_FUTURE);

    (void)fprintf(to, "  at least %g:", row->least);
    verdict(to, own >= row->least);
    if (fixed.count == 0 || future.count == 0)
        return;
    (void)fprintf(
        to,
        "; the best fixed choice of pages finds %.3f (qtdb %.0f%% of that), knowing the future "
        "%.3f%s",
        fixed.value, 100 * own / fixed.value, future.value,
        future.value < row->least ? ": no policy can meet it" : "");
}

static void
print_verdict(FILE *to, const struct bench_options *options, const struct bench_results *results,
              const struct bench_case *sizes, const struct tree_row *row)
{
    struct bench_median own = median(results, sizes, &bench_qtdb, row);
    bool less = row->figure == NS || row->figure == WRITTEN || row->figure == DEVICE ||
                row->figure == LEAF_READS;
    const char *name = "no peer";

    if (own.count == 0)
        return;
    (void)fprintf(to, "    ->");
    if (row->against == PEERS) {
        print_peers(to, options, results, sizes, row, own.value);
    } else if (row->against == BEST) {
        double best = best_peer(options, results, sizes, row, &name);

        (void)fprintf(to, "  %.2fx %s, the best; at least %.1fx:", best > 0 ? own.value / best : 0,
                      name, row->least);
        verdict(to, own.value >= row->least * best);
        if (row->aim > 0)
            (void)fprintf(to, "  (aim %.1fx)", row->aim);
    } else if (row->against == ITSELF) {
        struct bench_case alone = *sizes;

        alone.threads = 1;
        alone.writer = false;
        struct bench_median one = median(results, &alone, &bench_qtdb, row);
        double share = one.count > 0 ? own.value / one.value : 0;
        (void)fprintf(to, "  qtdb %.2fx of alone, at least %.1fx:", share, row->least);
        verdict(to, share >= row->least);
        (void)fprintf(to, "  (aim %.1fx)", row->aim);
    } else if (row->against == BELOW) {
        double best = best_peer(options, results, sizes, row, &name);

        (void)fprintf(to, "  qtdb %.2f, the lowest of the peers %.2f (%s):", own.value, best, name);
        verdict(to, best == 0 || own.value < best);
    } else if (row->against == BOUNDS) {
        print_bounds(to, results, sizes, row, own.value);
    } else if (row->against == READS) {
        print_reads(to, options, sizes, row, own.value);
    }
    if (row->against == NUMBER || (row->against == BELOW && row->least > 0)) {
        double least = bench_tree_row_least(row, sizes->rows);

        (void)fprintf(to, "  %s %g:", less ? "at most" : "at least", least);
        verdict(to, less ? own.value <= least : own.value >= least);
        if (row->aim > 0)
            (void)fprintf(to, "  (aim %g)", row->aim);
    }
    if (row->figure == LEAF_READS)
        (void)fprintf(to, "; %.2f with inner pages and the page map",
                      bench_median_by(results, sizes, &bench_qtdb, figure_of, PAGE_READS).value);
    (void)fprintf(to, "%s%s\n", row->note != NULL ? "  " : "", row->note != NULL ? row->note : "");
}

static void
keep_row(const struct bench_options *options, const struct tree_row *row, const char *figure,
         const char *line)
{
    const char *newline = strchr(line, '\n');

    if (options->targets != NULL)
        text_buffer_print(options->targets, "| %s | %s | %.*s |\n", row->name, figure,
                          newline == NULL ? (int)strlen(line) : (int)(newline - line), line);
}

static void
print_and_keep_verdict(const struct bench_options *options, const struct bench_results *results,
                       const struct bench_case *sizes, const struct tree_row *row)
{
    struct bench_median own = median(results, sizes, &bench_qtdb, row);
    char figure[BENCH_NUMBER_SIZE] = "-";
    char line[LINE_SIZE] = "";
    FILE *to = fmemopen(line, sizeof(line), "w");

    if (to == NULL)
        return;
    print_verdict(to, options, results, sizes, row);
    (void)fclose(to); /* What does not fit is cut off. */
    line[sizeof(line) - 1] = '\0';
    printf("%s", line);
    if (own.count > 0)
        (void)bench_format_number(own.value, figure);
    keep_row(options, row, figure, own.count > 0 ? line + strspn(line, " ->") : "not measured");
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

        if (bench_case_same(&result->sizes, sizes) && was_cut(result))
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
        struct bench_median figure = median(results, sizes, options->engines[i], row);
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
    print_and_keep_verdict(options, results, sizes, row);
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
    if (row->against == ITSELF) {
        struct bench_case alone = sizes;

        alone.threads = 1;
        alone.writer = false;
        go = measured(results, &alone) || bench_case_run(options, &alone, results);
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

    if (options->quick) {
        (void)snprintf(line, sizeof(line), "not in a quick suite: %s %s", row->program,
                       row->arguments);
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
    keep_row(options, row, figure, line);
}

/* Seconds by estimate; what an earlier row measures costs nothing. */
static double
row_seconds(const struct bench_options *options, size_t index, bool with_sql)
{
    const struct tree_row *row = bench_tree_row_at(index), *earlier;
    struct bench_case sizes;
    bool loaded = false;

    if (!is_wanted(options, row, with_sql) || is_for_fewer(options, row) || row->rows > 0)
        return row->rows > 0 ? 1 : 0;
    if (row->workload == NULL)
        return row->program != NULL && !options->quick ? PROGRAM_SECONDS : 0;
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
    return bench_case_seconds(options, &sizes, loaded) * (row->against == ITSELF ? 1.5 : 1);
}

static double
rows_seconds(const struct bench_options *options, bool with_sql, size_t *count_out)
{
    double seconds = 0;

    *count_out = 0;
    for (size_t i = 0; bench_tree_row_at(i) != NULL; i++) {
        seconds += row_seconds(options, i, with_sql);
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
    keep_row(options, row, "-", note);
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
    double seconds = rows_seconds(&own, with_sql, &count);
    bench_plan_begin(&time, with_sql ? "targets" : "trees", count, seconds, 0);
    for (size_t i = 0; (row = bench_tree_row_at(i)) != NULL; i++) {
        if (!is_wanted(&own, row, with_sql))
            continue;
        uint64_t begin = tool_clock_ns();

        bench_plan_step(&time, done++, count, row->name);
        if (!run_any_row(&own, row, results))
            return;
        bench_plan_done(&time, row_seconds(&own, i, with_sql), begin);
    }
}

double
bench_targets_seconds(const struct bench_options *options)
{
    struct bench_options own = options_of(options);
    size_t count;

    return rows_seconds(&own, true, &count);
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
