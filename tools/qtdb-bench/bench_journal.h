/*
 * The journal of a kept run: every result the moment it is there, so that a suite which was interrupted, killed or
 * lost its power goes on where it was (`--resume`). A case that is in the journal is not measured again; steps
 * that are more than cases are noted by name when they are done.
 */
#ifndef TOOLS_QTDB_BENCH_BENCH_JOURNAL_H
#define TOOLS_QTDB_BENCH_BENCH_JOURNAL_H

#include <stdio.h>

#include "tools/qtdb-bench/bench.h"

enum { BENCH_STEP_SIZE = 64, BENCH_STEPS_MAX = 128, BENCH_COMMIT_SIZE = 64 };

struct bench_journal {
    FILE *file;
    struct memory *memory;
    struct bench_results before; /* What was in it when it was opened. */
    char steps[BENCH_STEPS_MAX][BENCH_STEP_SIZE];
    size_t step_count;
    uint64_t seconds; /* Of work before this time. */
};

/**
 * Opens the journal at `path`, made anew or (`resume`) read and continued; a record that was torn is cut off.
 * Raises STATUS_VERSION when it was written by another build (`commit`), STATUS_CORRUPT, STATUS_IO.
 */
MUST_CHECK enum status bench_journal_open(struct bench_journal *journal, struct memory *memory,
                                          const char *path, const char *commit, bool resume);
/** False: something could not be written. NULL-safe on a journal that never opened. */
bool bench_journal_close(struct bench_journal *journal);

/* What is noted is on the disk when they return; a failure shows at close. */
void bench_journal_note(struct bench_journal *journal, const struct bench_result *result);
void bench_journal_note_step(struct bench_journal *journal, const char *step, uint64_t seconds);

bool bench_journal_has_step(const struct bench_journal *journal, const char *step);

#endif
