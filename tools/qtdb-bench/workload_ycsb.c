/*
 * The core workloads of YCSB (Cooper et al. 2010), one operation a transaction, zipf 0.99 scattered
 * over the keys:
 *
 *   a 50 read 50 update    b 95 read 5 update     c 100 read
 *   d 95 read of the latest, 5 insert             e 95 range of 1 to 100 rows, 5 insert
 *   f 50 read 50 read-modify-write
 *
 * and `mixed`: half reads, half updates, uniform, with a pool of a tenth of the data. Clients write
 * only rows of their own; a read of an own row must give its last version, of another's any that
 * was written. Inserted rows are extra rows between the loaded ones. Counted are transactions.
 */
#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench_worker.h"
#include "tools/qtdb-bench/workloads.h"

enum { PERCENT = 100, RANGE_MAX = 100, CHECK_EVERY = 16 };

struct mix {
    uint32_t read;
    uint32_t update;
    uint32_t insert;
    uint32_t range;
    uint32_t modify; /* Read and then write the same row, in one transaction. */
    bool latest;
    bool uniform;
};

static const struct mix mixes[] = {
    {.read = 50, .update = 50},
    {.read = 95, .update = 5},
    {.read = 100},
    {.read = 95, .insert = 5, .latest = true},
    {.range = 95, .insert = 5},
    {.read = 50, .modify = 50},
    {.read = 50, .update = 50, .uniform = true},
};

struct client {
    struct bench_worker *worker;
    const struct mix *mix;
    struct bench_zipf zipf;       /* Over all rows. */
    struct bench_shuffle shuffle; /* Scatters them. */
    uint64_t extra_room;          /* Extra rows this client may insert. */
};

/* The extra rows of a client are those of its own ranks, in scattered order. */
static uint64_t
extra_id(const struct client *client, uint64_t index)
{
    const struct bench_worker *worker = client->worker;
    struct bench_shuffle shuffle;

    bench_shuffle_init(&shuffle, client->extra_room, worker->run->seed + 1);
    return 2 * (bench_shuffle_at(&shuffle, index) * worker->count + worker->index) + 1;
}

static uint64_t
choose(const struct client *client)
{
    struct bench_worker *worker = client->worker;
    uint64_t rows = worker->run->sizes->rows;

    if (client->mix->uniform)
        return 2 * random_below(&worker->random, rows);
    uint64_t number = bench_zipf_next(&client->zipf, &worker->random);
    if (client->mix->latest) {
        if (number < worker->extra)
            return extra_id(client, worker->extra - 1 - number);
        number = rows - 1 - (number - worker->extra) % rows;
    }
    return 2 * bench_shuffle_at(&client->shuffle, number);
}

/* The nearest row of the client's own. */
static uint64_t
choose_own(const struct client *client)
{
    const struct bench_worker *worker = client->worker;
    uint64_t rank = choose(client) / 2;

    rank = rank - rank % worker->count + worker->index;
    return 2 * (rank < worker->run->sizes->rows ? rank : worker->index);
}

static enum status
wrong(const struct bench_worker *worker, uint64_t key)
{
    return error_raise(STATUS_CORRUPT,
                       "%s: WRONG ANSWER: key %llu has a value that was not written",
                       worker->run->engine->name, (unsigned long long)key);
}

static enum status
read_row(struct bench_worker *worker, uint64_t id)
{
    const struct bench_run *run = worker->run;
    uint64_t key = bench_keys_at(&run->keys, id);
    bool own = id / 2 % worker->count == worker->index;
    uint32_t version = own ? run->store->versions[id] : 1;
    uint32_t wanted = version;
    const void *value;
    size_t size;
    enum status status = run->engine->get(worker->session, key, &value, &size);

    if (status == STATUS_NOT_FOUND)
        return wrong(worker, key);
    TRY(status);
    if (size != run->sizes->value_size || !bench_value_holds(key, value, size, &version) ||
        (own && version != wanted))
        return wrong(worker, key);
    worker->rows++;
    return STATUS_OK;
}

struct range {
    struct bench_worker *worker;
    uint64_t last;
    uint64_t count;
    bool wrong;
};

static bool
visit(void *context, uint64_t key, const void *value, size_t size)
{
    struct range *range = context;
    uint32_t version = 1;

    range->wrong = range->wrong || (range->count > 0 && key <= range->last) ||
                   size != range->worker->run->sizes->value_size ||
                   !bench_value_holds(key, value, size, &version);
    range->last = key;
    range->count++;
    return true;
}

