/*
 * learned: the table of what routers have to show, with what was measured beside it, and the table of what
 * the predecessor claimed. Both are made here once and printed by the command and by its page.
 *
 * A row that names numbers of rows has a line for each; one that was not measured says what would measure it.
 */
#include <inttypes.h>
#include <string.h>

#include "tools/qtdb-bench/bench_command.h"
#include "tools/qtdb-bench/bench_learned.h"

static const struct {
    uint64_t rows;
    const char *name;
    double ns;
    double ns_aim;
    double bytes;
    double bytes_aim;
} targets[] = {
    {1000000, "1 M", 90, 45, 0.30, 0.25},
    {10000000, "10 M", 190, 95, 0.20, 0.13},
    {100000000, "100 M", 300, 140, 0.15, 0.08},
};

enum { TARGETS = sizeof(targets) / sizeof(targets[0]), RMI = 1, REBUILD = 1 };

static const double speed_least = 1.2, set_least = 0.97, reads_most = 1.05, rebuild_most = 5;
static const double share_most = 0.2; /* Percent. */

static double
ns_of(const struct learned *learned, enum learned_variant variant, const char *router,
      uint64_t rows)
{
    return learned_ns(learned->results, learned_variant_name((int)variant), router, rows);
}

static const struct learned_size *
size_of(const struct learned *learned, uint64_t rows)
{
    for (size_t i = 0; i < learned->size_count; i++)
        if (learned->size[i].rows == rows)
            return &learned->size[i];
    return NULL;
}

static const struct learned_size *
largest(const struct learned *learned)
{
    return learned->size_count > 0 ? &learned->size[learned->size_count - 1] : NULL;
}

/* A line that has not been measured yet. */
static struct learned_line *
line_add(struct learned_line *lines, size_t *count, const char *measure, const char *rows)
{
    struct learned_line *line = &lines[(*count)++];

    *line = (struct learned_line){.state = BENCH_TARGET_OPEN};
    (void)snprintf(line->measure, sizeof(line->measure), "%s%s%s", measure,
                   *rows != '\0' ? ", " : "", rows);
    return line;
}

static void
decide(struct learned_line *line, bool met)
{
    line->state = met ? BENCH_TARGET_MET : BENCH_TARGET_MISSED;
}

static void
add_gets(const struct learned *learned, struct learned_line *lines, size_t *count)
{
    for (size_t i = 0; i < TARGETS; i++) {
        struct learned_line *line =
            line_add(lines, count, "RMI get, 8-byte values", targets[i].name);
        double rmi = ns_of(learned, LEARNED_GET, "rmi", targets[i].rows);
        double tree = ns_of(learned, LEARNED_GET, "tree", targets[i].rows);

        (void)snprintf(line->least, sizeof(line->least), "%.1fx our tree, %.0f ns", speed_least,
                       targets[i].ns);
        (void)snprintf(line->aim, sizeof(line->aim), "%.0f ns", targets[i].ns_aim);
        if (rmi <= 0 || tree <= 0)
            continue;
        (void)snprintf(line->figure, sizeof(line->figure), "%.2fx, %.0f ns (tree %.0f)", tree / rmi,
                       rmi, tree);
        decide(line, tree >= speed_least * rmi && rmi <= targets[i].ns);
    }
}

static void
add_worst(const struct learned *learned, struct learned_line *lines, size_t *count)
{
    struct learned_line *line =
        line_add(lines, count, "worst real or hostile set, as the engine chooses", "");
    const struct learned_set *worst = NULL;

    (void)snprintf(line->least, sizeof(line->least), "%.2fx our tree", set_least);
    (void)snprintf(line->aim, sizeof(line->aim), "1.0x");
    for (size_t i = 0; i < learned->set_count; i++) {
        const struct learned_set *set = &learned->set[i];

        if (worst == NULL || set->tree_ns * worst->chosen_ns < worst->tree_ns * set->chosen_ns)
            worst = set;
    }
    if (worst == NULL)
        return;
    (void)snprintf(line->figure, sizeof(line->figure), "%.2fx (%s, %" PRIu64 " rows, of %zu sets)",
                   worst->tree_ns / worst->chosen_ns, worst->name, worst->rows, learned->set_count);
    decide(line, worst->tree_ns >= set_least * worst->chosen_ns);
}

static void
add_sizes(const struct learned *learned, struct learned_line *lines, size_t *count)
{
    for (size_t i = 0; i < TARGETS; i++) {
        struct learned_line *line =
            line_add(lines, count, "router and directory, bytes a key", targets[i].name);
        const struct learned_size *size = size_of(learned, targets[i].rows);

        (void)snprintf(line->least, sizeof(line->least), "%.2f", targets[i].bytes);
        (void)snprintf(line->aim, sizeof(line->aim), "%.2f", targets[i].bytes_aim);
        if (size == NULL || size->routing[RMI].size == 0)
            continue;
        double bytes = (double)size->routing[RMI].size / (double)size->rows;

        (void)snprintf(line->figure, sizeof(line->figure), "%.3f", bytes);
        decide(line, bytes <= targets[i].bytes);
    }
}

