/*
 * The order of inner joins. Up to ORDER_RELATIONS_MAX relations every order that adds one after the
 * other is looked at, by dynamic programming over sets: the cheapest way to a set is the cheapest of
 * those to the set without one of them and the join with that one. Beyond, the relation is added next
 * that leaves the fewest rows.
 *
 * The rows of a set do not depend on the order: those of its relations together, times the share of
 * each condition. The share of an equality of columns is one over the values there are: the rows of the
 * table where the column is unique there, else the larger number of different values of the two, which
 * is at most that of a unique column that both are equal to.
 */
#include <string.h>

#include "executor/plan_private.h"
#include "kernel/base/check.h"

enum { ORDER_RELATIONS_MAX = 12, ORDER_CONDITIONS_MAX = 64 };

/* What a condition between leaves does to the rows. */
struct effect {
    uint64_t leaves;
    double share;
    bool is_key;        /* Equality of two leaves: */
    uint32_t leaf[2];   /* these, */
    uint32_t column[2]; /* and their columns; UINT32_MAX: something else than a column. */
    uint32_t class[2];  /* Ends of one class are equal to each other. */
};

struct ordering {
    struct planner *planner;
    const struct plan__graph *graph;
    uint32_t effect_count;
    struct effect effects[ORDER_CONDITIONS_MAX];
    double table_rows
        [PLAN__ORDER_MAX]; /* Of the leaf's table before conditions; of no table: its rows. */
};

/* A way to a set of leaves. */
struct way {
    double cost;
    double rows;
    uint8_t last;
    bool there;
};

static uint64_t
leaves_of(const struct plan__graph *graph, const struct plan__set *set)
{
    uint64_t leaves = 0;

    for (uint32_t i = 0; i < graph->count; i++) {
        if (plan__set_meets(set, &graph->leaves[i].set))
            leaves |= UINT64_C(1) << i;
    }
    return leaves;
}

/* The column of the leaf's table that the expression is, casts aside. */
static uint32_t
column_of(const struct plan__leaf *leaf, const struct expr *expr)
{
    const struct rel *rel = leaf->right.rel;

    while (expr->kind == EXPR_CAST)
        expr = expr->arguments[0];
    if (rel->kind != REL_TABLE || expr->kind != EXPR_COLUMN || expr->relation != rel->relation ||
        expr->index >= rel->table->column_count)
        return UINT32_MAX;
    return expr->index;
}

static bool
is_one(uint64_t leaves)
{
    return leaves != 0 && (leaves & (leaves - 1)) == 0;
}

static void
note_condition(struct ordering *ordering, const struct expr *expr)
{
    const struct plan__graph *graph = ordering->graph;
    struct plan__set all = plan__relations_of(expr);
    struct effect effect = {.leaves = leaves_of(graph, &all), .share = 0.3};

    if (effect.leaves == 0 || is_one(effect.leaves) ||
        ordering->effect_count == ORDER_CONDITIONS_MAX)
        return;
    if (expr->kind == EXPR_COMPARE && expr->operator_kind == EXPR_EQUAL) {
        for (uint32_t i = 0; i < 2; i++) {
            struct plan__set set = plan__relations_of(expr->arguments[i]);
            uint64_t leaves = leaves_of(graph, &set);

            if (!is_one(leaves) || plan__has_subquery(expr->arguments[i]))
                break;
            effect.leaf[i] = (uint32_t)__builtin_ctzll(leaves);
            effect.column[i] = column_of(&graph->leaves[effect.leaf[i]], expr->arguments[i]);
            effect.is_key = i == 1;
        }
    }
    ordering->effects[ordering->effect_count++] = effect;
}

static const struct table *
table_of(const struct ordering *ordering, uint32_t leaf)
{
    const struct rel *rel = ordering->graph->leaves[leaf].right.rel;

    return rel->kind == REL_TABLE ? rel->table : NULL;
}

