/*
 * The checker in steps: (1) who appended each value; (2) the longest committed read of a list is the
 * order of its appends, and every other read must be a beginning of it; (3) what shows in single
 * reads; (4) a graph of committed transactions with edges ww (appended before), wr (was read by), rw (read
 * the list before the other appended); (5) its circles, by what edges they need.
 */
#include "tests/support/history.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/base/check.h"

enum edge_kind { EDGE_WW = 1, EDGE_WR = 2, EDGE_RW = 4, EDGE_ALL = 7 };

struct edge {
    uint32_t from;
    uint32_t to;
    uint32_t key;
    enum edge_kind kind;
};

struct value_info {
    uint32_t writer; /* Plus 1; 0: nobody. */
    uint32_t next;   /* The value appended after it; 0: none. */
    bool is_in_order;
};

struct checker {
    const struct history_txn *txns;
    uint32_t txn_count;
    uint32_t key_count;
    uint32_t value_count;
    const struct history_op **longest; /* By key. */
    struct value_info *values;
    struct edge *edges; /* In order of `from`, once sorted. */
    uint32_t edge_count;
    uint32_t edge_capacity;
    uint32_t *first_edge; /* By transaction. */
    uint32_t *group;      /* By transaction: its strongly connected component; 0: alone. */
    uint64_t *count;

    /* For looking for ways. */
    uint32_t round;
    uint32_t *seen; /* The round in which a transaction was reached. */
    uint32_t *queue;
};

const char *
anomaly_name(enum anomaly anomaly)
{
    static const char *const names[ANOMALY_COUNT] = {
        "dirty write",    "dirty read",          "aborted read", "lost update", "read skew",
        "fractured read", "non-repeatable read", "phantom",      "write skew",  "nonsense",
    };

    return names[anomaly];
}

static void *
zeroed(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);

    CHECK(memory != NULL);
    return memory;
}

static bool
is_committed(const struct checker *checker, uint32_t value)
{
    uint32_t writer = checker->values[value].writer;

    return writer != 0 && checker->txns[writer - 1].committed;
}

/* ---- Values and orders ------------------------------------------------------------------------ */

static void
measure(struct checker *checker)
{
    for (uint32_t t = 0; t < checker->txn_count; t++) {
        for (uint32_t o = 0; o < checker->txns[t].op_count; o++) {
            const struct history_op *op = &checker->txns[t].ops[o];

            checker->key_count = op->key >= checker->key_count ? op->key + 1 : checker->key_count;
            if (op->value >= checker->value_count)
                checker->value_count = op->value + 1;
            for (uint32_t i = 0; i < op->count; i++)
                if (op->values[i] >= checker->value_count)
                    checker->value_count = op->values[i] + 1;
        }
    }
}

static void
find_writers_and_orders(struct checker *checker)
{
    for (uint32_t t = 0; t < checker->txn_count; t++) {
        for (uint32_t o = 0; o < checker->txns[t].op_count; o++) {
            const struct history_op *op = &checker->txns[t].ops[o];
            const struct history_op **longest = &checker->longest[op->key];

            if (op->value != 0) {
                CHECK(checker->values[op->value].writer == 0);
                checker->values[op->value].writer = t + 1;
            } else if (checker->txns[t].committed &&
                       (*longest == NULL || op->count > (*longest)->count)) {
                *longest = op;
            }
        }
    }
    for (uint32_t key = 0; key < checker->key_count; key++) {
        const struct history_op *op = checker->longest[key];

        for (uint32_t i = 0; op != NULL && i < op->count; i++) {
            checker->values[op->values[i]].is_in_order = true;
            checker->values[op->values[i]].next = i + 1 < op->count ? op->values[i + 1] : 0;
        }
    }
}

/* ---- Single reads ----------------------------------------------------------------------------- */

