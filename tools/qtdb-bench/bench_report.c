/*
 * The report of bench_report.h. Each case has one table, and the page has charts beside it: rates with
 * their range, the 50th and 99th percentile, write amplification, and its course over the rows. Where
 * qtdb is slower the ratio stands in the same column and type as where it is faster.
 */
#include <inttypes.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_report.h"
#include "tools/qtdb-bench/bench_targets.h"

enum { COLUMNS = 8 };

static const char *const headings[COLUMNS] = {"operations/s", "rows/s",   "p50",       "p99",
                                              "cpu a row",    "wa write", "wa device", "space"};
static const enum bench_metric columns[COLUMNS] = {
    BENCH_OPS_PER_S,      BENCH_ROWS_PER_S, BENCH_P50_NS,    BENCH_P99_NS,
    BENCH_CPU_NS_PER_ROW, BENCH_WA_WRITE,   BENCH_WA_DEVICE, BENCH_SPACE_AMP};

static const char style[] =
    "body{font:14px/1.4 sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222}\n"
    "table{border-collapse:collapse;margin:.5em 0}td,th{padding:2px 10px;text-align:right;"
    "border-bottom:1px solid #ddd}td:first-child,th:first-child,td.t,th.t{text-align:left}\n"
    "svg{max-width:100%;height:auto;display:block;margin:.6em 0}svg text{font:12px sans-serif;"
    "fill:#222}svg .t{font-weight:bold}svg .l{text-anchor:end}\n"
    ".b{fill:#9aa7b5}.o{fill:#1f6fb2}.e{stroke:#222;stroke-width:1.5;fill:none}.a{stroke:#888;"
    "fill:none}.s{fill:none;stroke-width:2}.s.w{stroke-width:9;stroke-opacity:.3}\n"
    "polyline.s0{stroke:#1f6fb2}polyline.s1{stroke:#e08214}polyline.s2{stroke:#7b3294}"
    "polyline.s3{stroke:#4d4d4d}polyline.s4{stroke:#01857a}polyline.s5{stroke:#b8860b}\n"
    "svg text.s0{fill:#1f6fb2}svg text.s1{fill:#e08214}svg text.s2{fill:#7b3294}svg text.s3{"
    "fill:#4d4d4d}svg text.s4{fill:#01857a}svg text.s5{fill:#b8860b}\n"
    "table.g td{vertical-align:top;text-align:left;overflow-wrap:anywhere}"
    "table.g td:first-child{width:30%}"
    "table.g td.v{white-space:nowrap}table.g "
    "td.f{text-align:right}thead{display:table-header-group}"
    "tr{break-inside:avoid}\n"
    "section{break-inside:avoid}.n{color:#555}@media print{body{margin:0;max-width:none}}\n";

const struct bench_result *
bench_report_next(const struct bench_results *results, size_t *index)
{
    while (*index < results->count) {
        const struct bench_result *result = &results->list[(*index)++];
        bool seen = false;

        for (const struct bench_result *one = results->list; one < result && !seen; one++)
            seen = bench_case_same(&one->sizes, &result->sizes);
        if (!seen)
            return result;
    }
    return NULL;
}

/* One cell: the median, with least and most behind it where there were several runs. */
static void
add_cell(struct text_buffer *text, const struct bench_median *figure, enum bench_metric metric)
{
    bool nanoseconds =
        metric == BENCH_P50_NS || metric == BENCH_P99_NS || metric == BENCH_CPU_NS_PER_ROW;
    const char *(*format)(double, char *) = nanoseconds ? bench_format_ns : bench_format_number;
    char value[BENCH_NUMBER_SIZE], least[BENCH_NUMBER_SIZE], most[BENCH_NUMBER_SIZE];

    if (figure->count == 0)
        text_buffer_add_text(text, "-");
    else if (figure->count == 1 || nanoseconds)
        text_buffer_add_text(text, format(figure->value, value));
    else
        text_buffer_print(text, "%s (%s to %s)", format(figure->value, value),
                          format(figure->least, least), format(figure->most, most));
}

static void
add_ratio(struct text_buffer *text, const struct bench_results *results,
          const struct bench_case *sizes, const struct bench_engine *engine)
{
    struct bench_median own = bench_median_of(results, sizes, &bench_qtdb, BENCH_ROWS_PER_S);
    struct bench_median other = bench_median_of(results, sizes, engine, BENCH_ROWS_PER_S);

    if (own.count == 0 || other.count == 0 || engine == &bench_qtdb)
        text_buffer_add_text(text, "-");
    else
        text_buffer_print(text, "%.2fx", own.value / other.value);
}

