/*
 * What it costs to find a leaf by each kind of router: ns a look-up (prediction and correction), alone
 * and each waiting for the one before, bytes a row of router and directory, and time to train.
 *
 * Directories are made as an ordered load of 16-byte rows leaves them: 254 rows a leaf. For uniform
 * keys the leaves' first keys are drawn directly. Look-ups are uniform over rows; each is compared with a
 * binary search of the directory before the clock starts, and the sum of the answers after it. The
 * clock is the thread's own processor time; figures are the least of ROUND_COUNT rounds, training the
 * least of TRAIN_COUNT. Real key sets are read from $QTDB_SHARED/keys, and skipped aloud.
 *
 *   bench_router [--smoke]     --smoke: few rows and look-ups, for a test that it runs
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/base/check.h"
#include "kernel/base/compress.h"
#include "kernel/base/memory.h"
#include "kernel/base/random.h"
#include "learned/router.h"

enum { ROWS_A_LEAF = 254, ROUND_COUNT = 5, TRAIN_COUNT = 5, PATH_SIZE = 4096, TEXT_SIZE = 600 };

#define QUERY_COUNT (UINT32_C(1) << 18)

struct bench {
    struct memory *memory;
    struct leaf_directory directory;
    uint64_t row_count;
    const char *name;
    uint32_t query_count;
    uint64_t *queries;
    uint64_t answer_sum;
    volatile uint64_t no_bits; /* 0, which the compiler may not know: makes a dependency. */
};

