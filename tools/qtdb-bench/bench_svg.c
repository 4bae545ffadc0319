/*
 * Charts as SVG. Bars start at zero, because a bar that does not lies about a ratio; the thin line on each
 * goes from the least to the most of its runs. Colours tell apart without red and green.
 */
#include <string.h>

#include "tools/qtdb-bench/bench_report.h"

enum { WIDTH = 640, LABEL = 110, VALUE = 110, ROW = 22, TITLE = 24 };
enum { CHART_HEIGHT = 220, CHART_LEFT = 50, CHART_BOTTOM = 30, LEGEND_STEP = 95 };

void
bench_html_text(struct text_buffer *text, const char *plain)
{
    for (; *plain != '\0'; plain++) {
        if (*plain == '&')
            text_buffer_add_text(text, "&amp;");
        else if (*plain == '<')
            text_buffer_add_text(text, "&lt;");
        else if (*plain == '>')
            text_buffer_add_text(text, "&gt;");
        else if (*plain == '"')
            text_buffer_add_text(text, "&quot;");
        else
            text_buffer_add_char(text, *plain);
    }
}

void
bench_svg_open(struct text_buffer *text, const char *title, int height)
{
    text_buffer_print(text,
                      "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">"
                      "<text x=\"0\" y=\"15\" class=\"t\">",
                      WIDTH, height, WIDTH, height);
    bench_html_text(text, title);
    text_buffer_add_text(text, "</text>\n");
}

static void
add_bar(struct text_buffer *text, const struct bench_bar *bar, double scale, int y,
        bool nanoseconds)
{
    char value[BENCH_NUMBER_SIZE];
    double length = bar->figure.value * scale;
    int middle = y + ROW / 2 - 2;

    text_buffer_print(text, "<text x=\"%d\" y=\"%d\" class=\"l\">", LABEL - 6, y + 13);
    bench_html_text(text, bar->label);
    text_buffer_print(text,
                      "</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" class=\"%s\"/>",
                      LABEL, y + 2, length < 0.5 ? 0.5 : length, ROW - 8, bar->own ? "o" : "b");
    if (bar->figure.count > 1)
        text_buffer_print(text, "<path d=\"M%.1f %dH%.1f\" class=\"e\"/>",
                          LABEL + bar->figure.least * scale, middle,
                          LABEL + bar->figure.most * scale);
    text_buffer_print(text, "<text x=\"%.1f\" y=\"%d\">%s</text>\n",
                      LABEL + bar->figure.most * scale + 6, y + 13,
                      nanoseconds ? bench_format_ns(bar->figure.value, value)
                                  : bench_format_number(bar->figure.value, value));
}

void
bench_svg_bars(struct text_buffer *text, const char *title, const struct bench_bar *bars,
               size_t count, bool nanoseconds)
{
    double most = 0;
    int drawn = 0;

    for (size_t i = 0; i < count; i++) {
        if (bars[i].figure.count > 0) {
            most = bars[i].figure.most > most ? bars[i].figure.most : most;
            drawn++;
        }
    }
    if (drawn == 0 || most <= 0)
        return;
    bench_svg_open(text, title, TITLE + drawn * ROW + 4);
    int y = TITLE;
    for (size_t i = 0; i < count; i++) {
        if (bars[i].figure.count == 0)
            continue;
        add_bar(text, &bars[i], (WIDTH - LABEL - VALUE) / most, y, nanoseconds);
        y += ROW;
    }
    text_buffer_add_text(text, "</svg>\n");
}

/* Series. */

static bool
in_series(const struct bench_result *result, const struct bench_case *sizes)
{
    return result->outcome.state == BENCH_DONE && result->run == 0 &&
           result->outcome.point_count > 2 && bench_case_same(&result->sizes, sizes);
}

static double
point_value(const struct bench_point *point)
{
    return point->user == 0 ? 0 : (double)point->write / (double)point->user;
}

static void
add_line(struct text_buffer *text, const struct bench_result *result, double most, size_t number)
{
    const struct bench_outcome *outcome = &result->outcome;
    double height = CHART_HEIGHT - TITLE - CHART_BOTTOM - 14;
    double width = WIDTH - CHART_LEFT - 20;

    text_buffer_print(text, "<polyline class=\"s s%zu\" points=\"", number);
    for (uint32_t i = 1; i < outcome->point_count; i++) {
        double share = (double)outcome->points[i].rows / (double)result->sizes.rows;

        text_buffer_print(text, "%.1f,%.1f ", CHART_LEFT + share * width,
                          TITLE + 14 + height * (1 - point_value(&outcome->points[i]) / most));
    }
    text_buffer_print(text, "\"/><text x=\"%zu\" y=\"%d\" class=\"s%zu\">",
                      CHART_LEFT + number * LEGEND_STEP, TITLE + 4, number);
    bench_html_text(text, result->engine->name);
    text_buffer_add_text(text, "</text>\n");
}

void
bench_svg_series(struct text_buffer *text, const struct bench_results *results,
                 const struct bench_case *sizes)
{
    double most = 0;
    size_t number = 0;

    for (size_t i = 0; i < results->count; i++) {
        const struct bench_outcome *outcome = &results->list[i].outcome;

        for (uint32_t k = 1; in_series(&results->list[i], sizes) && k < outcome->point_count; k++)
            most =
                point_value(&outcome->points[k]) > most ? point_value(&outcome->points[k]) : most;
    }
    if (most <= 0)
        return;
    bench_svg_open(text, "bytes passed to write for a byte of the user, over the rows",
                   CHART_HEIGHT);
    text_buffer_print(text,
                      "<path d=\"M%d %dV%dH%d\" class=\"a\"/><text x=\"0\" y=\"%d\">%.1f</text>"
                      "<text x=\"20\" y=\"%d\">0</text>\n",
                      CHART_LEFT, TITLE + 14, CHART_HEIGHT - CHART_BOTTOM, WIDTH - 20, TITLE + 20,
                      most, CHART_HEIGHT - CHART_BOTTOM);
    for (size_t i = 0; i < results->count; i++) {
        if (in_series(&results->list[i], sizes))
            add_line(text, &results->list[i], most, number++);
    }
    text_buffer_add_text(text, "</svg>\n");
}
