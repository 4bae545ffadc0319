/* The command line; see crash_options.h. */
#include "tools/qtdb-crash/crash_options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/base/faults.h"
#include "tools/qtdb-crash/crash_fault.h"

enum { SECONDS_DEFAULT = 10, SAMPLES_DEFAULT = 20000, BUG_SECONDS_DEFAULT = 60 };

#define SECONDS_MAX 1000000000

const struct tool crash_tool = {
    .name = "qtdb-crash",
    .help =
        "Usage: qtdb-crash MODE [OPTION...]\n"
        "Breaks the page store on a simulated disk and says whether anything was lost.\n"
        "\n"
        "Modes:\n"
        "  sim      crashes at every moment of seeded workloads; every state is opened and "
        "compared\n"
        "  rows     the same for transactions over several trees, at every operation\n"
        "  faults   each I/O operation and each allocation fails, once and for ever\n"
        "  rot      flipped bits, foreign, old and swapped pages in file and log; forged frames\n"
        "  torn     torn pages, garbage sectors, lost and misdirected writes\n"
        "  big      a transaction of ten times the pool, crashed at points of its commit\n"
        "  bugs     finds the seeded bugs (only the program of the bugs build has them)\n"
        "  canary   checks that are wrong on purpose: exit status 1 says that all were seen\n"
        "\n"
        "Options:\n"
        "  --seed N           where to begin (1); the same seed, the same run\n"
        "  --seconds N        stop after N seconds (sim, rows: 10 unless --states is given; 0: "
        "never)\n"
        "  --states N         sim, rows: stop after N unique states; big: points to crash at\n"
        "  --samples N        rot: bits to flip (20000); 0 flips every one\n"
        "  --workload NAME    load, update, shrink, full, direct, recovery, evict; else all in "
        "turn\n"
        "  --policy NAME      image or range; else both in turn\n"
        "  --threads N        simulations side by side (one a processor)\n"
        "  --bug N            bugs: only this one\n"
        "  --bug-seconds N    bugs: time for each (60)\n"
        "  --replay PLACE     sim, rows, faults: one history or state again, with its operations "
        "printed\n"
        "  --fault FAULT      faults: with --replay, this fault: KIND:INDEX or KIND:INDEX:ever\n"
        "  --json [FILE]      one JSON object a line, appended to FILE or to standard output\n"
        "  --quiet            only the exit status (and JSON)\n"
        "  --help, --version\n"
        "\n"
        "Exit status: 0 nothing is wrong, 1 something is, 2 the command line is.\n",
};

void
crash_options_default(struct crash_options *options)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    *options = (struct crash_options){
        .seed = 1, .samples = SAMPLES_DEFAULT, .bug_seconds = BUG_SECONDS_DEFAULT, .threads = 1};
    if (processors > 1)
        options->threads = processors > CRASH_THREAD_MAX ? CRASH_THREAD_MAX : (uint64_t)processors;
}

static bool
take_workload(const char *text, struct crash_options *out)
{
    for (int index = CRASH_WORKLOAD_ANY; text != NULL && index <= CRASH_WORKLOAD_LAST; index++) {
        if (strcmp(text, crash_workload_name((enum crash_workload)index)) != 0)
            continue;
        out->workload = (enum crash_workload)index;
        return true;
    }
    if (text != NULL)
        (void)tool_usage_error(&crash_tool, "there is no workload '%s'", text);
    return text == NULL;
}

static bool
take_policy(const char *text, struct crash_options *out)
{
    if (text == NULL)
        return true;
    if (strcmp(text, "image") == 0)
        out->policy = PAGER_POLICY_IMAGE;
    else if (strcmp(text, "range") == 0)
        out->policy = PAGER_POLICY_RANGE;
    else
        (void)tool_usage_error(&crash_tool, "the policies are image and range, not '%s'", text);
    return out->policy != 0;
}

static bool
take_places(const char *place, const char *fault, struct crash_options *out)
{
    struct crash_fault parsed;

    out->trace = place != NULL;
    out->replay = place;
    out->fault = fault;
    if (place != NULL && !crash_place_parse(place, &out->place)) {
        (void)tool_usage_error(&crash_tool, "'%s' is no place to replay", place);
        return false;
    }
    if (fault != NULL && (place == NULL || !crash_fault_parse(fault, &parsed))) {
        (void)tool_usage_error(&crash_tool, "'%s' is no fault, or there is no --replay with it",
                               fault);
        return false;
    }
    return true;
}

/* The mode, and with --json perhaps a file. */
static bool
take_operands(int count, char **operands, struct crash_options *out, const char **mode_out)
{
    if (count == 0) {
        (void)tool_usage_error(&crash_tool, "a mode is missing");
        return false;
    }
    if (count > (out->json ? 2 : 1)) {
        (void)tool_usage_error(&crash_tool, "'%s' is an argument too many", operands[count - 1]);
        return false;
    }
    *mode_out = operands[0];
    out->json_path = count == 2 ? operands[1] : NULL;
    return true;
}

static bool
runs_for_ever(const char *mode)
{
    return strcmp(mode, "sim") == 0 || strcmp(mode, "rows") == 0;
}

enum tool_command
crash_options_parse(int argc, char **argv, struct crash_options *out, const char **mode_out)
{
    const char *workload = NULL, *policy = NULL, *replay = NULL, *fault = NULL;
    uint64_t seconds = UINT64_MAX;
    uint64_t bug = 0;
    int first = 0;

    crash_options_default(out);
    const struct tool_option options[] = {
        {"seed", 0, TOOL_NUMBER, &out->seed, UINT64_MAX},
        {"seconds", 0, TOOL_NUMBER, &seconds, SECONDS_MAX},
        {"states", 0, TOOL_NUMBER, &out->states, UINT64_MAX / 2},
        {"samples", 0, TOOL_NUMBER, &out->samples, UINT64_MAX / 2},
        {"threads", 0, TOOL_NUMBER, &out->threads, CRASH_THREAD_MAX},
        {"bug", 0, TOOL_NUMBER, &bug, BUG_LAST_PLUS_ONE - 1},
        {"bug-seconds", 0, TOOL_NUMBER, &out->bug_seconds, SECONDS_MAX},
        {"workload", 0, TOOL_TEXT, &workload, 0},
        {"policy", 0, TOOL_TEXT, &policy, 0},
        {"replay", 0, TOOL_TEXT, &replay, 0},
        {"fault", 0, TOOL_TEXT, &fault, 0},
        {"json", 0, TOOL_FLAG, &out->json, 0},
        {"quiet", 0, TOOL_FLAG, &out->quiet, 0},
    };
    enum tool_command command =
        tool_parse(&crash_tool, argc, argv, options, sizeof(options) / sizeof(options[0]), &first);

    if (command != TOOL_RUN)
        return command;
    if (!take_workload(workload, out) || !take_policy(policy, out) ||
        !take_places(replay, fault, out) ||
        !take_operands(argc - first, argv + first, out, mode_out))
        return TOOL_WRONG;
    out->bug = (int)bug;
    if (out->threads == 0)
        out->threads = 1;
    if (seconds == UINT64_MAX)
        seconds = out->states == 0 && runs_for_ever(*mode_out) ? SECONDS_DEFAULT : 0;
    out->seconds = seconds;
    return TOOL_RUN;
}