static void
add_notes(struct text_buffer *text, const struct bench_results *results,
          const struct bench_case *sizes, const char *begin, const char *end)
{
    for (size_t i = 0; i < results->count; i++) {
        const struct bench_result *result = &results->list[i];
        const struct bench_outcome *outcome = &result->outcome;

        if (!bench_case_same(&result->sizes, sizes))
            continue;
        if (outcome->state != BENCH_DONE) {
            text_buffer_print(text, "%s%s %s: ", begin, result->engine->name,
                              outcome->state == BENCH_SKIPPED ? "skipped" : "failed");
            bench_html_text(text, outcome->message);
            text_buffer_add_text(text, end);
        } else if (outcome->disturbed) {
            text_buffer_print(text,
                              "%s%s, run %" PRIu64
                              " disturbed: others used %.2f processors and wrote "
                              "%.1f MB/s%s",
                              begin, result->engine->name, result->run + 1, outcome->others_cpu,
                              outcome->others_disk / 1e6, end);
        }
    }
}

/* Markdown. */

static void
markdown_case(struct text_buffer *text, const struct bench_options *options,
              const struct bench_results *results, const struct bench_case *sizes)
{
    char name[512];

    bench_case_name(sizes, name, sizeof(name));
    text_buffer_print(text, "\n## %s\n\n| engine |", name);
    for (int i = 0; i < COLUMNS; i++)
        text_buffer_print(text, " %s |", headings[i]);
    text_buffer_add_text(text, " qtdb is |\n|---|---|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < options->engine_count; i++) {
        const struct bench_engine *engine = options->engines[i];

        if (bench_median_of(results, sizes, engine, BENCH_SECONDS).count == 0)
            continue;
        text_buffer_print(text, "| %s |", engine->name);
        for (int k = 0; k < COLUMNS; k++) {
            struct bench_median figure = bench_median_of(results, sizes, engine, columns[k]);

            text_buffer_add_char(text, ' ');
            add_cell(text, &figure, columns[k]);
            text_buffer_add_text(text, " |");
        }
        text_buffer_add_char(text, ' ');
        add_ratio(text, results, sizes, engine);
        text_buffer_add_text(text, " |\n");
    }
    add_notes(text, results, sizes, "\n- ", "");
    text_buffer_add_text(text, "\n");
}

void
bench_report_markdown(struct text_buffer *text, const struct bench_options *options,
                      const struct bench_machine *machine, const struct bench_results *results)
{
    const struct bench_result *result;
    char commit[64];
    size_t index = 0;

    bench_commit_read(commit, sizeof(commit));
    text_buffer_print(
        text,
        "# qtdb-bench\n\n%s, %u x %s, %s on %s, commit %s. A durable 4 KiB write takes "
        "%.0f us, an append with fdatasync %.0f us. Medians, least and most; \"qtdb is\" "
        "is qtdb's rows/s over the engine's.\n\n",
        machine->host, machine->cpu_count, machine->cpu, machine->file_system, machine->kernel,
        commit, machine->durable_us, machine->append_us);
    for (size_t i = 0; i < options->engine_count; i++)
        text_buffer_print(text, "- %s %s: %s\n", options->engines[i]->name,
                          options->engines[i]->version(), options->engines[i]->settings);
    bench_targets_markdown(text, options->targets);
    while ((result = bench_report_next(results, &index)) != NULL)
        markdown_case(text, options, results, &result->sizes);
}

/* HTML. */

static void
html_charts(struct text_buffer *text, const struct bench_options *options,
            const struct bench_results *results, const struct bench_case *sizes)
{
    static const struct {
        enum bench_metric metric;
        const char *title;
    } charts[] = {
        {BENCH_ROWS_PER_S, "rows a second (more is better)"},
        {BENCH_CPU_NS_PER_ROW, "processor time of the clients for a row (less is better)"},
        {BENCH_P50_NS, "half of the operations take at most (less is better)"},
        {BENCH_P99_NS, "99 in 100 operations take at most (less is better)"},
        {BENCH_WA_WRITE, "bytes passed to write for a byte of the user (less is better)"},
        {BENCH_WA_DEVICE, "bytes at the device for a byte of the user (less is better)"},
    };

    for (size_t chart = 0; chart < sizeof(charts) / sizeof(charts[0]); chart++) {
        struct bench_bar bars[BENCH_BARS_MAX];
        bool nanoseconds = charts[chart].metric == BENCH_P50_NS ||
                           charts[chart].metric == BENCH_P99_NS ||
                           charts[chart].metric == BENCH_CPU_NS_PER_ROW;

        for (size_t i = 0; i < options->engine_count; i++)
            bars[i] =
                (struct bench_bar){.label = options->engines[i]->name,
                                   .own = options->engines[i] == &bench_qtdb,
                                   .figure = bench_median_of(results, sizes, options->engines[i],
                                                             charts[chart].metric)};
        bench_svg_bars(text, charts[chart].title, bars, options->engine_count, nanoseconds);
    }
    bench_svg_series(text, results, sizes);
}

