/* Results: the figures of each run, their medians, and the table of one case. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/qtdb-bench/bench_print.h"

const char *
bench_metric_name(enum bench_metric metric)
{
    static const char *const names[BENCH_METRICS] = {
        [BENCH_OPS_PER_S] = "ops_per_s",
        [BENCH_ROWS_PER_S] = "rows_per_s",
        [BENCH_P50_NS] = "p50_ns",
        [BENCH_P99_NS] = "p99_ns",
        [BENCH_WA_WRITE] = "wa_write",
        [BENCH_WA_PROCESS] = "wa_process",
        [BENCH_WA_DEVICE] = "wa_device",
        [BENCH_SPACE_AMP] = "space_amp",
        [BENCH_BYTES_PER_KEY] = "bytes_per_key",
        [BENCH_SECONDS] = "seconds",
        [BENCH_HIT_RATE] = "hit_rate",
        [BENCH_CPU_NS_PER_ROW] = "cpu_ns_per_row",
        [BENCH_PAGE_READS_PER_ROW] = "page_reads_per_row",
        [BENCH_PAGE_HIT_RATE] = "page_hit_rate",
        [BENCH_HIT_RATE_FIXED] = "hit_rate_fixed",
        [BENCH_HIT_RATE_FUTURE] = "hit_rate_future",
        [BENCH_DEVICE_PER_S] = "device_per_s",
        [BENCH_DEVICE_SHARE] = "device_share",
    };

    return names[metric];
}

static bool
ratio(double numerator, double denominator, double *out)
{
    if (denominator <= 0 || numerator <= 0)
        return false;
    *out = numerator / denominator;
    return true;
}

/*
 * Pages found in the pool for pages asked for. An engine that reads without pinning does not count
 * what it asks for: then each row counts as one page, its leaf, which is too few and so never flatters.
 */
static bool
hit_rate(const struct bench_outcome *outcome, double *out)
{
    uint64_t asked = outcome->written.pins;

    if (outcome->hits.leaves > 0)
        return ratio(outcome->hits.leaves, 1, out);
    asked = asked < outcome->rows ? outcome->rows : asked;
    if (!outcome->has_written || asked == 0)
        return false;
    *out = 1 - (double)outcome->written.page_reads / (double)asked;
    return *out >= 0;
}

bool
bench_metric_of(const struct bench_result *result, enum bench_metric metric, double *out)
{
    const struct bench_outcome *outcome = &result->outcome;
    double user = result->sizes.workload->writes ? (double)outcome->user_size : 0;

    if (outcome->state != BENCH_DONE)
        return false;
    switch (metric) {
    case BENCH_OPS_PER_S:
        return ratio((double)outcome->operations, outcome->seconds, out);
    case BENCH_ROWS_PER_S:
        return ratio((double)outcome->rows, outcome->seconds, out);
    case BENCH_P50_NS:
        return ratio((double)outcome->p50_ns, 1, out);
    case BENCH_P99_NS:
        return ratio((double)outcome->p99_ns, 1, out);
    case BENCH_WA_WRITE:
        return ratio((double)outcome->write_size, user, out);
    case BENCH_WA_PROCESS:
        return ratio((double)outcome->process_size, user, out);
    case BENCH_WA_DEVICE:
        return ratio((double)outcome->device_size, user, out);
    case BENCH_SPACE_AMP:
        return ratio((double)outcome->file_size, (double)outcome->live_size, out);
    case BENCH_BYTES_PER_KEY:
        return ratio((double)outcome->file_size * (double)(8 + result->sizes.value_size),
                     (double)outcome->live_size, out);
    case BENCH_SECONDS:
        return ratio(outcome->seconds, 1, out);
    case BENCH_CPU_NS_PER_ROW:
        return ratio((double)outcome->cpu_ns, (double)outcome->rows, out);
    case BENCH_HIT_RATE:
        return hit_rate(outcome, out);
    case BENCH_PAGE_READS_PER_ROW:
        return result->sizes.router != NULL &&
               ratio((double)outcome->written.page_reads, (double)outcome->rows, out);
    case BENCH_PAGE_HIT_RATE:
        return ratio(outcome->hits.pages, 1, out);
    case BENCH_HIT_RATE_FIXED:
        return ratio(outcome->hits.fixed, 1, out);
    case BENCH_HIT_RATE_FUTURE:
        return ratio(outcome->hits.future, 1, out);
    case BENCH_DEVICE_PER_S:
        return ratio(outcome->device_rate, 1, out);
    case BENCH_DEVICE_SHARE:
        return ratio((double)outcome->rows / (outcome->seconds + outcome->settle_seconds),
                     outcome->device_rate, out);
    case BENCH_METRICS:
        break;
    }
    return false;
}

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool
bench_case_same(const struct bench_case *a, const struct bench_case *b)
{
    return a->workload == b->workload && a->rows == b->rows && a->value_size == b->value_size &&
           a->batch == b->batch && a->threads == b->threads && a->pool == b->pool &&
           a->sync == b->sync && a->writer == b->writer && a->zipf == b->zipf &&
           a->own_device == b->own_device && same_text(a->router, b->router) &&
           same_text(a->key_set, b->key_set);
}

