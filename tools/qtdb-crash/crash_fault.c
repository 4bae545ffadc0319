/* One fault in one run; see crash_fault.h. */
#include "tools/qtdb-crash/crash_fault.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/error.h"
#include "kernel/base/random.h"
#include "tools/qtdb-crash/crash_history.h"
#include "tools/qtdb-crash/crash_report.h"
#include "tools/qtdb-crash/crash_trace.h"
#include "tools/qtdb-crash/crash_verify.h"

enum {
    STEPS = 100,          /* Of a reference workload. */
    RECOVERY_PREFIX = 22, /* Steps before the crash whose recovery is the reference. */
    RECOVERY_STEPS = 6,   /* And after it. */
    STUBBORN_STEPS = 3,   /* Steps tried against a fault that stays. */
    FREED_STEPS = 4,      /* And after it went away. */
    SETTLE_COUNT = 3,
    CREATE_STEP = 3, /* A clean close and an open, which reads what it did not write. */
};

static const char *const names[] = {
    [IO_SIM_FAULT_NONE] = "memory",       [IO_SIM_FAULT_EIO] = "eio",
    [IO_SIM_FAULT_ENOSPC] = "enospc",     [IO_SIM_FAULT_SHORT] = "short",
    [IO_SIM_FAULT_LATE_SYNC] = "late",    [IO_SIM_FAULT_LOST] = "lost",
    [IO_SIM_FAULT_MISDIRECTED] = "stray",
};

enum { NAME_COUNT = sizeof(names) / sizeof(names[0]) };

void
crash_fault_print(const struct crash_fault *fault, char out[CRASH_FAULT_TEXT_SIZE])
{
    (void)snprintf(out, CRASH_FAULT_TEXT_SIZE, "%s:%" PRIu64 "%s", names[fault->io], fault->index,
                   fault->for_ever ? ":ever" : "");
}

bool
crash_fault_parse(const char *text, struct crash_fault *out)
{
    for (int index = 0; index < NAME_COUNT; index++) {
        size_t size = strlen(names[index]);
        char *end;

        if (strncmp(text, names[index], size) != 0 || text[size] != ':' || text[size + 1] < '0' ||
            text[size + 1] > '9')
            continue;
        out->io = (enum io_sim_fault)index;
        out->index = strtoull(text + size + 1, &end, 10);
        out->for_ever = strcmp(end, ":ever") == 0;
        return *end == '\0' || out->for_ever;
    }
    return false;
}

bool
crash_fault_fits(enum io_sim_fault fault, enum crash_operation operation)
{
    switch (fault) {
    case IO_SIM_FAULT_EIO:
    case IO_SIM_FAULT_ENOSPC:
        return true;
    case IO_SIM_FAULT_SHORT:
        return operation >= CRASH_OPERATION_WRITE && operation <= CRASH_OPERATION_DURABLE;
    case IO_SIM_FAULT_LATE_SYNC:
        return operation >= CRASH_OPERATION_DURABLE;
    case IO_SIM_FAULT_LOST:
    case IO_SIM_FAULT_MISDIRECTED:
        return operation == CRASH_OPERATION_WRITE;
    case IO_SIM_FAULT_NONE:
        break;
    }
    return false;
}

/* One run, with a fault or without. */
struct run {
    struct crash_session *session;
    const struct crash_reference *reference;
    const struct crash_fault *fault;
    struct crash_reference *record; /* The reference run fills it. */
    struct crash_history history;
    uint64_t memory_base; /* Allocations before the reference begins. */
    uint64_t step_count;
    char name[CRASH_FAULT_TEXT_SIZE];
    uint64_t acknowledged; /* The last commit before the disk began to mislead for ever. */
    bool misled;
    bool armed;
    bool injected;
    bool wrong;
};

/* From some write on the disk says of each that it is done, and does something else. */
static bool
misleads_for_ever(const struct run *run)
{
    return run->fault != NULL && run->fault->for_ever && run->fault->io >= IO_SIM_FAULT_LOST;
}

static void
run_wrong(void *context, enum crash_violation violation, const char *text)
{
    struct run *run = context;
    struct crash_place place = {.id = run->history.id};
    char line[600];

    (void)snprintf(line, sizeof(line), "%s: %s", run->name, text);
    if (run->fault != NULL)
        memcpy(place.fault, run->name, sizeof(place.fault));
    run->wrong = true;
    crash_report_wrong(run->session->report, &place, violation, line);
}

static enum crash_operation
operation_of(const struct io_sim_event *event)
{
    if (event->op == IO_SIM_SYNC || event->op == IO_SIM_SYNC_DIR)
        return CRASH_OPERATION_SYNC;
    if (event->op != IO_SIM_WRITE)
        return CRASH_OPERATION_OTHER;
    if ((event->flags & IO_DURABLE) != 0 && crash_order_is_log(event->path))
        return CRASH_OPERATION_DURABLE;
    return crash_order_is_log(event->path) ? CRASH_OPERATION_LOG_WRITE : CRASH_OPERATION_WRITE;
}

