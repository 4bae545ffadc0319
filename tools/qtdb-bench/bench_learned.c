/*
 * learned: how the leaf of a key is found, by router, beside a textbook tree and the peers.
 *
 * All subjects are in one process and take turns round by round, so that what disturbs one meets all;
 * each turn begins with as many look-ups that do not count, since caches hold what the one before left;
 * the figure of the table is the least of all rounds, in processor time of the thread. qtdb's routers
 * share one database: before its turn the router is changed and made. Values have 8 bytes and
 * follow from the key: each one read is compared. Keys of the look-ups are drawn before the clock
 * starts.
 *
 *   get      one look-up after the other, which the processor may overlap; all keys are there
 *   chain    the next key depends on the value before: waits for each
 *   absent   as get, half of the keys in random order not there
 *   mixed    8 gets and 2 inserts of new rows a transaction, not durable; only qtdb's tree and auto
 *   cold     a pool of a thousandth of the data (64 pages at least): page reads a look-up; the same two
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_command.h"
#include "tools/qtdb-bench/bench_learned.h"
#include "tools/qtdb-bench/bench_print.h"

enum { LOAD_BATCH = 10000, ROUND_GETS = 100000, ROUNDS_A_RUN = 4, MIXED_GETS = 8, MIXED_PUTS = 2 };
enum { COLD_GETS = 20000, POOL_LEAST = 64 * 4096, SIZE_LEAST = 100000 };

enum variant { GET = 0, CHAIN = 1, ABSENT = 2, MIXED = 3, COLD = 4 };

static const struct bench_workload workloads[LEARNED_VARIANTS] = {
    {.name = "learned-get"},   {.name = "learned-chain"}, {.name = "learned-absent"},
    {.name = "learned-mixed"}, {.name = "learned-cold"},
};

static const char *const routers[] = {"tree", "rmi", "pla", "directory", "auto"};

enum { ROUTERS = sizeof(routers) / sizeof(routers[0]) };

struct learned {
    const struct bench_options *options;
    struct bench_results *results;
    struct bench_case sizes;
    const struct bench_keys *keys;
    struct bench_config config;
    struct random random;
    char dir[BENCH_PATH_SIZE];
    uint64_t probes[ROUND_GETS];
    bool there[ROUND_GETS];
    uint64_t extras; /* New rows inserted by `mixed`. */
    size_t count;
    struct learned_subject subjects[LEARNED_SUBJECTS_MAX];
    volatile uint64_t no_bits; /* 0, which the compiler may not know: makes a dependency. */
};

const char *
learned_variant_name(int variant)
{
    return workloads[variant].name;
}

const char *
learned_router_name(size_t index)
{
    static const char *const peers[] = {"textbook", "lmdb", "sqlite", "rocksdb", "leveldb", "bdb"};

    if (index < ROUTERS)
        return routers[index];
    index -= ROUTERS;
    return index < sizeof(peers) / sizeof(peers[0]) ? peers[index] : NULL;
}

static uint64_t
value_of(uint64_t key)
{
    return key * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static uint64_t
cpu_ns(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
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
            uint64_t value = value_of(key);
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
    TRY(load_rows(learned, subject));
    TRY(subject->engine->settle(subject->db));
    if ((subject->engine->flags & BENCH_VOLATILE) != 0)
        return STATUS_OK;
    close_subject(subject);
    return open_subject(learned, subject, false);
}

/* ---- Rounds ------------------------------------------------------------------------------------- */

static void
draw(struct learned *learned, enum variant variant, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t rank = random_below(&learned->random, learned->sizes.rows);

        learned->there[i] = variant != ABSENT || (random_u64(&learned->random) & 1) == 0;
        learned->probes[i] = learned->there[i]
                                 ? bench_keys_at(learned->keys, 2 * rank)
                                 : bench_keys_absent(learned->keys, rank, &learned->random);
    }
}

static enum status
wrong(const struct learned_subject *subject, uint64_t key)
{
    return error_raise(STATUS_CORRUPT, "%s, %s: WRONG ANSWER for key %" PRIu64,
                       subject->engine->name, subject->router, key);
}

