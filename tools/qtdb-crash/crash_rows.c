/*
 * The mode rows: histories by seed, at every operation of which the disk is settled in a few ways; see
 * crash_rows.h. Every one of those states is a state of the database: it is opened and compared; in one
 * of some of them the recovery is interrupted in turn.
 */
#include "tools/qtdb-crash/crash_rows.h"
#include "kernel/base/checksum.h"
#include "kernel/base/error.h"
#include "tools/qtdb-crash/crash_report.h"
#include "tools/qtdb-crash/crash_set.h"
#include "tools/qtdb-crash/crash_states.h"
#include "tools/qtdb-crash/crash_trace.h"

enum { STEPS_MIN = 10, STEPS_MORE = 40, NESTED_ODDS = 24, NESTED_POINT_ODDS = 3, LIVE_STEPS = 5 };

/* Who looks at the points of one disk: a history's, or the one of a recovery. */
struct looker {
    struct crash_session *session;
    const struct rows_history *history;
    const struct rows_expect *expect; /* Of a recovery; NULL: as the history is now. */
    const struct crash_place *only;   /* Replay. */
    struct crash_place place;         /* Of the disk. */
    struct io *io;
    uint64_t *point;
};

static uint64_t
place_hash(const struct crash_place *place)
{
    uint64_t mixed = place->id.seed;

    for (uint32_t depth = 0; depth < place->depth; depth++) {
        const struct crash_step *step = &place->steps[depth];

        mixed = checksum_seed(mixed, step->point);
        mixed = checksum_seed(mixed, step->choice.mode * 31 + step->choice.index);
        mixed = checksum_seed(mixed, step->choice.seed);
    }
    return random_mix(mixed);
}

static bool
changes_disk(const struct io_sim_event *event)
{
    return event->op != IO_SIM_READ && event->op != IO_SIM_SIZE && event->op != IO_SIM_LIST &&
           event->op != IO_SIM_REAL_PATH && event->op != IO_SIM_LOCK &&
           event->op != IO_SIM_QUEUE_OPEN && (event->done || event->in_flight);
}

static void look(void *context, const struct io_sim_event *event);

static enum crash_violation
verify_state(struct looker *outer, struct io *io, const struct crash_place *place,
             const struct rows_expect *expect, struct crash_found *found)
{
    uint64_t hash = place_hash(place);
    uint64_t point = 0;
    struct looker inner = *outer;

    inner.expect = expect;
    inner.place = *place;
    inner.io = io;
    inner.point = &point;
    bool looks_inside = outer->only != NULL ? outer->only->depth > place->depth
                                            : place->depth == 1 && hash % NESTED_ODDS == 0;

    if (looks_inside)
        io_sim_watch(io, look, &inner);
    enum crash_violation violation =
        rows_verify_disk(io, outer->session->engine[place->depth], outer->session->rig, &place->id,
                         expect, looks_inside ? 0 : random_mix(hash), found);

    io_sim_watch(io, NULL, NULL);
    return violation;
}

static void
visit_state(struct looker *looker, const struct crash_place *place)
{
    const struct io_sim_crash *choice = &place->steps[place->depth - 1].choice;
    struct crash_session *session = looker->session;
    struct rows_expect expect;
    struct crash_found found;
    struct io *fork;

    if (looker->expect != NULL)
        expect = *looker->expect;
    else
        expect = (struct rows_expect){.model = &looker->history->model,
                                      .acknowledged = looker->history->model.acknowledged,
                                      .may_be_absent = !looker->history->opened,
                                      .canary = session->options->canary};
    if (choice->mode == IO_SIM_CRASH_GARBAGE && place->id.policy == PAGER_POLICY_RANGE)
        expect.may_refuse = true;
    CHECK(io_sim_fork(looker->io, choice, session->rig, &fork) == STATUS_OK);
    io_sim_set_disk_size(fork, 0);
    bool is_new =
        crash_set_add(session->seen, checksum_seed(io_sim_image_hash(fork), expect.acknowledged));

    crash_count(session->report, CRASH_COUNT_STATES, 1);
    if (!is_new && looker->only == NULL) {
        io_close_all(fork);
        return;
    }
    crash_count(session->report, CRASH_COUNT_UNIQUE, is_new);
    crash_count(session->report, CRASH_COUNT_NESTED, is_new && place->depth == 2);
    crash_report_at(session->report, place, "");
    enum crash_violation violation = verify_state(looker, fork, place, &expect, &found);

    if (violation != CRASH_OK)
        crash_report_wrong(session->report, place, violation, found.text);
    crash_count(session->report, CRASH_COUNT_FENCED_GARBAGE, found.refused_pages);
    if (io_sim_open_count(fork) == 0)
        io_close_all(fork);
}