/* The reference run notes what each operation is. */
static void
run_look(void *context, struct crash_history *history, const struct io_sim_event *event)
{
    struct run *run = context;
    struct crash_reference *record = run->record;

    if (misleads_for_ever(run) && !run->misled && io_sim_failed(history->io)) {
        run->misled = true;
        run->acknowledged = history->model.acknowledged;
    }
    if (run->session->options->trace)
        crash_trace(history, event);
    if (record == NULL || event == NULL || !run->armed)
        return;
    if (event->index >= record->capacity) {
        uint64_t capacity = (event->index + 64) * 2;

        record->kinds = crash_resize(run->session->rig, record->kinds, record->capacity, capacity);
        record->capacity = capacity;
    }
    record->kinds[event->index] = (uint8_t)operation_of(event);
}

static void
run_arm(struct run *run)
{
    const struct crash_fault *fault = run->fault;

    run->armed = true;
    run->memory_base = memory_alloc_count(run->history.engine);
    if (fault == NULL)
        return;
    if (fault->io == IO_SIM_FAULT_NONE)
        memory_fail_at(run->history.engine, fault->index, fault->for_ever);
    else
        io_sim_fail_at(run->history.io, fault->index, fault->io, fault->for_ever);
}

static bool
run_injected(const struct run *run)
{
    if (run->fault == NULL || run->injected)
        return run->injected;
    return run->fault->io == IO_SIM_FAULT_NONE ? memory_failed(run->history.engine)
                                               : io_sim_failed(run->history.io);
}

static void
run_disarm(struct run *run)
{
    run->injected = run_injected(run);
    memory_fail_at(run->history.engine, UINT64_MAX, false);
    io_sim_fail_at(run->history.io, 0, IO_SIM_FAULT_NONE, false);
}

/* What a fault may be reported as, anywhere. */
static bool
status_fits(const struct run *run, enum status status)
{
    if (status == STATUS_OK || (status == STATUS_FULL && run->history.id.workload == CRASH_FULL))
        return true;
    if (run->fault == NULL || !run_injected(run))
        return false;
    switch (run->fault->io) {
    case IO_SIM_FAULT_NONE:
        return status == STATUS_NO_MEMORY;
    case IO_SIM_FAULT_ENOSPC:
        return status == STATUS_FULL || status == STATUS_IO || status == STATUS_FAILED;
    case IO_SIM_FAULT_LOST:
    case IO_SIM_FAULT_MISDIRECTED:
        return status == STATUS_CORRUPT || status == STATUS_FAILED || status == STATUS_IO;
    default:
        return status == STATUS_IO || status == STATUS_FAILED;
    }
}

static void
check_status(struct run *run, const char *what, enum status status)
{
    char text[400];

    if (status_fits(run, status))
        return;
    (void)snprintf(text, sizeof(text), "%s: %s: %.250s", what, status_name(status),
                   error_message());
    run_wrong(run, CRASH_STATUS, text);
}

/* A handle that has failed says so, and goes on saying so. */
static void
check_sticky(struct run *run)
{
    struct pager *pager = run->history.pager;
    struct pager_change *change;

    enum status status = pager_change_begin(pager, &change);

    if (status == STATUS_OK) {
        pager_change_abandon(change);
        run_wrong(run, CRASH_STATUS, "a failed handle begins a change");
    } else if (status != STATUS_FAILED) {
        run_wrong(run, CRASH_STATUS, "a failed handle refuses a change with another status");
    }
}

/* Steps until the workload is through or something stays wrong. */
static enum status
run_steps(struct run *run, uint64_t steps)
{
    enum status status = STATUS_OK;
    uint64_t failures = 0;

    while (steps-- > 0 && run->history.pager != NULL && !run->wrong) {
        status = crash_history_step(&run->history);
        check_status(run, "step", status);
        if (status == STATUS_OK)
            continue;
        if (run->history.pager == NULL)
            return status;
        if (pager_is_failed(run->history.pager)) {
            check_sticky(run);
            return status;
        }
        if (++failures > STUBBORN_STEPS)
            return status;
        /* It failed once: now it has to succeed. */
        if (!run->fault->for_ever)
            failures = 0;
    }
    return status;
}

/* Without the fault, a handle that has not failed does everything again, without a reopen. */
static void
run_freed(struct run *run)
{
    run_disarm(run);
    if (run->history.pager == NULL || pager_is_failed(run->history.pager) || run->wrong)
        return;
    for (uint64_t step = 0; step < FREED_STEPS && run->history.pager != NULL; step++) {
        enum status status = crash_history_step(&run->history);

        if (status != STATUS_OK && status != STATUS_FAILED && status != STATUS_CORRUPT) {
            run_wrong(run, CRASH_STATUS, "a step fails although the fault is gone");
            return;
        }
    }
}

