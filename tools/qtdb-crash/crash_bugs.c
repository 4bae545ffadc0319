/*
 * The mode bugs: for each seeded bug a child process runs campaigns of growing length until something
 * is wrong. A bug that is not found says what the rig is blind to. One more child, the control, runs
 * the same campaigns without any bug and must find nothing, else the findings would prove nothing: what it
 * says of a finding is shown, of the others' nothing is. Only the `bugs` build has seeded bugs.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/base/faults.h"
#include "tools/qtdb-crash/crash_options.h"
#include "tools/qtdb-crash/crash_report.h"

enum {
    SIM_STATES = 2000,
    ROT_SAMPLES = 600,
    TORN_HISTORIES = 3,
    ROWS_MORE = 4, /* Its histories are longer. */
    ROUND_MAX = 16,
    CONTROL = 0, /* Not a bug's number. */
    CONTROL_ROUNDS = 3,
    CONTROL_TEXT_SIZE = 128,
};

/* Written by the child, in shared memory. */
struct result {
    int pid;
    bool found;
    char mode[8]; /* Of the campaign that found it, or is under way. */
    enum crash_violation violation;
    struct crash_place place;
    uint64_t states; /* Looked at until it was found, all modes. */
    uint32_t round;
};

struct campaign {
    const char *mode;
    bool (*run)(const struct crash_options *options, struct crash_report *report);
};

static const struct campaign campaigns[] = {
    {"sim", crash_sim},   {"rot", crash_rot}, {"faults", crash_faults}, {"torn", crash_torn},
    {"rows", crash_rows}, {"big", crash_big}, /* The last two for databases. */
};

enum { CAMPAIGN_COUNT = sizeof(campaigns) / sizeof(campaigns[0]), BIG_POINTS = 12, WITH_ROWS = 2 };

/* One campaign; true when something was wrong. */
static bool
campaign_run(const struct campaign *campaign, struct crash_options *options, struct result *result)
{
    static struct crash_report report;

    (void)snprintf(result->mode, sizeof(result->mode), "%s", campaign->mode);
    CHECK(crash_report_init(&report, campaign->mode, options));
    CHECK(campaign->run(options, &report));
    result->states += crash_counted(&report, CRASH_COUNT_STATES) +
                      crash_counted(&report, CRASH_COUNT_SAMPLES) +
                      crash_counted(&report, CRASH_COUNT_RUNS);
    if (report.first_violation == CRASH_OK)
        return false;
    result->violation = report.first_violation;
    result->place = report.first_place;
    result->found = true;
    return true;
}

/* A round takes one reference workload's faults, and twice as much of everything as the one before. */
static void
search(const struct crash_options *parent, int bug, struct result *result)
{
    uint32_t rounds = bug == CONTROL ? CONTROL_ROUNDS : ROUND_MAX;
    size_t first = bug > BUG_STORE_LAST ? CAMPAIGN_COUNT - WITH_ROWS : 0;
    size_t end = bug > BUG_STORE_LAST || bug == CONTROL ? CAMPAIGN_COUNT : CAMPAIGN_COUNT - 1;
    struct crash_options options = *parent;

    options.quiet = true;
    options.json = false;
    options.first_only = true;
    options.threads = 1;
    options.seconds = 0;
    for (result->round = 0; result->round < rounds; result->round++) {
        options.seed = parent->seed + result->round;
        options.samples = (uint64_t)ROT_SAMPLES << result->round;
        options.histories = (uint64_t)TORN_HISTORIES << result->round;
        for (size_t index = first; index < end; index++) {
            bool faults = strcmp(campaigns[index].mode, "faults") == 0;
            bool big = strcmp(campaigns[index].mode, "big") == 0;

            options.workload = parent->workload;
            if (faults && parent->workload == CRASH_WORKLOAD_ANY)
                options.workload =
                    (enum crash_workload)(1 + (result->round + 1) % CRASH_WORKLOAD_LAST);
            options.states =
                faults ? 0 : (uint64_t)(big ? BIG_POINTS : SIM_STATES) << result->round;
            if (campaigns[index].run == crash_rows)
                options.states *= ROWS_MORE;
            if (campaign_run(&campaigns[index], &options, result))
                return;
        }
    }
}

