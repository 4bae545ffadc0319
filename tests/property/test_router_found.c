/*
 * Goal: whatever the keys, every router of every kind finds the leaf that a binary search finds, for
 * keys that begin a leaf, end one, lie between, or lie outside; and where models cannot be trusted,
 * AUTO does not take one.
 * Method: hostile and real sets of several sizes; each kind, and the RMI with each root; every leaf's
 * first and last key with their neighbours, and random keys. Then leaves are appended and all is asked
 * again. The seed is printed.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/random.h"
#include "learned/router.h"
#include "tests/support/leaf_sets.h"

enum { SEED = 20261121, LEAVES_MAX = 20000, SPARE = 100 };

static const uint32_t sizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 255, 256, 257, 4097, LEAVES_MAX};

enum { SIZE_COUNT = sizeof(sizes) / sizeof(sizes[0]) };

static uint64_t question_count;

/* Every way to ask gives what the binary search gives. */
static void
ask(const struct router *router, const struct leaf_directory *directory, uint64_t key,
    const char *name)
{
    uint32_t count = leaf_directory_count(directory);
    uint32_t expected = leaf_directory_search(directory, count, key);
    struct router_guess guess = router_predict(router, directory, key);

    question_count++;
    cr_assert_eq(router_find(router, directory, key), expected, "%s: key %llu: leaf %u, not %u",
                 name, (unsigned long long)key, router_find(router, directory, key), expected);
    cr_assert(guess.low <= guess.position && guess.position < guess.high && guess.high <= count,
              "%s: key %llu: window", name, (unsigned long long)key);
    cr_assert_eq(router_correct(directory, &guess, key), expected, "%s: key %llu: predict, correct",
                 name, (unsigned long long)key);

    /* The leaf before the first entry not below the key. */
    uint32_t first = router_find_first(router, directory, key);
    cr_assert(first == 0 || directory->keys[first] < key);
    cr_assert(first + 1 >= count || directory->keys[first + 1] >= key);
}

static void
ask_all(const struct router *router, const struct leaf_directory *directory, const char *name)
{
    uint32_t count = leaf_directory_count(directory);
    struct random random;

    random_init(&random, SEED);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t key = directory->keys[i];

        ask(router, directory, key, name);
        ask(router, directory, key - 1, name);
        ask(router, directory, key + 1, name);
        if (i + 1 < count && directory->keys[i + 1] > key)
            ask(router, directory, key + random_below(&random, directory->keys[i + 1] - key), name);
    }
    for (uint32_t i = 0; i < 1000; i++)
        ask(router, directory, random_u64(&random) >> random_below(&random, 64), name);
    ask(router, directory, 0, name);
    ask(router, directory, UINT64_MAX, name);
}

static void
check_verdict(const struct router_verdict *verdict, const struct router_options *options,
              const char *name)
{
    bool is_model = verdict->kind == ROUTER_RMI || verdict->kind == ROUTER_PLA;

    if (options->kind == ROUTER_AUTO && is_model) {
        cr_assert(verdict->error_p99 <= ROUTER_ERROR_P99_MAX, "%s: p99", name);
        cr_assert(verdict->model_empty_count * 100ULL <
                      verdict->model_count * (uint64_t)ROUTER_EMPTY_PERCENT_MAX,
                  "%s: empty models", name);
    }
    if (verdict->kind == ROUTER_PLA)
        cr_assert(verdict->error_max <= (options->piece_error ? options->piece_error : 2) + 1,
                  "%s: error %u", name, verdict->error_max);
}

/* One kind: asked as trained, and after leaves were appended at the right edge. */
static void
check_kind(const uint64_t *keys, uint32_t count, const struct router_options *options,
           const char *name)
{
    struct memory *memory = memory_new();
    struct leaf_directory directory;
    struct router *router;
    char place[200];

    (void)snprintf(place, sizeof(place), "%s, %u leaves, %s, %s", name, count,
                   router_kind_name(options->kind), router_root_name(options->root));
    leaf_set_directory(keys, count, SPARE, memory, &directory);
    cr_assert_eq(router_train(&directory, options, memory, &router), STATUS_OK);
    check_verdict(router_verdict(router), options, place);
    ask_all(router, &directory, place);

    uint64_t step = (UINT64_MAX - keys[count - 1]) / SPARE;

    for (uint32_t i = 1; i <= SPARE; i++)
        cr_assert_eq(leaf_directory_append(&directory, keys[count - 1] + i * step, i), STATUS_OK);
    ask_all(router, &directory, place);
    router_free(router);
    leaf_directory_deinit(&directory);
    memory_delete(memory);
}

static void
check_keys(const uint64_t *keys, uint32_t count, const char *name)
{
    struct router_options options = {.row_count = UINT64_C(1) << 40};

    for (int kind = ROUTER_AUTO; kind < ROUTER_KIND_COUNT; kind++) {
        options.kind = (enum router_kind)kind;
        if (kind == ROUTER_TREE)
            continue;
        check_kind(keys, count, &options, name);
    }
    for (int root = ROUTER_ROOT_LINEAR; root < ROUTER_ROOT_COUNT; root++) {
        options.kind = ROUTER_RMI;
        options.root = (enum router_root)root;
        options.model_leaves = 1 + (uint32_t)root * 5;
        check_kind(keys, count, &options, name);
    }
    options = (struct router_options){.kind = ROUTER_PLA, .piece_error = 16};
    check_kind(keys, count, &options, name);
}

/* covers: L3, L7, L8 */
Test(router_found, in_hostile_sets_by_every_kind)
{
    uint64_t *keys = malloc(LEAVES_MAX * sizeof(keys[0]));

    cr_assert_not_null(keys);
    for (int set = 0; set < LEAF_SET_COUNT; set++)
        for (uint32_t size = 0; size < SIZE_COUNT; size++) {
            leaf_set_fill((enum leaf_set)set, SEED, sizes[size], keys);
            check_keys(keys, sizes[size], leaf_set_name((enum leaf_set)set));
        }
    free(keys);
    printf("seed %d: %llu questions\n", SEED, (unsigned long long)question_count);
}

/* covers: L3, L7 */
Test(router_found, in_real_sets_by_every_kind)
{
    static const char *const names[] = {"geowhois_v4", "cities_morton", "osm_seas10m_morton"};

    for (uint32_t i = 0; i < 3; i++) {
        struct memory *memory = memory_new();
        size_t count;
        uint64_t *keys = leaf_set_load(names[i], memory, &count);

        memory_delete(memory);
        if (keys == NULL)
            cr_skip_test("$QTDB_SHARED/keys/%s.u64.zst is not there: real keys are NOT tested",
                         names[i]);
        uint32_t leaf_count = 0;

        /* Leaves of 20 rows: more of them than full ones, and harder. */
        for (size_t row = 0; row < count; row += 20)
            keys[leaf_count++] = keys[row];
        cr_assert(leaf_count > 9000);
        check_keys(keys, leaf_count < 40000 ? leaf_count : 40000, names[i]);
        free(keys);
    }
}
