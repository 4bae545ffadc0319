/*
 * What the rig counts and says: counters that all threads add to, violations as they are found (the
 * first few in full), a progress line on a terminal, a summary as text or as JSON, one object a line.
 */
#ifndef TOOLS_QTDB_CRASH_CRASH_REPORT_H
#define TOOLS_QTDB_CRASH_CRASH_REPORT_H

#include <stdio.h>

#include "kernel/base/sync.h"
#include "tools/qtdb-crash/crash.h"

/* Counters: name in JSON, words in the summary. */
#define CRASH_COUNTERS(X)                                             \
    X(HISTORIES, "histories", "histories")                            \
    X(STEPS, "steps", "workload steps")                               \
    X(POINTS, "points", "points")                                     \
    X(STATES, "states_total", "states, total")                        \
    X(UNIQUE, "states_unique", "states, unique")                      \
    X(NESTED, "nested", "inside recovery, depth 2")                   \
    X(NESTED3, "nested_3", "inside recovery, depth 3")                \
    X(LIVES, "lives", "changed and reopened")                         \
    X(READ_ONLY, "read_only", "opened read-only")                     \
    X(ABSENT, "absent", "file not yet created")                       \
    X(FULL, "full", "opened once space was freed")                    \
    X(SAMPLES, "samples", "samples")                                  \
    X(HARMLESS, "harmless", "harmless")                               \
    X(REPAIRED, "repaired", "repaired")                               \
    X(REFUSED_PAGES, "refused_pages", "pages refused")                \
    X(REFUSED_FILES, "refused_files", "files refused")                \
    X(RESIDUAL, "residual", "last frame cut (no witness yet)")        \
    X(FENCED_GARBAGE, "fenced_garbage", "fenced, garbage")            \
    X(FENCED_ROT, "fenced_rot", "fenced, rot")                        \
    X(FENCED_LOST, "fenced_lost", "fenced, lost write")               \
    X(FENCED_STRAY, "fenced_stray", "fenced, misdirected")            \
    X(TORN, "torn", "torn pages")                                     \
    X(GARBAGE, "garbage", "pages with garbage")                       \
    X(DETECTED, "detected", "detected")                               \
    X(INDEXES_IO, "indexes_io", "I/O indexes covered")                \
    X(INDEXES_IO_TOTAL, "indexes_io_total", "of")                     \
    X(INDEXES_MEMORY, "indexes_memory", "allocation indexes covered") \
    X(INDEXES_MEMORY_TOTAL, "indexes_memory_total", "of")             \
    X(RUNS, "runs", "runs with a fault")                              \
    X(BUGS_FOUND, "bugs_found", "seeded bugs found")                  \
    X(BUGS_TOTAL, "bugs_total", "of")

enum crash_counter {
#define CRASH_COUNTER_ENUM(name, json, words) CRASH_COUNT_##name,
    CRASH_COUNTERS(CRASH_COUNTER_ENUM)
#undef CRASH_COUNTER_ENUM
        CRASH_COUNTER_COUNT
};

struct crash_report {
    const char *mode;
    const struct crash_options *options;
    uint64_t begin_ns;
    uint64_t begin_cpu_ns;
    _Atomic uint64_t counts[CRASH_COUNTER_COUNT];
    _Atomic uint64_t violations[CRASH_VIOLATION_COUNT];
    _Atomic uint64_t violation_count;
    _Atomic bool stopped;
    FILE *json;       /* NULL: none. */
    bool is_terminal; /* Progress goes to standard error. */
    struct latch latch;
    /* Guarded by latch. */
    uint64_t told_count;
    uint64_t progress_ns;
    struct crash_place first_place; /* Of the first violation. */
    enum crash_violation first_violation;
};

/** False when the JSON file cannot be opened; said on standard error. */
bool crash_report_init(struct crash_report *report, const char *mode,
                       const struct crash_options *options);
/** The last words; returns true when nothing is wrong. */
bool crash_report_end(struct crash_report *report);

static inline void
crash_count(struct crash_report *report, enum crash_counter counter, uint64_t by)
{
    atomic_fetch_add_explicit(&report->counts[counter], by, memory_order_relaxed);
}

static inline uint64_t
crash_counted(struct crash_report *report, enum crash_counter counter)
{
    return atomic_load_explicit(&report->counts[counter], memory_order_relaxed);
}

/** Something is wrong at `place` (NULL: not a state of a history; then `text` tells how to repeat). */
void crash_report_wrong(struct crash_report *report, const struct crash_place *place,
                        enum crash_violation violation, const char *text);

/** Time is up, there are enough states, or too much is wrong: finish. Cheap. */
bool crash_report_done(struct crash_report *report);

/** A line of the mode's own in the summary, and an object {"mode", "line"} in the JSON. */
void crash_report_line(struct crash_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Names the state under test, for the case that the process dies in it (thread-local). `detail` is
 * borrowed until the next call. */
void crash_report_at(const struct crash_report *report, const struct crash_place *place,
                     const char *detail);
/** Dying by a signal or a failed check is reported with the state, exit status 1. */
void crash_report_catch_signals(void);

#endif