/* The ends of equalities that are all equal to each other have one class. */
static void
join_classes(struct ordering *ordering)
{
    uint32_t next = 0;

    for (uint32_t i = 0; i < ordering->effect_count; i++) {
        struct effect *effect = &ordering->effects[i];

        for (uint32_t k = 0; k < 2; k++) {
            effect->class[k] = next++;
            for (uint32_t j = 0; j < 2 * i + k && effect->column[k] != UINT32_MAX; j++) {
                const struct effect *other = &ordering->effects[j / 2];

                if (other->is_key && effect->is_key && other->leaf[j % 2] == effect->leaf[k] &&
                    other->column[j % 2] == effect->column[k])
                    effect->class[k] = other->class[j % 2];
            }
        }
        for (uint32_t j = 0; j <= i && effect->is_key; j++) {
            for (uint32_t k = 0; k < 2; k++) {
                if (ordering->effects[j].class[k] == effect->class[1])
                    ordering->effects[j].class[k] = effect->class[0];
            }
        }
    }
}

static bool
is_unique(const struct ordering *ordering, uint32_t leaf, uint32_t column)
{
    const struct table *table = table_of(ordering, leaf);

    return table != NULL && column != UINT32_MAX && plan__is_unique(table, &column, 1);
}

/* The different values of one end: no more than a unique column of its class has. */
static double
values_of(const struct ordering *ordering, const struct effect *effect, uint32_t end)
{
    uint32_t leaf = effect->leaf[end], column = effect->column[end];
    double rows = ordering->table_rows[leaf], values = rows / 10;

    if (table_of(ordering, leaf) != NULL && column != UINT32_MAX)
        values = plan__distinct(ordering->planner, table_of(ordering, leaf), column, rows);
    for (uint32_t i = 0; i < ordering->effect_count; i++) {
        const struct effect *other = &ordering->effects[i];

        for (uint32_t k = 0; k < 2 && other->is_key; k++) {
            if (other->class[k] == effect->class[end] &&
                is_unique(ordering, other->leaf[k], other->column[k]) &&
                ordering->table_rows[other->leaf[k]] < values)
                values = ordering->table_rows[other->leaf[k]];
        }
    }
    return values < 1 ? 1 : values;
}

/* The columns of leaf `end` in all equalities between the same two leaves are a unique key. */
static bool
pair_is_unique(const struct ordering *ordering, const struct effect *pair, uint32_t end)
{
    uint32_t columns[ORDER_CONDITIONS_MAX], count = 0;
    const struct table *table = table_of(ordering, pair->leaf[end]);

    for (uint32_t i = 0; i < ordering->effect_count; i++) {
        const struct effect *other = &ordering->effects[i];

        for (uint32_t k = 0; k < 2 && other->is_key && other->leaves == pair->leaves; k++) {
            if (other->leaf[k] == pair->leaf[end])
                columns[count++] = other->column[k];
        }
    }
    return table != NULL && plan__is_unique(table, columns, count);
}

/* All equalities of two leaves count together: `pair` is the first of them. */
static double
share_of_pair(const struct ordering *ordering, const struct effect *pair)
{
    double rows[2], share = 1, most;
    bool unique[2];

    for (uint32_t k = 0; k < 2; k++) {
        rows[k] = ordering->table_rows[pair->leaf[k]];
        rows[k] = rows[k] < 1 ? 1 : rows[k];
        unique[k] = pair_is_unique(ordering, pair, k);
    }
    most = rows[0] > rows[1] ? rows[0] : rows[1];
    if (unique[0] || unique[1])
        return 1 / (unique[0] && unique[1] ? most : unique[0] ? rows[0] : rows[1]);
    for (uint32_t i = 0; i < ordering->effect_count; i++) {
        const struct effect *other = &ordering->effects[i];

        if (!other->is_key || other->leaves != pair->leaves)
            continue;
        double left = values_of(ordering, other, 0), right = values_of(ordering, other, 1);
        share /= left > right ? left : right;
    }
    return share < 1 / most ? 1 / most : share;
}

/* The equality of the pair that leaves the fewest rows by itself, of those without a share (0). */
static struct effect *
sharpest(struct ordering *ordering, uint64_t leaves, double *share_out)
{
    struct effect *best = NULL;

    for (uint32_t i = 0; i < ordering->effect_count; i++) {
        struct effect *effect = &ordering->effects[i];

        if (!effect->is_key || effect->leaves != leaves || effect->share > 0)
            continue;
        double left = values_of(ordering, effect, 0), right = values_of(ordering, effect, 1);
        double share = 1 / (left > right ? left : right);
        if (best == NULL || share < *share_out) {
            best = effect;
            *share_out = share;
        }
    }
    return best;
}

/* The share of a pair is divided among its equalities, the sharpest first: each may be left out by itself
 * where it follows from others, and no more than its own share must go with it. */