static int
compare_doubles(const void *a, const void *b)
{
    double first = *(const double *)a;
    double second = *(const double *)b;

    return (first > second) - (first < second);
}

typedef bool (*figure_fn)(const struct bench_result *result, int which, double *out);

static size_t
collect(const struct bench_results *results, const struct bench_case *sizes,
        const struct bench_engine *engine, figure_fn figure, int which, bool disturbed_too,
        double *values)
{
    size_t count = 0;

    for (size_t i = 0; i < results->count && count < BENCH_RUNS_MAX; i++) {
        const struct bench_result *result = &results->list[i];

        if (result->engine == engine && bench_case_same(&result->sizes, sizes) &&
            (disturbed_too || !result->outcome.disturbed) && figure(result, which, &values[count]))
            count++;
    }
    return count;
}

struct bench_median
bench_median_by(const struct bench_results *results, const struct bench_case *sizes,
                const struct bench_engine *engine, figure_fn figure, int which)
{
    double values[BENCH_RUNS_MAX];
    struct bench_median median = {.count = 0};

    median.count = collect(results, sizes, engine, figure, which, false, values);
    if (median.count == 0)
        median.count = collect(results, sizes, engine, figure, which, true, values);
    if (median.count == 0)
        return median;
    qsort(values, median.count, sizeof(values[0]), compare_doubles);
    size_t middle = median.count / 2;
    median.value =
        median.count % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    median.least = values[0];
    median.most = values[median.count - 1];
    return median;
}

static bool
metric_figure(const struct bench_result *result, int which, double *out)
{
    return bench_metric_of(result, (enum bench_metric)which, out);
}

struct bench_median
bench_median_of(const struct bench_results *results, const struct bench_case *sizes,
                const struct bench_engine *engine, enum bench_metric metric)
{
    return bench_median_by(results, sizes, engine, metric_figure, (int)metric);
}

void
bench_results_add(struct bench_results *results, const struct bench_result *result)
{
    if (results->count == results->room) {
        size_t room = results->room == 0 ? 64 : results->room * 2;
        struct bench_result *list =
            memory_resize(results->memory, MEMORY_OTHER, results->list,
                          results->room * sizeof(*list), room * sizeof(*list));

        if (list == NULL)
            return; /* The run is missing in the table, which then says fewer runs. */
        results->list = list;
        results->room = room;
    }
    results->list[results->count++] = *result;
}

const struct bench_result *
bench_results_find(const struct bench_results *results, const struct bench_case *sizes,
                   const struct bench_engine *engine, uint64_t run)
{
    for (size_t i = 0; i < results->count; i++) {
        const struct bench_result *result = &results->list[i];

        if (result->engine == engine && result->run == run &&
            bench_case_same(&result->sizes, sizes))
            return result;
    }
    return NULL;
}

void
bench_results_free(struct bench_results *results)
{
    memory_free(results->memory, MEMORY_OTHER, results->list,
                results->room * sizeof(*results->list));
}

/* The table. */

