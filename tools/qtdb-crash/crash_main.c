/* qtdb-crash: the crash rig as a program. README.md tells what it does. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "tools/qtdb-crash/crash_options.h"
#include "tools/qtdb-crash/crash_report.h"

struct mode {
    const char *name;
    bool (*run)(const struct crash_options *options, struct crash_report *report);
};

static const struct mode modes[] = {
    {"sim", crash_sim},   {"rows", crash_rows}, {"faults", crash_faults}, {"rot", crash_rot},
    {"torn", crash_torn}, {"big", crash_big},   {"bugs", crash_bugs},     {"canary", crash_canary},
};

static const struct mode *
find_mode(const char *name)
{
    for (size_t index = 0; index < sizeof(modes) / sizeof(modes[0]); index++) {
        if (strcmp(modes[index].name, name) == 0)
            return &modes[index];
    }
    (void)tool_usage_error(&crash_tool, "there is no mode '%s'", name);
    return NULL;
}

/* Handles come and go by the thousand: their memory stays with the process in between. */
static void
keep_memory(void)
{
    const int most = 256 * 1024 * 1024;

    (void)mallopt(M_MMAP_THRESHOLD, most);
    (void)mallopt(M_TRIM_THRESHOLD, most);
}

static bool
run(const struct mode *mode, const struct crash_options *options, struct crash_report *report)
{
    if (options->replay == NULL)
        return mode->run(options, report);
    if (mode->run == crash_faults)
        return crash_faults_replay(options, report);
    if (options->place.id.workload == CRASH_ROWS)
        return crash_rows_replay(options, report);
    return crash_replay(options, report);
}

int
main(int argc, char **argv)
{
    static struct crash_report report;
    struct crash_options options;
    const struct mode *mode;
    const char *name;

    enum tool_command command = crash_options_parse(argc, argv, &options, &name);

    if (command != TOOL_RUN)
        return command == TOOL_ANSWERED ? TOOL_OK : TOOL_USAGE;
    mode = find_mode(name);
    if (mode == NULL || !crash_report_init(&report, name, &options))
        return TOOL_USAGE;
    crash_report_catch_signals();
    keep_memory();
    bool ran = run(mode, &options, &report);

    if (!crash_report_end(&report))
        return TOOL_FAILED;
    return ran ? TOOL_OK : TOOL_USAGE;
}