/* A point: what is pending is lost, kept, or settles at random, or only the process died. */
static void
visit(struct looker *looker, uint64_t point)
{
    static const enum io_sim_crash_mode modes[] = {IO_SIM_CRASH_LOST,    IO_SIM_CRASH_KEPT,
                                                   IO_SIM_CRASH_RANDOM,  IO_SIM_CRASH_RANDOM,
                                                   IO_SIM_CRASH_GARBAGE, IO_SIM_CRASH_PROCESS};
    struct crash_place place = looker->place;
    struct crash_step *step = &place.steps[place.depth++];

    *step = (struct crash_step){.point = point};
    if (looker->only != NULL) {
        if (looker->only->depth >= place.depth &&
            looker->only->steps[place.depth - 1].point == point) {
            *step = looker->only->steps[place.depth - 1];
            visit_state(looker, &place);
        }
        return;
    }
    uint64_t hash = place_hash(&place);

    if (place.depth > 1 && hash % NESTED_POINT_ODDS != 0)
        return;
    crash_count(looker->session->report, CRASH_COUNT_POINTS, 1);
    for (size_t index = 0; index < sizeof(modes) / sizeof(modes[0]); index++) {
        step->choice = (struct io_sim_crash){.mode = modes[index], .seed = hash + index};
        visit_state(looker, &place);
    }
}

static void
look(void *context, const struct io_sim_event *event)
{
    struct looker *looker = context;

    if (!changes_disk(event))
        return;
    uint64_t point = (*looker->point)++;

    if (looker->session->options->trace)
        crash_trace_event(looker->io, looker->place.depth, point, event);
    if (!crash_report_done(looker->session->report))
        visit(looker, point);
}

static void
tell_wrong(void *context, enum crash_violation violation, const char *text)
{
    struct looker *looker = context;

    crash_report_wrong(looker->session->report, &looker->place, violation, text);
}

/* The open database holds what the model holds. */
static void
look_at_live(struct rows_history *history)
{
    struct rows_expect expect = {.model = &history->model, .acknowledged = history->model.commit};
    struct crash_found found = {.absent = false};
    enum crash_violation violation =
        rows_verify(history->db, &expect, history->session->rig, &found);

    if (violation != CRASH_OK)
        rows_wrong(history, violation, "step %lu: %s", (unsigned long)history->step_count,
                   found.text);
}

/* Everything is there after a clean close. */
static void
last_look(struct rows_history *history)
{
    struct rows_expect expect = {.model = &history->model, .acknowledged = history->model.commit};
    struct crash_found found;

    if (qtdb_close(history->db) != QTDB_OK) {
        rows_wrong(history, CRASH_STATUS, "close: %s", qtdb_error_last()->message);
        return;
    }
    enum crash_violation violation = rows_verify_disk(
        history->io, history->env.memory, history->session->rig, &history->id, &expect, 0, &found);

    if (violation != CRASH_OK)
        rows_wrong(history, violation, "after a clean close: %s", found.text);
}

static bool
is_done(const struct rows_history *history, const struct crash_place *only)
{
    if (only != NULL)
        return only->depth > 0 && history->point > only->steps[0].point;
    if (!rows_model_has_room(&history->model))
        return true;
    return crash_report_done(history->session->report);
}

static void
run_history(struct crash_session *session, const struct crash_id *id,
            const struct crash_place *only)
{
    struct rows_history history = {.session = session, .id = *id, .wrong = tell_wrong};
    struct looker looker = {.session = session,
                            .history = &history,
                            .only = only,
                            .place = {.id = *id},
                            .point = &history.point};
    struct io_sim_options disk = {.seed = id->seed, .size_with_data = id->seed % 2 == 0};
    uint64_t steps = STEPS_MIN + random_mix(id->seed + 1) % STEPS_MORE;

    history.context = &looker;
    history.options = rows_options(id);
    random_init(&history.random, id->seed);
    rows_model_init(&history.model, session->rig);
    CHECK(io_sim_open(session->rig, &disk, &history.io) == STATUS_OK);
    history.env = (struct env){.memory = session->engine[0], .io = history.io};
    looker.io = history.io;
    crash_report_at(session->report, &looker.place, "");
    io_sim_watch(history.io, look, &looker);
    rows_open(&history);
    while (!history.failed && history.step_count < steps && !is_done(&history, only)) {
        rows_step(&history);
        if (!history.failed && history.db != NULL && history.step_count % LIVE_STEPS == 0)
            look_at_live(&history);
    }
    io_sim_watch(history.io, NULL, NULL);
    if (!history.failed)
        last_look(&history);
    else if (history.db != NULL)
        database_abandon(history.db);
    crash_count(session->report, CRASH_COUNT_HISTORIES, 1);
    crash_count(session->report, CRASH_COUNT_STEPS, history.step_count);
    if (io_sim_open_count(history.io) == 0)
        io_close_all(history.io);
    rows_model_deinit(&history.model, session->rig);
}

bool
crash_rows(const struct crash_options *options, struct crash_report *report)
{
    struct crash_options ours = *options;

    ours.workload = CRASH_ROWS;
    return crash_run_histories(&ours, report, run_history);
}

bool
crash_rows_replay(const struct crash_options *options, struct crash_report *report)
{
    return crash_run_place(options, report, run_history);
}
