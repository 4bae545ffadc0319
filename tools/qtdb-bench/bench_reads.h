/* The device's rate of random reads (bench_reads.c). */
#ifndef TOOLS_QTDB_BENCH_BENCH_READS_H
#define TOOLS_QTDB_BENCH_BENCH_READS_H

#include "tools/qtdb-bench/bench.h"

enum { BENCH_READS_DEPTH_MAX = 64 };

/**
 * Random reads of 4 KiB a second in a file of `size` bytes, made below `dir` and removed, with `depth` (1
 * to BENCH_READS_DEPTH_MAX) under way. STATUS_FULL, STATUS_IO, STATUS_NO_MEMORY, as the disk has it.
 */
MUST_CHECK enum status bench_random_reads(struct memory *memory, const char *dir, uint64_t size,
                                          uint32_t depth, double *rate_out);

#endif
