/*
 * Figures that other programs of this project measure: they stand beside this one (build/bin) or, the
 * micro-benchmarks, in ../bench of it. Each is run to its end with its words and its output is read.
 */
#ifndef TOOLS_QTDB_BENCH_BENCH_PROGRAMS_H
#define TOOLS_QTDB_BENCH_BENCH_PROGRAMS_H

#include "tools/qtdb-bench/bench.h"

/**
 * Runs `program` with the words of `arguments` (by spaces; `--dir DIR` is added for one in ../bench). `before` not
 * NULL: `text` gets the first line with it, *value_out the number behind it. NULL: the last line. *ended_well_out:
 * exit status 0. False: it is not there, or gave no such figure, and `text` says so.
 */
bool bench_program_run(const struct bench_options *options, const char *program,
                       const char *arguments, const char *before, double *value_out,
                       bool *ended_well_out, char *text, size_t text_size);

#endif
