/*
 * trees: the table of the trees and transactions, every row by one command: qtdb, each peer, and the
 * ratio that the row is about. What this program cannot measure is named in the same table.
 *
 * A row is a case, a figure of it, and what it is held against: a fixed number, named peers, the best
 * peer, or the engine itself in another case (two readers against one).
 */
#include <inttypes.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_command.h"
#include "tools/qtdb-bench/bench_device.h"
#include "tools/qtdb-bench/bench_print.h"
#include "tools/qtdb-bench/bench_reads.h"

/* DEVICE: bytes at the block device, because /proc counts a synced append as its few bytes. READS: the
 * device's own rate of random reads with as many under way as a batch has keys. */
enum figure { RATE, ROWS, NS, WRITTEN, DEVICE, LEAF_READS, HIT_RATE, PAGE_HIT_RATE };
enum against { NUMBER, PEERS, BEST, BELOW, ITSELF, READS, BOUNDS };

struct tree_row {
    const char *name;
    const char *workload; /* NULL: not measured here, `note` says where. */
    enum figure figure;
    enum against against;
    const char *peers; /* With PEERS and BELOW: their names. */
    double least;      /* Ratio at least, or number at most (NS, WRITTEN) or at least. */
    double least_two;  /* Against the second peer named. */
    double aim;
    uint64_t value_size;
    uint64_t batch;
    uint64_t threads;
    uint64_t divisor; /* Of --rows. */
    bool writer;
    bool on_device; /* On a loop device with a journal. */
    bool tenth;     /* A pool of a tenth of the data, rows chosen with skew. */
    uint64_t rows;  /* Instead of --rows: against legacy-memory, asynchronous, nobody else. */
    const char *note;
};

