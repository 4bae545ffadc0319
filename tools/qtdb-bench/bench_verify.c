/*
 * The last word of every run: all rows of the database are read once more and compared with the
 * model, in key order where the engine keeps one. Before a run of reads the same scan is the warm-up.
 */
#include "kernel/base/error.h"
#include "tools/qtdb-bench/bench.h"

struct check {
    struct bench_run *run;
    uint64_t rows;
    uint64_t last;
    enum status status;
};

static bool
refuse(struct check *check, uint64_t key, const char *what)
{
    check->status = error_raise(STATUS_CORRUPT, "%s: WRONG ANSWER: key %llu %s",
                                check->run->engine->name, (unsigned long long)key, what);
    return false;
}

static bool
visit(void *context, uint64_t key, const void *value, size_t size)
{
    struct check *check = context;
    const struct bench_run *run = check->run;
    uint64_t id = bench_keys_id(&run->keys, key);

    if (id == BENCH_NO_ID)
        return refuse(check, key, "was never written");
    uint32_t wanted = run->store->versions[id];
    uint32_t version = wanted;
    if (wanted == 0)
        return refuse(check, key, "should be absent");
    if (size != run->sizes->value_size)
        return refuse(check, key, "has a value of another size");
    if (!bench_value_holds(key, value, size, &version))
        return refuse(check, key, "has a value that was never written");
    if (version != wanted)
        return refuse(check, key, "has a value of another time");
    if ((run->engine->flags & BENCH_UNORDERED) == 0 && check->rows > 0 && key <= check->last)
        return refuse(check, key, "is out of order");
    check->last = key;
    check->rows++;
    return true;
}

static enum status
scan_all(struct bench_run *run, struct bench_session *session, struct check *check)
{
    const struct bench_engine *engine = run->engine;
    enum status status;

    do {
        *check = (struct check){.run = run};
        TRY(engine->begin(session, BENCH_READ));
        status = engine->scan(session, 0, UINT64_MAX, visit, check);
        engine->rollback(session);
    } while (status == STATUS_CONFLICT);
    return status == STATUS_OK ? check->status : status;
}

enum status
bench_verify(struct bench_run *run)
{
    struct check check;
    struct bench_session *session;
    uint64_t live = 0;

    TRY(run->engine->session_open(run->db, &session));
    enum status status = scan_all(run, session, &check);
    run->engine->session_close(session);
    TRY(status);
    for (uint64_t id = 0; id < 2 * run->keys.count; id++)
        live += run->store->versions[id] != 0;
    run->outcome->live_size = live * (8 + run->sizes->value_size);
    if (live != check.rows)
        return error_raise(STATUS_CORRUPT, "%s: WRONG ANSWER: %llu rows instead of %llu",
                           run->engine->name, (unsigned long long)check.rows,
                           (unsigned long long)live);
    return STATUS_OK;
}
