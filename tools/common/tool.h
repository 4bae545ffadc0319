/*
 * What all programs do alike: the command line, errors, colours, progress, the wish to stop.
 *
 *  - Exit status 0: done; 1: the work failed or found something; 2: the command line is wrong or
 *    what it names cannot be opened.
 *  - Results go to standard output, everything else to standard error with the program's name.
 *  - Colours and the progress line appear on terminals only; NO_COLOR takes the colours away.
 *
 * The one global is what a signal handler needs. One thread, but tool_stop_requested is for all.
 */
#ifndef TOOLS_COMMON_TOOL_H
#define TOOLS_COMMON_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "kernel/base/env.h"
#include "kernel/qtdb.h"

enum tool_exit { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

struct tool {
    const char *name;
    const char *help; /* All of --help, ending in a newline. */
};

enum tool_option_kind {
    TOOL_FLAG = 1,     /* bool: set to true. */
    TOOL_FLAG_OFF = 2, /* bool: set to false. */
    TOOL_TEXT = 3,     /* const char *. */
    TOOL_NUMBER = 4,   /* uint64_t, at most `most`. */
    TOOL_EACH = 5,     /* struct tool_list: each time it is given, in order. */
};

/* What options that may be given several times said; they may share a list. */
enum { TOOL_LIST_MAX = 64 };
struct tool_list {
    size_t count;
    struct {
        const char *name; /* Of the option. */
        const char *text;
    } items[TOOL_LIST_MAX];
};

struct tool_option {
    const char *name; /* Without its dashes. */
    char letter;      /* 0: none. */
    enum tool_option_kind kind;
    void *value;
    uint64_t most;
};

enum tool_command {
    TOOL_RUN = 0,
    TOOL_ANSWERED = 1, /* --help or --version: exit with TOOL_OK. */
    TOOL_WRONG = 2,    /* Complained: exit with TOOL_USAGE. */
};

/** Options and operands in any order; the operands end up at argv[*first_out] and after. */
enum tool_command tool_parse(const struct tool *tool, int argc, char **argv,
                             const struct tool_option *options, size_t option_count,
                             int *first_out);

/** "NAME: message" on standard error; ends a progress line first. */
__attribute__((format(printf, 2, 3))) void tool_error(const struct tool *tool, const char *format,
                                                      ...);
/** A complaint about the command line, with the way to --help. Always TOOL_USAGE. */
__attribute__((format(printf, 2, 3))) int tool_usage_error(const struct tool *tool,
                                                           const char *format, ...);
/** True when `file` is a terminal that may be coloured. */
bool tool_has_colour(FILE *file);

/* Environment: the counted allocator and the operating system's files. */
MUST_CHECK bool tool_env_open(const struct tool *tool, struct env *out);
void tool_env_close(struct env *env);

/** SIGINT and SIGTERM set a flag from now on instead of ending the program. */
void tool_catch_stop(void);
/** The same, and `call` is called from the signal handler; it may only do what is safe there. */
void tool_on_stop(void (*call)(void *context), void *context);
bool tool_stop_requested(void);
/** Forgets an interrupt that was acted on. */
void tool_stop_clear(void);

/* One line on standard error that is drawn over itself, at most ten times a second. */
struct tool_progress {
    const char *what;
    const char *unit; /* "B" shows sizes, anything else is counted. */
    uint64_t total;   /* 0: unknown. */
    uint64_t begin_ns;
    uint64_t shown_ns;
    bool on;    /* Standard error is a terminal. */
    bool drawn; /* Something stands on the line. */
};

void tool_progress_begin(struct tool_progress *progress, const char *what, const char *unit,
                         uint64_t total);
void tool_progress_at(struct tool_progress *progress, uint64_t done);
void tool_progress_end(struct tool_progress *progress);

/** Nanoseconds on a clock that only goes forward. */
uint64_t tool_clock_ns(void);

/** "" for one, "s" for any other number. */
static inline const char *
tool_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

enum { TOOL_SIZE_TEXT = 32 };
/** "1.50 GB", "12.0 kB", "99 B"; returns `out`. */
const char *tool_format_size(uint64_t size, char out[TOOL_SIZE_TEXT]);

#endif
