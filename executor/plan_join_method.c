/*
 * One join, by the way that costs least: a hash table of the right side, or both sides in order
 * (plan_join_merge.c), where the condition has equalities; a look-up in the right side's key for each left row;
 * every pair where there is no other way, or where the others are switched off.
 */
#include <string.h>

#include "executor/exec.h"
#include "executor/plan_private.h"
#include "kernel/base/check.h"

/* Beside its values: list, table entry and bytes of a row that a hash join holds. */
static const double HELD_ROW_SIZE = 64;
static const double CACHED_SIZE = 4 << 20;
static const double SPILL_COST = 1.5; /* A row written and read back. */
static const double OFF_COST = 1e10;  /* As in PostgreSQL. */

bool
plan__is_key(const struct expr *expr, const struct plan__set *left, const struct plan__set *right,
             struct expr **left_out, struct expr **right_out)
{
    if (expr->kind != EXPR_COMPARE || expr->operator_kind != EXPR_EQUAL)
        return false;
    for (uint32_t i = 0; i < 2; i++) {
        struct expr *a = expr->arguments[i], *b = expr->arguments[1 - i];
        struct plan__set a_set = plan__relations_of(a), b_set = plan__relations_of(b);

        if (plan__set_is_empty(&a_set) || plan__set_is_empty(&b_set) || plan__has_subquery(a) ||
            plan__has_subquery(b))
            continue;
        if (plan__set_within(&a_set, left) && plan__set_within(&b_set, right)) {
            *left_out = a;
            *right_out = b;
            return true;
        }
    }
    return false;
}

static bool
shows_right(enum rel_join kind)
{
    return kind != REL_SEMI && kind != REL_ANTI;
}

static enum status
new_join(struct planner *planner, enum plan_kind kind, struct plan *left, struct plan *right,
         enum rel_join join, struct plan **out)
{
    uint32_t width = left->width + (shows_right(join) ? right->width : 0);
    struct plan *plan = NULL;

    TRY(plan__new(planner, kind, left, width, &plan));
    plan->layout = plan__take(planner, width * sizeof(*plan->layout));
    if (plan->layout == NULL)
        return STATUS_NO_MEMORY;
    memcpy(plan->layout, left->layout, left->width * sizeof(*plan->layout));
    if (shows_right(join))
        memcpy(plan->layout + left->width, right->layout, right->width * sizeof(*plan->layout));
    plan->right = right;
    plan->join = join;
    *out = plan;
    return STATUS_OK;
}

static void
estimate(struct plan *plan, const struct plan *left, const struct plan *right, uint32_t keys,
         uint32_t others)
{
    double rows = left->rows * right->rows;

    for (uint32_t i = 0; i < keys; i++)
        rows /= i == 0 ? (left->rows > right->rows ? left->rows : right->rows) + 1 : 10;
    for (uint32_t i = 0; i < others; i++)
        rows *= 0.3;
    if ((plan->join != REL_INNER && rows < left->rows) || !shows_right(plan->join))
        rows = left->rows;
    plan->rows = rows;
}

/* Hash join. */

enum status
plan__equal_join(struct planner *planner, enum plan_kind kind, const struct plan__joining *joining,
                 uint32_t key_count, const struct plan__list *rest, struct plan **out)
{
    struct plan *left = joining->left, *right = joining->right, *plan = NULL;
    struct expr *filter = NULL;

    TRY(new_join(planner, kind, left, right, joining->kind, &plan));
    plan->reads_slots = left->reads_slots || right->reads_slots;
    for (uint32_t i = 0; i < joining->on->count; i++)
        plan->reads_slots = plan->reads_slots || plan__reads_slots(joining->on->exprs[i]);
    plan->key_count = key_count;
    TRY(plan__conjunction(planner, rest, &filter));
    if (filter != NULL)
        TRY(plan__resolve(planner, left, right, filter, &plan->filter));
    estimate(plan, left, right, key_count, rest->count);
    *out = plan;
    return STATUS_OK;
}

/* A table that the processor's caches do not hold is waited for with each row; one that is more than is held
 * goes to a file and comes back. */
static double
hash_cost(const struct plan *left, const struct plan *right)
{
    double size = right->rows * (HELD_ROW_SIZE + (double)right->width * sizeof(struct value));
    double cost = 0.5 * left->rows + right->rows;

    if (size > CACHED_SIZE)
        cost += 0.3 * left->rows + right->rows;
    if (size > EXEC_WORK_DEFAULT)
        cost += SPILL_COST * (left->rows + right->rows);
    return cost;
}

