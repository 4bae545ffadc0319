/* The report: one self-contained HTML page with SVG charts, and the same tables as Markdown. */
#ifndef TOOLS_QTDB_BENCH_BENCH_REPORT_H
#define TOOLS_QTDB_BENCH_BENCH_REPORT_H

#include "tools/qtdb-bench/bench_print.h"

/** Writes report.html and report.md into `dir`, which is made; false when it could not and said so. */
bool bench_report_write(const struct bench_options *options, const struct bench_machine *machine,
                        const struct bench_results *results, const char *dir);
void bench_report_markdown(struct text_buffer *text, const struct bench_options *options,
                           const struct bench_machine *machine,
                           const struct bench_results *results);
void bench_report_html(struct text_buffer *text, const struct bench_options *options,
                       const struct bench_machine *machine, const struct bench_results *results);

/** The first result of the next case at or after `*index`, which moves past it; NULL at the end. */
const struct bench_result *bench_report_next(const struct bench_results *results, size_t *index);

/** The beginning of a page with the style of all of them, up to its heading. */
void bench_html_head(struct text_buffer *text, const char *title);

/* SVG. */
enum { BENCH_BARS_MAX = BENCH_ENGINES_MAX };
struct bench_bar {
    const char *label;
    struct bench_median figure;
    bool own; /* qtdb's is drawn in another colour. */
};
/** Horizontal bars from zero, with a line from least to most. */
void bench_svg_bars(struct text_buffer *text, const char *title, const struct bench_bar *bars,
                    size_t count, bool nanoseconds);
/** Written bytes a user byte over the rows, one line an engine. */
void bench_svg_series(struct text_buffer *text, const struct bench_results *results,
                      const struct bench_case *sizes);
/** Opens a chart 640 wide with a title; "</svg>" ends it. */
void bench_svg_open(struct text_buffer *text, const char *title, int height);
/** Text with &, <, > and " made harmless. */
void bench_html_text(struct text_buffer *text, const char *plain);

#endif
