/* The tables of bench_targets.h. */
#include "tools/qtdb-bench/bench_targets.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/qtdb-bench/bench_print.h"
#include "tools/qtdb-bench/bench_report.h"

const char *
bench_target_word(enum bench_target_state state)
{
    if (state == BENCH_TARGET_OPEN)
        return "not measured";
    return state == BENCH_TARGET_MET ? "met" : "NOT met";
}

/* A cell of a table is one line, whatever it is copied from. */
static void
set_cell(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%.*s", (int)strcspn(text, "\n\t"), text);
}

void
bench_targets_add(struct bench_targets *targets, const char *name, const char *figure,
                  const char *line, enum bench_target_state state)
{
    if (targets == NULL || targets->count == BENCH_TARGETS_MAX)
        return;
    struct bench_target *target = &targets->list[targets->count++];

    target->state = state;
    set_cell(target->name, sizeof(target->name), name);
    set_cell(target->figure, sizeof(target->figure), figure);
    set_cell(target->line, sizeof(target->line), line);
}

static size_t
count_of(const struct bench_targets *targets, enum bench_target_state state)
{
    size_t count = 0;

    for (size_t i = 0; i < targets->count; i++)
        count += targets->list[i].state == state;
    return count;
}

static void
add_counts(struct text_buffer *text, const struct bench_targets *targets)
{
    text_buffer_print(text, "Targets: %zu met, %zu NOT met, %zu not measured here",
                      count_of(targets, BENCH_TARGET_MET), count_of(targets, BENCH_TARGET_MISSED),
                      count_of(targets, BENCH_TARGET_OPEN));
}

void
bench_targets_markdown(struct text_buffer *text, const struct bench_targets *targets)
{
    if (targets == NULL || targets->count == 0)
        return;
    text_buffer_add_text(text, "\n## ");
    add_counts(text, targets);
    text_buffer_add_text(text, "\n\n| what | qtdb | verdict | held against |\n|---|---|---|---|\n");
    for (size_t i = 0; i < targets->count; i++) {
        const struct bench_target *target = &targets->list[i];

        text_buffer_print(text, "| %s | %s | %s | %s |\n", target->name, target->figure,
                          bench_target_word(target->state), target->line);
    }
}

static void
add_html_cell(struct text_buffer *text, const char *class, const char *plain)
{
    text_buffer_print(text, "<td class=\"%s\">", class);
    bench_html_text(text, plain);
    text_buffer_add_text(text, "</td>");
}

void
bench_targets_html(struct text_buffer *text, const struct bench_targets *targets)
{
    if (targets == NULL || targets->count == 0)
        return;
    text_buffer_add_text(text, "<h2>");
    add_counts(text, targets);
    text_buffer_add_text(text, "</h2>\n<table class=\"g\"><thead><tr><th class=\"t\">what</th>"
                               "<th>qtdb</th><th class=\"t\">verdict</th>"
                               "<th class=\"t\">held against</th></tr></thead>\n");
    for (size_t i = 0; i < targets->count; i++) {
        const struct bench_target *target = &targets->list[i];

        text_buffer_add_text(text, "<tr>");
        add_html_cell(text, "t", target->name);
        add_html_cell(text, "f", target->figure);
        add_html_cell(text, "t v", bench_target_word(target->state));
        add_html_cell(text, "t", target->line);
        text_buffer_add_text(text, "</tr>\n");
    }
    text_buffer_add_text(text, "</table>\n");
}

static void
add_json(struct text_buffer *text, const char *name, const char *value, const char *end)
{
    text_buffer_print(text, "\"%s\":", name);
    text_buffer_add_json(text, value, strlen(value));
    text_buffer_add_text(text, end);
}

void
bench_targets_json(struct text_buffer *text, const struct bench_targets *targets)
{
    for (size_t i = 0; targets != NULL && i < targets->count; i++) {
        const struct bench_target *target = &targets->list[i];

        text_buffer_add_text(text, "{");
        add_json(text, "target", target->name, ",");
        add_json(text, "figure", target->figure, ",");
        add_json(text, "verdict", bench_target_word(target->state), ",");
        add_json(text, "against", target->line, "}\n");
    }
}

void
bench_targets_print(const struct bench_targets *targets)
{
    printf("\ntargets: %zu met, %zu NOT met, %zu not measured here\n",
           count_of(targets, BENCH_TARGET_MET), count_of(targets, BENCH_TARGET_MISSED),
           count_of(targets, BENCH_TARGET_OPEN));
    for (size_t i = 0; i < targets->count; i++) {
        const struct bench_target *target = &targets->list[i];

        printf("  %-12s  %-10s  %s\n", bench_target_word(target->state), target->figure,
               target->name);
    }
}

bool
bench_targets_write(const struct bench_options *options, const struct bench_targets *targets,
                    size_t from, const char *path)
{
    struct text_buffer text;

    text_buffer_init(&text, options->env.memory);
    for (size_t i = from; i < targets->count; i++) {
        const struct bench_target *target = &targets->list[i];

        text_buffer_print(&text, "%d\t%s\t%s\t%s\n", (int)target->state, target->name,
                          target->figure, target->line);
    }
    bool ok = bench_write_file(options, path, &text);
    text_buffer_deinit(&text);
    return ok;
}

void
bench_targets_read(struct bench_targets *targets, const char *path)
{
    enum { FIELDS = 4 };
    FILE *file = fopen(path, "rb");
    char line[sizeof(struct bench_target) + FIELDS];

    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL) {
        char *fields[FIELDS] = {line};
        size_t count = 1;

        for (char *at = line; count < FIELDS && (at = strchr(at, '\t')) != NULL; count++) {
            *at++ = '\0';
            fields[count] = at;
        }
        long state = strtol(fields[0], NULL, 10);
        if (count == FIELDS && state >= BENCH_TARGET_OPEN && state <= BENCH_TARGET_MISSED)
            bench_targets_add(targets, fields[1], fields[2], fields[3],
                              (enum bench_target_state)state);
    }
    (void)fclose(file);
}