static void
set_shares(struct ordering *ordering)
{
    join_classes(ordering);
    for (uint32_t i = 0; i < ordering->effect_count; i++) {
        if (ordering->effects[i].is_key)
            ordering->effects[i].share = 0;
    }
    for (uint32_t i = 0; i < ordering->effect_count; i++) {
        struct effect *last = NULL, *next = &ordering->effects[i];
        uint64_t leaves = next->leaves;
        double share = 1;

        if (!next->is_key || next->share > 0)
            continue;
        double rest = share_of_pair(ordering, next);
        while ((next = sharpest(ordering, leaves, &share)) != NULL) {
            next->share = share > rest ? share : rest;
            rest = rest < next->share ? rest / next->share : 1;
            last = next;
        }
        if (last != NULL)
            last->share *= rest;
    }
}

/* By class, the one that leaves the fewest rows first: it counts, the others of its class follow from
 * it. */
static void
sort_effects(struct ordering *ordering)
{
    struct effect *effects = ordering->effects;

    for (uint32_t i = 1; i < ordering->effect_count; i++) {
        const struct effect effect = effects[i];
        uint32_t place = i;

        for (; place > 0 && (effects[place - 1].class[0] > effect.class[0] ||
                             (effects[place - 1].class[0] == effect.class[0] &&
                              effects[place - 1].share > effect.share));
             place--)
            effects[place] = effects[place - 1];
        effects[place] = effect;
    }
}

static enum status
prepare(struct planner *planner, const struct plan__graph *graph, struct ordering **out)
{
    struct ordering *ordering = plan__take(planner, sizeof(*ordering));

    if (ordering == NULL)
        return STATUS_NO_MEMORY;
    ordering->planner = planner;
    ordering->graph = graph;
    for (uint32_t i = 0; i < graph->count; i++) {
        const struct rel *rel = graph->leaves[i].right.rel;

        ordering->table_rows[i] = graph->leaves[i].right.plan->rows;
        if (rel->kind == REL_TABLE)
            TRY(plan__table_rows(planner, rel->table, &ordering->table_rows[i]));
    }
    for (uint32_t i = 0; i < graph->conditions.count; i++)
        note_condition(ordering, graph->conditions.exprs[i]);
    set_shares(ordering);
    sort_effects(ordering);
    *out = ordering;
    return STATUS_OK;
}

/* Costs. */

/* The rows that one look-up in the leaf finds, by columns that its own conditions or the leaves
 * `joined` say; 0: there is no key to look up by. */
static double
look_up_rows(const struct ordering *ordering, uint32_t leaf, uint64_t joined)
{
    const struct table *table = table_of(ordering, leaf);
    double best = 0;

    for (uint32_t key = 0; table != NULL && key <= table->index_count; key++) {
        const uint32_t *columns = key == 0 ? table->keys : table->indexes[key - 1].columns;
        uint32_t count = key == 0 ? table->key_count : table->indexes[key - 1].column_count;
        double rows = ordering->table_rows[leaf];
        uint32_t bound = 0;
        bool found = key == 0 || table->indexes[key - 1].predicate == 0;

        for (; bound < count && found; bound++) {
            found = false;
            for (uint32_t i = 0; i < ordering->effect_count && !found; i++) {
                const struct effect *effect = &ordering->effects[i];

                for (uint32_t k = 0; k < 2 && effect->is_key && !found; k++)
                    found = effect->leaf[k] == leaf && effect->column[k] == columns[bound] &&
                            (joined >> effect->leaf[1 - k] & 1) != 0;
            }
            if (!found)
                break;
            rows /= plan__distinct(ordering->planner, table, columns[bound],
                                   ordering->table_rows[leaf]);
        }
        if (bound == 0)
            continue;
        if (plan__is_unique(table, columns, bound) || rows < 1)
            rows = 1;
        rows = key == 0 ? rows : 2 * rows;
        best = best == 0 || rows < best ? rows : best;
    }
    return best;
}

