/*
 * learned: how the leaf of a key is found, by router, beside a textbook tree and the peers.
 *
 * All subjects are in one process and take turns round by round, so that what disturbs one meets all;
 * the figure of the table is the least of all rounds, in processor time of the thread. qtdb's routers
 * share one database: before its turn the router is changed and made. Values have 8 bytes and
 * follow from the key: each one read is compared.
 *
 *   get      one look-up after the other, which the processor may overlap; all keys are there
 *   chain    the next key depends on the value before: waits for each
 *   absent   as get, half of the keys in random order not there
 *   batch    32 keys a call, where there is such a call
 *   range    1,000 rows in order from a random one, ns a row; of qtdb only tree and auto
 *   mixed    8 gets and 2 inserts of new rows a transaction, not durable; only qtdb's tree and auto
 *   cold     a pool of a thousandth of the data (64 pages at least): page reads a look-up; tree, rmi, auto
 *
 * After the sizes come the sets (bench_learned_sets.c) and the tables (bench_learned_table.c).
 */
#include <inttypes.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_command.h"
#include "tools/qtdb-bench/bench_learned.h"
#include "tools/qtdb-bench/bench_print.h"

enum { LOAD_BATCH = 10000, POOL_LEAST = 64 * 4096, SIZE_LEAST = 100000, ROW_SIZE = 16 };

static const char *const routers[LEARNED_ROUTERS] = {"tree", "rmi", "pla", "directory", "auto"};

const char *
learned_router_name(size_t index)
{
    static const char *const peers[] = {"textbook", "lmdb", "sqlite", "rocksdb", "leveldb", "bdb"};

    if (index < LEARNED_ROUTERS)
        return routers[index];
    index -= LEARNED_ROUTERS;
    return index < sizeof(peers) / sizeof(peers[0]) ? peers[index] : NULL;
}

/* ---- Rows --------------------------------------------------------------------------------------- */

static enum status
load_rows(struct learned *learned, struct learned_subject *subject)
{
    const struct bench_engine *engine = subject->engine;
    uint64_t rows = learned->sizes.rows;

    for (uint64_t from = 0; from < rows; from += LOAD_BATCH) {
        uint64_t to = from + LOAD_BATCH < rows ? from + LOAD_BATCH : rows;

        if (tool_stop_requested())
            return error_raise(STATUS_STOPPED, "stopped while loading");
        TRY(engine->begin(subject->session, BENCH_WRITE));
        for (uint64_t i = from; i < to; i++) {
            uint64_t key = bench_keys_at(learned->keys, 2 * i);
            uint64_t value = learned_value_of(key);
            enum status status =
                engine->put(subject->session, key, &value, sizeof(value), BENCH_PUT_APPEND);

            if (status != STATUS_OK) {
                engine->rollback(subject->session);
                return status;
            }
        }
        TRY(engine->commit(subject->session));
    }
    return STATUS_OK;
}

static void
close_subject(struct learned_subject *subject)
{
    if (subject->session != NULL)
        subject->engine->session_close(subject->session);
    if (subject->db != NULL && subject->engine->close(subject->db) != STATUS_OK)
        error_clear();
    subject->session = NULL;
    subject->db = NULL;
}

static enum status
open_subject(struct learned *learned, struct learned_subject *subject, bool loading)
{
    char dir[BENCH_PATH_SIZE + 32];
    struct bench_config config = learned->config;

    (void)snprintf(dir, sizeof(dir), "%s/%s", learned->dir, subject->engine->name);
    config.dir = dir;
    config.loading = loading;
    TRY(bench_dir_make(dir));
    TRY(subject->engine->open(&config, &subject->db));
    return subject->engine->session_open(subject->db, &subject->session);
}

/* Loaded, closed and opened again, where the engine keeps anything. */
static enum status
prepare_subject(struct learned *learned, struct learned_subject *subject)
{
    TRY(open_subject(learned, subject, true));
    uint64_t begin = tool_clock_ns();

    TRY(load_rows(learned, subject));
    TRY(subject->engine->settle(subject->db));
    if (subject->engine == &bench_qtdb)
        learned->size[learned->size_count].load_rate =
            (double)learned->sizes.rows * 1e9 / (double)(tool_clock_ns() - begin);
    if ((subject->engine->flags & BENCH_VOLATILE) != 0)
        return STATUS_OK;
    close_subject(subject);
    return open_subject(learned, subject, false);
}

/* ---- Tables ------------------------------------------------------------------------------------- */

double
learned_ns(const struct bench_results *results, const char *workload, const char *router,
           uint64_t rows)
{
    double least = 0;

    for (size_t i = 0; i < results->count; i++) {
        const struct bench_result *result = &results->list[i];
        const struct bench_case *sizes = &result->sizes;

        if (sizes->router == NULL || strcmp(sizes->router, router) != 0 || sizes->rows != rows ||
            strcmp(sizes->workload->name, workload) != 0 || result->outcome.state != BENCH_DONE)
            continue;
        double ns = (double)result->outcome.cpu_ns / (double)result->outcome.operations;

        if (least == 0 || ns < least)
            least = ns;
    }
    return least;
}