/* How many of the values read are not the transaction's own last ones. */
static uint32_t
foreign_count(const struct checker *checker, uint32_t txn, const struct history_op *op)
{
    uint32_t count = op->count;

    while (count > 0 && checker->values[op->values[count - 1]].writer == txn + 1)
        count--;
    return count;
}

static void
check_read(struct checker *checker, uint32_t txn, const struct history_op *op)
{
    const struct history_op *longest = checker->longest[op->key];
    uint32_t foreign = foreign_count(checker, txn, op);

    for (uint32_t i = 0; i < foreign; i++) {
        if (checker->values[op->values[i]].writer == 0)
            checker->count[ANOMALY_NONSENSE]++;
        else if (!is_committed(checker, op->values[i]))
            checker->count[ANOMALY_ABORTED_READ]++;
    }
    if (op->count > 0 && memcmp(op->values, longest->values, op->count * sizeof(uint32_t)) != 0)
        checker->count[ANOMALY_NONSENSE]++;
    if (foreign == 0)
        return;
    const struct value_info *last = &checker->values[op->values[foreign - 1]];

    if (last->next != 0 && checker->values[last->next].writer == last->writer)
        checker->count[ANOMALY_DIRTY_READ]++;
}

/* Two reads of a key in one transaction: the later one must be the earlier one and own appends. */
static void
check_repeated(struct checker *checker, uint32_t txn, uint32_t index)
{
    const struct history_op *ops = checker->txns[txn].ops;
    const struct history_op *now = &ops[index];
    uint32_t before = index;

    while (before > 0 && (ops[before - 1].key != now->key || ops[before - 1].value != 0))
        before--;
    if (before == 0)
        return;
    const struct history_op *then = &ops[before - 1];
    uint32_t count = foreign_count(checker, txn, now);
    uint32_t count_then = foreign_count(checker, txn, then);

    if (count == count_then &&
        (count == 0 || memcmp(now->values, then->values, count * sizeof(uint32_t)) == 0))
        return;
    if ((now->is_scan || then->is_scan) && (count == 0 || count_then == 0))
        checker->count[ANOMALY_PHANTOM]++;
    else
        checker->count[ANOMALY_NON_REPEATABLE_READ]++;
}

static void
check_reads(struct checker *checker)
{
    for (uint32_t t = 0; t < checker->txn_count; t++) {
        const struct history_txn *txn = &checker->txns[t];

        for (uint32_t o = 0; txn->committed && o < txn->op_count; o++) {
            const struct history_op *op = &txn->ops[o];

            if (op->value == 0) {
                check_read(checker, t, op);
                check_repeated(checker, t, o);
            } else if (checker->longest[op->key] != NULL &&
                       !checker->values[op->value].is_in_order) {
                checker->count[ANOMALY_LOST_UPDATE]++;
            }
        }
    }
}

/* ---- The graph -------------------------------------------------------------------------------- */

static void
add_edge(struct checker *checker, uint32_t from, uint32_t to, uint32_t key, enum edge_kind kind)
{
    if (from == to || !checker->txns[from].committed || !checker->txns[to].committed)
        return;
    if (checker->edge_count == checker->edge_capacity) {
        checker->edge_capacity = checker->edge_capacity * 2 + 64;
        checker->edges = realloc(checker->edges, checker->edge_capacity * sizeof(*checker->edges));
        CHECK(checker->edges != NULL);
    }
    checker->edges[checker->edge_count++] = (struct edge){from, to, key, kind};
}

static void
add_read_edges(struct checker *checker, uint32_t txn, const struct history_op *op)
{
    uint32_t foreign = foreign_count(checker, txn, op);
    uint32_t next = 0;

    if (foreign > 0) {
        uint32_t writer = checker->values[op->values[foreign - 1]].writer;

        if (writer != 0)
            add_edge(checker, writer - 1, txn, op->key, EDGE_WR);
        next = checker->values[op->values[foreign - 1]].next;
    } else if (checker->longest[op->key]->count > 0) {
        next = checker->longest[op->key]->values[0];
    }
    /* Past the own appends: who came after them has an edge from this transaction anyway. */
    while (next != 0 && checker->values[next].writer == txn + 1)
        next = checker->values[next].next;
    if (next != 0 && checker->values[next].writer != 0)
        add_edge(checker, txn, checker->values[next].writer - 1, op->key, EDGE_RW);
}

