/* EXPLAIN: the columns that a merge join goes by, by the names of the tables' columns that they come from. */
#include <stdio.h>
#include <string.h>

#include "executor/exec_explain.h"

/* The table's column that a column comes from unchanged, as far as one node hands it through; false: it is
 * made on the way. */
static bool
find_column(const struct plan *plan, uint32_t column, const char **table_out, const char **name_out)
{
    while (plan->kind != PLAN_SCAN) {
        const struct plan *input = plan->input;

        if (plan->kind == PLAN_PROJECT || plan->kind == PLAN_AGGREGATE ||
            plan->kind == PLAN_GROUP) {
            if ((plan->kind != PLAN_PROJECT && column >= plan->group_count) || input == NULL ||
                plan->exprs[column]->kind != EXPR_COLUMN)
                return false;
            column = plan->exprs[column]->index;
        } else if (input == NULL || plan->kind == PLAN_SET || plan->kind == PLAN_RECURSIVE) {
            return false;
        } else if (column >= input->width) {
            if (plan->right == NULL)
                return false;
            column -= input->width;
            input = plan->right;
        }
        plan = input;
    }
    if (plan->columns[column] >= plan->table->column_count)
        return false;
    *table_out = plan->table->name;
    *name_out = plan->table->columns[plan->columns[column]].name;
    return true;
}

static int
describe_column(const struct plan *plan, uint32_t column, char *out, size_t room)
{
    const char *table = NULL, *name = NULL;

    return find_column(plan, column, &table, &name) ? snprintf(out, room, "%s.%s", table, name)
                                                    : snprintf(out, room, "?column?");
}

/* ((a.x = b.y) AND (a.z = b.z)), with dots where it is too long. */
void
explain__merge_condition(const struct plan *plan, char *out, size_t room)
{
    size_t size = 0;

    for (uint32_t i = 0; i < plan->key_count; i++) {
        char left[140], right[140];

        (void)describe_column(plan->input, plan->left_keys[i]->index, left, sizeof(left));
        (void)describe_column(plan->right, plan->right_keys[i]->index, right, sizeof(right));
        if (size + strlen(left) + strlen(right) + 20 > room) {
            (void)snprintf(out + size, room - size, " ...)");
            return;
        }
        size += (size_t)snprintf(out + size, room - size, "%s%s(%s = %s)",
                                 i == 0 && plan->key_count > 1 ? "(" : "", i > 0 ? " AND " : "",
                                 left, right);
    }
    if (plan->key_count > 1)
        (void)snprintf(out + size, room - size, ")");
}