static void
html_case(struct text_buffer *text, const struct bench_options *options,
          const struct bench_results *results, const struct bench_case *sizes)
{
    char name[512];

    bench_case_name(sizes, name, sizeof(name));
    text_buffer_add_text(text, "<section><h2>");
    bench_html_text(text, name);
    text_buffer_add_text(text, "</h2>\n<table><tr><th>engine</th>");
    for (int i = 0; i < COLUMNS; i++)
        text_buffer_print(text, "<th>%s</th>", headings[i]);
    text_buffer_add_text(text, "<th>qtdb is</th></tr>\n");
    for (size_t i = 0; i < options->engine_count; i++) {
        const struct bench_engine *engine = options->engines[i];

        if (bench_median_of(results, sizes, engine, BENCH_SECONDS).count == 0)
            continue;
        text_buffer_print(text, "<tr><td>%s</td>", engine->name);
        for (int k = 0; k < COLUMNS; k++) {
            struct bench_median figure = bench_median_of(results, sizes, engine, columns[k]);

            text_buffer_add_text(text, "<td>");
            add_cell(text, &figure, columns[k]);
            text_buffer_add_text(text, "</td>");
        }
        text_buffer_add_text(text, "<td>");
        add_ratio(text, results, sizes, engine);
        text_buffer_add_text(text, "</td></tr>\n");
    }
    text_buffer_add_text(text, "</table>\n");
    add_notes(text, results, sizes, "<p class=\"n\">", "</p>\n");
    html_charts(text, options, results, sizes);
    text_buffer_add_text(text, "</section>\n");
}

void
bench_html_head(struct text_buffer *text, const char *title)
{
    text_buffer_print(text,
                      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                      "<title>%s</title><style>\n",
                      title);
    text_buffer_add_text(text, style);
    text_buffer_print(text, "</style></head><body>\n<h1>%s</h1>\n", title);
}

void
bench_report_html(struct text_buffer *text, const struct bench_options *options,
                  const struct bench_machine *machine, const struct bench_results *results)
{
    const struct bench_result *result;
    char commit[64];
    size_t index = 0;

    bench_commit_read(commit, sizeof(commit));
    bench_html_head(text, "qtdb-bench");
    text_buffer_add_text(text, "<p>");
    bench_html_text(text, machine->host);
    text_buffer_print(text, ", %u x ", machine->cpu_count);
    bench_html_text(text, machine->cpu);
    text_buffer_print(
        text,
        ", %s on %s, commit %s. A durable 4 KiB write takes %.0f us, an append with "
        "fdatasync %.0f us. Medians, with least and most; &quot;qtdb is&quot; is qtdb's "
        "rows/s over the engine's.</p>\n<ul>\n",
        machine->file_system, machine->kernel, commit, machine->durable_us, machine->append_us);
    for (size_t i = 0; i < options->engine_count; i++) {
        text_buffer_print(text, "<li>%s %s: ", options->engines[i]->name,
                          options->engines[i]->version());
        bench_html_text(text, options->engines[i]->settings);
        text_buffer_add_text(text, "</li>\n");
    }
    text_buffer_add_text(text, "</ul>\n");
    bench_targets_html(text, options->targets);
    while ((result = bench_report_next(results, &index)) != NULL)
        html_case(text, options, results, &result->sizes);
    text_buffer_add_text(text, "</body></html>\n");
}

bool
bench_report_write(const struct bench_options *options, const struct bench_machine *machine,
                   const struct bench_results *results, const char *dir)
{
    char path[BENCH_PATH_SIZE + 16];
    struct text_buffer text;

    if (bench_dir_make(dir) != STATUS_OK) {
        tool_error(options->tool, "%s", error_message());
        return false;
    }
    text_buffer_init(&text, options->env.memory);
    bench_report_html(&text, options, machine, results);
    (void)snprintf(path, sizeof(path), "%s/report.html", dir);
    bool ok = bench_write_file(options, path, &text);
    text_buffer_reset(&text);
    bench_report_markdown(&text, options, machine, results);
    (void)snprintf(path, sizeof(path), "%s/report.md", dir);
    ok = bench_write_file(options, path, &text) && ok;
    text_buffer_deinit(&text);
    return ok;
}
