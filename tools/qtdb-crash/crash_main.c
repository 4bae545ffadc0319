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
    {"sim", crash_sim},   {"faults", crash_faults}, {"rot", crash_rot},
    {"torn", crash_torn}, {"bugs", crash_bugs},     {"canary", crash_canary},
};

static const struct mode *
find_mode(const char *name)
{
    for (size_t index = 0; index < sizeof(modes) / sizeof(modes[0]); index++) {
        if (strcmp(modes[index].name, name) == 0)
            return &modes[index];
    }
    fprintf(stderr, "qtdb-crash: there is no mode '%s'; qtdb-crash --help names them\n", name);
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

int
main(int argc, char **argv)
{
    struct crash_options options;
    struct crash_report report;
    const struct mode *mode;
    const char *name;
    bool ran;

    enum crash_command command = crash_options_parse(argc, argv, &options, &name);

    if (command != CRASH_COMMAND_RUN)
        return (int)command == CRASH_COMMAND_DONE ? 0 : 2;
    mode = find_mode(name);
    if (mode == NULL || !crash_report_init(&report, name, &options))
        return 2;
    crash_report_catch_signals();
    keep_memory();
    ran = options.replay == NULL ? mode->run(&options, &report) : crash_replay(&options, &report);
    if (!crash_report_end(&report))
        return 1;
    return ran ? 0 : 2;
}