/* Of joining the leaf to `way`'s rows; `*rows_out` are those that come out. */
static double
step_cost(const struct ordering *ordering, uint64_t joined, const struct way *way, uint32_t leaf,
          double *rows_out)
{
    const struct plan__leaf *added = &ordering->graph->leaves[leaf];
    uint64_t both = joined | UINT64_C(1) << leaf;
    double left = way->rows, right = added->right.plan->rows, rows = left * right, cost;
    bool keyed = false;
    uint32_t class = UINT32_MAX;

    for (uint32_t i = 0; i < ordering->effect_count; i++) {
        const struct effect *effect = &ordering->effects[i];

        if ((effect->leaves & ~both) != 0 || (effect->leaves & ~joined) == 0 ||
            (effect->is_key && effect->class[0] == class))
            continue;
        rows *= effect->share;
        keyed = keyed || effect->is_key;
        class = effect->is_key ? effect->class[0] : UINT32_MAX;
    }
    *rows_out = rows;
    if (added->right.lateral != NULL)
        return left * added->right.plan->cost;
    if (!keyed)
        return added->right.plan->cost + left * right * 0.2;
    cost = added->right.plan->cost + (left > right ? 0.5 * left + right : 0.5 * right + left) +
           0.1 * rows;
    double found = look_up_rows(ordering, leaf, joined);
    double by_key = left * (found > 1 ? PLAN__RANGE_COST + found : PLAN__POINT_COST) + 0.1 * rows;
    return found > 0 && by_key < cost ? by_key : cost;
}

static bool
may_follow(const struct ordering *ordering, uint64_t joined, uint32_t leaf)
{
    uint64_t needs = leaves_of(ordering->graph, &ordering->graph->leaves[leaf].needs);

    return (joined >> leaf & 1) == 0 && (needs & ~joined) == 0;
}

static struct way
first_way(const struct ordering *ordering, uint32_t leaf)
{
    const struct plan *plan = ordering->graph->leaves[leaf].right.plan;

    return (struct way){plan->cost, plan->rows, (uint8_t)leaf, true};
}

/* The cheapest order of few leaves. */
static enum status
order_all(const struct ordering *ordering, uint32_t *order, double *rows)
{
    uint32_t count = ordering->graph->count;
    uint64_t all = (UINT64_C(1) << count) - 1;
    struct way *ways = plan__take(ordering->planner, (all + 1) * sizeof(*ways));

    if (ways == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        if (may_follow(ordering, 0, i))
            ways[UINT64_C(1) << i] = first_way(ordering, i);
    }
    for (uint64_t set = 1; set < all; set++) {
        for (uint32_t i = 0; i < count && ways[set].there; i++) {
            struct way *way = &ways[set | UINT64_C(1) << i];
            double out = 0;

            if (!may_follow(ordering, set, i))
                continue;
            double cost = ways[set].cost + step_cost(ordering, set, &ways[set], i, &out);
            if (!way->there || cost < way->cost)
                *way = (struct way){cost, out, (uint8_t)i, true};
        }
    }
    CHECK(ways[all].there);
    for (uint32_t i = count; i-- > 0;) {
        order[i] = ways[all].last;
        rows[i] = ways[all].rows;
        all &= ~(UINT64_C(1) << order[i]);
    }
    return STATUS_OK;
}

/* Of many, the cheapest next. */
static void
order_next(const struct ordering *ordering, uint32_t *order, double *rows)
{
    uint64_t joined = 0;
    struct way way = {.there = false};

    for (uint32_t i = 0; i < ordering->graph->count; i++) {
        struct way best = {.there = false};

        for (uint32_t k = 0; k < ordering->graph->count; k++) {
            struct way next = {.there = true, .last = (uint8_t)k};

            if (!may_follow(ordering, joined, k))
                continue;
            if (joined == 0)
                next = first_way(ordering, k);
            else
                next.cost = step_cost(ordering, joined, &way, k, &next.rows);
            if (!best.there || next.rows < best.rows ||
                (next.rows <= best.rows && next.cost < best.cost))
                best = next;
        }
        CHECK(best.there);
        way = best;
        order[i] = best.last;
        rows[i] = best.rows;
        joined |= UINT64_C(1) << best.last;
    }
}

enum status
plan__join_order(struct planner *planner, const struct plan__graph *graph, uint32_t *order,
                 double *rows)
{
    struct ordering *ordering = NULL;

    CHECK(graph->count <= PLAN__ORDER_MAX);
    TRY(prepare(planner, graph, &ordering));
    if (graph->count <= ORDER_RELATIONS_MAX)
        return order_all(ordering, order, rows);
    order_next(ordering, order, rows);
    return STATUS_OK;
}
