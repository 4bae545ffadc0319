/* States and their exploration; see crash_states.h. */
#include "tools/qtdb-crash/crash_states.h"

#include <string.h>

#include "kernel/base/checksum.h"
#include "kernel/base/random.h"
#include "tools/qtdb-crash/crash_report.h"
#include "tools/qtdb-crash/crash_set.h"
#include "tools/qtdb-crash/crash_trace.h"

/* How many of each at a point, at depth 0 and below. */
enum {
    MASK_UNITS_MAX = 5, /* Up to so many units every subset is visited. */
    PREFIX_COUNT = 5,
    ONE_COUNT = 3,
    RANDOM_COUNT = 8,
    GARBAGE_COUNT = 4,
    NESTED_RANDOM_COUNT = 2,
};

/* One in so many. */
enum {
    POINT_ODDS = 10,
    NESTED_POINT_ODDS = 2,
    NESTED_ODDS = 40,
    NESTED3_ODDS = 60,
    LIFE_ODDS = 16,
    READ_ONLY_ODDS = 24,
};

#define SALT_POINT UINT64_C(0x706f696e74)
#define SALT_CHOICE UINT64_C(0x63686f696365)
#define SALT_NESTED UINT64_C(0x6e6573746564)
#define SALT_LIFE UINT64_C(0x6c696665)
#define SALT_READ_ONLY UINT64_C(0x726f)

static void
choice_add(struct crash_choices *choices, enum io_sim_crash_mode mode, uint64_t index,
           uint64_t seed)
{
    if (choices->count < CRASH_CHOICE_MAX)
        choices->items[choices->count++] =
            (struct io_sim_crash){.mode = mode, .index = index, .seed = seed};
}

static void
choices_few(struct crash_choices *choices, uint64_t pending)
{
    for (uint64_t mask = 0; mask < UINT64_C(1) << pending; mask++)
        choice_add(choices, IO_SIM_CRASH_MASK, mask, 0);
}

static void
choices_sample(struct crash_choices *choices, uint64_t pending, struct random *random)
{
    choice_add(choices, IO_SIM_CRASH_LOST, 0, 0);
    choice_add(choices, IO_SIM_CRASH_KEPT, 0, 0);
    for (int index = 0; index < PREFIX_COUNT; index++)
        choice_add(choices, IO_SIM_CRASH_PREFIX, 1 + random_below(random, pending - 1), 0);
    for (int index = 0; index < ONE_COUNT; index++) {
        choice_add(choices, IO_SIM_CRASH_DROP_ONE, random_below(random, pending), 0);
        choice_add(choices, IO_SIM_CRASH_KEEP_ONE, random_below(random, pending), 0);
    }
    for (int index = 0; index < RANDOM_COUNT; index++)
        choice_add(choices, IO_SIM_CRASH_RANDOM, 0, random_u64(random));
}

void
crash_choices_make(struct crash_choices *choices, uint64_t pending, uint64_t seed, uint32_t depth)
{
    struct random random;

    choices->count = 0;
    if (pending == 0) {
        choice_add(choices, IO_SIM_CRASH_KEPT, 0, 0);
        return;
    }
    random_init(&random, seed);
    if (depth > 0) {
        choice_add(choices, IO_SIM_CRASH_LOST, 0, 0);
        for (int index = 0; index < NESTED_RANDOM_COUNT; index++)
            choice_add(choices, IO_SIM_CRASH_RANDOM, 0, random_u64(&random));
        choice_add(choices, IO_SIM_CRASH_GARBAGE, 0, random_u64(&random));
        return;
    }
    if (pending <= MASK_UNITS_MAX)
        choices_few(choices, pending);
    else
        choices_sample(choices, pending, &random);
    for (int index = 0; index < GARBAGE_COUNT; index++)
        choice_add(choices, IO_SIM_CRASH_GARBAGE, 0, random_u64(&random));
    choice_add(choices, IO_SIM_CRASH_PROCESS, 0, random_u64(&random));
}

/* A number that follows from the state alone, so that a replay takes the same decisions. */
static uint64_t
place_mix(const struct crash_place *place, uint64_t salt)
{
    uint64_t mixed = checksum_seed(place->id.seed, salt);

    for (uint32_t depth = 0; depth < place->depth; depth++) {
        const struct crash_step *step = &place->steps[depth];

        mixed = checksum_seed(mixed, step->point);
        mixed = checksum_seed(mixed, step->choice.mode * 31 + step->choice.index);
        mixed = checksum_seed(mixed, step->choice.seed);
    }
    return random_mix(mixed);
}

