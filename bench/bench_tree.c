/*
 * The trees' figures, each verified: every value got is compared with what the key's should be, and a
 * scan's rows are counted and summed.
 *
 *   get      ns a btree_get of random present keys, the best of 40 rounds, values of 8 bytes copied out, everything in memory;
 *            integer keys, and variable keys of 16 bytes
 *   batch    the same in batches of 32 (btree_get_batch), ns a key
 *   scan     ns a row of a cursor from the first to the last row
 *   log      bytes logged a row for rows inserted in random order, 1,000 a change
 *
 *   bench_tree [get|batch|scan|log]... [--rows N]... [--gets N] [--dir DIR] [--smoke]
 *
 * Keys are random numbers put in in ascending order, so leaves are full; --shuffled puts them in in
 * random order. Without --rows: 1 M and 10 M. Exit 1 when a result is wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "btree/btree.h"
#include "kernel/base/error.h"
#include "kernel/base/log_sink.h"
#include "kernel/base/random.h"

enum {
    ROWS_A_CHANGE = 1000,
    ROWS_MAX_COUNT = 8,
    KEY_MAX = 16,
    TREE_ID = 20,
    ROUNDS = 40,
    BATCH = 32
};

struct bench_tree {
    struct env env;
    char dir[512];
    char path[600];
    uint64_t gets;
    bool shuffled;
    uint32_t value_size;
    struct random random;
    struct pager *pager;
    struct btree tree;
    uint64_t *numbers;
    uint64_t count;
};

static void
must(enum status status, const char *what)
{
    if (status == STATUS_OK)
        return;
    fprintf(stderr, "bench_tree: %s: %s: %s\n", what, status_name(status), error_message());
    exit(1);
}

static void
wrong(const char *what)
{
    fprintf(stderr, "bench_tree: %s\n", what);
    exit(1);
}

static void
show_log(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    fprintf(stderr, "%s\n", line);
}

static double
seconds(const struct bench_tree *bench)
{
    return (double)io_clock_ns(bench->env.io) / 1e9;
}

static int
compare_numbers(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a;
    uint64_t second = *(const uint64_t *)b;

    return (first > second) - (first < second);
}

/* ---- Rows --------------------------------------------------------------------------------------- */

/* The key of a number: its bytes, or its 16 hexadecimal digits. */
static size_t
key_of(const struct bench_tree *bench, uint64_t number, uint8_t *out)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t swapped = __builtin_bswap64(number);

    if (bench->tree.kind == BTREE_INT) {
        memcpy(out, &swapped, 8);
        return 8;
    }
    for (int i = 0; i < 16; i++)
        out[i] = (uint8_t)digits[number >> (60 - 4 * i) & 15];
    return 16;
}