/* Looks the probes [first, last) up; `chained`: each key waits for the value before. */
static enum status
look_up(const struct learned *learned, const struct learned_subject *subject, uint64_t first,
        uint64_t last, bool chained)
{
    const struct bench_engine *engine = subject->engine;
    uint64_t mask = chained ? learned->no_bits : 0;
    uint64_t before = 0;

    for (uint64_t i = first; i < last; i++) {
        uint64_t key = learned->probes[i] ^ (chained ? before & mask : 0);
        const void *value = NULL;
        size_t size = 0;
        enum status status = engine->get(subject->session, key, &value, &size);

        if (status != (learned->there[i] ? STATUS_OK : STATUS_NOT_FOUND))
            return status == STATUS_OK || status == STATUS_NOT_FOUND ? wrong(subject, key) : status;
        if (status != STATUS_OK)
            continue;
        if (size != sizeof(before))
            return wrong(subject, key);
        memcpy(&before, value, sizeof(before));
        if (before != value_of(key))
            return wrong(subject, key);
    }
    return STATUS_OK;
}

static enum status
round_of_gets(struct learned *learned, struct learned_subject *subject, enum variant variant,
              uint64_t count)
{
    const struct bench_engine *engine = subject->engine;

    TRY(engine->begin(subject->session, BENCH_READ));
    enum status status = look_up(learned, subject, 0, count, variant == CHAIN);

    engine->rollback(subject->session);
    return status;
}

/* New rows between those there are, in no order. */
static enum status
round_of_both(struct learned *learned, struct learned_subject *subject, uint64_t count)
{
    const struct bench_engine *engine = subject->engine;
    struct bench_shuffle shuffle;

    bench_shuffle_init(&shuffle, learned->sizes.rows, 77);
    for (uint64_t i = 0; i + MIXED_GETS <= count; i += MIXED_GETS + MIXED_PUTS) {
        TRY(engine->begin(subject->session, BENCH_WRITE));
        enum status status = look_up(learned, subject, i, i + MIXED_GETS, false);

        for (int k = 0; k < MIXED_PUTS && status == STATUS_OK; k++) {
            uint64_t rank = bench_shuffle_at(&shuffle, learned->extras++ % learned->sizes.rows);
            uint64_t key = bench_keys_at(learned->keys, 2 * rank + 1);
            uint64_t value = value_of(key);

            status = engine->put(subject->session, key, &value, sizeof(value), BENCH_PUT);
        }
        if (status != STATUS_OK) {
            engine->rollback(subject->session);
            return status;
        }
        TRY(engine->commit(subject->session));
    }
    return STATUS_OK;
}

static void
note(struct learned *learned, const struct learned_subject *subject, enum variant variant,
     uint64_t run, const struct bench_outcome *outcome)
{
    struct bench_result result = {
        .engine = subject->engine, .sizes = learned->sizes, .run = run, .outcome = *outcome};

    result.sizes.workload = &workloads[variant];
    result.sizes.router = subject->router;
    bench_results_add(learned->results, &result);
}

static uint64_t
page_reads(const struct learned_subject *subject)
{
    struct bench_written written = {.page_reads = 0};

    if (subject->engine->written != NULL)
        subject->engine->written(subject->db, &written);
    return written.page_reads;
}

/* One turn of one subject. */
static enum status
take_turn(struct learned *learned, struct learned_subject *subject, enum variant variant,
          uint64_t run)
{
    uint64_t count = variant == COLD ? COLD_GETS : ROUND_GETS;
    struct bench_outcome outcome = {.state = BENCH_DONE, .operations = count, .rows = count};

    if (subject->engine->route != NULL)
        TRY(subject->engine->route(subject->db, subject->router));
    /* Who came before has filled the processor's caches with its own. */
    if (variant != COLD) {
        draw(learned, variant, count);
        TRY(round_of_gets(learned, subject, variant == MIXED ? GET : variant, count));
    }
    draw(learned, variant, count);
    uint64_t reads = page_reads(subject);
    uint64_t begin = tool_clock_ns();
    uint64_t cpu = cpu_ns();
    enum status status = variant == MIXED ? round_of_both(learned, subject, count)
                                          : round_of_gets(learned, subject, variant, count);

    TRY(status);
    outcome.cpu_ns = cpu_ns() - cpu;
    outcome.seconds = (double)(tool_clock_ns() - begin) / 1e9;
    outcome.written.page_reads = page_reads(subject) - reads;
    if (subject->engine->routing != NULL)
        subject->engine->routing(subject->db, &subject->routing);
    note(learned, subject, variant, run, &outcome);
    return STATUS_OK;
}

static bool
takes_part(const struct learned_subject *subject, enum variant variant)
{
    if (variant < MIXED)
        return true;
    return subject->engine == &bench_qtdb &&
           (strcmp(subject->router, "tree") == 0 || strcmp(subject->router, "auto") == 0);
}