static bool
has_garbage(const struct crash_place *place)
{
    for (uint32_t depth = 0; depth < place->depth; depth++) {
        if (place->steps[depth].choice.mode == IO_SIM_CRASH_GARBAGE)
            return true;
    }
    return false;
}

/* Looking into the recovery of one state. */
struct nest {
    struct crash_session *session;
    const struct crash_expect *expect;
    const struct crash_place *place;
    const struct crash_place *only;
    struct io *io;
    uint64_t point;
};

static void visit(struct crash_session *session, struct io *io, const struct crash_expect *expect,
                  const struct crash_place *place, const struct crash_place *only, uint64_t point);

static bool
is_change(const struct io_sim_event *event)
{
    switch (event->op) {
    case IO_SIM_WRITE:
    case IO_SIM_SYNC:
    case IO_SIM_TRUNCATE:
    case IO_SIM_ALLOCATE:
    case IO_SIM_RENAME:
    case IO_SIM_REMOVE:
    case IO_SIM_MAKE_DIR:
    case IO_SIM_REMOVE_DIR:
    case IO_SIM_SYNC_DIR:
        return event->done || event->in_flight;
    case IO_SIM_OPEN:
        return event->done && (event->flags & IO_CREATE) != 0;
    default:
        return false;
    }
}

static void
nest_watch(void *context, const struct io_sim_event *event)
{
    struct nest *nest = context;

    if (!is_change(event))
        return;
    if (nest->session->options->trace)
        crash_trace_event(nest->io, nest->place->depth, nest->point, event);
    visit(nest->session, nest->io, nest->expect, nest->place, nest->only, nest->point);
    nest->point++;
}

static bool
looks_inside(const struct crash_place *place, const struct crash_place *only)
{
    static const uint64_t odds[] = {0, NESTED_ODDS, NESTED3_ODDS};

    if (only != NULL)
        return only->depth > place->depth;
    return place->depth > 0 && place->depth < CRASH_DEPTH_MAX &&
           place_mix(place, SALT_NESTED) % odds[place->depth] == 0;
}

/* After a recovery: does what was recovered live on? */
static enum crash_violation
go_on(struct crash_session *session, struct io *io, const struct crash_expect *expect,
      const struct crash_place *place, struct pager *pager, struct crash_found *found)
{
    uint64_t mixed = place_mix(place, SALT_LIFE);

    if (mixed % LIFE_ODDS != 0) {
        pager_abandon(pager);
        return crash_verify_closed(io, session->engine[place->depth], found);
    }
    crash_count(session->report, CRASH_COUNT_LIVES, 1);
    return crash_verify_life(pager, io, session->rig, expect, random_mix(mixed), found);
}

/* Recovered into memory only: the disk must not change. */
static enum crash_violation
verify_read_only(struct crash_session *session, struct io *io, const struct crash_expect *expect,
                 const struct crash_place *place, struct crash_found *found)
{
    uint64_t before = io_sim_image_hash(io);
    enum crash_violation violation =
        crash_verify_disk(io, session->engine[place->depth], expect, true, found, NULL);

    crash_count(session->report, CRASH_COUNT_READ_ONLY, 1);
    if (violation == CRASH_OK && io_sim_image_hash(io) != before)
        return crash_found_wrong(found, CRASH_STATUS, "a read-only open changed the disk");
    return violation;
}

static enum crash_violation
verify_state(struct crash_session *session, struct io *io, const struct crash_expect *expect,
             const struct crash_place *place, const struct crash_place *only,
             struct crash_found *found)
{
    struct nest nest = {.session = session, .place = place, .only = only, .io = io};
    struct crash_expect inner = *expect;
    struct memory *engine = session->engine[place->depth];
    enum crash_violation violation = CRASH_OK;
    struct pager *pager = NULL;

    if (place_mix(place, SALT_READ_ONLY) % READ_ONLY_ODDS == 0) {
        violation = verify_read_only(session, io, expect, place, found);
        if (violation != CRASH_OK)
            return violation;
    }
    nest.expect = &inner;
    if (looks_inside(place, only))
        io_sim_watch(io, nest_watch, &nest);
    violation = crash_verify_disk(io, engine, expect, false, found, &pager);
    io_sim_watch(io, NULL, NULL);
    if (violation != CRASH_OK || pager == NULL)
        return violation;
    return go_on(session, io, expect, place, pager, found);
}

