/*
 * The mode torn: what the disk does to writes. In three parts:
 *
 *   tearing    crashes while pages are being written, settled so that pages tear or hold garbage; what
 *              is torn on the disk is counted before the recovery, and judged after it
 *   misleading each write of the database file, one at a time, is lost or lands elsewhere though it was
 *              reported as done; whoever reads the page later must notice
 *   live       pages are damaged behind the back of an open handle and read again
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/random.h"
#include "pager/page.h"
#include "tools/qtdb-crash/crash_fault.h"
#include "tools/qtdb-crash/crash_history.h"
#include "tools/qtdb-crash/crash_report.h"
#include "tools/qtdb-crash/crash_torn_live.h"
#include "tools/qtdb-crash/crash_verify.h"

enum {
    TEAR_CHOICES = 8,
    TEAR_GARBAGE_FROM = 4, /* Choices from here on make garbage. */
    TEAR_POINT_ODDS = 3,
    TEAR_STEPS = 90,
    TEAR_HISTORIES = 24,    /* A run without --seconds. */
    MISLEAD_HISTORIES = 13, /* Each workload is in it. */
    LIVE_STORES = 8,
};

struct torn {
    const struct crash_options *options;
    struct crash_report *report;
    uint64_t histories;
    _Atomic uint64_t next;
    /* By policy. */
    _Atomic uint64_t torn[3];
    _Atomic uint64_t garbage[3];
    _Atomic uint64_t fenced[3];
};

/* ---- Tearing --------------------------------------------------------------------------------- */

struct tear {
    struct torn *torn;
    struct crash_session *session;
    struct crash_place place;
    uint64_t file_id;
};

/* Pages on the disk that are neither valid nor all zero. */
static uint64_t
count_broken(struct tear *tear, struct io *io)
{
    uint8_t bytes[PAGE_SIZE];
    uint64_t count = 0;

    if (io_sim_peek(io, CRASH_FILE, 0, bytes, PAGE_SIZE) != STATUS_OK)
        return 0;
    uint64_t file_id = le64_get(((const struct meta_slot *)(const void *)bytes)->file_id);

    for (uint32_t number = META_SLOT_COUNT;; number++) {
        const char *reason;

        if (io_sim_peek(io, CRASH_FILE, (uint64_t)number * PAGE_SIZE, bytes, PAGE_SIZE) !=
            STATUS_OK)
            return count;
        if (!bytes_are_zero(bytes, PAGE_SIZE) &&
            page_validate(bytes, tear->file_id == 0 ? file_id : tear->file_id, number, &reason) !=
                STATUS_OK)
            count++;
    }
}

static void
tear_state(struct tear *tear, struct crash_history *history, const struct io_sim_crash *choice)
{
    bool garbage = choice->mode == IO_SIM_CRASH_GARBAGE;
    enum pager_policy policy = history->id.policy;
    struct crash_expect expect = crash_expect_of(history);
    struct crash_place place = tear->place;
    struct torn *torn = tear->torn;
    struct crash_found found;
    struct io *fork;

    place.depth = 1;
    place.steps[0] = (struct crash_step){.point = history->point, .choice = *choice};
    CHECK(io_sim_fork(history->io, choice, tear->session->rig, &fork) == STATUS_OK);
    uint64_t broken = count_broken(tear, fork);

    crash_count(torn->report, garbage ? CRASH_COUNT_GARBAGE : CRASH_COUNT_TORN, broken);
    atomic_fetch_add(garbage ? &torn->garbage[policy] : &torn->torn[policy], broken);
    expect.may_refuse_page = garbage && policy == PAGER_POLICY_RANGE;
    crash_report_at(torn->report, &place, "");
    enum crash_violation violation =
        crash_verify_disk(fork, tear->session->engine[1], &expect, false, &found, NULL);

    if (violation != CRASH_OK)
        crash_report_wrong(torn->report, &place, violation, found.text);
    crash_count(torn->report, CRASH_COUNT_STATES, 1);
    crash_count(torn->report, CRASH_COUNT_FENCED_GARBAGE, found.refused_pages);
    atomic_fetch_add(&torn->fenced[policy], found.refused_pages);
    if (io_sim_open_count(fork) == 0)
        io_close_all(fork);
}

static void
tear_look(void *context, struct crash_history *history, const struct io_sim_event *event)
{
    struct tear *tear = context;
    struct random random;

    if (event == NULL || event->op != IO_SIM_WRITE || strcmp(event->path, CRASH_FILE) != 0 ||
        crash_report_done(tear->torn->report))
        return;
    random_init(&random, history->id.seed ^ random_mix(history->point));
    if (!random_chance(&random, 1, TEAR_POINT_ODDS) || io_sim_pending_count(history->io) == 0)
        return;
    for (int index = 0; index < TEAR_CHOICES; index++) {
        struct io_sim_crash choice = {.mode = index < TEAR_GARBAGE_FROM ? IO_SIM_CRASH_RANDOM
                                                                        : IO_SIM_CRASH_GARBAGE,
                                      .seed = random_u64(&random)};

        tear_state(tear, history, &choice);
    }
}

