/*
 * The page of `learned`: for each router what a look-up takes, by kind and by size; and of the key set
 * what the models see: keys against positions with the models drawn in, and how far they miss.
 *
 * The pictures of models are drawn from routers trained here on the key set, cut into leaves as an
 * ordered load cuts it; figures come from the runs. A model's line goes through what it predicts for
 * keys at equal steps of rank and half-way between them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/error.h"
#include "learned/router.h"
#include "tools/qtdb-bench/bench_learned.h"
#include "tools/qtdb-bench/bench_report.h"

enum { ROWS_A_LEAF = 240, POINTS = 400, PLOT_WIDTH = 560, PLOT_HEIGHT = 300, LEFT = 60, TOP = 30 };
enum { ERROR_BUCKETS = 12, BUCKET_HEIGHT = 18, LABEL_HEIGHT = 13, ROUTERS_MAX = 16, SIZES_MAX = 8 };

struct page {
    struct text_buffer *text;
    const struct learned *learned;
    const struct bench_results *results;
    const struct bench_options *options;
    struct leaf_directory directory;
};

/* ---- Figures ------------------------------------------------------------------------------------ */

/* The different numbers of rows that were measured, ascending. */
static size_t
sizes_of(const struct bench_results *results, uint64_t *sizes)
{
    size_t count = 0;

    for (size_t i = 0; i < results->count; i++) {
        uint64_t rows = results->list[i].sizes.rows;
        bool seen = results->list[i].sizes.router == NULL;

        for (size_t k = 0; k < count && !seen; k++)
            seen = sizes[k] == rows;
        if (!seen && count < SIZES_MAX)
            sizes[count++] = rows;
    }
    return count;
}

static void
add_table(const struct page *page, uint64_t rows)
{
    struct text_buffer *text = page->text;

    text_buffer_print(text,
                      "<h2>%" PRIu64 " rows</h2>\n<table><tr><th>router</th>"
                      "<th>get</th><th>chain</th><th>half absent</th><th>batch</th><th>range</th>"
                      "<th>mixed</th>"
                      "<th>speed</th></tr>\n",
                      rows);
    double tree = learned_ns(page->results, learned_variant_name(0), "tree", rows);

    for (size_t i = 0; learned_router_name(i) != NULL; i++) {
        const char *router = learned_router_name(i);
        double own = learned_ns(page->results, learned_variant_name(0), router, rows);

        if (own <= 0)
            continue;
        text_buffer_print(text, "<tr><td>%s</td>", router);
        for (int variant = LEARNED_GET; variant <= LEARNED_MIXED; variant++) {
            double ns = learned_ns(page->results, learned_variant_name(variant), router, rows);

            if (ns > 0)
                text_buffer_print(text, "<td>%.1f ns</td>", ns);
            else
                text_buffer_add_text(text, "<td>-</td>");
        }
        text_buffer_print(text, "<td>%.2fx</td></tr>\n", tree > 0 ? tree / own : 0);
    }
    text_buffer_add_text(text, "</table>\n");
}

static void
add_bars(const struct page *page, int variant, const char *title, uint64_t rows)
{
    struct bench_bar bars[ROUTERS_MAX];
    size_t count = 0;

    for (size_t i = 0; learned_router_name(i) != NULL && count < ROUTERS_MAX; i++) {
        const char *router = learned_router_name(i);
        double ns = learned_ns(page->results, learned_variant_name(variant), router, rows);

        if (ns <= 0)
            continue;
        bars[count] = (struct bench_bar){.label = router, .own = i < 5};
        bars[count].figure =
            (struct bench_median){.value = ns, .least = ns, .most = ns, .count = 1};
        count++;
    }
    bench_svg_bars(page->text, title, bars, count, true);
}

/* Where a label that belongs at `y` has room below those that are there already. */
static double
place_label(double *taken, size_t *count, double y)
{
    for (size_t i = 0; i < *count;) {
        bool meets = y - taken[i] < LABEL_HEIGHT && taken[i] - y < LABEL_HEIGHT;

        y = meets ? taken[i] + LABEL_HEIGHT : y;
        i = meets ? 0 : i + 1;
    }
    taken[(*count)++] = y;
    return y;
}

