/* Figures as text, and where results go. */
#ifndef TOOLS_QTDB_BENCH_BENCH_PRINT_H
#define TOOLS_QTDB_BENCH_BENCH_PRINT_H

#include "tools/common/text_buffer.h"
#include "tools/qtdb-bench/bench.h"
#include "tools/qtdb-bench/bench_engines.h"
#include "tools/qtdb-bench/bench_system.h"

enum { BENCH_NUMBER_SIZE = 32 };
/** "1.53 M", "12.4 k", "0.87"; returns `out`. */
const char *bench_format_number(double value, char out[BENCH_NUMBER_SIZE]);
const char *bench_format_ns(double ns, char out[BENCH_NUMBER_SIZE]);
/** The case in one line. */
void bench_case_name(const struct bench_case *sizes, char *out, size_t size);

/** Failed, skipped and disturbed runs of the case. */
void bench_case_print_notes(const struct bench_options *options,
                            const struct bench_results *results, const struct bench_case *sizes);

/** One object a line: the machine, then every metric of every run. */
void bench_json_add(struct text_buffer *text, const struct bench_options *options,
                    const struct bench_machine *machine, const struct bench_results *results);
/** Replaces the file; false when it could not and said so. */
bool bench_write_file(const struct bench_options *options, const char *path,
                      const struct text_buffer *text);

/** Machine, engines with versions and settings, on standard output. */
void bench_print_head(const struct bench_options *options, const struct bench_machine *machine);

#endif