static void
child(const struct crash_options *options, int bug, struct result *result)
{
    if (options->bug == 0 && bug != CONTROL && freopen("/dev/null", "w", stderr) == NULL)
        _exit(2);
    CHECK(signal(SIGALRM, SIG_DFL) != SIG_ERR);
    if (bug != CONTROL)
        alarm((unsigned)options->bug_seconds);
    CHECK(faults_bug_set(bug));
    search(options, bug, result);
    _exit(0);
}

static bool
start(const struct crash_options *options, int bug, struct result *result)
{
    fflush(NULL);
    int pid = fork();

    if (pid == 0)
        child(options, bug, result);
    result->pid = pid;
    return pid > 0;
}

static void
tell(struct crash_report *report, int bug, const struct result *result)
{
    char place[CRASH_PLACE_TEXT_SIZE] = "";

    if (bug == CONTROL) {
        crash_report_line(report, "    %-26s %s, %" PRIu64 " states", "no bug",
                          result->found ? "FOUND SOMETHING" : "nothing wrong", result->states);
        return;
    }
    if (!result->found) {
        crash_report_line(report, "%3d %-26s NOT FOUND, %" PRIu64 " states", bug,
                          faults_bug_name(bug), result->states);
        return;
    }
    if (result->place.id.seed != 0)
        crash_place_print(&result->place, place);
    crash_report_line(report, "%3d %-26s %-8s by %-6s after %8" PRIu64 " states  %s", bug,
                      faults_bug_name(bug), crash_violation_name(result->violation), result->mode,
                      result->states, place);
}

/* Where it was and how it ended, so that the campaign can be run again by itself. */
static void
control_is_wrong(struct crash_report *report, const struct result *result, int status)
{
    char text[CONTROL_TEXT_SIZE];

    (void)snprintf(text, sizeof(text),
                   "without any bug, in mode %s, seed %" PRIu64 ": the child ended by %s %d",
                   result->mode, report->options->seed + result->round,
                   WIFSIGNALED(status) ? "signal" : "status",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    crash_report_wrong(report, result->place.id.seed != 0 ? &result->place : NULL,
                       result->violation, text);
}

/* Waits for one child and takes in what it found: a child that died of a check found something too. */
static void
reap(struct crash_report *report, struct result *results)
{
    int status;
    int pid = waitpid(-1, &status, 0);

    for (int bug = CONTROL; bug < BUG_LAST_PLUS_ONE; bug++) {
        struct result *result = &results[bug];

        if (pid <= 0 || result->pid != pid)
            continue;
        result->pid = 0;
        if (!result->found && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) &&
            !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
            result->found = true;
            result->violation = CRASH_ABORT;
        }
        crash_count(report, CRASH_COUNT_BUGS_FOUND, bug != CONTROL && result->found);
        tell(report, bug, result);
        if (bug == CONTROL && result->found)
            control_is_wrong(report, result, status);
        if (bug != CONTROL && !result->found)
            crash_report_wrong(report, NULL, CRASH_STATUS, faults_bug_name(bug));
    }
}

bool
crash_bugs(const struct crash_options *options, struct crash_report *report)
{
    size_t size = BUG_LAST_PLUS_ONE * sizeof(struct result);
    struct result *results;
    uint64_t running = 0;

    if (!faults_bug_set(0) || BUG_LAST_PLUS_ONE <= 1) {
        tool_error(&crash_tool, "this program has no seeded bugs; make VARIANT=bugs builds one "
                                "that has, build/bugs/bin/qtdb-crash");
        return false;
    }
    results = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(results != MAP_FAILED);
    running += options->bug == 0 && start(options, CONTROL, &results[CONTROL]);
    for (int bug = 1; bug < BUG_LAST_PLUS_ONE; bug++) {
        if (faults_bug_name(bug) == NULL || (options->bug != 0 && options->bug != bug))
            continue;
        crash_count(report, CRASH_COUNT_BUGS_TOTAL, 1);
        while (running >= options->threads) {
            reap(report, results);
            running--;
        }
        running += start(options, bug, &results[bug]);
    }
    for (; running > 0; running--)
        reap(report, results);
    CHECK(munmap(results, size) == 0);
    return true;
}