static void
tear_wrong(void *context, enum crash_violation violation, const char *text)
{
    struct tear *tear = context;

    crash_report_wrong(tear->torn->report, &tear->place, violation, text);
}

static void
tear_history(struct torn *torn, struct crash_session *session, uint64_t index)
{
    struct tear tear = {.torn = torn, .session = session};
    struct crash_history history;

    tear.place.id = crash_sim_id(torn->options, index);
    crash_history_begin(&history, session, &tear.place.id, session->engine[0], tear_wrong,
                        tear_look, &tear);
    enum status status = crash_history_open(&history);

    while (status == STATUS_OK && history.step_count < TEAR_STEPS &&
           !crash_report_done(torn->report))
        status = crash_history_step(&history);
    crash_count(torn->report, CRASH_COUNT_HISTORIES, 1);
    crash_history_end(&history, status == STATUS_OK);
}

/* ---- Misleading ------------------------------------------------------------------------------ */

static void
mislead_one(struct torn *torn, struct crash_session *session,
            const struct crash_reference *reference, const struct crash_fault *fault)
{
    struct crash_outcome outcome;

    crash_fault_run(session, reference, fault, &outcome);
    crash_count(torn->report, CRASH_COUNT_RUNS, 1);
    crash_count(torn->report, outcome.detected ? CRASH_COUNT_DETECTED : CRASH_COUNT_HARMLESS, 1);
    if (outcome.detected)
        crash_count(
            torn->report,
            fault->io == IO_SIM_FAULT_LOST ? CRASH_COUNT_FENCED_LOST : CRASH_COUNT_FENCED_STRAY, 1);
}

static void
mislead(struct torn *torn, struct crash_session *session, uint64_t index)
{
    struct crash_reference reference;
    struct crash_id id = crash_sim_id(torn->options, index);

    if (id.workload == CRASH_RECOVERY)
        id.workload = CRASH_UPDATE;
    crash_reference_run(session, &id, &reference);
    for (uint64_t at = 0; at < 2 * reference.io_count && !crash_report_done(torn->report); at++) {
        struct crash_fault fault = {
            .io = at % 2 == 0 ? IO_SIM_FAULT_LOST : IO_SIM_FAULT_MISDIRECTED, .index = at / 2};

        if (crash_fault_fits(fault.io, (enum crash_operation)reference.kinds[fault.index]))
            mislead_one(torn, session, &reference, &fault);
    }
    crash_reference_free(session, &reference);
}

/* ---- The mode -------------------------------------------------------------------------------- */

static void *
torn_run(void *argument)
{
    struct torn *torn = argument;
    struct crash_session session;
    uint64_t index;

    crash_session_init(&session, torn->options, torn->report, NULL);
    while (!crash_report_done(torn->report)) {
        index = atomic_fetch_add(&torn->next, 1);
        if (index >= torn->histories)
            break;
        tear_history(torn, &session, index);
        if (index < MISLEAD_HISTORIES)
            mislead(torn, &session, index);
        if (index < LIVE_STORES)
            crash_torn_live(&session, index);
    }
    crash_session_deinit(&session);
    return NULL;
}

bool
crash_torn(const struct crash_options *options, struct crash_report *report)
{
    struct torn torn = {.options = options, .report = report, .histories = options->histories};
    pthread_t threads[CRASH_THREAD_MAX];
    uint64_t started = 0;

    if (torn.histories == 0)
        torn.histories = options->seconds == 0 ? TEAR_HISTORIES : UINT64_MAX;
    while (started + 1 < options->threads &&
           pthread_create(&threads[started], NULL, torn_run, &torn) == 0)
        started++;
    torn_run(&torn);
    while (started > 0)
        CHECK(pthread_join(threads[--started], NULL) == 0);
    crash_report_line(report, "  %-8s %12s %12s %12s", "policy", "torn", "garbage", "fenced");
    for (int policy = PAGER_POLICY_IMAGE; policy <= PAGER_POLICY_RANGE; policy++)
        crash_report_line(report, "  %-8s %12" PRIu64 " %12" PRIu64 " %12" PRIu64,
                          policy == PAGER_POLICY_IMAGE ? "image" : "range",
                          atomic_load(&torn.torn[policy]), atomic_load(&torn.garbage[policy]),
                          atomic_load(&torn.fenced[policy]));
    return true;
}
