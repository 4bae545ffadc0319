/*
 * Runs that are kept: a directory WORKLOAD_YYYYMMDD_HHMMSS below --save-results with
 *
 *   run_config.json     the command line as understood, written at the start
 *   system_info.json    machine, versions, settings, commit, written at the start
 *   arguments           the command line, a word a line: what --resume begins with
 *   journal             every result and step the moment it is there (bench_journal.h)
 *   run.log             a line for each run of each engine, the moment it ended
 *   raw_results.jsonl   what --json writes
 *   summary.json        medians, least and most, then the targets, one object a line
 *   targets.md          the table of targets, where the command has one
 *   report.html, report.md
 *
 * A run that was killed half-way has the first five; `qtdb-bench --resume RUN` goes on with it.
 */
#ifndef TOOLS_QTDB_BENCH_BENCH_ARCHIVE_H
#define TOOLS_QTDB_BENCH_BENCH_ARCHIVE_H

#include "tools/qtdb-bench/bench_journal.h"
#include "tools/qtdb-bench/bench_print.h"

struct bench_archive {
    char dir[BENCH_PATH_SIZE];
    FILE *log;
    struct bench_journal journal;
};

/** Makes the directory and its first files, or continues the run of options->resume; false when it could not
 * and said so. */
bool bench_archive_begin(struct bench_archive *archive, const struct bench_options *options,
                         const struct bench_machine *machine, const char *command);
/** A line in run.log; nothing when no run is kept. */
void bench_archive_note(const struct bench_options *options, const struct bench_result *result);
/** Raw results, summary and report; false when one could not be written and it was said. */
bool bench_archive_end(struct bench_archive *archive, const struct bench_options *options,
                       const struct bench_machine *machine, const struct bench_results *results);

/** Standard output goes to the file at `path` until bench_output_back gets what this returned; -1: it does not. */
int bench_output_to(const char *path);
void bench_output_back(int old);
/** The file's text on standard output; nothing where there is none. */
void bench_print_file(const char *path);

/** `results list DIR`, `results show RUN`, `results compare RUN RUN`. An exit status. */
int bench_archive_command(const struct bench_options *options, int argc, char **argv);

#endif