static enum status
run_prefix(struct run *run)
{
    struct io_sim_crash choice = {.mode = IO_SIM_CRASH_RANDOM, .seed = run->history.id.seed};
    enum status status = crash_history_open(&run->history);

    run->history.workload = CRASH_UPDATE;
    while (status == STATUS_OK && run->history.step_count < RECOVERY_PREFIX)
        status = crash_history_step(&run->history);
    if (status == STATUS_OK)
        crash_history_settle(&run->history, &choice);
    return status;
}

/* The part that faults are for: an open, or a recovery, and steps. */
static enum status
run_body(struct run *run)
{
    bool recovers = run->history.id.workload == CRASH_RECOVERY;
    enum status status;

    if (recovers) {
        CHECK(run_prefix(run) == STATUS_OK);
        run->history.faulty = true;
        run_arm(run);
        status = crash_history_recover(&run->history);
        check_status(run, "recovery", status);
        return status == STATUS_OK ? run_steps(run, RECOVERY_STEPS) : status;
    }
    run->history.faulty = true;
    run_arm(run);
    status = crash_history_open(&run->history);
    check_status(run, "open", status);
    if (status != STATUS_OK)
        return status;
    status = run_steps(run, STEPS);
    if (status != STATUS_OK || run->history.pager == NULL)
        return status;
    status = crash_history_reopen(&run->history);
    check_status(run, "reopen", status);
    return status == STATUS_OK ? run_steps(run, CREATE_STEP) : status;
}

static void
run_begin(struct run *run, const struct crash_id *id)
{
    crash_history_begin(&run->history, run->session, id, run->session->engine[0], run_wrong,
                        run_look, run);
    run->history.page_target = 24;
}

void
crash_reference_run(struct crash_session *session, const struct crash_id *id,
                    struct crash_reference *out)
{
    struct run run = {.session = session, .record = out, .name = "reference"};

    *out = (struct crash_reference){.id = *id};
    run_begin(&run, id);
    enum status status = run_body(&run);

    CHECK(status == STATUS_OK || run.wrong);
    if (run.history.pager != NULL) {
        status = pager_close(run.history.pager);
        run.history.pager = NULL;
        CHECK(status == STATUS_OK || run.wrong);
    }
    out->io_count = io_sim_op_count(run.history.io);
    out->memory_count = memory_alloc_count(run.history.engine) - run.memory_base;
    crash_history_end(&run.history, false);
    if (out->capacity < out->io_count) {
        out->kinds = crash_resize(session->rig, out->kinds, out->capacity, out->io_count);
        out->capacity = out->io_count;
    }
}

void
crash_reference_free(struct crash_session *session, struct crash_reference *reference)
{
    crash_free(session->rig, reference->kinds, reference->capacity);
}

/* What is on the disk now, however it settles, is what it should be. */
static void
run_verify(struct run *run, struct crash_outcome *out)
{
    static const enum io_sim_crash_mode modes[SETTLE_COUNT] = {
        IO_SIM_CRASH_PROCESS, IO_SIM_CRASH_LOST, IO_SIM_CRASH_RANDOM};
    bool misleads = run->fault->io >= IO_SIM_FAULT_LOST;
    struct crash_expect expect = crash_expect_of(&run->history);

    expect.may_refuse_page = expect.may_refuse_file = misleads;
    /* A disk that loses every write from now on cannot be told, later, from one that was switched off now. */
    if (run->misled && run->acknowledged < expect.acknowledged)
        expect.acknowledged = run->acknowledged;
    for (int index = 0; index < SETTLE_COUNT && !run->wrong; index++) {
        struct io_sim_crash choice = {.mode = modes[index], .seed = run->fault->index + 1};
        enum crash_violation violation;
        struct crash_found found;
        struct io *fork;

        CHECK(io_sim_fork(run->history.io, &choice, run->session->rig, &fork) == STATUS_OK);
        violation = crash_verify_disk(fork, run->session->engine[1], &expect, false, &found, NULL);
        if (violation != CRASH_OK)
            run_wrong(run, violation, found.text);
        out->detected |= found.refused || found.refused_pages > 0 || found.repaired > 0;
        if (io_sim_open_count(fork) == 0)
            io_close_all(fork);
    }
}

void
crash_fault_run(struct crash_session *session, const struct crash_reference *reference,
                const struct crash_fault *fault, struct crash_outcome *out)
{
    struct run run = {.session = session, .reference = reference, .fault = fault};
    struct crash_place place = {.id = reference->id};

    crash_fault_print(fault, run.name);
    *out = (struct crash_outcome){.injected = false};
    crash_report_at(session->report, &place, run.name);
    run_begin(&run, &reference->id);
    enum status status = run_body(&run);

    if (fault->for_ever && status != STATUS_OK)
        run_freed(&run);
    if (run.history.pager != NULL) {
        status = pager_close(run.history.pager);
        run.history.pager = NULL;
        check_status(&run, "close", status);
    }
    run_disarm(&run);
    out->injected = run.injected;
    run_verify(&run, out);
    crash_history_end(&run.history, false);
    crash_report_at(session->report, &place, "");
}