static uint64_t
value_of(uint64_t number)
{
    return number * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static void
make_value(const struct bench_tree *bench, uint64_t number, uint8_t *out)
{
    uint64_t value = value_of(number);

    memset(out, (int)(value & 0x7f), bench->value_size);
    memcpy(out, &value, sizeof(value));
}

/* ---- The tree ----------------------------------------------------------------------------------- */

static void
open_tree(struct bench_tree *bench, enum btree_kind kind)
{
    struct pager_options options = {
        .create = true,
        .huge_pages = true,
        .pool_size = (bench->count * (bench->value_size + 48) * 2 + (64u << 20)) & ~UINT64_C(4095),
        .log_limit = UINT64_C(2) << 30,
        .segment_size = 64u << 20,
    };

    must(pager_open(&bench->env, bench->path, &options, &bench->pager), "open");
    bench->tree =
        (struct btree){.pager = bench->pager, .root = PAGE_NONE, .tree_id = TREE_ID, .kind = kind};
}

static void
close_tree(struct bench_tree *bench)
{
    must(pager_close(bench->pager), "close");
    must(io_remove(bench->env.io, bench->path), "remove");
}

static enum status
put_rows(struct bench_tree *bench, struct pager_change *change, uint64_t from, uint64_t to)
{
    uint8_t key[KEY_MAX];
    uint8_t value[1024];

    if (bench->tree.root == PAGE_NONE)
        TRY(btree_create(change, bench->tree.kind, TREE_ID, PAGE_NONE, &bench->tree.root));
    for (uint64_t i = from; i < to; i++) {
        size_t size = key_of(bench, bench->numbers[i], key);

        make_value(bench, bench->numbers[i], value);
        TRY(btree_put(change, &bench->tree, key, size, value, bench->value_size, NULL));
    }
    return STATUS_OK;
}

static void
load(struct bench_tree *bench)
{
    for (uint64_t from = 0; from < bench->count;) {
        uint64_t to = from + ROWS_A_CHANGE < bench->count ? from + ROWS_A_CHANGE : bench->count;
        uint32_t root = bench->tree.root;
        struct pager_change *change;
        uint64_t csn;

        must(pager_change_begin(bench->pager, &change), "begin");
        enum status status = put_rows(bench, change, from, to);

        if (status == STATUS_OK)
            status = pager_change_commit(change, &csn);
        else
            pager_change_abandon(change);
        if (status == STATUS_MISSING) {
            bench->tree.root = root;
            must(pager_change_resolve(bench->pager), "resolve");
            continue;
        }
        must(status, "put");
        from = to;
    }
}

static void
make_numbers(struct bench_tree *bench, uint64_t count)
{
    bench->count = count;
    bench->numbers = memory_alloc(bench->env.memory, MEMORY_OTHER, count * sizeof(uint64_t));
    if (bench->numbers == NULL)
        wrong("no memory for the keys");
    for (uint64_t i = 0; i < count; i++)
        bench->numbers[i] = random_mix(i);
    if (!bench->shuffled)
        qsort(bench->numbers, count, sizeof(uint64_t), compare_numbers);
}

static double
page_fill(const struct bench_tree *bench)
{
    struct btree_walk walk = {.finding = NULL};

    must(btree_verify(&bench->tree, false, &walk), "verify");
    if (walk.finding_count != 0 || walk.row_count != bench->count)
        wrong("the tree is not what was put in");
    return (double)walk.row_count / (double)walk.page_count;
}

/* ---- Cases -------------------------------------------------------------------------------------- */

static void
get_one(const struct bench_tree *bench, uint64_t number)
{
    uint8_t key[KEY_MAX];
    uint8_t value[1024];
    size_t key_size = key_of(bench, number, key);
    size_t size = sizeof(value);
    uint64_t csn;
    uint64_t first;

    if (btree_get(&bench->tree, key, key_size, value, &size, &csn) != STATUS_OK)
        wrong("a key is not found");
    memcpy(&first, value, sizeof(first));
    if (size != bench->value_size || first != value_of(number))
        wrong("a key has another value");
}

static double
get_round(struct bench_tree *bench)
{
    uint64_t gets = bench->gets / ROUNDS + 1;
    double start = seconds(bench);

    for (uint64_t i = 0; i < gets; i++)
        get_one(bench, random_mix(random_below(&bench->random, bench->count)));
    return (seconds(bench) - start) * 1e9 / (double)gets;
}

static double
batch_round(struct bench_tree *bench)
{
    uint64_t batches = bench->gets / ROUNDS / BATCH + 1;
    uint8_t keys[BATCH][KEY_MAX];
    uint8_t values[BATCH][1024];
    uint64_t numbers[BATCH];
    struct btree_get gets[BATCH];
    double start = seconds(bench);

    for (uint64_t b = 0; b < batches; b++) {
        for (uint32_t i = 0; i < BATCH; i++) {
            numbers[i] = random_mix(random_below(&bench->random, bench->count));
            gets[i] = (struct btree_get){.key = keys[i],
                                         .key_size = key_of(bench, numbers[i], keys[i]),
                                         .value = values[i],
                                         .size = sizeof(values[i])};
        }
        must(btree_get_batch(&bench->tree, gets, BATCH), "batch");
        for (uint32_t i = 0; i < BATCH; i++) {
            uint64_t first;

            memcpy(&first, values[i], sizeof(first));
            if (gets[i].status != STATUS_OK || gets[i].size != bench->value_size ||
                first != value_of(numbers[i]))
                wrong("a key of a batch has another value");
        }
    }
    return (seconds(bench) - start) * 1e9 / (double)(batches * BATCH);
}

static double
scan_round(struct bench_tree *bench)
{
    struct btree_cursor cursor;
    uint64_t count = 0;
    uint64_t sum = 0;
    uint64_t expected = 0;
    double start = seconds(bench);

    btree_cursor_init(&cursor, &bench->tree, bench->env.memory);
    enum status status = btree_cursor_seek(&cursor, NULL, 0);

    for (; status == STATUS_OK; status = btree_cursor_next(&cursor), count++) {
        uint64_t first;

        memcpy(&first, cursor.row.value, sizeof(first));
        sum += first;
    }
    double taken = seconds(bench) - start;

    btree_cursor_deinit(&cursor);
    for (uint64_t i = 0; i < bench->count; i++)
        expected += value_of(bench->numbers[i]);
    if (status != STATUS_NOT_FOUND || count != bench->count || sum != expected)
        wrong("a scan met other rows than were put in");
    return taken * 1e9 / (double)count;
}

/* What the loop itself costs. */
static double
empty_round(struct bench_tree *bench)
{
    uint64_t gets = bench->gets / ROUNDS + 1;
    double start = seconds(bench);
    uint64_t sum = 0;

    for (uint64_t i = 0; i < gets; i++) {
        uint8_t key[KEY_MAX];

        (void)key_of(bench, random_mix(random_below(&bench->random, bench->count)), key);
        sum += key[7];
    }
    if (sum == 1)
        printf(" ");
    return (seconds(bench) - start) * 1e9 / (double)gets;
}

static const char *
kind_name(const struct bench_tree *bench)
{
    return bench->tree.kind == BTREE_INT ? "int" : "var";
}

static void
bench_get(struct bench_tree *bench, const char *name, double (*round)(struct bench_tree *bench))
{
    double fill = page_fill(bench);
    double best = round(bench);
    double empty = empty_round(bench);

    for (int i = 1; i < ROUNDS; i++) {
        double taken = round(bench);

        best = taken < best ? taken : best;
    }
    printf("%-5s %s %9lu rows: %6.1f ns (%.1f of it the loop's); %.0f rows a page\n", name,
           kind_name(bench), (unsigned long)bench->count, best, empty, fill);
}

static void
run_tree(struct bench_tree *bench, const char *name, enum btree_kind kind)
{
    struct pager_statistics before, after;

    open_tree(bench, kind);
    pager_get_statistics(bench->pager, &before);
    double start = seconds(bench);
    load(bench);
    must(pager_flush(bench->pager, pager_csn(bench->pager)), "flush");
    double taken = seconds(bench) - start;
    pager_get_statistics(bench->pager, &after);
    if (strcmp(name, "log") == 0)
        printf("log   %s %9lu rows: %6.1f bytes a row, %.0f ns a row\n", kind_name(bench),
               (unsigned long)bench->count,
               (double)(after.log.frame_size - before.log.frame_size) / (double)bench->count,
               taken * 1e9 / (double)bench->count);
    else
        bench_get(bench, name,
                  strcmp(name, "get") == 0    ? get_round
                  : strcmp(name, "scan") == 0 ? scan_round
                                              : batch_round);
    (void)fflush(stdout);
    close_tree(bench);
}

static void
run(struct bench_tree *bench, const char *name, uint64_t rows)
{
    bool shuffled = bench->shuffled;

    if (strcmp(name, "get") != 0 && strcmp(name, "batch") != 0 && strcmp(name, "scan") != 0 &&
        strcmp(name, "log") != 0) {
        fprintf(stderr, "bench_tree: no case '%s': get, batch, scan, log\n", name);
        exit(2);
    }
    bench->shuffled = shuffled || strcmp(name, "log") == 0;
    make_numbers(bench, rows);
    run_tree(bench, name, BTREE_INT);
    run_tree(bench, name, BTREE_VAR);
    memory_free(bench->env.memory, MEMORY_OTHER, bench->numbers, rows * sizeof(uint64_t));
    bench->shuffled = shuffled;
}

struct arguments {
    const char *names[16];
    int name_count;
    uint64_t rows[ROWS_MAX_COUNT];
    int rows_count;
};

static bool
parse(struct bench_tree *bench, int argc, char **argv, struct arguments *out)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc)
            (void)snprintf(bench->dir, sizeof(bench->dir), "%s", argv[++i]);
        else if (strcmp(argv[i], "--rows") == 0 && i + 1 < argc && out->rows_count < ROWS_MAX_COUNT)
            out->rows[out->rows_count++] = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--gets") == 0 && i + 1 < argc)
            bench->gets = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--value") == 0 && i + 1 < argc)
            bench->value_size = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--shuffled") == 0)
            bench->shuffled = true;
        else if (strcmp(argv[i], "--smoke") == 0)
            out->rows[out->rows_count++] = 20000;
        else if (argv[i][0] != '-' && out->name_count < 16)
            out->names[out->name_count++] = argv[i];
        else
            return false;
    }
    for (int i = 0; i < out->rows_count; i++)
        if (out->rows[i] == 0)
            return false;
    return bench->gets > 0 && bench->value_size >= 8 && bench->value_size <= 1024;
}

