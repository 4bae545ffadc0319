/*
 * hits: how many of the pages that gets ask for are in the pool, with skewed keys over ten pools of data.
 *
 * A get through a router asks for its leaf; down the tree it asks for one page a level. Databases that
 * publish a hit rate (blks_hit of PostgreSQL) count every page, and inner pages are nearly always
 * found, so their figure is the higher one: both are measured, each in a part of its own, after gets that
 * only warm the pool. The leaves asked for are known from the keys, because rows of one size loaded in
 * order lie evenly in the leaves; from them follows what the best fixed choice of pages and the choice that
 * knows the future would have found (bench_hits.h), which is what a policy can be held against.
 */
#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_hits.h"
#include "tools/qtdb-bench/bench_worker.h"
#include "tools/qtdb-bench/workloads.h"

enum { WARM_A_FRAME = 20, ROUNDS_LEAST = 4, PAGE = 4096, GETS_MAX = 4 << 20 };

/* The parts of one run, by get. */
struct parts {
    uint64_t begin;
    uint64_t count;
    uint64_t least; /* Done however long it takes. */
};

static _Thread_local struct parts part;

static uint64_t
warm_count(const struct bench_run *run)
{
    return run->sizes->pool / PAGE * WARM_A_FRAME;
}

static enum status
plan_part(struct bench_worker *worker)
{
    const struct bench_run *run = worker->run;
    struct bench_shuffle shuffle;
    struct bench_zipf zipf;

    TRY(bench_worker_plan(worker, part.count));
    bench_zipf_init(&zipf, run->sizes->rows, 0.99);
    bench_shuffle_init(&shuffle, run->sizes->rows, run->seed);
    random_init(&worker->random, run->seed + part.begin);
    for (uint64_t i = 0; i < worker->plan_count; i++)
        worker->plan[i] = bench_shuffle_at(&shuffle, bench_zipf_next(&zipf, &worker->random));
    return STATUS_OK;
}

static enum status
get_row(struct bench_worker *worker, uint64_t rank)
{
    const struct bench_run *run = worker->run;
    uint64_t key = bench_keys_at(&run->keys, 2 * rank);
    const void *value;
    size_t size;
    uint32_t version = 1;
    uint64_t begin = tool_clock_ns();

    TRY(run->engine->get(worker->session, key, &value, &size));
    bench_latency_add(&worker->latency, tool_clock_ns() - begin);
    if (size != run->sizes->value_size || !bench_value_holds(key, value, size, &version))
        return error_raise(STATUS_CORRUPT, "%s: WRONG ANSWER: key %llu has another value",
                           run->engine->name, (unsigned long long)key);
    return STATUS_OK;
}

static enum status
work_part(struct bench_worker *worker)
{
    const struct bench_engine *engine = worker->run->engine;
    uint64_t batch = worker->run->sizes->batch;

    while (worker->operations < worker->plan_count &&
           (worker->operations < part.least || !bench_worker_done(worker)) &&
           !tool_stop_requested()) {
        uint64_t end = worker->operations + batch;

        TRY(engine->begin(worker->session, BENCH_READ));
        for (; worker->operations < end && worker->operations < worker->plan_count;
             worker->operations++)
            TRY(get_row(worker, worker->plan[worker->operations]));
        engine->rollback(worker->session);
    }
    worker->rows = worker->operations;
    return STATUS_OK;
}

static enum status
run_part(struct bench_run *run, const struct parts *which)
{
    struct bench_plan plan = {.prepare = plan_part, .work = work_part, .count = 1};

    part = *which;
    return bench_workers_run(run, &plan);
}

/* Pages asked for and read between the two, by the engine's own counts. */
struct counts {
    struct bench_written written;
    struct bench_routing routing;
};

static void
read_counts(const struct bench_run *run, struct counts *out)
{
    *out = (struct counts){.written = {.log = 0}};
    run->engine->written(run->db, &out->written);
    run->engine->routing(run->db, &out->routing);
}

static uint64_t
leaf_reads(const struct counts *from, const struct counts *to)
{
    uint64_t all = to->written.page_reads - from->written.page_reads;

    return all - (to->written.inner_reads - from->written.inner_reads) -
           (to->written.map_reads - from->written.map_reads);
}

