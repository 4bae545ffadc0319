/*
 * learned: sets of keys on which a model could be worse than the tree, and a tree that is too small for one.
 *
 * The row of the table is about what the engine chooses (auto) against its tree, both measured in turns in one
 * process as elsewhere. Where it chose the tree there is nothing between them: the set counts as 1.0.
 * The sets are made so that they fool one part or another of a model: lines that fit nowhere, keys that a double
 * cannot tell apart, one key that takes all the room, dense runs with nothing between. --sets adds real ones.
 */
#include <string.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_command.h"
#include "tools/qtdb-bench/bench_learned.h"
#include "tools/qtdb-bench/bench_print.h"

enum { SET_ROWS_MAX = 1000000, SMALL_ROWS = 9000, BURST = 1000 };

/* Keys ascend, and there is room between most of them. */
static uint64_t
even(uint64_t i, uint64_t count)
{
    (void)count;
    return 2 * i;
}

static uint64_t
two_clusters(uint64_t i, uint64_t count)
{
    return i < count / 2 ? 2 * i : UINT64_MAX - 2 * (count - i);
}

static uint64_t
outlier(uint64_t i, uint64_t count)
{
    return i + 1 < count ? 2 * i : UINT64_MAX;
}

static uint64_t
squares(uint64_t i, uint64_t count)
{
    (void)count;
    return 2 * i * i;
}

static uint64_t
cubes_of_bursts(uint64_t i, uint64_t count)
{
    uint64_t burst = i / BURST;

    (void)count;
    return (burst * burst * burst << 20) + 2 * (i % BURST);
}

/* A double has steps of 1,024 there. */
static uint64_t
far_up(uint64_t i, uint64_t count)
{
    (void)count;
    return (UINT64_C(1) << 62) + 3 * i;
}

static const struct {
    const char *name;
    uint64_t (*key)(uint64_t i, uint64_t count);
} hostile[] = {
    {"even", even},       {"two-clusters", two_clusters}, {"outlier", outlier},
    {"squares", squares}, {"bursts", cubes_of_bursts},    {"far-up", far_up},
};

void
learned_note_set(struct learned *learned)
{
    struct learned_set *set = &learned->set[learned->set_count];
    uint64_t rows = learned->sizes.rows;

    if (learned->set_count == LEARNED_SETS_MAX)
        return;
    *set = (struct learned_set){.rows = rows};
    (void)snprintf(set->name, sizeof(set->name), "%s", learned->sizes.key_set);
    const char *get = learned_variant_name(LEARNED_GET);

    set->tree_ns = learned_ns(learned->results, get, "tree", rows);
    set->chosen_ns = learned_ns(learned->results, get, "auto", rows);
    for (size_t i = 0; i < learned->count; i++)
        if (strcmp(learned->subjects[i].router, "auto") == 0 &&
            learned->subjects[i].routing.kind != NULL)
            (void)snprintf(set->kind, sizeof(set->kind), "%s", learned->subjects[i].routing.kind);
    if (strcmp(set->kind, "tree") == 0)
        set->chosen_ns = set->tree_ns;
    if (set->tree_ns > 0 && set->chosen_ns > 0)
        learned->set_count++;
}

/* Results of sets are kept apart while they are measured: they have the same names and rows. */
static bool
run_set(struct learned *learned, const struct bench_keys *keys, const char *name)
{
    static const char *const names[] = {"tree", "auto"};
    struct bench_results *all = learned->results;
    struct bench_results own = {.memory = all->memory};
    const char *key_set = learned->sizes.key_set;
    uint64_t rounds = learned->options->base.runs * LEARNED_ROUNDS_A_RUN;
    uint64_t rows = keys->count < SET_ROWS_MAX ? keys->count : SET_ROWS_MAX;

    learned->results = &own;
    learned->sizes.key_set = name;
    learned_use(learned, keys, rows);
    enum status status = learned_prepare(learned, names, 2, false);

    if (status == STATUS_OK)
        status = learned_run(learned, LEARNED_GET, rounds);
    if (status != STATUS_OK) {
        tool_error(learned->options->tool, "learned: %s: %s", name, error_message());
        learned_note_failure(learned);
    }
    learned_note_set(learned);
    learned_close(learned);
    learned->results = all;
    learned->sizes.key_set = key_set;
    for (size_t i = 0; i < own.count; i++)
        bench_results_add(&learned->set_results, &own.list[i]);
    bench_results_free(&own);
    return status == STATUS_OK;
}