static int
compare_edges(const void *a, const void *b)
{
    const struct edge *left = a;
    const struct edge *right = b;

    return left->from < right->from ? -1 : left->from > right->from;
}

static void
build_graph(struct checker *checker)
{
    for (uint32_t key = 0; key < checker->key_count; key++) {
        const struct history_op *op = checker->longest[key];

        for (uint32_t i = 0; op != NULL && i + 1 < op->count; i++) {
            uint32_t from = checker->values[op->values[i]].writer;
            uint32_t to = checker->values[op->values[i + 1]].writer;

            if (from != 0 && to != 0)
                add_edge(checker, from - 1, to - 1, key, EDGE_WW);
        }
    }
    for (uint32_t t = 0; t < checker->txn_count; t++)
        for (uint32_t o = 0; checker->txns[t].committed && o < checker->txns[t].op_count; o++)
            if (checker->txns[t].ops[o].value == 0)
                add_read_edges(checker, t, &checker->txns[t].ops[o]);
    if (checker->edge_count > 0)
        qsort(checker->edges, checker->edge_count, sizeof(*checker->edges), compare_edges);
    for (uint32_t e = 0, t = 0; t <= checker->txn_count; t++) {
        while (e < checker->edge_count && checker->edges[e].from < t)
            e++;
        checker->first_edge[t] = e;
    }
}

/* ---- Circles ---------------------------------------------------------------------------------- */

/* Tarjan's algorithm with a stack of its own: numbers the components of more than one transaction
 * in `checker->group`, over edges of the kinds in `mask`; returns how many there are. */
static uint32_t
find_groups(struct checker *checker, uint32_t mask)
{
    uint32_t n = checker->txn_count;
    uint32_t *number = zeroed(n, sizeof(*number));
    uint32_t *low = zeroed(n, sizeof(*low));
    uint32_t *edge = zeroed(n, sizeof(*edge));
    uint32_t *path = zeroed(n, sizeof(*path));
    uint32_t *stack = zeroed(n, sizeof(*stack));
    bool *on_stack = zeroed(n, sizeof(*on_stack));
    uint32_t next = 0, groups = 0, stack_used = 0;

    memset(checker->group, 0, n * sizeof(*checker->group));
    for (uint32_t root = 0; root < n; root++) {
        uint32_t depth = 0;

        if (number[root] != 0)
            continue;
        path[depth++] = root;
        while (depth > 0) {
            uint32_t at = path[depth - 1];

            if (number[at] == 0) {
                number[at] = low[at] = ++next;
                edge[at] = checker->first_edge[at];
                stack[stack_used++] = at;
                on_stack[at] = true;
            }
            if (edge[at] < checker->first_edge[at + 1]) {
                const struct edge *e = &checker->edges[edge[at]];

                if ((e->kind & mask) != 0 && number[e->to] == 0) {
                    path[depth++] = e->to;
                    continue;
                }
                if ((e->kind & mask) != 0 && on_stack[e->to] && low[e->to] < low[at])
                    low[at] = low[e->to];
                edge[at]++;
                continue;
            }
            depth--;
            if (low[at] != number[at])
                continue;
            bool alone = stack[stack_used - 1] == at;
            uint32_t popped;

            groups += !alone;
            do {
                popped = stack[--stack_used];
                on_stack[popped] = false;
                checker->group[popped] = alone ? 0 : groups;
            } while (popped != at);
        }
    }
    free(number);
    free(low);
    free(edge);
    free(path);
    free(stack);
    free(on_stack);
    return groups;
}