int
main(int argc, char **argv)
{
    static struct bench_tree bench = {.dir = "build/bench/tree", .gets = 4000000, .value_size = 8};
    struct arguments arguments = {.name_count = 0};

    if (!parse(&bench, argc, argv, &arguments)) {
        fprintf(
            stderr,
            "usage: bench_tree [get|batch|scan|log]... [--rows N]... [--gets N] [--value 8..1024] "
            "[--shuffled] [--dir DIR] [--smoke]\n");
        return 2;
    }
    if (arguments.name_count == 0) {
        arguments.names[arguments.name_count++] = "get";
        arguments.names[arguments.name_count++] = "batch";
        arguments.names[arguments.name_count++] = "scan";
        arguments.names[arguments.name_count++] = "log";
    }
    if (arguments.rows_count == 0) {
        arguments.rows[arguments.rows_count++] = 1000000;
        arguments.rows[arguments.rows_count++] = 10000000;
    }
    log_sink_set(show_log, NULL, LOG_WARN);
    bench.env.memory = memory_new();
    must(io_posix_open(bench.env.memory, true, &bench.env.io), "the operating system");
    (void)mkdir(bench.dir, 0777);
    (void)snprintf(bench.path, sizeof(bench.path), "%s/tree.qtdb", bench.dir);
    random_init(&bench.random, 1);
    for (int r = 0; r < arguments.rows_count; r++)
        for (int i = 0; i < arguments.name_count; i++)
            run(&bench, arguments.names[i], arguments.rows[r]);
    io_close_all(bench.env.io);
    memory_delete(bench.env.memory);
    return 0;
}