static void
add_rebuild(const struct learned *learned, struct learned_line *lines, size_t *count)
{
    struct learned_line *line = line_add(lines, count, "rebuild", targets[REBUILD].name);
    const struct learned_size *size = size_of(learned, targets[REBUILD].rows);

    (void)snprintf(line->least, sizeof(line->least), "%.0f ms", rebuild_most);
    (void)snprintf(line->aim, sizeof(line->aim), "1 ms");
    if (size == NULL || size->routing[RMI].build_ns == 0)
        return;
    double ms = (double)size->routing[RMI].build_ns / 1e6;

    (void)snprintf(line->figure, sizeof(line->figure), "%.2f ms, the walk over the tree included",
                   ms);
    decide(line, ms <= rebuild_most);
}

static void
add_found(const struct learned *learned, struct learned_line *lines, size_t *count)
{
    struct learned_line *line =
        line_add(lines, count, "existing keys found, beside inserts and rebuilds", "");

    (void)snprintf(line->least, sizeof(line->least), "100%%");
    if (learned->found_count == 0)
        return;
    /* The first answer that is wrong ends the command and fails it. */
    (void)snprintf(line->figure, sizeof(line->figure),
                   "%" PRIu64 " of as many; %" PRIu64 " absent ones not found",
                   learned->found_count, learned->absent_count);
    decide(line, !learned->is_wrong);
}

static void
add_cold(const struct learned *learned, struct learned_line *lines, size_t *count)
{
    struct learned_line *line =
        line_add(lines, count, "pool of 0.1% of the data: page reads a cold get, router", "");
    const struct learned_size *size = largest(learned);

    (void)snprintf(line->least, sizeof(line->least), "%.2f, the tree 2 to 3", reads_most);
    (void)snprintf(line->aim, sizeof(line->aim), "1.00");
    if (size == NULL || size->reads[RMI].all < 0)
        return;
    const struct learned_reads *rmi = &size->reads[RMI];
    const struct learned_reads *tree = &size->reads[0];
    double share = 100 * (double)learned_cold_pool(size->rows) / (16 * (double)size->rows);

    (void)snprintf(
        line->figure, sizeof(line->figure),
        "%.3f at %" PRIu64 " rows, a pool of %.2f%% (leaves %.3f, inner %.3f, map %.3f); "
        "tree %.3f (%.3f, %.3f, %.3f)",
        rmi->all, size->rows, share, rmi->all - rmi->inner - rmi->map, rmi->inner, rmi->map,
        tree->all, tree->all - tree->inner - tree->map, tree->inner, tree->map);
    /* Of few rows even the smallest pool is a large part. */
    if (share < share_most)
        decide(line, rmi->all <= reads_most);
}

static void
add_mixed(const struct learned *learned, struct learned_line *lines, size_t *count)
{
    struct learned_line *line =
        line_add(lines, count, "mixed 80% get, 20% insert, against the tree alone", "10 M");
    const struct learned_size *wanted = size_of(learned, targets[REBUILD].rows);
    const struct learned_size *size = wanted != NULL ? wanted : largest(learned);
    double tree = size == NULL ? 0 : ns_of(learned, LEARNED_MIXED, "tree", size->rows);
    double own = size == NULL ? 0 : ns_of(learned, LEARNED_MIXED, "auto", size->rows);

    (void)snprintf(line->least, sizeof(line->least), "1.0x");
    (void)snprintf(line->aim, sizeof(line->aim), "1.2x");
    if (tree <= 0 || own <= 0)
        return;
    (void)snprintf(line->figure, sizeof(line->figure), "%.2fx at %" PRIu64 " rows", tree / own,
                   size->rows);
    decide(line, tree >= own);
}

size_t
learned_lines(const struct learned *learned, struct learned_line *out)
{
    size_t count = 0;

    add_gets(learned, out, &count);
    add_worst(learned, out, &count);
    add_sizes(learned, out, &count);
    add_rebuild(learned, out, &count);
    add_found(learned, out, &count);
    add_cold(learned, out, &count);
    add_mixed(learned, out, &count);
    struct learned_line *line = line_add(out, &count, "a tree of 9,000 rows", "");

    (void)snprintf(line->least, sizeof(line->least), "no model, and said so");
    if (learned->small[0] != '\0') {
        (void)snprintf(line->figure, sizeof(line->figure), "%s", learned->small);
        decide(line, strncmp(learned->small, "tree: ", 6) == 0);
    }
    return count;
}

/* ---- What others said ---------------------------------------------------------------------------- */

