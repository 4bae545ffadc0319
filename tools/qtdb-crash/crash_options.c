/* The command line; see crash_options.h. */
#include "tools/qtdb-crash/crash_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/base/faults.h"

#define VERSION "0.1.0"

enum { SECONDS_DEFAULT = 10, SAMPLES_DEFAULT = 20000, BUG_SECONDS_DEFAULT = 60 };

static const char help[] =
    "Usage: qtdb-crash MODE [OPTION...]\n"
    "Breaks the page store on a simulated disk and says whether anything was lost.\n"
    "\n"
    "Modes:\n"
    "  sim      crashes at every moment of seeded workloads; every state is opened and compared\n"
    "  faults   each I/O operation and each allocation fails, once and for ever\n"
    "  rot      flipped bits, foreign, old and swapped pages in file and log\n"
    "  torn     torn pages, garbage sectors, lost and misdirected writes\n"
    "  bugs     finds the seeded bugs (only the program of the bugs build has them)\n"
    "  canary   checks that are wrong on purpose: exit status 1 says that all were seen\n"
    "\n"
    "Options:\n"
    "  --seed N           where to begin (1); the same seed, the same run\n"
    "  --seconds N        stop after N seconds (sim: 10 unless --states is given; 0: never)\n"
    "  --states N         sim: stop after N unique states\n"
    "  --samples N        rot: bits to flip (20000); 0 flips every one\n"
    "  --workload NAME    load, update, shrink, full, direct, recovery; otherwise all in turn\n"
    "  --policy NAME      image or range; otherwise both in turn\n"
    "  --threads N        simulations side by side (one a processor)\n"
    "  --bug N            bugs: only this one\n"
    "  --bug-seconds N    bugs: time for each (60)\n"
    "  --replay PLACE     sim: one history or state again, with its operations printed\n"
    "  --json [FILE]      one JSON object a line, appended to FILE or to standard output\n"
    "  --quiet            only the exit status (and JSON)\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 nothing is wrong, 1 something is, 2 the command line is.\n";

enum option_key {
    KEY_SEED = 256,
    KEY_SECONDS,
    KEY_STATES,
    KEY_SAMPLES,
    KEY_WORKLOAD,
    KEY_POLICY,
    KEY_THREADS,
    KEY_BUG,
    KEY_BUG_SECONDS,
    KEY_REPLAY,
    KEY_JSON,
    KEY_QUIET,
    KEY_HELP,
    KEY_VERSION,
};

static const struct option long_options[] = {
    {"seed", required_argument, NULL, KEY_SEED},
    {"seconds", required_argument, NULL, KEY_SECONDS},
    {"states", required_argument, NULL, KEY_STATES},
    {"samples", required_argument, NULL, KEY_SAMPLES},
    {"workload", required_argument, NULL, KEY_WORKLOAD},
    {"policy", required_argument, NULL, KEY_POLICY},
    {"threads", required_argument, NULL, KEY_THREADS},
    {"bug", required_argument, NULL, KEY_BUG},
    {"bug-seconds", required_argument, NULL, KEY_BUG_SECONDS},
    {"replay", required_argument, NULL, KEY_REPLAY},
    {"json", optional_argument, NULL, KEY_JSON},
    {"quiet", no_argument, NULL, KEY_QUIET},
    {"help", no_argument, NULL, KEY_HELP},
    {"version", no_argument, NULL, KEY_VERSION},
    {NULL, 0, NULL, 0},
};

void
crash_options_default(struct crash_options *options)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    *options = (struct crash_options){
        .seed = 1, .samples = SAMPLES_DEFAULT, .bug_seconds = BUG_SECONDS_DEFAULT, .threads = 1};
    if (processors > 1)
        options->threads =
            processors > CRASH_THREAD_MAX ? CRASH_THREAD_MAX : (uint32_t)processors;
}

static bool
number(const char *name, const char *text, uint64_t most, uint64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 0);
    if (errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && *out <= most)
        return true;
    fprintf(stderr, "qtdb-crash: --%s takes a number up to %llu, not '%s'\n", name,
            (unsigned long long)most, text);
    return false;
}