static enum status
run_variant(struct learned *learned, enum variant variant)
{
    uint64_t rounds = learned->options->base.runs * ROUNDS_A_RUN;

    for (uint64_t run = 0; run < rounds; run++)
        for (size_t i = 0; i < learned->count; i++) {
            if (tool_stop_requested())
                return error_raise(STATUS_STOPPED, "stopped");
            if (takes_part(&learned->subjects[i], variant))
                TRY(take_turn(learned, &learned->subjects[i], variant, run));
        }
    return STATUS_OK;
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

/* Page reads a look-up, the least of all rounds. */
static double
least_reads(const struct learned *learned, const char *router)
{
    double least = -1;

    for (size_t i = 0; i < learned->results->count; i++) {
        const struct bench_result *result = &learned->results->list[i];

        if (result->sizes.workload != &workloads[COLD] ||
            strcmp(result->sizes.router, router) != 0 || result->sizes.rows != learned->sizes.rows)
            continue;
        double reads =
            (double)result->outcome.written.page_reads / (double)result->outcome.operations;

        if (least < 0 || reads < least)
            least = reads;
    }
    return least;
}

static void
print_subject(const struct learned *learned, const struct learned_subject *subject)
{
    uint64_t rows = learned->sizes.rows;
    double tree = learned_ns(learned->results, workloads[GET].name, "tree", rows);
    double reads = least_reads(learned, subject->router);

    printf("  %-10s", subject->router);
    for (int variant = GET; variant <= MIXED; variant++) {
        double ns = learned_ns(learned->results, workloads[variant].name, subject->router, rows);

        if (ns > 0)
            printf(" %8.1f", ns);
        else
            printf(" %8s", "-");
    }
    if (reads >= 0)
        printf(" %8.3f", reads);
    else
        printf(" %8s", "-");
    double own = learned_ns(learned->results, workloads[GET].name, subject->router, rows);

    printf(" %7.2fx", own > 0 ? tree / own : 0);
    if (subject->engine->routing != NULL && subject->routing.kind != NULL)
        printf("  %s: %s; %.3f bytes a key, error p50 %u p99 %u max %u, made in %.2f ms",
               subject->routing.kind, subject->routing.reason,
               (double)subject->routing.size / (double)rows, subject->routing.error_p50,
               subject->routing.error_p99, subject->routing.error_max,
               (double)subject->routing.build_ns / 1e6);
    printf("\n");
}

static void
print_table(const struct learned *learned)
{
    printf("learned: %s, %" PRIu64 " rows of 8+8 bytes; ns a look-up of processor time, least of "
           "%" PRIu64 " rounds of %d\n  %-10s %8s %8s %8s %8s %8s %8s\n",
           learned->sizes.key_set, learned->sizes.rows, learned->options->base.runs * ROUNDS_A_RUN,
           ROUND_GETS, "", "get", "chain", "absent", "mixed", "reads", "speed");
    for (size_t i = 0; i < learned->count; i++)
        print_subject(learned, &learned->subjects[i]);
    printf("reads: pages read from the file a cold look-up, pool a thousandth of the data; speed: "
           "against qtdb's tree\n\n");
    (void)fflush(stdout);
}

/* ---- The whole ---------------------------------------------------------------------------------- */

static void
add_subject(struct learned *learned, const struct bench_engine *engine, const char *router)
{
    learned->subjects[learned->count++] =
        (struct learned_subject){.engine = engine, .router = router};
}

/* qtdb's ways share the database of the first of them. */
static enum status
prepare_all(struct learned *learned)
{
    const struct bench_options *options = learned->options;

    for (size_t i = 0; i < ROUTERS; i++)
        add_subject(learned, &bench_qtdb, routers[i]);
    add_subject(learned, &bench_textbook, bench_textbook.name);
    for (size_t i = 0; i < options->engine_count; i++)
        if (options->engines[i] != &bench_qtdb &&
            (options->engines[i]->flags & (BENCH_REWRITES | BENCH_VOLATILE)) == 0)
            add_subject(learned, options->engines[i], options->engines[i]->name);
    for (size_t i = 0; i < learned->count; i++) {
        struct learned_subject *subject = &learned->subjects[i];

        if (i > 0 && subject->engine == &bench_qtdb) {
            subject->db = learned->subjects[0].db;
            subject->session = learned->subjects[0].session;
            continue;
        }
        TRY(prepare_subject(learned, subject));
    }
    return STATUS_OK;
}

/* qtdb alone, with hardly any pool. */
static enum status
run_cold(struct learned *learned)
{
    uint64_t pool = learned->sizes.rows * 16 / 1000 & ~UINT64_C(4095);
    struct learned_subject *first = &learned->subjects[0];

    close_subject(first);
    learned->config.pool_size = pool < POOL_LEAST ? POOL_LEAST : pool;
    enum status status = open_subject(learned, first, false);

    for (size_t i = 1; i < ROUTERS; i++) {
        learned->subjects[i].db = first->db;
        learned->subjects[i].session = first->session;
    }
    TRY(status);
    return run_variant(learned, COLD);
}

static enum status
run_all(struct learned *learned)
{
    TRY(bench_dir_remove(learned->dir));
    TRY(bench_dir_make(learned->dir));
    TRY(prepare_all(learned));
    for (int variant = GET; variant <= ABSENT; variant++)
        TRY(run_variant(learned, (enum variant)variant));
    TRY(run_cold(learned));
    return STATUS_OK;
}

/* After the others: it changes the rows. */
static enum status
run_mixed(struct learned *learned)
{
    struct learned_subject *first = &learned->subjects[0];

    if (learned->keys->list != NULL)
        return STATUS_OK; /* There are no keys between those of a file. */
    close_subject(first);
    learned->config.pool_size = learned->sizes.pool;
    enum status status = open_subject(learned, first, false);

    for (size_t i = 1; i < ROUTERS; i++) {
        learned->subjects[i].db = first->db;
        learned->subjects[i].session = first->session;
    }
    TRY(status);
    return run_variant(learned, MIXED);
}

static void
close_all(struct learned *learned)
{
    for (size_t i = 0; i < learned->count; i++) {
        if (i > 0 && learned->subjects[i].engine == &bench_qtdb)
            continue;
        close_subject(&learned->subjects[i]);
    }
    if (bench_dir_remove(learned->dir) != STATUS_OK)
        error_clear();
}

/* The file's name without its folder and what follows the first dot. */
static void
name_of_keys(const char *path, char *out, size_t size)
{
    const char *name = strrchr(path, '/');

    name = name == NULL ? path : name + 1;
    (void)snprintf(out, size, "%.*s", (int)strcspn(name, "."), name);
}

/* One size: the first rows of the key set, or generated ones. */
static bool
run_size(struct learned *learned, struct bench_keys *keys, uint64_t rows)
{
    const struct bench_options *options = learned->options;

    learned->sizes.rows = rows;
    if (keys->list == NULL)
        bench_keys_init(keys, rows);
    learned->keys = keys;
    learned->count = 0;
    learned->extras = 0;
    /* All of it in memory, with room for what `mixed` adds. */
    uint64_t enough = rows * 64 + (64 << 20);

    learned->sizes.pool = options->base.pool < enough ? enough : options->base.pool;
    learned->config = (struct bench_config){.memory = options->env.memory,
                                            .pool_size = learned->sizes.pool,
                                            .rows = 2 * rows,
                                            .threads = 1,
                                            .high_keys = keys->high};
    enum status status = run_all(learned);

    if (status == STATUS_OK)
        status = run_mixed(learned);
    if (status != STATUS_OK) {
        struct bench_outcome outcome = {.state = BENCH_FAILED};

        tool_error(options->tool, "learned: %s", error_message());
        (void)snprintf(outcome.message, sizeof(outcome.message), "%s", error_message());
        note(learned, &learned->subjects[0], GET, 0, &outcome);
    }
    print_table(learned);
    close_all(learned);
    return status == STATUS_OK;
}

void
bench_command_learned(const struct bench_options *options, struct bench_results *results)
{
    static struct learned learned;
    static char key_set[256];
    static struct bench_keys keys;

    keys = options->keys;
    uint64_t rows = options->base.rows < keys.count ? options->base.rows : keys.count;
    uint64_t first = rows;

    learned = (struct learned){.options = options, .results = results, .sizes = options->base};
    if (options->keys_path != NULL)
        name_of_keys(options->keys_path, key_set, sizeof(key_set));
    else
        (void)snprintf(key_set, sizeof(key_set), "uniform");
    learned.sizes.value_size = 8;
    learned.sizes.batch = ROUND_GETS;
    learned.sizes.sync = false;
    learned.sizes.key_set = key_set;
    random_init(&learned.random, options->seed);
    (void)snprintf(learned.dir, sizeof(learned.dir), "%.*s/learned", BENCH_PATH_SIZE - 16,
                   options->dir);
    while (first / 10 >= SIZE_LEAST && rows / first < 100)
        first /= 10;
    for (uint64_t size = first; size <= rows; size *= 10)
        if (!run_size(&learned, &keys, size))
            break;
    if (options->report != NULL && !learned_report_write(options, results, &keys, key_set))
        tool_error(options->tool, "learned: the report could not be written");
}