/* ns over rows, one line a router; rows in equal steps of a factor. */
static void
add_growth(const struct page *page, const uint64_t *sizes, size_t size_count)
{
    struct text_buffer *text = page->text;
    double taken[ROUTERS_MAX];
    size_t taken_count = 0;
    double most = 0;
    size_t drawn = 0;

    for (size_t i = 0; learned_router_name(i) != NULL; i++)
        for (size_t k = 0; k < size_count; k++) {
            double ns = learned_ns(page->results, learned_variant_name(0), learned_router_name(i),
                                   sizes[k]);

            most = ns > most ? ns : most;
        }
    if (most <= 0 || size_count < 2)
        return;
    bench_svg_open(text, "ns a look-up by router, over rows", PLOT_HEIGHT + TOP + 40);
    text_buffer_print(
        text, "<path d=\"M%d %dV%dH%d\" class=\"a\"/><text x=\"0\" y=\"%d\">%.0f ns</text>\n", LEFT,
        TOP, TOP + PLOT_HEIGHT, LEFT + PLOT_WIDTH, TOP + 12, most);
    for (size_t k = 0; k < size_count; k++)
        text_buffer_print(text, "<text x=\"%zu\" y=\"%d\">%" PRIu64 "</text>\n",
                          LEFT + k * (PLOT_WIDTH - 140) / (size_count - 1), TOP + PLOT_HEIGHT + 16,
                          sizes[k]);
    for (size_t i = 0; learned_router_name(i) != NULL; i++) {
        const char *router = learned_router_name(i);
        double last = 0;

        text_buffer_print(text, "<polyline class=\"s s%zu\" points=\"", drawn % 6);
        for (size_t k = 0; k < size_count; k++) {
            double ns = learned_ns(page->results, learned_variant_name(0), router, sizes[k]);

            if (ns <= 0)
                continue;
            last = TOP + PLOT_HEIGHT * (1 - ns / most);
            text_buffer_print(text, "%zu,%.1f ", LEFT + k * (PLOT_WIDTH - 140) / (size_count - 1),
                              last);
        }
        text_buffer_add_text(text, "\"/>");
        if (last > 0 && taken_count < ROUTERS_MAX)
            text_buffer_print(text, "<text x=\"%d\" y=\"%.1f\" class=\"s%zu\">%s</text>\n",
                              LEFT + PLOT_WIDTH - 130, place_label(taken, &taken_count, last + 4),
                              drawn % 6, router);
        drawn++;
    }
    text_buffer_add_text(text, "</svg>\n");
}

/* ---- Models ------------------------------------------------------------------------------------- */

static void
add_point(const struct page *page, uint64_t key, uint32_t position)
{
    const struct leaf_directory *directory = &page->directory;
    uint32_t count = leaf_directory_count(directory);
    double low = (double)directory->keys[0];
    double width = (double)directory->keys[count - 1] - low;

    text_buffer_print(page->text, "%.1f,%.1f ",
                      LEFT + (width > 0 ? ((double)key - low) / width : 0) * PLOT_WIDTH,
                      TOP + PLOT_HEIGHT * (1 - (double)position / (count > 1 ? count - 1 : 1)));
}

/* Keys to the right, leaves upwards: where they are, and where the model has them. */
static void
add_model(const struct page *page, const struct router *router)
{
    const struct leaf_directory *directory = &page->directory;
    uint32_t count = leaf_directory_count(directory);
    const struct router_verdict *verdict = router_verdict(router);
    char title[100];
    char figures[700];

    (void)snprintf(title, sizeof(title), "keys against positions: %u leaves, %u models", count,
                   verdict->model_count);
    router_verdict_print(verdict, figures, sizeof(figures));
    text_buffer_add_text(page->text, "<p class=\"n\">");
    bench_html_text(page->text, figures);
    text_buffer_add_text(page->text, "</p>\n");
    bench_svg_open(page->text, title, PLOT_HEIGHT + TOP + 40);
    text_buffer_print(page->text,
                      "<path d=\"M%d %dV%dH%d\" class=\"a\"/><text x=\"0\" y=\"%d\">%u</text>"
                      "<text x=\"0\" y=\"%d\">leaf 0</text><text x=\"%d\" y=\"%d\">key %" PRIu64
                      "</text><text x=\"%d\" y=\"%d\" class=\"l\">%" PRIu64 "</text>\n",
                      LEFT, TOP, TOP + PLOT_HEIGHT, LEFT + PLOT_WIDTH, TOP + 12, count - 1,
                      TOP + PLOT_HEIGHT, LEFT, TOP + PLOT_HEIGHT + 16, directory->keys[0],
                      LEFT + PLOT_WIDTH, TOP + PLOT_HEIGHT + 16, directory->keys[count - 1]);
    text_buffer_add_text(page->text, "<polyline class=\"s s3 w\" points=\"");
    for (uint32_t i = 0; i <= POINTS; i++) {
        uint32_t leaf = (uint32_t)((uint64_t)(count - 1) * i / POINTS);

        add_point(page, directory->keys[leaf], leaf);
    }
    text_buffer_add_text(page->text, "\"/>\n<polyline class=\"s s1\" points=\"");
    for (uint32_t i = 0; i <= POINTS; i++) {
        uint32_t leaf = (uint32_t)((uint64_t)(count - 1) * i / POINTS);
        uint64_t key = directory->keys[leaf];

        add_point(page, key, router_predict(router, directory, key).position);
        if (i == POINTS)
            break;
        uint32_t next = (uint32_t)((uint64_t)(count - 1) * (i + 1) / POINTS);

        key += (directory->keys[next] - key) / 2;
        add_point(page, key, router_predict(router, directory, key).position);
    }
    text_buffer_print(page->text,
                      "\"/><text x=\"%d\" y=\"%d\" class=\"s3\">leaves</text><text x=\"%d\" "
                      "y=\"%d\" class=\"s1\">%s</text></svg>\n",
                      LEFT + 10, TOP + 14, LEFT + 70, TOP + 14,
                      router_kind_name(router_verdict(router)->kind));
}

