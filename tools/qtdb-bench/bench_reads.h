/* The device's own rate, in the place and of the file that a store has (bench_reads.c). */
#ifndef TOOLS_QTDB_BENCH_BENCH_READS_H
#define TOOLS_QTDB_BENCH_BENCH_READS_H

#include "tools/qtdb-bench/bench.h"

enum { BENCH_READS_DEPTH_MAX = 64 };

/**
 * How often a second the device gives a random block of 4 KiB of the largest file below `dir`, with `depth` (1 to
 * BENCH_READS_DEPTH_MAX) reads under way, measured for about a second past the page cache. `update`: each block is
 * written back as it was read, with up to 32 writes under way besides, and counts when it is, all synced at the end.
 * Nobody else may have the file open for writing. STATUS_NOT_FOUND: there is no file of a block; STATUS_IO,
 * STATUS_NO_MEMORY, as the disk has it.
 */
MUST_CHECK enum status bench_device_rate(struct memory *memory, const char *dir, uint32_t depth,
                                         bool update, double *rate_out);

#endif