const char *
bench_format_number(double value, char out[BENCH_NUMBER_SIZE])
{
    double size = value < 0 ? -value : value;

    if (size >= 1e9)
        (void)snprintf(out, BENCH_NUMBER_SIZE, "%.2f G", value / 1e9);
    else if (size >= 1e6)
        (void)snprintf(out, BENCH_NUMBER_SIZE, "%.2f M", value / 1e6);
    else if (size >= 1e4)
        (void)snprintf(out, BENCH_NUMBER_SIZE, "%.1f k", value / 1e3);
    else if (size >= 100)
        (void)snprintf(out, BENCH_NUMBER_SIZE, "%.0f", value);
    else
        (void)snprintf(out, BENCH_NUMBER_SIZE, "%.2f", value);
    return out;
}

const char *
bench_format_ns(double ns, char out[BENCH_NUMBER_SIZE])
{
    if (ns >= 1e9)
        (void)snprintf(out, BENCH_NUMBER_SIZE, "%.2f s", ns / 1e9);
    else if (ns >= 1e6)
        (void)snprintf(out, BENCH_NUMBER_SIZE, "%.2f ms", ns / 1e6);
    else if (ns >= 1e4)
        (void)snprintf(out, BENCH_NUMBER_SIZE, "%.1f us", ns / 1e3);
    else
        (void)snprintf(out, BENCH_NUMBER_SIZE, "%.0f ns", ns);
    return out;
}

static const char *
format_median(const struct bench_median *median, char *out, size_t size)
{
    char value[BENCH_NUMBER_SIZE], least[BENCH_NUMBER_SIZE], most[BENCH_NUMBER_SIZE];

    if (median->count == 0)
        (void)snprintf(out, size, "-");
    else if (median->count == 1)
        (void)snprintf(out, size, "%s", bench_format_number(median->value, value));
    else
        (void)snprintf(out, size, "%s (%s .. %s)", bench_format_number(median->value, value),
                       bench_format_number(median->least, least),
                       bench_format_number(median->most, most));
    return out;
}

static const char *
format_latency(const struct bench_median *median, char out[BENCH_NUMBER_SIZE])
{
    if (median->count == 0)
        (void)snprintf(out, BENCH_NUMBER_SIZE, "-");
    else
        (void)bench_format_ns(median->value, out);
    return out;
}

/* A ratio that hardly varies: its median is enough. */
static const char *
format_wa(const struct bench_median *median, char out[BENCH_NUMBER_SIZE])
{
    if (median->count == 0)
        (void)snprintf(out, BENCH_NUMBER_SIZE, "-");
    else
        (void)bench_format_number(median->value, out);
    return out;
}

void
bench_case_name(const struct bench_case *sizes, char *out, size_t size)
{
    char pool[TOOL_SIZE_TEXT];

    (void)snprintf(
        out, size,
        "%s: %" PRIu64 " rows of 8+%" PRIu64 " bytes, %" PRIu64 " a transaction, %" PRIu64
        " thread%s%s, %s, pool %s%s%s%s%s%s%s",
        sizes->workload->name, sizes->rows, sizes->value_size, sizes->batch, sizes->threads,
        tool_plural(sizes->threads), sizes->writer ? " and a writer" : "",
        sizes->sync ? "sync" : "async", tool_format_size(sizes->pool, pool),
        sizes->zipf ? ", zipf 0.99" : "", sizes->own_device ? ", device of its own" : "",
        sizes->router != NULL ? ", router " : "", sizes->router != NULL ? sizes->router : "",
        sizes->key_set != NULL ? ", keys " : "", sizes->key_set != NULL ? sizes->key_set : "");
}

static void
print_engine(const struct bench_results *results, const struct bench_case *sizes,
             const struct bench_engine *engine)
{
    struct bench_median ops = bench_median_of(results, sizes, engine, BENCH_OPS_PER_S);
    struct bench_median rows = bench_median_of(results, sizes, engine, BENCH_ROWS_PER_S);
    struct bench_median p50 = bench_median_of(results, sizes, engine, BENCH_P50_NS);
    struct bench_median p99 = bench_median_of(results, sizes, engine, BENCH_P99_NS);
    struct bench_median wa = bench_median_of(results, sizes, engine, BENCH_WA_WRITE);
    struct bench_median own = bench_median_of(results, sizes, &bench_qtdb, BENCH_ROWS_PER_S);
    struct bench_median cpu = bench_median_of(results, sizes, engine, BENCH_CPU_NS_PER_ROW);
    char text[6][128];
    char ratio_text[BENCH_NUMBER_SIZE] = "-";

    if (ops.count == 0)
        return;
    if (own.count > 0 && rows.count > 0)
        (void)snprintf(ratio_text, sizeof(ratio_text), "%.2fx", own.value / rows.value);
    printf("  %-14s %-30s %-30s %10s %10s %10s %8s %8s\n", engine->name,
           format_median(&ops, text[0], sizeof(text[0])),
           format_median(&rows, text[1], sizeof(text[1])), format_latency(&p50, text[2]),
           format_latency(&p99, text[3]), format_latency(&cpu, text[5]), format_wa(&wa, text[4]),
           ratio_text);
}