static void
count_found(struct crash_session *session, const struct crash_place *place,
            const struct crash_found *found)
{
    crash_count(session->report, CRASH_COUNT_ABSENT, found->absent);
    crash_count(session->report, CRASH_COUNT_FULL, found->full);
    crash_count(session->report, CRASH_COUNT_REPAIRED, found->repaired);
    if (has_garbage(place))
        crash_count(session->report, CRASH_COUNT_FENCED_GARBAGE, found->refused_pages);
}

static void
count_state(struct crash_session *session, const struct crash_place *place)
{
    crash_count(session->report, CRASH_COUNT_UNIQUE, 1);
    if (place->depth == 2)
        crash_count(session->report, CRASH_COUNT_NESTED, 1);
    if (place->depth == 3)
        crash_count(session->report, CRASH_COUNT_NESTED3, 1);
}

static void
leak_on_purpose(struct crash_session *session, const struct crash_place *place)
{
    if (session->options->canary != CRASH_CANARY_LEAK || place->depth != 1 || session->kept != NULL)
        return;
    session->kept = memory_alloc(session->engine[1], MEMORY_OTHER, CRASH_KEPT_SIZE);
    CHECK(session->kept != NULL);
}

static void
visit_state(struct crash_session *session, struct io *io, const struct crash_expect *outer,
            const struct crash_place *place, const struct crash_place *only)
{
    const struct io_sim_crash *choice = &place->steps[place->depth - 1].choice;
    struct crash_expect expect = *outer;
    struct crash_found found = {.absent = false};
    enum crash_violation violation;
    struct io *fork;

    CHECK(io_sim_fork(io, choice, session->rig, &fork) == STATUS_OK);
    bool is_new =
        crash_set_add(session->seen, checksum_seed(io_sim_image_hash(fork), expect.acknowledged));

    crash_count(session->report, CRASH_COUNT_STATES, 1);
    if (!is_new && only == NULL && choice->mode != IO_SIM_CRASH_PROCESS) {
        io_close_all(fork);
        return;
    }
    if (is_new)
        count_state(session, place);
    crash_report_at(session->report, place, "");
    leak_on_purpose(session, place);
    expect.may_refuse_page = has_garbage(place) && expect.id.policy == PAGER_POLICY_RANGE;
    violation = verify_state(session, fork, &expect, place, only, &found);
    if (violation != CRASH_OK)
        crash_report_wrong(session->report, place, violation, found.text);
    count_found(session, place, &found);
    if (io_sim_open_count(fork) == 0)
        io_close_all(fork);
}

static void
visit(struct crash_session *session, struct io *io, const struct crash_expect *expect,
      const struct crash_place *place, const struct crash_place *only, uint64_t point)
{
    struct crash_place inner = *place;
    struct crash_step *step = &inner.steps[place->depth];
    struct crash_choices choices;
    uint64_t mixed;

    inner.depth = place->depth + 1;
    *step = (struct crash_step){.point = point, .choice = {.mode = IO_SIM_CRASH_LOST}};
    if (only != NULL) {
        if (only->depth > place->depth && only->steps[place->depth].point == point) {
            *step = only->steps[place->depth];
            visit_state(session, io, expect, &inner, only);
        }
        return;
    }
    mixed = place_mix(&inner, SALT_POINT);
    if (mixed % (place->depth == 0 ? POINT_ODDS : NESTED_POINT_ODDS) != 0)
        return;
    crash_count(session->report, CRASH_COUNT_POINTS, 1);
    crash_choices_make(&choices, io_sim_pending_count(io), place_mix(&inner, SALT_CHOICE),
                       place->depth);
    for (uint32_t index = 0; index < choices.count && !crash_report_done(session->report);
         index++) {
        step->choice = choices.items[index];
        visit_state(session, io, expect, &inner, NULL);
    }
}

void
crash_states_visit(struct crash_session *session, struct io *io, const struct crash_expect *expect,
                   const struct crash_place *place, uint64_t point)
{
    visit(session, io, expect, place, NULL, point);
}

void
crash_states_look(void *context, struct crash_history *history, const struct io_sim_event *event)
{
    struct crash_watcher *watcher = context;
    struct crash_place place = {.id = history->id};

    if (watcher->session->options->trace)
        crash_trace(history, event);
    if (watcher->only == NULL && event != NULL && !is_change(event))
        return;
    struct crash_expect expect = crash_expect_of(history);

    visit(watcher->session, history->io, &expect, &place, watcher->only, history->point);
    crash_report_at(watcher->session->report, &place, "");
}

void
crash_states_wrong(void *context, enum crash_violation violation, const char *text)
{
    struct crash_watcher *watcher = context;

    crash_report_wrong(watcher->session->report, &watcher->place, violation, text);
}