/* Is there a way over ww and wr edges within a group? */
static bool
leads_to(struct checker *checker, uint32_t from, uint32_t to)
{
    uint32_t *queue = checker->queue;
    uint32_t *seen = checker->seen;
    uint32_t used = 0;
    bool found = false;

    checker->round++;
    queue[used++] = from;
    seen[from] = checker->round;
    for (uint32_t i = 0; i < used && !found; i++) {
        for (uint32_t e = checker->first_edge[queue[i]]; e < checker->first_edge[queue[i] + 1];
             e++) {
            const struct edge *edge = &checker->edges[e];

            if (edge->kind == EDGE_RW || checker->group[edge->to] != checker->group[from] ||
                seen[edge->to] == checker->round)
                continue;
            found = found || edge->to == to;
            seen[edge->to] = checker->round;
            queue[used++] = edge->to;
        }
    }
    return found;
}

/* A circle with the one rw edge: what is it called? */
static enum anomaly
name_single(const struct checker *checker, const struct edge *rw)
{
    enum anomaly name = ANOMALY_READ_SKEW;

    for (uint32_t e = checker->first_edge[rw->to]; e < checker->first_edge[rw->to + 1]; e++) {
        const struct edge *edge = &checker->edges[e];

        if (edge->to != rw->from)
            continue;
        if (edge->kind == EDGE_WW && edge->key == rw->key)
            return ANOMALY_LOST_UPDATE;
        if (edge->kind == EDGE_WR)
            name = ANOMALY_FRACTURED_READ;
    }
    return name;
}

static void
check_circles(struct checker *checker)
{
    uint32_t dirty = find_groups(checker, EDGE_WW);

    checker->count[ANOMALY_DIRTY_WRITE] += dirty;
    if (dirty > 0)
        return; /* Then all else is in circles too. */
    dirty = find_groups(checker, EDGE_WW | EDGE_WR);
    checker->count[ANOMALY_DIRTY_READ] += dirty;
    if (dirty > 0)
        return;
    uint32_t groups = find_groups(checker, EDGE_ALL);
    bool *single = zeroed(groups, sizeof(*single));

    for (uint32_t e = 0; e < checker->edge_count; e++) {
        const struct edge *edge = &checker->edges[e];

        if (edge->kind != EDGE_RW || checker->group[edge->from] == 0 ||
            checker->group[edge->from] != checker->group[edge->to] ||
            !leads_to(checker, edge->to, edge->from))
            continue;
        checker->count[name_single(checker, edge)]++;
        single[checker->group[edge->from]] = true;
    }
    for (uint32_t group = 1; group <= groups; group++)
        checker->count[ANOMALY_WRITE_SKEW] += !single[group];
    free(single);
}

void
history_check(const struct history_txn *txns, uint32_t txn_count, uint64_t out[ANOMALY_COUNT])
{
    struct checker checker = {.txns = txns, .txn_count = txn_count, .count = out};

    memset(out, 0, ANOMALY_COUNT * sizeof(*out));
    measure(&checker);
    checker.longest = zeroed(checker.key_count, sizeof(*checker.longest));
    checker.values = zeroed(checker.value_count, sizeof(*checker.values));
    checker.first_edge = zeroed(txn_count + 1, sizeof(*checker.first_edge));
    checker.group = zeroed(txn_count, sizeof(*checker.group));
    checker.seen = zeroed(txn_count, sizeof(*checker.seen));
    checker.queue = zeroed(txn_count, sizeof(*checker.queue));
    find_writers_and_orders(&checker);
    check_reads(&checker);
    build_graph(&checker);
    check_circles(&checker);
    free(checker.longest);
    free(checker.values);
    free(checker.first_edge);
    free(checker.group);
    free(checker.seen);
    free(checker.queue);
    free(checker.edges);
}