static enum status
hash_join(struct planner *planner, const struct plan__joining *joining, struct plan **out)
{
    const struct plan__list *on = joining->on;
    struct plan *left = joining->left, *right = joining->right;
    struct expr **left_keys = plan__take(planner, on->count * sizeof(struct expr *));
    struct expr **right_keys = plan__take(planner, on->count * sizeof(struct expr *));
    struct plan__list rest = {.count = 0};
    uint32_t count = 0;

    if (left_keys == NULL || right_keys == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < on->count; i++) {
        struct expr *a = NULL, *b = NULL;

        if (!plan__is_key(on->exprs[i], joining->left_set, joining->right_set, &a, &b)) {
            TRY(plan__list_add(planner, &rest, on->exprs[i]));
            continue;
        }
        TRY(plan__resolve(planner, left, NULL, a, &left_keys[count]));
        TRY(plan__resolve(planner, right, NULL, b, &right_keys[count]));
        count++;
    }
    TRY(plan__equal_join(planner, PLAN_HASH_JOIN, joining, count, &rest, out));
    struct plan *plan = *out;
    plan->left_keys = left_keys;
    plan->right_keys = right_keys;
    plan->cost = left->cost + right->cost + hash_cost(left, right) + plan->rows * 0.1;
    return STATUS_OK;
}

/* Loops. */

static enum status
resolve_slots(struct planner *planner, const struct plan *left, struct plan_slots *slots)
{
    struct expr **sources = plan__take(planner, slots->count * sizeof(struct expr *));

    if (sources == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < slots->count; i++)
        TRY(plan__resolve(planner, left, NULL, slots->sources[i], &sources[i]));
    slots->sources = sources;
    return STATUS_OK;
}

static enum status
loop_join(struct planner *planner, struct plan *left, struct plan *right, enum rel_join kind,
          const struct plan__list *on, const struct plan_slots *slots, struct plan **out)
{
    struct expr *filter = NULL;
    struct plan *plan = NULL;

    TRY(new_join(planner, PLAN_LOOP_JOIN, left, right, kind, &plan));
    plan->reads_slots = left->reads_slots || right->reads_slots;
    plan->slots = *slots;
    TRY(resolve_slots(planner, left, &plan->slots));
    TRY(plan__conjunction(planner, on, &filter));
    if (filter != NULL) {
        plan->reads_slots = plan->reads_slots || plan__reads_slots(filter);
        TRY(plan__resolve(planner, left, right, filter, &plan->filter));
    }
    estimate(plan, left, right, 0, on->count);
    plan->cost = left->cost + (slots->count > 0 ? left->rows * right->cost
                                                : right->cost + left->rows * right->rows * 0.2);
    *out = plan;
    return STATUS_OK;
}

/* Conditions of the join as conditions of the right side, with the left side's columns in slots. */
struct lending {
    struct planner *planner;
    const struct plan__set *left_set;
    struct plan_slots *slots;
};

static enum status
lend_node(void *context, struct expr *expr, struct expr **out)
{
    struct lending *lending = context;
    struct plan_slots *slots = lending->slots;
    uint32_t index = 0;

    if (expr->kind != EXPR_COLUMN || expr->relation == 0 ||
        !plan__set_has(lending->left_set, expr->relation))
        return STATUS_OK;
    while (index < slots->count && !expr_same(slots->sources[index], expr))
        index++;
    if (index == slots->count) {
        CHECK(index < REL_RELATIONS_MAX);
        slots->sources[index] = expr;
        slots->slots[index] = lending->planner->slot_count++;
        slots->count++;
    }
    *out = plan__take(lending->planner, sizeof(**out));
    if (*out == NULL)
        return STATUS_NO_MEMORY;
    **out = *expr;
    (*out)->kind = EXPR_SLOT;
    (*out)->relation = 0;
    (*out)->index = slots->slots[index];
    return STATUS_OK;
}

static uint32_t
column_count(const struct expr *expr)
{
    uint32_t count = expr->kind == EXPR_COLUMN ? 1 : 0;

    for (uint32_t i = 0; i < expr->argument_count; i++)
        count += column_count(expr->arguments[i]);
    return count;
}

/* NULL in *out when the right side is no table, filtered or not, with a key that the conditions lead
 * to. */
static enum status
look_up_join(struct planner *planner, struct plan *left, const struct plan__set *left_set,
             const struct plan__right *right, enum rel_join kind, const struct plan__list *on,
             struct plan **out)
{
    struct plan__list own = {.count = 0}, pairs = {.count = 0};
    struct plan_slots slots = {.count = 0};
    struct lending lending = {planner, left_set, &slots};
    struct plan *scan = NULL;
    uint32_t room = 0;

    const struct rel *table = right->rel;