static const struct tree_row tree_rows[] = {
    {.name = "point get, 8-byte values, in a read transaction (ns)",
     .workload = "get",
     .figure = NS,
     .least = 120,
     .aim = 60,
     .value_size = 8,
     .batch = 1000,
     .note = "at least is for 1 M rows; 250 at 10 M, 450 at 100 M"},
    {.name = "point get, 100-byte values, inside one read transaction",
     .workload = "get",
     .against = PEERS,
     .peers = "lmdb sqlite",
     .least = 2.5,
     .least_two = 4.5,
     .aim = 4,
     .value_size = 100,
     .batch = 1000},
    {.name = "one get a transaction",
     .workload = "get",
     .against = PEERS,
     .peers = "lmdb sqlite",
     .least = 2,
     .least_two = 7,
     .aim = 3.5,
     .value_size = 100,
     .batch = 1},
    {.name = "two reader threads against one",
     .workload = "get",
     .against = ITSELF,
     .least = 1.8,
     .aim = 1.9,
     .value_size = 100,
     .batch = 1000,
     .threads = 2},
    {.name = "readers beside one saturated writer, against readers alone",
     .workload = "get-writer",
     .against = ITSELF,
     .least = 0.7,
     .aim = 0.9,
     .value_size = 100,
     .batch = 100,
     .writer = true},
    {.name = "batches of 32 (ns a key)",
     .workload = "batchget",
     .figure = NS,
     .least = 90,
     .aim = 45,
     .value_size = 8,
     .batch = 32},
    {.name = "cursor scan of 100-byte rows",
     .workload = "scan",
     .figure = ROWS,
     .against = PEERS,
     .peers = "lmdb",
     .least = 1.0,
     .aim = 1.5,
     .value_size = 100,
     .batch = 1},
    {.name = "ordered load, 100-byte rows",
     .workload = "load",
     .figure = ROWS,
     .against = PEERS,
     .peers = "lmdb",
     .least = 0.8,
     .aim = 1.2,
     .value_size = 100,
     .batch = 10000},
    {.name = "ordered load: write amplification",
     .workload = "load",
     .figure = WRITTEN,
     .least = 1.15,
     .aim = 1.08,
     .value_size = 100,
     .batch = 10000},
    {.name = "1,000 random rows a durable transaction",
     .workload = "insert",
     .figure = ROWS,
     .against = BEST,
     .least = 1.0,
     .aim = 2,
     .value_size = 100,
     .batch = 1000},
    {.name = "1 row a durable transaction, one client",
     .workload = "insert",
     .against = PEERS,
     .peers = "sqlite",
     .least = 1.5,
     .value_size = 100,
     .batch = 1,
     .divisor = 50},
    {.name = "1 row a durable transaction, one client, ext4 with a journal",
     .workload = "insert",
     .against = BEST,
     .least = 1.3,
     .value_size = 100,
     .batch = 1,
     .divisor = 50,
     .on_device = true},
    {.name = "1 row a durable transaction, 8 clients",
     .workload = "insert",
     .against = BEST,
     .least = 1.5,
     .aim = 2.2,
     .value_size = 100,
     .batch = 1,
     .threads = 8,
     .divisor = 20},
    {.name = "1 row a durable transaction, 64 clients (a second)",
     .workload = "insert",
     .least = 150000,
     .aim = 300000,
     .value_size = 100,
     .batch = 1,
     .threads = 64,
     .divisor = 5},
    {.name = "write amplification at the device, random 100-byte rows, 1 a transaction",
     .workload = "insert",
     .figure = DEVICE,
     .on_device = true,
     .against = BELOW,
     .peers = "lmdb sqlite bdb leveldb",
     .value_size = 100,
     .batch = 1,
     .divisor = 50},
    {.name = "write amplification, random 100-byte rows, 100 a transaction",
     .workload = "insert",
     .figure = WRITTEN,
     .against = BELOW,
     .peers = "lmdb sqlite bdb leveldb",
     .value_size = 100,
     .batch = 100},
    {.name = "write amplification, random 100-byte rows, 1,000 a transaction",
     .workload = "insert",
     .figure = WRITTEN,
     .against = BELOW,
     .peers = "lmdb sqlite bdb leveldb",
     .least = 4.5,
     .aim = 3.7,
     .value_size = 100,
     .batch = 1000},
    {.name = "write amplification, in-place updates of 100 bytes, 1,000 a transaction",
     .workload = "update",
     .figure = WRITTEN,
     .least = 3.5,
     .aim = 2.6,
     .value_size = 100,
     .batch = 1000},
    {.name =
         "write amplification, rows appended in order to a non-empty tree, 10,000 a transaction",
     .workload = "append",
     .figure = WRITTEN,
     .least = 1.5,
     .aim = 1.2,
     .value_size = 100,
     .batch = 10000},
    {.name = "write amplification, random 16-byte rows, 64 clients one row each",
     .workload = "insert",
     .figure = WRITTEN,
     .least = 20,
     .aim = 12,
     .value_size = 8,
     .batch = 1,
     .threads = 64,
     .divisor = 5},
    {.name = "write amplification, random 16-byte rows, 100 k a transaction",
     .workload = "insert",
     .figure = WRITTEN,
     .least = 10,
     .aim = 6,
     .value_size = 8,
     .batch = 100000},
    {.name = "one transaction updating every row of a table 10x the pool, crashed at 1,000 points",
     .note = "not measured here: qtdb-crash big --states 1000"},
    {.name = "data 10x the pool, cold random gets: page reads each",
     .workload = "cold",
     .figure = LEAF_READS,
     .least = 1.05,
     .aim = 1.0,
     .value_size = 100,
     .batch = 100},
    {.name =
         "data 10x the pool, cold random gets, 32 a call: against the device's reads, 32 at once",
     .workload = "cold-batch",
     .against = READS,
     .least = 0.8,
     .aim = 0.9,
     .value_size = 100,
     .batch = 32},
    {.name = "buffer pool hit rate, zipf 0.99, data 10x the pool, all pages from root to leaf",
     .workload = "hits",
     .figure = PAGE_HIT_RATE,
     .least = 0.8,
     .value_size = 100,
     .batch = 1000,
     .tenth = true,
     .note = "as PostgreSQL counts: blks_hit / (blks_hit + blks_read)"},
    {.name = "buffer pool hit rate, zipf 0.99, data 10x the pool, leaves alone",
     .workload = "hits",
     .figure = HIT_RATE,
     .against = BOUNDS,
     .least = 0.8,
     .value_size = 100,
     .batch = 1000,
     .tenth = true},
    {.name = "insert, storage API, against legacy in memory at 1 k rows",
     .workload = "insert",
     .figure = ROWS,
     .against = PEERS,
     .peers = "legacy-memory",
     .least = 1.0,
     .value_size = 100,
     .batch = 1000,
     .rows = 1000},
    {.name = "insert, storage API, against legacy in memory at 10 k rows",
     .workload = "insert",
     .figure = ROWS,
     .against = PEERS,
     .peers = "legacy-memory",
     .least = 1.0,
     .value_size = 100,
     .batch = 1000,
     .rows = 10000},
    {.name = "insert, storage API, against legacy in memory at 50 k rows",
     .workload = "insert",
     .figure = ROWS,
     .against = PEERS,
     .peers = "legacy-memory",
     .least = 1.0,
     .value_size = 100,
     .batch = 1000,
     .rows = 50000},
    {.name = "full scan, storage API, against legacy in memory at 1 k rows",
     .workload = "scan",
     .figure = ROWS,
     .against = PEERS,
     .peers = "legacy-memory",
     .least = 1.0,
     .value_size = 100,
     .batch = 1,
     .rows = 1000},
    {.name = "full scan, storage API, against legacy in memory at 10 k rows",
     .workload = "scan",
     .figure = ROWS,
     .against = PEERS,
     .peers = "legacy-memory",
     .least = 1.0,
     .value_size = 100,
     .batch = 1,
     .rows = 10000},
    {.name = "full scan, storage API, against legacy in memory at 50 k rows",
     .workload = "scan",
     .figure = ROWS,
     .against = PEERS,
     .peers = "legacy-memory",
     .least = 1.0,
     .value_size = 100,
     .batch = 1,
     .rows = 50000},
    {.name = "memory beyond the configured pool, an hour of updates beside snapshots",
     .note = "not measured here: build/bench/bench_memory --seconds 3600"},
};

