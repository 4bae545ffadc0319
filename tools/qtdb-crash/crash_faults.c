/*
 * The mode faults: every operation and every allocation of the reference workloads fails, once and
 * for ever. Coverage is counted, and anything but all of it is wrong.
 */
#include <pthread.h>
#include <stdio.h>

#include "kernel/base/random.h"
#include "tools/qtdb-crash/crash_fault.h"
#include "tools/qtdb-crash/crash_options.h"
#include "tools/qtdb-crash/crash_report.h"
#include "tools/qtdb-crash/crash_trace.h"

static const enum io_sim_fault variants[] = {IO_SIM_FAULT_NONE, IO_SIM_FAULT_EIO,
                                             IO_SIM_FAULT_ENOSPC, IO_SIM_FAULT_SHORT,
                                             IO_SIM_FAULT_LATE_SYNC};

enum { VARIANT_COUNT = sizeof(variants) / sizeof(variants[0]) };

/* The runs of one reference workload, handed out by number. */
struct campaign {
    const struct crash_options *options;
    struct crash_report *report;
    struct crash_reference reference;
    _Atomic uint64_t next;
    uint64_t total;
};

static uint64_t
variant_size(const struct campaign *campaign, enum io_sim_fault variant)
{
    const struct crash_reference *reference = &campaign->reference;

    return 2 * (variant == IO_SIM_FAULT_NONE ? reference->memory_count : reference->io_count);
}

/* Run number `number`; false when the fault does not fit that operation. */
static bool
fault_of(const struct campaign *campaign, uint64_t number, struct crash_fault *out)
{
    for (int index = 0; index < VARIANT_COUNT; index++) {
        uint64_t size = variant_size(campaign, variants[index]);

        if (number >= size) {
            number -= size;
            continue;
        }
        *out = (struct crash_fault){
            .io = variants[index], .index = number / 2, .for_ever = number % 2 == 1};
        if (out->io == IO_SIM_FAULT_NONE)
            return true;
        return crash_fault_fits(out->io,
                                (enum crash_operation)campaign->reference.kinds[out->index]);
    }
    return false;
}

static void
count_outcome(struct campaign *campaign, const struct crash_fault *fault,
              const struct crash_outcome *outcome)
{
    struct crash_report *report = campaign->report;

    crash_count(report, CRASH_COUNT_RUNS, 1);
    if (!outcome->injected) {
        crash_report_wrong(report, NULL, CRASH_STATUS, "a fault of the reference was not reached");
        return;
    }
    if (fault->for_ever)
        return;
    if (fault->io == IO_SIM_FAULT_NONE)
        crash_count(report, CRASH_COUNT_INDEXES_MEMORY, 1);
    else if (fault->io == IO_SIM_FAULT_EIO)
        crash_count(report, CRASH_COUNT_INDEXES_IO, 1);
}

static void *
campaign_run(void *argument)
{
    struct campaign *campaign = argument;
    struct crash_session session;
    uint64_t number;

    crash_session_init(&session, campaign->options, campaign->report, NULL);
    while (!crash_report_done(campaign->report) &&
           (number = atomic_fetch_add(&campaign->next, 1)) < campaign->total) {
        struct crash_outcome outcome;
        struct crash_fault fault;

        if (!fault_of(campaign, number, &fault))
            continue;
        crash_fault_run(&session, &campaign->reference, &fault, &outcome);
        count_outcome(campaign, &fault, &outcome);
    }
    crash_session_deinit(&session);
    return NULL;
}

static void
campaign_all(const struct crash_options *options, struct crash_report *report,
             const struct crash_id *id)
{
    struct campaign campaign = {.options = options, .report = report};
    pthread_t threads[CRASH_THREAD_MAX];
    struct crash_session session;
    uint64_t started = 0;

    crash_session_init(&session, options, report, NULL);
    crash_reference_run(&session, id, &campaign.reference);
    crash_count(report, CRASH_COUNT_INDEXES_IO_TOTAL, campaign.reference.io_count);
    crash_count(report, CRASH_COUNT_INDEXES_MEMORY_TOTAL, campaign.reference.memory_count);
    for (int index = 0; index < VARIANT_COUNT; index++)
        campaign.total += variant_size(&campaign, variants[index]);
    while (started + 1 < options->threads &&
           pthread_create(&threads[started], NULL, campaign_run, &campaign) == 0)
        started++;
    campaign_run(&campaign);
    while (started > 0)
        CHECK(pthread_join(threads[--started], NULL) == 0);
    crash_reference_free(&session, &campaign.reference);
    crash_session_deinit(&session);
}

bool
crash_faults(const struct crash_options *options, struct crash_report *report)
{
    for (int workload = 1; workload <= CRASH_WORKLOAD_LAST; workload++) {
        if (options->workload != CRASH_WORKLOAD_ANY && (int)options->workload != workload)
            continue;
        for (int policy = PAGER_POLICY_IMAGE; policy <= PAGER_POLICY_RANGE; policy++) {
            struct crash_id id = {.seed = random_mix(options->seed),
                                  .workload = (enum crash_workload)workload,
                                  .policy = (enum pager_policy)policy};

            if (options->policy != 0 && (int)options->policy != policy)
                continue;
            if (!crash_report_done(report))
                campaign_all(options, report, &id);
        }
    }
    return true;
}

bool
crash_faults_replay(const struct crash_options *options, struct crash_report *report)
{
    struct crash_reference reference = {.id = options->place.id};
    struct crash_outcome outcome = {.injected = false};
    struct crash_fault fault = {.io = IO_SIM_FAULT_NONE};
    struct crash_session session;

    if (options->fault == NULL || !crash_fault_parse(options->fault, &fault)) {
        tool_error(&crash_tool, "say with --fault which fault to repeat");
        return false;
    }
    crash_trace_lines();
    crash_session_init(&session, options, report, NULL);
    crash_fault_run(&session, &reference, &fault, &outcome);
    printf("fault %s, %s\n", outcome.injected ? "injected" : "not reached",
           outcome.detected ? "detected" : "not seen after a reopen");
    crash_session_deinit(&session);
    return true;
}
