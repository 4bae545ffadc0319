/*
 * Verdicts of bench_trees.h: a row's figure of qtdb beside what it is held against, as one line.
 */
#include <inttypes.h>
#include <string.h>

#include "tools/qtdb-bench/bench_print.h"
#include "tools/qtdb-bench/bench_targets.h"
#include "tools/qtdb-bench/bench_trees.h"

enum { LINE_SIZE = 2048 };

/* Stopped by the limit: its bytes are those of another amount. */
bool
tree_row_was_cut(const struct bench_result *result)
{
    const struct bench_case *sizes = &result->sizes;

    /* `append` writes half of its rows, so that fewer are no sign by themselves. */
    return sizes->workload->writes && !sizes->writer && sizes->seconds > 0 &&
           result->outcome.state == BENCH_DONE && result->outcome.rows < sizes->rows &&
           result->outcome.seconds >= (double)sizes->seconds;
}

void
tree_rows_print_cut(const struct bench_results *results, const struct bench_case *sizes)
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

static bool
figure_of(const struct bench_result *result, int which, double *out)
{
    const struct bench_outcome *outcome = &result->outcome;

    if (which == ROWS)
        return bench_metric_of(result, BENCH_ROWS_PER_S, out);
    if (which == WRITTEN)
        return !tree_row_was_cut(result) && bench_metric_of(result, BENCH_WA_WRITE, out);
    if (which == PAGE_READS && outcome->operations > 0) {
        *out = (double)outcome->written.page_reads / (double)outcome->operations;
        return outcome->state == BENCH_DONE && outcome->has_written;
    }
    if (which == HIT_RATE)
        return bench_metric_of(result, BENCH_HIT_RATE, out);
    if (which == PAGE_HIT_RATE)
        return bench_metric_of(result, BENCH_PAGE_HIT_RATE, out);
    if (which == DEVICE)
        return !tree_row_was_cut(result) && bench_metric_of(result, BENCH_WA_DEVICE, out);
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

struct bench_median
tree_row_median(const struct bench_results *results, const struct bench_case *sizes,
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
        struct bench_median figure = tree_row_median(results, sizes, engine, row);

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

/* A row's line while it is written, and what it came to: missed when one of its verdicts is. */
struct line {
    FILE *file;
    enum bench_target_state state;
};

static void
verdict(struct line *line, bool met)
{
    enum bench_target_state state = met ? BENCH_TARGET_MET : BENCH_TARGET_MISSED;

    (void)fprintf(line->file, "  %s", bench_target_word(state));
    line->state = state > line->state ? state : line->state;
}

static void
print_peers(struct line *to, const struct bench_options *options,
            const struct bench_results *results, const struct bench_case *sizes,
            const struct tree_row *row, double own)
{
    int number = 0;

    for (size_t i = 0; i < options->engine_count; i++) {
        struct bench_median figure = tree_row_median(results, sizes, options->engines[i], row);

        if (!names(row->peers, options->engines[i]->name) || figure.count == 0)
            continue;
        double least = number++ == 0 ? row->least : row->least_two;
        (void)fprintf(to->file, "  %.2fx %s, at least %.1fx:", own / figure.value,
                      options->engines[i]->name, least);
        verdict(to, own >= least * figure.value);
    }
    if (row->aim > 0)
        (void)fprintf(to->file, "  (aim %.1fx)", row->aim);
}

static const char no_peer[] = "  no peer was measured";

static void
print_best(struct line *to, const struct bench_options *options,
           const struct bench_results *results, const struct bench_case *sizes,
           const struct tree_row *row, double own)
{
    const char *name = NULL;
    double best = best_peer(options, results, sizes, row, &name);

    if (best == 0) {
        (void)fputs(no_peer, to->file);
        return;
    }
    (void)fprintf(to->file, "  %.2fx %s, the best; at least %.1fx:", own / best, name, row->least);
    verdict(to, own >= row->least * best);
    if (row->aim > 0)
        (void)fprintf(to->file, "  (aim %.1fx)", row->aim);
}

static void
print_below(struct line *to, const struct bench_options *options,
            const struct bench_results *results, const struct bench_case *sizes,
            const struct tree_row *row, double own)
{
    const char *name = NULL;
    double best = best_peer(options, results, sizes, row, &name);

    if (best == 0) {
        (void)fputs(no_peer, to->file);
        return;
    }
    (void)fprintf(to->file, "  qtdb %.2f, the lowest of the peers %.2f (%s):", own, best, name);
    verdict(to, own < best);
}

/* Each run against the rate beside it. */
static void
print_reads(struct line *to, const struct bench_results *results, const struct bench_case *sizes,
            const struct tree_row *row)
{
    struct bench_median share = bench_median_of(results, sizes, &bench_qtdb, BENCH_DEVICE_SHARE);
    struct bench_median rate = bench_median_of(results, sizes, &bench_qtdb, BENCH_DEVICE_PER_S);

    if (share.count == 0) {
        (void)fprintf(to->file, "  the device's rate is not known");
        return;
    }
    (void)fprintf(to->file,
                  "  %.2fx of the device's %.0f reads a second, at least %.1fx:", share.value,
                  rate.value, row->least);
    verdict(to, share.value >= row->least);
    (void)fprintf(to->file, "  (aim %.1fx)", row->aim);
}

/* What any policy could find of these leaves. */
static void
print_bounds(struct line *to, const struct bench_results *results, const struct bench_case *sizes,
             const struct tree_row *row, double own)
{
    struct bench_median fixed = bench_median_of(results, sizes, &bench_qtdb, BENCH_HIT_RATE_FIXED);
    struct bench_median future =
        bench_median_of(results, sizes, &bench_qtdb, BENCH_HIT_RATE_FUTURE);

    (void)fprintf(to->file, "  at least %g:", row->least);
    verdict(to, own >= row->least);
    if (fixed.count == 0 || future.count == 0)
        return;
    (void)fprintf(
        to->file,
        "; the best fixed choice of pages finds %.3f (qtdb %.0f%% of that), knowing the future "
        "%.3f%s",
        fixed.value, 100 * own / fixed.value, future.value,
        future.value < row->least ? ": no policy can meet it" : "");
}

/* As it stands in the targets: 1.05, 120, 150000; millions as such. */
static const char *
format_wanted(double wanted, char out[BENCH_NUMBER_SIZE])
{
    if (wanted >= 1e6)
        return bench_format_number(wanted, out);
    (void)snprintf(out, BENCH_NUMBER_SIZE, "%g", wanted);
    return out;
}

static void
print_verdict(struct line *to, const struct bench_options *options,
              const struct bench_results *results, const struct bench_case *sizes,
              const struct tree_row *row)
{
    struct bench_median own = tree_row_median(results, sizes, &bench_qtdb, row);
    bool less = row->figure == NS || row->figure == WRITTEN || row->figure == DEVICE ||
                row->figure == LEAF_READS;

    if (own.count == 0)
        return;
    (void)fprintf(to->file, "    ->");
    if (row->against == PEERS) {
        print_peers(to, options, results, sizes, row, own.value);
    } else if (row->against == BEST) {
        print_best(to, options, results, sizes, row, own.value);
    } else if (row->against == ITSELF) {
        struct bench_case alone = *sizes;

        alone.threads = 1;
        alone.writer = false;
        struct bench_median one = tree_row_median(results, &alone, &bench_qtdb, row);
        if (one.count == 0) {
            (void)fprintf(to->file, "  one client was not measured");
        } else {
            double share = own.value / one.value;

            (void)fprintf(to->file, "  qtdb %.2fx of alone, at least %.1fx:", share, row->least);
            verdict(to, share >= row->least);
            (void)fprintf(to->file, "  (aim %.1fx)", row->aim);
        }
    } else if (row->against == BELOW) {
        print_below(to, options, results, sizes, row, own.value);
    } else if (row->against == BOUNDS) {
        print_bounds(to, results, sizes, row, own.value);
    } else if (row->against == READS) {
        print_reads(to, results, sizes, row);
    }
    if (row->against == NUMBER || (row->against == BELOW && row->least > 0)) {
        double least = bench_tree_row_least(row, sizes->rows);
        double wanted = least > 0 ? least : row->aim;
        char number[BENCH_NUMBER_SIZE];

        (void)fprintf(to->file, "  %s%s %s:", least > 0 ? "" : "aim, ",
                      less ? "at most" : "at least", format_wanted(wanted, number));
        verdict(to, less ? own.value <= wanted : own.value >= wanted);
        if (row->aim > 0 && least > 0)
            (void)fprintf(to->file, "  (aim %g)", row->aim);
    }
    if (row->figure == LEAF_READS)
        (void)fprintf(to->file, "; %.2f with inner pages and the page map",
                      bench_median_by(results, sizes, &bench_qtdb, figure_of, PAGE_READS).value);
    (void)fprintf(to->file, "%s%s\n", row->note != NULL ? "  " : "",
                  row->note != NULL ? row->note : "");
}

void
tree_row_judge(const struct bench_options *options, const struct bench_results *results,
               const struct bench_case *sizes, const struct tree_row *row)
{
    struct bench_median own = tree_row_median(results, sizes, &bench_qtdb, row);
    char figure[BENCH_NUMBER_SIZE] = "-";
    char text[LINE_SIZE] = "";
    struct line line = {.file = fmemopen(text, sizeof(text), "w")};

    if (line.file == NULL)
        return;
    print_verdict(&line, options, results, sizes, row);
    (void)fclose(line.file); /* What does not fit is cut off. */
    text[sizeof(text) - 1] = '\0';
    printf("%s", text);
    if (own.count > 0)
        (void)bench_format_number(own.value, figure);
    bench_targets_add(options->targets, row->name, figure,
                      own.count > 0 ? text + strspn(text, " ->") : "not measured", line.state);
}