/* Leaves by how far the prediction of their first key is off: 0, 1, 2, 3 to 4, 5 to 8 ... */
static void
add_errors(const struct page *page, const struct router *router)
{
    const struct leaf_directory *directory = &page->directory;
    uint32_t count = leaf_directory_count(directory);
    uint32_t bucket[ERROR_BUCKETS] = {0};
    uint32_t most = 1;
    uint32_t used = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t position = router_predict(router, directory, directory->keys[i]).position;
        uint32_t error = position > i ? position - i : i - position;
        uint32_t place = error < 3 ? error : 34 - (uint32_t)__builtin_clz(error - 1);

        if (place >= ERROR_BUCKETS)
            place = ERROR_BUCKETS - 1;
        bucket[place]++;
        most = bucket[place] > most ? bucket[place] : most;
        used = place >= used ? place + 1 : used;
    }
    bench_svg_open(page->text, "leaves by error in leaves", TOP + (int)used * BUCKET_HEIGHT);
    for (uint32_t i = 0; i < used; i++) {
        uint32_t y = TOP + i * BUCKET_HEIGHT;

        text_buffer_print(page->text,
                          "<text x=\"%d\" y=\"%u\" class=\"l\">%s%u</text><rect x=\"%d\" y=\"%u\" "
                          "width=\"%.1f\" height=\"%d\" class=\"b\"/><text x=\"%.1f\" "
                          "y=\"%u\">%u</text>\n",
                          LEFT + 20, y + 12,
                          i < 3                   ? ""
                          : i + 1 < ERROR_BUCKETS ? "up to "
                                                  : "above ",
                          i < 3                   ? i
                          : i + 1 < ERROR_BUCKETS ? 1u << (i - 1)
                                                  : 1u << (i - 2),
                          LEFT + 26, y + 2, bucket[i] * 400.0 / most, BUCKET_HEIGHT - 6,
                          LEFT + 32 + bucket[i] * 400.0 / most, y + 12, bucket[i]);
    }
    text_buffer_add_text(page->text, "</svg>\n");
}

static enum status
add_models(const struct page *page)
{
    static const enum router_kind kinds[] = {ROUTER_RMI, ROUTER_PLA};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct router_options options = {.kind = kinds[i], .row_count = UINT64_MAX};
        struct router *router;

        TRY(router_train(&page->directory, &options, page->options->env.memory, &router));
        text_buffer_print(page->text, "<section><h2>%s</h2>\n", router_kind_name(kinds[i]));
        add_model(page, router);
        add_errors(page, router);
        text_buffer_add_text(page->text, "</section>\n");
        router_free(router);
    }
    return STATUS_OK;
}

/* The key set cut into leaves. */
static enum status
cut_leaves(struct page *page, const struct bench_keys *keys)
{
    uint64_t leaves = (keys->count + ROWS_A_LEAF - 1) / ROWS_A_LEAF;

    if (leaves >= LEAF_COUNT_MAX)
        leaves = LEAF_COUNT_MAX - 1;
    TRY(leaf_directory_init(&page->directory, page->options->env.memory, (uint32_t)leaves));
    for (uint64_t i = 0; i < leaves; i++)
        TRY(leaf_directory_append(&page->directory, bench_keys_at(keys, 2 * i * ROWS_A_LEAF), 0));
    return STATUS_OK;
}

/* ---- The page ----------------------------------------------------------------------------------- */

static void
add_figures(const struct page *page)
{
    uint64_t sizes[SIZES_MAX];
    size_t count = sizes_of(page->results, sizes);

    add_growth(page, sizes, count);
    for (size_t i = 0; i < count; i++) {
        text_buffer_add_text(page->text, "<section>");
        add_table(page, sizes[i]);
        add_bars(page, 0, "a look-up that may overlap with others (less is better)", sizes[i]);
        add_bars(page, 1, "a look-up that waits for the one before (less is better)", sizes[i]);
        add_bars(page, 2, "half of the keys absent (less is better)", sizes[i]);
        text_buffer_add_text(page->text, "</section>\n");
    }
}