/* What others did during the runs of one engine, and how often transactions lost. */
struct noise {
    uint64_t runs;
    uint64_t disturbed;
    uint64_t conflicts;
    double cpu;  /* Processors, at most. */
    double disk; /* Bytes a second, at most. */
};

static struct noise
noise_of(const struct bench_results *results, const struct bench_case *sizes,
         const struct bench_engine *engine)
{
    struct noise noise = {.runs = 0};

    for (size_t i = 0; i < results->count; i++) {
        const struct bench_outcome *outcome = &results->list[i].outcome;

        if (results->list[i].engine != engine || outcome->state != BENCH_DONE ||
            !bench_case_same(&results->list[i].sizes, sizes))
            continue;
        noise.runs++;
        noise.disturbed += outcome->disturbed;
        noise.conflicts += outcome->conflicts;
        noise.cpu = outcome->others_cpu > noise.cpu ? outcome->others_cpu : noise.cpu;
        noise.disk = outcome->others_disk > noise.disk ? outcome->others_disk : noise.disk;
    }
    return noise;
}

/* On one line for all engines: on a busy machine it is every run. */
static void
print_disturbed(const struct bench_options *options, const struct bench_results *results,
                const struct bench_case *sizes)
{
    bool first = true;

    for (size_t i = 0; i < options->engine_count; i++) {
        struct noise noise = noise_of(results, sizes, options->engines[i]);

        if (noise.disturbed == 0)
            continue;
        printf("%s %s %" PRIu64 " of %" PRIu64 " (%.2f, %.1f)",
               first ? "  disturbed runs (processors, MB/s of others):" : ",",
               options->engines[i]->name, noise.disturbed, noise.runs, noise.cpu, noise.disk / 1e6);
        first = false;
    }
    if (!first)
        printf("\n");
}

static void
print_conflicts(const struct bench_options *options, const struct bench_results *results,
                const struct bench_case *sizes)
{
    for (size_t i = 0; i < options->engine_count; i++) {
        struct noise noise = noise_of(results, sizes, options->engines[i]);

        if (noise.conflicts > 0)
            printf("  %-14s %" PRIu64 " transactions run again after conflicts\n",
                   options->engines[i]->name, noise.conflicts);
    }
}

static void
print_failures(const struct bench_results *results, const struct bench_case *sizes)
{
    for (size_t i = 0; i < results->count; i++) {
        const struct bench_result *result = &results->list[i];

        if (bench_case_same(&result->sizes, sizes) && result->outcome.state != BENCH_DONE)
            printf("  %-14s %s: %s\n", result->engine->name,
                   result->outcome.state == BENCH_SKIPPED ? "skipped" : "FAILED",
                   result->outcome.message);
    }
}

void
bench_case_print_notes(const struct bench_options *options, const struct bench_results *results,
                       const struct bench_case *sizes)
{
    print_failures(results, sizes);
    print_disturbed(options, results, sizes);
    print_conflicts(options, results, sizes);
}

void
bench_case_print(const struct bench_options *options, const struct bench_results *results,
                 const struct bench_case *sizes)
{
    char name[512];

    bench_case_name(sizes, name, sizeof(name));
    printf("%s\n  %-14s %-30s %-30s %10s %10s %10s %8s %8s\n", name, "engine", "operations/s",
           "rows/s", "p50", "p99", "cpu a row", "wa", "qtdb is");
    for (size_t i = 0; i < options->engine_count; i++)
        print_engine(results, sizes, options->engines[i]);
    bench_case_print_notes(options, results, sizes);
    (void)fflush(stdout);
}