static void
print_routing(const struct bench_routing *routing, uint64_t rows)
{
    printf("  %s: %s; %.3f bytes a key, error p50 %u p99 %u max %u, made in %.2f ms", routing->kind,
           routing->reason, (double)routing->size / (double)rows, routing->error_p50,
           routing->error_p99, routing->error_max, (double)routing->build_ns / 1e6);
}

static void
print_subject(const struct learned *learned, size_t index)
{
    const struct learned_subject *subject = &learned->subjects[index];
    const struct learned_size *size = &learned->size[learned->size_count];
    const struct learned_reads *reads = &size->reads[index < LEARNED_ROUTERS ? index : 0];
    uint64_t rows = learned->sizes.rows;
    double tree = learned_ns(learned->results, learned_variant_name(LEARNED_GET), "tree", rows);

    printf("  %-10s", subject->router);
    for (int variant = LEARNED_GET; variant <= LEARNED_MIXED; variant++) {
        double ns =
            learned_ns(learned->results, learned_variant_name(variant), subject->router, rows);

        if (ns > 0)
            printf(" %8.1f", ns);
        else
            printf(" %8s", "-");
    }
    double own =
        learned_ns(learned->results, learned_variant_name(LEARNED_GET), subject->router, rows);

    printf(" %7.2fx", own > 0 ? tree / own : 0);
    if (index < LEARNED_ROUTERS && reads->all >= 0)
        printf("  cold: %.3f pages (%.3f leaves, %.3f inner, %.3f map)", reads->all,
               reads->all - reads->inner - reads->map, reads->inner, reads->map);
    if (index < LEARNED_ROUTERS && size->routing[index].kind != NULL)
        print_routing(&size->routing[index], rows);
    printf("\n");
}

static void
print_table(const struct learned *learned)
{
    printf("learned: %s, %" PRIu64 " rows of 8+8 bytes; ns a look-up of processor time, least of "
           "%" PRIu64 " rounds of %d\n  %-10s %8s %8s %8s %8s %8s %8s %8s\n",
           learned->sizes.key_set, learned->sizes.rows,
           learned->options->base.runs * LEARNED_ROUNDS_A_RUN, LEARNED_ROUND, "", "get", "chain",
           "absent", "batch", "range", "mixed", "speed");
    for (size_t i = 0; i < learned->count; i++)
        print_subject(learned, i);
    printf(
        "batch: 32 keys a call; range: a row of 1,000 in order; cold: pages read from the file a "
        "look-up, pool a\nthousandth of the data; speed: get, against qtdb's tree\n\n");
    (void)fflush(stdout);
}

/* ---- The whole ---------------------------------------------------------------------------------- */

static void
add_subject(struct learned *learned, const struct bench_engine *engine, const char *router)
{
    learned->subjects[learned->count++] =
        (struct learned_subject){.engine = engine, .router = router};
}

/* qtdb's ways share the database of the first subject. */
static void
share(struct learned *learned)
{
    for (size_t i = 1; i < learned->count; i++) {
        if (learned->subjects[i].engine != &bench_qtdb)
            continue;
        learned->subjects[i].db = learned->subjects[0].db;
        learned->subjects[i].session = learned->subjects[0].session;
    }
}

static void
add_others(struct learned *learned)
{
    const struct bench_options *options = learned->options;

    add_subject(learned, &bench_textbook, bench_textbook.name);
    for (size_t i = 0; i < options->engine_count; i++)
        if (options->engines[i] != &bench_qtdb &&
            (options->engines[i]->flags & (BENCH_REWRITES | BENCH_VOLATILE)) == 0)
            add_subject(learned, options->engines[i], options->engines[i]->name);
}

enum status
learned_prepare(struct learned *learned, const char *const *names, size_t name_count, bool others)
{
    TRY(bench_dir_remove(learned->dir));
    TRY(bench_dir_make(learned->dir));
    for (size_t i = 0; i < name_count; i++)
        add_subject(learned, &bench_qtdb, names[i]);
    if (others)
        add_others(learned);
    for (size_t i = 0; i < learned->count; i++)
        if (i == 0 || learned->subjects[i].engine != &bench_qtdb)
            TRY(prepare_subject(learned, &learned->subjects[i]));
    share(learned);
    return STATUS_OK;
}

/* qtdb anew, with another pool. */
static enum status
reopen(struct learned *learned, uint64_t pool_size)
{
    close_subject(&learned->subjects[0]);
    learned->config.pool_size = pool_size;
    enum status status = open_subject(learned, &learned->subjects[0], false);

    share(learned);
    return status;
}

uint64_t
learned_cold_pool(uint64_t rows)
{
    uint64_t pool = rows * ROW_SIZE / 1000 & ~UINT64_C(4095);

    return pool < POOL_LEAST ? POOL_LEAST : pool;
}

