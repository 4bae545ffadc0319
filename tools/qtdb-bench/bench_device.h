/*
 * A block device of one's own: a loop device over a sparse file with an ext4 (and so a journal) on it,
 * so that the bytes which reach the device are only ours. Needs root; where that is refused it says so
 * and the device figures are left out.
 */
#ifndef TOOLS_QTDB_BENCH_BENCH_DEVICE_H
#define TOOLS_QTDB_BENCH_BENCH_DEVICE_H

#include "tools/qtdb-bench/bench.h"

struct bench_device {
    char image[BENCH_PATH_SIZE];
    char mount[BENCH_PATH_SIZE];
    bool open;
};

/** There may be one: this is not refused before it is tried. */
bool bench_device_may(void);
/** False, with `why` filled, when there can be none. */
bool bench_device_open(struct bench_device *device, const char *dir, uint64_t size, char *why,
                       size_t why_size);
void bench_device_close(struct bench_device *device);

#endif
