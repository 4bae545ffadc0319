/* EXPLAIN (FORMAT JSON): one text, in the shape of PostgreSQL's. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "executor/exec_explain.h"
#include "kernel/base/check.h"

struct json_text {
    struct explain *explain;
    char *bytes;
    size_t size;
    size_t room;
};

static enum status
append(struct json_text *text, const char *bytes, size_t size)
{
    if (text->size + size + 1 > text->room) {
        size_t room = 2 * (text->size + size + 512);
        char *grown = arena_alloc(text->explain->arena, room);

        if (grown == NULL)
            return STATUS_NO_MEMORY;
        if (text->size > 0)
            memcpy(grown, text->bytes, text->size);
        text->bytes = grown;
        text->room = room;
    }
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = '\0';
    return STATUS_OK;
}

__attribute__((format(printf, 3, 4))) static enum status
put(struct json_text *text, int depth, const char *format, ...)
{
    char line[500];
    va_list arguments;
    int size = snprintf(line, sizeof(line), "%*s", 2 * depth, "");

    va_start(arguments, format);
    size += vsnprintf(line + size, sizeof(line) - (size_t)size, format, arguments);
    va_end(arguments);
    return append(text, line, (size_t)size < sizeof(line) ? (size_t)size : sizeof(line) - 1);
}

/* A name in quotes; tables may be called anything. */
static enum status
put_name(struct json_text *text, int depth, const char *key, const char *name)
{
    TRY(put(text, depth, "\"%s\": \"", key));
    for (; *name != '\0'; name++) {
        if ((unsigned char)*name < ' ')
            TRY(put(text, 0, "\\u%04x", (unsigned)*name));
        else if (*name == '"' || *name == '\\')
            TRY(put(text, 0, "\\%c", *name));
        else
            TRY(append(text, name, 1));
    }
    return append(text, "\"", 1);
}

static enum status
put_measure(struct json_text *text, const struct plan *plan, const struct exec_measure *measure,
            int depth)
{
    const struct ast_explain *options = text->explain->what->options;
    double loops = measure->loop_count > 0 ? (double)measure->loop_count : 1;

    TRY(put(text, 0, ",\n"));
    TRY(put(text, depth, "\"Actual Rows\": %.0f,\n", (double)measure->row_count / loops));
    TRY(put(text, depth, "\"Actual Loops\": %llu", (unsigned long long)measure->loop_count));
    if (options->timing) {
        TRY(put(text, 0, ",\n"));
        TRY(put(text, depth, "\"Actual Startup Time\": %.3f,\n",
                (double)measure->startup_ns / 1e6 / loops));
        TRY(put(text, depth, "\"Actual Total Time\": %.3f",
                (double)measure->time_ns / 1e6 / loops));
    }
    if (plan->kind == PLAN_SCAN) {
        TRY(put(text, 0, ",\n"));
        TRY(put(text, depth, "\"Rows Read\": %llu,\n", (unsigned long long)measure->read_count));
        TRY(put(text, depth, "\"Rows Taken Together\": %llu,\n",
                (unsigned long long)measure->span_count));
        TRY(put(text, depth, "\"Leaves Counted\": %llu", (unsigned long long)measure->leaf_count));
    }
    if (measure->held_size_max > 0) {
        TRY(put(text, 0, ",\n"));
        TRY(put(text, depth, "\"Memory\": %llu,\n", (unsigned long long)measure->held_size_max));
        TRY(put(text, depth, "\"Disk\": %llu", (unsigned long long)measure->spill_size));
    }
    if (!options->buffers)
        return STATUS_OK;
    TRY(put(text, 0, ",\n"));
    return put(text, depth, "\"Shared Read Blocks\": %llu",
               (unsigned long long)measure->page_read_count);
}

static const struct plan *
skip_projections(const struct plan *plan)
{
    while (plan->kind == PLAN_PROJECT && plan->input != NULL)
        plan = plan->input;
    return plan;
}