static enum status
run_all(struct learned *learned)
{
    uint64_t rounds = learned->options->base.runs * LEARNED_ROUNDS_A_RUN;
    uint64_t pool = learned_cold_pool(learned->sizes.rows);

    TRY(learned_prepare(learned, routers, LEARNED_ROUTERS, true));
    TRY(learned_run(learned, LEARNED_GET, rounds));
    learned_note_set(learned);
    for (int variant = LEARNED_CHAIN; variant <= LEARNED_RANGE; variant++)
        TRY(learned_run(learned, (enum learned_variant)variant, rounds));
    /* With hardly any pool. */
    TRY(reopen(learned, pool));
    TRY(learned_run(learned, LEARNED_COLD, rounds));
    /* The last, because it changes the rows. There are no keys between those of a file. */
    if (learned->keys->list != NULL)
        return STATUS_OK;
    TRY(reopen(learned, learned->sizes.pool));
    return learned_run(learned, LEARNED_MIXED, rounds);
}

void
learned_close(struct learned *learned)
{
    for (size_t i = 0; i < learned->count; i++)
        if (i == 0 || learned->subjects[i].engine != &bench_qtdb)
            close_subject(&learned->subjects[i]);
    learned->count = 0;
    if (bench_dir_remove(learned->dir) != STATUS_OK)
        error_clear();
}

void
learned_use(struct learned *learned, const struct bench_keys *keys, uint64_t rows)
{
    /* All of it in memory, with room for what `mixed` adds. */
    uint64_t enough = rows * 64 + (64 << 20);
    uint64_t pool = learned->options->base.pool;

    learned->keys = keys;
    learned->sizes.rows = rows;
    learned->count = 0;
    learned->extras = 0;
    learned->sizes.pool = pool < enough ? enough : pool;
    learned->config = (struct bench_config){.memory = learned->options->env.memory,
                                            .pool_size = learned->sizes.pool,
                                            .rows = 2 * rows,
                                            .threads = 1,
                                            .high_keys = keys->high};
}

void
learned_name_of(const char *path, char *out, size_t size)
{
    const char *name = strrchr(path, '/');

    name = name == NULL ? path : name + 1;
    (void)snprintf(out, size, "%.*s", (int)strcspn(name, "."), name);
}

/* One size: the first rows of the key set, or generated ones. */
static bool
run_size(struct learned *learned, struct bench_keys *keys, uint64_t rows)
{
    struct learned_size *size = &learned->size[learned->size_count];

    if (keys->list == NULL)
        bench_keys_init(keys, rows);
    learned_use(learned, keys, rows);
    *size = (struct learned_size){.rows = rows};
    for (size_t i = 0; i < LEARNED_ROUTERS; i++)
        size->reads[i].all = -1;
    enum status status = run_all(learned);

    if (status != STATUS_OK) {
        tool_error(learned->options->tool, "learned: %s", error_message());
        learned_note_failure(learned);
    }
    print_table(learned);
    learned_close(learned);
    learned->size_count++;
    return status == STATUS_OK;
}

static void
begin(struct learned *learned, const struct bench_options *options, struct bench_results *results)
{
    static char key_set[256];

    *learned = (struct learned){.options = options, .results = results, .sizes = options->base};
    if (options->keys_path != NULL)
        learned_name_of(options->keys_path, key_set, sizeof(key_set));
    else
        (void)snprintf(key_set, sizeof(key_set), "uniform");
    learned->sizes.value_size = 8;
    learned->sizes.batch = LEARNED_ROUND;
    learned->sizes.sync = false;
    learned->sizes.key_set = key_set;
    learned->set_results.memory = results->memory;
    random_init(&learned->random, options->seed);
    (void)snprintf(learned->dir, sizeof(learned->dir), "%.*s/learned", BENCH_PATH_SIZE - 16,
                   options->dir);
}

void
bench_command_learned(const struct bench_options *options, struct bench_results *results)
{
    static struct learned learned;
    struct bench_keys keys = options->keys;
    uint64_t rows = options->base.rows < keys.count ? options->base.rows : keys.count;
    uint64_t first = rows;
    bool go = true;

    begin(&learned, options, results);
    while (first / 10 >= SIZE_LEAST && rows / first < 100)
        first /= 10;
    for (uint64_t size = first; go && size <= rows; size *= 10)
        go = run_size(&learned, &keys, size);
    /* What fails says so, and is noted as a run that failed. */
    if (go)
        (void)learned_run_sets(&learned);
    learned_print_targets(&learned);
    if (options->report != NULL && !learned_report_write(&learned, &keys, learned.sizes.key_set))
        tool_error(options->tool, "learned: the report could not be written");
    for (size_t i = 0; i < learned.set_results.count; i++)
        bench_results_add(results, &learned.set_results.list[i]);
    bench_results_free(&learned.set_results);
}