static enum status
read_range(struct bench_worker *worker, uint64_t id)
{
    const struct bench_run *run = worker->run;
    struct range range = {.worker = worker};
    uint64_t key = bench_keys_at(&run->keys, id);
    uint64_t wanted = 1 + random_below(&worker->random, RANGE_MAX);
    uint64_t left = run->sizes->rows - id / 2; /* Rows from there on, extra ones aside. */

    TRY(run->engine->scan(worker->session, key, wanted, visit, &range));
    if (range.wrong || range.count > wanted || range.count < (left < wanted ? left : wanted))
        return wrong(worker, key);
    worker->rows += range.count;
    return STATUS_OK;
}

/* One read in a transaction of its own, run again after a conflict. */
static enum status
read_alone(struct bench_worker *worker, uint64_t id, bool ranged)
{
    const struct bench_engine *engine = worker->run->engine;
    uint64_t begin = tool_clock_ns();
    uint64_t rows = worker->rows;
    enum status status;

    do {
        worker->rows = rows;
        TRY(engine->begin(worker->session, ranged ? BENCH_READ : BENCH_READ_ONE));
        status = ranged ? read_range(worker, id) : read_row(worker, id);
        if (status == STATUS_OK)
            status = engine->commit(worker->session);
        else
            engine->rollback(worker->session);
        worker->conflicts += status == STATUS_CONFLICT;
    } while (status == STATUS_CONFLICT);
    TRY(status);
    bench_latency_add(&worker->latency, tool_clock_ns() - begin);
    worker->operations++;
    return STATUS_OK;
}

static enum status
try_modify(struct bench_worker *worker, uint64_t id)
{
    const struct bench_run *run = worker->run;
    uint64_t key = bench_keys_at(&run->keys, id);
    size_t size = (size_t)run->sizes->value_size;

    TRY(run->engine->begin(worker->session, BENCH_WRITE));
    enum status status = read_row(worker, id);
    if (status == STATUS_OK) {
        bench_value_fill(key, run->store->versions[id] + 1, worker->value, size);
        status = run->engine->put(worker->session, key, worker->value, size, BENCH_PUT);
    }
    if (status != STATUS_OK) {
        run->engine->rollback(worker->session);
        return status;
    }
    return run->engine->commit(worker->session);
}

static enum status
modify(struct bench_worker *worker, uint64_t id)
{
    uint64_t begin = tool_clock_ns();
    enum status status;

    while ((status = try_modify(worker, id)) == STATUS_CONFLICT)
        worker->conflicts++;
    TRY(status);
    bench_latency_add(&worker->latency, tool_clock_ns() - begin);
    worker->run->store->versions[id]++;
    worker->operations++;
    worker->user_size += 8 + worker->run->sizes->value_size;
    return STATUS_OK;
}

static enum status
step(struct client *client)
{
    struct bench_worker *worker = client->worker;
    const struct mix *mix = client->mix;
    uint64_t dice = random_below(&worker->random, PERCENT);

    if (dice < mix->read)
        return read_alone(worker, choose(client), false);
    if (dice < mix->read + mix->range)
        return read_alone(worker, choose(client), true);
    if (dice < mix->read + mix->range + mix->modify)
        return modify(worker, choose_own(client));
    uint64_t id = choose_own(client);
    if (mix->insert > 0) {
        if (worker->extra == client->extra_room)
            return STATUS_OK;
        id = extra_id(client, worker->extra);
    }
    TRY(bench_change_rows(worker, &id, 1, BENCH_WRITE_ROW));
    worker->extra += mix->insert > 0;
    return STATUS_OK;
}

static enum status
work(struct bench_worker *worker)
{
    const struct bench_case *sizes = worker->run->sizes;
    const char *name = sizes->workload->name;
    struct client client = {.worker = worker};

    client.mix = &mixes[name[0] == 'm' ? 6 : name[5] - 'a'];
    client.extra_room = sizes->rows / worker->count;
    if (!client.mix->uniform)
        bench_zipf_init(&client.zipf, sizes->rows, 0.99);
    bench_shuffle_init(&client.shuffle, sizes->rows, worker->run->seed);
    worker->begin_ns = tool_clock_ns(); /* The sum of the distribution is not measured. */
    for (uint64_t i = 0; i < sizes->rows || sizes->seconds > 0; i++) {
        if (i % CHECK_EVERY == 0 && bench_worker_done(worker))
            break;
        TRY(step(&client));
    }
    return STATUS_OK;
}

enum status
workload_ycsb(struct bench_run *run)
{
    struct bench_plan plan = {.work = work, .count = (uint32_t)run->sizes->threads};

    if (run->keys.list != NULL && run->sizes->workload->extras)
        return error_raise(STATUS_INVALID, "%s inserts rows, and --keys has none to spare",
                           run->sizes->workload->name);
    return bench_workers_run(run, &plan);
}