static struct bench_case
sizes_of(const struct bench_options *options, const struct tree_row *row)
{
    struct bench_case sizes = bench_case_of(options, bench_workload_find(row->workload));
    uint64_t data;

    if (row->divisor > 0)
        sizes.rows = sizes.rows / row->divisor + 1;
    sizes.value_size = row->value_size;
    sizes.threads = row->threads > 0 ? row->threads : 1;
    sizes.writer = row->writer;
    /* Warm rows fit every cache twice; the command line's pool is for the others. */
    if (row->rows > 0) {
        sizes.rows = row->rows;
        sizes.sync = false;
    }
    sizes.batch = row->batch < sizes.rows ? row->batch : sizes.rows;
    sizes.zipf = row->tenth;
    data = 2 * sizes.rows * (row->value_size + 24);
    if (row->tenth)
        sizes.pool = data / 20 < 1 << 20 ? 1 << 20 : data / 20;
    else if (!sizes.workload->small_pool && sizes.pool < data)
        sizes.pool = data;
    if (sizes.workload->writes && !sizes.writer)
        sizes.seconds = 0;
    return sizes;
}

static bool
figure_of(const struct bench_result *result, int which, double *out)
{
    const struct bench_outcome *outcome = &result->outcome;

    if (which == ROWS)
        return bench_metric_of(result, BENCH_ROWS_PER_S, out);
    if (which == WRITTEN)
        return bench_metric_of(result, BENCH_WA_WRITE, out);
    if (which == HIT_RATE)
        return bench_metric_of(result, BENCH_HIT_RATE, out);
    if (which == PAGE_HIT_RATE)
        return bench_metric_of(result, BENCH_PAGE_HIT_RATE, out);
    if (which == DEVICE)
        return bench_metric_of(result, BENCH_WA_DEVICE, out);
    if (which == LEAF_READS) {
        *out = outcome->operations == 0
                   ? 0
                   : (double)outcome->written.page_reads / (double)outcome->operations;
        return outcome->state == BENCH_DONE && outcome->has_written;
    }
    bool known = bench_metric_of(result, BENCH_OPS_PER_S, out);
    if (known && which == NS)
        *out = 1e9 / *out;
    return known;
}

static struct bench_median
median(const struct bench_results *results, const struct bench_case *sizes,
       const struct bench_engine *engine, const struct tree_row *row)
{
    return bench_median_by(results, sizes, engine, figure_of, (int)row->figure);
}

static bool
names(const char *list, const char *name)
{
    const char *at = list == NULL ? NULL : strstr(list, name);

    return at != NULL;
}

/* The best of the peers (most, or least where less is better); 0 when there is none. */
static double
best_peer(const struct bench_options *options, const struct bench_results *results,
          const struct bench_case *sizes, const struct tree_row *row, const char **name)
{
    bool less = row->figure == WRITTEN || row->figure == DEVICE;
    double best = 0;

    for (size_t i = 0; i < options->engine_count; i++) {
        const struct bench_engine *engine = options->engines[i];
        struct bench_median figure = median(results, sizes, engine, row);

        if (engine == &bench_qtdb || (engine->flags & BENCH_UNORDERED) != 0 || figure.count == 0 ||
            (row->peers != NULL && !names(row->peers, engine->name)))
            continue;
        if (best == 0 || (less ? figure.value < best : figure.value > best)) {
            best = figure.value;
            *name = engine->name;
        }
    }
    return best;
}