static void
note_leaves(struct bench_hits *hits, const struct counts *from, const struct counts *to,
            uint64_t gets)
{
    uint64_t asked = gets + to->routing.hops - from->routing.hops + to->routing.fallbacks -
                     from->routing.fallbacks;

    hits->leaves = 1 - (double)leaf_reads(from, to) / (double)asked;
    hits->routed = (double)(to->routing.routed - from->routing.routed) / (double)gets;
}

/* Every page from the root to the leaf; pages of the page map count as read where they were. */
static void
note_pages(struct bench_hits *hits, const struct counts *from, const struct counts *to,
           uint64_t gets)
{
    uint64_t reads = to->written.page_reads - from->written.page_reads;

    hits->depth = to->routing.depth;
    if (hits->depth > 0)
        hits->pages = 1 - (double)reads / ((double)gets * hits->depth);
}

/* What the same sequence of leaves allows. The frames that inner pages take are given to leaves here. */
static enum status
note_bounds(struct bench_run *run, uint64_t leaves, uint64_t begin, uint64_t gets)
{
    struct bench_requests requests = {.count = gets,
                                      .page_count = (uint32_t)leaves,
                                      .frames = (uint32_t)(run->sizes->pool / PAGE)};
    size_t size = (size_t)requests.count * sizeof(uint32_t);
    uint32_t *pages = memory_alloc(run->memory, MEMORY_OTHER, size);
    struct bench_worker *worker = memory_alloc(run->memory, MEMORY_OTHER, sizeof(*worker));
    uint64_t fixed = 0, future = 0;
    enum status status = STATUS_NO_MEMORY;

    if (pages == NULL || worker == NULL)
        goto out;
    requests.pages = pages;
    worker->run = run;
    part = (struct parts){.begin = begin, .count = gets};
    TRY_OUT(plan_part(worker));
    for (uint64_t k = 0; k < gets; k++)
        pages[k] = (uint32_t)((double)worker->plan[k] * (double)leaves / (double)run->sizes->rows);
    TRY_OUT(bench_hits_fixed(run->memory, &requests, &fixed));
    status = bench_hits_future(run->memory, &requests, &future);
    run->outcome->hits.fixed = (double)fixed / (double)gets;
    run->outcome->hits.future = (double)future / (double)gets;
out:
    if (worker != NULL)
        memory_free(run->memory, MEMORY_OTHER, worker->plan,
                    (size_t)worker->plan_room * sizeof(*worker->plan));
    memory_free(run->memory, MEMORY_OTHER, worker, sizeof(*worker));
    memory_free(run->memory, MEMORY_OTHER, pages, size);
    return status;
}

/* The part down the tree: its figures are kept out of the outcome's rates. */
static enum status
measure_tree(struct bench_run *run, uint64_t begin)
{
    struct bench_outcome leaves = *run->outcome;
    struct parts tree = {.begin = begin, .count = run->sizes->rows};
    struct counts from, to;

    TRY(run->engine->route(run->db, "tree"));
    read_counts(run, &from);
    TRY(run_part(run, &tree));
    read_counts(run, &to);
    uint64_t gets = run->outcome->operations - leaves.operations;
    *run->outcome = leaves;
    if (gets > 0)
        note_pages(&run->outcome->hits, &from, &to, gets);
    return STATUS_OK;
}

enum status
workload_hits(struct bench_run *run)
{
    uint64_t warm = warm_count(run);
    uint64_t rows = run->sizes->rows < GETS_MAX ? run->sizes->rows : GETS_MAX;
    struct parts warming = {.begin = 0, .count = warm, .least = warm};
    /* Fewer gets than the pool has frames would say what a pool is that never fills. */
    uint64_t least = ROUNDS_LEAST * (run->sizes->pool / PAGE);
    struct parts measured = {.begin = warm, .count = rows, .least = least < rows ? least : rows};
    struct bench_outcome before = *run->outcome;
    struct counts from, to;

    TRY(run_part(run, &warming));
    *run->outcome = before;
    bench_measure_begin(run);
    read_counts(run, &from);
    TRY(run_part(run, &measured));
    read_counts(run, &to);
    uint64_t gets = run->outcome->operations;
    if (gets == 0 || tool_stop_requested())
        return STATUS_OK;
    note_leaves(&run->outcome->hits, &from, &to, gets);
    /* Without a router there is no directory, and so no number of leaves. */
    if (to.routing.leaves > 0)
        TRY(note_bounds(run, to.routing.leaves, warm, gets));
    return measure_tree(run, warm + gets);
}
