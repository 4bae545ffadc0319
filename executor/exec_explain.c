/*
 * EXPLAIN: the plan as text, one node a line, inputs indented below; what EXPLAIN ANALYZE measured is
 * in the node's line and the lines below it, as PostgreSQL writes it. FORMAT JSON is one text.
 */
#include "executor/exec_explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/check.h"

static const char *
join_name(const struct plan *plan)
{
    static const char *const names[] = {[REL_INNER] = "",
                                        [REL_LEFT] = " Left",
                                        [REL_FULL] = " Full",
                                        [REL_SEMI] = " Semi",
                                        [REL_ANTI] = " Anti"};

    return names[plan->join];
}

static const char *
set_name(const struct plan *plan)
{
    if (plan->set == AST_UNION)
        return plan->all ? "Append" : "HashSetOp Union";
    return plan->set == AST_INTERSECT ? "HashSetOp Intersect" : "HashSetOp Except";
}

static const char *
node_name(const struct plan *plan)
{
    static const char *const names[] = {
        [PLAN_RESULT] = "Result",       [PLAN_VALUES] = "Values Scan",
        [PLAN_SCAN] = "Seq Scan",       [PLAN_FILTER] = "Filter",
        [PLAN_PROJECT] = "Project",     [PLAN_LOOP_JOIN] = "Nested Loop",
        [PLAN_HASH_JOIN] = "Hash",      [PLAN_AGGREGATE] = "HashAggregate",
        [PLAN_SORT] = "Sort",           [PLAN_DISTINCT] = "Unique",
        [PLAN_LIMIT] = "Limit",         [PLAN_RECURSIVE] = "Recursive Union",
        [PLAN_WORK] = "WorkTable Scan", [PLAN_SERIES] = "Function Scan on generate_series",
        [PLAN_WINDOW] = "WindowAgg",    [PLAN_GROUP] = "GroupAggregate",
        [PLAN_SHARED] = "CTE Scan",     [PLAN_LOCK] = "LockRows",
        [PLAN_ZIP] = "Function Scan",   [PLAN_MERGE_JOIN] = "Merge",
        [PLAN_KIND_COUNT] = "",
    };

    if (plan->kind == PLAN_SET)
        return set_name(plan);
    if (plan->kind == PLAN_AGGREGATE && plan->group_count == 0)
        return "Aggregate";
    return names[plan->kind];
}

static int
describe_scan(const struct plan *plan, char *out, size_t room)
{
    const struct table *table = plan->table;
    const char *filtered = plan->filter != NULL ? " (filtered)" : "";
    const char *backward = plan->path.backward ? " Backward" : "";

    if (!plan_path_is_bounded(&plan->path) && plan->path.index == UINT32_MAX)
        return snprintf(out, room, "Seq Scan%s on %s%s", backward, table->name, filtered);
    if (plan->path.index == UINT32_MAX)
        return snprintf(out, room, "Index Scan%s by key on %s%s", backward, table->name, filtered);
    const struct table_index *index = &table->indexes[plan->path.index];
    return snprintf(out, room, "Index %sScan%s using %s%s on %s%s", plan->path.alone ? "Only " : "",
                    backward, index->name, index->learned ? " (rmi)" : "", table->name, filtered);
}

void
explain__describe(const struct plan *plan, char *out, size_t room)
{
    switch (plan->kind) {
    case PLAN_SCAN:
        (void)describe_scan(plan, out, room);
        return;
    case PLAN_SHARED:
        (void)snprintf(out, room, "CTE Scan on %s", plan->shared->name);
        return;
    case PLAN_SORT:
        (void)snprintf(out, room, plan->limit != NULL ? "Sort (top rows)" : "Sort");
        return;
    case PLAN_HASH_JOIN:
        (void)snprintf(out, room, "Hash%s Join", join_name(plan));
        return;
    case PLAN_MERGE_JOIN:
        (void)snprintf(out, room, "Merge%s Join", join_name(plan));
        return;
    case PLAN_LOOP_JOIN:
        (void)snprintf(out, room, "Nested Loop%s%s", join_name(plan),
                       plan->join == REL_INNER ? "" : " Join");
        return;
    default:
        (void)snprintf(out, room, "%s", node_name(plan));
    }
}

/* Rows as they are kept, with 16 bytes for what has no fixed size. */
uint32_t
explain__width(const struct plan *plan)
{
    return 16 * plan->width;
}

static enum status
put_line(struct explain *explain, int indent, const char *format, ...)
{
    char line[600];
    va_list arguments;

    int size = snprintf(line, sizeof(line), "%*s", indent, "");
    va_start(arguments, format);
    (void)vsnprintf(line + size, sizeof(line) - (size_t)size, format, arguments);
    va_end(arguments);
    const char *kept = arena_copy_text(explain->arena, line, strlen(line));
    return kept == NULL ? STATUS_NO_MEMORY : explain->line(explain->context, kept);
}

/* The averages of the loops. */
static int
put_actual(const struct explain *explain, const struct exec_measure *measure, char *out,
           size_t room)
{
    double loops = measure->loop_count > 0 ? (double)measure->loop_count : 1;

    if (measure->loop_count == 0)
        return snprintf(out, room, " (never executed)");
    if (!explain->what->options->timing)
        return snprintf(out, room, " (actual rows=%.0f loops=%.0f)",
                        (double)measure->row_count / loops, loops);
    return snprintf(out, room, " (actual time=%.3f..%.3f rows=%.0f loops=%.0f)",
                    (double)measure->startup_ns / 1e6 / loops,
                    (double)measure->time_ns / 1e6 / loops, (double)measure->row_count / loops,
                    loops);
}