static void
verdict(bool met)
{
    printf("  %s", met ? "met" : "NOT met");
}

static void
print_peers(const struct bench_options *options, const struct bench_results *results,
            const struct bench_case *sizes, const struct tree_row *row, double own)
{
    int number = 0;

    for (size_t i = 0; i < options->engine_count; i++) {
        struct bench_median figure = median(results, sizes, options->engines[i], row);

        if (!names(row->peers, options->engines[i]->name) || figure.count == 0)
            continue;
        double least = number++ == 0 ? row->least : row->least_two;
        printf("  %.2fx %s, at least %.1fx:", own / figure.value, options->engines[i]->name, least);
        verdict(own >= least * figure.value);
    }
    if (row->aim > 0)
        printf("  (aim %.1fx)", row->aim);
}

/* Measured now, in the same place. */
static void
print_reads(const struct bench_options *options, const struct bench_case *sizes,
            const struct tree_row *row, double own)
{
    uint64_t size = sizes->rows * (sizes->value_size + 24);
    double rate = 0;

    if (bench_random_reads(options->env.memory, options->dir, size, (uint32_t)row->batch, &rate) !=
        STATUS_OK) {
        printf("  the device's rate is not known: %s", error_message());
        error_clear();
        return;
    }
    printf("  %.2fx of the device's %.0f reads a second, at least %.1fx:", own / rate, rate,
           row->least);
    verdict(own >= row->least * rate);
    printf("  (aim %.1fx)", row->aim);
}

/* What any policy could find of these leaves. */
static void
print_bounds(const struct bench_results *results, const struct bench_case *sizes,
             const struct tree_row *row, double own)
{
    struct bench_median fixed = bench_median_of(results, sizes, &bench_qtdb, BENCH_HIT_RATE_FIXED);
    struct bench_median future =
        bench_median_of(results, sizes, &bench_qtdb, BENCH_HIT_RATE_FUTURE);

    printf("  at least %g:", row->least);
    verdict(own >= row->least);
    if (fixed.count == 0 || future.count == 0)
        return;
    printf("; the best fixed choice of pages finds %.3f (qtdb %.0f%% of that), knowing the future "
           "%.3f%s",
           fixed.value, 100 * own / fixed.value, future.value,
           future.value < row->least ? ": no policy can meet it" : "");
}

static void
print_verdict(const struct bench_options *options, const struct bench_results *results,
              const struct bench_case *sizes, const struct tree_row *row)
{
    struct bench_median own = median(results, sizes, &bench_qtdb, row);
    bool less = row->figure == NS || row->figure == WRITTEN || row->figure == DEVICE ||
                row->figure == LEAF_READS;
    const char *name = "no peer";

    if (own.count == 0)
        return;
    printf("    ->");
    if (row->against == PEERS) {
        print_peers(options, results, sizes, row, own.value);
    } else if (row->against == BEST) {
        double best = best_peer(options, results, sizes, row, &name);

        printf("  %.2fx %s, the best; at least %.1fx:", best > 0 ? own.value / best : 0, name,
               row->least);
        verdict(own.value >= row->least * best);
        if (row->aim > 0)
            printf("  (aim %.1fx)", row->aim);
    } else if (row->against == ITSELF) {
        struct bench_case alone = *sizes;

        alone.threads = 1;
        alone.writer = false;
        struct bench_median one = median(results, &alone, &bench_qtdb, row);
        double share = one.count > 0 ? own.value / one.value : 0;
        printf("  qtdb %.2fx of alone, at least %.1fx:", share, row->least);
        verdict(share >= row->least);
        printf("  (aim %.1fx)", row->aim);
    } else if (row->against == BELOW) {
        double best = best_peer(options, results, sizes, row, &name);

        printf("  qtdb %.2f, the lowest of the peers %.2f (%s):", own.value, best, name);
        verdict(best == 0 || own.value < best);
    } else if (row->against == BOUNDS) {
        print_bounds(results, sizes, row, own.value);
    } else if (row->against == READS) {
        print_reads(options, sizes, row, own.value);
    }
    if (row->against == NUMBER || (row->against == BELOW && row->least > 0)) {
        printf("  %s %g:", less ? "at most" : "at least", row->least);
        verdict(less ? own.value <= row->least : own.value >= row->least);
        printf("  (aim %g)", row->aim);
    }
    printf("%s%s\n", row->note != NULL ? "  " : "", row->note != NULL ? row->note : "");
}