static bool
run_hostile(struct learned *learned, size_t index)
{
    struct memory *memory = learned->options->env.memory;
    uint64_t count = learned->size[learned->size_count - 1].rows;

    count = count < SET_ROWS_MAX ? count : SET_ROWS_MAX;
    size_t room = (size_t)count * sizeof(uint64_t);
    uint64_t *list = memory_alloc(memory, MEMORY_OTHER, room);

    if (list == NULL)
        return false;
    for (uint64_t i = 0; i < count; i++)
        list[i] = hostile[index].key(i, count);
    struct bench_keys keys = {
        .count = count, .list = list, .list_room = room, .high = list[count - 1] >> 63 != 0};
    bool ok = run_set(learned, &keys, hostile[index].name);

    bench_keys_deinit(&keys, memory);
    return ok;
}

/* The files of --sets. */
static bool
run_files(struct learned *learned)
{
    static char names[LEARNED_SETS_MAX][64];
    const char *list = learned->options->sets;
    char path[BENCH_PATH_SIZE];
    bool ok = true;

    for (size_t i = 0; ok && list != NULL && *list != '\0' && i < LEARNED_SETS_MAX; i++) {
        size_t size = strcspn(list, ",");
        struct bench_keys keys;

        (void)snprintf(path, sizeof(path), "%.*s", (int)size, list);
        list += size + (list[size] == ',');
        learned_name_of(path, names[i], sizeof(names[i]));
        ok = bench_keys_read(&keys, learned->options->env.memory, path) == STATUS_OK;
        if (!ok) {
            tool_error(learned->options->tool, "%s", error_message());
            learned_note_failure(learned);
            break;
        }
        ok = run_set(learned, &keys, names[i]);
        bench_keys_deinit(&keys, learned->options->env.memory);
    }
    return ok;
}

/* A tree of fewer rows than a router is made for. */
static bool
run_small(struct learned *learned)
{
    static const char *const names[] = {"auto"};
    struct bench_keys keys;
    struct bench_routing routing;

    bench_keys_init(&keys, SMALL_ROWS);
    learned_use(learned, &keys, SMALL_ROWS);
    enum status status = learned_prepare(learned, names, 1, false);

    if (status == STATUS_OK)
        status = bench_qtdb.route(learned->subjects[0].db, "auto");
    if (status == STATUS_OK) {
        bench_qtdb.routing(learned->subjects[0].db, &routing);
        (void)snprintf(learned->small, sizeof(learned->small), "%s: %s", routing.kind,
                       routing.reason);
    } else {
        tool_error(learned->options->tool, "learned: %d rows: %s", SMALL_ROWS, error_message());
        learned_note_failure(learned);
    }
    learned_close(learned);
    return status == STATUS_OK;
}

static void
print_sets(const struct learned *learned)
{
    printf("sets: what the engine chooses against its tree, ns a look-up\n");
    for (size_t i = 0; i < learned->set_count; i++) {
        const struct learned_set *set = &learned->set[i];

        printf("  %-22s %10llu rows  tree %7.1f  %-10s %7.1f  %.2fx\n", set->name,
               (unsigned long long)set->rows, set->tree_ns, set->kind, set->chosen_ns,
               set->tree_ns / set->chosen_ns);
    }
    printf("\n");
    (void)fflush(stdout);
}

bool
learned_run_sets(struct learned *learned)
{
    bool ok = true;

    for (size_t i = 0; ok && i < sizeof(hostile) / sizeof(hostile[0]); i++)
        ok = run_hostile(learned, i);
    ok = ok && run_files(learned) && run_small(learned);
    print_sets(learned);
    return ok;
}