static double
now_ns(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void
must(enum status status)
{
    if (status == STATUS_OK)
        return;
    printf("failed: %s\n", status_name(status));
    exit(1);
}

static void
is_right(bool condition, const struct bench *bench, const char *kind)
{
    if (condition)
        return;
    printf("%s %s: wrong leaf\n", bench->name, kind);
    exit(1);
}

/* ---- Look-ups -------------------------------------------------------------------------------- */

/* NULL stands for a binary search of the directory. */
static inline uint32_t
find(const struct bench *bench, const struct router *router, uint64_t key)
{
    if (router == NULL)
        return leaf_directory_search(&bench->directory, leaf_directory_count(&bench->directory),
                                     key);
    return router_find(router, &bench->directory, key);
}

static double
time_round(const struct bench *bench, const struct router *router, bool is_dependent,
           uint64_t *sum_out)
{
    uint64_t last = 0;
    uint64_t sum = 0;
    double begin = now_ns();

    if (is_dependent) {
        for (uint32_t i = 0; i < bench->query_count; i++) {
            last = find(bench, router, bench->queries[i] + (last & bench->no_bits));
            sum += last;
        }
    } else {
        for (uint32_t i = 0; i < bench->query_count; i++)
            sum += find(bench, router, bench->queries[i]);
    }
    *sum_out = sum;
    return (now_ns() - begin) / bench->query_count;
}

static double
time_find(const struct bench *bench, const struct router *router, bool is_dependent,
          const char *kind)
{
    double best = 1e18;

    for (uint32_t round = 0; round < ROUND_COUNT; round++) {
        uint64_t sum;
        double ns = time_round(bench, router, is_dependent, &sum);

        is_right(sum == bench->answer_sum, bench, kind);
        best = ns < best ? ns : best;
    }
    return best;
}

static void
draw_queries(struct bench *bench)
{
    const uint64_t *keys = bench->directory.keys;
    uint32_t count = leaf_directory_count(&bench->directory);
    struct random random;

    random_init(&random, 5);
    bench->answer_sum = 0;
    for (uint32_t i = 0; i < bench->query_count; i++) {
        uint32_t leaf = (uint32_t)random_below(&random, count);
        uint64_t width = leaf + 1 < count ? keys[leaf + 1] - keys[leaf] : ROWS_A_LEAF;

        bench->queries[i] = keys[leaf] + (width > 0 ? random_below(&random, width) : 0);
        bench->answer_sum += leaf_directory_search(&bench->directory, count, bench->queries[i]);
    }
}

/* ---- Routers --------------------------------------------------------------------------------- */

static double
time_training(const struct bench *bench, const struct router_options *options)
{
    double best = 1e18;

    for (uint32_t round = 0; round < TRAIN_COUNT; round++) {
        struct router *router;
        double begin = now_ns();

        must(router_train(&bench->directory, options, bench->memory, &router));
        double ns = now_ns() - begin;
        best = ns < best ? ns : best;
        router_free(router);
    }
    return best / 1e6;
}

static void
print_line(const struct bench *bench, const char *kind, const struct router *router,
           double train_ms)
{
    double alone = time_find(bench, router, false, kind);
    double dependent = time_find(bench, router, true, kind);
    uint64_t directory_size = UINT64_C(12) * leaf_directory_count(&bench->directory);
    uint64_t size = router == NULL ? 0 : router_verdict(router)->size;

    printf("learned set=%s rows=%llu router=%s ns=%.1f ns_dependent=%.1f train_ms=%.3f "
           "router_bytes_a_row=%.4f with_directory=%.4f",
           bench->name, (unsigned long long)bench->row_count, kind, alone, dependent, train_ms,
           (double)size / (double)bench->row_count,
           (double)(size + directory_size) / (double)bench->row_count);
    if (router != NULL)
        printf(" estimate_ns=%.1f", router_verdict(router)->cost_ns[router_verdict(router)->kind]);
    printf("\n");
}

static void
verify(const struct bench *bench, const struct router *router, const char *kind)
{
    for (uint32_t i = 0; i < bench->query_count; i++)
        is_right(find(bench, router, bench->queries[i]) == find(bench, NULL, bench->queries[i]),
                 bench, kind);
}

static void
run(struct bench *bench)
{
    char text[TEXT_SIZE];

    draw_queries(bench);
    print_line(bench, "binary", NULL, 0.0);
    for (int kind = ROUTER_AUTO; kind < ROUTER_KIND_COUNT; kind++) {
        struct router_options options = {.kind = (enum router_kind)kind,
                                         .row_count = bench->row_count};
        struct router *router;

        must(router_train(&bench->directory, &options, bench->memory, &router));
        if (router_verdict(router)->kind != ROUTER_TREE) {
            const char *name = router_kind_name(options.kind);

            verify(bench, router, name);
            print_line(bench, name, router, time_training(bench, &options));
        }
        if (kind != ROUTER_TREE) {
            router_verdict_print(router_verdict(router), text, sizeof(text));
            printf("  verdict %s\n", text);
        }
        router_free(router);
    }
    leaf_directory_deinit(&bench->directory);
    printf("\n");
}

/* ---- Key sets -------------------------------------------------------------------------------- */

static void
run_dense(struct bench *bench, uint64_t row_count)
{
    uint32_t count = (uint32_t)((row_count + ROWS_A_LEAF - 1) / ROWS_A_LEAF);

    bench->name = "dense";
    bench->row_count = row_count;
    must(leaf_directory_init(&bench->directory, bench->memory, count));
    for (uint32_t i = 0; i < count; i++)
        must(leaf_directory_append(&bench->directory, (uint64_t)i * ROWS_A_LEAF, i));
    run(bench);
}

static int
compare_keys(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a;
    uint64_t second = *(const uint64_t *)b;

    return (first > second) - (first < second);
}

static void
run_uniform(struct bench *bench, uint64_t row_count)
{
    uint32_t count = (uint32_t)((row_count + ROWS_A_LEAF - 1) / ROWS_A_LEAF);
    uint64_t *keys = memory_alloc(bench->memory, MEMORY_OTHER, count * sizeof(keys[0]));
    struct random random;

    CHECK(keys != NULL);
    random_init(&random, 11);
    for (uint32_t i = 0; i < count; i++)
        keys[i] = random_u64(&random);
    qsort(keys, count, sizeof(keys[0]), compare_keys);
    bench->name = "uniform";
    bench->row_count = row_count;
    must(leaf_directory_init(&bench->directory, bench->memory, count));
    for (uint32_t i = 0; i < count; i++)
        must(leaf_directory_append(&bench->directory, keys[i], i));
    memory_free(bench->memory, MEMORY_OTHER, keys, count * sizeof(keys[0]));
    run(bench);
}

/* The whole file in `out`, unpacked; returns bytes, 0 when there is no such file. */
static size_t
load(struct memory *memory, FILE *file, uint8_t *out, size_t room)
{
    static uint8_t packed[1 << 16];
    struct decompress *stream;
    size_t used = 0;
    size_t size;

    must(decompress_new(memory, &stream));
    while ((size = fread(packed, 1, sizeof(packed), file)) > 0) {
        for (size_t begin = 0; begin < size;) {
            struct decompress_piece piece = {.in = packed + begin,
                                             .in_size = size - begin,
                                             .out = out + used,
                                             .out_size = room - used};

            must(decompress_step(stream, &piece));
            begin += piece.in_used;
            used += piece.out_used;
        }
    }
    decompress_free(stream);
    return used;
}

static void
run_real(struct bench *bench, const char *name, uint32_t rows_a_leaf)
{
    const size_t room = 16 << 20;
    const char *shared = getenv("QTDB_SHARED");
    char path[PATH_SIZE];

    (void)snprintf(path, sizeof(path), "%s/keys/%s.u64.zst", shared == NULL ? "../shared" : shared,
                   name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        printf("SKIPPED set=%s: %s is not there\n", name, path);
        return;
    }
    uint64_t *keys = memory_alloc(bench->memory, MEMORY_OTHER, room);
    CHECK(keys != NULL);
    size_t count = load(bench->memory, file, (uint8_t *)keys, room) / sizeof(keys[0]);

    (void)fclose(file);
    bench->name = name;
    bench->row_count = (uint64_t)count * ROWS_A_LEAF / rows_a_leaf;
    must(
        leaf_directory_init(&bench->directory, bench->memory, (uint32_t)(count / rows_a_leaf) + 1));
    for (size_t row = 0; row < count; row += rows_a_leaf)
        must(leaf_directory_append(&bench->directory, keys[row], (uint32_t)(row / rows_a_leaf)));
    memory_free(bench->memory, MEMORY_OTHER, keys, room);
    run(bench);
}

int
main(int argc, char **argv)
{
    bool is_smoke = argc > 1 && strcmp(argv[1], "--smoke") == 0;
    struct bench bench = {.memory = memory_new(), .query_count = is_smoke ? 1000 : QUERY_COUNT};

    CHECK(bench.memory != NULL);
    if (argc > 2 || (argc > 1 && !is_smoke)) {
        printf("usage: bench_router [--smoke]\n");
        return 2;
    }
    bench.queries =
        memory_alloc(bench.memory, MEMORY_OTHER, bench.query_count * sizeof(bench.queries[0]));
    CHECK(bench.queries != NULL);
    for (uint64_t rows = is_smoke ? 100000 : 1000000; rows <= (is_smoke ? 100000 : 100000000);
         rows *= 10) {
        run_dense(&bench, rows);
        run_uniform(&bench, rows);
    }
    run_real(&bench, "geowhois_v4", ROWS_A_LEAF);
    run_real(&bench, "cities_morton", ROWS_A_LEAF);
    run_real(&bench, "osm_seas10m_morton", ROWS_A_LEAF);
    /* The same shape with as many leaves as 10 M rows have: 43 rows a leaf, counted as 254. */
    run_real(&bench, "osm_seas10m_morton", 43);
    memory_free(bench.memory, MEMORY_OTHER, bench.queries,
                bench.query_count * sizeof(bench.queries[0]));
    memory_delete(bench.memory);
    return 0;
}