/* Processor time of the clients for a row: what is left of the figure on a busy machine. */
static void
print_cpu(const struct bench_options *options, const struct bench_results *results,
          const struct bench_case *sizes)
{
    printf("    cpu a row:");
    for (size_t i = 0; i < options->engine_count; i++) {
        struct bench_median cpu =
            bench_median_of(results, sizes, options->engines[i], BENCH_CPU_NS_PER_ROW);
        char value[BENCH_NUMBER_SIZE];

        if (cpu.count > 0)
            printf("  %s %s", options->engines[i]->name, bench_format_ns(cpu.value, value));
    }
    printf("\n");
}

static void
print_row(const struct bench_options *options, const struct bench_results *results,
          const struct bench_case *sizes, const struct tree_row *row)
{
    printf("%s\n   ", row->name);
    for (size_t i = 0; i < options->engine_count; i++) {
        struct bench_median figure = median(results, sizes, options->engines[i], row);
        char value[BENCH_NUMBER_SIZE], least[BENCH_NUMBER_SIZE], most[BENCH_NUMBER_SIZE];

        if (figure.count == 0)
            continue;
        printf("  %s %s", options->engines[i]->name, bench_format_number(figure.value, value));
        if (figure.count > 1)
            printf(" (%s..%s)", bench_format_number(figure.least, least),
                   bench_format_number(figure.most, most));
    }
    printf("\n");
    if (row->figure == RATE || row->figure == ROWS || row->figure == NS)
        print_cpu(options, results, sizes);
    print_verdict(options, results, sizes, row);
    bench_case_print_notes(options, results, sizes);
    (void)fflush(stdout);
}

static bool
measured(const struct bench_results *results, const struct bench_case *sizes)
{
    for (size_t i = 0; i < results->count; i++) {
        if (bench_case_same(&results->list[i].sizes, sizes))
            return true;
    }
    return false;
}

/* False: the user stopped. */
static bool
run_row(const struct bench_options *options, const struct tree_row *row,
        struct bench_results *results)
{
    static struct bench_device device;
    struct bench_options here = *options;
    struct bench_case sizes = sizes_of(options, row);
    bool go = true;

    if (row->rows > 0) {
        here.engine_count = 1;
        here.engines[0] = &bench_qtdb;
        here.engines[here.engine_count++] = &bench_legacy_memory;
    }
    if (row->against == ITSELF) {
        struct bench_case alone = sizes;

        alone.threads = 1;
        alone.writer = false;
        go = measured(results, &alone) || bench_case_run(options, &alone, results);
    }
    if (row->on_device) {
        char why[256];

        /* Marked by its pool, because a case does not name its disk. */
        sizes.pool += 4096;
        if (!bench_device_open(&device, options->dir, (uint64_t)16 << 30, why, sizeof(why))) {
            printf("%s\n    not measured, %s\n", row->name, why);
            return true;
        }
        here.dir = device.mount;
        here.own_device = true;
    }
    if (go && !measured(results, &sizes))
        go = bench_case_run(&here, &sizes, results);
    if (row->on_device)
        bench_device_close(&device);
    print_row(&here, results, &sizes, row);
    return go;
}

void
bench_command_trees(const struct bench_options *options, struct bench_results *results)
{
    struct bench_options own = *options;

    /* The predecessor's way is no peer here, unless it was asked for. */
    for (size_t i = 0; i < own.engine_count && !own.engines_given; i++) {
        if ((own.engines[i]->flags & BENCH_UNORDERED) != 0)
            own.engines[i--] = own.engines[--own.engine_count];
    }
    printf("rows: %" PRIu64 "; one row a durable transaction: fewer, as the JSON has it\n\n",
           options->base.rows);
    for (size_t i = 0; i < sizeof(tree_rows) / sizeof(tree_rows[0]); i++) {
        if (options->only != NULL && strstr(tree_rows[i].name, options->only) == NULL)
            continue;
        if (tree_rows[i].workload == NULL)
            printf("%s\n    %s\n", tree_rows[i].name, tree_rows[i].note);
        else if (!run_row(&own, &tree_rows[i], results))
            return;
    }
}