    *out = NULL;
    for (; table->kind == REL_FILTER; table = table->input) {
        if (plan__has_subquery(table->condition))
            return STATUS_OK;
        TRY(plan__split(planner, &own, table->condition));
    }
    if (table->kind != REL_TABLE)
        return STATUS_OK;
    for (uint32_t i = 0; i < on->count; i++)
        room += column_count(on->exprs[i]);
    if (room == 0 || room > REL_RELATIONS_MAX)
        return STATUS_OK;
    slots.slots = plan__take(planner, room * sizeof(*slots.slots));
    slots.sources = plan__take(planner, room * sizeof(struct expr *));
    if (slots.slots == NULL || slots.sources == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < right->own.count; i++)
        TRY(plan__list_add(planner, &own, right->own.exprs[i]));
    for (uint32_t i = 0; i < on->count; i++) {
        struct expr *lent = NULL;

        if (plan__has_subquery(on->exprs[i])) {
            TRY(plan__list_add(planner, &pairs, on->exprs[i]));
            continue;
        }
        TRY(expr_rewrite(planner->arena, on->exprs[i], lend_node, &lending, &lent));
        TRY(plan__list_add(planner, &own, lent));
    }
    TRY(plan__scan(planner, table, &own, &scan));
    if (scan->path.equal_count == 0)
        return STATUS_OK;
    return loop_join(planner, left, scan, kind, &pairs, &slots, out);
}

static bool
has_key(const struct plan__list *on, const struct plan__set *left_set,
        const struct plan__set *right_set)
{
    struct expr *a = NULL, *b = NULL;

    for (uint32_t i = 0; i < on->count; i++) {
        if (plan__is_key(on->exprs[i], left_set, right_set, &a, &b))
            return true;
    }
    return false;
}

/* The right side reads the left one's row. */
static enum status
lateral_join(struct planner *planner, struct plan *left, const struct plan__right *right,
             enum rel_join kind, const struct plan__list *on, struct plan **out)
{
    const struct plan_slots slots = {right->lateral->slot_count, right->lateral->slots,
                                     right->lateral->slot_sources};

    return loop_join(planner, left, right->plan, kind, on, &slots, out);
}

/* Choosing. */

static void
consider(const struct planner *planner, struct plan *plan, enum plan_join_off off,
         struct plan **best)
{
    if (plan == NULL)
        return;
    if ((planner->context->joins_off & off) != 0)
        plan->cost += OFF_COST;
    if (*best == NULL || plan->cost < (*best)->cost)
        *best = plan;
}

/* Equalities: a table of the side with fewer rows, or both in order. */
static enum status
equal_joins(struct planner *planner, const struct plan__joining *joining, struct plan **best)
{
    struct plan__joining sides = *joining;
    struct plan *hash = NULL, *merge = NULL;

    if (sides.kind == REL_INNER && sides.right->rows > sides.left->rows) {
        sides.left = joining->right;
        sides.left_set = joining->right_set;
        sides.right = joining->left;
        sides.right_set = joining->left_set;
    }
    TRY(hash_join(planner, &sides, &hash));
    TRY(plan__merge_join(planner, &sides, &merge));
    consider(planner, hash, PLAN_HASH_JOIN_OFF, best);
    consider(planner, merge, PLAN_MERGE_JOIN_OFF, best);
    return STATUS_OK;
}

enum status
plan__join_with(struct planner *planner, struct plan *left, const struct plan__set *left_set,
                const struct plan__right *right, const struct plan__set *right_set,
                enum rel_join kind, const struct plan__list *on, struct plan **out)
{
    static const struct plan_slots none = {.count = 0};
    const struct plan__joining joining = {left, right->plan, left_set, right_set, kind, on};
    struct plan *best = NULL, *by_key = NULL, *pairs = NULL;

    if (right->lateral != NULL)
        return lateral_join(planner, left, right, kind, on, out);
    bool keyed = has_key(on, left_set, right_set);
    if (kind == REL_FULL && !keyed)
        return sql_error_set(planner->context->error, "0A000", -1,
                             "FULL JOIN is only supported with merge-joinable or hash-joinable "
                             "join conditions");
    if (kind != REL_FULL)
        TRY(look_up_join(planner, left, left_set, right, kind, on, &by_key));
    if (keyed)
        TRY(equal_joins(planner, &joining, &best));
    if (!keyed || (kind != REL_FULL && planner->context->joins_off != 0))
        TRY(loop_join(planner, left, right->plan, kind, on, &none, &pairs));
    double rows = keyed ? best->rows : pairs->rows;
    consider(planner, pairs, PLAN_LOOP_JOIN_OFF, &best);
    consider(planner, by_key, PLAN_LOOP_JOIN_OFF, &best);
    best->rows = rows;
    *out = best;
    return STATUS_OK;
}