static void
add_cell(const struct page *page, const char *text)
{
    text_buffer_add_text(page->text, "<td class=\"t\">");
    bench_html_text(page->text, text[0] != '\0' ? text : "-");
    text_buffer_add_text(page->text, "</td>");
}

/* What routers have to show, and what the predecessor said. */
static void
add_targets(const struct page *page)
{
    struct learned_line lines[LEARNED_LINES_MAX];
    struct learned_claim claims[LEARNED_CLAIMS];
    size_t count = learned_lines(page->learned, lines);
    struct text_buffer *text = page->text;

    text_buffer_add_text(text, "<section><h2>What routers have to show</h2>\n<table><tr><th>measure"
                               "</th><th class=\"t\">at least</th><th class=\"t\">aim</th><th "
                               "class=\"t\">measured</th><th></th></tr>\n");
    for (size_t i = 0; i < count; i++) {
        text_buffer_add_text(text, "<tr>");
        add_cell(page, lines[i].measure);
        add_cell(page, lines[i].least);
        add_cell(page, lines[i].aim);
        add_cell(page, lines[i].figure);
        add_cell(page, bench_target_word(lines[i].state));
        text_buffer_add_text(text, "</tr>\n");
    }
    text_buffer_add_text(
        text, "</table></section>\n<section><h2>What the predecessor claimed</h2>\n"
              "<table><tr><th></th><th class=\"t\">claim</th><th class=\"t\">measured against</th>"
              "<th class=\"t\">here, with the most rows</th></tr>\n");
    learned_claims(page->learned, claims);
    for (size_t i = 0; i < LEARNED_CLAIMS; i++) {
        text_buffer_add_text(text, "<tr>");
        add_cell(page, claims[i].what);
        add_cell(page, claims[i].claim);
        add_cell(page, claims[i].against);
        add_cell(page, claims[i].ours);
        text_buffer_add_text(text, "</tr>\n");
    }
    text_buffer_add_text(text, "</table></section>\n");
}

/* The engine's choice on each set of keys. */
static void
add_sets(const struct page *page)
{
    struct text_buffer *text = page->text;

    text_buffer_add_text(text,
                         "<section><h2>Sets of keys</h2>\n<table><tr><th>set</th><th>rows</th>"
                         "<th>tree</th><th>chosen</th><th>ns</th><th>speed</th></tr>\n");
    for (size_t i = 0; i < page->learned->set_count; i++) {
        const struct learned_set *set = &page->learned->set[i];

        text_buffer_add_text(text, "<tr>");
        add_cell(page, set->name);
        text_buffer_print(text, "<td>%" PRIu64 "</td><td>%.1f ns</td>", set->rows, set->tree_ns);
        add_cell(page, set->kind);
        text_buffer_print(text, "<td>%.1f ns</td><td>%.2fx</td></tr>\n", set->chosen_ns,
                          set->tree_ns / set->chosen_ns);
    }
    text_buffer_add_text(text, "</table></section>\n");
}

bool
learned_report_write(const struct learned *learned, const struct bench_keys *keys,
                     const char *key_set)
{
    const struct bench_options *options = learned->options;
    char path[BENCH_PATH_SIZE + 16];
    struct text_buffer text;
    struct page page = {
        .text = &text, .learned = learned, .results = learned->results, .options = options};

    if (bench_dir_make(options->report) != STATUS_OK)
        return false;
    text_buffer_init(&text, options->env.memory);
    bench_html_head(&text, "qtdb-bench learned");
    text_buffer_add_text(&text, "<p>Keys: ");
    bench_html_text(&text, key_set);
    text_buffer_add_text(&text, ", values of 8 bytes, everything in memory, one thread, processor "
                                "time, the least of all rounds; each value read is compared with "
                                "the one written. tree is qtdb's own tree, the other kinds are "
                                "routers over the same leaves, auto is what qtdb takes by "
                                "itself.</p>\n");
    add_targets(&page);
    add_figures(&page);
    add_sets(&page);
    enum status status = cut_leaves(&page, keys);

    if (status == STATUS_OK)
        status = add_models(&page);
    leaf_directory_deinit(&page.directory);
    text_buffer_add_text(&text, "</body></html>\n");
    (void)snprintf(path, sizeof(path), "%s/learned.html", options->report);
    bool ok = bench_write_file(options, path, &text) && status == STATUS_OK;

    text_buffer_deinit(&text);
    return ok;
}
