/* The mode sim: histories by seed, as many threads as asked for, each with its own disks. */
#include <pthread.h>

#include "kernel/base/random.h"
#include "tools/qtdb-crash/crash_report.h"
#include "tools/qtdb-crash/crash_set.h"
#include "tools/qtdb-crash/crash_states.h"
#include "tools/qtdb-crash/crash_trace.h"

enum { STEPS_MIN = 40, STEPS_MORE = 120, STEPS_REPLAY = 2000 };

struct work {
    const struct crash_options *options;
    struct crash_report *report;
    struct crash_set *seen;
    crash_history_fn history;
    _Atomic uint64_t *next;
};

struct crash_id
crash_sim_id(const struct crash_options *options, uint64_t index)
{
    static const enum crash_workload turns[] = {
        CRASH_LOAD,   CRASH_UPDATE,   CRASH_SHRINK, CRASH_FULL,   CRASH_DIRECT,
        CRASH_EVICT,  CRASH_RECOVERY, CRASH_UPDATE, CRASH_SHRINK, CRASH_FULL,
        CRASH_DIRECT, CRASH_RECOVERY, CRASH_UPDATE};
    uint64_t count = sizeof(turns) / sizeof(turns[0]);
    uint64_t seed = random_mix(options->seed * 1000003 + index);
    struct crash_id id = {.seed = seed, .workload = options->workload, .policy = options->policy};

    if (id.workload == CRASH_WORKLOAD_ANY)
        id.workload = turns[index % count];
    if (id.policy == 0)
        id.policy = (index + index / count) % 2 == 0 ? PAGER_POLICY_IMAGE : PAGER_POLICY_RANGE;
    return id;
}

/* Everything committed before a clean close is there afterwards. */
static void
last_look(struct crash_history *history)
{
    struct crash_expect expect = crash_expect_of(history);
    struct crash_found found;

    expect.acknowledged = expect.model->commit_count;
    if (crash_history_reopen(history) != STATUS_OK)
        return;
    enum crash_violation violation = crash_verify_pager(history->pager, &expect, &found);

    if (violation != CRASH_OK)
        history->wrong(history->context, violation, found.text);
}

static bool
is_done(const struct crash_watcher *watcher, const struct crash_history *history)
{
    if (watcher->only != NULL)
        return watcher->only->depth > 0 && history->point > watcher->only->steps[0].point;
    return crash_report_done(watcher->session->report);
}

void
crash_sim_history(struct crash_session *session, const struct crash_id *id,
                  const struct crash_place *only)
{
    struct crash_watcher watcher = {.session = session, .place = {.id = *id}, .only = only};
    struct crash_history history;
    uint64_t steps = STEPS_MIN + random_mix(id->seed + 1) % STEPS_MORE;

    if (only != NULL && only->depth > 0)
        steps = STEPS_REPLAY; /* Of another mode, perhaps: until the point is reached. */
    crash_report_at(session->report, &watcher.place, "");
    crash_history_begin(&history, session, id, session->engine[0], crash_states_wrong,
                        crash_states_look, &watcher);
    enum status status = crash_history_open(&history);

    while (status == STATUS_OK && history.step_count < steps && !is_done(&watcher, &history))
        status = crash_history_step(&history);
    if (status == STATUS_OK)
        last_look(&history);
    crash_count(session->report, CRASH_COUNT_HISTORIES, 1);
    crash_count(session->report, CRASH_COUNT_STEPS, history.step_count);
    crash_history_end(&history, status == STATUS_OK);
}

static void *
run(void *argument)
{
    struct work *work = argument;
    struct crash_session session;

    crash_session_init(&session, work->options, work->report, work->seen);
    do {
        struct crash_id id = crash_sim_id(work->options, atomic_fetch_add(work->next, 1));

        work->history(&session, &id, NULL);
    } while (!crash_report_done(work->report));
    crash_session_deinit(&session);
    return NULL;
}

bool
crash_run_histories(const struct crash_options *options, struct crash_report *report,
                    crash_history_fn history)
{
    struct memory *memory = memory_new();
    _Atomic uint64_t next = 0;
    struct work work = {.options = options, .report = report, .history = history, .next = &next};
    pthread_t threads[CRASH_THREAD_MAX];
    uint64_t started = 0;

    CHECK(memory != NULL);
    work.seen = crash_set_new(memory);
    while (started + 1 < options->threads &&
           pthread_create(&threads[started], NULL, run, &work) == 0)
        started++;
    run(&work);
    while (started > 0)
        CHECK(pthread_join(threads[--started], NULL) == 0);
    crash_set_delete(work.seen);
    memory_delete(memory);
    return true;
}

bool
crash_run_place(const struct crash_options *options, struct crash_report *report,
                crash_history_fn history)
{
    struct memory *memory = memory_new();
    struct crash_session session;

    CHECK(memory != NULL);
    struct crash_set *seen = crash_set_new(memory);

    crash_trace_lines();
    crash_session_init(&session, options, report, seen);
    history(&session, &options->place.id, &options->place);
    crash_session_deinit(&session);
    crash_set_delete(seen);
    memory_delete(memory);
    return true;
}

bool
crash_sim(const struct crash_options *options, struct crash_report *report)
{
    return crash_run_histories(options, report, crash_sim_history);
}

bool
crash_replay(const struct crash_options *options, struct crash_report *report)
{
    return crash_run_place(options, report, crash_sim_history);
}