static enum status
put_details(struct explain *explain, const struct plan *plan, const struct exec_measure *measure,
            int indent)
{
    if (plan->kind == PLAN_SCAN)
        TRY(put_line(explain, indent, "Rows Read: %llu", (unsigned long long)measure->read_count));
    if (measure->span_count > 0)
        TRY(put_line(explain, indent, "Rows Taken Together: %llu  Leaves Counted: %llu",
                     (unsigned long long)measure->span_count,
                     (unsigned long long)measure->leaf_count));
    if (measure->held_size_max > 0)
        TRY(put_line(explain, indent, "Memory: %llukB  Disk: %llukB",
                     (unsigned long long)(measure->held_size_max + 1023) / 1024,
                     (unsigned long long)(measure->spill_size + 1023) / 1024));
    if (!explain->what->options->buffers)
        return STATUS_OK;
    return put_line(explain, indent, "Pages Read: %llu",
                    (unsigned long long)measure->page_read_count);
}

static enum status
explain_node(struct explain *explain, const struct plan *plan, int depth)
{
    const struct exec_explanation *what = explain->what;
    int indent = depth > 0 ? depth * 6 - 4 : 0;
    char name[400], costs[100] = "", actual[120] = "";

    explain__describe(plan, name, sizeof(name));
    if (what->options->costs)
        (void)snprintf(costs, sizeof(costs), "  (cost=0.00..%.2f rows=%.0f width=%u)", plan->cost,
                       plan->rows, explain__width(plan));
    if (what->measures != NULL)
        (void)put_actual(explain, &what->measures[plan->id], actual, sizeof(actual));
    TRY(put_line(explain, indent, "%s%s%s%s", depth > 0 ? "->  " : "", name, costs, actual));
    indent += depth > 0 ? 6 : 2;
    if (plan->kind == PLAN_MERGE_JOIN) {
        explain__merge_condition(plan, name, sizeof(name));
        TRY(put_line(explain, indent, "Merge Cond: %s", name));
    }
    if (what->measures == NULL || what->measures[plan->id].loop_count == 0)
        return STATUS_OK;
    return put_details(explain, plan, &what->measures[plan->id], indent);
}

static enum status
explain_plan(struct explain *explain, const struct plan *plan, int depth)
{
    while (plan != NULL) {
        if (plan->kind != PLAN_PROJECT || plan->input == NULL)
            TRY(explain_node(explain, plan, depth++));
        if (plan->right != NULL) {
            TRY(explain_plan(explain, plan->input, depth));
            plan = plan->right;
        } else {
            plan = plan->input;
        }
    }
    return STATUS_OK;
}

const char *
explain__change_word(const struct planned *planned)
{
    switch (planned->bound->kind) {
    case AST_INSERT:
        return "Insert";
    case AST_UPDATE:
        return "Update";
    case AST_MERGE:
        return "Merge";
    default:
        return "Delete";
    }
}

static enum status
put_summary(struct explain *explain)
{
    const struct exec_explanation *what = explain->what;

    if (what->measures == NULL)
        return STATUS_OK;
    if (what->planned->bound->table != NULL)
        TRY(put_line(explain, 0, "Rows Changed: %llu  Bytes Logged: %llu",
                     (unsigned long long)what->changed_count, (unsigned long long)what->log_size));
    if (what->options->buffers && what->cost != NULL)
        TRY(put_line(explain, 0, "Look-ups Routed: %llu  Links Followed: %llu  Fallbacks: %llu",
                     (unsigned long long)what->cost->routed_count,
                     (unsigned long long)what->cost->router_hop_count,
                     (unsigned long long)what->cost->router_fallback_count));
    if (!what->options->summary)
        return STATUS_OK;
    TRY(put_line(explain, 0, "Planning Time: %.3f ms", (double)what->planning_ns / 1e6));
    return put_line(explain, 0, "Execution Time: %.3f ms", (double)what->execution_ns / 1e6);
}

enum status
exec_explain(const struct exec_explanation *explanation, struct arena *arena,
             enum status (*line)(void *context, const char *text), void *context)
{
    struct explain explain = {explanation, arena, line, context};
    const struct planned *planned = explanation->planned;
    int depth = 0;

    if (explanation->options->json)
        return explain__json(&explain);
    if (planned->bound->table != NULL)
        TRY(put_line(&explain, depth++, "%s on %s", explain__change_word(planned),
                     planned->bound->table->name));
    TRY(explain_plan(&explain, planned->root, depth));
    for (uint32_t i = 0; i < planned->part_count; i++) {
        const struct planned *part = planned->parts[i];

        TRY(put_line(&explain, depth * 6 + 2, "CTE %s", part->bound->name));
        TRY(put_line(&explain, depth * 6 + 4, "->  %s on %s", explain__change_word(part),
                     part->bound->table->name));
        TRY(explain_plan(&explain, part->root, depth + 2));
    }
    for (uint32_t i = 0; i < planned->shared_count; i++) {
        if (planned->shared[i] == NULL)
            continue;
        TRY(put_line(&explain, depth * 6 + 2, "CTE %s", planned->shared_names[i]));
        TRY(explain_plan(&explain, planned->shared[i], depth + 2));
    }
    for (uint32_t i = 0; i < planned->subplan_count; i++) {
        TRY(put_line(&explain, depth * 6 + 2, "SubPlan %u", i + 1));
        TRY(explain_plan(&explain, planned->subplans[i], depth + 2));
    }
    return put_summary(&explain);
}
