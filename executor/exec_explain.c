/* EXPLAIN: the plan as text, one node a line, inputs indented below. */
#include <stdio.h>
#include <string.h>

#include "executor/exec.h"
#include "kernel/base/check.h"

struct explain {
    struct arena *arena;
    enum status (*line)(void *context, const char *text);
    void *context;
};

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
        [PLAN_WINDOW] = "WindowAgg",    [PLAN_KIND_COUNT] = "",
    };

    if (plan->kind == PLAN_SET)
        return set_name(plan);
    if (plan->kind == PLAN_AGGREGATE && plan->group_count == 0)
        return "Aggregate";
    return names[plan->kind];
}

static bool
has_bounds(const struct plan_path *path)
{
    return path->equal_count > 0 || path->in_count > 0 || path->low != NULL || path->high != NULL;
}

static int
describe_scan(const struct plan *plan, char *out, size_t room)
{
    const struct table *table = plan->table;
    bool bounded = has_bounds(&plan->path);

    if (!bounded)
        return snprintf(out, room, "Seq Scan on %s%s", table->name,
                        plan->filter != NULL ? " (filtered)" : "");
    if (plan->path.index == UINT32_MAX)
        return snprintf(out, room, "Index Scan by key on %s%s", table->name,
                        plan->filter != NULL ? " (filtered)" : "");
    return snprintf(out, room, "Index Scan using %s on %s%s", table->indexes[plan->path.index].name,
                    table->name, plan->filter != NULL ? " (filtered)" : "");
}

static void
describe(const struct plan *plan, char *out, size_t room)
{
    switch (plan->kind) {
    case PLAN_SCAN:
        (void)describe_scan(plan, out, room);
        return;
    case PLAN_HASH_JOIN:
        (void)snprintf(out, room, "Hash%s Join", join_name(plan));
        return;
    case PLAN_LOOP_JOIN:
        (void)snprintf(out, room, "Nested Loop%s%s", join_name(plan),
                       plan->join == REL_INNER ? "" : " Join");
        return;
    default:
        (void)snprintf(out, room, "%s", node_name(plan));
    }
}

static enum status
put_line(struct explain *explain, int depth, const char *text)
{
    char line[512];

    (void)snprintf(line, sizeof(line), "%*s%s%s", depth > 0 ? depth * 6 - 4 : 0, "",
                   depth > 0 ? "->  " : "", text);
    const char *kept = arena_copy_text(explain->arena, line, strlen(line));
    return kept == NULL ? STATUS_NO_MEMORY : explain->line(explain->context, kept);
}

static enum status
explain_plan(struct explain *explain, const struct plan *plan, int depth)
{
    char text[400];

    while (plan != NULL) {
        if (plan->kind != PLAN_PROJECT) {
            describe(plan, text, sizeof(text));
            TRY(put_line(explain, depth, text));
            depth++;
        }
        if (plan->right != NULL) {
            TRY(explain_plan(explain, plan->input, depth));
            plan = plan->right;
        } else {
            plan = plan->input;
        }
    }
    return STATUS_OK;
}

enum status
exec_explain(const struct planned *planned, struct arena *arena,
             enum status (*line)(void *context, const char *text), void *context)
{
    struct explain explain = {arena, line, context};
    int depth = 0;
    char text[400];

    if (planned->bound->table != NULL) {
        const char *word = planned->bound->kind == AST_INSERT   ? "Insert"
                           : planned->bound->kind == AST_UPDATE ? "Update"
                                                                : "Delete";

        (void)snprintf(text, sizeof(text), "%s on %s", word, planned->bound->table->name);
        TRY(put_line(&explain, depth++, text));
    }
    TRY(explain_plan(&explain, planned->root, depth));
    for (uint32_t i = 0; i < planned->subplan_count; i++) {
        (void)snprintf(text, sizeof(text), "SubPlan %u", i + 1);
        TRY(put_line(&explain, depth + 1, text));
        TRY(explain_plan(&explain, planned->subplans[i], depth + 2));
    }
    return STATUS_OK;
}