static enum status
put_plan(struct json_text *text, const struct plan *plan, const char *relationship, int depth)
{
    const struct exec_explanation *what = text->explain->what;
    char name[400];

    plan = skip_projections(plan);
    explain__describe(plan, name, sizeof(name));
    TRY(put(text, 0, "{\n"));
    TRY(put_name(text, depth, "Node Type", name));
    if (relationship != NULL) {
        TRY(put(text, 0, ",\n"));
        TRY(put_name(text, depth, "Parent Relationship", relationship));
    }
    if (plan->kind == PLAN_MERGE_JOIN) {
        explain__merge_condition(plan, name, sizeof(name));
        TRY(put(text, 0, ",\n"));
        TRY(put_name(text, depth, "Merge Cond", name));
    }
    if (what->options->costs) {
        TRY(put(text, 0, ",\n"));
        TRY(put(text, depth, "\"Total Cost\": %.2f,\n", plan->cost));
        TRY(put(text, depth, "\"Plan Rows\": %.0f,\n", plan->rows));
        TRY(put(text, depth, "\"Plan Width\": %u", explain__width(plan)));
    }
    if (what->measures != NULL)
        TRY(put_measure(text, plan, &what->measures[plan->id], depth));
    if (plan->input != NULL) {
        TRY(put(text, 0, ",\n"));
        TRY(put(text, depth, "\"Plans\": ["));
        TRY(put_plan(text, plan->input, "Outer", depth + 1));
        if (plan->right != NULL) {
            TRY(put(text, 0, ", "));
            TRY(put_plan(text, plan->right, "Inner", depth + 1));
        }
        TRY(put(text, 0, "]"));
    }
    TRY(put(text, 0, "\n"));
    return put(text, depth - 1, "}");
}

static enum status
put_change(struct json_text *text)
{
    const struct exec_explanation *what = text->explain->what;
    const struct planned *planned = what->planned;

    if (planned->bound->table == NULL)
        return STATUS_OK;
    TRY(put_name(text, 2, "Operation", explain__change_word(planned)));
    TRY(put(text, 0, ",\n"));
    TRY(put_name(text, 2, "Relation Name", planned->bound->table->name));
    TRY(put(text, 0, ",\n"));
    if (what->measures == NULL)
        return STATUS_OK;
    TRY(put(text, 2, "\"Rows Changed\": %llu,\n", (unsigned long long)what->changed_count));
    return put(text, 2, "\"Bytes Logged\": %llu,\n", (unsigned long long)what->log_size);
}

enum status
explain__json(struct explain *explain)
{
    struct json_text text = {.explain = explain};
    const struct exec_explanation *what = explain->what;

    TRY(put(&text, 0, "[\n"));
    TRY(put(&text, 1, "{\n"));
    TRY(put_change(&text));
    TRY(put(&text, 2, "\"Plan\": "));
    TRY(put_plan(&text, what->planned->root, NULL, 3));
    for (uint32_t i = 0; i < what->planned->part_count; i++) {
        TRY(put(&text, 0, ",\n"));
        TRY(put_name(&text, 2, "Changed In", what->planned->parts[i]->bound->table->name));
        TRY(put(&text, 2, "\"Change %u\": ", i + 1));
        TRY(put_plan(&text, what->planned->parts[i]->root, "InitPlan", 3));
    }
    for (uint32_t i = 0; i < what->planned->shared_count; i++) {
        if (what->planned->shared[i] == NULL)
            continue;
        TRY(put(&text, 0, ",\n"));
        TRY(put(&text, 2, "\"CTE %u\": ", i + 1));
        TRY(put_plan(&text, what->planned->shared[i], "InitPlan", 3));
    }
    for (uint32_t i = 0; i < what->planned->subplan_count; i++) {
        TRY(put(&text, 0, ",\n"));
        TRY(put(&text, 2, "\"SubPlan %u\": ", i + 1));
        TRY(put_plan(&text, what->planned->subplans[i], "SubPlan", 3));
    }
    if (what->measures != NULL && what->options->buffers && what->cost != NULL) {
        const struct qtdb_txn_statistics *cost = what->cost;

        TRY(put(&text, 0, ",\n"));
        TRY(put(&text, 2, "\"Look-ups Routed\": %llu,\n", (unsigned long long)cost->routed_count));
        TRY(put(&text, 2, "\"Links Followed\": %llu,\n",
                (unsigned long long)cost->router_hop_count));
        TRY(put(&text, 2, "\"Fallbacks\": %llu", (unsigned long long)cost->router_fallback_count));
    }
    if (what->measures != NULL && what->options->summary) {
        TRY(put(&text, 0, ",\n"));
        TRY(put(&text, 2, "\"Planning Time\": %.3f,\n", (double)what->planning_ns / 1e6));
        TRY(put(&text, 2, "\"Execution Time\": %.3f", (double)what->execution_ns / 1e6));
    }
    TRY(put(&text, 0, "\n"));
    TRY(put(&text, 1, "}\n]"));
    return explain->line(explain->context, text.bytes);
}
