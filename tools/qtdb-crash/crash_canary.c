/*
 * The mode canary: the rig with one check that is wrong on purpose, for each kind of check. What it
 * reports is right to be reported: the exit status is 1 when every canary was seen, and 0 when the rig
 * is blind to one, so that whoever runs it must expect a failure.
 */
#include <stdio.h>

#include "tools/qtdb-crash/crash_options.h"
#include "tools/qtdb-crash/crash_report.h"

enum { STATES = 2500 };

struct canary {
    const char *what;
    enum crash_violation expected;
};

static const struct canary canaries[] = {
    [CRASH_CANARY_LOST] = {"an acknowledged commit is missing", CRASH_LOST},
    [CRASH_CANARY_SILENT] = {"a byte is not what was written", CRASH_SILENT},
    [CRASH_CANARY_HALF] = {"a commit is there in part", CRASH_HALF},
    [CRASH_CANARY_ORDER] = {"a page goes before its log", CRASH_ORDER},
    [CRASH_CANARY_LEAK] = {"an allocation is kept", CRASH_LEAK},
    [CRASH_CANARY_STATUS] = {"a flush fails", CRASH_STATUS},
    [CRASH_CANARY_UNCLEAN] = {"a page too many is in use", CRASH_UNCLEAN},
};

/* Those that the mode rows has too. */
static const enum crash_canary of_rows[] = {CRASH_CANARY_LOST, CRASH_CANARY_SILENT,
                                            CRASH_CANARY_HALF};

static bool
is_seen(const struct crash_options *parent, enum crash_canary canary,
        bool (*run)(const struct crash_options *, struct crash_report *))
{
    static struct crash_report report;
    struct crash_options options = *parent;

    options.canary = canary;
    options.quiet = true;
    options.json = false;
    options.first_only = true;
    options.threads = 1;
    options.states = STATES;
    options.seconds = 0;
    CHECK(crash_report_init(&report, run == crash_sim ? "sim" : "rows", &options));
    CHECK(run(&options, &report));
    return atomic_load(&report.violations[canaries[canary].expected]) > 0;
}

bool
crash_canary(const struct crash_options *options, struct crash_report *report)
{
    uint32_t blind = 0;

    for (int canary = 1; canary <= CRASH_CANARY_LAST; canary++) {
        bool seen = is_seen(options, (enum crash_canary)canary, crash_sim);

        crash_report_line(report, "%-40s %s", canaries[canary].what, seen ? "seen" : "BLIND");
        blind += !seen;
    }
    for (size_t index = 0; index < sizeof(of_rows) / sizeof(of_rows[0]); index++) {
        bool seen = is_seen(options, of_rows[index], crash_rows);

        crash_report_line(report, "rows: %-34s %s", canaries[of_rows[index]].what,
                          seen ? "seen" : "BLIND");
        blind += !seen;
    }
    if (blind == 0)
        crash_report_wrong(report, NULL, CRASH_STATUS,
                           "every canary was seen, which is a failure as it should be");
    else
        tool_error(&crash_tool, "blind to %u canaries", blind);
    return true;
}
