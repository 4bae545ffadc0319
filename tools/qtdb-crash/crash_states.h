/*
 * States: at a point, the choices by which a crash could settle; the state each one leaves; and its
 * verification, now and then with a look inside its recovery.
 */
#ifndef TOOLS_QTDB_CRASH_CRASH_STATES_H
#define TOOLS_QTDB_CRASH_CRASH_STATES_H

#include "tools/qtdb-crash/crash.h"
#include "tools/qtdb-crash/crash_history.h"
#include "tools/qtdb-crash/crash_verify.h"

enum { CRASH_CHOICE_MAX = 160 };

struct crash_choices {
    struct io_sim_crash items[CRASH_CHOICE_MAX];
    uint32_t count;
};

/** Choices for `pending` units: all subsets of few, else a sample that follows from `seed`. At depth 0
 * a full sample, further down a short one. */
void crash_choices_make(struct crash_choices *choices, uint64_t pending, uint64_t seed,
                        uint32_t depth);

/** Visits the states of one point. `place` names the disk: its depth is that of `io`. */
void crash_states_visit(struct crash_session *session, struct io *io,
                        const struct crash_expect *expect, const struct crash_place *place,
                        uint64_t point);

/** What a history's watcher calls at each point (crash_point_fn); the context is a crash_watcher. */
struct crash_watcher {
    struct crash_session *session;
    struct crash_place place;       /* The history. */
    const struct crash_place *only; /* Replay: this state and no other. */
};
void crash_states_look(void *context, struct crash_history *history,
                       const struct io_sim_event *event);
/** The same for what is wrong in the history itself (crash_wrong_fn). */
void crash_states_wrong(void *context, enum crash_violation violation, const char *text);

#endif