static void
say_against_trees(const struct learned *learned, const struct learned_size *size, char *out,
                  size_t room)
{
    double own = ns_of(learned, LEARNED_GET, "rmi", size->rows);
    size_t used = 0;

    if (own <= 0)
        return;
    for (size_t i = 0; learned_router_name(i) != NULL && used < room; i++) {
        const char *name = learned_router_name(i);
        double ns = ns_of(learned, LEARNED_GET, name, size->rows);
        bool is_ours = i > 0 && i < LEARNED_ROUTERS;

        if (ns > 0 && !is_ours)
            used += (size_t)snprintf(out + used, room - used, "%s%.2fx %s", used > 0 ? ", " : "",
                                     ns / own, i == 0 ? "our own tree" : name);
    }
}

static void
say_ours(const struct learned *learned, const struct learned_size *size,
         struct learned_claim out[LEARNED_CLAIMS])
{
    double get = ns_of(learned, LEARNED_GET, "rmi", size->rows);
    double range = ns_of(learned, LEARNED_RANGE, "auto", size->rows);
    size_t room = sizeof(out[0].ours);

    say_against_trees(learned, size, out[0].ours, room);
    if (get > 0)
        (void)snprintf(out[1].ours, room,
                       "%.3f us through qtdb.h with the RMI, each value copied out and compared",
                       get / 1000);
    if (size->load_rate > 0)
        (void)snprintf(
            out[2].ours, room,
            "%.0f rows/s of 8+8 bytes in order, 10,000 a transaction, in the file at the "
            "end (checkpoint included)",
            size->load_rate);
    if (range > 0)
        (void)snprintf(out[3].ours, room, "%.1f M keys/s with their values, 1,000 a range",
                       1000 / range);
    if (range > 0 && get > 0)
        (void)snprintf(out[4].ours, room,
                       "%.0fx: %" PRIu64 " rows at %.1f ns each for one look-up of %.0f ns",
                       range * (double)size->rows / get, size->rows, range, get);
}

void
learned_claims(const struct learned *learned, struct learned_claim out[LEARNED_CLAIMS])
{
    static const struct learned_claim said[LEARNED_CLAIMS] = {
        {.what = "a look-up by model against a B-tree",
         .claim = "9.85x on average",
         .against = "a B-tree of its own, not described; its index missed keys that existed, so it "
                    "did not answer the same question"},
        {.what = "a point query",
         .claim = "0.53 us",
         .against = "at its storage interface; 10 us through its SQL"},
        {.what = "inserts in batches",
         .claim = "558,692 keys/s",
         .against = "at its storage interface; 25,000 to 32,000 rows/s through its SQL"},
        {.what = "a range query", .claim = "13 M keys/s", .against = "nothing"},
        {.what = "a point query against a full scan",
         .claim = "2,862x to 22,554x",
         .against = "reading the whole table: any index gives that, and it grows with the rows"},
    };
    const struct learned_size *size = largest(learned);

    memcpy(out, said, sizeof(said));
    if (size != NULL)
        say_ours(learned, size, out);
}

/* ---- Printing ------------------------------------------------------------------------------------ */

static void
keep(struct bench_targets *into, const struct learned_line *line)
{
    char name[sizeof(line->measure) + 16], figure[32], against[1024];

    (void)snprintf(name, sizeof(name), "routers: %s", line->measure);
    /* Up to its first comma, with what belongs to it; the whole stands in the next column. */
    (void)snprintf(figure, sizeof(figure), "%.*s", (int)strcspn(line->figure, ",;("), line->figure);
    (void)snprintf(against, sizeof(against), "%s%sat least %s", line->figure,
                   line->figure[0] != '\0' ? "; " : "", line->least);
    bench_targets_add(into, name, figure[0] != '\0' ? figure : "-", against, line->state);
}

void
learned_print_targets(const struct learned *learned)
{
    struct learned_line lines[LEARNED_LINES_MAX];
    struct learned_claim claims[LEARNED_CLAIMS];
    size_t count = learned_lines(learned, lines);

    printf("what routers have to show\n");
    for (size_t i = 0; i < count; i++) {
        const struct learned_line *line = &lines[i];

        printf("%s\n    ->  %s%sat least %s:  %s%s%s%s\n", line->measure, line->figure,
               line->figure[0] != '\0' ? "; " : "", line->least, bench_target_word(line->state),
               line->aim[0] != '\0' ? "  (aim " : "", line->aim, line->aim[0] != '\0' ? ")" : "");
        keep(learned->options->targets, line);
    }
    learned_claims(learned, claims);
    printf("\nwhat the predecessor claimed, and ours of this run, %s, %" PRIu64 " rows\n",
           learned->sizes.key_set, largest(learned) != NULL ? largest(learned)->rows : 0);
    for (size_t i = 0; i < LEARNED_CLAIMS; i++)
        printf("%s\n    claim: %s, measured against: %s\n    here:  %s\n", claims[i].what,
               claims[i].claim, claims[i].against,
               claims[i].ours[0] != '\0' ? claims[i].ours : "not measured");
    printf("\n");
    (void)fflush(stdout);
}