static bool
workload(const char *text, enum crash_workload *out)
{
    for (int index = CRASH_WORKLOAD_ANY; index <= CRASH_WORKLOAD_LAST; index++) {
        if (strcmp(text, crash_workload_name((enum crash_workload)index)) != 0)
            continue;
        *out = (enum crash_workload)index;
        return true;
    }
    fprintf(stderr, "qtdb-crash: there is no workload '%s'\n", text);
    return false;
}

static bool
policy(const char *text, enum pager_policy *out)
{
    if (strcmp(text, "image") == 0)
        *out = PAGER_POLICY_IMAGE;
    else if (strcmp(text, "range") == 0)
        *out = PAGER_POLICY_RANGE;
    else
        fprintf(stderr, "qtdb-crash: the policies are image and range, not '%s'\n", text);
    return *out != 0;
}

static bool
option_number(struct crash_options *options, int key, const char *text)
{
    uint64_t value = 0;

    switch (key) {
    case KEY_SEED:
        return number("seed", text, UINT64_MAX, &options->seed);
    case KEY_SECONDS:
        return number("seconds", text, 1000000000, &options->seconds);
    case KEY_STATES:
        return number("states", text, UINT64_MAX / 2, &options->states);
    case KEY_SAMPLES:
        return number("samples", text, UINT64_MAX / 2, &options->samples);
    case KEY_BUG_SECONDS:
        return number("bug-seconds", text, 1000000000, &options->bug_seconds);
    case KEY_THREADS:
        if (!number("threads", text, CRASH_THREAD_MAX, &value))
            return false;
        options->threads = value == 0 ? 1 : (uint32_t)value;
        return true;
    default:
        if (!number("bug", text, BUG_LAST_PLUS_ONE - 1, &value))
            return false;
        options->bug = (int)value;
        return true;
    }
}

/* False: complained. */
static bool
option_take(struct crash_options *options, int key, char *text)
{
    switch (key) {
    case KEY_WORKLOAD:
        return workload(text, &options->workload);
    case KEY_POLICY:
        return policy(text, &options->policy);
    case KEY_REPLAY:
        options->replay = text;
        options->trace = true;
        return true;
    case KEY_JSON:
        options->json = true;
        options->json_path = text;
        return true;
    case KEY_QUIET:
        options->quiet = true;
        return true;
    default:
        return option_number(options, key, text);
    }
}

/* `--json FILE`, not only `--json=FILE`, as long as FILE does not look like an option. */
static char *
json_argument(int argc, char **argv)
{
    if (optarg != NULL || optind >= argc || argv[optind][0] == '-')
        return optarg;
    return argv[optind++];
}

static enum crash_command
complain(const char *text)
{
    fprintf(stderr, "qtdb-crash: %s; qtdb-crash --help tells more\n", text);
    return CRASH_COMMAND_WRONG;
}

enum crash_command
crash_options_parse(int argc, char **argv, struct crash_options *out, const char **mode_out)
{
    bool has_seconds = false;
    const char *mode = NULL;
    int key;

    crash_options_default(out);
    if (argc > 1 && argv[1][0] != '-') {
        mode = argv[1];
        argc--;
        argv++;
    }
    while ((key = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (key == KEY_HELP || key == KEY_VERSION) {
            fputs(key == KEY_HELP ? help : "qtdb-crash " VERSION "\n", stdout);
            return CRASH_COMMAND_DONE;
        }
        if (key == '?')
            return CRASH_COMMAND_WRONG;
        if (!option_take(out, key, key == KEY_JSON ? json_argument(argc, argv) : optarg))
            return CRASH_COMMAND_WRONG;
        has_seconds |= key == KEY_SECONDS;
    }
    if (mode == NULL)
        return complain("a mode is missing");
    if (optind < argc)
        return complain("there is an argument too many");
    if (!has_seconds && out->states == 0 && strcmp(mode, "sim") == 0)
        out->seconds = SECONDS_DEFAULT;
    *mode_out = mode;
    return CRASH_COMMAND_RUN;
}
